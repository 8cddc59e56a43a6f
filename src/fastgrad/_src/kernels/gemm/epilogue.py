"""Epilogues of matrix products: several steps as one, and kernels over blocks of rows as kernels over rows."""

from __future__ import annotations

from fastgrad._src.jit.body import call_step
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.runtime.launch import NO_PARTS, KernelEntry, Launch


@kernel("first_step: int, first_words: int, second_step: int, second_words: int, first: int, last: int")
def run_two_maps(first_step, first_words, second_step, second_words, first, last):
    """Runs two maps over the same elements, one after the other, and ignores their statuses.

    Args:
        first_step, first_words: the address of the first map's step, and of its words.
        second_step, second_words: the address of the second map's step, and of its words.
        first, last: the elements.
    """
    call_step(first_step, first_words, first, last)
    call_step(second_step, second_words, first, last)


def combined_maps(first: Launch, *others: Launch) -> Launch:
    """Returns a launch that runs several maps over the same elements in order, for use as an epilogue."""
    for other in others:
        operands = KernelEntry(first.kernel), first, KernelEntry(other.kernel), other
        first = Launch(run_two_maps[()], operands, first.units, first.unit_cost + other.unit_cost)
    return first


@kernel("step: int, step_words: int, block_rows: int, block_units: int, first: int, last: int")
def run_row_blocks(step, step_words, block_rows, block_units, first, last):
    """Runs a kernel, whose units are blocks of rows, for the rows from `first` to `last`; ignores the status.

    Args:
        step, step_words: the address of the kernel's step, and of its step_words.
        block_rows, block_units: the rows of a block, and the number of the kernel's units for a block.
        first, last: the rows; they begin with a block, and end with a block or with the last row of all.
    """
    call_step(step, step_words, first // block_rows * block_units, (last + block_rows - 1) // block_rows * block_units)


def row_unit_launch(launch: Launch, rows: int, block: int) -> Launch:
    """Returns a launch whose units are rows, for use as an epilogue, from a launch whose units divide row blocks.

    Args:
        launch: the kernel.
        rows: the number of rows.
        block: the rows of a block; each block is the same number of units.
    """
    units = launch.units // -(-rows // block)
    operands = KernelEntry(launch.kernel), launch, block, units
    # If the shares of `launch` have their own parts, so have these shares: operand 1 is the launch.
    parts = {1: rows} if launch.parts else NO_PARTS
    return Launch(run_row_blocks[()], operands, rows, launch.units * launch.unit_cost / rows, parts)
