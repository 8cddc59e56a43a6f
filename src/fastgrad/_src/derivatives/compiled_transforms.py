"""Calls of transforms in functions that Numba compiles: ``fg.grad(f)(x)``, where ``f`` is known when Numba compiles the call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import overload

from fastgrad._src.derivatives.compiled_pullbacks import vjp_of_call
from fastgrad._src.derivatives.functions.argument_types import is_differentiable, is_list
from fastgrad._src.derivatives.functions.parameters import parameter_names, wrapped_function
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import Dispatcher, cpu_target, errors


def _offer(transform: Callable[..., Any], typing: Callable[..., Any]) -> None:
    """Gives Numba the function that returns an implementation of a transform for types of arguments, also while Numba compiles a call."""
    overload(transform, prefer_literal=True)(typing)
    context = cpu_target.typing_context
    with contextlib.suppress(errors.NumbaError, ValueError):
        context.resolve_value_type(len)  # raises if Numba has compiled nothing yet: it reads all typings when it does
        context.refresh()


def offer_derivative(transform: Callable[..., Any]) -> None:
    """Lets compiled functions call a transform that takes a function and ``argnums``, and returns a derivative."""

    def typing(f, argnums=0):  # type: ignore[no-untyped-def]
        derivative = _derivative(transform, f, argnums=argnums)
        return lambda f, argnums=0: derivative

    _offer(transform, typing)


def offer_gradient(transform: Callable[..., Any]) -> None:
    """Lets compiled functions call a transform that takes ``has_aux``, too."""

    def typing(f, argnums=0, has_aux=False):  # type: ignore[no-untyped-def]
        derivative = _derivative(transform, f, argnums=argnums, has_aux=has_aux)
        return lambda f, argnums=0, has_aux=False: derivative

    _offer(transform, typing)


def offer_jvp(jvp: Callable[..., Any]) -> None:
    """Lets compiled functions call ``jvp``, also with tuples of primals and tangents."""

    def typing(f, primals=None, tangents=None, argnums=0):  # type: ignore[no-untyped-def]
        if primals is None or isinstance(primals, (types.Omitted, types.NoneType)):
            derivative = _derivative(jvp, f, argnums=argnums)
            return lambda f, primals=None, tangents=None, argnums=0: derivative
        return _jvp_of_call(jvp, f, primals, tangents)

    _offer(jvp, typing)


def offer_vjp(vjp: Callable[..., Any], pullback: Callable[..., Any]) -> None:
    """Lets compiled functions call ``vjp``; ``pullback`` is that of ``vjp_of_call``."""

    def typing(f, *primals):  # type: ignore[no-untyped-def]
        return vjp_of_call(pullback, _known_function(vjp, f), primals)

    _offer(vjp, typing)


def _jvp_of_call(jvp: Callable[..., Any], f: Any, primals: Any, tangents: Any) -> Any:
    """Returns the implementation of ``jvp`` for tuples of primals and tangents."""
    what = "fg.jvp in a compiled function"
    function = _known_function(jvp, f)
    python_function = wrapped_function(function, "jvp")
    if not all(isinstance(type, types.BaseTuple) for type in (primals, tangents)) or len(primals) != len(tangents):
        raise errors.TypingError(
            f"{what}: primals and tangents are of types {primals} and {tangents}. Pass tuples with one item for each argument of {python_function.__name__}."
        )
    positions = [
        number
        for number, (type, tangent) in enumerate(zip(primals, tangents, strict=True))
        if is_differentiable(type) and not (is_list(type) and tangent == types.none)
    ]
    for number, type in enumerate(tangents):
        if number not in positions and type != types.none:
            raise errors.TypingError(
                f"{what}: the argument {number} is of type {primals[number]}, which has no derivative, and its tangent is of type {type}. Pass None."
            )
    count = len(parameter_names(python_function))
    if count != len(primals):
        raise errors.TypingError(
            f"{what}: {python_function.__name__} has {count} parameters, and primals {len(primals)} items."
        )
    arguments = [f"primals[{number}]" for number in range(count)] + [f"tangents[{number}]" for number in positions]
    source = f"def call(f, primals=None, tangents=None, argnums=0):\n    return derivative({', '.join(arguments)})\n"
    return generated_function("call", source, "jvp", {"derivative": jvp(function, argnums=tuple(positions))})


def _derivative(transform: Callable[..., Any], f: Any, **options: Any) -> Any:
    """Returns the dispatcher that a transform makes of constants, of which Numba knows the types.

    Raises:
        numba.errors.TypingError: a value is not known from its type.
    """
    known = {name: _constant(f"fg.{transform.__name__}", name, value) for name, value in options.items()}
    derivative = transform(_known_function(transform, f), **known)
    if not isinstance(derivative, Dispatcher):
        raise errors.TypingError(
            f"fg.{transform.__name__} in a compiled function: {f} takes *args. Pass a function whose parameters have names."
        )
    return derivative


def _known_function(transform: Callable[..., Any], type: Any) -> Any:
    if isinstance(type, types.Dispatcher):
        return type.dispatcher
    raise errors.TypingError(
        f"fg.{transform.__name__} in a compiled function: the function is of type {type}, and must be known when Numba compiles the call: pass one "
        "of numba.njit, as an argument or a global."
    )


def _constant(owner: str, name: str, value: Any) -> Any:
    """Returns the Python value of a type, that of a literal or of several; default values as they are."""
    if not isinstance(value, types.Type):
        return value
    if isinstance(value, types.Omitted):
        return value.value
    if isinstance(value, types.Literal):
        return value.literal_value
    if isinstance(value, types.BaseTuple):
        return tuple(_constant(owner, name, item) for item in value)
    raise errors.TypingError(
        f"{owner} in a compiled function: {name} is of type {value}, and must be known when Numba compiles the call: write numbers."
    )
