"""``fg.cfunc``: derivatives as C functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from fastgrad._src.derivatives.functions.parameters import wrapped_function


def cfunc(signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Returns a decorator that compiles a function to a C callback, as ``numba.cfunc`` does, and also takes derivatives such as ``fg.grad(f)``.

    ``numba.cfunc`` does not compile a derivative: it raises a TypingError that names this function.

    Args:
        signature: Numba's types of arguments and result, such as ``"float64(float64)"``.
        **options: the options of ``numba.cfunc``.

    Returns:
        a decorator of a Python function, a function from ``numba.njit``, or a derivative. The decorator returns the same object as
        ``numba.cfunc``. Pass its attribute ``ctypes`` to ``scipy.LowLevelCallable``. Keep the object as long as C may call it.

    Raises:
        TypeError: from the decorator: its argument is not a function, or has ``*args``.

    Example:
        >>> def cube(x):
        ...     return x**3
        >>> slope = fg.cfunc("float64(float64)")(fg.grad(cube))
        >>> slope.ctypes(2.0)
        12.0
    """

    def compile_function(f: Callable[..., Any]) -> Any:
        return numba.cfunc(signature, **options)(wrapped_function(f, "cfunc"))

    return compile_function
