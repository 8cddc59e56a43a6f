"""Adam alone, over many tensors from gradients that are there: seven numbers read or written for each parameter."""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import Inputs, uniform
from benchmarks.peers.steps import EPSILON, UPDATES
from benchmarks.peers.workload import Batches, Step, Workload

PAIRS = 20
SHAPE = (499, 400)
PARAMETERS = PAIRS * (499 + 1) * 400
RATE = 1e-3
GRADIENTS = 2


def inputs(pairs: int = PAIRS, shape: tuple[int, int] = SHAPE) -> Inputs:
    """Returns kernels and biases alternately, `value0`, …, and their gradients in two steps, `gradient0`, … (2, …)."""
    shapes = [shape, shape[1:]] * pairs
    values = {f"value{i}": uniform(*one, seed=100 + i) for i, one in enumerate(shapes)}
    return values | {f"gradient{i}": uniform(GRADIENTS, *one, seed=200 + i) for i, one in enumerate(shapes)}


def numbered(inputs: Inputs, name: str) -> list[np.ndarray]:
    """Returns the inputs `name0`, `name1`, … in order."""
    return [inputs[f"{name}{i}"] for i in range(sum(key.startswith(name) for key in inputs))]


def gradients(convert: Any, inputs: Inputs) -> Batches:
    """Returns the gradients of each step as tensors."""
    return [tuple(map(convert, arrays)) for arrays in zip(*numbered(inputs, "gradient"))]


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad. The step returns a part of the result."""
    variables = [tf.Variable(value) for value in numbered(inputs, "value")]
    optimizer = tf.keras.optimizers.Adam(RATE, epsilon=EPSILON)
    optimizer.build(variables)

    def step(*gradients: Any) -> Any:
        optimizer.apply_gradients(zip(gradients, variables))
        return tf.reduce_sum(tf.square(variables[-2][0])) + tf.reduce_sum(tf.square(variables[1]))

    return step, gradients(tf.constant, inputs)


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch, with the fused Adam."""
    parameters = [torch.nn.Parameter(torch.tensor(value)) for value in numbered(inputs, "value")]
    optimizer = torch.optim.Adam(parameters, lr=RATE, eps=EPSILON, fused=True)

    @torch.no_grad()
    def step(*gradients: Any) -> Any:
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
        optimizer.step()
        return torch.sum(torch.square(parameters[-2][0])) + torch.sum(torch.square(parameters[1]))

    return step, gradients(torch.from_numpy, inputs)


def torch_compiled(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch, with Adam as formulas that Inductor fuses."""
    parameters = [torch.tensor(value) for value in numbered(inputs, "value")]
    update = UPDATES["Adam"](torch, parameters, RATE)

    def step(*gradients: Any) -> Any:
        update(gradients)
        return torch.sum(torch.square(parameters[-2][0])) + torch.sum(torch.square(parameters[1]))

    return torch.compile(step, fullgraph=True, dynamic=False), gradients(torch.from_numpy, inputs)


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    optimizer = optax.adam(RATE, eps=EPSILON)
    parameters = tuple(map(jax.numpy.array, numbered(inputs, "value")))
    state = optimizer.init(parameters)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        changes, state = optimizer.update(gradients, state, parameters)
        parameters = optax.apply_updates(parameters, changes)
        return parameters, state, jax.numpy.sum(parameters[-2][0] ** 2) + jax.numpy.sum(parameters[1] ** 2)

    def step(*gradients: Any) -> Any:
        nonlocal parameters, state
        parameters, state, result = update(parameters, state, gradients)
        return result

    return step, gradients(jax.numpy.array, inputs)


WORKLOADS = (
    Workload(
        "adam",
        "Adam over 40 tensors with 4,000,000 parameters, from given gradients",
        inputs,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": torch_compiled, "jax": jax},
        wanted={"torch": 1.0},
        bytes_moved=7 * 4 * PARAMETERS,  # value and two moments are read and written, the gradient is read
        wanted_of_triad=0.85,
    ),
)
