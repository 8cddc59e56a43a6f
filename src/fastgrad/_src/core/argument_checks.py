"""Argument checks with errors that name the called function."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np


class named_argument:  # noqa: N801 - a context, as of contextlib, that costs less where each batch enters some
    """Lets ValueErrors and TypeErrors within the scope name an argument and what it must be."""

    __slots__ = ("_argument", "_name", "_wanted")

    def __init__(self, name: str, argument: str, wanted: str) -> None:
        self._name, self._argument, self._wanted = name, argument, wanted

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, (TypeError, ValueError)):
            named_kind = ValueError if isinstance(error, ValueError) else TypeError
            raise named_kind(f"{self._name}: Argument `{self._argument}` must be {self._wanted}. {error}") from None


def _name_of(owner: Any) -> str:
    """Returns the name of a function, or the class of an object with the object's name where it has one."""
    if isinstance(owner, str):
        return owner
    name = getattr(owner, "__dict__", {}).get("name")
    return type(owner).__name__ if name is None else f"{type(owner).__name__} '{name}'"


def require(
    is_met: object, owner: Any, requirement: str, kind: type[Exception] = ValueError, /, **received: Any
) -> None:
    """Raises an error of class ``kind`` that tells a requirement and the values received, unless it is met.

    Args:
        is_met: whether the requirement is met.
        owner: the name of the function, or the object, whose requirement it is.
        requirement: a sentence, which names the argument and what it must be, without the full stop.
        kind: the class of the error.
        **received: the values that the requirement is about, by the names that the caller knows.
    """
    if not is_met:
        refuse(owner, requirement, kind, **received)


def refuse(owner: Any, requirement: str, kind: type[Exception] = ValueError, /, **received: Any) -> NoReturn:
    """Raises the error of ``require``."""
    values = ", ".join(f"{name}={value!r:.200}" for name, value in received.items())
    raise kind(f"{_name_of(owner)}: {requirement}.{values and f' Received: {values}'}")


def check_positive(owner: Any, **counts: Any) -> None:
    """Raises ValueError if one of ``counts`` is not a positive integer."""
    for argument, count in counts.items():
        is_met = isinstance(count, int) and not isinstance(count, bool) and count > 0
        require(is_met, owner, f"`{argument}` must be a positive integer", **{argument: count})


def check_choice(owner: Any, choices: Any, kind: type[Exception] = ValueError, /, **arguments: Any) -> None:
    """Raises an error of class ``kind`` if one of ``arguments`` is none of ``choices``."""
    for argument, choice in arguments.items():
        if choice not in choices:
            refuse(owner, f"`{argument}` must be one of {choices}", kind, **{argument: choice})


def check_type(owner: Any, wanted: str, types: Any, kind: type[Exception] = TypeError, /, **arguments: Any) -> None:
    """Raises an error of class ``kind`` if one of ``arguments`` is no instance of ``types``, in words: ``wanted``."""
    for argument, value in arguments.items():
        if not isinstance(value, types):
            refuse(owner, f"`{argument}` must be {wanted}", kind, **{argument: value})


def check_interval(owner: Any, interval: str, kind: type[Exception] = ValueError, /, **numbers: Any) -> None:
    """Raises an error if one of ``numbers`` is outside ``interval``, written as "[0, 1)" for 0 <= number < 1."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    for argument, number in numbers.items():
        is_above = number >= low if interval.startswith("[") else number > low
        is_below = number <= high if interval.endswith("]") else number < high
        if not (is_above and is_below):
            refuse(owner, f"`{argument}` must be in the interval {interval}", kind, **{argument: number})


def check_at_least(owner: Any, least: float, kind: type[Exception] = ValueError, /, **numbers: Any) -> None:
    """Raises an error of class ``kind`` if one of ``numbers`` is below ``least``."""
    for argument, number in numbers.items():
        if number < least:
            refuse(owner, f"`{argument}` must be at least {least}", kind, **{argument: number})


def check_length(owner: Any, length: int, kind: type[Exception] = ValueError, /, **lists: Any) -> None:
    """Raises an error of class ``kind`` if one of ``lists`` does not have ``length`` items."""
    for argument, items in lists.items():
        if len(items) != length:
            refuse(owner, f"`{argument}` must have {length} items, got {len(items)}", kind, **{argument: items})


def check_rank(owner: Any, ranks: Any, kind: type[Exception] = ValueError, /, **tensors: Any) -> None:
    """Raises an error of class ``kind`` if the rank of one of ``tensors``, or shapes, is not ``ranks``, or one of these."""
    allowed = (ranks,) if isinstance(ranks, int) else tuple(ranks)
    for argument, tensor in tensors.items():
        shape = getattr(tensor, "shape", tensor)
        if len(shape) not in allowed:
            refuse(owner, f"`{argument}` must have rank {' or '.join(map(str, allowed))}", kind, shape=list(shape))


def check_shapes(owner: Any, wanted: str, kind: type[Exception] = ValueError, /, *tensors: Any) -> None:
    """Raises an error of class ``kind`` if ``tensors``, or shapes, do not have the shapes ``wanted``.

    Args:
        owner: the name of the function, or the object, whose arguments they are.
        wanted: each argument and its shape, such as "boxes (..., n, 4), scores (..., n)". A name has the same size at
            each place. ``...`` at the start of a shape is any number of axes, and the same sizes at each place.
        kind: the class of the error.
        *tensors: the tensors or shapes, in the order of ``wanted``.
    """
    shapes = [tuple(getattr(tensor, "shape", tensor)) for tensor in tensors]
    known: dict[str, Any] = {}
    for shape, sizes in zip(shapes, _sizes_by_argument(wanted), strict=True):
        if sizes and sizes[0] == "...":
            count = max(len(shape) - len(sizes) + 1, 0)
            shape = (shape[:count], *shape[count:])
        is_met = len(shape) == len(sizes)
        for name, size in zip(sizes, shape, strict=False):
            is_met &= (name if type(name) is int else known.setdefault(name, size)) == size
        if not is_met:
            refuse(owner, f"The arguments must have the shapes {wanted}", kind, shapes=[list(x) for x in shapes])


@functools.lru_cache(256)
def _sizes_by_argument(wanted: str) -> tuple[tuple[Any, ...], ...]:
    """Returns the numbers and names in each pair of parentheses of ``wanted``."""
    texts = [[size.strip() for size in text.split(",") if size] for text in re.findall(r"\((.*?)\)", wanted)]
    return tuple(tuple(int(size) if size.isdigit() else size for size in sizes) for sizes in texts)


def check_list(name: str, argument: str, values: Any) -> None:
    """Raises ValueError for None and for a dict in place of a list of tensors."""
    if values is None or isinstance(values, dict):
        raise ValueError(f"{name}: Argument `{argument}` must be a list of tensors, got {values!r:.200}.")


def check_counts(name: str, **counts: Any) -> None:
    """Raises TypeError or ValueError if one of ``counts`` is neither a positive integer nor None."""
    for argument, count in counts.items():
        message = (
            f"{name}: Argument `{argument}` must be a positive integer or None. Received: {argument}={count!r:.200}"
        )
        if count is not None and (not hasattr(count, "__index__") or np.ndim(count) > 0):
            raise TypeError(message)
        if count is not None and checked_integer(name, argument, count) < 1:
            raise ValueError(message)


def checked_path(name: str, argument: str, path: Any) -> str:
    """Returns ``path`` as a string; TypeError if it is not a path."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: Argument `{argument}` must be a path, got {path!r}.")
    return os.fsdecode(path)


def checked_callable(name: str, argument: str, function: Any) -> Callable[..., Any]:
    """Returns ``function``; TypeError if it is not callable."""
    if not callable(function):
        raise TypeError(f"{name}: Argument `{argument}` must be callable, got {function!r}.")
    callable_argument: Callable[..., Any] = function
    return callable_argument


def checked_integer(name: str, argument: str, number: Any) -> int:
    """Returns ``number`` as an int; TypeError if it is not an integer."""
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name}: Argument `{argument}` must be an integer, got {number!r}.") from None


def checked_flag(name: str, argument: str, flag: Any) -> bool:
    """Returns the truth value of ``flag``; TypeError if it has none, as arrays."""
    try:
        return bool(flag)
    except ValueError:
        raise TypeError(f"{name}: Argument `{argument}` must be True or False, got {flag!r:.200}.") from None


def as_float(number: Any) -> float:
    """Returns a number as a float for an operation that needs it to know what it computes; a recording guards a tensor's value."""
    if isinstance(number, (str, bytes)):
        raise TypeError(f"a number is wanted, got {number!r:.200}.")
    read = getattr(type(number), "_as_argument", float)
    return read(number)


def checked_number(name: str, argument: str, number: Any) -> float:
    """Returns ``number`` as a float; TypeError if it is not a number."""
    try:
        return as_float(number)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: Argument `{argument}` must be a number, got {number!r}.") from None
