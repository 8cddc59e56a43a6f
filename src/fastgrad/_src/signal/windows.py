"""Windows of signals, and the mel scale: hann_window, kaiser_window, linear_to_mel_weight_matrix ...

The formulas are those of ``tf.signal``. Windows are constants; NumPy computes them in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import size_error
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import as_python_int, numbers_below, tensor_of

_MEL_BREAK_HERTZ = 700.0
_MEL_HIGH_Q = 1127.0


def scalar_integer(value: Any, what: str) -> int:
    """Converts as ``as_python_int``; raises ValueError for a list or a tensor that is no scalar, as TensorFlow's shape checks do."""
    if np.ndim(value):
        raise ValueError(f"{what} must be a scalar, got {value!r}.")
    return as_python_int(value, what)


def integer_from(value: Any, low: int, what: str) -> int:
    """Converts as ``scalar_integer``; raises InvalidArgumentError for numbers below ``low``."""
    number = scalar_integer(value, what)
    if number < low:
        raise InvalidArgumentError(f"{what} must be {low} or more, got {number}.")
    return number


def _length_and_dtype(name: str, window_length: Any, dtype: Any) -> tuple[int, dtypes.DType]:
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(f"{name}: dtype must be a floating point type. Found {dtype!r}")
    return integer_from(window_length, 0, f"{name}: window_length"), dtype


def _checked_beta(name: str, beta: Any) -> float:
    if isinstance(beta, (str, bytes)):
        raise TypeError(f"{name}: beta must be a number, got {beta!r}.")
    x = tensor_of(beta)
    if x._array.ndim or not (x.dtype.is_floating or x.dtype.is_integer or x.dtype.is_bool):
        raise InvalidArgumentError(f"{name}: beta must be one real number, got {beta!r}.")
    return float(x)


def _window_tensor(values: np.ndarray, dtype: dtypes.DType) -> Tensor:
    return constant_tensor(values.astype(dtype.numpy))


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """A Hann window.

    Args:
        window_length: the number of elements.
        periodic: whether a window of even length is one period of a periodic function, as spectra need. Otherwise it is symmetric.
        dtype: a float dtype.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (window_length,).

    Raises:
        TypeError: ``window_length`` is no integer.
        ValueError: another dtype, or ``window_length`` is no scalar.
        InvalidArgumentError: ``window_length`` is negative.
        ResourceExhaustedError: the window is larger than memory.
    """
    return _raised_cosine_window("hann_window", window_length, periodic, dtype, 0.5)


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """A Hamming window; arguments, result and errors as for ``hann_window``."""
    return _raised_cosine_window("hamming_window", window_length, periodic, dtype, 0.54)


def _raised_cosine_window(name: str, window_length: Any, periodic: Any, dtype: Any, offset: float) -> Tensor:
    length, dtype = _length_and_dtype(name, window_length, dtype)
    if length == 1:
        return _window_tensor(np.ones(1), dtype)
    is_even = length % 2 == 0
    period = length + (1 if periodic and is_even else 0) - 1
    return _window_tensor(offset - (1 - offset) * np.cos(2 * math.pi * numbers_below(length, name) / period), dtype)


def kaiser_window(window_length: Any, beta: Any = 12.0, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A Kaiser window with shape parameter ``beta``; other arguments, result and errors as for ``hann_window``."""
    length, dtype = _length_and_dtype("kaiser_window", window_length, dtype)
    number = _checked_beta("kaiser_window", beta)
    if length == 1:
        return _window_tensor(np.ones(1), dtype)
    half = (length - 1) / 2
    from scipy import special  # a slow import, which other windows do not need

    root = number * np.sqrt(np.maximum(1 - np.square((numbers_below(length, "kaiser_window") - half) / half), 0))
    return _window_tensor(np.exp(root - number) * special.i0e(root) / special.i0e(number), dtype)


def _mel_of_hertz(hertz: Any) -> np.ndarray:
    return np.asarray(_MEL_HIGH_Q * np.log1p(np.asarray(hertz, float) / _MEL_BREAK_HERTZ))


def _real_number(what: str, value: Any) -> float:
    if value is None or isinstance(value, (str, bytes)) or np.ndim(value):
        raise TypeError(f"{what} must be one number, got {value!r}.")
    return float(value)


def linear_to_mel_weight_matrix(
    num_mel_bins: Any = 20,
    num_spectrogram_bins: Any = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """The matrix that turns spectrograms into spectrograms of the mel scale.

    Args:
        num_mel_bins: the number of bands.
        num_spectrogram_bins: the number of frequencies, from 0 to half of the sample rate.
        sample_rate: samples a second.
        lower_edge_hertz, upper_edge_hertz: the ends of the lowest and the highest band.
        dtype: a float dtype.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (num_spectrogram_bins, num_mel_bins): triangles on the mel scale, as in HTK.

    Raises:
        TypeError: an argument is no number.
        ValueError: a number is not positive, or the edges are in the wrong order or above half of the sample rate.
    """
    label, dtype = "linear_to_mel_weight_matrix", dtypes.as_dtype(dtype)
    bands = scalar_integer(num_mel_bins, f"{label}: num_mel_bins")
    bins = scalar_integer(num_spectrogram_bins, f"{label}: num_spectrogram_bins")
    rate = _real_number(f"{label}: sample_rate", sample_rate)
    lower = _real_number(f"{label}: lower_edge_hertz", lower_edge_hertz)
    upper = _real_number(f"{label}: upper_edge_hertz", upper_edge_hertz)
    if bands <= 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {bands}")
    if lower < 0.0:
        raise ValueError(f"lower_edge_hertz must be non-negative. Got: {lower}")
    if lower >= upper:
        raise ValueError(f"lower_edge_hertz {lower} >= upper_edge_hertz {upper}")
    if rate <= 0.0:
        raise ValueError(f"sample_rate must be positive. Got: {rate}")
    if upper > rate / 2:
        raise ValueError(
            f"upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). Got {upper} for sample_rate: {rate}"
        )
    if not dtype.is_floating:
        raise ValueError(f"dtype must be a floating point type. Got: {dtype!r}")
    if bins <= 0:
        raise InvalidArgumentError(f"{label}: num_spectrogram_bins must be positive, got {bins}.")
    for count in (bins, bands):
        numbers_below(count, label)
    try:
        frequencies = _mel_of_hertz(np.linspace(0.0, rate / 2, bins)[1:])[:, None]
        edges = np.linspace(_mel_of_hertz(lower), _mel_of_hertz(upper), bands + 2)
        rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
        weights = np.pad(np.maximum(0.0, np.minimum(rising, falling)), [(1, 0), (0, 0)])
    except (MemoryError, ValueError) as error:
        raise size_error(label, error) or error from None
    return _window_tensor(weights, dtype)
