"""Prices, implied volatilities and greeks of options by py_vollib_vectorized."""

import numpy as np
import py_vollib_vectorized as vollib

FLAGS, F, K = ["c", "p"], np.array([95.0, 102.0]), np.array([100.0, 90.0])
T, R, SIGMA, Q = 0.2, 0.05, 0.25, 0.01
black = vollib.vectorized_black(FLAGS, F, K, T, R, SIGMA, return_as="numpy")
prices = vollib.vectorized_black_scholes(FLAGS, F, K, T, R, SIGMA, return_as="numpy")
vollib.vectorized_black_scholes_merton(FLAGS, F, K, T, R, SIGMA, Q, return_as="numpy")
vollib.vectorized_implied_volatility(prices, F, K, T, R, FLAGS, return_as="numpy")
vollib.vectorized_implied_volatility_black(black, F, K, R, T, FLAGS, return_as="numpy")
for model, dividend in (("black", None), ("black_scholes", None), ("black_scholes_merton", Q)):
    vollib.get_all_greeks(FLAGS, F, K, T, R, SIGMA, dividend, model=model, return_as="dict")
