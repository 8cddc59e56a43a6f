"""``Layer``: weights and the computation that uses them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from fastgrad._src.core import deferral, nest, python_state_version, recording
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.names import declare_missing, suggestions
from fastgrad._src.core.replicas import ReplicaGroup, group_in_current_context, replica_group, replica_group_scope
from fastgrad._src.core.restoration import restore_deferred_values
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.keras import constraints, dtype_policy, initializers, naming, regularizers, settings
from fastgrad._src.keras.layers.configuration import LayerConfiguration
from fastgrad._src.keras.layers.layer_call import LayerCaller, added_loss_counter
from fastgrad._src.keras.layers.shapes import has_unknown_size, shapes_of, shapes_with_common_sizes, zeros_of
from fastgrad._src.keras.layers.stateless import stateless_call
from fastgrad._src.keras.layers.symbolic import FirstCallDescriptor, output_spec, variables_restored_at_exit
from fastgrad._src.keras.layers.variable_tracking import WeightOwner
from fastgrad._src.keras.weight import CastWeight, Weight

_DTYPE_OF_PROPERTY = property(lambda layer: settings.standardize_dtype(layer.compute_dtype), lambda layer, dtype: None)
"""The ``_layer_dtype`` of layers whose class overrides ``compute_dtype``; it is not that of the policy."""
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def _with_name_by_keyword(add_weight: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Refuses a string as the first argument, which was the name in Keras 2, before Python compares it with ``shape=``."""

    @wraps(add_weight)
    def checked(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        shape = args[1] if len(args) > 1 else kwargs.get("shape")
        if isinstance(shape, str):
            raise ValueError(f"add_weight: pass `name` as a keyword. Use: add_weight(shape=..., name='{shape}').")
        return add_weight(*args, **kwargs)

    return checked


@declare_missing(
    *("add_metric", "convert_weight", "convolution_op", "enable_lora", "finalize_state", "input_dtype", "quantize"),
    *("quantization_mode", "quantized_build", "quantized_call", "rematerialized_call", "symbolic_call"),
    "variable_serialization_spec",
)
class Layer(LayerCaller, LayerConfiguration, WeightOwner):
    """The base of all layers and models.

    Subclasses make sublayers in ``__init__``, weights in ``build(input_shape)`` with ``add_weight``, and compute in
    ``call(inputs)``. Layers, weights and variables set as attributes, also in lists and dicts, belong to the layer.
    A plain ``tf.Variable`` attribute belongs to the layer, too; Keras 3 ignores it.

    Args:
        activity_regularizer: a function from the layer's output to a penalty. The penalty is divided by the batch size.
        trainable: whether the weights are trained.
        dtype: the dtype or policy of weights and computations; default ``floatx()``.
        autocast: whether float inputs of another dtype are cast.
        name: the layer's name; default: the class's name in snake case, numbered.

    Raises:
        ValueError: an argument is unknown, or the name contains ``/``.

    Example:
        >>> class Scale(tf.keras.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")
        ...
        ...     def call(self, inputs):
        ...         return inputs * self.scale
        >>> Scale()(tf.constant([[1.0, 2.0]])).numpy()
        array([[1., 2.]], dtype=float32)
    """

    _building: bool
    _input_spec: Any
    _build_shapes: dict[str, Any] | None
    _added_losses: list[Any]
    _layer_path: str | None
    _replicas: ReplicaGroup

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Creates a layer that can own weights and sublayers before ``Layer.__init__`` runs."""
        layer = super().__new__(cls)
        MADE_CLASSES.add(cls.__name__)
        # Bypasses __setattr__: these lists record the owned objects, but the layer does not own the lists.
        layer.__dict__.update(
            _arguments=(args, kwargs),
            _trainable_own=[],
            _other_own=[],
            _sublayers=[],
            _submetrics=[],
            _cached_lists={},
            _added_losses=[],
            _losses_seen=0,
            _trainable=True,
            _locked=False,
            _building=False,
            _build_shapes=None,
            _input_spec=None,
            _seen_shapes=set(),
            _seen_dtype=None,
            _layer_path=None,
            _replicas=replica_group(),
            built=False,
        )
        return layer

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        init: Any = cls.__init__
        is_built_in = cls.__module__.startswith("fastgrad.")
        if is_built_in and init.__qualname__.startswith("_") and not cls.__name__.startswith("_"):
            # Python's errors about arguments name the class by the function: AveragePooling2D, and not its private base.
            own_init = FunctionType(init.__code__, init.__globals__, "__init__", init.__defaults__, init.__closure__)
            own_init.__kwdefaults__, own_init.__annotations__ = init.__kwdefaults__, init.__annotations__
            own_init.__qualname__ = f"{cls.__qualname__}.__init__"
            cls.__init__ = own_init  # type: ignore[method-assign]
        definer = next(base for base in cls.__mro__ if "compute_dtype" in vars(base))
        if not definer.__module__.startswith("fastgrad."):
            # A CastWeight looks up the running layer on the stack, which calls of leaf layers do not use.
            cls._layer_dtype, cls._leaf = _DTYPE_OF_PROPERTY, False  # type: ignore[assignment]
        if "build" in cls.__dict__:
            cls.build = _with_build_bookkeeping(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        require(isinstance(trainable, bool), self, "`trainable` must be a boolean", trainable=trainable)
        input_shape, input_dim = kwargs.pop("input_shape", None), kwargs.pop("input_dim", None)
        if kwargs:
            constructors = [
                vars(base_class)["__init__"] for base_class in type(self).__mro__ if "__init__" in vars(base_class)
            ]
            known_names = {name for function in constructors for name in inspect.signature(function).parameters}
            hints = "".join(suggestions(name, known_names - {"self", "args", "kwargs"}) for name in kwargs)
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}.{hints}")
        self.name = naming.auto_name(type(self).__name__) if name is None else naming.checked_name(name)
        self._set_policy(dtype_policy.get(dtype))
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._trainable = trainable
        self._input_shape_arg = (input_dim,) if input_dim is not None else input_shape
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask

    # ---- building ------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Makes the weights; runs once, before the first ``call``.

        Args:
            input_shape: the shape of the first input, a tuple; for a list or dict of inputs, a list or dict of shapes.
                A subclass may write ``build(self, a_shape, b_shape)`` to get the shapes of ``call``'s arguments ``a`` and ``b``.
        """
        if self._building:
            self.built = True  # as in Keras: a subclass's build may call the layer after super().build(...)
            return  # the subclass's build finishes the work
        # Without a shape, and for a cell with states, the first call builds the sublayers.
        runs = self._signature.required <= 1 and input_shape is not None
        if runs and any(not layer.built for layer in self._flatten_layers()[1:]):
            self._run_on_zeros(input_shape, 1)
        self._build_shapes = {"input_shape": input_shape}
        self._finish_build()

    def _build_at_init(self) -> None:
        """Marks a layer without weights as built, unless a subclass overrides ``build``."""
        self.built = type(self).build is Layer.build

    def _bound_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of a call by name, without a ``training`` that ``call`` does not have."""
        known = self._signature.parameters
        call_kwargs = {name: value for name, value in kwargs.items() if name in known or name != "training"}
        return self._signature.whole.bind(*args, **call_kwargs).arguments

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Builds the layer for the inputs of its first call."""
        arguments = self._bound_arguments(args, kwargs)
        shapes = {}
        for name, value in arguments.items():
            flat_value = nest.flatten(value)
            if flat_value and name != "mask" and all(_has_shape(item) for item in flat_value):
                shapes[name + "_shape"] = shapes_of(value)
        first_shape = next(iter(shapes.values()), None)
        ragged = next((item for item in nest.flatten(tuple(arguments.values())) if isinstance(item, Composite)), None)
        if type(self).build is Layer.build:
            self._build_shapes = {"input_shape": first_shape} if len(shapes) <= 1 else shapes
            return  # the call builds the sublayers
        build_parameters = dict(inspect.signature(self.build).parameters)
        if len(build_parameters) == 1:
            if (
                first_shape is None
                and ragged is not None
                and build_parameters.popitem()[1].default is inspect.Parameter.empty
            ):
                raise CompositeOperand(ragged)  # it has no shape to build for
            try:
                self.build(first_shape)
            except ValueError as error:
                if ragged is None or ragged.is_rectangular:
                    raise
                raise CompositeOperand(
                    ragged
                ) from error  # rows of different lengths, of which the layer needs the length
            return
        for name in build_parameters:
            if not name.endswith("_shape") or name.removesuffix("_shape") not in self._signature.parameters:
                owner = f"{type(self).__name__}: argument `{name}` of `build()`"
                raise ValueError(f"{owner} must be that of an argument of `call()`, with a `_shape` suffix.")
        self.build(**{name: shapes[name] for name in build_parameters if name in shapes})

    def _finish_build(self) -> None:
        self.built = True
        if self._layer_path is None:
            self._layer_path = naming.current_path(self)
        restore_deferred_values(self)
        self._lock_state()

    def _lock_state(self) -> None:
        self._locked = True

    def _run_on_zeros(self, input_shape: Any, unknown_size: int) -> Any:
        """Calls the layer on zeros, with ``unknown_size`` for None, hidden from tapes; returns the result's shapes."""
        with recording.hide_from_tapes(), deferral.defer_operations(), variables_restored_at_exit(self):
            output_shapes = shapes_of(self(zeros_of(input_shape, self._layer_dtype.numpy, unknown_size)))
        self._clear_losses()
        return output_shapes

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The shapes and dtypes of the results, without computing the results.

        Args:
            *args, **kwargs: arguments of a call, with a `keras.KerasTensor` for each tensor.

        Returns:
            `keras.KerasTensor` objects in the structure of the layer's results.
        """
        return output_spec(self, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape for an input of ``input_shape``; a size that depends on an unknown size is None.

        The default runs the layer on zeros.
        """
        output_shape = self._run_on_zeros(input_shape, 2)
        return (
            shapes_with_common_sizes(output_shape, self._run_on_zeros(input_shape, 3))
            if has_unknown_size(input_shape)
            else output_shape
        )

    def _overrides_spec(self) -> bool:
        """True if the class overrides ``compute_output_spec``."""
        return type(self).compute_output_spec is not Layer.compute_output_spec

    def _builds_at_a_call(self) -> bool:
        """True if a call makes weights: the class overrides ``build`` or has sublayers."""
        return type(self).build is not Layer.build or len(self._flatten_layers()) > 1

    def _overrides_shape(self) -> bool:
        """True if the class overrides ``compute_output_shape``."""
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def _builds_from_shape(self) -> bool:
        """True if ``build`` needs only the shape of one input, or if there are no weights to make."""
        if type(self).build is Layer.build:
            return self._overrides_shape() and all(layer.built for layer in self._flatten_layers()[1:])
        parameters = list(inspect.signature(self.build).parameters.values())
        return bool(parameters) and all(parameter.default is not parameter.empty for parameter in parameters[1:])

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for, as ``build_from_config`` takes them; None if there are none."""
        if self._build_shapes is None:
            return None
        return self._build_shapes if "input_shape" in self._build_shapes else {"shapes_dict": self._build_shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layer from ``config``, the result of ``get_build_config()``."""
        if "input_shape" in config:
            self.build(config["input_shape"])
        elif type(self).build is not Layer.build:
            self.build(**config["shapes_dict"])
        else:
            zeros = {
                name.removesuffix("_shape"): zeros_of(shape, self._layer_dtype.numpy, 1)
                for name, shape in config["shapes_dict"].items()
            }
            with recording.hide_from_tapes():
                self(**zeros)
            self._clear_losses()

    @_with_name_by_keyword
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Weight:
        """Makes a weight of the layer.

        Args:
            shape: the shape, without unknown sizes; default ().
            initializer: a function ``(shape, dtype)`` or its name; default glorot_uniform for floats, zeros otherwise.
            dtype: the weight's dtype; default: the layer's.
            trainable: whether optimizers train the weight.
            regularizer: a function from the weight to a penalty in ``losses``, or its name.
            constraint: a function that optimizers apply to the weight after an update, or its name.
            autocast: whether the layer reads a float weight in the layer's compute dtype.
            aggregation: ``"mean"`` for a weight that is not trained and that each replica of a strategy updates by itself. Such a
                weight is averaged over the replicas when it is saved, and before ``evaluate`` and ``predict``.
            overwrite_with_gradient: whether optimizers assign the gradient to the weight instead of updating it.
            name: the weight's name, without ``/``.

        Raises:
            ValueError: the shape has unknown sizes, or a name was passed as the shape.
        """
        self._check_super_called()
        weight_dtype = settings.standardize_dtype(self.variable_dtype if dtype is None else dtype)
        if initializer is None:
            initializer = "glorot_uniform" if weight_dtype.is_floating else "zeros"
        regularizer, constraint = regularizers.get(regularizer), constraints.get(constraint)
        initializer = initializers.get(initializer)
        needs_cast = autocast and weight_dtype.is_floating and weight_dtype is not self._layer_dtype
        with naming.RunningLayerScope(self):
            weight = (CastWeight if needs_cast else Weight)(
                initializer, () if shape is None else shape, weight_dtype, trainable, autocast, aggregation, name=name
            )
        weight.regularizer, weight.constraint = regularizer, constraint
        if overwrite_with_gradient:
            weight.overwrite_with_gradient = True
        if not self.trainable:
            weight._trainable = False
        self._track_object(weight, trainable)
        if not weight.auto_named:
            self._restore_added_objects()
        return weight

    def add_variable(self, shape: Any, initializer: Any, **options: Any) -> Weight:
        """Makes a weight of the layer; another name of ``add_weight``."""
        return self.add_weight(shape, initializer, **options)

    # ---- dtype, inputs, losses -----------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """The names of the enclosing layers and of this layer, joined by ``/``; None before the layer is built."""
        return self._layer_path

    @property
    def dtype(self) -> str:
        """The name of the weights' dtype; another name of ``variable_dtype``."""
        return self.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The name of the weights' dtype."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The name of the dtype of computations."""
        return self._policy.compute_dtype

    @property
    def dtype_policy(self) -> dtype_policy.DTypePolicy:
        """The dtypes of weights and computations. Setting a policy or its name keeps the dtype of existing weights."""
        return self._policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._set_policy(_policy_from_identifier(value))
        python_state_version.count_change()

    def _set_policy(self, policy: Any) -> None:
        self._policy, self._layer_dtype = policy, policy.compute
        self._seen_shapes.clear()
        own_weights = (*self._trainable_own, *self._other_own)
        for weight in own_weights:
            if type(weight) is Weight and weight.autocast and weight._operand_dtype.is_floating:
                weight.__class__ = CastWeight
        if policy.compute is not policy.variable or own_weights:
            # A CastWeight looks up the running layer on the stack, which calls of leaf layers do not use.
            self.__dict__["_leaf"] = False

    @property
    def input_spec(self) -> Any:
        """The ``InputSpec`` (or nested ones) that the first argument of ``call`` is checked against."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self.__dict__["_input_spec"] = value
        self._seen_shapes.clear()

    def add_loss(self, loss: Any) -> None:
        """Adds a scalar tensor, or a list of them, to ``losses``. The outermost layer's next call clears them.

        Raises:
            ValueError: ``loss`` is not a tensor.
        """
        for item in nest.flatten(loss):
            if as_tensor_or_none(item) is None:
                raise ValueError(f"`add_loss()` takes a tensor, from inside of `build()` or `call()`. Received: {item}")
            self._added_losses.append(item)
            added_loss_counter.count += 1

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._added_losses.clear()
        self.__dict__["_losses_seen"] = added_loss_counter.count

    @property
    def losses(self) -> list[Any]:
        """The scalars from ``add_loss`` in the last call, here and in all sublayers, and the weights' penalties."""
        loss_values = [loss for layer in self._flatten_layers() for loss in layer._added_losses]
        for variable in self.trainable_variables:
            regularizer = getattr(variable, "regularizer", None)
            if regularizer is not None:
                loss_values.append(regularizer(variable))
        return loss_values

    input: Any = FirstCallDescriptor("the KerasTensors that the layer was called on first, in their structure")
    output: Any = FirstCallDescriptor("the KerasTensors that it gave for them")

    # ---- computing -----------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; subclasses define it. Its arguments are tensors, and ``training`` if it has that parameter."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call` method implemented.")

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Calls the layer with given values in place of its variables, which stay as they are.

        Args:
            trainable_variables, non_trainable_variables: a value for each variable of these attributes of the layer. Gradients flow
                to tensors among them.
            *args, **kwargs: the arguments of the call.
            return_losses: whether to return ``losses``, too.

        Returns:
            The outputs of the call, the new values of the ``non_trainable_variables``; with ``return_losses`` also the losses.

        Raises:
            ValueError: the layer is not built, or values are missing, extra or of another shape.
        """
        return stateless_call(self, trainable_variables, non_trainable_variables, args, kwargs, return_losses)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output; by default, the mask of the input."""
        return previous_mask

    def _check_super_called(self) -> None:
        if "_policy" not in self.__dict__:
            raise RuntimeError(f"In layer '{type(self).__name__}', call `super().__init__()` first in `__init__()`.")

    def __getstate__(self) -> dict[str, Any]:
        """The state of a copy. Models restore the calls on KerasTensors; the next use compiles the steps again."""
        return {name: value for name, value in self.__dict__.items() if name not in _ATTRIBUTES_NOT_COPIED}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.__dict__.get('name')}, built={self.built}>"


_policy_from_identifier = dtype_policy.get  # inside the class, the property ``dtype_policy`` hides the module
_ATTRIBUTES_NOT_COPIED = frozenset(["_inbound_nodes", "_stack", "_step_functions"])


def _has_shape(value: Any) -> bool:
    """True for tensors, sparse tensors and ragged tensors, whose shape has None for rows of different lengths."""
    return isinstance(value, Tensor) or (
        isinstance(value, Composite) and (value.is_rectangular or value._spec().ragged_rank is not None)
    )


def _with_build_bookkeeping(build: Callable[..., None]) -> Callable[..., None]:
    """Wraps a subclass's ``build``: weights' paths get the layer's name, and the layer is marked as built."""

    @wraps(build)
    def recorded(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._building:  # super().build(...) inside a build
            build(self, *args, **kwargs)
            return
        self.__dict__["_building"] = True
        try:
            with naming.RunningLayerScope(self), replica_group_scope(group_in_current_context(self._replicas)):
                build(self, *args, **kwargs)
        finally:
            self.__dict__["_building"] = False
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        shapes = list(bound.items())[1:]
        self._build_shapes = {"input_shape": shapes[0][1]} if len(shapes) == 1 else dict(shapes) or None
        self._finish_build()

    return recorded
