"""``Tensor``: an immutable array, and how Python values become one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.dtypes import DType
from fastgrad.operator_types import Operators
from fastgrad.shape import TensorShape


class Tensor(Operators):
    """An immutable array of one dtype, on which operations run and record themselves.

    Made by ``tf.constant``, ``tf.convert_to_tensor`` and every operation, not by calling the class.
    Python's operators, slicing, ``len``, iteration, ``bool``/``int``/``float`` of a scalar, NumPy
    functions, DLPack, pickle and copy work on it.
    """

    # _array is never written to. _owner is the Variable whose memory _array shares, if any: the
    # variable gives this tensor bytes of its own just before it changes (see variable.py).
    # _logits is set on what keras's softmax and sigmoid return: the tensor that they were computed
    # from, from which cross-entropies are computed in its stead.
    __slots__ = ("__weakref__", "_array", "_logits", "_owner")

    __array_priority__ = 100

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self._owner: Any = None

    @property
    def dtype(self) -> DType:
        """The element type."""
        return dtypes.OF_NUMPY[self._array.dtype]

    @property
    def shape(self) -> TensorShape:
        """The dimensions, fully defined."""
        return TensorShape.of(self._array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def device(self) -> str:
        """Where the elements are, in TensorFlow's spelling."""
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def get_shape(self) -> TensorShape:
        """The dimensions: another name of ``shape``."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Checks that the tensor has ``shape`` (None dimensions match any); ValueError if not."""
        if not self.shape.is_compatible_with(shape):
            raise ValueError(
                f"Tensor.set_shape: the tensor has shape {self.shape}, not compatible with {TensorShape(shape)}."
            )

    def numpy(self) -> Any:
        """The elements as a NumPy array of their own, or as a NumPy scalar if the shape is ()."""
        return self._array.copy() if self._array.ndim else self._array[()]

    def ref(self) -> Reference:
        """A hashable reference, for use as a key: tensors themselves are not hashable."""
        return Reference(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Tensor.__array__: a tensor is immutable, so NumPy gets a copy; drop copy=False.")
        return self._array.astype(dtype) if dtype is not None else self._array.copy()

    def __dlpack__(self, **options: Any) -> Any:
        # The consumer may write: it gets bytes that no tensor or variable reads.
        return self._array.copy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self._array.__dlpack_device__()

    def __bool__(self) -> bool:
        if self._array.size > 1:
            raise ValueError(
                f"The truth value of a tensor of shape {self.shape} is ambiguous. Use tf.reduce_any or tf.reduce_all."
            )
        return bool(self._array.reshape(-1).any())

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self._array.ndim or self._array.dtype.kind not in "iub":
            raise TypeError(f"only integer scalar tensors can be converted to an index, got {self!r}")
        return int(self._array)

    def _scalar(self, wanted: str) -> Any:
        if self._array.ndim:
            raise TypeError(f"{wanted}(): only tensors of shape () are Python scalars, got shape {self.shape}.")
        return self._array[()]

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("Scalar tensor has no `len()`")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return (self[position] for position in range(len(self._array)))

    def __hash__(self) -> int:
        raise TypeError("Tensor is unhashable. Instead, use tensor.ref() as the key.")

    def __format__(self, spec: str) -> str:
        return format(self.numpy(), spec)

    def __repr__(self) -> str:
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={elements_text(self._array)}>"

    def __str__(self) -> str:
        text = str(self.numpy())
        return f"tf.Tensor({_newline(text)}{text}, shape={self.shape}, dtype={self.dtype.name})"

    def __copy__(self) -> Tensor:
        return Tensor(self._array.copy())

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self._array.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        # As raw bytes where the dtype is ml_dtypes': its arrays pickle, but only by NumPy's name of it.
        return _restored, (self._array,)

    def __getattr__(self, name: str) -> Any:
        if name in _NUMPY_ONLY:
            raise AttributeError(
                f"Tensor object has no attribute '{name}': as in TensorFlow, use {_NUMPY_ONLY[name]}, or .numpy().{name}."
            )
        raise AttributeError(f"Tensor object has no attribute '{name}'")


_NUMPY_ONLY = {
    "T": "tf.transpose(x)",
    "reshape": "tf.reshape(x, shape)",
    "astype": "tf.cast(x, dtype)",
    "item": "float(x) or int(x)",
    "size": "tf.size(x)",
    "ravel": "tf.reshape(x, [-1])",
    "transpose": "tf.transpose(x)",
    "clip": "tf.clip_by_value(x, low, high)",
    "tolist": "x.numpy()",
    "data": "x",
    "sum": "tf.reduce_sum(x)",
    "mean": "tf.reduce_mean(x)",
    "max": "tf.reduce_max(x)",
    "min": "tf.reduce_min(x)",
}


class Reference:
    """A hashable stand-in for a tensor or variable, equal only to references of the same object."""

    __slots__ = ("_referent",)

    def __init__(self, referent: Any) -> None:
        self._referent = referent

    def deref(self) -> Any:
        """The tensor or variable itself."""
        return self._referent

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Reference) and self._referent is other._referent

    def __hash__(self) -> int:
        return id(self._referent)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._referent!r}>"


def _restored(array: np.ndarray) -> Tensor:
    return Tensor(array)


def elements_text(array: np.ndarray) -> str:
    """The text after ``numpy=`` in a repr: a Python scalar, or the array on a line of its own."""
    if array.ndim:
        text = repr(array)
        return _newline(text) + text
    value: Any = array[()]
    if isinstance(value, (bytes, str)):
        return repr(value)
    if array.dtype.kind == "V":
        return str(value)
    return repr(value.item())


def _newline(text: str) -> str:
    return "\n" if "\n" in text else ""


# ---- from Python values ------------------------------------------------------------------------

converters: list[tuple[type, Callable[[Any], Any]]] = []
"""``(class, to tensor)`` of further tensor-like classes; variable.py and indexed_slices.py add theirs."""

pack: Callable[[list[Any], DType | None], Tensor]
"""Stacks a nested list that holds tensors, as an operation; set by ops/shaping.py."""


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """``value`` as a tensor.

    Args:
        value: a tensor (returned as it is), a variable (its value now), a NumPy array or scalar
            (keeps its dtype), Python numbers, booleans, strings and nested lists of these: floats
            become float32, integers int32 (int64 where they need it).
        dtype: the dtype wanted; Python values and arrays are converted to it.
        dtype_hint: the same, but only where the value can take it.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor; arrays are copied.

    Raises:
        ValueError: a tensor of another dtype, a ragged list, None.
        TypeError: a Python value that is no value of ``dtype`` (1.5 for an int32).
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    tensor = as_tensor_or_none(value)
    if tensor is None:
        if dtype is None and dtype_hint is not None:
            return convert_beside(value, dtypes.as_dtype(dtype_hint).numpy)
        return from_python(value, dtype)
    if dtype is not None and tensor.dtype is not dtype:
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
        )
    return tensor


def as_tensor_or_none(value: Any) -> Tensor | None:
    """A tensor or tensor-like object as a tensor; None if ``value`` is neither."""
    if isinstance(value, Tensor):
        return value
    for kind, to_tensor in converters:
        if isinstance(value, kind):
            return to_tensor(value)
    return None


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a tensor, variable or IndexedSlices. TensorFlow: tf.is_tensor."""
    return isinstance(x, Tensor) or any(isinstance(x, kind) for kind, _ in converters)


def convert_beside(value: Any, dtype: np.dtype) -> Tensor:
    """``value`` as the other operand of a tensor of ``dtype``: Python values and arrays take it if they can."""
    kind = type(value)
    if kind is float or kind is int:
        key = (value or str(value), dtype, kind)  # 0.0 and -0.0 are equal, their texts are not
        tensor = scalars.get(key)
        if tensor is not None:
            return tensor
    tensor = as_tensor_or_none(value)
    if tensor is not None:
        return tensor
    try:
        tensor = from_python(value, dtypes.OF_NUMPY[dtype])
    except (TypeError, OverflowError):
        return from_python(value, None)
    if (kind is float or kind is int) and len(scalars) < 4096:
        scalars[key] = tensor
    return tensor


scalars: dict[Any, Tensor] = {}
"""Python numbers as tensors by ``(number, dtype, int or float)``; 0 stands there by its text. Never given to users."""


def from_python(value: Any, dtype: DType | None) -> Tensor:
    """A new tensor of a value that is neither a tensor nor a variable; see ``convert_to_tensor``."""
    if isinstance(value, (list, tuple)) and _holds_tensor(value):
        return pack(list(value), dtype)  # noqa: F821  # set by ops/
    return Tensor(array_of(value, dtype))


def array_of(value: Any, dtype: DType | None = None) -> np.ndarray:
    """``value`` as a new array, C-contiguous, of a dtype that tensors have."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _from_numpy(value, dtype)
    if value is None:
        raise ValueError(f"Attempt to convert a value (None) with an unsupported type ({type(None)}) to a Tensor.")
    if dtype is dtypes.string or isinstance(value, (str, bytes)):
        return _from_text(value, dtype)
    if not isinstance(value, (bool, int, float, complex, list, tuple)):
        return _from_foreign(value, dtype)
    try:
        natural = np.array(value)
    except (ValueError, TypeError):
        raise ValueError(
            f"Can't convert non-rectangular Python sequence to Tensor: the nested lists of {_short(value)} have different lengths."
        ) from None
    except OverflowError:
        natural = np.array(value, object)
    if natural.dtype.kind in "US":
        return _from_text(value, dtype)
    if natural.dtype.kind == "O" or (natural.dtype == np.uint64 and dtype is not dtypes.uint64):
        _refuse_objects(value, natural)
    if natural.dtype.kind in "iuf" and natural.ndim and _starts_with_bool(value):
        raise ValueError(
            f"Can't convert Python sequence with mixed types to Tensor: {_short(value)} has booleans and numbers."
        )
    if dtype is None:
        return np.array(natural, _natural_dtype(value, natural), order="C")
    kind = natural.dtype.kind if natural.size else "b"
    if not natural.size or _fits(kind, dtype):
        return _checked_cast(value, natural, dtype)
    raise TypeError(f"Cannot convert {_short(value)} to EagerTensor of dtype {dtype.name}")


def _from_numpy(value: Any, dtype: DType | None) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "SU" or array.dtype.kind == "O":
        return _from_text(array.tolist(), dtype)
    wanted = dtype.numpy if dtype is not None else dtypes.as_dtype(array.dtype).numpy
    with np.errstate(all="ignore"):
        return np.array(array, wanted, order="C")


def _from_text(value: Any, dtype: DType | None) -> np.ndarray:
    if dtype is not None and dtype is not dtypes.string:
        raise TypeError(f"Cannot convert {_short(value)} to EagerTensor of dtype {dtype.name}")
    array = np.array(value, object)
    flat = [item.encode() if isinstance(item, str) else item for item in array.reshape(-1)]
    for item in flat:
        if not isinstance(item, bytes):
            raise ValueError(f"Can't convert Python sequence with mixed types to Tensor: {_short(value)}")
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(array.shape)


def _from_foreign(value: Any, dtype: DType | None) -> np.ndarray:
    if isinstance(value, range) or hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return _from_numpy(np.asarray(value, np.int32 if isinstance(value, range) else None), dtype)
    if hasattr(value, "__dlpack__"):
        return _from_numpy(np.from_dlpack(value), dtype)
    if isinstance(value, TensorShape) or hasattr(value, "__float__"):
        return array_of(list(value) if isinstance(value, tuple) else float(value), dtype)
    raise ValueError(
        f"Attempt to convert a value ({_short(value)}) with an unsupported type ({type(value)}) to a Tensor."
    )


def _refuse_objects(value: Any, natural: np.ndarray) -> None:
    if any(isinstance(item, int) for item in natural.reshape(-1)):
        raise ValueError(f"Can't convert Python sequence with out-of-range integer to Tensor: {_short(value)}")
    raise ValueError(
        f"Attempt to convert a value ({_short(value)}) with an unsupported type ({type(value)}) to a Tensor."
    )


def _natural_dtype(value: Any, natural: np.ndarray) -> np.dtype:
    """The dtype of Python numbers: float32 and int32, unless NumPy values among them say float64 or int64."""
    kind = natural.dtype.kind
    if not natural.size and isinstance(value, (list, tuple)):
        return np.dtype(np.float32)
    if kind == "f" and natural.dtype == np.float64:
        return np.dtype(np.float64 if _holds(value, np.float64) else np.float32)
    if kind == "i" and natural.dtype == np.int64 and not _holds_array(value, np.int64):
        low, high = (natural.min(), natural.max()) if natural.size else (0, 0)
        return np.dtype(np.int32 if low >= -(2**31) and high < 2**31 else np.int64)
    return dtypes.as_dtype(natural.dtype).numpy


def _fits(kind: str, dtype: DType) -> bool:
    if kind == "b":
        return True
    if kind in "iu":
        return not dtype.is_bool
    if kind in "fV":
        return dtype.is_floating or dtype.is_complex
    return dtype.is_complex


def _checked_cast(value: Any, natural: np.ndarray, dtype: DType) -> np.ndarray:
    if dtype.is_integer and natural.size:
        low, high = int(natural.min()), int(natural.max())
        if low < dtype.min or high > dtype.max:
            raise TypeError(
                f"Cannot convert {_short(value)} to EagerTensor of dtype {dtype.name}: it holds {dtype.min} to {dtype.max}."
            )
    with np.errstate(all="ignore"):
        return np.array(natural, dtype.numpy, order="C")


def _holds(value: Any, scalar: type) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds(item, scalar) for item in value)
    return isinstance(value, (np.generic, np.ndarray)) and value.dtype == scalar


def _holds_array(value: Any, scalar: type) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_array(item, scalar) for item in value)
    return isinstance(value, np.ndarray) and value.dtype == scalar


def _starts_with_bool(value: Any) -> bool:
    """Whether a Python bool stands where the first leaf of ``value`` does: TensorFlow takes [1, True], not [True, 1]."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, bool)


def _holds_tensor(value: Any) -> bool:
    for item in value:
        if isinstance(item, Tensor) or any(isinstance(item, kind) for kind, _ in converters):
            return True
        if isinstance(item, (list, tuple)) and _holds_tensor(item):
            return True
    return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
