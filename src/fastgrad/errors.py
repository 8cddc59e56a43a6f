"""Exceptions, named and shaped as in ``tf.errors``.

An operation rejects bad input with one of these classes or with a builtin (``ValueError``, ``TypeError``,
``IndexError``), the same as TensorFlow. The message names the operation, the received value, the expected
value and the remedy.
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
        message: the error message.
        node_def, op: kept for code written for TensorFlow; None unless given.
        error_code: TensorFlow's integer code of the class.
    """

    error_code = UNKNOWN

    def __init_subclass__(cls, code: int | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.error_code = code

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.node_def, self.op = arguments[:2] if len(arguments) >= 3 else (None, None)
        self.message = str(arguments[2] if len(arguments) >= 3 else arguments[0] if arguments else "")

    def __str__(self) -> str:
        return self.message


class CancelledError(OpError, code=CANCELLED):
    """The work was cancelled before it was done."""


class UnknownError(OpError, code=UNKNOWN):
    """An error without a more specific class."""


class InvalidArgumentError(OpError, code=INVALID_ARGUMENT):
    """An operation got an invalid shape, dtype, axis or value."""


class DeadlineExceededError(OpError, code=DEADLINE_EXCEEDED):
    """The work exceeded its time limit."""


class NotFoundError(OpError, code=NOT_FOUND):
    """A requested file or named object does not exist."""


class AlreadyExistsError(OpError, code=ALREADY_EXISTS):
    """The object to create already exists."""


class PermissionDeniedError(OpError, code=PERMISSION_DENIED):
    """The caller lacks the permission for the request."""


class ResourceExhaustedError(OpError, code=RESOURCE_EXHAUSTED):
    """Memory, disk or another resource has run out."""


class OutOfMemoryError(ResourceExhaustedError, MemoryError):
    """A result does not fit into memory; also a ``MemoryError``."""


class FailedPreconditionError(OpError, code=FAILED_PRECONDITION):
    """The state of the program does not allow the operation."""


class AbortedError(OpError, code=ABORTED):
    """The work was aborted in favour of other work."""


class OutOfRangeError(OpError, code=OUT_OF_RANGE):
    """A position is beyond the end, for example of a dataset."""


class UnimplementedError(OpError, code=UNIMPLEMENTED):
    """fastgrad lacks a feature of TensorFlow; the message names the nearest alternative."""


class InternalError(OpError, code=INTERNAL):
    """An internal error of fastgrad: please report it."""


class UnavailableError(OpError, code=UNAVAILABLE):
    """A required service is not reachable now."""


class DataLossError(OpError, code=DATA_LOSS):
    """Stored data is damaged."""


class UnauthenticatedError(OpError, code=UNAUTHENTICATED):
    """The caller is not authenticated."""


class TraceError(UnimplementedError):
    """A function under ``tf.function`` did something that a replay cannot repeat; the message names it and its line."""
