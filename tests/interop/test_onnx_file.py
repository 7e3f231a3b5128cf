"""What onnxruntime computes from an exported model is what the model predicts."""

from collections import Counter

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.interop.onnx_file import save_onnx, to_onnx
from recurra.layers import arithmetic

pytest.importorskip("onnx", reason="the interop extra is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx_runs import assert_same_predictions, run_onnx
from vectors import array_of, cases_of, make, make_model


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
        layers.ReLU(max_value=4.0, negative_slope=0.1, threshold=1.5),
        layers.Identity(),
        layers.ActivityRegularization(l1=0.1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_work_on_each_number_or_row(layer, x):
    model = recurra.Sequential([recurra.Input((None, 4)), layer])
    assert_same_predictions(model, [10 * x], to_onnx(model))


@pytest.mark.parametrize(
    "name", ["celu", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "mish", "silu", "gelu"]
)
def test_activations(name, x):
    model = recurra.Sequential([recurra.Input((None, 4)), layers.Activation(name), layers.Dense(3, activation=name)])
    assert_same_predictions(model, [10 * x], to_onnx(model))


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "TrueDivide", "Negative"])
def test_arithmetic_of_files(kind, x):
    make_layer = getattr(arithmetic, kind)
    start = recurra.Input((None, 4))
    one, other = layers.Dense(4)(start), layers.Dense(1)(start)
    if kind == "Negative":
        outputs = make_layer([None])(one)
    else:
        outputs = [make_layer([None, None])([one, other]), make_layer([None, 2])(one), make_layer([0.5, None])(other)]
    model = recurra.Model(start, outputs)
    assert_same_predictions(model, [x], to_onnx(model))


def test_indices(x):
    start = recurra.Input((None, 4))
    keys = np.index_exp[:, -1, :], np.index_exp[:, 1:6:2], np.index_exp[..., 0], np.index_exp[:, ::-2, 1:]
    keys += np.index_exp[:, 2, None, :-1], np.index_exp[:, None, ..., 1:2], np.index_exp[:, -3:-9:-1], np.index_exp[...]
    model = recurra.Model(start, [layers.Dense(3)(start)[key] for key in keys])
    assert_same_predictions(model, [x], to_onnx(model))


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(axis=2),
        layers.BatchNormalization(axis=1),
        layers.LayerNormalization(axis=[1, 2]),
        layers.LayerNormalization(axis=1),
        layers.RMSNormalization(axis=2),
        layers.RMSNormalization(axis=[1, 2]),
        layers.UnitNormalization(axis=[1, 2]),
    ],
    ids=lambda layer: f"{type(layer).__name__}{layer.axis}",
)
def test_normalization_of_any_axes(layer, x, rng):
    model = recurra.Sequential([recurra.Input((7, 4)), layer])
    model.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in model.get_weights()])
    assert_same_predictions(model, [x], to_onnx(model))


@pytest.mark.parametrize(
    "options", [{}, {"axis": None}, {"axis": (1, 2)}, {"invert": True}, {"mean": 2.0, "variance": 3.0}]
)
def test_normalization_by_data(options, x):
    layer = layers.Normalization(**options)
    model = recurra.Sequential([recurra.Input((7, 4)), layer, layers.LSTM(3)])
    if "mean" not in options:
        layer.adapt(5 * x + 3)
    assert_same_predictions(model, [x], to_onnx(model))


def test_unit_normalization_of_very_short_rows(x):
    model = recurra.Sequential([recurra.Input((None, 4)), layers.UnitNormalization()])
    assert_same_predictions(model, [np.stack([1e-8 * x[0], 0 * x[1]])], to_onnx(model))


@pytest.mark.parametrize(
    "options", [{"dilation_rate": 2}, {"strides": 2}, {}, {"dilation_rate": 3, "activation": "relu"}]
)
@pytest.mark.parametrize("padding", ["same", "causal", "valid"])
def test_convolutions_of_open_time(options, padding, x):
    model = recurra.Sequential([recurra.Input((None, 4)), layers.Conv1D(3, 2, padding=padding, **options)])
    made = to_onnx(model)
    assert_same_predictions(model, [x], made)
    assert_same_predictions(model, [x[:, :4]], made)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float64"])
@pytest.mark.parametrize(
    "line",
    [
        [layers.Dense(2)],
        [layers.Rescaling(0.5)],
        [layers.Reshape((4, 1)), layers.GRU(2)],
        [layers.Reshape((4, 1)), layers.TimeDistributed(layers.Dense(2))],
        [layers.Embedding(9, 2)],
        [layers.Identity(), layers.Flatten()],
    ],
    ids=lambda line: type(line[-1]).__name__,
)
def test_inputs_of_another_dtype_than_the_layers(dtype, line, rng):
    model = recurra.Sequential(
        [recurra.Input((4,), dtype=dtype), *(type(one).from_config(one.get_config()) for one in line)]
    )
    assert_same_predictions(model, [rng.integers(0, 9, (3, 4)).astype(dtype)], to_onnx(model))


def test_integers_and_numbers_joined(rng):
    a, b = recurra.Input((3,), dtype="int32"), recurra.Input((2,))
    model = recurra.Model([a, b], layers.Concatenate()([a, b]))
    arrays = [rng.integers(0, 9, (5, 3)).astype("int32"), rng.standard_normal((5, 2)).astype("float32")]
    assert_same_predictions(model, arrays, to_onnx(model))


MERGES = [
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Concatenate,
]


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize(
    "masked", [(True, True), (True, False), (False, True), (True, True, True), (True, False, True)]
)
@pytest.mark.parametrize("after", [layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D, layers.GRU])
@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
def test_merging_layers_see_and_give_masks(merge, masked, after, rng):
    if merge is layers.Subtract and len(masked) == 3:
        pytest.skip("it takes two")
    ends = [recurra.Input((None, 4)) for _ in masked]
    parts = [layers.Masking()(end) if mask else end for end, mask in zip(ends, masked, strict=True)]
    parts = [layers.Dense(4, bias_initializer="glorot_uniform")(part) for part in parts]
    model = recurra.Model(ends, (after(3) if after is layers.GRU else after())(merge()(parts)))
    arrays = [rng.standard_normal((4, 6, 4)).astype("float32") for _ in masked]
    for array in arrays:
        for row, steps in zip(array, rng.integers(0, 7, 4), strict=True):
            row[steps:] = 0
    assert_same_predictions(model, arrays, to_onnx(model, right_padded=True))


@pytest.mark.parametrize("merge", [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum])
@pytest.mark.parametrize("swapped", [False, True])
def test_merging_layers_stretch_inputs_behind_the_batch(merge, swapped, rng):
    ends = [recurra.Input((3, 4)), recurra.Input((4,))]
    model = recurra.Model(ends, merge()(ends[::-1] if swapped else ends))
    arrays = [rng.standard_normal(shape).astype("float32") for shape in ((3, 3, 4), (3, 4))]
    assert_same_predictions(model, arrays, to_onnx(model))


def test_masks_that_onnx_cannot_follow_into_a_merge_are_refused():
    a, b = recurra.Input((5, 4)), recurra.Input((2, 5, 4))
    model = recurra.Model([a, b], layers.Multiply()([layers.Masking()(a), b]))
    with pytest.raises(ValueError, match="masked inputs of as many axes as the others"):
        to_onnx(model, right_padded=True)
    sequences = layers.Concatenate(axis=1)([layers.Masking()(a), a])
    with pytest.raises(ValueError, match="masks straight from Masking or Embedding"):
        to_onnx(recurra.Model(a, layers.GRU(2)(sequences)), right_padded=True)


@pytest.mark.parametrize("kind", [layers.MaxPooling1D, layers.AveragePooling1D])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (1, 3), (2, 2), (3, 2)])
def test_windows_of_any_number_of_timesteps(kind, padding, size, stride, rng):
    model = recurra.Sequential([recurra.Input((None, 4)), kind(size, stride, padding)])
    made = to_onnx(model)
    for timesteps in range(3, 9):
        assert_same_predictions(model, [rng.standard_normal((2, timesteps, 4)).astype("float32")], made)


@pytest.mark.parametrize("kind", [layers.MaxPooling1D, layers.AveragePooling1D])
def test_gaps_between_padded_windows_are_refused(kind, x):
    model = recurra.Sequential([recurra.Input((None, 4)), kind(2, 3, "same", name="pool")])
    message = "'pool' expected strides of at most pool_size with padding='same', got 3 and 2: pad with ZeroPadding1D"
    with pytest.raises(ValueError, match=message):
        to_onnx(model)
    model = recurra.Sequential([recurra.Input((None, 4)), kind(2, 3)])
    assert_same_predictions(model, [x], to_onnx(model))


@pytest.mark.parametrize(
    "line",
    [
        [layers.RMSNormalization()],
        [layers.Conv1D(4, 2, padding="causal")],
        [layers.MaxPooling1D(2)],
        [layers.Permute((1, 2))],
        [layers.UnitNormalization()],
        [layers.GRU(3, return_sequences=True, go_backwards=True)],
    ],
    ids=lambda line: type(line[0]).__name__,
)
@pytest.mark.parametrize("after", [layers.GlobalAveragePooling1D, layers.LSTM])
@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
def test_a_mask_ends_where_the_model_ends_it(line, after, x):
    x[0, 4:], x[1, 1:], x[2] = 0, 0, 0
    line = [type(layer).from_config(layer.get_config()) for layer in line]
    last = after(3) if after is layers.LSTM else after()
    model = recurra.Sequential([recurra.Input((7, 4)), layers.Masking(), *line, last])
    assert_same_predictions(model, [x], to_onnx(model, right_padded=True))


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("wrap", [False, True])
def test_initial_states_of_masked_sequences(kind, sequences, wrap, x, rng):
    x[0, 4:], x[1] = 0, 0  # one has no steps: its states are those before
    layer = getattr(layers, kind)(5, return_sequences=sequences, return_state=True)
    count = (2 if kind == "LSTM" else 1) * (2 if wrap else 1)
    ends = [recurra.Input((None, 4)), *(recurra.Input((5,)) for _ in range(count))]
    layer = layers.Bidirectional(layer) if wrap else layer
    model = recurra.Model(ends, layer(layers.Masking()(ends[0]), initial_state=ends[1:]))
    states = [rng.standard_normal((3, 5)).astype("float32") for _ in range(count)]
    assert_same_predictions(model, [x, *states], to_onnx(model, right_padded=True))


def test_an_initial_state_that_is_an_array(x, rng):
    end = recurra.Input((None, 4))
    state = rng.standard_normal((3, 5)).astype("float32")
    model = recurra.Model(end, layers.GRU(5)(end, initial_state=[state]))
    assert_same_predictions(model, [x], to_onnx(model))


@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_with_exchanged_directions(sequences, x):
    options = {"return_sequences": sequences}
    layer = layers.Bidirectional(
        layers.GRU(3, go_backwards=True, **options), backward_layer=layers.GRU(3, go_backwards=False, **options)
    )
    model = recurra.Sequential([recurra.Input((None, 4)), layer])
    if sequences:
        with pytest.raises(ValueError, match="a forward layer that goes forwards"):
            to_onnx(model)
    else:
        assert_same_predictions(model, [x], to_onnx(model))


def test_a_mask_inside_time_distributed(rng):
    end = recurra.Input((5, 4), dtype="int32")
    y = layers.Embedding(9, 3, mask_zero=True)(end)
    with pytest.raises(ValueError, match="no mask for the layer inside"):
        to_onnx(recurra.Model(end, layers.TimeDistributed(layers.GRU(2))(y)), right_padded=True)
    model = recurra.Model(end, layers.TimeDistributed(layers.Dense(2))(y))
    assert_same_predictions(model, [rng.integers(0, 9, (3, 5, 4))], to_onnx(model))


def test_export_writes_the_same_file(tmp_path):
    model = recurra.Sequential([recurra.Input((None, 4)), layers.GRU(2)])
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    assert (tmp_path / "model.onnx").read_bytes() == to_onnx(model).SerializeToString()
    model.export(tmp_path / "again.onnx", "onnx", None, None, opset_version=17)
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"export expected opset_version=17 or None, got 13: onnx\.version_conv"):
        model.export(tmp_path / "other.onnx", format="onnx", opset_version=13)
    assert not (tmp_path / "other.onnx").exists()
    with pytest.raises(ValueError, match="format='onnx', got 'tf_saved_model'"):
        model.export(tmp_path / "model")
    with pytest.raises(TypeError, match="opset"):
        model.export(tmp_path / "model.onnx", format="onnx", opset=3)


def test_a_mask_of_the_callers_is_refused():
    end, mask = recurra.Input((None, 4)), recurra.Input((None,), dtype="bool")
    model = recurra.Model([end, mask], layers.GRU(2)(end, mask=mask))
    with pytest.raises(ValueError, match="no mask= in its call"):
        to_onnx(model, right_padded=True)


def names_of(made):
    return [spec.name for spec in made.graph.input], [spec.name for spec in made.graph.output]


def test_names_of_layers_and_of_nodes_do_not_meet(rng):
    x = rng.standard_normal((2, 3)).astype("float32")
    a = recurra.Input((3,), name="constant_1")
    b = layers.Rescaling(2.0)(layers.Dense(3, name="add")(a))
    c = layers.Add(name="mul")([a, b])
    model = recurra.Model(a, layers.Add(name="add_1")([c, b]))
    made = to_onnx(model)
    assert names_of(made) == (["constant_1"], ["add_1"])
    assert_same_predictions(model, [x], made)


def test_automatic_names_do_not_meet(rng):
    recurra.utils.clear_session()
    a = recurra.Input((3,))
    b = layers.Dense(3)(a)
    c = layers.Add()([a, b])
    model = recurra.Model(a, layers.Add()([c, b]))
    assert_same_predictions(model, [rng.standard_normal((2, 3)).astype("float32")], to_onnx(model))


@pytest.mark.parametrize("name", ["add", "softmax", "matmul", "out_kernel", "constant", "identity"])
def test_outputs_have_the_names_of_the_model(name, rng):
    a = recurra.Input((3,), name="output_0")
    y = layers.Activation("softmax", name=name)(layers.Dense(3, name="out")(a))
    model = recurra.Model(a, [y, a, layers.Dense(2, name="elu")(y)])
    made = to_onnx(model)
    assert names_of(made) == (["output_0"], [name, "output_1", "elu"])
    assert_same_predictions(model, [rng.standard_normal((2, 3)).astype("float32")], made)


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


def in_pieces(made, x, count=1):
    """Returns the model's outputs for each piece of x, states handed on."""
    specs = made.graph.input[count:]
    states = [np.zeros((len(x), spec.type.tensor_type.shape.dim[1].dim_value), "float32") for spec in specs]
    found = []
    for piece in np.split(x, [2, 3], axis=1):
        (*y,) = run_onnx(made, [piece, *states])
        states = y[-len(states) :]
        found.append(y[0])
    return found


def test_streaming_of_layers_that_take_each_step_by_itself(x):
    a = recurra.Input((None, 4))
    b = layers.GRU(4, return_sequences=True)(layers.RMSNormalization()(layers.Rescaling(2.0)(a)))
    c = layers.PReLU(alpha_initializer="ones", shared_axes=[1])(layers.Concatenate()([layers.Add()([a, b]), b]))
    model = recurra.Model(a, layers.TimeDistributed(layers.Dense(2))(layers.LSTM(3, return_sequences=True)(c)))
    y = np.concatenate(in_pieces(to_onnx(model, streaming=True), x), axis=1)
    np.testing.assert_allclose(y, model(x), rtol=1e-5, atol=1e-6)


def test_streaming_of_arithmetic(x):
    a = recurra.Input((None, 4))
    b = layers.GRU(4, return_sequences=True)(a)
    model = recurra.Model(a, arithmetic.Subtract([1, None])(arithmetic.Multiply([None, None])([a, b])))
    y = np.concatenate(in_pieces(to_onnx(model, streaming=True), x), axis=1)
    np.testing.assert_allclose(y, model(x), rtol=1e-5, atol=1e-6)


def test_streaming_of_words_and_of_layers_after_the_last_output(rng):
    end = recurra.Input((None,), dtype="int32")
    y = layers.Reshape((2, 3))(layers.Dense(6)(layers.GRU(4)(layers.Embedding(9, 5)(end))))
    model, x = recurra.Model(end, y), rng.integers(0, 9, (3, 7)).astype("int32")
    np.testing.assert_allclose(in_pieces(to_onnx(model, streaming=True), x)[-1], model(x), rtol=1e-5, atol=1e-6)


def test_names_of_states_are_free_ones(x):
    first, second = (
        recurra.Sequential([recurra.Input((None, 4)), layers.GRU(4, return_sequences=True, name="gru")])
        for _ in range(2)
    )
    a = recurra.Input((None, 4), name="gru_h_in")
    model = recurra.Model(a, second(first(a)))
    made = to_onnx(model, streaming=True)
    inputs, outputs = names_of(made)
    assert inputs == ["gru_h_in", "gru_1_h_in", "gru_2_h_in"] and outputs[1:] == ["gru_1_h_out", "gru_2_h_out"]
    np.testing.assert_allclose(np.concatenate(in_pieces(made, x), axis=1), model(x), rtol=1e-5, atol=1e-6)


def with_state_of_another(end):
    _, state = layers.GRU(3, return_state=True)(end)
    return layers.GRU(3)(end, initial_state=state)


def twice(end):
    layer = layers.GRU(4, return_sequences=True)
    return layer(layer(end))


def last_beside_steps(end):
    return layers.Add()([layers.GRU(4)(end), end])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (layers.Conv1D(4, 2), "no more than one time step"),
        (layers.GlobalAveragePooling1D(), "no more than one time step"),
        (layers.LayerNormalization(axis=[1, 2]), "no more than one time step"),
        (layers.PReLU(), "no more than one time step"),
        (layers.Concatenate(axis=1), "no more than one time step"),
        (layers.GRU(2, go_backwards=True), "layers that go forwards"),
        (with_state_of_another, "no initial_state"),
        (twice, "one call of each recurrent layer"),
        (last_beside_steps, "all have the time axis"),
        (lambda end: layers.GRU(2)(layers.RepeatVector(3)(layers.GRU(2)(end))), "the time steps of the model's input"),
        (lambda end: layers.TimeDistributed(layers.GRU(2))(layers.Reshape((3, 2, 2))(end)), "no more than one"),
        (lambda end: layers.GRU(2, return_sequences=True)(layers.Masking()(end)), "no mask, to stream"),
    ],
)
def test_what_cannot_be_fed_piece_by_piece_is_refused(build, message):
    end = recurra.Input((3, 4))
    model = recurra.Model(end, build([end, end] if isinstance(build, layers.Concatenate) else end))
    with pytest.raises(ValueError, match=message):
        to_onnx(model, streaming=True, right_padded=True)


def test_a_recurrent_layer_inside_time_distributed_is_not_streamed():
    model = recurra.Sequential([recurra.Input((None, 3, 4)), layers.TimeDistributed(layers.GRU(2)), layers.GRU(2)])
    with pytest.raises(ValueError, match="the time steps of the model's input, to stream"):
        to_onnx(model, streaming=True)


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
