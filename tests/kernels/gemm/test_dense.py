import numpy as np
import pytest

from fastgrad._src.kernels.gemm import dense

BOTH = [np.dtype("float32"), np.dtype("float64")]
SHAPES = [(32, 64), (33, 10), (1, 1), (7, 300), (200, 257), (0, 5), (5, 0)]
ACTIVATIONS = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda y: (y > 0).astype(y.dtype)),
    "tanh": (np.tanh, lambda y: 1 - y * y),
}


def _tolerance(dtype):
    return 8 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_bias_and_activation_in_place(name, dtype):
    r = np.random.default_rng(0)
    for rows, columns in SHAPES:
        z, bias = r.normal(size=(rows, columns)).astype(dtype), r.normal(size=columns).astype(dtype)
        exact = ACTIVATIONS[name][0](z.astype(np.float64) + bias)
        dense.BIAS_KERNELS[name][dtype](z, bias, columns, 0, z.size)
        np.testing.assert_allclose(z, exact, rtol=_tolerance(dtype), atol=_tolerance(dtype))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_and_bias_gradient_in_one_pass(name, dtype):
    r = np.random.default_rng(1)
    for rows, columns in SHAPES:
        g = r.normal(size=(rows, columns)).astype(dtype)
        y = ACTIVATIONS[name][0](r.normal(size=(rows, columns))).astype(dtype)
        dz, db = np.full_like(g, 7), np.full(columns, 7, dtype)
        dense.DENSE_GRADIENT_KERNELS[name][dtype](g, y, dz, db, rows, columns)
        exact = g * ACTIVATIONS[name][1](y.astype(np.float64))
        np.testing.assert_allclose(dz, exact, rtol=_tolerance(dtype), atol=_tolerance(dtype))
        np.testing.assert_allclose(db, exact.sum(0), rtol=0, atol=4 * _tolerance(dtype) * max(rows, 1) ** 0.5)


def test_relu_keeps_nan_and_has_no_gradient_at_zero():
    z, bias = np.array([[np.nan, -1.0, 0.0, -0.0, np.inf, -np.inf]]), np.zeros(6)
    dense.BIAS_KERNELS["relu"][z.dtype](z, bias, 6, 0, 6)
    np.testing.assert_array_equal(z, [[np.nan, 0, 0, 0, np.inf, 0]])
    dz, db = np.empty_like(z), np.empty(6)
    dense.DENSE_GRADIENT_KERNELS["relu"][z.dtype](np.ones_like(z), z, dz, db, 1, 6)
    np.testing.assert_array_equal(dz, [[0, 0, 0, 0, 1, 0]])


def test_the_gradient_may_overwrite_the_cotangent():
    g, y = np.arange(12.0).reshape(3, 4), np.linspace(-1, 1, 12).reshape(3, 4)
    expected, db = g * (y > 0), np.empty(4)
    dense.DENSE_GRADIENT_KERNELS["relu"][g.dtype](g, y, g, db, 3, 4)
    np.testing.assert_array_equal(g, expected)
    np.testing.assert_array_equal(db, expected.sum(0))


def test_column_sums_over_many_rows_stay_accurate():
    rows = 100_000
    g = np.random.default_rng(0).random((rows, 3)).astype(np.float32)
    dz, db = np.empty_like(g), np.empty(3, np.float32)
    dense.DENSE_GRADIENT_KERNELS["linear"][g.dtype](g, g, dz, db, rows, 3)
    np.testing.assert_allclose(db, g.astype(np.float64).sum(0), rtol=1e-5)


def test_results_do_not_depend_on_memory_alignment():
    r = np.random.default_rng(2)
    g = r.normal(size=(65, 37)).astype(np.float32)
    first = None
    for shift in range(4):
        buffer = np.empty(65 * 37 + shift, np.float32)
        moved = buffer[shift:].reshape(65, 37)
        moved[...] = g
        dz, db = np.empty_like(g), np.empty(37, np.float32)
        dense.DENSE_GRADIENT_KERNELS["tanh"][g.dtype](moved, moved, dz, db, 65, 37)
        first = first if first is not None else (dz.tobytes(), db.tobytes())
        assert (dz.tobytes(), db.tobytes()) == first
