"""TensorFlow still answers the questions in `programs/` as recorded. The test runs TensorFlow, which takes a minute."""

import pytest

from .comparison import differences
from .questions import EXPECTED, QUESTIONS
from .record import asked_now, referee_python


@pytest.mark.skipif(referee_python() is None, reason="real TensorFlow is not here; `make conformance` installs it")
def test_tensorflow_still_answers_as_recorded() -> None:
    python = referee_python()
    assert python is not None
    now = {program: record["answers"] for program, record in asked_now(python).items()}
    assert {program: {case: set(asked) for case, asked in cases.items()} for program, cases in now.items()} == {
        program: {case: set(asked) for case, asked in cases.items()} for program, cases in EXPECTED.items()
    }
    changed = [
        line
        for program, case, question in QUESTIONS
        for line in differences(
            EXPECTED[program][case][question], now[program][case][question], f"{program}-{case}-{question}"
        )
    ]
    assert changed == []
