"""Calls of kernels and of compiled steps for valgrind, on code for processors without AVX-512, which valgrind does not know.

`python -m tests.reliability.memory.kernels_for_valgrind [PART]` prints how many calls it made. A part is "steps", a scene of
`tests/kernels/every_kernel.py` (together these call every kernel), or "broken". The first run, without valgrind, fills the kernel cache, so that
nothing is compiled under valgrind.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.isa import level_machine
from fastgrad._src.jit.native import compile_for
from tests.kernels.every_kernel import SCENES

SIZES = (1, 7, 17)


def fresh(*shape: int, dtype: str = "float32") -> Any:
    """A tensor with memory of its own, so that its end is the end of a block of the allocator."""
    return tf.constant(np.linspace(-2.0, 2.0, int(np.prod(shape))).reshape(shape).astype(dtype))


def calls_of_operations(rows: int, columns: int, dtype: str) -> list[Callable[[], Any]]:
    x, w = fresh(rows, columns, dtype=dtype), fresh(columns, 5, dtype=dtype)
    row, ids = fresh(columns, dtype=dtype), tf.constant(np.arange(9) % rows)
    return [
        lambda: tf.tanh(x),
        lambda: tf.exp(x) * x + row,
        lambda: tf.matmul(x, w),
        lambda: tf.matmul(x, x, transpose_b=True),
        lambda: tf.matmul(x, x, transpose_a=True),
        lambda: tf.nn.softmax(x),
        lambda: tf.nn.log_softmax(x, 0),
        lambda: [tf.reduce_sum(x, axis) for axis in (None, 0, 1)],
        lambda: [tf.reduce_max(x, 0), tf.argmax(x, 1), tf.math.reduce_variance(x, 1)],
        lambda: tf.transpose(x),
        lambda: tf.concat([x, x[:, ::-1]], 1),
        lambda: tf.gather(x, ids),
        lambda: tf.math.unsorted_segment_sum(tf.gather(x, ids), ids, rows),
        lambda: tf.cumsum(x, 1),
        lambda: tf.sort(x, 1),
        lambda: tf.nn.gelu(x),
        lambda: tf.where(x > 0.0, x, tf.zeros_like(x)),
    ]


def calls_on_images(size: int) -> list[Callable[[], Any]]:
    image, kernel = fresh(2, size + 3, size + 2, 3), fresh(3, 3, 3, 5)
    return [
        lambda: tf.nn.conv2d(image, kernel, 1, "SAME"),
        lambda: tf.nn.conv2d(image, kernel, 2, "SAME"),
        lambda: tf.nn.max_pool2d(image, 2, 2, "SAME"),
        lambda: tf.nn.avg_pool2d(image, 3, 1, "VALID"),
    ]


def steps(batch: int) -> list[Callable[[], Any]]:
    """Steps of training, compiled: dense layers, a convolution, a recurrent layer."""
    keras, layers = tf.keras, tf.keras.layers
    dense = [layers.Dense(17, activation="relu"), layers.LayerNormalization(), layers.Dropout(0.2), layers.Dense(3)]
    image = [layers.Conv2D(5, 3, padding="same"), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten()]
    words = [layers.Embedding(11, 7), layers.LSTM(9), layers.Dense(3)]
    cases = [
        (dense, fresh(batch, 9)),
        ([*image, layers.Dense(3)], fresh(batch, 7, 5, 3)),
        (words, tf.constant(np.arange(batch * 6).reshape(batch, 6) % 11)),
    ]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels = tf.constant(np.arange(batch) % 3)

    def step_of(model: Any, optimizer: Any, x: Any) -> Callable[[], Any]:
        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                value = loss(y, model(x, training=True))
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return value

        compiled = tf.function(step)
        return lambda: [compiled(x, labels) for _ in range(3)]

    return [step_of(keras.Sequential(parts), keras.optimizers.Adam(), x) for parts, x in cases]


def operations_and_steps() -> int:
    """Operations of several sizes, and steps of training."""
    calls = [c for r, k in itertools.product(SIZES, SIZES) for c in calls_of_operations(r, k, "float32")]
    calls += [c for size in SIZES for c in [*calls_of_operations(3, size, "float64"), *calls_on_images(size)]]
    calls += steps(5)
    for call in calls:
        call()
    return len(calls)


def broken() -> int:
    """A kernel that reads beyond an array."""
    declared = kernel("x: in[float32], out: out[float32], rows: int")

    @declared
    def too_far(x, out, rows):  # type: ignore[no-untyped-def]
        for i in range(rows):
            out[0] += x[i + 2000]

    too_far(np.ones(1001, np.float32), np.zeros(1, np.float32), 1001)
    return 1


def calls_of_scene(scene: Callable[[], Any]) -> int:
    """The number of calls of a scene, which are made."""
    return sum(1 for _ in scene())


PARTS: dict[str, Callable[[], int]] = {"broken": broken, "steps": operations_and_steps}
PARTS |= {scene.__name__: functools.partial(calls_of_scene, scene) for scene in SCENES}


if __name__ == "__main__":
    compile_for(level_machine("x86-64-v3"))
    print(PARTS[sys.argv[1]]())
