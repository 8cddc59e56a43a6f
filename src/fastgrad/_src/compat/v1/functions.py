"""Functions of TensorFlow 1 that ``tf`` has no counterpart of, as they behave in eager code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastgrad._src.compat.conversions import as_bytes
from fastgrad._src.compat.raw_ops import composed
from fastgrad._src.core import dtypes, printing, scopes
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.core.eager import executing_eagerly
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.core.nest import map_structure
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data.readers import TFRecordDataset
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.factories import constant
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.strings import splitting


def Print(  # TensorFlow's name
    input_: Any,
    data: Any,
    message: str | None = None,
    first_n: Any = None,
    summarize: int | None = 3,
    name: str | None = None,
) -> Any:
    """Prints ``message`` and the values of ``data``, and returns ``input_``.

    Args:
        input_: the result.
        data: a list of values.
        message: a text in front of them.
        summarize: the number of elements at each end of an axis that are printed.
        first_n, name: kept for TensorFlow's signature.
    """
    printing.print(message or "", *data, summarize=summarize, sep="")
    return ops.identity(input_)


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Any:
    """Returns ``t``, scaled so that its norm divided by the number of its elements is at most ``clip_norm``."""
    t = convert_to_tensor(t)
    norm = ops.norm(t) / ops.cast(ops.size(t), t.dtype)
    return t * clip_norm / ops.maximum(norm, clip_norm)


def div(x: Any, y: Any, name: str | None = None) -> Any:
    """Returns the quotient as Python 2 has it: rounded down for integers."""
    x = convert_to_tensor(x)
    return x // y if x.dtype.is_integer else x / y


def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Returns a sparse tensor as it is, and other values as tensors.

    Raises:
        RuntimeError: ``value`` is sparse and has another dtype than ``dtype``.
    """
    if not isinstance(value, SparseTensor):
        return convert_to_tensor(value, dtype)
    if dtype is not None and as_dtype(dtype) != value.dtype:
        raise RuntimeError(f"Sparse dtype mismatch. Requested: {as_dtype(dtype).name}, Actual: {value.dtype.name}")
    return value


def _refuse_placeholder(name: str) -> Any:
    raise RuntimeError(f"tf.{name}() is not compatible with eager execution; pass the value to a function.")


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    """Raises RuntimeError, as TensorFlow does in eager code.

    Example:
        >>> tf.compat.v1.placeholder(tf.float32)
        Traceback (most recent call last):
        RuntimeError: tf.placeholder() is not compatible with eager execution; pass the value to a function.
    """
    _refuse_placeholder("placeholder")


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    """Raises RuntimeError, as TensorFlow does in eager code."""
    _refuse_placeholder("sparse_placeholder")


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Any:
    """Returns ``input`` as a tensor: eager code has nothing to put in its place."""
    return convert_to_tensor(input)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """``tf.where`` without broadcasting: a vector ``condition`` chooses rows of ``x`` and ``y``.

    Raises:
        InvalidArgumentError: ``x`` and ``y`` differ in shape, or ``condition`` has neither their shape nor that of their rows.
    """
    return composed.select(condition, x, y) if x is not None and y is not None else ops.where(condition, x, y)


def cond(
    pred: Any,
    true_fn: Any = None,
    false_fn: Any = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Any = None,
    fn2: Any = None,
) -> Any:
    """``tf.cond``, which in eager code returns the element of a list of one, unless ``strict``; ``fn1`` and ``fn2`` are former names."""
    return ops.element_of_one(ops.cond(pred, true_fn or fn1, false_fn or fn2), strict or not executing_eagerly())


def while_loop(  # noqa: PLR0913  # TensorFlow's arguments
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """``tf.while_loop``, which returns the value of a single loop variable without its list, unless ``return_same_structure``.

    In eager code a list stays if ``body`` returns one.
    """
    is_eager = executing_eagerly()
    keeps_list = return_same_structure or is_eager

    def eager_body(*variables: Any) -> Any:
        nonlocal keeps_list
        results = body(*variables)
        keeps_list = return_same_structure or isinstance(results, (list, tuple))
        return results

    results = ops.while_loop(cond, eager_body if is_eager else body, loop_vars, maximum_iterations=maximum_iterations)
    return ops.element_of_one(results, keeps_list)


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    """``tf.name_scope`` of ``name``, or of ``default_name`` if there is none; ``values`` is kept for TensorFlow's signature."""
    return scopes.name_scope((default_name or "") if name is None else name)


def py_func(func: Any, inp: Any, Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """Calls ``func`` with the tensors of ``inp`` in eager code; see ``tf.py_function``."""
    return ops.py_function(func, inp, Tout)


def _cast_function(name: str, dtype: Any) -> Any:
    def cast(x: Any, name: str | None = None) -> Any:
        return ops.cast(x, dtype)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"""Returns ``x`` as {dtype.name}.

    Example:
        >>> tf.compat.v1.{name}([1, 2]).dtype
        {dtype!r}
    """
    return cast


to_bfloat16, to_complex128, to_complex64 = (
    _cast_function(f"to_{dtype.name}", dtype) for dtype in (dtypes.bfloat16, dtypes.complex128, dtypes.complex64)
)
to_double, to_float = _cast_function("to_double", dtypes.float64), _cast_function("to_float", dtypes.float32)
to_int32, to_int64 = _cast_function("to_int32", dtypes.int32), _cast_function("to_int64", dtypes.int64)


def string_split(
    source: Any,
    sep: Any = None,
    skip_empty: bool = True,
    delimiter: Any = " ",
    result_type: str = "SparseTensor",
    name: str | None = None,
) -> Any:
    """Splits strings at each character of ``sep``.

    Args:
        source: a vector of strings.
        sep: characters; None for ``delimiter``. An empty text splits into bytes.
        skip_empty: whether empty parts are left out.
        delimiter: the former name of ``sep``.
        result_type: ``"SparseTensor"`` or ``"RaggedTensor"``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: another ``result_type``.
    """
    characters = as_bytes(delimiter if sep is None else sep)
    rows = []
    for text in convert_to_tensor(source).numpy().tolist():
        for character in characters[1:]:
            text = text.replace(bytes([character]), characters[:1])
        parts = text.split(characters[:1]) if characters else [bytes([byte]) for byte in text]
        rows.append([part for part in parts if part or not skip_empty])
    return _sparse_or_ragged(constant(rows, dtypes.string, 1), result_type)


def split(
    input: Any = None,
    sep: Any = None,
    maxsplit: Any = -1,
    result_type: str = "SparseTensor",
    source: Any = None,
    name: str | None = None,
) -> Any:
    """``tf.strings.split`` of ``input`` (or ``source``), where one string is a vector of one.

    Args:
        input, sep, maxsplit: as of ``tf.strings.split``.
        result_type: ``"SparseTensor"`` or ``"RaggedTensor"``.
        source: the former name of ``input``.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: another ``result_type``.
    """
    texts = input if source is None else source
    if isinstance(texts, str | bytes) or (isinstance(texts, Tensor) and not texts.ndim):
        texts = ops.stack([texts])
    return _sparse_or_ragged(splitting.split(texts, sep, maxsplit), result_type)


def _sparse_or_ragged(ragged: Any, result_type: str) -> Any:
    if result_type not in ("SparseTensor", "RaggedTensor"):
        raise ValueError(f"split: result_type must be 'SparseTensor' or 'RaggedTensor', got {result_type!r}.")
    return ragged if result_type == "RaggedTensor" else ragged.to_sparse()


def space_to_batch(
    input: Any, paddings: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None
) -> Any:
    """``tf.space_to_batch`` of pictures, with blocks of ``block_size`` (or ``block_shape``) pixels in both directions."""
    size = block_size if block_shape is None else block_shape
    return ops.space_to_batch(input, [size, size] if isinstance(size, int) else size, paddings)


def batch_to_space(
    input: Any, crops: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None
) -> Any:
    """``tf.batch_to_space`` of pictures, with blocks of ``block_size`` (or ``block_shape``) pixels in both directions."""
    size = block_size if block_shape is None else block_shape
    return ops.batch_to_space(input, [size, size] if isinstance(size, int) else size, crops)


# ---- nn ------------------------------------------------------------------------------------------------------


def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: Any = None, name: str | None = None, rate: Any = None
) -> Any:
    """``tf.nn.dropout`` by the share of elements that stay.

    Args:
        x, noise_shape, seed: as of ``tf.nn.dropout``.
        keep_prob: the probability of an element to stay; or
        rate: the probability that it is dropped.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: neither or both are given.
    """
    if (keep_prob is None) == (rate is None):
        raise ValueError(f"dropout: Exactly one of keep_prob and rate must be given, got {keep_prob!r} and {rate!r}.")
    return ops.dropout(x, 1.0 - keep_prob if rate is None else rate, noise_shape, seed)


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: Any = None,
) -> Any:
    """``tf.nn.embedding_lookup`` in one table.

    Raises:
        UnimplementedError: ``params`` has several tables, which this function shares rows among by another rule than ``tf.nn`` has.
    """
    if isinstance(params, (list, tuple)) and len(params) > 1 and partition_strategy != "div":
        raise UnimplementedError(
            f"embedding_lookup: several tables need partition_strategy='div', got {partition_strategy!r} and {len(params)} tables."
        )
    return ops.embedding_lookup(params, ids, max_norm)


def softmax_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, dim: int = -1, name: str | None = None, axis: Any = None
) -> Any:
    """``tf.nn.softmax_cross_entropy_with_logits`` without a gradient of the labels."""
    labels = ops.stop_gradient(convert_to_tensor(labels))
    return ops.softmax_cross_entropy_with_logits(labels, logits, dim if axis is None else axis)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Any:
    """Returns ``x @ weights + biases``."""
    return ops.bias_add(ops.matmul(x, weights), biases)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Any:
    """Returns ``relu(x @ weights + biases)``."""
    return ops.relu(xw_plus_b(x, weights, biases))


# ---- datasets and files of records ----------------------------------------------------------------------------


def get_output_types(dataset_or_iterator: Any) -> Any:
    """Returns the dtypes of the elements, in their structure."""
    return map_structure(lambda spec: spec.dtype, dataset_or_iterator.element_spec)


def get_output_shapes(dataset_or_iterator: Any) -> Any:
    """Returns the shapes of the elements, in their structure."""
    return map_structure(lambda spec: spec.shape, dataset_or_iterator.element_spec)


def get_output_classes(dataset_or_iterator: Any) -> Any:
    """Returns the classes of the elements, in their structure."""
    return map_structure(lambda spec: spec.value_type, dataset_or_iterator.element_spec)


def make_one_shot_iterator(dataset: Any) -> Any:
    """Returns an iterator of a dataset, whose ``get_next`` gives the next element."""
    return iter(dataset)


def make_initializable_iterator(dataset: Any, shared_name: str | None = None) -> Any:
    """Raises RuntimeError, as TensorFlow does in eager code."""
    raise RuntimeError(
        "dataset.make_initializable_iterator is not supported when eager execution is enabled. Use `for element in dataset` instead."
    )


def tf_record_iterator(path: Any, options: Any = None) -> Iterator[bytes]:
    """Returns an iterator of the records of a file, as bytes."""
    compression = getattr(options, "compression_type", None) or ""
    return (record.numpy() for record in TFRecordDataset(path, compression))
