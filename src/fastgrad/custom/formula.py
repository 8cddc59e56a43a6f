"""Scalar formulas: the computation of a user's scalar function as rows of the operation table.

A formula is a decision tree: conditions at its forks, results at its leaves. Conditions and results are terms: inputs,
constants, and rows of the table applied to other terms. Equal terms are one object.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad.core import recording
from fastgrad.core.backward import backward_pass
from fastgrad.core.operation import FLOAT_DTYPES, TABLE, Form, Operation
from fastgrad.core.placement import on_host_scope
from fastgrad.core.tensor import Tensor
from fastgrad.errors import InternalError

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


class Term:
    """A node of a formula: an input, a constant, or an operation on other terms.

    Attributes:
        row: the operation that computes the number; None for inputs and constants.
        operands: the terms that the row is applied to.
        attributes: the attributes of the row.
        dtype: the number's dtype.
        value: the position of an input, as an int. The array of shape () of a constant.
    """

    __slots__ = ("attributes", "dtype", "operands", "row", "value")

    def __init__(
        self,
        dtype: np.dtype,
        value: int | np.ndarray | None = None,
        row: Operation | None = None,
        operands: tuple[Term, ...] = (),
        attributes: dict[str, Any] | None = None,
    ) -> None:
        self.dtype = dtype
        self.value = value
        self.row = row
        self.operands = operands
        self.attributes = attributes or {}


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
        self.decisions: dict[Term, bool] = {}
        """The conditions of the path that is traced, with their outcomes."""

    def __len__(self) -> int:
        return len(self._known)

    def input(self, position: int, dtype: np.dtype) -> Term:
        """Returns the term of the input at ``position``."""
        return self._known.setdefault(("input", position, dtype), Term(dtype, position))

    def constant(self, value: Any, dtype: np.dtype) -> Term:
        """Returns the term of a constant of ``dtype``."""
        with np.errstate(over="ignore"):
            array = np.asarray(value).astype(dtype)
        return self._known.setdefault(("constant", array.tobytes(), dtype), Term(dtype, array))

    def apply(self, operation: Operation | str, *operands: Term, dtype: np.dtype | None = None) -> Term:
        """Returns the term of ``operation`` or its name of ``operands``; ``dtype`` defaults to the first operand's."""
        operation = TABLE[operation] if isinstance(operation, str) else operation
        return self.term(operation, operands, {}, operands[0].dtype if dtype is None else dtype)

    def term(
        self, operation: Operation, operands: tuple[Term, ...], attributes: dict[str, Any], dtype: np.dtype
    ) -> Term:
        """Returns the term of ``operation`` of ``operands`` with ``attributes``; the result has ``dtype``."""
        key = (operation.name, *map(id, operands), *attributes.items(), dtype)
        return self._known.setdefault(key, Term(dtype, None, operation, operands, attributes))

    def cast(self, x: Term, dtype: np.dtype) -> Term:
        """Converts ``x`` to a number of ``dtype``."""
        if x.dtype == dtype:
            return x
        if isinstance(x.value, np.ndarray):
            return self.constant(x.value, dtype)
        return self.term(TABLE["cast"], (x,), {"dtype": dtype.name}, dtype)

    def select(self, condition: Term, x: Term, y: Term) -> Term:
        """Selects ``x`` where the condition holds, else ``y``. Both have one dtype."""
        return x if x is y else self.apply("where", condition, x, y, dtype=x.dtype)

    def guarded(self, x: Term, harmless: int) -> Term:
        """Returns ``x`` where the path that is traced is taken, ``harmless`` elsewhere.

        An operation that may fail computes all elements. It must not fail for those of other paths.
        """
        constant = self.constant(harmless, x.dtype)
        for condition, outcome in self.decisions.items():
            x = self.select(condition, x, constant) if outcome else self.select(condition, constant, x)
        return x

    def as_one_term(self, tree: TermTree) -> Term:
        """Converts a decision tree to one term."""
        if isinstance(tree, Term):
            return tree
        return self.select(tree.condition, self.as_one_term(tree.then), self.as_one_term(tree.otherwise))


def leaves_of(tree: Any) -> list[Any]:
    """Returns the results of a decision tree, terms or other values, from left to right."""
    return [*leaves_of(tree.then), *leaves_of(tree.otherwise)] if isinstance(tree, Branch) else [tree]


def in_postorder(*terms: Term) -> list[Term]:
    """Returns ``terms`` and all terms of the formula that they depend on, operands first."""
    order: list[Term] = []
    visited_ids: set[int] = set()
    stack = [(term, False) for term in reversed(terms)]
    while stack:
        term, is_ready = stack.pop()
        if is_ready:
            order.append(term)
        elif id(term) not in visited_ids:
            visited_ids.add(id(term))
            stack.append((term, True))
            stack += [(operand, False) for operand in reversed(term.operands)]
    return order


class Formula:
    """The formula of one result of a user's scalar function: its inputs' dtypes, and the result as a term.

    Args:
        inputs: the dtypes of the inputs.
        tree: the tree. Its leaves have one dtype.
        terms: the ``TermPool`` that made the tree.

    Attributes:
        inputs: as given.
        tree: as given.
        dtype: the result's dtype.
        result: the tree as one term.
        terms: the result and all terms that it depends on, operands first.
    """

    def __init__(self, inputs: tuple[np.dtype, ...], tree: TermTree, terms: TermPool) -> None:
        self.inputs = inputs
        self.tree = tree
        self.result = terms.as_one_term(tree)
        self.dtype = self.result.dtype
        self.terms = in_postorder(self.result)

    def run(self, *arrays: np.ndarray) -> np.ndarray:
        """Computes the result for arrays that broadcast, operation by operation."""
        values: dict[int, np.ndarray] = {}
        for term in self.terms:
            if term.row is not None:
                array = term.row.run(*[values[id(operand)] for operand in term.operands], **term.attributes)
            else:
                array = arrays[term.value] if isinstance(term.value, int) else term.value
            values[id(term)] = array
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
        result = np.asarray(values[id(self.result)], self.dtype)
        return result if result.shape == shape else np.broadcast_to(result, shape).copy()

    def derivative(self, position: int) -> Formula:
        """Returns the cotangent of the input at ``position`` as a formula of the result's cotangent and the inputs.

        Each leaf is differentiated separately, so a branch that is not taken can't make the gradient NaN.
        """
        terms = TermPool()
        inputs = (self.dtype, *self.inputs)
        copies: dict[int, Term] = {}
        dtype = self.inputs[position]

        def derivative_tree(tree: TermTree) -> TermTree:
            if isinstance(tree, Branch):
                condition = _copy_term(tree.condition, terms, copies)
                return Branch(condition, derivative_tree(tree.then), derivative_tree(tree.otherwise))
            return terms.cast(_cotangent_of_leaf(tree, position, inputs, terms), dtype)

        return Formula(inputs, derivative_tree(self.tree), terms)


def _copy_term(term: Term, terms: TermPool, copies: dict[int, Term]) -> Term:
    """Copies a term to the terms of a derivative, where the cotangent is the first input."""
    for subterm in in_postorder(term):
        if id(subterm) in copies:
            continue
        if subterm.row is not None:
            operands = tuple([copies[id(operand)] for operand in subterm.operands])
            copies[id(subterm)] = terms.term(subterm.row, operands, subterm.attributes, subterm.dtype)
        elif isinstance(subterm.value, int):
            copies[id(subterm)] = terms.input(subterm.value + 1, subterm.dtype)
        else:
            copies[id(subterm)] = terms.constant(subterm.value, subterm.dtype)
    return copies[id(term)]


class _OperationRecorder(recording.Recorder):
    """The recorder that lists the operations which run while a derivative is derived."""

    def __init__(self) -> None:
        self.entries: list[tuple[Operation, tuple[Tensor, ...], tuple[Tensor, ...], dict[str, Any]]] = []

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """Adds an operation that has run to the list of recorded operations."""
        self.entries.append((operation, inputs, outputs, attributes))


def _cotangent_of_leaf(leaf: Term, position: int, inputs: Sequence[np.dtype], terms: TermPool) -> Term:
    """Returns the cotangent of the input at ``position`` from one leaf of a formula's decision tree.

    Runs the gradient rules of the operation table on numbers and records them.
    """
    zero = terms.constant(0, inputs[position + 1])
    if leaf.dtype not in FLOAT_DTYPES or inputs[position + 1] not in FLOAT_DTYPES:
        return zero
    recorder = _OperationRecorder()
    with recording.hidden_from_recorders(), on_host_scope():
        recording.start(recorder)
        tensors = [Tensor(np.array(0.5).astype(dtype)) for dtype in inputs]
        values: dict[int, Tensor] = {}
        for term in in_postorder(leaf):
            if term.row is not None:
                operands = [values[id(operand)] for operand in term.operands]
                values[id(term)] = Operation.__call__(term.row, *operands, **term.attributes)
            else:
                is_input = isinstance(term.value, int)
                values[id(term)] = tensors[term.value + 1] if is_input else Tensor(term.value)  # type: ignore[operator, arg-type]
        y = values[id(leaf)]
        differentiable_entries = [entry for entry in recorder.entries if entry[0].gradient is not None]
        (slope,) = backward_pass(differentiable_entries, [y], [[id(tensors[position + 1])]], [tensors[0]])
    if slope is None:
        return zero
    terms_by_tensor_id = {
        id(tensor): terms.input(input_number, dtype)
        for input_number, (tensor, dtype) in enumerate(zip(tensors, inputs, strict=True))
    }
    for row, row_inputs, outputs, attributes in recorder.entries:
        if row.form is not Form.ELEMENTWISE or len(outputs) != 1:
            raise InternalError(f"the gradient of a scalar formula needs {row.name}, which is not element-wise.")
        arguments = tuple(
            [terms_by_tensor_id.get(id(x)) or terms.constant(x._array, x._array.dtype) for x in row_inputs]
        )
        terms_by_tensor_id[id(outputs[0])] = terms.term(row, arguments, attributes, outputs[0]._array.dtype)
    return terms_by_tensor_id.get(id(slope)) or terms.constant(slope._array, slope._array.dtype)
