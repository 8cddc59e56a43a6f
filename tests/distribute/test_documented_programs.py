"""The programs of docs/distributed.md run on two ranks, and print what the page says they print."""

from __future__ import annotations

import re

import pytest

from tests.distribute.ranks import ROOT, run_ranks

PAGE = ROOT / "docs" / "distributed.md"
PROGRAMS = re.findall(r"(?ms)^```py\n(.*?)^```\n\n```text\n(.*?)^```\n", PAGE.read_text(encoding="utf-8"))


def printed(output):
    """What the program printed: without the line about the ranks' processes, which goes to the error stream."""
    return "".join(line for line in output.splitlines(keepends=True) if not line.startswith("fastgrad.distribute:"))


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_prints_what_follows(number, tmp_path):
    program, expected = PROGRAMS[number]
    file = tmp_path / "train.py"
    file.write_text(f"import os\nos.chdir({str(tmp_path)!r})\n{program}", encoding="utf-8")
    status, output = run_ranks(2, ["-W", "error", str(file)], PYTHONPATH=str(ROOT / "src"))
    assert status == 0, output
    assert printed(output) == expected


def test_the_page_has_its_programs():
    assert len(PROGRAMS) == 4
