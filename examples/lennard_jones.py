"""A cluster of atoms at rest: SciPy minimises the energy of 27 atoms, with finite differences and with a derived gradient.

python examples/lennard_jones.py [--output build]
"""

import argparse
import time
from pathlib import Path

import numba
import numpy as np
from scipy.optimize import minimize

import fastgrad as fg


@numba.njit
def energy(positions):
    """The energy of Lennard and Jones of all pairs of atoms; ``positions`` are x, y, z of one atom after the other."""
    total = 0.0
    for i in range(len(positions) // 3):
        for j in range(i):
            square = 0.0
            for axis in range(3):
                square += (positions[3 * i + axis] - positions[3 * j + axis]) ** 2
            inverse = 1.0 / square**3
            total += 4.0 * (inverse * inverse - inverse)
    return total


def make_lattice(side=3, noise=0.05):
    """A cube of atoms, each a little off its place."""
    places = 1.15 * np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1)
    return places + noise * np.random.default_rng(0).standard_normal(places.size)


def relax(name, function, start, **options):
    """Minimises a function; returns SciPy's result, the energies on the way, and the seconds."""
    energies = []
    began = time.perf_counter()
    result = minimize(
        function,
        start,
        method="L-BFGS-B",
        callback=lambda x: energies.append(energy(x)),
        options={"maxiter": 2000, "maxfun": 10**6},
        **options,
    )
    seconds = time.perf_counter() - began
    print(
        f"{name}: energy {result.fun:.4f} in {1e3 * seconds:.1f} ms, {result.nit} steps, {result.nfev} calls of the energy"
    )
    return result, energies, seconds


def draw(found, start, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="3d")
    for name, (result, energies, seconds) in found.items():
        left.plot(
            energies,
            linewidth=5 if name == "differences" else 2,
            label=f"{name}: {result.nfev} calls, {1e3 * seconds:.0f} ms",
        )
    left.set(xlabel="step", ylabel="energy")
    left.legend()
    right.scatter(*start.reshape(-1, 3).T, label="start", alpha=0.4)
    right.scatter(*found["gradient"][0].x.reshape(-1, 3).T, label="at rest")
    right.legend()
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    start = make_lattice()
    both = fg.value_and_grad(energy)
    both(start), energy(start)  # compiled here; the gradient is loaded if it was compiled before
    found = {
        "differences": relax("finite differences", energy, start),
        "gradient": relax("derived gradient", both, start, jac=True),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "lennard_jones.png"
    draw(found, start, file)
    print(f"drawn: {file}")
    return {name: result for name, (result, _, _) in found.items()}


if __name__ == "__main__":
    main()
