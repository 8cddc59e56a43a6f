"""The lint of names in backticks."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.completeness

ROOT = Path(__file__).resolve().parents[2]

SOURCE = '''"""Sums. `add` is one, `subtract` is none; `Sum.total` is there, `Sum.rest` is not; see `_private` and `MPI_Init`."""


class Sum:
    """A sum."""

    total = 0


def add(x, y):
    """Adds `x` to ``y``; `z` is no argument.

    Args:
        x, w: numbers.
        y: a number.

    Raises:
        TypeError: no number.
        Missing: no such class.
    """
    return x + y  # `rest` is no name
'''


def test_names_that_do_not_exist_are_told_with_their_line(tmp_path):
    for folder in ("src", "tests", "benchmarks", "tools", "examples", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "sums.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "docs" / "page.md").write_text("`sums.add` and `sums.divide`\n", encoding="utf-8")
    for name in ("README.md", "pyproject.toml"):
        (tmp_path / name).write_text("", encoding="utf-8")
    command = [sys.executable, str(ROOT / "tools" / "names_in_text.py")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = [line.split(": ")[:2] for line in result.stdout.splitlines()]
    assert told == [
        ["docs/page.md:1", "sums.divide"],
        ["src/sums.py:10", "w"],
        ["src/sums.py:21", "rest"],
        ["src/sums.py:1", "subtract"],
        ["src/sums.py:1", "Sum.rest"],
        ["src/sums.py:1", "_private"],
        ["src/sums.py:11", "z"],
        ["src/sums.py:11", "Missing"],
    ]
    assert result.returncode == 1
