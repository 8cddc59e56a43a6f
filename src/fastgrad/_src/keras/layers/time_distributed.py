"""``TimeDistributed``: a layer applied to each time step."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.wrapper import Wrapper
from fastgrad._src.ops import namespace as ops


class TimeDistributed(Wrapper):
    """Applies a layer to each time step of inputs of shape (batch, time, ...), each step as a batch.

    Args:
        layer: the layer.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: ``layer`` is not a layer. (At a call: the inputs' rank is 2 or less, or the mask does not fit them.)
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        require(isinstance(layer, Layer), self, "`layer` must be a keras.layers.Layer", layer=layer)
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ValueError(f"TimeDistributed: `input_shape` must have at least 3 dimensions. Received: {input_shape}")
        return (input_shape[0], *input_shape[2:])

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer for one time step."""
        super().build(self._step_shape(input_shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        step_output_shape = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (step_output_shape[0], input_shape[1], *step_output_shape[1:])

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        options: dict[str, Any] = {}
        if self.layer._signature.takes_training:
            options["training"] = training
        rows = [ops.transpose(inputs, [1, 0, *range(2, inputs._array.ndim)])]
        if mask is not None:
            self._check_mask(inputs, mask)
            if self.layer._signature.takes_mask:
                rows.append(ops.transpose(mask, [1, 0, *range(2, mask.ndim)]))

        def run_step(carry: list[Tensor], step_inputs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            mask_option = {"mask": step_inputs[1]} if len(step_inputs) > 1 else {}
            return [], [self.layer._run((self.layer._converted_inputs(step_inputs[0]),), {**mask_option, **options})]

        outputs = ops.loop_over_rows(run_step, [], rows)[1][0]
        if outputs.dtype.is_floating and self._layer_dtype.is_floating:
            outputs = ops.cast(outputs, self._layer_dtype)
        return ops.transpose(outputs, [1, 0, *range(2, outputs.ndim)])

    def _check_mask(self, inputs: Tensor, mask: Tensor) -> None:
        require(mask.ndim >= 2, self, "`mask` must have the dimensions batch and time", mask=tuple(mask.shape))
        if mask._array.shape[:2] != inputs._array.shape[:2]:
            raise ValueError(f"TimeDistributed: `mask` needs shape {tuple(inputs.shape[:2])}, got {tuple(mask.shape)}.")
