"""Entropies and fractal dimensions of time series by antropy."""

import antropy
import numpy as np

SERIES = np.random.default_rng(0).normal(size=80).cumsum()
antropy.sample_entropy(SERIES)
antropy.higuchi_fd(SERIES, kmax=5)
antropy.detrended_fluctuation(SERIES)
antropy.petrosian_fd(SERIES)
antropy.lziv_complexity(SERIES.mean() < SERIES)
