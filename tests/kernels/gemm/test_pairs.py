"""Products of bfloat16 matrices: right at every shape and layout, the same bits with and without the processor's instruction for pairs,
nothing read or written beside the matrices."""

import hashlib
import itertools

import ml_dtypes
import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.elementwise.half import BFLOAT16
from fastgrad._src.kernels.gemm.config import uses_bfloat16_pairs
from fastgrad._src.kernels.gemm.gemm import MOST_CHAIN_TERMS
from fastgrad._src.kernels.gemm.steps import product_launches, wide_product_launches
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from tests.kernels.gemm.products import digest_elsewhere, laid_out

SHAPES = [
    (2, 1, 2), (2, 2, 2), (3, 5, 7), (8, 16, 16), (33, 65, 17), (5, 7, 129), (49, 1, 63), (300, 40, 20), (3, 2309, 5),
    (130, 2 * MOST_CHAIN_TERMS + 2, 70), (150, 20, 97), (17, 129, 768),
]  # fmt: skip


def matrices(m, k, n, seed=0):
    r = np.random.default_rng(seed)
    return r.normal(size=(m, k)).astype(BFLOAT16), r.normal(size=(k, n)).astype(BFLOAT16)


def multiplied(a, b, transpose_a=False, transpose_b=False, shares=1):
    """The product by the kernel, as a program runs it."""
    m, n = a.shape[-1 if transpose_a else -2], b.shape[-2 if transpose_b else -1]
    c = np.full((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), m, n), 7, np.float32)
    run_launches(wide_product_launches([a, b], [c], transpose_a, transpose_b), [a, b], [c], shares)
    return c


def assert_product(c, a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    precision = 8 * np.finfo(np.float32).eps if c.dtype == np.float32 else ml_dtypes.finfo(BFLOAT16).eps / 2 * 1.01
    exact, scale = a @ b, np.abs(a) @ np.abs(b)
    if c.dtype == BFLOAT16:  # rounded once: the sums' own error is far below
        scale = np.abs(exact) + 1e-4 * scale
    assert c.shape == exact.shape
    assert (np.abs(c.astype(np.float64) - exact) <= precision * scale).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_every_shape_and_transposition(shape):
    a, b = matrices(*shape)
    results = []
    for transpose_a, transpose_b in itertools.product((False, True), repeat=2):
        x = np.ascontiguousarray(a.T) if transpose_a else a
        y = np.ascontiguousarray(b.T) if transpose_b else b
        assert uses_bfloat16_pairs((x, y), transpose_a, transpose_b)
        for shares in (1, 3):
            results.append(multiplied(x, y, transpose_a, transpose_b, shares))
            assert_product(results[-1], a, b)
    assert len({c.tobytes() for c in results}) == 1, "bits go by rows and columns alone"


def test_an_element_does_not_depend_on_the_rest_of_the_matrices():
    a, b = matrices(150, 129, 200)
    whole = multiplied(a, b)
    np.testing.assert_array_equal(whole[37:90, 64:131], multiplied(a[37:90].copy(), b[:, 64:131].copy()))


@pytest.mark.parametrize(
    ("left", "right"),
    [((5, 9, 31), (5, 31, 8)), ((2, 3, 20, 12), (2, 3, 12, 40)), ((4, 7, 33), (33, 6)), ((1, 9, 5), (4, 5, 6)),
     ((4, 1, 9, 5), (3, 5, 6)), ((1, 9), (9, 30)), ((6, 1), (1, 5)), ((0, 3), (3, 2)), ((2, 0), (0, 3))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("compiled", [False, True])
def test_batches_and_what_the_kernel_is_not_for(left, right, compiled):
    r = np.random.default_rng(1)
    a, b = r.normal(size=left).astype(BFLOAT16), r.normal(size=right).astype(BFLOAT16)
    product = tf.function(tf.matmul) if compiled else tf.matmul
    for _ in range(3):
        c = product(tf.constant(a), tf.constant(b)).numpy()
    assert c.dtype == BFLOAT16
    assert_product(c, a, b)


@pytest.mark.parametrize("layout", ["columns first", "every second row", "every third column"])
def test_any_layout(layout):
    a, b = matrices(70, 51, 40)
    c = tf.matmul(tf.constant(a), tf.constant(b)).numpy()
    np.testing.assert_array_equal(tf.matmul(laid_out(a, layout), laid_out(b, layout)).numpy(), c)


@pytest.mark.parametrize("threads", [1, 2])
def test_large_eager_products_go_to_the_team(threads):
    a, b = matrices(300, 131, 170)
    before = compute_pool.threads
    compute_pool.resize(threads)
    try:
        found = tf.matmul(a, b).numpy()
        turned = tf.matmul(a.T.copy(), b.T.copy(), transpose_a=True, transpose_b=True).numpy()
    finally:
        compute_pool.resize(before)
    assert_product(found, a, b)
    assert turned.tobytes() == found.tobytes()


@pytest.mark.parametrize("k", [64, 65])
def test_nothing_beside_the_matrices_counts(k):
    r = np.random.default_rng(2)
    for transpose_a, transpose_b in itertools.product((False, True), repeat=2):
        outer = np.full(20 * k + 2, np.nan, BFLOAT16), np.full(30 * k + 2, np.nan, BFLOAT16)
        a, b = (x[1:-1].reshape(shape) for x, shape in zip(outer, ((20, k), (k, 30)), strict=True))
        a[...], b[...] = r.normal(size=a.shape), r.normal(size=b.shape)
        x = a.reshape(k, 20) if transpose_a else a
        y = b.reshape(30, k) if transpose_b else b
        c = np.full(602, 7, np.float32)
        inside = c[1:-1].reshape(20, 30)
        run_launches(product_launches([x, y], transpose_a, transpose_b), [x, y], [inside])
        assert_product(inside, x.T if transpose_a else x, y.T if transpose_b else y)
        assert c[0] == c[-1] == 7


def test_infinities_and_nan_stay_in_their_rows_and_columns():
    a, b = matrices(20, 33, 20)
    a[3, 32], a[5, 0], b[7, 11] = np.inf, np.nan, -np.inf
    c = multiplied(a, b)
    with np.errstate(invalid="ignore"):
        exact = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(c), np.isnan(exact))
    np.testing.assert_array_equal(c[np.isinf(exact)], exact[np.isinf(exact)])


def test_numbers_near_the_smallest_are_right_or_zeros():
    a, b = np.array([[1e-39, 1], [1e-20, 1e-38]]).astype(BFLOAT16), np.array([[1, 1e-20], [0, 1]]).astype(BFLOAT16)
    c, exact = multiplied(a, b), a.astype(np.float64) @ b.astype(np.float64)
    smallest = np.finfo(np.float32).smallest_normal
    assert (np.abs(c - exact) <= np.where(np.abs(exact) < 2 * smallest, smallest, 1e-6 * np.abs(exact))).all()


def test_a_compiled_product_with_what_follows_has_the_bits_of_the_eager_one():
    a, b = map(tf.constant, matrices(65, 129, 70))
    bias = tf.cast(tf.random.normal((70,), seed=1), tf.bfloat16)

    def layer(a, b, bias):
        return tf.nn.relu(tf.matmul(a, b) + bias)

    compiled = tf.function(layer)
    for _ in range(3):
        found = compiled(a, b, bias)
    np.testing.assert_array_equal(found, layer(a, b, bias))
    assert "wide_product+cast+add+relu" in compiled.report()


def digest():
    """A number for the bits of many products."""
    found = hashlib.sha256()
    for shape in SHAPES:
        a, b = matrices(*shape)
        found.update(multiplied(a, b))
        found.update(multiplied(a, b.T.copy(), False, True))
        found.update(multiplied(a.T.copy(), b, True, False))
    return found.hexdigest()


@pytest.mark.parametrize("pairs", ["0", "1"])
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_bits_are_those_of_every_machine(lanes, pairs):
    if 4 * lanes == host_isa().vector_bytes and pairs == "1":
        return
    assert digest_elsewhere(__name__, FASTGRAD_LANES=str(lanes), FASTGRAD_BFLOAT16=pairs) == digest()
