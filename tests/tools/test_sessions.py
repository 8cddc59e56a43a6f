"""Commands that texts name are targets of the Makefile or sessions of noxfile.py."""

import importlib.util
import re
from pathlib import Path

import nox.registry
import pytest

pytestmark = pytest.mark.completeness

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", ".ci/run")),
    *(
        path
        for folder in (".github", "benchmarks", "docs", "examples", "tests", "tools")
        for path in (ROOT / folder).rglob("*")
    ),
]
_COMMAND = re.compile(
    r"(?:`|^\s*|run: |run '|directory )make(?: --no-print-directory)? ([a-z-]+)(?=[`' ]|$)", re.MULTILINE
)


@pytest.fixture(scope="module")
def sessions():
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return nox.registry.get()


def targets():
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def named(path):
    return set(_COMMAND.findall(path.read_text(encoding="utf-8")))


def test_each_session_says_what_it_does(sessions):
    assert [name for name, session in sessions.items() if not session.__doc__.endswith(".")] == []


def test_each_target_is_a_session_or_a_recipe_of_its_own(sessions):
    assert targets() - set(sessions) == {"help", "sessions", "test-all", "clean"}


def test_commands_in_texts_exist(sessions):
    paths = [path for path in TEXTS if path.suffix in (".md", ".py", ".toml", ".yml", "") and path.is_file()]
    commands = {command: path for path in paths for command in named(path)}
    assert {"test", "bridges", "test-gpu", "gate"} <= set(commands)
    assert {command: path for command, path in commands.items() if command not in {*sessions, *targets()}} == {}


def test_all_kinds_of_tests_run_in_the_order_of_ci(sessions):
    parts = [name for name, session in sessions.items() if "test-all" in session.tags]
    assert parts[0] == "test"
    assert {"test-numba", "test-checked", "test-cuda", "test-distributed"} <= set(parts)
