"""Multilayer perceptrons with one hidden layer: forward, loss, backward, Adam."""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.workload import Step, Workload

RATE = 1e-3


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a TensorFlow user writes; `tf` is TensorFlow or fastgrad."""
    hidden, outputs = inputs["bias0"].size, inputs["bias1"].size
    model = tf.keras.Sequential([tf.keras.layers.Dense(hidden, activation="relu"), tf.keras.layers.Dense(outputs)])
    model.build((None, inputs["x"].shape[-1]))
    model.set_weights([inputs[name] for name in ("kernel0", "bias0", "kernel1", "bias1")])
    optimizer = tf.keras.optimizers.Adam(RATE)
    optimizer.build(model.trainable_variables)
    if outputs > 1:
        loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss_function = tf.keras.losses.MeanSquaredError()

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    return step, [(tf.constant(x), tf.constant(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a PyTorch user writes, with the fused Adam."""
    model = torch.nn.Sequential(
        torch.nn.Linear(*inputs["kernel0"].shape), torch.nn.ReLU(), torch.nn.Linear(*inputs["kernel1"].shape)
    )
    with torch.no_grad():
        for layer, number in ((model[0], 0), (model[2], 1)):
            layer.weight.copy_(torch.from_numpy(inputs[f"kernel{number}"].T.copy()))
            layer.bias.copy_(torch.from_numpy(inputs[f"bias{number}"]))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, eps=1e-7, fused=True)
    loss_function = torch.nn.CrossEntropyLoss() if inputs["bias1"].size > 1 else torch.nn.MSELoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """One jitted function from parameters and optimizer state to the next ones, whose buffers it reuses."""
    import optax

    classes = inputs["bias1"].size > 1
    optimizer = optax.adam(RATE, eps=1e-7)
    parameters = {name: jax.numpy.array(inputs[name]) for name in ("kernel0", "bias0", "kernel1", "bias1")}

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        hidden = jax.nn.relu(x @ parameters["kernel0"] + parameters["bias0"])
        outputs = hidden @ parameters["kernel1"] + parameters["bias1"]
        if classes:
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return jax.numpy.mean((outputs - y) ** 2)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_function)(parameters, x, y)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, loss

    state = optimizer.init(parameters)

    def step(x: Any, y: Any) -> Any:
        nonlocal parameters, state
        parameters, state, loss = update(parameters, state, x, y)
        return loss

    return step, [(jax.numpy.array(x), jax.numpy.array(y)) for x, y in zip(inputs["x"], inputs["y"], strict=True)]


PROGRAMS = {"tensorflow": tensorflow, "torch": torch, "jax": jax}
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
    ),
    Workload(
        "digits",
        "scikit-learn's digits, 64-128-10, batch 32, relu, softmax cross-entropy, Adam",
        data.digits,
        PROGRAMS,
    ),
)
