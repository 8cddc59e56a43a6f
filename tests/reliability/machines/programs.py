"""Programs whose results are compared between vector widths and threads."""

import hashlib

import numpy as np

import fastgrad as tf
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.normalization import layer_normalization
from tests.kernels.math.accuracy import FLOATS, KERNELS

ARRAYS = {
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "matmul of columns": lambda x: tf.matmul(x, x, transpose_a=True),
    "matrix by vector": lambda x: tf.linalg.matvec(x, x[0]),
    "sums of all": tf.reduce_sum,
    "sums of rows": lambda x: tf.reduce_sum(x, 1),
    "sums of columns": lambda x: tf.reduce_sum(x * x, 0),
    "products": lambda x: tf.reduce_prod(tf.cos(x), 1),
    "greatest": lambda x: tf.reduce_max(x, 0),
    "variances": lambda x: tf.math.reduce_variance(x, 1),
    "running sums": lambda x: tf.cumsum(x, 1),
    "softmax": tf.nn.softmax,
    "softmax of columns": lambda x: tf.nn.softmax(x, 0),
    "log_softmax": tf.nn.log_softmax,
    "cross entropy": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(37) * 5 % 131, x),
    "norms": lambda x: tf.nn.l2_normalize(x, 1),
    "power": lambda x: tf.pow(tf.abs(x), x),
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "convolution": lambda x: tf.nn.conv1d(x[None], tf.reshape(x[:4], [4, 131, 1]), 1, "SAME"),
    "attention": lambda x: attention(
        *[tf.reshape(x[:, i : i + 120], [1, 37, 8, 15]) for i in (0, 5, 9)], scale=0.1, causal=True
    ),
    "normalization": lambda x: layer_normalization(x, x[0], x[1]),
    "pooling": lambda x: tf.nn.max_pool1d(x[None], 3, 2, "SAME"),
}
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Adafactor")


def _hash(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


FEW = ("matmul", "sums of rows", "softmax", "exp", "tanh", "erf")
"""What the short form tries, in float32."""


def digests(full=True):
    """For each hot kernel, or for a few, a hash of what it gives."""
    found = {}
    r = np.random.default_rng(0)
    x = np.concatenate([r.normal(size=3000) * 3, r.uniform(-100, 100, 1001)])
    for dtype in map(np.dtype, FLOATS if full else FLOATS[:1]):
        for name, kernels in KERNELS.items():
            if not full and name not in FEW:
                continue
            out = np.zeros(x.size, dtype)
            kernels[dtype](x.astype(dtype), out, x.size)
            found[name, dtype.name] = _hash(out[~np.isnan(out)])
        values = tf.constant(r.normal(size=(37, 131)).astype(dtype))
        for name, function in ARRAYS.items():
            if not full and name not in FEW:
                continue

            @tf.function
            def both(x, function=function):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = function(x)
                return y, tape.gradient(y, x)

            found[name, dtype.name] = _hash(*(one.numpy() for one in (*both(values), function(values))))
    for name in OPTIMIZERS if full else ():
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(19, activation="tanh"),
                tf.keras.layers.LayerNormalization(),
                tf.keras.layers.Dense(5),
            ]
        )
        model(values32 := tf.cast(values, tf.float32))
        for number, weight in enumerate(model.weights):
            weight.assign(np.random.default_rng(number).normal(size=weight.shape).astype(np.float32))
        optimizer = getattr(tf.keras.optimizers, name)(0.01)

        @tf.function
        def step(x, model=model, optimizer=optimizer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x)))
            optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights, strict=True))

        for _ in range(3):
            step(values32)
        found[name, "weights"] = _hash(*(weight.numpy() for weight in model.weights))
    return {" ".join(key): value for key, value in found.items()}
