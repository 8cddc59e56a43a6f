"""The cache of a function's recordings, by key; bounded, and without references that keep user objects alive."""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from fastgrad._src.compiler.dispatch.captures import Captures
from fastgrad._src.compiler.dispatch.signature import Call
from fastgrad._src.compiler.dispatch.traces import TraceTree

MOST_KEYS_PER_FUNCTION = 64
"""The most keys of a function; the least recently used are dropped."""

MOST_TREES_PER_KEY = 8
"""The most trace trees of a key, for different captured values."""


class Key:
    """The recordings of one key.

    Attributes:
        trees: a trace tree for each set of captured values; the most recently used one comes first.
        runs_eagerly: whether such calls can't be replayed, and run in Python each time.
        changed: the captured name for which trees were dropped last, with its old and its new value.
        made_variables: the captures of a call that made variables.
    """

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._on_drop = dropped
        self.trees: list[TraceTree] = []
        self.runs_eagerly = False
        self.made_variables: Captures | None = None
        self.watches: list[Any] = []
        self.changed: tuple[str, str, str] | None = None

    def find_tree(self, call_objects: list[Any]) -> TraceTree | None:
        """Returns the trace tree whose captured values are unchanged, and moves it to the front; None if there is none."""
        for tree in list(self.trees):
            if tree.captures.are_unchanged(call_objects):
                if tree is not self.trees[0]:
                    self.trees.remove(tree)
                    self.trees.insert(0, tree)
                return tree
        unusable_trees = [tree for tree in self.trees if tree.captures.keeps_replaced_variable_alive()]
        if unusable_trees:
            self.trees = [tree for tree in self.trees if tree not in unusable_trees]
            self.changed, unusable_trees = unusable_trees[0].captures.first_change(), []
            self._on_drop()
        return None

    def add(self, captures: Captures) -> TraceTree:
        """Adds a trace tree; it is dropped when an object that it captured is deleted."""
        tree = TraceTree(captures)
        key_of, on_drop = weakref.ref(self), self._on_drop

        def remove_key() -> None:
            expired, key = tree_of(), key_of()
            if expired is not None and key is not None and expired in key.trees:
                key.trees.remove(expired)
                on_drop()

        tree_of = weakref.ref(tree)
        captures.call_on_deletion(remove_key)
        self.trees.insert(0, tree)
        del self.trees[MOST_TREES_PER_KEY:]
        return tree


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

    def call_keys(self) -> list[Any]:
        """Returns the ``Call.key`` of each kept key."""
        return list(self._keys)

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
