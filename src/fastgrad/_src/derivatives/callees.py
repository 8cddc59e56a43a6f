"""Derivatives of functions that are called, not inlined: recursive functions, and chunks of parallel loops.

Reverse mode of such a function is two functions. The augmented function computes the results and pushes its records on the stacks of its caller. The
reverse function pops these records. It adds to the cotangents of arrays in place, and returns the cotangents of numbers. So a call costs as much as
an inlined call, at any depth.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from types import FunctionType
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.aliases import check_aliased_stores
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.frontend.lowering import Lowering, lowering_of
from fastgrad._src.derivatives.frontend.tangent_numbers import TangentNumbers
from fastgrad._src.derivatives.functions.numba_types import is_float_type
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.ir.call_rules import Callee, TangentOf
from fastgrad._src.derivatives.ir.operands import Root, Scalar, leaf_types_of, scalars_among, zero
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Return, Size
from fastgrad._src.derivatives.ir.values import parts_of
from fastgrad._src.derivatives.runtime.chunks import COMPILED as CHUNKS
from fastgrad._src.derivatives.runtime.chunks import INTERPRETED as INTERPRETED_CHUNKS
from fastgrad._src.derivatives.runtime.chunks import MAX_CHUNKS
from fastgrad._src.derivatives.runtime.compilation import OPTIONS
from fastgrad._src.derivatives.runtime.inferred_callees import linked_compiler_class
from fastgrad._src.derivatives.runtime.jumps import BLOCK_VARIABLE, DirectJumpCompiler
from fastgrad._src.derivatives.runtime.tape_memory import ALL_STACKS, COMPILED, INTERPRETED
from fastgrad._src.derivatives.transform.checkpoints import checkpoint_byte_limit
from fastgrad._src.derivatives.transform.emission import Derivative, DerivedCall
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode
from fastgrad._src.derivatives.transform.parallel_loops import Outlined, ParallelLoop
from fastgrad._src.derivatives.transform.record_stacks import STACKS, STACKS_OF_REVERSE, TOPS
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from fastgrad._src.derivatives.transform.simplification import simplify
from fastgrad._src.derivatives.transform.tangents import Tangents
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import CPUDispatcher, global_compiler_lock

_ACQUIRE = "values, codes, arrays = acquire(owner, 0, 8), acquire(owner, 1, 1), acquire(owner, 2, 8)"
_EMPTY_STACKS = "values, 0, capacity(values), codes, 0, capacity(codes), arrays, 0"
_RELEASE = ("release(0, values, 8)", "release(1, codes, 1)", "release(2, arrays, 8)")
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
        """Returns the sizes of the arrays that the reverse sweep takes."""
        self._sizes: dict[Any, str] = {}
        for block in self.flow.blocks:
            for statement in block.statements:
                if isinstance(statement, Size) and statement.root.kind == "parameter":
                    name = statement.root.name
                    is_shaped = statement.root.is_real and (
                        not self.arrays.is_flat(statement.root) or statement.root.type.ndim == 1
                    )
                    if is_shaped or name in self._frozen_names:
                        array = f"d_{name}" if is_shaped else name
                        self._sizes[statement.target] = f"{array}.shape[{statement.axis}]"
        return {*self._sizes}

    def make_cotangent(self, root: Root) -> None:
        """Writes the size that the reverse sweep gives the cotangent of an array."""
        self.grow_buffer(root, " * ".join(self.operand(size) for size in root.dims) or "1")

    def grow_buffer(self, root: Root, count: str) -> None:
        """Writes the size that the reverse sweep gives the buffer of a cotangent."""
        self.write(f"n_{root.name} = max(n_{root.name}, {count})")

    def write_return(self, block: Block, end: Return) -> None:
        """Writes the records of what the reverse sweep needs, and the results."""
        sizes = [f"n_{root.name}" for root in self._arrays]
        names = [*[item.name for item in self._records], *sizes]
        self.stacks.write_number_room_test(len(names))
        self.stacks.push(names)
        self.stacks.raise_top(len(names))
        leaf_types = leaf_types_of(self.function.result)
        results = [self.result_of(value, type) for value, type in zip(end.values, leaf_types, strict=True)]
        self.write(f"return {''.join(text + ', ' for text in results)}{STACKS}")

    def augmented(self) -> Derivative:
        """Returns the text of ``(*arguments, owner, *stacks) -> (*results, *stacks)``."""
        check_aliased_stores(self.function, self.flow, is_reverse=True)
        self._check_code_range()
        self.lines = []
        for block in self.flow.blocks:
            self.begin_block(block.number)
            self._write_forward_block(block)
        names = [part.name for part in parts_of(self.function)]
        head = [*self.initial_records(), *[f"n_{root.name} = 0" for root in self._arrays]]
        body = [*head, f"{BLOCK_VARIABLE} = 0", "while True:"]
        return self.result(f"augmented_{self.function.name}", [*names, "owner", STACKS], body)

    def reverse(self) -> Derivative:
        """Returns the text of ``(*cotangents of results, *frozen arrays, *cotangents of arrays, *stacks) -> (*cotangents of numbers, *tops)``."""
        self.lines = []
        end = 2 * len(self.flow.blocks)
        for block in self.flow.blocks:
            if block.successors or block.returns:
                self.begin_block(len(self.flow.blocks) + block.number)
                self._reverse_sweep(block)
        self.write_loop_exits()
        parts = [part for part in parts_of(self.function) if part.position in self.positions]
        cotangents = [f"d_{part.name}" if part in self.activity else zero(part.type) for part in scalars_among(parts)]
        self.begin_block(end)
        self.write(f"return {''.join(text + ', ' for text in cotangents)}{TOPS}")
        results = [
            f"c_{number}" for number, type in enumerate(leaf_types_of(self.function.result)) if is_float_type(type)
        ]
        arrays = [f"d_{root.name}" for part in parts for root in part.roots]
        parameters = [*results, *self._frozen_names, *arrays, STACKS_OF_REVERSE]
        (start,) = [block for block in self.flow.blocks if block.returns]
        body = [
            *self._initial_lines(),
            f"{BLOCK_VARIABLE} = {len(self.flow.blocks) + start.number}",
            "while True:",
        ]
        return self.result(f"reverse_{self.function.name}", parameters, body)

    def _initial_lines(self) -> list[str]:
        """Returns the lines that take back the records, and give numbers and cotangents their first values."""
        lines, self.lines = self.lines, []
        names = [*[item.name for item in self._records], *[f"n_{root.name}" for root in self._arrays]]
        self.stacks.lower_top(len(names), 1)
        record_types = [item.type if isinstance(item, Scalar) else types.int64 for item in self._records]
        record_types += [types.int64] * len(self._arrays)
        for offset, (name, type) in enumerate(zip(names, record_types, strict=True)):
            self.write(f"{name} = pop_{type}(values, values_top + {offset})", 1)
        for counter in self.function.counters:
            if counter not in self._records:
                self.write(f"{counter.name} = 0", 1)
        for scalar in sorted(self.residuals.read_before, key=lambda item: item.name):
            self.write(f"{scalar.name} = {zero(scalar.type)}", 1)
        for size, text in self._sizes.items():
            if size in self.residuals.kept:
                self.write(f"{size.name} = {text}", 1)
        for line in [*self.row_size_lines(), *self.initial_cotangents()]:
            self.write(line, 1)
        for root in self.function.roots:
            if root in self._arrays or (root in self.activity and root.kind == "global"):
                count = f"n_{root.name}" if root in self._arrays else f"{root.name}.size"
                self.write(f"d_{root.name} = np.zeros({count}, {self.dtype(root.type.dtype)})", 1)
        first_lines, self.lines = [line[4:] for line in self.lines], lines
        return first_lines


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


def _text_of_parallel_loop(call: DerivedCall) -> Derivative:
    """Returns the text of a derivative of a parallel loop: it runs that of ``ParallelLoop.chunk`` for all chunks."""
    callee = call.callee
    chunk = call._replace(callee=callee._replace(function=callee.function.chunk))
    name = f"{call.form}_{callee.function.__name__}"
    write = {"augmented": _parallel_augmented, "reverse": _parallel_reverse, "tangent": _parallel_tangent}[call.form]
    source = "\n".join(line.replace("NAME", name) for line in write(call)) + "\n"
    calls = {"run_chunk": chunk}
    if call.form == "reverse":
        calls["run_chunk_again"] = chunk._replace(form="augmented")
    return Derivative(name, source, {"np": np, **CHUNKS}, calls)


def _names(letter: str, numbers: Iterable[int]) -> list[str]:
    return [f"{letter}{number}" for number in numbers]


def _parallel_augmented(call: DerivedCall) -> list[str]:
    arguments = ", ".join(_names("a", range(len(call.callee.types))))
    limit = checkpoint_byte_limit() // 2 // MAX_CHUNKS
    drop = [f"    if 8 * (values_top + arrays_top) + codes_top > {limit}:", *[f"        {line}" for line in _RELEASE]]
    drop.append("        values = values_top = codes = codes_top = arrays = arrays_top = 0")
    is_kept = not call.callee.function.rerun_argument_numbers(call.arguments)
    tops = STACKS_OF_REVERSE.split(", ")
    return [
        "@compiled",
        f"def chunk(number, stacks, {arguments}):",
        "    owner = new_owner()",
        f"    {_ACQUIRE}",
        f"    {STACKS} = run_chunk({arguments}, number, owner, {_EMPTY_STACKS})",
        *([] if is_kept else drop),
        *[f"    stacks[number, {place}] = {top}" for place, top in enumerate(tops)],
        f"def NAME({arguments}, owner, {STACKS}):",
        "    stacks = new_stacks(a1)",
        f"    run_chunks(chunk, a1, (stacks, {arguments}), stacks)",
        *[f"    stacks[a1, {place}] = {top}" for place, top in enumerate(tops)],
        "    join_stacks(owner, stacks, a1)",
        *[f"    {top} = stacks[a1, {place}]" for place, top in enumerate(tops)],
        "    values_room, codes_room = capacity(values), capacity(codes)",
        f"    return {STACKS}",
    ]


def _parallel_reverse(call: DerivedCall) -> list[str]:
    callee = call.callee
    loop = callee.function
    arrays = [place for place in callee.active if isinstance(callee.types[place], types.Array)]
    numbers = [place for place in callee.active if place not in arrays]
    shared = [place for place in arrays if place in loop.shared]
    known = loop.rerun_argument_numbers(call.arguments)
    scratch = sorted(loop.partials) if known else []
    frozen, cotangents, sums = _names("a", call.arguments), _names("d", arrays), _names("e", numbers)
    given = [*_names("a", known), *frozen, *cotangents]
    passed = ", ".join(["first", "chunks", *ALL_STACKS, *given, *_names("a", scratch), *_names("s", shared), *sums])
    own = [f"copy_for_chunk(s{place}, number, d{place})" if place in shared else f"d{place}" for place in arrays]
    targets = ", ".join([*_names("t", numbers), "_", "_", "_"])
    starts = [f"pop_int64(values, values_top - {place})" for place in (4, 3, 2)]
    again = [
        "    is_again = values_top == pop_int64(values, first + 3 * (number - 1 if number > 0 else chunks))",
        "    owner = new_owner()",
        "    if is_again:",
        f"        {_ACQUIRE}",
        f"        {STACKS} = run_chunk_again({', '.join([*_names('a', range(len(callee.types))), 'number'])}, owner, {_EMPTY_STACKS})",
    ]
    return [
        "@compiled",
        f"def chunk(number, {passed}):",
        *[f"    {top} = pop_int64(values, first + 3 * number + {place})" for place, top in enumerate(TOPS.split(", "))],
        *(again if known else []),
        f"    {targets} = run_chunk({', '.join([*frozen, *own, STACKS_OF_REVERSE])})",
        *(["    if is_again:", *[f"        {line}" for line in _RELEASE]] if known else []),
        *[f"    e{place}[number] = t{place}" for place in numbers],
        f"def NAME({', '.join([*given, STACKS_OF_REVERSE])}):",
        "    chunks = pop_int64(values, values_top - 1)",
        "    first = values_top - 4 - 3 * chunks",
        *[f"    a{place} = np.zeros(chunks, np.{callee.types[place].dtype})" for place in scratch],
        *[f"    s{place} = copies_for_chunks(d{place}, chunks)" for place in shared],
        *[f"    e{place} = np.zeros(chunks, np.{callee.types[place]})" for place in numbers],
        f"    run_chunks(chunk, chunks, ({passed}), None)",
        *[f"    add_copies(d{place}, s{place}, chunks)" for place in shared],
        f"    return {', '.join([*[f'sum_in_order({name})' for name in sums], *starts])}",
    ]


def _parallel_tangent(call: DerivedCall) -> list[str]:
    arguments = _names("a", range(len(call.callee.types)))
    tangents = _names("d", call.arguments)
    given = ", ".join([*arguments, *tangents])
    return [
        "@compiled",
        f"def chunk(number, {given}):",
        f"    run_chunk({', '.join([*arguments, 'number', *tangents])})",
        f"def NAME({given}):",
        f"    run_chunks(chunk, a1, ({given}), None)",
    ]


def text_of(call: DerivedCall) -> Derivative:
    """Returns the text of what a derivative calls."""
    if isinstance(call.callee.function, ParallelLoop):
        return _text_of_parallel_loop(call)
    if call.form == "tangent":
        return ForwardMode(*_lower(call.callee), call.arguments, is_callee=True).derivative()
    return _split_derivatives(call.callee, call.arguments)[call.form]


def _dispatcher_of(call: DerivedCall) -> Any:
    """Returns the dispatcher of what a text calls. Its own text may call it again."""
    with global_compiler_lock:
        if call not in _dispatchers:
            known = {*_dispatchers}
            try:
                _function_of(text_of(call), call.form, call)
            except BaseException:
                for other in {*_dispatchers} - known:
                    del _dispatchers[other]
                raise
        return _dispatchers[call]


def interpreted_scope() -> dict[str, Any]:
    """Returns what derivatives call, by name, where they run as Python."""
    return {**INTERPRETED, **INTERPRETED_CHUNKS}


def _function_of(derivative: Derivative, what: str, call: DerivedCall | None) -> FunctionType:
    scope = {**COMPILED, **derivative.scope}
    function = generated_function(derivative.name, derivative.source, what, scope, derivative.user_lines)
    if call is not None:
        _dispatchers[call] = CPUDispatcher(
            function, targetoptions=OPTIONS, pipeline_class=linked_compiler_class(DirectJumpCompiler)
        )
    function.__globals__.update({name: _dispatcher_of(other) for name, other in derivative.calls.items()})
    return function


def compiled_text(derivative: Derivative, what: str) -> FunctionType:
    """Returns the function of a derivative's text, for Numba to compile."""
    return _function_of(derivative, what, None)
