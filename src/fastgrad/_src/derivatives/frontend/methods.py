"""The methods of lists, dictionaries and sets."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.ir.values import Static

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

RULES: dict[str, dict[str, Callable[..., Any]]] = {}
"""The rules by the ``kind`` of the container and the name of the method: functions of the lowering, the container and the arguments, see `apply_rule`.
Reads, assignments and loops are the methods ``__getitem__``, ``__setitem__`` and ``__iter__``.
"""
_REMEDIES = {
    "list of arrays": "; append the arrays one by one",
    "list of tuples": "; append the tuples one by one",
    **dict.fromkeys(["set", "dictionary"], " like this"),
}


_signature = functools.lru_cache(maxsize=512)(inspect.signature)


def apply_rule(rule: Callable[..., Any], arguments: list[Any], **known: Any) -> Any:
    """Returns what a rule returns for arguments by position, and for those of ``known`` that are its parameters; ``NotImplemented`` if it takes others."""
    signature = _signature(rule)
    named = {name: value for name, value in known.items() if name in signature.parameters}
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        return NotImplemented
    return rule(*arguments, **named)


def call(lowering: Lowering, owner: Any, name: str, arguments: list[Any], type: types.Type) -> Any:
    """Lowers the call of a method of a list, a dictionary or a set.

    Raises:
        DifferentiationError: it has no rule.
    """
    rule = RULES[owner.kind].get(name)
    result = (
        NotImplemented if rule is None else apply_rule(rule, [lowering, owner, *arguments], name=name, result_type=type)
    )
    if result is NotImplemented:
        reason = f"the method {name} of a {owner.kind} can't be differentiated{_REMEDIES.get(owner.kind, '')}"
        raise lowering.builder.refuse(reason)
    return Static(None) if result is None else result
