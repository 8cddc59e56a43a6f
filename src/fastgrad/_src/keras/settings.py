"""Settings of ``keras``: the default float type, the fuzz factor, the order of image axes."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes, python_state_version
from fastgrad._src.core.dtypes import DType

_FLOAT_DTYPE_NAMES = ("bfloat16", "float16", "float32", "float64")
_IMAGE_DATA_FORMATS = ("channels_first", "channels_last")

_settings: dict[str, Any] = {"floatx": dtypes.float32, "image_data_format": "channels_last"}


def floatx() -> str:
    """The dtype that layers, losses and metrics have by default: ``"float32"`` unless set otherwise."""
    return _settings["floatx"].name


def default_dtype() -> DType:
    """Returns the default float dtype, ``floatx()``, as a DType."""
    return _settings["floatx"]


def set_floatx(value: Any) -> None:
    """Sets ``floatx()``.

    Args:
        value: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.

    Raises:
        ValueError: ``value`` is none of these; the setting does not change.
    """
    name = value.name if isinstance(value, DType) else value
    if name not in _FLOAT_DTYPE_NAMES:
        raise ValueError(f"Unknown `floatx` value: {value}. Expected one of {set(_FLOAT_DTYPE_NAMES)}")
    _settings["floatx"] = dtypes.as_dtype(name)
    python_state_version.settings["floatx"] = name
    python_state_version.count_change()


def epsilon() -> float:
    """The small number that keeps divisions and logarithms of losses finite: 1e-7."""
    return 1e-7


def image_data_format() -> str:
    """The default order of image axes: ``"channels_last"`` (height, width, channels) unless set otherwise."""
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Sets ``image_data_format()`` to ``"channels_first"`` or ``"channels_last"``; ValueError for anything else."""
    _settings["image_data_format"] = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """Returns ``data_format`` in lower case, or the setting for None; ValueError if it is not an order of axes."""
    if data_format is None:
        return image_data_format()
    name = str(data_format).lower()
    if name not in _IMAGE_DATA_FORMATS:
        raise ValueError(f"`data_format` must be one of {_IMAGE_DATA_FORMATS}. Received: data_format={data_format}")
    return name


_NARROW_DTYPE_NAMES = ("float8_e4m3fn", "float8_e5m2")
_PYTHON_TYPES: dict[Any, DType] = {int: dtypes.int64, "int": dtypes.int64, str: dtypes.string}
"""Dtypes by Keras's names that TensorFlow does not have."""


def standardize_dtype(dtype: Any) -> DType:
    """Returns ``dtype`` as a DType: ``floatx()`` for None, int64 for ``int``; ValueError for a dtype that Keras does not have."""
    if dtype is None:
        return _settings["floatx"]
    try:
        known_dtype = _PYTHON_TYPES.get(dtype) or dtypes.as_dtype(dtype)
    except TypeError:
        raise ValueError(f"Invalid dtype: {dtype}") from None
    if known_dtype.is_narrow and known_dtype.name not in _NARROW_DTYPE_NAMES:
        raise ValueError(f"Invalid dtype: {known_dtype.name}; Keras has {' and '.join(_NARROW_DTYPE_NAMES)}.")
    return known_dtype
