"""Base classes of passes that are added to Numba's compiler. Those of Numba have an abstract constructor."""

from __future__ import annotations

from fastgrad._src.jit import numba_internals


class FunctionPass(numba_internals.FunctionPass):  # type: ignore[misc]  # Numba has no types
    """The base of passes of a function's IR."""

    def __init__(self) -> None:
        super().__init__()


class LoweringPass(numba_internals.LoweringPass):  # type: ignore[misc]
    """The base of passes after which Numba does not read a function's IR."""

    def __init__(self) -> None:
        super().__init__()
