"""Calls whose operands are deferred give the same bits and raise the same errors as calls that run at once."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core import deferral
from fastgrad._src.core.tensor import Tensor, constant_tensor

from .fuzz import VALID
from .names import OPERANDS, names
from .wrong_calls import families

LINES = {**{family: [call.text for call in calls] for family, calls in families().items()}, "valid": VALID}
HUGE = re.compile(r"1 << |2\*\*|10\*\*|set_num_threads|config\.|MAX")
"""Sizes that no memory has, which a deferral refuses at the first use, and settings of the process."""


def later(x: Tensor) -> Tensor:
    """The tensor, deferred."""
    array = x._array
    return constant_tensor(deferral.deferred_array(lambda: array, array.shape, array.dtype))


def outcome(text: str, is_deferred: bool) -> tuple[str, Any]:
    """The class and text of the error of a call, or the dtypes, shapes and bytes of its results."""
    scope = names(tf)
    tf.random.set_seed(5)
    try:
        if not is_deferred:
            return "results", bits(eval(text, scope))
        with deferral.defer_operations():
            scope |= {name: later(scope[name]) for name in OPERANDS}
            result = eval(text, scope)
    except Exception as error:  # noqa: BLE001 - the exception is the outcome
        return type(error).__name__, re.sub(r"0x[0-9a-f]+|numpy=.*?>|tmp\w+|_\d+\b", "", str(error), flags=re.DOTALL)
    return "results", bits(result)


def bits(result: Any) -> list[Any]:
    found: list[Any] = []
    for leaf in tf.nest.flatten(result):
        if not isinstance(leaf, Tensor):
            found.append(type(leaf).__name__)
            continue
        shape, dtype, array = leaf._array.shape, leaf._array.dtype, leaf._on_host()
        assert (array.shape, array.dtype) == (shape, dtype)
        found.append((dtype.name, shape, str(array) if dtype.hasobject else np.ascontiguousarray(array).tobytes()))
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", LINES)
def test_deferred_operands_change_nothing(
    family: str, figure: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # calls may write files
    wrong = []
    lines = [text for text in LINES[family] if HUGE.search(text) is None]
    for text in lines:
        wanted = outcome(text, False)
        if outcome(text, True) != wanted and outcome(text, False) == wanted:  # names of files and layers are numbered
            wrong.append(text)
    figure("calls with deferred operands", len(lines))
    assert wrong == []
