"""clone_model: new weights, other inputs, other layers."""

import numpy as np
import pytest

import recurra
from recurra import Input, Sequential, layers
from recurra.models import clone_model


def functional():
    x = Input((4, 2), name="x")
    inner = Sequential([Input((3,)), layers.Dense(3, name="inside")], name="inner")
    return recurra.Model(x, layers.Dense(1, name="head")(inner(layers.GRU(3, name="gru")(x))))


def test_clone_has_the_same_numbers_after_its_weights_are_set():
    model = functional()
    model.compile("adam", "mse")
    copy = clone_model(model)
    assert copy.compiled
    assert not np.array_equal(copy.get_weights()[0], model.get_weights()[0])
    copy.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("recursive", [False, True])
def test_clone_function_makes_the_layers(recursive):
    seen = []

    def linear(layer):
        seen.append(layer.name)
        config = layer.get_config()
        if isinstance(layer, layers.Dense):
            config["activation"] = "relu"
        return type(layer).from_config(config)

    copy = clone_model(functional(), clone_function=linear, recursive=recursive)
    assert seen == (["gru", "inside", "head"] if recursive else ["gru", "inner", "head"])
    assert copy.get_layer("head").get_config()["activation"] == "relu"


def test_input_tensors_become_the_inputs():
    for model in (functional(), Sequential([layers.GRU(3, name="gru"), layers.Dense(1)])):
        start = Input((7, 2))
        copy = clone_model(model, input_tensors=start)
        assert copy.inputs[0] is start
        assert copy.output_shape == (None, 1)


def test_arrays_are_no_input_tensors():
    with pytest.raises(ValueError, match="symbolic input_tensors"):
        clone_model(functional(), input_tensors=np.ones((2, 4, 2)))


class ScaleCell(layers.Layer):
    """A cell as Keras has it: `call`, no gradients."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), "ones", name="kernel")

    def call(self, inputs, states):
        output = inputs @ self.kernel + 0.5 * states[0]
        return output, [output]


def test_a_keras_layer_with_call_predicts_and_says_that_it_cannot_train():
    model = Sequential([Input((3, 1)), layers.RNN(ScaleCell(1))])
    x = np.ones((1, 3, 1), "float32")
    assert model.predict(x, verbose=0) == pytest.approx(1.75)
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match="backward"):
        model.fit(x, x[:, 0], verbose=0)


def test_a_class_this_program_serialized_is_known_to_it_but_not_to_files(tmp_path):
    model = Sequential([Input((3, 1)), layers.RNN(ScaleCell(1))])
    assert isinstance(clone_model(model).layers[0].cell, ScaleCell)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="ScaleCell"):
        recurra.models.load_model(tmp_path / "model.keras")
    loaded = recurra.models.load_model(tmp_path / "model.keras", custom_objects={"ScaleCell": ScaleCell})
    assert isinstance(loaded.layers[0].cell, ScaleCell)


def test_classes_that_make_their_own_graph_are_cloned_without_them():
    class Graph(recurra.Model):
        def __init__(self, units=3):
            end = recurra.Input((5, 2))
            super().__init__(end, layers.Dense(1)(layers.GRU(units)(end)))

    class Line(recurra.Sequential):
        def __init__(self, units=3):
            super().__init__([recurra.Input((5, 2)), layers.GRU(units), layers.Dense(1)])

    class Told(Graph):
        def __init__(self, units=3):
            super().__init__(units)
            self.units = units

        def get_config(self):
            return {"units": self.units}

    class Usual(recurra.Sequential):
        pass

    for model in (Graph(4), Line(4), Told(4), Usual([recurra.Input((5, 2)), layers.GRU(4), layers.Dense(1)])):
        copy = recurra.models.clone_model(model)
        assert isinstance(copy, type(model)) is isinstance(model, (Told, Usual))
        assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]
        assert not set(map(id, copy.weights)) & set(map(id, model.weights))
