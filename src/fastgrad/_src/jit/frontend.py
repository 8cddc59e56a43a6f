"""Numba as the compiler of kernels' bodies: lowers a Python function over pointers and numbers to LLVM IR.

A body's globals become objects that Numba knows on the target machine. A scalar function is compiled once on each
machine for its argument types: its IR goes to the disk cache. `numba_target` has the Numba target.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numba.core import compiler, errors
from numba.core import types as numba_types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typing import make_concrete_template
from numba.core.typing import signature as typing_signature
from numba.core.typing.templates import fold_arguments

from fastgrad._src.jit import cache, store
from fastgrad._src.jit.body import ByDtype, DtypeConstant, Special, digest, fingerprint, is_scalar_function
from fastgrad._src.jit.numba_target import HASHED_SYMBOL_PREFIX, KernelPipeline, ScalarTyping, registered_target

types: Any = numba_types  # Numba adds names to this module when it is imported

TypeName = str
"""The type of a parameter: a NumPy dtype's name, `none`, or a name after `*` (pointer) or `**` (pointer to
pointers)."""


class CompileError(RuntimeError):
    """Numba refuses a function; the message has Numba's reason, and the line of the function."""


class Body(NamedTuple):
    """A compiled body of a kernel: LLVM IR that defines `@.body`, and the modules of the functions it calls."""

    text: str
    modules: tuple[Any, ...]


class Machine(NamedTuple):
    """The machine that bodies are compiled for.

    Attributes:
        name: for messages.
        intrinsics: the replacement of each `Special`, and of each scalar function that has another implementation on
            this machine: an `@intrinsic`, or a scalar function.
        pointer: the Numba type of a pointer to elements of a Numba type.
        leaves: whether functions return a status, so that an access outside of an array ends the kernel.
        inlines: whether LLVM inlines the body into its caller.
        keeps: whether the IR of scalar functions goes to the disk cache.
    """

    name: str
    intrinsics: Mapping[Any, Any]
    pointer: Callable[[Any], Any]
    leaves: bool = False
    inlines: bool = False
    keeps: bool = False


class _CompiledFunction(NamedTuple):
    """A function that Numba has compiled for some argument types: its types, declaration and LLVM IR."""

    signature: Any
    fndesc: Any
    library: Any


class Frontend:
    """Numba's contexts for one machine, and the functions compiled so far."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.typing = ScalarTyping()
        self.target = registered_target(
            self.typing, machine.name, machine.leaves, lambda **_: lambda function: ScalarFunction(self, function, {})
        )
        self._functions: dict[Any, ScalarFunction] = {}

    def compile(self, function: FunctionType, arguments: tuple, result: Any) -> _CompiledFunction:
        """Compiles a function whose globals are those of `with_compilable_globals`."""
        flags = compiler.Flags()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        flags.error_model = "numpy"
        flags.nrt = False
        flags.forceinline = True
        library = self.target.codegen().create_library(function.__name__)
        try:
            outcome = compiler.compile_extra(
                self.typing,
                self.target,
                function,
                arguments,
                result,
                flags,
                {},
                library=library,
                pipeline_class=KernelPipeline,
            )
        except errors.NumbaError as error:
            raise CompileError(f"{_source_location(function)}: {error}") from error
        library.finalize()
        return _CompiledFunction(outcome.signature, outcome.fndesc, library)

    def with_compilable_globals(
        self, function: FunctionType, variables: Mapping[str, TypeName], symbol: str = ""
    ) -> FunctionType:
        """Returns a copy of a function whose globals are its type variables' types, and objects that Numba can compile.

        Args:
            function: any function.
            variables: the dtypes of its type variables.
            symbol: the name of the copy; the function's name if empty.
        """
        scope = {name: value for name, value in function.__globals__.items() if name.startswith("__")}
        for name in function.__code__.co_names:
            if name in function.__globals__:
                scope[name] = self._compilable_global(function.__globals__[name], variables)
        for name, element in variables.items():
            scope[name] = self.numba_type(element)
        copied = FunctionType(function.__code__, scope, symbol or function.__name__, None, function.__closure__)
        copied.__qualname__ = symbol or function.__qualname__
        copied.__module__ = function.__module__
        return copied

    def _compilable_global(self, value: Any, variables: Mapping[str, TypeName]) -> Any:
        """Returns the value of a body's global for Numba's compilation."""
        if isinstance(value, type) and issubclass(value, np.generic):
            return self.numba_type(np.dtype(value).name)
        if isinstance(value, DtypeConstant):
            return value.values[variables["T"]]
        given = self.machine.intrinsics.get(value, value) if value.__hash__ is not None else value
        if isinstance(given, Special):
            raise CompileError(f"{given.name} has no meaning on {self.machine.name}")
        return self.scalar_function(given, variables) if _is_scalar_or_dtype_function(given) else given

    def scalar_function(self, function: Any, variables: Mapping[str, TypeName]) -> ScalarFunction:
        """Returns a scalar function, or a choice by dtype, for the dtypes of a kernel's type variables."""
        used = tuple([(name, kind) for name, kind in variables.items() if name in globals_used(function)])
        if (function, used) not in self._functions:
            self._functions[function, used] = ScalarFunction(self, function, dict(used))
        return self._functions[function, used]

    def numba_type(self, kind: TypeName) -> Any:
        """Returns the Numba type of a type's name."""
        if kind[0] == "*":
            return self.machine.pointer(self.numba_type(kind[1:]))
        return types.uint8 if kind == "bool" else getattr(types, kind)


class ScalarFunction:
    """A function of numbers and pointers as Numba sees it in a body's globals; typing a call of it compiles it.

    Args:
        frontend: the frontend that compiles it.
        function: a function, or a choice by the dtype of the first argument.
        variables: the dtypes of the type variables that it uses.
    """

    is_compiling = False  # Numba reads this, to find recursion

    def __init__(self, frontend: Frontend, function: Any, variables: Mapping[str, TypeName]) -> None:
        self.__name__ = (
            "/".join(f.__name__ for f in function.functions_by_dtype.values())
            if isinstance(function, ByDtype)
            else function.__name__
        )
        self._frontend = frontend
        chosen: Mapping[Any, Any] = function.functions_by_dtype if isinstance(function, ByDtype) else {None: function}
        self._choices = chosen
        self._variables = variables
        self._compiled: dict[tuple, tuple[object, _CompiledFunction]] = {}
        self._compiling: set[tuple] = set()

    @property
    def _numba_type_(self) -> Any:
        return types.Dispatcher(self)

    def compiled_function(self, arguments: tuple) -> Any:
        """Returns Numba's result for these argument types.

        Raises:
            CompileError: the function calls itself.
        """
        return self._overload(tuple([types.unliteral(kind) for kind in arguments]))[1]

    def _overload(self, arguments: tuple) -> tuple[object, Any]:
        if arguments not in self._compiled:
            function = self._choices.get(None) or self._choices[str(arguments[0])]
            if arguments in self._compiling:
                raise CompileError(f"{_source_location(function)}: {self.__name__} calls itself")
            self._compiling.add(arguments)
            try:
                outcome = self._compile_or_load(function, arguments)
            finally:
                self._compiling.discard(arguments)
            key = object()
            self._frontend.target.insert_user_function(key, outcome.fndesc, [outcome.library])
            self._compiled[arguments] = key, outcome
        return self._compiled[arguments]

    def _compile_or_load(self, function: FunctionType, arguments: tuple) -> _CompiledFunction:
        """Compiles the function for some argument types, or loads it from the disk cache."""
        content = self._cache_key(function, arguments) if self._frontend.machine.keeps else None
        if content is None:
            return self._frontend.compile(
                self._frontend.with_compilable_globals(function, self._variables), arguments, None
            )
        entry = store.load(content)
        symbol = HASHED_SYMBOL_PREFIX + digest(content.encode())[:32]
        if entry is not None:
            return self._function_from_cache(entry, symbol, arguments)
        outcome = self._frontend.compile(
            self._frontend.with_compilable_globals(function, self._variables, symbol), arguments, None
        )
        result = _storable_type_name(outcome.signature.return_type)
        if result is not None:
            names = json.dumps(result, separators=(",", ":"))
            store.save(content, cache.Entry(outcome.library.bitcode(symbol), (names,)))
        return outcome

    def _cache_key(self, function: FunctionType, arguments: tuple) -> str | None:
        """Returns the cache key of a function's IR; None if the function is short or reads objects without a text."""
        if bytecode_size(function) < LEAST_CACHED_BYTECODE:
            return None
        try:
            body = fingerprint(function)
        except TypeError:
            return None
        return f"function {function.__name__}{arguments}\ntypes {self._variables}\nbody {body}"

    def _function_from_cache(self, entry: cache.Entry, symbol: str, arguments: tuple) -> _CompiledFunction:
        """Returns a function that `_compile_or_load` compiled in another process."""
        target = self._frontend.target
        library = target.codegen().create_library(symbol)
        library.add_bitcode(entry.code)
        library.finalize()
        result = _type_of_names(json.loads(entry.symbols[0]))
        names = [f"a{i}" for i in range(len(arguments))]
        declared = SimpleNamespace(
            mangled_name=symbol, restype=result, argtypes=arguments, args=names, inline=True, noalias=False
        )
        return _CompiledFunction(typing_signature(result, *arguments), declared, library)

    def get_call_template(self, args: Any, kws: Any) -> tuple:
        """Returns Numba's typing rule for a call with arguments of these types."""
        pysig = None
        if None in self._choices:  # an overload of Numba may have default values
            pysig = _signature_of(self._choices[None])
            args = fold_arguments(
                pysig,
                args,
                kws,
                lambda _, __, kind: kind,
                lambda _, __, value: types.Omitted(value),
                types.StarArgTuple,
            )
            kws = {}
        signature = self.compiled_function(tuple(args)).signature
        return make_concrete_template(self.__name__, self.__name__, [signature]), pysig, args, kws

    def get_overload(self, arguments: Any) -> object:
        """Returns Numba's key of the function compiled for these types."""
        return self._overload(tuple(arguments))[0]


@functools.cache
def _signature_of(function: FunctionType) -> inspect.Signature:
    return inspect.signature(function)


def _storable_type_name(kind: Any) -> Any:
    """Returns the name of a type of numbers, a list of such names for a tuple; None for other types."""
    if isinstance(kind, types.BaseTuple):
        names = [_storable_type_name(part) for part in kind]
        return None if None in names else names
    numbers = (types.Integer, types.Float, types.Boolean, types.NoneType)
    return str(kind) if isinstance(kind, numbers) and not isinstance(kind, types.Literal) else None


def _type_of_names(names: Any) -> Any:
    """Returns the type for which `_storable_type_name` returned the names."""
    if isinstance(names, list):
        return types.Tuple([_type_of_names(part) for part in names])
    return getattr(types, "boolean" if names == "bool" else names)


def _source_location(function: FunctionType) -> str:
    """Returns a function's name, file and line."""
    code = function.__code__
    return f"{code.co_name} ({code.co_filename}:{code.co_firstlineno})"


def _is_scalar_or_dtype_function(value: Any) -> bool:
    return is_scalar_function(value) or isinstance(value, ByDtype)


LEAST_CACHED_BYTECODE = 600
"""The least bytecode of a function, with all it calls, whose IR is cached on disk: storing takes 2 ms, compiling 8
ms."""


@functools.cache
def globals_used(function: Any) -> frozenset[str]:
    """Returns the names of globals that a scalar function and its callees read, and T if one is a dtype constant."""
    names: set[str] = set()
    for called in _transitive_callees(function):
        names.update(called.__code__.co_names)
        if any(isinstance(called.__globals__.get(name), DtypeConstant) for name in called.__code__.co_names):
            names.add("T")
    return frozenset(names)


def bytecode_size(function: Any) -> int:
    """Returns the number of bytes of bytecode of a scalar function and of all functions that it calls."""
    return sum(len(called.__code__.co_code) for called in _transitive_callees(function))


@functools.cache
def _transitive_callees(function: Any) -> frozenset[FunctionType]:
    """Returns a scalar function, and all functions that it calls."""
    callees: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        next_function = waiting.pop()
        if isinstance(next_function, ByDtype):
            waiting.extend(next_function.functions_by_dtype.values())
        elif is_scalar_function(next_function) and next_function not in callees:
            callees.add(next_function)
            scope = next_function.__globals__
            waiting.extend([scope[name] for name in next_function.__code__.co_names if name in scope])
    return frozenset(callees)


@functools.cache
def frontend(machine: Callable[[], Machine]) -> Frontend:
    """Returns Numba's contexts for a machine."""
    return Frontend(machine())


@global_compiler_lock
def lower_body(
    function: FunctionType,
    arguments: Sequence[TypeName],
    result: TypeName,
    variables: Mapping[str, TypeName],
    noalias: bool,
    in_place: Sequence[tuple[int, int]],
    machine: Callable[[], Machine],
) -> Body:
    """Compiles a body to the function `@.body`.

    Args:
        function: the body.
        arguments: the types of its parameters.
        result: the type of its result: `int64` or `none`.
        variables: the type of each type variable.
        noalias: whether no two arrays overlap, except those of `in_place`.
        in_place: pairs of parameters that are the same array: the function gets the address of the second one for both.
        machine: the target machine.

    Raises:
        CompileError: Numba refuses the body.
    """
    numba = frontend(machine)
    argument_types = tuple([numba.numba_type(kind) for kind in arguments])
    outcome = numba.compile(
        numba.with_compilable_globals(function, variables), argument_types, numba.numba_type(result)
    )
    return Body(_entry_ir(numba, outcome, result, noalias, dict(in_place)), tuple(outcome.library.modules()))


def _entry_ir(frontend: Frontend, outcome: Any, result: TypeName, noalias: bool, in_place: Mapping[int, int]) -> str:
    """Returns the LLVM IR of `@.body`, which calls the compiled function.

    Parameters that are one array get one pointer: `noalias` would be false for two, so LLVM might read an element after
    its write.
    """
    name = outcome.fndesc.llvm_func_name
    kind = frontend.target.call_conv.get_function_type(outcome.fndesc.restype, outcome.fndesc.argtypes)
    leaves = frontend.machine.leaves
    texts = [str(argument) for argument in kind.args][leaves:]
    formal, given, casts = [], [], []
    for i, text in enumerate(texts):
        distinct = " noalias" if noalias and text.endswith(("*", "ptr")) else ""
        formal.append(f"{text}{distinct} %a{i}")
        same = in_place.get(i, i)
        if texts[same] != text:  # before LLVM 15 pointers had types
            casts.append(f"  %same{i} = bitcast {texts[same]} %a{same} to {text}\n")
        given.append(f"{text} %same{i}" if texts[same] != text else f"{text} %a{same}")
    inlining = "alwaysinline" if frontend.machine.inlines else "noinline"
    answer = "i64" if result == "int64" else "void"
    give = "ret i64 %value" if result == "int64" else "ret void"
    head = f"define internal {answer} @.body({', '.join(formal)}) {inlining} nounwind"
    if not leaves:
        return f"""
declare {kind.return_type} @{name}({", ".join(texts)})

{head} {{
{"".join(casts)}  %value = call {kind.return_type} @{name}({", ".join(given)})
  {give}
}}
"""
    return f"""
declare i32 @{name}({", ".join(["ptr", *texts])})

{head} {{
  %result = alloca i64
  store i64 0, ptr %result
  %status = call i32 @{name}({", ".join(["ptr %result", *given])})
  %code = icmp sgt i32 %status, 0
  br i1 %code, label %outside, label %done
outside:
  call void @.blame(ptr @.kernel_name)
  br label %done
done:
  %value = load i64, ptr %result
  {give}
}}
"""
