"""The share of the processors' time that other programs take during and before a measurement.

Linux counts it in `/proc`: what processors did in `stat`, what each process used beside it. The load average would not do, as it
has what the run itself did in the minute before. Elsewhere it is unknown.
"""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MATERIAL = 0.05
"""The share of the processors' time from which on results wander."""
LOOK_SECONDS = 0.5
BUSY = ("user", "nice", "system", "irq", "softirq", "steal")  # steal is what the host gave to other machines
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
PARENT, USED = 1, slice(11, 13)  # of a process's `stat`, behind its name: user and system time
USED_BY_ENDED_CHILDREN = slice(13, 15)


@dataclass
class Share:
    """A share of the processors' time; None until the measurement ends, and where it is unknown."""

    value: float | None = None


@contextmanager
def others_share(processors: Collection[int] | None = None, proc: Path = PROC) -> Iterator[Share]:
    """Measures, inside a `with`, the share of the processors' time of programs other than this process and its descendants.

    Times are counted in hundredths of a second, so that a short stretch of an idle machine may come out a little below zero.

    Args:
        processors: whose time; None is those that this process may use.
        proc: where the system counts.
    """
    found = Share()
    own, before = _used_by_descendants(proc), _counted(proc, processors)
    yield found
    after, own_after = _counted(proc, processors), _used_by_descendants(proc)
    if before is not None and after is not None and sum(after.values()) > sum(before.values()):
        passed = {what: after[what] - before[what] for what in COLUMNS}
        others = sum(passed[what] for what in BUSY) - (own_after - own)
        found.value = round(others / sum(passed.values()), 3)


def others_share_now(seconds: float = LOOK_SECONDS) -> float | None:
    """Returns the share of the processors' time of other programs while this process sleeps."""
    with others_share() as found:
        time.sleep(seconds)
    return found.value


def _counted(proc: Path, processors: Collection[int] | None) -> dict[str, int] | None:
    """Returns the busy and all ticks of these processors since the system's start."""
    if processors is None:
        processors = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    names = {f"cpu{number}" for number in processors}
    try:
        rows = [line.split() for line in (proc / "stat").read_text(encoding="ascii").splitlines()]
    except OSError:
        return None
    counts = [list(map(int, row[1:])) for row in rows if row and row[0] in names]
    return {what: sum(row[column] for row in counts) for column, what in enumerate(COLUMNS)}


def _used_by_descendants(proc: Path) -> int:
    """Returns the ticks of all descendants of this process, including ended ones that their parents have waited for."""
    processes: dict[int, list[int]] = {}
    for file in proc.glob("[0-9]*/stat"):
        try:
            _, _, text = file.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it ended just now
            continue
        _state, *numbers = text.split()
        processes[int(file.parent.name)] = [0, *map(int, numbers)]
    children: dict[int, list[int]] = {}
    for number, fields in processes.items():
        children.setdefault(fields[PARENT], []).append(number)
    used = 0
    ours = [os.getpid()]
    while ours:
        number = ours.pop()
        if number in processes:
            used += sum(processes[number][USED_BY_ENDED_CHILDREN])
            used += sum(processes[number][USED]) if number != os.getpid() else 0
        ours += children.get(number, [])
    return used
