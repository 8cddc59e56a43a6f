"""The log posterior of a mixture of Gaussians with Wishart's prior.

A component has a weight (the softmax of alpha), a mean, and an inverse covariance Qᵀ Q of a lower triangular Q: `q` has the
logarithms of its diagonal, `lower` the elements below it, column by column.
"""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem
from benchmarks.gradbench.problems.lse import log_sum_exp


@numba.njit
def log_multivariate_gamma(a, d):
    """Returns the logarithm of the gamma function in d dimensions."""
    total = 0.25 * d * (d - 1) * math.log(math.pi)
    for j in range(d):
        total += math.lgamma(a - 0.5 * j)
    return total


@numba.njit
def log_prior(q, lower, gamma, m):
    """Returns the logarithm of Wishart's density of all components, of precision gamma and m more degrees of freedom."""
    k, d = q.shape
    freedom = d + m + 1
    constant = freedom * d * (math.log(gamma) - 0.5 * math.log(2.0)) - log_multivariate_gamma(0.5 * freedom, d)
    total = 0.0
    for j in range(k):
        squares = 0.0
        log_determinant = 0.0
        for i in range(d):
            squares += math.exp(q[j, i]) ** 2
            log_determinant += q[j, i]
        for i in range(lower.shape[1]):
            squares += lower[j, i] * lower[j, i]
        total += constant - 0.5 * gamma * gamma * squares + m * log_determinant
    return total


@numba.njit
def factor(q, lower):
    """Returns the triangular matrix Q of a component."""
    d = len(q)
    result = np.zeros((d, d))
    below = 0
    for column in range(d):
        result[column, column] = math.exp(q[column])
        for row in range(column + 1, d):
            result[row, column] = lower[below]
            below += 1
    return result


@numba.njit
def log_posterior(alpha, mu, q, lower, x, gamma, m):
    """Returns the logarithm of the posterior density of the observations x, shape (n, d)."""
    n, d = x.shape
    k = len(alpha)
    columns = np.ascontiguousarray(x.T)
    terms = np.empty((n, k))
    for j in range(k):
        products = factor(q[j], lower[j]) @ (columns - mu[j].reshape(d, 1))
        squares = np.zeros(n)
        for axis in range(d):
            squares += products[axis] * products[axis]
        terms[:, j] = alpha[j] + np.sum(q[j]) - 0.5 * squares
    total = 0.0
    for observation in range(n):
        total += log_sum_exp(terms[observation])
    constant = -0.5 * n * d * math.log(2.0 * math.pi)
    return constant + total - n * log_sum_exp(alpha) + log_prior(q, lower, gamma, m)


def inputs(d: int, k: int, n: int, m: int = 0, gamma: float = 1.0) -> dict[str, Any]:
    """Returns n observations in d dimensions and k components, of the distributions that GradBench draws from."""
    generator = np.random.default_rng(SEED)
    return {
        "d": d,
        "k": k,
        "n": n,
        "x": generator.normal(size=(n, d)).tolist(),
        "m": m,
        "gamma": gamma,
        "alpha": generator.normal(size=k).tolist(),
        "mu": generator.uniform(size=(k, d)).tolist(),
        "q": generator.normal(size=(k, d)).tolist(),
        "l": generator.normal(size=(k, d * (d - 1) // 2)).tolist(),
    }


def arguments(fields: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the arguments of `log_posterior`."""
    return (*(np.array(fields[name]) for name in ("alpha", "mu", "q", "l", "x")), float(fields["gamma"]), fields["m"])


def derivative_output(gradients: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """Returns the gradients by their names."""
    return {name: gradient.tolist() for name, gradient in zip(("alpha", "mu", "q", "l"), gradients, strict=True)}


PROBLEM = Problem(
    name="gmm",
    derivatives=("jacobian",),
    sizes={f"{d}_{k}_1000": {"d": d, "k": k, "n": 1000} for d in (2, 10, 20, 32, 64) for k in (5, 10, 25, 50, 100)},
    standard=("2_5_1000", "10_25_1000", "32_25_1000"),
    inputs=inputs,
    arguments=arguments,
    objective_name="objective",
    objective=log_posterior,
    derivative_output=derivative_output,
)
