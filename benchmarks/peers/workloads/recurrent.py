"""Recurrent layers: LSTM and GRU over a sequence, a dense head, squared error, Adam."""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

STEPS, BATCH, FEATURES, UNITS = 64, 32, 32, 64
RATE = 1e-3
GATES = {"lstm": 4, "gru": 3}
NAMES = ("kernel", "recurrent", "bias", "output", "offset")


def inputs(
    kind: str,
    count: int = BATCHES,
    steps: int = STEPS,
    batch: int = BATCH,
    features: int = FEATURES,
    units: int = UNITS,
) -> Inputs:
    """`x` (count, batch, steps, features), targets `y` (count, batch, 1), and the weights of the layer and of the output."""
    width = GATES[kind] * units
    head = dense_weights((units, 1), seed=34)
    return {
        "x": uniform(count, batch, steps, features, seed=31),
        "y": 4.0 * uniform(count, batch, 1, seed=32),  # gradients far above the epsilon, where libraries differ
        "kernel": dense_weights((features, width), seed=33)["kernel0"],
        "recurrent": dense_weights((units, width), seed=35)["kernel0"],
        "bias": np.zeros((2, width) if kind == "gru" else width, np.float32),
        "output": head["kernel0"],
        "offset": head["bias0"],
    }


def tensorflow(kind: str, tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    layers = tf.keras.layers
    units = inputs["recurrent"].shape[0]
    layer = layers.LSTM(units) if kind == "lstm" else layers.GRU(units)
    model = tf.keras.Sequential([layer, layers.Dense(1)])
    model.build((None, *inputs["x"].shape[2:]))
    model.set_weights([inputs[name] for name in NAMES])
    criterion = tf.keras.losses.MeanSquaredError()

    def loss_function(x: Any, y: Any) -> Any:
        return criterion(y, model(x, training=True))

    step = tensorflow_step(
        tf, loss_function, model.trainable_variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON)
    )
    return step, batches(tf.constant, inputs, "x", "y")


def _as_torch(kind: str, weights: np.ndarray) -> np.ndarray:
    """Returns weights with the gates in PyTorch's order: for a GRU r, z, candidate instead of z, r, candidate."""
    if kind == "gru":
        z, r, candidate = np.split(weights, 3, axis=-1)
        weights = np.concatenate([r, z, candidate], axis=-1)
    return np.ascontiguousarray(weights.T)


def torch(kind: str, torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    units, features = inputs["recurrent"].shape[0], inputs["kernel"].shape[0]
    layer = (torch.nn.LSTM if kind == "lstm" else torch.nn.GRU)(features, units, batch_first=True)
    head = torch.nn.Linear(units, 1)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(_as_torch(kind, inputs["kernel"])))
        layer.weight_hh_l0.copy_(torch.from_numpy(_as_torch(kind, inputs["recurrent"])))
        first, second = (inputs["bias"], 0.0 * inputs["bias"]) if kind == "lstm" else inputs["bias"]
        layer.bias_ih_l0.copy_(torch.from_numpy(_as_torch(kind, first)))
        layer.bias_hh_l0.copy_(torch.from_numpy(_as_torch(kind, second)))
        head.weight.copy_(torch.from_numpy(inputs["output"].T.copy()))
        head.bias.copy_(torch.from_numpy(inputs["offset"]))
    if kind == "lstm":
        layer.bias_hh_l0.requires_grad_(False)  # Keras's LSTM has one bias
    parameters = [p for p in (*layer.parameters(), *head.parameters()) if p.requires_grad]

    def loss_function(x: Any, y: Any) -> Any:
        return torch.nn.functional.mse_loss(head(layer(x)[0][:, -1]), y)

    step = torch_step(torch, loss_function, parameters, "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(kind: str, jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX: the projection of all inputs, then a scan."""
    import optax

    jnp, sigmoid, tanh = jax.numpy, jax.nn.sigmoid, jax.numpy.tanh
    units = inputs["recurrent"].shape[0]
    parameters = {name: jnp.array(inputs[name]) for name in NAMES}

    def lstm_cell(p: Any, states: Any, z: Any) -> Any:
        h, c = states
        i, f, g, o = jnp.split(z + h @ p["recurrent"], 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return (sigmoid(o) * tanh(c), c), None

    def gru_cell(p: Any, h: Any, x: Any) -> Any:
        x_z, x_r, x_h = jnp.split(x, 3, axis=-1)
        h_z, h_r, h_h = jnp.split(h @ p["recurrent"] + p["bias"][1], 3, axis=-1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        return z * h + (1.0 - z) * tanh(x_h + r * h_h), None

    def loss_function(p: Any, x: Any, y: Any) -> Any:
        zeros = jnp.zeros((x.shape[0], units))
        z = jnp.swapaxes(x, 0, 1) @ p["kernel"] + (p["bias"] if kind == "lstm" else p["bias"][0])
        if kind == "lstm":
            (h, _), _ = jax.lax.scan(partial(lstm_cell, p), (zeros, zeros), z)
        else:
            h, _ = jax.lax.scan(partial(gru_cell, p), zeros, z)
        return jnp.mean((h @ p["output"] + p["offset"] - y) ** 2)

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(jnp.array, inputs, "x", "y")


def workload(kind: str, wanted: float, **more: Any) -> Workload:
    """Returns the workload of an LSTM or a GRU."""
    return Workload(
        kind,
        f"{kind.upper()}, {STEPS} steps of {FEATURES} to {UNITS} units, batch {BATCH}, dense head, squared error, Adam",
        partial(inputs, kind),
        {
            "tensorflow": partial(tensorflow, kind),
            "torch": partial(torch, kind),
            "torch.compile": partial(torch, kind, compiled=True),
            "jax": partial(jax, kind),
        },
        wanted={FASTEST: wanted},
        **more,
    )


WORKLOADS = (workload("lstm", 1.8, wanted_eagerly={"torch": 2.0}), workload("gru", 2.5))
