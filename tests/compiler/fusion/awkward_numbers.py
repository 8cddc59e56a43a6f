"""Numbers at the borders of floats."""

import numpy as np

AWKWARD = [
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.75,
    2.0,
    3.5,
    -6.0,
    6.0,
    7.25,
    30.0,
    -30.0,
    1e-30,
    -1e30,
]
