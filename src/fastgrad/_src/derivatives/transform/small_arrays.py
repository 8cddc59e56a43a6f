"""Keeps the elements of small arrays of constant sizes in numbers: such arrays need no memory, and the reverse sweep no copies of them.

Products of such arrays become sums of products of numbers, and loops over them are unrolled, so that each index is a constant. A load is then the number
that was stored last. Where control flow joins, a phi chooses it.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.ir.call_rules import CallRule, SumOfProducts
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Operand,
    Root,
    Scalar,
    View,
    index_constant,
    views_among,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi, statements_in
from fastgrad._src.derivatives.ir.scalar_operations import RULES_OF_SIZES
from fastgrad._src.derivatives.ir.scalar_rules import partials
from fastgrad._src.derivatives.ir.statements import (
    Allocate,
    Call,
    Compute,
    Load,
    NextIteration,
    Return,
    Statement,
    Store,
)
from fastgrad._src.derivatives.ir.values import is_hashable
from fastgrad._src.derivatives.transform.constant_sizes import find_constant_sizes
from fastgrad._src.derivatives.transform.unrolling import Unrolling
from fastgrad._src.scalars.formulas import ScalarOperation
from fastgrad._src.scalars.terms import ADD, MULTIPLY

_MOST_ELEMENTS = 16
"""The number of elements of the largest small array."""
_MOST_PRODUCTS = 64
"""The number of products of numbers in the largest product of small arrays."""
_MOST_STATEMENTS = 1500
"""The number of statements that a function may gain. LLVM takes about a millisecond for each."""

Replace = Callable[[dict[Operand, Operand]], None]


def split_small_arrays(function: Function, replace: Replace) -> bool:
    """Splits small arrays into numbers, in place; returns whether there is one.

    Args:
        function: the function. The sizes of its arrays that are constants are known.
        replace: replaces operands wherever they are used.
    """
    # Chunks of parallel loops take arrays, and lists of arrays have names for their items.
    if any(counter.is_parallel for counter in function.counters) or function.fills or function.appended:
        return False
    if not any(map(_is_small, function.roots)):
        return False
    search = _Search(function)
    if not search.arrays or search.unrolling is None:
        return False
    heads = search.heads_of_loops()
    calls = [statement for statement in statements_in(function.blocks) if isinstance(statement, Call)]
    products = [call for call in calls if search.arrays.issuperset(call.makes) and call.makes]
    count = search.unrolling.statement_count(heads) + 2 * sum(map(_product_count, products))
    if count > _MOST_STATEMENTS:
        return False
    for block in function.blocks:
        statements = [_Product(function, block, s).statements if s in products else [s] for s in block.statements]
        block.statements = list(itertools.chain.from_iterable(statements))
    for head in heads:
        search.unrolling.unroll(head)
    replace(search.unrolling.replaced)
    replace(find_constant_sizes(function))
    search = _Search(function, is_last=True)
    _Splitter(function, search.arrays).split(search.flow, replace)
    return True


def _accesses(function: Function) -> Iterator[tuple[Block, int, Statement]]:
    """Yields the statements of a function with their blocks and positions."""
    for block in function.blocks:
        for position, statement in enumerate(block.statements):
            yield block, position, statement


def _constants(operands: list[Operand]) -> list[int] | None:
    """Returns the values of operands; None if one of them is no constant."""
    values = [int(operand.value) for operand in operands if isinstance(operand, Constant)]
    return values if len(values) == len(operands) else None


def _element_count(root: Root) -> int:
    """Returns the number of elements of an array of constant sizes; 0 for others."""
    return math.prod(_constants(root.dims) or [0])


def _is_small(root: Root) -> bool:
    """True for a small array that the function makes, or that is one of several arrays."""
    return root.kind in ("local", "phi") and not root.is_growing and 0 < _element_count(root) <= _MOST_ELEMENTS


class _Search:
    """The small arrays of a function that can be split into numbers.

    Attributes:
        flow: the control flow of the function.
        unrolling: the loops that may be unrolled for that; None: no more loops are.
        arrays: the arrays.
    """

    def __init__(self, function: Function, is_last: bool = False) -> None:
        self._function = function
        self.flow = ControlFlow(function)
        self.unrolling = None if is_last else Unrolling(function, self.flow)
        self.arrays = set(filter(_is_small, function.roots))
        self._drop_shared_memory()
        self._drop_others()

    def heads_of_loops(self) -> list[Block]:
        """Returns the heads of the loops whose iterations index the arrays, and of the loops in these."""
        found: set[Block] = set()
        for statement in statements_in(self._function.blocks):
            if isinstance(statement, (Load, Store)) and statement.root in self.arrays:
                for index in _indices(statement):
                    found |= self._heads_of(index) or set()
        return [] if self.unrolling is None else self.unrolling.loops_in(found)

    def _heads_of(self, index: Operand) -> set[Block] | None:
        """Returns the heads of the loops whose iterations an index follows from; None if it is no constant when they are unrolled."""
        if isinstance(index, Constant):
            return set()
        definition = index.definition
        if isinstance(definition, NextIteration):
            head = definition.counter.head
            is_unrolled = self.unrolling is not None and self.unrolling.steps.get(head) is definition  # type: ignore[arg-type]
            return {head} if is_unrolled else None  # type: ignore[arg-type]
        rule = None if index.operation is None else index.operation.function or index.operation
        if index.type != INDEX or not is_hashable(rule) or rule not in RULES_OF_SIZES:
            return None
        found = [self._heads_of(operand) for operand in index.operands]
        return None if None in found else set().union(*found)  # type: ignore[arg-type]

    def _drop_shared_memory(self) -> None:
        """Drops arrays that have a second name, or a copy for which Numba may take the array itself, if one of both is written later."""
        function = self._function
        for block, position, statement in _accesses(function):
            if not isinstance(statement, Allocate) or statement.root not in function.copies:
                continue
            source, fill, _ = function.copies[statement.root]
            writers = {other for other in statements_in(function.blocks) if statement.root in other.writes}
            if not writers <= fill or self._is_written_later(block, position, source.memory_owner):
                self.arrays -= {statement.root, source.memory_owner}
        for block in function.blocks:
            for phi in block.phis:
                names = _names_of(phi)
                if any(self._is_written_later(block, -1, root) for root in names):
                    self.arrays -= names

    def _is_written_later(self, block: Block, position: int, root: Root) -> bool:
        """True if an element of an array may be written after a statement, before the array is made again."""
        pending, seen = [(block, position + 1)], set[Block]()
        while pending:
            block, start = pending.pop()
            for statement in block.statements[start:]:
                if root in statement.makes:
                    break
                if root in statement.writes:
                    return True
            else:
                later = [after for after in block.successors if after not in seen]
                seen.update(later)
                pending += [(after, 0) for after in later]
        return False

    def _drop_others(self) -> None:
        """Drops arrays that anything else makes than allocations, small products and phis of such arrays, or that anything else writes than stores."""
        function, arrays = self._function, self.arrays
        arrays.difference_update([root.source for root in function.roots if root.source is not None])
        for statement in statements_in(function.blocks):
            if not self._is_plain(statement):
                arrays.difference_update(statement.arrays, statement.makes, statement.writes)
        count = -1
        while count != len(arrays):
            count = len(arrays)
            for block in function.blocks:
                for phi in block.phis:
                    if not _is_split(phi, arrays):
                        arrays -= _names_of(phi)
                for statement in block.statements:
                    if isinstance(statement, Call) and not _is_small_product(statement, arrays):
                        arrays.difference_update(statement.makes)

    def _is_plain(self, statement: Statement) -> bool:
        """True for a statement that makes a small array, reads or writes one element, or only reads whole arrays."""
        if isinstance(statement, Load) and statement.guards:
            return False
        value = statement.operands[0] if isinstance(statement, Store) else None
        if isinstance(value, Scalar) and value.type != statement.root.dtype:  # type: ignore[attr-defined]
            return False
        if isinstance(statement, (Load, Store)):
            return all(map(self._is_in_range, _indices(statement), statement.root.dims))
        return isinstance(statement, Allocate) or (isinstance(statement, Call) and isinstance(statement.rule, CallRule))

    def _is_in_range(self, index: Operand, size: Operand) -> bool:
        """True for an index of an element, or one that will be a constant."""
        if isinstance(index, Constant) and isinstance(size, Constant):
            return bool(0 <= index.value < size.value)
        return self._heads_of(index) is not None


def _indices(statement: Load | Store) -> list[Operand]:
    return statement.operands if isinstance(statement, Load) else statement.operands[1:]


def _names_of(phi: Phi) -> set[Root]:
    """Returns the array that a phi is, and those that it may be."""
    return {root for value in (phi.target, *phi.incoming.values()) for root in value.roots}


def _is_split(phi: Phi, arrays: set[Root]) -> bool:
    """True for a phi of numbers, and for one of ``arrays`` that takes elements at constant places of others."""
    return isinstance(phi.target, Scalar) or (
        _names_of(phi) <= arrays
        and all(
            value.dtype == phi.target.dtype
            and _elements_of(value) is not None
            and _constants(value.sizes) == _constants(phi.target.dims)
            for value in views_among(phi.incoming.values())
        )
    )


def _is_small_product(call: Call, arrays: set[Root]) -> bool:
    """True for a product of two small matrices or vectors that gives one of ``arrays``."""
    function = call.rule.function if call.is_product else None
    is_single = isinstance(function, SumOfProducts) and len(function.factors) == 1 and len(call.arguments) == 2
    return is_single and set(call.makes) <= arrays and 0 < _product_count(call) <= _MOST_PRODUCTS


def _inner_size(call: Call) -> int:
    """Returns the number of terms of each sum of a product, 0 if it is not known. A check that comes before says that both operands have it."""
    known = [size.value for size in (call.views[0].sizes[-1], call.views[1].sizes[0]) if isinstance(size, Constant)]
    return int(known[0]) if known else 0


def _product_count(call: Call) -> int:
    """Returns the number of products of numbers in a product."""
    return _inner_size(call) * _element_count(call.makes[0])


def _elements_of(view: View) -> list[int] | None:
    """Returns the numbers of the elements of the root that a view has, in its order; None if they are not known."""
    starts, dims = _constants(view.starts), _constants(view.root.dims)
    steps, sizes = _constants([axis.step for axis in view.axes]), _constants(view.sizes)
    if starts is None or dims is None or steps is None or sizes is None:
        return None
    numbers = []
    for place in _places(sizes):
        indices = list(starts)
        for axis, step, index in zip(view.axes, steps, place, strict=True):
            if axis.root_axis is not None:
                indices[axis.root_axis] += step * index
        if not all(0 <= index < size for index, size in zip(indices, dims, strict=True)):
            return None
        numbers.append(_position(indices, dims))
    return numbers


def _places(sizes: list[int]) -> Iterator[tuple[int, ...]]:
    """Returns the indices of the elements of an array, in C order."""
    return itertools.product(*map(range, sizes))


def _position(indices: list[int], dims: list[int]) -> int:
    """Returns the number of an element in C order."""
    position = 0
    for index, size in zip(indices, dims, strict=True):
        position = position * size + index
    return position


# ---- products ----------------------------------------------------------------------------------------------------------


class _Product:
    """A product of small arrays, as sums of products of numbers.

    Attributes:
        statements: what takes the place of the call.
    """

    def __init__(self, function: Function, block: Block, call: Call) -> None:
        self._function, self._block, self._location, (result,) = function, block, call.location, call.makes
        self._name = result.name
        self.statements: list[Statement] = []
        count, dims, rank = _inner_size(call), _constants(result.dims) or [], call.views[0].rank - 1
        first = self._elements(call.views[0], [*dims[:rank], count])
        second = self._elements(call.views[1], [count, *dims[rank:]])
        self.statements.append(Allocate(call.location, result, "empty"))
        for place in _places(dims):
            total: Operand = Constant(0.0, result.dtype)  # as sums begin, so that the sum of products -0.0 is 0.0
            for number in range(count):
                factors = first[*place[:rank], number], second[number, *place[rank:]]
                total = self._compute(ADD, operator.add, total, self._compute(MULTIPLY, operator.mul, *factors))
            self.statements.append(Store(call.location, result, total, list(map(index_constant, place))))

    def _define(self, type: types.Type, statement_of: Callable[[Scalar], Compute | Load]) -> Scalar:
        """Appends the statement of a new number, and returns the number."""
        target = Scalar(f"{self._name}_{len(self.statements)}_product", type, self._block)
        self._function.scalars.append(target)
        target.definition = statement_of(target)
        self.statements.append(target.definition)
        return target

    def _compute(self, operation: ScalarOperation, function: Any, *operands: Operand) -> Operand:
        """Returns a sum or a product of two numbers."""
        constants = _constants(list(operands)) if operands[0].type == INDEX else None
        if constants is not None:
            return index_constant(function(*constants))
        of_both = partials(function, operands[0].type) if operands[0].type != INDEX else None
        own = [
            partial if operand.is_real else None
            for partial, operand in zip(of_both or (None, None), operands, strict=True)
        ]
        return self._define(
            operands[0].type,
            lambda target: Compute(self._location, target, operation, list(operands), partials=own),
        )

    def _elements(self, view: View, sizes: list[int]) -> dict[tuple[int, ...], Operand]:
        """Returns the elements of a view by their indices."""
        found: dict[tuple[int, ...], Operand] = {}
        for place in _places(sizes):
            indices = list(view.starts)
            for axis, number in zip(view.axes, place, strict=True):
                if axis.root_axis is not None:
                    distance = self._compute(MULTIPLY, operator.mul, axis.step, index_constant(number))
                    indices[axis.root_axis] = self._compute(ADD, operator.add, indices[axis.root_axis], distance)
            found[place] = self._define(
                view.root.dtype,
                lambda target, indices=indices: Load(self._location, target, view.root, indices),  # type: ignore[misc]
            )
        return found


# ---- arrays as numbers -------------------------------------------------------------------------------------------------


class _Splitter:
    """Replaces small arrays by numbers, one for each element."""

    def __init__(self, function: Function, arrays: set[Root]) -> None:
        self._function, self._arrays = function, arrays
        self._phis: dict[tuple[Root, Block], list[Phi]] = {}
        """The elements of arrays where control flow joins: of those that are phis, and of others."""
        self._elements: dict[Block, dict[Root, list[Operand]]] = {}
        """The elements at the end of each block."""
        self._replaced: dict[Operand, Operand] = {}

    def split(self, flow: ControlFlow, replace: Replace) -> None:
        """Replaces the arrays."""
        function, arrays, live = self._function, self._arrays, flow.live_arrays()
        function.number_blocks()
        array_phis: list[tuple[Block, Phi, Root]] = []
        for block in flow.blocks:
            before = flow.predecessors[block]
            elements = dict(self._elements[before[0]]) if before else {}
            if len(before) > 1:
                joined = [root for root in function.roots if root in arrays & live[block] and root.kind != "phi"]
                elements |= {root: self._new_phis(root, block) for root in joined}
            for phi in list(block.phis):
                if isinstance(phi.target, Root) and phi.target in arrays:
                    elements[phi.target] = self._new_phis(phi.target, block)
                    array_phis.append((block, phi, phi.target))
            self._elements[block] = elements
            statements, block.statements = block.statements, []
            for statement in statements:
                if not self._is_replaced(statement, elements):
                    if isinstance(statement, Call):
                        statement.arguments = [self._in_memory(view, block, elements) for view in statement.arguments]
                    block.statements.append(statement)
            if isinstance(block.end, Return):
                block.end.values = [self._in_memory(view, block, elements) for view in block.end.values]
        for (root, block), phis in self._phis.items():
            for last in flow.predecessors[block] if root.kind != "phi" else ():
                _add_incoming(phis, last, self._of(root, last))
        for block, phi, root in array_phis:
            block.phis.remove(phi)
            for last, view in phi.incoming.items():
                assert isinstance(view, View)
                numbers = self._of(view.root, last)
                _add_incoming(self._phis[root, block], last, [numbers[place] for place in _elements_of(view) or []])
        function.roots = [root for root in function.roots if root not in arrays]
        function.copies = {root: entry for root, entry in function.copies.items() if root not in arrays}
        replace(self._replaced)

    def _is_replaced(self, statement: Statement, elements: dict[Root, list[Operand]]) -> bool:
        """Replaces a statement that makes, reads or writes a small array; returns whether it does."""
        if not isinstance(statement, (Allocate, Load, Store)) or statement.root not in self._arrays:
            return False
        root = statement.root
        if isinstance(statement, Allocate):
            elements[root] = _zeros(root)
            return True
        place = _position(_constants(_indices(statement)) or [], _constants(root.dims) or [])
        if isinstance(statement, Load):
            self._replaced[statement.target] = elements.get(root, _zeros(root))[place]
            return True
        value = statement.operands[0]
        if isinstance(value, Constant):
            value = Constant(value.value, root.dtype)
        elements[root] = [
            value if number == place else old for number, old in enumerate(elements.get(root, _zeros(root)))
        ]
        return True

    def _in_memory(self, value: Operand | View, block: Block, elements: dict[Root, list[Operand]]) -> Operand | View:
        """Returns a value; a view of a small array as one of a new array, which gets the elements."""
        if not isinstance(value, View) or value.root not in self._arrays:
            return value
        root = value.root
        name = f"{root.name}_{block.number}_{len(block.statements)}_memory"
        memory = Root(
            name, root.type.copy(layout="C"), "local", block, root.location, dims=list(root.dims), is_written=True
        )
        self._function.roots.append(memory)
        block.statements.append(Allocate(root.location, memory, "empty"))
        for place, element in zip(_places(_constants(root.dims) or []), elements.get(root, _zeros(root)), strict=True):
            block.statements.append(Store(root.location, memory, element, list(map(index_constant, place))))
        return View(memory, value.starts, value.axes, layout=value.layout)

    def _of(self, root: Root, block: Block) -> list[Operand]:
        """Returns the elements of an array at the end of a block; zeros where it was never made."""
        return self._elements[block].get(root, _zeros(root))

    def _new_phis(self, root: Root, block: Block) -> list[Operand]:
        """Returns new numbers of a block that are phis, one for each element of an array."""
        names = [f"{root.name}_{block.number}_{number}_element" for number in range(_element_count(root))]
        targets = [Scalar(name, root.dtype, block) for name in names]
        self._function.scalars += targets
        phis = self._phis[root, block] = [Phi(target, root.location) for target in targets]
        block.phis += phis
        return list(targets)


def _add_incoming(phis: list[Phi], before: Block, elements: list[Operand]) -> None:
    for phi, element in zip(phis, elements, strict=True):
        phi.incoming[before] = element


def _zeros(root: Root) -> list[Operand]:
    """Returns the elements of a new array."""
    zero = 0.0 if root.is_real else 0 if isinstance(root.dtype, types.Integer) else False
    return [Constant(zero, root.dtype)] * _element_count(root)
