"""Sounds, compressed strings, messages and sparse tensors as strings; files of records of one length; batches of examples."""

import gzip
import os
import tempfile
import zlib

import numpy as np

from ..refusal import refused

SOUND = np.array([[0.5, 0.1], [-1.0, 0.3], [1.0, -0.7], [2.0, -3.0]], np.float32)


def _in_folder(function):
    """The working folder of the call is an empty one, so that answers have no paths of their own."""

    def call():
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                return function()
            finally:
                os.chdir(before)

    return call


def sounds(tf):
    encode, decode = tf.audio.encode_wav, tf.audio.decode_wav
    stereo = encode(SOUND, 8000)

    def in_dataset():
        dataset = tf.data.Dataset.from_tensors(stereo).map(lambda text: decode(text, 1, 3).audio).map(tf.squeeze)
        return [dataset.element_spec.dtype, list(dataset.batch(1))]

    return {
        "encoded": lambda: stereo,
        "encoded mono": lambda: encode(SOUND[:, :1], 16000),
        "encoded nothing": lambda: encode(np.zeros((0, 2), np.float32), 8000),
        "encoded ties": lambda: encode(np.array([[0.5], [1.5], [-0.5], [-1.5]], np.float32) / 32768, 1),
        "decoded": lambda: list(decode(stereo)),
        "decoded fields": lambda: [decode(stereo).audio, decode(stereo).sample_rate],
        "fewer channels": lambda: list(decode(stereo, desired_channels=1)),
        "more channels and samples": lambda: list(decode(stereo, desired_channels=3, desired_samples=6)),
        "fewer samples": lambda: list(decode(stereo, desired_samples=2)),
        "compiled": lambda: list(tf.function(lambda text: decode(text, 1))(stereo)),
        "in a dataset": in_dataset,
        "truncated": lambda: decode(stereo.numpy()[:-3]),
        "no WAV": lambda: decode(b"abc"),
        "a vector of texts": lambda: decode([stereo]),
        "a vector of samples": lambda: encode([0.5], 8000),
        "a negative rate": lambda: encode([[0.5]], -1),
        "no channel": lambda: encode(np.zeros((2, 0), np.float32), 8000),
    }


def compressed_strings(tf):
    decode = tf.io.decode_compressed
    return {
        "zlib": lambda: decode([zlib.compress(b"ab"), zlib.compress(b"c")], "ZLIB"),
        "gzip": lambda: decode(gzip.compress(b"ab" * 1000), "GZIP"),
        "none": lambda: decode([[b"ab"]]),
        "compiled": lambda: tf.function(lambda x: decode(x, compression_type="ZLIB"))(
            tf.constant(zlib.compress(b"ab"))
        ),
        "damaged": lambda: decode(b"ab", "GZIP"),
        "unknown": lambda: decode(b"ab", "BAD"),
        "a number": lambda: decode(3, "ZLIB"),
    }


def messages(tf):
    proto, array = tf.make_tensor_proto, tf.make_ndarray

    def described(message):
        return [message.dtype, [dim.size for dim in message.tensor_shape.dim], array(message)]

    return {
        "floats": lambda: described(proto([1.0, 2.0])),
        "a scalar": lambda: described(proto(3)),
        "int64": lambda: described(proto([[1, 2], [3, 4]], dtype=tf.int64)),
        "half": lambda: described(proto(np.array([1.5, -2.0], np.float16))),
        "bool": lambda: described(proto([True, False])),
        "complex": lambda: described(proto(np.array([1 + 2j], np.complex64))),
        "one value for a shape": lambda: described(proto(3, shape=[2, 3])),
        "the last value for a shape": lambda: described(proto([1, 2], shape=[4])),
        "texts": lambda: [proto(["a", b"b"]).dtype, list(proto(["a", b"b"]).string_val)],
        "an array of texts": lambda: [bytes(text) for text in array(proto(["a", b"b"]))],
        "parsed": lambda: tf.io.parse_tensor(proto([1, 2]).SerializeToString(), tf.int32),
        "too many values": lambda: proto([1, 2, 3], shape=[2]),
        "another shape": lambda: proto([1, 2], shape=[4], verify_shape=True),
        "None": lambda: proto(None),
        "array of a number": lambda: refused(lambda: array(3)),
    }


def serialized_sparse_tensors(tf):
    io = tf.io
    sparse = tf.sparse.from_dense([[0, 1, 0], [2, 0, 3]])
    return {
        "one": lambda: io.serialize_sparse(sparse),
        "no sparse tensor": lambda: io.serialize_sparse(3),
    }  # fmt: skip


def records_of_one_length(tf):
    dataset = tf.data.FixedLengthRecordDataset

    def read(data, *arguments, files=1, **options):
        def call():
            for number in range(files):
                with open(f"file{number}", "wb") as file:
                    file.write(data)
            names = [f"file{number}" for number in range(files)]
            return list(dataset(names, *arguments, **options))

        return _in_folder(call)

    data = b"hdrabcdefghiFT"
    return {
        "header and footer": read(data, 3, 3, 2),
        "whole": read(data, 14),
        "two files": read(data, 7, files=2),
        "in turn": read(data, 7, num_parallel_reads=2, files=2),
        "empty": read(b"", 3),
        "gzip": read(gzip.compress(data), 3, 3, 2, compression_type="GZIP"),
        "zlib": read(zlib.compress(data), 2, compression_type="ZLIB"),
        "spec": lambda: str(dataset("file", 3).element_spec),
        "another length": read(data, 3),
        "another length between": read(data, 4, 3, 2),
        "no file": lambda: list(dataset("/nowhere/file", 4)),
        "no length": read(data, 0),
        "a negative header": read(data, 3, -1),
        "a number as name": lambda: dataset(3, 3),
    }


def batches_of_examples(tf):
    experimental = tf.data.experimental

    def example(number):
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
        weight = tf.train.Feature(float_list=tf.train.FloatList(value=[number / 2]))
        return tf.train.Example(features=tf.train.Features(feature={"n": feature, "w": weight})).SerializeToString()

    texts = [example(number) for number in range(5)]
    features = {"n": tf.io.FixedLenFeature([], tf.int64), "w": tf.io.FixedLenFeature([1], tf.float32)}

    def parsed():
        return list(
            tf.data.Dataset.from_tensor_slices(texts).batch(2).apply(experimental.parse_example_dataset(features))
        )

    def written(dataset, *options):
        def call():
            experimental.TFRecordWriter("file", *options).write(dataset)
            return list(tf.data.TFRecordDataset("file", *options))

        return _in_folder(call)

    def batches(take, **options):
        def call():
            experimental.TFRecordWriter("file").write(tf.data.Dataset.from_tensor_slices(texts))
            dataset = experimental.make_batched_features_dataset("fil*", 2, features, shuffle=False, **options)
            return list(dataset.take(take))

        return _in_folder(call)

    return {
        "parsed": parsed,
        "parsed without features": lambda: experimental.parse_example_dataset(None),
        "written": written(tf.data.Dataset.from_tensor_slices([b"ab", b"c"])),
        "written in gzip": written(tf.data.Dataset.from_tensor_slices([b"ab", b"c"]), "GZIP"),
        "written numbers": written(tf.data.Dataset.range(3)),
        "written number": written(3),
        "batches": batches(4),
        "one epoch": batches(9, num_epochs=1),
        "one epoch of whole batches": batches(9, num_epochs=1, drop_final_batch=True),
        "labels": batches(2, label_key="n"),
        "an unknown label": lambda: refused(batches(2, label_key="x")),
        "reader": batches(2, reader=tf.data.TFRecordDataset, reader_args=["", 1000]),
        "no file": lambda: refused(lambda: experimental.make_batched_features_dataset("/nowhere/*", 2, features)),
    }  # fmt: skip
