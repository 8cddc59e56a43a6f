"""Linear operators of blocks: ``LinearOperatorBlockDiag`` and ``LinearOperatorBlockLowerTriangular``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.compat.linear_operators.composition import OperatorOfParts
from fastgrad._src.compat.linear_operators.dense import LinearOperatorFullMatrix
from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    broadcast_batches,
    broadcast_shapes,
    common_dtype,
    implied_hint,
    list_of,
    named_hints,
    non_singular_hint,
    product_of,
    sum_of,
)
from fastgrad._src.core import nest
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.creation import zeros
from fastgrad._src.ops.diagonals import adjoint as adjoint_of
from fastgrad._src.ops.exponential import exp
from fastgrad._src.ops.joining import concat, split
from fastgrad._src.ops.shaping import expand_dims, squeeze


class _BlockOperator(LinearOperator):
    """An operator of blocks; tensors that it takes may be lists of one tensor for each block, and the results then are, too."""

    @property
    def _diagonal(self) -> list[LinearOperator]:
        """The operators of the blocks on the diagonal."""
        raise NotImplementedError

    def _product_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        """Returns the blocks of the product with the blocks of a matrix."""
        raise NotImplementedError

    def _solution_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        """Returns the blocks of the solution for the blocks of the right side."""
        raise NotImplementedError

    def _is_blockwise(self, value: Any, own_axis: int, axis: int) -> bool:
        """Whether ``value`` is a list of a tensor for each block, not the nested list of one tensor."""
        if not isinstance(value, (list, tuple)) or len(value) != len(self._diagonal):
            return False
        if not any(nest.is_nested(item) for item in value):
            return True
        sizes = [convert_to_tensor(item).shape[axis] for item in value]
        own_sizes = [operator.shape[own_axis] for operator in self._diagonal]
        if sizes == own_sizes:
            return True
        if len(set(sizes)) == 1 and sizes[0] >= sum(own_sizes):
            return False
        raise ValueError(f"{self.name}: Input dimensions {sizes} do not match the blocks' dimensions {own_sizes}.")

    def _blocks_of(self, value: Any, own_axis: int, axis: int, title: str) -> list[Tensor]:
        if self._is_blockwise(value, own_axis, axis):
            pairs = zip(self._diagonal, value, strict=True)
            return [operator._checked_operand(item, own_axis, axis, title) for operator, item in pairs]
        value = self._checked_operand(value, own_axis, axis, title)
        return split(value, [operator.shape[own_axis] for operator in self._diagonal], axis=axis)

    def matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul") -> Any:
        """Returns ``A @ x``; ``x`` may be a list of a tensor for each block, and the result then is. See ``LinearOperator.matmul``."""
        if isinstance(x, LinearOperator):
            return super().matmul(x, adjoint, adjoint_arg)
        own_axis, axis = -2 if adjoint else -1, -1 if adjoint_arg else -2
        parts = self._blocks_of(x, own_axis, axis, "matmul: x")
        result = self._product_parts([adjoint_of(part) for part in parts] if adjoint_arg else parts, adjoint)
        return result if self._is_blockwise(x, own_axis, axis) else concat(broadcast_batches(result), -2)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Any:
        """Returns ``A x`` for vectors; ``x`` may be a list of a tensor for each block, and the result then is."""
        own_axis = -2 if adjoint else -1
        parts = [expand_dims(part, -1) for part in self._blocks_of(x, own_axis, -1, "matvec: x")]
        result = self._product_parts(parts, adjoint)
        is_blockwise = self._is_blockwise(x, own_axis, -1)
        return _vectors(result) if is_blockwise else squeeze(concat(broadcast_batches(result), -2), -1)

    def solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve") -> Any:
        """Returns the solution of ``A @ x = rhs``; ``rhs`` may be a list of a tensor for each block. See ``LinearOperator.solve``."""
        if isinstance(rhs, LinearOperator):
            return super().solve(rhs, adjoint, adjoint_arg)
        self._check_can_solve()
        own_axis, axis = -1 if adjoint else -2, -1 if adjoint_arg else -2
        parts = self._blocks_of(rhs, own_axis, axis, "solve: rhs")
        result = self._solution_parts([adjoint_of(part) for part in parts] if adjoint_arg else parts, adjoint)
        return result if self._is_blockwise(rhs, own_axis, axis) else concat(broadcast_batches(result), -2)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Any:
        """Returns the solution of ``A x = rhs`` for vectors; ``rhs`` may be a list of a tensor for each block."""
        self._check_can_solve()
        own_axis = -1 if adjoint else -2
        parts = [expand_dims(part, -1) for part in self._blocks_of(rhs, own_axis, -1, "solvevec: rhs")]
        result = self._solution_parts(parts, adjoint)
        is_blockwise = self._is_blockwise(rhs, own_axis, -1)
        return _vectors(result) if is_blockwise else squeeze(concat(broadcast_batches(result), -2), -1)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self.matmul(x, adjoint, adjoint_arg)

    def _assert_non_singular(self) -> None:
        for operator in self._diagonal:
            operator.assert_non_singular()

    def _determinant(self) -> Tensor:
        return product_of(operator.determinant() for operator in self._diagonal)

    def _log_abs_determinant(self) -> Tensor:
        return sum_of(operator.log_abs_determinant() for operator in self._diagonal)

    def _check_square_blocks(self, method: str) -> None:
        if not all(operator.is_square for operator in self._diagonal):
            raise NotImplementedError(f"`{method}` not implemented for an operator whose blocks are not square.")

    def _diag_part(self) -> Tensor:
        self._check_square_blocks("diag_part")
        return _joined_vectors([operator.diag_part() for operator in self._diagonal])

    def _trace(self) -> Tensor:
        self._check_square_blocks("trace")
        return sum_of(operator.trace() for operator in self._diagonal)

    def _eigvals(self) -> Tensor:
        self._check_square_blocks("eigvals")
        return _joined_vectors([operator.eigvals() for operator in self._diagonal])


def _vectors(matrices: Sequence[Tensor]) -> list[Tensor]:
    return [squeeze(matrix, -1) for matrix in matrices]


def _joined_vectors(vectors: Sequence[Tensor]) -> Tensor:
    return squeeze(concat(broadcast_batches([expand_dims(vector, -1) for vector in vectors]), -2), -1)


def _dense(rows: Sequence[Sequence[Tensor | None]], columns: Sequence[int]) -> Tensor:
    """Returns the matrices with these blocks, None for zeros; ``columns`` are their numbers of columns."""
    blocks = iter(broadcast_batches([block for row in rows for block in row if block is not None]))
    lines = []
    for row in rows:
        line = [None if block is None else next(blocks) for block in row]
        known = next(block for block in line if block is not None)
        sizes = zip(line, columns, strict=True)
        filled = [zeros([*known.shape[:-1], size], known.dtype) if block is None else block for block, size in sizes]
        lines.append(concat(filled, -1))
    return concat(lines, -2)


class LinearOperatorBlockDiag(_BlockOperator, OperatorOfParts, is_made_of_parameters=True):
    """A matrix of blocks, operators on the diagonal and zeros elsewhere.

    Args:
        operators: of one dtype; their batches broadcast.
        is_non_singular: see ``LinearOperator``, as the other hints; what follows from ``operators`` need not be passed.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: default: the names of ``operators``, joined with ``_ds_``.

    Raises:
        TypeError: the dtypes differ.
        ValueError: there are no operators, or a hint is False that can't be.
    """

    _title, _name_separator = "direct sum", "_ds_"

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = True,
        name: str | None = None,
    ) -> None:
        super().__init__(operators, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)

    @property
    def _diagonal(self) -> list[LinearOperator]:
        return self._operators

    def _shape(self) -> TensorShape:
        rows, columns = (sum(operator.shape[axis] for operator in self._operators) for axis in (-2, -1))
        return broadcast_shapes([operator.batch_shape for operator in self._operators]).concatenate([rows, columns])

    def _assert_positive_definite(self) -> None:
        for operator in self._operators:
            operator.assert_positive_definite()

    def _with_parts(self, operators: list[LinearOperator], **hints: Any) -> LinearOperator:
        return LinearOperatorBlockDiag(operators, **hints)

    def _pairs_with(self, left: Any, right: Any) -> list[tuple[Any, Any]] | None:
        """Returns the pairs of blocks of two operators; None if ``right`` has no blocks.

        Raises:
            ValueError: the numbers or the sizes of the blocks differ.
        """
        if not isinstance(right, LinearOperatorBlockDiag):
            return None
        pairs = list(zip(left.operators, right.operators, strict=False))
        if len(left.operators) != len(right.operators) or any(
            a.domain_dimension != b.range_dimension for a, b in pairs
        ):
            raise ValueError(
                "Blocks of two LinearOperatorBlockDiag are incompatible: their numbers or dimensions differ."
            )
        return pairs

    def _linop_matmul(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        pairs = self._pairs_with(left_operator, right_operator)
        if pairs is None:
            return super()._linop_matmul(left_operator, right_operator)
        hint = non_singular_hint(left_operator, right_operator)
        return LinearOperatorBlockDiag([left.matmul(right) for left, right in pairs], is_non_singular=hint)

    def _linop_solve(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        pairs = self._pairs_with(left_operator, right_operator)
        if pairs is None:
            return super()._linop_solve(left_operator, right_operator)
        hint = non_singular_hint(left_operator, right_operator)
        return LinearOperatorBlockDiag([left.solve(right) for left, right in pairs], is_non_singular=hint)

    def _product_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        pairs = zip(self._operators, parts, strict=True)
        return [operator.matmul(part, adjoint=adjoint) for operator, part in pairs]

    def _solution_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        pairs = zip(self._operators, parts, strict=True)
        return [operator.solve(part, adjoint=adjoint) for operator, part in pairs]

    def _to_dense(self) -> Tensor:
        count = len(self._operators)
        rows = [
            [block.to_dense() if column == number else None for column in range(count)]
            for number, block in enumerate(self._operators)
        ]
        return _dense(rows, [operator.domain_dimension for operator in self._operators])


class LinearOperatorBlockLowerTriangular(_BlockOperator, is_made_of_parameters=True):
    """A lower triangular matrix of blocks.

    Args:
        operators: the rows of blocks: one operator in the first row, two in the second ...; those at the ends of rows are square.
        is_non_singular: see ``LinearOperator``, as the other hints; what follows from ``operators`` need not be passed.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: None or True.
        name: of the operator.

    Raises:
        TypeError: the dtypes differ.
        ValueError: the numbers or dimensions of the blocks don't fit, or a hint is False that can't be.
    """

    def __init__(
        self,
        operators: Sequence[Sequence[LinearOperator]],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorBlockLowerTriangular",
    ) -> None:
        rows = [list_of(row, f"operators[{number}]") for number, row in enumerate(list_of(operators))]
        dtype = common_dtype([operator for row in rows for operator in row])
        self._operators = rows
        if is_square is False:
            raise ValueError("LinearOperatorBlockLowerTriangular must be square: is_square must not be False.")
        self._check_blocks()
        is_non_singular = implied_hint(
            is_non_singular,
            all(operator.is_non_singular for operator in self._diagonal),
            "A blockwise lower-triangular operator with non-singular operators on the diagonal is non-singular.",
        )
        if any(operator.is_non_singular is False for operator in self._diagonal):
            if is_non_singular:
                raise ValueError(
                    "A blockwise lower-triangular operator with a singular operator on the diagonal is singular."
                )
            is_non_singular = False
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        super().__init__(dtype, **hints, name=name, parameters={"operators": rows, **hints, "name": name})

    def _check_blocks(self) -> None:
        sizes = [operator.range_dimension for operator in self._diagonal]
        for number, row in enumerate(self._operators):
            if len(row) != number + 1:
                raise ValueError(
                    f"Argument `operators[{number}]` must contain {number + 1} blocks. Received: {len(row)} blocks."
                )
            for column, operator in enumerate(row):
                if tuple(operator.shape[-2:]) != (sizes[number], sizes[column]):
                    raise ValueError(
                        f"Argument `operators[{number}][{column}]` must have shape [..., {sizes[number]}, {sizes[column]}]: the last "
                        f"block of each row is square. Received: {operator.shape}."
                    )

    @property
    def operators(self) -> list[list[LinearOperator]]:
        """The rows of blocks."""
        return self._operators

    @property
    def _diagonal(self) -> list[LinearOperator]:
        return [row[-1] for row in self._operators]

    def _shape(self) -> TensorShape:
        size = sum(operator.domain_dimension for operator in self._diagonal)
        shapes = [operator.batch_shape for row in self._operators for operator in row]
        return broadcast_shapes(shapes).concatenate([size, size])

    def _linop_inverse(self) -> LinearOperator:
        # Forward substitution, for a column of blocks of the identity at a time.
        rows: list[list[LinearOperator]] = []
        for number, row in enumerate(self._operators):
            last = row[-1].inverse()
            blocks: list[LinearOperator] = []
            for column in range(number):
                products = [row[k].matmul(rows[k][column].to_dense()) for k in range(column, number)]
                blocks.append(LinearOperatorFullMatrix(-last.matmul(sum_of(products))))
            rows.append([*blocks, last])
        return LinearOperatorBlockLowerTriangular(rows, **self._hints())

    def _product_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        count = len(self._operators)
        if adjoint:
            return [
                sum_of(self._operators[row][column].matmul(parts[row], adjoint=True) for row in range(column, count))
                for column in range(count)
            ]
        return [sum_of(map(LinearOperator.matmul, row, parts)) for row in self._operators]

    def _solution_parts(self, parts: list[Tensor], adjoint: bool) -> list[Tensor]:
        count = len(self._operators)
        solved: dict[int, Tensor] = {}
        for number in reversed(range(count)) if adjoint else range(count):
            rest = parts[number]
            for other, solution in solved.items():
                block = self._operators[other][number] if adjoint else self._operators[number][other]
                rest = rest - block.matmul(solution, adjoint=adjoint)
            solved[number] = self._diagonal[number].solve(rest, adjoint=adjoint)
        return [solved[number] for number in range(count)]

    def _determinant(self) -> Tensor:
        if all(operator.is_positive_definite for operator in self._diagonal):
            return exp(self._log_abs_determinant())
        return super()._determinant()

    def _to_dense(self) -> Tensor:
        count = len(self._operators)
        rows = [[*[block.to_dense() for block in row], *[None] * (count - len(row))] for row in self._operators]
        return _dense(rows, [operator.domain_dimension for operator in self._diagonal])
