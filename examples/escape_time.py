"""Gradients through an iteration: points move to the border of the Mandelbrot set by the slope of its potential.

A loop that ends at a different trip for each point is compiled by Numba, with the derivative carried along; `custom_gradient`
makes an operation of both.
"""

import numba
import numpy as np

import fastgrad as fg

TRIPS = 200


@fg.kernel("(),()->(),(),()")
@numba.njit
def iterate(x, y, potential, slope_x, slope_y):
    """log |z| / 2^n where z leaves the set, 0 inside; and its derivatives with respect to the point (x, y)."""
    c = complex(x, y)
    z, dz = 0j, 0j
    for trip in range(TRIPS):
        dz = 2.0 * z * dz + 1.0
        z = z * z + c
        if abs(z) > 1e3:
            scale = 0.5**trip
            potential[0] = np.log(abs(z)) * scale
            slope = scale * dz / z  # d log |z| = Re(dz / z)
            slope_x[0] = slope.real
            slope_y[0] = -slope.imag
            break


@fg.custom_gradient
def potential(x, y):
    value, slope_x, slope_y = iterate(x, y)
    return value, lambda g: (g * slope_x, g * slope_y)


@fg.function
def step(points):
    """Moves each point outside the set by Newton's method to where the potential is a thousandth."""
    x, y = points[:, 0], points[:, 1]
    with fg.GradientTape() as tape:
        tape.watch([x, y])
        value = potential(x, y)
    slope = fg.stack(tape.gradient(value, [x, y]), 1)
    square = fg.reduce_sum(fg.square(slope), 1, keepdims=True)
    far = fg.expand_dims(value, 1) - 1e-3
    move = fg.where(square > 0, far * slope / fg.maximum(square, 1e-12), 0.0)
    return points - fg.clip_by_norm(move, 0.05, axes=[1]), value


def main(count=2000, steps=100):
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = fg.constant(np.stack([2 * np.cos(angles), 2 * np.sin(angles)], 1))
    for number in range(steps):
        points, value = step(points)
        if number % 25 == 24:
            print(f"step {number + 1}: the potential is {float(fg.reduce_max(value)):.4f} at most")
    found = points.numpy()
    area = 0.5 * abs(np.sum(found[:, 0] * np.roll(found[:, 1], -1) - found[:, 1] * np.roll(found[:, 0], -1)))
    print(f"the curve of potential 0.001 has an area of {area:.3f}; the set itself one of 1.507")
    return area, value.numpy(), step


if __name__ == "__main__":
    main()
