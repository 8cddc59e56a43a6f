"""Writes the errors of all element-wise functions, beside TensorFlow's, into docs/accuracy.md: `python -m tests.reliability.accuracy.table`."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

import fastgrad as tf
from tests.reliability.accuracy.functions import COMPLEX as COMPLEX_ROWS
from tests.reliability.accuracy.functions import ROWS, Row
from tests.reliability.accuracy.points import COMPLEX, HALVES, points
from tests.reliability.accuracy.record import DTYPES, distances, recorded

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
HEADING = "## All element-wise functions, beside TensorFlow's\n"
TEXT = """
The table has the greatest errors of fastgrad, eager or compiled, and of TensorFlow 2.21, in ulp, at the same points: the whole range, subnormal numbers,
numbers near zero, moderate numbers, and numbers beside zeros, poles and borders of approximations; for float16 and bfloat16 every number.
float32 and float64 are compared with mpmath, float16 and bfloat16 with fastgrad's float64. The error of a complex number is its distance in the plane, in units
of the exact number's size. A dash: TensorFlow has no kernel. "wrong": NaN or infinity for a finite number, or the reverse. A large number: no digit is right.
TensorFlow treats subnormal numbers as zero. In subtractions, losses and shrinking functions that cancel, both libraries have the errors of their formula.

Written by `python -m tests.reliability.accuracy.table`.
"""
NOT_OF_HALVES = ("zeta", "polygamma", "betainc")
TENSORFLOW = recorded()


def results(row: Row, arguments: list[np.ndarray]) -> list[np.ndarray]:
    """What the eager call gives, and the third call of a compiled function."""
    tensors = [tf.constant(x) for x in arguments]
    compiled = tf.function(functools.partial(row.call, tf))
    for _ in range(3):
        last = compiled(*tensors)
    return [row.call(tf, *tensors).numpy(), last.numpy()]


def measured(
    name: str, row: Row, dtype: str, share: int = 1
) -> tuple[dict[str, np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """The errors of a function by part, all arguments, and all results (eager, compiled).

    Args:
        share: of all points every `share`-th.
    """
    parts = points(name, row, dtype, share)
    arguments = [np.concatenate(columns) for columns in zip(*parts.values(), strict=True)]
    got = results(row, arguments)
    errors = np.maximum(*[distances(name, row, dtype, each, tuple(arguments)) for each in got])
    ends = np.cumsum([columns[0].size for columns in parts.values()])
    return dict(zip(parts, np.split(errors, ends[:-1]), strict=True)), arguments, got


def cell(worst: float | None) -> str:
    """An error as text."""
    if worst is None:
        return "-"
    return "wrong" if worst >= 1e29 else f"{worst:.2f}" if worst < 1e4 else f"{worst:.0e}"


def lines(rows: dict[str, Row], dtypes: list[str]) -> list[str]:
    """A table with two columns for each dtype."""
    heads = [f"{dtype} | TensorFlow" for dtype in dtypes]
    text = [f"| function | {' | '.join(heads)} |", "| --- |" + " --- | --- |" * len(dtypes)]
    for name, row in sorted(rows.items()):
        cells = []
        for dtype in dtypes:
            theirs = TENSORFLOW.get(name, {}).get(dtype)
            if dtype in HALVES and name in NOT_OF_HALVES:
                cells += ["-", cell(max(theirs.values()) if theirs else None)]
                continue
            errors, _, _ = measured(name, row, dtype)
            cells += [cell(max(e.max() for e in errors.values())), cell(max(theirs.values()) if theirs else None)]
        text.append(f"| `{name.removeprefix('complex ')}` | {' | '.join(cells)} |")
    return text


def main() -> None:
    before = PAGE.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    text = [before, "", HEADING.rstrip(), TEXT, *lines(ROWS, [*DTYPES, *HALVES]), "", *lines(COMPLEX_ROWS, [*COMPLEX])]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
