"""Functions of strings: what TensorFlow can't answer; tests/conformance/programs/strings.py asks the rest."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError, OutOfRangeError
from fastgrad.ops.text_hashes import hashes_of
from fastgrad.strings.regular_expressions import pattern_of


def test_length_is_mapped_over_rows() -> None:
    x = tf.constant([["a", "bc"], ["", "def"]])
    assert tf.vectorized_map(tf.strings.length, x).numpy().tolist() == [[1, 2], [0, 3]]


def test_joins_are_mapped_over_rows() -> None:
    x = tf.constant([["a", "b"], ["c", "d"]])
    joined = tf.vectorized_map(lambda row: tf.strings.join([row, "-"]), x)
    assert joined.numpy().tolist() == [[b"a-", b"b-"], [b"c-", b"d-"]]
    assert tf.vectorized_map(tf.strings.reduce_join, x).numpy().tolist() == [b"ab", b"cd"]


def test_substr_of_bytes_is_a_slice_of_python() -> None:
    text = b"hello"
    for start in range(-5, 6):
        for length in range(-1, 7):
            end = len(text) if length < 0 else start % 6 + length if start >= 0 else start + 5 + length
            begin = start if start >= 0 else start + 5
            assert tf.strings.substr(text, start, length).numpy() == text[begin:end]


def test_a_compiled_split_follows_the_number_of_words() -> None:
    count = tf.function(lambda x: tf.size(tf.strings.split(x).flat_values))
    assert [int(count(tf.constant([text]))) for text in ("a b", "c d e", "", "f g")] == [2, 3, 0, 2]


def test_a_compiled_program_computes_strings_each_time() -> None:
    shout = tf.function(lambda x: tf.strings.upper(x) + "!")
    assert [shout(tf.constant([text])).numpy()[0] for text in ("a", "b", "c")] == [b"A!", b"B!", b"C!"]


def test_numbers_survive_text_and_back() -> None:
    numbers = np.random.default_rng(0).normal(size=50) * 10.0 ** np.arange(-25, 25)
    text = tf.strings.as_string(tf.constant(numbers), precision=17, scientific=True)
    np.testing.assert_array_equal(tf.strings.to_number(text, tf.float64), numbers)


def test_a_dataset_of_words_has_an_unknown_size() -> None:
    lines = tf.data.Dataset.from_tensor_slices(["a b", "c"])
    for words in (lines.map(tf.strings.split), lines.map(lambda line: tf.strings.split(line, ","))):
        assert words.element_spec.shape.as_list() == [None]
    padded = next(iter(lines.map(tf.strings.split).padded_batch(2)))
    assert padded.numpy().tolist() == [[b"a", b"b"], [b"c", b""]]


def test_siphash_gives_the_published_vector() -> None:
    key = tuple(np.frombuffer(bytes(range(16)), np.uint64).tolist())  # Aumasson and Bernstein, SipHash, appendix A
    (word,) = hashes_of(np.array([bytes(range(15))], object), "sip", key=key).view(np.uint64)
    assert word == 0xA129CA6149BE45E5


def test_hashes_and_lengths_are_those_of_plain_bytes_for_subclasses_and_views() -> None:
    texts = [b"a", b"some words", "\u00e4\u20ac".encode(), b"", bytes(200)]
    x = np.array(texts, object)
    strided = np.empty((5, 2), object)
    strided[:, 0], strided[:, 1] = [np.bytes_(text) if text.rstrip(b"\0") else text for text in texts], b"other"
    for function in ("murmur", "farm", "sip"):
        assert hashes_of(strided[:, 0], function).tolist() == hashes_of(x, function).tolist()
    y = tf.constant(strided)[:, 0]
    assert tf.strings.length(y).numpy().tolist() == [len(text) for text in texts]
    assert tf.strings.length(y, "UTF8_CHAR").numpy().tolist() == [1, 10, 2, 0, 200]


def test_classes_of_re2_are_those_of_ascii() -> None:
    assert pattern_of(rb"\w+").fullmatch("é") is None
    assert re.fullmatch(r"\w+", "é") is not None


@pytest.mark.parametrize("pattern", ["a(?i)b", "(?U)a*", r"\p{Greek}", r"\C"])
def test_expressions_without_a_translation_are_errors(pattern: str) -> None:
    with pytest.raises(InvalidArgumentError, match="Invalid pattern"):
        tf.strings.regex_replace(["a"], pattern, "-")


def test_errors_name_the_operation_and_the_remedy() -> None:
    with pytest.raises(InvalidArgumentError, match=r"lower .* int32 tensor. Convert it with tf.strings.as_string"):
        tf.strings.lower(tf.constant([1]))
    with pytest.raises(InvalidArgumentError, match=r"substr: pos 7 out of range for string b'hello' at index 1"):
        tf.strings.substr(["hello world", "hello"], 7, 1)


def test_text_beside_bytes_is_one_tensor() -> None:
    assert tf.constant(["é", b"\xff"]).numpy().tolist() == ["é".encode(), b"\xff"]


def test_print_escapes_strings_as_tensorflow(capsys: pytest.CaptureFixture[str]) -> None:
    tf.print(tf.constant(['a"b\n', "é\x01"]))
    assert capsys.readouterr().err == '["a\\"b\\n" "é\\001"]\n'


def test_none_is_no_separator() -> None:
    """As in TensorFlow, whose page does not say it."""
    x = tf.constant(["a", "b"])
    assert tf.strings.join([x, x], separator=None).numpy().tolist() == [b"aa", b"bb"]
    assert tf.strings.reduce_join(x, separator=None).numpy() == b"ab"
    assert tf.strings.unsorted_segment_join(x, [0, 0], 1, separator=None).numpy().tolist() == [b"ab"]


def test_empty_segments_and_inner_dimensions_are_joined() -> None:
    x = tf.constant([["a", "b"], ["c", "d"], ["e", "f"]])
    joined = tf.strings.unsorted_segment_join(x, [2, 0, 2], 4, "-")
    assert joined.numpy().tolist() == [[b"c", b"d"], [b"", b""], [b"a-e", b"b-f"], [b"", b""]]


def test_floats_without_a_fraction_are_integers() -> None:
    assert tf.strings.split("a b c", maxsplit=1.0).numpy().tolist() == [b"a", b"b c"]
    with pytest.raises(TypeError, match=r"split: maxsplit must be an integer, got 1\.5"):
        tf.strings.split("a b c", maxsplit=1.5)


def test_reduce_join_of_each_axis_and_of_none_beyond() -> None:
    x = tf.constant([["a", "b"], ["c", "d"]])
    results = {axis: tf.strings.reduce_join(x, axis).numpy().tolist() for axis in (-2, -1, 0, 1)}
    assert results == {0: [b"ac", b"bd"], -2: [b"ac", b"bd"], 1: [b"ab", b"cd"], -1: [b"ab", b"cd"]}
    for axis in (-3, 2):
        with pytest.raises(OutOfRangeError, match=f"reduction dimension {axis}"):
            tf.strings.reduce_join(x, axis)
