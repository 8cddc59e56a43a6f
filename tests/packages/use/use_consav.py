"""Interpolation in one to five dimensions, searches and an upper envelope of consav, for models of consumption."""

import numpy as np
from consav import (
    golden_section_search,
    linear_interp_1d,
    linear_interp_2d,
    linear_interp_3d,
    linear_interp_4d,
    linear_interp_5d,
    newton_raphson,
    upperenvelope,
)
from consav.grids import nonlinspace_jit
from numba import njit

random = np.random.default_rng(0)
GRID, POINTS = nonlinspace_jit(0.0, 2.0, 4, 1.3), np.array([0.21, 0.97, 1.63])
TABLES = [random.normal(size=(4,) * dimensions) for dimensions in range(6)]
modules = {
    1: linear_interp_1d,
    2: linear_interp_2d,
    3: linear_interp_3d,
    4: linear_interp_4d,
    5: linear_interp_5d,
}
for dimensions, module in modules.items():
    grids, table, point = [GRID] * dimensions, TABLES[dimensions], [0.37, 1.21, 0.83, 1.57, 0.61][:dimensions]
    getattr(module, f"interp_{dimensions}d")(*grids, table, *point)
    if dimensions <= 3:
        vectors = [POINTS] * dimensions
        getattr(module, f"interp_{dimensions}d_vec")(*grids, table, *vectors, np.zeros(3))
linear_interp_1d.interp_1d_vec_mon_noprep(GRID, TABLES[1], POINTS, np.zeros(3))
prepared = linear_interp_1d.interp_1d_prep(3)
linear_interp_1d.interp_1d_vec_mon(prepared, GRID, TABLES[1], POINTS, np.zeros(3))
linear_interp_1d.interp_1d_vec_mon_rep(prepared, GRID, TABLES[1], POINTS, np.zeros(3))
prepared = linear_interp_2d.interp_2d_prep(GRID, 0.37, 3)
for name in ("", "_mon", "_mon_rep"):
    function = getattr(linear_interp_2d, f"interp_2d_only_last_vec{name}")
    function(prepared, GRID, GRID, TABLES[2], 0.37, POINTS, np.zeros(3))
prepared = linear_interp_3d.interp_3d_prep(GRID, GRID, 0.37, 1.21, 3)
linear_interp_3d.interp_3d_only_last(prepared, GRID, GRID, GRID, TABLES[3], 0.37, 1.21, 0.83)
for name in ("", "_mon", "_mon_rep"):
    function = getattr(linear_interp_3d, f"interp_3d_only_last_vec{name}")
    function(prepared, GRID, GRID, GRID, TABLES[3], 0.37, 1.21, POINTS, np.zeros(3))


@njit
def loss(x, center):
    """A smooth function with a minimum near ``center``."""
    return np.exp(x - center) - (x - center)


@njit
def loss_of_vector(x, center):
    """The sum of such functions, and a product."""
    return np.sum(np.cosh(x - center)) + 0.1 * x[0] * x[1]


@njit
def utility(consumption, rho):
    """The utility of consumption with constant relative risk aversion."""
    return consumption ** (1.0 - rho) / (1.0 - rho)


golden_section_search.optimizer(loss, -1.0, 2.0, args=(0.3,), tol=1e-4)
newton_raphson.optimizer(loss_of_vector, np.array([0.4, -0.2]), args=(0.3,))
assets = np.array([0.1, 0.6, 1.1, 1.9])
consumption = np.array([0.52, 0.71, 0.88, 1.13])
envelope = upperenvelope.create(utility)
envelope(
    assets,
    assets + consumption,
    consumption,
    np.array([-2.1, -1.4, -1.0, -0.7]),
    np.array([0.4, 0.9, 1.7, 2.6]),
    np.zeros(4),
    np.zeros(4),
    2.3,
)
