"""``Trainer``: ``fit``, ``evaluate`` and ``predict`` of models.

One file, because it is one class.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from fastgrad._src.compiler import function as function_ops
from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import (
    check_counts,
    checked_flag,
    checked_integer,
    checked_number,
    named_argument,
    require,
)
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.replicas import replica_group_scope, replica_step
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.callbacks.backup import BackupAndRestore
from fastgrad._src.keras.callbacks.callback import Callback
from fastgrad._src.keras.callbacks.callback_list import CallbackList
from fastgrad._src.keras.callbacks.history import History
from fastgrad._src.keras.callbacks.progress import ProgbarLogger
from fastgrad._src.keras.losses.loss import add_losses, scale_loss, track_loss
from fastgrad._src.keras.training.batches import (
    Batches,
    as_arrays,
    pack_x_y_sample_weight,
    split_validation_data,
    tensors_of_batch,
    unpack_x_y_sample_weight,
    weights_of_classes,
)
from fastgrad._src.keras.training.compile_loss import check_classes, takes_class_numbers
from fastgrad._src.keras.training.compile_metrics import CompileMetrics
from fastgrad._src.keras.training.compiled import Compiled, Logs
from fastgrad._src.keras.training.replica_batches import (
    ReplicaBatches,
    join_metrics,
    logs_of_replicas,
    part_of_replica,
    row_count,
)
from fastgrad._src.keras.training.running_fit import RunningFit
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.replica_messages import average_on_read, gather_values
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse import array_ops
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


def _run_in_model_replicas(method: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a method of a model in the replicas of the scope that made the model, as in Keras."""

    @functools.wraps(method)
    def run_in_replicas(self: Any, *args: Any, **kwargs: Any) -> Any:
        with replica_group_scope(self._replicas):
            return method(self, *args, **kwargs)

    function: Any = run_in_replicas
    function.__code__ = function.__code__.replace(co_name=method.__name__)  # shown by tracebacks
    return run_in_replicas


class Trainer(Compiled):
    """The part of ``Model`` that trains it.

    Attributes:
        stop_training, stop_evaluating, stop_predicting: a callback sets it to end ``fit``, ``evaluate`` or ``predict``
            after the current batch.
    """

    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    history: History
    trainable_variables: list[Any]
    weights: list[Any]
    losses: list[Any]
    call: Callable[..., Any]

    # ---- one step --------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Returns the loss of a batch: the loss of ``compile`` plus the losses that layers have added.

        Raises:
            ValueError: there is no loss.
        """
        total = None
        compiled = self.__dict__.get("_compile_loss")
        if compiled is not None:
            self._check_labels(y)
            total = compiled(y, y_pred, sample_weight)
        for loss in self.losses:
            total = add_losses(total, scale_loss(reduce_sum(cast(loss, "float32"))))
        if total is None:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return total

    def _check_labels(self, y: Any) -> None:
        """Raises ValueError if the model is compiled with a loss and there are no labels."""
        if y is None and self.__dict__.get("_compile_loss") is not None:
            raise ValueError(f"There are no labels (`y` is None) for the loss {self.__dict__['loss']!r}.")

    def _call_compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Calls ``compute_loss``, which a subclass may have defined without the argument ``training``."""
        options = {"training": training} if _has_training_argument(type(self).compute_loss) else {}
        return self.compute_loss(x, y, y_pred, sample_weight, **options)

    def compiled_loss(self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Any:
        """Calls ``compute_loss`` under an older name, and adds the loss to its mean; warns.

        Args:
            y, y_pred, sample_weight: as in ``compute_loss``.
            regularization_losses: ignored; layer losses are always added.
        """
        warn(
            "`model.compiled_loss()` is deprecated. Instead, use "
            "`model.compute_loss(x, y, y_pred, sample_weight, training)`.",
        )
        loss = self.compute_loss(None, y, y_pred, sample_weight)
        track_loss(self.__dict__["_loss_tracker"], loss, row_count(y_pred))
        return loss

    @property
    def compiled_metrics(self) -> Any:
        """The metrics of ``compile`` as one metric, under an older name; warns."""
        warn(
            "`model.compiled_metrics` is deprecated. Instead, use `model.compute_metrics(x, y, y_pred, sample_weight)`, or "
            "`metric.update_state(y, y_pred)` for each metric in `model.metrics`.",
        )
        compiled = self.__dict__["_compile_metrics"]
        return CompileMetrics(None, None, None) if compiled is None else compiled

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Logs:
        """Updates the metrics of ``compile`` with a batch, and returns the values of all metrics."""
        compiled = self.__dict__["_compile_metrics"]
        if compiled is not None:
            compiled.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _call_model(self, x: Any, training: bool) -> Any:
        model: Any = self
        return model(x, training=training)

    def train_step(self, data: Any) -> Logs:
        """Runs one training step; subclasses may override it.

        Args:
            data: a batch: inputs, or a tuple of inputs, labels and sample weights.

        Returns:
            Values for the logs, by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        optimizer = self.__dict__["optimizer"]
        if optimizer is None:
            raise ValueError(f"{type(self).__name__}: compiled with optimizer=None, so it can't be trained.")
        with GradientTape() as tape:
            y_pred = self._call_model(x, True)
            loss = self._call_compute_loss(x, y, y_pred, sample_weight, True)
            scaled_loss = optimizer.scale_loss(loss)
        variables = self.trainable_variables
        track_loss(self.__dict__["_loss_tracker"], loss, row_count(x))
        if variables:
            optimizer.apply_gradients(zip(tape.gradient(scaled_loss, variables), variables, strict=True))
        else:
            warn("The model does not have any trainable weights.")
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> Logs:
        """Runs one step of ``evaluate``; subclasses may override it."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._call_model(x, False)
        loss = self._call_compute_loss(x, y, y_pred, sample_weight, False)
        track_loss(self.__dict__["_loss_tracker"], loss, row_count(x))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Runs one step of ``predict``; subclasses may override it."""
        return self._call_model(unpack_x_y_sample_weight(data)[0], False)

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """Returns the training step that ``fit`` runs, compiled unless ``run_eagerly``."""
        return self._step_function("train", force)

    def make_test_function(self, force: bool = False) -> Callable[..., Any]:
        """Returns the step that ``evaluate`` runs."""
        return self._step_function("test", force)

    def make_predict_function(self, force: bool = False) -> Callable[..., Any]:
        """Returns the step that ``predict`` runs."""
        return self._step_function("predict", force)

    def _step_function(self, kind: str, force: bool = False) -> Callable[..., Any]:
        functions = self.__dict__.setdefault("_step_functions", {})
        if force or kind not in functions:
            name = kind.removesuffix("_on_batch")
            step = getattr(self, f"{name}_step")

            def run_step(x: Any, y: Any, sample_weight: Any) -> Any:
                return step(_packed_copy(x, y, sample_weight, kind))

            def run_replica_step(x: Any, y: Any, sample_weight: Any, total_rows: int | None = None) -> Any:
                # `total_rows` is part of the program's key: so all replicas record a program in the same step.
                with (
                    replica_group_scope(self._replicas._replace(is_cross_replica=False)),
                    replica_step(row_count(x), total_rows, joins_metrics=self._has_own_step(name)),
                ):
                    return step(_packed_copy(x, y, sample_weight, kind))

            function: Any = run_step if self._replicas.strategy is None else run_replica_step
            function.runs = (self, step)  # whose changes a recorded program notices
            functions[kind] = function if self.run_eagerly else function_ops.function(function)
        step_function: Callable[..., Any] = functions[kind]
        return step_function

    # ---- loops -------------------------------------------------------------------------------------------------

    @_run_in_model_replicas
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float | None = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Trains the model.

        Args:
            x: the inputs: (nested) arrays with a row for each sample; or a ``Dataset``, ``PyDataset`` or generator of batches.
            y: the labels; None if ``x`` yields batches, which contain the labels.
            batch_size: the batch size for arrays; default 32. The last batch may be shorter.
            epochs: the number of the last epoch.
            verbose: 0 is silent, 1 shows a bar, 2 a line for each epoch; ``"auto"`` is 1. If the output is not a terminal,
                lines replace bars.
            callbacks: ``keras.callbacks.Callback``s.
            validation_split: the fraction of the samples, taken from the end, that is used for evaluation instead of training.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or batches to evaluate after epochs.
            shuffle: whether arrays are shuffled again for each epoch.
            class_weight: factors of the losses by class.
            sample_weight: factors of the losses by sample.
            initial_epoch: the number of the first epoch.
            steps_per_epoch: the number of batches per epoch; the next epoch continues with the next batch.
            validation_steps, validation_batch_size: ``steps_per_epoch`` and ``batch_size`` of validation, which always begins with
                the first batch.
            validation_freq: the number of epochs between evaluations, or a list of epochs, counted from 1.

        Returns:
            A ``History`` with the logs of all epochs. An epoch without batches warns, and has no logs of training.

        Raises:
            ValueError: the model is not compiled, or the data do not match; then nothing is trained.
        """
        self._check_compiled("fit")
        checked_integer("fit", "epochs", epochs)
        checked_integer("fit", "initial_epoch", initial_epoch)
        check_counts("fit", batch_size=batch_size, steps_per_epoch=steps_per_epoch)
        shuffle = checked_flag("fit", "shuffle", shuffle)
        if validation_data is not None:
            check_counts("fit", validation_steps=validation_steps, validation_batch_size=validation_batch_size)
            _is_validation_due(0, validation_freq)
        elif validation_split is not None and checked_number("fit", "validation_split", validation_split):
            (x, y, sample_weight), validation_data = split_validation_data(x, y, sample_weight, validation_split)
        weights = self._weights_of_labels(class_weight)
        batches = self._batches("fit", x, y, sample_weight, batch_size, steps_per_epoch, shuffle, weights)
        validation_arguments = validation_data, validation_batch_size or batch_size, validation_steps
        validation = None if validation_data is None else self._validation_batches(*validation_arguments)
        model_class = type(self)
        if model_class.train_step is Trainer.train_step and model_class.compute_loss is Trainer.compute_loss:
            for data in (batches, validation):
                if data is not None and data.labels is not None:
                    check_classes(self.__dict__["loss"], data.labels, getattr(self, "output_shape", None))
        history = self.__dict__["history"] = History()
        hooks = self._callback_list(callbacks, verbose, history, epochs=epochs, steps=batches.size)
        self.stop_training = False
        step = self.make_train_function()
        fitting = RunningFit(self, initial_epoch, batches, validation, hooks.callbacks)
        for callback in hooks.callbacks:
            if isinstance(callback, BackupAndRestore):
                fitting.prepare([step, self.make_test_function()])
                callback.fitting = fitting
        validate = functools.partial(self._validate, validation, validation_arguments, hooks)
        hooks.call("on_train_begin", {})
        hooks.call("on_train_end", self._run_epochs(fitting, step, hooks, epochs, validation_freq, validate))
        return history

    def _validate(self, validation: Any, arguments: tuple[Any, Any, Any], hooks: CallbackList) -> Logs:
        """Evaluates the batches ``validation`` of ``fit``, by a subclass's own ``evaluate`` if there is one.

        Args:
            validation: the batches.
            arguments: what they were made of: the data, the batch size and the number of steps.
            hooks: the callbacks of ``fit``.
        """
        if type(self).evaluate is Trainer.evaluate:
            return self._evaluate(validation, hooks)
        data, batch_size, steps = arguments
        x, y, sample_weight = unpack_x_y_sample_weight(tuple(data) if isinstance(data, (tuple, list)) else (data,))
        self.__dict__["_validation"] = x, validation
        try:
            options = {"batch_size": batch_size, "steps": steps, "callbacks": hooks, "return_dict": True}
            logs: Logs = self.evaluate(x=x, y=y, sample_weight=sample_weight, **options)
        finally:
            del self.__dict__["_validation"]
        return logs

    def _run_epochs(
        self,
        fitting: RunningFit,
        step: Callable[..., Any],
        hooks: CallbackList,
        epochs: int,
        validation_freq: Any,
        validate: Callable[[], Logs],
    ) -> Logs:
        """Trains until the end of epoch number ``epochs`` or until a callback stops it; returns the logs of the last epoch."""
        logs: Logs = {}
        has_trained = False
        for epoch in range(epochs if fitting.is_stopped else fitting.epoch, epochs):
            fitting.epoch = epoch
            if not fitting.batch:
                self.reset_metrics()
            hooks.call("on_epoch_begin", epoch, {})
            logs = self._run_batches(step, fitting.batches, hooks, "train", fitting.batch)
            has_trained = has_trained or bool(logs)
            fitting.batch = 0
            if fitting.validation is not None and _is_validation_due(epoch, validation_freq):
                validation_logs = {f"val_{name}": value for name, value in validate().items()}
                logs = dict(sorted({**logs, **validation_logs}.items()))
            hooks.call("on_epoch_end", epoch, logs)
            self.stop_training = any(gather_values(self._replicas, self.stop_training, "the end of an epoch"))
            if self.stop_training:
                break
        optimizer = self.__dict__["optimizer"]
        if has_trained and hasattr(optimizer, "finalize_variable_values"):  # moving averages replace the weights
            optimizer.finalize_variable_values(self.trainable_variables)
        return logs

    @_run_in_model_replicas
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Computes the loss and metrics of data; arguments as in ``fit``.

        Returns:
            A dict of values by name if ``return_dict``. Otherwise a list of the loss and all metrics, or only the loss, a float, if
            there are no metrics. Without batches it warns, and returns an empty dict or list.
        """
        require(not kwargs, "evaluate", f"Arguments not recognized: {kwargs}")
        self._check_compiled("evaluate")
        check_counts("evaluate", batch_size=batch_size, steps=steps)
        return_dict = checked_flag("evaluate", "return_dict", return_dict)
        own_x, validation = self.__dict__.get("_validation", (None, None))
        is_validation = validation is not None and x is own_x  # whose batches ``fit`` has made
        batches = validation if is_validation else self._batches("evaluate", x, y, sample_weight, batch_size, steps)
        logs = self._evaluate(batches, self._callback_list(callbacks, verbose, epochs=1, steps=batches.size))
        return logs if return_dict else self._ordered_log_values(logs)

    @_run_in_model_replicas
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Returns the model's outputs for data as NumPy arrays; arguments as in ``fit``."""
        check_counts("predict", batch_size=batch_size, steps=steps)
        batches = self._batches("predict", x, None, None, batch_size, steps)
        hooks = self._callback_list(callbacks, verbose, epochs=1, steps=batches.size)
        step = self.make_predict_function()
        all_outputs: list[Any] = []
        self.stop_predicting = False
        self._join_own_variables()
        hooks.call("on_predict_begin", {})
        for number, group in enumerate(_batch_groups(batches.epoch(), self.steps_per_execution)):
            first = number * self.steps_per_execution
            if "on_predict_batch_begin" in hooks.watches:
                hooks.call("on_predict_batch_begin", first, {})
            outputs = [self._rows_of_all_replicas(self._run_step(step, batch)) for batch in group]
            all_outputs += outputs
            if "on_predict_batch_end" in hooks.watches:
                joined_outputs = outputs[0] if len(outputs) == 1 else nest.map_structure(_concatenate_rows, *outputs)
                hooks.call("on_predict_batch_end", first + self.steps_per_execution - 1, {"outputs": joined_outputs})
            if any(gather_values(self._replicas, self.stop_predicting, "the end of a batch of predict")):
                break
        hooks.call("on_predict_end", {})
        require(all_outputs, "predict", "The data has no batch, so the outputs have no shape. Give at least one sample")
        return nest.map_structure(_concatenate_rows, *all_outputs)

    def _evaluate(self, batches: Batches, hooks: CallbackList) -> Logs:
        step = self.make_test_function()
        self.stop_evaluating = False
        self._join_own_variables()
        hooks.call("on_test_begin", {})
        self.reset_metrics()
        logs = self._run_batches(step, batches, hooks, "test")
        hooks.call("on_test_end", logs)
        return logs

    def _run_batches(
        self, step: Callable[..., Any], batches: Batches, hooks: CallbackList, kind: str, first: int = 0
    ) -> Logs:
        """Runs all batches of an epoch from number ``first`` on; returns the logs of the last."""
        begin, end = f"on_{kind}_batch_begin", f"on_{kind}_batch_end"
        stop = "stop_training" if kind == "train" else "stop_evaluating"
        replicas_of_model = self._replicas
        watches = begin in hooks.watches or end in hooks.watches
        is_watched = any(gather_values(replicas_of_model, watches, f"the start of an epoch ({kind})"))
        logs: Any = None
        if not is_watched:
            for batch in batches.epoch(first):
                logs = self._run_step(step, batch)
                if replicas_of_model.size == 1 and getattr(self, stop):
                    break
        else:
            for group in _batch_groups(batches.epoch(first), self.steps_per_execution):
                hooks.call(begin, first, {})
                for batch in group:
                    logs = self._run_step(step, batch)
                first += self.steps_per_execution  # also for a shorter last group
                if replicas_of_model.size > 1:
                    logs = self._logs_of_replicas(logs, kind, stop)
                hooks.call(end, first - 1, _logs_as_floats(logs))
                if any(gather_values(replicas_of_model, getattr(self, stop), f"the end of a batch ({kind})")):
                    setattr(self, stop, True)
                    break
        if logs is None and first:  # a restored training had already run all batches
            logs = self.get_metrics_result()
        if logs is None:  # no batch: the metrics have seen nothing, and `Batches` has warned
            return {}
        if replicas_of_model.size > 1:
            logs = self._logs_of_replicas(logs, kind, stop)
        elif is_watched and not self._has_own_step(kind):
            logs = self.get_metrics_result()  # a callback may have evaluated the model, which resets the metrics
        return _logs_as_floats(logs)

    def _logs_of_replicas(self, logs: Any, kind: str, flag_name: str) -> Logs:
        """Returns the logs of a step of ``kind`` over all replicas, as ``logs_of_replicas`` does."""
        return logs_of_replicas(self._replicas, self, _logs_as_floats(logs), flag_name, self._has_own_step(kind))

    def _has_own_step(self, kind: str) -> bool:
        """True if a subclass has a step, or metrics, of its own."""
        names = (f"{kind}_step", "compute_metrics", "get_metrics_result")
        return any(getattr(type(self), name) is not getattr(Trainer, name) for name in names)

    def _weights_of_labels(self, class_weight: dict[int, float] | None) -> Any:
        """Returns the function that gives the weights of labels by their classes; None without ``class_weight``."""
        if class_weight is None:
            return None
        loss, output_shape = self.__dict__.get("loss"), getattr(self, "output_shape", None)
        return lambda y: weights_of_classes(y, class_weight, takes_class_numbers(loss, y, output_shape))

    def _batches(self, method: str, x: Any, *arguments: Any) -> Any:
        """Returns the batches of ``fit``, ``evaluate`` or ``predict``; in the scope of a strategy those of this replica."""
        group = self._replicas
        if group.size == 1:
            return Batches(x, *arguments)
        join_metrics(group, self)
        if isinstance(x, Dataset):
            x = group.strategy.experimental_distribute_dataset(x)
        batches = Batches(x, *arguments, gives_row_numbers=True)  # type: ignore[misc]  # at most seven
        return ReplicaBatches(group, batches, method)

    def _validation_batches(self, validation_data: Any, batch_size: int | None, steps: int | None) -> Any:
        """Returns the batches of ``fit``'s argument ``validation_data``; its errors name the argument."""
        arguments = validation_data if isinstance(validation_data, (tuple, list)) else (validation_data,)
        with named_argument("fit", "validation_data", "(x, y), (x, y, sample_weight) or batches"):
            arguments = unpack_x_y_sample_weight(tuple(arguments))
            batches = self._batches("fit", *arguments, batch_size, steps, False, None, True)
            own_steps = {type(self).test_step, type(self).compute_loss} != {Trainer.test_step, Trainer.compute_loss}
            if batches.is_arrays and not own_steps:
                self._check_labels(arguments[1])
        return batches

    def _rows_of_all_replicas(self, outputs: Any) -> Any:
        """Returns outputs of ``predict`` joined along the rows: as in Keras, each replica gets all of them."""
        group = self._replicas
        if group.size == 1:
            return outputs
        parts = gather_values(group, nest.map_structure(lambda output: output.numpy(), outputs), "outputs of predict")
        return nest.map_structure(lambda *arrays: convert_to_tensor(np.concatenate(arrays)), *parts)

    def _join_own_variables(self) -> None:
        """Averages the weights that each replica updates by itself, such as moving means of its own batches."""
        average_on_read(self._replicas, self.weights)

    def _callback_list(self, callbacks: Any, verbose: Any, *more: Callback, **params: Any) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        callback_list = (
            [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        )
        try:
            verbose = 1 if isinstance(verbose, str) and verbose == "auto" else int(0 if verbose is None else verbose)
        except (TypeError, ValueError):
            raise TypeError(f"Argument `verbose` must be 'auto', 0, 1 or 2, got {verbose!r:.200}.") from None
        if verbose and not any(isinstance(callback, ProgbarLogger) for callback in callback_list):
            callback_list.append(ProgbarLogger())
        if self._replicas.rank:  # the first replica reports for all
            verbose = 0
            for callback in callback_list:
                if hasattr(callback, "verbose"):
                    callback.verbose = 0
        return CallbackList([*callback_list, *more], model=self, verbose=verbose, **params)

    # ---- single batches ------------------------------------------------------------------------------------------

    @_run_in_model_replicas
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Runs one training step on one batch; arguments as in ``fit``, result as of ``evaluate``."""
        self._check_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Arguments `sample_weight` and `class_weight` cannot be specified at the same time.")
            sample_weight = self._weights_of_labels(class_weight)(as_arrays(y))
        self.reset_metrics()
        logs = self._logs_of_batch("train", tensors_of_batch(x, y, sample_weight))
        return logs if return_dict else self._ordered_log_values(logs)

    @_run_in_model_replicas
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Runs one step of ``evaluate`` on one batch; arguments as in ``fit``, result as of ``evaluate``."""
        self._check_compiled("test_on_batch")
        self.reset_metrics()
        self._join_own_variables()
        logs = self._logs_of_batch("test", tensors_of_batch(x, y, sample_weight))
        return logs if return_dict else self._ordered_log_values(logs)

    @_run_in_model_replicas
    def predict_on_batch(self, x: Any) -> Any:
        """Returns the outputs for one batch as NumPy arrays."""
        self._join_own_variables()
        packs_tuple = (
            type(self).predict_step is not Trainer.predict_step
        )  # as in Keras, which gives predict's data bare
        step = self._step_function("predict_on_batch") if packs_tuple else self.make_predict_function()
        outputs = self._rows_of_all_replicas(
            self._run_step(step, self._step_arguments(tensors_of_batch(x, None, None)))
        )
        return nest.map_structure(_concatenate_rows, outputs)

    def _step_arguments(self, batch: tuple[Any, Any, Any]) -> tuple[Any, ...]:
        """Returns a batch as ``_run_step`` takes it: in the scope of a strategy, this replica's part of it."""
        return batch if self._replicas.size == 1 else part_of_replica(self._replicas, batch)

    def _run_step(self, step: Callable[..., Any], batch: tuple[Any, ...]) -> Any:
        """Returns the result of a step; ``batch`` is an item of ``Batches`` or ``ReplicaBatches``.

        A step in which the replicas have different numbers of rows runs as Python: it comes once an epoch, and a
        replica may have no rows.
        """
        if self._replicas.size == 1:
            return step(*batch)
        *arguments, is_even = batch
        return (step if is_even else getattr(step, "__wrapped__", step))(*arguments)

    def _logs_of_batch(self, kind: str, batch: tuple[Any, Any, Any]) -> Logs:
        step = getattr(self, f"make_{kind}_function")()
        logs = self._run_step(step, self._step_arguments(batch))
        if self._replicas.size > 1:
            logs = self._logs_of_replicas(logs, kind, "stop_training")
        return _logs_as_floats(logs)

    def _ordered_log_values(self, logs: Logs) -> Any:
        """Returns the values in the order of ``metrics``, then others by name; a single value without a list."""
        names = [name for name in self.metrics_names if name in logs]
        values = [logs[name] for name in [*names, *sorted(logs.keys() - set(names))]]
        return values[0] if len(values) == 1 else values


def _concatenate_rows(*parts: Any) -> Any:
    """Concatenates the rows of all parts into one array; those of ragged or sparse parts into one of these.

    Parts whose other dimensions differ become a ragged tensor.
    """
    if isinstance(parts[0], SparseTensor):
        return array_ops.concat(0, parts)
    if isinstance(parts[0], Composite):
        return concat(parts, 0)
    shapes = [part.shape[1:] for part in parts]
    ragged_rank = max(
        [axis for shape in shapes for axis, size in enumerate(shape, 1) if size != shapes[0][axis - 1]], default=0
    )
    if ragged_rank:
        return concat([RaggedTensor.from_tensor(part, ragged_rank=ragged_rank) for part in parts], 0)
    return np.concatenate([part.numpy() for part in parts])


def _packed_copy(x: Any, y: Any, sample_weight: Any, kind: str) -> Any:
    """Returns the data of a step in new lists and dicts, which the step may change: a batch is its own, as in Keras."""
    data = (x,) if kind == "predict_on_batch" else pack_x_y_sample_weight(x, y, sample_weight)
    return nest.map_structure(lambda leaf: leaf, data)


@functools.lru_cache(maxsize=256)
def _has_training_argument(compute_loss: Callable[..., Any]) -> bool:
    """True if ``compute_loss`` has the argument ``training``; programs for older Keras omit it."""
    parameters = inspect.signature(compute_loss).parameters.values()
    return any(parameter.name == "training" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _batch_groups(batches: Iterator[Any], size: int) -> Iterator[list[Any]]:
    return iter(lambda: list(itertools.islice(batches, size)), [])


def _is_validation_due(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, (list, tuple, set)):
        return (epoch + 1) in frequency
    if not isinstance(frequency, Real) or not frequency:
        raise TypeError(f"fit: `validation_freq` must be an integer > 0 or a list of epochs, got {frequency!r:.200}.")
    return (epoch + 1) % frequency == 0


def _logs_as_floats(logs: Any) -> Logs:
    """Converts logs to Python numbers by name."""
    if not isinstance(logs, dict):
        raise ValueError(f"A step must return a dict of values for the logs, got {logs!r:.200}.")
    numbers: Logs = {}
    for name in sorted(logs):
        value = logs[name]
        if isinstance(value, dict):
            numbers.update(_logs_as_floats(value))
            continue
        array = value.numpy() if isinstance(value, Tensor) else value
        try:
            numbers[name] = float(array)
        except (TypeError, ValueError):  # a value with several elements stays an array
            numbers[name] = array
    return numbers
