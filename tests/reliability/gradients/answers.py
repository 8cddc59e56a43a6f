"""Asks a module for the derivatives of cases, and writes them as plain data: `python -m tests.reliability.gradients.answers MODULE FILE`."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from tests.conformance.answers import _raised as raised
from tests.conformance.answers import as_data

from .case import Case, all_cases
from .derivatives import MODES, prepared, questions

Answers = dict[str, Any]


def ask(tf: Any, case: Case, full: bool = True) -> Answers:
    """TensorFlow's or fastgrad's derivatives of a case: `{"first float64": [...], ...}`; those of the long form if `full`."""
    answers: Answers = {}
    for mode, dtype in questions(case, full):
        try:
            answer = MODES[mode](tf, *prepared(tf, case, dtype))
            answers[f"{mode} {dtype}"] = rounded(as_data(tf, list(answer))["list"])
        except Exception as error:  # noqa: BLE001 (the exception is the answer)
            answers[f"{mode} {dtype}"] = raised(tf, error)
    return answers


def rounded(data: Any) -> Any:
    """The data with floats of 12 digits, which keeps the files small."""
    if isinstance(data, float):
        return float(f"{data:.12g}")
    if isinstance(data, list):
        return [rounded(item) for item in data]
    if isinstance(data, dict):
        return {key: rounded(item) for key, item in data.items()}
    return data


def main() -> None:
    """Asks the named module for all derivatives."""
    module, file, *names = sys.argv[1:]
    tf = importlib.import_module(module)
    warnings.simplefilter("ignore")
    found = {
        name: {key: ask(tf, case) for key, case in cases.items()}
        for name, cases in all_cases().items()
        if not names or name in names
    }
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
