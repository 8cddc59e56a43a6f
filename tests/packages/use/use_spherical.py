"""Wigner's matrices and spherical harmonics of spherical, of rotations given as quaternions."""

import numpy as np
import quaternionic
import spherical

ROTATION = quaternionic.array(0.7, 0.2, -0.4, 0.5).normalized
wigner = spherical.Wigner(3)
wigner.d(np.exp(0.7j))
wigner.D(ROTATION)
for spin in (0, -2):
    wigner.sYlm(spin, ROTATION)
random = np.random.default_rng(0)
modes = spherical.Modes(random.normal(size=16) + 1j * random.normal(size=16), spin_weight=0, ell_max=3)
modes.rotate(ROTATION)
modes.evaluate(ROTATION)
modes.multiply(modes)
wigner.rotate(modes, ROTATION, horner=True)
wigner.evaluate(modes, ROTATION, horner=True)
spherical.Wigner3j(2, 1, 3, 1, 0, -1)
spherical.clebsch_gordan(2, 1, 1, 0, 3, 1)
