"""Frees the memory of a derivative when an exception leaves it: the stacks of records, and the arrays that its variables hold.

Numba frees nothing in this case. Functions that a derivative calls, and their memory, are left to Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from fastgrad._src.derivatives.codegen.tape_memory import write_exceptional_exit
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import (
    RETCODE_NONE,
    RETCODE_OK,
    CompilerBase,
    CPUCallConv,
    CPUContext,
    DefaultPassBuilder,
    NativeLowering,
    PassManager,
    lowering,
    register_pass,
)


class _CallConvention(CPUCallConv):  # type: ignore[misc]  # Numba has no types
    def _return_errcode_raw(self, builder: Any, code: Any) -> None:
        exit_block = getattr(builder.function, "exceptional_exit", None)
        if exit_block is None or code is RETCODE_OK or code is RETCODE_NONE:
            super()._return_errcode_raw(builder, code)
            return
        exit_block.instructions[0].add_incoming(code, builder.block)
        builder.branch(exit_block)


class _Context(CPUContext):  # type: ignore[misc]
    @property
    def call_conv(self) -> Any:
        return _CallConvention(self)


class _Lower(lowering.Lower):  # type: ignore[misc]
    """Lets all exceptions leave a function by one block, which frees what the function owns."""

    _singly_assigned_vars: set[str]

    def _find_singly_assigned_variable(self) -> None:
        """Gives all variables that own memory a place of their own."""
        super()._find_singly_assigned_variable()
        models = self.context.data_model_manager
        self._singly_assigned_vars = {
            name for name in self._singly_assigned_vars if not models[self.typeof(name)].contains_nrt_meminfo()
        }

    def pre_lower(self) -> None:
        super().pre_lower()
        block = self.function.append_basic_block("exceptional_exit")
        with self.builder.goto_block(block):
            self.builder.phi(ir.IntType(32))
        self.function.exceptional_exit = block

    def post_lower(self) -> None:
        super().post_lower()
        block = self.function.exceptional_exit
        del self.function.exceptional_exit
        write_exceptional_exit(self.builder, block, self._release_variables)

    def _release_variables(self) -> None:
        for name, pointer in self.varmap.items():
            self.decref(self.typeof(name), self.builder.load(pointer))


@register_pass(mutates_CFG=True, analysis_only=False)
class ReleasingLowering(NativeLowering):  # type: ignore[misc]
    """Numba's lowering, with exits by exceptions that free what the function owns."""

    _name = "fastgrad_releasing_lowering"

    @property
    def lowering_class(self) -> type:
        """The class that lowers."""
        return _Lower

    def run_pass(self, state: Any) -> bool:
        """Lowers the function; returns True."""
        state.targetctx.__class__ = _Context  # a copy for this function
        return bool(super().run_pass(state))


class ReleasingCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's nopython pipeline with exits by exceptions that free what a function owns."""

    def define_pipelines(self) -> list[PassManager]:
        """Returns the passes."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        if is_on(Feature.EXCEPTIONAL_EXITS):
            passes.passes = [
                (ReleasingLowering if step is NativeLowering else step, text) for step, text in passes.passes
            ]
            passes.finalize()
        return [passes]
