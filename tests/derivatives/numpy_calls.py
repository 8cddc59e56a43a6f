# ruff: noqa: NPY201, PLW0108  # a function without code of its own can't be lowered; Numba has NumPy's first random functions only
"""A call of each NumPy function that Numba compiles: `python -m tests.derivatives.numpy_calls` writes `docs/numpy_functions.md`.

The parameters' names say what the arguments are: see `ARGUMENTS`.
"""

from __future__ import annotations

import ast
import copy
import inspect
import operator
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from fastgrad._src.derivatives.frontend.typed_functions import signatures_of
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.table import copy_of

PAGE = Path(__file__).parents[2] / "docs" / "numpy_functions.md"
NAMESPACES = ("", "linalg.", "random.", "lib.stride_tricks.", "polynomial.polynomial.", "polynomial.polyutils.")
"""The parts of NumPy that have functions for Numba."""

ARGUMENTS: dict[str, Any] = {
    "t": 0.7,
    "x": np.array([0.3, -1.2, 0.7, 1.9, -0.4, 1.1]),
    "y": np.array([1.15, 0.45, -0.6, 0.8, 1.75, -0.2]),
    "p": np.array([0.55, 0.3, 0.1, 0.9, 0.6, 0.25]),
    "q": np.array([1.5, 1.3, 2.1, 1.9, 1.6, 1.2]),
    "rising": np.array([-1.0, -0.2, 0.5, 1.0, 1.5, 3.0]),
    "nans": np.array([0.3, np.nan, 0.7, -0.4]),
    "v": np.array([0.6, -0.9, 1.4]),
    "w": np.array([0.2, 0.7, -0.5]),
    "a": np.array([[1.2, 0.3, -0.5], [0.7, 2.1, 0.4], [-0.2, 0.6, 1.7]]),
    "b": np.array([[0.4, -1.1, 0.8], [1.3, 0.2, -0.7], [0.9, 0.5, 1.6]]),
    "c": np.arange(24.0).reshape(2, 3, 4) % 7 / 3.0 - 0.9,
    "days": np.array(["2020-01-01", "nat"], "datetime64[D]"),
    "z": np.array([0.3 + 0.2j, -1.2 + 0.7j, 0.4 - 0.9j]),
}
"""Arguments by the names of parameters: a number, vectors, matrices, an array of three axes, complex numbers.

``p`` has numbers from 0 to 1, ``q`` numbers above 1, ``rising`` rises, ``nans`` has a NaN.
"""


def _assigned_diagonal(a):
    np.fill_diagonal(a, a[0, 1])
    return a


def _seeded_shuffle(x):
    np.random.seed(3)
    np.random.shuffle(x)
    return x


def _weighted_by_indices(a):
    total = 0.0
    for i, j in np.ndindex(a.shape):
        total += (i + 2 * j) * a[i, j]
    return total


def _weighted_by_places(a):
    total = 0.0
    for (i, j), element in np.ndenumerate(a):
        total += (i + 2 * j) * element
    return total


def _sum_of_squares(a):
    total = 0.0
    for element in np.nditer(a):
        total += element.item() ** 2
    return total


CALLS: dict[str, Callable[..., Any]] = {
    # ---- what makes arrays
    "arange": lambda t: np.arange(t, 3.0),
    "array": lambda t, x: np.array([t, x[1]]),
    "asarray": lambda x: np.asarray(x),
    "asarray_chkfinite": lambda x: np.asarray_chkfinite(x),
    "ascontiguousarray": lambda a: np.ascontiguousarray(a.T),
    "asfortranarray": lambda a: np.asfortranarray(a),
    "bartlett": lambda t: np.bartlett(5) * t,
    "blackman": lambda t: np.blackman(5) * t,
    "hamming": lambda t: np.hamming(5) * t,
    "hanning": lambda t: np.hanning(5) * t,
    "kaiser": lambda t: np.kaiser(5, t),
    "copy": lambda x: np.copy(x),
    "empty": lambda x: np.empty(6).size * x,
    "empty_like": lambda x: np.empty_like(x).size * x,
    "eye": lambda t: np.eye(3) * t,
    "frombuffer": lambda t: np.frombuffer(b"\x00\x00\x00\x00\x00\x00\xf0\x3f") * t,
    "full": lambda t: np.full(3, t),
    "full_like": lambda x, t: np.full_like(x, t),
    "geomspace": lambda p: np.geomspace(p[0], p[3], 4),
    "identity": lambda t: np.identity(3) * t,
    "indices": lambda t: np.indices((2, 3)) * t,
    "linspace": lambda x: np.linspace(x[0], x[3], 4),
    "logspace": lambda x: np.logspace(x[0], x[3], 4),
    "ones": lambda t: np.ones(3) * t,
    "ones_like": lambda x: np.ones_like(x) * x,
    "tri": lambda t: np.tri(3) * t,
    "tril_indices": lambda t: np.tril_indices(3),
    "tril_indices_from": lambda a: np.tril_indices_from(a),
    "triu_indices": lambda t: np.triu_indices(3),
    "triu_indices_from": lambda a: np.triu_indices_from(a),
    "vander": lambda v: np.vander(v),
    "zeros": lambda x: np.zeros(6) + x,
    "zeros_like": lambda x: np.zeros_like(x) + x,
    # ---- what joins, splits and moves
    "append": lambda x, y: np.append(x, y),
    "array_split": lambda x: np.array_split(x, 4)[2],
    "atleast_1d": lambda x: np.atleast_1d(x),
    "atleast_2d": lambda x: np.atleast_2d(x),
    "atleast_3d": lambda x: np.atleast_3d(x),
    "broadcast_arrays": lambda a, v: np.broadcast_arrays(a, v)[1],
    "broadcast_shapes": lambda t: np.broadcast_shapes((2, 1), (1, 3)),
    "broadcast_to": lambda v: np.broadcast_to(v, (2, 3)),
    "column_stack": lambda x, y: np.column_stack((x, y)),
    "concatenate": lambda x, y: np.concatenate((x, y)),
    "delete": lambda x: np.delete(x, 2),
    "diag": lambda a: np.diag(a),
    "diagflat": lambda v: np.diagflat(v),
    "dsplit": lambda c: np.dsplit(c, 2)[1],
    "dstack": lambda x, y: np.dstack((x, y)),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "extract": lambda x: np.extract(x > 0.0, x),
    "fill_diagonal": _assigned_diagonal,
    "flip": lambda a: np.flip(a),
    "fliplr": lambda a: np.fliplr(a),
    "flipud": lambda a: np.flipud(a),
    "hsplit": lambda x: np.hsplit(x, 2)[1],
    "hstack": lambda x, y: np.hstack((x, y)),
    "insert": lambda x, t: np.insert(x, 2, t),
    "moveaxis": lambda c: np.moveaxis(c, 0, 2),
    "ravel": lambda a: np.ravel(a),
    "repeat": lambda x: np.repeat(x, 2),
    "reshape": lambda x: np.reshape(x, (2, 3)),
    "resize": lambda x: np.resize(x, (3, 5)),
    "roll": lambda x: np.roll(x, 2),
    "rot90": lambda a: np.rot90(a),
    "row_stack": lambda x, y: np.vstack((x, y)),
    "select": lambda x: np.select([x > 1.0, x > 0.0], [x * x, 3.0 * x], 0.0),
    "split": lambda x: np.split(x, 2)[1],
    "stack": lambda x, y: np.stack((x, y)),
    "swapaxes": lambda c: np.swapaxes(c, 0, 2),
    "take": lambda x: np.take(x, np.array([2, 0, 2])),
    "take_along_axis": lambda a: np.take_along_axis(a, np.argsort(a[0]).reshape((1, 3)), 0),
    "transpose": lambda c: np.transpose(c),
    "tril": lambda a: np.tril(a),
    "trim_zeros": lambda x: np.trim_zeros(np.append(np.zeros(2), x)),
    "triu": lambda a: np.triu(a),
    "vsplit": lambda a: np.vsplit(a, 3)[1],
    "vstack": lambda x, y: np.vstack((x, y)),
    "where": lambda x, y: np.where(x > 0.0, x, y),
    "lib.stride_tricks.as_strided": lambda x: np.lib.stride_tricks.as_strided(x, (2, 2), (8, 8)),
    "lib.stride_tricks.sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 3),
    # ---- iteration
    "ndenumerate": _weighted_by_places,
    "ndindex": _weighted_by_indices,
    "nditer": _sum_of_squares,
    # ---- order
    "amax": lambda x: np.amax(x),
    "amin": lambda x: np.amin(x),
    "argmax": lambda x: np.argmax(x),
    "argmin": lambda x: np.argmin(x),
    "argpartition": lambda x: np.argpartition(x, 2),
    "argsort": lambda x: np.argsort(x),
    "argwhere": lambda x: np.argwhere(x > 0.0),
    "digitize": lambda x, rising: np.digitize(x, rising),
    "flatnonzero": lambda x: np.flatnonzero(x > 0.0),
    "histogram": lambda x: np.histogram(x, 3),
    "intersect1d": lambda x, y: np.intersect1d(x, np.append(y, x[:2])),
    "isin": lambda x, y: np.isin(x, y),
    "max": lambda x: np.max(x),
    "median": lambda x: np.median(x),
    "min": lambda x: np.min(x),
    "nanargmax": lambda nans: np.nanargmax(nans),
    "nanargmin": lambda nans: np.nanargmin(nans),
    "nanmax": lambda nans: np.nanmax(nans),
    "nanmedian": lambda nans: np.nanmedian(nans),
    "nanmin": lambda nans: np.nanmin(nans),
    "nanpercentile": lambda nans: np.nanpercentile(nans, 30.0),
    "nanquantile": lambda nans: np.nanquantile(nans, 0.3),
    "nonzero": lambda x: np.nonzero(x > 0.0),
    "partition": lambda x: np.partition(x, 2),
    "percentile": lambda x: np.percentile(x, 30.0),
    "ptp": lambda x: np.ptp(x),
    "quantile": lambda x: np.quantile(x, 0.3),
    "searchsorted": lambda rising, y: np.searchsorted(rising, y),
    "setdiff1d": lambda x, y: np.setdiff1d(x, np.append(y, x[:2])),
    "setxor1d": lambda x, y: np.setxor1d(x, np.append(y, x[:2])),
    "sort": lambda x: np.sort(x),
    "union1d": lambda x, y: np.union1d(x, y),
    "unique": lambda x: np.unique(x),
    # ---- sums and statistics
    "all": lambda x: np.all(x > 0.0),
    "allclose": lambda x, y: np.allclose(x, y),
    "any": lambda x: np.any(x > 0.0),
    "array_equal": lambda x, y: np.array_equal(x, y),
    "average": lambda x, p: np.average(x, weights=p),
    "bincount": lambda p: np.bincount(np.array([0, 2, 1, 2, 2, 0]), p),
    "convolve": lambda x, v: np.convolve(x, v),
    "corrcoef": lambda x, y: np.corrcoef(x, y),
    "correlate": lambda x, v: np.correlate(x, v),
    "count_nonzero": lambda x: np.count_nonzero(x),
    "cov": lambda a: np.cov(a),
    "cross": lambda a, b: np.cross(a, b),
    "cumprod": lambda x: np.cumprod(x),
    "cumsum": lambda x: np.cumsum(x),
    "diff": lambda x: np.diff(x),
    "dot": lambda a, b: np.dot(a, b),
    "ediff1d": lambda x: np.ediff1d(x),
    "interp": lambda x, rising, y: np.interp(x, rising, y),
    "kron": lambda a, b: np.kron(a, b),
    "mean": lambda x: np.mean(x),
    "nancumprod": lambda nans: np.nancumprod(nans),
    "nancumsum": lambda nans: np.nancumsum(nans),
    "nanmean": lambda nans: np.nanmean(nans),
    "nanprod": lambda nans: np.nanprod(nans),
    "nanstd": lambda nans: np.nanstd(nans),
    "nansum": lambda nans: np.nansum(nans),
    "nanvar": lambda nans: np.nanvar(nans),
    "outer": lambda x, y: np.outer(x, y),
    "prod": lambda x: np.prod(x),
    "roots": lambda v: np.roots(np.append(v[:1], np.array([-2.9, 1.0]) * v[2])),
    "std": lambda x: np.std(x),
    "sum": lambda x: np.sum(x),
    "trace": lambda a: np.trace(a),
    "trapezoid": lambda rising, y: np.trapezoid(y, rising),
    "trapz": lambda rising, y: np.trapz(y, rising),
    "unwrap": lambda x: np.unwrap(x * 3.0),
    "var": lambda x: np.var(x),
    "vdot": lambda x, y: np.vdot(x, y),
    "polynomial.polynomial.Polynomial": lambda v: np.polynomial.polynomial.Polynomial(v).coef,
    "polynomial.polynomial.polyadd": lambda x, v: np.polynomial.polynomial.polyadd(x, v),
    "polynomial.polynomial.polydiv": lambda x, v: np.polynomial.polynomial.polydiv(x, v),
    "polynomial.polynomial.polyint": lambda x: np.polynomial.polynomial.polyint(x),
    "polynomial.polynomial.polymul": lambda x, v: np.polynomial.polynomial.polymul(x, v),
    "polynomial.polynomial.polysub": lambda x, v: np.polynomial.polynomial.polysub(x, v),
    "polynomial.polynomial.polyval": lambda x, v: np.polynomial.polynomial.polyval(x, v),
    "polynomial.polyutils.as_series": lambda x, v: np.polynomial.polyutils.as_series((x, v))[1],
    "polynomial.polyutils.trimseq": lambda x: np.polynomial.polyutils.trimseq(np.append(x, np.zeros(2))),
    # ---- numbers
    "angle": lambda z: np.angle(z),
    "arccosh": lambda q: np.arccosh(q),
    "around": lambda x: np.around(x, 1),
    "clip": lambda x: np.clip(x, 0.0, 1.0),
    "dtype": lambda x: x.astype(np.dtype(np.float64)),
    "finfo": lambda x: np.finfo(np.float64).eps * x,
    "iinfo": lambda x: np.iinfo(np.int8).max * x,
    "imag": lambda z: np.imag(z),
    "isclose": lambda x, y: np.isclose(x, y),
    "iscomplex": lambda z: np.iscomplex(z),
    "iscomplexobj": lambda x: np.iscomplexobj(x),
    "isnat": lambda days: np.isnat(days),
    "isneginf": lambda x: np.isneginf(x),
    "isposinf": lambda x: np.isposinf(x),
    "isreal": lambda z: np.isreal(z),
    "isrealobj": lambda x: np.isrealobj(x),
    "isscalar": lambda t: np.isscalar(t),
    "nan_to_num": lambda nans: np.nan_to_num(nans),
    "real": lambda z: np.real(z),
    "round": lambda x: np.round(x, 1),
    "shape": lambda x: np.shape(x),
    "sinc": lambda x: np.sinc(x),
    "size": lambda x: np.size(x),
    "ldexp": lambda x: np.ldexp(x, 3),
    "power": lambda q, y: np.power(q, y),
    "float_power": lambda q, y: np.float_power(q, y),
    # ---- linear algebra
    "linalg.cholesky": lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)),
    "linalg.cond": lambda a: np.linalg.cond(a),
    "linalg.det": lambda a: np.linalg.det(a),
    "linalg.eig": lambda a: np.linalg.eig(a @ a.T),
    "linalg.eigh": lambda a: np.linalg.eigh(a @ a.T),
    "linalg.eigvals": lambda a: np.linalg.eigvals(a @ a.T),
    "linalg.eigvalsh": lambda a: np.linalg.eigvalsh(a @ a.T),
    "linalg.inv": lambda a: np.linalg.inv(a),
    "linalg.lstsq": lambda a, v: np.linalg.lstsq(a, v)[0],
    "linalg.matrix_power": lambda a: np.linalg.matrix_power(a, 3),
    "linalg.matrix_rank": lambda a: np.linalg.matrix_rank(a),
    "linalg.norm": lambda a: np.linalg.norm(a),
    "linalg.pinv": lambda a: np.linalg.pinv(a),
    "linalg.qr": lambda a: np.linalg.qr(a),
    "linalg.slogdet": lambda a: np.linalg.slogdet(a),
    "linalg.solve": lambda a, v: np.linalg.solve(a, v),
    "linalg.svd": lambda a: np.linalg.svd(a),
    # ---- random draws
    "random.beta": lambda p: np.random.beta(p[0], p[1]),
    "random.binomial": lambda p: np.random.binomial(5, p[0]),
    "random.chisquare": lambda p: np.random.chisquare(p[0]),
    "random.choice": lambda x: np.random.choice(x),
    "random.dirichlet": lambda p: np.random.dirichlet(p),
    "random.exponential": lambda p: np.random.exponential(p[0]),
    "random.f": lambda p: np.random.f(p[0], p[1]),
    "random.gamma": lambda p: np.random.gamma(p[0], p[1]),
    "random.geometric": lambda p: np.random.geometric(p[0]),
    "random.gumbel": lambda x, p: np.random.gumbel(x[0], p[0]),
    "random.hypergeometric": lambda t: np.random.hypergeometric(5, 6, 4),
    "random.laplace": lambda x, p: np.random.laplace(x[0], p[0]),
    "random.logistic": lambda x, p: np.random.logistic(x[0], p[0]),
    "random.lognormal": lambda x, p: np.random.lognormal(x[0], p[0]),
    "random.logseries": lambda p: np.random.logseries(p[0]),
    "random.multinomial": lambda p: np.random.multinomial(5, p / p.sum()),
    "random.negative_binomial": lambda p: np.random.negative_binomial(5, p[0]),
    "random.noncentral_chisquare": lambda q: np.random.noncentral_chisquare(q[0], q[1]),
    "random.normal": lambda x, p: np.random.normal(x[0], p[0]),
    "random.pareto": lambda p: np.random.pareto(p[0]),
    "random.permutation": lambda x: np.random.permutation(x),
    "random.poisson": lambda p: np.random.poisson(p[0]),
    "random.power": lambda p: np.random.power(p[0]),
    "random.rand": lambda t: np.random.rand() * t,
    "random.randint": lambda t: np.random.randint(5),
    "random.randn": lambda t: np.random.randn() * t,
    "random.random": lambda t: np.random.random() * t,
    "random.random_sample": lambda t: np.random.random_sample() * t,
    "random.ranf": lambda t: np.random.ranf() * t,
    "random.rayleigh": lambda p: np.random.rayleigh(p[0]),
    "random.sample": lambda t: np.random.sample() * t,
    "random.seed": lambda x: (np.random.seed(3), x)[1],
    "random.shuffle": _seeded_shuffle,
    "random.standard_cauchy": lambda t: np.random.standard_cauchy() * t,
    "random.standard_exponential": lambda t: np.random.standard_exponential() * t,
    "random.standard_gamma": lambda p: np.random.standard_gamma(p[0]),
    "random.standard_normal": lambda t: np.random.standard_normal() * t,
    "random.standard_t": lambda p: np.random.standard_t(p[0]),
    "random.triangular": lambda x: np.random.triangular(x[1], x[0], x[3]),
    "random.uniform": lambda x: np.random.uniform(x[0], x[3]),
    "random.vonmises": lambda x, p: np.random.vonmises(x[0], p[0]),
    "random.wald": lambda p: np.random.wald(p[0], p[1]),
    "random.weibull": lambda p: np.random.weibull(p[0]),
    "random.zipf": lambda q: np.random.zipf(q[0]),
}
"""A call of each function that is no ufunc; of ufuncs those that need other arguments than floats from 0 to 1."""


OPTIONS: dict[str, str] = {
    "M": "4",
    "N": "4",
    "assume_unique": "True",
    "atol": "0.2",
    "axes": "(2, 0, 1)",
    "axis": "0",
    "bias": "True",
    "copy": "True",
    "ddof": "0",
    "decimals": "1",
    "deg": "True",
    "discont": "2.0",
    "dtype": "np.float64",
    "equal_nan": "True",
    "full_matrices": "False",
    "increasing": "True",
    "invert": "True",
    "k": "1",
    "kind": "'mergesort'",
    "m": "4",
    "minlength": "7",
    "mode": "'same'",
    "n": "2",
    "nan": "2.0",
    "neginf": "-1.0",
    "num": "5",
    "offset": "1",
    "ord": "1",
    "p": "1",
    "period": "6.0",
    "posinf": "1.0",
    "range": "(0.0, 2.0)",
    "rcond": "0.01",
    "right": "True",
    "rowvar": "False",
    "rtol": "0.1",
    "side": "'right'",
    "step": "0.5",
    "tensor": "False",
    "to_begin": "x[:1]",
    "to_end": "x[:2]",
    "tol": "0.00000001",
    "trim": "'f'",
    "wrap": "True",
    "y": "a",
}
"""A value, as text, of each parameter that a call may leave out."""
TARGETS = {
    "around": "np.empty(6)",
    "clip": "np.empty(6)",
    "dot": "np.empty((3, 3))",
    "isneginf": "np.empty(6, np.bool_)",
    "isposinf": "np.empty(6, np.bool_)",
    "outer": "np.empty((6, 6))",
    "round": "np.empty(6)",
}
"""The arrays, as texts, to which functions write their results. The others of Numba take none."""


class Call(NamedTuple):
    """A call of a NumPy function that Numba compiles."""

    names: tuple[str, ...]  # of the function in NumPy
    function: Callable[..., Any] | None  # None if `CALLS` lacks it

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the call."""
        assert self.function is not None
        return tuple(copy_of(ARGUMENTS[name]) for name in inspect.signature(self.function).parameters)

    @property
    def results(self) -> list[np.ndarray]:
        """The results of the call in Python: numbers and arrays."""
        assert self.function is not None
        np.random.seed(0)
        return leaves(self.function(*self.arguments))


@cache
def numpy_calls() -> dict[str, Call]:
    """Returns a call of each NumPy function that Numba compiles, by the function's name."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    aliases: dict[Any, list[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that NumPy will drop
        for namespace in NAMESPACES:
            module = operator.attrgetter(namespace[:-1])(np) if namespace else np
            for name in filter(lambda name: name[0] != "_", dir(module)):
                function = getattr(module, name)
                if callable(function) and _is_function_of_numba(function):
                    aliases.setdefault(function, []).append(namespace + name)
    calls = {}
    for function, names in aliases.items():
        name = next((name for name in names if name in CALLS), names[0])
        call = CALLS.get(name)
        if call is None and isinstance(function, np.ufunc):
            name, call = function.__name__, _call_of_ufunc(function)
        calls[name] = Call(tuple(names), call)
    return dict(sorted(calls.items()))


@cache
def _expressions() -> dict[str, ast.Lambda]:
    """Returns the syntax trees of those functions of `CALLS` that are expressions."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    tables = [
        node.value for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CALLS"
    ]
    assert isinstance(tables[0], ast.Dict)
    pairs = zip(tables[0].keys, tables[0].values, strict=True)
    return {key.value: value for key, value in pairs if isinstance(key, ast.Constant) and isinstance(value, ast.Lambda)}


def calls_with_keywords(name: str) -> dict[str, Call]:
    """Returns calls of a function of `CALLS` with arguments that are named: one with all that it has, and one with each that it leaves out."""
    tree = _expressions().get(name)
    names = numpy_calls()[name].names
    texts = [f"np.{name}" for name in names]
    function = operator.attrgetter(name if hasattr(np, name.partition(".")[0]) else names[0])(np)
    calls = {}
    for signature in signatures_of(function) if tree is not None else ():
        kinds = {parameter.name: parameter.kind for parameter in signature.parameters.values()}
        for option in ["", *kinds]:
            changed = copy.deepcopy(tree)
            assert changed is not None
            found = [n for n in ast.walk(changed) if isinstance(n, ast.Call) and ast.unparse(n.func) in texts]
            if not found:
                continue
            call = found[0]
            given = [*kinds][: len(call.args)]
            if inspect.Parameter.VAR_POSITIONAL in kinds.values() or len(given) < len(call.args):
                continue
            if not option:
                named = [each for each in given if kinds[each] is not inspect.Parameter.POSITIONAL_ONLY]
                first = len(given) - len(named)
                call.keywords += [ast.keyword(arg, value) for arg, value in zip(named, call.args[first:], strict=True)]
                call.args = call.args[:first]
            elif option in given or option in [keyword.arg for keyword in call.keywords]:
                continue
            elif option in OPTIONS or (option == "out" and name in TARGETS):
                text = TARGETS[name] if option == "out" else OPTIONS[option]
                call.keywords.append(ast.keyword(option, ast.parse(text, mode="eval").body))
            else:
                continue
            code = compile(ast.fix_missing_locations(ast.Expression(changed)), __file__, "eval")
            calls[option] = Call(names, eval(code, {"np": np}))
    return calls


def _is_function_of_numba(function: Any) -> bool:
    try:
        return isinstance(cpu_target.typing_context.resolve_value_type(function), types.Function)
    except (NumbaError, TypeError, ValueError):
        return False


def _call_of_ufunc(ufunc: np.ufunc) -> Callable[..., Any]:
    """Returns a call of a ufunc with floats from 0 to 1, or with integers if it takes no floats."""
    if not any(signature.startswith("d" * ufunc.nin) for signature in ufunc.types):
        return [lambda t: ufunc(int(t)), lambda t: ufunc(int(t), 3)][ufunc.nin - 1]
    return [lambda p: ufunc(p), lambda p, y: ufunc(p, y)][ufunc.nin - 1]


def leaves(result: Any) -> list[np.ndarray]:
    """Returns the numbers and arrays of a result."""
    if isinstance(result, (tuple, list)):
        return [leaf for item in result for leaf in leaves(item)]
    return [np.asarray(result)]


def weights(result: np.ndarray) -> Any:
    """Returns the weights of a result in the sum whose gradients are compared."""
    numbers = (1.0 + 0.5 * np.arange(result.size)).reshape(result.shape)
    return numbers.astype(result.dtype if result.dtype.kind == "c" else float)[()]


def float_positions(call: Call) -> tuple[int, ...]:
    """Returns the positions of the arguments of floats or complex numbers."""
    return tuple(place for place, value in enumerate(call.arguments) if np.asarray(value).dtype.kind in "fc")


def results_and_gradients(call: Call, results: list[np.ndarray]) -> tuple[list[np.ndarray], tuple[Any, ...]]:
    """Returns the results of a call by its derivative, and the gradients of the weighted sum of the ``results`` of NumPy."""
    cotangents = tuple(map(weights, results))
    value, gradients = value_and_gradients(
        call.function, call.arguments, cotangents if len(cotangents) > 1 else cotangents[0], float_positions(call)
    )
    return leaves(value), gradients


def status(call: Call) -> str:
    """Returns "derived", "zero" if the results are no floats, or "refused: " and why."""
    try:
        results_and_gradients(call, call.results)
    except DifferentiationError as error:
        return f"refused: {str(error).partition(': ')[2]}"
    return "derived" if has_floats(call) else "zero"


def has_floats(call: Call) -> bool:
    """True if the results have floats."""
    return any(result.dtype.kind in "fc" for result in call.results)


HEAD = """# NumPy's functions in derivatives

This page lists the NumPy functions that Numba compiles, and whether fastgrad can differentiate them. `python -m tests.derivatives.numpy_calls` makes it: it tries one call of each function. `derived`: the derivative has a rule,
or comes from the Python function by which Numba implements the function. `zero`: the results are integers, booleans or nothing, so the derivative is zero. `refused`: an error with file and line. Calls with other arguments
may be refused. Random draws by rejection jump if their parameters change. So they are refused if a parameter depends on the inputs, as in the tested calls, except the scale of `gamma` and the mean of `vonmises`.

"""


def page(statuses: dict[str, str]) -> str:
    """Returns the page of the functions with their statuses."""
    with_floats = [name for name in statuses if has_floats(numpy_calls()[name])]
    derived = [name for name in with_floats if statuses[name] == "derived"]
    lines = [
        f"{len(derived)} of {len(with_floats)} functions of floats are derived ({len(derived) / len(with_floats):.1%}).",
        "",
    ]
    lines += ["| function | other names | status |", "| --- | --- | --- |"]
    for name, text in statuses.items():
        others = ", ".join(f"`{other}`" for other in numpy_calls()[name].names if other != name)
        lines.append(f"| `{name}` | {others} | {text} |")
    return HEAD + "\n".join(lines) + "\n"


def statuses_on_page() -> dict[str, str]:
    """Returns the statuses that the page has, by the names of functions."""
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[3].strip() for row in rows}


def main() -> None:
    """Writes the page."""
    statuses = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, call in numpy_calls().items():
            statuses[name] = status(call)
    PAGE.write_text(page(statuses), encoding="utf-8")


if __name__ == "__main__":
    main()
