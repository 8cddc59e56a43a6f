"""``get_concrete_function``: a function for one set of Python arguments, called with tensors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from inspect import Parameter
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.function_type import (
    FunctionType,
    RecordedGraph,
    function_type,
    pretty_text,
    type_text,
    with_path_names,
)
from fastgrad._src.core import nest
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.variable import Variable


class ConcreteFunction:
    """A function whose Python arguments are fixed; made by ``get_concrete_function``.

    It takes the function's arguments, with the fixed value of each Python argument or without it; or only its tensors, by
    position. Those of ``*args`` are named ``args_0``, ``args_1`` ...

    Attributes:
        arguments: the fixed values, by the names of the parameters, with ``TensorSpec`` for tensors.

    What depends on the results (``structured_outputs``, ``variables``, ``graph`` ...) is found at the first use: the Python
    function runs with made-up values, and its effects on variables are undone. A ``ValueError`` says what can't be found so.
    """

    __getattr__ = missing_member_getattr

    def __init__(
        self, call: Callable[[dict[str, Any]], Any], name: str, arguments: dict[str, Any], kinds: Mapping[str, Any]
    ) -> None:
        self._call, self._kinds = call, kinds
        self.__name__ = self.name = name
        self.arguments = {key: nest.map_structure(_spec_of_tensor, value) for key, value in arguments.items()}
        self._places: dict[str, tuple[str, Any]] = {}  # for each argument of a call its parameter, and its place there
        self._positional_names: list[str] = []
        for key, value in self.arguments.items():
            several: dict[str, tuple[str, Any]]
            if kinds[key] is Parameter.VAR_POSITIONAL:
                several = {f"{key}_{i}": (key, i) for i in range(len(value))}
            elif kinds[key] is Parameter.VAR_KEYWORD:
                several = {other: (key, other) for other in value}
            else:
                several = {key: (key, None)}
            self._places |= several
            if kinds[key] not in {Parameter.VAR_KEYWORD, Parameter.KEYWORD_ONLY}:
                self._positional_names += several
        self._open = [key for key in self._places if has_spec(self._fixed_value(key))]

    @property
    def structured_input_signature(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional arguments and the keyword arguments, with a named spec for each tensor."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, value in self.arguments.items():
            if self._kinds[name] is Parameter.VAR_POSITIONAL:
                positional += with_path_names(value, name)
            elif self._kinds[name] is Parameter.VAR_KEYWORD:
                named |= {key: with_path_names(item, key) for key, item in value.items()}
            elif self._kinds[name] is Parameter.KEYWORD_ONLY:
                named[name] = with_path_names(value, name)
            else:
                positional.append(with_path_names(value, name))
        return tuple(positional), named

    @cached_property
    def _outline(self) -> Any:
        return module_of(Hook.OUTLINES).record_outline(self._call, self.arguments, self.name)

    @property
    def inputs(self) -> list[TensorSpec]:
        """The specs of the tensors among the arguments; without captured variables."""
        specs = [leaf for leaf in nest.flatten(self.structured_input_signature) if isinstance(leaf, TensorSpec)]
        return [TensorSpec(spec.shape, spec.dtype, f"{spec.name}:0") for spec in specs]

    @property
    def outputs(self) -> list[TensorSpec]:
        """The specs of the results' tensors, in a list."""
        return [leaf for leaf in nest.flatten(self.structured_outputs) if isinstance(leaf, TensorSpec)]

    @property
    def structured_outputs(self) -> Any:
        """The results, with a spec for each tensor; sizes that depend on the arguments are None."""
        return self._outline.outputs

    @property
    def output_shapes(self) -> Any:
        """The shapes of ``structured_outputs``; of unknown rank for what is no tensor."""
        return nest.map_structure(lambda leaf: getattr(leaf, "shape", TensorShape(None)), self.structured_outputs)

    @property
    def output_dtypes(self) -> Any:
        """The dtypes of ``structured_outputs``; None for what is no tensor."""
        return nest.map_structure(lambda leaf: getattr(leaf, "dtype", None), self.structured_outputs)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that the function reads or changes, each once, in the order of their first use."""
        return tuple(self._outline.graph.variables())

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """The trainable variables of ``variables``."""
        return tuple([variable for variable in self.variables if variable.trainable])

    @property
    def captured_inputs(self) -> list[Variable]:
        """The variables that are not arguments: where TensorFlow has their handles."""
        passed = {id(leaf) for leaf in nest.flatten(self.arguments)}
        return [variable for variable in self.variables if id(variable) not in passed]

    @property
    def function_type(self) -> FunctionType:
        """The parameters and the result with their types, an ``inspect.Signature``."""
        outputs = nest.map_structure(
            lambda leaf: TensorSpec(leaf.shape, leaf.dtype) if isinstance(leaf, TensorSpec) else leaf,
            self.structured_outputs,
        )
        return function_type(self.arguments, self._kinds, outputs)

    @property
    def graph(self) -> RecordedGraph:
        """The operations of the recording, for looking at: ``get_operations()``, ``as_graph_def().node``."""
        return RecordedGraph(self.name, self._outline.graph, [spec.name[:-2] for spec in self.inputs if spec.name])

    def pretty_printed_signature(self, verbose: bool = True) -> str:
        """Returns the types of parameters and result as text: in lines with the captured variables, or in one line."""
        if not verbose:
            return str(self.function_type)
        return pretty_text(self.function_type, self.captured_inputs)

    def __str__(self) -> str:
        return f"ConcreteFunction {self.pretty_printed_signature()}"

    def __repr__(self) -> str:
        items = [f"{name}: {type_text(value)}" for name, value in self.arguments.items()]
        return f"<ConcreteFunction {self.name}({', '.join(items)}) at 0x{id(self):X}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function with these tensors and the fixed Python values.

        Raises:
            TypeError: another number of tensors, one that does not fit its spec, or another value than the fixed one.
        """
        names = self._positional_names
        if len(args) > len(names) or any(
            not has_spec(self._fixed_value(key)) and not _equals_fixed_value(value, self._fixed_value(key))
            for key, value in zip(names, args, strict=False)
        ):
            names = self._open
        if len(args) > len(names):
            raise TypeError(f"{self.name}(): takes {len(names)} tensors, got {len(args)}.")
        passed = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in self._places or key in passed:
                raise TypeError(f"{self.name}(): got an unexpected or repeated argument {key!r}.")
            passed[key] = value
        missing = [key for key in self._open if key not in passed]
        if missing:
            raise TypeError(f"{self.name}(): missing tensors for {missing}.")
        for key, value in passed.items():
            self._check_argument(key, value)
        return self._call(self._arguments_by_parameter(passed))

    def call_with_arguments(self, arguments: dict[str, Any]) -> Any:
        """Calls the function with arguments by the names of the parameters."""
        return self._call(arguments)

    def _fixed_value(self, key: str) -> Any:
        name, index = self._places[key]
        return self.arguments[name] if index is None else self.arguments[name][index]

    def _check_argument(self, key: str, value: Any) -> None:
        chosen = self._fixed_value(key)
        if not has_spec(chosen):
            if not _equals_fixed_value(value, chosen):
                raise TypeError(f"{self.name}(): {key!r} is {chosen!r} in this concrete function, got {value!r}.")
            return
        for spec, item in zip(nest.flatten(chosen), nest.flatten(value), strict=True):
            tensor = isinstance(spec, TensorSpec) and isinstance(item, (Tensor, Variable))
            if tensor and not spec.is_compatible_with(item):
                raise TypeError(
                    f"{self.name}(): {key!r} has shape {item.shape} and dtype {item.dtype.name}, which does not fit {spec}."
                )

    def _arguments_by_parameter(self, given: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments by the names of the parameters."""
        result = dict(self.arguments)
        for key, value in given.items():
            name, index = self._places[key]
            if index is None:
                result[name] = value
            elif isinstance(index, int):
                result[name] = (*result[name][:index], value, *result[name][index + 1 :])
            else:
                result[name] = {**result[name], index: value}
        return result


def has_spec(value: Any) -> bool:
    """True if a leaf of ``value`` is a ``TensorSpec``."""
    return any(isinstance(leaf, TensorSpec) for leaf in nest.flatten(value))


def _equals_fixed_value(value: Any, chosen: Any) -> bool:
    """True if a value equals a fixed Python value; tensors never do."""
    return value is chosen or (type(value) is type(chosen) and not isinstance(value, Tensor) and bool(value == chosen))


def _spec_of_tensor(value: Any) -> Any:
    return TensorSpec(value.shape, value.dtype) if isinstance(value, (Tensor, np.ndarray)) else value
