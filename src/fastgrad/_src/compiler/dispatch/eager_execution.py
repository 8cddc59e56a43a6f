"""The settings that run functions under ``tf.function`` as plain Python, and that make their results independent of compilation."""

from __future__ import annotations

from fastgrad._src.compiler.dispatch.locking import eager_mode, fast_path_block_count
from fastgrad._src.core.repeated_backward import programs


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Switches eager execution of functions under ``tf.function`` on or off, for debugging.

    Args:
        run_eagerly: True to run all of them as plain Python from now on, and the gradient rules of each tape; False to
            replay again.
            TensorFlow: tf.config.run_functions_eagerly.
    """
    is_eager = bool(run_eagerly)
    if is_eager is not eager_mode[0]:
        eager_mode[0] = is_eager
        fast_path_block_count[0] += 1 if is_eager else -1
        programs.switch(not is_eager)


def functions_run_eagerly() -> bool:
    """Returns whether ``run_functions_eagerly`` is on. TensorFlow: tf.config.functions_run_eagerly."""
    return eager_mode[0]


_op_determinism = [False]


def enable_op_determinism() -> None:
    """Makes results independent of whether a call is a function's first.

    A first call runs Python, which is recorded; its sums may round differently than in the program that later calls replay.
    With this, the changes that Python's run made are undone, and the program computes the result of the first call, too. So a
    training that is stopped and resumed has the same bits as an uninterrupted one. The price: programs are
    compiled for functions that are called once, and ``tf.print`` prints twice in first calls.
    TensorFlow: tf.config.experimental.enable_op_determinism.
    """
    _op_determinism[0] = True


def ops_are_deterministic() -> bool:
    """Returns whether ``enable_op_determinism`` was called."""
    return _op_determinism[0]
