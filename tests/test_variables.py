"""Variables are nobody else's: not their first value, and not what is read from them."""

import numpy as np
import pytest

import recurra
from recurra import Input, Sequential, Variable, layers
from recurra.variables import Arena


class Lookup(layers.Layer):
    def __init__(self, table):
        super().__init__()
        self.table = Variable(table)

    def forward(self, inputs):
        return inputs @ self.table.value, inputs

    def backward(self, doutputs, cache):
        self.table.grad[...] += cache.T @ doutputs
        return doutputs @ self.table.value.T


def trained(layer, optimizer="adam"):
    model = Sequential([Input((3,)), layer])
    model.compile(optimizer, "mse")
    model.train_on_batch(np.eye(3), np.full((3, 2), 9.0))
    return model


def test_the_first_value_is_copied():
    table = np.ones((3, 2), np.float32)
    one, other = Variable(table), Variable(table)
    one.assign(table * 0)
    np.testing.assert_array_equal(other, table)
    np.testing.assert_array_equal(table, np.ones((3, 2)))
    table[...] = 7
    np.testing.assert_array_equal(other, np.ones((3, 2)))


@pytest.mark.parametrize("table", [np.broadcast_to(np.float32(1), (3, 2)), np.ones((3, 2), ">f4")])
def test_arrays_of_any_layout_are_trained(table):
    plain = trained(Lookup(np.ones((3, 2), np.float32))).get_weights()
    found = trained(Lookup(table)).get_weights()
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (np.array(["a"]), "dtype <U1: turn text into numbers first"),
        (np.ones(2, complex), "dtype complex128"),
        (np.array([1.0, None]), "dtype object: give all columns one dtype"),
        (np.ma.masked_equal([1.0, 2.0], 2), "a masked array, 1 of 2 masked"),
    ],
)
def test_what_holds_no_numbers_is_refused(value, got):
    with pytest.raises(ValueError, match=f"Variable expected numbers.*, got .*{got}"):
        Variable(value)


@pytest.mark.parametrize("look", [np.asarray, lambda v: v[...], lambda v: v[:1], lambda v: v.numpy()])
def test_what_is_read_stays_as_it_was(look):
    model = trained(layers.Dense(2), "sgd")
    kernel = model.layers[0].kernel
    before = look(kernel)
    copy = before.copy()
    model.train_on_batch(np.eye(3), np.zeros((3, 2)))
    np.testing.assert_array_equal(before, copy)
    assert not np.array_equal(before, look(kernel))
    before[...] = 0
    assert kernel.value.any()


def test_a_view_is_what_value_gives():
    kernel = trained(layers.Dense(2)).layers[0].kernel
    with pytest.raises(ValueError, match=r"to be copied.*got copy=False: write variable.value"):
        np.asarray(kernel, copy=False)
    assert np.asarray(kernel, np.float64).dtype == np.float64
    assert recurra.Variable(kernel).value.base is not kernel.value.base


def test_a_gradient_at_zero_has_no_rows_left():
    alone, *together = (Variable(np.ones((3, 2), "float32")) for _ in range(3))
    arena = Arena(together)
    for variable in (alone, *together):
        variable.sparse.append((np.array([1]), np.ones((1, 2), "float32")))
    alone.zero_grad()
    arena.zero_grad()
    assert not any(variable.sparse for variable in (alone, *together))
