"""Scalar formulas: the computation of a user's scalar function as rows of the operation table.

A formula is a decision tree: conditions at its forks, results at its leaves. Conditions and results are terms (scalars/terms.py)
whose operations are rows of the table, and whose numbers have dtypes. Equal terms are one object.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import recording
from fastgrad._src.core.backward import backward_pass
from fastgrad._src.core.errors import InternalError
from fastgrad._src.core.operation import FLOAT_DTYPES, TABLE, Form, Operation
from fastgrad._src.core.placement import host_scope
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.scalars.formulas import Leaf, Number, ScalarOperation, Term, in_postorder
from fastgrad._src.scalars.terms import FUNCTIONS

_NO_ATTRIBUTES: dict[str, Any] = {}
BOOL: np.dtype = np.dtype(bool)
FLOAT32: np.dtype = np.dtype(np.float32)
FLOAT64: np.dtype = np.dtype(np.float64)


def promoted_dtype(*dtypes: np.dtype) -> np.dtype:
    """Returns the common dtype of numbers: the widest float if there is one, else NumPy's promotion."""
    floats = [dtype for dtype in dtypes if dtype in FLOAT_DTYPES]
    common_dtype, *other_dtypes = floats or dtypes
    for dtype in other_dtypes:
        are_halves = common_dtype.itemsize == dtype.itemsize == 2
        common_dtype = FLOAT32 if are_halves and common_dtype != dtype else np.promote_types(common_dtype, dtype)
    return common_dtype


class RowOperation(ScalarOperation):
    """A row of the operation table as an operation of terms.

    Attributes:
        row: the row.
        attributes: the attributes of the row.
    """

    __slots__ = ("attributes", "row")

    def __init__(self, row: Operation, attributes: dict[str, Any], arity: int) -> None:
        definition = row.lowering.elementwise.term or FUNCTIONS.get(row.name)
        super().__init__(row.name, arity, name=row.name, definition=definition)
        self.row = row
        self.attributes = attributes


class Branch(NamedTuple):
    """A node of a decision tree: a condition that selects one of two subtrees."""

    condition: Term
    then: TermTree
    otherwise: TermTree


TermTree = Term | Branch


class TermPool:
    """Makes and keeps the terms of formulas, so that equal terms are one object."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Term] = {}
        self._operations: dict[Hashable, RowOperation] = {}
        self.decisions: dict[Term, bool] = {}
        """The conditions of the path that is traced, with their outcomes."""

    def __len__(self) -> int:
        return len(self._known)

    def input(self, position: int, dtype: np.dtype) -> Term:
        """Returns the term of the input at ``position``."""
        return self._known.setdefault(("input", position, dtype), Leaf(f"input {position}", position, dtype))

    def constant(self, value: Any, dtype: np.dtype) -> Term:
        """Returns the term of a constant of ``dtype``."""
        with np.errstate(over="ignore"):
            array = np.asarray(value).astype(dtype)
        return self._known.setdefault(("constant", array.tobytes(), dtype), Number(array.item(), dtype))

    def apply(
        self, row: Operation | str, *operands: Term, dtype: np.dtype | None = None, attributes: Any = _NO_ATTRIBUTES
    ) -> Term:
        """Returns the term of ``row`` or its name of ``operands``; ``dtype`` is that of the result if the table has no such row."""
        row = TABLE[row] if isinstance(row, str) else row
        if dtype is None:
            result: Any = row.result  # element-wise rows have such a rule, for one result
            dtype = result(*[ArraySpec((), operand.dtype) for operand in operands], **attributes).dtype
        row_operation = RowOperation(row, attributes, len(operands))
        operation = self._operations.setdefault((row.name, *attributes.items()), row_operation)
        return self._known.setdefault((operation, *map(id, operands), dtype), Term(operation, operands, dtype))

    def cast(self, x: Term, dtype: np.dtype) -> Term:
        """Converts ``x`` to a number of ``dtype``."""
        if x.dtype == dtype:
            return x
        if isinstance(x, Number):
            return self.constant(array_of(x), dtype)
        return self.apply("cast", x, attributes={"dtype": dtype.name})

    def select(self, condition: Term, x: Term, y: Term) -> Term:
        """Selects ``x`` where the condition holds, else ``y``. Both have one dtype."""
        return x if x is y else self.apply("where", condition, x, y)

    def guard(self, x: Term, harmless: int) -> Term:
        """Returns ``x`` where the path that is traced is taken, ``harmless`` elsewhere.

        An operation that may fail computes all elements. It must not fail for those of other paths.
        """
        constant = self.constant(harmless, x.dtype)
        for condition, outcome in self.decisions.items():
            x = self.select(condition, x, constant) if outcome else self.select(condition, constant, x)
        return x

    def tree_as_term(self, tree: TermTree) -> Term:
        """Converts a decision tree to one term."""
        if isinstance(tree, Term):
            return tree
        return self.select(tree.condition, self.tree_as_term(tree.then), self.tree_as_term(tree.otherwise))


def array_of(number: Number) -> np.ndarray:
    """Returns a constant of a formula as an array of shape ()."""
    return np.asarray(number.value, number.dtype)


def leaves_of(tree: Any) -> list[Any]:
    """Returns the results of a decision tree, terms or other values, from left to right."""
    return [*leaves_of(tree.then), *leaves_of(tree.otherwise)] if isinstance(tree, Branch) else [tree]


class Formula:
    """The formula of one result of a user's scalar function: its inputs, and the result as a term.

    Args:
        inputs: the leaves that stand for the inputs.
        tree: the tree. Its leaves have one dtype.
        pool: the ``TermPool`` that made the tree.

    Attributes:
        inputs, tree: as given.
        dtype: the result's dtype.
        result: the tree as one term.
        terms: the result and all terms that it depends on, operands first.
    """

    def __init__(self, inputs: tuple[Term, ...], tree: TermTree, pool: TermPool) -> None:
        self.inputs = inputs
        self.tree = tree
        self.result = pool.tree_as_term(tree)
        self.dtype = self.result.dtype
        self.terms = in_postorder(self.result)
        self._pool = pool

    def run(self, *arrays: np.ndarray) -> np.ndarray:
        """Computes the result for arrays that broadcast, operation by operation."""
        values: dict[Term, np.ndarray] = dict(zip(self.inputs, arrays, strict=True))
        for term in self.terms:
            if isinstance(term.operation, RowOperation):
                operands = [values[operand] for operand in term.operands]
                values[term] = term.operation.row.run(*operands, **term.operation.attributes)
            elif isinstance(term, Number):
                values[term] = array_of(term)
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
        result = np.asarray(values[self.result], self.dtype)
        return result if result.shape == shape else np.broadcast_to(result, shape).copy()

    def derivative(self, position: int) -> Formula:
        """Returns the cotangent of the input at ``position`` as a formula of the result's cotangent and the inputs.

        Each leaf is differentiated separately, so a branch that is not taken can't make the gradient NaN.
        """
        inputs = (Leaf("cotangent", dtype=self.dtype), *self.inputs)
        wanted = self.inputs[position]

        def derivative_tree(tree: TermTree) -> TermTree:
            if isinstance(tree, Branch):
                return Branch(tree.condition, derivative_tree(tree.then), derivative_tree(tree.otherwise))
            return self._pool.cast(_cotangent_of_leaf(tree, wanted, inputs, self._pool), wanted.dtype)

        return Formula(inputs, derivative_tree(self.tree), self._pool)


class _OperationRecorder(recording.Recorder):
    """The recorder that lists the operations which run while a derivative is derived."""

    def __init__(self) -> None:
        self.entries: list[tuple[Operation, tuple[Tensor, ...], tuple[Tensor, ...], dict[str, Any]]] = []

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        self.entries.append((operation, inputs, outputs, attributes))


def _cotangent_of_leaf(leaf: Term, wanted: Term, inputs: tuple[Term, ...], pool: TermPool) -> Term:
    """Returns the cotangent of the input ``wanted`` from one leaf of a formula's decision tree.

    Runs the gradient rules of the operation table on numbers and records them.
    """
    zero = pool.constant(0, wanted.dtype)
    if leaf.dtype not in FLOAT_DTYPES or wanted.dtype not in FLOAT_DTYPES:
        return zero
    recorder = _OperationRecorder()
    with recording.hide_from_recorders(), host_scope():
        recording.start(recorder)
        values = {term: Tensor(np.array(0.5).astype(term.dtype)) for term in inputs}
        terms = {id(tensor): term for term, tensor in values.items()}
        for term in in_postorder(leaf):
            if isinstance(term.operation, RowOperation):
                operands = [values[operand] for operand in term.operands]
                values[term] = Operation.__call__(term.operation.row, *operands, **term.operation.attributes)
            elif isinstance(term, Number):
                values[term] = Tensor(array_of(term))
        differentiable_entries = [entry for entry in recorder.entries if entry[0].gradient is not None]
        (slope,) = backward_pass(differentiable_entries, [values[leaf]], [[id(values[wanted])]], [values[inputs[0]]])
    if slope is None:
        return zero

    def term_of(tensor: Tensor) -> Term:
        term = terms.get(id(tensor))
        return pool.constant(tensor._array, tensor._array.dtype) if term is None else term

    for row, row_inputs, outputs, attributes in recorder.entries:
        if row.form is not Form.ELEMENTWISE or len(outputs) != 1:
            raise InternalError(f"the gradient of a scalar formula needs {row.name}, which is not element-wise.")
        (output,) = outputs
        terms[id(output)] = pool.apply(row, *map(term_of, row_inputs), dtype=output._array.dtype, attributes=attributes)
    return term_of(slope)
