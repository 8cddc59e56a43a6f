"""Appends statements to the blocks of a function."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule, ProductRule
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Operand,
    Root,
    Scalar,
    View,
    index_constant,
    is_constant,
    leaf_types_of,
    refuse,
)
from fastgrad._src.derivatives.ir.partials import Partial
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.scalar_operations import KEEPING_NATURALS, RAISING, checked_size
from fastgrad._src.derivatives.ir.scalar_rules import NUMBA_FUNCTIONS
from fastgrad._src.derivatives.ir.statements import Allocate, Call, Compute, Draw, Grow, Jump, Load, Size, Store
from fastgrad._src.derivatives.ir.values import Complex, is_hashable
from fastgrad._src.derivatives.numpy.loop_sources import CHECKS_OF_SIZES
from fastgrad._src.derivatives.output.text import expression
from fastgrad._src.scalars.formulas import OPERANDS, ScalarOperation, Term, in_postorder, key_of, substitute, transform
from fastgrad._src.scalars.terms import ADD, MULTIPLY, SUBTRACT

_FOLDED = {ADD: int.__add__, SUBTRACT: int.__sub__, MULTIPLY: int.__mul__}


@numba.njit
def grow_array(array, size):  # type: ignore[no-untyped-def]
    """Returns an array, or a copy of it with more rows if it has less than ``size``."""
    rows = array.shape[0]
    if size <= rows:
        return array
    result = np.zeros((max(size, 2 * rows, 8), *array.shape[1:]), array.dtype)
    for row in range(rows):  # Numba compiles a loop faster than the assignment to a slice
        result[row] = array[row]
    return result


class Builder:
    """Appends statements to the current block of ``function``.

    The blocks of a function with the names of ``caller`` may become blocks of the caller's function.

    Attributes:
        function: the function that is built.
        block: the current block.
        location: the place in the user's source that statements come from.
        checks_bounds: whether an index beyond an array's end is an error.
        is_in_try: whether an exception would be caught here.
    """

    checks_bounds = False
    is_in_try = False

    def __init__(self, function: Function, caller: Builder | None = None) -> None:
        self.function = function
        self.location = function.location
        self._names: dict[str, int] = {}
        self._numbers_of_globals: dict[int, str] = {}
        self._computed: dict[Any, Scalar] = {}
        self._calls: dict[tuple[str, int], ScalarOperation] = {}
        self._expressions: dict[Hashable, ScalarOperation] = {}
        if caller is not None:
            function.globals, self._names, self._numbers_of_globals, self._calls, self._expressions = (
                caller.function.globals,
                caller._names,
                caller._numbers_of_globals,
                caller._calls,
                caller._expressions,
            )
        self.block = self.new_block()

    @property
    def statement_count(self) -> int:
        """The number of statements so far."""
        return sum([len(block.statements) for block in self.function.blocks])

    def new_block(self) -> Block:
        """Returns a new block, without making it the current one."""
        block = Block(len(self.function.blocks))
        self.function.blocks.append(block)
        return block

    def enter(self, block: Block) -> None:
        """Makes ``block`` the current block."""
        self.block = block
        self._computed.clear()

    def jump(self, target: Block) -> None:
        """Ends the current block with a jump."""
        self.block.end = Jump(target)

    def name(self, hint: str) -> str:
        """Returns a variable's name that is not yet used. No name that the derivative makes of another one starts with ``v_``."""
        hint = "".join(letter if letter.isalnum() else "_" for letter in hint.partition(".")[0]).strip("_") or "t"
        number = self._names[hint] = self._names.get(hint, 0) + 1
        return f"v_{hint}_{number}"

    def bind(self, value: Any, hint: str) -> str:
        """Returns the name by which the derivative's text names a global value."""
        name = self._numbers_of_globals.get(id(value))
        if name is None:
            name = hint if NUMBA_FUNCTIONS.get(hint) is value else "g_" + self.name(hint)[2:]
            self._numbers_of_globals[id(value)] = name
            self.function.globals[name] = value
        return name

    def scalar(self, type: types.Type, hint: str = "t") -> Scalar:
        """Returns a new scalar of the current block."""
        type = types.unliteral(type)
        if not isinstance(type, (types.Float, types.Integer, types.Boolean)):
            raise self.refuse(f"a value of type {type} can't be differentiated")
        scalar = Scalar(self.name(hint), type, self.block)
        self.function.scalars.append(scalar)
        return scalar

    def compute(
        self,
        type: types.Type,
        operation: ScalarOperation,
        operands: list[Operand],
        cost: int | None = None,
        partials: Sequence[Partial] | None = None,
        hint: str = "t",
        draw: str = "",
    ) -> Scalar:
        """Appends a ``Compute`` and returns its target.

        Args:
            type: of the target.
            operation: of ``operands``.
            operands: the numbers.
            cost: by default that of the operation.
            partials: for each operand; those of constants and of numbers that are no floats are dropped. None without derivatives.
            hint: what the name of the target starts with.
            draw: the name of a ``Draw``.
        """
        self.check_in_try(operation)
        target = self.scalar(type, hint)
        own_partials = None
        if partials is not None:
            own_partials = [
                None if partial is None or not operand.is_real else self.bind_function_names(partial)
                for partial, operand in zip(partials, operands, strict=True)
            ]
        parts = (self.location, target, operation, operands, cost, own_partials)
        self.block.define(target, Draw(draw, *parts) if draw else Compute(*parts))
        return target

    def check_in_try(self, operation: ScalarOperation) -> None:
        """Refuses an operation that raises what a program may catch. It catches other errors than those of sizes, which leave the `try`."""
        if self.is_in_try and operation.may_raise and operation.function not in CHECKS_OF_SIZES:
            raise self.refuse("what may raise here can't be differentiated within try, save for raise and divisions")

    def call_of(self, function: Any, count: int, hint: str = "") -> ScalarOperation:
        """Returns the operation that calls a function of ``count`` numbers.

        Args:
            function: a dispatcher of Numba, or a function that Numba knows.
            count: the number of arguments.
            hint: its name in the derivative's text, if that is free; by default its own name.
        """
        python_function = getattr(function, "py_func", function)
        name = self.bind(function, hint or getattr(python_function, "__name__", "function"))
        operation = self._calls.get((name, count))
        if operation is None:
            numbers = ", ".join(f"{{{number}}}" for number in range(count))
            may_raise, keeps_naturals = [
                is_hashable(function) and function in functions for functions in (RAISING, KEEPING_NATURALS)
            ]
            operation = self._calls[name, count] = ScalarOperation(
                f"{name}({numbers})", count, function, may_raise=may_raise, keeps_naturals=keeps_naturals
            )
        return operation

    def bind_function_names(self, term: Term) -> Term:
        """Returns a term whose functions have the names by which the derivative's text calls them."""

        def replace(node: Term) -> Term | None:
            operation = node.operation
            function = None if operation is None else operation.function or NUMBA_FUNCTIONS.get(operation.name)
            if operation is None or function is None:
                return None
            return Term(self.call_of(function, len(node.operands), operation.name or ""), node.operands)

        return transform(term, replace)

    def expression(self, term: Term) -> ScalarOperation:
        """Returns the operation of a term of operands; for an equal term the same one."""
        term = self.bind_function_names(term)
        if term.operation is not None and all(map(operator.is_, term.operands, OPERANDS)):
            return term.operation
        key = key_of(term)
        if key not in self._expressions:
            count = 1 + max([node.position for node in in_postorder(term) if node.position is not None], default=-1)
            self._expressions[key] = expression(
                lambda *values: substitute(term, dict(zip(OPERANDS, values, strict=False))),
                count,
                may_raise=any(node.operation is not None and node.operation.may_raise for node in in_postorder(term)),
            )
        return self._expressions[key]

    def index(
        self, operation: ScalarOperation, *operands: Operand, cost: int | None = None, is_natural: bool = False
    ) -> Operand:
        """Returns an integer that is an operation of integers; equal ones of a block are computed once."""
        constants = [int(operand.value) for operand in operands if isinstance(operand, Constant)]
        if len(constants) == len(operands) and operation in _FOLDED:
            return index_constant(_FOLDED[operation](*constants))
        if operation in _FOLDED and all(operand.type == INDEX for operand in operands):
            neutral = 1 if operation is MULTIPLY else 0
            if is_constant(operands[1], neutral):
                return operands[0]
            if is_constant(operands[0], neutral) and operation is not SUBTRACT:
                return operands[1]
        key = (operation, *[operand.value if isinstance(operand, Constant) else operand for operand in operands])
        target = self._computed.get(key)
        if target is None:
            target = self._computed[key] = self.compute(INDEX, operation, list(operands), cost, hint="i")
            is_closed = operation in (ADD, MULTIPLY) and all(operand.is_natural for operand in operands)
            target.is_natural = is_natural or is_closed
        return target

    def load(self, root: Root, indices: list[Operand], hint: str = "t") -> Scalar:
        """Appends a ``Load`` and returns the element."""
        target = self.scalar(root.type.dtype, hint)
        self.block.define(target, Load(self.location, target, root, indices))
        return target

    def store(self, root: Root, value: Operand, indices: list[Operand]) -> None:
        """Appends a ``Store``."""
        self.note_write(root)
        if not root.is_real and value.is_real:
            raise self.refuse("a float is stored in an array of integers, where its derivative would be lost")
        self.block.statements.append(Store(self.location, root, value, indices))

    def note_write(self, root: Root) -> None:
        """Notes that an array is written."""
        if root.memory_owner.kind == "global":
            raise self.refuse("a global array is written")
        if root.memory_owner.is_copy_of_argument:
            name = self.function.names[root.memory_owner.position]  # type: ignore[index]
            raise self.refuse(
                f"the list or dictionary {name}, or an item of it, is an argument and is changed here, which can't be differentiated: change a copy of it, or "
                f"for arrays of a list pass the tuple of them: tuple({name})"
            )
        root.memory_owner.is_written = True

    def root(self, type: types.Array, kind: str, hint: str, dims: list[Operand] | None = None) -> Root:
        """Returns a new root of the current block. Without ``dims`` its sizes are read from the array.

        An array of complex numbers is a root of floats with one more axis, of size 2: the real and the imaginary part.
        """
        if isinstance(type.dtype, types.Complex):
            layout = "C" if type.layout == "C" else "A"
            type = types.Array(type.dtype.underlying_float, type.ndim + 1, layout)
            dims = None if dims is None else [*dims, index_constant(2)]
        if not isinstance(type.dtype, (types.Float, types.Integer, types.Boolean)):
            raise self.refuse(f"an array of {type.dtype} can't be differentiated")
        root = Root(self.name(hint), type, kind, self.block, self.location, dims=dims or [])
        self.function.roots.append(root)
        return root

    def read_dims(self, root: Root, type: types.Array) -> None:
        """Appends a ``Size`` for each axis of a root of an array of ``type``."""
        for axis in range(type.ndim):
            size = self.scalar(INDEX, "n")
            size.is_natural = True
            self.block.define(size, Size(self.location, size, root, axis))
            root.dims.append(size)
        if isinstance(type.dtype, types.Complex):
            root.dims.append(index_constant(2))

    def grow(self, root: Root, size: Operand) -> None:
        """Appends a ``Grow``."""
        self.function.globals["grow_array"] = grow_array
        self.block.statements.append(Grow(self.location, root, size))

    def checked_size(self, size: Operand) -> Operand:
        """Returns a size of an array; unless it is known to be at least 0, appends a check."""
        return size if size.is_natural else self.index(self.call_of(checked_size, 1), size, is_natural=True)

    def allocate(self, dtype: types.Type, dims: list[Operand], function: str, hint: str = "array") -> View:
        """Appends an ``Allocate`` and returns the array."""
        dims = [self.checked_size(size) for size in dims]
        root = self.root(types.Array(dtype, len(dims), "C"), "local", hint, dims)
        self.block.statements.append(Allocate(self.location, root, function))
        return View.whole(root, dtype)

    def call(
        self, rule: CallRule | Callee, arguments: list[Operand | View], type: types.Type
    ) -> list[Scalar | Complex | View]:
        """Appends a ``Call`` and returns its results, the leaves of a value of ``type``."""
        if self.is_in_try:
            raise self.refuse(
                "a call that may raise can't be differentiated within try: call it outside, where a test of its arguments is true"
            )
        results: list[Scalar | Root] = []
        statement = Call(self.location, rule, arguments, results)
        for root in statement.writes:
            self.note_write(root)
        self.block.statements.append(statement)
        values: list[Scalar | Complex | View] = []
        for leaf_type in leaf_types_of(type):
            if isinstance(leaf_type, types.Array):
                dims = rule.result_sizes(arguments) if isinstance(rule, ProductRule) else None
                root = self.root(types.Array(leaf_type.dtype, leaf_type.ndim, "C"), "local", "array", dims)
                results.append(root)
                if dims is None:
                    self.read_dims(root, leaf_type)
                values.append(View.whole(root, leaf_type.dtype))
            elif isinstance(leaf_type, types.Complex):
                parts = [self.scalar(leaf_type.underlying_float) for _ in range(2)]
                for part in parts:
                    part.definition = statement
                results += parts
                values.append(Complex(*parts))
            else:
                scalar = self.scalar(leaf_type)
                scalar.definition = statement
                results.append(scalar)
                values.append(scalar)
        return values

    def refuse(self, reason: str) -> DifferentiationError:
        """Returns the error for the user's code here, which can't be differentiated."""
        return refuse(reason, self.location)

    def constant(self, value: Any, type: types.Type | None = None) -> Constant:
        """Returns a constant number; without ``type`` it has the type that Numba gives a Python number."""
        if type is None:
            is_float = isinstance(value, (float, np.floating))
            type = types.boolean if isinstance(value, (bool, np.bool_)) else types.float64 if is_float else types.int64
            if isinstance(value, np.float32):
                type = types.float32
        return Constant(value, types.unliteral(type))
