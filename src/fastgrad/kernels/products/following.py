"""Two steps that follow a matrix product as one: both are done on each part of it while that is in the cache."""

from __future__ import annotations

from fastgrad.kernels.building.body import call_step
from fastgrad.kernels.building.build import kernel, step_address
from fastgrad.kernels.running.launch import Launch


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
        operands = step_address(one.kernel), one, step_address(other.kernel), other
        one = Launch(one_and_other[()], operands, one.units, one.unit_cost + other.unit_cost)
    return one
