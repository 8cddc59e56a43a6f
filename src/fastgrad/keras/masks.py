"""Masks: boolean tensors (batch, time), attached to tensors, that select the time steps that count."""

from __future__ import annotations

from typing import Any

from fastgrad.core import nest
from fastgrad.core.tensor import Tensor


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


def give_mask(x: Tensor, mask: Any, to_layers: bool = True) -> None:
    """Attaches ``mask`` to ``x``; ``to_layers`` says whether layers may be called on ``x`` and must look for masks."""
    any_mask_flag.is_set |= to_layers
    x._keras_mask = mask  # type: ignore[attr-defined]  # a slot that most tensors leave empty


def masks_of(structure: Any) -> Any:
    """The masks of nested tensors, in their structure."""
    if isinstance(structure, Tensor):
        return mask_of(structure)
    if not nest.is_nested(structure):
        return None
    return nest.pack_sequence_as(structure, [mask_of(x) for x in nest.flatten(structure)])
