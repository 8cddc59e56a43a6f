"""Prices of options of stochvolmodels under models of stochastic volatility: transforms, affine expansions, simulations and kernels of rough volatility."""

import numpy as np
from stochvolmodels.fitters import tdist
from stochvolmodels.pricers import gmm_pricer, heston_pricer, logsv_pricer
from stochvolmodels.pricers.logsv import affine_expansion
from stochvolmodels.pricers.rough_logsv import expm, split_simulation
from stochvolmodels.utils import funcs, mc_payoffs, mgf_pricer, rate_core

random = np.random.default_rng(0)
STRIKES, TYPES = np.array([0.93, 1.02, 1.11]), np.array(["P", "C", "C"])
HESTON = {"theta": 0.05, "kappa": 3.2, "rho": -0.4, "volvol": 0.6}
LOG_NORMAL = {"theta": 0.22, "kappa1": 3.1, "kappa2": 2.7, "beta": -0.3, "volvol": 0.8}

gmm = np.array([0.3, 0.7]), np.array([-0.1, 0.04]), np.array([0.25, 0.18])
gmm_pricer.compute_gmm_vanilla_price(*gmm, 0.5, 1.0, 1.04, "C", 0.98)
gmm_pricer.compute_gmm_vanilla_slice_prices(*gmm, 0.5, 1.0, STRIKES, TYPES, 0.98)

phi = mgf_pricer.get_phi_grid(True, 41, 0.2)
psi = np.zeros_like(phi)
mgf_pricer.get_transform_var_grid(vol_scaler=0.2, max_phi=41)
log_mgf, _, _ = heston_pricer.compute_heston_mgf_grid(0.06, 0.05, 3.2, 0.6, -0.4, 0.5, phi, psi)
mgf_pricer.vanilla_slice_pricer_with_mgf_grid(log_mgf, phi, 1.0, STRIKES, TYPES, 0.98)
mgf_pricer.digital_slice_pricer_with_mgf_grid(log_mgf, phi, 1.0, STRIKES, TYPES, 0.98)
mgf_pricer.pdf_with_mgf_grid(log_mgf, phi, np.linspace(-0.6, 0.6, 7), 0.02, 1.1)
psi_grid = (-0.5 + 1j * np.linspace(0.0, 20.0, 41)).astype(np.complex128)
mgf_pricer.slice_qvar_pricer_with_a_grid(log_mgf, psi_grid, 0.5, np.array([0.03, 0.05]), np.array(["C", "C"]), 0.05)
for is_simpson in (True, False):
    mgf_pricer.compute_integration_weights(phi, is_simpson)
chain = np.array([0.3, 0.6]), np.array([1.0, 1.01]), (STRIKES, STRIKES), (TYPES, TYPES), np.array([0.99, 0.98])
heston_pricer.heston_chain_pricer(0.06, 0.05, 3.2, 0.6, -0.4, *chain)

heston_pricer.simulate_heston_x_vol_terminal(0.1, np.zeros(1), np.full(1, 0.06), np.zeros(1), nb_path=4, **HESTON)
simulated = logsv_pricer.simulate_logsv_x_vol_terminal(
    0.1, np.zeros(1), np.full(1, 0.25), np.zeros(1), nb_path=4, **LOG_NORMAL
)
mc_payoffs.compute_mc_vars_payoff(*simulated, 0.1, 1.0, STRIKES, TYPES, 0.98)
draws = tuple(random.normal(size=(6, 5)) * np.sqrt(0.05) for _ in range(2))
logsv_pricer.simulate_logsv_x_vol_terminal(
    0.3, np.zeros(5), np.full(5, 0.25), np.zeros(5), nb_path=5, W0=draws[0], W1=draws[1], dt=0.05, **LOG_NORMAL
)
logsv_pricer.v0_implied(0.25, -0.3, 0.8, 0.22, 3.1, 0.3)
for order in affine_expansion.ExpansionOrder.FIRST, affine_expansion.ExpansionOrder.SECOND:
    affine_expansion.solve_analytic_ode_grid_phi(phi[:6], psi[:6], 0.2, *LOG_NORMAL.values(), True, None, order)
    terms = affine_expansion.func_a_ode_quadratic_terms(*LOG_NORMAL.values(), phi[3], psi[3], True, order)
    start = random.normal(size=affine_expansion.get_expansion_n(order)) * (0.1 + 0.2j)
    affine_expansion.func_rhs(0.1, start, *terms)
    affine_expansion.func_rhs_jac(0.1, start, *terms)
    affine_expansion.get_init_conditions_a(phi[:6], psi[:6], phi[:6] * 0.1, len(start))
affine_expansion.solve_analytic_ode_for_a0((0.0, 0.2), *LOG_NORMAL.values(), phi[3], psi[3])

nodes, weights, start = np.array([0.4, 1.7, 6.2]), np.array([0.5, 0.3, 0.4]), np.array([0.21, 0.25, 0.24])
for count in (1, 2, 3):
    batch = 0.3 + random.uniform(size=4), np.tile(nodes[:count], (4, 1)), np.tile(weights[:count], (4, 1))
    expm.batch_expA(*batch)
    expm.batch_invA(*batch)
expm._cubic_roots_monic(-1.2, 0.4, 0.7)
expm._ccbrt(0.3 + 0.8j)
expm._csqrt(0.3 + 0.8j)

paths = np.tile(start[:, None], (1, 4)) * random.uniform(0.9, 1.1, (3, 4))
split_simulation.drift_ode_solve(nodes, start, 0.22, 3.1, 2.7, paths[:, 0].copy(), weights, 0.02)
wide = [np.tile(values[:, None], (1, 4)) for values in (nodes, start, weights)]
for solve in ("drift_ode_solve2", "drift_ode_solve3"):
    getattr(split_simulation, solve)(wide[0], wide[1], 0.22, 3.1, 2.7, paths, wide[2], 0.02)
normals = random.normal(size=(2, 5, 4))
split_simulation.diffus_sde_solve_f64(paths, wide[2], 0.8, 0.02, 4, normals[0, 0])
rough = wide[0], wide[2], wide[1], 0.22, 3.1, 2.7, 0.0, paths, -0.4, 0.8, np.linspace(0.0, 0.1, 6), 4, *normals
split_simulation.log_spot_full_combined_f64(*rough)
single = [value.astype(np.float32) if isinstance(value, np.ndarray) else value for value in rough]
split_simulation.log_spot_full_combined_f32(*single)

funcs.erfcc(0.7)
funcs.ncdf(STRIKES)
funcs.npdf(STRIKES, 0.9, 0.3)
tdist.compute_upsilon(0.3, 0.5, 4.5)
rate_core.G(0.7, 0.2, 1.4)
