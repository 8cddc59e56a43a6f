"""Removes redundant loads and counters, and moves loads out of loops. So the reverse sweep records less."""

from __future__ import annotations

from collections.abc import Callable

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families, written_memory
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Counter,
    Operand,
    Root,
    Scalar,
    View,
    equal_operands,
    resolved,
    scalars_among,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.scalar_operations import ADD_PRODUCT, FROM_START, SUBTRACT_TWO, checked_size
from fastgrad._src.derivatives.ir.statements import (
    COST_OF_EFFECTS,
    Branch,
    Compute,
    Load,
    Statement,
    Store,
    begin_counted_loop,
)
from fastgrad._src.scalars.terms import ADD, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, SUBTRACT

Replace = Callable[[dict[Operand, Operand]], None]


def recognize_counted_loops(function: Function) -> None:
    """Gives a counter to each loop that an integer counts up by 1, from a test of its bound at its head."""
    flow = ControlFlow(function)
    for head, body in flow.loops.items():
        outside = [block for block in flow.predecessors[head] if block not in body]
        end, test = head.end, _bound_comparison(head, body)
        if head in flow.counted or len(outside) != 1 or outside[0].successors != [head] or test is None:
            continue
        assert isinstance(end, Branch)
        value, bound = test.operands
        if bound.type != INDEX or bound.block in body:
            continue
        for phi in head.phis:
            start = phi.incoming[outside[0]]
            if not isinstance(phi.target, Scalar) or phi.target.type != INDEX or isinstance(start, View):
                continue
            offset = Constant(0, INDEX) if value is phi.target else _increment(value, phi.target)
            nexts = {number for before, number in phi.incoming.items() if before in body}
            step = _increment(nexts.pop(), phi.target) if len(nexts) == 1 else None
            if offset is None or step is None or step.value != 1:
                continue
            _add_counter(function, head, outside[0], start, offset, bound, test.operation in (LESS_EQUAL, GREATER))
            if end.then not in body:
                end.then, end.otherwise = end.otherwise, end.then
            break


def _bound_comparison(head: Block, body: set[Block]) -> Compute | None:
    """Returns the comparison at the head of a loop that holds or fails while its first operand is below the second one, or None."""
    end = head.end
    test = None if end.condition is None else end.condition.definition
    if not isinstance(end, Branch) or not isinstance(test, Compute) or test not in head.statements:
        return None
    goes_on = end.then in body
    is_bound = test.operation in ((LESS, LESS_EQUAL) if goes_on else (GREATER_EQUAL, GREATER))
    return test if is_bound and goes_on != (end.otherwise in body) else None


def _add_counter(
    function: Function, head: Block, before: Block, start: Operand, offset: Constant, bound: Operand, is_closed: bool
) -> None:
    """Adds the counter of a loop that runs while ``start + offset`` plus the iteration's number is below ``bound``."""
    location, number = function.location, len(function.counters)
    if isinstance(start, Constant) and start.value + offset.value - is_closed == 0:
        count = bound
    else:
        target = Scalar(f"v_count_of_{number}", INDEX, before)
        distance = Constant(offset.value - is_closed, INDEX)
        before.define(target, Compute(location, target, SUBTRACT_TWO, [bound, start, distance], 2))
        function.scalars.append(target)
        count = target
    counter = Counter(f"v_counter_{number}", count, before)
    function.counters.append(counter)
    step = begin_counted_loop(location, counter, head, f"v_iteration_{number}", f"v_goes_on_{number}")
    function.scalars += [step.target, step.is_valid]
    head.statements.insert(0, step)
    assert isinstance(head.end, Branch)
    head.end.condition = step.is_valid


def replace_induction_variables(function: Function, replace: Replace) -> None:
    """Replaces integers that each iteration of a counted loop changes by a constant: they follow from the iteration's number.

    Indices that turn out to be at least 0 lose their test whether they count from the end.
    """
    flow = ControlFlow(function)
    for head, body in [(head, flow.loops[head]) for head in flow.counted]:
        step = flow.step_of(head)
        place = head.statements.index(step)
        for phi in list(head.phis):
            target = phi.target
            starts = {value for before, value in phi.incoming.items() if before not in body}
            nexts = {value for before, value in phi.incoming.items() if before in body}
            if not isinstance(target, Scalar) or target.type != INDEX or len(starts) != 1 or len(nexts) != 1:
                continue
            (start,), increment = starts, _increment(nexts.pop(), target)
            is_used_before = any(target in statement.operands for statement in head.statements[:place])
            if increment is None or isinstance(start, View) or start.type != INDEX or is_used_before:
                continue
            head.phis.remove(phi)
            operands: list[Operand] = [start, step.target]
            operation = ADD if increment.value == 1 else ADD_PRODUCT
            if increment.value != 1:
                operands.append(increment)
            target.definition = Compute(phi.location, target, operation, operands, len(operands) - 1)
            head.statements.insert(place + 1, target.definition)
    _fold_offsets(function, replace)
    _find_nonnegative_integers(function, replace)


def _fold_offsets(function: Function, replace: Replace) -> None:
    """Replaces integers plus several constants by integers plus one."""
    replaced: dict[Operand, Operand] = {}
    for statement in statements_in(function.blocks):
        if not isinstance(statement, Compute) or statement.target.type != INDEX:
            continue
        base, offset = _base_and_offset(statement.target)
        if base is statement.target or base in statement.operands:
            if base in statement.operands and offset == 0:
                replaced[statement.target] = base
            continue
        if offset == 0:
            replaced[statement.target] = base
        statement.operation, statement.operands = ADD, [base, Constant(offset, INDEX)]
    replace(replaced)


def _base_and_offset(scalar: Scalar) -> tuple[Scalar, int]:
    """Returns the integer to which ``scalar`` adds constants, and their sum."""
    offset = 0
    while True:
        base, distance = _split_constant_term(scalar)
        is_of_integers = all(operand.type == INDEX for operand in (scalar, *scalar.operands))
        if distance is None or not isinstance(base, Scalar) or not is_of_integers:
            return scalar, offset
        scalar = base
        offset += distance.value


def _split_constant_term(scalar: Scalar) -> tuple[Operand, Constant | None]:
    """Returns the number to which ``scalar`` adds a constant, and the constant; ``scalar`` itself and None if it is no such sum."""
    if scalar.operation not in (ADD, SUBTRACT):
        return scalar, None
    first, second = scalar.operands
    if scalar.operation is ADD and isinstance(first, Constant):
        first, second = second, first
    if not isinstance(second, Constant):
        return scalar, None
    return first, second if scalar.operation is ADD else Constant(-second.value, INDEX)


def _increment(value: object, phi: Scalar) -> Constant | None:
    """Returns the constant of ``phi`` plus or minus a constant."""
    base, distance = _split_constant_term(value) if isinstance(value, Scalar) and value.type == INDEX else (None, None)
    return distance if base is phi else None


def _find_nonnegative_integers(function: Function, replace: Replace) -> None:
    """Finds integers that are at least 0, and removes the tests of indices and of sizes for what is below."""
    sources: dict[Scalar, list[Operand]] = {}
    checks: dict[Scalar, Block] = {}
    for block in function.blocks:
        for phi in block.phis:
            if isinstance(phi.target, Scalar) and phi.target.type == INDEX:
                sources[phi.target] = list(phi.incoming.values())  # type: ignore[arg-type]
        for statement in block.statements:
            if isinstance(statement, Compute) and statement.operation.keeps_naturals and statement.target.type == INDEX:
                sources[statement.target] = statement.operands
            elif statement.operation is not None and statement.operation.function is checked_size:
                checks[statement.target] = block  # type: ignore[attr-defined]
    naturals = set(sources)
    size = -1
    while size != len(naturals):
        size = len(naturals)
        naturals -= {
            scalar
            for scalar in naturals
            if not (any if scalar.operation is not None and scalar.operation.function is max else all)(
                operand in naturals or operand.is_natural for operand in sources[scalar]
            )
        }
    for scalar in naturals:
        scalar.is_natural = True
    replaced: dict[Operand, Operand] = {
        scalar: scalar.operands[0]
        for scalar in sources
        if scalar.operation is FROM_START and scalar.operands[0].is_natural
    }
    for checked, block in checks.items():
        if checked.operands[0].is_natural:
            block.statements.remove(checked.definition)  # type: ignore[arg-type]
            replaced[checked] = checked.operands[0]
    replace(replaced)


def merge_equal_numbers(function: Function, replace: Replace) -> None:
    """Replaces a number that its block has computed, loaded or stored before by that one."""
    families = memory_families(function)
    users: dict[Scalar, list[Statement]] = {}
    for statement in statements_in(function.blocks):
        for operand in scalars_among(statement.operands):
            users.setdefault(operand, []).append(statement)
    replaced: dict[Operand, Operand] = {}
    for block in function.blocks:
        known: dict[tuple[object, ...], tuple[Operand, Root | None]] = {}
        key: tuple[object, ...]

        def key_of(operand: Operand) -> object:
            last = resolved(replaced, operand)
            return (repr(last.value), last.type) if isinstance(last, Constant) else last  # 0.0 is not -0.0

        for statement in block.statements:
            operands = tuple(map(key_of, statement.operands))
            if isinstance(statement, Compute) and statement.cost < COST_OF_EFFECTS:
                key = (statement.operation, statement.target.type, operands)
                if key in known and known[key][0] is not None:
                    replaced[statement.target] = known[key][0]
                else:
                    known[key] = statement.target, None
            elif isinstance(statement, Load):
                key = (statement.root, operands)
                if key not in known:
                    known[key] = statement.target, statement.root.memory_owner
                elif not _is_increment(statement, users):
                    replaced[statement.target] = known[key][0]
            written = set().union(*[families[memory] for memory in written_memory(statement)])
            known = {key: entry for key, entry in known.items() if entry[1] not in written} if written else known
            if isinstance(statement, Store) and statement.operands[0].type == statement.root.type.dtype:
                known[statement.root, operands[1:]] = statement.operands[0], statement.root.memory_owner
    replace(replaced)


def _is_increment(load: Load, users: dict[Scalar, list[Statement]]) -> bool:
    """True if a load is that of ``a[i] = a[i] + e``, whose cotangent stays in its place."""
    sums = users.get(load.target, [])
    if len(sums) != 1 or not isinstance(sums[0], Compute):
        return False
    return any(
        isinstance(store, Store)
        and store.root is load.root
        and store.operands[0] is sums[0].target
        and all(map(equal_operands, load.operands, store.operands[1:]))
        for store in users.get(sums[0].target, [])
    )


def is_positive(operand: Operand) -> bool:
    """True if ``operand`` is a constant above 0."""
    return isinstance(operand, Constant) and operand.value > 0


def hoist_loads(function: Function) -> None:
    """Moves loads whose element is the same in each iteration of a counted loop before it: one record, one cotangent.

    A loop of no iterations loads nothing: the load gets the loop's count as a guard.
    """
    flow = ControlFlow(function)
    families = memory_families(function)
    for head, counter in sorted(flow.counted.items(), key=lambda item: len(flow.loops[item[0]])):
        body, before = flow.loops[head], counter.block
        if not flow.ends_at_head(head) or before.successors != [head]:
            continue
        written = set().union(*[written_memory(statement) for statement in statements_in(body)])
        for block in flow.blocks:
            if block in body and block is not head and flow.runs_each_iteration(block, head):
                for statement in list(block.statements):
                    is_load = isinstance(statement, Load) and not families[statement.root.memory_owner] & written
                    # What is computed may be computed before it is known to be needed.
                    is_arithmetic = statement.operation is not None and statement.operation.is_speculatable
                    if (is_load or is_arithmetic) and _is_invariant(statement, body):
                        block.statements.remove(statement)
                        before.statements.append(statement)
                        statement.target.block = before  # type: ignore[attr-defined]
                        if isinstance(statement, Load) and not is_positive(counter.count):
                            statement.guards = [*statement.guards, counter.count]


def _is_invariant(statement: Statement, body: set[Block]) -> bool:
    """True if all that a statement reads is defined outside of a loop."""
    parts = [*statement.uses, *statement.arrays]
    return all(getattr(part, "block", None) not in body for part in parts)
