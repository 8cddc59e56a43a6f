"""The runner of the peers' test suites, on a suite of a few lines."""

import json
import os
import subprocess
import sys
import types
import unittest
from pathlib import Path

import pytest

from tests.conformance.suites import report
from tests.conformance.suites.exports import exports
from tests.conformance.suites.stand_in import Missing, SetApart
from tests.conformance.suites.wording import Wording

_ROOT = Path(__file__).resolve().parents[2]
_TESTS = """
import types
import unittest

import numpy as np
from keras.src import backend, layers, ops, quantizers
from keras.src.layers.core.dense import Dense

class SmallTest(unittest.TestCase):
    def test_public_names_are_those_of_fastgrad(self):
        assert type(Dense(2)(np.ones((1, 3)))).__module__.startswith("fastgrad.")
        assert layers.Dense is Dense and backend.is_tensor(ops.ones((2,)))

    def test_wrong(self):
        assert Dense(2).units == 3

    def test_names_that_are_not_there(self):
        quantizers.AbsMaxQuantizer(axis=0)

    def test_words(self):
        with self.assertRaisesRegex(ValueError, "words of the peer"):
            Dense(-1)

    def test_skipped(self):
        self.skipTest("no reason")
"""


def test_each_outcome_of_a_suite_is_told(tmp_path):
    sources, copies = tmp_path / "sources", tmp_path / "copies/keras/src/layers/core"
    for folder, text in [
        ("testing", "from keras.src.testing.test_case import TestCase"),
        ("quantizers", ""),
        ("layers/core", ""),
    ]:
        package = sources / "keras/src" / folder
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(text)
    (sources / "keras/src/testing/test_case.py").write_text(
        "import unittest\nclass TestCase(unittest.TestCase):\n    def run_layer_test(self): pass\n"
        "    def run_class_serialization_test(self): pass\n"
    )
    (sources / "keras/src/layers/core/dense.py").write_text("")
    copies.mkdir(parents=True)
    (copies / "small_test.py").write_text(_TESTS)
    outcomes = tmp_path / "outcomes.json"
    suite = {"SUITE": "keras", "SUITE_SOURCES": str(sources), "SUITE_OUTCOMES": str(outcomes), "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conformance.suites.plugin", "-c", os.devnull, "--rootdir",
               str(tmp_path), "--import-mode=importlib", "-p", "no:cacheprovider", "copies"]  # fmt: skip
    # Of the workers of a parallel run, none writes the file.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    run = subprocess.run(
        command, cwd=tmp_path, env={**environment, **suite}, capture_output=True, text=True, check=False
    )
    assert outcomes.exists(), run.stdout + run.stderr
    by_test = {name.rpartition("::")[2]: outcome for name, (outcome, _) in json.loads(outcomes.read_text()).items()}
    assert by_test == {
        "test_public_names_are_those_of_fastgrad": "passed",
        "test_wrong": "failed",
        "test_names_that_are_not_there": "apart",
        "test_words": "words",
        "test_skipped": "skipped",
    }


def test_a_missing_name_can_be_imported_and_not_used():
    name = Missing("tf.nowhere")
    assert not hasattr(name, "__wrapped__")
    for use in [
        name,
        lambda: name.attribute,
        lambda: [*name],
        lambda: name[0],
        lambda: types.new_class("Sub", (name,)),
    ]:
        with pytest.raises(SetApart, match=r"tf\.nowhere"):
            use()


def test_public_names_are_read_from_the_decorators_of_a_source(tmp_path):
    source = tmp_path / "array_ops.py"
    source.write_text(
        '@tf_export("expand_dims", v1=[])\ndef expand_dims_v2(input, axis): pass\n'
        '@tf_export(v1=["gather"])\ndef gather(params, indices, validate_indices=None, axis=None): pass\n'
        '@tf_export("Thing")\nclass Thing: pass\ndef private(): pass\n'
    )
    found = exports(source)
    assert set(found) == {"expand_dims_v2", "gather", "Thing"}
    assert found["expand_dims_v2"] == (["expand_dims"], [], ["input", "axis"])
    assert found["gather"].names == [] and found["gather"].old_names == ["gather"]


def test_only_the_words_of_an_error_may_differ():
    wording = Wording()
    context = unittest.case._AssertRaisesContext
    leave = context.__exit__
    try:
        wording.install()
        case = unittest.TestCase()
        with case.assertRaisesRegex(ValueError, "expected"):
            raise ValueError("other")
        assert len(wording.differences) == 1
        with pytest.raises(TypeError), case.assertRaisesRegex(ValueError, "expected"):
            raise TypeError("expected")
        with pytest.raises(AssertionError), case.assertRaisesRegex(ValueError, "expected"):
            pass
    finally:
        context.__exit__ = leave


def test_the_report_counts_by_file_and_gives_each_failure_its_reason(tmp_path):
    outcomes = {
        "copies/keras/src/losses/a_test.py::T::test_a": ["passed", ""],
        "copies/keras/src/losses/a_test.py::T::test_b": ["words", "'x' against 'y'"],
        "copies/keras/src/losses/a_test.py::T::test_c": [
            "failed",
            "AttributeError: 'Dense' object has no attribute '_x'",
        ],
        "copies/keras/src/losses/b_test.py::T::test_d": ["failed", "AssertionError: 1 != 2"],
    }
    page = tmp_path / "conformance.md"
    report.write_report({"keras": outcomes}, page)
    text = page.read_text()
    details = (tmp_path / "results" / "conformance.md").read_text()
    assert "| Keras 3.15.1 | 1 | 1 | 1 | 1 | 66.7% |" in text
    assert "| `losses/a_test.py` | 1 | 1 | 1 | 0 | 100.0% |" in details
    assert "| a private attribute of the peer | 1 |" in details
    assert "| AssertionError: 1 != 2 | `losses/b_test.py test_d` |" in text
