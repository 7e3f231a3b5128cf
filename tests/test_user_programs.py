"""Programs as users write them, with types: they run, and `make lint` checks that they need no `type: ignore`.

The ignores that are here stand at misspelt names: mypy reports one that is not needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import recurra
import recurra as keras
import recurra.compat.tensorflow as tf
from recurra import (
    Forecaster,
    Input,
    Model,
    Sequential,
    callbacks,
    forecast,
    interop,
    layers,
    losses,
    models,
    optimizers,
)
from recurra.callbacks import EarlyStopping, ModelCheckpoint
from recurra.compat.tensorflow.keras.activations import relu
from recurra.compat.tensorflow.keras.callbacks import CSVLogger
from recurra.compat.tensorflow.keras.layers import LSTM, Dense
from recurra.compat.tensorflow.keras.models import load_model
from recurra.compat.tensorflow.keras.optimizers.schedules import ExponentialDecay

Floats = npt.NDArray[np.float32]
CO2 = Path(__file__).parents[1] / "examples" / "data" / "co2-monthly.csv"


def data() -> tuple[Floats, Floats]:
    x = np.random.default_rng(0).normal(size=(16, 5, 3)).astype("float32")
    return x, x.mean(axis=(1, 2))


def test_train_save_and_serve(tmp_path: Path) -> None:
    x, y = data()
    model = Sequential([Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.GRU(3), layers.Dense(1)])
    rmse = keras.metrics.RootMeanSquaredError()
    model.compile(optimizers.Adam(1e-3), losses.MeanSquaredError(), metrics=["mae", rmse])
    saver = ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)
    shown: list[float] = []
    teller = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: shown.append(epoch + logs["loss"]))
    stop = EarlyStopping(patience=3)
    history = model.fit(x, y, epochs=2, validation_split=0.25, callbacks=[stop, saver, teller], verbose=0)
    first: float = history.history["loss"][0]
    assert shown[0] == first and model.history is history
    loss, _mae, _rmse = model.evaluate(x, y, verbose=0)
    assert loss == model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    again = models.load_model(tmp_path / "best.keras")
    assert again.layers[0].units == again.get_layer(index=0).units == 4
    assert again.outputs[0].shape == again.output_shape == (None, 1)
    assert again.predict(x, verbose=0).ravel()[0] == again(x).numpy()[0, 0]
    assert models.load_model(tmp_path / "best.keras").stream().step(x[0, 0]).shape == (1,)
    weights = model.get_weights()
    model.set_weights([weight * 0.5 for weight in weights])
    model.add(layers.Dense(2))
    assert model.pop().count_params() == 4


def test_a_graph() -> None:
    past, month = Input((5, 3), name="past"), keras.Input(shape=(12,), name="month")
    sequence, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(past)
    decoded = layers.LSTM(4)(sequence, initial_state=[h, c])
    merged = layers.Concatenate()([layers.Bidirectional(layers.LSTM(2))(past), month, 2 * decoded])
    model = Model([past, month], layers.Dense(1)(merged), name="both")
    model.compile("adam", loss="mse")
    x, y = data()
    model.fit({"past": x, "month": np.zeros((16, 12))}, y, sample_weight=np.ones(16), class_weight=None, verbose=0)
    logs = model.train_on_batch([x, np.zeros((16, 12))], y, return_dict=True)
    assert logs["loss"] >= 0
    assert [tensor.name for tensor in model.inputs] == ["past", "month"]
    one_layer = Sequential([Input((5, 3)), layers.LSTM(4, name="memory")])
    assert interop.to_torch(one_layer)["memory.weight_hh_l0"].shape == (16, 4)


@recurra.saving.register_keras_serializable("mine")
class Scale(layers.Layer):
    def build(self, input_shape: tuple[int, ...]) -> None:
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def forward(self, inputs: Floats) -> tuple[Floats, Floats]:
        return inputs * self.factor.value, inputs

    def backward(self, doutputs: Floats, inputs: Floats) -> Floats:
        if self.factor.grad is not None:
            self.factor.grad[...] += (doutputs * inputs).sum(axis=0)
        return doutputs * self.factor.value


class Leaky(layers.Layer):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def forward(self, inputs: Floats, states: list[Floats]) -> tuple[tuple[Floats, list[Floats]], None]:
        new = 0.5 * states[0] + 0.5 * inputs
        return (new, [new]), None


class Doubled(layers.Layer):
    def call(self, x: Floats, factor: float = 2.0) -> Floats:
        return x * np.float32(factor)


class StopEarly(callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs and epoch + 1 < self.params["epochs"]:
            self.model.stop_training = True


class AbsoluteError(keras.metrics.Metric):
    def __init__(self, name: str = "absolute_error") -> None:
        super().__init__(name=name)
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y_true: Floats, y_pred: Floats, sample_weight: Floats | None = None) -> None:
        self.total.assign_add(np.abs(y_true - y_pred).sum())

    def result(self) -> float:
        return float(self.total.value)


def half(y_true: Floats, y_pred: Floats) -> Any:
    return np.square(y_true - y_pred).mean(axis=-1) / 2


def test_parts_of_ones_own() -> None:
    model = Sequential([Input((3,)), Scale(), layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.01))])
    model.compile("sgd", loss="mse", metrics=[half, AbsoluteError()])
    halves = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    once = callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch else 0.2)
    history = model.fit(np.ones((8, 3)), np.zeros(8), epochs=5, callbacks=[StopEarly(), halves, once], verbose=0)
    assert history.epoch == [0]
    frozen = Sequential([Input((3,)), layers.Dense(3), Scale(trainable=False), layers.Dense(1)])
    frozen.compile("sgd", loss="mse")
    frozen.fit(np.ones((8, 3)), np.zeros(8), verbose=0)
    assert frozen.layers[1].factor.numpy().tolist() == [1, 1, 1]
    assert isinstance(Scale(), Scale)
    assert Doubled()(np.ones((2, 3), "float32")).numpy().sum() == 12
    assert layers.RNN(Leaky(3))(np.ones((2, 4, 3))).shape == (2, 3)


def test_tensorflows_words() -> None:
    tf.random.set_seed(3)
    x = tf.reshape(tf.range(24, dtype=tf.float32), (6, 4, 1))
    model = tf.keras.Sequential([tf.keras.layers.Input((4, 1)), LSTM(8), Dense(1)])
    model.compile(tf.keras.optimizers.Adam(ExponentialDecay(0.1, 10, 0.9)), tf.keras.losses.MeanSquaredError())
    dataset = tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(2)
    assert model.fit(dataset, verbose=0).params["steps"] == 3
    assert load_model is models.load_model and CSVLogger is callbacks.CSVLogger


def test_forecasts() -> None:
    result = forecast(CO2, horizon=3, model="naive", n_windows=1)
    assert result.frame.height == 3
    assert result.backtest.rows[0]["model"] in ("naive", "seasonal_naive", "drift", "theta")
    assert Forecaster("lstm", horizon=3).horizon == 3


def test_functions_by_their_names() -> None:
    assert keras.activations.softmax(np.zeros((1, 4))).tolist() == [[0.25] * 4]
    assert keras.metrics.mean_squared_error(np.zeros(2), np.ones(2)) == 1
    layer = layers.Dense(2, keras.activations.relu, kernel_initializer=keras.initializers.ones())
    assert layer(np.full((1, 3), 2, "float32")).numpy().tolist() == [[6, 6]]


def test_misspelt_names_are_seen() -> None:
    with pytest.raises(AttributeError):
        layers.LTSM(3)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        callbacks.EarlyStoping()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        losses.MeanSquareError()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        recurra.Squential()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        optimizers.Adm()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        keras.saving.lod_model("m.keras")  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.zeross(3)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.random.norml([3])  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.math.reduce_men([1.0])  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.keras.losses.MeanSquareError()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.keras.metrics.Meen()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.keras.utils.to_categoricl([1])  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        tf.keras.backend.men([1.0])  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        assert layers.LSTM(3).unitss  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Sequential().fit_generator([])  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        assert optimizers.Adam().lr  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        assert Input((3,)) ** 2  # type: ignore[operator]
    with pytest.raises(ValueError):
        optimizers.Adam(clipnrom=1.0)  # type: ignore[call-arg]
    with pytest.raises(ValueError):
        optimizers.AdamW(learnin_rate=0.1)  # type: ignore[call-arg]


def test_type_checkers_see_all_activations() -> None:
    assert set(keras.activations.FUNCTIONS) < set(keras.activations.__all__)


class Shifted(layers.Layer):
    """A layer that is written as Keras's books do it: it names arguments in its own way, and leaves some out."""

    def build(self, shape: Any) -> None:
        self.shift = self.add_weight(shape=shape[-1:], initializer="ones")

    def forward(self, x: Floats) -> tuple[Floats, None]:
        return x + self.shift.value, None

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Shifted:
        return cls(**config)


class Halved(layers.Dense):
    def backward(self, dy: Any, cache: Any) -> Any:
        return super().backward(dy, cache) / 2


class Careful(layers.LSTMCell):
    def forward(self, x: Any, states: Any) -> Any:
        return super().forward(x, states)


class Squared(losses.Loss):
    def call(self, y_true: Floats, y_pred: Floats) -> float:
        return float(np.square(y_true - y_pred).mean())

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Squared:
        return cls(**config)


class MeanOfTwo(keras.metrics.Mean):
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state((np.asarray(y_true) + np.asarray(y_pred)) / 2)


class Named(Sequential):
    def title(self) -> str:
        return self.name.title()


class Configured(Model):
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Configured:
        return super().from_config(config)


def test_subclasses_may_take_fewer_arguments_and_give_their_own_kind() -> None:
    assert Shifted.from_config({}).compute_output_shape((None, 3)) == (None, 3)
    assert Named.from_config(Named([Input((3,)), layers.Dense(1)], name="net").get_config()).title() == "Net"
    model = Named([Input((3,)), Shifted(), Halved(1)])
    copy: Named = models.clone_model(model)
    copy.compile("sgd", Squared.from_config({"name": "squared"}))
    assert copy.evaluate(np.zeros((2, 3)), np.zeros(2), verbose=0) > 0
    assert layers.RNN(Careful(3))(np.ones((2, 4, 3))).shape == (2, 3)
    assert MeanOfTwo()([1.0], [3.0]).numpy() == 2
    assert optimizers.SGD.from_config({"momentum": 0.5}).momentum == 0.5


def test_arithmetic_of_tensors_gives_tensors() -> None:
    x = tf.constant([1.0, 2.0])
    y: tf.Tensor = 2 * (x + 1) ** 2 / 2 - x
    y -= 1
    assert y.numpy().tolist() == [2, 6] and (-abs(y) < 0).numpy().all() and (x == x).numpy().all()
    assert tf.math.reduce_mean(x).numpy() == tf.keras.backend.mean(x).numpy() == 1.5
    assert relu(x).tolist() == [1, 2] and tf.keras.losses.mse([1.0], [3.0]).numpy() == 4
    assert (100 * MeanOfTwo()([1.0], [3.0])).numpy() == 200


def test_what_layers_and_optimizers_have() -> None:
    dense, lstm = layers.Dense(2), layers.LSTM(3, dropout=0.5)
    rows, columns = dense(np.ones((1, 4))).shape
    assert (rows, columns) == (1, 2) and dense.kernel.value.shape[1] == 2 and dense.bias.numpy().tolist() == [0, 0]
    dense.set_weights((np.ones((4, 2)), np.zeros(2)))
    assert lstm.units + 1 == 4 and lstm.dropout < 1 and lstm.unit_forget_bias and lstm.kernel_regularizer is None
    assert layers.TimeDistributed(dense).layer.units == 2
    adam = optimizers.get(optimizers.Adam(0.5, clipnorm=1.0, weight_decay=0.1))
    own = optimizers.AdamW(0.5, weight_decay=0.1, name="own")
    own.learning_rate = 0.25
    own.learning_rate.assign(own.learning_rate * 2)
    assert float(own.learning_rate) == float(adam.learning_rate) == 0.5
    assert optimizers.schedules.ExponentialDecay(0.5, 10, 0.9).decay_steps // 3 == 3


def test_what_functions_take() -> None:
    model = Sequential([Input((3,)), layers.Dense(1, name="last")])
    model.compile("sgd", losses.MeanSquaredError(name=None), metrics=[keras.metrics.BinaryAccuracy(name=None)])
    stop = EarlyStopping("loss", patience=2)
    model.fit(np.ones((4, 3)), np.array([0, 1, 0, 1]), class_weight={0: 1, 1: 2}, callbacks=[stop], verbose=0)
    assert stop.best > 0 and stop.patience > stop.wait
    lines: list[str] = []
    model.summary(positions=(0.4, 0.7, 1.0), layer_range=("last", "last"), print_fn=lines.append)
    assert "last" in lines[0] and model.pop().units == 1
    assert keras.utils.pad_sequences([[1], [2, 3]], dtype=np.float32).dtype == np.float32
    assert layers.StackedRNNCells((layers.LSTMCell(2), layers.GRUCell(3))).output_size == 3
    assert keras.metrics.IoU(3, np.array([0, 2])).target_class_ids == [0, 2]
    panel = recurra.forecasting.Panel.from_arrays([[1.0, 2.0, 3.0], [4.0, 5.0]])
    assert panel.n_series == recurra.forecasting.Panel.from_arrays(np.ones((2, 20))).n_series == 2
    assert recurra.compat.tensorflow is tf
