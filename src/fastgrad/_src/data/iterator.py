"""``Iterator``: one iteration of a dataset, which a checkpoint can store and resume."""

from __future__ import annotations

from collections import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad._src.core.errors import OutOfRangeError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.recording import EndOfElements, recorders
from fastgrad._src.data.node import value_or_raise
from fastgrad._src.data.optional import Optional, next_optional

if TYPE_CHECKING:
    from fastgrad._src.data.dataset import Dataset


class Iterator:
    """An iteration of a dataset, the result of ``iter(dataset)``.

    Args:
        dataset: the dataset to iterate over.
    """

    __getattr__ = missing_member_getattr

    gives_elements = True
    saves_state = True  # in checkpoints

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._begin_at(0)

    def _begin_at(self, position: int) -> None:
        node = self._dataset._node
        self._position = position
        self._random = node.random_state()
        self._elements = iter(node.elements_after(position) if position else node.elements())

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its structure."""
        return self._dataset.element_spec

    def get_next(self) -> Any:
        """Returns the next element of the dataset.

        Raises:
            OutOfRangeError: there are no more elements.
            Exception: the element could not be made. The next call returns the element after it.
        """
        try:
            element = next(self._elements)
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None
        self._position += 1
        return value_or_raise(element)

    def get_next_as_optional(self, name: str | None = None) -> Optional:
        """Returns a ``tf.experimental.Optional`` of the next element, empty at the end."""
        return next_optional(self, self.element_spec)

    def state(self) -> dict[str, np.ndarray]:
        """Returns the position of the iteration, for a checkpoint.

        Returns:
            ``"position"``: the number of elements that were requested, int64. ``"random"``: the random states of this iteration's
            shuffles, uint64, a row of four numbers for each stage that draws.
        """
        random_states = np.array(self._random, np.uint64).reshape(-1, 4)
        return {"position": np.array(self._position, np.int64), "random": random_states}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resumes at the position where an iterator of an equal dataset returned ``state``.

        The next element is the one that would have followed there. Later iterations of the dataset have the same orders as there.
        Sources are read again from their start. Functions of ``map`` are not called again for elements that were returned.

        Raises:
            ValueError: the state is of another pipeline. Nothing has changed then.
        """
        node = self._dataset._node
        random_states = np.asarray(state["random"], np.uint64)
        if random_states.shape != (len(node.random_state()), 4):
            raise ValueError(
                f"Iterator.restore: the state is of a pipeline in which {len(random_states)} stages draw; in this one "
                f"{len(node.random_state())} do. Make the dataset as it was made then."
            )
        node.restore_random_state(tuple(row) for row in random_states.tolist())
        self._begin_at(int(state["position"]))

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        for recorder in recorders.active:
            recorder.on_dataset_element()
        try:
            element = next(self._elements)
        except StopIteration:
            raise EndOfElements from None
        self._position += 1
        return value_or_raise(element)


class NumpyIterator:
    """The result of ``Dataset.as_numpy_iterator``: Python's iterator, with ``next`` as a method, too."""

    def __init__(self, elements: abc.Iterator[Any]) -> None:
        self._elements = elements

    def __iter__(self) -> NumpyIterator:
        return self

    def __next__(self) -> Any:
        return next(self._elements)

    def next(self) -> Any:
        """Returns the next element. Raises StopIteration after the last one."""
        return next(self._elements)
