"""Where the last reads of a variable are: there its reference to memory is dropped, as Numba drops it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from numba import types

from fastgrad._src.derivatives.code import tree as code
from fastgrad._src.scalars.formulas import Term, in_postorder


class Lifetimes:
    """The last reads of the variables of a function.

    A statement with others in it counts as one: what they read is kept until its end.

    Args:
        written: the code of the function.
    """

    def __init__(self, written: code.Code) -> None:
        self._dead_after: dict[code.Statement, list[str]] = {}
        self._dead_on_entry: dict[int, list[str]] = {}
        reads, writes, targets = {}, {}, {}
        for number, body in written.blocks.items():
            reads[number], writes[number] = _upward_reads(body)
            targets[number] = [
                statement.block for statement in code.statements_in(body) if isinstance(statement, code.Jump)
            ]
        live_in = {number: set(names) for number, names in reads.items()}
        live_out: dict[int, set[str]] = {number: set() for number in reads}
        order = [*reversed(written.blocks)]
        is_changed = True
        while is_changed:
            is_changed = False
            for number in order:
                after = set().union(*[live_in[target] for target in targets[number]])
                if after != live_out[number]:
                    live_out[number] = after
                    live_in[number] = reads[number] | (after - writes[number])
                    is_changed = True
        start = live_in.get(written.start, set())
        self._find_last_reads(written.prologue, start)
        before: dict[int, set[str]] = {number: set() for number in reads}
        for number, body in written.blocks.items():
            self._find_last_reads(body, live_out[number])
            held = live_out[number].union(*[_names_in(statement) for statement in body if statement.bodies])
            for target in targets[number]:
                before[target] |= held - live_in[target]
        self._dead_on_entry = {number: sorted(names) for number, names in before.items()}

    def dead_after(self, statement: code.Statement) -> Iterator[str]:
        """Yields the variables that nothing reads after a statement, and that it reads or writes."""
        yield from self._dead_after.get(statement, ())

    def dead_on_entry(self, number: int) -> Iterator[str]:
        """Yields the variables that a block before reads or keeps for others, and that nothing reads from the block of a number on."""
        yield from self._dead_on_entry.get(number, ())

    def _find_last_reads(self, body: list[code.Statement], live: set[str]) -> None:
        live = set(live)
        for statement in reversed(body):
            named = _names_in(statement)
            self._dead_after[statement] = sorted(named - live)
            reads, writes = _upward_reads([statement])
            live = (live - writes) | reads


def _names_in(statement: code.Statement) -> set[str]:
    """Returns the names of the variables that a statement reads or writes."""
    names = set()
    for inner in code.statements_in([statement]):
        names |= _names_written(inner) | _names_read(inner)
    return names


def _names_read(statement: code.Statement) -> set[str]:
    return _names_in_terms(statement.terms)


def _names_in_terms(terms: Sequence[Term]) -> set[str]:
    names = set()
    for term in in_postorder(*terms):
        if isinstance(term, code.Variable) and _may_own(term):
            names.add(term.name)
        elif term.operation is not None and term.operation.reads_parameter and term.operation.definition is not None:
            names |= _names_in_terms([term.operation.definition(*term.operands)])  # its formula names parameters
    return names


def _names_written(statement: code.Statement) -> set[str]:
    return {variable.name for variable in code.assigned_variables(statement) if _may_own(variable)}


def _may_own(variable: code.Variable) -> bool:
    """True if a variable may hold a reference to memory: it is not known to be a number."""
    return not isinstance(variable.type, (types.Number, types.Boolean))


def _upward_reads(body: list[code.Statement]) -> tuple[set[str], set[str]]:
    """Returns the variables that statements may read before they write them, and those that they write for certain."""
    reads: set[str] = set()
    writes: set[str] = set()
    for statement in body:
        reads |= _names_read(statement) - writes
        if statement.bodies:
            inner = [_upward_reads(part) for part in statement.bodies]
            reads |= set().union(*[names for names, _ in inner]) - writes
        else:
            writes |= _names_written(statement)
    return reads, writes
