"""Callbacks that write logs, follow schedules, and call the user's functions."""

from __future__ import annotations

import csv
import os
import weakref
from collections.abc import Callable as _Callable
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type, checked_callable, checked_path, require
from fastgrad._src.keras.callbacks.callback import Callback, Logs


class LambdaCallback(Callback):
    """A callback that calls the user's functions at the hooks, such as ``on_epoch_end``.

    Args:
        on_epoch_begin, on_epoch_end: ``f(epoch, logs)``.
        on_train_begin, on_train_end: ``f(logs)``.
        on_train_batch_begin, on_train_batch_end: ``f(batch, logs)``.
        **kwargs: functions for other hooks.

    Raises:
        TypeError: an argument cannot be called.
    """

    def __init__(
        self,
        on_epoch_begin: _Callable[..., Any] | None = None,
        on_epoch_end: _Callable[..., Any] | None = None,
        on_train_begin: _Callable[..., Any] | None = None,
        on_train_end: _Callable[..., Any] | None = None,
        on_train_batch_begin: _Callable[..., Any] | None = None,
        on_train_batch_end: _Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in functions.items():
            if function is not None:
                self.__dict__[name] = checked_callable("LambdaCallback", name, function)


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch.

    Args:
        schedule: ``f(epoch, rate)`` or ``f(epoch)``, which returns the rate.
        verbose: 1 prints it.

    Raises:
        TypeError: ``schedule`` cannot be called.
    """

    def __init__(self, schedule: _Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = checked_callable("LearningRateScheduler", "schedule", schedule), verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Sets the learning rate of the epoch by the schedule; ValueError if the schedule does not return a number."""
        require(hasattr(self.model.optimizer, "learning_rate"), self, 'Optimizer must have a "learning_rate" attribute')
        try:
            rate = self.schedule(epoch, float(self.model.optimizer.learning_rate))
        except TypeError:  # a function of the epoch only, as in older programs
            rate = self.schedule(epoch)
        check_type("The output of the `schedule` function", "a float", (float, np.floating), ValueError, rate=rate)
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes the learning rate of the epoch into the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    Args:
        raise_error: whether `fit` ends with an error, so that no callback gets ``on_train_end``.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Stops training if the loss of the batch is NaN or infinite; RuntimeError if ``raise_error`` is set."""
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating.")
            if self._writes_files:
                print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class CSVLogger(Callback):
    """Writes the logs of each epoch as a line of a CSV file.

    Args:
        filename: the file.
        separator: between values.
        append: whether lines are added to an existing file.

    Raises:
        TypeError: ``filename`` is not a path, or ``separator`` is not one character.
    """

    def __init__(self, filename: Any, separator: Any = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise TypeError(f"CSVLogger: Argument `separator` must be one character, got {separator!r}.")
        self.filename = checked_path("CSVLogger", "filename", filename)
        self.sep, self.append = separator, append
        self.keys: list[str] | None = None
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self._writes_files:
            return
        self._with_header = True
        if self.append:
            try:
                self._with_header = not os.path.getsize(self.filename)
            except FileNotFoundError:
                self._with_header = True
        self._file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115 - closed at the end
        weakref.finalize(self, self._file.close)  # closes the file if training fails
        self._writer = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self._writes_files:
            return
        logs = logs or {}
        if self.keys is None:
            has_validation = "val_loss" in logs
            self.keys = sorted(logs)
            if not has_validation:
                self.keys += [f"val_{key}" for key in sorted(logs) if key != "learning_rate"]
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, fieldnames=["epoch", *self.keys], delimiter=self.sep)
            if self._with_header:
                self._writer.writeheader()
        row = {key: logs.get(key, "NA") for key in self.keys}
        self._writer.writerow({"epoch": epoch, **{key: _csv_text(value) for key, value in row.items()}})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
        self._writer = None


def _csv_text(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return '"[' + ", ".join(map(str, value)) + ']"'
