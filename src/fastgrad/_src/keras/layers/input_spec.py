"""``InputSpec``: the rank, shape and dtype that a layer requires of an input, checked before the layer runs."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.keras.configured import Configured
from fastgrad._src.keras.settings import standardize_dtype


class InputSpec(Configured):
    """The requirements of a layer for one input; None means no requirement.

    Args:
        dtype: the dtype.
        shape: the shape, with None for dimensions that may vary.
        ndim, max_ndim, min_ndim: the rank and its bounds.
        axes: sizes by axis: ``{-1: 64}``.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or extra.
        name: the input's name, for errors and inputs passed as a dict.
        optional: whether the input may be None.

    Raises:
        TypeError: ``axes`` has keys that are not integers.
    """

    _config_names = (
        *("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "allow_last_axis_squeeze", "name", "optional"),
    )

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else standardize_dtype(dtype).name
        require(not isinstance(shape, (str, bytes)), self, "shape must be a tuple of sizes or None", shape=shape)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (AttributeError, ValueError, TypeError):
            refuse(self, "`axes` must be a dict with integer keys", TypeError, axes=axes)
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        fields = [f"{name}={value}" for name, value in self.get_config().items() if value]
        return f"InputSpec({', '.join(fields)})"

    def problem(self, shape: tuple[int, ...], dtype: Any) -> str | None:
        """Describes why an input of this shape and dtype does not fit; None if the input fits."""
        ndim = len(shape)
        if self.ndim is not None and not self.allow_last_axis_squeeze and ndim != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={ndim}. Full shape received: {shape}"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={ndim}"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={ndim}. Full shape received: {shape}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtypes.as_dtype(dtype).name}"
        for axis, size in self.axes.items():
            if size is not None and (not -ndim <= axis < ndim or shape[axis] not in (size, None)):
                return (
                    f"expected axis {axis} of input shape to have value {size}, but received input with shape {shape}"
                )
        if self.shape is not None:
            expected_shape, actual_shape = self.shape, shape
            if self.allow_last_axis_squeeze:
                expected_shape = expected_shape[:-1] if expected_shape and expected_shape[-1] == 1 else expected_shape
                actual_shape = actual_shape[:-1] if actual_shape and actual_shape[-1] == 1 else actual_shape
            if any(None not in (a, b) and a != b for a, b in zip(expected_shape, actual_shape, strict=False)):
                return f"expected shape={self.shape}, found shape={shape}"
        return None


def check_inputs(specs: Any, inputs: Any, layer_name: str) -> None:
    """Raises ValueError, naming the layer, if ``inputs`` (nested tensors) do not fit ``specs``."""
    spec_list = [specs] if isinstance(specs, InputSpec) else nest.flatten(specs)
    if isinstance(inputs, dict) and all(spec is not None and spec.name for spec in spec_list):
        missing = [spec.name for spec in spec_list if spec.name not in inputs]
        if missing:
            raise ValueError(f'{layer_name}: Missing data for input "{missing[0]}". The dict has {list(inputs)}.')
        inputs = [inputs[spec.name] for spec in spec_list]
    tensors = nest.flatten(inputs)
    if len(tensors) != len(spec_list):
        raise ValueError(f'"{layer_name}" expects {len(spec_list)} input(s), but it received {len(tensors)}: {inputs}')
    for position, (x, spec) in enumerate(zip(tensors, spec_list, strict=True)):
        if spec is None or (x is None and spec.optional):
            continue
        if not hasattr(x, "shape"):
            raise ValueError(f"{layer_name}: Inputs to a layer should be tensors. Got '{x}' (of type {type(x)}).")
        check_shape(spec, tuple(x.shape), x.dtype, layer_name, position)


def check_shape(spec: InputSpec, shape: Any, dtype: Any, layer_name: str, position: int = 0) -> None:
    """Raises ValueError, naming the layer, if an input of this shape and dtype does not fit ``spec``."""
    problem = spec.problem(shape, dtype)
    if problem is not None:
        owner = f"Input {position} with name '{spec.name}' of layer '{layer_name}'"
        raise ValueError(f"{owner} is incompatible with the layer: {problem}")
