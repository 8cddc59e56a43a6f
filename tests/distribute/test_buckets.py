"""Reductions in compiled steps: buckets in the arena, started early, against eager code."""

from __future__ import annotations

import numpy as np

import fastgrad as fg
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.kernels.collectives import launches
from fastgrad._src.ops.collectives import Sharding, all_reduce
from tests.distribute.ranks import on_ranks

SIZES = ((40, 30), (30,), (30, 20), (20,), (20, 7), (7,))


def variables():
    rng = np.random.default_rng(3)
    return [fg.Variable(rng.normal(size=size).astype("float32") * 0.3) for size in SIZES]


def loss_of(weights, x, y):
    a, b, c, d, e, f = weights
    hidden = fg.nn.relu(fg.nn.relu(x @ a + b) @ c + d)
    return fg.reduce_mean((hidden @ e + f - y) ** 2)


def batch(rank, step):
    rng = np.random.default_rng(100 * rank + step)
    return fg.constant(rng.normal(size=(16, 40)), "float32"), fg.constant(rng.normal(size=(16, 7)), "float32")


def train(weights, compiled, rank, steps=6, op="mean"):
    def step(x, y):
        with fg.GradientTape() as tape:
            loss = loss_of(weights, x, y)
        gradients = tape.gradient(loss, weights)
        reduced = all_reduce(gradients, op)
        for weight, gradient in zip(weights, reduced, strict=True):
            weight.assign_sub(0.05 * gradient)
        return loss, gradients[0], reduced[-1]

    run = fg.function(step) if compiled else step
    return [[value.numpy() for value in run(*batch(rank, number))] for number in range(steps)], run


def program_of(run) -> Program:
    (tree,) = run.trace_tree.compiled
    return tree.program


def nodes_named(program, name):
    return [i for i, n in enumerate(program.graph.nodes) if n.kind is Kind.OPERATION and n.payload.name == name]


@on_ranks(2)
def test_buckets_of_any_size_give_the_bits_of_eager_code(rank, size):
    eager = variables()
    wanted, _ = train(eager, False, rank)
    for bytes_of_bucket in (1, 500, 3000, 1 << 20):
        launches.BUCKET_BYTES = bytes_of_bucket
        weights = variables()
        results, run = train(weights, True, rank)
        for one, other in zip(results, wanted, strict=True):
            for x, y in zip(one, other, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
        for weight, expected in zip(weights, eager, strict=True):
            np.testing.assert_allclose(weight.numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)
        program = program_of(run)
        starts = nodes_named(program, "start_all_reduce")
        assert len(starts) == {1: 6, 500: 3, 3000: 2, 1 << 20: 1}[bytes_of_bucket]
        assert program.plan.native


@on_ranks(2, 3)
def test_all_ranks_hold_the_same_bits(rank, size):
    launches.BUCKET_BYTES = 1000
    weights = variables()
    train(weights, True, rank)
    for weight in weights:
        low, high = all_reduce([weight], "min")[0], all_reduce([weight], "max")[0]
        np.testing.assert_array_equal(low.numpy(), high.numpy())


@on_ranks(2)
def test_a_gradient_is_computed_in_its_bucket(rank, size):
    weights = variables()
    _, run = train(weights, True, rank)
    program = program_of(run)
    (start,) = [a for a in program.plan.actions if getattr(a.node.payload, "name", None) == "start_all_reduce"]
    bucket = start.outputs[0].offset
    copied = [
        place for place in start.inputs if not bucket <= place.offset < bucket + 4 * start.node.outputs[0].shape[0]
    ]
    assert len(start.inputs) == 6
    assert len(copied) <= 1  # the gradient that the step returns


@on_ranks(2)
def test_the_backward_pass_goes_on_after_the_first_bucket_has_started(rank, size):
    launches.BUCKET_BYTES = 400
    _, run = train(variables(), True, rank)
    program = program_of(run)
    starts, waits = nodes_named(program, "start_all_reduce"), nodes_named(program, "wait_all_reduce")
    products = [i for i, node in enumerate(program.graph.nodes) if node.kind is Kind.FUSED and "matmul" in str(node)]
    assert starts[0] < max(products)
    assert waits[0] > starts[-1]


def test_one_process_reduces_nothing():
    _, run = train(variables(), True, 0)
    program = program_of(run)
    assert isinstance(program, Program)
    assert not nodes_named(program, "all_reduce") + nodes_named(program, "start_all_reduce")


@on_ranks(2)
def test_a_guard_with_a_new_outcome_stops_after_the_reduction(rank, size):
    """All ranks see the same reduced value, leave the program, and record together."""
    weight = fg.Variable(np.ones(50_000, np.float32))

    @fg.function
    def step(x):
        (total,) = all_reduce([weight * x])
        if total[0] > 5.0:
            weight.assign_sub(total)
        else:
            weight.assign_add(total)
        return total[0]

    expected = np.ones(50_000)
    for x in (1.0, 1.0, 2.0, 1.0, -1.0, 0.5):
        total = size * expected * x
        step(fg.constant(x))
        expected = expected - total if total[0] > 5.0 else expected + total
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5)


@on_ranks(2)
def test_a_report_runs_no_collective(rank, size):
    _, run = train(variables(), True, rank)
    if rank == 0:
        assert "wait_for_transfer" in str(run.report())
    (total,) = all_reduce([np.float32(1.0)])
    assert total == size


@on_ranks(2)
def test_a_collective_may_depend_on_another_one(rank, size):
    """Parts of sums are scaled by their common norm, then gathered."""
    sharding = Sharding([(30, 4), (50,)], np.float32)

    def step(a, b):
        part = sharding.reduce_scatter([a, b])
        (squares,) = all_reduce([fg.reduce_sum(part * part)])
        return sharding.gather(part / fg.sqrt(squares))

    compiled = fg.function(step)
    rng = np.random.default_rng(rank)
    a, b = fg.constant(rng.normal(size=(30, 4)), "float32"), fg.constant(rng.normal(size=50), "float32")
    sums = all_reduce([a, b])
    norm = np.sqrt(sum(float(fg.reduce_sum(x * x)) for x in sums))
    for _ in range(4):
        for result, total in zip(compiled(a, b), sums, strict=True):
            np.testing.assert_allclose(result, total / norm, rtol=1e-5)
    assert program_of(compiled).plan.native


@on_ranks(2)
def test_one_process_may_record_while_the_other_runs_a_program(rank, size):
    """An uneven batch makes one process record; both start the same transfers in the same order."""
    launches.BUCKET_BYTES = 1000
    weights = variables()

    @fg.function
    def step(x, y):
        with fg.GradientTape() as tape:
            loss = loss_of(weights, x, y)
        gradients = all_reduce(tape.gradient(loss, weights))
        (total,) = all_reduce([loss])
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(0.05 * gradient)
        return total

    for number in range(8):
        x, y = batch(rank, number)
        count = 16 - 3 * (rank == number % 2) if number % 3 == 2 else 16
        step(x[:count], y[:count])
    for weight in weights:
        low, high = all_reduce([weight], "min")[0], all_reduce([weight], "max")[0]
        np.testing.assert_array_equal(low.numpy(), high.numpy())
