"""What onnxruntime computes from an exported model with attention is what the model predicts."""

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.interop.onnx_file import to_onnx

pytest.importorskip("onnx", reason="the interop extra is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx_runs import assert_same_predictions

KINDS = {
    "dot": lambda: layers.Attention(),
    "dot with a scale": lambda: layers.Attention(use_scale=True),
    "concat": lambda: layers.Attention(score_mode="concat"),
    "concat with a scale": lambda: layers.Attention(score_mode="concat", use_scale=True, dropout=0.1),
    "additive": lambda: layers.AdditiveAttention(),
    "additive without a scale": lambda: layers.AdditiveAttention(use_scale=False),
    "one head": lambda: layers.MultiHeadAttention(1, 3),
    "three heads": lambda: layers.MultiHeadAttention(3, 2, value_dim=5, output_shape=7),
    "heads without bias": lambda: layers.MultiHeadAttention(2, 3, use_bias=False),
    "heads that drop": lambda: layers.MultiHeadAttention(2, 3, dropout=0.5),
}


def attend(layer, query, value, *key, **options):
    """Returns a layer's answer, by the way in which its kind is called."""
    if isinstance(layer, layers.MultiHeadAttention):
        return layer(query, value, *key, **options)
    return layer([query, value, *key], **options)


def randomized(model, rng):
    model.set_weights([rng.uniform(-1, 1, weight.shape) for weight in model.get_weights()])
    return model


def with_zeros(rng, timesteps, *lengths):
    """Returns (N, timesteps, 4) sequences with zeros after each length, before which one step is zero too."""
    array = rng.standard_normal((len(lengths), timesteps, 4)).astype("float32")
    for row, length in zip(array, lengths, strict=True):
        row[length:] = 0
        row[max(length - 2, 0)] = 0
    return array


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_attention(kind, count, causal, rng):
    ends = [recurra.Input((None, 4)) for _ in range(count)]
    given = [*ends, *ends] if count == 1 else ends  # of one input: self-attention
    model = randomized(recurra.Model(ends, attend(KINDS[kind](), *given, use_causal_mask=causal)), rng)
    made = to_onnx(model)
    for rows, queries, keys in ((3, 5, 7), (1, 6, 2)):  # batch and time are open
        sizes = [queries, keys, keys][:count]
        arrays = [rng.standard_normal((rows, size, 4)).astype("float32") for size in sizes]
        assert_same_predictions(model, arrays, made)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "masked", [(True, False, False), (False, True, False), (False, False, True), (True, True, True)]
)
@pytest.mark.parametrize("with_scores", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_query_value_and_key(kind, with_scores, masked, causal, rng):
    ends = [recurra.Input((None, 4)) for _ in masked]
    given = [layers.Masking()(end) if mask else end for end, mask in zip(ends, masked, strict=True)]
    y = attend(KINDS[kind](), *given, use_causal_mask=causal, return_attention_scores=with_scores)
    y, *scores = y if with_scores else (y,)
    model = randomized(recurra.Model(ends, [y, layers.GlobalAveragePooling1D()(y), *scores]), rng)
    arrays = [with_zeros(rng, 6, 5, 2, 0), with_zeros(rng, 8, 0, 3, 8), with_zeros(rng, 8, 8, 3, 4)]
    assert_same_predictions(model, arrays, to_onnx(model))


def test_self_attention_of_words_before_a_recurrent_layer(rng):
    end = recurra.Input((None,), dtype="int32")
    words = layers.Embedding(9, 4, mask_zero=True)(end)
    y = layers.Add()([words, layers.MultiHeadAttention(2, 3)(words, words)])
    model = randomized(recurra.Model(end, layers.GRU(3)(y)), rng)
    x = np.array([[3, 1, 8, 0, 0], [2, 0, 0, 0, 0], [1, 2, 3, 4, 5]], "int32")
    assert_same_predictions(model, [x], to_onnx(model, right_padded=True))


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (3, 5, 7), (3, 2, 5, 7)])
def test_masks_by_name(shape, rng):
    query, value = recurra.Input((5, 4)), recurra.Input((7, 4))
    counts = recurra.Input((7,), dtype="bool")
    seen = rng.random(shape) < 0.6
    y = layers.MultiHeadAttention(2, 3)(query, value, attention_mask=seen, value_mask=counts)
    model = randomized(recurra.Model([query, value, counts], y), rng)
    arrays = [rng.standard_normal((3, size, 4)).astype("float32") for size in (5, 7)]
    assert_same_predictions(model, [*arrays, rng.random((3, 7)) < 0.7], to_onnx(model))


def test_a_mask_by_name_that_is_an_input(rng):
    steps, seen = recurra.Input((5, 4)), recurra.Input((5, 5))
    y = layers.MultiHeadAttention(2, 3)(layers.Masking()(steps), steps, attention_mask=seen)
    model = randomized(recurra.Model([steps, seen], y), rng)
    assert_same_predictions(model, [with_zeros(rng, 5, 5, 2, 0), rng.integers(0, 2, (3, 5, 5))], to_onnx(model))


def test_inputs_of_another_dtype(rng):
    query, value = recurra.Input((5, 4), dtype="float64"), recurra.Input((7, 4), dtype="int32")
    given = [layers.Masking(dtype="float64")(query), value]
    y = [layers.MultiHeadAttention(2, 3)(*given), layers.Attention()(given)]
    model = randomized(recurra.Model([query, value], y), rng)
    arrays = [with_zeros(rng, 5, 5, 2, 0).astype("float64"), rng.integers(0, 9, (3, 7, 4))]
    assert_same_predictions(model, arrays, to_onnx(model))


def test_attention_of_a_shared_layer_inside_a_model_in_float64(rng):
    end = recurra.Input((None, 4), dtype="float64")
    heads = layers.MultiHeadAttention(2, 3, dtype="float64")
    part = recurra.Model(end, layers.AdditiveAttention(dtype="float64")([heads(heads(end, end), end), end]))
    start = recurra.Input((None, 4), dtype="float64")
    model = randomized(recurra.Model(start, part(part(start))), rng)
    assert assert_same_predictions(model, [rng.standard_normal((2, 6, 4))], to_onnx(model)) <= 1e-12


def test_a_mask_that_onnx_cannot_follow_is_refused():
    end = recurra.Input((5, 4))
    joined = layers.Concatenate(axis=1)([layers.Masking()(end), end])
    for y in (layers.Attention()([end, joined]), layers.MultiHeadAttention(1, 2)(end, joined)):
        with pytest.raises(ValueError, match="expected masks straight from Masking or Embedding"):
            to_onnx(recurra.Model(end, y))


def test_attention_is_not_streamed():
    end = recurra.Input((5, 4))
    last = layers.Reshape((1, 4))(layers.GRU(4)(end))
    for query, message in ((end, "no more than one time step"), (last, "inputs that all have the time axis")):
        model = recurra.Model(end, layers.MultiHeadAttention(1, 2)(query, end))
        with pytest.raises(ValueError, match=f"MultiHeadAttention .* expected .*{message}"):
            to_onnx(model, streaming=True)


class Doubled(layers.Attention):
    """Attention whose export would be wrong."""

    def forward(self, *args, **kwargs):
        y, cache = super().forward(*args, **kwargs)
        return 2 * y, cache


def test_a_subclass_is_refused():
    end = recurra.Input((5, 4))
    with pytest.raises(ValueError, match="a layer that ONNX export knows"):
        to_onnx(recurra.Model(end, Doubled()([end, end])))
