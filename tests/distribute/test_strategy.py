"""Strategies: contexts, reductions and variables, eager and compiled. Numbers are TensorFlow's for two workers."""

# ruff: noqa: B023  # functions in loops are called at once
from __future__ import annotations

import contextlib
import tempfile
import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError
from tests.distribute.ranks import on_ranks

Aggregation, Synchronization = tf.VariableAggregation, tf.VariableSynchronization


def strategy():
    return tf.distribute.MultiWorkerMirroredStrategy()


def assert_equal(result, expected):
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-6)


def eager_and_compiled(function):
    return function, tf.function(function)


# ---- contexts ------------------------------------------------------------------------------------------


def test_contexts():
    s = tf.distribute.MirroredStrategy()
    default = tf.distribute.get_strategy()
    assert not tf.distribute.has_strategy()
    assert not tf.distribute.in_cross_replica_context()
    assert tf.distribute.get_replica_context().strategy is default
    assert default.num_replicas_in_sync == 1
    with s.scope() as entered:
        assert entered is s
        assert tf.distribute.get_strategy() is s
        assert tf.distribute.has_strategy()
        assert tf.distribute.in_cross_replica_context()
        assert tf.distribute.get_replica_context() is None

        def replica():
            context = tf.distribute.get_replica_context()
            assert not tf.distribute.in_cross_replica_context()
            assert tf.distribute.get_strategy() is s
            merged = context.merge_call(
                lambda strategy, x, y: (strategy is s, tf.distribute.in_cross_replica_context(), x + y), (1,), {"y": 2}
            )
            return context.replica_id_in_sync_group, context.num_replicas_in_sync, merged

        assert s.run(replica) == (0, 1, (True, True, 3))
    assert not tf.distribute.has_strategy()


def test_scopes_of_one_strategy_nest_and_those_of_two_do_not():
    first, second = tf.distribute.MirroredStrategy(["/cpu:0"]), tf.distribute.OneDeviceStrategy("/cpu:0")
    with first.scope(), first.scope():
        with pytest.raises(RuntimeError, match="Mixing different"), second.scope():
            pass
        with pytest.raises(RuntimeError, match="Mixing different"):
            second.run(lambda: 1)
        with pytest.raises(RuntimeError, match="cross-replica context"):
            first.run(lambda: first.reduce("SUM", 1.0, axis=None))
        with pytest.raises(RuntimeError, match="cross-replica context"):
            first.run(lambda: first.run(lambda: 1))
        assert tf.distribute.get_strategy() is first
    assert not tf.distribute.has_strategy()


def test_other_threads_have_their_own_scopes():
    seen = []
    with tf.distribute.MirroredStrategy().scope():
        thread = threading.Thread(target=lambda: seen.append(tf.distribute.has_strategy()))
        thread.start()
        thread.join()
    assert seen == [False]


@pytest.mark.parametrize(
    "make",
    [
        tf.distribute.MirroredStrategy,
        lambda: tf.distribute.OneDeviceStrategy("/cpu:0"),
        tf.distribute.MultiWorkerMirroredStrategy,
        tf.distribute.get_strategy,
    ],
)
def test_strategies_of_one_replica(make):
    s = make()
    assert s.num_replicas_in_sync == 1
    assert_equal(s.run(tf.function(lambda x, y: x * y), args=(tf.constant(2.0),), kwargs={"y": tf.constant(3.0)}), 6.0)
    assert_equal(s.reduce("SUM", tf.constant([1.0, 2.0]), axis=None), [1.0, 2.0])
    assert_equal(s.reduce("MEAN", tf.constant([1.0, 2.0]), axis=0), 1.5)
    assert_equal(s.reduce("MEAN", tf.constant([1, 2]), axis=0), 1.5)
    assert_equal(s.gather(tf.constant([1.0, 2.0]), axis=0), [1.0, 2.0])
    assert s.experimental_local_results(5) == (5,)
    batches = s.experimental_distribute_dataset(tf.data.Dataset.range(5).batch(2))
    assert [batch.numpy().tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    context = s.run(tf.distribute.get_replica_context)
    assert_equal(context.all_reduce("sum", 3.0), 3.0)


def test_arguments_are_checked():
    s = tf.distribute.MirroredStrategy()
    with pytest.raises(ValueError, match="one replica"):
        tf.distribute.MirroredStrategy(["/gpu:0", "/gpu:1"])
    with pytest.raises(ValueError, match="ReduceOp"):
        s.reduce("max", 1.0, axis=None)
    with pytest.raises(ValueError, match="Invalid reduction dimension 0 for input with 0"):
        s.reduce("SUM", 1.0, axis=0)
    with pytest.raises(InvalidArgumentError, match="dimension 0"):
        s.gather(1.0, axis=0)
    with pytest.raises(TypeError, match="fn"):
        s.run(3)
    with pytest.raises(ValueError, match="list or tuple"):
        s.run(lambda x: x, args=3)


# ---- reductions ----------------------------------------------------------------------------------------


@on_ranks(2)
def test_reduce(rank, size):
    s = strategy()
    assert (s.num_replicas_in_sync, s.extended.should_checkpoint) == (2, rank == 0)
    x = tf.constant([1.0, 2.0]) * (rank + 1)
    for function in (s.reduce, tf.function(s.reduce)):
        assert_equal(function("SUM", x, axis=None), [3.0, 6.0])
        assert_equal(function("sum", x, axis=None), [3.0, 6.0])
        assert_equal(function(tf.distribute.ReduceOp.MEAN, x, axis=None), [1.5, 3.0])
        assert_equal(function("MEAN", tf.constant([1, 2]) * (rank + 1), axis=None), [1.5, 3.0])
        assert_equal(function("MEAN", tf.ones([2 + rank, 2]) * (rank + 1), axis=0), [1.6, 1.6])
        assert_equal(function("MEAN", tf.ones([2, 2]) * (rank + 1), axis=(0, 1)), 1.5)
        assert_equal(function("SUM", tf.ones([2, 3]) * (rank + 1), axis=-1), [9.0, 9.0])
        result = function("SUM", {"a": tf.constant(1.0), "b": (tf.constant(2), x)}, axis=None)
        assert_equal(result["a"], 2.0)
        assert_equal(result["b"][0], 4)
        assert_equal(result["b"][1], [3.0, 6.0])
        assert result["b"][0].dtype == tf.int32
    integers = tf.constant([1, 2, 4 + rank], tf.int64)
    for function in (s.reduce, tf.function(s.reduce)):
        mean, total = function("MEAN", integers, axis=0), function("SUM", integers, axis=0)
        assert (float(mean), mean.dtype, int(total), total.dtype) == (2.5, tf.float64, 15, tf.int64)
    # A mean over rows weighs each row alike, also if a replica has none.
    rows = tf.ones([3, 2]) if rank == 0 else tf.zeros([0, 2])
    assert_equal(s.reduce("MEAN", rows, axis=0), [1.0, 1.0])


@on_ranks(2, 3)
def test_gather(rank, size):
    s = strategy()
    expected = np.concatenate([np.full((2 + r, 1), r) for r in range(size)])
    for gather in (s.gather, tf.function(s.gather)):
        assert_equal(gather(tf.ones([2 + rank, 1]) * float(rank), axis=0), expected)
        assert_equal(gather(tf.ones([1, 2 + rank]) * float(rank), axis=1), expected.T)
        assert_equal(gather(tf.ones([1, 2 + rank]) * float(rank), axis=-1), expected.T)
        assert_equal(gather(tf.ones([2]) * float(rank), axis=0), np.repeat(np.arange(size), 2))


@on_ranks(2)
def test_the_context_of_a_replica(rank, size):
    s = strategy()

    def replica(x):
        context = tf.distribute.get_replica_context()
        sums = context.all_reduce("SUM", {"a": x, "b": [2 * x]})
        mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, x)
        rows = context.all_gather(tf.reshape(x, [1]), axis=0)
        merged = context.merge_call(lambda strategy, y: strategy.reduce("SUM", y, axis=None), args=(x,))
        return context.replica_id_in_sync_group, context.num_replicas_in_sync, sums, mean, rows, merged

    for function in eager_and_compiled(lambda x: s.run(replica, args=(x,))):
        for step in range(3):
            number, count, sums, mean, rows, merged = function(tf.constant(float(rank + step)))
            assert (int(number), int(count)) == (rank, 2)
            assert_equal(sums["a"], 1.0 + 2 * step)
            assert_equal(sums["b"][0], 2.0 + 4 * step)
            assert_equal(mean, 0.5 + step)
            assert_equal(rows, [step, step + 1.0])
            assert_equal(merged, 1.0 + 2 * step)


@on_ranks(2)
def test_gradients_of_reductions(rank, size):
    """The gradient of a sum is the sum of the cotangents; that of a mean their mean."""
    s = strategy()

    def replica():
        x = tf.constant([1.0, 2.0]) * (rank + 1)
        context = tf.distribute.get_replica_context()
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            total = tf.reduce_sum(context.all_reduce("SUM", x**2)) * (rank + 1)
            mean = tf.reduce_sum(context.all_reduce("MEAN", x**2))
        return tape.gradient(total, x), tape.gradient(mean, x)

    for function in eager_and_compiled(lambda: s.run(replica)):
        total, mean = function()
        assert_equal(total, np.array([6.0, 12.0]) * (rank + 1))
        assert_equal(mean, np.array([2.0, 4.0]) * (rank + 1))


@on_ranks(2)
def test_sums_of_rows(rank, size):
    """Rows of one index are added once; a table of few rows is reduced whole."""
    s = strategy()

    def reduced(table_rows, reduce_op="SUM", indices=(0, rank + 1, 0)):
        slices = tf.IndexedSlices(tf.ones([3, 2]) * (rank + 1.0), tf.constant(indices), tf.constant([table_rows, 2]))
        return s.run(lambda: tf.distribute.get_replica_context().all_reduce(reduce_op, slices))

    table = np.zeros((1000, 2))
    table[0], table[1], table[2] = 2 + 4, 1, 2
    large = reduced(1000)
    assert isinstance(large, tf.IndexedSlices)
    assert sorted(large.indices.numpy().tolist()) == [0, 1, 2]
    assert_equal(tf.convert_to_tensor(large), table)
    assert_equal(tf.convert_to_tensor(reduced(1000, "MEAN")), table / 2)
    small = reduced(3, indices=(2, 0, 1))
    assert isinstance(small, tf.Tensor)
    assert_equal(small, np.full((3, 2), 3.0))
    compiled = tf.function(reduced)(1000)
    assert_equal(tf.convert_to_tensor(compiled), table)
    # Processes may have other numbers of rows, or none.
    slices = tf.IndexedSlices(tf.ones([4 * rank, 2]), tf.range(4 * rank), tf.constant([1000, 2]))
    total = s.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", slices))
    assert total.indices.shape == [4]
    assert_equal(tf.reduce_sum(tf.convert_to_tensor(total)), 8.0)


@on_ranks(2)
def test_losses_are_averaged_over_all_replicas(rank, size):
    s = strategy()
    losses = tf.constant([1.0, 3.0])
    assert_equal(tf.nn.compute_average_loss(losses), 2.0)
    assert_equal(tf.nn.scale_regularization_loss(losses), 4.0)

    def replica():
        return (
            tf.nn.compute_average_loss(losses),
            tf.nn.compute_average_loss(losses, global_batch_size=10),
            tf.nn.scale_regularization_loss(losses),
        )

    for function in eager_and_compiled(lambda: s.run(replica)):
        assert_equal(function(), [1.0, 0.4, 2.0])
    with s.scope():
        for function in (tf.nn.compute_average_loss, tf.nn.scale_regularization_loss):
            with pytest.raises(RuntimeError, match="cross replica context"):
                function(losses)


@on_ranks(2)
def test_a_compiled_function_is_recorded_for_each_context(rank, size):
    """The same function gives the loss of its context, not that of its first call."""
    s = strategy()
    average = tf.function(tf.nn.compute_average_loss)
    losses = tf.constant([1.0, 3.0])
    for _ in range(2):
        assert_equal(average(losses), 2.0)
        assert_equal(s.run(average, args=(losses,)), 1.0)
    for _ in range(20):  # also if a later strategy is at the same address
        assert_equal(tf.distribute.MirroredStrategy().run(average, args=(losses,)), 2.0)
        assert_equal(strategy().run(average, args=(losses,)), 1.0)


@on_ranks(2)
def test_processes_without_a_scope_and_local_strategies_do_not_communicate(rank, size):
    local = tf.distribute.MirroredStrategy()
    if rank == 0:  # alone: a collective would never end
        assert local.num_replicas_in_sync == 1
        assert_equal(local.reduce("SUM", tf.constant(3.0), axis=None), 3.0)
        with local.scope():
            v = tf.Variable(5.0)
        batches = local.experimental_distribute_dataset(tf.data.Dataset.range(4).batch(2))
        assert [batch.numpy().tolist() for batch in batches] == [[0, 1], [2, 3]]
        assert_equal(v, 5.0)


# ---- variables -----------------------------------------------------------------------------------------


@on_ranks(2, 3)
def test_variables_start_with_the_values_of_the_first_process(rank, size):
    s = strategy()
    with s.scope():
        for dtype in (tf.float32, tf.float16, tf.int64, tf.bool, tf.complex64):
            v = tf.Variable(tf.cast(np.array([[rank, 1 + rank]]), dtype))
            np.testing.assert_array_equal(v.numpy(), tf.cast(np.array([[0, 1]]), dtype).numpy())
        assert tf.Variable([f"rank {rank}"]).numpy()[0] == b"rank 0"
        tf.random.set_seed(rank)
        layer = tf.keras.layers.Dense(3)
        layer.build([None, 4])
    outside = tf.Variable(float(rank))
    assert_equal(outside, rank)
    kernels = tf.distribute.allgather_object(layer.kernel.numpy())
    for kernel in kernels:
        np.testing.assert_array_equal(kernel, kernels[0])

    made = []

    @tf.function
    def makes_a_variable():
        if not made:
            made.append(tf.Variable(tf.fill([2], float(rank) + 7.0)))
        return made[0] + 1.0

    with s.scope():
        for _ in range(3):
            assert_equal(makes_a_variable(), [8.0, 8.0])


@on_ranks(2)
def test_values_assigned_in_replicas_are_aggregated(rank, size):
    s = strategy()
    cases = {  # TensorFlow's values after each of five assignments
        Aggregation.NONE: [2.0 + rank, 4.0 + 2 * rank, 5.0 + 2 * rank, 6.0 + 2 * rank, 4.0 + rank],
        Aggregation.SUM: [5.0, 10.0, 11.0, 13.0, 8.0],
        Aggregation.MEAN: [2.5, 5.0, 6.0, 7.0, 4.5],
        Aggregation.ONLY_FIRST_REPLICA: [2.0, 4.0, 5.0, 6.0, 4.0],
    }
    for aggregation, expected in cases.items():
        for wrap in (lambda f: f, tf.function):
            with s.scope():
                v = tf.Variable(1.0, aggregation=aggregation)
            x = tf.constant(rank + 2.0)
            steps = [
                wrap(lambda: s.run(lambda: v.assign(x))),
                wrap(lambda: s.run(lambda: v.assign_add(x))),
                lambda: v.assign_add(1.0),
                wrap(lambda: s.run(lambda: v.assign_add(1.0))),
                wrap(lambda: s.run(lambda: v.assign_sub(x))),
            ]
            values = []
            for step in steps:
                step()
                values.append(float(v.numpy()))
            assert values == expected, (aggregation, wrap)
    with s.scope(), pytest.raises(ValueError, match="MEAN and a non-floating"):
        tf.Variable(1, aggregation=Aggregation.MEAN)
    with s.scope():
        v = tf.Variable([1.0, 2.0], aggregation=Aggregation.SUM)
    with pytest.raises(NotImplementedError, match="scatter_add"):
        v.scatter_add(tf.IndexedSlices([1.0], [0]))


@on_ranks(2)
def test_variables_that_are_combined_when_they_are_read(rank, size):
    s = strategy()
    cases = {  # TensorFlow: first value; after assign_add in replicas; a replica's own value after assign(8.0)
        Aggregation.SUM: (2.0, 7.0, 4.0),
        Aggregation.MEAN: (1.0, 3.5, 8.0),
        Aggregation.ONLY_FIRST_REPLICA: (1.0, 3.0, 8.0),
    }
    for aggregation, (first, total, own) in cases.items():
        for wrap in (lambda f: f, tf.function):
            with s.scope():
                w = tf.Variable(1.0, aggregation=aggregation, synchronization=Synchronization.ON_READ)
                assert not w.trainable
                assert_equal(w.numpy(), first)
                added = wrap(lambda: s.run(lambda: w.assign_add(tf.constant(rank + 2.0)) + 0.0))()
                assert_equal(added, 3.0 + rank)
                assert_equal(wrap(w.read_value)(), total)
                assert_equal(wrap(lambda: w + 0.0)(), total)
                assert_equal(w.numpy(), total)
            assert_equal(w.numpy(), total)  # also outside of the scope
            with s.scope():
                w.assign(8.0)
                assert_equal(w.numpy(), 8.0)
                assert_equal(wrap(lambda: s.run(w.read_value))(), own)
                if aggregation is Aggregation.SUM:
                    with pytest.raises(ValueError, match="does not support `assign_add`"):
                        w.assign_add(1.0)
                else:
                    w.assign_add(1.0)
                    assert_equal(w.numpy(), 9.0)
    with s.scope():
        w = tf.Variable(1.0, synchronization=Synchronization.ON_READ)
        with pytest.raises(ValueError, match="no common value"):
            w.numpy()
        assert_equal(s.run(w.read_value), 1.0)


@on_ranks(2)
def test_checkpoints_have_the_common_value(rank, size):
    s = strategy()
    path = f"{tf.distribute.broadcast_object(tempfile.mkdtemp() if rank == 0 else None)}/ckpt"
    with s.scope():
        on_read = {"synchronization": Synchronization.ON_READ}
        total = tf.Variable(0.0, aggregation=Aggregation.SUM, **on_read)
        mean = tf.Variable(0.0, aggregation=Aggregation.MEAN, **on_read)
        count = tf.Variable(0.0, aggregation=Aggregation.SUM, trainable=False)
        checkpoint = tf.train.Checkpoint(total=total, mean=mean, count=count)
    for variable in (total, mean, count):
        s.run(lambda v: v.assign_add(rank + 1.0), args=(variable,))
    saved = checkpoint.save(path)
    for variable in (total, mean, count):
        variable.assign(0.0)
    checkpoint.restore(saved)
    assert_equal([total.numpy(), mean.numpy(), count.numpy()], [3.0, 1.5, 3.0])
    alone = tf.train.Checkpoint(total=tf.Variable(0.0), mean=tf.Variable(0.0), count=tf.Variable(0.0))
    alone.restore(saved)
    assert_equal([alone.total.numpy(), alone.mean.numpy(), alone.count.numpy()], [3.0, 1.5, 3.0])


# ---- the rest ------------------------------------------------------------------------------------------


@on_ranks(2)
def test_values_and_resolvers(rank, size):
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING
    )
    for s in (strategy(), tf.distribute.MultiWorkerMirroredStrategy(resolver, options)):
        assert (s.cluster_resolver.task_type, s.cluster_resolver.task_id) == ("worker", rank)
        assert s.cluster_resolver.cluster_spec().num_tasks("worker") == 2
        assert "chief" not in s.cluster_resolver.cluster_spec().as_dict()
    values = s.experimental_distribute_values_from_function(
        lambda context: tf.constant(context.replica_id_in_sync_group + 10 * context.num_replicas_in_sync)
    )
    assert_equal(values, 20 + rank)


def test_names_that_are_not_there_name_what_is():
    with pytest.raises(AttributeError, match="MultiWorkerMirroredStrategy"):
        tf.distribute.experimental.TPUStrategy
    with pytest.raises(AttributeError, match="BackupAndRestore"):
        tf.distribute.experimental.PreemptionCheckpointHandler
    assert tf.distribute.experimental.MultiWorkerMirroredStrategy is tf.distribute.MultiWorkerMirroredStrategy


def test_run_enters_the_scope_that_a_subclass_overrides():
    """dm-sonnet's Replicator creates variables with other defaults in its scope."""

    class OnRead(tf.distribute.MirroredStrategy):
        def scope(self):
            return super().scope() if tf.distribute.has_strategy() else self._scope()

        @contextlib.contextmanager
        def _scope(self):
            def create(next_creator, **kwargs):
                return next_creator(**{**kwargs, "synchronization": Synchronization.ON_READ})

            with super().scope(), tf.variable_creator_scope(create):
                yield

    v = OnRead().run(lambda: [tf.Variable(1.0)])[0]
    assert v.synchronization is Synchronization.ON_READ
    assert v.values == (v,)


def test_there_are_no_tpus_but_a_class_to_derive_from():
    class Replicator(tf.distribute.TPUStrategy):
        pass

    with pytest.raises(tf.errors.NotFoundError, match="No TPUs found"):
        Replicator()
