"""One tiny operation on an argument and ten captured variables: the time is the call itself."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks.data import Inputs, uniform
from benchmarks.peers.steps import batches
from benchmarks.peers.workload import Batches, Step, Workload

VARIABLES = 10


def inputs(count: int = 64) -> Inputs:
    """`x` (count), the arguments, and the `values` of the variables; all above zero."""
    return {"x": 2.0 + uniform(count, seed=20), "values": 2.0 + uniform(VARIABLES, seed=21)}


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(value) for value in inputs["values"]]

    def step(x: Any) -> Any:
        return tf.add_n([x, *variables])

    return step, batches(tf.constant, inputs, "x")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    parameters = list(torch.from_numpy(inputs["values"].copy()))

    def step(x: Any) -> Any:
        return sum(parameters, x)

    return torch.compile(step, fullgraph=True) if compiled else step, batches(torch.tensor, inputs, "x")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns a jitted function of the variables, which would be constants if it captured them, and its batches."""
    variables = tuple(map(jax.numpy.array, inputs["values"]))
    add = jax.jit(sum)

    def step(x: Any) -> Any:
        return add(variables, x)

    return step, batches(jax.numpy.array, inputs, "x")


WORKLOADS = (
    Workload(
        "tiny_operation",
        "the sum of a scalar and of ten captured scalar variables; no gradient, no update",
        inputs,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax},
    ),
)
