"""The functions of ``keras.ops`` for control flow, slices, conversions and mathematics outside of NumPy, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import check_choice, checked_callable
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.forward_accumulator import ForwardAccumulator
from fastgrad._src.core.tensor import as_tensor_or_none
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.keras.ops.function import as_floats, tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops import scattering, segments
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


def _scan(f: Any, init: Any, xs: Any = None, length: Any = None, reverse: bool = False, unroll: Any = 1) -> Any:
    checked_callable("scan", "f", f)
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}")
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    inputs = None if xs is None else nest.map_structure(tensor, xs)
    sizes = {x.shape[0] for x in nest.flatten(inputs)} if xs is not None else set()
    if len(sizes | ({int(length)} if length is not None else set())) != 1:
        raise ValueError(f"scan: the lengths of `xs` and `length` differ: {sorted(sizes)}, length={length}")
    count = sizes.pop() if sizes else int(length)
    carry, outputs = nest.map_structure(tensor, init), []
    for number in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, None if xs is None else nest.map_structure(lambda x, number=number: x[number], inputs))
        outputs.append(y)
    if not outputs or outputs[0] is None:
        return carry, None
    outputs = outputs[::-1] if reverse else outputs
    return carry, nest.map_structure(lambda *items: ops.stack(items), *outputs)


def _map(f: Any, xs: Any) -> Any:
    carry: tuple[()] = ()
    return _scan(lambda _, x: (carry, f(x)), carry, xs)[1]


def _while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: Any = None) -> Any:
    if isinstance(loop_vars, (tuple, list)):
        results = ops.while_loop(
            cond, lambda *x: tuple(body(*x)), tuple(loop_vars), maximum_iterations=maximum_iterations
        )
        return tuple(results)
    return ops.while_loop(cond, lambda x: (body(x),), (loop_vars,), maximum_iterations=maximum_iterations)[0]


def _fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    return ops.while_loop(lambda i, _: i < upper, lambda i, value: (i + 1, body_fun(i, value)), (lower, init_val))[1]


def _switch(index: Any, branches: Any, *operands: Any) -> Any:
    number = ops.clip_by_value(tensor(index, "int32"), 0, len(branches) - 1)
    return ops.switch_case(number, [lambda branch=branch: branch(*operands) for branch in branches])


def _slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    x, part = tensor(inputs), tensor(updates)
    positions = [
        ops.range(size) + tensor(start, "int32") for size, start in zip(part.shape, start_indices, strict=True)
    ]
    return ops.tensor_scatter_nd_update(x, ops.stack(ops.meshgrid(*positions, indexing="ij"), -1), part)


def _scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    x, places = tensor(inputs), tensor(indices)
    changes = tensor(updates, x.dtype)
    if reduction is None:
        return ops.tensor_scatter_nd_update(x, places, changes)
    if reduction == "mul":
        for number in range(places.shape[0]):
            place = places[number : number + 1]
            x = ops.tensor_scatter_nd_update(x, place, ops.gather_nd(x, place) * changes[number])
        return x
    check_choice("scatter_update", ("add", "max", "min"), reduction=reduction)
    return getattr(scattering, f"tensor_scatter_nd_{reduction}")(x, places, changes)


def _segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    x, ids = tensor(data), tensor(segment_ids)
    count = int(np.max(ids.numpy())) + 1 if num_segments is None else num_segments
    return segments.unsorted_segment_sum(x, ids, count)


def _in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    return ops.in_top_k(targets, predictions, k)


def _shape(x: Any) -> tuple[int | None, ...]:
    """Returns the sizes of a tensor as a tuple; None for a size that is not known.

    Example:
        >>> tf.keras.ops.shape(np.zeros((2, 3)))
        (2, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else tuple(tensor(x).shape)


def _convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if isinstance(x, SparseTensor) and sparse is False:
        x = to_dense(x)
    if isinstance(x, RaggedTensor) and ragged is False:
        x = x.to_tensor()
    return tensor(x, dtype)


def _convert_to_numpy(x: Any) -> np.ndarray:
    """Returns the elements of a tensor as a NumPy array.

    Example:
        >>> tf.keras.ops.convert_to_numpy([1.0, 2.0])
        array([1., 2.])
    """
    if isinstance(x, SparseTensor):
        x = to_dense(x)
    return np.array(x.to_tensor() if isinstance(x, RaggedTensor) else x)


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return ops.reduce_logsumexp(as_floats(x), axis, keepdims)


def _top_k(x: Any, k: int, sorted: bool = True) -> Any:
    return ops.top_k(tensor(x), k, sorted)


def _custom_gradient(f: Callable[..., Any]) -> Any:
    return ops.custom_gradient(f)


def _cast(x: Any, dtype: Any) -> Any:
    return tensor(x, dtype)


def jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """Returns ``fun(*primals)``, its derivative in direction ``tangents``, and what else ``fun`` gives if ``has_aux``."""
    points = [tensor(x) for x in nest.flatten(primals)]
    directions = [tensor(x, point.dtype) for x, point in zip(nest.flatten(tangents), points, strict=True)]
    with ForwardAccumulator(points, directions) as accumulator:
        result = fun(*nest.pack_sequence_as(primals, points))
        y, *auxiliary = result if has_aux else (result,)
    return y, nest.map_structure(accumulator.jvp, y), *auxiliary


PLAIN: dict[str, Callable[..., Any]] = {
    "shape": _shape,
    "dtype": lambda x: settings.standardize_dtype(x.dtype).name,
    "is_tensor": lambda x: isinstance(x, (KerasTensor, Composite)) or as_tensor_or_none(x) is not None,
    "convert_to_numpy": _convert_to_numpy,
    "custom_gradient": _custom_gradient,
}
"""Functions that are not recorded in functional models."""

TABLE: dict[str, Callable[..., Any]] = {
    "scan": _scan,
    "map": _map,
    "vectorized_map": lambda function, elements: ops.vectorized_map(function, nest.map_structure(tensor, elements)),
    "while_loop": _while_loop,
    "fori_loop": _fori_loop,
    "cond": lambda pred, true_fn, false_fn: ops.cond(tensor(pred, "bool"), true_fn, false_fn),
    "switch": _switch,
    "slice": lambda inputs, start_indices, shape: ops.slice(tensor(inputs), start_indices, shape),
    "slice_update": _slice_update,
    "scatter": lambda indices, values, shape: ops.scatter_nd(indices, tensor(values), shape),
    "scatter_update": _scatter_update,
    "cast": _cast,
    "saturate_cast": lambda x, dtype: ops.saturate_cast(tensor(x), settings.standardize_dtype(dtype)),
    "convert_to_tensor": _convert_to_tensor,
    "stop_gradient": lambda variable: ops.stop_gradient(tensor(variable)),
    "unstack": lambda x, num=None, axis=0: ops.unstack(tensor(x), num, axis),
    "rsqrt": lambda x: ops.rsqrt(as_floats(x)),
    "erf": lambda x: ops.erf(as_floats(x)),
    "erfc": lambda x: ops.erfc(as_floats(x)),
    "erfinv": lambda x: ops.erfinv(as_floats(x)),
    "logdet": lambda x: ops.logdet(as_floats(x)),
    "jvp": jvp,
    "logsumexp": _logsumexp,
    "top_k": _top_k,
    "in_top_k": _in_top_k,
    "segment_sum": _segment_sum,
}
