"""Functions of this package that derivatives call. Numba compiles each once; later processes load its code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
from llvmlite import binding as llvm
from numba import types

from fastgrad._src.jit.body import digest
from fastgrad._src.jit.code_library import CALLED, CALLED_AS, NAME_LENGTH, UNKEYED, use_code_library
from fastgrad._src.jit.dispatcher_cache import DispatcherCache
from fastgrad._src.jit.jit_switch import jit_is_disabled
from fastgrad._src.jit.key_texts import NoKeyError, type_text
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import (
    CompilerBase,
    CPUDispatcher,
    DefaultPassBuilder,
    FixupArgs,
    PassManager,
    _FunctionCompiler,
)


class _Compiler(CompilerBase):  # type: ignore[misc]  # Numba has no types
    """Numba's nopython pipeline with the code library of derivatives."""

    def define_pipelines(self) -> list[PassManager]:
        """Returns the passes."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        if is_on(Feature.LIBRARIES):
            passes.add_pass_after(use_code_library, FixupArgs)
            passes.finalize()
        return [passes]


class _NamingCompiler(_FunctionCompiler):  # type: ignore[misc]
    """Compiles a function under a name that ends with the hash of its key, as its code library needs."""

    def __init__(
        self, function: FunctionType, target: Any, options: dict[str, Any], key_of: Callable[..., Any]
    ) -> None:
        super().__init__(function, target, options, {}, _Compiler)
        self._key_of = key_of

    def _get_implementation(self, args: Any, kws: Any) -> FunctionType:
        function = self.py_func
        copy = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
        key = self._key_of(tuple(args)) or UNKEYED
        copy.__module__, copy.__qualname__ = function.__module__, f"{function.__qualname__}_{key[:NAME_LENGTH]}"
        return copy


class LibraryFunction(CPUDispatcher):  # type: ignore[misc]
    """A dispatcher of a function of this package, whose machine code is an entry of the kernel cache.

    The code is for calls by compiled functions. Calls from Python compile the function a second time, with wrappers: these take a third of a compilation.

    Args:
        function: the function.
        options: Numba's.
        links_code: whether derivatives link the code, as LLVM IR. They call the machine code of the others, which LLVM need not compile with each derivative.
    """

    def __init__(self, function: FunctionType, options: dict[str, Any], links_code: bool) -> None:
        self._options = options
        self._links_code = links_code
        if not links_code:
            CALLED[function.__module__, function.__qualname__] = self
        without_wrappers = {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        super().__init__(function, targetoptions={**without_wrappers, **options})
        self._compiler: Any = _NamingCompiler(function, self.targetdescr, self.targetoptions, self.key)
        self._cache = DispatcherCache(self.key)

    def __call__(self, *args: Any, **kws: Any) -> Any:
        """Calls the function from Python."""
        return self._for_python(*args, **kws)

    @functools.cached_property
    def _for_python(self) -> Any:
        """The dispatcher of calls from Python."""
        return numba.njit(**self._options)(self.py_func)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Returns the template of a call; numbers in the code of the caller are arguments as all others, so that they need no code of their own."""
        return super().get_call_template(
            tuple(map(types.unliteral, args)), {name: types.unliteral(type) for name, type in kws.items()}
        )

    def add_overload(self, result: Any) -> None:
        """Adds what Numba made of the function for argument types."""
        name = result.fndesc.llvm_func_name
        if not self._links_code and is_on(Feature.LIBRARIES) and UNKEYED not in name:
            function, library = self.py_func, result.library
            llvm.add_symbol(name, library.get_pointer_to_function(name))
            CALLED_AS[library] = function.__module__, function.__qualname__, tuple(result.signature.args)
        super().add_overload(result)

    def key(self, argument_types: tuple[Any, ...]) -> str | None:
        """Returns the hash of the function's name and its argument types; the cache adds the files of this package."""
        function = self.py_func
        try:
            words = [function.__module__, function.__qualname__, *map(type_text, argument_types)]
        except NoKeyError:
            return None
        return digest("\n".join(words).encode())


def njit_kept_on_disk(links_code: bool = True, **options: Any) -> Callable[[Any], Any]:
    """Returns a decorator as ``numba.njit(**options)`` is one, for functions of this package whose code is kept on disk."""

    def decorate(function: Any) -> Any:
        return function if jit_is_disabled() else LibraryFunction(function, options, links_code)

    return decorate
