"""Commands that texts name are targets of the Makefile or sessions of noxfile.py."""

import re
from pathlib import Path

import pytest

from tests.sessions import sessions, targets

pytestmark = pytest.mark.completeness

ROOT = Path(__file__).parents[2]
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


def named(path):
    return set(_COMMAND.findall(path.read_text(encoding="utf-8")))


def test_each_session_says_what_it_does():
    assert [name for name, session in sessions().items() if not session.__doc__.endswith(".")] == []


def test_each_target_is_a_session_or_a_recipe_of_its_own():
    assert targets() - set(sessions()) == {"help", "sessions", "test-all", "clean"}


def test_commands_in_texts_exist():
    paths = [path for path in TEXTS if path.suffix in (".md", ".py", ".toml", ".yml", "") and path.is_file()]
    commands = {command: path for path in paths for command in named(path)}
    assert {"test", "bridges", "test-gpu", "gate"} <= set(commands)
    assert {command: path for command, path in commands.items() if command not in {*sessions(), *targets()}} == {}


def test_all_kinds_of_tests_run_in_the_order_of_ci():
    parts = [name for name, session in sessions().items() if "test-all" in session.tags]
    assert parts[0] == "test"
    assert {"test-numba", "test-checked", "test-cuda", "test-distributed"} <= set(parts)
