"""The control flow graph of a function: predecessors, dominators, loops, liveness of arrays."""

from __future__ import annotations

from collections.abc import Iterable

from fastgrad.differentiation.ir import (
    Allocate,
    Block,
    Branch,
    Call,
    Counter,
    Function,
    Grow,
    Load,
    Reshape,
    Return,
    Root,
    Size,
    Store,
    View,
)


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
        self.blocks = _in_reverse_postorder(function.blocks[0])
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
            if counter.head in self.loops and counter.block not in self.loops[counter.head]
        }

    def position(self, block: Block) -> int:
        """Returns the number of a block in ``blocks``."""
        return self._position[block]

    def is_in_loop(self, block: Block | None) -> bool:
        """True if a block may run more than once; False for None, the start of the function."""
        return block is not None and block in self._in_cycle

    def blocks_from(self, block: Block) -> set[Block]:
        """Returns a block and those that may run after it."""
        reached: set[Block] = set()
        pending = [block]
        while pending:
            current = pending.pop()
            if current not in reached:
                reached.add(current)
                pending += current.successors
        return reached

    def nearest_dominators(self, block: Block) -> list[Block]:
        """Returns the dominators of a block other than itself, the nearest first."""
        return sorted(self.dominators[block] - {block}, key=self.position, reverse=True)

    def _find_dominators(self) -> dict[Block, set[Block]]:
        dominators = {block: set(self.blocks) for block in self.blocks}
        dominators[self.blocks[0]] = {self.blocks[0]}
        changed = True
        while changed:
            changed = False
            for block in self.blocks[1:]:
                common = set.intersection(*[dominators[before] for before in self.predecessors[block]]) | {block}
                if common != dominators[block]:
                    dominators[block] = common
                    changed = True
        return dominators

    def _find_loops(self) -> dict[Block, set[Block]]:
        loops: dict[Block, set[Block]] = {}
        for block in self.blocks:
            for head in block.successors:
                if head in self.dominators[block]:
                    body = loops.setdefault(head, {head})
                    pending = [block]
                    while pending:
                        current = pending.pop()
                        if current not in body:
                            body.add(current)
                            pending += self.predecessors[current]
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

    def live_arrays(self) -> dict[Block, set[Root]]:
        """Returns for each block the memory that is read or written after its phis, before it is allocated again."""
        live: dict[Block, set[Root]] = {block: set() for block in self.blocks}
        changed = True
        while changed:
            changed = False
            for block in reversed(self.blocks):
                alive: set[Root] = set()
                for successor in block.successors:
                    alive |= live[successor] - {phi.target for phi in successor.phis}
                    alive |= {
                        phi.incoming[block].root.memory  # type: ignore[union-attr]
                        for phi in successor.phis
                        if isinstance(phi.incoming.get(block), View)
                    }
                if isinstance(block.end, Return):
                    alive |= {value.root.memory for value in block.end.values if isinstance(value, View)}
                for statement in reversed(block.statements):
                    if isinstance(statement, Allocate):
                        alive.discard(statement.root)
                    elif isinstance(statement, Call):
                        alive -= {result for result in statement.results if isinstance(result, Root)}
                        alive |= {value.root.memory for value in statement.arguments if isinstance(value, View)}
                    elif isinstance(statement, (Grow, Load, Store, Size, Reshape)):
                        alive.add(statement.root.memory)
                if alive != live[block]:
                    live[block] = alive
                    changed = True
        return live


def _in_reverse_postorder(entry: Block) -> list[Block]:
    order: list[Block] = []
    visited = {entry}
    stack = [(entry, iter(_loop_exit_first(entry)))]
    while stack:
        block, successors = stack[-1]
        for successor in successors:
            if successor not in visited:
                visited.add(successor)
                stack.append((successor, iter(_loop_exit_first(successor))))
                break
        else:
            order.append(block)
            stack.pop()
    return order[::-1]


def _loop_exit_first(block: Block) -> list[Block]:
    """Returns the successors in an order that puts the body of a loop before what follows it."""
    return [block.end.otherwise, block.end.then] if isinstance(block.end, Branch) else block.successors


def memory_families(function: Function) -> dict[Root, set[Root]]:
    """Returns for each array those that may share its memory because phis name them."""
    families = {root.memory: {root.memory} for root in function.roots}
    for block in function.blocks:
        for phi in block.phis:
            for value in phi.incoming.values():
                if isinstance(value, View) and isinstance(phi.target, Root):
                    family = families[phi.target] | families[value.root.memory]
                    families.update(dict.fromkeys(family, family))
    return families


def written_memory(blocks: Iterable[Block]) -> set[Root]:
    """Returns the memory that blocks write."""
    return {statement.root.memory for block in blocks for statement in block.statements if isinstance(statement, Store)}
