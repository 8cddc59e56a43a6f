"""Complex numbers: their parts, conjugates and angles.

The gradient of a real loss with respect to a complex number ``a + ib`` is ``dL/da + i dL/db``, as in TensorFlow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.backward import zeros_of
from fastgrad.composite import CompositeOperand
from fastgrad.operation import COMPLEX, FLOATING, NUMERIC, Binary, Form, Unary, convert_pair, elementwise
from fastgrad.ops.arithmetic import negative
from fastgrad.ops.casting import cast
from fastgrad.ops.division import realdiv
from fastgrad.result_rules import ArraySpec, broadcast, broadcast_real
from fastgrad.tensor import Tensor, convert_to_tensor

_REAL_DTYPES: frozenset[np.dtype] = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
_COMPLEX_OF_REAL = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}


def _joined(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    z = np.empty(np.broadcast_shapes(x.shape, y.shape), _COMPLEX_OF_REAL[x.dtype])
    z.real = x
    z.imag = y
    return z


_complex = Binary(
    "complex",
    _joined,
    (lambda g, z, x, y: _real(g), lambda g, z, x, y: _imag(g)),
    form=Form.ELEMENTWISE,
    dtypes=_REAL_DTYPES,
    doc="``x + iy``.",
    result=lambda x, y: ArraySpec(broadcast(x, y).shape, np.dtype(_COMPLEX_OF_REAL[x.dtype])),
)
_conj: Unary = Unary(
    "conj", np.conjugate, lambda g, y, x: _conj(g), form=Form.ELEMENTWISE, dtypes=COMPLEX, doc="The complex conjugate."
)
_real: Unary = Unary(
    "real",
    lambda x: x.real,
    lambda g, y, x: cast(g, x.dtype),
    form=Form.ELEMENTWISE,
    dtypes=COMPLEX,
    doc="The real part.",
    result=broadcast_real,
)
_imag: Unary = Unary(
    "imag",
    lambda x: x.imag,
    lambda g, y, x: _complex(zeros_of(g), g),
    form=Form.ELEMENTWISE,
    dtypes=COMPLEX,
    doc="The imaginary part.",
    result=broadcast_real,
)


def _angle_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return negative(realdiv(cast(g, x.dtype), _complex(_imag(x), _real(x))))


_angle = Unary(
    "angle",
    np.angle,
    _angle_gradient,
    form=Form.ELEMENTWISE,
    dtypes=COMPLEX,
    doc="The angle of a complex number, in (-pi, pi].",
    result=broadcast_real,
)
_angle_of_real = elementwise(
    "angle_of_real",
    "pi where ``x`` is negative, else 0.",
    run=lambda x: np.where(x < 0, x.dtype.type(math.pi), x.dtype.type(0)),
    code="where({0} < 0, pi, 0)",
    dtypes=FLOATING,
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
    if x._array.dtype not in _REAL_DTYPES or x._array.dtype != y._array.dtype:
        raise TypeError(
            f"complex: The `real` and `imag` components have incorrect types: {x.dtype.name} {y.dtype.name}. "
            f"They must be consistent, and one of [tf.float32, tf.float64]"
        )
    return _complex(x, y)


def _numeric(name: str, value: Any) -> Tensor:
    x = convert_to_tensor(value)
    if x._array.dtype not in NUMERIC:
        raise TypeError(f"{name}: expected a numeric tensor, got dtype {x.dtype!r}.")
    return x


def real(input: Any, name: str | None = None) -> Any:
    """The real part, element by element; real numbers are returned unchanged.

    Raises:
        TypeError: ``input`` does not hold numbers.
    """
    try:
        x = _numeric("real", input)
    except CompositeOperand as met:
        return met.mapped(real, input)
    return _real(x) if x._array.dtype in COMPLEX else x


def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part, element by element; 0 for real numbers.

    Raises:
        TypeError: ``input`` does not hold numbers.
    """
    try:
        x = _numeric("imag", input)
    except CompositeOperand as met:
        return met.mapped(imag, input)
    return _imag(x) if x._array.dtype in COMPLEX else zeros_of(x)


def conj(x: Any, name: str | None = None) -> Any:
    """The complex conjugate, element by element; real numbers are returned unchanged.

    Raises:
        TypeError: ``x`` does not hold numbers.
    """
    try:
        x = _numeric("conj", x)
    except CompositeOperand as met:
        return met.mapped(conj, x)
    return _conj(x) if x._array.dtype in COMPLEX else x


def angle(input: Any, name: str | None = None) -> Any:
    """The angle of complex numbers, element by element, in (-pi, pi]; for real numbers 0, or pi if negative.

    Raises:
        TypeError: ``input`` does not hold floating or complex numbers.
    """
    try:
        x = _numeric("angle", input)
    except CompositeOperand as met:
        return met.mapped(angle, input)
    if x._array.dtype in COMPLEX:
        return _angle(x)
    if x._array.dtype not in FLOATING:
        raise TypeError(f"angle: expected floating or complex numbers, got dtype {x.dtype!r}; use tf.cast first.")
    return _angle_of_real(x)


dtypes.complex = complex
