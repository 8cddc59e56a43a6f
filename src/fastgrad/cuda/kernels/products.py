"""Matrix products in tiles of 32 rows and columns, by 128 threads, each with eight rows of a column in registers.

Tiles of 32 terms are in shared memory. The element of row r and term k is at 33 k + r of `left`, that of column c at 33 k + c of
`right`. So both directions of writes are free of bank conflicts. Sums are the chains of `kernels.gemm.gemm`, and have its bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread_index
from fastgrad.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.kernels.codegen.body import fused_multiply_add, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.isa import host_isa
from fastgrad.kernels.elementwise.half import WIDENING_KERNELS
from fastgrad.kernels.gemm import gemm, gemv, pairs, transpose
from fastgrad.kernels.gemm.gemm import chains_of
from fastgrad.kernels.movement.layout import contiguous, of_shape, transposed
from fastgrad.kernels.movement.strided import strided_copy_launch
from fastgrad.kernels.runtime.launch import Launch, Operand

FLOATS = ("float32", "float64")
TILE_SIDE = 32
"""The rows and columns of a tile, and the terms in shared memory at a time; bodies have it as a literal."""


@scalar_function
def add_tile_products(left, right, row, column, s0, s1, s2, s3, s4, s5, s6, s7):
    """Adds the products of 32 terms in shared memory to eight sums, of the rows `row`, `row` + 4, ... and a column."""
    for k in range(32):
        b = right[k * 33 + column]
        at = k * 33 + row
        s0 = fused_multiply_add(left[at], b, s0)
        s1 = fused_multiply_add(left[at + 4], b, s1)
        s2 = fused_multiply_add(left[at + 8], b, s2)
        s3 = fused_multiply_add(left[at + 12], b, s3)
        s4 = fused_multiply_add(left[at + 16], b, s4)
        s5 = fused_multiply_add(left[at + 20], b, s5)
        s6 = fused_multiply_add(left[at + 24], b, s6)
        s7 = fused_multiply_add(left[at + 28], b, s7)
    return s0, s1, s2, s3, s4, s5, s6, s7


@scalar_function
def select_sum(i, s0, s1, s2, s3, s4, s5, s6, s7):
    """Returns sum i of eight sums, which are separate variables and so stay in registers."""
    low = (s0 if i == 0 else s1) if i < 2 else (s2 if i == 2 else s3)
    high = (s4 if i == 4 else s5) if i < 6 else (s6 if i == 6 else s7)
    return low if i < 4 else high


@device_kernel(
    "a: in[T], b: in[T], c: out[T], m: int, n: int, k: int, a_row: int, a_k: int, b_k: int, b_column: int, a_batch: int, "
    "b_batch: int, apart: int, first: int, last: int",
    threads=128,
    exact=True,
    T=FLOATS,
)
def product(a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, apart, first, last):
    """C = A B for a batch of matrices; parameters are as of `kernels.gemm.gemm`. A unit is a tile of a matrix C."""
    left = shared_array(T, 1056)
    right = shared_array(T, 1056)
    bands, panels, chains = (m + 31) // 32, (n + 31) // 32, chains_of(k)
    lane, row = thread_index() % 32, thread_index() // 32
    for unit in range(first, last):
        matrix = unit // (bands * panels)
        band = unit // panels - matrix * bands
        top, column = band * 32 + row, unit % panels * 32 + lane
        batch, first_chain, end_chain = matrix, 0, chains
        if apart != 0:
            batch, first_chain, end_chain = 0, matrix, matrix + 1
        for chain in range(first_chain, end_chain):
            s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
            end = k * (chain + 1) // chains
            for term in range(k * chain // chains, end, 32):
                for i in range(0, 32, 4):
                    a_at = batch * a_batch + (top + i) * a_row + (term + lane) * a_k
                    left[lane * 33 + row + i] = a[a_at] if top + i < m and term + lane < end else T(0)
                    b_at = batch * b_batch + (term + row + i) * b_k + column * b_column
                    right[(row + i) * 33 + lane] = b[b_at] if column < n and term + row + i < end else T(0)
                synchronize()
                s0, s1, s2, s3, s4, s5, s6, s7 = add_tile_products(
                    left, right, row, lane, s0, s1, s2, s3, s4, s5, s6, s7
                )
                synchronize()
            for i in range(8):
                if top + 4 * i < m and column < n:
                    at = (matrix * m + top + 4 * i) * n + column
                    total = select_sum(i, s0, s1, s2, s3, s4, s5, s6, s7)
                    c[at] = total if chain == first_chain else c[at] + total


@kernel("x: in[T], y: out[T], parts: int, size: int, first: int, last: int", noalias=True, T=FLOATS)
def add_parts(x, y, parts, size, first, last):
    """The sum `y` of `parts` consecutive arrays of `size` elements in x."""
    for i in range(first, last):
        total = x[i]
        for part in range(1, parts):
            total += x[part * size + i]
        y[i] = total


def _product_launch(
    dtypes: Mapping[str, str], arrays: Sequence[Operand], matrices: int, numbers: Sequence[int], apart: int = 0
) -> Launch:
    """Returns the launch of a product of `matrices` pairs; `numbers` are m, n, k and the strides."""
    m, n, *_ = numbers
    units = matrices * -(-m // TILE_SIDE) * -(-n // TILE_SIDE)
    return device_launch(product, dtypes, (*arrays, *numbers, apart), units)


def _gemm_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the GPU launches that replace a launch of `gemm`."""
    operands: Any = launch.operands
    m, n, *_ = operands[3:12]
    unit, together, _, apart, _, panel, *_ = operands[12:]
    panels = -(-n // panel)
    matrices = launch.units // (-(-panels // together) * -(-m // unit))  # of a batch, or chains
    return [
        _product_launch(dtypes, operands[:3], matrices, operands[3:12], apart),
        *_epilogue_launches(launch),
    ]


def _add_chains_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the GPU launches that replace a launch of `add_chains`, which adds the partial products of chains."""
    operands: Any = launch.operands
    x, y, chains, size, *_ = operands
    return [device_launch(_add_parts, dtypes, (x, y, chains, size), size), *_epilogue_launches(launch)]


def _pairs_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gemm_pairs`: the product of float32 copies."""
    operands: Any = launch.operands
    a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit, together, most, *step = operands
    panel = host_isa().panel_bytes // 4
    panels = -(-n // panel)
    batches = launch.units // (-(-panels // together) * -(-m // unit))
    sizes = (batches if a_batch else 1) * m * k, (batches if b_batch else 1) * k * n
    launches = widening_launches(memory, (a, sizes[0]), (b, sizes[1]))
    wide = [launch.operands[1] for launch in launches]
    numbers = m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit, together, most, 0, 0, panel, *step
    return [*launches, Launch(gemm.gemm["float32"], (*wide, c, *numbers), launch.units)]


def widening_launches(memory: ScratchMemory, *arrays_and_sizes: tuple[Operand, int]) -> list[Launch]:
    """Returns launches that copy bfloat16 arrays to float32 scratch arrays, which are the launches' second operands."""
    return [
        Launch(WIDENING_KERNELS["bfloat16"][()], (x, memory.add(np.float32, size)), size)
        for x, size in arrays_and_sizes
    ]


def _gemv_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gemv`: the product of a matrix of one row."""
    operands: Any = launch.operands
    a, b, c, n, k, b_k, b_column, *_ = operands
    numbers = (1, n, k, k, 1, b_k, b_column, 0, 0)
    return [_product_launch(dtypes, (a, b, c), 1, numbers), *_epilogue_launches(launch)]


def _transpose_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `transpose_matrix`: a strided copy."""
    operands: Any = launch.operands
    x, y, rows, columns = operands
    source = transposed(of_shape((columns, rows)), (columns, rows), (1, 0))
    assert source is not None
    copy = strided_copy_launch(x, y, np.dtype(dtypes["T"]), source, contiguous(rows * columns))
    assert copy is not None
    return [copy]


def _epilogue_launches(launch: Launch) -> list[Launch]:
    """Returns the epilogue launches among a product's operands, which a GPU runs on all rows."""
    return [operand for operand in launch.operands if isinstance(operand, Launch)]


_add_parts = device_kernel_of(add_parts)

REPLACEMENTS: dict[Any, Replacement] = {
    gemm.gemm.function: _gemm_replacement,
    gemm.add_chains.function: _add_chains_replacement,
    gemv.gemv.function: _gemv_replacement,
    pairs.gemm_pairs.function: _pairs_replacement,
    transpose.transpose_matrix.function: _transpose_replacement,
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
