"""Kernels of autoarray: point spread functions, curvature matrices, Cholesky factors, pixelizations, and derivatives on masked grids."""

import numpy as np
from autoarray.inversion.inversion.imaging_numba import inversion_imaging_numba_util as imaging
from autoarray.inversion.mappers import mapper_numba_util
from autoarray.inversion.mesh.image_mesh import overlay
from autoarray.inversion.mesh.interpolator import _sibson_numba, rectangular
from autoarray.inversion.regularization import regularization_util
from autoarray.operators import coarse_interp_util, derivative_util
from autoarray.util import cholesky_funcs

random = np.random.default_rng(0)
MASK = np.ones((7, 7), dtype=bool)
MASK[1:6, 1:6] = False
IMAGE, NOISE = random.normal(1.0, 0.3, MASK.shape), random.uniform(0.5, 1.5, MASK.shape)
KERNEL = np.array([[0.05, 0.1, 0.04], [0.12, 0.4, 0.1], [0.05, 0.09, 0.05]])
NATIVE = np.argwhere(~MASK)
DATA, PIXELS = len(NATIVE), 4

weighted = imaging.psf_weighted_data_from(IMAGE, NOISE, KERNEL, NATIVE)
imaging.psf_precision_value_from(NOISE, KERNEL, 2, 3, 3, 3, True)
imaging.psf_precision_operator_from(NOISE, KERNEL, NATIVE)
operator, indexes, lengths = imaging.psf_precision_operator_sparse_from(NOISE, KERNEL, NATIVE)
sparse = operator, indexes.astype(int), lengths.astype(int)
unique = np.stack([np.arange(DATA) % PIXELS, (np.arange(DATA) + 1) % PIXELS], axis=1)
shares = random.uniform(0.2, 0.8, DATA)
mapping = unique, np.stack([shares, 1.0 - shares], axis=1), np.full(DATA, 2)
imaging.data_vector_via_blurred_mapping_matrix_from(random.uniform(size=(DATA, PIXELS)), weighted, shares)
imaging.data_vector_via_psf_weighted_data_from(weighted, *mapping, PIXELS)
imaging.curvature_matrix_via_sparse_operator_from(*sparse, *mapping, PIXELS)
imaging.curvature_matrix_via_sparse_operator_direct_from(*sparse, *mapping, PIXELS)
imaging.curvature_matrix_via_sparse_operator_reference_from(*sparse, *mapping, PIXELS)
imaging.curvature_matrix_off_diags_via_sparse_operator_from(*sparse, *mapping, PIXELS, *mapping, PIXELS)
imaging.curvature_matrix_with_added_to_diag_from(np.eye(PIXELS), 0.3, np.array([0, 2]))
vectors = random.normal(size=(DATA, 2))
imaging.curvature_matrix_off_diags_via_mapper_and_blurred_curvature_weights_from(*mapping, PIXELS, vectors)
imaging.curvature_matrix_off_diags_via_mapper_and_linear_func_curvature_vector_from(
    *mapping, PIXELS, vectors, MASK, KERNEL
)
imaging.mapped_reconstructed_data_via_image_to_pix_unique_from(*mapping, random.normal(size=PIXELS))

matrix = random.normal(size=(5, 5))
factor = np.linalg.cholesky(matrix @ matrix.T + 5.0 * np.eye(5)).T.copy()
cholesky_funcs._cholupdate(factor.copy(), random.normal(size=5))
cholesky_funcs._choldowndate(factor.copy(), 0.3 * random.normal(size=5))
cholesky_funcs._cho_solve_buffer(factor, 4, random.normal(size=5))
cholesky_funcs._choldelete_shift_buffer(factor.copy(), 4, 1)

sub_size, ones = np.full(6, 1), np.ones(6, dtype=int)
pixels = np.array([[0], [1], [1], [2], [3], [3]])
mapper_numba_util.data_slim_to_pixelization_unique_from(6, pixels, ones, np.ones((6, 1)), PIXELS, sub_size)
signals = random.uniform(1.0, 2.0, 6)
mapper_numba_util.adaptive_pixel_signal_sums_from(4, 0.9 * np.ones((6, 1)), pixels, ones, np.arange(6), signals, True)
splits = np.array([[index // 4, (index // 4 + 1) % 2, -1, -1] for index in range(8)])
split_weights = -random.uniform(0.1, 0.5, splits.shape)
regularization_util._reg_split_kernel(splits.copy(), np.full(8, 2), split_weights.copy())
regularization_util._pixel_splitted_regularization_matrix_kernel(
    np.array([0.7, 1.3]), splits, np.full(8, 2), split_weights
)

points, weights = np.sort(random.normal(size=12)), np.full(12, 1.0 / 12.0)
prefix = np.concatenate([[0.0], np.cumsum(weights)])
rectangular._kernel_cdf_dim_windowed(points, weights, prefix, 0.4, np.linspace(-1.0, 1.0, 5), 6.0)
_sibson_numba._pairwise_sum(random.normal(size=150))
_sibson_numba._np_maximum(0.3, 0.8)
centres = np.array([[1, 1], [2, 3], [0, 0], [4, 4]])
total = overlay.total_pixels_2d_from(MASK, centres)
chosen = overlay.overlay_for_mask_from(total, MASK, centres)
overlay.overlay_via_unmasked_overlaid_from(random.normal(size=(4, 2)), chosen.astype(int))

coarse_interp_util.binned_image_from(random.normal(size=(6, 6)), 2)
coarse_interp_util.bilinear_weights_from_box(np.array([0.0, 1.0]), np.array([1.0, 0.0]), (0.3, 0.6))
derivative_util.forward_difference_triplets_from(MASK, 0.05)
