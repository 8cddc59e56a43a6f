"""Where the last reads of a variable are: there its reference to memory is dropped, as Numba drops it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from numba import types

from fastgrad._src.derivatives.output import tree as code
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
        self._names: dict[code.Statement, tuple[set[str], set[str]]] = {}
        self._live_in: dict[int, set[str]] = {number: set() for number in written.blocks}
        is_changed = True
        while is_changed:
            is_changed = False
            for number, body in reversed(written.blocks.items()):
                live = self._live_before(body, set())
                if live != self._live_in[number]:
                    self._live_in[number] = live
                    is_changed = True
        self._find_last_reads(written.prologue, self._live_in.get(written.start, set()))
        dead: dict[int, set[str]] = {number: set() for number in written.blocks}
        for number, body in written.blocks.items():
            self._find_last_reads(body, set())
            held = self._live_in[number]
            for statement in body:
                held = held | _names_in(statement)
                for inner in code.statements_in([statement]):
                    if isinstance(inner, code.Jump):
                        dead[inner.block] |= held - self._live_in[inner.block]
                held = held.difference(self._dead_after[statement])
        self._dead_on_entry = {number: sorted(names) for number, names in dead.items()}

    def dead_after(self, statement: code.Statement) -> Iterator[str]:
        """Yields the variables that nothing reads after a statement, and that it reads or writes."""
        yield from self._dead_after.get(statement, ())

    def dead_on_entry(self, number: int) -> Iterator[str]:
        """Yields the variables that may have a reference at a jump to the block of a number, and that nothing reads from there on."""
        yield from self._dead_on_entry.get(number, ())

    def _find_last_reads(self, body: list[code.Statement], live: set[str]) -> None:
        for statement in reversed(body):
            self._dead_after[statement] = sorted(_names_in(statement) - live)
            live = self._live_before([statement], live)

    def _live_before(self, body: list[code.Statement], live: set[str]) -> set[str]:
        """Returns the variables that may be read from the start of statements on, if ``live`` may be after their end."""
        for statement in reversed(body):
            names = self._names.get(statement)
            if names is None:
                names = self._names[statement] = _names_read(statement), _names_written(statement)
            reads, writes = names
            if isinstance(statement, code.Jump):
                live = self._live_in[statement.block]
            elif isinstance(statement, (code.Return, code.Raise)):
                live = reads
            elif statement.bodies:
                live = live.union(reads, *[self._live_before(part, live) for part in statement.bodies])
            elif reads or writes:
                live = (live - writes) | reads
        return live


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
