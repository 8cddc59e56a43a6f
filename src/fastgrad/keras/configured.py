"""``Configured``: the base of objects that a dict of their constructor arguments describes."""

from __future__ import annotations

from typing import Any


class Configured:
    """An object that ``from_config`` makes again from the result of ``get_config``."""

    _config_names: tuple[str, ...] = ()  # the constructor arguments that are attributes

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name."""
        return {name: getattr(self, name) for name in self._config_names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the object from ``config``, the result of ``get_config()``, without its state."""
        return cls(**config)
