"""``tf.gradients``, which TensorFlow has for graphs only."""

from __future__ import annotations

from typing import Any, NoReturn


def gradients(*arguments: Any, **options: Any) -> NoReturn:
    """Refuses, as TensorFlow's eager execution does.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(
        "tf.gradients is not supported when eager execution is enabled. Use tf.GradientTape instead, or tf.grad."
    )
