"""Files: what tests/conformance/programs/datasets.py does not ask of TensorFlow."""

import copy
import gzip
import importlib.util
import os
import pickle
import threading
import tracemalloc
import zlib

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.data import files as data_files
from fastgrad._src.data.readers import CsvRecords
from fastgrad._src.data.rows import LazyColumnRows

Dataset = tf.data.Dataset


def values(dataset):
    return list(dataset.as_numpy_iterator())


@pytest.fixture
def numbers(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("".join(["x,y\n", *[f"{n},{n / 2}\n" for n in range(100)]]), encoding="utf-8")
    return str(path)


def test_mapped_arrays_are_read_row_by_row(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(6, 2))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = list(Dataset.from_tensor_slices((mapped, np.arange(6))).batch(4))
    assert np.shares_memory(batches[0][0]._array, mapped)  # a view
    np.testing.assert_array_equal(batches[1][0].numpy(), mapped[4:])
    shuffled = np.concatenate([x for x, _ in Dataset.from_tensor_slices((mapped, np.arange(6))).shuffle(6).batch(4)])
    np.testing.assert_array_equal(np.sort(shuffled, 0), mapped)


def test_records_are_shuffled_like_rows(numbers):
    def first(seed):
        tf.random.set_seed(0)
        return next(iter(tf.data.experimental.make_csv_dataset(numbers, 8, label_name="y", shuffle_seed=seed)))

    (features, labels), (again, _) = first(1), first(1)
    np.testing.assert_array_equal(features["x"] / 2, labels)
    np.testing.assert_array_equal(features["x"], again["x"])
    assert list(features["x"]) != list(first(2)[0]["x"])


def test_a_model_learns_from_records(numbers):
    dataset = tf.data.experimental.make_csv_dataset(numbers, 20, label_name="y", num_epochs=1, shuffle_seed=1)
    dataset = dataset.map(lambda features, label: (tf.cast(features["x"], "float32")[:, None] / 100, label / 100))
    model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    model.compile(tf.keras.optimizers.Adam(0.05), "mse")
    assert model.fit(dataset, epochs=80, verbose=0).history["loss"][-1] < 1e-3


def test_fields_that_are_missing_are_named(numbers, tmp_path):
    path = tmp_path / "gap.csv"
    path.write_text("1,2\n3,\n", encoding="utf-8")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Field 1 is required but missing"):
        values(tf.data.experimental.CsvDataset(str(path), [tf.int32, tf.int32]))


def test_a_cache_in_a_folder_serves_other_processes(tmp_path):
    folder = str(tmp_path / "cache")
    x = np.arange(3000 * 2.0).reshape(3000, 2)
    texts = Dataset.from_tensor_slices((x, [str(n) for n in range(3000)]))
    written = values(texts.cache(folder))
    read = values(Dataset.from_tensor_slices((0 * x, ["none"] * 3000)).cache(folder))
    assert [(a.tolist(), b) for a, b in read] == [(a.tolist(), b) for a, b in written]


def test_an_incomplete_iteration_leaves_no_cache(tmp_path):
    dataset = Dataset.range(5000).cache(str(tmp_path / "cache"))
    assert len(values(dataset.take(2000))) == 2000
    assert values(dataset) == list(range(5000))


def test_saved_elements_of_every_kind(tmp_path):
    elements = {
        "half": tf.constant([[1.5], [2.5]], tf.bfloat16),
        "truth": tf.constant([True, False]),
        "nothing": None,
        "nested": (tf.constant(["", "é"]), tf.constant([1, 2], tf.uint8)),
    }
    dataset = Dataset.from_tensor_slices(elements)
    dataset.save(tmp_path / "saved")
    loaded = Dataset.load(tmp_path / "saved")
    assert loaded.element_spec == dataset.element_spec
    assert len(loaded) == 2
    for a, b in zip(dataset, loaded, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_saving_again_replaces(tmp_path):
    Dataset.range(3000).save(tmp_path / "saved")
    Dataset.range(2).save(tmp_path / "saved")
    assert values(Dataset.load(tmp_path / "saved")) == [0, 1]


def test_a_function_of_the_users_reads_what_was_saved(tmp_path):
    Dataset.range(6).save(tmp_path / "saved")
    loaded = Dataset.load(tmp_path / "saved", reader_func=lambda parts: parts.flat_map(lambda part: part.shuffle(6)))
    assert sorted(values(loaded)) == list(range(6))


def test_arrays_of_other_processors_are_converted(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3, dtype=">i4"))
    assert values(Dataset.from_tensor_slices(np.load(tmp_path / "x.npy", mmap_mode="r"))) == [0, 1, 2]


def test_a_damaged_file_is_found(tmp_path):
    Dataset.range(3).save(tmp_path / "saved")
    (file,) = (tmp_path / "saved").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(tf.errors.DataLossError, match="damaged"):
        values(Dataset.load(tmp_path / "saved"))


def test_loading_with_another_spec_is_refused(tmp_path):
    Dataset.range(3).save(tmp_path / "saved")
    with pytest.raises(TypeError, match="int64"):
        Dataset.load(tmp_path / "saved", element_spec=tf.TensorSpec((), tf.float32))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    with pytest.raises(ImportError, match="pip install pyarrow"):
        tf.data.experimental.ParquetDataset(str(tmp_path / "x.parquet"))


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = importlib.import_module("pyarrow.parquet")
    columns = {"x": np.arange(6.0), "name": [f"row {n}" for n in range(6)], "n": np.arange(6, dtype=np.int32)}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    dataset = tf.data.experimental.ParquetDataset(str(tmp_path / "*.parquet"))
    assert dataset.element_spec == {
        "x": tf.TensorSpec((), tf.float64),
        "name": tf.TensorSpec((), tf.string),
        "n": tf.TensorSpec((), tf.int32),
    }
    (batch,) = dataset.batch(6)
    assert batch["name"].numpy().tolist() == [b"row %d" % n for n in range(6)]
    assert [int(one["n"]) for one in dataset.shuffle(6).take(6)] != []
    (part,) = tf.data.experimental.ParquetDataset(str(tmp_path / "a.parquet"), columns=["n"]).batch(6)
    assert list(part) == ["n"]
    parquet.write_table(arrow.table({"x": [1.0, None]}), tmp_path / "b.parquet")
    with pytest.raises(tf.errors.InvalidArgumentError, match="1 empty fields"):
        len(tf.data.experimental.ParquetDataset(str(tmp_path / "b.parquet")))


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
@pytest.mark.parametrize(
    "read", [tf.data.TextLineDataset, lambda *a: tf.data.experimental.CsvDataset(a[0], ["string"], a[1])]
)
def test_damaged_compressed_files_are_data_loss(tmp_path, compression, read):
    compress = {"GZIP": gzip.compress, "ZLIB": zlib.compress}[compression]
    path = tmp_path / "lines"
    whole = compress(b"a line\n" * 50)
    for contents in (
        b"",
        whole[:-3],
        whole[: len(whole) // 2],
        whole[:-1] + b"?",
        b"no such file",
        whole[:14] + b"?" + whole[15:],
    ):
        path.write_bytes(contents)
        with pytest.raises(tf.errors.DataLossError, match="lines' is no intact"):
            values(read(str(path), compression))


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_a_line_that_only_a_bomb_holds_is_refused(tmp_path, compression, monkeypatch):
    monkeypatch.setattr(data_files, "MAX_LINE_BYTES", 1 << 20)
    compress = {"GZIP": gzip.compress, "ZLIB": zlib.compress}[compression]
    path = tmp_path / "lines"
    path.write_bytes(compress(bytes(40 << 20)))
    tracemalloc.start()
    with pytest.raises(tf.errors.DataLossError, match="a line of more than 1048576 bytes"):
        values(tf.data.TextLineDataset(str(path), compression))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_csv_files_may_hold_any_bytes(tmp_path):
    """As in TensorFlow, where strings are bytes."""
    path = tmp_path / "latin.csv"
    path.write_bytes(b"n,name\n1,caf\xe9\n2,caf\xc3\xa9\n")
    expected = [(1, b"caf\xe9"), (2, "café".encode())]
    assert values(tf.data.experimental.CsvDataset(str(path), ["int32", "string"], header=True)) == expected
    (batch,) = tf.data.experimental.make_csv_dataset(str(path), 2, num_epochs=1, shuffle=False)
    assert batch["name"].numpy().tolist() == [name for _, name in expected]


def test_errors_of_records_name_the_file(tmp_path):
    path = tmp_path / "numbers.csv"
    for contents in (b"1\n", b"1,x\n", b"1,\n", b"1," + b"9" * 200_000 + b"\n"):
        path.write_bytes(contents)
        with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.DataLossError), match=r"numbers\.csv") as error:
            values(tf.data.experimental.CsvDataset(str(path), ["int32", "int32"]))
        assert len(str(error.value)) < 1000


DEVICE = pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="the system has no such device")


@DEVICE
@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
@pytest.mark.parametrize(
    "read",
    [
        tf.data.TextLineDataset,
        lambda *a: tf.data.experimental.CsvDataset(a[0], ["string"], a[1]),
        lambda *a: tf.data.experimental.make_csv_dataset(a[0], 2, num_epochs=1, compression_type=a[1]),
        lambda *a: tf.data.experimental.make_csv_dataset(a[0], 2, ["x"], [""], num_epochs=1, compression_type=a[1]),
    ],
)
def test_a_device_whose_line_has_no_end_is_refused(tmp_path, compression, read):
    (tmp_path / "lines").symlink_to("/dev/zero")
    with pytest.raises(tf.errors.DataLossError, match="lines' is no intact"):
        values(read(str(tmp_path / "lines"), compression))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"x,y\n1,a\n2,b\n",))
    writer.start()
    try:
        records = tf.data.experimental.CsvDataset(str(tmp_path / "pipe"), [tf.int32, tf.string], header=True)
        assert list(records.as_numpy_iterator()) == [(1, b"a"), (2, b"b")]
    finally:
        writer.join()


def test_an_empty_device_has_no_lines():
    assert list(tf.data.TextLineDataset(os.devnull)) == []


def test_the_columns_of_a_csv_file_take_the_memory_of_arrays(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_bytes(b"x,y\n" + b"1,2\n" * 200_000)
    dataset = tf.data.experimental.make_csv_dataset(str(path), 100_000, num_epochs=1, shuffle=False)
    tracemalloc.start()
    try:
        total = sum(int(tf.reduce_sum(batch["y"])) for batch in dataset)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 400_000
    assert peak < 6 * 8 * 200_000


def test_damaged_parquet_files_name_the_file(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "a.parquet"
    texts = [f"text {number}" for number in range(6)]
    importlib.import_module("pyarrow.parquet").write_table(
        arrow.table({"t": texts}), path, use_dictionary=False, compression="none"
    )
    path.write_bytes(path.read_bytes().replace(b"text 3", b"text\xff3"))
    with pytest.raises(tf.errors.DataLossError, match=r"a\.parquet' is no intact Parquet file"):
        len(tf.data.experimental.ParquetDataset(str(path)))
    importlib.import_module("pyarrow.parquet").write_table(arrow.table({"t": [1.0, None]}), path)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"1 empty fields\. \(.*a\.parquet\)"):
        len(tf.data.experimental.ParquetDataset(str(path)))


def test_copies_of_csv_datasets_read_the_file_when_they_are_used(numbers, monkeypatch):
    reads = []
    records = CsvRecords.records
    monkeypatch.setattr(CsvRecords, "records", lambda self: reads.append(self) or records(self))
    dataset = tf.data.experimental.make_csv_dataset(numbers, 4, num_epochs=1, shuffle=False)
    duplicate = copy.deepcopy(dataset)
    assert not reads
    assert next(iter(duplicate))["x"].numpy().tolist() == [0, 1, 2, 3]
    assert reads


def columns_of_two_rows():
    return {"b": np.array([1, 2]), "a": np.array([3, 4])}


def test_rows_that_are_read_later_pickle():
    again = pickle.loads(pickle.dumps(LazyColumnRows(columns_of_two_rows)))
    assert again.count == 2
    assert again.element(1)["b"] == 2


def test_rows_that_are_read_later_have_no_private_names():
    rows = LazyColumnRows(lambda: pytest.fail("the file was read"))
    for name in ("__deepcopy__", "__getstate_of__", "_rows_of"):
        assert not hasattr(rows, name)
    assert not hasattr(LazyColumnRows.__new__(LazyColumnRows), "_rows")
