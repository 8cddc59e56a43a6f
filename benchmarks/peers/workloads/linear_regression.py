"""A line through 32 points by gradient descent: two scalar variables, so the cost is all overhead."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

RATE = 0.05


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    weight = tf.Variable(inputs["weight"], name="weight")
    bias = tf.Variable(inputs["bias"], name="bias")

    def loss_function(x: Any, y: Any) -> Any:
        return tf.reduce_mean(tf.square(weight * x + bias - y))

    step = tensorflow_step(tf, loss_function, [weight, bias], tf.keras.optimizers.SGD(RATE))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    weight = torch.nn.Parameter(torch.tensor(inputs["weight"]))
    bias = torch.nn.Parameter(torch.tensor(inputs["bias"]))

    def loss_function(x: Any, y: Any) -> Any:
        return torch.mean(torch.square(weight * x + bias - y))

    step = torch_step(torch, loss_function, [weight, bias], "SGD", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    np = jax.numpy

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        weight, bias = parameters
        return np.mean((weight * x + bias - y) ** 2)

    parameters = (np.array(inputs["weight"]), np.array(inputs["bias"]))
    return jax_step(jax, loss_function, parameters, optax.sgd(RATE)), batches(np.array, inputs, "x", "y")


WORKLOADS = (
    Workload(
        "linear_regression",
        "weight * x + bias on 32 points, squared error, SGD",
        data.noisy_line,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax},
        wanted={FASTEST: 5.0},
    ),
)
