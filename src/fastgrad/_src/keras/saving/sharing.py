"""Layers that occur in a configuration more than once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

_LAYER_NUMBER_KEY = "shared_object_id"


class LayerSharing:
    """A context for a configuration of a model, in which a layer that occurs several times is made once.

    Such a layer has a number in the configuration, as in Keras.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[int, Any]] = {}  # keeps the layers alive, so that their ids stay unique
        self._made: dict[int, Any] = {}
        self._unnumbered_layers: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before: Token[LayerSharing | None] = _active_sharing.set(self)

    def __exit__(self, *exception: Any) -> None:
        _active_sharing.reset(self._before)

    def add_layer_number(self, layer: Any, config: dict[str, Any]) -> None:
        """Adds a layer's number to its configuration."""
        config[_LAYER_NUMBER_KEY], _ = self._numbers.setdefault(id(layer), (len(self._numbers), layer))

    def without_unshared_layer_numbers(self, config: Any) -> Any:
        """Returns a configuration in which only layers that occur more than once have numbers."""
        counts: Counter[int] = Counter()

        def count(value: Any) -> None:
            for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                count(item)
            if isinstance(value, dict) and _LAYER_NUMBER_KEY in value:
                counts[value[_LAYER_NUMBER_KEY]] += 1

        count(config)
        return _with_accepted_numbers(config, lambda number: counts[number] > 1)

    def layer_of_config(self, config: dict[str, Any], make: Callable[[], Any]) -> Any:
        """Returns the object of a configuration; a numbered layer is made once.

        If a layer occurs first inside another model, Keras loses its number there and cannot read the file. So a numbered
        layer here equals an earlier layer without a number that has the same name and settings.
        """
        number = config.get(_LAYER_NUMBER_KEY) if isinstance(config.get(_LAYER_NUMBER_KEY), int) else None
        inner = config.get("config")
        if not isinstance(inner, dict) or "name" not in inner:
            return make()
        config_key = json.dumps([config["class_name"], _with_accepted_numbers(inner, lambda _: False)], sort_keys=True)
        if number is None:
            layer = make()
            self._unnumbered_layers.setdefault(config_key, layer)
            return layer
        if number not in self._made:
            self._made[number] = (
                self._unnumbered_layers[config_key] if config_key in self._unnumbered_layers else make()
            )
        return self._made[number]


def _with_accepted_numbers(config: Any, is_kept_number: Callable[[int], bool]) -> Any:
    """Returns a configuration with only the numbers that ``is_kept_number`` accepts."""
    if isinstance(config, list):
        return [_with_accepted_numbers(item, is_kept_number) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _with_accepted_numbers(item, is_kept_number)
        for key, item in config.items()
        if key != _LAYER_NUMBER_KEY or is_kept_number(item)
    }


_active_sharing: ContextVar[LayerSharing | None] = ContextVar("sharing", default=None)


def number_serialized_layer(obj: Any, config: dict[str, Any]) -> None:
    """Adds the layer's number to ``config`` if a ``LayerSharing`` is active and ``obj`` is a layer."""
    sharing = _active_sharing.get()
    if sharing is not None and hasattr(obj, "_trainable_own"):
        sharing.add_layer_number(obj, config)


def make_layer_once(config: dict[str, Any], make: Callable[[], Any]) -> Any:
    """Returns ``make()``, or the layer made earlier for the same number in the active ``LayerSharing``."""
    sharing = _active_sharing.get()
    return make() if sharing is None else sharing.layer_of_config(config, make)
