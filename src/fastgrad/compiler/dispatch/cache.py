"""What a function has recorded, by key; bounded, and without keeping anybody's objects alive."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from fastgrad.compiler.dispatch.captures import Captures
from fastgrad.compiler.dispatch.signature import Call
from fastgrad.compiler.dispatch.traces import Ways

KEYS = 64
"""How many keys a function keeps: those used last."""

VERSIONS = 8
"""How many versions of its captured names a key keeps."""


class Version:
    """What was recorded of one key while certain names were captured.

    Attributes:
        captures: the names, and what they were.
        ways: the recordings.
        entries: straight-line code for calls, by their form.
    """

    def __init__(self, captures: Captures) -> None:
        self.captures = captures
        self.ways = Ways()
        self.entries: dict[Any, Any] = {}


class Key:
    """What was recorded of one key, the version used last first.

    Attributes:
        versions: one for each set of captured names.
        runs_eagerly: whether such calls can't be replayed, and run as they are each time.
        changed: the captured name for which versions were given up last, its value then and now.
        made_variables: what was captured when a call made variables.
    """

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._dropped = dropped
        self.versions: list[Version] = []
        self.runs_eagerly = False
        self.made_variables: Captures | None = None
        self.watches: list[Any] = []
        self.changed: tuple[str, str, str] | None = None

    def version(self, objects: list[Any]) -> Version | None:
        """The version whose captured names are what they are now."""
        for version in list(self.versions):
            if version.captures.hold(objects):
                if version is not self.versions[0]:
                    self.versions.remove(version)
                    self.versions.insert(0, version)
                return version
        gone = [version for version in self.versions if version.captures.holds_on()]
        if gone:
            self.versions = [version for version in self.versions if version not in gone]
            self.changed, gone = gone[0].captures.change(), []
            self._dropped()
        return None

    def add(self, captures: Captures) -> Version:
        """A new version; it goes when one of the objects that it captured goes."""
        version = Version(captures)
        key_of, dropped = weakref.ref(self), self._dropped

        def gone() -> None:
            found, key = version_of(), key_of()
            if found is not None and key is not None and found in key.versions:
                key.versions.remove(found)
                dropped()

        version_of = weakref.ref(version)
        captures.on_gone(gone)
        self.versions.insert(0, version)
        del self.versions[VERSIONS:]
        return version


class Cache:
    """Keys by what ``Call.key`` says of calls.

    Args:
        dropped: called when something was dropped because an object that it needs is gone.
    """

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._dropped = dropped
        self._keys: OrderedDict[Any, Key] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._keys.values()))

    def get(self, call: Call) -> Key | None:
        """What was recorded of calls like this one."""
        key = self._keys.get(call.key)
        if key is not None and len(self._keys) > 1:
            with contextlib.suppress(KeyError):  # another thread may have dropped it just now
                self._keys.move_to_end(call.key)
        return key

    def add(self, call: Call) -> Key:
        """The key of calls like this one, made if it is not there; it goes when one of its objects goes."""
        key = self._keys.get(call.key)
        if key is None:
            key = self._keys[call.key] = Key(self._dropped)
            forget = _Forget(self._keys, call.key, self._dropped)
            for value in call.objects:
                try:
                    key.watches.append(weakref.ref(value, forget))
                except TypeError:
                    continue  # it is held, and goes with the key
            while len(self._keys) > KEYS:
                self._keys.popitem(last=False)
        return key


class _Forget:
    """Drops a key, unless its cache is gone."""

    def __init__(self, keys: OrderedDict[Any, Key], key: Any, dropped: Callable[[], None]) -> None:
        self._keys = keys
        self._key = key
        self._dropped = dropped

    def __call__(self, _: Any) -> None:
        self._dropped()
        self._keys.pop(self._key, None)  # found by being the very same tuple: dead objects equal none
