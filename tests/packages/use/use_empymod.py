"""Electromagnetic fields in a layered earth by empymod, in frequency and time."""

import empymod

DEPTH, RESISTIVITY, ANISOTROPY = [0.0, 300.0, 1000.0], [2e14, 0.3, 1.3, 50.0], [1.0, 1.2, 1.5, 1.1]
for ab in (11, 33, 13, 66, 46):
    empymod.dipole([0, 0, 250], [900, 300, 420], DEPTH, RESISTIVITY, 1.3, aniso=ANISOTROPY, ab=ab, verb=0)
empymod.dipole([0, 0, 100], [500, 0, 1100], DEPTH, RESISTIVITY, 0.7, aniso=ANISOTROPY, verb=0)
empymod.bipole([-50, 50, 0, 0, 250, 250], [2000, 0, 310, 30, 10], DEPTH, RESISTIVITY, [0.5, 1.0], signal=0, verb=0)
