"""A version counter of global settings: recorded programs check the settings again after it changes."""

from __future__ import annotations

change_count = [0]
"""``change_count[0]`` increases with each change of a setting."""


settings: dict[str, str] = {}
"""Settings of the whole process, such as the default dtype of layers, by name."""

TENSOR_FLOAT_32_SETTING = "tensor_float_32"
"""The name of the setting that lets GPUs round float32 to TF32 if it is "on"."""


def count_change() -> None:
    """Counts a change of a global setting that a recorded program may depend on."""
    change_count[0] += 1


def settings_now() -> tuple[tuple[str, str], ...]:
    """Returns the settings and their values. Operations depend on no other state than on these and on their attributes."""
    return tuple(settings.items())
