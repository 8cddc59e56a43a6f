"""Gradients that the user defines, in a graph that may be differentiated later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation, is_differentiable
from fastgrad._src.core.operation import Form, JointGradient
from fastgrad._src.core.result_rules import Specs, like_inputs
from fastgrad._src.core.tensor import Tensor


class CustomGradient(UnlistedOperation):
    """An identity of its first inputs whose gradient is a graph: the recorded ``tf.custom_gradient``.

    The other inputs are those of the function that has the gradient, and further values that the graph reads.

    Args:
        name: shown in graphs, errors and reports.
        passes_on: number of the first inputs.
        backward: takes cotangents of the results and the values that it reads; returns those cotangents of the function's
            inputs that are not None.
        has_cotangent: for each input of the function whether it has a cotangent.

    Attributes:
        passes_on, backward, has_cotangent: as given.
    """

    def __init__(self, name: str, passes_on: int, backward: GraphOperation, has_cotangent: Sequence[bool]) -> None:
        super().__init__(name, Form.INDEX_MAP)
        self.passes_on = passes_on
        self.backward, self.has_cotangent = backward, tuple(has_cotangent)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return arrays[: self.passes_on]

    def result(self, *inputs: Any) -> Specs:
        """The result rule: the shapes and dtypes of the first inputs."""
        return like_inputs(*range(self.passes_on))(*inputs)

    @property
    def gradient(self) -> JointGradient:
        return JointGradient(self._cotangents)

    def _cotangents(self, needs: tuple[bool, ...], g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        read = inputs[self.passes_on + len(self.has_cotangent) :]
        cotangents = g if type(g) is tuple else (g,)
        result_cotangents = [cotangent for cotangent in cotangents if is_differentiable(cotangent._array.dtype)]
        input_cotangents = iter(self.backward(*result_cotangents, *read))
        return [
            *[None] * self.passes_on,
            *[next(input_cotangents) if is_there else None for is_there in self.has_cotangent],
            *[None] * len(read),
        ]
