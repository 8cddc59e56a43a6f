"""Cases for every row of the operation table, and its native and NumPy results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastgrad as tf
import fastgrad._src.ops.composed.morphology  # its rows
import fastgrad.image
from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.runtime.launch import run_launches

rng = np.random.default_rng(3)
F32, F64, I32, I64 = np.float32, np.float64, np.int32, np.int64


@dataclass
class Case:
    """A row at arrays and attributes."""

    name: str
    arrays: tuple[np.ndarray, ...]
    attributes: dict[str, Any]

    def __repr__(self) -> str:
        arrays = ",".join(f"{a.dtype.name}{list(a.shape)}" for a in self.arrays)
        attributes = ",".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.name}({arrays} {attributes})"


def case(name: str, *arrays: Any, **attributes: Any) -> Case:
    return Case(name, tuple([np.asarray(a) for a in arrays]), attributes)


def normal(*shape: int, dtype: Any = F32) -> np.ndarray:
    return (rng.normal(size=shape) * 3).astype(dtype)


ATTENTION = {"scale": 0.5, "causal": False, "masked": False, "rate": 0.0, "blank": False}


def attention_gradient(*inputs: np.ndarray, **attributes: Any) -> Case:
    """The gradient of attention, which reads the results of attention."""
    attributes = ATTENTION | attributes
    results = TABLE["attention"].run(*inputs, **attributes)
    return case("attention_gradient", normal(*results[0].shape), *results, *inputs, **attributes)


def whole(low: int, high: int, *shape: int, dtype: Any = I64) -> np.ndarray:
    return rng.integers(low, high, shape).astype(dtype)


def run_of(case: Case) -> list[np.ndarray]:
    """What the row gives."""
    token = set_float_errors(QUIET)
    try:
        found = TABLE[case.name].run(*case.arrays, **case.attributes)
    finally:
        reset_float_errors(token)
    return [np.ascontiguousarray(y).reshape(np.shape(y)) for y in (found if type(found) is tuple else (found,))]


def native_of(case: Case, wanted: list[np.ndarray], shares: int = 1) -> list[np.ndarray] | int | None:
    """What its kernels give, a number >= 0 if they stop, or None if there are none."""
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
    outputs = [np.full(y.size, 7).astype(y.dtype).reshape(y.shape) for y in wanted]
    found = launches_of_row(TABLE[case.name], arrays, outputs, case.attributes)
    if found is None:
        return None
    if found.alias:
        data = arrays[0].reshape(-1).view(np.uint8)[: wanted[0].nbytes]
        return [data.view(wanted[0].dtype).reshape(wanted[0].shape)]
    answer = run_launches(found, arrays, outputs, shares)
    return outputs if answer is None else answer


def at(dtypes: Any, make: Any) -> list[Case]:
    return [make(np.dtype(dtype)) for dtype in dtypes]


HALVES = (np.dtype(np.float16), tf.bfloat16.numpy)
FLOATS = (np.dtype(F32), np.dtype(F64), *HALVES)


def windows(**changed: Any) -> dict[str, Any]:
    return {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilations": (1, 1), **changed}


ODD = windows(strides=(2, 3), padding=((1, 2), (0, 1)), dilations=(2, 1))
POOL = windows(kernel=(3, 2), strides=(2, 1), padding=((1, 1), (0, 1)))
FAR = {"kernel": (2,), "strides": (2,), "padding": ((1, 0),), "dilations": (3,)}
CUBE = {"strides": (1, 2, 1), "padding": ((1, 0), (0, 0), (1, 1)), "dilations": (1, 1, 1)}


def convolutions(x: tuple[int, ...], filters: tuple[int, ...], window: dict[str, Any], dtype: Any = F32) -> list[Case]:
    """A convolution and its two gradients."""
    first = case("convolution", normal(*x, dtype=dtype), normal(*filters, dtype=dtype), **window)
    g = normal(*run_of(first)[0].shape, dtype=dtype)
    return [
        first,
        case("convolution_backprop_input", g, first.arrays[1], input_shape=x[1:], **window),
        case("convolution_backprop_filter", first.arrays[0], g, filter_shape=filters, **window),
    ]


def pools(x: np.ndarray, window: dict[str, Any]) -> list[Case]:
    first = case("max_pool", x, **window)
    (y,) = run_of(first)
    g = normal(*y.shape).astype(x.dtype)
    return [
        first,
        case("max_pool_scatter", x, y, g, **window),
        case("max_pool_gather", x, y, normal(*x.shape).astype(x.dtype), **window),
        case("max_pool_argmax", x, y, dtype="int64", with_batch=True, **window),
        case("max_pool_argmax", x, y, dtype="int32", with_batch=False, **window),
        case("avg_pool", x, **window),
        case("avg_pool_gradient", g, input_shape=x.shape[1:], **window),
    ]


AWKWARD = [0.0, -0.0, 0.25, 1.0, -1.0, 2.5, -2.5, 30.0, -7.0, 1e30, np.inf, -np.inf, np.nan]
OF_SCIPY = (
    "erfinv erfcinv ndtri lgamma digamma bessel_i0 bessel_i0e bessel_i1 bessel_i1e bessel_j0 bessel_j1 bessel_k0 bessel_k0e "
    "bessel_k1 bessel_k1e bessel_y0 bessel_y1 dawsn expint fresnel_cos fresnel_sin spence"
)
CLOSE: list[Case] = [
    *[case(name, np.array(AWKWARD, dtype)) for name in OF_SCIPY.split() for dtype in (F32, F64)],
    case("lgamma", np.array([0.5, 2.5], np.float16)),
    *[
        case(name, np.abs(normal(4, 1)).astype(dtype), np.abs(normal(5)).astype(dtype))
        for name in ("igamma", "igammac", "igamma_slope")
        for dtype in (F32, F64, np.float16)
    ],
    case("igamma_slope", np.array(AWKWARD)[:, None], np.array(AWKWARD[:9])),
    case("betainc", np.abs(normal(4, 1)), np.abs(normal(5)), np.linspace(0, 1, 20, dtype=F32).reshape(4, 5)),
    case("zeta", np.array([1.0, 0.5, 1.001, 2.0, 3.5, 30.0, np.nan, 1000.0])[:, None], np.array([*AWKWARD, 50.0])),
    case("polygamma", np.array([0.0, 1.0, 2.0, 5.0, 1.5, -1.0])[:, None], np.array([0.3, 1.0, 40.0, 0.0, -2.0])),
    *at(FLOATS, lambda d: case("softmax", normal(7, 5).astype(d))),
    case("softmax", normal(3, 4, 300)),
    *at(FLOATS, lambda d: case("softmax_gradient", normal(7, 5).astype(d), normal(7, 5).astype(d))),
    *at(FLOATS, lambda d: case("log_softmax", normal(7, 5).astype(d))),
    *at(FLOATS, lambda d: case("log_softmax_gradient", normal(7, 5).astype(d), normal(7, 5).astype(d))),
    case("sparse_softmax_cross_entropy", normal(9, 4), whole(0, 4, 9)),
    case("sparse_softmax_cross_entropy", normal(9, 4, dtype=F64), whole(0, 4, 9, dtype=I32)),
    case("sparse_softmax_cross_entropy_and_gradient", normal(9), normal(9, 4), whole(0, 4, 9)),
    case(
        "sparse_softmax_cross_entropy_and_gradient", normal(33, dtype=F64), normal(33, 20, dtype=F64), whole(0, 20, 33)
    ),
    case("sparse_softmax_cross_entropy_gradient", normal(9), normal(9, 4), whole(-1, 5, 9)),
    case("softmax_cross_entropy", normal(9, 4), normal(9, 4)),
    case("softmax_cross_entropy_gradient", normal(9), normal(9, 4), normal(9, 4)),
    *at(
        FLOATS,
        lambda d: case("cumulative_logsumexp", normal(2, 5, 2).astype(d), axis=1, exclusive=False, reverse=True),
    ),
    case("cumulative_logsumexp", np.array([-np.inf, 1, np.inf, 2], F32), axis=0, exclusive=True, reverse=False),
    *convolutions((2, 9, 8, 3), (3, 2, 3, 5), ODD),
    *convolutions((2, 6, 5, 20), (2, 2, 20, 4), windows(), F64),
    *convolutions((2, 6, 5, 6), (3, 3, 2, 9), ODD),
    *convolutions((2, 6, 5, 6), (3, 3, 1, 6), windows(padding=((1, 1), (1, 1)))),
    *convolutions((2, 6, 5, 3), (3, 2, 1, 6), windows()),
    *convolutions((2, 9, 3), (2, 3, 4), {"strides": (2,), "padding": ((1, 1),), "dilations": (3,)}),
    *convolutions((1, 3, 4, 5, 2), (2, 2, 3, 2, 3), CUBE, np.float16),
    case("convolution", whole(-9, 9, 2, 5, 5, 2, dtype=I32), whole(-9, 9, 2, 2, 2, 3, dtype=I32), **windows()),
    *pools(normal(2, 5, 5, 2).astype(np.float16), POOL),
    *[
        case(name, normal(6, 300, 2).astype(d), axes=axes, keepdims=False)
        for name in ("reduce_sum", "reduce_mean", "reduce_euclidean_norm", "reduce_logsumexp")
        for d, axes in ((FLOATS[0], (1, 2)), (FLOATS[1], (0,)), (HALVES[0], (0, 2)), (np.dtype("complex128"), (0, 2)))
        if (name, d.kind) != ("reduce_logsumexp", "c")
    ],
    case("reduce_prod", normal(4, 5).astype(np.complex128), axes=(1,), keepdims=False),
    case(
        "reduce_logsumexp",
        np.array([[np.inf, 1], [-np.inf, -np.inf], [np.nan, 1], [1000, 999]]),
        axes=(1,),
        keepdims=True,
    ),
    *[
        case("clip_by_norm", normal(4, 5, 3).astype(d), np.asarray(limit).astype(d), axes=axes)
        for d, limit, axes in (
            (FLOATS[0], 2.0, (0, 1, 2)),
            (FLOATS[1], [[1.0], [100.0], [2.0], [0.5], [3.0]], (0, 2)),
            (HALVES[1], 1.5, (1,)),
        )
    ],
    case("cross", normal(5, 3, dtype=np.float16), normal(5, 3, dtype=np.float16)),
    case("attention", normal(2, 70, 4, 5), normal(2, 9, 2, 5), normal(2, 9, 2, 3), **ATTENTION),
    case(
        "attention",
        normal(1, 3, 1, 2, dtype=F64),
        normal(1, 80, 1, 2, dtype=F64),
        normal(1, 80, 1, 17, dtype=F64),
        **ATTENTION,
    ),
    attention_gradient(normal(1, 70, 2, 4), normal(1, 66, 1, 4), normal(1, 66, 1, 3)),
    attention_gradient(normal(2, 3, 2, 4), normal(2, 5, 2, 4), normal(2, 5, 2, 3), causal=True),
    case("layer_normalization", normal(6, 300), normal(300), normal(300), epsilon=1e-3),
    case("layer_normalization", normal(6, 1, dtype=F64), normal(1, dtype=F64), normal(1, dtype=F64), epsilon=0.0),
    case("layer_normalization_gradient", normal(70, 600), normal(70, 600), normal(600), normal(70), normal(70)),
    case("batch_moments", normal(700, 3)),
    case("batch_moments", normal(1300, 21, dtype=F64)),
]
"""Sums, whose order may differ."""
ANY = (*map(np.dtype, ("bool", "int32", "complex128")), HALVES[1])
REAL = (*map(np.dtype, ("uint8", "float32")), HALVES[1])
NUMBERS = (*REAL, np.dtype("complex128"))


def some(dtype: np.dtype, *shape: int) -> np.ndarray:
    """Numbers of any dtype, a NaN among them if it has one."""
    x = rng.integers(-50, 50, shape) * (1 if dtype.kind in "iub" else 0.5)
    x = np.asarray(x).astype(dtype)
    if dtype.kind in "fV" and x.size > 4:
        x.reshape(-1)[3] = np.nan
    return x


def divisors(dtype: Any) -> list[Case]:
    limits = np.iinfo(dtype)
    x = np.array([7, -7 if limits.min else 9, 100, limits.min, limits.max, 0, limits.min], np.object_).astype(dtype)[
        :, None
    ]
    y = np.array([1, 2, 3, limits.max, -1 if limits.min else 1, -3 if limits.min else 3], np.object_).astype(dtype)
    return [case(name, x, y) for name in ("floordiv", "floormod", "truncatediv", "truncatemod")]


def changes(kind: str, indices: Any, *shape: int) -> list[Case]:
    """All ways to change rows of a variable of shape (3, 4)."""
    ways = ("add", "subtract", "multiply", "maximum", None)
    names = [{"what": "scatter", "kind": kind, "into": into} for into in ways]
    return [case("scatter_into_variable", whole(1, 9, 3, 4), indices, whole(1, 9, *shape), **way) for way in names]


def nothing_but(place: int, size: int) -> np.ndarray:
    return np.arange(size) == place


WORDS = np.array([5, -7, 1234567890123], I64)
WIDE = {"shape": (3, 50)}


def over_time(steps: int, batch: int, units: int, dtype: Any) -> list[Case]:
    """Recurrent layers both ways, with and without masks and cotangents."""

    def some(*shape: int) -> np.ndarray:
        return normal(*shape, dtype=dtype) / 3

    def weights(gates: int) -> list[np.ndarray]:
        return [some(steps, batch, gates * units), some(units, gates * units)]

    states, last = (steps + 1, batch, units), (batch, units)
    mask = rng.random((steps, batch)) > 0.3
    found: list[Case] = []
    for masked in (False, True):
        given = [mask] if masked else []
        found += [
            case("lstm", *weights(4), some(4 * units), some(*last), some(*last), *given),
            case("gru", *weights(3), some(2, 3 * units), some(*last), *given),
            case("simple_rnn", *weights(1), some(units), some(*last), *given),
        ]
        gates = [some(steps, batch, 4 * units), some(*states), some(units, 4 * units)]
        for has in ((masked, True, False, False), (masked, False, True, True), (masked, True, True, True)):
            shapes = [shape for there, shape in zip(has[1:], (states, last, last), strict=True) if there]
            found.append(case("lstm_gradient", *gates, *given, *[some(*shape) for shape in shapes], has=has))
        gates = [some(steps, batch, 3 * units), some(steps, *last), some(*states), some(units, 3 * units)]
        for has in ((masked, True, False), (masked, False, True), (masked, True, True)):
            shapes = [shape for there, shape in zip(has[1:], (states, last), strict=True) if there]
            cotangents = [some(*shape) for shape in shapes]
            found.append(case("gru_gradient", *gates, *given, *cotangents, has=has))
            found.append(case("simple_rnn_gradient", some(*states), some(units, units), *given, *cotangents, has=has))
    return found


EXACT: list[Case] = [
    *over_time(2, 37, 130, F32),
    *over_time(3, 9, 5, F64),
    *over_time(1, 1, 1, F32),
    *changes("rows", [2, 0], 2, 4),
    *changes("positions", [[2, 1], [0, 0], [2, 1]], 3),
    *changes("rows", [2, 0, 1]),
    *changes("batch", [[1, 0], [2, 3], [3, 3]], 3, 2),
    case("bitcast", normal(3), type="int32"),
    case("bitcast", normal(3, 2), type="float64"),
    case("bitcast", normal(3, dtype=F64), type="uint8"),
    *[case("random_integers", WORDS, **WIDE, dtype=dtype) for dtype in ("uint8", "int32", "int64", "uint64")],
    *at(
        (I32, I64, "uint8"),
        lambda d: case("random_integers_between", WORDS, np.array([[3], [0], [90]], d), np.array(100, d), **WIDE),
    ),
    case("random_integers_between", WORDS, I64(-(2**63)), I64(2**63 - 1), **WIDE),
    case("random_shuffled_positions", WORDS, count=100),
    *at(
        (*FLOATS[:2], HALVES[1]),
        lambda d: case("random_categories", normal(3, 5).astype(d), WORDS, count=40, dtype="int64"),
    ),
    case("random_categories", np.array([[-np.inf, 0.0]]), WORDS, count=9, dtype="int32"),
    *[
        case(f"random_{name}", WORDS, **WIDE, dtype=dtype)
        for name in ("uniform", "normal", "truncated_normal")
        for dtype in ("float32", "float64", "float16", "bfloat16")
    ],
    *at(FLOATS, lambda d: case("dropout", normal(40).astype(d), WORDS, rate=0.3)),
    *at((I32, I64), lambda d: case("philox_words", np.array([-3, 77], d))),
    *[made for dtype in ("int8", "int32", "int64", "uint8", "uint64") for made in divisors(dtype)],
    case("floordiv", np.array([[5, -5]]), I64(2)),
    *at(("int8", "int32", "int64"), lambda d: case("pow", whole(-9, 9, 4, 1).astype(d), whole(0, 12, 5).astype(d))),
    *at(ANY, lambda d: case("gather", some(d, 6, 5), whole(0, 6, 2, 3), axis=0, batch_dims=0)),
    case("gather", normal(2, 3, 6, 5), whole(0, 6, 2, 4, dtype=I32), axis=2, batch_dims=1),
    case("gather", normal(2, 6, 3), whole(0, 6, 2, 1, 4, dtype=np.int16), axis=1, batch_dims=1),
    case(
        "gather",
        normal(6),
        whole(
            0,
            6,
        ),
        axis=0,
        batch_dims=0,
    ),
    case("gather_segments", normal(6, 5), [[3, -1], [0, 5]]),
    *at(ANY, lambda d: case("gather_nd", some(d, 3, 4, 2), whole(0, 3, 5, 2), strict=True)),
    case("gather_nd", normal(3, 4, 2), [[0, -1, 1], [2, 3, 1]], strict=False),
    case("gather_nd", normal(3), np.zeros((4, 0), I32), strict=True),
    *at(ANY, lambda d: case("take_along_axis", some(d, 3, 4, 2), whole(-4, 4, 3, 3, 2), axis=1)),
    *at(ANY, lambda d: case("put_along_axis", some(d, 2, 3, 2), np.argsort(normal(2, 5, 2), 1)[:, :3], axis=1, size=5)),
    *at(ANY, lambda d: case("reverse_sequence", some(d, 2, 3, 4, 2), [0, 4, 2], seq_axis=2, batch_axis=1)),
    case("reverse_sequence", normal(5, 2, 3, 2), whole(0, 6, 3, dtype=I32), seq_axis=0, batch_axis=2),
    *at(ANY, lambda d: case("one_hot", [[0, 3, -1], [4, 1, 2]], some(d), some(d), depth=4, axis=1)),
    case("one_hot", np.array([2, 0], np.uint8), F32(1), F32(0), depth=3, axis=1),
    *at(ANY, lambda d: case("scatter_nd", [[1], [5], [0], [-2]], some(d, 4, 3), shape=(5, 3), strict=False)),
    *at(ANY, lambda d: case("tensor_scatter_nd_update", some(d, 5, 70), [[1], [4], [1]], some(d, 3, 70), strict=True)),
    *at(
        NUMBERS,
        lambda d: case("tensor_scatter_nd_add", some(d, 5, 2), [[1, 0], [4, 1], [1, 0]], some(d, 3), strict=True),
    ),
    *at(REAL, lambda d: case("tensor_scatter_nd_max", some(d, 5, 2), [[1], [4], [1]], some(d, 3, 2), strict=True)),
    *at(REAL, lambda d: case("tensor_scatter_nd_min", some(d, 5, 2), [[1], [4], [1]], some(d, 3, 2), strict=True)),
    *at(NUMBERS, lambda d: case("unsorted_segment_sum", some(d, 6, 3), [0, 2, -1, 0, 2, 2], num_segments=4)),
    case("unsorted_segment_sum", normal(2, 3, 2), whole(0, 4, 2, 3, dtype=I32), num_segments=4),
    *at(
        REAL[:2],
        lambda d: case("unsorted_segment_prod", some(d, 6, 3), [0, 2, -1, 0, 2, 2], num_segments=4),
    ),
    *at(REAL, lambda d: case("unsorted_segment_max", some(d, 6, 3), [0, 2, -1, 0, 2, 2], num_segments=4, empty=0)),
    case("unsorted_segment_max", np.full((2, 2), -np.inf, F32), [0, 0], num_segments=2, empty=float(np.finfo(F32).min)),
    case("unsorted_segment_min", whole(0, 9, 2, 2).astype("uint64"), [0, 0], num_segments=2, empty=2**64 - 1),
    case("unsorted_segment_min", -whole(0, 9, 2, 2), [0, 0], num_segments=2, empty=2**63 - 1),
    case("gather_gradient", normal(2, 3, 4, 5), whole(0, 6, 2, 4), shape=(2, 3, 6, 5), axis=2, batch_dims=1),
    case("bincount", [[1, 3, 9], [1, 1, 0]], size=4, dtype="int32", binary=False),
    case("bincount", [[1, 3, 9], [1, 1, 0]], size=4, dtype="int64", binary=True),
    case("bincount", whole(0, 4, 20), normal(20), size=5, dtype="float32", binary=False),
    *at((bool, "uint8", F32, HALVES[1], "complex128"), lambda d: case("true_positions", some(np.dtype(d), 3, 4, 5))),
    case("true_positions", nothing_but(3, 40)),
    *at(REAL, lambda d: case("unique", some(d, 60), out_idx="int32")),
    case("unique", np.array([0.0, -0.0, np.nan, 1, np.nan, 1]), out_idx="int64"),
    case("unique", whole(0, 5, 200), out_idx="int64"),
    *at(REAL, lambda d: case("argsort", some(d, 2, 40, 3), axis=1, descending=False)),
    *at(REAL, lambda d: case("sort", some(d, 2, 40, 3), axis=1, descending=True)),
    *[case("argsort", some(np.dtype(F32), 3, n), axis=1, descending=True) for n in (1, 2, 12, 13, 25, 200)],
    case("sort", np.array([[np.nan, -np.inf, np.inf, 0]], F32), axis=1, descending=True),
    case("sort", np.array([0, 2**64 - 1, 2**63], np.uint64), axis=0, descending=True),
    *[case("argsort", whole(-9, 9, 99) * 10**17, axis=0, descending=descending) for descending in (False, True)],
    case("argsort", np.array([*AWKWARD, *normal(40)] * 2), axis=0, descending=True),
    case("argsort", np.array([*AWKWARD, *normal(40)] * 2, F32), axis=0, descending=False),
    case("argmax", normal(3, 300), axis=1, output_type="int64"),
    case("argmin", np.append(np.full(200, np.nan, F32), [2, -np.inf, -np.inf]), axis=0, output_type="int64"),
    case("argmax", np.full((2, 90), -np.inf), axis=1, output_type="int64"),
    case("argmax", whole(0, 3, 2, 200), axis=1, output_type="int64"),
    *at(REAL, lambda d: case("top_k", some(d, 3, 50), k=4, index_type="int32")),
    *at(REAL, lambda d: case("top_k", some(d, 3, 50), k=40, index_type="int64")),
    case("top_k", whole(0, 3, 2, 300), k=5, index_type="int16"),
    case("top_k", np.full((1, 4), np.nan), k=4, index_type="int32"),
    *at((*REAL, bool), lambda d: case("argmax", some(d, 3, 20, 70), axis=1, output_type="int64")),
    *at((*REAL, bool), lambda d: case("argmin", some(d, 3, 20), axis=1, output_type="int32")),
    case("argmax", np.array([[np.nan, -np.inf], [np.nan, np.nan], [2.0, np.nan]]), axis=1, output_type="int64"),
    case("argmin", np.array([[np.nan, np.inf], [np.nan, np.nan], [2.0, np.nan]]), axis=1, output_type="int64"),
    case("argmax", np.array([3.0, 5.0, 5.0]), axis=0, output_type="uint16"),
    *at(
        REAL,
        lambda d: case(
            "searchsorted", np.sort(some(d, 9).astype(F64)).astype(d), some(d, 20), right=False, out_type="int32"
        ),
    ),
    case("searchsorted", np.sort(whole(0, 9, 3, 7), -1), whole(-1, 10, 3, 20), right=True, out_type="int64"),
    case("in_top_k", [0, 3, -1, 2, 1], np.array([[1, 2], [1, 2], [1, 2], [1, 2], [1, np.inf]], F32), k=1),
    case("in_top_k", whole(0, 6, 20, dtype=I32), whole(0, 4, 20, 6).astype(F32), k=2),
    case("invert_permutation", np.random.default_rng(0).permutation(30)),
    *at(NUMBERS, lambda d: case("cumsum", some(d, 2, 5, 3), axis=1, exclusive=False, reverse=False)),
    case("cumsum", normal(4, 5), axis=0, exclusive=True, reverse=True),
    case("cumsum", np.full(9, 100, np.int8), axis=0, exclusive=False, reverse=True),
    *at(
        (I32, "uint8", F32, F64),
        lambda d: case("cumprod", some(np.dtype(d), 2, 5), axis=1, exclusive=True, reverse=False),
    ),
    case("cumprod", normal(4, 5), axis=0, exclusive=False, reverse=True),
    *at(ANY, lambda d: case("roll", some(d, 4, 5), shift=(1, -7, 2), axis=(0, 1, 0))),
    *[
        case(
            "resample",
            some(np.dtype(d), 2, (5, 8)[transposed], width),
            axis=1,
            sizes=(5, 8),
            method=method,
            antialias=False,
            transposed=transposed,
        )
        for d in (F32, F64, np.float16)
        for width in (3, 40)
        for method in ("bilinear", "bicubic", "lanczos5")
        for transposed in (False, True)
    ],
    *[
        case(
            "interpolate_pixels",
            some(np.dtype(d), 2, 3, 4, 3),
            np.array([1, 0, 1], np.int32),
            np.array([[0.25, 1.5, -0.5], [1.0, 0.75, 2.0], [2.5, -7.0, np.nan]], np.float32)[:, places],
            np.array([[0.5, 2.25, 3.5], [0.0, 1.25, 3.0], [1.0, 0.0, 1.0]], np.float32)[:, places],
            method=method,
            fill=0.5,
        )
        for d in (F32, F64)
        for method, places in (("nearest", [0, 1, 2]), ("bilinear", [0, 1, 2]), ("clamped_bilinear", [1]))
    ],
    *[
        case(name, rng.uniform(size=(2, 3, 11, 3)).astype(d), *[np.asarray(number, d) for number in numbers])
        for d in (F32, F64, np.float16)
        for name, *numbers in (("rgb_to_hsv",), ("hsv_to_rgb",), ("adjust_hue", 0.4), ("adjust_saturation", 1.5))
    ],
    *[
        case(
            "adjust_contrast",
            normal(2, 3, 4, channels).astype(d),
            normal(2, 1, 1, channels).astype(d),
            np.asarray(1.5, d),
        )
        for d in (F32, F64)
        for channels in (1, 3)
    ],
    *[
        case(
            "non_max_suppression",
            rng.uniform(size=(9, 4)).astype(d),
            rng.uniform(size=9).astype(d),
            *[np.asarray(number, F32) for number in (0.25, 0.125, sigma)],
            count=6,
        )
        for d in (F32, F64, np.float16)
        for sigma in (0.0, 0.5)
    ],
    *[
        case("window_sums", some(np.dtype(d), 2, 12, width), axis=1, weights=tuple(float(i) for i in range(taps)))
        for d in (F32, F64)
        for width in (3, 40)
        for taps in (1, 4, 11)
    ],
    *at(
        (F32, F64, np.float16, I32, "uint8"),
        lambda d: case(
            "dilation2d",
            some(np.dtype(d), 2, 4, 5, 3),
            np.arange(18).reshape(2, 3, 3).astype(d),
            strides=(2, 1),
            paddings=((0, 1), (1, 3)),
            dilations=(1, 2),
            counts=(2, 5),
            lowest=0,
        ),
    ),
    *at(ANY, lambda d: case("shifted", some(d, 3, 4, 2), axis=1, reverse=False)),
    case("shifted", normal(5), axis=0, reverse=True),
    *at(ANY, lambda d: case("mirror_pad", some(d, 3, 4, 2), paddings=((1, 2), (3, 0), (0, 0)), edge=1)),
    case("mirror_pad", normal(3, 4), paddings=((3, 3), (4, 1)), edge=0),
    case("mirror_pad_gradient", normal(6, 7, 2), paddings=((1, 2), (3, 0), (0, 0)), edge=1),
    case("mirror_pad_gradient", whole(0, 9, 9, 9), paddings=((3, 3), (4, 1)), edge=0),
    *at(ANY, lambda d: case("band_part", some(d, 2, 4, 5), lower=1, upper=2)),
    case("band_part", normal(5, 4), lower=-1, upper=0),
    *at(ANY, lambda d: case("diag_part", some(d, 2, 4, 5), lower=1, upper=1, align="RIGHT_LEFT", padding=0)),
    *[
        made
        for align in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")
        for made in (
            case("diag_part", normal(2, 4, 5), lower=-2, upper=3, align=align, padding=7.5),
            case("diag", normal(2, 3, 4), lower=-1, upper=1, rows=5, columns=4, align=align, padding=-1.0),
            case("set_diag", normal(2, 4, 4), normal(2, 3, 4), lower=-1, upper=1, align=align),
        )
    ],
    *at(ANY, lambda d: case("diag", some(d, 2, 3), lower=0, upper=0, rows=3, columns=3, align="LEFT_LEFT", padding=0)),
    *at(ANY, lambda d: case("set_diag", some(d, 3, 4), some(d, 3), lower=1, upper=1, align="LEFT_LEFT")),
    *at(REAL[:2], lambda d: case("cross", some(d, 5, 3), some(d, 5, 3))),
    case("unravel_index", whole(0, 24, 10, dtype=I32), dims=(2, 3, 4)),
    case("unravel_index", I64(7), dims=(9,)),
    *at(
        (F32, F64, I32, "uint8"),
        lambda d: case(
            "histogram_fixed_width_bins", np.abs(whole(0, 99, 30)).astype(d), low=3.0, high=70.0, nbins=7, dtype="int32"
        ),
    ),
    case("check_numerics", normal(40), message="x"),
    case("check_numerics", normal(4, dtype=np.float16), message="x"),
    case("check_numerics", normal(4).astype(np.complex128), message="x"),
    case("assert", normal(4), normal(4) + 90, check="assert_less", message=None, summarize=None),
    case("assert", whole(1, 9, 2, 3), I64(0), check="assert_positive", message=None, summarize=None),
    case("assert", np.zeros((0, 3)), np.zeros(3), check="assert_less", message=None, summarize=None),
    case("assert", np.ones((2, 3)), np.ones((2, 1)), F64(0), F64(0), check="assert_near", message=None, summarize=None),
    case("assert_true", np.ones((2, 3), bool), normal(2), summarize=None),
    *at(ANY, lambda d: case("count_nonzero", some(d, 3, 4, 5), axes=(0, 2), keepdims=False)),
    *at(REAL, lambda d: case("reduce_max", some(d, 3, 4, 5), axes=(1,), keepdims=True)),
    *at(REAL, lambda d: case("reduce_min", some(d, 30), axes=(0,), keepdims=False)),
    *at(("int8", "uint16", I64), lambda d: case("reduce_sum", some(d, 3, 4, 5), axes=(0, 2), keepdims=False)),
    *at(("int8", "uint16", I32), lambda d: case("reduce_mean", some(d, 3, 4, 5), axes=(0, 2), keepdims=False)),
    *at(("int8", "uint16", I32), lambda d: case("reduce_prod", some(d, 3, 4, 5), axes=(0, 2), keepdims=False)),
    case("reduce_max", normal(3, 0), axes=(1,), keepdims=False),
    case("reduce_min", whole(0, 9, 0, 3, dtype=I32), axes=(0,), keepdims=False),
    case("finite_maximum", np.array([[1, np.inf], [np.nan, 2], [-3, -4]], F32), axes=(1,)),
    case("reduce_logsumexp", normal(3, 0), axes=(1,), keepdims=False),
    case("reduce_euclidean_norm", whole(0, 9, 3, 4), axes=(1,), keepdims=False),
    *pools(some(np.dtype(F32), 2, 7, 6, 3), POOL),
    *pools(normal(2, 9, 3, dtype=F64), FAR),
    case("max_pool", whole(-9, 9, 2, 7, 6, 3, dtype=I32), **POOL),
    case("max_pool", whole(0, 9, 2, 7, 6, 3).astype(np.uint8), **POOL),
    case("linear_recurrence", normal(4, 5), normal(4, 5), axis=0, reverse=True),
    case("linear_recurrence", normal(2, 5, dtype=F64), normal(2, 5, dtype=F64), axis=1, reverse=False),
]
"""Elements that are moved, chosen or counted, or computed one by one."""
