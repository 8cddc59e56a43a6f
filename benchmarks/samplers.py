"""Posteriors of log densities that are loops: `fg.log_density` with nutpie, beside PyMC and NumPyro: `python -m benchmarks.samplers --python PYTHON`.

PYTHON has fastgrad, nutpie, PyMC, JAX and NumPyro. Each model and sampler has a process of its own, one thread, two chains one after the other, each of 1,000
draws after 1,000 of tuning. Printed are the seconds from the start of the process to the end of the first run, those of a second run, and the least effective sample
size of all parameters in a second of the latter. The means of the samplers are compared in units of their standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np

DRAWS, TUNE, CHAINS = 1000, 1000, 2
STARTED = time.time()


# ---- models: log likelihoods in Numba -------------------------------------------------------------------------------


@numba.njit
def garch(omega: float, alpha: float, beta: float, returns: np.ndarray) -> float:
    """The log likelihood of returns whose variance follows from the last return."""
    variance, total = np.var(returns), 0.0
    for value in returns:
        total -= 0.5 * (np.log(variance) + value * value / variance)
        variance = omega + alpha * value * value + beta * variance
    return total


@numba.njit
def epidemic(infection: float, recovery: float, counts: np.ndarray) -> float:
    """The log likelihood of counts of infected people: SIR equations by the method of Runge and Kutta, ten steps a day."""
    s, i, h, total = 998.0, 2.0, 0.1, 0.0
    for count in counts:
        for _ in range(10):
            a = infection * s * i / 1000.0
            s1, i1 = -a, a - recovery * i
            s2, i2 = s + 0.5 * h * s1, i + 0.5 * h * i1
            a = infection * s2 * i2 / 1000.0
            s2, i2 = -a, a - recovery * i2
            s3, i3 = s + 0.5 * h * s2, i + 0.5 * h * i2
            a = infection * s3 * i3 / 1000.0
            s3, i3 = -a, a - recovery * i3
            s4, i4 = s + h * s3, i + h * i3
            a = infection * s4 * i4 / 1000.0
            s4, i4 = -a, a - recovery * i4
            s += h / 6.0 * (s1 + 2.0 * s2 + 2.0 * s3 + s4)
            i += h / 6.0 * (i1 + 2.0 * i2 + 2.0 * i3 + i4)
        total += count * np.log(i) - i
    return total


@numba.njit
def hidden_markov(stay: np.ndarray, mean: np.ndarray, observed: np.ndarray) -> float:
    """The log likelihood of observations with two hidden states."""
    first, second, total = 0.5, 0.5, 0.0
    for y in observed:
        p = (first * stay[0] + second * (1.0 - stay[1])) * np.exp(-0.5 * (y - mean[0]) ** 2)
        q = (first * (1.0 - stay[0]) + second * stay[1]) * np.exp(-0.5 * (y - mean[1]) ** 2)
        first, second = p / (p + q), q / (p + q)
        total += np.log(p + q)
    return total


@numba.njit
def hawkes(rate: float, children: float, decay: float, times: np.ndarray) -> float:
    """Events that raise the rate of later ones; ``children`` is how many an event has in the mean."""
    end, last, excitation = times[-1], 0.0, 0.0
    total = -rate * end
    for time_of_event in times:
        excitation *= np.exp(-decay * (time_of_event - last))
        total += np.log(rate + children * decay * excitation) - children * (
            1.0 - np.exp(-decay * (end - time_of_event))
        )
        excitation += 1.0
        last = time_of_event
    return total


@numba.njit
def garch_posterior(omega, alpha, beta, returns):  # type: ignore[no-untyped-def]
    """`garch` with its prior."""
    prior = -0.5 * omega**2 + 2.0 * np.log1p(-alpha) + 2.0 * np.log(beta)
    return garch(omega, alpha, beta, returns) + prior


@numba.njit
def epidemic_posterior(infection, recovery, counts):  # type: ignore[no-untyped-def]
    """`epidemic` with its prior."""
    x, y = np.log(infection), np.log(recovery)
    return epidemic(infection, recovery, counts) - x - 0.5 * x * x - y - 0.5 * y * y


@numba.njit
def hidden_markov_posterior(stay, mean, observed):  # type: ignore[no-untyped-def]
    """`hidden_markov` with its prior."""
    return hidden_markov(stay, mean, observed) + np.sum(4.0 * np.log(stay) - mean**2 / 8.0)


@numba.njit
def hawkes_posterior(rate, children, decay, times):  # type: ignore[no-untyped-def]
    """`hawkes` with its prior."""
    return hawkes(rate, children, decay, times) - 0.5 * rate**2 - 0.5 * (decay / 5.0) ** 2


def returns_of_garch() -> np.ndarray:
    """2,000 returns."""
    random, returns, variance = np.random.default_rng(1), np.empty(2000), 1.0
    for t in range(len(returns)):
        returns[t] = random.normal(0.0, math.sqrt(variance))
        variance = 0.1 + 0.15 * returns[t] ** 2 + 0.75 * variance
    return returns


def counts_of_epidemic() -> np.ndarray:
    """The infected people of 40 days."""
    s, i, counts = 998.0, 2.0, np.empty(40)
    for day in range(40):
        for _ in range(1000):
            new = 0.8 * s * i / 1000.0
            s, i = s - new / 1000.0, i + (new - 0.3 * i) / 1000.0
        counts[day] = i
    return np.random.default_rng(1).poisson(counts).astype(float)


def values_of_two_states() -> np.ndarray:
    """500 observations."""
    random, state, states = np.random.default_rng(1), 0, []
    for _ in range(500):
        state = state if random.random() < (0.95, 0.9)[state] else 1 - state
        states.append(state)
    return random.normal(np.array([-1.0, 1.0])[states])


def times_of_events() -> np.ndarray:
    """Events of a Hawkes process by thinning: 0.5 without cause in a unit of time, each has 0.6 children, within about 0.5."""
    random, events, now, excitation = np.random.default_rng(1), [], 0.0, 0.0
    while len(events) < 1000:
        bound = 0.5 + 1.2 * excitation
        wait = random.exponential(1.0 / bound)
        now, excitation = now + wait, excitation * math.exp(-2.0 * wait)
        if random.random() * bound < 0.5 + 1.2 * excitation:
            events.append(now)
            excitation += 1.0
    return np.array(events)


class Model(NamedTuple):
    """A log density, its parameters' shapes and bounds, and its data."""

    likelihood: Any
    posterior: Any
    shapes: dict[str, Any]
    bounds: dict[str, tuple[float | None, float | None]]
    data: Callable[[], np.ndarray]


_POSITIVE, _PART = (0.0, None), (0.0, 1.0)
MODELS = {
    "GARCH": Model(
        garch,
        garch_posterior,
        {"omega": (), "alpha": (), "beta": ()},
        {"omega": _POSITIVE, "alpha": _PART, "beta": _PART},
        returns_of_garch,
    ),
    "epidemic": Model(
        epidemic,
        epidemic_posterior,
        {"infection": (), "recovery": ()},
        {"infection": _POSITIVE, "recovery": _POSITIVE},
        counts_of_epidemic,
    ),
    "hidden Markov": Model(
        hidden_markov, hidden_markov_posterior, {"stay": 2, "mean": 2}, {"stay": _PART}, values_of_two_states
    ),
    "Hawkes": Model(
        hawkes,
        hawkes_posterior,
        {"rate": (), "children": (), "decay": ()},
        {"rate": _POSITIVE, "children": _PART, "decay": _POSITIVE},
        times_of_events,
    ),
}
STARTS: dict[str, dict[str, Any]] = {
    "GARCH": {"omega": 0.2, "alpha": 0.1, "beta": 0.7},
    "epidemic": {"infection": 0.5, "recovery": 0.5},
    "hidden Markov": {"stay": [0.8, 0.8], "mean": [-0.5, 0.5]},
    "Hawkes": {"rate": 1.0, "children": 0.5, "decay": 1.0},
}
"""Where PyMC and NumPyro start; nutpie starts at random."""


# ---- samplers: functions of a model's name that return one of a seed, which returns draws of shape (chains, draws, ...) by name ----


def with_log_density(name: str) -> Callable[[int], dict[str, np.ndarray]]:
    """`fg.log_density` and nutpie."""
    import nutpie

    import fastgrad as fg

    model = MODELS[name]
    compiled = fg.log_density(model.posterior, model.shapes, (model.data(),), model.bounds).nutpie_model()

    def sample(seed: int) -> dict[str, np.ndarray]:
        options = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS, "cores": 1, "progress_bar": False}
        trace = nutpie.sample(compiled, seed=seed, **options)
        return {key: trace.posterior[key].values for key in model.shapes}

    return sample


def with_pymc(name: str) -> Callable[[int], dict[str, np.ndarray]]:
    """PyMC's own NUTS in its default mode; the likelihood is an operation of `fastgrad.pytensor`."""
    import pymc as pm

    import fastgrad.pytensor

    likelihood, start = fastgrad.pytensor.as_op(MODELS[name].likelihood), STARTS[name]
    with pm.Model() as model:
        if name == "GARCH":
            variables = [
                pm.HalfNormal("omega", 1.0, initval=start["omega"]),
                pm.Beta("alpha", 1.0, 3.0, initval=start["alpha"]),
                pm.Beta("beta", 3.0, 1.0, initval=start["beta"]),
            ]
        elif name == "epidemic":
            variables = [pm.LogNormal(key, 0.0, 1.0, initval=value) for key, value in start.items()]
        elif name == "hidden Markov":
            variables = [
                pm.Beta("stay", 5.0, 1.0, shape=2, initval=start["stay"]),
                pm.Normal("mean", 0.0, 2.0, shape=2, initval=start["mean"]),
            ]
        else:
            variables = [
                pm.HalfNormal("rate", 1.0, initval=start["rate"]),
                pm.Uniform("children", 0.0, 1.0, initval=start["children"]),
                pm.HalfNormal("decay", 5.0, initval=start["decay"]),
            ]
        pm.Potential("likelihood", likelihood(*variables, MODELS[name].data()))

    def sample(seed: int) -> dict[str, np.ndarray]:
        options = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS, "cores": 1, "progressbar": False}
        with model:
            trace = pm.sample(random_seed=seed, compute_convergence_checks=False, **options)
        return {key: trace.posterior[key].values for key in MODELS[name].shapes}

    return sample


def with_numpyro(name: str) -> Callable[[int], dict[str, np.ndarray]]:
    """NumPyro, whose loops are scans of JAX."""
    import jax
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist
    from numpyro.infer import MCMC, NUTS, init_to_value

    numpyro.enable_x64()

    def garch(returns: Any) -> None:
        omega = numpyro.sample("omega", dist.HalfNormal(1.0))
        alpha = numpyro.sample("alpha", dist.Beta(1.0, 3.0))
        beta = numpyro.sample("beta", dist.Beta(3.0, 1.0))

        def step(variance: Any, value: Any) -> tuple[Any, Any]:
            return omega + alpha * value**2 + beta * variance, jnp.log(variance) + value**2 / variance

        numpyro.factor("likelihood", -0.5 * jax.lax.scan(step, jnp.var(returns), returns)[1].sum())

    def epidemic(counts: Any) -> None:
        infection = numpyro.sample("infection", dist.LogNormal(0.0, 1.0))
        recovery = numpyro.sample("recovery", dist.LogNormal(0.0, 1.0))

        def rates(state: Any) -> Any:
            s, i = state
            new = infection * s * i / 1000.0
            return -new, new - recovery * i

        def moved(state: Any, slope: Any, h: float) -> Any:
            return state[0] + h * slope[0], state[1] + h * slope[1]

        def step(state: Any, _: Any) -> tuple[Any, None]:
            k1 = rates(state)
            k2 = rates(moved(state, k1, 0.05))
            k3 = rates(moved(state, k2, 0.05))
            k4 = rates(moved(state, k3, 0.1))
            slope = [a + 2.0 * b + 2.0 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
            return moved(state, slope, 0.1 / 6.0), None

        def day(state: Any, _: Any) -> tuple[Any, Any]:
            state, _ = jax.lax.scan(step, state, None, 10)
            return state, state[1]

        infected = jax.lax.scan(day, (998.0, 2.0), None, 40)[1]
        numpyro.factor("likelihood", (counts * jnp.log(infected) - infected).sum())

    def hidden_markov(observed: Any) -> None:
        stay = numpyro.sample("stay", dist.Beta(5.0, 1.0).expand([2]).to_event(1))
        mean = numpyro.sample("mean", dist.Normal(0.0, 2.0).expand([2]).to_event(1))

        def step(state: Any, y: Any) -> tuple[Any, Any]:
            first, second = state
            p = (first * stay[0] + second * (1.0 - stay[1])) * jnp.exp(-0.5 * (y - mean[0]) ** 2)
            q = (first * (1.0 - stay[0]) + second * stay[1]) * jnp.exp(-0.5 * (y - mean[1]) ** 2)
            return (p / (p + q), q / (p + q)), jnp.log(p + q)

        numpyro.factor("likelihood", jax.lax.scan(step, (0.5, 0.5), observed)[1].sum())

    def hawkes(times: Any) -> None:
        rate = numpyro.sample("rate", dist.HalfNormal(1.0))
        children = numpyro.sample("children", dist.Uniform(0.0, 1.0))
        decay = numpyro.sample("decay", dist.HalfNormal(5.0))
        end = times[-1]

        def step(state: Any, event: Any) -> tuple[Any, Any]:
            last, excitation = state
            excitation = excitation * jnp.exp(-decay * (event - last))
            gain = jnp.log(rate + children * decay * excitation) - children * (1.0 - jnp.exp(-decay * (end - event)))
            return (event, excitation + 1.0), gain

        numpyro.factor("likelihood", jax.lax.scan(step, (0.0, 0.0), times)[1].sum() - rate * end)

    functions = {"GARCH": garch, "epidemic": epidemic, "hidden Markov": hidden_markov, "Hawkes": hawkes}
    start = {key: jnp.array(value) for key, value in STARTS[name].items()}
    kernel = NUTS(functions[name], init_strategy=init_to_value(values=start))
    options = {"num_warmup": TUNE, "num_samples": DRAWS, "num_chains": CHAINS, "progress_bar": False}
    sampler = MCMC(kernel, chain_method="sequential", **options)
    data = jnp.array(MODELS[name].data())

    def sample(seed: int) -> dict[str, np.ndarray]:
        sampler.run(jax.random.key(seed), data)
        return {key: np.asarray(value) for key, value in sampler.get_samples(group_by_chain=True).items()}

    return sample


SAMPLERS = {"log_density, nutpie": with_log_density, "PyMC": with_pymc, "NumPyro": with_numpyro}


# ---- measurements ---------------------------------------------------------------------------------------------------


def effective_samples(values: np.ndarray) -> float:
    """The effective sample size of draws of shape (chains, draws)."""
    import arviz

    return float(np.asarray(arviz.ess(values)))


def _with_other_states(values: np.ndarray, chain: int) -> np.ndarray:
    """Returns draws with the two states of a chain in the other order."""
    result = values.copy()
    result[chain] = values[chain, :, ::-1]
    return result


def measure(name: str, sampler: str) -> dict[str, Any]:
    """Samples twice; returns seconds, the least effective samples, and the means of all numbers with their standard errors."""
    sample = SAMPLERS[sampler](name)
    sample(1)
    first_run = time.time() - STARTED
    began = time.perf_counter()
    draws = sample(2)
    seconds = time.perf_counter() - began
    if name == "hidden Markov":  # the state with the smaller mean is the first one
        for chain in range(CHAINS):
            if np.diff(draws["mean"][chain].mean(0)) < 0.0:
                draws = {key: _with_other_states(values, chain) for key, values in draws.items()}
    numbers = [draws[key].reshape(CHAINS, DRAWS, -1) for key in MODELS[name].shapes]
    columns = [array[..., i] for array in numbers for i in range(array.shape[-1])]
    sizes = [effective_samples(column) for column in columns]
    errors = [float(column.std() / math.sqrt(size)) for column, size in zip(columns, sizes, strict=True)]
    means = [float(column.mean()) for column in columns]
    return {"first run": first_run, "seconds": seconds, "effective": min(sizes), "means": means, "errors": errors}


def largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two samplers' means, in standard errors."""
    rows = zip(one["means"], other["means"], one["errors"], other["errors"], strict=True)
    return max(abs(a - b) / math.hypot(first, second) for a, b, first, second in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.samplers", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the Python that has the samplers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=[*MODELS])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    threads = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"], "1")
    variables = {**os.environ, **threads, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    print(
        "| model | sampler | first run, s | second run, s | effective samples in a second | difference, standard errors |"
    )
    print("| --- | --- | --: | --: | --: | --: |")
    for name in options.models:
        runs: dict[str, list[dict[str, Any]]] = {sampler: [] for sampler in SAMPLERS}
        for _ in range(options.rounds):
            for sampler, results in runs.items():
                command = [options.python, "-W", "ignore", "-m", "benchmarks.samplers", "--measure", name, sampler]
                output = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout
                results.append(json.loads(output.splitlines()[-1]))
        reference = runs["PyMC"][0]
        for sampler, results in runs.items():
            first, second = (statistics.median(run[key] for run in results) for key in ("first run", "seconds"))
            speed = statistics.median(run["effective"] / run["seconds"] for run in results)
            difference = largest_difference(results[0], reference)
            print(f"| {name} | {sampler} | {first:.1f} | {second:.2f} | {speed:,.0f} | {difference:.1f} |", flush=True)


if __name__ == "__main__":
    main()
