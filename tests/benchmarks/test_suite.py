"""The asv suite: what it follows, with sizes of its own for machines and threads, and versions that keep the history."""

import importlib
import inspect
import json
import pkgutil
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import benchmarks
import fastgrad as tf
from benchmarks import history, kernels, machine, threads, training
from benchmarks.peers.known import OURS
from benchmarks.peers.workloads import WORKLOADS
from fastgrad._src.kernels.runtime.thread_pool import compute_pool

MODULES = [file.name for file in pkgutil.iter_modules(benchmarks.__path__) if not file.ispkg]
KINDS = re.compile(r"(time|track|peakmem|timeraw)_\w+")


def suites() -> Iterator[type]:
    for name in MODULES:
        module = importlib.import_module(f"benchmarks.{name}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == module.__name__ and any(map(KINDS.fullmatch, dir(found))):
                yield found


@pytest.mark.parametrize(
    "suite", list(suites()), ids=lambda suite: f"{suite.__module__.split('.')[1]}.{suite.__name__}"
)
def test_a_benchmark_says_what_it_is_and_has_a_version(suite: Any) -> None:
    assert suite.__doc__
    assert isinstance(suite.version, str)
    if hasattr(suite, "params"):
        lists = suite.params if isinstance(suite.params[0], tuple) else [suite.params]
        assert len(lists) == len(suite.param_names)


def test_every_kind_of_asv_benchmark_is_used() -> None:
    names = {name for suite in suites() for name in dir(suite)} | set(
        dir(importlib.import_module("benchmarks.start_up"))
    )
    kinds = {found[1] for name in names if (found := KINDS.fullmatch(name))}
    assert kinds == {"time", "track", "peakmem", "timeraw"}


def test_random_numbers_come_from_one_module_with_seeds() -> None:
    for name in MODULES:
        if name != "data":
            with tokenize.open(f"{benchmarks.__path__[0]}/{name}.py") as file:
                assert "default_rng" not in file.read()


def test_threads_are_those_of_the_team() -> None:
    before = compute_pool.threads
    try:
        threads.use_threads(1)
        assert compute_pool.threads == 1
    finally:
        threads.use_threads(before)


@pytest.mark.parametrize("operation", kernels.STREAMS)
def test_streams_are_operations_that_compile(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, function = kernels.STREAMS[operation]
    x, y = tf.ones(2_000), 2.0 * tf.ones(2_000)
    result = kernels.compiled(lambda x, y: function(tf, x, y), x, y)()
    assert float(tf.reduce_sum(result)) > 0.0


def test_the_best_time_is_that_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "SECONDS", 0.01)
    calls: list[int] = []
    assert 0.0 < kernels.best_seconds(lambda: calls.append(1)) < 1e-4
    assert len(calls) > 10


def test_results_are_named_after_the_version_of_python_and_added_to_those_of_the_commit(tmp_path: Path) -> None:
    def write(**results: int) -> None:
        content = {"env_name": "x", "python": "/some/python", "params": {"python": "/some/python"}, "results": results}
        (tmp_path / "machine" / "abc-existing-py_some_python.json").write_text(json.dumps(content))

    (tmp_path / "machine").mkdir()
    write(first=1, second=1)
    history.merge_results(tmp_path, "3.11")
    write(second=2)
    (file,) = history.merge_results(tmp_path, "3.11")
    assert list((tmp_path / "machine").iterdir()) == [file]
    assert file.name == "abc-existing-py3.11.json"
    assert "/some" not in file.read_text()
    assert json.loads(file.read_text())["results"] == {"first": 1, "second": 2}


def test_the_name_of_a_machine_is_made_of_small_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cpu_name", lambda: "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz")
    assert re.fullmatch(r"intel-xeon-e5-2690-v4-\d+", machine.machine_name())


@pytest.mark.parametrize("layer", kernels.LAYERS)
def test_a_recurrent_layer_is_timed_forwards_and_with_its_gradients(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "SEQUENCES", (4, 5, 3, 8))
    monkeypatch.setattr(kernels, "SECONDS", 0.01)
    before = compute_pool.threads
    try:
        suite = kernels.Recurrent()
        suite.setup(layer, 1)
        assert [tuple(one.shape) for one in suite.gradients()][:2] == [
            (3, 8 * kernels.LAYERS[layer]),
            (8, 8 * kernels.LAYERS[layer]),
        ]
        assert tuple(suite.forward().shape) == (4, 8)
        assert suite.track_gflops(layer, 1) > 0.0
    finally:
        threads.use_threads(before)


def test_the_suite_follows_every_workload_in_both_modes_and_fit_itself() -> None:
    workloads, modes, _ = training.Step.params
    assert (set(workloads), modes) == (set(WORKLOADS), OURS)
    for workload in WORKLOADS.values():
        for mode in OURS:
            assert callable(training.program(workload, mode))
    assert training.program(WORKLOADS["keras_fit"], "fastgrad") is WORKLOADS["keras_fit"].programs["fit"]
