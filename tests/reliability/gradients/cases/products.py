"""Products of matrices, contractions and linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import COMPLEX, Case, at, definite, edge, normal

FLOATS = ("float64", "float32")


def symmetric(tf: Any, x: Any) -> Any:
    """Decompositions read one triangle: differences need both moved together."""
    return (x + tf.linalg.matrix_transpose(x)) / 2


def complex_matrix(*shape: int, seed: int = 0) -> np.ndarray:
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 5)


MATRIX = normal(3, 3, seed=2) + np.diag([1.5, 4.0, 9.0])
TALL = normal(4, 3, seed=2) + 2 * np.eye(4, 3)
LOWER = np.tril(normal(3, 3)) + 3 * np.eye(3)


def second_derivative_of_det(tf: Any, a: Any, k: Any) -> Any:
    with tf.GradientTape() as outer:
        outer.watch(a)
        with tf.GradientTape() as inner:
            inner.watch(a)
            y = tf.linalg.det(a)
        weighted = tf.reduce_sum(inner.gradient(y, a) * k)
    return outer.gradient(weighted, a)


CASES: dict[str, Case] = {}
for a, b in ((False, False), (True, False), (False, True), (True, True)):
    for kind in ("transpose", "adjoint"):
        if kind == "transpose" or a or b:
            CASES[f"matmul {kind} {a} {b}"] = at(
                lambda tf, x, y, a=a, b=b, kind=kind: tf.matmul(x, y, **{f"{kind}_a": a, f"{kind}_b": b}),
                normal(*((3, 2) if a else (2, 3))),
                normal(*((4, 3) if b else (3, 4)), seed=1),
                dtypes=(*FLOATS, "bfloat16", "float16", *COMPLEX) if kind == "transpose" else ("float64", *COMPLEX),
            )
EINSUMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ij,jk": ((2, 3), (3, 4)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 2)),
    "bij,jk->bik": ((2, 2, 3), (3, 2)),
    "...ij,...jk->...ik": ((2, 2, 3), (3, 2)),
    "ij->ji": ((2, 3),),
    "ij->i": ((2, 3),),
    "ij->": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "i,j->ij": ((2,), (3,)),
    "ij,ij->i": ((2, 3), (2, 3)),
    "ijk,k->ij": ((2, 2, 3), (3,)),
    "abc,cde->abde": ((2, 1, 3), (3, 2, 2)),
    "bqhd,bkhd->bhqk": ((1, 2, 2, 3), (1, 3, 2, 3)),
    "ij,jk,kl->il": ((2, 2), (2, 3), (3, 2)),
    "i,i,i->": ((3,), (3,), (3,)),
}
for equation, shapes in EINSUMS.items():
    arrays = [normal(*shape, seed=place) for place, shape in enumerate(shapes)]
    CASES[f"einsum {equation}"] = at(lambda tf, *xs, equation=equation: tf.einsum(equation, *xs), *arrays)
CASES |= {
    "matmul of batches": at(lambda tf, a, b: tf.linalg.matmul(a, b), normal(2, 2, 3), normal(2, 3, 2)),
    "matmul broadcast": at(lambda tf, a, b: tf.matmul(a, b), normal(2, 1, 2, 3), normal(3, 3, 2)),
    "matmul by one matrix": at(lambda tf, a, b: tf.matmul(a, b, transpose_b=True), normal(2, 2, 3), normal(4, 3)),
    "matmul of itself": at(lambda tf, a: tf.matmul(a, a), normal(2, 2)),
    "matmul over nothing": edge(lambda tf, a, b: tf.matmul(a, b), np.zeros((2, 0)), np.zeros((0, 3))),
    "matmul of no rows": edge(lambda tf, a, b: tf.matmul(a, b), np.zeros((0, 2)), normal(2, 3)),
    "matmul of NaN and infinity": edge(
        lambda tf, a, b: tf.matmul(a, b),
        np.array([[np.nan, 1.0], [np.inf, 0.0]]),
        np.array([[1.0, 0.0], [2.0, np.inf]]),
    ),
    "the operator @": at(lambda tf, a, b: a @ b, normal(2, 3), normal(3, 2)),
    "linalg.matvec": at(lambda tf, a, b: tf.linalg.matvec(a, b), normal(2, 2, 3), normal(2, 3), dtypes=FLOATS),
    "linalg.matvec transposed": at(lambda tf, a, b: tf.linalg.matvec(a, b, transpose_a=True), normal(2, 3), normal(2)),
    "tensordot": at(lambda tf, a, b: tf.tensordot(a, b, [[1, 2], [0, 1]]), normal(2, 2, 3), normal(2, 3, 2)),
    "tensordot over 1": at(lambda tf, a, b: tf.linalg.tensordot(a, b, 1), normal(2, 3), normal(3, 2)),
    "tensordot over 0": at(lambda tf, a, b: tf.tensordot(a, b, 0), normal(2), normal(3)),
    "einsum of complex numbers": edge(
        lambda tf, a, b: tf.linalg.einsum("ij,jk->ik", a, b), complex_matrix(2, 3), complex_matrix(3, 2), dtypes=COMPLEX
    ),
    "linalg.cross": at(lambda tf, a, b: tf.linalg.cross(a, b), normal(2, 3), normal(2, 3, seed=1), dtypes=FLOATS),
    "linalg.cholesky": at(lambda tf, a: tf.linalg.cholesky(symmetric(tf, a)), definite(3), dtypes=FLOATS),
    "linalg.cholesky of one triangle": edge(lambda tf, a: tf.linalg.cholesky(a), definite(3), order=1),
    "linalg.cholesky of batches": at(lambda tf, a: tf.linalg.cholesky(symmetric(tf, a)), definite(2, 2)),
    "linalg.cholesky_solve": at(lambda tf, a, b: tf.linalg.cholesky_solve(a, b), LOWER, normal(3, 2)),
    "linalg.triangular_solve": at(
        lambda tf, a, b: tf.linalg.triangular_solve(a, b), LOWER, normal(3, 2), dtypes=FLOATS
    ),
    "linalg.triangular_solve upper": at(
        lambda tf, a, b: tf.linalg.triangular_solve(a, b, lower=False, adjoint=True), LOWER.T.copy(), normal(3, 2)
    ),
    "linalg.solve": at(lambda tf, a, b: tf.linalg.solve(a, b), MATRIX, normal(3, 2), dtypes=FLOATS),
    "linalg.solve adjoint": at(lambda tf, a, b: tf.linalg.solve(a, b, adjoint=True), MATRIX, normal(3, 2)),
    "linalg.solve of complex numbers": edge(
        lambda tf, a, b: tf.linalg.solve(a, b), MATRIX + 0.5j * normal(3, 3), complex_matrix(3, 1), dtypes=COMPLEX
    ),
    "linalg.inv": at(lambda tf, a: tf.linalg.inv(a), MATRIX, dtypes=FLOATS),
    "linalg.inv adjoint": at(lambda tf, a: tf.linalg.inv(a, adjoint=True), MATRIX),
    "linalg.inv of complex numbers": edge(lambda tf, a: tf.linalg.inv(a), MATRIX + 0.5j * normal(3, 3), dtypes=COMPLEX),
    "linalg.det": at(lambda tf, a: tf.linalg.det(a), MATRIX, dtypes=FLOATS),
    "linalg.det of batches": at(lambda tf, a: tf.linalg.det(a), normal(2, 2, 2)),
    "the second derivative of linalg.det": at(second_derivative_of_det, MATRIX, normal(3, 3)),
    "linalg.logdet": at(lambda tf, a: tf.linalg.logdet(symmetric(tf, a)), definite(3)),
    "linalg.slogdet": at(lambda tf, a: tf.linalg.slogdet(a)[1], MATRIX),
    "linalg.slogdet with the sign": edge(lambda tf, a: tf.linalg.slogdet(a), MATRIX, order=1),
    "linalg.pinv": at(lambda tf, a: tf.linalg.pinv(a), TALL, order=1),
    "linalg.lstsq": at(lambda tf, a, b: tf.linalg.lstsq(a, b), TALL, normal(4, 2), order=1),
    "linalg.lstsq regularised": at(
        lambda tf, a, b: tf.linalg.lstsq(a, b, l2_regularizer=0.5), TALL, normal(4, 2), order=1
    ),
    "linalg.svd of values": at(lambda tf, a: tf.linalg.svd(a, compute_uv=False), MATRIX, order=2),
    "linalg.svd": at(lambda tf, a: tf.linalg.svd(a)[0], TALL, order=1),
    "linalg.svd of vectors": at(lambda tf, a: [abs(part) for part in tf.linalg.svd(a)], MATRIX, order=1),
    "linalg.qr": at(lambda tf, a: [part**2 for part in tf.linalg.qr(a)], TALL, order=1, dtypes=FLOATS),
    "linalg.qr wide": at(lambda tf, a: [part**2 for part in tf.linalg.qr(a)], TALL.T.copy(), order=1),
    "linalg.lu": at(lambda tf, a: tf.linalg.lu(a)[0], MATRIX, order=1),
    "linalg.eigh": at(lambda tf, a: tf.linalg.eigh(symmetric(tf, a))[0], definite(3)),
    "linalg.eigh of vectors": at(lambda tf, a: tf.linalg.eigh(symmetric(tf, a))[1] ** 2, definite(3), order=1),
    "linalg.eigvalsh": at(lambda tf, a: tf.linalg.eigvalsh(symmetric(tf, a)), definite(3)),
    "linalg.eigvals": at(lambda tf, a: tf.reduce_sum(tf.math.real(tf.linalg.eigvals(a) ** 2)), MATRIX, order=1),
    "eig": at(lambda tf, a: tf.reduce_sum(tf.math.real(tf.eig(a)[0] ** 3)), MATRIX, order=1),
    "eigvals": at(lambda tf, a: tf.reduce_sum(tf.math.real(tf.eigvals(a) ** 2)), MATRIX, order=1),
    "linalg.expm": at(lambda tf, a: tf.linalg.expm(a), normal(2, 2), order=1),
    "linalg.logm": edge(lambda tf, a: tf.math.real(tf.linalg.logm(tf.cast(a, "complex128"))), definite(2), order=1),
    "linalg.sqrtm": at(lambda tf, a: tf.linalg.sqrtm(a), definite(2), order=1),
    "matrix_square_root": at(lambda tf, a: tf.matrix_square_root(a), definite(2), order=1),
    "linalg.matrix_rank": edge(lambda tf, a: tf.cast(tf.linalg.matrix_rank(a), "float64"), MATRIX),
}
