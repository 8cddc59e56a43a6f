"""The process of a library that repeats a case in native loops: `python -m benchmarks.peers.repeats FAMILY LIBRARY THREADS`.

Driven by lines of JSON over its pipes, like `worker.py`. `{"do": "prepare", "case": …}` makes a case of a family ready (`products.py`, `operations.py`) and answers how
far its result is from float64's, and how long one repeat takes; `{"do": "slice", "repeats": n}` with the seconds of one repeat, the
shortest of a few stretches of so many, in fastgrad's process with the peak of the machine just before and after. A process stands still while others are timed.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers import operations, products
from benchmarks.peers.worker import die_with_parent, first_words, limit_threads

FAMILIES = {"products": products, "operations": operations}
STRETCHES = 3
Repeat = Callable[[int], Any]


def main() -> None:
    """Reads requests as lines of JSON and prints an answer for each; output of libraries goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    die_with_parent()
    family, library, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    limit_threads(threads)
    process = Repeats(FAMILIES[family], library, threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = (
                process.prepare(request["case"]) if request["do"] == "prepare" else process.slice(request["repeats"])
            )
        except ModuleNotFoundError as error:
            answer = {"missing": error.name}
        except Exception as error:  # noqa: BLE001 - whatever it is goes into the table
            traceback.print_exc()
            answer = {"failed": first_words(error)}
        answers.write(json.dumps(answer) + "\n")


class Repeats:
    """A library in this process that repeats cases."""

    def __init__(self, family: Any, library: str, threads: int) -> None:
        self._family = family
        self._prepare = family.LIBRARIES[library]
        self._threads = threads
        self._repeat: Repeat | None = None
        self._peak: Callable[[], float] | None = None
        if library == "fastgrad":
            from benchmarks.peers.limits import Arithmetic

            self._peak = Arithmetic(threads).flops_per_second

    def prepare(self, case: Any) -> dict[str, Any]:
        """Prepares a case, compares its result with float64, and times one repeat."""
        inputs = self._family.inputs_of(case)
        self._repeat = self._prepare(case, inputs, self._threads)
        error = self._family.error_of(case, inputs, np.asarray(self._repeat(1), np.float64))
        repeats, seconds = 1, 0.0
        while seconds < 1e-3:
            repeats *= 4
            seconds = self._seconds(repeats)
        return {"error": error, "seconds": seconds / repeats}

    def slice(self, repeats: int) -> dict[str, Any]:
        """Returns the seconds of a repeat, and the peak in operations per second."""
        peaks = [self._peak()] if self._peak else []
        self._seconds(max(1, repeats // 4))
        best = min(self._seconds(repeats) for _ in range(STRETCHES)) / repeats
        peaks += [self._peak()] if self._peak else []
        return {"seconds": best} | ({"peak": max(peaks)} if peaks else {})

    def _seconds(self, repeats: int) -> float:
        assert self._repeat is not None, "slice before prepare"
        began = time.perf_counter()
        self._repeat(repeats)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
