"""The kernels of index maps move what NumPy moves, and fused groups read through them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.compiler.recorded import record

DTYPES = ["bool", "int8", "int16", "float32", "int64", "complex64", "complex128"]


def assert_moves(row, *arrays, shares=1, **attributes):
    """The launches of a row write what it gives."""
    arrays = [np.asarray(array) for array in arrays]
    wanted = row.run(*arrays, **attributes)
    wanted = wanted if type(wanted) is tuple else (wanted,)
    found = row.lowering.launches(arrays, wanted, **attributes)
    assert found is not None
    if found.alias:
        np.testing.assert_array_equal(wanted[0].ravel(), arrays[0].ravel()[: wanted[0].size])
        return
    outputs = [np.full(array.shape, 7, array.dtype) for array in wanted]
    assert run_launches(found, arrays, outputs, shares) is None
    for got, expected in zip(outputs, wanted, strict=True):
        np.testing.assert_array_equal(got, expected)


def numbers(shape, dtype="float32"):
    return np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 251 + 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_in_every_width(dtype):
    x = numbers((3, 4, 5), dtype)
    assert_moves(TABLE["transpose"], x, perm=(2, 0, 1))
    assert_moves(TABLE["reverse"], x, axes=(0, 2))
    assert_moves(TABLE["strided_slice"], x, key=((0, 3, 2), None, 1, (4, None, -2)))
    assert_moves(TABLE["strided_slice_gradient"], x[:, 1], key=((1, 4, 1), 2, (0, 5, 1)), shape=(5, 6, 5))
    assert_moves(TABLE["broadcast_to"], x[:, :1], shape=(2, 3, 7, 5))
    assert_moves(TABLE["tile"], x, multiples=(2, 1, 3))
    assert_moves(TABLE["split"], x, sizes=(1, 3), axis=1)
    assert_moves(TABLE["unstack"], x, axis=2)
    assert_moves(TABLE["concat"], x, x[:, :1] * x.dtype.type(1), axis=1)
    assert_moves(TABLE["stack"], x, x, x, axis=1)
    assert_moves(TABLE["pad"], x, np.array(1, dtype), paddings=((1, 0), (0, 2), (3, 3)))
    assert_moves(TABLE["reshape"], x, shape=(12, 5))


@pytest.mark.parametrize("shape", [(), (1,), (5,), (1, 1), (3, 1), (1, 4), (2, 3, 4)])
def test_sizes_at_the_edge(shape):
    x = numbers(shape)
    rank = len(shape)
    assert_moves(TABLE["transpose"], x, perm=tuple(range(rank))[::-1])
    assert_moves(TABLE["reverse"], x, axes=tuple(range(rank)))
    assert_moves(TABLE["broadcast_to"], x, shape=(3, *shape))
    assert_moves(TABLE["stack"], x, x, axis=rank)
    assert_moves(TABLE["pad"], x, np.float32(9), paddings=((1, 2),) * rank)
    if rank:
        assert_moves(TABLE["concat"], x, x[:0], x, axis=0)
        assert_moves(TABLE["split"], x, sizes=(0, shape[0]), axis=0)
        assert_moves(TABLE["strided_slice"], x, key=((0, 0, 1),))


@pytest.mark.parametrize("shape", [(100, 70), (3, 65, 129), (128, 64), (1, 5000), (2, 3, 50, 40)])
def test_large_transposes(shape):
    for perm in itertools.permutations(range(len(shape))):
        for shares in (1, 3):
            assert_moves(TABLE["transpose"], numbers(shape), perm=perm, shares=shares)


@pytest.mark.parametrize("shares", [1, 2, 5, 64])
def test_any_cut_into_shares(shares):
    x = numbers((3, 5, 7))
    assert_moves(TABLE["transpose"], x, perm=(1, 2, 0), shares=shares)
    assert_moves(TABLE["concat"], x, x, axis=2, shares=shares)
    assert_moves(TABLE["pad"], x, np.float32(0), paddings=((1, 1),) * 3, shares=shares)


def test_strings_have_no_kernels():
    x = np.array([b"a", b"b"], object)
    assert TABLE["reverse"].lowering.launches((x,), (x,), axes=(0,)) is None


@st.composite
def chains(draw):
    return draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)), draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99)), min_size=1, max_size=5)
    )


def index_map(x, kind, number):
    """``x`` moved in one of seven ways."""
    rank = x.shape.rank
    axis = number % rank
    match kind:
        case 0:
            return tf.transpose(x, np.roll(range(rank), number))
        case 1:
            return tf.reverse(x, [axis])
        case 2:
            return x[(slice(None),) * axis + (slice(None, None, 1 + number % 3),)]
        case 3:
            return tf.reshape(x, (-1, x.shape[0])) if number % 2 else tf.reshape(x, (-1,))
        case 4:
            return tf.tile(x, [1 + (number % 2) * (i == axis) for i in range(rank)])
        case 5:
            return tf.expand_dims(x, axis)
    return tf.broadcast_to(x[(slice(None),) * axis + (slice(0, 1),)], x.shape)


@settings(max_examples=60, deadline=None)
@given(chains())
def test_chains_by_chance(case):
    shape, steps = case
    x = np.random.default_rng(0).normal(size=shape)

    def program(x):
        y = x
        for kind, number in steps:
            y = index_map(y, kind, number)
        return y * 2.0 + 1.0, y, tf.reduce_sum(y * y)

    graph, there = record(program, x)
    fused = fuse(graph)
    for found, wanted in zip(interpret(fused, [x]), there, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for found, wanted in zip(Program(graph)([x]), there, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_a_group_reads_through_views_in_any_order():
    x, w = numbers((6, 8)), numbers((8, 6))

    def program(x, w):
        return tf.transpose(w) - x[::-1] * x[:, 2:3] + tf.concat([x], 0)

    graph, there = record(program, x, w)
    (node,) = [node for node in fuse(graph).nodes if node.kind is Kind.FUSED]
    assert {source.array for source in node.payload.inputs} == {0, 1}
    arrays = {0: x, 1: w} if node.inputs[0].shape == (6, 8) else {0: w, 1: x}
    output = np.empty((6, 8), np.float32)
    for shares in (1, 5):
        run_launches(launches_of_group(node.payload), list(arrays.values()), [output], shares)
        np.testing.assert_array_equal(output, there[0])


def test_of_several_views_one_may_be_made_before_the_others():
    def program(x):
        a, b = tf.unstack(tf.transpose(x)[1:])
        return tf.sort(b), tf.sort(a)

    x = np.random.default_rng(0).normal(size=(4, 3))
    graph, _ = record(program, x)
    b, a = Program(graph)([x])
    np.testing.assert_array_equal(a, np.sort(x[:, 1]))
    np.testing.assert_array_equal(b, np.sort(x[:, 2]))
