"""The wrong calls in `calls/`, a text file a family, a call a line.

A line is an expression of Python. ` -> Class` after it names the class that fastgrad raises where TensorFlow takes the call, and `  #: ` begins a
pattern of the message. A call without a pattern names its function, and a value that it got.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.json"
FACT = re.compile(
    r"\d|['\"`\[]|\bNone\b|\bnan\b|\bbool\b|\bstring\b|\bscalar\b|float|complex|argument|empty|there is no|not invertible|is already|unhashable|increasing|infinite|unknown|must be|must return|No files|scalar|has no|No gradients",
    re.IGNORECASE,
)
# Python's and NumPy's own words, which say nothing about the call that the user wrote.
INNER = re.compile(
    r"object has no attribute|object is not (iterable|callable|subscriptable)|not supported between|expected str, bytes|\w+\(\) argument must be"
    r"|invalid literal|could not convert string|cannot be interpreted as an integer|index out of range$|operands could not be broadcast|shape mismatch: objects"
    r"|is an empty sequence|only integer scalar|unsupported operand type|unsized object|can only concatenate|embedded null|negative dimensions are not"
    r"|array is too big|Python int too large|out of bounds for array|not enough values to unpack \(exp|too many values to unpack"
)
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
        """Whether the message fits the pattern, or names a value, an argument or the operation, and is none of Python's or NumPy's own."""
        if self.pattern:
            return re.search(self.pattern, message, re.DOTALL) is not None
        texts = [
            node.value
            for node in ast.walk(ast.parse(self.text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        says = (
            FACT.search(message) is not None
            or function_name(self.text) in message
            or any(text in message for text in texts)
        )
        return says and INNER.search(message) is None


def function_name(text: str) -> str:
    """The name of the outermost function that a text calls."""
    tree = ast.parse(text, mode="eval").body
    while isinstance(tree, ast.Lambda):
        tree = tree.body
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Call):
        tree = tree.func
    if isinstance(tree, ast.Call):
        return tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
    return ""


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
    import builtins

    errors = getattr(tf, "errors")  # noqa: B009 - TensorFlow's module or fastgrad's
    names = [
        kind.__name__
        for kind in type(error).__mro__
        if vars(builtins).get(kind.__name__) is kind or getattr(errors, kind.__name__, None) is kind
    ]
    return names[: names.index("Exception")] or ["Exception"]
