"""A GARCH(1,1) model in PyMC: the package arch computes the variances, and nutpie samples with the derived gradient of its function.

pip install "fastgrad[bridges]"
python examples/pymc_garch.py [--output build]

PyMC's alternative for a likelihood without a gradient is the Slice sampler.
"""

import argparse
from pathlib import Path

import numba
import numpy as np
import pymc as pm
import pymc_posteriors
from arch.univariate.recursions_python import garch_recursion

import fastgrad.pytensor

TRUE = {"omega": 0.1, "alpha": 0.15, "beta": 0.75}


@numba.njit
def loglik(returns, omega, alpha, beta):
    """The log likelihood of returns, whose variances follow from the squares of the returns before."""
    squares = returns**2
    bounds = np.empty((returns.size, 2))
    bounds[:, 0], bounds[:, 1] = 1e-12, 1e12
    parameters = np.array([omega, alpha, beta])
    variances = np.empty(returns.size)
    garch_recursion(parameters, squares, np.sign(returns), variances, 1, 0, 1, returns.size, np.var(returns), bounds)
    return -0.5 * (np.log(2.0 * np.pi * variances) + squares / variances).sum()


def simulate(count=2000):
    random = np.random.default_rng(1)
    returns, variance = np.empty(count), 1.0
    for t in range(count):
        returns[t] = random.normal(0.0, np.sqrt(variance))
        variance = TRUE["omega"] + TRUE["alpha"] * returns[t] ** 2 + TRUE["beta"] * variance
    return returns


def make_model(returns):
    with pm.Model() as model:
        omega = pm.HalfNormal("omega", 1.0, initval=0.2)
        alpha = pm.Beta("alpha", 1.0, 3.0, initval=0.1)
        beta = pm.Beta("beta", 3.0, 1.0, initval=0.7)
        options = {
            "logp": fastgrad.pytensor.as_op(loglik, argnums=(1, 2, 3)),
            "signature": f"(),(),()->({returns.size})",
        }
        pm.CustomDist("returns", omega, alpha, beta, **options, observed=returns)
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    returns = simulate()
    pymc_posteriors.time_gradients(loglik, [returns, *TRUE.values()], argnums=(1, 2, 3))
    return pymc_posteriors.compare(make_model(returns), TRUE, options.output / "pymc_garch.png")


if __name__ == "__main__":
    main()
