"""Derivatives of functions that are called, not inlined: recursive functions, and chunks of parallel loops.

Reverse mode of such a function is two functions. The augmented function computes the results and pushes its records on the stacks of its caller. The
reverse function pops these records. It adds to the cotangents of arrays in place, and returns the cotangents of numbers. So a call costs as much as
an inlined call, at any depth.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.aliases import check_aliased_stores
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.codegen.chunks import COMPILED as CHUNKS
from fastgrad._src.derivatives.codegen.chunks import MAX_CHUNKS, compile_chunk
from fastgrad._src.derivatives.codegen.compilation import OPTIONS
from fastgrad._src.derivatives.codegen.functions_of_code import function_of_code
from fastgrad._src.derivatives.codegen.inferred_overloads import linked_compiler_class
from fastgrad._src.derivatives.codegen.tape_memory import ALL_STACKS, COMPILED
from fastgrad._src.derivatives.codegen.text_pipeline import DirectJumpCompiler
from fastgrad._src.derivatives.frontend.lowering import Lowering, lowering_of
from fastgrad._src.derivatives.frontend.tangent_numbers import TangentNumbers
from fastgrad._src.derivatives.functions.numba_types import is_float_type
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.ir.call_rules import Callee, TangentOf
from fastgrad._src.derivatives.ir.operands import Root, Scalar, leaf_types_of, scalars_among, zero
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.statements import Return, Size
from fastgrad._src.derivatives.ir.values import parts_of
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.tree import Code
from fastgrad._src.derivatives.transform.checkpoints import checkpoint_byte_limit
from fastgrad._src.derivatives.transform.emission import Derivative, DerivedCall, cotangent, variables_of
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode
from fastgrad._src.derivatives.transform.parallel_loops import Outlined, ParallelLoop
from fastgrad._src.derivatives.transform.record_stacks import (
    ARRAYS_TOP,
    CODES,
    CODES_ROOM,
    CODES_TOP,
    OWNER,
    STACKS,
    STACKS_OF_REVERSE,
    TOPS,
    VALUES,
    VALUES_ROOM,
    VALUES_TOP,
    acquired,
    capacity,
    position,
    released,
)
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from fastgrad._src.derivatives.transform.simplification import simplify
from fastgrad._src.derivatives.transform.tangents import Tangents
from fastgrad._src.jit.numba_internals import CPUDispatcher, global_compiler_lock
from fastgrad._src.scalars.formulas import Term, as_term
from fastgrad._src.scalars.terms import SELECT

_dispatchers: dict[DerivedCall, Any] = {}


class SplitMode(ReverseMode):
    """Writes the forward sweep and the reverse sweep as two functions.

    Args:
        function: the function; its parts have been numbered.
        flow: its control flow.
        frozen: the numbers of the arrays that nothing writes, neither the function nor its callers.
        active: the numbers of the arguments that have cotangents.
    """

    is_apart = True
    has_checkpoints = False

    def __init__(self, function: Function, flow: ControlFlow, frozen: tuple[int, ...], active: tuple[int, ...]) -> None:
        self._frozen_names = [part.name for part in parts_of(function) if part.position in frozen]
        for root in function.roots:
            if root.kind == "parameter" and root.position not in frozen:
                root.is_written = True
        super().__init__(function, flow, active, None)
        residuals = self.residuals
        counters = {*flow.counted.values()} - residuals.whole_loops
        items: set[Any] = {*residuals.kept, *counters} - self._sizes.keys()
        self._records = sorted(items.union(*residuals.at_start.values()), key=lambda item: item.name)
        self._arrays = [
            root
            for root in function.roots
            if root in self.activity and root.kind not in ("parameter", "global", "reshaped")
        ]

    def _activity(self) -> Activity:
        positions = frozenset(self.positions)
        parameters = [part for part in self.function.roots if part.kind == "parameter" and part.position in positions]
        return Activity(self.function, self.flow.blocks, positions, is_forward=False, results=parameters)

    def known_on_reverse_sweep(self) -> set[Scalar]:
        self._sizes: dict[Any, Term] = {}
        for statement in statements_in(self.flow.blocks):
            if isinstance(statement, Size) and statement.root.kind == "parameter":
                name = statement.root.name
                is_shaped = statement.root.is_real and (
                    not self.arrays.is_flat(statement.root) or statement.root.type.ndim == 1
                )
                if is_shaped or name in self._frozen_names:
                    array = cotangent(statement.root) if is_shaped else statement.root.term
                    self._sizes[statement.target] = code.size_along(array, statement.axis)
        return {*self._sizes}

    def make_cotangent(self, root: Root) -> None:
        """Writes the size that the reverse sweep gives the cotangent of an array."""
        self.grow_buffer(root, code.product([self.operand(size) for size in root.dims]))

    def grow_buffer(self, root: Root, count: Term) -> None:
        """Writes the size that the reverse sweep gives the buffer of a cotangent."""
        self.write(code.assign(_room_of(root), code.call("max", _room_of(root), count)))

    def write_return(self, block: Block, end: Return) -> None:
        """Writes the records of what the reverse sweep needs, and the results."""
        records = self._recorded()
        self.stacks.write_number_room_test(len(records))
        self.stacks.push(records)
        self.stacks.raise_top(len(records))
        self.write(code.Return(code.tuple_of([*self.results_of(end), *STACKS])))

    def _recorded(self) -> list[Term]:
        """Returns the variables that the reverse sweep takes back from the stack of numbers."""
        return [*variables_of(self._records), *map(_room_of, self._arrays)]

    def augmented(self) -> Derivative:
        """Returns ``(*arguments, owner, *stacks) -> (*results, *stacks)``."""
        check_aliased_stores(self.function, self.flow, is_reverse=True)
        self._check_code_range()
        self.blocks = {}
        for block in self.flow.blocks:
            self.begin_block(block.number)
            self._write_forward_block(block)
        parameters = [part.term for part in parts_of(self.function)]
        prologue = [*self.initial_records(), *[code.assign(_room_of(root), 0) for root in self._arrays]]
        results = [*leaf_types_of(self.function.result), *[types.int64 for _ in STACKS]]
        name = f"augmented_{self.function.name}"
        return self.result(name, [*parameters, OWNER, *STACKS], prologue, results=results)

    def reverse(self) -> Derivative:
        """Returns ``(*cotangents of results, *frozen arrays, *cotangents of arrays, *stacks) -> (*cotangents of numbers, *tops)``."""
        self.blocks = {}
        end = 2 * len(self.flow.blocks)
        for block in self.flow.blocks:
            if block.successors or block.returns:
                self.begin_block(len(self.flow.blocks) + block.number)
                self._reverse_sweep(block)
        self.write_loop_exits()
        parts = [part for part in parts_of(self.function) if part.position in self.positions]
        cotangents = [cotangent(part) if part in self.activity else zero(part.type) for part in scalars_among(parts)]
        self.begin_block(end)
        self.write(code.Return(code.tuple_of([*cotangents, *TOPS])))
        leaf_types = enumerate(leaf_types_of(self.function.result))
        results = [code.Variable(f"c_{number}", type) for number, type in leaf_types if is_float_type(type)]
        arrays = [cotangent(root) for part in parts for root in part.roots]
        parameters = [*results, *map(code.Variable, self._frozen_names), *arrays, *STACKS_OF_REVERSE]
        (start,) = [block for block in self.flow.blocks if block.returns]
        prologue = self._prologue_of_reverse()
        result_types = [*[part.type for part in scalars_among(parts)], *[types.int64 for _ in TOPS]]
        first = len(self.flow.blocks) + start.number
        return self.result(f"reverse_{self.function.name}", parameters, prologue, first, result_types)

    def _prologue_of_reverse(self) -> list[code.Statement]:
        """Returns the statements that take back the records, and give numbers and cotangents their first values."""
        prologue: list[code.Statement] = []
        with self.within(prologue):
            recorded = self._recorded()
            self.stacks.lower_top(len(recorded))
            for offset, variable in enumerate(recorded):
                assert isinstance(variable, code.Variable)
                assert variable.type is not None
                self.write(code.assign(variable, self.stacks.popped(variable.type, position(offset))))
            for counter in self.function.counters:
                if counter not in self._records:
                    self.write(code.assign(code.integer(counter.name), 0))
            for scalar in sorted(self.residuals.read_before, key=lambda item: item.name):
                self.write(code.assign(scalar.term, zero(scalar.type)))
            for size, value in self._sizes.items():
                if size in self.residuals.kept:
                    self.write(code.assign(size.term, value))
            self.write(*self.initial_row_sizes(), *self.initial_cotangents())
            for root in self.function.roots:
                if root in self._arrays or (root in self.activity and root.kind == "global"):
                    count = _room_of(root) if root in self._arrays else code.size(root.term)
                    self.write(code.assign(cotangent(root), self.zeros(root, count)))
        return prologue


def _room_of(root: Root) -> code.Variable:
    """Returns the variable of the size that the cotangent of an array gets."""
    return code.integer(f"n_{root.name}")


def tangents_of(
    lowering: Lowering, flow: ControlFlow, positions: tuple[int, ...], is_callee: bool = False, width: int = 1
) -> Function:
    """Returns the function that computes the results of a lowered function and their tangents, to be differentiated again."""
    return Tangents(lowering.result, flow, positions, TangentNumbers(lowering), is_callee, width).function


def _lower(callee: Callee) -> tuple[Function, ControlFlow]:
    """Returns a callee in the intermediate representation, its parts numbered one by one."""
    if isinstance(callee.function, Outlined):
        return callee.function.lowered, ControlFlow(callee.function.lowered)
    is_tangent = isinstance(callee.function, TangentOf)
    inner = callee.function.callee if is_tangent else callee
    lowering = lowering_of(inner.function, inner.types, Options.of(inner.function))
    lowered = lowering.result
    _simplify_and_number(lowered)
    if is_tangent:
        lowered = tangents_of(lowering, ControlFlow(lowered), callee.function.active, is_callee=True)
        _simplify_and_number(lowered)
    return lowered, ControlFlow(lowered)


def _simplify_and_number(lowered: Function) -> None:
    simplify(lowered)
    for number, part in enumerate(parts_of(lowered)):
        part.position = number


@functools.lru_cache(maxsize=64)
def _split_derivatives(callee: Callee, frozen: tuple[int, ...]) -> dict[str, Derivative]:
    mode = SplitMode(*_lower(callee), frozen, callee.active)
    return {"augmented": mode.augmented(), "reverse": mode.reverse()}


def _derivative_of_parallel_loop(call: DerivedCall) -> Derivative:
    """Returns a derivative of a parallel loop: it runs that of ``ParallelLoop.chunk`` for all chunks."""
    callee = call.callee
    chunk = call._replace(callee=callee._replace(function=callee.function.chunk))
    name = f"{call.form}_{callee.function.__name__}"
    write = {"augmented": _parallel_augmented, "reverse": _parallel_reverse, "tangent": _parallel_tangent}[call.form]
    of_chunk, of_loop = write(call, name)
    calls = {"run_chunk": chunk}
    if call.form == "reverse":
        calls["run_chunk_again"] = chunk._replace(form="augmented")
    return Derivative(of_loop, {"np": np, **CHUNKS}, calls, {"chunk": of_chunk})


def _variables(letter: str, numbers: Iterable[int]) -> list[code.Variable]:
    return [code.Variable(f"{letter}{number}") for number in numbers]


_NUMBER, _CHUNKS, _FIRST = code.integer("number"), code.integer("chunks"), code.integer("first")
_TABLE = code.Variable("stacks")
_ACQUIRE = [code.assign(code.integer(name), acquired(name)) for name in ALL_STACKS]
_RELEASE = [released(name) for name in ALL_STACKS]
_EMPTY_STACKS = (VALUES, 0, capacity(VALUES), CODES, 0, capacity(CODES), code.integer("arrays"), 0)
_NEW_OWNER = code.assign(OWNER, code.call("new_owner"))


def _run(name: str, arguments: Sequence[Any], results: Sequence[Term]) -> code.Statement:
    """Returns the statement that runs a chunk."""
    called = code.call(name, *arguments)
    return code.assign(code.tuple_of(results), called) if results else code.Evaluate(called)


def _run_all(count: Term, arguments: Sequence[Term], table: Any) -> code.Statement:
    """Returns the statement that runs all chunks."""
    return code.Evaluate(code.call("run_chunks", code.Global("chunk"), count, code.tuple_of(arguments), table))


def _parallel_augmented(call: DerivedCall, name: str) -> tuple[Code, Code]:
    arguments = _variables("a", range(len(call.callee.types)))
    count = arguments[1]
    limit = checkpoint_byte_limit() // 2 // MAX_CHUNKS
    tops = [code.assign(variable, 0) for variable in STACKS_OF_REVERSE]
    drop = code.If(limit < 8 * (VALUES_TOP + ARRAYS_TOP) + CODES_TOP, [*_RELEASE, *tops])
    is_kept = not call.callee.function.rerun_argument_numbers(call.arguments)
    rows = [
        [code.subscript(_TABLE, [row, as_term(place)]) for place in range(len(STACKS_OF_REVERSE))]
        for row in (_NUMBER, count)
    ]
    of_chunk = [
        _NEW_OWNER,
        *_ACQUIRE,
        _run("run_chunk", [*arguments, _NUMBER, OWNER, *_EMPTY_STACKS], STACKS),
        *([] if is_kept else [drop]),
        *map(code.assign, rows[0], STACKS_OF_REVERSE),
    ]
    of_loop = [
        code.assign(_TABLE, code.call("new_stacks", count)),
        _run_all(count, [_TABLE, *arguments], _TABLE),
        *map(code.assign, rows[1], STACKS_OF_REVERSE),
        code.Evaluate(code.call("join_stacks", OWNER, _TABLE, count)),
        *map(code.assign, STACKS_OF_REVERSE, rows[1]),
        code.assign(VALUES_ROOM, capacity(VALUES)),
        code.assign(CODES_ROOM, capacity(CODES)),
        code.Return(code.tuple_of(STACKS)),
    ]
    return (
        Code("chunk", [_NUMBER, _TABLE, *arguments], of_chunk),
        Code(name, [*arguments, OWNER, *STACKS], of_loop),
    )


def _parallel_reverse(call: DerivedCall, name: str) -> tuple[Code, Code]:
    callee = call.callee
    loop = callee.function
    arrays = [place for place in callee.active if isinstance(callee.types[place], types.Array)]
    numbers = [place for place in callee.active if place not in arrays]
    shared = [place for place in arrays if place in loop.shared]
    known = loop.rerun_argument_numbers(call.arguments)
    scratch = sorted(loop.partials) if known else []
    frozen, cotangents, sums = _variables("a", call.arguments), _variables("d", arrays), _variables("e", numbers)
    given = [*_variables("a", known), *frozen, *cotangents]
    stacks = [code.integer(stack) for stack in ALL_STACKS]
    passed = [_FIRST, _CHUNKS, *stacks, *given, *_variables("a", scratch), *_variables("s", shared), *sums]
    own = [
        code.call("copy_for_chunk", code.Variable(f"s{place}"), _NUMBER, code.Variable(f"d{place}"))
        if place in shared
        else code.Variable(f"d{place}")
        for place in arrays
    ]

    def popped(place: Term) -> Term:
        return code.call("pop_int64", VALUES, place)

    is_again = code.Variable("is_again", types.boolean)
    before = SELECT(_NUMBER > 0, _NUMBER - 1, _CHUNKS)
    again = [
        code.assign(is_again, popped(_FIRST + 3 * before) == VALUES_TOP),
        _NEW_OWNER,
        code.If(
            is_again,
            [
                *_ACQUIRE,
                _run(
                    "run_chunk_again",
                    [*_variables("a", range(len(callee.types))), _NUMBER, OWNER, *_EMPTY_STACKS],
                    STACKS,
                ),
            ],
        ),
    ]
    unused = [code.integer(f"unused_{number}") for number in range(3)]
    of_chunk = [
        *[code.assign(top, popped(_FIRST + 3 * _NUMBER + place)) for place, top in enumerate(TOPS)],
        *(again if known else []),
        _run("run_chunk", [*frozen, *own, *STACKS_OF_REVERSE], [*_variables("t", numbers), *unused]),
        *([code.If(is_again, [*_RELEASE])] if known else []),
        *[
            code.assign(code.subscript(total, [_NUMBER]), part)
            for total, part in zip(sums, _variables("t", numbers), strict=True)
        ],
    ]
    of_loop = [
        code.assign(_CHUNKS, popped(VALUES_TOP - 1)),
        code.assign(_FIRST, VALUES_TOP - 4 - 3 * _CHUNKS),
        *[code.assign(*_zeros(f"a{place}", callee.types[place].dtype)) for place in scratch],
        *[
            code.assign(code.Variable(f"s{place}"), code.call("copies_for_chunks", code.Variable(f"d{place}"), _CHUNKS))
            for place in shared
        ],
        *[code.assign(*_zeros(f"e{place}", callee.types[place])) for place in numbers],
        _run_all(_CHUNKS, passed, None),
        *[
            code.Evaluate(code.call("add_copies", code.Variable(f"d{place}"), code.Variable(f"s{place}"), _CHUNKS))
            for place in shared
        ],
        code.Return(
            code.tuple_of(
                [
                    *[code.call("sum_in_order", total) for total in sums],
                    *[popped(VALUES_TOP - place) for place in (4, 3, 2)],
                ]
            )
        ),
    ]
    return Code("chunk", [_NUMBER, *passed], of_chunk), Code(name, [*given, *STACKS_OF_REVERSE], of_loop)


def _zeros(name: str, type: types.Type) -> tuple[code.Variable, Term]:
    """Returns a variable, and zeros for each chunk."""
    return code.Variable(name), code.call("np.zeros", _CHUNKS, code.Global(f"np.{type}"))


def _parallel_tangent(call: DerivedCall, name: str) -> tuple[Code, Code]:
    arguments = _variables("a", range(len(call.callee.types)))
    tangents = _variables("d", call.arguments)
    given = [*arguments, *tangents]
    of_chunk = [_run("run_chunk", [*arguments, _NUMBER, *tangents], [])]
    return Code("chunk", [_NUMBER, *given], of_chunk), Code(name, given, [_run_all(arguments[1], given, None)])


def derivative_of(call: DerivedCall) -> Derivative:
    """Returns what a derivative calls."""
    if isinstance(call.callee.function, ParallelLoop):
        return _derivative_of_parallel_loop(call)
    if call.form == "tangent":
        return ForwardMode(*_lower(call.callee), call.arguments, is_callee=True).derivative()
    return _split_derivatives(call.callee, call.arguments)[call.form]


def _dispatcher_of(call: DerivedCall) -> Any:
    """Returns the dispatcher of what a derivative calls. It may call itself."""
    with global_compiler_lock:
        if call not in _dispatchers:
            known = {*_dispatchers}
            try:
                function_to_compile(derivative_of(call), call.form, call)
            except BaseException:
                for other in {*_dispatchers} - known:
                    del _dispatchers[other]
                raise
        return _dispatchers[call]


def function_to_compile(derivative: Derivative, what: str, call: DerivedCall | None = None) -> FunctionType:
    """Returns the function of a derivative, for Numba to compile; the one of a ``call`` gets a dispatcher."""
    scope = {**COMPILED, **derivative.scope}
    function = function_of_code(derivative.code, what, scope)
    inner = {name: function_of_code(part, what, scope) for name, part in derivative.functions.items()}
    if call is not None:
        _dispatchers[call] = CPUDispatcher(
            function, targetoptions=OPTIONS, pipeline_class=linked_compiler_class(DirectJumpCompiler)
        )
    called = {name: _dispatcher_of(other) for name, other in derivative.calls.items()}
    for part in inner.values():
        part.__globals__.update(called)
    function.__globals__.update(called)
    function.__globals__.update({name: compile_chunk(part) for name, part in inner.items()})
    return function
