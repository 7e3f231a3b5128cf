"""`x + y` and the like in files of Keras: operations there, layers without masks here."""

import json

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.layers import arithmetic

CASES = {
    "Add": lambda x, y: x + y,
    "Subtract": lambda x, y: x - y,
    "Multiply": lambda x, y: x * y,
    "TrueDivide": lambda x, y: x / y,
}


def tensor(name, shape, dtype="float64"):
    config = {"shape": [None, *shape], "dtype": dtype, "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def model_of(kind, *operands, shapes=((5, 2), (5, 2)), dtype="float64"):
    """Returns a model of one operation on its inputs `a` and `b`, from a config as Keras writes it."""
    ends = [recurra.Input(shape, name=name, dtype=dtype) for name, shape in zip("ab", shapes, strict=False)]
    config = recurra.Model(ends, [layers.Identity(dtype=dtype)(end) for end in ends]).get_config()
    operation = {"module": "keras.src.ops.numpy", "class_name": kind, "registered_name": kind, "name": "it"}
    call = {"args": [tensor(one, shapes["ab".index(one)], dtype) if one in ("a", "b") else one for one in operands]}
    operation |= {"config": {"name": "it"}, "inbound_nodes": [call | {"kwargs": {}}]}
    config["layers"][len(ends) :] = [operation]
    return recurra.Model.from_config(config | {"output_layers": [["it", 0, 0]]})


def gradients_of(model, arrays, cotangent):
    _, cache, _ = model._run_layer(arrays, None, False, {})
    found = model.backward_all(cotangent, cache)[0]
    return found[0] if len(model.inputs) == 1 else found


@pytest.mark.parametrize("shapes", [((5, 2), (5, 2)), ((5, 2), (1, 2)), ((5, 1), (2,))])
@pytest.mark.parametrize("kind", CASES)
def test_two_tensors(kind, shapes, rng, slopes):
    model = model_of(kind, "a", "b", shapes=shapes)
    a, b = (rng.uniform(0.5, 2, (1 if len(shape) == 1 else 3, *shape)) for shape in shapes)
    wanted = CASES[kind](a, b)
    np.testing.assert_array_equal(model.predict([a, b], verbose=0) if len(a) == len(b) else model([a, b]), wanted)
    assert model.output_shape == (None, *wanted.shape[1:])
    dy = rng.standard_normal(wanted.shape)
    da, db = gradients_of(model, [a, b], dy)
    for gradient, array in ((da, a), (db, b)):
        numeric = slopes(lambda: (CASES[kind](a, b) * dy).sum(), array)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("operands", [("a", 3), (2.5, "a"), ("a", "a")])
def test_a_tensor_and_a_number_or_itself(kind, operands, rng, slopes):
    model = model_of(kind, *operands, shapes=((5, 2),))
    a = rng.uniform(0.5, 2, (3, 5, 2))

    def function(x):
        return CASES[kind](*(x if one == "a" else one for one in operands))

    np.testing.assert_array_equal(model.predict(a, verbose=0), function(a))
    dy = rng.standard_normal(a.shape)
    numeric = slopes(lambda: (function(a) * dy).sum(), a)
    np.testing.assert_allclose(gradients_of(model, a, dy), numeric, rtol=1e-6, atol=1e-8)


def test_a_minus(rng):
    model, a = model_of("Negative", "a", shapes=((5, 2),)), rng.standard_normal((3, 5, 2))
    np.testing.assert_array_equal(model.predict(a, verbose=0), -a)
    np.testing.assert_array_equal(gradients_of(model, a, a), -a)


def test_a_config_goes_out_as_it_came_in(tmp_path, rng):
    model = model_of("Subtract", 1, "b", dtype="float32")
    entry = next(one for one in model.get_config()["layers"] if one["name"] == "it")
    assert json.loads(json.dumps(entry)) == {
        "module": "keras.src.ops.numpy",
        "class_name": "Subtract",
        "config": {"name": "it"},
        "registered_name": "Subtract",
        "name": "it",
        "inbound_nodes": [{"args": [1, tensor("b", (5, 2), "float32")], "kwargs": {}}],
    }
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    arrays = [rng.standard_normal((3, 5, 2)).astype("float32") for _ in range(2)]
    np.testing.assert_array_equal(again.predict(arrays, verbose=0), 1 - arrays[1])


def test_masks_end_at_an_operation_but_not_at_the_layer():
    end = recurra.Input((5, 2), name="a")
    config = recurra.Model(end, layers.GRU(2, name="last")(layers.Masking(name="masked")(end))).get_config()
    call = {"args": [tensor("masked", (5, 2), "float32"), 0.0], "kwargs": {}}
    operation = {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {"name": "it"}, "name": "it"}
    config["layers"].insert(2, operation | {"inbound_nodes": [call]})
    config["layers"][-1]["inbound_nodes"][0]["args"] = [tensor("it", (5, 2), "float32")]
    model = recurra.Model.from_config(config)
    x = np.ones((1, 5, 2), "float32")
    x[:, 3:] = 0
    gru = model.get_layer("last")
    np.testing.assert_array_equal(model(x), gru(x))
    assert np.any(gru(x).numpy() != gru(layers.Masking()(x)).numpy())


@pytest.mark.parametrize(
    ("kind", "operands", "message"),
    [
        ("Add", ("a",), "Add expected 2 operands"),
        ("Add", ("a", None, "b"), "Add expected 2 operands"),
        ("Add", ("a", {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}), "2 operands"),
        ("Multiply", ("a", True), "tensors and numbers, one a tensor at least"),
        ("Multiply", (2.0, 3.0), "Multiply 'it' expected one call with tensors and numbers"),
    ],
)
def test_other_operands_are_refused(kind, operands, message):
    with pytest.raises(ValueError, match=message):
        model_of(kind, *operands)


def test_operations_of_a_model_in_float64_stay_in_float64(tmp_path, rng):
    start = recurra.Input((5, 2), dtype="float64")
    minus = arithmetic.Subtract([1, None], dtype="float64")
    model = recurra.Model(start, minus(start[:, -1, :]))
    model.save(tmp_path / "m.keras")
    x = rng.standard_normal((3, 5, 2))
    for other in (recurra.models.load_model(tmp_path / "m.keras"), recurra.models.clone_model(model)):
        np.testing.assert_array_equal(other.predict(x, verbose=0), 1 - x[:, -1])
