"""``fg.vjp`` in functions that Numba compiles. The pullback is a value that holds copies of the primals; its type says how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model

from fastgrad._src.derivatives.functions.argument_types import has_random_generator, is_differentiable
from fastgrad._src.derivatives.functions.numba_types import WITHOUT_MEMORY, leaf_types, number_type
from fastgrad._src.derivatives.functions.parameters import parameter_names, wrapped_function
from fastgrad._src.derivatives.functions.snapshot import draws_random_numbers
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import cgutils, cpu_target, errors, signature

_WHAT = "fg.vjp in a compiled function"


class PullbackType(types.Callable):  # type: ignore[misc]  # Numba has no types
    """The type of a pullback.

    Args:
        run: the compiled function of the primals and the cotangents of all results that returns the cotangents of some primals.
        primals: the types of the primals.
        result: the type of the result.
        positions: the numbers of the primals that have cotangents.
    """

    def __init__(self, run: Any, primals: types.BaseTuple, result: types.Type, positions: Sequence[int]) -> None:
        self._run = run
        self.primals = primals
        self._result = result
        self._positions = positions
        self._calls: dict[types.Type, Any] = {}
        super().__init__(f"Pullback({id(run)}, {primals})")

    def call_of(self, cotangent: types.Type) -> types.Dispatcher:
        """Returns the type of the compiled function of the primals and a cotangent of a type."""
        call = self._calls.get(cotangent)
        if call is None:
            scope: dict[str, Any] = {"run": self._run}
            given = [copy_text(f"primals[{number}]", type, scope) for number, type in enumerate(self.primals)]
            given += _cotangent_texts("cotangent", self._result, cotangent)
            of_position = {position: f"found[{number}]" for number, position in enumerate(self._positions)}
            found = "".join(f"{of_position.get(number)}, " for number in range(len(self.primals)))
            source = f"def pullback(primals, cotangent):\n    found = run({', '.join(given)})\n    return ({found})\n"
            function = generated_function("pullback", source, "vjp", scope)
            call = self._calls[cotangent] = numba.njit(function)
        return types.Dispatcher(call)

    def get_call_type(self, context: Any, args: Sequence[types.Type], kws: dict[str, types.Type]) -> Any:
        """Returns the signature of a call."""
        if len(args) != 1 or kws:
            raise errors.TypingError(f"{_WHAT}: a pullback takes one argument, the cotangent of the result.")
        given = (self.primals, types.unliteral(args[0]))
        found = context.resolve_function_type(self.call_of(given[1]), given, {})
        return signature(found.return_type, given[1], recvr=self)

    def get_call_signatures(self) -> tuple[Sequence[Any], bool]:
        """Returns no signatures: they depend on the cotangent."""
        return (), False

    def get_impl_key(self, sig: Any) -> type:
        """Returns what the implementation of calls is known by."""
        return PullbackType


@register_model(PullbackType)
class _PullbackModel(models.StructModel):  # type: ignore[misc]  # Numba has no types
    def __init__(self, manager: Any, type: PullbackType) -> None:
        super().__init__(manager, type, [("primals", type.primals)])


@lower_builtin(PullbackType, PullbackType, types.Any)
def _call_pullback(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
    pullback, cotangent = signature.args
    primals = cgutils.create_struct_proxy(pullback)(context, builder, value=arguments[0]).primals
    call = pullback.call_of(cotangent)
    of_call = context.typing_context.resolve_function_type(call, (pullback.primals, cotangent), {})
    implementation = context.get_function(call, of_call)
    context.add_linking_libs(getattr(implementation, "libs", ()))
    return implementation(builder, [primals, arguments[1]])


def vjp_of_call(pullback: Callable[..., Any], function: Any, primals: Sequence[types.Type]) -> Any:
    """Returns the implementation of ``vjp`` of a function that Numba compiled, for types of primals.

    Args:
        pullback: makes a compiled function, which takes the primals and the cotangents of all results and returns the cotangents of some primals. It takes
            the function, the numbers of these primals and the number of results.

    Raises:
        numba.errors.TypingError: the primals or results have no derivative, or the second run that a pullback needs can't be that of the first.
    """
    python_function = wrapped_function(function, "vjp")
    name, names = python_function.__name__, parameter_names(python_function)
    if len(names) != len(primals):
        raise errors.TypingError(
            f"{_WHAT}: {name} has {len(names)} parameters, and the call has {len(primals)} primals."
        )
    primals = [types.unliteral(type) for type in primals]
    positions = tuple(number for number, type in enumerate(primals) if is_differentiable(type))
    if not positions:
        raise errors.TypingError(
            f"{_WHAT}: no argument has a derivative: their types are {types.Tuple(primals)}. Pass a float."
        )
    copied = all(isinstance(leaf, (*WITHOUT_MEMORY, types.Array)) for leaf in leaf_types(types.Tuple(primals)))
    if not copied or draws_random_numbers(function) or any(map(has_random_generator, primals)):
        raise errors.TypingError(
            f"{_WHAT}: the pullback runs {name} again, which the types {types.Tuple(primals)} or random draws do not allow. Use fg.value_and_grad "
            "of a function that multiplies the results by their cotangents and adds the products."
        )
    result = cpu_target.typing_context.resolve_function_type(types.Dispatcher(function), tuple(primals), {}).return_type
    leaves = leaf_types(result)
    if not all(isinstance(number_type(leaf), (types.Float, types.Complex)) for leaf in leaves):
        raise errors.TypingError(
            f"{_WHAT}: {name} returns {result}. Return floats, arrays of floats, or tuples of them."
        )
    type = PullbackType(pullback(function, positions, len(leaves)), types.Tuple(primals), result, positions)
    scope: dict[str, Any] = {"function": function, "as_pullback": _as_pullback(type)}
    copies = [copy_text(f"primals[{number}]", primal, scope) for number, primal in enumerate(primals)]
    again = "".join(f"{copy}, " for copy in copies)
    source = (
        f"def call(f, *primals):\n    kept = ({again})\n    return function({', '.join(copies)}), as_pullback(kept)\n"
    )
    return generated_function("call", source, "vjp", scope)


def _as_pullback(type: PullbackType) -> Any:
    @intrinsic
    def as_pullback(typing: Any, primals: Any) -> Any:
        """Returns the pullback of primals."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = cgutils.create_struct_proxy(type)(context, builder)
            value.primals = arguments[0]
            context.nrt.incref(builder, type.primals, arguments[0])
            return value._getvalue()

        return type(type.primals), generate

    return as_pullback


def _cotangent_texts(text: str, result: types.Type, cotangent: types.Type) -> list[str]:
    """Returns the texts of the cotangents of all results."""
    if not isinstance(result, types.BaseTuple):
        is_whole = isinstance(cotangent, types.Integer) and isinstance(result, types.Float)
        return [f"float({text})" if is_whole else text]
    if not isinstance(cotangent, types.BaseTuple) or len(cotangent) != len(result):
        raise errors.TypingError(
            f"{_WHAT}: the cotangent is of type {cotangent}, the result of type {result}. Pass a tuple of as many."
        )
    return [
        part
        for number, (item, of_item) in enumerate(zip(result, cotangent, strict=True))
        for part in _cotangent_texts(f"{text}[{number}]", item, of_item)
    ]


def copy_text(text: str, type: types.Type, scope: dict[str, Any]) -> str:
    """Returns the text of a copy of an argument, of a tuple with copies of its items; puts classes of named tuples into ``scope``."""
    if not isinstance(type, types.BaseTuple):
        return f"{text}.copy()" if isinstance(type, types.Array) else text
    items = "".join(f"{copy_text(f'{text}[{number}]', item, scope)}, " for number, item in enumerate(type))
    if not isinstance(type, types.BaseNamedTuple):
        return f"({items})"
    name = f"class_{len(scope)}"
    scope[name] = type.instance_class
    return f"{name}({items})"
