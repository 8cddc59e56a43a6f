"""Summaries: numbers, histograms, texts, pictures, sounds and tensors."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_integer
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.scopes import get_current_name_scope
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.files.formats.sound_file import encode_wav_file
from fastgrad._src.files.records.string_tensors import tensor_message
from fastgrad._src.image.colors import convert_image_dtype
from fastgrad._src.ops import namespace as ops
from fastgrad._src.summary.writers import default_writer, get_step, should_record_summaries

_MOST_HISTOGRAM_BUCKETS = 1 << 20


class PluginData(NamedTuple):
    """The page of TensorBoard that shows a value, its data for the page, and the text that describes the value."""

    name: str
    content: bytes = b""
    description: str | None = None


def summary_of_tensor(tag: str, array: np.ndarray, plugin: PluginData | bytes | None) -> Any:
    """Returns the message of a summary of one tensor; ``plugin`` may be a serialized ``SummaryMetadata``."""
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    metadata = SummaryMetadata()
    if isinstance(plugin, bytes):
        metadata.ParseFromString(plugin)
    elif plugin is not None:
        metadata.plugin_data.plugin_name, metadata.plugin_data.content = plugin.name, plugin.content
        metadata.summary_description = plugin.description or ""
    value = Summary.Value(tag=tag, metadata=None if plugin is None else metadata)
    value.tensor.ParseFromString(tensor_message(array).SerializeToString())
    return Summary(value=[value])


def write_value(function_name: str, name: str, value: Any, step: Any, plugin: PluginData | bytes | None) -> bool:
    """Writes a tensor under ``name`` with the open name scopes before it; see ``write``."""
    tag = f"{get_current_name_scope()}/{name}".removeprefix("/")
    return _write_default_summary(
        function_name, value, step, lambda files, x, at: files.add(at, summary_of_tensor(tag, x, plugin))
    )


def write(tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None) -> bool:
    """Writes a tensor, for functions that make a summary of their own.

    Args:
        tag: the name of the summary; ``tf.summary.experimental.summary_scope`` makes one.
        tensor: a value that converts to a tensor, or a function that returns it and is called only if the summary is written.
        step: as in ``scalar``.
        metadata: a ``SummaryMetadata`` message, or its bytes.
        name: kept for TensorFlow's signature.

    Returns:
        True if there is a default writer and ``record_if`` permits the summary.

    Raises:
        ValueError: there is no step.
        TypeError: ``tag`` is not a string, ``metadata`` is no message, or ``step`` not an integer.
    """
    _check_names("summary.write", tag, None)
    serialized = metadata.SerializeToString() if hasattr(metadata, "SerializeToString") else metadata
    if not isinstance(serialized, (bytes, type(None))):
        raise TypeError(f"summary.write: Argument `metadata` must be a SummaryMetadata or bytes, got {metadata!r}.")
    return _write_default_summary(
        "summary.write", tensor, step, lambda files, x, at: files.add(at, summary_of_tensor(tag, x, serialized or None))
    )


def write_raw_pb(tensor: Any, step: Any = None, name: str | None = None) -> bool:
    """Writes serialized ``Summary`` messages. TensorFlow: tf.summary.experimental.write_raw_pb.

    Args:
        tensor: the bytes of a message, a string tensor of shape ().
        step: as in ``scalar``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: there is no step.
        InvalidArgumentError: ``tensor`` is no string.
    """
    value = convert_to_tensor(tensor)
    if value.dtype is not dtypes.string:
        raise InvalidArgumentError(f"summary.experimental.write_raw_pb: tensor must be a string, got {tensor!r}.")
    return _write_default_summary(
        "summary.experimental.write_raw_pb", value, step, lambda files, x, at: files.add(at, bytes(x.reshape(-1)[0]))
    )


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Writes a number.

    Args:
        name: the name of the curve; open name scopes come before it.
        data: a number or a tensor with one number; a compiled function writes it at each call.
        step: the position on the axis, an integer or an integer variable; default: that of ``as_default`` or ``set_step``.
        description: a string that TensorBoard shows.

    Returns:
        True if there is a default writer and ``record_if`` permits the summary.

    Raises:
        ValueError: there is no step, or more than one number.
        TypeError: ``name`` is not a string, ``data`` not a real number, or ``step`` not an integer.

    Example:
        >>> with tf.summary.create_file_writer("logs").as_default():
        ...     tf.summary.scalar("loss", 0.5, step=1)
        True
    """
    value = _real_tensor("summary.scalar", name, data, description)
    if value._array.size != 1:
        raise ValueError(f"summary.scalar: {name!r} must be one number, got the shape {value.shape}.")

    def number() -> Tensor:
        return ops.cast(value if not value.ndim else value[(0,) * value.ndim], dtypes.float32)

    return write_value("summary.scalar", name, number, step, PluginData("scalars", b"", description))


def histogram(
    name: str, data: Any, step: Any = None, buckets: int | None = None, description: str | None = None
) -> bool:
    """Writes a histogram of the values of a tensor.

    Args:
        name, step, description: as in ``scalar``.
        data: real numbers; at least one is finite.
        buckets: the number of intervals, from 1 to 2**20; default 30.

    Raises:
        ValueError: there is no step, ``buckets`` is out of range, or no number is finite.
        TypeError: as in ``scalar``.
    """
    what = "summary.histogram"
    value = _real_tensor(what, name, data, description)
    count = 30 if buckets is None else checked_integer(what, "buckets", buckets)
    if not 1 <= count <= _MOST_HISTOGRAM_BUCKETS:
        raise ValueError(f"{what}: Argument `buckets` must be from 1 to {_MOST_HISTOGRAM_BUCKETS}, got {count}.")
    tag = f"{get_current_name_scope()}/{name}".removeprefix("/")
    return _write_default_summary(
        what, value, step, lambda files, x, at: files.add(at, summary_of_histogram(tag, x, count))
    )


def summary_of_histogram(tag: str, array: np.ndarray, buckets: int) -> Any:
    """Returns the message of a histogram."""
    from tensorboardX.summary import histogram

    return histogram(tag, array.astype(np.float64), buckets)


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Writes strings.

    Args:
        name, step, description: as in ``scalar``.
        data: strings.

    Raises:
        ValueError: there is no step.
        TypeError: ``data`` is not a string, or as in ``scalar``.
    """
    _check_names("summary.text", name, description)
    value = convert_to_tensor(data)
    if value.dtype is not dtypes.string:
        raise TypeError(f"summary.text: {name!r} must be a text, got {data!r}.")
    return write_value("summary.text", name, value, step, PluginData("text", b"", description))


def image(name: str, data: Any, step: Any = None, max_outputs: Any = 3, description: str | None = None) -> bool:
    """Writes pictures, as PNG.

    Args:
        name, step, description: as in ``scalar``.
        data: numbers of shape (pictures, height, width, channels), with 1 to 4 channels: floats, which are clipped to [0, 1], or
            integers, as of ``tf.image.convert_image_dtype``.
        max_outputs: the greatest number of pictures to write.

    Raises:
        ValueError: there is no step, or ``data`` has another shape.
        InvalidArgumentError: ``max_outputs`` is negative.
        TypeError: as in ``scalar``.
    """
    what = "summary.image"
    value = _real_tensor(what, name, data, description)
    ops.assert_rank(value, 4)
    if not 1 <= int(value.shape[3]) <= 4:
        raise ValueError(f"{what}: {name!r} must have 1 to 4 channels, got the shape {value.shape}.")
    count = _checked_count(what, max_outputs)

    def encode(x: np.ndarray) -> np.ndarray:
        _, height, width, _ = x.shape
        return np.array([b"%d" % width, b"%d" % height, *map(_encode_png, x[:count])], object)

    def pixels() -> Tensor:
        return convert_image_dtype(value, dtypes.uint8, saturate=True)

    return _write_encoded(what, name, pixels, step, PluginData("images", b"", description), encode)


def audio(
    name: str,
    data: Any,
    sample_rate: Any,
    step: Any = None,
    max_outputs: Any = 3,
    encoding: str | None = None,
    description: str | None = None,
) -> bool:
    """Writes sounds, as WAV files of 16 bits.

    Args:
        name, step, description: as in ``scalar``.
        data: floats, which are clipped to [-1, 1], of shape (sounds, frames, channels).
        sample_rate: the number of frames per second, an integer.
        max_outputs: the greatest number of sounds to write.
        encoding: ``"wav"``, or None, which means ``"wav"``.

    Raises:
        ValueError: there is no step, ``data`` has another shape, or ``encoding`` is not ``"wav"``.
        InvalidArgumentError: ``max_outputs`` is negative.
        TypeError: ``sample_rate`` is no integer, or as in ``scalar``.
    """
    what = "summary.audio"
    if encoding not in (None, "wav"):
        raise ValueError(f"{what}: Unknown encoding: {encoding!r}; use 'wav'.")
    value = _real_tensor(what, name, data, description)
    ops.assert_rank(value, 3)
    rate, count = checked_integer(what, "sample_rate", sample_rate), _checked_count(what, max_outputs)
    if not 0 < rate < 1 << 31:
        raise ValueError(f"{what}: sample_rate must be positive and fit into 32 bits, got {rate}.")

    def encode(x: np.ndarray) -> np.ndarray:
        rows = [[encode_wav_file(sound, rate), b""] for sound in x[:count]]
        return np.array(rows, object).reshape(-1, 2)

    # 16 and 11: the field and the number of WAV in the message of TensorBoard's page of sounds
    plugin = PluginData("audio", b"\x10\x0b", description)
    return _write_encoded(what, name, lambda: ops.cast(value, dtypes.float32), step, plugin, encode)


def _write_encoded(
    function_name: str, name: str, value: Any, step: Any, plugin: PluginData, encode: Callable[[np.ndarray], np.ndarray]
) -> bool:
    """Writes what ``encode`` makes of the array at each write."""
    tag = f"{get_current_name_scope()}/{name}".removeprefix("/")
    return _write_default_summary(
        function_name, value, step, lambda files, x, at: files.add(at, summary_of_tensor(tag, encode(x), plugin))
    )


def _checked_count(function_name: str, max_outputs: Any) -> int:
    count = checked_integer(function_name, "max_outputs", max_outputs)
    ops.assert_non_negative(count)
    return count


def _encode_png(pixels: np.ndarray) -> bytes:
    """Returns a PNG file of uint8 pixels of shape (height, width, channels); Pillow, which is an extra, is not needed for it."""
    height, width, channels = pixels.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter, 0 for none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _check_names(function_name: str, name: Any, description: Any) -> None:
    for argument, text in (("name", name), ("description", description)):
        if not isinstance(text, str) and (text is not None or argument == "name"):
            raise TypeError(f"{function_name}: Argument `{argument}` must be a text, got {text!r}.")


def _real_tensor(function_name: str, name: Any, data: Any, description: Any) -> Tensor:
    """Returns ``data`` as a tensor of real numbers."""
    _check_names(function_name, name, description)
    value = convert_to_tensor(data)
    if value.dtype is dtypes.string or value.dtype.is_complex:
        raise TypeError(f"{function_name}: {name!r} must be real numbers, got dtype {value.dtype.name} in {data!r}.")
    return value


def _checked_step(function_name: str, step: Any) -> Any:
    """Returns ``step`` checked: an int, or a tensor of one number."""
    value = as_tensor_or_none(step)
    if value is not None:
        if value.ndim or not (value.dtype.is_integer or value.dtype.is_floating):
            raise TypeError(f"{function_name}: Argument `step` must be one integer, got {value!r}.")
        return value
    number = checked_integer(function_name, "step", step)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{function_name}: Argument `step` must fit into 64 bits, got {number}.")
    return number


def _write_default_summary(function_name: str, value: Any, step: Any, write: Callable[[Any, Any, int], Any]) -> bool:
    """Calls ``write`` with the event file, an array and the step; ``value`` may be a function that returns the tensor."""
    writer, at = default_writer(), get_step() if step is None else step
    if writer is None or not should_record_summaries():
        return False
    if at is None:
        raise ValueError(
            "No step set. Please specify one either through the `step` argument or through tf.summary.experimental.set_step()"
        )
    at = _checked_step(function_name, at)
    tensor = convert_to_tensor(value() if callable(value) else value)
    files = writer._files()

    def call(x: Any, number: np.ndarray) -> None:
        write(files, np.array(x, object) if isinstance(x, bytes) else x, int(number))  # a string comes as bytes

    ops.numpy_function(call, [tensor, at], [])
    return True
