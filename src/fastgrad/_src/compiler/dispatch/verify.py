"""Checked replays: the Python function runs as well, and both results must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.compiler.dispatch.traces import Trace
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.core import nest
from fastgrad._src.core.errors import InternalError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable


def replay_and_verify(
    name: str, traces: Iterable[Trace], run_eagerly: Callable[[], Any], run_replay: Callable[[], Any]
) -> Any:
    """Returns the result of ``run_replay``, after comparing result and variables with those of ``run_eagerly``.

    Args:
        name: the function's.
        traces: the traces that may be replayed: their variables are restored between the two runs.
        run_eagerly: runs the Python function.
        run_replay: runs the program; gives ``CALL_CHANGED`` if it has none for these values.

    Raises:
        InternalError: the two differ by more than rounding; the state is that after ``run_eagerly``.
    """
    changed: dict[int, Variable] = {}
    for trace in traces:
        for node in trace.graph.nodes:
            if node.kind is Kind.ASSIGN:
                changed[id(node.payload)] = node.payload
    state_before = SavedVariables(changed.values())
    eager_result = run_eagerly()
    state_after = state_before.current_values()
    state_before.restore()
    replayed_result = run_replay()
    if replayed_result is CALL_CHANGED:
        return CALL_CHANGED
    try:
        for position, (a, b) in enumerate(zip(_leaf_arrays(replayed_result), _leaf_arrays(eager_result), strict=True)):
            _check_equal(name, f"result {position}", a, b)
        for variable, value in state_after.items():
            _check_equal(name, f"the variable {variable.name!r}", variable._array, value)
    except InternalError:
        state_after.restore()
        raise
    return replayed_result


def _leaf_arrays(result: Any) -> Sequence[Any]:
    leaves = nest.flatten(result, expand_composites=True)
    return [leaf._array if isinstance(leaf, Tensor) else leaf for leaf in leaves]


def _check_equal(name: str, label: str, found: Any, wanted: Any) -> None:
    if not isinstance(found, np.ndarray) or not isinstance(wanted, np.ndarray):
        return
    if found.shape == wanted.shape and found.dtype == wanted.dtype:
        if found.dtype.kind not in "fcV":
            if np.array_equal(found, wanted):
                return
        else:
            wide = np.complex128 if found.dtype.kind == "c" else np.float64
            digits = {2: 1e-2, 4: 1e-4, 8: 1e-9 if found.dtype.kind == "f" else 1e-4, 16: 1e-9}[found.dtype.itemsize]
            a, b = found.astype(wide), wanted.astype(wide)
            scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
            if np.allclose(a, b, rtol=digits, atol=digits * scale, equal_nan=True):
                return
    raise InternalError(
        f"{name}(): tf.function(verify=...): {label} of the replay is not what the Python function gives: "
        f"{_array_text(found)} instead of {_array_text(wanted)}. Please report it; tf.config.run_functions_eagerly(True) avoids it."
    )


def _array_text(array: np.ndarray) -> str:
    return f"{array.dtype.name}{list(array.shape)} {np.array2string(array, threshold=8, precision=6)}"
