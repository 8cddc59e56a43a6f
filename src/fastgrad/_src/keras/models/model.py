"""``Model``: a layer of layers that can be trained and saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.compiler.function import function
from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.masks import attach_mask
from fastgrad._src.keras.saving import model_files
from fastgrad._src.keras.training.trainer import Trainer


@declare_missing(
    "distribute_reduction_method",
    "distribute_strategy",
    "evaluate_generator",
    "fit_generator",
    "get_quantization_layer_structure",
    "get_state_tree",
    "predict_classes",
    "predict_generator",
    "predict_proba",
    "set_state_tree",
    "stateless_compute_loss",
)
class Model(Trainer, Layer):
    """The base of models: subclasses make layers in ``__init__`` and use them in ``call(inputs)``.

    ``Model(inputs, outputs)`` is a functional model: the graph of calls from ``keras.Input`` tensors to results of layers. A
    subclass that passes both to ``super().__init__`` is a functional model, too.

    Args:
        inputs, outputs: for a functional model: KerasTensors, nested.
        trainable, dtype, name, ...: as in ``Layer``.

    Example:
        >>> inputs = tf.keras.Input((3,))
        >>> model = tf.keras.Model(inputs, tf.keras.layers.Dense(2)(inputs))
        >>> model(tf.ones((5, 3))).shape
        TensorShape([5, 2])
    """

    _graph: Any  # the calls of a functional model

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from fastgrad._src.keras.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        model = super().__new__(cls, *args, **kwargs)
        model.__dict__["_graph"] = None
        return model

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not _is_functional(args, kwargs):
            require(not args, self, "takes keyword arguments, or inputs and outputs", TypeError, args=args)
            super().__init__(**kwargs)
            return
        inputs = args[0] if args else kwargs.pop("inputs")
        outputs = args[1] if len(args) > 1 else kwargs.pop("outputs")
        if len(args) > 2:
            kwargs.setdefault("name", args[2])
        if kwargs.get("trainable", True) is None:
            del kwargs["trainable"]
        super().__init__(**kwargs)
        self._set_graph(inputs, outputs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Returns a model, with new weights, of a ``get_config`` result; ``Model`` itself makes functional models."""
        if cls.__init__ is Model.__init__ and {"layers", "input_layers", "output_layers"} <= config.keys():
            from fastgrad._src.keras.models.functional import Functional

            model_class = Functional if cls is Model else cls
            return Functional.from_config.__func__(model_class, config, custom_objects)  # type: ignore[attr-defined]
        return super().from_config(config)

    def _config_of_layer_graph(self) -> dict[str, Any] | None:
        if self._graph is None or type(self).__init__ is not Model.__init__:
            return None
        from fastgrad._src.keras.models.functional import Functional

        return Functional.get_config(self)  # type: ignore[arg-type]

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        """Makes this model a functional model with these input and output KerasTensors."""
        from fastgrad._src.keras.models.functional import make_call_graph

        graph = make_call_graph(inputs, outputs, self)
        self.__dict__["_graph"] = graph
        self.supports_masking = True
        self._build_shapes = {"input_shape": nest.map_structure(lambda x: x.shape, inputs)}
        self._finish_build()

    def _lock_state(self) -> None:
        """Does not lock: a functional model is built by its constructor, and may get more layers or weights later."""
        if self._graph is None:
            super()._lock_state()

    def call(self, inputs: Any, *args: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        graph = self._graph
        if graph is None:
            raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")
        if mask is None:
            return graph.run_on_user_inputs(self, inputs)
        from fastgrad._src.keras.models.functional import model_input_values

        values = model_input_values(self, graph, inputs)
        for value, input_mask in zip(values, nest.flatten(mask), strict=False):
            if input_mask is not None:
                attach_mask(value, input_mask)
        return graph.run(values)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns None for a functional model: its layers have set the masks of the outputs."""
        return None if self._graph is not None else super().compute_mask(inputs, previous_mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        graph = self._graph
        if graph is not None and input_shape in (self.input_shape, nest.map_structure(lambda x: x.shape, graph.inputs)):
            return nest.map_structure(lambda x: x.shape, graph.outputs)
        return super().compute_output_shape(input_shape)

    def _graph_or_error(self, attribute_name: str) -> Any:
        if self._graph is None:
            raise AttributeError(f"Model '{self.name}' has no `{attribute_name}`: it is no functional model.")
        return self._graph

    @property
    def inputs(self) -> list[Any]:
        """The input KerasTensors of a functional model."""
        return list(self._graph_or_error("inputs").flat_inputs)

    @property
    def outputs(self) -> list[Any]:
        """The output KerasTensors of a functional model."""
        return list(self._graph_or_error("outputs").flat_outputs)

    @property
    def input(self) -> Any:
        """The input KerasTensors of a functional model, in their structure."""
        return Layer.input.__get__(self) if self._graph is None else self._graph.inputs

    @property
    def output(self) -> Any:
        """The output KerasTensors of a functional model, in their structure."""
        return Layer.output.__get__(self) if self._graph is None else self._graph.outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input, with the batch; a list of shapes for several inputs."""
        return shapes_of(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, with the batch; a list of shapes for several outputs."""
        return shapes_of(self.output)

    @property
    def input_names(self) -> list[str]:
        """The names of the input layers."""
        return [x._keras_history.operation.name for x in self.inputs]

    @property
    def output_names(self) -> list[str] | None:
        """The names of the output layers; None for models that are not functional."""
        return None if self._graph is None else [x._keras_history.operation.name for x in self.outputs]

    @property
    def layers(self) -> list[Any]:
        """The layers that are attributes, also in lists and dicts, in the order of assignment.

        The layers of a functional model are its inputs and the layers that depend on them.
        """
        return list(self._sublayers) if self._graph is None else list(self._graph.layers)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`Model.layers` attribute is reserved and should not be used. Please use another name.")

    @property
    def operations(self) -> list[Any]:
        """A functional model's layers and its other operations: Python operators and functions on KerasTensors."""
        return list(self._graph_or_error("operations").operations)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Returns a layer of ``layers`` by name or by position.

        Raises:
            ValueError: there is no such layer, or not exactly one of the arguments is given.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError(f"Provide either a layer name or a layer index. Received: index={index}, name={name}.")
        if index is not None:
            if not -len(layers) <= index < len(layers):
                # For a negative index Keras raises IndexError, as a Python list does.
                error_class = ValueError if index >= 0 else IndexError
                raise error_class(
                    f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Prints a table of the layers, their shapes and numbers of weights.

        Args:
            print_fn: called with the text in place of ``print``.
            expand_nested: whether the layers of inner models are listed.
            show_trainable: whether the table says which layers are trained.
            layer_range: patterns of the names of the first and the last layer to list; ValueError if no name matches.
            line_length: the columns of a line; default 88, for layers with several inputs 108, at most the terminal's.
            positions: where each column of the table ends, as parts of the line.

        A layer that is not built has shape ``?``, and its weights are not counted.
        """
        from fastgrad._src.keras.models.summary import summary_text

        (print_fn or print)(summary_text(self, line_length, positions, expand_nested, show_trainable, layer_range))

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights to a ``.safetensors`` or ``.npz`` file; see ``keras.saving.save_weights``."""
        model_files.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
        """Loads the weights of a file, all or none; see ``keras.saving.load_weights``."""
        model_files.load_weights(self, filepath, skip_mismatch, by_name)

    def save(self, filepath: Any, overwrite: bool = True, **options: Any) -> None:
        """Writes configuration and weights to a ``.safetensors`` or ``.npz`` file; see ``keras.models.save_model``."""
        model_files.save_model(self, filepath, overwrite, **options)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes the model as a SavedModel for inference: ``tf.saved_model.load(filepath).serve(x)``.

        Args:
            filepath: the folder.
            format: ``"tf_saved_model"``.
            verbose: whether a summary is printed; default True.
            input_signature: for each argument a (nested) ``tf.TensorSpec``; default: that of the model's input, for any batch.
            kwargs: kept for Keras's signature.

        Raises:
            ValueError: another format; the model is not built, or can't be stored (see ``tf.saved_model.save``).
        """
        from fastgrad._src.keras.export import export_model

        export_model(self, filepath, format, verbose, input_signature)

    def _serving_function(self) -> Any:
        """Returns the function of the default signature of ``tf.saved_model.save``; None if the model is not built."""
        if not self.built:
            return None
        from fastgrad._src.keras.export import input_specs_of, serving_function

        (spec,) = input_specs_of(self)
        if isinstance(spec, TensorSpec):
            spec = TensorSpec(spec.shape, spec.dtype, "inputs")
        return function(serving_function(self, "inputs"), input_signature=[spec])

    def to_json(self, **options: Any) -> str:
        """Returns the configuration as JSON for ``keras.models.model_from_json``; ``options`` go to ``json.dumps``."""
        return model_files.model_to_json(self, **options)


def shapes_of(tensors: Any) -> Any:
    """Returns the shape of a tensor, or of the only tensor in a structure, or a list of the shapes of several."""
    shapes = [tensor.shape for tensor in nest.flatten(tensors)]
    return shapes[0] if len(shapes) == 1 else shapes


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or {"inputs", "outputs"} <= kwargs.keys()
