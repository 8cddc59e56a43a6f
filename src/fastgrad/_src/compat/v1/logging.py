"""``tf.compat.v1.logging``: messages of the logger of ``tf.get_logger()``."""

from __future__ import annotations

import logging as _logging

from fastgrad._src.core.eager import get_logger as _get_logger

DEBUG, INFO, WARN, ERROR, FATAL = _logging.DEBUG, _logging.INFO, _logging.WARNING, _logging.ERROR, _logging.CRITICAL


def set_verbosity(v: int) -> None:
    """Sets the level from which on messages are shown."""
    _get_logger().setLevel(v)


def get_verbosity() -> int:
    """Returns the level from which on messages are shown."""
    return _get_logger().getEffectiveLevel()


def debug(msg: str, *args: object) -> None:
    """Logs a message for developers."""
    _get_logger().debug(msg, *args)


def info(msg: str, *args: object) -> None:
    """Logs a message for information.

    Example:
        >>> tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.INFO)
        >>> tf.compat.v1.logging.info("epoch %d", 1)
        >>> tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.WARN)
    """
    _get_logger().info(msg, *args)


def warning(msg: str, *args: object) -> None:
    """Logs a warning."""
    _get_logger().warning(msg, *args)


def error(msg: str, *args: object) -> None:
    """Logs an error."""
    _get_logger().error(msg, *args)


def fatal(msg: str, *args: object) -> None:
    """Logs an error that ends a program; it does not end it."""
    _get_logger().critical(msg, *args)


def log(level: int, msg: str, *args: object) -> None:
    """Logs a message of a level."""
    _get_logger().log(level, msg, *args)


warn = warning
