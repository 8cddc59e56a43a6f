"""An epidemic in PyMC: Runge-Kutta's method solves the SIR equations in a loop of Numba, and nutpie samples with its derived gradient.

python examples/pymc_sir.py [--output build]

The solution is an array, so PyMC's own distributions take it. PyMC's alternative for a function without a gradient is the Slice sampler.
"""

import argparse
from pathlib import Path

import numba
import numpy as np
import pymc as pm
import pymc_posteriors

import fastgrad.pytensor

TRUE = {"infection": 0.8, "recovery": 0.3}
PEOPLE, DAYS, STEPS_A_DAY = 1000.0, 40, 10


@numba.njit
def rates(infection, recovery, s, i):
    new = infection * s * i / PEOPLE
    return -new, new - recovery * i


@numba.njit
def infected(infection, recovery):
    """The number of infected people at the end of each day, of whom there are two at first."""
    s, i = PEOPLE - 2.0, 2.0
    h = 1.0 / STEPS_A_DAY
    result = np.empty(DAYS)
    for day in range(DAYS):
        for _ in range(STEPS_A_DAY):
            s1, i1 = rates(infection, recovery, s, i)
            s2, i2 = rates(infection, recovery, s + 0.5 * h * s1, i + 0.5 * h * i1)
            s3, i3 = rates(infection, recovery, s + 0.5 * h * s2, i + 0.5 * h * i2)
            s4, i4 = rates(infection, recovery, s + h * s3, i + h * i3)
            s += h / 6.0 * (s1 + 2.0 * s2 + 2.0 * s3 + s4)
            i += h / 6.0 * (i1 + 2.0 * i2 + 2.0 * i3 + i4)
        result[day] = i
    return result


@numba.njit
def error(infection, recovery, observed):
    return np.sum((infected(infection, recovery) - observed) ** 2)


def make_model(observed):
    with pm.Model() as model:
        infection = pm.LogNormal("infection", 0.0, 1.0, initval=0.5)
        recovery = pm.LogNormal("recovery", 0.0, 1.0, initval=0.5)
        pm.Poisson("observed", fastgrad.pytensor.as_op(infected)(infection, recovery), observed=observed)
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    observed = np.random.default_rng(1).poisson(infected(**TRUE))
    pymc_posteriors.time_gradients(error, [*TRUE.values(), observed], argnums=(0, 1))
    return pymc_posteriors.compare(make_model(observed), TRUE, options.output / "pymc_sir.png")


if __name__ == "__main__":
    main()
