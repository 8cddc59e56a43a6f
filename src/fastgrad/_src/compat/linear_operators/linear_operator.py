"""``tf.linalg.LinearOperator``: the base class of batches of matrices that are computed with in a cheaper form than dense matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import add, mul
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, settings_version
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.module import Module
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops import arithmetic, diagonals
from fastgrad._src.ops.assertion import assert_equal, assert_less, assert_positive
from fastgrad._src.ops.complex_numbers import imag, real
from fastgrad._src.ops.creation import eye, zeros_like
from fastgrad._src.ops.decompositions import eigvalsh, svd
from fastgrad._src.ops.diagonals import diag_part
from fastgrad._src.ops.exponential import exp, log
from fastgrad._src.ops.linear_algebra import cholesky, cholesky_solve, det, slogdet, solve
from fastgrad._src.ops.reduction import reduce_max, reduce_min, reduce_sum
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, squeeze
from fastgrad._src.structures.extension_types.structure import (
    NoCommonType,
    are_compatible,
    common_spec,
    join_tensors,
    spec_of,
    split_tensors,
)

_PLAIN_TYPES = (bool, int, float, complex, str, bytes, type(None))
HINTS = ("is_non_singular", "is_self_adjoint", "is_positive_definite", "is_square")


def tensor_or_variable(value: Any) -> Any:
    """Returns a variable as it is, so that each method reads its present value, and anything else as a tensor."""
    return value if isinstance(value, Variable) else convert_to_tensor(value)


def named_hints(*values: bool | None) -> dict[str, bool | None]:
    """Returns the hints by name; ``values`` are in the order of ``HINTS``."""
    return dict(zip(HINTS, values, strict=True))


def broadcast_shapes(shapes: Sequence[TensorShape]) -> TensorShape:
    """Returns the shape that all ``shapes`` broadcast to.

    Raises:
        ValueError: they don't broadcast.
    """
    try:
        return TensorShape(np.broadcast_shapes(*[tuple(shape) for shape in shapes]))
    except ValueError:
        raise ValueError(
            f"LinearOperator: Incompatible shapes for broadcasting: {', '.join(map(str, shapes))}."
        ) from None


def solve_with_broadcast(matrix: Any, rhs: Tensor, adjoint: bool = False) -> Tensor:
    """Solves ``matrix @ x = rhs``; the leading dimensions broadcast."""
    matrix = convert_to_tensor(matrix)
    batch = broadcast_shapes([matrix.shape[:-2], rhs.shape[:-2]])
    matrix = broadcast_to(matrix, batch.concatenate(matrix.shape[-2:]))
    return solve(matrix, broadcast_to(rhs, batch.concatenate(rhs.shape[-2:])), adjoint=adjoint)


def broadcast_batches(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Returns the matrices with equal leading dimensions."""
    batch = broadcast_shapes([matrix.shape[:-2] for matrix in matrices])
    return [broadcast_to(matrix, batch.concatenate(matrix.shape[-2:])) for matrix in matrices]


class LinearOperator(Module, Composite, ABC):
    """A batch of matrices, shape (..., M, N), with products, solutions and determinants that use the structure of the matrices.

    A subclass defines ``_shape`` and ``_matmul``; it may define ``_solve``, ``_determinant``, ``_to_dense`` and the other
    methods with an underscore, which are computed with a dense matrix otherwise. Hints say what is known of the matrices; they are
    not checked, except by the ``assert_...`` methods. Operators are arguments and results of ``tf.function``, too.

    Args:
        dtype: of the matrices.
        graph_parents: kept for TensorFlow's signature.
        is_non_singular: True, False or None if it isn't known.
        is_self_adjoint: whether each matrix is its conjugate transpose.
        is_positive_definite: whether the real part of ``x^H A x`` is positive for each ``x`` but 0.
        is_square: whether M = N.
        name: default: the name of the class.
        parameters: the arguments of the constructor of the subclass, by name.

    Raises:
        ValueError: hints contradict each other.
        TypeError: the class defines no ``_shape`` or ``_matmul``.
    """

    __slots__ = ("_parameters",)  # which no module looks into

    counts_as_tensor = False
    can_change = True
    remedy = "use its methods matmul, solve or to_dense"

    def __init_subclass__(cls, is_made_of_parameters: bool = False, **kwargs: Any) -> None:
        """Notes whether ``parameters`` make an equal operator; in functions, those of other classes stand for themselves."""
        super().__init_subclass__(**kwargs)
        cls.can_change = not is_made_of_parameters

    def __init__(
        self,
        dtype: Any,
        graph_parents: Any = None,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if is_positive_definite:
            if is_non_singular is False:
                raise ValueError(
                    "A positive definite matrix is always non-singular: is_non_singular must not be False."
                )
            is_non_singular = True
        for hint, title in ((is_non_singular, "non-singular"), (is_self_adjoint, "self-adjoint")):
            if hint:
                if is_square is False:
                    raise ValueError(f"A {title} matrix is always square: is_square must not be False.")
                is_square = True
        self._dtype = None if dtype is None else dtypes.as_dtype(dtype)
        self._is_non_singular = is_non_singular
        self._is_self_adjoint = is_self_adjoint
        self._is_positive_definite = is_positive_definite
        self._is_square_hint = is_square
        self._graph_parents = graph_parents
        self._name = name or type(self).__name__
        self._scope_name = f"{self._name}/"
        self._parameters = parameters

    # ---- what is known without computation

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments of the constructor, by name."""
        return dict(self._parameters or {})

    @property
    def dtype(self) -> Any:
        """The element type of the matrices."""
        return self._dtype

    @property
    def graph_parents(self) -> list[Any]:
        """The argument ``graph_parents``."""
        return list(self._graph_parents or ())

    @property
    def is_non_singular(self) -> bool | None:
        """The hint of this name."""
        return self._is_non_singular

    @property
    def is_self_adjoint(self) -> bool | None:
        """The hint of this name."""
        return self._is_self_adjoint

    @property
    def is_positive_definite(self) -> bool | None:
        """The hint of this name."""
        return self._is_positive_definite

    @property
    def is_square(self) -> bool | None:
        """Whether the matrices are square.

        Raises:
            ValueError: the hint is False, and they are.
        """
        if self._is_square_hint is True:
            return True
        is_square = self.domain_dimension == self.range_dimension
        if self._is_square_hint is False and is_square:
            raise ValueError("User set is_square hint to False, but the operator was square.")
        return is_square

    @property
    def shape(self) -> TensorShape:
        """The shape (..., M, N) of the batch of matrices."""
        return self._shape()

    @property
    def batch_shape(self) -> TensorShape:
        """The leading dimensions."""
        return self.shape[:-2]

    @property
    def tensor_rank(self) -> int | None:
        """The number of dimensions."""
        return self.shape.rank

    @property
    def domain_dimension(self) -> int:
        """The number of columns, N."""
        return self.shape[-1]

    @property
    def range_dimension(self) -> int:
        """The number of rows, M."""
        return self.shape[-2]

    def shape_tensor(self, name: str = "shape_tensor") -> Tensor:
        """Returns ``shape`` as an int32 tensor."""
        return _sizes_tensor(tuple(self.shape))

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        """Returns ``batch_shape`` as an int32 tensor."""
        return _sizes_tensor(tuple(self.batch_shape))

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Tensor:
        """Returns ``tensor_rank`` as an int32 tensor."""
        return _sizes_tensor(self.tensor_rank)

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Tensor:
        """Returns ``domain_dimension`` as an int32 tensor."""
        return _sizes_tensor(self.domain_dimension)

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Tensor:
        """Returns ``range_dimension`` as an int32 tensor."""
        return _sizes_tensor(self.range_dimension)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r} shape={self.shape} dtype={self.dtype.name}>"

    # ---- assertions

    def assert_non_singular(self, name: str = "assert_non_singular") -> None:
        """Raises InvalidArgumentError if a matrix is singular up to rounding."""
        self._assert_non_singular()

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> None:
        """Raises InvalidArgumentError if a matrix isn't positive definite.

        Raises:
            NotImplementedError: the operator is not known to be self-adjoint.
        """
        self._assert_positive_definite()

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> None:
        """Raises InvalidArgumentError if a matrix is not its conjugate transpose."""
        self._assert_self_adjoint()

    def _assert_non_singular(self) -> None:
        if self._can_use_cholesky():
            return self.assert_positive_definite()
        values = svd(self.to_dense(), compute_uv=False)
        epsilon = np.finfo(values.dtype.numpy).eps * max(100.0, *self.shape[-2:])
        return assert_less(
            reduce_max(values, axis=-1) / reduce_min(values, axis=-1),
            values.dtype.numpy.type(1 / epsilon),
            "Singular matrix up to precision epsilon.",
        )

    def _assert_positive_definite(self) -> None:
        if not self.is_self_adjoint:
            raise NotImplementedError(
                "assert_positive_definite is not implemented for operators without is_self_adjoint=True."
            )
        diagonal = diag_part(cholesky(self.to_dense()))
        assert_positive(real_part(diagonal), "Matrix was not positive definite.")

    def _assert_self_adjoint(self) -> None:
        dense = self.to_dense()
        assert_equal(dense, diagonals.adjoint(dense), "Matrix was not equal to its adjoint.")

    # ---- products

    def matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul") -> Any:
        """Returns ``A @ x``.

        Args:
            x: shape (..., N, R) and the dtype of the operator, or another operator.
            adjoint: whether the conjugate transpose of the operator is taken.
            adjoint_arg: whether that of ``x`` is taken.
            name: kept for TensorFlow's signature.

        Returns:
            Shape (..., M, R); an operator if ``x`` is one.

        Raises:
            ValueError: the dimensions don't fit.
            TypeError: ``x`` has another dtype.
        """
        if isinstance(x, LinearOperator):
            left, right = self._checked_operands(x, adjoint, adjoint_arg)
            return self._linop_matmul(left, right)
        x = self._checked_operand(x, -2 if adjoint else -1, -1 if adjoint_arg else -2, "matmul: x")
        return self._matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Tensor:
        """Returns ``A x`` for vectors ``x`` of shape (..., N); see ``matmul``."""
        x = self._checked_operand(x, -2 if adjoint else -1, -1, "matvec: x")
        return self._matvec(x, adjoint=adjoint)

    def solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve") -> Any:
        """Returns the solution ``x`` of ``A @ x = rhs``.

        Args:
            rhs: shape (..., M, R) and the dtype of the operator, or another operator.
            adjoint: whether the conjugate transpose of the operator is taken.
            adjoint_arg: whether that of ``rhs`` is taken.
            name: kept for TensorFlow's signature.

        Raises:
            NotImplementedError: the hints say that the operator is singular or not square.
            ValueError: the dimensions don't fit.
            TypeError: ``rhs`` has another dtype.
            InvalidArgumentError: a dense matrix is singular.
        """
        self._check_can_solve()
        if isinstance(rhs, LinearOperator):
            left, right = self._checked_operands(rhs, adjoint, adjoint_arg)
            return self._linop_solve(left, right)
        rhs = self._checked_operand(rhs, -1 if adjoint else -2, -1 if adjoint_arg else -2, "solve: rhs")
        return self._solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Tensor:
        """Returns the solution ``x`` of ``A x = rhs`` for vectors ``rhs`` of shape (..., M); see ``solve``."""
        rhs = self._checked_operand(rhs, -1 if adjoint else -2, -1, "solvevec: rhs")
        return self._solvevec(rhs, adjoint=adjoint)

    def _check_can_solve(self) -> None:
        for hint, title in ((self.is_non_singular, "be singular"), (self.is_square, "not be square")):
            if hint is False:
                raise NotImplementedError(f"Exact solve not implemented for an operator that is expected to {title}.")

    def _checked_operand(self, value: Any, own_axis: int, axis: int, title: str) -> Tensor:
        tensor = convert_to_tensor(value)
        if tensor.dtype is not self.dtype:
            raise TypeError(
                f"{self.name}.{title}: Expected argument to have dtype {self.dtype.name}. Found: {tensor.dtype.name}."
            )
        if tensor.ndim < -axis or tensor.shape[axis] != self.shape[own_axis]:
            raise ValueError(
                f"{self.name}.{title}: Dimensions {self.shape[own_axis]} and {axis} of shape {tensor.shape} are not compatible."
            )
        return tensor

    def _checked_operands(self, other: LinearOperator, adjoint: bool, adjoint_arg: bool) -> tuple[Any, Any]:
        left, right = self.adjoint() if adjoint else self, other.adjoint() if adjoint_arg else other
        if left.domain_dimension != right.range_dimension:
            raise ValueError(
                f"Operators are incompatible. Expected `x` to have dimension {left.domain_dimension} but got {right.range_dimension}."
            )
        return left, right

    @abstractmethod
    def _shape(self) -> TensorShape:
        """Returns the shape of the batch of matrices."""

    @abstractmethod
    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        """Returns the product with a tensor; the arguments are those of ``matmul``, checked."""

    def _matvec(self, x: Any, adjoint: bool = False) -> Tensor:
        return squeeze(self.matmul(expand_dims(x, -1), adjoint=adjoint), axis=-1)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        if adjoint_arg:
            rhs = diagonals.adjoint(rhs)
        if self._can_use_cholesky():
            return cholesky_solve(cholesky(self.to_dense()), rhs)
        return solve_with_broadcast(self.to_dense(), rhs, adjoint)

    def _solvevec(self, rhs: Any, adjoint: bool = False) -> Tensor:
        return squeeze(self.solve(expand_dims(rhs, -1), adjoint=adjoint), axis=-1)

    # ---- operators from operators

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        """Returns the operator of the conjugate transposes."""
        return self if self.is_self_adjoint else self._linop_adjoint()

    @property
    def H(self) -> LinearOperator:  # TensorFlow's name
        """The operator of the conjugate transposes."""
        return self.adjoint()

    def inverse(self, name: str = "inverse") -> LinearOperator:
        """Returns the operator of the inverse matrices.

        Raises:
            ValueError: the hints say that the matrices are singular or not square.
        """
        for hint, title in ((self.is_square, "non square"), (self.is_non_singular, "singular")):
            if hint is False:
                raise ValueError(f"Cannot take the Inverse: This operator represents a {title} matrix.")
        return self._linop_inverse()

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """Returns the operator of the Cholesky factors.

        Raises:
            ValueError: the hints do not say that the matrices are self-adjoint and positive definite.
        """
        if not self._can_use_cholesky():
            raise ValueError("Cannot take the Cholesky decomposition: Not a positive definite self adjoint matrix.")
        return self._linop_cholesky()

    def _can_use_cholesky(self) -> bool:
        return bool(self.is_self_adjoint and self.is_positive_definite)

    def _hints(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in HINTS}

    def _linop_adjoint(self) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.composition import LinearOperatorAdjoint

        return LinearOperatorAdjoint(self, **self._hints())

    def _linop_inverse(self) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.composition import LinearOperatorInversion

        return LinearOperatorInversion(self, **self._hints())

    def _linop_cholesky(self) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.dense import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(
            cholesky(self.to_dense()), is_non_singular=True, is_self_adjoint=False, is_square=True
        )

    def _linop_matmul(self, left_operator: LinearOperator, right_operator: LinearOperator) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.composition import LinearOperatorComposition
        from fastgrad._src.compat.linear_operators.identity import LinearOperatorIdentity, LinearOperatorZeros

        if isinstance(right_operator, LinearOperatorIdentity):
            return left_operator
        if isinstance(right_operator, LinearOperatorZeros):
            if not right_operator.is_square or not left_operator.is_square:
                raise ValueError("matmul of a LinearOperatorZeros needs square operators.")
            return right_operator
        return LinearOperatorComposition(
            [left_operator, right_operator], **_hints_of_product(left_operator, right_operator)
        )

    def _linop_solve(self, left_operator: LinearOperator, right_operator: LinearOperator) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.composition import (
            LinearOperatorComposition,
            LinearOperatorInversion,
        )
        from fastgrad._src.compat.linear_operators.identity import LinearOperatorIdentity

        if isinstance(right_operator, LinearOperatorIdentity):
            return left_operator.inverse()
        return LinearOperatorComposition(
            [LinearOperatorInversion(left_operator), right_operator], **_hints_of_product(left_operator, right_operator)
        )

    # ---- numbers of the matrices

    def to_dense(self, name: str = "to_dense") -> Tensor:
        """Returns the matrices as a tensor of shape (..., M, N)."""
        return self._to_dense()

    def determinant(self, name: str = "det") -> Tensor:
        """Returns the determinants, of the shape ``batch_shape``.

        Raises:
            NotImplementedError: the matrices are not square.
        """
        self._check_has_determinant()
        return self._determinant()

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """Returns the logarithms of the absolute values of the determinants; see ``determinant``."""
        self._check_has_determinant()
        return self._log_abs_determinant()

    def _check_has_determinant(self) -> None:
        if self.is_square is False:
            raise NotImplementedError("Determinant not implemented for an operator that is expected to not be square.")

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """Returns the diagonals, shape (..., min(M, N))."""
        return self._diag_part()

    def trace(self, name: str = "trace") -> Tensor:
        """Returns the sums of the diagonals, of the shape ``batch_shape``."""
        return self._trace()

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Tensor:
        """Returns ``A + x`` for a tensor ``x`` of the operator's dtype.

        Raises:
            TypeError: ``x`` has another dtype.
        """
        x = convert_to_tensor(x)
        if x.dtype is not self.dtype:
            raise TypeError(
                f"{self.name}.add_to_tensor: Expected argument to have dtype {self.dtype.name}. Found: {x.dtype.name}."
            )
        return self._add_to_tensor(x)

    def eigvals(self, name: str = "eigvals") -> Tensor:
        """Returns the eigenvalues, shape (..., N).

        Raises:
            NotImplementedError: the hints do not say that the matrices are self-adjoint.
        """
        if not self.is_self_adjoint:
            raise NotImplementedError(
                f"{self.name}.eigvals: Only self-adjoint matrices are supported: is_self_adjoint must be True."
            )
        return self._eigvals()

    def cond(self, name: str = "cond") -> Tensor:
        """Returns the condition numbers for the 2-norm, of the shape ``batch_shape``."""
        return self._cond()

    def _to_dense(self) -> Tensor:
        return self.matmul(eye(self.domain_dimension, batch_shape=list(self.batch_shape), dtype=self.dtype))

    def _determinant(self) -> Tensor:
        return exp(self.log_abs_determinant()) if self._can_use_cholesky() else det(self.to_dense())

    def _log_abs_determinant(self) -> Tensor:
        if self._can_use_cholesky():
            return 2 * reduce_sum(log(diag_part(cholesky(self.to_dense()))), axis=-1)
        return slogdet(self.to_dense())[1]

    def _diag_part(self) -> Tensor:
        return diag_part(self.to_dense())

    def _trace(self) -> Tensor:
        return reduce_sum(self.diag_part(), axis=-1)

    def _add_to_tensor(self, x: Any) -> Tensor:
        return self.to_dense() + x

    def _eigvals(self) -> Tensor:
        return eigvalsh(self.to_dense())

    def _cond(self) -> Tensor:
        values = arithmetic.abs(self._eigvals()) if self.is_self_adjoint else svd(self.to_dense(), compute_uv=False)
        return reduce_max(values, axis=-1) / reduce_min(values, axis=-1)

    # ---- arguments and results of functions

    @property
    def flat_values(self) -> Any:
        """Raises ValueError: gradients are of the tensors that the operator is made of."""
        raise ValueError(f"{type(self).__name__} is no source or target of a gradient: name its tensors.")

    def _to_components(self) -> tuple[Any, list[Any]]:
        if self.can_change or self._parameters is None:
            return (self, self._guarded_settings()), []
        parts: list[Any] = []
        return split_tensors(_frozen(self._parameters), parts), parts

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        return form[0] if isinstance(form[0], LinearOperator) else cls(**join_tensors(form, iter(tensors)))

    def _guarded_settings(self) -> tuple[Any, ...]:
        """Returns the attributes that the methods of a subclass of the user's own may read; compiled functions watch them."""
        values = vars(self).items() if self.can_change else ()
        return tuple([(name, value if isinstance(value, _PLAIN_TYPES) else id(value)) for name, value in values])

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self.can_change:
            settings_version.count_change()

    def _layers_with_user_code(self) -> tuple[()]:
        return ()  # the methods read attributes, which ``_guarded_settings`` has

    def _spec(self) -> LinearOperatorSpec:
        return LinearOperatorSpec(type(self), spec_of(_frozen(self.parameters)))

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        return repr(self)


class LinearOperatorSpec(CompositeSpec):
    """The static type of an operator: its class, and the specs or values of its parameters."""

    __slots__ = ("_parameters", "value_type")

    def __init__(self, value_type: type[LinearOperator], parameters: Mapping[str, Any]) -> None:
        self.value_type = value_type
        self._parameters = parameters

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """True if the value, or a value of the spec, ``spec_or_value`` may fit this spec."""
        other: Any = spec_or_value._spec() if isinstance(spec_or_value, LinearOperator) else spec_or_value
        is_same_kind = isinstance(other, LinearOperatorSpec) and other.value_type is self.value_type
        return is_same_kind and are_compatible(self._parameters, other._parameters)

    def most_specific_common_supertype(self, others: Iterable[Any]) -> LinearOperatorSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if more than sizes differ."""
        specs = [self, *others]
        if any(not isinstance(spec, LinearOperatorSpec) or spec.value_type is not self.value_type for spec in specs):
            return None
        try:
            return LinearOperatorSpec(self.value_type, common_spec([spec._parameters for spec in specs]))
        except NoCommonType:
            return None

    def __eq__(self, other: Any) -> bool:
        is_spec = isinstance(other, LinearOperatorSpec)
        return is_spec and (self.value_type, self._parameters) == (other.value_type, other._parameters)

    def __hash__(self) -> int:
        return hash(self.value_type)

    def __repr__(self) -> str:
        return f"LinearOperatorSpec({self.value_type.__name__}, {dict(self._parameters)})"


def _frozen(value: Any) -> Any:
    """Returns parameters with tuples in place of lists, and tensors in place of variables."""
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, TensorShape):
        return tuple([_frozen(item) for item in value])
    return Variable.value(value) if isinstance(value, Variable) else value


def _sizes_tensor(sizes: Any) -> Tensor:
    return constant_tensor(np.array(sizes, np.int32))


def real_part(x: Tensor) -> Tensor:
    """Returns the real part of a complex tensor, and other tensors as they are."""
    return real(x) if x.dtype.is_complex else x


def assert_real(x: Tensor, problem: str) -> None:
    """Raises InvalidArgumentError if ``x`` has an imaginary part."""
    if x.dtype.is_complex:
        assert_equal(imag(x), zeros_like(imag(x)), problem)


# ---- hints of products -----------------------------------------------------------------------------------


def non_singular_hint(left: LinearOperator, right: LinearOperator) -> bool | None:
    """Returns the hint ``is_non_singular`` of the product of two square operators."""
    if left.is_non_singular is False or right.is_non_singular is False:
        return False
    return left.is_non_singular and right.is_non_singular


def hints_of_commuting(left: LinearOperator, right: LinearOperator) -> dict[str, Any]:
    """Returns the hints of the product of two square operators that commute."""
    both_self_adjoint = left.is_self_adjoint and right.is_self_adjoint
    differ = {left.is_self_adjoint, right.is_self_adjoint} == {True, False}
    is_positive = left.is_positive_definite and right.is_positive_definite and both_self_adjoint
    return {
        "is_non_singular": non_singular_hint(left, right),
        "is_self_adjoint": True if both_self_adjoint else False if differ else None,
        "is_positive_definite": True if is_positive else None,
        "is_square": True,
    }


def _hints_of_product(left: LinearOperator, right: LinearOperator) -> dict[str, Any]:
    """Returns the hints of the product of two operators."""
    if left.range_dimension == right.domain_dimension:
        is_square = left.is_square and right.is_square
        return {"is_non_singular": non_singular_hint(left, right) if is_square else None, "is_square": True}
    return {"is_non_singular": False, "is_self_adjoint": False, "is_positive_definite": False, "is_square": False}


def list_of(operators: Any, argument: str = "operators") -> list[Any]:
    """Returns ``operators`` as a list.

    Raises:
        TypeError: it is no list or tuple.
    """
    if not isinstance(operators, (list, tuple)):
        raise TypeError(f"Argument `{argument}` must be a list of LinearOperators, got {operators!r}.")
    return list(operators)


def common_dtype(operators: Sequence[LinearOperator]) -> Any:
    """Returns the dtype of all ``operators``.

    Raises:
        ValueError: there are no operators.
        TypeError: one is no operator, or their dtypes differ.
    """
    if not operators:
        raise ValueError(f"Expected a non-empty list of operators. Found: {operators}.")
    for operator in operators:
        if not isinstance(operator, LinearOperator):
            raise TypeError(
                f"Expected a LinearOperator, got {operator!r}: use tf.linalg.LinearOperatorFullMatrix for a tensor."
            )
        if operator.dtype is not operators[0].dtype:
            raise TypeError(
                f"Expected all operators to have the same dtype. Found {[(o.name, o.dtype.name) for o in operators]}."
            )
    return operators[0].dtype


def sum_of(tensors: Iterable[Tensor]) -> Tensor:
    """Returns the sum of tensors, of which there is at least one."""
    return reduce(add, tensors)


def product_of(tensors: Iterable[Tensor]) -> Tensor:
    """Returns the element-wise product of tensors, of which there is at least one."""
    return reduce(mul, tensors)


def implied_hint(hint: bool | None, is_implied: Any, problem: str) -> bool | None:
    """Returns True if ``is_implied``, else ``hint``.

    Raises:
        ValueError: ``is_implied``, and ``hint`` is False.
    """
    if not is_implied:
        return hint
    if hint is False:
        raise ValueError(problem)
    return True


def self_adjoint_if_real(hint: bool | None, dtype: dtypes.DType) -> bool | None:
    """Returns the hint ``is_self_adjoint`` of a diagonal operator: True if it is real.

    Raises:
        ValueError: it is real, and ``hint`` is False.
    """
    problem = "A real diagonal operator is always self adjoint: is_self_adjoint must not be False."
    return implied_hint(hint, not dtype.is_complex, problem)
