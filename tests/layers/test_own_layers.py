"""Layers of the user's own: what they hold is theirs, however it came there."""

import numpy as np
import pytest

import recurra
from recurra import layers


class Scale(layers.Layer):
    def build(self, input_shape):
        self.factor = recurra.Variable("ones", shape=input_shape[-1:], name="factor")
        self.calls = [recurra.Variable(0, trainable=False, name="calls")]

    def forward(self, inputs):
        self.calls[0].assign_add(1)
        return inputs * self.factor.value, inputs

    def backward(self, doutputs, inputs):
        if self.factor.grad is not None:
            self.factor.grad[...] += (doutputs * inputs).sum(axis=0)
        return doutputs * self.factor.value


def test_variables_that_a_layer_is_given_are_its_weights(rng, tmp_path):
    x = rng.normal(size=(16, 3)).astype("float32")
    y = x @ np.array([1, 2, 3], "float32")
    model = recurra.Sequential([recurra.Input((3,)), Scale(), layers.Dense(1, kernel_initializer="ones")])
    layer = model.layers[0]
    assert [variable.name for variable in layer.trainable_weights] == ["factor"]
    assert [variable.name for variable in layer.non_trainable_weights] == ["calls"]
    layer.factor = layer.factor  # is held once
    assert len(model.weights) == 4
    model.compile(recurra.optimizers.Adam(0.1), "mse")
    model.fit(x, y, epochs=200, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 1e-6
    model.save_weights(tmp_path / "scale.weights.h5")
    again = recurra.Sequential([recurra.Input((3,)), Scale(), layers.Dense(1)])
    again.load_weights(tmp_path / "scale.weights.h5")
    for own, saved in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, saved)


def test_layers_that_are_set_before_the_constructor_of_the_base_count_too(rng):
    class Early(recurra.Model):
        def __init__(self):
            self.memory = layers.LSTM(4)
            self.ends = [layers.Dense(3), layers.Dense(1)]
            super().__init__()

        def call(self, inputs):
            return self.ends[1](self.ends[0](self.memory(inputs)))

    model = Early()
    assert model.predict(rng.normal(size=(2, 5, 3)), verbose=0).shape == (2, 1)
    assert [weight.shape for weight in model.weights] == [(3, 16), (4, 16), (16,), (4, 3), (3,), (3, 1), (1,)]


def test_a_model_takes_training_as_its_second_argument():
    model = recurra.Sequential([recurra.Input((50,)), layers.Dropout(0.5)])
    x = np.ones((1, 50), "float32")
    assert set(model(x, True).ravel().tolist()) == {0, 2}
    assert set(model(x, False).ravel().tolist()) == {1}
    steps = layers.TimeDistributed(layers.Dropout(0.5))
    assert set(steps(x[..., None], True).ravel().tolist()) == {0, 2}


def test_a_variable_begins_with_an_array_or_with_what_an_initializer_makes():
    made = recurra.Variable("ones", shape=(2, 3), dtype="float64")
    assert made.dtype == "float64" and made.numpy().tolist() == [[1, 1, 1], [1, 1, 1]]
    assert recurra.Variable(recurra.initializers.Constant(7), 2).numpy().tolist() == [7, 7]
    assert [recurra.Variable(value).dtype for value in (1.5, [1, 2], np.arange(2.0))] == ["float32", "int32", "float64"]
    assert (recurra.Variable(0.5) * np.ones(2, "float32")).dtype == "float32"


def test_a_layer_may_say_that_it_does_its_casts_itself():
    class Own(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(autocast=False, **kwargs)

    assert Own(name="own").get_config().keys() == {"name", "trainable", "dtype"}
    assert "autocast" not in layers.LSTM(3, autocast=False).get_config()


def test_a_weight_may_be_one_number_or_a_row():
    layer = layers.Layer()
    shapes = [layer.add_weight(shape).shape for shape in (None, (), 3, np.int64(3), [2, 3])]
    assert shapes == [(), (), (3,), (3,), (2, 3)]


def test_a_config_without_an_argument_says_what_to_do():
    class Renamed(layers.Layer):
        def __init__(self, factor, bias=0.0, **kwargs):
            super().__init__(**kwargs)
            self.scale, self.bias = factor, bias

    with pytest.raises(NotImplementedError, match=r"Renamed expected a method get_config.*got \['factor'\]: give it"):
        Renamed(2.0).get_config()


@pytest.mark.parametrize(
    "initializer",
    [
        lambda shape, dtype=None: np.full(shape, 0.5),
        lambda shape, dtype=None: np.full(shape, 0.5).tolist(),
        lambda shape, dtype=None: np.full(shape, 2),
        lambda shape, dtype=None: recurra.layers.Layer().add_weight(shape, "ones"),
    ],
    ids=["float64", "lists", "ints", "variable"],
)
def test_an_initializer_of_ones_own_may_give_any_numbers(initializer, rng):
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    line = [layers.GRU(3, kernel_initializer=initializer, bias_initializer=initializer), layers.Dense(1)]
    model = recurra.Sequential([recurra.Input((5, 3)), *line])
    assert {weight.dtype for weight in model.weights} == {"float32"}
    model.compile("adam", "mse")
    model.fit(x, x[:, 0, :1], verbose=0)
    assert layers.Layer(dtype="float64").add_weight((2,), initializer).dtype == "float64"
    assert recurra.Variable(initializer, (2,)).dtype == "float32"


def test_the_array_of_an_initializer_stays_the_callers():
    given = np.ones((3, 1), "float32")
    layer = layers.Dense(1, kernel_initializer=lambda shape, dtype=None: given)
    layer.build((None, 3))
    layer.kernel.assign(layer.kernel * 2)
    assert given.tolist() == [[1], [1], [1]]


def test_an_initializer_of_ones_own_that_gives_another_shape_is_named():
    message = r"weight 'kernel' of layer 'end' expected shape \(3, 2\), got \(2, 3\): its initializer returns"
    with pytest.raises(ValueError, match=message):
        layers.Dense(2, kernel_initializer=lambda shape, dtype=None: np.ones(shape[::-1]), name="end")(np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"weight 'bias' of layer 'end' expected numbers, got None"):
        layers.Dense(2, bias_initializer=lambda shape, dtype=None: None, name="end")(np.ones((1, 3)))
