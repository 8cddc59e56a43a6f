"""The switches by which functions under ``tf.function`` run as plain Python, or never do."""

from __future__ import annotations

from fastgrad.compiler.dispatch.locking import eagerly, gate


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


_determinism = [False]


def enable_op_determinism() -> None:
    """From now on results do not depend on whether a call is a function's first.

    A first call is Python's run, which is recorded; sums in it may be rounded otherwise than in the program that later calls replay.
    With this, what Python's run has changed is put back, and the program gives the result of the first call, too, so that a
    training that is stopped and taken up again has the same bits as one that is not. The price is that programs are
    compiled for functions that are called once, and that ``tf.print`` prints twice in first calls.
    TensorFlow: tf.config.experimental.enable_op_determinism.
    """
    _determinism[0] = True


def ops_are_deterministic() -> bool:
    """Whether ``enable_op_determinism`` was called."""
    return _determinism[0]
