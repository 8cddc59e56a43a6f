"""Warns when a function is recorded again and again, and names the argument or value that keeps changing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from fastgrad._src.compiler.dispatch.cache import Key
from fastgrad._src.compiler.dispatch.signature import Call
from fastgrad._src.jit.captured_values import value_text
from fastgrad._src.jit.user_lines import line_text, warn

_WARN_AFTER_SAME_CHANGES = 8
_WARN_AFTER_TRACES = 64
_WARN_AFTER_NUMBERS = 8
_Line = tuple[str, int] | None


class Retracing:
    """Counts what caused recordings, and warns when there are many.

    Args:
        name: the function's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: dict[str, str] | None = None
        self._changes: Counter[str] = Counter()
        self._shown: dict[str, tuple[str, str]] = {}
        self._count = self._trace_count = 0
        self._next, self._next_trace_count = _WARN_AFTER_SAME_CHANGES + 1, _WARN_AFTER_TRACES + 1
        self._numbers: dict[_Line, tuple[set[tuple[int, ...]], int]] = {}

    def count_recording(self, call: Call, key: Key | None, has_same_captures: bool) -> None:
        """Counts a call that is about to be recorded.

        Args:
            call: the call.
            key: the recordings of such calls.
            has_same_captures: whether one of these recordings has the same captured values.
        """
        described_now = leaf_descriptions(call)
        described_before, self._last = self._last, described_now
        if key is not None and key.trees and has_same_captures:
            self._trace_count += 1
            if self._trace_count >= self._next_trace_count:
                self._next_trace_count = 2 * self._trace_count
                warn(
                    f"{self._name}() has recorded its {self._trace_count}th trace: the values of tensors decide too much in Python "
                    "(if, while, range, shapes). Each path is recorded and compiled as a trace. tf.where, tf.cond and tf.while_loop are "
                    "compiled once; a tf.TensorArray in such a loop needs a size, not dynamic_size=True.",
                )
            return
        self._count += 1
        if described_before is None:
            return
        if key is not None and (key.trees or key.changed):
            changed = key.changed or key.trees[0].captures.first_change()
            key.changed = None
            if changed is not None:
                self._count_change(f"the captured name {changed[0]!r}", changed[1], changed[2])
        else:
            for label in {**described_now, **described_before}:
                old_text, new_text = described_before.get(label, "not there"), described_now.get(label, "not there")
                if old_text != new_text:
                    self._count_change(f"the argument {label!r}", old_text, new_text)
        if self._count >= self._next and self._changes:
            self._next = 2 * self._count
            self._warn()

    def count_control_flow_numbers(self, numbers: Iterable[tuple[_Line, int]]) -> None:
        """Counts the different numbers from tensors that decided Python's control flow, by line; warns if there are many."""
        numbers_by_line: dict[_Line, list[int]] = {}
        for line, number in numbers:
            numbers_by_line.setdefault(line, []).append(number)
        for line, several in numbers_by_line.items():
            known, limit = self._numbers.setdefault(line, (set(), _WARN_AFTER_NUMBERS))
            known.add(tuple(several))
            if len(known) > limit:
                self._numbers[line] = known, 2 * len(known)
                warn(
                    f"{self._name}(): at {line_text(line)} Python goes on by a number that a tensor holds, or a size that follows from "
                    f"tensors' values; now it is {several[-1]}, and it has been {len(known)} different ones. Each is a trace of its own, "
                    "recorded and compiled, in which a loop of so many trips is written out. tf.while_loop is compiled once, "
                    "whatever the number of trips; where results are collected, with a tf.TensorArray of a fixed size.",
                )

    def _count_change(self, description: str, before: str, now: str) -> None:
        self._changes[description] += 1
        self._shown[description] = before, now

    def _warn(self) -> None:
        label, times = self._changes.most_common(1)[0]
        old_text, new_text = self._shown[label]
        warn(
            f"{self._name}() is being recorded for the {self._count}th time. In {times} of these cases {label} had changed: now "
            f"it is {new_text}, before it was {old_text}. Each recording runs the Python function and compiles anew. Pass numbers that "
            "change as tensors, keep shapes the same, and keep objects from call to call.",
        )


def warn_of_failure(name: str, failure: Exception) -> None:
    """Warns that the compiler failed for a function, which runs eagerly from now on."""
    cause = failure.__cause__
    warn(
        f"{name}() could not be compiled, and runs eagerly from now on: slower, with the same results. It is an error of fastgrad's "
        f"compiler, please report it: {type(cause).__name__}: {cause}",
    )


def leaf_descriptions(call: Call) -> dict[str, str]:
    """Returns the leaves of a call by their labels, as text."""
    return {
        label: _leaf_text(leaf, value) for label, leaf, value in zip(call.labels, call.leaves, call.values, strict=True)
    }


def _leaf_text(leaf: Any, value: Any) -> str:
    if leaf[0] == "tensor":
        return f"a tensor of shape {list(leaf[1])} and dtype {leaf[2]}"
    if leaf[0] == "same as":
        return "the same tensor as another argument"
    return "a float" if leaf[0] == "float" else value_text(value)
