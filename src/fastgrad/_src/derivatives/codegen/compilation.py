"""The dispatchers of derivatives: Numba dispatchers that derive their code from another function at the first call."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.codegen.extensions import Extensions
from fastgrad._src.derivatives.codegen.inferred_overloads import inferred_callees
from fastgrad._src.derivatives.codegen.text_pipeline import DirectJumpCompiler
from fastgrad._src.derivatives.functions.content import argument_text, content_of, lines_of
from fastgrad._src.derivatives.functions.numba_types import UnknownType
from fastgrad._src.derivatives.functions.options import known_arguments
from fastgrad._src.derivatives.functions.parameters import Types
from fastgrad._src.derivatives.output.tree import GENERAL
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.code_library import NAME_LENGTH, UNKEYED, use_derivative_library, use_lane_library
from fastgrad._src.jit.dispatcher_cache import DispatcherCache, RecentlyUsed
from fastgrad._src.jit.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled
from fastgrad._src.jit.key_texts import NoKeyError
from fastgrad._src.jit.numba_internals import CPUDispatcher, _FunctionCompiler, sigutils
from fastgrad._src.jit.phases import watch_numba
from fastgrad._src.jit.progress import COMPILATION_PROGRESS

watch_numba()
_numbers = itertools.count()
SETTINGS = ("FASTGRAD_CHECKPOINT_BYTES", "FASTGRAD_TAPE_BYTES")
"""The environment variables whose values derivatives contain."""


OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy"}
"""How Numba compiles derivatives."""


class DerivativeCompiler(DirectJumpCompiler):
    """Numba's nopython pipeline with direct jumps, and a code library of its own."""

    use_library = use_derivative_library


class LaneCompiler(DerivativeCompiler):
    """The compiler of derivatives that compute several tangents."""

    use_library = use_lane_library


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


def check_jit_is_enabled(name: str) -> None:
    """Raises RuntimeError if Numba may not compile; the message begins with ``name``."""
    if jit_is_disabled():
        raise RuntimeError(f"{name}: Numba compiles derivatives, and {DISABLE_JIT_VARIABLE} forbids it; unset it.")


class DerivedDispatcher(CPUDispatcher):  # type: ignore[misc]
    """A dispatcher with the signature of ``stub`` whose code for argument types is that of ``derive`` of them.

    Args:
        stub: a function of the same parameters.
        recipe: the function that returns such a dispatcher, and its arguments: the user's function and plain values.
        derive: returns the Python function for argument types.
        call_rule: how a call of the dispatcher is differentiated (``Calls._call_with_rule``). Default: by ``derive``.
        pipeline: Numba's passes.
    """

    is_late = False
    """Whether Numba compiles it when code that calls it needs it."""

    def __init__(
        self,
        stub: FunctionType,
        recipe: tuple[Any, ...],
        derive: Callable[[Types], FunctionType],
        call_rule: Callable[[Types], Any] | None = None,
        pipeline: type[DerivativeCompiler] = DerivativeCompiler,
    ) -> None:
        super().__init__(stub, targetoptions=OPTIONS)
        self.recipe = recipe
        self._derive = derive
        self._call_rule = derive if call_rule is None else call_rule
        self._pipeline = pipeline
        self._compiler: Any = _DerivedFunctionCompiler(stub, self.targetdescr, self._uniquely_named_function, pipeline)
        self._cache = DispatcherCache(self.key, lambda: lines_of(self))
        self._results = RecentlyUsed()
        self._key_of_compilation: tuple[Types, str | None] | None = None
        self._arguments: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        maker, *arguments = self.recipe
        return maker, tuple(arguments)

    def typeof_pyval(self, val: Any) -> types.Type:
        """Returns Numba's type of an argument, also if Numba does not know its class."""
        found = super().typeof_pyval(val)
        return UnknownType(type(val)) if found == types.pyobject else found

    def compile(self, signature: Any) -> Any:
        """Derives and compiles the function for a signature."""
        check_jit_is_enabled(self.py_func.__name__)  # not sooner: a package that makes derivatives can be imported
        argument_types = sigutils.normalize_signature(signature)[0]
        self._key_of_compilation = argument_types, self._new_key(argument_types)
        try:
            with inferred_callees(), COMPILATION_PROGRESS.of_derivative(self.py_func.__name__):
                return super().compile(signature)
        finally:
            self._key_of_compilation = None

    def key(self, argument_types: Types) -> str | None:
        """Returns the hash of all that the derivative for argument types depends on, or None if that can't be told.

        While the derivative is compiled it is the one from the beginning.
        """
        known = self._key_of_compilation
        return known[1] if known is not None and known[0] == argument_types else self._new_key(argument_types)

    def _new_key(self, argument_types: Types) -> str | None:
        try:
            settings = [os.environ.get(variable, "") for variable in SETTINGS]
            return digest("\n".join([content_of(self), *map(argument_text, argument_types), *settings]).encode())
        except NoKeyError:
            return None

    def derive(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types."""
        with known_arguments(self._arguments):
            function: FunctionType = self._cached_by_key(self._derive, argument_types)
        if GENERAL in function.__globals__:
            function.__globals__[GENERAL] = general_derivative(self)
        return function

    def derive_general(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types, for arrays of all sizes."""
        with known_arguments(None):
            return self._derive(argument_types)

    def _compile_for_args(self, *arguments: Any, **keywords: Any) -> Any:
        self._arguments = arguments
        try:
            return super()._compile_for_args(*arguments, **keywords)
        finally:
            self._arguments = ()

    def call_rule(self, argument_types: Types) -> Any:
        """Returns how a call is differentiated."""
        return self._cached_by_key(self._call_rule, argument_types)

    def _cached_by_key(self, function: Callable[[Types], Any], argument_types: Types) -> Any:
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

    def _uniquely_named_function(self, argument_types: Types) -> FunctionType:
        """Returns the Python function for argument types with a name that no other function has in any process."""
        uses, key = Extensions.uses, self.key(argument_types)
        function = self.derive(argument_types)
        number = f"{UNKEYED}{next(_numbers):0{NAME_LENGTH - len(UNKEYED)}d}"
        if key is not None and Extensions.uses == uses:
            number = key[:NAME_LENGTH]
        function.__qualname__ = f"{function.__name__}_{number}"
        return function


def general_derivative(derivative: DerivedDispatcher) -> DerivedDispatcher:
    """Returns a derivative that takes no sizes of arguments for constants. Numba compiles it when arguments need it."""
    general = DerivedDispatcher(
        derivative.py_func,
        (general_derivative, derivative),
        derivative.derive_general,
        derivative._call_rule,
        derivative._pipeline,
    )
    general.is_late = True
    return general
