"""The operation table: what can be computed, each operation declared once and read three ways.

A row says how an operation runs on NumPy arrays now (``run``), what its gradient is, in operations
(``gradient``), and what it looks like in a graph (``form`` and, for element-wise operations,
``code``: a scalar expression). Eager execution and the tapes read the first two; a compiler reads
all three. Rows are made by ``elementwise`` and ``operation`` below; each file of ``ops/`` declares one
family and the public functions on top of it.

Gradient rules. ``gradient`` is one of
  * None: no gradient flows (comparisons, argmax ...);
  * a function ``(g, y, *inputs, **attributes)`` giving the cotangent of the only input;
  * a tuple of such functions, one an input, None where no gradient flows: only those are called
    whose input leads to a source;
  * a ``joint(function)``, for operations that compute several cotangents at once or take any number
    of inputs: ``function(needs, g, y, *inputs, **attributes)`` with ``needs`` a tuple of bools gives
    a sequence, None allowed wherever ``needs`` is False.
``g`` is the cotangent of the result ``y``; for an operation of several results both are tuples, with
zeros (None under ``joint(function, zeros=False)``) for results that no target depends on. They compute with tensors and operations, so gradients
have gradients. An element-wise operation's cotangents are summed over broadcast dimensions by the tape.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from fastgrad import dtypes
from fastgrad.composite import CompositeOperand
from fastgrad.errors import InvalidArgumentError, OutOfMemoryError
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.kernels.movement.strided import Views, launches_of_views
from fastgrad.kernels.runtime.launch import Launches
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor, as_tensor_or_none, convert_beside, convert_to_tensor, scalars
from fastgrad.variable import Variable

ndarray = np.ndarray

FLOATING = frozenset(d.numpy for d in dtypes.ALL if d.is_floating)
HALVES = frozenset([dtypes.float16.numpy, dtypes.bfloat16.numpy])
"""Floats that are computed with in float32."""
COMPLEX = frozenset(d.numpy for d in dtypes.ALL if d.is_complex)
INTEGER = frozenset(d.numpy for d in dtypes.ALL if d.is_integer)
SIGNED = frozenset(d.numpy for d in dtypes.ALL if d.is_integer and not d.is_unsigned)
BOOLEAN = frozenset([np.dtype(bool)])
STRING = frozenset([np.dtype(object)])
REAL = FLOATING | INTEGER
NUMERIC = REAL | COMPLEX
INEXACT = FLOATING | COMPLEX
ANY = NUMERIC | BOOLEAN | STRING


class Form(enum.Enum):
    """What an operation is in a graph."""

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


class Joint:
    """A gradient that computes all cotangents in one call; see this module's text."""

    __slots__ = ("function", "zeros")

    def __init__(self, function: Callable[..., Any], zeros: bool = True) -> None:
        self.function = function
        self.zeros = zeros


joint = Joint


# ---- the table -----------------------------------------------------------------------------------


class Operation:
    """One row of the table. Calling it with tensors (and its attributes by name) runs and records it.

    Attributes:
        name: TensorFlow's name of the public function, shown in errors and reports.
        run: ``(*arrays, **attributes)`` to an array, or a tuple of arrays.
        gradient: see this module's text.
        form: what it is in a graph.
        code: the scalar expression of an element-wise operation, ``{0}``, ``{1}`` for its inputs.
        kernel_code: the expression of an element-wise operation in a kernel, where it is not that of ``code``: with the functions of
            kernels, or a function ``(scalars, *operands, **attributes)`` of names, which gives it, or None for dtypes that kernels do
            not have (``scalars`` is a ``Scalars`` of compiler/fusion/scalar_code.py).
        rounds_once: whether half-width floats are computed in float32 by ``kernel_code``, and rounded at the end; else at each step.
        decomposition: of an operation that programs do as several: ``(parts, *inputs, **attributes)`` to its results, or None where it
            stays as it is (``parts`` is a ``Parts`` of compiler/passes/decompose.py; inputs and results are its values).
        in_python: of an operation without kernels, which programs run as eager code does, the reason.
        keeps_rows: whether its gradient for ``IndexedSlices`` is ``IndexedSlices`` again, as in TensorFlow.
        dtypes: the NumPy dtypes that the first input may have.
        domain: bounds of the numbers that tests may feed it, where not all are allowed.
        launches: ``(inputs, outputs, **attributes)``, of ``Spec``s, to the kernels that compute the same in a compiled
            program (see ``kernels/runtime/launch.py``), or to None for shapes or dtypes that these can't do.
        views: of an index map whose results are views of its input (see ``kernels/movement/strided.py``): a compiled program reads
            through it where it can.
        batched: what vectorisation does; see ``ops/batching.py``. Element-wise operations without a rule broadcast.
    """

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        gradient: Any = None,
        *,
        form: Form,
        code: str | None = None,
        dtypes: frozenset[np.dtype] = ANY,
        domain: tuple[float, float] | None = None,
        doc: str | None = None,
        launches: Callable[..., Launches | None] | None = None,
        views: Views | None = None,
        batched: Callable[..., Any] | None = None,
        kernel_code: str | Callable[..., str | None] | None = None,
        rounds_once: bool = False,
        decomposition: Callable[..., Any] | None = None,
        in_python: str | None = None,
        keeps_rows: bool = False,
    ) -> None:
        if name in TABLE:
            raise ValueError(f"operation {name!r} is declared twice")
        TABLE[name] = self
        self.name = self.__name__ = name
        self.run = run
        self.gradient = gradient
        self.form = form
        self.code = code
        self.dtypes = dtypes
        self.domain = domain
        self.launches = launches_of_views(views) if views is not None else launches
        self.views = views
        self.kernel_code = kernel_code
        self.rounds_once = rounds_once
        self.decomposition = decomposition
        self.in_python = in_python
        self.keeps_rows = keeps_rows
        if batched is not None:
            self.batched = batched
        self.__doc__ = doc or type(self).__doc__

    # Of an operation that is done for several rows at once; a user's function of arrays has a method.
    batched: Callable[..., Any] | None = None

    # Of an operation whose result's first size depends on values: the function of arrays and attributes that gives it,
    # and its kernels.
    count: Callable[..., int] | None = None
    count_launches: Callable[..., Launches | None] | None = None

    # Whether it is run for the error that it may raise, even if nobody reads its result.
    checks = False

    # Of an element-wise operation that is made of others: gives its formula for the dtypes of the inputs, or None if it has none
    # (see custom/formula.py). Programs have the rows of the formula in its place.
    formula: Callable[[tuple[np.dtype, ...]], Any] | None = None

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The result of ``run``, as a tensor or a tuple of tensors; recorders are told."""
        token = errors_set(QUIET)
        try:
            result = self.run(*[x._array for x in inputs], **attributes)
        except (MemoryError, ValueError) as error:
            refusal = refuse_size(self.name, error)
            if refusal is None:
                raise
            raise refusal from None
        finally:
            errors_reset(token)
        y: Any
        outputs: tuple[Tensor, ...]
        if type(result) is tuple:
            y = outputs = tuple([Tensor(array if type(array) is ndarray else as_array(array)) for array in result])
        else:
            y = Tensor(result if type(result) is ndarray else as_array(result))
            outputs = (y,)
        for x in inputs:
            if x._owner is not None:
                _keep_snapshots(inputs, outputs)
                break
        for recorder in recorders.active:
            recorder.on_operation(self, inputs, outputs, attributes)
        return y

    def check_dtype(self, array: np.ndarray) -> None:
        """Raises InvalidArgumentError if the operation does not take arrays of this dtype."""
        if array.dtype not in self.dtypes:
            raise refuse_dtype(self.name, array.dtype, self.dtypes)

    def __repr__(self) -> str:
        return f"<operation {self.name}: {self.form.value}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles, as of a layer whose activation is a row, are the row itself.
        return _row, (self.name,)


def _row(name: str) -> Operation:
    return TABLE[name]


TABLE: dict[str, Operation] = {}
"""Every operation by name."""

CUSTOM: WeakValueDictionary[str, Operation] = WeakValueDictionary()
"""The operations that users have made, by names that the table does not have."""


def row_named(name: str) -> Operation | None:
    """The operation of a name, the table's or a user's."""
    return TABLE.get(name) or CUSTOM.get(name)


def in_python_because(name: str) -> str | None:
    """Why programs run the operation of a name in Python; None for operations with kernels, and for users'."""
    row = TABLE.get(name)
    return None if row is None else row.in_python


def _keep_snapshots(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """Results that may be views of a variable's memory are told to it (see variable.py)."""
    given = {id(x._array) for x in inputs}
    for y in outputs:  # of an optimizer's update there are hundreds, and none is a view
        if y._array.base is not None or id(y._array) in given:
            for x in inputs:
                if x._owner is not None:
                    x._owner._share(y)


def as_array(scalar: Any) -> np.ndarray:
    """What NumPy gives in place of an array of shape (): one of its scalars, or bytes."""
    return np.asarray(scalar, object if type(scalar) is bytes else None)


def refuse_dtype(name: str, got: Any, wanted: Iterable[np.dtype]) -> InvalidArgumentError:
    """The error for an operation that does not take a dtype."""
    allowed = ", ".join(d.name for d in dtypes.ALL if d.numpy in set(wanted))
    return InvalidArgumentError(
        f"{name}: got dtype {dtypes.as_dtype(got).name}, but takes {allowed}. Convert with tf.cast(x, dtype) first."
    )


def refuse_mix(name: str, first: Any, second: Any) -> InvalidArgumentError:
    """The error for two tensors of different dtypes in one operation."""
    first, second = dtypes.as_dtype(first).name, dtypes.as_dtype(second).name
    return InvalidArgumentError(
        f"cannot compute {name} as input #1(zero-based) was expected to be a {first} tensor but is a {second} tensor. "
        f"Tensors are never converted silently: use tf.cast."
    )


def refuse_shapes(name: str, first: Any, second: Any) -> InvalidArgumentError:
    """The error for two shapes that do not broadcast together."""
    return InvalidArgumentError(
        f"{name}: Incompatible shapes: {list(first)} vs. {list(second)}. "
        f"Dimensions, counted from the last, must be equal or 1; tf.reshape or tf.expand_dims can add them."
    )


def refuse_size(name: str, error: MemoryError | ValueError) -> OutOfMemoryError | None:
    """The error for a result that memory, or the numbers of NumPy's sizes, can't hold; None for any other ValueError."""
    if isinstance(error, MemoryError):
        return OutOfMemoryError(f"{name}: {str(error) or 'out of memory.'}")
    if str(error).startswith(
        ("array is too big", "Maximum allowed", "maximum supported dimension", "array size defined by dims")
    ):
        return OutOfMemoryError(f"{name}: the result is larger than any memory: more than 2**63 - 1 bytes.")
    return None


class Unary(Operation):
    """An element-wise operation of one input; also the public function ``f(x, name=None)``."""

    def __call__(self, x: Any, name: str | None = None) -> Any:
        """The operation on ``x``, a tensor or what converts to one; InvalidArgumentError for other dtypes."""
        if type(x) is not Tensor:
            try:
                x = x._read() if isinstance(x, Variable) else convert_to_tensor(x)
            except CompositeOperand as met:
                return met.mapped(self, x)
        array = x._array
        if array.dtype not in self.dtypes:
            raise refuse_dtype(self.name, array.dtype, self.dtypes)
        token = errors_set(QUIET)
        try:
            result = self.run(array)
        finally:
            errors_reset(token)
        y = Tensor(result if type(result) is ndarray else as_array(result))
        if x._owner is not None:
            _keep_snapshots((x,), (y,))
        active = recorders.active
        if active:
            inputs, outputs = (x,), (y,)
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, {})
        return y


class Binary(Operation):
    """An element-wise operation of two inputs that broadcast; also the public function ``f(x, y, name=None)``."""

    def __call__(self, x: Any, y: Any, name: str | None = None) -> Any:
        """The operation on ``x`` and ``y``; InvalidArgumentError for dtypes or shapes that do not go together."""
        if type(x) is not Tensor or type(y) is not Tensor:
            try:
                x, y = convert_pair(x, y, self.name)
            except CompositeOperand as met:
                return met.mapped(self, x, y)
        a, b = x._array, y._array
        if a.dtype is not b.dtype and a.dtype != b.dtype:
            raise refuse_mix(self.name, a.dtype, b.dtype)
        if a.dtype not in self.dtypes:
            raise refuse_dtype(self.name, a.dtype, self.dtypes)
        token = errors_set(QUIET)
        try:
            result = self.run(a, b)
        except ValueError:
            raise refuse_shapes(self.name, a.shape, b.shape) from None
        finally:
            errors_reset(token)
        z = Tensor(result if type(result) is ndarray else as_array(result))
        active = recorders.active
        if active:
            inputs, outputs = (x, y), (z,)
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, {})
        return z


def convert_pair(x: Any, y: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Two operands as tensors: a Python value or array beside a tensor takes the tensor's dtype if it can.

    Args:
        x, y: the operands.
        name: the operation; without one, a value that can't take the other's dtype keeps its own.

    Raises:
        TypeError: such a value, as ``1.5`` beside integers; for "add" it is left to the check of dtypes, as in TensorFlow.
    """
    # The short ways are those of hot code: a variable, and a Python number seen before.
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
            b = convert_beside(y, a._array.dtype)
            odd, wanted = y, a
        else:
            return a, b
    elif b is not None:
        a = convert_beside(x, b._array.dtype)
        odd, wanted = x, b
    else:
        a = convert_to_tensor(x)
        b = convert_beside(y, a._array.dtype)
        odd, wanted = y, a
    if name is not None and a._array.dtype != b._array.dtype and name != "add":
        raise TypeError(
            f"{name}: Cannot convert {odd!r} to a tensor of dtype {wanted.dtype.name}, which the other operand has. "
            f"Tensors are never converted silently: use tf.cast."
        )
    return a, b


# ---- declaring rows --------------------------------------------------------------------------------


def elementwise(
    name: str,
    doc: str,
    *,
    run: Callable[..., Any],
    code: str,
    gradient: Any = None,
    dtypes: frozenset[np.dtype] = NUMERIC,
    domain: tuple[float, float] | None = None,
    launches: Callable[..., Launches | None] | None = None,
    batched: Callable[..., Any] | None = None,
    kernel_code: str | None = None,
    rounds_once: bool = False,
    keeps_rows: bool = False,
) -> Any:
    """Declares an element-wise operation; the row is the public function, of one or two inputs as ``code`` has.

    Args:
        name: TensorFlow's name.
        doc: the public function's docstring.
        run: a NumPy ufunc or a function of arrays that broadcasts.
        code: a Python expression over the scalars ``{0}`` and ``{1}``, in the terms of ``math`` and of NumPy's
            scalar functions, with the same value as ``run`` at every number, NaN and infinity.
        gradient: see this module's text.
        dtypes: which dtypes the inputs may have.
        domain: bounds of the numbers that tests may feed it.
        launches: of what no fused loop can do; see ``Operation``.
        batched, kernel_code, rounds_once, keeps_rows: see ``Operation``.
    """
    kind = Binary if "{1}" in code else Unary
    form = Form.ELEMENTWISE
    return kind(
        name,
        run,
        gradient,
        form=form,
        code=code,
        dtypes=dtypes,
        domain=domain,
        doc=doc,
        launches=launches,
        batched=batched,
        kernel_code=kernel_code,
        rounds_once=rounds_once,
        keeps_rows=keeps_rows,
    )


def operation(
    name: str,
    form: Form,
    *,
    run: Callable[..., Any],
    gradient: Any = None,
    dtypes: frozenset[np.dtype] = ANY,
    launches: Callable[..., Launches | None] | None = None,
    views: Views | None = None,
    batched: Callable[..., Any] | None = None,
    kernel_code: Callable[..., str | None] | None = None,
    decomposition: Callable[..., Any] | None = None,
    in_python: str | None = None,
) -> Operation:
    """Declares any other operation: internal, called with tensors and keyword attributes by a public function.

    Args:
        name: TensorFlow's name of the function that users call, or a name of our own for a part of it.
        form: what it is in a graph.
        run, gradient, dtypes, launches, views, batched, kernel_code, decomposition, in_python: see ``Operation``. Attributes must be plain Python values (numbers, strings, tuples):
            they are what a compiler sees beside the arrays.
    """
    return Operation(
        name,
        run,
        gradient,
        form=form,
        dtypes=dtypes,
        launches=launches,
        views=views,
        batched=batched,
        kernel_code=kernel_code,
        decomposition=decomposition,
        in_python=in_python,
    )
