"""Losses on logits: softmax and sigmoid cross-entropy, and the L2 loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import LossRows
from fastgrad._src.core.operation import (
    FLOAT_DTYPES,
    NEVER,
    TABLE,
    Binary,
    Form,
    JointGradient,
    Operation,
    elementwise,
    joint,
    operation,
)
from fastgrad._src.core.replicas import replica_group
from fastgrad._src.core.result_rules import ArraySpec, Rule, same_as_first
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.kernels.reduction import softmax as kernels
from fastgrad._src.ops.activation import with_half_floats
from fastgrad._src.ops.arguments import check_dtype
from fastgrad._src.ops.batching import rows_into_batch_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.division import divide_no_nan
from fastgrad._src.ops.kernel_launches import (
    KERNEL_FLOATS,
    KERNEL_MIN_ELEMENTS,
    launches_from,
    make_kernel_run,
    make_pair_kernel_run,
)
from fastgrad._src.ops.references import gradient_of_reference
from fastgrad._src.ops.rows import as_column, row_sum
from fastgrad._src.ops.softmax import softmax_gradient
from fastgrad._src.scalars import terms


def _check_floating(name: str, x: Tensor) -> None:
    check_dtype(name, x._array.dtype, FLOAT_DTYPES)


def _loss_operation(
    name: str, run: Callable[..., Any], gradient: JointGradient | None, kernel: str, result: Rule, **lowering: Any
) -> Operation:
    """Declares an operation on matrices of logits; its kernels are ``{kernel}_launches`` in kernels/reduction/softmax.py.

    ``run`` calls the kernels on one thread; all threads share large matrices.
    """
    launches = launches_from("reduction.softmax", f"{kernel}_launches")
    return operation(
        name,
        Form.FUSED,
        run=run,
        large=KERNEL_MIN_ELEMENTS,
        run_if_large=make_kernel_run(launches, result, run, raise_error=run),
        gradient=gradient,
        dtypes=KERNEL_FLOATS,
        launches=launches,
        rounds_as_run=True,
        batched=None if gradient is None else rows_into_batch_rule,
        result=result,
        **lowering,
    )


# ---- labels as class numbers ----------------------------------------------------------------------


def _loss_result(logits: Any, labels: Any) -> tuple[ArraySpec, ArraySpec]:
    return ArraySpec(logits.shape[:1], logits.dtype), same_as_first(logits)


def _gradient_result(g: Any, probabilities: Any, labels: Any) -> ArraySpec:
    return same_as_first(probabilities)


_large_sparse_cross_entropy_gradient, _large_cross_entropy_gradient = [
    make_kernel_run(launches_from("reduction.softmax", f"{name}_gradient_launches"), _gradient_result)
    for name in ("sparse_cross_entropy", "cross_entropy")
]


def _run_sparse_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = logits.shape
    loss, probabilities = np.empty(rows, logits.dtype), np.empty(logits.shape, logits.dtype)
    bad = kernels.sparse_cross_entropy[logits.dtype, labels.dtype](
        logits, labels, loss, probabilities, columns, 0, rows
    )
    if bad >= 0:
        raise InvalidArgumentError(
            f"sparse_softmax_cross_entropy_with_logits: Received a label value of {labels[bad]} at row {bad}, which is "
            f"outside the valid range of [0, {columns}) of logits with {columns} classes."
        )
    return loss, probabilities


def _run_sparse_cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if probabilities.size >= KERNEL_MIN_ELEMENTS:
        return _large_sparse_cross_entropy_gradient(g, probabilities, labels)
    out = np.empty(probabilities.shape, g.dtype)
    kernels.sparse_cross_entropy_gradient[g.dtype, labels.dtype](
        g, probabilities, labels, out, out.shape[1], 0, len(out)
    )
    return out


def _sparse_cross_entropy_gradient_rule(needs: Any, g: Any, y: Any, logits: Tensor, labels: Tensor) -> Any:
    total = None if g[0] is None else _sparse_cross_entropy_gradient(g[0], y[1], labels)
    if g[1] is not None:
        from_probabilities = softmax_gradient(g[1], y[1])
        total = from_probabilities if total is None else total + from_probabilities
    return total, None


def _sparse_cross_entropy_second_gradient_rule(
    needs: Any, gg: Tensor, z: Tensor, g: Tensor, probabilities: Tensor, labels: Tensor
) -> Any:
    ones = constant_tensor(np.ones(g._array.shape, g._array.dtype))
    return (
        row_sum(gg * _sparse_cross_entropy_gradient(ones, probabilities, labels)) if needs[0] else None,
        gg * as_column(g) if needs[1] else None,
        None,
    )


_sparse_cross_entropy_gradient = _loss_operation(
    "sparse_softmax_cross_entropy_gradient",
    _run_sparse_cross_entropy_gradient,
    joint(_sparse_cross_entropy_second_gradient_rule),
    "sparse_cross_entropy_gradient",
    _gradient_result,
)


def _run_sparse_cross_entropy_and_gradient(
    g: np.ndarray, logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    loss, probabilities = _run_sparse_cross_entropy(logits, labels)
    return loss, _run_sparse_cross_entropy_gradient(g, probabilities, labels)


def _sparse_cross_entropy_then_gradient(g: Tensor, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    loss, probabilities = _sparse_cross_entropy(logits, labels)
    return loss, _sparse_cross_entropy_gradient(g, probabilities, labels)


# Programs use it where the cotangent of the losses is known in the forward pass (compiler/passes/join_losses.py).
_sparse_cross_entropy_and_gradient = _loss_operation(
    "sparse_softmax_cross_entropy_and_gradient",
    _run_sparse_cross_entropy_and_gradient,
    None,
    "sparse_cross_entropy_and_gradient",
    lambda g, logits, labels: _loss_result(logits, labels),
    reference=_sparse_cross_entropy_then_gradient,
)
_sparse_cross_entropy = _loss_operation(
    "sparse_softmax_cross_entropy",
    _run_sparse_cross_entropy,
    joint(_sparse_cross_entropy_gradient_rule, zeros=False),
    "sparse_cross_entropy",
    _loss_result,
    loss=LossRows(_sparse_cross_entropy_gradient, _sparse_cross_entropy_and_gradient),
)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """The cross-entropy between class numbers and the softmax of logits.

    Args:
        labels: int32 or int64, shape (d0, ..., dn), values in [0, classes).
        logits: floating, shape (d0, ..., dn, classes).
        name: kept for TensorFlow's signature.

    Returns:
        The losses, of the shape of ``labels`` and the dtype of ``logits``.

    Raises:
        ValueError: the ranks or static shapes do not fit.
        InvalidArgumentError: a label is out of range, or a dtype is wrong.

    TensorFlow: tf.nn.sparse_softmax_cross_entropy_with_logits.

    Example:
        >>> tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1], logits=[[0.0, 0.0]])
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([0.6931472], dtype=float32)>
    """
    x = convert_to_tensor(logits)
    t = convert_to_tensor(labels)
    what = "sparse_softmax_cross_entropy_with_logits"
    _check_floating(what, x)
    if t._array.dtype.kind not in "iu":
        raise InvalidArgumentError(f"{what}: labels must be int32 or int64, got {t.dtype.name}; use tf.cast.")
    if not x.ndim:
        raise ValueError(f"{what}: Logits cannot be scalars - received shape {x.shape}.")
    if t._array.shape != x._array.shape[:-1]:
        if t.ndim != x.ndim - 1:
            raise ValueError(
                f"{what}: `labels.shape.rank` must equal `logits.shape.rank - 1`. "
                f"Received: labels.shape={t.shape} of rank {t.ndim} and logits.shape={x.shape} of rank {x.ndim}"
            )
        raise ValueError(
            f"{what}: `labels.shape` must equal `logits.shape` except for the last dimension. "
            f"Received: labels.shape={t.shape} and logits.shape={x.shape}"
        )
    if t._array.dtype.itemsize < 4 or t._array.dtype.kind == "u":
        t = cast(t, "int64")
    if x._array.dtype not in KERNEL_FLOATS:  # rounded probabilities make the gradient's p - 1 inaccurate
        return cast(sparse_softmax_cross_entropy_with_logits(t, cast(x, "float32")), x.dtype)
    if x.ndim == 2:
        return _sparse_cross_entropy(x, t)[0]
    reshape, shape = TABLE["reshape"], x._array.shape
    flat = reshape(x, shape=(int(np.prod(shape[:-1])), shape[-1]))
    return reshape(_sparse_cross_entropy(flat, reshape(t, shape=(t._array.size,)))[0], shape=shape[:-1])


# ---- labels as probabilities -----------------------------------------------------------------------


def _run_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = logits.shape
    loss, probabilities = np.empty(rows, logits.dtype), np.empty(logits.shape, logits.dtype)
    kernels.cross_entropy[logits.dtype](logits, labels, loss, probabilities, columns, 0, rows)
    return loss, probabilities


def _cross_entropy_by_operations(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return TABLE["negative"](row_sum(labels * TABLE["log_softmax"](logits))), TABLE["softmax"](logits)


def _cross_entropy_gradient_rule(needs: Any, g: Any, y: Any, logits: Tensor, labels: Tensor) -> Any:
    for_logits = for_labels = None
    if g[0] is not None:
        if needs[0]:
            for_logits = _cross_entropy_gradient(g[0], y[1], labels)
        if needs[1]:
            for_labels = TABLE["negative"](as_column(g[0]) * TABLE["log_softmax"](logits))
    if g[1] is not None and needs[0]:
        from_probabilities = softmax_gradient(g[1], y[1])
        for_logits = from_probabilities if for_logits is None else for_logits + from_probabilities
    return for_logits, for_labels


def _run_cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if probabilities.size >= KERNEL_MIN_ELEMENTS:
        return _large_cross_entropy_gradient(g, probabilities, labels)
    out = np.empty(probabilities.shape, g.dtype)
    kernels.cross_entropy_gradient[g.dtype](g, probabilities, labels, out, out.shape[1], 0, len(out))
    return out


def _cross_entropy_gradient_by_operations(g: Tensor, probabilities: Tensor, labels: Tensor) -> Tensor:
    # As in TensorFlow; correct if the labels of each row sum to one.
    return as_column(g) * (probabilities - labels)


_cross_entropy_gradient = _loss_operation(
    "softmax_cross_entropy_gradient",
    _run_cross_entropy_gradient,
    gradient_of_reference(_cross_entropy_gradient_by_operations),
    "cross_entropy_gradient",
    _gradient_result,
)
_cross_entropy = _loss_operation(
    "softmax_cross_entropy",
    _run_cross_entropy,
    joint(_cross_entropy_gradient_rule, zeros=False),
    "cross_entropy",
    _loss_result,
    reference=_cross_entropy_by_operations,
)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """The cross-entropy between distributions ``labels`` and the softmax of ``logits``; gradients flow to both.

    Args:
        labels: floating, of the shape and dtype of ``logits``; each row along ``axis`` sums to one.
        logits: floating.
        axis: the axis of the classes.

    Returns:
        The losses, of the shape of ``logits`` without ``axis``.

    Raises:
        InvalidArgumentError: the shapes do not broadcast together, or ``logits`` is not floating.

    TensorFlow: tf.nn.softmax_cross_entropy_with_logits.

    Example:
        >>> tf.nn.softmax_cross_entropy_with_logits(labels=[[0.0, 1.0]], logits=[[0.0, 0.0]])
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([0.6931472], dtype=float32)>
    """
    what = "softmax_cross_entropy_with_logits"
    x = convert_to_tensor(logits)
    t = convert_to_tensor(labels, dtype_hint=x.dtype)
    _check_floating(what, x)
    if t._array.dtype != x._array.dtype:
        t = cast(t, x.dtype)  # TensorFlow casts labels, too
    rank = x.ndim
    if not rank or not -rank <= axis < rank:
        raise InvalidArgumentError(f"{what}: axis must be in [{-rank}, {rank}) for logits {list(x.shape)}, got {axis}.")
    axis %= rank
    if axis != rank - 1 and t.ndim == rank:
        order = [*range(axis), *range(axis + 1, rank), axis]
        x, t = (TABLE["transpose"](v, perm=tuple(order)) for v in (x, t))
    if x._array.dtype not in KERNEL_FLOATS:
        return cast(softmax_cross_entropy_with_logits(cast(t, "float32"), cast(x, "float32")), x.dtype)
    if rank == 2 and t._array.shape == x._array.shape:
        return _cross_entropy(x, t)[0]
    shape = x._array.shape
    x, t = _as_matrices(what, x, t)
    return TABLE["reshape"](_cross_entropy(x, t)[0], shape=shape[:-1])


def _as_matrices(what: str, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Logits ``x`` and labels ``t`` as matrices of one shape; one row may broadcast to all rows, as in TensorFlow."""
    flat = [(math.prod(v._array.shape[:-1]), *v._array.shape[-1:]) for v in (x, t)]
    try:
        shape = np.broadcast_shapes(*flat)
    except ValueError:
        shape = ()
    if len(flat[1]) != 2 or shape[:1] != flat[0][:1]:
        raise InvalidArgumentError(f"{what}: logits and labels must be broadcastable: {list(x.shape)}, {list(t.shape)}")
    x, t = (TABLE["reshape"](v, shape=rows) for v, rows in zip((x, t), flat, strict=True))
    logits, labels = (v if v._array.shape == shape else TABLE["broadcast_to"](v, shape=shape) for v in (x, t))
    return logits, labels


# ---- element by element ------------------------------------------------------------------------------


_sigmoid_cross_entropy_operation: Binary = elementwise(
    "sigmoid_cross_entropy",
    "max(x, 0) - x * z + log(1 + exp(-|x|)) of logits ``x`` and labels ``z``.",
    run=make_pair_kernel_run(
        "sigmoid_cross_entropy", lambda x, z: with_half_floats(_sigmoid_cross_entropy_operation.run, (x, z))
    ),
    term=terms.sigmoid_cross_entropy_of,
    dtypes=FLOAT_DTYPES,
    rounds_once=True,
    large=NEVER,
)


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """The binary cross-entropy between ``labels`` in [0, 1] and the sigmoid of ``logits``, element by element.

    Args:
        labels, logits: floating, of one shape and dtype.

    Returns:
        The losses, of the same shape.

    Raises:
        ValueError: the shapes differ. TensorFlow: tf.nn.sigmoid_cross_entropy_with_logits.
    """
    x = convert_to_tensor(logits)
    z = convert_to_tensor(labels, dtype_hint=x.dtype)
    _check_same_shape("sigmoid_cross_entropy_with_logits", x, z)
    return _sigmoid_cross_entropy_operation(x, z)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """``sigmoid_cross_entropy_with_logits`` with positive examples weighted by ``pos_weight``.

    Args:
        labels, logits: floating, of one shape and dtype.
        pos_weight: a number, or a tensor that broadcasts with the logits.

    Returns:
        ``(1 - z) x + (1 + (q - 1) z) (log(1 + exp(-|x|)) + max(-x, 0))``.

    Raises:
        ValueError: the shapes differ. TensorFlow: tf.nn.weighted_cross_entropy_with_logits.
    """
    x = convert_to_tensor(logits)
    z = convert_to_tensor(labels, dtype_hint=x.dtype)
    _check_same_shape("weighted_cross_entropy_with_logits", x, z)
    if isinstance(pos_weight, (str, bytes)):
        refuse("weighted_cross_entropy_with_logits", "`pos_weight` must be a number", TypeError, got=pos_weight)
    weight = 1.0 + (pos_weight - 1.0) * z
    tail = TABLE["log1p"](TABLE["exp"](TABLE["negative"](TABLE["abs"](x))))
    return (1.0 - z) * x + weight * (tail + TABLE["relu"](TABLE["negative"](x)))


def _check_same_shape(what: str, x: Tensor, z: Tensor) -> None:
    if x._array.shape != z._array.shape:
        raise ValueError(f"{what}: `logits` and `labels` must have the same shape, received ({x.shape} vs {z.shape}).")


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of squares of all elements, a scalar. TensorFlow: tf.nn.l2_loss."""
    t = convert_to_tensor(t)
    _check_floating("l2_loss", t)
    if t.dtype.name == "float16":  # its squares may be infinite
        return cast(l2_loss(cast(t, "float32")), t.dtype)
    return TABLE["reduce_sum"](t * t, axes=tuple(range(t.ndim)), keepdims=False) * 0.5


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """``exp(log_input) - log_input * targets``, optionally plus Stirling's term for targets above 1.

    Args:
        targets, log_input: floating, of one shape and dtype.
        compute_full_loss: whether to add ``z log z - z + log(2 pi z) / 2``.

    Raises:
        ValueError: the shapes differ. TensorFlow: tf.nn.log_poisson_loss.
    """
    x = convert_to_tensor(log_input)
    z = convert_to_tensor(targets, dtype_hint=x.dtype)
    _check_same_shape("log_poisson_loss", x, z)
    loss = TABLE["exp"](x) - x * z
    if not compute_full_loss:
        return loss
    log = TABLE["log"]
    outside = TABLE["logical_or"](TABLE["less"](z, 0.0), TABLE["greater"](z, 1.0))
    inside = TABLE["logical_not"](outside)
    safe = TABLE["where"](outside, z, constant_tensor(np.ones(z._array.shape, z._array.dtype)))
    stirling = safe * log(safe) - safe + 0.5 * log(2.0 * np.pi * safe)
    return loss + TABLE["where"](inside, constant_tensor(np.zeros(z._array.shape, z._array.dtype)), stirling)


def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Tensor:
    """The weighted sum of the losses, divided by the batch size.

    Args:
        per_example_loss: one loss per example; the average of integers is a float.
        sample_weight: weights that broadcast with the losses, or None.
        global_batch_size: an integer; default the number of losses times the number of replicas.

    Raises:
        ValueError: the batch size is negative.
        RuntimeError: called in the scope of a strategy, but outside of its ``run``. TensorFlow: tf.nn.compute_average_loss.
    """
    losses = convert_to_tensor(per_example_loss)
    replicas = _replica_count("compute_average_loss")
    size = losses._array.shape[0] * replicas if global_batch_size is None else int(global_batch_size)
    if size < 0:
        raise ValueError(f"compute_average_loss: global_batch_size must be non-negative, got {size}.")
    if sample_weight is not None:
        if losses.dtype.is_floating:
            losses = losses * convert_to_tensor(sample_weight, dtype_hint=losses.dtype)
        else:  # computes in float32 and casts back to integers
            losses = cast(cast(losses, "float32") * cast(sample_weight, "float32"), losses.dtype)
    total = TABLE["reduce_sum"](losses, axes=tuple(range(losses.ndim)), keepdims=False)
    return divide_no_nan(total, constant_tensor(np.asarray(size, total._array.dtype)))


def _replica_count(name: str) -> int:
    group = replica_group()
    if group.is_cross_replica:
        raise RuntimeError(
            f"You are calling `{name}` in cross replica context, while it was expected to be called in replica context. "
            "Call it in a function that strategy.run runs."
        )
    return group.size


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of regularisation losses, divided by the number of replicas. (The losses of replicas are summed later.)

    Raises:
        RuntimeError: called in the scope of a strategy, but outside of its ``run``. TensorFlow: tf.nn.scale_regularization_loss.
    """
    replicas = _replica_count("scale_regularization_loss")
    losses = convert_to_tensor(regularization_loss)
    TABLE["reduce_sum"].check_dtype(losses._array)
    total = TABLE["reduce_sum"](losses, axes=tuple(range(losses.ndim)), keepdims=False)
    return total if replicas == 1 else total / replicas
