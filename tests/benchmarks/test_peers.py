"""`python -m benchmarks.peers` compares only what agrees, drops nothing silently, and survives Ctrl-C."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import __main__ as command_line
from benchmarks.peers.known import OURS
from benchmarks.peers.process import PeerError, PeerProcess
from benchmarks.peers.record import Record, load_records, record_from
from benchmarks.peers.report import fastest_peer, summary, table
from benchmarks.peers.runner import PeerResult, Results, Settings, disagreements, run
from benchmarks.peers.workloads import WORKLOADS

SETTINGS = Settings(rounds=2, slice_seconds=0.01, threads=1, pythons={})
QUICK = ["--work", "linear_regression", "--rounds", "2", "--slice", "0.01", "--threads", "1"]


def timed(*microseconds: float) -> PeerResult:
    return PeerResult(facts={"version": "1.0"}, microseconds=dict(enumerate(microseconds)))


def test_peers_with_the_same_losses_agree() -> None:
    assert disagreements({"fastgrad": [2.0, 1.0], "torch": [2.0001, 1.0]}) == {}


def test_a_peer_that_parts_from_the_others_is_told_with_the_step_and_both_losses() -> None:
    found = disagreements({"fastgrad": [2.0, 1.5], "torch": [2.0, 1.0], "jax": [2.0, 1.0]})
    assert found == {"fastgrad": "disagrees: loss 2 of 2 is 1.5, torch's is 1"}


def test_fastgrad_is_never_the_measure_of_a_single_other_peer() -> None:
    assert list(disagreements({"fastgrad": [1.0], "torch": [2.0]})) == ["fastgrad"]


def test_a_loss_that_is_no_number_agrees_with_nothing() -> None:
    found = disagreements({"fastgrad": [float("nan")], "torch": [1.0], "jax": [1.0]})
    assert list(found) == ["fastgrad"]


def test_ratios_are_taken_within_rounds() -> None:
    assert timed(1.0, 10.0).ratios(timed(2.0, 40.0)) == [0.5, 0.25]


def test_modes_of_one_library_count_once_in_a_disagreement() -> None:
    found = disagreements({"fastgrad": [1.0], "fastgrad.function": [1.0], "jax": [2.0]})
    assert list(found) == ["fastgrad", "fastgrad.function"]


def test_the_table_shows_medians_ratios_and_problems_with_their_output() -> None:
    results: Results = {
        "fastgrad": timed(10.0, 12.0),
        "fastgrad.function": timed(2.0, 2.0),
        "torch": timed(20.0, 24.0),
        "torch.compile": timed(30.0, 30.0),
        "tensorflow": PeerResult(problem="crashed: its process ended with exit code 1", output="Traceback\nOops"),
        "jax": PeerResult(problem="not installed: python has no jax", absent=True),
    }
    text = table(WORKLOADS["mlp_tiny"], results, SETTINGS)
    assert fastest_peer(results) == "torch"
    assert "torch 1.0 22.0 (21.0 to 23.0) 2.000 11.000" in " ".join(text.split())
    assert "fastgrad: 2.00 (2.00 to 2.00) times as fast as the fastest peer, torch\n" in text
    assert "fastgrad.function: 11.00 (10.50 to 11.50) times as fast as the fastest peer, torch; wanted 8: met" in text
    assert "crashed: its process ended with exit code 1\n    | Traceback\n    | Oops" in text
    assert "not installed: python has no jax" in text


def test_the_summary_is_one_row_of_markdown_a_workload() -> None:
    results: Results = {"fastgrad": timed(10.0), "fastgrad.function": timed(2.0), "jax": timed(20.0)}
    *_, row = summary({"mlp_tiny": results}).splitlines()
    assert row == "| mlp_tiny | jax | 20.0 | 10.0 | 2.00 | 2.0 | 10.00 |"


def test_a_step_limited_by_memory_is_compared_with_the_triad() -> None:
    ours = timed(10_000.0)
    ours.triad[0] = 24e9
    text = table(WORKLOADS["chain_cheap"], {"fastgrad.function": ours}, SETTINGS)
    assert "fastgrad.function: 19.2 GB/s, 0.80 (0.80 to 0.80) of the triad's 24.0 GB/s; wanted 0.8: met" in text


@pytest.mark.parametrize(("option", "known"), [("--work", "mlp_small"), ("--peers", "tf.function")])
def test_an_unknown_name_lists_the_known_ones(option: str, known: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command_line.main([option, "nonsense"])
    message = capsys.readouterr().err
    assert "unknown" in message
    assert "nonsense" in message
    assert known in message


def test_a_run_times_fastgrad_and_shows_who_crashed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    peers = ["--peers", "fastgrad,torch", "--python-for", "torch=/bin/false", "--json", str(file)]
    assert command_line.main([*QUICK, *peers]) == 1
    assert "crashed: its process ended with exit code 1" in capsys.readouterr().out
    stored = json.loads(file.read_text())["workloads"]["linear_regression"]
    assert stored["limits"]["1"]["flops_per_second"] > 1e9
    assert stored["limits"]["2"]["bytes_per_second"] > 1e8
    assert stored["commit"]
    assert "--work linear_regression" in stored["command"]
    results = stored["peers"]
    assert (results["fastgrad"]["problem"], results["fastgrad"]["output"]) == ("", "")
    assert len(results["fastgrad"]["microseconds_a_step"]) == 2
    assert len(results["fastgrad"]["losses"]) == 20
    assert results["torch"]["microseconds_a_step"] == {}


def test_ctrl_c_prints_and_keeps_what_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Iterator[Results]:
        yield {"fastgrad": timed(10.0, 12.0), "jax": timed(20.0, 24.0)}
        raise KeyboardInterrupt

    saved: list[Record] = []
    monkeypatch.setattr(command_line, "run", interrupted)
    monkeypatch.setattr(Record, "save", lambda record: saved.extend([record]))
    assert command_line.main([]) == 130
    assert [record.facts["interrupted"] for record in saved] == [True]
    printed = capsys.readouterr().out
    assert "11.0 (10.5 to 11.5)" in printed
    assert "interrupted" in printed
    assert "left out, interrupted before: " in printed


def test_an_interpreter_that_is_not_there_is_named() -> None:
    with pytest.raises(PeerError, match="/no/such/python does not start"):
        PeerProcess("/no/such/python", threads=1)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads the state of a process from /proc")
def test_a_stopped_peer_stands_still_and_still_ends() -> None:
    process = PeerProcess(sys.executable, threads=1)
    try:
        process.stop()
        states = [line.split()[1] for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()[:3]]
        assert "T" in states
    finally:
        process.close()
    assert not os.path.exists(f"/proc/{process.pid}")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads the state of a process from /proc")
def test_a_peer_that_ended_before_it_was_asked_is_closed_all_the_same() -> None:
    process = PeerProcess("/bin/false", threads=1)
    while os.path.exists(f"/proc/{process.pid}") and "Z" not in Path(f"/proc/{process.pid}/stat").read_text().split():
        time.sleep(0.01)
    with pytest.raises(PeerError, match="ended with exit code 1"):
        process.ask(10.0, do="prepare")
    process.close()


def test_results_that_are_written_come_back(tmp_path: Path) -> None:
    ours = timed(10.0, 12.0)
    ours.triad[1] = 24e9
    ours.others[0] = 0.02
    ours.facts |= {"losses": [1.0, 0.5], "first_step_seconds": 0.25}
    ours.facts["cold"] = {"ready_seconds": 1.25}
    ours.kernels = [{"name": "gemm", "flops": 2}]
    late = PeerResult(problem="crashed: no answer", output="Oops", microseconds={1: 3.0})
    facts = {"date": "2026-01-01", "interrupted": True, "limits": {}}
    record = Record(WORKLOADS["chain_cheap"], {"fastgrad": ours, "jax": late}, SETTINGS, facts)
    assert record.save(tmp_path) == tmp_path / "chain_cheap.json"
    found = load_records(tmp_path)["chain_cheap"]
    assert found.results == record.results
    assert (found.settings, found.facts) == (SETTINGS, facts)
    assert table(found.workload, found.results, SETTINGS) == table(record.workload, record.results, SETTINGS)


def test_results_of_before_other_programs_were_counted_are_read() -> None:
    stored = Record(WORKLOADS["adam"], {"fastgrad": timed(10.0)}, SETTINGS, {}).as_json()
    del stored["peers"]["fastgrad"]["others_share"]
    assert record_from(stored).results == {"fastgrad": timed(10.0)}


def test_a_file_that_holds_no_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"format": 0}')
    with pytest.raises(ValueError, match="old.json holds no results of a workload: results of format 0, wanted 1"):
        load_records(tmp_path)


def test_results_are_written_where_the_dashboard_reads_them_only_with_all_peers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saved: list[str] = []
    others = {"jax": timed(12.0)}
    monkeypatch.setattr(command_line, "run", lambda *_: iter([{"fastgrad": timed(10.0), **others}]))
    monkeypatch.setattr(command_line.limits, "measure", dict)
    monkeypatch.setattr(Record, "save", lambda self: saved.append(self.workload.name))
    assert command_line.main(["--work", "mlp_tiny,adam"]) == 0
    assert saved == ["mlp_tiny", "adam"]
    assert command_line.main(["--work", "mlp_tiny", "--peers", "fastgrad"]) == 0
    assert saved == ["mlp_tiny", "adam"]
    others["jax"] = PeerResult(problem="not installed: python has no jax", absent=True)
    assert command_line.main(["--work", "mlp_tiny"]) == 0
    assert saved == ["mlp_tiny", "adam"], "what was measured beside others was replaced by what was measured alone"


def test_what_there_is_no_time_for_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "run", lambda *_: iter([{"fastgrad": timed(10.0)}]))
    assert command_line.main(["--work", "mlp_tiny,adam", "--peers", "fastgrad", "--minutes", "1e-9"]) == 0
    assert "left out, no time: mlp_tiny, adam" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads the state of a process from /proc")
def test_the_other_peers_stand_still_while_one_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice is warmed up in the process itself, and begins when all the other processes are stopped."""
    seen = []
    ask = PeerProcess.ask
    running: set[int] = set()

    def watched(self: PeerProcess, timeout: float, **request: Any) -> dict[str, Any]:
        running.add(self.pid)
        if request["do"] == "slice":
            assert request["warm_seconds"] > 0.0
            others = [pid for pid in running - {self.pid} if os.path.exists(f"/proc/{pid}/stat")]
            seen.append([Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in others])
        return ask(self, timeout, **request)

    monkeypatch.setattr(PeerProcess, "ask", watched)
    settings = Settings(2, 0.01, 1, dict.fromkeys(OURS, sys.executable))
    *_, results = run(WORKLOADS["linear_regression"], OURS, settings, lambda _: None)
    assert seen == [["T"]] * 4
    assert results["fastgrad.function"].kernels
    assert all(result.others.keys() == {0, 1} for result in results.values())
    assert results["fastgrad.function"].facts["cold"]["ready_seconds"] > 0.0
