"""Merging under masks, and the functions that merge."""

import inspect

import numpy as np

import recurra
from recurra import layers


def test_a_masked_step_counts_as_nothing_in_multiply_maximum_and_minimum():
    a, b = np.array([[[2.0], [3.0], [4.0]]], "float32"), np.array([[[5.0], [6.0], [-7.0]]], "float32")
    masks = [np.array([[True, False, False]]), np.array([[True, True, False]])]
    for layer, wanted in (
        (layers.Multiply(), [10, 6, 0]),
        (layers.Maximum(), [5, 6, 4]),
        (layers.Minimum(), [2, 6, 4]),
    ):
        y, cache = layer.forward([a, b], mask=masks)
        assert y.ravel().tolist() == wanted
        da, db = layer.backward(np.ones_like(y), cache)
        assert da.ravel()[1] == 0 and db.ravel()[1] == 1


def test_functions_that_merge_say_what_they_take():
    x, y = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)
    assert [*inspect.signature(layers.concatenate).parameters] == ["inputs", "axis", "kwargs"]
    assert [*inspect.signature(layers.dot).parameters] == ["inputs", "axes", "normalize", "kwargs"]
    assert [*inspect.signature(layers.maximum).parameters] == ["inputs", "kwargs"]
    assert layers.add.__doc__.startswith("The sum of the inputs.\n\n    Args:")
    assert layers.concatenate([x, y], 0).shape == (4, 3) and layers.dot([x, y]).numpy().tolist() == [[6], [6]]
    assert layers.subtract([recurra.Input((3,)), recurra.Input((3,))], name="less").name == "less"


def test_a_step_of_three_inputs_is_the_extreme_of_those_that_are_not_masked():
    values = np.array([[9, 9, 9, 9], [8, 8, 2, 8], [1, 1, 5, 1]], "float32")[:, None, :, None]
    masks = list(np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], bool)[:, None])
    y, cache = layers.Maximum().forward(list(values), mask=masks)
    assert y.ravel().tolist() == [1, 9, 5, 9]
    lowest, _ = layers.Minimum().forward(list(-values), mask=masks)
    assert lowest.ravel().tolist() == [-1, -9, -5, -9]
    gradients = np.stack(layers.Maximum().backward(np.ones_like(y), cache))
    assert gradients[..., 0].argmax(axis=0).tolist() == [[2, 0, 2, 0]] and gradients.sum() == 4
