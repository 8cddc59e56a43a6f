"""Trains the handwritten digits on two ranks of MPI and in one process, draws the losses of both, and says the speed-up.

    python examples/distributed_demo.py [--ranks 2] [--epochs 12] [--output build]        (pip install "fastgrad[mpi]")

Both trainings take the same global batches of 448 images; each rank computes on its part of a batch, with one thread.
The ranks sum their gradients within the compiled step, so that all hold the same weights.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

BATCH, WIDTH = 448, 1024


def train(epochs):
    """Trains in this process; returns its rank, the loss of each step, and the median seconds of a step."""
    import fastgrad as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    rank, ranks = strategy.cluster_resolver.task_id, strategy.num_replicas_in_sync
    digits = load_digits()
    images = tf.constant((digits.data / 16.0).astype(np.float32))
    labels = tf.constant(digits.target)
    tf.keras.utils.set_random_seed(0)
    with strategy.scope():  # variables get the values of the first rank
        model = tf.keras.Sequential(
            [
                tf.keras.Input((64,)),
                tf.keras.layers.Dense(WIDTH, activation="relu"),
                tf.keras.layers.Dense(WIDTH, activation="relu"),
                tf.keras.layers.Dense(10),
            ]
        )
        optimizer = tf.keras.optimizers.SGD(0.05, momentum=0.9)

    def replica_step(x, y):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=model(x, training=True))
            loss = tf.nn.compute_average_loss(losses, global_batch_size=BATCH)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))  # sums them over the ranks
        return tf.reduce_mean(losses)

    @tf.function
    def step(x, y):
        return strategy.run(replica_step, args=(x, y))

    rng = np.random.default_rng(0)  # all ranks shuffle alike
    losses, seconds = [], []
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            own = order[start : start + BATCH][rank::ranks]
            x, y = tf.gather(images, own), tf.gather(labels, own)
            began = time.perf_counter()
            losses.append(float(step(x, y)))
            seconds.append(time.perf_counter() - began)
    return {"rank": rank, "losses": losses, "seconds": float(np.median(seconds[len(seconds) // 4 :]))}


def run(command, folder, epochs):
    """Runs this program in the processes that a command starts; returns their results by rank."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("rank_*.json"):
        file.unlink()
    program = [*command, sys.executable, __file__, "--results", str(folder), "--epochs", str(epochs)]
    subprocess.run(program, env={**os.environ, "FASTGRAD_NUM_THREADS": "1"}, check=True)
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("rank_*.json"))]


def launcher():
    """The path of MPI's launcher: the one beside this Python, else the first on the path."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    path = shutil.which("mpiexec", path=places)
    if path is None:
        sys.exit('There is no mpiexec: pip install "fastgrad[mpi]", or load the MPI module of your cluster.')
    return path


def draw(one, ranks, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for result in ranks:
        axes.semilogy(
            result["losses"], alpha=0.5, label=f"rank {result['rank']} of {len(ranks)}: its part of the batch"
        )
    axes.semilogy(np.mean([result["losses"] for result in ranks], axis=0), color="black", label="mean of the ranks")
    axes.semilogy(one["losses"], color="tab:red", linestyle="--", label="one process, the whole batch")
    axes.set_xlabel("step")
    axes.set_ylabel("training loss")
    axes.legend()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path("build"))
    parser.add_argument("--results", type=Path, help=argparse.SUPPRESS)  # of a process that trains
    options = parser.parse_args(arguments)
    if options.results:
        result = train(options.epochs)
        file = options.results / f"rank_{result['rank']}.json"
        file.write_text(json.dumps(result), encoding="utf-8")
        return
    command = [launcher(), "-n", str(options.ranks)]
    run([], options.output / "one_process", 1)  # compiles the kernels, so that no rank waits for another's
    (one,) = run([], options.output / "one_process", options.epochs)
    ranks = run(command, options.output / "ranks", options.epochs)
    difference = np.max(np.abs(np.mean([result["losses"] for result in ranks], axis=0) - one["losses"]))
    slowest = max(result["seconds"] for result in ranks)
    print(f"loss: {one['losses'][0]:.2f} at the first step, {one['losses'][-1]:.2f} at the last")
    print(f"largest difference of the losses: {difference:.1e}")
    print(f"a step: {1e3 * one['seconds']:.1f} ms in one process, {1e3 * slowest:.1f} ms on {len(ranks)} ranks")
    print(f"speed-up: {one['seconds'] / slowest:.2f} times")
    draw(one, ranks, options.output / "distributed_demo.png")
    print(f"drawn: {options.output}/distributed_demo.png")


if __name__ == "__main__":
    main()
