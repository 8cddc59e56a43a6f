"""Tracking of weights, layers and metrics that are attributes of an object, also inside lists, tuples and dicts.

A list or dict attribute is replaced by a subclass that reports its changes to the owner, as in Keras. A
counter of changes tells caches (``layer.trainable_variables``) when they are out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from weakref import ref

from fastgrad._src.core import python_state_version
from fastgrad._src.core.restoration import restore_deferred_values

ownership_change_count = [0]
"""The number of changes to tracked objects or to ``trainable``; a cache is valid while the number is the same."""


def count_tracking_change() -> None:
    """Counts a change to tracked objects or to ``trainable``; caches of lists of weights are then out of date."""
    ownership_change_count[0] += 1
    python_state_version.count_change()


UNTRACKED_TYPES = frozenset([type(None), bool, int, float, str, bytes, complex])
"""Types of attribute values that cannot hold a layer, a weight or a metric."""


class ObjectTracker:
    """The base of layers and metrics, which track the objects in their attributes.

    Subclasses override ``_track_object``, which gets each added object, and ``_untrack_object``, which gets each removed object.
    """

    def _track_object(self, value: Any) -> None:
        """Hook of subclasses: registers ``value``, a new object in an attribute, a list or a dict."""

    def _untrack_object(self, value: Any) -> None:
        """Hook of subclasses: forgets ``value``, which was removed from an attribute, a list or a dict."""

    def _restore_added_objects(self) -> None:
        """Restores checkpoint values for objects that were just added to this object or its lists and dicts."""
        restore_deferred_values(self)

    def _track_nested(self, value: Any) -> Any:
        """Tracks all objects in ``value``; returns ``value`` with lists as ``OwnedList``, dicts as ``OwnedDict``."""
        kind = type(value)
        if kind in UNTRACKED_TYPES:
            return value
        if isinstance(value, tuple):
            items = [self._track_nested(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return kind(*items) if hasattr(value, "_fields") else kind(items)
        if isinstance(value, list):
            return OwnedList(value, self)
        if isinstance(value, dict):
            if kind in (dict, OrderedDict, OwnedDict):
                return OwnedDict(value, self)
            for item in value.values():
                self._track_nested(item)
            return value
        self._track_object(value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) not in UNTRACKED_TYPES:
            value = self._track_nested(value)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        object.__delattr__(self, name)
        self._untrack_nested(value)

    def _untrack_nested(self, value: Any) -> None:
        for item in (
            value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
        ):
            if isinstance(item, (list, tuple, dict)):
                self._untrack_nested(item)
            else:
                self._untrack_object(item)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name, value in state.items():
            if type(value) in (OwnedList, OwnedDict):
                # The copy's containers must report to the copy; their items are tracked already.
                self.__dict__[name] = _container_copy(value, self)


def _container_copy(value: Any, owner: ObjectTracker) -> Any:
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

    _owner: ref[ObjectTracker] | None = None

    def _track_item(self, value: Any) -> Any:
        owner = None if self._owner is None else self._owner()
        return value if owner is None else owner._track_nested(value)

    def _restore_added_objects(self) -> None:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner._restore_added_objects()

    def _untrack_in_owner(self, value: Any) -> None:
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner._untrack_nested(value if isinstance(value, (list, tuple, dict)) else [value])

    def __delitem__(self, key: Any) -> None:
        removed = self[key]  # type: ignore[index]
        super().__delitem__(key)  # type: ignore[misc]
        self._untrack_in_owner(removed)


class OwnedList(_ReportingContainer, list):
    """A list attribute; its items belong to the object that has the attribute."""

    def __init__(self, values: Iterable[Any] = (), owner: ObjectTracker | None = None) -> None:
        self._owner = None if owner is None else ref(owner)
        list.__init__(self, [self._track_item(value) for value in values])

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OwnedList, (), None, iter(self)

    def append(self, value: Any) -> None:
        """Appends and tracks ``value``."""
        self[len(self) :] = [value]

    def extend(self, values: Iterable[Any]) -> None:
        """Appends and tracks each of ``values``."""
        self[len(self) :] = values

    def __iadd__(self, values: Iterable[Any]) -> Any:  # type: ignore[misc]
        self.extend(values)
        return self

    def insert(self, index: Any, value: Any) -> None:
        """Inserts and tracks ``value``."""
        super().insert(index, self._track_item(value))
        self._restore_added_objects()

    def __setitem__(self, index: Any, value: Any) -> None:
        removed = self[index]
        tracked = [self._track_item(v) for v in value] if isinstance(index, slice) else self._track_item(value)
        super().__setitem__(index, tracked)
        self._restore_added_objects()
        self._untrack_in_owner(removed)

    def pop(self, index: Any = -1) -> Any:
        """Removes and returns an item; the owner stops tracking the item."""
        value = super().pop(index)
        self._untrack_in_owner(value)
        return value

    def remove(self, value: Any) -> None:
        """Removes the first item that is or equals ``value``."""
        for position, item in enumerate(self):
            if item is value or (type(value) in UNTRACKED_TYPES and item == value):
                del self[position]
                return
        raise ValueError("list.remove(x): x not in list")

    def clear(self) -> None:
        """Removes all items."""
        del self[:]


class OwnedDict(_ReportingContainer, dict):
    """A dict attribute; its values belong to the object that has the attribute."""

    def __init__(self, values: dict[Any, Any] | None = None, owner: ObjectTracker | None = None) -> None:
        self._owner = None if owner is None else ref(owner)
        dict.__init__(self, {key: self._track_item(value) for key, value in (values or {}).items()})

    def __reduce_ex__(self, protocol: Any) -> Any:
        return OwnedDict, (), None, None, iter(self.items())

    def __setitem__(self, key: Any, value: Any) -> None:
        removed = self.get(key)
        super().__setitem__(key, self._track_item(value))
        self._restore_added_objects()
        if removed is not None and removed is not value:
            self._untrack_in_owner(removed)

    def update(self, *others: Any, **values: Any) -> None:
        """Sets and tracks all items of the mappings and keywords."""
        for key, value in dict(*others, **values).items():
            self[key] = value

    def __ior__(self, values: Any) -> Any:  # type: ignore[misc]
        self.update(values)
        return self

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Returns the value of ``key``; sets and tracks ``default`` first if the key is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        """Removes and returns a value; the owner stops tracking the value."""
        value = super().pop(key, *default)
        self._untrack_in_owner(value)
        return value

    def popitem(self) -> tuple[Any, Any]:
        """Removes and returns the last item."""
        key, value = super().popitem()
        self._untrack_in_owner(value)
        return key, value

    def clear(self) -> None:
        """Removes all items."""
        for key in list(self):
            del self[key]
