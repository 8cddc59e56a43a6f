"""Docstrings of `keras.ops`: what a function does is said once, with Keras's names of the arguments."""

import inspect

import pytest

import fastgrad as tf
from fastgrad._src.keras.ops.docstrings import ARGUMENTS, EXAMPLES, PURPOSES

ops = tf.keras.ops


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_text_is_that_of_a_function_with_all_its_arguments(name):
    function = getattr(ops, name)
    purpose, *parts = function.__doc__.split("\n\n")
    assert not purpose.startswith("Keras's")
    arguments = [line.partition(":")[0].strip() for line in parts[0].splitlines()[1:]]
    assert arguments == [*inspect.signature(function).parameters]
    assert {*ARGUMENTS.get(name, {})} <= {*arguments}
    assert parts[1].startswith("Example:\n    >>> ")


def test_each_function_with_a_purpose_or_arguments_has_an_example():
    assert {*PURPOSES, *ARGUMENTS} <= {*EXAMPLES}


def test_the_purpose_is_that_of_the_function_of_tensorflow_with_kerass_names():
    assert tf.multiply.__doc__.startswith("``x * y``, element by element")
    assert ops.multiply.__doc__.startswith("``x1 * x2``, element by element")
    assert ops.left_shift.__doc__.startswith("``x`` with its bits moved up by ``y``")
    assert ops.sum.__doc__.partition("\n")[0] == tf.reduce_sum.__doc__.partition("\n")[0]
    assert ops.size.__doc__.startswith("The number of elements of ``x``.")


def test_another_namespace_has_the_same_text():
    assert ops.numpy.sum.__doc__ == ops.sum.__doc__
    assert ops.nn.softmax.__doc__ == ops.softmax.__doc__


def test_a_function_without_a_text_says_whose_it_is():
    assert ops.stft.__doc__ == "Keras's ``ops.stft``, for tensors and ``KerasTensor``s."
