"""The control flow graph of a function: predecessors, dominators, loops, liveness of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from fastgrad._src.derivatives.ir.operands import Counter, Root, Scalar, scalars_among
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import NextIteration, Statement

Part = TypeVar("Part")


def settled(
    values: dict[Block, set[Part]], value_of: Callable[[Block], set[Part]], blocks: list[Block]
) -> dict[Block, set[Part]]:
    """Computes the values of blocks, which follow from one another, until none changes; returns them."""
    before: dict[Block, set[Part]] = {}
    while values != before:
        before = dict(values)
        for block in blocks:
            values[block] = value_of(block)
    return values


def add_reachable(reached: set[Part], starts: Iterable[Part], following: Callable[[Part], Iterable[Part]]) -> set[Part]:
    """Adds parts to those that are reached, and what follows them, directly or not; goes on from none that was reached before. Returns the set."""
    pending = [*starts]
    while pending:
        part = pending.pop()
        if part not in reached:
            reached.add(part)
            pending += following(part)
    return reached


class ControlFlow:
    """The control flow of the blocks of a function that can be reached.

    Attributes:
        blocks: the blocks, each after those that dominate it.
        predecessors: of each block.
        dominators: of each block, with itself.
        loops: for the head of each natural loop its blocks.
        counted: for the head of each loop that a counter steps, the counter.
    """

    def __init__(self, function: Function) -> None:
        # The body of a loop comes before what follows it.
        self.blocks = reverse_postorder(function.blocks[0], lambda block: block.successors[::-1])
        self._position = {block: number for number, block in enumerate(self.blocks)}
        self.predecessors: dict[Block, list[Block]] = {block: [] for block in self.blocks}
        for block in self.blocks:
            for successor in block.successors:
                self.predecessors[successor].append(block)
        self.dominators = self._find_dominators()
        self.loops = self._find_loops()
        self._in_cycle = self._find_cycles()
        self.counted: dict[Block, Counter] = {
            counter.head: counter
            for counter in function.counters
            if counter.head in self.loops
            and counter.block not in self.loops[counter.head]
            and all(  # it is set each time the loop begins
                counter.block in body
                for head, body in self.loops.items()
                if head is not counter.head and counter.head in body
            )
        }

    def step_of(self, head: Block) -> NextIteration:
        """Returns the statement that steps the counter of a counted loop."""
        steps = [statement for statement in head.statements if isinstance(statement, NextIteration)]
        return next(step for step in steps if step.counter is self.counted[head])

    def ends_at_head(self, head: Block) -> bool:
        """True if no block of a loop but its head leaves the loop."""
        body = self.loops[head]
        return all(after in body for block in body - {head} for after in block.successors)

    def runs_each_iteration(self, block: Block, head: Block) -> bool:
        """True if a loop goes through a block each time before it comes back to its head."""
        return all(block in self.dominators[latch] for latch in self.predecessors[head] if latch in self.loops[head])

    def is_in_inner_loop(self, block: Block, head: Block) -> bool:
        """True if a block of a loop is in a smaller loop, too."""
        return any(block in body and len(body) < len(self.loops[head]) for body in self.loops.values())

    def position(self, block: Block) -> int:
        """Returns the number of a block in ``blocks``."""
        return self._position[block]

    def is_in_loop(self, block: Block | None) -> bool:
        """True if a block may run more than once; False for None, the start of the function."""
        return block is not None and block in self._in_cycle

    def reachable_blocks(self, block: Block, end: Block | None = None) -> set[Block]:
        """Returns a block and those that may run after it, with ``end`` those that may run before ``end`` does."""
        ended = set() if end is None else {end}
        return add_reachable({*ended}, [block], lambda current: current.successors) - ended

    def nearest_dominators(self, block: Block) -> list[Block]:
        """Returns the dominators of a block other than itself, the nearest first."""
        return sorted(self.dominators[block] - {block}, key=self.position, reverse=True)

    def _find_dominators(self) -> dict[Block, set[Block]]:
        dominators = {block: set(self.blocks) for block in self.blocks}
        dominators[self.blocks[0]] = {self.blocks[0]}

        def common(block: Block) -> set[Block]:
            return set.intersection(*[dominators[before] for before in self.predecessors[block]]) | {block}

        return settled(dominators, common, self.blocks[1:])

    def _find_loops(self) -> dict[Block, set[Block]]:
        loops: dict[Block, set[Block]] = {}
        for block in self.blocks:
            for head in block.successors:
                if head in self.dominators[block]:
                    add_reachable(loops.setdefault(head, {head}), [block], self.predecessors.__getitem__)
        return loops

    def _find_cycles(self) -> set[Block]:
        """Returns the blocks that can be reached from themselves."""
        in_cycle: set[Block] = set().union(*self.loops.values())
        irreducible = any(
            self.position(successor) <= self.position(block) and successor not in self.dominators[block]
            for block in self.blocks
            for successor in block.successors
        )
        return set(self.blocks) if irreducible else in_cycle

    def memory_written_after(self) -> dict[Block, set[Root]]:
        """Returns for each block the memory that may be written after its end."""
        written = {block: set().union(*map(written_memory, block.statements)) for block in self.blocks}
        after: dict[Block, set[Root]] = {block: set() for block in self.blocks}

        def later(block: Block) -> set[Root]:
            return set().union(*[written[successor] | after[successor] for successor in block.successors])

        return settled(after, later, self.blocks[::-1])

    def live_arrays(self) -> dict[Block, set[Root]]:
        """Returns for each block the memory whose contents are read or written after its phis, before it is allocated again."""
        live: dict[Block, set[Root]] = {block: set() for block in self.blocks}

        def live_at_start(block: Block) -> set[Root]:
            alive = self.live_at_end(block, live)
            for statement in reversed(block.statements):
                self.step_liveness_backward(statement, alive)
            return alive

        return settled(live, live_at_start, self.blocks[::-1])

    def live_at_end(self, block: Block, live: dict[Block, set[Root]]) -> set[Root]:
        """Returns the memory that is live after a block's last statement, from what is live after the phis of all blocks."""
        alive: set[Root] = set()
        for successor in block.successors:
            targets = {phi.target for phi in successor.phis}
            alive |= live[successor] - targets
            for phi in successor.phis:
                if block in phi.incoming and phi.target in live[successor]:
                    alive.update(root.memory_owner for root in phi.incoming[block].roots)
        alive |= {root.memory_owner for value in block.results for root in value.roots}
        return alive

    def step_liveness_backward(self, statement: Statement, alive: set[Root]) -> None:
        """Turns what is live after a statement into what is live before it."""
        alive.difference_update(statement.definitions)  # numbers are never live
        alive.update(root.memory_owner for root in (*statement.reads, *statement.writes))


def reverse_postorder(entry: Part, successors_of: Callable[[Part], Iterable[Part]]) -> list[Part]:
    """Returns what can be reached from ``entry``: each part comes after its dominators, and the last successor of a part soon after it."""
    order: list[Part] = []
    visited = {entry}
    stack = [(entry, iter(successors_of(entry)))]
    while stack:
        part, successors = stack[-1]
        for successor in successors:
            if successor not in visited:
                visited.add(successor)
                stack.append((successor, iter(successors_of(successor))))
                break
        else:
            order.append(part)
            stack.pop()
    return order[::-1]


def memory_written_in(block: Block) -> set[Root]:
    """Returns the memory that a block writes."""
    return {memory for statement in block.statements for memory in statement.writes}


def written_memory(statement: Statement) -> set[Root]:
    """Returns the memory that a statement writes or makes."""
    return {*statement.writes, *statement.makes}


def possible_memory_roots(function: Function) -> dict[Root, set[Root]]:
    """Returns for each array the memory that it may be: phis name one of several arrays, and calls may return their arguments."""
    memory = {root.memory_owner: {root.memory_owner} for root in function.roots}
    edges: list[tuple[Root, Root]] = []
    for block in function.blocks:
        for phi in block.phis:
            edges += phi.aliases
        for statement in block.statements:
            edges += [(result, source) for result, source in statement.aliases if result in memory]
    size = -1
    while size != (size := sum(map(len, memory.values()))):
        for name, source in edges:
            memory[name] |= memory[source.memory_owner]
    return memory


def memory_families(function: Function) -> dict[Root, set[Root]]:
    """Returns for each array those that may share its memory because phis name them, or calls return them."""
    families = {root.memory_owner: {root.memory_owner} for root in function.roots}

    def join(first: Root, second: Root) -> None:
        family = families[first.memory_owner] | families[second.memory_owner]
        families.update(dict.fromkeys(family, family))

    for block in function.blocks:
        for phi in block.phis:
            for name, root in phi.aliases:
                join(name, root)
        for statement in block.statements:
            for result, source in statement.aliases:
                if result in families:
                    join(result, source)
    return families


def defined_scalars(statement: Statement) -> list[Scalar]:
    """Returns the scalars that a statement defines."""
    return scalars_among(statement.definitions)


def scalars_defined_in(blocks: list[Block]) -> list[Scalar]:
    """Returns the scalars that blocks define."""
    found: list[Scalar] = []
    for block in blocks:
        found += scalars_among(phi.target for phi in block.phis)
        for statement in block.statements:
            found += defined_scalars(statement)
    return found
