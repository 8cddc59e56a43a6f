"""Exceptions, named and shaped as in ``tf.errors``.

An operation rejects bad input with one of these classes or with a builtin (``ValueError``, ``TypeError``,
``IndexError``), the same as TensorFlow. The message names the operation, the received value, the expected
value and the remedy.
"""

from __future__ import annotations

from typing import Any

from fastgrad.core.names import missing_member_getattr
from fastgrad.core.names import namespace_hooks as _namespace_hooks

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS = range(7)
PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE = range(7, 12)
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = range(12, 17)


class OpError(Exception):
    """The base of all errors raised by operations.

    Args:
        *arguments: the message alone, or TensorFlow's ``(node_def, op, message)``.
        **named: ``node_def``, ``op`` and ``message`` by name.

    Raises:
        TypeError: another name, a name that is given twice, or names without ``message``.

    Attributes:
        message: the error message.
        node_def, op: kept for code written for TensorFlow; None unless given.
        error_code: TensorFlow's integer code of the class.
    """

    __getattr__ = missing_member_getattr

    error_code = UNKNOWN

    def __init__(self, *arguments: Any, **named: Any) -> None:
        if named:
            parts = dict(zip(("node_def", "op", "message"), arguments, strict=False))
            if (
                named.keys() & parts.keys()
                or not named.keys() <= {"node_def", "op", "message"}
                or "message" not in named
            ):
                raise TypeError(
                    f"{type(self).__name__}: expected node_def, op and message, got {arguments} and {named}."
                )
            parts |= named
            arguments = parts.get("node_def"), parts.get("op"), parts["message"]
        super().__init__(*arguments)
        self.node_def, self.op = arguments[:2] if len(arguments) >= 3 else (None, None)
        self.message = str(arguments[2] if len(arguments) >= 3 else arguments[0] if arguments else "")

    def __str__(self) -> str:
        return self.message


class CancelledError(OpError):
    """The work was cancelled before it was done."""

    error_code = CANCELLED


class UnknownError(OpError):
    """An error without a more specific class."""

    error_code = UNKNOWN


class InvalidArgumentError(OpError):
    """An operation got an invalid shape, dtype, axis or value."""

    error_code = INVALID_ARGUMENT


class DeadlineExceededError(OpError):
    """The work exceeded its time limit."""

    error_code = DEADLINE_EXCEEDED


class NotFoundError(OpError):
    """A requested file or named object does not exist."""

    error_code = NOT_FOUND


class AlreadyExistsError(OpError):
    """The object to create already exists."""

    error_code = ALREADY_EXISTS


class PermissionDeniedError(OpError):
    """The caller lacks the permission for the request."""

    error_code = PERMISSION_DENIED


class ResourceExhaustedError(OpError):
    """Memory, disk or another resource has run out."""

    error_code = RESOURCE_EXHAUSTED


class OutOfMemoryError(ResourceExhaustedError, MemoryError):
    """A result does not fit into memory; also a ``MemoryError``."""


class FailedPreconditionError(OpError):
    """The state of the program does not allow the operation."""

    error_code = FAILED_PRECONDITION


class AbortedError(OpError):
    """The work was aborted in favour of other work."""

    error_code = ABORTED


class OutOfRangeError(OpError):
    """A position is beyond the end, for example of a dataset."""

    error_code = OUT_OF_RANGE


class UnimplementedError(OpError, NotImplementedError):
    """fastgrad lacks a feature of TensorFlow; the message names the nearest alternative.

    TensorFlow's gradient functions raise Python's NotImplementedError, which is a base class here.
    """

    error_code = UNIMPLEMENTED


class InternalError(OpError):
    """An internal error of fastgrad: please report it."""

    error_code = INTERNAL


class UnavailableError(OpError):
    """A required service is not reachable now."""

    error_code = UNAVAILABLE


class DataLossError(OpError):
    """Stored data is damaged."""

    error_code = DATA_LOSS


class UnauthenticatedError(OpError):
    """The caller is not authenticated."""

    error_code = UNAUTHENTICATED


class TraceError(UnimplementedError):
    """A function under ``tf.function`` did something that a replay cannot repeat; the message names it and its line."""


class DifferentiationError(TypeError):
    """A function that Numba compiles has no derivative; the message has file, line and reason."""


__getattr__, __dir__ = _namespace_hooks("tf.errors", globals())
