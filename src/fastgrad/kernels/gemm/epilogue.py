"""What follows a matrix product: several steps as one, and kernels over blocks of rows as such over rows."""

from __future__ import annotations

from fastgrad.kernels.codegen.body import call_step
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.runtime.launch import NO_PARTS, EntryOf, Launch


@kernel("step: int, words: int, then: int, others: int, first: int, last: int")
def one_and_other(step, words, then, others, first, last):
    """Runs two maps over the same elements, the second one after the first. What they answer is not looked at.

    Args:
        step, words: the address of the first one's step, and that of its words.
        then, others: those of the second one.
        first, last: the elements.
    """
    call_step(step, words, first, last)
    call_step(then, others, first, last)


def in_turn(one: Launch, *others: Launch) -> Launch:
    """Maps over as many elements as one that may follow a product."""
    for other in others:
        operands = EntryOf(one.kernel), one, EntryOf(other.kernel), other
        one = Launch(one_and_other[()], operands, one.units, one.unit_cost + other.unit_cost)
    return one


@kernel("step: int, words: int, block: int, units: int, first: int, last: int")
def blocks_of_rows(step, words, block, units, first, last):
    """Runs a kernel over blocks of rows. What it answers is not looked at.

    Args:
        step, words: the address of its step, and that of its words.
        block, units: the rows of a block, and how many of its units that is.
        first, last: the rows, which begin with a block, and end with one or with the last row of all.
    """
    call_step(step, words, first // block * units, (last + block - 1) // block * units)


def by_rows(launch: Launch, rows: int, block: int) -> Launch:
    """A kernel whose units are parts of blocks of rows, as one whose units are rows.

    Args:
        launch: the kernel.
        rows: how many there are.
        block: the rows of a block, each of which is as many units.
    """
    units = launch.units // -(-rows // block)
    operands = EntryOf(launch.kernel), launch, block, units
    # Where its shares have their own parts, so have the others: operand 1 is the kernel.
    parts = {1: rows} if launch.parts else NO_PARTS
    return Launch(blocks_of_rows[()], operands, rows, launch.units * launch.unit_cost / rows, parts)
