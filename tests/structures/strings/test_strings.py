"""Functions of strings: what TensorFlow can't answer; tests/conformance/programs/strings.py asks the rest."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.ops.text_hashes import hashes_of, texts_at
from fastgrad._src.structures.strings.regular_expressions import _replace_in_text, compile_pattern
from fastgrad.errors import InvalidArgumentError, OutOfRangeError


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


TEXTS = [
    b"",
    b"a",
    b"oo boo",
    b"-a.b!",
    "\u00e4\u20aco".encode(),
    b"a\nb o",
    b"\xff",
    b"o\xe2\x82",
    b"\xed\xa0\x80",
    b"A_9 o",
]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:6], TEXTS[:4], [], TEXTS[6:7]])
@pytest.mark.parametrize(
    "pattern", ["o", "[ao!]", "[^a]", "[a-z]+", "a*", ".", "(a|b)o", r"\bo", "^a", "o$", r"[\x{d000}-\x{e000}]", ""]
)
def test_all_strings_at_once_have_the_replacements_of_each(texts: list[bytes], pattern: str) -> None:
    x = tf.constant(np.array([*texts, b"."], object)[:-1], tf.string)
    for rewrite in (b"", b"x", b"xyz", rb"<\0>"):
        for replace_global in (True, False):
            y = tf.strings.regex_replace(x, pattern, rewrite, replace_global)
            assert y.numpy().tolist() == [
                _replace_in_text(text, pattern.encode(), rewrite, replace_global) for text in texts
            ]
    matches = [compile_pattern(pattern.encode()).fullmatch(text.decode(errors="surrogateescape")) for text in texts]
    assert tf.strings.regex_full_match(x, pattern).numpy().tolist() == [match is not None for match in matches]


def test_numbers_are_those_of_python_whoever_reads_them() -> None:
    r = np.random.default_rng(0)
    texts = [
        f"{x:.{p}f}"
        for x, p in zip(r.normal(size=500) * 10.0 ** r.integers(-5, 9, 500), r.integers(0, 17, 500), strict=True)
    ]
    texts += ["+1", " 2 ", "-0", "5.", ".5", "1e-3", "-inf", "123456789012345", "1234567890123456", "0x1p3"]
    expected = [float.fromhex(text) if "x" in text else float(text) for text in texts]
    np.testing.assert_array_equal(tf.strings.to_number(texts, tf.float64), expected)
    integers = ["0", "-7", "+7", " 8", "007", str(2**63 - 1), str(-(2**63)), "9" * 18]
    assert tf.strings.to_number(integers, tf.int64).numpy().tolist() == [int(text) for text in integers]
    assert tf.strings.to_number(["3", str(2**64 - 1)], tf.uint64).numpy().tolist() == [3, 2**64 - 1]
    for text, dtype in (
        ("", tf.float32),
        (".", tf.float64),
        ("-", tf.int32),
        ("-1", tf.uint32),
        ("2147483648", tf.int32),
    ):
        with pytest.raises(InvalidArgumentError, match=f"could not correctly convert string: {re.escape(text)} "):
            tf.strings.to_number(["1", text, "2"], dtype)


def test_characters_are_those_of_python_with_and_without_invalid_bytes() -> None:
    texts = ["", "abc", "\u00e4\u20ac\U0001f600", "\x7f\x80\u07ff\u0800\uffff\U0010ffff"]
    for invalid in ([], [b"a\xff"], [b"\xed\xa0\x80"], [b"\xf4\x90\x80\x80"], [b"\xc0\x80"], [b"\xe2\x82"]):
        x = tf.constant([text.encode() for text in texts] + invalid)
        codes, offsets = tf.strings.unicode_decode_with_offsets(x, "UTF-8")
        parts = tf.strings.unicode_split(x, "UTF-8")
        encoded = tf.strings.unicode_encode(codes, "UTF-8")
        for row, text in enumerate(texts + [text.decode(errors="replace") for text in invalid]):
            assert codes[row].numpy().tolist() == [ord(character) for character in text]
            assert encoded[row].numpy() == text.encode()
            assert parts[row].numpy().tolist() == [character.encode() for character in text]
        for row, text in enumerate(texts):
            assert offsets[row].numpy().tolist() == [len(text[:at].encode()) for at in range(len(text))]


def test_joins_of_neighbours_are_those_of_lists() -> None:
    rows = [["a", "bb", "c"], [], ["d"], ["e", "", "f", "g"]]
    x = tf.ragged.constant(rows)
    for width in (1, 2, 3, 9, [1, 2], [3, 1]):
        widths = width if isinstance(width, list) else [width]
        expected = [
            ["+".join(row[i : i + w]).encode() for w in widths for i in range(len(row) - w + 1)] for row in rows
        ]
        assert tf.strings.ngrams(x, width, "+").to_list() == expected
    assert tf.strings.reduce_join(x, -1, separator="+").numpy().tolist() == ["+".join(row).encode() for row in rows]


def test_words_and_parts_of_characters_are_those_of_python() -> None:
    texts = ["", " ", "a", " a  b\t\n\x0b\x0c\rc ", "d \u00e4\u20ac\x1c\u3000e", "no_space"]
    assert tf.strings.split(texts).to_list() == [text.encode().split() for text in texts]
    texts = ["\u00e4b\u20acd", "abcd", "\U0001f600\u00e4\u00e4x"]
    for start in range(-4, 5):
        for size in range(-1, 6):
            begin = start % 4 if start < 0 else start
            parts = [text[begin : None if size < 0 else begin + size].encode() for text in texts]
            assert tf.strings.substr(texts, start, size, "UTF8_CHAR").numpy().tolist() == parts
    with pytest.raises(InvalidArgumentError, match=r"pos 3 out of range for string b'a\\xc3\\xa4' at index 1"):
        tf.strings.substr(["abc", "a\u00e4"], 3, 1, "UTF8_CHAR")


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("precision", [-1, 0, 1, 3, 9, 10])
def test_floats_are_rounded_once_as_python_does(dtype: str, precision: int) -> None:
    r = np.random.default_rng(0)
    x = np.concatenate(
        [
            r.normal(size=2000) * 10.0 ** r.integers(-9, 16, 2000),
            r.integers(-999, 999, 2000) / 2.0 ** r.integers(1, 20, 2000),
        ]
    )
    edges = [0.0, -0.0, 0.5, 1.5, 0.9999999, 9.9999995, 1e15, 2.0**53 - 1, 5e-324]
    for numbers in ([*x, *edges], [*edges, 2.0**53, np.inf, -np.inf, np.nan]):
        y = tf.cast(tf.constant(np.array(numbers)), dtype)
        expected = [b"%.*f" % (6 if precision < 0 else precision, value) for value in y.numpy().astype(np.float64)]
        assert tf.strings.as_string(y, precision=precision).numpy().tolist() == expected


def test_integers_are_those_of_python() -> None:
    for numbers in ([0, 9, 10, -1, -10, 2**63 - 1, 10**18, 10**18 - 1, 10**17, -(10**18)], [1, -(2**63)]):
        assert tf.strings.as_string(tf.constant(numbers, tf.int64)).numpy().tolist() == [b"%d" % n for n in numbers]
    assert tf.strings.as_string(tf.constant([2**64 - 1], tf.uint64)).numpy().tolist() == [b"18446744073709551615"]


def test_strings_that_python_cannot_make_are_an_error_that_leaves_no_other() -> None:
    with pytest.raises(MemoryError, match="string 1 of 2"):
        texts_at(np.zeros(2, np.int64), np.array([0, -1]))


def test_classes_of_re2_are_those_of_ascii() -> None:
    assert compile_pattern(rb"\w+").fullmatch("é") is None
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
