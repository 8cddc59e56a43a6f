"""``Progbar``: a progress bar for a user's loops."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad.core.argument_checks import checked_integer, checked_number
from fastgrad.keras.callbacks.progress import are_progress_bars_shown, new_bar, summary_line


class Progbar:
    """A tqdm bar with rate, values and time left, and a line at the end; only in terminals and notebooks.

    Args:
        target: the number of steps, None if unknown.
        verbose: 1 shows a bar, 2 prints a line at the end, 0 is silent.
        interval: the seconds between two updates of the display.
        stateful_metrics: names of values that are shown unchanged; other values are averaged.
        stateless_metrics: instead: names of the only values that are averaged.
        unit_name: the name of a step.
        width: kept for Keras's signature: bars are as wide as the terminal.

    Raises:
        ValueError: both lists of names are given.
        TypeError: ``target`` is not a number, ``width`` is not an integer, or names are not a list.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Only one of `stateful_metrics` or `stateless_metrics` can be provided.")
        if target is not None:
            checked_number("Progbar", "target", target)
        checked_integer("Progbar", "width", width)
        for name, names in (("stateful_metrics", stateful_metrics), ("stateless_metrics", stateless_metrics)):
            if not isinstance(names, (Iterable, type(None))):
                raise TypeError(f"Progbar: Argument `{name}` must be a list of names, got {names!r}.")
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self._stateful_names = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._values: dict[str, tuple[float, float]] = {}  # sum and weight
        self._seen = 0
        self._began = time.perf_counter()
        self._bar: Any = None

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Sets the progress bar to step ``current``.

        Args:
            current: the number of steps so far.
            values: pairs of a name and its value.
            finalize: whether this is the end; default: true if ``target`` is reached.

        Raises:
            TypeError: ``current`` is not a number, or ``values`` are not pairs.
        """
        checked_number("Progbar.update", "current", current)
        if not isinstance(values, (Iterable, type(None))):
            raise TypeError(f"Progbar.update: Argument `values` must be pairs of a name and a number, got {values!r}.")
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        weight = max(current - self._seen, 1)
        for name, value in values or ():
            averaged = name not in self._stateful_names if self._averaged is None else name in self._averaged
            total, count = self._values.get(name, (0.0, 0.0)) if averaged and not finalize else (0.0, 0.0)
            self._values[name] = total + float(np.mean(value)) * weight, count + weight
        if self.verbose == 1 and are_progress_bars_shown():
            if self._bar is None:
                self._bar = new_bar(self.target, "", self.unit_name, self.interval)
            self._bar.set_postfix_str(self._text(), refresh=False)
            self._bar.update(current - self._seen)
        if finalize and (self.verbose == 2 or self._bar is not None):
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            means = {name: total / count for name, (total, count) in self._values.items()}
            print(
                summary_line(current, self.target, time.perf_counter() - self._began, self.unit_name, means), flush=True
            )
        self._seen = current

    def add(self, n: int, values: Any = None) -> None:
        """Advances the progress bar by ``n`` steps; see ``update``."""
        self.update(self._seen + n, values)

    def _text(self) -> str:
        return " - ".join(f"{name}: {total / count:.4g}" for name, (total, count) in self._values.items())
