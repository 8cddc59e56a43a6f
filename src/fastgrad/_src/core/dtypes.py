"""Element types: ``tf.float32`` ...; each corresponds to one NumPy dtype."""

from __future__ import annotations

from builtins import bool as _Bool  # this module's bool is a DType
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from fastgrad._src.core.names import Namespace as _Namespace
from fastgrad._src.core.names import declare_missing

# ``tf.dtypes.cast`` and similar functions are operations: ops/casting.py and ops/complex_numbers.py set them later.
cast: Callable[..., Any]
saturate_cast: Callable[..., Any]
complex: Callable[..., Any]  # this module itself uses the built-in of this name


@declare_missing(
    "experimental_as_proto",
    "experimental_from_proto",
    "experimental_type_proto",
    "is_subtype_of",
    "most_specific_common_supertype",
)
class DType:
    """The type of a tensor's elements.

    Equal to its name, to the NumPy dtype and to the NumPy scalar class (``tf.float32 == "float32"``).

    Attributes:
        name: for example ``"float32"``.
        numpy: the ``numpy.dtype`` that holds such elements (``object`` for ``tf.string``).
        size: bytes an element, 0 for ``tf.string``.
        is_floating, is_integer, is_unsigned, is_complex, is_bool: the kind of number;
            bfloat16, float16 and the types of 8 and 4 bits are floating.
        is_differentiable: whether gradients flow through tensors of this type; False for floating types of 8 and 4 bits.
        is_narrow: whether elements have fewer bits than float16 and int8 have: storage only, see ``NARROW``.

    Example:
        >>> tf.float32 == "float32", tf.float32.size, tf.float32.is_floating
        (True, 4, True)
    """

    __slots__ = (
        "is_bool",
        "is_complex",
        "is_differentiable",
        "is_floating",
        "is_integer",
        "is_narrow",
        "is_unsigned",
        "name",
        "numpy",
        "size",
    )

    def __init__(self, name: str, numpy_type: Any, is_narrow: _Bool = False) -> None:
        self.name = name
        self.is_narrow = is_narrow
        self.numpy = np.dtype(numpy_type)
        self.size = 0 if self.numpy.hasobject else self.numpy.itemsize
        self.is_bool = name == "bool"
        self.is_unsigned = name.startswith("uint")
        self.is_integer = name.startswith(("int", "uint"))
        self.is_floating = "float" in name
        self.is_complex = name.startswith("complex")
        self.is_differentiable = (self.is_floating and not is_narrow) or self.is_complex

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype; ``numpy.dtype(tf.float32)`` reads this attribute."""
        return self.numpy

    @property
    def as_numpy_dtype(self) -> type:
        """The NumPy scalar class: ``tf.float32.as_numpy_dtype is np.float32``; object for ``tf.string``."""
        return object if self.numpy.hasobject else self.numpy.type

    @property
    def as_datatype_enum(self) -> int:
        """TensorFlow's enum number of the type, stable across versions."""
        return _TENSORFLOW_ENUM[self.name]

    @property
    def base_dtype(self) -> DType:
        """The type itself: fastgrad has no reference types."""
        return self

    @property
    def real_dtype(self) -> DType:
        """The type of the real part: float32 for complex64, float64 for complex128, else itself."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def is_quantized(self) -> _Bool:
        """True for ``tf.qint8`` and its kin."""
        return self.name.startswith("q")

    @property
    def is_numeric(self) -> _Bool:
        """True for numbers: integers, floating, complex and quantized types."""
        return self.is_floating or self.is_integer or self.is_complex or self.is_quantized

    @property
    def is_numpy_compatible(self) -> _Bool:
        """True for every type of fastgrad."""
        return True

    @property
    def limits(self) -> tuple[Any, Any]:
        """The range of image intensities, as in TensorFlow: 0 to 1 for floating types, 0 to ``max`` for integers.

        Raises:
            ValueError: a narrow type, which images do not have.
        """
        if self.is_narrow:
            raise ValueError(f"DType.limits: {self} does not have defined limits. Use min and max.")
        return 0, 1 if self.is_floating else True if self.is_bool else self.max

    @property
    def min(self) -> Any:
        """The lowest finite value; TypeError for types without an order."""
        return self._limit("min")

    @property
    def max(self) -> Any:
        """The highest finite value; TypeError for types without an order."""
        return self._limit("max")

    def _limit(self, which: str) -> Any:
        if self.is_integer:
            return getattr((ml_dtypes if self.is_narrow else np).iinfo(self.numpy), which)
        if self.is_floating:
            return self.numpy.type(getattr(ml_dtypes.finfo(self.numpy), which))
        raise TypeError(f"DType.{which}: {self.name} has no smallest or largest value.")

    def is_compatible_with(self, other: Any) -> _Bool:
        """True if ``other`` equals this type."""
        return self == other

    def __eq__(self, other: Any) -> _Bool:
        if self is other:
            return True
        if other is None:
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    def __ne__(self, other: Any) -> _Bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return "tf." + self.name

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


_declared_dtypes: list[DType] = []
_TENSORFLOW_ENUM: dict[str, int] = {}


def _declare_dtype(name: str, numpy_type: Any, tensorflow_enum: int, is_narrow: _Bool = False) -> DType:
    dtype = DType(name, numpy_type, is_narrow)
    _declared_dtypes.append(dtype)
    _TENSORFLOW_ENUM[name] = tensorflow_enum
    return dtype


float16 = half = _declare_dtype("float16", np.float16, 19)
bfloat16 = _declare_dtype("bfloat16", ml_dtypes.bfloat16, 14)
float32 = _declare_dtype("float32", np.float32, 1)
float64 = double = _declare_dtype("float64", np.float64, 2)
int8 = _declare_dtype("int8", np.int8, 6)
int16 = _declare_dtype("int16", np.int16, 5)
int32 = _declare_dtype("int32", np.int32, 3)
int64 = _declare_dtype("int64", np.int64, 9)
uint8 = _declare_dtype("uint8", np.uint8, 4)
uint16 = _declare_dtype("uint16", np.uint16, 17)
uint32 = _declare_dtype("uint32", np.uint32, 22)
uint64 = _declare_dtype("uint64", np.uint64, 23)
bool = _declare_dtype("bool", np.bool_, 10)
complex64 = _declare_dtype("complex64", np.complex64, 8)
complex128 = _declare_dtype("complex128", np.complex128, 18)
string = _declare_dtype("string", object, 7)

# TensorFlow's quantized types hold plain integers: their tensors have the plain dtypes.
_QUANTIZED = tuple([DType(f"q{kind.name}", kind.numpy) for kind in (int8, uint8, int16, uint16, int32)])
qint8, quint8, qint16, quint16, qint32 = _QUANTIZED
_TENSORFLOW_ENUM |= {"qint8": 11, "quint8": 12, "qint32": 13, "qint16": 15, "quint16": 16}

ALL = tuple(_declared_dtypes)
"""Every DType that operations compute with."""

_float8_e5m2 = _declare_dtype("float8_e5m2", ml_dtypes.float8_e5m2, 24, is_narrow=True)
_float8_e4m3fn = _declare_dtype("float8_e4m3fn", ml_dtypes.float8_e4m3fn, 25, is_narrow=True)
_float8_e4m3fnuz = _declare_dtype("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, 26, is_narrow=True)
_float8_e4m3b11fnuz = _declare_dtype("float8_e4m3b11fnuz", ml_dtypes.float8_e4m3b11fnuz, 27, is_narrow=True)
_float8_e5m2fnuz = _declare_dtype("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, 28, is_narrow=True)
_int4 = _declare_dtype("int4", ml_dtypes.int4, 29, is_narrow=True)
_uint4 = _declare_dtype("uint4", ml_dtypes.uint4, 30, is_narrow=True)
_int2 = _declare_dtype("int2", ml_dtypes.int2, 31, is_narrow=True)
_uint2 = _declare_dtype("uint2", ml_dtypes.uint2, 32, is_narrow=True)
_float4_e2m1fn = _declare_dtype("float4_e2m1fn", ml_dtypes.float4_e2m1fn, 33, is_narrow=True)

NARROW = tuple(_declared_dtypes[len(ALL) :])
"""The types of 8-bit and 4-bit floats, 4-bit and 2-bit integers, a byte an element: for storage, views and casts only."""

NARROW_NUMPY_DTYPES = frozenset(dtype.numpy for dtype in NARROW)

# TensorFlow has them here, and in tf.experimental, but not in tf.dtypes.
experimental = _Namespace("tf.dtypes.experimental", **{dtype.name: dtype for dtype in NARROW})

DTYPE_OF_NUMPY = {dtype.numpy: dtype for dtype in (*ALL, *NARROW)}
"""The DType of each NumPy dtype; a fast lookup for arrays of tensors."""

_BY_KEY: dict[Any, DType] = {
    **{dtype.name: dtype for dtype in (*ALL, *NARROW)},
    **{dtype.numpy: dtype for dtype in (*ALL, *NARROW)},
    **{dtype.numpy.type: dtype for dtype in (*ALL, *NARROW)},
    **{number: dtype for dtype in (*ALL, *NARROW) for number in [_TENSORFLOW_ENUM[dtype.name]]},
    float: float32,
    _Bool: bool,
    "half": float16,
    "float": float32,
    "double": float64,
    **{dtype.name: dtype for dtype in _QUANTIZED},
}


_NO_BIT_WIDTH = (int, complex, str, bytes)


def as_dtype(type_value: Any) -> DType:
    """Returns the DType that ``type_value`` names.

    Args:
        type_value: a DType, its name, a NumPy dtype or scalar class, ``float`` (float32), ``bool``, or TensorFlow's enum
            number of a type. Other Python types are errors, because for example ``int`` has no width.

    Raises:
        TypeError: ``type_value`` names no type of fastgrad.
    """
    if type(type_value) is DType:
        return type_value
    try:
        known_dtype = _BY_KEY.get(type_value)
    except TypeError:
        known_dtype = None
    if known_dtype is not None:
        return known_dtype
    try:
        numpy_type = (
            None
            if isinstance(type_value, str) or type_value is DType or any(type_value is kind for kind in _NO_BIT_WIDTH)
            else np.dtype(type_value)
        )
    except TypeError:
        numpy_type = None
    if numpy_type is not None and type_value is not None:
        if numpy_type.kind in "SU":
            return string
        known_dtype = DTYPE_OF_NUMPY.get(numpy_type.newbyteorder("="))
        if known_dtype is not None:
            return known_dtype
    names = ", ".join(dtype.name for dtype in (*ALL, *NARROW))
    raise TypeError(
        f"Cannot convert the argument `type_value`: {type_value!r} to a TensorFlow DType; known are {names}."
    )
