"""Forward mode: the text of a function that computes a result together with its tangent."""

from __future__ import annotations

from numba.core import types

from fastgrad.differentiation.activity import Activity
from fastgrad.differentiation.aliases import check_stores
from fastgrad.differentiation.control_flow import ControlFlow
from fastgrad.differentiation.emission import Derivative, Emitter, zero
from fastgrad.differentiation.ir import (
    Allocate,
    Block,
    Call,
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
    refuse,
)
from fastgrad.differentiation.jumps import BLOCK_VARIABLE


class ForwardMode(Emitter):
    """Writes the tangent of each active number after the number.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters that have tangents.
    """

    def __init__(self, function: Function, flow: ControlFlow, positions: tuple[int, ...]) -> None:
        super().__init__(function, flow)
        self.positions = positions
        self.activity = Activity(function, flow.blocks, frozenset(positions), is_forward=True)

    def derivative(self) -> Derivative:
        """Returns the text of ``(*arguments, *tangents) -> (result, tangent of the result)``."""
        function = self.function
        check_stores(function, self.flow, is_reverse=False)
        for block in self.flow.blocks:
            self.write(f"if {BLOCK_VARIABLE} == {block.number}:", 2)
            self._block(block)
        parameters = [f"a_{name}" for name in function.parameters]
        parameters += [f"d_a_{function.parameters[position]}" for position in self.positions]
        header = f"def derivative_of_{function.name}({', '.join(parameters)}):"
        body = self.unpacked_parameters()
        for root in function.roots:
            if root.kind == "parameter" and root.position in self.positions and root.is_real:
                body += [
                    f"if d_{root.name}.shape != {root.name}.shape:",
                    f"    raise ValueError('jvp of {function.name}: the tangent of {root.name[2:]} has another shape than the argument')",
                ]
                if root.is_written:  # the caller's array stays as it is
                    body.append(f"d_{root.name} = d_{root.name}.copy()")
            elif root.kind == "parameter" and root in self.activity:
                body.append(f"d_{root.name} = np.zeros({root.name}.shape, {self.dtype(root.type.dtype)})")
        body += [f"{BLOCK_VARIABLE} = 0", "while True:"]
        return self.result(header, body)

    def _tangent(self, operand: Operand) -> str:
        if isinstance(operand, Scalar) and operand in self.activity:
            return f"d_{operand.name}"
        return zero(operand.type)

    def _block(self, block: Block) -> None:
        for phi in block.phis:
            self.write(f"{phi.target.name} = p_{phi.target.name}")
            if phi.target in self.activity:
                self.write(f"d_{phi.target.name} = pd_{phi.target.name}")
        for statement in block.statements:
            self.forward_statement(statement)
            self._tangent_statement(statement)
        end = block.end
        self.go_on(block)
        if isinstance(end, Raise):
            self.raise_(end)
        elif isinstance(end, Return):
            self._return(end)

    def _tangent_statement(self, statement: Statement) -> None:
        if isinstance(statement, Compute) and statement.target in self.activity:
            operands = [self.operand(operand) for operand in statement.operands]
            terms = [
                partial.format(*operands, g=f"d_{operand.name}", r=statement.target.name)
                for operand, partial in zip(statement.operands, statement.partials, strict=True)
                if partial is not None and isinstance(operand, Scalar) and operand in self.activity
            ]
            self.write(f"d_{statement.target.name} = {' + '.join(terms) or zero(statement.target.type)}")
        elif isinstance(statement, Load) and statement.target in self.activity:
            indices = [self.operand(index) for index in statement.operands]
            self.write(f"d_{statement.target.name} = d_{self.element(statement.root, indices)}")
        elif isinstance(statement, Store) and statement.root in self.activity:
            indices = [self.operand(index) for index in statement.operands[1:]]
            self.write(f"d_{self.element(statement.root, indices)} = {self._tangent(statement.operands[0])}")
        elif isinstance(statement, Allocate) and statement.root in self.activity:
            root = statement.root
            self.write(f"d_{root.name} = np.zeros({self.shape(root.dims)}, {self.dtype(root.type.dtype)})")
        elif isinstance(statement, Grow) and statement.root in self.activity:
            name = f"d_{statement.root.name}"
            self.write(f"{name} = grown({name}, {self.operand(statement.operands[0])})")
        elif isinstance(statement, Reshape) and statement.root in self.activity:
            source = statement.root.source
            assert source is not None
            self.write(f"d_{statement.root.name} = d_{source.name}.reshape({self.shape(statement.root.dims)})")
        elif isinstance(statement, Call) and any(result in self.activity for result in statement.results):
            self._tangent_call(statement)

    def _tangent_call(self, statement: Call) -> None:
        rule = statement.rule
        if rule.tangent is None:
            raise refuse("a function with an adjoint of its own has no forward mode", statement.location)
        tangents = []
        for position in rule.active:
            value = statement.arguments[position]
            if isinstance(value, View):
                tangents.append(self._tangent_of_view(value))
            else:
                tangents.append(self._tangent(value))
        results = [result.name for result in statement.results]
        arguments = [*tangents, *results, *[self.argument(value) for value in statement.arguments]]
        targets = "".join(f"d_{name}, " for name in results)
        self.write(f"{targets}= {self.bound(rule.tangent, 'tangent')}({', '.join(arguments)})")

    def _tangent_of_view(self, view: View) -> str:
        text = self.view(view)
        if view.root in self.activity:
            return text.replace(view.root.name, f"d_{view.root.name}", 1)
        return f"np.zeros_like({text})"

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
            self.write(f"pd_{target.name} = {self._tangent(operand)}", indent)

    def _return(self, end: Return) -> None:
        results, tangents = [], []
        for value in end.values:
            if isinstance(value, View):
                results.append(self.view(value))
                tangents.append(self._tangent_of_view(value))
            else:
                results.append(self.operand(value))
                tangents.append(self._tangent(value) if isinstance(value.type, types.Float) else "None")
        self.write(f"return {self.structured(results)}, {self.structured(tangents)}")
