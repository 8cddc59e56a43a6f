"""Dispersion, ellipticity, eigenfunctions and sensitivity of surface waves by disba."""

import sys
from unittest import mock

import numpy as np

# Nothing is drawn. The matplotlib that other packages ask for may not go with this NumPy.
sys.modules |= {name: mock.MagicMock() for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.colors")}
from disba import (  # noqa: E402
    EigenFunction,
    Ellipticity,
    GroupDispersion,
    GroupSensitivity,
    PhaseDispersion,
    PhaseSensitivity,
)

# Thickness, velocities of P and S waves, density.
MODEL = np.array([[10.0, 7.0, 3.5, 2.0], [10.0, 6.8, 3.4, 2.0], [10.0, 7.6, 3.8, 2.0], [10.0, 8.4, 4.2, 2.0]])
PERIODS = np.array([2.0, 8.0, 20.0])
for algorithm in ("dunkin", "fast-delta"):
    PhaseDispersion(*MODEL.T, algorithm=algorithm)(PERIODS, mode=0, wave="rayleigh")
PhaseDispersion(*MODEL.T)(PERIODS, mode=0, wave="love")
GroupDispersion(*MODEL.T)(PERIODS, mode=0, wave="rayleigh")
Ellipticity(*MODEL.T)(PERIODS, mode=0)
for wave in ("rayleigh", "love"):
    EigenFunction(*MODEL.T)(20.0, mode=0, wave=wave)
PhaseSensitivity(*MODEL.T)(20.0, mode=0, wave="rayleigh", parameter="velocity_s")
GroupSensitivity(*MODEL.T)(20.0, mode=0, wave="love", parameter="velocity_s")
