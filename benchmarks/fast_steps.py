"""Times of one training step, written and fed in several ways, for docs/fast_steps.md: `python -m benchmarks.fast_steps`.

The step is 32-64-10 with Adam. A time is the least of 300 calls, or of some epochs of 8,192 examples, in microseconds a step.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastgrad as tf
from benchmarks.data import generator


def model_and_loss() -> tuple[Any, Any, Any]:
    """Returns a new model, its loss and its optimizer."""
    tf.keras.utils.set_random_seed(0)
    layers = [tf.keras.layers.Dense(64, activation="relu"), tf.keras.layers.Dense(10)]
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return tf.keras.Sequential(layers), loss_of, tf.keras.optimizers.Adam(0.001)


def make_step(compiled: str = "step") -> Callable[..., Any]:
    """Returns a step of which `compiled` is in a `tf.function`: "step", "gradients" (not the optimizer), or "nothing"."""
    model, loss_of, optimizer = model_and_loss()

    def gradients(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        return loss, tape.gradient(loss, model.trainable_variables)

    loss_and_gradients = tf.function(gradients) if compiled == "gradients" else gradients

    def step(x: Any, y: Any) -> Any:
        loss, found = loss_and_gradients(x, y)
        optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
        return loss

    return tf.function(step) if compiled == "step" else step


def least_time(call: Callable[[], Any], calls: int = 300) -> float:
    """Returns the least time of a call, in microseconds."""
    for _ in range(10):
        call()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times)


def epoch_time(dataset: Any, epochs: int = 5) -> float:
    """Returns the time of a step in the fastest epoch of a compiled step over a dataset, in microseconds."""
    step = make_step()

    def epoch() -> None:
        for x, y in dataset:
            step(x, y)

    epoch()
    times = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / len(dataset)


def pipelines(x: Any, y: Any, folder: Path) -> dict[str, Any]:
    """Returns datasets of batches of 64."""

    def root(value: Any, label: Any) -> Any:
        return tf.sqrt(tf.abs(value)), label

    def batched(dataset: Any) -> Any:
        return dataset.batch(64, drop_remainder=True)

    arrays = tf.data.Dataset.from_tensor_slices((x, y))
    np.save(folder / "x.npy", x)
    mapped = np.load(folder / "x.npy", mmap_mode="r")
    return {
        "arrays": batched(arrays),
        "a memory-mapped file": batched(tf.data.Dataset.from_tensor_slices((mapped, y))),
        "`shuffle`, `batch`": batched(arrays.shuffle(len(x), seed=0)),
        "`map`, `batch`": batched(arrays.map(root)),
        "`batch`, `map`": batched(arrays).map(root),
        "`batch`, `map`, `prefetch`": batched(arrays).map(root).prefetch(2),
        "`batch`, `map`, `cache`": batched(arrays).map(root).cache(),
    }


def fit_time(x: Any, y: Any) -> float:
    """Returns the time of a step in the fastest of five epochs of `fit`, in microseconds."""
    model, loss_of, optimizer = model_and_loss()
    model.compile(optimizer, loss_of)
    model.fit(x, y, batch_size=64, epochs=1, verbose=0)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        model.fit(x, y, batch_size=64, epochs=1, verbose=0)
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / (len(x) // 64)


def main() -> None:
    """Prints a table in Markdown."""
    rng = generator(0)
    x, y = rng.normal(size=(8192, 32)).astype("float32"), rng.integers(0, 10, 8192)
    batch = tf.constant(x[:64]), tf.constant(y[:64])
    print("| step | µs |\n| --- | --: |")
    for compiled in ("nothing", "gradients", "step"):
        step = make_step(compiled)
        print(f"| {compiled} in `tf.function` | {least_time(lambda step=step: step(*batch)):.1f} |")  # type: ignore[misc]
    step = make_step()
    print(f"| arrays of NumPy as arguments | {least_time(lambda: step(x[:64], y[:64])):.1f} |")
    print(f"| `float(loss)` after each step | {least_time(lambda: float(step(*batch))):.1f} |")
    for size in (16, 64, 256, 1024, 4096):
        step, of_size = make_step(), (tf.constant(x[:size]), tf.constant(y[:size]))
        print(f"| batches of {size} | {least_time(lambda step=step, one=of_size: step(*one)):.1f} |")  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        for name, dataset in pipelines(x, y, Path(folder)).items():
            print(f"| {name} | {epoch_time(dataset, epochs=2 if name.startswith('`map`') else 5):.1f} |")
    print(f"| `fit` | {fit_time(x, y):.1f} |")


if __name__ == "__main__":
    main()
