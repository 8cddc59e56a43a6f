"""``keras.DTypePolicy``: in which dtype a layer keeps its weights and computes."""

from __future__ import annotations

from typing import Any

from fastgrad.errors import UnimplementedError
from fastgrad.keras import settings


class DTypePolicy:
    """A dtype for a layer's weights and computations.

    Args:
        name: a floating dtype (``"float32"``), or another one for layers that handle integers or strings;
            default ``floatx()``.

    Attributes:
        name, compute_dtype, variable_dtype: the dtype's name.

    Raises:
        UnimplementedError: a mixed policy, whose weights and computations differ.
        ValueError: no dtype has this name.
    """

    def __init__(self, name: Any = None) -> None:
        if isinstance(name, str) and name.startswith("mixed_"):
            raise UnimplementedError(
                f"DTypePolicy: {name!r} computes in another dtype than its weights have, which fastgrad does not do yet; use "
                f"dtype={name.removeprefix('mixed_')!r} for both."
            )
        self.dtype = settings.standardize_dtype(name)
        self.name = self.compute_dtype = self.variable_dtype = self.dtype.name

    def get_config(self) -> dict[str, Any]:
        """The name."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The policy of which ``config`` is the ``get_config()``."""
        return cls(**config)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def get(identifier: Any) -> DTypePolicy:
    """The policy that a name, a dtype, a configuration or None (``floatx()``) means; a policy is returned as it is."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(identifier["config"]["name"])
    return DTypePolicy(identifier)
