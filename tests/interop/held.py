"""Models whose weights lie in a file at places of their own, of Keras and of recurra alike: `keras` is either."""


def holding(keras):
    """Returns the classes of a model and a layer that hold layers in lists, tuples and dicts."""
    layers = keras.layers

    class Holder(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.line, self.norms = [], []
            for _ in range(2):
                self.line.append(layers.Dense(units))
                self.norms.append(layers.LayerNormalization())
            self.by_name = {"a": layers.Dense(units)}
            self.nested = [[layers.Dense(units)], (layers.Dense(units), {"b": layers.Dense(units)})]

        def call(self, inputs):
            (first,), (second, named) = self.nested
            hidden = self.by_name["a"](inputs) + first(inputs) + second(inputs) + named["b"](inputs)
            for dense, norm in zip(self.line, self.norms, strict=True):
                inputs = norm(dense(inputs))
            return inputs + hidden

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Held(keras.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.steps = []
            self.memory = layers.LSTM(3)
            self.steps.append(layers.Dense(3))
            self.steps.append(layers.Dense(1))
            self.last = self.steps[-1]
            self.block = Holder(units)
            self._hidden = layers.Dense(3)

        def call(self, inputs):
            return self.last(self._hidden(self.steps[0](self.memory(self.block(inputs)))))

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return {"Holder": Holder, "Held": Held}


def sharing(keras):
    """Returns a model that shares a layer with a model within it."""
    layers = keras.layers
    shared, inputs, ids = layers.Dense(3), layers.Input((6, 3)), layers.Input((6, 3))
    inner = keras.Model(inputs, layers.LSTM(4, return_sequences=True)(shared(inputs)))
    return keras.Model(ids, layers.GRU(2)(inner(shared(ids))))


def twins(keras):
    """Returns a model whose outputs are two calls of a model within it, and what a Dense makes of both."""
    layers = keras.layers
    inputs, one, other = (layers.Input((5, 3)) for _ in range(3))
    inner = keras.Model(inputs, layers.LSTM(2)(inputs), name="inner")
    first, second = inner(one), inner(other)
    return keras.Model([one, other], [second, layers.Dense(1)(layers.Concatenate()([first, second])), first])
