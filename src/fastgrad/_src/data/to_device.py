"""Copies of elements to a device, while the device computes on earlier elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.placement import device_named
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.data.dataset import Dataset, checked_buffer_size, checked_dataset
from fastgrad._src.data.element_spec import packer
from fastgrad._src.data.node import Node, Stage, value_or_raise
from fastgrad._src.data.prefetch import prefetch_if_slow


class OnDevice(Stage):
    """The elements of the source, copied to a device; ``size`` elements are made and copied ahead.

    Args:
        source: the source stage.
        device: the name of the device.
        size: the number of elements ahead; 0 copies each element when it is requested.
    """

    name = "_CopyToDeviceDataset"

    def __init__(self, source: Node, device: str, size: int) -> None:
        super().__init__(source)
        self._device, self._size = device, size

    def elements(self) -> Iterator[Any]:
        return self._copied_elements(self.source.elements())

    def elements_after(self, position: int) -> Iterator[Any]:
        return self._copied_elements(self.source.elements_after(position))

    def _copied_elements(self, elements: Iterator[Any]) -> Iterator[Any]:
        device = device_named(self._device, "prefetch_to_device")
        if self._size:
            elements = prefetch_if_slow(elements, self._size)
        if device is None:
            yield from elements
            return
        from fastgrad._src.cuda.devices.sending import copy_elements_to_device

        packers: list[Callable[[list[Any]], Any]] = []  # of the elements being copied; all have one structure

        def leaves() -> Iterator[list[Any]]:
            for element in map(value_or_raise, elements):
                if not packers:
                    packers.append(packer(element))
                yield [leaf._array if isinstance(leaf, Tensor) else leaf for leaf in nest.flatten(element)]

        for arrays in copy_elements_to_device(leaves(), device, self._size):
            yield packers[0]([Tensor(array) if hasattr(array, "dtype") else array for array in arrays])


def prefetch_to_device(device: str, buffer_size: Any = None) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply`` that makes elements and copies them to a device ahead.

    The device computes meanwhile. TensorFlow: tf.data.experimental.prefetch_to_device. On the host alone it is ``prefetch``.

    Args:
        device: for example ``"GPU:0"``. Without such a GPU it is the host, as in ``tf.device``.
        buffer_size: the number of elements ahead. Default, and for ``tf.data.AUTOTUNE``: 2.

    Raises:
        ValueError: ``device`` is not the name of a device of this machine.
        InvalidArgumentError: ``buffer_size`` is below -1.
    """
    name = "prefetch_to_device"
    device_named(device, name)
    size = checked_buffer_size(name, buffer_size)
    return lambda dataset: Dataset(OnDevice(checked_dataset(name, dataset)._node, device, size))
