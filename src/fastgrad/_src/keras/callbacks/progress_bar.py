"""``Progbar``: a progress bar, in Keras's format."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_type, checked_integer, checked_number


class Progbar:
    """A bar with steps, time, time per step and values. In a terminal and a notebook it is drawn again as it grows.

    Elsewhere, such as in a file, it is written once, at its end.

    Args:
        target: the number of steps, None if unknown.
        width: of the bar, in characters.
        verbose: 1 shows a bar, 2 prints a line at the end, 0 is silent.
        interval: the least seconds between two updates of the display.
        stateful_metrics: names of values that are shown unchanged; other values are averaged.
        stateless_metrics: instead: names of the only values that are averaged.
        unit_name: the name of a step.

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
            check_type(self, "a list of names", (Iterable, type(None)), **{name: names})
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self._stateful_names = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._values: dict[str, tuple[Any, float]] = {}  # sum and weight
        self._seen = 0
        self._began = time.perf_counter()
        self._after_first_step: float | None = None
        self._drawn = 0.0
        self._columns = 0  # of the text that was drawn last
        self._is_live = are_bars_drawn_live()

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
        check_type("Progbar.update", "pairs of a name and a number", (Iterable, type(None)), values=values)
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        weight = max(current - self._seen, 1)
        for name, value in values or ():
            averaged = name not in self._stateful_names if self._averaged is None else name in self._averaged
            if averaged and not finalize:
                total, count = self._values.get(name, (0.0, 0.0))
                self._values[name] = total + float(np.mean(value)) * weight, count + weight
            else:
                self._values[name] = value, 1
        self._seen = current
        now = time.perf_counter()
        step_seconds = self._seconds_of_step(current, now)
        if self.verbose == 1:
            if finalize or (self._is_live and now - self._drawn >= self.interval):
                self._draw(current, finalize, step_seconds, now - self._began)
                self._drawn = now
        elif self.verbose == 2 and finalize and self.target:
            rate = _rate_text(step_seconds, self.unit_name)
            line = f"{current:{len(str(self.target))}d}/{self.target} - {now - self._began:.0f}s - {rate}"
            print(line + self._values_text(), flush=True)

    def add(self, n: int, values: Any = None) -> None:
        """Advances the progress bar by ``n`` steps; see ``update``."""
        self.update(self._seen + n, values)

    def _draw(self, current: int, finalize: bool, step_seconds: float, seconds: float) -> None:
        target = self.target
        if target:
            count = f"{current:{len(str(target))}d}/{target} "
            filled = int(self.width * current / target)
            bar = f"\x1b[1m{count[:-1]}\x1b[0m " + (f"\x1b[32m{'━' * filled}\x1b[0m" if filled > 0 else "")
            bar += f"\x1b[37m{'━' * (self.width - filled)}\x1b[0m"
            columns = len(count) + self.width
        else:
            bar = f"{current:7d}/Unknown"
            columns = len(bar)
        if target and not finalize:
            seconds = step_seconds * (target - current)  # what is left
            time_text = _remaining_text(seconds)
        else:
            time_text = f"{seconds:.0f}s"
        rest = f" {_rate_text(step_seconds, self.unit_name)}{self._values_text()}"
        columns += 1 + len(time_text)
        if not finalize:  # a wrapped line could not be drawn over
            rest = rest[: max(0, _terminal_columns() - 1 - columns)]
        columns += len(rest)
        erased = " " * (self._columns - columns)
        text = "\b" * self._columns + f"\r{bar} \x1b[1m{time_text}\x1b[0m{rest}{erased}"
        print(text, end="\n" if finalize else "", flush=True)
        self._columns = columns

    def _values_text(self) -> str:
        texts = []
        for name, (total, weight) in self._values.items():
            mean = float(np.mean(total)) / max(1, weight)
            texts.append(f" - {name}: {mean:.4f}" if abs(mean) > 1e-3 else f" - {name}: {mean:.4e}")
        return "".join(texts)

    def _seconds_of_step(self, current: int, now: float) -> float:
        """Returns the seconds of a step; without the first one, which compiles, if there are more."""
        if not current:
            return 0.0
        if self._after_first_step is not None and current > 1:
            return (now - self._after_first_step) / (current - 1)
        if current == 1:
            self._after_first_step = now
        return (now - self._began) / current


def _rate_text(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


def _remaining_text(seconds: float) -> str:
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if seconds > 60 else f"{whole}s"


def _terminal_columns() -> int:
    """Returns the columns of the terminal; 80 if it reports 0, as in containers, or if the output is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def in_notebook() -> bool:
    """True if this process belongs to a notebook."""
    return "ipykernel" in sys.modules


def are_bars_drawn_live() -> bool:
    """True if the output goes to a terminal or a notebook, where a bar is drawn again as it grows."""
    return in_notebook() or (sys.stdout is not None and sys.stdout.isatty())
