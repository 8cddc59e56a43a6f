"""Questions about single statements and blocks of Numba's IR."""

from __future__ import annotations

from typing import Any

from fastgrad._src.jit.numba_internals import ir, ir_utils


def assigned_value(statement: ir.Stmt) -> Any:
    """Returns what a statement assigns to a variable; None for other statements."""
    return statement.value if isinstance(statement, ir.Assign) else None


def operation_of(value: Any) -> str:
    """Returns the operation of an expression; "" for what is none."""
    return value.op if isinstance(value, ir.Expr) else ""


def delete_dead_blocks(blocks: dict[int, ir.Block]) -> None:
    """Deletes the blocks that no jump reaches."""
    for dead in ir_utils.compute_cfg_from_blocks(blocks).dead_nodes():
        del blocks[dead]
