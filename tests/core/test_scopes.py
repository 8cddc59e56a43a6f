"""name_scope and device: names of what is made inside, and places where it would run."""

import threading

import pytest

import fastgrad as tf


def test_scopes_name_the_variables_made_inside():
    with tf.name_scope("a") as outer:
        with tf.name_scope("b/c") as inner:
            assert tf.Variable(1.0, name="w").name == "a/b/c/w:0"
            assert tf.get_current_name_scope() == "a/b/c"
        assert tf.Variable(1.0).name == "a/Variable:0"
    assert (outer, inner) == ("a/", "a/b/c/")
    assert tf.Variable(1.0).name == "Variable:0"
    assert tf.get_current_name_scope() == ""


def test_an_empty_name_leaves_all_scopes_and_a_whole_path_is_entered_again():
    with tf.name_scope("a") as path:
        with tf.name_scope("") as nothing:
            assert nothing == ""
            assert tf.Variable(1.0, name="w").name == "w:0"
        assert tf.get_current_name_scope() == "a"
    with tf.name_scope("other"), tf.name_scope(path) as again:
        assert again == "a/"


def test_scopes_end_with_an_error():
    with pytest.raises(KeyError), tf.name_scope("a"):
        raise KeyError
    assert tf.get_current_name_scope() == ""


def test_scopes_belong_to_their_thread():
    seen = []
    with tf.name_scope("a"):
        thread = threading.Thread(target=lambda: seen.append(tf.get_current_name_scope()))
        thread.start()
        thread.join()
    assert seen == [""]


def test_a_scopes_name_is_text():
    assert tf.name_scope("x").name == "x"
    with pytest.raises(ValueError, match="string"):
        tf.name_scope(3)
