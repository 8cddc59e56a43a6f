"""Internal coordinates, distances, distributions and Lennard-Jones energies of chilife."""

import numpy as np
from chilife import numba_utils, scoring

random = np.random.default_rng(0)
DISTANCES = np.array([[2.1, 3.2, 3.9, 5.5, 11.0], [2.6, 3.4, 4.4, 6.1, 8.0]])
RADII, DEPTHS = np.array([3.3, 3.6, 3.5, 3.8, 3.4]), np.array([0.11, 0.08, 0.2, 0.15, 0.09])
DOMAIN = np.linspace(15.0, 80.0, 32)

for energy in (scoring.get_lj_energy, scoring.get_lj_scwrl, scoring.get_lj_rep):
    energy(DISTANCES, RADII, DEPTHS)
    energy(DISTANCES, RADII, DEPTHS, 0.95)

bonded = np.array([[-1, -1, -1], [0, -1, -1], [1, 0, -1], [2, 1, 0], [3, 2, 1], [3, 2, 1], [4, 3, 2]])
internal = np.column_stack([random.uniform(1.3, 1.6, 7), random.uniform(1.8, 2.1, 7), random.uniform(-3.0, 3.0, 7)])
numba_utils._ic_to_cart(bonded, internal)
numba_utils.batch_ic2cart(bonded, np.stack([internal, internal + random.normal(size=internal.shape) * 0.05]))

coordinates, others = random.normal(size=(4, 3)), 2.0 + random.normal(size=(5, 3))
numba_utils.pairwise_dist(coordinates, others)
numba_utils.get_sasa(2.0 * coordinates, np.array([1.7, 1.55, 1.52, 1.8]), others, np.full(5, 1.6), npoints=32)

first, second = numba_utils.normdist(0.5, 4.0, 1.1)[1], numba_utils.normdist(0.5, 4.2, 1.1)[1]
numba_utils.jaccard(first, second)
numba_utils.kl_divergence(first, second)
numba_utils.get_delta_r(DOMAIN)
numba_utils.compute_bin(37.3, DOMAIN)
numba_utils.histogram(random.normal(45.0, 8.0, 12), random.uniform(size=12), DOMAIN)
numba_utils.dirichlet(np.array([0.7, 1.2, 2.5]))
