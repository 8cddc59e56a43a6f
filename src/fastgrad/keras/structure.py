"""Ownership of weights, layers and metrics that are attributes of an object, also inside lists, tuples and dicts.

A list or dict attribute is replaced by a subclass that reports its changes to the owner, as in Keras. A
counter of changes tells caches (``layer.trainable_variables``) when they are out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from weakref import ref

from fastgrad.core import settings_version
from fastgrad.storage.restoration import restore_deferred_values

ownership_change_count = [0]
"""The number of changes to owned or trained objects; a cache is valid while the number is the same."""


def count_ownership_change() -> None:
    """Counts a change to an owned object or to its ``trainable``."""
    ownership_change_count[0] += 1
    settings_version.changed()


PLAIN_TYPES = frozenset([type(None), bool, int, float, str, bytes, complex])
"""Types of attributes that cannot hold an object to own."""


class Owner:
    """The base of objects that own other objects through their attributes.

    Subclasses override ``_own``, which gets each added object, and ``_disown``, which gets each removed object.
    """

    def _own(self, value: Any) -> None:
        """Handles ``value``, which has become reachable through an attribute."""

    def _disown(self, value: Any) -> None:
        """Handles ``value``, which has been removed from a list, a dict or an attribute."""

    def _restore_placed(self) -> None:
        """Restores checkpoint values for objects that were just added to this object or its lists and dicts."""
        restore_deferred_values(self)

    def _own_nested(self, value: Any) -> Any:
        """Owns all objects in ``value`` and returns it, with lists and dicts as ``OwnedList`` and ``OwnedDict``."""
        kind = type(value)
        if kind in PLAIN_TYPES:
            return value
        if isinstance(value, tuple):
            items = [self._own_nested(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return kind(*items) if hasattr(value, "_fields") else kind(items)
        if isinstance(value, list):
            return OwnedList(value, self)
        if isinstance(value, dict):
            if kind in (dict, OrderedDict, OwnedDict):
                return OwnedDict(value, self)
            for item in value.values():
                self._own_nested(item)
            return value
        self._own(value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) not in PLAIN_TYPES:
            value = self._own_nested(value)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        object.__delattr__(self, name)
        self._disown_nested(value)

    def _disown_nested(self, value: Any) -> None:
        for item in (
            value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
        ):
            if isinstance(item, (list, tuple, dict)):
                self._disown_nested(item)
            else:
                self._disown(item)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name, value in state.items():
            if type(value) in (OwnedList, OwnedDict):
                # The copy's containers must report to the copy; their items are owned already.
                self.__dict__[name] = _container_copy(value, self)


def _container_copy(value: Any, owner: Owner) -> Any:
    if type(value) is OwnedList:
        container: Any = OwnedList()
        list.extend(container, [_container_copy(item, owner) for item in value])
    elif type(value) is OwnedDict:
        container = OwnedDict()
        dict.update(container, {key: _container_copy(item, owner) for key, item in value.items()})
    else:
        return value
    container._owner = ref(owner)
    return container


class _ReportingContainer:
    """A container that reports added and removed items to its owner, if it has an owner."""

    _owner: ref[Owner] | None = None

    def _owned(self, value: Any) -> Any:
        owner = None if self._owner is None else self._owner()
        return value if owner is None else owner._own_nested(value)

    def _restore_placed(self) -> None:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner._restore_placed()

    def _disown_removed(self, value: Any) -> None:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner._disown_nested(value if isinstance(value, (list, tuple, dict)) else [value])


class OwnedList(_ReportingContainer, list):
    """A list attribute; its items belong to the object that has the attribute."""

    def __init__(self, values: Iterable[Any] = (), owner: Owner | None = None) -> None:
        self._owner = None if owner is None else ref(owner)
        list.__init__(self, [self._owned(value) for value in values])

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OwnedList, (), None, iter(self)

    def append(self, value: Any) -> None:
        """Appends and owns ``value``."""
        self[len(self) :] = [value]

    def extend(self, values: Iterable[Any]) -> None:
        """Appends and owns each of ``values``."""
        self[len(self) :] = values

    def __iadd__(self, values: Iterable[Any]) -> Any:  # type: ignore[misc]
        self.extend(values)
        return self

    def insert(self, index: Any, value: Any) -> None:
        """Inserts and owns ``value``."""
        super().insert(index, self._owned(value))
        self._restore_placed()

    def __setitem__(self, index: Any, value: Any) -> None:
        removed = self[index]
        super().__setitem__(index, [self._owned(v) for v in value] if isinstance(index, slice) else self._owned(value))
        self._restore_placed()
        self._disown_removed(removed)

    def __delitem__(self, index: Any) -> None:
        removed = self[index]
        super().__delitem__(index)
        self._disown_removed(removed)

    def pop(self, index: Any = -1) -> Any:
        """Removes and returns an item, and disowns it."""
        value = super().pop(index)
        self._disown_removed(value)
        return value

    def remove(self, value: Any) -> None:
        """Removes the first item that is or equals ``value``."""
        for position, item in enumerate(self):
            if item is value or (type(value) in PLAIN_TYPES and item == value):
                del self[position]
                return
        raise ValueError("list.remove(x): x not in list")

    def clear(self) -> None:
        """Removes all items."""
        del self[:]


class OwnedDict(_ReportingContainer, dict):
    """A dict attribute; its values belong to the object that has the attribute."""

    def __init__(self, values: dict[Any, Any] | None = None, owner: Owner | None = None) -> None:
        self._owner = None if owner is None else ref(owner)
        dict.__init__(self, {key: self._owned(value) for key, value in (values or {}).items()})

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OwnedDict, (), None, None, iter(self.items())

    def __setitem__(self, key: Any, value: Any) -> None:
        removed = self.get(key)
        super().__setitem__(key, self._owned(value))
        self._restore_placed()
        if removed is not None and removed is not value:
            self._disown_removed(removed)

    def __delitem__(self, key: Any) -> None:
        removed = self[key]
        super().__delitem__(key)
        self._disown_removed(removed)

    def update(self, *others: Any, **values: Any) -> None:
        """Sets and owns all items of the mappings and keywords."""
        for key, value in dict(*others, **values).items():
            self[key] = value

    def __ior__(self, values: Any) -> Any:  # type: ignore[misc]
        self.update(values)
        return self

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Returns the value of ``key``; sets and owns ``default`` first if the key is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        """Removes and returns a value, and disowns it."""
        value = super().pop(key, *default)
        self._disown_removed(value)
        return value

    def popitem(self) -> tuple[Any, Any]:
        """Removes and returns the last item."""
        key, value = super().popitem()
        self._disown_removed(value)
        return key, value

    def clear(self) -> None:
        """Removes all items."""
        for key in list(self):
            del self[key]
