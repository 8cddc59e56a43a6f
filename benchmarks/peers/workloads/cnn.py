"""Convolutional networks for small images: forward, loss, backward, gradient descent.

(With Adam, whose epsilon PyTorch and Keras put into different places, some of the small gradients here would train apart.)

Each library has the layout of images that is quickest for it: channels last, and in PyTorch tensors of channels first that lie
in memory like those. Filters are (height, width, channels in, channels out) in the inputs.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, DISTINCT_BATCHES, Inputs, ones, uniform, zeros
from benchmarks.peers.steps import batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

RATE = 2e-4  # of 2,048 features that batch normalisation keeps large, a step of 1e-3 makes the loss jump
CLASSES = 10
MOMENTUM, NORM_EPSILON = 0.9, 1e-3


def inputs(
    size: int,
    channels: Sequence[int],
    batch: int,
    *,
    norms: bool,
    distinct: int = DISTINCT_BATCHES,
    count: int = BATCHES,
) -> Inputs:
    """Images `x` (count, batch, size, size, channels[0]), labels `y` (count, batch), and weights.

    Args:
        size: height and width of images.
        channels: of the images, and after each convolution.
        batch: images of a batch.
        norms: whether batch normalisation follows convolutions, which then have no bias.
        distinct: how many batches of images differ.
        count: batches.
    """
    generator = np.random.default_rng(51)
    weights: Inputs = {}
    for layer, (before, after) in enumerate(pairwise(channels)):
        limit = np.sqrt(6.0 / (9 * before + 9 * after))
        weights[f"filters{layer}"] = uniform(3, 3, before, after, seed=52 + layer) * np.float32(limit)
        if norms:
            weights[f"gamma{layer}"], weights[f"beta{layer}"] = ones(after), zeros(after)
        else:
            weights[f"bias{layer}"] = zeros(after)
    last = channels[-1] * (size >> (len(channels) - 1)) ** 2
    weights["kernel"] = uniform(last, CLASSES, seed=60) * np.float32(np.sqrt(6.0 / (last + CLASSES)))
    weights["offset"] = zeros(CLASSES)
    x = uniform(min(count, distinct), batch, size, size, channels[0], seed=61)
    y = generator.integers(0, CLASSES, (count, batch)).astype(np.int64)
    return {"x": np.resize(x, (count, *x.shape[1:])), "y": y, **weights}


def depth(inputs: Inputs) -> int:
    """Returns the number of convolutions."""
    return sum(name.startswith("filters") for name in inputs)


def weights(inputs: Inputs) -> Inputs:
    """Returns the inputs that are trained."""
    return {name: value for name, value in inputs.items() if name not in ("x", "y")}


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    layers, norms = tf.keras.layers, "gamma0" in inputs
    parts = []
    for layer in range(depth(inputs)):
        channels = inputs[f"filters{layer}"].shape[-1]
        if norms:
            parts += [
                layers.Conv2D(channels, 3, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=MOMENTUM, epsilon=NORM_EPSILON),
                layers.ReLU(),
            ]
        else:
            parts.append(layers.Conv2D(channels, 3, padding="same", activation="relu"))
        parts.append(layers.MaxPooling2D())
    model = tf.keras.Sequential([*parts, layers.Flatten(), layers.Dense(CLASSES)])
    model.build((None, *inputs["x"].shape[2:]))
    for weight, value in zip(model.trainable_variables, weights(inputs).values(), strict=True):
        weight.assign(value)
    criterion = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(y, model(x, training=True))

    step = tensorflow_step(tf, loss_function, model.trainable_variables, tf.keras.optimizers.SGD(RATE))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    nn, norms = torch.nn, "gamma0" in inputs
    parts: list[Any] = []
    for layer in range(depth(inputs)):
        filters = torch.from_numpy(inputs[f"filters{layer}"].transpose(3, 2, 0, 1).copy())
        convolution = nn.Conv2d(*filters.shape[1::-1], 3, padding=1, bias=not norms)
        with torch.no_grad():
            convolution.weight.copy_(filters)
            if not norms:
                convolution.bias.copy_(torch.from_numpy(inputs[f"bias{layer}"]))
        parts += [convolution, nn.BatchNorm2d(len(filters), NORM_EPSILON, 1.0 - MOMENTUM)] if norms else [convolution]
        parts += [nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*parts).to(memory_format=torch.channels_last)
    kernel, offset = (nn.Parameter(torch.tensor(inputs[name])) for name in ("kernel", "offset"))

    def loss_function(x: Any, y: Any) -> Any:
        features = model(x).permute(0, 2, 3, 1).reshape(len(x), -1)
        return nn.functional.cross_entropy(features @ kernel + offset, y)

    parameters = [*model.parameters(), kernel, offset]
    step = torch_step(torch, loss_function, parameters, "SGD", RATE, compiled=compiled)
    return step, [(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)) for x, y in _pairs(inputs)]


def _pairs(inputs: Inputs) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(inputs["x"], inputs["y"], strict=True))


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX, without the moving averages of batch statistics."""
    import optax

    jnp, layers, norms = jax.numpy, depth(inputs), "gamma0" in inputs

    def convolution(x: Any, filters: Any) -> Any:
        return jax.lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def pooled(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def loss_function(p: Any, x: Any, y: Any) -> Any:
        for layer in range(layers):
            x = convolution(x, p[f"filters{layer}"])
            if norms:
                mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
                x = (x - mean) * jax.lax.rsqrt(variance + NORM_EPSILON) * p[f"gamma{layer}"] + p[f"beta{layer}"]
            else:
                x = x + p[f"bias{layer}"]
            x = pooled(jax.nn.relu(x))
        logits = x.reshape(len(x), -1) @ p["kernel"] + p["offset"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    parameters = {name: jnp.array(value) for name, value in weights(inputs).items()}
    step = jax_step(jax, loss_function, parameters, optax.sgd(RATE))
    return step, batches(jnp.array, inputs, "x", "y")


PROGRAMS = {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax}
WORKLOADS = (
    Workload(
        "cnn_mnist",
        "28x28x1, 3x3 convolutions to 16 and 32 channels, relu, max-pooling, batch 32, softmax cross-entropy, SGD",
        partial(inputs, 28, (1, 16, 32), 32, norms=False),
        PROGRAMS,
        wanted={FASTEST: 1.6},
    ),
    Workload(
        "cnn_cifar",
        "32x32x3, 3x3 convolutions to 32, 64 and 128 channels, batch normalisation, relu, max-pooling, batch 64, softmax "
        "cross-entropy, SGD",
        partial(inputs, 32, (3, 32, 64, 128), 64, norms=True, distinct=4, count=8),
        PROGRAMS,
        wanted={FASTEST: 1.2},
        remarks="JAX's program keeps no moving averages of the statistics, the others do. Convolutions reach 86 % of a core's peak; "
        "batch normalization and the gradient of pooling are bound by memory, which two threads share.",
    ),
)
