"""Activation functions: relu and its variants, silu and gelu."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import as_float
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import (
    FLOAT_DTYPES,
    NEVER,
    REAL_DTYPES,
    TABLE,
    Binary,
    Form,
    Operation,
    Tensor,
    Unary,
    elementwise,
    operation,
)
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.kernels.elementwise import activation as kernels
from fastgrad._src.ops.kernel_launches import make_float_kernel_run, make_pair_kernel_run
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation


def with_half_floats(run: Any, arrays: tuple[np.ndarray, ...], **attributes: Any) -> Any:
    """Calls ``run`` in float32 for half-width dtypes, which kernels do not take, and rounds the results back."""
    result = run(*[a.astype(np.float32) for a in arrays], **attributes)
    half_dtype = arrays[0].dtype
    return tuple(r.astype(half_dtype) for r in result) if type(result) is tuple else result.astype(half_dtype)


_ZERO_OF = {dtype: np.zeros((), dtype) for dtype in REAL_DTYPES}
"""0 in each dtype: NumPy takes arrays faster than scalars."""


# ---- relu and its variants -------------------------------------------------------------------------


# The derivative of a step is zeros, as in TensorFlow; None would mean unconnected.
relu_gradient: Operation = elementwise(
    "relu_gradient",
    "``g`` where ``y`` is positive, else 0: the gradient of relu from its result ``y``.",
    run=lambda g, y: np.where(y > _ZERO_OF[y.dtype], g, _ZERO_OF[g.dtype]),
    term=terms.relu_gradient,
    dtypes=REAL_DTYPES,
)
_relu = elementwise(
    "relu",
    "max(features, 0)",
    run=lambda x: np.maximum(x, _ZERO_OF[x.dtype]),
    term=terms.relu,
    dtypes=REAL_DTYPES,
)
_relu6 = elementwise(
    "relu6",
    "min(max(features, 0), 6)",
    run=lambda x: np.minimum(np.maximum(x, x.dtype.type(0)), x.dtype.type(6)),
    term=terms.relu6,
    dtypes=REAL_DTYPES,
)
_relu6_gradient: Operation = elementwise(
    "relu6_gradient",
    "``g`` where ``0 < y < 6``, else 0: the gradient of relu6 from its result ``y``.",
    run=lambda g, y: np.where((y > 0) & (y < 6), g, g.dtype.type(0)),
    term=terms.relu6_gradient,
    dtypes=REAL_DTYPES,
)


def relu(features: Any, name: str | None = None) -> Tensor:
    """``max(features, 0)``; the gradient at 0 is 0.

    Args:
        features: a real tensor.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor of the same shape and dtype. TensorFlow: tf.nn.relu.

    Example:
        >>> tf.nn.relu([-1.0, 0.0, 2.0])
        <tf.Tensor: shape=(3,), dtype=float32, numpy=array([0., 0., 2.], dtype=float32)>
    """
    return _relu(features)


def relu6(features: Any, name: str | None = None) -> Tensor:
    """``min(max(features, 0), 6)``; the gradient at 0 and 6 is 0. TensorFlow: tf.nn.relu6."""
    return _relu6(features)


def _leaky_relu_expression(scalars: Any, factor: str, x: str, alpha: float) -> str:
    scaled = scalars.rounded_to_dtype(f"{factor} * {scalars.constant(alpha)}")
    return f"({factor} if {x} > 0 else {scaled})"


_leaky_relu_gradient: Operation = operation(
    "leaky_relu_gradient",
    Form.ELEMENTWISE,
    run=lambda g, x, alpha: np.where(x > 0, g, g * g.dtype.type(alpha)),
    gradient=(
        lambda gg, z, g, x, alpha: _leaky_relu_gradient(gg, x, alpha=alpha),
        lambda gg, z, g, x, alpha: zeros_of(x),
    ),
    dtypes=FLOAT_DTYPES,
    elementwise=Elementwise(kernel_code=_leaky_relu_expression),
)
_leaky_relu = operation(
    "leaky_relu",
    Form.ELEMENTWISE,
    run=lambda x, alpha: np.where(x > 0, x, x * x.dtype.type(alpha)),
    gradient=lambda g, y, x, alpha: _leaky_relu_gradient(g, x, alpha=alpha),
    dtypes=FLOAT_DTYPES,
    elementwise=Elementwise(kernel_code=lambda scalars, x, alpha: _leaky_relu_expression(scalars, x, x, alpha)),
)


def leaky_relu(features: Any, alpha: Any = 0.2, name: str | None = None) -> Any:
    """``features`` where positive, else ``alpha * features``; the gradient at 0 is alpha.

    Args:
        features: a floating tensor; integers become float32.
        alpha: the slope below 0.

    Returns:
        A tensor of the same shape. TensorFlow: tf.nn.leaky_relu.
    """
    try:
        x = convert_to_tensor(features)
    except CompositeOperand as met:
        return met.mapped(lambda x: leaky_relu(x, alpha), features)
    if x.dtype.is_integer:
        x = TABLE["cast"](x, dtype="float32")
    _leaky_relu.check_dtype(x._array)
    if isinstance(alpha, (str, bytes)):
        raise TypeError(f"leaky_relu: alpha must be a number, got {alpha!r}.")
    return _leaky_relu(x, alpha=as_float(alpha))


_elu = elementwise(
    "elu",
    "exp(x) - 1 below 0",
    run=make_float_kernel_run(
        "elu", lambda x: np.where(x >= 0, x, np.expm1(np.minimum(x, x.dtype.type(0)))), "activation"
    ),
    term=terms.elu_of,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
_selu = elementwise(
    "selu",
    "scaled elu",
    run=make_float_kernel_run(
        "selu",
        lambda x: np.where(
            x >= 0,
            x * x.dtype.type(kernels.SELU_SCALE),
            np.expm1(np.minimum(x, x.dtype.type(0))) * x.dtype.type(kernels.SELU_SCALED_ALPHA),
        ),
        "activation",
    ),
    term=terms.selu_of,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)
_selu_slope: Operation = elementwise(
    "selu_slope",
    "the derivative of selu",
    run=make_float_kernel_run(
        "slope_of_selu",
        lambda x: np.where(
            x >= 0,
            x.dtype.type(kernels.SELU_SCALE),
            np.exp(np.minimum(x, x.dtype.type(0))) * x.dtype.type(kernels.SELU_SCALED_ALPHA),
        ),
        "activation",
    ),
    term=terms.selu_slope,
    dtypes=FLOAT_DTYPES,
    large=NEVER,
)


def elu(features: Any, name: str | None = None) -> Tensor:
    """``features`` where positive, else ``exp(features) - 1`` (Clevert et al. 2015). TensorFlow: tf.nn.elu."""
    return _elu(features)


def selu(features: Any, name: str | None = None) -> Tensor:
    """The self-normalising elu: scale 1.0507 and alpha 1.6733 (Klambauer et al. 2017). TensorFlow: tf.nn.selu."""
    return _selu(features)


def silu(features: Any, beta: float = 1.0) -> Any:
    """``features * sigmoid(beta * features)``, also called swish (Ramachandran et al. 2017).

    Args:
        features: a floating tensor.
        beta: a number or scalar tensor.

    Returns:
        A tensor of the same shape and dtype. TensorFlow: tf.nn.silu.
    """
    try:
        x = convert_to_tensor(features)
    except CompositeOperand as met:
        return met.mapped(lambda x: silu(x, beta), features)
    if x._array.dtype not in FLOAT_DTYPES:
        raise dtype_error("silu", x._array.dtype, FLOAT_DTYPES)
    return x * TABLE["sigmoid"](x if type(beta) is float and beta == 1.0 else x * beta)


swish = silu


# ---- gelu ------------------------------------------------------------------------------------------


def _gelu_operations(
    name: str,
    form: str,
    term: ScalarOperation,
    slope: ScalarOperation,
    product: ScalarOperation,
) -> Unary:
    """Declares the operations of gelu, exact or by tanh: its value, its derivative, and the gradient's product.

    Args:
        name: the name of the row; its kernels have this name, too.
        form: the words for it in docstrings.
        term, slope, product: the scalar functions of gelu, of its derivative, and of the product of a cotangent and the derivative.
    """
    slope_row: Unary = elementwise(
        f"{name}_slope",
        f"The derivative of {form} at ``x``, which programs keep for the backward pass "
        "(compiler/passes/share_activation_gradients.py).",
        run=lambda x: gradient.run(np.ones_like(x), x),
        term=slope,
        dtypes=FLOAT_DTYPES,
        rounds_once=True,
    )
    gradient: Binary = elementwise(
        f"{name}_gradient",
        f"``g`` times the derivative of {form} at ``x``.",
        run=make_pair_kernel_run(
            f"{name}_gradient",
            lambda g, x: with_half_floats(gradient.run, (g, x)),
            nanoseconds=kernels.ELEMENT_NANOSECONDS,
        ),
        term=product,
        dtypes=FLOAT_DTYPES,
        rounds_once=True,
        derivative=slope_row,
        large=NEVER,
    )
    row: Unary = elementwise(
        name,
        form,
        run=make_float_kernel_run(
            name, lambda x: with_half_floats(row.run, (x,)), "activation", kernels.ELEMENT_NANOSECONDS
        ),
        term=term,
        dtypes=FLOAT_DTYPES,
        rounds_once=True,
        derivative=slope_row,
        large=NEVER,
    )
    return row


_gelu_erf = _gelu_operations(
    "gelu",
    "gelu",
    term=terms.gelu_of,
    slope=terms.gelu_slope,
    product=terms.gelu_gradient,
)
_gelu_tanh = _gelu_operations(
    "gelu_tanh",
    "gelu's tanh form",
    term=terms.gelu_tanh_of,
    slope=terms.gelu_tanh_slope,
    product=terms.gelu_tanh_gradient,
)


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Any:
    """``x * Phi(x)`` with the normal distribution function Phi (Hendrycks and Gimpel 2016).

    Args:
        features: a floating tensor.
        approximate: whether to use ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))``.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        ValueError: ``features`` is not floating. TensorFlow: tf.nn.gelu.
    """
    try:
        x = convert_to_tensor(features)
    except CompositeOperand as met:
        return met.mapped(lambda x: gelu(x, approximate), features)
    if not x.dtype.is_floating:
        raise ValueError(f"`features.dtype` must be a floating point tensor. Received: features.dtype={x.dtype!r}")
    return _gelu_tanh(x) if approximate else _gelu_erf(x)
