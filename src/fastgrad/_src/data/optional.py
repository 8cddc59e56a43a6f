"""``tf.experimental.Optional``: an element that may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError, OutOfRangeError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data.element_spec import map_leaves, spec_of


class Optional:
    """An element that may be missing. TensorFlow: tf.experimental.Optional.

    Args:
        elements: the element, or nothing.
        spec: the TensorSpecs of the element.

    Attributes:
        element_spec: the TensorSpecs of the element.
    """

    def __init__(self, elements: tuple[Any, ...], spec: Any) -> None:
        self._elements, self.element_spec = elements, spec

    @staticmethod
    def empty(element_spec: Any) -> Optional:
        """Returns an ``Optional`` without an element, which would have the TensorSpecs ``element_spec``."""
        return Optional((), element_spec)

    @staticmethod
    def from_value(value: Any) -> Optional:
        """Returns an ``Optional`` with ``value``: tensors, or values that become tensors, nested."""
        element = map_leaves(convert_to_tensor, value)
        return Optional((element,), spec_of(element))

    def has_value(self, name: str | None = None) -> Tensor:
        """Returns whether there is an element, as a boolean tensor."""
        return Tensor(np.array(bool(self._elements)))

    def get_value(self, name: str | None = None) -> Any:
        """Returns the element; InvalidArgumentError without one."""
        if not self._elements:
            raise InvalidArgumentError("Optional: The given optional does not have a value. Ask has_value first.")
        return self._elements[0]


def next_optional(iterator: Iterator[Any], spec: Any) -> Optional:
    """Returns an ``Optional`` of the next element, empty at the end of ``iterator``."""
    try:
        return Optional((next(iterator),), spec)
    except (StopIteration, OutOfRangeError):
        return Optional((), spec)
