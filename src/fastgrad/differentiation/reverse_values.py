"""Numbers, cotangents and stacks on the way back of reverse mode."""

from __future__ import annotations

from numba.core import types

from fastgrad.core.terms import OPERANDS, Term
from fastgrad.differentiation.activity import Activity
from fastgrad.differentiation.builder import is_natural_number
from fastgrad.differentiation.emission import Emitter, zero
from fastgrad.differentiation.ir import (
    Block,
    Compute,
    Constant,
    Counter,
    Load,
    NextIteration,
    Operand,
    Return,
    Root,
    Scalar,
    View,
    literal,
)
from fastgrad.differentiation.partials import RESULT, is_used, partial_text
from fastgrad.differentiation.residuals import Needs, Residuals
from fastgrad.differentiation.tape_memory import ALL_STACKS


class ReverseValues(Emitter):
    """Writes how the way back reads numbers, adds to cotangents, and uses the stacks.

    Attributes:
        activity: what has cotangents.
        residuals: what is kept, recorded or computed again.
    """

    activity: Activity
    residuals: Residuals
    _collected: Needs | None
    _edge_from: Block | None
    _indent: int
    _recomputed: dict[Scalar, str]
    _nonzero: set[Scalar]
    _local: set[Scalar]
    _stacks_in_use: set[str]

    def stack(self, name: str) -> str:
        """Returns the variable of a stack, which the text uses."""
        self._stacks_in_use.add(name)
        return name

    def use(self, operand: Operand) -> str:
        """Returns the text of a number on the way back; writes what computes it again."""
        if isinstance(operand, Constant):
            return literal(operand)
        if self._collected is not None:
            (self._collected.of_block if self._edge_from is None else self._collected.of_edges).add(operand)
            return operand.name
        if self.residuals.is_free(operand) or operand in self.residuals.recorded:
            return operand.name
        if operand in self._recomputed:
            return self._recomputed[operand]
        definition, name = operand.definition, f"r_{operand.name}"
        operands = [self.use(part) for part in definition.operands] if definition is not None else []
        if isinstance(definition, Compute):
            text = definition.operation.text.format(*operands)
        elif isinstance(definition, Load):
            text = self.load(
                definition, [f"unsigned({index})" for index in operands], list(map(self.use, definition.guards))
            )
        else:
            assert isinstance(definition, NextIteration)
            text = definition.counter.name
        self.write(f"{name} = {text}", self._indent)
        self._recomputed[operand] = name
        return name

    def _add(self, operand: Operand, text: str, indent: int = 3) -> None:
        """Adds to the cotangent of a number."""
        if not isinstance(operand, Scalar) or operand not in self.activity:
            return
        self.write(f"d_{operand.name} {'+=' if operand in self._nonzero else '='} {text}", indent)
        self._nonzero.add(operand)

    def _take(self, scalar: Scalar) -> str | None:
        """Returns the text of the cotangent of a number, which is 0 after that; None if it is certain to be 0."""
        if scalar not in self._nonzero:
            return None
        self._nonzero.discard(scalar)
        if scalar in self._local:
            return f"d_{scalar.name}"
        self.write(f"t_{scalar.name} = d_{scalar.name}")
        self.write(f"d_{scalar.name} = {zero(scalar.type)}")
        return f"t_{scalar.name}"

    def _cotangent_element(self, root: Root, indices: list[Operand]) -> str:
        """Returns the text of the cotangent of an element of an array."""
        sizes = [self.use(size) for size in root.dims[1:]] if self.has_flat_cotangent(root) else []
        return self._element_of_cotangent(root, sizes, [self.use(index) for index in indices])

    def _element_of_cotangent(self, root: Root, sizes: list[str], indices: list[str]) -> str:
        if self.has_flat_cotangent(root):
            index = self.flat_index(["", *sizes], indices)
            return f"d_{root.memory.name}[{index if index.isdigit() else f'unsigned({index})'}]"
        return f"d_{root.name}[{', '.join(indices) or '()'}]"

    def has_flat_cotangent(self, root: Root) -> bool:
        """True if the cotangent of an array is a flat array in C order, not of the array's shape."""
        return True

    def _partial(self, partial: Term, cotangent: str, statement: Compute) -> str:
        """Returns the text of what a partial adds."""
        operands = [
            self.use(operand) if is_used(leaf, partial) else ""
            for leaf, operand in zip(OPERANDS, statement.operands, strict=False)
        ]
        result = self.use(statement.target) if is_used(RESULT, partial) else ""
        return partial_text(partial, operands, cotangent, result)

    def _for_each_element(self, view: View, source: str, indent: int, is_flat: bool = False) -> None:
        """Writes the loops that add an array to the cotangent of a view."""
        sizes = [self.use(axis.size) for axis in view.axes]
        positions = [self.use(start) for start in view.starts]
        for axis in view.axes:
            self.use(axis.step)
        for size in view.root.dims[1:]:
            self.use(size)
        for number, axis in enumerate(view.axes):
            self.write(f"for q{number} in range({sizes[number]}):", indent + number)
            if axis.root_axis is not None:
                positions[axis.root_axis] += f" + q{number}*{self.use(axis.step)}"
        sizes_of_root = [self.use(size) for size in view.root.dims[1:]]
        target = self._element_of_cotangent(view.root, sizes_of_root, positions)
        indices = [f"q{number}" for number in range(len(view.axes))]
        element = f"{source}[{self.flat_index(sizes, indices) if is_flat else ', '.join(indices) or '()'}]"
        self.write(f"{target} += {element}", indent + len(view.axes))

    def _is_buffer(self, root: Root) -> bool:
        """True if an array's cotangent lives in a buffer that its site keeps: the site may run several times, or not at all."""
        if root.kind in ("parameter", "global"):
            return False
        returns = [block for block in self.flow.blocks if isinstance(block.end, Return)]
        is_certain = all(root.block in self.flow.dominators[block] for block in returns)
        return root.kind == "phi" or root.is_growing or self.flow.is_in_loop(root.block) or not is_certain

    def _make_cotangent(self, root: Root) -> None:
        count = " * ".join(self.operand(size) for size in root.dims) or "1"
        if self._is_buffer(root):
            self._grow_buffer(root, count)
        else:
            self.write(f"d_{root.name} = np.zeros({count}, {self.dtype(root.type.dtype)})")

    def _grow_buffer(self, root: Root, count: str) -> None:
        self.write(f"if d_{root.name}.size < {count}:")
        self.write(f"d_{root.name} = np.zeros({count}, {self.dtype(root.type.dtype)})", 4)

    def _clear(self, root: Root) -> None:
        count = " * ".join(self.use(size) for size in root.dims if not root.is_growing) or "1"
        count = "" if root.is_growing else count
        self.write(f"d_{root.name}[:{count}] = {zero(root.type.dtype)}")

    def _final_number(self, counter: Counter) -> str:
        """Returns the text of a counter's value after its loop."""
        count = self.use(counter.count)
        return count if is_natural_number(counter.count) else f"max({count}, 0)"

    def pop(self, item: Scalar | Counter, position: str, indent: int = 3) -> None:
        """Writes what reads a number from the stack of numbers."""
        type = item.type if isinstance(item, Scalar) else types.int64
        self.write(f"{item.name} = pop_{type}({self.stack('values')}, {position})", indent)

    def push_array(self, name: str, indent: int = 3) -> None:
        """Writes what puts the elements of an array on the stack of arrays."""
        self.write(f"arrays = with_room(owner, arrays, arrays_top + {name}.size)", indent)
        self.write(f"save_array({self.stack('arrays')}, arrays_top, {name})", indent)
        self.write(f"arrays_top += {name}.size", indent)

    def pop_array(self, name: str) -> None:
        """Writes what takes the elements of an array from the stack of arrays."""
        self.write(f"arrays_top -= {name}.size")
        self.write(f"load_array({self.stack('arrays')}, arrays_top, {name})")

    def _push(self, item: Scalar | Counter, offset: int) -> None:
        position = f"values_top + {offset}" if offset else "values_top"
        self.write(f"push_value({self.stack('values')}, {position}, {item.name})")

    def ensure(self, values: str, codes: str, indent: int) -> None:
        """Writes the test that the stacks have room for more numbers and codes."""
        for count, stack in ((values, "values"), (codes, "codes")):
            if count:
                number, width = ALL_STACKS[stack]
                self.write(f"if {stack}_top + {count} > {stack}_room:", indent)
                self.write(f"{stack}_room = 2*{stack}_room + {count}", indent + 1)
                self.write(f"{stack} = grow(owner, {number}, {stack}, {width}, {stack}_room)", indent + 1)

    def reserve(self, count: str, values: int, codes: int, more: int = 0) -> None:
        """Writes the test that the stacks have room for the records of iterations, and for more numbers."""
        self.ensure(f"{count}*{values} + {more}" if values else "", f"{count}*{codes} + 2" if codes else "", 3)
