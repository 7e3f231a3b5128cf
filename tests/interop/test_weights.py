"""Weights under torch's names and in safetensors files."""

import json
import re

import held
import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.errors import FileFormatError
from recurra.interop import from_torch, load_safetensors, save_onnx, save_safetensors, to_torch

KINDS = ["SimpleRNN", "LSTM", "GRU"]


def make(kind, units=3):
    return recurra.Sequential(
        [
            recurra.Input((5,)),
            layers.Embedding(7, 4),
            layers.Bidirectional(getattr(layers, kind)(units, return_sequences=True)),
            layers.LayerNormalization(),
            getattr(layers, kind)(2),
            layers.Dense(1),
        ]
    )


@pytest.fixture
def x(rng):
    return rng.integers(0, 7, (6, 5))


@pytest.mark.parametrize("kind", KINDS)
def test_torch_names_bring_the_model_back(kind, x, rng):
    model, other = make(kind), make(kind)
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    from_torch(other, to_torch(model))
    np.testing.assert_allclose(other(x), model(x), rtol=1e-6, atol=1e-6)


def test_torch_shapes_and_gate_order(rng):
    model = recurra.Sequential([recurra.Input((5, 4)), layers.GRU(3, name="g"), layers.Dense(2, name="d")])
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    state = to_torch(model)
    assert {name: value.shape for name, value in state.items()} == {
        "g.weight_ih_l0": (9, 4),
        "g.weight_hh_l0": (9, 3),
        "g.bias_ih_l0": (9,),
        "g.bias_hh_l0": (9,),
        "d.weight": (2, 3),
        "d.bias": (2,),
    }
    kernel = model.get_weights()[0]
    np.testing.assert_array_equal(state["g.weight_ih_l0"][:3], kernel[:, 3:6].T)  # torch's r comes first, Keras's z


@pytest.mark.parametrize("names", ["keras", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_safetensors_bring_the_model_back(names, kind, x, tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    recurra.utils.clear_session()
    model = make(kind)
    save_safetensors(model, tmp_path / "m.safetensors", names)
    recurra.utils.clear_session()
    other = make(kind)
    load_safetensors(other, tmp_path / "m.safetensors")
    np.testing.assert_allclose(other(x), model(x), rtol=1e-6, atol=1e-6)


def nested():
    line = [layers.Bidirectional(layers.LSTM(2, name="memory"), name="both"), layers.Dense(2, name="out")]
    inner = recurra.Sequential([recurra.Input((3, 4)), *line], name="inner")
    return recurra.Sequential([recurra.Input((3, 4)), inner, layers.Dense(2, name="last")])


@pytest.mark.parametrize("names", ["keras", "torch"])
def test_a_layer_shared_between_models_counts_once(names, tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    model, other = (recurra.utils.clear_session() or held.sharing(recurra) for _ in range(2))
    save_safetensors(model, tmp_path / "m.safetensors", names=names)
    load_safetensors(other, tmp_path / "m.safetensors")
    for mine, its in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_safetensors_names_do_not_tell_how_a_model_was_made(tmp_path, rng):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    built = nested()
    built.save(tmp_path / "m.keras")
    loaded = recurra.models.load_model(tmp_path / "m.keras")
    assert [v.path for v in built.weights] != [v.path for v in loaded.weights]
    for model in (built, loaded):
        save_safetensors(model, tmp_path / "m.safetensors")
        for other in (nested(), recurra.models.load_model(tmp_path / "m.keras")):
            other.set_weights([array * 0 for array in other.get_weights()])
            load_safetensors(other, tmp_path / "m.safetensors")
            np.testing.assert_array_equal(other(x), model(x))


def test_safetensors_bring_normalization_back(x, tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    models = []
    for _ in range(2):
        recurra.utils.clear_session()
        models.append(recurra.Sequential([recurra.Input(x.shape[1:]), layers.Normalization(), layers.Dense(2)]))
    model, other = models
    model.layers[0].adapt(3 * x + 1)
    save_safetensors(model, tmp_path / "m.safetensors")
    load_safetensors(other, tmp_path / "m.safetensors")
    assert int(other.layers[0].count) == int(model.layers[0].count)
    np.testing.assert_array_equal(other(x), model(x))


def test_safetensors_of_other_names_or_shapes_are_refused(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="the interop extra is not installed")
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2, name="end")])
    path, sound = tmp_path / "m.safetensors", {"end/kernel": np.ones((3, 2), "f"), "end/bias": np.ones(2, "f")}
    for change, message in (
        ({"end/bias": None}, "2 weights of the model, got 'end/bias' missing$"),
        ({"more/bias": np.ones(2, "f")}, "2 weights of the model, got 'more/bias' not in the model$"),
        ({"end/bias": None, "m/end/bias": np.ones(2, "f")}, "2 weights of the model, got 'end/bias' missing$"),
        ({"end/kernel": np.ones((2, 3), "f")}, r"'end/kernel' of shape \(3, 2\), got \(2, 3\)$"),
    ):
        state = {name: array for name, array in (sound | change).items() if array is not None}
        safetensors.save_file(state, path)
        with pytest.raises(FileFormatError, match=rf"^m\.safetensors expected {message}"):
            load_safetensors(model, path)
    safetensors.save_file(sound, path)
    load_safetensors(model, path)
    assert model.get_weights()[1].tolist() == [1, 1]


def test_safetensors_say_when_only_automatic_numbers_differ(tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    save_safetensors(make("LSTM"), tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError, match="only the numbers of automatic names differ; name the layers"):
        load_safetensors(make("LSTM"), tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError) as caught:
        load_safetensors(nested(), tmp_path / "m.safetensors")
    assert "numbers" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("dense.weight"), "weight for layer 'dense'"),
        (lambda state: state.update({"extra.weight": np.ones((2, 2), "float32")}), "layers with weights"),
        (lambda state: state.update({"dense.weight": np.ones((9, 9), "float32")}), "of shape"),
        (lambda state: state.update({"dense.odd": np.ones(2, "float32")}), "no 'odd'"),
        (lambda state: state.update({"dense.bias": np.array([np.nan], "float32")}), "NaN or infinity"),
        (lambda state: state.update({"dense.bias": np.array([1])}), "floating point numbers"),
        (lambda state: state.update({"lstm_1.weight_ih_l0": np.array(1.0)}), "weight_ih for layer 'lstm_1'"),
        (lambda state: state.update({f"lstm_1.weight_ih_l{'9' * 5000}": np.ones(1)}), "no 'weight_ih_l999"),
        (lambda state: state.update({5: np.ones(1)}), "names of weights as text, got 5"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    recurra.utils.clear_session()
    model = make("LSTM")
    state = to_torch(model)
    change(state)
    before = model.get_weights()
    with pytest.raises(FileFormatError, match=message):
        from_torch(model, state)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_torch_has_lost_the_order_of_its_modules(x, tmp_path, rng):
    """safetensors sorts by name: "head" comes before "net", as it comes before the recurrent layers nowhere else."""
    safetensors = pytest.importorskip("safetensors.numpy", reason="the interop extra is not installed")
    line = [layers.LSTM(3, return_sequences=True), layers.LSTM(3), layers.Dense(3, name="out")]
    model = recurra.Sequential([recurra.Input((5, 4)), *line])
    sizes = {"net": ((12, 4), (12, 3), (12,), (12,)), "next": ((12, 3), (12, 3), (12,), (12,))}
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    state = {
        f"net.{part}_l{layer}": rng.standard_normal(shape).astype("float32")
        for layer, name in enumerate(sizes)
        for part, shape in zip(parts, sizes[name], strict=True)
    }
    state |= {"head.weight": np.ones((3, 3), "float32"), "head.bias": np.zeros(3, "float32")}
    safetensors.save_file(state, tmp_path / "t.safetensors")
    load_safetensors(model, tmp_path / "t.safetensors")
    np.testing.assert_array_equal(model.get_weights()[0], state["net.weight_ih_l0"].T)
    np.testing.assert_array_equal(model.get_weights()[3], state["net.weight_ih_l1"].T)
    np.testing.assert_array_equal(model.get_weights()[6], np.ones((3, 3)))
    twins = recurra.Sequential([recurra.Input((3,)), layers.Dense(3, name="a"), layers.Dense(3, name="b")])
    state = {f"{name}.weight": np.ones((3, 3), "float32") for name in ("last", "first")}
    state |= {f"{name}.bias": np.ones(3, "float32") for name in ("last", "first")}
    safetensors.save_file(state, tmp_path / "t.safetensors")
    with pytest.raises(FileFormatError, match="modules named as the layers, got 'first', 'last'"):
        load_safetensors(twins, tmp_path / "t.safetensors")


def test_a_file_in_bfloat16_loads(tmp_path):
    """bfloat16 is the upper half of float32: its numbers written by hand."""
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    numbers = {"dense.weight": [[1.5, -2.0, 0.0078125]], "dense.bias": [3.0]}
    header, raw = {}, b""
    for name, values in numbers.items():
        upper_halves = (np.array(values, "<f4").view("<u4") >> 16).astype("<u2")
        place = [len(raw), len(raw) + upper_halves.nbytes]
        header[name] = {"dtype": "BF16", "shape": list(upper_halves.shape), "data_offsets": place}
        raw += upper_halves.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "b.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw)
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(1, name="dense")])
    load_safetensors(model, tmp_path / "b.safetensors")
    assert [array.tolist() for array in model.get_weights()] == [[[1.5], [-2.0], [0.0078125]], [3.0]]


@pytest.mark.parametrize("data", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", b"\xff" * 100, b"PK\x03\x04"])
def test_a_bad_safetensors_file_is_refused(data, tmp_path):
    pytest.importorskip("safetensors", reason="the interop extra is not installed")
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileFormatError) as caught:
        load_safetensors(make("GRU"), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", [save_safetensors, load_safetensors, save_onnx, recurra.Model.save_weights])
@pytest.mark.parametrize("path", [b"m.weights.h5", 5])
def test_a_path_that_is_none_is_told_in_the_same_sentence(write, path):
    with pytest.raises(TypeError, match=rf"ing expected the path of a file, got {type(path).__name__}: "):
        write(make("GRU"), path)


def test_what_torch_does_not_have_is_refused_by_name():
    model = recurra.Sequential([recurra.Input((5, 4)), layers.GRU(3, reset_after=False, name="old")])
    with pytest.raises(ValueError, match=r"'old'.*reset_after=True"):
        to_torch(model)
    model = recurra.Sequential([recurra.Input((5, 4)), layers.Conv1D(3, 2, name="folded")])
    with pytest.raises(ValueError, match=r"expected SimpleRNN, LSTM, .* which are mapped, got Conv1D 'folded'"):
        to_torch(model)


def test_layers_of_one_name_are_not_taken_for_each_other(tmp_path, rng):
    x = rng.standard_normal((2, 5, 4)).astype("float32")

    def part():
        return recurra.Sequential([recurra.Input((5, 4)), layers.LSTM(4, return_sequences=True, name="memory")])

    model = recurra.Sequential([recurra.Input((5, 4)), part(), part()])
    for write in (to_torch, lambda model: save_safetensors(model, tmp_path / "m.safetensors", names="torch")):
        with pytest.raises(ValueError, match="layers with different names, got two called 'memory': name the layers"):
            write(model)
    apart = recurra.Sequential([recurra.Input((5, 4)), *(layers.LSTM(4, return_sequences=True) for _ in range(2))])
    first, second = (layer.name for layer in apart.layers)
    state = to_torch(apart)
    from_torch(model, state)  # in order
    np.testing.assert_array_equal(model(x), apart(x))
    renamed = {name.replace(first, "memory"): array for name, array in state.items() if name.startswith(f"{first}.")}
    renamed |= {
        name.replace(second, "memory").replace("_l0", "_l1"): array
        for name, array in state.items()
        if name.startswith(f"{second}.")
    }
    model.set_weights([0 * array for array in model.get_weights()])
    from_torch(model, renamed)  # one module of two layers
    np.testing.assert_array_equal(model(x), apart(x))


def test_a_module_without_biases_is_told_how_to_be_taken():
    model = recurra.Sequential([recurra.Input((5, 4)), layers.LSTM(3, name="memory")])
    state = {name: array for name, array in to_torch(model).items() if "bias" not in name}
    with pytest.raises(FileFormatError, match="layer 'memory', got none: a module with bias=False is use_bias=False"):
        from_torch(model, state)


def test_a_pickled_file_and_other_things_are_no_state_dict(tmp_path):
    model = make("LSTM")
    safe = "a pickle is never read here: save it as safetensors from torch and use load_safetensors"
    for given in ("model.pt", tmp_path / "model.pt"):
        with pytest.raises(
            TypeError, match=f"from_torch expected a dict of arrays or tensors, got '.*model.pt': {safe}"
        ):
            from_torch(model, given)
    with pytest.raises(TypeError, match=r"from_torch expected a dict of arrays or tensors, got list$"):
        from_torch(model, [1.0])

    class Network:
        def state_dict(self):
            return {}

    with pytest.raises(TypeError, match=r"got Network: give its state_dict\(\)"):
        from_torch(model, Network())


def test_a_checkpoint_is_told_where_its_state_dict_is():
    model = make("LSTM")
    state = {"epoch": 3, "model_state_dict": to_torch(model), "optimizer_state_dict": {}}
    message = (
        "from_torch expected a dict of arrays or tensors, got dicts in 'model_state_dict', 'optimizer_state_dict': "
        "give the one of these that is the model's state_dict"
    )
    with pytest.raises(FileFormatError, match=message):
        from_torch(model, state)


@pytest.mark.parametrize(
    ("layer", "name", "shape", "wanted"),
    [
        (layers.Embedding(9, 4, name="part"), "weight", (10, 4), (9, 4)),
        (layers.Dense(2, name="part"), "weight", (2, 5), (2, 4)),
        (layers.GRU(2, name="part"), "weight_ih_l0", (6, 3), (6, 4)),
        (layers.LayerNormalization(name="part"), "bias", (3,), (4,)),
    ],
)
def test_shapes_are_told_as_torch_has_them_and_of_the_file(layer, name, shape, wanted, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="the interop extra is not installed")
    start = recurra.Input((6,), dtype="int32") if isinstance(layer, layers.Embedding) else recurra.Input((6, 4))
    model = recurra.Sequential([start, layer])
    state = to_torch(model) | {f"part.{name}": np.zeros(shape, "float32")}
    safetensors.save_file(state, tmp_path / "t.safetensors")
    message = f"expected {name.removesuffix('_l0')} for layer 'part' of shape {wanted}, got {shape}"
    for who, read in (
        ("from_torch", lambda: from_torch(model, state)),
        ("t.safetensors", lambda: load_safetensors(model, tmp_path / "t.safetensors")),
    ):
        with pytest.raises(FileFormatError, match=f"^{re.escape(f'{who} {message}')}$"):
            read()


def test_files_of_other_kinds_are_not_written_under_their_names(tmp_path):
    model = make("LSTM")
    for ending in (".keras", ".h5", ".weights.h5", ".safetensors", ".onnx"):
        path = tmp_path / f"model{ending}"
        for save, own in ((save_safetensors, ".safetensors"), (save_onnx, ".onnx")):
            if ending != own:
                what = f"{save.__name__} expected a filepath that ends in '{own}', got '.*{ending}'"
                with pytest.raises(ValueError, match=what):
                    save(model, path)
        assert not path.exists()
