"""An embedding by umap of 40 points, and its distances."""

import numpy as np
import umap
from umap import distances

POINTS = np.random.default_rng(0).uniform(0.1, 1.0, size=(40, 4)).astype(np.float32)
X, Y = POINTS[0].astype(np.float64), POINTS[1].astype(np.float64)
# The matrices and weights that these have by default are those of two numbers.
COUNTS = dict.fromkeys(
    (
        "mahalanobis",
        "seuclidean",
        "standardised_euclidean",
        "wminkowski",
        "weighted_minkowski",
        "spherical_gaussian_energy",
        "haversine",
    ),
    2,
)
for table in (distances.named_distances, distances.named_distances_with_gradients):
    for name, metric in table.items():
        try:
            metric(X[: COUNTS.get(name, 4)], Y[: COUNTS.get(name, 4)])
        except (TypeError, ValueError, ArithmeticError) as error:
            print(f"{name}: {error}")
umap.UMAP(n_neighbors=5, n_epochs=3, random_state=1).fit_transform(POINTS)
