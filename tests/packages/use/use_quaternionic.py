"""Products, functions, conversions and interpolation of quaternions by quaternionic."""

import numpy as np
import quaternionic

random = np.random.default_rng(0)
FIRST, SECOND = (quaternionic.array(random.normal(size=(3, 4))).normalized for _ in range(2))
for metric in (quaternionic.distance.rotor, quaternionic.distance.rotation):
    metric.intrinsic(FIRST, SECOND)
    metric.chordal(FIRST, SECOND)
quaternionic.slerp(FIRST[0], SECOND[0], 0.3)
quaternionic.align(random.normal(size=(4, 3)), random.normal(size=(4, 3)), w=np.array([0.3, 1.1, 0.7, 0.4]))
FIRST.to_rotation_matrix
FIRST.to_euler_phases
