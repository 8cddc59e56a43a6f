"""The tools that are compared: fastgrad, C++ programs and Python tools of a copy of GradBench."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.apart import thread_settings
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.tool import NAME as OURS
from benchmarks.peers.process import PeerError, PeerProcess

MANUAL = "manual"
PYTHON_TOOLS = Path("python", "gradbench", "gradbench", "tools")


class AbsentError(Exception):
    """An error: this tool, or its function for this problem, is not there."""


class FailedError(Exception):
    """An error: a tool crashed, hung, or answered that it failed."""


@dataclass(frozen=True)
class Answer:
    """The result of a function, as JSON, and the seconds of each of its runs."""

    output: Any
    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


class Contestant(Protocol):
    """A tool that can be measured."""

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        """Runs a function of a problem on an input.

        Raises:
            AbsentError: the tool does not have it.
            FailedError: the tool crashed, hung, or answered that it failed.
        """

    def close(self) -> None:
        """Ends the tool's process."""


class Program:
    """The C++ programs of a tool, one for each problem."""

    def __init__(self, folder: Path, name: str, timeout: float) -> None:
        self._folder, self._name, self._timeout = folder, name, timeout

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        program = Path("tools", self._name, "bin", problem.name)
        if not (self._folder / program).exists():
            raise AbsentError(f"no {program}")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(fields, file)
            file.flush()
            command = [str(self._folder / program), file.name, function]
            lines = self._lines(command)
        output, *timings = map(json.loads, lines)
        return _answer(output, timings)

    def _lines(self, command: Sequence[str]) -> list[str]:
        try:
            finished = subprocess.run(
                command,
                env=os.environ | thread_settings(1),
                capture_output=True,
                text=True,
                check=False,
                timeout=self._timeout,
            )
        except subprocess.TimeoutExpired:
            raise FailedError(f"no answer after {self._timeout:.0f} s") from None
        if finished.returncode:
            raise FailedError(_last_line(finished.stderr) or f"exit code {finished.returncode}")
        return finished.stdout.splitlines()

    def close(self) -> None:
        """Does nothing: a program ends with its answer."""


class Conversation:
    """A tool that answers GradBench's messages in a Python process, which stands still while others are measured."""

    def __init__(self, python: str, module: str, path: Sequence[Path], timeout: float) -> None:
        self._start = (python, 1, {"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {}, (module,))
        self._timeout = timeout
        self._process: PeerProcess | None = None
        self._absent: dict[str, str] = {}  # by problem, why it has no functions; empty where it has
        self._messages = 0

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        if problem.name not in self._absent:
            answer = self._ask("define", module=problem.name)
            self._absent[problem.name] = (
                "" if answer["success"] else _last_line(answer.get("error") or "no such module")
            )
        if self._absent[problem.name]:
            raise AbsentError(self._absent[problem.name])
        answer = self._ask("evaluate", module=problem.name, function=function, input=fields)
        if not answer["success"]:
            raise FailedError(_last_line(answer.get("error") or "no reason told"))
        return _answer(answer["output"], answer["timings"])

    def _ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._messages += 1
        try:
            if self._process is None:
                self._process = PeerProcess(*self._start)
            self._process.resume()
            answer = self._process.ask(self._timeout, do=kind, kind=kind, id=self._messages, **fields)
        except PeerError as error:
            self.close()
            raise FailedError(_last_line(error.output) or str(error)) from None
        self._process.stop()
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


class Nothing:
    """A tool that is not there."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        raise AbsentError(self._reason)

    def close(self) -> None:
        """Does nothing."""


def contestant(name: str, folder: Path | None, python: str, timeout: float) -> Contestant:
    """Returns the tool of this name.

    Args:
        name: fastgrad, or a tool of GradBench.
        folder: the copy of GradBench; None where there is none.
        python: the Python that has the libraries of Python tools.
        timeout: the most seconds that one answer may take.
    """
    if name == OURS:
        return Conversation(sys.executable, "benchmarks.gradbench.tool", (), timeout)
    if folder is None:
        return Nothing("no copy of GradBench named")
    if (folder / PYTHON_TOOLS / name / "run.py").exists():
        # The tool's own folder is where it looks for the modules of problems.
        path = (folder / PYTHON_TOOLS.parts[0] / PYTHON_TOOLS.parts[1], folder / PYTHON_TOOLS / name)
        return Conversation(python, f"gradbench.tools.{name}.run", path, timeout)
    if (folder / "tools" / name).is_dir():
        return Program(folder, name, timeout)
    return Nothing(f"no tool of this name in {folder}")


def _answer(output: Any, timings: Sequence[dict[str, Any]]) -> Answer:
    return Answer(output, [timing["nanoseconds"] / 1e9 for timing in timings if timing["name"] == "evaluate"])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
