"""Lowering of calls: of compiled functions, which are inlined, of recursive functions, of functions with rules, and of all others."""

from __future__ import annotations

import inspect
import random
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import TypingError, types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.codegen.inferred_overloads import called_functions, line_of_with_block
from fastgrad._src.derivatives.frontend import (
    array_expressions,
    containers,
    methods,
    python_functions,
    random_generators,
)
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.adjoint_calls import TypedRule, own_rule_of
from fastgrad._src.derivatives.frontend.operands import Part
from fastgrad._src.derivatives.frontend.splicing import Spliced, splice
from fastgrad._src.derivatives.frontend.typed_functions import (
    TypedFunction,
    function_of_method,
    implementation,
    result_type_of_call,
    signatures_of,
)
from fastgrad._src.derivatives.functions.options import Options
from fastgrad._src.derivatives.functions.parameters import place, signature_of
from fastgrad._src.derivatives.ir import scalar_rules, special_functions
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Location,
    Operand,
    Scalar,
    Value,
    View,
    leaf_types_of,
    refuse,
)
from fastgrad._src.derivatives.ir.statements import COST_OF_EFFECTS
from fastgrad._src.derivatives.ir.values import (
    Complex,
    FunctionChoice,
    Items,
    Method,
    RandomGenerator,
    Selection,
    Static,
    describe,
    is_complex,
    is_hashable,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.numpy import loop_sources
from fastgrad._src.jit.numba_internals import DUFunc, ForceLiteralArg, GUFunc, StencilFunc, _Intrinsic, dispatcher, ir
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import COTANGENT, DIVISION_COST, OPERANDS, RESULT, ScalarOperation, Term

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


LARGE_CALLEE, LARGE_PROGRAM = 200, 1_500
"""The statements from which a function and a program are large: then later calls of the function are calls, not inlined."""
MAX_DEPTH, MAX_CALLS = 64, 4_000
"""The limits on calls within calls, and on all calls that are inlined: more is taken for recursion."""
RANDOM_DRAWS: frozenset[Any] = frozenset(
    [
        *(np.random.random, np.random.random_sample, np.random.ranf, np.random.sample),
        *(np.random.standard_normal, np.random.randint, np.random.seed),
        *(random.random, random.uniform, random.gauss, random.normalvariate, random.seed),
    ]
)
"""The draws that others are made of (``numpy/functions.py``), those of ``random.uniform`` and ``random.gauss`` with constant parameters."""
SMOOTH_DRAWS: frozenset[Any] = frozenset(
    [
        *(np.random.gumbel, np.random.laplace, np.random.logistic, np.random.lognormal, np.random.pareto),
        *(np.random.power, np.random.rayleigh, np.random.standard_cauchy, np.random.standard_exponential),
        *(np.random.triangular, np.random.weibull, np.random.permutation, np.random.shuffle, np.random.choice),
        *(random.expovariate, random.lognormvariate, random.paretovariate, random.weibullvariate, random.triangular),
    ]
)
"""The draws whose results Numba computes smoothly from the parameters and draws that don't depend on these. Others reject draws, which makes jumps."""
_GAMMA = (None, COTANGENT * RESULT / OPERANDS[1])
_VON_MISES = (terms.where(OPERANDS[1] > 1e-6, COTANGENT, 0.0), None)  # uniform below
PARTIALS_OF_DRAWS: dict[Any, tuple[Term | None, ...]] = {
    np.random.gamma: _GAMMA,
    random.gammavariate: _GAMMA,
    np.random.vonmises: _VON_MISES,
    random.vonmisesvariate: _VON_MISES,
}
"""The partials of draws with respect to parameters that scale or shift them."""
KEPT_CALLS: set[Any] = {
    *(loop_sources.range_count, containers.list_position, view_rules.slice_bound, view_rules.backward_bound),
    *(
        loop_sources.broadcast_size,
        loop_sources.broadcast_step,
        loop_sources.broadcast_to_step,
        loop_sources.assigned_step,
        loop_sources.common_size,
    ),
    *(loop_sources.checked_nonempty_size, loop_sources.checked_index, loop_sources.checked_first_index),
    view_rules.checked_first_size,
}
"""The functions of integers that are called, not inlined."""
PARAMETERS_OF_METHODS = {**dict.fromkeys(["get", "pop", "setdefault"], ("key", "default")), "sort": ("key", "reverse")}
"""The parameters of methods of lists and dictionaries that calls may name."""
builtin_type = type


def literal_type(value: Any, type: types.Type, kinds: Any = (str, int)) -> types.Type:
    """Returns the type of a literal for a value of ``type`` that is known and one of the Python types ``kinds``, else ``type``."""
    known = static_value(value)
    literal = types.literal(known) if isinstance(known, kinds) else type
    return literal if types.unliteral(literal) == type else type


def refuse_literal(function: Any, position: int, location: Location) -> DifferentiationError:
    """Returns the error for an argument that is not known, for which ``numba.literally`` asks."""
    function = getattr(function, "py_func", function)
    return refuse(
        f"{function.__name__} needs a literal for {[*inspect.signature(function).parameters][position]} (numba.literally), and a derivative has one "
        "only where a function of njit passes a constant; write such a function",
        location,
    )


class Calls(Part):
    """Lowers the calls of functions."""

    def __init__(self, lowering: Lowering) -> None:
        super().__init__(lowering)
        self._calls = 0
        self._is_in_implementation = False
        self._generator_call = lowering.builder.location
        self._large_callees: set[Any] = set()

    def inline(self, function: Any, arguments: list[Any], error_model: str = "numpy") -> Any:
        """Lowers a call of a Python function, or of one that Numba compiled, in place; returns its result."""
        builder = self._builder
        is_compiled = isinstance(function, dispatcher.Dispatcher)
        options = Options.of(function) if is_compiled else Options(error_model)
        self._calls += 1
        if len(self._lowering.frames) >= MAX_DEPTH or self._calls > MAX_CALLS:
            name = getattr(function, "py_func", function).__name__
            raise builder.refuse(
                f"{name} calls itself with arguments that are not numbers, arrays or tuples of them, which can't be differentiated, "
                f"unless constants end it within {MAX_DEPTH} calls; use a loop"
            )
        location = builder.location
        is_internal = not is_compiled or (bool(self._lowering.frames) and self._lowering.frame.is_internal)
        result = self._lowering.body(self._typed_call(function, arguments), arguments, options, is_internal)
        builder.location = location
        return result

    def _typed_call(self, function: Any, arguments: list[Any]) -> TypedFunction:
        """Returns a function in typed SSA form. Arguments for which it asks by ``numba.literally`` have the types of literals."""
        argument_types = self._operands.types_of(arguments)
        try:
            return self._lowering.typed(function, tuple(argument_types))
        except ForceLiteralArg as request:
            for position in request.requested_args:
                argument_types[position] = literal_type(arguments[position], argument_types[position])
                if not isinstance(argument_types[position], types.Literal):
                    raise refuse_literal(function, position, self._builder.location) from None
        return self._lowering.typed(function, tuple(argument_types))

    def call_compiled(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Lowers a call of a function that Numba compiled, with default values for arguments that are not given."""
        signature = inspect.signature(getattr(function, "py_func", function))
        bound = signature.bind(*arguments, **keywords)
        given: list[Any] = []
        for name, parameter in signature.parameters.items():
            value = bound.arguments.get(name)
            if parameter.kind is parameter.VAR_POSITIONAL:
                value = tuple_of(list(value or ()))
            given.append(
                value if name in bound.arguments or value is not None else self._operands.static(parameter.default)
            )
        chosen = signature_of(function, tuple(self._operands.types_of(given)))
        if chosen is not None:
            given = [self._operands.cast(value, type) for value, type in zip(given, chosen.args, strict=True)]
        is_recursive = isinstance(function, dispatcher.Dispatcher) and function in called_functions(function.py_func)
        if is_recursive or self._is_called_without_inlining(function, given):
            parts = [leaf for value in given for leaf in value.leaves]
            parts = [part for part in parts if not isinstance(getattr(part, "value", None), dispatcher.Dispatcher)]
            if all(isinstance(part, (Constant, Scalar, Complex, View)) for part in parts):
                try:
                    return self._call_of_callee(function, given, parts)
                except (DifferentiationError, ForceLiteralArg):
                    if is_recursive:
                        raise
        before = self._builder.statement_count
        result = self.inline(function, given)
        if self._builder.statement_count - before > LARGE_CALLEE:
            self._large_callees.add((function, tuple(self._operands.types_of(given))))
        return result

    def _is_called_without_inlining(self, function: Any, arguments: list[Any]) -> bool:
        """True for a large function that is inlined already, in a program that would take long to compile."""
        if not self._large_callees or self._builder.statement_count <= LARGE_PROGRAM:
            return False
        return (function, tuple(self._operands.types_of(arguments))) in self._large_callees

    def _call_of_callee(self, function: Any, arguments: list[Any], parts: list[Any]) -> Any:
        """Lowers a call of a function that is not inlined, whose arguments are made of ``parts``."""
        callee = self._lowering.callee(function, tuple(self._operands.types_of(arguments)))
        numbers = [getattr(type, "dtype", type) for type in leaf_types_of(callee.result)]
        if any(map(is_complex, parts)) or any(isinstance(number, types.Complex) for number in numbers):
            raise self._builder.refuse(
                f"{function.py_func.__name__} calls itself, with complex numbers: their real and imaginary parts can be passed"
            )
        for position, part in enumerate(parts):
            if part.is_array and not part.has_slices():
                if position in callee.written | callee.returned:
                    raise self._builder.refuse(
                        f"{function.py_func.__name__} is recursive and writes or returns an array that repeats elements; pass a copy"
                    )
                parts[position] = self._operands.plain(part)
        return self._append_call(callee, parts, callee.result)

    def call_expression(self, name: str, value: ir.Expr) -> Any:
        """Lowers a call."""
        builder = self._builder
        function = self._operands.value(value.func)
        is_compiled = isinstance(function, Static) and isinstance(function.value, dispatcher.Dispatcher)
        arguments = [
            (is_compiled and self._lowering.subscripts.selection(other)) or self._operands.optional_value(other)
            for other in value.args
        ]
        if value.vararg is not None:
            vararg = self._operands.value(value.vararg)
            if not isinstance(vararg, Items):
                raise builder.refuse("a call with *args of this kind can't be differentiated")
            arguments += vararg.values
        if value.varkwarg is not None:
            raise builder.refuse("a call with **kwargs can't be differentiated")
        keywords = {
            key: (is_compiled and self._lowering.subscripts.selection(other)) or self._operands.value(other)
            for key, other in dict(value.kws).items()
        }
        result_type = self._lowering.frame.function.types[name]
        if not is_compiled:
            arguments = [self._operands.definite(argument) for argument in arguments]
        if isinstance(function, Method) and function.owner.kind is not None:
            arguments = self._with_keywords(function, arguments, keywords)
            return methods.call(self._lowering, function.owner, function.name, arguments, result_type)
        if isinstance(function, Method) and isinstance(getattr(function.owner, "type", None), types.ClassInstanceType):
            method = function.owner.type.jit_methods[function.name]
            return self.call_compiled(method, [function.owner, *arguments], keywords)
        if isinstance(function, Method) and isinstance(function.owner, RandomGenerator):
            return self._operands.array_of_elements(name, self._call_generator(function, arguments, keywords))
        if isinstance(function, Method):
            arguments = containers.as_arrays(self._lowering, arguments)
            result = self._lowering.array_functions.call_method(
                self._lowering, function, arguments, keywords, result_type
            )
            return self._operands.array_of_elements(name, result)
        if isinstance(function, FunctionChoice):
            return self._call_chosen_function(function, arguments, result_type)
        if not isinstance(function, Static):
            raise builder.refuse(f"a call of {describe(function)} can't be differentiated")
        return self._call_per_selected_array(name, function.value, arguments, keywords, result_type)

    def _call_per_selected_array(
        self, name: str, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type
    ) -> Any:
        """Lowers the call of a known function. For an argument that is one of several arrays of a tuple it is called for each, in a branch."""
        given: dict[Any, Any] = {**dict(enumerate(arguments)), **keywords}
        key = next((key for key, value in given.items() if isinstance(value, Selection)), None)
        if key is None:
            return self._call_known_function(name, function, arguments, keywords, type)

        def call(view: View) -> Any:
            positional, named = list(arguments), dict(keywords)
            (positional if key in range(len(positional)) else named)[key] = view
            value = self._call_per_selected_array("", function, positional, named, type)
            return self._operands.cast(array_expressions.materialize(self._lowering, value), types.unliteral(type))

        return self._lowering.phis.choose(type, given[key].items, given[key].index, call)

    def _call_known_function(
        self, name: str, function: Any, arguments: list[Any], keywords: dict[str, Any], result_type: types.Type
    ) -> Any:
        """Lowers the call of a known function, whose result is assigned to ``name``."""
        special_name = special_functions.special_name(function)
        if keywords and (special_name is not None or isinstance(function, np.ufunc)):
            raise self._builder.refuse(
                f"a call of {describe(Static(function))} with keywords can't be differentiated, and Numba can't compile it: "
                "pass arguments by position, the array for the result as the last one"
            )
        if special_name is not None:
            return special_functions.call(self._lowering, special_name, function, arguments, result_type)
        own_rule = own_rule_of(function)
        if own_rule is not None:
            return own_rule(self._lowering, arguments, keywords, result_type)
        return self._operands.array_of_elements(name, self.call(function, arguments, keywords, result_type, name))

    def _with_keywords(self, method: Method, arguments: list[Any], keywords: dict[str, Any]) -> list[Any]:
        """Returns all arguments of a method of a list, a dictionary or a set; refuses keywords that it does not know."""
        if not keywords:
            return arguments
        names = PARAMETERS_OF_METHODS.get(method.name, ())[len(arguments) :]
        if keywords.keys() - {*names}:
            raise self._builder.refuse(
                f"the method {method.name} of a list, a set or a dictionary can't be differentiated with the keyword {', '.join(keywords)}: "
                "pass it by position"
            )
        return [*arguments, *[keywords.get(name, Static(None)) for name in names]]

    def _call_chosen_function(self, choice: FunctionChoice, arguments: list[Any], type: types.Type) -> Any:
        """Lowers the call of a function that is chosen when the derivative runs: a branch for each."""
        type = types.unliteral(type)
        if choice.type.is_precise():
            arguments = [
                self._operands.cast(value, wanted)
                for value, wanted in zip(arguments, choice.type.signature.args, strict=True)
            ]
        materialize = array_expressions.materialize
        arguments = [materialize(self._lowering, argument) for argument in arguments]

        def call(function: Any) -> Any:
            value = self._call_known_function("", function, arguments, {}, type)
            return self._operands.cast(materialize(self._lowering, value), type)

        return self._lowering.phis.choose(type, choice.functions, choice.index, call)

    def call(self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type, hint: str) -> Any:
        """Lowers the call of a function."""
        builder = self._builder
        type = types.unliteral(type)
        if not is_hashable(function):
            raise builder.refuse(f"a call of {describe(Static(function))} can't be differentiated")
        if isinstance(function, dispatcher.Dispatcher):
            return self._call_dispatcher(function, arguments, keywords, type, hint)
        if isinstance(function, types.Number):
            function = np.dtype(str(function)).type
        if function not in (len, zip, enumerate, iter, isinstance, bool):
            arguments = containers.as_arrays(self._lowering, arguments)
        if isinstance(function, (DUFunc, GUFunc, StencilFunc)):
            return self._call_kernel(function, arguments, keywords, type)
        rule = self._lowering.array_functions.RULES.get(function)
        given = arguments, keywords  # what the signature of Numba's own implementation takes
        arguments, keywords, target = self.bind_positionally(signatures_of(function), arguments, keywords)
        if isinstance(function, np.ufunc) and len(arguments) > function.nin and function.nout == 1:
            arguments, target = arguments[: function.nin], arguments[function.nin]
        if target is not None and (rule is not None or scalar_rules.is_known(function)):
            return self._call_with_out_array(function, arguments, target, hint)
        if target is not None:
            arguments, keywords = given
        result = python_functions.call(self._lowering, function, arguments, keywords, type)
        if result is not NotImplemented:
            return result
        if rule is not None:
            result = rule(self._lowering, arguments, keywords, type)
            if result is not NotImplemented:
                return result
        if isinstance(function, builtin_type) and issubclass(function, BaseException):
            return Static(function)
        return self._call_without_rule(function, given, arguments, keywords, type, hint)

    def _call_without_rule(
        self,
        function: Any,
        given: tuple[list[Any], dict[str, Any]],
        arguments: list[Any],
        keywords: dict[str, Any],
        type: types.Type,
        hint: str,
    ) -> Any:
        """Lowers the call of a function of numbers, of a random draw, or of one that Numba implements in Python, which takes the arguments as ``given``."""
        builder, is_known = self._builder, scalar_rules.is_known(function)
        arguments = [array_expressions.materialize(self._lowering, argument) for argument in arguments]
        if function in RANDOM_DRAWS:
            return self._draw(function, arguments, keywords, type)
        if function in random_generators.DRAWS and isinstance(arguments[0], RandomGenerator):
            return self._draw_from_generator(function, arguments[0], arguments[1:], type)
        if not is_known:
            owner = getattr(function, "__self__", None)
            if isinstance(owner, (np.random.RandomState, random.Random)) and function not in SMOOTH_DRAWS:
                return self._draw(function, arguments, keywords, type)
            positional = [array_expressions.materialize(self._lowering, argument) for argument in given[0]]
            compiled = self._implementation(function, positional, given[1])
            if compiled is not None:
                return self._call_implementation(compiled, describe(Static(function)), positional, given[1])
        if keywords:
            raise builder.refuse(f"a call of {describe(Static(function))} with keywords can't be differentiated")
        if is_known:
            return self._apply_function(function, arguments, type, hint)
        if isinstance(function, _Intrinsic):
            raise builder.refuse("an intrinsic function of Numba, machine code, can't be differentiated")
        raise builder.refuse(f"a call of {describe(Static(function))} can't be differentiated")

    def bind_positionally(
        self, signatures: list[inspect.Signature], arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any], Any]:
        """Returns the arguments of a call in the order of the parameters, and apart the array that the caller gave for the result, or None.

        Parameters that are left out before the last given one have their default values. A call that fits no signature stays as it is.
        """
        for signature in signatures:
            try:
                bound = signature.bind(*arguments, **keywords)
            except TypeError:
                continue
            target = bound.arguments.pop("out", None)
            names = [name for name in signature.parameters if name != "out"]
            last = max((names.index(name) for name in bound.arguments), default=-1)
            bound.apply_defaults()
            values: list[Any] = []
            for name in names[: last + 1]:
                value = bound.arguments[name]
                if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                    values += value
                else:
                    values.append(value if isinstance(value, Value) else self._operands.static(value))
            return values, {}, target if isinstance(target, View) else None
        return arguments, keywords, None

    def _call_with_out_array(self, function: Any, arguments: list[Any], target: View, hint: str) -> Any:
        """Lowers the call of a function that writes its result to an array that the caller gave; returns the array."""
        array_functions, is_ufunc = self._lowering.array_functions, isinstance(function, np.ufunc)
        is_by_element = is_ufunc or function in array_functions.ELEMENT_BY_ELEMENT
        array_functions.check_overlap(self._lowering, target, arguments, is_by_element)
        type = result_type_of_call(function, tuple(self._operands.types_of(arguments)))
        result = array_expressions.materialize(self._lowering, self.call(function, arguments, {}, type, hint))
        if not is_ufunc:
            array_functions.check_sizes(self._lowering, target, result)
        array_functions.assign(self._lowering, target, result)
        return target

    def _call_dispatcher(
        self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type, hint: str
    ) -> Any:
        """Lowers the call of a function that Numba compiled."""
        builder = self._builder
        if function in KEPT_CALLS:
            operands = [self._operands.scalar(argument) for argument in arguments]
            operation = builder.call_of(function, len(operands))
            return builder.index(operation, *operands, cost=DIVISION_COST, is_natural=True)
        if all(value.is_number for value in arguments):
            if function is scalar_rules.where:
                return self._lowering.operators.where(arguments, type, hint)
            if function in scalar_rules.PARTIALS:
                return self._apply_function(function, arguments, type, hint)
        if hasattr(function, "lowering_rule"):
            return function.lowering_rule(self._lowering, arguments)
        rule = getattr(function, "call_rule", None)
        if rule is not None:
            return self._call_with_rule(function, rule, arguments, keywords)
        is_passive = not keywords and all(value.is_number and not value.is_real for value in arguments)
        if is_passive and isinstance(type, (types.Number, types.NoneType)) and line_of_with_block(function.py_func):
            # Nothing in it depends on a number that has a derivative. It is called once, with its effects.
            return self._call_with_effects(builder.call_of(function, len(arguments)), arguments, type)
        return self.call_compiled(function, arguments, keywords)

    def _call_kernel(self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type) -> Any:
        """Lowers the call of a function of ``numba.vectorize``, ``numba.guvectorize`` or ``numba.stencil``."""
        if isinstance(function, DUFunc):
            return self._call_vectorized(function, arguments, keywords, type)
        from fastgrad._src.derivatives.numpy import kernels  # it uses the lowering

        arguments = [array_expressions.materialize(self._lowering, argument) for argument in arguments]
        if isinstance(function, GUFunc):
            return kernels.call_generalized_ufunc(self._lowering, function, arguments)
        return kernels.call_stencil(self._lowering, function, arguments, keywords, type)

    def _call_vectorized(
        self, function: DUFunc, arguments: list[Any], keywords: dict[str, Any], type: types.Type
    ) -> Any:
        """Lowers the call of a function of ``numba.vectorize``, whose types Numba chooses for the elements."""
        location, inputs = self._builder.location, arguments[: function.nin]
        if keywords or function.nout != 1:
            raise refuse(f"a call of {describe(Static(function))} like this can't be differentiated", location)
        signature, _ = function.find_ewise_function(
            tuple(getattr(argument, "dtype", argument) for argument in self._operands.types_of(inputs))
        )
        if signature is None:
            raise refuse(f"{describe(Static(function))} was not compiled for these types", location)
        inputs = [array_expressions.materialize(self._lowering, argument) for argument in inputs]
        result = array_expressions.elements_of_vectorized(self._lowering, function, signature, inputs, type)
        if len(arguments) == function.nin:
            return result
        self._lowering.array_functions.check_overlap(self._lowering, arguments[-1], inputs)
        self._lowering.array_functions.assign(
            self._lowering, arguments[-1], array_expressions.materialize(self._lowering, result)
        )
        return arguments[-1]

    def _implementation(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Returns the dispatcher of the Python function by which Numba implements a call, or None. Texts have the types of literals."""
        values = [*arguments, *keywords.values()]
        pairs, count = [*zip(values, self._operands.types_of(values), strict=True)], len(arguments)

        def given(kinds: Any) -> tuple[list[types.Type], dict[str, types.Type]]:
            literals = [literal_type(value, type, kinds) for value, type in pairs]
            return literals[:count], dict(zip(keywords, literals[count:], strict=True))

        return implementation(function, given(str), given((str, int)))

    def _call_implementation(self, compiled: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Lowers the call of a function that Numba implements in Python; ``name`` is for errors."""
        location, is_outermost = self._builder.location, not self._is_in_implementation
        self._is_in_implementation = True
        try:
            return self.call_compiled(compiled, arguments, keywords)
        except (DifferentiationError, TypingError) as error:
            is_refusal = isinstance(error, DifferentiationError)
            reason = str(error).partition(": ")[2] if is_refusal else "Numba types it by texts that are literals"
            if not is_outermost:  # the user's call is named, not those within Numba's implementation
                raise refuse(reason, location) from None
            raise refuse(
                f"a call of {name} with these arguments can't be differentiated ({reason}); write it as a loop or by other functions",
                location,
            ) from None
        finally:
            self._is_in_implementation = not is_outermost

    def _call_with_rule(self, function: Any, rule: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Lowers the call of a function that has derivatives of its own.

        ``rule`` is a function of the argument types. It returns a ``CallRule`` and the type of the result, a Python function to inline, or `Spliced`.
        """
        values, value_types = self.bind_values(inspect.signature(function.py_func), arguments, keywords)
        found = rule(value_types)
        if found is None:
            user = function
            while hasattr(user, "recipe"):
                user = user.recipe[1]
            python_function = getattr(user, "py_func", user)
            reason = (
                f"third derivatives of functions of arrays are refused, here of {python_function.__name__}: its gradient's derivative can't be "
                "differentiated again. For second derivatives use fg.hvp or fg.hessian of the function itself"
            )
            if self._builder.location.filename.startswith("<"):  # a text of ours, not the user's
                raise DifferentiationError(f"{place(python_function)}: {reason}")
            raise self._builder.refuse(reason)
        if isinstance(found, FunctionType):
            return self.inline(found, values)
        if isinstance(found, Spliced):
            values = [array_expressions.materialize(self._lowering, value) for value in values]
            return splice(self._lowering, found, values)
        return self.call_by_rule(found[0], values, found[1])

    def bind_values(
        self, signature: inspect.Signature, arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[list[Any], tuple[types.Type, ...]]:
        """Returns the values of all parameters of a signature, and their types."""
        bound = signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        values = [
            value if isinstance(value, Value) else self._operands.static(value) for value in bound.arguments.values()
        ]
        return values, tuple(self._operands.types_of(values))

    def call_by_rule(self, rule: CallRule, values: list[Any], result_type: types.Type) -> Any:
        """Lowers a call of a function that has a rule; returns its result."""
        if any(map(is_complex, values)) and not isinstance(rule, TypedRule):
            raise self._builder.refuse("a gradient of a function of complex numbers can't be differentiated")
        parts: list[Operand | View] = []
        for leaf in [leaf for value in values for leaf in value.leaves if not isinstance(leaf, Static)]:
            if isinstance(leaf, Complex):
                parts += [leaf.real, leaf.imag]
            else:
                parts.append(self._operands.plain(leaf).real() if leaf.is_array else self._operands.scalar(leaf))
        return self._append_call(rule, parts, result_type)

    def _append_call(self, rule: CallRule | Callee, parts: list[Operand | View], type: types.Type) -> Any:
        """Appends a ``Call`` and returns its result, a value of ``type``."""
        results = iter(self._builder.call(rule, parts, type))

        def structure(type: types.Type) -> Any:
            if isinstance(type, types.BaseTuple):
                return Items([structure(item) for item in type], type)
            return Static(None) if type == types.none else next(results)

        return structure(type)

    def _apply_function(self, function: Any, arguments: list[Any], type: types.Type, hint: str) -> Any:
        is_conversion = function in (int, float, bool) and len(arguments) == 1
        if is_conversion and arguments[0].is_number:  # noqa: SIM102  # one line would be too long
            if types.unliteral(arguments[0].type) == type:
                return arguments[0]
        if function in (max, min) and len(arguments) > 2:
            result = arguments[0]
            for argument in arguments[1:]:
                result = self._lowering.operators.apply(function, [result, argument], type, hint)
            return result
        return self._lowering.operators.apply(function, arguments, type, hint)

    def _draw(self, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type) -> Any:
        """Lowers a random draw of one number, which happens once. Parameters that change its location or scale have a derivative."""
        name = describe(Static(function))
        is_number = isinstance(type, (types.Float, types.Integer, types.NoneType))
        if keywords or not is_number or not all(value.is_number for value in arguments):
            raise self._builder.refuse(
                f"a random draw by {name} of an array, or with keywords, can't be differentiated: draw one number at a time, with parameters by position"
            )
        partials = [*PARTIALS_OF_DRAWS.get(function, ()), *[None] * len(arguments)][: len(arguments)]
        draw = self._builder.call_of(function, len(arguments), "draw")
        return self._call_with_effects(draw, arguments, type, partials, name)

    def _call_generator(self, method: Method, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Lowers a call of a method of a random generator."""
        name, values = f"numpy.random.Generator.{method.name}", [method.owner, *arguments]
        values = [array_expressions.materialize(self._lowering, value) for value in values]
        function = function_of_method(type_of(method.owner), method.name)
        compiled = None if function is None else self._implementation(function, values, keywords)
        if compiled is None:
            raise self._builder.refuse(
                f"a call of {name} with these arguments can't be differentiated: draw before, and pass the numbers"
            )
        if not self._is_in_implementation:
            self._generator_call = self._builder.location
        return self._call_implementation(compiled, name, values, keywords)

    def _draw_from_generator(
        self, function: Any, generator: RandomGenerator, numbers: list[Any], type: types.Type
    ) -> Any:
        """Lowers a draw of one number from a random generator, which happens once."""
        operation = random_generators.draw_operation(self._builder, function, generator, len(numbers))
        name = f"numpy.random.Generator.{random_generators.DRAWS[function]}"
        here, self._builder.location = self._builder.location, self._generator_call
        result = self._call_with_effects(operation, numbers, type, [None] * len(numbers), name)
        self._builder.location = here
        return result

    def _call_with_effects(
        self,
        operation: ScalarOperation,
        arguments: list[Any],
        type: types.Type,
        partials: list[Any] | None = None,
        draw: str = "",
    ) -> Any:
        """Appends the call of a function that has effects; returns its result."""
        is_none = type == types.none
        result_type = types.boolean if is_none else type
        result = self._builder.compute(result_type, operation, arguments, COST_OF_EFFECTS, partials, draw=draw)
        return Static(None) if is_none else result
