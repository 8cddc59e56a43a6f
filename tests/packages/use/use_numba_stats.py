"""Densities, distribution functions and quantiles of numba-stats at a few points."""

import importlib
import inspect
import pkgutil

import numba_stats
import numpy as np

X = np.linspace(0.15, 0.9, 5)
COUNTS = np.arange(1.0, 6.0)
OF_COUNTS = ("binom", "poisson", "cpoisson")
NUMBERS = {
    "n": 7.0 + 0 * COUNTS,
    "beta": 1.2,
    "xmin": 0.1,
    "xmax": 0.95,
    "m": 3.1,
    "m_left": 2.4,
    "m_right": 3.1,
    "mu": 2.3,
    "nu": 4.5,
    "q": 1.3,
    "k": 3.2,
}
NUMBERS |= {
    "p": 0.4,
    "chi": 1.1,
    "c": 1.2,
    "df": 3.5,
    "a": 2.2,
    "K": 1.4,
    "nc": 1.7,
    "loc": 0.05,
    "scale": 1.3,
    "size": 5,
    "random_state": 1,
}

for module_info in pkgutil.iter_modules(numba_stats.__path__):
    module = importlib.import_module(f"numba_stats.{module_info.name}")
    for name in ("logpdf", "pdf", "cdf", "ppf", "logpmf", "pmf", "density", "integral", "rvs"):
        if not hasattr(module, name):
            continue
        function = getattr(module, name)
        parameters = list(inspect.signature(function).parameters)
        arguments = [NUMBERS.get(parameter, 0.8) for parameter in parameters]
        if module_info.name == "bernstein":
            arguments[1] = np.array([0.3, 1.2, 0.7])
        if name != "rvs":
            arguments[0] = COUNTS if module_info.name in OF_COUNTS else X
        try:
            function(*arguments)
        except (TypeError, ValueError, ArithmeticError) as error:
            print(f"{module_info.name}.{name}{tuple(parameters)}: {error}")
