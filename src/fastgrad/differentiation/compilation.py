"""The dispatchers of derivatives: Numba's dispatchers whose code is derived from another function when they are called first."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from numba.core import compiler, types
from numba.core.compiler_machinery import PassManager
from numba.core.dispatcher import _FunctionCompiler
from numba.core.registry import CPUDispatcher
from numba.core.untyped_passes import FixupArgs

from fastgrad.differentiation.disk_cache import (
    DERIVED,
    NAME_LENGTH,
    UNKEYED,
    DerivativeCache,
    Extensions,
    NoKeyError,
    UseDerivativeLibrary,
    content_of,
    type_text,
)
from fastgrad.differentiation.jumps import DirectJumps
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.generated_source import function_from_source, name_in_source
from fastgrad.kernels.codegen.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled

_numbers = itertools.count()
Types = tuple[types.Type, ...]


class DirectJumpCompiler(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    """Numba's nopython pipeline with direct jumps, and a code library of its own."""

    def define_pipelines(self) -> list[PassManager]:
        """Returns the passes."""
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(DirectJumps, FixupArgs)
        passes.add_pass_after(UseDerivativeLibrary, DirectJumps)
        passes.finalize()
        return [passes]


class _DerivedFunctionCompiler(_FunctionCompiler):  # type: ignore[misc]
    """Compiles a derivative, whose Python function depends on the argument types."""

    def __init__(self, other: Any, derived_function: Callable[[Types], FunctionType]) -> None:
        super().__init__(other.py_func, other.targetdescr, other.targetoptions, other.locals, other.pipeline_class)
        self._derived_function = derived_function

    def _get_implementation(self, args: Any, kws: Any) -> FunctionType:
        return self._derived_function(tuple(args))


class DerivedDispatcher(CPUDispatcher):  # type: ignore[misc]
    """A dispatcher with the signature of ``stub`` whose code for argument types is that of ``derive`` of them.

    Args:
        stub: a function of the same parameters.
        recipe: the function that returns such a dispatcher, and its arguments: the user's function and plain values.
        derive: returns the Python function for argument types.
        call_rule: how a call of the dispatcher is differentiated (``Lowering._call_with_rule``). Default: by ``derive``.
    """

    def __init__(
        self,
        stub: FunctionType,
        recipe: tuple[Any, ...],
        derive: Callable[[Types], FunctionType],
        call_rule: Callable[[Types], Any] | None = None,
    ) -> None:
        if jit_is_disabled():
            raise RuntimeError(
                f"{stub.__name__}: Numba compiles derivatives, and {DISABLE_JIT_VARIABLE} forbids it; unset it."
            )
        options = {"nopython": True, "nogil": True, "error_model": "numpy"}
        super().__init__(stub, targetoptions=options, pipeline_class=DirectJumpCompiler)
        self.recipe = recipe
        self._derive = derive
        self._call_rule = derive if call_rule is None else call_rule
        self._compiler = _DerivedFunctionCompiler(self._compiler, self._named_function)
        self._cache = DerivativeCache(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        maker, *arguments = self.recipe
        return maker, tuple(arguments)

    def key(self, argument_types: Types) -> str | None:
        """Returns the hash of all that the derivative for argument types depends on, or None if that can't be told."""
        try:
            return digest("\n".join([content_of(self), *map(type_text, argument_types)]).encode())
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
        """Returns ``function`` of argument types; the result for a key is kept."""
        key = self.key(argument_types)
        part = key, function is self._derive
        result = None if key is None else DERIVED.get(part)
        if result is None:
            uses = Extensions.uses
            result = function(argument_types)
            if key is not None and Extensions.uses == uses:
                DERIVED.put(part, result)
        return result

    def _named_function(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types with a name that no other function has in any process."""
        uses, key = Extensions.uses, self.key(argument_types)
        function = self.derive(argument_types)
        number = f"{UNKEYED}{next(_numbers):0{NAME_LENGTH - len(UNKEYED)}d}"
        is_keyed = key is not None and Extensions.uses == uses
        function.__qualname__ = f"{function.__name__}_{key[:NAME_LENGTH] if is_keyed else number}"
        return function


def generated_function(name: str, source: str, what: str, scope: dict[str, Any]) -> FunctionType:
    """Returns the function ``name`` of a text, which tracebacks call ``what``."""
    filename = f"<{what} {next(_numbers)}: {name}>"
    return function_from_source(name, source, filename, {"__name__": __name__, **scope})


def stub_of(function: FunctionType, prefix: str, more: Sequence[str] = ()) -> FunctionType:
    """Returns a function with the parameters of ``function``, with ``more`` after them, and a name that starts with ``prefix``."""
    name = f"{prefix}_{name_in_source(function.__name__)}"
    parameters = [*parameter_names(function), *more]
    source = f"def {name}({', '.join(parameters)}):\n    raise NotImplementedError\n"
    stub = generated_function(name, source, "signature", {})
    if not more:
        stub.__defaults__ = function.__defaults__
    stub.__doc__ = function.__doc__
    return stub


# ---- what users pass ------------------------------------------------------------------------------------------------


def wrapped_function(function: Any, owner: str) -> FunctionType:
    """Returns the Python function of ``function``, which may be one that Numba compiled, or a derivative."""
    if isinstance(function, DerivedDispatcher):
        return _caller_of(function)
    python_function = getattr(function, "py_func", function)
    if not isinstance(python_function, FunctionType):
        raise TypeError(f"{owner}: expected a Python function or one compiled by numba.njit, got {function!r}.")
    kinds = {parameter.kind for parameter in inspect.signature(python_function).parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        raise TypeError(f"{owner}: {python_function.__name__} takes *args or **kwargs. Give each parameter a name.")
    return python_function


@functools.lru_cache(maxsize=256)
def _caller_of(derived: Any) -> FunctionType:
    """Returns a Python function that calls a derivative, so that it can be differentiated as any other function."""
    parameters = ", ".join(parameter_names(derived.py_func))
    name = derived.py_func.__name__
    source = f"def {name}({parameters}):\n    return derived({parameters})\n"
    return generated_function(name, source, "call", {"derived": derived})


def parameter_names(function: FunctionType) -> list[str]:
    """Returns the names of a function's parameters."""
    return list(inspect.signature(function).parameters)


def parameter_positions(argnums: int | Sequence[int], function: FunctionType, owner: str) -> tuple[int, ...]:
    """Returns the numbers of the parameters that ``argnums`` names."""
    count = len(inspect.signature(function).parameters)
    numbers: tuple[Any, ...] = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not -count <= number < count:
            raise ValueError(
                f"{owner}: argnums is {argnums!r}, but {function.__name__} has {count} parameters: use numbers from 0 to {count - 1}."
            )
    numbers = tuple(int(number) % count for number in numbers)
    if len(set(numbers)) != len(numbers) or not numbers:
        raise ValueError(f"{owner}: argnums is {argnums!r}: use different numbers, at least one.")
    return numbers
