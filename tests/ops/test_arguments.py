"""Operations that take lists of tensors say what they want in place of a string, a number, None or a dict."""

import numpy as np
import pytest

import fastgrad as tf

X = tf.constant([1.0])
CALLS = {
    "clip_by_global_norm": lambda values: tf.clip_by_global_norm(values, 1.0),
    "global_norm": tf.linalg.global_norm,
    "add_n": tf.add_n,
    "concat": lambda values: tf.concat(values, 0),
    "stack": tf.stack,
    "identity_n": tf.identity_n,
    "dynamic_stitch": lambda values: tf.dynamic_stitch(values, values),
}
CONVERTED = {("concat", "text"), ("stack", "text"), ("concat", 1.0), ("stack", 1.0)}  # one tensor, as in TensorFlow


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", ["text", 1.0, None, {"a": X}], ids=["str", "float", "none", "dict"])
def test_something_else_in_place_of_a_list(name, wrong):
    if isinstance(wrong, (str, float)) and (name, wrong) in CONVERTED:
        assert CALLS[name](wrong).shape == ()
    elif name == "identity_n" and isinstance(wrong, dict):
        assert CALLS[name](wrong)[0].numpy() == b"a"  # the keys, as in TensorFlow
    else:
        with pytest.raises((TypeError, ValueError), match=rf"{name}: .*(sequence|list|iterable) of") as info:
            CALLS[name](wrong)
        assert type(info.value) in (TypeError, ValueError)


@pytest.mark.parametrize("name", ["add_n", "concat", "stack"])
@pytest.mark.parametrize(("wrong", "kind"), [("a", TypeError), (None, (TypeError, ValueError))], ids=["str", "none"])
def test_the_item_that_is_no_tensor_is_named(name, wrong, kind):
    with pytest.raises(kind, match=f"{name}: item 1 of the list"):
        CALLS[name]([X, wrong])


def test_ragged_items_are_still_passed_to_their_functions():
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0]])
    assert tf.concat([ragged, ragged], 0).shape[0] == 4


def test_sizes_may_be_floats_without_a_fraction_in_an_array_or_as_tensors():
    for shape in (
        np.array([3.0, 2.0]),
        [tf.constant(3.0), 2],
        (tf.constant(3.0, tf.bfloat16), tf.constant(2.0, tf.bfloat16)),
    ):
        assert tf.reshape(tf.zeros([6]), shape).shape == (3, 2)
    for shape in ([3.0, 2.0], np.array([3.5, 2.0]), tf.constant([3.0, 2.0])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be integers"):
            tf.reshape(tf.zeros([6]), shape)
