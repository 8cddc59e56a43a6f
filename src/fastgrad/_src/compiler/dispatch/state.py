"""The state of a compiled function: its recordings, and the fast path to the last one."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from fastgrad._src.compiler.dispatch.cache import Cache
from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.compiler.dispatch.retracing import Retracing
from fastgrad._src.compiler.dispatch.signature import FloatArguments
from fastgrad._src.compiler.dispatch.traces import TraceTree

MOST_RECENT_ENTRIES_TRIED = 4
"""The number of recent entries that a call tries before it takes the slow path."""


def return_call_changed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns ``CALL_CHANGED``; the entry of a function without entries."""
    return CALL_CHANGED


class State:
    """The state of a compiled function.

    Args:
        name: the function's, for warnings.
        verify: how many replays are checked.

    Attributes:
        entry: the entry that was used last: straight-line code ``(args, kwargs)``, or ``return_call_changed``.
        recent: entries that were used before, the latest first.
        cache: the recordings by key.
        last: the trace tree that was used last; None before the first.
        recordings: how often the function was recorded.
        floats: which Python floats among the arguments are inputs.
        retracing: counts what caused recordings.
        verifications_left: how many of the next replays are checked.
        gave_up: whether a call could not be recorded, and Python's result was returned.
    """

    def __init__(self, name: str, verify: int) -> None:
        self.entry: Callable[[tuple[Any, ...], dict[str, Any]], Any] = return_call_changed
        self.recent: tuple[Any, ...] = ()
        self.cache = Cache(_forget_uses_of(weakref.ref(self)))
        self.last: TraceTree | None = None
        self.recordings = 0
        self.floats = FloatArguments()
        self.retracing = Retracing(name)
        self.verifications_left = verify
        self.gave_up = False

    def move_entry_to_front(self, entry: Any) -> None:
        """Moves an entry to the front: later calls try it first."""
        others = [other for other in self.recent if other.layout != entry.layout]
        self.entry, self.recent = entry, (entry, *others[: MOST_RECENT_ENTRIES_TRIED - 1])

    def forget_uses(self) -> None:
        """Drops the references to entries and trace trees, which the cache may have dropped."""
        self.entry, self.recent, self.last = return_call_changed, (), None

    def forget_entries(self) -> None:
        """Drops all entries, so that each call takes the slow path once."""
        self.forget_uses()
        for tree in [tree for key in self.cache for tree in key.trees]:
            tree.entries.clear()


def _forget_uses_of(weak_state: Callable[[], State | None]) -> Callable[[], None]:
    """Returns a callback that does not keep the state alive."""

    def forget_uses_of_state() -> None:
        state = weak_state()
        if state is not None:
            state.forget_uses()

    return forget_uses_of_state
