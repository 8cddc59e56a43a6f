"""The gate fails on a slow-down that is certain, and on nothing else."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gate

COUNTED = [f"instructions of {call}" for call in gate.CALLS]
RECORDED = {**dict.fromkeys(gate.CASES, 2.0), **dict.fromkeys(COUNTED, 10.0)}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """What each case measures, a little more than what is recorded of this machine, 2, and 10 for instructions."""
    found = {**dict.fromkeys(gate.CASES, 2.2), **dict.fromkeys(COUNTED, 10.2)}
    file = tmp_path / "gate.json"
    file.write_text(json.dumps({"this": RECORDED}))
    monkeypatch.setattr(gate, "machine_kind", lambda: "this")
    monkeypatch.setattr(gate, "LIMITS", file)
    monkeypatch.setattr(gate, "_ratio_apart", found.__getitem__)
    monkeypatch.setattr(gate.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(gate, "instructions_over_numpy", lambda call, folder: found[f"instructions of {call}"])
    return found


def test_what_is_within_its_limits_passes(measured: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main([]) == 0
    assert "SLOWER" not in capsys.readouterr().out


@pytest.mark.parametrize("case", ["eager_gradient", "instructions of compiled_call"])
def test_a_third_more_fails_and_is_named(
    case: str, measured: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    measured[case] = 1.3 * RECORDED[case]
    assert gate.main([]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "SLOWER" in line]
    assert line.startswith(case)


def test_on_a_machine_that_is_not_known_only_far_more_fails(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Processors differ by more than what a change may cost."""
    monkeypatch.setattr(gate, "machine_kind", lambda: "another")
    gate.LIMITS.write_text(json.dumps({"this": RECORDED, "that": RECORDED | {"eager_add": 3.0}}))
    measured |= {"eager_add": 5.9, "compiled_call": 3.9}
    assert gate.main([]) == 0
    assert "another: not known" in capsys.readouterr().out
    measured["compiled_call"] = 4.1
    assert gate.main([]) == 1


def test_one_attempt_within_the_limit_is_no_certain_slow_down() -> None:
    attempts = iter([5.0, 4.0, 1.0])
    assert gate.is_certainly_slower(lambda: next(attempts), 2.0) == (False, 1.0)
    attempts = iter([5.0, 4.0, 3.0])
    assert gate.is_certainly_slower(lambda: next(attempts), 2.0) == (True, 3.0)


def test_a_machine_is_recorded_beside_the_others(measured: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "machine_kind", lambda: "new")
    assert gate.main(["--record"]) == 0
    assert json.loads(gate.LIMITS.read_text()) == {"this": RECORDED, "new": measured}


def test_the_kind_of_a_machine_has_the_stepping_and_python() -> None:
    words = gate.machine_kind().split("-")
    assert words[-1] == f"python{sys.version_info.major}.{sys.version_info.minor}"


def test_instructions_are_counted_in_a_process_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pool of threads executes as it begins differs from process to process, by more than 1,000 calls."""
    seen: dict[str, str] = {}

    def run(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.update(env)
        return subprocess.CompletedProcess(command, 0, stderr="==1== Collected : 123")

    monkeypatch.setattr(gate.subprocess, "run", run)
    assert gate.instructions("numpy", 10, "a folder") == 123
    assert {seen[f"{pool}_NUM_THREADS"] for pool in ("FASTGRAD", "OPENBLAS", "OMP", "MKL")} == {"1"}


def test_without_valgrind_instructions_are_not_counted(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gate.shutil, "which", lambda name: None)
    assert gate.main([]) == 0
    assert "valgrind is not installed" in capsys.readouterr().out


def test_a_valgrind_that_fails_is_told_and_is_no_slow_down(
    measured: dict[str, float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(call: str, folder: str) -> float:
        raise RuntimeError("valgrind ended with exit code 132")

    monkeypatch.setattr(gate, "instructions_over_numpy", failing)
    assert gate.main([]) == 0
    assert "instructions of compiled_call are not counted: valgrind ended with exit code 132" in capsys.readouterr().out


def test_every_case_is_recorded_and_runs() -> None:
    recorded = json.loads(gate.LIMITS.read_text(encoding="utf-8"))
    assert gate.limits_of(recorded, "a machine that is not known").keys() == RECORDED.keys()
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


def test_a_third_more_work_is_seen_however_busy_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(rounds: int) -> None:
        for _ in range(rounds):
            sum(range(100))

    monkeypatch.setattr(gate, "CASES", {"case": lambda: (lambda: work(13), lambda: work(10))})
    assert gate.CLOSE["time"] < gate.ratio("case") < 1.4
