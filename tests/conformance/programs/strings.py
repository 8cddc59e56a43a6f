"""Functions of strings: letters, parts, joins, splits, numbers, regular expressions, hashes, Unicode, n-grams."""

import numpy as np

_INVALID = [
    "Gö€😊",
    b"a\xff\xfeb",
    "",
    b"\xf0\x9f\x98",
    b"\xed\xa0\x80",
    b"\xc0\x80x",
    b"\xe2\x82z",
    b"\xf4\x90\x80\x80",
]


def _rows(tf):
    return tf.ragged.constant([["A b", "B"], [], ["c"]])


def _both(tf, function, *inputs):
    """A function's results, eager and compiled."""
    inputs = [tf.constant(x) for x in inputs]
    return function(*inputs), tf.function(function)(*inputs)


def letters(tf):
    s = tf.strings
    return {
        "length": lambda: _both(tf, s.length, ["abc", "", "é😊"]),
        "length of characters": lambda: s.length(["abc", "", "é😊", b"\xff\xc3\xa9\x80abc"], unit="UTF8_CHAR"),
        "length of a scalar": lambda: s.length("abc"),
        "length of a number": lambda: s.length(1),
        "length of a tensor of numbers": lambda: s.length(tf.constant([1])),
        "length in an unknown unit": lambda: s.length("a", unit="X"),
        "length of ragged rows": lambda: s.length(_rows(tf)),
        "lower": lambda: _both(tf, s.lower, ["ÄÖé", "ABc", ""]),
        "lower utf-8": lambda: s.lower([["ÄÖé", "ABcİ"]], encoding="utf-8"),
        "lower of invalid bytes": lambda: s.lower([b"\xffA"]),
        "upper": lambda: _both(tf, s.upper, ["äa", "z1"]),
        "upper utf-8": lambda: s.upper(["ßaäﬁ", b"\xffa"], encoding="utf-8"),
        "upper in another encoding": lambda: s.upper(["a"], encoding="latin"),
        "upper of ragged rows": lambda: s.upper(_rows(tf)),
        "strip": lambda: _both(tf, s.strip, [" \t\n\v\f\r a b \x1c\x00", "", "  "]),
    }


def parts_and_joins(tf):
    s = tf.strings
    x = [["a", "b"], ["c", "d"]]
    return {
        "substr": lambda: s.substr(["hello", "ab"], 1, 3),
        "substr of each": lambda: s.substr(["hello", "abcd"], [-3, 2], [3, 1]),
        "substr of one": lambda: s.substr("hello", [0, 1, 2], [1, 2, 9]),
        "substr at the end": lambda: s.substr("hello", 5, 1),
        "substr of a negative length": lambda: s.substr("hello", 1, -1),
        "substr behind the end": lambda: s.substr("hello", 7, 1),
        "substr before the start": lambda: s.substr("hello", -7, 1),
        "substr of characters": lambda: [s.substr(["héllo", "ab"], p, 3, unit="UTF8_CHAR") for p in (0, 1, -2)],
        "substr behind the last character": lambda: s.substr(["héllo", "ab"], -3, 3, unit="UTF8_CHAR"),
        "substr of a matrix": lambda: s.substr([["hello", "ab"], ["c", "d"]], [0, 1], [1, 1]),
        "substr of shapes that do not fit": lambda: s.substr(["hello", "ab"], [0, 1, 2], [1, 1, 1]),
        "substr of other shapes": lambda: s.substr(["hello", "ab"], [0, 1], 1),
        "substr of mixed integers": lambda: s.substr("ab", tf.constant(0, tf.int64), tf.constant(1, tf.int32)),
        "substr of ragged rows": lambda: s.substr(_rows(tf), 0, 1),
        "join": lambda: [s.join(["a", ["b", "c"]], "-"), s.join(["ab", "cd"]), s.join([]), s.join([x, x], "::")],
        "join of other shapes": lambda: s.join([["a"], ["b", "c"]]),
        "join of three and two": lambda: s.join([["a", "b", "c"], ["b", "c"]]),
        "join of ragged rows": lambda: [s.join([_rows(tf), _rows(tf)], "-"), s.join(["x", _rows(tf)])],
        "join compiled": lambda: _both(tf, lambda a, b: s.join([a, b], "+"), ["a", "b"], ["c", "d"]),
        "reduce_join": lambda: [s.reduce_join(x, a, separator="-") for a in (None, 0, 1, -1, [0, 1], [1, 0], [])],
        "reduce_join keepdims": lambda: [s.reduce_join(x, a, keepdims=True) for a in (None, 0, -1, [0, 1])],
        "reduce_join of three dimensions": lambda: [
            s.reduce_join([x, x], a, separator=",") for a in ([0, 2], [2, 0], 1)
        ],
        "reduce_join of a scalar": lambda: s.reduce_join("a"),
        "reduce_join of nothing": lambda: s.reduce_join(tf.zeros([0, 2], tf.string), axis=0),
        "reduce_join of no such axis": lambda: s.reduce_join(x, axis=2),
        "reduce_join of an axis twice": lambda: s.reduce_join(x, axis=[0, -2]),
        "reduce_join of ragged rows": lambda: [s.reduce_join(_rows(tf), a, separator="-") for a in (None, 0, 1, -1)],
        "reduce_join of deep ragged rows": lambda: [
            s.reduce_join(tf.ragged.constant([[["a", "b"], []], [["c"]]]), a, separator="-") for a in (0, 1, 2)
        ],
        "reduce_join compiled": lambda: _both(tf, lambda a: s.reduce_join(a, 1), x),
        "unsorted_segment_join": lambda: s.unsorted_segment_join(["a", "b", "c"], [0, 2, 0], 3, ":"),
        "unsorted_segment_join of rows": lambda: s.unsorted_segment_join(x, [1, 1], 2, ":"),
        "unsorted_segment_join of elements": lambda: s.unsorted_segment_join(x, [[1, 0], [1, 1]], 2, ":"),
        "unsorted_segment_join of nothing": lambda: s.unsorted_segment_join(
            tf.zeros([0, 2], tf.string), tf.zeros([0], tf.int32), 2
        ),
        "unsorted_segment_join below 0": lambda: s.unsorted_segment_join(["a", "b"], [1, -1], 2),
        "unsorted_segment_join above": lambda: s.unsorted_segment_join(["a", "b"], [1, 2], 2),
        "unsorted_segment_join of other shapes": lambda: s.unsorted_segment_join(["a", "b"], [1], 2),
        "unsorted_segment_join to a negative number": lambda: s.unsorted_segment_join(["a", "b"], [1, 1], -2),
    }


def splits(tf):
    s = tf.strings
    return {
        "split": lambda: s.split(["hello  world ", "", "a\tb\x0bc\xa0d"]),
        "split a scalar": lambda: [s.split("hello  world ", sep=" "), s.split("")],
        "split at a separator": lambda: s.split(["a<>b<>", "<>", ""], sep="<>"),
        "split a number of times": lambda: [s.split([" a b  c "], maxsplit=n) for n in (-1, 0, 1, 2, 9)],
        "split at a separator a number of times": lambda: [s.split(["a,b,c"], ",", maxsplit=n) for n in (-1, 0, 1, 9)],
        "split a matrix": lambda: s.split([["a b", "c"], ["", "d e f"]]),
        "split three dimensions": lambda: s.split([[["a b", "c"]], [["", "d e f"]]]),
        "split ragged rows": lambda: s.split(_rows(tf)),
        "split nothing": lambda: s.split(tf.zeros([0], tf.string)),
        "split at nothing": lambda: s.split(["a b"], sep=""),
        "split at a vector": lambda: s.split(["a"], sep=["b"]),
        "split at a number": lambda: s.split(["a"], sep=1),
        "split a number": lambda: s.split([1]),
        "row splits": lambda: s.split(["a b", "c"]).row_splits,
        "split compiled": lambda: _both(tf, lambda x: s.split(x).to_tensor("-"), ["a b", "c"]),
        "split compiled, again": lambda: [
            f(tf.constant(x))
            for f in [tf.function(lambda x: s.length(s.split(x).flat_values))]
            for x in (["a b"], ["c d e"])
        ],
        "bytes_split": lambda: [
            s.bytes_split("héy"),
            s.bytes_split(["hé", ""]),
            s.bytes_split([["hé", ""], ["a", "b"]]),
        ],
        "bytes_split ragged rows": lambda: s.bytes_split(_rows(tf)),
    }


def numbers(tf):
    s = tf.strings
    words = [
        "",
        "a",
        "1.5x",
        "1e",
        "1_0",
        "+1",
        "-inf",
        "Infinity",
        ".5",
        "5.",
        "0x1p3",
        "1e400",
        "NaN",
        "infinit",
        " 7 ",
        "1 2",
    ]
    words += [" ", "--1", "1d", "\t1\n", "0X1F", "0x", "1e+", "٣", "-1e-3", "123456789.123456789", "-0x1p9999"]
    integers = [
        "",
        "a",
        "1.5",
        "+1",
        "-5",
        " 7 ",
        "0x10",
        "99999999999",
        "-2147483648",
        "2147483648",
        "1_0",
        "٣",
        "007",
        "- 1",
    ]
    questions = {}
    for dtype in ("float32", "float64"):
        for word in words:
            questions[f"{dtype} of {word!r}"] = lambda w=word, d=dtype: s.to_number(w, tf.as_dtype(d))
    for dtype in ("int32", "int64", "uint32", "uint64"):
        for word in [*integers, "9223372036854775807", "9223372036854775808", "18446744073709551615"]:
            questions[f"{dtype} of {word!r}"] = lambda w=word, d=dtype: s.to_number(w, tf.as_dtype(d))
    for dtype in ("bool", "int8", "float16", "string"):
        questions[f"{dtype} of 1"] = lambda d=dtype: s.to_number("1", tf.as_dtype(d))
    return questions | {
        "of a matrix": lambda: _both(tf, s.to_number, [["1", "2.5"], ["-3e5", "0.1"]]),
        "of ragged rows": lambda: s.to_number(tf.ragged.constant([["1"], [], ["2", "3"]]), tf.int32),
    }


def texts_of_tensors(tf):
    s = tf.strings
    floats = [1.0, 0.1, -2.5, 1e20, float("nan"), float("inf"), -float("inf"), 1e-10, 123456.789]
    options = [
        {"precision": 2},
        {"scientific": True},
        {"shortest": True},
        {"precision": 3, "scientific": True},
        {"precision": 3, "shortest": True},
        {"width": 10},
        {"width": 10, "fill": "0"},
        {"width": 12, "fill": " ", "precision": 1},
        {"width": 12, "fill": "-", "precision": 1},
        {"width": 12, "fill": "+"},
        {"fill": "ab"},
        {"fill": "x"},
        {"scientific": True, "shortest": True},
        {"precision": -2, "width": -3},
        {"precision": 0},
    ]
    questions = {f"floats {o}": lambda o=o: s.as_string(tf.constant(floats), **o) for o in options}
    for dtype in ("bfloat16", "float64"):
        questions[dtype] = lambda d=dtype: s.as_string(tf.constant(floats, tf.as_dtype(d)))
    for dtype in ("float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint32", "uint64"):
        questions[dtype] = lambda d=dtype: tf.as_string(tf.constant([[1, 0], [100, 7]], tf.as_dtype(d)))
    return questions | {
        "integers of a width": lambda: [s.as_string([1, -2, 300], width=5, fill=f) for f in ("", "0", "-", "+")],
        "integers with precision": lambda: s.as_string([1], precision=5),
        "integers with an exponent": lambda: s.as_string([1], scientific=True),
        "bool": lambda: [s.as_string([True, False]), s.as_string(True, width=8)],
        "bool with precision": lambda: s.as_string([True], precision=2),
        "complex": lambda: [s.as_string(tf.constant([1 + 2j, -0.5j]), **o) for o in ({}, {"width": 6, "precision": 2})],
        "strings": lambda: [s.as_string(["a", "bc"], **o) for o in ({}, {"width": 4}, {"width": 4, "fill": "-"})],
        "of a variable": lambda: s.as_string(tf.Variable([1.5])),
        "of ragged rows": lambda: s.as_string(tf.ragged.constant([[1, 2], [3]])),
        "compiled": lambda: _both(tf, s.as_string, [1.5, 2.0]),
        "format": lambda: s.format("tensor: {}, suffix", tf.range(5)),
        "format two": lambda: s.format("a: {}, b: {}", (tf.constant([[1.5, 2], [3, 4]]), tf.constant("ab"))),
        "format many": lambda: [s.format("{}", tf.reshape(tf.range(64), [8, 8]), summarize=n) for n in (-1, 1, 3)],
        "format floats": lambda: s.format("x: {}", tf.constant([1e10, 1e-5, 0.1, 1 / 3, -0.0])),
        "format doubles": lambda: s.format("x: {}", tf.constant([1e10, 1e-5, 0.1, 1 / 3], tf.float64), summarize=-1),
        "format bools and strings": lambda: s.format("{} {}", (tf.constant([True, False]), tf.constant(["a", "b"]))),
        "format strings with quotes": lambda: s.format("{}", tf.constant(['a"b', "c\nd\\", "é", b"\xff\x01"])),
        "format by another placeholder": lambda: s.format("x: %", (5,), placeholder="%"),
        "format too many": lambda: s.format("x: {}", [1, 2]),
        "format compiled": lambda: _both(tf, lambda x: s.format("x: {}!", x), [1, 2, 3]),
    }


def regular_expressions(tf):
    s = tf.strings
    text = "Hello, wörld 12_3!\n\tabc ABC aaa 0x1F €"
    patterns = (
        "l+|a", ".", "a*", "", "x*", r"\d", r"\D+", r"\w+", r"\W", r"\s", r"\S+", r"[\w]+", r"[^\w]", r"[\W_]", r"[\d\s]", r"[^\d\S]",
        r"\bw", r"\B.", "[[:punct:]]", "[[:alpha:]]+", "[^[:alnum:]]", "(?i)abc", "(?i:a)bc", "(?s).+", "a.*$", "(?m)^.", "(?m).$",
        "^H", r"\AH", r"€\z", "€$", r"\pL", r"\p{Lu}", r"\PL+", r"[\p{Ll}\d]+", r"\Q.!\E", r"\x41", r"\x{20ac}", r"\101", r"a{2}", "a{1,2}",
        "a{2,}", "a{,2}", "a+?", "(a)(b)?", "(?P<x>b)c", "(?:ab)c", "[]a]", "[^]a]", "[a-c]", "[a-]", r"[\]\-]", r"\.", r"\!", "ö", "[ö€]",
        "w(?:ö|o)r", "a|ab|abc", "(?-s).", r"\t", r"\n", "[[:^alpha:]]+", "(?<y>b)c", "((a)|b)+", "(|a)+", "a{0}", "é?", "[[]", "{", "}", "]", "^*a", "$?", r"\b+a",
    )  # fmt: skip
    wrong = (
        "(", ")", "[a", "*a", "a**", "a*+", "a++", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"\Z", r"\q", "\\", "a{1001}", "[b-a]",
        "(?P<1>a)", r"\p{Nope}", "[[:nope:]]", "(?>a)", "a|*", "(?P=x)", "(?#a)", "(?x)a", r"\_", "(*a)", r"\xZZ",
    )  # fmt: skip
    questions = {f"replace {p!r}": lambda p=p: s.regex_replace([text, "", "aaa"], p, "-") for p in patterns}
    questions |= {
        f"full match {p!r}": lambda p=p: s.regex_full_match([text, "", "aaa", "abc", "b"], p) for p in patterns
    }
    questions |= {f"wrong {p!r}": lambda p=p: s.regex_replace([text], p, "-") for p in wrong}
    rewrites = (r"<\0>", r"\2\1", r"\\", r"\q", "a\\", r"\3", "", "[é]")
    questions |= {f"rewrite {r!r}": lambda r=r: s.regex_replace("ab aab", r"(a)(b)?", r) for r in rewrites}
    return questions | {
        "replace once": lambda: s.regex_replace(["hello world", "x"], r"(\w)(\w)", r"\2\1", replace_global=False),
        "replace by tensors": lambda: s.regex_replace("abcd", tf.constant("b"), tf.constant("X")),
        "replace by a vector": lambda: s.regex_replace("abcd", tf.constant(["b"]), tf.constant("X")),
        "replace in invalid bytes": lambda: s.regex_replace([b"\xff\xfea\xc3"], ".|[^b]", "-"),
        "replace in ragged rows": lambda: s.regex_replace(_rows(tf), "[Ab]", "-"),
        "empty matches": lambda: [s.regex_replace("baac", p, "-") for p in ("a*", "", "a|", "a??", r"\b", r"\B")],
        "case of letters": lambda: s.regex_replace(["ÉÄ éK", "SſK"], r"(?i)é|s|k", "-"),
        "full match of lines": lambda: s.regex_full_match(["abc\n", "abc"], "abc$"),
        "full match of numbers": lambda: s.regex_full_match([1], "a"),
        "full match of ragged rows": lambda: s.regex_full_match(_rows(tf), ".b?"),
        "compiled": lambda: _both(tf, lambda x: s.regex_replace(x, "a+", "b"), ["aaa", "xay"]),
    }


def hashes(tf):
    s = tf.strings
    texts = ["".join(chr(33 + (7 * i + n) % 90) for i in range(n)) for n in (*range(70), 127, 128, 129, 192, 200, 1000)]
    return {
        "to_hash_bucket": lambda: s.to_hash_bucket(texts, 2**62),
        "to_hash_bucket_fast": lambda: s.to_hash_bucket_fast(texts, 2**62),
        "to_hash_bucket_strong": lambda: s.to_hash_bucket_strong(texts, 2**62, key=[1, -2]),
        "few buckets": lambda: [
            f(["Hello", "TensorFlow", "2.x"], 3) for f in (s.to_hash_bucket, s.to_hash_bucket_fast)
        ],
        "bytes": lambda: s.to_hash_bucket_fast([b"\xff\xfe", "é"], 1000),
        "ragged rows": lambda: s.to_hash_bucket_fast(_rows(tf), 1000),
        "compiled": lambda: _both(tf, lambda x: s.to_hash_bucket_fast(x, 99), ["a", "b"]),
        "a short key": lambda: s.to_hash_bucket_strong(["a"], 10, [1]),
        "a long key": lambda: s.to_hash_bucket_strong(["a"], 10, [1, 2, 3]),
        "no buckets": lambda: s.to_hash_bucket_fast(["a"], 0),
        "numbers": lambda: s.to_hash_bucket_fast([1], 10),
    }


def unicode(tf):
    s = tf.strings
    questions = {}
    for errors in ("replace", "ignore", "strict"):
        for text in [*_INVALID, b"a\x01b"]:
            questions[f"decode {text!r} {errors}"] = lambda x=text, e=errors: s.unicode_decode_with_offsets(
                x, "UTF-8", errors=e
            )
        questions[f"control characters {errors}"] = lambda e=errors: s.unicode_decode(
            [b"a\x01"], "UTF-8", errors=e, replace_control_characters=True
        )
        questions[f"encode {errors}"] = lambda e=errors: s.unicode_encode(
            [[71, 246], [128522, 0xD800]], "UTF-8", errors=e
        )
        questions[f"transcode {errors}"] = lambda e=errors: s.unicode_transcode(
            ["Gö", b"a\xffb\x01"], "UTF-8", "UTF-16-BE", errors=e
        )
        questions[f"split {errors}"] = lambda e=errors: s.unicode_split(["Gö😊", b"\xffa"], "UTF-8", errors=e)
    return questions | {
        "another replacement": lambda: s.unicode_decode([b"a\xff"], "UTF-8", replacement_char=32),
        "decode a matrix": lambda: s.unicode_decode([["a"], ["b"]], "UTF-8"),
        "decode ragged rows": lambda: s.unicode_decode(_rows(tf), "UTF-8"),
        "decode UTF-16": lambda: [
            s.unicode_decode([b"\x00a\xd8=\xde\x0a\xd8"], "UTF-16-BE"),
            s.unicode_decode(b"a\x00", "UTF-16-LE"),
        ],
        "decode latin1": lambda: s.unicode_decode([b"a\xe9"], "latin1"),
        "decode ascii": lambda: s.unicode_decode([b"a\xe9"], "US-ASCII"),
        "decode shift_jis": lambda: s.unicode_decode_with_offsets([b"\x82\xa0a"], "shift_jis"),
        "decode nope": lambda: s.unicode_decode([b"a"], "nope"),
        "unknown errors": lambda: s.unicode_decode([b"a"], "UTF-8", errors="x"),
        "replacement out of range": lambda: s.unicode_decode([b"a"], "UTF-8", replacement_char=0x110000),
        "split a scalar": lambda: s.unicode_split("Gö😊", "UTF-8"),
        "split UTF-16": lambda: s.unicode_split([b"\x00a\x00b"], "UTF-16-BE"),
        "split latin1": lambda: s.unicode_split([b"a"], "latin1"),
        "encode a row": lambda: [
            s.unicode_encode([71, 246, -1, 0x110000], e) for e in ("UTF-8", "UTF-16-BE", "UTF-32-BE")
        ],
        "encode latin1": lambda: s.unicode_encode([71], "latin1"),
        "encode a scalar": lambda: s.unicode_encode(71, "UTF-8"),
        "encode int64": lambda: s.unicode_encode(tf.constant([71], tf.int64), "UTF-8"),
        "encode floats": lambda: s.unicode_encode([71.0], "UTF-8"),
        "encode ragged rows": lambda: s.unicode_encode(tf.ragged.constant([[71, 246], []]), "UTF-8"),
        "encode three dimensions": lambda: s.unicode_encode([[[71, 246], [71, 72]]], "UTF-8"),
        "encode deep ragged rows": lambda: s.unicode_encode(tf.ragged.constant([[[71, 246], []], [[71]]]), "UTF-8"),
        "transcode control characters": lambda: s.unicode_transcode(
            [b"a\xffb\x01"], "UTF-8", "UTF-8", replacement_char=63, replace_control_characters=True
        ),
        "transcode latin1": lambda: s.unicode_transcode([b"a\xe9"], "ISO-8859-1", "UTF-8"),
        "transcode from nope": lambda: s.unicode_transcode([b"a"], "nope", "UTF-8"),
        "transcode to latin1": lambda: s.unicode_transcode([b"a"], "UTF-8", "latin1"),
        "compiled": lambda: _both(tf, lambda x: s.unicode_decode(x, "UTF-8").to_tensor(), ["aé", "b"]),
        "scripts": lambda: s.unicode_script(np.array([[65, 0x416], [0x3B1, 0x10FFFF]])),
        # The sum of all, and single ones in steps: a range of a script that is a bit too long changes the first.
        "scripts of all code points": lambda: [
            s.unicode_script(range(0, 0x110000, 997)),
            tf.reduce_sum(
                tf.cast(s.unicode_script(np.arange(0x110000)), tf.int64) * tf.range(0x110000, dtype=tf.int64)
            ),
        ],
        "scripts of other numbers": lambda: s.unicode_script([-1, 0x110000, 2**31 - 1, -(2**31)]),
        "scripts of ragged rows": lambda: s.unicode_script(tf.ragged.constant([[65, 0x416], [], [0x3B1]])),
        "scripts of no codes": lambda: s.unicode_script(tf.zeros([0, 3], tf.int32)),
        "scripts, compiled": lambda: _both(tf, s.unicode_script, tf.constant([[65, 0x416]])),
        "scripts of int64": lambda: s.unicode_script(tf.constant([65], tf.int64)),
        "scripts of floats": lambda: s.unicode_script([65.0]),
    }


def ngrams(tf):
    n = tf.strings.ngrams

    def rows():
        return tf.ragged.constant([["A", "B", "C"], ["a"], []])

    return {
        "of a vector": lambda: [n(["A", "B", "C", "D"], width) for width in (1, 2, 4, 5, [2, 3], (3, 1))],
        "separator": lambda: n(["A", "B", "C", "D"], [2, 3], separator="|"),
        "of a matrix": lambda: [n([["A", "B", "C"], ["a", "b", "c"]], w) for w in (2, [1, 2])],
        "of three dimensions": lambda: n([[["A", "B", "C"], ["a", "b", "c"]]], 2),
        "of ragged rows": lambda: [n(rows(), w) for w in (1, 2, 3, [2, 3])],
        "of deep ragged rows": lambda: n(tf.ragged.constant([[["A", "B", "C"], ["a"]], [[]]]), 2),
        "short rows": lambda: [n(rows(), w, preserve_short_sequences=True) for w in (2, 3, [2, 3], [3, 4])],
        "padded": lambda: [n(rows(), w, pad_values=p) for w in (1, 2, 3, [1, 3]) for p in ("_", ("<", ">"))],
        "padded less": lambda: [
            n(rows(), w, pad_values="_", padding_width=p) for w in (3, 4, [2, 4]) for p in (1, 2, 9)
        ],
        "padded less, short": lambda: [
            n(rows(), w, pad_values="_", padding_width=1, preserve_short_sequences=True) for w in (3, 4, 5, [4, 5], 9)
        ],
        "padded, short": lambda: [n(rows(), w, pad_values="_", preserve_short_sequences=True) for w in (1, 4, [1, 4])],
        "of a scalar": lambda: n("A", 2),
        "width 0": lambda: n(["A"], 0),
        "padding without values": lambda: n(["A"], 2, padding_width=1),
        "padding by a number": lambda: n(["A"], 2, pad_values=1),
        "no padding": lambda: n(["A"], 2, pad_values="a", padding_width=0),
        "of numbers": lambda: n([1], 2),
        "compiled": lambda: _both(tf, lambda x: n(x, 2), [["a", "b", "c"], ["d", "e", "f"]]),
    }


def in_datasets(tf):
    s = tf.strings
    lines = tf.data.Dataset.from_tensor_slices(["a b c", "d e", "f"])
    return {
        "split": lambda: list(lines.map(s.split)),
        "lower and join": lambda: list(lines.map(lambda x: s.join([s.upper(x), "!"])).batch(2)),
        "arrays": lambda: s.upper(np.array(["a", "b"])),
    }
