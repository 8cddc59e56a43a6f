"""A recommender: a table of 100,000 x 32, 26 ids an example, a small network on their rows, Adagrad with sparse updates.

No row comes twice in a batch, where libraries differ on purpose (see `embedding`).
"""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, data_parallel
from benchmarks.peers.workload import FASTEST, Batches, Step, Workload

ROWS, WIDTH, IDS, BATCH, HIDDEN = 100_000, 32, 26, 256, 64
BATCHES = 16
RATE = 0.01
START = 0.1
HEAD = ("kernel0", "bias0", "kernel1", "bias1")


def inputs(
    rows: int = ROWS, width: int = WIDTH, ids: int = IDS, batch: int = BATCH, hidden: int = HIDDEN, count: int = BATCHES
) -> Inputs:
    """`ids` (count, batch, ids), labels `y` (count, batch, 1), the table and the weights of the head."""
    generator = np.random.default_rng(41)
    chosen = np.stack([generator.choice(rows, batch * ids, replace=False) for _ in range(count)])
    return {
        "ids": chosen.reshape(count, batch, ids),
        "y": generator.integers(0, 2, (count, batch, 1)).astype(np.float32),
        "table": 0.05 * uniform(rows, width, seed=42),
        **dense_weights((ids * width, hidden, 1), seed=43),
    }


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    layers = tf.keras.layers
    hidden = inputs["bias0"].size
    model = tf.keras.Sequential(
        [layers.Embedding(*inputs["table"].shape), layers.Flatten(), layers.Dense(hidden, "relu"), layers.Dense(1)]
    )
    model.build((None, inputs["ids"].shape[2]))
    model.set_weights([inputs[name] for name in ("table", *HEAD)])
    criterion = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adagrad(RATE, epsilon=EPSILON)
    optimizer.build(model.trainable_variables)

    def step(ids: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = criterion(y, model(ids, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step, batches(tf.constant, inputs, "ids", "y")


def torch(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    table = torch.nn.Embedding.from_pretrained(torch.tensor(inputs["table"]), freeze=False, sparse=True)
    head = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(*inputs["kernel0"].shape),
        torch.nn.ReLU(),
        torch.nn.Linear(*inputs["kernel1"].shape),
    )
    with torch.no_grad():
        for number, place in enumerate((1, 3)):
            head[place].weight.copy_(torch.from_numpy(inputs[f"kernel{number}"].T.copy()))
            head[place].bias.copy_(torch.from_numpy(inputs[f"bias{number}"]))
    criterion = torch.nn.BCEWithLogitsLoss()
    loss_function = data_parallel(torch, lambda ids, y: criterion(head(table(ids)), y), [table, head])
    settings = {"lr": RATE, "initial_accumulator_value": START, "eps": EPSILON}
    optimizers = [
        torch.optim.Adagrad(table.parameters(), **settings),
        torch.optim.Adagrad(head.parameters(), **settings, fused=True),  # the fused one takes no sparse rows
    ]

    def step(ids: Any, y: Any) -> Any:
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = loss_function(ids, y)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return loss.detach()

    return step, batches(torch.from_numpy, inputs, "ids", "y")


def torch_compiled(torch: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch as one compiled graph, which gathers rows and writes them back."""
    table = torch.tensor(inputs["table"])
    squares = torch.full_like(table, START)
    weights = {name: torch.tensor(inputs[name]) for name in HEAD}
    totals = {name: torch.full_like(weights[name], START) for name in HEAD}

    def loss_function(rows: Any, weights: Any, y: Any) -> Any:
        hidden = torch.relu(rows.reshape(y.shape[0], -1) @ weights["kernel0"] + weights["bias0"])
        logits = hidden @ weights["kernel1"] + weights["bias1"]
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, y)

    def step(ids: Any, y: Any) -> Any:
        flat = ids.reshape(-1)
        (gradient, others), loss = torch.func.grad_and_value(loss_function, argnums=(0, 1))(table[flat], weights, y)
        changed = squares[flat] + gradient * gradient
        squares.index_copy_(0, flat, changed)
        table.index_add_(0, flat, gradient / (changed.sqrt() + EPSILON), alpha=-RATE)
        for name in HEAD:
            totals[name].addcmul_(others[name], others[name])
            weights[name].sub_(RATE * others[name] / (totals[name].sqrt() + EPSILON))
        return loss

    return torch.compile(step, fullgraph=True, dynamic=False), batches(torch.from_numpy, inputs, "ids", "y")


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX, which gathers rows and writes them back."""
    jnp = jax.numpy
    parameters = {name: jnp.array(inputs[name]) for name in ("table", *HEAD)}
    totals = jax.tree.map(lambda value: jnp.full_like(value, START), parameters)

    def loss_function(rows: Any, weights: Any, y: Any) -> Any:
        hidden = jax.nn.relu(rows.reshape(y.shape[0], -1) @ weights["kernel0"] + weights["bias0"])
        logits = hidden @ weights["kernel1"] + weights["bias1"]
        return jnp.mean(jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits))))

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, totals: Any, ids: Any, y: Any) -> Any:
        flat = ids.reshape(-1)
        weights = {name: parameters[name] for name in HEAD}
        rows = parameters["table"][flat]
        loss, (gradient, others) = jax.value_and_grad(loss_function, argnums=(0, 1))(rows, weights, y)
        changed = totals["table"][flat] + gradient**2
        change = -RATE * gradient * jax.lax.rsqrt(changed + EPSILON)
        new = {"table": parameters["table"].at[flat].add(change, unique_indices=True)}
        new_totals = {"table": totals["table"].at[flat].set(changed, unique_indices=True)}
        for name in HEAD:
            new_totals[name] = totals[name] + others[name] ** 2
            new[name] = weights[name] - RATE * others[name] * jax.lax.rsqrt(new_totals[name] + EPSILON)
        return new, new_totals, loss

    def step(ids: Any, y: Any) -> Any:
        nonlocal parameters, totals
        parameters, totals, loss = update(parameters, totals, ids, y)
        return loss

    return step, batches(jnp.array, inputs, "ids", "y")


WORKLOADS = (
    Workload(
        "recommender",
        f"{IDS} rows of {ROWS:,} x {WIDTH}, {IDS * WIDTH}-{HIDDEN}-1, batch {BATCH}, logistic loss, Adagrad with sparse rows",
        inputs,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": torch_compiled, "jax": jax},
        wanted={FASTEST: 3.0},
    ),
)
