"""The gate fails on a slow-down that is certain, and on nothing else."""

import json
import math
from pathlib import Path

import pytest

from benchmarks import gate

LIMITS = {**dict.fromkeys(gate.CASES, 2.0), "instructions_over_numpy": 10.0}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """What each case measures; limits are 2, and 10 for instructions."""
    found = dict.fromkeys(gate.CASES, 1.5) | {"instructions": 8.0}
    file = tmp_path / "gate.json"
    file.write_text(json.dumps(LIMITS))
    monkeypatch.setattr(gate, "LIMITS", file)
    monkeypatch.setattr(gate, "_ratio_apart", found.__getitem__)
    monkeypatch.setattr(gate.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(gate, "instructions_over_numpy", lambda folder: found["instructions"])
    return found


def test_what_is_within_its_limits_passes(measured: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main([]) == 0
    assert "SLOWER" not in capsys.readouterr().out


@pytest.mark.parametrize("case", ["compiled_call", "instructions"])
def test_what_is_beyond_fails_and_is_named(
    case: str, measured: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    measured[case] = 20.0
    assert gate.main([]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "SLOWER" in line]
    assert line.startswith(case)


def test_one_attempt_within_the_limit_is_no_certain_slow_down() -> None:
    attempts = iter([5.0, 4.0, 1.0])
    assert gate.certainly_slower(lambda: next(attempts), 2.0) == (False, 1.0)
    attempts = iter([5.0, 4.0, 3.0])
    assert gate.certainly_slower(lambda: next(attempts), 2.0) == (True, 3.0)


def test_recorded_limits_have_room(measured: dict[str, float]) -> None:
    assert gate.main(["--record"]) == 0
    limits = json.loads(gate.LIMITS.read_text())
    assert limits == pytest.approx(
        dict.fromkeys(gate.CASES, 1.5 * gate.ROOM["ratio"]) | {"instructions_over_numpy": 10.0}
    )


def test_without_valgrind_instructions_are_not_counted(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gate.shutil, "which", lambda name: None)
    assert gate.main([]) == 0
    assert "valgrind is not installed" in capsys.readouterr().out


def test_a_valgrind_that_fails_is_told_and_is_no_slow_down(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(folder: str) -> float:
        raise RuntimeError("valgrind ended with exit code 132")

    monkeypatch.setattr(gate, "instructions_over_numpy", failing)
    assert gate.main([]) == 0
    assert "instructions are not counted: valgrind ended with exit code 132" in capsys.readouterr().out


def test_every_case_has_a_committed_limit_and_runs() -> None:
    limits = json.loads(gate.LIMITS.read_text(encoding="utf-8"))
    assert set(limits) == {*gate.CASES, "instructions_over_numpy"}
    for case in gate.CASES.values():
        for call in case():
            call()


def test_a_ratio_is_that_of_the_shortest_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "ROUNDS", 5)
    ours, numpys, disturbed = object(), object(), iter([1.0] * 40 + [9.0] * 5 + [1.0, 7.0] * 50)
    monkeypatch.setattr(gate, "CASES", {"case": lambda: (ours, numpys)})
    monkeypatch.setattr(
        gate, "_seconds", lambda call, times: times * next(disturbed) * (4e-5 if call is ours else 1e-5)
    )
    assert math.isclose(gate.ratio("case"), 4.0)
