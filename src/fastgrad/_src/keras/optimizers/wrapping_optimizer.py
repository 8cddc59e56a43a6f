"""``WrappingOptimizer``: the base of optimizers that change the gradients or variables of another optimizer."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.optimizers.optimizer import Optimizer


class WrappingOptimizer(Optimizer):
    """An optimizer that calls another one, whose learning rate and step counter it has.

    Attributes:
        inner_optimizer: the optimizer that it calls.
    """

    inner_optimizer: Optimizer

    @property
    def learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The step counter of the inner optimizer, which does not count skipped steps."""
        return self.inner_optimizer.iterations
