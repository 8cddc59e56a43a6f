"""The masses of planets, fitted to where they are seen: Adam steps along the gradient of a simulation in Numba.

python examples/nbody_masses.py
"""

import numba
import numpy as np

import fastgrad as tf

STEPS, STEP = 150, 0.02
TRUTH = np.array([1.0, 0.03, 0.05])
"""The masses of the sun and two planets."""


@numba.njit
def accelerations(positions, masses):
    result = np.zeros_like(positions)
    for i in range(len(masses)):
        for j in range(len(masses)):
            if i != j:
                x, y = positions[j, 0] - positions[i, 0], positions[j, 1] - positions[i, 1]
                pull = masses[j] / (x * x + y * y) ** 1.5
                result[i, 0] += pull * x
                result[i, 1] += pull * y
    return result


@numba.njit
def simulate(masses, positions, velocities):
    """The positions after each step of the leapfrog method."""
    positions, velocities = positions.copy(), velocities.copy()
    path = np.empty((STEPS, *positions.shape))
    for step in range(STEPS):
        velocities += 0.5 * STEP * accelerations(positions, masses)
        positions += STEP * velocities
        velocities += 0.5 * STEP * accelerations(positions, masses)
        path[step] = positions
    return path


@numba.njit
def loss(logarithms, positions, velocities, observed):
    return np.mean((simulate(np.exp(logarithms), positions, velocities) - observed) ** 2)


def main(steps=200):
    positions = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.6]])
    velocities = np.array([[0.0, 0.0], [0.0, 1.0], [-0.8, 0.0]])
    noise = np.random.default_rng(0).normal(scale=1e-3, size=(STEPS, 3, 2))
    observed = simulate(TRUTH, positions, velocities) + noise
    value_and_gradient = tf.value_and_grad(loss)
    logarithms = tf.Variable(np.log([0.9, 0.02, 0.02]))
    optimizer = tf.optimizers.Adam(0.02)
    losses = []
    for _ in range(steps):
        value, gradient = value_and_gradient(logarithms.numpy(), positions, velocities, observed)
        optimizer.apply_gradients([(gradient, logarithms)])
        losses.append(value)
    masses = np.exp(logarithms.numpy())
    print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, masses {masses.round(4)}, true {TRUTH}")
    return losses, masses


if __name__ == "__main__":
    main()
