"""Measures TensorFlow and keeps its errors in `tensorflow.json`, which the tests compare with (`tests/record.py`).

For each function and dtype it has the greatest error in units of the last place by part of the range.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

import fastgrad
from tests.conformance.record import required_python
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


def recorded() -> dict[str, Any]:
    """TensorFlow's errors by function, dtype and part of the range."""
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def asked() -> dict[str, set[str]]:
    """The functions that are measured."""
    return {"tensorflow": {*ROWS, *COMPLEX_ROWS}}


def answered() -> dict[str, set[str]]:
    """The functions of which TensorFlow was measured."""
    return {"tensorflow": {*recorded()}}


def record(files: Collection[str], *, again: bool) -> None:
    """Measures TensorFlow's functions, those that are not recorded or all of them `again`."""
    functions = asked()["tensorflow"]
    table = {} if again else {name: row for name, row in recorded().items() if name in functions}
    if functions - {*table}:
        table |= measured(functions - {*table})
    lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(table.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def measured(functions: Collection[str]) -> dict[str, Any]:
    """TensorFlow's errors of functions, by dtype and part of the range; an empty table for what it lacks."""
    arguments: dict[str, Any] = {}
    for table, rows, dtypes in (("real", ROWS, (*DTYPES, *HALVES)), ("complex", COMPLEX_ROWS, COMPLEX)):
        for name, row in rows.items():
            for dtype in dtypes if name in functions else ():
                for part, xs in points(name, row, dtype).items():
                    arguments[f"{table}/{name}/{dtype}/{part}"] = xs
    answers = referee.results(
        required_python(),
        {
            key: tuple(x.astype(np.float32) if x.dtype in HALVES.values() else x for x in xs)
            for key, xs in arguments.items()
        },
    )
    table: dict[str, Any] = {name: {} for name in functions}
    for key, got in answers.items():
        kind, name, dtype, part = key.split("/")
        worst = distances(name, referee.operation_of(kind, name), dtype, got, arguments[key]).max()
        table.setdefault(name, {}).setdefault(dtype, {})[part] = written(worst)
    return table
