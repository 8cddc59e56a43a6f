"""Attention against its formulas in NumPy."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
RNG = np.random.default_rng(0)
Q, V, K = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 6)), RNG.normal(size=(2, 5, 4))
SEES_Q, SEES_V = np.array([[1, 0, 1], [1, 1, 1]], bool), np.array([[1, 1, 0, 1, 1], [1, 0, 0, 0, 1]], bool)


def softmax(scores):
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


SUMS = Q[:, :, None] + K[:, None]
KINDS = {
    "products": (lambda: layers.Attention(dtype="float64"), [], Q @ K.swapaxes(1, 2)),
    "scaled": (lambda: layers.Attention(use_scale=True, dtype="float64"), [0.3], 0.3 * Q @ K.swapaxes(1, 2)),
    "concat": (
        lambda: layers.Attention(use_scale=True, score_mode="concat", dtype="float64"),
        [0.5, 2.0],
        2.0 * np.tanh(0.5 * SUMS).sum(-1),
    ),
}


def made(kind):
    make, weights, scores = KINDS[kind]
    layer = make()
    layer.build([Q.shape, V.shape, K.shape])
    layer.set_weights([np.array(weight) for weight in weights])
    return layer, scores


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_queries_find_the_mean_of_values_by_the_softmax_of_scores(kind, causal, masked):
    layer, scores = made(kind)
    seen = np.ones((2, 1, 5), bool)
    options = {"use_causal_mask": causal}
    if masked:
        seen = seen & SEES_V[:, None]
        options["mask"] = [SEES_Q, SEES_V, None]
    if causal:
        seen = seen & np.tri(3, 5, dtype=bool)
    weights = softmax(np.where(seen, scores, scores - 1e9))
    wanted = weights @ V * (SEES_Q[..., None] if masked else 1)
    np.testing.assert_allclose(layer([Q, V, K], **options), wanted, rtol=1e-6, atol=1e-9)
    found, got = layer([Q, V, K], return_attention_scores=True, **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got, weights, rtol=1e-6, atol=1e-9)


def test_weights_names_masks_and_shapes():
    layer = layers.Attention(use_scale=True, score_mode="concat")
    layer([Q, V, K])
    assert [w.path.partition("/")[2] for w in layer.weights] == ["scale", "concat_score_weight"]
    assert layer.compute_output_shape([(2, 3, 4), (2, 5, 6)]) == (2, 3, 6)
    np.testing.assert_array_equal(layer.compute_mask([Q, V], [SEES_Q, None]), SEES_Q)
    assert layer.compute_mask([Q, V], None) is None


@pytest.mark.parametrize("shapes", [((2, 7, 3, 4), (2, 7, 5, 4)), ((3, 4), (5, 4)), ((0, 3, 4), (0, 5, 4))])
def test_other_ranks_and_nothing(shapes):
    q, v = (RNG.normal(size=shape) for shape in shapes)
    found = layers.Attention(dtype="float64")([q, v])
    np.testing.assert_allclose(found, softmax(q @ v.swapaxes(-1, -2)) @ v, rtol=1e-10)


def test_weights_are_dropped_in_training():
    for mode in ("dot", "concat"):
        layer = layers.Attention(score_mode=mode, dropout=0.5, seed=1)
        quiet, first, second = layer([Q, K]), layer([Q, K], training=True), layer([Q, K], training=True)
        assert len({y.numpy().tobytes() for y in (quiet, first, second)}) == 3
        again = layers.Attention.from_config(layer.get_config())
        again([Q, K])
        again.set_weights(layer.get_weights())
        np.testing.assert_array_equal(first, again([Q, K], training=True))


def test_a_query_that_sees_no_value_finds_their_mean():
    found = layers.Attention()([Q, V, K], mask=[None, np.zeros((2, 5), bool)])
    np.testing.assert_allclose(found, np.broadcast_to(V.mean(1, keepdims=True), (2, 3, 6)), rtol=1e-5, atol=1e-6)


def test_errors():
    layer = layers.Attention()
    for inputs in (Q, [Q], [Q, K, V, V]):
        with pytest.raises(ValueError, match="list of inputs|list of 2 or 3"):
            layer(inputs)
    for mask in (SEES_Q, [None]):
        with pytest.raises(ValueError, match="mask"):
            layer([Q, K], mask=mask)
    with pytest.raises(ValueError, match="score_mode"):
        layers.Attention(score_mode="sum")
    with pytest.raises(tf.errors.InvalidArgumentError):
        layers.Attention()([Q, V])
