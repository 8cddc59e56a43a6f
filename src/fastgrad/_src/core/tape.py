"""``GradientTape``: records operations, and computes gradients from the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from fastgrad._src.core import nest, recording
from fastgrad._src.core.backward import TapeEntry, backward_pass, dense_gradient, zeros_of
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.malloc_tuning import after_step
from fastgrad._src.core.operation import TABLE, Form, JointGradient, Operation
from fastgrad._src.core.repeated_backward import gradients_of_tape
from fastgrad._src.core.repeated_forward import UNDECIDED, StepPrediction, forward_passes
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor
from fastgrad._src.core.variable import Variable, stands_for_variable
from fastgrad._src.jit.user_lines import warn


class UnconnectedGradients:
    """The result of ``gradient`` for a source that the target does not depend on: ``NONE`` or ``ZERO``."""

    NONE = "none"
    ZERO = "zero"


def wants_zeros(unconnected_gradients: Any) -> bool:
    """True if unconnected sources get zeros, False if they get None; ValueError for another mode."""
    if unconnected_gradients not in (UnconnectedGradients.NONE, UnconnectedGradients.ZERO):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}; use 'none' or 'zero'.")
    return unconnected_gradients == UnconnectedGradients.ZERO


class GradientTape(recording.Recorder):
    """Records operations inside its ``with`` block, for automatic differentiation.

    Trainable variables that are read inside are watched automatically, tensors only after ``watch``. Tapes nest:
    an outer tape can differentiate a gradient that is computed inside it.

    Args:
        persistent: whether ``gradient`` and ``jacobian`` may be called more than once. A tape that is
            not persistent frees its record at the first call.
        watch_accessed_variables: whether trainable variables are watched when they are read.

    Example:
        >>> x = tf.Variable(3.0)
        >>> with tf.GradientTape() as tape:
        ...     y = x * x
        >>> tape.gradient(y, x).numpy()
        np.float32(6.0)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_accessed = watch_accessed_variables
        self._recording = False
        self._entered = False
        self._record_freed = False
        self._clear()

    def _clear(self) -> None:
        self._entries: list[TapeEntry] = []
        self._prediction: StepPrediction | None = None
        # Ids are safe as keys: entries, reads and watched tensors keep their objects alive.
        self._tracked: set[int] = set()
        self._reads: dict[int, tuple[Tensor, Variable]] = {}
        self._watched_tensors: list[Tensor] = []
        self._watched_variables: dict[int, Variable] = {}

    # ---- recording (the methods of a recorder, see recording.py) ---------------------------------

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """Keeps the operation if it has a gradient and an input is watched or depends on a watched tensor."""
        if self._prediction is not None:
            self._prediction.on_operation(operation, inputs, outputs, attributes, self)
        if operation.gradient is None:
            return
        tracked = self._tracked
        for x in inputs:
            if id(x) in tracked:
                break
        else:
            return
        has_tracked_output = False
        for y in outputs:
            if y._array.dtype.kind in "fcV":
                tracked.add(id(y))
                has_tracked_output = True
        if has_tracked_output:
            self._entries.append((operation, inputs, outputs, attributes))

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        if id(tensor) in self._tracked:
            return
        if (self._watch_accessed and variable._is_auto_watched) or id(variable) in self._watched_variables:
            # Ctrl-C may come between two lines: what is tracked is known as a read.
            self._reads[id(tensor)] = (tensor, variable)
            self._watched_variables[id(variable)] = variable
            self._tracked.add(id(tensor))

    def watches(self, tensor: Tensor) -> bool:
        return id(tensor) in self._tracked

    def __enter__(self) -> Self:
        if self._recording:
            raise ValueError("Tape is already recording.")
        if self._record_freed:
            self._record_freed = False
            self._clear()
        recording.start(self)
        self._recording = self._entered = True
        if forward_passes.are_expected and not self._tracked and recording.recorders.active == (self,):
            self._prediction = UNDECIDED
        return self

    def __exit__(self, *exception: object) -> None:
        if self._recording:
            self._pause_recording()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("cannot copy or pickle a GradientTape: it knows tensors by their identity.")

    def _pause_recording(self) -> None:
        recording.stop(self)
        self._recording = False

    def watch(self, tensor: Any) -> None:
        """Watches ``tensor``: from now on the tape records the operations that depend on it.

        Args:
            tensor: a tensor or variable of floating or complex dtype, or a nested structure of them. Other dtypes are
                ignored with a warning.

        Raises:
            ValueError: ``tensor`` holds an object that is no tensor or variable.
        """
        self._check_recorder_active("watch")
        for item in nest.flatten(tensor):
            if stands_for_variable(item):
                item = item.value
            if isinstance(item, Variable):
                self._watched_variables[id(item)] = item
                if self._recording:
                    self.on_read(item, item._read_as_stored())
                continue
            leaf = item.flat_values if isinstance(item, Composite) else as_tensor_or_none(item)
            if leaf is None:
                raise ValueError(
                    f"Passed in object {item!r} of type {type(item).__name__}, not tf.Tensor or tf.Variable."
                )
            if not leaf.dtype.is_differentiable:
                warn(
                    f"The dtype of the watched tensor must be floating (e.g. tf.float32), got {leaf.dtype!r}",
                )
                continue
            self._tracked.add(id(leaf))
            self._watched_tensors.append(leaf)

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables watched so far, in the order in which they were made."""
        return tuple(sorted(self._watched_variables.values(), key=lambda variable: variable._serial))

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A context in which this tape does not record operations.

        Raises:
            RuntimeError: the tape is not recording.
        """
        if not self._recording:
            raise RuntimeError("Tape is not recording: stop_recording() is for use inside the tape's `with` block.")
        self._check_recorder_active("stop_recording")
        self._pause_recording()
        try:
            yield
        finally:
            self.__enter__()

    def reset(self) -> None:
        """Drops the record and the watched tensors and variables, and continues to record.

        Raises:
            ValueError: the tape is not recording.
        """
        if not self._recording:
            raise ValueError("Tape is not recording: reset() is for use inside the tape's `with` block.")
        self._check_recorder_active("reset")
        self._clear()

    def _check_recorder_active(self, method: str) -> None:
        """Raises RuntimeError if a loop or branch body of a recording controls a tape of the surrounding code."""
        if self._recording and recording.in_trial_run() and self not in recording.recorders.active:
            raise RuntimeError(f"GradientTape.{method}: the body of a loop of a program can't direct a tape around it.")

    # ---- differentiating ---------------------------------------------------------------------

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = UnconnectedGradients.NONE,
    ) -> Any:
        """The gradient of ``target`` with respect to ``sources``.

        Args:
            target: a tensor or a nested structure of tensors; several are summed.
            sources: a tensor, variable or nested structure of them; also an object of another library that stands for the
                variable ``value`` and says so by ``_should_act_as_resource_variable``, as Keras's variables do.
            output_gradients: a structure like ``target`` of weights for its elements (cotangents), which broadcast to
                them; None means ones.
            unconnected_gradients: the result for a source that the target does not depend on: ``"none"`` gives None,
                ``"zero"`` gives zeros.

        Returns:
            The structure of ``sources``. Each leaf is a tensor, an ``IndexedSlices`` (for variables that were only
            gathered from), or None.

        Raises:
            RuntimeError: a second call on a tape that is not persistent, or a tape that has recorded nothing yet.
            ValueError: an unknown ``unconnected_gradients``, or output_gradients of another structure.
            TypeError: a target or source that is no tensor or variable.
            InvalidArgumentError: output_gradients of another shape than the target's.
        """
        gives_zeros = wants_zeros(unconnected_gradients)
        self._check_record_available("gradient")
        try:
            flat_sources = [self._checked_source(item) for item in nest.flatten(sources)]
            targets = [self._checked_target(item) for item in nest.flatten(target)]
        except CompositeOperand:
            return self._gradient_of_composites(target, sources, output_gradients, unconnected_gradients)
        weights: list[Any] | None = None
        if output_gradients is not None:
            weights = nest.flatten(output_gradients)
            if len(weights) != len(targets):
                raise ValueError(
                    f"GradientTape.gradient: {len(weights)} output_gradients for {len(targets)} targets; give one for each."
                )
        self._pause_unless_persistent()
        if weights is None:
            keys = self._ids_of_sources(flat_sources, targets)
            gradients = gradients_of_tape(self._entries, targets, keys, self._prediction)
        else:
            gradients = self._backward(self._entries, targets, flat_sources, weights)
        self._free_record()
        after_step()
        if gives_zeros:
            gradients = [zeros_of(s) if g is None else g for g, s in zip(gradients, flat_sources, strict=True)]
        return nest.pack_sequence_as(sources, gradients) if nest.is_nested(sources) else gradients[0]

    def _gradient_of_composites(
        self, target: Any, sources: Any, output_gradients: Any, unconnected_gradients: str
    ) -> Any:
        """Computes ``gradient`` for composites among targets or sources, by way of their flat values."""
        weights = None if output_gradients is None else _flat_values(output_gradients)
        flat_gradients = self.gradient(_flat_values(target), _flat_values(sources), weights, unconnected_gradients)
        gradients = [
            source._with_flat_values(dense_gradient(g)) if isinstance(source, Composite) and g is not None else g
            for source, g in zip(nest.flatten(sources), flat_gradients, strict=True)
        ]
        return nest.pack_sequence_as(sources, gradients) if nest.is_nested(sources) else gradients[0]

    def _check_record_available(self, method: str) -> None:
        if not self._entered:
            raise RuntimeError(
                f"GradientTape.{method}: the tape has recorded nothing: compute the target inside `with tape:`."
            )
        if self._record_freed:
            raise RuntimeError(
                f"A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians); this is a second "
                f"{method}(). Pass persistent=True: tf.GradientTape(persistent=True)."
            )

    def _pause_unless_persistent(self) -> None:
        if self._recording and not self._persistent:
            self._pause_recording()

    def _free_record(self) -> None:
        """Drops the record of a tape that is not persistent, as the last step: an error leaves the tape unchanged."""
        if not self._persistent:
            self._record_freed = True
            watched_variables = self._watched_variables
            self._clear()
            self._watched_variables = watched_variables

    def _checked_target(self, item: Any) -> Tensor:
        if isinstance(item, Variable):
            tensor = Variable.value(item)
            self.on_read(item, tensor)
            return tensor
        if isinstance(item, IndexedSlices):
            return item.values  # their sum is the sum of the dense tensor
        return _checked_tensor(item, "target")

    def _checked_source(self, item: Any) -> Tensor | Variable:
        if isinstance(item, (Tensor, Variable)):
            return item
        return self._checked_source(item.value) if stands_for_variable(item) else _checked_tensor(item, "source")

    def _backward(
        self, entries: list[TapeEntry], targets: list[Tensor], sources: list[Tensor | Variable], weights: list[Any]
    ) -> list[Any]:
        return backward_pass(entries, targets, self._ids_of_sources(sources, targets), weights)

    def _ids_of_sources(self, sources: list[Tensor | Variable], targets: list[Tensor]) -> list[list[int]]:
        """Returns the ids under which each source's cotangent is kept; a variable has the ids of its snapshots.

        A source that was not watched has no ids, unless it is a target itself.
        """
        snapshots: dict[int, list[int]] = {}
        for key, (_, variable) in self._reads.items():
            snapshots.setdefault(id(variable), []).append(key)
        tracked = self._tracked
        return [
            snapshots.get(id(s), [])
            if isinstance(s, Variable)
            else [id(s)]
            if id(s) in tracked or (s._array.dtype.kind != "O" and any(s is target for target in targets))
            else []
            for s in sources
        ]

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of ``target`` with respect to each of ``sources``, of shape ``target.shape + source.shape``.

        Args:
            target: a tensor.
            sources: a tensor, variable or nested structure of them.
            unconnected_gradients: as in ``gradient``.
            parallel_iterations, experimental_use_pfor: kept for TensorFlow's signature.

        Raises:
            RuntimeError: as in ``gradient``.
        """
        gives_zeros = wants_zeros(unconnected_gradients)
        self._check_record_available("jacobian")
        target = self._checked_target(target)
        flat_sources = [self._checked_source(item) for item in nest.flatten(sources)]
        self._pause_unless_persistent()
        entries = list(self._entries)
        rows = []
        for position in range(target._array.size):
            one_hot = np.zeros(target._array.shape, target._array.dtype)
            one_hot.reshape(-1)[position] = 1
            rows.append(
                [dense_gradient(g) for g in self._backward(entries, [target], flat_sources, [constant_tensor(one_hot)])]
            )
        results: list[Any] = []
        for column, source in enumerate(flat_sources):
            shape = (*target.shape, *source.shape)
            row_gradients = [row[column] for row in rows]
            if not row_gradients or all(row_gradient is None for row_gradient in row_gradients):
                zeros = constant_tensor(np.zeros(shape, source._array.dtype)) if gives_zeros or not rows else None
                results.append(zeros)
            else:
                dense_rows = [
                    zeros_of(source) if row_gradient is None else row_gradient for row_gradient in row_gradients
                ]
                results.append(TABLE["reshape"](TABLE["stack"](*dense_rows, axis=0), shape=shape))
        self._free_record()
        return nest.pack_sequence_as(sources, results) if nest.is_nested(sources) else results[0]

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of each row of ``target`` with respect to the same row of ``source``; rows must be independent.

        Args:
            target, source: shape (batch, ...), of rank 2 or more.
            unconnected_gradients: kept for TensorFlow's signature; an unconnected source gives zeros.
            parallel_iterations, experimental_use_pfor: kept for TensorFlow's signature.

        Returns:
            Shape ``(batch, *target.shape[1:], *source.shape[1:])``.

        Raises:
            ValueError: the first dimensions differ, or a rank is below 2.
            RuntimeError: as in ``gradient``.
        """
        self._check_record_available("batch_jacobian")
        target = self._checked_target(target)
        source = self._checked_source(source)
        for shape in (target.shape, source.shape):
            if shape.rank < 2:
                raise ValueError(f"batch_jacobian: Shape {shape} must have rank at least 2.")
        if target.shape[0] != source.shape[0]:
            raise ValueError(
                f"Need first dimension of target shape ({target.shape}) and source shape ({source.shape}) to match."
            )
        self._pause_unless_persistent()
        entries = list(self._entries)
        batch, inner_shape = target.shape[0], tuple(target.shape[1:])
        columns = []
        for position in range(int(np.prod(inner_shape))):
            one_hot = np.zeros((batch, int(np.prod(inner_shape))), target._array.dtype)
            one_hot[:, position] = 1
            weight = constant_tensor(one_hot.reshape(target._array.shape))
            columns.append(dense_gradient(self._backward(entries, [target], [source], [weight])[0]))
        self._free_record()
        shape = (batch, *inner_shape, *source.shape[1:])
        if not columns or all(column is None for column in columns):
            return constant_tensor(np.zeros(shape, source._array.dtype))
        dense_columns = [zeros_of(source) if column is None else column for column in columns]
        return TABLE["reshape"](TABLE["stack"](*dense_columns, axis=1), shape=shape)


def record_operation(
    name: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], gradient: Callable[..., Any]
) -> None:
    """Reports an operation to recorders; its gradient is the function ``gradient(needs, g, y, *inputs)``."""
    if recording.recorders.active:
        entry = Operation.__new__(Operation)
        entry.name, entry.run = name, None  # type: ignore[assignment]  # it can't be run again
        entry.gradient, entry.form = JointGradient(gradient), Form.EXTERN
        for recorder in recording.recorders.active:
            recorder.on_operation(entry, inputs, outputs, {})


def _checked_tensor(item: Any, role: str) -> Tensor:
    tensor = as_tensor_or_none(item)
    if tensor is None:
        raise TypeError(
            f"GradientTape.gradient: a {role} must be a tensor or variable, got {item!r} of type {type(item).__name__}."
        )
    return tensor


def _flat_values(structure: Any) -> list[Any]:
    return [item.flat_values if isinstance(item, Composite) else item for item in nest.flatten(structure)]
