"""A hidden Markov model in PyMC: the forward algorithm is a loop of Numba, and nutpie samples with its derived gradient.

python examples/pymc_hidden_markov.py [--output build]

PyMC's alternative for a likelihood without a gradient is the Slice sampler.
"""

import argparse
from pathlib import Path

import numba
import numpy as np
import pymc as pm
import pymc_posteriors

import fastgrad.pytensor

TRUE = {"stay": np.array([0.95, 0.9]), "mean": np.array([-1.0, 1.0])}


@numba.njit
def loglik(stay, mean, observed):
    """The log likelihood of observations with two hidden states, whose probabilities go forward in time."""
    first, second = 0.5, 0.5
    total = 0.0
    for y in observed:
        p = (first * stay[0] + second * (1.0 - stay[1])) * np.exp(-0.5 * (y - mean[0]) ** 2)
        q = (first * (1.0 - stay[0]) + second * stay[1]) * np.exp(-0.5 * (y - mean[1]) ** 2)
        first, second = p / (p + q), q / (p + q)
        total += np.log(p + q)
    return total


def simulate(count=500):
    random = np.random.default_rng(1)
    state, states = 0, []
    for _ in range(count):
        state = state if random.random() < TRUE["stay"][state] else 1 - state
        states.append(state)
    return random.normal(TRUE["mean"][states])


def make_model(observed):
    with pm.Model() as model:
        stay = pm.Beta("stay", 5.0, 1.0, shape=2)
        mean = pm.Normal("mean", 0.0, 2.0, shape=2, initval=[-0.5, 0.5])
        pm.Potential("loglik", fastgrad.pytensor.as_op(loglik)(stay, mean, observed))
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    observed = simulate()
    start = [TRUE["stay"], TRUE["mean"], observed]
    pymc_posteriors.time_gradients(loglik, start, argnums=(0, 1))
    return pymc_posteriors.compare(make_model(observed), TRUE, options.output / "pymc_hidden_markov.png")


if __name__ == "__main__":
    main()
