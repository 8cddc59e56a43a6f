"""The functions of ``keras.ops`` for signals, by name: windows, Fourier transforms, frames of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.keras import settings
from fastgrad._src.keras.ops.function import common, floats, tensor


def _window(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: tf.constant(function(int(x)), settings.floatx())


def _complex(x: Any) -> Any:
    """Returns the complex tensor of a pair of real and imaginary parts."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}")
    real, imaginary = map(tensor, x)
    if real.shape != imaginary.shape:
        raise ValueError(
            "Input `x` should be a tuple of two tensors of the same shape - real and imaginary. Received: "
            f"x[0].shape = {tuple(real.shape)}, x[1].shape = {tuple(imaginary.shape)}"
        )
    if not (real.dtype.is_floating and imaginary.dtype.is_floating):
        raise ValueError(
            f"Input `x` should be two tensors of floats. Received: {real.dtype.name} and {imaginary.dtype.name}."
        )
    return tf.complex(real, imaginary)


def _parts(x: Any) -> tuple[Any, Any]:
    return tf.math.real(x), tf.math.imag(x)


def _fft_length(length: int | None) -> list[int] | None:
    return None if length is None else [length]


def _analysis_window(window: Any, sequence_length: int, fft_length: int, dtype: Any) -> Any:
    """Returns the window as a tensor of ``fft_length`` elements, with zeros around it; None for no window."""
    if window is None:
        return None
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                f'If a string is passed to `window`, it must be one of `"hann"`, `"hamming"`. Received: window={window}'
            )
        weights = getattr(tf.signal, f"{window}_window")(sequence_length, periodic=True, dtype=dtype)
    else:
        weights = tensor(window, dtype)
    if tuple(weights.shape) != (sequence_length,):
        raise ValueError(
            f"The shape of `window` must be equal to [sequence_length]. Received: window shape={tuple(weights.shape)}"
        )
    before = (fft_length - sequence_length) // 2
    return tf.pad(weights, [[before, fft_length - sequence_length - before]])


def _stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> Any:
    x = tensor(x)
    if x.dtype not in (tf.float32, tf.float64):
        raise TypeError(f"Invalid input type. Expected `float32` or `float64`. Received: input type={x.dtype.name}")
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or larger than `sequence_length`. "
            f"Received: sequence_length={sequence_length}, fft_length={fft_length}"
        )
    weights = _analysis_window(window, sequence_length, fft_length, x.dtype)
    if center:
        x = tf.pad(x, [[0, 0]] * (x.ndim - 1) + [[fft_length // 2] * 2], "REFLECT")
    window_fn = None if weights is None else lambda frame_length, dtype: weights
    return _parts(tf.signal.stft(x, fft_length, sequence_stride, fft_length, window_fn))


def _istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    spectrum = _complex(x)
    weights = _analysis_window(window, sequence_length, fft_length, tf.math.real(spectrum).dtype)
    window_fn = None
    if weights is not None:
        window_fn = tf.signal.inverse_stft_window_fn(sequence_stride, lambda frame_length, dtype: weights)
    y = tf.signal.inverse_stft(spectrum, fft_length, sequence_stride, fft_length, window_fn)
    start = fft_length // 2 if center else 0
    if length is not None:
        return y[..., start : start + length]
    return y[..., start : -start or None]


def _ifft2(x: Any) -> tuple[Any, Any]:
    return _parts(tf.signal.ifft2d(_complex(x)))


def _correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"Invalid mode: '{mode}'. Mode must be one of: 'full', 'same', 'valid'.")
    a, b = common(x1, x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"correlate: expected two vectors. Received shapes {tuple(a.shape)} and {tuple(b.shape)}.")
    if not a.dtype.is_floating:
        a, b = [tf.cast(x, tf.float64 if x.dtype is tf.int64 else tf.float32) for x in (a, b)]
    n, m = a.shape[0], b.shape[0]
    if mode != "valid":
        a = tf.pad(a, [[m - 1, m - 1]])
    y = tf.nn.conv1d(a[None, :, None], b[:, None, None], 1, "VALID")[0, :, 0]
    if mode == "same":
        start = (n + m - 1 - max(n, m)) // 2
        return y[start : start + max(n, m)]
    return y


TABLE: dict[str, Callable[..., Any]] = {
    "extract_sequences": lambda x, sequence_length, sequence_stride: tf.signal.frame(
        tensor(x), sequence_length, sequence_stride
    ),
    "fft": lambda x: _parts(tf.signal.fft(_complex(x))),
    "fft2": lambda x: _parts(tf.signal.fft2d(_complex(x))),
    "ifft2": _ifft2,
    "rfft": lambda x, fft_length=None: _parts(tf.signal.rfft(floats(x), _fft_length(fft_length))),
    "irfft": lambda x, fft_length=None: tf.signal.irfft(_complex(x), _fft_length(fft_length)),
    "stft": _stft,
    "istft": _istft,
}
ARRAY_TABLE: dict[str, Callable[..., Any]] = {
    **{name: _window(getattr(np, name)) for name in ("bartlett", "blackman", "hamming", "hanning")},
    "kaiser": lambda x, beta: tf.constant(np.kaiser(int(x), float(beta)), settings.floatx()),
    "correlate": _correlate,
}
"""Functions that NumPy has: also in ``keras.ops.numpy``."""
