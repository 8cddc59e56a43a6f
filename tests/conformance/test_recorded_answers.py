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
    changed = [
        line
        for program, case, question in QUESTIONS
        if question in now.get(program, {}).get(case, {})  # `tests/record.py` lists the others
        for line in differences(
            EXPECTED[program][case][question], now[program][case][question], f"{program}-{case}-{question}"
        )
    ]
    assert changed == []
