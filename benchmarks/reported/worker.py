"""The process of a contestant: `python -m benchmarks.reported.worker THREADS`, driven by lines of JSON over its pipes.

`{"do": "prepare", "program": …, "size": …}` compiles and runs a program once, and answers its values, the seconds of its
first call and the library's version. `{"do": "slice", "seconds": …}` answers the CPU and wall seconds of a call.
"""

import importlib.metadata
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.peers.worker import die_with_parent, first_words, limit_threads

SAMPLES = 1000
MOST_CALLS = 20_000
PACKAGES = {"fastgrad": "fastgrad", "jax": "jax", "tensorflow": "tensorflow", "torch": "torch", "keras": "keras"}


class Repeats:
    """The calls of a case's program in this process."""

    def __init__(self) -> None:
        self.call: Callable[[], Any] = lambda: None
        self.seconds = 0.0

    def prepare(self, program: str, size: int) -> dict[str, Any]:
        """Makes a program ready; returns its values, its first call's seconds and versions."""
        call, values, first = first_call(program, size)
        self.call = call
        self.call()
        began = time.perf_counter()
        self.call()
        self.seconds = time.perf_counter() - began
        return {"values": list(arrays_of(values)), "first": first, "versions": loaded_versions()}

    def slice(self, seconds: float) -> dict[str, float]:
        """Returns the mean CPU and wall seconds of a call over about so many seconds, after one that is not timed."""
        self.call()
        calls = max(1, min(MOST_CALLS, round(seconds / self.seconds)))
        began, began_cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            self.call()
        cpu, wall = time.process_time() - began_cpu, time.perf_counter() - began
        return {"cpu": cpu / calls, "wall": wall / calls}


def first_call(program: str, size: int) -> tuple[Callable[[], Any], Any, float]:
    """Runs a case's program once.

    Args:
        program: what `Case.program` returns.
        size: what its `arguments` takes.

    Returns:
        the function that is timed, the values to compare, and the CPU seconds of the first call.
    """
    scope: dict[str, Any] = {"__name__": "reported_case"}
    exec(compile(program, "<reported case>", "exec"), scope)  # noqa: S102 - a text of this repository
    made = scope["make"](*scope["arguments"](size))
    call, values = made if isinstance(made, tuple) else (made, None)
    began = time.process_time()
    result = call()
    return call, result if values is None else values, time.process_time() - began


def arrays_of(values: Any) -> Iterator[list[float]]:
    """Yields, of each array of a nested result, its sum of absolute values and at most `SAMPLES` evenly spaced elements."""
    if isinstance(values, tuple | list):
        for value in values:
            yield from arrays_of(value)
        return
    array = np.asarray(values, np.float64).ravel()
    yield [float(np.abs(array).sum()), *map(float, array[:: max(1, array.size // SAMPLES)])]


def loaded_versions() -> dict[str, str]:
    """Returns the versions of the libraries that this process has imported."""
    found = {}
    for module, package in PACKAGES.items():
        if module in sys.modules:
            own = getattr(sys.modules[module], "__version__", None)
            found[package] = own or importlib.metadata.version(package)
    return found


def main() -> None:
    """Reads requests as lines of JSON and prints an answer for each; output of libraries goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    die_with_parent()
    limit_threads(int(sys.argv[1]))
    repeats = Repeats()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                answer: dict[str, Any] = repeats.prepare(request["program"], request["size"])
            else:
                answer = repeats.slice(request["seconds"])
        except Exception as error:  # noqa: BLE001 - whatever it is goes onto the page
            traceback.print_exc()
            answer = {"failed": first_words(error)}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
