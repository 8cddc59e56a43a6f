"""The attributes of a node as Python values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastgrad._src.compat.tensorflow_models.structures import shape_of
from fastgrad._src.files.records.string_tensors import dtype_of_enum, tensor_of_proto

_HANDLE_TYPES = (20, 21)  # DT_RESOURCE and DT_VARIANT, which are no dtypes of tensors here
_MOST_CONSTANT_ELEMENTS = 1 << 26
_MOST_OUTPUTS = 1 << 16


class Attributes:
    """The attributes of a node, with the defaults of its operation.

    Args:
        node: a ``NodeDef``.
        definition: the ``OpDef`` of its operation.

    Attributes:
        definition: as given.
    """

    def __init__(self, node: Any, definition: Any) -> None:
        self._node, self.definition = node, definition
        self._defaults = {attribute.name: attribute.default_value for attribute in definition.attr}

    def _message(self, name: str) -> Any:
        if name in self._node.attr:
            return self._node.attr[name]
        default = self._defaults.get(name)
        if default is None or default.WhichOneof("value") is None:
            raise ValueError(f"the node {self._node.name!r:.100} ({self._node.op}) has no attribute {name!r:.100}")
        return default

    def __getitem__(self, name: str) -> Any:
        """Returns the value: a number, text, shape, dtype, array, the name of a function, or a list.

        Raises:
            ValueError: there is no such attribute.
        """
        message = self._message(name)
        kind = message.WhichOneof("value")
        if kind == "list":
            filled = [field.name for field, values in message.list.ListFields() if values]
            return [_decode_value(filled[0], item) for item in getattr(message.list, filled[0])] if filled else []
        return _decode_value(kind, getattr(message, kind or "s"))

    def __contains__(self, name: str) -> bool:
        default = self._defaults.get(name)
        return name in self._node.attr or (default is not None and default.WhichOneof("value") is not None)

    def get(self, name: str, default: Any) -> Any:
        """Returns the value, or ``default`` if there is no such attribute."""
        return self[name] if name in self else default  # noqa: SIM401  # this is get

    def is_set(self, name: str) -> bool:
        """True if there is an attribute of this name, and it is true."""
        return name in self and bool(self[name])

    def choices(self) -> list[str]:
        """Returns the attributes that choose what is computed: no dtype, no number of inputs, and not the default."""
        arguments = [*self.definition.input_arg, *self.definition.output_arg]
        counts = {name for argument in arguments for name in (argument.number_attr, argument.type_list_attr)}
        return [
            name
            for name, message in sorted(self._node.attr.items())
            if not name.startswith("_")
            and name not in counts
            and message.WhichOneof("value") != "type"
            and not message.list.type
            and message != self._defaults.get(name)
        ]

    def functions(self) -> Iterator[tuple[str, list[str]]]:
        """Yields the attributes that are functions, with the functions' names."""
        for name, message in self._node.attr.items():
            if message.WhichOneof("value") == "func":
                yield name, [message.func.name]
            elif message.list.func:
                yield name, [function.name for function in message.list.func]

    def count(self, argument: Any) -> int:
        """Returns how many tensors an input or output of the operation has in this node."""
        if not (argument.number_attr or argument.type_list_attr):
            return 1
        message = self._message(argument.number_attr or argument.type_list_attr)
        count = message.i if message.WhichOneof("value") == "i" else len(message.list.type)
        if not 0 <= count <= _MOST_OUTPUTS:
            raise ValueError(f"the node {self._node.name!r:.100} has {count} inputs or outputs")
        return count


def _decode_value(kind: str | None, value: Any) -> Any:
    match kind:
        case "s":
            return value.decode()
        case "type":
            return None if value in _HANDLE_TYPES else dtype_of_enum("load", value)
        case "shape":
            return shape_of(value)
        case "tensor":
            return tensor_of_proto("Const", value, dtype_of_enum("load", value.dtype), _MOST_CONSTANT_ELEMENTS)
        case "func":
            return value.name
        case "i" | "f" | "b":
            return value
    raise ValueError(f"an attribute is a {kind}")
