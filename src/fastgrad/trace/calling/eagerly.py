"""The switch by which functions under ``tf.function`` run as plain Python."""

from __future__ import annotations

from fastgrad.trace.calling.turns import eagerly, gate


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Whether functions under ``tf.function`` run as plain Python, for debugging.

    Args:
        run_eagerly: True for all of them from now on; False to replay again. TensorFlow: tf.config.run_functions_eagerly.
    """
    wanted = bool(run_eagerly)
    if wanted is not eagerly[0]:
        eagerly[0] = wanted
        gate[0] += 1 if wanted else -1


def functions_run_eagerly() -> bool:
    """Whether ``run_functions_eagerly`` is on. TensorFlow: tf.config.functions_run_eagerly."""
    return eagerly[0]
