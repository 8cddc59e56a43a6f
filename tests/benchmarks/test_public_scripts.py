"""`python -m benchmarks.public_scripts`: the list of scripts, and what counts as equal."""

import json
import re

import numpy as np

from benchmarks.public_scripts.__main__ import HERE, TABLE, Outcome, array_difference, difference

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
    assert array_difference([values], [values * (1 + 1e-4)]) == ""
    assert "differ by" in array_difference([values], [values * 1.01])
    assert "shapes" in array_difference([values], [values[:5]])
    assert "differ by nan" in array_difference([values * np.nan], [values])


def test_printed_numbers_count():
    def outcome(printed):
        return Outcome("", printed, {"weights": {}, "results": [], "globals": {}})

    assert difference(outcome("loss: 0.5 at dense_1"), outcome("loss: 0.50001 at dense_2"), []) == ""
    assert "printed numbers" in difference(outcome("loss: 0.5"), outcome("loss: 0.6"), [])
    assert difference(outcome("seconds: 3\nloss 1"), outcome("seconds: 4\nloss 1"), ["seconds"]) == ""
    assert "prints 0 numbers" in difference(outcome(""), outcome("1"), [])
