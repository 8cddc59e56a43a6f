"""Indicators of prices by ta-numba: averages, momentum, volatility and volume."""

import inspect
import os

import numpy as np

os.environ["TA_NUMBA_DISABLE_RUST"] = "1"
from numba.extending import is_jitted
from ta_numba import helpers, momentum, others, streaming, trend, volatility, volume

random = np.random.default_rng(0)
CLOSE = 100.0 + random.normal(size=90).cumsum()
SERIES = {
    "close": CLOSE,
    "data": CLOSE,
    "arr": CLOSE,
    "high": CLOSE + random.uniform(0.5, 1.5, size=90),
    "low": CLOSE - random.uniform(0.5, 1.5, size=90),
    "volume": random.uniform(900.0, 1100.0, size=90),
}
NUMBERS = {"n": 7, "window": 7, "alpha": 0.3, "prev_ema": 99.0, "new_value": 101.3, "buffer": CLOSE[:9]}
NUMBERS |= {"prev_avg_gain": 0.4, "prev_avg_loss": 0.3, "current_change": 0.2, "prev_close": 99.0}
for module in (helpers, momentum, others, streaming.base, trend, volatility, volume):
    for name, function in inspect.getmembers(module, is_jitted):
        if function.__module__ != module.__name__:
            continue
        parameters = inspect.signature(function.py_func).parameters.values()
        known = {**SERIES, **NUMBERS}
        missing = [p.name for p in parameters if p.name not in known and p.default is p.empty]
        if missing:
            print(f"{name}: no value for {missing}")
            continue
        function(*(known.get(p.name, p.default) for p in parameters))
