"""CPU seconds of the first derivative in a process, beside those of Numba's compilation of the function itself.

`python -m benchmarks.first_derivatives` measures each function of `FUNCTIONS` in processes of its own: Numba's compilation, the first derivative with the parts of
the library on disk, and the first derivative with an empty cache. Python's bytecode is there in all cases, as after an installation. ``--only garch,kalman`` measures some, ``--repeat 3`` takes minima, ``--jax PYTHON``
compiles the functions of ``first_derivatives_in_jax`` with JAX, too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence

from benchmarks import first_derivatives_in_jax as in_jax

HEAD = """
import math
import numba
import numpy as np
from numba import njit, prange
from numba.experimental import jitclass
"""

FUNCTIONS: dict[str, tuple[str, str]] = {
    "garch": (
        """
        @njit
        def f(p, r):
            h = np.empty(r.size)
            h[0] = 0.1 + SALT
            total = 0.0
            for i in range(1, r.size):
                h[i] = p[0] + p[1] * r[i - 1] ** 2 + p[2] * h[i - 1]
                total += math.log(h[i]) + r[i] ** 2 / h[i]
            return total
        """,
        "(np.array([0.1, 0.1, 0.8]), np.random.RandomState(0).rand(500))",
    ),
    "rotations": (
        """
        @njit
        def rotation(axis, angle):
            c, s = math.cos(angle), math.sin(angle)
            x, y, z = axis[0], axis[1], axis[2]
            skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
            return np.eye(3) * c + s * skew + (1.0 - c) * np.outer(axis, axis)

        @njit
        def f(angles, axes):
            m = np.eye(3) * (1.0 + SALT)
            for i in range(angles.size):
                m = m @ rotation(axes[i], angles[i])
            return (m @ np.array([1.0, 2.0, 3.0])).sum()
        """,
        "(np.random.RandomState(0).rand(20), np.random.RandomState(1).rand(20, 3))",
    ),
    "kalman": (
        """
        @njit
        def f(p, y):
            q, r = math.exp(p[0]), math.exp(p[1])
            transition = np.eye(4)
            transition[0, 1] = transition[2, 3] = 0.1 + SALT
            observation = np.zeros((2, 4))
            observation[0, 0] = observation[1, 2] = 1.0
            x, covariance = np.zeros(4), np.eye(4)
            total = 0.0
            for t in range(y.shape[0]):
                x = transition @ x
                covariance = transition @ covariance @ transition.T + q * np.eye(4)
                innovation = y[t] - observation @ x
                s = observation @ covariance @ observation.T + r * np.eye(2)
                gain = covariance @ observation.T @ np.linalg.inv(s)
                x = x + gain @ innovation
                covariance = (np.eye(4) - gain @ observation) @ covariance
                total += math.log(np.linalg.det(s)) + innovation @ np.linalg.solve(s, innovation)
            return total
        """,
        "(np.array([0.1, 0.2]), np.random.RandomState(0).rand(50, 2))",
    ),
    "variation": (
        """
        @njit(parallel=True)
        def f(x, y):
            total = 0.0
            for i in prange(x.shape[0] - 1):
                for j in range(x.shape[1] - 1):
                    a, b = x[i + 1, j] - x[i, j], x[i, j + 1] - x[i, j]
                    total += math.sqrt(a * a + b * b + 1e-6 + SALT) + (x[i, j] - y[i, j]) ** 2
            return total
        """,
        "(np.random.RandomState(0).rand(64, 64), np.random.RandomState(1).rand(64, 64))",
    ),
    "markov": (
        """
        @njit
        def f(logits, means, y):
            n = means.size
            alpha, new = np.zeros(n), np.zeros(n)
            for k in range(n):
                alpha[k] = -0.5 * (y[0] - means[k]) ** 2 + SALT
            for t in range(1, y.size):
                for k in range(n):
                    largest = -1e300
                    for j in range(n):
                        largest = max(largest, alpha[j] + logits[j, k])
                    total = 0.0
                    for j in range(n):
                        total += math.exp(alpha[j] + logits[j, k] - largest)
                    new[k] = largest + math.log(total) - 0.5 * (y[t] - means[k]) ** 2
                for k in range(n):
                    alpha[k] = new[k]
            return np.log(np.exp(alpha).sum())
        """,
        "(np.random.RandomState(0).rand(3, 3), np.arange(3.0), np.random.RandomState(1).rand(40))",
    ),
    "lotka": (
        """
        @njit
        def rate(state, p):
            return np.array([p[0] * state[0] - p[1] * state[0] * state[1], p[2] * state[0] * state[1] - p[3] * state[1]])

        @njit
        def f(p, seen):
            state = np.array([1.0, 0.5])
            h, loss = 0.1 + SALT, 0.0
            for t in range(seen.shape[0]):
                k1 = rate(state, p)
                k2 = rate(state + 0.5 * h * k1, p)
                k3 = rate(state + 0.5 * h * k2, p)
                k4 = rate(state + h * k3, p)
                state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
                loss += ((state - seen[t]) ** 2).sum()
            return loss
        """,
        "(np.array([1.0, 0.8, 0.6, 0.9]), np.random.RandomState(0).rand(50, 2))",
    ),
    "process": (
        """
        @njit
        def f(p, x, y):
            n = x.size
            k = np.empty((n, n))
            for i in range(n):
                for j in range(n):
                    k[i, j] = p[0] * math.exp(-((x[i] - x[j]) ** 2) / p[1])
                k[i, i] += p[2] + SALT
            factor = np.linalg.cholesky(k)
            half = np.linalg.solve(factor, y)
            total = 0.5 * (half @ half)
            for i in range(n):
                total += math.log(factor[i, i])
            return total
        """,
        "(np.array([1.0, 0.5, 0.1]), np.linspace(0.0, 1.0, 20), np.random.RandomState(0).rand(20))",
    ),
    "cox": (
        """
        @njit
        def f(beta, x, order, died):
            risk, log_likelihood = 0.0, SALT
            for k in range(order.size):
                i = order[k]
                eta = 0.0
                for j in range(beta.size):
                    eta += beta[j] * x[i, j]
                risk += math.exp(eta)
                if died[i]:
                    log_likelihood += eta - math.log(risk)
            return -log_likelihood
        """,
        "(np.array([0.1, -0.2]), np.random.RandomState(0).rand(100, 2), np.arange(100), np.random.RandomState(1).rand(100) > 0.5)",
    ),
    "psychometric": (
        """
        @njit
        def f(p, level, count, correct):
            total = SALT
            for i in range(level.size):
                z = (level[i] - p[0]) / p[1]
                chance = p[2] + (1.0 - p[2] - p[3]) * 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
                chance = min(max(chance, 1e-9), 1.0 - 1e-9)
                total -= correct[i] * math.log(chance) + (count[i] - correct[i]) * math.log(1.0 - chance)
            return total
        """,
        "(np.array([0.5, 0.2, 0.02, 0.02]), np.linspace(0.0, 1.0, 9), np.full(9, 20.0), np.linspace(1.0, 19.0, 9))",
    ),
    "neuron": (
        """
        @njit
        def f(p, current):
            v, w, total = -65.0 + SALT, 0.0, 0.0
            for t in range(current.size):
                if v > 30.0:
                    v = p[2]
                    w += p[3]
                dv = 0.04 * v * v + 5.0 * v + 140.0 - w + current[t]
                dw = p[0] * (p[1] * v - w)
                v += 0.25 * dv
                w += 0.25 * dw
                total += (v + 65.0) ** 2
            return total / current.size
        """,
        "(np.array([0.02, 0.2, -65.0, 8.0]), 10.0 * np.random.RandomState(0).rand(200))",
    ),
    "option": (
        """
        @njit
        def f(sigma, rate, spot, strike, steps):
            dt = 1.0 / steps
            up = math.exp(sigma * math.sqrt(dt))
            chance = (math.exp(rate * dt) - 1.0 / up) / (up - 1.0 / up)
            values = np.zeros(steps + 1)
            for i in range(steps + 1):
                values[i] = max(strike - spot * up ** (2 * i - steps), SALT)
            for step in range(steps - 1, -1, -1):
                for i in range(step + 1):
                    kept = math.exp(-rate * dt) * (chance * values[i + 1] + (1.0 - chance) * values[i])
                    values[i] = max(kept, strike - spot * up ** (2 * i - step))
            return values[0]
        """,
        "(0.2, 0.05, 100.0, 105.0, 50)",
    ),
    "rays": (
        """
        @jitclass([("center", numba.float64[:]), ("radius", numba.float64)])
        class Sphere:
            def __init__(self, center, radius):
                self.center = center
                self.radius = radius

        @njit
        def f(origin, directions, sphere):
            total = SALT
            for i in range(directions.shape[0]):
                a = b = c = 0.0
                for k in range(3):
                    d, o = directions[i, k], origin[k] - sphere.center[k]
                    a += d * d
                    b += 2.0 * d * o
                    c += o * o
                c -= sphere.radius**2
                discriminant = b * b - 4.0 * a * c
                if discriminant > 0.0:
                    total += (-b - math.sqrt(discriminant)) / (2.0 * a)
            return total
        """,
        "(np.array([0.0, 0.0, -3.0]), np.random.RandomState(0).rand(30, 3) - np.array([0.5, 0.5, -1.0]), Sphere(np.zeros(3), 1.5))",
    ),
}
"""Functions as their fields write them: a text, and the text of their arguments. ``SALT`` tells a function from the same one on disk."""

_PROGRAM = """
import sys, time
{head}
{function}
arguments = {arguments}
if {own}:
    began = time.process_time()
    f(*arguments)
else:
    import fastgrad as fg
    f_gradient = fg.value_and_grad(f)
    began = time.process_time()
    f_gradient(*arguments)
print(time.process_time() - began)
"""


_PROGRAM_IN_JAX = """
import sys, time
{head}
{function}
arguments = {arguments}
began = time.process_time()
jax.block_until_ready(jax.jit(jax.value_and_grad(f))(*arguments))
print(time.process_time() - began)
"""


def with_salt(function: str, salt: float = 0.0) -> str:
    """Returns a function's text from column 0, with a number for ``SALT``."""
    return textwrap.dedent(function).replace("SALT", repr(salt))


def seconds(name: str, salt: float, own: bool, cache: str, bytecode: str, jax_python: str = "") -> float:
    """Returns the CPU seconds of a function's compilation, or of its first derivative (by JAX with ``jax_python``), in a process of its own.

    ``cache`` and ``bytecode`` are folders of machine code and of Python's bytecode.
    """
    function, arguments = FUNCTIONS[name]
    program, head = _PROGRAM, HEAD
    if jax_python:
        program, head, function = _PROGRAM_IN_JAX, in_jax.HEAD, in_jax.FUNCTIONS[name]
    program = program.format(head=head, function=with_salt(function, salt), arguments=arguments, own=own)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(program)
        environment = {
            **os.environ,
            "FASTGRAD_CACHE_DIR": cache,
            "PYTHONPYCACHEPREFIX": bytecode,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        run = subprocess.run(
            [jax_python or sys.executable, path], env=environment, capture_output=True, text=True, check=True
        )
    return float(run.stdout.split()[-1])


def measure(name: str, repeat: int, with_empty: bool, jax_python: str = "") -> dict[str, float]:
    """Returns the smallest CPU seconds of each kind."""
    salts = iter(1e-9 * number for number in range(1, 1000))
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as bytecode:
        with tempfile.TemporaryDirectory() as cache:
            seconds(name, next(salts), True, cache, bytecode)
            seconds(name, next(salts), False, cache, bytecode)
            result["function"] = min(seconds(name, next(salts), True, cache, bytecode) for _ in range(repeat))
            result["derivative"] = min(seconds(name, next(salts), False, cache, bytecode) for _ in range(repeat))
        if with_empty:
            with tempfile.TemporaryDirectory() as cache:
                result["empty"] = seconds(name, next(salts), False, cache, bytecode)
        if jax_python and name in in_jax.FUNCTIONS:
            with tempfile.TemporaryDirectory() as cache:
                result["jax"] = min(
                    seconds(name, next(salts), False, cache, bytecode, jax_python) for _ in range(repeat)
                )
    return result


def main(command: Sequence[str] | None = None) -> int:
    """Prints a row for each function, and geometric means of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(FUNCTIONS))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--no-empty", action="store_true")
    parser.add_argument("--jax", default="", help="a Python that has JAX")
    options = parser.parse_args(command)
    ratios: dict[str, list[float]] = {"derivative": [], "empty": [], "jax": []}
    for name in options.only.split(","):
        found = measure(name, options.repeat, not options.no_empty, options.jax)
        for kind, values in ratios.items():
            if kind in found:
                values.append(found[kind] / found["function"])
        numbers = {kind: round(value, 3) for kind, value in found.items()}
        print(name, json.dumps(numbers), f"{found['derivative'] / found['function']:.2f}", flush=True)
    for kind, values in ratios.items():
        if values:
            mean = math.exp(sum(map(math.log, values)) / len(values))
            print(f"geometric mean of {kind} / function: {mean:.2f}, largest {max(values):.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
