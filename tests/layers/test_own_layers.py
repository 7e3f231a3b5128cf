"""Layers of the user's own: what they hold is theirs, however it came there."""

import re
from functools import partial

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


def test_trainable_weights_go_before_the_others():
    layer = layers.Layer()
    layer.calls, layer.factor = recurra.Variable(0, trainable=False), recurra.Variable(1.0)
    assert [variable.trainable for variable in layer.weights] == [True, False]


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


def test_a_weight_is_not_replaced_by_an_array(rng):
    layer = layers.Dense(2, name="end")
    layer.build((None, 3))
    for value in (np.zeros((3, 2), "float32"), None):
        message = r"layer 'end' expected its weight 'kernel' to stay a Variable, got \w+: write kernel.assign\(...\)"
        with pytest.raises(AttributeError, match=message):
            layer.kernel = value
    layer.kernel.assign(np.ones((3, 2)))
    assert layer(np.ones((1, 3))).tolist() == [[3, 3]]
    scale = Scale()
    scale.build((None, 3))
    scale.factor = recurra.Variable("zeros", shape=(3,))  # a Variable does
    scale.calls = None  # a list of them is the layer's own affair
    scale.note = recurra.Variable(1.0).numpy()
    scale.note = 2


def test_what_is_deleted_or_replaced_is_no_part_of_the_layer_any_more():
    layer = layers.Layer()
    layer.early = layer.add_weight((1,))
    layer.inner, layer.other = layers.Dense(2), layers.Dense(3)
    layer.seeds, layer.more = recurra.random.SeedGenerator(1), recurra.random.SeedGenerator(2)
    layer.inner.build((None, 2)), layer.other.build((None, 2))
    assert [variable.shape for variable in layer.variables] == [(1,), (2, 2), (2,), (2, 3), (3,), (2,), (2,)]
    before = recurra._changes.last
    del layer.inner
    assert recurra._changes.last > before  # native code may have been told of it
    assert [variable.shape for variable in layer.variables] == [(1,), (2, 3), (3,), (2,), (2,)]
    del layer.early
    layer.other = None
    assert not layer.weights
    assert not hasattr(layer, "early")
    del layer.seeds
    layer.more = None
    assert not layer.variables
    with pytest.raises(AttributeError, match="inner"):
        del layer.inner


def test_a_model_without_a_deleted_layer_trains_and_predicts():
    class Halves(recurra.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(2), layers.Dropout(0.5, seed=1)

        def call(self, x):
            return self.second(self.first(x)) if hasattr(self, "second") else self.first(x)

    model, x = Halves(), np.ones((2, 3), "float32")
    model(x, training=True)
    del model.second
    assert [layer.name for layer in model.layers] == [model.first.name]
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.first(x))


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


def own(forward, backward=None, **methods):
    """Returns a layer of a class of one's own with these methods."""
    if backward is not None:
        methods["backward"] = backward
    return type("Own", (layers.Layer,), {"forward": forward, **methods})(name="own")


def twice(dtype):
    return own(lambda self, x: (x.astype(dtype) * 2, None), lambda self, dy, cache: dy.astype(dtype) * 2)


def trained(rng, *line):
    """Returns the losses of two epochs of a model whose weights and data `rng` draws, it, and the data."""
    x = rng.normal(size=(16, 5, 3)).astype("float32")
    model = recurra.Sequential([recurra.Input((5, 3)), *line, layers.Dense(1)])
    model.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in model.weights])
    model.compile("sgd", "mse")
    return model.fit(x, x[:, 0, :1], epochs=2, shuffle=False, verbose=0).history["loss"], model, x


LINES = {
    "before a recurrent layer": lambda layer: [layer, layers.LSTM(3)],
    "after one": lambda layer: [layers.GRU(3), layer],
    "between two": lambda layer: [layers.SimpleRNN(3, return_sequences=True), layer, layers.LSTM(2)],
    "among others": lambda layer: [layers.Conv1D(3, 2), layers.LayerNormalization(), layer, layers.Flatten()],
    "over time": lambda layer: [
        layers.LSTM(2, return_sequences=True),
        layers.TimeDistributed(layer),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling1D(),
    ],
}


@pytest.mark.parametrize("place", LINES)
def test_what_a_layer_of_ones_own_gives_in_float64_is_brought_to_its_dtype(place):
    losses, model, x = trained(np.random.default_rng(0), *LINES[place](twice("float64")))
    again, other, _ = trained(np.random.default_rng(0), *LINES[place](twice("float32")))
    assert losses == again
    np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))
    assert model.predict(x, verbose=0).dtype == "float32"


def test_a_constant_of_numpy_does_not_make_a_layer_written_for_keras_another_dtype(rng):
    class Weigh(layers.Layer):
        def call(self, inputs):
            return inputs * np.array([1.0, 2.0, 3.0])

    x = rng.normal(size=(4, 5, 3)).astype("float32")
    assert Weigh()(x).dtype == "float32"
    for line in ([Weigh()], [Weigh(), layers.Flatten()], [Weigh(), layers.LSTM(2)], [Weigh(), layers.Conv1D(2, 2)]):
        assert recurra.Sequential([recurra.Input((5, 3)), *line]).predict(x, verbose=0).dtype == "float32"


def test_whole_numbers_and_truth_values_stay_until_a_layer_computes_with_them(rng):
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    best, positive = own(lambda self, x: (np.argmax(x, -1), None)), own(lambda self, x: (x > 0, None))
    start = recurra.Input((5, 3))
    assert recurra.Model(start, best(start)).predict(x, verbose=0).dtype.kind == "i"
    table = layers.Embedding(3, 2)
    rows = recurra.Model(start, table(best(start))).predict(x, verbose=0)
    np.testing.assert_array_equal(rows, table.embeddings.numpy()[x.argmax(-1)])
    for given in (best(start), positive(start), layers.Flatten()(positive(start))):
        assert recurra.Model(start, layers.Dense(2)(given)).predict(x, verbose=0).dtype == "float32"


def test_a_cell_of_ones_own_may_compute_in_float64(rng):
    class Cell(layers.Layer):
        state_size = 3

        def forward(self, inputs, states):
            new = (np.tanh(inputs) + states[0]) * np.full(3, 0.5)
            return (new, [new]), inputs

        def backward(self, doutputs, inputs):
            doutput, (dstate,) = doutputs
            dnew = (doutput + dstate) * np.full(3, 0.5)
            return dnew * (1 - np.tanh(inputs) ** 2), [dnew]

    for ends in ([layers.RNN(Cell())], [layers.RNN(Cell(), return_sequences=True), layers.LSTM(2)]):
        losses, model, x = trained(rng, layers.GRU(3, return_sequences=True), *ends)
        assert np.isfinite(losses).all() and model.predict(x, verbose=0).dtype == "float32"


class Twice:
    """Before a layer of recurra's in the bases: its outputs, times two, and their gradients."""

    def forward(self, inputs, initial_state=None):
        outputs, cache = super().forward(inputs, initial_state=initial_state)
        return 2 * outputs, cache

    def backward(self, doutputs, cache):
        return super().backward(2 * doutputs, cache)


class TwiceGRU(Twice, layers.GRU):
    pass


class TwiceRNN(Twice, layers.RNN):
    pass


class TwiceBoth(Twice, layers.Bidirectional):
    pass


class TwiceAttention(layers.MultiHeadAttention):
    def forward(self, inputs, value, key=None):
        outputs, cache = super().forward(inputs, value)
        return 2 * outputs, cache

    def backward(self, doutputs, cache):
        return super().backward(2 * doutputs, cache)


def weights_after(model, x, y):
    model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
    model.compile(recurra.optimizers.SGD(0.1), "mse")
    model.fit(x, y, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize(
    ("own", "plain"),
    [
        (lambda: TwiceGRU(2), lambda: layers.GRU(2)),
        (lambda: TwiceRNN(layers.LSTMCell(2)), lambda: layers.LSTM(2)),
        (lambda: TwiceBoth(layers.GRU(2)), lambda: layers.Bidirectional(layers.GRU(2))),
        (
            lambda: layers.Bidirectional(TwiceGRU(2), backward_layer=TwiceGRU(2, go_backwards=True)),
            lambda: layers.Bidirectional(layers.GRU(2)),
        ),
    ],
    ids=["GRU", "RNN", "Bidirectional", "within Bidirectional"],
)
def test_the_backward_of_a_subclass_counts_where_the_base_gives_several_gradients(own, plain, rng):
    x, y = rng.normal(size=(8, 5, 3)).astype("float32"), rng.normal(size=8).astype("float32")
    ends = (
        [own(), layers.Dense(1)],
        [plain(), layers.Rescaling(2.0), layers.Dense(1)],
    )
    ours, theirs = (
        weights_after(recurra.Sequential([recurra.Input((5, 3)), layers.Dense(3), *end]), x, y) for end in ends
    )
    for weight, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-5, atol=1e-7)


def test_the_backward_of_a_subclass_of_attention_counts(rng):
    x, y = rng.normal(size=(8, 5, 4)).astype("float32"), rng.normal(size=(8, 5, 4)).astype("float32")

    def trained(attention, *after):
        start = recurra.Input((5, 4))
        outputs = attention(start, start)
        for layer in after:
            outputs = layer(outputs)
        return weights_after(recurra.Model(start, outputs), x, y)

    ours = trained(TwiceAttention(2, 2))
    for weight, wanted in zip(ours, trained(layers.MultiHeadAttention(2, 2), layers.Rescaling(2.0)), strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-5, atol=1e-7)


def test_a_subclass_of_a_recurrent_layer_gives_the_gradients_of_its_states_by_name(rng):
    class TwiceByName(TwiceGRU):
        def backward_all(self, doutputs, cache, need_dx=True):
            return layers.GRU.backward_all(self, 2 * doutputs, cache, need_dx)

    x, y = rng.normal(size=(8, 5, 3)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")

    def trained(decoder, *after):
        start = recurra.Input((5, 3))
        outputs = decoder(start, initial_state=layers.GRU(2)(start))
        for layer in after:
            outputs = layer(outputs)
        return weights_after(recurra.Model(start, outputs), x, y)

    with pytest.raises(
        ValueError, match=r"no other tensors .*, got 'initial_state': write backward_all\(doutputs, cache"
    ):
        trained(TwiceGRU(2))
    for weight, wanted in zip(trained(TwiceByName(2)), trained(layers.GRU(2), layers.Rescaling(2.0)), strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("stacked", [False, True])
def test_a_cell_of_recurras_may_have_a_backward_of_its_own(stacked, rng):
    class Clipped(layers.GRUCell):
        """Clips the gradients of its states at each time step: here to nothing."""

        def backward(self, doutputs, cache):
            dinputs, dstates = super().backward(doutputs, cache)
            return dinputs, [np.clip(dstate, 0, 0) for dstate in dstates]

    cell = Clipped(2)
    model = recurra.Sequential(
        [recurra.Input((None, 3)), layers.RNN(layers.StackedRNNCells([cell]) if stacked else cell)]
    )
    x, y = rng.normal(size=(8, 5, 3)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")
    model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
    states = model.predict(x[:, :-1], verbose=0)
    start, state = recurra.Input((1, 3)), recurra.Input((2,))
    last_step = recurra.Model([start, state], layers.GRU(2)(start, initial_state=state))
    wanted = weights_after(last_step, [x[:, -1:], states], y)
    for weight, one in zip(weights_after(model, x, y), wanted, strict=True):
        np.testing.assert_allclose(weight, one, rtol=1e-5, atol=1e-7)


def steep(x):
    return np.tanh(x) * np.float64(2)


steep.gradient = lambda dy, x, y: dy * np.float64(2) * (1 - np.tanh(x) ** 2)


class Heavy(recurra.regularizers.Regularizer):
    def __call__(self, x):
        return 0.01 * float(np.sum(np.square(x)))

    def gradient(self, x):
        return 0.02 * np.asarray(x, "float64")


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Conv1D(3, 2, activation=steep),
        lambda: layers.Activation(steep),
        lambda: layers.LSTM(3, activation=steep, recurrent_activation=steep, return_sequences=True),
        lambda: layers.TimeDistributed(layers.Dense(3, steep)),
        lambda: layers.Dense(3, kernel_regularizer=Heavy(), activity_regularizer=Heavy()),
    ],
)
def test_functions_of_ones_own_may_give_float64(make, rng):
    between = [layers.Conv1D(3, 2), make(), layers.GRU(2)]
    losses, model, x = trained(rng, *between)
    assert np.isfinite(losses).all() and model.predict(x, verbose=0).dtype == "float32"


def test_forward_cannot_change_what_it_is_given():
    def forward(self, x):
        x *= 2
        return x, None

    def backward(self, dy, cache):
        dy *= 2
        return dy

    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 5, 3)).astype("float32")
    before = x.copy()
    layer = own(forward, backward)
    np.testing.assert_array_equal(layer(x), 2 * before)
    layer.forward(x)
    start = recurra.Input((5, 3))
    memory = layers.LSTM(3)(start)
    model = recurra.Model(start, layers.Dense(1)(layers.Concatenate()([own(forward, backward)(memory), memory])))
    whole = recurra.Sequential([recurra.Input((5, 3)), own(forward, backward), layers.LSTM(2), layers.Dense(1)])
    for one in (model, whole):
        one.compile("sgd", "mse")
        one.fit(x, x[:, 0, :1], shuffle=False, verbose=0)
        one.predict(x, verbose=0)
    np.testing.assert_array_equal(x, before)

    def write(self, x):
        x[:, 0] = 0
        return x, None

    with pytest.raises(ValueError, match="read-only"):
        own(write)(x)


def test_an_array_from_the_caller_goes_through_recurras_layers_within_ones_own(rng):
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Conv1D(4, 2), layers.LayerNormalization(), layers.Bidirectional(layers.GRU(2))]

        def forward(self, x):
            for part in self.parts:
                x = part(x)
            return x, None

    class More(layers.LSTM):
        def forward(self, inputs, **kwargs):
            return super().forward(inputs, **kwargs)

    x = rng.normal(size=(4, 5, 3)).astype("float32")
    assert Block()(x).shape == (4, 4)
    for layer in (Block(), More(4), layers.RNN(type("Cell", (layers.GRUCell,), {})(4))):
        assert recurra.Sequential([recurra.Input((5, 3)), layer]).predict(x, verbose=0).shape == (4, 4)
    ours = trained(np.random.default_rng(0), layers.LSTM(4))[0]
    assert trained(np.random.default_rng(0), More(4))[0] == pytest.approx(ours, rel=1e-6)


BROKEN = {
    "no cache": (
        lambda: own(lambda self, x: 2 * x)(np.ones((2, 3))),
        "forward of layer 'own' expected to return outputs and a cache, got Array: write return outputs, cache",
    ),
    "three things": (
        lambda: own(lambda self, x: (x, x, x))(np.ones((2, 3))),
        "expected to return outputs and a cache, got 3 of them",
    ),
    "lists": (
        lambda: own(lambda self, x: (x.tolist(), None))(recurra.Input((3,))),
        "forward of layer 'own' expected to return arrays, got nested lists: np.asarray",
    ),
    "lists backward": (
        lambda: trained(np.random, layers.GRU(2), own(lambda s, x: (x, 0), lambda s, dy, cache: dy.tolist())),
        "backward of layer 'own' expected to return arrays, got nested lists",
    ),
    "no gradient": (
        lambda: trained(np.random, layers.GRU(2), own(lambda s, x: (x, 0), lambda s, dy, cache: None)),
        "backward of layer 'own' expected to return the gradient of the inputs, got None: the layers before it train",
    ),
    "no gradient within another layer": (
        lambda: trained(
            np.random,
            layers.Conv1D(2, 2),
            layers.TimeDistributed(own(lambda s, x: (x, 0), lambda s, dy, cache: None)),
            layers.Flatten(),
        ),
        "expected to return the gradient of the inputs, got None",
    ),
    "another shape": (
        lambda: trained(np.random, layers.GRU(2), own(lambda s, x: (x, 0), lambda s, dy, cache: dy[:, :1])),
        "backward of layer 'own' expected to return a gradient of the inputs' shape (16, 2), got (16, 1)",
    ),
    "one gradient for two inputs": (
        lambda: both(own(lambda s, x: (x[0] + x[1], 0), lambda s, dy, cache: dy)),
        "backward of layer 'own' expected to return a gradient for each of its 2 inputs, got 1",
    ),
    "a tensor beside the inputs": (
        lambda: beside(own(lambda s, x, other: (x + other, 0), lambda s, dy, cache: dy)),
        "expected no other tensors to be trained than its inputs, got 'other': call the layer with all that it takes",
    ),
}


def both(layer):
    end_of(lambda start: layer([layers.Dense(2)(start), layers.Dense(2)(start)]))


def beside(layer):
    end_of(lambda start: layer(layers.Dense(2)(start), other=layers.Dense(2)(start)))


def end_of(build):
    start = recurra.Input((3,))
    model = recurra.Model(start, build(start))
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    return model


@pytest.mark.parametrize("name", BROKEN)
def test_a_layer_that_breaks_its_word_is_told_so(name):
    mistake, message = BROKEN[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        mistake()


def test_tensors_that_nothing_trains_may_lie_beside_the_inputs_of_a_layer_of_ones_own():
    layer = own(lambda self, x, other: (x + other, None), lambda self, dy, cache: dy)
    dense = partial(layers.Dense, 3, kernel_initializer="ones")
    model = end_of(lambda start: layer(dense()(start), other=start)[:, :2])
    wanted = end_of(lambda start: layers.Add()([dense()(start), start])[:, :2])
    for weight, same in zip(model.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    assert (model.get_weights()[0][:, :2] < 1).all()


def test_the_first_layer_owes_no_gradient():
    layer = own(lambda self, x: (2 * x, None), lambda self, dy, cache: None)
    assert np.isfinite(trained(np.random.default_rng(0), layer, layers.GRU(2))[0]).all()


def test_methods_of_a_mixin_are_guarded_as_those_of_the_class():
    class InFloat64:
        def forward(self, inputs):
            inputs += 1
            return inputs * np.ones(3), None

    class Called:
        def call(self, inputs):
            return inputs * 2

    class Mixed(InFloat64, layers.Layer):
        pass

    class MixedCall(Called, layers.Layer):
        pass

    x = np.zeros((2, 3), "float32")
    result = recurra.Sequential([recurra.Input((3,)), Mixed()]).predict(x, verbose=0)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.ones((2, 3)))
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_array_equal(MixedCall()(x + 1), np.full((2, 3), 2))


class Twice(recurra.regularizers.L2):
    def __call__(self, x):
        return 2 * super().__call__(x)


class TwiceToTrain(Twice):
    def gradient(self, x):
        return 2 * recurra.regularizers.L2.gradient(self, x)


@pytest.mark.parametrize("option", ["kernel_regularizer", "activity_regularizer"])
def test_a_penalty_of_ones_own_is_not_trained_by_the_gradient_of_its_base(option, rng):
    x, y = rng.random((6, 3)), rng.random((6, 2))

    def model_with(penalty):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2, **{option: penalty})])
        model.compile("sgd", "mse")
        return model

    doubled = recurra.regularizers.L2(0.02)
    wanted = model_with(doubled).evaluate(x, y, verbose=0)
    assert model_with(Twice(0.01)).evaluate(x, y, verbose=0) == pytest.approx(wanted)
    with pytest.raises(
        NotImplementedError, match=r"Twice expected a method gradient\(x\) to be used in training, got n"
    ):
        model_with(Twice(0.01)).fit(x, y, verbose=0)
    trained = [model_with(penalty) for penalty in (TwiceToTrain(0.01), doubled)]
    for model in trained:
        model.fit(x, y, verbose=0)
    np.testing.assert_allclose(trained[0].get_weights()[0], trained[1].get_weights()[0], rtol=1e-6)


def test_weights_of_layers_that_a_call_builds_lie_below_their_owners():
    class Inner(recurra.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.line = recurra.Sequential([layers.Dense(2, name="d")], name="s")

        def call(self, inputs):
            return self.line(inputs)

    class Outer(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Inner(name="in")

        def call(self, inputs):
            return self.inner(inputs)

    x = np.ones((2, 3), "float32")
    called, predicting = Outer(name="o"), Inner(name="p")
    called(x)
    predicting.predict(x, verbose=0)
    within = recurra.Sequential([recurra.Input((3,)), Outer(name="o")], name="m")
    assert [weight.path for weight in called.weights] == ["o/in/s/d/kernel", "o/in/s/d/bias"]
    assert [weight.path for weight in predicting.weights] == ["p/s/d/kernel", "p/s/d/bias"]
    assert [weight.path for weight in within.weights] == ["m/o/in/s/d/kernel", "m/o/in/s/d/bias"]


@pytest.mark.parametrize("base", [layers.Layer, recurra.Model])
def test_a_layer_written_for_keras_may_use_the_names_of_recurra_s_own(base, rng):
    class Directions(base):
        def __init__(self):
            super().__init__()
            self.forward = layers.LSTM(4)
            self.backward = layers.LSTM(4, go_backwards=True)

        def call(self, inputs):
            return self.forward(inputs) + self.backward(inputs)

    class Sublayers(base):
        def __init__(self):
            super().__init__()
            self.run, self.run_call, self.cast_inputs = layers.Dense(2), layers.Dense(2), layers.Dense(2)

        def forward(self, inputs):
            return self.run(inputs)

        def call(self, inputs):
            return self.forward(inputs) + self.run_call(inputs) + self.cast_inputs(inputs)

    class Methods(base):
        def run(self, times=1):
            return times

        run_call = cast_inputs = run

        def call(self, inputs):
            return inputs * self.run(3)

    x = rng.normal(size=(2, 5, 3)).astype("float32")
    both = Directions()
    model = recurra.Sequential([recurra.Input((5, 3)), both, layers.Dense(1)])
    np.testing.assert_array_equal(both(x), both.forward(x) + both.backward(x))
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.layers[1](both(x)))
    assert len(both.weights) == 6
    parts = Sublayers()
    result = recurra.Sequential([recurra.Input((5, 3)), parts]).predict(x, verbose=0)
    np.testing.assert_allclose(result, sum(part(x) for part in (parts.run, parts.run_call, parts.cast_inputs)), 1e-6)
    np.testing.assert_array_equal(recurra.Sequential([recurra.Input((5, 3)), Methods()]).predict(x, verbose=0), x * 3)
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match="Directions expected a method backward"):
        model.fit(x, x[:, 0, :1], verbose=0)


def test_a_cell_written_for_keras_may_hold_a_layer_called_forward(rng):
    class Sum(layers.Layer):
        state_size = 4

        def __init__(self):
            super().__init__()
            self.forward = layers.Dense(4)

        def call(self, inputs, states):
            new = self.forward(inputs) + states[0]
            return new, [new]

    x, cell = rng.normal(size=(2, 5, 3)).astype("float32"), Sum()
    result = layers.RNN(cell)(x)
    np.testing.assert_allclose(result, cell.forward(x).sum(axis=1), rtol=1e-5)


def test_a_sequential_may_have_a_method_called_run(rng):
    class Line(recurra.Sequential):
        def run(self, x):
            return self.predict(x, verbose=0)

    x, model = rng.normal(size=(2, 3)).astype("float32"), Line([recurra.Input((3,)), layers.Dense(1)])
    np.testing.assert_array_equal(model.run(x), model(x))


def test_layers_and_variables_count_when_they_come_into_a_list_or_dict(rng):
    class Line(layers.Layer):
        def __init__(self):
            super().__init__()
            self.denses, self.scales, self.by_name = [], [], {"first": []}
            self.last = layers.Dense(2, use_bias=False)
            for units in (4, 3):
                self.denses.append(layers.Dense(units, use_bias=False))
                self.scales.append(recurra.Variable(np.ones(units, "float32")))

        def build(self, shape):
            for dense in (*self.denses, self.last):
                dense.build(shape)
                shape = (*shape[:-1], dense.units)

        def forward(self, inputs):
            caches = []
            for dense in (*self.denses, self.last):
                inputs, cache = dense.forward(inputs)
                caches.append(cache)
            return inputs, caches

        def backward(self, doutputs, caches):
            for dense, cache in zip((self.last, *self.denses[::-1]), caches[::-1], strict=True):
                doutputs = dense.backward(doutputs, cache)
            return doutputs

    model = recurra.Sequential([recurra.Input((5,)), Line()])
    line = model.layers[0]
    assert [weight.shape for weight in model.weights] == [(4,), (3,), (3, 2), (5, 4), (4, 3)]  # `last` came first
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(rng.normal(size=(8, 5)), rng.normal(size=(8, 2)), verbose=0)
    assert [np.any(new != old) for new, old in zip(model.get_weights(), before, strict=True)] == [False] * 2 + [
        True
    ] * 3
    line.by_name["first"].append(({"deep": layers.Dense(1)},))
    line.by_name["first"].append(line.by_name)  # a ring
    model.trainable = False
    assert line._sublayers() == [line.last, *line.denses, line.by_name["first"][0][0]["deep"]]
    assert not line._sublayers()[-1].trainable
    del line.denses[0]
    assert [weight.shape for weight in model.weights] == [(4,), (3,), (3, 2), (4, 3)]


class Look(layers.Layer):
    """Attention as tutorials write it: of two arguments, with layers that its calls build."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.of_values, self.of_query, self.score = layers.Dense(5), layers.Dense(5), layers.Dense(1)

    def call(self, values, query):
        score = self.score(np.tanh(self.of_values(values) + self.of_query(query)[:, None]))
        weights = layers.Softmax(axis=1)(score)
        return (weights * values).sum(axis=1), weights


def test_a_layer_of_two_arguments_tells_the_shapes_that_it_gives(rng, tmp_path):
    def dot(self, values, query):
        return np.einsum("nth,nh->nt", values, query)

    values, query = recurra.Input((None, 4)), recurra.Input((4,))
    by_call = type("Score", (layers.Layer,), {"call": dot})()
    by_forward = own(lambda self, values, query: (dot(self, values, query), None))
    for tensor in (by_call(values, query), by_forward(values, query), by_forward(values, query=query)):
        assert tensor.shape == (None, None)
    context, weights = Look()(values, query)
    assert context.shape == (None, 4) and weights.shape == (None, None, 1)
    model = recurra.Model([values, query], layers.Dense(1)(context))
    assert model.compute_output_shape([(7, 6, 4), (7, 4)]) == (7, 1)  # the second argument too has seven rows
    x = [rng.normal(size=(7, 6, 4)).astype("float32"), rng.normal(size=(7, 4)).astype("float32")]
    model.save(tmp_path / "look.keras")
    again = recurra.models.load_model(tmp_path / "look.keras", custom_objects={"Look": Look})
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_shape_of_a_layer_of_two_arguments_is_not_guessed_from_the_first():
    message = "Look expected a method compute_output_shape, as it takes more than the inputs, got none"
    with pytest.raises(NotImplementedError, match=message):
        Look().compute_output_shape((None, 6, 4))

    class Decoder(recurra.Model):
        def __init__(self):
            super().__init__()
            self.look = Look(name="look")

        def call(self, inputs):
            return self.look(inputs, inputs[:, 0])[0]

    decoder, lines = Decoder(), []
    decoder.predict(np.ones((2, 6, 4)), verbose=0)
    decoder.summary(print_fn=lines.append)
    assert any("look (Look)" in line and "?" in line for line in "".join(lines).splitlines())


class Weighted(layers.Layer):
    def call(self, query, values, inputs=None):
        return query + 2 * values if inputs is None else query + values * inputs


class Headed(recurra.Model):
    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1, kernel_initializer="ones")

    def call(self, x, state=None):
        return self.head(x)


def test_inputs_may_be_given_by_the_name_that_call_has_for_them(rng):
    x, y = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    assert np.array_equal(Weighted()(values=y, query=x), x + 2 * y)
    assert np.array_equal(Weighted()(inputs=y, values=y, query=x), x + y * y)
    assert np.array_equal(Headed()(x=x), Headed()(x))
    assert np.array_equal(Headed()(inputs=x), Headed()(x))
    assert np.array_equal(layers.RMSNormalization()(x=x), layers.RMSNormalization()(x))
    for layer in (layers.LSTM(2), layers.Bidirectional(layers.GRU(2)), layers.RNN(layers.LSTMCell(2))):
        assert np.array_equal(layer(sequences=x), layer(x)) and np.array_equal(layer(inputs=x), layer(x))
        assert np.array_equal(layer.call(sequences=x), layer(x))
    cell = layers.SimpleRNNCell(2)
    assert np.array_equal(cell(sequence=x[:, 0], states=[np.ones((3, 2))])[0], cell(x[:, 0], [np.ones((3, 2))])[0])


def test_symbolic_inputs_may_be_given_by_name_too(rng):
    x, y = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    query, values = recurra.Input((4, 2)), recurra.Input((4, 2))
    lstm = layers.LSTM(2)
    model = recurra.Model([query, values], lstm(sequences=Weighted()(values=values, query=query)))
    assert np.array_equal(model([x, y]), lstm(x + 2 * y))
    assert Headed()(x=query).shape == (None, 4, 1)


def test_shapes_may_be_given_by_the_names_that_methods_have_for_them():
    class Built(layers.Layer):
        def build(self, query_shape, values_shape=None):
            self.seen = query_shape, values_shape

    layer = Built()
    layer.build(values_shape=(2, 5), query_shape=[2, 3])
    assert layer.seen == ((2, 3), (2, 5)) and layer.built and layer.get_build_config() == {"input_shape": (2, 3)}
    for recurrent in (layers.LSTM(2), layers.Bidirectional(layers.LSTM(1))):
        recurrent.build(sequences_shape=(None, 4, 3))
        assert recurrent.built and recurrent.compute_output_shape(sequences_shape=(None, 4, 3)) == (None, 2)
    dense = layers.Dense(2)
    dense.build(input_shape=(None, 3))
    assert dense.kernel.shape == (3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: layers.LSTM(2)(), r"LSTM.__call__\(\) missing 1 required positional argument: 'sequences'"),
        (lambda x: Weighted()(values=x), r"Weighted.__call__\(\) missing 1 required positional argument: 'query'"),
        (lambda x: Headed()(state=x), r"Headed.__call__\(\) missing 1 required positional argument: 'x'"),
        (lambda x: layers.Dense(2)(training=True), r"Dense.__call__\(\) missing .* 'inputs'"),
        (lambda x: Weighted()(x, query=x), r"Weighted.__call__\(\) got multiple values for argument 'query'"),
        (lambda x: layers.Dense(2)(x, inputs=x), r"Dense.__call__\(\) got multiple values for argument 'inputs'"),
    ],
)
def test_calls_without_inputs_and_with_them_twice_say_so(call, message):
    with pytest.raises(TypeError, match=message):
        call(np.ones((2, 3), np.float32))


class MaskedMean(layers.Layer):
    def call(self, inputs, mask=None):
        counts = mask[:, :, None].astype("float32")
        return (inputs * counts).sum(axis=1) / counts.sum(axis=1)


class TrainedMean(layers.Layer):
    def forward(self, inputs, mask):
        shares = mask[:, :, None] / mask.sum(axis=1)[:, None, None]
        return (inputs * shares).sum(axis=1), shares

    def backward(self, doutputs, shares):
        return doutputs[:, None] * shares


class Silenced(layers.Layer):
    supports_masking = True

    def call(self, inputs, mask=None):
        return inputs * mask[..., None]


class WithoutFirst(layers.Layer):
    def call(self, inputs, mask=None):
        return inputs[:, 1:] * mask[:, 1:, None]

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask[:, 1:]


class Both(layers.Layer):
    def call(self, query, value, query_mask=None, value_mask=None):
        return query * query_mask[..., None] + value * value_mask[..., None]


TOKENS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
ignores_the_lost_mask = pytest.mark.filterwarnings("ignore:Layer '.*' .* does not support masking")


@ignores_the_lost_mask
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda: [MaskedMean()], 0),
        (lambda: [TrainedMean()], 0),
        (lambda: [Silenced(), MaskedMean()], 0),
        (lambda: [WithoutFirst(), MaskedMean()], 1),
        (lambda: [layers.TimeDistributed(layers.Dense(4, kernel_initializer="identity")), MaskedMean()], 0),
    ],
)
@pytest.mark.parametrize("length", [5, None])
def test_a_layer_that_cannot_do_without_a_mask_gets_that_of_its_input(make, first, length):
    embedding, parts = layers.Embedding(6, 4, mask_zero=True), make()
    line = recurra.Sequential([recurra.Input((length,)), embedding, *parts])
    tensor = start = recurra.Input((length,))
    for layer in [embedding, *parts]:
        tensor = layer(tensor)
    wanted = [embedding.weights[0].value[row[row > 0][first:]].mean(axis=0) for row in TOKENS]
    for model in (line, recurra.Model(start, tensor)):
        assert model.output_shape == (None, 4)
        np.testing.assert_allclose(model.predict(TOKENS, verbose=0), wanted, rtol=1e-6)


@ignores_the_lost_mask
def test_a_layer_that_cannot_do_without_a_mask_is_trained_and_saved(tmp_path):
    line = recurra.Sequential([layers.Embedding(6, 4, mask_zero=True), layers.GRU(3, return_sequences=True)])
    model = recurra.Sequential([recurra.Input((None,)), line, TrainedMean(), layers.Dense(1)])
    model.compile(recurra.optimizers.Adam(0.1), "mse")
    model.fit(TOKENS, np.array([[1.0], [-1.0]]), epochs=60, verbose=0)
    assert model.evaluate(TOKENS, np.array([[1.0], [-1.0]]), verbose=0) < 1e-2
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras", custom_objects={"TrainedMean": TrainedMean})
    np.testing.assert_array_equal(again.predict(TOKENS, verbose=0), model.predict(TOKENS, verbose=0))


@ignores_the_lost_mask
def test_several_tensors_bring_their_masks_under_their_names():
    start = recurra.Input((5,))
    ones = layers.Embedding(6, 2, "ones", mask_zero=True)
    tensor = ones(start)
    wanted = np.repeat(2.0 * (TOKENS != 0)[..., None], 2, axis=-1)
    for outputs in (Both()(tensor, tensor), Both()(tensor, value=tensor)):
        np.testing.assert_array_equal(recurra.Model(start, outputs).predict(TOKENS, verbose=0), wanted)
    np.testing.assert_array_equal(Both()(ones(TOKENS), ones(TOKENS)), wanted)
    given = Both()(ones(TOKENS), ones(TOKENS), value_mask=np.zeros((2, 5)))  # the caller's goes before
    np.testing.assert_array_equal(given, wanted / 2)
    np.testing.assert_array_equal(Both()(ones(TOKENS), ones(TOKENS), value_mask=None), wanted)


class Several(layers.Layer):
    def call(self, query, values, query_mask=None, values_mask=None):
        return query * query_mask[..., None] + values[1] * values_mask[1][..., None]


@ignores_the_lost_mask
def test_tensors_in_lists_bring_their_masks_too():
    start = recurra.Input((5,))
    ones = layers.Embedding(6, 2, "ones", mask_zero=True)
    tensor, given = ones(start), ones(TOKENS)
    wanted = np.repeat(2.0 * (TOKENS != 0)[..., None], 2, axis=-1)
    model = recurra.Model(start, Several()(tensor, [tensor, tensor]))
    np.testing.assert_array_equal(model.predict(TOKENS, verbose=0), wanted)
    np.testing.assert_array_equal(Several()(given, [given, given]), wanted)


def test_what_fails_with_a_mask_too_is_told():
    class Wrong(layers.Layer):
        def call(self, inputs, mask=None):
            return inputs.nothing

    with pytest.raises(AttributeError, match="nothing"):
        Wrong()(recurra.Input((5, 4)))


class NormalizedCell(layers.Layer):
    """A cell of layers, as books write it: they are built when it runs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.cell = layers.SimpleRNNCell(units, activation=None)
        self.norm = layers.LayerNormalization()

    def call(self, inputs, states):
        output, _ = self.cell(inputs, states)
        output = np.tanh(self.norm(output))
        return output, [output]


@pytest.mark.parametrize(
    "around",
    [
        layers.RNN,
        lambda cell: layers.RNN([cell, layers.GRUCell(2)]),
        lambda cell: layers.Bidirectional(layers.RNN(cell)),
    ],
)
def test_layers_that_a_cell_calls_belong_to_the_model_before_it_runs(around, rng, tmp_path):
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    model = recurra.Sequential([recurra.Input((5, 3)), around(NormalizedCell(6)), layers.Dense(1)])
    shapes = [variable.shape for variable in model.weights]
    assert shapes[:5] == [(3, 6), (6, 6), (6,), (6,), (6,)]
    assert "normalized_cell" in model.weights[0].path or "stacked_rnn_cells" in model.weights[0].path
    model.predict(x, verbose=0)
    assert [variable.shape for variable in model.weights] == shapes
    model.save(tmp_path / "cell.keras")
    loaded = recurra.models.load_model(tmp_path / "cell.keras", custom_objects={"NormalizedCell": NormalizedCell})
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(NotImplementedError, match="NormalizedCell expected a method backward"):
        model.fit(x, np.ones(4), verbose=0)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
