"""Checks which Numba functions of a package fastgrad can differentiate: ``python -m fastgrad.differentiate PACKAGE -- pytest …``.

The command after ``--`` runs in this process: a module such as pytest, or a script. It records the first calls of each function of the package that ``numba.njit``
or ``numba.vectorize`` compiled, calls from compiled functions included. Then one process for each function compares its derivatives with central differences.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import runpy
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numba

from fastgrad._src.commands.command_line import ends_quietly
from fastgrad._src.derivatives.package_check.compare import STATUSES, Outcome, compare_derivatives_of_call
from fastgrad._src.derivatives.package_check.record import Call, CallRecorder, python_function_of
from fastgrad._src.jit.numba_internals import CPUDispatcher, DUFunc, GUFunc, JitClassType, parallel


@ends_quietly
def main(
    arguments: Sequence[str] | None = None, compare: Callable[[Call], Outcome] = compare_derivatives_of_call
) -> int:
    """Runs a command, and checks the derivatives of what it calls.

    Args:
        arguments: the words of the command; default: those of this process.
        compare: compares the derivatives of a call.

    Returns:
        The exit status: 1 if a derivative disagrees with differences, if the command fails, or if it calls no function of the package; else 0. For an invalid command,
        `SystemExit` gives 2.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    own, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = argparse.ArgumentParser(
        prog="python -m fastgrad.differentiate",
        usage="%(prog)s PACKAGE [options] -- (MODULE | SCRIPT.py) [arguments]",
        description="Checks the derivatives of the functions of a package that numba.njit compiled, for the arguments that a command gives them.",
    )
    parser.add_argument("package", help="the name by which the package is imported")
    parser.add_argument("--limit", type=int, default=3, help="how many calls of a function are checked (default 3)")
    parser.add_argument("--seconds", type=float, default=120.0, help="the time for a function (default 120)")
    parser.add_argument("--out", help="a file for the report, in JSON")
    options = parser.parse_args(own)
    if not command:
        parser.error("no command: give one after --, such as -- pytest tests")
    # Threads of OpenMP do not survive a fork.
    numba.config.THREADING_LAYER = os.environ.get("NUMBA_THREADING_LAYER", "workqueue")
    recorder = CallRecorder(options.package, options.limit)
    with recorder.recording():
        has_ended = _run_command(command)
    recorder.record_inner_calls()
    report: list[dict[str, Any]] = []
    for calls in list(recorder.calls.values()):
        function = _function_report(calls, options.seconds, compare)
        report.append(function)
        print(f"{function['status']:10}  {function['name']}  {function['reason'][:300]}".rstrip(), flush=True)
        _write_report(options, functions=report)
    unchecked = _unchecked_functions(recorder)
    _write_report(options, functions=report, unchecked=unchecked)
    counts = Counter(function["status"] for function in report)
    texts = [f"{counts[status]} {status}" for status in STATUSES]
    texts += [f"{len(names)} {reason}" for reason, names in unchecked.items()]
    print(f"{options.package}: {', '.join(texts)}")
    for reason, names in unchecked.items():
        if names:
            print(f"{reason}: {', '.join(names)}{_REMEDIES.get(reason, '')}")
    if not report:
        print(f"{options.package}: the command called no function of the package", file=sys.stderr)
    return 1 if counts["disagrees"] or not report or not has_ended else 0


def _write_report(options: argparse.Namespace, **parts: Any) -> None:
    if options.out:
        with open(options.out, "w") as file:
            json.dump({"package": options.package, **parts}, file, indent=1)


def _run_command(command: list[str]) -> bool:
    """Runs a script, or a module as ``python -m`` does; returns whether it ended without an error."""
    sys.argv = list(command)
    sys.path.insert(0, os.path.dirname(os.path.abspath(command[0])) if command[0].endswith(".py") else os.getcwd())
    try:
        if command[0].endswith(".py"):
            runpy.run_path(command[0], run_name="__main__")
        else:
            runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            print(f"{command[0]} ended with exit status {stop.code}", file=sys.stderr)
            return False
    except Exception:  # noqa: BLE001  # what it has called until then is checked
        traceback.print_exc()
        return False
    return True


_REMEDY = ": fastgrad differentiates functions of numba.njit; write some that call these"
_REMEDIES = {"methods of jitclass": _REMEDY, "guvectorize": _REMEDY}
"""What a user can do for functions that have no derivatives of their own."""


def _unchecked_functions(recorder: CallRecorder) -> dict[str, list[str]]:
    """Returns the names of the compiled functions of the package that have no report, by the reason."""
    # Not isinstance: it calls weak proxies, also of objects that are gone.
    objects = [(type(value), value) for value in gc.get_objects()]
    classes = [value.class_type for kind, value in objects if issubclass(kind, JitClassType)]
    of_reason = {
        "methods of jitclass": [  # static methods are plain functions
            function
            for kind in classes
            for function in (
                *kind.jit_methods.values(),
                *(function for pair in kind.jit_props.values() for function in pair.values()),
            )
        ],
        "guvectorize": [value for kind, value in objects if issubclass(kind, GUFunc)],
        "not called": [value for kind, value in objects if issubclass(kind, (CPUDispatcher, DUFunc))],
    }
    known, unchecked = {*recorder.calls}, {}
    for reason, functions in of_reason.items():
        of_package = [python_function_of(function) for function in functions if recorder.is_of_package(function)]
        names = {python_function.__code__: _name_of(python_function) for python_function in of_package}
        unchecked[reason] = sorted(name for code, name in names.items() if code not in known)
        known.update(names)
    return unchecked


def _name_of(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _function_report(calls: list[Call], seconds: float, compare: Callable[[Call], Outcome]) -> dict[str, Any]:
    """Returns what a process finds about a function, whatever ends it."""
    python_function = calls[0].python_function
    outcomes, end, cpu_seconds = _outcomes_of_process(calls, seconds, compare)
    statuses = {outcome["status"] for outcome in outcomes}
    if end and len(outcomes) < len(calls):
        outcomes.append(
            {"status": "too slow" if end.startswith("takes") else "failed", "reason": end, "directions": {}}
        )
        statuses.add(outcomes[-1]["status"])
    status = next(status for status in STATUSES if status in statuses)
    return {
        "name": _name_of(python_function),
        "file": python_function.__code__.co_filename,
        "line": python_function.__code__.co_firstlineno,
        "status": status,
        "reason": next(outcome["reason"] for outcome in outcomes if outcome["status"] == status),
        "seconds": round(cpu_seconds, 2),
        "calls": outcomes,
    }


def _outcomes_of_process(
    calls: list[Call], seconds: float, compare: Callable[[Call], Outcome]
) -> tuple[list[dict[str, Any]], str, float]:
    """Returns the outcomes of calls that a child process has checked, why it stopped early, and its seconds of CPU time."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            if parallel._is_initialized:  # a fork ends the threads, and Numba's work queue does not start them again
                parallel._is_initialized = False
                parallel._launch_threads()
            with os.fdopen(writing, "w") as pipe:
                for call in calls:
                    pipe.write(json.dumps(compare(call)._asdict()) + "\n")
                    pipe.flush()
        except BaseException:  # noqa: BLE001  # the parent reports that the process ended
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    received, deadline, end = b"", time.monotonic() + seconds, ""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                os.kill(child, signal.SIGKILL)
                end = f"takes longer than {seconds:g} s"
                break
            part = pipe.read(1 << 16)
            if not part:
                break
            received += part
    _, wait_status, usage = os.wait4(child, 0)
    status = os.waitstatus_to_exitcode(wait_status)
    if status < 0 and not end:
        end = f"the process was ended by {signal.Signals(-status).name}"
    outcomes = [json.loads(line) for line in received.split(b"\n")[:-1]]
    return outcomes, end or "the process ended", usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
