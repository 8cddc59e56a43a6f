"""Fourier transforms: fft, ifft, rfft, irfft in one to all dimensions, fftshift.

The formulas are those of ``tf.signal``. NumPy computes the transforms of single and double precision, SciPy those of large arrays. A transform along some
axes is one of four rows, whose gradients are made of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import COMPLEX_DTYPES, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.ops import namespace as ops

LEAST_ELEMENTS_FOR_SCIPY = 1 << 15
"""The number of elements from which transforms run on all threads."""
_REAL_OF_COMPLEX: dict[np.dtype, np.dtype] = {
    np.dtype(np.complex64): np.dtype(np.float32),
    np.dtype(np.complex128): np.dtype(np.float64),
}
_COMPLEX_OF_REAL = {value: key for key, value in _REAL_OF_COMPLEX.items()}
_NORMS = {"backward": 0.0, "ortho": 0.5, "forward": 1.0}
"""The powers of the number of elements by which a transform is divided."""


# ---- the rows: each has its axes, counted from the last, and the length of the transform along each ---------


def _resized_shape(shape: Sequence[int], axes: Sequence[int], lengths: Sequence[int]) -> tuple[int, ...]:
    sizes = list(shape)
    for axis, length in zip(axes, lengths, strict=True):
        sizes[axis] = length
    return tuple(sizes)


def _bin_lengths(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the lengths along the axes of the spectrum of real numbers: half of the last axis is redundant."""
    return (*lengths[:-1], lengths[-1] // 2 + 1)


def _resized(x: Tensor, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Tensor:
    """Returns ``x`` cut to lengths along axes, or padded with zeros at the ends."""
    shape = x._array.shape
    kept = _resized_shape(shape, axes, [min(shape[axis], length) for axis, length in zip(axes, lengths, strict=True)])
    if kept != shape:
        x = x[tuple([slice(0, size) for size in kept])]
    wanted = _resized_shape(shape, axes, lengths)
    if wanted != kept:
        x = ops.pad(x, [(0, size - before) for size, before in zip(wanted, kept, strict=True)])
    return x


def _axis_lengths(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([x._array.shape[axis] for axis in axes])


def _contiguous_of_dtype(array: np.ndarray, dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(array, dtype)


def _fft_module(x: np.ndarray) -> tuple[Any, dict[str, int]]:
    """Returns the module that transforms ``x``, and its options: SciPy's for large arrays, which runs on all threads.

    Each line of an array has the same bits on any number of threads.
    """
    if x.size < LEAST_ELEMENTS_FOR_SCIPY:
        return np.fft, {}
    import scipy.fft

    return scipy.fft, {"workers": compute_pool.threads}


def _run_fft(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    transforms, options = _fft_module(x)
    return _contiguous_of_dtype(transforms.fftn(x, axes=axes, **options), x.dtype)


def _run_ifft(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    transforms, options = _fft_module(x)
    return _contiguous_of_dtype(transforms.ifftn(x, axes=axes, **options), x.dtype)


def _run_rfft(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    transforms, options = _fft_module(x)
    return _contiguous_of_dtype(transforms.rfftn(x, axes=axes, **options), _COMPLEX_OF_REAL[x.dtype])


def _run_irfft(x: np.ndarray, axes: tuple[int, ...], length: int) -> np.ndarray:
    lengths = (*[x.shape[axis] for axis in axes[:-1]], length)
    transforms, options = _fft_module(x)
    return _contiguous_of_dtype(transforms.irfftn(x, lengths, axes, **options), _REAL_OF_COMPLEX[x.dtype])


def _scaled(x: Tensor, factor: float) -> Tensor:
    return ops.multiply(x, constant_tensor(np.asarray(factor, x._array.dtype)))


def _element_count(x: Tensor, axes: tuple[int, ...]) -> int:
    return math.prod(_axis_lengths(x, axes))


def _rfft_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    # The result is the first part of the transform of a complex number; the other part has no cotangent.
    whole = _resized(g, axes[-1:], _axis_lengths(x, axes[-1:]))
    return _scaled(ops.real(_ifft(whole, axes=axes)), _element_count(x, axes))


def _irfft_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], length: int) -> Tensor:
    # Each bin stands for itself and for its conjugate, but the first, and for even lengths the last.
    weights = np.full(length // 2 + 1, 2.0)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    weights = weights.reshape(-1, *[1] * (-axes[-1] - 1)) / _element_count(g, axes)
    return ops.multiply(_rfft(g, axes=axes), constant_tensor(weights.astype(x._array.dtype)))


def _transform(name: str, run: Any, gradient: Any, dtypes: Any, result: Any) -> Operation:
    return operation(
        name,
        Form.EXTERN,
        run=run,
        gradient=gradient,
        dtypes=dtypes,
        batched=ops.leading_axes_rule,
        in_python="NumPy computes it",
        result=result,
    )


_fft: Operation = _transform(
    "fft",
    _run_fft,
    lambda g, y, x, axes: _scaled(_ifft(g, axes=axes), _element_count(g, axes)),
    COMPLEX_DTYPES,
    lambda x, axes: x,
)
_ifft: Operation = _transform(
    "ifft",
    _run_ifft,
    lambda g, y, x, axes: _scaled(_fft(g, axes=axes), 1.0 / _element_count(g, axes)),
    COMPLEX_DTYPES,
    lambda x, axes: x,
)
_rfft: Operation = _transform(
    "rfft",
    _run_rfft,
    _rfft_gradient,
    ops.KERNEL_FLOATS,
    lambda x, axes: ArraySpec(
        _resized_shape(x.shape, axes[-1:], [x.shape[axes[-1]] // 2 + 1]), _COMPLEX_OF_REAL[x.dtype]
    ),
)
_irfft: Operation = _transform(
    "irfft",
    _run_irfft,
    _irfft_gradient,
    COMPLEX_DTYPES,
    lambda x, axes, length: ArraySpec(_resized_shape(x.shape, axes[-1:], [length]), _REAL_OF_COMPLEX[x.dtype]),
)


# ---- public functions ------------------------------------------------------------------------------------


def _checked_tensor(
    name: str, value: Any, hint: dtypes.DType, accepted: Any, error: type[Exception] = ValueError
) -> Tensor:
    x = convert_to_tensor(value, dtype_hint=hint)
    if x._array.dtype not in accepted:
        kinds = " or ".join(sorted(str(dtype) for dtype in accepted))
        raise error(f"{name}: expected a tensor of {kinds}, got {x.dtype.name}. Convert it with tf.cast.")
    return x


def _check_rank(name: str, x: Tensor, rank: int, error: type[Exception] = ValueError) -> None:
    if x._array.ndim < rank:
        raise error(f"{name}: Shape {x.shape} must have rank at least {rank}.")


def _checked_fft_lengths(name: str, fft_length: Any, count: int) -> tuple[int, ...]:
    values = convert_to_tensor(fft_length)._elements()
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise TypeError(f"{name}: fft_length must be a vector of integers, got {fft_length!r}.")
    if values.shape != (count,):
        raise InvalidArgumentError(f"{name}: fft_length must have shape [{count}], got {fft_length!r}.")
    if any(values < 0):
        raise InvalidArgumentError(f"{name}: fft_length must be >= 0, got {values.tolist()}.")
    return tuple(map(int, values))


def _last_axes(rank: int) -> tuple[int, ...]:
    return tuple(range(-rank, 0))


def _complex_transform(row: Operation, name: str, input: Any, rank: int) -> Tensor:
    x = _checked_tensor(name, input, dtypes.complex64, COMPLEX_DTYPES, InvalidArgumentError)
    _check_rank(name, x, rank, InvalidArgumentError)
    return x if not x._array.size else row(x, axes=_last_axes(rank))


def fft(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last dimension.

    Args:
        input: complex64 or complex128, shape (..., n).
        name: kept for TensorFlow's signature.

    Returns:
        The dtype and shape of ``input``.

    Raises:
        InvalidArgumentError: another dtype, or a scalar.
    """
    return _complex_transform(_fft, "fft", input, 1)


def fft2d(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last two dimensions; otherwise as ``fft``."""
    return _complex_transform(_fft, "fft2d", input, 2)


def fft3d(input: Any, name: str | None = None) -> Tensor:
    """The discrete Fourier transform over the last three dimensions; otherwise as ``fft``."""
    return _complex_transform(_fft, "fft3d", input, 3)


def ifft(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``fft``; arguments, result and errors as there."""
    return _complex_transform(_ifft, "ifft", input, 1)


def ifft2d(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``fft2d``; arguments, result and errors as there."""
    return _complex_transform(_ifft, "ifft2d", input, 2)


def ifft3d(input: Any, name: str | None = None) -> Tensor:
    """The inverse of ``fft3d``; arguments, result and errors as there."""
    return _complex_transform(_ifft, "ifft3d", input, 3)


def _transform_lengths(name: str, x: Tensor, axes: tuple[int, ...], fft_length: Any) -> tuple[int, ...]:
    """Returns the lengths of a transform along axes: the given ones, or those of ``x``."""
    return _axis_lengths(x, axes) if fft_length is None else _checked_fft_lengths(name, fft_length, len(axes))


def _inverse_lengths(name: str, x: Tensor, axes: tuple[int, ...], fft_length: Any) -> tuple[int, ...]:
    """Returns the lengths along axes of the real numbers with the spectrum ``x``: the given ones, or even ones."""
    if fft_length is not None:
        return _checked_fft_lengths(name, fft_length, len(axes))
    *sizes, bins = _axis_lengths(x, axes)
    return (*sizes, max(0, 2 * (bins - 1)))


def _real_transform(name: str, input: Any, rank: int, fft_length: Any) -> Tensor:
    x = _checked_tensor(name, input, dtypes.float32, ops.KERNEL_FLOATS)
    _check_rank(name, x, rank)
    axes = _last_axes(rank)
    lengths = _transform_lengths(name, x, axes, fft_length)
    if not x._array.size or 0 in lengths:
        shape = _resized_shape(x._array.shape, axes, _bin_lengths(lengths))
        return constant_tensor(np.zeros(shape, _COMPLEX_OF_REAL[x._array.dtype]))
    return _rfft(_resized(x, axes, lengths), axes=axes)


def _inverse_real_transform(name: str, input: Any, rank: int, fft_length: Any) -> Tensor:
    x = _checked_tensor(name, input, dtypes.complex64, COMPLEX_DTYPES)
    _check_rank(name, x, rank)
    axes = _last_axes(rank)
    lengths = _inverse_lengths(name, x, axes, fft_length)
    if not x._array.size or 0 in lengths:
        shape = _resized_shape(x._array.shape, axes, lengths)
        return constant_tensor(np.zeros(shape, _REAL_OF_COMPLEX[x._array.dtype]))
    return _irfft(_resized(x, axes, _bin_lengths(lengths)), axes=axes, length=lengths[-1])


def rfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The discrete Fourier transform of real numbers over the last dimension.

    Args:
        input_tensor: float32 or float64, shape (..., n).
        fft_length: shape (1,): the input is cut, or padded with zeros, to this length. By default n.
        name: kept for TensorFlow's signature.

    Returns:
        Complex, shape (..., length // 2 + 1); the other frequencies would be complex conjugates of these.

    Raises:
        TypeError: ``fft_length`` is no vector of integers.
        ValueError: another dtype, or a scalar.
        InvalidArgumentError: ``fft_length`` has another size, or a negative number.
    """
    return _real_transform("rfft", input_tensor, 1, fft_length)


def rfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The discrete Fourier transform of real numbers over the last two dimensions; otherwise as ``rfft``, with two lengths."""
    return _real_transform("rfft2d", input_tensor, 2, fft_length)


def rfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The discrete Fourier transform of real numbers over the last three dimensions; otherwise as ``rfft``, with three lengths."""
    return _real_transform("rfft3d", input_tensor, 3, fft_length)


def irfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``rfft``.

    Args:
        input_tensor: complex64 or complex128, shape (..., bins).
        fft_length: shape (1,): the length of the result. By default 2 (bins - 1).
        name: kept for TensorFlow's signature.

    Returns:
        Real, shape (..., length).

    Raises:
        TypeError, ValueError, InvalidArgumentError: as ``rfft``.
    """
    return _inverse_real_transform("irfft", input_tensor, 1, fft_length)


def irfft2d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``rfft2d``; otherwise as ``irfft``, with two lengths."""
    return _inverse_real_transform("irfft2d", input_tensor, 2, fft_length)


def irfft3d(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``rfft3d``; otherwise as ``irfft``, with three lengths."""
    return _inverse_real_transform("irfft3d", input_tensor, 3, fft_length)


def _checked_axes(name: str, x: Tensor, axes: Any) -> tuple[int, ...]:
    rank = x._array.ndim
    if axes is None:
        return _last_axes(rank)
    numbers = [ops.as_python_int(axis, f"{name}: axes") for axis in np.atleast_1d(np.asarray(axes)).tolist()]
    if any(not -rank <= axis < rank for axis in numbers) or len({axis % rank for axis in numbers}) != len(numbers):
        raise InvalidArgumentError(f"{name}: axes must be different numbers in [{-rank}, {rank}), got {axes!r}.")
    return tuple([axis % rank - rank for axis in numbers])


def fftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete Fourier transform over any dimensions.

    Args:
        input_tensor: complex64 or complex128.
        fft_length: for each axis the length to which the input is cut, or padded with zeros. Default: the sizes of the input.
        axes: distinct axes. Default: all.
        norm: "forward" divides the transform by the number of elements, "ortho" by its square root, "backward" (default) by nothing.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: axes or lengths are no integers.
        ValueError: another dtype or ``norm``.
        InvalidArgumentError: an axis twice or out of range, more or fewer lengths than axes, or a negative one.
    """
    x = _checked_tensor("fftnd", input_tensor, dtypes.complex64, COMPLEX_DTYPES)
    along = _checked_axes("fftnd", x, axes)
    lengths = _transform_lengths("fftnd", x, along, fft_length)
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"fftnd: norm must be one of {sorted(_NORMS)}, got {norm!r}.")
    power = _NORMS[norm or "backward"]
    x = _resized(x, along, lengths)
    x = x if power == 0.0 else _scaled(x, float(math.prod(lengths)) ** -power)
    return _fft(x, axes=along) if x._array.size and along else x


def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """Moves the zero frequency to the middle.

    Args:
        x: any dtype.
        axes: a number or several. By default all.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: an axis is no integer.
        InvalidArgumentError: an axis that ``x`` does not have.
    """
    return _shifted("fftshift", x, axes, 1)


def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The inverse of ``fftshift``; arguments and errors as there."""
    return _shifted("ifftshift", x, axes, -1)


def _shifted(name: str, value: Any, axes: Any, sign: int) -> Tensor:
    x = convert_to_tensor(value)
    rank = x._array.ndim
    numbers = range(rank) if axes is None else np.atleast_1d(np.asarray(axes)).tolist()
    along = [ops.nonnegative_axis(axis, rank, name) for axis in numbers]
    return ops.roll(x, [sign * (x._array.shape[axis] // 2) for axis in along], along)
