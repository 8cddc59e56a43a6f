"""Linear operators made of others: adjoints, inverses, products and Kronecker products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

from fastgrad._src.compat.linear_operators.dense import LinearOperatorLowerTriangular
from fastgrad._src.compat.linear_operators.linear_operator import (
    HINTS,
    LinearOperator,
    broadcast_shapes,
    common_dtype,
    implied_hint,
    list_of,
    named_hints,
    product_of,
    sum_of,
)
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arithmetic import sign
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.diagonals import adjoint as adjoint_of
from fastgrad._src.ops.diagonals import matrix_transpose
from fastgrad._src.ops.shaping import reshape


def _common_hints(operator: Any, hints: dict[str, bool | None], relation: str) -> dict[str, bool | None]:
    """Returns hints that hold for an operator and its adjoint or inverse.

    Raises:
        TypeError: ``operator`` is no operator.
        ValueError: the hints of both contradict each other.
    """
    common_dtype([operator])
    common: dict[str, bool | None] = {}
    for name in HINTS:
        known = {getattr(operator, name), hints[name]} - {None}
        if len(known) == 2:
            raise ValueError(
                f"An operator {name.replace('_', ' ')} if and only if its {relation} is: the hints contradict."
            )
        common[name] = known.pop() if known else None
    return common


class _Derived(LinearOperator):
    """The base of operators that are made of one other operator."""

    _relation: str
    _name_suffix: str
    _required_hints: tuple[str, ...] = ()

    def __init__(
        self,
        operator: LinearOperator,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        hints = _common_hints(operator, hints, self._relation)
        for hint in self._required_hints:
            if hints[hint] is False:
                raise ValueError(f"{type(self).__name__}: {hint} is False, so there is no {self._relation}.")
        self._operator = operator
        parameters = {"operator": operator, **hints, "name": name}
        super().__init__(operator.dtype, **hints, name=name or operator.name + self._name_suffix, parameters=parameters)

    @property
    def operator(self) -> LinearOperator:
        """The other operator."""
        return self._operator

    def _assert_non_singular(self) -> None:
        self._operator.assert_non_singular()

    def _assert_positive_definite(self) -> None:
        self._operator.assert_positive_definite()

    def _assert_self_adjoint(self) -> None:
        self._operator.assert_self_adjoint()

    def _cond(self) -> Tensor:
        return self._operator.cond()


class LinearOperatorAdjoint(_Derived, is_made_of_parameters=True):
    """The conjugate transposes of the matrices of another operator.

    Args:
        operator: the other operator.
        is_non_singular: see ``LinearOperator``, as the other hints; default: those of ``operator``.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: default: the name of ``operator`` with ``_adjoint``.

    Raises:
        ValueError: a hint contradicts the hint of ``operator``.
    """

    _relation, _name_suffix = "adjoint", "_adjoint"

    def _shape(self) -> TensorShape:
        return TensorShape([*self._operator.batch_shape, self._operator.shape[-1], self._operator.shape[-2]])

    def _linop_adjoint(self) -> LinearOperator:
        return self._operator

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._operator.matmul(x, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _matvec(self, x: Any, adjoint: bool = False) -> Tensor:
        return self._operator.matvec(x, adjoint=not adjoint)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._operator.solve(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _solvevec(self, rhs: Any, adjoint: bool = False) -> Tensor:
        return self._operator.solvevec(rhs, adjoint=not adjoint)

    def _determinant(self) -> Tensor:
        return conj(self._operator.determinant())

    def _log_abs_determinant(self) -> Tensor:
        return self._operator.log_abs_determinant()

    def _trace(self) -> Tensor:
        return conj(self._operator.trace())

    def _to_dense(self) -> Tensor:
        return adjoint_of(self._operator.to_dense())

    def _eigvals(self) -> Tensor:
        return self._operator.eigvals()


class LinearOperatorInversion(_Derived, is_made_of_parameters=True):
    """The inverses of the matrices of another operator.

    Args:
        operator: the other operator, square and not singular.
        is_non_singular: see ``LinearOperator``, as the other hints; default: those of ``operator``.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: default: the name of ``operator`` with ``_inv``.

    Raises:
        ValueError: a hint says that there is no inverse, or contradicts the hint of ``operator``.
    """

    _relation, _name_suffix = "inverse", "_inv"
    _required_hints = ("is_non_singular", "is_square")

    def _shape(self) -> TensorShape:
        return self._operator.shape

    def _linop_inverse(self) -> LinearOperator:
        return self._operator

    def _linop_solve(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        return left_operator.operator.matmul(right_operator)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._operator.solve(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._operator.matmul(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _determinant(self) -> Tensor:
        return 1.0 / self._operator.determinant()

    def _log_abs_determinant(self) -> Tensor:
        return -self._operator.log_abs_determinant()

    def _eigvals(self) -> Tensor:
        return 1.0 / self._operator.eigvals()


def _are_adjoints(left: LinearOperator, right: LinearOperator) -> bool:
    if left is right and left.is_self_adjoint is not None:
        return left.is_self_adjoint
    return left.H is right or right.H is left


def _is_product_with_adjoint(operators: Sequence[LinearOperator]) -> bool:
    """True if the product of ``operators`` has the form A @ A^H."""
    half = len(operators) // 2
    return len(operators) % 2 == 0 and all(map(_are_adjoints, operators[:half], reversed(operators[half:])))


def _is_self_adjoint_product(operators: Sequence[LinearOperator]) -> bool:
    if len(operators) == 1:
        return bool(operators[0].is_self_adjoint)
    if len(operators) % 2 == 0:
        return _is_product_with_adjoint(operators)
    half = len(operators) // 2
    return bool(operators[half].is_self_adjoint) and _is_product_with_adjoint(
        [*operators[:half], *operators[half + 1 :]]
    )


class LinearOperatorComposition(LinearOperator, is_made_of_parameters=True):
    """The product of operators: ``operators[0] @ operators[1] @ ...``.

    Args:
        operators: of one dtype; their dimensions fit, and their batches broadcast.
        is_non_singular: see ``LinearOperator``, as the other hints; what follows from ``operators`` need not be passed.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: default: the names of ``operators``, joined with ``_o_``.

    Raises:
        TypeError: the dtypes differ.
        ValueError: there are no operators, or a hint is False that can't be.
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        operators = list_of(operators)
        dtype = common_dtype(operators)
        self._operators = operators
        is_non_singular = implied_hint(
            is_non_singular,
            all(operator.is_non_singular for operator in operators),
            "The composition of non-singular operators is always non-singular.",
        )
        is_self_adjoint = implied_hint(
            is_self_adjoint,
            _is_self_adjoint_product(operators),
            "The composition is self-adjoint: is_self_adjoint must not be False.",
        )
        has_square_form = _is_product_with_adjoint(operators)
        is_square = implied_hint(
            is_square, has_square_form, "The composition has the form A @ A.H, hence it is square."
        )
        is_positive_definite = implied_hint(
            is_positive_definite,
            has_square_form and is_non_singular,
            "The composition is non-singular and has the form A @ A.H, hence it is positive-definite.",
        )
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        parameters = {"operators": operators, **hints, "name": name}
        name = name or "_o_".join(operator.name for operator in operators)
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    @property
    def operators(self) -> list[LinearOperator]:
        """The factors."""
        return self._operators

    def _shape(self) -> TensorShape:
        for left, right in zip(self._operators, self._operators[1:], strict=False):
            if left.domain_dimension != right.range_dimension:
                raise ValueError(
                    f"{self.name}: Dimensions {left.domain_dimension} and {right.range_dimension} are not compatible."
                )
        matrix_shape = [self._operators[0].range_dimension, self._operators[-1].domain_dimension]
        return broadcast_shapes([operator.batch_shape for operator in self._operators]).concatenate(matrix_shape)

    def _assert_non_singular(self) -> None:
        if not all(operator.is_square for operator in self._operators):
            super()._assert_non_singular()
            return
        for operator in self._operators:
            operator.assert_non_singular()

    def _linop_cholesky(self) -> LinearOperator:
        left = self._operators[0]
        if len(self._operators) != 2 or not isinstance(left, LinearOperatorLowerTriangular):
            return super()._linop_cholesky()
        if left.is_positive_definite:
            return left
        signs = sign(left.diag_part())[..., None, :]
        return LinearOperatorLowerTriangular(left.tril / signs, is_non_singular=left.is_non_singular)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        first, *others = self._operators if adjoint else reversed(self._operators)
        result = first.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        return reduce(lambda product, operator: operator.matmul(product, adjoint=adjoint), others, result)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        first, *others = reversed(self._operators) if adjoint else self._operators
        result = first.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        return reduce(lambda solution, operator: operator.solve(solution, adjoint=adjoint), others, result)

    def _determinant(self) -> Tensor:
        return product_of(operator.determinant() for operator in self._operators)

    def _log_abs_determinant(self) -> Tensor:
        return sum_of(operator.log_abs_determinant() for operator in self._operators)


class OperatorOfParts(LinearOperator):
    """The base of direct sums and Kronecker products: each has the hints that all its operators have; arguments as there."""

    _title: str
    _name_separator: str

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
    ) -> None:
        operators = list_of(operators)
        dtype = common_dtype(operators)
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        for hint in HINTS[:3]:
            title = hint[3:].replace("_", "-")
            problem = f"The {self._title} of {title} operators is always {title}."
            hints[hint] = implied_hint(hints[hint], all(getattr(operator, hint) for operator in operators), problem)
        self._operators = operators
        parameters = {"operators": operators, **hints, "name": name}
        name = name or self._name_separator.join(operator.name for operator in operators)
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    @property
    def operators(self) -> list[LinearOperator]:
        """The parts."""
        return self._operators

    def _with_parts(self, operators: list[LinearOperator], **hints: Any) -> LinearOperator:
        raise NotImplementedError

    def _assert_non_singular(self) -> None:
        for operator in self._operators:
            operator.assert_non_singular()

    def _assert_self_adjoint(self) -> None:
        for operator in self._operators:
            operator.assert_self_adjoint()

    def _linop_adjoint(self) -> LinearOperator:
        return self._with_parts([operator.adjoint() for operator in self._operators], **self._hints())

    def _linop_inverse(self) -> LinearOperator:
        return self._with_parts([operator.inverse() for operator in self._operators], **self._hints())

    def _linop_cholesky(self) -> LinearOperator:
        return self._with_parts([operator.cholesky() for operator in self._operators], is_non_singular=True)


class LinearOperatorKronecker(OperatorOfParts, is_made_of_parameters=True):
    """The Kronecker product of operators.

    Args:
        operators: of one dtype; their batches broadcast.
        is_non_singular: see ``LinearOperator``, as the other hints; what follows from ``operators`` need not be passed.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: default: the names of ``operators``, joined with ``_x_``.

    Raises:
        TypeError: the dtypes differ.
        ValueError: there are no operators, or a hint is False that can't be.
    """

    _title, _name_separator = "Kronecker product", "_x_"

    def _with_parts(self, operators: list[LinearOperator], **hints: Any) -> LinearOperator:
        return LinearOperatorKronecker(operators, **hints)

    def _shape(self) -> TensorShape:
        rows, columns = (prod(operator.shape[axis] for operator in self._operators) for axis in (-2, -1))
        return broadcast_shapes([operator.batch_shape for operator in self._operators]).concatenate([rows, columns])

    def _assert_square_factors(self) -> None:
        if not all(operator.is_square for operator in self._operators):
            raise InvalidArgumentError("All Kronecker factors must be square for the product to be invertible.")

    def _assert_non_singular(self) -> None:
        self._assert_square_factors()
        super()._assert_non_singular()

    def _assert_self_adjoint(self) -> None:
        self._assert_square_factors()
        super()._assert_self_adjoint()

    def _on_each_factor(self, x: Tensor, call: Callable[[LinearOperator, Tensor], Tensor], adjoint: bool) -> Tensor:
        """Calls ``call(operator, matrix)`` for each factor.

        The axes of ``x`` are those of the factors, then that of its columns. In each turn the axis of the last factor that is left
        goes to the front, so that in the end all are in their places again.
        """
        columns = x.shape[-1]
        x = matrix_transpose(x)
        for operator in reversed(self._operators):
            size = operator.shape[-2 if adjoint else -1]
            x = reshape(x, [*x.shape[:-2], prod(x.shape[-2:]) // size, size])
            x = call(operator, matrix_transpose(x))
        return reshape(x, [*x.shape[:-2], prod(x.shape[-2:]) // columns, columns])

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        x = adjoint_of(x) if adjoint_arg else x
        return self._on_each_factor(x, lambda operator, part: operator.matmul(part, adjoint=adjoint), adjoint)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        rhs = adjoint_of(rhs) if adjoint_arg else rhs
        return self._on_each_factor(rhs, lambda operator, part: operator.solve(part, adjoint=adjoint), not adjoint)

    def _determinant(self) -> Tensor:
        size = self.domain_dimension
        return product_of(operator.determinant() ** (size // operator.domain_dimension) for operator in self._operators)

    def _log_abs_determinant(self) -> Tensor:
        size = self.domain_dimension
        return sum_of(
            operator.log_abs_determinant() * (size // operator.domain_dimension) for operator in self._operators
        )

    def _trace(self) -> Tensor:
        if not all(operator.is_square for operator in self._operators):
            return super()._trace()
        return product_of(operator.trace() for operator in self._operators)

    def _diag_part(self) -> Tensor:
        if not all(operator.is_square for operator in self._operators):
            return super()._diag_part()
        return reduce(_outer_vector, [operator.diag_part() for operator in self._operators])

    def _to_dense(self) -> Tensor:
        return reduce(_outer_matrix, [operator.to_dense() for operator in self._operators])

    def _eigvals(self) -> Tensor:
        return reduce(_outer_vector, [operator.eigvals() for operator in self._operators])


def _outer_vector(left: Tensor, right: Tensor) -> Tensor:
    product = left[..., :, None] * right[..., None, :]
    return reshape(product, [*product.shape[:-2], prod(product.shape[-2:])])


def _outer_matrix(left: Tensor, right: Tensor) -> Tensor:
    product = left[..., :, None, :, None] * right[..., None, :, None, :]
    return reshape(product, [*product.shape[:-4], prod(product.shape[-4:-2]), prod(product.shape[-2:])])
