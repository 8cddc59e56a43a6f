"""Trains with the installed fastgrad, and fails unless its operations use the machine code that its wheel brings.

python tools/try_wheel.py    with the Python of an environment that has a wheel and no other fastgrad
"""

import os
import sys
import tempfile
import time

os.environ["FASTGRAD_CACHE_DIR"] = tempfile.mkdtemp()  # nothing that was compiled before
start = time.perf_counter()

import numpy as np  # noqa: E402 - the time counts

import fastgrad as tf  # noqa: E402

print(f"import {time.perf_counter() - start:.2f} s, {tf.__file__}")


def check(holds: bool, message: str) -> None:
    """Ends the process with a message unless something holds."""
    if not holds:
        sys.exit(f"try_wheel: {message}")


rng = np.random.default_rng(0)
x = rng.normal(size=(256, 20)).astype(np.float32)
y = (x[:, :5].sum(axis=1) > 0).astype(np.int32)

with tf.GradientTape() as tape:
    v = tf.Variable(x)
    loss = tf.reduce_mean(tf.nn.gelu(tf.matmul(v, v, transpose_b=True)))
check(np.isfinite(tape.gradient(loss, v).numpy()).all(), "a gradient is not finite")
check("numba" not in sys.modules, "eager operations imported Numba: the wheel's kernels do not fit this machine")
print(f"first eager gradient after {time.perf_counter() - start:.2f} s")

model = tf.keras.Sequential([tf.keras.layers.Dense(64, "relu"), tf.keras.layers.Dense(2)])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, batch_size=32, epochs=20, verbose=0).history
print(f"trained after {time.perf_counter() - start:.2f} s; accuracy {history['accuracy'][-1]:.3f}")
check(history["accuracy"][-1] > 0.9, "the accuracy is below 0.9")
