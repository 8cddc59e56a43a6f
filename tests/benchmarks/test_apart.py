"""Measurements in processes of their own: what fails is told, not lost."""

import sys

import pytest

from benchmarks import start_up
from benchmarks.apart import apart


def test_a_failed_measurement_tells_what_the_process_printed() -> None:
    with pytest.raises(RuntimeError, match="(?s)no_such_module ended with exit code 1:.*No module named"):
        apart("benchmarks.no_such_module")


def test_a_measurement_is_the_last_line_of_its_process() -> None:
    assert apart("json.tool", "--compact", "asv.conf.json")["project"] == "fastgrad"


def test_a_row_that_fails_is_printed_and_not_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(start_up.PYTHON_VARIABLE, sys.executable)
    monkeypatch.setattr(start_up, "apart", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("first\nlast line")))
    assert not start_up.show("jax", "mlp_small", "cold", "/nowhere", 1.0)
    assert capsys.readouterr().out.endswith("fails: last line\n")
