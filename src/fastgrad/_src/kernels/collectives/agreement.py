"""Agreement of the ranks: compares the next reduction of a rank with those of the others.

There are two comparisons, each done once, not at each step: of the first eager collective of each signature, and of
each recorded program with collectives. The ranks count their transfers, so equal counts are the same moment in all
ranks. A rank sends its message, waits a moment for messages of the others, and continues: the last rank has all
messages, and no reduction ends without the last rank.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from fastgrad._src.kernels.collectives.monitor import PROGRAM, Monitor, monitor, names_of_signatures
from fastgrad._src.kernels.runtime.launch import Spec

AGREEMENT_SECONDS = 0.25
"""Seconds that a rank waits for what the others tell; more than a message takes."""

MOST_AGREED = 4096
"""The number of signatures that are remembered: objects of every size have their own."""

_agreed: set[Any] = set()


def note_signature(signature: int, name: str, arrays: Sequence[Spec], details: Sequence[Any]) -> None:
    """Notes the text of a collective for errors."""
    operands = ", ".join(f"{array.dtype}{list(array.shape)}" for array in arrays[:8])
    more = f" and {len(arrays) - 8} more" if len(arrays) > 8 else ""
    names_of_signatures[signature] = f"{name}({', '.join([operands + more, *map(repr, details)])})"


def agree_on_collective(name: str, arrays: Sequence[Spec], *details: Any) -> bool:
    """Compares the first eager collective of a signature with those of the other ranks, before it starts.

    Args:
        name: of the collective.
        arrays: its operands.
        *details: its attributes.

    Returns:
        False if it must not start: the ranks differ, or another rank has failed.
    """
    key = (name, *[(array.shape, array.dtype) for array in arrays], *details)
    if key in _agreed:
        return True
    if len(_agreed) >= MOST_AGREED:
        _agreed.clear()  # in all ranks at the same moment
    _agreed.add(key)
    job = monitor()
    if job is None:
        return True
    from fastgrad._src.kernels.collectives.launches import signature_of

    signature = signature_of(name, arrays, *details)
    job.agree_on_transfer(signature, AGREEMENT_SECONDS)
    return job.failure is None


def agree_on_program(name: str, types: Sequence[str], lines: Sequence[str]) -> bool:
    """Compares a recorded program with those that the other ranks have recorded at the same moment.

    Ranks may record different programs for batches of different sizes. So programs with different types of arguments
    are not compared; their collectives are, when they run.

    Args:
        name: of the function.
        types: of the arguments, and of captured arrays.
        lines: the operations.

    Returns:
        False if the ranks differ, or another rank has failed.
    """
    job = monitor()
    if job is None:
        return True
    moment = job.started_count()
    _own_programs.clear()
    _own_programs[moment] = zlib.compress("\n".join([name, repr(list(types)), *lines]).encode(), 1)
    job.compare_program = _difference
    job.send_to_others(PROGRAM, moment, _own_programs[moment])
    job.wait_for_others(lambda rank: moment in job.programs[rank], AGREEMENT_SECONDS)
    for rank, programs in job.programs.items():
        if moment in programs and (difference := _difference(job, moment, rank, programs[moment])):
            job.fail(difference)
        for past in [number for number in programs if number < moment]:
            del programs[past]
    return job.failure is None


_own_programs: dict[int, bytes] = {}
"""The last program that this rank has recorded, by the number of transfers before its end."""


def _difference(job: Monitor, moment: int, rank: int, program: bytes) -> str | None:
    """Returns how another rank's program differs from this rank's of the same moment; None if it does not."""
    if _own_programs.get(moment, program) == program:
        return None
    own, other = [zlib.decompress(data).decode().splitlines() for data in (_own_programs[moment], program)]
    if own[:2] != other[:2] and own[0] == other[0]:
        return None  # other types of arguments
    own, other = [[x for x in lines if x] for lines in (own, other)]
    own, other = [lines[:1] + lines[2:] for lines in (own, other)]
    length = max(len(own), len(other))
    own, other = [lines + ["nothing"] * (length - len(lines)) for lines in (own, other)]
    line = next((number for number in range(length) if own[number] != other[number]), None)
    if line is None:
        return None
    first, second = sorted([(job.rank, own[line]), (rank, other[line])])
    where = f"operation {line} of the function {own[0]!r} is" if line else "the function is"
    return (
        f"The ranks run different programs: {where} `{first[1]}` in rank {first[0]}, `{second[1]}` in rank {second[0]}. "
        "Run the same program in all ranks."
    )
