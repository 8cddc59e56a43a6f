"""Operations made for one graph: like rows of the operation table, but not in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.lowering import Lowering
from fastgrad._src.core.operation import Form, Operation
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor


class UnlistedOperation(Operation):
    """The base of operations that are not in the operation table, such as loops; called and recorded as rows are.

    No pass merges or folds it, or knows it by its name.

    Args:
        name: shown in graphs, errors and reports.
        form: its form in a graph.

    Attributes:
        launches, checks: parts of the lowering; see ``Lowering``.
        passes_on: the number of results, if these are the first inputs unchanged, and the operation only defines a
            gradient; else 0.
    """

    launches: Any = None
    checks = False
    passes_on = 0

    def __init__(self, name: str, form: Form = Form.EXTERN) -> None:
        self.name = self.__name__ = name
        self.form = form

    @property
    def lowering(self) -> Lowering:  # type: ignore[override]  # made at each use: as an attribute it would be a reference cycle
        return Lowering(launches=self.launches, checks=self.checks)

    def run(self, *arrays: Any, **attributes: Any) -> Any:
        """Returns the operation's result, as an array or a tuple of arrays."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(f"cannot copy or pickle {self.name}: it is a part of a recorded program.")


def is_differentiable(dtype: np.dtype) -> bool:
    """True if values of a dtype have gradients."""
    return dtype.kind in "fcV"


def are_watched(tensors: Sequence[Tensor]) -> tuple[bool, ...]:
    """Returns a flag for each tensor: whether a recorder watches it for gradients."""
    active = recorders.active
    return tuple(
        [is_differentiable(x._array.dtype) and any(recorder.watches(x) for recorder in active) for x in tensors]
    )
