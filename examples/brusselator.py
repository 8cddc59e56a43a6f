"""Waves of a chemical reaction: a stiff solver of SciPy, with finite differences and with a derived Jacobian matrix.

python examples/brusselator.py [--output build]

The Brusselator on a line of 40 points has 80 states. Radau's method asks for the matrix of derivatives of their rates.
"""

import argparse
import time
from pathlib import Path

import numba
import numpy as np
from scipy.integrate import solve_ivp

import fastgrad as fg

POINTS = 40
SECONDS = 10.0
A, B, DIFFUSION = 1.0, 3.0, 0.02


@numba.njit
def rate(_, state):
    """The rates of both concentrations at all points: reaction, and diffusion from the neighbours."""
    count = len(state) // 2
    result = np.empty(len(state))
    scale = DIFFUSION * (count + 1) ** 2
    for i in range(count):
        u, v = state[2 * i], state[2 * i + 1]
        u_left, v_left = (state[2 * i - 2], state[2 * i - 1]) if i > 0 else (A, B / A)
        u_right, v_right = (state[2 * i + 2], state[2 * i + 3]) if i < count - 1 else (A, B / A)
        result[2 * i] = A + u * u * v - (B + 1.0) * u + scale * (u_left - 2.0 * u + u_right)
        result[2 * i + 1] = B * u - u * u * v + scale * (v_left - 2.0 * v + v_right)
    return result


def make_start(count=POINTS):
    x = np.arange(1, count + 1) / (count + 1)
    return np.stack([1.0 + np.sin(2 * np.pi * x), np.full(count, 3.0)], 1).reshape(-1)


def integrate(name, start, jacobian):
    began = time.perf_counter()
    times = np.linspace(0, SECONDS, 200)
    path = solve_ivp(rate, (0.0, SECONDS), start, method="Radau", jac=jacobian, t_eval=times, rtol=1e-7, atol=1e-9)
    seconds = time.perf_counter() - began
    # SciPy's count leaves out the calls for finite differences: about one for each state and matrix.
    calls = path.nfev + (path.njev * start.size if jacobian is None else 0)
    print(f"{name}: {1e3 * seconds:.1f} ms, {path.njev} matrices, {calls} calls of the rates")
    return path


def draw(path, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(path.y[::2], aspect="auto", origin="lower", extent=(0, SECONDS, 0, 1))
    axes.set(xlabel="time", ylabel="place", title="first concentration")
    figure.colorbar(picture)
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder for the picture")
    options = parser.parse_args(arguments)
    start = make_start()
    jacobian = fg.jacobian(rate, argnums=1)
    jacobian(0.0, start), rate(0.0, start)  # compiled here; the matrix is loaded if it was compiled before
    found = {
        "differences": integrate("finite differences", start, None),
        "jacobian": integrate("derived Jacobian matrix", start, jacobian),
    }
    gap = np.abs(found["differences"].y - found["jacobian"].y).max()
    print(f"the two paths differ by {gap:.1e} at most")
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "brusselator.png"
    draw(found["jacobian"], file)
    print(f"drawn: {file}")
    return found, gap


if __name__ == "__main__":
    main()
