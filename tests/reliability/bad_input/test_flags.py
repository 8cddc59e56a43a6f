"""Any true value in the place of True: a flag decides, its number never reaches a kernel as a stride or a count."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import numpy as np
import pytest

import fastgrad as tf

from .fuzz import VALID, flat, outcome, same
from .names import OPERANDS, names

TRUE_VALUES = ("2147483647", "-5", "np.int64(1 << 40)", "0.5")
SKIPPED = {("layers.Bidirectional", "go_backwards")}
"""Flags that are compared: Keras, too, wants those of both layers to be equal or not."""


def flags() -> list[tuple[str, int, str]]:
    """Each line of `valid_calls.txt`, the number of a call in it, and a parameter of the function whose default is a bool."""
    found = []
    for line in VALID:
        scope = names(tf)
        for number, node in enumerate(ast.walk(ast.parse(line, mode="eval"))):
            if not isinstance(node, ast.Call):
                continue
            function, error = outcome(eval, ast.unparse(node.func), scope)
            if error is None and callable(function):
                signature, error = outcome(inspect.signature, function)
                parameters = [] if error else signature.parameters.values()
                found += [(line, number, p.name) for p in parameters if type(p.default) is bool]
    return found


def replaced(line: str, number: int, flag: str, value: str) -> str:
    """The text of a line with a value for a flag of one of its calls."""
    tree = ast.parse(line, mode="eval")
    node: Any = list(ast.walk(tree))[number]
    node.keywords = [keyword for keyword in node.keywords if keyword.arg != flag]
    node.keywords.append(ast.keyword(flag, ast.parse(value, mode="eval").body))
    return ast.unparse(tree)


def answer(text: str, compiled: bool) -> tuple[Any, bool]:
    """The arrays that a call gives, and whether it is refused."""
    tf.random.set_seed(1)
    scope = names(tf)
    if not compiled:
        result, error = outcome(lambda: eval(text, scope))
    else:
        used = [name for name in OPERANDS if name in text]
        function = tf.function(eval(f"lambda {', '.join(used)}: ({text})", scope))
        for _ in range(2):
            result, error = outcome(function, *[scope[name] for name in used])
    arrays, _ = outcome(flat, result)
    return arrays, error is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_true_value_is_taken_as_true(
    compiled: bool, figure: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # calls may write files
    wrong = []
    found = [(line, number, flag) for line, number, flag in flags() if (line.split("(")[0], flag) not in SKIPPED]
    for line, number, flag in found:
        expected, refused = answer(replaced(line, number, flag, "True"), compiled)
        for value in TRUE_VALUES:
            text = replaced(line, number, flag, value)
            arrays, also = answer(text, compiled)
            drawn = "random" in text or "dropout" in text or "shuffle" in text
            if also != refused or (expected is not None and not drawn and not same(expected, arrays)):
                wrong.append(text)
    assert wrong == []
    assert len(found) > 200
    figure("flags with other true values", len(found) * len(TRUE_VALUES))


def test_a_numpy_flag_of_a_product_is_a_flag() -> None:
    x = tf.constant(np.arange(6, dtype=np.float32).reshape(2, 3))
    for true in (np.True_, 1, 2**31 - 1, "yes"):
        y = tf.matmul(x, x, transpose_b=true)
        np.testing.assert_array_equal(y, np.float32([[5, 14], [14, 50]]))
