"""A training step in one native call gives the bits of the general way, and notices whatever changes between steps."""

import copy
import pickle
import signal

import numpy as np
import pytest
from doubles import OwnDense, assert_same, assert_same_models, held_by

import recurra
from recurra import Input, Sequential, _changes, callbacks, layers, losses, metrics, optimizers
from recurra.training.plan import plan_of
from recurra.training.trainable import Trainable

STEPS = 4


class OwnAdam(optimizers.Adam):
    """The same optimizer, which native code does not know."""


@pytest.fixture
def general_steps(monkeypatch):
    """The models of the steps whose gradients came the general way, in order."""
    models = []
    general = Trainable._gradients

    def noted(self, *arguments):
        models.append(self.model)
        return general(self, *arguments)

    monkeypatch.setattr(Trainable, "_gradients", noted)
    return models


@pytest.fixture
def data(rng):
    x = rng.standard_normal((11, 6, 2)).astype("float32")
    return x, rng.standard_normal((11, 1)).astype("float32")


def make_model(optimizer=None, loss="mse", dtype=None, dense=layers.Dense, last=None, **options):
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((6, 2), dtype=dtype), layers.LSTM(5), dense(1, **last or {})])
    model.compile(optimizer or optimizers.Adam(0.01), loss, **options)
    return model


def pair(loss="mse", dtype=None, metrics=None, optimizer=optimizers.Adam, last=None, **options):
    """Returns a model and its double with a layer of the user's own."""
    return [
        make_model(optimizer(**options), loss, dtype, dense, last, metrics=metrics)
        for dense in (layers.Dense, OwnDense)
    ]


def ends_with_the_update(model):
    return plan_of(model, training=True).step.updates


def train(model, x, y, steps=STEPS, **options):
    return [model.train_on_batch(x, y, **options) for _ in range(steps)]


def assert_natively_the_same(models, general_steps, *data, **options):
    """Trains both: the first natively, the second not, to the same bits."""
    native, general = models
    before = len(general_steps)
    assert train(native, *data, **options) == train(general, *data, **options)
    assert general_steps[before:] == [general] * STEPS
    assert_same_models(native, general)


@pytest.mark.parametrize("loss", ["mse", "mae", losses.Huber(0.3), losses.MeanSquaredError("mean")])
@pytest.mark.parametrize("options", [{}, {"amsgrad": True, "beta_1": 0.0}, {"beta_2": 0.5, "epsilon": 1e-3}])
def test_a_native_step_gives_the_bits_of_the_general_one(loss, options, data, general_steps):
    assert_natively_the_same(pair(loss, **options), general_steps, *data)


@pytest.mark.parametrize(
    "options",
    [
        {"clipvalue": 0.01},
        {"clipnorm": 0.3},
        {"clipnorm": 64.0},
        {"global_clipnorm": 0.3},
        {"global_clipnorm": 64.0},
        {"weight_decay": 0.3},
        {"weight_decay": 0.1, "clipvalue": 0.5, "amsgrad": True},
    ],
)
def test_it_does_so_where_gradients_are_clipped_and_weights_decay(options, data, general_steps):
    models = pair(learning_rate=0.01, **options)
    assert_natively_the_same(models, general_steps, *data)
    plain = make_model()
    train(plain, *data)
    changed = any((a != b).any() for a, b in zip(plain.get_weights(), models[0].get_weights(), strict=True))
    assert changed == (64.0 not in options.values())


def test_it_does_so_where_clipped_gradients_are_not_finite(data, general_steps):
    x, y = data
    y[0] = np.inf
    for options in ({"global_clipnorm": 0.3}, {"clipnorm": 0.3}, {"clipvalue": 0.3}):
        native, general = pair(**options)
        with np.errstate(invalid="ignore"):
            train(native, x, y, 1)
            train(general, x, y, 1)
        assert np.isnan(native.get_weights()[0]).any()
        assert_same_models(native, general)
    assert len(general_steps) == 3


def test_weights_left_out_of_weight_decay_leave_the_update_to_the_optimizer(data, general_steps):
    models = pair(weight_decay=0.3)
    for model in models:
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert_natively_the_same(models, general_steps, *data)
    assert not ends_with_the_update(models[0])


CLASSIFIERS = {
    "binary": ("sigmoid", 1, "binary_crossentropy"),
    "several_binary": ("sigmoid", 3, losses.BinaryCrossentropy(label_smoothing=0.1)),
    "logit": (None, 1, losses.BinaryCrossentropy(from_logits=True)),
    "one_hot": ("softmax", 3, "categorical_crossentropy"),
    "one_hot_logits": (None, 3, losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)),
    "labels": ("softmax", 3, "sparse_categorical_crossentropy"),
    "label_logits": (None, 3, losses.SparseCategoricalCrossentropy(from_logits=True)),
    "label_function": ("softmax", 3, losses.sparse_categorical_crossentropy),
    "quantiles": (None, 3, losses.Pinball((0.1, 0.5, 0.9))),
}


def classifiers(name, return_sequences=False):
    """Returns a model and its double with a layer of the user's own."""
    activation, units, loss = CLASSIFIERS[name]
    made = []
    for dense in (layers.Dense, OwnDense):
        recurra.utils.set_random_seed(0)
        recurrent = layers.GRU(5, return_sequences=return_sequences)
        made.append(Sequential([Input((6, 2)), recurrent, dense(units, activation=activation)]))
        own = [] if name == "quantiles" else ["accuracy"]
        made[-1].compile(optimizers.Adam(0.01), loss, metrics=own)
    return made


def targets_for(name, rows):
    labels = np.random.default_rng(1).integers(0, 3, rows)
    if name in ("binary", "logit"):
        return (labels > 0)[..., None]
    if name == "quantiles":
        return labels.astype("float32")
    return np.eye(3, dtype="int64")[labels] if name in ("one_hot", "one_hot_logits", "several_binary") else labels


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_and_quantiles_give_the_bits_of_the_general_step(name, return_sequences, data, general_steps):
    models = classifiers(name, return_sequences)
    y = targets_for(name, (11, 6) if return_sequences else (11,))
    assert_natively_the_same(models, general_steps, data[0], y)
    if name.startswith("label"):
        y = y[..., None].astype("float32")
        assert_natively_the_same(models, general_steps, data[0], y)


def test_a_label_of_no_class_is_refused_and_changes_nothing(data, general_steps):
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((6, 2)), layers.GRU(5, dropout=0.3), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data[0], targets_for("labels", (11,))
    wrong = y.copy()
    wrong[4] = 3
    train(model, x, y)
    refused = [(x, wrong), (x[:5], wrong[:5])]  # arrays of shapes that it knows, and of others
    for batch in refused:
        before = [*held_by(model), model.layers[0].cell.seed_generator.state.numpy()]
        with pytest.raises(ValueError, match="labels from 0 to 2, got 3: labels begin at 0, and the last layer"):
            model.train_on_batch(*batch)
        after = [*held_by(model), model.layers[0].cell.seed_generator.state.numpy()]
        assert_same(before, after)
    assert general_steps == [model, model]


def test_a_new_epsilon_is_heeded(data, general_steps):
    models = classifiers("binary")
    y = targets_for("binary", (11,))
    assert_natively_the_same(models, general_steps, data[0], y)
    before = recurra.config.epsilon()
    try:
        recurra.config.set_epsilon(0.45)
        assert_natively_the_same(models, general_steps, data[0], y)
    finally:
        recurra.config.set_epsilon(before)


def test_it_does_so_in_float64(rng, general_steps):
    recurra.config.set_floatx("float64")
    try:
        x, y = rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 1))
        assert_natively_the_same(pair(dtype="float64"), general_steps, x, y)
    finally:
        recurra.config.set_floatx("float32")


def test_it_does_so_with_metrics_and_constraints(data, general_steps):
    results = []
    for dense in (layers.Dense, OwnDense):
        recurra.utils.set_random_seed(0)
        model = Sequential([Input((6, 2)), layers.GRU(3), dense(1, kernel_constraint="max_norm")])
        model.compile(optimizers.Adam(0.5), "mse", metrics=["mae"])
        results.append((train(model, *data), model))
    assert results[0][0] == results[1][0]
    assert_same_models(results[0][1], results[1][1])
    assert general_steps == [results[1][1]] * STEPS
    assert np.linalg.norm(results[0][1].layers[1].kernel) <= 2.001


def test_fit_takes_native_steps(data, general_steps):
    native, general = pair()
    histories = []
    for model in (native, general):
        recurra.utils.set_random_seed(1)  # the order of the rows
        histories.append(model.fit(*data, batch_size=4, epochs=3, verbose=0, validation_split=0.2).history)
    assert histories[0] == histories[1]
    assert general_steps == [general] * 6
    assert_same_models(native, general)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
@pytest.mark.parametrize("shape", [(11,), (11, 1)])
def test_weights_of_samples_are_taken(reduction, shape, data, general_steps):
    models = pair(losses.Huber(0.3, reduction), metrics=["mae"])
    weights = np.linspace(0, 1, 11).reshape(shape)
    assert_natively_the_same(models, general_steps, *data, sample_weight=weights)
    before = models[0].get_weights()[0]
    assert_natively_the_same(models, general_steps, *data, sample_weight=1 - weights)
    assert_natively_the_same(models, general_steps, *data)
    assert np.any(before != models[0].get_weights()[0])


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "binary_crossentropy"])
def test_a_row_of_targets_has_one_weight_where_the_predictions_have_a_last_axis_of_one(loss, rng):
    x, y = rng.standard_normal((4, 3, 2)).astype("float32"), (rng.random((4, 3)) > 0.5).astype("float32")
    weights = np.array([1, 0, 2, 0], "float32")
    model, chosen = (Sequential([Input((3, 2)), layers.LSTM(2, return_sequences=True), layers.Dense(1)]) for _ in "ab")
    chosen.set_weights(model.get_weights())
    for one in (model, chosen):
        one.compile(optimizers.SGD(0.1), loss, weighted_metrics=["mae"])
    kept = [0, 2, 2]  # a weight of two is as a row that is there twice, one of zero as a row that is not
    wanted = chosen.evaluate(x[kept], y[kept], verbose=0)
    value, error = model.evaluate(x, y, sample_weight=weights, verbose=0)
    assert (value * 4 / 3, error) == pytest.approx(tuple(wanted), rel=1e-5)
    chosen.optimizer.learning_rate = 0.1 * 3 / 4
    chosen.train_on_batch(x[kept], y[kept])
    assert model.fit(x, y, sample_weight=weights, verbose=0).history["loss"] == pytest.approx([value])
    for a, b in zip(model.get_weights(), chosen.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_mask_of_timesteps_asks_for_a_target_of_each(rng):
    x, y = rng.standard_normal((4, 3, 2)).astype("float32"), rng.standard_normal((4, 3)).astype("float32")
    model = Sequential([Input((3, 2)), layers.Masking(), layers.LSTM(2, return_sequences=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    message = r"a mask that fit \(4,\), got \(4, 3\): targets of shape \(4, 3, 1\) have a value for each"
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=message):
            call(x, y)
    model.train_on_batch(x, y[..., None])


def test_weights_of_classes_are_taken(data, general_steps):
    models = classifiers("labels")
    y = targets_for("labels", (11,))
    assert_natively_the_same(models, general_steps, data[0], y, class_weight={0: 0.5, 1: 2.0, 2: 0.0})
    for model in models:
        recurra.utils.set_random_seed(1)
        model.fit(data[0], y, batch_size=4, verbose=0, class_weight={0: 0.5, 1: 2.0, 2: 0.0})
    assert_same_models(*models)
    assert general_steps[-3:] == [models[1]] * 3 and models[0] not in general_steps


def test_weights_of_timesteps_are_taken(data, general_steps):
    models = classifiers("labels", True)
    weights = np.random.default_rng(0).random((11, 6)).astype("float32")
    assert_natively_the_same(models, general_steps, data[0], targets_for("labels", (11, 6)), sample_weight=weights)


@pytest.mark.parametrize("y_shape", [(11,), (11, 1), (11, 1, 1)])
@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
def test_targets_of_other_dtypes_and_ranks_are_taken(y_shape, dtype, data, general_steps):
    x, y = data
    assert_natively_the_same(pair(), general_steps, x, (y > 0).astype(dtype).reshape(y_shape))


def test_targets_and_inputs_need_not_lie_in_one_piece(data, general_steps):
    x, y = data
    x, y = np.repeat(x, 2, axis=1)[:, ::2], np.repeat(y, 2, axis=1)[:, ::2]
    assert not x.flags.c_contiguous and not y.flags.c_contiguous
    assert_natively_the_same(pair(), general_steps, x, y)


@pytest.mark.parametrize(
    "way",
    [
        {"loss": "log_cosh"},
        {"loss": losses.MeanSquaredError("sum")},
        {"loss": losses.MeanSquaredError(dtype="float64")},
        {"loss": losses.BinaryCrossentropy(axis=0)},
        {"loss_weights": 0.5},
        {"loss": losses.MeanSquaredError("mean_with_sample_weight"), "fit": {"sample_weight": np.zeros(11)}},
    ],
)
def test_what_native_code_does_not_know_takes_the_general_way(way, data, general_steps):
    model = Sequential([Input((6, 2)), layers.LSTM(5), layers.Dense(1)])
    model.compile("adam", way.get("loss", "mse"), loss_weights=way.get("loss_weights"))
    x, y = data
    model.fit(x, (y > 0).astype(int), verbose=0, **way.get("fit", {}))
    assert general_steps == [model]


OPTIMIZERS = {
    "sgd": {},
    "sgd momentum": {"momentum": 0.9},
    "sgd nesterov": {"momentum": 0.9, "nesterov": True},
    "sgd clipped": {"clipnorm": 0.3, "weight_decay": 0.1},
    "rmsprop": {},
    "rmsprop momentum": {"momentum": 0.9},
    "rmsprop centered": {"centered": True, "rho": 0.5},
    "rmsprop both": {"centered": True, "momentum": 0.9, "global_clipnorm": 0.3, "weight_decay": 0.1},
}
OPTIMIZERS_BEHIND = {
    "adam use_ema": {"use_ema": True},
    "adam accumulating": {"gradient_accumulation_steps": 3},
    "adam scaled": {"loss_scale_factor": 2.0},
    "sgd accumulating": {"gradient_accumulation_steps": 2},
    "nadam": {},
    "adamax": {"clipnorm": 0.3},
    "adagrad": {"weight_decay": 0.1},
    "adadelta": {},
    "lion": {},
    "lamb": {},
    "ftrl": {},
    "adafactor": {},
}


@pytest.mark.parametrize("name", [*OPTIMIZERS, *OPTIMIZERS_BEHIND])
def test_other_optimizers_take_native_gradients_at_least(name, data, general_steps):
    known = name in OPTIMIZERS
    made = type(optimizers.get(name.split()[0]))
    options = OPTIMIZERS[name] if known else OPTIMIZERS_BEHIND[name]
    models = pair(optimizer=made, learning_rate=0.01, metrics=["mae"], **options)
    before = models[0].get_weights()
    assert_natively_the_same(models, general_steps, *data)
    assert_natively_the_same(models, general_steps, data[0][:3], data[1][:3], sample_weight=np.array([1.0, 0.5, 2.0]))
    assert ends_with_the_update(models[0]) == known
    assert any(np.any(one != other) for one, other in zip(models[0].get_weights(), before, strict=True))


def test_penalties_are_added_to_native_gradients(data, general_steps):
    models = pair(last={"kernel_regularizer": "l2", "bias_regularizer": "l1"}, learning_rate=0.1)
    plain = pair(learning_rate=0.1)[0]
    assert_natively_the_same(models, general_steps, *data)
    assert not ends_with_the_update(models[0])
    train(plain, *data)
    for one, other in zip(models[0].get_weights(), plain.get_weights(), strict=True):
        assert np.any(one != other)


@pytest.mark.parametrize("dense", [layers.Dense, OwnDense])
def test_a_step_goes_along_the_gradients_of_loss_and_penalty(dense, general_steps):
    options = {"use_bias": False, "kernel_initializer": "ones", "kernel_regularizer": recurra.regularizers.L2(0.1)}
    model = Sequential([Input((2,)), dense(1, **options)])
    model.compile(optimizers.SGD(0.5), "mse")
    loss = model.train_on_batch(np.array([[1, 0]], "float32"), np.zeros((1, 1), "float32"))
    assert loss == pytest.approx(1 + 0.1 * 2)
    np.testing.assert_allclose(model.get_weights()[0], [[1 - 0.5 * (2 + 0.2)], [1 - 0.5 * 0.2]], rtol=1e-6)
    assert len(general_steps) == (dense is OwnDense)


def test_an_optimizer_of_the_users_own_takes_native_gradients(data, general_steps):
    models = pair(optimizer=OwnAdam)
    assert_natively_the_same(models, general_steps, *data)
    assert not ends_with_the_update(models[0])


@pytest.mark.parametrize("train_with", ["train_on_batch", "fit"])
def test_a_penalty_that_is_set_or_taken_away_between_steps_counts_from_then_on(train_with, data):
    def after(*penalties):
        model = make_model(optimizers.SGD(0.1))
        for penalty in penalties:
            model.layers[0].cell.kernel.regularizer = penalty
            options = {"verbose": 0, "shuffle": False} if train_with == "fit" else {}
            getattr(model, train_with)(*data, **options)
        return model.get_weights()[0], model.evaluate(*data, verbose=0)

    l2 = recurra.regularizers.L2(0.5)
    (plain, loss), (late, late_loss), (early, early_loss) = after(None, None), after(None, l2), after(l2, None)
    assert np.abs(late).sum() < np.abs(plain).sum() and np.abs(early).sum() < np.abs(plain).sum()
    assert late_loss > loss + 0.1 > early_loss


def test_a_penalty_that_raises_takes_nothing(data, general_steps):
    class Failing(recurra.regularizers.L2):
        fails = False

        def gradient(self, x):
            if self.fails:
                raise RuntimeError("no penalty")
            return super().gradient(x)

    recurra.utils.set_random_seed(0)
    penalty = Failing()
    model = Sequential([Input((6, 2)), layers.LSTM(5, dropout=0.5), layers.Dense(1, kernel_regularizer=penalty)])
    model.compile("sgd", "mse")
    train(model, *data)
    before = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]
    penalty.fails = True
    with pytest.raises(RuntimeError, match="no penalty"):
        train(model, *data)
    assert_same([*model.variables, *model.optimizer.variables], before)
    assert not general_steps


def test_methods_of_the_users_own_are_called(data):
    class Halved(losses.MeanSquaredError):
        def value_and_gradient(self, *arguments):
            value, gradient = super().value_and_gradient(*arguments)
            return value / 2, gradient / 2

    class Still(optimizers.Adam):
        def update(self, w, g, *slots, learning_rate, step):
            pass

    half, whole, still = make_model(loss=Halved()), make_model(), make_model(Still())
    before = still.get_weights()
    assert train(half, *data, steps=1)[0] == train(whole, *data, steps=1)[0] / 2
    train(still, *data)
    assert_same(still.get_weights(), before)


def halve_the_weights(model):
    model.set_weights([weight / 2 for weight in model.get_weights()])


def set_the_optimizers_weights(model):
    model.optimizer.set_weights([np.asarray(v) * 2 for v in model.optimizer.variables])


def freeze(model):
    model.layers[0].trainable = False


def freeze_and_compile(model):
    freeze(model)
    model.compile(type(model.optimizer)(0.1), "mae")


def share_the_layers(model):
    Sequential([Input((6, 2)), *model.layers]).compile("adam", "mse")


def lay_the_weights_elsewhere(model):
    other = Sequential([Input((6, 2)), *model.layers])
    other.compile(optimizers.SGD(0.1), "mse")
    other.train_on_batch(np.ones((2, 6, 2), "float32"), np.ones((2, 1), "float32"))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.optimizer, "learning_rate", 0.1),
        lambda m: m.optimizer.learning_rate.assign(0.2),
        lambda m: setattr(m.optimizer, "learning_rate", optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        lambda m: setattr(m.optimizer, "learning_rate", lambda: 0.03),
        lambda m: setattr(m.optimizer, "beta_1", 0.5),
        lambda m: setattr(m.optimizer, "epsilon", 0.1),
        lambda m: m.optimizer.iterations.assign(100),
        lambda m: m.compile(type(m.optimizer)(0.1), losses.Huber(0.1)),
        lambda m: setattr(m.layers[1], "activation", recurra.activations.get("tanh")),
        halve_the_weights,
        set_the_optimizers_weights,
        freeze_and_compile,
        share_the_layers,
        lay_the_weights_elsewhere,
        lambda m: setattr(m.optimizer, "clipvalue", 1e-4),
        lambda m: setattr(m.optimizer, "global_clipnorm", 1e-4),
        lambda m: setattr(m.optimizer, "weight_decay", 0.5),
    ],
)
def test_a_change_between_steps_shows_in_the_next(change, data, general_steps):
    models = pair()
    assert_natively_the_same(models, general_steps, *data)
    before = models[0].get_weights()
    for model in models:
        change(model)
    assert_natively_the_same(models, general_steps, *data)
    moved = zip(models[0].get_weights(), before, strict=True)
    assert any(np.any(now != then) for now, then in moved)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m._trainable_state.losses.losses[0], "reduction", "sum"),
    ],
)
def test_a_change_that_native_code_does_not_know_ends_the_native_steps(change, data, general_steps):
    models = pair()
    assert_natively_the_same(models, general_steps, *data)
    general_steps.clear()
    for model in models:
        change(model)
    assert train(models[0], *data) == train(models[1], *data)
    assert general_steps == [models[0]] * STEPS + [models[1]] * STEPS
    assert_same_models(*models)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.optimizer, "loss_scale_factor", 2.0),
        freeze,  # the optimizer was built with the frozen weights too
    ],
)
def test_a_change_may_take_the_update_from_the_native_step(change, data, general_steps):
    models = pair()
    assert_natively_the_same(models, general_steps, *data)
    for model in models:
        change(model)
    assert_natively_the_same(models, general_steps, *data)
    assert not ends_with_the_update(models[0])


def test_a_frozen_layer_stays_as_it_is_after_compile(data, general_steps):
    model = make_model()
    train(model, *data)
    freeze_and_compile(model)
    frozen = model.layers[0].get_weights()
    train(model, *data)
    assert_same(model.layers[0].get_weights(), frozen)
    assert not general_steps


def test_saved_weights_are_trained_on_from(data, tmp_path, general_steps):
    models = pair()
    for model in models:
        train(model, *data)
        model.save_weights(tmp_path / "some.weights.h5")
        train(model, *data)
        model.load_weights(tmp_path / "some.weights.h5")
    general_steps.clear()
    assert_natively_the_same(models, general_steps, *data)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_on_alone(copied, data, general_steps):
    models = pair()
    for model in models:
        train(model, *data)
    native = copied(models[0])
    at_copy = models[0].get_weights()
    general_steps.clear()
    assert_natively_the_same((native, models[1]), general_steps, *data)
    assert_same(models[0].get_weights(), at_copy)


def test_callbacks_may_set_the_learning_rate(data, general_steps):
    models = pair()
    for model in models:
        recurra.utils.set_random_seed(1)
        schedule = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        model.fit(*data, batch_size=4, epochs=3, verbose=0, callbacks=[schedule])
    assert_same_models(*models)
    assert float(models[0].optimizer.learning_rate) == pytest.approx(0.001 / 8)
    assert general_steps == [models[1]] * 9


def test_a_schedule_counts_native_steps(data, general_steps):
    models = pair(learning_rate=optimizers.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True))
    assert_natively_the_same(models, general_steps, *data)
    assert int(models[0].optimizer.iterations) == STEPS
    assert float(models[0].optimizer.learning_rate) == pytest.approx(0.025)


def test_a_refused_batch_changes_nothing(data):
    x, y = data
    model = make_model()
    train(model, x, y)
    before = held_by(model)
    with pytest.raises(ValueError, match="expected"):
        model.train_on_batch(x[:, :, :1], y)
    with pytest.raises(ValueError, match="the same number of rows"):
        model.train_on_batch(x, y[:5])
    assert_same(held_by(model), before)


@pytest.mark.parametrize(
    "other",
    [
        lambda x, y: (x.tolist(), y.tolist()),
        lambda x, y: (x.astype("float64"), y.astype("float64")),
        lambda x, y: (x[:7], y[:7]),
        lambda x, y: (x, y[:, 0]),
        lambda x, y: (x.transpose(0, 2, 1).copy().transpose(0, 2, 1), y),
        lambda x, y: (x, y, np.arange(11.0)),
        lambda x, y: (x, y, None, {0: 2.0}),
    ],
)
def test_arrays_unlike_those_of_the_last_step_are_looked_at(other, data):
    x, y = data[0], np.zeros_like(data[1])
    native, general = pair()
    for batch in ((x, y), (x, y), other(x, y), (x, y), other(x, y), other(x, y)):
        assert native.train_on_batch(*batch) == general.train_on_batch(*batch)
    assert_same_models(native, general)


def test_targets_that_a_layer_gave_and_lists_are_told_apart(data):
    x, y = data
    native, general = pair()
    given = layers.Identity()(y)
    assert type(given) is not np.ndarray
    for batch in ((x, given), (x.tolist(), y.tolist()), (x, given), (x.tolist(), given)):
        assert native.train_on_batch(*batch) == general.train_on_batch(*batch)
    assert_same_models(native, general)


def test_two_models_and_a_model_compiled_again_know_their_own_data(data):
    x, y = data
    one, other = make_model(), make_model(loss="mae")
    expected = [train(make_model(loss=loss), x, y) for loss in ("mse", "mae")]
    assert [[a, b] for a, b in zip(*(train(m, x, y) for m in (one, other)), strict=True)] == [
        [a, b] for a, b in zip(*expected, strict=True)
    ]
    weights = one.get_weights()
    one.compile("adam", "mae")
    fresh = make_model(loss="mae")
    fresh.set_weights(weights)
    fresh.compile("adam", "mae")
    assert train(one, x, y) == train(fresh, x, y)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "nadam"])
def test_counters_of_a_step_are_no_changes_that_the_next_one_has_to_look_at(optimizer, data):
    model, total = make_model(optimizer, metrics=["mae", metrics.R2Score()]), metrics.Sum()
    train(model, *data, steps=2)
    before = _changes.last
    train(model, *data)
    total.update_state([1.0])
    assert _changes.last == before


def test_an_interrupt_between_steps_leaves_the_steps_before_it(data):
    x, y = data

    class Interrupting(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    interrupted, whole = pair()
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[Interrupting()])
    assert int(interrupted.optimizer.iterations) == 2
    whole.fit(x[:8], y[:8], batch_size=4, shuffle=False, verbose=0)
    assert_same_models(interrupted, whole)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_an_interrupt_at_any_time_comes_before_or_after_a_step(rng):
    def interrupt(*_):
        raise KeyboardInterrupt

    def make():
        recurra.utils.set_random_seed(0)
        model = Sequential([Input((60, 1)), layers.LSTM(64), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    x, y = rng.standard_normal((32, 60, 1)).astype("float32"), rng.standard_normal((32, 1)).astype("float32")
    interrupted, whole = make(), make()
    train(interrupted, x, y, steps=1)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            train(interrupted, x, y, steps=100_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    train(whole, x, y, steps=int(interrupted.optimizer.iterations))
    assert_same_models(interrupted, whole)


def test_steps_of_several_sizes_go_on_from_each_other(data, general_steps):
    x, y = data
    models = pair()
    for rows in (11, 1, 4, 11):
        assert_natively_the_same(models, general_steps, x[:rows], y[:rows])


def test_many_steps_leave_nothing_behind(growth, data):
    model = make_model()
    assert growth(lambda: model.train_on_batch(*data)) < 2000


def dropout_model(dense=layers.Dense, **options):
    recurra.utils.set_random_seed(0)
    line = [layers.LSTM(5, return_sequences=True), layers.Dropout(0.5), layers.GRU(4), layers.Dropout(0.2)]
    model = Sequential([Input((6, 2)), *line, dense(1, **options)])
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def test_a_native_step_draws_what_the_layers_draw(data, general_steps):
    native, general = dropout_model(), dropout_model(OwnDense)
    assert train(native, *data) == train(general, *data)
    assert train(native, data[0][:3], data[1][:3]) == train(general, data[0][:3], data[1][:3])  # of another size
    native.layers[1].rate = general.layers[1].rate = 0.1
    assert train(native, *data) == train(general, *data)
    assert general_steps == [general] * 3 * STEPS
    assert_same_models(native, general)
    assert_same(native.non_trainable_variables, general.non_trainable_variables)


def test_constraints_hold_after_a_native_step_with_dropout(data, general_steps):
    native, general = (dropout_model(dense, kernel_constraint="max_norm") for dense in (layers.Dense, OwnDense))
    assert train(native, *data) == train(general, *data)
    assert general_steps == [general] * STEPS
    assert_same_models(native, general)


def test_a_refused_batch_draws_nothing_for_good(data):
    x, y = data
    native, double = dropout_model(), dropout_model()
    train(native, x, y, 1), train(double, x, y, 1)
    with pytest.raises(ValueError, match="target"):
        native.train_on_batch(x, np.zeros((11, 3, 4), np.float32))
    assert train(native, x, y) == train(double, x, y)
