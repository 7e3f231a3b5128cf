"""Signals wait while something is done that has to be whole."""

import io
import signal
import threading

import numpy as np
import pytest

import recurra
from recurra import Input, Sequential, layers, optimizers
from recurra._signals import HeldSignals
from recurra.variables import Variable

posix = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="a signal that Windows has not")


def test_ctrl_c_comes_when_all_is_done():
    done = []
    with pytest.raises(KeyboardInterrupt), HeldSignals():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
        with HeldSignals():
            done.append(2)
        done.append(3)
    assert done == [1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_block_within_another_comes_after_both():
    done = []
    with pytest.raises(KeyboardInterrupt), HeldSignals():
        with HeldSignals():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        done.append(2)
    assert done == [1, 2]


def test_a_second_ctrl_c_comes_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), HeldSignals():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
        signal.raise_signal(signal.SIGINT)
        done.append(2)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
def test_handlers_are_called_once_for_each_signal_and_are_there_again():
    came = []

    def handler(number, frame):
        came.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGALRM)}
    try:
        with HeldSignals():
            signal.raise_signal(signal.SIGALRM)
            signal.raise_signal(signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGALRM, signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGALRM) is handler
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@posix
def test_a_handler_that_raises_takes_no_later_signal_with_it():
    class Stop(Exception):
        pass

    def stop(number, frame):
        came.append(number)
        raise Stop

    came = []
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGALRM)}
    try:
        with pytest.raises(Stop) as caught, HeldSignals():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
                signal.raise_signal(number)
            came.append("done")
        assert came == ["done", signal.SIGTERM, signal.SIGALRM]
        assert isinstance(caught.value.__context__, Stop)
        assert isinstance(caught.value.__context__.__context__, KeyboardInterrupt)
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with HeldSignals():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_nothing_to_hold():
    def work():
        with HeldSignals():
            seen.append(signal.getsignal(signal.SIGINT))

    seen = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


OPTIMIZERS = {
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
    "rmsprop": lambda: optimizers.RMSprop(centered=True),
    "adadelta": lambda: optimizers.Adadelta(),
    "clipped": lambda: optimizers.Nadam(clipnorm=1.0),
    "averages": lambda: optimizers.Adam(use_ema=True),
    "accumulated": lambda: optimizers.SGD(gradient_accumulation_steps=2),
    "native": lambda: optimizers.Adam(),
}


def raise_at(monkeypatch, owner, name):
    """Ctrl-C arrives at the first call of a method."""
    method, calls = getattr(owner, name), []

    def interrupted(*args, **kwargs):
        calls.append(name)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


CASES = [(name, method) for name in OPTIMIZERS for method in ("_apply", "constrain")]
for name in ("momentum", "rmsprop", "native"):
    CASES.remove((name, "_apply"))  # within one native call


@pytest.mark.parametrize(("name", "method"), CASES)
def test_ctrl_c_within_an_update_comes_after_it(monkeypatch, rng, name, method):
    def make():
        recurra.utils.set_random_seed(1)
        model = Sequential([Input((4, 2)), layers.GRU(3), layers.Dense(1, kernel_constraint="unit_norm")])
        model.compile(OPTIMIZERS[name](), "mse")
        model.train_on_batch(x, y)
        return model

    x, y = rng.standard_normal((6, 4, 2)).astype("float32"), rng.standard_normal((6, 1)).astype("float32")
    whole, interrupted = make(), make()
    whole.train_on_batch(x, y)
    raise_at(monkeypatch, type(interrupted.optimizer), method)
    with pytest.raises(KeyboardInterrupt):
        interrupted.train_on_batch(x, y)
    states = [[v.numpy() for v in (*model.weights, *model.optimizer.variables)] for model in (whole, interrupted)]
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_while_weights_are_set_comes_after_it(monkeypatch):
    model = Sequential([Input((4, 2)), layers.GRU(3), layers.Dense(1)])
    new = [np.ones(weight.shape, "float32") for weight in model.weights]
    raise_at(monkeypatch, Variable, "assign")
    with pytest.raises(KeyboardInterrupt):
        model.set_weights(new)
    for weight, value in zip(model.weights, new, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_ctrl_c_while_a_file_is_loaded_comes_after_it(monkeypatch, tmp_path):
    saved, model = (Sequential([Input((4, 2)), layers.GRU(3), layers.Dense(1)]) for _ in range(2))
    saved.save_weights(tmp_path / "m.weights.h5")
    raise_at(monkeypatch, Variable, "assign")
    with pytest.raises(KeyboardInterrupt):
        model.load_weights(tmp_path / "m.weights.h5")
    for weight, value in zip(model.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value.numpy())


def test_ctrl_c_while_averages_are_swapped_comes_after_it(monkeypatch):
    variables = [Variable(np.full(2, value), name=f"w{value}") for value in (1.0, 2.0)]
    optimizer = optimizers.SGD(use_ema=True)
    optimizer.apply([np.ones(2), np.ones(2)], variables)
    before = [v.numpy() for v in variables]
    for average in optimizer._model_variables_moving_average:
        average.assign(np.full(2, 7.0))
    raise_at(monkeypatch, Variable, "assign")
    with pytest.raises(KeyboardInterrupt):
        optimizer.swap_averages()
    assert optimizer.averages_swapped
    assert [v.value.tolist() for v in variables] == [[7, 7], [7, 7]]
    for average, old in zip(optimizer._model_variables_moving_average, before, strict=True):
        np.testing.assert_array_equal(average.value, old)


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.h5"])
def test_ctrl_c_while_a_file_is_made_is_no_other_error_and_is_not_lost(name, tmp_path, monkeypatch):
    """The writers call back into Python: h5py drops what is raised there, a zip file cannot be closed after it."""
    writes = iter(range(10**6))

    class Buffer(io.BytesIO):
        def write(self, data):
            if next(writes) == 3:
                signal.raise_signal(signal.SIGINT)
            return super().write(data)

    model = Sequential([Input((4, 2)), layers.LSTM(3)])
    monkeypatch.setattr(io, "BytesIO", Buffer)
    with pytest.raises(KeyboardInterrupt):
        (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
