"""The list that calls callbacks: in order, only where somebody listens, and with a history."""

import numpy as np
import pytest
from played import Dummy, make_model

from recurra import callbacks, layers, models
from recurra.callbacks import Callback, CallbackList


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch", epoch, logs))

    def on_batch_end(self, batch, logs=None):
        self.calls.append(("batch", batch, logs))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test", batch, logs))


def test_the_list_calls_in_order_with_model_and_parameters():
    first, second, model = Recorder(), Recorder(), Dummy()
    listed = CallbackList([first, [second]], model=model, epochs=3, steps=2, verbose=0)
    listed.on_train_batch_end(4, {"loss": np.float32(0.5)})
    listed.on_test_batch_end(1)
    listed.on_epoch_end(0)
    assert first.model is second.model is model
    assert first.params == {"epochs": 3, "steps": 2, "verbose": 0}
    assert first.calls == second.calls == [("batch", 4, {"loss": 0.5}), ("test", 1, {}), ("epoch", 0, {})]
    assert type(first.calls[0][2]["loss"]) is float


def test_hooks_of_a_batch_that_nobody_overrides_are_not_called():
    listed = CallbackList([Callback(), Recorder(), callbacks.LambdaCallback(on_train_batch_begin=print)])
    assert listed.wants("on_train_batch_end")
    assert listed.wants("on_train_batch_begin")
    assert listed.wants("on_test_batch_end")
    assert not listed.wants("on_test_batch_begin")
    assert not listed.wants("on_predict_batch_end")
    listed.append(callbacks.LambdaCallback(on_predict_batch_end=print))
    assert listed.wants("on_predict_batch_end")


def test_the_list_adds_a_history_once():
    mine, model = callbacks.History(), Dummy()
    assert [type(c) for c in CallbackList([mine], add_history=True).callbacks] == [callbacks.History]
    listed = CallbackList(add_history=True, model=model)
    assert listed.callbacks == [model.history]


def test_the_end_of_training_sees_the_logs_without_what_callbacks_add_for_the_history(rng):
    seen = []
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = rng.standard_normal((4, 2))
    told = [callbacks.LearningRateScheduler(lambda epoch: 0.5), callbacks.LambdaCallback(on_train_end=seen.append)]
    history = model.fit(x, x[:, 0], verbose=0, callbacks=told).history
    assert seen == [{"loss": history["loss"][0]}]
    assert history["learning_rate"] == [0.5]


@pytest.mark.parametrize("wrong", [callbacks.EarlyStopping, "early_stopping", 5])
def test_what_is_no_callback_is_refused(data, wrong):
    with pytest.raises(TypeError, match=r"CallbackList expected callbacks, got .*EarlyStopping\(\)"):
        make_model().fit(*data, verbose=0, callbacks=[wrong])


def test_a_callback_list_has_to_know_the_model_and_to_keep_the_history(data):
    model = make_model()
    before = model.get_weights()
    stop = callbacks.EarlyStopping("loss", patience=0, min_delta=10)
    for told in ({}, {"add_history": True}, {"model": model}, {"add_history": True, "model": make_model()}):
        with pytest.raises(ValueError, match=r"fit expected a CallbackList with this model and a History.*add_history"):
            model.fit(*data, epochs=3, verbose=0, callbacks=callbacks.CallbackList([stop], **told))
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
    whole = callbacks.CallbackList([stop], add_history=True, model=model)
    assert model.fit(*data, epochs=3, verbose=0, callbacks=whole).epoch == [0, 1]


class Older(Callback):
    """Hooks of training batches by their older names."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_batch_begin(self, batch, logs=None):
        self.calls.append(("begin", batch, logs))

    def on_batch_end(self, batch, logs=None):
        self.calls.append(("end", batch, logs))


def test_hooks_of_batches_are_called_by_their_older_names_too(data):
    callback, model = Older(), make_model()
    model.fit(*data, batch_size=5, verbose=0, callbacks=[callback])
    assert [call[:2] for call in callback.calls] == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    callback.calls.clear()
    listed = CallbackList([callback], model=model)
    listed.on_batch_begin(3)
    listed.on_batch_end(3, {"loss": 1.0})
    assert callback.calls == [("begin", 3, {}), ("end", 3, {"loss": 1.0})]


def test_every_hook_is_called_where_it_belongs(data):
    calls, model = [], make_model()
    parts = ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    hooks = [f"on_{part}_{end}" for part in parts for end in ("begin", "end")]
    recorder = Callback()
    for hook in hooks:
        setattr(recorder, hook, lambda *_, hook=hook, **__: calls.append(hook.removeprefix("on_")))
    model.fit(*data, batch_size=10, verbose=0, validation_data=data, callbacks=[recorder])
    step = ["train_batch_begin", "train_batch_end"]
    tested = ["test_begin", "test_batch_begin", "test_batch_end", "test_end"]
    assert calls == ["train_begin", "epoch_begin", *step, *tested, "epoch_end", "train_end"]
    calls.clear()
    model.evaluate(*data, verbose=0, callbacks=[recorder])
    model.predict(data[0], verbose=0, callbacks=[recorder])
    assert calls == [*tested, "predict_begin", "predict_batch_begin", "predict_batch_end", "predict_end"]
