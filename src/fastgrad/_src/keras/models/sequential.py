"""``Sequential``: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from weakref import ref

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import check_type, refuse, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import naming, ownership
from fastgrad._src.keras.layers.embedding import Embedding
from fastgrad._src.keras.layers.input_layer import InputLayer
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.shapes import is_shape
from fastgrad._src.keras.layers.symbolic import KerasTensor, Node
from fastgrad._src.keras.masks import attach_mask, mask_of
from fastgrad._src.keras.models.functional import Functional
from fastgrad._src.keras.models.model import Model, shapes_of
from fastgrad._src.keras.naming import to_snake_case
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.shaping import expand_dims, squeeze
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


class Sequential(Model):
    """A stack of layers: each layer gets the output of the previous one.

    The weights are made at once if the input's shape is known (an ``Input`` at the bottom, or ``input_shape=`` of the
    first layer). Otherwise the first call or ``build`` makes them.

    Args:
        layers: the layers, bottom first.
        trainable: whether the weights are trained.
        name: default ``sequential``, numbered.

    Raises:
        ValueError: an item is not a layer, or two layers have one name.

    Example:
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="tanh"), tf.keras.layers.Dense(1)])
        >>> model(tf.ones((2, 3))).shape
        TensorShape([2, 1])
    """

    _bottom: InputLayer | None  # it is not in `_layers`
    _layers: list[Layer]  # the stack; `_sublayers` has each layer once, and layers that are attributes of subclasses
    _tensors: list[Any]  # the KerasTensors of the input and of the outputs of the layers called so far

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self.supports_masking = True
        self.__dict__.update(_bottom=None, _tensors=[], _layers=[])
        check_type(self, "a list of layers", (Iterable, type(None)), layers=layers)
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Adds a layer on top; builds it if the shape of its input is known.

        Raises:
            ValueError: ``layer`` is not a layer, has the name of another, or is a second input.
        """
        self._append_layer(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Any:
        """Removes the top layer and returns it; IndexError if there is none."""
        require(self._layers, self, "pop from an empty Sequential model: there is no layer", IndexError)
        layer = self._layers.pop()
        if all(other is not layer for other in self._layers):
            self._untrack_object(layer)
        ownership.count_tracking_change()
        del self._tensors[len(self._layers) + 1 :]
        self._seen_shapes.clear()
        self.built = self.built and bool(self._layers)
        return layer

    def _rebuild(self) -> None:
        """Builds the layers if the shape of the input is known, from an input layer or a model at the bottom."""
        layers = self._layers
        if self._bottom is None and len(layers) > 1 and isinstance(first := layers[0], Model):
            shape = getattr(first, "input_shape", None)
            if is_shape(shape):
                self._set_bottom(InputLayer(batch_shape=shape, dtype=first.inputs[0].dtype))
        if self._bottom is None or not layers:
            return
        if type(self).build is Sequential.build:
            self._build_by_symbolic_calls()
        else:
            self.build(self._bottom.batch_shape)

    def _append_layer(self, layer: Any) -> None:
        history = layer._keras_history if isinstance(layer, KerasTensor) else None
        if history is not None and isinstance(history.operation, InputLayer):
            layer = history.operation
        require(isinstance(layer, Layer), self, "Only a `keras.Layer` can be added to a Sequential model", layer=layer)
        if isinstance(layer, InputLayer):
            require(self._bottom is None, self, "it takes no different Input layer")
            if self._layers:
                raise ValueError(f"{self.name}: the Input must be first, not behind '{self._layers[-1].name}'.")
            self._set_bottom(layer)
            return
        if not self._layers and self._bottom is None and layer._input_shape_arg is not None:
            self._set_bottom(InputLayer(shape=layer._input_shape_arg))
        is_new = all(other.name != layer.name or other is layer for other in self._layers)
        require(is_new, self, "layers should have unique names; pass another `name`", name=layer.name)
        self._layers.append(layer)
        self._track_object(layer)
        ownership.count_tracking_change()
        self.built = False
        self._seen_shapes.clear()
        self._restore_added_objects()

    def _set_bottom(self, layer: InputLayer) -> None:
        self.__dict__["_bottom"] = layer
        self._tensors[:] = [layer.output]

    def _lock_state(self) -> None:
        """Does not lock: a Sequential may get more layers after it is built."""

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights of all layers; ValueError if there are no layers, or the model was built for another shape."""
        if not is_shape(input_shape):
            return
        require(self._layers, self, "cannot be built because it has no layers. Call `model.add(layer)`")
        shape = tuple(TensorShape(input_shape))
        if self._bottom is None:
            self._set_bottom(InputLayer(batch_shape=shape, dtype=self._layers[0].compute_dtype))
        elif self._bottom.batch_shape != shape:
            refuse(self, f"is already configured to use input shape {self._bottom.batch_shape}", input_shape=shape)
        self._build_by_symbolic_calls()

    def _build_by_symbolic_calls(self) -> None:
        """Builds the layers that were not called yet by calls on KerasTensors."""
        with naming.RunningLayerScope(self):
            for layer in self._layers[len(self._tensors) - 1 :]:
                try:
                    self._tensors.append(layer(self._tensors[-1]))
                except NotImplementedError:
                    return  # the first call builds the rest
        if not self.built:
            self._build_shapes = {"input_shape": self._tensors[0].shape}
            self._finish_build()

    def _symbolic_input_or_output(self, attribute_name: str) -> Any:
        """Returns the KerasTensor of the input or of the top layer's output.

        Raises:
            AttributeError: the KerasTensor is not known yet.
        """
        if self._bottom is not None and self.built:
            self._build_by_symbolic_calls()  # a call on data built the model, but not its KerasTensors
        if len(self._tensors) < 2 or len(self._tensors) <= len(self._layers):
            raise AttributeError(f"Sequential model '{self.name}' has no defined {attribute_name} yet.")
        return self._tensors[0 if attribute_name.startswith("input") else -1]

    def call(  # type: ignore[override]
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        bottom = self._bottom
        if isinstance(inputs, Composite):
            inputs = self._dense_for_dense_input(inputs)
        if not isinstance(inputs, Tensor) and len(input_list := nest.flatten(inputs)) == 1:
            (inputs,) = input_list
        if bottom is not None and isinstance(inputs, Tensor) and inputs._array.ndim != len(bottom._batch_shape):
            inputs = self._with_rank(inputs)
        if isinstance(inputs, (Tensor, Composite)) and self._layers:
            inputs = self._with_input_dtype(inputs)
        if mask is not None:
            attach_mask(inputs, mask)
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns None: the layers have set the mask of the output."""
        return None

    def _dense_for_dense_input(self, inputs: Composite) -> Any:
        """Makes a sparse tensor dense unless the ``Input`` is sparse, or a model that comes first knows that."""
        has_own_inputs = self._bottom is None and self._layers and isinstance(self._layers[0], (Functional, Sequential))
        takes_sparse = has_own_inputs or (self._bottom is not None and self._bottom.sparse)
        return inputs if takes_sparse or not isinstance(inputs, SparseTensor) else to_dense(inputs)

    def _with_rank(self, inputs: Tensor) -> Tensor:
        """Adds or removes a last dimension of size 1, as Keras does; ValueError if the rank still differs."""
        expected_shape, actual_shape = self.input_shape, inputs.shape
        if len(actual_shape) == len(expected_shape) - 1 and expected_shape[-1] == 1:
            return expand_dims(inputs, -1)
        if len(actual_shape) == len(expected_shape) + 1 and actual_shape[-1] == 1:
            return squeeze(inputs, -1)
        raise ValueError(
            f"Invalid input shape for '{self.name}'. Expected shape {expected_shape}, but input has incompatible shape {actual_shape}"
        )

    def _with_input_dtype(self, inputs: Any) -> Any:
        """Casts numbers to the dtype of the ``Input``, without one to the first layer's compute dtype, as Keras does."""
        first = self._layers[0]
        dtype = first._layer_dtype if self._bottom is None else self._bottom._layer_dtype
        if inputs.dtype == dtype or dtypes.string in (inputs.dtype, dtype):
            return inputs
        if isinstance(
            first, (Embedding, Functional, Sequential)
        ):  # ids stay exact; such a model casts by its own inputs
            return inputs
        input_mask = mask_of(inputs)
        inputs = cast(inputs, dtype)
        if input_mask is not None:
            attach_mask(inputs, input_mask)
        return inputs

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Saves the shape of the input; the first call builds each layer in turn."""
        first = args[0] if args else kwargs.get("inputs")
        require(self._layers, self, "cannot be built because it has no layers. Call `model.add(layer)`")
        if isinstance(first, Tensor) and type(self).build is not Sequential.build:
            self.build(tuple(first._array.shape) if self._bottom is None else self._bottom.batch_shape)
        elif isinstance(first, Tensor) and self._bottom is None:
            self._build_shapes = {"input_shape": tuple(first._array.shape)}

    def _finish_build(self) -> None:
        if self._bottom is None and self._build_shapes is not None:
            shape = self._build_shapes["input_shape"]
            self._set_bottom(InputLayer(batch_shape=shape, dtype=self._layers[0].compute_dtype))
        for layer in self._layers:
            layer.__dict__.setdefault("_stack", ref(self))
        super()._finish_build()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for layer, (argument, outputs) in zip(self._layers, pairwise(self._tensors), strict=False):
            Node.restore(layer, ((argument,), {}), outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def layers(self) -> list[Any]:
        """The layers, bottom first, without the ``Input``."""
        return list(self._layers)

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
        """The shape of the output, with the batch, or a list of several; AttributeError before it is known."""
        return shapes_of(self._symbolic_input_or_output("output shape"))

    @property
    def inputs(self) -> list[Any]:
        """The input KerasTensor of the bottom layer, in a list; AttributeError before it is known."""
        return [self._symbolic_input_or_output("inputs")]

    @property
    def outputs(self) -> list[Any]:
        """The output KerasTensors of the top layer; AttributeError before they are known."""
        return nest.flatten(self._symbolic_input_or_output("outputs"))

    def _saved_children(self) -> dict[str, Any]:
        """Returns the layers by class and number within the class, so that layers without weights do not count."""
        children: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for layer in dict.fromkeys(self._layers):
            class_name = to_snake_case(type(layer).__name__)
            number = counts.get(class_name, 0)
            counts[class_name] = number + 1
            children[f"layers/{class_name}_{number}" if number else f"layers/{class_name}"] = layer
        layer_ids = {id(layer) for layer in self._layers}
        other_children = {
            name: layer for name, layer in super()._saved_children().items() if id(layer) not in layer_ids
        }
        return children | other_children

    def get_config(self) -> dict[str, Any]:
        layers = ([self._bottom] if self._bottom is not None else []) + self._layers
        config = {**super().get_config(), "layers": [serialize_keras_object(layer) for layer in layers]}
        if self._bottom is not None and self._layers:
            config["build_input_shape"] = self._bottom.batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Returns a new model, with weights if ``config`` has the inputs' shape; TypeError for an unknown class, ValueError if it is of no Sequential."""
        require({"name", "layers"} <= config.keys(), "Sequential", "`config` must have 'name', 'layers'", config=config)
        layers = [deserialize_keras_object(layer, custom_objects) for layer in config["layers"]]
        return cls(layers, trainable=config.get("trainable", True), name=config["name"])
