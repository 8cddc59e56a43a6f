"""Times of derivatives of Numba functions, for docs/derivative_functions.md and docs/fast_derivatives.md: `python -m benchmarks.derivative_hints`.

Prints two tables in Markdown. The first divides the time of each derivative function by the time of the function itself. The second compares
two ways to write the same gradient. The programs of a row take turns, and a time is the least of many; values are compared first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

import fastgrad as fg
from benchmarks.data import generator


@numba.njit
def squares(w: Any, x: Any) -> Any:
    """Sum of squares of a predicted series: a loop with a state."""
    total, state = 0.0, 0.0
    for i in range(x.shape[0]):
        predicted = 0.0
        for j in range(w.shape[0]):
            predicted += w[j] * x[i, j]
        state = 0.5 * state + np.tanh(predicted)
        total += state * state
    return total


@numba.njit
def series(w: Any, x: Any) -> Any:
    """The states that `squares` adds."""
    out, state = np.empty(x.shape[0]), 0.0
    for i in range(x.shape[0]):
        predicted = 0.0
        for j in range(w.shape[0]):
            predicted += w[j] * x[i, j]
        state = 0.5 * state + np.tanh(predicted)
        out[i] = state
    return out


@numba.njit
def temporaries(w: Any, x: Any) -> Any:
    """`elements` with arrays of three elements in the loop."""
    state = np.zeros(3)
    for i in range(x.shape[0]):
        state = 0.5 * state + np.tanh(w * x[i])
    return np.sum(state)


@numba.njit
def elements(w: Any, x: Any) -> Any:
    """Sum of three states that decay."""
    state = np.zeros(3)
    for i in range(x.shape[0]):
        for j in range(3):
            state[j] = 0.5 * state[j] + np.tanh(w[j] * x[i, j])
    return np.sum(state)


@numba.njit
def product_loops(w: Any, x: Any) -> Any:
    """`product` as three loops."""
    out = np.zeros((x.shape[0], w.shape[1]))
    for i in range(x.shape[0]):
        for k in range(w.shape[0]):
            for j in range(w.shape[1]):
                out[i, j] += x[i, k] * w[k, j]
    return np.sum(np.tanh(out))


@numba.njit
def product(w: Any, x: Any) -> Any:
    """Sum of the tanh of a product of matrices."""
    return np.sum(np.tanh(x @ w))


def _wave(w: Any, x: Any) -> Any:
    total = 0.0
    for i in numba.prange(x.shape[0]):
        total += np.exp(-w[0] * x[i]) * np.cos(w[1] * x[i])
    return total


wave_serial, wave_parallel = numba.njit(_wave), numba.njit(parallel=True)(_wave)


def least_times(programs: Sequence[Callable[[], Any]], seconds: float = 1.0) -> list[float]:
    """Returns the least time of a call of each program, in seconds; the programs take turns, each in slices of at least 2 ms."""
    counts = []
    for program in programs:
        program()
        start = time.perf_counter()
        program()
        counts.append(max(1, round(0.002 / max(time.perf_counter() - start, 1e-7))))
    least = [float("inf")] * len(programs)
    end = time.perf_counter() + seconds * len(programs)
    while time.perf_counter() < end:
        for number, (program, count) in enumerate(zip(programs, counts, strict=True)):
            start = time.perf_counter()
            for _ in range(count):
                program()
            least[number] = min(least[number], (time.perf_counter() - start) / count)
    return least


def function_costs(seconds: float = 1.0) -> list[tuple[str, float]]:
    """Returns the time of each derivative function divided by that of the function, for 8 parameters and 10,000 rows."""
    rng = generator(0)
    w, x = rng.normal(size=8), rng.normal(size=(10_000, 8))
    value_and_grad, grad = fg.value_and_grad(squares), fg.grad(squares)
    hvp, hessian, jacobian = fg.hvp(squares), fg.hessian(squares), fg.jacobian(series)
    one, zeros = np.ones(8), np.zeros_like(x)
    programs = {
        "f": lambda: squares(w, x),
        "grad": lambda: grad(w, x),
        "value_and_grad": lambda: value_and_grad(w, x),
        "vjp": lambda: fg.vjp(squares, w, x)[1](1.0),
        "jvp": lambda: fg.jvp(squares, (w, x), (one, zeros)),
        "hvp": lambda: hvp(w, x, one),
        "hessian": lambda: hessian(w, x),
        "f of many results": lambda: series(w, x),
        "jacobian": lambda: jacobian(w, x),
        "8 calls of jvp": lambda: [fg.jvp(series, (w, x), (row, zeros)) for row in np.eye(8)],
    }
    times = dict(zip(programs, least_times([*programs.values()], seconds), strict=True))
    many = ("f of many results", "jacobian", "8 calls of jvp")
    return [(name, value / times[many[0] if name in many else "f"]) for name, value in times.items()]


def pairs() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Returns the programs of each hint: the slower, and the faster, which compute the same gradient."""
    rng = generator(0)
    w, x = rng.normal(size=3), rng.normal(size=(2000, 3))
    matrix, batch = rng.normal(size=(64, 64)), rng.normal(size=(64, 64))
    times = rng.random(200_000)
    rates = np.array([0.5, 2.0])
    eight, rows = rng.normal(size=8), rng.normal(size=(1000, 8))
    as_list = numba.typed.List(list(rows))
    by_w, by_both = fg.grad(squares), fg.grad(squares, argnums=(0, 1))
    together = fg.value_and_grad(squares)
    by_temporaries, by_elements = fg.grad(temporaries), fg.grad(elements)
    by_loops, by_product = fg.grad(product_loops), fg.grad(product)
    serial, parallel = fg.grad(wave_serial), fg.grad(wave_parallel)
    of_list, of_array = fg.grad(list_squares), fg.grad(squares)
    return {
        "a typed list of 1,000 rows; an array": (lambda: of_list(eight, as_list), lambda: of_array(eight, rows)),
        "`fg.grad(f)` made for each call; made once": (
            lambda: fg.grad(squares)(eight, rows),
            lambda: by_w(eight, rows),
        ),
        "`fg.grad` of both arguments; of `w` alone": (lambda: by_both(eight, rows)[0], lambda: by_w(eight, rows)),
        "`f` and `fg.grad`; `fg.value_and_grad`": (
            lambda: (squares(eight, rows), by_w(eight, rows))[1],
            lambda: together(eight, rows)[1],
        ),
        "arrays of 3 in a loop; elements": (lambda: by_temporaries(w, x), lambda: by_elements(w, x)),
        "a product of 64 x 64 matrices by loops; `@`": (
            lambda: by_loops(matrix, batch),
            lambda: by_product(matrix, batch),
        ),
        "`range`; `prange` on two threads": (lambda: serial(rates, times), lambda: parallel(rates, times)),
    }


@numba.njit
def list_squares(w: Any, x: Any) -> Any:
    """`squares` of a list of rows."""
    total, state = 0.0, 0.0
    for i in range(len(x)):
        row, predicted = x[i], 0.0
        for j in range(w.shape[0]):
            predicted += w[j] * row[j]
        state = 0.5 * state + np.tanh(predicted)
        total += state * state
    return total


def float_times(seconds: float = 1.0) -> tuple[float, float]:
    """Returns the time of a gradient by float64 divided by that by float32: of `squares`, and of `product`."""
    rng = generator(0)
    ratios = []
    for function, w, x in (
        (squares, rng.normal(size=8), rng.normal(size=(1000, 8))),
        (product, rng.normal(size=(512, 512)), rng.normal(size=(512, 512))),
    ):
        gradient, single = fg.grad(function), (w.astype(np.float32), x.astype(np.float32))
        np.testing.assert_allclose(gradient(w, x), gradient(*single), rtol=1e-2, atol=1e-2)
        wide, narrow = least_times(
            [lambda g=gradient, a=(w, x): g(*a), lambda g=gradient, a=single: g(*a)],  # type: ignore[misc]
            seconds,
        )
        ratios.append(wide / narrow)
    return ratios[0], ratios[1]


def main() -> None:
    """Prints the tables."""
    numba.set_num_threads(min(2, os.cpu_count() or 1))
    print("| function | time / time of the function |\n| --- | --: |")
    for name, ratio in function_costs():
        print(f"| {name} | {ratio:.1f} |")
    print("\n| first; second | time of the first / time of the second |\n| --- | --: |")
    for name, (slow, fast) in pairs().items():
        np.testing.assert_allclose(slow(), fast(), rtol=1e-9, atol=1e-12)
        slow_time, fast_time = least_times([slow, fast])
        print(f"| {name} | {slow_time / fast_time:.1f} |", flush=True)
    loop, matrices = float_times()
    print(
        f"| float64; float32: a loop | {loop:.1f} |\n| float64; float32: `@` of 512 x 512 matrices | {matrices:.1f} |"
    )


if __name__ == "__main__":
    main()
