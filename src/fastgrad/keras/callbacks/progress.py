"""``ProgbarLogger``: the progress of training."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from fastgrad.keras.callbacks.callback import Callback, Logs


class ProgbarLogger(Callback):
    """A bar for each epoch in terminals and notebooks, with rate, loss and time left; a line at the end of each epoch.

    Bars are on standard error and are erased. Lines are on standard output and stay.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._training = False
        self._began = self._shown = 0.0
        self._seen = 0
        self._steps: int | None = None  # the steps of an epoch; for data of unknown length, the steps of the last epoch

    @property
    def follows_batches(self) -> bool:
        """True if batches are counted, for a progress bar or for the number of steps."""
        verbose = self.params.get("verbose")
        return (verbose == 1 and are_progress_bars_shown()) or (verbose == 2 and not self.params.get("steps"))

    def _summary_line(self, logs: Logs | None) -> str:
        steps = self.params.get("steps") or self._seen
        return summary_line(steps, steps, time.perf_counter() - self._began, "step", logs or {})

    def _logs_text(self, logs: Logs | None) -> str:
        return " - ".join(f"{name}: {value:.4g}" for name, value in (logs or {}).items() if isinstance(value, float))

    def _open_bar(self, title: str, steps: int | None = None) -> None:
        self._began = self._shown = time.perf_counter()
        self._seen = 0
        is_visible = self.params.get("verbose") == 1 and are_progress_bars_shown()
        self._bar = new_bar(self.params.get("steps") or steps, title, "batch") if is_visible else None

    def _advance_bar(self, batch: int, logs: Logs | None) -> None:
        self._seen = batch + 1
        if self._bar is not None:
            self._bar.update(self.model.steps_per_execution)
            now = time.perf_counter()
            if logs and now - self._shown > 0.1:
                self._shown = now
                loss_first = dict(
                    sorted(logs.items(), key=lambda item: item[0] != "loss")
                )  # the loss comes first: narrow terminals cut the rest
                self._bar.set_postfix_str(self._logs_text(loss_first), refresh=False)

    def _close_bar(self, title: str, logs: Logs | None) -> None:
        seconds = time.perf_counter() - self._began
        self._remove_bar()
        if self.params.get("verbose") == 2:
            print(self._summary_line(logs), flush=True)
        elif self.params.get("verbose"):
            print(f"{title} - {seconds:.2g} s - {self._logs_text(logs)}", flush=True)

    def _remove_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Starts training mode, in which validations show no progress bars."""
        self._training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Ends training mode, in which validations show no progress bars."""
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Opens the progress bar of an epoch."""
        self._title = f"Epoch {epoch + 1}/{self.params.get('epochs')}"
        if self.params.get("verbose") == 2 and self.params.get("epochs", 1) > 1:
            print(self._title, flush=True)
        self._open_bar(self._title, self._steps)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advances the progress bar of the epoch by a batch."""
        self._advance_bar(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Closes the progress bar of an epoch."""
        if self._bar is not None:
            self._steps = self._bar.n
        self._close_bar(self._title, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Opens a progress bar for an evaluation, unless an epoch is running."""
        if not self._training:
            self._open_bar("Evaluation")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advances the progress bar of the evaluation by a batch."""
        if not self._training:
            self._advance_bar(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Closes the progress bar of the evaluation."""
        if not self._training:
            self._close_bar("Evaluation", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Opens a progress bar for ``predict``."""
        self._open_bar("Prediction")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advances the progress bar of ``predict`` by a batch."""
        self._advance_bar(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Closes the progress bar of ``predict``."""
        if self.params.get("verbose") == 2:
            print(self._summary_line({}), flush=True)
        self._remove_bar()


def summary_line(steps: int, target: int | None, seconds: float, unit: str, values: dict[str, Any]) -> str:
    """Returns the line that ``verbose=2`` prints at the end: ``2/2 - 1s - 357ms/step - loss: 2.7276``.

    Args:
        steps: the number of steps.
        target: the expected number of steps, None if unknown.
        seconds: the duration.
        unit: the name of a step.
        values: the values by name.
    """
    step_seconds = seconds / max(steps, 1)
    rate = (
        f"{step_seconds:.0f}s"
        if step_seconds >= 1
        else f"{step_seconds * 1e3:.0f}ms"
        if step_seconds >= 1e-3
        else f"{step_seconds * 1e6:.0f}us"
    )
    means = {name: float(np.mean(value)) for name, value in values.items()}
    texts = [f"{name}: {value:.4f}" if value > 1e-3 else f"{name}: {value:.4e}" for name, value in means.items()]
    return " - ".join([f"{steps}/{steps if target is None else target}", f"{seconds:.0f}s", f"{rate}/{unit}", *texts])


def in_notebook() -> bool:
    """True if this process belongs to a notebook."""
    return "ipykernel" in sys.modules


def are_progress_bars_shown() -> bool:
    """True if progress bars are shown: the output goes to a terminal or a notebook."""
    if in_notebook():
        return True
    return sys.stderr is not None and sys.stderr.isatty()


def new_bar(total: int | None, title: str, unit: str, seconds: float = 0.1) -> Any:
    """Returns a new tqdm progress bar, which is erased when it is closed.

    Args:
        total: the number of steps, None if unknown.
        title: the text before the bar.
        unit: the name of a step.
        seconds: the interval between two updates of the display.
    """
    from tqdm.auto import tqdm

    line_format = "{desc} {n_fmt}/{total_fmt} |{bar}| {remaining} left, {rate_noinv_fmt}{postfix}" if total else None
    width, unit = _terminal_width(), f" {unit}"
    return tqdm(total=total, desc=title, unit=unit, leave=False, mininterval=seconds, bar_format=line_format, **width)


def _terminal_width() -> dict[str, Any]:
    """Returns the width of a bar: the terminal's columns, or 80 if it reports 0, as in containers."""
    try:
        has_width = os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):
        has_width = True
    return {"dynamic_ncols": True} if has_width else {"ncols": 80, "nrows": 24}
