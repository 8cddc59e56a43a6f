"""The start-up time of a script by phases: `FASTGRAD_START_REPORT=1` prints it at the end of the process."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

VARIABLE = "FASTGRAD_START_REPORT"

PHASES = {
    "import": "import of fastgrad, and of what it needs",
    "recording": "functions run once and are recorded",
    "planning": "passes over graphs, plans of memory and kernels",
    "front end": "Numba: bytecode, types, LLVM IR",
    "LLVM": "LLVM: machine code",
    "waiting": "for kernels that a second process compiles",
    "kernel cache": "compiled code is read from the disk, or written",
}
"""The phases, in the order of the report."""

_nothing = contextlib.nullcontext()


class StartReport:
    """The seconds of each phase. A phase inside of another does not count for the outer one.

    Attributes:
        seconds, counts: of each phase: its time, and how often it began.
    """

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seconds: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._open = threading.local()

    def enter(self, phase: str) -> None:
        """Begins a phase in this thread."""
        stack = self._open.__dict__.setdefault("stack", [])
        stack.append([phase, time.perf_counter(), 0.0])

    def leave(self) -> None:
        """Ends the phase that began last in this thread."""
        stack = self._open.stack
        phase, began, inside = stack.pop()
        seconds = time.perf_counter() - began
        self.seconds[phase] += seconds - inside
        self.counts[phase] += 1
        if stack:
            stack[-1][2] += seconds

    @contextlib.contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """A context that is a part of a phase."""
        self.enter(phase)
        try:
            yield
        finally:
            self.leave()

    def text(self) -> str:
        """Returns the report."""
        whole = time.perf_counter() - self.began
        rest = max(whole - sum(self.seconds.values()), 0.0)
        lines = [f"fastgrad: {whole:.2f} s since its import began; threads that work side by side count each"]
        for phase, what in PHASES.items():
            lines.append(f"  {self.seconds[phase]:8.2f} s  {phase:12}  {self.counts[phase]:5} times  {what}")
        lines.append(f"  {rest:8.2f} s  {'the rest':12}              steps, data, and your own code")
        return "\n".join(lines)

    def print(self) -> None:
        """Prints the report on stderr."""
        if sys.stderr is not None:
            print(self.text(), file=sys.stderr)


report = StartReport() if os.environ.get(VARIABLE) == "1" else None
"""The report of this process; None unless the environment asks for it."""

if report is not None:
    atexit.register(report.print)


def phase(name: str) -> Any:
    """A context whose time is a part of the phase `name`, if there is a report."""
    return _nothing if report is None else report.of(name)


def watch_numba() -> None:
    """Makes Numba tell the report what it compiles; its modules are imported already."""
    if report is None or "numba:compile" in _watched:
        return
    timed = report
    from numba.core import event

    class Timer(event.Listener):  # type: ignore[misc]  # Numba has no types
        def __init__(self, phase: str) -> None:
            self.phase = phase

        def on_start(self, event: Any) -> None:
            timed.enter(self.phase)

        def on_end(self, event: Any) -> None:
            timed.leave()

    for kind, name in (("numba:compile", "front end"), ("numba:llvm_lock", "LLVM")):
        _watched.add(kind)
        event.register(kind, Timer(name))


_watched: set[str] = set()
