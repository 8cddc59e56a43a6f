"""Sums of columns after a matrix product, such as gradients of biases: block by block, while its rows are in the cache.

The kernel of the group, a map with sums, processes a block as soon as the product has its rows, and stores the block's sums. A
second kernel adds these in order. Blocks follow from shapes alone, so bits do not depend on which thread does which block.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.fusion.emit_reduction import reduction_launches
from fastgrad._src.compiler.fusion.fused import Fused
from fastgrad._src.compiler.fusion.phases import Schedule
from fastgrad._src.compiler.graph.graph import Node
from fastgrad._src.compiler.passes.rewriting import is_matrix_product
from fastgrad._src.kernels.gemm.column_sums import FLOATS, NANOSECONDS_PER_NUMBER, add_blocks
from fastgrad._src.kernels.gemm.config import epilogue_block_rows
from fastgrad._src.kernels.gemm.epilogue import row_unit_launch
from fastgrad._src.kernels.runtime.launch import Launch, Output, Scratch

MOST_BLOCK_ROWS = 128
"""The most rows of a block."""

LEAST_ELEMENTS_OF_ONE_BLOCK, LEAST_ELEMENTS_OF_SEVERAL_BLOCKS = 1 << 11, 1 << 13
"""The least elements for which this is faster: with one block, and with several."""


class BlockKernels(NamedTuple):
    """The launches of a group with column sums of a product: over blocks of rows, then over the sums of blocks.

    Attributes:
        first: over parts of blocks of rows.
        rows, block: the number of rows of all its units, and of a block.
        later: the launches that add up the blocks; empty if there is one block.
        scratch: see ``Launches``.
        free: the outputs that may take inputs' memory.
        separate: pairs (output, array) that must not share memory.
    """

    first: Launch
    rows: int
    block: int
    later: tuple[Launch, ...]
    scratch: tuple[tuple[np.dtype, int], ...]
    free: frozenset[int]
    separate: set[tuple[int, int]]

    def with_row_units(self, launch: Launch) -> Launch:
        """Returns a launch over parts of blocks of rows as a launch whose units of work are rows of the product."""
        return row_unit_launch(launch, self.rows, self.block)


def is_map_with_column_sums(fused: Any, product_input_number: int, product: Node) -> bool:
    """True if a group is a map of a product with sums of columns as results, and can follow the product block by block.

    Args:
        fused: the group.
        product_input_number: the number of its input that is the product.
        product: of matrices.
    """
    if (
        not isinstance(fused, Fused)
        or set(fused.roles) != {"r", "k"}
        or "kr" in fused.roles
        or fused.count < LEAST_ELEMENTS_OF_ONE_BLOCK
    ):
        return False
    if not is_matrix_product(product):
        return False
    unit = epilogue_block_rows(product.inputs, **product.attributes)
    if unit is None or (
        fused.element_count_of_dims("r") > _row_count_of_block(unit) and fused.count < LEAST_ELEMENTS_OF_SEVERAL_BLOCKS
    ):
        return False
    shape = product.outputs[0].shape
    if not fused.reads_in_order(product_input_number):
        return False
    if fused.count != prod(shape) or fused.element_count_of_dims("k") != shape[-1]:
        return False
    sums = [(number, step) for number, step in enumerate(fused.steps, len(fused.inputs)) if step.kept]
    are_sums = all(step.is_sum and step.output.name in FLOATS for _, step in sums)
    return are_sums and all(number in fused.outputs for number, _ in sums) and len(Schedule(fused).phases) == 1


def block_kernels(fused: Fused, product: Node) -> BlockKernels:
    """Returns the kernels of a group with column sums of a product."""
    unit = epilogue_block_rows(product.inputs, **product.attributes)
    assert unit is not None
    rows = prod(product.outputs[0].shape[:-1])
    block = _row_count_of_block(unit)
    blocks = -(-rows // block)
    reduction = reduction_launches(fused, block)
    block_sum_launches = _launches_adding_blocks(fused, blocks) if blocks > 1 else ()
    return BlockKernels(
        reduction.launches[0], rows, block, block_sum_launches, reduction.scratch, reduction.free, reduction.separate
    )


def _row_count_of_block(rows_per_unit: int) -> int:
    """Returns the number of rows of a block: the largest multiple of 8 that divides ``rows_per_unit``."""
    return max(rows for rows in range(8, MOST_BLOCK_ROWS + 1, 8) if rows_per_unit % rows == 0)


def _launches_adding_blocks(fused: Fused, blocks: int) -> tuple[Launch, ...]:
    """Returns the launches that add up the column sums of several blocks."""
    input_count, columns = len(fused.inputs), fused.element_count_of_dims("k")
    sums = [number for number, step in enumerate(fused.steps, input_count) if step.kept]
    launches = []
    for position, number in enumerate(sums):  # the order in which the emitter has them in scratch memory
        operands = Scratch(position), Output(fused.outputs.index(number)), blocks, columns
        kernel = add_blocks[fused.steps[number - input_count].output]
        launches.append(Launch(kernel, operands, columns, NANOSECONDS_PER_NUMBER * blocks, waits=True))
    return tuple(launches)
