"""The threads of OpenBLAS in LAPACK's functions: one for small matrices.

With several threads, OpenBLAS is hardly faster on matrices of up to some hundred rows, and its idle threads spin. If other
threads need the processors, such as those of fastgrad and of SciPy's own OpenBLAS, a call may then wait up to a second.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

LEAST_ELEMENTS, MOST_ELEMENTS = 32 * 32, 256 * 256
"""The elements of a matrix from which OpenBLAS may use several threads, and up to which it uses one."""

_NAMES = [
    (f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
    for prefix in ("scipy_", "")
    for suffix in ("64_", "")
]


class OpenBlas:
    """The OpenBLAS that an extension module is linked with, if it is OpenBLAS.

    Args:
        module: a function that imports and returns the module, at the first use.
    """

    def __init__(self, module: Callable[[], Any]) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._limits = 0
        self._threads = 1

    @functools.cached_property
    def _functions(self) -> tuple[Callable[[], int], Callable[[int], None]] | None:
        """The functions that get and set the number of threads; None if there are none."""
        try:
            library = ctypes.PyDLL(self._module().__file__)  # finds names in the libraries that it is linked with, too
        except (OSError, AttributeError):
            return None
        for get_name, set_name in _NAMES:
            try:
                get_threads, set_threads = library[get_name], library[set_name]
            except AttributeError:
                continue
            set_threads.restype, set_threads.argtypes = None, [ctypes.c_int]
            return get_threads, set_threads
        return None

    def limit(self) -> None:
        """Limits OpenBLAS to one thread, until as many calls of `restore`."""
        if self._functions is None:
            return
        get_threads, set_threads = self._functions
        with self._lock:
            if not self._limits:
                self._threads = get_threads()
                set_threads(1)
            self._limits += 1

    def restore(self) -> None:
        """Ends a limit; the last one to end sets the number of threads before the first."""
        if self._functions is None:
            return
        with self._lock:
            self._limits -= 1
            if not self._limits:
                self._functions[1](self._threads)


def _scipy_module() -> Any:
    from scipy.linalg import _fblas  # a slow import

    return _fblas


OF_NUMPY = OpenBlas(lambda: np.linalg._umath_linalg)  # private, and in all releases of NumPy
OF_SCIPY = OpenBlas(_scipy_module)


def with_one_thread_if_small(run: Callable[..., Any], blas: OpenBlas) -> Callable[..., Any]:
    """Returns the ``run`` of an operation of matrices, which uses one thread of ``blas`` for small matrices."""

    @functools.wraps(run)
    def run_limited(*arrays: np.ndarray, **attributes: Any) -> Any:
        size = max([x.shape[-1] * x.shape[-2] for x in arrays if x.ndim > 1], default=0)
        if not LEAST_ELEMENTS <= size <= MOST_ELEMENTS:
            return run(*arrays, **attributes)
        blas.limit()
        try:
            return run(*arrays, **attributes)
        finally:
            blas.restore()

    return run_limited
