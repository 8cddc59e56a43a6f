"""Measures TensorFlow: `python -m tests.reliability.accuracy.record` writes `tensorflow.json`, which the tests compare with.

For each function and dtype it has the greatest error in units of the last place by part of the range.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance.record import referee_python
from tests.reliability.accuracy import referee
from tests.reliability.accuracy.exact import errors, exact
from tests.reliability.accuracy.functions import ROWS
from tests.reliability.accuracy.points import points

FILE = Path(__file__).parent / "tensorflow.json"
DTYPES = ("float32", "float64")


def written(worst: float) -> float:
    """An error with three digits, rounded up."""
    return float(f"{worst * 1.005:.3g}")


def main() -> None:
    python = referee_python()
    if python is None:
        raise SystemExit("no TensorFlow: name a Python that has it in FASTGRAD_REFEREE_PYTHON")
    arguments: dict[str, Any] = {}
    for name, row in ROWS.items():
        for dtype in DTYPES:
            for part, xs in points(name, row, dtype).items():
                arguments[f"real/{name}/{dtype}/{part}"] = xs
    answers = referee.results(python, arguments)
    table: dict[str, Any] = {}
    for key, got in answers.items():
        _, name, dtype, part = key.split("/")
        worst = errors(got, exact(name, arguments[key]), dtype).max()
        table.setdefault(name, {}).setdefault(dtype, {})[part] = written(worst)
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(table.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
