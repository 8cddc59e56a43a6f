"""Exceptions, named and shaped as in ``tf.errors``.

An operation refuses bad input with one of these or with a builtin (``ValueError``, ``TypeError``,
``IndexError``), whichever TensorFlow raises; the message says which operation, what it got, what
it wanted and what to do.
"""

from __future__ import annotations

from typing import Any

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS = range(7)
PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE = range(7, 12)
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = range(12, 17)


class OpError(Exception):
    """The base of all errors raised by operations.

    Args:
        *arguments: the message alone, or TensorFlow's ``(node_def, op, message)``.

    Attributes:
        message: what happened, as text.
        node_def, op: kept for code written for TensorFlow; None unless given.
        error_code: TensorFlow's integer code of the class.
    """

    error_code = UNKNOWN

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.node_def, self.op = arguments[:2] if len(arguments) >= 3 else (None, None)
        self.message = str(arguments[2] if len(arguments) >= 3 else arguments[0] if arguments else "")

    def __str__(self) -> str:
        return self.message


class CancelledError(OpError):
    """The work was cancelled before it was done."""

    error_code = CANCELLED


class UnknownError(OpError):
    """An error that fits no other class."""

    error_code = UNKNOWN


class InvalidArgumentError(OpError):
    """An operation was given a shape, dtype, axis or value that it can't take."""

    error_code = INVALID_ARGUMENT


class DeadlineExceededError(OpError):
    """The work took longer than it was allowed to."""

    error_code = DEADLINE_EXCEEDED


class NotFoundError(OpError):
    """A file or a named thing that was asked for does not exist."""

    error_code = NOT_FOUND


class AlreadyExistsError(OpError):
    """What was to be made is there already."""

    error_code = ALREADY_EXISTS


class PermissionDeniedError(OpError):
    """The caller may not do what it asked for."""

    error_code = PERMISSION_DENIED


class ResourceExhaustedError(OpError):
    """Memory, disk or another resource has run out."""

    error_code = RESOURCE_EXHAUSTED


class OutOfMemoryError(ResourceExhaustedError, MemoryError):
    """A result does not fit into memory: what ``except MemoryError`` and ``except tf.errors.ResourceExhaustedError`` both catch."""


class FailedPreconditionError(OpError):
    """The state of the program does not allow the operation."""

    error_code = FAILED_PRECONDITION


class AbortedError(OpError):
    """The work was given up in favour of other work."""

    error_code = ABORTED


class OutOfRangeError(OpError):
    """A position beyond the end was asked for, as at the end of a dataset."""

    error_code = OUT_OF_RANGE


class UnimplementedError(OpError):
    """TensorFlow has it, fastgrad does not; the message names the nearest."""

    error_code = UNIMPLEMENTED


class InternalError(OpError):
    """fastgrad broke a rule of its own: please report it."""

    error_code = INTERNAL


class UnavailableError(OpError):
    """A service that is needed can't be reached now."""

    error_code = UNAVAILABLE


class DataLossError(OpError):
    """Stored data is damaged."""

    error_code = DATA_LOSS


class UnauthenticatedError(OpError):
    """The caller did not say who it is."""

    error_code = UNAUTHENTICATED


class TraceError(UnimplementedError):
    """A function under ``tf.function`` did something that a replay could not repeat; the message says what, and where."""
