"""Matrix products, a thread for each element of the result. Sums are the chains of `kernels.gemm.gemm`, and have its bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad._src.cuda.codegen.kernel import device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad._src.jit.body import fused_multiply_add
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.convolution.patches import SUM_DTYPES
from fastgrad._src.kernels.elementwise.half import WIDENING_KERNELS
from fastgrad._src.kernels.gemm import gemm, gemv, pairs, transpose
from fastgrad._src.kernels.gemm.gemm import chains_of
from fastgrad._src.kernels.movement.layout import contiguous, of_shape, transposed
from fastgrad._src.kernels.movement.strided import strided_copy_launch
from fastgrad._src.kernels.runtime.launch import Launch, Operand

FLOATS = ("float32", "float64")


@kernel(
    "a: in[T], b: in[T], c: out[T], m: int, n: int, k: int, a_row: int, a_k: int, b_k: int, b_column: int, a_batch: int, "
    "b_batch: int, split_chains: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def batched_gemm(a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, split_chains, first, last):
    """C = A B for a batch of matrices; parameters are as of `kernels.gemm.gemm`. A unit is an element of C."""
    chains = chains_of(k)
    for unit in range(first, last):
        line = unit // n
        matrix, column = line // m, unit - line * n
        batch, first_chain, end_chain = matrix, 0, chains
        if split_chains != 0:
            batch, first_chain, end_chain = 0, matrix, matrix + 1
        a_at = batch * a_batch + (line - matrix * m) * a_row
        b_at = batch * b_batch + column * b_column
        total = T(0)
        for chain in range(first_chain, end_chain):
            part = T(0)
            for term in range(k * chain // chains, k * (chain + 1) // chains):
                part = fused_multiply_add(a[a_at + term * a_k], b[b_at + term * b_k], part)
            total += part
        c[unit] = total


@kernel("x: in[T], y: out[T], parts: int, size: int, first: int, last: int", noalias=True, T=SUM_DTYPES)
def add_parts(x, y, parts, size, first, last):
    """Each array of `size` elements in y is the sum of `parts` consecutive arrays in x. A unit is an element of y."""
    for i in range(first, last):
        array = i // size
        at = array * parts * size + i - array * size
        total = x[at]
        for part in range(1, parts):
            total += x[at + part * size]
        y[i] = total


def add_parts_launch(
    dtypes: Mapping[str, str], x: Operand, y: Operand, parts: int, size: int, arrays: int = 1
) -> Launch:
    """Returns the launch that adds `parts` arrays of `size` elements for each of `arrays` arrays."""
    return device_launch(_add_parts, dtypes, (x, y, parts, size), arrays * size)


def _batched_gemm_launch(
    dtypes: Mapping[str, str], arrays: Sequence[Operand], matrices: int, numbers: Sequence[int], split_chains: int = 0
) -> Launch:
    """Returns the launch of a product of `matrices` pairs; `numbers` are m, n, k and the strides."""
    m, n, *_ = numbers
    return device_launch(_batched_gemm, dtypes, (*arrays, *numbers, split_chains), matrices * m * n)


def _gemm_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the GPU launches that replace a launch of `gemm`."""
    operands: Any = launch.operands
    m, n, *_ = operands[3:12]
    unit, together, _, split_chains, _, panel, *_ = operands[12:]
    panels = -(-n // panel)
    matrices = launch.units // (-(-panels // together) * -(-m // unit))  # of a batch, or chains
    return [
        _batched_gemm_launch(dtypes, operands[:3], matrices, operands[3:12], split_chains),
        *_epilogue_launches(launch),
    ]


def _add_chains_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the GPU launches that replace a launch of `add_chains`, which adds the partial products of chains."""
    operands: Any = launch.operands
    x, y, chains, size, *_ = operands
    return [add_parts_launch(dtypes, x, y, chains, size), *_epilogue_launches(launch)]


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
    return [_batched_gemm_launch(dtypes, (a, b, c), 1, numbers), *_epilogue_launches(launch)]


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


_batched_gemm, _add_parts = device_kernel_of(batched_gemm), device_kernel_of(add_parts)

REPLACEMENTS: dict[Any, Replacement] = {
    gemm.gemm.function: _gemm_replacement,
    gemm.add_chains.function: _add_chains_replacement,
    gemv.gemv.function: _gemv_replacement,
    pairs.gemm_pairs.function: _pairs_replacement,
    transpose.transpose_matrix.function: _transpose_replacement,
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
