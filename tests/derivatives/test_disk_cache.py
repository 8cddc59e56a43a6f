"""Derivatives on disk: a second process compiles nothing, and never gets the derivative of another function."""

import collections
import enum
import json
import os
import pickle
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.functions.content import content_of
from fastgrad._src.jit import cache
from fastgrad._src.jit.code_library import UNKEYED
from fastgrad._src.jit.dispatcher_cache import ORIGINS
from fastgrad._src.jit.libraries import is_of_library
from fastgrad._src.jit.source_files import source_files

MODEL = """
import math
import numba
import numpy as np
import settings

SCALE = 2.0
TABLE = np.array([1.0, 2.0, 3.0])
PAIR = (5.0, 7)
FACTOR = 1.0

@numba.njit
def cube(x):
    return x * x * x

@numba.njit(error_model="python")
def inner(x, slope=4.0):
    return slope * x + cube(x)

@numba.njit
def scaled(x):
    return FACTOR * x

STEPS = (scaled, cube)

def make(offset):
    @numba.njit
    def loss(w, x=1.0, step=scaled):
        total = SCALE * w[0] + inner(w[0]) + offset * w[1] + settings.RATE * w[1]
        for i in range(len(w)):
            total += TABLE[i] * w[i]
        return total + PAIR[0] * x * w[2] + w[2] + STEPS[0](w[0]) + step(w[0])
    return loss

loss = make(6.0)
"""
GRADIENT = [2.0 + 4.0 + 3.0 + 1.0 + 1.0 + 1.0, 6.0 + 0.5 + 2.0, 3.0 + 5.0 + 1.0]
"""The gradient of ``loss`` at ones."""

CHANGES = {
    "nothing": ("", "", [0.0, 0.0, 0.0]),
    "a comment": ("import math", "import math  # a comment", [0.0, 0.0, 0.0]),
    "a line": ("import math", "import math\n\n\n", [0.0, 0.0, 0.0]),
    "a constant": ("+ w[2] + ", "+ 2.0 * w[2] + ", [0.0, 0.0, 1.0]),
    "an operation": ("x * w[2] + w[2]", "x * w[2] - w[2]", [0.0, 0.0, -2.0]),
    "a global": ("SCALE = 2.0", "SCALE = 3.0", [1.0, 0.0, 0.0]),
    "a global of another type": ("SCALE = 2.0", "SCALE = 2", [0.0, 0.0, 0.0]),
    "an array": ("2.0, 3.0])", "2.0, 3.5])", [0.0, 0.0, 0.5]),
    "the dtype of an array": ("3.0])", "3.0], np.float32)", [0.0, 0.0, 0.0]),
    "a tuple": ("PAIR = (5.0", "PAIR = (5.5", [0.0, 0.0, 0.5]),
    "a closure": ("make(6.0)", "make(6.5)", [0.0, 0.5, 0.0]),
    "a default value": ("x=1.0", "x=1.5", [0.0, 0.0, 2.5]),
    "a callee's default value": ("slope=4.0", "slope=4.5", [0.5, 0.0, 0.0]),
    "a callee of a callee": ("x * x * x", "2.0 * x * x * x", [3.0, 0.0, 0.0]),
    "what a function in a tuple reads": ("FACTOR = 1.0", "FACTOR = 1.5", [1.0, 0.0, 0.0]),
    "a module's value": ("", "settings.RATE = 1.5", [0.0, 1.0, 0.0]),
    "a decorator's option": ('error_model="python"', 'error_model="numpy"', [0.0, 0.0, 0.0]),
}
SAME = ("nothing", "a comment", "a line")

PROGRAM = """
import json, sys, types
import numba, numpy as np
from numba.core import event
import fastgrad as fg

class Compilations(event.Listener):
    count = 0
    def on_start(self, _):
        Compilations.count += 1
    def on_end(self, _):
        pass

event.register("numba:compile", Compilations())
settings = sys.modules["settings"] = types.ModuleType("settings")
answers = {}
for name, source in json.load(sys.stdin).items():
    settings.RATE = 0.5
    scope = {"__name__": "model"}
    exec(source, scope)
    before = Compilations.count
    answer = eval(source.partition("# call: ")[2] or "fg.grad(loss)(np.ones(3))", {**scope, "fg": fg, "np": np})
    is_derived = "fastgrad._src.derivatives.derivation" in sys.modules
    answers[name] = [np.asarray(answer).tolist(), Compilations.count - before, is_derived]
print(json.dumps(answers))
"""


PACKAGE = Path(fg.__file__).parent


def run(folder, sources, package=PACKAGE):
    """Runs sources one after the other in one process; returns the answer of each, the number of compilations, and whether anything was derived so far."""
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(sources),
        env={**os.environ, "FASTGRAD_CACHE_DIR": str(folder), "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of kernels with the gradient of ``loss``."""
    folder = tmp_path_factory.mktemp("kernels")
    ((gradient, compilations, is_derived),) = run(folder, {"first": MODEL}).values()
    assert gradient == GRADIENT
    assert compilations > 0
    assert is_derived
    return folder


@pytest.fixture(scope="module")
def changed(folder):
    """What a second process gets for each change of the source."""
    return run(
        folder, {name: MODEL.replace(old, new) if old else MODEL + new for name, (old, new, _) in CHANGES.items()}
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_second_process_gets_the_gradient_of_its_own_source(changed, name):
    gradient, compilations, is_derived = changed[name]
    np.testing.assert_allclose(gradient, np.add(GRADIENT, CHANGES[name][2]), rtol=1e-15)
    assert (compilations == 0) == (name in SAME)
    assert is_derived == (name not in SAME)


def test_other_transformations_arguments_and_types_have_entries_of_their_own(folder):
    calls = {
        "fg.value_and_grad(loss)(np.ones(3))[1]": GRADIENT,
        "fg.grad(loss, (0,))(np.ones(3))[0]": GRADIENT,
        "fg.grad(loss, 1)(np.ones(3), 1.0)": 5.0,
        "fg.grad(loss)(np.ones(3), 2.0)": np.add(GRADIENT, [0.0, 0.0, 5.0]),
        "fg.grad(loss)(np.ones(3, np.float32))": GRADIENT,
        "fg.grad(loss)(np.ones(6)[::2])": GRADIENT,
        "fg.jvp(loss, argnums=0)(np.ones(3), 1.0, np.ones(3))[1]": sum(GRADIENT),
        "fg.vjp(loss, np.ones(3), 1.0)[1](2.0)[0]": np.multiply(GRADIENT, 2.0),
        "fg.hessian(loss)(np.ones(3))": np.diag([6.0, 0.0, 0.0]),
        "fg.jacobian(loss)(np.ones(3))": GRADIENT,
        "fg.grad(fg.grad(loss, 1), 1)(np.ones(3), 1.0)": 0.0,
        "fg.grad(lambda w: fg_slope(w)[0])(np.ones(3))": [6.0, 0.0, 0.0],
    }
    model = MODEL.replace(", step=scaled", "").replace("STEPS[0](w[0]) + step(w[0])", "2.0 * w[0]")
    sources = {call: f"{model}\nimport fastgrad as fg\nfg_slope = fg.grad(loss)\n# call: {call}" for call in calls}
    for call, source in sources.items():
        sources[call] = source.replace("(lambda w: fg_slope(w)[0])", "(slope)").replace(
            "\n# call", "\ndef slope(w):\n    return fg_slope(w)[0]\n# call"
        )
    for number in range(2):
        for call, (answer, compilations, is_derived) in run(folder, sources).items():
            np.testing.assert_allclose(answer, calls[call], rtol=1e-6, atol=1e-15, err_msg=call)
            is_primal = call.startswith("fg.vjp")  # which Numba compiles
            assert number == 0 or compilations == 0 or is_primal, call
            assert number == 0 or not is_derived, call


KERNELS = """
import numba
import numpy as np

SCALE = 2.0
TABLE = np.array([1.0, 2.0])

@numba.njit
def helper(v):
    return v * 1.5

@numba.stencil(cval=1.0, neighborhood=((-1, 1),))
def neighbours(a):
    total = 0.0
    for i in range(-1, 2):
        total += SCALE * a[i]
    return total * a[0] + helper(a[0])

@numba.guvectorize(["void(float64[:], float64[:])"], "(n)->(n)")
def scaled(a, out):
    for i in range(len(a)):
        out[i] = a[i] * 3.0 * SCALE * TABLE[1]

@numba.njit
def items(a):
    for v in a:
        yield v * 5.0 * SCALE

@numba.njit("float64(float64)")
def first(v):
    return 7.0 * v * SCALE

@numba.njit("float64(float64)")
def second(v):
    return 11.0 * v

GIVEN = (first, second)

def make(k):
    @numba.njit
    def inner(v):
        return k * v
    @numba.stencil
    def kernel(a):
        return a[0] * k
    return inner, kernel

INNER, KERNEL = make(13.0)

@numba.njit
def f(x):
    {body}

def differences(x):
    return [(f(x + step) - f(x - step)) / 0.5 for step in 0.25 * np.eye(4)]

# call: [fg.grad(f)(np.ones(4)), differences(np.ones(4))]"""
BODIES = {
    "a stencil": "return neighbours(x).sum()",
    "a generalized ufunc": "out = np.zeros(4)\n    scaled(x, out)\n    return out.sum()",
    "a generator": "total = 0.0\n    for v in items(x):\n        total += v\n    return total",
    "functions chosen by data": "total = 0.0\n    for i in range(4):\n        total += GIVEN[i % 2](x[i])\n    return total",
    "closures": "chosen = INNER if x[0] > 0.0 else first\n    return chosen(x[0]) + KERNEL(x).sum()",
}
KERNEL_CHANGES = {
    "nothing": ("", "", ()),
    "a global": (
        "SCALE = 2.0",
        "SCALE = 3.0",
        ("a stencil", "a generalized ufunc", "a generator", "functions chosen by data"),
    ),
    "an array": ("1.0, 2.0]", "1.0, 3.0]", ("a generalized ufunc",)),
    "a callee of a kernel": ("v * 1.5", "v * 2.5", ("a stencil",)),
    "a neighborhood": ("neighborhood=((-1, 1),)", "neighborhood=((0, 1),)", ("a stencil",)),
    "a kernel": ("* a[0] + ", "+ ", ("a stencil",)),
    "a ufunc's kernel": ("* 3.0", "* 4.0", ("a generalized ufunc",)),
    "a generator's item": ("* 5.0", "* 6.0", ("a generator",)),
    "one of the functions": ("11.0 * v", "12.0 * v", ("functions chosen by data",)),
    "what closures read": ("make(13.0)", "make(14.0)", ("closures",)),
}


def test_the_derivative_follows_kernels_generators_and_chosen_functions(tmp_path):
    sources = {
        (name, change): KERNELS.format(body=body).replace(old, new) if old else KERNELS.format(body=body)
        for name, body in BODIES.items()
        for change, (old, new, changed) in KERNEL_CHANGES.items()
        if not old or name in changed
    }
    sources = {json.dumps(key): source for key, source in sources.items()}
    unchanged = {key: source for key, source in sources.items() if json.loads(key)[1] == "nothing"}
    before, after = run(tmp_path, unchanged), run(tmp_path, sources)
    for key in sources:
        name, change = json.loads(key)
        (gradient, differences), _, _ = after[key]
        np.testing.assert_allclose(gradient, differences, rtol=1e-12, err_msg=key)
        is_same = gradient == before[json.dumps([name, "nothing"])][0][0]
        assert is_same == (change == "nothing"), key


LOOP = """
import numba

@numba.njit
def decay(x, n):
    while n > 0:
        x, n = x * x - 0.5 * x, n - 1
    return x
# call: fg.grad(decay)(1.25, 3)"""


def test_later_processes_load_the_functions_that_derivatives_call(tmp_path):
    """So the gradient of another function compiles itself alone: what it calls was compiled with the first one."""
    ((_, first, _),) = run(tmp_path, {"first": LOOP}).values()
    other = LOOP.replace("0.5 * x", "0.75 * x")
    ((gradient, later, _),) = run(tmp_path, {"other": other}).values()
    assert gradient == pytest.approx(fg.grad(decay_by_three_quarters)(1.25, 3), rel=1e-15)
    assert later <= 2 < first


def decay_by_three_quarters(x, n):
    while n > 0:
        x, n = x * x - 0.75 * x, n - 1
    return x


def test_what_raises_when_it_is_first_compiled_raises_when_it_is_loaded(tmp_path):
    source = (
        MODEL
        + """
import fastgrad as fg

@numba.njit
def f(x, y):
    if x[0] < 1.0:
        raise ValueError("too low")
    y[0] = x[0]
    return x[0] * x[0] + np.linalg.solve(np.eye(2) * x[1], x)[0]

def answer(x, y):
    try:
        return float(fg.grad(f)(x, y)[0])
    except ValueError as error:
        return str(error)
"""
    )
    sources = {
        "right": f"{source}\n# call: answer(np.full(2, 2.0), np.ones(2))",
        "low": f"{source}\n# call: answer(np.zeros(2), np.ones(2))",
        "same": f"{source}\nx = np.full(2, 2.0)\n# call: answer(x, x)",
    }
    first, second = run(tmp_path, sources), run(tmp_path, sources)
    for answers in (first, second):
        assert answers["right"][0] == 4.5
        assert answers["low"][0] == "too low"
        assert "the arguments y and x share memory" in answers["same"][0]
    assert second["same"][1:] == [0, False]


def test_code_that_is_compiled_later_does_not_find_the_private_functions_of_a_derivative(tmp_path):
    source = """
import numba
import numpy as np
import fastgrad as fg

def product(x):
    return x[0] * x[1]

def draws(x):
    np.random.seed(3)
    return np.random.normal(x[0], x[2]) * np.random.uniform(x[1], x[0]) + np.random.exponential(x[0] + 1.0)

def answer():
    x = np.array([0.3, -1.2, 0.7])
    return [bool(fg.value_and_grad(f)(x)[0] == f(x)) for f in map(numba.njit, (product, draws, product, draws))]

# call: answer()"""
    assert run(tmp_path, {"draws": source})["draws"][0] == [True] * 4


def test_each_derivative_makes_the_texts_of_its_own_exceptions(tmp_path):
    source = """
import numpy as np
import fastgrad as fg

def views(m, z):
    local = np.zeros((2, 2), np.complex128)
    local[0] = z[1:3] * 1j
    return m[:, 1], m.T, local[0], z[::2].real, m[0, 0], z

def scaled(z, x):
    z[0] = 2.0 * z[1]
    return (z * x[0]).sum().real

def answer():
    m, z = np.ones((3, 2)) * 1j, np.ones(4) * 1j
    fg.jvp(views, (m, z), (m, z))
    fg.grad(scaled, argnums=(0, 1))(z.copy(), np.ones(2))
    try:
        fg.grad(scaled, argnums=(0, 1))(z, z.real)
    except ValueError as error:
        return str(error)

# call: answer()"""
    assert run(tmp_path, {"shared": source})["shared"][0].startswith("the arguments z and x share memory")


def test_no_code_puts_texts_together(tmp_path):
    source = """
import numba
import numpy as np
import fastgrad as fg
from fastgrad._src.jit.code_library import (CodeLibrary)

names = []
optimize = CodeLibrary._optimize_final_module

def noted(library):
    names.extend(function.name for function in library._final_module.functions)
    optimize(library)

CodeLibrary._optimize_final_module = noted

@numba.njit
def written(x, y):
    for i in range(1, y.size):
        y[i] = y[i - 1] * x[i] if x[i] > 0.5 else x[i] / y[i - 1]
    return y.sum()

@numba.njit
def swapped(a, b, n):
    if n > 0:
        a[0], b[0] = b[0] * a[0], a[0]
        swapped(b, a, n - 1)

@numba.njit
def overlapping(x):
    y = x.copy()
    swapped(y[:1], y[1:], 3)
    return y[0]

@numba.njit(parallel=True)
def in_chunks(x, m):
    total = 0.0
    for i in numba.prange(x.size):
        total += x[i] ** 2 * m[0, 0]
    return total + (m @ m).sum() + np.sum(x / m)

def answer():
    x, y, m = np.array([0.5, 0.6, 0.4]), np.ones(3), np.eye(3) + 1.0
    fg.grad(written, argnums=(0, 1))(x, y)
    fg.jacobian(written)(x, y)
    fg.grad(overlapping)(x[:2])
    fg.grad(in_chunks, argnums=(0, 1))(x, m)
    words = ("may_share_memory", "push_value", "acquire", "product", "unicode")
    return [any(word in name for name in names) for word in words]

# call: answer()"""
    assert run(tmp_path, {"texts": source})["texts"][0] == [True, False, True, True, False]


def answers_of_caller(folder, source):
    """Returns what a program prints, as JSON, in two processes. The first writes the caches that the second reads."""
    (folder / "caller.py").write_text(f"import json\nimport numba\nimport numpy as np\nimport fastgrad as fg\n{source}")
    environment = {**os.environ, "FASTGRAD_CACHE_DIR": str(folder), "PYTHONPATH": str(PACKAGE.parent)}
    return [
        json.loads(subprocess.check_output([sys.executable, "caller.py"], cwd=folder, env=environment, timeout=600))
        for _ in range(2)
    ]


def test_a_caller_that_numba_keeps_calls_a_derivative(tmp_path):
    source = """
@numba.njit
def loss(w):
    total = 0.0
    for i in range(len(w)):
        if w[i] > 0.0:
            total += w[i] ** 3
    return total

slope = fg.value_and_grad(loss)

@numba.njit(cache=True)
def descend(w):
    for _ in range(2):
        w = w - 0.1 * slope(w)[1]
    return w

print(json.dumps([descend(np.ones(2)).tolist(), sum(descend.stats.cache_hits.values())]))
"""
    w = 1.0 - 0.3
    w -= 0.3 * w * w
    assert answers_of_caller(tmp_path, source) == [[[w, w], 0], [[w, w], 1]]


def test_a_caller_that_numba_keeps_has_the_large_functions_that_a_derivative_calls(tmp_path):
    """A derivative that fastgrad keeps loads the machine code of these functions; Numba, which keeps the caller, knows nothing of them."""
    source = """
slope = fg.grad(numba.njit(lambda a: np.linalg.det(a) + np.linalg.inv(a)[0, 1]))

@numba.njit(cache=True)
def twice(a):
    return 2.0 * slope(a)

a = np.array([[2.0, 1.0], [0.5, 3.0]])
doubled = twice(a).tolist()
print(json.dumps([slope(a).tolist(), doubled, sum(twice.stats.cache_hits.values())]))
"""
    a = np.array([[2.0, 1.0], [0.5, 3.0]])
    inverse = np.linalg.inv(a)
    slope = np.linalg.det(a) * inverse.T - np.outer(inverse.T[:, 0], inverse.T[1])
    for hits, (gradient, doubled, found) in enumerate(answers_of_caller(tmp_path, source)):
        np.testing.assert_allclose(gradient, slope, rtol=1e-14)
        np.testing.assert_allclose(doubled, 2.0 * slope, rtol=1e-14)
        assert found == hits


# ---- in one process -------------------------------------------------------------------------------------------------

RATE = 2.0
TABLE = np.zeros(0)
Point = collections.namedtuple("Point", ["x"])  # noqa: PYI024  # Numba needs one without annotations


class Level(enum.IntEnum):
    LOW = 3


def scaled(w):
    return RATE * w[0] * w[1]


def misses(*derivatives):
    return [sum(derivative._cache_misses.values()) for derivative in derivatives]


def test_derivatives_of_one_function_are_compiled_once():
    number = int.from_bytes(os.urandom(4), "big") + 0.5

    def make():
        return lambda w: number * w[0] + w[1]

    first, second, third = fg.grad(make()), fg.grad(make()), fg.value_and_grad(make())
    assert first(np.ones(2)).tolist() == second(np.ones(2)).tolist() == third(np.ones(2))[1].tolist() == [number, 1.0]
    assert misses(first, second, third) == [1, 0, 1]
    del first

    @numba.njit
    def caller(w):
        return second(w)

    assert caller(np.ones(2)).tolist() == [number, 1.0]


def test_a_new_derivative_has_the_present_values(monkeypatch):
    w = np.array([3.0, 5.0])
    old = fg.grad(scaled)
    assert old(w).tolist() == fg.vjp(scaled, w)[1](1.0)[0].tolist() == [10.0, 6.0]
    assert fg.jvp(scaled, (w,), (np.ones(2),)) == (30.0, 16.0)
    monkeypatch.setitem(globals(), "RATE", 4.0)
    assert old(w).tolist() == [10.0, 6.0]  # as Numba's functions, it keeps what it was compiled with
    assert fg.grad(scaled)(w).tolist() == fg.vjp(scaled, w)[1](1.0)[0].tolist() == [20.0, 12.0]
    assert fg.jvp(scaled, (w,), (np.ones(2),)) == (60.0, 32.0)
    np.testing.assert_array_equal(fg.hessian(scaled)(w), [[0.0, 4.0], [4.0, 0.0]])


def test_derivatives_have_the_present_values_of_functions_in_tuples_and_defaults():
    scope = {"RATE": 2.0}
    exec("def raised(x):\n    return RATE * x\n", scope)
    raised = numba.njit(scope["raised"])
    functions = (raised,)

    by_default = numba.njit(lambda x, function=raised: function(x))

    for caller in (lambda x: functions[0](x) + 0.0, lambda x: by_default(x) + 0.0):
        for rate in (2.0, 3.0):
            scope["RATE"] = rate
            assert fg.jvp(caller, (1.0,), (1.0,)) == (rate, rate)
            assert fg.vjp(caller, 1.0)[1](1.0) == (rate,)


def test_derivatives_have_the_present_code_and_defaults_of_a_function():
    def raised(x, rate=2.0):
        return rate * x

    assert fg.jvp(raised, (1.0,), (1.0,)) == (2.0, 2.0)
    raised.__defaults__ = (3.0,)
    assert fg.jvp(raised, (1.0,), (1.0,)) == (3.0, 3.0)
    raised.__code__ = (lambda x, rate: rate * x * x).__code__
    assert fg.jvp(raised, (1.0,), (1.0,)) == (3.0, 6.0)


def with_any_number(factor):
    @numba.njit
    def product(*x):
        return factor * x[0] * x[1]

    return product


def with_an_adjoint(factor):
    @numba.njit
    def product(x, y):
        return factor * x * y

    @fg.adjoint(product)
    def slopes(g, product, x, y):
        return g * factor * y, g * factor * x

    return product


def root_of_square(factor):
    """Returns the function of a first guess and of y that finds the positive x for which factor x x = y, by a fixed point."""

    @numba.njit
    def step(x, y):
        return 0.5 * (x + y / (factor * x))

    @numba.njit
    def solver(x, y):
        for _ in range(60):
            x = step(x, y)
        return x

    return fg.fixed_point(step, solver)


DERIVATIVES = {
    "grad": lambda f: fg.grad(f, argnums=1)(3.0, 4.0),
    "value_and_grad": lambda f: fg.value_and_grad(f, argnums=1)(3.0, 4.0)[1],
    "jvp": lambda f: fg.jvp(f, argnums=1)(3.0, 4.0, 1.0)[1],
    "vjp": lambda f: fg.vjp(f, 3.0, 4.0)[1](1.0)[1],
    "jacobian": lambda f: fg.jacobian(f, argnums=1)(3.0, 4.0),
    "of a caller": lambda f: fg.grad(numba.njit(lambda y: f(3.0, y)))(4.0),
}


@pytest.mark.parametrize("way", DERIVATIVES)
@pytest.mark.parametrize(
    ("make", "slope"),
    [
        (with_any_number, lambda factor: 3.0 * factor),
        (with_an_adjoint, lambda factor: 3.0 * factor),
        (root_of_square, lambda factor: 0.5 / np.sqrt(4.0 * factor)),
    ],
)
def test_functions_that_differ_by_what_they_enclose_have_derivatives_of_their_own(make, slope, way):
    for factor in (2.0, 5.0, 3.0):
        assert np.isclose(DERIVATIVES[way](make(factor)), slope(factor), rtol=1e-12)


def scaled_and_squared(factor):
    @numba.njit
    def scaled(x):
        return factor * x

    squared = numba.njit(lambda x: factor * x * x)
    return scaled, squared


@pytest.mark.parametrize(
    "part", [0, 1], ids=["a function that is read before", "a function with a variable that is read before"]
)
def test_derivatives_differ_by_which_of_several_functions_is_called_again(part):
    ones, threes = scaled_and_squared(1.0), scaled_and_squared(3.0)
    first, second, contents = ones[0], threes[0], set()
    for again, factor in ((ones[part], 1.0), (threes[part], 3.0)):

        @numba.njit
        def caller(x):
            return first(x) + second(x) + 10.0 * again(x)  # noqa: B023 - it is called in the loop

        contents.add(content_of(caller))
        assert fg.grad(caller)(1.0) == 1.0 + 3.0 + 10.0 * factor * (1 + part)
    assert len(contents) == 2


@pytest.mark.parametrize("decorate", [numba.njit, lambda f: f], ids=["compiled", "plain"])
def test_the_key_of_a_function_with_an_adjoint_has_what_it_reads(decorate):
    def with_a_constant_adjoint(factor):
        @decorate
        def product(x):
            return factor * x

        @fg.adjoint(product)
        def slope(g, product, x):
            return 7.0 * g

        return product

    products = [with_a_constant_adjoint(factor) for factor in (2.0, 5.0)]
    assert len(set(map(content_of, products))) == 2
    assert len({content_of(lambda x, f=product: f(x)) for product in products}) == 2


def test_the_key_of_mutual_references_tells_which_function_is_meant():
    def made(to_first):
        def first(x, functions=()):
            return x

        def second(x, functions=()):
            return 2.0 * x

        first.__defaults__ = ((second,),)
        second.__defaults__ = ((first if to_first else second,),)
        return first

    assert content_of(made(True)) != content_of(made(False))


@pytest.mark.parametrize("offsets", [[0, 8], [8, 0], [0, 0], [4, 8]])
def test_records_have_keys_with_the_places_of_their_fields(offsets):
    def text(offsets, item="f8"):
        dtype = np.dtype({"names": ["a", "b"], "formats": [item, "f8"], "offsets": offsets, "itemsize": 24})
        values = np.zeros(2, dtype)
        return content_of(lambda x: x * values["a"][0])

    assert text(offsets) == text(offsets)
    assert text(offsets) != text([16, 0])
    assert text(offsets) != text(offsets, "i8")
    assert text([8, 0], ("f8", (2,))) != text([8, 0], ("f8", (1, 2)))


def test_a_setting_of_numba_that_changes_makes_other_code(monkeypatch):
    def item(x, number):
        return 2.0 * x[number]

    x = np.zeros(6)[:3]
    assert fg.grad(item)(x, 1).tolist() == [0.0, 2.0, 0.0]
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    with pytest.raises(IndexError, match="out of bounds"):
        fg.grad(item)(x, 4)


def test_the_key_of_a_generated_function_has_what_it_calls():
    texts = set()
    for factor in (2.0, 5.0):
        scope = {
            "__name__": "fastgrad._src.derivatives.transforms",
            "callee": numba.njit(lambda x, factor=factor: factor * x),
        }
        exec("def caller(x):\n    return callee(x)\n", scope)
        texts.add(content_of(scope["caller"]))
    assert len(texts) == 2


def test_a_users_module_may_have_the_name_of_a_standard_one(monkeypatch, tmp_path):
    assert is_of_library("colorsys.part")
    module = types.ModuleType("colorsys")
    monkeypatch.setitem(sys.modules, "colorsys", module)
    for path, is_library in (
        (tmp_path / "colorsys.py", False),
        (Path(os.__file__).with_name("colorsys.py"), True),
        (Path(os.__file__).with_name("site-packages") / "colorsys.py", False),
    ):
        module.__file__ = str(path)
        assert is_of_library("colorsys.part") is is_library


def test_a_view_that_changes_is_not_shared(monkeypatch):
    table = np.arange(8.0)
    monkeypatch.setitem(globals(), "TABLE", table[::2])

    def f(x):
        return TABLE[1] * x

    assert fg.grad(f)(1.0) == 2.0
    table[2] = 5.0
    monkeypatch.setitem(globals(), "TABLE", np.arange(8.0)[::2])
    assert fg.grad(f)(1.0) == 2.0


def test_the_key_has_the_signatures_of_a_decorator():
    def f(x):
        return x

    functions = [f, numba.njit(f), numba.njit("f8(f8)")(f), numba.njit("f4(f4)")(f), numba.njit(fastmath=True)(f)]
    assert len(set(map(content_of, functions))) == len(functions)
    functions[1](1.0)
    assert content_of(functions[1]) == content_of(numba.njit(f))


def test_a_changed_partial_changes_derivatives_on_disk(tmp_path):
    package = tmp_path / "package" / "fastgrad"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "keras"))
    source = "import math\ndef f(x):\n    return math.sin(x) * 3.0\n# call: fg.grad(f)(0.5)"
    ((slope, _, _),) = run(tmp_path / "kernels", {"before": source}, package).values()
    assert slope == pytest.approx(3 * np.cos(0.5))
    table = package / "_src" / "scalars" / "terms.py"
    text = table.read_text(encoding="utf-8")
    assert text.count("g * conj(cos(x))") == 1
    table.write_text(text.replace("conj(cos(x))", "conj(cos(cos(x)))"), encoding="utf-8")
    ((slope, _, _),) = run(tmp_path / "kernels", {"after": source}, package).values()
    assert slope == pytest.approx(3 * np.cos(np.cos(0.5)))


def test_derivatives_follow_from_the_files_that_they_import_and_from_no_layer_above():
    files = source_files(*ORIGINS)
    packages = {name.split("/")[1] for name in files if name.startswith("_src/")}
    assert {"derivatives", "scalars", "core", "jit"} <= packages
    needed = {"scalars/terms.py", "jit/bytecode.py", "jit/code_library.py", "derivatives/ir/scalar_rules.py"}
    assert {f"_src/{name}" for name in needed} <= set(files)
    assert not {"ops", "compiler", "keras", "data", "custom_operations", "distribute"} & packages


def test_derivatives_are_pickled_by_their_functions():
    derivative = pickle.loads(pickle.dumps(fg.value_and_grad(scaled, has_aux=False)))
    value, gradient = derivative(np.array([3.0, 5.0]))
    assert (value, gradient.tolist()) == (30.0, [10.0, 6.0])


LARGE = np.arange(200_000.0)
EXTENDED: list[float] = [1.0]


def extended(x):
    return x


@numba.extending.overload(extended)
def overload_of_extended(x):
    factor = EXTENDED[-1]
    return lambda x: factor * x * x


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (lambda x: x * LARGE[3], 3.0),
        (lambda x: extended(x) + 1.0, 4.0),
        (lambda x: x * Level.LOW, 3.0),
        (lambda x: Point(x * x).x, 4.0),
    ],
    ids=["an array of a megabyte", "an extension of Numba", "a member of a class", "a named tuple"],
)
def test_what_has_no_key_is_not_kept(tmp_path, monkeypatch, function, answer):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    assert fg.grad(function)(2.0) == answer
    assert not any(b"derivative " in file.read_bytes()[:1000] for file in tmp_path.iterdir())


def test_what_calls_an_extension_has_no_key_when_it_is_derived_again():
    @numba.njit
    def repeated(count, x):
        if count == 0:
            return extended(x)
        return repeated(count - 1, x)

    @numba.njit
    def caller(x):
        return repeated(2, x)

    for _ in range(2):
        gradient = fg.grad(caller)
        assert gradient(1.5) == 3.0 * EXTENDED[-1]
        (compiled,) = gradient.overloads.values()
        assert UNKEYED in compiled.fndesc.qualname


def test_an_extension_of_numba_is_looked_up_anew():
    def square(x):
        return extended(x)

    assert fg.grad(square)(1.5) == 3.0 * EXTENDED[-1]
    EXTENDED.append(2.0)
    assert fg.grad(lambda x: extended(x) + 1.0)(np.float32(1.5)) == 6.0


def test_a_folder_that_cannot_be_used_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(cache, "_warnings_given", ["before"])
    assert fg.grad(lambda x: 7.25 * x)(1.0) == 7.25
