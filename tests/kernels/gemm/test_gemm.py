"""Matrix products: right at every shape and layout, bits that depend on a row of A and a column of B alone, nothing read or
written beside the matrices."""

import ctypes
import itertools
import mmap
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.gemm import dense
from fastgrad._src.kernels.gemm import eager as eager_products
from fastgrad._src.kernels.gemm.config import gemm_config_of
from fastgrad._src.kernels.gemm.gemm import MOST_CHAIN_TERMS, gemm
from fastgrad._src.kernels.gemm.steps import NO_ROW_EPILOGUE, matmul_launches, product_launches
from fastgrad._src.kernels.reduction.normalization import layer_norm
from fastgrad._src.kernels.runtime.launch import Input, Launch, Output, run_launches
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from tests.kernels.gemm.products import (
    BOTH,
    SHAPES,
    digest,
    digest_elsewhere,
    laid_out,
    launches_of,
    matrices,
    multiplied,
)
from tests.kernels.process import run_python

ROWS = [(1, 1200, 17), (1, 513, 40), (17, 1100, 1), (1, 20, 1100), (1100, 30, 1)]


def assert_product(c, a, b):
    exact = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    assert c.shape == exact.shape
    assert (np.abs(c - exact) <= 8 * np.finfo(c.dtype).eps * scale).all()


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_of_every_shape_and_transposition(shape, dtype):
    a, b = matrices(*shape, dtype)
    results = []
    for transpose_a, transpose_b in itertools.product((False, True), repeat=2):
        x = np.ascontiguousarray(a.T) if transpose_a else a
        y = np.ascontiguousarray(b.T) if transpose_b else b
        c = multiplied(x, y, transpose_a, transpose_b)
        assert_product(c, a, b)
        results.append(c.tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_products_of_a_vector_with_a_large_matrix(shape, dtype):
    a, b = matrices(*shape, dtype)
    for transpose_a, transpose_b in itertools.product((False, True), repeat=2):
        x = np.ascontiguousarray(a.T) if transpose_a else a
        y = np.ascontiguousarray(b.T) if transpose_b else b
        c = multiplied(x, y, transpose_a, transpose_b)
        assert_product(c, a, b)
        assert multiplied(x, y, transpose_a, transpose_b, 3).tobytes() == c.tobytes()
    bias = np.linspace(-1, 1, c.shape[1], dtype=dtype)
    product = multiplied(a, b)
    following = Launch(dense.BIAS_KERNELS["relu"][c.dtype], (Output(0), Input(2), c.shape[1]), c.size)
    run_launches(product_launches([a, b], epilogue=following), [a, b, bias], [c], 2)
    np.testing.assert_array_equal(c, np.maximum(product + bias, 0))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(33, 65, 17), (130, 385, 200), (12, 30, 300)], ids=str)
def test_bits_do_not_depend_on_shares_nor_on_other_rows_and_columns(shape, dtype):
    a, b = matrices(*shape, dtype)
    whole = multiplied(a, b)
    for shares in (2, 3, 5, 100):
        for transpose_b in (False, True):
            y = np.ascontiguousarray(b.T) if transpose_b else b
            assert multiplied(a, y, False, transpose_b, shares).tobytes() == whole.tobytes()
    for rows, columns in ((1, 1), (2, 9), (7, 16), (shape[0], 1), (1, shape[2])):
        part = multiplied(a[:rows].copy(), b[:, -columns:].copy())
        np.testing.assert_array_equal(part, whole[:rows, -columns:])


@pytest.mark.parametrize(
    "terms", [1, 5, MOST_CHAIN_TERMS, MOST_CHAIN_TERMS + 1, 2 * MOST_CHAIN_TERMS + 1, 4 * MOST_CHAIN_TERMS]
)
def test_an_element_is_a_sum_of_chains_of_fused_multiply_adds(terms):
    r = np.random.default_rng(1)
    a, b = [r.integers(-4000, 4000, size).astype(np.float32) for size in ((9, terms), (terms, 18))]
    chains = 1 << (-(-terms // MOST_CHAIN_TERMS) - 1).bit_length()
    total = None
    for number in range(chains):
        chain = np.zeros((9, 18), np.float32)
        for term in range(terms * number // chains, terms * (number + 1) // chains):
            # Products of such numbers and their sums are exact in float64: one rounding.
            exact = np.outer(a[:, term].astype(np.float64), b[term].astype(np.float64)) + chain
            chain = exact.astype(np.float32)
        total = chain if total is None else total + chain
    np.testing.assert_array_equal(multiplied(a, b), total)


def test_sums_are_as_accurate_as_numpys():
    a, b = matrices(24, 4096, 40, np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    error, numpys = [np.sqrt(np.mean((c - exact) ** 2)) for c in (multiplied(a, b), a @ b)]
    assert error <= 1.1 * numpys


@pytest.mark.parametrize("dtype", BOTH)
def test_strides_reach_into_larger_matrices(dtype):
    a, b = matrices(13, 21, 19, dtype)
    for layout_a in ("plain", "columns first", "every second row", "every third column"):
        for layout_b in ("plain", "columns first", "every second row"):
            x, y = laid_out(a, layout_a), laid_out(b, layout_b)
            c = eager_products.product(x, y)
            assert_product(c, a, b)
            np.testing.assert_array_equal(c, multiplied(a, b))
            flipped = eager_products.product(laid_out(a.T, layout_a), laid_out(b.T, layout_b), True, True)
            np.testing.assert_array_equal(flipped, c)
    assert eager_products.product(a, laid_out(b, "every third column")) is None  # NumPy copies it


@pytest.mark.parametrize("dtype", BOTH)
def test_not_a_number_and_infinity_stay_in_their_rows_and_columns(dtype):
    a, b = matrices(20, 33, 37, dtype)
    a[3, 4], a[7, 0], b[5, 36] = np.nan, np.inf, -np.inf
    c = multiplied(a, b)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isnan(c), np.isnan(a @ b))
        np.testing.assert_array_equal(np.isposinf(c), np.isposinf(a @ b))


def test_infinity_times_zero_is_not_a_number():
    a, b = np.array([[np.inf, 1.0]]), np.array([[0.0], [1.0]])
    assert np.isnan(multiplied(a, b)).all()


@pytest.fixture
def at_the_end_of_memory():
    """``at_the_end_of_memory(x)``: a copy of x behind whose last byte, and before whose first, nothing may be touched."""
    if not sys.platform.startswith("linux"):
        pytest.skip("protects pages by Linux's mprotect")
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    kept = []

    def place(x, at_start=False):
        page = mmap.PAGESIZE
        size = -(-x.nbytes // page) * page
        memory = mmap.mmap(-1, size + 2 * page)
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for edge in (base, base + page + size):
            assert protect(ctypes.c_void_p(edge), ctypes.c_size_t(page), 0) == 0
        start = page if at_start else page + size - x.nbytes
        placed = np.frombuffer(memory, x.dtype, x.size, start).reshape(x.shape)
        placed[...] = x
        kept.append((memory, base, size))
        return placed

    yield place
    for memory, base, size in kept:
        assert protect(ctypes.c_void_p(base), ctypes.c_size_t(size + 2 * mmap.PAGESIZE), 3) == 0
        assert memory is not None


@pytest.mark.parametrize("dtype", BOTH)
def test_nothing_beside_the_matrices_is_touched(dtype, at_the_end_of_memory):
    for m, k, n in [
        (1, 1, 1), (3, 5, 7), (9, 17, 33), (33, 65, 17), (6, 3, 130), (21, 2, 65), (1, 700, 27), (27, 700, 1),
    ]:  # fmt: skip
        a, b = matrices(m, k, n, dtype)
        for transpose_a, transpose_b, at_start in itertools.product((False, True), repeat=3):
            x = at_the_end_of_memory(a.T if transpose_a else a, at_start)
            y = at_the_end_of_memory(b.T if transpose_b else b, at_start)
            c = at_the_end_of_memory(np.zeros((m, n), dtype), at_start)
            run_launches(launches_of([x, y], [c], transpose_a, transpose_b), [x, y], [c])
            assert_product(c, a, b)


BATCHES = [
    ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((6, 3, 4), (1, 4, 5)), ((3, 4), (2, 2, 4, 5)), ((1, 1, 3, 4), (6, 4, 5)),
    ((5, 1, 3, 4), (1, 6, 4, 1)), ((2, 3, 4), (4, 1)), ((0, 3, 4), (4, 5)), ((2, 3, 0), (0, 5)), ((5, 2, 9, 70), (5, 2, 70, 9)),
    ((5, 1, 9, 16), (1, 3, 16, 11)), ((2, 1, 3, 20, 12), (4, 1, 12, 9)), ((0, 1, 9, 16), (1, 3, 16, 11)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [*BOTH, np.dtype("int32"), np.dtype("complex64"), np.dtype("complex128")])
@pytest.mark.parametrize("shapes", BATCHES, ids=str)
def test_batches(shapes, dtype):
    r = np.random.default_rng(2)
    a, b = [(r.normal(size=shape) * 4 + (1j * r.normal(size=shape) if dtype.kind == "c" else 0)) for shape in shapes]
    a, b = a.astype(dtype), b.astype(dtype)
    exact = np.matmul(a, b)
    for transpose_a, transpose_b in itertools.product((False, True), repeat=2):
        x = np.ascontiguousarray(a.swapaxes(-1, -2)) if transpose_a else a
        y = np.ascontiguousarray(b.swapaxes(-1, -2)) if transpose_b else b
        for shares in (1, 3):
            c = np.full(exact.shape, 7, dtype)
            run_launches(launches_of([x, y], [c], transpose_a, transpose_b), [x, y], [c], shares)
            np.testing.assert_allclose(c, exact, rtol=1e-4, atol=1e-4)
        eager = tf.matmul(tf.constant(x), tf.constant(y), transpose_a=transpose_a, transpose_b=transpose_b)
        np.testing.assert_allclose(eager.numpy(), exact, rtol=1e-4, atol=1e-4)


def test_batches_that_broadcast_both_ways_are_multiplied_by_tiles():
    a, b = np.ones((5, 1, 64, 32), np.float32), np.ones((1, 6, 32, 48), np.float32)
    *copies, product = matmul_launches(
        [a, b], [np.empty((5, 6, 64, 48))], transpose_a=False, transpose_b=False
    ).launches
    assert product.kernel.__name__ == "gemm"
    assert len(copies) == 2


@pytest.mark.parametrize("shape", [(5, 7, 3), (50, 20, 64), (33, 400, 150), (32, 784, 64)], ids=str)
@pytest.mark.parametrize("transpose_b", [False, True])
def test_what_follows_is_done_on_every_element_once(shape, transpose_b):
    a, b = matrices(*shape, np.float32)
    y = np.ascontiguousarray(b.T) if transpose_b else b
    bias = np.linspace(-3, 3, shape[2], dtype=np.float32)
    product = multiplied(a, b)
    following = Launch(dense.BIAS_KERNELS["linear"][product.dtype], (Output(0), Input(2), shape[2]), product.size)
    for shares in (1, 2, 7):
        c = np.full_like(product, 7)
        launches = product_launches([a, y], False, transpose_b, following)
        run_launches(launches, [a, y, bias], [c], shares)
        np.testing.assert_array_equal(c, product + bias)


def test_threads_read_different_weights_of_a_layer_of_images():
    assert gemm_config_of(4, (128, 784), (784, 256), False, False, True, True).chains == 2


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(32, 784, 64), (128, 784, 128), (9, 1601, 130), (2, 4000, 200)], ids=str)
def test_chains_of_long_sums_are_shared(shape, dtype):
    a, b = matrices(*shape, dtype)
    for transpose_a in (False, True):
        x = np.ascontiguousarray(a.T) if transpose_a else a
        sums, total = launches_of([x, b], [a @ b], transpose_a, False).launches
        assert sums.units >= 4
        assert total.units == shape[0] * shape[2]
        wanted = np.empty((shape[0], shape[2]), dtype)
        form = gemm_config_of(a.itemsize, x.shape, b.shape, transpose_a, False)
        gemm[a.dtype](x, b, wanted, *form.gemm_args, *NO_ROW_EPILOGUE, 0, form.units)
        for shares in (1, 2, 3, 8):
            assert multiplied(x, b, transpose_a, False, shares).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(640, 520, 1100), (1041, 777, 530), (1041, 777, 70)], ids=str)
def test_large_products_with_a_transposed_matrix_read_a_copy_of_its_rows(shape, dtype):
    m, k, n = shape
    a, b = matrices(m, k, n, dtype)
    bias = np.linspace(-1, 1, n, dtype=dtype)
    x = np.ascontiguousarray(a.T)
    assert gemm_config_of(a.itemsize, x.shape, b.shape, True, False).copied or host_isa().vector_bytes < 4 * a.itemsize
    wanted = multiplied(a, b)
    assert not gemm_config_of(a.itemsize, a.shape, b.shape, False, False).copied
    following = Launch(dense.BIAS_KERNELS["linear"][wanted.dtype], (Output(0), Input(2), n), wanted.size)
    for shares in (1, 3):
        assert multiplied(x, b, True, False, shares).tobytes() == wanted.tobytes()
        c = np.empty_like(wanted)
        run_launches(product_launches([x, b], True, False, following), [x, b, bias], [c], shares)
        np.testing.assert_array_equal(c, wanted + bias)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(256, 1024, 1024), (513, 840, 420), (300, 500, 1000)], ids=str)
def test_rows_of_a_large_matrix_stay_in_the_cache_for_several_panels(shape, dtype):
    n = shape[2]
    a, b = matrices(*shape, dtype)
    bias = np.linspace(-1, 1, n, dtype=dtype)
    wanted = multiplied(a, b)
    assert_product(wanted, a, b)
    np.testing.assert_array_equal(multiplied(a[:9].copy(), b[:, -30:].copy()), wanted[:9, -30:])
    following = Launch(dense.BIAS_KERNELS["linear"][wanted.dtype], (Output(0), Input(2), n), wanted.size)
    launches = product_launches([a, b], epilogue=following)
    (product,) = launches.launches  # in whole rows
    assert product.units == -(-shape[0] // 128)
    assert launches_of([a, b], [wanted], False, False).launches[0].units >= 4
    for shares in (1, 2, 3, 8):
        assert multiplied(a, b, shares=shares).tobytes() == wanted.tobytes()
        c = np.empty_like(wanted)
        run_launches(launches, [a, b, bias], [c], shares)
        np.testing.assert_array_equal(c, wanted + bias)


def test_panels_of_long_rows_are_as_wide_as_three_vectors():
    machine = host_isa()
    lanes, most = machine.vector_bytes // 4, machine.panel_bytes // 4
    a, b = matrices(11, 30, 3 * most, np.float32)
    wanted = multiplied(a, b)
    assert gemm_config_of(4, (11, 30), (30, most), False, False).panel == most
    assert gemm_config_of(4, (11, 30), (30, most + 1), False, False).panel == min(3, len(machine.heights)) * lanes
    for columns in range(1, 3 * most):
        np.testing.assert_array_equal(multiplied(a, b[:, :columns].copy()), wanted[:, :columns])


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(16, 520, 264), (32, 801, 333), (31, 1030, 1027), (64, 300, 1000)], ids=str)
def test_products_of_few_rows_with_a_transposed_matrix_are_turned(shape, dtype):
    m, k, n = shape
    a, b = matrices(m, k, n, dtype)
    x = np.ascontiguousarray(b.T)
    wanted = multiplied(a, b)
    product, turned = launches_of([a, x], [wanted], False, True).launches
    assert product.units > 1
    assert turned.kernel.__name__ == "transpose_matrix"
    for shares in (1, 2, 3, 8):
        assert multiplied(a, x, False, True, shares).tobytes() == wanted.tobytes()
    bias = np.linspace(-1, 1, n, dtype=dtype)
    following = Launch(dense.BIAS_KERNELS["linear"][wanted.dtype], (Output(0), Input(2), n), wanted.size)
    c = np.empty_like(wanted)
    run_launches(product_launches([a, x], False, True, following), [a, x, bias], [c])
    np.testing.assert_array_equal(c, wanted + bias)


@pytest.mark.parametrize("rows", [1, 9, 64])
def test_a_kernel_over_rows_follows_with_its_numbers(rows):
    a, b = matrices(rows, 12, 20, np.float32)
    product = multiplied(a, b)
    gamma, beta, mean, inverse = np.ones(20, "f"), np.zeros(20, "f"), np.empty(rows, "f"), np.empty(rows, "f")
    of_rows = layer_norm[product.dtype]
    wanted = np.empty_like(product)
    of_rows(product, gamma, beta, wanted, mean, inverse, 20, 0.5, 0, rows)
    operands = Output(0), Input(2), Input(3), Output(1), Output(2), Output(3), 20, 0.5
    found = product_launches([a, b], epilogue=Launch(of_rows, operands, rows))
    assert len(found.launches) == 1
    for shares in (1, 2, 3):
        outputs = [np.empty_like(product), np.empty_like(product), np.empty_like(mean), np.empty_like(mean)]
        run_launches(found, [a, b, gamma, beta], outputs, shares)
        for one, other in zip(outputs, (product, wanted, mean, inverse), strict=True):
            assert one.tobytes() == other.tobytes()


def test_a_call_does_its_own_units_alone():
    a, b = matrices(40, 8, 7, np.float32)
    form = gemm_config_of(4, a.shape, b.shape, False, False)
    c = np.zeros((40, 7), np.float32)
    gemm[a.dtype](a, b, c, *form.gemm_args, *NO_ROW_EPILOGUE, 1, 2)
    wanted = multiplied(a, b)
    rows = form.unit[0]
    wanted[:rows] = wanted[2 * rows :] = 0
    np.testing.assert_array_equal(c, wanted)


def test_eager_products_at_the_sizes_where_ways_part():
    r = np.random.default_rng(3)
    for m, k, n in [
        (63, 65, 8), (64, 64, 8), (128, 128, 129), (1, 100, 81), (1, 100, 82), (4, 5000, 1), (0, 3, 4), (3, 0, 4),
    ]:  # fmt: skip
        a, b = r.normal(size=(m, k)), r.normal(size=(k, n))
        for x, y, flags in ((a, b, (False, False)), (a.T.copy(), b, (True, False)), (a, b.T.copy(), (False, True))):
            c = tf.matmul(tf.constant(x), tf.constant(y), *flags)
            np.testing.assert_allclose(c.numpy(), a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", BOTH)
def test_large_eager_products_have_the_bits_of_small_ones(dtype):
    a, b = matrices(300, 500, 200, dtype)
    for x, y, flags in ((a, b, (False, False)), (a.T.copy(), b, (True, False)), (a, b.T.copy(), (False, True))):
        c = eager_products.product(x, y, *flags)
        assert_product(c, a, b)
        np.testing.assert_array_equal(c[:9], eager_products.product(a[:9], b))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(
    ("left", "right"),
    [((300, 130), (130, 70)), ((5, 130, 120), (5, 120, 70)), ((2, 3, 100, 90), (90, 70)), ((130, 120), (4, 120, 70))],
    ids=str,
)
@pytest.mark.parametrize("threads", [1, 2])
def test_large_eager_products_go_to_the_team(dtype, left, right, threads):
    r = np.random.default_rng(4)
    a, b = r.normal(size=left).astype(dtype), r.normal(size=right).astype(dtype)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    precision = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    before = compute_pool.threads
    compute_pool.resize(threads)
    try:
        for x in (a, np.swapaxes(np.swapaxes(a, -1, -2).copy(), -1, -2), np.repeat(a, 2, -1)[..., ::2]):
            product = eager_products.product if a.ndim == b.ndim == 2 else eager_products.batch_product
            found = product(x, b, False, False)
            np.testing.assert_allclose(found, wanted, **precision)
            turned = product(np.swapaxes(x, -1, -2), np.swapaxes(b, -1, -2).copy(), True, True)
            assert turned.tobytes() == found.tobytes()
    finally:
        compute_pool.resize(before)


def test_dtypes_that_differ_and_integers_are_left_to_numpy():
    a = np.eye(3, dtype=np.float32)
    assert eager_products.product(a, a.astype(np.float64)) is None
    assert eager_products.product(a.astype(np.int32), a.astype(np.int32)) is None
    assert eager_products.product(a, a.astype(">f4")) is None


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_bits_are_those_of_every_width_of_vectors(lanes):
    if 4 * lanes == host_isa().vector_bytes:
        return
    assert digest_elsewhere(__name__, FASTGRAD_LANES=str(lanes)) == digest()


def test_another_number_of_lanes_is_refused():
    code = "from fastgrad._src.jit.isa import host_isa; host_isa()"
    run = run_python("-c", code, FASTGRAD_LANES="5")
    assert "FASTGRAD_LANES is '5'; it may be 4, 8 or 16" in run.stderr
