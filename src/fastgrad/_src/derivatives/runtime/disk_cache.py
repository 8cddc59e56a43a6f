"""Derivatives on disk: a second process that derives the same function loads machine code, and derives and compiles nothing.

The key is all that a derivative depends on: the transformation, the bytecode of the function and of all that it calls, the values that these read
from outside, the argument types, and the versions of what derives and compiles. What has no key is not kept: a function that reads an object
other than numbers, text, arrays, functions and modules.
"""

from __future__ import annotations

import functools
import itertools
import pickle
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types

from fastgrad._src.core.version import VERSION
from fastgrad._src.derivatives.functions.functions import (
    Snapshot,
    hides_standard_module,
    is_of_library,
    is_user_function,
    outside_values,
)
from fastgrad._src.derivatives.runtime import exponential, ordered_sums
from fastgrad._src.derivatives.runtime.stack_slots import register_symbols
from fastgrad._src.jit import cache, store
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.native import undefined_symbols
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import features_text, is_on
from fastgrad._src.jit.numba_internals import (
    FunctionPass,
    NullCache,
    codegen,
    compiled_blocks,
    compiler,
    config,
    dispatcher,
    environment,
    parallel,
    register_pass,
    rtsys,
    serialize,
    sigutils,
    values_read,
)
from fastgrad._src.jit.source_files import sources_key

_PLAIN = (type(None), type(Ellipsis), bool, int, float, complex, str, bytes)
_CODE_FIELDS = (
    *("co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_varnames", "co_names"),
    *("co_freevars", "co_cellvars", "co_code", "co_exceptiontable"),
)
_MOST_IN_MEMORY = 256
_MOST_BYTES = 10**6  # above, Numba compiles an address
NAME_LENGTH = 24
"""The number of digits of a key that a derivative's name has."""
_ARRAY_EXPRESSION = "__numba_array_expr"
UNKEYED = "unkeyed"
"""The start of these digits of a derivative without a key."""


class NoKeyError(TypeError):
    """A derivative depends on a value that has no text, and is not kept."""


# ---- keys ---------------------------------------------------------------------------------------------------------


def content_of(function: Any, visited: tuple[Any, ...] = ()) -> str:
    """Returns the text that tells a function from all others: its bytecode, and what it reaches.

    Args:
        function: a Python function, one that Numba compiled, or a derivative.
        visited: functions whose content is being made.

    Raises:
        NoKeyError: it reaches a value that has no text.
    """
    if function in visited:
        return f"function {visited.index(function)} of these"
    visited = (*visited, function)
    if hasattr(function, "recipe"):
        maker, inner, *options = function.recipe
        return f"{maker.__name__}{tuple(options)!r} of {content_of(inner, visited)}"
    return _function_text(function, Snapshot([function]), visited)  # with reads of the functions that it calls


def _function_text(function: Any, snapshot: Snapshot, visited: tuple[Any, ...]) -> str:
    texts = [f"{read.label} = {_text(read.recorded, visited, True)}" for read in snapshot.reads]
    # A snapshot has each place once: the order tells which of the functions read it.
    return "\n".join([_text(function, visited, True), _adjoint_text(function, visited), *texts, f"{snapshot.order}"])


class Reached(NamedTuple):
    """All that a user's function reaches. Two of them are equal if it reaches the same objects, whose contents are equal.

    Equal contents are not enough for a result that has the objects: the elements of one of two equal arrays may change later.
    """

    content: str
    objects: tuple[ReachedObject, ...]


class ReachedObject:
    """An object that is equal to itself only. Numbers and texts have an equal content instead."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReachedObject) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


def reached_by(function: Any) -> Reached | None:
    """Returns what a function reaches, which is no derivative; None if something has no text, or a container has objects."""
    snapshot = Snapshot([function])
    values = [read.recorded for read in snapshot.reads if not _is_plain(read.recorded)]
    if any(isinstance(value, (tuple, list, frozenset)) for value in values):
        return None
    try:
        content = _function_text(function, snapshot, (function,))
    except NoKeyError:
        return None
    return Reached(content, tuple(map(ReachedObject, values)))


def _is_plain(value: Any) -> bool:
    """True for numbers and texts, and for tuples of them."""
    return type(value) in _PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _text(value: Any, visited: tuple[Any, ...], has_snapshot: bool = False) -> str:
    """Returns the text of a value; ``has_snapshot`` says that what it reads is told elsewhere."""
    kind = type(value)
    if kind in _PLAIN:
        return f"{kind.__name__} {value!r}"
    if kind in {tuple, list}:
        return f"{kind.__name__} ({', '.join([_text(item, visited) for item in value])})"
    if kind is frozenset:
        return f"frozenset {sorted(_text(item, visited) for item in value)}"
    if kind in {slice, range}:
        return f"{kind.__name__} {_text((value.start, value.stop, value.step), visited)}"
    if isinstance(value, (np.ndarray, np.generic)):
        return _array_text(value)
    if isinstance(value, np.dtype):
        return f"dtype {_dtype_text(value)}"
    if isinstance(value, types.Type):
        return type_text(value)
    if isinstance(value, CodeType):
        fields = [getattr(value, field, None) for field in _CODE_FIELDS]
        return f"code {fields} {[_text(constant, visited) for constant in value.co_consts]}"
    if isinstance(value, ModuleType):
        _check_library(value.__name__)
        return f"module {value.__name__} {_version(value.__name__)}"
    if hasattr(value, "recipe"):
        return content_of(value, visited)
    if not has_snapshot and (is_user_function(value) or isinstance(value, dispatcher.Dispatcher)):
        return content_of(value, visited)
    if isinstance(value, dispatcher.Dispatcher):
        return _dispatcher_text(value, visited)
    if isinstance(value, (FunctionType, BuiltinFunctionType, np.ufunc, type)) or callable(value):
        return _callable_text(value, visited)
    raise NoKeyError(repr(value))


def _dispatcher_text(value: Any, visited: tuple[Any, ...]) -> str:
    options = sorted(f"{name}={option!r}" for name, option in value.targetoptions.items())
    signatures = [] if value._can_compile else value.signatures  # those that the decorator gave
    frozen = [values_read(compiled_blocks(value, signature)) for signature in signatures]
    frozen_text = [_text(sorted(part.items()), visited) for parts in frozen for part in parts]
    own = _text(value.py_func, visited, True)
    local_types = sorted(f"{name}={type}" for name, type in value.locals.items() if name.isidentifier())  # no versions
    return f"compiled {options} {local_types} {signatures} {frozen_text} {own} {_adjoint_text(value, visited)}"


def _callable_text(value: Any, visited: tuple[Any, ...]) -> str:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", getattr(value, "__name__", ""))
    if module is not None and is_of_library(module):
        _check_library(module)
        known: Any = sys.modules.get(module)
        for part in name.split("."):
            known = getattr(known, part, None)
        if known is value:
            return f"{module}.{name} {_version(module)}"
    if not isinstance(value, FunctionType):
        raise NoKeyError(repr(value))
    defaults = _text((value.__defaults__, *sorted((value.__kwdefaults__ or {}).items())), visited)
    text = f"function {_text(value.__code__, visited)} {defaults} {_adjoint_text(value, visited)}"
    if is_user_function(value) or value in visited[:-1]:  # a snapshot tells what it reads, or this is told already
        return text
    return f"{text} {_text([*map(list, sorted(outside_values(value).items()))], (*visited, value))}"


def _adjoint_text(function: Any, visited: tuple[Any, ...]) -> str:
    """Returns the text of the derivatives that a function got by ``fg.adjoint``."""
    rule = getattr(function, "own_adjoint", None)
    if rule is None:
        return ""
    parts = rule.function, rule.adjoint, rule.tangent
    own = [content_of(part, visited) for part in parts if part is not None]
    return f"adjoint {rule.is_constant} {rule.tangent is None} {own}"


def _array_text(value: Any) -> str:
    if type(value) is not np.ndarray and not isinstance(value, np.generic):
        raise NoKeyError(repr(type(value)))
    if value.nbytes > _MOST_BYTES:
        raise NoKeyError(f"an array of {value.nbytes} bytes")
    layout = [value.flags[flag] for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS", "ALIGNED", "WRITEABLE")]
    return f"{type(value).__name__} {_dtype_text(value.dtype)} {value.shape} {layout} {digest(value.tobytes())}"


def _dtype_text(dtype: np.dtype) -> str:
    if dtype.hasobject:
        raise NoKeyError(repr(dtype))
    if dtype.subdtype is not None:
        item, shape = dtype.subdtype
        return f"{shape} of {_dtype_text(item)}"
    places = [(name, *dtype.fields[name][:2]) for name in dtype.names or ()]  # type: ignore[index]  # it has names
    fields = [f"{name!r}: {_dtype_text(part)} at {offset}" for name, part, offset in places]
    return f"{dtype.str} {fields} {dtype.itemsize} {dtype.isalignedstruct}"


def type_text(type: types.Type) -> str:
    """Returns the text of a Numba type.

    Raises:
        NoKeyError: it belongs to an object of this process: a function, a class.
    """
    if isinstance(type, types.Omitted):
        return f"omitted {_text(type.value, ())}"
    is_array = type.__class__ is types.Array
    if is_array and isinstance(type.dtype, (types.Number, types.Boolean)):
        return str(type)
    if isinstance(type, types.Record) or (is_array and isinstance(type.dtype, types.Record)):
        record = type if isinstance(type, types.Record) else type.dtype
        return f"{type} of {[type_text(field.type) for field in record.fields.values()]}"
    if isinstance(type, types.BaseTuple) and not isinstance(type, types.BaseNamedTuple):
        return f"({', '.join(map(type_text, type))})"
    if isinstance(type, types.DType):
        return f"dtype {type_text(type.dtype)}"
    is_plain = isinstance(type, (types.Number, types.NumberClass, types.Boolean, types.NoneType, types.UnicodeType))
    if is_plain or isinstance(type, (types.IntegerLiteral, types.BooleanLiteral, types.StringLiteral)):
        return str(type)
    raise NoKeyError(str(type))


def _check_library(module: str) -> None:
    """Raises NoKeyError if a user's module has the name of one in Python's library."""
    if hides_standard_module(module.partition(".")[0]):
        raise NoKeyError(module)


def _version(module: str) -> str:
    package = sys.modules.get(module.partition(".")[0])
    return str(getattr(package, "__version__", "")) if is_of_library(module) else ""


ORIGINS = ("fastgrad._src.ops", "fastgrad._src.derivatives")
"""The packages that derivatives follow from. The first fills the operation table, whose gradients are the partials of scalar functions."""


@functools.cache
def _surroundings() -> str:
    """Returns the text of what derives and compiles: versions, and the source files that derivatives follow from."""
    return f"fastgrad {VERSION} {sources_key(*ORIGINS)} numba {numba.__version__} numpy {np.__version__} python {sys.version}"


# ---- machine code ---------------------------------------------------------------------------------------------------


_UNWRAPPER = "__excinfo_unwrap_args"
"""The names of functions that make the arguments of an exception begin with this. Those of one name read environments of their own."""


class DerivativeLibrary(codegen.JITCodeLibrary):  # type: ignore[misc]  # Numba has no types
    """The code of a derivative, with all that it calls as private functions.

    Numba tells functions of one name apart by numbers that count up in each process, so that a loaded function could take the place of another.
    Here only the derivative itself is public, whose name ends with the hash of its key.
    """

    def __init__(self, owner: Any, name: str) -> None:
        super().__init__(owner, name)
        self.environments: list[tuple[str, Any]] = []
        self.has_foreign_code = False
        self._reload_init.add(register_symbols)
        self.enable_object_caching()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        for function in ll_module.functions:
            if not function.is_declaration:
                manager, builder = self._codegen._function_pass_manager(opt=1)  # the module is optimized after it
                manager.run(function, builder)

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
            super()._optimize_final_module()
            self._optimize_more()
        exponential.inline_exponentials(self._final_module, self._codegen)

    def _optimize_more(self) -> None:
        """Runs passes after those of Numba."""

    def _finalize_specific(self) -> None:
        super()._finalize_specific()
        for name, values in self.environments:
            self.codegen.set_env(name, values)


class LaneLibrary(DerivativeLibrary):
    """The code of a derivative that computes several tangents in the lanes of vectors."""

    def _optimize_more(self) -> None:
        # Numba leaves out the SLP vectorizer because LLVM miscompiled with it (numba/numba#8852). Tests compare its tangents with those of single runs.
        if is_on(Feature.LANES):
            passes, builder = self._codegen._module_pass_manager(slp_vectorize=True)
            passes.run(self._final_module, builder)


def _is_foreign(symbol: str) -> bool:
    """True for a mangled name of a function that no key knows. Array expressions are parts of functions with names of their own."""
    return UNKEYED in symbol or (_ARRAY_EXPRESSION not in symbol and not is_of_library(_package_of(symbol)))


def _package_of(symbol: str) -> str:
    """Returns the package of the function that has a mangled name."""
    position, name = len("_ZN"), "cpython"
    while name in {"cpython", "cfunc"}:  # the namespaces of wrappers
        length = int("".join(itertools.takewhile(str.isdigit, symbol[position:])) or 0)
        position += len(str(length))
        name = symbol[position : position + length]
        position += length
    return name


@register_pass(mutates_CFG=False, analysis_only=True)
class UseDerivativeLibrary(FunctionPass):  # type: ignore[misc]
    """Makes the code library of a derivative."""

    _name = "fastgrad_derivative_library"
    library = DerivativeLibrary

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Sets ``state.library``."""
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class UseLaneLibrary(UseDerivativeLibrary):
    """Makes the code library of a derivative that computes several tangents."""

    _name = "fastgrad_lane_library"
    library = LaneLibrary


class RecentlyUsed:
    """A dict of the keys that were used last."""

    def __init__(self) -> None:
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        """Returns a value, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Any, value: Any) -> None:
        """Keeps a value."""
        self._values[key] = value
        if len(self._values) > _MOST_IN_MEMORY:
            self._values.popitem(last=False)


COMPILED = RecentlyUsed()
"""What Numba made of derivatives, by the text that it depends on: derivatives of one text are compiled once."""


class DerivativeCache(NullCache):  # type: ignore[misc]
    """The cache of a derivative's dispatcher, in memory and on disk. It keeps nothing if derivatives have Numba's own code libraries.

    Args:
        key_of: maps argument types to the key, or to None.
    """

    def __init__(self, key_of: Callable[[tuple[Any, ...]], str | None]) -> None:
        self._key_of = key_of

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Returns what Numba made of a derivative for argument types, in this process or an earlier one; None if it has to be compiled."""
        key = self._key_of(sigutils.normalize_signature(signature)[0]) if is_on(Feature.LIBRARIES) else None
        if key is None:
            return None
        content = _content(key)
        result = COMPILED.get(content)
        if result is not None:  # each dispatcher has an entry of its own, which it removes when it is deleted
            entry = target.get_executable(result.library, result.fndesc, result.environment)
            return result._replace(entry_point=entry, metadata=None)
        entry = store.load(content)
        if entry is None:
            return None
        reduced, environments = pickle.loads(zlib.decompress(entry.code))  # noqa: S301 - other users can't write it, see jit/cache.py
        rtsys.initialize(target)
        if "numba_parallel_for" in entry.symbols:
            parallel._launch_threads()  # Numba knows it from then on
        if not _has_symbols(entry.symbols):
            target.refresh()  # loads all that Numba has: it takes longer than all else here
            if not _has_symbols(entry.symbols):
                return None
        result = compiler.CompileResult._rebuild(target, *reduced)
        result.library.environments = [(name, _environment(*values)) for name, *values in environments]
        for name, values in result.library.environments:
            result.library.codegen.set_env(name, values)
        COMPILED.put(content, result)
        return result

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keeps what Numba made of a derivative, if it holds in other processes."""
        key = self._key_of(sigutils.normalize_signature(signature)[0]) if is_on(Feature.LIBRARIES) else None
        library = result.library
        if key is None or library.has_foreign_code or result.fndesc.qualname.rpartition("_")[2] != key[:NAME_LENGTH]:
            return
        if library.has_dynamic_globals or not all(map(_can_be_kept, library.environments)):
            return
        try:
            type_text(result.signature.return_type)
        except NoKeyError:
            return
        content = _content(key)
        COMPILED.put(content, result)
        environments = [
            (name, values.globals.get("__name__", __name__), values.consts) for name, values in library.environments
        ]
        reduced = result._reduce()
        _, _, (machine_code, _) = reduced[0]
        symbols = undefined_symbols(machine_code)
        if symbols is not None:
            code = zlib.compress(serialize.dumps((reduced, environments)), 1)
            store.save(content, cache.Entry(code, tuple(symbols)))


def _can_be_kept(named: tuple[str, Any]) -> bool:
    """True if an environment can be made again; those of Numba's array expressions have no module, and need none."""
    name, values = named
    return _ARRAY_EXPRESSION in name or values.can_cache()


def _has_symbols(names: Sequence[str]) -> bool:
    return all(llvm.address_of_symbol(name) is not None for name in names)


_OF_NO_CODE = ("CACHE", "THREAD", "COLOR", "WARN", "DUMP", "HELP")
"""Words in the names of Numba's settings that no code depends on."""


def _content(key: str) -> str:
    settings = [
        f"{name}={value!r}"
        for name, value in sorted(vars(config).items())
        if name.isupper() and not any(word in name for word in _OF_NO_CODE)
    ]
    return f"derivative {key}\n{_surroundings()}\n{settings} {exponential.is_known()} {features_text()}"


def _environment(module: str, constants: list[Any]) -> Any:
    values = environment.Environment({"__name__": module})  # compiled code reads the constants alone
    values.consts[:] = constants
    return values
