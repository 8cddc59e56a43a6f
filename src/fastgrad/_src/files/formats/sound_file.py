"""WAV files of 16 bits in memory, by the standard library's ``wave``, with the checks that damaged and hostile files need."""

from __future__ import annotations

import io
import wave

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one

_SCALE = np.float32(32768)


def encode_wav_file(sound: np.ndarray, sample_rate: int) -> bytes:
    """Returns a WAV file of float32 samples in [-1, 1], of shape (frames, channels); other samples are clipped."""
    samples = np.trunc(sound * _SCALE + np.copysign(np.float32(0.5), sound))  # C's roundf
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(sound.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def decode_wav_file(data: bytes, name: str) -> tuple[np.ndarray, int]:
    """Returns the samples of a file, float32 of shape (frames, channels), and the frames per second.

    Args:
        data: the bytes of the file.
        name: the name of the file, for errors.

    Raises:
        OSError: the file is damaged, or is not PCM of 16 bits.
    """
    with parser_errors_as_one(name, "WAV file", OSError), wave.open(io.BytesIO(data), "rb") as reader:
        if reader.getsampwidth() != 2:
            raise ValueError(f"it has samples of {8 * reader.getsampwidth()} bits; only 16 bits are read")
        frames, channels = reader.getnframes(), reader.getnchannels()
        samples = np.frombuffer(reader.readframes(frames), "<i2")
        if len(samples) != frames * channels:
            raise ValueError(f"it announces {frames} frames of {channels} channels and has {len(samples)} samples")
        return samples.reshape(frames, channels) / _SCALE, reader.getframerate()
