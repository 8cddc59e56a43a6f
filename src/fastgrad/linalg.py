"""``tf.linalg``: products, systems of equations and decompositions of matrices, and linear operators."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops.clipping import global_norm as global_norm
from fastgrad._src.ops.contraction import matmul as matmul
from fastgrad._src.ops.contraction import matvec as matvec
from fastgrad._src.ops.creation import eye as eye
from fastgrad._src.ops.decompositions import eig as eig
from fastgrad._src.ops.decompositions import eigh as eigh
from fastgrad._src.ops.decompositions import eigvals as eigvals
from fastgrad._src.ops.decompositions import eigvalsh as eigvalsh
from fastgrad._src.ops.decompositions import lu as lu
from fastgrad._src.ops.decompositions import matrix_rank as matrix_rank
from fastgrad._src.ops.decompositions import qr as qr
from fastgrad._src.ops.decompositions import svd as svd
from fastgrad._src.ops.diagonals import adjoint as adjoint
from fastgrad._src.ops.diagonals import band_part as band_part
from fastgrad._src.ops.diagonals import diag as diag
from fastgrad._src.ops.diagonals import diag_part as diag_part
from fastgrad._src.ops.diagonals import matrix_transpose as matrix_transpose
from fastgrad._src.ops.diagonals import set_diag as set_diag
from fastgrad._src.ops.diagonals import tensor_diag as tensor_diag
from fastgrad._src.ops.diagonals import tensor_diag_part as tensor_diag_part
from fastgrad._src.ops.diagonals import trace as trace
from fastgrad._src.ops.einsum import einsum as einsum
from fastgrad._src.ops.einsum import tensordot as tensordot
from fastgrad._src.ops.linear_algebra import cholesky as cholesky
from fastgrad._src.ops.linear_algebra import cholesky_solve as cholesky_solve
from fastgrad._src.ops.linear_algebra import cross as cross
from fastgrad._src.ops.linear_algebra import det as det
from fastgrad._src.ops.linear_algebra import inv as inv
from fastgrad._src.ops.linear_algebra import logdet as logdet
from fastgrad._src.ops.linear_algebra import lstsq as lstsq
from fastgrad._src.ops.linear_algebra import pinv as pinv
from fastgrad._src.ops.linear_algebra import slogdet as slogdet
from fastgrad._src.ops.linear_algebra import solve as solve
from fastgrad._src.ops.linear_algebra import triangular_solve as triangular_solve
from fastgrad._src.ops.matrix_functions import expm as expm
from fastgrad._src.ops.matrix_functions import logm as logm
from fastgrad._src.ops.matrix_functions import sqrtm as sqrtm
from fastgrad._src.ops.norms import l2_normalize as l2_normalize
from fastgrad._src.ops.norms import norm as norm
from fastgrad._src.ops.norms import normalize as normalize

__getattr__, __dir__ = _namespace_hooks("tf.linalg", globals())
