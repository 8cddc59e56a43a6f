"""The signature of a call: splits the arguments into a key, which is constant, and arrays, which vary."""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.identity import Identity
from fastgrad._src.compiler.recording.scalar import Scalar
from fastgrad._src.core import nest
from fastgrad._src.core.array_conversion import array_of
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import device_of, placement
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.captured_values import short_repr

_TYPES_COMPARED_BY_VALUE = frozenset(
    [bool, int, complex, str, bytes, type(None), type(Ellipsis), DType, np.dtype, range, frozenset]
)

COMPOSITE_TENSOR_TYPES = (Composite, IndexedSlices)
"""The types of values made of several tensors."""


class UnhashableArgument(Exception):  # Function makes a TypeError of it; loops run their body in Python
    """Raised for an argument known by identity whose value may change; its text is the refusal."""


class FloatArguments:
    """How each Python float among the arguments is passed on: by its value, or as a run-time input.

    A float is known by its label, the path to it. The first value is part of the key. At the second value the float
    becomes an input, unless the program has read its Python value before.
    """

    def __init__(self) -> None:
        self._first: dict[str, float] = {}
        self._inputs: set[str] = set()
        self._static_labels: set[str] = set()

    def is_input(self, label: str, value: float) -> bool:
        """True if the float at ``label``, whose value is now ``value``, is an input."""
        if label in self._inputs:
            return True
        if label in self._static_labels:
            return False
        if self._first.setdefault(label, value).hex() == value.hex():
            return False
        self._inputs.add(label)
        return True

    def make_static(self, label: str) -> None:
        """Makes the value of the float at ``label`` part of the key."""
        self._inputs.discard(label)
        self._static_labels.add(label)


class Call:
    """The arguments of a call, split into a hashable key and arrays; calls with equal keys share a program.

    Args:
        arguments: the arguments by the names of the parameters, in their order.
        floats: which Python floats are inputs.
        args, kwargs: the call, unchanged.

    Attributes:
        arguments, args, kwargs: as given.
        key: hashable; the structure, and for each leaf its shape and dtype, its value or its identity.
        labels: for each leaf, the path to it, as ``options['rate']``.
        leaves: the leaf's part of the key, in the order of ``labels``.
        values: the leaves themselves.
        arrays: the inputs of the program.
        passed_leaves: for each array the leaf itself, as the caller passed it: a tensor, an array or a float.
        objects: the leaves that are known by identity.
    """

    __slots__ = (
        "_floats",
        "_seen",
        "args",
        "arguments",
        "arrays",
        "key",
        "kwargs",
        "labels",
        "leaves",
        "objects",
        "passed_leaves",
        "values",
    )

    def __init__(
        self, arguments: dict[str, Any], floats: FloatArguments, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> None:
        self.arguments, self.args, self.kwargs = arguments, args, kwargs or {}
        self._floats = floats
        self._seen: dict[int, int] = {}
        self.arrays: list[np.ndarray] = []
        self.passed_leaves: list[Any] = []
        self.labels: list[str] = []
        self.leaves: list[Any] = []
        self.values: list[Any] = []
        self.objects: list[Any] = []
        structure = tuple([(name, self._structure_key(value, name)) for name, value in arguments.items()])
        self.key = (structure, tuple(self.leaves), placement.selected)

    def tensors(self) -> list[Tensor]:
        """Returns the arrays of the call as tensors; tensors that the caller passed are returned themselves."""
        return [
            value if isinstance(value, Tensor) else Tensor(array)
            for value, array in zip(self.passed_leaves, self.arrays, strict=True)
        ]

    def _structure_key(self, value: Any, label: str) -> Any:
        kind = type(value)
        if kind is not Tensor and nest.is_nested(value):
            return self._container_key(value, label, kind)
        if kind is not Tensor and isinstance(value, COMPOSITE_TENSOR_TYPES):
            form, tensors = value._to_components()
            names = ("values", "indices", "dense_shape") if kind is IndexedSlices else map(str, range(len(tensors)))
            parts = [self._structure_key(part, f"{label}.{name}") for name, part in zip(names, tensors, strict=False)]
            return kind, form, tuple(parts)
        self.labels.append(label)
        self.values.append(value)
        self.leaves.append(self._leaf_key(value, kind, label))
        return None

    def _container_key(self, value: Any, label: str, kind: type) -> Any:
        if isinstance(value, Mapping):
            # As in TensorFlow: the order of a dict's keys does not matter to the program.
            return kind, tuple(
                [(key, self._structure_key(value[key], f"{label}[{key!r}]")) for key in _sorted_keys(value)]
            )
        names = getattr(value, "_fields", None)
        labels = [f"{label}.{name}" for name in names] if names else [f"{label}[{i}]" for i in range(len(value))]
        return kind, tuple([self._structure_key(item, name) for item, name in zip(value, labels, strict=True)])

    def _leaf_key(self, value: Any, kind: type, label: str) -> Any:
        if kind is Tensor or isinstance(value, Tensor):
            alias = self._seen.get(id(value))
            if alias is not None:
                return "same as", alias
            self._seen[id(value)] = len(self.leaves)
            # A program that changes the variable must not see the change through its argument.
            return self._array_key(value._array if value._owner is None else value._array.copy(), value)
        if kind is np.ndarray or isinstance(value, (np.ndarray, np.generic)):
            return self._array_key(array_of(value), value)
        if kind is float:
            if self._floats.is_input(label, value):
                self.passed_leaves.append(value)
                self.arrays.append(np.array(value))
                return ("float",)
            return kind, value.hex()
        if kind is slice:
            return kind, (value.start, value.stop, value.step)
        if kind is TensorShape:
            return kind, str(value)
        if kind in _TYPES_COMPARED_BY_VALUE or isinstance(value, enum.Enum):
            return kind, value
        if not isinstance(value, (Variable, Scalar)):
            _check_hashable(value, label)
        self.objects.append(value)
        return "object", Identity(value)

    def _array_key(self, array: np.ndarray, given: Any) -> Any:
        device = device_of(array)
        if device is not None:
            self.arrays.append(array)
            self.passed_leaves.append(given)
            return "tensor", array.shape, array.dtype, device
        self.arrays.append(array if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(array.shape))
        self.passed_leaves.append(given)
        return "tensor", array.shape, array.dtype


def _check_hashable(value: Any, label: str) -> None:
    """Refuses a value that is known by identity but may change: a recording would keep its first content.

    Raises:
        UnhashableArgument: the value has no hash.
    """
    try:
        hash(value)
    except (TypeError, ValueError) as error:  # ValueError: a memoryview of memory that can be written to
        raise UnhashableArgument(
            f"tf.function: Could not generate a generic TraceType for the argument {label!r}: got {short_repr(value)}, of type "
            f"{type(value).__name__}, which is not immutable/hashable ({error}), so a change of it would go unnoticed. Pass a list, tuple, "
            "dict, frozenset, array or tensor of its values; or let the function read it from a global name or an attribute."
        ) from None


def _sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def arguments_of_key(key: Any, with_names: bool = True) -> dict[str, Any] | None:
    """Returns the arguments of calls with ``key`` (``Call.key``), with specs for tensors; None if the key does not tell them.

    The specs have the names of the parameters, or none. The key does not tell the value of a float that is an input, and of an object that is known by identity.
    """
    structure, leaves, _ = key
    leaf_keys = iter(leaves)
    specs: list[Any] = []

    def rebuild(part: Any, name: str) -> Any:
        if part is None:
            specs.append(_argument_of_leaf(next(leaf_keys), specs, name if with_names else None))
            return specs[-1]
        if len(part) != 2:
            raise LookupError("a value made of several tensors")
        kind, parts = part
        if issubclass(kind, Mapping):
            return {item_key: rebuild(item, str(item_key)) for item_key, item in parts}
        items = [rebuild(item, name) for item in parts]
        return kind(*items) if hasattr(kind, "_fields") else tuple(items) if issubclass(kind, tuple) else items

    try:
        return {name: rebuild(part, name) for name, part in structure}
    except LookupError:
        return None


def _argument_of_leaf(leaf: Any, earlier: list[Any], name: str | None) -> Any:
    kind = leaf[0]
    if kind == "tensor":
        return TensorSpec(leaf[1], leaf[2], name)
    if kind == "same as":
        return earlier[leaf[1]]
    if kind in ("float", "object") or kind is TensorShape:
        raise LookupError("a value that the key does not tell")
    if kind is float:
        return float.fromhex(leaf[1])
    return slice(*leaf[1]) if kind is slice else leaf[1]


def rebuild_value(value: Any, leaves: Iterator[Any]) -> Any:
    """Returns an argument with replaced leaves, in new containers.

    Args:
        value: the argument that the caller passed.
        leaves: the replacement of each leaf, in the order of ``Call.labels``.
    """
    kind = type(value)
    if kind is not Tensor and nest.is_nested(value):
        if isinstance(value, Mapping):
            rebuilt_items = {key: rebuild_value(value[key], leaves) for key in _sorted_keys(value)}
            items: Any = {key: rebuilt_items[key] for key in value}
            if kind is dict:
                return items
            return kind(value.default_factory, items) if hasattr(value, "default_factory") else kind(items)
        items = [rebuild_value(item, leaves) for item in value]
        return kind(*items) if hasattr(value, "_fields") else kind(items)
    if isinstance(value, COMPOSITE_TENSOR_TYPES):
        form, tensors = value._to_components()
        return kind._from_components(form, [rebuild_value(part, leaves) for part in tensors])
    return next(leaves)


def copies_of_containers(value: Any, label: str) -> Iterator[tuple[str, Any, Any]]:
    """Yields the lists and dicts of an argument, nested ones too, with a path to each and a shallow copy of it.

    Args:
        value: the argument.
        label: its name.
    """
    if not nest.is_nested(value):
        return
    if isinstance(value, Mapping):
        items: Any = dict(value)
        parts: Any = [(f"{label}[{key!r}]", item) for key, item in items.items()]
    else:
        items = list(value)
        names = getattr(value, "_fields", None) or range(len(items))
        parts = [
            (f"{label}.{n}" if isinstance(n, str) else f"{label}[{n}]", x) for n, x in zip(names, items, strict=True)
        ]
    if not isinstance(value, tuple):
        yield label, value, items
    for part_label, part in parts:
        yield from copies_of_containers(part, part_label)


def has_changed_items(container: Any, items: Any) -> bool:
    """True if a list or dict has other items than its copy from ``copies_of_containers``."""
    if len(container) != len(items):
        return True
    if isinstance(items, dict):
        return any(key not in container or container[key] is not item for key, item in items.items())
    return any(found is not item for found, item in zip(container, items, strict=True))


class Signature:
    """The signature of a Python function: names arguments, and converts them to ``input_signature``.

    Args:
        function: the function.
        input_signature: None, or for each argument a (nested) ``TensorSpec``.
        skip: how many leading parameters are bound already (1 for a method).
    """

    def __init__(self, function: Callable[..., Any], input_signature: Any = None, skip: int = 0) -> None:
        try:
            full_signature = inspect.signature(function)
        except (TypeError, ValueError):
            full_signature = inspect.Signature(
                [
                    inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
                    inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
                ]
            )
        self.whole = full_signature.replace(parameters=list(full_signature.parameters.values())[skip:])
        self._name = getattr(function, "__name__", type(function).__name__)
        if input_signature is not None and not isinstance(input_signature, (list, tuple)):
            raise TypeError(
                f"tf.function: input_signature must be a list or tuple of tf.TensorSpec, got {input_signature!r}."
            )
        self._specs = None if input_signature is None else list(input_signature)
        parameters = list(self.whole.parameters.values())
        self._simple = (
            [p.name for p in parameters]
            if all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) and self._specs is None
            else None
        )

    @property
    def kinds(self) -> dict[str, Any]:
        """The kind of each parameter, by name (see ``inspect.Parameter``)."""
        return {name: parameter.kind for name, parameter in self.whole.parameters.items()}

    @property
    def has_open_sizes(self) -> bool:
        """Whether ``input_signature`` has dimensions of unknown size."""
        specs = [spec for spec in nest.flatten(self._specs or []) if isinstance(spec, TensorSpec)]
        return any(not spec.shape.is_fully_defined() for spec in specs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments by the names of the parameters, with defaults.

        Raises:
            TypeError: the function does not take these arguments; they don't fit ``input_signature``.
        """
        if self._simple is not None and not kwargs and len(args) == len(self._simple):
            return dict(zip(self._simple, args, strict=True))
        try:
            bound = self.whole.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}(): {error}") from None
        bound.apply_defaults()
        if self._specs is not None:
            self._convert_to_specs(bound)
        return dict(bound.arguments)

    def bind_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Returns arguments, which may be specs, by the names of the parameters; without any, the specs of ``input_signature``."""
        positional = tuple(self._specs) if self._specs is not None and not args and not kwargs else args
        bound = self.whole.bind(*positional, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def unbind(self, arguments: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the positional and named arguments of a call from the result of ``bind``."""
        bound = inspect.BoundArguments(self.whole, arguments)
        return bound.args, bound.kwargs

    def _convert_to_specs(self, bound: inspect.BoundArguments) -> None:
        """Converts the arguments to tensors of ``input_signature``."""
        specs = self._specs or []
        values = bound.args
        if len(values) < len(specs) or any(
            value is not self._default_of(i) for i, value in enumerate(values[len(specs) :], len(specs))
        ):
            raise TypeError(
                f"{self._name}(): input_signature has {len(specs)} arguments, the call {len(values)}: {short_repr(values)}."
            )
        parameters = self.whole.parameters.values()
        names = [parameter.name for parameter in parameters if parameter.kind <= inspect.Parameter.VAR_POSITIONAL]
        for position, (spec, value) in enumerate(zip(specs, values, strict=False)):
            packed = self._convert_structure(value, spec, position)
            name = names[position] if position < len(names) else names[-1]
            if self.whole.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                items = list(bound.arguments[name])
                items[position - names.index(name)] = packed
                bound.arguments[name] = tuple(items)
            else:
                bound.arguments[name] = packed

    def _convert_structure(self, value: Any, spec: Any, position: int) -> Any:
        if not nest.is_nested(spec):
            return self._convert_leaf(value, spec, position)
        if (
            not nest.is_nested(value)
            or len(value) != len(spec)
            or (isinstance(spec, Mapping) and set(value) != set(spec))
        ):
            raise TypeError(
                f"{self._name}(): argument {position} does not have the structure of {spec}: input_signature."
            )
        if isinstance(spec, Mapping):
            return {key: self._convert_structure(value[key], spec[key], position) for key in spec}
        items = [
            self._convert_structure(item, item_spec, position) for item, item_spec in zip(value, spec, strict=True)
        ]
        return type(spec)(*items) if hasattr(spec, "_fields") else type(spec)(items)

    def _default_of(self, position: int) -> Any:
        parameters = list(self.whole.parameters.values())
        return parameters[position].default if position < len(parameters) else inspect.Parameter.empty

    def _convert_leaf(self, value: Any, spec: Any, position: int) -> Any:
        if not isinstance(spec, TensorSpec):
            if isinstance(spec, CompositeSpec) and isinstance(value, Composite) and not spec.takes_argument(value):
                raise TypeError(
                    f"{self._name}(): argument {position} is {value._spec()}, which does not fit input_signature: {spec}."
                )
            return value
        if isinstance(value, Variable):
            value = Variable.value(value)
        try:
            tensor = convert_to_tensor(value, None if isinstance(value, Tensor) else spec.dtype)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{self._name}(): argument {position}: can't convert {short_repr(value)} to {spec}: {error}"
            ) from None
        if tensor.dtype is not spec.dtype or not tensor.shape.is_compatible_with(spec.shape):
            raise TypeError(
                f"{self._name}(): argument {position} has shape {tensor.shape} and dtype {tensor.dtype.name}, which does not fit "
                f"input_signature: {spec}."
            )
        return tensor


def traced_arguments(call: Call, on_float_read: Callable[[str, int], None]) -> tuple[list[Tensor], list[Any]]:
    """Returns input tensors for the arrays of a call, and the leaves of the arguments that the recorded function gets.

    They are new tensors: a tensor that is also captured is a constant as a capture, and an input as an argument. Tapes that watch
    an argument watch its stand-in.

    Args:
        call: the call.
        on_float_read: is called with the label of a float whose Python value is read, and the number of its array.
    """
    tensors = [
        TABLE["identity"](passed) if recorders.active and isinstance(passed, Tensor) else Tensor(array)
        for passed, array in zip(call.passed_leaves, call.arrays, strict=True)
    ]
    for tensor, passed in zip(tensors, call.passed_leaves, strict=True):
        if not isinstance(passed, Tensor) or hasattr(passed, "_unplaced"):
            tensor._unplaced = True
    numbered_tensors = iter(enumerate(tensors))
    leaves: list[Any] = []
    for label, leaf, value in zip(call.labels, call.leaves, call.values, strict=True):
        kind = leaf[0]
        if kind == "tensor":
            leaves.append(next(numbered_tensors)[1])
        elif kind == "float":
            number, tensor = next(numbered_tensors)
            leaves.append(Scalar(tensor, functools.partial(on_float_read, label, number)))
        elif kind == "same as":
            leaves.append(leaves[leaf[1]])
        else:
            leaves.append(value)
    return tensors, leaves


def leaf_for_eager_run(value: Any) -> Any:
    """Returns a leaf for a function that is not recorded, or is inside another's recording: arrays become tensors."""
    if isinstance(value, (np.ndarray, np.generic)):
        return constant_tensor(array_of(value))
    return value
