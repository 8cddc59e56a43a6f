"""What ``tf.saved_model.load`` returns: objects with variables, functions of stored graphs, and signatures."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastgrad._src.compiler.dispatch.concrete import ConcreteFunction
from fastgrad._src.compiler.function import Function
from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.object_graph import dict_of_unique_names, nested_items
from fastgrad._src.core.restoration import DeferredRestorationOwner
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.saved_model.composites import (
    CompositeLeaf,
    Leaf,
    component_tensors,
    map_leaves,
    tensor_leaves,
    with_tensors,
)
from fastgrad._src.files.saved_model.stored_graph import REMEDY, StoredGraph
from fastgrad._src.jit.captured_values import short_repr


class _UserObject(DeferredRestorationOwner):
    """A loaded object: its attributes are variables, functions, and other loaded objects."""

    _is_loaded_object = True

    def _saved_variables(self) -> dict[str, Any]:
        return self._nested_items_by_name(lambda value: isinstance(value, Variable))

    def _saved_children(self) -> dict[str, Any]:
        return self._nested_items_by_name(lambda value: hasattr(value, "_saved_variables"))

    def _nested_items_by_name(self, is_selected: Any) -> dict[str, Any]:
        return dict_of_unique_names(
            item for name, value in sorted(vars(self).items()) for item in nested_items(name, value, is_selected)
        )


class _CallableUserObject(_UserObject):
    """A loaded object whose ``__call__`` is a stored function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return vars(self)["__call__"](*args, **kwargs)


_CallableUserObject.__name__ = _CallableUserObject.__qualname__ = "_UserObject"


class StoredEntry:
    """A stored function for certain arguments.

    Args:
        arguments: plain values by the names of the parameters, with a ``Leaf`` for each tensor.
        symbols: for each unknown size the number of the tensor, its axis, and the number of the size.
        graph: computes the results.
        result: the nested result, with a ``Leaf`` for each tensor.
        excluded: the sizes that the entry is not for: the number of the size, the first and the last one, or None if there is
            no last one, and the error that the function has for them.
        is_variant: whether an entry before has the same arguments, for other sizes. Only files of 1.0.0rc1 have such entries.

    Attributes:
        arguments, graph, result, is_variant: as given.
        specs: of the tensors.
    """

    def __init__(
        self,
        arguments: dict[str, Any],
        symbols: list[Any],
        graph: StoredGraph,
        result: Any,
        excluded: Sequence[Any] = (),
        is_variant: bool = False,
    ) -> None:
        self.arguments, self._symbols, self.graph, self.result = arguments, symbols, graph, result
        self._excluded, self.is_variant = excluded, is_variant
        self.specs = [leaf.spec for leaf in sorted(tensor_leaves(arguments), key=lambda leaf: leaf.number)]

    def match_arguments(self, arguments: dict[str, Any]) -> list[Tensor] | None:
        """Returns the tensors of a call's arguments; None if the call does not fit."""
        tensors: dict[int, Tensor] = {}
        if arguments.keys() != self.arguments.keys():
            return None
        fits = all(_matches(self.arguments[name], value, tensors) for name, value in arguments.items())
        return [tensors[number] for number in range(len(self.specs))] if fits else None

    def of_signature(self, names: Sequence[str], outputs: dict[str, Any]) -> StoredEntry:
        """Returns the entry with its tensors by ``names`` as the only arguments, and ``outputs`` as the result."""
        entry = copy.copy(self)
        entry.arguments = {
            "tensors": {name: Leaf(i, spec) for i, (name, spec) in enumerate(zip(names, self.specs, strict=True))}
        }
        entry.result = outputs
        return entry

    def run(self, tensors: list[Tensor]) -> list[Tensor]:
        """Returns the results for tensors that fit.

        Raises:
            InvalidArgumentError: two sizes differ that were one number when the function was stored.
        """
        return self.graph.run(tensors, self._symbol_sizes(tensors))

    def refusal_reason(self, tensors: list[Tensor]) -> str | None:
        """Returns why the entry does not hold for the sizes of tensors that fit; None if it does."""
        for number, axis, symbol in self._symbols:
            size = tensors[number]._array.shape[axis]
            for other, first, last, error in self._excluded:
                if other == symbol and first <= size and (last is None or size <= last):
                    return (
                        f"the SavedModel has no graph for the size {size} of axis {axis} of tensor {number}, nor for other sizes from {first} "
                        f"{'on' if last is None else f'to {last}'}. When it was saved, the function "
                        f"{f'raised {error}' if error else 'did something else than for the recorded sizes'}. {REMEDY}"
                    )
        return None

    def _symbol_sizes(self, tensors: list[Tensor]) -> list[int]:
        sizes: dict[int, int] = {}
        for number, axis, symbol in self._symbols:
            size = tensors[number]._array.shape[axis]
            if sizes.setdefault(symbol, size) != size:
                raise InvalidArgumentError(
                    f"A function of a SavedModel got the sizes {sizes[symbol]} and {size} for axes that must have the same size, such as the "
                    f"batch: {[list(x._array.shape) for x in tensors]}."
                )
        return [sizes[symbol] for symbol in range(len(sizes))]

    def variables(self) -> list[Variable]:
        """Returns the variables that the function reads and assigns; one may occur twice."""
        return self.graph.variables()


def _replace_leaves_by_specs(structure: Any) -> Any:
    return map_leaves(lambda leaf: leaf.spec if isinstance(leaf, (Leaf, CompositeLeaf)) else leaf, structure)


def _matches(stored: Any, value: Any, tensors: dict[int, Tensor]) -> bool:
    """True if an argument fits a stored one; its tensors are added to ``tensors``."""
    if isinstance(stored, Leaf):
        tensor = convert_to_spec(value, stored.spec)
        if tensor is None:
            return False
        tensors[stored.number] = tensor
        return True
    if isinstance(stored, CompositeLeaf):
        if not isinstance(value, Composite) or not stored.spec.takes_argument(value):
            return False
        parts = component_tensors(value)
        tensors.update({leaf.number: part for leaf, part in zip(stored.leaves, parts, strict=True)})
        return True
    if nest.is_nested(stored):
        if (
            not nest.is_nested(value)
            or len(stored) != len(value)
            or isinstance(stored, Mapping) != isinstance(value, Mapping)
        ):
            return False
        if isinstance(stored, Mapping):
            return stored.keys() == value.keys() and all(_matches(stored[key], value[key], tensors) for key in stored)
        return all(_matches(item, other, tensors) for item, other in zip(stored, value, strict=True))
    if isinstance(value, (Tensor, Variable, Composite)) or type(value) is not type(stored):
        return False
    return bool(value == stored)


def convert_to_spec(value: Any, spec: TensorSpec) -> Tensor | None:
    """Returns a value as a tensor of a spec; None if it does not fit."""
    if value is None:
        return None
    try:
        if isinstance(value, (Tensor, Variable)):
            tensor = convert_to_tensor(value)
        else:
            tensor = convert_to_tensor(value, spec.dtype)
    except (TypeError, ValueError):
        return None
    return tensor if tensor.dtype is spec.dtype and tensor.shape.is_compatible_with(spec.shape) else None


class RestoredFunction(Function):
    """A function of a SavedModel: it runs the stored graph that fits the arguments.

    Args:
        name: the function's.
        signature: its parameters.
        has_signature: whether it had an ``input_signature``.
        entries: the stored graphs, each for certain arguments.
    """

    def __init__(
        self, name: str, signature: inspect.Signature, has_signature: bool, entries: list[StoredEntry]
    ) -> None:
        def run_stored_graph(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            entry, tensors = self._matching_entry(dict(bound.arguments), args, kwargs)
            return with_tensors(entry.run(tensors), entry.result)

        run_stored_graph.__name__ = run_stored_graph.__qualname__ = name
        run_stored_graph.__signature__ = signature  # type: ignore[attr-defined]
        self._stored_signature, self._has_signature, self.entries = signature, has_signature, entries
        super().__init__(run_stored_graph)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the stored graph that fits the arguments; values that are no tensors are converted.

        Raises:
            TypeError: of a function with ``input_signature``: the arguments do not fit it.
            ValueError: no stored graph fits the arguments.
        """
        try:
            bound = self._stored_signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `{error}`. Received args: {short_repr(args)} and kwargs: "
                f"{short_repr(kwargs)} for signature: {self._stored_signature}."
            ) from None
        bound.apply_defaults()
        entry, tensors = self._matching_entry(dict(bound.arguments), args, kwargs)
        bound = inspect.BoundArguments(self._stored_signature, with_tensors(tensors, entry.arguments))
        return super().__call__(*bound.args, **bound.kwargs)

    def _matching_entry(self, arguments: dict[str, Any], args: Any, kwargs: Any) -> tuple[StoredEntry, list[Tensor]]:
        refusal = None
        for entry in self.entries:
            tensors = entry.match_arguments(arguments)
            if tensors is not None:
                reason = entry.refusal_reason(tensors)
                if reason is None:
                    return entry, tensors
                refusal = refusal or reason
        if refusal is not None:
            raise InvalidArgumentError(f"{self.__name__}(): {refusal}")
        if self._has_signature:
            accepted = " or ".join(map(str, self.stored_arguments()))
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Can not cast {short_repr(arguments)} to {accepted}`. "
                f"Received args: {short_repr(args)} and kwargs: {short_repr(kwargs)} for signature: {self._stored_signature}."
            )
        if not self.entries:
            raise ValueError(
                f"Found zero restored functions for {self.__name__}: it has no input_signature, and no call was recorded before it was "
                "saved. Call it before, or give it an input_signature."
            )
        options = [f"Option {i}: {accepted}" for i, accepted in enumerate(self.stored_arguments(), 1)]
        lines = "\n".join(options)
        raise ValueError(
            "Could not find matching concrete function to call loaded from the SavedModel. Got:\n"
            f"  {self.__name__}{short_repr(arguments)}\n\n"
            f"Expected these arguments to match one of the following {len(options)} option(s):\n\n{lines}\n"
            "Call the function with such arguments before it is saved, or give it an input_signature."
        )

    @property
    def input_signature(self) -> Any:
        if not self._has_signature:
            return None
        return list(self.stored_arguments()[0].values())

    def stored_arguments(self) -> list[dict[str, Any]]:
        return [_replace_leaves_by_specs(entry.arguments) for entry in self.entries if not entry.is_variant]

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs or not self._has_signature:
            return super().get_concrete_function(*args, **kwargs)
        arguments = inspect.BoundArguments(self._stored_signature, self.stored_arguments()[0])
        return super().get_concrete_function(*arguments.args, **arguments.kwargs)

    def _copy_without_traces(self, python_function: Any) -> Function:
        return RestoredFunction(self.__name__, self._stored_signature, self._has_signature, self.entries)


class SignatureFunction(RestoredFunction):
    """A function of ``loaded.signatures``: takes tensors by the names of the inputs, returns a dict of tensors.

    Args:
        name: of the signature.
        entries: the stored graphs; several only for several ranks.
        input_names: the names of the tensors, also of those of ragged and sparse arguments.
        outputs: the leaves of the results by their names.
    """

    def __init__(
        self, name: str, entries: Sequence[StoredEntry], input_names: list[str], outputs: dict[str, Any]
    ) -> None:
        self._input_names, self._outputs = input_names, outputs
        tensors = inspect.Parameter("tensors", inspect.Parameter.VAR_KEYWORD)
        own = [entry.of_signature(input_names, outputs) for entry in entries]
        super().__init__(f"signature_wrapper_{name}", inspect.Signature([tensors]), True, own)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the signature with tensors by name; a single tensor may be given by position.

        Raises:
            TypeError: other names, or a tensor that does not fit its spec.
        """
        names = self._input_names
        passed = dict(zip(names, args, strict=False)) if len(args) <= min(len(names), 1) else {}
        if len(passed) != len(args) or passed.keys() & kwargs.keys() or {*passed, *kwargs} != set(names):
            raise TypeError(
                f"Binding inputs to tf.function failed: the signature takes {names} by name, got {len(args)} positional arguments and "
                f"{list(kwargs)}. Signature: {self._text()}."
            )
        return super().__call__(**passed, **kwargs)

    @property
    def structured_input_signature(self) -> tuple[tuple[()], dict[str, TensorSpec]]:
        """An empty tuple, and the specs of the inputs by name."""
        specs = zip(self._input_names, self.entries[0].specs, strict=True)
        return (), {name: TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs}

    @property
    def structured_outputs(self) -> dict[str, Any]:
        """The specs of the outputs by name; those of ragged and sparse tensors have no names."""
        return {
            name: TensorSpec(leaf.spec.shape, leaf.spec.dtype, name) if isinstance(leaf, Leaf) else leaf.spec
            for name, leaf in self._outputs.items()
        }

    @property
    def input_signature(self) -> Any:
        return list(self.structured_input_signature[1].values())

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """Returns the signature as a concrete function; arguments have no effect."""
        (arguments,) = self.stored_arguments()
        kinds = dict.fromkeys(arguments, inspect.Parameter.KEYWORD_ONLY)
        return ConcreteFunction(self.call_with_arguments, self.__name__, arguments, kinds)

    def stored_arguments(self) -> list[dict[str, Any]]:
        return [dict(self.structured_input_signature[1])]

    def call_with_arguments(self, arguments: dict[str, Any]) -> Any:
        return self(**arguments)

    def _text(self) -> str:
        return f"(*, {', '.join(f'{name}: {spec}' for name, spec in self.structured_input_signature[1].items())})"

    def __repr__(self) -> str:
        return f"<ConcreteFunction {self._text()} -> {self.structured_outputs}>"


class _SignatureMap(Mapping[str, SignatureFunction]):
    """The signatures of a loaded object by name; it can't be changed."""

    _is_signature_map = True

    def __init__(self, signatures: dict[str, SignatureFunction]) -> None:
        self._signatures = signatures

    def __getitem__(self, name: str) -> SignatureFunction:
        return self._signatures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._signatures)

    def __len__(self) -> int:
        return len(self._signatures)

    def __repr__(self) -> str:
        return f"_SignatureMap({self._signatures})"
