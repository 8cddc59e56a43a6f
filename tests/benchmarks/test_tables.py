"""What smaller programs print is kept as it was printed, unless they crash."""

import json
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.tables import Table


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> str:
    """A table whose program prints one line and ends well."""
    monkeypatch.setitem(tables.TABLES, "one", Table("One line", ("json.tool", "--compact", "benchmarks/gate.json")))
    return "one"


def test_lines_are_kept_with_command_machine_and_what_others_took(program: str, tmp_path: Path) -> None:
    assert tables.measure(program, tmp_path) == 0
    kept = json.loads((tmp_path / "one.json").read_text())
    assert kept["title"] == "One line"
    assert kept["command"] == "python -m json.tool --compact benchmarks/gate.json"
    assert [set(json.loads(line)) for line in kept["lines"]] == [
        set(json.loads(Path("benchmarks/gate.json").read_text()))
    ]
    assert {"date", "commit", "machine", "versions", "others_before", "others_share"} <= kept.keys()


def test_a_program_that_crashes_is_told_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also when it has printed something before."""
    (tmp_path / "failing.py").write_text("print('one row')\nraise KeyError('lost')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(tables.TABLES, "failing", Table("Failing", ("failing",)))
    assert tables.measure("failing", tmp_path) == tables.CRASHED
    printed = capfd.readouterr()
    assert "one row" in printed.out
    assert "python -m failing ended with exit code 70: not written" in printed.out
    assert "KeyError: 'lost'" in printed.err
    assert not list(tmp_path.glob("*.json"))


def test_a_limit_that_is_not_met_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("print('slow: NOT MET')\nraise SystemExit(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(tables.TABLES, "slow", Table("Slow", ("slow",)))
    assert tables.measure("slow", tmp_path) == tables.NOT_MET
    assert json.loads((tmp_path / "slow.json").read_text())["lines"] == ["slow: NOT MET"]


def test_an_unknown_table_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        tables.main(["nonsense"])
    told = capsys.readouterr().err
    assert "unknown table nonsense" in told
    assert "thread_scaling" in told
