"""REINFORCE on episodes that are there: discounted returns over their deviation, times the logarithms of the actions' probabilities.

The reference is Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
with an entropy bonus as is usual.
"""

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.data import BATCHES, DISTINCT_BATCHES, Inputs, dense_weights, uniform
from benchmarks.peers.steps import EPSILON, batches, jax_step, tensorflow_step, torch_step
from benchmarks.peers.workload import Batches, Step, Workload

EPISODES, LENGTH, STATE, UNITS, ACTIONS = 8, 64, 4, 64, 2
DISCOUNT = 0.98
ENTROPY = 0.01
SMALL = 1e-6
RATE = 1e-3
NAMES = ("kernel0", "bias0", "kernel1", "bias1")
BATCH_NAMES = ("states", "actions", "rewards")


def inputs(episodes: int = EPISODES, length: int = LENGTH, units: int = UNITS, count: int = BATCHES) -> Inputs:
    """`states` (count, episodes, length, 4), `actions` and `rewards` (count, episodes, length), and the policy's weights."""
    states = uniform(min(count, DISTINCT_BATCHES), episodes, length, STATE, seed=50)
    return {
        "states": np.resize(states, (count, *states.shape[1:])),
        "actions": np.random.default_rng(51).integers(0, ACTIONS, (count, episodes, length)),
        "rewards": 1.0 + uniform(count, episodes, length, seed=52),
        **dense_weights((STATE, units, ACTIONS), seed=53),
    }


def discounts(length: int) -> np.ndarray:
    """Returns the matrix (length, length) from rewards to discounted returns: k steps later counts `DISCOUNT ** k`."""
    later = np.subtract.outer(np.arange(length), np.arange(length))
    return np.where(later >= 0, DISCOUNT ** np.maximum(later, 0), 0.0).astype(np.float32)


def tensorflow(tf: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches, as a TensorFlow user writes them; `tf` is TensorFlow or fastgrad."""
    variables = [tf.Variable(inputs[name]) for name in NAMES]
    kernel0, bias0, kernel1, bias1 = variables
    discount = tf.constant(discounts(inputs["rewards"].shape[-1]))

    def loss_function(states: Any, actions: Any, rewards: Any) -> Any:
        returns = tf.matmul(rewards, discount)
        weights = returns / (tf.math.reduce_std(returns) + SMALL)
        logits = tf.matmul(tf.tanh(tf.matmul(states, kernel0) + bias0), kernel1) + bias1
        logarithms = tf.nn.log_softmax(logits)
        taken = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=actions, logits=logits)
        entropy = -tf.reduce_mean(tf.reduce_sum(tf.exp(logarithms) * logarithms, axis=-1))
        return tf.reduce_mean(taken * weights) - ENTROPY * entropy

    step = tensorflow_step(tf, loss_function, variables, tf.keras.optimizers.Adam(RATE, epsilon=EPSILON))
    return step, batches(tf.constant, inputs, *BATCH_NAMES)


def torch(torch: ModuleType, inputs: Inputs, *, compiled: bool = False) -> tuple[Step, Batches]:
    """Returns the step and its batches in PyTorch."""
    nn = torch.nn.functional
    parameters = [torch.nn.Parameter(torch.tensor(inputs[name])) for name in NAMES]
    kernel0, bias0, kernel1, bias1 = parameters
    discount = torch.from_numpy(discounts(inputs["rewards"].shape[-1]))

    def loss_function(states: Any, actions: Any, rewards: Any) -> Any:
        returns = rewards @ discount
        weights = returns / (returns.std(correction=0) + SMALL)
        logits = torch.tanh(states @ kernel0 + bias0) @ kernel1 + bias1
        logarithms = torch.log_softmax(logits, -1)
        taken = nn.nll_loss(logarithms.flatten(0, 1), actions.flatten(), reduction="none").reshape(weights.shape)
        entropy = -(logarithms.exp() * logarithms).sum(-1).mean()
        return (taken * weights).mean() - ENTROPY * entropy

    step = torch_step(torch, loss_function, parameters, "Adam", RATE, compiled=compiled)
    return step, batches(torch.from_numpy, inputs, *BATCH_NAMES)


def jax(jax: ModuleType, inputs: Inputs) -> tuple[Step, Batches]:
    """Returns the step and its batches in JAX."""
    import optax

    nn = jax.numpy
    parameters = {name: nn.array(inputs[name]) for name in NAMES}
    discount = nn.array(discounts(inputs["rewards"].shape[-1]))

    def loss_function(p: Any, states: Any, actions: Any, rewards: Any) -> Any:
        returns = rewards @ discount
        weights = returns / (returns.std() + SMALL)
        logits = nn.tanh(states @ p["kernel0"] + p["bias0"]) @ p["kernel1"] + p["bias1"]
        logarithms = jax.nn.log_softmax(logits)
        taken = optax.softmax_cross_entropy_with_integer_labels(logits, actions)
        entropy = -nn.mean(nn.sum(nn.exp(logarithms) * logarithms, axis=-1))
        return nn.mean(taken * weights) - ENTROPY * entropy

    step = jax_step(jax, loss_function, parameters, optax.adam(RATE, eps=EPSILON))
    return step, batches(nn.array, inputs, *BATCH_NAMES)


WORKLOADS = (
    Workload(
        "reinforce",
        f"{EPISODES} episodes of {LENGTH} steps, discounted returns, {STATE}-{UNITS}-{ACTIONS}, tanh, entropy bonus, Adam",
        inputs,
        {"tensorflow": tensorflow, "torch": torch, "torch.compile": partial(torch, compiled=True), "jax": jax},
    ),
)
