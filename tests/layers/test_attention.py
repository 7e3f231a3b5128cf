"""Attention: what is masked has no weight, gradients, scores as outputs, shapes in files."""

import tracemalloc

import numpy as np
import pytest

import recurra
from recurra import _tree, layers, ops


def test_a_function_makes_the_weights_of_attention():
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    layer = layers.MultiHeadAttention(2, 2, kernel_initializer=halves)
    layer(np.ones((1, 3, 4)), np.ones((1, 3, 4)))
    kernels = [weight for weight in layer.get_weights() if weight.ndim == 3]
    assert all((kernel == 0.5).all() for kernel in kernels) and len(kernels) == 4


def test_attention_keeps_three_arrays_of_the_size_of_its_scores_and_makes_one_more_backwards(rng):
    layer = layers.MultiHeadAttention(1, 2, dropout=0.5)
    x = rng.standard_normal((1, 500, 2)).astype("float32")
    layer(x, x)
    tracemalloc.start()
    y, cache = layer.forward(x, value=x, training=True)
    layer.backward_all(y, cache)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4.5 * 500 * 500 * 4


def test_attention_to_the_data_multiplies_nothing_for_a_gradient_that_nobody_reads(monkeypatch, rng):
    products, backward = [], ops.dense_backward

    def spy(*args, need_dx=True):
        products.append(need_dx)
        return backward(*args, need_dx=need_dx)

    x = rng.standard_normal((2, 4, 6)).astype("float32")
    layer = layers.MultiHeadAttention(2, 3)
    layer.build(x.shape, value_shape=x.shape)
    y, cache = layer.forward(x, value=x)
    monkeypatch.setattr(ops, "dense_backward", spy)
    gradients = []
    for need_dx in (True, False):
        dx, others = layer.backward_all(np.ones_like(y), cache, need_dx=need_dx)
        gradients.append([variable.grad.copy() for variable in layer.trainable_variables])
        for variable in layer.trainable_variables:
            variable.zero_grad()
    assert products == [True] * 4 + [True, False, False, False]  # what goes into the heads' results is needed
    assert dx is None and not others
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, other)


ATTENTIONS = {
    "dot": lambda q, v: layers.Attention(use_scale=True)([q, v], return_attention_scores=True),
    "additive": lambda q, v: layers.AdditiveAttention()([q, v], return_attention_scores=True),
    "heads": lambda q, v: layers.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True),
}


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("outputs", ["both", "scores"])
def test_scores_of_attention_are_outputs_of_models_and_train(name, outputs, rng, tmp_path):
    query, value = (recurra.Input((None, 3), dtype="float64") for _ in range(2))
    with_dtype = recurra.config.floatx()
    recurra.config.set_floatx("float64")
    try:
        y, scores = ATTENTIONS[name](query, value)
    finally:
        recurra.config.set_floatx(with_dtype)
    model = recurra.Model([query, value], [y, scores] if outputs == "both" else scores)
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    x = [rng.standard_normal((5, 4, 3)), rng.standard_normal((5, 6, 3))]
    found = _tree.flatten(model.predict(x, verbose=0))
    assert found[-1].shape == ((5, 2, 4, 6) if name == "heads" else (5, 4, 6))
    assert scores.shape == ((None, 2, None, None) if name == "heads" else (None, None, None))
    np.testing.assert_allclose(found[-1].sum(axis=-1), 1)
    targets = [rng.standard_normal(array.shape) for array in found]
    model.compile(recurra.optimizers.SGD(1e-6), "mse")
    before = model.get_weights()
    loss = model.evaluate(x, targets, verbose=0, return_dict=True)["loss"]
    model.train_on_batch(x, targets)
    slopes = [(old - new) / 1e-6 for old, new in zip(before, model.get_weights(), strict=True)]
    after = model.evaluate(x, targets, verbose=0, return_dict=True)["loss"]
    assert loss - after == pytest.approx(1e-6 * sum(float(np.square(slope).sum()) for slope in slopes), rel=1e-3)
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    for one, other in zip(*(_tree.flatten(each.predict(x, verbose=0)) for each in (again, model)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_the_gradients_of_attention_leave_out_what_is_masked(kind, rng, check_gradients):
    layer = kind(dtype="float64")
    query, value = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 2))
    layer.build([query.shape, value.shape])
    masks = [np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[1, 1, 1, 0], [1, 0, 1, 1]], bool)]
    check_gradients(layer, query, value, mask=masks)
    _, weights = layer([query, value], mask=masks, return_attention_scores=True)
    assert not np.any(np.moveaxis(weights.numpy(), 1, 2)[~masks[1]])


@pytest.mark.parametrize("score_mode", ["dot", "concat"])
def test_the_gradients_of_both_factors_of_attention_are_right(score_mode, rng, check_gradients):
    layer = layers.Attention(use_scale=True, score_mode=score_mode, dtype="float64")
    query, value = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 2))
    layer.build([query.shape, value.shape])
    layer.set_weights([np.asarray(factor) for factor in (0.7, 1.3)[: len(layer.weights)]])
    check_gradients(layer, query, value)


def test_what_a_query_may_not_see_has_no_weight_beside_dropout(rng):
    layer, x = layers.MultiHeadAttention(2, 3, dropout=0.3), rng.standard_normal((2, 4, 5)).astype("float32")
    seen = np.tril(np.ones((4, 4), bool), -1)  # the first query sees nothing
    y, weights = layer(x, x, attention_mask=seen[None], training=True, return_attention_scores=True)
    assert not np.any(weights.numpy()[..., ~seen])
    np.testing.assert_array_equal(y[:, 0], np.zeros((2, 5)))  # the bias
    np.testing.assert_array_equal(layer(x, x, attention_mask=seen[None])[:, 0], np.zeros((2, 5)))
    assert 0 < np.mean(weights.numpy()[..., seen] == 0) < 1


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_gradients_of_multi_head_attention_are_slopes(use_bias, rng, check_gradients):
    query, value, key = (rng.standard_normal((2, size, 3)) for size in (4, 5, 5))
    layer = layers.MultiHeadAttention(2, 2, value_dim=3, use_bias=use_bias, dtype="float64")
    layer(query, value, key)
    layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.weights])
    check_gradients(layer, query, value=value, key=key)


def test_the_mask_of_a_sequence_that_looks_at_itself_leaves_out_its_keys(rng):
    layer, x = layers.MultiHeadAttention(2, 2), rng.standard_normal((2, 4, 3)).astype("float32")
    seen = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    found = layer(x, x, mask=seen)
    np.testing.assert_array_equal(found, layer(x, x, query_mask=seen, value_mask=seen))
    changed = np.where(seen[..., None], x, 9)
    np.testing.assert_array_equal(layer(changed, changed, mask=seen)[seen], found.numpy()[seen])


def test_attention_that_was_built_still_looks_at_its_inputs():
    layer, x = layers.Attention(), np.ones((2, 4, 6), "float32")
    layer([x, x])
    with pytest.raises(ValueError, match="Attention expected keys with 6 features, got 3"):
        layer([x, x, x[..., :3]])


def test_attention_is_built_by_the_shapes_of_a_file():
    layer = layers.MultiHeadAttention(2, 2)
    layer(np.ones((1, 4, 3)), np.ones((1, 5, 6)))
    again = layers.MultiHeadAttention.from_config(layer.get_config())
    again.build_from_config(layer.get_build_config())
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in layer.weights]
