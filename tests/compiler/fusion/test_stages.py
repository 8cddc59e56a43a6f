"""Groups with several functions are computed in several loops, and give the same."""

import linecache

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.compiler.recorded import record
from tests.kernels.in_place import written_over


def chain(x, w):
    h = tf.sin(x * w)
    g = tf.tanh(h + w)
    positive = g > 0.1
    h = tf.exp(g * x) + h
    return tf.where(positive, tf.cos(h), g - x) * 0.5


def chain_with_everything(x, w):
    h = tf.sin(x * w)
    g = tf.tanh(h + w)
    k = tf.exp(g * x) + h
    return [h, g, k, tf.cos(k) * w, g > 0.1]


def mean_of_chain(x, w):
    h = tf.tanh(tf.sin(x * w) + w)
    return [h, tf.reduce_mean(tf.exp(h) * x)]


def columns_of_chain(x, w):
    h = tf.tanh(tf.sin(x * w) + w)
    return [tf.reduce_sum(tf.exp(h) * x, axis=0), h]


def softmax_of_chain(x, w):
    return tf.nn.softmax(tf.exp(tf.tanh(tf.sin(x * w) + w)))


def known(graph, arrays):
    """The arrays of constants and arguments."""
    made = {id(n.outputs[0]): n.payload for n in graph.nodes if n.kind is Kind.CONSTANT}
    return made | {id(n.outputs[0]): arrays[n.payload] for n in graph.nodes if n.kind is Kind.ARGUMENT}


def run(program, arrays, shares=1):
    """What the kernels of a program's FUSED nodes give, and what their rows give."""
    graph = fuse(record(program, *arrays)[0])
    made = known(graph, arrays)
    found, wanted = [], []
    for node in graph.nodes:
        if node.kind is Kind.OPERATION:
            made[id(node.outputs[0])] = np.asarray(
                node.payload.run(*[made[id(v)] for v in node.inputs], **node.attributes)
            )
        if node.kind is not Kind.FUSED:
            continue
        inputs = [made[id(value)] for value in node.inputs]
        outputs = [np.empty(value.shape, value.dtype) for value in node.outputs]
        run_launches(launches_of_group(node.payload), inputs, outputs, shares)
        made |= {id(value): array for value, array in zip(node.outputs, outputs, strict=True)}
        found += outputs
        wanted += node.payload.run(*inputs)
    return found, wanted


def gelu_and_its_gradient(x, w):
    return [TABLE["gelu_gradient"](w * x, x), tf.nn.gelu(x)]


def gelu_and_its_gradient_in_the_tanh_form(x, w):
    return [TABLE["gelu_tanh_gradient"](w * x, x), tf.nn.gelu(x, approximate=True)]


LINE, ROWS, COLUMNS = ((3000,), ()), ((7, 700), (700,)), ((700, 7), (700, 1))
CASES = [
    (chain, LINE, "float32"),
    (chain, ROWS, "float16"),
    (chain, COLUMNS, "bfloat16"),
    (chain_with_everything, LINE, "float64"),
    (chain_with_everything, ROWS, "float32"),
    (mean_of_chain, LINE, "float32"),
    (mean_of_chain, ROWS, "float16"),
    (columns_of_chain, ROWS, "float32"),
    (columns_of_chain, COLUMNS, "float64"),
    (gelu_and_its_gradient, LINE, "float64"),
    (gelu_and_its_gradient, ROWS, "float32"),
    (gelu_and_its_gradient_in_the_tanh_form, ROWS, "float32"),
    (softmax_of_chain, ROWS, "float32"),
    (softmax_of_chain, COLUMNS, "float32"),
]


@pytest.mark.parametrize(("program", "shapes", "dtype"), CASES)
def test_chains(program, shapes, dtype):
    number = tf.as_dtype(dtype).numpy
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=shape)).astype(number) for shape in shapes]
    found, wanted = run(program, arrays)
    rtol = {"float16": 1e-2, "bfloat16": 1e-1, "float32": 3e-5, "float64": 1e-13}[dtype]
    for got, expected in zip(found, wanted, strict=True):
        expected = np.asarray(expected)
        assert got.dtype == expected.dtype
        if got.dtype == bool:
            assert (got != expected).mean() < 0.01
        else:
            got, expected = got.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)
    again, _ = run(program, arrays, shares=3)
    for got, other in zip(found, again, strict=True):
        assert got.tobytes() == other.tobytes()


def in_place(launches, given, shapes):
    """What a group's kernels give for each pair of a result and an input whose memory it may take."""
    for output, number in launches.in_place:
        inputs = [array.copy() for array in given]
        outputs = [np.empty(shape, np.float32) for shape in shapes]
        outputs[output] = inputs[number].reshape(shapes[output])
        run_launches(written_over(launches, inputs, outputs, {output: number}), inputs, outputs)
        yield outputs


def test_what_is_written_early_is_not_written_over_what_is_read_later():
    x, w = np.linspace(-2, 2, 2000, dtype=np.float32), np.float32(0.75) * np.ones(2000, np.float32)
    graph = fuse(record(lambda x, w: chain_with_everything(x, w)[:4], x, w)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    launches = launches_of_group(node.payload)
    made = known(graph, [x, w])
    given = [made[id(value)] for value in node.inputs]
    wanted = node.payload.run(*given)
    for outputs in in_place(launches, given, [value.shape for value in node.outputs]):
        for got, expected in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert {output for output, _ in launches.in_place} == {2, 3}


def gates_and_their_gradients(gates, c, g):
    """A time step of an LSTM, and the way back: many results, and inputs that several of its loops read."""
    f = tf.sigmoid(gates[:, 1])
    kept = f * c
    i, n = tf.sigmoid(gates[:, 0]), tf.tanh(gates[:, 2])
    cell, o = kept + i * n, tf.sigmoid(gates[:, 3])
    bent = tf.tanh(cell)
    h, dc = o * bent, g * o * (1.0 - bent * bent)
    by_gates = [g * bent * (o * (1.0 - o)), dc * i * (1.0 - n * n), dc * n * (i * (1.0 - i))]
    return [h, *by_gates, dc * f, dc * c * (f * (1.0 - f))]


@pytest.mark.parametrize("size", [7, 16, 33, 600])
def test_what_a_loop_reads_for_one_result_is_not_lost_to_another(size):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((size, 4), (size,), (size,))]
    graph = fuse(record(gates_and_their_gradients, *arrays)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    launches, made = launches_of_group(node.payload), known(graph, arrays)
    given, shapes = [np.asarray(made[id(value)]) for value in node.inputs], [value.shape for value in node.outputs]
    wanted = [np.empty(shape, np.float32) for shape in shapes]
    run_launches(launches, given, wanted)
    assert launches.in_place
    for outputs in in_place(launches, given, shapes):
        assert [y.tobytes() for y in outputs] == [y.tobytes() for y in wanted]


def test_each_loop_has_one_function():
    x = np.ones(1000, np.float32)
    graph = fuse(record(chain, x, x)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    (launch,) = launches_of_group(node.payload).launches
    lines = linecache.getlines(f"<fastgrad kernel {launch.kernel.__name__}>")
    loops = "".join(lines).split("for lane")[1:]
    assert [sum(f" {name}(" in loop for name in ("sin", "tanh", "exp", "cos")) for loop in loops] == [1, 1, 1, 1]


@pytest.mark.parametrize("program", [gelu_and_its_gradient, gelu_and_its_gradient_in_the_tanh_form])
def test_an_activation_and_its_gradient_share_a_loop(program):
    x = np.ones(1000, np.float32)
    graph = fuse(record(program, x, x)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    (launch,) = launches_of_group(node.payload).launches
    lines = linecache.getlines(f"<fastgrad kernel {launch.kernel.__name__}>")
    assert "for lane" not in "".join(lines)
