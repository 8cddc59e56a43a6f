"""Densities of sea water and their derivatives by fastjmd95."""

import numpy as np
from fastjmd95 import jmd95numba

SALT, TEMPERATURE, PRESSURE = 34.5, 12.3, 1500.0
jmd95numba._bulkmodjmd95(SALT, TEMPERATURE, PRESSURE)
jmd95numba._rho_s(SALT, TEMPERATURE)
for function in (jmd95numba.rho, jmd95numba.drhodt, jmd95numba.drhods):
    function(np.array([SALT, 35.1]), np.array([TEMPERATURE, 4.0]), np.array([PRESSURE, 20.0]))
