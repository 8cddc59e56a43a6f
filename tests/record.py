"""The answers that tests compare with and that files keep: most are TensorFlow's. `make record` asks for those that are missing or stale.

python -m tests.record              # asks the questions of files in which an answer is missing, or belongs to no question any more
python -m tests.record NAME ...     # asks all questions of these files again
python -m tests.record --missing    # lists the questions without an answer and the stale answers; needs no TensorFlow

TensorFlow runs in the Python that FASTGRAD_REFEREE_PYTHON names, else in `.venv-conformance`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Collection, Iterable
from typing import Protocol, cast

import pytest

from tests.selection import cache_folder

Questions = dict[str, set[str]]
"""Questions by the file, without its suffix, that has their answers."""


class Recorder(Protocol):
    """A module that keeps the answers of a suite."""

    def asked(self) -> Questions:
        """The questions that the suite asks."""

    def answered(self) -> Questions:
        """The questions that have answers."""

    def record(self, files: Collection[str], *, again: bool) -> None:
        """Writes the answers of files. Unless `again`, a file may keep answers to questions that are still asked."""


RECORDERS = (
    "tests.conformance.record",
    "tests.keras.recorded_answers",
    "tests.reliability.gradients.record",
    "tests.reliability.accuracy.record",
    "tests.reliability.bad_input.record",
    "tests.derivatives.record",
)


def recorders() -> dict[str, Recorder]:
    """The modules by the names of their packages."""
    return {
        name.rpartition(".")[0].removeprefix("tests."): cast(Recorder, importlib.import_module(name))
        for name in RECORDERS
    }


def differences(recorder: Recorder) -> tuple[Questions, Questions]:
    """The questions of each file that have no answer, and those that are answered and not asked."""
    asked, answered = recorder.asked(), recorder.answered()
    files = sorted({*asked, *answered})
    missing = {file: asked.get(file, set()) - answered.get(file, set()) for file in files}
    stale = {file: answered.get(file, set()) - asked.get(file, set()) for file in files}
    return missing, stale


def skip_unanswered(questions: Iterable[str], what: str = "has no answer") -> None:
    """Skips a test if there are questions without an answer; the message lists them."""
    listed = sorted(questions)
    if listed:
        pytest.skip(f"{what} until `make record`: {', '.join(listed)}")


def list_missing() -> None:
    """Prints the questions without an answer, and the stale answers."""
    lines = [
        f"{package}: {file}: {question} {what}"
        for package, recorder in recorders().items()
        for what, gaps in zip(("has no answer", "is not asked any more"), differences(recorder), strict=True)
        for file, questions in gaps.items()
        for question in sorted(questions)
    ]
    print(*lines, f"{len(lines)} recorded answers are missing or stale{'; make record' if lines else ''}", sep="\n")


def main(words: list[str]) -> None:
    """Records answers, or lists what is missing.

    Args:
        words: those of the command.

    Raises:
        SystemExit: there is no TensorFlow, or no file with such a name.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.record", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a file whose questions are all asked again")
    parser.add_argument("--missing", action="store_true", help="list what is missing or stale; ask nothing")
    options = parser.parse_args(words)
    if options.missing:
        list_missing()
        return
    names = options.names
    by_package = recorders()
    unknown = {*names}.difference(*(recorder.asked() for recorder in by_package.values()))
    if unknown:
        raise SystemExit(f"no file of answers has the name {', '.join(sorted(unknown))}")
    for package, recorder in by_package.items():
        gaps = differences(recorder)
        files = [file for file in gaps[0] if (file in names if names else any(gap[file] for gap in gaps))]
        if files:
            print(f"{package}: {', '.join(files)}", flush=True)
            recorder.record(files, again=bool(names))


if __name__ == "__main__":
    os.environ.setdefault("FASTGRAD_CACHE_DIR", str(cache_folder("kernels")))
    os.environ.setdefault("FASTGRAD_QUIET", "1")
    main(sys.argv[1:])
