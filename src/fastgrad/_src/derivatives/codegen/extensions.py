"""The implementations and typings of functions by which users extend Numba, as ``numba.extending.overload`` does."""

from __future__ import annotations

import functools

from fastgrad._src.jit.libraries import is_of_library
from fastgrad._src.jit.numba_internals import builtin_registry


class Extensions:
    """The users' extensions of Numba. Keys of derivatives have none of them.

    Attributes:
        uses: how often a derivation has used one.
    """

    uses = 0

    @staticmethod
    def count() -> int:
        """Returns the number of typings of functions and attributes that users have given Numba."""
        registry = builtin_registry
        return _count_user_typings(len(registry.functions), len(registry.attributes), len(registry.globals))


@functools.lru_cache(maxsize=1)
def _count_user_typings(functions: int, attributes: int, values: int) -> int:
    """Returns the number of users' typings, which may change with the numbers of all."""
    registry = builtin_registry
    of_values = [typing for _, type in registry.globals for typing in getattr(type, "templates", ())]
    return sum(map(_is_user_typing, [*registry.functions, *registry.attributes, *of_values]))


def _is_user_typing(typing: type) -> bool:
    functions = [vars(typing)[name] for name in ("_overload_func", "_definition_func") if name in vars(typing)]
    return not all(is_of_library(origin.__module__) for origin in (*typing.__mro__, *functions))
