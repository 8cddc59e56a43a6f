"""Derivatives of ``prange`` loops: they are those of the same loops in order, and have the same bits for every number of threads."""

import math
import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import prange

import fastgrad as fg
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.frontend.lowering import lower
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.ir.call_rules import Callee
from fastgrad._src.derivatives.ir.statements import Call
from fastgrad._src.derivatives.transform.parallel_loops import ParallelLoop, outline_parallel_loops
from fastgrad._src.derivatives.transform.simplification import simplify
from tests.derivatives.interpreted import run_derivative

N = 150
RNG = np.random.default_rng(0)
X, Y, W = RNG.normal(size=N), RNG.normal(size=N), RNG.normal(size=4)
A = RNG.normal(size=(N, 4))
INDEX = RNG.integers(0, 4, N)


def logistic_loss(w, x, y):
    total = 0.0
    for i in prange(x.shape[0]):
        margin = 0.0
        for j in range(x.shape[1]):
            margin += x[i, j] * w[j]
        total += math.log1p(math.exp(-y[i] * margin))
    return total / x.shape[0]


def separate_elements(x, s):
    out = np.empty(x.shape[0])
    for i in prange(x.shape[0]):
        out[i] = np.sin(x[i] * s) + x[i]
    return (out * out).sum()


def separate_rows(a, w):
    out = np.zeros(a.shape)
    for i in prange(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = a[i, j] * w[j]
            if out[i, j] > 0.0:
                out[i, j] *= a[i, 0]
    return (out * out).sum()


def several_reductions(x, y):
    product, total, largest, least, count = 1.0, 0.0, -1.0, 5.0, 0
    for i in prange(x.shape[0]):
        if y[i] > 0.5:
            product *= 1.0 + 0.01 * x[i]
            count += 1
        elif y[i] < -0.5:
            total -= x[i] * y[i]
            total += y[i]
        largest = max(largest, x[i] * y[i])
        least = min(least, x[i])
    return product + total * largest + least * count


def local_arrays(a, w):
    total = 0.0
    for i in prange(a.shape[0]):
        t = np.empty(4)
        for j in range(4):
            t[j] = np.exp(-w[j] * a[i, j] ** 2)
        for j in range(1, 4):
            t[j] *= t[j - 1]
        total += t[3] + t.sum()
    return total


@numba.njit
def distance(p, q):
    total = 0.0
    for j in range(p.shape[0]):
        total += (p[j] - q[j]) ** 2
    return np.sqrt(total)


def rows_and_helpers(a, w):
    total = 0.0
    for i in prange(a.shape[0]):
        row = a[i]
        total += distance(row, w) + np.dot(row, w) + np.sum(row * w)
    return total


def stencil(x, s):
    out = x.copy()
    for i in prange(1, x.shape[0] - 1):
        out[i] = x[i] + s * (x[i - 1] * x[i + 1] - x[i] ** 2)
    return (out**3).sum()


def steps(x, s):
    total = 0.0
    for i in prange(3, x.shape[0], 7):
        total += x[i] ** 3 * s
    return total


def in_place(x, y):
    for i in prange(x.shape[0]):
        x[i] = x[i] * y[i] + np.cos(x[i])
    total = 0.0
    for i in prange(x.shape[0]):
        total += x[i] * x[i] * y[i]
    return total


def steps_of_time(x, s):
    now, then = x.copy(), np.zeros(x.shape[0])
    for _ in range(5):
        for i in prange(1, x.shape[0] - 1):
            then[i] = now[i] + s * (now[i - 1] * now[i + 1] - now[i] ** 2)
        now[:] = then
    return (now * now).sum()


def systems(a, w):
    total = 0.0
    for i in prange(a.shape[0]):
        m = np.array([[3.0 + a[i, 0] ** 2, a[i, 1]], [a[i, 1], 4.0 + a[i, 2] ** 2]])
        total += np.linalg.solve(m, w[:2]).sum()
    return total


def searches(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        z = 1.0
        while abs(z * z - x[i] ** 2 - s) > 1e-12:
            z = 0.5 * (z + (x[i] ** 2 + s) / z)
        total += z
    return total


def waves(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        z = np.exp(1j * s * x[i]) * (1.0 + 2.0j)
        total += z.real * z.imag + abs(z)
    return total


def nothing(x, s):
    total = s
    for i in prange(x.shape[0] - 200):
        total += x[i]
    return total * s


def counts_and_numbers(x, s):
    signs = np.zeros(x.shape[0], np.int64)
    for i in prange(x.shape[0]):
        signs[i] = 1 if x[i] > 0 else -1
    total = 0.0
    for i in prange(x.shape[0]):
        total += signs[i] * x[i] * s
    return total


def nested(a, w):
    total = 0.0
    for i in prange(a.shape[0]):
        for j in prange(a.shape[1]):
            total += np.tanh(a[i, j] * w[j])
    return total


def table(w, x, index):
    total = 0.0
    for i in prange(x.shape[0]):
        total += w[index[i]] * x[i]
    return total * total


def reshaped(x, w):
    total = 0.0
    for i in prange(x.shape[0] // 2):
        pair = x.reshape(x.shape[0] // 2, 2)[i]
        total += pair[0] * pair[1] * w[0]
    return total


def single_precision(x, s):
    total, one = np.float32(0.0), np.float32(1.0)
    for i in prange(x.shape[0]):
        total += x[i] * x[i] * s[0]
        one *= x[i] * s[1]
    return total + one


def columns(a, w):
    out = np.empty((3, a.shape[0], 2))
    for i in prange(a.shape[0]):
        for j in range(2):
            out[1, i, j] = a[i, 2 * j] * w[j] + a[i, 1]
            out[2, i, j] = out[1, i, j] ** 2
        out[0, i] = out[2, i] * w[:2]
    return out.sum()


def kept_elsewhere(x, s):
    squares = x * x
    total = 0.0
    for i in prange(x.shape[0]):
        if squares[i] > s:
            total += squares[i] * squares[x.shape[0] - 1 - i]
        x[i] = 0.0
    squares[:] = 0.0
    return total


def growing(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        values = [x[i]]
        for k in range(i % 5):
            values.append(values[k] * s)
        total += values[-1] * len(values)
    return total


def raised(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        if x[i] > 90.0:
            raise ValueError("too large")
        if x[i] > 50.0:
            raise OverflowError("large")
        total += x[i] / (s - x[i])
    return total


PARALLEL = {
    logistic_loss: (W, A, Y),
    separate_elements: (X, 0.7),
    separate_rows: (A, W),
    several_reductions: (X, Y),
    local_arrays: (A, W),
    rows_and_helpers: (A, W),
    stencil: (X, 0.1),
    steps: (X, 0.3),
    in_place: (X, Y),
    steps_of_time: (X, 0.01),
    systems: (A, W),
    searches: (X, 2.5),
    waves: (X, 0.4),
    nothing: (X, 0.4),
    counts_and_numbers: (X, 0.4),
    nested: (A, W),
    table: (W, X, INDEX),
    reshaped: (X, W),
    single_precision: (X[:9].astype(np.float32), W.astype(np.float32)),
    columns: (A[:, ::-1], W),
    kept_elsewhere: (X, 0.5),
    growing: (X, 0.5),
    raised: (X, 20.0),
}
"""Functions all of whose outermost ``prange`` loops run in parallel."""


def recurrence(x, s):
    for i in prange(1, x.shape[0]):
        x[i] = x[i - 1] * s + x[i]
    return (x * x).sum()


def scatter(w, x, index):
    out = w.copy()
    for i in prange(x.shape[0]):
        out[index[i]] += x[i] * x[i]
    return (out * out).sum()


def reset(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        total += x[i]
        if x[i] > 1.0:
            total = s
    return total * total


def last_value(x, s):
    z = s
    for i in prange(x.shape[0]):
        z = x[i] * s
    return z * z


def reader_of_a_reduction(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        total += x[i] * s + 0.001 * total
    return total


def whole_array(x, s):
    y = np.zeros(2)
    for i in prange(x.shape[0]):
        y += np.array([x[i], s * x[i] ** 2])
    return y[0] * y[1]


def one_of_two(x, y):
    z = x if x[0] > 0.0 else y
    total = 0.0
    for i in prange(x.shape[0] - 1):
        x[i] = 2.0 * x[i]
        total += z[i + 1]
    return total


def from_the_end(x, s):
    for i in prange(x.shape[0]):
        x[i - 1] = s * x[i - 1] + x[i]
    return (x * x).sum()


def every_second(x, s):
    for i in prange(x.shape[0] // 2):
        x[2 * i] = s * x[2 * i + 1] * x[i]
    return (x * x).sum()


@numba.njit
def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


def recursion(x, s):
    total = 0.0
    for i in prange(x.shape[0]):
        total += power(x[i], i % 4) * s
    return total


IN_ORDER = {
    recursion: (X, 0.9),
    recurrence: (X, 0.9),
    scatter: (W, X, INDEX),
    reset: (X, 0.9),
    last_value: (X, 0.9),
    reader_of_a_reduction: (X, 0.9),
    whole_array: (X, 0.9),
    from_the_end: (X, 0.9),
    every_second: (X, 0.9),
}
"""Functions with an iteration that may need another one."""
ALL = {**PARALLEL, **IN_ORDER}


def compiled(function, parallel=True):
    return numba.njit(parallel=parallel)(function)


def loops_in_order(function, arguments):
    """Returns the numbers of loops that run in parallel, and of `prange` loops that run in order."""
    lowered = lower(function, tuple(map(numba.typeof, arguments)), Options(is_parallel=True))
    simplify(lowered, is_reverse=True)
    flow = outline_parallel_loops(lowered, ControlFlow(lowered), tuple(range(len(arguments))))
    calls = [item for block in flow.blocks for item in block.statements if isinstance(item, Call)]
    parallel = [
        call for call in calls if isinstance(call.rule, Callee) and isinstance(call.rule.function, ParallelLoop)
    ]
    return len(parallel), sum(counter.is_parallel for counter in flow.counted.values())


def active(arguments):
    return tuple(place for place, value in enumerate(arguments) if value is not INDEX)


def assert_same(result, expected, **tolerance):
    for one, other in zip(result, expected, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-9, "atol": 1e-12, **tolerance})


@pytest.mark.parametrize("function", ALL, ids=lambda function: function.__name__)
def test_loops_run_in_parallel_if_iterations_are_independent(function):
    parallel, in_order = loops_in_order(function, ALL[function])
    assert (parallel > 0, in_order > 0) == (function in PARALLEL, function in IN_ORDER)


@pytest.mark.parametrize("function", ALL, ids=lambda function: function.__name__)
def test_gradient_of_a_parallel_loop_is_that_of_the_loop_in_order(function):
    arguments, positions = ALL[function], active(ALL[function])
    value, gradient, after = run_derivative(compiled(function), arguments, 1.0, positions)
    expected, expected_gradient, expected_after = run_derivative(compiled(function, False), arguments, 1.0, positions)
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if function is single_precision else {}
    assert_same([value], [expected], **tolerance)
    assert_same(gradient, expected_gradient, **tolerance)
    assert_same(after, expected_after)


def test_jacobian_of_a_parallel_loop_is_that_of_the_loop_in_order():
    for function in (logistic_loss, separate_elements):
        arguments = PARALLEL[function]
        jacobian = fg.jacobian(compiled(function))(*arguments)
        np.testing.assert_allclose(jacobian, fg.jacobian(compiled(function, False))(*arguments), rtol=1e-12)


def waves_in_time(x, s):
    now, then = x.copy(), np.zeros(x.shape[0])
    total = 0.0
    for _ in range(40):
        for i in prange(1, x.shape[0] - 1):
            then[i] = np.tanh(now[i] + s * (now[i - 1] * now[i + 1] - now[i] ** 2))
        for i in prange(x.shape[0]):
            now[i] = then[i]
            x[i] += np.sin(then[i])
            total += then[i] ** 2
    return total


@pytest.mark.parametrize("count", ["300", "20000"])
def test_loops_around_parallel_loops_have_checkpoints(monkeypatch, count):
    arguments = X[:30] * 0.3, 0.05
    value, gradient, after = run_derivative(compiled(waves_in_time), arguments, 1.0)
    monkeypatch.setenv("FASTGRAD_CHECKPOINT_BYTES", count)
    with_checkpoints, same_gradient, same_after = run_derivative(compiled(waves_in_time), arguments, 1.0)
    assert_same((value, *gradient, *after), (with_checkpoints, *same_gradient, *same_after), rtol=0, atol=0)


@pytest.mark.parametrize("function", PARALLEL, ids=lambda function: function.__name__)
def test_chunks_with_many_records_run_again(monkeypatch, function):
    arguments, positions = ALL[function], active(ALL[function])
    value, gradient, after = run_derivative(compiled(function), arguments, 1.0, positions)
    monkeypatch.setenv("FASTGRAD_CHECKPOINT_BYTES", "300")
    again, same_gradient, same_after = run_derivative(compiled(function), arguments, 1.0, positions)
    assert_same((value, *gradient, *after), (again, *same_gradient, *same_after), rtol=0, atol=0)


def test_arrays_that_may_be_one_are_refused():
    with pytest.raises(fg.errors.DifferentiationError, match="one of several arrays"):
        run_derivative(compiled(one_of_two), (X, Y), 1.0)


SCRIPT = """
import hashlib
from concurrent.futures import ThreadPoolExecutor
import numba
import numpy as np
import fastgrad as fg
from tests.derivatives.test_parallel_loops import PARALLEL, active, compiled, logistic_loss, several_reductions
from tests.derivatives.test_parallel_loops import raised, separate_rows, steps_of_time, X

for function in (logistic_loss, several_reductions, separate_rows, steps_of_time):
    arguments = PARALLEL[function]
    reverse = fg.value_and_grad(compiled(function), active(arguments))
    forward = fg.jvp(compiled(function), argnums=0)
    bits = set()
    for threads in (1, 2, 3, 4):
        numba.set_num_threads(threads)
        for _ in range(3):
            copies = [np.copy(value) if isinstance(value, np.ndarray) else value for value in arguments]
            value, gradient = reverse(*copies)
            result = forward(*copies, np.ones_like(copies[0]))
            bits.add(hashlib.sha1(b"".join(np.asarray(x).tobytes() for x in (value, *gradient, *result))).hexdigest())
    assert len(bits) == 1, function
    serial = fg.value_and_grad(compiled(function, False), active(arguments))(*map(np.copy, arguments))
    np.testing.assert_allclose(value, serial[0], rtol=1e-10)
    np.testing.assert_allclose(result, (serial[0], np.sum(serial[1][0])), rtol=1e-9)
    for one, other in zip(gradient, serial[1]):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    print(function.__name__, *bits)
reverse = fg.value_and_grad(compiled(logistic_loss))
expected = reverse(*PARALLEL[logistic_loss])[1].tobytes()
with ThreadPoolExecutor(4) as pool:
    results = list(pool.map(lambda _: reverse(*PARALLEL[logistic_loss])[1].tobytes(), range(200)))
assert set(results) == {expected}
derivative = fg.grad(compiled(raised))
for place, number, kind in ((100, 60.0, OverflowError), (20, 99.0, ValueError), (3, 20.0, ZeroDivisionError), (2, 70.0, OverflowError)):
    x = X.copy()
    x[[place, 120]] = number, 99.0
    for _ in range(20):
        try:
            derivative(x, 20.0)
        except kind:
            continue
        raise AssertionError(kind)
print(hashlib.sha1(derivative(X, 20.0).tobytes()).hexdigest())
"""


def run_script(folder, threads):
    environment = {
        **os.environ,
        "NUMBA_NUM_THREADS": str(threads),
        "FASTGRAD_CACHE_DIR": str(folder),
        "PYTHONPATH": ".",
    }
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_bits_do_not_depend_on_the_number_of_threads(tmp_path):
    first = run_script(tmp_path, 4)
    assert run_script(tmp_path, 4) == first  # from the disk cache
