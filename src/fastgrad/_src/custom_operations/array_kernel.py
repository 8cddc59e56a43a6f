"""``kernel``: makes a user's function of arrays an operation, batched over leading dimensions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes as all_dtypes
from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import DifferentiationError, InvalidArgumentError
from fastgrad._src.core.lowering import Lowering
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import (
    BOOL_DTYPES,
    CUSTOM,
    FLOAT_DTYPES,
    HALF_DTYPES,
    INEXACT_DTYPES,
    NUMERIC_DTYPES,
    TABLE,
    Form,
    JointGradient,
    Operation,
)
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_like, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.custom_operations.array_step import ArrayStep
from fastgrad._src.custom_operations.core_signature import GufuncSignature
from fastgrad._src.custom_operations.derived_kernel import DerivedKernel, dims_text
from fastgrad._src.custom_operations.formula import promoted_dtype
from fastgrad._src.derivatives.functions.snapshot import Snapshot, UserFunction, python_function, unique_name
from fastgrad._src.jit.locks import new_rlock
from fastgrad._src.kernels.runtime.launch import Launches, Spec
from fastgrad._src.ops.batching import BatchArg

Dtypes = tuple[np.dtype, ...]
FLOAT32: np.dtype = np.dtype(np.float32)


class ArrayOperation(Operation):
    """An operation that runs a user's function on each item of a batch.

    Each input has all dimensions of the batch, or a batch of one item.

    Args:
        name: the operation's name.
        function: the user's function.
        signature: the shapes of one item.
        result_dtypes: maps the dtypes of the inputs to the dtypes of the results.
        reached: what the function reaches.

    Attributes:
        takes_results: whether the operation, as a gradient, takes the results after the cotangents.
    """

    dtypes = NUMERIC_DTYPES | BOOL_DTYPES
    form = Form.EXTERN
    takes_results = True

    def __init__(
        self,
        name: str,
        function: Any,
        signature: GufuncSignature,
        result_dtypes: Callable[[Dtypes], Dtypes],
        reached: Snapshot,
    ) -> None:
        self.name = unique_name(name)
        self.reached = reached
        self.__name__ = name
        self.gradient: Any = JointGradient(self._cotangents)
        self.signature = signature
        self._function = function
        self._result_dtypes = result_dtypes
        self._gradient_operation: ArrayOperation | None = None
        self._steps: dict[Dtypes, ArrayStep] = {}
        self._lock = new_rlock()
        if not reached.changing:  # programs do not merge or fold operations that are not listed
            CUSTOM[self.name] = self

    def set_gradient(self, gradient_function: ArrayOperation | None) -> None:
        """Sets an operation of (cotangents, results, inputs) as the gradient. With None no gradient flows."""
        self.gradient = None if gradient_function is None else JointGradient(self._cotangents)
        self._gradient_operation = gradient_function

    def gradient_operation(self) -> ArrayOperation:
        """Returns the operation that computes the cotangents of the inputs: the one that was set, or a derived one.

        Raises:
            DifferentiationError: it can't be derived.
        """
        with self._lock:
            if self._gradient_operation is None:
                if self.reached.underivable_reason is not None:
                    raise self.underivable_error(self.reached.underivable_reason)
                self._gradient_operation = _DerivedOperation(self, self._make_gradient_kernel())
        return self._gradient_operation

    def _make_gradient_kernel(self) -> DerivedKernel:
        return DerivedKernel(self._function, self.signature, self._result_dtypes)

    def underivable_error(self, reason: object) -> Exception:
        """Returns the error for a gradient that can't be derived."""
        return DifferentiationError(
            f"{self.name}: its gradient can't be derived. {reason}. Give it as a function of (cotangents, results, inputs) that computes "
            f"the cotangents of the inputs: @{self.__name__}.gradient; or say that there is none: {self.__name__}.gradient(None)."
        )

    def step(self, inputs: Dtypes) -> ArrayStep:
        """Returns the function compiled for ``inputs``, the dtypes of the inputs.

        Raises:
            TypeError: Numba can't compile the function.
        """
        with self._lock:
            step = self._steps.get(inputs)
            if step is None:
                dtypes = (*inputs, *self._result_dtypes(inputs))
                try:
                    step = ArrayStep(self.__name__, self._function_for(inputs), self.signature, dtypes)
                except DifferentiationError:
                    raise
                except TypeError as error:
                    raise self.reached.native_error(self.__name__, error) from error
                self._steps[inputs] = step
        return step

    def _function_for(self, inputs: Dtypes) -> Any:
        """Returns the function for inputs of the dtypes ``inputs``."""
        return self._function

    def shapes(self, inputs: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Returns the shapes of the results for the shapes of ``inputs``."""
        sizes = self.signature.sizes(inputs)
        cores = self.signature.inputs
        batch = np.broadcast_shapes(*[shape[: len(shape) - len(d)] for shape, d in zip(inputs, cores, strict=True)])
        return [(*batch, *[sizes.get(str(dim), dim) for dim in dims]) for dims in self.signature.results]  # type: ignore[arg-type]

    def run(self, *arrays: np.ndarray) -> Any:
        """Computes the result: an array, or a tuple of several."""
        shapes = self.shapes([x.shape for x in arrays])
        results = self.step(tuple([x.dtype for x in arrays])).run(arrays, shapes)
        return results if len(results) > 1 else results[0]

    @property
    def lowering(self) -> Lowering:  # type: ignore[override]  # made at each use
        return Lowering(launches=self.launches)

    def launches(self, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        """Returns the function's loop as a step of a program; None if the function takes the GIL."""
        if not any(prod(y.shape) for y in outputs):
            return Launches(())
        step = self.step(tuple([x.dtype for x in inputs]))
        return None if step.needs_gil else step.launches(inputs, outputs)

    def _cotangents(self, needs: tuple[bool, ...], g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        cotangents, results = [value if type(value) is tuple else (value,) for value in (g, y)]
        gradient = self.gradient_operation()
        slopes = Operation.__call__(gradient, *cotangents, *(results if gradient.takes_results else ()), *inputs)
        slopes = slopes if type(slopes) is tuple else (slopes,)
        return [
            self._cotangent_like(slope, x) if needed and x._array.dtype in INEXACT_DTYPES else None
            for slope, x, needed in zip(slopes, inputs, needs, strict=True)
        ]

    @staticmethod
    def _cotangent_like(slope: Tensor, x: Tensor) -> Tensor:
        slope = sum_to_shape(slope, x._array.shape)
        return slope if slope._array.dtype == x._array.dtype else TABLE["cast"](slope, dtype=x._array.dtype.name)

    def batched(self, name: str, rows: int, /, *inputs: BatchArg) -> Any:
        """The batching rule of kernels (see ops/batching.py): makes the axis of rows the first axis of the batch."""
        cores = [len(dims) for dims in self.signature.inputs]
        batches = [x.shape[: x.rank - core] for x, core in zip(inputs, cores, strict=True)]
        batch = np.broadcast_shapes(*batches)
        tensors = []
        for x, own_batch, core in zip(inputs, batches, cores, strict=True):
            core_shape = x.shape[x.rank - core :]
            tensor = x.tensor
            if x.has_rows:
                tensor = TABLE["reshape"](
                    tensor, shape=(rows, *[1] * (len(batch) - len(own_batch)), *own_batch, *core_shape)
                )
            if x.has_rows or prod(own_batch) != 1:
                tensor = _broadcast_to(tensor, (rows, *batch, *core_shape))
            tensors.append(tensor)
        return Operation.__call__(self, *tensors)

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot copy or pickle {self.name}: it is a part of a kernel.")


def _broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x._array.shape == shape else TABLE["broadcast_to"](x, shape=shape)


class _DerivedOperation(ArrayOperation):
    """The gradient of a kernel, derived from its function."""

    takes_results = False

    def __init__(self, of: ArrayOperation, derived: DerivedKernel) -> None:
        signature = GufuncSignature(of.name, derived.signature)
        super().__init__(f"{of.name} gradient", None, signature, derived.result_dtypes, of.reached)
        self._of = of
        self._derived = derived

    def step(self, inputs: Dtypes) -> ArrayStep:
        try:
            return super().step(inputs)
        except DifferentiationError as error:
            raise self.underivable_error(error) from error

    def _function_for(self, inputs: Dtypes) -> Any:
        return self._derived.function(inputs)

    def _make_gradient_kernel(self) -> DerivedKernel:
        if self._derived.order == 2:
            raise DifferentiationError(f"{self.name}: third derivatives of kernels can't be derived.")
        return self._derived.next()

    def underivable_error(self, reason: object) -> Exception:
        return self._of.underivable_error(reason)


class Kernel(UserFunction):
    """An operation that a user wrote as a function of arrays; ``kernel`` makes it.

    Attributes:
        operation: the operation that is recorded and compiled.
        signature: the shapes of one item, as text.
        python_function: the Python function.
        given_gradients: the function of the user's gradient, if there is one.
        __wrapped__: the function as the user passed it.
    """

    def __init__(self, function: Any, signature: str, dtype: Any = None) -> None:
        super().__init__(function)
        self._core = GufuncSignature(f"kernel({self.python_function.__name__})", signature)
        self._core.check_function(function)
        parameter_kind = inspect.Parameter.POSITIONAL_ONLY
        names = [*inspect.signature(self.python_function).parameters][: len(self._core.inputs)]
        self.__signature__ = inspect.Signature([inspect.Parameter(name, parameter_kind) for name in names])
        self.signature = signature
        self._dtypes = _declared_dtypes(self._core, dtype)

    def _make_operation(self, snapshot: Snapshot) -> ArrayOperation:
        function, *gradients = snapshot.functions
        name = f"kernel({self.python_function.__name__})"
        operation = ArrayOperation(name, _compiled_by_njit(function), self._core, self._result_dtypes, snapshot)
        for gradient in gradients:
            if gradient is None or isinstance(gradient, Kernel):
                operation.set_gradient(None if gradient is None else gradient.operation)
                continue
            name = f"kernel({python_function(gradient).__name__})"
            signature = GufuncSignature(f"{self.__name__}.gradient", self._gradient_signature())
            gradient_operation = ArrayOperation(
                name, _compiled_by_njit(gradient), signature, self._cotangent_dtypes, snapshot
            )
            operation.set_gradient(gradient_operation)
        return operation

    def _cotangent_dtypes(self, inputs: Dtypes) -> Dtypes:
        return tuple([d if d in INEXACT_DTYPES else FLOAT32 for d in inputs[2 * len(self._core.results) :]])

    def _gradient_signature(self) -> str:
        core = self._core
        dims_lists = [*core.results, *core.results, *core.inputs]
        return ",".join(map(dims_text, dims_lists)) + "->" + ",".join(map(dims_text, core.inputs))

    def __repr__(self) -> str:
        return f"<fastgrad.kernel {self.__name__}: {self.signature}>"

    def _result_dtypes(self, inputs: Dtypes) -> Dtypes:
        common_dtype = promoted_dtype(*inputs)
        return tuple([common_dtype if dtype is None else dtype for dtype in self._dtypes])

    def __call__(self, *args: Any, name: str | None = None) -> Any:
        """Applies the function to each item of a batch.

        Args:
            args: a tensor, variable, array or number for each input of the signature. Its last dimensions are those of the signature.
                The dimensions before them are the batch; batches broadcast.
            name: kept for TensorFlow's signature.

        Returns:
            A tensor with the dimensions of the batch, then those of the result in the signature. Several results: a tuple.

        Raises:
            TypeError: another number of inputs. Or Numba can't compile the function for these dtypes; the message has the reason.
            InvalidArgumentError: the shapes do not fit the signature.
        """
        if len(args) != len(self._core.inputs):
            raise TypeError(
                f"{self.__name__}: takes {len(self._core.inputs)} inputs ({self.signature}), got {len(args)}."
            )
        try:
            tensors = self._argument_tensors(args)
        except CompositeOperand as error:
            raise InvalidArgumentError(f"{self.__name__}: takes dense tensors; convert with x.to_tensor().") from error
        self._core.sizes([x._array.shape for x in tensors])
        cores = [len(dims) for dims in self._core.inputs]
        batches = [x._array.shape[: x._array.ndim - core] for x, core in zip(tensors, cores, strict=True)]
        if len({*batches}) > 1:
            tensors = self._broadcast_batches(tensors, batches)
        half_dtypes = [x._array.dtype for x in tensors if x._array.dtype in HALF_DTYPES]
        operation = self.operation
        if not half_dtypes:
            return Operation.__call__(operation, *tensors)
        wide_results = Operation.__call__(
            operation,
            *[TABLE["cast"](x, dtype="float32") if x._array.dtype in HALF_DTYPES else x for x in tensors],
        )
        narrow_dtype = promoted_dtype(*[x._array.dtype for x in tensors]).name
        results = [
            TABLE["cast"](y, dtype=narrow_dtype) if declared is None and y._array.dtype == FLOAT32 else y
            for y, declared in zip(
                wide_results if type(wide_results) is tuple else (wide_results,), self._dtypes, strict=True
            )
        ]
        return tuple(results) if len(results) > 1 else results[0]

    def gradient(self, function: Any = None) -> Any:
        """Sets a custom gradient of the operation. Also a decorator.

        Args:
            function: takes the cotangent of each result, then the results, then the inputs, in the shapes of the signature. It returns
                the cotangents of the inputs, or writes them to further arguments. Cotangents of inputs that are not floats are not
                used. If it is a ``Kernel``, second derivatives use its own gradient. None: no gradient flows.

        Returns:
            The function, so that it can be used as a decorator.

        Raises:
            TypeError: the function takes another number of arguments, or gives another value to the name of a result.
        """
        text = self._gradient_signature()
        if isinstance(function, Kernel):
            if function.signature.replace(" ", "") != text:
                raise TypeError(f"{self.__name__}.gradient: {function.__name__} should have the signature {text!r}.")
        elif function is not None:
            GufuncSignature(f"{self.__name__}.gradient", text).check_function(function, may_leave_zeros=True)
        self._set_gradients((function,))
        return function

    def _argument_tensors(self, args: Sequence[Any]) -> list[Tensor]:
        tensors: list[Any] = [x._read() if isinstance(x, Variable) else as_tensor_or_none(x) for x in args]
        floats = [x._array.dtype for x in tensors if x is not None and x._array.dtype in FLOAT_DTYPES]
        for position, x in enumerate(args):
            if tensors[position] is None:
                is_number = bool(floats) and isinstance(x, (int, float)) and not isinstance(x, bool)
                tensors[position] = convert_like(x, promoted_dtype(*floats)) if is_number else convert_to_tensor(x)
            if tensors[position]._array.dtype not in ArrayOperation.dtypes:
                raise dtype_error(self.__name__, tensors[position]._array.dtype, ArrayOperation.dtypes)
        return tensors

    def _broadcast_batches(self, tensors: Sequence[Tensor], batches: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Broadcasts the inputs to the whole batch, except inputs that all items share."""
        try:
            batch = np.broadcast_shapes(*batches)
        except ValueError:
            shapes = ", ".join([str(list(x._array.shape)) for x in tensors])
            raise InvalidArgumentError(
                f"{self.__name__}: got shapes {shapes} for the signature {self.signature}: the batches "
                f"{', '.join([str(list(shape)) for shape in batches])} before these dimensions do not broadcast."
            ) from None
        return [
            x if prod(own_batch) == 1 else _broadcast_to(x, (*batch, *x._array.shape[len(own_batch) :]))
            for x, own_batch in zip(tensors, batches, strict=True)
        ]


def _compiled_by_njit(function: Any) -> Any:
    """Returns a user's function without ``numba.vectorize`` or ``numba.guvectorize``."""
    return function if hasattr(function, "targetoptions") else python_function(function)


def _declared_dtypes(signature: GufuncSignature, dtype: Any) -> list[np.dtype | None]:
    """Returns the declared dtype of each result; None if it follows from the inputs."""
    count = len(signature.results)
    declared = [*dtype] if isinstance(dtype, (list, tuple)) else [dtype] * count
    if len(declared) != count:
        raise ValueError(
            f"kernel: {len(declared)} dtypes for the {count} results of {signature.text!r}; give one for each."
        )
    dtypes = [None if item is None else all_dtypes.as_dtype(item).numpy for item in declared]
    unsupported_dtypes = [
        str(item) for item in dtypes if item is not None and (item in HALF_DTYPES or item.kind == "O")
    ]
    if unsupported_dtypes:
        raise TypeError(
            f"kernel: Numba has no arrays of {', '.join(unsupported_dtypes)}; declare float32 and cast the result."
        )
    return dtypes


def kernel(signature: Any, dtype: Any = None) -> Any:
    """Makes a function of arrays an operation on tensors: ``@fg.kernel("(m,k),(k,n)->(m,n)")``.

    Numba compiles the function. Compiled steps run it without a return to Python; the threads share the items of a batch. The
    function may use all that Numba can compile. It must not write to its inputs.

    Args:
        signature: the shapes of one item, as in NumPy's generalized ufuncs: for each input, names or numbers of its dimensions in
            parentheses; after ``->`` the same for each result. Or a function of ``numba.guvectorize``, which has its own signature.
        dtype: the dtype of the result, or a list for several results. Default: the widest float among the inputs; without floats,
            NumPy's promotion of the inputs.

    Returns:
        A decorator. It takes a Python function or a function compiled by ``numba.njit`` or ``numba.guvectorize``, and returns a
            ``Kernel``, a function of tensors. The decorated function takes an array for each input, or a number for ``()``. It
            returns its results, or writes them to further arguments, which hold zeros at first. If ``signature`` is a function
            of ``numba.guvectorize``, the result is the ``Kernel`` itself.

    Raises:
        ValueError: the signature can't be read, or has a result of unknown size.
        TypeError: the function takes a number of arguments that does not fit the signature, or never writes to a result.

    Example:
        >>> @fg.kernel("(n),(n)->()")
        ... def distance(x, y, out):
        ...     for i in range(len(x)):
        ...         out[0] += (x[i] - y[i]) ** 2
        >>> distance(fg.ones((8, 3)), fg.zeros(3)).shape
        TensorShape([8])
    """
    if hasattr(signature, "gufunc_builder"):
        return Kernel(signature, signature.signature, dtype)
    if not isinstance(signature, str):
        raise TypeError(
            f'kernel: the first argument is a signature as "(m,k),(k,n)->(m,n)", got {signature!r}. '
            "For a function of numbers use elementwise."
        )
    GufuncSignature("kernel", signature)
    return lambda function: Kernel(function, signature, dtype)
