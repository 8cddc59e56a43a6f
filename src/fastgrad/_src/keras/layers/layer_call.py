"""``LayerCaller``: converts and checks a layer's inputs, builds the layer, and passes ``training`` to sublayers.

This code runs at every call, so the common case has a fast path: a single tensor of a known shape goes
straight to ``call``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.replicas import ReplicaGroup, group_in_current_context, replica_group_scope
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import masks
from fastgrad._src.keras.layers.input_spec import check_inputs
from fastgrad._src.keras.layers.symbolic import keras_tensors, save_new_variables, symbolic_call
from fastgrad._src.keras.naming import running_layers
from fastgrad._src.ops.casting import cast

_MAX_REMEMBERED_INPUT_SHAPES = 64


class CallSignature:
    """The parameters of a layer's ``call`` method, as ``LayerCaller`` needs them.

    Attributes:
        whole: inspect's signature, without ``self``.
        parameters: the parameters' names.
        takes_training: whether ``training`` is a parameter.
        takes_mask: whether ``mask`` is a parameter.
        training_default: the default of ``training``.
        required: the number of parameters without a default.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        parameter_list = list(inspect.signature(function).parameters.values())[1:]
        self.whole = inspect.Signature(parameter_list)
        self.parameters = frozenset(parameter.name for parameter in parameter_list)
        defaults = {parameter.name: parameter.default for parameter in parameter_list}
        variadic_kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        self.required = sum(
            p.default is inspect.Parameter.empty and p.kind not in variadic_kinds for p in parameter_list
        )
        self.takes_training = "training" in defaults
        self.takes_mask = "mask" in defaults
        default = defaults.get("training")
        self.training_default = None if default is inspect.Parameter.empty else default


class AddedLossCounter:
    """Counts the losses that layers have added, so that calls clear old losses only if the count has changed."""

    count = 1


added_loss_counter = AddedLossCounter()


class LayerCaller:
    """The part of ``Layer`` that runs calls."""

    # A leaf's ``call`` calls no other layer and adds no loss, so it needs no entry in ``running_layers``. Only fastgrad's own classes
    # inherit it.
    _leaf = False
    # Layers of preprocessing take lists and numbers, as Keras's do. Others refuse them.
    _takes_python_values = False

    name: str
    built: bool
    autocast: bool
    activity_regularizer: Any
    supports_masking: bool
    call: Callable[..., Any]
    compute_mask: Callable[..., Any]
    add_loss: Callable[[Any], None]
    _clear_losses: Callable[[], None]
    _check_super_called: Callable[[], None]
    _build_for: Callable[[tuple[Any, ...], dict[str, Any]], None]
    _replicas: ReplicaGroup
    _finish_build: Callable[[], None]
    _layer_dtype: DType
    _seen_shapes: set[tuple[int, ...]]  # shapes of single tensors, of ``_seen_dtype``, that passed all checks
    _seen_dtype: np.dtype | None
    _signature: CallSignature
    input_spec: Any
    _losses_seen: int  # ``added_loss_counter.count`` at the last ``_clear_losses``

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "call" in cls.__dict__:
            cls._signature = CallSignature(cls.call)
            if "_leaf" not in cls.__dict__ and not cls.__module__.startswith("fastgrad."):
                cls._leaf = False
        if "compute_mask" in cls.__dict__ and not cls.__module__.startswith("fastgrad."):
            masks.any_mask_flag.is_set = True  # a user's layer may make a mask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the layer.

        Args:
            *args: tensors, arrays, or lists, tuples and dicts of them; float64 arrays become the layer's dtype.
            **kwargs: further arguments of ``call``. ``training`` selects the behaviour of layers that differ in training,
                such as dropout. Without it, a layer inherits that of the calling layer; the outermost takes ``call``'s default.

        Returns:
            The result of ``call``.

        Raises:
            ValueError: an input is not a tensor, or its shape or rank does not fit the layer.
        """
        if masks.any_mask_flag.is_set or (kwargs and "mask" in kwargs):
            return self._call_with_masks(args, kwargs)
        if len(args) == 1:
            x = args[0]
            if type(x) is Tensor:
                array = x._array
                if array.shape in self._seen_shapes and array.dtype is self._seen_dtype:
                    if not kwargs:
                        if not self._leaf:
                            return self._run(args, kwargs)
                        if not self._signature.takes_training or running_layers.now.training is None:
                            return self.call(x)
                        return self.call(x, training=running_layers.now.training)
                    if len(kwargs) == 1 and "training" in kwargs:
                        return self._run(args, kwargs)
        return self._call_with_checks(args, kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs ``call`` with the resolved ``training`` argument, and with this layer on the stack of running layers."""
        now = running_layers.now
        stack, outer_training = now.stack, now.training
        if self._losses_seen != added_loss_counter.count and not stack:
            self._clear_losses()
        signature = self._signature
        if "training" in kwargs:  # also None, which then is not inherited
            training = kwargs["training"] if signature.takes_training else kwargs.pop("training")
        else:
            training = signature.training_default if outer_training is None else outer_training
            if training is not None and signature.takes_training:
                kwargs["training"] = training
        stack.append(self)
        now.training = training
        try:
            return self.call(*args, **kwargs)
        finally:
            stack.pop()
            now.training = outer_training

    def _call_with_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a call whose inputs may have masks: passes the masks to ``call`` and attaches masks to the outputs."""
        self._check_super_called()
        if keras_tensors((args, kwargs)):
            return symbolic_call(self, args, kwargs)
        unconverted_args, args = args, tuple([self._converted_inputs(value) for value in args])
        names = [name for name in self._signature.whole.parameters if name not in ("mask", "training")]
        named_inputs = {**dict(zip(names, args, strict=False)), **kwargs}
        masked_inputs = {**named_inputs, **dict(zip(names, unconverted_args, strict=False))}
        first_name = next((name for name in names if name in named_inputs), "")
        first_input = named_inputs.get(first_name)
        graph_masks = masks.graph_masks_for_calls_of(running_layers.now.stack[-1]) if running_layers.now.stack else None
        previous_mask = named_inputs.get("mask")
        if previous_mask is None:
            previous_mask = masks.masks_of(masked_inputs.get(first_name))
            tensor_names = [
                name for name in names if any(isinstance(x, Tensor) for x in nest.flatten(named_inputs.get(name)))
            ]
            if self._signature.takes_mask and len(tensor_names) == 1 and len(args) <= len(names):
                previous_mask = masks.masks_of(masked_inputs[tensor_names[0]], graph_masks)
                kwargs = {**kwargs, "mask": previous_mask}
            for name in tensor_names if len(tensor_names) > 1 else ():
                if f"{name}_mask" in self._signature.parameters and kwargs.get(f"{name}_mask") is None:
                    kwargs = {**kwargs, f"{name}_mask": masks.masks_of(masked_inputs[name], graph_masks)}
        masks_before = [] if graph_masks is None else [(x, masks.mask_of(x)) for x in nest.flatten(masked_inputs)]
        outputs = self._call_with_checks(args, kwargs)
        if self.supports_masking:
            self._attach_masks(first_input, outputs, previous_mask)
        elif masks.has_mask(previous_mask):
            warn(
                f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask attached to it. However, "
                "this layer does not support masking and will therefore destroy the mask information. Downstream layers "
                "will not see the mask.",
            )
        if graph_masks is not None:
            masks.attach_missing_masks(masks_before, graph_masks.hide)
            previous_mask = masks.masks_of(masked_inputs.get(first_name), graph_masks)
            if self.supports_masking and masks.has_mask(previous_mask):
                self._attach_masks(first_input, outputs, previous_mask, graph_masks.hide)
        return outputs

    def _attach_masks(
        self, inputs: Any, outputs: Any, previous: Any, attach: Callable[[Tensor, Any], None] = masks.attach_mask
    ) -> None:
        tensors = [x for x in nest.flatten(outputs) if isinstance(x, Tensor)]
        if all(masks.mask_of(x) is not None for x in tensors):
            return
        output_masks = self.compute_mask(inputs, previous)
        if output_masks is not None:
            masks.attach_missing_masks(zip(tensors, nest.flatten(output_masks), strict=False), attach)

    def _call_with_checks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._check_super_called()
        if keras_tensors((args, kwargs)):
            return symbolic_call(self, args, kwargs)
        converted = tuple([self._converted_inputs(value) for value in args])
        kwargs = {name: self._converted_inputs(value) for name, value in kwargs.items()}
        for value in nest.flatten(converted) if converted else ():
            if value is not None and type(value) is not Tensor and not isinstance(value, (Tensor, Composite)):
                raise ValueError(
                    "Only input tensors may be passed as positional arguments. The following argument value should be passed as "
                    f"a keyword argument: {value} (of type {type(value)}). Lists of numbers become a tensor with tf.constant(...)."
                )
        first_input = converted[0] if converted else next(iter(kwargs.values()), None)
        if self.input_spec is not None:
            check_inputs(self.input_spec, first_input, self.name)
        if not self.built:
            with replica_group_scope(
                group_in_current_context(self._replicas)
            ):  # as in Keras, weights belong to the scope that made the layer
                self._build_for(converted, kwargs)
            save_new_variables(self)
            if self.input_spec is not None:
                check_inputs(self.input_spec, first_input, self.name)
        outputs = self._run(converted, kwargs)
        if not self.built:
            self._finish_build()
        if self.activity_regularizer is not None:
            self._add_activity_losses(outputs)
        elif len(args) == 1 and first_input is args[0] and type(first_input) is Tensor:
            if (
                first_input._array.dtype is not self._seen_dtype
                or len(self._seen_shapes) >= _MAX_REMEMBERED_INPUT_SHAPES
            ):
                self._seen_shapes.clear()
                self._seen_dtype = first_input._array.dtype
            self._seen_shapes.add(first_input._array.shape)
        return outputs

    def _converted_inputs(self, value: Any) -> Any:
        """Converts arrays in ``value`` to tensors and casts floats to the layer's dtype; keeps other values."""
        if type(value) is Tensor:
            return self._autocast(value)
        if self._takes_python_values and isinstance(value, (list, tuple, int, float)) and not isinstance(value, bool):
            return self._autocast(convert_to_tensor(value))
        if value is None or isinstance(value, (bool, int, float, str, Composite)):
            return value
        if isinstance(value, np.ndarray):
            dtype = self._layer_dtype if self._needs_cast(value.dtype) else None
            return convert_to_tensor(value, dtype)
        if nest.is_nested(value):
            flat = [self._converted_inputs(item) for item in nest.flatten(value)]
            return nest.pack_sequence_as(value, flat)
        tensor = as_tensor_or_none(value)
        if tensor is not None:
            return self._autocast(tensor)
        if hasattr(value, "__array__"):
            return self._autocast(convert_to_tensor(np.asarray(value)))
        return value

    def _needs_cast(self, dtype: np.dtype) -> bool:
        # NumPy's kind of ml_dtypes' types is "V", so the name tells whether a dtype is a float.
        return (
            self.autocast
            and self._layer_dtype.is_floating
            and dtype != self._layer_dtype.numpy
            and "float" in dtype.name
        )

    def _autocast(self, tensor: Tensor) -> Tensor:
        if not self._needs_cast(tensor._array.dtype):
            return tensor
        result = cast(tensor, self._layer_dtype)
        mask = masks.mask_of(tensor)
        if mask is not None:
            masks.attach_mask(result, mask)
        return result

    def _add_activity_losses(self, outputs: Any) -> None:
        for output in nest.flatten(outputs):
            if isinstance(output, Tensor):
                loss = self.activity_regularizer(output)
                self.add_loss(loss / float(len(output)) if output.ndim and len(output) else loss)
