"""``tf.print``: tensors among other values, shown as their elements."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.tensor import as_tensor_or_none


def print(*inputs: Any, **kwargs: Any) -> None:  # TensorFlow's name
    """Writes values to standard error, or where ``output_stream`` says.

    Args:
        *inputs: tensors, nested structures of them, and anything that ``str`` takes.
        **kwargs: ``output_stream`` (``sys.stderr``, ``sys.stdout`` or ``"file://path"``, which is appended to), ``summarize``
            (how many elements to show at the ends of each dimension, default 3, -1 for all), ``sep``, ``end``; ``name`` is ignored.

    Raises:
        ValueError: an unknown keyword or output stream. TensorFlow: tf.print.
    """
    stream = kwargs.pop("output_stream", sys.stderr)
    summarize = kwargs.pop("summarize", 3) or 3
    separator, end = kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {sorted(kwargs)}")
    text = separator.join(_text(value, summarize) for value in inputs)
    if isinstance(stream, str) and stream.startswith("file://"):
        with open(stream[len("file://") :], "a", encoding="utf-8") as file:
            file.write(text + end)
    elif hasattr(stream, "write"):
        builtins.print(text, end=end, file=stream)
    else:
        raise ValueError(f"tf.print: output_stream must be sys.stderr, sys.stdout or 'file://path', got {stream!r}.")


def _text(value: Any, summarize: int) -> str:
    tensor = as_tensor_or_none(value)
    if tensor is not None:
        return _elements(tensor._array, summarize)
    if nest.is_nested(value):
        return str(nest.map_structure(lambda item: _Bare(_text(item, summarize)), value))
    return str(value)


class _Bare(str):
    """A text that shows without quotes inside a list."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _elements(array: np.ndarray, summarize: int) -> str:
    if not array.ndim:
        item = array[()]
        return _number(item)
    n = len(array)
    if summarize < 0 or n <= 2 * summarize:
        parts = [_elements(np.asarray(item), summarize) for item in array]
    else:
        ends = [*array[:summarize], *array[n - summarize :]]
        parts = [_elements(np.asarray(item), summarize) for item in ends]
        parts.insert(summarize, "...")
    return "[" + ("\n ".join(p.replace("\n", "\n ") for p in parts) if array.ndim > 1 else " ".join(parts)) + "]"


def _number(item: Any) -> str:
    if isinstance(item, bytes):
        return '"' + item.decode(errors="replace") + '"'
    if isinstance(item, (np.bool_, bool)):
        return "1" if item else "0"
    if np.asarray(item).dtype.kind in "fV":
        # The shortest general format that reads back as the same number.
        texts = (f"{float(item):.{digits}g}" for digits in range(6, 18))
        return next((text for text in texts if type(item)(float(text)) == item), str(item))
    return str(item)
