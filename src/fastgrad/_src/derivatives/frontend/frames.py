"""The frame of a call during lowering: its variables and blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from fastgrad._src.derivatives.frontend.exception_handlers import handler_of
from fastgrad._src.derivatives.frontend.typed_functions import TypedFunction
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.ir.operands import Location
from fastgrad._src.derivatives.ir.representation import Block
from fastgrad._src.derivatives.ir.values import Iterable, NumberList
from fastgrad._src.jit.numba_internals import ir, ir_utils


class Frame:
    """The lowering of one call: what its variables stand for."""

    def __init__(self, function: TypedFunction, arguments: list[Any], options: Options, is_internal: bool) -> None:
        self.is_internal = is_internal
        self.function = function
        self.arguments = arguments
        self.error_model, self.is_parallel, _ = options
        self.values: dict[str, Any] = {}
        self.definitions: dict[str, Any] = {}
        self.first_blocks: dict[int, Block] = {}
        self.last_blocks: dict[int, Block] = {}
        self.reached: set[int] = set()
        self.at_entry: dict[int, list[Callable[[], None]]] = {}
        self.pending_phis: list[tuple[int, Any, ir.Expr]] = []
        self.raising: dict[tuple[int, int], list[Block]] = {}
        self.returns: list[tuple[Block, Any]] = []
        self.label = 0
        self.labels: dict[str, int] = {}
        self.dominators: dict[int, set[int]] = {}
        self.iterated: list[tuple[NumberList, int]] = []
        self.iterators: dict[str, Iterable] = {}
        self.resized: list[tuple[NumberList, int, Location]] = []

    def type_of(self, name: str) -> types.Type:
        """Returns Numba's type of a variable."""
        return types.unliteral(self.function.types[name])

    def runs_once(self) -> bool:
        """True if the block that is lowered runs once in the call, whichever way it takes to a return."""
        blocks = self.function.ir.blocks
        returns = [label for label, block in blocks.items() if isinstance(block.body[-1], ir.Return)]
        loops = ir_utils.compute_cfg_from_blocks(blocks).loops().values()
        is_on_each_way = all(self.label in self.dominators[label] for label in returns)
        return is_on_each_way and not any(self.label in loop.body for loop in loops)

    def handler(self) -> int | None:
        """Returns the label of the block that an exception goes to which is raised now; None outside of ``try``."""
        return handler_of(self.function.ir.blocks[self.label], self.definitions)


class InternalFrame(Frame):
    """What stands for the call while statements are appended to a function that has been lowered."""

    def __init__(self) -> None:
        super().__init__(None, [], Options("numpy"), True)  # type: ignore[arg-type]

    def runs_once(self) -> bool:
        """True: nothing of it is repeated."""
        return True

    def handler(self) -> None:
        """None: it has no ``try``."""
