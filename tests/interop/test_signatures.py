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
# What Keras has beyond these by position is here by name, or not at all (docs/coming-from-keras.md).
BY_NAME = {"BatchNormalization", "Dense", "Embedding", "Lambda", "MultiHeadAttention", "concatenate", "dot"}


def by_position(function):
    found = list(inspect.signature(function).parameters.values())
    return [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


@pytest.mark.parametrize("area", AREAS)
def test_arguments_have_keras_s_order(area):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    its, mine = (importlib.import_module(f"{library}.{area}") for library in (keras.__name__, "recurra"))
    checked = 0
    for name in set(dir(its)) & set(dir(mine)):
        theirs, ours = getattr(its, name), getattr(mine, name)
        if name.startswith("_") or not callable(theirs) or name in ("serialize", "deserialize"):
            continue
        if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(theirs).parameters.values()):
            continue
        wanted, found = by_position(theirs), by_position(ours)
        shared = min(len(wanted), len(found))  # one more at the end is an option of recurra's own
        assert found[:shared] == wanted[:shared], name
        if area == "layers" and name not in BY_NAME:
            assert len(found) >= len([argument for argument in wanted if argument != "use_cudnn"]), name
        checked += 1
    assert checked


def test_recurrent_layers_take_all_options_by_position():
    first, initial = ("tanh", "sigmoid", True), ("zeros", "ones", "zeros")
    rest = ("l2", None, "l1", "l2", None, "non_neg", None, 0.1, 0.2)
    flags = (True, False, True, False, True)
    lstm = layers.LSTM(4, *first, *initial, False, *rest, 3, *flags).get_config()
    gru = layers.GRU(4, *first, *initial, *rest, 3, *flags, False).get_config()
    simple = layers.SimpleRNN(4, "tanh", True, *initial, *rest, *flags, 3).get_config()
    assert lstm["unit_forget_bias"] is gru["reset_after"] is False
    for config in (lstm, gru, simple):
        assert (config["dropout"], config["recurrent_dropout"], config["seed"]) == (0.1, 0.2, 3)
        assert (config["return_sequences"], config["return_state"], config["go_backwards"]) == flags[:3]
        assert (config["stateful"], config["unroll"], config["recurrent_regularizer"]) == (*flags[3:], None)
        names = {key: value["class_name"] for key, value in config.items() if isinstance(value, dict)}
        assert (names["kernel_regularizer"], names["bias_regularizer"]) == ("L2", "L1")
        assert (names["activity_regularizer"], names["recurrent_constraint"]) == ("L2", "NonNeg")
    with pytest.raises(TypeError, match="GRU expected at most 23 positional arguments, got 24"):
        layers.GRU(4, *first, *initial, *rest, 3, *flags, False, None)


def test_cells_and_others_take_all_options_by_position():
    starts, rest = ("tanh", "sigmoid", True, "zeros", "ones", "zeros"), ("l2", None, None, None, "non_neg", None)
    lstm = layers.LSTMCell(4, *starts, False, *rest, 0.1, 0.2, 3)
    gru = layers.GRUCell(4, *starts, *rest, 0.1, 0.2, False, 3)
    for cell in (lstm, gru):
        assert (cell.dropout, cell.recurrent_dropout, cell.seed) == (0.1, 0.2, 3)
        assert cell.kernel_regularizer and cell.recurrent_constraint and not cell.kernel_constraint
    assert gru.reset_after is lstm.unit_forget_bias is False
    assert layers.MaxPooling1D(2, None, "valid", None, "pool").name == "pool"
    drop = layers.SpatialDropout1D(0.5, 1, "drop", "float64")
    assert (drop.name, drop.dtype) == ("drop", "float64")
    groups = layers.GroupNormalization(2, -1, 0.1, True, False, "ones", "zeros", "l2")
    assert groups.beta_regularizer and groups.center and not groups.scale


def test_positions_that_once_were_others():
    assert losses.SparseCategoricalCrossentropy(True).get_config()["from_logits"] is True
    assert metrics.SparseCategoricalCrossentropy("m", None, False, None, 1).get_config()["axis"] == 1
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
    assert "activity_regularizer" not in layers.Dense(2).get_config()  # as in Keras, which writes None of others
    assert layers.LSTM(2).get_config()["activity_regularizer"] is None
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
            if name == "sparsemax":  # Keras's (3.15) sums all cumulative sums: its parts do not add up to one
                continue
            options = {option: value}
            np.testing.assert_allclose(mine(x, **options), np.asarray(its(x, **options)), rtol=1e-5, atol=1e-5)
    for options in ({"negative_slope": 0.1, "threshold": 0.5}, {"max_value": 2.0, "threshold": -1.0}):
        if name == "relu":
            np.testing.assert_allclose(mine(x, **options), np.asarray(its(x, **options)), rtol=1e-5, atol=1e-5)
