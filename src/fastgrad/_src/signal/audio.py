"""``tf.audio``: WAV files as tensors."""

from __future__ import annotations

from typing import Any as _Any
from typing import NamedTuple as _NamedTuple

import numpy as np

from fastgrad._src.core import dtypes as _dtypes
from fastgrad._src.core.errors import InvalidArgumentError as _InvalidArgumentError
from fastgrad._src.core.tensor import Tensor as _Tensor
from fastgrad._src.files.formats.sound_file import decode_wav_file as _decode_wav_file
from fastgrad._src.files.formats.sound_file import encode_wav_file as _encode_wav_file
from fastgrad._src.ops import namespace as ops


class DecodeWav(_NamedTuple):
    """The result of ``decode_wav``.

    Attributes:
        audio: float32 samples, shape (frames, channels).
        sample_rate: the frames per second, an int32 scalar.
    """

    audio: _Tensor
    sample_rate: _Tensor


def decode_wav(
    contents: _Any, desired_channels: _Any = -1, desired_samples: _Any = -1, name: str | None = None
) -> DecodeWav:
    """The samples of a WAV file of 16 bits, in [-1, 1).

    Args:
        contents: a string scalar, the bytes of the file.
        desired_channels: the number of channels; further channels repeat the last channel of the file. -1: those of the file.
        desired_samples: the number of frames; zeros are added at the end, or frames are cut off. -1: those of the file.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``contents`` is no string, or a number is no integer.
        InvalidArgumentError: ``contents`` is no scalar, the file is damaged or not of 16 bits, or a number is below 1 and not -1.
    """
    what = "decode_wav"
    text = ops.scalar_of_dtype(contents, _dtypes.string, what, "contents")
    channels = _desired_count("desired_channels", desired_channels)
    frames = _desired_count("desired_samples", desired_samples)

    def run(data: np.ndarray) -> tuple[np.ndarray, ...]:
        try:
            sound, rate = _decode_wav_file(bytes(data[()]), "contents")
        except OSError as error:
            raise _InvalidArgumentError(f"{what}: {error}") from None
        if channels is not None:
            sound = sound[:, np.minimum(np.arange(channels), sound.shape[1] - 1)]
        if frames is not None:
            sound = np.pad(sound[:frames], [(0, max(frames - len(sound), 0)), (0, 0)])
        return np.ascontiguousarray(sound), np.array(rate, np.int32)

    def sample(unknown_size: int) -> tuple[np.ndarray, ...]:
        return np.zeros((frames or unknown_size, channels or unknown_size), np.float32), np.zeros((), np.int32)

    return DecodeWav(*ops.call_of_strings(what, run, (text,), sample, (what, channels, frames)))


def _desired_count(argument: str, value: _Any) -> int | None:
    """Returns a number of channels or frames; None for -1."""
    count = ops.as_python_int(value, f"decode_wav: {argument}")
    if count < 1 and count != -1:
        raise _InvalidArgumentError(
            f"decode_wav: {argument} must be at least 1, or -1 for that of the file, got {count}."
        )
    return None if count == -1 else count


def encode_wav(audio: _Any, sample_rate: _Any, name: str | None = None) -> _Tensor:
    """A WAV file of 16 bits as a string scalar.

    Args:
        audio: float32 samples, which are clipped to [-1, 1]; shape (frames, channels).
        sample_rate: the frames per second, an integer scalar from 1 to 2 ** 31 - 1.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``audio`` is not float32, or ``sample_rate`` is no integer.
        InvalidArgumentError: ``audio`` has another rank, no channel or more than 65535, or ``sample_rate`` is out of range.
    """
    what = "encode_wav"
    sound = ops.tensor_of_dtype(audio, _dtypes.float32, what, "audio")
    rate = ops.as_python_int(sample_rate, f"{what}: sample_rate")
    if not 0 < rate < 1 << 31:
        raise _InvalidArgumentError(f"{what}: sample_rate must be from 1 to 2 ** 31 - 1, got {rate}.")
    if sound.ndim != 2 or not 0 < sound.shape[1] < 1 << 16:
        raise _InvalidArgumentError(
            f"{what}: audio must have the shape (frames, channels) with 1 to 65535 channels, got {tuple(sound.shape)}."
        )

    def run(samples: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.array(_encode_wav_file(samples, rate), object),)

    return ops.call_on_host(what, run, (sound,), acts=False)[0]
