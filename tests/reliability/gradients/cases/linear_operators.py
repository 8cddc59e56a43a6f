"""Linear operators: products, solutions and determinants, by the tensors that the operators are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case, at, definite, normal, positive

RIGHT = normal(3, 2, seed=4)
MATRIX = normal(3, 3, seed=2) + np.diag([1.5, 4.0, 9.0])
PERMUTATION = [2, 0, 1]


def numbers_of(make: Callable[..., Any]) -> Callable[..., Any]:
    """A function of ``tf``, a right side and the operator's tensors: a product, solutions and the determinant."""

    def numbers(tf: Any, right: Any, *tensors: Any) -> Any:
        operator = make(tf.linalg, *tensors)
        return (
            operator.matmul(right),
            operator.solve(right, adjoint=True),
            operator.log_abs_determinant(),
            operator.trace(),
        )

    return numbers


def of(make: Callable[..., Any], *tensors: Any, right: Any = RIGHT, **options: Any) -> Case:
    return at(numbers_of(make), right, *tensors, **options)


CASES: dict[str, Case] = {
    "FullMatrix": of(lambda lin, a: lin.LinearOperatorFullMatrix(a), MATRIX),
    "FullMatrix definite": of(
        lambda lin, a: lin.LinearOperatorFullMatrix(
            (a + lin.matrix_transpose(a)) / 2, is_self_adjoint=True, is_positive_definite=True
        ),
        definite(3),
    ),
    "LowerTriangular": of(lambda lin, a: lin.LinearOperatorLowerTriangular(a), MATRIX),
    "Diag": of(lambda lin, d: lin.LinearOperatorDiag(d), positive(2, 3)),
    "ScaledIdentity": of(lambda lin, m: lin.LinearOperatorScaledIdentity(3, m), positive(2)),
    "Identity of a sum": of(
        lambda lin, u: lin.LinearOperatorLowRankUpdate(lin.LinearOperatorIdentity(3, dtype=u.dtype), u), normal(3, 2)
    ),
    "LowRankUpdate": of(
        lambda lin, d, u, v, k: lin.LinearOperatorLowRankUpdate(lin.LinearOperatorDiag(d), u, k, v),
        positive(3) + 4,
        normal(3, 2),
        normal(3, 2, seed=1),
        positive(2),
    ),
    "Composition": of(
        lambda lin, a, d: lin.LinearOperatorComposition([lin.LinearOperatorFullMatrix(a), lin.LinearOperatorDiag(d)]),
        MATRIX,
        positive(3),
    ),
    "Adjoint": of(lambda lin, a: lin.LinearOperatorAdjoint(lin.LinearOperatorFullMatrix(a)), MATRIX),
    "Inversion": of(lambda lin, a: lin.LinearOperatorInversion(lin.LinearOperatorFullMatrix(a)), MATRIX),
    "Kronecker": of(
        lambda lin, a, d: lin.LinearOperatorKronecker([lin.LinearOperatorFullMatrix(a), lin.LinearOperatorDiag(d)]),
        MATRIX,
        positive(2),
        right=normal(6, 1),
    ),
    "BlockDiag": of(
        lambda lin, a, d: lin.LinearOperatorBlockDiag([lin.LinearOperatorFullMatrix(a), lin.LinearOperatorDiag(d)]),
        MATRIX,
        positive(2),
        right=normal(5, 1),
    ),
    "BlockLowerTriangular": of(
        lambda lin, a, b, d: lin.LinearOperatorBlockLowerTriangular(
            [[lin.LinearOperatorFullMatrix(a)], [lin.LinearOperatorFullMatrix(b), lin.LinearOperatorDiag(d)]]
        ),
        MATRIX,
        normal(2, 3),
        positive(2),
        right=normal(5, 1),
    ),
    "Householder": of(lambda lin, v: lin.LinearOperatorHouseholder(v), positive(3)),
    "Permutation": at(
        lambda tf, x: (
            tf.linalg.LinearOperatorPermutation(PERMUTATION, dtype=x.dtype).solve(x) * tf.cast([1, 2], x.dtype)
        ),
        RIGHT,
    ),
    "Zeros": at(lambda tf, x: x + tf.linalg.LinearOperatorZeros(3, dtype=x.dtype).matmul(x), RIGHT),
    "Tridiag": of(lambda lin, d: lin.LinearOperatorTridiag(d), positive(3, 3) + np.array([[0], [5], [0]])),
    "Toeplitz": of(lambda lin, c, r: lin.LinearOperatorToeplitz(c, r), positive(3) + np.array([5, 0, 0]), positive(3)),
    "Circulant": of(lambda lin, s: lin.LinearOperatorCirculant(s, input_output_dtype=s.dtype), positive(3)),
    "Circulant2D": of(
        lambda lin, s: lin.LinearOperatorCirculant2D(s, input_output_dtype=s.dtype), positive(2, 2), right=normal(4, 1)
    ),
    "Circulant3D": of(
        lambda lin, s: lin.LinearOperatorCirculant3D(s, input_output_dtype=s.dtype),
        positive(2, 1, 2),
        right=normal(4, 1),
    ),
}
