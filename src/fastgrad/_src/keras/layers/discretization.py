"""``Discretization``: numbers of the bins that values are in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none
from fastgrad._src.keras.layers.category_encoding import checked_output_mode, encode_categories, encoded_shape
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.symbolic import KerasTensor
from fastgrad._src.ops import namespace as ops


@declare_missing("finalize_state", "reset_state", "update_state")
class Discretization(Layer):
    """Maps each value to the number of its bin: 0 below the first boundary, and so on. A boundary belongs to the bin above it.

    Args:
        bin_boundaries: the boundaries, in ascending order.
        num_bins: the number of bins; ``adapt`` then chooses boundaries so that the bins hold equally many values.
        epsilon: the greatest error of a boundary from ``adapt``, as a fraction of the data.
        output_mode: ``"int"`` (int32), or ``"one_hot"``, ``"multi_hot"`` or ``"count"``, as in ``CategoryEncoding``.
        sparse: whether rows are a ``SparseTensor``.
        dtype, name: as in ``Layer``.

    Raises:
        ValueError: not one of ``bin_boundaries`` and ``num_bins``, or another mode. (At a call: there are no boundaries yet.)
    """

    _leaf = True
    _takes_python_values = True

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        modes = ("int", "one_hot", "multi_hot", "count")
        self.output_mode = checked_output_mode("Discretization", output_mode, modes, sparse)
        require(num_bins is None or num_bins >= 0, self, "`num_bins` must be at least 0", num_bins=num_bins)
        if (num_bins is None) == (bin_boundaries is None):
            refuse(self, "takes `num_bins` or `bin_boundaries`", num_bins=num_bins, bin_boundaries=bin_boundaries)
        self.bin_boundaries, self.num_bins, self.epsilon, self.sparse = bin_boundaries, num_bins, epsilon, sparse
        self._build_at_init()

    @property
    def output_dtype(self) -> str:
        """The dtype of the results."""
        return "int32" if self.output_mode == "int" else str(self.compute_dtype)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Finds boundaries by the quantiles of ``data``.

        Args:
            data: an array or tensor; a Dataset or another iterable of batches.
            steps: the number of batches to read; None for all.

        Raises:
            ValueError: the layer was made with ``bin_boundaries``.
        """
        if self.num_bins is None:
            raise ValueError("Discretization: `adapt` needs `num_bins` in place of `bin_boundaries`.")
        is_array = isinstance(data, np.ndarray) or as_tensor_or_none(data) is not None
        summary = np.zeros((2, 0), np.float32)
        for number, batch in enumerate([data] if is_array or not isinstance(data, Iterable) else data):
            if steps is not None and number >= steps:
                break
            merged = np.concatenate([_quantile_summary(np.asarray(batch).astype(np.float32), self.epsilon), summary], 1)
            summary = _compress_summary(merged[:, np.argsort(merged[0])], self.epsilon)
        self.bin_boundaries = _compress_summary(summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def call(self, inputs: Tensor) -> Any:
        if self.bin_boundaries is None:
            raise ValueError("Discretization: pass `bin_boundaries`, or call `adapt(dataset)` before the layer.")
        x = inputs if inputs.dtype.is_floating else ops.cast(inputs, dtypes.float32)
        boundaries = ops.constant(np.asarray(self.bin_boundaries, np.float32).reshape(-1), x.dtype)
        numbers = ops.reshape(ops.searchsorted(boundaries, ops.reshape(x, [-1]), side="right"), x.shape)
        depth = len(self.bin_boundaries) + 1
        return encode_categories(numbers, self.output_mode, depth, self.output_dtype, self.sparse)

    def compute_output_shape(self, input_shape: Any) -> Any:
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name, and the boundaries from ``adapt``."""
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return self._config_of(names)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        boundaries = config.pop("bin_boundaries", None)
        if config.get("num_bins") is None:
            config["bin_boundaries"], boundaries = boundaries, None
        layer = super().from_config(config)
        if boundaries is not None:  # those of ``adapt``
            layer.bin_boundaries = boundaries
        return layer


def _quantile_summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Returns some of the values in ascending order, and below each the number of values that it stands for: (2, n)."""
    ordered = np.sort(values.reshape(-1))
    step = max(ordered.size * epsilon, 1)
    chosen = ordered[int(step - 1) :: int(step)]
    return np.stack([chosen, np.ones_like(chosen) * step])


def _compress_summary(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """Returns a summary of about 1 / ``epsilon`` values, by interpolation between the quantiles of ``summary``."""
    if summary.shape[1] * epsilon < 1:
        return summary
    parts = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = summary[1].cumsum()
    values = np.interp(parts, sums / sums[-1], summary[0])
    sums = np.interp(parts, sums / sums[-1], sums)
    return np.stack([values, np.diff(sums, prepend=0)]).astype(np.float32)
