"""NumPy's behaviour of tensors: type promotion of operators, indexing by arrays, and methods of arrays."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.functions import TABLE
from fastgrad._src.compat.experimental.numpy.promotion import promote_operands, settings
from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops import namespace as ops

_BINARY_OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"]
_COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]


def experimental_enable_numpy_behavior(prefer_float32: bool = False, dtype_conversion_mode: str = "legacy") -> None:
    """Gives tensors and variables the behaviour of NumPy's arrays, until the process ends.

    Operators promote operands of several dtypes, as ``result_type`` says. Indices may be arrays and masks. Tensors have the methods
    and attributes ``T``, ``size``, ``astype``, ``clip``, ``flatten``, ``max``, ``mean``, ``min``, ``ravel``, ``reshape``,
    ``tolist``, ``transpose`` and ``data``.

    Args:
        prefer_float32: whether Python's floats are float32 instead of float64 in functions of this module.
        dtype_conversion_mode: ``"legacy"``, NumPy's type promotion; or ``"off"``, which only adds methods and indices.

    Raises:
        ValueError: ``dtype_conversion_mode`` is something else. TensorFlow also has ``"safe"`` and ``"all"``.
    """
    if dtype_conversion_mode not in ("legacy", "off"):
        raise ValueError(f"dtype_conversion_mode must be 'legacy' or 'off', got {dtype_conversion_mode!r}.")
    settings["prefers_float32"] = prefer_float32
    for kind in (Tensor, Variable):
        if dtype_conversion_mode == "legacy":
            for name in [*_BINARY_OPERATORS, *[f"r{name}" for name in _BINARY_OPERATORS], *_COMPARISONS]:
                _wrap_method(kind, f"__{name}__", _promote_operands)
            setattr(kind, "__matmul__", TABLE["matmul"])  # noqa: B010  # for mypy
            setattr(kind, "__rmatmul__", lambda x, y: TABLE["matmul"](y, x))  # noqa: B010
        _wrap_method(kind, "__getitem__", _with_array_indices)
    for name, value in _MEMBERS.items():
        setattr(Tensor, name, value)


def _wrap_method(kind: type, name: str, wrapper: Callable[..., Any]) -> None:
    method = getattr(kind, name)
    if method.__module__ != __name__:  # not yet wrapped
        setattr(kind, name, wrapper(method))


def _promote_operands(method: Callable[..., Any]) -> Callable[..., Any]:
    def operator(x: Any, y: Any) -> Any:
        promotes = hasattr(y, "dtype") or isinstance(y, (bool, int, float, complex, list, tuple))
        return method(*promote_operands(x, y)) if promotes else method(x, y)

    return operator


def _with_array_indices(method: Callable[..., Any]) -> Callable[..., Any]:
    def getitem(x: Any, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        return _elements_at(convert_to_tensor(x), keys) if any(map(_is_array, keys)) else method(x, key)

    return getitem


def _is_array(key: Any) -> bool:
    tensor = as_tensor_or_none(key)
    return isinstance(key, (list, np.ndarray)) or (
        tensor is not None and (tensor.ndim > 0 or tensor.dtype is dtypes.bool)
    )


def _elements_at(x: Any, keys: tuple[Any, ...]) -> Any:
    """Returns the elements of ``x`` that TensorFlow selects by ``keys``, at least one of which is an array."""
    arrays = [TABLE["asarray"](key) if _is_array(key) else key for key in keys]
    expanded: list[Any] = []
    for key in arrays:
        is_mask = isinstance(key, Tensor) and key.dtype is dtypes.bool
        expanded += TABLE["nonzero"](key) if is_mask else [key]
    used = sum(key is not None and key is not Ellipsis for key in expanded)
    if used > x.ndim:
        raise IndexError(f"too many indices for a tensor of {x.ndim} dimensions: {used} of them.")
    place = next((n for n, key in enumerate(expanded) if key is Ellipsis), len(expanded))
    expanded[place : place + 1] = [slice(None)] * (x.ndim - used)
    # Slices and new axes first; what stays are indices of single axes.
    axes = [n for n, key in enumerate(expanded) if not isinstance(key, (slice, NoneType))]
    x = x[tuple([slice(None) if n in axes else key for n, key in enumerate(expanded)])]
    indices = [ops.cast(convert_to_tensor(expanded[n]), dtypes.int64) for n in axes]
    common = np.broadcast_shapes(*[tuple(index.shape) for index in indices])
    indices = [ops.broadcast_to(index, common) for index in indices]
    indices = [ops.where(index < 0, index + x.shape[n], index) for index, n in zip(indices, axes, strict=True)]
    rest = [n for n in range(x.ndim) if n not in axes]
    y = ops.gather_nd(ops.transpose(x, [*axes, *rest]), ops.stack(indices, -1))
    # As in TensorFlow an integer only removes its axis; in NumPy it counts as an array, and parts arrays from others.
    kept = [n for n in range(x.ndim) if n in rest or getattr(expanded[n], "ndim", None)]
    places = [place for place, n in enumerate(kept) if n in axes]
    if places != list(range(places[0], places[-1] + 1)):
        return y  # arrays that do not follow each other: their axes come first
    rank, before = indices[0].ndim, places[0]
    return ops.transpose(y, [*range(rank, rank + before), *range(rank), *range(rank + before, y.ndim)])


def _tensor_method(name: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return TABLE[name](self, *args, **kwargs)

    call.__name__ = name
    return call


def _reshape(self: Any, *shape: Any, order: str = "C") -> Any:
    return TABLE["reshape"](self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Any, *axes: Any) -> Any:
    return ops.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)


_MEMBERS: dict[str, Any] = {
    **{name: _tensor_method(name) for name in ("clip", "flatten", "max", "mean", "min", "ravel")}, "__round__": _tensor_method("around"),
    "T": property(ops.transpose), "__pos__": lambda self: self, "astype": ops.cast, "data": property(lambda self: self), "reshape": _reshape,
    "size": property(TABLE["size"]), "tolist": lambda self: self.numpy().tolist(), "transpose": _transpose,
}  # fmt: skip
