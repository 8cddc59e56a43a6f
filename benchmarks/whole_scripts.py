"""Whole scripts, cold and warm, beside TensorFlow: `python -m benchmarks.whole_scripts` prints a table.

A script is what a user starts: its time is that of a process, with imports, data, training and evaluation. TensorFlow runs
the same text with another import. "Cold" has an empty folder of compiled kernels, "warm" the folder that the cold process
left. Each run must have learnt. Rounds alternate between the libraries.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.apart import ROOT, THREADS, thread_settings
from benchmarks.peers.__main__ import peers_python, positive_number

HEAD = """
import numpy as np
import {library} as tf

rng = np.random.RandomState(0)
tf.keras.utils.set_random_seed(0)
keras, layers = tf.keras, tf.keras.layers
"""

SCRIPTS = {
    "mlp: `fit` of 5 epochs of 12,000 images, `evaluate`": """
y = rng.randint(0, 10, 12_000)
x = (rng.normal(size=(10, 784))[y] + rng.normal(size=(12_000, 784))).astype("float32")
model = keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.Dense(10)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(x[:10_000], y[:10_000], epochs=5, verbose=0)
print("result", model.evaluate(x[10_000:], y[10_000:], verbose=0)[0])
""",
    "cnn: `fit` of 2 epochs of 4,000 images": """
y = rng.randint(0, 10, 4_000)
x = (rng.normal(size=(10, 28, 28, 1))[y] + rng.normal(size=(4_000, 28, 28, 1))).astype("float32")
model = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(32, 3, activation="relu"),
     layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10)]
)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, epochs=2, verbose=0)
print("result", model.evaluate(x, y, verbose=0))
""",
    "loop: a step under `tf.function`, 2,000 times": """
x = rng.normal(size=(2_000, 32, 16)).astype("float32")
w = rng.normal(size=(16, 1)).astype("float32")
model = keras.Sequential([keras.Input((16,)), layers.Dense(64, activation="tanh"), layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.05)

@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss

for batch in x:
    loss = step(tf.constant(batch), tf.constant(np.tanh(batch @ w)))
print("result", float(loss))
""",
    "eager: a tape without `tf.function`, 300 times": """
x = rng.normal(size=(300, 32, 16)).astype("float32")
w = rng.normal(size=(16, 1)).astype("float32")
model = keras.Sequential([keras.Input((16,)), layers.Dense(64, activation="tanh"), layers.Dense(1)])
optimizer = keras.optimizers.SGD(0.05)
for batch in x:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(tf.constant(batch), training=True) - np.tanh(batch @ w)) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
print("result", float(loss))
""",
}
"""The scripts without their imports, by what they do."""

LIBRARIES = "fastgrad", "tensorflow"
LARGEST_LOSS = 0.2
"""Each script learns to a smaller loss than this. Random numbers differ, so losses are not equal."""


class Run(NamedTuple):
    """One run of a script: the seconds of the process, and the loss that it printed."""

    seconds: float
    loss: float


def run(script: str, library: str, folder: str) -> Run:
    """Runs a script in a process of its own, with a folder for compiled kernels.

    Raises:
        RuntimeError: the script failed, or has not learnt.
    """
    python = sys.executable if library == "fastgrad" else peers_python()
    environment = {**os.environ, **thread_settings(THREADS), "FASTGRAD_CACHE_DIR": folder, "FASTGRAD_QUIET": "1"}
    began = time.perf_counter()
    finished = subprocess.run(
        [python, "-c", HEAD.format(library=library) + script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if finished.returncode:
        raise RuntimeError(f"{library}: {(finished.stderr.splitlines() or ['no message'])[-1]}")
    loss = float(finished.stdout.rpartition("result ")[2])
    if not loss < LARGEST_LOSS:
        raise RuntimeError(f"{library}: its loss is {loss}, not below {LARGEST_LOSS}")
    return Run(seconds, loss)


def row(name: str, rounds: int) -> str:
    """Returns a row of the table, in Markdown: medians of seconds, and TensorFlow's over fastgrad's."""
    cold, warm, theirs = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(run(SCRIPTS[name], "fastgrad", folder).seconds)
            warm.append(run(SCRIPTS[name], "fastgrad", folder).seconds)
        theirs.append(run(SCRIPTS[name], "tensorflow", "").seconds)
    ratios = [statistics.median(t / o for t, o in zip(theirs, ours, strict=True)) for ours in (cold, warm)]
    cells = [f"{statistics.median(times):.1f}" for times in (cold, warm, theirs)] + [f"{ratio:.1f}" for ratio in ratios]
    return f"| {name} | {' | '.join(cells)} |"


def main(command: Sequence[str] | None = None) -> int:
    """Prints the table; returns 1 if a script failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_scripts", description=__doc__)
    parser.add_argument("--rounds", type=positive_number(int), default=5, help="runs of each script (default 5)")
    rounds = parser.parse_args(command).rounds
    print("| script | fastgrad cold, s | warm, s | TensorFlow, s | TensorFlow / cold | TensorFlow / warm |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    failures = 0
    for name in SCRIPTS:
        try:
            print(row(name, rounds), flush=True)
        except RuntimeError as error:
            print(f"| {name} | {error} | | | | |", flush=True)
            failures += 1
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
