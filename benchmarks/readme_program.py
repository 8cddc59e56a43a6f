"""The first program of the README, and the time until a program prints its first line."""

import subprocess
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.apart import ROOT


def readme_program() -> tuple[str, str]:
    """Returns the README's first program, and the text that it prints."""
    _, program, rest = (ROOT / "README.md").read_text(encoding="utf-8").split("```", 2)
    return program.removeprefix("python\n"), rest.split("```text\n", 1)[1].split("```", 1)[0]


class TimedRun(NamedTuple):
    """A run of a program: the seconds to its first line and to its end, what it printed, and the status of its process."""

    first: float
    whole: float
    printed: str
    status: int


def timed_run(command: Sequence[str], program: str, **options: Any) -> TimedRun:
    """Runs a program in a process of its own; the time counts from the start of the process.

    Args:
        command: the interpreter and its options.
        program: the text of the program.
        options: arguments of `subprocess.Popen`, as `env` and `cwd`.
    """
    began = time.perf_counter()
    with subprocess.Popen([*command, "-u", "-c", program], stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None  # the pipe of this call
        line = process.stdout.readline()
        first = time.perf_counter() - began
        printed = line + process.stdout.read()
    return TimedRun(first, time.perf_counter() - began, printed, process.returncode)
