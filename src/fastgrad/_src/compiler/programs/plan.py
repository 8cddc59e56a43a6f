"""The plan of a program: which nodes run natively, where every value lies, and for how long.

A value lies in an array of the caller (an argument or a result), in permanent memory (a constant, a variable), or in the
arena. A variable's new value is computed in the variable's own memory if no later node reads the old value and the program
has no later exit. Otherwise the new value is copied there at the end of the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, Node, Value, size_of
from fastgrad._src.compiler.passes.tree import Part
from fastgrad._src.compiler.programs.aliasing import (
    HOST_KERNEL_COMPILER,
    KernelCompiler,
    check_no_overlap,
    compiled_for_places,
)
from fastgrad._src.compiler.programs.arena import Arena
from fastgrad._src.compiler.programs.buffers import (
    Action,
    AsPythonObject,
    Block,
    InArena,
    InCallerArray,
    InPermanent,
    Place,
    Plan,
)
from fastgrad._src.compiler.programs.lowering import (
    COMPUTING_KINDS,
    branch_choice_launches,
    copy_launches,
    end_of_trace_launches,
    launches_of,
    launches_of_fused,
    may_stop_program,
    stops_only_before_writes,
)
from fastgrad._src.kernels.runtime.launch import Constant, Launches

MOST_UNREUSED_SCRATCH_BYTES = 1 << 15
"""Bytes up to which the scratch memory of an operation with a step that may wait is not reused."""


class DeviceTarget(NamedTuple):
    """The launches and the kernel compiler of a plan's device other than the CPU.

    Attributes:
        launches_of_fused: returns the launches of a FUSED node; some may be a CPU's.
        replacement_of: returns the launches that replace a CPU's launches; None if there are none.
        compiler: of its kernels.
    """

    launches_of_fused: Callable[[Any], Launches | None]
    replacement_of: Callable[[Launches], Launches | None]
    compiler: KernelCompiler


def make_plan(tree: Part, device: DeviceTarget | None = None) -> Plan:
    """Returns the plan of a program.

    Args:
        tree: its traces; each part is optimized, fused, and has its assignments at the end (``passes/stage_state.py``).
        device: the device of a program that does not run on a CPU; the program is then not native.
    """
    return _Planner(tree, device).make_plan()


def _is_same_place(place: Place, other: Place) -> bool:
    if isinstance(place, InPermanent) and isinstance(other, InPermanent):
        return place.array is other.array
    return type(place) is type(other) and place == other


def _covers_owner(value: Value, owner: Value) -> bool:
    """True if a value has all elements of its owner, the value whose memory it uses."""
    return value.dtype == owner.dtype and size_of(value) == size_of(owner)


class _NodeSequence:
    """The nodes of a trace tree as a sequence of positions, for liveness; each part has one more position at its end.

    The position at the end stands for the uses at the part's end.

    Attributes:
        nodes: None at the end of a part.
        launches: for each position the launches of its node.
        spans: for each part the first position, and that of its end.
        owners: for each value the value whose memory it uses: itself, the value that it is an alias of, or the bucket that
            it is a part of.
        offsets: for each part of a bucket its first byte there.
        producer_positions: for each value the position of its node.
        uses: for each owner the positions that read its memory, in order.
    """

    def __init__(self, parts: list[Part], fused: Callable[[Any], Launches | None]) -> None:
        self._fused = fused
        self.nodes: list[Node | None] = []
        self.launches: list[Launches | None] = []
        self.spans: list[tuple[int, int]] = []
        self.owners: dict[int, Value] = {}
        self.offsets: dict[int, int] = {}
        self.producer_positions: dict[int, int] = {}
        self.uses: dict[int, list[int]] = {}
        for part in parts:
            start = len(self.nodes)
            for node in part.graph.nodes:
                self._add(node)
            self.nodes.append(None)
            self.launches.append(None)
            end = len(self.nodes) - 1
            self.spans.append((start, end))
            for value in part.guard.inputs if part.guard is not None else part.graph.results:
                self.note_use(value, end)
        for position, packing_launches in enumerate(self.launches):
            if packing_launches is not None and packing_launches.packed:
                self._place_inputs_inside_result(position, packing_launches)

    def _add(self, node: Node) -> None:
        has_kernels = node.kind in COMPUTING_KINDS or node.kind is Kind.GUARD
        launches = launches_of(node, self._fused) if has_kernels else None
        position = len(self.nodes)
        owners, uses = self.owners, self.uses
        for value in node.inputs:
            uses.setdefault(id(owners[id(value)]), []).append(position)
        for value in node.outputs:
            owners[id(value)] = value
            self.producer_positions.setdefault(id(value), position)
        if launches is not None:
            if launches.alias:
                self._place_inside(node.outputs[0], node.inputs[0], 0)
            for output, number, offset in launches.unpacked:
                self._place_inside(node.outputs[output], node.inputs[number], offset)
        self.nodes.append(node)
        self.launches.append(launches)

    def _place_inside(self, value: Value, whole: Value, offset: int) -> None:
        """Makes a value a part of the memory of another one."""
        self.owners[id(value)] = self.owners[id(whole)]
        if offset + self.offsets.get(id(whole), 0):
            self.offsets[id(value)] = offset + self.offsets.get(id(whole), 0)

    def _place_inputs_inside_result(self, position: int, launches: Launches) -> None:
        """Makes inputs of a node that packs them parts of its result, if nothing else reads them."""
        node = self.nodes[position]
        assert node is not None
        for output, number, offset in launches.packed:
            value, bucket = node.inputs[number], node.outputs[output]
            owner = self.owners[id(value)]
            producer_position = self.producer_positions[id(owner)]
            if (
                self.uses[id(owner)] == [position]
                and _covers_owner(value, owner)
                and self.node_of(owner).kind in COMPUTING_KINDS
                and self.launches[producer_position] is not None
            ):
                for part in {id(owner): owner, id(value): value}.values():
                    self._place_inside(part, bucket, offset)
                self.producer_positions[id(bucket)] = min(self.producer_positions[id(bucket)], producer_position)

    def note_use(self, value: Value, position: int) -> None:
        """Notes that the node at a position reads a value."""
        self.uses.setdefault(id(self.owners[id(value)]), []).append(position)

    def node_of(self, owner: Value) -> Node:
        """Returns the node whose result owns a memory; other values may be aliases of the result."""
        node = self.nodes[self.producer_positions[id(owner)]]
        assert node is not None
        return node

    def last_use(self, owner: Value) -> int:
        """Returns the last position that reads the memory of ``owner``; the position of its node if there is none."""
        uses = self.uses.get(id(owner))
        return max(uses) if uses else self.producer_positions[id(owner)]


class _InPlacePairs:
    """The pairs of results and inputs of a node that may share memory."""

    def __init__(self, node: Node, launches: Launches | None, owners: dict[int, Value]) -> None:
        self._outputs = {id(value): number for number, value in enumerate(node.outputs)}
        self._owners = [owners[id(value)] for value in node.inputs]
        self._inputs: dict[int, list[int]] = {}
        for number, value in enumerate(self._owners):
            self._inputs.setdefault(id(value), []).append(number)
        self._allowed_pairs = frozenset(launches.in_place if launches is not None else ())
        self._beside: dict[int, list[int]] = {}
        for output, number in launches.in_place if launches is not None else ():
            self._beside.setdefault(output, []).append(number)

    def has_result(self, value: Value) -> bool:
        """True if a value is a result of the node."""
        return id(value) in self._outputs

    def overwritable_inputs(self, new: Value) -> list[Value]:
        """Returns the inputs that a node reads by some operand that a result may overwrite."""
        return [self._owners[number] for number in self._beside.get(self._outputs[id(new)], ())]

    def allows_overwrite(self, new: Value, old: Value) -> bool:
        """True if a result may be written over an input in all operands in which the node reads it."""
        output = self._outputs[id(new)]
        return all((output, number) in self._allowed_pairs for number in self._inputs[id(old)])


class _Planner:
    """Makes the plan of a program, part after part of its trace tree."""

    def __init__(self, tree: Part, device: DeviceTarget | None) -> None:
        self.parts = list(tree.parts())
        self.line = _NodeSequence(self.parts, launches_of_fused if device is None else device.launches_of_fused)
        self.plan = Plan(blocks=[Block(leaf=part.leaf) for part in self.parts], native=device is None)
        self.device = device
        self.places: dict[int, Place] = {}
        self.arena = Arena()
        self.assignments = [[n for n in part.graph.nodes if n.kind is Kind.ASSIGN] for part in self.parts]
        self.copied: list[list[tuple[Value, int]]] = [[] for _ in self.parts]  # results to be copied to their arrays
        self.reads: dict[int, list[Value]] = {}  # by variable
        self._pairs: dict[int, _InPlacePairs] = {}
        self.ending: dict[int, list[tuple[int, int]]] = {}  # by position: ranges to be freed after it
        self.block = self.plan.blocks[0]
        # For each part: the position of its last exit.
        exits = [i for i, node in self._numbered_nodes() if may_stop_program(node, self.line.launches[i])]
        self.last_exits = [max((i for i in exits if start <= i < end), default=-1) for start, end in self.line.spans]

    def make_plan(self) -> Plan:
        """Returns the plan."""
        line = self.line
        for position, node in self._numbered_nodes():
            if node.kind is Kind.ARGUMENT:
                self._place_argument(node)
            elif node.kind is Kind.READ:
                self.reads.setdefault(id(node.payload), []).append(node.outputs[0])
            elif node.kind in COMPUTING_KINDS or node.kind is Kind.GUARD:
                self.plan.native &= line.launches[position] is not None
            elif node.kind is Kind.ASSIGN:
                self.plan.native &= node.inputs[0].dtype.kind != "O"
        for number, part in enumerate(self.parts):
            if part.guard is not None:
                self.plan.native &= launches_of(part.guard) is not None
            else:
                self._place_results(number)
        written = {id(node.payload): node.payload for nodes in self.assignments for node in nodes}
        self.plan.written += written.values()
        for number, (_, end) in enumerate(line.spans):
            for node in self.assignments[number]:
                self._place_assigned(number, node)
                line.note_use(node.inputs[0], end)
        for number, (start, end) in enumerate(line.spans):
            self.block = self.plan.blocks[number]
            self._copy_read_results(number, start)
            for position in range(start, end):
                self._plan_node(number, position)
            self._end_part(number)
            self._free_ranges_of_dead_values(end)
        self.plan.arena_bytes = self.arena.size
        compiler = HOST_KERNEL_COMPILER if self.device is None else self.device.compiler
        for block in self.plan.blocks:
            block.actions[:] = [compiled_for_places(action, compiler) for action in block.actions]
        self._fill_branch_tables()
        return self.plan

    def _numbered_nodes(self) -> Iterator[tuple[int, Node]]:
        return ((i, node) for i, node in enumerate(self.line.nodes) if node is not None)

    def _plan_node(self, number: int, position: int) -> None:
        node, launches = self.line.nodes[position], self.line.launches[position]
        assert node is not None
        if node.kind is Kind.ASSIGN:
            return  # `_end_part` does it
        ending = [ended_range for value in node.outputs for ended_range in self._place_value(value, position)]
        for end, offset, size in ending:  # only after all have a place: an unread result ends here
            self.ending.setdefault(end, []).append((offset, size))
        if node.kind in COMPUTING_KINDS or node.kind is Kind.GUARD:
            if launches is None or not launches.alias:
                self._add_action(node, launches)
        elif node.kind is Kind.READ:
            self._copy_read_results(number, position + 1)
        self._free_ranges_of_dead_values(position)

    def _free_ranges_of_dead_values(self, position: int) -> None:
        for offset, size in self.ending.pop(position, ()):
            self.arena.free(offset, size)

    # ---- places ------------------------------------------------------------------------------------------

    def _place_argument(self, node: Node) -> None:
        value = node.outputs[0]
        if value.dtype.kind == "O":
            self.places[id(value)] = AsPythonObject()
        else:
            self.places[id(value)] = InCallerArray(len(self.plan.arguments))
        self.plan.arguments.append((node.payload, value))

    def _place_results(self, number: int) -> None:
        """Places results computed in the last part of a trace in the caller's arrays; other results are copied there."""
        part, (start, _) = self.parts[number], self.line.spans[number]
        block = self.plan.blocks[number]
        block.values = part.graph.results
        numbers: dict[int, int] = {}
        assigned = {id(self.line.owners[id(node.inputs[0])]) for node in self.assignments[number]}
        for value in part.graph.results:
            if id(value) not in numbers:
                numbers[id(value)] = self._result_array_number(value, set(numbers.values()))
                owner = self.line.owners[id(value)]
                computed = (
                    self.line.node_of(owner).kind in COMPUTING_KINDS
                    and self.line.producer_positions[id(owner)] >= start
                )
                if value.dtype.kind == "O" and self.line.node_of(owner).kind is Kind.CONSTANT:
                    self.plan.constants.append((value, self.line.node_of(owner).payload))
                elif value.dtype.kind == "O":
                    self.places[id(owner)] = AsPythonObject()
                elif (
                    computed
                    and _covers_owner(value, owner)
                    and id(owner) not in self.places
                    and id(owner) not in assigned
                ):
                    self.places[id(owner)] = InCallerArray(len(self.plan.arguments) + numbers[id(value)])
                else:
                    self.copied[number].append((value, numbers[id(value)]))
            block.returned.append(numbers[id(value)])

    def _result_array_number(self, value: Value, used_numbers: set[int]) -> int:
        """Returns the number of an array for a result; results of other traces may use the same array."""
        for number, other in enumerate(self.plan.results):
            if number not in used_numbers and (other.shape, other.dtype) == (value.shape, value.dtype):
                return number
        self.plan.results.append(value)
        return len(self.plan.results) - 1

    def _place_assigned(self, number: int, node: Node) -> None:
        """Assigns the memory of a variable to the variable's new value, if that is allowed."""
        line, (start, end) = self.line, self.line.spans[number]
        owner = line.owners[id(node.inputs[0])]
        position = line.producer_positions[id(owner)]
        if id(owner) in self.places or owner.dtype.kind == "O" or line.node_of(owner).kind not in COMPUTING_KINDS:
            return
        if not _covers_owner(node.inputs[0], owner):
            return
        launches, last_exit = line.launches[position], self.last_exits[number]
        if position < start or launches is None:
            return
        if position < last_exit or (position == last_exit and not stops_only_before_writes(launches)):
            return
        if all(self._may_overwrite(position, end, owner, old) for old in self.reads.get(id(node.payload), ())):
            self.places[id(owner)] = InPermanent(node.payload._array)

    def _may_overwrite(self, position: int, end: int, new: Value, old: Value) -> bool:
        """True if the node at a position may write ``new`` over ``old``; looks at the part that ends at ``last_use``."""
        last_use = max([use for use in self.line.uses.get(id(old), ()) if use <= end], default=-1)
        if last_use != position:
            return last_use < position
        return self._in_place_pairs_of(position).allows_overwrite(new, old)

    def _in_place_pairs_of(self, position: int) -> _InPlacePairs:
        """Returns the in-place pairs of the node at a position; computed once for all of its results."""
        pairs = self._pairs.get(position)
        if pairs is None:
            node, launches = self.line.nodes[position], self.line.launches[position]
            assert node is not None
            pairs = self._pairs[position] = _InPlacePairs(node, launches, self.line.owners)
        return pairs

    def _place_value(self, value: Value, position: int) -> list[tuple[int, int, int]]:
        """Assigns memory, a ``Place``, to a value.

        Returns:
            The range of the arena that it takes: the last position that needs it, the first byte, and the number of bytes.
        """
        owner = self.line.owners[id(value)]
        if owner is not value:
            ranges = self._place_value(owner, position) if id(owner) not in self.places else []
            place, offset = self.places[id(owner)], self.line.offsets.get(id(value), 0)
            assert offset == 0 or isinstance(place, InArena), f"{value} is a part of a value outside of the arena"
            self.places[id(value)] = InArena(place.offset + offset) if isinstance(place, InArena) else place
            return ranges
        if id(value) in self.places:
            return []
        node = self.line.node_of(value)
        if node.kind is Kind.CONSTANT:
            self.places[id(value)] = InPermanent(np.ascontiguousarray(node.payload).reshape(value.shape))
        elif node.kind is Kind.READ:
            self.places[id(value)] = InPermanent(node.payload._array)
        elif value.dtype.kind == "O":
            self.places[id(value)] = AsPythonObject()
        else:
            start = self._offset_of_overwritten_input(value, position)
            if start is None:
                start = self.arena.allocate(size_of(value))
            self.places[id(value)] = InArena(start)
            return [(self.line.last_use(value), start, size_of(value))]
        return []

    def _offset_of_overwritten_input(self, value: Value, position: int) -> int | None:
        """Returns the offset of an input that this node reads last and may overwrite; None if there is none."""
        launches = self.line.launches[position]
        if launches is None or not launches.in_place:
            return None
        pairs = self._in_place_pairs_of(position)
        if not pairs.has_result(value):
            return None  # a bucket is placed with the first value in it
        for old in pairs.overwritable_inputs(value):
            place, size = self.places[id(old)], size_of(old)
            if not isinstance(place, InArena) or size != size_of(value):
                continue
            ending = self.ending.get(position, [])
            if (place.offset, size) in ending and pairs.allows_overwrite(value, old):
                ending.remove((place.offset, size))
                return place.offset
        return None

    # ---- actions -----------------------------------------------------------------------------------------

    def _add_action(self, node: Node, launches: Launches | None) -> None:
        inputs = tuple([self.places[id(value)] for value in node.inputs])
        outputs = tuple([self.places[id(value)] for value in node.outputs])
        check_no_overlap(node, launches, inputs, outputs)
        launches = self._device_launches(launches)
        sizes = [np.dtype(dtype).itemsize * count for dtype, count in launches.scratch] if launches is not None else []
        waits = (
            launches is not None
            and sum(sizes) <= MOST_UNREUSED_SCRATCH_BYTES
            and any(launch.waits for launch in launches.launches)
        )
        offsets = [self.arena.grow(size) if waits else self.arena.allocate(size) for size in sizes]
        scratch = tuple([InArena(offset) for offset in offsets])
        for output, input_number in launches.starts_as if launches is not None else ():
            if size_of(node.outputs[output]) and not _is_same_place(outputs[output], inputs[input_number]):
                self._add_copy(node.inputs[input_number], outputs[output])
        for output, input_number, offset in launches.packed if launches is not None else ():
            bucket = outputs[output]
            assert isinstance(bucket, InArena)
            if inputs[input_number] != InArena(bucket.offset + offset) and size_of(node.inputs[input_number]):
                self._add_copy(node.inputs[input_number], InArena(bucket.offset + offset))
        self.block.actions.append(Action(node, launches, inputs, outputs, scratch))
        for offset, size in zip(offsets, sizes, strict=True):
            if not waits:
                self.arena.free(offset, size)

    def _device_launches(self, launches: Launches | None) -> Launches | None:
        """Returns the launches of the plan's device that replace a CPU's launches."""
        return launches if launches is None or self.device is None else self.device.replacement_of(launches)

    def _add_copy(self, value: Value, to: Place) -> None:
        node = Node(Kind.OPERATION, None, (value,), (value,))
        launches = self._device_launches(copy_launches(value))
        self.block.actions.append(Action(node, launches, (self.places[id(value)],), (to,)))

    def _copy_read_results(self, number: int, position: int) -> None:
        """Adds copies of results that are read values of variables, before the variables change."""
        start = self.line.spans[number][0]
        for value, array in self.copied[number]:
            owner = self.line.owners[id(value)]
            if (
                self.line.node_of(owner).kind is Kind.READ
                and max(self.line.producer_positions[id(owner)] + 1, start) == position
            ):
                self.places.setdefault(id(value), InPermanent(self.line.node_of(owner).payload._array))
                self._add_copy(value, InCallerArray(len(self.plan.arguments) + array))

    def _end_part(self, number: int) -> None:
        """Adds the end of a part: the choice of the next part, or copies to the caller's arrays and to variables."""
        part = self.parts[number]
        if part.guard is not None:
            launches = branch_choice_launches(part.guard, len(part.successors)) if self.plan.native else None
            self._add_action(part.guard, launches)
            return
        for value, array in self.copied[number]:
            if self.line.node_of(self.line.owners[id(value)]).kind is not Kind.READ:
                self._add_copy(value, InCallerArray(len(self.plan.arguments) + array))
        written = {id(variable._array) for variable in self.plan.written}
        pending = []
        for node in self.assignments[number]:
            value, target = node.inputs[0], InPermanent(node.payload._array)
            place = self.places[id(value)]
            if isinstance(place, InPermanent):
                if place.array is target.array:
                    continue
                if id(place.array) in written and self.line.node_of(self.line.owners[id(value)]).kind is Kind.READ:
                    place = InArena(self.arena.allocate(size_of(value)))  # before any variable changes
                    self._add_copy(value, place)
            pending.append((node, place, target))
        for node, place, target in pending:
            launches = (
                self._device_launches(copy_launches(node.inputs[0])) if node.inputs[0].dtype.kind != "O" else None
            )
            self.block.actions.append(Action(node, launches, (place,), (target,)))
        if len(self.parts) > 1 and self.plan.native:
            assert part.leaf is not None
            self.block.actions.append(Action(Node(Kind.OPERATION, None), end_of_trace_launches(part.leaf), (), ()))

    def _fill_branch_tables(self) -> None:
        """Writes the first step of each successor into the branch tables of the steps that choose by a guard."""
        first_steps, steps = [], 0
        for block in self.plan.blocks:
            first_steps.append(steps)
            steps += sum(len(a.launches.launches) for a in block.actions if a.launches is not None)
        numbers = {id(part): number for number, part in enumerate(self.parts)}
        for part, block in zip(self.parts, self.plan.blocks, strict=True):
            block.successors = {answer: numbers[id(successor)] for answer, successor in part.successors.items()}
            launches = block.actions[-1].launches if part.guard is not None else None
            if launches is not None:
                table = launches.launches[0].operands[1]
                assert isinstance(table, Constant)
                table.array[:] = [
                    w for answer, successor in block.successors.items() for w in (int(answer), first_steps[successor])
                ]
