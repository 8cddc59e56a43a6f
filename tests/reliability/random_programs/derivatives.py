"""Derivatives of many random Numba functions (`tests/derivatives/random_programs.py`), counted."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from typing import Any

from numba.core.errors import NumbaPerformanceWarning

from tests.derivatives.random_derivatives import REFUSED, RIGHT, outcomes


def batch(first: int, count: int) -> dict[str, Any]:
    """Differentiates the programs of some seeds in a row; arguments and results are those of `batches.batch`."""
    figures: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    start = time.process_time()
    for seed in range(first, first + count):
        with warnings.catch_warnings():  # Numba advises against products of views, which programs have
            warnings.simplefilter("ignore", NumbaPerformanceWarning)
            source, results = outcomes(seed)
        figures["derivatives: programs"] += 1
        for mode, text in results.items():
            is_refused = text.startswith(f"{REFUSED}: ")
            figures[f"derivatives: {mode}, {text if is_refused or text == RIGHT else 'wrong'}"] += 1
            if not is_refused and text != RIGHT:
                failures.append({"seed": seed, "against": mode, "failure": text, "text": f"{text}\n{source}"})
    figures["derivatives: CPU seconds"] = round(time.process_time() - start)
    return {"figures": figures, "reached": {}, "failures": failures}
