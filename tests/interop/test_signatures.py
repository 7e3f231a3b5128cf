"""What an argument means by its position: the same as in Keras, or it is refused."""

import importlib
import inspect

import numpy as np
import pytest

import recurra
from recurra import callbacks, layers, losses, metrics

AREAS = [
    *("activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics", "models", "optimizers"),
    *("optimizers.schedules", "regularizers", "utils"),
]
# From the 10th on: Keras has activity_regularizer there, which the cell, whose order this is, does not have.
OTHERWISE = {"SimpleRNN"}


def by_position(function):
    found = list(inspect.signature(function).parameters.values())
    return [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


@pytest.mark.parametrize("area", AREAS)
def test_arguments_have_keras_s_order(area):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    its, mine = (importlib.import_module(f"{library}.{area}") for library in (keras.__name__, "recurra"))
    checked = 0
    for name in set(dir(its)) & set(dir(mine)) - OTHERWISE:
        theirs, ours = getattr(its, name), getattr(mine, name)
        if name.startswith("_") or not callable(theirs) or name in ("serialize", "deserialize"):
            continue
        if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(theirs).parameters.values()):
            continue
        wanted, found = by_position(theirs), by_position(ours)
        shared = min(len(wanted), len(found))  # one more at the end is an option of recurra's own
        assert found[:shared] == wanted[:shared], name
        checked += 1
    assert checked


def test_positions_that_once_were_others():
    assert losses.SparseCategoricalCrossentropy(True).get_config()["from_logits"] is True
    assert metrics.SparseCategoricalCrossentropy("m", None, False, None, -1).get_config()["axis"] == -1
    with pytest.raises(ValueError, match="the classes on the last axis"):
        metrics.SparseCategoricalCrossentropy(axis=1)
    backup = callbacks.BackupAndRestore("directory", "epoch", True, False)
    assert backup.delete_checkpoint is False
    dense = layers.Dense(2, None, True, "zeros", "zeros", None, None, "l2", None, "non_neg")
    assert dense.activity_regularizer is not None and dense.kernel_constraint is None
    assert dense.bias_constraint is not None
    starts = ("zeros", "ones", "zeros", "ones")
    normal = layers.BatchNormalization(-1, 0.9, 0.1, True, True, *starts, "l2", None, "non_neg")
    assert normal.beta_regularizer is not None and normal.beta_constraint is not None
    assert recurra.Input((3,), 2, "float32", False, None, None, "x").name == "x"
    assert layers.InputLayer(None, None, None, False, False, (2, 3)).batch_shape == (2, 3)
    for refused in (
        lambda: layers.Embedding(3, 2, "zeros", None, None, False, None, "l2"),
        lambda: layers.MultiHeadAttention(1, 2, None, 0.0, True, None, None, "zeros"),
    ):
        with pytest.raises(TypeError, match="positional"):
            refused()


def test_options_that_have_got_a_name_of_their_own_reach_the_config():
    dense = layers.Dense(2, activity_regularizer="l2")
    again = layers.Dense.from_config(dense.get_config())
    assert again.activity_regularizer.get_config() == dense.activity_regularizer.get_config()
    normal = layers.BatchNormalization(beta_regularizer="l1", gamma_constraint="non_neg")
    again = layers.BatchNormalization.from_config(normal.get_config())
    assert again.get_config() == normal.get_config()
    np.testing.assert_array_equal(again(np.ones((2, 3))), normal(np.ones((2, 3))))


@pytest.mark.parametrize("name", list(recurra.activations.FUNCTIONS))
def test_activations_with_options_agree_with_keras(name, rng):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    x = rng.normal(0, 3, (4, 6)).astype("float32")
    mine, its = getattr(recurra.activations, name), getattr(keras.activations, name)
    assert by_position(mine) == by_position(its)
    values = {"axis": [0], "approximate": [True], "max_value": [None, 2.0], "threshold": [0.0, 0.7, -0.2]}
    for option in by_position(its)[1:]:
        for value in values.get(option, [0.3, 1.7]):
            if name == "sparsemax":  # Keras's (3.15) is right on the last axis alone: others do not sum to one
                continue
            options = {option: value}
            np.testing.assert_allclose(mine(x, **options), np.asarray(its(x, **options)), rtol=1e-5, atol=1e-5)
    for options in ({"negative_slope": 0.1, "threshold": 0.5}, {"max_value": 2.0, "threshold": -1.0}):
        if name == "relu":
            np.testing.assert_allclose(mine(x, **options), np.asarray(its(x, **options)), rtol=1e-5, atol=1e-5)
