"""`fg.cfunc`: derivatives as functions of C, which SciPy integrates without calls of Python."""

import numba
import numpy as np
import pytest
import scipy
import scipy.integrate
from numba.core.errors import TypingError

import fastgrad as fg

wave = numba.njit(lambda x, decay: np.exp(-decay * x) * np.sin(x))


def test_scipy_integrates_a_gradient():
    slope = fg.grad(wave, argnums=1)

    @fg.cfunc("float64(intc, CPointer(float64))")
    def integrand(n, x):
        return slope(x[0], x[1])

    value, _ = scipy.integrate.quad(scipy.LowLevelCallable(integrand.ctypes), 0.0, 3.0, args=(0.5,))
    expected, _ = scipy.integrate.quad(lambda x: -x * wave(x, 0.5), 0.0, 3.0)
    assert value == pytest.approx(expected, rel=1e-12)
    value, _ = scipy.integrate.nquad(scipy.LowLevelCallable(integrand.ctypes), [(0.0, 3.0), (0.0, 1.0)])
    expected, _ = scipy.integrate.quad(lambda x: wave(x, 1.0) - wave(x, 0.0), 0.0, 3.0)
    assert value == pytest.approx(expected, rel=1e-12)


def test_a_derivative_itself_is_compiled():
    slope = fg.cfunc("float64(float64, float64)")(fg.grad(wave))
    assert slope.ctypes(0.3, 0.5) == pytest.approx(fg.grad(wave)(0.3, 0.5), rel=1e-15)
    second = fg.cfunc("float64(float64, float64)")(fg.grad(fg.grad(wave)))
    assert second.ctypes(0.3, 0.5) == pytest.approx(fg.grad(fg.grad(wave))(0.3, 0.5), rel=1e-14)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="cfunc: expected a Python function"):
        fg.cfunc("float64(float64)")(np.sin)


def test_numbas_own_decorator_does_not_take_a_derivative():
    with pytest.raises(TypingError, match="compile_derivatives_by_fastgrad_cfunc"):
        numba.cfunc("float64(float64)")(fg.grad(lambda x: x * x))
