"""The cache of a function's recordings, by key; bounded, and without references that keep user objects alive."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from fastgrad.compiler.dispatch.captures import Captures
from fastgrad.compiler.dispatch.signature import Call
from fastgrad.compiler.dispatch.traces import Traces

MOST_KEYS_PER_FUNCTION = 64
"""The most keys of a function; the least recently used are dropped."""

MOST_VERSIONS_PER_KEY = 8
"""The most versions of a key, for different captured values."""


class Version:
    """The recordings of one key for one set of captured values.

    Attributes:
        captures: the captured names, and their values.
        ways: the traces.
        entries: straight-line code for calls, by their form.
    """

    def __init__(self, captures: Captures) -> None:
        self.captures = captures
        self.ways = Traces()
        self.entries: dict[Any, Any] = {}


class Key:
    """The recordings of one key; the most recently used version comes first.

    Attributes:
        versions: one for each set of captured values.
        runs_eagerly: whether such calls can't be replayed, and run in Python each time.
        changed: the captured name for which versions were dropped last, with its old and its new value.
        made_variables: the captures of a call that made variables.
    """

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._on_drop = dropped
        self.versions: list[Version] = []
        self.runs_eagerly = False
        self.made_variables: Captures | None = None
        self.watches: list[Any] = []
        self.changed: tuple[str, str, str] | None = None

    def find_version(self, call_objects: list[Any]) -> Version | None:
        """Returns the version whose captured values are unchanged, and moves it to the front; None if there is none."""
        for version in list(self.versions):
            if version.captures.are_unchanged(call_objects):
                if version is not self.versions[0]:
                    self.versions.remove(version)
                    self.versions.insert(0, version)
                return version
        gone = [version for version in self.versions if version.captures.keeps_replaced_variable_alive()]
        if gone:
            self.versions = [version for version in self.versions if version not in gone]
            self.changed, gone = gone[0].captures.first_change(), []
            self._on_drop()
        return None

    def add(self, captures: Captures) -> Version:
        """Adds a version; it is dropped when an object that it captured is deleted."""
        version = Version(captures)
        key_of, on_drop = weakref.ref(self), self._on_drop

        def gone() -> None:
            expired, key = version_of(), key_of()
            if expired is not None and key is not None and expired in key.versions:
                key.versions.remove(expired)
                on_drop()

        version_of = weakref.ref(version)
        captures.call_on_deletion(gone)
        self.versions.insert(0, version)
        del self.versions[MOST_VERSIONS_PER_KEY:]
        return version


class Cache:
    """The keys of a function, by ``Call.key``.

    Args:
        dropped: called when something was dropped because an object that it needs is deleted.
    """

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._on_drop = dropped
        self._keys: OrderedDict[Any, Key] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._keys.values()))

    def get(self, call: Call) -> Key | None:
        """Returns the recordings of calls with the same key; None if there are none."""
        key = self._keys.get(call.key)
        if key is not None and len(self._keys) > 1:
            with contextlib.suppress(KeyError):  # another thread may have dropped it just now
                self._keys.move_to_end(call.key)
        return key

    def add(self, call: Call) -> Key:
        """Returns the recordings of calls with the same key, made if needed; they are dropped when an object of the key is deleted."""
        key = self._keys.get(call.key)
        if key is None:
            key = self._keys[call.key] = Key(self._on_drop)
            forget = _KeyRemoval(self._keys, call.key, self._on_drop)
            for value in call.objects:
                try:
                    key.watches.append(weakref.ref(value, forget))
                except TypeError:
                    continue  # it is held until the key is dropped
            while len(self._keys) > MOST_KEYS_PER_FUNCTION:
                self._keys.popitem(last=False)
        return key


class _KeyRemoval:
    """A callback of deleted objects that drops a key from the cache."""

    def __init__(self, keys: OrderedDict[Any, Key], key: Any, dropped: Callable[[], None]) -> None:
        self._keys = keys
        self._key = key
        self._on_drop = dropped

    def __call__(self, _: Any) -> None:
        self._on_drop()
        self._keys.pop(self._key, None)  # the tuple is found by identity: keys of dead objects equal no other
