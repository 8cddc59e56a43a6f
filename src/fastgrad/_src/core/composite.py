"""Composites: values made of several tensors, such as ragged tensors, and their interface."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, TypeVar

from fastgrad._src.core.type_spec import TypeSpec

_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])


class Composite:
    """The base class of values made of several tensors; operations reject composites or have an override."""

    __slots__ = ()

    is_rectangular: ClassVar[bool] = False
    """Whether composites have the shape of a dense tensor, so that layers can build for it."""

    counts_as_tensor: ClassVar[bool] = True
    """Whether ``tf.is_tensor`` is True."""

    can_change: ClassVar[bool] = False
    """Whether attributes can be set later, so that compiled functions watch those that they read."""

    remedy: ClassVar[str] = "use its flat_values"
    """What to call instead of an operation that takes no composites, for its error."""

    @property
    def _array(self) -> Any:
        raise CompositeOperand(self)  # code that takes only tensors, such as the cell of a recurrent layer, reads it

    @property
    def shape(self) -> Any:
        """The sizes of the dimensions, a ``TensorShape``."""
        raise NotImplementedError

    @property
    def flat_values(self) -> Any:
        """The tensor of a composite that element-wise functions and gradients act on."""
        raise NotImplementedError

    def _with_flat_values(self, flat_values: Any) -> Any:
        """Returns a composite of the same form with other ``flat_values``, as many as before."""
        raise NotImplementedError

    def _to_components(self) -> tuple[Hashable, list[Any]]:
        """Returns the static form and the tensors; the inverse of ``_from_components``."""
        raise NotImplementedError

    def _spec(self) -> CompositeSpec:
        """Returns the composite's static type, a ``CompositeSpec``."""
        raise NotImplementedError

    def _text(self, text_of_array: Callable[[Any], str]) -> str:
        """Returns what ``tf.print`` writes; ``text_of_array`` returns the text of an array, cut if it is long."""
        raise NotImplementedError

    @classmethod
    def _spec_of_tensor(cls, tensor: Any) -> Any:
        """Returns the spec of a tensor in place of a composite of this class, which has it as a row; None if it has not."""
        return None

    @classmethod
    def _from_components(cls, form: Any, tensors: Sequence[Any]) -> Any:
        """Builds a value of the form ``form`` from ``tensors``, unchecked."""
        raise NotImplementedError


class CompositeSpec(TypeSpec):
    """The static type of a composite, like ``TensorSpec`` for tensors."""

    __slots__ = ()

    def takes_argument(self, value: Composite) -> bool:
        """True if a function with this spec in its ``input_signature`` takes the value."""
        return bool(self.is_compatible_with(value))

    ragged_rank: Any = None
    """The number of dimensions with row splits; None if the composite has none, as a sparse tensor."""

    def batched(self, size: int | None) -> CompositeSpec:
        """Returns the spec of a batch of ``size`` values of this spec; TypeError if its values can't be batched."""
        raise TypeError(f"{type(self).__name__}: its values have no rows and can't be batched.")

    def of_rows(self) -> CompositeSpec:
        """Returns the spec of one row of the composites that this spec describes; TypeError if they have no rows."""
        raise TypeError(f"{type(self).__name__}: its values have no rows and can't be batched.")

    def encode(self, value: Any, minimum_rank: int = 0) -> list[Any]:
        """Returns the tensors and composites that are stacked and cut in place of ``value``; each has the rows of ``value``.

        Args:
            value: fits this spec.
            minimum_rank: how often the result must be cut into rows.
        """
        return [value]

    def decode(self, parts: list[Any]) -> Any:
        """Returns the value of this spec that ``encode`` turns into ``parts``."""
        return parts[0]

    def encoding_specs(self) -> list[Any]:
        """Returns the specs of what ``encode`` returns."""
        return [self]

    def rows(self, value: Any) -> list[Any]:
        """Returns the rows of ``value``, by operations."""
        raise NotImplementedError

    def stack(self, values: list[Any]) -> Any:
        """Returns a batch of ``values`` of this spec, by operations; there is at least one."""
        raise NotImplementedError

    def component_specs(self) -> list[Any]:
        """Returns a ``TensorSpec`` for each tensor of a composite."""
        raise TypeError(f"{type(self).__name__}: the static types of its tensors are not known.")

    def placeholder(self, unknown_size: int, fill_value: Any) -> Any:
        """Returns a value of this spec filled with ``fill_value``; unknown sizes become ``unknown_size``."""
        raise NotImplementedError

    def fitted(self, value: Any) -> Any:
        """Returns ``value`` if it fits this spec, else raises ValueError."""
        raise NotImplementedError


OVERRIDES: dict[type[Composite], dict[str, Callable[..., Any]]] = {}
"""Implementations of public functions for composites, by class and function name; the package of each class adds its own."""


def overrides(
    composite_class: type[Composite], function: Callable[..., Any]
) -> Callable[[_Implementation], _Implementation]:
    """Returns a decorator that registers the implementation of the public function ``function`` for a class."""

    def register(implementation: _Implementation) -> _Implementation:
        OVERRIDES.setdefault(composite_class, {})[function.__name__] = implementation
        return implementation

    return register


class CompositeOperand(ValueError):
    """The error for a composite operand of an operation; public functions call the composite's override instead.

    Conversion to a tensor raises this error. A function with an override catches it. So calls with tensors do not pay for a
    check.
    """

    def __init__(self, composite: Composite) -> None:
        kind = type(composite).__name__
        super().__init__(f"a {kind} is no tensor, and this operation has no meaning for one: {composite.remedy}.")
        self.composite = composite

    def call(self, function_name: str, *arguments: Any) -> Any:
        """Calls the override of the public function ``function_name``.

        Raises:
            CompositeOperand: the function has no override.
        """
        implementation = OVERRIDES[type(self.composite)].get(function_name)
        if implementation is None:
            raise self
        return implementation(*arguments)

    def mapped(self, function: Callable[..., Any], *operands: Any) -> Any:
        """Applies an element-wise ``function`` to ``operands``, at least one of which is a composite."""
        return self.call("element-wise", function, *operands)
