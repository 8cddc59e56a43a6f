"""Sizes of arguments that keep small arrays small are taken for constants: other sizes give the same results and errors, by a derivative for all sizes."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.runtime._nrt_python import memsys_enable_stats

import fastgrad as fg
from fastgrad._src.derivatives import derivation
from fastgrad._src.derivatives.codegen import code_compiler
from fastgrad._src.derivatives.codegen.functions_of_code import code_of
from fastgrad._src.derivatives.output.text import text_of_code
from fastgrad._src.derivatives.transform.constant_sizes import sizes_to_assume
from tests.derivatives import central
from tests.derivatives.both_ways import compiled_from_text, differences, outcome, references_left

RANDOM = np.random.RandomState(0)


@numba.njit
def covariance(a, p):
    carry, total = np.zeros((3, 3)), 0.0
    for t in range(len(a)):
        carry = a[t] @ carry @ a[t].T + np.outer(p, p)
        total += math.sin(carry.sum()) + (carry @ p).sum()
    return total


@numba.njit
def position(a, p):
    state = np.zeros(2)
    for _ in range(3):
        state = np.tanh(a @ state) + p
    return (state * np.arange(state.size)).sum()


@numba.njit
def chosen(a, p):
    best = np.zeros(2)
    for i in range(a.shape[0]):
        if a[i].sum() > best.sum():
            best = a[i] * p[0]
    return (best * best).sum()


FITTING = {
    covariance: (0.3 * RANDOM.normal(size=(4, 3, 3)), RANDOM.normal(size=3)),
    position: (RANDOM.normal(size=(2, 2)), RANDOM.normal(size=2)),
    chosen: (RANDOM.normal(size=(5, 2)), RANDOM.normal(size=2)),
}
OTHER = {
    covariance: (RANDOM.normal(size=(1, 5, 3)), RANDOM.normal(size=5)),
    position: (RANDOM.normal(size=(2, 2)), RANDOM.normal(size=1)),
    chosen: (RANDOM.normal(size=(5, 7)), RANDOM.normal(size=7)),
}
CASES = [(function, both[function]) for function in FITTING for both in (FITTING, OTHER)]
NAMES = [f"{function.__name__}-{kind}" for function in FITTING for kind in ("fitting", "other")]


def sizes_of(function):
    lowered, _ = derivation.lowered_function(function, tuple(map(numba.typeof, FITTING[function])), is_reverse=True)
    return sizes_to_assume(lowered)


@pytest.mark.parametrize(
    ("function", "sizes"),
    [
        (covariance, {("a_a", 1): 3, ("a_a", 2): 3, ("a_p", 0): 3}),
        (position, {("a_a", 0): 2, ("a_a", 1): 2, ("a_p", 0): 2}),
        (chosen, {("a_a", 1): 2}),
    ],
    ids=["covariance", "position", "chosen"],
)
def test_which_sizes_are_assumed(function, sizes):
    assert sizes_of(function) == sizes


def test_sizes_that_other_sizes_follow_from_are_not_assumed():
    @numba.njit
    def f(x):
        state, total = np.zeros(2), 0.0
        for _ in range(3):
            state, total = x[1:] * 2.0, total + state.sum()
        return total

    lowered, _ = derivation.lowered_function(f, (numba.typeof(np.ones(3)),), is_reverse=True)
    assert sizes_to_assume(lowered) == {}


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=NAMES)
@pytest.mark.parametrize("first", [FITTING, OTHER], ids=["fitting first", "other first"])
def test_gradients(function, arguments, first):
    derivative = fg.value_and_grad(function, (0, 1))
    derivative(*first[function])
    value, gradients = derivative(*arguments)
    assert value == pytest.approx(function(*arguments), rel=1e-12)
    expected, _ = central.reference(function, arguments, (0, 1))
    for found, right in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, right.astype(float), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=NAMES)
def test_other_derivatives(function, arguments):
    direction = np.cos(np.arange(arguments[1].size))
    gradient, product = fg.grad(function, 1), fg.hvp(function, 1)
    for each, last in ((gradient, ()), (product, (np.ones(FITTING[function][1].size),))):
        each(*FITTING[function], *last)  # with assumed sizes
    found = product(*arguments, direction)
    a, p = arguments
    step = 1e-6 * direction
    np.testing.assert_allclose(found, (gradient(a, p + step) - gradient(a, p - step)) / 2e-6, rtol=1e-4, atol=1e-5)
    tangents = (np.zeros_like(a), direction)
    forward = fg.jvp(function, argnums=(0, 1))
    forward(*FITTING[function], *map(np.zeros_like, FITTING[function]))
    assert forward(*arguments, *tangents)[1] == pytest.approx(gradient(*arguments) @ direction, rel=1e-10)
    jacobian = fg.jacobian(function, 1)
    jacobian(*FITTING[function])
    np.testing.assert_allclose(jacobian(*arguments), gradient(*arguments), rtol=1e-10)


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=NAMES)
def test_the_text_has_the_same_results_and_references(function, arguments):
    memsys_enable_stats()
    assert differences(function, arguments) == []

    def gradient_of(*values):
        gradient = fg.grad(function, (0, 1))
        gradient(*FITTING[function])
        text = text_of_code(code_of(gradient.derive(tuple(map(numba.typeof, values)))))
        assert "return general(" in text
        assert references_left(lambda: gradient(*values)) == 0
        return outcome(lambda: gradient(*values))

    written = gradient_of(*arguments)
    with compiled_from_text():
        assert gradient_of(*arguments) == written


def test_a_call_in_a_compiled_function():
    gradient = fg.grad(covariance, 1)

    @numba.njit
    def caller(a, p):
        return gradient(a, p)

    caller(*FITTING[covariance])
    expected, _ = central.reference(covariance, OTHER[covariance], (1,))
    np.testing.assert_allclose(caller(*OTHER[covariance]), expected[0].astype(float), rtol=1e-8)


def test_a_call_in_a_parallel_loop():
    gradient = fg.grad(covariance, 1)
    gradient(*FITTING[covariance])

    @numba.njit(parallel=True)
    def caller(a, p):
        out = np.empty((6, p.size))
        for i in numba.prange(6):
            out[i] = gradient(a * (i + 1.0), p)
        return out

    a, p = OTHER[covariance]
    expected, _ = central.reference(covariance, (a * 3.0, p), (1,))
    np.testing.assert_allclose(caller(a, p)[2], expected[0].astype(float), rtol=1e-8)


def test_errors_are_those_of_the_function():
    gradient = fg.grad(covariance, (0, 1))
    gradient(*FITTING[covariance])
    a, p = OTHER[covariance]
    for _ in range(2):
        with pytest.raises(ValueError, match="sizes"):
            gradient(np.repeat(a, 2, axis=0), p)
    with pytest.raises(ValueError, match="sizes"):
        covariance(np.repeat(a, 2, axis=0), p)


def test_the_derivative_for_all_sizes_is_compiled_when_a_call_needs_it(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(code_compiler, "NOT_EMITTED", [])
    derived = []
    of_sizes = derivation.sizes_to_assume
    lowering_of = derivation.lowering_of
    monkeypatch.setattr(derivation, "lowering_of", lambda *each: derived.append(1) or lowering_of(*each))
    monkeypatch.setattr(derivation, "sizes_to_assume", lambda lowered: derived.append(0) or of_sizes(lowered))

    @numba.njit
    def f(a, p):
        state = np.zeros(2)
        for _ in range(4):
            state = a @ state * 0.5 + p
        return state.sum()

    gradient = fg.grad(f, 1)
    gradient(np.eye(2), np.ones(2))
    assert derived == [1, 0, 1]
    np.testing.assert_allclose(gradient(np.eye(2), np.ones(1)), [3.75])
    assert derived == [1, 0, 1, 1]
    assert code_compiler.NOT_EMITTED == []


PROGRAM = """
import json, sys
import numpy as np, numba, fastgrad as fg
from model import position
gradient = fg.grad(position, 1)
print(json.dumps([gradient(np.eye(2), np.ones(size)).tolist() for size in json.loads(sys.argv[1])]))
print("fastgrad._src.derivatives.derivation" in sys.modules)
"""


def test_later_processes_read_both_from_the_disk(tmp_path):
    (tmp_path / "model.py").write_text(
        "import numba, numpy as np\n\n@numba.njit\ndef position(a, p):\n    state = np.zeros(2)\n    for _ in range(4):\n"
        "        state = a @ state * 0.5 + p\n    return state.sum()\n",
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        "FASTGRAD_CACHE_DIR": str(tmp_path / "kernels"),
        "PYTHONPATH": str(Path(fg.__file__).parents[1]),
    }

    def run(*sizes):
        command = [sys.executable, "-c", PROGRAM, json.dumps(sizes)]
        output = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True, timeout=600)
        gradients, is_derived = output.splitlines()
        return json.loads(gradients), is_derived

    expected = [[1.875, 1.875], [3.75]]
    assert run(2, 1) == (expected, "True")
    assert run(2, 1) == (expected, "False")
    assert run(1, 2) == (expected[::-1], "False")
