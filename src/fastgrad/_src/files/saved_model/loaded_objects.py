"""What ``tf.saved_model.load`` returns: objects with variables, functions of stored graphs, and signatures."""

from __future__ import annotations

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
from fastgrad._src.files.saved_model.stored_graph import StoredGraph
from fastgrad._src.jit.captured_values import short_repr

_MOST_KNOWN_SIZES = 64


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
            no last one, and the error that the function has for them. None if the file is of an earlier fastgrad, which did not
            look for such sizes; then all sizes are taken.
        is_variant: whether an entry before has the same arguments, for other sizes.

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
        excluded: Sequence[Any] | None = None,
        is_variant: bool = False,
    ) -> None:
        self.arguments, self._symbols, self.graph, self.result = arguments, symbols, graph, result
        self._excluded, self.is_variant = excluded, is_variant
        self._refusals: dict[tuple[int, ...], str | None] = {}
        self.specs = [leaf.spec for leaf in sorted(tensor_leaves(arguments), key=lambda leaf: leaf.number)]

    def match_arguments(self, arguments: dict[str, Any]) -> list[Tensor] | None:
        """Returns the tensors of a call's arguments; None if the call does not fit."""
        tensors: dict[int, Tensor] = {}
        if arguments.keys() != self.arguments.keys():
            return None
        fits = all(_matches(self.arguments[name], value, tensors) for name, value in arguments.items())
        return [tensors[number] for number in range(len(self.specs))] if fits else None

    def run(self, tensors: list[Tensor]) -> list[Tensor]:
        """Returns the results for tensors that fit.

        Raises:
            InvalidArgumentError: two sizes differ that were one number when the function was stored.
        """
        return self.graph.run(tensors, self._symbol_sizes(tensors))

    def refusal_reason(self, tensors: list[Tensor]) -> str | None:
        """Returns why the entry does not hold for the sizes of tensors that fit; None if it does."""
        if self._excluded is None:
            return None
        sizes = tuple(self._symbol_sizes(tensors))
        try:
            return self._refusals[sizes]
        except KeyError:
            refusal = self._size_refusal_reason(sizes, tensors)
        if len(self._refusals) >= _MOST_KNOWN_SIZES:
            self._refusals.clear()
        self._refusals[sizes] = refusal
        return refusal

    def _size_refusal_reason(self, sizes: tuple[int, ...], tensors: list[Tensor]) -> str | None:
        for symbol, first, last, error in self._excluded or ():
            if first <= sizes[symbol] and (last is None or sizes[symbol] <= last):
                number, axis, _ = next(place for place in self._symbols if place[2] == symbol)
                reason = f"it raised {error}" if error else "it did something else than for the sizes that are stored"
                return f"for the size {sizes[symbol]} of axis {axis} of tensor {number} {reason} when it was saved"
        return self.graph.refusal_reason(sizes, [(x._array.shape, x._array.dtype) for x in tensors])

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

    def call(self, tensors: list[Tensor]) -> Any:
        """Returns the nested result for tensors that fit."""
        results = self.run(tensors)
        return with_tensors(results, self.result)


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
        if not nest.is_nested(value) or len(stored) != len(value):
            return False
        if isinstance(stored, Mapping):
            return (
                isinstance(value, Mapping)
                and stored.keys() == value.keys()
                and all(_matches(stored[key], value[key], tensors) for key in stored)
            )
        return not isinstance(value, Mapping) and all(
            _matches(item, other, tensors) for item, other in zip(stored, value, strict=True)
        )
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
            return entry.call(tensors)

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
                refusal_here = entry.refusal_reason(tensors)
                if refusal_here is None:
                    return entry, tensors
                refusal = refusal or _refusal_text(self.__name__, refusal_here, tensors)
        if refusal is not None:
            raise InvalidArgumentError(refusal)
        if self._has_signature:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `Can not cast {short_repr(arguments)} to {_accepted_specs_text(self.entries)}`. "
                f"Received args: {short_repr(args)} and kwargs: {short_repr(kwargs)} for signature: {self._stored_signature}."
            )
        if not self.entries:
            raise ValueError(
                f"Found zero restored functions for {self.__name__}: it has no input_signature, and no call was recorded before it was "
                "saved. Call it before, or give it an input_signature."
            )
        options = "\n".join([f"Option {i}: {_specs_text(entry)}" for i, entry in enumerate(self.entries, 1)])
        raise ValueError(
            "Could not find matching concrete function to call loaded from the SavedModel. Got:\n"
            f"  {self.__name__}{short_repr(arguments)}\n\n"
            f"Expected these arguments to match one of the following {len(self.entries)} option(s):\n\n{options}\n"
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


def _refusal_text(name: str, refusal: str, tensors: list[Tensor]) -> str:
    return (
        f"{name}(): the SavedModel has no graph of it for tensors of the shapes {[list(x._array.shape) for x in tensors]}: {refusal}. Save "
        "the function with these sizes in input_signature, or without Python that depends on sizes: tf.where and tf.while_loop are stored."
    )


def _accepted_specs_text(entries: list[StoredEntry]) -> str:
    return " or ".join([_specs_text(entry) for entry in entries if not entry.is_variant])


def _specs_text(entry: StoredEntry) -> str:
    return str(_replace_leaves_by_specs(entry.arguments))


def named_spec(leaf: Leaf | CompositeLeaf, name: str) -> Any:
    """Returns the spec of an output of a signature; the specs of ragged and sparse tensors have no names."""
    return TensorSpec(leaf.spec.shape, leaf.spec.dtype, name) if isinstance(leaf, Leaf) else leaf.spec


class SignatureFunction(Function):
    """A function of ``loaded.signatures``: takes tensors by the names of the inputs, returns a dict of tensors.

    Args:
        name: of the signature.
        entries: the stored graphs; several only for several ranks.
        input_names: the names of the tensors, also of those of ragged and sparse arguments.
        outputs: the leaves of the results by their names.
        output_specs: the specs of the results.
    """

    def __init__(
        self,
        name: str,
        entries: list[StoredEntry],
        input_names: list[str],
        outputs: dict[str, Leaf | CompositeLeaf],
        output_specs: dict[str, Any],
    ) -> None:
        self.entries, self._input_names, self._outputs = entries, input_names, outputs
        self._output_specs = output_specs

        def run_signature(*tensors: Any) -> dict[str, Any]:
            entry, fitting = self._matching_entry(list(tensors))
            results = entry.run(fitting)
            named: dict[str, Any] = with_tensors(results, outputs)
            return named

        run_signature.__name__ = run_signature.__qualname__ = f"signature_wrapper_{name}"
        super().__init__(run_signature)

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
        passed |= kwargs
        _, tensors = self._matching_entry([passed[name] for name in names])
        return super().__call__(*tensors)

    def _matching_entry(self, values: list[Any]) -> tuple[StoredEntry, list[Tensor]]:
        refusal = None
        for entry in self.entries:
            tensors = [convert_to_spec(value, spec) for value, spec in zip(values, entry.specs, strict=True)]
            fitting = [tensor for tensor in tensors if tensor is not None]
            if len(fitting) == len(values):
                refusal_here = entry.refusal_reason(fitting)
                if refusal_here is None:
                    return entry, fitting
                refusal = refusal or _refusal_text(self.__name__, refusal_here, fitting)
        if refusal is not None:
            raise InvalidArgumentError(refusal)
        raise TypeError(
            f"Binding inputs to tf.function failed: the signature takes {self._text()}, got "
            f"{short_repr(dict(zip(self._input_names, values, strict=True)))}."
        )

    @property
    def structured_input_signature(self) -> tuple[tuple[()], dict[str, TensorSpec]]:
        """An empty tuple, and the specs of the inputs by name."""
        specs = zip(self._input_names, self.entries[0].specs, strict=True)
        return (), {name: TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs}

    @property
    def structured_outputs(self) -> dict[str, Any]:
        """The specs of the outputs by name."""
        return dict(self._output_specs)

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
        return f"<ConcreteFunction {self._text()} -> {self._output_specs}>"


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
