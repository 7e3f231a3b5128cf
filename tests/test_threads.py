"""What threads that work at once share: automatic names, paths of weights and seeds are each thread's own."""

import copy
import pickle
import threading

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.random import seeded


def at_once(*works):
    """Runs functions of a barrier in threads of their own, and returns what they return."""
    barrier, found, errors = threading.Barrier(len(works), timeout=30), [None] * len(works), []

    def run(position):
        try:
            found[position] = works[position](barrier)
        except Exception as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return found


def test_names_and_paths_of_models_built_at_once_are_those_of_one_built_alone():
    class Waits(layers.Layer):
        def build(self, input_shape):
            self.barrier.wait()  # every thread is within its `build`
            self.inner = layers.Dense(2)
            self.inner.build(input_shape)
            self.barrier.wait()
            self.scale = self.add_weight((2,), name="scale")

        def forward(self, inputs):
            return self.inner.forward(inputs)[0] * self.scale.value, None

    def build(barrier):
        layer = Waits()
        layer.barrier = barrier
        model = recurra.Sequential([layers.Input((3,)), layer, layers.Dense(1), layers.Dense(1)])
        return [layer.name for layer in model.layers], [weight.path for weight in model.weights]

    names = ["waits", "dense", "dense_1"]
    own = ["waits/scale", "waits/dense_2/kernel", "waits/dense_2/bias"]
    paths = [*own, *(f"{name}/{weight}" for name in names[1:] for weight in ("kernel", "bias"))]
    paths = [f"sequential/{path}" for path in paths]
    assert at_once(build, build, build) == [(names, paths)] * 3


def test_clear_session_is_of_its_own_thread():
    def clear(barrier):
        layers.Dense(1)
        barrier.wait()
        recurra.utils.clear_session()
        barrier.wait()
        return layers.Dense(1).name

    def keep(barrier):
        layers.Dense(1)
        barrier.wait()
        barrier.wait()
        return layers.Dense(1).name

    assert at_once(clear, keep) == ["dense", "dense_1"]


def test_seeded_work_in_threads_draws_as_alone_and_leaves_the_stream():
    def draw(seed):
        def work(barrier):
            found = []
            with seeded(seed):
                for _ in range(3):
                    barrier.wait()
                    found.append(layers.Dense(4, name="d").build((None, 3)) or recurra.random.draw_seed())
            return found

        return work

    def alone(seed):
        with seeded(seed):
            return [layers.Dense(4, name="d").build((None, 3)) or recurra.random.draw_seed() for _ in range(3)]

    recurra.utils.set_random_seed(5)
    following = np.random.default_rng(5).integers(2**31 - 1)
    assert at_once(draw(1), draw(2), draw(1)) == [alone(1), alone(2), alone(1)]
    assert recurra.random.draw_seed() == following


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_may_be_copied_while_another_thread_fits_it(copied):
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    model.met = Meets(lambda: model.fit(x, x[:, :1], verbose=0))
    before = model.get_weights()[0]
    again = copied(model)
    assert again.met == "met"
    assert again.predict(x, verbose=0).shape == (4, 1)
    assert np.any(model.get_weights()[0] != before)


class Meets:
    """Stands for another thread that works in the midst of a copy."""

    def __init__(self, work):
        self.work = work

    def __reduce__(self):
        self.work()
        return str, ("met",)
