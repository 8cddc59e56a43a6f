"""docs/versions.md: what is called supported has a command that shows it, and the day of its last run."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    2:
]
SESSIONS = set(
    re.findall(
        r"(?:name=|add_tests\(\s*)\"([\w-]+)\"|^def (\w+)\(session", (ROOT / "noxfile.py").read_text(), re.MULTILINE
    )
)
SESSIONS = {name for names in SESSIONS for name in names if name}


@pytest.mark.parametrize(("what", "supported", "command", "last_run"), ROWS)
def test_a_row_has_a_command_and_the_day_of_its_last_run(what, supported, command, last_run):
    if supported == "expected":
        assert last_run.startswith("not run"), what
        return
    assert re.match(r"each change|20\d\d-\d\d-\d\d|one H200|on the day", last_run), what
    commands = re.findall(r"`(?:make )?([\w./-]+)[^`]*`", command)
    assert commands, what
    for name in commands:
        assert name in SESSIONS or (ROOT / name).is_file(), name


def test_the_package_names_the_pythons_that_are_supported():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    supported = [
        number
        for row in ROWS
        if row[1] == "yes" and row[0].startswith("Python ")
        for number in re.findall(r"3\.\d+", row[0])
    ]
    assert named == supported
    lowest, highest = re.findall(r"3\.(\d+)", project["requires-python"])
    expected = [number for row in ROWS if row[0].startswith("Python ") for number in re.findall(r"3\.\d+", row[0])]
    assert expected == [f"3.{minor}" for minor in range(int(lowest), int(highest))]
