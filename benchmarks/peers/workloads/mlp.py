"""Multilayer perceptrons with one or two hidden layers: forward, loss, backward, Adam."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

RATE = 1e-3
LARGE_RATE = 2e-5
"""Of the larger ones: with faster ones, rounding grows to a ten-thousandth of the loss within 20 steps, also between the peers."""


def layers(inputs: Inputs) -> list[tuple[Any, Any]]:
    """Returns the kernel and bias of each layer in order."""
    count = sum(name.startswith("kernel") for name in inputs)
    return [(inputs[f"kernel{i}"], inputs[f"bias{i}"]) for i in range(count)]


def tensorflow(tf: ModuleType, inputs: Inputs, *, rate: float = RATE) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    *hidden, (_, bias) = layers(inputs)
    dense = [tf.keras.layers.Dense(one.size, activation="relu") for _, one in hidden]
    model = tf.keras.Sequential([*dense, tf.keras.layers.Dense(bias.size)])
    model.build((None, inputs["x"].shape[-1]))
    model.set_weights([weight for layer in layers(inputs) for weight in layer])
    if bias.size > 1:
        criterion = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        criterion = tf.keras.losses.MeanSquaredError()

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(y, model(x, training=True))

    step = tensorflow_step(
        tf, loss_function, model.trainable_variables, tf.keras.optimizers.Adam(rate, epsilon=EPSILON)
    )
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, rate: float = RATE, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    modules: list[Any] = []
    for kernel, bias in layers(inputs):
        linear = torch.nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
        modules += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    criterion = torch.nn.CrossEntropyLoss() if bias.size > 1 else torch.nn.MSELoss()

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(model(x), y)

    step = torch_step(torch, loss_function, list(model.parameters()), "Adam", rate, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs, *, rate: float = RATE) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    parameters = [tuple(map(jax.numpy.array, layer)) for layer in layers(inputs)]
    classes = parameters[-1][1].size > 1

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        *hidden, (kernel, bias) = parameters
        for one, offset in hidden:
            x = jax.nn.relu(x @ one + offset)
        outputs = x @ kernel + bias
        if classes:
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return jax.numpy.mean((outputs - y) ** 2)

    step = jax_step(jax, loss_function, parameters, optax.adam(rate, eps=EPSILON))
    return step, batches(jax.numpy.array, inputs, "x", "y")


def programs(rate: float) -> dict[str, Any]:
    """Returns the programs with a learning rate, by kind of library."""
    return {
        "tensorflow": partial(tensorflow, rate=rate),
        "torch": partial(torch, rate=rate),
        "torch.compile": partial(torch, rate=rate, compiled=True),
        "jax": partial(jax, rate=rate),
    }


PROGRAMS = programs(RATE)
WORKLOADS = (
    Workload(
        "mlp_small",
        "784-64-10, batch 32, relu, softmax cross-entropy, Adam",
        partial(data.classification, (784, 64, 10)),
        PROGRAMS,
        wanted={FASTEST: 3.0},
        wanted_eagerly={"torch": 1.67},
    ),
    Workload(
        "mlp_tiny",
        "8-16-1, batch 32, relu, squared error, Adam",
        partial(data.regression, (8, 16, 1)),
        PROGRAMS,
        wanted={FASTEST: 8.0},
    ),
    Workload(
        "mlp_middle",
        "784-256-10, batch 128, relu, softmax cross-entropy, Adam",
        partial(data.classification, (784, 256, 10), 128, 16),
        programs(LARGE_RATE),
        wanted={FASTEST: 1.5},
    ),
    Workload(
        "mlp_wide",
        "1024-1024-1024-10, batch 256, relu, softmax cross-entropy, Adam",
        partial(data.classification, (1024, 1024, 1024, 10), 256, 8),
        programs(LARGE_RATE),
        wanted={FASTEST: 1.15},
        remarks="The products alone take 71 % of the time at the peak of both cores' arithmetic, and the operands of all kernels, most "
        "of them Adam's weights and slots, 27 % at the triad's pace.",
    ),
    Workload(
        "digits",
        "scikit-learn's digits, 64-128-10, batch 32, relu, softmax cross-entropy, Adam",
        data.digits,
        PROGRAMS,
    ),
)
