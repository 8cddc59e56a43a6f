"""``Sequential``: layers one after the other."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad import nest
from fastgrad.keras import naming, structure
from fastgrad.keras.layers.input_layer import InputLayer
from fastgrad.keras.layers.input_spec import InputSpec, check_shape
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.layers.shapes import is_shape
from fastgrad.keras.layers.symbolic import KerasTensor
from fastgrad.keras.masks import give_mask
from fastgrad.keras.models.model import Model
from fastgrad.keras.naming import to_snake_case
from fastgrad.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor


class Sequential(Model):
    """A stack of layers: each gets the output of the one before.

    The weights are made at once if the input's shape is known (an ``Input`` at the bottom, or ``input_shape=`` of the
    first layer), else by the first call or ``build``.

    Args:
        layers: the layers, bottom first.
        trainable: whether the weights are trained.
        name: default ``sequential``, numbered.

    Raises:
        ValueError: an item that is no layer, two layers of one name.
    """

    _bottom: InputLayer | None  # it is not among the layers
    _shapes: list[Any]  # of the input and of the outputs of the layers that were built from shapes

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self.supports_masking = True
        self.__dict__.update(_bottom=None, _shapes=[])
        for layer in layers or ():
            self._put(layer)
        if self._bottom is not None and self._sublayers:
            self._build_up()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer on top, built if the shape of its input is known.

        Raises:
            ValueError: it is no layer, has the name of another, or is a second input.
        """
        self._put(layer)
        if rebuild and self._bottom is not None and self._sublayers:
            self._build_up()

    def pop(self, rebuild: bool = True) -> Any:
        """Takes the top layer off and returns it; IndexError if there is none."""
        if not self._sublayers:
            raise IndexError("pop from an empty Sequential model: there is no layer.")
        layer = self._sublayers.pop()
        structure.changed()
        del self._shapes[len(self._sublayers) + 1 :]
        self._seen_shapes.clear()
        return layer

    def _put(self, layer: Any) -> None:
        history = layer._keras_history if isinstance(layer, KerasTensor) else None
        if history is not None and isinstance(history.operation, InputLayer):
            layer = history.operation
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Only instances of `keras.Layer` can be added to a Sequential model. Received: {layer} (of type {type(layer)})"
            )
        if isinstance(layer, InputLayer):
            if self._bottom is not None or self._sublayers:
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input shape "
                    f"{None if self._bottom is None else self._bottom.batch_shape}. "
                    "You cannot add a different Input layer to it."
                )
            self._set_bottom(layer)
            return
        if not self._sublayers and self._bottom is None and layer._input_shape_arg is not None:
            self._set_bottom(InputLayer(shape=layer._input_shape_arg))
        if any(other.name == layer.name and other is not layer for other in self._sublayers):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. "
                f"Name '{layer.name}' is already the name of a layer in this model. "
                "Update the `name` argument to pass a unique name."
            )
        self._sublayers.append(layer)  # not _own: the same layer may come twice
        structure.changed()
        self.built = False
        self._seen_shapes.clear()
        self._placed()

    def _set_bottom(self, layer: InputLayer) -> None:
        self.__dict__["_bottom"] = layer
        self._shapes[:] = [layer.batch_shape]

    def _lock_state(self) -> None:
        """Unlike other layers, a Sequential can grow after it is built."""

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights of all layers.

        Args:
            input_shape: with the batch, None for sizes that may vary.

        Raises:
            ValueError: there are no layers, or the model was built for another shape.
        """
        if not is_shape(input_shape):
            return
        if not self._sublayers:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call `model.add(layer)`."
            )
        shape = tuple(TensorShape(input_shape))
        if self._bottom is None:
            self._set_bottom(InputLayer(batch_shape=shape, dtype=self._sublayers[0].compute_dtype))
        elif self._bottom.batch_shape != shape:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{self._bottom.batch_shape}. You cannot build it with input_shape {shape}"
            )
        self._build_up()

    def _build_up(self) -> None:
        """Builds the layers above the highest one whose output's shape is known."""
        with naming.running(self):
            for layer in self._sublayers[len(self._shapes) - 1 :]:
                shape, spec = self._shapes[-1], layer._input_spec
                if isinstance(spec, InputSpec) and is_shape(shape):
                    check_shape(spec, shape, layer._layer_dtype, layer.name)
                try:
                    if not layer.built:
                        layer.build(shape)
                    self._shapes.append(layer.compute_output_shape(shape))
                except NotImplementedError:
                    return  # the first call builds the rest
        self._build_shapes = {"input_shape": self._shapes[0]}
        self._finish_build()

    def call(  # type: ignore[override]
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        """The output of the top layer. ``training`` reaches the layers on its own."""
        bottom = self._bottom
        if not isinstance(inputs, Tensor) and len(found := nest.flatten(inputs)) == 1:
            (inputs,) = found
        if bottom is not None and isinstance(inputs, Tensor) and inputs._array.ndim != len(bottom._batch_shape):
            inputs = self._with_rank(inputs)
        if mask is not None:
            give_mask(inputs, mask)
        for layer in self._sublayers:
            inputs = layer(inputs)
        return inputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: the layers have given the output its mask."""
        return None

    def _with_rank(self, inputs: Tensor) -> Tensor:
        """``inputs`` with a last dimension of size 1 added or removed, as Keras forgives; ValueError if that is not it."""
        wanted, got = self.input_shape, inputs.shape
        if len(got) == len(wanted) - 1 and wanted[-1] == 1:
            return tf.expand_dims(inputs, -1)
        if len(got) == len(wanted) + 1 and got[-1] == 1:
            return tf.squeeze(inputs, -1)
        raise ValueError(
            f"Invalid input shape for '{self.name}'. Expected shape {wanted}, but input has incompatible shape {got}"
        )

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The first call builds the layers as it reaches them."""
        first = args[0] if args else kwargs.get("inputs")
        if not self._sublayers:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call `model.add(layer)`."
            )
        if isinstance(first, Tensor) and self._bottom is None:
            self._build_shapes = {"input_shape": tuple(first._array.shape)}

    def _finish_build(self) -> None:
        if self._bottom is None and self._build_shapes is not None:
            shape = self._build_shapes["input_shape"]
            self._set_bottom(InputLayer(batch_shape=shape, dtype=self._sublayers[0].compute_dtype))
        super()._finish_build()

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the top layer's output."""
        for layer in self._sublayers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def layers(self) -> list[Any]:
        """The layers, bottom first, without the ``Input``."""
        return list(self._sublayers)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and should not be used. "
            "Use `add()` and `pop()` to change the layers in this model."
        )

    @property
    def input_shape(self) -> Any:
        """The shape of the inputs, with the batch; AttributeError before it is known."""
        if self._bottom is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined input shape yet.")
        return self._bottom.batch_shape

    @property
    def output_shape(self) -> Any:
        """The shape of the outputs, with the batch; AttributeError before it is known."""
        if self._bottom is None or not self._sublayers:
            raise AttributeError(f"Sequential model '{self.name}' has no defined output shape yet.")
        return self.compute_output_shape(self._bottom.batch_shape)

    def _saved_children(self) -> dict[str, Any]:
        """The layers by class and number within the class, so that layers without weights don't count."""
        found: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for layer in dict.fromkeys(self._sublayers):
            kind = to_snake_case(type(layer).__name__)
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            found[f"layers/{kind}_{number}" if number else f"layers/{kind}"] = layer
        return found

    def get_config(self) -> dict[str, Any]:
        """Name, dtype and the configurations of all layers."""
        layers = ([self._bottom] if self._bottom is not None else []) + self._sublayers
        config = {**super().get_config(), "layers": [serialize_keras_object(layer) for layer in layers]}
        if self._bottom is not None and self._sublayers:
            config["build_input_shape"] = self._bottom.batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A new model of a configuration, its weights made if the shape of the inputs is in it.

        Raises:
            TypeError: a class in it is not known.
            ValueError: it is not that of a Sequential.
        """
        if not {"name", "layers"} <= config.keys():
            raise ValueError(
                "A Sequential model configuration must be a dictionary containing the 'name' and 'layers' keys. "
                f"Received: config={config}"
            )
        layers = [deserialize_keras_object(layer, custom_objects) for layer in config["layers"]]
        return cls(layers, trainable=config.get("trainable", True), name=config["name"])
