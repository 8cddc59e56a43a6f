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
from tests.record import skip_unanswered

from .answers import ask
from .case import all_cases
from .comparison import differences
from .documented import DOCUMENTED, chosen_answers, documented, unanswered
from .record import answered, asked, asked_now, recorded

CASES = all_cases()
NAMES = [(module, name) for module, cases in CASES.items() for name in cases]
CHOSEN = chosen_answers()
expected = cache(recorded)


@cache
def eager(module: str, name: str, full: bool) -> dict[str, Any]:
    """Our derivatives of a case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask(tf, CASES[module][name], full)


@pytest.mark.parametrize("module", CASES)
@pytest.mark.completeness
def test_every_case_has_a_recorded_answer(module: str) -> None:
    skip_unanswered(asked()[module] - answered().get(module, set()))


@pytest.mark.completeness
def test_tensorflow_raises_only_where_the_reason_is_known() -> None:
    unknown = [
        f"{question}: {answer['raises'][0]}"
        for module, name in NAMES
        for key, answer in expected(module).get(name, {}).items()
        if isinstance(answer, dict) and not unanswered(question := f"{module}: {name}: {key}", answer["raises"])
    ]
    assert unknown == []


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}-{name}" for module, name in NAMES])
def test_derivatives_are_tensorflows(module: str, name: str, full: bool, figure: Callable[..., None]) -> None:
    case, wrong, answers = CASES[module][name], [], expected(module).get(name, {})
    for question, ours in eager(module, name, full).items():
        answer = answers.get(question)
        if answer is None:
            continue
        if documented(f"{module}: {name}: {question}"):
            figure("answers compared with recorded ones of fastgrad, which differ from TensorFlow's on purpose", 1)
            answer = CHOSEN[f"{module}: {name}: {question}"]
        elif isinstance(answer, dict):
            figure("questions without a kernel or gradient in TensorFlow", 1)
            continue
        else:
            figure("comparisons with TensorFlow", 1)
            figure(f"comparisons with TensorFlow: {question.split(' ')[0]}", 1)
        wrong += [f"{question}: {line}" for line in differences(answer, ours, case, question)]
    figure("edge cases" if not case.smooth else "smooth cases", 1)
    assert not wrong, "\n".join(wrong)
    skip_unanswered(eager(module, name, full).keys() - answers.keys())


def test_every_documented_difference_is_still_there() -> None:
    different = {
        pattern
        for module, name in NAMES
        for question, answer in expected(module).get(name, {}).items()
        if (pattern := documented(f"{module}: {name}: {question}")) and isinstance(answer, list)
        if differences(answer, CHOSEN[f"{module}: {name}: {question}"], CASES[module][name], question)
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
        if question in expected(module).get(name, {})
        for line in (
            differences(expected(module)[name][question], answer, CASES[module][name], question)
            if isinstance(expected(module)[name][question], list)
            else [f"{answer} instead of an error"] * isinstance(answer, list)
        )
    ]
    assert changed == []
