"""Where the names of TensorFlow 1 are in ``tf``, and the order of their arguments where it is another one."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from fastgrad.core.names import missing_attribute

_Parameter = str | tuple[str, str | None]
"""A name of ``tf``'s function; or a name of TensorFlow 1 with the one that it has in ``tf``, None for an argument without a meaning."""


def _words(text: str) -> list[str]:
    return text.split()


_AS_IN_TF = _words(
    "AggregationMethod Assert CriticalSection DType GradientTape IndexedSlices Module RaggedTensor RaggedTensorSpec SparseTensor "
    "SparseTensorSpec Tensor TensorArray TensorShape TensorSpec TypeSpec UnconnectedGradients VariableAggregation "
    "VariableSynchronization abs acos acosh add add_n argsort as_dtype as_string asin asinh atan atan2 atanh bfloat16 bitcast bool "
    "broadcast_dynamic_shape broadcast_static_shape broadcast_to case cast clip_by_global_norm clip_by_norm clip_by_value complex "
    "complex128 complex64 concat control_dependencies cos cosh cumsum custom_gradient device divide double dynamic_partition "
    "dynamic_stitch edit_distance einsum ensure_shape equal exp extract_volume_patches eye fftnd fill float16 float32 float64 floor "
    "foldl foldr function get_logger get_static_value grad_pass_through greater greater_equal group guarantee_const half "
    "histogram_fixed_width histogram_fixed_width_bins identity identity_n ifftnd init_scope int16 int32 int64 int8 irfftnd "
    "is_symbolic_tensor is_tensor less less_equal linspace logical_and logical_not logical_or map_fn matmul matrix_square_root maximum "
    "meshgrid minimum multiply name_scope negative newaxis no_op not_equal numpy_function one_hot ones pow print "
    "py_function qint16 qint32 qint8 quint16 quint8 range rank realdiv recompute_grad repeat required_space_to_batch_paddings reshape "
    "reverse rfftnd roll round saturate_cast scalar_mul scan scatter_nd searchsorted sequence_mask shape_n sigmoid sign sin sinh slice "
    "sort space_to_batch_nd split sqrt square stack stop_gradient strided_slice string subtract switch_case tan tanh "
    "tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile "
    "timestamp truediv truncatediv truncatemod type_spec_from_value uint16 uint32 uint64 uint8 unique unique_with_counts unravel_index "
    "unstack vectorized_map where zeros"
)

_NAMESPACES_AS_IN_TF = _words(
    "autograph bitwise config data debugging dtypes errors image io io.gfile linalg lookup math math.special nest nn quantization "
    "ragged random saved_model sets signal sparse strings test train types version"
)
"""A name of these namespaces is that of ``tf``, if no table below has it and it is not refused."""

_NAMESPACES_OF_TF_1 = ("gfile", "initializers", "losses", "manip", "metrics", "python_io", "spectral")
"""Namespaces that are in TensorFlow 1 only: the tables below have all of their names."""

_REFUSED = _words(
    "autograph.to_code autograph.to_graph data.experimental image.resize image.extract_glimpse image.sample_distorted_bounding_box "
    "lookup.experimental nn.ctc_loss nn.ctc_beam_search_decoder nn.dilation2d nn.erosion2d nn.embedding_lookup_sparse "
    "nn.fractional_avg_pool nn.fractional_max_pool nn.nce_loss nn.quantized_conv2d nn.safe_embedding_lookup_sparse nn.sampled_softmax_loss "
    "nn.experimental nn.gelu nn.isotonic_regression random.experimental saved_model.load "
    "test.compute_gradient train.experimental"
)
"""Names that mean something else in TensorFlow 1, or are not there."""


_HERE = "compat.v1."
_VARIABLES, _OLD, _TRAIN = _HERE + "variables.", _HERE + "functions.", _HERE + "training."


def _each(target: str, names: str, prefix: str = "") -> dict[str, str]:
    return {prefix + name: target + name for name in _words(names)}


_RENAMED = {
    # functions of `tf.math` and its kin at the top
    **_each(
        "math.",
        "accumulate_n angle betainc ceil conj cumprod digamma erf erfc expm1 floordiv floormod igamma igammac imag",
    ),
    **_each(
        "math.",
        "invert_permutation is_finite is_inf is_nan is_non_decreasing is_strictly_increasing lbeta lgamma log log1p",
    ),
    **_each("math.", "log_sigmoid logical_xor mod polygamma real reciprocal rint rsqrt squared_difference zeta"),
    **_each(
        "math.",
        "segment_max segment_mean segment_min segment_prod segment_sum unsorted_segment_max unsorted_segment_mean",
    ),
    **_each("math.", "unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum"),
    **_each("linalg.", "cholesky cholesky_solve cross global_norm matrix_transpose qr svd trace"),
    **_each(
        "debugging.",
        "assert_integer assert_proper_iterable assert_same_float_dtype assert_type check_numerics is_numeric_tensor",
    ),
    **_each(
        "io.",
        "decode_base64 encode_base64 matching_files parse_single_sequence_example parse_tensor read_file serialize_tensor",
    ),
    **_each("io.", "write_file FixedLenFeature FixedLenSequenceFeature VarLenFeature"),
    **_each("signal.", "fft fft2d fft3d ifft ifft2d ifft3d"),
    **_each(
        "signal.", "dct fft fft2d fft3d idct ifft ifft2d ifft3d irfft irfft2d irfft3d rfft rfft2d rfft3d", "spectral."
    ),
    **_each("quantization.", "dequantize quantize fake_quant_with_min_max_args"),
    **_each("quantization.", "fake_quant_with_min_max_vars"),
    **_each("quantization.", "fake_quant_with_min_max_vars_per_channel"),
    **_each("", "gather_nd reshape reverse roll scatter_nd space_to_batch_nd tile", "manip."),
    **_each("sparse.", "eye reorder reset_shape retain softmax", "sparse_"),
    **_each("io.", "TFRecordOptions TFRecordWriter", "python_io."),
    **_each("io.gfile.", "GFile", "gfile."),
    **_each("compat.", "dimension_at_index dimension_value"),
    "OpError": "errors.OpError",
    "convert_to_tensor_or_sparse_tensor": _OLD + "convert_to_tensor_or_sparse_tensor",
    "debugging.is_finite": "math.is_finite",
    "debugging.is_inf": "math.is_inf",
    "debugging.is_nan": "math.is_nan",
    "debugging.is_non_decreasing": "math.is_non_decreasing",
    "debugging.is_strictly_increasing": "math.is_strictly_increasing",
    "div_no_nan": "math.divide_no_nan",
    "dtypes.as_dtype": "as_dtype",
    "dtypes.as_string": "as_string",
    "dtypes.cast": "cast",
    "dtypes.saturate_cast": "saturate_cast",
    "floor_div": "math.floordiv",
    "gfile.FastGFile": "io.gfile.GFile",
    "gfile.Open": "io.gfile.GFile",
    "image.resize_image_with_crop_or_pad": "image.resize_with_crop_or_pad",
    "image.transpose_image": "image.transpose",
    "lin_space": "linspace",
    "linalg.transpose": "linalg.matrix_transpose",
    "matrix_band_part": "linalg.band_part",
    "matrix_determinant": "linalg.det",
    "matrix_diag": "linalg.diag",
    "matrix_diag_part": "linalg.diag_part",
    "matrix_inverse": "linalg.inv",
    "matrix_set_diag": "linalg.set_diag",
    "matrix_solve": "linalg.solve",
    "matrix_solve_ls": "linalg.lstsq",
    "matrix_triangular_solve": "linalg.triangular_solve",
    "nn.avg_pool_v2": "nn.avg_pool",
    "nn.ctc_beam_search_decoder_v2": "nn.ctc_beam_search_decoder",
    "nn.ctc_loss_v2": "nn.ctc_loss",
    "nn.log_uniform_candidate_sampler": "random.log_uniform_candidate_sampler",
    "nn.max_pool_v2": "nn.max_pool",
    "nn.uniform_candidate_sampler": "random.uniform_candidate_sampler",
    "random_crop": "image.random_crop",
    "random_gamma": "random.gamma",
    "random_normal": "random.normal",
    "random_shuffle": "random.shuffle",
    "random_uniform": "random.uniform",
    "random.set_random_seed": "random.set_seed",
    "regex_replace": "strings.regex_replace",
    "reverse_v2": "reverse",
    "self_adjoint_eig": "linalg.eigh",
    "self_adjoint_eigvals": "linalg.eigvalsh",
    "set_random_seed": "random.set_seed",
    "sparse_maximum": "sparse.maximum",
    "sparse_minimum": "sparse.minimum",
    "sparse_tensor_dense_matmul": "sparse.sparse_dense_matmul",
    "sparse_transpose": "sparse.transpose",
    "string_join": "strings.join",
    "string_strip": "strings.strip",
    "string_to_hash_bucket_fast": "strings.to_hash_bucket_fast",
    "string_to_hash_bucket_strong": "strings.to_hash_bucket_strong",
    "tensor_scatter_add": "tensor_scatter_nd_add",
    "tensor_scatter_sub": "tensor_scatter_nd_sub",
    "tensor_scatter_update": "tensor_scatter_nd_update",
    "truncated_normal": "random.truncated_normal",
    "where_v2": "where",
    # initializers
    **_each(
        "",
        "constant_initializer ones_initializer zeros_initializer random_normal_initializer random_uniform_initializer",
    ),
    "initializers.constant": "constant_initializer",
    "initializers.ones": "ones_initializer",
    "initializers.zeros": "zeros_initializer",
    "initializers.random_normal": "random_normal_initializer",
    "initializers.random_uniform": "random_uniform_initializer",
    # what has no counterpart in `tf`
    **_each(
        _VARIABLES,
        "AUTO_REUSE VariableScope get_variable_scope get_variable get_local_variable variable_scope global_variables local_variables all_variables",
    ),
    **_each(_VARIABLES, "model_variables moving_average_variables trainable_variables global_variables_initializer"),
    **_each(
        _VARIABLES, "local_variables_initializer variables_initializer tables_initializer initialize_all_variables"
    ),
    **_each(
        _VARIABLES, "initialize_local_variables initialize_variables initialize_all_tables assign assign_add assign_sub"
    ),
    **_each(_VARIABLES, "scatter_add scatter_sub scatter_update scatter_mul scatter_div scatter_max scatter_min"),
    **_each(_VARIABLES, "scatter_nd_add scatter_nd_sub scatter_nd_update is_variable_initialized"),
    **_each(_VARIABLES, "global_variables local_variables", "initializers."),
    "initializers.global_variables": _VARIABLES + "global_variables_initializer",
    "initializers.local_variables": _VARIABLES + "local_variables_initializer",
    "initializers.tables_initializer": _VARIABLES + "tables_initializer",
    "initializers.variables": _VARIABLES + "variables_initializer",
    **_each(_OLD, "Print clip_by_average_norm div placeholder placeholder_with_default sparse_placeholder py_func"),
    **_each(_OLD, "to_bfloat16 to_complex128 to_complex64 to_double to_float to_int32 to_int64 string_split"),
    **_each(_OLD, "dropout embedding_lookup relu_layer softmax_cross_entropy_with_logits xw_plus_b", "nn."),
    **_each(
        _OLD,
        "get_output_classes get_output_shapes get_output_types make_initializable_iterator make_one_shot_iterator",
        "data.",
    ),
    **_each(_OLD, "batch_to_space space_to_batch"),
    "nn.space_to_batch": _OLD + "space_to_batch",
    "io.tf_record_iterator": _OLD + "tf_record_iterator",
    "python_io.tf_record_iterator": _OLD + "tf_record_iterator",
    **_each(_TRAIN, "cosine_decay cosine_decay_restarts", "train."),
    **_each(
        _TRAIN, "exponential_decay inverse_time_decay natural_exp_decay piecewise_constant polynomial_decay", "train."
    ),
    **_each(_TRAIN, "summary_iterator", "train."),
    "train.NewCheckpointReader": "train.load_checkpoint",
    "train.piecewise_constant_decay": _TRAIN + "piecewise_constant",
    **_each(
        _HERE + "losses.",
        "Reduction absolute_difference compute_weighted_loss cosine_distance hinge_loss huber_loss",
        "losses.",
    ),
    **_each(_HERE + "losses.", "log_loss mean_squared_error sigmoid_cross_entropy softmax_cross_entropy", "losses."),
    **_each(_HERE + "losses.", "sparse_softmax_cross_entropy", "losses."),
}
"""The path in ``tf``, or below ``fastgrad``, of each name with the same arguments."""

_DATA = (("data", None), ("summarize", None))
_PAIR = ("x", "y", *_DATA, "message", "name")
_ONE = ("x", *_DATA, "message", "name")
_REDUCTION = ("input_tensor", "axis", "keepdims", "name", ("reduction_indices", "axis"), ("keep_dims", "keepdims"))
_ARG = ("input", "axis", "name", ("dimension", "axis"), "output_type")
_SOFTMAX = ("logits", "axis", "name", ("dim", "axis"))
_POOL = (("value", "input"), "ksize", "strides", "padding", "data_format", "name", "input")
_NO_CUDNN, _FILTER = ("use_cudnn_on_gpu", None), ("filter", "filters")
_PARSING = ("serialized", "features", "name", "example_names")
_REDUCE_JOIN = (
    "inputs",
    "axis",
    ("keep_dims", "keepdims"),
    "separator",
    "name",
    ("reduction_indices", "axis"),
    "keepdims",
)
_SEGMENTS = ("data", "indices", "segment_ids", "name", "num_segments", "sparse_gradient")
_SPARSE_REDUCTION = ("sp_input", "axis", "keepdims", ("reduction_axes", "axis"), ("keep_dims", "keepdims"))
_CSV = ("records", "record_defaults", "field_delim", "use_quote_delim", "name", "na_value", "select_cols")
_TO_BUCKET = (("string_tensor", "input"), "num_buckets", "name", "input")
_TO_NUMBER = (("string_tensor", "input"), "out_type", "name", "input")
_CHECKS: dict[str, tuple[_Parameter, ...]] = {
    **dict.fromkeys(("equal", "greater", "greater_equal", "less", "less_equal", "none_equal"), _PAIR),
    **dict.fromkeys(("negative", "non_negative", "non_positive", "positive"), _ONE),
    "near": ("x", "y", "rtol", "atol", *_DATA, "message", "name"),
    "rank": ("x", "rank", *_DATA, "message", "name"),
    "rank_at_least": ("x", "rank", *_DATA, "message", "name"),
    "rank_in": ("x", "ranks", *_DATA, "message", "name"),
    "scalar": ("tensor", "name", "message"),
}
_REDUCTIONS = ("all", "any", "logsumexp", "max", "mean", "min", "prod", "sum")
_SEEDED = ("seed", ("dtype", None))
_INITIALIZERS: dict[str, tuple[str, tuple[_Parameter, ...]]] = {
    "glorot_normal": ("GlorotNormal", _SEEDED),
    "glorot_uniform": ("GlorotUniform", _SEEDED),
    "orthogonal": ("Orthogonal", ("gain", *_SEEDED)),
    "truncated_normal": ("TruncatedNormal", ("mean", "stddev", *_SEEDED)),
    "variance_scaling": ("VarianceScaling", ("scale", "mode", "distribution", *_SEEDED)),
}
_ARGUMENTS: dict[str, tuple[str, tuple[_Parameter, ...]]] = {
    **{f"{key}_initializer": (f"keras.initializers.{name}", order) for key, (name, order) in _INITIALIZERS.items()},
    **{f"initializers.{key}": (f"keras.initializers.{name}", order) for key, (name, order) in _INITIALIZERS.items()},
    **{
        f"initializers.{key}": (f"keras.initializers.{key}", ("seed",))
        for key in ("he_normal", "he_uniform", "lecun_normal", "lecun_uniform")
    },
    **{
        f"{space}assert_{key}": (f"debugging.assert_{key}", order)
        for key, order in _CHECKS.items()
        for space in ("", "debugging.")
    },
    **{f"{space}reduce_{key}": (f"math.reduce_{key}", _REDUCTION) for key in _REDUCTIONS for space in ("", "math.")},
    **{f"{space}{key}": (f"math.{key}", _ARG) for key in ("argmax", "argmin") for space in ("", "math.")},
    "arg_max": ("math.argmax", ("input", ("dimension", "axis"), "output_type", "name")),
    "arg_min": ("math.argmin", ("input", ("dimension", "axis"), "output_type", "name")),
    "batch_to_space_nd": ("batch_to_space", ("input", "block_shape", "crops", "name")),
    "manip.batch_to_space_nd": ("batch_to_space", ("input", "block_shape", "crops", "name")),
    "boolean_mask": ("boolean_mask", ("tensor", "mask", "name", "axis")),
    "cond": (
        "cond",
        ("pred", "true_fn", "false_fn", ("strict", None), "name", ("fn1", "true_fn"), ("fn2", "false_fn")),
    ),
    "confusion_matrix": ("math.confusion_matrix", ("labels", "predictions", "num_classes", "dtype", "name", "weights")),
    "math.confusion_matrix": (
        "math.confusion_matrix",
        ("labels", "predictions", "num_classes", "dtype", "name", "weights"),
    ),
    "constant": ("constant", ("value", "dtype", "shape", "name", ("verify_shape", None))),
    "convert_to_tensor": (
        "convert_to_tensor",
        ("value", "dtype", "name", ("preferred_dtype", "dtype_hint"), "dtype_hint"),
    ),
    **dict.fromkeys(
        ("count_nonzero", "math.count_nonzero"),
        (
            "math.count_nonzero",
            (
                ("input_tensor", "input"),
                "axis",
                "keepdims",
                "dtype",
                "name",
                ("reduction_indices", "axis"),
                ("keep_dims", "keepdims"),
                "input",
            ),
        ),
    ),
    "bincount": ("math.bincount", ("arr", "weights", "minlength", "maxlength", "dtype")),
    "math.bincount": ("math.bincount", ("arr", "weights", "minlength", "maxlength", "dtype")),
    "math.in_top_k": ("math.in_top_k", ("predictions", "targets", "k", "name")),
    "math.log_softmax": ("nn.log_softmax", _SOFTMAX),
    "math.softmax": ("nn.softmax", _SOFTMAX),
    "debugging.assert_all_finite": (
        "debugging.assert_all_finite",
        (("t", "x"), ("msg", "message"), "name", "x", "message"),
    ),
    "verify_tensor_all_finite": (
        "debugging.assert_all_finite",
        (("t", "x"), ("msg", "message"), "name", "x", "message"),
    ),
    "decode_csv": ("io.decode_csv", _CSV),
    "io.decode_csv": ("io.decode_csv", _CSV),
    "decode_raw": ("io.decode_raw", ("input_bytes", "out_type", "little_endian", "name", ("bytes", "input_bytes"))),
    "io.decode_raw": ("io.decode_raw", ("input_bytes", "out_type", "little_endian", "name", ("bytes", "input_bytes"))),
    "io.parse_example": ("io.parse_example", _PARSING),
    "io.parse_single_example": ("io.parse_single_example", _PARSING),
    "parse_example": ("io.parse_example", _PARSING),
    "parse_single_example": ("io.parse_single_example", _PARSING),
    "depth_to_space": ("nn.depth_to_space", ("input", "block_size", "name", "data_format")),
    "nn.depth_to_space": ("nn.depth_to_space", ("input", "block_size", "name", "data_format")),
    "space_to_depth": ("nn.space_to_depth", ("input", "block_size", "name", "data_format")),
    "nn.space_to_depth": ("nn.space_to_depth", ("input", "block_size", "name", "data_format")),
    "diag": ("linalg.tensor_diag", ("diagonal", "name")),
    "diag_part": ("linalg.tensor_diag_part", ("input", "name")),
    "expand_dims": ("expand_dims", ("input", "axis", "name", ("dim", "axis"))),
    "gather": ("gather", ("params", "indices", "validate_indices", "name", "axis", "batch_dims")),
    "gather_nd": ("gather_nd", ("params", "indices", "name", "batch_dims", "bad_indices_policy")),
    "image.crop_and_resize": (
        "image.crop_and_resize",
        (
            "image",
            "boxes",
            ("box_ind", "box_indices"),
            "crop_size",
            "method",
            "extrapolation_value",
            "name",
            "box_indices",
        ),
    ),
    "image.draw_bounding_boxes": ("image.draw_bounding_boxes", ("images", "boxes", "name", "colors")),
    **dict.fromkeys(
        ("extract_image_patches", "image.extract_image_patches"),
        ("image.extract_patches", ("images", ("ksizes", "sizes"), "strides", "rates", "padding", "name", "sizes")),
    ),
    "norm": ("linalg.norm", ("tensor", "ord", "axis", "keepdims", "name", ("keep_dims", "keepdims"))),
    "linalg.norm": ("linalg.norm", ("tensor", "ord", "axis", "keepdims", "name", ("keep_dims", "keepdims"))),
    "multinomial": ("random.categorical", ("logits", "num_samples", "seed", "name", ("output_dtype", "dtype"))),
    "random.multinomial": ("random.categorical", ("logits", "num_samples", "seed", "name", ("output_dtype", "dtype"))),
    "random.stateless_multinomial": (
        "random.stateless_categorical",
        ("logits", "num_samples", "seed", ("output_dtype", "dtype"), "name"),
    ),
    "random_poisson": ("random.poisson", ("lam", "shape", "dtype", "seed", "name")),
    "random.poisson": ("random.poisson", ("lam", "shape", "dtype", "seed", "name")),
    "nn.avg_pool": ("nn.avg_pool", _POOL),
    "nn.avg_pool2d": ("nn.avg_pool2d", _POOL),
    "nn.max_pool": ("nn.max_pool", _POOL),
    "nn.max_pool_with_argmax": (
        "nn.max_pool_with_argmax",
        (
            "input",
            "ksize",
            "strides",
            "padding",
            "data_format",
            ("Targmax", "output_dtype"),
            "name",
            "output_dtype",
            "include_batch_in_index",
        ),
    ),
    "nn.batch_norm_with_global_normalization": (
        "nn.batch_norm_with_global_normalization",
        (
            ("t", "input"),
            ("m", "mean"),
            ("v", "variance"),
            "beta",
            "gamma",
            "variance_epsilon",
            "scale_after_normalization",
            "name",
            "input",
            "mean",
            "variance",
        ),
    ),
    "nn.conv1d": (
        "nn.conv1d",
        (("value", "input"), "filters", "stride", "padding", _NO_CUDNN, "data_format", "name", "input", "dilations"),
    ),
    "nn.conv2d": (
        "nn.conv2d",
        ("input", _FILTER, "strides", "padding", _NO_CUDNN, "data_format", "dilations", "name", "filters"),
    ),
    "nn.conv2d_backprop_input": (
        "nn.conv2d_transpose",
        (
            ("input_sizes", "output_shape"),
            _FILTER,
            ("out_backprop", "input"),
            "strides",
            "padding",
            _NO_CUDNN,
            "data_format",
            "dilations",
            "name",
            "filters",
        ),
    ),
    **{
        f"nn.conv{rank}d_transpose": (
            f"nn.conv{rank}d_transpose",
            (
                ("value", "input"),
                _FILTER,
                "output_shape",
                "strides",
                "padding",
                "data_format",
                "name",
                "input",
                "filters",
                "dilations",
            ),
        )
        for rank in (2, 3)
    },
    "nn.conv3d": ("nn.conv3d", ("input", _FILTER, "strides", "padding", "data_format", "dilations", "name", "filters")),
    "nn.convolution": (
        "nn.convolution",
        (
            "input",
            _FILTER,
            "padding",
            "strides",
            ("dilation_rate", "dilations"),
            "name",
            "data_format",
            "filters",
            "dilations",
        ),
    ),
    "nn.crelu": ("nn.crelu", ("features", "name", "axis")),
    "nn.depthwise_conv2d": (
        "nn.depthwise_conv2d",
        ("input", "filter", "strides", "padding", ("rate", "dilations"), "name", "data_format", "dilations"),
    ),
    "nn.depthwise_conv2d_native": (
        "nn.depthwise_conv2d",
        ("input", "filter", "strides", "padding", "data_format", "dilations", "name"),
    ),
    "nn.separable_conv2d": (
        "nn.separable_conv2d",
        (
            "input",
            "depthwise_filter",
            "pointwise_filter",
            "strides",
            "padding",
            ("rate", "dilations"),
            "name",
            "data_format",
            "dilations",
        ),
    ),
    "nn.in_top_k": ("nn.in_top_k", ("predictions", "targets", "k", "name")),
    "nn.log_softmax": ("nn.log_softmax", _SOFTMAX),
    "nn.softmax": ("nn.softmax", _SOFTMAX),
    "nn.softmax_cross_entropy_with_logits_v2": (
        "nn.softmax_cross_entropy_with_logits",
        ("labels", "logits", "axis", "name", ("dim", "axis")),
    ),
    "nn.moments": ("nn.moments", ("x", "axes", "shift", "name", ("keep_dims", "keepdims"), "keepdims")),
    "nn.weighted_moments": (
        "nn.weighted_moments",
        ("x", "axes", "frequency_weights", "name", ("keep_dims", "keepdims"), "keepdims"),
    ),
    "nn.sufficient_statistics": (
        "nn.sufficient_statistics",
        ("x", "axes", "shift", ("keep_dims", "keepdims"), "name", "keepdims"),
    ),
    "nn.pool": (
        "nn.pool",
        (
            "input",
            "window_shape",
            "pooling_type",
            "padding",
            ("dilation_rate", "dilations"),
            "strides",
            "name",
            "data_format",
            "dilations",
        ),
    ),
    "nn.weighted_cross_entropy_with_logits": (
        "nn.weighted_cross_entropy_with_logits",
        ("labels", "logits", "pos_weight", "name", ("targets", "labels")),
    ),
    "ones_like": ("ones_like", (("tensor", "input"), "dtype", "name", ("optimize", None))),
    "zeros_like": ("zeros_like", (("tensor", "input"), "dtype", "name", ("optimize", None))),
    "pad": ("pad", ("tensor", "paddings", "mode", "name", "constant_values")),
    "reverse_sequence": (
        "reverse_sequence",
        (
            "input",
            "seq_lengths",
            "seq_axis",
            "batch_axis",
            "name",
            ("seq_dim", "seq_axis"),
            ("batch_dim", "batch_axis"),
        ),
    ),
    "shape": ("shape", ("input", "name", "out_type")),
    "size": ("size", ("input", "name", "out_type")),
    "squeeze": ("squeeze", ("input", "axis", "name", ("squeeze_dims", "axis"))),
    "transpose": ("transpose", ("a", "perm", "name", "conjugate")),
    "tuple": ("tuple", ("tensors", "name", "control_inputs")),
    "while_loop": (
        "while_loop",
        (
            "cond",
            "body",
            "loop_vars",
            "shape_invariants",
            "parallel_iterations",
            "back_prop",
            "swap_memory",
            "name",
            "maximum_iterations",
            ("return_same_structure", None),
        ),
    ),
    "gradients": (
        "gradients",
        (
            "ys",
            "xs",
            "grad_ys",
            "name",
            ("colocate_gradients_with_ops", None),
            "gate_gradients",
            "aggregation_method",
            "stop_gradients",
            "unconnected_gradients",
        ),
    ),
    "reduce_join": ("strings.reduce_join", _REDUCE_JOIN),
    "strings.reduce_join": ("strings.reduce_join", _REDUCE_JOIN),
    "substr": ("strings.substr", ("input", "pos", "len", "name", "unit")),
    "strings.substr": ("strings.substr", ("input", "pos", "len", "name", "unit")),
    "strings.length": ("strings.length", ("input", "name", "unit")),
    "strings.to_hash_bucket": ("strings.to_hash_bucket", _TO_BUCKET),
    "string_to_hash_bucket": ("strings.to_hash_bucket", _TO_BUCKET),
    "strings.to_number": ("strings.to_number", _TO_NUMBER),
    "string_to_number": ("strings.to_number", _TO_NUMBER),
    "sparse.add": ("sparse.add", ("a", "b", "threshold", ("thresh", "threshold"))),
    "sparse_add": ("sparse.add", ("a", "b", "threshold", ("thresh", "threshold"))),
    "sparse.reduce_max": ("sparse.reduce_max", _SPARSE_REDUCTION),
    "sparse.reduce_sum": ("sparse.reduce_sum", _SPARSE_REDUCTION),
    "sparse_reduce_max": ("sparse.reduce_max", _SPARSE_REDUCTION),
    "sparse_reduce_sum": ("sparse.reduce_sum", _SPARSE_REDUCTION),
    **{
        f"sparse{mark}segment_{key}": (f"sparse.segment_{key}", _SEGMENTS)
        for key in ("mean", "sqrt_n", "sum")
        for mark in "._"
    },
    "sparse_mask": ("sparse.mask", ("a", "mask_indices", "name")),
    "sparse_reshape": ("sparse.reshape", ("sp_input", "shape", "name")),
    "sparse_slice": ("sparse.slice", ("sp_input", "start", "size", "name")),
    "sparse_fill_empty_rows": ("sparse.fill_empty_rows", ("sp_input", "default_value", "name")),
    "sparse_to_indicator": ("sparse.to_indicator", ("sp_input", "vocab_size", "name")),
    "sparse_tensor_to_dense": ("sparse.to_dense", ("sp_input", "default_value", "validate_indices", "name")),
    "sets.set_difference": ("sets.difference", ("a", "b", "aminusb", "validate_indices")),
    "sets.set_intersection": ("sets.intersection", ("a", "b", "validate_indices")),
    "sets.set_size": ("sets.size", ("a", "validate_indices")),
    "sets.set_union": ("sets.union", ("a", "b", "validate_indices")),
    "gfile.Copy": ("io.gfile.copy", (("oldpath", "src"), ("newpath", "dst"), "overwrite")),
    "gfile.DeleteRecursively": ("io.gfile.rmtree", (("dirname", "path"),)),
    "gfile.Exists": ("io.gfile.exists", (("filename", "path"),)),
    "gfile.Glob": ("io.gfile.glob", (("filename", "pattern"),)),
    "gfile.IsDirectory": ("io.gfile.isdir", (("dirname", "path"),)),
    "gfile.ListDirectory": ("io.gfile.listdir", (("dirname", "path"),)),
    "gfile.MakeDirs": ("io.gfile.makedirs", (("dirname", "path"),)),
    "gfile.MkDir": ("io.gfile.mkdir", (("dirname", "path"),)),
    "gfile.Remove": ("io.gfile.remove", (("filename", "path"),)),
    "gfile.Rename": ("io.gfile.rename", (("oldname", "src"), ("newname", "dst"), "overwrite")),
    "gfile.Stat": ("io.gfile.stat", (("filename", "path"),)),
    "gfile.Walk": ("io.gfile.walk", ("top", ("in_order", "topdown"))),
}
"""The path in ``tf`` of each name with other arguments, and these in their order."""

_UNSUPPORTED_IN_EAGER_CODE = _words(
    "accuracy auc average_precision_at_k false_negatives false_negatives_at_thresholds false_positives false_positives_at_thresholds "
    "mean mean_absolute_error mean_cosine_distance mean_iou mean_per_class_accuracy mean_relative_error mean_squared_error mean_tensor "
    "percentage_below precision precision_at_k precision_at_thresholds precision_at_top_k recall recall_at_k recall_at_thresholds "
    "recall_at_top_k root_mean_squared_error sensitivity_at_specificity sparse_average_precision_at_k sparse_precision_at_k "
    "specificity_at_sensitivity true_negatives true_negatives_at_thresholds true_positives true_positives_at_thresholds"
)
"""The functions of ``metrics``: they raise in eager code, in TensorFlow, too."""


class Namespace:
    """A namespace of ``tf.compat.v1``; ``path`` is its name, such as ``"math"`` or ``"io.gfile"``."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.__name__ = f"fastgrad.compat.v1.{path}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        value = find(f"{self._path}.{name}")
        if value is MISSING:
            raise missing_attribute(f"tf.compat.v1.{self._path}", name, lambda: dir(self))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return names(self._path)

    def __repr__(self) -> str:
        return f"<namespace 'tf.compat.v1.{self._path}'>"


MISSING: Any = object()


def names(path: str) -> list[str]:
    """Returns the names of the namespace ``path``, of the top for an empty one."""
    found = set(_AS_IN_TF) if not path else set()
    prefix = f"{path}." if path else ""
    for name in (*_RENAMED, *_ARGUMENTS, *_NAMESPACES_AS_IN_TF, *_NAMESPACES_OF_TF_1):
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            found.add(name[len(prefix) :])
    if path == "metrics":
        found.update(_UNSUPPORTED_IN_EAGER_CODE)
    if path in _NAMESPACES_AS_IN_TF:
        found.update(name for name in dir(_value(path)) if not name.startswith("_") and prefix + name not in _REFUSED)
    return sorted(found)


def find(path: str) -> Any:
    """Returns the value of a name of ``tf.compat.v1``, such as ``"math.log"``; ``MISSING`` if it is not there."""
    space, _, name = path.rpartition(".")
    if path in _ARGUMENTS:
        target, order = _ARGUMENTS[path]
        return with_arguments(_value(target), name, order)
    if path in _RENAMED:
        return _value(_RENAMED[path])
    if path in _NAMESPACES_AS_IN_TF or path in _NAMESPACES_OF_TF_1:
        return Namespace(path)
    if space == "metrics" and name in _UNSUPPORTED_IN_EAGER_CODE:
        return _unsupported_metric(name)
    if path in _REFUSED:
        return MISSING
    if (not space and name in _AS_IN_TF) or (space in _NAMESPACES_AS_IN_TF and name in dir(_value(space))):
        return _value(path)
    return MISSING


def _value(path: str) -> Any:
    """Returns the object at a path below ``fastgrad``."""
    value: Any = importlib.import_module("fastgrad")
    if path.startswith(_HERE):
        module, _, path = path.rpartition(".")
        value = importlib.import_module(f"fastgrad.{module}")
    for part in path.split("."):
        value = getattr(value, part)
    return value


def with_arguments(function: Callable[..., Any], name: str, order: tuple[_Parameter, ...]) -> Callable[..., Any]:
    """Returns ``function`` with the names and the order of the arguments that TensorFlow 1 has.

    Args:
        function: a function of ``tf``.
        name: its name in TensorFlow 1.
        order: the parameters; see ``_Parameter``.

    The function raises a TypeError for an argument that is not there or given twice, and a ValueError for one that is given under its
    name in both versions.
    """
    names_in_tf = dict([(parameter, parameter) if isinstance(parameter, str) else parameter for parameter in order])
    positions = list(names_in_tf)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(positions):
            raise TypeError(f"{name}() takes {len(positions)} arguments, got {len(args)}.")
        arguments: dict[str, Any] = {}
        passed = dict(zip(positions, args, strict=False))
        for key, value in (*passed.items(), *kwargs.items()):
            if key not in names_in_tf:
                raise TypeError(
                    f"{name}() got an unexpected keyword argument {key!r}; it takes {', '.join(positions)}."
                )
            if key in passed and key in kwargs:
                raise TypeError(f"{name}() got multiple values for argument {key!r}.")
            key_in_tf = names_in_tf[key]
            if key_in_tf is None or (value is None and key != key_in_tf):
                continue
            if arguments.get(key_in_tf) is not None and value is not None:
                raise ValueError(f"{name}(): Cannot specify both {key!r} and its other name for {key_in_tf!r}.")
            if value is not None or key_in_tf not in arguments:
                arguments[key_in_tf] = value
        return function(**arguments)

    call.__name__ = call.__qualname__ = name
    return call


def _unsupported_metric(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"tf.metrics.{name} is not supported when eager execution is enabled; use tf.keras.metrics.")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse
