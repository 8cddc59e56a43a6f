"""The picture of docs/compiled_functions.md is that of the program on the page."""

import itertools
import re
from html import unescape

import pytest

from tools.recording_picture import PICTURE, kernel_rows, picture, recorded_step


@pytest.fixture(scope="module")
def step():
    return recorded_step()


def operations(drawing):
    """The texts at the left margin, between the heads and the note."""
    texts = re.findall(r'<text x="16" y="[\d.]+">([^<]*)</text>', drawing)
    return [unescape(text) for text in texts]


def test_the_committed_picture_has_the_kernels_of_the_pages_program(step):
    """Else: python -m tools.recording_picture."""
    rows, _, _ = kernel_rows(step)
    assert operations(PICTURE.read_text(encoding="utf-8")) == [row.operations for row in rows]
    assert operations(picture(step)) == [row.operations for row in rows]


def test_rows_are_those_of_the_report(step):
    rows, _, size = kernel_rows(step)
    report = step.report()
    assert len(rows) == int(re.search(r"(\d+) kernels, no Python", report)[1])
    assert f"memory of its own: {size} bytes" in report
    assert all(row.operations in report for row in rows)


def test_values_that_live_at_one_time_have_memory_of_their_own(step):
    rows, lifetimes, size = kernel_rows(step)
    assert len(lifetimes) > 5
    assert all(0 <= one.start < one.end <= size and one.first <= one.last < len(rows) for one in lifetimes)
    for one, other in itertools.combinations(lifetimes, 2):
        together = one.first < other.last and other.first < one.last
        assert not together or one.end <= other.start or other.end <= one.start
    reused = [pair for pair in itertools.combinations(lifetimes, 2) if pair[0].start < pair[1].end <= pair[0].end]
    assert reused, "no memory is used twice"
