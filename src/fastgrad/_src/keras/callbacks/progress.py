"""``ProgbarLogger``: the progress of training."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.callbacks.callback import Callback, Logs
from fastgrad._src.keras.callbacks.progress_bar import Progbar, are_bars_drawn_live


class ProgbarLogger(Callback):
    """A progress bar for each epoch, evaluation and prediction; see ``keras.utils.Progbar``."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._training = False
        self._target: int | None = (
            None  # the steps of an epoch; for data of unknown length, the steps of the last epoch
        )
        self._seen = 0

    @property
    def follows_batches(self) -> bool:
        """True if batches are counted, for a bar that grows or for the number of steps."""
        verbose = self.params.get("verbose")
        return (verbose == 1 and are_bars_drawn_live()) or (bool(verbose) and not self.params.get("steps"))

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._target = params.get("steps")

    def _begin_bar(self) -> None:
        self._seen = 0
        self._bar = Progbar(self._target, verbose=self.params.get("verbose", 1), stateless_metrics=())

    def _update_bar(self, batch: int, logs: Logs | None) -> None:
        self._seen = batch + 1
        if self._bar is not None and self.params.get("verbose") == 1:
            self._bar.update(self._seen, (logs or {}).items(), finalize=False)

    def _finish_bar(self, logs: Logs | None) -> None:
        if self._target is None:
            self._target = self._seen
        if self._bar is not None:
            self._bar.target = self._target
            self._bar.update(self._target, (logs or {}).items(), finalize=True)
            self._bar = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Starts training mode, in which validations show no progress bars."""
        self._training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.params.get("verbose") and self.params.get("epochs", 1) > 1:
            print(f"Epoch {epoch + 1}/{self.params['epochs']}", flush=True)
        self._begin_bar()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update_bar(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish_bar(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._begin_bar()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._training:
            self._update_bar(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._finish_bar(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin_bar()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._update_bar(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish_bar(None)
