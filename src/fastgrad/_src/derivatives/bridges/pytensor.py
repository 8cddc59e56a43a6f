"""Functions that Numba compiles as operations of PyTensor, with derivatives: likelihoods of PyMC models that are loops.

Import it by its name: ``import fastgrad.pytensor``. It needs PyTensor (``pip install "fastgrad[pymc]"``), which ``import fastgrad`` does not import.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.exported_function import (
    check_draws_nothing,
    dispatcher_of,
    function_of_floats,
    result_leaves,
    result_type,
)
from fastgrad._src.derivatives.functions.numba_types import number_or_array
from fastgrad._src.derivatives.functions.parameters import (
    Types,
    parameter_names,
    parameter_positions,
    place,
    wrapped_function,
)
from fastgrad._src.derivatives.transform_cache import bind_arguments
from fastgrad._src.derivatives.transforms import pullback, second_pullback, value_and_grad
from fastgrad._src.jit.generated_source import generated_function, name_in_source
from fastgrad._src.jit.numba_internals import impl_ret_borrowed

try:
    import pytensor.tensor as pt
    from pytensor.gradient import DisconnectedType, grad_undefined
    from pytensor.graph.basic import Apply, Variable
    from pytensor.graph.op import Op
    from pytensor.graph.rewriting.basic import node_rewriter
    from pytensor.link.numba.dispatch import numba_funcify
    from pytensor.tensor.rewriting.basic import register_specialize
    from pytensor.tensor.shape import Shape_i
except ImportError as error:
    raise ImportError(f'fastgrad.pytensor needs PyTensor: pip install "fastgrad[pymc]". {error}') from error

__all__ = ["as_op"]


def as_op(f: Callable[..., Any], argnums: int | Sequence[int] | None = None) -> FunctionOp:
    """Returns a function that Numba compiles as an operation (``Op``) of PyTensor that has gradients.

    Graphs compiled in PyTensor's Numba mode, which nutpie uses, call the operation natively; the C and Python modes call it from Python. A graph
    with the value and the gradient of a float runs ``f`` once. There are second derivatives, but no third ones.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It takes numbers and arrays, and returns a number, an array, or a tuple
            of them. It draws no random numbers. Values that it reads from outside are frozen at the first use.
        argnums: the index of the argument to differentiate with respect to, or several indices. These arguments are floats or arrays of floats.
            Default: all arguments that are float64 or float32 in a call.

    Returns:
        the operation. It takes the arguments of ``f`` as PyTensor's variables, NumPy arrays or numbers, also by name. It returns a variable, or a
        list for several results. Integers have no gradient. A gradient with respect to a float that is not in ``argnums`` is an error.
        Operations of the same ``f`` and ``argnums`` are equal.

    Raises:
        TypeError: ``f`` is no function, or has ``*args``; when the operation is called: Numba can't compile ``f`` for the arguments, or the result is
            of another type.
        ValueError: ``argnums`` are not indices of parameters, or ``f`` draws random numbers.
        DifferentiationError: when a graph with a gradient is compiled: ``f`` has a construct that can't be differentiated.
        NotImplementedError: when a third derivative is asked for.

    Example:
        >>> import numba
        >>> import pytensor.tensor as pt
        >>> import fastgrad.pytensor
        >>> @numba.njit
        ... def decay(rate, x):
        ...     total = 0.0
        ...     for value in x:
        ...         total = rate * total + value
        ...     return total
        >>> rate = pt.dscalar("rate")
        >>> y = fastgrad.pytensor.as_op(decay)(rate, [1.0, 1.0])
        >>> pt.grad(y, rate).eval({rate: 0.5})
        array(1.)
    """
    python_function = wrapped_function(f, "as_op")
    positions = None if argnums is None else parameter_positions(argnums, python_function, "as_op")
    check_draws_nothing(f, "as_op", "PyTensor")
    return FunctionOp(f, positions)


# ---- operations -----------------------------------------------------------------------------------------------------


class _CompiledOp(Op):  # type: ignore[misc]  # PyTensor is not there when types are checked
    """An operation that a function of Numba computes.

    Args:
        f: the user's function.
        argnums: the numbers of the arguments to differentiate with respect to; None: all floats.
    """

    __props__ = ("f", "argnums")

    def __init_subclass__(cls) -> None:
        if not hasattr(Op, "pullback"):  # its name in PyTensor 2
            cls.L_op = cls.pullback

    def __init__(self, f: Any, argnums: tuple[int, ...] | None) -> None:
        self.f = f
        self.argnums = argnums
        self.positions = argnums or ()
        self.count = len(parameter_names(wrapped_function(f, "as_op")))
        """The number of arguments."""

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{wrapped_function(self.f, 'as_op').__name__}}}"

    def native_function(self, input_types: Types) -> Any:
        """Returns the compiled function of the inputs, arrays, that returns the outputs, arrays: several as a tuple.

        Args:
            input_types: Numba's types of the inputs as numbers and C-contiguous arrays.
        """
        raise NotImplementedError

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Computes the outputs from NumPy arrays, in PyTensor's C and Python modes."""
        results = _native_function(self, _numba_types(node.inputs))(*map(np.asarray, inputs))
        for storage, result in zip(output_storage, results if len(output_storage) > 1 else [results], strict=True):
            storage[0] = result

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Returns the cotangents of the inputs as variables: PyTensor's rule of the gradient."""
        raise NotImplementedError

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Says that no gradient flows from integers, and none to them."""
        return [[not _is_discrete(x) and not _is_discrete(y) for y in node.outputs] for x in node.inputs]

    def infer_shape(self, *arguments: Any) -> list[Any]:
        """Returns the shapes of outputs: () of numbers, of derivatives that of an input, else what an output has when it is there.

        Args:
            *arguments: the node and the shapes of its inputs; older versions of PyTensor pass the graph before them.
        """
        node, input_shapes = arguments[-2:]
        return [
            tuple(Shape_i(axis)(output) for axis in range(output.ndim)) if like is None else input_shapes[like]
            for output, like in zip(node.outputs, self.inputs_of_same_shape(node), strict=True)
        ]

    def inputs_of_same_shape(self, node: Any) -> list[int | None]:
        """Returns for each output the number of an input that has its shape, or None."""
        return [None] * len(node.outputs)

    def _cotangents_of_inputs(self, inputs: Sequence[Any], known: dict[int, Any]) -> list[Any]:
        """Returns a variable for each input: those in ``known``, none for integers, for other floats one that raises when it is used."""
        comment = f"as_op has argnums={self.argnums}, which leaves this float out."
        return [
            known[number]
            if number in known
            else DisconnectedType()()
            if _is_discrete(x)
            else grad_undefined(self, number, x, comment)
            for number, x in enumerate(inputs)
        ]


class FunctionOp(_CompiledOp):
    """The operation that computes a function. ``as_op`` makes it."""

    def make_node(self, *arguments: Any, **named: Any) -> Any:
        """Returns the application to arguments of the function."""
        python_function = wrapped_function(self.f, "as_op")
        names, values = parameter_names(python_function), bind_arguments(self.f, arguments, named, "as_op")
        inputs = [
            _as_variable(value, name, number in self.positions, python_function)
            for number, (name, value) in enumerate(zip(names, values, strict=True))
        ]
        outputs = [_variable_of_type(leaf) for _, leaf in result_leaves(self.f, "as_op", _numba_types(inputs))]
        return Apply(self, inputs, outputs)

    def native_function(self, input_types: Types) -> Any:
        results = [
            f"np.asarray({text})" if isinstance(type, (types.Number, types.Boolean)) else f"{text}.copy()"
            for text, type in result_leaves(self.f, "as_op", input_types)
        ]
        return _function_of_arrays(self, dispatcher_of(self.f), input_types, len(input_types), results)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Returns the cotangents of the inputs: for a float by ``ValueAndGradientOp``, else by ``PullbackOp``."""
        positions = tuple(number for number, x in enumerate(inputs) if self._is_active(number, x))
        if not positions:
            return self._cotangents_of_inputs(inputs, {})
        if isinstance(result_type(self.f, "as_op", _numba_types(inputs)), types.Float):
            _, *gradients = ValueAndGradientOp(self.f, positions)(*inputs)
            found = [cotangents[0] * gradient for gradient in gradients]
        else:
            pairs = zip(outputs, cotangents, strict=True)
            given = [_cotangent_of(y, cotangent) for y, cotangent in pairs if not _is_discrete(y)]
            found = PullbackOp(self.f, positions)(*inputs, *given, return_list=True)
        return self._cotangents_of_inputs(inputs, dict(zip(positions, found, strict=True)))

    def _is_active(self, number: int, x: Any) -> bool:
        if self.argnums is not None:
            return number in self.argnums
        return x.type.dtype in {"float64", "float32"}


class ValueAndGradientOp(_CompiledOp):
    """The operation that computes a function that returns a float, and its gradients by ``argnums``, in one run."""

    def make_node(self, *inputs: Any) -> Any:
        """Returns the application to variables."""
        ((_, value),) = result_leaves(self.f, "as_op", _numba_types(inputs))
        return Apply(self, inputs, [_variable_of_type(value), *[inputs[number].type() for number in self.positions]])

    def inputs_of_same_shape(self, node: Any) -> list[int | None]:
        return [None, *self.positions]

    def native_function(self, input_types: Types) -> Any:
        gradients = _item_texts("result[1]", [input_types[number] for number in self.positions])
        results = ["np.asarray(result[0])", *gradients]
        return _function_of_arrays(self, value_and_grad(self.f, self.positions), input_types, len(input_types), results)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Returns the cotangents of the inputs: those of the gradients are tangents of ``f``."""
        positions = self.positions
        of_value, *tangents = [_cotangent_of(y, cotangent) for y, cotangent in zip(outputs, cotangents, strict=True)]
        one = pt.ones((), outputs[0].dtype)
        _, *found = SecondPullbackOp(self.f, positions)(*inputs, *tangents, of_value, one)
        return self._cotangents_of_inputs(inputs, dict(zip(positions, found, strict=True)))


class PullbackOp(_CompiledOp):
    """The operation that computes the cotangents of the arguments by ``argnums`` from arguments and the cotangents of results."""

    def make_node(self, *inputs: Any) -> Any:
        """Returns the application to the variables of arguments and cotangents."""
        return Apply(self, inputs, [inputs[number].type() for number in self.positions])

    def inputs_of_same_shape(self, node: Any) -> list[int | None]:
        return [*self.positions]

    def native_function(self, input_types: Types) -> Any:
        positions, count = self.positions, self.count
        results = _item_texts("result", [input_types[number] for number in positions])
        function = pullback(
            function_of_floats(self.f, "as_op", input_types[:count]), positions, len(input_types) - count
        )
        return _function_of_arrays(self, function, input_types, count, results)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Returns the cotangents of arguments, and those of cotangents of results: the tangents of the results."""
        positions, count = self.positions, self.count
        tangents = [_cotangent_of(y, cotangent) for y, cotangent in zip(outputs, cotangents, strict=True)]
        given = inputs[count:]
        of_results = [pt.zeros_like(cotangent) for cotangent in given]
        found = SecondPullbackOp(self.f, positions)(*inputs[:count], *tangents, *of_results, *given)
        known = dict(zip([*range(count, len(inputs)), *positions], found, strict=True))
        return self._cotangents_of_inputs(inputs, known)


class SecondPullbackOp(_CompiledOp):
    """The operation that runs forward mode forward and backward: second derivatives.

    Inputs are the arguments, the tangents of those in ``argnums``, the cotangents of results, and the cotangents of their tangents. Outputs are the
    tangents of results, and the cotangents of the arguments in ``argnums``.
    """

    def make_node(self, *inputs: Any) -> Any:
        """Returns the application to variables."""
        positions, count = self.positions, self.count
        of_results = inputs[count + len(positions) :]
        tangents = [cotangent.type() for cotangent in of_results[: len(of_results) // 2]]
        return Apply(self, inputs, [*tangents, *[inputs[number].type() for number in positions]])

    def inputs_of_same_shape(self, node: Any) -> list[int | None]:
        count = len(node.outputs) - len(self.positions)
        return [*range(len(node.inputs) - count, len(node.inputs)), *self.positions]

    def native_function(self, input_types: Types) -> Any:
        positions, count = self.positions, self.count
        of_results = input_types[count + len(positions) :]
        of_results = of_results[: len(of_results) // 2]
        results = _item_texts("result[0]", of_results)
        results += _item_texts("result[1]", [input_types[number] for number in positions])
        floats = function_of_floats(self.f, "as_op", input_types[:count])
        function = second_pullback(floats, positions, positions, len(of_results))
        return _function_of_arrays(self, function, input_types, count, results)

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Raises NotImplementedError."""
        function = wrapped_function(self.f, "as_op")
        raise NotImplementedError(f"{place(function)}: third derivatives of {function.__name__} are not there.")


@register_specialize
@node_rewriter([FunctionOp])
def share_run_with_gradient(fgraph: Any, node: Any) -> list[Any] | None:
    """Takes the value of a function from the operation that computes it with the gradient, if the graph has this."""
    for x in node.inputs:
        for client, _ in fgraph.clients[x]:
            if (
                isinstance(client, Apply)
                and isinstance(client.op, ValueAndGradientOp)
                and client.op.f == node.op.f
                and client.inputs == node.inputs
            ):
                return [client.outputs[0]]
    return None


@numba_funcify.register(_CompiledOp)
def _native_function_of_node(op: _CompiledOp, node: Any, **_: Any) -> Any:
    return _native_function(op, _numba_types(node.inputs))


# ---- types and variables --------------------------------------------------------------------------------------------


def _numba_types(variables: Sequence[Any]) -> Types:
    """Returns the types of variables as numbers and C-contiguous arrays."""
    return tuple(number_or_array(numba.from_dtype(np.dtype(x.type.dtype)), x.type.ndim) for x in variables)


def _is_discrete(x: Any) -> bool:
    return np.dtype(x.type.dtype).kind in "biu"


def _as_variable(value: Any, name: str, is_float: bool, function: Any) -> Any:
    """Returns an argument as a variable: Python's numbers as int64 and float64, with ``is_float`` integers as float64."""
    try:
        x = pt.as_tensor_variable(value if isinstance(value, Variable) else _as_array(value))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"as_op: the argument {name} of {function.__name__} is {value!r}. Pass numbers, arrays of numbers, or PyTensor's variables of them."
        ) from error
    return pt.cast(x, "float64") if is_float and _is_discrete(x) else x


def _as_array(value: Any) -> Any:
    """Returns a value as an array, unless it is a list that has variables."""
    array = np.asarray(value) if isinstance(value, (bool, int, float, np.generic, np.ndarray)) else value
    if isinstance(array, np.ndarray) and array.dtype.kind not in "biufc":
        raise TypeError(f"an array of {array.dtype}")
    return array


def _variable_of_type(type: types.Type) -> Any:
    """Returns a new variable for a number or an array, whose shape is unknown."""
    if isinstance(type, types.Array):
        return pt.TensorType(str(type.dtype) if type.dtype != types.boolean else "bool", (None,) * type.ndim)()
    return pt.TensorType("bool" if isinstance(type, types.Boolean) else str(type), ())()


def _cotangent_of(output: Any, cotangent: Any) -> Any:
    """Returns the cotangent of an output, of its type; zeros if nothing uses it."""
    if isinstance(cotangent.type, DisconnectedType):
        return pt.zeros_like(output)
    return pt.cast(cotangent, output.dtype)


# ---- functions of arrays --------------------------------------------------------------------------------------------


def _item_texts(text: str, item_types: Sequence[types.Type]) -> list[str]:
    """Returns the texts of a tuple's items as arrays."""
    items = [f"{text}[{number}]" for number in range(len(item_types))]
    return [
        item if isinstance(type, types.Array) else f"np.asarray({item})"
        for item, type in zip(items, item_types, strict=True)
    ]


@functools.lru_cache(maxsize=256)
def _native_function(op: _CompiledOp, input_types: Types) -> Any:
    """Returns the native function of an operation for input types, the one of an earlier call of equal operations."""
    return op.native_function(input_types)


def _function_of_arrays(op: Any, function: Any, input_types: Types, count: int, results: list[str]) -> Any:
    """Returns the compiled function of arrays, of rank 0 for numbers, that calls another one.

    Args:
        op: the operation, for names.
        function: takes numbers for arrays of rank 0.
        input_types: of ``function``.
        count: how many of the inputs are arguments of the user's function. Those that it writes are copied.
        results: the texts of the results, in ``result``.
    """
    written = _written_positions(op.f, input_types[:count])
    names = [f"x_{number}" for number in range(len(input_types))]
    given = [
        f"number_in({name})" if not isinstance(type, types.Array) else f"contiguous({name}){'.copy()' * (n in written)}"
        for n, (name, type) in enumerate(zip(names, input_types, strict=True))
    ]
    name = f"{type(op).__name__}_{name_in_source(wrapped_function(op.f, 'as_op').__name__)}"
    returned = results[0] if len(results) == 1 else f"({', '.join(results)})"
    lines = [f"def {name}({', '.join(names)}):", f"    result = function({', '.join(given)})", f"    return {returned}"]
    scope = {"np": np, "function": function, "number_in": _scalar_item, "contiguous": _contiguous}
    return numba.njit(generated_function(name, "\n".join([*lines, ""]), "as_op", scope))


def _written_positions(f: Any, argument_types: Types) -> set[int | None]:
    """Returns the numbers of the arrays that a function may write; of all if it can't be read."""
    from fastgrad._src.derivatives.derivation import lowered_function, written_positions

    try:
        return written_positions(lowered_function(f, argument_types)[0])
    except DifferentiationError:
        return {*range(len(argument_types))}


def _scalar_item(x: Any) -> Any:
    """Returns the number in an array of rank 0."""
    return x[()]


@numba.extending.overload(_scalar_item)
def _overload_of_scalar_item(x):  # type: ignore[no-untyped-def]  # Numba compares the signatures
    if isinstance(x, types.Array):
        return lambda x: x[()]
    return lambda x: x


def _contiguous(x: Any) -> Any:
    """Returns a C-contiguous array: the array itself, or a copy."""
    return np.ascontiguousarray(x)


@numba.extending.overload(_contiguous)
def _overload_of_contiguous(x):  # type: ignore[no-untyped-def]  # Numba compares the signatures
    return (lambda x: _writable(x)) if x.layout == "C" else (lambda x: _writable(np.ascontiguousarray(x)))  # noqa: PLW0108 - Numba compiles it


@numba.extending.intrinsic
def _writable(context, x):  # type: ignore[no-untyped-def]
    """Gives an array, which may be a constant, the type of one that can be written. Nothing writes it."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return impl_ret_borrowed(context, builder, signature.return_type, arguments[0])

    return x.copy(readonly=False)(x), lower
