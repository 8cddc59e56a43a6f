"""Calls of functions whose adjoints and tangents are functions, too: LAPACK's functions, and functions with ``fg.adjoint``.

The operands of the statement ``ir.Call`` are real numbers and arrays of them, not tuples. The source written here converts them to the arguments of the functions, and
checks the results of the functions.
"""

from __future__ import annotations

import ctypes
import dataclasses
import dis
import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.codegen.complex_arrays import complex_of_parts, real_parts
from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingCompiler
from fastgrad._src.derivatives.codegen.tape_memory import contiguous
from fastgrad._src.derivatives.functions.numba_types import is_complex_type, number_type, rank_of_type
from fastgrad._src.derivatives.functions.parameters import Types, name_of
from fastgrad._src.derivatives.ir.call_rules import CallRule
from fastgrad._src.derivatives.ir.operands import zero_text
from fastgrad._src.derivatives.ir.scalar_operations import GLOBALS_OF_CODE
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import CFunc, cpu_target

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


def place_of(function: Any) -> str:
    """Returns the file and the line of a function, or its name if it has none."""
    code = getattr(getattr(function, "py_func", function), "__code__", None)
    return name_of(function) if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def compiled_text(name: str, parameters: Sequence[str], lines: list[str], scope: dict[str, Any]) -> Any:
    """Returns the function of a text, which Numba compiles when it is called."""
    source = "\n    ".join([f"def {name}({', '.join(parameters)}):", *lines]) + "\n"
    function = generated_function(
        name,
        source,
        name,
        {"np": np, "real_parts": real_parts, "complex_of_parts": complex_of_parts, **GLOBALS_OF_CODE, **scope},
    )
    return numba.njit(function, pipeline_class=ReleasingCompiler)


def result_type_of(function: Any, argument_types: Sequence[types.Type]) -> types.Type:
    """Returns the type that Numba infers for the result of a function that it compiled."""
    signature = cpu_target.typing_context.resolve_function_type(types.Dispatcher(function), tuple(argument_types), {})
    return signature.return_type


def signature_of_foreign(function: Any) -> inspect.Signature:
    """Returns the parameters of a function of ``ctypes`` or ``numba.cfunc``."""
    if isinstance(function, CFunc):
        return inspect.signature(function.__wrapped__)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(f"x_{number}", kind) for number in range(len(function.argtypes or ()))])


def own_rule_of(function: Any) -> FunctionRule | None:
    """Returns the rule that a function got by ``fg.adjoint``; for other functions of C one without an adjoint."""
    rule: FunctionRule | None = getattr(function, "own_adjoint", None)
    if rule is None and isinstance(function, (CFunc, ctypes._CFuncPtr)):  # type: ignore[attr-defined]  # all functions of ctypes
        rule = FunctionRule(function, signature=signature_of_foreign(function))
    return rule


def is_real(type: types.Type) -> bool:
    """True if values of ``type``, a number or an array, may have derivatives."""
    return isinstance(number_type(type), (types.Float, types.Complex))


def parts_of(type: types.Type) -> Types:
    """Returns the types of a function's results: the items of a tuple, else the only one."""
    return tuple(type) if isinstance(type, types.BaseTuple) else (type,)


def tuple_text(texts: Sequence[str]) -> str:
    """Returns the text of a tuple."""
    return f"({''.join(text + ', ' for text in texts)})"


def bound_name(scope: dict[str, Any], value: Any) -> str:
    """Returns the name of a value, which is put into ``scope``."""
    name = f"value_{len(scope)}"
    scope[name] = value
    return name


def real_types_of(type: types.Type) -> list[types.Type]:
    """Returns the types of the real numbers or arrays that a number or an array is made of."""
    if isinstance(type, types.Complex):
        return [type.underlying_float] * 2
    if is_complex_type(type):
        return [types.Array(type.dtype.underlying_float, type.ndim + 1, "C")]
    return [type]


def text_of_parts(type: types.Type, parts: list[str]) -> str:
    """Returns the text of a number or an array from those of the real ones that it is made of."""
    if not is_complex_type(type):
        return parts[0]
    if isinstance(type, types.Array):
        return f"complex_of_parts({parts[0]})"
    text = f"complex({', '.join(parts)})"
    return text if type == types.complex128 else f"np.{type}({text})"


def texts_of_parts(type: types.Type, text: str) -> list[str]:
    """Returns the texts of the real numbers or arrays that a number or an array is made of, from its text."""
    if not is_complex_type(type):
        return [text]
    return [f"real_parts({text})"] if isinstance(type, types.Array) else [f"{text}.real", f"{text}.imag"]


def _converted_texts(given: types.Type, text: str, wanted: types.Type, may_be_strided: bool) -> list[str] | None:
    """Returns the texts of the real numbers or arrays of a value, converted from type ``given`` to ``wanted``; None if it can't be."""
    is_complex = is_complex_type(wanted)
    if is_complex_type(given) > is_complex:
        return None
    if isinstance(wanted, types.Array):
        if not isinstance(given, types.Array) or given.ndim != wanted.ndim or not is_real(given):
            return None
        if is_complex and not is_complex_type(given):
            text = f"{text}.astype(np.{wanted.dtype})"
        text = text if may_be_strided or given.layout == "C" else f"np.ascontiguousarray({text})"
        return texts_of_parts(wanted, text)
    if is_complex:
        is_number = isinstance(given, types.Number)
        return [f"_{wanted.underlying_float}({text}.{part})" for part in ("real", "imag")] if is_number else None
    is_number = isinstance(given, (types.Float, types.Integer, types.Boolean))
    return [text if given == wanted else f"_{wanted}({text})"] if is_number else None


class Values:
    """The real numbers and arrays in values of some types, from left to right."""

    def __init__(self, value_types: Sequence[types.Type]) -> None:
        self.value_types = [types.unliteral(type) for type in value_types]
        self.types = [part for type in self.value_types for leaf in self._leaves(type) for part in real_types_of(leaf)]
        self.active = [number for number, type in enumerate(self.types) if is_real(type)]

    def _leaves(self, type: types.Type) -> Iterator[types.Type]:
        if isinstance(type, types.BaseTuple):
            for item in type:
                yield from self._leaves(types.unliteral(item))
        elif not isinstance(type, (types.NoneType, types.Dispatcher)):
            yield type

    def unpack(self, prefix: str, text: str) -> tuple[list[str], list[str]]:
        """Returns the lines that give the items of the only value variables, and the texts of the real numbers and arrays, in C order."""
        leaves: list[str] = []

        def pattern(type: types.Type) -> str:
            type = types.unliteral(type)
            if isinstance(type, types.BaseTuple):
                return tuple_text([pattern(item) for item in type])
            if isinstance(type, (types.NoneType, types.Dispatcher)):
                return "_"
            name = f"{prefix}_{len(leaves)}_{rank_of_type(type)}"
            leaves.extend(texts_of_parts(type, f"contiguous({name})" if isinstance(type, types.Array) else name))
            return name

        (type,) = self.value_types
        return [f"{pattern(type)} = {text}"], leaves

    def names(self, prefix: str) -> list[str]:
        """Returns a variable for each."""
        return [f"{prefix}_{number}" for number in range(len(self.types))]

    def texts_of_values(
        self, prefix: str, scope: dict[str, Any], *, real_only: bool
    ) -> tuple[list[str], list[types.Type]]:
        """Returns the texts of the values, made of the variables, and their types; with ``real_only`` None takes the place of others than floats."""
        names = iter(self.names(prefix))

        def walk(type: types.Type) -> tuple[str, types.Type]:
            type = types.unliteral(type)
            if isinstance(type, types.BaseNamedTuple):
                items = [walk(item) for item in type]
                text = f"{bound_name(scope, type.instance_class)}({', '.join(text for text, _ in items)})"
                return text, types.NamedTuple([item for _, item in items], type.instance_class)
            if isinstance(type, types.BaseTuple):
                items = [walk(item) for item in type]
                return tuple_text([text for text, _ in items]), types.Tuple([item for _, item in items])
            if isinstance(type, types.Dispatcher) and not real_only:
                return bound_name(scope, type.dispatcher), type
            if isinstance(type, (types.NoneType, types.Dispatcher)):
                return "None", types.none
            parts = [next(names) for _ in real_types_of(type)]
            if real_only and not is_real(type):
                return "None", types.none
            text = text_of_parts(type, parts)
            return text, types.Array(type.dtype, type.ndim, "C") if isinstance(type, types.Array) else type

        texts = [walk(type) for type in self.value_types]
        return [text for text, _ in texts], [type for _, type in texts]


@dataclasses.dataclass(eq=False)
class FunctionRule:
    """How calls of a function are differentiated: a rule of ``array_functions.RULES``, or the attribute ``own_adjoint`` of the function.

    Args:
        function: what Numba can call.
        adjoint: a dispatcher of the cotangents of the results, the results and the arguments that returns the cotangents of the arguments,
            a tuple if there are several. None if there is none.
        tangent: a dispatcher of the tangents of the arguments, the results and the arguments that returns the tangents of the results. None
            if there is none.
        is_constant: whether the derivative is 0.
        signature: the function's parameters. None: the last ones of the adjoint.
        kept: a function of the library that calls it, whose code is on disk; None if there is none.
    """

    function: Any
    adjoint: Any = None
    tangent: Any = None
    is_constant: bool = False
    signature: inspect.Signature | None = None
    kept: Any = None
    rules: dict[tuple[Types, types.Type], TypedRule] = dataclasses.field(default_factory=dict, init=False)

    def __call__(
        self, lowering: Lowering, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type
    ) -> Any:
        """Lowers a call of the function."""
        result_type = types.unliteral(result_type)
        signature = self.signature
        if signature is None:
            parameters = list(inspect.signature(self.adjoint.py_func).parameters.values())
            signature = inspect.Signature(parameters[2 * len(parts_of(result_type)) :])
        values, argument_types = lowering.calls.bind_values(signature, arguments, keywords)
        return lowering.calls.call_by_rule(self.rule_for(argument_types, result_type), values, result_type)

    def rule_for(self, argument_types: Types, result_type: types.Type) -> TypedRule:
        """Returns the rule of calls with arguments of some types."""
        key = (argument_types, result_type)
        if key not in self.rules:
            self.check(argument_types)
            self.rules[key] = TypedRule(self, argument_types, result_type)
        return self.rules[key]

    def check(self, argument_types: Types) -> None:
        """Raises if the function can't have this rule for arguments of these types."""

    def check_adjoint(self, adjoint: Any, cotangents: Sequence[types.Type], known: Sequence[types.Type]) -> None:
        """Raises if the adjoint can't take the cotangents and the results and arguments."""

    def derived_tangent(self, rule: TypedRule) -> Any:
        """Returns the tangent that comes of the adjoint; None if there is none."""


class TypedRule(CallRule):
    """The rule of a function for arguments of some types, as functions of numbers and arrays."""

    def __init__(self, owner: FunctionRule, argument_types: Types, result_type: types.Type) -> None:
        self.owner = owner
        self.name = name_of(owner.function)
        self.arguments = Values(argument_types)
        self.results = Values(parts_of(result_type))
        for what, values in (("an argument", self.arguments), ("a result", self.results)):
            for type in values.types:
                number = number_type(type)
                if not isinstance(number, (types.Float, types.Integer, types.Boolean)):
                    raise self.error(
                        owner.function,
                        f"has {what} of type {type}; with an adjoint of its own it may have numbers, arrays of numbers and tuples",
                    )
        if not self.results.types:
            raise self.error(owner.function, "returns nothing, so that it can have no adjoint")
        self.active = () if owner.is_constant else tuple(self.arguments.active)
        self.adjoint = None if owner.adjoint is None else self._adjoint(owner.adjoint)
        self.unread = frozenset() if owner.adjoint is None else self._unread_leaves(owner.adjoint)
        self.function = self._function(result_type)

    def error(self, function: Any, what: str) -> DifferentiationError:
        """Returns the error for a function that does not fit."""
        return DifferentiationError(f"{place_of(function)}: {name_of(function)} {what}.")

    def _function(self, result_type: types.Type) -> Any:
        """Returns the function of numbers and arrays. Its results are new arrays in C order."""
        scope: dict[str, Any] = {"call": self.owner.kept or self.owner.function, "contiguous": contiguous}
        texts, _ = self.arguments.texts_of_values("x", scope, real_only=False)
        lines, leaves = Values([result_type]).unpack("y", f"call({', '.join(texts)})")
        lines.append(f"return {leaves[0] if len(leaves) == 1 else tuple_text(leaves)}")
        function = compiled_text("function", self.arguments.names("x"), lines, scope)
        function.call_rule = lambda _: (
            self,
            types.Tuple(self.results.types) if len(leaves) > 1 else self.results.types[0],
        )
        return function

    def _adjoint(self, adjoint: Any) -> Any:
        scope: dict[str, Any] = {"call": adjoint}
        g, g_types = self.results.texts_of_values("g", scope, real_only=True)
        y, y_types = self.results.texts_of_values("y", scope, real_only=False)
        x, x_types = self.arguments.texts_of_values("x", scope, real_only=False)
        self.owner.check_adjoint(adjoint, g_types, [*y_types, *x_types])
        returned = result_type_of(adjoint, [*g_types, *y_types, *x_types])
        checked, checks = self._check_shapes(adjoint, returned, self.arguments, "x", "cotangent", "argument")
        lines = [
            f"e = call({', '.join([*g, *y, *x])})",
            *checks,
            f"return {tuple_text([checked[number] for number in self.active])}",
        ]
        names = [*self.results.names("g"), *self.results.names("y"), *self.arguments.names("x")]
        return compiled_text("adjoint", names, lines, scope)

    @functools.cached_property
    def tangent(self) -> Any:
        """The dispatcher of the tangents of active arguments, the results and the arguments that returns the tangents of the results."""
        if self.owner.tangent is None:
            return self.owner.derived_tangent(self)
        scope: dict[str, Any] = {"call": self.owner.tangent}
        t, t_types = self.arguments.texts_of_values("t", scope, real_only=True)
        y, y_types = self.results.texts_of_values("y", scope, real_only=False)
        x, x_types = self.arguments.texts_of_values("x", scope, real_only=False)
        returned = result_type_of(self.owner.tangent, [*t_types, *y_types, *x_types])
        checked, checks = self._check_shapes(self.owner.tangent, returned, self.results, "y", "tangent", "result")
        # They are in C order, as the results are.
        lines = [f"e = call({', '.join([*t, *y, *x])})", *checks, f"return {tuple_text(checked)}"]
        names = [f"t_{number}" for number in self.active]
        return compiled_text("tangent", [*names, *self.results.names("y"), *self.arguments.names("x")], lines, scope)

    def _check_shapes(
        self, function: Any, returned: types.Type, values: Values, prefix: str, what: str, of_what: str
    ) -> tuple[list[str], list[str]]:
        """Returns the texts of the cotangents or tangents of ``values``, which ``function`` returned as ``e``, and lines that check their shapes."""
        names = iter(values.names(prefix))
        texts: list[str] = []
        checks: list[str] = []
        count = len(values.value_types)

        def refusal(given: types.Type, wanted: types.Type, number: int) -> DifferentiationError:
            return self.error(
                function, f"returned {given} for the {what} of {of_what} {number}, whose type is {wanted}"
            )

        def walk(given: types.Type, text: str, wanted: types.Type, number: int) -> None:
            given, wanted = types.unliteral(given), types.unliteral(wanted)
            if isinstance(wanted, types.BaseTuple):
                is_tuple = isinstance(given, types.BaseTuple) and len(given) == len(wanted)
                if not is_tuple and given != types.none:
                    raise refusal(given, wanted, number)
                for place, item in enumerate(wanted):
                    walk(given[place] if is_tuple else given, f"{text}[{place}]" if is_tuple else text, item, number)
                return
            if isinstance(wanted, (types.NoneType, types.Dispatcher)):
                return
            parts = {next(names): part for part in real_types_of(wanted)}
            if given == types.none or not is_real(wanted):
                is_array = isinstance(wanted, types.Array)
                texts.extend(f"np.zeros_like({part})" if is_array else zero_text(type) for part, type in parts.items())
                return
            converted = _converted_texts(given, text, wanted, prefix == "x")
            if converted is None:
                raise refusal(given, wanted, number)
            texts.extend(converted)
            if isinstance(wanted, types.Array):
                message = f"{name_of(function)}: the {what} of {of_what} {number} has another shape than the {of_what}"
                shape = f"{text_of_parts(wanted, [*parts])}.shape"
                checks.extend([f"if {text}.shape != {shape}:", f"    raise ValueError({message!r})"])

        if count == 1:
            walk(returned, "e", values.value_types[0], 0)
            return texts, checks
        is_all = isinstance(returned, types.BaseTuple) and len(returned) == count
        if not is_all and returned != types.none:
            raise self.error(
                function,
                f"returned {returned}; {self.name} has {count} {of_what}s: return a tuple of {count} {what}s, None for those without",
            )
        for number, wanted in enumerate(values.value_types):
            walk(returned[number] if is_all else types.none, f"e[{number}]", wanted, number)
        return texts, checks

    def _unread_leaves(self, adjoint: Any) -> frozenset[int]:
        """Returns the numbers of the results and arguments, leaf by leaf, whose contents the adjoint does not read."""
        loaded: set[Any] = set()
        for instruction in dis.get_instructions(adjoint.py_func):
            value = instruction.argval
            loaded.update(value if isinstance(value, tuple) else [value])
        parameters = list(inspect.signature(adjoint.py_func).parameters)[len(self.results.value_types) :]
        flags: list[bool] = []
        for parameter, type in zip(parameters, [*self.results.value_types, *self.arguments.value_types], strict=False):
            flags += [parameter not in loaded] * len(Values([type]).types)
        return frozenset(number for number, flag in enumerate(flags) if flag)
