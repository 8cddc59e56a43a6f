"""``elementwise``: makes a user's scalar function an operation, with its gradient.

One file, because the operations of a function, of its formula and of its derivatives refer to each other.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import DifferentiationError, InvalidArgumentError
from fastgrad._src.core.lowering import NO_ELEMENTWISE, Lowering
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import (
    CUSTOM,
    FLOAT_DTYPES,
    HALF_DTYPES,
    INTEGER_DTYPES,
    REAL_DTYPES,
    TABLE,
    Form,
    Operation,
)
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_like, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.custom_operations.formula import BOOL, FLOAT32, FLOAT64, Formula, promoted_dtype
from fastgrad._src.custom_operations.native_step import dispatcher_of
from fastgrad._src.custom_operations.scalar_step import ScalarStep, cotangent_count_error
from fastgrad._src.custom_operations.symbols import (
    OPERATIONS_THAT_MAY_FAIL,
    NotFollowedError,
    Symbol,
    name_of_operation,
    operand_terms,
    trace_of_symbols,
)
from fastgrad._src.custom_operations.tracer import trace
from fastgrad._src.derivatives.functions.snapshot import Snapshot, UserFunction, python_function, unique_name
from fastgrad._src.jit.body import digest
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.locks import new_rlock
from fastgrad._src.kernels.runtime.launch import Launches

_KERNEL_FLOAT_DTYPES = frozenset([FLOAT32, FLOAT64])

MAX_CACHED_PROGRAMS = 64
"""The number of programs that an operation keeps for eager calls, one for each set of shapes and dtypes."""

Dtypes = tuple[np.dtype, ...]


class ScalarOperation(Operation):
    """An element-wise operation made from a formula.

    Args:
        name: the operation's name.
        count_of_inputs: the number of inputs.
        reached: what the user's functions reach.

    Attributes:
        count_of_inputs, reached: as given.
    """

    dtypes = REAL_DTYPES | {BOOL}
    form = Form.ELEMENTWISE

    def __init__(self, name: str, count_of_inputs: int, reached: Snapshot) -> None:
        self.name = unique_name(name)
        self.reached = reached
        self.__name__ = name
        self.count_of_inputs = count_of_inputs
        self.gradient = tuple([functools.partial(self._cotangent, position) for position in range(count_of_inputs)])
        self._given: list[ScalarOperation | None] | None = None
        self._formulas: dict[Dtypes, Formula | None] = {}
        self._derivatives: dict[int, ScalarOperation] = {}
        self._programs: dict[Any, Any] = {}
        self._compiled: dict[Dtypes, ScalarStep] = {}
        self._lock = new_rlock()
        if not reached.changing:  # programs do not merge or fold operations that are not listed
            CUSTOM[self.name] = self

    def formula(self, dtypes: Dtypes) -> Formula | None:
        """Returns the formula for inputs of ``dtypes``, or None if there is none."""
        raise NotImplementedError

    def run(self, *arrays: np.ndarray) -> np.ndarray:
        """Computes the operation's result for arrays, by a compiled kernel.

        While a program is recorded, the operations of the formula run one after another instead.
        """
        key: Any = (
            (arrays[0].dtype, arrays[0].shape) if len(arrays) == 1 else tuple([(x.dtype, x.shape) for x in arrays])
        )
        program = self._programs.get(key)
        active = recorders.active
        is_recorded = bool(active) and any(recorder.records_state for recorder in active)
        if program is None or is_recorded:
            formula = self.formula(tuple([x.dtype for x in arrays]))
            if formula is None:
                return self.run_natively(arrays)
            if is_recorded:
                return formula.run(*arrays)
            with self._lock:
                if len(self._programs) >= MAX_CACHED_PROGRAMS:
                    del self._programs[next(iter(self._programs))]
                program = self._programs[key] = self._make_program(arrays, formula.dtype)
        return program.replay(arrays)[1][0]

    @property
    def lowering(self) -> Lowering:  # type: ignore[override]  # made at each use
        return Lowering(NO_ELEMENTWISE._replace(expansion=self.formula), launches=self.launches)

    # ---- functions without a formula -----------------------------------------------------------------------

    def dispatcher(self) -> Any:
        """Returns the operation's function compiled by Numba, which derivatives are made of."""
        raise NotImplementedError

    def _make_step(self, dtypes: Dtypes) -> ScalarStep:
        raise NotImplementedError

    def compile(self, dtypes: Dtypes) -> ScalarStep:
        """Returns the function compiled by Numba for numbers of ``dtypes``.

        Raises:
            TypeError: Numba can't compile the function.
        """
        with self._lock:
            step = self._compiled.get(dtypes)
            if step is None:
                try:
                    step = self._make_step(dtypes)
                except DifferentiationError:
                    raise
                except TypeError as error:
                    raise self.reached.native_error(self.__name__, error) from error
                self._compiled[dtypes] = step
        return step

    def launches(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Launches | None:
        """Returns the launches of the function compiled by Numba; None if the function takes the GIL."""
        compiled = self.compile(tuple([x.dtype for x in inputs]))
        return None if compiled.needs_gil else compiled.launches(inputs, outputs)

    def run_natively(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Computes the result by the function compiled by Numba.

        Raises:
            Exception: what the function raises.
        """
        return self.compile(tuple([x.dtype for x in arrays])).run(arrays)

    def _make_program(self, arrays: Sequence[np.ndarray], dtype: np.dtype) -> Any:
        from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
        from fastgrad._src.compiler.programs.program import Program

        inputs = [Value(x.shape, x.dtype, number) for number, x in enumerate(arrays)]
        output = Value(np.broadcast_shapes(*[x.shape for x in arrays]), dtype, len(inputs))
        nodes = [Node(Kind.ARGUMENT, number, outputs=(value,)) for number, value in enumerate(inputs)]
        nodes.append(Node(Kind.OPERATION, self, tuple(inputs), (output,)))
        return Program(Graph(nodes, [output]))

    def _cotangent(self, position: int, g: Tensor, y: Tensor, *inputs: Tensor) -> Tensor | None:
        dtype = inputs[position]._array.dtype
        if dtype not in FLOAT_DTYPES:
            return None
        if self._given is None:
            return Operation.__call__(self.derivative(position), g, *inputs)
        operation = self._given[position]
        if operation is None or operation.has_no_gradient(
            (g._array.dtype, y._array.dtype, *[x._array.dtype for x in inputs])
        ):
            return None
        slope = Operation.__call__(operation, g, y, *inputs)
        return slope if slope._array.dtype == dtype else TABLE["cast"](slope, dtype=dtype.name)

    def set_gradient(self, gradient_operations: list[ScalarOperation | None]) -> None:
        """Sets operations of (cotangent, result, *inputs) as the gradient; None for an input without gradient."""
        self._given = gradient_operations

    def has_no_gradient(self, dtypes: Dtypes) -> bool:
        """True if the operation gives None, which means no gradient, for inputs of ``dtypes``."""
        return False

    def derivative(self, position: int) -> ScalarOperation:
        """Returns the operation of (cotangent, *inputs) that computes the cotangent of the input at ``position``."""
        operation = self._derivatives.get(position)
        if operation is None:
            operation = self._derivatives.setdefault(position, _DerivativeOperation(self, position))
        return operation

    def underivable_error(self, reason: object) -> Exception:
        """Returns the error for a gradient that can't be derived."""
        return DifferentiationError(f"{self.name}: its gradient can't be derived. {reason}.")

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot copy or pickle {self.name}: it is a part of a function's gradient.")


class _DerivativeOperation(ScalarOperation):
    """The cotangent of an input of an operation, derived from its formula; without one by forward mode from the function."""

    def __init__(self, of: ScalarOperation, position: int) -> None:
        super().__init__(f"{of.name} gradient of input {position}", of.count_of_inputs + 1, of.reached)
        self._of = of
        self._position = position

    def formula(self, dtypes: Dtypes) -> Formula | None:
        """Returns the derivative of the operation's formula. The cotangent has the result's dtype."""
        if dtypes not in self._formulas:
            primal_formula = self._of.formula(dtypes[1:])
            self._formulas[dtypes] = None if primal_formula is None else primal_formula.derivative(self._position)
        return self._formulas[dtypes]

    def dispatcher(self) -> Any:
        """Returns the function compiled by Numba: (cotangent, *inputs) -> the tangent in the direction of the cotangent."""
        from fastgrad._src.derivatives.transforms import jvp

        tangent = jvp(self._of.dispatcher(), argnums=self._position)
        return _compiled_text(self.count_of_inputs, "tangent({1}, {0})[1]", {"tangent": tangent})

    def _make_step(self, dtypes: Dtypes) -> ScalarStep:
        if self.reached.underivable_reason is not None:
            raise self._of.underivable_error(self.reached.underivable_reason)
        try:
            function = self.dispatcher().py_func
            return ScalarStep(self.__name__, function, dtypes, None, self.reached, is_derivative=True)
        except DifferentiationError as error:
            raise self._of.underivable_error(error) from error

    def underivable_error(self, reason: object) -> Exception:
        return self._of.underivable_error(reason)


def _compiled_text(count: int, result: str, scope: dict[str, Any]) -> Any:
    """Returns a function of ``count`` numbers compiled by Numba. ``result`` has the first for ``{0}``, the others for ``{1}``."""
    names = [f"x{number}" for number in range(count)]
    result = result.format(names[0], ", ".join(names[1:])) if "{1}" in result else result.format(", ".join(names))
    source = f"def slope({', '.join(names)}):\n    return {result}\n"
    return dispatcher_of(
        function_from_source("slope", source, f"<slope {digest(source.encode())[:12]}>", scope), error_model="numpy"
    )


class _FunctionOperation(ScalarOperation):
    """An operation made from a Python function, by its formula. Numba compiles a function that a trace can't follow.

    Args:
        function: takes numbers.
        reached: what the function reaches.
        part: the index of the result that the operation gives, if the function returns several.

    Attributes:
        py_func: the function.
    """

    def __init__(self, function: FunctionType, reached: Snapshot, part: int | None = None) -> None:
        super().__init__(f"elementwise({function.__name__})", len(parameters_of(function)), reached)
        self.py_func = function
        self._part = part
        self._refusal_reasons: dict[Dtypes, str] = {}

    def formula(self, dtypes: Dtypes) -> Formula | None:
        try:
            return self._formulas[dtypes]
        except KeyError:
            pass
        with self._lock:
            self._formulas[dtypes] = formula = self._traced_formula(dtypes)
        return formula

    def _traced_formula(self, dtypes: Dtypes) -> Formula | None:
        try:
            if self.reached.refusal is not None:
                raise NotFollowedError(
                    f"{self.py_func.__code__.co_filename}:{self.py_func.__code__.co_firstlineno}: {self.reached.refusal}"
                )
            results = trace(self.py_func, dtypes)
        except NotFollowedError as error:
            self._refusal_reasons[dtypes] = str(error)
            return None
        if self._part is None and len(results) != 1:
            raise InvalidArgumentError(
                f"{self.name}: the function returned a tuple of {len(results)} numbers, and should return one number."
            )
        if self._part is not None and len(results) != self.count_of_inputs - 2:
            raise cotangent_count_error(self.name, len(results), self.count_of_inputs - 2)
        result = results[self._part or 0]
        if result is None and self._part is None:
            raise InvalidArgumentError(f"{self.name}: the function returned None, and should return a number.")
        return result

    def may_fail(self, formula: Formula | None) -> bool:
        """True if the operation, which has ``formula``, may raise an error for some numbers."""
        if formula is None:
            return "RAISE_VARARGS" in self.reached.opcodes
        return any(
            term.dtype in INTEGER_DTYPES and name_of_operation(term) in OPERATIONS_THAT_MAY_FAIL
            for term in formula.terms
        )

    def has_no_gradient(self, dtypes: Dtypes) -> bool:
        return self._part is not None and self.formula(dtypes) is None and dtypes not in self._refusal_reasons

    def underivable_error(self, reason: object) -> Exception:
        return DifferentiationError(
            f"{self.name}: its gradient can't be derived. {reason}. "
            f"Give the gradient as a function of (cotangent, result, *inputs): @{self.py_func.__name__}.gradient."
        )

    def result_dtype(self, dtypes: Dtypes) -> np.dtype:
        """Returns the dtype of the result for inputs of ``dtypes``."""
        formula = self.formula(dtypes)
        return self.compile(dtypes).dtype if formula is None else formula.dtype

    def dispatcher(self) -> Any:
        function = dispatcher_of(self.py_func, error_model="numpy")
        if self._part is None:
            return function
        return _compiled_text(self.count_of_inputs, f"function({{}})[{self._part}]", {"function": function})

    def _make_step(self, dtypes: Dtypes) -> ScalarStep:
        return ScalarStep(self.__name__, self.py_func, dtypes, self._part, self.reached)


def parameters_of(function: FunctionType) -> list[inspect.Parameter]:
    """Returns the parameters of a scalar function.

    Raises:
        TypeError: there are none, or there are variadic or keyword-only parameters.
    """
    parameters = [*inspect.signature(function).parameters.values()]
    allowed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    unsupported = [str(parameter) for parameter in parameters if parameter.kind not in allowed]
    if unsupported or not parameters:
        raise TypeError(
            f"elementwise: {function.__name__} has {'the parameters ' + ', '.join(unsupported) if unsupported else 'no parameters'}; "
            "a scalar function takes one number for each of its inputs, by position."
        )
    return parameters


class Elementwise(UserFunction):
    """An element-wise operation that a user wrote as a scalar function; ``elementwise`` makes it.

    Attributes:
        operation: the operation that is recorded and compiled.
        python_function: the Python function.
        given_gradients: the functions of the user's gradient.
        __wrapped__: the function as the user passed it.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        parameters = parameters_of(self.python_function)
        self._parameters = [parameter.name for parameter in parameters]
        self._defaults = {
            parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty
        }

    def __repr__(self) -> str:
        return f"<fastgrad.elementwise {self.__name__}({', '.join(self._parameters)})>"

    def _make_operation(self, snapshot: Snapshot) -> _FunctionOperation:
        function, *gradients = snapshot.functions
        operation = _FunctionOperation(python_function(function), snapshot)
        count = len(self._parameters)
        if len(gradients) == 1 and gradients[0] is None:
            operation.set_gradient([None] * count)
        elif len(gradients) == 1 and count > 1:
            joint = python_function(gradients[0])
            operation.set_gradient([_FunctionOperation(joint, snapshot, part) for part in range(count)])
        elif gradients:
            operation.set_gradient([_gradient_operation(gradient, snapshot) for gradient in gradients])
        return operation

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Applies the function to each element.

        Args:
            args, kwargs: a tensor, variable, array or number for each parameter of the function, of any real dtype or bool. They
                broadcast. Tensors of different dtypes are promoted to the widest float among them; without floats, as NumPy promotes.
                ``name`` is accepted for TensorFlow's signature, unless the function has such a parameter.

        Returns:
            A tensor of the broadcast shape.

        Raises:
            TypeError: missing or unknown arguments.
            InvalidArgumentError: the shapes do not broadcast, or the values are text or complex numbers.
        """
        if kwargs or len(args) != len(self._parameters):
            args = self._bound_arguments(args, kwargs)
        elif len(args) == 1 and type(args[0]) is Tensor and args[0]._array.dtype in _KERNEL_FLOAT_DTYPES:
            operation = self._renewed_operation() if self._has_changed() else self._operation
            return Operation.__call__(operation, args[0])
        if any(type(x) is Symbol for x in args):
            return self._on_symbols(args)
        try:
            tensors = self._argument_tensors(args)
        except CompositeOperand as error:
            return error.mapped(self, *args)
        shape = tensors[0]._array.shape
        if any(x._array.shape != shape for x in tensors):
            try:
                np.broadcast_shapes(*[x._array.shape for x in tensors])
            except ValueError:
                shapes = " vs. ".join([str(list(x._array.shape)) for x in tensors])
                raise InvalidArgumentError(
                    f"{self.__name__}: Incompatible shapes: {shapes}. Dimensions, counted from the last, must be equal or 1; "
                    "tf.reshape or tf.expand_dims can add them."
                ) from None
        half_dtypes = [x._array.dtype for x in tensors if x._array.dtype in HALF_DTYPES]
        operation = self.operation
        if half_dtypes and operation.formula(tuple([x._array.dtype for x in tensors])) is None:
            wide_tensors = [TABLE["cast"](x, dtype="float32") if x._array.dtype in HALF_DTYPES else x for x in tensors]
            y = Operation.__call__(operation, *wide_tensors)
            return TABLE["cast"](y, dtype=half_dtypes[0].name) if y._array.dtype in FLOAT_DTYPES else y
        return Operation.__call__(operation, *tensors)

    def gradient(self, *functions: Any) -> Any:
        """Sets a custom gradient of the operation. Also a decorator.

        The default gradient is derived from the function's arithmetic.

        Args:
            functions: scalar functions of (cotangent, result, *inputs): one for each input, which returns its cotangent; or a single
                one, which returns the cotangents of all inputs, as a tuple if there are several. None, as a function or in the tuple,
                means that no gradient flows to that input. Second derivatives use the gradient of an ``Elementwise``, if it is one.

        Returns:
            The function, so that it can be used as a decorator. For several functions a tuple.

        Raises:
            TypeError: another number of functions, or a function takes another number of arguments.
        """
        count = len(self._parameters)
        if len(functions) not in {1, count}:
            raise TypeError(
                f"{self.__name__}.gradient takes one function, or one for each of {count} inputs, got {len(functions)}."
            )
        argument_names = ["cotangent", "result", *self._parameters]
        for function in functions:
            if function is not None and len(parameters_of(python_function(function))) != len(argument_names):
                raise TypeError(
                    f"{self.__name__}.gradient: {function.__name__} should take {len(argument_names)} numbers: {', '.join(argument_names)}."
                )
        self._set_gradients(functions)
        return functions[0] if len(functions) == 1 else functions

    def _bound_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        parameter_names = self._parameters
        if "name" not in parameter_names:
            kwargs = {key: value for key, value in kwargs.items() if key != "name"}
        values = self._defaults | dict(zip(parameter_names, args, strict=False))
        unknown = [key for key in kwargs if key not in parameter_names or key in parameter_names[: len(args)]]
        missing = [key for key in parameter_names if key not in values and key not in kwargs]
        if len(args) > len(parameter_names) or unknown or missing:
            problem = (
                f"unknown {unknown}" if unknown else f"missing {missing}" if missing else f"got {len(args)} arguments"
            )
            raise TypeError(f"{self.__name__}({', '.join(parameter_names)}): {problem}.")
        return tuple([(values | kwargs)[key] for key in parameter_names])

    def _argument_tensors(self, args: Sequence[Any]) -> list[Tensor]:
        """Returns the arguments as tensors; all numeric tensors have one common dtype."""
        tensors: list[Any] = [x._read() if isinstance(x, Variable) else as_tensor_or_none(x) for x in args]
        number_dtypes = [x._array.dtype for x in tensors if x is not None and x._array.dtype != BOOL]
        self._check_dtypes(tensors)
        if any(x is None for x in tensors):
            for position, x in enumerate(args):
                if tensors[position] is None:
                    is_unplaced = not number_dtypes or isinstance(x, bool)
                    tensors[position] = (
                        convert_to_tensor(x) if is_unplaced else convert_like(x, promoted_dtype(*number_dtypes))
                    )
            self._check_dtypes(tensors)
            number_dtypes = [x._array.dtype for x in tensors if x._array.dtype != BOOL]
        if any(dtype != number_dtypes[0] for dtype in number_dtypes):
            common_dtype = promoted_dtype(*number_dtypes)
            cast = TABLE["cast"]
            tensors = [
                x if x._array.dtype in {BOOL, common_dtype} else cast(x, dtype=common_dtype.name) for x in tensors
            ]
        return tensors

    def _check_dtypes(self, tensors: Sequence[Tensor | None]) -> None:
        for x in tensors:
            if x is not None and x._array.dtype not in ScalarOperation.dtypes:
                raise dtype_error(self.__name__, x._array.dtype, ScalarOperation.dtypes)

    def _on_symbols(self, args: tuple[Any, ...]) -> Symbol:
        """Returns the symbol of a call inside another traced function: one term, which keeps the operation's own gradient."""
        trace = trace_of_symbols(*args)
        terms = operand_terms(trace.pool, *args)
        operation = self.operation
        formula = operation.formula(tuple([term.dtype for term in terms]))
        if trace.pool.decisions and operation.may_fail(formula):
            raise NotFollowedError(f"it calls {self.__name__}, which may raise an error, in a branch")
        if formula is None:
            terms = [trace.pool.cast(term, FLOAT32) if term.dtype in HALF_DTYPES else term for term in terms]
        dtype = operation.result_dtype(tuple([term.dtype for term in terms]))
        return Symbol(trace.pool.apply(operation, *terms, dtype=dtype), trace)


def _gradient_operation(function: Any, snapshot: Snapshot) -> ScalarOperation | None:
    if function is None or isinstance(function, Elementwise):
        return None if function is None else function.operation
    return _FunctionOperation(python_function(function), snapshot)


def elementwise(function: Any) -> Elementwise:
    """Makes a scalar function an operation on tensors: ``@fg.elementwise``.

    The operation broadcasts, takes any real dtype and fuses with its neighbours in compiled steps. Its gradient is the one given
    to ``Elementwise.gradient``, or is derived from the function's arithmetic.

    Args:
        function: takes numbers and returns a number. A Python function, or a function compiled by ``numba.njit`` or
            ``numba.vectorize``. It may use Python's operators, comparisons and branches, ``math``, NumPy's scalar functions, other
            scalar functions, and global or enclosing numbers. Such numbers are read at the first call and after each change.
            A Python number takes the dtype of the tensor that it is combined with.

    Returns:
        A function of tensors; see ``Elementwise.__call__``.

    Raises:
        TypeError: ``function`` is not a function, has no parameters, or has variadic or keyword-only ones.

    Example:
        >>> @fg.elementwise
        ... def swish(x, beta):
        ...     return x / (1.0 + np.exp(-beta * x))
        >>> swish(fg.constant([0.0, 1.0]), 0.0)
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0. , 0.5], dtype=float32)>
    """
    return Elementwise(function)
