from functools import partial

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.ops.attention import attention, attention_and_weights
from tests.gradients import check_gradient, gradient_of, value_and_gradient

RNG = np.random.default_rng(0)
BOTH = ["float32", "float64"]
# batch, queries, keys, heads, groups, depth, width: within a tile and beyond it, odd and even.
SIZES = [
    (2, 5, 7, 4, 2, 3, 5),
    (1, 1, 1, 1, 1, 1, 1),
    (1, 64, 64, 2, 2, 32, 32),
    (1, 70, 130, 2, 1, 33, 17),
    (2, 130, 66, 4, 2, 16, 100),
    (1, 3, 200, 1, 1, 256, 2),
]


def arrays(sizes, dtype="float64"):
    batch, queries, keys, heads, groups, depth, width = sizes
    shapes = (batch, queries, heads, depth), (batch, keys, groups, depth), (batch, keys, groups, width)
    return [RNG.normal(size=shape).astype(dtype) for shape in shapes]


def by_heads(x, times=1):
    return np.repeat(x.astype(np.float64).transpose(0, 2, 1, 3), times, 1)


def expected(q, k, v, scale, seen=True):
    """The result, the weights, and for a cotangent those of q, k and v, in float64."""
    times = q.shape[2] // k.shape[2]
    scores = np.where(seen, by_heads(q) @ by_heads(k, times).swapaxes(2, 3) * scale, -1e300)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)

    def gradients(g):
        g = by_heads(g)
        slopes = g @ by_heads(v, times).swapaxes(2, 3)
        slopes = np.where(seen, weights * (slopes - (slopes * weights).sum(-1, keepdims=True)) * scale, 0)
        grouped = (slopes.swapaxes(2, 3) @ by_heads(q), weights.swapaxes(2, 3) @ g)
        summed = [x.reshape(len(x), k.shape[2], times, *x.shape[2:]).sum(2) for x in grouped]
        return [x.transpose(0, 2, 1, 3) for x in (slopes @ by_heads(k, times), *summed)]

    return (weights @ by_heads(v, times)).transpose(0, 2, 1, 3), weights, gradients


def masks(sizes):
    batch, queries, keys, heads = sizes[:4]
    causal = np.tri(queries, keys, dtype=bool)
    padding = RNG.random((batch, 1, 1, keys)) > 0.4
    any_ = RNG.random((batch, heads, queries, keys)) > 0.4
    any_[:, :, queries // 2] = False  # a query that sees nothing
    one = RNG.random((queries, keys)) > 0.4
    return [
        ({}, True),
        ({"causal": True}, causal),
        ({"mask": padding}, padding),
        ({"mask": any_}, any_),
        ({"mask": one, "causal": True}, one & causal),
    ]


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_attention_and_its_gradient_are_those_of_the_whole_matrix(sizes, dtype):
    tolerance = {"rtol": 0, "atol": 60 * np.finfo(dtype).eps * np.sqrt(max(sizes))}
    q, k, v = arrays(sizes, dtype)
    g = RNG.normal(size=(*q.shape[:3], v.shape[3])).astype(dtype)
    for options, seen in masks(sizes):
        given = {name: tf.constant(x) if name == "mask" else x for name, x in options.items()}
        tensors = [tf.constant(x) for x in (q, k, v)]
        y, slopes = value_and_gradient(partial(attention, scale=0.6, **given), *tensors, cotangents=g)
        wanted, weights, gradients = expected(q, k, v, 0.6, seen)
        np.testing.assert_allclose(y, wanted, **tolerance)
        for got, exact in zip(slopes, gradients(g), strict=True):
            np.testing.assert_allclose(got, exact, rtol=0, atol=tolerance["atol"] * max(1, np.abs(exact).max()))
        again, got = attention_and_weights(*tensors, scale=0.6, **given)
        np.testing.assert_allclose(again, wanted, **tolerance)
        np.testing.assert_allclose(got, weights, **tolerance)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("options", [{}, {"causal": True}, {"mask": True}, {"rate": 0.3}])
def test_gradients_against_differences(options, order):
    sizes = (2, 5, 6, 4, 2, 3, 2)
    words = tf.constant(np.array([5, 0, 77]))
    given = {"drawn": lambda shape: words, **options}
    if "mask" in options:
        given["mask"] = tf.constant(RNG.random((2, 1, 5, 6)) > 0.4)
    check_gradient(lambda *x: attention(*x, scale=0.6, **given), *arrays(sizes), order=order)


@pytest.mark.parametrize("keys", [64, 70])
def test_dropped_weights_are_those_of_the_form_in_parts(keys):
    tensors = [tf.constant(x) for x in arrays((2, 66, keys, 2, 1, 4, 3))]
    words = tf.constant(np.array([9, 1, 3]))
    options = {"scale": 0.5, "rate": 0.25, "drawn": lambda shape: words}
    ways = (lambda *x: attention(*x, **options), lambda *x: attention_and_weights(*x, **options)[0])
    results = [[way(*tensors), *gradient_of(lambda *x, way=way: tf.reduce_sum(way(*x) ** 2), *tensors)] for way in ways]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    ones = tf.ones((2, keys, 1, 1), tf.float64)
    found = attention(*(tf.zeros((2, n, 1, 1), tf.float64) for n in (66, keys)), ones, **options)
    assert abs(float(tf.reduce_mean(found)) - 1) < 0.01
    assert float(tf.math.reduce_std(found)) > 0.03


def test_a_query_that_sees_nothing_finds_the_mean_or_nothing():
    tensors = [tf.constant(x) for x in arrays((1, 3, 70, 2, 1, 4, 5))]
    mask = tf.constant(np.array([True, False, True])[:, None] & np.ones((3, 70), bool))
    mean = np.repeat(tensors[2].numpy().mean(1), 2, 1)[0]
    for blank, wanted in ((False, mean), (True, 0 * mean)):
        y, slopes = value_and_gradient(
            lambda *x, blank=blank: attention(*x, mask, scale=1.0, blank=blank)[0, 1], *tensors
        )
        np.testing.assert_allclose(y, wanted, rtol=1e-13, atol=1e-15)
        again, weights = attention_and_weights(*tensors, mask, scale=1.0, blank=blank)
        np.testing.assert_allclose(again[0, 1], wanted, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(tf.reduce_sum(weights[0, :, 1], -1), [0.0 if blank else 1.0] * 2, rtol=1e-13)
        by_query, by_key, by_value = slopes
        assert not np.any(by_query)
        assert not np.any(by_key)
        np.testing.assert_allclose(by_value, np.full((1, 70, 1, 5), 0.0 if blank else 2 / 70), rtol=1e-13)


def test_scores_that_are_infinite_or_no_numbers():
    q, v = np.ones((1, 5, 1, 1)), np.arange(3.0).reshape(1, 3, 1, 1)
    q[0, :, 0, 0] = [1, 0, -1, np.nan, 1e300]
    k = np.array([1.0, 2.0, -np.inf]).reshape(1, 3, 1, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        wanted = expected(q, k, v, 1.0)[0]
    np.testing.assert_allclose(attention(*map(tf.constant, (q, k, v)), scale=1.0), wanted, rtol=1e-14)


def test_results_do_not_depend_on_the_batch_a_head_is_in():
    q, k, v = arrays((3, 70, 80, 2, 2, 8, 8), "float32")
    whole = attention(*map(tf.constant, (q, k, v)), scale=1.0).numpy()
    one = attention(*(tf.constant(x[1:2, :, 1:]) for x in (q, k, v)), scale=1.0).numpy()
    np.testing.assert_array_equal(whole[1:2, :, 1:], one)


@pytest.mark.parametrize("sizes", [(0, 2, 3, 1, 1, 2, 2), (1, 0, 3, 1, 1, 2, 2), (2, 3, 4, 2, 1, 300, 3)])
def test_nothing_and_too_wide_heads_go_through_parts(sizes):
    q, k, v = arrays(sizes)
    y = attention(*map(tf.constant, (q, k, v)), scale=0.1)
    np.testing.assert_allclose(y, expected(q, k, v, 0.1)[0], atol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_width_is_computed_in_float32(dtype):
    tensors = [tf.cast(tf.constant(x), dtype) for x in arrays((1, 4, 5, 2, 2, 3, 3), "float32")]
    y = attention(*tensors, scale=0.5, causal=True)
    wide = attention(*(tf.cast(x, tf.float32) for x in tensors), scale=0.5, causal=True)
    assert y.dtype == dtype
    np.testing.assert_array_equal(tf.cast(y, tf.float32), tf.cast(tf.cast(wide, dtype), tf.float32))


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"rate": 0.2}, {"mask": True}])
def test_a_compiled_step_computes_the_same_bits(options):
    tensors = [tf.constant(x) for x in arrays((2, 70, 66, 2, 1, 8, 4), "float32")]
    words = tf.constant(np.array([9, 1, 3]))
    given = {"drawn": lambda shape: words, **options}
    if "mask" in options:
        given["mask"] = tf.constant(RNG.random((2, 1, 70, 66)) > 0.4)

    def step(*x):
        y, slopes = value_and_gradient(partial(attention, scale=0.6, **given), *x)
        return [y, *slopes]

    compiled = tf.function(step)
    for _ in range(3):
        found = compiled(*tensors)
    for one, other in zip(found, step(*tensors), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shapes_that_do_not_go_together():
    q, k, v = map(tf.constant, arrays((2, 3, 4, 2, 2, 3, 3)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"query of shape \[2, 3, 2, 3\]"):
        attention(q, k[:, :, :, :2], v, scale=1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="divides heads"):
        attention(q[:, :, :1], k, v, scale=1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="mask of shape"):
        attention(q, k, v, tf.ones((3, 5), tf.bool), scale=1.0)


@pytest.mark.parametrize("options", [{}, {"causal": True}])
def test_long_sequences_need_no_memory_for_all_weights(options):
    tensors = [tf.constant(x) for x in arrays((1, 1500, 1500, 1, 1, 4, 4), "float32")]

    @tf.function
    def step(*x):
        y, slopes = value_and_gradient(partial(attention, scale=0.6, **options), *x)
        return [y, *slopes]

    for _ in range(3):
        y = step(*tensors)[0]
    wanted = expected(*[x.numpy() for x in tensors], 0.6, np.tri(1500, dtype=bool) if options else True)[0]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=2e-5)
    (tree,) = step.trace_tree.compiled
    assert tree.program.arena_bytes < 1500 * 1500
    assert tree.program.plan.native
