"""``WeightOwner``: the weights and sublayers of a layer, in the order of their creation, and their values."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakSet

import numpy as np

from fastgrad._src.core import python_state_version
from fastgrad._src.core.argument_checks import check_length, check_type, require
from fastgrad._src.core.object_graph import dict_of_unique_names, is_saved, nested_items
from fastgrad._src.core.tensor import as_tensor_or_none
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.ownership import (
    UNTRACKED_TYPES,
    ObjectTracker,
    count_tracking_change,
    ownership_change_count,
)
from fastgrad._src.keras.weight import Weight, assign_all

_UNOWNED_ATTRIBUTES = frozenset(["_arguments", "_build_shapes", "_input_shape_arg"])
"""Attributes whose lists and dicts the layer neither owns nor replaces."""
_classes_with_warning: WeakSet[type] = WeakSet()


class WeightOwner(ObjectTracker):
    """The part of ``Layer`` that tracks weights and sublayers."""

    name: str
    built: bool
    _trainable: bool
    _locked: bool
    _building: bool
    _trainable_own: list[Any]
    _other_own: list[Any]
    _sublayers: list[Any]
    _submetrics: list[Any]
    _cached_lists: dict[str, tuple[int, list[Any]]]

    def _track_object(self, value: Any, trainable: bool | None = None) -> None:
        if isinstance(value, WeightOwner):
            store = self._sublayers
        elif isinstance(value, Variable):
            if any(value is owned for owned in (*self._trainable_own, *self._other_own)):
                return
            store = self._trainable_own if (value.trainable if trainable is None else trainable) else self._other_own
        elif getattr(value, "is_keras_metric", False):
            store = self._submetrics
        else:
            return
        if any(value is owned for owned in store):
            return
        if self._locked and (isinstance(value, Weight) or not isinstance(value, Variable)):
            raise ValueError(
                "You cannot add new elements of state (variables or sub-layers) to a layer that is already built. All state "
                f"must be created in the `__init__()` method or in the `build()` method. Layer: '{self.name}'."
            )
        store.append(value)
        count_tracking_change()

    def _untrack_object(self, value: Any) -> None:
        for store in (self._sublayers, self._trainable_own, self._other_own, self._submetrics):
            store[:] = [item for item in store if item is not value]
        count_tracking_change()

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) in UNTRACKED_TYPES or name in _UNOWNED_ATTRIBUTES:
            before = self.__dict__.get(name, self)
            object.__setattr__(self, name, value)
            if value is not before:  # each `predict` sets flags again that it set before
                python_state_version.count_change()
        else:
            ObjectTracker.__setattr__(self, name, value)
            if _is_function(value):
                python_state_version.count_change()
            self._restore_added_objects()

    def _restore_added_objects(self) -> None:
        if not self._building:  # ``_finish_build`` does it once, after ``build``
            ObjectTracker._restore_added_objects(self)

    @property
    def trainable(self) -> bool:
        """Whether the weights are trained. Setting it also sets ``trainable`` of all weights and sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self.__dict__["_trainable"] = value
        for variable in self._trainable_own:
            variable._trainable = value
        for layer in self._sublayers:
            layer.trainable = value
        count_tracking_change()

    @property
    def weights(self) -> list[Any]:
        """All weights: the layer's own weights, trainable ones first, then the weights of sublayers."""
        cached = self._cached_lists.get("all")
        if cached is None or cached[0] != ownership_change_count[0]:
            sublayer_weights = [variable for layer in self._sublayers for variable in layer.weights]
            weights_by_id = {id(v): v for v in (*self._trainable_own, *self._other_own, *sublayer_weights)}
            self._cached_lists["all"] = cached = (ownership_change_count[0], list(weights_by_id.values()))
        return list(cached[1])

    @property
    def variables(self) -> list[Any]:
        """All weights, without the variables of metrics."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        """The weights that are trained."""
        cached = self._cached_lists.get("trained")
        is_own_property = type(self).trainable is not WeightOwner.trainable  # a subclass's may change at any time
        if cached is None or cached[0] != ownership_change_count[0] or is_own_property:
            trained_weights = [v for v in self.weights if v.trainable] if self.trainable else []
            if not all(isinstance(v, Weight) for v in trained_weights):
                self._warn_of_raw_variables()
            self._cached_lists["trained"] = cached = (ownership_change_count[0], trained_weights)
        return list(cached[1])

    def _warn_of_raw_variables(self) -> None:
        """Warns that Keras 3 does not train the ``tf.Variable``s among the attributes, once for each class of layers."""
        raw = {id(v) for v in self._trainable_own if v.trainable and not isinstance(v, Weight)}
        names = [name for name, _ in self._attribute_objects(lambda value: id(value) in raw)]
        if names and type(self) not in _classes_with_warning:
            _classes_with_warning.add(type(self))
            warn(
                f"{type(self).__name__} '{self.name}': fastgrad trains {', '.join(map(repr, names))}. Keras 3 trains no "
                "tf.Variable that is an attribute. Use `self.add_weight(...)`, which both train, or `trainable=False`."
            )
        for layer in self._sublayers:
            layer._warn_of_raw_variables()

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The weights that are not trained."""
        return [v for v in self.weights if not (self.trainable and v.trainable)]

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that are trained."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights that are not trained."""
        return self.non_trainable_variables

    @property
    def metrics(self) -> list[Any]:
        """The metrics that are attributes of the layer or of its sublayers."""
        return [*self._submetrics, *[metric for layer in self._sublayers for metric in layer.metrics]]

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of ``metrics``."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def _guarded_settings(self) -> list[Any]:
        """The guarded settings of a recorded program: attributes, dtypes, and which weights are trained, how.

        Of a user's subclass only the arguments of fastgrad's base classes are listed: the recording guards each attribute that
        the user's code reads.
        """
        settings: list[Any] = []
        for layer in self._flatten_layers():
            attributes = {name: _guarded_value(value) for name, value in layer._guarded_attributes().items()}
            settings.append((id(layer), layer.trainable, layer._layer_dtype.name, attributes))
        for weight in self.weights:
            functions = [_guarded_value(function) for function in _functions_of_weight(weight)]
            settings.append(
                (id(weight), weight.trainable, getattr(weight, "overwrite_with_gradient", False), functions)
            )
        return settings

    def _guarded_attributes(self) -> dict[str, Any]:
        """The plain and the function-valued attributes of the layer that fastgrad's code reads, by name."""
        kind: Any = type(self)
        attributes = vars(self)
        names: Iterable[str] = attributes if kind.__module__.startswith("fastgrad.") else _arguments_of_own_bases(kind)
        return {
            name: attributes[name]
            for name in names
            if name in attributes
            and name[0] != "_"
            and (type(attributes[name]) in UNTRACKED_TYPES or _is_function(attributes[name]))
        }

    def _captured_code(self) -> tuple[list[tuple[Any, Any]], list[Any]]:
        """The methods ``call`` of the layer and its sublayers, each with its object; the functions in their attributes and their weights'."""
        layers = self._flatten_layers()
        methods = [(type(layer).call, layer) for layer in layers if hasattr(type(layer), "call")]
        return methods, [function for layer in layers for function in layer._attribute_functions()]

    def _attribute_functions(self) -> list[Any]:
        """The functions in attributes of the layer and of its own weights, whose code a recorded program may depend on."""
        weights = (*self._trainable_own, *self._other_own)
        values = [
            *self._guarded_attributes().values(),
            *[f for weight in weights for f in _functions_of_weight(weight)],
        ]
        return [value for value in values if _is_function(value)]

    def _flatten_layers(self) -> list[Any]:
        """The layer and all its nested sublayers, outermost first."""
        nested_layers = [sublayer for layer in self._sublayers for sublayer in layer._flatten_layers()]
        return list({id(layer): layer for layer in (self, *nested_layers)}.values())

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the values of ``weights``, as arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Assigns new values to all weights; if one value does not fit, no weight changes.

        Args:
            weights: the arrays, as ``get_weights`` returns them.

        Raises:
            ValueError: the number of values or the shape of a value is wrong.
        """
        check_type(self, "a list of arrays", Iterable, weights=weights)
        variables, values = self.weights, list(weights)
        check_length(self, len(variables), weights=values)
        arrays = []
        for variable, value in zip(variables, values, strict=True):
            tensor = as_tensor_or_none(value)
            array = np.asarray(value) if tensor is None else tensor._on_host()
            if array.shape != variable._array.shape:
                raise ValueError(f"{self.name}: weight shape {variable.shape} is incompatible with {array.shape}.")
            arrays.append(array.astype(variable._array.dtype))
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """The number of scalars in all weights; ValueError before the layer is built."""
        require(self.built, "count_params", f"layer '{self.name}' isn't built. Build it by `layer.build(input_shape)`")
        return sum(variable._array.size for variable in self.weights)

    def save_own_variables(self, store: Any) -> None:
        """Writes the layer's own weights, without the sublayers' weights, to ``store``: ``"0"``, ``"1"`` and so on.

        A subclass may write other arrays under other names; ``.keras`` and ``.weights.h5`` files then hold these.
        """
        for position, variable in enumerate((*self._trainable_own, *self._other_own)):
            store[str(position)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Assigns the layer's own weights from ``store``, as ``save_own_variables`` wrote it.

        Raises:
            ValueError: the number of values or the shape of a value is wrong; no weight changes.
        """
        variables = [*self._trainable_own, *self._other_own]
        if len(store.keys()) != len(variables):
            unbuilt = "" if self.built else " The layer was never built, so it has no variables yet."
            raise ValueError(
                f"Layer '{self.name}' expected {len(variables)} variables, but received {len(store.keys())} variables during loading. "
                f"Expected: {[variable.name for variable in variables]}.{unbuilt}"
            )
        assign_all(variables, [store[str(position)] for position in range(len(variables))])

    # ---- names in files --------------------------------------------------------------------------

    def _saved_variables(self) -> dict[str, Variable]:
        """The layer's own variables by name in files: a weight's given name, the attribute path, or the position."""
        attributes = {
            id(value): name for name, value in self._attribute_objects(lambda value: isinstance(value, Variable))
        }
        variables: dict[str, Variable] = {}
        for position, variable in enumerate((*self._trainable_own, *self._other_own)):
            has_user_name = isinstance(variable, Weight) and not variable.auto_named
            name = variable.name if has_user_name else attributes.get(id(variable), str(position))
            variables[name if name not in variables else f"{name}_{position}"] = variable
        return variables

    def _saved_children(self) -> dict[str, Any]:
        """The sublayers by name in files: the attribute, and inside lists and dicts also the position or key."""
        children: dict[str, Any] = {}
        for name, value in self.__dict__.items():
            if name not in _TRACKING_ATTRIBUTES:
                _collect_layers(name.lstrip("_"), value, children)
        child_ids = {id(layer) for layer in children.values()}
        for position, layer in enumerate(self._sublayers):
            if id(layer) not in child_ids:
                children[f"layers/{position}"] = layer
        return children

    def _checkpointed_attributes(self) -> dict[str, Any]:
        """The objects in checkpoints but not in weight files: random generators, optimizers, modules, iterators."""
        return dict_of_unique_names(
            (name.lstrip("_"), value) for name, value in self._attribute_objects(_is_saved_non_weight)
        )

    def _attribute_objects(self, is_selected: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
        for name, value in self.__dict__.items():
            if name not in _TRACKING_ATTRIBUTES:
                yield from nested_items(name, value, is_selected)


def _is_function(value: Any) -> bool:
    """True if ``value`` is a function, or an object that is one and holds no weights."""
    return callable(value) and not is_saved(value) and not isinstance(value, type)


def _functions_of_weight(weight: Any) -> tuple[Any, Any]:
    return getattr(weight, "regularizer", None), getattr(weight, "constraint", None)


def _guarded_value(value: Any) -> Any:
    """Returns what a recorded program compares of an attribute: its value, of fastgrad's own functions their attributes, too."""
    if not type(value).__module__.startswith("fastgrad."):
        return value
    return value, {name: item for name, item in vars(value).items() if type(item) in UNTRACKED_TYPES}


@functools.lru_cache(maxsize=256)
def _arguments_of_own_bases(kind: Any) -> tuple[str, ...]:
    """Returns the names of the arguments of fastgrad's classes among the bases of a user's class."""
    own_bases = [base for base in kind.__mro__ if base.__module__.startswith("fastgrad.") and "__init__" in vars(base)]
    return tuple(dict.fromkeys(name for base in own_bases for name in inspect.signature(base.__init__).parameters))


def _is_saved_non_weight(value: Any) -> bool:
    if isinstance(value, (WeightOwner, Variable)) or getattr(value, "is_keras_metric", False):
        return False
    return is_saved(value)


_TRACKING_ATTRIBUTES = frozenset(
    [
        "_sublayers",
        "_submetrics",
        "_trainable_own",
        "_other_own",
        "_arguments",
        "_cached_lists",
        "_added_losses",
        "_deferred",
    ]
)


def _collect_layers(name: str, value: Any, layers: dict[str, Any]) -> None:
    if isinstance(value, WeightOwner):
        layers[name] = value
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect_layers(f"{name}/{key}", item, layers)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _collect_layers(f"{name}/{position}", item, layers)
