"""Records TensorFlow's derivatives: `python -m tests.reliability.gradients.record [MODULE ...]`."""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conformance.record import referee_python, run_tensorflow

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


def main() -> None:
    """Asks TensorFlow for the derivatives of all cases, or those of the named modules, and writes them."""
    python = referee_python()
    if python is None:
        raise SystemExit("no TensorFlow: name a Python that has it in FASTGRAD_REFEREE_PYTHON")
    EXPECTED.mkdir(exist_ok=True)
    for module, cases in asked_now(python, sys.argv[1:]).items():
        data = gzip.compress(json.dumps(cases, separators=(",", ":")).encode(), 9, mtime=0)
        (EXPECTED / f"{module}.json.gz").write_bytes(data)
        print(f"{module}: {len(cases)} cases, {len(data):,} bytes")


if __name__ == "__main__":
    main()
