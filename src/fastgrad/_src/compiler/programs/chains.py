"""Chains: consecutive steps that threads run share by share, with one barrier at the end.

In a chain a share reads nothing that another share of the chain writes, and writes nothing that another share reads or writes:
either their arrays are disjoint, or each share accesses its own part of one array (`Launch.parts`). Small steps that
break this rule, such as the last addition of sums over all rows, wait for the end of the chain (`Launch.waits`). So a product
of rows, the normalization of these rows, an activation and the next product run row by row, and rows stay in the cache of
one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastgrad._src.compiler.programs.buffers import Action, ByteExtent, InPermanent, extent_of, operands_of
from fastgrad._src.jit.build import signature_of
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS
from fastgrad._src.kernels.runtime.launch import Input, KernelEntry, Launch

MOST_CHAIN_NANOSECONDS = 5_000_000.0
"""Nanoseconds of the longest chain: a long program returns to Python between steps to handle signals."""


class ArrayAccess(NamedTuple):
    """The access of a step to an array.

    Attributes:
        extent: its bytes.
        written: whether the step may write to it.
        elements: the number of its elements if each share only touches its own part, else None.
    """

    extent: ByteExtent
    written: bool
    elements: int | None

    def conflicts_with(self, other: ArrayAccess) -> bool:
        """True if threads with different shares of the two steps may touch the same bytes, and one thread writes."""
        if not (self.written or other.written) or not self.extent.overlaps(other.extent):
            return False
        return self.extent != other.extent or self.elements is None or other.elements is None


def chains_of(steps: Sequence[tuple[Action, Launch]]) -> Iterator[tuple[int, int, int]]:
    """Yields the chains, of two steps or more, among consecutive steps.

    Args:
        steps: consecutive steps of a program, in order.

    Yields:
        for each chain its first step, the number of its steps, and the largest number of shares: a power of two that divides
        the units of each.
    """
    start, shares, time = 0, 0, 0.0
    chain_accesses: dict[ByteExtent, ArrayAccess] = {}  # those of the chain and of the steps that wait for its end
    for number, (action, launch) in enumerate(steps):
        accesses = accesses_of(action, launch)
        if accesses is not None and launch.waits and chain_accesses:
            _merge_accesses(chain_accesses, accesses)
            continue
        most_shares = launch.units & -launch.units
        goes_on = accesses is not None and not launch.waits and most_shares > 1
        time += launch.units * launch.unit_cost
        if (
            goes_on
            and chain_accesses
            and time < MOST_CHAIN_NANOSECONDS
            and not any(a.conflicts_with(b) for a, b in itertools.product(chain_accesses.values(), accesses or ()))
        ):
            _merge_accesses(chain_accesses, accesses or ())
            shares = min(shares, most_shares)
            continue
        if number - start > 1:
            yield start, number - start, shares
        chain_accesses = {}
        start, shares = (number, most_shares) if goes_on else (number + 1, 0)
        time = launch.units * launch.unit_cost
        _merge_accesses(chain_accesses, accesses or () if goes_on else ())
    if len(steps) - start > 1:
        yield start, len(steps) - start, shares


def _merge_accesses(known: dict[ByteExtent, ArrayAccess], accesses: Sequence[ArrayAccess]) -> None:
    """Merges a step's accesses to arrays into the accesses of the earlier steps of a chain."""
    for new in accesses:
        old = known.get(new.extent, new)
        known[new.extent] = new._replace(
            written=old.written or new.written, elements=None if old.elements is None else new.elements
        )


def accesses_of(action: Action, launch: Launch) -> list[ArrayAccess] | None:
    """Returns a step's accesses to arrays; None if the step can't be part of a chain."""
    signature = signature_of(launch.kernel)
    if signature.returns_status or not (launch.parts or launch.waits):
        return None
    accesses: list[ArrayAccess] = []
    for position, (_, parameter, operand) in enumerate(operands_of(launch, signature)):
        if type(operand) is int:
            continue
        if parameter.kind in LIST_KINDS:
            return None
        if isinstance(operand, Launch):
            inner_accesses = accesses_of(action, operand)
            if inner_accesses is None:
                return None
            accesses += inner_accesses
        elif parameter.kind in ARRAY_KINDS or isinstance(operand, Input):
            (place, count, dtype), elements = action.array_of(operand), launch.parts.get(position)
            own_elements = elements if elements == count else None
            # No chain may write a variable or constant, as its other readers are unknown.
            in_memory = isinstance(place, InPermanent)
            if not in_memory:
                extent = extent_of(place, count * dtype.itemsize)
                accesses.append(ArrayAccess(extent, parameter.written, own_elements))
            if parameter.written and (in_memory or (own_elements is None and not launch.waits)):
                return None
        elif not isinstance(operand, (int, float, KernelEntry)):
            return None
    return accesses
