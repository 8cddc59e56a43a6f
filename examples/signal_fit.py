"""Two peaks on a background, fitted with ten parameters by iminuit: with its own differences, and with a derived gradient.

The densities are those of numba-stats, as they are.

pip install "fastgrad[fits]"
python examples/signal_fit.py [--output build]
"""

import argparse
import time
from pathlib import Path

import numba
import numpy as np
from iminuit import Minuit
from numba_stats import crystalball, norm, truncexpon

import fastgrad as fg

NAMES = ("n1", "n2", "nb", "mean1", "width1", "mean2", "beta", "m", "width2", "slope")
TRUTH = (6_000.0, 3_000.0, 30_000.0, 4.0, 0.5, 7.0, 1.6, 20.0, 0.4, 4.0)
START = (5_000.0, 2_000.0, 20_000.0, 4.2, 0.6, 6.8, 1.5, 5.0, 0.5, 3.0)
LIMITS = (*[(0.0, None)] * 3, (3.0, 5.0), (0.1, 2.0), (6.0, 8.0), (0.5, 5.0), (1.1, 40.0), (0.1, 2.0), (0.5, 20.0))
END = 10.0
"""The last value that is measured."""


@numba.njit
def expected(x, p):
    """The events that are expected for each unit of `x`: two peaks and the background."""
    first = crystalball.pdf(x, p[6], p[7], p[3], p[4])
    second = norm.pdf(x, p[5], p[8])
    return p[0] * first + p[1] * second + p[2] * truncexpon.pdf(x, 0.0, END, 0.0, p[9])


@numba.njit
def negative_log_likelihood(p, x):
    """The extended likelihood of all events."""
    return p[0] + p[1] + p[2] - np.log(expected(x, p)).sum()


def make_events():
    random = np.random.default_rng(1)
    counts = [int(count) for count in TRUTH[:3]]
    peaks = [random.normal(TRUTH[3], TRUTH[4], counts[0]), random.normal(TRUTH[5], TRUTH[8], counts[1])]
    uniform = random.uniform(0.0, 1.0, counts[2])
    background = -TRUTH[9] * np.log1p(-uniform * -np.expm1(-END / TRUTH[9]))
    events = np.concatenate([*peaks, background])
    return events[(events > 0.0) & (events < END)]


def fit(name, events, gradient=None):
    minuit = Minuit(lambda p: negative_log_likelihood(np.asarray(p), events), START, name=NAMES, grad=gradient)
    minuit.errordef, minuit.limits = Minuit.LIKELIHOOD, LIMITS
    began = time.perf_counter()
    minuit.migrad()
    seconds = time.perf_counter() - began
    print(
        f"{name}: {minuit.fval:.3f} in {seconds:.2f} s, {minuit.nfcn} calls of the likelihood and {minuit.ngrad} of its gradient"
    )
    return minuit


def draw(events, minuit, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    counts, edges = np.histogram(events, 100, (0.0, END))
    centers = 0.5 * (edges[1:] + edges[:-1])
    axes.errorbar(centers, counts, np.sqrt(counts), fmt=".", color="black", label="events")
    values = np.array(minuit.values)
    axes.plot(centers, expected(centers, values) * (END / 100), label="fit")
    values[:2] = 0.0
    axes.plot(centers, expected(centers, values) * (END / 100), "--", label="background")
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"))
    output = parser.parse_args(arguments).output
    events = make_events()
    gradient = fg.grad(negative_log_likelihood)
    gradient(np.array(START), events), negative_log_likelihood(np.array(START), events)  # compiled here
    by_differences = fit("differences", events)
    by_gradient = fit("fastgrad   ", events, lambda p: gradient(np.asarray(p), events))
    for name, true, value, error in zip(NAMES, TRUTH, by_gradient.values, by_gradient.errors, strict=True):
        print(f"{name:>7} {value:10.3f} ± {error:<8.3f} true {true:g}")
    draw(events, by_gradient, output / "signal_fit.png")
    return by_differences, by_gradient


if __name__ == "__main__":
    main()
