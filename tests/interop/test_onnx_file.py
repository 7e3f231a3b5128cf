"""What onnxruntime computes from an exported model is what the model predicts."""

from collections import Counter

import numpy as np
import pytest

import recurra
from recurra import _tree, layers
from recurra.interop.onnx_file import save_onnx, to_onnx

pytest.importorskip("onnx", reason="the interop extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from vectors import array_of, cases_of, make, make_model  # noqa: E402


def run_onnx(made, arrays):
    """Returns the outputs of an ONNX model for arrays in the order of its inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {spec.name: array for spec, array in zip(session.get_inputs(), arrays, strict=True)}
    return session.run(None, given)


def assert_same_predictions(model, arrays, made):
    """Returns the largest difference, relative to the largest magnitude."""
    expected = [np.asarray(y) for y in _tree.flatten(model(arrays if len(arrays) > 1 else arrays[0]))]
    arrays = [np.asarray(x, tensor.dtype) for x, tensor in zip(arrays, model.inputs, strict=True)]
    outputs = run_onnx(made, arrays)
    worst = 0.0
    for y, wanted in zip(outputs, expected, strict=True):
        assert y.shape == wanted.shape
        worst = max(worst, float(np.abs(y - wanted).max(initial=0) / max(np.abs(wanted).max(initial=0), 1e-3)))
    assert worst <= 1e-5
    return worst


def as_model(case):
    """Returns a model of the case's layer with its weights, batch and time open, or None where it needs a mask."""
    call = case["calls"][0]
    if "layer" not in case and "model" not in case:
        return None, []
    arrays = [array_of(case, f"call0_input_{i}") for i in range(call["inputs"])]
    states = [array_of(case, f"call0_state_{i}") for i in range(call["states"])]
    if "model" in case:
        model = make_model(case["model"])
    else:
        layer = make(case["layer"])
        batch = None if not getattr(layer, "stateful", False) else arrays[0].shape[0]
        ends = [
            recurra.Input(batch_shape=(batch, *array.shape[1:]), dtype=str(array.dtype)) for array in arrays + states
        ]
        given, initial = ends[: len(arrays)], ends[len(arrays) :]
        kwargs = {"initial_state": initial} if initial else {}
        model = recurra.Model(ends, layer(given[0] if len(given) == 1 else given, **kwargs))
    model.set_weights([array_of(case, f"weight_{i}") for i in range(len(case["weights"]))])
    return model, arrays + states


def is_plain(case):
    """Whether a case is one that can be asked of an exported model: no dtype but float32, no mask of the caller's."""
    if "calls" not in case or case["dtype"] != "float32":
        return False
    call = case["calls"][0]
    return not call["mask"] and not call["kwargs"].get("training")


def test_every_conformance_model_runs_in_onnxruntime_or_is_refused_by_name():
    cases = [case.values[0] for case in cases_of("layers_forward")]
    if cases == [None]:
        pytest.skip("the conformance vectors are absent")
    counts = Counter()
    for case in filter(is_plain, cases):
        model, arrays = as_model(case)
        try:
            made = to_onnx(model, right_padded=True)
        except ValueError as error:
            assert str(error).startswith("to_onnx: ")
            counts["refused"] += 1
            continue
        if not _masks_are_right_padded(model, arrays):
            continue
        assert_same_predictions(model, arrays, made)
        counts["same"] += 1
    assert counts["same"] >= 150 and counts["refused"] <= 60, counts


def _masks_are_right_padded(model, arrays):
    for layer in model.layers:
        if isinstance(layer, (layers.Masking, layers.Embedding)):
            mask = np.asarray(layer.compute_mask(arrays[0], None))
            if mask.ndim == 2 and (np.diff(mask.astype(int), axis=1) > 0).any():
                return False
    return True


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 7, 4)).astype("float32")


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrent_layers(kind, sequences, backwards, x):
    make_layer = getattr(layers, kind)
    model = recurra.Sequential(
        [recurra.Input((None, 4)), make_layer(5, return_sequences=sequences, go_backwards=backwards), layers.Dense(2)]
    )
    made = to_onnx(model)
    assert_same_predictions(model, [x], made)
    assert_same_predictions(model, [x[:1, :3]], made)  # batch and time are open


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_right_padded_masks_become_lengths(kind, wrap, sequences, x):
    x[0, 4:], x[1, 1:] = 0, 0
    layer = getattr(layers, kind)(5, return_sequences=sequences)
    model = recurra.Sequential(
        [recurra.Input((None, 4)), layers.Masking(), layers.Bidirectional(layer) if wrap else layer]
    )
    assert_same_predictions(model, [x], to_onnx(model, right_padded=True))
    with pytest.raises(ValueError, match="right_padded=True"):
        to_onnx(model)


def test_a_mean_leaves_out_what_is_masked(x):
    x[0, 4:], x[1, 1:], x[2] = 0, 0, 0
    model = recurra.Sequential([recurra.Input((None, 4)), layers.Masking(), layers.GlobalAveragePooling1D()])
    assert_same_predictions(model, [x], to_onnx(model))


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU(max_value=0.5, negative_slope=0.1),
        layers.LeakyReLU(negative_slope=0.2),
        layers.ELU(alpha=0.7),
        layers.PReLU(alpha_initializer="ones", shared_axes=[1]),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=0.5),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Activation("relu6"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_work_on_each_number_or_row(layer, x):
    model = recurra.Sequential([recurra.Input((None, 4)), layer])
    assert_same_predictions(model, [10 * x], to_onnx(model))


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_streaming_gives_what_the_whole_sequence_gives(kind, x):
    model = recurra.Sequential(
        [recurra.Input((None, 4)), getattr(layers, kind)(5, return_sequences=True), getattr(layers, kind)(3)]
    )
    made = to_onnx(model, streaming=True)
    states = [np.zeros((3, spec.type.tensor_type.shape.dim[1].dim_value), "float32") for spec in made.graph.input[1:]]
    for piece in (x[:, :2], x[:, 2:3], x[:, 3:]):
        y, *states = run_onnx(made, [piece, *states])
    np.testing.assert_allclose(y, model(x), rtol=1e-5, atol=1e-6)


def test_a_file_holds_recurrent_nodes(tmp_path, x):
    import onnx

    model = recurra.Sequential([recurra.Input((None, 4)), layers.Bidirectional(layers.LSTM(5)), layers.Dense(1)])
    save_onnx(model, tmp_path / "m.onnx")
    made = onnx.load(str(tmp_path / "m.onnx"))
    assert [node.op_type for node in made.graph.node].count("LSTM") == 2
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ([layers.GRU(2, activation="gelu")], {}, "one of the activations"),
        ([layers.GRU(2, stateful=True)], {}, "pass streaming=True"),
        ([layers.Bidirectional(layers.GRU(2))], {"streaming": True}, "layers that go forwards"),
        ([layers.GroupNormalization(2)], {}, "a layer that ONNX export knows"),
    ],
)
def test_what_onnx_cannot_say_is_refused(line, options, message):
    model = recurra.Sequential([recurra.Input(batch_shape=(2, 3, 4)), *line])
    with pytest.raises(ValueError, match=message):
        to_onnx(model, **options)
