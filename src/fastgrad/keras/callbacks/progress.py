"""``ProgbarLogger``: how far training is."""

from __future__ import annotations

import sys
import time
from typing import Any

from fastgrad.keras.callbacks.callback import Callback, Logs


class ProgbarLogger(Callback):
    """A bar for each epoch in terminals and notebooks, with rate, loss and time left; elsewhere a line for each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._training = False
        self._began = self._shown = 0.0

    @property
    def follows_batches(self) -> bool:
        """Whether there is a bar to move."""
        return self.params.get("verbose") == 1 and is_shown()

    def _text(self, logs: Logs | None) -> str:
        return " - ".join(f"{name}: {value:.4g}" for name, value in (logs or {}).items() if isinstance(value, float))

    def _open(self, title: str) -> None:
        self._began = self._shown = time.perf_counter()
        self._bar = None
        if self.follows_batches:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.params.get("steps"), desc=title, unit="batch", dynamic_ncols=True)

    def _step(self, logs: Logs | None) -> None:
        if self._bar is not None:
            self._bar.update(self.params.get("steps_per_execution", 1))
            now = time.perf_counter()
            if logs and now - self._shown > 0.1:
                self._shown = now
                self._bar.set_postfix_str(self._text(logs), refresh=False)

    def _close(self, title: str, logs: Logs | None) -> None:
        seconds = time.perf_counter() - self._began
        if self._bar is not None:
            self._bar.set_postfix_str(self._text(logs), refresh=True)
            self._bar.close()
            self._bar = None
        elif self.params.get("verbose"):
            print(f"{title} - {seconds:.2g} s - {self._text(logs)}", flush=True)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Bars of validation are those of their epochs."""
        self._training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Nothing is shown any more."""
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Opens the epoch's bar."""
        self._title = f"Epoch {epoch + 1}/{self.params.get('epochs')}"
        self._open(self._title)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves it on."""
        self._step(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Closes it."""
        self._close(self._title, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Opens a bar, but not inside of an epoch."""
        if not self._training:
            self._open("Evaluation")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves it on."""
        if not self._training:
            self._step(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Closes it."""
        if not self._training:
            self._close("Evaluation", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Opens a bar."""
        self._open("Prediction")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves it on."""
        self._step(None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Closes it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def is_shown() -> bool:
    """Whether somebody looks: output goes to a terminal or a notebook."""
    if "ipykernel" in sys.modules:
        return True
    return sys.stderr is not None and sys.stderr.isatty()
