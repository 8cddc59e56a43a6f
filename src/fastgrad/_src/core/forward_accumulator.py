"""Forward-mode differentiation (``tf.autodiff``)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from fastgrad._src.core import nest, recording
from fastgrad._src.core.backward import cotangents_of_inputs, dense_gradient, zeros_of
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE, JointGradient
from fastgrad._src.core.tape import GradientTape as GradientTape
from fastgrad._src.core.tape import UnconnectedGradients, wants_zeros
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable


class ForwardAccumulator(recording.Recorder):
    """Computes Jacobian-vector products of the operations inside of its ``with`` block, in forward mode.

    An operation's gradient rule is linear in the cotangent. The transpose of that linear map is the tangent map; it comes
    from differentiating the rule. Accumulators nest with tapes and with each other.

    Args:
        primals: a tensor, variable or nested structure to differentiate with respect to.
        tangents: the direction: a structure of the same form, shapes and dtypes.

    Raises:
        ValueError: the structures differ, or a primal occurs twice.
        TypeError: a tangent and its primal differ in shape.
    """

    def __init__(self, primals: Any, tangents: Any) -> None:
        nest.assert_same_structure(primals, tangents, check_types=False)
        self._tangents: dict[int, Tensor] = {}
        # The ids of tensors that depend on a primal and have no tangent: those that are constant almost everywhere, as masks and
        # positions are and what is computed from them alone, and those whose derivative has no rule.
        self._constants: set[int] = set()
        self._without_rule: set[int] = set()
        self._variables: dict[int, Tensor] = {}
        self._kept: list[Any] = []
        self._recording = False
        for primal, tangent in zip(nest.flatten(primals), nest.flatten(tangents), strict=True):
            if not isinstance(primal, (Tensor, Variable)):
                raise TypeError(f"ForwardAccumulator: a primal must be a tensor or a variable, got {primal!r}.")
            tangent = convert_to_tensor(tangent, primal.dtype)
            if tangent.shape != primal.shape:
                raise TypeError(
                    f"ForwardAccumulator: a tangent must have its primal's shape {primal.shape}, got {tangent.shape}."
                )
            if any(primal is other for other in self._kept):
                raise ValueError(
                    f"ForwardAccumulator: {primal!r} was specified as a primal multiple times; add up its tangents instead."
                )
            if isinstance(primal, Variable):
                self._variables[id(primal)] = tangent
                self._kept.append(primal)
            else:
                self._set_tangent(primal, tangent)

    def _set_tangent(self, x: Tensor, tangent: Tensor) -> None:
        before = self._tangents.get(id(x))
        self._tangents[id(x)] = tangent if before is None else TABLE["add"](before, tangent)
        self._kept.append(x)

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        if id(variable) in self._variables and id(tensor) not in self._tangents:
            self._set_tangent(tensor, self._variables[id(variable)])

    def on_write(self, variable: Variable) -> None:
        """Removes an assigned variable from the primals."""
        self._variables.pop(id(variable), None)

    def watches(self, tensor: Tensor) -> bool:
        return id(tensor) in self._tangents

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        if operation.gradient is not None and any(id(x) in self._tangents for x in inputs):
            self._set_tangents(operation, inputs, outputs, attributes)
        self._note_dependence(inputs, [y for y in outputs if id(y) not in self._tangents])

    def _set_tangents(self, operation: Any, inputs: Any, outputs: Any, attributes: dict[str, Any]) -> None:
        before = recording.recorders.active
        outer = before.index(self)
        # A recording inside of the block must not see tangent operations: this accumulator sees the whole compiled call
        # as one operation. An inner accumulator has tangents of its own and must not see these either.
        inner = [o for o in before[outer + 1 :] if not o.records_state and not isinstance(o, ForwardAccumulator)]
        recording.recorders.active = (*before[:outer], *inner)
        try:
            tangents = self._computed_tangents(operation, inputs, outputs, attributes)
        finally:
            recording.recorders.active = before
        for y, tangent in zip(outputs, tangents, strict=True):
            if tangent is not None:
                self._set_tangent(y, tangent)

    def _note_dependence(self, inputs: tuple[Any, ...], outputs: list[Any]) -> None:
        """Notes how outputs without a tangent depend on the primals, if they do."""
        ids = {id(x) for x in inputs}
        lacks_rule = not ids.isdisjoint(self._without_rule) or not ids.isdisjoint(self._tangents)
        if not lacks_rule and ids.isdisjoint(self._constants):
            return
        for y in outputs:
            (self._without_rule if lacks_rule and y.dtype.is_differentiable else self._constants).add(id(y))
            self._kept.append(y)

    def _computed_tangents(self, operation: Any, inputs: Any, outputs: Any, attributes: dict[str, Any]) -> list[Any]:
        units = [constant_tensor(np.zeros(y._array.shape, y._array.dtype)) for y in outputs]
        several = len(outputs) > 1
        with GradientTape() as tape:
            tape.watch([u for u in units if u.dtype.is_differentiable])
            g, y = (tuple(units), outputs) if several else (units[0], outputs[0])
            cotangents = cotangents_of_inputs(operation, self._tangents, g, y, inputs, attributes)
            targets, weights = [], []
            for x, cotangent in zip(inputs, cotangents, strict=True):
                if cotangent is not None and id(x) in self._tangents:
                    targets.append(dense_gradient(cotangent))
                    weights.append(self._tangents[id(x)])
        if not targets:
            return [None] * len(outputs)
        tangents = tape.gradient(targets, units, output_gradients=weights)
        rule = operation.gradient
        is_sparse = several and type(rule) is JointGradient and not rule.zeros
        if is_sparse and any(tangent is not None for tangent in tangents):
            return tangents  # the rule tells which outputs depend on the inputs
        # A cotangent that is 0 whatever the unit is, as that of a derivative of relu, is the derivative of an output that depends on the input.
        return [
            zeros_of(y) if tangent is None and y.dtype.is_differentiable else tangent
            for y, tangent in zip(outputs, tangents, strict=True)
        ]

    def __enter__(self) -> Self:
        if self._recording:
            raise ValueError("Accumulator is already recording.")
        recording.start(self)
        self._recording = True
        return self

    def __exit__(self, *exception: Any) -> None:
        recording.stop(self)
        self._recording = False

    def jvp(self, primals: Any, unconnected_gradients: str = UnconnectedGradients.NONE) -> Any:
        """Returns the Jacobian-vector products of computed tensors.

        Args:
            primals: a tensor or nested structure of tensors computed inside of the ``with`` block.
            unconnected_gradients: the result for a tensor that does not depend on the primals: ``"none"`` for None, ``"zero"``
                for zeros. A tensor that depends on them by comparisons or positions alone, such as a mask, has zeros.

        Returns:
            The structure of ``primals`` with a tangent of the same shape for each tensor; an ``IndexedSlices`` for an ``IndexedSlices``.
        """
        gives_zeros = wants_zeros(unconnected_gradients)
        return nest.map_structure(lambda item: self._tangent_of(item, gives_zeros), primals)

    def _tangent_of(self, item: Any, gives_zeros: bool) -> Any:
        if isinstance(item, Variable) and id(item) in self._variables:
            return self._variables[id(item)]
        if isinstance(item, IndexedSlices):
            values = self._tangent_of(item.values, gives_zeros)
            return None if values is None else IndexedSlices(values, item.indices, item.dense_shape)
        x = convert_to_tensor(item)
        tangent = self._tangents.get(id(x))
        is_constant = id(x) in self._constants and x.dtype.is_differentiable
        return zeros_of(x) if tangent is None and (is_constant or gives_zeros) else tangent
