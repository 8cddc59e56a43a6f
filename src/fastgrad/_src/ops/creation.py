"""New tensors: constant, identity, zeros, ones, fill, eye, range, linspace.

Half of the file is the documentation of public functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core import tensor as tensors
from fastgrad._src.core.array_conversion import array_of
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operand_errors import dtype_error, shapes_error, size_error
from fastgrad._src.core.operation import ALL_DTYPES, TABLE, Form, Operation
from fastgrad._src.core.placement import device_named, device_of, move_to_device, name_of, placement
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import (
    Tensor,
    as_tensor_or_none,
    constant_like,
    constant_tensor,
    convert_to_tensor,
    from_python,
    holds_tensor,
)
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.ops.arguments import (
    as_python_int,
    as_python_ints,
    as_single_python_int,
    nonnegative_axis,
    numbers_below,
    tensor_of,
)
from fastgrad._src.ops.batching import broadcasting_rule

_MAX_ELEMENTS = 2**63 - 1


def dimensions(shape: Any, name: str) -> tuple[int, ...]:
    """Converts ``shape`` to non-negative Python ints.

    Args:
        shape: an int, a sequence of ints, a ``TensorShape``, or an integer tensor of rank 0 or 1.
        name: the operation, for the error.

    Raises:
        TypeError: a float among the sizes.
        InvalidArgumentError: a negative size, a shape of rank above 1, or more than 2**63 - 1 elements.
    """
    if isinstance(shape, (list, tuple)) and any(isinstance(size, float) for size in shape):
        refusal = InvalidArgumentError if name == "fill" else TypeError
        raise refusal(f"{name}: Cannot convert {shape!r} to a shape: sizes are integers.")
    sizes = as_python_ints(shape, f"{name}: shape")
    if sizes and min(sizes) < 0:
        raise InvalidArgumentError(f"{name}: Dimension {min(sizes)} must be >= 0 in shape {list(sizes)}.")
    if math.prod(sizes) > _MAX_ELEMENTS:
        raise InvalidArgumentError(f"{name}: Shape {list(sizes)} would have more than 2**63 - 1 elements.")
    return sizes


# ---- from values -----------------------------------------------------------------------------------


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const") -> Tensor:
    """Makes a tensor of a Python value or array.

    Args:
        value: numbers, strings, nested lists of them, a NumPy array, or a tensor.
        dtype: the dtype of the result; default float32 for Python floats, int32 for ints, the dtype of an array.
        shape: reshapes the value; a single element is repeated.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a value that does not fit ``dtype``, a tensor of another dtype, or a number of elements that does not fit
            ``shape``.
        ValueError: a ragged list, or something that is no number.

    Example:
        >>> tf.constant([[1.0, 2.0], [3.0, 4.0]])
        <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
        array([[1., 2.],
               [3., 4.]], dtype=float32)>
        >>> tf.constant(0, shape=(2, 3))
        <tf.Tensor: shape=(2, 3), dtype=int32, numpy=
        array([[0, 0, 0],
               [0, 0, 0]], dtype=int32)>
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    x = as_tensor_or_none(value)
    if x is None:
        x = from_python(value, dtype)
    elif dtype is not None and x.dtype is not dtype:
        raise TypeError(f"constant: Expected tensor {x!r} with dtype {dtype!r}, but got dtype {x.dtype!r}.")
    if shape is None:
        return x
    try:
        sizes = dimensions(shape, "constant")
    except InvalidArgumentError as error:
        raise ValueError(str(error)) from None
    if sizes == x._array.shape:
        return x
    if x._array.size == math.prod(sizes):
        return TABLE["reshape"](x, shape=sizes)
    if x._array.size != 1:
        raise TypeError(
            f"constant: Eager execution of tf.constant with unsupported shape: the value has {x._array.size} elements, "
            f"but got `shape` {sizes} with {math.prod(sizes)} elements."
        )
    return TABLE["broadcast_to"](TABLE["reshape"](x, shape=()), shape=sizes)


def _stack_nested_list(values: list[Any], dtype: DType | None) -> Tensor:
    """Stacks a nested list that holds tensors level by level, so that gradients reach the tensors."""
    first_tensor = _first_tensor(values)
    target_dtype = dtype or (dtypes.float32 if first_tensor is None else first_tensor.dtype)
    return _stacked_item(values, target_dtype, cast=dtype is not None)


def _first_tensor(values: Any) -> Any:
    for item in values:
        tensor = _first_tensor(item) if isinstance(item, (list, tuple)) else as_tensor_or_none(item)
        if tensor is not None:
            return tensor
    return None


def _stacked_item(values: Any, dtype: DType, cast: bool) -> Tensor:
    if not isinstance(values, (list, tuple)):
        x = as_tensor_or_none(values)
        if x is None:
            return from_python(values, dtype)
        return TABLE["cast"](x, dtype=dtype.name) if cast and x.dtype is not dtype else x
    from fastgrad._src.ops.joining import stack

    if not holds_tensor(values):
        return constant_tensor(array_of(values, dtype))
    return stack([_stacked_item(item, dtype, cast) for item in values])


tensors.pack = _stack_nested_list

_identity = Operation(
    "identity",
    lambda x: x,
    lambda g, y, x: g,
    form=Form.ELEMENTWISE,
    elementwise=Elementwise(lambda x: x),
    rounds_as_run=True,
    dtypes=ALL_DTYPES,
    keeps_rows=True,
    simplifications=lambda rules: (rules.remove_if_type_unchanged,),
)


def identity(input: Any, name: str | None = None) -> Any:
    """Returns a new tensor of the same value, which tapes distinguish from ``input``.

    In a ``tf.device`` context the result is a copy on that device.

    Args:
        input: a tensor or a value that converts to one.
        name: kept for TensorFlow's signature.

    Example:
        >>> tf.identity([1.0, 2.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.mapped(identity, input)
    if placement.active and placement.is_selected and not x._array.dtype.hasobject:
        device = placement.device
        if device is not device_of(x._array):
            return _copied_to_device(x, device)
    return _identity(x)


def _copied_to_device(x: Tensor, device: Any) -> Tensor:
    """Copies ``x`` to ``device``, None for the host; its gradient is copied back to the device of ``x``."""
    y = Tensor(move_to_device(x._array, device))
    for recorder in recorders.active:
        recorder.on_operation(_copy_to_device, (x,), (y,), {"device": name_of(device)})
    return y


# In a program this is an alias: an operation does not choose the device of a program.
_copy_to_device = Operation(
    "copy_to_device",
    lambda x, device: move_to_device(x, device_named(device, "copy_to_device")),
    lambda g, y, x, device: _copied_to_device(g, device_of(x._array)),
    form=Form.EXTERN,
    launches=lambda inputs, outputs, device: Launches((), alias=True),
    batched=broadcasting_rule,
    result=same_as_first,
)


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """Applies ``identity`` to each of a list of tensors.

    Args:
        input: a list of tensors or values that convert to tensors.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``input`` is no list.
        InvalidArgumentError: ``input`` is empty.
    """
    if isinstance(input, (str, bytes)) or not isinstance(input, Iterable):
        raise TypeError(f"identity_n: Argument `input` must be a list of tensors, got {input!r}.")
    results = [identity(x) for x in input]
    if not results:
        raise InvalidArgumentError(f"identity_n: Argument `input` must hold at least 1 tensor, got {input!r}.")
    return results


# ---- of one value ----------------------------------------------------------------------------------


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Any:
    """A tensor of zeros (False for bool, empty strings for string).

    Args:
        shape: an int, a sequence of ints, an integer tensor, or a ``DynamicRaggedShape``.
        dtype: any dtype.
        name, layout: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a negative size.
        TypeError: a size that is no integer, or an unknown dtype.

    Example:
        >>> tf.zeros((2, 2), tf.int32)
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[0, 0],
               [0, 0]], dtype=int32)>
    """
    try:
        sizes = dimensions(shape, "zeros")
    except CompositeOperand as met:
        return met.call("zeros", shape, dtype)
    return constant_tensor(_filled(sizes, dtypes.as_dtype(dtype), 0, "zeros"))


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None) -> Any:
    """A tensor of ones (True for bool).

    Args:
        shape: an int, a sequence of ints, an integer tensor, or a ``DynamicRaggedShape``.
        dtype: any dtype but string.
        name, layout: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a negative size.
        TypeError: a size that is no integer, an unknown dtype, or string.

    Example:
        >>> tf.ones((2, 2))
        <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
        array([[1., 1.],
               [1., 1.]], dtype=float32)>
    """
    target_dtype = dtypes.as_dtype(dtype)
    if target_dtype is dtypes.string:
        raise TypeError("ones: Cannot convert 1 to EagerTensor of dtype string.")
    try:
        sizes = dimensions(shape, "ones")
    except CompositeOperand as met:
        return met.call("ones", shape, dtype)
    return constant_tensor(_filled(sizes, target_dtype, 1, "ones"))


def _filled(sizes: tuple[int, ...], dtype: DType, value: int, name: str) -> np.ndarray:
    try:
        if dtype is dtypes.string:
            return np.full(sizes, b"", object)
        return np.ones(sizes, dtype.numpy) if value else np.zeros(sizes, dtype.numpy)
    except (MemoryError, ValueError) as error:
        raise size_error(name, error) or error from None


def zeros_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Zeros in the shape of ``input``.

    Args:
        input: a tensor or a value that converts to one.
        dtype: default the dtype of ``input``.
        name, layout: kept for TensorFlow's signature.

    Example:
        >>> tf.zeros_like([1.0, 2.0])
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0., 0.], dtype=float32)>
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.call("zeros_like", input, dtype)
    return constant_like(
        _filled(x._array.shape, x.dtype if dtype is None else dtypes.as_dtype(dtype), 0, "zeros_like"), x
    )


def ones_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Ones in the shape of ``input``.

    Args:
        input: a tensor or a value that converts to one.
        dtype: default the dtype of ``input``.
        name, layout: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: strings.

    Example:
        >>> tf.ones_like([[1, 2]])
        <tf.Tensor: shape=(1, 2), dtype=int32, numpy=array([[1, 1]], dtype=int32)>
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.call("ones_like", input, dtype)
    target_dtype = x.dtype if dtype is None else dtypes.as_dtype(dtype)
    if target_dtype is dtypes.string:
        raise dtype_error("ones_like", target_dtype, ALL_DTYPES - {dtypes.string.numpy})
    return constant_like(_filled(x._array.shape, target_dtype, 1, "ones_like"), x)


def fill(dims: Any, value: Any, name: str | None = None, layout: Any = None) -> Any:
    """A tensor with the scalar ``value`` at each position.

    Args:
        dims: the shape.
        value: a scalar, whose dtype the result has; gradients reach it.
        name, layout: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a negative size, or a value that is no scalar.

    Example:
        >>> tf.fill((2, 2), 7)
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[7, 7],
               [7, 7]], dtype=int32)>
    """
    try:
        sizes = dimensions(dims, "fill")
    except CompositeOperand as met:
        return met.call("fill", dims, value)
    x = tensor_of(value)
    if x._array.ndim:
        raise InvalidArgumentError(f"fill: value must represent a scalar, got shape {list(x._array.shape)}.")
    return TABLE["broadcast_to"](x, shape=sizes)


def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Identity matrices: ones on the diagonal, zeros elsewhere.

    Args:
        num_rows, num_columns: integers; default of ``num_columns``: ``num_rows``.
        batch_shape: the shape of a batch of equal matrices.
        dtype: of the result.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``batch_shape + [num_rows, num_columns]``.

    Raises:
        InvalidArgumentError: a negative size.
        TypeError: a size that is no integer.

    Example:
        >>> tf.eye(2)
        <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
        array([[1., 0.],
               [0., 1.]], dtype=float32)>
    """
    columns = num_rows if num_columns is None else num_columns
    sizes = dimensions((as_python_int(num_rows, "eye: num_rows"), as_python_int(columns, "eye: num_columns")), "eye")
    batch = () if batch_shape is None else dimensions(batch_shape, "eye")
    try:
        matrix = np.eye(*sizes, dtype=dtypes.as_dtype(dtype).numpy)
        return constant_tensor(np.broadcast_to(matrix, (*batch, *sizes)).copy() if batch else matrix)
    except (MemoryError, ValueError) as error:
        raise size_error("eye", error) or error from None


# ---- sequences -------------------------------------------------------------------------------------

_RANGE_DTYPES = (
    dtypes.int32,
    dtypes.int64,
    dtypes.float16,
    dtypes.bfloat16,
    dtypes.float32,
    dtypes.float64,
)
"""The dtypes in which ``range`` computes; of several dtypes the last in this list wins."""


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = "range") -> Tensor:
    """The numbers ``start``, ``start + delta``, ... up to ``limit``, which is excluded.

    Args:
        start: a scalar; without ``limit`` it is the limit, and the start is 0.
        limit: a scalar.
        delta: a scalar other than 0.
        dtype: default the widest dtype of the arguments, in the order int32, int64, float16, bfloat16, float32, float64.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (n,).

    Raises:
        InvalidArgumentError: delta is 0 or leads away from the limit, or an argument is no scalar or not finite.
        TypeError: an argument that does not fit ``dtype``, or a dtype that has no ranges.

    Example:
        >>> tf.range(3)
        <tf.Tensor: shape=(3,), dtype=int32, numpy=array([0, 1, 2], dtype=int32)>
        >>> tf.range(1.0, 2.0, 0.25)
        <tf.Tensor: shape=(4,), dtype=float32, numpy=array([1.  , 1.25, 1.5 , 1.75], dtype=float32)>
    """
    if start is None:
        raise ValueError("range: start: attempt to convert a value (None) with an unsupported type.")
    if limit is None:
        start, limit = 0, start
    if dtype is None and type(start) is int and type(limit) is int and type(delta) is int:
        fits_int32 = min(start, limit, delta) >= -(2**31) and max(start, limit, delta) < 2**31
        return constant_tensor(_range(start, limit, delta, dtypes.int32 if fits_int32 else dtypes.int64))
    first, last, step, result_dtype = range_operands(start, limit, delta, dtype)
    return constant_tensor(_range(first._elements()[()], last._elements()[()], step._elements()[()], result_dtype))


def range_operands(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor, DType]:
    """Returns the scalars of ``range`` as tensors, and the result's dtype; arguments and errors as in ``range``."""
    if limit is None:
        start, limit = 0, start
    target_dtype = None if dtype is None else dtypes.as_dtype(dtype)
    arguments = []
    for what, value in (("start", start), ("limit", limit), ("delta", delta)):
        x = as_tensor_or_none(value)
        x = from_python(value, target_dtype) if x is None else x
        if x._array.ndim:
            raise InvalidArgumentError(f"range: {what} must be a scalar, not shape {list(x._array.shape)}.")
        arguments.append(x)
    candidate_dtypes = {x.dtype for x in arguments} if target_dtype is None else {target_dtype}
    if not candidate_dtypes <= set(_RANGE_DTYPES):
        raise TypeError(f"range: got {sorted(map(str, candidate_dtypes))}, takes {[d.name for d in _RANGE_DTYPES]}.")
    first, last, step = arguments
    return first, last, step, max(candidate_dtypes, key=_RANGE_DTYPES.index)


def _range(start: Any, limit: Any, delta: Any, dtype: DType) -> np.ndarray:
    first: Any
    last: Any
    step: Any
    if dtype.is_integer:
        first, last, step = int(start), int(limit), int(delta)
    else:
        # Half-width floats compute in float32.
        compute_type = np.float32 if dtype.size == 2 else dtype.numpy.type
        first, last, step = compute_type(start), compute_type(limit), compute_type(delta)
        if not np.isfinite(last - first):
            raise InvalidArgumentError(f"range: start and limit must be finite, got {start}/{limit}.")
    if step == 0:
        raise InvalidArgumentError(f"range: Requires delta != 0: {delta}.")
    if not (first <= last if step > 0 else first >= last):
        comparison, sign = ("<=", ">") if step > 0 else (">=", "<")
        raise InvalidArgumentError(f"range: Requires start {comparison} limit when delta {sign} 0: {start}/{limit}.")
    if not dtype.is_integer:
        numbers = numbers_below(math.ceil(abs((last - first) / step)), "range", type(step))
    try:
        if dtype.is_integer:
            np.empty(-((first - last) // step), dtype.numpy)  # see numbers_below
            return np.arange(first, last, step, dtype=dtype.numpy)
        return (first + numbers * step).astype(dtype.numpy)
    except (MemoryError, ValueError) as error:
        raise size_error("range", error) or error from None


def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """``num`` evenly spaced values from ``start`` to ``stop``, both included.

    Args:
        start: floating, any shape; integers become float64.
        stop: of the dtype of ``start``; shapes broadcast.
        num: the number of values, an integer; 1 gives only ``start``.
        name: kept for TensorFlow's signature.
        axis: the position of the new dimension.

    Returns:
        The shape of the arguments with a dimension ``num`` inserted. Gradients reach ``start`` and ``stop``.

    Raises:
        ValueError: tensors of different dtypes.
        TypeError: ``num`` is no integer.
        InvalidArgumentError: ``num`` is negative, or there is no such axis.
    """
    first = tensor_of(start)
    last = convert_to_tensor(stop, first.dtype)
    if first.dtype.is_integer:
        first, last = (TABLE["cast"](x, dtype="float64") for x in (first, last))
    count = as_single_python_int(num, "linspace: num")
    if count < 0:
        raise InvalidArgumentError(f"linspace: num must be >= 0, got {count}.")
    try:
        shape = np.broadcast_shapes(first._array.shape, last._array.shape)
    except ValueError:
        raise shapes_error("linspace", first._array.shape, last._array.shape) from None
    position = nonnegative_axis(axis, len(shape) + 1, "linspace")
    shape_with_axis = (*shape[:position], 1, *shape[position:])
    low, high = (TABLE["reshape"](TABLE["broadcast_to"](x, shape=shape), shape=shape_with_axis) for x in (first, last))
    if count < 2:
        return low if count else TABLE["broadcast_to"](low, shape=(*shape[:position], 0, *shape[position:]))
    step_numbers = numbers_below(count - 1, "linspace", first._array.dtype)
    step_tensor = constant_tensor(step_numbers.reshape((1,) * position + (-1,) + (1,) * (len(shape) - position)))
    delta = (high - low) / constant_tensor(np.asarray(count - 1, first._array.dtype))
    return TABLE["concat"](low + delta * step_tensor, high, axis=position)
