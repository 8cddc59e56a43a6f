"""Functions of ``keras.ops``: values, shapes and dtypes are Keras's."""

from __future__ import annotations

import pytest

import fastgrad as tf
from tests.keras.recorded_answers import answer, assert_agrees, recorded

ANSWERS = recorded("ops")


@pytest.mark.parametrize("expression", ANSWERS)
def test_answers_are_those_of_keras(expression: str) -> None:
    assert_agrees(answer(tf, expression), ANSWERS[expression])
