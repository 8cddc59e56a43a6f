"""The code libraries of dispatchers with machine code in the disk cache, and the passes that make these libraries."""

from __future__ import annotations

import functools
import importlib
import itertools
import weakref
from typing import Any

from llvmlite import binding

from fastgrad._src.jit import exponential, ordered_sums
from fastgrad._src.jit.compiler_passes import as_pass
from fastgrad._src.jit.libraries import is_of_library
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import codegen, environment
from fastgrad._src.jit.stack_slots import register_symbols

NAME_LENGTH = 24
"""The number of digits of a key that a function's name has."""
ARRAY_EXPRESSION = "__numba_array_expr"
MOST_BLOCKS_TWICE = 1_500
"""The most blocks of a module that LLVM optimizes twice, as Numba does. The code of larger ones is as fast after one time, which takes two thirds as long."""
UNKEYED = "unkeyed"
"""The start of these digits of a function without a key."""


_UNWRAPPER = "__excinfo_unwrap_args"
"""The names of functions that make the arguments of an exception begin with this. Those of one name read environments of their own."""


CALLED: dict[tuple[str, str], Any] = {}
"""The dispatchers of the functions of this package whose machine code derivatives call, by module and name."""
CALLED_AS: weakref.WeakKeyDictionary[Any, tuple[str, str, tuple[Any, ...]]] = weakref.WeakKeyDictionary()
"""The module, the name and the argument types of such a function, by the library that has the machine code."""


def load_called(module: str, name: str, argument_types: tuple[Any, ...]) -> None:
    """Loads the machine code of a function that derivatives call, or compiles it."""
    importlib.import_module(module)
    CALLED[module, name].compile(argument_types)


class CallingLibrary(codegen.JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """The code of functions, which calls the machine code of large functions of this package. All other functions that it calls are linked.

    Attributes:
        links_all: whether the large functions are linked, too.
        called: the libraries of the large functions.
    """

    links_all = False

    def __init__(self, owner: Any, name: str) -> None:
        super().__init__(owner, name)
        self.called: list[Any] = []
        self._whole: Any = None

    def add_linking_library(self, library: Any) -> None:
        """Adds the library of a function that is called."""
        library._ensure_finalized()
        large = [library] if library in CALLED_AS else getattr(library, "called", [])
        of_this = [] if self.links_all else large
        self.called += [one for one in of_this if one not in self.called]
        if library not in of_this:
            super().add_linking_library(library.own_code if of_this else library)

    @functools.cached_property
    def own_code(self) -> _OwnCode:
        """The code without that of the large functions."""
        return _OwnCode(self)

    def own_module(self) -> Any:
        """Returns the LLVM module of the code without that of the large functions."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """Returns the LLVM module for libraries of Numba, which may be kept on disk: the large functions are a part of it."""
        if self._whole is None:
            self._whole = self.own_module()
            if self.called:
                self._whole = self._whole.clone()
            for library in self.called:
                self._whole.link_in(library._get_module_for_linking(), preserve=True)
        return self._whole


class _OwnCode:
    """A library for linking that has no code of the large functions which another library calls."""

    def __init__(self, library: CallingLibrary) -> None:
        self._library = library
        self._reload_init = library._reload_init
        self._get_module_for_linking = library.own_module

    def _ensure_finalized(self) -> None:
        self._library._ensure_finalized()


class CodeLibrary(CallingLibrary):
    """The code of a function of this package, with all that it calls as private functions.

    Numba tells functions of one name apart by numbers that count up in each process, so that a loaded function could take the place of another.
    Here only the function itself is public, whose name ends with the hash of its key.
    """

    links_all = True

    def __init__(self, owner: Any, name: str) -> None:
        super().__init__(owner, name)
        self.environments: list[tuple[str, Any]] = []
        self.has_foreign_code = False
        self._reload_init.add(register_symbols)
        self.enable_object_caching()

    def _optimize_functions(self, ll_module: Any) -> None:
        """Runs no passes for single functions: those for the module do the same, take less time together, and vectorize more loops."""
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        own = self.name.rpartition("_")[2]
        for function in self._final_module.functions:
            is_unwrapper = function.name.startswith(_UNWRAPPER)
            is_private = is_unwrapper or function.name.startswith("_ZN")
            if is_private and own not in function.name and not function.is_declaration:
                self.has_foreign_code |= not is_unwrapper and _is_foreign(function.name)
                function.linkage = (
                    "internal"  # LLVM may change how it is called: code that is loaded later must not find it
                )
                function.name = f"{function.name}_{own}"
        for variable in self._final_module.global_variables:
            if variable.name.startswith("_ZN08NumbaEnv") and own not in variable.name:
                values = environment.lookup_environment(variable.name)
                variable.name = f"{variable.name}_{own}"
                if values is not None:
                    self.environments.append((variable.name, values))
        exponential.replace_exponentials(self._final_module, self._codegen)
        with ordered_sums.vector_code(self._final_module.triple):
            self._run_passes()
        exponential.inline_exponentials(self._final_module, self._codegen)

    def _run_passes(self) -> None:
        if sum(1 for function in self._final_module.functions for _ in function.blocks) <= MOST_BLOCKS_TWICE:
            super()._optimize_final_module()
            return
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._shared_module = _module_for_linking(self._final_module)
        super()._finalize_final_module()

    def _finalize_specific(self) -> None:
        super()._finalize_specific()
        for name, values in self.environments:
            self.codegen.set_env(name, values)


def _module_for_linking(module: Any) -> Any:
    """Returns a copy of an optimized module that others may link and optimize again.

    Numba copies a module after it has become machine code. Code generation rewrites it then: it may split an address that is an integer into a
    pointer made of one summand and an offset that is the other. If the first summand becomes the constant 0 in a caller, LLVM takes the address for
    null and removes the store.
    """
    copy = module.clone()
    for function in copy.functions:
        if not function.is_declaration and function.linkage == binding.Linkage.external:
            function.linkage = "linkonce_odr"  # callers may have it several times, as in Numba
    return copy


class DerivativeLibrary(CodeLibrary):
    """The code of a derivative, which calls the machine code of large functions."""

    links_all = False


class LaneLibrary(DerivativeLibrary):
    """The code of a derivative that computes several tangents in the lanes of vectors."""

    def _run_passes(self) -> None:
        # Numba leaves out the SLP vectorizer because LLVM miscompiled with it (numba/numba#8852). Tests compare its tangents with those of single runs.
        # The loop vectorizer runs before it, and would put several iterations in a vector: the tangents of one iteration are neighbours in memory.
        if not is_on(Feature.LANES):
            super()._run_passes()
            return
        first = {"opt": self._codegen._opt_level, "cost": "cheap", "slp_vectorize": False}  # inlines calls, as in Numba
        for options in (first, {"slp_vectorize": True}):
            passes, builder = self._codegen._module_pass_manager(loop_vectorize=False, **options)
            passes.run(self._final_module, builder)


def _is_foreign(symbol: str) -> bool:
    """True for a mangled name of a function that no key knows. Array expressions are parts of functions with names of their own."""
    return UNKEYED in symbol or (ARRAY_EXPRESSION not in symbol and not is_of_library(_package_of(symbol)))


def _package_of(symbol: str) -> str:
    """Returns the package of the function that has a mangled name."""
    position, name = len("_ZN"), "cpython"
    while name in {"cpython", "cfunc"}:  # the namespaces of wrappers
        length = int("".join(itertools.takewhile(str.isdigit, symbol[position:])) or 0)
        position += len(str(length))
        name = symbol[position : position + length]
        position += length
    return name


def make_library(state: Any, library: Any) -> bool:
    """Makes the code library of the function that is compiled, of a class; returns False, as nothing of the function changes."""
    state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
    return False


@as_pass(analysis_only=True)
def use_code_library(state: Any) -> bool:
    """Makes the code library of a function of this package."""
    return make_library(state, CodeLibrary)


@as_pass(analysis_only=True)
def use_derivative_library(state: Any) -> bool:
    """Makes the code library of a derivative, which does not link all functions that it calls."""
    return make_library(state, DerivativeLibrary)


@as_pass(analysis_only=True)
def use_lane_library(state: Any) -> bool:
    """Makes the code library of a derivative that computes several tangents."""
    return make_library(state, LaneLibrary)
