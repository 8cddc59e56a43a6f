"""Matrix products on a simulated GPU, against NumPy's in float64."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from fastgrad._src.kernels.gemm import config, layout
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.cuda.kernels.groups import assert_the_same_on_device
from tests.cuda.simulation.lock_step import run_on_simulation

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


@pytest.mark.parametrize(("m", "n", "k"), [(33, 40, 417), (6, 30, 2000)])
def test_long_sums_have_the_cpus_bits(m, n, k):
    a, b = numbers(m, k), numbers(k, n)
    attributes = {"transpose_a": False, "transpose_b": False}
    on_cpu = np.zeros((m, n), F32)
    assert run_launches(launches_of_row(TABLE["matmul"], [a, b], [on_cpu], attributes), [a, b], [on_cpu]) is None
    np.testing.assert_array_equal(multiplied(a, b)[0], on_cpu)


@pytest.mark.parametrize("transpose_b", [False, True])
def test_a_row_with_a_large_matrix(transpose_b):
    a, b = numbers(1, 530), numbers(*((70, 530) if transpose_b else (530, 70)))
    found, wanted, launches = multiplied(a, b, transpose_b=transpose_b)
    assert [launch.kernel.kernel.name for launch in launches.launches] == ["batched_gemm"]
    assert_near(found, wanted, F32, 530)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_few_rows_with_a_transposed_matrix(monkeypatch, dtype):
    turned = next(order for order in layout.ORDERS if order.name == "turned")
    monkeypatch.setattr(config, "ORDERS", [turned._replace(applies=lambda product: True)])
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


@pytest.mark.parametrize("shape", [(5, 12), (33, 8)])
def test_what_follows_a_product(shape):
    def program(x, w, b):
        return tf.nn.relu(tf.matmul(x, w) + b)

    assert_the_same_on_device(program, numbers(shape[0], 9), numbers(9, shape[1]), numbers(shape[1]), threads=64)
