"""The stored entry of a function: a graph for all open sizes, and the sizes for which it does not hold.

A function is recorded for several consecutive sizes. Values that differ become expressions in the sizes. An expression may be
wrong for other sizes: Python may take another branch there, and ``x[:3]`` has another shape. So the entry is compared with
recordings for smaller and for larger sizes. A call with a size outside of this range is refused.

| word | meaning | in code |
| --- | --- | --- |
| symbol | an open size of the arguments | `function_recording.size_symbol_choices` |
| probe | one size for each symbol, of one recording | `sizes.probe_sizes` |
| path | a run through one choice of Python's branches | `function_recording.Path` |
| outline | the specs of results, without an entry | `function_recording.Outline` |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastgrad._src.compiler.graph.graph import Graph, Kind
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.files.saved_model.composites import CompositeLeaf, Leaf, leaves_of
from fastgrad._src.files.saved_model.function_recording import (
    Path,
    Recordings,
    for_each_rank,
    number_specs,
    recordings_for_each_choice,
)
from fastgrad._src.files.saved_model.graph_writer import Constants, GraphWriter
from fastgrad._src.files.saved_model.plain_values import DependsOnSizes, Unstorable, encode
from fastgrad._src.files.saved_model.sizes import Sizes
from fastgrad._src.ops.random_draws import advance_generator

_LARGER_SIZES = tuple([1 << power for power in range(4, 13)])
"""Sizes above the recorded ones for which the entry is compared with the function. Limits of functions are often powers of 2."""

_MOST_CHECKED_ELEMENTS = 1 << 14
"""The most elements that all arguments have in a recording for one of these sizes."""


class Entry(NamedTuple):
    """A function for certain arguments.

    Attributes:
        data: its JSON.
        arguments, result: plain values, with a numbered leaf for each tensor.
    """

    data: dict[str, Any]
    arguments: Any
    result: Any


def store_concrete_functions(
    call: Callable[[Any], Any], arguments: Any, name: str, constants: Constants, references: Any
) -> list[Entry]:
    """Returns the entries of a function for certain arguments: one entry, or one for each rank if ranks are unknown.

    Args:
        call: the function of a structure such as ``arguments``, with tensors in place of specs.
        arguments: plain Python values and specs, nested.
        name: the function's, for errors.
        constants: of the file.
        references: as of ``GraphWriter``, and takes whether a variable is the state of a generator.

    Raises:
        ValueError: the function can't be stored; the text says why.
    """
    numbered, specs = number_specs(arguments)
    for leaf in leaves_of(numbered):
        if isinstance(leaf, CompositeSpec):
            raise Unstorable(
                f"{name}(): takes a value of {leaf}, which a stored function can't. Take its tensors, and make the value of them in it."
            )
        if isinstance(leaf, CompositeLeaf) and leaf.spec.shape.rank is None:
            raise Unstorable(
                f"{name}(): takes a value of {leaf.spec}, of unknown rank. Give its shape, with None for open sizes."
            )

    def entry_for(ranked_arguments: Any, ranked_specs: list[TensorSpec]) -> Any:
        error: Exception | None = None
        for recordings in recordings_for_each_choice(call, ranked_arguments, ranked_specs, name):
            try:
                _entry_json(recordings, Constants(), references)
            except DependsOnSizes as refusal:  # other sizes may do
                error = error or refusal
                continue
            recordings, excluded = _with_more_sizes(recordings, references)
            data = {**_entry_json(recordings, constants, references), "excluded": excluded}
            return Entry(data, recordings.function.arguments, recordings.runs[0][0].result)
        assert error is not None
        raise error

    return for_each_rank(numbered, specs, entry_for)


def _entry_json(recordings: Recordings, constants: Constants, references: Any) -> dict[str, Any]:
    """Returns the JSON of the entry for recordings.

    Raises:
        Unstorable: the recordings differ in more than numbers, or a part can't be stored.
    """
    function = recordings.function
    paths = [path for run in recordings.runs for path in run]
    generator_states = {id(variable) for path in paths for variable in _generator_states(path.graph)}
    lines = {node: line for path in paths for node, line in path.lines.items()}
    writer = GraphWriter(
        recordings.probes,
        constants,
        lambda state: references(state, id(state) in generator_states),
        function.name,
        lines,
    )
    graph = writer.finish(writer.tree([{path.outcomes: path.graph for path in run} for run in recordings.runs]))
    results = [encode(path.result, encode_result) for path in paths]
    if any(other != results[0] for other in results):
        raise DependsOnSizes(f"{function.name}(): results of branches, or for other sizes, have different structures.")
    return {
        "arguments": encode(function.arguments, _encode_argument),
        "symbols": [[i, axis, symbol] for (i, axis), symbol in function.symbols.items()],
        "probe": list(writer.probes[0]),
        "graph": graph,
        "result": results[0],
    }


def _with_more_sizes(recordings: Recordings, references: Any) -> tuple[Recordings, list[Any]]:
    """Returns the recordings with those of smaller and larger sizes, as far as one entry holds for them, and the excluded sizes.

    Sizes of ragged and sparse tensors are not changed: those of the parts go together.

    Returns:
        The recordings. For each symbol the ranges for which the entry does not hold: the symbol, the first and the last such size (None if all
        larger ones are), and the error of the function, or an empty text.
    """
    function, first = recordings.function, recordings.probes[0]
    excluded: list[Any] = []
    for symbol in range(0 if function.composites else function.symbol_count):

        def row_with(size: int, symbol: int = symbol) -> Sizes:
            return [size if i == symbol else other for i, other in enumerate(first)]

        sizes = [row[symbol] for row in recordings.probes]
        smaller = [row_with(size) for size in range(min(sizes) - 1, -1, -1)]
        recordings, count, error = _with_agreeing(recordings, references, smaller)
        if count < len(smaller):
            excluded.append([symbol, 0, smaller[count][symbol], error])
        larger = [
            row
            for row in map(row_with, [size for size in _LARGER_SIZES if size > max(sizes)])
            if sum([math.prod(shape) for shape in function.shapes(row)]) <= _MOST_CHECKED_ELEMENTS
        ]
        recordings, count, error = _with_agreeing(recordings, references, larger)
        if count < len(larger):
            excluded.append([symbol, [max(sizes), *[row[symbol] for row in larger]][count] + 1, None, error])
    return recordings, excluded


def _with_agreeing(recordings: Recordings, references: Any, rows: Sequence[Sizes]) -> tuple[Recordings, int, str]:
    """Returns the recordings with those for further sizes, up to the first ones for which the entry does not hold.

    Returns:
        The recordings, the number of new ones, and the error of the function for the sizes after them, or an empty text.
    """
    runs: list[list[Path]] = []
    error = ""
    for row in rows:
        try:
            runs.append(recordings.function.record(row, len(recordings.runs) + len(runs)))
        except Exception as refusal:  # noqa: BLE001  # of the function
            error = f"{type(refusal).__name__}: {refusal}"
            break
    while runs:
        longer = Recordings(recordings.function, [*recordings.probes, *rows[: len(runs)]], [*recordings.runs, *runs])
        try:
            _entry_json(longer, Constants(), references)
        except Unstorable:
            runs.pop()
            error = ""
            continue
        return longer, len(runs), error
    return recordings, 0, error


def _generator_states(graph: Graph) -> list[Any]:
    """Returns the variables that hold the state of a generator from which the graph draws."""
    reads = {id(node.outputs[0]): node.payload for node in graph.nodes if node.kind is Kind.READ}
    draws = [node for node in graph.nodes if node.kind is Kind.OPERATION and node.payload is advance_generator]
    return [reads[id(node.inputs[0])] for node in draws if id(node.inputs[0]) in reads]


def _encode_argument(leaf: Any) -> Any:
    if isinstance(leaf, CompositeLeaf):
        return {"composite": [[part.number for part in leaf.leaves], encode(leaf.spec)]}
    return {"argument": [leaf.number, encode(leaf.spec)]} if isinstance(leaf, Leaf) else None


def encode_result(leaf: Any) -> Any:
    """Returns the JSON of a leaf of a result; None for other values."""
    if isinstance(leaf, CompositeLeaf):
        return {"ragged" if leaf.spec.ragged_rank else "sparse": [part.number for part in leaf.leaves]}
    return {"result": leaf.number} if isinstance(leaf, Leaf) else None
