"""Compilation on two processors: a second process compiles LLVM IR to object code, or compiles a kernel ahead of its use.

The second process runs `object_code.py`, which needs only llvmlite. It never runs the user's `__main__`. Only a call (`call`) makes it
import this package. It ends after some idle seconds. If it fails in any way, this process compiles everything itself.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastgrad._src.jit import object_code
from fastgrad._src.jit.locks import new_lock
from fastgrad._src.jit.object_code import Settings

VARIABLE = "FASTGRAD_COMPILER_PROCESS"

FAILURES = OSError, EOFError, ValueError, pickle.UnpicklingError
"""What is raised if the other process can't be started, or ends."""

_PACKAGE_PARENT = os.fspath(Path(__file__).parents[3])
_SECONDS_BETWEEN_TRIES = 0.01

_processes: list[subprocess.Popen] = []
_process_lock = new_lock()  # for the process's pipes


class Module:
    """A module to compile.

    Args:
        number: of the module.
        module: LLVM's module, not optimised.
        settings: how it is compiled.
    """

    def __init__(self, number: int, module: Any, settings: Settings) -> None:
        self.number, self.module, self.settings = number, module, settings
        self.bitcode: bytes = module.as_bitcode()


def is_allowed() -> bool:
    """True if this process may start another one: its program is Python, and `FASTGRAD_COMPILER_PROCESS` is not 0."""
    is_python = os.path.basename(sys.executable or "").startswith("python") and not getattr(sys, "frozen", False)
    return is_python and os.environ.get(VARIABLE) != "0"


def compile_modules(modules: Iterable[tuple[Any, Settings]]) -> list[tuple[bytes, list[str]]]:
    """Returns what `object_code.object_code` makes of modules, in their order.

    Args:
        modules: makes a module after the other in this thread.
    """
    results: dict[int, tuple[bytes, list[str]]] = {}
    waiting: deque[Module] = deque()
    there_is_one = threading.Semaphore(0)
    has_ended = threading.Event()

    def compile_in_second_process() -> None:
        with _lock_unless(has_ended) as is_locked:
            if is_locked:
                with contextlib.suppress(*FAILURES), _process() as process:
                    compile_waiting(process)

    def compile_waiting(process: subprocess.Popen) -> None:
        while True:
            there_is_one.acquire()
            try:
                one = waiting.popleft()
            except IndexError:
                if has_ended.is_set():
                    return
                continue
            try:
                results[one.number] = _compiled_by(process, one)
            finally:
                if one.number not in results:
                    waiting.append(one)

    thread = threading.Thread(target=compile_in_second_process, name="fastgrad-second-process", daemon=True)
    thread.start()
    count = 0
    try:
        for module, settings in modules:
            waiting.append(Module(count, module, settings))
            there_is_one.release()
            count += 1
        _compile_all(waiting, results)
    finally:
        has_ended.set()
        there_is_one.release()
        thread.join()
    _compile_all(waiting, results)
    return [results[number] for number in range(count)]


def _compile_all(waiting: deque[Module], results: dict[int, tuple[bytes, list[str]]]) -> None:
    """Compiles in this process what waits, the last first."""
    while True:
        try:
            one = waiting.pop()
        except IndexError:
            return
        object_code.optimise(one.module, one.settings)
        results[one.number] = object_code.object_code(one.module, one.settings)


def call(function: str, arguments: tuple[Any, ...]) -> bool:
    """Calls a function in the other process and waits for its end; returns whether it ended without an error.

    Args:
        function: a module and a name in it, as "package.module:name".
        arguments: of builtin types.

    Raises:
        FAILURES: the process could not be started, or has ended.
    """
    with _process_lock, _process() as process:
        is_done: bool = _answer(process, (function, tuple(arguments)))
    return is_done


@contextlib.contextmanager
def _lock_unless(has_ended: threading.Event) -> Iterator[bool]:
    """A context with the lock of the process; its value is False if the work has ended before the lock was free."""
    is_locked = False
    while not is_locked and not has_ended.is_set():
        is_locked = _process_lock.acquire(timeout=_SECONDS_BETWEEN_TRIES)
    try:
        yield is_locked
    finally:
        if is_locked:
            _process_lock.release()


@contextlib.contextmanager
def _process() -> Iterator[subprocess.Popen]:
    """A context with the second process, which may have to be started. An error in the context kills it."""
    process = _processes[-1] if _processes and _processes[-1].poll() is None else _started_process()
    try:
        yield process
    except BaseException:
        process.kill()
        raise


def _started_process() -> subprocess.Popen:
    """Returns a new second process, after the end of the last one."""
    _end_processes()
    command = [sys.executable, "-I", "-S", object_code.__file__]
    environment = {**os.environ, VARIABLE: "0"}
    process = subprocess.Popen(  # noqa: S603 - this Python
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    _processes.append(process)
    assert process.stdin is not None  # the pipe of this call
    object_code.send(process.stdin, [*map(os.fspath, sys.path), _PACKAGE_PARENT])
    return process


@atexit.register
def _end_processes() -> None:
    """Ends the second process and closes its pipes, if there is one."""
    while _processes:
        process = _processes.pop()
        process.kill()  # nothing in a forked child, whose parent has the process
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # the last message may be lost
                pipe.close()  # type: ignore[union-attr]  # both are pipes


def _compiled_by(process: subprocess.Popen, one: Module) -> tuple[bytes, list[str]]:
    """Returns the object code of a module and the names that it declares.

    Raises:
        OSError, EOFError: the process has ended.
    """
    answer: tuple[bytes, list[str]] = _answer(process, (one.bitcode, tuple(one.settings)))
    return answer


def _answer(process: subprocess.Popen, request: tuple[Any, Any]) -> Any:
    """Returns the answer to a request.

    Raises:
        OSError, EOFError: the process has ended.
    """
    assert process.stdin is not None  # the pipes of `_process`
    assert process.stdout is not None
    object_code.send(process.stdin, request)
    answer = object_code.receive(process.stdout)
    if answer is None:
        raise EOFError
    return answer
