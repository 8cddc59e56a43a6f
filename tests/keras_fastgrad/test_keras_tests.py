"""The command that runs Keras's own tests: its page, and what it asks TensorFlow for."""

import json

from tests.keras_fastgrad import keras_tests


def test_the_page_counts_the_tests_of_each_file():
    outcomes = {
        "keras/src/a_test.py::A::one": "passed",
        "keras/src/a_test.py::A::two": "skipped",
        "keras/src/b_test.py::B::one": "passed",
    }
    page = keras_tests.page(outcomes, 7)
    assert "2 of 3 tests" in page
    assert "7 more pass on neither" in page
    assert "| `a_test.py` | 1 | 1 |" in page
    assert "| `b_test.py` | 1 | 0 |" in page


def test_outcomes_that_are_kept_are_not_asked_for_again(tmp_path, monkeypatch):
    kept = {"keras/src/a_test.py::A::one": "passed"}
    (tmp_path / "src.a_test.py.json").write_text(json.dumps(kept))
    monkeypatch.setattr(
        keras_tests.subprocess, "run", lambda *arguments, **options: type("Run", (), {"stdout": "/keras/__init__.py"})
    )
    assert keras_tests.outcomes("python", {"src/a_test.py": ()}, (), 1, tmp_path) == kept
