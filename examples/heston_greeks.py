"""Price and Greeks of a call option under Heston's model: the derivative of a Monte Carlo loop, beside the closed form.

python examples/heston_greeks.py [--paths 200000] [--batches 20]
"""

import argparse
import cmath
import math
import time

import numba
import numpy as np
import scipy.integrate

import fastgrad as fg

NAMES = ("spot", "variance", "speed", "mean variance", "volatility of variance", "correlation")
PARAMETERS = np.array([100.0, 0.05, 2.0, 0.05, 0.35, -0.6])
STRIKE, YEARS, STEPS = 105.0, 1.0, 50


@numba.njit
def uniform(counter):
    """A number between 0 and 1 of a counter, by SplitMix64: all prices have the same draws."""
    bits = np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (np.float64((bits ^ (bits >> np.uint64(31))) >> np.uint64(11)) + 0.5) * 2.0**-53


@numba.njit
def smooth_positive(x, width):
    """The larger of x and 0, rounded off within ``width``, so that slopes of paths have a finite variance."""
    return 0.5 * (x + math.sqrt(x * x + width * width))


@numba.njit(parallel=True)
def price(parameters, first, count):
    """The mean payoff of ``count`` paths, the first of which has the number ``first``."""
    spot, start, speed, mean, volatility, correlation = parameters
    step = YEARS / STEPS
    root, other = math.sqrt(step), math.sqrt(1.0 - correlation * correlation)
    total = 0.0
    for path in numba.prange(count):
        log_spot, variance = math.log(spot), start
        for k in range(STEPS):
            place = 2 * ((first + path) * STEPS + k)
            radius, angle = math.sqrt(-2.0 * math.log(uniform(place + 1))), 2.0 * math.pi * uniform(place + 2)
            shock, second = radius * math.cos(angle), radius * math.sin(angle)
            positive = smooth_positive(variance, 1e-3)
            deviation = math.sqrt(positive) * root
            log_spot += -0.5 * positive * step + deviation * shock
            variance += speed * (mean - positive) * step
            variance += volatility * deviation * (correlation * shock + other * second)
        total += smooth_positive(math.exp(log_spot) - STRIKE, 0.1)
    return total / count


price_and_greeks = fg.value_and_grad(price)


def closed_form(parameters):
    """Heston's price: an integral of the characteristic function of the logarithm of the spot."""
    spot, start, speed, mean, volatility, correlation = parameters

    def characteristic(u):
        shifted = speed - correlation * volatility * u * 1j
        d = cmath.sqrt(shifted**2 + volatility**2 * (u * 1j + u**2))
        g = (shifted - d) / (shifted + d)
        decay = cmath.exp(-d * YEARS)
        drift = speed * mean / volatility**2 * ((shifted - d) * YEARS - 2.0 * cmath.log((1.0 - g * decay) / (1.0 - g)))
        return cmath.exp(
            u * 1j * math.log(spot) + drift + start / volatility**2 * (shifted - d) * (1.0 - decay) / (1.0 - g * decay)
        )

    def integrand(u):
        value = cmath.exp(-u * 1j * math.log(STRIKE)) / (u * 1j)
        return (value * (characteristic(u - 1j) - STRIKE * characteristic(u))).real

    return (spot - STRIKE) / 2.0 + scipy.integrate.quad(integrand, 1e-9, 200.0, limit=500)[0] / math.pi


def closed_form_greeks(parameters):
    """The slopes of the closed form, by central differences."""
    slopes = []
    for i, size in enumerate(1e-4 * np.abs(parameters)):
        step = np.zeros(len(parameters))
        step[i] = size
        slopes.append((closed_form(parameters + step) - closed_form(parameters - step)) / (2.0 * size))
    return slopes


def main(arguments=None):
    """Prints a table; returns the estimates, their standard errors, the closed form, and the time of all Greeks in units of the price alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--batches", type=int, default=20, help="from how many the standard errors come (default 20)")
    options = parser.parse_args(arguments)
    count = options.paths // options.batches
    price(PARAMETERS, 0, count)  # compile
    price_and_greeks(PARAMETERS, 0, count)

    began = time.perf_counter()
    alone = [price(PARAMETERS, batch * count, count) for batch in range(options.batches)]
    between = time.perf_counter()
    results = [price_and_greeks(PARAMETERS, batch * count, count) for batch in range(options.batches)]
    seconds = between - began, time.perf_counter() - between
    np.testing.assert_allclose([value for value, _ in results], alone, rtol=1e-12)

    rows = np.array([[value, *slopes] for value, slopes in results])
    estimates, errors = rows.mean(0), rows.std(0, ddof=1) / math.sqrt(options.batches)
    exact = np.array([closed_form(PARAMETERS), *closed_form_greeks(PARAMETERS)])
    for row in zip(("price", *[f"by {name}" for name in NAMES]), estimates, errors, exact, strict=True):
        print("{:26} {:9.4f} +- {:.4f}   closed form {:9.4f}".format(*row))
    ratio = seconds[1] / seconds[0]
    print(f"price {1e3 * seconds[0]:.0f} ms, price and six Greeks {1e3 * seconds[1]:.0f} ms: {ratio:.2f} times as long")
    return estimates, errors, exact, ratio


if __name__ == "__main__":
    main()
