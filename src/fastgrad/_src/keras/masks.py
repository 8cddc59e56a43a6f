"""Masks: boolean tensors (batch, time), attached to tensors, that select the time steps that count."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from fastgrad._src.core import nest
from fastgrad._src.core.tensor import Tensor


class _AnyMaskFlag:
    """Whether any tensor may have a mask: until one may, layer calls do not look for masks."""

    def __init__(self) -> None:
        self.is_set = False


any_mask_flag = _AnyMaskFlag()


def mask_of(x: Any) -> Tensor | None:
    """The mask that a layer gave ``x``, or None."""
    return getattr(x, "_keras_mask", None) if any_mask_flag.is_set and isinstance(x, Tensor) else None


def mask_of_losses(losses: Any) -> Tensor | None:
    """The mask that a loss function attached to its result: which losses count; None if all count."""
    return getattr(losses, "_keras_mask", None) if isinstance(losses, Tensor) else None


def attach_mask(x: Tensor, mask: Any, to_layers: bool = True) -> None:
    """Attaches ``mask`` to ``x``; ``to_layers`` says whether layers may be called on ``x`` and must look for masks."""
    any_mask_flag.is_set |= to_layers
    x._keras_mask = mask  # type: ignore[attr-defined]  # a slot that most tensors leave empty


def attach_missing_masks(masks_of_tensors: Iterable[tuple[Any, Any]], give: Callable[[Any, Any], None]) -> None:
    """Gives each tensor that has no mask the one beside it, by ``give``; None is no mask."""
    for x, mask in masks_of_tensors:
        if mask is not None and mask_of(x) is None:
            give(x, mask)


class GraphMasks:
    """Masks that layers have taken off the tensors of a functional model, as ``MultiHeadAttention`` does.

    As in Keras, the layers that the model calls still get them as ``mask`` arguments, and pass them on; the loss and layers within
    layers do not see them.

    Args:
        model: the model, which calls its layers within ``with``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._masks: dict[int, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> Self:
        self._outer, _running_graph.masks = _running_graph.masks, self
        return self

    def __exit__(self, *exception: object) -> None:
        _running_graph.masks = self._outer

    def hide(self, x: Tensor, mask: Tensor) -> None:
        """Keeps ``mask``, which ``x`` has no more."""
        self._masks[id(x)] = x, mask

    def mask_of(self, x: Any) -> Tensor | None:
        """The mask of ``x``, also a hidden one."""
        mask = mask_of(x)
        return self._masks[id(x)][1] if mask is None and id(x) in self._masks else mask


class _RunningGraph(threading.local):
    masks: GraphMasks | None = None


_running_graph = _RunningGraph()


def graph_masks_for_calls_of(caller: Any) -> GraphMasks | None:
    """The masks of the running functional model if ``caller`` is that model; None for another layer."""
    graph_masks = _running_graph.masks
    return graph_masks if graph_masks is not None and graph_masks.model is caller else None


def masks_of(structure: Any, graph_masks: GraphMasks | None = None) -> Any:
    """The masks of nested tensors, in their structure; also those that ``graph_masks`` has."""
    mask_function = mask_of if graph_masks is None else graph_masks.mask_of
    if isinstance(structure, Tensor):
        return mask_function(structure)
    if not nest.is_nested(structure):
        return None
    return nest.pack_sequence_as(structure, [mask_function(x) for x in nest.flatten(structure)])


def has_mask(nested_masks: Any) -> bool:
    """True if one of the results of ``masks_of`` is a mask."""
    return any(mask is not None for mask in nest.flatten(nested_masks))
