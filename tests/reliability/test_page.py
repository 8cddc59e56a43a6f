"""The pages on reliability are what their command writes, and name tests that are there."""

import json
import re

import pytest

from tests.reliability.figures import whole
from tests.reliability.page import FOLDER, PAGE, PARTS, RESULTS, page, results

pytestmark = pytest.mark.completeness

ROOT = FOLDER.parents[1]


def test_the_pages_are_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make reliability`"
    assert RESULTS.read_text(encoding="utf-8") == results(), "run `make reliability`"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_a_suite_and_a_session(part):
    assert list((FOLDER / part).glob("test_*.py"))
    assert f'"{PARTS[part]}"' in (ROOT / "noxfile.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_figures_of_a_long_run_without_failures(part):
    tests = json.loads((FOLDER / part / "figures.json").read_text(encoding="utf-8"))["tests"]
    assert tests["passed"] > 0
    assert "failed" not in tests


@pytest.mark.parametrize("part", PARTS)
def test_a_mended_defect_names_a_test_that_exists(part):
    path = FOLDER / part / "mended.md"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("- "):
            tests = re.findall(r"`(tests/[\w/]+\.py)(?:(?:::\w+)?::(\w+))?`", line)
            assert tests, f"no test is named: {line}"
            for file, name in tests:
                assert (ROOT / file).exists(), file
                assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name


class Configuration:
    """The arguments of a run of pytest, as `whole` reads them."""

    def __init__(self, *args, **options):
        self.args, self._options = args, {"markexpr": "not timed", **options}

    def getoption(self, name, default=""):
        return self._options.get(name, default)

    def getini(self, name):
        return ["-m", "not timed"]


def test_a_run_of_a_folder_writes_figures_and_a_choice_of_tests_does_not():
    assert whole(Configuration("tests/reliability/accuracy"))
    assert not whole(Configuration("tests/reliability/accuracy", keyword="sum"))
    assert not whole(Configuration("tests/reliability/accuracy", markexpr="completeness"))
    assert not whole(Configuration("tests/reliability/test_page.py"))
