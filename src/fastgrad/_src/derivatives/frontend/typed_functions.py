"""Numba's front end: turns a Python function and argument types into typed SSA form."""

from __future__ import annotations

import collections
import functools
import inspect
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.codegen.extensions import Extensions
from fastgrad._src.derivatives.codegen.inferred_overloads import called_functions, inferred_callees, line_of_with_block
from fastgrad._src.derivatives.codegen.text_pipeline import quick_liveness
from fastgrad._src.derivatives.frontend.exception_handlers import drop_handlers_of_comprehensions
from fastgrad._src.derivatives.frontend.generators import inline_generators
from fastgrad._src.derivatives.frontend.statements import operation_of
from fastgrad._src.derivatives.functions.content import Reached, reached_content
from fastgrad._src.derivatives.functions.parameters import signature_of
from fastgrad._src.derivatives.ir.operands import refuse
from fastgrad._src.jit.compiler_passes import as_pass
from fastgrad._src.jit.libraries import is_of_library
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import require
from fastgrad._src.jit.numba_internals import (
    ExtractByteCode,
    InlineClosureLikes,
    NopythonTypeInference,
    NumbaError,
    PassManager,
    PostProcessor,
    RewriteArrayExprs,
    _OverloadFunctionTemplate,
    _OverloadMethodTemplate,
    build_definitions,
    bytecode,
    compiled_blocks,
    compiler,
    cpu_target,
    ir,
    with_captured_values,
)
from fastgrad._src.jit.numba_registries import load_registries


class TypedFunction(NamedTuple):
    """A function in Numba's typed SSA form."""

    name: str
    code: CodeType
    ir: ir.FunctionIR
    types: dict[str, types.Type]
    signatures: dict[Any, Any]
    result: types.Type
    location: ir.Loc
    read_once: frozenset[str]  # the arrays whose elements may be computed where they are read
    locals: frozenset[str]  # the variables whose types `numba.njit(locals=...)` gave
    generators: tuple[Any, ...] = ()  # those that are inlined into loops


@as_pass()
def join_array_expressions(state: Any) -> bool:
    """Rewrites element-wise expressions of arrays as Numba does, without its other rewrites."""
    processor, rewrite = PostProcessor(state.func_ir), RewriteArrayExprs(state)
    processor.run(True)
    blocks = state.func_ir.blocks
    for label, block in blocks.items():
        if rewrite.match(state.func_ir, block, state.typemap, state.calltypes):
            blocks[label] = rewrite.apply()
    processor.remove_dels()
    return True


@as_pass(mutates_cfg=True)
def _inline_generators(state: Any) -> bool:
    """Drops the exception handlers of comprehensions, and inlines generators into the loops that consume them."""
    is_changed = drop_handlers_of_comprehensions(state.func_ir)
    state.generators = inline_generators(state.func_ir, state.args)
    return is_changed or bool(state.generators.functions)


@as_pass()
def _split_typed_assignments(state: Any) -> bool:
    """Assigns an expression to a temporary variable before it is cast to the type that ``numba.njit(locals=...)`` gives its variable."""
    for block in state.func_ir.blocks.values() if state.locals else ():
        statements, block.body = block.body, []
        for statement in statements:
            is_typed = isinstance(statement, ir.Assign) and statement.target.name in state.locals
            if is_typed and isinstance(statement.value, ir.Expr) and statement.value.op != "phi":
                temporary = block.scope.make_temp(statement.loc)
                block.body.append(ir.Assign(statement.value, temporary, statement.loc))
                statement.value = temporary
            block.body.append(statement)
    state.func_ir._definitions = build_definitions(state.func_ir.blocks)
    return bool(state.locals)


READERS: frozenset[Any] = frozenset([np.sum, np.prod, np.mean, np.max, np.min, np.any, np.all, np.where])
"""The functions of arrays that read each element once, in order, and write nothing. Arrays have methods of most of their names."""
_WITHOUT_EFFECTS = frozenset(
    [
        "arrayexpr",
        "binop",
        "build_slice",
        "build_tuple",
        "cast",
        "getattr",
        "getitem",
        "static_getitem",
        "typed_getitem",
        "unary",
    ]
)


def is_element_reader(function: types.Type) -> bool:
    """True for the type of a function in ``READERS`` or of such a method."""
    key = getattr(function, "typing_key", None)
    if isinstance(function, types.BoundFunction):
        return isinstance(function.this, types.Array) and getattr(np, str(key).rpartition(".")[2], None) in READERS
    return isinstance(function, types.Function) and key in READERS


def _arrays_read_once(blocks: dict[int, ir.Block], type_of: dict[str, types.Type]) -> frozenset[str]:
    """Returns the arrays whose elements may be computed where they are read.

    One statement of their block reads them, one that can, and no statement before it has effects.
    """
    counts = collections.Counter[str]()
    readers: dict[str, ir.Stmt] = {}
    for block in blocks.values():
        new: set[str] = set()
        for statement in block.body:
            names = {variable.name for variable in statement.list_vars()}
            value = None
            if isinstance(statement, ir.Assign):
                names.discard(statement.target.name)
                value = statement.value
            counts.update(names)
            readers |= {name: statement for name in names & new if _reads_elements(statement, name, type_of)}
            if not (isinstance(statement, ir.Assign) and _is_without_effects(value, type_of)):
                new.clear()
            if operation_of(value) in ("arrayexpr", "call", "getattr"):
                new.add(statement.target.name)
    found = {name for name in readers if counts[name] == 1}
    methods = {
        name
        for name in found
        if getattr(readers[name].value, "op", "") == "getattr" and readers[name].target.name not in found
    }
    return frozenset(found - methods)


def _reads_elements(statement: ir.Stmt, name: str, type_of: dict[str, types.Type]) -> bool:
    """True if a statement that reads an array or a method can take it as `Elements`."""
    if isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
        others = {variable.name for variable in statement.list_vars() if variable is not statement.value}
        return statement.value.name == name and name not in others
    value = getattr(statement, "value", None)
    if not isinstance(value, ir.Expr):
        return False
    if value.op == "inplace_binop":
        return value.rhs.name == name != value.lhs.name
    if value.op == "getattr":
        return is_element_reader(type_of[statement.target.name])
    if value.op == "call":
        return is_element_reader(type_of[value.func.name]) and name in {
            value.func.name,
            *[argument.name for argument in value.args],
        }
    return bool(value.op == "arrayexpr")


def _is_without_effects(value: Any, type_of: dict[str, types.Type]) -> bool:
    if operation_of(value) != "call":
        return not isinstance(value, ir.Expr) or value.op in _WITHOUT_EFFECTS
    function = type_of[value.func.name]
    arguments = [type_of[variable.name] for variable in value.list_vars() if variable.name != value.func.name]
    is_of_numbers = all(isinstance(types.unliteral(type), (types.Number, types.Boolean)) for type in arguments)
    return is_element_reader(function) or (is_of_numbers and not isinstance(function, types.BoundFunction))


class _FrontEnd(compiler.CompilerBase):  # type: ignore[misc]  # Numba has no types
    """Numba's passes up to type inference."""

    def define_pipelines(self) -> list[PassManager]:
        passes = PassManager("front end")
        passes.passes.extend(compiler.DefaultPassBuilder.define_untyped_pipeline(self.state).passes)
        passes.add_pass_after(_inline_generators, InlineClosureLikes)
        passes.add_pass(_split_typed_assignments, "split typed assignments")
        passes.add_pass(NopythonTypeInference, "type inference")
        passes.add_pass(join_array_expressions, "join array expressions")
        passes.finalize()
        return [passes]


def _overloads_of(function: Any) -> list[Any]:
    """Returns Numba's typings of a function that have a Python function, which returns an implementation for given types."""
    try:
        templates = getattr(cpu_target.typing_context.resolve_value_type(function), "templates", ())
    except (NumbaError, TypeError, ValueError):
        return []
    return [template for template in templates if issubclass(template, _OverloadFunctionTemplate)]


def signatures_of(function: Any) -> list[inspect.Signature]:
    """Returns the parameters by which Numba implements a function in Python, those of each implementation; none if it does not."""
    return [inspect.signature(template._overload_func) for template in _overloads_of(function)]


def signatures_of_method(owner: types.Type, name: str) -> list[inspect.Signature]:
    """Returns the parameters, with the owner as the first one, by which Numba implements a method in Python; none if it does not."""
    return [*map(inspect.signature, _overloads_of_method(owner, name))]


def function_of_method(owner: types.Type, name: str) -> Any:
    """Returns the function that Numba types as the method of an owner, which is its first argument; None if Numba does not implement it in Python."""
    return next(iter(_overloads_of_method(owner, name)), None)


def _overloads_of_method(owner: types.Type, name: str) -> list[Any]:
    return [
        template._overload_func
        for template in cpu_target.typing_context._get_attribute_templates(owner)
        if isinstance(template, _OverloadMethodTemplate) and template._attr == name
    ]


def result_type_of_call(function: Any, argument_types: tuple[types.Type, ...]) -> types.Type:
    """Returns the type of the result of a function that Numba types, of arguments of these types."""
    typing = cpu_target.typing_context
    return typing.resolve_function_type(typing.resolve_value_type(function), argument_types, {}).return_type


Given = tuple[list[types.Type], dict[str, types.Type]]
"""The types of arguments, and of those with keywords."""


def implementation(function: Any, given: Given, literals: Given) -> Any:
    """Returns the dispatcher of the Python function by which Numba implements ``function`` for arguments of these types, or None.

    It may need the types ``literals``, which are those of literals where a value is known.
    """
    typing = cpu_target.typing_context
    for template in _overloads_of(function):
        for arguments, keywords in (literals, given) if template.prefer_literal else (given, literals):
            try:
                dispatcher, _ = template(typing)._get_impl(tuple(arguments), keywords)
            except NumbaError:
                continue
            if dispatcher is not None:
                Extensions.uses += not is_of_library(dispatcher.py_func.__module__)
                return dispatcher
    return None


def typed_function(function: Any, argument_types: tuple[types.Type, ...]) -> TypedFunction:
    """Returns ``function`` for arguments of ``argument_types`` in typed SSA form.

    A function that Numba compiled for given signatures takes the types of one of them.

    Raises:
        numba.errors.TypingError: Numba can't compile the function for these types.
        DifferentiationError: it has a ``with`` block.
    """
    if is_of_library(getattr(function, "py_func", function).__module__):
        return _library_function(function, argument_types)
    # The values that a user's function reads may change until it is derived again.
    reached = reached_content(function)
    if reached is None:
        return _typed_function(function, argument_types)
    return _cached_typed_function(function, argument_types, reached, Extensions.count())


def _typed_function(compiled: Any, argument_types: tuple[types.Type, ...]) -> TypedFunction:
    require(Feature.FRONT_END)
    function: FunctionType = getattr(compiled, "py_func", compiled)
    signature = signature_of(compiled, argument_types)
    if signature is not None:  # Numba reads values when the function is decorated, not later
        function = with_captured_values(function, compiled_blocks(compiled, signature.args))
    line = line_of_with_block(function)
    if line is not None:
        raise refuse("a with block can't be differentiated", ir.Loc(function.__code__.co_filename, line))
    flags = compiler.Flags()
    flags.nrt = True
    flags.enable_ssa = True
    typing, target = cpu_target.typing_context, cpu_target.target_context
    load_registries(target)
    typing.refresh()
    library = target.codegen().create_library("fastgrad._src.derivatives")
    return_type = None if signature is None else signature.return_type
    local_types = dict(getattr(compiled, "locals", {}))
    front_end = _FrontEnd(typing, target, library, argument_types, return_type, flags, local_types)
    state = front_end.state
    state.func_id = bytecode.FunctionIdentity.from_function(function)
    ExtractByteCode().run_pass(state)
    state.lifted, state.lifted_from = (), None
    (passes,) = front_end.define_pipelines()
    with inferred_callees(), quick_liveness():
        for callee in called_functions(function):
            # Numba can't compile it while it infers the types of the same function.
            if callee.py_func is getattr(compiled, "py_func", compiled):
                callee.get_call_template(argument_types, {})
        passes.run(state)
    _check_item_types(state)
    _restore_index_variables(state)
    return TypedFunction(
        function.__name__,
        function.__code__,
        state.func_ir,
        state.typemap,
        state.calltypes,
        state.return_type,
        state.func_ir.loc,
        _arrays_read_once(state.func_ir.blocks, state.typemap),
        frozenset(local_types),  # with the versions of variables in SSA form, which Numba adds
        tuple(state.generators.functions),
    )


def _check_item_types(state: Any) -> None:
    """Refuses a loop whose items have several types: Numba casts all that a generator yields to one."""
    scope = next(iter(state.func_ir.blocks.values())).scope
    for name in state.generators.items:
        versions = [version for version in (name, *scope.get_versions_of(name)) if version in state.typemap]
        if len({types.unliteral(state.typemap[version]) for version in versions}) > 1:
            raise refuse("a generator that yields values of several types can't be differentiated", scope.get(name).loc)


def _restore_index_variables(state: Any) -> None:
    """Gives accesses the variables of their indices where Numba took None for the value, which it does for variables of outer comprehensions."""
    for block in state.func_ir.blocks.values():
        for statement in block.find_insts(ir.Assign):
            value = statement.value
            if operation_of(value) != "static_getitem" or value.index is not None:
                continue
            if state.typemap[value.index_var.name] != types.none:
                statement.value = ir.Expr.getitem(value.value, value.index_var, value.loc)


_library_function = functools.lru_cache(maxsize=512)(_typed_function)


@functools.lru_cache(maxsize=256)
def _cached_typed_function(
    function: Any, argument_types: tuple[types.Type, ...], reached: Reached, extension_count: int
) -> TypedFunction:
    """Returns ``function`` in typed SSA form, which depends on what it reaches and on users' extensions of Numba."""
    return _typed_function(function, argument_types)
