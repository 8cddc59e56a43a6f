"""``tf.TypeSpec``: the base class of static types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastgrad._src.core.names import missing_member_getattr


class TypeSpec:
    """The base class of ``TensorSpec`` and of the specs of ragged tensors, sparse tensors and datasets.

    Raises:
        TypeError: the class has no objects of its own.
    """

    __getattr__ = missing_member_getattr

    __slots__ = ()

    def __init__(self) -> None:
        raise TypeError(
            f"Can't instantiate abstract class {type(self).__name__}: use tf.TensorSpec or another subclass."
        )

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """True if the value, or a value of the spec, ``spec_or_value`` may fit this spec."""
        raise NotImplementedError

    def is_subtype_of(self, other: Any) -> bool:
        """True if each value that fits this spec also fits ``other``."""
        common = self.most_specific_common_supertype([other])
        return common is not None and bool(common == other)

    def most_specific_common_supertype(self, others: Iterable[Any]) -> Any:
        """Returns the narrowest spec that includes this spec and all ``others``; None if there is none."""
        raise NotImplementedError

    def most_specific_compatible_type(self, other: Any) -> Any:
        """Returns the narrowest spec that includes this spec and ``other``.

        Raises:
            ValueError: there is none.
        """
        common = self.most_specific_common_supertype([other])
        if common is None:
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
        return common
