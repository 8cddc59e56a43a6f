"""Calls on both ways of reverse mode: of functions that have adjoints of their own, and of recursive functions."""

from __future__ import annotations

from fastgrad.differentiation.emission import zero
from fastgrad.differentiation.ir import (
    Block,
    Call,
    Callee,
    CallRule,
    Constant,
    Operand,
    Root,
    Scalar,
    Statement,
    View,
    refuse,
)
from fastgrad.differentiation.reverse_values import ReverseValues
from fastgrad.differentiation.values import type_of

STACKS = "values, values_top, values_room, codes, codes_top, codes_room, arrays, arrays_top"
STACKS_OF_REVERSE = "values, values_top, codes, codes_top, arrays, arrays_top"
TOPS = "values_top, codes_top, arrays_top"
"""The variables that calls of functions that are not inlined take and return: forward, and on the way back."""


class ReverseCalls(ReverseValues):
    """Writes calls, what they keep, and their way back."""

    _families: dict[Root, set[Root]]
    _block_of_call: dict[Call, Block]

    # ---- functions with adjoints of their own ---------------------------------------------------------------------

    def _outlives(self, array: View | Root) -> bool:
        """True if the way back finds the contents of an array where they were: nothing writes them, and the array is made once."""
        root = array.root if isinstance(array, View) else array
        is_written = any(other.is_written or other.is_growing for other in self._families[root.memory])
        is_made_once = root.block is None or not self.flow.is_in_loop(root.block)
        is_contiguous = not isinstance(array, View) or type_of(array).layout == "C"
        return is_made_once and is_contiguous and not is_written

    def _saved_arrays(self, statement: Call) -> dict[int, tuple[str, View | Root]]:
        """Returns the arrays whose contents are kept for the way back, with their variables, by their number among results and arguments."""
        assert isinstance(statement.rule, CallRule)
        unread = statement.rule.unread
        parts = [*statement.results, *statement.arguments]
        return {
            place: (f"s_{statement.results[0].name}_{place}", part)
            for place, part in enumerate(parts)
            if isinstance(part, (View, Root)) and place not in unread and not self._outlives(part)
        }

    def _save_arrays(self, statement: Call) -> None:
        """Writes what keeps the contents of the arrays of a call."""
        for name, array in self._saved_arrays(statement).values():
            text = self.view(array) if isinstance(array, View) else array.name
            if self.is_recorded(statement):
                self.write(f"b_{name} = {text}")
                self.push_array(f"b_{name}")
            else:
                self.write(f"{name} = contiguous({text})")

    def is_recorded(self, statement: Call) -> bool:
        """True if the arrays of a call are recorded on a stack, not kept in variables."""
        return self.flow.is_in_loop(self._block_of_call[statement])

    def _empty(self, array: View | Root) -> str:
        """Returns the text of a new array of an array's shape."""
        sizes = [axis.size for axis in array.axes] if isinstance(array, View) else array.dims
        dtype = array.root.type.dtype if isinstance(array, View) else array.type.dtype
        return f"np.empty(({''.join(self.use(size) + ', ' for size in sizes)}), {self.dtype(dtype)})"

    def _part_of_call(self, statement: Call, place: int, part: Operand | View | Root) -> str:
        """Returns the text of a result or an argument of a call on the way back."""
        assert isinstance(statement.rule, CallRule)
        is_read = place not in statement.rule.unread
        if isinstance(part, (Constant, Scalar)):
            return self.use(part) if is_read else zero(part.type)
        saved = self._saved_arrays(statement)
        if place in saved:
            return saved[place][0]
        if not is_read:
            return self._empty(part)
        return self.view(part, self.use) if isinstance(part, View) else part.name

    def _undo_call(self, statement: Call) -> None:
        rule = statement.rule
        assert isinstance(rule, CallRule)
        if rule.adjoint is None:
            raise refuse(f"{rule.name} has no adjoint: give it one with fg.adjoint", statement.location)
        if self.is_recorded(statement):
            for name, array in reversed(self._saved_arrays(statement).values()):
                self.write(f"{name} = {self._empty(array)}")
                self.pop_array(name)
        cotangents = [self._cotangent_of_result(result) for result in statement.results]
        parts = [*statement.results, *statement.arguments]
        known = [self._part_of_call(statement, place, part) for place, part in enumerate(parts)]
        targets = [f"e_{statement.results[0].name}_{position}" for position in rule.active]
        call = f"{self.bound(rule.adjoint, 'adjoint')}({', '.join([*cotangents, *known])})"
        self.write(f"{''.join(target + ', ' for target in targets)}= {call}")
        self._clear_results(statement)
        for position, target in zip(rule.active, targets, strict=True):
            value = statement.arguments[position]
            if isinstance(value, View):
                if value.root in self.activity:
                    self._for_each_element(value, target, 3)
            else:
                self._add(value, target)

    def _cotangent_of_result(self, result: Scalar | Root) -> str:
        """Returns the text of the cotangent of a call's result."""
        if isinstance(result, Scalar):
            return (self._take(result) if result in self.activity else None) or zero(result.type)
        if result in self.activity:
            return self._shaped_cotangent(result) + ".copy()"
        shape = "".join(self.use(size) + ", " for size in result.dims)
        return f"np.zeros(({shape}), {self.dtype(result.type.dtype)})"

    def _shaped_cotangent(self, root: Root) -> str:
        """Returns the text of the cotangent of an array in the array's shape."""
        if not self.has_flat_cotangent(root):
            return f"d_{root.name}"
        dims = [self.use(size) for size in root.dims]
        return f"d_{root.memory.name}[:{' * '.join(dims) or '1'}].reshape(({''.join(size + ', ' for size in dims)}))"

    def _clear_results(self, statement: Call) -> None:
        for result in statement.results:
            if isinstance(result, Root) and result in self.activity and self._is_buffer(result):
                self._clear(result)

    # ---- functions that are not inlined ---------------------------------------------------------------------------

    def _callee_of(self, statement: Statement) -> Callee | None:
        """Returns the function of a call that is not inlined and has a way back."""
        if (
            isinstance(statement, Call)
            and isinstance(statement.rule, Callee)
            and self.activity.is_active_call(statement)
        ):
            callee = statement.rule
            if callee.is_exact:
                is_active = [part in self.activity for part in statement.inputs]
                active = [place for place, is_given in zip(callee.active, is_active, strict=True) if is_given]
                return callee._replace(active=tuple(active))
            return callee
        return None

    def _frozen(self, statement: Call) -> tuple[int, ...]:
        """Returns the numbers of the arguments that are arrays which nothing writes, so that the way back may read them."""
        return tuple(
            position
            for position, value in enumerate(statement.arguments)
            if isinstance(value, View) and value.root.kind in ("parameter", "global") and not value.root.is_written
        )

    def _augmented_call(self, statement: Call) -> None:
        """Writes a call that leaves its records on the stacks."""
        callee = self._callee_of(statement)
        assert callee is not None
        views = [(number, value) for number, value in enumerate(statement.arguments) if isinstance(value, View)]
        for number, view in views:
            for other, other_view in views:
                is_checked = number in callee.written and (other > number or other not in callee.written)
                if is_checked and other != number and other_view.root.memory in self._families[view.root.memory]:
                    names = f"'{view.root.name[2:]}', '{other_view.root.name[2:]}'"
                    self.write(f"check_apart({self.view(view)}, {self.view(other_view)}, {names})")
        arguments = [*[self.argument(value) for value in statement.arguments], "owner", STACKS]
        targets = "".join(f"{result.name}, " for result in statement.results) + STACKS
        name = self.derived_call("augmented", callee, self._frozen(statement))
        self.write(f"{targets} = {name}({', '.join(arguments)})")

    def _reverse_call(self, statement: Call) -> None:
        """Writes the way back through a call: the callee adds to the cotangents of arrays, and returns those of numbers."""
        callee = self._callee_of(statement)
        assert callee is not None
        frozen = self._frozen(statement)
        arguments = [self._cotangent_of_result(result) for result in statement.results if result.is_real]
        targets: list[tuple[Operand, str]] = []
        if callee.is_exact:
            numbers = callee.function.numbers_to_run_again(frozen)
            arguments += [self.use(statement.arguments[number]) for number in numbers]
        views = [statement.arguments[position] for position in frozen]
        arguments += [self.view(view, text_of=self.use) for view in views if isinstance(view, View)]
        for position in callee.active:
            value = statement.arguments[position]
            if isinstance(value, View):
                arguments.append(self._cotangent_argument(value, callee.argument_types[position].layout))
            else:
                targets.append((value, f"e_{len(targets)}"))
        name = self.derived_call("reverse", callee, frozen)
        self.write(
            f"{''.join(f'{e}, ' for _, e in targets)}{TOPS} = {name}({', '.join([*arguments, STACKS_OF_REVERSE])})"
        )
        self._clear_results(statement)
        for value, e in targets:
            self._add(value, e)

    def _cotangent_argument(self, view: View, layout: str) -> str:
        """Returns the text of the cotangent of an argument: a view of the array's, which is flat if the argument is in C order."""
        root = view.root
        if layout != "C":
            return self.view(view, self.use, self._shaped_cotangent(root))
        name = f"d_{root.memory.name}"
        if view.is_whole() and root.kind in ("parameter", "global"):
            return name
        start = self.flat_index(["", *map(self.use, root.dims[1:])], [self.use(start) for start in view.starts])
        count = " * ".join(self.use(axis.size) for axis in view.axes) or "1"
        return f"{name}[{start}:{start} + {count}]"
