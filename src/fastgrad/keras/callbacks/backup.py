"""``BackupAndRestore``: a ``fit`` that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import fastgrad as tf
from fastgrad.argument_checks import checked_path
from fastgrad.keras.callbacks.callback import Callback, Logs


class BackupAndRestore(Callback):
    """Writes all that ``fit`` needs to go on to a file, and goes on from there if there is one.

    The file holds weights, the state of optimizer, metrics and other callbacks, the position in the data and all random
    states, so that a ``fit`` that is killed and called again ends with the bits of one that is not. (Data from a
    generator are read again from their start.) The last of all callbacks, it sees what the others have done.

    Args:
        backup_dir: the folder of the file; it is removed when training is through.
        save_freq: ``"epoch"``, or a number of batches.
        double_checkpoint: kept for Keras's signature: a file is replaced only by one that is whole.
        delete_checkpoint: whether the file is deleted when training is through.

    Raises:
        ValueError: no folder, or another frequency.
    """

    comes_last = True

    def __init__(
        self,
        backup_dir: Any,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(
                "Invalid value for argument `save_freq`. "
                f"Received: save_freq={save_freq}. Expected either 'epoch' or an integer value."
            )
        self.backup_dir, self.save_freq = checked_path("BackupAndRestore", "backup_dir", backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._path = os.path.join(self.backup_dir, "backup.safetensors")
        self._batches = 0
        self._checkpoint: Any = None
        self.fitting: Any = None  # what `fit` is at; it sets this

    @property
    def follows_batches(self) -> bool:
        """Whether batches are counted."""
        return self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Takes up what was saved.

        Raises:
            ValueError: the file is of another model or another ``fit``.
        """
        self._batches = 0
        model = self.model
        self._checkpoint = tf.train.Checkpoint(
            model=model,
            optimizer=model.optimizer,
            metrics=model.single_metrics(),
            random=tf.train.RandomState(),
            fitting=self.fitting,
        )
        if os.path.exists(self._path):
            try:
                self._checkpoint.read(self._path).assert_consumed()
            except (AssertionError, ValueError, tf.errors.InvalidArgumentError) as error:
                raise ValueError(
                    f"The backup {self._path!r} is of another model or another `fit`: {error} Delete it to begin anew."
                ) from error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Saves after so many batches."""
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % self.save_freq == 0:
            self._save(self.fitting.epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Saves after an epoch."""
        self._save(epoch + 1, 0)

    def _save(self, epoch: int, batch: int) -> None:
        self.fitting.epoch, self.fitting.batch = epoch, batch
        self._checkpoint.write(self._path)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Deletes the file."""
        self._checkpoint = self.fitting = None  # they hold the data
        if self.delete_checkpoint:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            with contextlib.suppress(OSError):  # there may be other files
                os.rmdir(self.backup_dir)

    def kept_state(self) -> dict[str, Any]:
        """How many batches there were."""
        return {"_batches": self._batches}
