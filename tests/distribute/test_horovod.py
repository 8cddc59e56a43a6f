"""Scripts written for Horovod run when their import line is changed."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

import fastgrad as tf
import fastgrad.distribute as hvd
from fastgrad.errors import InvalidArgumentError
from tests.distribute.ranks import on_ranks


def assert_equal(result, expected):
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-6)


def test_one_process_needs_no_launcher():
    hvd.init()
    assert hvd.is_initialized()
    assert (hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size(), hvd.cross_rank(), hvd.cross_size()) == (
        *(0, 1, 0, 1),
        *(0, 1),
    )
    assert_equal(hvd.allreduce(tf.constant([1.0, 2.0])), [1.0, 2.0])
    assert_equal(hvd.allgather(tf.constant([1.0, 2.0])), [1.0, 2.0])
    assert_equal(hvd.broadcast(tf.constant(3.0), 0), 3.0)
    assert hvd.broadcast_object({"a": 1}) == {"a": 1}
    assert hvd.allgather_object(5) == [5]
    hvd.broadcast_variables([tf.Variable(1.0)])
    hvd.barrier()


@on_ranks(2, 3)
def test_reductions(rank, size):
    hvd.init()
    assert (hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()) == (rank, size, rank, size)
    assert hvd.mpi_enabled()
    x = tf.constant([1.0, -2.0]) * (rank + 1)
    total = size * (size + 1) / 2
    for wrap in (lambda f: f, tf.function):
        assert_equal(wrap(hvd.allreduce)(x), np.array([1.0, -2.0]) * total / size)
        assert_equal(wrap(lambda y: hvd.allreduce(y, op=hvd.Sum))(x), np.array([1.0, -2.0]) * total)
        assert_equal(wrap(lambda y: hvd.allreduce(y, average=False))(x), np.array([1.0, -2.0]) * total)
        assert_equal(wrap(lambda y: hvd.allreduce(y, op=hvd.Min))(x), [1.0, -2.0 * size])
        assert_equal(wrap(lambda y: hvd.allreduce(y, op=hvd.Max))(x), [size, -2.0])
        scaled = wrap(lambda y: hvd.allreduce(y, op=hvd.Sum, prescale_factor=2.0, postscale_factor=3.0))(x)
        assert_equal(scaled, np.array([6.0, -12.0]) * total)
        halved = wrap(lambda y: hvd.allreduce(y, op=hvd.Sum, compression=hvd.Compression.fp16))(x)
        assert halved.dtype == tf.float32
        assert_equal(halved, np.array([1.0, -2.0]) * total)
        third = tf.fill([3], 1 / 3)
        short = wrap(lambda y: hvd.allreduce(y, op=hvd.Sum, compression=hvd.Compression.bf16))(third)
        assert_equal(
            short, tf.cast(tf.cast(tf.cast(tf.cast(third, tf.bfloat16), tf.float32) * size, tf.bfloat16), tf.float32)
        )
    several = hvd.grouped_allreduce([x, tf.constant(rank)], op=hvd.Sum)
    assert_equal(several[1], sum(range(size)))
    with pytest.raises(ValueError, match="op must be"):
        hvd.allreduce(x, op="median")
    with pytest.raises(ValueError, match="supersedes"):
        hvd.allreduce(x, average=True, op=hvd.Sum)
    with pytest.raises(InvalidArgumentError, match="takes floats"):
        hvd.allreduce(tf.constant([1, 2]))


@on_ranks(2, 3)
def test_gathers_and_broadcasts(rank, size):
    expected = np.concatenate([np.full((r, 2), r) for r in range(size)])
    for wrap in (lambda f: f, tf.function):
        assert_equal(wrap(hvd.allgather)(tf.ones([rank, 2]) * float(rank)), expected)
        assert_equal(wrap(hvd.allgather)(tf.ones([1]) * float(rank)), np.arange(size))
        assert_equal(wrap(lambda x: hvd.broadcast(x, size - 1))(tf.ones([2]) * float(rank)), [size - 1.0] * 2)
    with pytest.raises(InvalidArgumentError, match="got a scalar"):
        hvd.allgather(1.0)
    with tf.GradientTape() as tape:
        x = tf.Variable(np.full(rank + 1, rank + 1.0))
        y = tf.reduce_sum(hvd.allgather(x) ** 2)
    assert_equal(tape.gradient(y, x), np.full(rank + 1, 2.0 * size * (rank + 1)))
    assert hvd.broadcast_object({"rank": rank, "text": "a" * rank}, root_rank=1) == {"rank": 1, "text": "a"}
    assert hvd.allgather_object("b" * rank) == ["b" * r for r in range(size)]
    hvd.barrier()


@on_ranks(2)
def test_variables_are_broadcast(rank, size):
    variables = [
        tf.Variable(np.arange(6.0).reshape(2, 3) + rank),
        tf.Variable(rank, dtype=tf.int64),
        tf.Variable([rank > 0, False]),
        tf.Variable([f"rank {rank}"]),
        tf.Variable(np.zeros((0, 3), np.float32)),
        tf.Variable(tf.cast([rank, 1], tf.bfloat16)),
    ]
    snapshot = variables[0].value()
    hvd.broadcast_variables(variables, root_rank=1)
    assert_equal(snapshot, np.arange(6.0).reshape(2, 3) + rank)
    assert_equal(variables[0], np.arange(6.0).reshape(2, 3) + 1)
    assert int(variables[1]) == 1
    assert variables[2].numpy().tolist() == [True, False]
    assert variables[3].numpy()[0] == b"rank 1"
    assert_equal(tf.cast(variables[5], tf.float32), [1.0, 1.0])
    v = tf.Variable(float(rank))
    tf.function(lambda: hvd.broadcast_variables([v], root_rank=1))()
    assert_equal(v, 1.0)
    with pytest.raises(TypeError, match="takes variables"):
        hvd.broadcast_variables([1.0], 0)
    with pytest.raises(InvalidArgumentError, match="root_rank"):
        hvd.broadcast_variables([v], 5)


@on_ranks(2)
def test_variables_of_other_sizes_are_found(rank, size):
    variables = [tf.Variable(1.0), tf.Variable(np.zeros(16 + rank), name="v")]
    with pytest.raises(InvalidArgumentError, match=r"rank 0 has variable 'v:0' of shape \(16,\).* rank 1 .*\(17,\)"):
        hvd.broadcast_variables(variables, 0)
    with pytest.raises(InvalidArgumentError, match="no further variable"):
        hvd.broadcast_variables(variables[: 1 + rank], 0)
    with tf.distribute.MultiWorkerMirroredStrategy().scope(), pytest.raises(InvalidArgumentError, match="float32"):
        tf.Variable(np.zeros(3, "float32" if rank else "float64"))


@on_ranks(2)
def test_the_tape_averages_gradients(rank, size):
    w, b, unused = tf.Variable([2.0, 3.0]), tf.Variable(1.0), tf.Variable(0.0)
    table = tf.Variable(np.ones((1000, 4), np.float32))

    def gradients(x, ids, **options):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * x) + b * b + tf.reduce_sum(tf.gather(table, ids)) * (rank + 1.0)
        tape = hvd.DistributedGradientTape(tape, **options)
        return tape.gradient(loss, {"w": w, "rest": [b, unused, table]})

    x, ids = tf.constant([1.0, 2.0]) * (rank + 1), tf.constant([0, rank, rank])
    rows = np.zeros((1000, 4))
    rows[0], rows[1] = (3 * 1 + 1 * 2) / 2, 2 * 2 / 2
    for wrap in (lambda f: f, tf.function):
        result = wrap(gradients)(x, ids)
        assert_equal(result["w"], [1.5, 3.0])
        assert_equal(result["rest"][0], 2.0)
        assert result["rest"][1] is None
        assert isinstance(result["rest"][2], tf.IndexedSlices)
        assert_equal(tf.convert_to_tensor(result["rest"][2]), rows)
        dense = wrap(lambda x, ids: gradients(x, ids, op=hvd.Sum, sparse_as_dense=True))(x, ids)
        assert_equal(dense["w"], [3.0, 6.0])
        assert isinstance(dense["rest"][2], tf.Tensor)
        assert_equal(dense["rest"][2], 2 * rows)
    with hvd.DistributedGradientTape(tf.GradientTape(persistent=True)) as tape:
        y = b * (rank + 1.0)
    assert_equal(tape.gradient(y, b), 1.5)
    assert tape.watched_variables()[0] is b
    assert_equal(tape.gradient(y, b, unconnected_gradients="zero"), 1.5)
    with pytest.raises(TypeError, match="GradientTape"):
        hvd.DistributedGradientTape(None)
    with pytest.raises(ValueError, match="Average or Sum"):
        hvd.DistributedGradientTape(tf.GradientTape(), op=hvd.Max)


@on_ranks(2)
def test_the_optimizer_averages_gradients(rank, size):
    for make in (
        lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: tf.keras.optimizers.Adam(0.1, global_clipnorm=1.0),
    ):
        v, reference = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
        optimizer, alone = hvd.DistributedOptimizer(make()), make()
        assert type(optimizer).__name__ == type(alone).__name__
        assert isinstance(optimizer, type(alone))
        assert optimizer.get_config().keys() == alone.get_config().keys()

        @tf.function
        def compiled(g, optimizer=optimizer, v=v):
            optimizer.apply_gradients([(g, v)])

        for step in range(4):
            gradient = tf.constant([1.0, -1.0]) * (rank + step)
            compiled(gradient) if step % 2 else optimizer.apply_gradients([(gradient, v)])
            alone.apply_gradients([(tf.constant([1.0, -1.0]) * (0.5 + step), reference)])
            assert_equal(v, reference.numpy())
    with pytest.raises(TypeError, match="optimizer"):
        hvd.DistributedOptimizer(3)
    with tf.distribute.MultiWorkerMirroredStrategy().scope(), pytest.raises(RuntimeError, match="Use either"):
        optimizer.apply_gradients([(gradient, v)])


@on_ranks(2)
def test_the_optimizer_adds_gradients_of_several_passes(rank, size):
    for average in (False, True):
        v = tf.Variable(10.0)
        optimizer = hvd.DistributedOptimizer(
            tf.keras.optimizers.SGD(1.0), backward_passes_per_step=2, average_aggregated_gradients=average
        )
        values = []
        for step in range(4):
            optimizer.apply_gradients([(tf.constant(rank + step + 0.0), v)])
            values.append(float(v))
        factor = 0.5 if average else 1.0
        assert_equal(values, [10.0, 10.0 - 2 * factor, 10.0 - 2 * factor, 10.0 - 8 * factor])


@on_ranks(2)
def test_a_script_of_horovod_and_keras_trains_as_one_process(rank, size):
    """`fit` with the optimizer and the callbacks; each process has its half of each batch."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 5)).astype(np.float32), rng.normal(size=(64, 1)).astype(np.float32)

    def model_of(seed):
        tf.keras.utils.set_random_seed(seed)
        return tf.keras.Sequential([tf.keras.Input([5]), tf.keras.layers.Dense(8, "tanh"), tf.keras.layers.Dense(1)])

    reference = model_of(0)
    reference.compile("sgd", "mse")
    history = reference.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history

    model = model_of(rank)
    hvd.broadcast_variables(model.variables, root_rank=0)
    model.compile(hvd.DistributedOptimizer(tf.keras.optimizers.SGD(0.01)), "mse")
    part = np.concatenate([np.arange(start + 8 * rank, start + 8 * rank + 8) for start in range(0, 64, 16)])
    callbacks = [hvd.callbacks.BroadcastGlobalVariablesCallback(0), hvd.callbacks.MetricAverageCallback()]
    own = model.fit(x[part], y[part], batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=callbacks).history
    np.testing.assert_allclose(own["loss"], history["loss"], rtol=1e-5)
    for weight, expected in zip(model.weights, reference.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), expected.numpy(), rtol=1e-4, atol=1e-6)


@on_ranks(2)
def test_callbacks(rank, size):
    x, y = np.ones((8, 2), np.float32), np.full((8, 1), float(rank), np.float32)
    tf.keras.utils.set_random_seed(rank)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile(tf.keras.optimizers.SGD(0.4, momentum=0.5), "mse")
    warmup = hvd.callbacks.LearningRateWarmupCallback(initial_lr=0.4, warmup_epochs=2)
    rates = []

    class Rates(tf.keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    broadcast = hvd.callbacks.BroadcastGlobalVariablesCallback(1)
    averages = hvd.callbacks.MetricAverageCallback()
    history = model.fit(
        x, y, batch_size=2, epochs=3, verbose=0, callbacks=[broadcast, averages, warmup, Rates()]
    ).history
    assert_equal(rates[:8], [0.4 / 2 * (1 + (batch + 1) / 8) for batch in range(8)])
    assert_equal(rates[8:], [0.4] * 4)
    assert history["lr"] == pytest.approx([0.3, 0.4, 0.4])
    assert model.optimizer.momentum == 0.5
    parts = tf.distribute.allgather_object((history, rank))
    assert parts[0][0]["loss"] == parts[1][0]["loss"]
    # The broadcast after the first batch gave all processes one start.
    fresh = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    fresh.compile(tf.keras.optimizers.SGD(0.0), "mse")
    fresh.fit(x, y, batch_size=8, verbose=0, callbacks=[hvd.callbacks.BroadcastGlobalVariablesCallback(1)])
    first, second = tf.distribute.allgather_object([weight.numpy() for weight in fresh.weights])
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@on_ranks(2)
def test_the_example_tensorflow2_mnist(rank, size):
    """Horovod's example script, with small data."""
    hvd.init()
    gpus = tf.config.experimental.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    rng = np.random.default_rng(rank)
    mnist_images = rng.integers(0, 255, (64, 8, 8)).astype(np.uint8)
    mnist_labels = (mnist_images[:, 0, 0] > 127).astype(np.int64)
    tf.random.set_seed(rank)

    dataset = tf.data.Dataset.from_tensor_slices(
        (tf.cast(mnist_images[..., tf.newaxis] / 255.0, tf.float32), tf.cast(mnist_labels, tf.int64))
    )
    dataset = dataset.repeat().shuffle(100).batch(16)
    mnist_model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(4, [3, 3], activation="relu"),
            tf.keras.layers.MaxPooling2D(pool_size=(2, 2)),
            tf.keras.layers.Dropout(0.25),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(2, activation="softmax"),
        ]
    )
    loss = tf.losses.SparseCategoricalCrossentropy()
    opt = tf.optimizers.Adam(0.01 * hvd.size())

    @tf.function
    def training_step(images, labels, first_batch):
        with tf.GradientTape() as tape:
            probs = mnist_model(images, training=True)
            loss_value = loss(labels, probs)
        tape = hvd.DistributedGradientTape(tape)
        grads = tape.gradient(loss_value, mnist_model.trainable_variables)
        opt.apply_gradients(zip(grads, mnist_model.trainable_variables, strict=True))
        # Horovod: broadcast initial variable states from rank 0 to all other processes.
        if first_batch:
            hvd.broadcast_variables(mnist_model.variables, root_rank=0)
            hvd.broadcast_variables(opt.variables, root_rank=0)
        return loss_value

    for batch, (images, labels) in enumerate(dataset.take(40 // hvd.size())):
        training_step(images, labels, batch == 0)
    values = [variable.numpy() for variable in (*mnist_model.variables, *opt.variables)]
    for first, second in zip(*tf.distribute.allgather_object(values), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-7)
    assert int(opt.iterations) == 20
    if hvd.rank() == 0:
        tf.train.Checkpoint(model=mnist_model, optimizer=opt).save(f"{tempfile.mkdtemp()}/ckpt")


def test_the_optimizer_is_saved_as_its_class():
    plain = tf.keras.optimizers.Adam(0.25, beta_1=0.8, name="own")
    wrapped = hvd.DistributedOptimizer(plain, name="other")
    assert (wrapped.name, plain.name) == ("other", "own")
    loaded = tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(wrapped))
    assert type(loaded) is tf.keras.optimizers.Adam
    assert loaded.beta_1 == 0.8
    with pytest.raises(ValueError, match="backward_passes_per_step"):
        hvd.DistributedOptimizer(tf.keras.optimizers.SGD(gradient_accumulation_steps=2), backward_passes_per_step=2)


def test_schedules_of_the_learning_rate():
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile(tf.keras.optimizers.SGD(1.0), "mse")
    schedule = hvd.callbacks.LearningRateScheduleCallback
    callbacks = [schedule(0.5, 0.1, start_epoch=1, end_epoch=3), schedule(0.5, lambda epoch: epoch, start_epoch=3)]
    history = model.fit(x, y, epochs=5, verbose=0, callbacks=callbacks).history
    assert history["lr"] == pytest.approx([1.0, 0.05, 0.05, 1.5, 2.0])
