"""Tables from keys to values: static, vocabularies, text files, tables that change."""

import tempfile

_LINES = b"emerson 10\nlake 20\npalmer 30\n"


def _file(content=_LINES):
    with tempfile.NamedTemporaryFile(delete=False, suffix=".txt") as file:
        file.write(content)
    return file.name


def _static(tf, default=-1):
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), default)


def _terms(tf):
    return tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))


def static_tables(tf):
    lookup = tf.lookup

    def table(keys, values, default=-1, **dtypes):
        return lookup.StaticHashTable(lookup.KeyValueTensorInitializer(keys, values, **dtypes), default)

    def compiled(keys):
        t = _static(tf)
        return tf.function(lambda x: t.lookup(x) * 10)(keys)

    return {
        "lookup": lambda: _static(tf).lookup(tf.constant([["a", "z"], ["b", ""]])),
        "by brackets": lambda: _static(tf)[tf.constant("b")],
        "of nothing": lambda: _static(tf).lookup(tf.zeros([0], tf.string)),
        "size": lambda: _static(tf).size(),
        "export": lambda: sorted(zip(*[x.numpy().tolist() for x in _static(tf).export()], strict=True)),
        "dtypes": lambda: (_static(tf).key_dtype, _static(tf).value_dtype, _static(tf).default_value),
        "ragged keys": lambda: _static(tf).lookup(tf.ragged.constant([["a", "b"], ["c"], []])),
        "compiled": lambda: compiled(tf.constant(["a", "b", "c"])),
        "keys of another dtype": lambda: _static(tf).lookup(tf.constant([1])),
        "integers to strings": lambda: table([1, 2], ["a", "b"], "x").lookup(tf.constant([1, 5])),
        "strings to floats": lambda: table(["a"], [1.5]).lookup(tf.constant(["a", "b"])),
        "strings to bools": lambda: table(["a"], [True], False).lookup(tf.constant(["a", "b"])),
        "given dtypes": lambda: table(["a"], [1], key_dtype=tf.string, value_dtype=tf.int64).lookup(
            tf.constant(["a", "b"])
        ),
        "matrices": lambda: table([[1]], [[1]]).size(),
        "a key twice": lambda: table(["a", "a"], [1, 1]).size(),
        "a key with two values": lambda: table(["a", "a"], [1, 2]),
        "fewer values": lambda: table(["a", "b"], [1]),
        "default of another dtype": lambda: table(["a", "b"], [1, 2], "x"),
        "default of another shape": lambda: table(["a", "b"], [1, 2], [1, 2]),
        "float keys": lambda: table([1.0], [1]),
        "keys that are no strings": lambda: lookup.KeyValueTensorInitializer([1], [1], key_dtype=tf.string),
        "in a dataset": lambda: list(tf.data.Dataset.from_tensor_slices(["b", "q"]).map(_static(tf).lookup)),
    }


def vocabularies(tf):
    lookup = tf.lookup
    numbers = tf.constant([5, 7, -8], tf.int64)

    def table():
        return lookup.StaticVocabularyTable(_terms(tf), 3)

    def of_numbers():
        return lookup.KeyValueTensorInitializer(tf.constant([5, 6], tf.int64), tf.constant([0, 1], tf.int64))

    return {
        "lookup": lambda: table().lookup(tf.constant(["a", "b", "zz", "q", "hello", ""])),
        "by brackets": lambda: table()[tf.constant("b")],
        "size": lambda: [table().size(), lookup.StaticVocabularyTable(None, 3).size()],
        "ragged keys": lambda: table().lookup(tf.ragged.constant([["a", "x"], ["b"]])),
        "without terms": lambda: lookup.StaticVocabularyTable(None, 3).lookup(tf.constant(["x", "y"])),
        "integers": lambda: lookup.StaticVocabularyTable(of_numbers(), 2).lookup(numbers),
        "int32 keys": lambda: lookup.StaticVocabularyTable(of_numbers(), 2, tf.int32).lookup(tf.constant([5, 7])),
        "keys of another dtype": lambda: table().lookup(numbers),
        "no buckets": lambda: lookup.StaticVocabularyTable(_terms(tf), 0),
        "int32 values": lambda: lookup.StaticVocabularyTable(lookup.KeyValueTensorInitializer(["a"], [0]), 1),
        "int32 terms": lambda: lookup.StaticVocabularyTable(
            lookup.KeyValueTensorInitializer([1], tf.constant([0], tf.int64)), 1
        ),
        "strings looked up by integers": lambda: lookup.StaticVocabularyTable(_terms(tf), 1, tf.int64),
    }


def text_files(tf):
    lookup, index = tf.lookup, tf.lookup.TextFileIndex
    line, number = index.WHOLE_LINE, index.LINE_NUMBER

    def table(key_dtype, key_index, value_dtype, value_index, content=_LINES, default=-1, **options):
        initializer = lookup.TextFileInitializer(
            _file(content), key_dtype, key_index, value_dtype, value_index, **options
        )
        return lookup.StaticHashTable(initializer, default)

    def numbered(content=_LINES, keys=("lake 20", "x", "", "b"), **options):
        found = table(tf.string, line, tf.int64, number, content, **options)
        return found.size(), found.lookup(tf.constant(list(keys)))

    return {
        "columns": lambda: table(tf.string, 0, tf.int64, 1, delimiter=" ").lookup(tf.constant(["lake", "x"])),
        "columns of floats": lambda: table(tf.string, 0, tf.float32, 1, delimiter=" ").lookup(
            tf.constant(["lake", "x"])
        ),
        "line numbers": lambda: numbered(),
        "tabs": lambda: table(tf.string, 1, tf.string, 0, b"a\tb\nc\td", "-").lookup(tf.constant(["b", "d", "a"])),
        "numbers to lines": lambda: table(tf.int64, number, tf.string, line, default="-", value_index_offset=3).lookup(
            tf.constant([0, 2, 3, 5], tf.int64)
        ),
        "lines of Windows": lambda: numbered(b"a\r\nb\r\n"),
        "no newline at the end": lambda: numbered(b"a\nb"),
        "an empty line": lambda: numbered(b"a\n\nb\n"),
        "an empty file": lambda: numbered(b""),
        "fewer lines": lambda: numbered(vocab_size=2),
        "as many lines": lambda: numbered(vocab_size=3),
        "more lines than there are": lambda: numbered(vocab_size=5),
        "no such column": lambda: table(tf.string, 0, tf.int64, 1),
        "no number": lambda: table(tf.string, line, tf.int64, line),
        "no such file": lambda: lookup.StaticHashTable(
            lookup.TextFileInitializer("/nowhere/at all", tf.string, line, tf.int64, number), -1
        ),
        "no file": lambda: lookup.TextFileInitializer("", tf.string, line, tf.int64, number),
        "an index below -2": lambda: lookup.TextFileInitializer("x", tf.string, -3, tf.int64, line),
        "int32 line numbers": lambda: lookup.TextFileInitializer("x", tf.string, line, tf.int32, number),
        "whole lines of floats": lambda: lookup.TextFileInitializer("x", tf.float32, line, tf.int64, number),
        "no lines": lambda: lookup.TextFileInitializer("x", tf.string, line, tf.int64, number, vocab_size=0),
        "a line twice": lambda: numbered(b"a\na\n"),
        "the index": lambda: (index.WHOLE_LINE, index.LINE_NUMBER),
    }


def tables_that_change(tf):
    tables = tf.lookup.experimental

    def after(*steps, table=None, keys=("a", "b", "q")):
        changed = table or tables.MutableHashTable(tf.string, tf.int64, -1)
        for step in steps:
            step(changed)
        return changed.lookup(tf.constant(list(keys))), changed.size()

    def insert(keys, values):
        return lambda table: table.insert(tf.constant(keys), tf.constant(values, table.value_dtype))

    def remove(*keys):
        return lambda table: table.remove(tf.constant(list(keys)))

    def compiled():
        table = tables.MutableHashTable(tf.string, tf.int64, -1)

        @tf.function
        def step(key, value):
            table.insert(key, value)
            return table.lookup(key), table.size()

        values = [tf.constant([number], tf.int64) for number in (1, 2, 3)]
        return [step(tf.constant([key]), value) for key, value in zip(("a", "b", "a"), values, strict=True)]

    def dense(**options):
        return tables.DenseHashTable(tf.int64, tf.int64, -1, **{"empty_key": 0, "deleted_key": -1, **options})

    def long(*numbers):
        return tf.constant(numbers, tf.int64)

    def dense_after():
        table = dense()
        table.insert(long(1, 2), long(10, 20))
        table.insert_or_assign(long(2, 3), long(21, 30))
        table.remove(long(1))
        table.erase(long(9))
        return table.lookup(long(1, 2, 3, 4)), table.size()

    def mutable():
        return tables.MutableHashTable(tf.string, tf.int64, -1)

    return {
        "insert": lambda: after(insert(["a", "b"], [1, 2])),
        "insert again": lambda: after(insert(["a", "b"], [1, 2]), insert(["a"], [5])),
        "insert a key twice": lambda: after(insert(["a", "a"], [1, 2])),
        "remove": lambda: after(insert(["a", "b"], [1, 2]), remove("a", "z")),
        "empty": lambda: after(),
        "rows": lambda: after(
            insert(["a"], [[1.0, 2.0]]), table=tables.MutableHashTable(tf.string, tf.float32, [0.0, 9.0])
        ),
        "export": lambda: [x.shape for x in mutable().export()],
        "other defaults": lambda: mutable().lookup(tf.constant(["b", "q"]), dynamic_default_values=long(7, 8)),
        "compiled": lambda: compiled(),
        "fewer values": lambda: after(insert(["a", "b"], [1])),
        "keys of another dtype": lambda: after(insert([1], [1])),
        "values of another dtype": lambda: mutable().insert(tf.constant(["a"]), tf.constant([1.5])),
        "remove keys of another dtype": lambda: mutable().remove(long(1)),
        "by brackets": lambda: mutable()[tf.constant(["b"])],
        "dense": lambda: dense_after(),
        "dense: insert the empty key": lambda: dense().insert(long(0), long(1)),
        "dense: insert the deleted key": lambda: dense().insert(long(-1), long(1)),
        "dense: look up the empty key": lambda: dense().lookup(long(0)),
        "dense: remove the deleted key": lambda: dense().remove(long(-1)),
        "dense: one key for both": lambda: dense(deleted_key=0),
    }
