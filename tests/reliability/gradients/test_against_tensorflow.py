"""Derivatives are TensorFlow's: numbers, dtypes, None or zeros, slices or dense."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import fastgrad as tf

from .answers import ask
from .case import all_cases
from .comparison import differences
from .documented import DOCUMENTED, documented
from .record import asked_now, recorded

CASES = all_cases()
NAMES = [(module, name) for module, cases in CASES.items() for name in cases]
expected = cache(recorded)


@cache
def eager(module: str, name: str) -> dict[str, Any]:
    """Our derivatives of a case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask(tf, CASES[module][name])


@pytest.mark.parametrize("module", CASES)
def test_every_case_has_a_recorded_answer(module: str) -> None:
    assert {name: set(eager(module, name)) for name in CASES[module]} == {
        name: set(answers) for name, answers in expected(module).items()
    }, "record again: python -m tests.reliability.gradients.record"


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}-{name}" for module, name in NAMES])
def test_derivatives_are_tensorflows(module: str, name: str, figure: Callable[..., None]) -> None:
    case, wrong = CASES[module][name], []
    for question, answer in expected(module)[name].items():
        if isinstance(answer, dict):
            figure("without a kernel or gradient in TensorFlow", 1)
            continue
        figure("comparisons with TensorFlow", 1)
        figure(f"of them, {question.split(' ')[0]}", 1)
        found = differences(answer, eager(module, name)[question], case)
        if documented(f"{module}: {name}: {question}"):
            figure("answers with a documented difference from TensorFlow", bool(found))
            continue
        wrong += [f"{question}: {line}" for line in found]
    figure("edge cases" if not case.smooth else "smooth cases", 1)
    assert not wrong, "\n".join(wrong)


def test_every_documented_difference_is_still_there() -> None:
    different = {
        pattern
        for module, name in NAMES
        for question, answer in expected(module)[name].items()
        if (pattern := documented(f"{module}: {name}: {question}")) and isinstance(answer, list)
        if differences(answer, eager(module, name)[question], CASES[module][name])
    }
    assert set(DOCUMENTED) - different == set()


def test_tensorflow_still_answers_as_recorded(full: bool) -> None:
    python = os.environ.get("FASTGRAD_REFEREE_PYTHON")
    if not full or not python:
        pytest.skip("the long form asks TensorFlow again")
    changed = [
        f"{module}: {name}: {question}: {line}"
        for module, cases in asked_now(Path(python)).items()
        for name, answers in cases.items()
        for question, answer in answers.items()
        for line in (
            differences(expected(module)[name][question], answer, CASES[module][name])
            if isinstance(answer, list)
            else []
        )
    ]
    assert changed == []
