"""A variational autoencoder of pictures: encoder, a draw around its mean, decoder, binary cross-entropy and divergence, Adam.

The draw is made in every step. In the first ones it is weighed with 0, which is an input: only so can losses be compared.
"""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, DISTINCT_BATCHES, Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

PIXELS, HIDDEN, CODE, BATCH = 784, 256, 16, 128
RATE = 1e-3
QUIET = 20  # steps whose losses are compared


def inputs(
    count: int = BATCHES, batch: int = BATCH, pixels: int = PIXELS, hidden: int = HIDDEN, code: int = CODE
) -> Inputs:
    """Pictures `x` (count, batch, pixels), weights of the draws `noise` (count, 1), numbers of the batches, and the weights."""
    x = 0.5 + 0.5 * uniform(min(count, DISTINCT_BATCHES), batch, pixels, seed=51)
    weights = {f"encoder_{name}": value for name, value in dense_weights((pixels, hidden, 2 * code), 52).items()}
    weights |= {f"decoder_{name}": value for name, value in dense_weights((code, hidden, pixels), 53).items()}
    noise = (np.arange(count) >= QUIET).astype(np.float32)[:, None]
    return {
        "x": np.resize(x, (count, batch, pixels)),
        "noise": noise,
        "number": np.arange(count, dtype=np.int32),
        **weights,
    }


def weights(inputs: Inputs) -> Inputs:
    """Returns the inputs that are trained."""
    return {name: value for name, value in inputs.items() if name.startswith(("encoder", "decoder"))}


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    layers, values = tf.keras.layers, weights(inputs)

    def network(name: str) -> Any:
        sizes = [values[f"{name}_bias{number}"].size for number in range(2)]
        model = tf.keras.Sequential([layers.Dense(sizes[0], activation="relu"), layers.Dense(sizes[1])])
        model.build((None, values[f"{name}_kernel0"].shape[0]))
        model.set_weights([values[f"{name}_{kind}{number}"] for number in range(2) for kind in ("kernel", "bias")])
        return model

    encoder, decoder = network("encoder"), network("decoder")

    def loss_function(x: Any, noise: Any) -> Any:
        mean, log_variance = tf.split(encoder(x), 2, axis=1)
        code = mean + noise * tf.exp(0.5 * log_variance) * tf.random.normal(mean.shape)
        wrong = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=decoder(code))
        divergence = -0.5 * (1.0 + log_variance - tf.square(mean) - tf.exp(log_variance))
        return tf.reduce_mean(tf.reduce_sum(wrong, axis=1) + tf.reduce_sum(divergence, axis=1))

    variables = [*encoder.trainable_variables, *decoder.trainable_variables]
    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "noise")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    nn = torch.nn.functional
    p = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in weights(inputs).items()}

    def network(name: str, x: Any) -> Any:
        hidden = torch.relu(torch.addmm(p[f"{name}_bias0"], x, p[f"{name}_kernel0"]))
        return torch.addmm(p[f"{name}_bias1"], hidden, p[f"{name}_kernel1"])

    def loss_function(x: Any, noise: Any) -> Any:
        mean, log_variance = network("encoder", x).chunk(2, dim=1)
        code = mean + noise * torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        wrong = nn.binary_cross_entropy_with_logits(network("decoder", code), x, reduction="none")
        divergence = -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp())
        return (wrong.sum(1) + divergence.sum(1)).mean()

    step = torch_step(torch, loss_function, list(p.values()), "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "noise")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX; random draws follow from the number of the batch."""
    import optax

    numpy = jax.numpy
    parameters = {name: numpy.array(value) for name, value in weights(inputs).items()}

    def network(p: Any, name: str, x: Any) -> Any:
        hidden = jax.nn.relu(x @ p[f"{name}_kernel0"] + p[f"{name}_bias0"])
        return hidden @ p[f"{name}_kernel1"] + p[f"{name}_bias1"]

    def loss_function(p: Any, x: Any, noise: Any, number: Any) -> Any:
        mean, log_variance = numpy.split(network(p, "encoder", x), 2, axis=1)
        key = jax.random.fold_in(jax.random.key(0), number)
        code = mean + noise * numpy.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        wrong = optax.sigmoid_binary_cross_entropy(network(p, "decoder", code), x)
        divergence = -0.5 * (1.0 + log_variance - mean**2 - numpy.exp(log_variance))
        return (wrong.sum(1) + divergence.sum(1)).mean()

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(numpy.array, inputs, "x", "noise", "number")


WORKLOADS = (
    Workload(
        "vae",
        f"variational autoencoder {PIXELS}-{HIDDEN}-{CODE}, batch {BATCH}, with the draw in the step, Adam",
        inputs,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax},
        wanted={FASTEST: 1.8},
        remarks="In the first 20 steps, whose losses are compared, the draw is weighed with 0.",
    ),
)
