"""``History``: the logs of all epochs."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.callbacks.callback import Callback, Logs


class History(Callback):
    """The callback that ``fit`` returns: the loss and the metrics of each epoch, by name.

    Attributes:
        history: for each name the values of all epochs.
        epoch: the numbers of the epochs.
    """

    keeps = ("history", "epoch")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Clears the epoch numbers of an earlier run; its values stay."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self, axes: Any = None) -> Any:
        """Draws the learning curves with matplotlib: the loss, and other metrics on a separate axis.

        Notebooks show them; programs call ``matplotlib.pyplot.show()``, or ``plot().figure.savefig(path)``.

        Args:
            axes: matplotlib axes for the loss; default new ones.

        Returns:
            The axes.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: there is no epoch yet.
        """
        try:
            from matplotlib import pyplot as plt
        except ImportError as error:
            raise ImportError('Curves are drawn by matplotlib: pip install "fastgrad[plots]".') from error

        require(self.history, "History.plot", "no epoch has ended yet, so there is no curve")
        if axes is None:
            _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        metric_names = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        other_metrics = [metric_name for metric_name in metric_names if not metric_name.endswith("loss")]
        right = axes.twinx() if other_metrics else axes
        epochs = [number + 1 for number in self.epoch]
        lines = []
        for name, values in self.history.items():
            metric_name = name.removeprefix("val_")
            style = "--" if name.startswith("val_") else "-"
            target = right if metric_name in other_metrics else axes
            shown_values = values[-len(epochs) :]
            lines += target.plot(
                epochs[-len(shown_values) :],
                shown_values,
                style,
                color=f"C{metric_names.index(metric_name)}",
                label=name,
            )
        if other_metrics:
            right.set_ylabel(", ".join(other_metrics))
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        # Above the axes: inside, the right axes' curves would cross it.
        axes.legend(lines, [line.get_label() for line in lines], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
        return axes
