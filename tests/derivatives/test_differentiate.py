"""`python -m fastgrad.differentiate`: a package with a right, a wrong, a refused, a slow and a crashing function."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = """
import numba
import numba.experimental
import numpy as np
import fastgrad as fg

@numba.njit
def right(x):
    return (x * x).sum()

@numba.njit
def cube(x):
    return x ** 3

@fg.adjoint(cube)
def wrong_rule(cotangent, result, x):
    return x * cotangent

@numba.njit
def wrong(x):
    return 2.0 * cube(x)

@numba.njit
def refused(x):
    return np.random.gamma(x)

@numba.njit
def counts(n):
    return n + 1

@numba.njit
def slow(x):
    while x > 0.0:
        x += 1e-300
    return x

@numba.njit
def growth(k, x):
    if k == 0.0:
        return x
    return np.expm1(k * x) / k

never = numba.njit(lambda x: x)

@numba.guvectorize("(n)->()")
def total(x, y):
    y[0] = x.sum()

@numba.experimental.jitclass([("value", numba.float64)])
class Mean:
    def __init__(self, value):
        self.value = value

    def add(self, x):
        self.value += x

    @property
    def mean(self):
        return self.value

    @staticmethod
    def twice(x):
        return 2.0 * x
"""
USE = """
import numpy as np
import toy
toy.right(np.array([1.0, 2.0]))
toy.wrong(1.5)
toy.refused(2.0)
toy.counts(3)
toy.Mean(0.5).add(toy.Mean.twice(0.3))
toy.total(np.ones(3), np.zeros(()))
"""


def report_of(folder, use, *options, program="fastgrad.differentiate"):
    """Runs the command for the package, or another program with its options; returns its process, and what it says of each function."""
    (folder / "toy.py").write_text(PACKAGE)
    (folder / "use.py").write_text(use)
    report = folder / "report.json"
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            program,
            "toy",
            "--out",
            str(report),
            *options,
            "--",
            "use.py",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), str(folder)])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    functions = json.loads(report.read_text())["functions"]
    return finished, {function["name"].rpartition(".")[2]: function for function in functions}


def test_each_function_of_a_package_has_a_status_and_a_disagreement_is_the_exit_status(tmp_path):
    finished, functions = report_of(tmp_path, USE)
    assert all(0.0 < function["seconds"] < 120.0 for function in functions.values())
    assert {name: function["status"] for name, function in functions.items()} == {
        "right": "right",
        "wrong": "disagrees",
        "cube": "disagrees",
        "refused": "refused",
        "counts": "skipped",
        "twice": "right",
    }
    assert "toy.py:" in functions["refused"]["reason"]
    assert finished.returncode == 1, finished.stderr
    assert "toy: 2 disagrees" in finished.stdout
    assert "3 methods of jitclass, 1 guvectorize, 4 not called\n" in finished.stdout
    assert "\nmethods of jitclass: toy.Mean.__init__, toy.Mean.add, toy.Mean.mean: " in finished.stdout
    assert "\nguvectorize: toy.total: fastgrad differentiates functions of numba.njit" in finished.stdout
    assert "\nnot called: toy.<lambda>, toy.growth, toy.slow, toy.wrong_rule\n" in finished.stdout
    unchecked = json.loads((tmp_path / "report.json").read_text())["unchecked"]
    assert unchecked["not called"] == ["toy.<lambda>", "toy.growth", "toy.slow", "toy.wrong_rule"]


def test_a_slow_function_does_not_stop_the_rest(tmp_path):
    finished, functions = report_of(tmp_path, "import toy\ntoy.slow(0.0)\ntoy.counts(2)\n", "--seconds", "4")
    assert {name: (function["status"], function["reason"]) for name, function in functions.items()} == {
        "slow": ("too slow", "takes longer than 4 s"),
        "counts": ("skipped", "takes no floats"),
    }
    assert finished.returncode == 0, finished.stderr


def test_the_program_of_the_page_of_packages_tells_why_a_right_derivative_disagrees(tmp_path):
    finished, functions = report_of(tmp_path, "import toy\ntoy.growth(0.0, 0.7)\n", program="tests.packages.classify")
    assert functions["growth"]["status"] == "disagrees", finished.stderr
    assert functions["growth"]["reason"].startswith("at a branch: by k: reverse mode 0.0, ")
