"""6,656 rows of a table of 1,000,000 x 32 change, by Adagrad: once as rows, once through a dense gradient.

Adagrad is exact either way (a row without gradient stays as it is), and no row comes twice in a batch, where libraries
differ on purpose (Keras sums the squares of repeated rows, fastgrad and PyTorch square the sums).
"""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.workload import Step, Workload

RATE = 0.5
EXAMPLES = 256


def tensorflow(tf: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a TensorFlow user writes; `tf` is TensorFlow or fastgrad."""
    table = tf.Variable(inputs["table"], name="table")
    optimizer = tf.keras.optimizers.Adagrad(RATE)
    optimizer.build([table])

    def step(ids: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, ids) - targets)) / EXAMPLES
        gradient = tape.gradient(loss, table)
        if dense:
            gradient = tf.convert_to_tensor(gradient)
        optimizer.apply_gradients([(gradient, table)])
        return loss

    return step, [(tf.constant(i), tf.constant(t)) for i, t in zip(inputs["ids"], inputs["targets"], strict=True)]


def torch(torch: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Sequence[tuple[Any, ...]]]:
    """What a PyTorch user writes."""
    table = torch.nn.Embedding.from_pretrained(torch.tensor(inputs["table"]), freeze=False, sparse=not dense)
    settings = {"lr": RATE, "initial_accumulator_value": 0.1, "eps": 1e-7}
    optimizer = torch.optim.Adagrad(table.parameters(), **settings, fused=dense)  # the fused one takes no sparse rows

    def step(ids: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = torch.sum(torch.square(table(ids) - targets)) / EXAMPLES
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, [
        (torch.from_numpy(ids), torch.from_numpy(targets))
        for ids, targets in zip(inputs["ids"], inputs["targets"], strict=True)
    ]


WORKLOADS = tuple(
    Workload(
        f"embedding_{'dense' if dense else 'sparse'}",
        f"6,656 rows of 1,000,000 x 32, squared error, Adagrad, the gradient as {'a whole table' if dense else 'rows'}",
        data.embedding,
        {"tensorflow": partial(tensorflow, dense=dense), "torch": partial(torch, dense=dense)},
    )
    for dense in (False, True)
)
