"""Fourier transforms and cosine transforms: fft, ifft, rfft, irfft in one to all dimensions, fftshift, dct, idct.

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
_NORMS = {"backward": (0.0, 1.0), "ortho": (0.5, 0.5), "forward": (1.0, 0.0)}
"""The powers of the number of elements by which a transform and its inverse are divided."""


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
    return _rfft_along(x, axes, _transform_lengths(name, x, axes, fft_length))


def _rfft_along(x: Tensor, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Tensor:
    if not x._array.size or 0 in lengths:
        shape = _resized_shape(x._array.shape, axes, _bin_lengths(lengths))
        return constant_tensor(np.zeros(shape, _COMPLEX_OF_REAL[x._array.dtype]))
    return _rfft(_resized(x, axes, lengths), axes=axes)


def _inverse_real_transform(name: str, input: Any, rank: int, fft_length: Any) -> Tensor:
    x = _checked_tensor(name, input, dtypes.complex64, COMPLEX_DTYPES)
    _check_rank(name, x, rank)
    axes = _last_axes(rank)
    return _irfft_along(x, axes, _inverse_lengths(name, x, axes, fft_length))


def _irfft_along(x: Tensor, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Tensor:
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


def _checked_nonempty_axes(name: str, x: Tensor, axes: Any) -> tuple[int, ...]:
    along = _checked_axes(name, x, axes)
    if not along:
        raise InvalidArgumentError(f"{name}: wants at least one axis, got axes {axes!r} of shape {x.shape}.")
    return along


def _normalize_transform(name: str, x: Tensor, lengths: tuple[int, ...], norm: str | None, is_inverse: bool) -> Tensor:
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"{name}: norm must be one of {sorted(_NORMS)}, got {norm!r}.")
    power = _NORMS[norm or "backward"][0]
    factor = float(math.prod(lengths)) ** (power if is_inverse else -power)
    return x if power == 0.0 else _scaled(x, factor)


def fftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete Fourier transform over any dimensions.

    Args:
        input_tensor: complex64 or complex128.
        fft_length: for each axis the length to which the input is cut, or padded with zeros. Default: the sizes of the input.
        axes: distinct axes. Default: all.
        norm: "backward" (default) divides the inverse transform by the number n of elements; "forward" divides the transform by n;
            "ortho" divides both by the square root of n.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: axes or lengths are no integers.
        ValueError: another dtype or ``norm``.
        InvalidArgumentError: an axis twice or out of range, more or fewer lengths than axes, or a negative one.
    """
    return _complex_transform_along("fftnd", _fft, input_tensor, fft_length, axes, norm, is_inverse=False)


def ifftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of ``fftnd``; arguments and errors as there."""
    return _complex_transform_along("ifftnd", _ifft, input_tensor, fft_length, axes, norm, is_inverse=True)


def _complex_transform_along(
    name: str, row: Operation, value: Any, fft_length: Any, axes: Any, norm: str | None, is_inverse: bool
) -> Tensor:
    x = _checked_tensor(name, value, dtypes.complex64, COMPLEX_DTYPES)
    along = _checked_axes(name, x, axes)
    lengths = _transform_lengths(name, x, along, fft_length)
    x = _normalize_transform(name, _resized(x, along, lengths), lengths, norm, is_inverse)
    return row(x, axes=along) if x._array.size and along else x


def rfftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete Fourier transform of real numbers over any dimensions; arguments and errors as in ``fftnd``, the dtype float32 or float64.

    Returns:
        Complex; the last of the axes has length // 2 + 1 elements. No axes are an InvalidArgumentError.
    """
    x = _checked_tensor("rfftnd", input_tensor, dtypes.float32, ops.KERNEL_FLOATS)
    along = _checked_nonempty_axes("rfftnd", x, axes)
    lengths = _transform_lengths("rfftnd", x, along, fft_length)
    return _rfft_along(_normalize_transform("rfftnd", x, lengths, norm, is_inverse=False), along, lengths)


def irfftnd(
    input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of ``rfftnd``: the last of the axes gets 2 (bins - 1) elements by default; arguments and errors as there."""
    x = _checked_tensor("irfftnd", input_tensor, dtypes.complex64, COMPLEX_DTYPES)
    along = _checked_nonempty_axes("irfftnd", x, axes)
    lengths = _inverse_lengths("irfftnd", x, along, fft_length)
    return _irfft_along(_normalize_transform("irfftnd", x, lengths, norm, is_inverse=True), along, lengths)


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


# ---- cosine transforms ---------------------------------------------------------------------------------------


def dct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete cosine transform of type I, II, III or IV over the last dimension.

    Args:
        input: float32 or float64, shape (..., samples).
        type: 1 to 4.
        n: the input is cut, or padded with zeros, to this length.
        axis: -1.
        norm: None, or "ortho" for an orthonormal transform, which type I does not have.
        name: kept for TensorFlow's signature.

    Raises:
        NotImplementedError: another axis.
        TypeError: another dtype, or a length that is no integer.
        ValueError: a scalar; another type, length or norm, or type I of one sample.
    """
    x = convert_to_tensor(input)
    _check_cosine_transform("dct", x, type, n, axis, norm)
    return _cosine_transform(x, type, n, norm)


def idct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The inverse of ``dct``; without ``norm`` times 2 n, or 2 (n - 1) for type I. Arguments and errors as for ``dct``."""
    x = convert_to_tensor(input)
    _check_cosine_transform("idct", x, type, n, axis, norm)
    return _cosine_transform(x, {1: 1, 2: 3, 3: 2, 4: 4}[type], n, norm)


def check_real_dtype(name: str, x: Tensor) -> None:
    """Raises TypeError unless a tensor is float32 or float64."""
    if x._array.dtype not in ops.KERNEL_FLOATS:
        raise TypeError(
            f"{name}: expected a tensor of float32 or float64, got {x.dtype.name}. Convert it with tf.cast."
        )


def _check_cosine_transform(name: str, x: Tensor, type: int, n: Any, axis: int, norm: str | None) -> None:
    if axis != -1:
        raise NotImplementedError(f"{name}: axis must be -1. Got: {axis}. Move the axis with tf.transpose.")
    check_real_dtype(name, x)
    _check_rank(name, x, 1)
    if n is not None and ops.as_python_int(n, f"{name}: n") < 1:
        raise ValueError(f"{name}: n should be a positive integer or None, got {n}.")
    if type not in (1, 2, 3, 4):
        raise ValueError(f"{name}: Types I, II, III and IV (I)DCT are supported, got {type}.")
    if type == 1 and norm == "ortho":
        raise ValueError(f"{name}: Normalization is not supported for the Type-I DCT.")
    if type == 1 and x._array.shape[-1] < 2:
        raise ValueError(f"{name}: Type-I DCT requires the dimension to be greater than one.")
    if norm not in (None, "ortho"):
        raise ValueError(f"{name}: Unknown normalization. Expected None or 'ortho', got: {norm}")


def _cosine_transform(x: Tensor, type: int, n: Any, norm: str | None) -> Tensor:
    if n is not None:
        x = _resized(x, (-1,), (ops.as_python_int(n, "dct: n"),))
    size, dtype = x._array.shape[-1], x._array.dtype
    if type == 1:
        return ops.real(rfft(ops.concat([x, x[..., -2:0:-1]], -1)))
    if type == 4:
        even = _cosine_transform(x, 2, 2 * size, None)[..., 1::2]
        return even if norm is None else _scaled(even, math.sqrt(0.5 / size))
    angles = np.arange(size) * (math.pi * 0.5 / size)
    factors = 2.0 * np.exp(1j * (angles if type == 3 else -angles))
    weights = np.full(size, float(size) if type == 3 else 1.0)
    if norm is not None:
        weights = np.full(size, math.sqrt(0.5 * size) if type == 3 else math.sqrt(0.5 / size))
        weights[0] = math.sqrt(size) if type == 3 else 0.5 / math.sqrt(size)
    spectrum_factors = constant_tensor((factors * weights).astype(_COMPLEX_OF_REAL[dtype]))
    if type == 2:
        return ops.real(rfft(x, [2 * size])[..., :size] * spectrum_factors)
    return irfft(ops.complex(x, constant_tensor(np.zeros((), dtype))) * spectrum_factors, [2 * size])[..., :size]
