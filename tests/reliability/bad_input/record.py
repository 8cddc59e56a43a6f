"""Records what TensorFlow raises for each wrong call: `python -m tests.reliability.bad_input.record`.

Only calls without a record are asked; `--again` asks all. A call that ends TensorFlow's process is recorded as a crash.
"""

import json
import sys

from tests.conformance.record import REFEREE_SETTINGS, referee_python

from .attempts import attempts_in_a_process
from .wrong_calls import EXPECTED, expected, families


def asked_now(texts: list[str]) -> dict[str, list[str]]:
    """The classes that TensorFlow raises today."""
    python = referee_python()
    if python is None:
        raise SystemExit(
            "no TensorFlow: run `make conformance`, or name a Python that has it in FASTGRAD_REFEREE_PYTHON"
        )
    answers = attempts_in_a_process(str(python), "tensorflow", texts, REFEREE_SETTINGS)
    return {text: classes for text, (classes, _) in answers.items()}


def main() -> None:
    """Asks TensorFlow, and writes its answers, a call a line."""
    texts = list(dict.fromkeys(call.text for calls in families().values() for call in calls))
    known = expected() if EXPECTED.exists() and "--again" not in sys.argv else {}
    answers = known | asked_now([text for text in texts if text not in known])
    lines = [f"{json.dumps(text)}: {json.dumps(answers[text])}" for text in sorted(texts)]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
