"""The backward pass over a tape's record: from the cotangents of results to the cotangents of sources."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.gradient_of_terms import computes
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE, Form, JointGradient
from fastgrad._src.core.tensor import Tensor, constant_like, convert_to_tensor
from fastgrad._src.core.variable import Variable

TapeEntry = tuple[Any, tuple[Tensor, ...], tuple[Tensor, ...], dict[str, Any]]
"""A recorded call: (operation, inputs, outputs, attributes)."""


def backward_pass(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]], weights: list[Any] | None = None
) -> list[Any]:
    """Returns the gradient of the weighted sum of ``targets`` with respect to each source.

    Args:
        entries: the recorded operations, in order.
        targets: tensors; several are summed.
        keys: for each source the ids of its tensors.
        weights: for each target a cotangent of its shape, or None for ones; by default all are ones.

    Returns:
        For each source a tensor, an ``IndexedSlices``, or None if no target depends on it.
    """
    source_keys = {key for group in keys for key in group}
    # The values that depend on a source; only these need cotangents.
    reached = set(source_keys)
    needed_entries: list[TapeEntry] = []
    for entry in entries:
        for x in entry[1]:
            if id(x) in reached:
                for y in entry[2]:
                    reached.add(id(y))
                needed_entries.append(entry)
                break
    cotangents: dict[int, Any] = {}
    for target, weight in zip(targets, weights or [None] * len(targets), strict=True):
        # What is no float has a cotangent only as its own source, and a string never.
        kind = target._array.dtype.kind
        if id(target) in reached and (kind in "fcV" or (id(target) in source_keys and kind != "O")):
            previous = cotangents.get(id(target))
            seed = _first_cotangent(target, weight)
            cotangents[id(target)] = seed if previous is None else _add_cotangents(previous, seed)
    for operation, inputs, outputs, attributes in reversed(needed_entries):
        result: Any
        if len(outputs) == 1:
            result = outputs[0]
            key = id(result)
            g = cotangents.get(key) if key in source_keys else cotangents.pop(key, None)
            if g is None:
                continue
            if type(g) is IndexedSlices:
                if operation.keeps_rows:
                    _add_cotangents_of_slices(cotangents, operation, reached, g, result, inputs, attributes)
                    continue
                g = g.to_dense()
        else:
            g = _cotangents_of_outputs(operation, source_keys, cotangents, outputs)
            if g is None:
                continue
            result = outputs
        input_cotangents = cotangents_of_inputs(operation, reached, g, result, inputs, attributes)
        for x, cotangent in zip(inputs, input_cotangents, strict=True):
            if cotangent is not None:
                key = id(x)
                if key in reached:
                    previous = cotangents.get(key)
                    cotangents[key] = cotangent if previous is None else _add_cotangents(previous, cotangent)
    return [
        cotangents.get(group[0]) if len(group) == 1 else _sum_of_cotangents(map(cotangents.get, group))
        for group in keys
    ]


def _add_cotangents(a: Any, b: Any) -> Any:
    if type(a) is IndexedSlices:
        if type(b) is IndexedSlices:
            return a.joined(b)
        a = a.to_dense()
    elif type(b) is IndexedSlices:
        b = b.to_dense()
    return TABLE["add"](a, b)


def _sum_of_cotangents(parts: Iterable[Any]) -> Any:
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else _add_cotangents(total, part)
    return total


def _cotangents_of_outputs(
    operation: Any, source_keys: set[int], cotangents: dict[int, Any], outputs: tuple[Tensor, ...]
) -> tuple[Any, ...] | None:
    """Takes the cotangents of several results out of ``cotangents``, but for sources; None if there are none."""
    results = [cotangents.get(id(y)) if id(y) in source_keys else cotangents.pop(id(y), None) for y in outputs]
    if all(g is None for g in results):
        return None
    rule = operation.gradient
    zeros = type(rule) is not JointGradient or rule.zeros
    return tuple([_dense_or_zeros(g, y, zeros) for g, y in zip(results, outputs, strict=True)])


def cotangents_of_inputs(
    operation: Any, needed_ids: Container[int], g: Any, y: Any, inputs: tuple[Tensor, ...], attributes: dict[str, Any]
) -> Any:
    """Returns the cotangents of ``inputs`` by the operation's gradient rule; ``needed_ids`` are of needed inputs."""
    rule = operation.gradient
    results: list[Any]
    if type(rule) is JointGradient:
        return rule.function(tuple([id(x) in needed_ids for x in inputs]), g, y, *inputs, **attributes)
    if type(rule) is not tuple:
        results = [rule(g, y, *inputs, **attributes)]
    else:
        results = [
            function(g, y, *inputs, **attributes) if function is not None and id(x) in needed_ids else None
            for function, x in zip(rule, inputs, strict=True)
        ]
    if operation.form is Form.ELEMENTWISE:
        for position, x in enumerate(inputs):
            result = results[position]
            if result is not None and result._array.shape != x._array.shape:
                results[position] = sum_to_shape(result, x._array.shape)
    return results


def _add_cotangents_of_slices(
    cotangents: dict[int, Any],
    operation: Any,
    needed_ids: set[int],
    g: IndexedSlices,
    y: Tensor,
    inputs: tuple[Tensor, ...],
    attributes: dict[str, Any],
) -> None:
    """Adds cotangents of the needed inputs: ``IndexedSlices`` for an input of the shape of ``y``, else dense tensors."""
    rules = operation.gradient if type(operation.gradient) is tuple else [operation.gradient]
    for rule, x in zip(rules, inputs, strict=True):
        if id(x) in needed_ids:
            has_rows = x._array.shape == y._array.shape
            cotangent: Any = rule(g.values if has_rows else g.to_dense(), y, *inputs, **attributes)
            if not has_rows:
                cotangent = sum_to_shape(cotangent, x._array.shape)
            elif cotangent is not None:
                cotangent = IndexedSlices(cotangent, g.indices, g.dense_shape)
            cotangents[id(x)] = _sum_of_cotangents((cotangents.get(id(x)), cotangent))


def sum_to_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reduces ``x`` to ``shape``: sums dimensions that are larger, and broadcasts dimensions that are smaller."""
    x_shape = x._array.shape
    extra_rank = len(x_shape) - len(shape)
    if extra_rank >= 0:
        axes = tuple(
            [
                axis
                for axis in range(len(x_shape))
                if axis < extra_rank or (shape[axis - extra_rank] == 1 and x_shape[axis] != 1)
            ]
        )
        if axes:
            x = TABLE["reduce_sum"](x, axes=axes, keepdims=True)
        if extra_rank:
            x = TABLE["reshape"](x, shape=x._array.shape[extra_rank:])
    return x if x._array.shape == shape else TABLE["broadcast_to"](x, shape=shape)


def _first_cotangent(target: Tensor, weight: Any) -> Tensor:
    if weight is None:
        ones = np.empty(target._array.shape, target._array.dtype)
        ones.fill(1)
        return constant_like(ones, target)
    weight = convert_to_tensor(weight, target.dtype)
    shape, weight_shape = target._array.shape, weight._array.shape
    if weight_shape == shape:
        return weight
    if len(weight_shape) > len(shape) or any(
        m not in (1, n) for m, n in zip(reversed(weight_shape), reversed(shape), strict=False)
    ):
        raise InvalidArgumentError(
            f"GradientTape.gradient: output_gradients must have their target's shape {list(shape)} or broadcast to it, "
            f"got {list(weight_shape)}."
        )
    return TABLE["broadcast_to"](weight, shape=shape)


def _dense_or_zeros(g: Any, y: Tensor, as_zeros: bool) -> Any:
    if g is None and as_zeros:
        return constant_like(np.zeros(y._array.shape, y._array.dtype), y)
    return g.to_dense() if type(g) is IndexedSlices else g


def dense_gradient(g: Any) -> Any:
    """Returns ``g`` as a dense tensor if it is ``IndexedSlices``; None stays None."""
    return g.to_dense() if type(g) is IndexedSlices else g


@computes("zeros_of")
def zeros_of(x: Tensor | Variable) -> Tensor:
    """Returns zeros of the shape and dtype of ``x``."""
    return constant_like(np.zeros(x._array.shape, x._array.dtype), x)
