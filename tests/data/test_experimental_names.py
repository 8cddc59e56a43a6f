"""``tf.data.experimental``: older names of transformations."""

import gzip

import pytest

import fastgrad as tf

old = tf.data.experimental


def elements(dataset):
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (old.unique, [0, 1, 2, 3]),
        (lambda: old.scan(tf.constant(0, tf.int64), lambda s, x: (s + x, s + x)), [0, 1, 3, 6]),
        (old.ignore_errors, [0, 1, 2, 3]),
    ],
)
def test_transformations(make, expected):
    assert elements(tf.data.Dataset.range(4).apply(make())) == expected


def test_batches_and_order():
    batches = tf.data.Dataset.range(5).apply(old.map_and_batch(lambda x: x * 2, 2, drop_remainder=True))
    assert [batch.tolist() for batch in elements(batches)] == [[0, 2], [4, 6]]
    assert elements(batches.apply(old.unbatch())) == [0, 2, 4, 6]
    assert sorted(elements(tf.data.Dataset.range(3).apply(old.shuffle_and_repeat(3, 2, seed=1)))) == [0, 0, 1, 1, 2, 2]
    by_parity = old.group_by_window(lambda x: x % 2, lambda _, window: window.batch(3), window_size=3)
    assert [batch.tolist() for batch in elements(tf.data.Dataset.range(6).apply(by_parity))] == [[0, 2, 4], [1, 3, 5]]


def test_files(tmp_path):
    old.save(tf.data.Dataset.range(3), str(tmp_path / "a"))
    assert elements(old.load(str(tmp_path / "a"))) == [0, 1, 2]
    assert old.get_structure(tf.data.Dataset.range(3)) == tf.TensorSpec((), tf.int64)
    with pytest.raises(TypeError, match="get_structure"):
        old.get_structure(3)


def test_records_of_one_length_of_a_stream_are_checked_at_its_end(tmp_path):
    path = tmp_path / "records.gz"
    path.write_bytes(gzip.compress(b"hdabcdefg"))
    records = iter(tf.data.FixedLengthRecordDataset(str(path), 3, 2, compression_type="GZIP"))
    assert [next(records).numpy() for _ in range(2)] == [b"abc", b"def"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="has 7 bytes, which is not a multiple"):
        next(records)
