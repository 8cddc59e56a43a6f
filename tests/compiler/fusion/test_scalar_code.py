"""Element-wise rows in kernels give what they give as they are, at awkward numbers of every dtype."""

import itertools

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.fusion.scalar_code import FUSIBLE_DTYPES, scalar_code
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.core.operation import HALF_DTYPES, TABLE, Form
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad._src.scalars.formulas import arity_of
from tests.compiler.fusion.awkward_numbers import AWKWARD
from tests.compiler.recorded import record

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = [f"{sign}int{width}" for sign in ("", "u") for width in (8, 16, 32, 64)]
BOOL = np.dtype(bool)

UNTRANSLATED = {
    "SciPy computes them": [
        "erfinv",
        "erfcinv",
        "ndtri",
        "lgamma",
        "digamma",
        "polygamma",
        "zeta",
        "igamma",
        "igammac",
        "igamma_slope",
        "betainc",
        "bessel_i0",
        "bessel_i0e",
        "bessel_i1",
        "bessel_i1e",
        "bessel_j0",
        "bessel_j1",
        "bessel_k0",
        "bessel_k0e",
        "bessel_k1",
        "bessel_k1e",
        "bessel_y0",
        "bessel_y1",
        "dawsn",
        "expint",
        "fresnel_cos",
        "fresnel_sin",
        "spence",
    ],
    "complex numbers": ["complex", "conj", "real", "imag", "angle"],
}
REFUSING = frozenset(["pow", "floordiv", "floor_divide", "floormod", "truncatediv", "truncatemod"])
"""Rows that refuse some integers, which kernels can't."""


def kinds_of(row, dtype):
    """The dtypes of a row's inputs if its numbers have a dtype."""
    if row.name == "where":
        return (BOOL, dtype, dtype)
    if row.name == "masked":
        return (dtype, BOOL)
    if row.name == "add_n":
        return (dtype,) * 3
    count = 1 if row.lowering.elementwise.term is None else arity_of(row.lowering.elementwise.term)
    return (dtype,) * (2 if row.name in {"left_shift", "right_shift", "leaky_relu_gradient"} else count)


def output_of(row, kinds):
    with np.errstate(all="ignore"):
        return np.asarray(row.run(*[np.ones(2, kind) for kind in kinds], **attributes_of(row))).dtype


def attributes_of(row):
    return {"alpha": 0.2} if row.name.startswith("leaky_relu") else {}


def text_of(row, dtype):
    kinds = kinds_of(row, dtype)
    return scalar_code(row.name, ["x"] * len(kinds), kinds, output_of(row, kinds), attributes_of(row))


ROWS = [
    row
    for name, row in TABLE.items()
    if row.form is Form.ELEMENTWISE
    and not any(name in names for names in UNTRANSLATED.values())
    and name
    not in {"cast", "nextafter", "apply_update_by_element"}  # that: tests/compiler/passes/test_expand_updates.py
]


def test_which_rows_are_translated():
    for row in ROWS:
        for dtype in FUSIBLE_DTYPES & (row.dtypes if row.name != "where" else FUSIBLE_DTYPES):
            refuses = row.name in REFUSING and dtype.kind in "iu"
            assert (text_of(row, dtype) is None) == refuses, f"{row.name} of {dtype}"
    for name in itertools.chain(*UNTRANSLATED.values()):
        assert TABLE[name].form is Form.ELEMENTWISE
        assert scalar_code(name, ["x"], [np.dtype(np.float32)], np.dtype(np.float32), {}) is None


def numbers_of(dtype):
    """Pairs of awkward numbers of a dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        numbers = [False, True]
    elif dtype.kind in "iu":
        ends = np.iinfo(dtype)
        numbers = [0, 1, 2, 3, 5, 6, 7, 8, 100, ends.max, ends.max - 1, ends.max // 2, ends.min, ends.min + 1]
        numbers += [-1, -2, -7, -100] if ends.min else []
        numbers += [int(n) for n in np.random.default_rng(0).integers(ends.min, ends.max, 10, dtype)]
    else:
        numbers = AWKWARD
    with np.errstate(all="ignore"):
        return np.array(list(itertools.product(numbers, numbers))).astype(dtype).T.copy()


def run_fused(program, arrays):
    """For each result of a program: the name of the row that made it, what its kernel gives, and what its row gives."""
    graph = fuse(record(program, *arrays)[0])
    made = {id(n.outputs[0]): n.payload for n in graph.nodes if n.kind is Kind.CONSTANT}
    made |= {id(n.outputs[0]): arrays[n.payload] for n in graph.nodes if n.kind is Kind.ARGUMENT}
    results = []
    for node in graph.nodes:
        if node.kind in {Kind.CONSTANT, Kind.ARGUMENT}:
            continue
        assert node.kind is Kind.FUSED, node
        inputs = [made[id(value)] for value in node.inputs]
        outputs = [np.empty(value.shape, value.dtype) for value in node.outputs]
        run_launches(launches_of_group(node.payload), inputs, outputs)
        with np.errstate(all="ignore"):
            wanted = node.payload.run(*inputs)
        for number, value, found, expected in zip(node.payload.outputs, node.outputs, outputs, wanted, strict=True):
            made[id(value)] = found
            name = node.payload.steps[number - len(node.payload.inputs)].row.name
            results.append((name, found, np.asarray(expected)))
    return results


# Rows whose results are the same to the last bit; those of others are within 4 ulp.
ARITHMETIC = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "negative",
        "abs",
        "sign",
        "maximum",
        "minimum",
        "squared_difference",
        "multiply_no_nan",
        "square",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "divide",
        "divide_no_nan",
        "xdivy",
        "floordiv",
        "floor_divide",
        "floormod",
        "truncatediv",
        "truncatemod",
        "floor",
        "ceil",
        "rint",
        "round",
        "identity",
        "normalize",
        "masked",
        "where",
        "relu",
        "relu6",
        "relu_gradient",
        "relu6_gradient",
        "leaky_relu",
        "leaky_relu_gradient",
        "add_n",
        "sqrt_gradient",
        "softsign",
        "angle_of_real",
    ]
)


def assert_same(name, found, wanted):
    assert found.dtype == wanted.dtype
    what = f"{name} {wanted.dtype}"
    zeros = (wanted == 0) & (found == 0)
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(wanted[zeros]), err_msg=what)
    if name in ARITHMETIC or wanted.dtype.kind in "biu":
        same = (found == wanted) | ((found != found) & (wanted != wanted))
        assert same.all(), f"{what}: {found[~same]} is not {wanted[~same]}"
        return
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted), err_msg=what)
    odd = ~np.isfinite(wanted)
    np.testing.assert_array_equal(found[odd].astype(np.float64), wanted[odd].astype(np.float64), err_msg=what)
    found, wanted = found[np.isfinite(wanted)], wanted[np.isfinite(wanted)]
    ulp = np.abs(np.nextafter(wanted, wanted.dtype.type(0)).astype(np.float64) - wanted.astype(np.float64))
    distance = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    smallest = float(np.nextafter(wanted.dtype.type(0), wanted.dtype.type(1)))
    assert (distance <= 4 * np.maximum(ulp, smallest)).all(), (
        f"{what}: {(distance / np.maximum(ulp, smallest)).max()} ulp"
    )


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
def test_rows_at_awkward_numbers(dtype):
    number = tf.as_dtype(dtype).numpy
    x, y = numbers_of(number)
    keep = np.arange(x.size) % 3 == 0
    rows = [row for row in ROWS if (row.name == "where" or number in row.dtypes) and text_of(row, number) is not None]
    for start in range(0, len(rows), 16):

        def program(x, y, keep, part=rows[start : start + 16]):
            results = []
            for row in part:
                given = iter([x, y, x, y])
                kinds = kinds_of(row, number)
                inputs = [
                    keep if i == (row.name == "masked") and kinds[i] != number else next(given)
                    for i in range(len(kinds))
                ]
                if row.name == "where":
                    inputs = [keep, x, y]
                results.append(row(*inputs, **attributes_of(row)))
            return results

        for name, found, wanted in run_fused(program, [x, y, keep]):
            assert_same(name, found, wanted)


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
def test_casts(dtype):
    number = tf.as_dtype(dtype).numpy
    x = numbers_of(number)[0]
    if number.kind not in "biu":
        edges = [
            127.6,
            128,
            -128.5,
            -129,
            255.9,
            256,
            32768,
            65536,
            -70000,
            2.0**31,
            -(2.0**31),
            -(2.0**31) - 3e3,
            2.0**32,
            1e10,
        ]
        edges += [
            2.0**63 - 1025,
            2.0**63,
            -(2.0**63),
            1.5 * 2.0**63,
            2.0**64,
            65519.99,
            65520,
            2.0**-24,
            2.0**-25,
            3e-8,
            1e-40,
        ]
        edges += list(np.random.default_rng(0).normal(size=500) * 10.0 ** np.random.default_rng(1).integers(-8, 6, 500))
        half = np.arange(1 << 10, 1 << 14, 97, dtype=np.uint16).view(np.float16).astype(np.float64)
        edges += list((half[:-1] + half[1:]) / 2 * (1 + 2.0**-40))
        with np.errstate(all="ignore"):
            x = np.concatenate([x, np.array(edges).astype(number), -np.array(edges).astype(number)])
    wanted = [tf.as_dtype(name) for name in ("bool", *INTEGERS, *FLOATS) if name != dtype]
    wanted = [d for d in wanted if not (d == tf.uint32 and number.kind not in "biu")]
    found = run_fused(lambda x: [tf.cast(x, to) for to in wanted], [x])
    assert len(found) == len(wanted)
    for _, got, expected in found:
        assert_same("identity", got, expected)


def test_a_cast_whose_result_depends_on_places_runs_as_it_is():
    for name in FLOATS:
        given = tf.as_dtype(name).numpy
        assert scalar_code("cast", ["x"], [given], np.dtype(np.uint32), {"dtype": "uint32"}) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_next_numbers(dtype):
    x, y = numbers_of(dtype)
    for name, found, wanted in run_fused(lambda x, y: [tf.math.nextafter(x, y), x + y], [x, y]):
        np.testing.assert_array_equal(found, wanted, err_msg=name)


def test_half_widths_are_rounded_after_each_step():
    rng = np.random.default_rng(0)
    for dtype in HALF_DTYPES:
        x, y = [rng.normal(size=3000).astype(dtype) for _ in range(2)]
        results = run_fused(lambda x, y: [(x * y + x) * (y - x) / (x + y), x * 3.0 + 0.1], [x, y])
        for name, found, wanted in results:
            np.testing.assert_array_equal(found, wanted, err_msg=name)
