"""Examples beyond what TensorFlow's answers cover (tests/conformance/programs/records.py): copies, gradients, recordings, other threads."""

import copy
import pickle
import threading

import numpy as np
import pytest

import fastgrad as tf


def example(values):
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature={"a": feature}))


def test_messages_are_copied_and_pickled():
    made = example([1, 2])
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    assert type(made) is tf.train.Example


@pytest.mark.parametrize("kind", ["sparse", "ragged", "sequence"])
def test_a_compiled_function_takes_examples_of_every_length(kind):
    """Lengths that were not there when it was recorded, and those that were."""
    feature = {
        "sparse": tf.io.VarLenFeature(tf.int64),
        "ragged": tf.io.RaggedFeature(tf.int64),
        "sequence": tf.io.FixedLenSequenceFeature([], tf.int64, True),
    }[kind]

    @tf.function
    def total(text):
        found = tf.io.parse_single_example(text, {"a": feature})["a"]
        return tf.reduce_sum(found.values if kind == "sparse" else found) * 2

    for values in ([1], [1, 2, 3], [5], [], [4, 4, 4], list(range(200)), [1, 2]):
        assert total(tf.constant(example(values).SerializeToString())).numpy() == 2 * sum(values)


def test_a_dataset_of_examples_of_many_lengths_gives_each_its_own():
    texts = [example(list(range(n % 40))).SerializeToString() for n in range(200)]
    features = {"a": tf.io.VarLenFeature(tf.int64)}
    dataset = tf.data.Dataset.from_tensor_slices(texts)
    for threads in (None, 4):
        parsed = dataset.map(lambda x: tf.io.parse_single_example(x, features)["a"], num_parallel_calls=threads)
        assert [len(row.values) for row in parsed] == [n % 40 for n in range(200)]
        assert [row.dense_shape.numpy().tolist() for row in parsed] == [[n % 40] for n in range(200)]


def test_threads_parse_beside_each_other():
    @tf.function
    def parsed(text):
        return tf.io.parse_single_example(text, {"a": tf.io.FixedLenSequenceFeature([], tf.int64, True)})["a"] + 0

    wrong = []

    def work(seed):
        for number in range(50):
            values = list(range(seed, seed + number % 3 + 1))
            if parsed(tf.constant(example(values).SerializeToString())).numpy().tolist() != values:
                wrong.append((seed, number))

    threads = [threading.Thread(target=work, args=[10 * seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_model_trains_from_a_file_of_records(tmp_path):
    with tf.io.TFRecordWriter(tmp_path / "a", "GZIP") as writer:
        for x in np.linspace(-1, 1, 64, dtype=np.float32):
            lists = {"x": [x], "y": [3 * x + 1]}
            made = {k: tf.train.Feature(float_list=tf.train.FloatList(value=v)) for k, v in lists.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString())
    features = {"x": tf.io.FixedLenFeature([1], tf.float32), "y": tf.io.FixedLenFeature([1], tf.float32)}
    data = tf.data.TFRecordDataset(str(tmp_path / "a"), "GZIP").batch(16)
    data = data.map(lambda texts: tuple(tf.io.parse_example(texts, features)[key] for key in "xy"))
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    model.compile(tf.keras.optimizers.SGD(0.3), "mse")
    model.fit(data, epochs=40, verbose=0)
    np.testing.assert_allclose(np.ravel(model.predict(np.float32([[0], [1]]), verbose=0)), [1, 4], atol=1e-2)


def test_row_numbers_that_ask_for_all_memory_are_refused():
    made = example([0, 1 << 60])
    rows = tf.io.RaggedFeature(tf.int64, "a", [tf.io.RaggedFeature.ValueRowIds("a")])
    with pytest.raises(tf.errors.InvalidArgumentError, match="does not form a valid RaggedTensor"):
        tf.io.parse_single_example(made.SerializeToString(), {"r": rows})


def test_tensors_of_every_dtype_come_back():
    for dtype in (tf.bfloat16, tf.int8, tf.int16, tf.uint16, tf.uint32, tf.complex128, tf.bool):
        value = tf.cast([[0, 1], [1, 0]], dtype)
        found = tf.io.parse_tensor(tf.io.serialize_tensor(value), dtype)
        assert found.dtype == dtype
        assert np.array_equal(found.numpy(), value.numpy())
