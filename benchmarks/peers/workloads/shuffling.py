"""Shuffled batches of examples in memory, by each library's own pipeline, and nothing else; a step is an epoch.

Its "loss" is the mean of the labels, which does not depend on the order. JAX has no pipeline: its users index NumPy arrays.
"""

from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import Inputs
from benchmarks.peers.workload import Batches, Step, Workload

EXAMPLES, BATCH, FEATURES, CLASSES = 60_000, 128, 784, 10


def inputs(examples: int = EXAMPLES, features: int = FEATURES) -> Inputs:
    """`x` (examples, features) and `y` (examples), labels at random."""
    random = np.random.default_rng(63)
    return {
        "x": random.random((examples, features), np.float32),
        "y": random.integers(0, CLASSES, examples).astype(np.float32),
    }


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    count = len(inputs["x"])
    dataset = tf.data.Dataset.from_tensor_slices((inputs["x"], inputs["y"]))
    dataset = dataset.shuffle(count).batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def epoch() -> Any:
        total = tf.constant(0.0)
        for _, y in dataset:
            total += tf.reduce_sum(y)
        return total / count

    return epoch, [()]


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the epoch and its batches in PyTorch, with a loader in the same process that takes indices by the batch."""
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"]))
    sampler = torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(dataset), BATCH, drop_last=False)
    loader = torch.utils.data.DataLoader(dataset, sampler=sampler, batch_size=None)

    def epoch() -> Any:
        total = torch.zeros(())
        for _, y in loader:
            total += y.sum()
        return total / len(dataset)

    return epoch, [()]


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    x, y = inputs["x"], inputs["y"]
    random = np.random.default_rng(64)

    def epoch() -> Any:
        total = jax.numpy.zeros(())
        order = random.permutation(len(x))
        for begin in range(0, len(x), BATCH):
            rows = order[begin : begin + BATCH]
            _, labels = jax.device_put((x[rows], y[rows]))
            total += labels.sum()
        return total / len(x)

    return epoch, [()]


WORKLOADS = (
    Workload(
        "data_shuffle",
        f"an epoch of {EXAMPLES:,} examples of {FEATURES}, shuffled, in batches of {BATCH} from the library's pipeline; no training",
        inputs,
        {
            "tensorflow": tensorflow,
            "xla": None,  # it compiles no loop over a dataset
            "torch": torch,
            "torch.compile": None,  # nothing to compile
            "jax": jax,
        },
        wanted={"tensorflow": 3.0},
    ),
)
