"""The loss of a stack of LSTM layers that predicts the bits of the next character; all matrices of weights are diagonal."""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem

BITS = 14  # what ADBench's text needs
LETTERS = "abcdefghijklmnopqrstuvwxyz     .,’"


@numba.njit
def sigmoid(x):
    """Returns the logistic function of x."""
    return 1.0 / (1.0 + math.exp(-x))


@numba.njit
def step_layer(weight, bias, hidden, cell, x):
    """Moves the hidden state and the cell of a layer by one time step; x is its input.

    The rows of weights and biases have the forget gate, the input gate, the output gate and the change one after another.
    """
    b = len(x)
    for i in range(b):
        forget = sigmoid(x[i] * weight[i] + bias[i])
        admit = sigmoid(hidden[i] * weight[b + i] + bias[b + i])
        emit = sigmoid(x[i] * weight[2 * b + i] + bias[2 * b + i])
        change = math.tanh(hidden[i] * weight[3 * b + i] + bias[3 * b + i])
        cell[i] = cell[i] * forget + admit * change
        hidden[i] = emit * math.tanh(cell[i])


@numba.njit
def loss(main, extra, state, sequence):
    """Returns the mean loss of the predictions of a sequence, shape (characters, bits).

    Args:
        main: weights and biases of each layer in turn, shape (2 layers, 4 bits).
        extra: weights of the input, weights and biases of the output, shape (3, bits).
        state: hidden state and cell of each layer in turn before the first character, shape (2 layers, bits).
        sequence: the bits of each character, 0.0 or 1.0.
    """
    characters, b = sequence.shape
    state = state.copy()
    x = np.empty(b)
    prediction = np.empty(b)
    total = 0.0
    for t in range(characters - 1):
        for i in range(b):
            x[i] = sequence[t, i] * extra[0, i]
        for row in range(0, len(main), 2):
            step_layer(main[row], main[row + 1], state[row], state[row + 1], x)
            for i in range(b):
                x[i] = state[row, i]
        exponentials = 2.0
        for i in range(b):
            prediction[i] = x[i] * extra[1, i] + extra[2, i]
            exponentials += math.exp(prediction[i])
        normalizer = math.log(exponentials)
        for i in range(b):
            total += sequence[t + 1, i] * (prediction[i] - normalizer)
    return -total / ((characters - 1) * b)


def inputs(layers: int, characters: int) -> dict[str, Any]:
    """Returns a text of random characters in bits, and parameters and states of all layers between 0 and 1."""
    generator = np.random.default_rng(SEED)
    codes = generator.choice([ord(letter) for letter in LETTERS], size=characters)
    return {
        "main_params": generator.random((2 * layers, 4 * BITS)).tolist(),
        "extra_params": generator.random((3, BITS)).tolist(),
        "state": generator.random((2 * layers, BITS)).tolist(),
        "sequence": (codes[:, None] >> np.arange(BITS)[::-1] & 1).astype(float).tolist(),
    }


def derivative_output(gradients: tuple[np.ndarray, ...]) -> list[float]:
    """Returns the gradients by the main and the extra parameters, one after another."""
    return [number for gradient in gradients for number in gradient.ravel().tolist()]


PROBLEM = Problem(
    name="lstm",
    derivatives=("jacobian",),
    sizes={
        f"l={layers},c={characters}": {"layers": layers, "characters": characters}
        for layers in (2, 4, 6)
        for characters in (1024, 4096, 8192)
    },
    standard=("l=2,c=1024", "l=2,c=4096", "l=4,c=4096"),
    inputs=inputs,
    arguments=lambda fields: tuple(
        np.array(fields[name], dtype=float) for name in ("main_params", "extra_params", "state", "sequence")
    ),
    objective_name="objective",
    objective=loss,
    derivative_output=derivative_output,
)
