"""Values made of several tensors, as ragged tensors are: how the rest takes them apart and meets them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any


class Composite:
    """A value made of tensors. It is no tensor: what needs one refuses it, or does what it means for this class."""

    __slots__ = ()

    @property
    def flat_values(self) -> Any:
        """The part that element-wise functions and gradients are about."""
        raise NotImplementedError

    def _with_flat(self, flat_values: Any) -> Any:
        """The same with other ``flat_values``, as many."""
        raise NotImplementedError

    def _apart(self) -> tuple[Hashable, list[Any]]:
        """What says how it is put together, and the tensors."""
        raise NotImplementedError

    def _spec(self) -> CompositeSpec:
        """What is known of such values."""
        raise NotImplementedError

    @classmethod
    def _together(cls, form: Any, tensors: Sequence[Any]) -> Any:
        """The value of that form made of ``tensors``, which are not checked."""
        raise NotImplementedError


class CompositeSpec:
    """What is known of a composite before it is there, as ``TensorSpec`` says it of tensors."""

    __slots__ = ()

    def batched(self, size: int | None) -> CompositeSpec:
        """That of batches of ``size`` such values."""
        raise NotImplementedError

    def of_rows(self) -> CompositeSpec:
        """That of the rows of such values."""
        raise NotImplementedError

    def placeholder(self, unknown: int, value: Any) -> Any:
        """Such a value, its elements ``value``; dimensions that are not known are ``unknown``."""
        raise NotImplementedError

    def fitted(self, value: Any) -> Any:
        """``value`` if it fits; ValueError if not."""
        raise NotImplementedError


OVERRIDES: dict[str, Callable[..., Any]] = {}
"""What a public function does with composites, by its name; the room of each class fills it in."""


class CompositeOperand(ValueError):
    """A composite stands where an operation takes tensors.

    Conversion raises it, and a function that has a meaning for composites catches it: so what is called with tensors does
    not look for them.
    """

    def __init__(self, composite: Composite) -> None:
        kind = type(composite).__name__
        super().__init__(
            f"a {kind} is no tensor, and this operation has no meaning for one: use its to_tensor() or flat_values, "
            f"or tf.ragged.map_flat_values."
        )
        self.composite = composite

    def call(self, name: str, *arguments: Any) -> Any:
        """What the public function ``name`` does with composites.

        Raises:
            CompositeOperand: it has no meaning for them.
        """
        if name not in OVERRIDES:
            raise self
        return OVERRIDES[name](*arguments)

    def mapped(self, function: Callable[..., Any], *operands: Any) -> Any:
        """An element-wise function of operands, of which one at least is a composite."""
        return OVERRIDES["element-wise"](function, *operands)
