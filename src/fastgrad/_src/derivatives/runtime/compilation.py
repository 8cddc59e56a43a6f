"""The dispatchers of derivatives: Numba's dispatchers whose code is derived from another function when they are called first."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.functions.content import content_of
from fastgrad._src.derivatives.functions.functions import CALLED, caller_of, has_given_types
from fastgrad._src.derivatives.runtime.extensions import Extensions
from fastgrad._src.derivatives.runtime.inferred_callees import inferred_callees
from fastgrad._src.derivatives.runtime.jumps import DirectJumpCompiler
from fastgrad._src.derivatives.runtime.record_fields import cotangent_type_of, is_differentiable, members_of
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.code_library import NAME_LENGTH, UNKEYED, UseCodeLibrary, UseLaneLibrary
from fastgrad._src.jit.dispatcher_cache import DispatcherCache, RecentlyUsed
from fastgrad._src.jit.generated_source import generated_function, name_in_source
from fastgrad._src.jit.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled
from fastgrad._src.jit.key_texts import NoKeyError, type_text
from fastgrad._src.jit.numba_internals import CPUDispatcher, Dispatcher, _FunctionCompiler, cpu_target
from fastgrad._src.jit.phases import watch_numba

watch_numba()
_numbers = itertools.count()
Types = tuple[types.Type, ...]
SETTINGS = ("FASTGRAD_CHECKPOINT_BYTES", "FASTGRAD_TAPE_BYTES")
"""The environment variables whose values derivatives contain."""


OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy"}
"""How Numba compiles derivatives."""


class DerivativeCompiler(DirectJumpCompiler):
    """Numba's nopython pipeline with direct jumps, and a code library of its own."""

    use_library = UseCodeLibrary


class LaneCompiler(DerivativeCompiler):
    """The compiler of derivatives that compute several tangents."""

    use_library = UseLaneLibrary


class _DerivedFunctionCompiler(_FunctionCompiler):  # type: ignore[misc]
    """Compiles a derivative, whose Python function depends on the argument types."""

    def __init__(
        self,
        stub: FunctionType,
        target: Any,
        derived_function: Callable[[Types], FunctionType],
        pipeline: type[DerivativeCompiler],
    ) -> None:
        super().__init__(stub, target, OPTIONS, {}, pipeline)
        self._derived_function = derived_function

    def _get_implementation(self, args: Any, kws: Any) -> FunctionType:
        return self._derived_function(tuple(args))


class DerivedDispatcher(CPUDispatcher):  # type: ignore[misc]
    """A dispatcher with the signature of ``stub`` whose code for argument types is that of ``derive`` of them.

    Args:
        stub: a function of the same parameters.
        recipe: the function that returns such a dispatcher, and its arguments: the user's function and plain values.
        derive: returns the Python function for argument types.
        call_rule: how a call of the dispatcher is differentiated (``Calls._call_with_rule``). Default: by ``derive``.
        pipeline: Numba's passes.
    """

    def __init__(
        self,
        stub: FunctionType,
        recipe: tuple[Any, ...],
        derive: Callable[[Types], FunctionType],
        call_rule: Callable[[Types], Any] | None = None,
        pipeline: type[DerivativeCompiler] = DerivativeCompiler,
    ) -> None:
        if jit_is_disabled():
            raise RuntimeError(
                f"{stub.__name__}: Numba compiles derivatives, and {DISABLE_JIT_VARIABLE} forbids it; unset it."
            )
        super().__init__(stub, targetoptions=OPTIONS)
        self.recipe = recipe
        self._derive = derive
        self._call_rule = derive if call_rule is None else call_rule
        self._compiler: Any = _DerivedFunctionCompiler(stub, self.targetdescr, self._named_function, pipeline)
        self._cache = DispatcherCache(self.key)
        self._results = RecentlyUsed()

    def __reduce__(self) -> tuple[Any, ...]:
        maker, *arguments = self.recipe
        return maker, tuple(arguments)

    def compile(self, signature: Any) -> Any:
        """Derives and compiles the function for a signature."""
        with inferred_callees():
            return super().compile(signature)

    def key(self, argument_types: Types) -> str | None:
        """Returns the hash of all that the derivative for argument types depends on, or None if that can't be told."""
        try:
            settings = [os.environ.get(variable, "") for variable in SETTINGS]
            return digest("\n".join([content_of(self), *map(type_text, argument_types), *settings]).encode())
        except NoKeyError:
            return None

    def derive(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types."""
        function: FunctionType = self._once(self._derive, argument_types)
        return function

    def call_rule(self, argument_types: Types) -> Any:
        """Returns how a call is differentiated."""
        return self._once(self._call_rule, argument_types)

    def _once(self, function: Callable[[Types], Any], argument_types: Types) -> Any:
        """Returns ``function`` of argument types. The result for a key is kept, unless it reads arrays, whose elements may change."""
        part = self.key(argument_types), function is self._derive
        result = self._results.get(part)
        if result is None:
            uses = Extensions.uses
            result = function(argument_types)
            values = result.__globals__.values() if isinstance(result, FunctionType) else ()
            if part[0] is not None and Extensions.uses == uses and not any(isinstance(v, np.ndarray) for v in values):
                self._results.put(part, result)
        return result

    def _named_function(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types with a name that no other function has in any process."""
        uses, key = Extensions.uses, self.key(argument_types)
        function = self.derive(argument_types)
        number = f"{UNKEYED}{next(_numbers):0{NAME_LENGTH - len(UNKEYED)}d}"
        if key is not None and Extensions.uses == uses:
            number = key[:NAME_LENGTH]
        function.__qualname__ = f"{function.__name__}_{number}"
        return function


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


# ---- what users pass ------------------------------------------------------------------------------------------------


def wrapped_function(function: Any, owner: str) -> FunctionType:
    """Returns the Python function of ``function``, which may be one that Numba compiled, or a derivative.

    Raises:
        TypeError: it is no function whose calls return a value, or its parameters have no fixed number.
    """
    if isinstance(function, DerivedDispatcher):
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
    return caller_of(function) if has_given_types(function) else python_function


_REFUSED_PARAMETERS = {
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
}


def takes_any_number(function: Any) -> bool:
    """True for a function with ``*args``, and without arguments that Numba takes by keyword only."""
    python_function = getattr(function, "py_func", function)
    if not isinstance(python_function, FunctionType) or hasattr(function, "own_adjoint"):
        return False
    code = python_function.__code__
    is_callable = not code.co_kwonlyargcount and not code.co_flags & (inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR)
    return is_callable and bool(code.co_flags & inspect.CO_VARARGS)


@functools.lru_cache(maxsize=256)
def with_parameters(function: Any, count: int) -> FunctionType:
    """Returns the function of ``count`` parameters that calls one with ``*args``."""
    python_function = getattr(function, "py_func", function)
    code = python_function.__code__
    named = code.co_varnames[: code.co_argcount]
    rest = code.co_varnames[code.co_argcount]
    more = [unused_name(f"{rest}_{number}", named) for number in range(count - len(named))]
    names = (*named[:count], *more)
    compiled = function if isinstance(function, Dispatcher) else numba.njit(function)
    return named_by_place(_caller_of(compiled, python_function.__name__, names), python_function)


def named_by_place(caller: FunctionType, function: FunctionType) -> FunctionType:
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


def unused_name(name: str, used: Sequence[str]) -> str:
    """Returns a name, with underscores if it is used."""
    while name in used:
        name += "_"
    return name


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


def check_types(function: FunctionType, argument_types: Types, positions: tuple[int, ...], owner: str) -> None:
    """Raises DifferentiationError if an argument to differentiate with respect to has no derivative, or Numba does not know an argument's type.

    Raises TypeError if no signature of ``numba.njit`` takes the arguments.
    """
    signature_of(getattr(function, CALLED, None), argument_types, allow_ambiguous=False)
    for position, (name, type) in enumerate(zip(parameter_names(function), argument_types, strict=True)):
        argument = f"{place(function)}: {owner}: the argument {name} of {function.__name__} is of type {type}, which"
        if position in positions and not is_differentiable(type):
            raise DifferentiationError(
                f"{argument} has no derivative. Pass float64 or float32, or choose other arguments with argnums."
            )
        if (type.dtype if isinstance(type, types.Array) else type) == types.pyobject:
            raise DifferentiationError(
                f"{argument} Numba can't compile. Pass numbers, arrays of numbers, or tuples of them."
            )


def check_directions(
    function: FunctionType, names: Sequence[str], primals: Types, directions: Types, owner: str
) -> None:
    """Raises DifferentiationError if a tangent or cotangent has not the type of what it belongs to."""
    for name, primal, direction in zip(names, primals, directions, strict=True):
        fields = members_of(primal)
        if fields is not None:
            _check_fields(f"{place(function)}: {owner}: {name} of {function.__name__}", primal, direction)
            continue
        rank, given = [type.ndim if isinstance(type, types.Array) else 0 for type in (primal, direction)]
        number = direction.dtype if isinstance(direction, types.Array) else types.unliteral(direction)
        if rank != given or not isinstance(number, (types.Float, types.Complex, types.Integer)):
            raise DifferentiationError(
                f"{place(function)}: {owner}: {name} of {function.__name__} is of type {direction}, for a value of type {primal}. "
                "Pass floats of the shape of the value."
            )


def _check_fields(what: str, primal: types.Type, direction: types.Type) -> None:
    """Raises DifferentiationError if the direction of a record, an array of records or an instance has not their fields of floats."""
    wanted = cotangent_type_of(primal)
    if isinstance(direction, types.BaseNamedTuple):
        fields: Any = dict(zip(direction.fields, direction, strict=True))
    else:
        fields = members_of(direction) or {}
    ranks = [getattr(type, "ndim", 0) for type in (primal, direction)]
    names = wanted._fields if isinstance(primal, types.ClassInstanceType) else wanted.names
    if ranks[0] != ranks[1] or not all(is_differentiable(fields.get(name, types.none)) for name in names):
        raise DifferentiationError(
            f"{what} is of type {direction}, for a value of type {primal}. Pass the fields {', '.join(names)}, of the shapes of the value: "
            f"{'a named tuple or an instance' if isinstance(primal, types.ClassInstanceType) else f'an array of the dtype {wanted}'}."
        )
