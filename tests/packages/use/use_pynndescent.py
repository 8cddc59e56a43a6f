"""Nearest neighbours of 40 points by pynndescent, and its distances."""

import numpy as np
import pynndescent
from pynndescent import distances

POINTS = np.random.default_rng(0).uniform(0.1, 1.0, size=(40, 4)).astype(np.float32)
# The matrices and weights that these have by default are those of two numbers.
COUNTS = dict.fromkeys(
    (
        "mahalanobis",
        "seuclidean",
        "standardised_euclidean",
        "wminkowski",
        "weighted_minkowski",
        "kantorovich",
        "wasserstein",
        "sinkhorn",
        "haversine",
    ),
    2,
)
for name, metric in distances.named_distances.items():
    try:
        count = COUNTS.get(name, 4)
        metric(POINTS[0, :count], POINTS[1, :count])
    except (TypeError, ValueError, ArithmeticError) as error:
        print(f"{name}: {error}")
pynndescent.NNDescent(POINTS, n_neighbors=4, random_state=1).query(POINTS[:2], k=2)
