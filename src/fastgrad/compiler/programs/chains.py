"""Chains: consecutive steps that threads run share by share, with one barrier at the end.

In a chain a share reads nothing that another share of the chain writes, and writes nothing that another one reads or writes:
arrays are disjoint, or they are the same array, of which each share touches its own part (`Launch.parts`). Small steps that
break this rule, such as the last addition of sums over all rows, wait for the end of the chain (`Launch.waits`). So a product
of rows, the normalization of these rows, an activation and the next product run row by row, and rows stay in the cache of
one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from fastgrad.compiler.programs.buffers import Action, InArena, InObject
from fastgrad.kernels.codegen.build import signature_of
from fastgrad.kernels.codegen.signature import ARRAY_KINDS, LIST_KINDS
from fastgrad.kernels.runtime.launch import EntryOf, Input, Launch

LONGEST = 5_000_000.0
"""Nanoseconds of the longest chain: a long program returns to Python between steps to handle signals."""

READ = "in"


class Access(NamedTuple):
    """The access of a step to an array.

    Attributes:
        home: the memory that contains the array; different homes do not overlap, except homes that are only read.
        start, size: its bytes there.
        written: whether the step may write to it.
        elements: the number of its elements if each share only touches its own part, else None.
    """

    home: Hashable
    start: int
    size: int
    written: bool
    elements: int | None

    def meets(self, other: Access) -> bool:
        """True if different shares may touch the same bytes, and one of them writes."""
        if not (self.written or other.written) or self.home != other.home:
            return False
        if self.start >= other.start + other.size or other.start >= self.start + self.size:
            return False
        same = self.start == other.start and self.size == other.size
        return not (same and self.elements is not None and other.elements is not None)


def chains_of(steps: Sequence[tuple[Action, Launch]]) -> Iterator[tuple[int, int, int]]:
    """Yields the chains of several steps.

    Args:
        steps: consecutive steps of a program, in order.

    Yields:
        for each chain its first step, the number of its steps, and the largest number of shares: a power of two that divides
        the units of each.
    """
    start, shares, time = 0, 0, 0.0
    chain_accesses: dict[
        Hashable, Access
    ] = {}  # by array: the accesses of the chain and of the steps that wait for its end
    for number, (action, launch) in enumerate(steps):
        accesses = accesses_of(action, launch)
        if accesses is not None and launch.waits and chain_accesses:
            _add(chain_accesses, accesses)
            continue
        most_shares = launch.units & -launch.units
        goes_on = accesses is not None and not launch.waits and most_shares > 1
        time += launch.units * launch.unit_cost
        if (
            goes_on
            and chain_accesses
            and time < LONGEST
            and not any(a.meets(b) for a, b in itertools.product(chain_accesses.values(), accesses or ()))
        ):
            _add(chain_accesses, accesses or ())
            shares = min(shares, most_shares)
            continue
        if number - start > 1:
            yield start, number - start, shares
        chain_accesses = {}
        start, shares = (number, most_shares) if goes_on else (number + 1, 0)
        time = launch.units * launch.unit_cost
        _add(chain_accesses, accesses or () if goes_on else ())
    if len(steps) - start > 1:
        yield start, len(steps) - start, shares


def _add(known: dict[Hashable, Access], found: Sequence[Access]) -> None:
    """Merges new accesses into the known ones."""
    for new in found:
        key = new.home, new.start, new.size
        old = known.get(key, new)
        known[key] = new._replace(
            written=old.written or new.written, elements=None if old.elements is None else new.elements
        )


def accesses_of(action: Action, launch: Launch) -> list[Access] | None:
    """Returns a step's accesses to arrays; None if the step can't be part of a chain."""
    signature = signature_of(launch.kernel)
    if signature.returns_status or not (launch.parts or launch.waits):
        return None
    accesses: list[Access] = []
    parameters = [p for p in signature.parameters if not p.is_share]
    for position, (parameter, operand) in enumerate(zip(parameters, launch.operands, strict=True)):
        if parameter.kind in LIST_KINDS:
            return None
        if isinstance(operand, Launch):
            inner_accesses = accesses_of(action, operand)
            if inner_accesses is None:
                return None
            accesses += inner_accesses
        elif parameter.kind in ARRAY_KINDS or isinstance(operand, Input):
            written = parameter.kind != READ and parameter.kind in ARRAY_KINDS
            access = _access(action, operand, written, launch.parts.get(position))
            if access is not None:
                accesses.append(access)
            if written and (access is None or (access.elements is None and not launch.waits)):
                return None
        elif not isinstance(operand, (int, float, EntryOf)):
            return None
    return accesses


def _access(action: Action, operand: Any, written: bool, elements: int | None) -> Access | None:
    """Returns an access; None for a variable or constant: no chain may write it, as its other readers are unknown."""
    place, count, dtype = action.array_of(operand)
    own_elements = elements if elements == count else None
    size = count * dtype.itemsize
    if isinstance(place, InArena):
        return Access("arena", place.offset, size, written, own_elements)
    if isinstance(place, InObject):
        return Access(place, 0, size, written, own_elements)
    return None
