"""Compilation beside the program: calls of a function run Python until another thread has compiled it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from fastgrad._src.jit.jit_switch import compiling_threads

_is_on = [False]


def set_background_compilation(enabled: bool) -> None:
    """Switches compilation beside the program on or off, for functions under ``tf.function`` that are not compiled yet.

    With it, a call never waits for the compiler: it runs Python until another thread has compiled the program, and the first
    results come at once. Eager steps share the processors with the compiler meanwhile. A program may add in another order than
    eager operations, so the last bits of a training depend on how long the compiler takes. These calls wait as without it:
    calls under a tape, calls that all processes of a job make together, calls on a GPU, and all calls after
    ``tf.config.experimental.enable_op_determinism``. A process that ends waits for its compilations, which are kept on disk.

    Args:
        enabled: True to compile beside; False, the default, to let calls wait for the compiler.
    """
    _is_on[0] = bool(enabled)


def get_background_compilation() -> bool:
    """Returns whether ``set_background_compilation`` is on."""
    return _is_on[0]


class StillCompiling(Exception):
    """Raised for a call whose program another thread compiles."""


class BackgroundCompilation:
    """Work of the compiler in another thread.

    Args:
        work: compiles.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fastgrad compiler")
        compiling_threads.add(self._thread)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  # the next call raises it
            self._error = error
        finally:
            compiling_threads.discard(self._thread)

    def is_running(self) -> bool:
        """Returns whether the work goes on."""
        return self._thread.is_alive()

    def raise_error(self) -> None:
        """Raises the error that the work ended with, if it did."""
        if self._error is not None:
            raise self._error

    @staticmethod
    def wait_for_all() -> None:
        """Waits until no compilation runs: a child of a fork could not go on with it, and the compiler's locks would stay locked."""
        for thread in list(compiling_threads):
            if thread is not threading.current_thread():
                thread.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=BackgroundCompilation.wait_for_all)
