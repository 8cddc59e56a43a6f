"""A small transformer of two blocks that predicts the next token: causal attention, layer normalization, gelu.

TensorFlow's step and fastgrad's are made of Keras's layers, the others of what their libraries have for each.

The embedding is also the output matrix, as usual; so its gradient is dense, and Keras's Adam, which takes repeated rows of
sparse gradients for separate ones, computes what the others do.
"""

import math
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, DISTINCT_BATCHES, Inputs, ones, uniform, zeros
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

TOKENS, BATCH, LENGTH = 64, 8, 64
WIDTH, HEADS, HIDDEN, BLOCKS = 128, 4, 512, 2
NORM_EPSILON = 1e-5
RATE = 1e-4
FAR = -1e9  # what JAX's step adds to the scores of keys that a query must not see


def inputs(batch: int = BATCH, length: int = LENGTH, count: int = BATCHES, *, width: int = WIDTH) -> Inputs:
    """Tokens `x` and next tokens `y` (count, batch, length), and the weights."""
    hidden = width * HIDDEN // WIDTH
    generator = np.random.default_rng(31)
    x = generator.integers(0, TOKENS, (DISTINCT_BATCHES, batch, length))
    weights = {
        "embedding": 0.1 * uniform(TOKENS, width, seed=32),
        "positions": 0.1 * uniform(max(length, LENGTH), width, seed=33),
        "last_gamma": ones(width),
        "last_beta": zeros(width),
    }
    for block in range(BLOCKS):
        sizes = {"query": width, "key": width, "value": width, "mix": width, "hidden": hidden}
        for number, (name, size) in enumerate(sizes.items()):
            weights[f"{name}{block}"] = matrix(width, size, seed=40 + 10 * block + number)
            weights[f"{name}_bias{block}"] = zeros(size)
        weights[f"back{block}"] = matrix(hidden, width, seed=49 + 10 * block)
        weights[f"back_bias{block}"] = zeros(width)
        for norm in ("first", "second"):
            weights[f"{norm}_gamma{block}"], weights[f"{norm}_beta{block}"] = ones(width), zeros(width)
    x = np.resize(x, (count, batch, length))
    return {"x": x, "y": generator.integers(0, TOKENS, (count, batch, length))} | weights


def matrix(rows: int, columns: int, seed: int) -> np.ndarray:
    """Returns a Glorot-uniform kernel."""
    return uniform(rows, columns, seed=seed) * np.float32(math.sqrt(6.0 / (rows + columns)))


def weights(inputs: Inputs) -> Inputs:
    """Returns the inputs that are trained."""
    return {name: value for name, value in inputs.items() if name not in ("x", "y")}


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a Keras user writes them; `tf` is TensorFlow or fastgrad."""
    layers, values = tf.keras.layers, weights(inputs)
    width = values["embedding"].shape[1]
    shape = (None, None, width)

    def filled(layer: Any, shapes: tuple[Any, ...], *names: str) -> Any:
        layer.build(*shapes)
        fitting = zip(names, layer.get_weights(), strict=True)
        layer.set_weights([values[name].reshape(weight.shape) for name, weight in fitting])
        return layer

    def norm(name: str, block: int | str = "") -> Any:
        names = f"{name}_gamma{block}", f"{name}_beta{block}"
        return filled(layers.LayerNormalization(epsilon=NORM_EPSILON), (shape,), *names)

    def dense(name: str, block: int, activation: str | None = None) -> Any:
        features, units = values[f"{name}{block}"].shape
        names = f"{name}{block}", f"{name}_bias{block}"
        return filled(layers.Dense(units, activation), ((None, None, features),), *names)

    def attention(block: int) -> Any:
        names = [f"{name}{kind}{block}" for name in ("query", "key", "value", "mix") for kind in ("", "_bias")]
        return filled(layers.MultiHeadAttention(HEADS, width // HEADS), (shape, shape), *names)

    embedding, positions = (tf.Variable(values[name], name=name) for name in ("embedding", "positions"))
    blocks = [
        (norm("first", b), attention(b), norm("second", b), dense("hidden", b, "gelu"), dense("back", b))
        for b in range(BLOCKS)
    ]
    last = norm("last")

    def loss_function(x: Any, y: Any) -> Any:
        h = tf.nn.embedding_lookup(embedding, x) + positions[: x.shape[1]]
        for first, attend, second, hidden, back in blocks:
            wide = first(h)
            h = h + attend(wide, wide, use_causal_mask=True)
            h = h + back(hidden(second(h)))
        logits = tf.matmul(last(h), embedding, transpose_b=True)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

    inside = [layer.trainable_variables for block in (*blocks, (last,)) for layer in block]
    variables = [embedding, positions, *(variable for found in inside for variable in found)]
    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch, with its attention and layer normalization."""
    nn = torch.nn.functional
    p = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in weights(inputs).items()}

    def normalized(x: Any, gamma: Any, beta: Any) -> Any:
        return nn.layer_norm(x, x.shape[-1:], gamma, beta, NORM_EPSILON)

    def heads(x: Any, kernel: Any, bias: Any) -> Any:
        return (x @ kernel + bias).reshape(*x.shape[:2], HEADS, x.shape[-1] // HEADS).transpose(1, 2)

    def attention(x: Any, block: int) -> Any:
        query, key, value = (heads(x, p[f"{n}{block}"], p[f"{n}_bias{block}"]) for n in ("query", "key", "value"))
        mixed = nn.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
        return mixed.reshape(x.shape) @ p[f"mix{block}"] + p[f"mix_bias{block}"]

    def loss_function(x: Any, y: Any) -> Any:
        h = p["embedding"][x] + p["positions"][: x.shape[1]]
        for b in range(BLOCKS):
            h = h + attention(normalized(h, p[f"first_gamma{b}"], p[f"first_beta{b}"]), b)
            wide = normalized(h, p[f"second_gamma{b}"], p[f"second_beta{b}"])
            h = h + nn.gelu(wide @ p[f"hidden{b}"] + p[f"hidden_bias{b}"]) @ p[f"back{b}"] + p[f"back_bias{b}"]
        logits = normalized(h, p["last_gamma"], p["last_beta"]) @ p["embedding"].T
        return nn.cross_entropy(logits.reshape(-1, TOKENS), y.reshape(-1))

    step = torch_step(torch, loss_function, list(p.values()), "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    parameters = {name: jax.numpy.array(value) for name, value in weights(inputs).items()}

    def normalized(x: Any, gamma: Any, beta: Any) -> Any:
        return jax.nn.standardize(x, axis=-1, epsilon=NORM_EPSILON) * gamma + beta

    def loss_function(p: Any, x: Any, y: Any) -> Any:
        def heads(x: Any, kernel: Any, bias: Any) -> Any:
            return (x @ kernel + bias).reshape(*x.shape[:2], HEADS, x.shape[-1] // HEADS).transpose(0, 2, 1, 3)

        def attention(x: Any, block: int) -> Any:
            query, key, value = (heads(x, p[f"{n}{block}"], p[f"{n}_bias{block}"]) for n in ("query", "key", "value"))
            future = jax.numpy.triu(jax.numpy.full((x.shape[1], x.shape[1]), FAR), 1)
            scores = query @ key.swapaxes(-1, -2) * (x.shape[-1] // HEADS) ** -0.5 + future
            mixed = (jax.nn.softmax(scores) @ value).transpose(0, 2, 1, 3)
            return mixed.reshape(x.shape) @ p[f"mix{block}"] + p[f"mix_bias{block}"]

        h = p["embedding"][x] + p["positions"][: x.shape[1]]
        for b in range(BLOCKS):
            h = h + attention(normalized(h, p[f"first_gamma{b}"], p[f"first_beta{b}"]), b)
            wide = normalized(h, p[f"second_gamma{b}"], p[f"second_beta{b}"])
            wide = jax.nn.gelu(wide @ p[f"hidden{b}"] + p[f"hidden_bias{b}"], approximate=False)
            h = h + wide @ p[f"back{b}"] + p[f"back_bias{b}"]
        logits = normalized(h, p["last_gamma"], p["last_beta"]) @ p["embedding"].T
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(jax.numpy.array, inputs, "x", "y")


WORKLOADS = (
    Workload(
        "transformer",
        f"two blocks of width {WIDTH}, {HEADS} heads, {LENGTH} tokens, batch {BATCH}, softmax cross-entropy, Adam",
        inputs,
        {
            "tensorflow": tensorflow,
            "torch": torch,
            "torch.compile": partial(torch, compiled=True),
            "jax": jax,
        },
        wanted={FASTEST: 2.0},
    ),
)
