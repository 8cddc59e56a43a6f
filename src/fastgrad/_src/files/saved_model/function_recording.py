"""The recording of a function for a file: once for arguments of fixed shapes, several times if sizes are unknown."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow import ControlFlow
from fastgrad._src.compiler.dispatch.results import as_results
from fastgrad._src.compiler.graph.graph import Graph, Kind
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.recording.record import Recording, hide_from_recordings
from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec, common_shape
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.saved_model.composites import (
    CompositeLeaf,
    Leaf,
    axes_of_equal_size,
    component_specs,
    component_tensors,
    fit_components,
    leaves_of,
    map_leaves,
    shapes_for_sizes,
    spec_of_components,
    with_tensors,
)
from fastgrad._src.files.saved_model.graph_writer import SizesCondition, SizesGuard
from fastgrad._src.files.saved_model.plain_values import Unstorable
from fastgrad._src.files.saved_model.sizes import Sizes, probe_sizes
from fastgrad._src.structures.lookup.tables import undo_changes
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.sparse.spec import SparseTensorSpec

_MOST_RANKS = 5
"""A spec of unknown rank is stored for the ranks 0, 1, 2, 3 and 4, as far as the function takes them."""

_OFFSETS = (0, 32)
"""Added to the sizes of the recordings: images may have to be larger than the smallest sizes."""

_MOST_PAIRED_AXES = 5

_MOST_CHOICES = 12
"""The most values on whose truth Python's control flow depends in one run of a function."""

_MOST_PATHS = 64

_MOST_ASKED_ELEMENTS = 64
"""Larger tensors that Python asks for are not noted."""


class Path(NamedTuple):
    """One recorded run of a function: a path through Python's control flow.

    Attributes:
        graph: what it computes.
        result: the nested result, with a ``Leaf`` for each tensor.
        outcomes: the truth of each tensor that Python has asked for.
        lines: the user's file and line that made each node, by the node's id.
    """

    graph: Graph
    result: Any
    outcomes: tuple[bool, ...]
    lines: dict[int, tuple[str, int] | None]


class _ChoosingRecording(Recording):
    """A recording that chooses the way in which Python goes at each ``if`` on a tensor.

    The values of a recording for a file are made up. So the tensor that Python asks for gets the value that was chosen.

    Args:
        arguments: tensors.
        chosen: the first outcomes; further ones are as the tensors say.
        sizes_are_open: whether each loop over a ``tf.range`` becomes a loop of the program.

    Attributes:
        outcomes: all outcomes.
    """

    is_for_file = True

    def __init__(self, arguments: Sequence[Tensor], chosen: tuple[bool, ...], sizes_are_open: bool) -> None:
        super().__init__(arguments)
        self._chosen, self._sizes_are_open = chosen, sizes_are_open
        self._tested: set[int] = set()
        self._counters: set[int] = set()
        self.outcomes: list[bool] = []

    @property
    def control_flow_recorder(self) -> Any:
        return _ControlFlowOfSizes(self) if self._sizes_are_open else super().control_flow_recorder

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        super().on_read(variable, tensor)
        if variable._counts_changes:
            self._counters.add(id(tensor))

    def on_value_use(self, tensor: Tensor, use: str) -> None:
        """Records the use of a tensor's truth as a guard, with the chosen outcome."""
        if id(tensor) in self._counters:
            return  # Python's attributes can't change any more
        known = self._values.get(id(tensor))
        if known is not None and id(known) in self._fixed:
            self._add_condition(known, tensor)
            return
        if use != "bool" or not self.may_vary(tensor):
            super().on_value_use(tensor, use)
            return
        value = self._value_of(tensor)
        if id(value) in self._tested:
            return
        node_count = len(self._nodes)
        if len(self.outcomes) < len(self._chosen):
            outcome = self._chosen[len(self.outcomes)]
            if bool(tensor._on_host().reshape(())) != outcome:
                tensor._array = np.full(tensor._array.shape, outcome).astype(tensor._array.dtype)
        super().on_value_use(tensor, use)
        if len(self._nodes) > node_count:
            self._tested.add(id(value))
            self.outcomes.append(bool(tensor._on_host().reshape(())))
            if len(self.outcomes) > _MOST_CHOICES:
                raise Unstorable(
                    f"Python's control flow depends on more than {_MOST_CHOICES} values in one run, as a loop of Python does. A stored "
                    "function has no Python. Use tf.while_loop, or a `while` whose variables keep shape and dtype."
                )

    def _add_condition(self, value: Any, tensor: Tensor) -> None:
        """Notes that Python asks for a tensor that follows from sizes, or from constants, alone."""
        array = tensor._array
        if (
            self._sizes_are_open
            and id(value) not in self._tested
            and array.dtype.kind in "biuf"
            and array.size <= _MOST_ASKED_ELEMENTS
        ):
            self._tested.add(id(value))
            elements = tensor._on_host().reshape(-1)
            numbers = elements.astype(np.int64) if array.dtype.kind == "b" else elements
            self._add_node(Kind.GUARD, SizesCondition(tuple(numbers)), (value,))

    def _guard(self, value: Any, recorded_value: Any, kind: str = "bool") -> None:
        if kind == "bool":
            super()._guard(value, recorded_value, kind)
        else:
            self._add_node(Kind.GUARD, SizesGuard(kind, (recorded_value,)), (value,))

    def _guard_elements(self, value: Any, recorded_elements: np.ndarray) -> None:
        if recorded_elements.dtype.kind in "iu":
            self._add_node(Kind.GUARD, SizesGuard("sizes", tuple(recorded_elements.reshape(-1).tolist())), (value,))
        else:
            super()._guard_elements(value, recorded_elements)


class _ControlFlowOfSizes(ControlFlow):
    """Records branches and loops that follow from sizes: constants of a recording, which are others in another run."""

    def varies(self, tensor: Tensor) -> bool:
        """True if the tensor may differ in another run, also if an operation has computed it from sizes only."""
        return super().varies(tensor) or id(tensor) in self._recorder._values


def number_specs(arguments: Any) -> tuple[Any, list[TensorSpec]]:
    """Returns a structure with numbered leaves in the places of specs, and the specs of all tensors in this order.

    Ragged and sparse tensors become a ``CompositeLeaf``; the specs of other composites stay.
    """
    specs: list[TensorSpec] = []

    def numbered(leaf: Any) -> Any:
        if isinstance(leaf, (RaggedTensorSpec, SparseTensorSpec)):
            return CompositeLeaf(tuple([numbered(spec) for spec in component_specs(leaf)]), leaf)
        if not isinstance(leaf, TensorSpec):
            return leaf
        specs.append(leaf)
        return Leaf(len(specs) - 1, leaf)

    return map_leaves(numbered, arguments), specs


class OpenFunction(NamedTuple):
    """A function of arguments with open sizes.

    Attributes:
        call: the function of a structure such as ``arguments``, with tensors in place of specs.
        arguments: plain Python values, and numbered leaves in the places of specs.
        specs: of all tensors.
        name: the function's, for errors.
        symbols: the number of the size of each open axis, by the number of the tensor and the axis.
    """

    call: Callable[[Any], Any]
    arguments: Any
    specs: list[TensorSpec]
    name: str
    symbols: dict[tuple[int, int], int]

    @property
    def symbol_count(self) -> int:
        """The number of open sizes that are told apart."""
        return len(set(self.symbols.values()))

    @property
    def composites(self) -> list[CompositeLeaf]:
        """The ragged and sparse arguments."""
        return [leaf for leaf in leaves_of(self.arguments) if isinstance(leaf, CompositeLeaf)]

    def shapes(self, sizes: Sizes) -> list[tuple[int, ...]]:
        """Returns the shapes of all tensors."""
        return shapes_for_sizes(self.specs, self.symbols, sizes)

    def record(self, sizes: Sizes, number: int) -> list[Path]:
        """Runs the function on made-up values, once for each path; state is restored.

        Args:
            sizes: of the arguments.
            number: the values differ by it.
        """
        error: Exception | None = None
        for kind in ("normal", "positive", "one", "zero"):
            arrays = [
                _made_up_values(kind, shape, spec.dtype, number, np.random.default_rng([number, position, len(shape)]))
                for position, (shape, spec) in enumerate(zip(self.shapes(sizes), self.specs, strict=True))
            ]
            for leaf in self.composites:
                fit_components(leaf, arrays, number)
            try:
                return _record_paths(self.call, self.arguments, arrays, self.name, bool(self.symbols))
            except Unstorable:
                raise
            except Exception as refusal:  # noqa: BLE001  # the function may refuse these values and take others
                error = error or refusal
        assert error is not None
        raise error


class Recordings(NamedTuple):
    """The recordings of a function: for each the sizes of its arguments, and its paths."""

    function: OpenFunction
    probes: list[Sizes]
    runs: list[list[Path]]


def recordings_for_each_choice(
    call: Callable[[Any], Any], arguments: Any, specs: list[TensorSpec], name: str, most: int | None = None
) -> Iterator[Recordings]:
    """Yields the recordings of a function for each choice of equal sizes, and of small and larger sizes, that it takes.

    Args:
        call, arguments, specs, name: as of ``OpenFunction``.
        most: the most recordings.

    Raises:
        Exception: the function takes no choice. This is its error for the first one.
    """
    open_axes = [
        (i, axis) for i, spec in enumerate(specs) for axis, size in enumerate(spec.shape.as_list()) if size is None
    ]
    first_error: Exception | None = None
    is_recorded = False
    choices = size_symbol_choices(open_axes, axes_of_equal_size(arguments))
    for symbols, offset in itertools.product(choices, _OFFSETS if open_axes else (0,)):
        function = OpenFunction(call, arguments, specs, name, symbols)
        recordings = Recordings(function, [], [])
        try:
            for number, sizes in enumerate(probe_sizes(function.symbol_count, offset)[:most]):
                recordings.runs.append(function.record(sizes, number))
                recordings.probes.append(sizes)
                if not symbols and not any(
                    _has_open_size(node) for path in recordings.runs[0] for node in path.graph.nodes
                ):
                    break
        except Unstorable:
            raise
        except Exception as error:  # noqa: BLE001  # other sizes may do
            first_error = first_error or error
            continue
        is_recorded = True
        yield recordings
    if not is_recorded:
        assert first_error is not None
        raise first_error


def _has_open_size(node: Any) -> bool:
    """True if a node tells a size that follows from values, not from the sizes of the arguments."""
    counts_results = node.kind is Kind.OPERATION and getattr(node.payload, "counts_results", False)
    return counts_results or (node.kind is Kind.GUARD and isinstance(node.payload, SizesGuard))


def for_each_rank(
    arguments: Any, specs: list[TensorSpec], result_for: Callable[[Any, list[TensorSpec]], Any]
) -> list[Any]:
    """Returns ``result_for(arguments, specs)`` for each rank that the function takes in place of unknown ranks.

    Raises:
        Exception: of ``result_for``, if the function takes no rank.
    """
    results, first_error = [], None
    for rank in range(_MOST_RANKS) if any(spec.shape.rank is None for spec in specs) else (0,):
        ranked = [
            spec if spec.shape.rank is not None else TensorSpec([None] * rank, spec.dtype, spec.name) for spec in specs
        ]
        try:
            results.append(result_for(map_leaves(functools.partial(_with_spec, ranked), arguments), ranked))
        except Exception as error:  # noqa: BLE001  # other ranks may do
            first_error = first_error or error
    if not results:
        assert first_error is not None
        raise first_error
    return results


def _with_spec(specs: Sequence[TensorSpec], leaf: Any) -> Any:
    """Returns a leaf with the spec of its number."""
    return Leaf(leaf.number, specs[leaf.number]) if isinstance(leaf, Leaf) else leaf


def size_symbol_choices(
    all_axes: Sequence[tuple[int, int]], equal: dict[tuple[int, int], tuple[int, int]]
) -> Iterator[dict[tuple[int, int], int]]:
    """Yields which open sizes are the same number: none, all first axes, axes of one number, one pair, all.

    Args:
        all_axes: the tensor and the axis of each open size.
        equal: the axes that always have the size of another one.
    """
    open_axes = [place for place in all_axes if place not in equal]
    pairs = itertools.combinations(open_axes, 2) if len(open_axes) <= _MOST_PAIRED_AXES else ()
    names: list[list[Any]] = [
        open_axes,
        [place if place[1] else 0 for place in open_axes],
        [place[1] for place in open_axes],
        *[[x if place == y else place for place in open_axes] for x, y in pairs],
        [0] * len(open_axes),
    ]
    choices: list[dict[tuple[int, int], int]] = []
    for several in names:
        numbers: dict[Any, int] = {}
        symbols = {
            place: numbers.setdefault(name, len(numbers)) for place, name in zip(open_axes, several, strict=True)
        }
        if symbols not in choices:
            choices.append(symbols)
            yield symbols | {place: symbols[equal[place]] for place in all_axes if place in equal}


class Outline(NamedTuple):
    """What a function does with arguments of certain specs.

    Attributes:
        outputs: the nested result, with a ``TensorSpec`` for each tensor; sizes that depend on arguments are None.
        graph: a recording, with made-up sizes in place of unknown ones.
    """

    outputs: Any
    graph: Graph


def record_outline(call: Callable[[Any], Any], arguments: Any, name: str) -> Outline:
    """Returns the outline of a function for certain arguments; variables stay as they are.

    Args:
        call, arguments, name: as of ``store_concrete_functions``.

    Raises:
        ValueError: the function can't be recorded for such arguments; the text says why.
    """

    def runs_for(numbered: Any, specs: list[TensorSpec]) -> list[list[Path]]:
        choices = recordings_for_each_choice(
            lambda tensors: _result_specs_and_components(call(tensors)), numbered, specs, name, 2
        )
        return next(choices).runs

    paths = [path for runs in for_each_rank(*number_specs(arguments), runs_for) for run in runs for path in run]
    merged: dict[int, Any] = {}
    for position, leaves in enumerate(zip(*[leaves_of(path.result[0]) for path in paths], strict=False)):
        if isinstance(leaves[0], Leaf):
            shape = functools.reduce(common_shape, [leaf.spec.shape for leaf in leaves if isinstance(leaf, Leaf)])
            label = f"Identity_{leaves[0].number}" if leaves[0].number else "Identity"
            merged[position] = TensorSpec(shape, leaves[0].spec.dtype, label)
        elif isinstance(leaves[0], CompositeSpec):
            merged[position] = leaves[0].most_specific_common_supertype(leaves[1:])
    numbers = itertools.count()
    outputs = map_leaves(lambda leaf: merged.get(next(numbers), leaf), paths[0].result[0])
    return Outline(outputs, paths[0].graph)


def _result_specs_and_components(result: Any) -> Any:
    """Returns a result with the spec of each composite in its place, and the tensors of the composites."""
    parts: list[Any] = []

    def spec_of(leaf: Any) -> Any:
        if not isinstance(leaf, Composite):
            return leaf
        parts.extend(leaf._to_components()[1])
        return leaf._spec()

    return nest.map_structure(spec_of, result), parts


def _record_paths(call: Any, arguments: Any, arrays: list[Any], name: str, sizes_are_open: bool) -> list[Path]:
    paths: list[Path] = []
    unexplored: list[tuple[bool, ...]] = [()]
    while unexplored:
        chosen = unexplored.pop()
        path = None
        for _ in range(2):  # the first run may make variables, which are there in the second
            path = path or _record_once(call, arguments, arrays, name, sizes_are_open, chosen)
        if path is None:
            raise ValueError(f"{name}(): tf.function only supports singleton tf.Variables created on the first call.")
        paths.append(path)
        if len(paths) > _MOST_PATHS:
            raise Unstorable(f"{name}(): Python's control flow has more than {_MOST_PATHS} paths. Use tf.cond.")
        outcomes = path.outcomes
        unexplored += [(*outcomes[:i], not outcomes[i]) for i in range(len(chosen), len(outcomes))]
    if len(paths) == 1:
        return [paths[0]._replace(graph=drop_dead(paths[0].graph))]
    return paths


def _record_once(
    call: Any, arguments: Any, arrays: list[Any], name: str, sizes_are_open: bool, chosen: tuple[bool, ...]
) -> Path | None:
    """Returns the recording of one run; None if the run has made variables."""
    tensors = [Tensor(array.copy()) for array in arrays]
    with hide_from_recordings(), undo_changes():
        recording = _ChoosingRecording(tensors, chosen, sizes_are_open)
        try:
            with recording:
                value = call(with_tensors(tensors, arguments))
                results: list[Tensor] = []
                structure = _number_results(as_results(value, name), results, name)
                graph = recording.graph(results)
        finally:
            recording.saved.restore()
    return None if recording.created else Path(graph, structure, tuple(recording.outcomes), recording._lines)


def _number_results(value: Any, results: list[Tensor], name: str) -> Any:
    def numbered(leaf: Any) -> Any:
        if isinstance(leaf, (RaggedTensor, SparseTensor)):
            leaves = tuple([numbered(part) for part in component_tensors(leaf)])
            kind = "ragged" if isinstance(leaf, RaggedTensor) else "sparse"
            return CompositeLeaf(leaves, spec_of_components(kind, [part.spec for part in leaves]))
        if isinstance(leaf, Tensor):
            results.append(leaf)
            return Leaf(len(results) - 1, TensorSpec(leaf.shape, leaf.dtype))
        if isinstance(leaf, Composite):
            raise Unstorable(f"{name}(): returns a {type(leaf).__name__}; return its tensors, to store it.")
        return leaf

    return map_leaves(numbered, value)


def _made_up_values(kind: str, shape: Sequence[int], dtype: Any, number: int, rng: np.random.Generator) -> np.ndarray:
    """Returns values of a kind. Texts are words of one digit, so that a text of one word is a number.

    Args:
        kind: ``"normal"``: numbers of either sign with positive definite square matrices, integers from 0 to 9, texts of some words;
            ``"positive"``: numbers from 0.5 to 1.5, integers 0 and 1, texts of one word; ``"one"``, ``"zero"``: one value.
        shape, dtype: of the values.
        number: more of it gives longer texts.
        rng: of the values.
    """
    is_normal, is_text = kind == "normal", dtype.numpy.kind == "O"
    if kind in ("one", "zero"):
        value: Any = int(kind == "one")
        return np.full(shape, b"1" * value, object) if is_text else np.full(shape, value, dtype.numpy)
    if is_text:
        texts = np.empty(shape, object)
        for place in np.ndindex(*texts.shape):
            count = rng.integers(0, 3 + number // 2) if is_normal else 1
            texts[place] = " ".join(map(str, rng.integers(0, 10, count))).encode()
        return texts
    if dtype.numpy.kind not in ("fcV" if is_normal else "fV"):
        return np.asarray(rng.integers(0, 10 if is_normal and not dtype.is_bool else 2, shape)).astype(dtype.numpy)
    values = np.asarray(rng.normal(size=shape) if is_normal else rng.uniform(0.5, 1.5, shape))
    if is_normal and len(shape) > 1 and shape[-1] == shape[-2]:
        values = values + np.swapaxes(values, -1, -2) + 8 * shape[-1] * np.eye(shape[-1])
    return values.astype(dtype.numpy)
