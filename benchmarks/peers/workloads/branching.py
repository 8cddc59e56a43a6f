"""A step with control flow by values: a differentiated loop of one to five iterations, and a branch.

The state shrinks by half and moves by at most a quarter in each trip, so that the trips a batch takes lie between one
and five whatever the weights are. Libraries that trace Python once mask what a trip or a branch not taken would do.
"""

from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

BATCH, WIDTH, OUTPUTS = 32, 16, 4
SIZES = (1.4, 2.6, 5.0, 9.5, 16.0)
MOST_TRIPS = len(SIZES)
LARGE_LOSS = 0.5
RATE = 1e-3
NAMES = ("kernel", "bias", "output")


def inputs(count: int = BATCHES) -> Inputs:
    """`x` (count, batch, width) of five sizes, targets `y` (count, batch, outputs) of two, and the weights."""
    x = uniform(count, BATCH, WIDTH, seed=28)
    x *= (np.resize(SIZES, count) / np.abs(x).max((1, 2)))[:, None, None]
    y = uniform(count, BATCH, OUTPUTS, seed=29) * np.resize([0.25, 2.0, 2.0], count)[:, None, None]
    weights = dense_weights((WIDTH, WIDTH, OUTPUTS), seed=30)
    return {
        "x": x.astype(np.float32),
        "y": y.astype(np.float32),
        "kernel": weights["kernel0"],
        "bias": weights["bias0"],
        "output": weights["kernel1"],
    }


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(inputs[name]) for name in NAMES]
    kernel, bias, output = variables

    def loss_function(x: Any, y: Any) -> Any:
        h = x
        while tf.reduce_max(tf.abs(h)) > 1.0:
            h = 0.5 * h + 0.25 * tf.tanh(tf.matmul(h, kernel) + bias)
        error = tf.matmul(h, output) - y
        loss = tf.reduce_mean(tf.square(error))
        if loss > LARGE_LOSS:
            loss = tf.reduce_mean(tf.abs(error))
        return loss

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "y")


def xla(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in TensorFlow with masks: XLA has no gradient of a loop of unknown length."""
    variables = [tf.Variable(inputs[name]) for name in NAMES]
    kernel, bias, output = variables

    def loss_function(x: Any, y: Any) -> Any:
        h = x
        for _ in range(MOST_TRIPS):
            moved = 0.5 * h + 0.25 * tf.tanh(tf.matmul(h, kernel) + bias)
            h = tf.where(tf.reduce_max(tf.abs(h)) > 1.0, moved, h)
        error = tf.matmul(h, output) - y
        loss = tf.reduce_mean(tf.square(error))
        return tf.where(loss > LARGE_LOSS, tf.reduce_mean(tf.abs(error)), loss)

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch, with branches and loops in Python."""
    parameters = [torch.nn.Parameter(torch.tensor(inputs[name])) for name in NAMES]
    kernel, bias, output = parameters

    def loss_function(x: Any, y: Any) -> Any:
        h = x
        while torch.max(torch.abs(h)) > 1.0:
            h = 0.5 * h + 0.25 * torch.tanh(h @ kernel + bias)
        error = h @ output - y
        loss = torch.mean(torch.square(error))
        if loss > LARGE_LOSS:
            loss = torch.mean(torch.abs(error))
        return loss

    return torch_step(torch, loss_function, parameters, "Adam", RATE), batches(torch.from_numpy, inputs, "x", "y")


def torch_compiled(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch with masks, as one compiled graph."""
    parameters = [torch.nn.Parameter(torch.tensor(inputs[name])) for name in NAMES]
    kernel, bias, output = parameters

    def loss_function(x: Any, y: Any) -> Any:
        h = x
        for _ in range(MOST_TRIPS):
            moved = 0.5 * h + 0.25 * torch.tanh(h @ kernel + bias)
            h = torch.where(torch.max(torch.abs(h)) > 1.0, moved, h)
        error = h @ output - y
        loss = torch.mean(torch.square(error))
        return torch.where(loss > LARGE_LOSS, torch.mean(torch.abs(error)), loss)

    step = torch_step(torch, loss_function, parameters, "Adam", RATE, compiled=True)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX with masks: a loop of unknown length has no gradient, and conditions cost more than they save."""
    import optax

    np = jax.numpy
    parameters = {name: np.array(inputs[name]) for name in NAMES}

    def loss_function(p: Any, x: Any, y: Any) -> Any:
        h = x
        for _ in range(MOST_TRIPS):
            moved = 0.5 * h + 0.25 * np.tanh(h @ p["kernel"] + p["bias"])
            h = np.where(np.max(np.abs(h)) > 1.0, moved, h)
        error = h @ p["output"] - y
        loss = np.mean(error**2)
        return np.where(loss > LARGE_LOSS, np.mean(np.abs(error)), loss)

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(np.array, inputs, "x", "y")


WORKLOADS = (
    Workload(
        "branching",
        "a loop of one to five trips by the values of 32 x 16, a branch by the loss, Adam",
        inputs,
        {"tensorflow": tensorflow, "xla": xla, "torch": torch, "torch.compile": torch_compiled, "jax": jax},
        wanted={FASTEST: 4.0, "tf.function": 50.0},
    ),
)
