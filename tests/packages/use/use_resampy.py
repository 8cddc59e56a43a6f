"""A signal resampled by resampy, on one thread and on several."""

import numpy as np
import resampy

SIGNAL = np.sin(np.linspace(0.0, 9.0, 40))
for parallel in (False, True):
    resampy.resample(SIGNAL, 40, 30, filter="kaiser_fast", parallel=parallel)
resampy.resample_nu(SIGNAL, 1.0, np.linspace(0.0, 35.0, 12), filter="kaiser_fast")
