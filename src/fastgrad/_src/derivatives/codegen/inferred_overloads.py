"""The callees of a differentiated function: Numba infers their types at once, and compiles them only if their code is needed.

Numba compiles each function whose result type it needs. Most of this code is never run: a derivative contains the derivative of a callee, not the
callee. So type inference puts an ``InferredOverload`` among the overloads of a callee's dispatcher. When a derivative calls the callee itself, it
gets the LLVM IR of the callee, which is optimized as a part of the derivative. When Python or another function calls it, Numba compiles it.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import threading
import weakref
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from numba import types

from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingCompiler
from fastgrad._src.derivatives.codegen.functions_of_code import code_of
from fastgrad._src.derivatives.codegen.shape_errors import REPLACEMENTS
from fastgrad._src.jit.code_library import CallingLibrary, make_library
from fastgrad._src.jit.compiler_passes import as_pass
from fastgrad._src.jit.gc_pause import pause_gc
from fastgrad._src.jit.libraries import package_of
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import (
    ConfigStack,
    CPUDispatcher,
    Dispatcher,
    FixupArgs,
    LoweringPass,
    NativeLowering,
    NopythonTypeInference,
    NullCache,
    PassManager,
    _FunctionCompiler,
    compiler,
    cpu_target,
    global_compiler_lock,
    user_function,
)
from fastgrad._src.jit.numba_internals import signature as signature_of_types

_PACKAGE = f"{package_of(__name__)}."
_compile_now = Dispatcher.compile
_deriving_thread: list[int] = []
"""The thread in which a derivative is compiled, once for each context that is open; written under Numba's lock."""


@as_pass(analysis_only=True)
def _return_result_type(state: Any) -> bool:
    """Ends a compilation after type inference: its result is the result type."""
    state.cr = state.return_type
    return False


class _TypeInference(compiler.CompilerBase):  # type: ignore[misc]
    """Numba's passes up to type inference."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("type inference")
        passes.passes.extend(compiler.DefaultPassBuilder.define_untyped_pipeline(self.state).passes)
        passes.add_pass(NopythonTypeInference, "type inference")
        passes.add_pass(_return_result_type, "result type")
        passes.finalize()
        return [passes]


class _LinkedLibrary(CallingLibrary):
    """The LLVM IR of a function that is only linked into other libraries, which optimize it."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@as_pass(analysis_only=True)
def _use_linked_library(state: Any) -> bool:
    """Makes the code library of a function that is only linked.

    A function that may call itself, directly or not, keeps Numba's library: Numba looks up the symbol of such a call when the code is loaded.
    """
    if calls_itself(state.func_id.func) or not is_on(Feature.INFERRED_CALLEES):
        return False
    state.flags.no_compile = state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = True
    return make_library(state, _LinkedLibrary)


@as_pass(LoweringPass, analysis_only=True)
def _tell_callers(state: Any) -> bool:
    """Tells Numba how functions call one that is only linked: gives it an entry point, by which Numba finds the code for callers."""
    if state.flags.no_compile:
        unused: list[Any] = []
        entry_point = unused.append  # Numba takes a C function of Python only; nothing calls this one
        state.targetctx.insert_user_function(entry_point, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=entry_point)
    return False


@functools.cache
def linked_compiler_class(pipeline: Any) -> Any:
    """Returns a compiler class with the passes of another one, for functions that compiled functions alone call: they are only linked."""

    class LinkedCompiler(pipeline):  # type: ignore[misc]
        def define_pipelines(self) -> list[PassManager]:
            pipelines: list[PassManager] = super().define_pipelines()
            for passes in pipelines:
                passes.add_pass_after(_use_linked_library, FixupArgs)
                lowering = next(step for step, _ in passes.passes if issubclass(step, NativeLowering))
                passes.add_pass_after(_tell_callers, lowering)
                passes.finalize()
            return pipelines

    return LinkedCompiler


class _EntryPoint:
    """The key of an overload among Numba's implementations, and its function for Python."""

    def __init__(self, overload: InferredOverload) -> None:
        self._overload = overload

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._overload.compile_result().entry_point(*args, **kwargs)


class InferredOverload:
    """An overload of a dispatcher whose code is made when it is needed. It stands where Numba has its ``CompileResult``.

    Args:
        dispatcher: the dispatcher.
        argument_types: of the overload.
        result: the type of its result.
        flags: Numba's flags of the overload. Some are those of the function that calls it first.
    """

    objectmode = False

    def __init__(self, dispatcher: Any, argument_types: tuple[types.Type, ...], result: types.Type, flags: Any) -> None:
        self.signature = signature_of_types(result, *argument_types)
        self.entry_point = _EntryPoint(self)
        self._dispatcher, self._flags = dispatcher, flags
        self._linked: Any = None
        libraries: list[Any] = []

        def generate_call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            code = self._link_only_result() if is_compiling_derivative() else self.compile_result()
            if code.library not in libraries:
                libraries.append(code.library)
            return user_function(code.fndesc, ())(context, builder, signature, values)

        generate_call.signature = argument_types  # type: ignore[attr-defined]  # read by Numba
        generate_call.libs = libraries  # type: ignore[attr-defined]  # read by Numba after the call is generated
        cpu_target.target_context._defns[self.entry_point].append(generate_call, argument_types)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.compile_result(), name)

    def compile_result(self) -> Any:
        """Returns Numba's ``CompileResult``, which takes the place of this object."""
        overloads, argument_types = self._dispatcher.overloads, self.signature.args
        with global_compiler_lock:
            if overloads.get(argument_types) is self:
                del overloads[argument_types]
                try:
                    with ConfigStack().enter(self._flags):
                        _compile_now(self._dispatcher, argument_types)
                except BaseException:
                    overloads[argument_types] = self
                    raise
            return overloads[argument_types]

    def _link_only_result(self) -> Any:
        """Returns a ``CompileResult`` without machine code."""
        if self._linked is None:
            pipeline = linked_compiler_class(self._dispatcher._compiler.pipeline_class)
            self._linked = _run_compiler(pipeline, self._dispatcher, self.signature.args, self._flags.copy())
        return self._linked


def is_compiling_derivative() -> bool:
    """True if this thread compiles a derivative."""
    return bool(_deriving_thread) and _deriving_thread[-1] == threading.get_ident()


@contextlib.contextmanager
def inferred_callees() -> Iterator[None]:
    """Makes Numba infer callees' types instead of compiling them, in this thread."""
    infers = is_on(Feature.INFERRED_CALLEES)
    with global_compiler_lock, pause_gc():
        if not infers:
            yield
            return
        _deriving_thread.append(threading.get_ident())
        Dispatcher.compile = _infer_or_compile
        try:
            yield
        finally:
            _deriving_thread.pop()
            if not _deriving_thread:
                Dispatcher.compile = _compile_now


def _infer_or_compile(dispatcher: Any, signature: Any) -> Any:
    """Takes the place of Numba's method ``compile``."""
    if is_compiling_derivative() and isinstance(signature, tuple) and _can_be_inferred(dispatcher):
        overload = dispatcher.overloads.get(signature)
        if overload is not None:
            return overload.entry_point
        flags, of = compiler.Flags(), dispatcher._compiler
        of.targetdescr.options.parse_as_flags(flags, of.targetoptions)
        if (dispatcher.py_func.__module__ or "").startswith(_PACKAGE) and "error_model" not in of.targetoptions:
            flags.error_model = "numpy"  # that of derivatives: both call the same code of Numba's functions
        with dispatcher._compiling_counter:
            try:
                result = _run_compiler(_TypeInference, dispatcher, signature, flags)
            except Exception:  # noqa: BLE001  # Numba's compilation raises the error
                result = None
        if result is not None and not isinstance(result, types.Generator):
            overload = dispatcher.overloads[signature] = InferredOverload(dispatcher, signature, result, flags)
            return overload.entry_point
    return _compile_now(dispatcher, signature)


def _run_compiler(pipeline: Any, dispatcher: Any, argument_types: tuple[types.Type, ...], flags: Any) -> Any:
    """Returns the result of a compiler class for a dispatcher's function, or for its replacement in derivatives."""
    of = dispatcher._compiler
    context, target = of.targetdescr.typing_context, of.targetdescr.target_context
    function = REPLACEMENTS.get(of.py_func.__code__, of.py_func)
    return compiler.compile_extra(
        context, target, function, argument_types, None, flags, dict(of.locals), pipeline_class=pipeline
    )


def line_of_with_block(function: FunctionType) -> int | None:
    """Returns the line of the first ``with`` block of a function, such as one of ``numba.objmode``; None if it has none."""
    for instruction in dis.get_instructions(function):
        if instruction.opname == "WITH_EXCEPT_START":
            line: int = getattr(instruction, "positions").lineno  # noqa: B009  # Python 3.11 has it
            return line
    return None


_callees: weakref.WeakKeyDictionary[FunctionType, weakref.WeakSet[Any]] = weakref.WeakKeyDictionary()


def called_functions(function: FunctionType) -> weakref.WeakSet[Any]:
    """Returns the functions compiled by Numba that a function may call, directly or not, by the names in their code.

    They are as the first call finds them. Nothing is kept alive.
    """
    callees = _callees.get(function)
    if callees is None:
        callees = _callees[function] = _find_called_functions(function)
    return callees


def calls_itself(function: FunctionType) -> bool:
    """True if a function may call itself, directly or not."""
    return any(callee.py_func is function for callee in called_functions(function))


def is_called_by_others_that_it_calls(function: FunctionType) -> bool:
    """True if a function may call itself by way of other functions."""
    others = [callee.py_func for callee in called_functions(function) if callee.py_func is not function]
    return any(any(callee.py_func is function for callee in called_functions(other)) for other in others)


def _find_called_functions(function: FunctionType) -> weakref.WeakSet[Any]:
    callees = weakref.WeakSet[Any]()
    pending = [function]
    while pending:
        current = pending.pop()
        codes, names = [current.__code__], set()
        if code_of(current) is not None:  # its text is not printed; its globals are its own
            names |= {*current.__globals__}
        while codes:
            code = codes.pop()
            names |= {*code.co_names}
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        values = [current.__globals__.get(name) for name in names]
        for cell in current.__closure__ or ():
            try:
                values.append(cell.cell_contents)
            except ValueError:  # the function that it will hold is being defined
                continue
        new = {value for value in values if isinstance(value, Dispatcher) and value not in callees}
        callees.update(new)
        pending += [callee.py_func for callee in new]
    return callees


def _can_be_inferred(dispatcher: Any) -> bool:
    """True for dispatchers that only compile: they keep no files, start no threads, and their functions do not call themselves."""
    of: Any = dispatcher._compiler if type(dispatcher) is CPUDispatcher else None
    return (
        type(of) is _FunctionCompiler
        and of.pipeline_class in (compiler.Compiler, ReleasingCompiler)
        and type(dispatcher._cache) is NullCache
        and dispatcher._can_compile
        and not dispatcher.targetoptions.get("forceobj")
        and not dispatcher.targetoptions.get("parallel")
        and dispatcher not in called_functions(dispatcher.py_func)
        and line_of_with_block(dispatcher.py_func) is None  # Numba compiles the block on its own, with this function
    )
