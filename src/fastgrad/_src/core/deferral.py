"""Deferred operations: in the context ``defer_operations()`` operations do not run; their results have a shape and a dtype.

Keras infers the shapes of layers in this context. The result of an operation of a deferred array is a ``DeferredArray``,
made from the result rule of the row. It is computed at the first use of its elements, after its deferred inputs. So
the program sees the values of an ordinary run. An operation without deferred inputs runs at once. So does an
operation whose errors or sizes depend on values; its deferred inputs are computed first.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastgrad._src.core.cache_alignment import aligned_copy
from fastgrad._src.core.dispatch import Dispatcher, dispatchers
from fastgrad._src.core.placement import placement
from fastgrad._src.core.recording import Recorder, recorders
from fastgrad._src.core.result_rules import ArraySpec, memoryless_zeros, specs_of
from fastgrad._src.core.shape import ArrayLike
from fastgrad._src.core.tensor import Tensor


class DeferredArray(ArrayLike):
    """An array that is computed at the first use of its elements.

    It has what tensors use of a GPU's array (see ``cuda/devices/memory.py``): code that reads elements calls ``on_host``.

    Attributes:
        shape, dtype: as in a NumPy array; no objects.
    """

    __slots__ = ("__weakref__", "_call", "_number", "dtype", "shape")

    device = base = None

    def __init__(self, call: _DeferredCall, number: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._call, self._number, self.shape, self.dtype = call, number, shape, dtype

    def __getitem__(self, key: Any) -> Any:
        return self.on_host()[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.on_host(), dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.on_host(), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return np.array, (self.on_host(),)

    def copy(self) -> np.ndarray:
        """Returns a new NumPy array with the elements."""
        return aligned_copy(self.compute())

    def on_host(self) -> np.ndarray:
        """Returns a new NumPy array with the elements, as a GPU's array does."""
        return self.compute().copy()

    def compute(self) -> np.ndarray:
        """Computes the elements; later calls are free. The array is read only."""
        results = self._call.results
        if results is None:
            results = self._call.evaluate()
        return results[self._number]


class _DeferredCall:
    """The call of an operation that is deferred: it runs when a result is used.

    Attributes:
        operation, inputs, attributes: of the call.
        serial: its place in the order of calls.
        results: the arrays once the call has run, else None.
    """

    __slots__ = ("attributes", "inputs", "operation", "results", "serial")

    def __init__(self, operation: Any, inputs: tuple[Tensor, ...], attributes: dict[str, Any]) -> None:
        self.operation, self.inputs, self.attributes = operation, inputs, attributes
        self.serial = next(_call_numbers)
        self.results: tuple[np.ndarray, ...] | None = None

    def evaluate(self) -> tuple[np.ndarray, ...]:
        """Runs the call, and before it the calls that it depends on, in their order; returns the results."""
        pending, stack = {self.serial: self}, [self]
        while stack:
            for x in stack.pop().inputs:
                array = _stored(x)
                call = array._call if type(array) is DeferredArray else None
                if call is not None and call.results is None and call.serial not in pending:
                    pending[call.serial] = call
                    stack.append(call)
        for serial in sorted(pending):
            call_outside_deferral(pending[serial]._run)
        assert self.results is not None
        return self.results

    def _run(self) -> None:
        inputs = self.inputs
        if self.results is not None:  # another thread has computed it
            return
        y = self.operation(*[Tensor(_computed_if_deferred(_stored(x))) for x in inputs], **self.attributes)
        self.results = tuple([x._array for x in specs_of(y)])
        self.inputs = ()


class _DeferredArrayMaker(_DeferredCall):
    """The deferred call of a function without arguments that makes one array."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], np.ndarray]) -> None:
        super().__init__(None, (), {})
        self.make = make

    def _run(self) -> None:
        self.results = (self.make(),)


_call_numbers = itertools.count()
_stored: Callable[[Tensor], Any] = Tensor.__dict__["_array"].__get__
"""Returns the array of a tensor, also of a ``_LazyTensor``, without computing it."""


class _DeferralRecorder(Recorder):
    """The recorder of a ``defer_operations()`` context, which gives operations their results; the thread's first recorder."""

    defers = True

    def __init__(self) -> None:
        self._made: list[weakref.ref[Tensor]] = []

    def on_constant(self, tensor: Tensor) -> None:
        """Keeps track of a constant tensor, whose array may be deferred."""
        if type(tensor._array) is DeferredArray:
            self._made.append(weakref.ref(tensor))

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        for y in outputs:
            self.on_constant(y)

    def end(self) -> None:
        """Makes the tensors that outlive the context compute themselves at the next use."""
        for tensor in self._pending():
            if type(tensor) is Tensor:
                tensor.__class__ = _LazyTensor

    def resume(self) -> None:
        """Continues the deferral after ``end``: a use of its tensors no longer computes deferred elements."""
        for tensor in self._pending():
            if type(tensor) is _LazyTensor:
                tensor.__class__ = Tensor  # type: ignore[assignment]

    def _pending(self) -> Iterator[Tensor]:
        """Yields the live tensors whose arrays are deferred."""
        for reference in self._made:
            tensor = reference()
            if tensor is not None and type(_stored(tensor)) is DeferredArray:
                yield tensor

    def result(self, operation: Any, inputs: tuple[Tensor, ...], attributes: dict[str, Any]) -> Any:
        """Returns the results of ``operation.run``, deferred if possible; NotImplemented if no input is deferred."""
        arrays = [x._array for x in inputs]
        deferred = [x for x in arrays if type(x) is DeferredArray]
        rule = operation.result
        if not deferred:
            return NotImplemented
        if rule is None or operation.depends_on_values:
            return operation.run(*map(_computed_if_deferred, arrays), **attributes)
        if operation.checks_integers and any(x.dtype.kind in "iu" for x in arrays):
            # Integers may be refused by their values, such as positions. Other inputs have no say in errors.
            result = operation.run(
                *[_computed_if_deferred(x) if x.dtype.kind in "iu" else _memoryless_if_deferred(x) for x in arrays],
                **attributes,
            )
            if all(x.dtype.kind in "iu" for x in deferred):
                return result
        else:
            try:
                result = rule(*arrays, **attributes)
                if any(spec.dtype.hasobject or not _can_be_deferred(spec) for spec in specs_of(result)):
                    raise ValueError
            except Exception:  # noqa: BLE001  # the run knows the error, or the result where the rule gives up
                return operation.run(*map(_computed_if_deferred, arrays), **attributes)
        call = _DeferredCall(operation, inputs, attributes)
        deferred_results = [DeferredArray(call, number, y.shape, y.dtype) for number, y in enumerate(specs_of(result))]
        return tuple(deferred_results) if type(result) is tuple else deferred_results[0]


class _LazyTensor(Tensor):
    """A tensor of a deferred array after the end of the context. The first use of its array makes it a ``Tensor``."""

    __slots__ = ()

    @property
    def _array(self) -> Any:
        array = _computed_if_deferred(_stored(self))
        self._array = array
        return array

    @_array.setter
    def _array(self, array: Any) -> None:
        self.__class__ = Tensor  # type: ignore[assignment]
        self._array = array


def is_deferring() -> bool:
    """True in the context ``defer_operations()`` of this thread."""
    active = recorders.active
    return bool(active) and active[0].defers


class _DeferralDispatcher(Dispatcher):
    """The dispatcher of all contexts: the deferral of the calling thread gives the results."""

    def result(self, operation: Any, inputs: tuple[Tensor, ...], attributes: dict[str, Any]) -> Any:
        if not is_deferring():
            return NotImplemented
        return recorders.active[0].result(operation, inputs, attributes)  # type: ignore[attr-defined]


_DEFERRAL_DISPATCHER = _DeferralDispatcher()


def _computed_if_deferred(array: Any) -> Any:
    return array.compute() if type(array) is DeferredArray else array


def _memoryless_if_deferred(array: Any) -> Any:
    return memoryless_zeros(array) if type(array) is DeferredArray else array


def _can_be_deferred(spec: ArraySpec) -> bool:
    """True if all sizes are known and NumPy takes an array of them."""
    return None not in spec.shape and memoryless_zeros(spec) is not None


@contextmanager
def defer_operations() -> Iterator[None]:
    """A context in which operations of the thread do not run before their results are used.

    Has no effect inside of a recording, and once the program has used a GPU: operations then run as always.
    """
    before = recorders.active
    if before or placement.active:
        yield
        return
    deferral = _DeferralRecorder()
    recorders.active = (deferral,)
    dispatchers.insert(0, _DEFERRAL_DISPATCHER)  # once for each context of any thread
    try:
        yield
    finally:
        dispatchers.remove(_DEFERRAL_DISPATCHER)
        recorders.active = before
        deferral.end()


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Returns an array of zeros, deferred in the context ``defer_operations()``; of strings, an array of empty strings."""
    if dtype.hasobject:
        return np.full(shape, b"", dtype)
    return deferred_array(lambda: np.zeros(shape, dtype), tuple(map(int, shape)), dtype)


def deferred_array(make: Callable[[], np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Returns the array ``make()`` of ``shape`` and ``dtype``; in the context ``defer_operations()``, calls ``make`` at the first use."""
    if not is_deferring() or dtype.hasobject:
        return make()
    return DeferredArray(_DeferredArrayMaker(make), 0, shape, dtype)


def call_outside_deferral(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns ``function(*arguments)``, outside of the context and hidden from recorders."""
    before = recorders.active
    recorders.active = ()
    try:
        return function(*arguments)
    finally:
        recorders.active = before


def call_without_deferral(function: Callable[..., Any], tensors: Iterable[Any], *arguments: Any) -> Any:
    """Returns ``function(*arguments)``, for code that reads arrays itself; operations run at once inside.

    Args:
        function: what is called.
        tensors: what the function looks at first; deferred arrays of tensors are computed.
        *arguments: its arguments.
    """
    deferral: Any = recorders.active[0]
    for x in tensors:
        if isinstance(x, Tensor):
            x._array = _computed_if_deferred(x._array)
    deferral.end()
    try:
        return call_outside_deferral(function, *arguments)
    finally:
        deferral.resume()
