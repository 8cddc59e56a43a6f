"""bfloat16 beside float32 in one process: products, and whole training steps under `mixed_bfloat16`."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import data
from benchmarks.kernels import compiled
from benchmarks.threads import use_threads

PRODUCTS = ("64x64x64", "128x128x128", "256x256x256", "512x512x512", "1024x1024x1024")
WIDTHS = (256, 1024)
BATCH, CLASSES = 256, 10
ROUNDS, SECONDS = 40, 1.0


def ratio(slow: Callable[[], Any], fast: Callable[[], Any]) -> float:
    """Returns the ratio of the shortest times of two calls, interleaved."""
    best = [float("inf"), float("inf")]
    end = time.perf_counter() + SECONDS
    for number in range(10 * ROUNDS):
        for place, call in enumerate((slow, fast)):
            began = time.perf_counter()
            call()
            best[place] = min(best[place], time.perf_counter() - began)
        if number >= ROUNDS and time.perf_counter() > end:
            break
    return best[0] / best[1]


def training_step(policy: str, width: int) -> Callable[[], Any]:
    """Returns a call of the compiled training step of two wide layers and a head, with Adam."""
    import fastgrad as tf

    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        layers = [tf.keras.layers.Dense(width, "relu"), tf.keras.layers.Dense(width, "relu")]
        model = tf.keras.Sequential([*layers, tf.keras.layers.Dense(CLASSES, dtype="float32")])
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    optimizer = tf.keras.optimizers.Adam(1e-3)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    labels = tf.range(BATCH) % CLASSES
    return compiled(step, tf.constant(data.uniform(BATCH, width)), labels)


class Products:
    """Compiled products of bfloat16 matrices: (rows x terms x columns)."""

    params = (PRODUCTS, (1, 2))
    param_names = ("size", "threads")
    version = "1"

    def setup(self, size: str, threads: int) -> None:
        import fastgrad as tf

        use_threads(threads)
        m, k, n = map(int, size.split("x"))
        x, y = tf.constant(data.uniform(m, k)), tf.constant(data.uniform(k, n, seed=1))
        self.wide = compiled(tf.matmul, x, y)
        self.call = compiled(tf.matmul, tf.cast(x, tf.bfloat16), tf.cast(y, tf.bfloat16))

    def time_product(self, size: str, threads: int) -> None:
        self.call()

    def track_pace_beside_float32(self, size: str, threads: int) -> float:
        return ratio(self.wide, self.call)

    track_pace_beside_float32.unit = "times"


class Steps:
    """A training step of two layers of this width under `mixed_bfloat16`, 256 examples, Adam."""

    params = (WIDTHS, (1, 2))
    param_names = ("width", "threads")
    version = "1"

    def setup(self, width: int, threads: int) -> None:
        use_threads(threads)
        self.wide, self.call = training_step("float32", width), training_step("mixed_bfloat16", width)

    def time_step(self, width: int, threads: int) -> None:
        self.call()

    def track_pace_beside_float32(self, width: int, threads: int) -> float:
        return ratio(self.wide, self.call)

    track_pace_beside_float32.unit = "times"
