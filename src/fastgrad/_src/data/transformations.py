"""Stages that call a user's function on elements."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError, NotFoundError
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.compiling import (
    SelfCompilingFunction,
    TracedFunction,
    call_traced_with_element,
    call_with_element,
)
from fastgrad._src.data.element_spec import checked_next_state, map_leaves, placeholder, result_element, spec_of
from fastgrad._src.data.node import Failure, Node, Stage, catching_failures
from fastgrad._src.data.prefetch import map_in_parallel
from fastgrad._src.ops.python_function import sample_results

VALUE_REFUSAL_ERRORS = (ArithmeticError, LookupError, ValueError, InvalidArgumentError, NotFoundError)
"""The errors of functions that reject some values and may accept others, such as numbers in a range, and names of files."""


def checked_function(function: Any, method_name: str) -> Callable[..., Any]:
    """Returns ``function``; ValueError if it is not callable."""
    if not callable(function):
        raise ValueError(f"{method_name}: `func` must be a callable, got func={function!r} (of type {type(function)})")
    return function


def node_of(dataset: Any, name: str) -> Node:
    """Returns the last stage of ``dataset``, a result of the user's function ``name``; TypeError if not a dataset."""
    node = getattr(dataset, "_node", None)
    if not isinstance(node, Node):
        raise TypeError(f"Invalid `{name}`. `{name}` must return a `Dataset` object. Got {type(dataset)!r}.")
    return node


class Mapped(Stage):
    """The results of ``function`` for each element; ``function`` is compiled, or called by threads, where that is faster."""

    name = "_MapDataset"
    spec_calls_function = True

    def __init__(self, source: Node, function: Callable[..., Any], threads: int = 0) -> None:
        super().__init__(source)
        self._function = SelfCompilingFunction(checked_function(function, "Dataset.map"))
        self._threads = threads

    def elements(self) -> Iterator[Any]:
        return self._mapped_elements(self.source.elements())

    def elements_after(self, position: int) -> Iterator[Any]:
        return self._mapped_elements(self.source.elements_after(position))

    def _mapped_elements(self, elements: Iterator[Any]) -> Iterator[Any]:
        mapped = catching_failures(lambda element: result_element(self._function(element), "Dataset.map"))
        return map_in_parallel(mapped, elements, self._threads) if self._threads else map(mapped, elements)

    def make_spec(self) -> Any:
        """Returns the spec of results, from results for zeros and for ones, with two sizes for each unknown dimension."""
        spec = self.source.spec()
        try:
            samples = [self._spec_by_fill_values(spec, 2, (0, 1, 2)), self._spec_by_fill_values(spec, 3, (1, 2, 0))]
        except (AttributeError, TypeError, *VALUE_REFUSAL_ERRORS):
            # The function rejects these values: real elements tell all but the dimensions that vary.
            elements = (element for element in self.source.elements() if type(element) is not Failure)
            samples = [self._sample_spec(element) for element in itertools.islice(elements, 2)]
            if not samples:
                raise
        return common_spec(samples)

    def _spec_by_fill_values(self, spec: Any, unknown_size: int, fill_values: tuple[int, ...]) -> Any:
        """Returns the result's spec for an element filled with the first of ``fill_values`` that raises no error."""
        with sample_results(unknown_size):
            for value in fill_values[:-1]:
                try:
                    return self._sample_spec(placeholder(spec, unknown_size, value))
                except VALUE_REFUSAL_ERRORS:
                    continue
            return self._sample_spec(placeholder(spec, unknown_size, fill_values[-1]))

    def _sample_spec(self, element: Any) -> Any:
        return spec_of(result_element(self._function.call_as_python(element), "Dataset.map"))


def common_spec(samples: list[Any]) -> Any:
    """Returns the spec that fits the first and the last of ``samples``."""
    return map_leaves(
        lambda a, b: None if a is None else a.most_specific_common_supertype([b]), samples[0], samples[-1]
    )


class Filtered(Stage):
    """The elements for which ``predicate`` is true."""

    name = "_FilterDataset"
    count = Node.count  # unknown

    def __init__(self, source: Node, predicate: Callable[..., Any]) -> None:
        super().__init__(source)
        self._predicate = TracedFunction(checked_function(predicate, "Dataset.filter"))

    def elements(self) -> Iterator[Any]:
        for element, result in self._with_predicate_results():
            if type(result) is Failure:
                yield result
            elif result:
                yield element

    def _with_predicate_results(self) -> Iterator[tuple[Any, bool | Failure]]:
        """Yields pairs of an element and the predicate's result for it."""
        evaluate = catching_failures(lambda element: _predicate_result(self._predicate, element))
        return ((element, evaluate(element)) for element in self.source.elements())


class TakenWhile(Filtered):
    """The elements before the first for which ``predicate`` is false."""

    name = "_TakeWhileDataset"

    def elements(self) -> Iterator[Any]:
        for element, result in self._with_predicate_results():
            if not result:
                return
            yield result if type(result) is Failure else element


def _predicate_result(predicate: TracedFunction, element: Any) -> bool:
    answer = convert_to_tensor(call_traced_with_element(predicate, element))
    if answer.ndim or not answer.dtype.is_bool:
        raise ValueError(f"`predicate` must return a `tf.bool` scalar tensor, got {TensorSpec.from_tensor(answer)}.")
    return bool(answer)


class FlatMapped(Stage):
    """The elements of all datasets that ``function`` gives."""

    name = "_FlatMapDataset"
    spec_calls_function = True
    count = Node.count  # unknown

    def __init__(self, source: Node, function: Callable[..., Any], method_name: str = "Dataset.flat_map") -> None:
        super().__init__(source)
        self._function = checked_function(function, method_name)

    def dataset_node_of(self, element: Any) -> Node:
        """Returns the last stage of the dataset that ``function`` returns for ``element``."""
        return node_of(call_with_element(self._function, element), "map_func")

    def elements(self) -> Iterator[Any]:
        dataset_of = catching_failures(self.dataset_node_of)
        for element in self.source.elements():
            node = dataset_of(element)
            if type(node) is Failure:
                yield node
            else:
                yield from node.elements()

    def make_spec(self) -> Any:
        return self.dataset_node_of(placeholder(self.source.spec(), 1)).spec()


class Interleaved(FlatMapped):
    """Elements of the datasets that ``function`` returns: ``block`` elements in turn from each of ``cycle`` open datasets."""

    name = "_InterleaveDataset"

    def __init__(self, source: Node, function: Callable[..., Any], cycle: int, block: int) -> None:
        super().__init__(source, function, "Dataset.interleave")
        self._cycle, self._block = cycle, block

    def elements(self) -> Iterator[Any]:
        source_elements = self.source.elements()
        dataset_of, end = catching_failures(self.dataset_node_of), object()
        open_datasets: list[Iterator[Any] | None] = [None] * self._cycle
        position, candidates = 0, self._cycle  # positions whose datasets may still have elements
        while candidates:
            open_elements = open_datasets[position]
            if open_elements is None:
                element = next(source_elements, end)
                if element is end:
                    candidates -= 1
                    position = (position + 1) % self._cycle
                    continue
                node = dataset_of(element)
                if type(node) is Failure:
                    yield node
                    continue
                open_elements = open_datasets[position] = node.elements()
            candidates, missing_elements = self._cycle, self._block
            while missing_elements:
                element = next(open_elements, end)
                if element is end:
                    open_datasets[position] = None
                    break
                missing_elements -= type(element) is not Failure
                yield element
            position = (position + 1) % self._cycle


class Scanned(Stage):
    """The outputs of ``function``, which maps a state and an element to the next state and an output."""

    name = "_ScanDataset"
    spec_calls_function = True

    def __init__(self, source: Node, initial_state: Any, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self._initial, self._function = initial_state, TracedFunction(checked_function(function, "Dataset.scan"))

    def elements(self) -> Iterator[Any]:
        state = self._initial
        for element in self.source.elements():
            state_and_output = catching_failures(functools.partial(self._next_state_and_output, state))(element)
            if type(state_and_output) is Failure:
                yield state_and_output
            else:
                state, output = state_and_output
                yield output

    def _next_state_and_output(self, state: Any, element: Any) -> tuple[Any, Any]:
        result = self._function(state, element)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError("The scan function must return a pair comprising the new state and the output value.")
        return checked_next_state(state, result[0], "Dataset.scan"), result_element(result[1], "Dataset.scan")

    def make_spec(self) -> Any:
        return spec_of(self._next_state_and_output(self._initial, placeholder(self.source.spec(), 2))[1])


class Unique(Stage):
    """Each distinct element at its first occurrence."""

    name = "_UniqueDataset"
    count = Node.count  # unknown

    def elements(self) -> Iterator[Any]:
        spec = self.spec()
        if not isinstance(spec, TensorSpec) or spec.dtype.name not in ("int32", "int64", "string"):
            raise TypeError(f"`Dataset.unique` takes one int32, int64 or string tensor, got elements of {spec}.")
        seen = set()
        for element in self.source.elements():
            if type(element) is Failure:
                yield element
                continue
            array = convert_to_tensor(element).numpy()
            key = array.item() if not np.ndim(array) and not isinstance(array, bytes) else array
            if np.ndim(array):
                key = (array.shape, tuple(array.reshape(-1).tolist()))
            if key not in seen:
                seen.add(key)
                yield element
