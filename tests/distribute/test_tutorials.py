"""TensorFlow's tutorials on distributed training, with small data: two processes train as one does.

The programs are those of tensorflow.org/tutorials/distribute, but for the data, the sizes of models, and files written by Python.
"""

from __future__ import annotations

import os
import shutil
import tempfile

import numpy as np

import fastgrad as tf
from tests.distribute.ranks import on_ranks

EXAMPLES = 64


def images(examples=EXAMPLES):
    """Digits of 8 by 8 that a small model can tell apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, examples)
    pictures = rng.normal(size=(examples, 8, 8, 1)) * 0.1
    for picture, label in zip(pictures, labels, strict=True):
        picture[4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 1
    return pictures.astype(np.float32), labels.astype(np.int64)


def create_model():
    regularizer = tf.keras.regularizers.L2(1e-5)
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            tf.keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer=regularizer),
            tf.keras.layers.MaxPooling2D(),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(16, activation="relu", kernel_regularizer=regularizer),
            tf.keras.layers.Dense(4, kernel_regularizer=regularizer),
        ]
    )


def strategies():
    """The strategy of all processes, and a strategy of one for comparison."""
    return tf.distribute.MultiWorkerMirroredStrategy(), tf.distribute.MirroredStrategy()


def shared_folder():
    """A folder that all processes use; the first makes and deletes it."""
    return tf.distribute.broadcast_object(tempfile.mkdtemp() if tf.distribute.rank() == 0 else None)


def assert_same_weights(first, second, rtol=1e-3, atol=1e-4):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


# ---- "Custom training with tf.distribute.Strategy" -------------------------------------------------------


def custom_training(strategy, checkpoint_directory):
    train_images, train_labels = images(EXAMPLES + 3)  # the last batch is smaller, and its parts are uneven
    global_batch_size = 16
    epochs = 4
    train_dataset = tf.data.Dataset.from_tensor_slices((train_images, train_labels)).batch(global_batch_size)
    test_dataset = tf.data.Dataset.from_tensor_slices((train_images[:21], train_labels[:21])).batch(global_batch_size)
    train_dist_dataset = strategy.experimental_distribute_dataset(train_dataset)
    test_dist_dataset = strategy.experimental_distribute_dataset(test_dataset)

    with strategy.scope():
        loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")

        def compute_loss(labels, predictions, model_losses):
            per_example_loss = loss_object(labels, predictions)
            loss = tf.nn.compute_average_loss(per_example_loss, global_batch_size=global_batch_size)
            if model_losses:
                loss += tf.nn.scale_regularization_loss(tf.add_n(model_losses))
            return loss

        test_loss = tf.keras.metrics.Mean(name="test_loss")
        train_accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="train_accuracy")
        test_accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="test_accuracy")
        tf.keras.utils.set_random_seed(1)
        model = create_model()
        optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
        checkpoint = tf.train.Checkpoint(optimizer=optimizer, model=model)

    def train_step(inputs):
        images, labels = inputs
        with tf.GradientTape() as tape:
            predictions = model(images, training=True)
            loss = compute_loss(labels, predictions, model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        train_accuracy.update_state(labels, predictions)
        return loss

    def test_step(inputs):
        images, labels = inputs
        predictions = model(images, training=False)
        t_loss = loss_object(labels, predictions)
        test_loss.update_state(t_loss)
        test_accuracy.update_state(labels, predictions)

    @tf.function
    def distributed_train_step(dataset_inputs):
        per_replica_losses = strategy.run(train_step, args=(dataset_inputs,))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica_losses, axis=None)

    @tf.function
    def distributed_test_step(dataset_inputs):
        return strategy.run(test_step, args=(dataset_inputs,))

    losses = []
    for epoch in range(epochs):
        total_loss = 0.0
        num_batches = 0
        for x in train_dist_dataset:
            total_loss += distributed_train_step(x)
            num_batches += 1
        losses.append(float(total_loss / num_batches))
        for x in test_dist_dataset:
            distributed_test_step(x)
        if epoch % 2 == 0:
            checkpoint.save(os.path.join(checkpoint_directory, "ckpt"))

    # Iterating inside a tf.function
    @tf.function
    def distributed_train_epoch(dataset):
        total_loss = 0.0
        num_batches = 0
        for x in dataset:
            per_replica_losses = strategy.run(train_step, args=(x,))
            total_loss += strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica_losses, axis=None)
            num_batches += 1
        return total_loss / tf.cast(num_batches, dtype=tf.float32)

    losses.append(float(distributed_train_epoch(train_dist_dataset)))

    # Restore the latest checkpoint and test without a strategy.
    new_model = create_model()
    checkpoint = tf.train.Checkpoint(optimizer=tf.keras.optimizers.Adam(), model=new_model)
    checkpoint.restore(tf.train.latest_checkpoint(checkpoint_directory)).expect_partial()
    restored_accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
    for x, y in test_dataset:
        restored_accuracy.update_state(y, new_model(x, training=False))
    return losses, [w.numpy() for w in model.weights], [w.numpy() for w in new_model.weights]


@on_ranks(2)
def test_custom_training(rank, size):
    several, alone = strategies()
    folders = [shared_folder(), tempfile.mkdtemp()]
    losses, weights, restored = custom_training(several, folders[0])
    expected_losses, expected, expected_restored = custom_training(alone, folders[1])
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    assert losses[-1] < losses[0] / 2
    assert_same_weights(weights, expected)
    assert_same_weights(restored, expected_restored)


# ---- "Distributed training with Keras" and "Multi-worker training with Keras" ----------------------------


def training_with_keras(strategy, directory):
    train_images, train_labels = images()
    global_batch_size = 8 * strategy.num_replicas_in_sync * (2 // strategy.num_replicas_in_sync)
    dataset = tf.data.Dataset.from_tensor_slices((train_images, train_labels))
    train_dataset = dataset.cache().batch(global_batch_size)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    eval_dataset = dataset.take(24).batch(global_batch_size).with_options(options)
    tf.keras.utils.set_random_seed(1)
    with strategy.scope():
        model = create_model()
        model.compile(
            loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            optimizer=tf.keras.optimizers.Adam(learning_rate=0.01),
            metrics=["accuracy"],
        )

    def decay(epoch):
        return 1e-2 if epoch < 3 else 1e-3

    callbacks = [
        tf.keras.callbacks.ModelCheckpoint(os.path.join(directory, "ckpt_{epoch}.weights.h5"), save_weights_only=True),
        tf.keras.callbacks.LearningRateScheduler(decay),
    ]
    history = model.fit(train_dataset, epochs=4, callbacks=callbacks, verbose=0).history
    model.load_weights(os.path.join(directory, "ckpt_3.weights.h5"))
    eval_loss, eval_acc = model.evaluate(eval_dataset, verbose=0)
    path = os.path.join(directory, "my_model.keras")
    model.save(path)  # all processes call it, the first writes
    replicated_model = tf.keras.models.load_model(path)
    unreplicated = replicated_model.evaluate(eval_dataset, verbose=0)
    np.testing.assert_allclose(unreplicated, [eval_loss, eval_acc], rtol=1e-4)
    return history, [w.numpy() for w in model.weights], (eval_loss, eval_acc)


@on_ranks(2)
def test_training_with_keras(rank, size):
    several, alone = strategies()
    history, weights, evaluated = training_with_keras(several, shared_folder())
    expected_history, expected, expected_evaluated = training_with_keras(alone, tempfile.mkdtemp())
    np.testing.assert_allclose(history["loss"], expected_history["loss"], rtol=1e-3)
    np.testing.assert_allclose(history["accuracy"], expected_history["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(evaluated, expected_evaluated, rtol=1e-3)
    assert history["accuracy"][-1] > 0.8
    assert_same_weights(weights, expected)


# ---- "Multi-worker training with a custom training loop" -------------------------------------------------

PER_WORKER_BATCH_SIZE, NUM_EPOCHS, NUM_STEPS_PER_EPOCH = 8, 3, 4


def dataset_fn(global_batch_size, input_context):
    batch_size = input_context.get_per_replica_batch_size(global_batch_size)
    dataset = tf.data.Dataset.from_tensor_slices(images()).repeat()
    dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
    return dataset.batch(batch_size)


def multi_worker_custom_loop(strategy, checkpoint_directory, stop_after=None):
    global_batch_size = PER_WORKER_BATCH_SIZE * 2
    with strategy.scope():
        tf.keras.utils.set_random_seed(1)
        multi_worker_model = create_model()
        multi_worker_dataset = strategy.distribute_datasets_from_function(
            lambda input_context: dataset_fn(global_batch_size, input_context)
        )
        optimizer = tf.keras.optimizers.RMSprop(learning_rate=0.001)
        train_accuracy = tf.keras.metrics.SparseCategoricalAccuracy(name="train_accuracy")

    @tf.function
    def train_step(iterator):
        def step_fn(inputs):
            x, y = inputs
            with tf.GradientTape() as tape:
                predictions = multi_worker_model(x, training=True)
                per_example_loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(
                    y, predictions
                )
                loss = tf.nn.compute_average_loss(per_example_loss)
                model_losses = multi_worker_model.losses
                if model_losses:
                    loss += tf.nn.scale_regularization_loss(tf.add_n(model_losses))
            grads = tape.gradient(loss, multi_worker_model.trainable_variables)
            optimizer.apply_gradients(zip(grads, multi_worker_model.trainable_variables, strict=True))
            train_accuracy.update_state(y, predictions)
            return loss

        per_replica_losses = strategy.run(step_fn, args=(next(iterator),))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica_losses, axis=None)

    resolver = strategy.cluster_resolver
    task_type, task_id = (resolver.task_type, resolver.task_id) if resolver else (None, None)

    def _is_chief(task_type, task_id, cluster_spec):
        return (
            task_type is None
            or task_type == "chief"
            or (task_type == "worker" and task_id == 0 and "chief" not in cluster_spec.as_dict())
        )

    def write_filepath(filepath, task_type, task_id, cluster_spec):
        if _is_chief(task_type, task_id, cluster_spec):
            return filepath
        return os.path.join(os.path.dirname(filepath), f"workertemp_{task_id}", os.path.basename(filepath))

    cluster_spec = resolver.cluster_spec() if resolver else None
    epoch = tf.Variable(tf.constant(0, dtype=tf.dtypes.int64), name="epoch")
    step_in_epoch = tf.Variable(tf.constant(0, dtype=tf.dtypes.int64), name="step_in_epoch")
    checkpoint = tf.train.Checkpoint(
        model=multi_worker_model, optimizer=optimizer, epoch=epoch, step_in_epoch=step_in_epoch
    )
    write_checkpoint_dir = write_filepath(os.path.join(checkpoint_directory, "ckpt"), task_type, task_id, cluster_spec)
    checkpoint_manager = tf.train.CheckpointManager(checkpoint, directory=write_checkpoint_dir, max_to_keep=1)
    latest_checkpoint = tf.train.latest_checkpoint(os.path.join(checkpoint_directory, "ckpt"))
    if latest_checkpoint:
        checkpoint.restore(latest_checkpoint)

    losses = []
    while epoch.numpy() < NUM_EPOCHS:
        if stop_after is not None and epoch.numpy() == stop_after:
            break
        iterator = iter(multi_worker_dataset)
        total_loss, num_batches = 0.0, 0
        while step_in_epoch.numpy() < NUM_STEPS_PER_EPOCH:
            total_loss += train_step(iterator)
            num_batches += 1
            step_in_epoch.assign_add(1)
        losses.append(float(total_loss / num_batches))
        train_accuracy.reset_state()
        epoch.assign_add(1)
        step_in_epoch.assign(0)
        checkpoint_manager.save()
        if not _is_chief(task_type, task_id, cluster_spec):
            shutil.rmtree(os.path.dirname(write_checkpoint_dir), ignore_errors=True)
    tf.distribute.barrier()
    return losses, [w.numpy() for w in multi_worker_model.weights]


@on_ranks(2)
def test_multi_worker_custom_loop(rank, size):
    several, _ = strategies()
    losses, weights = multi_worker_custom_loop(several, shared_folder())
    if rank == 0:
        expected_losses, expected = multi_worker_one_process()
        np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
        assert_same_weights(weights, expected)
        assert losses[-1] < losses[0]
    tf.distribute.barrier()
    folder = shared_folder()
    multi_worker_custom_loop(several, folder, stop_after=2)
    later_losses, resumed = multi_worker_custom_loop(several, folder)
    np.testing.assert_allclose(later_losses, losses[2:], rtol=1e-4)
    assert_same_weights(resumed, weights)


def multi_worker_one_process():
    """The same training in one process: each batch has the rows of both workers."""
    x, y = images()
    tf.keras.utils.set_random_seed(1)
    model = create_model()
    optimizer = tf.keras.optimizers.RMSprop(learning_rate=0.001)
    losses = []
    for _ in range(NUM_EPOCHS):
        total = 0.0
        for step in range(NUM_STEPS_PER_EPOCH):
            rows = np.arange(16 * step, 16 * step + 16) % EXAMPLES
            with tf.GradientTape() as tape:
                loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y[rows], model(x[rows]))
                loss += tf.add_n(model.losses)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            total += float(loss)
        losses.append(total / NUM_STEPS_PER_EPOCH)
    return losses, [w.numpy() for w in model.weights]


# ---- "Distributed input" -----------------------------------------------------------------------------------


@on_ranks(2)
def test_distributed_input(rank, size):
    mirrored_strategy, _ = strategies()
    global_batch_size = 16
    dataset = tf.data.Dataset.from_tensors(([1.0], [1.0])).repeat(100).batch(global_batch_size)
    dist_dataset = mirrored_strategy.experimental_distribute_dataset(dataset)

    def train_step(inputs):
        features, labels = inputs
        return labels - 0.3 * features

    for x in dist_dataset:
        mirrored_strategy.run(train_step, args=(x,))

    iterator = iter(dist_dataset)
    for _ in range(7):
        result = mirrored_strategy.run(train_step, args=(next(iterator),))
    np.testing.assert_allclose(result, np.full((2, 1), 0.7), rtol=1e-6)

    # get_next_as_optional
    steps_per_loop = 10
    iterator = iter(dist_dataset)
    sizes = []

    @tf.function
    def train_fn(distributed_iterator):
        for _ in range(steps_per_loop):
            optional_data = distributed_iterator.get_next_as_optional()
            if not optional_data.has_value():
                break
            per_replica_results = mirrored_strategy.run(lambda x: x, args=(optional_data.get_value(),))
            sizes.extend(len(part[0]) for part in mirrored_strategy.experimental_local_results(per_replica_results))

    train_fn(iterator)
    assert sizes == [8, 8, 8, 8, 8, 8, 2]

    # element_spec as an input signature
    def step(inputs):
        return tf.distribute.get_replica_context().all_reduce("SUM", tf.reduce_sum(inputs[0]))

    @tf.function(input_signature=[dist_dataset.element_spec])
    def signed_step(per_replica_inputs):
        return mirrored_strategy.run(step, args=(per_replica_inputs,))

    totals = [float(signed_step(x)) for x in dist_dataset]
    assert totals == [16.0] * 6 + [4.0]

    # Values of each replica
    def value_fn(ctx):
        return tf.constant(ctx.replica_id_in_sync_group)

    distributed_values = mirrored_strategy.experimental_distribute_values_from_function(value_fn)
    result = mirrored_strategy.run(lambda x: x, args=(distributed_values,))
    assert int(result) == rank

    # A dataset of a generator
    def input_gen():
        while True:
            yield np.random.rand(4)

    generated = tf.data.Dataset.from_generator(input_gen, output_types=tf.float32, output_shapes=tf.TensorShape([4]))
    dist_dataset = mirrored_strategy.experimental_distribute_dataset(generated.batch(global_batch_size))
    iterator = iter(dist_dataset)
    for _ in range(4):
        batch = next(iterator)
        total = mirrored_strategy.run(
            lambda x: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(tf.shape(x))), args=(batch,)
        )
        np.testing.assert_array_equal(total, np.full((8, 4), 2.0))
