"""Loops over tensors: ``for i in tf.range(n)`` and ``while x > 0`` become loops of the program, of any length.

The source of a recorded function is converted. The body of such a loop becomes a function for ``tf.while_loop``: its
parameters are the names that the body reads, its results are the names that the body changes. An ``if`` within it becomes a ``tf.cond``. The
choice is made at run time. A loop stays in Python in these cases:

- no tensor controls it;
- its body has other effects in Python (it changes attributes, items or lists, or has a ``return``);
- a name has no value before it;
- a function defined before the loop captures a name that the loop changes;
- values change their shape or dtype from iteration to iteration.

A loop that stays in Python is recorded once for each number of iterations.

One file, because the converter and the run-time choice refer to each other.
"""

from __future__ import annotations

import ast
import copy
import dis
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.function_source import (
    GENERATED_NAME_PREFIX,
    MOST_NESTED_LOOPS,
    LoopRewriter,
    NameScan,
    PartFunction,
    has_jump,
    new_objects,
    read_before_assigned,
    return_tuple,
    syntax_tree_of,
    unset,
)
from fastgrad._src.core import nest
from fastgrad._src.core.names import Namespace
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import control_flow_handler
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops.control_flow import cond, recorded_loop
from fastgrad._src.ops.creation import range as tensor_range
from fastgrad._src.ops.creation import range_operands
from fastgrad._src.ops.tensor_array import TensorArray

_NUMERIC_TYPES = (bool, int, float, np.generic, np.ndarray, Tensor)
_SIDE_EFFECT_FREE_NODES = (
    ast.Name
    | ast.Constant
    | ast.Compare
    | ast.BoolOp
    | ast.UnaryOp
    | ast.BinOp
    | ast.Attribute
    | ast.Subscript
    | ast.Tuple
)


def with_program_loops(function: Any) -> Any:
    """Returns the function with loops that a program can run; the function itself if it has none, or no source."""
    converter = _converter_of(function)
    if converter is None:
        return function
    return converter.rewritten_function({**_RUNTIME_FUNCTIONS, **converter.calls})


def converted_text(function: FunctionType) -> str:
    """Returns the source of ``with_program_loops(function)``.

    Raises:
        OSError: the source of the function is not there.
    """
    converter = _converter_of(function)
    return textwrap.dedent(inspect.getsource(function)) if converter is None else converter.text()


def keep_python_loops(function: Any) -> Any:
    """Marks a function whose loops stay in Python, and returns it."""
    vars(function)["keeps_python_loops"] = True
    return function


def set_loop_options(
    parallel_iterations: Any = None,
    swap_memory: Any = None,
    maximum_iterations: Any = None,
    shape_invariants: Any = None,
) -> None:
    """Sets options of the loop around the call, if it runs as a loop of a program.

    Args:
        parallel_iterations, swap_memory, shape_invariants: kept for TensorFlow's signature. A loop whose variables change their shapes stays
            in Python.
        maximum_iterations: the most iterations.

    Raises:
        NotImplementedError: ``maximum_iterations`` of a loop that stays in Python while ``tf.function`` records.
    """
    if maximum_iterations is not None and control_flow_handler() is not None:
        raise NotImplementedError(
            "set_loop_options: maximum_iterations is for loops of a program, and this loop stays in Python. Use tf.while_loop, or count the iterations."
        )


def _converter_of(function: Any) -> _Converter | None:
    """Returns the converter of a function with converted loops; None if it has none, or no source."""
    if type(function) is not FunctionType or not _has_loop(function.__code__) or "keeps_python_loops" in vars(function):
        return None
    definition = syntax_tree_of(function)
    if definition is None:
        return None
    converter = _Converter(definition, function)
    definition.body = converter.statements(definition.body, 0, False)
    return converter if converter.parts else None


@functools.lru_cache(maxsize=256)
def _has_loop(code: CodeType) -> bool:
    return any("JUMP" in i.opname and i.argval is not None and i.argval <= i.offset for i in dis.get_instructions(code))


# ---- at run time -------------------------------------------------------------------------------------------


def _varies_between_runs(value: Any) -> bool:
    tracer = control_flow_handler()
    return isinstance(value, Tensor) and tracer is not None and value._array.size == 1 and tracer.varies(value)


def _is_tensor_test(value: Any) -> bool:
    """True if a loop's test is a scalar tensor, so that a program can compute it in each iteration."""
    return isinstance(value, Tensor) and value._array.size == 1 and control_flow_handler() is not None


class _Range:
    """The arguments of a ``tf.range`` whose length the program computes."""

    def __init__(self, start: Tensor, limit: Tensor, delta: int) -> None:
        self.start, self.limit, self.delta = start, limit, delta

    def has_next_iteration(self, index: Tensor) -> Any:
        """Returns whether the range has this index, as a tensor."""
        return TABLE["less" if self.delta > 0 else "greater"](index, self.limit)


def _range_sequence(*args: Any, **kwargs: Any) -> Any:
    """Returns the sequence of a loop over ``tf.range(*args, **kwargs)``: a ``_Range`` if tensors decide its length."""
    if control_flow_handler() is None or not any(map(_varies_between_runs, [*args, *kwargs.values()])):
        return tensor_range(*args, **kwargs)
    start, limit, delta, dtype = range_operands(*args, **kwargs)
    if not dtype.is_integer or _varies_between_runs(delta) or not int(delta):
        return tensor_range(*args, **kwargs)
    start_tensor, limit_tensor = (
        TABLE["cast"](x, dtype=dtype.name) if x.dtype is not dtype else x for x in (start, limit)
    )
    return _Range(start_tensor, limit_tensor, int(delta))


def _limited_range(sequence: Any, limit: Any) -> Any:
    """Returns the sequence of a loop with a limit on its iterations, which holds in a program only."""
    if control_flow_handler() is None:
        return sequence
    if not isinstance(sequence, _Range):
        return sequence[:limit]
    end = sequence.start + TABLE["cast"](convert_to_tensor(limit), dtype=sequence.start.dtype.name) * sequence.delta
    nearer = TABLE["minimum" if sequence.delta > 0 else "maximum"](sequence.limit, end)
    return _Range(sequence.start, nearer, sequence.delta)


def _range_elements(sequence: Any) -> Any:
    if not isinstance(sequence, _Range):
        return sequence
    return tensor_range(sequence.start, sequence.limit, sequence.delta, sequence.start.dtype)


def _logical_and(left: Any, right: Callable[[], Any]) -> Any:
    """Returns ``left and right()``."""
    return cond(left, right, lambda: left) if _is_tensor_test(left) else left and right()


def _logical_or(left: Any, right: Callable[[], Any]) -> Any:
    """Returns ``left or right()``."""
    return cond(left, lambda: left, right) if _is_tensor_test(left) else left or right()


def _logical_not(value: Any) -> Any:
    """Returns ``not value``."""
    return TABLE["logical_not"](value) if _is_tensor_test(value) and value.dtype.is_bool else not value


_RUNTIME_FUNCTIONS = {
    f"{GENERATED_NAME_PREFIX}{function.__name__.strip('_')}": function
    for function in (_range_sequence, _limited_range, _range_elements, _logical_and, _logical_or, _logical_not)
}


def _are_numbers(values: Any) -> bool:
    """True if all leaves of ``values`` are numbers, tensors or arrays, not variables, which assignments change."""
    return all(isinstance(leaf, (*_NUMERIC_TYPES, TensorArray)) for leaf in nest.flatten(values))


def _carried_tensors(scope: dict[str, Any], body: PartFunction) -> dict[str, Any] | None:
    """Returns the variables of a loop as tensors; None if one is not a number, has no value, or changes in place."""
    values = {name: scope.get(name, unset) for name in body.results}
    if body.may_change_in_place(scope) or not _are_numbers(values):
        return None
    return dict(
        nest.map_structure(lambda leaf: leaf if isinstance(leaf, TensorArray) else convert_to_tensor(leaf), values)
    )


def _run_numeric_part(part: PartFunction, scope: dict[str, Any]) -> Any:
    """Returns the results of a part of a loop, which must be numbers.

    Raises:
        TypeError: a result is not a number.
    """
    values = part(scope)
    if not _are_numbers(values):
        raise TypeError("a loop of a program carries numbers")
    return values


class _Loop:
    """A converted loop: runs as a loop of the program, if possible.

    Args:
        body: returns whether the loop ends, if ``ends``, and its results.
        ends: whether the body has a ``break``.
        target: the name that a ``for`` loop assigns.
        test: of a ``while`` loop; returns its value only.
        limit: returns the most iterations of a ``while`` loop; None without a limit.
    """

    def __init__(
        self, body: PartFunction, ends: bool, target: str | None, test: PartFunction | None, limit: PartFunction | None
    ) -> None:
        self._body, self._ends, self._target, self._test, self._limit = body, ends, target, test, limit

    def __call__(self, scope: dict[str, Any], over: Any = None) -> tuple[Any, ...] | None:
        """Runs the loop in the program; returns the final values of its results, None if Python must run it."""
        if control_flow_handler() is None or (self._test is None and not isinstance(over, _Range)):
            return None
        test = self._test
        if test is not None and (any(name not in scope for name in test.names) or not _is_tensor_test(test(scope))):
            return None
        carried = _carried_tensors(scope, self._body)
        if carried is None:
            return None
        variables: list[Any] = [carried]
        if self._ends:
            variables.append(constant_tensor(np.array(False)))
        if self._target is not None:
            variables.append(over.start)

        def has_next_iteration(now: dict[str, Any], *rest: Any) -> Any:
            def test_result() -> Any:
                return over.has_next_iteration(rest[-1]) if test is None else test({**scope, **now})

            return cond(rest[0], lambda: constant_tensor(np.array(False)), test_result) if self._ends else test_result()

        def run_iteration(now: dict[str, Any], *rest: Any) -> list[Any]:
            local_values = {**scope, **now} | ({} if self._target is None else {self._target: rest[-1]})
            outcome = _run_numeric_part(self._body, local_values)
            next_values: list[Any] = [dict(zip(self._body.results, outcome[-len(now) :] if now else (), strict=True))]
            next_values += [outcome[0]] if self._ends else []
            return next_values + ([] if self._target is None else [rest[-1] + over.delta])

        limit = None if self._limit is None else convert_to_tensor(self._limit(scope))
        outcome = recorded_loop(has_next_iteration, run_iteration, variables, limit)
        return None if outcome is None else tuple([outcome[0][name] for name in self._body.results])


class _Branch:
    """A converted ``if`` within a loop: runs as branches of the program, if possible.

    Args:
        true, false: the branches; both return the values of the same names.
    """

    def __init__(self, true: PartFunction, false: PartFunction) -> None:
        self._true, self._false = true, false

    def __call__(self, scope: dict[str, Any], test: Any) -> tuple[Any, ...] | None:
        """Returns the values of the changed names; None if Python must choose by ``test``."""
        if not _varies_between_runs(test):
            return None
        is_recorded, values = control_flow_handler().branch(
            test, (lambda: _run_numeric_part(self._false, scope), lambda: _run_numeric_part(self._true, scope))
        )
        return tuple(values) if is_recorded else None


# ---- the source --------------------------------------------------------------------------------------------


class _Converter(LoopRewriter):
    """Adds calls of converted loops and branches to a function's syntax tree.

    Attributes:
        calls: the loops and branches, by the names by which the tree calls them.
    """

    part_title = "a part of a loop"

    def __init__(self, definition: ast.FunctionDef, function: FunctionType) -> None:
        super().__init__(definition, function)
        self._count = 0
        self.calls: dict[str, Any] = {}

    def statements(self, body: Sequence[ast.stmt], depth: int, inside_loop: bool) -> list[ast.stmt]:
        """Returns the statements with converted loops, and converted branches if they are ``inside_loop`` a loop."""
        result: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, (ast.For, ast.While)):
                result += self._convert_loop(statement, depth, inside_loop)
            elif isinstance(statement, ast.If) and inside_loop:
                result += self._convert_branch(statement, depth)
            else:
                result.append(self._convert_inner_statements(statement, depth, inside_loop))
        return result

    def _convert_inner_statements(self, statement: ast.stmt, depth: int, inside_loop: bool) -> ast.stmt:
        if isinstance(statement, (ast.If, ast.With, ast.For, ast.While)):
            statement = copy.copy(statement)
            for field in ("body", "orelse"):
                if getattr(statement, field, None):
                    setattr(statement, field, self.statements(getattr(statement, field), depth, inside_loop))
        return statement

    def _convert_loop(self, loop: ast.For | ast.While, depth: int, inside_loop: bool) -> list[ast.stmt]:
        maximum = self._maximum_iterations(loop)
        if maximum is not None and isinstance(loop, ast.For):  # Python's loop has the limit, too
            loop = self._without_options(loop)
        plain = self._convert_inner_statements(loop, depth + 1, False)
        if maximum is not None:
            loop = self._without_options(loop)
        scan = NameScan(loop.body)
        test = loop.test if isinstance(loop, ast.While) else None
        goes_by_tensors = self._is_range(loop) if isinstance(loop, ast.For) else self._is_pure(loop.test)
        if not goes_by_tensors or loop.orelse or depth >= MOST_NESTED_LOOPS:
            return [plain]
        if scan.compares_objects or self._has_outer_effects(scan, new_objects(loop.body), NameScan([loop])):
            return [plain]
        self._count += 1
        left, over = f"{GENERATED_NAME_PREFIX}left{self._count}", f"{GENERATED_NAME_PREFIX}over{self._count}"
        lowered = _without_jumps(loop.body, left if scan.ends else None)
        if lowered is None:
            return [plain]
        target = loop.target.id if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) else None
        loop_scan = NameScan([*loop.body, *([] if test is None else [test])])
        of_test = set() if test is None else set(NameScan([test]).loads)
        assigned = scan.stores if target is None else scan.stores | {target}
        needed = (read_before_assigned(loop.body) - {target}) | of_test | self._names_read_later(loop_scan)
        results = sorted(assigned & needed)
        flag_setup = [ast.parse(f"{left} = False").body[0]] if scan.ends else []
        body_statements = [*flag_setup, *self.statements(lowered, depth + 1, True)]
        names = {*assigned, *loop_scan.loads} & self._locals
        body = self._add_body(body_statements, names, results, [left] if scan.ends else [])
        tested = None
        if test is not None:
            converted_test = ast.Return(_TestConverter().visit(copy.deepcopy(test)))
            tested = self._add_part([converted_test], of_test & self._locals, (), frozenset())
        limit = None
        if maximum is not None and test is not None:
            limit = self._add_part(
                [ast.Return(maximum)], set(NameScan([maximum]).loads) & self._locals, (), frozenset()
            )
        replacement = _Loop(body, scan.ends, target, tested, limit)
        if not isinstance(loop, ast.For):
            return self._call_with_python_fallback(replacement, "", results, plain, loop)
        assert isinstance(plain, ast.For)
        assert isinstance(loop.iter, ast.Call)
        sequence: Any = ast.parse(f"{over} = {GENERATED_NAME_PREFIX}range_sequence()").body[0]
        sequence.value.args, sequence.value.keywords = loop.iter.args, loop.iter.keywords
        if maximum is not None:
            call = ast.parse(f"{GENERATED_NAME_PREFIX}limited_range()", mode="eval").body
            assert isinstance(call, ast.Call)
            call.args, sequence.value = [sequence.value, maximum], call
        plain.iter = ast.parse(f"{GENERATED_NAME_PREFIX}range_elements({over})", mode="eval").body
        return [
            *_with_line_numbers([sequence], loop),
            *self._call_with_python_fallback(replacement, over, results, plain, loop),
        ]

    def _convert_branch(self, branch: ast.If, depth: int) -> list[ast.stmt]:
        plain = self._convert_inner_statements(branch, depth, True)
        assert isinstance(plain, ast.If)
        plain.test = _TestConverter().visit(copy.deepcopy(branch.test))
        scan = NameScan([*branch.body, *branch.orelse])
        created = new_objects(branch.body) & new_objects(branch.orelse)
        jumps_out = has_jump([*branch.body, *branch.orelse])
        if jumps_out or scan.compares_objects or self._has_outer_effects(scan, created, scan):
            return [plain]
        needed = read_before_assigned(branch.body) | read_before_assigned(branch.orelse) | self._names_read_later(scan)
        generated = {name for name in scan.stores if name.startswith(GENERATED_NAME_PREFIX)}
        results = sorted(scan.stores & (needed | generated))
        names = {*scan.stores, *scan.loads} & (self._locals | generated)
        self._count += 1
        test = f"{GENERATED_NAME_PREFIX}test{self._count}"
        parts = [
            self._add_body(self.statements(body, depth, True), names, results, [])
            for body in (branch.body, branch.orelse)
        ]
        assignment = ast.Assign([ast.Name(test, ast.Store())], plain.test)
        plain.test = ast.Name(test, ast.Load())
        return [
            ast.copy_location(assignment, branch),
            *self._call_with_python_fallback(_Branch(*parts), test, results, plain, branch),
        ]

    def _add_body(
        self, body: Sequence[ast.stmt], names: Iterable[str], results: Sequence[str], first_results: Sequence[str]
    ) -> PartFunction:
        """Adds a function made of statements; it returns ``first_results``, then ``results``."""
        statements = [*copy.deepcopy(list(body)), return_tuple([*first_results, *results])]
        return self._add_part(statements, names, results, NameScan(body).extended)

    def _call_with_python_fallback(
        self, replacement: Any, operand: str, results: Sequence[str], plain: ast.stmt, line_source: ast.stmt
    ) -> list[ast.stmt]:
        """Returns a call of a converted loop or branch, which assigns ``results``; ``plain`` runs if the call returns None."""
        name, found = f"{GENERATED_NAME_PREFIX}call{len(self.calls)}", f"{GENERATED_NAME_PREFIX}found"
        self.calls[name] = replacement
        assignment = f"\nelse: {''.join(f'{result}, ' for result in results)}= {found}" if results else ""
        call, choice = ast.parse(f"{found} = {name}(locals(), {operand})\nif {found} is None: pass{assignment}").body
        assert isinstance(choice, ast.If)
        choice.body = [plain]
        return _with_line_numbers([call, choice], line_source)

    def _is_loop_options_call(self, statement: ast.stmt) -> bool:
        call = statement.value if isinstance(statement, ast.Expr) else None
        return isinstance(call, ast.Call) and self._lookup(call.func) is set_loop_options

    def _maximum_iterations(self, loop: ast.For | ast.While) -> ast.expr | None:
        """Returns the limit of iterations that a call of ``set_loop_options`` in the body sets; None without one."""
        calls = [statement.value for statement in loop.body if self._is_loop_options_call(statement)]  # type: ignore[attr-defined]
        limits = [x.value for call in calls for x in call.keywords if x.arg == "maximum_iterations"]
        return limits[-1] if limits else None

    def _without_options(self, loop: Any) -> Any:
        loop = copy.copy(loop)
        loop.body = [x for x in loop.body if not self._is_loop_options_call(x)] or [ast.copy_location(ast.Pass(), loop)]
        return loop

    def _is_range(self, loop: ast.For) -> bool:
        call = loop.iter
        if not isinstance(call, ast.Call) or not isinstance(loop.target, ast.Name):
            return False
        plain = not any(isinstance(x, ast.Starred) for x in call.args) and all(x.arg is not None for x in call.keywords)
        return plain and self._lookup(call.func) is tensor_range

    def _is_pure(self, test: ast.expr) -> bool:
        """True if an expression can be evaluated twice: it calls only functions of modules."""
        for node in ast.walk(test):
            if isinstance(node, ast.Call):
                if not isinstance(node.func, ast.Attribute) or not isinstance(
                    self._lookup(node.func.value), ModuleType
                ):
                    return False
            elif isinstance(node, ast.expr) and not isinstance(node, _SIDE_EFFECT_FREE_NODES):
                return False
        return True

    def _lookup(self, node: ast.expr) -> Any:
        """Returns the value of a dotted name that is not local; None if it is unknown."""
        if isinstance(node, ast.Attribute):
            holder = self._lookup(node.value)
            return getattr(holder, node.attr, None) if isinstance(holder, (ModuleType, Namespace)) else None
        if not isinstance(node, ast.Name) or node.id in self._locals:
            return None
        code, function = self._function.__code__, self._function
        if node.id in code.co_freevars:
            try:
                return (function.__closure__ or ())[code.co_freevars.index(node.id)].cell_contents
            except ValueError:
                return None
        return function.__globals__.get(node.id)


def _with_line_numbers(statements: list[ast.stmt], line_source: ast.stmt) -> list[ast.stmt]:
    """Returns the statements; generated nodes get the line number of another statement."""
    for statement in statements:
        for node in ast.walk(statement):
            if hasattr(node, "lineno") and node.lineno < line_source.lineno:
                ast.copy_location(node, line_source)
    return statements


def _without_jumps(statements: Sequence[ast.stmt], left_loop_name: str | None) -> list[ast.stmt] | None:
    """Removes ``break`` and ``continue`` from a loop's body: the statements after an ``if`` move into its branches.

    Args:
        statements: the body.
        left_loop_name: the name that holds whether the loop ends, if there is a ``break``.

    Returns:
        The body; None if a jump is not at the end of a branch.
    """
    result: list[ast.stmt] = []
    for position, statement in enumerate(statements):
        if isinstance(statement, ast.Continue):
            return result or [ast.copy_location(ast.Pass(), statement)]
        if isinstance(statement, ast.Break):
            return [*result, ast.copy_location(ast.parse(f"{left_loop_name} = True").body[0], statement)]
        if isinstance(statement, ast.If) and has_jump([statement]):
            following = list(statements[position + 1 :])
            branches = []
            for branch in (statement.body, statement.orelse):
                # A branch that jumps skips the rest; of nested branches, each one that does not jump gets a copy of it.
                lowered = _without_jumps([*branch, *following], left_loop_name)
                if lowered is None:
                    return None
                branches.append(lowered)
            return [
                *result,
                ast.copy_location(ast.If(statement.test, branches[0] or [ast.Pass()], branches[1]), statement),
            ]
        if has_jump([statement]):
            return None
        result.append(statement)
    return result


class _TestConverter(ast.NodeTransformer):
    """Replaces ``and``, ``or``, ``not`` and chained comparisons of a test by functions that take tensors."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Replaces ``a and b`` by ``logical_and(a, lambda: b)``."""
        left, *others = node.values
        right = others[0] if len(others) == 1 else ast.copy_location(ast.BoolOp(node.op, others), node)
        name = f"{GENERATED_NAME_PREFIX}{'logical_and' if isinstance(node.op, ast.And) else 'logical_or'}"
        call: Any = ast.parse(f"{name}(0, lambda: 0)", mode="eval").body
        call.args[0], call.args[1].body = self.visit(left), self.visit(right)
        return call

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Replaces ``not a`` by ``logical_not(a)``."""
        if not isinstance(node.op, ast.Not):
            return node
        call: Any = ast.parse(f"{GENERATED_NAME_PREFIX}logical_not(0)", mode="eval").body
        call.args[0] = self.visit(node.operand)
        return call

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Replaces ``a < b < c`` by ``a < b and b < c``, if reading ``b`` twice changes nothing."""
        middle = node.comparators[:-1]
        if not middle or not all(isinstance(x, (ast.Name, ast.Constant)) for x in middle):
            return node
        operands = [node.left, *node.comparators]
        pairs: list[ast.expr] = [ast.Compare(operands[i], [op], [operands[i + 1]]) for i, op in enumerate(node.ops)]
        return self.visit(ast.BoolOp(ast.And(), pairs))
