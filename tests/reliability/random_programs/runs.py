"""Runs of a program's text with a package: eager, compiled, over rows at once. Imports neither package."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.reliability.random_programs.program import PRELUDE


class Array(NamedTuple):
    """One value that a call gave: wide enough to be compared."""

    dtype: str
    array: np.ndarray


class Outcome(NamedTuple):
    """What a call gave.

    Attributes:
        values: of the result, in the order of `nest.flatten`.
        state: of variables and weights after it.
        error: the name of the class of what it raised.
        text: of the error, for reports.
        before: the state before a call that raised.
    """

    values: list[Array | None]
    state: list[Array]
    error: str = ""
    text: str = ""
    before: Sequence[Array] = ()


def loaded(source: str, tf: Any, **names: Any) -> dict[str, Any]:
    """The names of a program's module."""
    text = PRELUDE.replace("import fastgrad as tf\n", "") + source
    filename = f"<program {hash(text)}>"
    linecache.cache[filename] = len(text), None, text.splitlines(keepends=True), filename
    scope = {"tf": tf, "__name__": "program", "filename": filename}
    exec(compile(text, filename, "exec"), scope)
    scope.update(names)
    return scope


def forget(scope: dict[str, Any]) -> None:
    """Lets the text of a program go."""
    linecache.cache.pop(scope["filename"], None)


def run(source: str, tf: Any, function: Any = None, times: int = 1, **names: Any) -> list[Outcome]:
    """Calls of a program's step one after the other, with state of its own, up to the first error.

    Args:
        source: of the program.
        tf: the package.
        function: what its functions are decorated with: nothing, or the package's `function`.
        times: how often the calls come.
        names: that its module has, too.
    """
    scope = loaded(source, tf, **names)
    outcomes = []
    try:
        step, state = scope["make"](function or (lambda f: f))
        before = [_array(tf, x) for x in state()]
        for arguments in scope["calls"]() * times:
            outcomes.append(_called(tf, step, state, arguments))
            if outcomes[-1].error:
                outcomes[-1] = outcomes[-1]._replace(before=before)
                break
            before = outcomes[-1].state
    finally:
        forget(scope)
    return outcomes


def rows(source: str, tf: Any, mapping: Any = None, **names: Any) -> list[Outcome]:
    """The step over two rows of stacked arguments.

    Args:
        source: of the program.
        tf: the package.
        mapping: takes the step and the stacked arguments; by default row after row.
        names: that its module has, too.
    """
    scope = loaded(source, tf, **names)
    outcomes = []
    try:
        step, _ = scope["make"](lambda f: f)
        for arguments in scope["calls"]():
            outcomes.append(
                _called(tf, lambda *a, step=step: (mapping or _row_by_row)(tf, step, a), list, stacked(tf, arguments))
            )
            if outcomes[-1].error:
                break
    finally:
        forget(scope)
    return outcomes


def stacked(tf: Any, arguments: tuple[Any, ...]) -> list[Any]:
    """Two rows of each argument."""
    tensors = list(map(tf.convert_to_tensor, arguments))
    return [tf.stack([x, x // 2 if x.dtype.is_integer else x * tf.cast(-0.5, x.dtype)]) for x in tensors]


def _row_by_row(tf: Any, step: Any, arguments: Any) -> list[Any]:
    found = [tf.nest.flatten(step(*[x[i] for x in arguments])) for i in range(2)]
    return [tf.stack(pair) for pair in zip(*found, strict=True)]


def _called(tf: Any, step: Any, state: Any, arguments: Any) -> Outcome:
    try:
        values = [None if x is None else _array(tf, x) for x in tf.nest.flatten(step(*arguments))]
    except Exception as error:  # noqa: BLE001 - what it is is compared
        return Outcome([], [_array(tf, x) for x in state()], type(error).__name__, traceback.format_exc())
    return Outcome(values, [_array(tf, x) for x in state()])


def _array(tf: Any, value: Any) -> Array:
    value = tf.convert_to_tensor(value)
    wide = tf.cast(value, tf.float64) if value.dtype.is_floating else value
    return Array(value.dtype.name, np.array(wide.numpy()))
