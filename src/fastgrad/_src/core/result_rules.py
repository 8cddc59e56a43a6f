"""Result rules: the shape and dtype of an operation's results, from those of its inputs.

A rule is a function ``(*inputs, **attributes)`` of ``Spec``s (see ``kernels/runtime/launch.py``). It returns an ``ArraySpec``,
or a tuple of them where ``run`` returns a tuple. A size that depends on values is None. The inputs are those that the public
functions accept. For others a rule may raise an exception; the caller then calls ``run`` for its error.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np


class ArraySpec(NamedTuple):
    """The shape and dtype of an array; a size that depends on values is None."""

    shape: tuple[Any, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)


Specs = ArraySpec | tuple[ArraySpec, ...]
Rule = Callable[..., Specs]


def require_fitting_shapes(condition: bool) -> None:
    """Raises ValueError, for shapes that do not fit, unless ``condition`` holds."""
    if not condition:
        raise ValueError("the shapes do not fit")


def broadcast(*inputs: Any, **attributes: Any) -> ArraySpec:
    """The rule of element-wise operations: the broadcast shape, the dtype of the first input."""
    first = inputs[0]
    shape = first.shape
    for x in inputs[1:]:
        if x.shape != shape:
            shape = np.broadcast_shapes(shape, x.shape)
    return ArraySpec(shape, first.dtype)


def broadcast_of(dtype: Any) -> Rule:
    """The rule of element-wise operations with results of ``dtype``, such as comparisons."""
    result_dtype = np.dtype(dtype)
    return lambda *inputs, **attributes: ArraySpec(broadcast(*inputs).shape, result_dtype)


def broadcast_with_real_dtype(*inputs: Any, **attributes: Any) -> ArraySpec:
    """The rule of real results: the broadcast shape; the real dtype of a complex input."""
    shape, dtype = broadcast(*inputs)
    return ArraySpec(shape, real_dtype(dtype))


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the real part of numbers of ``dtype``."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def same_as_first(x: Any, *inputs: Any, **attributes: Any) -> ArraySpec:
    """The rule of a result with the shape and dtype of the first input."""
    return ArraySpec(x.shape, x.dtype)


def like_inputs(*numbers: int) -> Rule:
    """The rule of several results: the shapes and dtypes of the inputs with these numbers."""
    return lambda *inputs, **attributes: tuple([same_as_first(inputs[number]) for number in numbers])


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """The shape of the result of a reduction over ``axes``."""
    kept_shape = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(kept_shape if keepdims else [size for axis, size in enumerate(kept_shape) if axis not in axes])


def reduction_result(x: Any, axes: tuple[int, ...], keepdims: bool = True) -> ArraySpec:
    """The rule of reductions: ``axes`` have size 1, or are dropped."""
    require_fitting_shapes(all(0 <= axis < len(x.shape) for axis in axes))
    return ArraySpec(reduced_shape(x.shape, axes, keepdims), x.dtype)


def of_shape(x: Any, *inputs: Any, shape: tuple[int, ...], **attributes: Any) -> ArraySpec:
    """The rule of a result with the shape of the attribute ``shape`` and the dtype of the first input."""
    return ArraySpec(shape, x.dtype)


def scalar_of(dtype: Any) -> Rule:
    """The rule of a result of shape ()."""
    return lambda *inputs, **attributes: ArraySpec((), np.dtype(dtype))


def nonnegative_sizes(*sizes: int) -> tuple[int, ...]:
    """Returns sizes of dimensions unchanged; raises ValueError if one is negative."""
    require_fitting_shapes(min(sizes, default=0) >= 0)
    return sizes


def rule_of_views(run: Callable[..., Any]) -> Rule:
    """Returns the result rule of an operation whose ``run`` makes views: ``run`` of an array without memory."""

    def rule(x: Any, **attributes: Any) -> Specs:
        result = run(memoryless_zeros(x), **attributes)
        return tuple([same_as_first(y) for y in result]) if type(result) is tuple else same_as_first(result)

    return rule


_ZERO_BYTES = np.zeros(16, np.uint8)


def memoryless_zeros(x: Any) -> np.ndarray:
    """Returns zeros of the shape and dtype of ``x``, all at one address, so that the array takes no memory."""
    if x.dtype.hasobject:
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)
    return np.ndarray(x.shape, x.dtype, _ZERO_BYTES.data, strides=(0,) * len(x.shape))


def specs_of(result: Any) -> tuple[Any, ...]:
    """Returns the one or several results of a result rule, or of an operation's ``run``, as a tuple."""
    return result if type(result) is tuple else (result,)


def fits_spec(spec: ArraySpec, array: Any) -> bool:
    """True if ``array``, or a spec, has the dtype and the sizes of ``spec``; None fits any size."""
    return (
        spec.dtype == array.dtype
        and len(spec.shape) == len(array.shape)
        and all(size is None or size == other for size, other in zip(spec.shape, array.shape, strict=True))
    )
