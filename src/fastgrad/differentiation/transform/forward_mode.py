"""Forward mode: the text of a function that computes a result together with its tangent."""

from __future__ import annotations

from collections.abc import Callable

from numba import types

from fastgrad.differentiation.analysis.activity import Activity
from fastgrad.differentiation.analysis.aliases import check_stores
from fastgrad.differentiation.analysis.control_flow import ControlFlow
from fastgrad.differentiation.analysis.infinite_slopes import may_be_zero, statements_after_infinite_slopes
from fastgrad.differentiation.ir.partials import (
    GUARDS,
    guarded,
    partial_text,
    sums_by_operand,
    without_zeros,
)
from fastgrad.differentiation.ir.representation import (
    Allocate,
    Block,
    Call,
    Callee,
    CallRule,
    Compute,
    Constant,
    Function,
    Grow,
    Load,
    Operand,
    Phi,
    Raise,
    Reshape,
    Return,
    Root,
    Scalar,
    Statement,
    Store,
    View,
    leaf_types_of,
    refuse,
    zero,
)
from fastgrad.differentiation.ir.values import parts_of
from fastgrad.differentiation.runtime.jumps import BLOCK_VARIABLE
from fastgrad.differentiation.transform.emission import Derivative, Emitter, is_real

WIDTH = 8
"""The tangents that one run computes for a matrix: they share the function's own numbers."""


def tangents_of_a_run(function: Function) -> int:
    """Returns how many tangents one run may compute: one if calls compute results and tangents together, or if results are complex."""
    statements = [statement for block in function.blocks for statement in block.statements]
    rules = [statement.rule for statement in statements if isinstance(statement, Call)]
    is_alone = any(isinstance(rule, Callee) or rule.with_tangent is not None for rule in rules)
    return WIDTH if not is_alone and is_real(function.result) else 1


class ForwardMode(Emitter):
    """Writes the tangent of each active number after the number.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters that have tangents.
        is_callee: whether other derivatives call the text. Then ``positions`` are numbers of ``parts``, the text takes and returns numbers
            and arrays one by one, and it writes the tangents of arrays that the function writes.
        is_final: whether the text is not differentiated again. Then it checks that arguments that are written share no memory with others.
        width: the number of tangents that one run computes. If there are several, they are the last axis of the tangents of arrays, and those of
            a number have names of their own (``_name_of``). So they are neighbors in memory, and LLVM computes them in the lanes of a vector.
    """

    def __init__(
        self,
        function: Function,
        flow: ControlFlow,
        positions: tuple[int, ...],
        is_callee: bool = False,
        is_final: bool = False,
        width: int = 1,
    ) -> None:
        super().__init__(function, flow)
        self.positions = positions
        self.is_callee = is_callee
        self.is_final = is_final
        self.width = width
        self.activity = Activity(function, flow.blocks, frozenset(positions), is_forward=True)
        self._guarded = statements_after_infinite_slopes(flow, self.activity)
        function.globals.update(GUARDS)

    def _write_each(self, line_of: Callable[[int], str], indent: int = 3) -> None:
        """Appends the line of each tangent, by its number."""
        for lane in range(self.width):
            self.write(line_of(lane), indent)

    def _name_of(self, scalar: Scalar, lane: int) -> str:
        """Returns the name of a tangent of a number."""
        return f"d_{scalar.name}" if self.width == 1 else f"d{lane}_{scalar.name}"

    def derivative(self) -> Derivative:
        """Returns the text of ``(*arguments, *tangents) -> (result, tangent of the result)``."""
        function = self.function
        check_stores(function, self.flow, is_reverse=False)
        for block in self.flow.blocks:
            self.write(f"if {BLOCK_VARIABLE} == {block.number}:", 2)
            self._block(block)
        if self.is_callee:
            names = [part.name for part in parts_of(function)]
            parameters = [*names, *[f"d_{names[position]}" for position in self.positions]]
        else:
            parameters = [f"a_{name}" for name in function.parameters]
            parameters += [f"d_a_{function.parameters[position]}" for position in self.positions]
        body = [] if self.is_callee else self.unpacked_parameters()
        body += self.checks_of_memory() if self.is_final else []
        writes_arguments = any(root.kind == "parameter" and root.is_written for root in function.roots)
        for position in () if self.is_callee else self.positions:
            for root in function.roots:
                if root.position == position and root.is_real:
                    body += self.unpacked_field(root, "d_")
            body += self.unpacked_parts(f"a_{function.parameters[position]}", function.types[position], "d_")
        for root in function.roots:
            if self.is_callee and root.kind == "parameter" and root.position in self.positions:
                continue
            if root.kind == "parameter" and root.position in self.positions and root.is_real:
                name = function.parameters[root.position]
                if root.dims:
                    body.append(
                        f"if d_{root.name}.shape != {self._wide(f'{root.name}.shape')}: "
                        f"raise ValueError('jvp of {function.name}: the tangent of {name} has another shape than the argument')"
                    )
                if root.is_written or (self.is_final and writes_arguments):
                    # the caller's array stays as it is, and the tangent too if it is an argument
                    body.append(f"d_{root.name} = d_{root.name}.copy()")
            elif root.kind == "parameter" and root in self.activity:
                body.append(
                    f"d_{root.name} = np.zeros({self._wide(f'{root.name}.shape')}, {self.dtype(root.type.dtype)})"
                )
        body += [f"{BLOCK_VARIABLE} = 0", "while True:"]
        return self.result(f"derivative_of_{function.name}", parameters, body)

    def _wide(self, shape: str) -> str:
        """Returns the text of the shape of an array's tangents from that of its own."""
        return shape if self.width == 1 else f"({shape} + ({self.width},))"

    def _tangent_element(self, root: Root, indices: list[str], lane: int) -> str:
        return f"d_{self.element(root, indices if self.width == 1 else [*indices, str(lane)])}"

    def _tangent(self, operand: Operand, lane: int) -> str:
        if isinstance(operand, Scalar) and operand in self.activity:
            return self._name_of(operand, lane)
        return zero(operand.type)

    def _block(self, block: Block) -> None:
        for phi in block.phis:
            self.write(f"{phi.target.name} = p_{phi.target.name}")
            if phi.target not in self.activity:
                continue
            names = [f"d_{phi.target.name}"]
            if isinstance(phi.target, Scalar):
                names = [self._name_of(phi.target, lane) for lane in range(self.width)]
            for name in names:
                self.write(f"{name} = p{name}")
        for statement in block.statements:
            self.note_line(statement.location)
            if isinstance(statement, Call) and isinstance(statement.rule, Callee):
                self._call_of_callee(statement, statement.rule)
                continue
            if isinstance(statement, Call) and self._writes_call_with_tangent(statement):
                continue
            self.forward_statement(statement)
            self._tangent_statement(statement)
        end = block.end
        if isinstance(end, Return):
            self.note_line(end.location)
        self.go_on(block)
        if isinstance(end, Raise):
            self.raise_(end)
        elif isinstance(end, Return):
            self._return(end)

    def _tangent_statement(self, statement: Statement) -> None:
        if isinstance(statement, Compute) and statement.target in self.activity:
            self._write_each(lambda lane: self._tangent_of_compute(statement, lane))
        elif isinstance(statement, Load) and statement.target in self.activity:
            indices = [self.operand(index) for index in statement.operands]
            root, target = statement.root, statement.target
            self._write_each(
                lambda lane: f"{self._name_of(target, lane)} = {self._tangent_element(root, indices, lane)}"
            )
        elif isinstance(statement, Store) and statement.root in self.activity:
            indices = [self.operand(index) for index in statement.operands[1:]]
            root, value = statement.root, statement.operands[0]
            self._write_each(
                lambda lane: f"{self._tangent_element(root, indices, lane)} = {self._tangent(value, lane)}"
            )
        elif isinstance(statement, Allocate) and statement.root in self.activity:
            root = statement.root
            self.write(f"d_{root.name} = np.zeros({self._wide(self.shape(root.dims))}, {self.dtype(root.type.dtype)})")
        elif isinstance(statement, Grow) and statement.root in self.activity:
            name = f"d_{statement.root.name}"
            self.write(f"{name} = grown({name}, {self.operand(statement.operands[0])})")
        elif isinstance(statement, Reshape) and statement.root in self.activity:
            source = statement.root.source
            assert source is not None
            self.write(
                f"d_{statement.root.name} = d_{source.name}.reshape({self._wide(self.shape(statement.root.dims))})"
            )
        elif isinstance(statement, Call) and any(result in self.activity for result in statement.results):
            self._tangent_call(statement)

    def _tangent_of_compute(self, statement: Compute, lane: int) -> str:
        """Returns the line that computes a tangent of a number."""
        operands = [self.operand(operand) for operand in statement.operands]
        type, partials = statement.target.type, statement.partials
        if statement.has_pole:
            partials = [None if partial is None else without_zeros(partial, type) for partial in partials]
        if statement in self._guarded:
            partials = sums_by_operand(partials, statement.operands, type)
            partials = [
                guarded(partial, type) if partial is not None and may_be_zero(partial, statement.operands) else partial
                for partial in partials
            ]
        terms = [
            partial_text(partial, operands, self._name_of(operand, lane), statement.target.name)
            for operand, partial in zip(statement.operands, partials, strict=True)
            if partial is not None and isinstance(operand, Scalar) and operand in self.activity
        ]
        return f"{self._name_of(statement.target, lane)} = {' + '.join(terms) or zero(statement.target.type)}"

    def _tangent_call(self, statement: Call) -> None:
        rule = statement.rule
        assert isinstance(rule, CallRule)
        if rule.tangent is None:
            raise refuse(f"{rule.name} has no forward mode: give it a tangent with fg.adjoint", statement.location)
        function = self.bound(rule.tangent, "tangent")
        known = [*[result.name for result in statement.results], *map(self.argument, statement.arguments)]
        for lane in range(self.width):
            tangents = [self._tangent_of(statement.arguments[position], lane) for position in rule.active]
            targets = [self._result_of_call(result, lane) for result in statement.results]
            self.write(f"{''.join(f'{target}, ' for target in targets)}= {function}({', '.join([*tangents, *known])})")
            for result, target in zip(statement.results, targets, strict=True):
                if self.width > 1 and isinstance(result, Root):
                    if lane == 0:
                        shape = self._wide(f"{target}.shape")
                        self.write(f"d_{result.name} = np.empty({shape}, {target}.dtype)")
                    self.write(f"d_{result.name}[..., {lane}] = {target}")

    def _result_of_call(self, result: Scalar | Root, lane: int) -> str:
        """Returns the name that gets a tangent of a result of a call."""
        if isinstance(result, Scalar):
            return self._name_of(result, lane)
        return f"d_{result.name}" if self.width == 1 else f"d{lane}_{result.name}"

    def _writes_call_with_tangent(self, statement: Call) -> bool:
        """Writes the call of the function that computes results and tangents together; False if there is none, or no tangent."""
        rule = statement.rule
        assert isinstance(rule, CallRule)
        if rule.with_tangent is None or not any(result in self.activity for result in statement.results):
            return False
        active = tuple(position for position in rule.active if self._is_active(statement.arguments[position]))
        tangents = [self._tangent_of(statement.arguments[position], 0) for position in active]
        arguments = [self.argument(value) for value in statement.arguments]
        results = [result.name for result in statement.results]
        call = f"{self.bound(rule.with_tangent(active), 'push')}({', '.join([*tangents, *arguments])})"
        self.write(f"{', '.join([*results, *(f'd_{name}' for name in results)])} = {call}")
        return True

    def _call_of_callee(self, statement: Call, callee: Callee) -> None:
        """Writes the call of a function that is not inlined, or of what computes its tangents, too."""
        active = tuple(position for position in callee.active if self._is_active(statement.arguments[position]))
        if not active:
            self.forward_statement(statement)
            return
        arguments = [self.argument(value) for value in statement.arguments]
        arguments += [self._tangent_of(statement.arguments[position], 0) for position in active]
        targets = [result.name for result in statement.results]
        targets += [f"d_{result.name}" for result in statement.results if result.is_real]
        call = f"{self.derived_call('tangent', callee, active)}({', '.join(arguments)})"
        self.write(f"{', '.join(targets)}, = {call}" if targets else call)

    def _is_active(self, value: Operand | View) -> bool:
        return (value.root if isinstance(value, View) else value) in self.activity

    def _tangent_of(self, value: Operand | View, lane: int) -> str:
        """Returns the text of a tangent of a number or array."""
        if not isinstance(value, View):
            return self._tangent(value, lane)
        if self.width == 1 or value.root not in self.activity:
            return self._tangent_of_view(value, 1)
        return f"np.ascontiguousarray({self._tangent_of_view(value)}[..., {lane}])"

    def _tangent_of_view(self, view: View, width: int = 0) -> str:
        """Returns the text of a view's tangents."""
        if view.root in self.activity:
            return self.view(view, name=f"d_{view.root.name}", more_axes=self.width > 1)
        if (width or self.width) == 1:
            return f"np.zeros_like({self.view(view)})"
        return f"np.zeros({self._wide(f'{self.view(view)}.shape')}, {self.dtype(view.root.type.dtype)})"

    def edge(self, block: Block, target: Block, indent: int) -> None:
        """Writes the values of the target's phis, and the jump."""
        for phi in target.phis:
            self._phi_value(phi, block, indent)
        self.jump(target.number, indent)

    def _phi_value(self, phi: Phi, block: Block, indent: int) -> None:
        value, target = phi.incoming.get(block), phi.target
        if isinstance(target, Root):
            assert isinstance(value, View)
            text = self.view(value)
            self.write(f"p_{target.name} = {text}", indent)
            if target in self.activity:
                self.write(f"pd_{target.name} = {self._tangent_of_view(value)}", indent)
            return
        operand = value if isinstance(value, (Constant, Scalar)) else Constant(0, target.type)
        self.write(f"p_{target.name} = {self.converted(operand, target.type)}", indent)
        if target in self.activity:
            self._write_each(lambda lane: f"p{self._name_of(target, lane)} = {self._tangent(operand, lane)}", indent)

    def _return(self, end: Return) -> None:
        results: list[str] = []
        tangents: list[str] = []
        leaf_types = leaf_types_of(self.function.result)
        if self.is_callee:
            results = [self.result_of(value, type) for value, type in zip(end.values, leaf_types, strict=True)]
            tangents = [
                self._tangent_of(value, 0) for value, type in zip(end.values, leaf_types, strict=True) if is_real(type)
            ]
            self.write(f"return ({''.join(text + ', ' for text in [*results, *tangents])})")
            return
        result_type = self.function.result
        for value in end.values:
            if isinstance(value, View):
                results.append(self.view(value))
                tangents.append(self._tangent_of_view(value))
                continue
            results.append(self.operand(value))
            each = [self._tangent(value, lane) for lane in range(self.width)]
            if self.width > 1 and value.type == result_type:
                tangents.append(f"np.array(({', '.join(each)}), {self.dtype(result_type)})")
            else:
                tangents.append(each[0] if isinstance(value.type, types.Float) else "None")
        self.write(f"return {self.structured(results)}, {self.structured(tangents)}")
