"""Pieces of the loops over a row's gates: through arrays of the kernel's own, so that each loop writes to one memory only.

Such loops are vectors without a look at whether arrays overlap, and what is read is read before anything is written.
"""

from fastgrad.kernels.building.body import scalar_function
from fastgrad.kernels.functions.vector_math import sigmoid, tanh

BLOCK = 128  # units at a time


@scalar_function
def put(source, source_at, target, at, count):
    """Copies to memory."""
    for i in range(count):
        target[at + i] = source[source_at + i]


@scalar_function
def get(source, at, target, target_at, count):
    """Copies from memory."""
    for i in range(count):
        target[target_at + i] = source[at + i]


@scalar_function
def add(source, at, target, target_at, count):
    """Adds from memory."""
    for i in range(count):
        target[target_at + i] += source[at + i]


@scalar_function
def sigmoids(x, x_at, y, y_at, bias, bias_at, target, target_at, count):
    """Gates: sigmoids of sums."""
    for i in range(count):
        target[target_at + i] = sigmoid((x[x_at + i] + y[y_at + i]) + bias[bias_at + i])


@scalar_function
def tanhs(x, x_at, y, y_at, bias, bias_at, target, target_at, count):
    """Hyperbolic tangents of sums."""
    for i in range(count):
        target[target_at + i] = tanh((x[x_at + i] + y[y_at + i]) + bias[bias_at + i])
