"""Where are 30 sensors? SciPy fits their places to distances, with finite differences and with a derived Jacobian matrix.

python examples/sensor_network.py [--output build]
"""

import argparse
import time
from pathlib import Path

import numba
import numpy as np
from scipy.optimize import least_squares

import fastgrad as fg

ANCHORS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
NOISE = 0.01


@numba.njit
def residuals(places, pairs, distances):
    """The errors of the distances, with a loss that forgives outliers; numbers of sensors come after those of anchors."""
    errors = np.empty(len(pairs))
    for row in range(len(pairs)):
        first, second = pairs[row, 0], pairs[row, 1] - len(ANCHORS)
        square = 0.0
        for axis in range(2):
            start = ANCHORS[first, axis] if first < len(ANCHORS) else places[2 * (first - len(ANCHORS)) + axis]
            square += (start - places[2 * second + axis]) ** 2
        error = (np.sqrt(square) - distances[row]) / NOISE
        errors[row] = np.sign(error) * np.sqrt(2.0 * (np.sqrt(1.0 + error * error) - 1.0))
    return errors


def make_network(count=30, reach=0.45):
    """True places, the pairs of numbers within reach, and their measured distances."""
    random = np.random.default_rng(3)
    sensors = random.uniform(0.05, 0.95, (count, 2))
    points = np.concatenate([ANCHORS, sensors])
    first, second = np.triu_indices(len(points), 1)
    distances = np.linalg.norm(points[first] - points[second], axis=1)
    near = (distances < reach) & (second >= len(ANCHORS))
    distances = distances[near] + NOISE * random.standard_normal(near.sum())
    return sensors, np.stack([first, second], 1)[near], distances


def fit(name, start, data, jacobian):
    began = time.perf_counter()
    result = least_squares(residuals, start, jacobian, args=data, xtol=1e-12, ftol=1e-12, gtol=1e-10)
    seconds = time.perf_counter() - began
    # SciPy does not count the calls for finite differences: one for each parameter and matrix.
    calls = result.nfev + (result.njev * start.size if jacobian == "2-point" else 0)
    print(
        f"{name}: half the sum of squares {result.cost:.6f} in {1e3 * seconds:.1f} ms, "
        f"{result.njev} matrices, {calls} calls of the residuals"
    )
    return result


def draw(sensors, start, result, pairs, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    points = np.concatenate([ANCHORS, result.x.reshape(-1, 2)])
    for first, second in pairs:
        axes.plot(*points[[first, second]].T, color="0.85", zorder=0)
    axes.scatter(*ANCHORS.T, marker="s", label="anchors")
    axes.scatter(*start.reshape(-1, 2).T, marker=".", label="start")
    axes.scatter(*sensors.T, marker="o", facecolors="none", edgecolors="black", s=80, label="truth")
    axes.scatter(*result.x.reshape(-1, 2).T, marker="x", label="fit")
    axes.legend()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    sensors, *data = make_network()
    start = (sensors + 0.05 * np.random.default_rng(0).standard_normal(sensors.shape)).reshape(-1)
    jacobian = fg.jacobian(residuals)
    jacobian(start, *data), residuals(start, *data)  # compiled here; the matrix is loaded if it was compiled before
    found = {
        "differences": fit("finite differences", start, data, "2-point"),
        "jacobian": fit("derived Jacobian matrix", start, data, jacobian),
    }
    places = found["jacobian"].x.reshape(-1, 2)
    error = np.sqrt(np.mean((places - sensors) ** 2))
    print(f"{len(data[1])} distances with errors of {NOISE} give the places with errors of {error:.4f}")
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "sensor_network.png"
    draw(sensors, start, found["jacobian"], data[0], file)
    print(f"drawn: {file}")
    return found, error


if __name__ == "__main__":
    main()
