"""The tables of the pages of refused derivatives have the messages that the programs of these pages print.

tests/test_readme.py runs the programs.
"""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

SECTIONS = [
    pytest.param(section, id=section.split("\n", 1)[0])
    for page in ("refused_derivatives.md", "refused_arrays_and_loops.md")
    for section in re.split(r"^## ", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    if "| message |" in section
]


def test_there_are_tables_of_messages():
    assert len(SECTIONS) >= 6


@pytest.mark.parametrize("section", SECTIONS)
def test_each_message_of_a_table_is_printed_above_it(section):
    printed = " ".join(re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
    messages = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert messages
    assert [message for message in messages if message not in printed] == []
