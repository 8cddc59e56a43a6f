"""Numba's front end: a Python function and argument types to typed SSA form."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any, NamedTuple

from numba.core import bytecode, compiler, ir, types
from numba.core.compiler_machinery import PassManager
from numba.core.registry import cpu_target
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import ExtractByteCode, FixupArgs

from fastgrad.differentiation.jumps import DirectJumps
from fastgrad.errors import DifferentiationError


class TypedFunction(NamedTuple):
    """A function in Numba's typed SSA form."""

    name: str
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


def differentiable_function(
    function: Any, argument_types: tuple[types.Type, ...], location: ir.Loc | None
) -> FunctionType:
    """Returns the Python function to differentiate for a function that Numba compiles, which may be a derivative itself.

    The text of a derivative depends on the argument types. That of a gradient is not differentiated: a text of forward mode takes
    its place, if the arguments are numbers.

    Raises:
        DifferentiationError: it is a gradient with respect to arrays. ``location`` is that of the call.
    """
    derive = getattr(function, "derive_again", None) or getattr(function, "derive", None)
    if derive is None:
        return getattr(function, "py_func", function)
    text: FunctionType | None = derive(argument_types)
    if text is None:
        place = "" if location is None else f"{location.filename}:{location.line}: "
        raise DifferentiationError(
            f"{place}{function.py_func.__name__} is a derivative by reverse mode with respect to an array, which can't be differentiated again: "
            "use fg.hvp or fg.hessian of the function itself"
        )
    return text


@functools.lru_cache(maxsize=512)
def typed_function(function: FunctionType, argument_types: tuple[types.Type, ...]) -> TypedFunction:
    """Returns ``function`` for arguments of ``argument_types`` in typed SSA form.

    Raises:
        numba.errors.TypingError: Numba can't compile the function for these types.
    """
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
    passes.run(state)
    return TypedFunction(
        function.__name__, state.func_ir, state.typemap, state.calltypes, state.return_type, state.func_ir.loc
    )
