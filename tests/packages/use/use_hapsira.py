"""Orbits of hapsira: elements, anomalies, propagators, Lambert's problem, perturbations."""

import importlib
import inspect

import numpy as np
from hapsira.core import angles, elements, iod, perturbations
from hapsira.core.propagation import base

K = 398600.4418
R, V = np.array([7000.0, -1200.0, 300.0]), np.array([1.1, 7.2, 0.9])
ORBIT = {"k": K, "p": 7200.0, "ecc": 0.1, "inc": 0.4, "raan": 0.7, "argp": 0.3, "nu": 0.9}
ANGLES = {"E": 0.8, "M": 0.7, "F": 0.8, "D": 0.5, "nu": 0.9}

for name, function in vars(angles).items():
    parameters = (
        list(inspect.signature(getattr(function, "py_func", function)).parameters) if callable(function) else []
    )
    if parameters and set(parameters) <= {*ANGLES, "ecc"}:
        is_hyperbolic = "F" in name
        function(*(ANGLES[word] if word != "ecc" else 1.4 if is_hyperbolic else 0.2 for word in parameters))
angles.fp_angle(0.9, 0.2)

elements.eccentricity_vector(K, R, V)
elements.circular_velocity(K, 7000.0)
elements.rv_pqw(K, 7200.0, 0.1, 0.9)
elements.coe_rotation_matrix(0.4, 0.7, 0.3)
elements.coe2rv(*ORBIT.values())
elements.rv2coe(K, R, V)
equinoctial = elements.coe2mee(*list(ORBIT.values())[1:])
elements.mee2coe(*equinoctial)

base.func_twobody(0.0, np.concatenate([R, V]), K)
for name in ("danby", "farnocchia", "gooding", "markley", "mikkola", "pimienta", "recseries", "vallado"):
    module = importlib.import_module(f"hapsira.core.propagation.{name}")
    coe = getattr(module, f"{name}_coe", None)
    if coe is not None:
        coe(*ORBIT.values(), 900.0)
    rv = getattr(module, name, None) or getattr(module, f"{name}_rv", None)
    if name == "vallado":
        rv(K, R, V, 900.0, 50)
    elif rv is not None:
        rv(K, R, V, 900.0)

iod.izzo(K, R, np.array([-3000.0, 6800.0, 900.0]), 2400.0, 0, True, True, 35, 1e-8)
iod.vallado(K, R, np.array([-3000.0, 6800.0, 900.0]), 2400.0, 0, True, True, 35, 1e-8)
state = np.concatenate([R, V])
perturbations.J2_perturbation(0.0, state, K, 1.08e-3, 6378.0)
perturbations.J3_perturbation(0.0, state, K, -2.5e-6, 6378.0)
perturbations.atmospheric_drag_exponential(0.0, state, K, 6378.0, 2.2, 1e-8, 8.5, 1.2e9)
