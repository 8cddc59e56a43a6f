"""``fg.cfunc``: derivatives as C functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from fastgrad._src.derivatives.functions.parameters import wrapped_function


def cfunc(signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Returns a decorator that compiles a function to one of C: ``numba.cfunc``, which also takes derivatives such as ``fg.grad(f)``.

    ``numba.cfunc`` itself compiles the Python function of a dispatcher, which a derivative does not have: a TypingError that names this function.

    Args:
        signature: Numba's types of arguments and result, as ``"float64(float64)"``.
        **options: those of ``numba.cfunc``.

    Returns:
        a decorator of a Python function, one of ``numba.njit`` or a derivative. It returns what ``numba.cfunc`` returns:
        ``scipy.LowLevelCallable`` takes its attribute ``ctypes``. Keep it as long as C may call it.

    Raises:
        TypeError: when it decorates: this is no function, or has ``*args``.
    """

    def compile_function(f: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, **options)(wrapped_function(f, "cfunc"))

    return compile_function
