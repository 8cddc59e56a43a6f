"""Measures TensorFlow: `python -m tests.reliability.accuracy.record` writes `tensorflow.json`, which the tests compare with.

For each function and dtype it has the greatest error in units of the last place by part of the range.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import fastgrad
from tests.conformance.record import referee_python
from tests.reliability.accuracy import referee
from tests.reliability.accuracy.exact import errors, errors_of_complex, errors_of_halves, exact
from tests.reliability.accuracy.functions import COMPLEX as COMPLEX_ROWS
from tests.reliability.accuracy.functions import ROWS, Row
from tests.reliability.accuracy.points import COMPLEX, HALVES, points

FILE = Path(__file__).parent / "tensorflow.json"
DTYPES = ("float32", "float64")


def written(worst: float) -> float:
    """An error with three digits, rounded up."""
    return float(f"{worst * 1.005:.3g}")


def distances(name: str, row: Row, dtype: str, got: np.ndarray, arguments: tuple[np.ndarray, ...]) -> np.ndarray:
    """The errors of results, in units of the last place."""
    if dtype in COMPLEX:
        return errors_of_complex(name, got, arguments, dtype)
    if dtype in HALVES:
        wanted = row.call(fastgrad, *[fastgrad.constant(x.astype(np.float64)) for x in arguments])
        return errors_of_halves(got, wanted.numpy(), dtype)
    return errors(got, exact(name, arguments), dtype)


def main() -> None:
    python = referee_python()
    if python is None:
        raise SystemExit("no TensorFlow: name a Python that has it in FASTGRAD_REFEREE_PYTHON")
    arguments: dict[str, Any] = {}
    for table, rows, dtypes in (("real", ROWS, (*DTYPES, *HALVES)), ("complex", COMPLEX_ROWS, COMPLEX)):
        for name, row in rows.items():
            for dtype in dtypes:
                for part, xs in points(name, row, dtype).items():
                    arguments[f"{table}/{name}/{dtype}/{part}"] = xs
    answers = referee.results(
        python,
        {
            key: tuple(x.astype(np.float32) if x.dtype in HALVES.values() else x for x in xs)
            for key, xs in arguments.items()
        },
    )
    table: dict[str, Any] = {}
    for key, got in answers.items():
        kind, name, dtype, part = key.split("/")
        worst = distances(name, referee.operation_of(kind, name), dtype, got, arguments[key]).max()
        table.setdefault(name, {}).setdefault(dtype, {})[part] = written(worst)
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(table.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
