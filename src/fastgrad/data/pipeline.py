"""``Pipeline``: the base of what a dataset can do, which is spread over several files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgrad.data.node import Node

if TYPE_CHECKING:
    from fastgrad.data.dataset import Dataset


class Pipeline:
    """A dataset as its parts know it.

    Attributes:
        _node: the last stage.
    """

    _node: Node

    @staticmethod
    def _of(node: Node) -> Dataset:
        """The dataset whose last stage is ``node``."""
        from fastgrad.data.dataset import Dataset

        return Dataset(node)
