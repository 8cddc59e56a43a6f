"""Matrix products on a simulated GPU, against NumPy's in float64; and their machine code."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.core.operation import TABLE
from fastgrad.cuda.kernels import products
from fastgrad.cuda.kernels.choice import row_launches_on_device
from fastgrad.cuda.kernels.products import LARGE_TILE, MIDDLE_TILE, SMALL_TILE, Layout, product_kernel
from fastgrad.cuda.simulation.lock_step import run_on_simulation, simulate
from fastgrad.kernels.gemm import form
from tests.cuda.codegen.linking import WIDE_LOAD, WIDE_SHARED_LOAD, WIDE_STORE, machine_code, ptx_of
from tests.cuda.kernels.groups import assert_the_same_on_device

F32 = np.float32


def numbers(*shape, dtype=F32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def multiplied(a, b, transpose_a=False, transpose_b=False):
    """The product on the simulated GPU, and in float64."""
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    wanted = left.astype(np.float64) @ right.astype(np.float64)
    y = np.full(wanted.shape, 3, a.dtype)
    attributes = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    found = row_launches_on_device(TABLE["matmul"], [a, b], [y], attributes)
    assert run_on_simulation(found, [a, b], [y], blocks=3, threads=64) is None
    return y, wanted, found


def assert_near(found, wanted, dtype, k):
    tolerance = {"float32": 2e-7, "float64": 1e-15, "float16": 1e-3, "bfloat16": 8e-3}[str(np.dtype(dtype))] * (
        4 + k**0.5
    )
    np.testing.assert_allclose(found.astype(np.float64), wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (5, 7, 3), (32, 32, 8), (33, 31, 17), (8, 40, 12), (70, 4, 20), (3, 1, 9)]
)
def test_any_sizes_and_transpositions(m, n, k, dtype):
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            a = numbers(*((k, m) if transpose_a else (m, k)), dtype=dtype)
            b = numbers(*((n, k) if transpose_b else (k, n)), dtype=dtype)
            found, wanted, _ = multiplied(a, b, transpose_a, transpose_b)
            assert_near(found, wanted, dtype, k)


@pytest.mark.parametrize(
    "shapes", [((2, 5, 9), (2, 9, 6)), ((3, 4, 8), (8, 4)), ((4, 8), (3, 8, 4)), ((2, 1, 3, 5), (4, 5, 2))]
)
def test_batches(shapes):
    a, b = (numbers(*shape) for shape in shapes)
    found, wanted, _ = multiplied(a, b)
    assert_near(found, wanted, F32, a.shape[-1])


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_half_widths_are_summed_in_float32(dtype):
    a, b = (tf.cast(numbers(9, 9), dtype).numpy() for _ in range(2))
    found, wanted, _ = multiplied(a, b)
    assert_near(found, wanted, a.dtype, 1)


@pytest.mark.parametrize("shapes", [((9, 7), (7, 5)), ((2, 5, 9), (2, 9, 6)), ((4, 8), (3, 8, 4))])
def test_products_of_bfloat16_are_those_of_float32_copies(shapes):
    a, b = (tf.cast(numbers(*shape), tf.bfloat16).numpy() for shape in shapes)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    y = np.full(wanted.shape, 3, F32)
    found = row_launches_on_device(TABLE["wide_product"], [a, b], [y], {"transpose_a": False, "transpose_b": False})
    assert run_on_simulation(found, [a, b], [y], blocks=3, threads=64) is None
    assert_near(y, wanted, F32, a.shape[-1])
    assert [launch.kernel.kernel.name for launch in found.launches][:2] == ["widen_bfloat16"] * 2


def test_long_sums_are_cut_into_parts(monkeypatch):
    monkeypatch.setattr(products, "FEWEST_TERMS_OF_A_PART", 40)
    a, b = numbers(9, 171), numbers(171, 10)
    found, wanted, launches = multiplied(a, b)
    assert len(launches.launches) == 2
    assert_near(found, wanted, F32, 171)
    a, b = numbers(6, 2000), numbers(2000, 30)  # which a CPU cuts
    found, wanted, _ = multiplied(a, b)
    assert_near(found, wanted, F32, 2000)


@pytest.mark.parametrize("transpose_b", [False, True])
def test_a_row_with_a_large_matrix(transpose_b):
    a, b = numbers(1, 530), numbers(*((70, 530) if transpose_b else (530, 70)))
    found, wanted, launches = multiplied(a, b, transpose_b=transpose_b)
    assert [launch.kernel.kernel.name for launch in launches.launches] == ["product", "add_parts"]
    assert_near(found, wanted, F32, 530)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_few_rows_with_a_transposed_matrix(monkeypatch, dtype):
    monkeypatch.setattr(form, "_is_transpose_cheaper", lambda *_: True)
    a, b = numbers(16, 41, dtype=dtype), numbers(70, 41, dtype=dtype)
    found, wanted, launches = multiplied(a, b, transpose_b=True)
    assert len(launches.launches) == 2
    assert_near(found, wanted, dtype, 41)


def test_nan_and_infinity_stay_in_their_rows():
    a, b = numbers(40, 12), numbers(12, 9)
    a[3, 5], a[33, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found, wanted, _ = multiplied(a, b)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))


@pytest.mark.parametrize("tile", [MIDDLE_TILE, LARGE_TILE])
def test_larger_tiles(tile):
    m, n, k = tile.rows + 1, tile.columns // 2, tile.depth + 3
    a, b, c = numbers(m, k), numbers(n, k), np.zeros((m, n), F32)
    kernel = product_kernel(tile, Layout(True, True, False, False, n % 4 == 0))
    simulate(kernel, {"T": "float32"}, [a, b, c, m, n, k, k, k, 0, 0, k, 0], 2, blocks=1)
    assert_near(c, a.astype(np.float64) @ b.T, F32, k)


@pytest.mark.parametrize("shape", [(5, 12), (33, 8)])
def test_what_follows_a_product(shape):
    def program(x, w, b):
        return tf.nn.relu(tf.matmul(x, w) + b)

    assert_the_same_on_device(program, numbers(shape[0], 9), numbers(9, shape[1]), numbers(shape[1]), threads=64)


@pytest.mark.parametrize(
    ("tile", "dtype"),
    [(SMALL_TILE, "float32"), (MIDDLE_TILE, "float32"), (LARGE_TILE, "float32"), (MIDDLE_TILE, "float64")],
)
@pytest.mark.parametrize("by_term", [(True, False), (False, False), (True, True)])
def test_machine_code(tile, dtype, by_term):
    kernel = product_kernel(tile, Layout(*by_term, True, True, True))
    for capability in (80, 90, 100) if by_term == (True, False) else (90,):
        text = ptx_of(kernel, {"T": dtype}, capability)
        assert ".local" not in text
        if dtype == "float32":
            assert ".f64" not in text
            for access in (WIDE_LOAD, WIDE_SHARED_LOAD, WIDE_STORE):
                assert re.search(access, text), access
            assert text.count("fma.rn.f32") >= tile.side**2
        cubin = machine_code(text, capability)
        assert cubin.spills == cubin.stack == 0
        assert cubin.registers * tile.threads <= 65536
        assert 0 < cubin.shared <= 49152
