"""``SwapEMAWeights``: evaluation with the moving averages of the weights."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.callbacks.callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Replaces the weights by the averages of an optimizer with ``use_ema=True`` while the model is evaluated.

    Args:
        swap_on_epoch: whether the model has the averages from the end of an epoch to the beginning of the next one, so that
            later callbacks such as ``ModelCheckpoint`` save them.

    Raises:
        ValueError: during training, if the optimizer keeps no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._are_swapped = False

    def _optimizer(self) -> Any:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not optimizer.use_ema:
            raise ValueError("SwapEMAWeights must be used when `use_ema=True` is set on the optimizer.")
        return optimizer

    def _swap_weights(self, averages_in: bool) -> None:
        if self._are_swapped is averages_in:
            return
        optimizer = self._optimizer()
        for variable, average in zip(optimizer._trainable_variables, optimizer._averages, strict=True):
            value = variable.numpy()
            variable.assign(average)
            average.assign(value)
        self._are_swapped = averages_in

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap_weights(averages_in=False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self.swap_on_epoch:
            return
        self._swap_weights(averages_in=True)
        if epoch == self.params["epochs"] - 1:  # after the last epoch ``fit`` replaces the weights by the averages
            optimizer = self._optimizer()
            for variable, average in zip(optimizer._trainable_variables, optimizer._averages, strict=True):
                average.assign(variable)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap_weights(averages_in=True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap_weights(averages_in=False)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end
