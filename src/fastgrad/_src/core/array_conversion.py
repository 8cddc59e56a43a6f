"""Conversion of Python numbers, strings, nested lists and foreign arrays to tensor arrays with TensorFlow's dtypes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.core.floating_errors import (
    ERROR_STATE_RAISING_ON_OVERFLOW,
    QUIET,
    reset_float_errors,
    set_float_errors,
)
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.narrow_casts import cast_narrow, check_narrow_cast
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.jit.captured_values import short_repr

_INT64_RANGE = range(-(2**63), 2**63)


def array_of(value: Any, dtype: DType | None = None) -> np.ndarray:
    """Returns ``value`` as a new C-contiguous array with a tensor dtype.

    Args:
        value: numbers, booleans, strings, nested lists of these, or an array.
        dtype: the dtype of the result. Without it, arrays and NumPy numbers keep their dtype; integers become int32 (int64
            if a value needs it); floats become float32; a list takes the floating dtype of its first number if that is a
            NumPy number.

    Raises:
        ValueError: a ragged list, mixed types, a number out of range of the inferred dtype, or an unsupported type.
        TypeError: ``value`` does not fit ``dtype``.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return _array_from_numpy(value, dtype)
    if value is None:
        raise _unsupported_type_error(value)
    if isinstance(value, TensorShape):
        return _array_from_shape(value, dtype)
    if dtype is dtypes.string or isinstance(value, (str, bytes)):
        return _array_from_text(value, dtype)
    if not isinstance(value, (bool, int, float, complex, list, tuple)):
        return _array_from_foreign(value, dtype)
    natural = _array_of_numbers(value)
    kind: str = natural.dtype.kind
    if natural.dtype in dtypes.NARROW_NUMPY_DTYPES:
        raise _unsupported_type_error(value)
    if kind in "US":
        return _array_from_text(value, dtype)
    if natural.ndim and natural.size and kind in "iufcO":
        first = _first_leaf(value)
        if isinstance(first, (bool, np.bool_)) or (kind == "c" and dtype is None and not np.iscomplexobj(first)):
            raise ValueError(f"Can't convert Python sequence with mixed types to Tensor: {short_repr(value)}")
    if kind == "O":
        kind = _kind_of_big_numbers(value, natural, dtype)
    if dtype is None:
        return _in_inferred_dtype(value, natural)
    if dtype.is_narrow and natural.size:
        return _narrow_array(value, natural, dtype)
    if not natural.size or _number_kind_fits(kind, dtype):
        return _checked_cast(value, natural, dtype)
    raise TypeError(f"Cannot convert {short_repr(value)} to EagerTensor of dtype {dtype.name}")


def _array_from_shape(shape: TensorShape, dtype: DType | None) -> np.ndarray:
    if not shape.is_fully_defined():
        raise ValueError(f"Cannot convert a partially known TensorShape {shape} to a Tensor.")
    sizes: Any = tuple(shape)
    if dtype is None:
        dtype = dtypes.int32 if max(sizes, default=0) <= dtypes.int32.max else dtypes.int64
    if dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(
            f"Cannot convert TensorShape {shape} to dtype {dtype}. Allowed dtypes are tf.int32 and tf.int64."
        )
    if max(sizes, default=0) > dtype.max:
        raise ValueError(
            f"Cannot convert TensorShape {shape} to dtype {dtype.name}: a dimension is larger than {dtype.max}. Use tf.int64."
        )
    return np.array(sizes, dtype.numpy)


# ---- Python numbers ------------------------------------------------------------------------------------


def _array_of_numbers(value: Any) -> np.ndarray:
    """Returns NumPy's array of nested numbers; an object array of Python numbers if an integer exceeds int64."""
    try:
        natural = np.array(value)
    except UnicodeDecodeError:
        return np.array("")  # text beside bytes that are not ASCII: the caller only reads the kind
    except (ValueError, TypeError):
        raise ValueError(
            f"Can't convert non-rectangular Python sequence to Tensor: the nested lists of {short_repr(value)} have different lengths."
        ) from None
    kind = natural.dtype.kind
    if kind in "biUSV" or (kind == "f" and not natural.ndim) or not natural.size:
        return natural
    if kind == "c" or (kind == "f" and not (natural.dtype == np.float64 and (np.abs(natural) >= 2.0**63).any())):
        return natural
    numbers = np.array(value, object)
    beyond = False
    for number in numbers.reshape(-1):
        if isinstance(number, (int, np.integer)):
            beyond = beyond or int(number) not in _INT64_RANGE
        elif not isinstance(number, (float, complex, np.number, np.bool_)):
            raise _unsupported_type_error(value)
    return numbers if beyond else natural


def _kind_of_big_numbers(value: Any, numbers: np.ndarray, dtype: DType | None) -> str:
    """Returns the kind of Python numbers of which one exceeds int64: "i", "f" or "c"."""
    if dtype is None or not (dtype.is_floating or dtype.is_complex or dtype is dtypes.uint64):
        raise ValueError(f"Can't convert Python sequence with out-of-range integer to Tensor: {short_repr(value)}")
    flat = numbers.reshape(-1).tolist()
    if all(isinstance(number, (int, np.integer)) for number in flat):
        return "i"
    return "c" if any(isinstance(number, (complex, np.complexfloating)) for number in flat) else "f"


def _in_inferred_dtype(value: Any, numbers: np.ndarray) -> np.ndarray:
    """Returns the numbers in the dtype that TensorFlow infers."""
    kind = numbers.dtype.kind
    inferred_dtype: Any = numbers.dtype
    if not numbers.size and isinstance(value, (list, tuple)):
        inferred_dtype = np.float32
    elif kind == "f":
        first = getattr(_first_leaf(value), "dtype", None)
        inferred_dtype = first if first in (np.float64, np.float16) else np.float32
    elif kind in "iu":
        inferred_dtype = np.int32
        if numbers.size and (numbers.min() < -(2**31) or numbers.max() >= 2**31):
            inferred_dtype = np.int64
    elif kind == "c":
        inferred_dtype = np.complex128
    elif numbers.dtype not in dtypes.DTYPE_OF_NUMPY:
        raise _unsupported_type_error(value)
    token = set_float_errors(ERROR_STATE_RAISING_ON_OVERFLOW)
    try:
        return np.array(numbers, inferred_dtype, order="C")
    except FloatingPointError:
        raise ValueError(
            f"Can't convert Python sequence with a value out of range for {np.dtype(inferred_dtype)} to Tensor: {short_repr(value)}. "
            "Give a dtype that holds it."
        ) from None
    finally:
        reset_float_errors(token)


def _first_leaf(value: Any) -> Any:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value


def _number_kind_fits(number_kind: str, dtype: DType) -> bool:
    if number_kind == "b":
        return True
    if number_kind in "iu":
        return not dtype.is_bool
    if number_kind in "fV":
        return dtype.is_floating or dtype.is_complex
    return dtype.is_complex


def _narrow_array(value: Any, numbers: np.ndarray, dtype: DType) -> np.ndarray:
    """Returns Python numbers in a narrow dtype; TypeError if TensorFlow does not cast the dtype of Python's numbers to it."""
    try:
        check_narrow_cast(short_repr(value), dtypes.as_dtype(numbers.dtype), dtype)
    except UnimplementedError as error:
        raise TypeError(str(error)) from None
    if dtype.is_integer:
        return _checked_cast(value, numbers.astype(np.int64), dtype)
    token = set_float_errors(QUIET)
    try:
        return cast_narrow(numbers, dtype.numpy)
    finally:
        reset_float_errors(token)


def _checked_cast(value: Any, numbers: np.ndarray, dtype: DType) -> np.ndarray:
    if dtype.is_integer and numbers.size:
        low, high = int(numbers.min()), int(numbers.max())
        if low < dtype.min or high > dtype.max:
            raise TypeError(
                f"Cannot convert {short_repr(value)} to EagerTensor of dtype {dtype.name}: it holds {dtype.min} to {dtype.max}."
            )
    token = set_float_errors(QUIET)
    try:
        return np.array(numbers, dtype.numpy, order="C")
    except OverflowError:
        raise ValueError(
            f"Can't convert Python sequence with out-of-range integer to Tensor: {short_repr(value)} as {dtype.name}"
        ) from None
    finally:
        reset_float_errors(token)


# ---- arrays, strings and foreign objects ---------------------------------------------------------------


def _array_from_numpy(value: Any, dtype: DType | None) -> np.ndarray:
    array = np.asarray(value)
    kind = array.dtype.kind
    if kind in "SUO":
        return _array_from_text(
            array.tolist() if array.size else array, None if dtype is dtypes.string else dtype
        )  # lists lose the sizes after an empty dimension
    inferred_dtype = dtypes.DTYPE_OF_NUMPY.get(array.dtype) or dtypes.DTYPE_OF_NUMPY.get(array.dtype.newbyteorder("="))
    if inferred_dtype is None or dtype is dtypes.string:
        raise ValueError(f"Failed to convert a NumPy array to a Tensor (Unsupported numpy type {array.dtype}).")
    numpy_dtype = (dtype or inferred_dtype).numpy
    if kind == "c" and numpy_dtype.kind not in "cb":
        array = array.real
    token = set_float_errors(QUIET)
    try:
        return np.array(array, numpy_dtype, order="C")
    finally:
        reset_float_errors(token)


def _array_from_text(value: Any, dtype: DType | None) -> np.ndarray:
    if (dtype is not None and dtype is not dtypes.string) or isinstance(value, (bool, int, float, complex)):
        raise TypeError(f"Cannot convert {short_repr(value)} to EagerTensor of dtype {(dtype or dtypes.string).name}")
    array = np.array(value, object)
    flat = [item.encode() if isinstance(item, str) else item for item in array.reshape(-1)]
    if dtype is dtypes.string and flat and all(isinstance(item, (bool, int, float, complex)) for item in flat):
        raise TypeError(f"Cannot convert {short_repr(value)} to EagerTensor of dtype string")
    for item in flat:
        if not isinstance(item, bytes):
            raise ValueError(f"Can't convert Python sequence with mixed types to Tensor: {short_repr(value)}")
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(array.shape)


def _array_from_foreign(value: Any, dtype: DType | None) -> np.ndarray:
    if isinstance(value, range):
        return array_of(list(value), dtype)
    if hasattr(value, "__dlpack_device__") or hasattr(value, "__cuda_array_interface__"):
        available = module_of(Hook.GPUS)
        if available.is_on_gpu(value):
            return _array_from_gpu(value, dtype)
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return _array_from_numpy(np.asarray(value), dtype)
    if hasattr(value, "__dlpack__"):
        return _array_from_numpy(np.from_dlpack(value), dtype)
    if hasattr(value, "__float__"):
        return array_of(float(value), dtype)
    raise _unsupported_type_error(value)


def _array_from_gpu(value: Any, dtype: DType | None) -> Any:
    available = module_of(Hook.GPUS)
    array = available.copy_of_foreign_array(value)
    array_dtype = dtypes.DTYPE_OF_NUMPY.get(array.dtype)
    if array_dtype is None or (dtype is not None and dtype is not array_dtype):
        raise TypeError(f"Cannot convert a {array.dtype} array on GPU:{array.device.number} to {dtype}; use tf.cast.")
    return array


def is_scipy_sparse(value: Any) -> bool:
    """True if ``value`` is a sparse matrix or array of SciPy. Does not import SciPy: such a value exists after its import."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(value))


def _unsupported_type_error(value: Any) -> ValueError:
    remedy = ""
    if is_scipy_sparse(value):
        remedy = (
            " `.toarray()` makes a sparse matrix of SciPy dense; for coo = scipy.sparse.coo_array(matrix), "
            "tf.SparseTensor(np.stack(coo.coords, 1), coo.data, coo.shape) has its elements."
        )
    return ValueError(
        f"Attempt to convert a value ({short_repr(value)}) with an unsupported type ({type(value)}) to a Tensor.{remedy}"
    )
