"""The operation table: each operation is declared once, for eager execution, tapes and the compiler.

A row says how an operation runs on NumPy arrays (``run``) and what its gradient is, in terms of operations
(``gradient``). It also says what the operation is in a graph: its ``form``, and the parts of its ``lowering``
(``lowering.py``), such as the formula ``term`` of element-wise operations. Eager execution and the tapes
read ``run`` and ``gradient``; the compiler reads all. ``elementwise`` and ``operation`` below make rows. Each file
of ``ops/`` declares one family of operations and the public functions on top of it.

Gradient rules. ``gradient`` is one of
  * None: no gradient flows (comparisons, argmax ...), or the row computes a scalar function of ``scalars/terms.py``, whose partials
    say the gradient;
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
import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any, NoReturn, Unpack
from weakref import WeakValueDictionary

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dispatch import dispatched, dispatchers, report_results
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.gradient_of_terms import gradient_of
from fastgrad._src.core.lowering import (
    NO_ELEMENTWISE,
    NO_LOWERING,
    Elementwise,
    LaunchFunction,
    Lowering,
    LoweringParts,
    complex_launches,
)
from fastgrad._src.core.operand_errors import dtype_error, mixed_dtypes_error, shapes_error, size_error
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import Rule, broadcast, rule_of_views
from fastgrad._src.core.shape import ArrayLike
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_like, convert_to_tensor, scalars
from fastgrad._src.core.variable import LARGE as LARGE
from fastgrad._src.core.variable import Variable
from fastgrad._src.kernels.movement.strided import make_view_launches
from fastgrad._src.scalars.formulas import ScalarOperation, arity_of

_ndarray = np.ndarray

NEVER = sys.maxsize
"""As ``large`` of an operation: its ``run`` uses all threads itself, or none would help."""
LARGE_FOR_SLOW_FUNCTIONS = 1 << 14
"""The same for functions that pass over memory several times, and for some that NumPy does not vectorise well."""
_SLOW_UFUNCS = (np.sqrt, np.sign, np.nextafter)

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


# ---- the table -----------------------------------------------------------------------------------


class RowParts(LoweringParts, total=False):
    """The parts that a row of any form may have, as arguments; see ``Operation`` and ``Lowering``."""

    gradient: Any
    domain: tuple[float, float] | None
    batched: Callable[..., Any] | None
    keeps_rows: bool
    large: int | None
    run_if_large: Callable[..., Any] | None


class Operation:
    """One row of the table. A call with tensors and keyword attributes runs the operation and records it.

    Attributes:
        name: TensorFlow's name of the public function, shown in errors and reports.
        run: a function ``(*arrays, **attributes)`` that returns an array or a tuple of arrays.
        gradient: see the module's docstring.
        form: the kind of the operation in a graph.
        dtypes: the NumPy dtypes that the first input may have.
        domain: bounds of the numbers that tests may feed to the operation, if not all numbers are allowed.
        result: the result rule; see ``result_rules.py``. Element-wise operations without a rule broadcast and keep the dtype;
            ``run`` itself is the rule of views. None if the shape of the result is unknown before the run.
        batched: the batching rule; see ``ops/batching.py``. Element-wise operations without a rule broadcast.
        keeps_rows: whether a cotangent of ``IndexedSlices`` gives ``IndexedSlices`` for the inputs, as in TensorFlow.
        large: the elements of the first operand, or of one of two, from which ``run_if_large`` runs; ``NEVER`` for a ``run``
            that uses all threads itself.
        run_if_large: a function with the bits of ``run`` that uses all threads; None for the kernels of ``large_arrays.py``.
        lowering: all else that programs know of it; see ``lowering.py``. A row declares these parts among its own.
    """

    name: str
    form: Form
    dtypes: frozenset[np.dtype] = ALL_DTYPES
    domain: tuple[float, float] | None = None
    result: Rule | None = None
    batched: Callable[..., Any] | None = None
    keeps_rows = False
    large = NEVER
    run_if_large: Callable[..., Any] | None = None
    lowering = NO_LOWERING

    def __init__(  # noqa: PLR0913  # each argument is a part of a row
        self,
        name: str,
        run: Callable[..., Any],
        gradient: Any = None,
        *,
        form: Form,
        dtypes: frozenset[np.dtype] = ALL_DTYPES,
        domain: tuple[float, float] | None = None,
        doc: str | None = None,
        result: Rule | None = None,
        batched: Callable[..., Any] | None = None,
        keeps_rows: bool = False,
        large: int | None = None,
        run_if_large: Callable[..., Any] | None = None,
        elementwise: Elementwise = NO_ELEMENTWISE,
        launches: LaunchFunction | None = None,
        **lowering: Unpack[LoweringParts],
    ) -> None:
        if name in TABLE:
            raise ValueError(f"operation {name!r} is declared twice")
        for part in lowering.keys() - Lowering._fields:
            raise TypeError(f"operation {name!r}: a row has no part {part!r}")
        TABLE[name] = self
        self.name = self.__name__ = name
        self.run = run
        if gradient is not None:
            self.gradient = gradient
        self.form = form
        self.dtypes = dtypes
        self.domain = domain
        if form is Form.ELEMENTWISE and dtypes & COMPLEX_DTYPES and elementwise.complex_launches is None:
            elementwise = elementwise._replace(complex_launches=complex_launches(name))
        views = lowering["index_map"].views if "index_map" in lowering else None
        if views is not None:
            launches = make_view_launches(views)
            result = result or rule_of_views(run)
        self.result = broadcast if result is None and form is Form.ELEMENTWISE else result
        if batched is not None:
            self.batched = batched
        self.keeps_rows = keeps_rows
        self.lowering = Lowering(elementwise=elementwise, launches=launches, **lowering)
        self.__doc__ = doc or type(self).__doc__
        has_kernel_with_bits = self.lowering.elementwise.term is not None and self.lowering.rounds_as_run is None
        self.run_if_large = run_if_large
        if large is not None:
            self.large = large
        elif form is Form.ELEMENTWISE and has_kernel_with_bits:
            is_fast = isinstance(run, np.ufunc) and run not in _SLOW_UFUNCS
            self.large = LARGE if is_fast else LARGE_FOR_SLOW_FUNCTIONS

    @functools.cached_property
    def gradient(self) -> Any:
        """That of the scalar function which the row computes, if the row says no other."""
        term = self.lowering.elementwise.term
        return gradient_of(self.name, term, TABLE) if isinstance(term, ScalarOperation) and term.partials else None

    # What the functions of a user's operation reach (``Snapshot``, derivatives/functions/snapshot.py).
    reached: Any = None

    @property
    def depends_on_values(self) -> bool:
        """True if errors or sizes of results depend on elements: a deferral then runs the operation without delay."""
        return self.lowering.checks or self.lowering.result_size is not None or self.lowering.in_python is not None

    @property
    def checks_integers(self) -> bool:
        """True if values of integer inputs, such as positions, may raise errors; False for random draws."""
        return self.form is not Form.RANDOM

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Returns the result of ``run`` as a tensor or a tuple of tensors, and reports the call to recorders.

        Raises:
            OutOfMemoryError: a result is too large for memory, or for NumPy's sizes.
        """
        active = recorders.active
        if active and active[0]._prediction is not None:
            known = active[0]._prediction.result(self, inputs, attributes, active)
            if known is not None:
                return known
        token = set_float_errors(QUIET)
        try:
            if dispatchers:
                result = dispatched(self, inputs, attributes)
            elif len(inputs) == 1:  # without a list, for speed
                array = inputs[0]._array
                is_small = array.size < self.large
                result = self.run(array, **attributes) if is_small else self._run_on_threads([array], attributes)
            else:
                arrays = [x._array for x in inputs]
                is_small = not arrays or arrays[0].size < self.large  # a graph of constants has no inputs
                result = self.run(*arrays, **attributes) if is_small else self._run_on_threads(arrays, attributes)
        except (MemoryError, ValueError) as error:
            self._raise_explained(error, inputs)
        finally:
            reset_float_errors(token)
        y: Any
        outputs: tuple[Tensor, ...]
        if type(result) is _ndarray:
            y = Tensor(result)
            outputs = (y,)
        elif type(result) is tuple:
            y = outputs = tuple([Tensor(array if type(array) is _ndarray else as_array(array)) for array in result])
        else:
            y = Tensor(as_array(result))
            outputs = (y,)
        for x in inputs:
            if x._owner is not None:
                _register_views(inputs, outputs)
                break
        if dispatchers:
            report_results(inputs, outputs)
        for recorder in recorders.active:  # now: ``run`` may have called Python
            recorder.on_operation(self, inputs, outputs, attributes)
        return y

    def run_arrays(self, *arrays: Any, **attributes: Any) -> Any:
        """Returns ``run(*arrays, **attributes)``; all threads share it if an array is large."""
        is_small = arrays[0].size < self.large
        return self.run(*arrays, **attributes) if is_small else self._run_on_threads(list(arrays), attributes)

    def _run_on_threads(self, arrays: list[Any], attributes: dict[str, Any]) -> Any:
        if self.run_if_large is not None:
            return self.run_if_large(*arrays, **attributes)
        return importlib.import_module("fastgrad._src.core.large_arrays").run_large(self, arrays, attributes)

    def _raise_explained(self, error: MemoryError | ValueError, inputs: tuple[Tensor, ...]) -> NoReturn:
        """Raises the error of a call whose ``run`` raised ``error``: the same error if it says what is wrong."""
        refusal = size_error(self.name, error) or self._shapes_error(inputs)
        if refusal is None:
            raise error
        raise refusal from None

    def _shapes_error(self, inputs: tuple[Tensor, ...]) -> Exception | None:
        """Returns the error of shapes that do not fit together; None if they fit, or if ``run`` checks them."""
        return None

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
    return None if row is None else row.lowering.in_python


def _register_views(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """Tells the variables among ``inputs`` which ``outputs`` may be views of their memory (see variable.py)."""
    # For one result a loop takes a third of the time of a set. An optimizer's update has hundreds of results.
    is_single = len(outputs) == 1
    input_array_ids = () if is_single else {id(x._array) for x in inputs}
    for y in outputs:
        array = y._array
        # Results on a GPU are no arrays of NumPy, and have memory of their own.
        is_view = id(array) in input_array_ids or (type(array) is _ndarray and array.base is not None)
        if is_single:
            for x in inputs:
                is_view |= x._array is array
        if is_view:
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
        # The rest is ``Operation.__call__`` without its loops, for speed.
        active = recorders.active
        if active and active[0]._prediction is not None:
            known = active[0]._prediction.result(self, (x,), {}, active)
            if known is not None:
                return known
        token = set_float_errors(QUIET)
        try:
            result = self.run(array) if array.size < self.large else self._run_on_threads([array], {})
        except (MemoryError, ValueError) as error:
            self._raise_explained(error, (x,))
        finally:
            reset_float_errors(token)
        y = Tensor(result if type(result) is _ndarray else as_array(result))
        if x._owner is not None:
            _register_views((x,), (y,))
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
        dtype = a.dtype
        if b.dtype is not dtype and b.dtype != dtype:
            raise mixed_dtypes_error(self.name, dtype, b.dtype)
        if dtype not in self.dtypes:
            raise dtype_error(self.name, dtype, self.dtypes)
        if dispatchers:
            refusal = self._shapes_error((x, y))
            if refusal is not None:
                raise refusal
            return Operation.__call__(self, x, y)
        active = recorders.active
        if active and active[0]._prediction is not None:
            known = active[0]._prediction.result(self, (x, y), {}, active)
            if known is not None:
                return known
        token = set_float_errors(QUIET)
        try:
            result = self.run(a, b) if a.size < self.large > b.size else self._run_on_threads([a, b], {})
        except (MemoryError, ValueError) as error:
            self._raise_explained(error, (x, y))
        finally:
            reset_float_errors(token)
        z = Tensor(result if type(result) is _ndarray else as_array(result))
        if active:
            inputs, outputs = (x, y), (z,)
            for recorder in active:
                recorder.on_operation(self, inputs, outputs, {})
        return z

    def _shapes_error(self, inputs: tuple[Tensor, ...]) -> Exception | None:
        first, second = [x._array.shape for x in inputs]
        try:
            np.broadcast_shapes(first, second)
        except ValueError:
            return shapes_error(self.name, first, second)
        return None


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
    if first is not Tensor and first is not float and isinstance(x, Variable):
        x, first = x._read(), Tensor
    if second is not Tensor and second is not float and isinstance(y, Variable):
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
            converted, reference = y, a
        else:
            return a, b
    elif b is not None:
        a = convert_like(x, b._array.dtype)
        converted, reference = x, b
    else:
        a = convert_to_tensor(x)
        b = convert_like(y, a._array.dtype)
        converted, reference = y, a
    if name is not None and a._array.dtype != b._array.dtype and name != "add":
        raise TypeError(
            f"{name}: Cannot convert {converted!r} to a tensor of dtype {reference.dtype.name}, which the other operand has. "
            f"Tensors are never converted silently: use tf.cast."
        )
    return a, b


# ---- declaring rows --------------------------------------------------------------------------------


def elementwise(  # noqa: PLR0913  # each argument is a part of a row
    name: str,
    doc: str,
    *,
    run: Callable[..., Any],
    term: Callable[..., Any],
    dtypes: frozenset[np.dtype] = NUMERIC_DTYPES,
    rounds_once: bool = False,
    derivative: Any = None,
    launches: LaunchFunction | None = None,
    result: Rule | None = None,
    **row: Unpack[RowParts],
) -> Any:
    """Declares an element-wise operation of one or two inputs; the returned operation is the public function.

    Args:
        name: TensorFlow's name.
        doc: the public function's docstring.
        run: a NumPy ufunc or a function of arrays that broadcasts.
        term: a function of terms (see ``terms.py``), with the same value as ``run`` at every number, NaN and infinity.
        dtypes: the dtypes that the inputs may have.
        rounds_once, derivative: see ``Elementwise``.
        launches: the kernels of an operation that a fused loop can't compute.
        result, row: further arguments of ``Operation`` and ``Lowering``, such as ``gradient`` (see the module's docstring).
    """
    kind = Binary if arity_of(term) > 1 else Unary
    parts = Elementwise(term, rounds_once=rounds_once, derivative=derivative)
    return kind(
        name,
        run,
        form=Form.ELEMENTWISE,
        elementwise=parts,
        dtypes=dtypes,
        doc=doc,
        launches=launches,
        result=result,
        **row,
    )


def operation(
    name: str,
    form: Form,
    *,
    run: Callable[..., Any],
    dtypes: frozenset[np.dtype] = ALL_DTYPES,
    elementwise: Elementwise = NO_ELEMENTWISE,
    launches: LaunchFunction | None = None,
    result: Rule | None = None,
    **row: Unpack[RowParts],
) -> Operation:
    """Declares an operation that is not a public function; one calls it with tensors and keyword attributes.

    Args:
        name: TensorFlow's name of the function that users call, or a name of our own for a part of it.
        form: the kind of the operation in a graph.
        run: see ``Operation``. Attributes must be plain Python values (numbers, strings, tuples), because the compiler reads them.
        dtypes, elementwise, launches, result, row: further arguments of ``Operation`` and ``Lowering``, such as ``gradient``.
    """
    return Operation(
        name, run, form=form, dtypes=dtypes, elementwise=elementwise, launches=launches, result=result, **row
    )
