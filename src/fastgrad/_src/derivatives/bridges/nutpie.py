"""A `LogDensity` as a model of nutpie, which calls its C function from threads of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numba import types

try:
    from nutpie.compile_pymc import CompiledPyMCModel
except ImportError as error:
    raise ImportError(f'nutpie_model needs nutpie: pip install "fastgrad[pymc]". {error}') from error

if TYPE_CHECKING:
    from fastgrad._src.derivatives.bridges.log_density import LogDensity

_SIGNATURE = types.int64(
    types.uint64, types.uint64, types.CPointer(types.float64), types.CPointer(types.float64), types.voidptr
)


def model_of(density: LogDensity) -> CompiledPyMCModel:
    """Returns the model of a log density. Its starting points are uniform between -1 and 1 in real numbers, as PyMC's jitter is."""
    names, shapes = [*density.shapes], [*density.shapes.values()]
    return CompiledPyMCModel(
        dims={},
        compiled_logp_func=density.cfunc,
        compiled_expand_func=numba.cfunc(_SIGNATURE)(density.parameters_in_c()),
        initial_point_func=lambda seed: np.random.default_rng(seed).uniform(-1.0, 1.0, density.size),
        shared_data={},
        shared_var_keys={},
        user_data=np.zeros(1),
        n_expanded=density.size,
        shape_info=(names, [*density.slices().values()], shapes),
        logp_func=density,  # it keeps the arrays of the C function alive
        expand_func=None,
        _n_dim=density.size,
        _shapes=density.shapes,
        _coords={},
    )
