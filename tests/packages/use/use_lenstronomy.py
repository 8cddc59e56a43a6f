"""Gravitational lenses with elliptical power laws, and convolutions with a mask, by lenstronomy."""

import numpy as np
from lenstronomy.ImSim.Numerics.numba_convolution import NumbaConvolution, SubgridNumbaConvolution
from lenstronomy.LensModel.Profiles.epl_numba import EPL_numba
from lenstronomy.LensModel.Solver.epl_shear_solver import caustics_epl_shear, solve_lenseq_pemd
from lenstronomy.Util import param_util, util

random = np.random.default_rng(0)
X, Y = np.array([0.7, -0.4, 1.1]), np.array([0.3, 0.9, -0.8])
PROFILE = {"theta_E": 1.2, "gamma": 1.9, "e1": 0.08, "e2": -0.05, "center_x": 0.02, "center_y": -0.01}
profile = EPL_numba()
for method in (profile.function, profile.derivatives, profile.hessian):
    method(X, Y, **PROFILE)
    method(X[0], Y[0], **PROFILE)
LENS = [PROFILE, {"gamma1": 0.03, "gamma2": -0.02, "ra_0": 0.02, "dec_0": -0.01}]
solve_lenseq_pemd(np.array([0.05, 0.08]), LENS)
caustics_epl_shear(LENS, num_th=6)
param_util.phi_q2_ellipticity(0.7, 0.8)
param_util.ellipticity2phi_q(0.08, -0.05)
util.rotate(X, Y, 0.4)
mask = random.uniform(size=(6, 6)) > 0.2
NumbaConvolution(random.uniform(0.1, 1.0, size=(3, 3)), mask).convolve2d(random.normal(size=(6, 6)))
subgrid = SubgridNumbaConvolution(random.uniform(0.1, 1.0, size=(5, 5)), 2, mask)
subgrid.convolve2d(random.normal(size=(12, 12)))
