"""``tf.print``: prints tensors by their elements, and other values."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import checked_integer
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.recording import in_trial_run, recorders
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none


def print(*inputs: Any, **kwargs: Any) -> None:  # TensorFlow's name
    """Writes values to standard error, or to ``output_stream``.

    Args:
        *inputs: tensors, nested structures of tensors, and other objects.
        **kwargs: ``output_stream`` (``sys.stderr``, ``sys.stdout`` or ``"file://path"``, which is appended to), ``summarize``
            (the number of elements to show at both ends of each dimension, default 3, -1 for all), ``sep``, ``end``;
            ``name`` is ignored.

    Raises:
        ValueError: the keyword or output stream is unknown.
        TypeError: ``summarize`` is not an integer. TensorFlow: tf.print.

    Example:
        >>> tf.print("loss:", tf.constant(0.5))
    """
    stream = kwargs.pop("output_stream", None)
    summarize = kwargs.pop("summarize", 3)
    summarize = 3 if summarize is None else checked_integer("tf.print", "summarize", summarize) or 3
    separator, end = kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    kwargs.pop("name", None)
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {sorted(kwargs)}")
    if not in_trial_run():
        _print_to_stream(inputs, stream, summarize, separator, end)
    if recorders.active:
        leaves = [_tensor_or_item(item) for item in nest.flatten(list(inputs), expand_composites=True)]
        tensors = tuple([leaf for leaf in leaves if isinstance(leaf, Tensor)])

        def print_at_replay(*arrays: np.ndarray) -> None:
            array_iterator = iter(arrays)
            values = [Tensor(next(array_iterator)) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
            _print_to_stream(
                nest.pack_sequence_as(list(inputs), values, expand_composites=True), stream, summarize, separator, end
            )

        for recorder in recorders.active:
            recorder.on_call("print", print_at_replay, tensors, (), True)


def _tensor_or_item(item: Any) -> Any:
    tensor = as_tensor_or_none(item)
    return item if tensor is None else tensor


def _print_to_stream(inputs: Any, stream: Any, summarize: int, separator: str, end: str) -> None:
    is_single = len(inputs) == 1 and not isinstance(inputs[0], Composite)
    only_tensor = as_tensor_or_none(inputs[0]) if is_single else None
    if only_tensor is not None and not only_tensor.ndim and only_tensor.dtype is dtypes.string:
        text = bytes(only_tensor._on_host()[()]).decode(errors="replace")  # a single string has no quotes
    else:
        text = separator.join(_value_text(value, summarize) for value in inputs)
        text = text.encode(errors="surrogateescape").decode(errors="replace")  # bytes that are not UTF-8
    if stream is None:
        builtins.print(text, end=end, file=sys.stderr)
    elif isinstance(stream, str) and stream.startswith("file://"):
        with open(stream[len("file://") :], "a", encoding="utf-8") as file:
            file.write(text + end)
    elif hasattr(stream, "write"):
        builtins.print(text, end=end, file=stream)
    else:
        raise ValueError(f"tf.print: output_stream must be sys.stderr, sys.stdout or 'file://path', got {stream!r}.")


def _value_text(value: Any, summarize: int) -> str:
    if isinstance(value, Composite):
        return value._text(lambda array: elements_summary(array, summarize))
    tensor = as_tensor_or_none(value)
    if tensor is not None:
        return elements_summary(tensor._on_host(), summarize)
    if isinstance(value, str):
        return value
    if not nest.is_nested(value):
        return repr(value)
    import pprint

    placeholders: list[_Placeholder] = []

    def placeholder_of(item: Any) -> Any:
        if isinstance(item, Composite):
            text = f"'{_value_text(item, summarize)}'"
        elif (leaf_tensor := as_tensor_or_none(item)) is not None:
            text = elements_summary(leaf_tensor._on_host(), summarize)
        else:
            return item
        placeholders.append(_Placeholder(f"\0{len(placeholders)}\0", text))
        return placeholders[-1]

    text = pprint.pformat(nest.map_structure(placeholder_of, value))
    for placeholder in placeholders:
        text = text.replace(placeholder.mark, placeholder.text)
    return text


class _Placeholder:
    """A placeholder for a tensor while ``pprint`` formats a structure."""

    def __init__(self, mark: str, text: str) -> None:
        self.mark = mark
        self.text = text

    def __repr__(self) -> str:
        return self.mark


def elements_summary(array: np.ndarray, summarize: int, depth: int = 1) -> str:
    """Returns the elements as text, with ``summarize`` of them at both ends of each dimension, or all if it is negative.

    Bytes that are not UTF-8 become surrogates.
    """
    if not array.ndim:
        return _number_text(array[()])
    n = len(array)
    shown_items = list(array) if summarize < 0 or n <= 2 * summarize else [*array[:summarize], *array[n - summarize :]]
    element_texts = [elements_summary(np.asarray(item, array.dtype), summarize, depth + 1) for item in shown_items]
    if len(shown_items) < n:
        element_texts.insert(summarize, "...")
    separator = " " if array.ndim == 1 else "\n" * (array.ndim - 1) + " " * depth
    return "[" + separator.join(element_texts) + "]"


_ESCAPES = {
    **{code: f"\\{code:03o}" for code in (*range(0x20), 0x7F)},
    **str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "'": "\\'", "\\": "\\\\"}),
}
"""How quoted strings show characters, by code; as absl::Utf8SafeCEscape."""


def _number_text(item: Any) -> str:
    if isinstance(item, bytes):
        return '"' + item.decode(errors="surrogateescape").translate(_ESCAPES) + '"'
    if isinstance(item, (np.bool_, bool)):
        return "1" if item else "0"
    number_dtype = np.asarray(item).dtype
    if number_dtype.kind not in "fV":
        return str(item)
    if item == 0:
        return "-0" if np.signbit(item) else "0"
    # Decimal numbers of `few` digits survive a round trip; `all_of_them` digits identify each binary number.
    few, all_of_them, exact = (15, 17, np.float64) if number_dtype.itemsize == 8 else (6, 9, np.float32)
    text = f"{float(item):.{few}g}"
    return text if exact(text) == item or item != item else f"{float(item):.{all_of_them}g}"  # noqa: PLR0124 - NaN
