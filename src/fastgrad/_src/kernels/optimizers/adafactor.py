"""Adafactor's update (Shazeer and Stern, 2018), in the form of Keras 3 (keras.optimizers.Adafactor).

The update of a variable is one kernel call, since it takes means over the whole variable. `rate` is the relative step
size before it is multiplied by the root mean square of the weights; `beta_2` is the decay rate of this step.
"""

import math

from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least

FLOATS = ("float32", "float64")
PARTIAL_SUM_COUNT = 256


@scalar_function
def clear_partial_sums(sums):
    """Sets the partial sums to 0."""
    for j in range(PARTIAL_SUM_COUNT):
        sums[j] = 0.0
    return 0


@scalar_function
def total_of_partial_sums(sums):
    """Returns the sum of the partial sums, in a fixed order."""
    result = 0.0
    for j in range(PARTIAL_SUM_COUNT):
        result += sums[j]
    return result


@scalar_function
def add_squares_to_partial_sums(x, first, count, sums):
    """Adds the squares of `count` elements of x to the partial sums."""
    for start in range(first, first + count, PARTIAL_SUM_COUNT):
        for j in range(least(PARTIAL_SUM_COUNT, first + count - start)):
            element = float64(x[start + j])
            sums[j] += element * element
    return 0


@scalar_function
def decay_all(p, count, decay):
    """p -= p * decay."""
    if decay != 0.0:
        for i in range(count):
            p[i] -= p[i] * T(decay)
    return 0


@scalar_function
def step_size(p, count, rate, epsilon_2, sums):
    """Returns the rate times the root mean square of the weights, which is at least epsilon_2."""
    clear_partial_sums(sums)
    add_squares_to_partial_sums(p, 0, count, sums)
    size = math.sqrt(total_of_partial_sums(sums) / count)
    return rate * (epsilon_2 if size < epsilon_2 else size)


@scalar_function
def clipping_divisor(square_sum, count, clip_threshold):
    """Returns the divisor of the step that makes its root mean square at most the threshold."""
    size = math.sqrt(square_sum / count) / clip_threshold
    return 1.0 if size < 1.0 else size


@kernel(
    "p: inout[T], r: inout[T], c: inout[T], v: inout[T], g: in[T], matrices: int, rows: int, columns: int, rate: float, "
    "beta_2: float, epsilon_1: float, epsilon_2: float, clip_threshold: float, decay: float",
    T=FLOATS,
)
def adafactor_matrix(p, r, c, v, g, matrices, rows, columns, rate, beta_2, epsilon_1, epsilon_2, clip_threshold, decay):
    """Updates weights of rank 2 or more, with the means of the gradient's squares over rows (`r`) and columns (`c`)."""
    sums = local_array(float64, 256)
    count = matrices * rows * columns
    decay_all(p, count, decay)
    alpha = step_size(p, count, rate, epsilon_2, sums)
    for k in range(matrices * rows):
        clear_partial_sums(sums)
        add_squares_to_partial_sums(g, k * columns, columns, sums)
        r[k] = T(beta_2) * r[k] + T(1.0 - beta_2) * T(total_of_partial_sums(sums) / columns + epsilon_1)
    for k in range(matrices):
        for start in range(0, columns, PARTIAL_SUM_COUNT):
            here = least(PARTIAL_SUM_COUNT, columns - start)
            clear_partial_sums(sums)
            for i in range(rows):
                at = (k * rows + i) * columns + start
                for j in range(here):
                    element = float64(g[at + j])
                    sums[j] += element * element
            at = k * columns + start
            for j in range(here):
                c[at + j] = T(beta_2) * c[at + j] + T(1.0 - beta_2) * T(sums[j] / rows + epsilon_1)
    clear_partial_sums(sums)
    for k in range(matrices):
        mean = 0.0
        for i in range(rows):
            mean += r[k * rows + i]
        mean /= rows
        for i in range(rows):
            at = (k * rows + i) * columns
            factor = T(r[k * rows + i] / mean)
            for start in range(0, columns, PARTIAL_SUM_COUNT):
                for j in range(least(PARTIAL_SUM_COUNT, columns - start)):
                    moment = factor * c[k * columns + start + j]
                    v[at + start + j] = moment
                    step = float64(g[at + start + j] / math.sqrt(moment))
                    sums[j] += step * step
    alpha = T(alpha / clipping_divisor(total_of_partial_sums(sums), count, clip_threshold))
    for i in range(count):
        p[i] -= alpha * (g[i] / math.sqrt(v[i]))


@kernel(
    "p: inout[T], v: inout[T], g: in[T], count: int, rate: float, beta_2: float, epsilon_1: float, epsilon_2: float, "
    "clip_threshold: float, decay: float",
    T=FLOATS,
)
def adafactor_vector(p, v, g, count, rate, beta_2, epsilon_1, epsilon_2, clip_threshold, decay):
    """Updates weights of rank 0 or 1."""
    sums = local_array(float64, 256)
    decay_all(p, count, decay)
    alpha = step_size(p, count, rate, epsilon_2, sums)
    clear_partial_sums(sums)
    for start in range(0, count, PARTIAL_SUM_COUNT):
        for j in range(least(PARTIAL_SUM_COUNT, count - start)):
            i = start + j
            moment = T(beta_2) * v[i] + T(1.0 - beta_2) * (g[i] * g[i] + T(epsilon_1))
            v[i] = moment
            step = float64(g[i] / math.sqrt(moment))
            sums[j] += step * step
    alpha = T(alpha / clipping_divisor(total_of_partial_sums(sums), count, clip_threshold))
    for i in range(count):
        p[i] -= alpha * (g[i] / math.sqrt(v[i]))
