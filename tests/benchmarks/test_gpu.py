"""The benchmark for GPUs runs without one, too: on a simulated GPU its results are right, and its times mean nothing."""

import json
from functools import partial

import pytest

from benchmarks import gpu
from benchmarks.peers.workloads import chain
from tests.cuda.simulation.driver import simulated_gpus


@pytest.fixture
def simulated(monkeypatch):
    monkeypatch.setattr(gpu, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(gpu, "WARM_STEPS", 2)
    monkeypatch.setattr(gpu, "COPY_BYTES", 1 << 16)
    with simulated_gpus():
        yield


def test_one_file_has_all(simulated, tmp_path, capsys):
    file = tmp_path / "gpu.json"
    assert gpu.main(["--out", str(file), "--workloads", "mlp_tiny", "--rounds", "1"]) == 0
    report = json.loads(file.read_text())
    assert report["gpu"] == {"name": "Simulated GPU", "capability": 9.0, "simulated": True}
    assert report["copy_bytes_per_second"] > 0
    found = report["workloads"]["mlp_tiny"]["libraries"]
    assert found["fastgrad"]["microseconds"] > 0
    assert found["fastgrad"]["off_by"] < 1e-4
    for peer in ("torch", "torch.compile", "jax"):
        assert set(found[peer]) <= {"missing", "failed", "microseconds", "off_by"}
    assert "mlp_tiny" in capsys.readouterr().out


def test_what_differs_from_the_cpu_is_not_timed(simulated, monkeypatch):
    monkeypatch.setattr(gpu, "TOLERANCE", -1.0)
    (cheap, _) = chain.WORKLOADS
    found = gpu.measured(cheap, ["fastgrad"], 1, partial(chain.inputs, 64))["libraries"]["fastgrad"]
    assert "are not those of the CPU" in found["failed"]
    assert "microseconds" not in found


def test_shares_of_the_bandwidth_and_the_fastest_peer():
    libraries = {"fastgrad": {"microseconds": 10.0}, "torch": {"microseconds": 20.0}, "jax": {"missing": "jax"}}
    results = {"adam": {"bytes_moved": 1000, "libraries": libraries}}
    gpu.add_shares(results, 2e8)
    assert libraries["fastgrad"]["share_of_copy_bandwidth"] == 0.5
    assert libraries["torch"]["share_of_copy_bandwidth"] == 0.25
    assert results["adam"]["times_the_fastest_peer"] == 2.0


def test_without_a_gpu_one_line_says_why(monkeypatch, capsys):
    monkeypatch.setattr("fastgrad.config.list_physical_devices", lambda kind: [])
    monkeypatch.setattr("fastgrad.config.why_no_gpu", lambda: "no GPU: a test")
    assert gpu.main([]) == 1
    assert capsys.readouterr().out == "no GPU: a test\n"
