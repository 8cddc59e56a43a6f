"""A deep narrow network: twelve layers of 128 with layer normalization and gelu, and an output layer."""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

WIDTHS = (128,) * 13 + (10,)
BATCH = 64
RATE = 1e-4
NORM_EPSILON = 1e-5


def kernels_and_biases(inputs: Inputs) -> list[tuple[Any, Any]]:
    """Returns the weights of the layers; those of the output layer are last."""
    layers = sum(name.startswith("kernel") for name in inputs)
    return [(inputs[f"kernel{i}"], inputs[f"bias{i}"]) for i in range(layers)]


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    layers: list[Any] = []
    weights: list[Any] = []
    *hidden, output = kernels_and_biases(inputs)
    for kernel, bias in hidden:
        layers += [
            tf.keras.layers.Dense(bias.size),
            tf.keras.layers.LayerNormalization(epsilon=NORM_EPSILON),
            tf.keras.layers.Activation("gelu"),
        ]
        weights += [kernel, bias, data.ones(bias.size), data.zeros(bias.size)]
    model = tf.keras.Sequential([*layers, tf.keras.layers.Dense(output[1].size)])
    model.build((None, inputs["x"].shape[-1]))
    model.set_weights([*weights, *output])
    cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss_function(x: Any, y: Any) -> Any:
        return cross_entropy(y, model(x, training=True))

    step = tensorflow_step(
        tf, loss_function, model.trainable_variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON)
    )
    return step, batches(tf.constant, inputs, "x", "y")


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    layers: list[Any] = []
    *hidden, output = kernels_and_biases(inputs)
    for kernel, bias in hidden:
        layers += [dense(torch, kernel, bias), torch.nn.LayerNorm(bias.size, eps=NORM_EPSILON), torch.nn.GELU()]
    model = torch.nn.Sequential(*layers, dense(torch, *output))
    cross_entropy = torch.nn.CrossEntropyLoss()

    def loss_function(x: Any, y: Any) -> Any:
        return cross_entropy(model(x), y)

    step = torch_step(torch, loss_function, list(model.parameters()), "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, "x", "y")


def dense(torch: ModuleType, kernel: Any, bias: Any) -> Any:
    """Returns a PyTorch linear layer with these weights."""
    layer = torch.nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    np = jax.numpy
    *hidden, output = kernels_and_biases(inputs)
    parameters = {
        "hidden": [(np.array(k), np.array(b), np.ones(b.size), np.zeros(b.size)) for k, b in hidden],
        "output": tuple(map(np.array, output)),
    }

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        for kernel, bias, gamma, beta in parameters["hidden"]:
            h = x @ kernel + bias
            h = jax.nn.standardize(h, axis=-1, epsilon=NORM_EPSILON) * gamma + beta
            x = jax.nn.gelu(h, approximate=False)
        kernel, bias = parameters["output"]
        return optax.softmax_cross_entropy_with_integer_labels(x @ kernel + bias, y).mean()

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(np.array, inputs, "x", "y")


WORKLOADS = (
    Workload(
        "deep_mlp",
        "twelve layers of 128 with layer normalization and gelu, batch 64, softmax cross-entropy, Adam",
        partial(data.classification, WIDTHS, BATCH),
        {
            "tensorflow": tensorflow,
            "torch": torch,
            "torch.compile": partial(torch, compiled=True),
            "jax": jax,
        },
        wanted={FASTEST: 3.0},
        remarks="The matrix products alone, 75 MFLOP, would take 0.4 ms at the peak of both cores' arithmetic; threads "
        "go through all layers row by row and meet 16 times a step.",
    ),
)
