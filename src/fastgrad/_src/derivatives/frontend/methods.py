"""The methods of lists, dictionaries and sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.ir.values import Static

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

Rule = Callable[[Any, Any, str, list[Any], types.Type], Any]
"""A function of (lowering, container, name, arguments, Numba's type of the result). It returns ``NotImplemented`` for arguments that it can't take."""
RULES: dict[str, dict[str, Rule]] = {}
"""The rules by the ``kind`` of the container and the name of the method."""
_REMEDIES = {
    "list of arrays": "; append the arrays one by one",
    "list of tuples": "; append the tuples one by one",
    **dict.fromkeys(["set", "dictionary"], " like this"),
}


def call(lowering: Lowering, owner: Any, name: str, arguments: list[Any], type: types.Type) -> Any:
    """Lowers the call of a method of a list, a dictionary or a set.

    Raises:
        DifferentiationError: it has no rule.
    """
    rule = RULES[owner.kind].get(name)
    result = NotImplemented if rule is None else rule(lowering, owner, name, arguments, type)
    if result is NotImplemented:
        reason = f"the method {name} of a {owner.kind} can't be differentiated{_REMEDIES.get(owner.kind, '')}"
        raise lowering.builder.refuse(reason)
    return Static(None) if result is None else result
