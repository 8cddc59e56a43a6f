"""Indicators, rolling statistics, labels and measures of returns of vectorbt, at random prices."""

import inspect

import numpy as np
from numba import njit
from numba.core.errors import NumbaError
from vectorbt.generic import nb as generic
from vectorbt.indicators import nb as indicators
from vectorbt.labels import nb as labels
from vectorbt.returns import nb as returns

random = np.random.default_rng(0)
CLOSE = 50.0 * np.exp(np.cumsum(0.03 * random.normal(size=(24, 2)), axis=0))
RETURNS = CLOSE[1:] / CLOSE[:-1] - 1.0
ARGUMENTS = {
    "close": CLOSE,
    "ts": CLOSE,
    "high": CLOSE + random.uniform(0.2, 1.0, CLOSE.shape),
    "low": CLOSE - random.uniform(0.2, 1.0, CLOSE.shape),
    "volume": random.uniform(100.0, 200.0, CLOSE.shape),
    "value": 51.0,
    "init_value": CLOSE[0] * 0.98,
    "returns": RETURNS,
    "benchmark_rets": 0.7 * RETURNS + 0.01 * random.normal(size=RETURNS.shape),
    "input_value": 51.0,
    "output_value": 53.5,
    "ann_factor": 252.0,
    "risk_free": 0.001,
    "required_return": 0.002,
    "start_value": 1.0,
    "cutoff": 0.2,
    "window": 5,
    "span": 5,
    "minp": 2,
    "ddof": 1,
    "adjust": True,
    "ewm": True,
    "wait": 1,
    "n": 2,
    "windows": [3, 5],
    "ewms": [True, False],
    "alphas": [2.0, 2.0],
    "alpha": 2.0,
    "window_": 5,
    "pos_th": np.full(2, 0.02),
    "neg_th": np.full(2, 0.02),
    "normalize": True,
    "perc": np.array([0.25, 0.5, 0.75]),
    "col": 0,
    "group_lens": np.array([2]),
    "in_c_order": True,
    "peak_val_arr": CLOSE[:5, 0],
    "valley_val_arr": 0.9 * CLOSE[:5, 0],
    "end_val_arr": 0.95 * CLOSE[:5, 0],
    "mask": CLOSE > 50.0,
    "volatility": 0.2,
}
NEEDS_TWO_DIMENSIONS = ("ma_nb", "mstd_nb")


@njit
def spread(i, column, a):
    """A function of a window."""
    return np.nanmax(a) - 0.5 * np.nanmin(a)


@njit
def grow(i, column, x):
    """A function of an element."""
    return x * np.log(x)


for module in (indicators, generic, labels, returns):
    for name, function in sorted(vars(module).items()):
        if not name.endswith("_nb") or getattr(function, "__module__", "") != module.__name__:
            continue
        parameters = inspect.signature(getattr(function, "py_func", function)).parameters
        prices = CLOSE if name not in ("fillna_nb", "bfill_nb", "ffill_nb") else np.where(CLOSE > 51.0, CLOSE, np.nan)
        values = {**ARGUMENTS, "a": prices, "arr": prices}
        if "_1d_nb" in name or "_reduce_nb" in name or "_squeeze_nb" in name:
            values = {key: value[:, 0] if np.ndim(value) == 2 else value for key, value in values.items()}
            values["init_value"] = 49.0
        if "init_value" in parameters:
            values["value"] = values["close"]
        if not all(parameter in values for parameter in parameters):
            continue
        try:
            function(*(values[parameter] for parameter in parameters))
        except (NumbaError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
            print(f"{name}{tuple(parameters)}: {str(error).splitlines()[0]}")
generic.rolling_apply_nb(CLOSE, 5, 2, spread)
generic.expanding_apply_nb(CLOSE, 2, spread)
generic.applymap_nb(CLOSE, grow)
averages = indicators.ma_cache_nb(CLOSE, [3, 5], [False, False], False)
indicators.ma_apply_nb(CLOSE, 5, False, False, averages)
indicators.mstd_apply_nb(CLOSE, 5, False, False, 0, indicators.mstd_cache_nb(CLOSE, [5], [False], False, 0))
indicators.bb_apply_nb(CLOSE, 5, False, 2.0, False, 0, *indicators.bb_cache_nb(CLOSE, [5], [False], [2.0], False, 0))
indicators.rsi_apply_nb(CLOSE, 5, False, False, indicators.rsi_cache_nb(CLOSE, [5], [False], False))
bars = ARGUMENTS["high"], ARGUMENTS["low"], CLOSE
indicators.stoch_apply_nb(*bars, 5, 3, False, False, indicators.stoch_cache_nb(*bars, [5], [3], [False], False))
macd = indicators.macd_cache_nb(CLOSE, [3], [6], [4], [False], [False], False)
indicators.macd_apply_nb(CLOSE, 3, 6, 4, False, False, False, macd)
indicators.atr_apply_nb(*bars, 5, True, False, *indicators.atr_cache_nb(*bars, [5], [True], False))
