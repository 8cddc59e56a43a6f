"""The exception handlers of ``try`` statements and of comprehensions in Numba's IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgrad._src.derivatives.frontend.statements import assigned_value, delete_dead_blocks, operation_of
from fastgrad._src.jit.numba_internals import build_definitions, exception_check, ir, ir_utils


def handler_of(block: ir.Block, definitions: Mapping[str, Any]) -> int | None:
    """Returns the label of the block that an exception in a block goes to; None outside of ``try``.

    Args:
        block: a block that ends with a test for exceptions if it is in ``try``.
        definitions: the expressions of variables, with those of the test.
    """
    end = block.body[-1]
    test: Any = definitions.get(end.cond.name) if isinstance(end, ir.Branch) else None
    function = definitions.get(test.func.name) if operation_of(test) == "call" else None
    return int(end.truebr) if getattr(function, "value", None) is exception_check else None


def has_try(function_ir: ir.FunctionIR) -> bool:
    """True if a function has a ``try`` statement."""
    return bool(_names_of_marks(function_ir))


def drop_handlers_of_comprehensions(function_ir: ir.FunctionIR) -> bool:
    """Removes the exception handlers of comprehensions, which Python has from 3.12 on; returns whether there were any.

    They restore names and raise again, of which Numba makes an AssertionError. Without them the exception is that of the comprehension.
    """
    blocks = function_ir.blocks
    handlers = {label for label, block in blocks.items() if _raises_again(block.terminator)}
    if not handlers:
        return False
    for block in blocks.values():
        end = block.terminator
        if isinstance(end, ir.Branch) and end.truebr in handlers:
            block.body[-1] = ir.Jump(end.falsebr, end.loc)
    delete_dead_blocks(blocks)
    if not any(_ends_with_test(block) for block in blocks.values()):
        marks = _names_of_marks(function_ir)
        for block in blocks.values():
            block.body = [statement for statement in block.body if not _is_mark(statement, marks)]
    function_ir.blocks = ir_utils.simplify_CFG(blocks)  # each test was the end of a block
    function_ir._definitions = build_definitions(function_ir.blocks)
    return True


def _raises_again(end: ir.Stmt) -> bool:
    """True for what Numba makes of a second raise of an exception; `numba_canaries` has a canary for it."""
    return isinstance(end, ir.StaticRaise) and end.exc_class is AssertionError and "RERAISE" in str(end.exc_args)


def _ends_with_test(block: ir.Block) -> bool:
    """True if a block ends with a test for exceptions."""
    definitions = {statement.target.name: statement.value for statement in block.find_insts(ir.Assign)}
    return handler_of(block, definitions) is not None


def _names_of_marks(function_ir: ir.FunctionIR) -> set[str]:
    """Returns the variables of the functions that mark ``try`` statements."""
    return {
        statement.target.name
        for block in function_ir.blocks.values()
        for statement in block.find_insts(ir.Assign)
        if isinstance(statement.value, (ir.Global, ir.FreeVar))
        and getattr(statement.value.value, "__module__", "") == exception_check.__module__
    }


def _is_mark(statement: ir.Stmt, marks: set[str]) -> bool:
    """True for an assignment of a function that marks ``try`` statements, and for a call of one."""
    value = assigned_value(statement)
    is_call = operation_of(value) == "call" and value.func.name in marks
    return is_call or (value is not None and statement.target.name in marks)
