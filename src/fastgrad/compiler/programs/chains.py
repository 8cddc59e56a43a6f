"""Chains: steps one after the other that threads go through share by share, meeting once for all of them.

In a chain a share reads nothing that another share of the chain writes, and writes nothing that another one reads or writes:
what is not disjoint is the same array, of which each share touches its own part (`Launch.parts`). Small steps that would be in the
way, such as the last addition of sums over all rows, wait for its end (`Launch.waits`). So a product of rows, what
normalizes these rows, an activation and the next product are done row by row, and rows stay in the cache of one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from fastgrad.compiler.programs.buffers import Action, InArena, InObject
from fastgrad.kernels.codegen.build import signature_of
from fastgrad.kernels.codegen.signature import ARRAY_KINDS, LIST_KINDS
from fastgrad.kernels.codegen.signature import SHARE as SHARE_NAMES
from fastgrad.kernels.runtime.launch import EntryOf, Input, Launch

LONGEST = 5_000_000.0
"""Nanoseconds of a chain: a program that is long is left in between, so that signals are dealt with."""

READ = "in"


class Access(NamedTuple):
    """What a step does with an array.

    Attributes:
        home: the memory that the array is a part of; different ones do not overlap, but for those that are only read.
        start, size: its bytes there.
        written: whether the step may write to it.
        elements: how many it has if a share only touches its own part, else None.
    """

    home: Hashable
    start: int
    size: int
    written: bool
    elements: int | None

    def meets(self, other: Access) -> bool:
        """Whether different shares may touch the same bytes, and one of them writes."""
        if not (self.written or other.written) or self.home != other.home:
            return False
        if self.start >= other.start + other.size or other.start >= self.start + self.size:
            return False
        same = self.start == other.start and self.size == other.size
        return not (same and self.elements is not None and other.elements is not None)


def chains_of(steps: Sequence[tuple[Action, Launch]]) -> Iterator[tuple[int, int, int]]:
    """The chains of several steps.

    Args:
        steps: all of a program that follow each other, in order.

    Yields:
        for each chain its first step, how many it has, and how many shares there are at most: a power of two that divides
        the units of each.
    """
    start, shares, time = 0, 0, 0.0
    known: dict[Hashable, Access] = {}  # by array, what the chain does, and what waits in it
    for number, (action, launch) in enumerate(steps):
        found = accesses_of(action, launch)
        if found is not None and launch.waits and known:
            _add(known, found)
            continue
        most = launch.units & -launch.units
        goes_on = found is not None and not launch.waits and most > 1
        time += launch.units * launch.unit_cost
        if (
            goes_on
            and known
            and time < LONGEST
            and not any(a.meets(b) for a, b in itertools.product(known.values(), found or ()))
        ):
            _add(known, found or ())
            shares = min(shares, most)
            continue
        if number - start > 1:
            yield start, number - start, shares
        known = {}
        start, shares = (number, most) if goes_on else (number + 1, 0)
        time = launch.units * launch.unit_cost
        _add(known, found or () if goes_on else ())
    if len(steps) - start > 1:
        yield start, len(steps) - start, shares


def _add(known: dict[Hashable, Access], found: Sequence[Access]) -> None:
    """Notes what else is done with arrays."""
    for new in found:
        key = new.home, new.start, new.size
        old = known.get(key, new)
        known[key] = new._replace(
            written=old.written or new.written, elements=None if old.elements is None else new.elements
        )


def accesses_of(action: Action, launch: Launch) -> list[Access] | None:
    """What a step does with arrays; None if it may be no part of a chain."""
    signature = signature_of(launch.kernel)
    if signature.returns_status or not (launch.parts or launch.waits):
        return None
    found: list[Access] = []
    parameters = [p for p in signature.parameters if p.kind != "int" or p.name not in SHARE_NAMES]
    for position, (parameter, operand) in enumerate(zip(parameters, launch.operands, strict=True)):
        if parameter.kind in LIST_KINDS:
            return None
        if isinstance(operand, Launch):
            inner = accesses_of(action, operand)
            if inner is None:
                return None
            found += inner
        elif parameter.kind in ARRAY_KINDS or isinstance(operand, Input):
            written = parameter.kind != READ and parameter.kind in ARRAY_KINDS
            access = _access(action, operand, written, launch.parts.get(position))
            if access is not None:
                found.append(access)
            if written and (access is None or (access.elements is None and not launch.waits)):
                return None
        elif not isinstance(operand, (int, float, EntryOf)):
            return None
    return found


def _access(action: Action, operand: Any, written: bool, elements: int | None) -> Access | None:
    """None for a variable or a constant: in a chain nobody changes these, as it is not known who else reads them."""
    place, count, dtype = action.array_of(operand)
    own = elements if elements == count else None
    size = count * dtype.itemsize
    if isinstance(place, InArena):
        return Access("arena", place.offset, size, written, own)
    if isinstance(place, InObject):
        return Access(place, 0, size, written, own)
    return None
