"""Second order: the gradient's norm with respect to the input is part of the loss."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

WIDTHS = (64, 128, 128, 1)
BATCH = 64
RATE = 1e-3
WEIGHT = 10.0
NAMES = ("kernel0", "bias0", "kernel1", "bias1", "kernel2", "bias2")


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(inputs[name]) for name in NAMES]
    kernel0, bias0, kernel1, bias1, kernel2, bias2 = variables

    def loss_function(x: Any, y: Any) -> Any:
        with tf.GradientTape() as inner:
            inner.watch(x)
            h = tf.tanh(tf.matmul(x, kernel0) + bias0)
            h = tf.tanh(tf.matmul(h, kernel1) + bias1)
            score = tf.matmul(h, kernel2) + bias2
        norm = tf.sqrt(tf.reduce_sum(tf.square(inner.gradient(score, x)), axis=1))
        return tf.reduce_mean(tf.square(score - y)) + WEIGHT * tf.reduce_mean(tf.square(norm - 1.0))

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    parameters = [torch.nn.Parameter(torch.tensor(inputs[name])) for name in NAMES]
    kernel0, bias0, kernel1, bias1, kernel2, bias2 = parameters

    def loss_function(x: Any, y: Any) -> Any:
        h = torch.tanh(torch.addmm(bias0, x, kernel0))
        h = torch.tanh(torch.addmm(bias1, h, kernel1))
        score = torch.addmm(bias2, h, kernel2)
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        norm = torch.sqrt(torch.sum(torch.square(slope), dim=1))
        return torch.mean(torch.square(score - y)) + WEIGHT * torch.mean(torch.square(norm - 1.0))

    def convert(array: Any) -> Any:
        return torch.from_numpy(array).requires_grad_()

    step = torch_step(torch, loss_function, parameters, "Adam", RATE, compiled=compiled)
    return step, batches(convert, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    np = jax.numpy
    parameters = tuple(np.array(inputs[name]) for name in NAMES)

    def total(x: Any, parameters: Any) -> tuple[Any, Any]:
        kernel0, bias0, kernel1, bias1, kernel2, bias2 = parameters
        h = np.tanh(x @ kernel0 + bias0)
        h = np.tanh(h @ kernel1 + bias1)
        score = h @ kernel2 + bias2
        return score.sum(), score

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        slope, score = jax.grad(total, has_aux=True)(x, parameters)
        norm = np.sqrt(np.sum(slope**2, axis=1))
        return np.mean((score - y) ** 2) + WEIGHT * np.mean((norm - 1.0) ** 2)

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(np.array, inputs, "x", "y")


WORKLOADS = (
    Workload(
        "gradient_penalty",
        "64-128-128-1, tanh, batch 64, squared error and a penalty on the input gradient's norm, Adam",
        partial(data.regression, WIDTHS, BATCH),
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax},
        wanted={FASTEST: 3.0},
        remarks="The matrix products alone, 17 MFLOP in kernels of 10 to 20 us, would take 90 us at the peak of both cores' "
        "arithmetic.",
    ),
)
