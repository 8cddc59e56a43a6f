"""Files of records, examples and their parsing, bytes and CSV to numbers, serialized tensors, files and folders."""

import contextlib
import os
import struct
import tempfile

from ..refusal import refused


def _feature(tf, values):
    train = tf.train
    if values and isinstance(values[0], bytes):
        return train.Feature(bytes_list=train.BytesList(value=values))
    if values and isinstance(values[0], float):
        return train.Feature(float_list=train.FloatList(value=values))
    return train.Feature(int64_list=train.Int64List(value=values))


def _example(tf, **features):
    made = {name: _feature(tf, values) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=made))


def _text(tf, **features):
    return _example(tf, **features).SerializeToString()


def _sequence_text(tf, context, lists):
    train = tf.train
    made = {name: train.FeatureList(feature=[_feature(tf, item) for item in items]) for name, items in lists.items()}
    return train.SequenceExample(
        context=train.Features(feature={name: _feature(tf, values) for name, values in context.items()}),
        feature_lists=train.FeatureLists(feature_list=made),
    ).SerializeToString()


@contextlib.contextmanager
def _folder():
    """The working folder is an empty one, so that answers have no paths of their own."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _in_folder(function):
    def call():
        with _folder():
            return function()

    return call


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


RECORDS = [b"abc", b"", bytes(range(256)) * 3]


def writers(tf):
    writer, options = tf.io.TFRecordWriter, tf.io.TFRecordOptions

    def file(choice, records=RECORDS):
        with writer("file", choice) as opened:
            for record in records:
                opened.write(record)
        return _bytes("file")

    def read_again(choice, kind):
        file(choice)
        return list(tf.data.TFRecordDataset("file", kind).as_numpy_iterator())

    def flushed():
        opened = writer("file")
        opened.write(b"a")
        opened.flush()
        size = os.path.getsize("file")
        opened.close()
        opened.close()
        return size

    def after_close(method, *arguments):
        opened = writer("file")
        opened.close()
        return getattr(opened, method)(*arguments)

    return {
        "bytes of a file": _in_folder(lambda: file(None)),
        "bytes of a file of one long record": _in_folder(lambda: file("", [b"0123456789" * 200])),
        "read again": _in_folder(lambda: [read_again(kind, kind) for kind in (None, "", "GZIP", "ZLIB")]),
        "options": _in_folder(lambda: read_again(options("GZIP", compression_level=9), "GZIP")),
        "options of options": _in_folder(lambda: read_again(options(options("ZLIB")), "ZLIB")),
        "names of options": lambda: [
            options.get_compression_type_string(o) for o in (None, "", "GZIP", options("ZLIB"))
        ],
        "texts": _in_folder(lambda: file("", ["é"])),
        "flushed": _in_folder(flushed),
        "write after close": _in_folder(lambda: after_close("write", b"a")),
        "flush after close": _in_folder(lambda: after_close("flush")),
        "unknown compression": _in_folder(lambda: writer("file", "BAD")),
        "unknown compression of options": lambda: options("BAD"),
        "no path": lambda: writer(3),
        "no folder": _in_folder(lambda: writer("nowhere/file")),
        "a folder": _in_folder(lambda: writer(".")),
        "a number as a record": _in_folder(lambda: file("", [3])),
        "a tensor as a record": _in_folder(lambda: file("", [tf.constant("a")])),
    }


def record_datasets(tf):
    dataset = tf.data.TFRecordDataset

    def files(*names):
        for number, name in enumerate(names):
            with tf.io.TFRecordWriter(name) as writer:
                for record in range(3):
                    writer.write(f"{number} {record}".encode())
        return list(names)

    def read(*arguments, **options):
        return list(dataset(*arguments, **options).as_numpy_iterator())

    def of(change):
        files("a")
        _write("a", change(_bytes("a")))
        return read("a")

    def with_bit(data, position):
        return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]

    def ignoring_errors():
        files("a", "b")
        _write("a", with_bit(_bytes("a"), 20))
        return list(dataset(["a", "b"]).ignore_errors().as_numpy_iterator())

    long = struct.pack("<Q", 1 << 62)
    return {
        "one file": _in_folder(lambda: read(files("a")[0])),
        "several": _in_folder(lambda: read(files("a", "b"))),
        "a tensor of names": _in_folder(lambda: read(tf.constant([files("a", "b")]))),
        "a dataset of names": _in_folder(lambda: read(tf.data.Dataset.from_tensor_slices(files("a", "b")))),
        "in turn": _in_folder(lambda: read(files("a", "b", "c"), num_parallel_reads=2)),
        "a buffer": _in_folder(lambda: read(files("a"), buffer_size=8)),
        "no files": lambda: read([]),
        "spec": lambda: [dataset("a").element_spec.shape, dataset("a").element_spec.dtype],
        "cardinality": lambda: dataset("a").cardinality(),
        "interleave": _in_folder(
            lambda: list(tf.data.Dataset.from_tensor_slices(files("a", "b")).interleave(dataset, 2).as_numpy_iterator())
        ),
        "empty file": _in_folder(lambda: of(lambda data: b"")),
        "missing file": _in_folder(lambda: read("a")),
        "a folder": _in_folder(lambda: read(".")),
        "not compressed": _in_folder(lambda: read(files("a"), "GZIP")),
        "a number": lambda: dataset(3),
        "None": lambda: dataset(None),
        "a dataset of numbers": lambda: dataset(tf.data.Dataset.range(2)),
        "a text as buffer size": lambda: dataset("a", buffer_size="a"),
        "negative parallel reads": lambda: dataset("a", num_parallel_reads=-5),
        "ignoring errors": _in_folder(ignoring_errors),
        "cut in a record": _in_folder(lambda: of(lambda data: data[:-1])),
        "cut in a checksum": _in_folder(lambda: of(lambda data: data[:16])),
        "another length": _in_folder(lambda: of(lambda data: with_bit(data, 0))),
        "another checksum of a length": _in_folder(lambda: of(lambda data: with_bit(data, 9))),
        "another byte": _in_folder(lambda: of(lambda data: with_bit(data, 12))),
        "another checksum": _in_folder(lambda: of(lambda data: with_bit(data, 16))),
        "a long length": _in_folder(lambda: of(lambda data: long + bytes(4))),
        "zeros at the end": _in_folder(lambda: of(lambda data: data + bytes(12))),
    }


def messages(tf):
    train = tf.train
    example = _example(tf, a=[1, -2, 3], b=[b"x", b"\xff"], f=[1.5])
    one = _example(tf, b=[b"x", b'\xff"'])
    text = example.SerializeToString(deterministic=True)

    def filled():
        made = train.Example()
        made.features.feature["a"].int64_list.value.extend([1, -2, 3])
        made.features.feature["b"].bytes_list.value.append(b"x")
        made.features.feature["b"].bytes_list.value.append(b"\xff")
        made.features.feature["f"].float_list.value.extend([1.5])
        return made

    def merged(method):
        made = _example(tf, c=[7])
        getattr(made, method)(text)
        return sorted(made.features.feature)

    return {
        "bytes": text,
        "bytes of a sequence": lambda: _sequence_text(tf, {"n": [2]}, {"t": [[1, 2], [3], []]}),
        "equal": lambda: [filled() == example, train.Example.FromString(text) == example, one == example],
        "printed": lambda: str(one),
        "representation": lambda: repr(one),
        "values": lambda: [list(example.features.feature[key].int64_list.value) for key in "a"],
        "value by index": lambda: example.features.feature["b"].bytes_list.value[1],
        "kinds": lambda: [example.features.feature[key].WhichOneof("kind") for key in "abf"],
        "kind of nothing": lambda: train.Feature().WhichOneof("kind"),
        "in": lambda: ["a" in example.features.feature, "z" in example.features.feature],
        "merged": lambda: merged("MergeFromString"),
        "parsed": lambda: merged("ParseFromString"),
        "lengths": lambda: [example.ByteSize(), len(example.features.feature)],
        "names": lambda: [one.DESCRIPTOR.full_name, train.Feature.DESCRIPTOR.full_name],
        "of an array": lambda: list(train.Int64List(value=tf.constant([1, 2]).numpy()).value),
        "of a tensor": lambda: list(train.Int64List(value=tf.constant([1, 2])).value),
        "floats are rounded": lambda: list(train.FloatList(value=[0.1]).value),
        "bytes of a text": lambda: train.BytesList(value=["a"]),
        "integers of a text": lambda: train.Int64List(value=["a"]),
        "integers of floats": lambda: train.Int64List(value=[1.5]),
        "an integer too large": lambda: train.Int64List(value=[1 << 63]),
        "floats of a text": lambda: train.FloatList(value=["a"]),
        "unknown field": lambda: train.Feature(zz=1),
        "positional argument": lambda: train.Example(3),
        "a number as features": lambda: train.Features(feature=3),
        "damaged": lambda: train.Example.FromString(b"\xff"),
    }


def fixed_features(tf):
    io = tf.io
    fixed, text = io.FixedLenFeature, _text(tf, a=[1, 2, 3, 4], b=[1.5], c=[b"x", b"y"])

    def single(**features):
        return io.parse_single_example(text, features)

    def batch(texts, names=None, **features):
        return io.parse_example(texts, features, names)

    other = _text(tf, a=[5, 6, 7, 8], b=[2.5])
    empty = tf.train.Example(features=tf.train.Features(feature={"a": tf.train.Feature()})).SerializeToString()
    return {
        "values": lambda: single(a=fixed([4], tf.int64), b=fixed([], tf.float32), c=fixed([2], tf.string)),
        "a matrix": lambda: single(a=fixed([2, 2], tf.int64)),
        "a shape that is a number": lambda: single(a=fixed(4, tf.int64)),
        "a shape of one": lambda: single(b=fixed((1,), "float32")),
        "a default": lambda: single(z=fixed([], tf.int64, 7), y=fixed([2], tf.string, ["p", "q"])),
        "a default not used": lambda: single(b=fixed([], tf.float32, 7.0)),
        "a default of a feature without values": lambda: io.parse_single_example(
            empty, {"a": fixed([2], tf.int64, [5, 6])}
        ),
        "a batch": lambda: batch([text, other], a=fixed([2, 2], tf.int64), b=fixed([], tf.float32)),
        "a batch with a default": lambda: batch([text, other], c=fixed([2], tf.string, ["p", "q"])),
        "a batch of one": lambda: batch(text, a=fixed([4], tf.int64)),
        "a batch of none": lambda: batch(tf.constant([], tf.string), a=fixed([4], tf.int64)),
        "names": lambda: batch([text, other], ["m", "n"], b=fixed([], tf.float32)),
        "names of another shape": lambda: batch([text, other], ["m"], b=fixed([], tf.float32)),
        "missing": lambda: single(z=fixed([], tf.int64)),
        "missing in a batch": lambda: batch([text, other], c=fixed([2], tf.string)),
        "feature without values": lambda: io.parse_single_example(empty, {"a": fixed([2], tf.int64)}),
        "another number of values": lambda: single(a=fixed([2], tf.int64)),
        "another dtype": lambda: single(a=fixed([4], tf.float32)),
        "a dtype that examples lack": lambda: single(a=fixed([4], tf.int32)),
        "a default of another shape": lambda: single(z=fixed([3], tf.int64, 7)),
        "a default of another dtype": lambda: single(z=fixed([2], tf.int64, ["a", "b"])),
        "unknown size": lambda: single(a=fixed([None], tf.int64)),
        "no shape": lambda: single(a=fixed(None, tf.int64)),
        "no dtype": lambda: single(a=fixed([4], None)),
        "a number as a feature": lambda: single(a=3),
        "no features": lambda: single(),
        "None": lambda: io.parse_single_example(text, None),
        "several": lambda: io.parse_single_example([text], {"a": fixed([4], tf.int64)}),
        "a number as text": lambda: io.parse_single_example(3, {"a": fixed([4], tf.int64)}),
        "a matrix of texts": lambda: batch([[text]], a=fixed([4], tf.int64)),
        "no example": lambda: io.parse_single_example(b"\x0a\x05abc", {"a": fixed([4], tf.int64)}),
        "one is no example": lambda: batch([text, b"\x0a\x05abc"], a=fixed([4], tf.int64)),
        "printed": lambda: [str(fixed([], tf.int64)), str(fixed([2], tf.string, "a"))],
        "compiled": lambda: tf.function(lambda x: io.parse_single_example(x, {"a": fixed([4], tf.int64)})["a"] * 2)(
            text
        ),
    }


def features_of_any_length(tf):
    io = tf.io
    sparse, ragged, sequence = io.VarLenFeature, io.RaggedFeature, io.FixedLenSequenceFeature
    texts = [_text(tf, a=[1, 2, 3, 4], c=[b"x", b"y"]), _text(tf, a=[5, 6], b=[1.5]), _text(tf, b=[2.5, 3.5])]

    def single(**features):
        return io.parse_single_example(texts[0], features)

    def batch(**features):
        return io.parse_example(texts, features)

    def none(**features):
        return io.parse_example(tf.constant([], tf.string), features)

    def compiled(function):
        traced = tf.function(function)
        return [traced(text) for text in (*texts, texts[0])]

    return {
        "sparse": lambda: single(a=sparse(tf.int64), c=sparse(tf.string), z=sparse(tf.float32)),
        "sparse batch": lambda: batch(a=sparse(tf.int64), b=sparse(tf.float32), z=sparse(tf.string)),
        "sparse batch of none": lambda: none(a=sparse(tf.int64)),
        "sparse of another dtype": lambda: single(a=sparse(tf.string)),
        "sparse of a dtype that examples lack": lambda: single(a=sparse(tf.int32)),
        "sparse without dtype": lambda: single(a=sparse(None)),
        "ragged": lambda: single(a=ragged(tf.int64), z=ragged(tf.string)),
        "ragged batch": lambda: batch(a=ragged(tf.int64), b=ragged(tf.float32, row_splits_dtype=tf.int64)),
        "ragged batch of none": lambda: none(a=ragged(tf.int64)),
        "ragged of another name": lambda: batch(q=ragged(tf.string, value_key="c")),
        "ragged of another dtype": lambda: single(a=ragged(tf.string)),
        "ragged of a dtype that examples lack": lambda: single(a=ragged(tf.int32)),
        "sequence": lambda: single(a=sequence([], tf.int64, True), z=sequence([2], tf.string, True)),
        "sequence of rows": lambda: single(a=sequence([2], tf.int64, True)),
        "sequence batch": lambda: batch(a=sequence([2], tf.int64, True), b=sequence([], tf.float32, True)),
        "sequence padded": lambda: batch(a=sequence([], tf.int64, True, -1), c=sequence([], tf.string, True, "p")),
        "sequence batch of none": lambda: none(a=sequence([2], tf.int64, True)),
        "sequence that may not be missing": lambda: single(a=sequence([], tf.int64)),
        "sequence of other rows": lambda: single(a=sequence([3], tf.int64, True)),
        "printed": lambda: [str(sparse(tf.int64)), str(sequence([], tf.int64)), str(ragged.RowLengths("a"))],
        "ragged with a number as key": lambda: ragged(tf.int64, value_key=3),
        "ragged with a number as partitions": lambda: ragged(tf.int64, partitions=3),
        "ragged with texts as partitions": lambda: ragged(tf.int64, partitions=["a"]),
        "ragged with splits of floats": lambda: ragged(tf.int64, row_splits_dtype=tf.float32),
        "ragged of no dtype": lambda: ragged("x"),
        "compiled": lambda: compiled(
            lambda x: tf.reduce_sum(io.parse_single_example(x, {"a": sequence([], tf.int64, True)})["a"]) * 2
        ),
        "compiled sparse": lambda: compiled(
            lambda x: tf.sparse.to_dense(io.parse_single_example(x, {"a": sparse(tf.int64)})["a"])
        ),
        "compiled ragged": lambda: tf.function(lambda x: io.parse_example(x, {"a": ragged(tf.int64)})["a"] * 2)(texts),
    }


def partitions(tf):
    io = tf.io
    ragged = io.RaggedFeature
    texts = [
        _text(
            tf, v=[1, 2, 3, 4], splits=[0, 1, 4], n=[2], lengths=[1, 3], starts=[0, 2], limits=[1, 4], rows=[0, 0, 2, 2]
        ),
        _text(tf, v=[5, 6], splits=[0, 0, 0, 2], n=[1], lengths=[2], starts=[0, 2], limits=[1, 2], rows=[0, 1]),
    ]

    def asked(*parts):
        features = {"q": ragged(tf.int64, value_key="v", partitions=parts)}
        wide = {"q": ragged(tf.int64, value_key="v", partitions=parts, row_splits_dtype=tf.int64)}
        return lambda: [io.parse_single_example(texts[0], features), io.parse_example(texts, wide)]

    return {
        "splits": asked(ragged.RowSplits("splits")),
        "lengths": asked(ragged.RowLengths("lengths")),
        "starts": asked(ragged.RowStarts("starts")),
        "limits": asked(ragged.RowLimits("limits")),
        "rows": asked(ragged.ValueRowIds("rows")),
        "uniform": asked(ragged.UniformRowLength(2)),
        "lengths of lengths": asked(ragged.RowLengths("n"), ragged.RowLengths("lengths")),
        "lengths of uniform rows": asked(ragged.RowLengths("n"), ragged.UniformRowLength(2)),
        "wrong lengths": lambda: io.parse_single_example(
            texts[0], {"v": ragged(tf.int64, partitions=[ragged.RowLengths("limits")], validate=True)}
        ),
    }


def sequence_examples(tf):
    io = tf.io
    sparse, ragged, fixed, sequence = io.VarLenFeature, io.RaggedFeature, io.FixedLenFeature, io.FixedLenSequenceFeature
    first = _sequence_text(
        tf, {"n": [2], "w": [b"p", b"q"]}, {"t": [[1, 2], [3], [4, 5, 6]], "u": [[1.0], [2.0]], "g": [[1, 2], [3, 4]]}
    )
    second = _sequence_text(tf, {"n": [5]}, {"t": [[7]], "u": [[1.0], [2.0], [3.0]], "g": [[5, 6]]})

    def single(context=None, lists=None):
        return lambda: io.parse_single_sequence_example(first, context, lists)

    def batch(context=None, lists=None, texts=(first, second), names=None):
        return lambda: io.parse_sequence_example(
            texts if isinstance(texts, bytes) else list(texts), context, lists, names
        )

    every = {"t": sparse(tf.int64), "u": sequence([], tf.float32), "g": sequence([2], tf.int64)}
    missing = {"z": sequence([2], tf.int64, True), "y": sparse(tf.int64), "x": ragged(tf.string)}
    context = {"n": fixed([], tf.int64), "w": sparse(tf.string)}
    return {
        "one": single(context, every),
        "one ragged": single({"w": ragged(tf.string)}, {"t": ragged(tf.int64)}),
        "one without context": single(None, {"t": sparse(tf.int64)}),
        "one without lists": single({"n": fixed([], tf.int64), "z": fixed([], tf.int64, 4)}),
        "lists that are missing": single(None, missing),
        "a batch": batch(context, every),
        "a ragged batch": batch({"w": ragged(tf.string)}, {"t": ragged(tf.int64), "u": ragged(tf.float32)}),
        "lists that are missing in a batch": batch(None, missing),
        "a batch of one": batch({"n": fixed([], tf.int64)}, {"u": sequence([], tf.float32)}, first),
        "a batch without lists": batch({"n": fixed([], tf.int64)}, names=["a", "b"]),
        "nothing asked": single(),
        "nothing asked of a batch": batch(),
        "a list that is missing": single(None, {"z": sequence([], tf.int64)}),
        "a list that is missing in a batch": batch(None, {"z": sequence([], tf.int64)}),
        "items of other sizes": single(None, {"t": sequence([], tf.int64)}),
        "items of another shape": single(None, {"u": sequence([2], tf.float32)}),
        "items of another dtype": single(None, {"u": sequence([], tf.int64)}),
        "sparse items of another dtype": batch(None, {"t": sparse(tf.float32)}),
        "a default of a list": batch(None, {"u": sequence([], tf.float32, default_value=-1.0)}),
        "fixed feature of a list": single(None, {"t": fixed([], tf.int64)}),
        "list feature of a context": single({"n": sequence([], tf.int64)}),
        "context that is missing": single({"z": fixed([], tf.int64)}),
        "context of another dtype": single({"n": fixed([], tf.float32)}),
        "several": lambda: io.parse_single_sequence_example([first], context),
        "a number": lambda: io.parse_single_sequence_example(3, context),
        "no example": lambda: io.parse_single_sequence_example(b"\x0a\x05abc", context),
    }


def in_datasets(tf):
    io = tf.io
    features = {
        "a": io.FixedLenFeature([2], tf.int64),
        "v": io.VarLenFeature(tf.int64),
        "r": io.RaggedFeature(tf.string),
        "s": io.FixedLenSequenceFeature([], tf.float32, True),
    }
    texts = [
        _text(tf, a=[n, n + 1], v=list(range(n % 5)) or [7], r=[b"x"] * (n % 3 + 1), s=[1.5] * (n % 4 + 1))
        for n in range(9)
    ]

    def spec(dataset):
        return {key: [leaf.dtype, leaf.shape] for key, leaf in dataset.element_spec.items()}

    def lines(function, *values):
        return tf.data.Dataset.from_tensor_slices(list(values)).map(function)

    examples = tf.data.Dataset.from_tensor_slices(texts)
    one = examples.map(lambda x: io.parse_single_example(x, features))
    several = examples.batch(4).map(lambda x: io.parse_example(x, features))
    return {
        "examples": lambda: list(one),
        "batches": lambda: list(several),
        "spec": lambda: spec(one),
        "spec of batches": lambda: spec(several),
        "spec of none": lambda: spec(examples.take(0).map(lambda x: io.parse_single_example(x, features))),
        "batch of fixed": lambda: list(one.map(lambda x: x["a"]).batch(4)),
        "padded": lambda: list(one.map(lambda x: x["s"]).padded_batch(3)),
        "raw": lambda: list(lines(lambda x: io.decode_raw(x, tf.int16), b"\1\0\2\0", b"\3\0\4\0").batch(2)),
        "spec of raw": lambda: lines(lambda x: io.decode_raw(x, tf.int16), b"\1\0\2\0").element_spec.shape,
        "CSV": lambda: list(lines(lambda x: tuple(io.decode_csv(x, [0, "", 1.0])), "1,a,2", "3,b,").batch(2)),
        "tensors": lambda: list(
            lines(lambda x: io.parse_tensor(x, tf.int32) + 1, *[io.serialize_tensor([n]) for n in (1, 2)])
        ),
    }


def raw_bytes(tf):
    raw = tf.io.decode_raw
    kinds = (tf.uint8, tf.int8, tf.uint16, tf.int16, tf.int32, tf.int64, tf.float16, tf.float32, tf.float64, tf.bool)
    data = bytes(range(1, 17))
    return {
        "of each dtype": lambda: [raw(data, dtype) for dtype in kinds],
        "of complex dtypes": lambda: [raw(data, dtype) for dtype in (tf.complex64, tf.complex128)],
        "of bfloat16": lambda: tf.cast(raw(b"\x80\x3f\x00\x40", tf.bfloat16), tf.float32),
        "big-endian": lambda: [raw(data, dtype, False) for dtype in (*kinds, tf.complex64)],
        "of several": lambda: raw([[b"\1\2", b"\3\4"]], tf.int16),
        "of an empty text": lambda: raw(b"", tf.uint8),
        "of no texts": lambda: raw(tf.constant([], tf.string), tf.uint8),
        "truth values": lambda: raw(b"\0\1\2", tf.bool),
        "padded": lambda: [raw([b"\1\2\3", b"a"], tf.uint8, fixed_length=n) for n in (2, 5)],
        "padded numbers": lambda: raw([b"\1\2\3", b"a"], tf.int16, fixed_length=4),
        "of other lengths": lambda: raw([b"ab", b"a"], tf.uint8),
        "of a part of a number": lambda: raw(b"\1\2\3", tf.int16),
        "padded to a part of a number": lambda: raw(b"\1\2\3", tf.int16, fixed_length=3),
        "padded to nothing": lambda: raw(b"\1\2\3", tf.uint8, fixed_length=0),
        "of texts": lambda: raw(b"a", tf.string),
        "of unsigned numbers of 32 bits": lambda: raw(b"abcd", tf.uint32),
        "of no dtype": lambda: raw(b"a", None),
        "of a number": lambda: raw(3, tf.uint8),
    }


def csv(tf):
    decode = tf.io.decode_csv

    def of(text, defaults=("", 1), **options):
        return lambda: decode(text, list(defaults), **options)

    return {
        "columns": of(["1,2.5,a,7", "3,4,b,8"], [1, 1.0, "", tf.constant(1, tf.int64)]),
        "shape": of([["1", "2"]], [1]),
        "no records": lambda: decode(tf.constant([], tf.string), [1, ""]),
        "defaults": of(",,", [[1], [7.5], ["x"]]),
        "an empty last field": of("a,", ["x", 5]),
        "required and there": lambda: decode("1", [tf.constant([], tf.int32)]),
        "required": lambda: decode(",1", [tf.constant([], tf.int32), 1]),
        "another delimiter": of("a;1", field_delim=";"),
        "quotes": of('"a,b""c",1'),
        "quotes over lines": of('"a\nb",1'),
        "quotes as they are": of('"a,1', use_quote_delim=False),
        "missing": of("NA,NA", ["x", 5], na_value="NA"),
        "selected": of("a,2,3", select_cols=[0, 2]),
        "white space": of("  a , 1 "),
        "ends of lines before": of("\na,\r1"),
        "numbers": of("0x10,1e3,inf,-7", [1.0, 1.0, 1.0, 1]),
        "too few": of("a"),
        "too many": of("a,1,2"),
        "empty": of(""),
        "no number": of("a,b"),
        "no integer": of("a,1.5"),
        "an integer too large": of("a,99999999999"),
        "quote in a text": of('a"b,1'),
        "text after a quote": of('"a"b,1'),
        "quote without end": of('"a'),
        "end of line": of("a,1\n"),
        "selected twice": of("a,1", select_cols=[0, 0]),
        "fewer selected": of("a,1", select_cols=[0]),
        "selected behind the end": of("a,1", select_cols=[0, 5]),
        "a long delimiter": of("a,1", field_delim="::"),
        "no defaults": of("a,1", []),
        "a number as defaults": lambda: decode("a", 3),
        "a dtype as default": lambda: decode("1", [tf.int32]),
        "a default of two": lambda: decode("1", [tf.constant([1, 2])]),
        "a default of another dtype": lambda: decode("1", [tf.constant(1, tf.uint8)]),
        "a number": of(3),
        "compiled": lambda: tf.function(lambda x: decode(x, [1, 1.0])[1] * 2)(["1,2.5", "3,"]),
    }


def serialized_tensors(tf):
    save, parse = tf.io.serialize_tensor, tf.io.parse_tensor
    values = {
        "int32": [[1, 2], [3, 4]],
        "float32": [1.5],
        "string": ["ab", b"\xff"],
        "bool": [True, False],
        "uint8": 3,
        "int64": [-1],
        "float16": [1.5, 2.0],
        "float64": [],
        "complex64": [1 + 2j],
        "uint64": [1 << 63],
    }
    tensors = {name: tf.constant(value, getattr(tf, name)) for name, value in values.items()}
    # As tf.make_tensor_proto writes constants: one value that stands for all, values that go on with the last, halves.
    constant = b"\x08\x01\x12\x08\x12\x02\x08\x02\x12\x02\x08\x02*\x04\x00\x00@@"
    short = b"\x08\x03\x12\x04\x12\x02\x08\x03:\x02\x03\x04"
    halves = b"\x08\x13\x12\x04\x12\x02\x08\x02j\x05\x80|\x80\x80\x01"
    vast = b"\x08\x03\x12\t\x12\x07\x08\x80\x80\x80\x80\x80 :\x01\x03"
    text = b'\x08\x03\x12\x04\x12\x02\x08\x02"\x08\x01\x00\x00\x00\x02\x00\x00\x00'
    return {
        "bytes": lambda: {name: save(x) for name, x in tensors.items()},
        "bytes of bfloat16": lambda: save(tf.constant([1.0], tf.bfloat16)),
        "bytes of no rows": lambda: save(tf.zeros([0, 3])),
        "again": lambda: {name: parse(save(x), x.dtype) for name, x in tensors.items()},
        "values": lambda: [parse(constant, tf.float32), parse(short, tf.int32), parse(halves, tf.float16)],
        "another dtype": lambda: parse(text, tf.float32),
        "cut off": lambda: parse(text[:-1], tf.int32),
        "empty": lambda: parse(b"", tf.int32),
        "no tensor": lambda: parse(b"\xff", tf.int32),
        "more than memory": lambda: parse(vast, tf.int32),
        "several": lambda: parse([text], tf.int32),
        "of a number": lambda: parse(3, tf.int32),
        "of no dtype": lambda: parse(text, None),
        "bytes of None": lambda: save(None),
        "compiled": lambda: tf.function(lambda x: parse(x, tf.int32) * 2)(text),
    }


def base64(tf):
    encode, decode = tf.io.encode_base64, tf.io.decode_base64
    return {
        "encoded": lambda: encode([[b"\xff\xfe?", b"a", b""]]),
        "encoded with padding": lambda: encode([b"\xff\xfe?", b"a", b"ab"], pad=True),
        "decoded": lambda: decode([b"_-4_", b"YQ", b"YQ==", b"", b"YR"]),
        "one too many": lambda: decode(b"Y"),
        "other letters": lambda: [
            refused(lambda t=t: decode(t)) for t in (b"Y+/=", b"YQ\n", b"YQ=", b"Y Q=", b"=", b"Y===")
        ],
        "invalid": lambda: decode(b"+/8"),
        "a number": lambda: decode(3),
        "a number encoded": lambda: encode(3),
    }


def folders(tf):
    g = tf.io.gfile

    def made():
        g.makedirs("a/b")
        for name in ("a/one", "a/two", "file"):
            _write(name, name.encode())

    def after(function):
        def call():
            made()
            return function()

        return _in_folder(call)

    def then(function, *names):
        def call():
            result = function()
            return result, [g.exists(name) for name in names]

        return after(call)

    return {
        "exists": after(lambda: [g.exists(name) for name in ("file", "a", "nowhere")]),
        "isdir": after(lambda: [g.isdir(name) for name in ("file", "a", "nowhere")]),
        "listdir": after(lambda: sorted(g.listdir("a"))),
        "glob": after(lambda: [sorted(g.glob(p)) for p in ("a/*", "a/?ne", "nowhere/*", "f*", ["a/o*", "a/t*"])]),
        "walk": after(lambda: [(top, sorted(names), sorted(files)) for top, names, files in g.walk("a")]),
        "walk nowhere": after(lambda: list(g.walk("nowhere"))),
        "walk from below": after(lambda: [top for top, _, _ in g.walk("a", topdown=False)]),
        "stat": after(lambda: [g.stat("file").length, g.stat("a").is_directory, g.stat("file").is_directory]),
        "mkdir": then(lambda: g.mkdir("c"), "c"),
        "mkdir again": after(lambda: g.mkdir("a")),
        "makedirs": then(lambda: g.makedirs("c/d/e"), "c/d/e"),
        "makedirs again": after(lambda: g.makedirs("a/b")),
        "remove": then(lambda: g.remove("file"), "file"),
        "rename": then(lambda: g.rename("file", "a/three"), "file", "a/three"),
        "rename over": then(lambda: g.rename("file", "a/one", overwrite=True), "file", "a/one"),
        "copy": then(lambda: g.copy("file", "a/three"), "file", "a/three"),
        "rmtree": then(lambda: g.rmtree("a"), "a"),
        "join": lambda: [g.join("a", "b"), g.join("a"), g.join("a", "/b", "c")],
        "matching files": after(lambda: [tf.io.matching_files(p) for p in ("a/*", ["a/t*", "fi*"], "nowhere*")]),
        "mkdir in no folder": after(lambda: g.mkdir("c/d")),
        "listdir nowhere": after(lambda: g.listdir("nowhere")),
        "listdir of a file": after(lambda: g.listdir("file")),
        "remove nothing": after(lambda: g.remove("nowhere")),
        "remove a folder": after(lambda: g.remove("a")),
        "rename nothing": after(lambda: g.rename("nowhere", "c")),
        "rename onto a file": after(lambda: g.rename("file", "a/one")),
        "copy nothing": after(lambda: g.copy("nowhere", "c")),
        "copy onto a file": after(lambda: g.copy("file", "a/one")),
        "stat nothing": after(lambda: g.stat("nowhere")),
        "rmtree nothing": after(lambda: g.rmtree("nowhere")),
        "numbers": lambda: [
            refused(lambda f=f: f(3)) for f in (g.exists, g.isdir, g.listdir, g.mkdir, g.remove, g.stat)
        ],
        "a scheme that is unknown": lambda: g.exists("nowhere://a"),
        "match a matrix": lambda: tf.io.matching_files([["a"]]),
        "match a number": lambda: tf.io.matching_files(3),
    }


def open_files(tf):
    opened = tf.io.gfile.GFile

    def of(function, mode="r"):
        def call():
            _write("file", "héllo\nline 2\nend".encode())
            with opened("file", mode) as file:
                return function(file)

        return _in_folder(call)

    def contents(mode, *parts):
        def call():
            _write("file", b"before\n")
            with opened("file", mode) as file:
                for part in parts:
                    file.write(part)
            return _bytes("file")

        return _in_folder(call)

    return {
        "read": of(lambda file: [file.read(), file.read()]),
        "read bytes": of(lambda file: [file.read(3), file.tell(), file.read()], "rb"),
        "read lines": of(lambda file: [file.readline(), file.readlines(), file.readline()]),
        "read lines of bytes": of(lambda file: file.readlines(), "rb"),
        "iterate": of(list),
        "next": of(lambda file: [file.next(), next(file)]),
        "seek": of(lambda file: [file.seek(7), file.readline(), file.seek(-3, 2), file.read(), file.seekable()]),
        "size": of(lambda file: [file.size(), file.name, file.mode]),
        "half of a character": of(lambda file: file.read(2)),
        "write": contents("w", "é", b"x", "\n"),
        "write bytes": contents("wb", b"x"),
        "append": contents("a", "after"),
        "write of a file that is read": contents("r", "x"),
        "read of a file that is written": of(lambda file: file.read(), "w"),
        "nowhere": _in_folder(lambda: opened("nowhere").read()),
        "write in no folder": _in_folder(lambda: opened("nowhere/file", "w").write("a")),
        "a folder": _in_folder(lambda: opened(".").read()),
        "unknown mode": lambda: [refused(lambda m=m: opened("a", m)) for m in ("x", "rt", "b", "")],
        "mode": lambda: opened("a", "x"),
        "unknown whence": of(lambda file: file.seek(1, 5)),
        "a number as contents": contents("w", 3),
        "a text as size": of(lambda file: file.read("a")),
    }
