"""Kernels of fused groups give what the rows of the table give, at awkward numbers, too."""

import itertools
import linecache

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.fusion.scalar_code import scalar_code
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.core.operation import TABLE, Form
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad._src.scalars.formulas import arity_of
from tests.compiler.fusion.awkward_numbers import AWKWARD
from tests.compiler.recorded import record

FLOATS = ["float32", "float64"]


def rows_of(dtypes, output):
    """The rows with an expression for inputs of these dtypes, whose result has the dtype ``output``."""
    found = []
    for name, row in TABLE.items():
        if (
            row.form is not Form.ELEMENTWISE
            or row.lowering.elementwise.term is None
            or name == "cast"
            or dtypes[0] not in row.dtypes
        ):
            continue
        inputs = arity_of(row.lowering.elementwise.term)
        if inputs == len(dtypes) and scalar_code(name, ["x"] * inputs, dtypes, output, {}) is not None:
            found.append(row)
    return found


def run_fused(graph, arrays):
    """What the only FUSED node of a graph gives by its kernel, and by its rows."""
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    made = {id(n.outputs[0]): n.payload for n in graph.nodes if n.kind is Kind.CONSTANT}
    made |= {id(n.outputs[0]): arrays[n.payload] for n in graph.nodes if n.kind is Kind.ARGUMENT}
    inputs = [made[id(value)] for value in node.inputs]
    outputs = [np.empty(value.shape, value.dtype) for value in node.outputs]
    run_launches(launches_of_group(node.payload), inputs, outputs)
    with np.errstate(all="ignore"):
        return node, outputs, node.payload.run(*inputs)


def assert_same(found, wanted, what, rtol):
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, err_msg=what)
        return
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=np.finfo(wanted.dtype).tiny if rtol else 0, err_msg=what)
    zeros = (wanted == 0) & (found == 0)
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(wanted[zeros]), err_msg=what)


@pytest.mark.parametrize("dtype", FLOATS)
def test_rows_at_awkward_numbers(dtype):
    number, boolean = np.dtype(dtype), np.dtype(bool)
    pairs = np.array(list(itertools.product(AWKWARD, AWKWARD)), dtype).T.copy()
    keep = np.arange(pairs.shape[1]) % 3 == 0
    kinds = [(number,), (number,) * 2, (boolean,), (boolean,) * 2]
    cases = list(
        dict.fromkeys((row, kind) for kind in kinds for out in (number, boolean) for row in rows_of(kind, out))
    )
    cases += [(TABLE["masked"], (number, boolean)), (TABLE["where"], (boolean, number, number))]
    cases = [case for case in cases if case[0].name != "angle_of_real"]
    assert {"tanh", "erf", "sigmoid", "maximum", "divide_no_nan", "xlogy", "is_finite", "logical_not"} <= {
        row.name for row, _ in cases
    }
    for start in range(0, len(cases), 40):
        part = cases[start : start + 40]

        def program(x, y, c, part=part):
            results = []
            other = tf.logical_not(c)
            for row, kinds in part:
                numbers, booleans = iter([x, y]), iter([c, other])
                results.append(row(*[next(booleans if kind == boolean else numbers) for kind in kinds]))
            return results

        graph = fuse(record(program, *pairs, keep)[0])
        node, found, wanted = run_fused(graph, [*pairs, keep])
        # 4 ulp of the largest step of an expression
        rtol = 1e-14 if dtype == "float64" else 2e-6
        for step, output, got, expected in zip(node.payload.outputs, node.outputs, found, wanted, strict=True):
            name = node.payload.steps[step - len(node.inputs)].row.name
            assert_same(got, expected, f"{name} {output}", rtol)


@pytest.mark.parametrize("dtype", FLOATS)
def test_casts(dtype):
    x = np.array([np.nan, np.inf, -0.0, 0.0, 1e-300, 1e300, 3.3, -2.0])
    with np.errstate(over="ignore"):
        x = x.astype(dtype)

    def program(x):
        found = [tf.cast(x, to) for to in ("bool", "float32", "float64")]
        return [*found, tf.cast(found[0], "float32"), tf.cast(found[0], "float64"), x + x]

    _, found, wanted = run_fused(fuse(record(program, x)[0]), [x])
    assert len(found) >= 5
    for got, expected in zip(found, wanted, strict=True):
        assert_same(got, expected, "cast", 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_at_many_numbers(dtype):
    x = np.concatenate([np.linspace(-20, 20, 4001), np.geomspace(1e-35, 1e30, 4000), -np.geomspace(1e-35, 0.999, 4000)])
    x = x.astype(dtype)
    functions = [
        tf.math.log1p,
        tf.math.expm1,
        tf.nn.softplus,
        tf.nn.elu,
        tf.exp,
        tf.math.log,
        tf.tanh,
        tf.math.erf,
        tf.sigmoid,
    ]
    _, found, wanted = run_fused(fuse(record(lambda x: [f(x) for f in functions], x)[0]), [x])
    assert len(found) == len(functions)
    for function, got, expected in zip(functions, found, wanted, strict=True):
        assert_same(got, expected, str(function), 8 * np.finfo(dtype).eps)


def test_ways_in_which_inputs_lie():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in [(3, 4, 5), (), (1, 1, 1), (5,), (1, 1, 5), (3, 4, 1)]]

    def program(a, scalar, one, row, flat, column):
        return ((a * scalar + one) * row - flat) * column

    node, found, wanted = run_fused(fuse(record(program, *arrays)[0]), arrays)
    assert node.payload.sizes == (12, 5)
    assert [source.strides for source in node.payload.inputs] == [(5, 1), (0, 0), (0, 0), (0, 1), (0, 1), (1, 0)]
    np.testing.assert_array_equal(found[0], wanted[0])


def test_groups_that_do_the_same_share_a_kernel_for_all_sizes():
    def program(x, y):
        return tf.tanh(x) * y + 1.0

    def kernel_of(*arrays):
        node = next(n for n in fuse(record(program, *arrays)[0]).nodes if n.kind is Kind.FUSED)
        return launches_of_group(node.payload).launches[0].kernel

    first = kernel_of(np.ones((4, 3)), np.ones(3))
    second = kernel_of(np.zeros((2, 8, 7)), np.zeros(7))
    assert first is second
    assert first is not kernel_of(np.ones((4, 3)), np.ones((4, 3)))


def test_the_source_is_there_to_read():
    graph = fuse(record(lambda x: tf.abs(x) * 2.0 - x, np.ones(3, np.float32))[0])
    payload = next(n for n in graph.nodes if n.kind is Kind.FUSED).payload
    kernel = launches_of_group(payload).launches[0].kernel
    source = linecache.getlines(f"<fastgrad kernel {kernel.__self__.name}>")
    assert [line.rstrip() for line in source[1:]] == [
        "    v1 = x1[0]",
        "    for j in range(first, last):",
        "        v0 = x0[j]",
        "        v2 = math.fabs(v0)",
        "        v3 = (v2 * v1)",
        "        v4 = (v3 - v0)",
        "        y0[j] = v4",
    ]


def test_what_the_interpreter_says_of_fused_groups():
    x = np.linspace(-2, 2, 7)
    graph, _ = record(lambda x: tf.exp(-x * x) + x, x)
    np.testing.assert_array_equal(interpret(fuse(graph), [x])[0], interpret(graph, [x])[0])


def test_steps_without_an_input_of_each_element_stand_before_the_loop():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in [(3, 4), (3, 1), ()]]

    def program(a, column, scalar):
        of_scalar, of_rows = tf.tanh(scalar) * 0.5, tf.exp(tf.broadcast_to(column, [3, 4])) + 1.0
        return a * of_rows + of_scalar * a, tf.broadcast_to(of_scalar, [3, 4]) + 0.25

    for node in (n for n in fuse(record(program, *arrays)[0]).nodes if n.kind is Kind.FUSED):
        kernel = launches_of_group(node.payload).launches[0].kernel
        lines = linecache.getlines(f"<fastgrad kernel {kernel.__self__.name}>")
        inside = "".join([line for line in lines if "j" in line or line.startswith(" " * 12)])
        assert "tanh" not in inside
    for part in range(2):
        compiled = tf.function(lambda *xs, part=part: program(*xs)[part])
        for _ in range(3):
            np.testing.assert_allclose(compiled(*map(tf.constant, arrays)), program(*arrays)[part], rtol=1e-14)


def test_a_loop_over_a_scalar_of_float16_compiles_soon():
    @tf.function
    def step(x):
        def body(i, y):
            v.assign(v * 0.9 + 0.01 * tf.cast(i, v.dtype))
            return i + 1, tf.tanh(-y + 0.1 * tf.reduce_mean(v))

        return tf.while_loop(lambda i, y: i < 3, body, (0, tf.reduce_mean(x)))[1]

    v = tf.Variable(np.float16(0.5))
    found = [step(tf.ones([2, 3], "float16")).numpy() for _ in range(3)]
    assert len(set(found)) == 3
