"""Statements and terminators of the intermediate representation.

The methods of a statement tell passes its uses and definitions, its reads and writes of arrays, and its dependencies. Other methods give its source text, its tangents
and its adjoint. So a new statement is one class here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Counter,
    Location,
    Operand,
    Root,
    Scalar,
    View,
    operands_of_view,
    views_among,
    with_replaced_numbers,
)
from fastgrad._src.derivatives.ir.partials import Partial
from fastgrad._src.derivatives.output.tree import add_to, assign, call, integer, reshaped, size_along
from fastgrad._src.scalars.formulas import ANYWHERE, NO_SINGULARITY, ScalarOperation, Term

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.splicing import Splice
    from fastgrad._src.derivatives.ir.representation import Block
    from fastgrad._src.derivatives.transform.adjoint import Adjoint
    from fastgrad._src.derivatives.transform.emission import Emitter
    from fastgrad._src.derivatives.transform.tangents import Tangents

Flow = tuple[Operand | Root, Scalar | Root]
COST_OF_EFFECTS = 10**6
"""The cost of a number that must be computed once: a random draw, or a print."""


class Statement:
    """The base of statements.

    Attributes:
        operands: the scalars and constants that it is written with. `uses` may have more.
    """

    __slots__ = ("location", "operands")

    may_raise = False
    """Whether it may raise an exception."""
    is_needed = True
    """Whether it is needed though nothing uses what it defines."""
    is_pure = False
    """Whether what it defines is all that it does."""
    is_product = False
    """Whether it is a product of matrices or vectors."""
    cost = 0
    """The cost of doing it once more, where an addition has cost 1."""
    operation: ScalarOperation | None = None
    """What computes the number that it defines from its operands; None for others."""
    singularity = NO_SINGULARITY
    """Where its derivatives are infinite at finite operands."""
    flat_at = ANYWHERE
    """The singularities of its operands at which a derivative may be 0, see `ScalarOperation`."""
    defined: tuple[str, ...] = ()
    """The attributes that `definitions` has; the next ones are those of `reads`, `writes`, `makes` and `arrays`."""
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def __init__(self, location: Location, operands: list[Operand]) -> None:
        self.location = location
        self.operands = operands

    @property
    def uses(self) -> list[Operand]:
        """All scalars and constants that it reads."""
        return self.operands

    @property
    def definitions(self) -> list[Scalar | Root]:
        """The scalars and arrays that it gives their values."""
        return [getattr(self, name) for name in self.defined]

    @property
    def reads(self) -> list[Root]:
        """The arrays whose elements it reads."""
        return [getattr(self, name) for name in self.read]

    @property
    def writes(self) -> list[Root]:
        """The memory that it writes elements of."""
        return [getattr(self, name).memory_owner for name in self.written]

    @property
    def makes(self) -> list[Root]:
        """The memory that it makes, or replaces by other memory."""
        return [getattr(self, name).memory_owner for name in self.made]

    @property
    def arrays(self) -> list[Root]:
        """The arrays that it names, other than those that it defines."""
        return [*self.reads, *[getattr(self, name) for name in self.named]]

    @property
    def derivative_edges(self) -> list[Flow]:
        """Pairs of a number or array and one that depends smoothly on it."""
        return []

    @property
    def dependences(self) -> list[Flow]:
        """Pairs of a number or array and one that depends on it, smoothly or not, other than by its size."""
        return self.derivative_edges

    @property
    def inputs(self) -> Sequence[Operand | Root]:
        """Of a call the arguments that have derivatives, arrays as their roots."""
        return ()

    @property
    def outputs(self) -> Sequence[Scalar | Root]:
        """Of a call the results, and the memory that it writes."""
        return ()

    @property
    def aliases(self) -> list[tuple[Root, Root]]:
        """Pairs of an array that it defines and one whose memory that may be, other than by its source."""
        return []

    @property
    def callee(self) -> Callee | None:
        """Of a call of a function that is not inlined the function; None for others."""
        return None

    @property
    def is_repeatable(self) -> bool:
        """Whether it does the same each time, and nothing that is seen outside."""
        return True

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        """Replaces each operand by what ``final`` returns for it."""
        self.operands = [final(operand) for operand in self.operands]

    def write(self, emitter: Emitter) -> None:
        """Writes what the user's function does here."""
        raise NotImplementedError

    def add_tangents(self, tangents: Tangents) -> None:
        """Appends to a derivative in forward mode what computes the tangents, after the statement itself."""

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        """Yields the statements of reverse mode that move cotangents from what it defines to what it uses."""
        return ()

    def splice(self, splice: Splice) -> bool:
        """Names the caller's numbers and arrays in place of the parameters; returns whether the statement stays."""
        self.replace(splice.number)
        return True


class Compute(Statement):
    """A number from numbers.

    Attributes:
        target: the result.
        operation: computes the target from the operands.
        cost: of computing it once more, where an addition has cost 1.
        partials: for each operand its partial, see `partials.py`; None if it has no derivative. By default none has one.
    """

    __slots__ = ("cost", "flat_at", "operation", "partials", "singularity", "target")
    defined = ("target",)
    operation: ScalarOperation

    def __init__(
        self,
        location: Location,
        target: Scalar,
        operation: ScalarOperation,
        operands: list[Operand],
        cost: int | None = None,
        partials: list[Partial] | None = None,
    ) -> None:
        super().__init__(location, operands)
        self.target = target
        self.operation = operation
        self.cost = operation.cost if cost is None else cost
        self.partials: list[Partial] = partials or [None] * len(operands)
        self.singularity = NO_SINGULARITY
        self.flat_at = operation.flat_at

    @property
    def may_raise(self) -> bool:  # type: ignore[override]  # a constant of other statements
        """Whether its operation may raise an exception."""
        return self.operation.may_raise

    @property
    def is_needed(self) -> bool:  # type: ignore[override]
        """True for a random draw, a print, and a test that may raise."""
        return self.cost >= COST_OF_EFFECTS or self.operation.may_raise

    @property
    def is_pure(self) -> bool:  # type: ignore[override]
        """True unless it is needed for its effect."""
        return not self.is_needed

    @property
    def is_repeatable(self) -> bool:
        return self.cost < COST_OF_EFFECTS

    @property
    def derivative_edges(self) -> list[Flow]:
        pairs = zip(self.operands, self.partials, strict=True)
        return [(operand, self.target) for operand, partial in pairs if partial is not None]

    @property
    def dependences(self) -> list[Flow]:
        return [(operand, self.target) for operand in self.operands]

    def write(self, emitter: Emitter) -> None:
        emitter.write(assign(self.target.term, self.term([*map(emitter.operand, self.operands)])))

    def term(self, operands: Sequence[Term]) -> Term:
        """Returns the result, of operands. The last ones may be there for the partials alone."""
        return self.operation(*operands[: self.operation.arity])

    def add_tangents(self, tangents: Tangents) -> None:
        if self.target in tangents:
            tangents.compute(self)

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        return adjoint.of_compute(self) if self.target in adjoint.activity else ()

    def splice(self, splice: Splice) -> bool:
        """Checks the operation inside ``try``."""
        splice.check_in_try(self)
        return super().splice(splice)


class Draw(Compute):
    """A random draw that jumps where an operand without a partial changes: it is refused where such an operand depends on the inputs.

    Attributes:
        name: of the function, for messages.
    """

    __slots__ = ("name",)

    def __init__(self, name: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.name = name


class Size(Statement):
    """The size of an array along an axis."""

    __slots__ = ("axis", "root", "target")
    defined, named = ("target",), ("root",)
    is_needed = False
    is_pure = True

    def __init__(self, location: Location, target: Scalar, root: Root, axis: int) -> None:
        super().__init__(location, [])
        self.target = target
        self.root = root
        self.axis = axis

    def write(self, emitter: Emitter) -> None:
        emitter.write(assign(self.target.term, size_along(self.root.term, self.axis)))

    def splice(self, splice: Splice) -> bool:
        """Drops the statement if the array is an argument, whose size is known."""
        return not splice.resolve_size(self)


class Load(Statement):
    """Reads an element of a root; the operands are the indices.

    Attributes:
        guards: it reads nothing, and the result is 0, unless all of these are above 0.
    """

    __slots__ = ("guards", "root", "target")
    defined, read = ("target",), ("root",)
    is_needed = False
    is_pure = True
    cost = 2

    def __init__(self, location: Location, target: Scalar, root: Root, indices: list[Operand]) -> None:
        super().__init__(location, indices)
        self.target = target
        self.root = root
        self.guards: list[Operand] = []

    @property
    def uses(self) -> list[Operand]:
        return [*self.operands, *self.guards]

    @property
    def derivative_edges(self) -> list[Flow]:
        return [(self.root, self.target)]

    @property
    def dependences(self) -> list[Flow]:
        return [(source, self.target) for source in (self.root, *self.operands)]

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        super().replace(final)
        self.guards = [final(guard) for guard in self.guards]

    def write(self, emitter: Emitter) -> None:
        indices, guards = list(map(emitter.operand, self.operands)), list(map(emitter.operand, self.guards))
        emitter.write(assign(self.target.term, emitter.load(self, indices, guards)))

    def add_tangents(self, tangents: Tangents) -> None:
        if self.target in tangents:
            for target, lane in tangents.new_numbers(self.target):
                target.definition = Load(self.location, target, tangents.array(self.root), [*self.operands, *lane])
                tangents.append(target.definition)

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        return adjoint.of_load(self) if self.target in adjoint.activity else ()

    def splice(self, splice: Splice) -> bool:
        super().splice(splice)
        self.root, self.operands = splice.element(self.root, self.operands)
        return True


class Store(Statement):
    """Writes an element of a root; the operands are the value and the indices."""

    __slots__ = ("root",)
    written, named = ("root",), ("root",)

    def __init__(self, location: Location, root: Root, value: Operand, indices: list[Operand]) -> None:
        super().__init__(location, [value, *indices])
        self.root = root

    @property
    def derivative_edges(self) -> list[Flow]:
        return [(self.operands[0], self.root)]

    @property
    def dependences(self) -> list[Flow]:
        return [(operand, self.root) for operand in self.operands]

    def write(self, emitter: Emitter) -> None:
        value, *indices = map(emitter.operand, self.operands)
        emitter.write(assign(emitter.element(self.root, indices), value))

    def add_tangents(self, tangents: Tangents) -> None:
        value, *indices = self.operands
        for tangent, lane in tangents.numbers(value) if self.root in tangents else ():
            tangents.append(Store(self.location, tangents.array(self.root), tangent, [*indices, *lane]))

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        return adjoint.of_store(self) if self.root in adjoint.activity else ()

    def splice(self, splice: Splice) -> bool:
        super().splice(splice)
        value, *indices = self.operands
        splice.note_write(self.root)
        self.root, indices = splice.element(self.root, indices)
        self.operands = [value, *indices]
        return True


class Allocate(Statement):
    """Makes an array of the sizes that are its operands; ``function`` is "zeros" or "empty"."""

    __slots__ = ("function", "root")
    defined, made = ("root",), ("root",)
    is_needed = False

    def __init__(self, location: Location, root: Root, function: str) -> None:
        super().__init__(location, list(root.dims))
        self.root = root
        self.function = function

    def write(self, emitter: Emitter) -> None:
        dtype = emitter.dtype(self.root.type.dtype)
        emitter.write(assign(self.root.term, call(f"np.{self.function}", emitter.shape(self.root.dims), dtype)))

    def add_tangents(self, tangents: Tangents) -> None:
        if self.root in tangents:
            tangents.append(Allocate(self.location, tangents.new_array(self.root), "zeros"))

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        """Clears the cotangent of the array, if the memory is used again."""
        return adjoint.of_allocate(self) if self.root in adjoint.activity else ()


class Grow(Statement):
    """Moves the elements of a root to larger memory, unless it has as many as the operand."""

    __slots__ = ("root",)
    read, made = ("root",), ("root",)
    is_repeatable = False

    def __init__(self, location: Location, root: Root, size: Operand) -> None:
        super().__init__(location, [size])
        self.root = root

    def write(self, emitter: Emitter) -> None:
        emitter.write(assign(self.root.term, call("grow_array", self.root.term, emitter.operand(self.operands[0]))))

    def add_tangents(self, tangents: Tangents) -> None:
        if self.root in tangents:
            tangents.append(Grow(self.location, tangents.array(self.root), self.operands[0]))


class Reshape(Statement):
    """Names the elements of a contiguous root by other indices; the operands are the new sizes."""

    __slots__ = ("root",)
    defined, named = ("root",), ("source",)
    is_needed = False

    def __init__(self, location: Location, root: Root) -> None:
        super().__init__(location, list(root.dims))
        self.root = root

    @property
    def source(self) -> Root:
        """The root whose memory it names."""
        assert self.root.source is not None
        return self.root.source

    def write(self, emitter: Emitter) -> None:
        shape = emitter.shape(self.root.dims)
        emitter.write(assign(self.root.term, reshaped(self.source.term, shape, may_raise=True)))

    def add_tangents(self, tangents: Tangents) -> None:
        if self.root in tangents:
            array = tangents.new_array(self.root, "reshaped")
            array.source = tangents.array(self.source)
            tangents.append(Reshape(self.location, array))

    def splice(self, splice: Splice) -> bool:
        """Drops the statement if the array is an argument, of which it is another view."""
        super().splice(splice)
        return not splice.resolve_reshape(self)


class Call(Statement):
    """A call of a function that has derivatives of its own.

    Attributes:
        rule: the function and its derivatives.
        arguments: numbers and views.
        results: scalars, and roots of arrays that the call makes.
    """

    __slots__ = ("arguments", "results", "rule")

    def __init__(
        self, location: Location, rule: CallRule | Callee, arguments: list[Operand | View], results: list[Scalar | Root]
    ) -> None:
        super().__init__(location, [argument for argument in arguments if not isinstance(argument, View)])
        self.rule = rule
        self.arguments = arguments
        self.results = results

    @property
    def inputs(self) -> list[Operand | Root]:
        return [self.arguments[position].part for position in self.rule.active]

    @property
    def writes(self) -> list[Root]:
        arguments = [self.arguments[position] for position in sorted(self.rule.written)]
        return list(dict.fromkeys(root.memory_owner for value in arguments for root in value.roots))

    @property
    def outputs(self) -> list[Scalar | Root]:
        return [*self.results, *self.writes]

    @property
    def callee(self) -> Callee | None:
        return self.rule if isinstance(self.rule, Callee) else None

    @property
    def is_needed(self) -> bool:  # type: ignore[override]
        """True for a function that is not inlined: it may raise an exception, write, or draw."""
        return self.callee is not None

    may_raise = is_needed

    @property
    def is_repeatable(self) -> bool:
        """False for a recursive function, which may print."""
        return self.callee is None or self.callee.is_exact

    @property
    def is_product(self) -> bool:  # type: ignore[override]
        """Whether it is a product of matrices or vectors."""
        return self.rule.is_product

    @property
    def aliases(self) -> list[tuple[Root, Root]]:
        sources = [root for position in self.rule.returned for root in self.arguments[position].roots]
        return [(result, source) for source in sources for result in self.makes]

    @property
    def views(self) -> list[View]:
        """The arguments that are arrays."""
        return views_among(self.arguments)

    @property
    def uses(self) -> list[Operand]:
        return [*self.operands, *[number for view in self.views for number in operands_of_view(view)]]

    @property
    def definitions(self) -> list[Scalar | Root]:
        return self.results

    @property
    def reads(self) -> list[Root]:
        return [root for value in self.arguments for root in value.roots]

    @property
    def makes(self) -> list[Root]:
        return [root for result in self.results for root in result.roots]

    @property
    def derivative_edges(self) -> list[Flow]:
        return [(source, target) for source in self.inputs for target in self.outputs]

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        super().replace(final)
        self.arguments = [with_replaced_numbers(argument, final) for argument in self.arguments]

    def write(self, emitter: Emitter) -> None:
        emitter.call(self)

    def adjoint(self, adjoint: Adjoint) -> Iterable[Any]:
        return adjoint.of_call(self) if adjoint.activity.is_active_call(self) else ()

    def splice(self, splice: Splice) -> bool:
        self.operands = [splice.number(operand) for operand in self.operands]
        self.arguments = [splice.value(argument) for argument in self.arguments]
        for written in self.writes:
            splice.note_write(written)
        return True


class BeginLoop(Statement):
    """Sets a loop's counter; the operand is the number of iterations."""

    __slots__ = ("counter",)

    def __init__(self, location: Location, counter: Counter) -> None:
        super().__init__(location, [counter.count])
        self.counter = counter

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        super().replace(final)
        (self.counter.count,) = self.operands

    def write(self, emitter: Emitter) -> None:
        emitter.write(assign(integer(f"{self.counter.name}_count"), emitter.operand(self.operands[0])))
        emitter.write(assign(integer(self.counter.name), -1))


class NextIteration(Statement):
    """Steps a loop's counter: ``target`` is the number of the iteration, ``is_valid`` False after the last one."""

    __slots__ = ("counter", "is_valid", "target")
    defined = ("target", "is_valid")
    is_pure = True

    def __init__(self, location: Location, counter: Counter, target: Scalar, is_valid: Scalar) -> None:
        super().__init__(location, [])
        self.counter = counter
        self.target = target
        self.is_valid = is_valid

    def write(self, emitter: Emitter) -> None:
        counter = integer(self.counter.name)
        emitter.write(add_to(counter, 1))
        emitter.write(assign(self.is_valid.term, counter < emitter.loop_end(self.counter)))
        emitter.write(assign(self.target.term, counter))


def begin_counted_loop(
    location: Location, counter: Counter, head: Block, iteration_name: str, is_valid_name: str
) -> NextIteration:
    """Begins a loop at the end of the counter's block; returns the step for its head, which defines two new numbers."""
    counter.head = head
    counter.block.statements.append(BeginLoop(location, counter))
    iteration = Scalar(iteration_name, INDEX, head, is_natural=True)
    step = NextIteration(location, counter, iteration, Scalar(is_valid_name, types.boolean, head))
    step.target.definition = step.is_valid.definition = step
    return step


class End:
    """The base of ends of blocks."""

    __slots__ = ()

    condition: Operand | None = None
    """The number that decides which block follows, if there are two."""
    returns = False
    """Whether the function ends here, with a result."""

    @property
    def successors(self) -> list[Block]:
        """The blocks that may follow, each once."""
        return []

    @property
    def uses(self) -> list[Operand | View]:
        """The numbers and arrays that it reads."""
        return []

    @property
    def results(self) -> list[Operand | View]:
        """The leaves of the function's result, if the function ends here."""
        return []

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        """Replaces each operand by what ``final`` returns for it."""

    def replace_target(self, new: Block, old: Block) -> None:
        """Puts one block in the place of another among those that may follow."""

    def write(self, emitter: Emitter, block: Block) -> None:
        """Writes how the user's function goes on after ``block``, which ends so."""

    def with_tangents(self, tangents: Tangents) -> End:
        """Returns the end that a block has in a derivative in forward mode."""
        return self


NO_END = End()
"""That of a block which is not complete."""


@dataclass(eq=False, slots=True)
class Jump(End):
    """The end of a block that has one successor."""

    target: Block

    @property
    def successors(self) -> list[Block]:
        return [self.target]

    def replace_target(self, new: Block, old: Block) -> None:
        self.target = new if self.target is old else self.target

    def write(self, emitter: Emitter, block: Block) -> None:
        emitter.edge(block, self.target)

    def with_tangents(self, tangents: Tangents) -> Jump:
        return Jump(tangents.block_of(self.target))


class Branch(End):
    """The end of a block that has two successors."""

    __slots__ = ("condition", "otherwise", "then")
    condition: Operand

    def __init__(self, condition: Operand, then: Block, otherwise: Block) -> None:
        self.condition = condition
        self.then = then
        self.otherwise = otherwise

    @property
    def successors(self) -> list[Block]:
        return [self.then] if self.then is self.otherwise else [self.then, self.otherwise]

    @property
    def uses(self) -> list[Operand | View]:
        return [self.condition]

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        self.condition = final(self.condition)

    def replace_target(self, new: Block, old: Block) -> None:
        self.then = new if self.then is old else self.then
        self.otherwise = new if self.otherwise is old else self.otherwise

    def write(self, emitter: Emitter, block: Block) -> None:
        with emitter.when(emitter.operand(self.condition)):
            emitter.edge(block, self.then)
        emitter.edge(block, self.otherwise)

    def with_tangents(self, tangents: Tangents) -> Branch:
        return Branch(self.condition, tangents.block_of(self.then), tangents.block_of(self.otherwise))


@dataclass(eq=False, slots=True)
class Return(End):
    """The end of the function. ``values`` are the leaves of the result: operands and views."""

    returns = True

    values: list[Operand | View]
    location: Location

    @property
    def uses(self) -> list[Operand | View]:
        return self.values

    results = uses

    def replace(self, final: Callable[[Operand], Operand]) -> None:
        self.values = [with_replaced_numbers(value, final) for value in self.values]

    def write(self, emitter: Emitter, block: Block) -> None:
        emitter.write_return(block, self)

    def with_tangents(self, tangents: Tangents) -> Return:
        return Return([*self.values, *tangents.of_result(self)], self.location)


@dataclass(eq=False, slots=True)
class Raise(End):
    """The end of a block that raises an exception, with constant arguments."""

    exception: type[BaseException]
    arguments: tuple[Any, ...]
    location: Location | None = None

    def write(self, emitter: Emitter, block: Block) -> None:
        emitter.raise_(self)
