"""Exceptions, named and shaped as in ``tf.errors``.

An operation rejects bad input with one of these classes or with a builtin (``ValueError``, ``TypeError``,
``IndexError``), the same as TensorFlow. The message names the operation, the received value, the expected
value and the remedy.
"""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.names import missing_member_getattr

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

    def __init_subclass__(cls, error_code: int | None = None, **kwargs: Any) -> None:
        """Sets the error code of a subclass that declares one."""
        super().__init_subclass__(**kwargs)
        if error_code is not None:
            cls.error_code = error_code

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


class CancelledError(OpError, error_code=CANCELLED):
    """The work was cancelled before it was done."""


class UnknownError(OpError, error_code=UNKNOWN):
    """An error without a more specific class."""


class InvalidArgumentError(OpError, error_code=INVALID_ARGUMENT):
    """An operation got an invalid shape, dtype, axis or value.

    Example:
        >>> try:
        ...     tf.reshape([1, 2, 3], (2, 2))
        ... except tf.errors.InvalidArgumentError:
        ...     print("three elements do not fill four places")
        three elements do not fill four places
    """


class DeadlineExceededError(OpError, error_code=DEADLINE_EXCEEDED):
    """The work exceeded its time limit."""


class NotFoundError(OpError, error_code=NOT_FOUND):
    """A requested file or named object does not exist."""


class AlreadyExistsError(OpError, error_code=ALREADY_EXISTS):
    """The object to create already exists."""


class PermissionDeniedError(OpError, error_code=PERMISSION_DENIED):
    """The caller lacks the permission for the request."""


class ResourceExhaustedError(OpError, error_code=RESOURCE_EXHAUSTED):
    """Memory, disk or another resource has run out."""


class OutOfMemoryError(ResourceExhaustedError, MemoryError):
    """A result does not fit into memory; also a ``MemoryError``."""


class FailedPreconditionError(OpError, error_code=FAILED_PRECONDITION):
    """The state of the program does not allow the operation."""


class AbortedError(OpError, error_code=ABORTED):
    """The work was aborted in favour of other work."""


class OutOfRangeError(OpError, error_code=OUT_OF_RANGE):
    """A position is beyond the end, for example of a dataset."""


class UnimplementedError(OpError, NotImplementedError, error_code=UNIMPLEMENTED):
    """fastgrad lacks a feature of TensorFlow; the message names the nearest alternative.

    TensorFlow's gradient functions raise Python's NotImplementedError, which is a base class here.
    """


class InternalError(OpError, error_code=INTERNAL):
    """An internal error of fastgrad: please report it."""


class UnavailableError(OpError, error_code=UNAVAILABLE):
    """A required service is not reachable now."""


class DataLossError(OpError, error_code=DATA_LOSS):
    """Stored data is damaged."""


class UnauthenticatedError(OpError, error_code=UNAUTHENTICATED):
    """The caller is not authenticated."""


class TraceError(UnimplementedError):
    """A function under ``tf.function`` did something that a replay cannot repeat; the message names it and its line."""


class DifferentiationError(TypeError):
    """A function that Numba compiles has no derivative; the message has file, line and reason."""
