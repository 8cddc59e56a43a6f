"""Messages about compilation on stderr: the kernels, the progress, and how to compile in advance.

A compilation of less than a second prints nothing. A longer one prints a line at its start and a line at its end. On a
terminal the kernels are counted in between. A derivative of a Numba function prints these lines after three seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

QUIET_SECONDS = 1.0
"""Compilation that takes less time than this says nothing."""

PLANNING_SECONDS = 3.0
"""A program's first line waits for its number of kernels, which is known when it is planned, at most for this time."""

DERIVATIVE_SECONDS = 3.0
"""A derivative that compiles in less time than this says nothing: most take one to two seconds."""

SECONDS_BETWEEN_LINES = 10.0
"""Eager code, whose number of kernels is not known, has a line on the terminal after each such time of compilation."""


class CompilationProgress:
    """Counts compiled kernels and prints how far a compilation is.

    Attributes:
        enabled: False if nothing is printed.
    """

    def __init__(self) -> None:
        self.enabled = os.environ.get("FASTGRAD_QUIET") != "1"
        self._programs = 0  # that are being compiled: control flow compiles programs inside of a program
        self._compiles_derivative = False  # derivatives compile the derivatives that they call
        self._advice = " (`fastgrad warm` compiles the library's in advance)"
        self._reset()

    def _reset(self) -> None:
        self._count = 0
        self._seconds = 0.0
        self._total: int | None = None
        self._uncompiled: Callable[[], Collection[Any]] | None = None
        self._has_begun = False
        self._next_line = 0.0

    @contextlib.contextmanager
    def of_program(self) -> Iterator[CompilationProgress]:
        """A context in which a program is compiled. Its end is the end of the compilation."""
        if not self._programs:
            self.end()  # of kernels that eager code has compiled
        self._programs += 1
        try:
            yield self
        finally:
            self._programs -= 1
            if not self._programs:
                self.end()

    def expect(self, uncompiled: Callable[[], Collection[Any]]) -> None:
        """Says how many kernels the program is still to compile.

        Args:
            uncompiled: returns those kernels. It is called only if a message is printed.
        """
        if self._programs == 1:
            self._uncompiled = uncompiled

    def record(self, seconds: float) -> None:
        """Records the compilation of a kernel that took ``seconds``."""
        self._seconds += seconds
        is_planning = self._programs > 0 and self._uncompiled is None
        if (
            self.enabled
            and sys.stderr is not None
            and self._seconds > (PLANNING_SECONDS if is_planning else QUIET_SECONDS)
        ):
            self._print_progress()
        self._count += 1

    def _print_progress(self) -> None:
        """Prints the first line, or the count on a terminal. The last kernel is compiled, and not yet stored or counted."""
        if self._uncompiled is not None and self._total is None:
            self._total = self._count + len(self._uncompiled())
        kernels = "kernels" if self._total is None else f"{self._total} kernels"
        text = f"fastgrad: compiling {kernels}, once for this machine"
        is_first = not self._has_begun
        if is_first:
            self._has_begun = True
            atexit.register(self.end)
            print(f"{text}{self._advice}", file=sys.stderr, flush=True)
            self._advice = ""
        if not sys.stderr.isatty():
            return
        if self._total is not None:
            print(
                f"\r{text}: {min(self._count + 1, self._total)} of {self._total}", end="", file=sys.stderr, flush=True
            )
        elif self._seconds > self._next_line:
            self._next_line = self._seconds + SECONDS_BETWEEN_LINES
            if not is_first:
                print(f"{text}: {self._count + 1} so far", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def of_derivative(self, name: str) -> Iterator[None]:
        """A context in which Numba compiles the derivative ``name``."""
        if self._compiles_derivative or not self.enabled or sys.stderr is None:
            yield
            return
        text, start = f"the derivative {name}", time.perf_counter()
        has_ended, has_begun = threading.Event(), threading.Event()

        def print_begin() -> None:
            if not has_ended.wait(DERIVATIVE_SECONDS):
                print(
                    f"fastgrad: compiling {text}; later processes read it from the cache", file=sys.stderr, flush=True
                )
                has_begun.set()

        clock = threading.Thread(target=print_begin, daemon=True)  # Numba gives no sign before its end
        clock.start()
        self._compiles_derivative = True
        try:
            yield
        finally:
            self._compiles_derivative = False
            has_ended.set()
            clock.join()
            if has_begun.is_set():
                seconds = time.perf_counter() - start
                print(f"fastgrad: compiled {text} in {seconds:.0f} s", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Ends a compilation: says how long it took if its begin was printed."""
        if self._has_begun:
            atexit.unregister(self.end)
            if self._total is not None and self._uncompiled is not None:  # another process may have compiled some ahead
                self._count = max(self._count, self._total - len(self._uncompiled()))
            if sys.stderr is not None:
                erase = "\r\x1b[K" if self._total is not None and sys.stderr.isatty() else ""
                text = f"{erase}fastgrad: compiled {self._count} kernels in {self._seconds:.0f} s"
                print(text, file=sys.stderr, flush=True)
        self._reset()


COMPILATION_PROGRESS = CompilationProgress()


def set_compile_messages(enabled: bool) -> None:
    """Turns the messages on stderr that kernels and derivatives are being compiled on or off."""
    COMPILATION_PROGRESS.enabled = bool(enabled)
