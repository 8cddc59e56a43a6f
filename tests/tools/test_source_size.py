"""The gate of the size of src: growth needs a reason in a commit message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "source_size.py"


@pytest.fixture
def commit(tmp_path):
    """A function that commits files to a new repository."""

    def git(*arguments):
        settings = "-c", "user.name=someone", "-c", "user.email=someone@example.org"
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def write_and_commit(message, **lines_of_files):
        for name, count in lines_of_files.items():
            path = tmp_path / "src" / "fastgrad" / "_src" / "core" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x = 1  # a comment\n" * count)
        git("add", "-A")
        git("commit", "-qm", message)

    git("init", "-qb", "main")
    write_and_commit.git = git
    return write_and_commit


def run_tool(folder):
    return subprocess.run([sys.executable, TOOL], cwd=folder, check=False, capture_output=True, text=True, timeout=120)


def test_growth_without_a_reason_is_an_error(commit, tmp_path):
    commit("the first", tensor=10)
    assert run_tool(tmp_path).returncode == 0  # nothing to compare with
    commit("more", tensor=12)
    done = run_tool(tmp_path)
    assert done.returncode == 1
    table = [line.split() for line in done.stdout.splitlines()]
    assert ["fastgrad.core", "12", "+2", "36", "+6"] in table
    assert ["src", "12", "+2", "36", "+6"] in table
    assert "src grew by 2 lines" in done.stdout


def test_growth_with_a_reason_and_a_smaller_src_pass(commit, tmp_path):
    commit("the first", tensor=10, shape=5)
    commit("more\n\nGrows: shapes are compared", tensor=12)
    done = run_tool(tmp_path)
    assert done.returncode == 0
    assert "Grows: shapes are compared" in done.stdout
    commit("less", shape=1)
    assert run_tool(tmp_path).returncode == 0


def test_a_branch_is_compared_with_main(commit, tmp_path):
    commit("the first", tensor=10)
    commit.git("checkout", "-qb", "branch")
    commit("more\n\nGrows: a reason of an earlier commit", tensor=20)
    commit("a little less", tensor=19)
    done = run_tool(tmp_path)
    assert done.returncode == 0
    assert ["src", "19", "+9", "57", "+27"] in [line.split() for line in done.stdout.splitlines()]
