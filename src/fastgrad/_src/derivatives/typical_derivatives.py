"""Numba functions as many people write them.

`fastgrad warm` and the build of a wheel compute their derivatives. This compiles in advance what derivatives call of this package: stacks of
records, divisions, products of matrices, LAPACK's functions.
"""
# mypy: ignore-errors

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange

from fastgrad._src.derivatives.matrices import hessian, jacobian
from fastgrad._src.derivatives.transforms import jvp, value_and_grad


class TypicalDerivative(NamedTuple):
    """A function to differentiate with respect to its first argument, and its arguments.

    Attributes:
        function: a Python function, which Numba compiles.
        arguments: its arguments.
        parallel: Numba's option.
        transform: what makes the derivative; None for the gradient and the derivative along a direction.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    parallel: bool = False
    transform: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    def run(self) -> None:
        """Computes the derivatives."""
        function = njit(parallel=self.parallel)(self.function)
        if self.transform is not None:
            self.transform(function)(*self.arguments)
            return
        value_and_grad(function)(*self.arguments)
        jvp(function)(*self.arguments, self.arguments[0])


def recurrence(p, x):
    """A recurrence over a series, with a minimum and with powers and quotients of counted exponents and divisors."""
    state = np.empty(x.size, x.dtype)
    state[0] = p[0]
    total = p[0] * 0
    for i in range(1, x.size):
        state[i] = p[0] + p[1] * x[i - 1] ** 2 + p[2] * state[i - 1] / x.size
        total += math.log(state[i]) + x[i] ** 2 / state[i] + max(state[i], p[1]) / i + min(p[2], i * p[0])
    return total / x.size + p[1] ** x.size + x.size * p[2] / p[0]


def curve(p, x):
    """The values of a model at points."""
    return p[0] * np.exp(-p[1] * x) + p[2]


def lattice(volatility, strike, steps):
    """Backward induction in an array that is overwritten, with numbers as arguments."""
    up = math.exp(volatility / math.sqrt(steps))
    chance = (1.0 - 1.0 / up) / (up - 1.0 / up)
    values = np.zeros(steps + 1)
    for i in range(steps + 1):
        values[i] = max(strike - strike * up ** (2 * i - steps), 0.0)
    for step in range(steps - 1, -1, -1):
        for i in range(step + 1):
            values[i] = max(chance * values[i + 1] + (1.0 - chance) * values[i], strike - strike * up ** (2 * i - step))
    return values[0]


def integrator(p, seen):
    """Steps of a differential equation whose state is a new array at each step."""
    state = p[:2].copy()
    loss = 0.0
    for t in range(seen.shape[0]):
        rate = np.array([p[0] * state[0] - p[1] * state[0] * state[1], p[1] * state[0] * state[1] - p[0] * state[1]])
        state = state + 0.1 * (rate + 2.0 * rate) / 6.0
        loss += ((state - seen[t]) ** 2).sum()
    return loss


def rotations(angles, axes):
    """A product of matrices, each an expression of arrays."""
    product = np.eye(3)
    for i in range(angles.size):
        x, y, z = axes[i]
        skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        turn = np.eye(3) * math.cos(angles[i]) + math.sin(angles[i]) * skew
        product = product @ (turn + (1.0 - math.cos(angles[i])) * np.outer(axes[i], axes[i]))
    return (product @ axes[0]).sum() + axes[0] @ product @ axes[1]


def layers(weights, x):
    """Products of matrices in any layout, sums along axes, and broadcasting."""
    hidden = np.tanh(x @ weights + weights[0])
    hidden = hidden / (1.0 + np.abs(hidden).sum(axis=0))
    return (hidden @ weights.T).mean() + (hidden.T @ x).sum() + (weights[:, 0] * weights[1, :]).sum()


def filtering(p, y):
    """A filter of linear systems: inverses, determinants and solutions in a loop."""
    transition, noise = np.eye(4), math.exp(p[0])
    observation = np.zeros((2, 4))
    observation[0, 0] = observation[1, 2] = 1.0
    x, covariance = np.zeros(4), np.eye(4) * p[1]
    total = 0.0
    for t in range(y.shape[0]):
        x = transition @ x
        covariance = transition @ covariance @ transition.T + noise * np.eye(4)
        innovation = y[t] - observation @ x
        s = observation @ covariance @ observation.T + noise * np.eye(2)
        gain = covariance @ observation.T @ np.linalg.inv(s)
        x = x + gain @ innovation
        covariance = (np.eye(4) - gain @ observation) @ covariance
        total += math.log(np.linalg.det(s)) + innovation @ np.linalg.solve(s, innovation)
    return total


def gaussian_process(p, x, y):
    """A likelihood by a Cholesky factor."""
    k = np.empty((x.size, x.size))
    for i in range(x.size):
        for j in range(x.size):
            k[i, j] = p[0] * math.exp(-((x[i] - x[j]) ** 2) / p[1])
        k[i, i] += p[2]
    factor = np.linalg.cholesky(k)
    half = np.linalg.solve(factor, y)
    return 0.5 * (half @ half) + np.log(np.diag(factor)).sum()


def normal_density(p, y):
    """Densities by the logarithm of a determinant and by eigenvalues, and a system with several right sides."""
    covariance = np.eye(3) * p[0] + np.outer(p, p)
    values, vectors = np.linalg.eigh(covariance + np.diag(np.arange(3.0)))
    solved = np.linalg.solve(covariance, y)
    return np.linalg.slogdet(covariance)[1] + (y * solved).sum() + (vectors @ values).sum()


def collected(x, groups):
    """Lists, slices, masks, and indices, steps and divisors that are computed."""
    kept, sums, table = [x[0]], np.zeros(3), np.zeros((3, 2))
    for i in range(x.size):
        if x[i] > 0.5:
            kept.append(x[i] * x[i - 1])
        sums[groups[i] % groups[3]] += x[i] / (1 + i // groups[3])
    table[:, 0] = sums * np.where(sums > 1.0, sums, 1.0)
    table[1:, 1] += x[:2]
    total = kept[-1] * x[1:].sum() + (x[x > 0.5] ** 2).sum() + x[groups].sum() + x[::2].sum() + x.max()
    for value in kept:
        total += value**1.5 * (groups[1] / groups[3])
    for i in range(0, x.size, groups[2]):
        total += x[i] * x[i] ** x[0]
    return total + (sums[1:] - sums[:-1]).sum() + np.cumsum(x)[-1] + (table * table).sum()


def stencil(x, y):
    """Differences of neighbours, on threads."""
    total = 0.0
    for i in prange(x.shape[0] - 1):
        for j in range(x.shape[1] - 1):
            a, b = x[i + 1, j] - x[i, j], x[i, j + 1] - x[i, j]
            total += math.sqrt(a * a + b * b + 1e-6) + (x[i, j] - y[i, j]) ** 2
    return total


def list_typical_derivatives() -> list[TypicalDerivative]:
    """Returns the functions and their arguments, in a fixed order."""
    rng = np.random.default_rng(0)
    parameters, series, matrix = rng.random(3) + 0.1, rng.random(20) + 0.1, rng.random((4, 4))
    single = parameters.astype(np.float32), series.astype(np.float32)
    return [
        TypicalDerivative(filtering, (parameters, rng.random((5, 2)))),
        TypicalDerivative(gaussian_process, (parameters, series, np.sin(series))),
        TypicalDerivative(normal_density, (parameters, rng.random((3, 2)))),
        TypicalDerivative(rotations, (series[:5], rng.random((5, 3)))),
        TypicalDerivative(layers, (matrix, rng.random((6, 4)))),
        TypicalDerivative(collected, (series, np.arange(20) % 7)),
        TypicalDerivative(integrator, (parameters, rng.random((5, 2)))),
        TypicalDerivative(stencil, (matrix, matrix.T.copy()), parallel=True),
        TypicalDerivative(recurrence, (parameters, series)),
        TypicalDerivative(recurrence, single),
        TypicalDerivative(recurrence, (parameters, series), transform=jacobian),
        TypicalDerivative(recurrence, (parameters, series), transform=hessian),
        TypicalDerivative(curve, (parameters, series), transform=jacobian),
        TypicalDerivative(lattice, (0.2, 1.0, 5)),
    ]
