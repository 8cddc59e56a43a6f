"""Multilayer perceptrons with one hidden layer: forward, loss, backward, Adam."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

RATE = 1e-3
NAMES = ("kernel0", "bias0", "kernel1", "bias1")


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """What a TensorFlow user writes; `tf` is TensorFlow or fastgrad."""
    hidden, outputs = inputs["bias0"].size, inputs["bias1"].size
    model = tf.keras.Sequential([tf.keras.layers.Dense(hidden, activation="relu"), tf.keras.layers.Dense(outputs)])
    model.build((None, inputs["x"].shape[-1]))
    model.set_weights([inputs[name] for name in NAMES])
    if outputs > 1:
        criterion = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        criterion = tf.keras.losses.MeanSquaredError()

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(y, model(x, training=True))

    step = tensorflow_step(tf, loss_function, model.trainable_variables, tf.keras.optimizers.Adam(RATE))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """The same in PyTorch."""
    model = torch.nn.Sequential(
        torch.nn.Linear(*inputs["kernel0"].shape), torch.nn.ReLU(), torch.nn.Linear(*inputs["kernel1"].shape)
    )
    with torch.no_grad():
        for layer, number in ((model[0], 0), (model[2], 1)):
            layer.weight.copy_(torch.from_numpy(inputs[f"kernel{number}"].T.copy()))
            layer.bias.copy_(torch.from_numpy(inputs[f"bias{number}"]))
    criterion = torch.nn.CrossEntropyLoss() if inputs["bias1"].size > 1 else torch.nn.MSELoss()

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(model(x), y)

    step = torch_step(torch, loss_function, list(model.parameters()), "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """The same in JAX."""
    import optax

    classes = inputs["bias1"].size > 1

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        hidden = jax.nn.relu(x @ parameters["kernel0"] + parameters["bias0"])
        outputs = hidden @ parameters["kernel1"] + parameters["bias1"]
        if classes:
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return jax.numpy.mean((outputs - y) ** 2)

    parameters = {name: jax.numpy.array(inputs[name]) for name in NAMES}
    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(jax.numpy.array, inputs, "x", "y")


PROGRAMS = {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax}
WORKLOADS = (
    Workload(
        "mlp_small",
        "784-64-10, batch 32, relu, softmax cross-entropy, Adam",
        partial(data.classification, (784, 64, 10)),
        PROGRAMS,
    ),
    Workload(
        "mlp_tiny",
        "8-16-1, batch 32, relu, squared error, Adam",
        partial(data.regression, (8, 16, 1)),
        PROGRAMS,
        wanted={FASTEST: 8.0},
    ),
    Workload(
        "digits",
        "scikit-learn's digits, 64-128-10, batch 32, relu, softmax cross-entropy, Adam",
        data.digits,
        PROGRAMS,
    ),
)
