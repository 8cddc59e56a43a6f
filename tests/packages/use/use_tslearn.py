"""Distances and barycenters of time series by tslearn."""

import numpy as np
from tslearn import barycenters, metrics

random = np.random.default_rng(0)
FIRST, SECOND = random.normal(size=(6, 2)), random.normal(size=(5, 2))
metrics.dtw(FIRST, SECOND)
metrics.dtw_path(FIRST, SECOND, global_constraint="sakoe_chiba", sakoe_chiba_radius=2)
metrics.dtw(FIRST, SECOND, global_constraint="itakura", itakura_max_slope=2.0)
metrics.dtw_limited_warping_length(FIRST, SECOND, 8)
metrics.dtw_subsequence_path(FIRST[:3], SECOND)
metrics.soft_dtw(FIRST, SECOND, gamma=0.5)
metrics.cdist_soft_dtw(random.normal(size=(2, 4, 1)), random.normal(size=(2, 4, 1)))
metrics.SoftDTW(metrics.SquaredEuclidean(FIRST, SECOND).compute(), gamma=0.7).grad()
metrics.gak(FIRST, SECOND, sigma=2.0)
metrics.lcss(FIRST, SECOND, eps=0.7)
metrics.ctw(FIRST, SECOND)
metrics.frechet(FIRST, SECOND)
metrics.lb_keogh(FIRST[:, 0], FIRST[::-1, 0].copy(), radius=1)
barycenters.softdtw_barycenter(random.normal(size=(3, 5, 1)), max_iter=2)
barycenters.dtw_barycenter_averaging_subgradient(random.normal(size=(3, 5, 1)), max_iter=2)
