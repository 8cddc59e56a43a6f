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
from typing import Any

from benchmarks.apart import thread_settings
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.tool import NAME as OURS
from benchmarks.peers.process import PeerError, PeerProcess

MANUAL = "manual"
PYTHON_TOOLS = Path("gradbench", "tools")
PREFIX = "ModuleNotFoundError: "


class ToolError(Exception):
    """An error: a tool has no such function, crashed, hung, or answered that it failed."""


@dataclass(frozen=True)
class Answer:
    """The result of a function, as JSON, and the median seconds of its runs."""

    output: Any
    seconds: float


class Program:
    """The C++ programs of a tool, one for each problem."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self._folder, self._timeout = folder, timeout

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        """Returns the answer of a function of a problem to an input, or raises `ToolError`."""
        program = self._folder / "bin" / problem.name
        if not program.exists():
            raise ToolError(f"no {self._folder.name}/bin/{problem.name}")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(fields, file)
            file.flush()
            try:
                finished = subprocess.run(
                    [str(program), file.name, function],
                    env=os.environ | thread_settings(1),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=self._timeout,
                )
            except subprocess.TimeoutExpired:
                raise ToolError(f"no answer after {self._timeout:.0f} s") from None
        if finished.returncode:
            raise ToolError(_last_line(finished.stderr) or f"exit code {finished.returncode}")
        output, *timings = map(json.loads, finished.stdout.splitlines())
        return _answer(output, timings)

    def close(self) -> None:
        """Does nothing: a program ends with its answer."""


class Conversation:
    """A tool that answers GradBench's messages in a Python process, which stands still while others are measured."""

    def __init__(self, python: str, module: str, path: Sequence[Path], timeout: float) -> None:
        self._start = (python, 1, {"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {}, (module,))
        self._timeout = timeout
        self._process: PeerProcess | None = None
        self._reasons: dict[str, str] = {}  # why the tool lacks a problem; empty where it has it
        self._messages = 0

    def evaluate(self, problem: Problem, function: str, fields: Any) -> Answer:
        """Returns the answer of a function of a problem to an input, or raises `ToolError`."""
        if problem.name not in self._reasons:
            answer = self._ask("define", module=problem.name)
            self._reasons[problem.name] = "" if answer["success"] else _error(answer)
        if self._reasons[problem.name]:
            raise ToolError(self._reasons[problem.name])
        answer = self._ask("evaluate", module=problem.name, function=function, input=fields)
        if not answer["success"]:
            raise ToolError(_error(answer))
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
            raise ToolError(_last_line(error.output) or str(error)) from None
        except ValueError as error:
            self.close()
            raise ToolError(f"its answer is not JSON: {error}") from None
        self._process.stop()
        return answer

    def close(self) -> None:
        """Ends the process; the next question starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None


Contestant = Program | Conversation


def contestant(name: str, folder: Path | None, python: str, timeout: float) -> Contestant:
    """Returns the tool of this name.

    Args:
        name: fastgrad, or a tool of GradBench.
        folder: the copy of GradBench; None where there is none.
        python: the Python that has the libraries of Python tools.
        timeout: the most seconds that one answer may take.

    Raises:
        ToolError: there is no such tool.
    """
    if name == OURS:
        return Conversation(sys.executable, "benchmarks.gradbench.tool", (), timeout)
    if folder is None:
        raise ToolError("no copy of GradBench named")
    package = folder / "python" / "gradbench"
    if (package / PYTHON_TOOLS / name / "run.py").exists():
        # The tool looks for the modules of problems in its own folder.
        return Conversation(python, f"gradbench.tools.{name}.run", (package, package / PYTHON_TOOLS / name), timeout)
    if (folder / "tools" / name).is_dir():
        return Program(folder / "tools" / name, timeout)
    raise ToolError(f"no tool {name} in {folder}")


def _answer(output: Any, timings: Sequence[dict[str, Any]]) -> Answer:
    return Answer(output, statistics.median(t["nanoseconds"] for t in timings if t["name"] == "evaluate") / 1e9)


def _error(answer: dict[str, Any]) -> str:
    return _last_line(answer.get("error") or "").removeprefix(PREFIX) or "failed without a reason"


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
