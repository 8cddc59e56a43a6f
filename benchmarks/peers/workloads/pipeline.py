"""An epoch through each library's own data pipeline: slices, scaled, in batches; a step is the epoch.

The examples come in order, so that the losses can be compared; for the same reason the optimizer is plain gradient descent, as 20
epochs of Adam make much of its epsilon. JAX has no pipeline: its users slice NumPy arrays.
"""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import Inputs, dense_weights, uniform
from benchmarks.peers.steps import jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import Batches, Step, Workload
from benchmarks.peers.workloads.mlp import layers

EXAMPLES, BATCH, FEATURES, UNITS, CLASSES = 1_024, 32, 64, 128, 10
SCALE = np.float32(1.0 / 16.0)
RATE = 0.05


def inputs(examples: int = EXAMPLES, features: int = FEATURES, units: int = UNITS) -> Inputs:
    """`x` (examples, features) up to 16, `y` (examples), labels at random, and the weights."""
    return {
        "x": 16.0 * uniform(examples, features, seed=60),
        "y": np.random.default_rng(61).integers(0, CLASSES, examples),
        **dense_weights((features, units, CLASSES), seed=62),
    }


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns an epoch in Python over compiled steps, as a TensorFlow user writes it; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(weight) for layer in layers(inputs) for weight in layer]
    kernel0, bias0, kernel1, bias1 = variables
    dataset = tf.data.Dataset.from_tensor_slices((inputs["x"], inputs["y"])).batch(BATCH)
    dataset = dataset.map(lambda x, y: (x * SCALE, y)).prefetch(2)

    def loss_function(x: Any, y: Any) -> Any:
        logits = tf.matmul(tf.nn.relu(tf.matmul(x, kernel0) + bias0), kernel1) + bias1
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.SGD(RATE))

    def epoch() -> Any:
        loss = tf.constant(0.0)
        for x, y in dataset:
            loss = step(x, y)
        return loss

    return epoch, [()]


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the epoch and its batches in PyTorch, with a loader in the same process."""
    parameters = [torch.nn.Parameter(torch.tensor(weight)) for layer in layers(inputs) for weight in layer]
    kernel0, bias0, kernel1, bias1 = parameters
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"]))
    # Indices by the batch: a loader that collects examples one by one takes several times as long.
    sampler = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(dataset), BATCH, drop_last=False)
    loader = torch.utils.data.DataLoader(dataset, sampler=sampler, batch_size=None)

    def loss_function(x: Any, y: Any) -> Any:
        logits = torch.relu(x @ kernel0 + bias0) @ kernel1 + bias1
        return torch.nn.functional.cross_entropy(logits, y)

    step = torch_step(torch, loss_function, parameters, "SGD", RATE, compiled=compiled)

    def epoch() -> Any:
        for x, y in loader:
            loss = step(x * SCALE, y)
        return loss

    return epoch, [()]


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    parameters = [tuple(map(jax.numpy.array, layer)) for layer in layers(inputs)]
    x, y = inputs["x"], inputs["y"]

    def loss_function(parameters: Any, x: Any, y: Any) -> Any:
        (kernel0, bias0), (kernel1, bias1) = parameters
        logits = jax.nn.relu(x @ kernel0 + bias0) @ kernel1 + bias1
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    step = jax_step(jax, loss_function, parameters, optax.sgd(RATE))

    def epoch() -> Any:
        for begin in range(0, len(x), BATCH):
            loss = step(x[begin : begin + BATCH] * SCALE, y[begin : begin + BATCH])
        return loss

    return epoch, [()]


WORKLOADS = (
    Workload(
        "data_pipeline",
        f"an epoch of {EXAMPLES:,} examples: batches of {BATCH} from the library's pipeline, scaled; {FEATURES}-{UNITS}-{CLASSES}, SGD",
        inputs,
        {
            "tensorflow": tensorflow,
            "xla": None,  # it compiles no loop over a dataset
            "torch": torch,
            "torch.compile": partial(torch, compiled=True),
            "jax": jax,
        },
    ),
)
