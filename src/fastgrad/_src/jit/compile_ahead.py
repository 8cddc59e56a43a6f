"""Compilation ahead of use: a second process compiles the kernels that a program is likely to need next.

Eager code needs a kernel at once, so it waits for each kernel. `typical_kernels.json` lists the library's kernels of typical programs, in
the order of their first use, and the classes of their layers, losses and optimizers. The programs that share most kernels and classes
with this program predict its next kernels. The second process compiles the kernels that most of them need. It starts with the last one of
the first training step, because this process soon needs the first one and compiles it itself. The second process stores the code in the
disk cache, and this process loads it.
"""

from __future__ import annotations

import functools
import json
import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastgrad._src.jit import second_process
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.jit.phases import phase
from fastgrad._src.jit.processors import default_threads
from fastgrad._src.jit.signature import KernelSource

COMPILE = "fastgrad._src.jit.build:compile_kernel_of_module"
"""The function that the other process calls with the fields of a `KernelAddress`."""

PREPARE = "importlib:import_module", ("fastgrad._src.jit.compile",)
"""What the other process calls first. It imports Numba; meanwhile more is known of what this program needs."""

PATIENCE_SECONDS = 1.5
"""After this time without a compilation here, the other process compiles only what this one awaits: the program has what it needs."""

LEAST_SHARE = 0.4
"""Kernels that a smaller share of the similar programs uses are not compiled ahead."""

LARGE_SHARE = 0.7
"""Kernels that at least this share of the similar programs uses count as equally likely. Of them, the one of the latest use is compiled first."""

LAST_OF_STEP = "fastgrad._src.kernels.optimizers."
"""A training step ends with a kernel of these modules. Kernels that are used later come after all of the first step."""

SHARPNESS = 8
"""A typical program counts by the share of this program's kernels and classes that it uses, to this power."""


class KernelAddress(NamedTuple):
    """Where any process finds a kernel of the library, and for what it compiles it.

    Attributes:
        module, name: as for `build.kernel_of_module`.
        variables: pairs of a type variable and its dtype, in the kernel's order.
        in_place: see `KernelSource`.
    """

    module: str
    name: str
    variables: tuple[tuple[str, str], ...]
    in_place: tuple[tuple[int, int], ...]


def address_of(source: KernelSource) -> KernelAddress | None:
    """Returns the address of a kernel; None if no module of the library makes it."""
    function = source.function
    module = function.__module__  # none of most functions that are made from text
    if module is None or not module.startswith("fastgrad._src.kernels."):
        return None
    return KernelAddress(module, function.__qualname__, tuple(source.variables.items()), source.in_place)


class KernelsOfProgram(NamedTuple):
    """What a typical program uses.

    Attributes:
        kernels: of the library, in the order of their first use.
        classes: the names of the classes of its layers, losses and optimizers, sorted.
    """

    kernels: tuple[KernelAddress, ...]
    classes: tuple[str, ...]


@functools.cache
def typical_programs() -> dict[KernelsOfProgram, int]:
    """Returns how many typical programs use the same kernels and classes."""
    table = json.loads(Path(__file__).with_name("typical_kernels.json").read_text(encoding="utf-8"))
    addresses = [
        KernelAddress(module, name, tuple(variables.items()), tuple(map(tuple, in_place)))
        for module, name, variables, in_place in table["kernels"]
    ]
    return {
        KernelsOfProgram(tuple([addresses[number] for number in numbers]), tuple(classes)): count
        for count, numbers, classes in table["programs"]
    }


def likely_next(
    needed: set[KernelAddress], classes: set[str], awaited: Sequence[KernelAddress] = ()
) -> list[KernelAddress]:
    """Returns the kernels that a program probably needs, in the order in which they are worth compiling ahead.

    Args:
        needed: the kernels that it has needed.
        classes: the names of the classes of its layers, losses and optimizers.
        awaited: the kernels that it can do without until they are compiled. They come after those of the first step.
    """
    weights: defaultdict[KernelAddress, float] = defaultdict(float)
    weights_after: defaultdict[KernelAddress, float] = defaultdict(float)  # by programs that use it later
    places: defaultdict[KernelAddress, float] = defaultdict(float)
    total = 0.0
    for program, count in typical_programs().items():
        shared = len(needed.intersection(program.kernels)) + len(classes.intersection(program.classes))
        weight = count * (shared / max(len(needed) + len(classes), 1)) ** SHARPNESS
        total += weight
        is_after = False
        for place, address in enumerate(program.kernels):
            weights[address] += weight
            weights_after[address] += weight * is_after
            places[address] += weight * place
            is_after = is_after or address.module.startswith(LAST_OF_STEP)
    known = [a for a in weights if a not in needed and weights[a] > 0.0 and weights[a] >= LEAST_SHARE * total]

    def rank(address: KernelAddress) -> tuple[float, bool, float]:
        if address in awaited:
            return -LARGE_SHARE, True, -math.inf
        weight = weights[address]
        is_likely_after = weights_after[address] > weight / 2
        return -min(round(weight / total, 1), LARGE_SHARE), is_likely_after, -places[address] / weight

    return sorted(dict.fromkeys([*known, *awaited]), key=rank)


class CompilationAhead:
    """The kernels that this program has compiled or awaited, and those that the other process compiles for it.

    A forked child compiles nothing ahead.
    """

    def __init__(self) -> None:
        self._is_off = False
        self._forget()

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._needed: set[KernelAddress] = set()
        self._requested: set[KernelAddress] = set()
        self._awaited: list[KernelAddress] = []
        self._queue: list[KernelAddress] = []
        self._running: KernelAddress | None = None
        self._thread: threading.Thread | None = None
        self._last_compilation = 0.0

    def turn_off(self) -> None:
        """Compiles nothing ahead from now on. A forked child calls it: its thread and lock are the parent's."""
        self._is_off = True
        self._forget()

    def has_compiled(self, source: KernelSource, kernels_from_cache: int = 0) -> bool:
        """Returns whether the other process has compiled a kernel, after waiting for it if it is at work on it.

        Else the caller compiles it. The other process goes on with what probably comes next, unless most kernels were in the
        cache before: then what comes next is probably there, too.

        Args:
            source: the kernel, which no cache had.
            kernels_from_cache: the number of kernels read from a cache.
        """
        address = address_of(source)
        if address is None or not self._is_allowed():
            return False
        with self._changed:
            with phase("waiting"):
                while self._running == address:
                    self._changed.wait()
            self._needed.add(address)
            self._last_compilation = time.monotonic()
            is_warm = kernels_from_cache > len(self._requested) + len(self._needed)
            awaited = [a for a in self._awaited if a not in self._needed]
            likely = awaited if is_warm else likely_next(self._needed, MADE_CLASSES, awaited)
            self._queue = [a for a in likely if a not in self._requested]
            self._start()
            return address in self._requested

    def is_awaited(self, source: KernelSource) -> bool:
        """Returns whether the other process compiles a kernel, or will do so.

        Args:
            source: the kernel, which no cache had. This program can do without it until it is compiled.
        """
        address = address_of(source)
        if address is None or not self._is_allowed():
            return False
        with self._changed:
            if address not in (*self._requested, *self._awaited):
                self._awaited.append(address)
                if address not in self._queue:
                    self._queue.append(address)
                self._start()
            return self._running == address or address in self._queue

    def _start(self) -> None:
        """Starts the thread that has the queue compiled, unless it runs; the caller holds the lock."""
        if self._thread is None and self._queue:
            self._thread = threading.Thread(target=self._work, name="fastgrad-compile-ahead", daemon=True)
            self._thread.start()

    def is_at_work(self) -> bool:
        """Returns whether the other process compiles something now, or soon."""
        return self._thread is not None

    def is_at_work_on(self, source: KernelSource) -> bool:
        """Returns whether the other process compiles a kernel now."""
        with self._changed:
            return self._running is not None and self._running == address_of(source)

    def _is_allowed(self) -> bool:
        return not self._is_off and second_process.is_allowed() and default_threads() > 1

    def _work(self) -> None:
        """Has the other process compile what is in the queue, until it is empty or this program compiles nothing any more."""
        request: tuple[str, tuple[Any, ...]] | None = PREPARE
        while request is not None:
            try:
                second_process.call(*request)
            except second_process.FAILURES:
                self._is_off = True
            finally:
                request = self._next_request()

    def _next_request(self) -> tuple[str, tuple[Any, ...]] | None:
        """Ends the last request and wakes the threads that wait for it. Returns the next request; None if there is none."""
        with self._changed:
            self._running = None
            self._changed.notify_all()
            if time.monotonic() - self._last_compilation > PATIENCE_SECONDS:
                self._queue = [a for a in self._queue if a in self._awaited]
            if self._queue and not self._is_off:
                self._running = self._queue.pop(0)
                self._requested.add(self._running)
                return COMPILE, self._running
            self._thread = None
            return None


COMPILATION_AHEAD = CompilationAhead()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=COMPILATION_AHEAD.turn_off)
