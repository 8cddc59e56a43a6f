"""6,656 rows of a table of 1,000,000 x 32 change, by Adagrad: once as rows, once through a dense gradient.

Adagrad is exact either way (a row without gradient stays as it is), and no row comes twice in a batch, where libraries
differ on purpose (Keras sums the squares of repeated rows, fastgrad and PyTorch square the sums).
"""

from functools import partial
from types import ModuleType
from typing import Any

from benchmarks import data
from benchmarks.data import Inputs
from benchmarks.peers.steps import EPSILON, batches, jax_step
from benchmarks.peers.workload import Batches, Step, Workload

RATE = 0.5
START = 0.1
EXAMPLES = 256


def tensorflow(tf: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    table = tf.Variable(inputs["table"], name="table")
    optimizer = tf.keras.optimizers.Adagrad(RATE, epsilon=EPSILON)
    optimizer.build([table])

    def step(ids: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, ids) - targets)) / EXAMPLES
        gradient = tape.gradient(loss, table)
        if dense:
            gradient = tf.convert_to_tensor(gradient)
        optimizer.apply_gradients([(gradient, table)])
        return loss

    return step, batches(tf.constant, inputs, "ids", "targets")


def torch(torch: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    table = torch.nn.Embedding.from_pretrained(torch.tensor(inputs["table"]), freeze=False, sparse=not dense)
    settings = {"lr": RATE, "initial_accumulator_value": START, "eps": EPSILON}
    optimizer = torch.optim.Adagrad(table.parameters(), **settings, fused=dense)  # the fused one takes no sparse rows

    def step(ids: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = torch.sum(torch.square(table(ids) - targets)) / EXAMPLES
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, batches(torch.from_numpy, inputs, "ids", "targets")


def torch_compiled(torch: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch as one compiled graph; the sparse update gathers rows and writes them back."""
    table = torch.tensor(inputs["table"])
    squares = torch.full_like(table, START)

    def loss_function(rows: Any, targets: Any) -> Any:
        return torch.sum(torch.square(rows - targets)) / EXAMPLES

    def dense_step(ids: Any, targets: Any) -> Any:
        gradient, loss = torch.func.grad_and_value(lambda table: loss_function(table[ids], targets))(table)
        squares.addcmul_(gradient, gradient)
        table.sub_(RATE * gradient / (squares.sqrt() + EPSILON))
        return loss

    def sparse_step(ids: Any, targets: Any) -> Any:
        gradient, loss = torch.func.grad_and_value(loss_function)(table[ids], targets)
        changed = squares[ids] + gradient * gradient
        squares.index_copy_(0, ids, changed)
        table.index_add_(0, ids, gradient / (changed.sqrt() + EPSILON), alpha=-RATE)
        return loss

    step = torch.compile(dense_step if dense else sparse_step, fullgraph=True, dynamic=False)
    return step, batches(torch.from_numpy, inputs, "ids", "targets")


def jax(jax: ModuleType, inputs: Inputs, *, dense: bool) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX; the sparse update gathers rows and writes them back."""
    import optax

    np = jax.numpy
    table = np.array(inputs["table"])

    def loss_function(rows: Any, targets: Any) -> Any:
        return np.sum((rows - targets) ** 2) / EXAMPLES

    some = batches(np.array, inputs, "ids", "targets")
    if dense:
        optimizer = optax.adagrad(RATE, initial_accumulator_value=START, eps=EPSILON)
        return jax_step(jax, lambda table, ids, targets: loss_function(table[ids], targets), table, optimizer), some
    squares = np.full_like(table, START)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(table: Any, squares: Any, ids: Any, targets: Any) -> Any:
        loss, gradient = jax.value_and_grad(loss_function)(table[ids], targets)
        changed = squares[ids] + gradient**2
        table = table.at[ids].add(-RATE * gradient * jax.lax.rsqrt(changed + EPSILON), unique_indices=True)
        return table, squares.at[ids].set(changed, unique_indices=True), loss

    def step(ids: Any, targets: Any) -> Any:
        nonlocal table, squares
        table, squares, loss = update(table, squares, ids, targets)
        return loss

    return step, some


WORKLOADS = tuple(
    Workload(
        f"embedding_{'dense' if dense else 'sparse'}",
        f"6,656 rows of 1,000,000 x 32, squared error, Adagrad, the gradient as {'a whole table' if dense else 'rows'}",
        data.embedding,
        {
            "tensorflow": partial(tensorflow, dense=dense),
            "torch": partial(torch, dense=dense),
            "torch.compile": partial(torch_compiled, dense=dense),
            "jax": partial(jax, dense=dense),
        },
    )
    for dense in (False, True)
)
