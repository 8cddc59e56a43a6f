"""``rejection_resample``: drops elements at random, so that classes have the requested frequencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data.compiling import call_with_element
from fastgrad._src.data.node import Failure, Node, RandomStage, Stage, catching_failures
from fastgrad._src.data.transformations import Mapped, checked_function


class Resampled(RandomStage, Stage):
    """Pairs of class and element; elements are dropped at random so that classes have the target frequencies.

    Args:
        source: the source stage.
        class_of: maps an element to the number of its class.
        target: the wanted frequency of each class.
        initial: the frequency of each class in the source; None to count it.
        key: the random key, three non-negative integers.
    """

    name = "_MapDataset"
    count = Node.count  # unknown

    def __init__(
        self,
        source: Node,
        class_of: Callable[..., Any],
        target: np.ndarray,
        initial: np.ndarray | None,
        key: tuple[int, ...],
    ) -> None:
        Stage.__init__(self, source)
        RandomStage.__init__(self, key, redraws=True)
        self._class_function = checked_function(class_of, "Dataset.rejection_resample")
        self._target = np.asarray(target, np.float64)
        self._initial = None if initial is None else np.asarray(initial, np.float64)

    def elements(self) -> Iterator[Any]:
        generator = self.next_generators()(0)
        counts = np.zeros(len(self._target))
        probabilities = None if self._initial is None else self._keep_probabilities(self._initial)
        for element in self.source.elements():
            class_number = catching_failures(self._class_number)(element)
            if type(class_number) is Failure:
                yield class_number
                continue
            counts[class_number] += 1
            probability = (self._keep_probabilities(counts) if probabilities is None else probabilities)[class_number]
            if generator.random() < probability:
                yield Tensor(np.array(class_number, self.spec()[0].dtype.numpy)), element

    def _class_number(self, element: Any) -> int:
        number = int(convert_to_tensor(call_with_element(self._class_function, element)))
        if not 0 <= number < len(self._target):
            raise InvalidArgumentError(
                f"rejection_resample: class_func gave {number}, target_dist has {len(self._target)} classes."
            )
        return number

    def _keep_probabilities(self, frequencies: np.ndarray) -> np.ndarray:
        """Returns the probability of keeping an element, by class; 1 for the class rarest against its target."""
        shares = frequencies / frequencies.sum()
        ratios = np.divide(self._target, shares, out=np.zeros_like(shares), where=shares > 0)
        largest_ratio = ratios.max()
        return ratios / largest_ratio if largest_ratio > 0 else ratios

    def make_spec(self) -> Any:
        return Mapped(self.source, self._class_function).spec(), self.source.spec()
