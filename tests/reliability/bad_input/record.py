"""Keeps what TensorFlow raises for each wrong call (`tests/record.py`). A call that ends TensorFlow's process is recorded as a crash."""

import json
from collections.abc import Collection

from tests.conformance.record import REFEREE_SETTINGS, required_python

from .attempts import attempts_in_a_process
from .wrong_calls import EXPECTED, expected, families


def asked() -> dict[str, set[str]]:
    """The calls."""
    return {"wrong_calls": {call.text for calls in families().values() for call in calls}}


def answered() -> dict[str, set[str]]:
    """The calls that TensorFlow was asked."""
    return {"wrong_calls": {*expected()}}


def asked_now(texts: Collection[str]) -> dict[str, list[str]]:
    """The classes that TensorFlow raises today."""
    answers = attempts_in_a_process(str(required_python()), "tensorflow", sorted(texts), REFEREE_SETTINGS)
    return {text: classes for text, (classes, _) in answers.items()}


def record(files: Collection[str], *, again: bool) -> None:
    """Asks TensorFlow the calls without an answer, or all `again`, and writes the answers, a call a line."""
    texts = asked()["wrong_calls"]
    answers = {} if again else {text: classes for text, classes in expected().items() if text in texts}
    if texts - {*answers}:
        answers |= asked_now(texts - {*answers})
    lines = [f"{json.dumps(text)}: {json.dumps(answers[text])}" for text in sorted(texts)]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
