"""``Callback``: hooks that run before and after epochs and batches."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.replicas import ALONE

Logs = dict[str, Any]


class Callback:
    """The base of callbacks: subclasses override what they need.

    Attributes:
        model: the model that runs.
        params: ``epochs``, ``steps`` (batches of an epoch, None if unknown) and ``verbose``.
        keeps: the attributes that ``BackupAndRestore`` saves: numbers, texts, lists and dicts of these, or lists of arrays.
        comes_last: whether its methods run after those of other callbacks.

    Example:
        >>> class Count(tf.keras.callbacks.Callback):
        ...     batches = 0
        ...
        ...     def on_train_batch_end(self, batch, logs=None):
        ...         self.batches += 1
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> count = Count()
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[count])
        >>> count.batches
        2
    """

    __getattr__ = missing_member_getattr

    keeps: tuple[str, ...] = ()
    comes_last = False

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that runs ``fit``, ``evaluate`` or ``predict`` with the callback."""
        return self._model

    @property
    def _writes_files(self) -> bool:
        """True in the first replica of a strategy, which writes the files of all."""
        return getattr(self._model, "_replicas", ALONE).rank == 0

    def set_params(self, params: dict[str, Any]) -> None:
        """Sets ``params``, the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Sets ``model``, the model that runs."""
        self._model = model

    def state_for_backup(self) -> dict[str, Any]:
        """Returns the values of the attributes named in ``keeps``, which a backup stores."""
        return {name: getattr(self, name) for name in self.keeps}

    def restore_state_of_backup(self, state: dict[str, Any]) -> None:
        """Restores a result of ``state_for_backup``; ValueError if attribute names or kinds of values differ."""
        own_state = self.state_for_backup()
        if state.keys() != own_state.keys():
            raise ValueError(f"{type(self).__name__} keeps {sorted(own_state)}, the backup has {sorted(state)}.")
        for name, value in state.items():
            own = own_state[name]
            is_set = value is not None and own is not None
            if is_set and _json_type(value) is not _json_type(own):
                owner = f"{name!r} of {type(self).__name__}"
                raise ValueError(f"{owner} is {own!r:.100}, in the backup {value!r:.100}.")
        self.__dict__.update(state)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Runs before training."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Runs after training; ``logs`` are those of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Runs before ``evaluate``, also inside ``fit``."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Runs after ``evaluate``."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Runs before ``predict``."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Runs after ``predict``."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Runs before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Runs after an epoch and validation; ``logs`` has loss and metrics, those of validation with ``val_``."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Runs before a batch; an older name of ``on_train_batch_begin``."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Runs after a batch; an older name of ``on_train_batch_end``."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Runs before a batch, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Runs after a batch; ``logs`` has the mean loss and metrics of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Runs before a batch of ``evaluate``."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Runs after a batch of ``evaluate``."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Runs before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Runs after a batch of ``predict``; ``logs["outputs"]`` holds its results."""


def _json_type(value: Any) -> type:
    """Returns the JSON type of a value: number, text, list or object."""
    return next((kind for kind in (str, list, dict) if isinstance(value, kind)), float)
