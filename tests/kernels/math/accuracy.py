"""How far functions of numbers are from the exact results, in units of the last place: the bounds, and what is measured.

    python -m tests.kernels.math.accuracy            # writes the table of docs/accuracy.md
    python -m tests.kernels.math.accuracy --more     # with fifty times as many numbers

Float32 results are compared with float64 ones, float64 results with those of the 80-bit type of x86; the error function is
summed up here.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import special

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise import activation
from fastgrad._src.kernels.math import circular, error_function, hyperbolic, power, vector_math

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
FLOATS = ("float32", "float64")
WIDE = {np.dtype(np.float32): np.dtype(np.float64), np.dtype(np.float64): np.dtype(np.longdouble)}

function = vector_math.exp  # what the bodies below call; each kernel is made with its own


def _over_arrays(x, out, n):
    for i in range(n):
        out[i] = function(x[i])


def _over_pairs(x, y, out, n):
    for i in range(n):
        out[i] = function(x[i], y[i])


def elementwise(function, body=_over_arrays):
    """A kernel that applies a scalar function to the elements of arrays."""
    name = getattr(function, "__name__", "function")
    body = type(body)(body.__code__, {**globals(), "function": function}, name)
    inputs = "x: in[T], y: in[T]" if "y" in body.__code__.co_varnames else "x: in[T]"
    return kernel(f"{inputs}, out: out[T], n: int", noalias=True, T=FLOATS)(body)


# ---- exact results -----------------------------------------------------------------------------------------


def _sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _bell(x, half):
    """exp(-x^2), or exp(-x^2 / 2), of wide numbers: the square in two parts, as the exponential magnifies its rounding."""
    x = np.abs(x)
    whole = np.minimum(x, 200)
    high = np.round(whole * 2**20) / 2**20
    low = whole - high
    scale = 0.5 if half else 1
    return np.where(x <= 200, np.exp(-scale * high * high) * np.exp(-scale * (2 * high + low) * low), 0)


def _erf_near(x):
    """The series of terms that are all positive (Abramowitz and Stegun 7.1.6)."""
    total = term = x
    for n in range(1, 160):
        term = term * 2 * x * x / (2 * n + 1)
        total = total + term
    return total * 2 / np.sqrt(np.arccos(x.dtype.type(-1))) * _bell(x, False)


def _erfc_over_bell(a):
    """e^(a^2) erfc(a) for a >= 2, by its continued fraction (Abramowitz and Stegun 7.1.14)."""
    tail = a
    for n in range(160, 0, -1):
        tail = a + n / a.dtype.type(2) / tail
    return 1 / tail / np.sqrt(np.arccos(a.dtype.type(-1)))


def _erf(x):
    if x.dtype == np.float64:
        return special.erf(x)
    a = np.minimum(np.abs(x), 12)
    far = np.maximum(a, 2)
    return np.copysign(np.where(a < 2, _erf_near(np.minimum(a, 2)), 1 - _erfc_over_bell(far) * _bell(far, False)), x)


def _erfc(x):
    if x.dtype == np.float64:
        return special.erfc(x)
    a = np.abs(x)
    far = np.maximum(np.minimum(a, 200), 2)
    tail = _erfc_over_bell(far) * _bell(np.maximum(a, 2), False)
    return np.where(a < 2, 1 - _erf_near(np.where(a < 2, x, 0)), np.where(x < 0, 2 - tail, tail)) + 0 * np.where(
        np.isnan(x), x, 0
    )


def _normal_cdf(x):
    a = np.abs(x)
    root = np.sqrt(x.dtype.type(2))
    far = np.maximum(np.minimum(a, 200), 3) / root
    tail = _erfc_over_bell(far) * _bell(np.maximum(a, 3), True) / 2
    near = _erfc(-np.where(a < 3, x, 0) / root) / 2
    return np.where(a < 3, near, np.where(x < 0, tail, 1 - tail)) + 0 * np.where(np.isnan(x), x, 0)


def _gelu(x):
    return np.where(x == -np.inf, -0.0, x * _normal_cdf(x))


def _gelu_tanh(x):
    """x / (1 + e^-2u); the factors to as many digits as the 80-bit type has."""
    wide = x.dtype.type
    factor = np.sqrt(8 / np.arccos(wide(-1)))
    u = factor * (x + wide(44715) / wide(1000000) * x * x * x)
    return np.where(x == -np.inf, -0.0, x * _sigmoid(u))


# For each function its exact form and its bound in ulp.
FUNCTIONS = {
    vector_math: {
        "exp": (np.exp, 1.0),
        "expm1": (np.expm1, 2.0),
        "log": (np.log, 1.0),
        "log1p": (np.log1p, 2.0),
        "tanh": (np.tanh, 2.0),
        "sigmoid": (_sigmoid, 2.0),
        "softplus": (_softplus, 2.0),
        "log_sigmoid": (lambda x: 0 - _softplus(-x), 2.0),
    },
    power: {
        "exp2": (np.exp2, 1.0),
        "log2": (np.log2, 2.0),
        "log10": (np.log10, 1.0),
        "reciprocal_root": (lambda x: 1 / np.sqrt(x), 1.5),
    },
    error_function: {
        "erf": (_erf, 1.5),
        "erfc": (_erfc, 2.0),
    },
    activation: {
        "gelu_of": (_gelu, 2.0),
        "gelu_tanh_of": (_gelu_tanh, 2.0),
    },
    circular: {
        "sin": (np.sin, 2.0),
        "cos": (np.cos, 2.0),
        "tan": (np.tan, 2.0),
        "asin": (np.arcsin, 2.0),
        "acos": (np.arccos, 1.5),
        "atan": (np.arctan, 2.0),
    },
    hyperbolic: {
        "sinh": (np.sinh, 2.0),
        "cosh": (np.cosh, 1.5),
        "asinh": (np.arcsinh, 2.0),
        "acosh": (np.arccosh, 2.0),
        "atanh": (np.arctanh, 2.0),
    },
}
ROWS = {name: (getattr(module, name), *row) for module, rows in FUNCTIONS.items() for name, row in rows.items()}
PAIRS = {
    "power": (power.power, np.power, 2.0),
    "atan2": (circular.atan2, np.arctan2, 2.5),
    "hypotenuse": (power.hypotenuse, np.hypot, 1.5),
}
KERNELS = {name: elementwise(row[0]) for name, row in ROWS.items()}
PAIR_KERNELS = {name: elementwise(row[0], _over_pairs) for name, row in PAIRS.items()}


def apply(name, x):
    """What the kernel gives."""
    out = np.empty_like(x)
    KERNELS[name][x.dtype](x, out, x.size)
    return out


def apply_pairs(name, x, y):
    """What the kernel of a function of two numbers gives."""
    out = np.empty_like(x)
    PAIR_KERNELS[name][x.dtype](x, y, out, x.size)
    return out


def errors(got, exact):
    """Distances in units of the last place of the exact results, which are given in a wider dtype."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        distance = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    return np.where(np.isfinite(rounded) & np.isfinite(got), distance, 0)


def exact_of(name, x):
    """The exact results, in a wider dtype."""
    with np.errstate(all="ignore"):
        return ROWS[name][1](x.astype(WIDE[x.dtype]))


def numbers(dtype, more=1):
    """Numbers over the whole range: evenly by their bits, where functions bend, and near the multiples of pi / 2."""
    r = np.random.default_rng(0)
    if dtype == np.float32:
        every = np.arange(0, 2**32, 16411 // more, dtype=np.uint64).astype(np.uint32).view(np.float32)
        count, far = 60000 * more, 1e5
    else:
        every = r.integers(0, 2**64, 30000 * more, dtype=np.uint64).view(np.float64)
        count, far = 30000 * more, 1e8
    x = np.concatenate(
        [
            every[~np.isnan(every)],
            *(r.uniform(-end, end, count) for end in (1.01, 10, 110, 750, far)),
            np.arange(1, 10000) * (np.pi / 2),
            r.normal(size=count // 3) * 1e-8,
            1 + r.normal(size=count // 3) * 1e-3,
        ]
    )
    return x.astype(dtype)


def pairs(dtype, more=1):
    """Pairs of numbers whose power and angle are within range, and pairs of any."""
    r = np.random.default_rng(0)
    count = 50000 * more
    any_bits = [
        r.integers(0, 2 ** (8 * dtype.itemsize), count, dtype=f"u{dtype.itemsize}").view(dtype) for _ in range(2)
    ]
    x = np.concatenate([r.uniform(0, 4, count), np.exp(r.uniform(-80, 80, count)), np.abs(any_bits[0])])
    y = np.concatenate([r.normal(size=count) * 20, r.normal(size=count), any_bits[1]])
    return x.astype(dtype), y.astype(dtype)


def measured(name, dtype, more=1):
    """The greatest error found of a function, in ulp, and the numbers where it is."""
    with np.errstate(all="ignore"):
        if name in PAIRS:
            x, y = pairs(dtype, more)
            found = errors(apply_pairs(name, x, y), PAIRS[name][1](x.astype(WIDE[dtype]), y.astype(WIDE[dtype])))
            return found.max(), (x[found.argmax()], y[found.argmax()])
        x = numbers(dtype, more)
        found = errors(apply(name, x), exact_of(name, x))
        return found.max(), (x[found.argmax()],)


NAMES = {
    "gelu_of": "gelu",
    "gelu_tanh_of": "gelu_tanh",
    "reciprocal_root": "rsqrt",
    "power": "pow",
    "hypotenuse": "hypot",
}

HEAD = """# Accuracy of the scalar functions

The table has the greatest error found, in units of the last place (ulp) of the exact result, over the whole range of
each type, subnormal numbers included. At zeros, infinities and NaN results are exact. `tests/kernels/math` asserts
the bounds, and that eager and compiled calls of any size give these results. `sqrt` is the processor's, with an error of at most half a unit.

Written by `python -m tests.kernels.math.accuracy`, on x86: the float64 results are compared with its 80-bit type.

| function | bound | float32 | at | float64 | at |
| --- | --- | --- | --- | --- | --- |
"""


def table(more=1):
    """The page."""
    lines = []
    for name, row in sorted({**ROWS, **PAIRS}.items(), key=lambda item: NAMES.get(item[0], item[0])):
        cells = [f"`{NAMES.get(name, name)}`", f"{row[2]:g}"]
        for dtype in WIDE:
            error, at = measured(name, dtype, more)
            cells += [f"{error:.2f}", ", ".join(f"{number:.6g}" for number in at)]
        lines.append("| " + " | ".join(cells) + " |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    _, heading, rest = PAGE.read_text(encoding="utf-8").partition(
        "\n## "
    )  # which tests.reliability.accuracy.table writes
    PAGE.write_text(table(50 if "--more" in sys.argv else 4) + heading + rest, encoding="utf-8")
