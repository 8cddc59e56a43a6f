"""What a program gives, compared: where it differs, and whether that is more than its own rounding explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.reliability.random_programs.runs import Array, Outcome

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def difference(got: Sequence[Outcome], wanted: Sequence[Outcome], tolerance: float) -> str:
    """Where two runs of a program differ, in words; nothing if they agree."""
    for number, (a, b) in enumerate(zip(got, wanted, strict=False)):
        if a.error != b.error:
            return f"call {number}: {a.error or 'no error'} instead of {b.error or 'no error'}\n{a.text}{b.text}"
        if len(a.values) != len(b.values) or len(a.state) != len(b.state):
            return f"call {number}: {len(a.values)} results instead of {len(b.values)}"
        for what, ours, theirs in (("result", a.values, b.values), ("state", a.state, b.state)):
            for position, (x, y) in enumerate(zip(ours, theirs, strict=True)):
                text = _difference(x, y, tolerance)
                if text:
                    return f"call {number}, {what} {position}: {text}"
    if len(got) != len(wanted):
        return f"{len(got)} calls instead of {len(wanted)}"
    return ""


def _difference(x: Array | None, y: Array | None, tolerance: float) -> str:
    if x is None or y is None:
        return "" if x is y else f"{x} instead of {y}"
    if x.dtype != y.dtype or x.array.shape != y.array.shape:
        return f"{x.dtype}{list(x.array.shape)} instead of {y.dtype}{list(y.array.shape)}"
    if agree(x.array, y.array, tolerance):
        return ""
    with np.printoptions(precision=17, threshold=12):
        return f"{x.array.reshape(-1)} instead of {y.array.reshape(-1)}"


def agree(x: np.ndarray, y: np.ndarray, tolerance: float) -> bool:
    """Whether elements are near each other: in proportion to their size, or to that of the greatest by a tenth of it."""
    if y.dtype.kind not in "fc":
        return np.array_equal(x, y)
    scale = np.abs(y[np.isfinite(y)]).max(initial=0.0)
    return np.allclose(x, y, rtol=tolerance, atol=0.1 * tolerance * scale + 1e-5 * tolerance, equal_nan=True)


def spread(runs: Sequence[Sequence[Outcome]], wanted: Sequence[Outcome]) -> list[list[np.ndarray | None]]:
    """The distance of runs that round differently from a run, for each value of each call; up to a call that ends differently in one of them."""
    found: list[list[np.ndarray | None]] = []
    for number, outcome in enumerate(wanted):
        row: list[np.ndarray | None] = []
        for position, y in enumerate([*outcome.values, *outcome.state]):
            most = None
            for run in runs:
                if number >= len(run) or run[number].error != outcome.error:
                    return found
                x = [*run[number].values, *run[number].state][position]
                if x is None or y is None or x.array.shape != y.array.shape or y.array.dtype.kind not in "fc":
                    continue
                with np.errstate(all="ignore"):
                    away = np.abs(x.array - y.array)
                most = away if most is None else np.maximum(most, away)
            row.append(most)
        found.append(row)
    return found


def explained(
    got: Sequence[Outcome], wanted: Sequence[Outcome], away: list[list[np.ndarray | None]], tolerance: float
) -> bool:
    """Whether what does not agree differs by no more than the effect of other rounding, in the calls that `away` has; see `spread`."""
    if [a.error for a in got][: len(away)] != [b.error for b in wanted][: len(away)]:
        return False
    for a, b, row in zip(got, wanted, away, strict=False):
        if len(a.values) != len(b.values):
            return False
        for x, y, most in zip([*a.values, *a.state], [*b.values, *b.state], row, strict=True):
            if x is None or y is None:
                if x is not y:
                    return False
                continue
            if x.dtype != y.dtype or x.array.shape != y.array.shape:
                return False
            if agree(x.array, y.array, tolerance):
                continue
            if most is None:
                if not np.array_equal(x.array, y.array):
                    return False
                continue
            # The greatest of an array, too: what moves one of its elements in one run moves another in the next.
            limit = 20 * np.maximum(most, 0.05 * most.max(initial=0.0)) + 1e-12 * np.abs(y.array)
            if not np.all(
                (np.abs(x.array - y.array) <= limit) | (x.array == y.array) | (np.isnan(x.array) & np.isnan(y.array))
            ):
                return False
    return True
