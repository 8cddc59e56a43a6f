"""The wrong calls in `calls/`, a text file a family, a call a line.

A line is an expression of Python. ` -> Class` after it names the class that fastgrad raises where TensorFlow takes the call, and `  #: ` begins a
pattern of the message. Of a call without a pattern the message must name the operation, an argument or a value (`messages.py`).
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .messages import INNER, says_enough

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.json"
# Classes with which TensorFlow fails inside of itself: any documented class will do instead.
INTERNAL = {
    "AssertionError", "AttributeError", "Exception", "InternalError", "KeyError", "NameError", "RecursionError", "StopIteration", "UnboundLocalError",
    "UnknownError", "OverflowError", "ZeroDivisionError", "crash", "SystemError", "MemoryError", "IndexError",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A wrong call: its text, the class that fastgrad alone raises, the pattern of its message."""

    text: str
    stricter: str
    pattern: str

    def says_enough(self, message: str) -> bool:
        """True if the message has the pattern, or names the operation, an argument or a value, in no words of Python's or NumPy's insides.

        Where the call is an operator or a builtin of Python's, as ``int(v)``, Python's own words name it.
        """
        if not self.pattern:
            return says_enough(self.text, message)
        if re.search(self.pattern, message, re.DOTALL) is None:
            return False
        tree = ast.parse(self.text, mode="eval").body
        of_python = isinstance(tree, (ast.BinOp, ast.Compare)) or (
            isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and hasattr(builtins, tree.func.id)
        )
        return of_python or INNER.search(message) is None


def parse(line: str) -> Call:
    """The call of a line."""
    text, _, pattern = line.partition("  #: ")
    text, _, stricter = text.partition(" -> ")
    return Call(text.strip(), stricter.strip(), pattern.strip())


@cache
def families() -> dict[str, list[Call]]:
    """All wrong calls by family."""
    result = {}
    for file in sorted((FOLDER / "calls").glob("*.txt")):
        lines = file.read_text(encoding="utf-8").splitlines()
        result[file.stem] = [parse(line) for line in lines if line.strip() and not line.startswith("#")]
    return result


@cache
def expected() -> dict[str, list[str]]:
    """What TensorFlow raises for each call: the public classes of the exception; `["crash"]` where the process ends; `[]` where it takes the call."""
    answers: dict[str, list[str]] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return answers


def public_classes(tf: object, error: BaseException) -> list[str]:
    """The builtin and `tf.errors` classes among an exception's classes, without Exception and what it derives from."""
    errors = getattr(tf, "errors")  # noqa: B009 - TensorFlow's module or fastgrad's
    names = [
        kind.__name__
        for kind in type(error).__mro__
        if vars(builtins).get(kind.__name__) is kind or getattr(errors, kind.__name__, None) is kind
    ]
    return names[: names.index("Exception")] or ["Exception"]
