"""Alias analysis: which names of arrays may share memory, and which stores through one name are visible through another."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, settled
from fastgrad._src.derivatives.ir.operands import Root, refuse
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Allocate, Call, Grow, Statement, Store

PHI, COPY, ITEM = "phi", "copy", "item"
Pair = tuple[frozenset[Root], str]
"""Two names that may share memory. PHI: a phi names the array of another name, or a call returns its argument. COPY: Numba does not copy what the derivative copies. ITEM: neither
does it copy an array to a list of arrays."""


class Aliases:
    """The pairs of names that may share memory at the start of each block.

    A name is a root that owns memory, or a phi. Two names of one pair are names of the same array in a run of the function; an array that is
    allocated once more is another one.

    Attributes:
        at_start: by block its pairs.
        repeated: the elements of lists of arrays that may have one array twice.
    """

    def __init__(self, function: Function, flow: ControlFlow) -> None:
        self._sources = {copy: source for copy, (source, _, _) in function.copies.items()}
        self._appended = function.appended
        self._flow = flow
        self.repeated: set[Root] = set()
        self.at_start: dict[Block, set[Pair]] = {}
        at_end: dict[Block, set[Pair]] = {block: set() for block in flow.blocks}

        def pairs_at_end(block: Block) -> set[Pair]:
            before = [_after_phis(other, block, at_end[other]) for other in flow.predecessors[block]]
            pairs = self.at_start[block] = set().union(*before)
            return functools.reduce(lambda pairs, statement: self.after(statement, pairs), block.statements, pairs)

        settled(at_end, pairs_at_end, flow.blocks)

    def after(self, statement: Statement, pairs: set[Pair]) -> set[Pair]:
        """Returns the pairs after a statement from those before it."""
        if isinstance(statement, Allocate):
            root, source = statement.root, self._sources.get(statement.root)
            pairs = {pair for pair in pairs if root not in pair[0]}
            if source is not None:
                pairs |= {(frozenset((root, other)), COPY) for other in _aliases_of_memory(source.memory_owner, pairs)}
        elif isinstance(statement, (Grow, Store)) and statement in self._appended:
            names = _aliases_of_memory(self._appended[statement].memory_owner, pairs)
            if statement.root in names:
                self.repeated.add(statement.root)
            pairs = pairs | {(frozenset((statement.root, name)), ITEM) for name in names if name is not statement.root}
        elif isinstance(statement, Call):
            pairs = {pair for pair in pairs if pair[0].isdisjoint(statement.results)}
            for source in [
                root for position in statement.rule.returned for root in statement.arguments[position].roots
            ]:
                others = _aliases_of_memory(source.memory_owner, pairs)
                pairs |= {(frozenset((result, other)), PHI) for result in statement.makes for other in others}
        return pairs


def _aliases_of_memory(memory: Root, pairs: set[Pair]) -> set[Root]:
    return {memory, *(name for names, _ in pairs if memory in names for name in names)}


def _after_phis(before: Block, block: Block, pairs: set[Pair]) -> set[Pair]:
    """Returns the pairs after the phis of a block, which comes after the block ``before``."""
    sources = {
        name: root.memory_owner
        for phi in block.phis
        for name in phi.target.roots
        if before in phi.incoming
        for root in phi.incoming[before].roots
    }
    if not sources:
        return pairs

    def names_of(name: Root) -> list[Root]:
        own = [] if name in sources else [name]
        return own + [target for target, source in sources.items() if source is name]

    result: set[Pair] = set()
    for names, kind in pairs:
        first, second = names
        result |= {(frozenset((a, b)), kind) for a in names_of(first) for b in names_of(second)}
    for source in sources.values():
        same = names_of(source)
        result |= {(frozenset((a, b)), PHI) for a in same for b in same if a is not b}
    return result


def _conflicting_stores(function: Function, flow: ControlFlow) -> Iterator[tuple[Statement, Root, Root, str]]:
    """Yields the stores, and calls that store, to an array that another name, which is read later, may show.

    Each comes with the array, that name, and the kind of the pair.
    """
    aliases, live = Aliases(function, flow), flow.live_arrays()
    for block in flow.blocks:
        pairs, pairs_at = aliases.at_start[block], []
        for statement in block.statements:
            pairs_at.append(pairs)
            pairs = aliases.after(statement, pairs)
        alive = flow.live_at_end(block, live)
        for statement, pairs in zip(reversed(block.statements), reversed(pairs_at), strict=True):
            for memory in statement.writes:
                for names, kind in pairs:
                    if memory not in names:
                        continue
                    (name,) = names - {memory}
                    is_seen = kind == ITEM and name.kind == "parameter"  # the caller reads it
                    if name in alive or is_seen or name.is_copy_of_argument:
                        yield statement, memory, name, kind
                if memory in aliases.repeated:
                    yield statement, memory, memory, ITEM
            flow.step_liveness_backward(statement, alive)


def check_aliased_stores(function: Function, flow: ControlFlow, is_reverse: bool) -> None:
    """Refuses stores that another name of the array shows.

    In reverse mode each phi, and each array that a call may return, has a cotangent with memory of its own, as if it were a copy. That is right if it can't be
    told from a copy. In both modes that holds for copies for which Numba takes the arrays themselves if they are contiguous, and for items of lists of arrays.
    """
    for store, memory, name, kind in _conflicting_stores(function, flow):
        is_item = memory in function.fills and store not in function.fills[memory]
        if (kind == ITEM and (is_item or memory not in function.fills)) or (kind == PHI and is_item):
            what = "an item of a list" if is_item else "an array or list that was appended to a list"
            raise refuse(
                f"{what} is changed here, while another name may show the same array or list, which can't be differentiated; append a copy, or write before",
                store.location,
            )
        if kind == PHI and (is_reverse or name.is_copy_of_argument):
            raise refuse(
                "a variable that is one of several arrays is written here, while another variable may hold the same array; copy the array",
                store.location,
            )
        if kind == COPY:
            copy = memory if memory in function.copies else name
            _, fill, location = function.copies.get(copy, (None, set(), store.location))
            if store not in fill:
                raise refuse(
                    "this array is another name of its argument if that is contiguous, else a copy; one of both is written: use copy()",
                    location,
                )
