"""A model of consumption of HARK that Numba solves, its interpolation, transition matrices and crossings of value functions."""

import numpy as np
from HARK import SSJutils, dcegm, interpolation, mat_methods, numba_tools, simulator, utilities
from HARK.ConsumptionSaving.ConsIndShockModelFast import PerfForesightConsumerTypeFast
from numba.typed import List

random = np.random.default_rng(0)
GRID = np.array([0.0, 0.4, 1.1, 2.3, 4.0])
VALUES = np.sqrt(GRID + 0.3)
SLOPES = 0.5 / VALUES
POINTS = np.array([0.21, 0.97, 1.63, 3.1, 5.2])
PROBABILITIES = np.array([0.1, 0.3, 0.25, 0.2, 0.15])

PerfForesightConsumerTypeFast(verbose=0).solve()

for name in ("", "P", "PP", "_inv", "P_inv", "_invP", "P_invP"):
    getattr(numba_tools, f"CRRAutility{name}")(-0.7 if name in ("_inv", "_invP") else 0.7, 2.3)
for interpolate in (numba_tools.linear_interp_fast, numba_tools.linear_interp_deriv_fast):
    interpolate(POINTS, GRID, VALUES)
    interpolate(POINTS, GRID, VALUES, 0.6, 0.3, True)
numba_tools.cubic_interp_fast(POINTS, GRID, VALUES, SLOPES)
numba_tools.cubic_interp_fast(POINTS, GRID, VALUES, SLOPES, 0.6, 0.1, True)

rows, columns = np.meshgrid(np.arange(4.0), np.arange(4.0), indexing="ij")
x_values, y_values = rows + 0.1 * columns + 0.07 * rows * columns, columns + 0.2 * rows + 0.04 * rows * columns
x_query, y_query = np.array([0.7, 1.9, 2.4]), np.array([0.9, 1.3, 2.1])
x_position, y_position = interpolation.find_sector_numba(x_query, y_query, x_values, y_values)
polarity = np.ones((3, 3))
interpolation.find_coords_numba(x_query, y_query, x_position, y_position, x_values, y_values, polarity)

grids = List([GRID, np.array([0.0, 1.0, 2.5, 6.0])])
mat_methods.mass_to_grid(np.column_stack([POINTS, POINTS[::-1]]), PROBABILITIES, grids)
utilities.jump_to_grid_1D(POINTS, PROBABILITIES, GRID)
utilities.jump_to_grid_2D(POINTS, 0.4 + 0.3 * POINTS, PROBABILITIES, GRID, GRID[1:])
shocks = (np.array([0.3, 0.7]), np.array([0.9, 1.05]), np.array([0.8, 1.1]))
utilities.gen_tran_matrix_1D(GRID, 0.6 * GRID, *shocks, 0.98, PROBABILITIES)
newborns = np.outer(PROBABILITIES, [0.2, 0.5, 0.3]).ravel()
utilities.gen_tran_matrix_2D(GRID, GRID[1:4], 0.6 * GRID, *shocks, 0.98, newborns)

origins = np.array([0, 1, 1, 0, 2])
for name in ("polynomial", "exponential", "custom"):
    spacing = {"polynomial": (2.0,), "exponential": (2,), "custom": ()}[name]
    steps = np.linspace(0.0, 1.0, 6)
    top = np.log1p(np.log1p(4.0))
    grid = {"polynomial": 4.0 * steps**2, "exponential": np.expm1(np.expm1(top * steps)), "custom": GRID}[name]
    for end in ("", "_alt"):
        aggregate = getattr(simulator, f"aggregate_blobs_onto_{name}_grid{end}")
        aggregate(POINTS, PROBABILITIES, origins, grid, 3, *spacing)
simulator.aggregate_blobs_onto_discrete_grid(np.array([0, 2, 1, 1, 0]), PROBABILITIES, origins, 3, 3)
shares = random.uniform(size=(5, 2))
binary, offset = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 2, 3])
weights = np.stack([1.0 - shares, shares], axis=2)
simulator.calc_overall_trans_probs(np.zeros((3, 8)), np.arange(5) % 4, weights, binary, offset, PROBABILITIES, origins)

transitions, long_run = random.dirichlet(np.ones(4), size=(3, 4)), random.dirichlet(np.ones(4), size=4)
distribution = np.array([0.4, 0.3, 0.2, 0.1])
news = SSJutils.calc_derivs_of_state_dstns(3, 2, transitions, long_run, distribution)
outcomes = random.uniform(size=(3, 4, 3))
SSJutils.calc_derivs_of_policy_funcs(3, outcomes, outcomes[0] * 0.9, np.array([0.1, 0.8, 1.7]), distribution)
SSJutils.make_fake_news_matrices(3, 2, random.normal(size=(3, 2)), news, long_run, random.normal(size=(2, 4)))
SSJutils.update_FN_mats(np.zeros((2, 4, 4, 4)), random.normal(size=(4, 2, 5)), random.normal(size=5), 4, 1, 2)

dcegm.calc_linear_crossing(np.array([0.2, 1.4]), np.array([0.3, 0.9]), np.array([0.8, 0.1]))
conditional = np.array([[0.1, 0.5, 0.9, 1.2, 1.4], [0.3, 0.4, 0.7, 1.3, 2.0]])
dcegm.calc_cross_points(GRID, conditional.T.copy(), np.array([1, 0, 0, 1, 1]))
dcegm.calc_nondecreasing_segments(np.array([0.1, 0.5, 0.4, 0.7, 1.0]), np.array([0.2, 0.4, 0.3, 0.6, 0.8]))
