"""``rejection_resample``: elements left out at random, so that classes come as often as is wished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad.data.compiling import call
from fastgrad.data.node import UNKNOWN, Drawing, Failure, Node, Stage, attempted
from fastgrad.data.transformations import checked_function
from fastgrad.errors import InvalidArgumentError
from fastgrad.tensor import Tensor, convert_to_tensor


class Resampled(Drawing, Stage):
    """Pairs of class and element; an element stays with a probability that makes the classes come as often as wished.

    Args:
        source: the stage before.
        class_of: of an element, the number of its class.
        target: how often each class is to come.
        initial: how often it comes; None to count.
        key: from which is drawn, three non-negative integers.
    """

    name = "_MapDataset"

    def __init__(
        self,
        source: Node,
        class_of: Callable[..., Any],
        target: np.ndarray,
        initial: np.ndarray | None,
        key: tuple[int, ...],
    ) -> None:
        Stage.__init__(self, source)
        Drawing.__init__(self, key, anew=True)
        self._class_of = checked_function(class_of, "Dataset.rejection_resample")
        self._target = np.asarray(target, np.float64)
        self._initial = None if initial is None else np.asarray(initial, np.float64)

    def elements(self) -> Iterator[Any]:
        generator = self.next_draws()(0)
        counts = np.zeros(len(self._target))
        rates = None if self._initial is None else self._rates(self._initial)
        for element in self.source.elements():
            number = attempted(self._class_number)(element)
            if type(number) is Failure:
                yield number
                continue
            counts[number] += 1
            kept = (self._rates(counts) if rates is None else rates)[number]
            if generator.random() < kept:
                yield Tensor(np.array(number, self._dtype())), element

    def _class_number(self, element: Any) -> int:
        number = int(convert_to_tensor(call(self._class_of, element)))
        if not 0 <= number < len(self._target):
            raise InvalidArgumentError(
                f"Dataset.rejection_resample: class_func gave {number}, and target_dist has {len(self._target)} classes."
            )
        return number

    def _rates(self, frequencies: np.ndarray) -> np.ndarray:
        """With which probability an element of each class stays: the rarest, for what is wished, always does."""
        shares = frequencies / frequencies.sum()
        ratios = np.divide(self._target, shares, out=np.zeros_like(shares), where=shares > 0)
        most = ratios.max()
        return ratios / most if most > 0 else ratios

    def _dtype(self) -> Any:
        return self.spec()[0].dtype.numpy

    def count(self) -> int:
        return UNKNOWN

    def make_spec(self) -> Any:
        from fastgrad.data.transformations import Mapped

        return Mapped(self.source, self._class_of).spec(), self.source.spec()
