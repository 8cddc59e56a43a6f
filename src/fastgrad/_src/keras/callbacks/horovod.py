"""Horovod's callbacks: ``fastgrad.distribute.callbacks``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.distribute.horovod import Average, broadcast_variables, grouped_allreduce, rank, size
from fastgrad._src.keras.callbacks.callback import Callback, Logs


class BroadcastGlobalVariablesCallback(Callback):
    """Gives the model and the optimizer the values of one process, after the first batch.

    Args:
        root_rank: the rank of that process.
        device: kept for Horovod's signature.
    """

    def __init__(self, root_rank: int, device: str = "") -> None:
        super().__init__()
        self._root_rank, self._is_done = root_rank, False

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Broadcasts the variables after the first batch, when all exist."""
        if not self._is_done:
            self._is_done = True
            optimizer = getattr(self.model, "optimizer", None)
            broadcast_variables([*self.model.variables, *(optimizer.variables if optimizer else ())], self._root_rank)


class MetricAverageCallback(Callback):
    """Replaces the losses and metrics of an epoch by their means over all processes. Put it before callbacks that use them.

    Args:
        device: kept for Horovod's signature.
    """

    def __init__(self, device: str = "") -> None:
        super().__init__()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs and size() > 1:
            names = sorted(logs)
            means = grouped_allreduce([np.asarray(logs[name], np.float64) for name in names], op=Average)
            logs.update({name: float(mean) for name, mean in zip(names, means, strict=True)})


class LearningRateScheduleCallback(Callback):
    """Multiplies the learning rate in some epochs.

    Args:
        initial_lr: the learning rate that is multiplied.
        multiplier: a factor, or a function of the epoch that returns it. Without ``staircase`` the epoch has a fraction.
        start_epoch: the first epoch, from 0.
        end_epoch: the epoch after the last. Default: all.
        staircase: whether the rate changes at the start of an epoch only.
        momentum_correction: whether momentum is scaled with the rate in the batch after a change.
        steps_per_epoch: the number of batches of an epoch. Default: that of ``fit``.

    Raises:
        ValueError: the number of batches is needed and unknown.
    """

    def __init__(
        self,
        initial_lr: float,
        multiplier: Any,
        start_epoch: int = 0,
        end_epoch: int | None = None,
        staircase: bool = True,
        momentum_correction: bool = True,
        steps_per_epoch: int | None = None,
    ) -> None:
        super().__init__()
        self._initial_rate, self._start, self._end = initial_lr, start_epoch, end_epoch
        self._staircase, self._steps, self._momentum_correction = staircase, steps_per_epoch, momentum_correction
        self._multiplier: Callable[[float], float] = multiplier if callable(multiplier) else lambda epoch: multiplier
        self._epoch = 0
        self._momentum: float | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self._epoch < self._start or (self._end is not None and self._epoch >= self._end):
            return
        if self._staircase:
            if batch == 0:
                self._set_rate(self._epoch)
            return
        steps = self._steps or self.params.get("steps")
        if not steps:
            raise ValueError(f"{type(self).__name__}: the size of an epoch is unknown. Give steps_per_epoch.")
        self._set_rate(self._epoch + batch / steps)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._momentum is not None:
            self.model.optimizer.momentum, self._momentum = self._momentum, None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Reports the learning rate as ``lr``."""
        if logs is not None:
            logs["lr"] = float(np.asarray(self.model.optimizer.learning_rate))

    def _set_rate(self, epoch: float) -> None:
        optimizer = self.model.optimizer
        old_rate = float(np.asarray(optimizer.learning_rate))
        new_rate = self._initial_rate * self._multiplier(epoch)
        optimizer.learning_rate = new_rate
        momentum = getattr(optimizer, "momentum", None)
        if self._momentum_correction and momentum and old_rate and new_rate != old_rate:
            self._momentum = momentum
            optimizer.momentum = momentum * new_rate / old_rate


class LearningRateWarmupCallback(LearningRateScheduleCallback):
    """Raises the learning rate from ``initial_lr / size()`` to ``initial_lr`` in the first epochs.

    Args:
        initial_lr: the learning rate after the warm-up, already multiplied by ``size()``.
        warmup_epochs: the number of epochs.
        momentum_correction, steps_per_epoch: as in ``LearningRateScheduleCallback``.
        verbose: whether the first process prints the rate after the warm-up.
    """

    def __init__(
        self,
        initial_lr: float,
        warmup_epochs: int = 5,
        momentum_correction: bool = True,
        steps_per_epoch: int | None = None,
        verbose: int = 0,
    ) -> None:
        def multiplier(epoch: float) -> float:
            steps = self._steps or self.params["steps"]
            return 1.0 / size() * ((epoch + 1.0 / steps) * (size() - 1) / warmup_epochs + 1.0)

        super().__init__(initial_lr, multiplier, 0, warmup_epochs, False, momentum_correction, steps_per_epoch)
        self._verbose = verbose

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self._verbose and rank() == 0 and epoch == (self._end or 0) - 1:
            rate = float(np.asarray(self.model.optimizer.learning_rate))
            print(f"\nEpoch {epoch + 1}: finished gradual learning rate warmup to {rate:g}.")
