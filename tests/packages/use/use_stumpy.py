"""Matrix profiles of stumpy."""

import numpy as np
import stumpy

SERIES = np.random.default_rng(0).normal(size=30).cumsum()
stumpy.stump(SERIES, m=5)
stumpy.aamp(SERIES, m=5)
stumpy.mass(SERIES[:5], SERIES)
stumpy.match(SERIES[:5], SERIES)
stumpy.stimp(SERIES, min_m=4, max_m=6).update()
