"""Users' functions as steps, where Numba compiles and where it is switched off."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numba
import pytest

from fastgrad._src.custom_operations.native_step import dispatcher_of, inferred_type, needs_gil

PROGRAM = '''
import math
import sys

import numba
import numpy as np

import fastgrad as fg


def frames():
    """The names of the Python functions that call this one."""
    frame, names = sys._getframe(1), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


seen = []


@fg.elementwise
@numba.njit
def halved(x):
    while x > limit():
        x /= 2.0
    return x


def limit():
    return 1.0


@fg.elementwise
def swish(x):
    return x / (1.0 + math.exp(-x))


@fg.kernel("(n),()->(n)")
@numba.njit
def decaying_sum(x, decay, out):
    seen.append(frames()[0])
    total = 0.0
    for i in range(len(x)):
        total = decay * total + x[i]
        out[i] = total


@decaying_sum.gradient
def _(g, y, x, decay, dx, d_decay):
    total = 0.0
    for i in range(len(x) - 1, -1, -1):
        total += g[i]
        dx[i] = total
        total *= decay


@fg.function
def step(x):
    with fg.GradientTape() as tape:
        tape.watch(x)
        y = fg.reduce_sum(decaying_sum(swish(x), 0.5)) + fg.reduce_sum(halved(x))
    return y


x = fg.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
for _ in range(3):
    y = step(x)
print(f"{float(y):.4f}", len(seen))


@fg.kernel("(n)->(n)")
def wrong(x, out):
    out[0] = x[0]
    raise ValueError("out of luck")


try:
    wrong([1.0])
except ValueError as error:
    print(error)
'''


def run_without_jit(program):
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_functions_run_as_plain_python_under_numbas_switch():
    finished = run_without_jit(PROGRAM)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "32.2135 6\nout of luck\n"


LOOPS = """
import fastgrad as fg

@fg.elementwise
def halved(x):
    y = x
    while y > 1:
        print("halved", y)
        y = max(y / 2.0, min(y, 0.5))
    return round(y, 3)

@halved.gradient
def _(g, y, x):
    print("gradient of", x)
    return g * y / x

@fg.function
def step(x):
    with fg.GradientTape() as tape:
        tape.watch(x)
        y = fg.tanh(halved(x)) * 1.0
    return y, tape.gradient(y, x)

for _ in range(3):
    y, slope = step(fg.constant([1.0, 3.0]))
print(slope.dtype.name)
fg.kernel("(n)->(n)")(lambda x, out: (breakpoint(), out))([1.0])
"""


def test_print_and_breakpoints_work_in_functions_under_numbas_switch():
    finished = run_without_jit(LOOPS)
    lines = ["halved 3.0", "halved 1.5", "gradient of 1.0", "gradient of 3.0"]
    assert finished.stdout.splitlines()[:13] == [*lines * 3, "float32"], finished.stderr
    assert "bdb.BdbQuit" in finished.stderr, "the debugger stops, and finds no input"


CACHED = """
import numba

@numba.njit(cache=True)
def loud(x):
    print("seen")
    return x

@numba.njit(cache=True)
def quiet(x):
    if x < 0:
        raise ValueError("negative")
    return x
"""


@pytest.mark.parametrize(("name", "needs"), [("loud", True), ("quiet", False)])
def test_functions_that_need_pythons_lock_are_known_also_from_numbas_cache(tmp_path, name, needs):
    path = tmp_path / f"module_of_{name}.py"
    path.write_text(CACHED)
    for number in range(2):
        spec = importlib.util.spec_from_file_location(f"module_of_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        function = getattr(module, name)
        function(1.0)
        assert bool(function.stats.cache_hits) is (number == 1), "Numba has it from its cache the second time"
        dispatcher = dispatcher_of(function)
        types = [numba.types.float64]
        assert inferred_type(name, dispatcher, types) == numba.types.float64
        assert needs_gil(dispatcher, types) is needs
    del sys.modules[spec.name]
