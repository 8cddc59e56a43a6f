"""Loads Numba's functions for processors without SciPy's linear algebra."""

from __future__ import annotations

import functools
from typing import Any

from numba.np import linalg

from fastgrad._src.jit.numba_internals import global_compiler_lock


def load_registries(target: Any) -> None:
    """Loads Numba's implementations of functions for a target."""
    _load_array_functions()
    with global_compiler_lock:
        target.refresh()


@functools.cache
def _load_array_functions() -> None:
    """Loads Numba's module of array functions.

    It imports ``scipy.linalg`` to see whether it is there, which takes 0.2 s. SciPy is always there, and Numba imports it again when it compiles a
    function of linear algebra.
    """
    with global_compiler_lock:
        ensure_blas = linalg.ensure_blas
        linalg.ensure_blas = lambda: None
        try:
            from numba.np import arraymath
        finally:
            linalg.ensure_blas = ensure_blas
        arraymath.ensure_blas = ensure_blas
