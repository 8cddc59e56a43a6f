"""``Iterator``: one iteration of a dataset, which can be stored and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad.data.node import succeeded
from fastgrad.errors import OutOfRangeError
from fastgrad.recording import EndOfElements, recorders

if TYPE_CHECKING:
    from fastgrad.data.dataset import Dataset


class Iterator:
    """An iteration of a dataset: what ``iter(dataset)`` gives.

    Args:
        dataset: what to iterate over.
    """

    gives_elements = True
    saves_state = True  # in checkpoints

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._begin(0)

    def _begin(self, position: int) -> None:
        node = self._dataset._node
        self._position = position
        self._random = node.random_state()
        self._elements = iter(node.elements_after(position) if position else node.elements())

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its form."""
        return self._dataset.element_spec

    def get_next(self) -> Any:
        """The next element.

        Raises:
            OutOfRangeError: there is none left.
            Exception: the element could not be made; the next call gives the one after it.
        """
        try:
            element = next(self._elements)
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None
        self._position += 1
        return succeeded(element)

    def state(self) -> dict[str, np.ndarray]:
        """Where the iteration is, for a checkpoint.

        Returns:
            ``"position"``, how many elements have been asked for, int64; and ``"random"``, from what the shuffles of this
            iteration were drawn: uint64, a row of four numbers for each stage that draws.
        """
        random = np.array(self._random, np.uint64).reshape(-1, 4)
        return {"position": np.array(self._position, np.int64), "random": random}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from where an iterator of an equal dataset was when it gave ``state``.

        The next element is the one that would have come then, and later iterations of the dataset have the orders that they would
        have had. Sources are read again from their start; functions of ``map`` are not called again for elements that were given.

        Raises:
            ValueError: the state of another pipeline; nothing has changed then.
        """
        node = self._dataset._node
        random = np.asarray(state["random"], np.uint64)
        if random.shape != (len(node.random_state()), 4):
            raise ValueError(
                f"Iterator.restore: the state is of a pipeline in which {len(random)} stages draw; in this one "
                f"{len(node.random_state())} do. Make the dataset as it was made then."
            )
        node.restore_random_state(tuple(row) for row in random.tolist())
        self._begin(int(state["position"]))

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        for recorder in recorders.active:
            recorder.on_element()
        try:
            element = next(self._elements)
        except StopIteration:
            raise EndOfElements from None
        self._position += 1
        return succeeded(element)
