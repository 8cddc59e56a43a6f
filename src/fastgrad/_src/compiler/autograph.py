"""``tf.autograph``: what ``tf.function`` does with the loops of a Python function.

Recording is running, so most of Python needs no conversion. Loops over tensors of a recorded function become loops of its program
(``compiler/dispatch/loop_conversion.py``).
"""

from __future__ import annotations

import enum
import functools
import logging
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.loop_conversion import (
    converted_text,
    keep_python_loops,
    set_loop_options,
    with_program_loops,
)
from fastgrad._src.core.names import Namespace
from fastgrad._src.core.printing import print as _print


class Feature(enum.Enum):
    """Optional parts of TensorFlow's conversion, which change nothing here."""

    ALL = "ALL"
    AUTO_CONTROL_DEPS = "AUTO_CONTROL_DEPS"
    ASSERT_STATEMENTS = "ASSERT_STATEMENTS"
    BUILTIN_FUNCTIONS = "BUILTIN_FUNCTIONS"
    EQUALITY_OPERATORS = "EQUALITY_OPERATORS"
    LISTS = "LISTS"
    NAME_SCOPES = "NAME_SCOPES"


def to_graph(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> Any:
    """Returns the function that ``tf.function`` runs when it records ``entity``.

    Args:
        entity: a Python function.
        recursive, experimental_optional_features: kept for TensorFlow's signature: functions that it calls run as they are.

    Raises:
        ValueError: ``entity`` is no Python function.
    """
    return with_program_loops(_python_function("to_graph", entity))


def to_code(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> str:
    """Returns the source of the function that ``to_graph`` returns; arguments and errors as there.

    Raises:
        OSError: the source of ``entity`` is not available.
    """
    function = _python_function("to_code", entity)
    try:
        return converted_text(function)
    except OSError as error:
        raise OSError(f"tf.autograph.to_code: no source of {function.__qualname__}: {error}.") from None


def _python_function(name: str, entity: Any) -> FunctionType:
    function = getattr(entity, "python_function", entity)
    if not isinstance(function, FunctionType):
        raise ValueError(f"tf.autograph.{name}: expected a Python function, got {entity!r}.")
    return function


def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
    """Keeps the loops of a function in Python when it is recorded: each number of iterations has a trace. Also a decorator.

    Raises:
        TypeError: ``func`` can't be called.
    """
    if func is None:
        return do_not_convert
    if not callable(func):
        raise TypeError(f"tf.autograph.do_not_convert: func must be a function, got {func!r}.")
    if isinstance(func, FunctionType):
        return keep_python_loops(func)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return keep_python_loops(wrapper)


def set_verbosity(level: Any, alsologtostdout: bool = False) -> None:
    """Sets the level of the logger ``"fastgrad"``: warnings for 0, all messages for more. No conversion is logged.

    Args:
        level: 0 to 10.
        alsologtostdout: kept for TensorFlow's signature.

    Raises:
        TypeError: ``level`` is no integer.
    """
    if not isinstance(level, (int, np.integer)):
        raise TypeError(f"tf.autograph.set_verbosity: level must be an integer, got {level!r}.")
    logging.getLogger("fastgrad").setLevel(logging.DEBUG if level > 0 else logging.WARNING)


def trace(*args: Any) -> None:
    """Prints its arguments; for tensors, their values in each run of a recorded function."""
    _print(*args)


experimental = Namespace(
    "tf.autograph.experimental", Feature=Feature, do_not_convert=do_not_convert, set_loop_options=set_loop_options
)
