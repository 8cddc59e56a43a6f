"""`python -m benchmarks.public_scripts`: the list of scripts, and what counts as equal."""

import json
import re

import numpy as np
import pytest

from benchmarks.public_scripts.__main__ import HERE, TABLE, Outcome, array_difference, difference, values_cell

SCRIPTS = json.loads((HERE / "scripts.json").read_text(encoding="utf-8"))


def test_each_script_has_a_commit_and_a_row():
    page = TABLE.read_text(encoding="utf-8")
    keys = [(entry["repository"], entry["path"]) for entry in SCRIPTS["scripts"]]
    assert len(set(keys)) == len(keys) >= 40
    for entry in SCRIPTS["scripts"]:
        assert re.fullmatch("[0-9a-f]{40}", entry["commit"])
        assert f"| {entry['path']} | {entry['repository']} |" in page


def test_rounding_is_no_difference_and_a_wrong_value_is():
    values = np.linspace(-1, 1, 100)

    def differences(ours, theirs):
        return array_difference([ours], [theirs], [theirs])

    assert differences(values, values * (1 + 1e-4)) == ""
    assert "differ by" in differences(values, values * 1.01)
    assert "shapes" in differences(values, values[:5])
    assert "differ by nan" in differences(values * np.nan, values)


def outcome_of(printed, **weights):
    return Outcome("", printed, {"weights": weights, "results": [], "globals": {}})


@pytest.mark.parametrize(("own", "expected"), [(1.02, "rounding"), (1.006, "rounding"), (1.004, "no"), (np.nan, "no")])
def test_twice_the_difference_of_tensorflow_from_changed_weights_is_rounding(own, expected):
    values = np.linspace(-1, 1, 100)
    theirs, ours, changed = (outcome_of("", kernel=[values * factor]) for factor in (1, 1.01, own))
    row = {
        "difference": difference(ours, theirs, []),
        "beyond_rounding": difference(ours, theirs, [], changed),
    }
    assert "weights kernel: differ by" in row["difference"]
    assert values_cell(row) == expected


def test_printed_numbers_count():
    assert difference(outcome_of("loss: 0.5 at dense_1"), outcome_of("loss: 0.50001 at dense_2"), []) == ""
    assert "printed numbers" in difference(outcome_of("loss: 0.5"), outcome_of("loss: 0.6"), [])
    assert difference(outcome_of("seconds: 3\nloss 1"), outcome_of("seconds: 4\nloss 1"), ["seconds"]) == ""
    assert "prints 0 numbers" in difference(outcome_of(""), outcome_of("1"), [])
