"""Matrix products in eager mode.

Up to `MOST_DIRECT_MULTIPLY_ADDS` multiplications, a native function reads shapes and strides from the arrays and calls
the kernel as a step. Products that are larger, or laid out in another way, run as the launches of a program, on the
thread pool if that pays. A BLAS would have its own threads, which stall when another process has a core. NumPy does the
products that the kernel does not support.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy import int8, int32, int64

from fastgrad._src.jit.body import call_step, pointer, scalar_function
from fastgrad._src.jit.bounds import NO_BOUND
from fastgrad._src.jit.build import kernel, step_address
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.jit.wrapper import (
    BYTEORDER_AT,
    DATA_AT,
    DESCR_AT,
    FLAGS_AT,
    NDIM_AT,
    SHAPE_AT,
    STRIDES_AT,
    SWAPPED_BYTEORDER,
    TYPE_AT,
    TYPE_NUMBER_AT,
)
from fastgrad._src.kernels.elementwise.half import BFLOAT16, ArraySpec
from fastgrad._src.kernels.gemm.config import gemm_config_of, gemm_pairs_config_of
from fastgrad._src.kernels.gemm.gemm import gemm
from fastgrad._src.kernels.gemm.layout import MOST_ROWS_TOGETHER, SECOND_CACHE_BYTES
from fastgrad._src.kernels.gemm.pairs import gemm_pairs
from fastgrad._src.kernels.gemm.steps import NO_ROW_EPILOGUE, product_launches
from fastgrad._src.kernels.runtime.eager_launch import run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Launches, Spec

MOST_DIRECT_MULTIPLY_ADDS = 1 << 21
MOST_MATRIX_ELEMENTS_WITH_VECTOR = 1 << 13  # elements of the matrix, where the other operand is a vector
MOST_KEPT_CALLS = 4096
NDARRAY_ALIGNED_FLAG = 0x100
FLOAT32, FLOAT64 = np.dtype(np.float32).num, np.dtype(np.float64).num

# Words of the native function's memory: those of the kernel, and the function's own data.
A, B, C, M, N, K, A_ROW, A_K, B_K, B_COLUMN = range(10)
UNIT, TOGETHER, MOST, PANEL_COLUMNS = 12, 13, 14, 17
SIZES, KERNEL_WORDS, PANEL_BYTES, WIDE_PANEL_BYTES, ARRAY_TYPE, WORDS = 21, 24, 26, 27, 28, 29

DONE, UNSUPPORTED, NO_KERNEL = range(3)


@scalar_function
def matrix_dtype_number(array, array_type):
    """Returns the number of an object's dtype if it is an aligned matrix in native byte order, else -1."""
    if pointer(int64, array + TYPE_AT)[0] != array_type or pointer(int32, array + NDIM_AT)[0] != 2:
        return -1
    if pointer(int32, array + FLAGS_AT)[0] & NDARRAY_ALIGNED_FLAG == 0:
        return -1
    descr = pointer(int64, array + DESCR_AT)[0]
    if pointer(int8, descr + BYTEORDER_AT)[0] == SWAPPED_BYTEORDER:
        return -1
    return int64(pointer(int32, descr + TYPE_NUMBER_AT)[0])


@scalar_function
def size_at(array, axis):
    """Returns the size of an array along an axis."""
    return pointer(int64, pointer(int64, array + SHAPE_AT)[0])[axis]


@scalar_function
def stride_at(array, axis, itemsize):
    """Returns the stride of an array along an axis, in elements; 1 if the size is 1."""
    if size_at(array, axis) == 1:
        return 1
    return pointer(int64, pointer(int64, array + STRIDES_AT)[0])[axis] // itemsize


@kernel("arrays: objects, gemm_words: inout[int64], transpose_a: int, transpose_b: int -> int")
def multiply_matrices(arrays, gemm_words, transpose_a, transpose_b):
    """c = op(a) op(b) for the arrays a, b, c of a tuple; c is contiguous and has the right shape and dtype.

    Returns `DONE`, `UNSUPPORTED` if the product is not supported (nothing is done), `NO_KERNEL` if the kernel's address is
    missing.
    """
    a, b, c = arrays[0], arrays[1], arrays[2]
    dtype = matrix_dtype_number(a, gemm_words[ARRAY_TYPE])
    dtype_of_b = matrix_dtype_number(b, gemm_words[ARRAY_TYPE])
    if (dtype != FLOAT32 and dtype != FLOAT64) or dtype_of_b != dtype:  # noqa: PLR1714 - a body has no tuples
        return UNSUPPORTED
    itemsize = 4 if dtype == FLOAT32 else 8
    m, n = size_at(c, 0), size_at(c, 1)
    a_row, a_k = stride_at(a, transpose_a, itemsize), stride_at(a, 1 - transpose_a, itemsize)
    b_k, b_column = stride_at(b, transpose_b, itemsize), stride_at(b, 1 - transpose_b, itemsize)
    k = size_at(b, transpose_b)
    if n == 1:  # a product with a column is a product of a row with the transpose
        a, b, m, n = b, a, n, m
        a_row, a_k, b_k, b_column = b_column, b_k, a_k, a_row
    work = m * n * k
    if (
        work == 0
        or work > (MOST_MATRIX_ELEMENTS_WITH_VECTOR if m == 1 else MOST_DIRECT_MULTIPLY_ADDS)
        or (b_k != 1 and b_column != 1)
    ):
        return UNSUPPORTED
    step = gemm_words[KERNEL_WORDS + (0 if dtype == FLOAT32 else 1)]
    if step == 0:
        return NO_KERNEL
    gemm_words[A], gemm_words[B], gemm_words[C] = (
        pointer(int64, a + DATA_AT)[0],
        pointer(int64, b + DATA_AT)[0],
        pointer(int64, c + DATA_AT)[0],
    )
    gemm_words[M], gemm_words[N], gemm_words[K] = m, n, k
    gemm_words[A_ROW], gemm_words[A_K], gemm_words[B_K], gemm_words[B_COLUMN] = a_row, a_k, b_k, b_column
    panel_bytes = gemm_words[PANEL_BYTES] if n * itemsize <= gemm_words[PANEL_BYTES] else gemm_words[WIDE_PANEL_BYTES]
    gemm_words[PANEL_COLUMNS] = panel_bytes // itemsize
    units = (n * itemsize + panel_bytes - 1) // panel_bytes
    gemm_words[UNIT], gemm_words[TOGETHER], gemm_words[MOST] = m, 1, 1
    if b_column == 1 and units > 1 and k * n * itemsize <= SECOND_CACHE_BYTES:
        gemm_words[UNIT], gemm_words[TOGETHER] = MOST_ROWS_TOGETHER, units
        units = (m + MOST_ROWS_TOGETHER - 1) // MOST_ROWS_TOGETHER
    call_step(step, gemm_words[WORDS], 0, units)
    return DONE


class _NativeProduct:
    """The native function `multiply_matrices`, loaded at its first call, and its words, which the GIL guards."""

    def __init__(self) -> None:
        self.words = np.zeros(WORDS + 1, np.int64)
        self.words[SIZES:KERNEL_WORDS] = NO_BOUND  # of the three matrices, for checked builds
        self.multiply: Any = self._load

    def _load(self, *args: Any) -> int:
        machine, words = host_isa(), self.words
        words[PANEL_BYTES], words[WIDE_PANEL_BYTES] = machine.panel_bytes, machine.wide_panel_bytes
        words[ARRAY_TYPE], words[WORDS] = id(np.ndarray), words.ctypes.data
        self.multiply = multiply_matrices[()] if machine.fused else _unsupported_multiply
        status: int = self.multiply(*args)
        return status


def _unsupported_multiply(*args: Any) -> int:
    """Replaces the native function on a machine without fused multiply-adds, where the kernel is slow."""
    return UNSUPPORTED


_native_product = _NativeProduct()


def product(a: np.ndarray, b: np.ndarray, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray | None:
    """Returns the product of two matching matrices; None if NumPy should compute it.

    Args:
        a, b: shapes (m, k) and (k, n), or with swapped axes if they are transposed.
        transpose_a, transpose_b: whether a and b are transposed.
    """
    c = np.empty((a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1]), a.dtype)
    status = _native_product.multiply((a, b, c), _native_product.words, transpose_a, transpose_b)
    if status == DONE:
        return c
    if status == NO_KERNEL:
        _native_product.words[KERNEL_WORDS + (a.itemsize == 8)] = step_address(gemm[a.dtype])
        return product(a, b, transpose_a, transpose_b)
    return _product_by_launches(a, b, transpose_a, transpose_b)


def runs_gemm(a: Spec, b: Spec, transpose_a: bool, transpose_b: bool) -> bool:
    """True if `product`, or `batch_product`, runs `gemm` for matching matrices, with the bits of `product_launches`."""
    if a.dtype not in gemm.variables["T"] or not host_isa().fused:
        return False
    config = gemm_config_of(a.dtype.itemsize, tuple(a.shape), tuple(b.shape), transpose_a, transpose_b)
    return config is not None and config.m > 1  # programs have another kernel for a row


class _SmallProductCall(NamedTuple):
    """A kernel call that computes the product of matrices of known shapes: the kernel, and its numbers."""

    kernel: Any
    swapped: bool
    shape: tuple[int, ...]
    numbers: tuple[int, ...]


class _LargeProductCall(NamedTuple):
    """A large product of arrays of known shapes, for the thread pool."""

    shape: tuple[int, ...]
    launches: Launches


def batch_product(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> np.ndarray | None:
    """Returns the products of a batch of matching matrices; None if NumPy should compute them.

    Args:
        a, b: shapes (..., m, k) and (..., k, n), or with the last two swapped if they are transposed; the leading ones
            broadcast.
        transpose_a, transpose_b: whether a and b are transposed.
    """
    call = _small_product_call(a.dtype, a.shape, b.shape, transpose_a, transpose_b)
    if call is None or b.dtype != a.dtype or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return _product_by_launches(a, b, transpose_a, transpose_b)
    c = np.empty(call.shape, a.dtype)
    call.kernel(*((b, a) if call.swapped else (a, b)), c, *call.numbers)
    return c


@functools.lru_cache(maxsize=MOST_KEPT_CALLS)
def _small_product_call(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> _SmallProductCall | None:
    if dtype not in gemm.variables["T"] or not host_isa().fused:
        return None
    config = gemm_config_of(dtype.itemsize, a, b, transpose_a, transpose_b)
    if config is None:
        return None
    work = config.m * config.n * config.k
    if (
        work > (MOST_MATRIX_ELEMENTS_WITH_VECTOR if config.m == 1 else MOST_DIRECT_MULTIPLY_ADDS)
        or work * config.batches > MOST_DIRECT_MULTIPLY_ADDS
    ):
        return None
    return _SmallProductCall(
        gemm[dtype], config.swapped, config.shape, (*config.gemm_args, *NO_ROW_EPILOGUE, 0, config.units)
    )


def _product_by_launches(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> np.ndarray | None:
    """Returns a large product; copies operands that are not contiguous; None if NumPy should compute it."""
    x, transpose_x = _contiguous_view(a, transpose_a)
    y, transpose_y = _contiguous_view(b, transpose_b)
    if y.dtype != x.dtype:
        return None
    call = _large_product_call(x.dtype, x.shape, y.shape, transpose_x, transpose_y)
    if call is None:
        return None
    c = np.empty(call.shape, x.dtype)
    run_on_thread_pool(call.launches, (_contiguous(x), _contiguous(y)), (c,))
    return c


def product_of_bfloat16(a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> np.ndarray | None:
    """Returns products of matching bfloat16 matrices in float32; None if `gemm_pairs` does not support them.

    Args:
        a, b, transpose_a, transpose_b: as for `batch_product`.
    """
    if not (a.dtype == b.dtype == BFLOAT16):
        return None
    x, transpose_x = _contiguous_view(a, transpose_a)
    y, transpose_y = _contiguous_view(b, transpose_b)
    call = _pair_product_call(x.shape, y.shape, transpose_x, transpose_y)
    if call is None:
        return None
    x, y, c = _contiguous(x), _contiguous(y), np.empty(call.shape, np.float32)
    if isinstance(call, _LargeProductCall):
        run_on_thread_pool(call.launches, (x, y), (c,))
    else:
        call.kernel(*[one.view(np.uint16) for one in ((y, x) if call.swapped else (x, y))], c, *call.numbers)
    return c


@functools.lru_cache(maxsize=512)
def _pair_product_call(
    a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> _SmallProductCall | _LargeProductCall | None:
    config = gemm_pairs_config_of(a, b, transpose_a, transpose_b)
    if config is None:
        return None
    if config.m * config.n * config.k * config.batches > MOST_DIRECT_MULTIPLY_ADDS:
        launches = product_launches((ArraySpec(a, BFLOAT16), ArraySpec(b, BFLOAT16)), transpose_a, transpose_b)
        return _LargeProductCall(config.shape, launches)
    return _SmallProductCall(
        gemm_pairs[()], config.swapped, config.shape, (*config.gemm_pairs_args, *NO_ROW_EPILOGUE, 0, config.units)
    )


def _contiguous_view(x: np.ndarray, transposed: bool) -> tuple[np.ndarray, bool]:
    """Returns a contiguous view of x, with swapped axes if needed, and whether the view must be transposed."""
    if x.flags.c_contiguous:
        return x, transposed
    turned = x.swapaxes(-1, -2)
    return (turned, not transposed) if turned.flags.c_contiguous else (x, transposed)


def _contiguous(x: np.ndarray) -> np.ndarray:
    return x if x.flags.c_contiguous and x.flags.aligned else np.require(x, None, ["C", "A"])


@functools.lru_cache(maxsize=512)
def _large_product_call(
    dtype: np.dtype, a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool
) -> _LargeProductCall | None:
    """Returns the launches of a large matrix product; None for a smaller or unsupported product."""
    if dtype not in gemm.variables["T"] or not host_isa().fused:
        return None
    config = gemm_config_of(dtype.itemsize, a, b, transpose_a, transpose_b)
    if config is None or config.m == 1 or config.m * config.n * config.k * config.batches <= MOST_DIRECT_MULTIPLY_ADDS:
        return None
    launches = product_launches((ArraySpec(a, dtype), ArraySpec(b, dtype)), transpose_a, transpose_b)
    return _LargeProductCall(config.shape, launches)
