"""The arguments of transformations: the Python function of a function, and the numbers of parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.functions.snapshot import caller_of, has_fixed_types
from fastgrad._src.jit.generated_source import generated_function, name_in_source, unused_name
from fastgrad._src.jit.numba_internals import Dispatcher, cpu_target

Types = tuple[types.Type, ...]


def wrapped_function(function: Any, owner: str) -> FunctionType:
    """Returns the Python function of ``function``, which may be one that Numba compiled, or a derivative.

    Raises:
        TypeError: it is no function whose calls return a value, or its parameters have no fixed number.
    """
    if hasattr(function, "recipe"):  # a derivative
        return _caller_of(function, function.py_func.__name__, tuple(parameter_names(function.py_func)))
    rule = getattr(function, "own_adjoint", None)
    if rule is not None and isinstance(function, (Dispatcher, FunctionType)):
        return _caller_of(rule.function, function.__name__, tuple(rule.signature.parameters))
    python_function = getattr(function, "py_func", function)
    if not isinstance(python_function, FunctionType):
        raise TypeError(
            f"{owner}: expected a Python function or one compiled by numba.njit, got {function!r}. Write a function that calls it."
        )
    name = python_function.__name__
    if python_function.__code__.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise TypeError(f"{owner}: {name} is a generator or a coroutine, which returns no value. Return one.")
    if {parameter.kind for parameter in inspect.signature(python_function).parameters.values()} & _REFUSED_PARAMETERS:
        raise TypeError(
            f"{owner}: {name} takes *args, **kwargs or keyword-only arguments. Give each parameter a name before any *."
        )
    return caller_of(function) if has_fixed_types(function) else python_function


_REFUSED_PARAMETERS = {
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
}


def is_variadic(function: Any) -> bool:
    """True for a function with ``*args``, and without arguments that Numba takes by keyword only."""
    python_function = getattr(function, "py_func", function)
    if not isinstance(python_function, FunctionType) or hasattr(function, "own_adjoint"):
        return False
    code = python_function.__code__
    is_callable = not code.co_kwonlyargcount and not code.co_flags & (inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR)
    return is_callable and bool(code.co_flags & inspect.CO_VARARGS)


@functools.lru_cache(maxsize=256)
def with_fixed_parameters(function: Any, count: int) -> FunctionType:
    """Returns the function of ``count`` parameters that calls one with ``*args``."""
    python_function = getattr(function, "py_func", function)
    code = python_function.__code__
    named = code.co_varnames[: code.co_argcount]
    rest = code.co_varnames[code.co_argcount]
    more = [unused_name(f"{rest}_{number}", named) for number in range(count - len(named))]
    names = (*named[:count], *more)
    compiled = function if isinstance(function, Dispatcher) else numba.njit(function)
    return with_location_of(_caller_of(compiled, python_function.__name__, names), python_function)


def with_location_of(caller: FunctionType, function: FunctionType) -> FunctionType:
    """Gives a generated function the module, the file and the line of the user's function that it calls.

    Errors name file and line. A function of this package's own modules would be a constant for the cache, whatever it calls.
    """
    code, caller.__module__ = function.__code__, function.__module__
    caller.__code__ = caller.__code__.replace(co_filename=code.co_filename, co_firstlineno=code.co_firstlineno)
    return caller


@functools.lru_cache(maxsize=256)
def _caller_of(function: Any, name: str, parameters: tuple[str, ...]) -> FunctionType:
    """Returns a Python function that calls a derivative, or a function with an adjoint, so that it can be differentiated as any other function."""
    name, given, callee = name_in_source(name), ", ".join(parameters), unused_name("callee", parameters)
    source = f"def {name}({given}):\n    return {callee}({given})\n"
    return generated_function(name, source, "call", {callee: function})


def parameter_names(function: FunctionType) -> list[str]:
    """Returns the names of a function's parameters."""
    return list(inspect.signature(function).parameters)


def signature_of(function: Any, argument_types: Types, allow_ambiguous: bool = True) -> Any:
    """Returns the signature by which Numba runs a call of ``function``, if it compiles it for given signatures only, else None.

    Args:
        function: any function.
        argument_types: of the call.
        allow_ambiguous: whether the first of several signatures will do that fit equally well. It does in calls from compiled functions, not from Python.

    Raises:
        TypeError: no signature takes arguments of ``argument_types``.
    """
    if not isinstance(function, Dispatcher) or function._can_compile:
        return None
    cases, name = function.nopython_signatures, function.py_func.__name__
    resolve = cpu_target.typing_context.resolve_overload
    signature = resolve(name, cases, argument_types, {}, allow_ambiguous=allow_ambiguous)
    if signature is None:
        raise TypeError(
            f"{place(function.py_func)}: {name} was compiled for {' and '.join(map(str, cases))} only, and is called with "
            f"({', '.join(map(str, argument_types))}). Convert the arguments, or give njit one more signature."
        )
    return signature


def is_number(argnums: Any) -> bool:
    """True if ``argnums`` is one number, not several."""
    return isinstance(argnums, (int, np.integer)) and not isinstance(argnums, bool)


def parameter_positions(argnums: Any, function: FunctionType, owner: str, is_single: bool = False) -> tuple[int, ...]:
    """Returns the numbers of the parameters that ``argnums`` names.

    Args:
        argnums: a number, or a tuple or list of numbers.
        function: has the parameters.
        owner: the transformation's name, for errors.
        is_single: whether only one number will do.

    Raises:
        ValueError: these are no numbers of parameters, or one comes twice.
    """
    count = len(parameter_names(function))
    if count == 0:
        raise ValueError(
            f"{owner}: {function.__name__} has no parameters: give it those to differentiate with respect to."
        )
    numbers = (argnums,) if is_number(argnums) else tuple(argnums) if isinstance(argnums, (tuple, list)) else (None,)
    if not all(is_number(number) and -count <= number < count for number in numbers):
        raise ValueError(
            f"{owner}: argnums is {argnums!r}, but {function.__name__} has {count} parameters: use numbers from 0 to {count - 1}."
        )
    positions = tuple(int(number) % count for number in numbers)
    if len(set(positions)) != len(positions) or not positions:
        raise ValueError(f"{owner}: argnums is {argnums!r}: use different numbers, at least one.")
    if is_single and not is_number(argnums):
        raise ValueError(f"{owner}: argnums is {argnums!r}: use one number, and a call for each of several.")
    return positions


def place(function: FunctionType) -> str:
    """Returns the file and the line of a function."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def name_of(function: Any) -> str:
    """Returns the name of a function, which Numba may have compiled."""
    return str(getattr(getattr(function, "py_func", function), "__name__", function))


# ---- stubs ---------------------------------------------------------------------------------------------------------


def stub_of(function: FunctionType, prefix: str, more: Sequence[str] = ()) -> FunctionType:
    """Returns a stub with the parameters of ``function``, with ``more`` after them, and a name that starts with ``prefix``."""
    parameters = parameter_names(function)
    for parameter in more:
        parameters.append(unused_name(parameter, parameters))
    stub = make_stub(f"{prefix}_{name_in_source(function.__name__)}", parameters)
    if not more:
        stub.__defaults__ = function.__defaults__
    stub.__doc__ = function.__doc__
    return stub


def make_stub(name: str, parameters: Sequence[str]) -> FunctionType:
    """Returns the Python function of a dispatcher whose text is made for argument types.

    Nothing runs or compiles it but ``numba.cfunc`` of a derivative, which must fail: its text has no value.
    """
    source = f"def {name}({', '.join(parameters)}):\n    return compile_derivatives_by_fastgrad_cfunc\n"
    return generated_function(name, source, "signature", {})
