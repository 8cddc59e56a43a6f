"""Trains the handwritten digits on several ranks of MPI, with checkpoints, so that a killed training goes on.

    mpiexec -n 2 python examples/distributed_digits.py                  (pip install "fastgrad[mpi]")
    mpiexec -n 2 python examples/distributed_digits.py --restart        goes on from the newest checkpoint

At most `--save-every` steps are lost, and the step that ran. The number of ranks may change: each rank computes on its rows
of the same global batches, and the checkpoint holds the position in them. `--directory` is on a file system that all ranks see.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastgrad as tf

BATCH = 64
"""The images of a batch, of all ranks together."""


def load_data():
    digits = load_digits()
    images = (digits.data / 16.0).astype(np.float32)
    return train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)


class Training:
    """A model, its optimizer, the number of steps, and the step function of one replica."""

    def __init__(self, strategy):
        self.strategy = strategy
        with strategy.scope():
            tf.keras.utils.set_random_seed(0)
            self.model = tf.keras.Sequential(
                [
                    tf.keras.Input((64,)),
                    tf.keras.layers.Dense(128, activation="relu"),
                    tf.keras.layers.Dense(10),
                ]
            )
            self.optimizer = tf.keras.optimizers.Adam(1e-3)
            self.steps = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer, steps=self.steps)

    def step(self, images, labels):
        """Returns the share of this replica in the mean loss of the global batch."""
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, self.model(images, training=True))
            loss = tf.reduce_sum(losses) / BATCH
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables))  # sums over the replicas
        return loss


def own_rows(strategy, step, steps_per_epoch, count):
    """Returns the numbers of the images of this rank in the batch of a step; all ranks shuffle alike."""
    epoch, number = divmod(step, steps_per_epoch)
    batch = np.random.default_rng(epoch).permutation(count)[number * BATCH : (number + 1) * BATCH]
    return batch[strategy.cluster_resolver.task_id or 0 :: strategy.num_replicas_in_sync]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--restart", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument("--directory", default="build/distributed_digits", help="the folder of checkpoints")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--save-every", type=int, default=22, help="steps between checkpoints; an epoch has 22")
    options = parser.parse_args(arguments)

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    is_chief = not strategy.cluster_resolver.task_id  # None without a launcher
    images, test_images, labels, test_labels = load_data()
    training = Training(strategy)
    manager = tf.train.CheckpointManager(training.checkpoint, options.directory, max_to_keep=2)
    if options.restart and manager.latest_checkpoint:
        training.checkpoint.restore(manager.latest_checkpoint)
        if is_chief:
            print(f"continues after step {int(training.steps)}", flush=True)

    @tf.function
    def train_step(images, labels):
        return strategy.run(training.step, args=(images, labels))

    steps_per_epoch = len(images) // BATCH
    for step in range(int(training.steps), options.epochs * steps_per_epoch):
        rows = own_rows(strategy, step, steps_per_epoch, len(images))
        loss = strategy.reduce("SUM", train_step(images[rows], labels[rows]), axis=None)
        training.steps.assign_add(1)
        if (step + 1) % steps_per_epoch == 0 and is_chief:
            print(f"epoch {(step + 1) // steps_per_epoch}: loss {float(loss):.4f}", flush=True)
        if (step + 1) % options.save_every == 0:
            manager.save()
            if is_chief:
                print(f"saved after step {step + 1}", flush=True)
    if is_chief:
        predictions = np.argmax(training.model(test_images), axis=1)
        print(f"test accuracy: {100 * np.mean(predictions == test_labels):.1f} %")
        print(f"weights: {np.sum([np.abs(weight).sum() for weight in training.model.get_weights()]):.4f}")


if __name__ == "__main__":
    main()
