"""Twelve element-wise operations and a mean, with gradient and update: what counts is how often memory is passed over."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks.data import Inputs, uniform
from benchmarks.peers.steps import batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import Batches, Step, Workload

CHEAP_SIZE = 16_000_000
MATH_SIZE = 1_000_000
RATE = 0.01


def inputs(size: int) -> Inputs:
    """`x` (2, size), whose batches want different weights, and the starting `weight` (size)."""
    return {"x": uniform(2, size, seed=22), "weight": uniform(size, seed=23)}


def cheap(maximum: Any, where: Any, x: Any, weight: Any) -> Any:
    """Returns twelve cheap operations of x and weight: additions, products, maxima, selections, and a final square."""
    h = x * weight
    h = h + 0.5
    h = maximum(h, weight)
    h = h * 0.75
    h = h - x
    h = where(h > 0.0, h, weight)
    h = h + x
    h = maximum(h, x)
    h = h * 0.5
    h = h + weight
    h = h - 0.25
    return h * h


def mathematical(nn: Any, x: Any, weight: Any) -> Any:
    """Returns twelve operations of x and weight with sin, exp and tanh; each value is needed in the backward pass."""
    h = x * weight
    h = nn.sin(h)
    h = h + weight
    h = nn.tanh(h)
    h = h * x
    h = nn.exp(h)
    h = h + x
    h = nn.sin(h)
    h = h * 0.5
    h = nn.tanh(h)
    h = h + x
    return nn.exp(h)


def tensorflow(tf: ModuleType, inputs: Inputs, *, math: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    weight = tf.Variable(inputs["weight"])

    def loss_function(x: Any) -> Any:
        return tf.reduce_mean(mathematical(tf, x, weight) if math else cheap(tf.maximum, tf.where, x, weight))

    optimizer = tf.keras.optimizers.SGD(RATE * inputs["weight"].size)
    return tensorflow_step(tf, loss_function, [weight], optimizer), batches(tf.constant, inputs, "x")


def torch(torch: ModuleType, inputs: Inputs, *, math: bool, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    weight = torch.nn.Parameter(torch.tensor(inputs["weight"]))

    def loss_function(x: Any) -> Any:
        return torch.mean(mathematical(torch, x, weight) if math else cheap(torch.maximum, torch.where, x, weight))

    step = torch_step(torch, loss_function, [weight], "SGD", RATE * inputs["weight"].size, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x")


def jax(jax: ModuleType, inputs: Inputs, *, math: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    nn = jax.numpy

    def loss_function(weight: Any, x: Any) -> Any:
        return nn.mean(mathematical(nn, x, weight) if math else cheap(nn.maximum, nn.where, x, weight))

    optimizer = optax.sgd(RATE * inputs["weight"].size)
    return jax_step(jax, loss_function, nn.array(inputs["weight"]), optimizer), batches(nn.array, inputs, "x")


def programs(math: bool) -> dict[str, Any]:
    """Returns the programs of a chain, by kind of library."""
    return {
        "tensorflow": partial(tensorflow, math=math),
        "torch": partial(torch, math=math),
        "torch.compile": partial(torch, math=math, compiled=True),
        "jax": partial(jax, math=math),
    }


WORKLOADS = (
    Workload(
        "chain_cheap",
        "twelve additions, products, maxima and selections and a mean over 16,000,000 elements, SGD",
        partial(inputs, CHEAP_SIZE),
        programs(math=False),
        bytes_moved=3 * 4 * CHEAP_SIZE,  # the batch and the weights are read, the weights written
        wanted_of_triad=0.8,
        remarks="About 30 operations an element, forwards and backwards, for 12 bytes: bound by arithmetic on one thread, by "
        "memory on two.",
    ),
    Workload(
        "chain_math",
        "twelve operations with sin, exp and tanh and a mean over 1,000,000 elements, SGD",
        partial(inputs, MATH_SIZE),
        programs(math=True),
        wanted={"torch.compile": 1.5, "jax": 5.0},
    ),
)
