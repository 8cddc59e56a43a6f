"""Functions that Numba compiles as differentiable functions of JAX's arrays.

Import it by its name: ``import fastgrad.jax``. It needs JAX (``pip install "fastgrad[jax]"``), which ``import fastgrad`` does not import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.exported_function import ExportedFunction, dtype_of
from fastgrad._src.derivatives.functions.numba_types import rank_of_type

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise ImportError(f'fastgrad.jax needs JAX: pip install "fastgrad[jax]". {error}') from error

__all__ = ["as_function"]


def as_function(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    shape_of: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Returns a function of JAX's arrays that computes ``f``, and its gradients by reverse mode: a ``jax.custom_vjp`` of ``jax.pure_callback``.

    It works under ``jax.jit``, and under ``jax.vmap`` with a call for each row. JAX raises an error for forward mode and second derivatives.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It takes numbers and arrays, and returns a number, an array, or a tuple
            of them. It draws no random numbers. Values that it reads from outside are frozen at the first use.
        argnums: the index of the argument to differentiate with respect to, or several indices; other arguments are constants. Default: all
            arguments that are float64 or float32 in a call.
        shape_of: a function of the arguments of ``f`` that returns the shape of the result, or a list of shapes for a tuple. It may use only
            shapes and dtypes. It is needed if a result is an array: JAX must know its shape before ``f`` runs.

    Returns:
        a function of the arguments of ``f``: arrays and numbers. ``f`` gets an array of shape () as a number. The function returns an array, or a
        tuple for several results. The dtypes are those that Numba infers; without ``jax_enable_x64``, their 32-bit versions.

    Raises:
        TypeError: ``f`` is no function, or has ``*args``; when the function is called: Numba can't compile ``f`` for the arguments, or the result
            is of another type or an array of unknown shape.
        ValueError: ``argnums`` are no numbers of parameters, or ``f`` draws random numbers; when the function is called: ``shape_of`` returns
            another number of shapes than ``f`` has results, or another rank.

    Example:
        >>> import jax
        >>> import numba
        >>> import fastgrad.jax
        >>> @numba.njit
        ... def decay(rate, x):
        ...     total = 0.0
        ...     for value in x:
        ...         total = rate * total + value
        ...     return total
        >>> float(jax.grad(fastgrad.jax.as_function(decay))(0.5, jax.numpy.ones(2)))
        1.0
    """
    exported = ExportedFunction(f, argnums, "as_function", "JAX")

    @jax.custom_vjp
    def call(*arguments: Any) -> Any:
        leaves, is_tuple = exported.leaves(arguments)
        results = _callback(
            lambda *arrays: exported.results(arrays), _structures(exported, leaves, shape_of, arguments), *arguments
        )
        return tuple(results) if is_tuple else results[0]

    def forward(*arguments: Any) -> Any:
        return call(*arguments), arguments

    def backward(arguments: Any, cotangent: Any) -> Any:
        of_results = cotangent if isinstance(cotangent, tuple) else (cotangent,)
        cotangents = [jnp.zeros(g.shape) if g.dtype == jax.dtypes.float0 else g for g in of_results]
        positions = exported.positions([np.dtype(x.dtype) for x in arguments])
        like = [jax.ShapeDtypeStruct(arguments[number].shape, arguments[number].dtype) for number in positions]
        pulled = (
            _callback(
                lambda *arrays: exported.cotangents(arrays[: len(arguments)], positions, arrays[len(arguments) :]),
                like,
                *arguments,
                *cotangents,
            )
            if positions
            else []
        )
        gradients = dict(zip(positions, pulled, strict=True))
        return tuple(gradients.get(number) for number in range(len(arguments)))

    call.defvjp(forward, backward)

    def function(*arguments: Any, **named: Any) -> Any:
        return call(*map(jnp.asarray, exported.bound(arguments, named)))

    function.__name__, function.__doc__ = exported.name, f.__doc__
    return function


def _callback(compute: Callable[..., list[np.ndarray]], structures: list[Any], *arguments: Any) -> list[Any]:
    """Returns the arrays that ``compute`` returns, of the dtypes of ``structures``."""

    def on_host(*arrays: Any) -> list[np.ndarray]:
        results = compute(*[np.asarray(x) for x in arrays])
        return [np.asarray(y, like.dtype) for y, like in zip(results, structures, strict=True)]

    return list(jax.pure_callback(on_host, structures, *arguments, vmap_method="sequential"))


def _structures(
    exported: ExportedFunction, leaves: list[types.Type], shape_of: Callable[..., Any] | None, arguments: Sequence[Any]
) -> list[Any]:
    """Returns the shapes and dtypes of the results of a call."""
    ranks = [rank_of_type(type) for type in leaves]
    if shape_of is None and any(ranks):
        raise TypeError(
            f"as_function: {exported.name} returns an array, whose shape JAX must know before it runs: pass shape_of, a function of the "
            "arguments that returns the shape."
        )
    shapes = [()] * len(leaves)
    if shape_of is not None:
        shape = shape_of(*arguments)
        shapes = list(shape) if isinstance(shape, list) else [tuple(shape)]
    if [len(shape) for shape in shapes] != ranks:
        raise ValueError(
            f"as_function: {exported.name} returns arrays of the ranks {ranks}, and shape_of the shapes {shapes}: return the shape of each result, of "
            "several a list."
        )
    return [
        jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype_of(type)))
        for shape, type in zip(shapes, leaves, strict=True)
    ]
