"""Groups with reductions: right to rounding, as accurate as NumPy's sums, and of the same bits however work is shared."""

import linecache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.fusion import emit_reduction
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.compiler.fusion.reduction_cases import AXES, SHAPES, assert_near, beside_its_maximum, numbers
from tests.compiler.recorded import record
from tests.kernels.in_place import written_over

SHARES = (1, 2, 7)


def assert_reduces(program, *arrays, groups=1, rtol=None):
    """The groups of ``program`` give by their kernels what their operations give, the same bits for any cut of the work."""
    graph = fuse(record(program, *arrays)[0])
    nodes = [node for node in graph.nodes if node.kind is Kind.FUSED]
    assert len(nodes) == groups
    values = {id(n.outputs[0]): arrays[n.payload] for n in graph.nodes if n.kind is Kind.ARGUMENT}
    for node in graph.nodes:
        if node.kind is Kind.CONSTANT:
            values[id(node.outputs[0])] = node.payload
        elif node.kind is Kind.OPERATION:
            found = node.payload.run(*[values[id(v)] for v in node.inputs], **node.attributes)
            values |= {id(v): np.asarray(y) for v, y in zip(node.outputs, (found,), strict=True)}
        elif node.kind is Kind.FUSED:
            inputs = [np.ascontiguousarray(values[id(v)]).reshape(v.shape) for v in node.inputs]
            wanted = node.payload.run(*inputs)
            bits = None
            for shares in SHARES:
                outputs = [np.full(v.shape, 3, v.dtype) for v in node.outputs]
                run_launches(launches_of_group(node.payload), inputs, outputs, shares)
                assert bits in {None, b"".join(y.tobytes() for y in outputs)}
                bits = b"".join(y.tobytes() for y in outputs)
            for value, got, expected in zip(node.outputs, outputs, wanted, strict=True):
                assert_near(got, expected, str(node), rtol)
                values[id(value)] = expected
    return [node.payload for node in nodes]


FLOATS = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_over_any_axes(shape, dtype):
    x = numbers(*shape, dtype=dtype)
    for axis in AXES:

        def program(x, axis=axis):
            y = x * 1.5
            return tf.reduce_mean(y, axis=axis), tf.reduce_max(y, axis=axis)

        assert_reduces(program, x)


@pytest.mark.parametrize("shape", [(3, 4, 70), (2, 1, 3)])
@pytest.mark.parametrize("axis", [1, 2])
def test_every_reduction(shape, axis):
    def program(x):
        y = x * 1.5
        found = [f(y, axis=axis) for f in (tf.reduce_sum, tf.reduce_min, tf.reduce_prod, tf.norm)]
        return [*found, tf.reduce_any(y > 2, axis=axis), tf.reduce_all(y > -2, axis=axis)]

    assert_reduces(program, numbers(*shape))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_values_that_are_no_numbers(axis):
    x = numbers(6, 40, dtype=np.float32)
    x[1, 3] = np.nan
    x[2, 5] = np.inf
    x[3, 7] = -np.inf
    x[4, 8:10] = np.inf, -np.inf
    x[:, 0] = -np.inf

    def program(x):
        y = x + 0.0
        return [f(y, axis=axis) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min)]

    assert_reduces(program, x)
    assert_reduces(program, np.full((6, 40), -np.inf))


@pytest.mark.parametrize("shape", [(3, 20), (70, 3), (3, 7, 300)])
def test_zeros_keep_their_sign_in_sums(shape):
    graph = fuse(record(lambda x: tf.reduce_sum(x * 1.0, axis=0), np.full(shape, -0.0))[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    y = np.empty(shape[1:])
    run_launches(launches_of_group(node.payload), [np.full(shape, -0.0), np.array(1.0)][: len(node.inputs)], [y])
    assert np.signbit(y).all()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int16", "uint64"])
def test_integers_wrap_around_and_compare(dtype):
    ends = np.iinfo(dtype)
    x = np.array([[ends.max, 1, 5], [7, ends.min, 3]], dtype)
    for axis in (None, 0):

        def program(x, axis=axis):
            return [f(x, axis=axis) for f in (tf.reduce_sum, tf.reduce_prod, tf.reduce_max, tf.reduce_min)]

        assert_reduces(program, x)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_widths_are_summed_in_float32(dtype):
    x = tf.cast(numbers(40, 70), dtype).numpy()

    def program(x):
        y = x * 2.0
        return [f(y, axis=1) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min)]

    graph = fuse(record(program, x)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    outputs = [np.empty(value.shape, value.dtype) for value in node.outputs]
    run_launches(launches_of_group(node.payload), [x, np.asarray(2.0, x.dtype)], outputs)
    for found, wanted in zip(outputs, node.payload.run(x, np.asarray(2.0, x.dtype)), strict=True):
        np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol=0.01)


@pytest.mark.parametrize("shape", [(700_001,), (5, 140_001), (140_001, 5), (3, 700, 257)])
def test_long_reductions_in_parts(shape):
    x = np.random.default_rng(0).uniform(0.5, 1.5, size=shape).astype(np.float32)
    for axis in [None, 0, len(shape) - 1]:

        def program(x, axis=axis):
            y = x * 2.0 - 1.0
            return tf.reduce_mean(y, axis=axis) * 0.5, y, tf.reduce_max(y, axis=axis)

        for payload in assert_reduces(program, x):
            assert len(launches_of_group(payload).launches) <= 2
    exact = x.astype(np.float64) * 2.0 - 1.0
    graph = fuse(record(lambda x: tf.reduce_sum(x * 2.0 - 1.0), x)[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    found = np.empty((), np.float32)
    inputs = [x, np.float32(2.0), np.float32(1.0)]
    run_launches(launches_of_group(node.payload), [np.asarray(a) for a in inputs], [found])
    assert abs(found - exact.sum()) <= 2e-7 * exact.sum()


@pytest.mark.parametrize("shape", [(3, 200_001), (2500, 257), (200_001, 3)])
def test_long_reductions_of_rows_in_parts(shape):
    x = np.random.default_rng(0).uniform(0.5, 1.5, size=shape).astype(np.float32)
    assert_reduces(lambda x: tf.reduce_mean(x * x[:1]), x)
    assert_reduces(lambda x: (tf.reduce_max(x - x[:, 1:2]), x - x[:, 1:2]), x)


@pytest.mark.parametrize("shape", [(1 << 20,), (1 << 10, 1 << 10), (1 << 14, 60), (60, 1 << 14)])
def test_sums_are_as_accurate_as_pairwise_ones(shape):
    x = np.full(shape, 0.1, np.float32)
    for axis in [None, 0, len(shape) - 1]:
        graph = fuse(record(lambda x, axis=axis: tf.reduce_sum(x, axis=axis), x)[0])
        (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
        found = np.empty(node.outputs[0].shape, np.float32)
        run_launches(launches_of_group(node.payload), [x], [found])
        exact = x.astype(np.float64).sum(axis=axis)
        np.testing.assert_allclose(found, exact, rtol=4e-6)


def test_inputs_that_broadcast():
    x, row, column, middle = numbers(4, 5, 6), numbers(6), numbers(4, 5, 1), numbers(4, 1, 6)
    for axis in AXES:
        assert_reduces(
            lambda x, row, column, middle, axis=axis: tf.reduce_sum((x * row + column) * middle, axis=axis),
            x,
            row,
            column,
            middle,
        )


def test_what_is_left_goes_on():
    x, row, column = numbers(40, 50), numbers(50), numbers(40)

    def rows(x, row, column):
        mean = tf.reduce_mean(x * row, axis=1, keepdims=True)
        return tf.sqrt(tf.abs(tf.reshape(mean, (40,)) - column)) * 2.0, mean

    def columns(x, row, column):
        total = tf.reduce_sum(x * tf.reshape(column, (40, 1)), axis=0)
        return row - 0.1 * total, total

    assert_reduces(rows, x, row, column)
    (payload,) = assert_reduces(columns, x, row, column)
    (source,) = [source for source in payload.inputs if source.kept and any(source.strides)]
    assert launches_of_group(payload).in_place == ((1, source.array),)


def test_bias_gradient_and_step_are_one_kernel():
    x, b, w = numbers(64, 10), numbers(10), numbers(64, 10)

    def program(x, b, w):
        with tf.GradientTape() as tape:
            tape.watch(b)
            y = tf.nn.relu(x + b) * w
        return b - 0.1 * tape.gradient(y, b)

    assert_reduces(program, x, b, w)


UNARY = [tf.tanh, tf.abs, tf.square, lambda x: x * 0.5 - 1.0, lambda x: tf.exp(-tf.abs(x))]
REDUCERS = [tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_min]


@st.composite
def programs(draw):
    sizes = st.sampled_from([1, 2, 3, 17, 33, 65, 300])
    shape = draw(st.lists(sizes, min_size=1, max_size=3))
    steps = draw(st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=3, max_size=8))
    return shape, steps, draw(st.sampled_from(FLOATS))


@settings(max_examples=8, deadline=None)
@given(programs())
def test_programs_by_chance(case):
    shape, steps, dtype = case
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype), rng.normal(size=shape[-1:]).astype(dtype)]

    def program(*inputs):
        values = list(inputs)
        for kind, which, first, second in steps:
            x, y = values[first % len(values)], values[second % len(values)]
            if kind % 3 == 0 and x.shape.rank:
                axes = [a for a in range(x.shape.rank) if (which >> a) % 2 == 0] or [0]
                values.append(REDUCERS[which % 4](x, axis=axes, keepdims=kind % 2 == 0))
            elif kind % 3 == 1:
                values.append(UNARY[which % len(UNARY)](x))
            else:
                try:
                    values.append(tf.maximum(x, y) if which % 2 else x * y)
                except tf.errors.InvalidArgumentError:
                    values.append(tf.transpose(x))
        return values[2:]

    graph, there = record(program, *arrays)
    fused = fuse(graph)
    for found, wanted in zip(interpret(fused, arrays), there, strict=True):
        np.testing.assert_array_equal(found, wanted)
    groups = sum(node.kind is Kind.FUSED for node in fused.nodes)
    assert_reduces(program, *arrays, groups=groups, rtol=1e-5 if dtype is np.float32 else 1e-12)


def test_a_new_size_finds_its_kernel():
    def kernels(rows):
        graph = fuse(record(lambda x: tf.reduce_mean(tf.exp(x) * 2.0, axis=0), np.ones((rows, 40)))[0])
        return [
            launch.kernel
            for node in graph.nodes
            if node.kind is Kind.FUSED
            for launch in launches_of_group(node.payload).launches
        ]

    assert kernels(8) == kernels(13) == kernels(500)


def test_small_reductions_are_one_launch():
    assert emit_reduction.LEAST_SPLIT_ELEMENTS > 64 * 1024
    graph = fuse(record(lambda x: tf.reduce_mean(x * x), numbers(64, 1024))[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    assert len(launches_of_group(node.payload).launches) == 1


def softmax(x, axis):
    e = tf.exp(x - tf.reduce_max(x, axis=axis, keepdims=True))
    return e / tf.reduce_sum(e, axis=axis, keepdims=True)


def standardized(x, axis):
    centred = x - tf.reduce_mean(x, axis=axis, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=axis, keepdims=True)
    return centred * tf.math.rsqrt(variance + 1e-3), variance


def log_softmax_and_entropy(x, axis):
    shifted = x - tf.reduce_max(x, axis=axis, keepdims=True)
    y = shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=axis, keepdims=True))
    return y, tf.reduce_sum(tf.exp(y) * y, axis=axis)


def most_of_all(x, axis):
    largest = tf.equal(x, tf.reduce_max(x, axis=axis, keepdims=True))
    return tf.where(largest, tf.tanh(x), 0.0), tf.reduce_any(x > 2.0, axis=axis, keepdims=True) | (x < 0.0)


@pytest.mark.parametrize(
    ("program", "dtype"),
    [
        (softmax, np.float32),
        (standardized, np.float32),
        (log_softmax_and_entropy, np.float64),
        (most_of_all, np.float64),
    ],
)
def test_reduced_values_go_back_into_their_elements(program, dtype):
    for shape, axis in [((5, 7), 1), ((2, 3, 300), 2), ((70, 5), 0), ((3, 9, 280), 1)]:
        x = numbers(*shape, dtype=dtype)
        (payload,) = assert_reduces(lambda x, axis=axis: program(x * 2.0, axis), x, rtol=64 * np.finfo(dtype).eps)
        assert len(launches_of_group(payload).launches) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_a_value_that_goes_back_is_reduced_again(axis):
    def program(x):
        total = tf.reduce_sum(x * 2.0, axis=axis, keepdims=True)
        return tf.reduce_sum(tf.broadcast_to(tf.tanh(total), x.shape), axis=axis), x - total

    assert_reduces(program, numbers(5, 40))


def test_what_is_dear_is_computed_once():
    graph = fuse(record(lambda x: softmax(x * 2.0, 1), numbers(5, 50))[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    found = launches_of_group(node.payload)
    source = "".join(linecache.getlines(f"<fastgrad kernel {found.launches[0].kernel.__self__.name}>"))
    assert source.count(" exp(") == 1
    assert not found.scratch  # it waits where the result will be
    assert found.in_place == ()
    graph = fuse(record(lambda x: standardized(x, 1)[0], numbers(5, 50))[0])
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    assert launches_of_group(node.payload).in_place == ((0, 0),)


@settings(max_examples=8, deadline=None)
@given(programs())
def test_results_over_inputs_by_chance(case):
    shape, steps, dtype = case
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for _ in range(3)]

    def program(*inputs):
        values = list(inputs)
        for kind, which, first, second in steps:
            x, y = values[first % len(values)], values[second % len(values)]
            if kind % 7 == 6:
                x = x - tf.reduce_max(y, axis=-1, keepdims=True)
            values.append(UNARY[which % len(UNARY)](x) if kind % 2 else x * y)
        return values[3:]

    graph = fuse(record(program, *arrays)[0])
    for node in graph.nodes:
        if node.kind is not Kind.FUSED:
            continue
        found = launches_of_group(node.payload)
        inputs = [np.asarray(rng.normal(size=value.shape)).astype(value.dtype) for value in node.inputs]
        wanted = [np.empty(value.shape, value.dtype) for value in node.outputs]
        run_launches(found, inputs, wanted)
        taken: dict[int, int] = {}  # each result over some input, as many as can be
        for output, array in found.in_place:
            if output not in taken and array not in taken.values():
                taken[output] = array
        copies = [array.copy() for array in inputs]
        outputs = [
            copies[taken[i]].reshape(value.shape) if i in taken else np.empty(value.shape, value.dtype)
            for i, value in enumerate(node.outputs)
        ]
        run_launches(written_over(found, copies, outputs, taken), copies, outputs, shares=3)
        for got, expected in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_a_loop_reads_for_another_result_may_be_written_over(axis):
    """LLVM moved the load of x, for the second result, below the store of the first when it was promised distinct arrays."""
    group = beside_its_maximum(axis)
    found, arrays = (
        launches_of_group(group),
        [numbers(40, 300).astype(np.float32), numbers(40, 300)[::-1].astype(np.float32)],
    )
    assert found.in_place == ((0, 0), (1, 0), (0, 1))
    wanted = group.run(*arrays)
    for output, number in found.in_place:
        given, outputs = [x.copy() for x in arrays], [np.empty((40, 300), np.float32) for _ in range(2)]
        outputs[output] = given[number]
        run_launches(written_over(found, given, outputs, {output: number}), given, outputs)
        for y, z in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(y, z)


def programs_with_values_of_rows():
    """Returns programs in which steps read no more than a value for each row, or a reduced one, and arrays for them."""

    def of_row(x, r):
        gate = tf.tanh(tf.sigmoid(r) * r)
        return tf.reduce_sum(x * gate, -1), tf.cos(gate) + x

    def of_outer_row(x, r):
        return tf.reduce_sum(x * tf.tanh(tf.sigmoid(r)), 0)

    def of_rows_together(x, r):
        return tf.reduce_sum(x + tf.tanh(tf.sigmoid(r) + r))

    def of_reduced(x, r):
        gate = tf.tanh(tf.reduce_mean(x * r, -1, keepdims=True) + r)
        return tf.reduce_sum(tf.exp(x - gate), -1), x * gate

    def of_all_reduced(x, r):
        gate = tf.tanh(tf.reduce_mean(x * r) + tf.sigmoid(r))
        return tf.tanh(gate), gate + x

    programs = of_row, of_outer_row, of_rows_together, of_reduced, of_all_reduced
    return [
        pytest.param(program, (23, columns), id=f"{program.__name__} of {columns} columns")
        for program in programs
        for columns in (3, 70, 1100)
    ]


@pytest.mark.parametrize(("program", "shape"), programs_with_values_of_rows())
def test_what_is_the_same_for_all_elements_of_a_row_is_computed_once(program, shape):
    rows, columns = shape
    arrays = numbers(rows, columns), numbers(rows, 1)
    for payload in assert_reduces(lambda x, r: program(x, tf.broadcast_to(r, shape)), *arrays):
        for launch in launches_of_group(payload).launches:
            lines = linecache.getlines(f"<fastgrad kernel {launch.kernel.__self__.name}>")
            indents = [len(line) - len(line.lstrip()) for line in lines]
            for line, text in enumerate(lines):
                if "tanh(" in text or "sigmoid(" in text:
                    loop = max(k for k in range(line) if indents[k] < indents[line])
                    assert lines[loop].split()[1] not in {"j", "lane"}, "".join(lines)
