"""Options, bonds, rates, credit and volatility surfaces of financepy: formulas, trees, simulations, interpolation and solvers."""

import numpy as np
from financepy.market.curves import interpolator
from financepy.models import (
    bdt_tree,
    bk_tree,
    black,
    black_scholes_analytic,
    black_scholes_mc,
    cir_montecarlo,
    equity_crr_tree,
    gauss_copula_lhp,
    heston,
    hw_tree,
    loss_dbn_builder,
    rates_ho_lee,
    sabr,
    sabr_shifted,
    vasicek_mc,
    volatility_fns,
)
from financepy.products.equity import equity_binomial_tree
from financepy.products.equity.equity_binomial_tree import EquityTreeExerciseTypes, EquityTreePayoffTypes
from financepy.utils import math

random = np.random.default_rng(0)
OPTION = 100.0, 0.75, 104.0, 0.03, 0.01, 0.24
CALL, PUT = 1, 2

for name in ("value", "delta", "gamma", "vega", "theta", "rho", "vanna"):
    for kind in (CALL, PUT):
        getattr(black_scholes_analytic, f"bs_{name}")(*OPTION, kind)
black_scholes_analytic.bs_intrinsic(*OPTION[:5], CALL)
black_scholes_analytic.bs_implied_volatility(*OPTION[:5], 6.7, CALL)
black_scholes_analytic.bjerksund_stensland_value(*OPTION, PUT)
for sign in (1, -1):
    black_scholes_analytic.baw_value(*OPTION, sign)
black.calculate_d1_d2(0.04, 0.75, 0.045, 0.3)
black_scholes_mc._value_mc_numpy_numba(*OPTION[:3], CALL, *OPTION[3:], 200, 7, 0)
black_scholes_mc._value_mc_numba_only(*OPTION[:3], CALL, *OPTION[3:], 200, 7, 0)
equity_crr_tree.crr_tree_val(100.0, 0.03, 0.01, 0.24, 12, 0.75, 4, 104.0, 1)
american = EquityTreePayoffTypes.VANILLA_OPTION, EquityTreeExerciseTypes.AMERICAN, np.array([1.0, 104.0])
equity_binomial_tree._value_once(100.0, 0.03, 0.01, 0.24, 12, 0.75, *american)

for module, parameters in ((sabr, (0.04, 0.5, -0.3, 0.4)), (sabr_shifted, (0.04, 0.5, -0.3, 0.4, 0.01))):
    name = "vol_function_sabr" if module is sabr else "vol_function_shifted_sabr"
    getattr(module, name)(np.array(parameters), 0.04, 0.045, 0.75)
sabr.vol_function_sabr_beta_one(np.array([0.2, -0.3, 0.4]), 0.04, 0.045, 0.75)
sabr.vol_function_sabr_beta_half(np.array([0.04, -0.3, 0.4]), 0.04, 0.045, 0.75)
volatility_fns.vol_function_clark(np.array([0.2, 0.1, 0.05]), 100.0, 104.0, 0.75)
volatility_fns.vol_function_bloomberg(np.array([0.2, 0.1, 0.05]), 100.0, 104.0, 0.75)
volatility_fns.vol_function_svi(np.array([0.04, 0.1, -0.3, 0.02, 0.2]), 100.0, 104.0, 0.75)
volatility_fns.vol_function_ssvi(np.array([0.4, 0.2, -0.3]), 100.0, 104.0, 0.75)
for name in ("ssvi", "ssvi1", "ssvi2", "ssvit", "g", "dminus", "density_ssvi", "ssvi_local_varg"):
    getattr(volatility_fns, name)(0.1, 0.4, 0.2, -0.3, 0.75)

heston.get_paths(100.0, 0.03, 0.01, 0.05, 2.1, 0.04, 0.3, -0.4, 0.5, 0.1, 6, 7, 1)
for module in (cir_montecarlo, vasicek_mc):
    scheme = (1,) if module is cir_montecarlo else ()
    module.meanr(0.03, 0.4, 0.05, 2.0)
    module.variancer(*((0.03, 0.4, 0.05, 0.1) if scheme else (0.4, 0.1)), 2.0)
    module.zero_price(0.03, 0.4, 0.05, 0.1, 2.0)
    module.rate_path_mc(0.03, 0.4, 0.05, 0.1, 1.0, 0.1, 7, *scheme)
    module.zero_price_mc(0.03, 0.4, 0.05, 0.1, 1.0, 0.1, 8, 7, *scheme)
rates_ho_lee.p_fast(0.5, 2.0, 0.03, 0.01, 0.98, 0.979, 0.94, 0.01)

YEARS = np.linspace(0.0, 5.0, 6)
DISCOUNTS = np.exp(-0.03 * YEARS - 0.001 * YEARS**2)
times = np.linspace(0.0, 3.0, 7)
curve = np.interp(times, YEARS, DISCOUNTS)
coupon_times, coupons = np.array([0.5, 1.0, 1.5, 2.0]), np.full(4, 0.025)
calls = np.array([1.0, 1.5]), np.array([101.0, 100.5]), np.array([1.0, 1.5]), np.array([99.0, 99.2])
branches = hw_tree.build_tree_fast(0.1, 0.01, times, 5, curve)[:6]
option = 1.0, 2.0, 100.0, 100.0, coupon_times, coupons
hw_tree.american_bond_option_tree_fast(1.0, *option[2:], 3, 0.01, 0.1, *branches, times, YEARS, DISCOUNTS)
hw_tree.p_fast(0.5, 2.0, 0.03, 0.01, 0.98, 0.979, 0.94, 0.01, 0.1)
branches = bk_tree.build_tree_fast(0.1, 0.2, times, 5, curve)[:6]
bk_tree.american_bond_option_tree_fast(*option, 3, YEARS, DISCOUNTS, times, *branches, 0.1)
bk_tree.callable_puttable_bond_tree_fast(
    coupon_times, coupons, *calls, 100.0, 0.2, 0.1, *branches, times, YEARS, DISCOUNTS
)
bdt_tree.build_tree_fast(0.2, times, 5, curve)

PROBABILITIES, RECOVERIES = np.array([0.95, 0.9, 0.97, 0.93]), np.full(4, 0.4)
gauss_copula_lhp.tr_surv_prob_lhp(0.03, 0.07, 4, PROBABILITIES, RECOVERIES, 0.5)
gauss_copula_lhp.portfolio_cdf_lhp(0.05, 4, PROBABILITIES, RECOVERIES, 0.5)
gauss_copula_lhp.exp_min_lk(0.05, 0.1, 0.4, 100.0, 0.5)
for name in ("lhp_density", "lhp_analytical_density", "prob_l_greater_than_k"):
    getattr(gauss_copula_lhp, name)(0.05, 0.1, 0.4, 0.5)
gauss_copula_lhp.lhp_analytical_density_base_corr(0.05, 0.1, 0.4, 0.5, 0.2)
loss_dbn_builder.indep_loss_dbn_hetero_adj_binomial(4, 1.0 - PROBABILITIES, np.ones(4))
loss_dbn_builder.indep_loss_dbn_recursion_gcd(4, 1.0 - PROBABILITIES, np.array([1.0, 2.0, 1.0, 1.0]))

for method in (1, 2, 4):
    interpolator._uinterpolate(1.7, YEARS, DISCOUNTS, method)
    interpolator._vinterpolate(np.array([0.4, 2.6]), YEARS, DISCOUNTS, method)

math.accrued_interpolator(0.7, coupon_times, coupons)
math.scale(coupon_times, 1.3)
math.maximum(coupon_times, np.full(4, 1.2))
math.maxaxis(random.normal(size=(3, 4)))
math.minaxis(random.normal(size=(3, 4)))
math.covar(random.normal(size=6), random.normal(size=6))
for name in ("heaviside", "normcdf_prime", "normpdf", "normcdf", "normcdf_vect", "normcdf_integrate", "normcdf_slow"):
    getattr(math, name)(0.37)
math.norminvcdf(0.37)
math.phi3(0.2, -0.1, 0.4, 0.3, 0.2, 0.1)
math.M(0.2, -0.4, 0.3)
math.cholesky(np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]]))
math.corr_matrix_generator(0.3, 3)
band = random.normal(size=(5, 3)) + np.array([0.0, 4.0, 0.0])
math.band_matrix_multiplication(band, 1, 1, random.normal(size=5))
math.solve_tridiagonal_matrix(band, random.normal(size=5))
math.transpose_tridiagonal_matrix(band)
