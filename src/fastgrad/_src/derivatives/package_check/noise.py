"""Rounding inside a function, which differences show more than derivatives do: it is measured where derivatives and differences disagree."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastgrad._src.derivatives.check import Comparer, Comparison, Direction

_MOST_NOISE = 1e-5
"""Relative noise of results above which differences say too little."""
_MOST_ERROR = 0.002
"""The error of differences of noisy results, relative to them, above which they prove nothing."""


def allow_for_noise(
    comparer: Comparer, direction: Direction, comparison: Comparison, explain: Callable[[Comparison], str]
) -> tuple[str, Comparison]:
    """Returns the status of a derivative that is not known to be right, and the comparison that says most about it.

    Args:
        comparer: at the arguments of a call.
        direction: what changes.
        comparison: what ``comparer`` says there: "wrong" or "not smooth".
        explain: returns a status for what is "wrong" in spite of noise, or an empty text.

    Returns:
        The status is what ``explain`` returns, or one of
        "right within noise": differences agree whose steps are as large as the measured noise of the results asks for; or differences agree, and both
        modes differ by no more than this noise.
        "not smooth": nothing can be said, or the derivative is infinite and differences are, too.
        "disagrees": none of these.

    Raises:
        FunctionRaises: the function raises near the point.
    """
    without_noise = comparison
    comparison = with_noise(comparer, direction, comparison)
    if comparison.status != "wrong":
        return "right within noise" if comparison.status == "right" else comparison.status, comparison
    if not math.isfinite(comparison.reverse):
        step = 1e-3 * comparer.size(direction)
        change = comparer.results_at(direction, step) - comparer.results_at(direction, -step)
        return "disagrees" if step and np.all(np.isfinite(change / (2.0 * step))) else "not smooth", comparison
    if status := explain(comparison):
        return status, comparison
    is_kink = without_noise.status == "not smooth" and comparer.has_two_derivatives(direction)  # which looks like noise
    return ("not smooth", without_noise) if is_kink else ("disagrees", comparison)


def with_noise(comparer: Comparer, direction: Direction, comparison: Comparison) -> Comparison:
    """Returns a comparison that measures and allows for the noise of results and derivatives; ``comparison`` if that says no more."""
    noise = relative_noise(comparer, direction)
    if noise is not None and noise > 4.0 * comparer.eps:
        with_noise = comparer.compare(direction, noise=4.0 * noise)
        if with_noise.status != "not smooth" and with_noise.error <= _MOST_ERROR * abs(with_noise.difference):
            return with_noise
    rounding = max(noise or 0.0, _rounding_of_derivative(comparer, direction))
    with_rounding = comparer.compare(direction, rounding=rounding)
    return with_rounding if with_rounding.status == "right" else comparison


def relative_noise(comparer: Comparer, direction: Direction) -> float | None:
    """Returns the noise of the sum of the results relative to their size, or None if there is none to be seen.

    The method is ECnoise: differences of high order of results at equal distances leave the noise only (Moré and Wild, Estimating computational noise,
    2011). The distances are above the rounding of float32, as that is what functions of float64 round to.
    """
    step = 1e-6 * max(comparer.size(direction), 0.01)
    results = np.array([comparer.results_at(direction, number * step) for number in range(-4, 5)])
    size = float(np.abs(results[4][np.ptp(results, axis=0) != 0.0]).sum())
    if not size:
        return None
    noise = _noise_of(results.sum(axis=1))
    return noise / size if noise is not None and noise <= _MOST_NOISE * size else None


def _rounding_of_derivative(comparer: Comparer, direction: Direction) -> float:
    """Returns what rounding may add to a derivative of reverse mode, relative to 1 and its size. It is 0 if there is none to be seen.

    Terms that cancel each other in a derivative round by their own size, which no result shows.
    """
    step = 1e-8 * comparer.size(direction)
    values = [comparer.shift(direction, number * step).reverse(direction) for number in range(-4, 5)]
    noise = _noise_of(np.array(values))
    return 4.0 * (noise or 0.0) / (1.0 + abs(values[4]))


def _noise_of(values: np.ndarray) -> float | None:
    """Returns the noise of values of a function at equal distances, or None if there is none to be seen."""
    levels = []
    for order in range(1, 7):
        values = np.diff(values)
        scale = math.factorial(order) ** 2 / math.factorial(2 * order)
        levels.append(math.sqrt(scale * float(np.mean(values**2))))
    last = levels[-3:]
    return max(last) if max(last) <= 4.0 * min(last) else None
