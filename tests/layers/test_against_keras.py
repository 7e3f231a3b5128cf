"""Random layers against real Keras on TensorFlow: outputs, gradients, masks, shapes, configs, names of weights.

Run where they are installed (`pip install '.[peers]'`); skipped elsewhere.
"""

import random
import warnings

import numpy as np
import pytest

import recurra
from recurra import _tree

CASES = 8  # of each family
ACTIVATIONS = [None, "relu", "sigmoid", "gelu", "softsign", "elu", "softmax", "hard_silu", "mish"]
CELLS = ["SimpleRNN", "LSTM", "GRU"]


@pytest.fixture(scope="module")
def tf():
    pytest.importorskip("keras", reason="Keras is not installed")
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


def some(r, **options):
    """Returns each option with even chances."""
    return {name: make() for name, make in options.items() if r.random() < 0.5}


def shape_of(r):
    return r.randint(1, 4), r.randint(4, 8), r.randint(1, 5)


def conv1d(r):
    groups = r.choice([1, 1, 2])
    shape = (r.randint(1, 3), r.randint(7, 11), groups * r.randint(1, 3))
    kwargs = {"filters": groups * r.randint(1, 3), "kernel_size": r.randint(1, 4), "groups": groups}
    kwargs[r.choice(["strides", "dilation_rate"])] = r.randint(1, 2)
    kwargs["padding"] = r.choice(["valid", "same", "causal"])
    kwargs |= some(r, activation=lambda: r.choice(ACTIVATIONS), kernel_regularizer=lambda: "l1")
    return "Conv1D", kwargs, [shape], {}


def pooling(r):
    kwargs = {"pool_size": r.randint(1, 3), "padding": r.choice(["valid", "same"])}
    return r.choice(["MaxPooling1D", "AveragePooling1D"]), kwargs | some(r, strides=lambda: 2), [shape_of(r)], {}


def global_pooling(r):
    name = r.choice(["GlobalMaxPooling1D", "GlobalAveragePooling1D"])
    return name, some(r, keepdims=lambda: True), [shape_of(r)], {}


def reshaping(r):
    return (
        *r.choice(
            [
                ("UpSampling1D", {"size": 3}),
                ("ZeroPadding1D", {"padding": (1, 2)}),
                ("Cropping1D", {"cropping": (2, 1)}),
                ("Permute", {"dims": (2, 1)}),
                ("Reshape", {"target_shape": (-1, 1, 2)}),
                ("Flatten", {}),
            ]
        ),
        [(2, r.randint(4, 8), 2)],
        {},
    )


def normalization(r):
    name = r.choice(["BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"])
    kwargs = {"groups": -1} if name == "GroupNormalization" else some(r, axis=lambda: r.choice([1, 2]))
    call = {"training": True} if name == "BatchNormalization" else {}
    return name, kwargs, [shape_of(r)], call


def merging(r):
    name = r.choice(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
    count = 2 if name == "Subtract" else 3
    return name, {}, [shape_of(r)] * count, {"mask": [r.random() < 0.5 for _ in range(count)]}


def dot(r):
    batch, steps, features = shape_of(r)
    other = (batch, steps, 3)
    return "Dot", {"axes": 1} | some(r, normalize=lambda: True), [(batch, steps, features), other], {}


def attention(r):
    n, s, t, d = (r.randint(2, 4) for _ in range(4))
    name = r.choice(["Attention", "AdditiveAttention"])
    kwargs = some(r, use_scale=lambda: r.random() < 0.5)
    return name, kwargs, [(n, s, d), (n, t, d)], some(r, use_causal_mask=lambda: True)


def recurrent(r):
    name = r.choice(CELLS)
    shape = shape_of(r)
    kwargs = {"units": r.randint(1, 9)} | some(
        r,
        activation=lambda: r.choice(ACTIVATIONS),
        use_bias=lambda: False,
        recurrent_regularizer=lambda: "l2",
        return_sequences=lambda: True,
        return_state=lambda: True,
        go_backwards=lambda: True,
        zero_output_for_mask=lambda: True,
    )
    kwargs |= {"LSTM": {"unit_forget_bias": False}, "GRU": {"reset_after": r.random() < 0.5}}.get(name, {})
    return name, kwargs, [shape], {"mask": [r.random() < 0.5]}


FAMILIES = [conv1d, pooling, global_pooling, reshaping, normalization, merging, dot, attention, recurrent]


def plain(config):
    """Returns a config as JSON would hold it."""
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return [plain(item) for item in config] if isinstance(config, (list, tuple)) else config


def close(mine, its, what, tolerance):
    its = np.asarray(its)
    scale = max(np.abs(its).max(initial=0), 1e-3)
    np.testing.assert_allclose(np.asarray(mine), its, rtol=0, atol=tolerance * scale, err_msg=what)


def same_layers(keras, name, kwargs, inputs):
    """Returns recurra's layer and Keras's, built, with the same weights."""
    mine, its = (getattr(library.layers, name)(**kwargs, name="it") for library in (recurra, keras))
    shapes = inputs[0].shape if len(inputs) == 1 else [x.shape for x in inputs]
    mine.build(shapes)
    its(inputs[0] if len(inputs) == 1 else inputs)
    rng = np.random.default_rng(0)
    weights = [np.abs(rng.normal(size=w.shape)).astype("float32") + 0.1 for w in its.weights]
    mine.set_weights(weights)
    its.set_weights(weights)
    return mine, its, shapes


def its_outputs_and_gradients(tf, layer, inputs, masks, call):
    variables = [tf.Variable(x) for x in inputs]
    with tf.GradientTape() as tape:
        given = [tf.identity(v) for v in variables]
        for x, mask in zip(given, masks, strict=True):
            if mask is not None:
                x._keras_mask = tf.constant(mask)
        outputs = tf.nest.flatten(layer(given[0] if len(given) == 1 else given, **call))
        cotangents = [np.random.default_rng(i).normal(size=y.shape).astype("float32") for i, y in enumerate(outputs)]
        loss = tf.add_n([tf.reduce_sum(y * c) for y, c in zip(outputs, cotangents, strict=True)])
    wanted = [variables, [w.value for w in layer.trainable_weights]]
    return outputs, cotangents, tape.gradient(loss, wanted, unconnected_gradients="zero")


@pytest.mark.parametrize("case", range(CASES))
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_random_layer_is_keras_s(family, case, tf):
    import keras

    r = random.Random(f"{family.__name__} {case}")
    name, kwargs, shapes, call = family(r)
    rng = np.random.default_rng(case)
    inputs = [rng.normal(size=shape).astype("float32") for shape in shapes]
    masked = call.pop("mask", [False] * len(inputs))
    masks = [rng.random(x.shape[:2]) < 0.6 if m else None for x, m in zip(inputs, masked, strict=True)]
    mine, its, input_shape = same_layers(keras, name, kwargs, inputs)

    assert plain(mine.get_config()) == plain(its.get_config())
    assert plain(type(mine).from_config(its.get_config()).get_config()) == plain(its.get_config())
    assert plain(type(its).from_config(mine.get_config()).get_config()) == plain(its.get_config())
    assert [w.path for w in mine.weights] == [w.path for w in its.weights]
    assert plain(mine.compute_output_shape(input_shape)) == plain(its.compute_output_shape(input_shape))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # layers that drop a mask say so, here and there
        outputs, cotangents, (dx, dw) = its_outputs_and_gradients(tf, its, inputs, masks, call)
        mine_in, mask = (inputs[0], masks[0]) if len(inputs) == 1 else (inputs, masks)
        ys, cache, found = mine._run_layer(mine_in, mask, call.pop("training", False), call)
    ys, found = _tree.flatten(ys), _tree.flatten(found)
    assert len(ys) == len(outputs)
    for y, its_y in zip(ys, outputs, strict=True):
        close(y, its_y, "output", 1e-5)
    its_mask = getattr(outputs[0], "_keras_mask", None)
    assert (found[0] is None) == (its_mask is None)
    np.testing.assert_array_equal(found[0], its_mask)
    mine_dx, _ = mine.backward_all(cotangents[0] if len(cotangents) == 1 else cotangents, cache)
    for gradient, its_gradient in zip(_tree.flatten(mine_dx), dx, strict=True):
        close(gradient, its_gradient, "input gradient", 1e-4)
    for weight, its_gradient in zip(mine.trainable_weights, dw, strict=True):
        close(weight.grad, its_gradient, weight.path, 1e-4)
    assert mine.losses == pytest.approx([float(loss) for loss in its.losses], rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_ctc_and_circle_are_keras_s(seed, tf):
    import keras

    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(3, 9, 5)).astype("float32")
    labels = np.array([[1, 2, 2, 4], [3, 1, 0, 0], [4, 4, 1, 0]])
    rows = rng.normal(size=(7, 4)).astype("float32")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kinds = np.array([0, 0, 1, 1, 1, 2, 3])
    for name, kwargs, y_true, y_pred in (("CTC", {}, labels, logits), ("Circle", {"gamma": 9.0}, kinds, rows)):
        mine, its = (getattr(library.losses, name)(**kwargs) for library in (recurra, keras))
        variable = tf.Variable(y_pred)
        with tf.GradientTape() as tape:
            its_value = its(y_true, tf.identity(variable))
        value, gradient = mine.value_and_gradient(y_true, y_pred)
        close(value, its_value, name, 1e-5)
        close(mine(y_true, y_pred), its_value, name, 1e-5)
        close(gradient, tape.gradient(its_value, variable), f"gradient of {name}", 1e-4)
