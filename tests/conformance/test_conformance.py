"""fastgrad answers the questions in `programs/` as TensorFlow does."""

from functools import cache
from typing import Any

import pytest

import fastgrad
from tests.conformance.questions import EXPECTED, QUESTIONS
from tests.record import skip_unanswered

from .answers import Answers, ask, program_names
from .comparison import differences


@cache
def our_answers(program: str) -> Answers:
    return ask(fastgrad, program)


@pytest.mark.parametrize(("program", "case", "question"), QUESTIONS, ids=map("-".join, QUESTIONS))
def test_answer_is_tensorflows(program: str, case: str, question: str) -> None:
    ours = our_answers(program).get(case, {})
    if not ours.keys() & {question, "*"}:
        skip_unanswered([question], "is not asked any more")
    answer: Any = ours.get(question, ours.get("*"))
    assert differences(EXPECTED[program][case][question], answer) == []


@pytest.mark.parametrize("program", program_names())
def test_every_question_has_a_recorded_answer(program: str) -> None:
    asked = {(case, question) for case, questions in our_answers(program).items() for question in questions}
    known = {(case, question) for case, questions in EXPECTED.get(program, {}).items() for question in questions}
    skip_unanswered(f"{case}: {question}" for case, question in asked - known if question != "*")
