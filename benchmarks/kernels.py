"""Kernels in compiled functions: how much of the machine's arithmetic and memory traffic they reach.

The machine's own limits are measured in the same process, so that a share follows the library and not the machine.
"""

import time
from collections.abc import Callable
from typing import Any

from benchmarks import data
from benchmarks.threads import use_threads

SECONDS = 0.3
SLICES = 5
PRODUCTS = ("64x64x64", "32x784x64", "256x256x256", "512x512x512", "1x1024x1024")
FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "sin", "erf", "sqrt", "softplus")
STREAMS = {
    "add": (3, lambda tf, x, y: x + y),
    "scaled sum": (3, lambda tf, x, y: x + 0.5 * y),
    "sum": (1, lambda tf, x, y: tf.reduce_sum(x)),
    "softmax": (2, lambda tf, x, y: tf.nn.softmax(tf.reshape(x, (-1, 1000)))),
    "l2 normalize": (2, lambda tf, x, y: tf.math.l2_normalize(tf.reshape(x, (-1, 1000)), axis=-1)),
    "transpose": (2, lambda tf, x, y: tf.transpose(tf.reshape(x, (1000, -1))) + 1.0),
}
CONVOLUTIONS = {
    "28x28x1, 3x3, 32": (32, 28, 1, 32),
    "28x28x32, 3x3, 64": (32, 28, 32, 64),
    "32x32x64, 3x3, 64": (16, 32, 64, 64),
}
LAYERS = {"LSTM": 4, "GRU": 3}  # and how many gates they have
SEQUENCES = (32, 64, 32, 64)  # rows, steps, features, units
STREAM_SIZE = 8_000_000


def best_seconds(call: Callable[[], Any]) -> float:
    """Returns the seconds of one call: the shortest of a few slices."""
    call()
    began = time.perf_counter()
    call()
    once = time.perf_counter() - began
    calls = max(1, int(SECONDS / SLICES / max(once, 1e-7)))
    best = float("inf")
    for _ in range(SLICES):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - began) / calls)
    return best


def compiled(function: Callable[..., Any], *tensors: Any) -> Callable[[], Any]:
    """Returns a call without arguments of the compiled function on the given operands."""
    import fastgrad as tf

    step = tf.function(function)
    for _ in range(3):
        step(*tensors)
    return lambda: step(*tensors)


class Gemm:
    """Matrix products: (rows x terms x columns)."""

    params = (PRODUCTS, ("float32", "float64"), (1, 2))
    param_names = ("size", "dtype", "threads")
    version = "1"

    def setup(self, size: str, dtype: str, threads: int) -> None:
        import fastgrad as tf

        use_threads(threads)
        m, k, n = map(int, size.split("x"))
        x, y = tf.constant(data.uniform(m, k, dtype=dtype)), tf.constant(data.uniform(k, n, seed=1, dtype=dtype))
        self.flops = 2.0 * m * k * n
        self.call = compiled(tf.matmul, x, y)

    def time_product(self, size: str, dtype: str, threads: int) -> None:
        self.call()

    def track_gflops(self, size: str, dtype: str, threads: int) -> float:
        return self.flops / best_seconds(self.call) / 1e9

    def track_share_of_peak(self, size: str, dtype: str, threads: int) -> float:
        from benchmarks.peers.limits import Arithmetic

        peak = Arithmetic(threads)
        flops = max(peak.flops_per_second() for _ in range(SLICES)) * (0.5 if dtype == "float64" else 1.0)
        return self.flops / best_seconds(self.call) / flops

    track_gflops.unit = "GFLOP/s"
    track_share_of_peak.unit = "of the peak"


class Stream:
    """Element-wise operations over memory, as a share of the bandwidth of a triad."""

    params = (tuple(STREAMS), (1, 2))
    param_names = ("operation", "threads")
    version = "1"

    def setup(self, operation: str, threads: int) -> None:
        import fastgrad as tf

        use_threads(threads)
        passes, function = STREAMS[operation]
        self.bytes = 4.0 * passes * STREAM_SIZE
        x, y = (tf.constant(data.uniform(STREAM_SIZE, seed=seed)) for seed in (0, 1))
        self.call = compiled(lambda x, y: function(tf, x, y), x, y)

    def track_share_of_triad(self, operation: str, threads: int) -> float:
        from benchmarks.peers.triad import Triad

        triad = Triad(12 * STREAM_SIZE, threads)
        speed = max(triad.bytes_per_second() for _ in range(SLICES))
        return self.bytes / best_seconds(self.call) / speed

    track_share_of_triad.unit = "of the triad"


class Functions:
    """Nanoseconds an element of functions such as exp, on a vector in the cache."""

    params = (FUNCTIONS, ("float32", "float64"))
    param_names = ("function", "dtype")
    version = "1"
    size = 16_384

    def setup(self, function: str, dtype: str) -> None:
        import fastgrad as tf

        use_threads(1)
        of = getattr(tf.nn if function == "softplus" else tf.math, function)
        x = tf.constant(data.uniform(self.size, dtype=dtype) + (1.5 if function in {"log", "sqrt"} else 0.0), dtype)
        self.call = compiled(of, x)

    def track_nanoseconds(self, function: str, dtype: str) -> float:
        return best_seconds(self.call) / self.size * 1e9

    track_nanoseconds.unit = "ns an element"


class Convolution:
    """The forward pass of a convolution, and its gradients."""

    params = (tuple(CONVOLUTIONS), (1, 2))
    param_names = ("size", "threads")
    version = "1"

    def setup(self, size: str, threads: int) -> None:
        import fastgrad as tf

        use_threads(threads)
        batch, side, channels, filters = CONVOLUTIONS[size]
        x, kernel = (
            tf.constant(data.uniform(batch, side, side, channels)),
            tf.constant(data.uniform(3, 3, channels, filters)),
        )

        def forward(x: Any, kernel: Any) -> Any:
            return tf.nn.conv2d(x, kernel, 1, "SAME")

        def gradients(x: Any, kernel: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = tf.reduce_sum(tf.square(forward(x, kernel)))
            return tape.gradient(y, [x, kernel])

        self.flops = 2.0 * batch * side * side * channels * filters * 9
        self.forward, self.gradients = compiled(forward, x, kernel), compiled(gradients, x, kernel)

    def track_gflops(self, size: str, threads: int) -> float:
        return self.flops / best_seconds(self.forward) / 1e9

    def time_forward(self, size: str, threads: int) -> None:
        self.forward()

    def time_gradients(self, size: str, threads: int) -> None:
        self.gradients()

    track_gflops.unit = "GFLOP/s"


class Recurrent:
    """The forward pass of a recurrent layer over a sequence, and the gradients of its weights."""

    params = (tuple(LAYERS), (1, 2))
    param_names = ("layer", "threads")
    version = "1"

    def setup(self, layer: str, threads: int) -> None:
        import fastgrad as tf

        use_threads(threads)
        batch, steps, features, units = SEQUENCES
        made = getattr(tf.keras.layers, layer)(units)
        x = tf.constant(data.uniform(batch, steps, features))
        made(x)

        def gradients(x: Any) -> Any:
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(tf.square(made(x)))
            return tape.gradient(y, made.trainable_variables)

        self.flops = 2.0 * batch * steps * LAYERS[layer] * units * (features + units)
        self.forward, self.gradients = compiled(made, x), compiled(gradients, x)

    def track_gflops(self, layer: str, threads: int) -> float:
        return self.flops / best_seconds(self.forward) / 1e9

    def time_forward(self, layer: str, threads: int) -> None:
        self.forward()

    def time_gradients(self, layer: str, threads: int) -> None:
        self.gradients()

    track_gflops.unit = "GFLOP/s"
