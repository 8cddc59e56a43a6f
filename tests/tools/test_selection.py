"""Shards are all tests, each once; the commit alone decides which ones run, and what a change concerns runs whole."""

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import grimp
import pytest

from tests import selection

ROOT = Path(__file__).resolve().parents[2]


def collected(*options, **variables):
    """Returns the names of the tests that a run with some options has."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *options]
    command += [] if any(option.endswith(".py") for option in options) else ["tests/signal"]
    environment = {name: value for name, value in os.environ.items() if name != selection.VARIABLE} | variables
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [line for line in run.stdout.splitlines() if "::" in line]


@pytest.fixture(scope="module")
def all_tests():
    return sorted(collected())


def test_shards_are_all_tests_each_once(all_tests):
    shards = [collected("--shards", "3", "--shard", str(number)) for number in range(3)]
    assert all(shards)
    assert sorted(chain(*shards)) == all_tests


def test_modules_are_in_one_shard_each(all_tests):
    shards = [collected("--shards", "2", "--by-module", "--shard", str(number)) for number in range(2)]
    assert sorted(chain(*shards)) == all_tests
    first, second = [{name.partition("::")[0] for name in shard} for shard in shards]
    assert first
    assert second
    assert first.isdisjoint(second)


def test_a_module_that_an_argument_names_is_in_one_shard_too():
    modules = ["tests/signal/test_fourier.py", "tests/signal/test_frames.py"]
    shards = [collected("--shards", "2", "--by-module", "--shard", str(number), *modules) for number in range(2)]
    assert {name.partition("::")[0] for name in shards[0]}.isdisjoint(name.partition("::")[0] for name in shards[1])


def test_an_argument_that_names_no_file_fails():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "--shards", "2", "tests/signal/test_of_nothing.py"]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no such tests: tests/signal/test_of_nothing.py" in run.stderr


def test_the_tree_of_the_commit_names_the_shard():
    tree = int(selection.git("rev-parse", "HEAD^{tree}")[:7] or "0", 16)
    assert collected("--shards", "3") == collected("--shards", "3", "--shard", str(tree % 3))
    assert collected("--shards", "3", **{selection.VARIABLE: "5"}) == collected("--shards", "3", "--shard", "2")


def shard_with(monkeypatch, whole, **options):
    monkeypatch.setattr(selection, "changed_tests", lambda with_importers: frozenset(whole))
    options = {"shards": 10**7, "shard": 0, "by_module": False, "whole_if_changed": True} | options
    return selection.Shard(SimpleNamespace(getoption=lambda name: options[name.lstrip("-").replace("-", "_")]))


@pytest.mark.parametrize("whole", ["tests/ops", "tests/ops/test_it.py"])
def test_what_a_change_concerns_is_whole(monkeypatch, whole):
    names = [f"tests/ops/test_it.py::test[{number}]" for number in range(50)]
    assert all(shard_with(monkeypatch, [whole]).has(name) for name in names)
    others = [name.replace("ops", "opsets") for name in names]
    assert not any(shard_with(monkeypatch, [whole]).has(name) for name in others)
    assert not any(shard_with(monkeypatch, [whole], whole_if_changed=False).has(name) for name in names)


@pytest.mark.parametrize(("count", "parts"), [(100, 1), (15_000, 3)])
def test_what_takes_long_is_in_shards_which_are_all_of_it(monkeypatch, count, parts):
    names = [f"tests/ops/test_it.py::test[{number}]" for number in range(count)]
    config = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=lambda items: None))
    selected = []
    for number in range(parts):
        items = [SimpleNamespace(nodeid=name, keywords={}) for name in names]
        shard_with(monkeypatch, ["tests/ops"], shard=number).pytest_collection_modifyitems(config, items)
        assert len(items) < count / parts * 1.2
        selected += [item.nodeid for item in items]
    assert sorted(selected) == sorted(names)


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("fastgrad", "tests", cache_dir=None)


@pytest.mark.parametrize(
    ("path", "some", "others"),
    [
        ("src/fastgrad/_src/ops/composed/moving_average.py", ["tests/ops/composed"], ["tests/keras", "tests/data"]),
        (
            "src/fastgrad/_src/scalars/terms.py",
            ["tests/core", "tests/derivatives", "tests/scalars"],
            ["tests/data"],
        ),
        (
            "src/fastgrad/_src/keras/training/compile_loss.py",
            ["tests/keras/training"],
            ["tests/keras/layers", "tests/ops"],
        ),
        (
            "src/fastgrad/_src/derivatives/bridges/torch.py",
            ["tests/derivatives/bridges"],
            ["tests/derivatives", "tests/ops"],
        ),
        ("src/fastgrad/__init__.py", [], ["tests/ops"]),
        ("src/fastgrad/keras/layers/__init__.py", ["tests/keras/layers"], ["tests/ops"]),
        ("src/fastgrad/_src/ops/a_removed_module.py", ["tests/ops"], ["tests/core"]),
        ("tests/ops/samples.py", ["tests/ops/test_operation_table.py"], ["tests/ops", "tests/ops/test_casting.py"]),
        ("tests/ops/test_casting.py", ["tests/ops/test_casting.py"], ["tests/ops"]),
        ("tests/conformance/answers/any.json", ["tests/conformance/answers"], ["tests/conformance"]),
        ("examples/digits.py", ["tests/test_examples.py"], ["tests/ops"]),
        ("Makefile", [], ["tests/ops"]),
        ("tests/notes.txt", ["tests/tools"], ["tests"]),
    ],
)
def test_a_change_concerns_the_tests_of_its_package_and_of_those_that_import_it(graph, path, some, others):
    answer = set(selection._tests_of_path(Path(path), graph))
    assert answer.issuperset(some)
    assert answer.isdisjoint(others)


def test_importers_may_be_left_out(graph):
    path = Path("src/fastgrad/_src/jit/dispatcher_cache.py")
    assert {"tests/jit", "tests/derivatives"} <= set(selection._tests_of_path(path, graph))
    assert set(selection._tests_of_path(path, graph, with_importers=False)) == {"tests/jit"}


def test_a_change_is_the_commits_of_the_last_hours_before_the_last_one(monkeypatch, tmp_path):
    monkeypatch.setattr(selection, "ROOT", tmp_path)

    def commit(name, hours):
        (tmp_path / name).write_text(name)
        date = f"{1_700_000_000 + hours * 3600} +0000"
        for command in (
            ["git", "add", "."],
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", name],
        ):
            subprocess.run(command, cwd=tmp_path, check=True, env={**os.environ, "GIT_COMMITTER_DATE": date})

    assert selection.changed_paths() == []
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name, hours in {"first": 0, "before": 5, "second": 10, "third": 11, "last": 13}.items():
        commit(name, hours)
    assert selection.changed_paths() == ["last", "second", "third"]


def test_draws_within_tests_follow_from_the_seed(monkeypatch):
    names = [f"case {number}" for number in range(400)]
    drawn = {}
    for seed in ("1", "1 ", "2"):
        monkeypatch.setenv(selection.VARIABLE, seed)
        drawn[seed] = [name for name in names if selection.once_in(4, name)]
    assert drawn["1"] == drawn["1 "] != drawn["2"]
    assert 60 < len(drawn["1"]) < 140
