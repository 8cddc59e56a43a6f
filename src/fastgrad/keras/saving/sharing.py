"""Layers that stand in several places of a configuration."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

_NUMBER = "shared_object_id"


class Sharing:
    """Such layers have a number in the configuration, as Keras gives them one, and are made once.

    Entered around the writing or reading of a whole configuration.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[int, Any]] = {}  # with the layers, so that nobody else gets their identities
        self._made: dict[int, Any] = {}
        self._unnumbered: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before: Token[Sharing | None] = _now.set(self)

    def __exit__(self, *exception: Any) -> None:
        _now.reset(self._before)

    def written(self, layer: Any, config: dict[str, Any]) -> None:
        """Numbers a layer's configuration."""
        config[_NUMBER], _ = self._numbers.setdefault(id(layer), (len(self._numbers), layer))

    def of_shared(self, config: Any) -> Any:
        """A whole configuration with the numbers of those layers that stand in it more than once."""
        counts: Counter[int] = Counter()

        def count(value: Any) -> None:
            for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                count(item)
            if isinstance(value, dict) and _NUMBER in value:
                counts[value[_NUMBER]] += 1

        count(config)
        return _with_numbers(config, lambda number: counts[number] > 1)

    def made(self, config: dict[str, Any], make: Callable[[], Any]) -> Any:
        """The object of a configuration: the one that was made before, if it has its number.

        Keras loses the number of a layer's first place where that is inside another model, and can't read such a file again: here a
        numbered layer is also one without a number that has the same name and settings.
        """
        number = config.get(_NUMBER) if isinstance(config.get(_NUMBER), int) else None
        inner = config.get("config")
        if not isinstance(inner, dict) or "name" not in inner:
            return make()
        form = json.dumps([config["class_name"], _with_numbers(inner, lambda _: False)], sort_keys=True)
        if number is None:
            found = make()
            self._unnumbered.setdefault(form, found)
            return found
        if number not in self._made:
            self._made[number] = self._unnumbered[form] if form in self._unnumbered else make()
        return self._made[number]


def _with_numbers(config: Any, kept: Callable[[int], bool]) -> Any:
    """A configuration with those numbers that are to be kept."""
    if isinstance(config, list):
        return [_with_numbers(item, kept) for item in config]
    if not isinstance(config, dict):
        return config
    return {key: _with_numbers(item, kept) for key, item in config.items() if key != _NUMBER or kept(item)}


_now: ContextVar[Sharing | None] = ContextVar("sharing", default=None)


def note_written(obj: Any, config: dict[str, Any]) -> None:
    """Tells whoever has entered a ``Sharing`` that a layer has been written down."""
    sharing = _now.get()
    if sharing is not None and hasattr(obj, "_trainable_own"):
        sharing.written(obj, config)


def made_once(config: dict[str, Any], make: Callable[[], Any]) -> Any:
    """``make()``, or what it gave for the same number before."""
    sharing = _now.get()
    return make() if sharing is None else sharing.made(config, make)
