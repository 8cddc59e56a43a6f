"""The stored entries of a function: one entry for most sizes, and more entries for sizes with another graph.

A function is recorded for a window of consecutive sizes, and values that differ become expressions in the sizes. An expression
may be wrong outside of the window: Python may take another branch there, and ``x[:3]`` has another shape. So the function
is recorded for smaller and larger sizes, too. A size with another graph gets a separate entry.

| word | meaning | in code |
| --- | --- | --- |
| symbol | an open size of the arguments | `function_recording.size_symbol_candidates` |
| probe | one size for each symbol, of one recording | `sizes.probe_sizes` |
| path | a run through one choice of Python's branches | `function_recording.Path` |
| window | recordings for consecutive sizes, which make one entry | `_Window` |
| variant | a further entry, for sizes with another graph | `_Entries` |
| outline | the specs of results, without an entry | `function_recording.Outline` |
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind
from fastgrad._src.core.composite import CompositeSpec
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.files.saved_model.composites import CompositeLeaf, Leaf, axes_of_equal_size, leaves_of, map_leaves
from fastgrad._src.files.saved_model.function_recording import (
    MOST_RANKS,
    OFFSETS,
    Path,
    number_specs,
    record_shapes,
    size_symbol_candidates,
    with_spec,
)
from fastgrad._src.files.saved_model.graph_writer import Constants, GraphWriter, SizesGuard
from fastgrad._src.files.saved_model.plain_values import DependsOnSizes, Unstorable, encode
from fastgrad._src.files.saved_model.sizes import Sizes, probe_sizes
from fastgrad._src.ops.random_draws import advance_generator

_LARGER_SIZES = (13, 16, 17, 32, 33, 64, 65, 100, 128, 129, 256, 257, 500, 1000, 1025, 4097)
"""Sizes after the window for which the graph is compared with the function."""

_MOST_CHECKED_ELEMENTS = 1 << 14
"""The most elements that all arguments have in a recording for one of these sizes."""

_MOST_VARIANTS = 32
_MOST_WINDOWS = 4


def store_concrete_functions(
    call: Callable[[Any], Any], arguments: Any, name: str, constants: Constants, references: Any
) -> list[Any]:
    """Returns the JSON of a function for certain arguments: one entry, or one for each rank if ranks are unknown.

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
    if all(spec.shape.rank is not None for spec in specs):
        return _stored_entries(call, numbered, specs, name, constants, references)
    entries, error = [], None
    for rank in range(MOST_RANKS):
        ranked = [
            spec if spec.shape.rank is not None else TensorSpec([None] * rank, spec.dtype, spec.name) for spec in specs
        ]
        with_ranks = map_leaves(functools.partial(with_spec, ranked), numbered)
        try:
            entries += _stored_entries(call, with_ranks, ranked, name, constants, references)
        except Exception as refusal:  # noqa: BLE001  # of this rank; the error of the last one is raised if none fits
            error = refusal
    if not entries and error is not None:
        raise error
    return entries


def _stored_entries(
    call: Any, arguments: Any, specs: list[TensorSpec], name: str, constants: Constants, references: Any
) -> list[Any]:
    """Returns the JSON of the entries for tensors of known ranks."""
    first_error: Exception | None = None
    open_axes = [
        (i, axis) for i, spec in enumerate(specs) for axis, size in enumerate(spec.shape.as_list()) if size is None
    ]
    for symbols, offset in itertools.product(
        size_symbol_candidates(open_axes, axes_of_equal_size(arguments)), OFFSETS if open_axes else (0,)
    ):
        function = _OpenFunction(call, arguments, specs, name, references, symbols)
        try:
            window = _Window(function, probe_sizes(function.symbol_count, offset), {})
            window.entry_json(Constants())
        except Exception as error:  # other sizes may do; the first error is raised if none does
            if isinstance(error, AssertionError) or (
                isinstance(error, Unstorable) and not isinstance(error, DependsOnSizes)
            ):
                raise
            first_error = first_error or error
            continue
        return _Entries(window, constants).entries
    assert first_error is not None
    raise first_error


class _OpenFunction(NamedTuple):
    """A function of arguments with open sizes.

    Attributes:
        call, arguments, name, references: as of ``store_concrete_functions``, with numbered leaves in ``arguments``.
        specs: of all tensors.
        symbols: the number of the size of each open axis, by the number of the tensor and the axis.
    """

    call: Callable[[Any], Any]
    arguments: Any
    specs: list[TensorSpec]
    name: str
    references: Any
    symbols: dict[tuple[int, int], int]

    @property
    def symbol_count(self) -> int:
        """The number of open sizes that are told apart."""
        return len(set(self.symbols.values()))

    @property
    def has_composites(self) -> bool:
        """True if an argument is ragged or sparse: not all sizes of its tensors go together, so one can't be changed alone."""
        return any(isinstance(leaf, CompositeLeaf) for leaf in leaves_of(self.arguments))

    def shapes(self, sizes: Sizes) -> list[list[int]]:
        """Returns the shapes of all tensors."""
        return [
            [sizes[self.symbols[i, axis]] if size is None else size for axis, size in enumerate(spec.shape.as_list())]
            for i, spec in enumerate(self.specs)
        ]

    def record_paths(self, sizes: Sizes, number: int, sizes_are_open: bool) -> list[Path]:
        """Returns the paths of a run on made-up values, which differ by ``number``."""
        return record_shapes(
            self.call, self.arguments, self.specs, self.shapes(sizes), number, self.name, sizes_are_open
        )


class _Window:
    """Recordings of a function for several sizes, which make one entry.

    Args:
        function: recorded here.
        probes: the sizes of the recordings.
        fixed: the symbols that have one size in all recordings, with this size.

    Raises:
        Exception: one of the function, for these sizes.
    """

    def __init__(self, function: _OpenFunction, probes: Sequence[Sizes], fixed: dict[int, int]) -> None:
        self.function, self.fixed = function, fixed
        self.sizes_are_open = function.symbol_count > len(fixed)
        self.runs: list[list[Path]] = []
        for number, sizes in enumerate(probes):
            self.runs.append(function.record_paths(sizes, number, self.sizes_are_open))
            if not self.sizes_are_open and not any(
                _has_open_size(node) for path in self.runs[0] for node in path.graph.nodes
            ):
                break
        self.probes = probes[: len(self.runs)]

    def entry_json(self, constants: Constants, further: Sequence[tuple[Sizes, list[Path]]] = ()) -> dict[str, Any]:
        """Returns the JSON of the entry.

        Args:
            constants: of the file.
            further: more recordings with their sizes, for which the entry shall hold, too.

        Raises:
            Unstorable: the recordings differ in more than numbers, or a part can't be stored.
        """
        function = self.function
        runs = [*self.runs, *[run for _, run in further]]
        paths = [path for run in runs for path in run]
        generator_states = {id(variable) for path in paths for variable in _generator_states(path.graph)}
        writer = GraphWriter(
            [*self.probes, *[sizes for sizes, _ in further]],
            constants,
            lambda state: function.references(state, id(state) in generator_states),
            function.name,
        )
        graph = writer.finish(writer.tree([{path.outcomes: path.graph for path in run} for run in runs]))
        results = [encode(path.result, _encode_result) for path in paths]
        if any(other != results[0] for other in results):
            raise Unstorable(f"{function.name}(): results of branches, or for other sizes, have different structures.")
        return {
            "arguments": encode(function.arguments, _encode_argument),
            "symbols": [[i, axis, symbol] for (i, axis), symbol in function.symbols.items()],
            "probe": list(writer.probes[0]),
            "graph": graph,
            "result": results[0],
        }

    def disagreeing_sizes(self, symbol: int, sizes: Iterable[int]) -> dict[int, str]:
        """Returns the sizes of a symbol for which the function does something else than the entry.

        Returns:
            For each such size the error of the function; empty if there is none.
        """
        disagreeing: dict[int, str] = {}
        recordings: dict[int, tuple[Sizes, list[Path]]] = {}
        for number, size in enumerate(sizes, len(self.probes)):
            row = list(self.probes[0])
            row[symbol] = size
            try:
                recordings[size] = row, self.function.record_paths(row, number, self.sizes_are_open)
            except Exception as error:  # noqa: BLE001  # of the function
                if self._always_fails(size):
                    disagreeing[size] = f"{type(error).__name__}: {error}"
        if not self._agrees(list(recordings.values())):
            disagreeing |= {size: "" for size, recording in recordings.items() if not self._agrees([recording])}
        return disagreeing

    def _always_fails(self, size: int) -> bool:
        """True if the function can't be recorded for a size, which may depend on the other sizes."""
        count = self.function.symbol_count
        if count == 1:
            return True
        row = [self.fixed.get(symbol, size) for symbol in range(count)]
        try:
            self.function.record_paths(row, 0, self.sizes_are_open)
        except Exception:  # noqa: BLE001  # of the function
            return True
        return False

    def _agrees(self, recordings: list[tuple[Sizes, list[Path]]]) -> bool:
        """True if the entry with these recordings is the same as without them: its expressions hold for them."""
        try:
            return _are_same_entries(self.entry_json(Constants(), recordings), self.entry_json(Constants()))
        except Unstorable:
            return False


def _are_same_entries(x: Any, y: Any) -> bool:
    """True if two entries are the same but for how many numbers of results have been seen."""
    if isinstance(x, dict) and isinstance(y, dict):
        seen = {"count", "sizes"} if "kind" in x else set()
        return x.keys() == y.keys() and all(_are_same_entries(x[key], y[key]) for key in x.keys() - seen)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(map(_are_same_entries, x, y))
    return bool(x == y)


class _Entries:
    """The entries of a function for all sizes.

    Args:
        window: of the first entry.
        constants: of the file.

    Attributes:
        entries: their JSON. ``excluded`` lists the sizes for which one does not hold: the symbol, the first and the last such
            size (None if all larger ones are), and the error of the function.
    """

    def __init__(self, window: _Window, constants: Constants) -> None:
        self._constants, self._window_count = constants, 0
        self.entries: list[dict[str, Any]] = []
        self._add_window(window, [])

    def _add_window(self, window: _Window, excluded: list[Any]) -> None:
        """Adds the entry of a window, and those of sizes for which it does not hold."""
        entry = window.entry_json(self._constants)
        if self.entries and entry["result"] != self.entries[0]["result"]:
            raise DependsOnSizes(f"{window.function.name}(): the structure of its result depends on sizes.")
        self.entries.append(entry)
        windows: list[tuple[_Window, list[Any]]] = []
        for symbol in range(window.function.symbol_count):
            if symbol in window.fixed or window.function.has_composites:
                continue
            smallest, largest = [pick([sizes[symbol] for sizes in window.probes]) for pick in (min, max)]
            below = [size for size in range(smallest) if not _is_excluded(symbol, size, excluded)]
            for size, error in window.disagreeing_sizes(symbol, below).items():
                excluded.append([symbol, size, size, error])
                if not error and all(symbol > other for other in window.fixed):
                    windows += self._window_of_size(window, symbol, size)
            first, error = _first_disagreement(window, symbol, largest)
            if first is not None:
                excluded.append([symbol, first, None, error])
                if not error and window.function.symbol_count == 1:
                    windows += self._next_window(window, first)
        if window.function.symbols:
            entry["excluded"] = excluded
        if len(self.entries) > 1:
            entry["variant"] = True
        for other, excluded_there in windows:
            try:
                self._add_window(other, excluded_there)
            except Unstorable:
                continue  # calls of these sizes are refused

    def _window_of_size(self, window: _Window, symbol: int, size: int) -> list[tuple[_Window, list[Any]]]:
        """Returns the window of one size of a symbol, with the sizes for which it does not hold."""
        fixed = window.fixed | {symbol: size}
        probes = [tuple([fixed.get(i, number) for i, number in enumerate(sizes)]) for sizes in _all_probe_sizes(window)]
        excluded = [
            part
            for other, only in fixed.items()
            for part in ([other, 0, only - 1, ""], [other, only + 1, None, ""])
            if part[1:3] != [0, -1]
        ]
        return self._record_window(window.function, probes, fixed, excluded)

    def _next_window(self, window: _Window, first: int) -> list[tuple[_Window, list[Any]]]:
        """Returns the window of the sizes from ``first`` on."""
        self._window_count += 1
        if self._window_count >= _MOST_WINDOWS:
            return []
        lowest = min(probe_sizes(1, 0))[0]
        return self._record_window(window.function, probe_sizes(1, first - lowest), {}, [[0, 0, first - 1, ""]])

    def _record_window(
        self, function: _OpenFunction, probes: Sequence[Sizes], fixed: dict[int, int], excluded: list[Any]
    ) -> list[tuple[_Window, list[Any]]]:
        if len(self.entries) > _MOST_VARIANTS:
            return []
        try:
            return [(_Window(function, probes, fixed), excluded)]
        except Exception:  # noqa: BLE001  # of the function; calls of these sizes are refused
            return []


def _all_probe_sizes(window: _Window) -> list[tuple[int, ...]]:
    """Returns the sizes of all symbols for each recording, also if fewer recordings were needed."""
    smallest = min([size for sizes in window.probes for i, size in enumerate(sizes) if i not in window.fixed])
    offset = smallest - min(map(min, probe_sizes(window.function.symbol_count, 0)))
    return probe_sizes(window.function.symbol_count, offset)


def _is_excluded(symbol: int, size: int, excluded: list[Any]) -> bool:
    return any(
        other == symbol and first <= size and (last is None or size <= last) for other, first, last, _ in excluded
    )


def _first_disagreement(window: _Window, symbol: int, largest: int) -> tuple[int | None, str]:
    """Returns the smallest size above ``largest`` for which the entry of a window does not hold, and the function's error.

    Returns:
        None and an empty text if it holds for all sizes that are tried.
    """
    sizes = []
    for size in _LARGER_SIZES:
        row = list(window.probes[0])
        row[symbol] = size
        elements = sum([int(np.prod(shape)) for shape in window.function.shapes(row)])
        if size > largest and elements <= _MOST_CHECKED_ELEMENTS:
            sizes.append(size)
    disagreements = window.disagreeing_sizes(symbol, sizes)
    if not disagreements:
        return None, ""
    above = min(disagreements)
    below = max([largest, *[size for size in sizes if size < above]])
    while above - below > 1:
        middle = (above + below) // 2
        found = window.disagreeing_sizes(symbol, [middle])
        if found:
            above, disagreements = middle, found
        else:
            below = middle
    return above, disagreements[above]


def _generator_states(graph: Graph) -> list[Any]:
    """Returns the variables that hold the state of a generator from which the graph draws."""
    reads = {id(node.outputs[0]): node.payload for node in graph.nodes if node.kind is Kind.READ}
    draws = [node for node in graph.nodes if node.kind is Kind.OPERATION and node.payload is advance_generator]
    return [reads[id(node.inputs[0])] for node in draws if id(node.inputs[0]) in reads]


def _encode_argument(leaf: Any) -> Any:
    if isinstance(leaf, CompositeLeaf):
        return {"composite": [[part.number for part in leaf.leaves], encode(leaf.spec)]}
    return {"argument": [leaf.number, encode(leaf.spec)]} if isinstance(leaf, Leaf) else None


def _encode_result(leaf: Any) -> Any:
    if isinstance(leaf, CompositeLeaf):
        return {"ragged" if leaf.spec.ragged_rank else "sparse": [part.number for part in leaf.leaves]}
    return {"result": leaf.number} if isinstance(leaf, Leaf) else None


def _has_open_size(node: Any) -> bool:
    """True if a node tells a size that follows from values, not from the sizes of the arguments."""
    counts_results = node.kind is Kind.OPERATION and getattr(node.payload, "counts_results", False)
    return counts_results or (node.kind is Kind.GUARD and isinstance(node.payload, SizesGuard))


def result_specs(entry: Any) -> dict[int, TensorSpec]:
    """Returns the spec of each result of a stored function, by number; sizes that depend on arguments are unknown."""
    graph, outputs = entry["graph"], []
    while True:
        outputs += [spec for node in graph["nodes"] for spec in node["out"]]
        if not graph["nodes"] or graph["nodes"][-1]["kind"] != "choice":
            break
        graph = graph["nodes"][-1]["true"]
    specs = {}
    for number, value in enumerate(graph["results"]):
        dtype, shape = outputs[value]
        sizes = [size if isinstance(size, int) else None for size in shape["tuple"]]
        specs[number] = TensorSpec(TensorShape(sizes), dtype)
    return specs
