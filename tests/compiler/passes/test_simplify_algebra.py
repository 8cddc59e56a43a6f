"""Rewrites that leave every bit as it is."""

import ml_dtypes
import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.passes.absorb_transposes import absorb_transposes
from fastgrad._src.compiler.passes.algebra_rules import is_lossless_cast
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.simplify_algebra import rules_of, simplify_algebra
from fastgrad._src.core.operation import TABLE
from tests.compiler.passes.programs import assert_does_the_same, operations, record

SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, -np.nan, 1e-45, 3e38], np.float32)
X = np.resize(SPECIAL, (2, 6))
CUBE = np.resize(SPECIAL, (2, 3, 4))
HALF = np.array([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, -np.nan, 6e-8], np.float16)
INTEGERS = np.array([0, 1, -7, 2**31 - 1, -(2**31)], np.int32)
BOOLEANS = np.array([True, False])
COMPLEX = np.array([complex(a, b) for a in (0.0, -0.0, np.inf, np.nan) for b in (0.0, -0.0, -np.inf)])


def row(name, *constants, **attributes):
    return lambda *xs: TABLE[name](*xs, *[tf.constant(c) for c in constants], **attributes)


negative = tf.negative

# What is recorded, at what, and what is left of it.
LEAVES = {
    "x + -0.0": (lambda x: x + -0.0, X, []),
    "-0.0 + x": (lambda x: -0.0 + x, X, []),
    "x + 0.0 is 0.0 at -0.0": (lambda x: x + 0.0, X, ["add"]),
    "x + 0 of integers": (lambda x: x + 0, INTEGERS, []),
    "x - 0.0": (lambda x: x - 0.0, X, []),
    "x - -0.0 is 0.0 at -0.0": (lambda x: x - tf.constant(-0.0), X, ["subtract"]),
    "0.0 - x": (lambda x: 0.0 - x, X, ["subtract"]),
    "complex z - 0": (lambda z: z - tf.constant(0j), COMPLEX, []),
    "complex z + -0": (lambda z: z + tf.constant(complex(-0.0, -0.0)), COMPLEX, []),
    "complex z + 0": (lambda z: z + tf.constant(0j), COMPLEX, ["add"]),
    "x * 1": (lambda x: x * 1.0, X, []),
    "1 * x": (lambda x: 1.0 * x, X, []),
    "x * 0 is NaN at infinity": (lambda x: x * 0.0, X, ["multiply"]),
    "complex z * 1 is NaN at infinity": (lambda z: z * tf.constant(1 + 0j), COMPLEX, ["multiply"]),
    "x * ones": (lambda x: x * tf.ones((2, 6)), X, []),
    "x * ones that broadcast it": (lambda x: x * tf.ones((3, 2, 6)), X, ["multiply"]),
    "x * ones but for one": (lambda x: x * tf.constant([1.0, 1.0, 2.0, 1.0, 1.0, 1.0]), X, ["multiply"]),
    "x * a repeated 1": (lambda x: x * tf.broadcast_to(tf.constant(1.0), (2, 6)), X, []),
    "x * a spread 1": (lambda x: x * row("spread", shape=(2, 6), axes=(0, 1))(tf.constant(1.0)), X, []),
    "x / 1": (lambda x: x / 1.0, X, []),
    "1 / x": (lambda x: 1.0 / x, X, ["divide"]),
    "x / 1 of float16": (lambda x: x / 1.0, HALF, []),
    "x * 1 of bfloat16": (lambda x: x * 1.0, HALF.astype(ml_dtypes.bfloat16), []),
    "multiply_no_nan(x, 1)": (row("multiply_no_nan", np.float32(1)), X, []),
    "x ** 1": (lambda x: x**1.0, X, []),
    "x ** 2": (lambda x: x**2.0, X, ["square"]),
    "i ** 2": (lambda x: x**2, INTEGERS, ["pow"]),
    "x ** twos": (lambda x: x ** tf.constant([2.0] * 6), X, ["pow"]),
    "half ** 2": (lambda x: x**2.0, HALF, ["square"]),
    "divide_no_nan(x, 1)": (row("divide_no_nan", np.float32(1)), X, []),
    "floordiv(i, 1)": (lambda x: x // 1, INTEGERS, []),
    "floordiv(x, 1) is the floor": (lambda x: x // 1.0, X, ["floordiv"]),
    "truncatediv(i, 1)": (lambda x: tf.truncatediv(x, 1), INTEGERS, []),
    "left_shift(i, 0)": (lambda x: tf.bitwise.left_shift(x, 0), INTEGERS, []),
    "right_shift(i, 0)": (lambda x: tf.bitwise.right_shift(x, 0), INTEGERS, []),
    "i | 0": (lambda x: tf.bitwise.bitwise_or(x, 0), INTEGERS, []),
    "i ^ 0": (lambda x: tf.bitwise.bitwise_xor(0, x), INTEGERS, []),
    "i & i": (lambda x: tf.bitwise.bitwise_and(x, x), INTEGERS, []),
    "b | False": (lambda x: tf.logical_or(x, False), BOOLEANS, []),
    "b & True": (lambda x: tf.logical_and(True, x), BOOLEANS, []),
    "b & False": (lambda x: tf.logical_and(x, False), BOOLEANS, ["logical_and"]),
    "where(True, x, y)": (lambda x: tf.where(True, x, x + 1.0), X, []),
    "where(False, x, y)": (lambda x: tf.where(np.zeros((2, 6), bool), x + 1.0, x), X, []),
    "where(c, x, x)": (lambda x: tf.where(x > 0.0, x, x), X, []),
    "where(wide c, x, x)": (lambda x: tf.where(np.zeros((3, 2, 6), bool), x, x + 1.0), X, ["add", "where"]),
    "maximum(x, x)": (lambda x: tf.maximum(x, x), X, []),
    "minimum(x, x)": (lambda x: tf.minimum(x, x), X, []),
    "-(-x)": (lambda x: negative(negative(x)), X, []),
    "-(-i)": (lambda x: negative(negative(x)), INTEGERS, []),
    "-(-(-x))": (lambda x: negative(negative(negative(x))), X, ["negative"]),
    "conj(conj(z))": (lambda z: tf.math.conj(tf.math.conj(z)), COMPLEX, []),
    "invert(invert(i))": (lambda x: tf.bitwise.invert(tf.bitwise.invert(x)), INTEGERS, []),
    "not not b": (lambda x: tf.logical_not(tf.logical_not(x)), BOOLEANS, []),
    "abs(abs(x))": (lambda x: tf.abs(tf.abs(x)), X, ["abs"]),
    "abs(-x)": (lambda x: tf.abs(-x), X, ["abs"]),
    "abs(-z)": (lambda z: tf.abs(-z), COMPLEX, ["abs"]),
    "floor(floor(x))": (lambda x: tf.floor(tf.floor(x)), X, ["floor"]),
    "ceil(ceil(x))": (lambda x: tf.math.ceil(tf.math.ceil(x)), X, ["ceil"]),
    "round(round(x))": (lambda x: tf.round(tf.round(x)), X, ["round"]),
    "rint(rint(x))": (lambda x: tf.math.rint(tf.math.rint(x)), X, ["rint"]),
    "identity": (tf.identity, X, []),
    "stop_gradient": (tf.stop_gradient, X, []),
    "recomputed_input keeps two computations apart": (row("recomputed_input"), X, ["recomputed_input"]),
    "cast to the same": (row("cast", dtype="float32"), X, []),
    "cast there and back": (lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32), X, []),
    "cast there and back by less": (lambda x: tf.cast(tf.cast(x, tf.bfloat16), tf.float32), X, ["cast", "cast"]),
    "cast through wider": (lambda x: tf.cast(tf.cast(x, tf.float64), tf.complex128), X, ["cast"]),
    "cast of booleans": (lambda x: tf.cast(tf.cast(x, tf.float32), tf.bool), BOOLEANS, []),
    "cast of integers through float64": (lambda x: tf.cast(tf.cast(x, tf.float64), tf.int32), INTEGERS, []),
    "cast of integers through float32": (
        lambda x: tf.cast(tf.cast(x, tf.float32), tf.int32),
        INTEGERS[:3],
        ["cast", "cast"],
    ),
    "reshape twice": (lambda x: tf.reshape(tf.reshape(x, [3, 4]), [4, 3]), X, ["reshape"]),
    "reshape and back": (lambda x: tf.reshape(tf.reshape(x, [3, 4]), [2, 6]), X, []),
    "broadcast_to twice": (lambda x: tf.broadcast_to(tf.broadcast_to(x, [1, 2, 6]), [3, 2, 6]), X, ["broadcast_to"]),
    "broadcast_to the same": (row("broadcast_to", shape=(2, 6)), X, []),
    "spread over the same": (row("spread", shape=(2, 6), axes=(0,)), X, []),
    "spread over more": (row("spread", shape=(2, 6, 2), axes=(2,)), X, ["spread"]),
    "tile by 1": (row("tile", multiples=(1, 1)), X, []),
    "pad by 0": (lambda x: tf.pad(x, [[0, 0], [0, 0]]), X, []),
    "pad": (lambda x: tf.pad(x, [[0, 0], [1, 0]]), X, ["pad"]),
    "x[:]": (lambda x: x[:, 0:], X, []),
    "x[::-1]": (lambda x: x[::-1], X, ["strided_slice"]),
    "x[:1]": (lambda x: x[:1], X, ["strided_slice"]),
    "x[0, None] of one row": (lambda x: x[0, None], X[:1], []),
    "transpose twice": (lambda x: tf.transpose(tf.transpose(x, [2, 0, 1]), [2, 0, 1]), CUBE, ["transpose"]),
    "transposes that do not commute": (
        lambda x: tf.transpose(tf.transpose(x, [1, 0, 2]), [2, 0, 1]),
        CUBE,
        ["transpose"],
    ),
    "transpose three times": (
        lambda x: tf.transpose(tf.transpose(tf.transpose(x, [2, 0, 1]), [2, 0, 1]), [2, 0, 1]),
        CUBE,
        [],
    ),
    "transpose and back": (lambda x: tf.transpose(tf.transpose(x, [1, 2, 0]), [2, 0, 1]), CUBE, []),
    "reverse twice": (lambda x: tf.reverse(tf.reverse(x, [1]), [1]), CUBE, []),
    "reverse twice otherwise": (lambda x: tf.reverse(tf.reverse(x, [1, 0]), [1, 2]), CUBE, ["reverse"]),
    "concat of one": (row("concat", axis=0), X, []),
    "stack of unstacked": (lambda x: tf.stack(tf.unstack(x, axis=1), axis=1), X, []),
    "stack along another axis": (lambda x: tf.stack(tf.unstack(x, axis=1), axis=0), X, ["unstack", "stack"]),
    "stack in another order": (lambda x: tf.stack(tf.unstack(x)[::-1]), X, ["unstack", "stack"]),
    "stack of some": (lambda x: tf.stack(tf.unstack(x)[:1]), X, ["unstack", "stack"]),
    "unstack of stacked": (lambda x: tf.unstack(tf.stack([x, x], 1), axis=1), X, []),
    "concat of split": (lambda x: tf.concat(tf.split(x, [1, 2, 3], 1), 1), X, []),
    "split of concat": (lambda x: tf.split(tf.concat([x, x], 1), 2, 1), X, []),
    "split of concat elsewhere": (lambda x: tf.split(tf.concat([x, x], 1), [5, 7], 1), X, ["concat", "split"]),
    "several in a row": (lambda x: tf.reshape(negative(negative(x * 1.0)), [12]) + -0.0, X, ["reshape"]),
}


@pytest.mark.parametrize("case", LEAVES)
def test_what_is_left(case):
    function, array, left = LEAVES[case]
    graph = assert_does_the_same(simplify_algebra, record(function, array), [(array,), (array[::-1].copy(),)])
    assert operations(drop_dead(graph)) == left


def test_every_rule_has_an_example():
    recorded = {name for function, array, _ in LEAVES.values() for name in operations(record(function, array))}
    simplified_rows = {name: row for name, row in TABLE.items() if row.lowering.simplifications is not None}
    assert set(simplified_rows) - recorded == {"matmul"}  # whose examples are below
    assert all(callable(rule) for row in simplified_rows.values() for rule in rules_of(row))


@pytest.mark.parametrize("flags", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("shapes", [((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, np.complex128])
def test_transposes_become_flags_of_a_product(flags, shapes, dtype):
    rng = np.random.default_rng(0)

    def swapped(x):
        axes = list(range(len(x.shape)))
        return tf.transpose(x, [*axes[:-2], axes[-1], axes[-2]])

    a, b = (rng.normal(size=shape).astype(dtype) * 4 for shape in shapes)
    a, b = (np.ascontiguousarray(x.swapaxes(-1, -2)) if flag else x for x, flag in zip((a, b), flags, strict=True))

    def program(a, b):
        turned = tf.matmul(swapped(a), swapped(b), transpose_a=not flags[0], transpose_b=not flags[1])
        plain = tf.matmul(a, swapped(swapped(swapped(b))), transpose_a=flags[0], transpose_b=not flags[1])
        return turned, plain

    simplified = assert_does_the_same(simplify_algebra, record(program, a, b), [(a, b)])
    graph = drop_dead(absorb_transposes(simplified))
    assert operations(graph) == ["matmul", "matmul"]
    for node in graph.nodes[-2:]:
        assert (node.attributes["transpose_a"], node.attributes["transpose_b"]) == flags


def test_a_transpose_stays_where_numpy_computes_the_product():
    graph = simplify_algebra(record(lambda a, b: tf.matmul(a, tf.transpose(b)), np.ones((4, 2)), np.ones((1, 2))))
    assert operations(graph) == ["transpose", "matmul"]
    assert operations(drop_dead(absorb_transposes(graph))) == ["matmul"]


def test_a_transpose_of_other_axes_stays():
    graph = simplify_algebra(record(lambda a: tf.matmul(tf.transpose(a, [1, 0, 2]), a), np.ones((3, 3, 3))))
    assert operations(graph) == ["transpose", "matmul"]


def test_casts_that_lose_nothing():
    numbers = {
        np.dtype(name): value for name, value in [("i1", -128), ("u1", 255), ("i4", 2**31 - 1), ("i8", 2**63 - 1)]
    }
    numbers |= {np.dtype(t): ml_dtypes.finfo(t).max for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)}
    numbers |= {np.dtype(bool): True, np.dtype(np.complex64): 1j, np.dtype(np.complex128): 1e300j}
    for narrow, largest in numbers.items():
        for wide in numbers:
            values = np.array([largest, 1], narrow)
            if narrow.kind not in "biuc":
                values = np.array([largest, ml_dtypes.finfo(narrow).smallest_subnormal, np.inf, np.nan, -0.0], narrow)
            if is_lossless_cast(wide, narrow):
                there = values.astype(wide)
                there = there if narrow.kind == "c" else there.real
                assert there.astype(narrow).tobytes() == values.tobytes(), (wide, narrow)
    assert is_lossless_cast(np.dtype("f4"), np.dtype("i2"))
    assert is_lossless_cast(np.dtype("c8"), np.dtype(ml_dtypes.bfloat16))
    assert is_lossless_cast(np.dtype("f8"), np.dtype("u4"))
    for wide, narrow in [
        ("f8", "i8"),
        ("f4", "i4"),
        ("u8", "i1"),
        ("i4", "u4"),
        ("f4", "f8"),
        ("f8", "c8"),
        ("i8", "f2"),
        ("?", "u1"),
    ]:
        assert not is_lossless_cast(np.dtype(wide), np.dtype(narrow))
    assert not is_lossless_cast(np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
    assert not is_lossless_cast(np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16))
