"""Collectives, eager and compiled, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.ops.collectives import Sharding, all_gather, all_reduce, broadcast
from fastgrad.errors import InvalidArgumentError
from tests.distribute.ranks import on_ranks

DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16")


def arrays(rank, dtype):
    """What a rank gives: small whole numbers, so that sums are exact."""
    rng = np.random.default_rng(rank)
    return [rng.integers(0, 9, shape).astype(dtype) for shape in ((), (3, 5), (1000,), (0, 4))]


@on_ranks(1, 2, 3)
def test_reductions_are_those_of_numpy(rank, size):
    for dtype in DTYPES:
        given = [arrays(r, dtype) for r in range(size)]
        for reduce_op, function in (("sum", np.sum), ("min", np.min), ("max", np.max)):
            wanted = [function(np.stack(parts), axis=0).astype(dtype) for parts in zip(*given, strict=True)]
            for reduce in (all_reduce, fg.function(lambda *xs, op=reduce_op: all_reduce(xs, op))):
                tensors = [fg.constant(x) for x in given[rank]]
                results = reduce(tensors, reduce_op) if reduce is all_reduce else reduce(*tensors)
                for result, expected in zip(results, wanted, strict=True):
                    assert result.dtype.name == dtype
                    np.testing.assert_array_equal(result.numpy(), expected)


@on_ranks(2)
def test_many_runs_of_one_shape(rank, size):
    for step in range(30):
        (total,) = all_reduce([np.full(100_000, rank + step, np.float32)])
        np.testing.assert_array_equal(total.numpy(), np.full(100_000, size * step + sum(range(size))))


@on_ranks(2, 3)
def test_mean(rank, size):
    (mean,) = all_reduce([np.full(3, rank, np.float32)], "mean")
    np.testing.assert_allclose(mean.numpy(), np.full(3, (size - 1) / 2), rtol=1e-6)


@on_ranks(2, 3)
def test_gather_and_broadcast(rank, size):
    for dtype in ("float32", "bool", "int64", "complex64"):
        x = (np.arange(6).reshape(2, 3) + rank).astype(dtype)
        wanted = np.concatenate([(np.arange(6).reshape(2, 3) + r).astype(dtype) for r in range(size)])
        for gather in (all_gather, fg.function(all_gather)):
            np.testing.assert_array_equal(gather(fg.constant(x)).numpy(), wanted)
        for root in range(size):
            wanted = (np.arange(6).reshape(2, 3) + root).astype(dtype)
            np.testing.assert_array_equal(broadcast(fg.constant(x), root).numpy(), wanted)


@on_ranks(1, 2, 3)
def test_tensors_without_elements(rank, size):
    s = fg.distribute.MultiWorkerMirroredStrategy()
    for wrap in (lambda function: function, fg.function):
        assert wrap(lambda: fg.distribute.allgather(fg.zeros([0, 4])))().shape == [0, 4]
        assert wrap(lambda: s.gather(fg.zeros([2, 0]), axis=0))().shape == [2 * size, 0]
        assert wrap(lambda: s.reduce("SUM", fg.zeros([0, 3]), axis=None))().shape == [0, 3]
        assert wrap(lambda: fg.distribute.broadcast(fg.zeros([0, 4]), 0))().shape == [0, 4]
        empty, full = wrap(
            lambda: fg.distribute.grouped_allreduce([fg.zeros([0, 4]), fg.ones([2])], op=fg.distribute.Sum)
        )()
        assert empty.shape == [0, 4]
        np.testing.assert_array_equal(full, np.full(2, size))
    assert fg.distribute.allreduce(fg.zeros([0, 4]), compression=fg.distribute.Compression.bf16).shape == [0, 4]
    with s.scope():
        variables = [fg.Variable(fg.zeros([0, 3])), fg.Variable([1.0, 2.0])]
    fg.distribute.broadcast_variables(variables, 0)
    for optimizer in (fg.keras.optimizers.SGD(0.5), fg.keras.optimizers.SGD(0.5).sharded()):
        gradients = [fg.zeros([0, 3]), fg.ones([2])]
        before = variables[1].numpy()
        with s.scope():
            s.run(optimizer.apply_gradients, args=(list(zip(gradients, variables, strict=True)),))
        np.testing.assert_array_equal(variables[1], before - 0.5 * size)


@on_ranks(2)
def test_gradients_flow_through_collectives(rank, size):
    x = fg.constant([1.0 + rank, 2.0])
    with fg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        total = fg.reduce_sum(all_reduce([x])[0] ** 2) * (rank + 1.0)
        rows = fg.reduce_sum(all_gather(x) * [1.0, 2.0, 3.0, 4.0]) * (rank + 1.0)
        first = fg.reduce_sum(broadcast(x, 0) * 2.0)
    sums = np.array([3.0, 4.0])
    np.testing.assert_allclose(tape.gradient(total, x), 2 * sums * 3)
    np.testing.assert_allclose(tape.gradient(rows, x), 3 * np.array([1.0, 2.0]) + 6 * rank)
    np.testing.assert_allclose(tape.gradient(first, x), [4.0, 4.0] if rank == 0 else [0.0, 0.0])


@on_ranks(2, 3)
def test_bfloat16_on_the_wire(rank, size):
    """Each number is rounded to bfloat16, summed in float32, and the total is rounded."""
    shapes = ((), (5, 7), (1000,), (3,))
    given = [
        [np.random.default_rng(10 * r + i).normal(size=s).astype("float32") for i, s in enumerate(shapes)]
        for r in range(size)
    ]

    def rounded(x):
        return fg.cast(fg.cast(x, fg.bfloat16), fg.float32).numpy()

    totals = []
    for parts in zip(*given, strict=True):
        total = np.zeros_like(parts[0])
        for part in parts:
            total = total + rounded(part)
        totals.append(rounded(total))
    compiled = fg.function(lambda *xs: all_reduce(xs, wire_dtype="bfloat16"))
    for _ in range(10):
        for results in (all_reduce(given[rank], wire_dtype="bfloat16"), compiled(*map(fg.constant, given[rank]))):
            for result, total in zip(results, totals, strict=True):
                np.testing.assert_array_equal(result.numpy(), total)


@on_ranks(2)
def test_ranks_that_reduce_different_shapes_get_an_error(rank, size):
    with pytest.raises(fg.errors.UnavailableError):
        all_reduce([np.zeros(16 + rank, np.float32)])


def test_arguments_are_checked():
    with pytest.raises(InvalidArgumentError, match="takes one of"):
        all_reduce([1.0], "median")
    with pytest.raises(InvalidArgumentError, match="rank 1 or more"):
        all_gather(1.0)
    with pytest.raises(InvalidArgumentError, match="takes a rank"):
        broadcast(1.0, 3)


@on_ranks(2, 3)
def test_parts_of_sums_and_their_gathering(rank, size):
    shapes = ((3, 5), (), (700,), (2, 2))
    given = [[np.random.default_rng(9 * r + i).normal(size=s) for i, s in enumerate(shapes)] for r in range(size)]
    totals = [sum(parts) for parts in zip(*given, strict=True)]
    sharding = Sharding(shapes, np.float64)

    def both(*tensors):
        part = sharding.reduce_scatter(tensors)
        return part, sharding.gather(part * 2.0)

    tensors = [fg.constant(x, fg.float64) for x in given[rank]]
    compiled = fg.function(both)
    for run in (both, compiled, compiled, compiled):
        part, gathered = run(*tensors)
        mine = np.zeros(sharding.size, bool)
        for number, first, last, at in sharding.pieces:
            np.testing.assert_allclose(part[at : at + last - first], totals[number].reshape(-1)[first:last])
            mine[at : at + last - first] = True
        assert not np.any(part.numpy()[~mine])
        for result, total in zip(gathered, totals, strict=True):
            np.testing.assert_allclose(result, 2 * total)
    counts = all_reduce([np.int64(sum(last - first for _, first, last, _ in sharding.pieces))])
    assert counts[0] == sum(int(np.prod(shape)) for shape in shapes)


@on_ranks(2)
def test_a_tensor_may_be_reduced_twice(rank, size):
    x = fg.constant([1.0 + rank, 2.0])
    twice = fg.function(lambda x: all_reduce([x, x, 2.0 * x]))
    for _ in range(3):
        for result, factor in zip(twice(x), (1, 1, 2), strict=True):
            np.testing.assert_array_equal(result, factor * np.array([3.0, 4.0]))


@on_ranks(2, FASTGRAD_CHECK_BOUNDS="1")
def test_accesses_of_kernels_are_in_bounds(rank, size):
    shapes = ((3, 5), (), (700,))
    tensors = [fg.constant(np.full(shape, rank + 1, np.float32)) for shape in shapes]
    sharding = Sharding(shapes, np.float32)
    for function in (
        all_reduce,
        lambda tensors: all_reduce(tensors, wire_dtype="bfloat16"),
        lambda tensors: sharding.gather(sharding.reduce_scatter(tensors)),
    ):
        for run in (function, fg.function(function)):
            for _ in range(2):
                for y in run(tensors):
                    np.testing.assert_array_equal(y, np.full(y.shape, 3))
