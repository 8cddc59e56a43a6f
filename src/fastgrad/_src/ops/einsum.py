"""Sums of products over named dimensions: tensordot and einsum, made of transposes and matrix products."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import re
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import tensors_of
from fastgrad._src.ops.arithmetic import multiply
from fastgrad._src.ops.contraction import matmul_operation
from fastgrad._src.ops.diagonals import diag_part_operation
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, KERNEL_MIN_ELEMENTS

DimensionLabels = tuple[Any, ...]
Sizes = tuple[int, ...]

_LEAST_INNER_PRODUCTS = 64
"""The products of vectors of one batch from which the calls of a matrix product cost more than a second pass over memory."""

# ---- plans -----------------------------------------------------------------------------------------


class _LabeledValue(NamedTuple):
    """A tensor of a contraction plan: its position in the list of values, and the label of each dimension."""

    position: int
    labels: DimensionLabels


class _ContractionPlan:
    """A sequence of operations on tensors of known shapes; each step appends its value to the list of values.

    Two values are multiplied along the labels that they share. Labels that no later step needs are summed over.
    """

    def __init__(self, shapes: tuple[Sizes, ...], may_multiply_first: bool = False) -> None:
        self._shapes = list(shapes)
        self._may_multiply_first = may_multiply_first
        self._steps: list[tuple[Operation, tuple[int, ...], dict[str, Any]]] = []

    def run(self, tensors: Sequence[Tensor]) -> Tensor:
        """Runs the steps on the inputs ``tensors`` and returns the last value."""
        values = list(tensors)
        for operation, positions, attributes in self._steps:
            values.append(operation(*[values[position] for position in positions], **attributes))
        return values[-1]

    def shape(self, x: _LabeledValue) -> Sizes:
        """The sizes of a value's dimensions."""
        return self._shapes[x.position]

    def add_product(self, a: _LabeledValue, b: _LabeledValue, kept_labels: DimensionLabels) -> _LabeledValue:
        """Adds steps for ``a * b`` summed over the labels that are not in ``kept_labels``."""
        a, b = self.add_sum(a, {*b.labels, *kept_labels}), self.add_sum(b, {*a.labels, *kept_labels})
        batch = tuple([label for label in a.labels if label in b.labels and label in kept_labels])
        inner = tuple([label for label in a.labels if label in b.labels and label not in kept_labels])
        if not inner:
            return self._multiply_shared_labels(a, b)
        rows = tuple([label for label in a.labels if label not in b.labels])
        columns = tuple([label for label in b.labels if label not in a.labels])
        if not rows and not columns and self._multiplies_first(a, batch):
            return self.add_sum(self._multiply_shared_labels(a, b), kept_labels)
        if kept_labels == batch + columns + rows != batch + rows + columns:
            a, b, rows, columns = b, a, columns, rows
        sizes = {**dict(zip(a.labels, self.shape(a), strict=True)), **dict(zip(b.labels, self.shape(b), strict=True))}
        x, transpose_a = self._add_reshape_to_matrices(a, batch, rows, inner)
        y, transpose_b = self._add_reshape_to_matrices(b, batch, inner, columns)
        sides = [math.prod([sizes[label] for label in part]) for part in (rows, columns)]
        matrices = (*self.shape(x)[:-2], *sides)
        z = self._add_step(matmul_operation, (x, y), (), matrices, transpose_a=transpose_a, transpose_b=transpose_b)
        labels = batch + rows + columns
        return self.add_reshape(z, labels, tuple([sizes[label] for label in labels]))

    def _multiplies_first(self, a: _LabeledValue, batch: DimensionLabels) -> bool:
        """True if so many inner products are faster as one product of all elements and one sum."""
        shape = self.shape(a)
        count = math.prod([size for label, size in zip(a.labels, shape, strict=True) if label in batch])
        return self._may_multiply_first and count >= _LEAST_INNER_PRODUCTS and math.prod(shape) >= KERNEL_MIN_ELEMENTS

    def _multiply_shared_labels(self, a: _LabeledValue, b: _LabeledValue) -> _LabeledValue:
        shared = tuple([label for label in a.labels if label in b.labels])
        b_only = tuple([label for label in b.labels if label not in a.labels])
        b = self.add_transpose(b, shared + b_only)
        sizes = dict(zip(b.labels, self.shape(b), strict=True))
        b_sizes = [sizes.get(label, 1) for label in a.labels] + [sizes[label] for label in b_only]
        labels = a.labels + b_only
        a = self.add_reshape(a, labels, self.shape(a) + (1,) * len(b_only))
        b = self.add_reshape(b, labels, tuple(b_sizes))
        shape = tuple([max(m, n) if m and n else 0 for m, n in zip(self.shape(a), self.shape(b), strict=True)])
        return self._add_step(multiply, (a, b), labels, shape)

    def _add_reshape_to_matrices(
        self, x: _LabeledValue, batch: DimensionLabels, rows: DimensionLabels, columns: DimensionLabels
    ) -> tuple[_LabeledValue, bool]:
        """Returns ``x`` as (*batch, rows, columns) and False; as (*batch, columns, rows) and True if in that order."""
        swapped = x.labels == batch + columns + rows != batch + rows + columns
        if swapped:
            rows, columns = columns, rows
        x = self.add_transpose(x, batch + rows + columns)
        shape, middle = self.shape(x), len(batch) + len(rows)
        sides = (math.prod(shape[len(batch) : middle]), math.prod(shape[middle:]))
        return self.add_reshape(x, (), (*shape[: len(batch)], *sides)), swapped

    def add_sum(self, x: _LabeledValue, kept_labels: Container[Any]) -> _LabeledValue:
        """Adds a step that sums ``x`` over the labels that are not in ``kept_labels``."""
        axes = tuple([axis for axis, label in enumerate(x.labels) if label not in kept_labels])
        if not axes:
            return x
        remaining_axes = [axis for axis in range(len(x.labels)) if axis not in axes]
        labels, shape = (tuple([part[axis] for axis in remaining_axes]) for part in (x.labels, self.shape(x)))
        return self._add_step(TABLE["reduce_sum"], (x,), labels, shape, axes=axes, keepdims=False)

    def add_transpose(self, x: _LabeledValue, labels: DimensionLabels) -> _LabeledValue:
        """Adds a step that transposes ``x`` to the order of ``labels``."""
        if x.labels == labels:
            return x
        perm = tuple([x.labels.index(label) for label in labels])
        return self._add_step(
            TABLE["transpose"], (x,), labels, tuple([self.shape(x)[axis] for axis in perm]), perm=perm
        )

    def add_reshape(self, x: _LabeledValue, labels: DimensionLabels, shape: Sizes) -> _LabeledValue:
        """Adds a step that reshapes ``x`` to ``shape``, with dimensions named ``labels``."""
        if shape == self.shape(x):
            return _LabeledValue(x.position, labels)
        return self._add_step(TABLE["reshape"], (x,), labels, shape, shape=shape)

    def add_diagonal(self, x: _LabeledValue) -> _LabeledValue:
        """Adds steps that take diagonals of ``x``, until it has each label once."""
        while len(set(x.labels)) < len(x.labels):
            label = next(label for label in x.labels if x.labels.count(label) > 1)
            first = x.labels.index(label)
            second = x.labels.index(label, first + 1)
            order = (*[axis for axis in range(len(x.labels)) if axis not in (first, second)], first, second)
            labels, shape = (tuple([part[axis] for axis in order[:-1]]) for part in (x.labels, self.shape(x)))
            x = self._add_step(TABLE["transpose"], (x,), (), (*shape, shape[-1]), perm=order)
            x = self._add_step(
                diag_part_operation, (x,), labels, shape, lower=0, upper=0, align="RIGHT_LEFT", padding=0
            )
        return x

    def _add_step(
        self,
        operation: Operation,
        inputs: tuple[_LabeledValue, ...],
        labels: DimensionLabels,
        sizes: Sizes,
        /,
        **attributes: Any,
    ) -> _LabeledValue:
        self._steps.append((operation, tuple([x.position for x in inputs]), attributes))
        self._shapes.append(sizes)
        return _LabeledValue(len(self._shapes) - 1, labels)


# ---- tensordot -------------------------------------------------------------------------------------


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Products of ``a`` and ``b`` summed over pairs of dimensions, as ``numpy.tensordot``.

    Args:
        a, b: tensors of one dtype: float, complex, int32 or int64.
        axes: a number n, for the last n dimensions of ``a`` and the first n of ``b``; or two lists, the dimensions of
            ``a`` and those of ``b``.
        name: kept for TensorFlow's signature.

    Returns:
        The remaining dimensions of ``a`` followed by those of ``b``.

    Raises:
        ValueError: lists of different lengths, a dimension twice, more dimensions than there are.
        IndexError: a dimension out of range.
        InvalidArgumentError: paired dimensions of different sizes, two dtypes, a dtype without products.
    """
    a, b = tensors_of((a, b), "tensordot")
    matmul_operation.check_dtype(a._array)
    a_axes, b_axes = _paired_axes(axes, a._array, b._array)
    for i, j in zip(a_axes, b_axes, strict=True):
        if a._array.shape[i] != b._array.shape[j]:
            refuse("tensordot", f"sizes of axes {i}, {j} must be equal", InvalidArgumentError, a=a.shape, b=b.shape)
    return _tensordot_plan(a._array.shape, b._array.shape, a_axes, b_axes).run((a, b))


@functools.lru_cache(maxsize=1024)
def _tensordot_plan(
    a_shape: Sizes, b_shape: Sizes, a_axes: tuple[int, ...], b_axes: tuple[int, ...]
) -> _ContractionPlan:
    plan = _ContractionPlan((a_shape, b_shape))
    x = _LabeledValue(0, tuple(range(len(a_shape))))
    y = _LabeledValue(
        1, tuple([a_axes[b_axes.index(axis)] if axis in b_axes else -1 - axis for axis in range(len(b_shape))])
    )
    plan.add_product(
        x, y, tuple([label for label in x.labels if label not in a_axes] + [label for label in y.labels if label < 0])
    )
    return plan


def _paired_axes(axes: Any, x: np.ndarray, y: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(axes, (Tensor, np.ndarray)):
        axes = axes._elements().tolist() if isinstance(axes, Tensor) else axes.tolist()
    if not isinstance(axes, (list, tuple)):
        if axes is None:
            raise ValueError("tensordot: `axes` must be an integer or have length 2. Received None.")
        try:
            count = operator.index(axes)
        except TypeError:
            raise TypeError(f"tensordot: `axes` must be an integer or have length 2. Received {axes!r}.") from None
        if count < 0:
            raise ValueError(f"tensordot: `axes` must be at least 0. Received: {count}.")
        if count > min(x.ndim, y.ndim):
            refuse("tensordot", "`axes` must not be larger than the ranks", axes=count, shapes=(x.shape, y.shape))
        return tuple(range(x.ndim - count, x.ndim)), tuple(range(count))
    if len(axes) != 2:
        raise ValueError(f"tensordot: `axes` must be an integer or have length 2. Received {axes}.")
    axis_lists = [[int(axis) for axis in (part if np.ndim(part) else [part])] for part in axes]
    if len(axis_lists[0]) != len(axis_lists[1]):
        refuse("tensordot", "Different number of contraction axes `a` and `b`", axes=axes)
    for operand_number, (part, array) in enumerate(zip(axis_lists, (x, y), strict=True)):
        for position, axis in enumerate(part):
            if not -array.ndim <= axis < array.ndim:
                raise IndexError(
                    f"tensordot: axis {axis} is out of range for operand {operand_number} of {array.shape}."
                )
            part[position] = axis % array.ndim
        if len(set(part)) != len(part):
            raise ValueError(f"tensordot: an axis of operand {operand_number} appears more than once in `axes` {axes}.")
    return tuple(axis_lists[0]), tuple(axis_lists[1])


# ---- einsum ----------------------------------------------------------------------------------------


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Sums of products in Einstein's notation: ``einsum("ij,jk->ik", a, b)`` is the matrix product.

    Letters name each input's dimensions. Letters missing from the output are summed over. A letter twice in one input
    takes the diagonal. ``...`` means any dimensions, which broadcast. Several inputs are contracted two at a time, in the
    order that NumPy's greedy ``einsum_path`` gives.

    Args:
        equation: ``"inputs->output"``, or the inputs alone: then the letters that appear once are kept, sorted.
        *inputs: tensors of one dtype: float, complex, int32 or int64.
        **kwargs: ``name``, ``optimize`` and ``greedy``, kept for TensorFlow's signature.

    Raises:
        ValueError: an equation that can't be read, another number of inputs, an output letter twice or unknown.
        InvalidArgumentError: ranks or sizes that do not fit the equation, two dtypes, a dtype without products.
        TypeError: another keyword argument.
    """
    if not isinstance(equation, str):
        raise TypeError(f"einsum: the equation must be a string such as 'ij,jk->ik', got {equation!r}.")
    unknown = set(kwargs) - {"name", "optimize", "greedy"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise TypeError(f"Invalid keyword arguments for einsum: {names}. Valid arguments: name, optimize, greedy.")
    tensors = tensors_of(inputs, "einsum")
    matmul_operation.check_dtype(tensors[0]._array)
    may_multiply_first = tensors[0]._array.dtype in KERNEL_FLOATS  # half-width floats would round the products
    return _einsum_plan(equation, tuple([x._array.shape for x in tensors]), may_multiply_first).run(tensors)


@functools.lru_cache(maxsize=1024)
def _einsum_plan(equation: str, shapes: tuple[Sizes, ...], may_multiply_first: bool) -> _ContractionPlan:
    labels, output = _parse_equation(equation, [len(shape) for shape in shapes])
    sizes = _sizes_by_label(equation, labels, shapes)
    plan = _ContractionPlan(shapes, may_multiply_first)
    values = []
    for position, names in enumerate(labels):
        x = plan.add_diagonal(_LabeledValue(position, names))
        # Drops dimensions of size 1 that broadcast with a larger dimension of another input.
        wide_axes = [axis for axis, label in enumerate(x.labels) if plan.shape(x)[axis] == sizes[label]]
        wide_labels, shape = (tuple([part[axis] for axis in wide_axes]) for part in (x.labels, plan.shape(x)))
        values.append(plan.add_reshape(x, wide_labels, shape))
    for positions in _contraction_order([(x.labels, plan.shape(x)) for x in values], output):
        x, *others = [values.pop(position) for position in sorted(positions, reverse=True)]
        while others:
            needed_labels = dict.fromkeys(itertools.chain(output, *[y.labels for y in (*values, *others[1:])]))
            y = others.pop(0)
            x = plan.add_product(y, x, tuple(needed_labels))
        values.append(x)
    plan.add_transpose(plan.add_sum(values[0], output), output)
    return plan


def _parse_equation(equation: str, ranks: list[int]) -> tuple[tuple[DimensionLabels, ...], DimensionLabels]:
    """Returns the labels of each input and of the output; an ellipsis becomes numbers, 0 for its last dimension."""
    text = equation.replace(" ", "")
    match = re.fullmatch(r"([^>]*?)(?:->([^>]*))?", text)
    term_pattern = re.compile(r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*")
    input_terms = match.group(1).split(",") if match else []
    if match is None or not all(
        term_pattern.fullmatch(input_term) for input_term in (*input_terms, match.group(2) or "")
    ):
        raise ValueError(f"einsum: Subscripts have incorrect format: {equation}. Use for example 'ij,jk->ik'.")
    if len(input_terms) != len(ranks):
        raise ValueError(f'einsum: Got {len(ranks)} inputs for equation "{equation}", expecting {len(input_terms)}.')
    output_term = match.group(2)
    if output_term is None:
        counts = Counter(match.group(1).replace("...", "."))
        output_term = "..." * (counts["."] == 1) + "".join(
            sorted(c for c, n in counts.items() if n == 1 and c.isalpha())
        )
    letters = output_term.replace("...", "")
    for letter in letters:
        if letters.count(letter) > 1:
            raise ValueError(f"einsum: Output subscripts contain a label appearing more than once: {equation}.")
        if letter not in match.group(1):
            refuse("einsum", f"Output subscripts have the label {letter} not present in the input", equation=equation)
    labels = []
    widest_ellipsis = 0
    for position, (input_term, rank) in enumerate(zip(input_terms, ranks, strict=True)):
        ellipsis_rank = rank - len(input_term.replace("...", ""))
        if ellipsis_rank < 0 or (ellipsis_rank and "..." not in input_term):
            at_least = "at least " if "..." in input_term else ""
            raise InvalidArgumentError(
                f"einsum: Expected input {position} to have rank {at_least}{rank - ellipsis_rank} but got: {rank}, in {equation}."
            )
        widest_ellipsis = max(widest_ellipsis, ellipsis_rank)
        labels.append(_labels_of_term(input_term, ellipsis_rank))
    if widest_ellipsis and "..." not in output_term:
        raise InvalidArgumentError(
            f"einsum: Output contains {widest_ellipsis} broadcasting dimension(s) but no ellipsis (...) was found in the output "
            f"subscripts of {equation}. Write the output with '...'."
        )
    return tuple(labels), _labels_of_term(output_term, widest_ellipsis)


def _labels_of_term(term: str, ellipsis_rank: int) -> DimensionLabels:
    before, _, after = term.partition("...")
    return (*before, *range(ellipsis_rank - 1, -1, -1), *after)


def _sizes_by_label(equation: str, labels: tuple[DimensionLabels, ...], shapes: tuple[Sizes, ...]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for position, (names, shape) in enumerate(zip(labels, shapes, strict=True)):
        for axis, (label, size) in enumerate(zip(names, shape, strict=True)):
            known_size = sizes.setdefault(label, size)
            broadcasts = isinstance(label, int) and 1 in (known_size, size)
            if size != known_size and not broadcasts:
                raise InvalidArgumentError(
                    f"einsum: Expected dimension {known_size} at axis {axis} of input {position} shaped {list(shape)} but got "
                    f"dimension {size}: a label has one size throughout {equation}."
                )
            sizes[label] = size if known_size == 1 else known_size
    return sizes


def _contraction_order(values: list[tuple[DimensionLabels, Sizes]], output: DimensionLabels) -> list[tuple[int, ...]]:
    """Returns the positions of the values to contract in each step; a step appends its result to the list."""
    if len(values) < 3:
        return [tuple(range(len(values)))]
    numbers: dict[Any, int] = {}
    arguments: list[Any] = []
    for names, shape in values:
        arguments += [
            np.broadcast_to(np.float32(0), shape),
            [numbers.setdefault(label, len(numbers)) for label in names],
        ]
    path, _ = np.einsum_path(*arguments, [numbers[label] for label in output], optimize=("greedy", 2**62))
    return path[1:]
