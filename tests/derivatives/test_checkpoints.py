"""Loops with checkpoints: gradients with the same bits as without, arguments as the function leaves them, memory that is bounded."""

from __future__ import annotations

import contextlib
import inspect
import random
import re
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.codegen import tape_memory
from fastgrad._src.derivatives.codegen.functions_of_code import with_text
from fastgrad._src.derivatives.codegen.tape_memory import COMPILED, next_snapshot
from tests.derivatives import random_programs
from tests.derivatives.cases import PROGRAMS, RIGHT, arguments_of
from tests.derivatives.interpreted import run_derivative
from tests.derivatives.plain_python import INTERPRETED
from tests.derivatives.record import has_snapshots
from tests.derivatives.table import active, copy_of
from tests.selection import run_seed

LIMIT = "FASTGRAD_CHECKPOINT_BYTES"


def assert_same(left: Any, right: Any) -> None:
    for first, second in zip(left, right, strict=True):
        if isinstance(first, tuple):
            assert_same(first, second)
        else:
            np.testing.assert_array_equal(first, second)


def checkpoint_everything(monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    """Makes each iteration a segment of its own, with a number of snapshots whether they are worth it or not."""
    monkeypatch.setenv(LIMIT, "0")
    monkeypatch.setitem(INTERPRETED, "snapshot_slots", lambda *_: slots)
    monkeypatch.setitem(COMPILED, "snapshot_slots", numba.njit(lambda done, count, records, snapshot, limit: slots))


def assert_checkpoints_change_nothing(monkeypatch: pytest.MonkeyPatch, function: Any, arguments: tuple) -> None:
    places = active(arguments)

    def seeded_run():
        random.seed(3)
        np.random.seed(3)
        with np.errstate(all="ignore"):
            return run_derivative(function, arguments, 1.0, places)

    expected = seeded_run()
    for slots in (1, 2, 4):
        with monkeypatch.context() as patch:
            checkpoint_everything(patch, slots)
            assert_same(seeded_run(), expected)


@pytest.mark.parametrize(("name", "place"), [case for case in RIGHT if has_snapshots(*case)])
def test_a_program_has_the_same_gradient_with_checkpoints(monkeypatch, name, place):
    try:
        assert_checkpoints_change_nothing(monkeypatch, PROGRAMS[name].function, arguments_of(name, place))
    except (ArithmeticError, ValueError):
        pytest.skip("Python raises where compiled code does not")


@pytest.mark.filterwarnings("ignore:.*faster on contiguous arrays")  # of a product in the program itself
@pytest.mark.parametrize("seed", [run_seed() + number for number in range(4)])
def test_a_random_program_has_the_same_gradient_with_checkpoints(monkeypatch, seed):
    _, function, arguments, _ = random_programs.draw(seed)
    with contextlib.suppress(fg.errors.DifferentiationError):
        assert_checkpoints_change_nothing(monkeypatch, function, tuple(map(copy_of, arguments)))


@numba.njit
def wave(c, u, steps):
    v = np.zeros(u.shape)
    for _ in range(steps):
        for i in range(1, u.shape[0] - 1):
            v[i] += c * (u[i - 1] - 2.0 * u[i] + u[i + 1]) * u[i]
        for i in range(1, u.shape[0] - 1):
            u[i] += v[i]
    return np.sum(u * u)


@numba.njit
def swapped(c, u, steps):
    before = u.copy()
    for _ in range(steps):
        after = np.zeros_like(u)
        for i in range(1, u.shape[0] - 1):
            after[i] = 2.0 * u[i] - before[i] + c * np.sin(u[i - 1] - 2.0 * u[i] + u[i + 1])
        before = u
        u = after
    return np.sum(u * u)


@numba.njit
def left_early(c, u, steps):
    total = 1.0
    for t in range(steps):
        for i in range(u.shape[0]):
            if u[i] > 3.0:
                continue
            u[i] += c * total * u[i]
        total = np.sin(total) + u[t % 4]
        if t == 9:
            return total + u[1]
        if total > 40.0:
            break
    return total * u[2]


@numba.njit
def written_later(c, u, steps):
    y = np.ones(3)
    for t in range(steps):
        y[t % 3] = c * y[(t + 1) % 3] * u[t % 4] + np.sin(y[t % 3])
    u[:] = 0.5
    for t in range(steps):
        u[t % 4] *= y[t % 3] * u[(t + 2) % 4]
    return np.sum(u) + np.sum(y)


@numba.njit
def of_growing_arrays(c, u, steps):
    x = u
    for t in range(steps):
        longer = np.empty(x.shape[0] + 1)
        longer[0] = c * t
        for i in range(x.shape[0]):
            longer[i + 1] = np.sin(x[i] + c)
        x = longer
    return np.sum(x * x)


@numba.njit
def with_inner_loops(c, u, steps):
    x = 0.3
    for t in range(steps):
        while x > 0.1:
            x *= c
        n = 0
        for i in range(t % 5):
            n = i
            if x > 0.4 * i:
                x += u[i % 4] * x
                continue
            x = np.cos(x)
            break
        x += 0.1 * n
    return x


@numba.njit
def of_strided_arrays(c, u, steps):
    x = u[::2]
    y = np.outer(u, u).T
    for t in range(steps):
        x[t % 2] = c * x[1 - t % 2] * y[t % 4, 0]
        y[0, t % 4] = np.sin(y[t % 4, 1]) * x[0]
    return np.sum(y) + u[0]


@numba.njit
def of_layouts(c, strided, fortran, steps):
    for t in range(steps):
        strided[t % 3, 0] = c * strided[(t + 1) % 3, 1] * fortran[t % 2, 0]
        fortran[1, t % 3] = np.sin(strided[t % 3, 1]) * fortran[0, (t + 2) % 3]
    return np.sum(strided) + np.sum(fortran)


@numba.njit
def with_half_floats(c, u, steps):
    x = u.astype(np.float32)
    is_up = np.zeros(4, np.bool_)
    for t in range(steps):
        is_up[t % 4] = not is_up[(t + 1) % 4]
        x[t % 4] *= x[(t + 1) % 4] * (np.float32(1.5) if is_up[t % 4] else np.float32(c))
    return np.float64(x[0] + x[1])


PROGRAMS_OF_STEPS = [
    wave,
    swapped,
    left_early,
    written_later,
    of_growing_arrays,
    with_inner_loops,
    of_strided_arrays,
    with_half_floats,
]
ARGUMENTS = (0.7, np.array([0.9, -0.4, 1.3, 0.5]))
LAYOUTS = (
    0.7,
    np.linspace(0.2, 1.9, 12).reshape(3, 4)[:, ::2],
    np.asfortranarray(np.linspace(-1.0, 0.9, 6).reshape(2, 3)),
)


@pytest.mark.parametrize("function", PROGRAMS_OF_STEPS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("steps", [0, 1, 2, 17])
def test_steps_have_the_same_gradient_with_checkpoints(monkeypatch, function, steps):
    assert_checkpoints_change_nothing(monkeypatch, function, (*ARGUMENTS, steps))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [*((function, ARGUMENTS) for function in PROGRAMS_OF_STEPS), (of_layouts, LAYOUTS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_compiled_steps_have_the_same_gradient_with_checkpoints(monkeypatch, function, arguments):
    given = arguments

    def call():
        arguments = (*map(copy_of, given), 23)
        return (*fg.value_and_grad(function, argnums=(0, 1))(*arguments), *arguments)

    expected = call()
    monkeypatch.setenv(LIMIT, "2000")
    assert_same(call(), expected)
    checkpoint_everything(monkeypatch, 3)
    assert_same(call(), expected)


def test_second_derivatives_have_the_same_bits_with_checkpoints(monkeypatch):
    vector = np.array([1.0, -0.5, 2.0, 0.3])

    def call():
        arguments = (*map(copy_of, ARGUMENTS), 9)
        return (fg.hvp(wave, argnums=1)(*arguments, vector),)

    expected = call()
    checkpoint_everything(monkeypatch, 2)
    assert_same(call(), expected)


@numba.njit
def sum_of_waves(c, steps):
    total, lead = 0.0, 1.0
    for _ in range(steps):
        c = np.sin(c) * lead
        lead = np.cos(c)
        total += c * lead
    return total


def test_snapshots_have_no_numbers_that_only_the_result_needs():
    text = inspect.getsource(with_text(fg.grad(sum_of_waves).derive((numba.float64, numba.int64))))
    assert re.search(r"push_value\(.*p_v_c_", text)
    assert re.search(r"push_value\(.*p_v_lead_", text)
    assert not re.search(r"push_value\(.*p_v_total_", text)


@numba.njit
def draws(c, steps):
    for _ in range(steps):
        c = np.sin(c) * np.random.normal()
    return c


@numba.njit
def grows(c, steps):
    values = [c]
    for _ in range(steps):
        values.append(values[-1] * np.sin(c))
    return values[-1]


@numba.njit
def squares(c, steps):
    for _ in range(steps):
        c = np.sin(c) * c
    return c


@pytest.mark.parametrize(("function", "has_checkpoints"), [(draws, False), (grows, False), (squares, True)])
def test_loops_that_can_not_run_again_have_no_checkpoints(monkeypatch, function, has_checkpoints):
    calls = []
    monkeypatch.setenv(LIMIT, "0")
    monkeypatch.setitem(INTERPRETED, "snapshot_slots", lambda *sizes: calls.append(sizes) or 0)
    run_derivative(function, (0.5, 5), 1.0, (0,))
    assert bool(calls) == has_checkpoints


def test_the_limit_is_a_number(monkeypatch):
    monkeypatch.setenv(LIMIT, "1 GB")
    with pytest.raises(ValueError, match="FASTGRAD_CHECKPOINT_BYTES is '1 GB'"):
        fg.value_and_grad(squares)(0.5, 3)


@pytest.mark.parametrize(("segments", "slots", "runs"), [(10, 9, 1), (56, 5, 3), (252, 5, 5), (20, 1, 19), (5, 0, 4)])
def test_a_segment_runs_again_as_seldom_as_the_snapshots_allow(segments, slots, runs):
    """The binomial of slots + t over slots is the number of segments of which each runs again t times at most."""
    counts = np.zeros(segments, int)
    stored, end = [0], segments
    while end:
        position, place = stored[-1], None
        first = position
        while position + 1 < end:
            counts[position] += 1
            position += 1
            if place is None:
                place = next_snapshot.py_func(first, position, end, slots - len(stored) + 1)
            if position >= place:
                stored.append(position)
                first, place = position, None
        counts[position] += 1
        end = position
        if stored[-1] == end:
            stored.pop()
        assert len(stored) <= slots + 1
    assert counts.max() - 1 <= runs


MEMORY = """
import resource, sys
import numba, numpy as np, fastgrad as fg
@numba.njit
def orbit(p, steps):
    x, y = 1.0, 0.5
    for _ in range(steps):
        x, y = x + 1e-4 * (p[0] * x - p[1] * x * y), y + 1e-4 * (p[2] * x * y - p[3] * y)
    return x * y
gradient = fg.grad(orbit)
p = np.array([1.0, 0.8, 0.9, 0.7])
gradient(p, 10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gradient(p, 4_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory is in KiB on Linux")
def test_the_memory_of_a_long_loop_is_bounded(monkeypatch):
    monkeypatch.setenv(LIMIT, "8000000")
    grown = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 20_000


def test_the_system_is_told_of_unused_pages_only_after_calls_that_wrote_there():
    """To tell it takes as long as the stack is large, so small calls after a large one must not."""
    stack, last = tape_memory.VALUES, tape_memory.OWN_BYTES // 8 - 1
    new_owner, acquire, capacity, grow = (COMPILED[name] for name in ("new_owner", "acquire", "capacity", "grow_stack"))
    push, pop, release = (COMPILED[name] for name in ("push_value", "pop_int64", "release"))

    @numba.njit
    def last_number_kept(position):
        """Returns the last number of those that the stack keeps, before and after a call writes a number at a position."""
        owner = new_owner()
        address = acquire(owner, stack, 8)
        if capacity(address) < 2 * last:
            address = grow(owner, stack, address, 8, 2 * last)
        before = pop(address, last)
        push(address, position, 5)
        after = pop(address, last)
        release(stack, address, 8)
        return before, after

    last_number_kept(last)
    mark = tape_memory._MARK
    assert last_number_kept(0) == last_number_kept(last - 1) == (mark, mark)
    assert last_number_kept(last) == (mark, 5)
    assert last_number_kept(0) == (mark, mark)
