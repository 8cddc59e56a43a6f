"""A Numba pass that turns the dispatch loop of a derivative's source into direct jumps.

A derivative is one Python function. Its basic blocks are the branches ``if _block == k:`` of a ``while True:`` loop, and a jump is
``_block = k; continue``. Python can run this source, too. In compiled code each jump goes directly to its block, so LLVM sees natural
loops. Without the pass, compiled code would test block numbers.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from typing import Any

from fastgrad._src.derivatives.codegen.code_compiler import with_code_pipeline
from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingCompiler
from fastgrad._src.jit.compiler_passes import as_pass
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import (
    DeadBranchPrune,
    FindLiterallyCalls,
    FixupArgs,
    InlineClosureLikes,
    InlineInlinables,
    LiteralPropagationSubPipelinePass,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    NopythonRewrites,
    PassManager,
    WithLifting,
    analysis,
    global_compiler_lock,
    ir,
    ir_utils,
)

BLOCK_VARIABLE = "_block"


@as_pass(mutates_cfg=True)
def direct_jumps(state: Any) -> bool:
    """Turns ``_block = k`` and a jump to the tests of ``_block`` into a jump to the block of number k; returns whether the IR has changed."""
    blocks = state.func_ir.blocks
    tests = {label: test for label, block in blocks.items() if (test := _block_number_test(block)) is not None}
    if len(tests) < 2:
        return False
    for block in blocks.values():
        number = _assigned_block_number(block)
        if number is None or not isinstance(block.terminator, ir.Jump):
            continue
        target = _jump_target_of_number(block.terminator.target, number, blocks, tests)
        if target is not None:
            block.body[-1] = ir.Jump(target, block.terminator.loc)
    for label in ir_utils.compute_cfg_from_blocks(blocks).dead_nodes():
        del blocks[label]
    if not tests.keys() & blocks.keys():  # nothing reads the numbers
        for block in blocks.values():
            block.body = [statement for statement in block.body if not _assigns_block_number(statement)]
    return True


def _assigns_block_number(statement: Any) -> bool:
    return isinstance(statement, ir.Assign) and statement.target.name == BLOCK_VARIABLE


def _block_number_test(block: ir.Block) -> tuple[int, int, int] | None:
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


def _assigned_block_number(block: ir.Block) -> int | None:
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


def _jump_target_of_number(label: int, number: int, blocks: dict[int, ir.Block], tests: dict[int, Any]) -> int | None:
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


def live_map(
    cfg: Any, blocks: dict[int, ir.Block], used: dict[int, set[str]], defined: dict[int, set[str]]
) -> dict[int, set[str]]:
    """Returns the variables that are live where each block begins, as ``numba.core.analysis.compute_live_map``.

    That one unites sets of all variables for all blocks, which takes minutes for a thousand blocks. This one has a bit for each variable that a block
    reads before it defines it; others are not live anywhere.
    """
    names = sorted(set().union(*used.values()))
    bits = {name: 1 << number for number, name in enumerate(names)}
    uses = {label: sum(bits[name] for name in used[label]) for label in blocks}
    definitions = {label: sum(bits[name] for name in defined[label] if name in bits) for label in blocks}
    order = cfg.topo_order()
    reached, live = dict.fromkeys(blocks, 0), dict(uses)
    before: tuple[list[int], list[int]] | None = None
    while before != (before := ([*reached.values()], [*live.values()])):
        for label in order:
            reached[label] |= uses[label] | definitions[label]
            for after, _ in cfg.successors(label):
                reached[after] |= reached[label]
        for label in reversed(order):
            for earlier, _ in cfg.predecessors(label):
                live[earlier] |= live[label] & reached[earlier] & ~definitions[earlier]
    return {
        label: {names[number] for number, bit in enumerate(reversed(f"{mask:b}")) if bit == "1"}
        for label, mask in live.items()
    }


@contextlib.contextmanager
def quick_liveness() -> Iterator[None]:
    """Puts ``live_map`` in the place of Numba's function for the compilation of one function, under Numba's lock."""
    is_quick = is_on(Feature.QUICK_LIVENESS)
    with global_compiler_lock:
        if not is_quick:
            yield
            return
        original = analysis.compute_live_map
        analysis.compute_live_map = live_map
        try:
            yield
        finally:
            analysis.compute_live_map = original


_UNUSED_PASSES = (
    *(WithLifting, InlineClosureLikes, MakeFunctionToJitFunction, InlineInlinables, DeadBranchPrune),
    *(FindLiterallyCalls, LiteralUnroll, LiteralPropagationSubPipelinePass, NopythonRewrites),
)
"""Numba's passes that find nothing in a derivative's text, and whose cost grows with loops times blocks."""


class DirectJumpCompiler(ReleasingCompiler):
    """The nopython pipeline with direct jumps, and with the pass ``use_library`` after them, which makes the code library."""

    use_library: type | None = None

    def _compile_core(self) -> Any:
        with quick_liveness():
            return super()._compile_core()

    def define_pipelines(self) -> list[PassManager]:
        """Returns the passes without Numba's SSA form: its cost grows with variables times blocks, and here each variable has one type."""
        has_jumps = is_on(Feature.DIRECT_JUMPS)
        if has_jumps:
            self.state.flags.enable_ssa = False
        (passes,) = super().define_pipelines()
        if self.use_library is not None and is_on(Feature.LIBRARIES):
            passes.add_pass_after(self.use_library, FixupArgs)
        if has_jumps:
            passes.passes = [step for step in passes.passes if step[0] not in _UNUSED_PASSES]
            passes.add_pass_after(direct_jumps, FixupArgs)
        passes.finalize()
        return with_code_pipeline(self.state, passes, self.use_library)
