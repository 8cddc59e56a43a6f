"""Numba's front end: a Python function and argument types to typed SSA form."""

from __future__ import annotations

import dis
import functools
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from numba.core import bytecode, compiler, ir, types
from numba.core.compiler_machinery import PassManager
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target
from numba.core.typed_passes import NopythonTypeInference
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.core.untyped_passes import ExtractByteCode, FixupArgs

from fastgrad.custom.functions import is_of_library
from fastgrad.differentiation.disk_cache import Extensions
from fastgrad.differentiation.ir import refuse
from fastgrad.differentiation.jumps import DirectJumps, quick_liveness


class TypedFunction(NamedTuple):
    """A function in Numba's typed SSA form."""

    name: str
    code: CodeType
    ir: ir.FunctionIR
    types: dict[str, types.Type]
    signatures: dict[Any, Any]
    result: types.Type
    location: ir.Loc


class _FrontEnd(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    """Numba's passes up to type inference."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("front end")
        passes.passes.extend(compiler.DefaultPassBuilder.define_untyped_pipeline(self.state).passes)
        passes.add_pass_after(DirectJumps, FixupArgs)
        passes.add_pass(NopythonTypeInference, "type inference")
        passes.finalize()
        return [passes]


def implementation(function: Any, arguments: list[types.Type], keywords: dict[str, types.Type]) -> Any:
    """Returns the dispatcher of the Python function by which Numba implements ``function`` for arguments of these types, or None."""
    typing = cpu_target.typing_context
    try:
        templates = getattr(typing.resolve_value_type(function), "templates", ())
    except (NumbaError, TypeError, ValueError):
        return None
    for template in templates:
        if not issubclass(template, _OverloadFunctionTemplate):
            continue
        try:
            dispatcher, _ = template(typing)._get_impl(tuple(arguments), keywords)
        except NumbaError:
            continue
        if dispatcher is not None:
            Extensions.uses += not is_of_library(dispatcher.py_func.__module__)
            return dispatcher
    return None


@functools.lru_cache(maxsize=512)
def called_functions(function: FunctionType) -> frozenset[Any]:
    """Returns the functions compiled by Numba that a function may call, directly or not, by the names in their code."""
    found: set[Any] = set()
    pending = [function]
    while pending:
        current = pending.pop()
        codes, names = [current.__code__], set()
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
        callees = {value for value in values if isinstance(value, Dispatcher)} - found
        found |= callees
        pending += [callee.py_func for callee in callees]
    return frozenset(found)


def typed_function(function: FunctionType, argument_types: tuple[types.Type, ...]) -> TypedFunction:
    """Returns ``function`` for arguments of ``argument_types`` in typed SSA form.

    Raises:
        numba.errors.TypingError: Numba can't compile the function for these types.
        DifferentiationError: it has a ``with`` block.
    """
    # The values that a user's function reads may change until it is derived again.
    is_constant = is_of_library(function.__module__)
    return _library_function(function, argument_types) if is_constant else _typed_function(function, argument_types)


def _typed_function(function: FunctionType, argument_types: tuple[types.Type, ...]) -> TypedFunction:
    for instruction in dis.get_instructions(function):
        if instruction.opname == "WITH_EXCEPT_START":
            place = ir.Loc(function.__code__.co_filename, getattr(instruction, "positions").lineno)  # noqa: B009  # Python 3.11 has it
            raise refuse("a with block can't be differentiated", place)
    for callee in called_functions(function):
        if callee.py_func is function:  # Numba can't compile it while it infers the types of the same function
            callee.get_call_template(argument_types, {})
    flags = compiler.Flags()
    flags.nrt = True
    flags.enable_ssa = True
    typing, target = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    target.refresh()
    library = target.codegen().create_library("fastgrad.differentiation")
    front_end = _FrontEnd(typing, target, library, argument_types, None, flags, {})
    state = front_end.state
    state.func_id = bytecode.FunctionIdentity.from_function(function)
    ExtractByteCode().run_pass(state)
    state.lifted, state.lifted_from = (), None
    (passes,) = front_end.define_pipelines()
    with quick_liveness():
        passes.run(state)
    return TypedFunction(
        function.__name__,
        function.__code__,
        state.func_ir,
        state.typemap,
        state.calltypes,
        state.return_type,
        state.func_ir.loc,
    )


_library_function = functools.lru_cache(maxsize=512)(_typed_function)
