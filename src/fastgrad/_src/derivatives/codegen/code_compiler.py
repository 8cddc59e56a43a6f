"""The pipeline of Numba's compiler that writes the code of a derivative as LLVM IR."""

from __future__ import annotations

from typing import Any

from fastgrad._src.derivatives.codegen.code_emission import CodeFunction, CodeLower
from fastgrad._src.derivatives.codegen.code_values import NotEmittedError
from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingLowering
from fastgrad._src.derivatives.codegen.functions_of_code import code_of, with_text
from fastgrad._src.derivatives.codegen.inferred_overloads import is_called_by_others_that_it_calls
from fastgrad._src.jit.compiler_passes import as_pass
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import (
    ExtractByteCode,
    FixupArgs,
    LoweringPass,
    NoPythonBackend,
    PassManager,
    bytecode,
    register_pass,
)

NOT_EMITTED: list[tuple[str, str]] = []
"""The functions whose text Numba compiled, and why. Tests read it."""


@as_pass(mutates_cfg=True)
def _take_code(state: Any) -> bool:
    """Begins a compilation with the code of a function: sets what Numba's front end finds otherwise."""
    written = code_of(state.func_id.func)
    assert written is not None
    state.func_ir = CodeFunction(state.func_id, written, state.args)
    state.typemap, state.calltypes = state.func_ir.typemap, {}
    return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _EmitCode(ReleasingLowering):
    """Writes the function."""

    _name = "fastgrad_emit_code"

    @property
    def lowering_class(self) -> type:
        return CodeLower

    def run_pass(self, state: Any) -> bool:
        name = state.func_id.func_name
        try:
            if is_called_by_others_that_it_calls(state.func_id.func):
                raise NotEmittedError(f"{name} calls itself by way of others")
            is_changed = bool(super().run_pass(state))
        except Exception as error:  # Numba's own pipeline compiles the text, or raises an error of the user's code
            NOT_EMITTED.append((name, f"{type(error).__name__}: {error}"))
            raise NotEmittedError(str(error)) from error
        state.return_type = state.func_ir.result
        return is_changed


@as_pass(LoweringPass, analysis_only=True)
def _use_text(state: Any) -> bool:
    """Begins the compilation of the text of a function whose code is not written as LLVM IR.

    It drops what another pipeline left: Numba would raise its failure in the end. It is no FunctionPass, after which Numba reads the IR: here is none yet.
    """
    state.status.fail_reason = None
    state.library = None
    state.func_id = bytecode.FunctionIdentity.from_function(with_text(state.func_id.func))
    ExtractByteCode().run_pass(state)
    return False


def with_code_pipeline(state: Any, text_passes: PassManager, use_library: type | None) -> list[PassManager]:
    """Returns the pipelines of a function: if it has code, first the one that writes it as LLVM IR, then the one of its text."""
    identity = state.get("func_id")
    if identity is None or code_of(identity.func) is None:
        return [text_passes]
    text_passes.passes.insert(0, (_use_text, "use the text"))
    text_passes.finalize()
    if not is_on(Feature.EMISSION):
        return [text_passes]
    passes = PassManager("code")
    passes.add_pass(_take_code, "take the code")
    passes.add_pass(FixupArgs, "fix up arguments")
    if use_library is not None and is_on(Feature.LIBRARIES):
        passes.add_pass(use_library, "make the code library")
    passes.add_pass(_EmitCode, "write LLVM IR")
    passes.add_pass(NoPythonBackend, "make the result")
    passes.finalize()
    return [passes, text_passes]
