"""Writes the code of a derivative as LLVM IR, through Numba's code generator: its calling convention, reference counts, types and implementations.

A block of the code is a block of LLVM, a jump is a branch. A variable is a place on the stack, which LLVM turns into values. What is not known here is called as Numba
calls it: Numba finds the implementation for the types of the operands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir as llvm_ir
from numba import types

from fastgrad._src.derivatives.codegen.code_expressions import Expressions
from fastgrad._src.derivatives.codegen.code_lifetimes import Lifetimes
from fastgrad._src.derivatives.codegen.code_values import NotEmittedError, Value, Wider, can_become
from fastgrad._src.derivatives.codegen.reference_table import ReferenceTable
from fastgrad._src.derivatives.codegen.stack_arrays import stack_allocations
from fastgrad._src.derivatives.codegen.tape_memory import write_exceptional_exit
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.jit.numba_internals import cgutils, lowering
from fastgrad._src.jit.numba_internals import ir as numba_ir
from fastgrad._src.scalars.formulas import Term


class CodeFunction:
    """What Numba's code generator asks the typed form of a function for: here it has code.

    Attributes:
        code: of the function.
        scope: what its names stand for.
        argument_types: the types of its arguments.
        result: the type of its result; None until that is known.
        wider: the types of variables to which values of several types are given.
    """

    generator_info = None

    def __init__(self, func_id: Any, written: code.Code, argument_types: Sequence[types.Type]) -> None:
        self.func_id = func_id
        self.code = written
        self.scope: dict[str, Any] = func_id.func.__globals__
        self.argument_types = tuple(argument_types)
        self.arg_names = [parameter.name for parameter in written.parameters]
        self.arg_count = len(self.arg_names)
        self.loc = numba_ir.Loc(func_id.filename, func_id.firstlineno)
        self.blocks = {0: numba_ir.Block(numba_ir.Scope(None, self.loc), self.loc)}
        self.result: types.Type | None = None
        self.wider: dict[str, types.Type] = {}

    @property
    def typemap(self) -> dict[str, types.Type]:
        """The types of the arguments, as Numba names them."""
        return {f"arg.{name}": type for name, type in zip(self.arg_names, self.argument_types, strict=True)}


@dataclass(eq=False, slots=True)
class _Place:
    """Where a variable's value is.

    Attributes:
        type: of the variable.
        pointer: to its value; None if it has one value, ``value``.
        slots: where the exit by exceptions finds the references that the value holds; none if it holds none.
    """

    type: types.Type
    pointer: Any = None
    value: Any = None
    slots: Sequence[Any] = ()


class CodeLower(lowering.BaseLower):  # type: ignore[misc]  # Numba has no types
    """Writes a `CodeFunction`."""

    def lower(self) -> None:
        """Writes the function; begins again if a variable needs a wider type."""
        while True:
            try:
                super().lower()
            except Wider as wider:
                self.func_ir.wider[wider.name] = wider.type
                self.module = self.library.create_ir_module(self.fndesc.unique_name)
            else:
                return

    def lower_normal_function(self, fndesc: Any) -> None:
        """Writes the function."""
        written: code.Code = self.func_ir.code
        fndesc.restype = types.none if written.result is None else written.result  # or the first return says it
        self.func_ir.result = written.result
        self.setup_function(fndesc)
        self.extract_function_arguments()
        self.pre_lower()
        # The entry block, which gets all allocations of the stack, has no end before all is written: to insert before the end takes a search.
        entry, start = self.builder.block, self.function.append_basic_block("start")
        self.builder.position_at_end(start)
        exit_block = self.function.append_basic_block("exceptional_exit")
        with self.builder.goto_block(exit_block):
            self.builder.phi(llvm_ir.IntType(32))
        self.function.exceptional_exit = exit_block
        self.expressions = Expressions(self)
        self.location: Any = self.func_ir.loc
        self._places: dict[str, _Place] = {}
        self._assigned = _assignment_counts(written)
        self._lifetimes = Lifetimes(written)
        self._on_stack = {} if written.result is not None else stack_allocations(written)  # recursion is often deep
        self._blocks: dict[int, Any] = {}
        self._references = ReferenceTable(self.context, self.builder)
        self._is_prologue = True
        for parameter, type, value in zip(written.parameters, self.func_ir.argument_types, self.fnargs, strict=True):
            if parameter.name in self._assigned:
                self._assigned[parameter.name] += 1
                self.define(parameter, Value(type, value))
            else:
                self._places[parameter.name] = _Place(type, value=value)
        general = self._write_guard(written)
        self._write(written.prologue)
        if written.blocks:
            self.builder.branch(self._block_of(written.start))
            self._is_prologue = False
            for number, body in written.blocks.items():
                self.builder.position_at_end(self._block_of(number))
                self._release(self._lifetimes.dead_on_entry(number))
                self._write(body)
                if not self.builder.block.is_terminated:
                    raise NotEmittedError(f"block {number} has no end")
        elif not self.builder.block.is_terminated:
            self._return(Value(types.none, self.context.get_dummy_value()))
        if general is not None:
            self.builder.position_at_end(general)
            self._return(self.keep(self.expressions.value(code.call(code.GENERAL, *written.parameters))))
        del self.function.exceptional_exit
        write_exceptional_exit(self.builder, exit_block, self._references.release)
        self.builder.position_at_end(entry)
        self.builder.branch(start)
        # Older releases of Numba drop all reference counts of a function whose typed calls return none. Here they see no calls.
        self.module.add_named_metadata("numba_args_may_always_need_nrt", [llvm_ir.Constant(llvm_ir.IntType(1), 1)])
        self.post_lower()

    def _write_guard(self, written: code.Code) -> Any:
        """Writes the test whether the code fits the arguments. Returns the block for others; None if there are none."""
        if written.guard is None:
            return None
        fits = self.expressions.truth(self.expressions.value(written.guard))
        block, general = [self.function.append_basic_block(name) for name in ("fits", "general")]
        self.builder.cbranch(fits, block, general)
        self.builder.position_at_end(block)
        return general

    def _block_of(self, number: int) -> Any:
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self.function.append_basic_block(f"block_{number}")
        return block

    # ---- references -----------------------------------------------------------------------------------------------

    def has_references(self, type: types.Type) -> bool:
        """True if values of a type hold references to memory."""
        return bool(self.context.data_model_manager[type].contains_nrt_meminfo())

    def keep(self, value: Value) -> Value:
        """Returns a value with a reference of its own, which the caller takes over."""
        if value.items is not None:
            made = self.expressions.as_value(Value(None, items=[self.keep(item) for item in value.items]))
            made.is_owned = True
            return made
        value = self.expressions.as_value(value)
        if value.is_owned or not self.has_references(value.type):
            self.let_go(value)
            return value
        self._references.incref(value.type, value.llvm)
        return Value(value.type, value.llvm, is_owned=True)

    def hold(self, value: Value) -> None:
        """Keeps the reference of a value where the exit by exceptions finds it, while other code runs that may raise."""
        if value.items is not None:
            for item in value.items:
                self.hold(item)
        elif value.is_owned and value.held_at is None and self.has_references(value.type):
            value.held_at = self._references.slots_of(value.type)
            self._references.note(value.type, value.llvm, value.held_at)

    def let_go(self, value: Value) -> None:
        """Forgets what `hold` keeps."""
        if value.held_at is not None:
            self._references.forget(value.held_at)
            self._references.reuse(value.held_at)
            value.held_at = None

    def drop(self, value: Value) -> None:
        """Drops the reference of a value that nothing uses any more."""
        if value.items is not None:
            for item in value.items:
                self.drop(item)
        elif value.is_owned and self.has_references(value.type):
            self.let_go(value)
            self._references.decref(value.type, value.llvm)

    def _drop_variables(self) -> None:
        for place in self._places.values():
            if place.slots:
                self._references.decref(place.type, self.builder.load(place.pointer))

    def _release(self, names: Iterator[str]) -> None:
        """Drops the references of variables that nothing reads any more, where Numba drops them."""
        for name in names:
            place = self._places.get(name)
            if place is not None and place.slots:
                self._references.decref(place.type, self.builder.load(place.pointer))
                self._references.clear(place.type, place.pointer)
                self._references.forget(place.slots)

    # ---- variables ------------------------------------------------------------------------------------------------

    def lookup(self, name: str) -> Value | None:
        """Returns the value of a variable, without a reference of its own; None if no variable has the name."""
        place = self._places.get(name)
        if place is None:
            return None
        return Value(place.type, place.value if place.pointer is None else self.builder.load(place.pointer))

    def declared(self, variable: code.Variable) -> Value:
        """Returns the value of a variable that is read before its assignment is written."""
        if variable.type is None:
            raise NotEmittedError(f"{variable.name} is read before its assignment")
        self._new_place(variable.name, variable.type)
        value = self.lookup(variable.name)
        assert value is not None
        return value

    def _new_place(self, name: str, type: types.Type) -> _Place:
        type = self.func_ir.wider.get(name, type)
        pointer = cgutils.alloca_once(self.builder, self.context.get_value_type(type), name=name)
        place = self._places[name] = _Place(type, pointer, slots=self._references.slots_of(type))
        return place

    def define(self, variable: code.Variable, value: Value) -> None:
        """Gives a variable a value, and its reference."""
        name = variable.name
        value = self.keep(value)
        place = self._places.get(name)
        if place is None:
            type = variable.type if variable.type is not None else types.unliteral(value.type)
            is_single = self._is_prologue and self._assigned[name] == 1 and name not in self.func_ir.wider
            if is_single and not self.has_references(type):
                self._places[name] = _Place(type, value=self.expressions.cast(value, type))
                return
            place = self._new_place(name, type)
        if value.type != place.type:
            value = self._converted(name, value, place.type)
        if not place.slots:
            self.builder.store(value.llvm, place.pointer)
            return
        before = self.builder.load(place.pointer)
        self.builder.store(value.llvm, place.pointer)
        self._references.note(place.type, value.llvm, place.slots)
        self._references.decref(place.type, before)

    def _converted(self, name: str, value: Value, type: types.Type) -> Value:
        """Returns a value as one of a variable's type; raises `Wider` if the variable needs another type."""
        if not can_become(value.type, type):
            wider = self.context.typing_context.unify_types(type, value.type)
            if wider is None or wider == type:
                raise NotEmittedError(f"{name} is of the types {type} and {value.type}")
            raise Wider(name, wider)
        return Value(type, self.expressions.cast(value, type), value.is_owned)

    # ---- statements -----------------------------------------------------------------------------------------------

    def _write(self, body: Sequence[code.Statement]) -> None:
        for statement in body:
            if statement.location is not None:
                self.location = statement.location
            _WRITERS[type(statement)](self, statement)
            if self.builder.block.is_terminated:
                return
            self._release(self._lifetimes.dead_after(statement))

    def _assign(self, statement: code.Assign) -> None:
        with self.expressions.new_arrays_on_stack(self._on_stack.get(statement, 0)):
            value = self.expressions.value(statement.value)
        if isinstance(statement.value, code.Variable) and isinstance(statement.target, code.Variable):
            self._move_reference(statement, value)
        self.assign(statement.target, value)

    def _move_reference(self, statement: code.Assign, value: Value) -> None:
        """Gives a value the reference of the variable that it is read from, if nothing reads that variable later."""
        name = statement.value.name  # type: ignore[attr-defined]
        place = self._places.get(name)
        if place is not None and place.slots and name in self._lifetimes.dead_after(statement):
            self._references.clear(place.type, place.pointer)
            self._references.forget(place.slots)
            value.is_owned = True

    def assign(self, target: Term, value: Value) -> None:
        """Gives variables, an element or a part of an array a value."""
        if isinstance(target, code.Variable):
            self.define(target, value)
        elif isinstance(target.operation, code.TupleOf):
            items = [self.keep(item) for item in self.expressions.items_of(value)]
            if value.items is None:
                self.drop(value)
            for part, item in zip(target.operands, items, strict=True):
                self.assign(part, item)
        else:
            self.expressions.set_item(target, value)
            self.drop(value)

    def _update(self, statement: code.Update) -> None:
        target, operation = statement.target, statement.operation
        if isinstance(target, code.Variable):
            self.define(target, self.expressions.value(operation(target, statement.value)))
        else:
            self.expressions.update_item(target, operation, statement.value)

    def _if(self, statement: code.If) -> None:
        builder = self.builder
        condition = self.expressions.truth(self.expressions.value(statement.condition))
        then, done = self.function.append_basic_block("then"), self.function.append_basic_block("done")
        otherwise = self.function.append_basic_block("otherwise") if statement.otherwise else done
        builder.cbranch(condition, then, otherwise)
        is_prologue, self._is_prologue = self._is_prologue, False
        for block, body in ((then, statement.then), (otherwise, statement.otherwise)):
            if block is done:
                continue
            builder.position_at_end(block)
            self._write(body)
            if not builder.block.is_terminated:
                builder.branch(done)
        self._is_prologue = is_prologue
        builder.position_at_end(done)

    def _for(self, statement: code.For) -> None:
        builder = self.builder
        count = self.expressions.cast(self.expressions.value(statement.count), types.intp)
        is_prologue, self._is_prologue = self._is_prologue, False
        with cgutils.for_range(builder, count) as loop:
            self.define(statement.variable, Value(types.intp, loop.index))
            self._write(statement.body)
        self._is_prologue = is_prologue

    def _jump(self, statement: code.Jump) -> None:
        self.builder.branch(self._block_of(statement.block))

    def _return_statement(self, statement: code.Return) -> None:
        self._return(self.keep(self.expressions.value(statement.value)))

    def _return(self, value: Value) -> None:
        if self.func_ir.result is None:
            self._set_result_type(value.type)
        result = self.func_ir.result
        if result != value.type:
            is_tuple = isinstance(result, types.BaseTuple) and isinstance(value.type, types.BaseTuple)
            if not is_tuple or len(result) != len(value.type) or not all(map(can_become, value.type, result)):
                raise NotEmittedError(f"results of the types {result} and {value.type}")
            value = Value(result, self.expressions.cast(value, result))
        self._drop_variables()
        self.call_conv.return_value(self.builder, self.context.get_return_value(self.builder, value.type, value.llvm))

    def _set_result_type(self, type: types.Type) -> None:
        """Declares the type of the result, of which the function's declaration knew nothing."""
        function = self.function
        self.func_ir.result = self.fndesc.restype = type
        pointer = self.call_conv.get_return_type(type)
        function.args[0].type = pointer
        function.ftype = llvm_ir.FunctionType(function.ftype.return_type, [pointer, *function.ftype.args[1:]])
        function.type = function.ftype.as_pointer()

    def _raise(self, statement: code.Raise) -> None:
        self.raise_(self.expressions.global_value(statement.name), statement.arguments)

    def raise_(self, exception: Any, arguments: tuple[Any, ...]) -> None:
        """Writes the exit by an exception."""
        self.call_conv.return_user_exc(
            self.builder,
            exception,
            arguments or None,
            loc=self.location,
            func_name=self.func_ir.func_id.func_name,
        )

    def _evaluate(self, statement: code.Evaluate) -> None:
        self.drop(self.expressions.value(statement.value))


_WRITERS: dict[type, Any] = {
    code.Assign: CodeLower._assign,
    code.Update: CodeLower._update,
    code.If: CodeLower._if,
    code.For: CodeLower._for,
    code.Jump: CodeLower._jump,
    code.Return: CodeLower._return_statement,
    code.Raise: CodeLower._raise,
    code.Evaluate: CodeLower._evaluate,
}


def _assignment_counts(written: code.Code) -> dict[str, int]:
    """Returns how many statements give each variable a value."""
    counts: dict[str, int] = {}
    bodies = [written.prologue, *written.blocks.values()]
    for statement in [inner for body in bodies for inner in code.statements_in(body)]:
        for variable in code.assigned_variables(statement):
            counts[variable.name] = counts.get(variable.name, 0) + 1
    return counts
