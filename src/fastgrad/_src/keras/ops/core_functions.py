"""The functions of ``keras.ops`` for control flow, slices, conversions and mathematics outside of NumPy, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.forward_accumulator import ForwardAccumulator
from fastgrad._src.core.tensor import as_tensor_or_none
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.keras.ops.function import as_floats, tensor
from fastgrad._src.ops import control_flow, creation, scattering, segments, slicing
from fastgrad._src.ops.casting import saturate_cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.control_flow import switch_case, while_loop
from fastgrad._src.ops.custom_gradient import custom_gradient, stop_gradient
from fastgrad._src.ops.error_function import erf, erfc, erfinv
from fastgrad._src.ops.higher_order import vectorized_map
from fastgrad._src.ops.indexing import gather, gather_nd
from fastgrad._src.ops.joining import concat, stack, unstack
from fastgrad._src.ops.linear_algebra import logdet
from fastgrad._src.ops.power import rsqrt, sqrt, square
from fastgrad._src.ops.reduction import reduce_logsumexp, reduce_sum
from fastgrad._src.ops.repeating import meshgrid
from fastgrad._src.ops.scattering import scatter_nd, tensor_scatter_nd_update
from fastgrad._src.ops.shaping import reshape, transpose
from fastgrad._src.ops.sorting import in_top_k, top_k
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


def _scan(f: Any, init: Any, xs: Any = None, length: Any = None, reverse: bool = False, unroll: Any = 1) -> Any:
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
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
    return carry, nest.map_structure(lambda *items: stack(items), *outputs)


def _associative_scan(f: Any, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    arrays = nest.map_structure(tensor, elems)
    count = nest.flatten(arrays)[0].shape[axis]
    items = [nest.map_structure(lambda x, n=n: gather(x, [n], axis=axis), arrays) for n in range(count)]
    items = items[::-1] if reverse else items
    results = items[:1]
    for item in items[1:]:
        results.append(f(results[-1], item))
    return nest.map_structure(lambda *parts: concat(parts, axis), *(results[::-1] if reverse else results))


def _map(f: Any, xs: Any) -> Any:
    carry: tuple[()] = ()
    return _scan(lambda _, x: (carry, f(x)), carry, xs)[1]


def _while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: Any = None) -> Any:
    if isinstance(loop_vars, (tuple, list)):
        results = while_loop(cond, lambda *x: tuple(body(*x)), tuple(loop_vars), maximum_iterations=maximum_iterations)
        return tuple(results)
    return while_loop(cond, lambda x: (body(x),), (loop_vars,), maximum_iterations=maximum_iterations)[0]


def _fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
    return while_loop(lambda i, _: i < upper, lambda i, value: (i + 1, body_fun(i, value)), (lower, init_val))[1]


def _switch(index: Any, branches: Any, *operands: Any) -> Any:
    number = clip_by_value(tensor(index, "int32"), 0, len(branches) - 1)
    return switch_case(number, [lambda branch=branch: branch(*operands) for branch in branches])


def _slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    x, part = tensor(inputs), tensor(updates)
    positions = [
        creation.range(size) + tensor(start, "int32") for size, start in zip(part.shape, start_indices, strict=True)
    ]
    return tensor_scatter_nd_update(x, stack(meshgrid(*positions, indexing="ij"), -1), part)


def _scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    x, places = tensor(inputs), tensor(indices)
    changes = tensor(updates, x.dtype)
    if reduction is None:
        return tensor_scatter_nd_update(x, places, changes)
    if reduction == "mul":
        for number in range(places.shape[0]):
            place = places[number : number + 1]
            x = tensor_scatter_nd_update(x, place, gather_nd(x, place) * changes[number])
        return x
    if reduction not in ("add", "max", "min"):
        raise ValueError(f"scatter_update: Unsupported reduction: {reduction}")
    return getattr(scattering, f"tensor_scatter_nd_{reduction}")(x, places, changes)


def _segment_function(kind: str) -> Callable[..., Any]:
    def reduce(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        x, ids = tensor(data), tensor(segment_ids)
        count = int(np.max(ids.numpy())) + 1 if num_segments is None else num_segments
        return getattr(segments, f"unsorted_segment_{kind}")(x, ids, count)

    return reduce


def _in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    return in_top_k(targets, predictions, k)


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
    return reduce_logsumexp(as_floats(x), axis, keepdims)


def _top_k(x: Any, k: int, sorted: bool = True) -> Any:
    return top_k(tensor(x), k, sorted)


def _custom_gradient(f: Callable[..., Any]) -> Any:
    return custom_gradient(f)


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


def _axes(pattern: str) -> list[list[str]]:
    """Returns the axes of one side of a pattern: ``"a (b c)"`` is ``[["a"], ["b", "c"]]``."""
    groups: list[list[str]] = []
    is_open = False
    for word in pattern.replace("(", " ( ").replace(")", " ) ").split():
        if word in ("(", ")"):
            is_open = word == "("
            groups += [[]] if is_open else []
        elif is_open:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:  # Keras's name
    x, sizes = _convert_to_tensor(tensor), dict(axes_lengths)
    before, after = map(_axes, pattern.split("->"))
    names = [name for group in before for name in group]
    if len(before) != x.ndim or sorted(names) != sorted(name for group in after for name in group):
        raise ValueError(f"rearrange: both sides of {pattern=} must have the axes of shape {tuple(x.shape)}.")
    for group, size in zip(before, x.shape, strict=True):
        unknown = [name for name in group if name not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"rearrange: give the lengths of all but one of the axes {group} of pattern {pattern!r}.")
        product = math.prod(sizes[name] for name in group if name in sizes)
        sizes |= dict.fromkeys(unknown, size // product)
    x = reshape(x, [sizes[name] for name in names])
    x = transpose(x, [names.index(name) for group in after for name in group])
    return reshape(x, [math.prod(sizes[name] for name in group) for group in after])


def _cdist(x: Any, y: Any) -> Any:
    a, b = as_floats(x), as_floats(y)
    if min(a.ndim, b.ndim) < 2:
        raise ValueError(f"`cdist` inputs must have rank >= 2. Received shapes {tuple(a.shape)} and {tuple(b.shape)}.")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"cdist: Last dimension of inputs must match. Received {tuple(a.shape)}, {tuple(b.shape)}.")
    return sqrt(reduce_sum(square(a[..., :, None, :] - b[..., None, :, :]), -1))


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
    "associative_scan": _associative_scan,
    "map": _map,
    "vectorized_map": lambda function, elements: vectorized_map(function, nest.map_structure(tensor, elements)),
    "while_loop": _while_loop,
    "fori_loop": _fori_loop,
    "cond": lambda pred, true_fn, false_fn: control_flow.cond(tensor(pred, "bool"), true_fn, false_fn),
    "switch": _switch,
    "slice": lambda inputs, start_indices, shape: slicing.slice(tensor(inputs), start_indices, shape),
    "slice_update": _slice_update,
    "scatter": lambda indices, values, shape: scatter_nd(indices, tensor(values), shape),
    "scatter_update": _scatter_update,
    "cast": _cast,
    "saturate_cast": lambda x, dtype: saturate_cast(tensor(x), settings.standardize_dtype(dtype)),
    "convert_to_tensor": _convert_to_tensor,
    "stop_gradient": lambda variable: stop_gradient(tensor(variable)),
    "unstack": lambda x, num=None, axis=0: unstack(tensor(x), num, axis),
    "rsqrt": lambda x: rsqrt(as_floats(x)),
    "erf": lambda x: erf(as_floats(x)),
    "erfc": lambda x: erfc(as_floats(x)),
    "erfinv": lambda x: erfinv(as_floats(x)),
    "logdet": lambda x: logdet(as_floats(x)),
    "cdist": _cdist,
    "jvp": jvp,
    "rearrange": _rearrange,
    "logsumexp": _logsumexp,
    "top_k": _top_k,
    "in_top_k": _in_top_k,
    **{f"segment_{kind}": _segment_function(kind) for kind in ("sum", "max", "min", "prod")},
}
