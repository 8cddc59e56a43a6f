"""``tf.linalg``: products, systems of equations and decompositions of matrices, and linear operators."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.ops.clipping import global_norm as global_norm
from fastgrad.ops.contraction import matmul as matmul
from fastgrad.ops.contraction import matvec as matvec
from fastgrad.ops.creation import eye as eye
from fastgrad.ops.decompositions import eig as eig
from fastgrad.ops.decompositions import eigh as eigh
from fastgrad.ops.decompositions import eigvals as eigvals
from fastgrad.ops.decompositions import eigvalsh as eigvalsh
from fastgrad.ops.decompositions import lu as lu
from fastgrad.ops.decompositions import matrix_rank as matrix_rank
from fastgrad.ops.decompositions import qr as qr
from fastgrad.ops.decompositions import svd as svd
from fastgrad.ops.diagonals import adjoint as adjoint
from fastgrad.ops.diagonals import band_part as band_part
from fastgrad.ops.diagonals import diag as diag
from fastgrad.ops.diagonals import diag_part as diag_part
from fastgrad.ops.diagonals import matrix_transpose as matrix_transpose
from fastgrad.ops.diagonals import set_diag as set_diag
from fastgrad.ops.diagonals import tensor_diag as tensor_diag
from fastgrad.ops.diagonals import tensor_diag_part as tensor_diag_part
from fastgrad.ops.diagonals import trace as trace
from fastgrad.ops.einsum import einsum as einsum
from fastgrad.ops.einsum import tensordot as tensordot
from fastgrad.ops.linear_algebra import cholesky as cholesky
from fastgrad.ops.linear_algebra import cholesky_solve as cholesky_solve
from fastgrad.ops.linear_algebra import cross as cross
from fastgrad.ops.linear_algebra import det as det
from fastgrad.ops.linear_algebra import inv as inv
from fastgrad.ops.linear_algebra import logdet as logdet
from fastgrad.ops.linear_algebra import lstsq as lstsq
from fastgrad.ops.linear_algebra import pinv as pinv
from fastgrad.ops.linear_algebra import slogdet as slogdet
from fastgrad.ops.linear_algebra import solve as solve
from fastgrad.ops.linear_algebra import triangular_solve as triangular_solve
from fastgrad.ops.matrix_functions import expm as expm
from fastgrad.ops.matrix_functions import logm as logm
from fastgrad.ops.matrix_functions import sqrtm as sqrtm
from fastgrad.ops.norms import l2_normalize as l2_normalize
from fastgrad.ops.norms import norm as norm
from fastgrad.ops.norms import normalize as normalize
from fastgrad.ops.tridiagonal import banded_triangular_solve as banded_triangular_solve
from fastgrad.ops.tridiagonal import eigh_tridiagonal as eigh_tridiagonal
from fastgrad.ops.tridiagonal import tridiagonal_matmul as tridiagonal_matmul
from fastgrad.ops.tridiagonal import tridiagonal_solve as tridiagonal_solve

# Few programs have these, so they are imported when they are asked for.
_MODULE_OF_LAZY_NAME = {
    "LinearOperator": "linear_operators.linear_operator",
    "LinearOperatorAdjoint": "linear_operators.composition",
    "LinearOperatorBlockDiag": "linear_operators.blocks",
    "LinearOperatorBlockLowerTriangular": "linear_operators.blocks",
    "LinearOperatorCirculant": "linear_operators.circulant",
    "LinearOperatorCirculant2D": "linear_operators.circulant",
    "LinearOperatorCirculant3D": "linear_operators.circulant",
    "LinearOperatorComposition": "linear_operators.composition",
    "LinearOperatorDiag": "linear_operators.diagonal",
    "LinearOperatorFullMatrix": "linear_operators.dense",
    "LinearOperatorHouseholder": "linear_operators.orthogonal",
    "LinearOperatorIdentity": "linear_operators.identity",
    "LinearOperatorInversion": "linear_operators.composition",
    "LinearOperatorKronecker": "linear_operators.composition",
    "LinearOperatorLowRankUpdate": "linear_operators.low_rank_update",
    "LinearOperatorLowerTriangular": "linear_operators.dense",
    "LinearOperatorPermutation": "linear_operators.orthogonal",
    "LinearOperatorScaledIdentity": "linear_operators.identity",
    "LinearOperatorToeplitz": "linear_operators.circulant",
    "LinearOperatorTridiag": "linear_operators.tridiagonal",
    "LinearOperatorZeros": "linear_operators.identity",
    "experimental": "linear_operators.conjugate_gradient",
    "lu_matrix_inverse": "composed_ops.lu_factors",
    "lu_reconstruct": "composed_ops.lu_factors",
    "lu_solve": "composed_ops.lu_factors",
}


__getattr__, __dir__ = _namespace_hooks("tf.linalg", globals(), _MODULE_OF_LAZY_NAME)
