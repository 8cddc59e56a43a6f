"""``Bidirectional``: two recurrent layers, one forwards in time and one backwards."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_type, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops import namespace as ops

_MERGE_MODES = ("sum", "mul", "ave", "concat", None)


class Bidirectional(Layer):
    """Runs a recurrent layer forwards and a copy backwards in time, and merges the outputs (Schuster and Paliwal 1997).

    Args:
        layer: a recurrent layer; the forward layer is a new layer with the same configuration.
        merge_mode: "concat", "sum", "mul" or "ave"; None returns both outputs unmerged.
        weights: the initial weights, first those of the forward layer.
        backward_layer: the backward layer; default: a copy of ``layer`` that runs backwards.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: no layer, another merge mode, or a backward layer that does not fit.
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        require(isinstance(layer, Layer), self, "`layer` must be a keras.layers.Layer", layer=layer)
        check_type(self, "a keras.layers.Layer or None", (Layer, type(None)), ValueError, backward_layer=backward_layer)
        require(merge_mode in _MERGE_MODES, self, f"`merge_mode` must be one of {_MERGE_MODES}", merge_mode=merge_mode)
        super().__init__(**kwargs)
        self.forward_layer = _renamed_copy(layer, "forward_")
        copied = _renamed_copy(layer, "backward_", go_backwards=True) if backward_layer is None else backward_layer
        self.backward_layer: Any = copied
        self._check_directions()
        directions: tuple[Any, ...] = (self.forward_layer, self.backward_layer)
        for direction in directions:
            if hasattr(direction, "zero_output_for_mask"):
                direction.zero_output_for_mask = direction.return_sequences
            if hasattr(layer, "use_cudnn"):  # no part of a configuration
                direction.use_cudnn = layer.use_cudnn
        self.merge_mode = merge_mode
        self._first_weights = list(weights) if weights else None
        self.stateful = self.forward_layer.stateful
        self.return_sequences = self.forward_layer.return_sequences
        self.return_state = self.forward_layer.return_state
        self.input_spec = layer.input_spec

    def _check_directions(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        require(
            forward.go_backwards != backward.go_backwards,
            self,
            "must differ in `go_backwards`",
            both=forward.go_backwards,
        )
        for name in ("stateful", "return_sequences", "return_state"):
            forward_value, backward_value = getattr(forward, name), getattr(backward, name)
            require(forward_value == backward_value, self, f"`{name}` differs: {forward_value!r}, {backward_value!r}")

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The stored states of the forward and the backward layer; None if the layers are not stateful."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Sets the stored states to zeros; AttributeError if no states are stored."""
        require(self.stateful, self, "Layer must be stateful", AttributeError)
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Sets the stored states to zeros; another name of ``reset_state``."""
        self.reset_state()

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        forward_shape = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (forward_shape[0], tuple(forward_shape[1:])) if self.return_state else (forward_shape, ())
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        if self.merge_mode is None:
            return (output, output, *states, *states)
        return (output, *states, *states) if self.return_state else output

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs if the layer returns sequences, else None."""
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        mask = mask if self.return_sequences else None
        outputs = [mask] if self.merge_mode is not None else [mask, mask]
        return outputs if len(outputs) > 1 or self.return_state else mask

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        """Returns the merged output, with ``return_state`` also the last states; ``initial_state`` begins with the states of the forward layer."""
        forward_states, backward_states = None, None
        if initial_state is not None:
            states_each = len(initial_state) // 2
            forward_states, backward_states = initial_state[:states_each], initial_state[states_each:]
        options: dict[str, Any] = {"mask": mask} if self.forward_layer._signature.takes_mask else {}
        if self.forward_layer._signature.takes_training:
            options["training"] = training
        y = self.forward_layer(sequences, initial_state=forward_states, **options)
        z = self.backward_layer(sequences, initial_state=backward_states, **options)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *z[1:])
            y, z = y[0], z[0]
        y, z = ops.cast(y, self._layer_dtype), ops.cast(z, self._layer_dtype)
        if self.return_sequences:
            z = ops.reverse(z, [1])
        if self.merge_mode is None:
            return (y, z, *states)
        merged_output = _merge_outputs(self.merge_mode, y, z)
        return (merged_output, *states) if self.return_state else merged_output

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = deserialize_keras_object(config[name], custom_objects)
        return cls(**config)


def _renamed_copy(layer: Layer, prefix: str, **changes: Any) -> Any:
    """A new layer with the configuration of ``layer``, ``prefix`` before the name, and ``changes`` of arguments."""
    config = serialize_keras_object(layer)
    config["config"].update(name=prefix + layer.name.removeprefix(prefix), **changes)
    return deserialize_keras_object(config)


def _merge_outputs(mode: str, y: Tensor, z: Tensor) -> Tensor:
    match mode:
        case "concat":
            return ops.concat([y, z], -1)
        case "sum":
            return y + z
        case "ave":
            return (y + z) / 2.0
    return y * z
