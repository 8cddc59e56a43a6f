"""A recurrent cell written by hand and called in a Python loop over time."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks.data import BATCHES, Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

STEPS, BATCH, FEATURES, UNITS = 32, 16, 8, 32
LONG_STEPS = 200
RATE = 1e-4
NAMES = ("kernel", "recurrent", "bias", "output", "offset")


def inputs(steps: int, count: int = BATCHES, *, batch: int = BATCH, units: int = UNITS) -> Inputs:
    """`x` (count, steps, batch, features), targets `y` (count, batch, 1), and the weights of the cell and the output."""
    cell, output = dense_weights((FEATURES, units), seed=24), dense_weights((units, units, 1), seed=25)
    return {
        "x": uniform(count, steps, batch, FEATURES, seed=26),
        "y": uniform(count, batch, 1, seed=27),
        "kernel": cell["kernel0"],
        "recurrent": output["kernel0"],
        "bias": cell["bias0"],
        "output": output["kernel1"],
        "offset": output["bias1"],
    }


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(inputs[name]) for name in NAMES]
    kernel, recurrent, bias, output, offset = variables

    def loss_function(x: Any, y: Any) -> Any:
        h = tf.zeros((x.shape[1], bias.shape[0]))
        for t in range(x.shape[0]):
            h = tf.tanh(tf.matmul(x[t], kernel) + tf.matmul(h, recurrent) + bias)
        return tf.reduce_mean(tf.square(tf.matmul(h, output) + offset - y))

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    parameters = [torch.nn.Parameter(torch.tensor(inputs[name])) for name in NAMES]
    kernel, recurrent, bias, output, offset = parameters

    def loss_function(x: Any, y: Any) -> Any:
        h = torch.zeros((x.shape[1], bias.shape[0]))
        for t in range(x.shape[0]):
            h = torch.tanh(x[t] @ kernel + h @ recurrent + bias)
        return torch.mean(torch.square(h @ output + offset - y))

    step = torch_step(torch, loss_function, parameters, "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX, with a scan over time: unrolled it is no faster."""
    import optax

    np = jax.numpy
    parameters = {name: np.array(inputs[name]) for name in NAMES}

    def loss_function(p: Any, x: Any, y: Any) -> Any:
        def cell(h: Any, x: Any) -> tuple[Any, None]:
            return np.tanh(x @ p["kernel"] + h @ p["recurrent"] + p["bias"]), None

        h, _ = jax.lax.scan(cell, np.zeros((x.shape[1], p["bias"].size)), x)
        return np.mean((h @ p["output"] + p["offset"] - y) ** 2)

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(np.array, inputs, "x", "y")


def workload(steps: int) -> Workload:
    """Returns the workload of the cell in a loop of so many steps."""
    return Workload(
        f"rnn_{steps}",
        f"a cell of {UNITS} units written by hand, {steps} steps of {FEATURES}, batch {BATCH}, squared error, Adam",
        partial(inputs, steps),
        {
            "tensorflow": tensorflow,
            "torch": torch,
            "torch.compile": partial(torch, compiled=True),
            "jax": jax,
        },
        wanted={FASTEST: 3.0},
    )


LONG = workload(LONG_STEPS)
"""For measuring how long a long loop compiles; not among the workloads, since some peers take minutes."""
WORKLOADS = (workload(STEPS),)
