"""Passes that are added to Numba's compiler, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.jit.numba_internals import FunctionPass, register_pass


def as_pass(
    base: Any = FunctionPass, mutates_cfg: bool = False, analysis_only: bool = False
) -> Callable[[Callable[[Any], bool]], Any]:
    """Returns the decorator that makes a pass of a function of the compiler's state, which returns whether it has changed the statements.

    Args:
        base: Numba's class of the pass. After a ``LoweringPass`` Numba does not read the IR.
        mutates_cfg, analysis_only: what Numba's ``register_pass`` takes.
    """

    def make_pass(run: Callable[[Any], bool]) -> Any:
        class Pass(base):  # type: ignore[misc]  # Numba has no types
            _name = f"fastgrad_{run.__name__.removeprefix('_')}"

            def __init__(self) -> None:  # that of the base is abstract
                super().__init__()

            def run_pass(self, state: Any) -> bool:
                return run(state)

        Pass.__name__, Pass.__doc__ = run.__name__, run.__doc__
        return register_pass(mutates_CFG=mutates_cfg, analysis_only=analysis_only)(Pass)

    return make_pass
