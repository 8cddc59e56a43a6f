"""``tf.gradients``: gradients of the operations that a compiled function has run so far."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import nest, recording
from fastgrad._src.core.backward import TapeEntry
from fastgrad._src.core.tape import GradientTape, UnconnectedGradients
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable


class HistoryNeeded(BaseException):
    """Raised when a function without a history calls ``tf.gradients``: its recording is repeated with one.

    No ``Exception``, so that the user's code does not catch it.
    """


class History(recording.Recorder):
    """Keeps all operations of a run of a function that have gradients, and its reads of variables; used in a ``with`` statement."""

    def __init__(self) -> None:
        self._entries: list[TapeEntry] = []
        self._reads: list[tuple[Variable, Tensor]] = []

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        if operation.gradient is not None:
            self._entries.append((operation, inputs, outputs, attributes))

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        self._reads.append((variable, tensor))

    def watches(self, tensor: Tensor) -> bool:
        """True for all that may have derivatives: which of them the function asks for comes later."""
        return tensor.dtype.is_differentiable

    def __enter__(self) -> None:
        recording.start(self)

    def __exit__(self, *exception: object) -> None:
        recording.stop(self)

    def tape(self, sources: list[Any], constants: list[Any]) -> GradientTape:
        """Returns a tape that has watched ``sources`` from the beginning, and does not know how ``constants`` were computed."""
        tape = GradientTape(watch_accessed_variables=False)
        with tape:
            tape.watch(sources)
        for variable, tensor in self._reads:
            tape.on_read(variable, tensor)
        stopped = {id(tensor) for tensor in constants}
        for operation, inputs, outputs, attributes in self._entries:
            if stopped.isdisjoint(map(id, outputs)):  # as in TensorFlow, all outputs of one operation are constants
                tape.on_operation(operation, inputs, outputs, attributes)
        return tape


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = UnconnectedGradients.NONE,
) -> list[Any]:
    """Returns the gradients of the sum of ``ys`` with respect to each of ``xs``, within a ``tf.function``. TensorFlow: tf.gradients.

    All operations that the function has run so far count, without a tape. The first recording of the function runs its Python up to the
    first call of ``tf.gradients`` twice. The results can be differentiated again.

    Args:
        ys: a tensor or a list of tensors.
        xs: a tensor or variable, or a list of them.
        grad_ys: None, or for each of ``ys`` a weight of its shape; None stands for ones.
        name, gate_gradients, aggregation_method: kept for TensorFlow's signature.
        stop_gradients: None, or tensors that count as constants, with the other results of their operations.
        unconnected_gradients: ``"none"`` gives None where no target depends on a source, ``"zero"`` gives zeros.

    Raises:
        RuntimeError: it is called outside of a ``tf.function``.

    Example:
        >>> @tf.function
        ... def second_derivative(x):
        ...     (dy,) = tf.gradients(x**3, x)
        ...     return tf.gradients(dy, x)[0]
        >>> second_derivative(tf.constant(2.0)).numpy()
        np.float32(12.0)
    """
    history = next((recorder for recorder in recording.recorders.active if isinstance(recorder, History)), None)
    if history is None:
        if recording.inside_function():
            raise HistoryNeeded("tf.gradients: call the compiled function once before it is saved")
        raise RuntimeError(
            "tf.gradients is not supported when eager execution is enabled. Use tf.GradientTape instead, or tf.grad; or call it in a "
            "tf.function."
        )
    sources = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    tape = history.tape(sources, [] if stop_gradients is None else nest.flatten(stop_gradients))
    results: list[Any] = tape.gradient(ys, sources, grad_ys, unconnected_gradients)
    return results
