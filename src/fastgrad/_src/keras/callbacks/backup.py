"""``BackupAndRestore``: continues a ``fit`` that was killed."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import Any

from fastgrad._src.core.argument_checks import checked_path, require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.files.checkpoints.checkpoint import Checkpoint
from fastgrad._src.files.checkpoints.random_state import RandomState
from fastgrad._src.keras.callbacks.callback import Callback, Logs
from fastgrad._src.ops.replica_messages import value_from_first_replica


class BackupAndRestore(Callback):
    """Writes the state of ``fit`` to a file; continues from the file if there is one.

    The file holds weights, the state of optimizer, metrics and other callbacks, the position in the data and all random
    states. So a ``fit`` that is killed and called again ends with the same bits as an uninterrupted one. (Data from a
    generator are read from the start.) It runs after all other callbacks, so it saves their current state.

    Args:
        backup_dir: the folder of the file; it is removed at the end of training. With several replicas, the first writes the file
            and all read it, so the folder is on a shared file system. The number of replicas may differ after a restart.
        save_freq: ``"epoch"``, or a number of batches.
        double_checkpoint: kept for Keras's signature: a file is only replaced by a complete one.
        delete_checkpoint: whether the file is deleted at the end of training.

    Raises:
        ValueError: no folder, or another frequency.
    """

    keeps = ("_batches",)
    comes_last = True

    def __init__(
        self,
        backup_dir: Any,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        require(backup_dir, self, "Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(f"`save_freq` must be 'epoch' or a positive integer. Received: {save_freq=}.")
        self.backup_dir, self.save_freq = checked_path("BackupAndRestore", "backup_dir", backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._path = os.path.join(self.backup_dir, "backup.safetensors")
        self._batches = 0
        self._checkpoint: Any = None
        self.fitting: Any = None  # the state of the running `fit`, which sets it

    @property
    def follows_batches(self) -> bool:
        """True if the backup is saved after a number of batches, so that the callback counts batches."""
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Loads the state of an interrupted ``fit`` from the backup file, if there is one; ValueError if it is of another model or ``fit``."""
        self._batches = 0
        model = self.model
        self._checkpoint = Checkpoint(
            model=model,
            optimizer=model.optimizer,
            metrics=_metrics_by_unique_name(model.single_metrics()),
            random=RandomState(),
            fitting=self.fitting,
        )
        if value_from_first_replica(model._replicas, os.path.exists(self._path), "whether there is a backup"):
            try:
                self._checkpoint.read(self._path).assert_consumed()
            except (AssertionError, ValueError, InvalidArgumentError) as error:
                raise ValueError(
                    f"The backup {self._path!r} is of another model or another `fit`: {error} Delete it to start again."
                ) from error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % self.save_freq == 0:
            self._save_state(self.fitting.epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._save_state(epoch + 1, 0)

    def _save_state(self, epoch: int, batch: int) -> None:
        self.fitting.epoch, self.fitting.batch = epoch, batch
        self._checkpoint.write(self._path)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._checkpoint = self.fitting = None  # releases the data
        if self.delete_checkpoint and self._writes_files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):  # the folder may hold other files
                os.rmdir(self.backup_dir)


def _metrics_by_unique_name(metrics: list[Any]) -> dict[str, Any]:
    """Returns metrics by name, so that a restart may have them in another order; equal names are numbered."""
    counts: Counter[str] = Counter()
    metrics_by_name = {}
    for metric in metrics:
        metrics_by_name[f"{metric.name}/{counts[metric.name]}"] = metric
        counts[metric.name] += 1
    return metrics_by_name
