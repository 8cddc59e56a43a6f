"""``timeseries_dataset_from_array``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.data.dataset import AUTOTUNE, Dataset
from fastgrad._src.ops import namespace as ops


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Any:
    """Returns a dataset of sliding windows over time series, and their targets.

    Args:
        data: shape (steps, ...).
        targets: ``targets[i]`` belongs to the window that begins with step i; None for none.
        sequence_length: the number of steps in a window.
        sequence_stride: the distance between the first steps of successive windows.
        sampling_rate: the distance between successive steps in a window.
        batch_size: None for single windows.
        shuffle: whether windows have a random order, which differs in each iteration.
        seed: the seed of the shuffle.
        start_index, end_index: only steps from ``start_index`` up to, not including, ``end_index`` are used.
        format: ``"tf"``.

    Returns:
        A ``Dataset`` of windows, shape (batch, sequence_length, ...), or of pairs of windows and targets. Windows are gathered
        batch by batch.

    Raises:
        ValueError: indices, strides or rates do not fit the data.
        TypeError: ``data`` is not an array.
    """
    require(hasattr(data, "__len__"), "timeseries_dataset_from_array", "`data` must be an array", TypeError, data=data)
    size = len(data)
    if start_index and not 0 <= start_index < size:
        requirement = "0 or greater" if start_index < 0 else "lower than the length of the data"
        raise ValueError(f"`start_index` must be {requirement}. Received: {start_index=}, for data of length {size}")
    if end_index and (end_index <= 0 or end_index >= size or (start_index and end_index <= start_index)):
        requirement = "higher than 0" if end_index <= 0 else "lower than the length of the data"
        requirement = "higher than `start_index`" if 0 < end_index < size else requirement
        raise ValueError(
            f"`end_index` must be {requirement}. Received: start_index={start_index}, and end_index={end_index}, for data of length {size}"
        )
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < size:
            requirement = "higher than 0" if value <= 0 else "lower than the length of the data"
            raise ValueError(f"`{name}` must be {requirement}. Received: {name}={value}, for data of length {size}")
    if format != "tf":
        raise ValueError(f'`format` should be "tf": Grain\'s datasets are not supported. Received: format={format}')
    first, last = start_index or 0, size if end_index is None else end_index
    count = last - first - (sequence_length - 1) * sampling_rate
    if targets is not None:
        count = min(count, len(targets))
    starts = np.arange(0, max(count, 0), sequence_stride)
    steps = convert_to_tensor(data)[first:last]
    offsets = ops.range(0, sequence_length * sampling_rate, sampling_rate, dtype=dtypes.int64)
    target_values = None if targets is None else convert_to_tensor(targets)[first:last]

    def windows(begin: Any) -> Any:
        window_values = ops.gather(steps, ops.expand_dims(begin, -1) + offsets)
        return window_values if target_values is None else (window_values, ops.gather(target_values, begin))

    rows = Dataset.from_tensor_slices(starts)
    rows = rows.shuffle(len(starts), seed) if shuffle else rows
    return (rows if batch_size is None else rows.batch(batch_size)).map(windows).prefetch(AUTOTUNE)
