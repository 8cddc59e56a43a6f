"""The operation table: each operation is declared once and read in three ways.

A row says how an operation runs on NumPy arrays (``run``) and what its gradient is, in terms of operations
(``gradient``). It also says what the operation is in a graph: ``form``, and a scalar expression ``code`` for
element-wise operations. Eager execution and the tapes read ``run`` and ``gradient``; the compiler reads all.
``elementwise`` and ``operation`` below make rows. Each file of ``ops/`` declares one family of operations and
the public functions on top of it. Half of this file documents the parts of a row.

Gradient rules. ``gradient`` is one of
  * None: no gradient flows (comparisons, argmax ...);
  * a function ``(g, y, *inputs, **attributes)`` that returns the cotangent of the only input;
  * a tuple of such functions, one for each input, None where no gradient flows. The tape only calls the
    functions of inputs that depend on a source;
  * a ``joint(function)``, for operations that compute several cotangents at once or take any number of
    inputs: ``function(needs, g, y, *inputs, **attributes)`` returns a sequence. ``needs`` is a tuple of
    bools. The sequence may hold None where ``needs`` is False.
``g`` is the cotangent of the result ``y``. For an operation of several results both are tuples. The cotangent of
a result that no target depends on is zeros, or None under ``joint(function, zeros=False)``. Gradient rules compute
with tensors and operations, so gradients have gradients. The tape sums the cotangents of an element-wise operation
over broadcast dimensions.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from fastgrad import dtypes
from fastgrad.core.composite import CompositeOperand
from fastgrad.core.dispatch import dispatched, dispatchers, report_results
from fastgrad.core.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.core.operand_errors import dtype_error, mixed_dtypes_error, shapes_error, size_error
from fastgrad.core.recording import recorders
from fastgrad.core.result_rules import Rule, broadcast, rule_of_views
from fastgrad.core.shape import ArrayLike
from fastgrad.core.tensor import Tensor, as_tensor_or_none, convert_like, convert_to_tensor, scalars
from fastgrad.core.variable import Variable
from fastgrad.kernels.movement.strided import ViewLayouts, make_view_launches
from fastgrad.kernels.runtime.launch import Launches

_ndarray = np.ndarray

FLOAT_DTYPES = frozenset(d.numpy for d in dtypes.ALL if d.is_floating)
HALF_DTYPES = frozenset([dtypes.float16.numpy, dtypes.bfloat16.numpy])
"""Half-width floats; operations compute with them in float32."""
COMPLEX_DTYPES = frozenset(d.numpy for d in dtypes.ALL if d.is_complex)
INTEGER_DTYPES = frozenset(d.numpy for d in dtypes.ALL if d.is_integer)
SIGNED_DTYPES = frozenset(d.numpy for d in dtypes.ALL if d.is_integer and not d.is_unsigned)
BOOL_DTYPES = frozenset([np.dtype(bool)])
STRING_DTYPES = frozenset([np.dtype(object)])
REAL_DTYPES = FLOAT_DTYPES | INTEGER_DTYPES
NUMERIC_DTYPES = REAL_DTYPES | COMPLEX_DTYPES
INEXACT_DTYPES = FLOAT_DTYPES | COMPLEX_DTYPES
ALL_DTYPES = NUMERIC_DTYPES | BOOL_DTYPES | STRING_DTYPES


SIMPLE_FUNCTIONS = frozenset(
    ["where", "cast", "abs", "sign", "floor", "ceil", "rint", "maximum", "minimum", "isnan", "isinf", "isfinite"]
)
"""The functions of scalar expressions that are one instruction; the others, such as exp, are many."""


class Form(enum.Enum):
    """The kind of work of an operation, which decides how the compiler treats it in a graph."""

    ELEMENTWISE = "a scalar expression over broadcast inputs"
    REDUCE = "a sum, product, extremum ... over axes"
    CONTRACT = "a batched matrix product"
    CONVOLVE = "a convolution or one of its two gradients"
    POOL = "a reduction over sliding windows"
    INDEX_MAP = "moves elements, computing nothing"
    GATHER = "reads at positions given by a tensor"
    SCATTER = "adds or writes at positions given by a tensor"
    SORT = "orders elements"
    SCAN = "runs along an axis, carrying a value"
    RANDOM = "draws random numbers from a counter"
    FUSED = "several of the above in one kernel"
    EXTERN = "called as it is"


class JointGradient:
    """A gradient rule of an operation that computes the cotangents of all inputs in one call."""

    __slots__ = ("function", "zeros")

    def __init__(self, function: Callable[..., Any], zeros: bool = True) -> None:
        self.function = function
        self.zeros = zeros


joint = JointGradient


class Reducer(NamedTuple):
    """The code of a reduction in the loop of a kernel: the combination, and expressions of an element and the result.

    Attributes:
        combine: "sum", "product", "greatest" or "least".
        dtypes: of its input.
        element_code: the expression of an element in the combination.
        result_code: the expression of the result; ``{number}`` is its dtype, ``reduced`` the number of elements.
        is_identity_on_one_element: whether the reduction of one element is the element.
    """

    combine: str
    dtypes: frozenset[np.dtype]
    element_code: str = "{0}"
    result_code: str = "{0}"
    is_identity_on_one_element: bool = True

    @property
    def is_sum(self) -> bool:
        """True if the reduction is a plain sum: of the elements, not of expressions of elements."""
        return (self.combine, self.element_code, self.result_code) == ("sum", "{0}", "{0}")


# ---- the table -----------------------------------------------------------------------------------


class Operation:
    """One row of the table. A call with tensors and keyword attributes runs the operation and records it.

    Attributes:
        name: TensorFlow's name of the public function, shown in errors and reports.
        run: a function ``(*arrays, **attributes)`` that returns an array or a tuple of arrays.
        gradient: see the module's docstring.
        form: the kind of the operation in a graph.
        code: the scalar expression of an element-wise operation, with ``{0}``, ``{1}`` for its inputs.
        kernel_code: the expression of an element-wise operation in a kernel, if ``code`` does not serve. It is an expression with
            functions of kernels, or a function ``(scalars, *operands, **attributes)`` that takes the names of operands and returns
            the expression, or None for dtypes without kernels (``scalars`` is a ``ScalarExpressions`` of compiler/fusion/scalar_code.py).
        rounds_once: whether ``kernel_code`` computes half-width floats in float32 and rounds at the end; else it rounds each step.
        slope: the row of the derivative of a function of one input. In a row of two inputs: the row of the derivative
            at the second input, which the first is multiplied by.
        reducer: how a reduction is computed in the loop of a group; None if it has no such loop.
        decomposition: a function ``(builder, *inputs, **attributes)`` that returns the results by simpler operations, or None if the
            operation stays whole (``builder``: ``OperationBuilder``, compiler/passes/decompose.py; inputs and results are its values).
        simplifications: a function ``(rules)`` that returns the algebraic rules of the operation, in their order
            (``rules`` is the module compiler/passes/algebra_rules.py).
        transposed: a function ``(perm, given, **attributes)`` of an index map whose inputs are transposed by ``perm``;
            ``given`` is the shape of the first input. It returns the attributes of the index map of the inputs before
            the transpose, whose results are then transposed by ``perm``; or None if there are none.
        recomputation: a function ``(builder, others, *inputs, **attributes)`` that computes the first of several results
            again, element by element and with the same bits, from the inputs and the ``others`` of the results.
        in_python: for an operation without kernels: the reason. Programs run such an operation as eager code does.
        keeps_rows: whether a cotangent of ``IndexedSlices`` gives ``IndexedSlices`` for the inputs, as in TensorFlow.
        dtypes: the NumPy dtypes that the first input may have.
        domain: bounds of the numbers that tests may feed to the operation, if not all numbers are allowed.
        launches: a function ``(inputs, outputs, **attributes)`` of ``Spec``s that returns the kernels for a compiled program
            (see ``kernels/runtime/launch.py``), or None for shapes or dtypes that the kernels do not take.
        complex_launches: the ``launches`` of an element-wise operation for complex numbers.
        launches_with_epilogue: the kernels of a product or convolution with a map of its result as epilogue. A function
            ``(inputs, outputs, following, **attributes)``, where ``following`` is the launch of the map or None. It
            returns None if the kernels take no epilogue.
        flops: a function ``(inputs, outputs, **attributes)`` of ``Spec``s that returns the estimated number of
            arithmetic operations, for reports. By default the form gives it.
        partial_update: "positions" or "rows" if the result is the first input with some elements changed. The inputs
            are an array, positions and updates; or tables and other arrays that change, rows, ids and the number of
            ids.
        keeps_order: whether groups treat the result of an index map as an alias: it has the elements of the input in
            their order.
        library_epilogue: the name of cuBLASLt's epilogue that computes an activation, or its gradient, of a product.
        views: for an index map whose results are views of its input (see ``kernels/movement/strided.py``). A compiled program
            reads through the view where it can.
        batched: the batching rule; see ``ops/batching.py``. Element-wise operations without a rule broadcast.
        result: the result rule; see ``result_rules.py``. Element-wise operations without a rule broadcast and keep the dtype;
            ``run`` itself is the rule of views. None if the shape of the result is unknown before the run.
    """

    def __init__(  # noqa: PLR0913  # each argument is a part of a row
        self,
        name: str,
        run: Callable[..., Any],
        gradient: Any = None,
        *,
        form: Form,
        code: str | None = None,
        dtypes: frozenset[np.dtype] = ALL_DTYPES,
        domain: tuple[float, float] | None = None,
        doc: str | None = None,
        launches: Callable[..., Launches | None] | None = None,
        views: ViewLayouts | None = None,
        batched: Callable[..., Any] | None = None,
        kernel_code: str | Callable[..., str | None] | None = None,
        rounds_once: bool = False,
        decomposition: Callable[..., Any] | None = None,
        in_python: str | None = None,
        keeps_rows: bool = False,
        result: Rule | None = None,
        **parts: Any,
    ) -> None:
        if name in TABLE:
            raise ValueError(f"operation {name!r} is declared twice")
        for part, value in parts.items():
            if part not in Operation.__annotations__:
                raise TypeError(f"operation {name!r}: a row has no part {part!r}")
            setattr(self, part, value)
        TABLE[name] = self
        self.name = self.__name__ = name
        self.run = run
        self.gradient = gradient
        self.form = form
        self.code = code
        self.dtypes = dtypes
        self.domain = domain
        self.launches = make_view_launches(views) if views is not None else launches
        self.views = views
        self.kernel_code = kernel_code
        self.rounds_once = rounds_once
        self.decomposition = decomposition
        self.in_python = in_python
        self.keeps_rows = keeps_rows
        if result is None:
            result = rule_of_views(run) if views is not None else broadcast if form is Form.ELEMENTWISE else None
        self.result = result
        if batched is not None:
            self.batched = batched
        self.__doc__ = doc or type(self).__doc__

    # Parts that few rows have.
    simplifications: Callable[[Any], tuple[Any, ...]] | None = None
    transposed: Callable[..., dict[str, Any] | None] | None = None
    recomputation: Callable[..., Any] | None = None
    slope: Operation | None = None
    reducer: Reducer | None = None
    complex_launches: Callable[..., Launches | None] | None = None
    launches_with_epilogue: Callable[..., Launches | None] | None = None
    library_epilogue: str | None = None
    keeps_order: bool = False
    flops: Callable[..., int] | None = None
    partial_update: str | None = None

    # The result rule. A user's operation has none: its result is known after the run.
    result: Rule | None = None

    # The batching rule. A subclass for a user's function of arrays defines it as a method.
    batched: Callable[..., Any] | None = None

    # For a loss whose gradient reads the cotangent, the second result and the second input: the row of this gradient,
    # and the row that computes the loss and its gradient from the cotangent and the inputs of the loss.
    with_gradient: tuple[Operation, Operation] | None = None

    # Whether an index map broadcasts its input to the attribute ``shape``.
    is_broadcast = False

    # Whether programs make one call of several with the same inputs and attributes.
    merges = True

    # For an operation whose result's first size depends on values: a function of arrays and attributes that returns
    # the size, and its kernels.
    count: Callable[..., int] | None = None
    count_launches: Callable[..., Launches | None] | None = None

    # Whether the operation runs for the error that it may raise, even if its result is unused.
    checks = False

    # Whether all processes of a job run the operation together, in the same order: programs never fold, merge or drop it.
    is_collective: bool = False

    # For a collective of any number of inputs: the rows that do it for some of the inputs in stages. The first starts it, the
    # last waits for the results. All but the first have an attribute ``shapes``, of the results.
    stages: tuple[Operation, ...] | None = None

    # For a stage of a collective: whether it starts the collective, so that programs run it early, or waits for its
    # results, so that they run it late.
    is_start: bool = False
    is_wait: bool = False

    # For an element-wise operation made of others: a function of the inputs' dtypes that returns its formula, or None
    # if it has none (see custom/formula.py). Programs run the rows of the formula in its place.
    formula: Callable[[tuple[np.dtype, ...]], Any] | None = None

    @cached_property
    def function_calls(self) -> int:
        """The number of functions in ``code`` that are many instructions, such as exp."""
        return sum([name not in SIMPLE_FUNCTIONS for name in re.findall(r"(\w+)\(", self.code or "")])

    @cached_property
    def is_cheap(self) -> bool:
        """True if an element is one instruction, which can't fail, so that it costs less than a read of it from memory.

        Derived from ``code``; a row without an expression may say it.
        """
        if self.form is not Form.ELEMENTWISE or self.code is None or self.function_calls:
            return False
        instructions: list[str] = re.findall(r"\w+(?=\()|//|[-+*/%&|^~]|[<>!=]=?|\b(?:and|or|not)\b", self.code)
        return len(instructions) <= 1 and not {"/", "//", "%"}.intersection(instructions)

    @property
    def looks_at_values(self) -> bool:
        """True if errors or sizes of results depend on elements: a deferral then runs the operation without delay."""
        return self.checks or self.count is not None or self.in_python is not None

    @property
    def checks_integers(self) -> bool:
        """True if values of integer inputs, such as positions, may raise errors; False for random draws."""
        return self.form is not Form.RANDOM

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Returns the result of ``run`` as a tensor or a tuple of tensors, and reports the call to recorders."""
        token = errors_set(QUIET)
        try:
            if dispatchers:
                result = dispatched(self, inputs, attributes)
            else:
                result = self.run(*[x._array for x in inputs], **attributes)
        except (MemoryError, ValueError) as error:
            refusal = size_error(self.name, error)
            if refusal is None:
                raise
            raise refusal from None
        finally:
            errors_reset(token)
        y: Any
        outputs: tuple[Tensor, ...]
        if type(result) is tuple:
            y = outputs = tuple([Tensor(array if type(array) is _ndarray else as_array(array)) for array in result])
        else:
            y = Tensor(result if type(result) is _ndarray else as_array(result))
            outputs = (y,)
        for x in inputs:
            if x._owner is not None:
                _register_views(inputs, outputs)
                break
        if dispatchers:
            report_results(inputs, outputs)
        for recorder in recorders.active:
            recorder.on_operation(self, inputs, outputs, attributes)
        return y

    def check_dtype(self, array: np.ndarray) -> None:
        """Raises InvalidArgumentError if the operation does not take the dtype of ``array``."""
        if array.dtype not in self.dtypes:
            raise dtype_error(self.name, array.dtype, self.dtypes)

    def __repr__(self) -> str:
        return f"<operation {self.name}: {self.form.value}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or pickle, for example of a layer whose activation is a row, must give the row itself.
        return _row, (self.name,)


def _row(name: str) -> Operation:  # named in pickles
    return TABLE[name]


TABLE: dict[str, Operation] = {}
"""Every operation by name."""

CUSTOM: WeakValueDictionary[str, Operation] = WeakValueDictionary()
"""The operations that users made, by name. The table does not have these names."""


def operation_named(name: str) -> Operation | None:
    """Returns the operation ``name`` of the table or of a user; None if there is none."""
    return TABLE.get(name) or CUSTOM.get(name)


def reason_to_run_in_python(name: str) -> str | None:
    """Returns why programs run the operation ``name`` in Python; None if it has kernels or is a user's."""
    row = TABLE.get(name)
    return None if row is None else row.in_python


def _register_views(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """Tells the variables among ``inputs`` which ``outputs`` may be views of their memory (see variable.py)."""
    given = {id(x._array) for x in inputs}
    for (
        y
    ) in outputs:  # an optimizer's update has hundreds, and none is a view; results on a GPU have memory of their own
        if id(y._array) in given or (type(y._array) is _ndarray and y._array.base is not None):
            for x in inputs:
                if x._owner is not None:
                    x._owner._register_view(y)


def as_array(scalar: Any) -> Any:
    """Returns an array of shape () for a NumPy scalar or bytes, which NumPy returns instead of such an array."""
    if isinstance(scalar, ArrayLike):
        return scalar
    return np.asarray(scalar, object if type(scalar) is bytes else None)


class Unary(Operation):
    """An element-wise operation of one input; also the public function ``f(x, name=None)``."""

    def __call__(self, x: Any, name: str | None = None) -> Any:
        """Converts ``x`` to a tensor and returns the result; raises InvalidArgumentError for other dtypes."""
        if type(x) is not Tensor:
            try:
                x = x._read() if isinstance(x, Variable) else convert_to_tensor(x)
            except CompositeOperand as met:
                return met.mapped(self, x)
        array = x._array
        if array.dtype not in self.dtypes:
            raise dtype_error(self.name, array.dtype, self.dtypes)
        if dispatchers:
            return Operation.__call__(self, x)
        token = errors_set(QUIET)
        try:
            result = self.run(array)
        finally:
            errors_reset(token)
        y = Tensor(result if type(result) is _ndarray else as_array(result))
        if x._owner is not None:
            _register_views((x,), (y,))
        active = recorders.active
        if active:
            inputs, outputs = (x,), (y,)
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, {})
        return y


class Binary(Operation):
    """An element-wise operation of two inputs that broadcast; also the public function ``f(x, y, name=None)``."""

    def __call__(self, x: Any, y: Any, name: str | None = None) -> Any:
        """Returns the result for ``x`` and ``y``; raises InvalidArgumentError if dtypes or shapes do not fit."""
        if type(x) is not Tensor or type(y) is not Tensor:
            try:
                x, y = convert_pair(x, y, self.name)
            except CompositeOperand as met:
                return met.mapped(self, x, y)
        a, b = x._array, y._array
        if a.dtype is not b.dtype and a.dtype != b.dtype:
            raise mixed_dtypes_error(self.name, a.dtype, b.dtype)
        if a.dtype not in self.dtypes:
            raise dtype_error(self.name, a.dtype, self.dtypes)
        if dispatchers:
            try:
                np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                raise shapes_error(self.name, a.shape, b.shape) from None
            return Operation.__call__(self, x, y)
        token = errors_set(QUIET)
        try:
            result = self.run(a, b)
        except ValueError:
            raise shapes_error(self.name, a.shape, b.shape) from None
        finally:
            errors_reset(token)
        z = Tensor(result if type(result) is _ndarray else as_array(result))
        active = recorders.active
        if active:
            inputs, outputs = (x, y), (z,)
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, {})
        return z


def convert_pair(x: Any, y: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Returns two operands as tensors; a Python value or array takes the other operand's dtype if it can.

    Args:
        x, y: the operands.
        name: the operation; without a name, a value that can't take the other's dtype keeps its own.

    Raises:
        TypeError: a value can't take the other's dtype, such as ``1.5`` beside integers. For "add" the later check of
            dtypes raises instead, as in TensorFlow.
    """
    # Fast paths for hot code: a variable, and a Python number seen before.
    first, second = type(x), type(y)
    if first is Variable:
        x, first = x._read(), Tensor
    if second is Variable:
        y, second = y._read(), Tensor
    if first is Tensor:
        if second is Tensor:
            return x, y
        if second is float or second is int:
            b = scalars.get((y or str(y), x._array.dtype, second))
            if b is not None:
                return x, b
    elif second is Tensor and (first is float or first is int):
        a = scalars.get((x or str(x), y._array.dtype, first))
        if a is not None:
            return a, y
    a, b = as_tensor_or_none(x), as_tensor_or_none(y)
    if a is not None:
        if b is None:
            b = convert_like(y, a._array.dtype)
            odd, wanted = y, a
        else:
            return a, b
    elif b is not None:
        a = convert_like(x, b._array.dtype)
        odd, wanted = x, b
    else:
        a = convert_to_tensor(x)
        b = convert_like(y, a._array.dtype)
        odd, wanted = y, a
    if name is not None and a._array.dtype != b._array.dtype and name != "add":
        raise TypeError(
            f"{name}: Cannot convert {odd!r} to a tensor of dtype {wanted.dtype.name}, which the other operand has. "
            f"Tensors are never converted silently: use tf.cast."
        )
    return a, b


# ---- declaring rows --------------------------------------------------------------------------------


def elementwise(
    name: str, doc: str, *, run: Callable[..., Any], code: str, dtypes: frozenset[np.dtype] = NUMERIC_DTYPES, **row: Any
) -> Any:
    """Declares an element-wise operation of one or two inputs; the returned operation is the public function.

    Args:
        name: TensorFlow's name.
        doc: the public function's docstring.
        run: a NumPy ufunc or a function of arrays that broadcasts.
        code: a Python expression over the scalars ``{0}`` and ``{1}``, in the terms of ``math`` and of NumPy's
            scalar functions, with the same value as ``run`` at every number, NaN and infinity.
        dtypes: the dtypes that the inputs may have.
        row: further arguments of ``Operation``: ``gradient`` (see the module's docstring), ``launches`` for an operation that a fused
            loop can't compute, and others.
    """
    kind = Binary if "{1}" in code else Unary
    return kind(name, run, form=Form.ELEMENTWISE, code=code, dtypes=dtypes, doc=doc, **row)


def operation(name: str, form: Form, *, run: Callable[..., Any], **row: Any) -> Operation:
    """Declares an operation that is not element-wise; a public function calls it with tensors and keyword attributes.

    Args:
        name: TensorFlow's name of the function that users call, or a name of our own for a part of it.
        form: the kind of the operation in a graph.
        run: see ``Operation``. Attributes must be plain Python values (numbers, strings, tuples), because the compiler reads them.
        row: further arguments of ``Operation``, such as ``gradient``.
    """
    return Operation(name, run, form=form, **row)
