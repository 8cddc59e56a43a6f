"""Complex numbers: their parts, conjugates and angles.

The gradient of a real loss with respect to a complex number ``a + ib`` is ``dL/da + i dL/db``, as in TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.lowering import Elementwise, complex_launches
from fastgrad._src.core.operation import (
    COMPLEX_DTYPES,
    FLOAT_DTYPES,
    NUMERIC_DTYPES,
    Binary,
    Form,
    Unary,
    convert_pair,
    elementwise,
)
from fastgrad._src.core.result_rules import ArraySpec, broadcast, broadcast_with_real_dtype
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arithmetic import negative
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.division import realdiv
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS
from fastgrad._src.scalars import terms

_COMPLEX_OF_REAL = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}


def _run_complex(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    z: np.ndarray = np.empty(np.broadcast_shapes(x.shape, y.shape), _COMPLEX_OF_REAL[x.dtype])
    z.real = x
    z.imag = y
    return z


_complex = Binary(
    "complex",
    _run_complex,
    (lambda g, z, x, y: _real(g), lambda g, z, x, y: _imag(g)),
    form=Form.ELEMENTWISE,
    dtypes=KERNEL_FLOATS,
    doc="``x + iy``.",
    result=lambda x, y: ArraySpec(broadcast(x, y).shape, np.dtype(_COMPLEX_OF_REAL[x.dtype])),
    elementwise=Elementwise(complex_launches=complex_launches("complex")),
)
_of_complex = partial(Unary, form=Form.ELEMENTWISE, dtypes=COMPLEX_DTYPES)
_to_real = partial(_of_complex, result=broadcast_with_real_dtype)

_conj: Unary = _of_complex(
    "conj",
    np.conjugate,
    lambda g, y, x: _conj(g),
    doc="The complex conjugate.",
    simplifications=lambda rules: (rules.cancel_involution,),
)
_real: Unary = _to_real("real", lambda x: x.real, lambda g, y, x: cast(g, x.dtype), doc="The real part.")
_imag: Unary = _to_real("imag", lambda x: x.imag, lambda g, y, x: _complex(zeros_of(g), g), doc="The imaginary part.")
_angle = _to_real(
    "angle",
    np.angle,
    lambda g, y, x: negative(realdiv(cast(g, x.dtype), _complex(_imag(x), _real(x)))),
    doc="The angle of a complex number, in (-pi, pi].",
)
_angle_of_real = elementwise(
    "angle_of_real",
    "pi where ``x`` is negative, else 0.",
    run=lambda x: np.where(x < 0, x.dtype.type(math.pi), x.dtype.type(0)),
    term=lambda x: terms.where(x < 0, math.pi, 0),
    dtypes=FLOAT_DTYPES,
)


def complex(real: Any, imag: Any, name: str | None = None) -> Any:
    """``real + i imag``, element by element, broadcast.

    Args:
        real, imag: both float32, giving complex64, or both float64, giving complex128.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: other dtypes.
    """
    try:
        x, y = convert_pair(real, imag)
    except CompositeOperand as met:
        return met.mapped(complex, real, imag)
    if x._array.dtype not in KERNEL_FLOATS or x._array.dtype != y._array.dtype:
        raise TypeError(
            f"complex: The `real` and `imag` components have incorrect types: {x.dtype.name} {y.dtype.name}. "
            f"They must be consistent, and one of [tf.float32, tf.float64]"
        )
    return _complex(x, y)


def _call_by_dtype(
    function: Callable[..., Any], of_complex: Unary, of_real: Callable[[Tensor], Any] | None, value: Any
) -> Any:
    """Calls ``of_complex`` or ``of_real``, by the dtype of ``value``, for the public function ``function``.

    Without ``of_real``, returns real numbers as they are.
    """
    try:
        x = value if type(value) is Tensor else convert_to_tensor(value)
    except CompositeOperand as met:
        return met.mapped(function, value)
    if x._array.dtype not in NUMERIC_DTYPES:
        raise TypeError(f"{function.__name__}: expected a numeric tensor, got dtype {x.dtype!r}.")
    if x._array.dtype in COMPLEX_DTYPES:
        return of_complex(x)
    return x if of_real is None else of_real(x)


def real(input: Any, name: str | None = None) -> Any:
    """The real part, element by element; real numbers are returned unchanged.

    Raises:
        TypeError: ``input`` does not hold numbers.
    """
    return _call_by_dtype(real, _real, None, input)


def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part, element by element; 0 for real numbers.

    Raises:
        TypeError: ``input`` does not hold numbers.
    """
    return _call_by_dtype(imag, _imag, zeros_of, input)


def conj(x: Any, name: str | None = None) -> Any:
    """The complex conjugate, element by element; real numbers are returned unchanged.

    Raises:
        TypeError: ``x`` does not hold numbers.
    """
    return _call_by_dtype(conj, _conj, None, x)


def angle(input: Any, name: str | None = None) -> Any:
    """The angle of complex numbers, element by element, in (-pi, pi]; for real numbers 0, or pi if negative.

    Raises:
        TypeError: ``input`` does not hold floating or complex numbers.
    """
    return _call_by_dtype(angle, _angle, _checked_angle_of_real, input)


def _checked_angle_of_real(x: Tensor) -> Tensor:
    if x._array.dtype not in FLOAT_DTYPES:
        raise TypeError(f"angle: expected floating or complex numbers, got dtype {x.dtype!r}; use tf.cast first.")
    return _angle_of_real(x)


dtypes.complex = complex
