"""`python -m benchmarks.public_packages`: the table of packages, reports of pytest, and what is counted."""

import json
import re

import pytest

from benchmarks.public_packages.__main__ import (
    LOSSES,
    NO_REASON,
    PAGE,
    PROGRAM,
    TABLE,
    command,
    compared,
    outcomes,
    outcomes_of_programs,
    page,
    reason,
)

PACKAGES = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", PACKAGES, ids=[entry["name"] for entry in PACKAGES])
def test_each_package_has_all_that_its_run_needs(entry):
    assert {"version", "beside", "repository", "commit", "files"} <= set(entry)
    assert ("tests" in entry) != ("programs" in entry)
    runner = [str(PROGRAM)] if "programs" in entry else ["-m", "pytest"]
    assert command(entry, "tensorflow") == runner
    assert runner[-1] in command(entry, "fastgrad")
    for pattern, text in entry.get("reasons", ()):
        assert re.compile(pattern)
        assert text


def test_each_row_of_the_page_is_of_a_package_of_the_table():
    rows = re.findall(r"^\| ([a-z-]+) \| ([\d.]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows
    assert set(rows) <= {(entry["name"], entry["version"]) for entry in PACKAGES}


def test_a_command_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="imports is 'torch'; use one of keras, tensorflow"):
        command({"name": "a", "imports": "torch"}, "fastgrad")


REPORT = """<testsuites><testsuite>
<testcase classname="t" name="good"/><testcase classname="t" name="bad"><failure/></testcase>
<testcase classname="t" name="late"/><testcase classname="t" name="late"><error/></testcase>
<testcase classname="t" name="left"><skipped/></testcase>
</testsuite></testsuites>"""


def test_outcomes_of_a_report():
    assert outcomes(REPORT) == {"t::good": "passed", "t::bad": "failed", "t::late": "failed", "t::left": "skipped"}


def test_a_program_passes_if_it_prints_the_losses_of_tensorflow():
    printed = "Step  Train loss\n0     [4.40e+01]\nfastgrad: compiled 3 kernels\n50    [4.05e+00]\n"
    lines = LOSSES.findall(printed)
    assert lines == ["0     [4.40e+01]", "50    [4.05e+00]"]
    theirs, ours = outcomes_of_programs({"a": lines, "b": lines, "c": []}, {"a": lines, "b": lines[:1], "c": []})
    assert theirs == {"a": "passed", "b": "passed", "c": "failed"}
    assert (ours["a"], ours["b"]) == ("passed", "failed")


def test_only_tests_that_pass_with_tensorflow_count():
    theirs = {"a": "passed", "b": "passed", "c": "failed", "d": "passed"}
    comparison = compared(theirs, {"a": "passed", "b": "failed", "c": "passed"})
    assert (
        comparison["passed_with_tensorflow"],
        comparison["passed_with_both"],
        comparison["passed_with_fastgrad"],
    ) == (3, 1, 2)
    assert comparison["passed_with_tensorflow_only"] == ["b", "d"]


def test_the_page_has_the_reason_of_each_test_that_does_not_pass():
    entry = {**PACKAGES[0], "reasons": [["draws", "a random number"]]}
    assert reason(entry, "t::test_draws") == "a random number"
    result = compared({"t::test_draws": "passed", "t::other": "passed"}, {})
    text = page([entry], {"versions": {"keras": "3", "tensorflow": "2"}, "packages": {entry["name"]: result}})
    assert "Of 2 tests that pass with TensorFlow, 0 pass" in text
    assert "`test_draws` | a random number |" in text
    assert f"`other` | {NO_REASON} |" in text
