"""Callbacks that watch one value of the logs, to stop, to save, or to lower the learning rate."""

from __future__ import annotations

import os
from collections.abc import Callable as _Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type, checked_integer, require
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import losses
from fastgrad._src.keras.callbacks.callback import Callback, Logs
from fastgrad._src.keras.saving.model_files import check_path


class Monitoring(Callback):
    """The base of callbacks that check whether a value has improved.

    Args:
        monitor: the name of the value in the logs.
        mode: ``"min"``, ``"max"``, or ``"auto"``: decided by the name; greater accuracies are better, for example.
        min_delta: smaller changes do not count.

    Attributes:
        best: the best value so far, initially None.
    """

    keeps: tuple[str, ...] = ("best",)

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warn(f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.")
            mode = "auto"
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None

    def get_monitor_value(self, logs: Logs | None) -> float | None:
        """Returns the monitored loss or metric in the logs; warns and returns None if it is missing.

        Raises:
            ValueError: neither the model nor the logs have it, and ``mode`` is ``"auto"``.
        """
        self._is_better_if_greater()  # raises for an unknown name, instead of a warning in each epoch
        value = (logs or {}).get(self.monitor)
        if value is None:
            if self.mode == "auto" and self._direction_of_metric() is None:
                require(
                    False, self, f"monitor={self.monitor} is no metric of the model, which has {', '.join(logs or {})}"
                )
            warn(
                f"{type(self).__name__} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
            )
        return value

    def _is_better_if_greater(self) -> bool:
        """True if greater values of the monitored quantity are better, by ``mode``, by the metric, or by the name.

        Raises:
            ValueError: the direction is unknown.
        """
        if self.mode != "auto":
            return self.mode == "max"
        direction = self._direction_of_metric()
        if direction is not None:
            return direction == "up"
        name = self._metric_name()
        if "acc" in name or "auc" in name or name.startswith("fmeasure") or name in ("precision", "recall"):
            return True
        raise ValueError(
            f"{type(self).__name__} callback received monitor={self.monitor}, but it can't be told whether that metric should be "
            "maximized or minimized. Pass `mode='max'` in order to monitor based on the highest metric value, or pass "
            "`mode='min'` in order to use the lowest value."
        )

    def _metric_name(self) -> str:
        return self.monitor.removeprefix("val_").removeprefix("weighted_")

    def _direction_of_metric(self) -> str | None:
        """Returns "up" or "down", where a loss or a metric of the model is better; None if the model has none of the monitored name."""
        name = self._metric_name()
        if name == "loss" or name.endswith("_loss"):
            return "down"
        for metric in self.model.single_metrics() if hasattr(self.model, "single_metrics") else ():
            if name == metric.name or name.endswith(f"_{metric.name}"):
                direction: str | None = metric._direction or ("down" if _is_mean_of_loss(metric) else None)
                if direction is not None:
                    return direction
        return None

    def is_better(self, value: float, than: float | None) -> bool:
        """True if ``value`` is better than ``than`` by more than ``min_delta``."""
        is_better_if_greater = self._is_better_if_greater()  # raises for an unknown name, also for the first value
        if than is None:
            return True
        return bool(value - self.min_delta > than if is_better_if_greater else value + self.min_delta < than)


def _is_mean_of_loss(metric: Any) -> bool:
    return getattr(metric, "_fn", None) in losses.ALL.values()


class EarlyStopping(Monitoring):
    """Stops training when a value has not improved for some epochs.

    Args:
        monitor: the name of the value in the logs, such as ``"val_loss"``.
        min_delta: the least change that counts as an improvement.
        mode: ``"min"`` or ``"max"``, the direction of improvement; ``"auto"`` chooses it by the metric or its name.
        patience: the number of epochs without improvement before it stops.
        verbose: 1 prints when it stops.
        baseline: only values better than this number reset the count of epochs without improvement.
        restore_best_weights: whether the model gets the weights of its best epoch at the end.
        start_from_epoch: earlier epochs are ignored.

    Raises:
        TypeError: ``patience``, ``start_from_epoch`` or ``min_delta`` is not a number.
        ValueError: in training: ``mode`` is ``"auto"``, and the direction of ``monitor`` is unknown.

    Attributes:
        stopped_epoch: the last epoch, 0 if it did not stop.
        best_epoch: the number of the best epoch.

    Example:
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> stop = tf.keras.callbacks.EarlyStopping(monitor="loss", min_delta=1e9, patience=1)
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=9, verbose=0, callbacks=[stop])
        >>> len(history.history["loss"])
        2
    """

    keeps = ("best", "wait", "stopped_epoch", "best_epoch", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        for name in ("patience", "start_from_epoch"):
            checked_integer("EarlyStopping", name, getattr(self, name))
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitoring):
    """Lowers the learning rate when a value has not improved for some epochs.

    Args:
        monitor, mode, min_delta: as in ``EarlyStopping``.
        factor: the factor by which the learning rate is multiplied, below 1.
        patience: the number of epochs without improvement before it lowers the rate.
        verbose: 1 prints each change.
        cooldown: the number of epochs after a change in which missing improvements are not counted.
        min_lr: the lowest rate.

    Raises:
        ValueError: the factor is 1 or more.
    """

    keeps = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        check_type(self, "a number below 1", (int, float, np.number), factor=factor)
        require(factor < 1.0, self, "`factor` must be below 1.0", factor=factor)
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooldown_counter = None, 0, 0

    def in_cooldown(self) -> bool:
        """True if missing improvements are not counted now."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
            return
        if self.in_cooldown():
            return
        self.wait += 1
        rate = float(self.model.optimizer.learning_rate)
        if self.wait >= self.patience and rate > np.float32(self.min_lr):
            rate = max(rate * self.factor, self.min_lr)
            self.model.optimizer.learning_rate = rate
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.")
            self.cooldown_counter, self.wait = self.cooldown, 0


class ModelCheckpoint(Monitoring):
    """Saves the model, or its weights, after epochs or batches.

    Args:
        filepath: the path, as for ``model.save`` or ``model.save_weights``; ``{epoch:02d}`` and names of logs in braces
            are replaced by their values.
        monitor, mode: as in ``EarlyStopping``.
        verbose: 1 prints when it saves.
        save_best_only: whether it saves only better models.
        save_weights_only: whether it saves only weights.
        save_freq: ``"epoch"``, or a number of batches.
        initial_value_threshold: a value that the first saved model must improve on.

    Raises:
        ValueError: another frequency, or a file of another kind.

    Example:
        >>> model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> keep = tf.keras.callbacks.ModelCheckpoint("best.keras", monitor="loss", save_best_only=True)
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[keep])
        >>> tf.io.gfile.exists("best.keras")
        True
    """

    keeps = ("best", "_batches")

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values")
        check_type(self, "a path", (str, os.PathLike), filepath=filepath)
        check_path(filepath, save_weights_only)
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only, self.save_freq = save_best_only, save_weights_only, save_freq
        self.best = initial_value_threshold
        self._epoch = self._batches = 0

    @property
    def follows_batches(self) -> bool:
        """True if the model is saved after a number of batches, so that the callback counts batches."""
        return self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches >= self.save_freq:
            self._batches = 0
            self._save_model(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save_model(epoch, None, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: Logs | None) -> None:
        logs = logs or {}
        improvement = ""
        value = self.get_monitor_value(logs) if self.save_best_only else None
        if value is not None:  # without the value, a warning was given and each model is saved
            best_text = "None" if self.best is None else f"{self.best:.5f}"
            if not self.is_better(value, self.best):
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best_text}")
                return
            improvement = f"{self.monitor} improved from {best_text} to {value:.5f}, "
            self.best = value
        values = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            path = self.filepath.format(**values)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}; there are {sorted(values)}.'
            ) from None
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: {improvement}saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_to: _Callable[..., None] = self.model.save_weights if self.save_weights_only else self.model.save
        save_to(path, overwrite=True)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")
