"""``tf.train.CheckpointManager``: keeps the newest checkpoints of a folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from fastgrad._src.core.argument_checks import check_counts, check_type, checked_path
from fastgrad._src.files.checkpoints.checkpoint import Checkpoint, checkpoint_path
from fastgrad._src.files.checkpoints.checkpoint_state import get_checkpoint_state, update_checkpoint_state
from fastgrad._src.ops.replica_messages import run_on_first_replica, value_from_first_replica


class CheckpointManager:
    """Saves numbered checkpoints and deletes old ones.

    Args:
        checkpoint: the ``Checkpoint`` to save.
        directory: the folder. Existing checkpoints count. Files outside of the folder are never deleted, even if its
            state file names them.
        max_to_keep: the number of checkpoints to keep; None for all.
        keep_checkpoint_every_n_hours: a checkpoint that would be deleted is kept permanently if it is at least this many
            hours newer than the last one kept permanently.
        checkpoint_name: the file name before ``-1`` ...
        step_counter: a variable; see ``checkpoint_interval``.
        checkpoint_interval: ``save`` only saves if ``step_counter`` has grown by at least this number.
        init_fn: a function that ``restore_or_initialize`` calls if there is no checkpoint.

    Raises:
        TypeError: ``checkpoint`` is not a Checkpoint, ``directory`` not a path, or ``max_to_keep`` not an integer.
        ValueError: ``max_to_keep`` or the interval is not positive; the interval has no counter.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: int | None = None,
        init_fn: Callable[[], Any] | None = None,
    ) -> None:
        check_counts("CheckpointManager", max_to_keep=max_to_keep)
        if checkpoint_interval is not None and (step_counter is None or checkpoint_interval <= 0):
            raise ValueError("`checkpoint_interval` must be positive and needs a `step_counter`.")
        check_type("CheckpointManager", "a Checkpoint", Checkpoint, checkpoint=checkpoint)
        self._checkpoint = checkpoint
        self._directory = checked_path("CheckpointManager", "directory", directory)
        self._max_to_keep = max_to_keep
        self._seconds_between_preserved = (
            None if keep_checkpoint_every_n_hours is None else keep_checkpoint_every_n_hours * 3600.0
        )
        self._prefix = os.path.join(self._directory, checkpoint_name)
        self._step_counter, self._interval = step_counter, checkpoint_interval
        self._last_step: int | None = None
        self._init_fn = init_fn
        state = get_checkpoint_state(self._directory)
        self._last_preserved = time.time()
        self._kept: dict[str, float] = {}
        if state is not None:
            timestamps = state.all_model_checkpoint_timestamps
            for position, path in enumerate(state.all_model_checkpoint_paths):
                self._kept[path] = timestamps[position] if position < len(timestamps) else self._last_preserved
            self._last_preserved = state.last_preserved_timestamp or self._last_preserved

    @property
    def directory(self) -> str:
        """The folder of the checkpoints."""
        return self._directory

    @property
    def checkpoint(self) -> Checkpoint:
        """The ``Checkpoint`` whose objects are saved."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """The minimum growth of the step counter between two saves."""
        return self._interval

    @property
    def checkpoints(self) -> list[str]:
        """The paths of the kept checkpoints, oldest first."""
        return list(self._kept)

    @property
    def latest_checkpoint(self) -> str | None:
        """The newest checkpoint, None if no checkpoint exists."""
        return list(self._kept)[-1] if self._kept else None

    def save(self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None) -> str | None:
        """Saves a checkpoint and deletes old ones in excess of ``max_to_keep``.

        Args:
            checkpoint_number: the number of the checkpoint; default: the last number plus 1.
            check_interval: whether ``checkpoint_interval`` applies.
            options: kept for TensorFlow's signature.

        Returns:
            The checkpoint's name; None if it was not saved because of ``checkpoint_interval``.

        Raises:
            OSError: the checkpoint could not be written; no checkpoint is deleted, and the next call tries again.
        """
        step = None
        if self._interval is not None and check_interval:
            step = int(self._step_counter)
            if self._last_step is not None and step < self._last_step + self._interval:
                return None
        if checkpoint_number is None:
            path = self._checkpoint._save_numbered(self._prefix)
        else:
            path = self._checkpoint.write(f"{self._prefix}-{int(checkpoint_number)}")
        group = self._checkpoint._replica_group()
        now = value_from_first_replica(
            group, time.time(), "the time of a checkpoint"
        )  # a stored time after now means that the clock was set back
        timestamp_by_path = {
            **{old_path: min(timestamp, now) for old_path, timestamp in self._kept.items() if old_path != path},
            path: now,
        }
        surplus_paths, last_preserved = self._pop_surplus_checkpoints(timestamp_by_path, min(self._last_preserved, now))
        paths, timestamps = list(timestamp_by_path), list(timestamp_by_path.values())
        run_on_first_replica(
            group, lambda: update_checkpoint_state(self._directory, path, paths, timestamps, last_preserved)
        )
        self._kept, self._last_preserved = timestamp_by_path, last_preserved
        self._last_step = self._last_step if step is None else step
        # Deletes after the state file is updated, so that it never names a missing file.
        run_on_first_replica(group, lambda: self._delete(surplus_paths))
        return path

    def _delete(self, paths: list[str]) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                if self._is_inside(path):
                    os.unlink(checkpoint_path(path))

    def _is_inside(self, path: str) -> bool:
        """True if the checkpoint ``path`` is directly in the folder, after symbolic links are resolved."""
        return os.path.realpath(os.path.dirname(path) or ".") == os.path.realpath(self._directory or ".")

    def _pop_surplus_checkpoints(
        self, time_by_path: dict[str, float], last_preserved: float
    ) -> tuple[list[str], float]:
        """Removes checkpoints in excess of ``max_to_keep`` from ``time_by_path``.

        Returns:
            The checkpoints to delete, and the time of writing of the last permanent checkpoint.
        """
        surplus_paths: list[str] = []
        while self._max_to_keep is not None and len(time_by_path) > self._max_to_keep:
            path = next(iter(time_by_path))
            timestamp = time_by_path.pop(path)
            if (
                self._seconds_between_preserved is not None
                and timestamp >= last_preserved + self._seconds_between_preserved
            ):
                last_preserved = timestamp
            else:
                surplus_paths.append(path)
        return surplus_paths, last_preserved

    def restore_or_initialize(self) -> str | None:
        """Restores the newest checkpoint and returns its name; without one, calls ``init_fn`` and returns None."""
        newest_path = self.latest_checkpoint
        if newest_path is not None:
            self._checkpoint.restore(newest_path)
            if self._step_counter is not None:
                self._last_step = int(self._step_counter)
        elif self._init_fn is not None:
            self._init_fn()
        return newest_path

    def sync(self) -> None:
        """Does nothing: writes are synchronous."""
