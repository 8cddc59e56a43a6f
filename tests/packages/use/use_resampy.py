"""A signal resampled by resampy's loops, on one thread and on several."""

import numpy as np
from resampy import filters, interpn

SIGNAL = np.sin(np.linspace(0.0, 9.0, 40))
window, precision, _ = filters.get_filter("kaiser_fast")
differences = np.diff(window, append=window[-1])
for loop in (interpn._resample_loop_s, interpn._resample_loop_p):
    times = np.arange(12) * 4.0 / 3.0
    loop(SIGNAL, times, 0.75 * window, 0.75 * differences, precision, 0.75, np.zeros(12))
