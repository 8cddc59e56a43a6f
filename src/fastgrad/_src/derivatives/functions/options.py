"""The options of ``numba.njit`` that affect the results of a function."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

from fastgrad._src.jit.numba_internals import ParallelOptions, config


class Options(NamedTuple):
    """The options of ``numba.njit`` that affect the results of a function.

    Attributes:
        error_model: "python" or "numpy".
        is_parallel: whether its ``prange`` loops run on several threads.
        checks_bounds: whether an index beyond an array's end is an error.
    """

    error_model: str = "python"
    is_parallel: bool = False
    checks_bounds: bool = False

    @classmethod
    def of(cls, function: Any) -> Options:
        """Returns the options of a function, which Numba may have compiled."""
        options = getattr(function, "targetoptions", {})
        is_parallel = bool(ParallelOptions(options.get("parallel", False)).prange)
        checks_bounds = bool(options.get("boundscheck") or config.BOUNDSCHECK)
        return cls(str(options.get("error_model", "python")), is_parallel, checks_bounds)

    def agree(self, other: Options) -> bool:
        """True if a statement computes and raises the same under both options."""
        return self.error_model == other.error_model and self.checks_bounds == other.checks_bounds


DEFAULT_OPTIONS = Options()
ARGUMENTS: ContextVar[tuple[Any, ...] | None] = ContextVar("ARGUMENTS", default=())
"""The arguments of the call for which a derivative is compiled, as far as they are known. None: no sizes of arguments may be taken for constants."""


@contextlib.contextmanager
def known_arguments(arguments: tuple[Any, ...] | None) -> Iterator[None]:
    """Sets `ARGUMENTS` for a while."""
    token = ARGUMENTS.set(arguments)
    try:
        yield
    finally:
        ARGUMENTS.reset(token)
