"""Text with jumps: a Numba pass that turns the dispatch loop of a derivative's text into direct jumps.

A derivative is one Python function. Its basic blocks are the branches ``if _block == k:`` of a ``while True:`` loop, and a jump is
``_block = k; continue``. Python can run that text as it is. In compiled code each jump goes straight to its block, so LLVM sees natural
loops; the text alone would make it test block numbers.
"""

from __future__ import annotations

import operator
from typing import Any

from numba.core import compiler, ir, ir_utils
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
from numba.core.untyped_passes import FixupArgs

BLOCK_VARIABLE = "_block"


@register_pass(mutates_CFG=True, analysis_only=False)
class DirectJumps(FunctionPass):  # type: ignore[misc]  # Numba has no types
    """Turns ``_block = k`` and a jump to the tests of ``_block`` into a jump to the block of number k."""

    _name = "fastgrad_direct_jumps"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Rewrites ``state.func_ir``; returns whether it has changed."""
        blocks = state.func_ir.blocks
        tests = {label: test for label, block in blocks.items() if (test := _test_of_number(block)) is not None}
        if len(tests) < 2:
            return False
        for block in blocks.values():
            number = _assigned_number(block)
            if number is None or not isinstance(block.terminator, ir.Jump):
                continue
            target = _target_of_number(block.terminator.target, number, blocks, tests)
            if target is not None:
                block.body[-1] = ir.Jump(target, block.terminator.loc)
        for label in ir_utils.compute_cfg_from_blocks(blocks).dead_nodes():
            del blocks[label]
        return True


class DirectJumpCompiler(compiler.CompilerBase):  # type: ignore[misc]
    """Numba's nopython pipeline with direct jumps, and with ``more_passes`` after them."""

    more_passes: tuple[type, ...] = ()

    def define_pipelines(self) -> list[PassManager]:
        """Returns the passes."""
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        before: type = FixupArgs
        for after in (DirectJumps, *self.more_passes):
            passes.add_pass_after(after, before)
            before = after
        passes.finalize()
        return [passes]


def _test_of_number(block: ir.Block) -> tuple[int, int, int] | None:
    """Returns (number, label if equal, label if not) of a block that does nothing but compare ``_block`` with a number."""
    if not isinstance(block.terminator, ir.Branch):
        return None
    constants: dict[str, Any] = {}
    number = None
    for statement in block.body[:-1]:
        value: Any = statement.value if isinstance(statement, ir.Assign) else None
        is_comparison = isinstance(value, ir.Expr) and value.op == "binop" and value.fn is operator.eq
        if isinstance(value, ir.Const):
            constants[statement.target.name] = value.value
        elif is_comparison and value.lhs.name == BLOCK_VARIABLE and value.rhs.name in constants and number is None:
            number = constants[value.rhs.name]
        elif not (isinstance(value, ir.Global) or (isinstance(value, ir.Expr) and value.op == "call")):
            return None
    return None if number is None else (number, block.terminator.truebr, block.terminator.falsebr)


def _assigned_number(block: ir.Block) -> int | None:
    """Returns the number that a block assigns to ``_block`` last."""
    constants: dict[str, Any] = {}
    number = None
    for statement in block.body:
        if isinstance(statement, ir.Assign):
            value = statement.value
            if isinstance(value, ir.Const):
                constants[statement.target.name] = value.value
            if statement.target.name == BLOCK_VARIABLE:
                number = value.value if isinstance(value, ir.Const) else constants.get(value.name)
    return number


def _target_of_number(label: int, number: int, blocks: dict[int, ir.Block], tests: dict[int, Any]) -> int | None:
    """Follows the tests from ``label`` on; returns the label where ``number`` leads."""
    visited: set[int] = set()
    while label not in visited:
        visited.add(label)
        if label in tests:
            tested, if_equal, if_not = tests[label]
            if tested == number:
                return if_equal
            label = if_not
        elif len(blocks[label].body) == 1 and isinstance(blocks[label].terminator, ir.Jump):
            label = blocks[label].terminator.target
        else:
            return None
    return None
