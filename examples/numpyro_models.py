"""The models of the PyMC examples in numpyro, whose loops are JAX's scans: effective samples in a second beside those of the examples.

pip install "fastgrad[bridges]"
python examples/numpyro_models.py
"""

import time

import arviz
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pymc_garch
import pymc_hidden_markov
import pymc_sir
from numpyro.infer import MCMC, NUTS, init_to_value
from pymc_posteriors import DRAWS, effective_samples


def hidden_markov(observed):
    stay = numpyro.sample("stay", dist.Beta(5.0, 1.0).expand([2]).to_event(1))
    mean = numpyro.sample("mean", dist.Normal(0.0, 2.0).expand([2]).to_event(1))

    def step(state, y):
        first, second = state
        p = (first * stay[0] + second * (1.0 - stay[1])) * jnp.exp(-0.5 * (y - mean[0]) ** 2)
        q = (first * (1.0 - stay[0]) + second * stay[1]) * jnp.exp(-0.5 * (y - mean[1]) ** 2)
        return (p / (p + q), q / (p + q)), jnp.log(p + q)

    numpyro.factor("loglik", jax.lax.scan(step, (0.5, 0.5), observed)[1].sum())


def epidemic(observed):
    infection = numpyro.sample("infection", dist.LogNormal(0.0, 1.0))
    recovery = numpyro.sample("recovery", dist.LogNormal(0.0, 1.0))
    h = 1.0 / pymc_sir.STEPS_A_DAY

    def rates(state):
        s, i = state
        new = infection * s * i / pymc_sir.PEOPLE
        return jnp.stack([-new, new - recovery * i])

    def step(state, _):
        k1 = rates(state)
        k2 = rates(state + 0.5 * h * k1)
        k3 = rates(state + 0.5 * h * k2)
        k4 = rates(state + h * k3)
        return state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), None

    def day(state, _):
        state, _ = jax.lax.scan(step, state, None, pymc_sir.STEPS_A_DAY)
        return state, state[1]

    start = jnp.array([pymc_sir.PEOPLE - 2.0, 2.0])
    infected = jax.lax.scan(day, start, None, pymc_sir.DAYS)[1]
    numpyro.sample("observed", dist.Poisson(infected), obs=observed)


def garch(returns):
    omega = numpyro.sample("omega", dist.HalfNormal(1.0))
    alpha = numpyro.sample("alpha", dist.Beta(1.0, 3.0))
    beta = numpyro.sample("beta", dist.Beta(3.0, 1.0))

    def step(variance, square):
        return omega + alpha * square + beta * variance, variance

    squares = returns**2
    mean = squares.mean() - returns.mean() ** 2
    variances = jax.lax.scan(step, omega + (alpha + beta) * mean, squares)[1]
    numpyro.sample("returns", dist.Normal(0.0, jnp.sqrt(variances)), obs=returns)


MODELS = {
    "hidden Markov": (hidden_markov, pymc_hidden_markov.TRUE, {"stay": [0.8, 0.8], "mean": [-0.5, 0.5]}),
    "epidemic": (epidemic, pymc_sir.TRUE, {"infection": 0.5, "recovery": 0.5}),
    "GARCH": (garch, pymc_garch.TRUE, {"omega": 0.2, "alpha": 0.1, "beta": 0.7}),
}


def observations():
    counts = np.random.default_rng(1).poisson(pymc_sir.infected(**pymc_sir.TRUE))
    return pymc_hidden_markov.simulate(), counts, pymc_garch.simulate()


def main():
    """Samples each model; returns the means and the effective samples in a second by model."""
    numpyro.enable_x64()
    found = {}
    for (name, (model, true, start)), observed in zip(MODELS.items(), observations(), strict=True):
        kernel = NUTS(
            model, init_strategy=init_to_value(values={key: jnp.array(value) for key, value in start.items()})
        )
        options = {"num_warmup": DRAWS["tune"], "num_samples": DRAWS["draws"], "num_chains": DRAWS["chains"]}
        sampler = MCMC(kernel, **options, chain_method="sequential", progress_bar=False)
        sampler.run(jax.random.key(0), jnp.array(observed))  # compiles
        began = time.perf_counter()
        sampler.run(jax.random.key(1), jnp.array(observed))
        seconds = time.perf_counter() - began
        trace = arviz.from_numpyro(sampler)
        samples = effective_samples(trace, list(true))
        means = {key: trace.posterior[key].mean(("chain", "draw")).values for key in true}
        print(f"{name}: {seconds:.2f} s, {samples:.0f} effective samples, {samples / seconds:.0f} in a second")
        for key, value in true.items():
            print(f"{key}: mean {np.round(means[key], 3)}, true {value}")
        found[name] = means, samples / seconds
    return found


if __name__ == "__main__":
    main()
