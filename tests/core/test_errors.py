"""tf.errors: TensorFlow's classes, codes and messages."""

import pickle

import pytest

import fastgrad as tf

CODES = {
    "CancelledError": 1,
    "UnknownError": 2,
    "InvalidArgumentError": 3,
    "DeadlineExceededError": 4,
    "NotFoundError": 5,
    "AlreadyExistsError": 6,
    "PermissionDeniedError": 7,
    "ResourceExhaustedError": 8,
    "FailedPreconditionError": 9,
    "AbortedError": 10,
    "OutOfRangeError": 11,
    "UnimplementedError": 12,
    "InternalError": 13,
    "UnavailableError": 14,
    "DataLossError": 15,
    "UnauthenticatedError": 16,
}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_classes_have_tensorflows_codes(name, code):
    error = getattr(tf.errors, name)
    assert issubclass(error, tf.errors.OpError)
    assert error("because").error_code == code
    constant = "".join("_" + c if c.isupper() else c.upper() for c in name.removesuffix("Error")).lstrip("_").upper()
    assert getattr(tf.errors, constant) == code


def test_operations_errors_are_neither_value_nor_type_errors():
    assert not issubclass(tf.errors.InvalidArgumentError, (ValueError, TypeError))
    assert issubclass(tf.errors.InvalidArgumentError, Exception)


def test_the_message_is_the_text():
    error = tf.errors.NotFoundError("no such file")
    assert (str(error), error.message) == ("no such file", "no such file")
    assert error.node_def is None
    assert error.op is None


def test_errors_are_made_with_tensorflows_three_arguments_too():
    error = tf.errors.OutOfRangeError(None, "op", "the end")
    assert (error.op, error.message, str(error)) == ("op", "the end", "the end")


def test_errors_pickle():
    again = pickle.loads(pickle.dumps(tf.errors.InvalidArgumentError(None, None, "bad")))
    assert type(again) is tf.errors.InvalidArgumentError
    assert again.message == "bad"


def test_classes_may_be_mixed_with_classes_that_take_options():
    class Mixed:
        def __init_subclass__(cls, foo=0, **options):
            super().__init_subclass__(**options)
            cls.foo = foo

    error = type("E", (tf.errors.NotFoundError, Mixed), {}, foo=3)
    assert (error.foo, error.error_code) == (3, 5)


def test_classes_of_errors_take_no_options():
    with pytest.raises(TypeError, match="__init_subclass__"):
        type("E", (tf.errors.NotFoundError,), {}, code=3)


def test_arguments_by_name():
    error = tf.errors.InvalidArgumentError(node_def=None, op=None, message="words")
    assert (str(error), error.node_def, error.op, error.error_code) == ("words", None, None, 3)
    assert tf.errors.NotFoundError("node", "op", message="words").node_def == "node"
    for wrong in ({"op": None}, {"message": "a", "nope": 3}):
        with pytest.raises(TypeError, match="InvalidArgumentError"):
            tf.errors.InvalidArgumentError(**wrong)
