"""``Tensor``: an immutable array, and the conversion of Python values to tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.array_conversion import array_of
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.operator_types import Operators
from fastgrad._src.core.placement import device_of, move_to_device, move_to_selected_device, name_of, placement
from fastgrad._src.core.recording import recorders, symbol_of
from fastgrad._src.core.shape import TensorShape


class Operand(Operators):
    """The base of tensors and variables: the properties of their array."""

    __slots__ = ()

    _array: Any

    @property
    def dtype(self) -> DType:
        """The element type."""
        return dtypes.DTYPE_OF_NUMPY[self._array.dtype]

    _operand_dtype = dtype  # Keras's variables override `dtype` by a name

    @property
    def shape(self) -> TensorShape:
        """The dimensions: fully defined, and they never change."""
        return TensorShape.of(self._array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def device(self) -> str:
        """The device of the elements, in TensorFlow's spelling."""
        return name_of(device_of(self._array))

    def get_shape(self) -> TensorShape:
        """Returns ``shape``."""
        return self.shape

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self._array.__dlpack_device__()


listeners: list[Callable[[Tensor], None]] = []
"""Functions that are called with each new tensor, while functions are recorded. A tensor pays one test of the list."""


class Tensor(Operand):
    """An immutable array of one dtype, the operand of operations.

    ``tf.constant``, ``tf.convert_to_tensor`` and each operation create tensors; users do not call the class. It supports
    Python's operators, slicing, ``len``, iteration, ``bool``/``int``/``float`` of a scalar, NumPy functions, DLPack,
    pickle and copy.

    Example:
        >>> x = tf.constant([[1.0, 2.0]])
        >>> x.shape, x.dtype, x.numpy()
        (TensorShape([1, 2]), tf.float32, array([[1., 2.]], dtype=float32))
        >>> (x @ tf.transpose(x)).numpy()
        array([[5.]], dtype=float32)
    """

    # _array is never written to; on a GPU it is a cuda.memory.DeviceArray.
    # _owner is the Variable whose memory _array shares, if any. The variable copies _array just before the variable
    # changes (see variable.py).
    # _keras_logits is set on results of Keras's softmax and sigmoid: their input, from which cross-entropies are computed.
    # _keras_mask is set by Keras's layers: the time steps that count (see keras/masks.py).
    # _unplaced is set on tensors that may go to any GPU (see placement.py).
    # _refusal is set on an OutOfScopeTensor: the text of the error.
    # trainable is set by Keras on tensors that it unpacks from quantized weights.
    __slots__ = (
        "__weakref__",
        "_array",
        "_keras_logits",
        "_keras_mask",
        "_owner",
        "_refusal",
        "_unplaced",
        "trainable",
    )

    _refusal: str
    _unplaced: bool

    __array_priority__ = 100

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self._owner: Any = None
        if listeners:
            for listener in listeners:
                listener(self)

    def set_shape(self, shape: Any) -> None:
        """Checks that the tensor has ``shape`` (None dimensions match any); ValueError if not."""
        if not self.shape.is_compatible_with(shape):
            raise ValueError(
                f"Tensor.set_shape: the tensor has shape {self.shape}, not compatible with {TensorShape(shape)}."
            )

    def numpy(self) -> Any:
        """Returns a copy of the elements as a NumPy array, or as a NumPy scalar if the shape is ()."""
        self._report_value_use("numpy")
        array = self._array
        if type(array) is not np.ndarray:
            return array.on_host()[()]
        return array.copy() if array.ndim else array[()]

    def ref(self) -> Reference:
        """Returns a hashable reference for use as a key; tensors themselves are not hashable."""
        return Reference(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("Tensor.__array__: a tensor is immutable, so NumPy gets a copy; drop copy=False.")
        self._report_value_use("numpy")
        array = self._on_host()
        return array.astype(dtype) if dtype is not None else array.copy()

    def _on_host(self) -> np.ndarray:
        """Returns the elements in host memory; read only."""
        return move_to_device(self._array, None)

    def __dlpack__(self, **options: Any) -> Any:
        # The consumer may write, so it gets a copy that no tensor or variable reads.
        self._report_value_use("numpy")
        return self._array.copy().__dlpack__(**options)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        array = self._array
        if type(array) is np.ndarray:
            raise AttributeError("the tensor is not on a GPU")
        if self._owner is not None:  # the consumer may still read after the variable changes
            self._array, self._owner = array.copy(), None
        return self._array.__cuda_array_interface__

    def __bool__(self) -> bool:
        if self._array.size > 1:
            raise ValueError(
                f"The truth value of a tensor of shape {self.shape} is ambiguous. Use tf.reduce_any or tf.reduce_all."
            )
        if not self._array.size:  # its shape says it, no value is read
            return False
        self._report_value_use("bool")
        return bool(self._on_host().any())

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def _as_argument(self) -> float:
        """Returns ``float(self)`` for an operation that needs the number to know what it computes."""
        return float(self._scalar("float", use="argument"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self._array.ndim or self._array.dtype.kind not in "iub":
            raise TypeError(f"only integer scalar tensors can be converted to an index, got {self!r}")
        self._report_value_use("index")
        return int(self._on_host())

    def _scalar(self, python_type: str, use: str | None = None) -> Any:
        if self._array.ndim:
            raise TypeError(f"{python_type}(): only tensors of shape () are Python scalars, got shape {self.shape}.")
        self._report_value_use(use or python_type)
        return self._on_host()[()]

    def _elements(self) -> np.ndarray:
        """Returns the read-only elements for an operation that needs them to know what it computes."""
        self._report_value_use("argument")
        return self._on_host()

    def _report_value_use(self, use: str) -> None:
        """Reports to recorders that Python uses this tensor's value, so the program depends on the value."""
        for recorder in recorders.active:
            recorder.on_value_use(self, use)

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("Scalar tensor has no `len()`")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        elements: Iterator[Tensor] = (self[position] for position in range(len(self._array)))
        for recorder in recorders.active:
            elements = recorder.iterations(elements)
        return elements

    def __hash__(self) -> int:
        raise TypeError("Tensor is unhashable. Instead, use tensor.ref() as the key.")

    def __format__(self, spec: str) -> str:
        if spec:  # a program computes with such a text, or shows it at each step
            self._report_value_use("format")
        elif symbol_of(self) is not None:
            return str(self)
        return format(self._on_host()[()], spec)

    # In a recording, the texts of a tensor hold no value: they become part of the program, and a replay has other values.

    def __repr__(self) -> str:
        symbol = symbol_of(self)
        if symbol is not None:
            return f"<tf.Tensor '{symbol}' shape={self.shape} dtype={self.dtype.name}>"
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={elements_text(self._on_host())}>"

    def __str__(self) -> str:
        symbol = symbol_of(self)
        if symbol is not None:
            return f'Tensor("{symbol}", shape={self.shape}, dtype={self.dtype.name})'
        text = str(self._on_host()[()])
        return f"tf.Tensor({_newline_before_lines(text)}{text}, shape={self.shape}, dtype={self.dtype.name})"

    def __copy__(self) -> Tensor:
        return Tensor(self._array.copy())

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor(self._array.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        # The array pickles itself; an array of ml_dtypes pickles by NumPy's name of the dtype.
        return _restored, (self._on_host(),)

    def __getattr__(self, name: str) -> Any:
        if name in _INSTEAD_OF_NUMPY_ATTRIBUTES:
            raise AttributeError(
                f"Tensor object has no attribute '{name}': as in TensorFlow, use {_INSTEAD_OF_NUMPY_ATTRIBUTES[name]}, or .numpy().{name}.",
                name=name,  # without ``obj``, Python adds no suggestion
            )
        return missing_member_getattr(self, name)


_INSTEAD_OF_NUMPY_ATTRIBUTES = {
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


class OutOfScopeTensor(Tensor):
    """A tensor of a recording that has ended, kept by the user: replays would not change it, so its use raises.

    It becomes one by ``refuse_use``. Its shape, dtype and text can be read.
    """

    __slots__ = ()

    @property
    def _array(self) -> Any:
        raise TypeError(self._refusal)

    @property
    def dtype(self) -> DType:
        return dtypes.DTYPE_OF_NUMPY[_array_slot.__get__(self).dtype]

    @property
    def shape(self) -> TensorShape:
        return TensorShape.of(_array_slot.__get__(self).shape)

    @property
    def ndim(self) -> int:
        return _array_slot.__get__(self).ndim

    def __repr__(self) -> str:
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, out of scope>"

    __str__ = __repr__


_array_slot: Any = Tensor.__dict__["_array"]


def refuse_use(tensor: Tensor, refusal: str) -> None:
    """Makes each later use of a tensor's elements an error with the text ``refusal``."""
    tensor._owner, tensor._refusal = None, refusal
    tensor.__class__ = OutOfScopeTensor


class Reference:
    """A hashable reference to a tensor or variable, equal only to references to the same object."""

    __slots__ = ("__weakref__", "_referent")

    def __init__(self, referent: Any) -> None:
        self._referent = referent

    def deref(self) -> Any:
        """Returns the tensor or variable that this reference was made from."""
        return self._referent

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Reference) and self._referent is other._referent

    def __lt__(self, other: Reference) -> bool:  # an order within the process: dm-tree sorts keys of dicts
        return id(self._referent) < id(other._referent)

    def __hash__(self) -> int:
        return id(self._referent)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._referent!r}>"


def _restored(array: np.ndarray) -> Tensor:  # named in pickles
    return Tensor(array)


def elements_text(array: np.ndarray) -> str:
    """Returns the text after ``numpy=`` in a repr: a Python scalar or an array."""
    if array.ndim:
        text = repr(array)
        return _newline_before_lines(text) + text
    value: Any = array[()]
    if isinstance(value, (bytes, str)):
        return repr(value)
    if array.dtype.kind == "V":
        return repr(int(value) if dtypes.DTYPE_OF_NUMPY[array.dtype].is_integer else float(value))
    return repr(value.item())


def _newline_before_lines(text: str) -> str:
    return "\n" if "\n" in text else ""


# ---- from Python values ------------------------------------------------------------------------

converters: list[tuple[type, Callable[[Any], Any]]] = []
"""Pairs ``(class, function to a tensor)`` of other tensor-like classes, added by variable.py, indexed_slices.py ..."""

_registered_conversions: list[tuple[int, type | tuple[type, ...], Callable[..., Any]]] = []
"""Priority, classes and function of each call of ``register_tensor_conversion_function``, in the order of use."""

pack: Callable[[list[Any], DType | None], Tensor]
"""The operation that stacks a nested list with tensors; set by ops/shaping.py."""


def constant_tensor(array: np.ndarray | np.generic) -> Tensor:
    """Creates a tensor of an array that depends only on Python values and shapes; recorders treat it as a constant."""
    if placement.active and placement.is_selected:
        return _report_constant(Tensor(move_to_selected_device(array)))
    return unplaced_tensor(array)


def unplaced_tensor(array: np.ndarray | np.generic) -> Tensor:
    """Creates a constant tensor without a device; an operation copies it to the device of its other operands."""
    tensor = Tensor(array)  # type: ignore[arg-type]  # NumPy scalars are read as arrays without dimensions
    tensor._unplaced = True
    for recorder in recorders.active:
        recorder.on_constant(tensor)
    return tensor


def tensor_of_data(array: np.ndarray) -> Tensor:
    """Creates a tensor of data without a device; an operation copies it to the device of its other operands."""
    tensor = Tensor(array)
    tensor._unplaced = True
    return tensor


def constant_like(array: np.ndarray, x: Any) -> Tensor:
    """Creates a constant tensor on the device of ``x``, a tensor or variable."""
    if type(x._array) is np.ndarray:
        return unplaced_tensor(array)
    return _report_constant(Tensor(move_to_device(array, device_of(x._array))))


def _report_constant(tensor: Tensor) -> Tensor:
    for recorder in recorders.active:
        recorder.on_constant(tensor)
    return tensor


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """Converts ``value`` to a tensor.

    Args:
        value: a tensor (returned unchanged), a variable (its current value), an object with a method ``__tf_tensor__()`` that
            returns a tensor, a NumPy array or scalar (keeps its dtype), Python numbers, booleans, strings and nested lists of these:
            floats become float32, integers int32 (int64 if a value needs it).
        dtype: the dtype of the result; Python values and arrays are converted.
        dtype_hint: like ``dtype``, but ignored if ``value`` does not fit it.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor; arrays are copied.

    Raises:
        ValueError: ``value`` is a tensor of another dtype, a ragged list or None.
        TypeError: a Python value does not fit ``dtype`` (1.5 for int32).

    Example:
        >>> tf.convert_to_tensor(np.arange(3))
        <tf.Tensor: shape=(3,), dtype=int64, numpy=array([0, 1, 2])>
        >>> tf.convert_to_tensor([1, 2], dtype=tf.float32)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>
    """
    if dtype is not None:
        dtype = dtypes.as_dtype(dtype)
    tensor = as_tensor_or_none(value, dtype)
    if tensor is None:
        if dtype is None and dtype_hint is not None:
            return _tensor_of_dtype_if_possible(value, dtypes.as_dtype(dtype_hint))
        return from_python(value, dtype)
    if dtype is not None and tensor.dtype is not dtype:
        raise ValueError(
            f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
        )
    return tensor


def as_tensor_or_none(value: Any, dtype: DType | None = None) -> Tensor | None:
    """Returns a tensor or tensor-like object as a tensor; None if ``value`` is neither. Registered conversions get ``dtype``."""
    if isinstance(value, Tensor):
        return value
    for _, kinds, convert in _registered_conversions:
        if isinstance(value, kinds):
            tensor = convert(value, dtype=dtype, name=None, as_ref=False)
            if isinstance(tensor, Tensor):
                return tensor
            if tensor is not NotImplemented:
                raise RuntimeError(
                    f"tf.convert_to_tensor: the conversion function {convert!r} for type {type(value)} must return a tensor or "
                    f"NotImplemented, got {tensor!r}."
                )
    for kind, to_tensor in converters:
        if isinstance(value, kind):
            return to_tensor(value)
    to_tensor_by_protocol = getattr(type(value), "__tf_tensor__", None)
    return None if to_tensor_by_protocol is None else to_tensor_by_protocol(value)


def register_tensor_conversion_function(
    base_type: type | tuple[type, ...], conversion_func: Callable[..., Any], priority: int = 100
) -> None:
    """Registers a function that converts objects to tensors where operations take tensors.

    Args:
        base_type: the class, or several, of the objects. Tensors, Python numbers and NumPy's arrays always convert in their own way.
        conversion_func: is called as ``conversion_func(value, dtype=None, name=None, as_ref=False)``; ``dtype`` is the dtype that is
            asked for, or None. Returns a tensor, or NotImplemented to leave the object to the next function.
        priority: functions with lower numbers come first; those of one priority in the order of their registration.

    Raises:
        TypeError: ``base_type`` is no class or a class of numbers or arrays, or ``conversion_func`` is not callable.

    Example:
        >>> class Celsius:
        ...     degrees = 20.0
        >>> tf.register_tensor_conversion_function(Celsius, lambda value, **_: tf.constant(value.degrees))
        >>> (Celsius() + tf.constant(273.15)).numpy()
        np.float32(293.15)
    """
    function = "tf.register_tensor_conversion_function"
    kinds = base_type if isinstance(base_type, tuple) else (base_type,)
    for kind in kinds:
        if not isinstance(kind, type):
            raise TypeError(f"{function}: `base_type` must be a type or a tuple of types, got {base_type!r}.")
        if issubclass(kind, (int, float, complex, np.generic, np.ndarray)):
            raise TypeError(
                f"{function}: Cannot register conversions for Python numeric types and NumPy scalars and arrays, got {kind!r}."
            )
    checked_callable(function, "conversion_func", conversion_func)
    _registered_conversions.append((priority, kinds, conversion_func))
    _registered_conversions.sort(key=lambda entry: entry[0])


def is_tensor(x: Any) -> bool:
    """True if ``x`` is a tensor, variable or IndexedSlices. TensorFlow: tf.is_tensor."""
    if isinstance(x, Tensor):
        return True
    return any(isinstance(x, kind) for kind, _ in converters) and getattr(x, "counts_as_tensor", True)


def convert_like(value: Any, dtype: np.dtype) -> Tensor:
    """Converts the other operand of a tensor of ``dtype``; Python values and arrays become ``dtype`` if they fit."""
    kind = type(value)
    if kind is float or kind is int:
        key = (value or str(value), dtype, kind)  # 0.0 and -0.0 are equal, their strings differ
        tensor = scalars.get(key)
        if tensor is not None:
            return tensor
    tensor = as_tensor_or_none(value)
    if tensor is not None:
        return tensor
    tensor = _tensor_of_dtype_if_possible(value, dtypes.DTYPE_OF_NUMPY[dtype], unplaced_tensor)
    if (kind is float or kind is int) and len(scalars) < 4096 and tensor._array.dtype == dtype:
        scalars[key] = tensor
    return tensor


def _tensor_of_dtype_if_possible(
    value: Any, dtype: DType, make: Callable[[np.ndarray], Tensor] = constant_tensor
) -> Tensor:
    try:
        return from_python(value, dtype, make)
    except (TypeError, OverflowError) as refusal:
        try:
            return from_python(value, None, make)
        except ValueError:
            raise refusal from None


scalars: dict[Any, Tensor] = {}
"""A cache of scalar tensors by ``(number, dtype, int or float)``, with a string for 0. Never returned to users."""


def from_python(value: Any, dtype: DType | None, make: Callable[[np.ndarray], Tensor] = constant_tensor) -> Tensor:
    """Creates a tensor, by ``make(array)``, of a value that is not a tensor or variable; see ``convert_to_tensor``."""
    if isinstance(value, (list, tuple)):
        if holds_tensor(value):
            return pack(list(value), dtype)  # noqa: F821  # set by ops/
    elif hasattr(value, "_as_tensor"):
        tensor: Tensor = value._as_tensor(dtype)  # a Python number that is an input of a recorded function
        return tensor
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, range)):
        return from_python(list(value), dtype, make)  # a deque, an array.array ...
    return make(array_of(value, dtype))


_PYTHON_TYPES = frozenset([bool, int, float, complex, str, bytes])


def holds_tensor(value: Any) -> bool:
    """True if a nested list holds a tensor or a tensor-like object."""
    for item in value:
        if type(item) in _PYTHON_TYPES:
            continue
        if isinstance(item, Tensor) or any(isinstance(item, kind) for kind, _ in converters):
            return True
        if any(isinstance(item, kinds) for _, kinds, _ in _registered_conversions):
            return True
        if hasattr(item, "_as_tensor") or hasattr(type(item), "__tf_tensor__"):
            return True
        if isinstance(item, (list, tuple)) and holds_tensor(item):
            return True
    return False
