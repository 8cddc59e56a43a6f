"""The functions of ``keras.ops`` for signals, by name: windows, Fourier transforms, frames of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_shapes
from fastgrad._src.keras import settings
from fastgrad._src.keras.ops.function import as_common_dtype, as_floats, tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops.composed.numpy_functions.products import correlate
from fastgrad._src.signal import windows
from fastgrad._src.signal.fourier import fft, fft2d, irfft, rfft
from fastgrad._src.signal.frames import stft


def _complex(x: Any) -> Any:
    """Returns the complex tensor of a pair of real and imaginary parts."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}")
    real, imaginary = map(tensor, x)
    if real.shape != imaginary.shape:
        raise ValueError(f"`x` must be two tensors of the same shape. Received: {real.shape}, {imaginary.shape}")
    if not (real.dtype.is_floating and imaginary.dtype.is_floating):
        raise ValueError(f"`x` must be two tensors of floats. Received: {real.dtype.name}, {imaginary.dtype.name}.")
    return ops.complex(real, imaginary)


def _real_and_imaginary_parts(x: Any) -> tuple[Any, Any]:
    return ops.real(x), ops.imag(x)


def _fft_length(length: int | None) -> list[int] | None:
    return None if length is None else [length]


def _analysis_window(window: Any, sequence_length: int, fft_length: int, dtype: Any) -> Any:
    """Returns the window as a tensor of ``fft_length`` elements, with zeros around it; None for no window."""
    if window is None:
        return None
    if isinstance(window, str):
        check_choice("stft", ("hann", "hamming"), window=window)
        weights = getattr(windows, f"{window}_window")(sequence_length, periodic=True, dtype=dtype)
    else:
        weights = tensor(window, dtype)
    check_shapes("stft", f"window ({sequence_length})", ValueError, weights)
    before = (fft_length - sequence_length) // 2
    return ops.pad(weights, [[before, fft_length - sequence_length - before]])


def _stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> Any:
    x = tensor(x)
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise TypeError(f"Invalid input type. Expected `float32` or `float64`. Received: input type={x.dtype.name}")
    if fft_length < sequence_length:
        raise ValueError(f"`fft_length` must not be less than `sequence_length`, got {fft_length=}, {sequence_length=}")
    weights = _analysis_window(window, sequence_length, fft_length, x.dtype)
    if center:
        x = ops.pad(x, [[0, 0]] * (x.ndim - 1) + [[fft_length // 2] * 2], "REFLECT")
    window_fn = None if weights is None else lambda frame_length, dtype: weights
    return _real_and_imaginary_parts(stft(x, fft_length, sequence_stride, fft_length, window_fn))


def _correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    check_choice("correlate", ("full", "same", "valid"), mode=mode)
    a, b = as_common_dtype(x1, x2)
    return correlate(a, b, mode)


TABLE: dict[str, Callable[..., Any]] = {
    "fft": lambda x: _real_and_imaginary_parts(fft(_complex(x))),
    "fft2": lambda x: _real_and_imaginary_parts(fft2d(_complex(x))),
    "rfft": lambda x, fft_length=None: _real_and_imaginary_parts(rfft(as_floats(x), _fft_length(fft_length))),
    "irfft": lambda x, fft_length=None: irfft(_complex(x), _fft_length(fft_length)),
    "stft": _stft,
}
ARRAY_TABLE: dict[str, Callable[..., Any]] = {
    "kaiser": lambda x, beta: ops.constant(np.kaiser(int(x), float(beta)), settings.floatx()),
    "correlate": _correlate,
}
"""Functions that NumPy has: also in ``keras.ops.numpy``."""
