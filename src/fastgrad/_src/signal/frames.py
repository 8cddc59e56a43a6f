"""Frames of signals and their spectra: frame, overlap_and_add, stft, inverse_stft.

The formulas are those of ``tf.signal``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import OutOfMemoryError
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import NUMERIC_DTYPES
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.signal.fourier import irfft, rfft
from fastgrad._src.signal.windows import hann_window, integer_from, scalar_integer

WindowFunction = Callable[..., Any]
"""Takes a length, and a dtype by keyword; returns a window."""


def _check_rank(name: str, x: Tensor, rank: int) -> None:
    if x._array.ndim < rank:
        raise ValueError(f"{name}: Shape {TensorShape(x._array.shape)} must have rank at least {rank}")


def _call_window_fn(name: str, window_fn: Any, length: int, dtype: Any) -> Any:
    """Returns the window of a length.

    Raises:
        TypeError: ``window_fn`` can't be called.
    """
    if not callable(window_fn):
        raise TypeError(f"{name}: window_fn must be a function of a length and a dtype, or None, got {window_fn!r}.")
    return window_fn(length, dtype=dtype)


def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: Any = 0,
    axis: Any = -1,
    name: str | None = None,
) -> Tensor:
    """Frames of a signal, which may overlap.

    Args:
        signal: shape (..., samples, ...).
        frame_length: the number of samples in a frame.
        frame_step: the number of samples from one frame to the next.
        pad_end: whether frames may reach beyond the end, where they have ``pad_value``.
        pad_value: a number.
        axis: the axis of the samples.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., frames, frame_length, ...).

    Raises:
        TypeError: a length, step or axis is no integer.
        ValueError: a scalar signal; a length, step or ``pad_value`` that is no scalar.
        InvalidArgumentError: a length or step that is not positive, or an axis that ``signal`` does not have.
        ResourceExhaustedError: the padded signal is larger than memory.
    """
    x = convert_to_tensor(signal)
    _check_rank("frame", x, 1)
    length = integer_from(frame_length, 1, "frame: frame_length")
    step = integer_from(frame_step, 1, "frame: frame_step")
    shape, rank = x._array.shape, x._array.ndim
    place = ops.nonnegative_axis(axis, rank, "frame")
    samples = shape[place]
    if pad_end:
        count = -(-samples // step)
        missing = max(0, length + step * (count - 1) - samples)
        if np.ndim(pad_value):
            raise ValueError(f"frame: pad_value must be a scalar, got {pad_value!r}.")
        paddings = [(0, missing if other == place else 0) for other in range(rank)]
        try:
            x = ops.pad(x, paddings, constant_values=pad_value)
        except OutOfMemoryError as error:
            raise OutOfMemoryError(f"frame: frame_length {length} with pad_end: {error}") from None
    else:
        count = max(0, 1 + (samples - length) // step)
    # Frames are made of parts that begin at multiples of the greatest common divisor, so fewer, longer pieces move.
    part = math.gcd(length, step)
    parts = x._array.shape[place] // part
    x = x[tuple([slice(0, parts * part) if other == place else slice(None) for other in range(rank)])]
    x = ops.reshape(x, (*shape[:place], parts, part, *shape[place + 1 :]))
    numbers = np.arange(count)[:, None] * (step // part) + np.arange(length // part)
    return ops.reshape(ops.gather(x, numbers, axis=place), (*shape[:place], count, length, *shape[place + 1 :]))


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """The sum of frames at their places: the transpose of ``frame``.

    Args:
        signal: shape (..., frames, frame_length).
        frame_step: the number of samples from one frame to the next.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., frame_length + frame_step (frames - 1)).

    Raises:
        ValueError: ``signal`` has no frames of samples, or ``frame_step`` is no integer.
        InvalidArgumentError: ``frame_step`` is not positive, or ``signal`` is not numeric.
    """
    x = convert_to_tensor(signal)
    _check_rank("overlap_and_add", x, 2)
    if x._array.dtype.kind in "bO":
        raise dtype_error("overlap_and_add", x._array.dtype, NUMERIC_DTYPES)
    if not convert_to_tensor(frame_step).dtype.is_integer:
        raise ValueError(f"overlap_and_add: frame_step must be an integer. Got {frame_step!r}")
    step = integer_from(frame_step, 1, "overlap_and_add: frame_step")
    *outer, frames, length = x._array.shape
    result_length = length + step * (frames - 1)
    # A frame is cut into segments of a step. Segment k of frame i lies at i + k, so rows that are shifted by k add up.
    segments = -(-length // step)
    no_padding = [(0, 0)] * len(outer)
    x = ops.pad(x, [*no_padding, (0, 0), (0, segments * step - length)])
    x = ops.reshape(x, (*outer, frames, segments, step))
    rows = [
        ops.pad(x[..., segment, :], [*no_padding, (segment, segments - 1 - segment), (0, 0)])
        for segment in range(segments)
    ]
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    return ops.reshape(total, (*outer, (frames + segments - 1) * step))[..., :result_length]


def _transform_length(name: str, frame_length: int, fft_length: Any) -> int:
    if fft_length is None:
        return 1 << max(0, (frame_length - 1).bit_length())
    return scalar_integer(fft_length, f"{name}: fft_length")


def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: WindowFunction | None = hann_window,
    pad_end: bool = False,
    name: str | None = None,
) -> Tensor:
    """The short-time Fourier transform.

    Args:
        signals: float32 or float64, shape (..., samples).
        frame_length, frame_step, pad_end: as for ``frame``.
        fft_length: the length of a transform. By default the next power of 2 from the frame's length.
        window_fn: takes a length, and a dtype by keyword; None for no window.
        name: kept for TensorFlow's signature.

    Returns:
        Complex, shape (..., frames, fft_length // 2 + 1).

    Raises:
        TypeError: ``window_fn`` can't be called.
        TypeError, ValueError, InvalidArgumentError: as for ``frame`` and ``rfft``.
    """
    length = scalar_integer(frame_length, "stft: frame_length")
    frames = frame(signals, length, frame_step, pad_end)
    if window_fn is not None:
        frames = ops.multiply(frames, _call_window_fn("stft", window_fn, length, frames.dtype))
    return rfft(frames, [_transform_length("stft", length, fft_length)])


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: WindowFunction = hann_window, name: str | None = None
) -> WindowFunction:
    """The window with which ``inverse_stft`` reconstructs the signal exactly.

    Args:
        frame_step: the number of samples from one frame to the next.
        forward_window_fn: the window of ``stft``.
        name: kept for TensorFlow's signature.

    Returns:
        A function of a length and a dtype. The formula is number 7 of Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984).

    Raises:
        TypeError: ``frame_step`` is no integer; when the window is made also: ``forward_window_fn`` can't be called, or the length is no integer.
        InvalidArgumentError: ``frame_step`` is not positive, or a length is negative.
    """
    step = integer_from(frame_step, 1, "inverse_stft_window_fn: frame_step")

    def window_fn(frame_length: Any, dtype: Any) -> Tensor:
        """Returns the window of a length."""
        length = integer_from(frame_length, 0, "inverse_stft_window_fn: frame_length")
        window = convert_to_tensor(
            _call_window_fn("inverse_stft_window_fn", forward_window_fn, length, dtype)
        )._elements()
        overlaps = -(-length // step)
        squares = np.pad(np.square(window), (0, overlaps * step - length)).reshape(overlaps, step)
        sums = np.tile(squares.sum(axis=0), overlaps)[:length]
        return constant_tensor(np.divide(window, sums, out=np.zeros_like(window), where=sums != 0))

    return window_fn


def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: WindowFunction | None = hann_window,
    name: str | None = None,
) -> Tensor:
    """The inverse of ``stft``, exact with the window of ``inverse_stft_window_fn``.

    Args:
        stfts: complex64 or complex128, shape (..., frames, bins).
        frame_length, frame_step, fft_length, window_fn, name: as for ``stft``.

    Returns:
        Real, shape (..., samples).

    Raises:
        ValueError: as for ``irfft`` and ``overlap_and_add``.
    """
    x = convert_to_tensor(stfts)
    _check_rank("inverse_stft", x, 2)
    length = integer_from(frame_length, 1, "inverse_stft: frame_length")
    frames = irfft(x, [_transform_length("inverse_stft", length, fft_length)])[..., :length]
    missing = length - frames._array.shape[-1]
    if missing:
        frames = ops.pad(frames, [*[(0, 0)] * (frames._array.ndim - 1), (0, missing)])
    if window_fn is not None:
        frames = ops.multiply(frames, _call_window_fn("inverse_stft", window_fn, length, frames.dtype))
    return overlap_and_add(frames, frame_step)
