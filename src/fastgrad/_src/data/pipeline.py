"""``Pipeline``: the base of the classes that make up ``Dataset``, which are in several files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgrad._src.data.node import Node

if TYPE_CHECKING:
    from fastgrad._src.data.dataset import Dataset


class Pipeline:
    """The methods of ``Dataset`` that its base classes call.

    Attributes:
        _node: the last stage.
    """

    _node: Node

    @staticmethod
    def _of(node: Node) -> Dataset:
        """Returns the dataset whose last stage is ``node``."""
        from fastgrad._src.data.dataset import Dataset

        return Dataset(node)
