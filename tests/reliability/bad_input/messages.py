"""Whether the message of an error says what was wrong: it names the operation, an argument, or a value, shape or dtype that the call was given."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

# Python's and NumPy's own words, which say nothing about the call that the user wrote.
INNER = re.compile(
    r"object has no attribute|object is not (iterable|callable|subscriptable)|not supported between|expected str, bytes|\w+\(\) argument must be"
    r"|invalid literal|could not convert string|cannot be interpreted as an integer|index out of range$|operands could not be broadcast|shape mismatch: objects"
    r"|is an empty sequence|only integer scalar|unsupported operand type|unsized object|can only concatenate|embedded null|negative dimensions are not"
    r"|array is too big|Python int too large|out of bounds for array|not enough values to unpack \(exp|too many values to unpack|indices must be integers"
    r"|^Unable to allocate|takes no arguments|^(integer |float )?division (or modulo )?by zero|is out of bounds for axis|can't multiply sequence|has no len\(\)|is not a mapping"
)
# Functions of arguments that are made to be looked at: their results are values of the call.
MAKERS = {"ones", "zeros", "constant", "reshape", "range", "array", "arange", "Variable", "cast", "IndexedSlices", "transpose", "expand_dims", "ragged", "sparse", "sparse_ids", "eye"}  # fmt: skip


OPERANDS = {*MAKERS, "TensorSpec", "Input", "built", "file", "written", "png", "jpeg", "table"}


def says_enough(text: str, message: str) -> bool:
    """True if the message names the operation or layer that ``text`` calls, an argument of it, or a value, shape or dtype that it was given."""
    if INNER.search(message):
        return False
    words = {*called_names(text), *argument_names(text)}
    if any(
        _has_word(message, word) if len(word) > 2 else re.search(rf"[`'\"]{word}[`'\"=]", message) for word in words
    ):
        return True
    return any(shown in message for shown in _shown(text, message)) or (
        ("lambda" in text or "step" in text) and "<lambda>()" in message
    )


def _has_word(message: str, word: str) -> bool:
    """True if a message has a name, or the name that Keras gives a layer of this class."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    return any(
        re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", message, re.IGNORECASE) for name in (word, snake)
    )


@cache
def calls_in(text: str) -> tuple[ast.Call, ...]:
    """The calls of a text, those whose results are only operands left out."""
    tree = ast.parse(text, mode="eval").body
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return tuple(node for node in nodes if node is tree or _name(node.func) not in OPERANDS)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@cache
def called_names(text: str) -> tuple[str, ...]:
    """The names of functions, classes and methods that a text calls or passes on, and of attributes that it asks for."""
    names = [_name(call.func) for call in calls_in(text)]
    names += [
        node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute) and node.attr not in OPERANDS
    ]
    return tuple(name for name in dict.fromkeys(names) if len(name) > 1)


@cache
def argument_names(text: str) -> tuple[str, ...]:
    """The names of arguments: those that a text uses, and all parameters of what it calls."""
    names = [node.arg for node in ast.walk(ast.parse(text)) if isinstance(node, ast.arg)]
    names += ["x"] if "step" in text else []
    for call in calls_in(text):
        names += [keyword.arg for keyword in call.keywords if keyword.arg]
        function = _resolved(call.func)
        if isinstance(call.func, ast.Call) and isinstance(function, type):  # a layer, loss or metric that is called
            function = getattr(function, "call", None) or getattr(function, "update_state", function)
        try:
            parameters = inspect.signature(function).parameters if callable(function) else {}
        except (TypeError, ValueError):
            parameters = {}
        names += parameters
    return tuple(name for name in dict.fromkeys(names) if name not in ("args", "kwargs", "self"))


@cache
def _scope() -> dict[str, Any]:
    import fastgrad as tf

    from .names import names

    return names(tf)


def _resolved(node: ast.expr) -> Any:
    """The object of a dotted name; of what a call makes, its class."""
    if isinstance(node, ast.Name):
        return _scope().get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_resolved(node.value), node.attr, None)
    if isinstance(node, ast.Call):
        made, scope = _resolved(node.func), _scope()
        if _name(node.func) in ("built", "compiled"):
            return scope["keras"].Model
        if getattr(made, "__module__", "").startswith("fastgrad._src.data"):
            return scope["Dataset"]
        return made if isinstance(made, type) else None
    return None


def _shown(text: str, message: str) -> Iterator[str]:
    """How the values of a call may stand in a message."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            yield from (node.value, repr(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield repr(node.value)
        elif isinstance(node, ast.Constant):
            for found in re.findall(r"-?\b\d+(?:\.\d+)?(?:e[-+]?\d+)?j?\b|\bNone\b|\bTrue\b|\bFalse\b", message):
                if found.lstrip("-") in (repr(node.value), str(node.value)):
                    yield found
        for value in _operand(node):
            shape = getattr(value, "shape", None)
            dtype = getattr(value, "dtype", None)
            if isinstance(shape, Iterable) and getattr(shape, "rank", 0) is not None:
                sizes = list(shape)
                yield from (str(sizes), str(tuple(sizes)), f"ndim={len(sizes)}", f"rank {len(sizes)}")
            if dtype is not None:
                yield str(getattr(dtype, "name", dtype))
            if shape is None:
                yield repr(value)


@cache
def _operand_text(text: str) -> tuple[Any, ...]:
    try:
        return (eval(text, dict(_scope())),)
    except Exception:  # noqa: BLE001 - a part of a wrong call
        return ()


def _operand(node: ast.AST) -> tuple[Any, ...]:
    """The value of a part of a call that is a literal, an operand, a part of one, or what `MAKERS` make."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Dict, ast.UnaryOp, ast.BinOp, ast.Subscript)) or (
        isinstance(node, ast.Call) and _name(node.func) in MAKERS
    ):
        inner = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
        if all(_name(part.func) in MAKERS for part in inner):
            return _operand_text(ast.unparse(node))
        return ()
    if isinstance(node, (ast.Name, ast.Attribute)):
        value = _resolved(node)
        return () if value is None or callable(value) else (value,)
    return ()
