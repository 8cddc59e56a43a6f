"""The table of TensorFlow 1's names in ``tf``, with the order of their arguments if it differs."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from fastgrad._src.core.names import missing_attribute

_Parameters = dict[str, str | None]
"""The arguments of TensorFlow 1 in their order, each with its name in ``tf``; None for one without a meaning."""


def _split_names(text: str) -> list[str]:
    return text.split()


_AS_IN_TF = _split_names(
    "Assert CriticalSection DType GradientTape IndexedSlices Module RaggedTensor RaggedTensorSpec SparseTensor "
    "SparseTensorSpec Tensor TensorArray TensorShape TensorSpec TypeSpec UnconnectedGradients VariableAggregation "
    "VariableSynchronization abs acos acosh add add_n argsort as_dtype as_string asin asinh atan atan2 atanh bfloat16 bitcast bool "
    "broadcast_dynamic_shape broadcast_static_shape broadcast_to case cast clip_by_global_norm clip_by_norm clip_by_value complex "
    "complex128 complex64 concat control_dependencies cos cosh cumsum custom_gradient device divide double dynamic_partition "
    "dynamic_stitch edit_distance einsum ensure_shape equal exp eye fftnd fill float16 float32 float64 floor "
    "foldl foldr function get_logger get_static_value grad_pass_through greater greater_equal group guarantee_const half "
    "histogram_fixed_width histogram_fixed_width_bins identity identity_n init_scope int16 int32 int64 int8 "
    "is_tensor less less_equal linspace logical_and logical_not logical_or map_fn matmul matrix_square_root maximum "
    "meshgrid minimum multiply negative newaxis no_op not_equal numpy_function one_hot ones pow print "
    "py_function qint16 qint32 qint8 quint16 quint8 range rank realdiv recompute_grad repeat required_space_to_batch_paddings reshape "
    "reverse roll round saturate_cast scalar_mul scan scatter_nd searchsorted sequence_mask shape_n sigmoid sign sin sinh slice "
    "sort space_to_batch_nd split sqrt square stack stop_gradient strided_slice string subtract switch_case tan tanh "
    "tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile "
    "timestamp truediv truncatediv truncatemod type_spec_from_value uint16 uint32 uint64 uint8 unique unique_with_counts unravel_index "
    "unstack vectorized_map zeros"
)

_NAMESPACES_AS_IN_TF = _split_names(
    "autograph bitwise config data debugging dtypes errors image io io.gfile linalg lookup math math.special nest nn "
    "ragged random saved_model sets signal sparse strings test train types version"
)
"""A name of these namespaces is that of ``tf``, if no table below has it and it is not refused."""

_NAMESPACES_OF_TF_1 = ("gfile", "initializers", "losses", "manip", "metrics", "python_io", "spectral")
"""Namespaces that are in TensorFlow 1 only: the tables below have all of their names."""

_REFUSED = _split_names(
    "autograph.to_code autograph.to_graph data.experimental image.ResizeMethod image.resize image.resize_with_pad image.sample_distorted_bounding_box "
    "lookup.experimental nn.ctc_loss nn.ctc_beam_search_decoder nn.dilation2d nn.embedding_lookup_sparse "
    "nn.nce_loss nn.quantized_conv2d nn.safe_embedding_lookup_sparse "
    "nn.experimental nn.gelu random.experimental saved_model.load "
    "test.compute_gradient train.experimental"
)
"""Names that mean something else in TensorFlow 1, or are not there."""


_HERE = "compat.v1."
_VARIABLES, _OLD, _TRAIN = _HERE + "variables.", _HERE + "functions.", _HERE + "training."


def _target_by_name(target: str, names: str, prefix: str = "") -> dict[str, str]:
    return {prefix + name: target + name for name in _split_names(names)}


_RENAMED = {
    # functions of `tf.math` and its kin at the top
    **_target_by_name(
        "math.",
        "angle betainc ceil conj cumprod digamma erf erfc expm1 floordiv floormod igamma igammac imag invert_permutation "
        "is_finite is_inf is_nan lgamma log log1p log_sigmoid logical_xor mod polygamma "
        "real reciprocal rint rsqrt segment_max segment_mean segment_min segment_prod segment_sum squared_difference unsorted_segment_max "
        "unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum zeta",
    ),
    **_target_by_name("linalg.", "cholesky cholesky_solve cross global_norm matrix_transpose qr svd trace"),
    **_target_by_name("linalg.", "band_part diag diag_part set_diag solve triangular_solve", "matrix_"),
    **_target_by_name("debugging.", "assert_integer assert_type check_numerics"),
    **_target_by_name("math.", "is_finite is_inf is_nan", "debugging."),
    **_target_by_name(
        "io.",
        "decode_base64 encode_base64 matching_files parse_single_sequence_example parse_tensor read_file serialize_tensor write_file "
        "FixedLenFeature FixedLenSequenceFeature VarLenFeature",
    ),
    **_target_by_name("signal.", "fft fft2d fft3d ifft ifft2d ifft3d"),
    **_target_by_name(
        "signal.", "fft fft2d fft3d ifft ifft2d ifft3d irfft irfft2d irfft3d rfft rfft2d rfft3d", "spectral."
    ),
    **_target_by_name("random.", "gamma normal shuffle uniform", "random_"),
    **_target_by_name("", "as_dtype as_string cast saturate_cast", "dtypes."),
    **_target_by_name("", "gather_nd reshape reverse roll scatter_nd space_to_batch_nd tile", "manip."),
    **_target_by_name("sparse.", "eye maximum minimum reorder reset_shape retain softmax transpose", "sparse_"),
    **_target_by_name("strings.", "join strip to_hash_bucket_fast to_hash_bucket_strong", "string_"),
    **_target_by_name("io.", "TFRecordOptions TFRecordWriter", "python_io."),
    **_target_by_name("compat.", "dimension_at_index dimension_value"),
    "OpError": "errors.OpError",
    "convert_to_tensor_or_sparse_tensor": _OLD + "convert_to_tensor_or_sparse_tensor",
    "div_no_nan": "math.divide_no_nan",
    "floor_div": "math.floordiv",
    **dict.fromkeys(("gfile.FastGFile", "gfile.GFile", "gfile.Open"), "io.gfile.GFile"),
    "image.resize_image_with_crop_or_pad": "image.resize_with_crop_or_pad",
    "image.transpose_image": "image.transpose",
    "lin_space": "linspace",
    "linalg.transpose": "linalg.matrix_transpose",
    "matrix_determinant": "linalg.det",
    "matrix_inverse": "linalg.inv",
    "matrix_solve_ls": "linalg.lstsq",
    "nn.avg_pool_v2": "nn.avg_pool",
    "nn.ctc_beam_search_decoder_v2": "nn.ctc_beam_search_decoder",
    "nn.ctc_loss_v2": "nn.ctc_loss",
    **_target_by_name("random.", "log_uniform_candidate_sampler uniform_candidate_sampler", "nn."),
    "nn.max_pool_v2": "nn.max_pool",
    "random_crop": "image.random_crop",
    **dict.fromkeys(("random.set_random_seed", "set_random_seed"), "random.set_seed"),
    "regex_replace": "strings.regex_replace",
    "reverse_v2": "reverse",
    "self_adjoint_eig": "linalg.eigh",
    "self_adjoint_eigvals": "linalg.eigvalsh",
    "sparse_tensor_dense_matmul": "sparse.sparse_dense_matmul",
    **{f"tensor_scatter_{key}": f"tensor_scatter_nd_{key}" for key in ("add", "sub", "update")},
    "truncated_normal": "random.truncated_normal",
    "where_v2": "where",
    # initializers
    **{
        name: f"{_HERE}initializers.{key}"
        for key in _split_names(
            "constant glorot_normal glorot_uniform ones orthogonal random_normal random_uniform truncated_normal variance_scaling zeros"
        )
        for name in (f"{key}_initializer", f"initializers.{key}")
    },
    # what has no counterpart in `tf`
    **_target_by_name(
        _VARIABLES,
        "AUTO_REUSE VariableScope all_variables assign assign_add assign_sub get_local_variable get_variable get_variable_scope "
        "global_variables global_variables_initializer initialize_all_tables initialize_all_variables initialize_local_variables "
        "initialize_variables is_variable_initialized local_variables local_variables_initializer model_variables "
        "moving_average_variables scatter_add scatter_div scatter_max scatter_min scatter_mul scatter_nd_add scatter_nd_sub "
        "scatter_nd_update scatter_sub scatter_update tables_initializer trainable_variables variable_scope variables_initializer",
    ),
    "initializers.global_variables": _VARIABLES + "global_variables_initializer",
    "initializers.local_variables": _VARIABLES + "local_variables_initializer",
    "initializers.variables": _VARIABLES + "variables_initializer",
    "initializers.tables_initializer": _VARIABLES + "tables_initializer",
    **_target_by_name(
        _OLD,
        "Print batch_to_space clip_by_average_norm cond div name_scope placeholder placeholder_with_default py_func space_to_batch "
        "sparse_placeholder string_split to_bfloat16 to_complex128 to_complex64 to_double to_float to_int32 to_int64 where while_loop",
    ),
    "strings.split": _OLD + "split",
    **_target_by_name(
        _OLD, "dropout embedding_lookup relu_layer softmax_cross_entropy_with_logits space_to_batch xw_plus_b", "nn."
    ),
    **_target_by_name(
        _OLD,
        "get_output_classes get_output_shapes get_output_types make_initializable_iterator make_one_shot_iterator",
        "data.",
    ),
    **dict.fromkeys(("io.tf_record_iterator", "python_io.tf_record_iterator"), _OLD + "tf_record_iterator"),
    **_target_by_name(
        _TRAIN,
        "cosine_decay cosine_decay_restarts exponential_decay inverse_time_decay natural_exp_decay piecewise_constant polynomial_decay "
        "summary_iterator",
        "train.",
    ),
    "train.NewCheckpointReader": "train.load_checkpoint",
    "train.piecewise_constant_decay": _TRAIN + "piecewise_constant",
    **_target_by_name(
        _HERE + "losses.",
        "Reduction absolute_difference compute_weighted_loss cosine_distance hinge_loss huber_loss log_loss mean_squared_error "
        "sigmoid_cross_entropy softmax_cross_entropy sparse_softmax_cross_entropy",
        "losses.",
    ),
}
"""The path in ``tf``, or below ``fastgrad``, of each name with the same arguments."""

_OLD_ARGUMENTS: _Parameters = {
    **dict.fromkeys(("dim", "dimension", "reduction_axes", "reduction_indices"), "axis"),
    **dict.fromkeys(("dilation_rate", "rate"), "dilations"),
    "keep_dims": "keepdims",
    **dict.fromkeys(("optimize", "summarize", "use_cudnn_on_gpu")),
}
"""Arguments of TensorFlow 1 that have this other name in ``tf`` wherever they are; None for those without a meaning."""

_ARGUMENTS: dict[str, tuple[str, _Parameters]] = {}
"""The path in ``tf`` of each name with other arguments, and these."""


def _declare_arguments(line: str) -> None:
    """Declares names of TensorFlow 1 with other arguments.

    Args:
        line: ``names = target(arguments)``. ``names`` are the paths in TensorFlow 1, by default ``target``, the path in ``tf``. The
            arguments are those of TensorFlow 1 in their order: ``name=other`` has another name in ``tf``, ``name=`` has no meaning;
            those of ``_OLD_ARGUMENTS`` need neither.
    """
    names, _, call = line.strip().rpartition(" = ")
    target, _, arguments = call.rstrip(")").partition("(")
    names_in_tf = {}
    for argument in _split_names(arguments):
        name, sign, name_in_tf = argument.partition("=")
        names_in_tf[name] = (name_in_tf or None) if sign else _OLD_ARGUMENTS.get(name, name)
    for name in _split_names(names or target):
        _ARGUMENTS[name] = target, names_in_tf


for _name in _split_names("he_normal he_uniform lecun_normal lecun_uniform"):
    _declare_arguments(f"initializers.{_name} = keras.initializers.{_name}(seed)")
for _names, _order in (
    ("equal greater greater_equal less less_equal none_equal", "x y data= summarize message name"),
    ("non_negative positive", "x data= summarize message name"),
    ("near", "x y rtol atol data= summarize message name"),
    ("rank rank_at_least", "x rank data= summarize message name"),
    ("rank_in", "x ranks data= summarize message name"),
):
    for _name in _split_names(_names):
        _declare_arguments(f"assert_{_name} debugging.assert_{_name} = debugging.assert_{_name}({_order})")
for _name in _split_names("all any logsumexp max mean min prod sum"):
    _order = "input_tensor axis keepdims name reduction_indices keep_dims"
    _declare_arguments(f"reduce_{_name} math.reduce_{_name} = math.reduce_{_name}({_order})")
for _name in _split_names("reduce_max reduce_sum"):
    _order = "sp_input axis keepdims reduction_axes keep_dims"
    _declare_arguments(f"sparse_{_name} sparse.{_name} = sparse.{_name}({_order})")
for _name in _split_names("segment_mean segment_sqrt_n segment_sum"):
    _order = "data indices segment_ids name num_segments sparse_gradient"
    _declare_arguments(f"sparse_{_name} sparse.{_name} = sparse.{_name}({_order})")
for _name in _split_names("nn.avg_pool nn.avg_pool2d nn.max_pool"):
    _declare_arguments(f"{_name}(value=input ksize strides padding data_format name input)")
for _name in _split_names("nn.conv2d_transpose nn.conv3d_transpose"):
    _order = "value=input filter=filters output_shape strides padding data_format name input filters dilations"
    _declare_arguments(f"{_name}({_order})")
_TABLE = """
    argmax math.argmax = math.argmax(input axis name dimension output_type)
    argmin math.argmin = math.argmin(input axis name dimension output_type)
    arg_max = math.argmax(input dimension output_type name)
    arg_min = math.argmin(input dimension output_type name)
    batch_to_space_nd manip.batch_to_space_nd = batch_to_space(input block_shape crops name)
    boolean_mask(tensor mask name axis)
    confusion_matrix math.confusion_matrix = math.confusion_matrix(labels predictions num_classes dtype name weights)
    constant(value dtype shape name verify_shape=)
    convert_to_tensor(value dtype name preferred_dtype=dtype_hint dtype_hint)
    count_nonzero math.count_nonzero = math.count_nonzero(input_tensor=input axis keepdims dtype name reduction_indices keep_dims input)
    bincount math.bincount = math.bincount(arr weights minlength maxlength dtype)
    math.in_top_k(predictions targets k name)
    math.log_softmax nn.log_softmax = nn.log_softmax(logits axis name dim)
    math.softmax nn.softmax = nn.softmax(logits axis name dim)
    verify_tensor_all_finite debugging.assert_all_finite = debugging.assert_all_finite(t=x msg=message name x message)
    decode_csv io.decode_csv = io.decode_csv(records record_defaults field_delim use_quote_delim name na_value select_cols)
    decode_raw io.decode_raw = io.decode_raw(input_bytes out_type little_endian name bytes=input_bytes)
    parse_example io.parse_example = io.parse_example(serialized features name example_names)
    parse_single_example io.parse_single_example = io.parse_single_example(serialized features name example_names)
    depth_to_space nn.depth_to_space = nn.depth_to_space(input block_size name data_format)
    space_to_depth nn.space_to_depth = nn.space_to_depth(input block_size name data_format)
    diag = linalg.tensor_diag(diagonal name)
    diag_part = linalg.tensor_diag_part(input name)
    expand_dims(input axis name dim)
    gather(params indices validate_indices name axis batch_dims)
    gather_nd(params indices name batch_dims bad_indices_policy)
    image.crop_and_resize(image boxes box_ind=box_indices crop_size method extrapolation_value name box_indices)
    image.draw_bounding_boxes(images boxes name colors)
    extract_image_patches image.extract_image_patches = image.extract_patches(images ksizes=sizes strides rates padding name sizes)
    norm linalg.norm = linalg.norm(tensor ord axis keepdims name keep_dims)
    multinomial random.multinomial = random.categorical(logits num_samples seed name output_dtype=dtype)
    random.stateless_multinomial = random.stateless_categorical(logits num_samples seed output_dtype=dtype name)
    random_poisson random.poisson = random.poisson(lam shape dtype seed name)
    nn.max_pool_with_argmax(input ksize strides padding data_format Targmax=output_dtype name output_dtype include_batch_in_index)
    nn.conv1d(value=input filters stride padding use_cudnn_on_gpu data_format name input dilations)
    nn.conv2d(input filter=filters strides padding use_cudnn_on_gpu data_format dilations name filters)
    nn.conv2d_backprop_input = nn.conv2d_transpose(input_sizes=output_shape filter=filters out_backprop=input strides padding use_cudnn_on_gpu data_format dilations name filters)
    nn.conv3d(input filter=filters strides padding data_format dilations name filters)
    nn.convolution(input filter=filters padding strides dilation_rate name data_format filters dilations)
    nn.depthwise_conv2d(input filter strides padding rate name data_format dilations)
    nn.depthwise_conv2d_native = nn.depthwise_conv2d(input filter strides padding data_format dilations name)
    nn.separable_conv2d(input depthwise_filter pointwise_filter strides padding rate name data_format dilations)
    nn.in_top_k(predictions targets k name)
    nn.softmax_cross_entropy_with_logits_v2 = nn.softmax_cross_entropy_with_logits(labels logits axis name dim)
    nn.moments(x axes shift name keep_dims keepdims)
    nn.pool(input window_shape pooling_type padding dilation_rate strides name data_format dilations)
    nn.weighted_cross_entropy_with_logits(labels logits pos_weight name targets=labels)
    ones_like(tensor=input dtype name optimize)
    zeros_like(tensor=input dtype name optimize)
    pad(tensor paddings mode name constant_values)
    reverse_sequence(input seq_lengths seq_axis batch_axis name seq_dim=seq_axis batch_dim=batch_axis)
    shape(input name out_type)
    size(input name out_type)
    squeeze(input axis name squeeze_dims=axis)
    transpose(a perm name conjugate)
    tuple(tensors name control_inputs)
    gradients(ys xs grad_ys name colocate_gradients_with_ops= gate_gradients aggregation_method stop_gradients unconnected_gradients)
    reduce_join strings.reduce_join = strings.reduce_join(inputs axis keep_dims separator name reduction_indices keepdims)
    substr strings.substr = strings.substr(input pos len name unit)
    strings.length(input name unit)
    string_to_hash_bucket strings.to_hash_bucket = strings.to_hash_bucket(string_tensor=input num_buckets name input)
    string_to_number strings.to_number = strings.to_number(string_tensor=input out_type name input)
    sparse_concat sparse.concat = sparse.concat(axis sp_inputs name expand_nonconcat_dim=expand_nonconcat_dims concat_dim=axis expand_nonconcat_dims)
    sparse_split sparse.split = sparse.split(keyword_required= sp_input num_split axis name split_dim=axis)
    sparse_add sparse.add = sparse.add(a b threshold thresh=threshold)
    sparse_mask = sparse.mask(a mask_indices name)
    sparse_reshape = sparse.reshape(sp_input shape name)
    sparse_slice = sparse.slice(sp_input start size name)
    sparse_fill_empty_rows = sparse.fill_empty_rows(sp_input default_value name)
    sparse_tensor_to_dense = sparse.to_dense(sp_input default_value validate_indices name)
    sets.set_difference = sets.difference(a b aminusb validate_indices)
    sets.set_intersection = sets.intersection(a b validate_indices)
    sets.set_size = sets.size(a validate_indices)
    sets.set_union = sets.union(a b validate_indices)
    gfile.Copy = io.gfile.copy(oldpath=src newpath=dst overwrite)
    gfile.DeleteRecursively = io.gfile.rmtree(dirname=path)
    gfile.Exists = io.gfile.exists(filename=path)
    gfile.Glob = io.gfile.glob(filename=pattern)
    gfile.IsDirectory = io.gfile.isdir(dirname=path)
    gfile.ListDirectory = io.gfile.listdir(dirname=path)
    gfile.MakeDirs = io.gfile.makedirs(dirname=path)
    gfile.MkDir = io.gfile.mkdir(dirname=path)
    gfile.Remove = io.gfile.remove(filename=path)
    gfile.Rename = io.gfile.rename(oldname=src newname=dst overwrite)
    gfile.Stat = io.gfile.stat(filename=path)
    gfile.Walk = io.gfile.walk(top in_order=topdown)
"""
for _line in _TABLE.strip().splitlines():
    _declare_arguments(_line)

_UNSUPPORTED_IN_EAGER_CODE = _split_names(
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
        found.update(
            name for name in dir(_resolve_path(path)) if not name.startswith("_") and prefix + name not in _REFUSED
        )
    return sorted(found)


def find(path: str) -> Any:
    """Returns the value of a name of ``tf.compat.v1``, such as ``"math.log"``; ``MISSING`` if it is not there."""
    space, _, name = path.rpartition(".")
    if path in _ARGUMENTS:
        target, names_in_tf = _ARGUMENTS[path]
        return with_arguments(_resolve_path(target), name, names_in_tf)
    if path in _RENAMED:
        return _resolve_path(_RENAMED[path])
    if path in _NAMESPACES_AS_IN_TF or path in _NAMESPACES_OF_TF_1:
        return Namespace(path)
    if space == "metrics" and name in _UNSUPPORTED_IN_EAGER_CODE:
        return _unsupported_metric(name)
    if path in _REFUSED:
        return MISSING
    if (not space and name in _AS_IN_TF) or (space in _NAMESPACES_AS_IN_TF and name in dir(_resolve_path(space))):
        return _resolve_path(path)
    return MISSING


def _resolve_path(path: str) -> Any:
    """Returns the object at a path below ``fastgrad``."""
    value: Any = importlib.import_module("fastgrad")
    if path.startswith(_HERE):
        module, _, path = path.rpartition(".")
        value = importlib.import_module(f"fastgrad._src.{module}")
    for part in path.split("."):
        value = getattr(value, part)
    return value


def with_arguments(function: Callable[..., Any], name: str, names_in_tf: _Parameters) -> Callable[..., Any]:
    """Returns ``function`` with the names and the order of the arguments that TensorFlow 1 has.

    Args:
        function: a function of ``tf``.
        name: its name in TensorFlow 1.
        names_in_tf: the parameters; see ``_Parameters``.

    The function raises a TypeError for an argument that is not there or given twice, and a ValueError for one that is given under its
    name in both versions.
    """
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
