"""Shared parts of the functions of ``keras.ops``: operands of a common dtype, and calls on symbolic tensors."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes as dtypes_ops
from fastgrad._src.core.dtypes import DType, as_dtype
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.symbolic import keras_tensors
from fastgrad._src.keras.ops.docstrings import ARGUMENTS, EXAMPLES, PARAMETERS, PURPOSES, REDUCED_AXIS
from fastgrad._src.keras.symbolic_functions import FUNCTIONS, add_operator
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.composed.numpy_functions.operands import tensor as operand
from fastgrad._src.ops.creation import constant


def tensor(x: Any, dtype: Any = None) -> Any:
    """Converts ``x`` to a tensor, and casts it to ``dtype`` if one is given; composite tensors stay such."""
    x = operand(x)
    return x if dtype is None else cast(x, settings.standardize_dtype(dtype))


def as_floats(x: Any) -> Any:
    """Converts ``x`` to a tensor; integers and truth values become ``floatx()``."""
    x = tensor(x)
    return x if x.dtype.is_floating or x.dtype.is_complex else cast(x, settings.floatx())


def common_dtype(*operands: Any) -> Any:
    """Returns the dtype that Keras gives to operands of several dtypes; Python's numbers only tell the kind of number."""
    return _common_dtype([as_dtype(x.dtype) if hasattr(x, "dtype") else type(x) for x in operands])


def result_type(*dtypes: Any) -> str:
    """Returns the name of the dtype that Keras gives to operands of ``dtypes``.

    Args:
        *dtypes: dtypes or their names; Python's ``bool``, ``int`` and ``float`` for numbers of Python; None for ``floatx()``.

    Raises:
        ValueError: one is no dtype.
    """
    if not dtypes:
        return settings.floatx()
    return _common_dtype(
        [dtype if dtype in (bool, int, float) else settings.standardize_dtype(dtype) for dtype in dtypes]
    ).name


def _common_dtype(kinds: list[Any]) -> Any:
    dtypes = [kind for kind in kinds if isinstance(kind, DType)]
    python = [kind for kind in kinds if not isinstance(kind, DType)]
    floating = {dtype for dtype in dtypes if dtype.is_floating or dtype.is_complex}
    if floating:
        if floating == {dtypes_ops.float16, dtypes_ops.bfloat16}:
            return dtypes_ops.float32
        if any(dtype.is_complex for dtype in floating):
            return as_dtype(np.result_type(*[dtype.numpy for dtype in floating]))
        return max(floating, key=lambda dtype: (dtype.size, dtype.name))
    if float in python:
        return as_dtype(settings.floatx())
    if not dtypes:
        return dtypes_ops.int32 if int in python else dtypes_ops.bool
    whole = [np.dtype(dtype.numpy) for dtype in dtypes if dtype is not dtypes_ops.bool]
    if not whole:
        return dtypes_ops.int32 if int in python else dtypes_ops.bool
    dtype = np.result_type(*whole)
    return as_dtype(settings.floatx() if dtype.kind == "f" else dtype)


def as_common_dtype(*operands: Any) -> Any:
    """Converts operands to a list of tensors of their common dtype."""
    arrays = [x if isinstance(x, (bool, int, float)) else tensor(x) for x in operands]
    dtype = common_dtype(*arrays)
    return [cast(x, dtype) if hasattr(x, "dtype") else constant(x, dtype) for x in arrays]


def public(namespace: str, table: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Returns the functions of a table by name; on ``KerasTensor``s they add an ``Operator`` to the functional model.

    Args:
        namespace: the module in ``keras``, such as ``"ops.nn"``.
        table: functions of tensors with Keras's arguments, by Keras's name.
    """
    functions = {name: _public_function(namespace, name, function) for name, function in table.items()}
    FUNCTIONS.update({f"{namespace}.{name}": function for name, function in functions.items()})
    return functions


def _public_function(namespace: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if function.__module__.startswith(("fastgrad._src.keras.ops.", "fastgrad._src.ops.composed.numpy_functions.")):
        function.__name__ = function.__qualname__ = name  # Python's errors for wrong arguments tell it

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if keras_tensors((args, kwargs)):
            return add_operator(f"{namespace}.{name}", args, kwargs)
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__module__ = f"fastgrad.keras.{namespace}"
    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    call.__doc__ = _docstring(f"{namespace}.{name}", function)
    return call


def _docstring(name: str, function: Callable[..., Any]) -> str:
    """Returns what a function does, its arguments if all are known, and an example if there is one."""
    key = name.rpartition(".")[2]
    written = inspect.cleandoc(function.__doc__ or "")
    if "Args:" in written:
        return written
    parameters = list(inspect.signature(function).parameters)
    axis = {"axis": REDUCED_AXIS} if "keepdims" in parameters else {}
    known = {**PARAMETERS, **axis, **ARGUMENTS.get(key, {})}
    purpose = PURPOSES.get(key) or _first_paragraph(written)
    parts = [purpose or f"Keras's ``{name}``, for tensors and ``KerasTensor``s."]
    if known.keys() >= {*parameters}:
        parts.append("Args:\n" + "\n".join(f"    {parameter}: {known[parameter]}" for parameter in parameters))
    if key in EXAMPLES:
        parts.append("Example:\n" + indent(EXAMPLES[key], "    "))
    return "\n\n".join(parts)


def _first_paragraph(docstring: str) -> str:
    return docstring.partition("\n\n")[0]


def described(call: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns ``call``, which has Keras's arguments, with the first paragraph of the docstring of ``function``, which computes it."""
    text = _first_paragraph(inspect.cleandoc(function.__doc__ or ""))
    operands = inspect.signature(function).parameters if inspect.isfunction(function) else ("x", "y")
    names = dict(zip(operands, inspect.signature(call).parameters, strict=False))
    call.__doc__ = re.sub(
        "``.+?``", lambda code: re.sub(r"[A-Za-z_]\w*", lambda name: names.get(name[0], name[0]), code[0]), text
    )
    return call
