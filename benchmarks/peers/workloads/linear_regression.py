"""A line through 32 points by gradient descent: two scalar variables, so the cost is all overhead."""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.workload import Step, Workload

RATE = 0.05


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a TensorFlow user writes; `tf` is TensorFlow or fastgrad."""
    weight = tf.Variable(inputs["weight"], name="weight")
    bias = tf.Variable(inputs["bias"], name="bias")
    optimizer = tf.optimizers.SGD(RATE)
    optimizer.build([weight, bias])

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(weight * x + bias - y))
        gradients = tape.gradient(loss, [weight, bias])
        optimizer.apply_gradients(zip(gradients, [weight, bias]))
        return loss

    return step, [(tf.constant(x), tf.constant(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a PyTorch user writes, with the fused SGD."""
    weight = torch.nn.Parameter(torch.tensor(inputs["weight"]))
    bias = torch.nn.Parameter(torch.tensor(inputs["bias"]))
    optimizer = torch.optim.SGD([weight, bias], lr=RATE, fused=True)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = torch.mean(torch.square(weight * x + bias - y))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """One jitted function from the two parameters to the next ones, whose buffers it reuses."""
    parameters = (jax.numpy.array(inputs["weight"]), jax.numpy.array(inputs["bias"]))

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        weight, bias = parameters
        return jax.numpy.mean((weight * x + bias - y) ** 2)

    @partial(jax.jit, donate_argnums=0)
    def update(parameters: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_function)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients), loss

    def step(x: Any, y: Any) -> Any:
        nonlocal parameters
        parameters, loss = update(parameters, x, y)
        return loss

    return step, [(jax.numpy.array(x), jax.numpy.array(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


WORKLOADS = (
    Workload(
        "linear_regression",
        "weight * x + bias on 32 points, squared error, SGD",
        data.line,
        {"tensorflow": tensorflow, "torch": torch, "jax": jax},
    ),
)
