"""``tf.experimental.ExtensionType``: immutable classes of tensors and Python values, with a field for each annotation."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from fastgrad._src.core import nest, tensor
from fastgrad._src.core.composite import Composite, CompositeOperand, CompositeSpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.extension_types.annotations import ImmutableDict, check_annotation, convert
from fastgrad._src.structures.extension_types.api_dispatch import call_elementwise
from fastgrad._src.structures.extension_types.batch_encoder import ExtensionTypeBatchEncoder
from fastgrad._src.structures.extension_types.structure import (
    NoCommonType,
    are_compatible,
    common_spec,
    field_spec,
    join_tensors,
    spec_of,
    split_tensors,
)

_RESERVED_NAMES = frozenset(["self", "Spec"])


class _Fields:
    """The fields of an extension type or of its spec: their conversion, and what refuses a change of them."""

    _annotations: ClassVar[dict[str, Any]] = {}
    _signature: ClassVar[inspect.Signature] = inspect.Signature()
    _holds_specs: ClassVar[bool] = False

    def _set_fields(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Converts the arguments of the constructor to the fields."""
        try:
            bound = type(self)._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__qualname__}(): {error}") from None
        bound.apply_defaults()
        vars(self).update(bound.arguments)

    def _finish(self) -> None:
        """Converts the fields to their annotated types, and refuses further changes.

        Raises:
            ValueError: a field is missing.
            TypeError: a value has another type than its field.
        """
        missing = self._annotations.keys() - vars(self).keys()
        if missing:
            raise ValueError(f"Missing required fields: {missing}")
        for name, annotation in self._annotations.items():
            vars(self)[name] = convert(vars(self)[name], annotation, name, self._holds_specs)
        vars(self)["_is_finished"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_is_finished" in vars(self) or name not in self._annotations:
            raise AttributeError(f"Cannot mutate attribute `{name}` outside the custom constructor of ExtensionType.")
        vars(self)[name] = value

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Cannot mutate attribute `{name}` outside the custom constructor of ExtensionType.")

    @classmethod
    def _of(cls, values: Sequence[Any]) -> Any:
        """Returns an object with these values of the fields, without a call of the constructor and of ``__validate__``."""
        result = cls.__new__(cls)
        vars(result).update(zip(cls._annotations, values, strict=True), _is_finished=True)
        return result

    def _values(self) -> tuple[Any, ...]:
        return tuple([vars(self)[name] for name in self._annotations])

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_text(vars(self)[name], self._holds_specs)}" for name in self._annotations)
        return f"{type(self).__qualname__}({fields})"

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def _text(value: Any, is_spec: bool) -> str:
    return repr(dict(value)) if is_spec and isinstance(value, ImmutableDict) else repr(value)


class ExtensionTypeSpec(_Fields, CompositeSpec):
    """The static type of an extension type's objects; the attribute ``Spec`` of each class is a subclass.

    Args:
        one argument for each field: a spec in place of a tensor or composite, else the value.
    """

    _holds_specs = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._set_fields(args, kwargs)

    value_type: ClassVar[Any]

    @classmethod
    def from_value(cls, value: Any) -> ExtensionTypeSpec:
        """Returns the spec of an object of the extension type.

        Raises:
            TypeError: ``value`` is of another type.
        """
        if not isinstance(value, ExtensionType) or type(value) is not cls.value_type:
            raise TypeError(f"{cls.__qualname__}.from_value: expected {cls.value_type.__name__}, got {value!r}.")
        pairs = zip(value._values(), cls._annotations.values(), strict=True)
        return cls._of([field_spec(item, kind) if isinstance(item, Tensor) else spec_of(item) for item, kind in pairs])

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        other: Any = spec_or_value
        if isinstance(other, ExtensionType):
            other = other._spec()
        return type(other) is type(self) and all(map(are_compatible, self._values(), other._values()))

    def most_specific_common_supertype(self, others: Iterable[Any]) -> Any:
        """Returns the narrowest spec that includes this spec and all ``others``; None if more than sizes differ."""
        specs = [self, *others]
        if any(type(spec) is not type(self) for spec in specs):
            return None
        try:
            return self._of([common_spec(column) for column in zip(*[spec._values() for spec in specs], strict=True)])
        except NoCommonType:
            return None

    def batched(self, size: int | None) -> Any:
        return self._encoder().batch(self, size)

    def of_rows(self) -> Any:
        return self._encoder().unbatch(self)

    def encode(self, value: Any, minimum_rank: int = 0) -> list[Any]:
        parts = nest.flatten(self._encoder().encode(self, value, minimum_rank))
        return [
            leaf
            for part in parts
            for leaf in (part._spec().encode(part, minimum_rank) if isinstance(part, Composite) else [part])
        ]

    def decode(self, parts: list[Any]) -> Any:
        structure, remaining = self._encoder().encoding_specs(self), iter(parts)
        values = [
            spec.decode([next(remaining) for _ in spec.encoding_specs()])
            if isinstance(spec, CompositeSpec)
            else next(remaining)
            for spec in nest.flatten(structure)
        ]
        return self._encoder().decode(self, nest.pack_sequence_as(structure, values))

    def encoding_specs(self) -> list[Any]:
        specs = nest.flatten(self._encoder().encoding_specs(self))
        return [
            leaf for spec in specs for leaf in (spec.encoding_specs() if isinstance(spec, CompositeSpec) else [spec])
        ]

    def _encoder(self) -> ExtensionTypeBatchEncoder:
        encoder: Any = getattr(self, "__batch_encoder__", None)
        if encoder is None:
            raise TypeError(f"{type(self).__qualname__}: only a BatchableExtensionType has rows and batches.")
        return encoder

    def component_specs(self) -> list[TensorSpec]:
        """Returns the specs of all tensors, in the order of the fields."""

        def specs_of(item: Any) -> list[TensorSpec]:
            if isinstance(item, CompositeSpec):
                return item.component_specs()
            if nest.is_nested(item):
                return [spec for part in nest.flatten(item) for spec in specs_of(part)]
            return [item] if isinstance(item, TensorSpec) else []

        return specs_of(self._values())

    def fitted(self, value: Any) -> Any:
        if not self.is_compatible_with(value):
            raise ValueError(f"{value!r} does not fit {self}.")
        return value

    def __eq__(self, other: Any) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), tuple(self._annotations)))


class ExtensionType(_Fields, Composite):
    """The base class of immutable structures of tensors and Python values, which functions take and return.

    The annotations of the class are its fields: ``tf.Tensor``, ``tf.RaggedTensor``, another extension type, ``int``, ``float``,
    ``bool``, ``str``, ``bytes``, ``None``, ``tf.DType``, ``tf.TensorShape``, ``Tuple``, ``Mapping``, ``Union`` and ``Optional`` of these.
    The constructor takes the fields and converts tensors. A class may have its own ``__init__``, which sets the fields. The method
    ``__validate__``, if there is one, is called afterwards. Objects have no hash. ``tf.function`` has a trace for each dtype and shape
    of the tensors and for each value of the other fields.

    Attributes:
        Spec: the class of the static type, with a spec for each tensor.

    Raises:
        TypeError: an argument is missing, unknown or of another type; an annotation is none of the types above.
        ValueError: a class attribute has no annotation.
    """

    Spec: ClassVar[Any]
    counts_as_tensor = False
    remedy = "register the function with tf.experimental.dispatch_for_api, or use its fields"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if type(self) is ExtensionType:
            raise AssertionError("Cannot create an instance of ExtensionType, which is an abstract base class.")
        self._set_fields(args, kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_names(cls)
        own = inspect.get_annotations(cls)
        hints = typing.get_type_hints(cls, localns={cls.__name__: cls})
        inherited = {name for base in cls.__mro__[1:] for name in getattr(base, "_annotations", ())}
        fields = {name: hint for name, hint in hints.items() if name in inherited or name in own}
        cls._annotations = {name: fields[name] for name in [*[n for n in fields if n in inherited], *own]}
        for name, annotation in cls._annotations.items():
            check_annotation(annotation, name)
        defaults = {}
        for name in cls._annotations:
            default = inspect.getattr_static(cls, name, inspect.Parameter.empty)
            if default is not inspect.Parameter.empty and not isinstance(default, property):
                try:
                    defaults[name] = convert(default, cls._annotations[name], name, False)
                except TypeError as error:
                    raise TypeError(f"default value for {error}") from None
            elif isinstance(default, property):  # Composite's, which would hide the field
                setattr(cls, name, None)
        cls._signature = _signature_of(cls._annotations, defaults)
        spec_bases = (vars(cls)["Spec"], ExtensionTypeSpec) if "Spec" in vars(cls) else (ExtensionTypeSpec,)
        spec_members: dict[str, Any] = {
            "_annotations": cls._annotations,
            "_signature": _signature_of(cls._annotations, {}),
        }
        if hasattr(cls, "__batch_encoder__"):
            spec_members["__batch_encoder__"] = cls.__batch_encoder__
        spec_names = {"value_type": cls, "__qualname__": f"{cls.__qualname__}.Spec", "__module__": cls.__module__}
        cls.Spec = type("Spec", spec_bases, spec_members | spec_names)
        for name in cls._annotations:
            if inspect.getattr_static(cls.Spec, name, None) is not None:
                setattr(cls.Spec, name, None)
        _finish_after(cls)
        _finish_after(cls.Spec)

    def __validate__(self) -> None:
        """Called when the fields are set; a subclass raises an error for values that do not fit together."""

    @property
    def flat_values(self) -> Any:
        """Raises ValueError: gradients are of the fields."""
        raise ValueError(
            f"Type {type(self).__name__} is not supported as a gradient source or gradient target: name its tensors."
        )

    def _spec(self) -> Any:
        return self.Spec.from_value(self)

    def _to_components(self) -> tuple[Any, list[Any]]:
        parts: list[Any] = []
        return tuple([split_tensors(value, parts) for value in self._values()]), parts

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        parts = iter(tensors)
        return cls._of([join_tensors(item, parts) for item in form])

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        return repr(self)

    def __eq__(self, other: Any) -> Any:
        """Whether all fields are equal: a tensor if the types, dtypes and shapes are, else False."""
        if type(other) is not type(self):
            return NotImplemented
        if self._spec() != other._spec():
            return False
        pairs = zip(self._to_components()[1], other._to_components()[1], strict=True)
        return ops.reduce_all([ops.reduce_all(ops.equal(a, b)) for a, b in pairs] or [True])

    def __ne__(self, other: Any) -> Any:
        same = self.__eq__(other)
        return same if same is NotImplemented else ops.logical_not(same) if isinstance(same, Tensor) else not same

    __hash__ = None  # type: ignore[assignment]


def _finish_after(cls: Any) -> None:
    """Makes the constructor of a class convert and check the fields when it ends."""
    construct = cls.__init__

    @functools.wraps(construct)
    def construct_and_finish(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        if type(self) is cls and "_is_finished" not in vars(self):
            self._finish()
            if isinstance(self, ExtensionType):
                self.__validate__()

    cls.__init__ = construct_and_finish


def _check_names(cls: type) -> None:
    annotated = inspect.get_annotations(cls)
    problem = f"The field annotations for {cls.__name__} are invalid."
    for name in annotated:
        if name in _RESERVED_NAMES or name.startswith("_"):
            raise ValueError(f"{problem} Field '{name}' is reserved.")
    known = {name for base in cls.__mro__[1:] for name in getattr(base, "_annotations", ())} | {"Spec", "remedy"}
    for name, value in vars(cls).items():
        is_plain = not callable(value) and not hasattr(value, "__get__") and not name.startswith("_")
        if is_plain and name not in annotated and name not in known:
            raise ValueError(f"{problem} Field {name} is missing a type annotation.")


def _signature_of(annotations: Mapping[str, Any], defaults: Mapping[str, Any]) -> inspect.Signature:
    """Returns the signature of the constructor; a field without default after one with default is passed by name."""
    parameters: list[inspect.Parameter] = []
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for name in annotations:
        default = defaults.get(name, inspect.Parameter.empty)
        if parameters and parameters[-1].default is not inspect.Parameter.empty and name not in defaults:
            kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, kind, default=default))
    return inspect.Signature(parameters)


class ExtensionOperand(CompositeOperand):
    """The error for an object of an extension type where a tensor is wanted; element-wise functions may be dispatched."""

    def __init__(self, value: ExtensionType) -> None:
        ValueError.__init__(
            self,
            f"Attempt to convert a value ({value!r}) with an unsupported type ({type(value)}) to a Tensor: {value.remedy}.",
        )
        self.composite = value

    def call(self, function_name: str, *arguments: Any) -> Any:
        """Calls the handler of element-wise functions for ``tf.cast``; raises itself for others, which are dispatched by their names in ``tf``."""
        if function_name != "cast":
            raise self
        value, dtype = arguments
        return self.mapped(lambda x: ops.cast(x, dtype), value)

    def mapped(self, function: Callable[..., Any], *operands: Any) -> Any:
        """Calls what ``dispatch_for_unary_elementwise_apis`` or its kin have registered for these operands."""
        if function is ops.identity:
            form, tensors = self.composite._to_components()
            return type(self.composite)._from_components(form, list(map(ops.identity, tensors)))
        return call_elementwise(self, function, operands)


def _refuse_conversion(value: ExtensionType) -> Tensor:
    raise ExtensionOperand(value)


tensor.converters.append((ExtensionType, _refuse_conversion))


class BatchableExtensionType(ExtensionType):
    """An extension type whose tensors have a batch dimension first: datasets slice, batch and shuffle its objects.

    Attributes:
        __batch_encoder__: a ``tf.experimental.ExtensionTypeBatchEncoder``; default: one that stacks each field.
    """

    __batch_encoder__ = ExtensionTypeBatchEncoder()
