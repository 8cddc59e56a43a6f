"""Datasets of several processes: who gets which elements, as in TensorFlow; and all processes make the same steps."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError, NotFoundError
from tests.distribute.dataset_programs import EXPECTED, programs, write_files
from tests.distribute.dataset_programs import _as_lists as as_lists
from tests.distribute.ranks import on_ranks

Policy = tf.data.experimental.AutoShardPolicy


def with_policy(dataset, policy):
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options)


def everywhere(value):
    return tf.distribute.allgather_object(value)


@on_ranks(2, 3)
def test_each_process_gets_the_elements_that_tensorflow_gives_it(rank, size):
    expected = json.loads(EXPECTED.read_text())[str(size)]
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with tempfile.TemporaryDirectory() as folder:
        wrong = {}
        for name, program in programs(tf, rank, size, write_files(Path(folder))).items():
            batches = [as_lists(batch) for batch in program(strategy)]
            if batches != expected[name][rank]:
                wrong[name] = (batches, expected[name][rank])
        assert len(expected) > 40
        assert not wrong, wrong


@on_ranks(2, 3)
def test_shuffles_without_a_seed_have_one_order(rank, size):
    """Each element comes once in an epoch; the next epoch has another order."""
    tf.random.set_seed(rank)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    pipelines = {
        "rows": tf.data.Dataset.range(50).shuffle(50).batch(8),
        "elements": tf.data.Dataset.range(50).map(lambda x: x + 0).shuffle(20).batch(8).map(lambda x: x),
        "cached": tf.data.Dataset.range(50).shuffle(50).cache().batch(8),
    }
    for name, pipeline in pipelines.items():
        dataset = strategy.experimental_distribute_dataset(pipeline)
        epochs = []
        for _ in range(2):
            batches = [batch.numpy().tolist() for batch in dataset]
            parts = everywhere(batches)
            assert len({len(part) for part in parts}) == 1
            assert sorted(x for part in parts for batch in part for x in batch) == list(range(50)), name
            epochs.append(parts)
        assert (epochs[0] == epochs[1]) is (name == "cached")


@on_ranks(2)
def test_shuffles_of_the_policy_off_differ(rank, size):
    """Every process reads all rows, in its own order."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    tf.random.set_seed(rank)
    rows = with_policy(tf.data.Dataset.range(50).shuffle(50).batch(8), Policy.OFF)
    batches = [batch.numpy().tolist() for batch in strategy.experimental_distribute_dataset(rows)]
    assert sorted(x for batch in batches for x in batch) == list(range(50))
    first, second = everywhere(batches)
    assert first != second


@on_ranks(2)
def test_all_processes_make_the_same_steps(rank, size):
    """A process that has no more rows gets empty batches of the right dtype and shape."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def of_process(context):
        count = 2 + 5 * context.input_pipeline_id
        rows = {"x": np.ones((count, 3), np.float32), "y": np.arange(count)}
        return tf.data.Dataset.from_tensor_slices(rows).batch(2)

    def of_generator(context):
        return tf.data.Dataset.from_generator(
            lambda: iter([{"x": [1.0] * 3, "y": 1}] * (2 + 5 * rank)),
            output_signature={"x": tf.TensorSpec([3], tf.float32), "y": tf.TensorSpec([], tf.int64)},
        ).batch(2)

    for function in (of_process, of_generator):
        dataset = strategy.distribute_datasets_from_function(function)
        sums = []
        for batch in dataset:
            assert batch["x"].shape[1:] == [3]
            assert (batch["x"].dtype, batch["y"].dtype) == (tf.float32, tf.int64)
            (total,) = strategy.run(
                lambda b: [tf.distribute.get_replica_context().all_reduce("SUM", tf.reduce_sum(b["x"]))], (batch,)
            )
            sums.append(float(total))
        assert sums == [12.0, 6.0, 6.0, 3.0]
        iterator = iter(dataset)
        counts = []
        while (element := iterator.get_next_as_optional()).has_value():
            counts.append(element.get_value()["y"].shape[0])
        assert counts == ([2, 2, 2, 1] if rank else [2, 0, 0, 0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="does not have a value"):
            element.get_value()
        with pytest.raises(tf.errors.OutOfRangeError):
            iterator.get_next()


@on_ranks(2)
def test_iterators(rank, size):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rows = tf.data.Dataset.range(9).batch(4)
    dataset = strategy.experimental_distribute_dataset(rows)
    assert dataset.element_spec == tf.TensorSpec([None], tf.int64)
    assert dataset.cardinality == len(dataset) == 3
    assert isinstance(dataset, tf.distribute.DistributedDataset)
    iterator = iter(dataset)
    assert isinstance(iterator, tf.distribute.DistributedIterator)
    next(iterator)
    state = iterator.state()
    rest = [batch.numpy().tolist() for batch in iterator]
    assert rest == ([[4, 5], [8]] if rank == 0 else [[6, 7], []])
    again = iter(dataset)
    again.restore(state)
    assert [batch.numpy().tolist() for batch in again] == rest
    with pytest.raises(ValueError, match="outside of"):
        strategy.run(lambda: iter(dataset).get_next())
    endless = iter(strategy.experimental_distribute_dataset(rows.repeat()))
    assert [next(endless).shape[0] for _ in range(7)] == [2, 2, 1 - rank] * 2 + [2]
    assert dataset.reduce(0, lambda total, batch: total + batch.shape[0]) == 5 - rank

    @tf.function
    def total_of_epoch(batches):
        total = tf.constant(0, tf.int64)
        for batch in batches:
            total += strategy.reduce("SUM", tf.reduce_sum(batch), axis=None)
        return total

    for _ in range(2):
        assert int(total_of_epoch(dataset)) == 36


@on_ranks(2)
def test_ragged_batches_are_divided(rank, size):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rows = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [2, 3], [], [4, 5, 6], [7]])).batch(4)
    batches = [batch.to_list() for batch in strategy.experimental_distribute_dataset(rows)]
    assert batches == ([[[1], [2, 3]], [[7]]] if rank == 0 else [[[], [4, 5, 6]], []])


@on_ranks(2)
def test_an_error_of_an_element_reaches_the_user(rank, size):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def check(x):
        if x == 4:
            raise ArithmeticError("four")
        return x

    def checked(x):
        return tf.numpy_function(check, [x], tf.int64)

    dataset = strategy.experimental_distribute_dataset(tf.data.Dataset.range(6).map(checked).batch(4))
    with pytest.raises(Exception, match="four"):
        list(dataset)


@on_ranks(2)
def test_options_and_datasets_are_checked(rank, size):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    distribute = strategy.experimental_distribute_dataset
    numbers = tf.data.Dataset.range(8)
    with pytest.raises(ValueError, match="Call the `batch` method"):
        distribute(numbers)
    with pytest.raises(NotFoundError, match="unshardable"):
        distribute(with_policy(numbers.batch(2), Policy.FILE))
    with pytest.raises(ValueError, match="HINT"):
        distribute(with_policy(numbers.batch(2), Policy.HINT))
    with pytest.raises(TypeError, match="tf.data.Dataset"):
        distribute([1, 2])
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder))
        for policy in (Policy.AUTO, Policy.FILE):
            with pytest.raises(InvalidArgumentError, match="not enough for the required 2"):
                distribute(with_policy(tf.data.TextLineDataset(files[:1]).batch(2), policy))
        lines = tf.data.TextLineDataset(files[:1]).batch(2)
        assert len(list(distribute(with_policy(lines, Policy.DATA)))) == 2
    # The order of shuffles can't be agreed on if pipelines differ.
    different = numbers.shuffle(8).batch(2) if rank else numbers.batch(2)
    with pytest.raises(ValueError, match="different pipelines"):
        iter(distribute(different))


def test_input_context():
    context = tf.distribute.InputContext(2, 1, 2)
    assert context.get_per_replica_batch_size(6) == 3
    with pytest.raises(ValueError, match="not divisible"):
        context.get_per_replica_batch_size(5)
