"""Keeps TensorFlow's derivatives of the cases (`tests/record.py`)."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.record import required_python, run_tensorflow

EXPECTED = Path(__file__).parent / "expected"


def recorded(module: str) -> dict[str, Any]:
    """TensorFlow's derivatives of the cases of a module: `{case: {"first float64": [...], ...}}`."""
    file = EXPECTED / f"{module}.json.gz"
    return json.loads(gzip.decompress(file.read_bytes())) if file.exists() else {}


def asked_now(python: Path, modules: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What TensorFlow answers today, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "answers.json")
        run_tensorflow(python, "tests.reliability.gradients.answers", "tensorflow", file, *modules)
        answers = json.loads(file.read_text(encoding="utf-8"))
    for answer in (answer for cases in answers.values() for case in cases.values() for answer in case.values()):
        if isinstance(answer, dict):
            answer.pop("message", None)  # TensorFlow's words are not part of the contract
    return answers


def asked() -> dict[str, set[str]]:
    """The questions of each module of cases, as `case: mode dtype`."""
    from .case import all_cases
    from .derivatives import questions

    return {
        module: {
            f"{name}: {mode} {dtype}" for name, case in cases.items() for mode, dtype in questions(case, full=True)
        }
        for module, cases in all_cases().items()
    }


def answered() -> dict[str, set[str]]:
    """The questions of each module that have answers."""
    modules = [file.name.partition(".")[0] for file in EXPECTED.glob("*.json.gz")]
    return {
        module: {f"{name}: {question}" for name, answers in recorded(module).items() for question in answers}
        for module in modules
    }


def record(files: Collection[str], *, again: bool) -> None:
    """Asks TensorFlow for the derivatives of all cases of modules, and writes them."""
    answers = asked_now(required_python(), [*files])
    for module in files:
        file = EXPECTED / f"{module}.json.gz"
        if module in answers:
            file.write_bytes(gzip.compress(json.dumps(answers[module], separators=(",", ":")).encode(), 9, mtime=0))
        else:
            file.unlink()
