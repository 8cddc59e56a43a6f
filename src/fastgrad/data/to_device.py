"""Elements on their way to a device, while what is asked for before them is computed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastgrad import nest
from fastgrad.data.dataset import AUTOTUNE, Dataset, checked_dataset
from fastgrad.data.node import Node, Stage, succeeded
from fastgrad.data.prefetch import ahead
from fastgrad.data.structure import packer
from fastgrad.errors import InvalidArgumentError
from fastgrad.ops.arguments import integer
from fastgrad.placement import device_named
from fastgrad.tensor import Tensor


class OnDevice(Stage):
    """The same elements, ``size`` of which are made and copied ahead.

    Args:
        source: the stage before.
        device: the name of the device.
        size: how many; 0 copies each when it is asked for.
    """

    name = "_CopyToDeviceDataset"

    def __init__(self, source: Node, device: str, size: int) -> None:
        super().__init__(source)
        self._device, self._size = device, size

    def elements(self) -> Iterator[Any]:
        """The elements from the start."""
        return self._copied(self.source.elements())

    def elements_after(self, position: int) -> Iterator[Any]:
        """The elements from number ``position`` on."""
        return self._copied(self.source.elements_after(position))

    def _copied(self, elements: Iterator[Any]) -> Iterator[Any]:
        device = device_named(self._device, "prefetch_to_device")
        if self._size:
            elements = ahead(elements, self._size)
        if device is None:
            yield from elements
            return
        from fastgrad.cuda.devices.sending import sent

        packers: list[Callable[[list[Any]], Any]] = []  # of the elements on their way; all have one form

        def leaves() -> Iterator[list[Any]]:
            for element in map(succeeded, elements):
                if not packers:
                    packers.append(packer(element))
                yield [leaf._array if isinstance(leaf, Tensor) else leaf for leaf in nest.flatten(element)]

        for arrays in sent(leaves(), device, self._size):
            yield packers[0]([Tensor(array) if hasattr(array, "dtype") else array for array in arrays])


def prefetch_to_device(device: str, buffer_size: Any = None) -> Callable[[Dataset], Dataset]:
    """A transformation for ``Dataset.apply``: elements are made and copied to a device ahead, beside its work.

    TensorFlow: tf.data.experimental.prefetch_to_device. On the host alone it is ``prefetch``.

    Args:
        device: for example ``"GPU:0"``; without such a GPU it is the host, as in ``tf.device``.
        buffer_size: how many elements are on their way; default, and for ``tf.data.AUTOTUNE``: 2.

    Raises:
        ValueError: ``device`` is not the name of a device of this machine.
        InvalidArgumentError: ``buffer_size`` below -1.
    """
    device_named(device, "prefetch_to_device")
    size = AUTOTUNE if buffer_size is None else integer(buffer_size, "prefetch_to_device: buffer_size")
    if size < AUTOTUNE:
        raise InvalidArgumentError(f"prefetch_to_device: buffer_size must be >= 0 or tf.data.AUTOTUNE, got {size}.")
    return _to_device("prefetch_to_device", device, 2 if size == AUTOTUNE else max(size, 1))


def copy_to_device(target_device: str, source_device: str = "/cpu:0") -> Callable[[Dataset], Dataset]:
    """A transformation for ``Dataset.apply``: each element is copied to a device when it is asked for.

    TensorFlow: tf.data.experimental.copy_to_device.

    Args:
        target_device: for example ``"GPU:0"``; without such a GPU it is the host, as in ``tf.device``.
        source_device: where the elements are: the host.

    Raises:
        ValueError: one is not the name of a device of this machine.
    """
    for name in (target_device, source_device):
        device_named(name, "copy_to_device")
    return _to_device("copy_to_device", target_device, 0)


def _to_device(name: str, device: str, ahead: int) -> Callable[[Dataset], Dataset]:
    return lambda dataset: Dataset(OnDevice(checked_dataset(name, dataset)._node, device, ahead))
