"""MultiHeadAttention against its formula in NumPy."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
RNG = np.random.default_rng(0)
X, V, K = RNG.normal(size=(2, 5, 8)), RNG.normal(size=(2, 7, 6)), RNG.normal(size=(2, 7, 4))
MASK = RNG.random((2, 5, 7)) > 0.3


def filled(layer, *inputs, **options):
    """The layer with weights that differ from each other, and those by name."""
    layer(*inputs, **options)
    layer.set_weights([RNG.normal(size=weight.shape) * 0.5 for weight in layer.weights])
    return layer, {weight.path.partition("/")[2]: weight.numpy() for weight in layer.weights}


def attended(weights, x, v, k, seen=True, groups=None):
    """The output and the weights of attention."""
    parts = {"query": x, "key": k, "value": v}
    q, k, v = (np.einsum("btf,fhd->bhtd", a, weights[f"{n}/kernel"]) for n, a in parts.items())
    q, k, v = (a + weights.get(f"{n}/bias", np.zeros(1))[:, None] for a, n in ((q, "query"), (k, "key"), (v, "value")))
    times = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, times, 1), np.repeat(v, times, 1)
    scores = np.where(seen, q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3]), -1e300)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    found = np.einsum("bhtd,hdf->btf", p @ v, weights["attention_output/kernel"])
    return found + weights.get("attention_output/bias", 0), p


def test_weights_have_keras_names_and_shapes():
    layer, weights = filled(layers.MultiHeadAttention(4, 3, value_dim=5), X, V, K)
    assert {name: value.shape for name, value in weights.items()} == {
        "query/kernel": (8, 4, 3),
        "query/bias": (4, 3),
        "key/kernel": (4, 4, 3),
        "key/bias": (4, 3),
        "value/kernel": (6, 4, 5),
        "value/bias": (4, 5),
        "attention_output/kernel": (4, 5, 8),
        "attention_output/bias": (8,),
    }
    assert layer.query_dense.kernel.path == f"{layer.name}/query/kernel"
    bound = np.sqrt(6 / (64 + 8 * 16))
    fresh = layers.MultiHeadAttention(8, 16)
    fresh.build((None, None, 64), (None, None, 64))
    assert 0.98 * bound < np.abs(fresh.query_dense.kernel.numpy()).max() <= bound


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({}, True),
        ({"use_causal_mask": True}, np.tri(5, 7, dtype=bool)),
        ({"attention_mask": MASK}, MASK[:, None]),
        ({"attention_mask": MASK.astype(int), "use_causal_mask": True}, (MASK & np.tri(5, 7, dtype=bool))[:, None]),
        ({"value_mask": MASK[:, 0], "key_mask": MASK[:, 1]}, (MASK[:, 0] & MASK[:, 1])[:, None, None]),
        ({"attention_mask": MASK[0]}, MASK[0]),
    ],
)
def test_heads_find_the_mean_of_values_by_their_weights(options, seen):
    layer, weights = filled(layers.MultiHeadAttention(2, 3, dtype="float64"), X, V, K)
    wanted, p = attended(weights, X, V, K, seen)
    np.testing.assert_allclose(layer(X, V, K, **options), wanted, rtol=1e-10, atol=1e-12)
    found, scores = layer(X, V, K, return_attention_scores=True, **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(scores, p, rtol=1e-10, atol=1e-12)
    step = tf.function(lambda *x: layer(*x, **options))
    for _ in range(3):
        compiled = step(*map(tf.constant, (X, V, K)))
    np.testing.assert_allclose(compiled, wanted, rtol=1e-10, atol=1e-12)


def test_a_query_that_sees_nothing():
    """As in Keras: it finds the mean of all values, or nothing where the weights are asked for or dropped."""
    nothing = np.zeros((2, 5, 7), bool)
    for dropout, wanted in ((0.0, 1 / 7), (0.5, 0.0)):
        layer = layers.MultiHeadAttention(1, 2, dropout=dropout, use_bias=False, dtype="float64")
        filled(layer, X, V)
        values = (V @ layer.value_dense.kernel.numpy()[:, 0]).sum(1, keepdims=True) * wanted
        found = np.broadcast_to(values @ layer.output_dense.kernel.numpy()[0], (2, 5, 8))
        np.testing.assert_allclose(layer(X, V, attention_mask=nothing), found, rtol=1e-10, atol=1e-12)
        assert not np.any(layer(X, V, attention_mask=nothing, return_attention_scores=True)[1])


def test_axes_of_attention():
    z = RNG.normal(size=(2, 3, 4, 6))
    layer, weights = filled(layers.MultiHeadAttention(2, 3, attention_axes=2, dtype="float64"), z, z)
    rows = z.reshape(6, 4, 6)
    wanted, p = attended(weights, rows, rows, rows)
    found, scores = layer(z, z, return_attention_scores=True)
    np.testing.assert_allclose(found, wanted.reshape(2, 3, 4, 6), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(scores, p.reshape(2, 3, 2, 4, 4), rtol=1e-10, atol=1e-12)
    layer, weights = filled(layers.MultiHeadAttention(2, 3, output_shape=(5, 2), dtype="float64"), z, z)
    flat = z.reshape(2, 12, 6)
    weights["attention_output/kernel"] = weights["attention_output/kernel"].reshape(2, 3, 10)
    weights["attention_output/bias"] = weights["attention_output/bias"].reshape(10)
    wanted, p = attended(weights, flat, flat, flat)
    found, scores = layer(z, z, return_attention_scores=True)
    np.testing.assert_allclose(found, wanted.reshape(2, 3, 4, 5, 2), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(scores, p.reshape(2, 2, 3, 4, 3, 4), rtol=1e-10, atol=1e-12)
    assert layer.compute_output_shape(z.shape, z.shape) == (2, 3, 4, 5, 2)


def test_a_window_and_a_gate():
    layer, weights = filled(layers.MultiHeadAttention(2, 3, sliding_window=2, dtype="float64"), X, X)
    near = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) < 2
    np.testing.assert_allclose(layer(X, X), attended(weights, X, X, X, near)[0], rtol=1e-10)
    layer, weights = filled(layers.MultiHeadAttention(2, 3, use_gate=True, use_bias=False, dtype="float64"), X, X)
    assert list(weights) == [f"{n}/kernel" for n in ("query", "key", "gate", "value", "attention_output")]
    gate = 1 / (1 + np.exp(-np.einsum("btf,fhd->bthd", X, weights["gate/kernel"])))
    output, weights["attention_output/kernel"] = weights["attention_output/kernel"], np.eye(6).reshape(2, 3, 6)
    heads = attended(weights, X, X, X)[0].reshape(2, 5, 2, 3)
    np.testing.assert_allclose(layer(X, X), np.einsum("bthd,hdf->btf", heads * gate, output), rtol=1e-10)


def test_weights_are_dropped_in_training():
    layer, _ = filled(layers.MultiHeadAttention(2, 3, dropout=0.5, seed=3), X, X)
    same = layers.MultiHeadAttention.from_config(layer.get_config())
    filled(same, X, X)
    same.set_weights(layer.get_weights())
    quiet, first, second = layer(X, X), layer(X, X, training=True), layer(X, X, training=True)
    np.testing.assert_array_equal(first, same(X, X, training=True))
    np.testing.assert_array_equal(quiet, same(X, X))
    assert len({y.numpy().tobytes() for y in (quiet, first, second)}) == 3
    scores = layer(X, X, training=True, return_attention_scores=True)[1]
    np.testing.assert_allclose(tf.reduce_sum(scores, -1), np.ones((2, 2, 5)), rtol=1e-6)


def test_masks_of_inputs_are_those_of_the_steps():
    x = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    embedding = layers.Embedding(5, 8, mask_zero=True)
    layer, weights = filled(layers.MultiHeadAttention(2, 3), embedding(x), embedding(x))
    steps = x != 0
    seen = (steps[:, :, None] & steps[:, None])[:, None]
    values = embedding(x).numpy()
    found = layer(embedding(x), embedding(x))
    np.testing.assert_allclose(found, attended(weights, values, values, values, seen)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "losses"),
    [
        (layers.MultiHeadAttention(2, 2, activity_regularizer="l2"), [0.10265, 0.08741, 0.11517, 0.00666]),
        (
            layers.MultiHeadAttention(2, 2, activity_regularizer="l2", use_gate=True),
            [0.10265, 0.08741, 0.03763, 0.09412, 0.02888],
        ),
    ],
)
def test_the_penalty_on_activity_is_that_of_each_projection(layer, losses):
    x = tf.constant(np.sin(np.arange(12.0)).reshape(2, 3, 2), tf.float32)
    layer(x, x)
    for position, weight in enumerate(layer.weights):
        weight.assign(np.sin(np.arange(np.prod(weight.shape)).reshape(weight.shape) + position))
    layer(x, x)
    np.testing.assert_allclose(sorted(map(float, layer.losses)), sorted(losses), rtol=1e-3)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(x, x)
    assert len(again.losses) == len(losses)


def test_configuration():
    layer = layers.MultiHeadAttention(
        2, 3, 4, 0.1, False, output_shape=7, attention_axes=1, kernel_initializer="zeros", bias_regularizer="l2", seed=4
    )
    config = layer.get_config()
    again = layers.MultiHeadAttention.from_config(config)
    assert again.get_config() == config
    assert (config["output_shape"], config["attention_axes"], config["value_dim"]) == ((7,), (1,), 4)
    assert not np.any(again(X, V))
    assert again.compute_output_shape(X.shape, V.shape) == (2, 5, 7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MultiHeadAttention(0, 3), "`num_heads`"),
        (lambda: layers.MultiHeadAttention(2, 3.0), "`key_dim`"),
        (
            lambda: layers.MultiHeadAttention(2, 3, output_shape=8.0),
            "`output_shape` must be an int, list or tuple, got 8.0",
        ),
        (lambda: layers.MultiHeadAttention(2, 3, attention_axes="a"), "attention_axes"),
        (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True), "flash_attention"),
        (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
        (lambda: layers.MultiHeadAttention(2, 3)(X, V, X), "All dimensions of `value` and `key`"),
        (lambda: layers.MultiHeadAttention(2, 3)(X, V[None]), "same rank"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_shapes_that_do_not_go_together_and_nothing_has_changed():
    layer = layers.MultiHeadAttention(2, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="attention: got a query"):
        layer(X, V[:1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="mask"):
        layer(X, V, attention_mask=np.ones((2, 4, 7)))
    assert layer(X, V).shape == (2, 5, 8)


@pytest.mark.parametrize("causal", [False, True])
def test_a_subclass_computes_attention_in_its_own_way(causal):
    class Mean(layers.MultiHeadAttention):
        """Keras documents this method for overriding."""

        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_attention_scores=False
        ):
            seen = (
                tf.ones((2, 5, 7))
                if attention_mask is None
                else tf.cast(attention_mask, tf.float32) * tf.ones((2, 5, 7))
            )
            weights = seen / tf.reduce_sum(seen, -1, keepdims=True)
            return tf.einsum("bts,bshd->bthd", weights, value), weights

    layer, weights = filled(Mean(2, 3), X, V)
    output, scores = layer(X, V, attention_mask=MASK, use_causal_mask=causal, return_attention_scores=True)
    seen = MASK & np.tri(5, 7, dtype=bool) if causal else MASK
    means = seen / np.maximum(seen.sum(-1, keepdims=True), 0)
    values = np.einsum("bsf,fhd->bshd", V, weights["value/kernel"]) + weights["value/bias"]
    expected = np.einsum("bts,bshd,hdo->bto", means, values, weights["attention_output/kernel"])
    np.testing.assert_allclose(scores, means, rtol=1e-6)
    np.testing.assert_allclose(output, expected + weights["attention_output/bias"], rtol=1e-4, atol=1e-5)


def test_a_subclass_changes_the_arguments_of_attention():
    class Doubled(layers.MultiHeadAttention):
        def _compute_attention(self, query, key, value, *args, **options):
            return super()._compute_attention(query, key, value * 2.0, *args, **options)

    layer = layers.MultiHeadAttention(2, 3, use_bias=False, attention_axes=(1,))
    layer(X, V)
    doubled = Doubled.from_config(layer.get_config())
    doubled(X, V)
    doubled.set_weights(layer.get_weights())
    for causal in (False, True):
        np.testing.assert_allclose(
            doubled(X, V, use_causal_mask=causal), 2 * layer(X, V, use_causal_mask=causal).numpy(), rtol=1e-5, atol=1e-6
        )
