"""A counter of changes to settings that are no values of tensors: recorded programs look again when it has moved."""

from __future__ import annotations

count = [0]
"""Goes up when such a setting changes; compare ``count[0]`` with what it was."""


settings: dict[str, str] = {}
"""Settings of the whole process, such as the default dtype of layers, by name."""

TENSOR_FLOAT_32 = "tensor_float_32"
"""The name of the setting that lets GPUs round float32 to TF32 where it is "on"."""


def changed() -> None:
    """A setting that a recorded program may depend on has changed."""
    count[0] += 1
