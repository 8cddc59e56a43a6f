"""Strings of bytes to tensors and back: raw numbers, serialized tensors, base64."""

from __future__ import annotations

import base64
import io
import math
import re
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_rank, refuse
from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.errors import DataLossError, InvalidArgumentError
from fastgrad._src.core.operand_errors import check_not_narrow
from fastgrad._src.core.operation import ALL_DTYPES
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.files.formats.decompression import decompressed
from fastgrad._src.files.records.messages import message_class
from fastgrad._src.ops.arguments import as_python_int, as_python_ints
from fastgrad._src.ops.python_function import call_of_strings, call_on_host
from fastgrad._src.structures.strings.rows import array_of_elements, check_string_choice, strings_of

_RAW_DTYPES = (
    *("float16", "float32", "float64", "int32", "uint16", "uint8", "int16", "int8", "int64"),
    *("complex64", "complex128", "bool", "bfloat16"),
)
_DTYPE_OF_ENUM = {dtype.as_datatype_enum: dtype for dtype in (*dtypes.ALL, *dtypes.NARROW)}
_VALUE_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
}


def decode_raw(
    input_bytes: Any, out_type: Any, little_endian: bool = True, fixed_length: Any = None, name: str | None = None
) -> Tensor:
    """The bytes of strings, reinterpreted as numbers.

    Args:
        input_bytes: strings, any shape, of the same length.
        out_type: the dtype of the numbers: floats, integers up to 64 bits but uint32 and uint64, complex numbers or bool.
        little_endian: the order of bytes.
        fixed_length: the length that each string is cut or padded with zero bytes to; a multiple of the size of a number.
        name: kept for TensorFlow's signature.

    Returns:
        ``out_type``, the shape of ``input_bytes`` with one more dimension, the numbers of a string.

    Raises:
        TypeError: ``input_bytes`` are no strings, or ``out_type`` is None.
        InvalidArgumentError: strings of different lengths, a length that is no multiple of a number's size, another dtype.
    """
    what = "decode_raw"
    if out_type is None:
        raise TypeError(f"{what}: Expected DataType for argument 'out_type' not None.")
    dtype = dtypes.as_dtype(out_type)
    check_choice(what, _RAW_DTYPES, InvalidArgumentError, out_type=dtype.name)
    strings = strings_of(what, input_bytes)
    size = dtype.numpy.itemsize
    length = None if fixed_length is None else as_python_int(fixed_length, f"{what}: fixed_length")
    if length is not None and (length <= 0 or length % size):
        refuse(what, f"`fixed_length` must be > 0 and a multiple of {size}, got {length}", InvalidArgumentError)
    swaps = size > 1 and not little_endian

    def run(x: np.ndarray) -> tuple[np.ndarray, ...]:
        texts = x.reshape(-1).tolist()
        if length is not None:
            texts = [text[:length].ljust(length, b"\0") for text in texts]
        width = len(texts[0]) if texts else length or 0
        for number, text in enumerate(texts):
            if len(text) != width:
                requirement = f"all strings must have the size of the first one, {width}"
                refuse(what, requirement, InvalidArgumentError, element=number, size=len(text))
        if width % size:
            requirement = f"the size of the strings must be a multiple of {size}, the size of {dtype.name}"
            refuse(what, requirement, InvalidArgumentError, size=width)
        joined = np.frombuffer(b"".join(texts), np.uint8)
        if dtype.name == "bool":
            joined = (joined != 0).view(np.uint8)
        parts = joined.reshape(-1, size // 2 if dtype.is_complex else size)
        numbers = np.ascontiguousarray(parts[:, ::-1] if swaps else parts).view(np.uint8).reshape(-1)
        return (numbers.view(dtype.numpy).reshape((*x.shape, width // size)),)

    def sample(unknown_size: int) -> tuple[np.ndarray, ...]:
        return (np.zeros((*strings.shape, unknown_size if length is None else length // size), dtype.numpy),)

    return call_of_strings(what, run, (strings,), sample, (what, dtype.name, swaps, length))[0]


def tensor_message(array: np.ndarray) -> Any:
    """Returns the ``TensorProto`` of an array of numbers or bytes."""
    proto = message_class("TensorProto")(dtype=dtypes.DTYPE_OF_NUMPY[array.dtype].as_datatype_enum)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.string_val.extend(array.reshape(-1).tolist())
    else:
        proto.tensor_content = array.tobytes()
    return proto


def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False
) -> Any:
    """Returns a ``TensorProto`` message, such as TensorFlow Serving takes.

    Args:
        values: numbers or strings: a tensor, an array or Python values.
        dtype: the dtype. Default: that of ``values``.
        shape: the shape. Default: that of ``values``. If it has more elements, the last of ``values`` is repeated.
        verify_shape: whether ``values`` must have the shape ``shape``.
        allow_broadcast: kept for TensorFlow's signature: only the last element is repeated.

    Raises:
        ValueError: ``values`` is no tensor, or has more elements than ``shape``.
        TypeError: ``values`` do not have ``dtype``, or not the shape ``shape`` with ``verify_shape``.
    """
    what = "make_tensor_proto"
    array = convert_to_tensor(values, None if dtype is None else dtypes.as_dtype(dtype))._on_host()
    if shape is not None:
        sizes = as_python_ints(shape, f"{what}: shape")
        if verify_shape and sizes != array.shape:
            raise TypeError(f"{what}: Expected Tensor's shape: {sizes}, got {array.shape}.")
        missing = math.prod(sizes) - array.size
        if missing < 0 or (missing and not array.size):
            raise ValueError(
                f"{what}: Too many elements provided. Takes at most {math.prod(sizes)}, but got {array.size}."
                if missing < 0
                else f"{what}: values has no element to fill the shape {sizes} with."
            )
        flat = array.reshape(-1)
        array = np.concatenate([flat, np.repeat(flat[-1:], missing)]).reshape(sizes)
    return tensor_message(array)


def make_ndarray(tensor: Any) -> np.ndarray:
    """Returns the values of a ``TensorProto`` message as an array.

    Args:
        tensor: the message; also one of TensorFlow's own class.

    Raises:
        TypeError: ``tensor`` is no such message.
        InvalidArgumentError: its dtype is unknown, or its values do not fit its shape.
    """
    what = "make_ndarray"
    if not hasattr(tensor, "tensor_content"):
        raise TypeError(f"{what}: Argument `tensor` must be a TensorProto message, got {type(tensor).__name__}.")
    return tensor_of_proto(what, tensor, dtype_of_enum(what, tensor.dtype)).copy()


def serialize_tensor(tensor: Any, name: str | None = None) -> Tensor:
    """A tensor as a string, a serialized ``TensorProto``.

    Args:
        tensor: a tensor of any shape.
        name: kept for TensorFlow's signature.

    Returns:
        A string scalar.

    Raises:
        ValueError: ``tensor`` does not convert to a tensor.
        NotFoundError: a dtype of ``tf.dtypes.experimental``.
    """
    x = convert_to_tensor(tensor)
    check_not_narrow("serialize_tensor", x._array, ALL_DTYPES)

    def run(array: np.ndarray) -> tuple[np.ndarray, ...]:
        return (array_of_elements([tensor_message(array).SerializeToString(deterministic=True)], ()),)

    return call_on_host("serialize_tensor", run, (x,), acts=False)[0]


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Tensor:
    """The tensor in a string from ``serialize_tensor``.

    Args:
        serialized: a string scalar, a serialized ``TensorProto``.
        out_type: the dtype of the tensor.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``serialized`` is no string, or ``out_type`` is None.
        InvalidArgumentError: the string is no tensor, or one of another dtype; ``serialized`` is no scalar.
    """
    what = "parse_tensor"
    if out_type is None:
        raise TypeError(f"{what}: Expected DataType for argument 'out_type' not None.")
    dtype, strings = dtypes.as_dtype(out_type), strings_of(what, serialized)
    check_rank(what, 0, InvalidArgumentError, serialized=strings)
    message = message_class("TensorProto")

    def run(text: np.ndarray) -> tuple[np.ndarray, ...]:
        from google.protobuf.message import DecodeError

        try:
            proto = message.FromString(text[()])
        except DecodeError:
            raise InvalidArgumentError(
                f"{what}: Could not parse `serialized` as TensorProto: {text[()][:100]!r}"
            ) from None
        stored = dtype_of_enum(what, proto.dtype)
        if stored is not dtype:
            raise InvalidArgumentError(f"{what}: Type mismatch between {stored.name} and dtype ({dtype.name})")
        return (tensor_of_proto(what, proto, stored),)

    return call_of_strings(what, run, (strings,), None, (what, dtype.name))[0]


def dtype_of_enum(what: str, number: int) -> dtypes.DType:
    """Returns the dtype with a number of TensorFlow's enumeration.

    Raises:
        InvalidArgumentError: no dtype of fastgrad has this number.
    """
    dtype = _DTYPE_OF_ENUM.get(number)
    if dtype is None:
        raise InvalidArgumentError(f"{what}: Cannot parse tensor from proto: it has the dtype number {number}.")
    return dtype


def tensor_of_proto(what: str, proto: Any, dtype: dtypes.DType, most_elements: int | None = None) -> np.ndarray:
    """Returns the values of a message; the last of its single values stands for all that follow.

    Args:
        what: the operation, for errors.
        proto: a ``TensorProto``.
        dtype: its dtype.
        most_elements: the limit on the elements, by default 2 ** 31.

    Raises:
        InvalidArgumentError: its values do not fit its shape. Only one value may stand for many, as TensorFlow writes constants.
    """
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
        raise InvalidArgumentError(f"{what}: Cannot parse tensor from proto: its shape is not known: {sizes}.")
    count = 1
    for size in sizes:
        count *= size
    values = _values_of_proto(proto, dtype)
    try:
        if (
            len(values) > count
            or (proto.tensor_content and len(values) != count)
            or count > (most_elements or _MOST_ELEMENTS)
        ):
            raise ValueError
        if len(values) < count:
            last = values[-1:] if len(values) else b"" if dtype is dtypes.string else 0
            filled = np.empty(count, dtype.numpy)
            filled[: len(values)] = values
            filled[len(values) :] = last
            values = filled
        return values.reshape(sizes)
    except (MemoryError, ValueError):
        raise InvalidArgumentError(
            f"{what}: Cannot parse tensor from proto: it has {len(values)} values for the shape {sizes}."
        ) from None


def _values_of_proto(proto: Any, dtype: dtypes.DType) -> np.ndarray:
    if dtype is dtypes.string:
        return array_of_elements(list(proto.string_val), [len(proto.string_val)])
    if proto.tensor_content:
        size = dtype.numpy.itemsize
        content = proto.tensor_content
        return np.frombuffer(content[: len(content) // size * size], dtype.numpy)
    stored = getattr(proto, _VALUE_FIELDS.get(dtype.name, "int_val"))
    if dtype.name in ("float16", "bfloat16"):
        return np.array([number & 0xFFFF for number in stored], np.uint16).view(dtype.numpy)
    if dtype.is_complex:
        numbers = np.array(stored, dtype.numpy.type().real.dtype)
        return numbers[: len(numbers) // 2 * 2].view(dtype.numpy)
    return np.array(stored, np.int64 if dtype.name != "uint64" and dtype.is_integer else None).astype(dtype.numpy)


_MOST_ELEMENTS = 1 << 31
"""The limit on the elements that one value stands for: 20 bytes may ask for all memory."""


def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> Tensor:
    """Each string in web-safe base64.

    Args:
        input: strings, any shape.
        pad: whether ``=`` is added at the end.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype.
    """

    def encoded(text: bytes) -> bytes:
        result = base64.urlsafe_b64encode(text)
        return result if pad else result.rstrip(b"=")

    return _map_strings("encode_base64", input, encoded)


def decode_base64(input: Any, name: str | None = None) -> Tensor:
    """The bytes of strings in web-safe base64, with or without ``=`` at the end.

    Args:
        input: strings, any shape.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype, or a string that is no base64.
    """

    def decoded(text: bytes) -> bytes:
        bare = text.rstrip(b"=")
        padding = -len(bare) % 4
        if not re.fullmatch(rb"[\w-]*", bare, re.ASCII) or len(text) - len(bare) not in (0, padding):
            raise InvalidArgumentError(f"decode_base64: Invalid character found in base64: {text[:100]!r}")
        if padding == 3:
            raise InvalidArgumentError(f"decode_base64: Base64 string length cannot be 1 modulo 4: {text[:100]!r}")
        return base64.urlsafe_b64decode(bare + b"=" * padding)

    return _map_strings("decode_base64", input, decoded)


def decode_compressed(bytes: Any, compression_type: str = "", name: str | None = None) -> Tensor:
    """The decompressed contents of each string.

    Args:
        bytes: strings, any shape.
        compression_type: ``"ZLIB"``, ``"GZIP"``, or ``""`` for strings as they are.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype, or another ``compression_type``.
        DataLossError: a string is damaged or truncated.
    """
    what = "decode_compressed"
    check_string_choice(what, ("", "ZLIB", "GZIP"), compression_type=compression_type)

    def contents(text: Any) -> Any:
        if not compression_type:
            return text
        with parser_errors_as_one("bytes", f"{compression_type} string", DataLossError):
            return decompressed(io.BytesIO(text), compression_type.lower()).read()

    return _map_strings(what, bytes, contents)


def _map_strings(what: str, value: Any, function: Any) -> Tensor:
    strings = strings_of(what, value)

    def run(x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (array_of_elements([function(text) for text in x.reshape(-1).tolist()], x.shape),)

    return call_on_host(what, run, (strings,), acts=False)[0]
