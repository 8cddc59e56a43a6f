"""Datasets of examples in TFRecord files: parsing in batches, and writing (``tf.data.experimental``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastgrad._src.core.argument_checks import checked_path
from fastgrad._src.core.dtypes import string
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.dataset import AUTOTUNE, Dataset, checked_dataset
from fastgrad._src.data.readers import TFRecordDataset
from fastgrad._src.files.records import record_writer
from fastgrad._src.files.records.example_parsing import parse_example


@declare_missing("close", "flush")  # which tf.io.TFRecordWriter has
class TFRecordWriter:
    """Writes the elements of a dataset to a TFRecord file.

    Args:
        filename: the name of the file.
        compression_type: ``"GZIP"``, ``"ZLIB"``, or None.

    Raises:
        TypeError: ``filename`` is no path.
    """

    def __init__(self, filename: Any, compression_type: str | None = None) -> None:
        self._filename = checked_path("TFRecordWriter", "filename", filename)
        self._compression = compression_type or ""

    def write(self, dataset: Dataset) -> None:
        """Writes all elements, one record each; replaces the file.

        Args:
            dataset: a dataset of string scalars.

        Raises:
            TypeError: ``dataset`` is no dataset, or has other elements.
            ValueError: the compression is unknown.
        """
        spec = checked_dataset("TFRecordWriter.write", dataset).element_spec
        if spec != TensorSpec((), string):
            raise TypeError(f"TFRecordWriter.write: the elements must be string scalars, got elements of {spec}.")
        with record_writer.TFRecordWriter(self._filename, self._compression) as writer:
            for record in dataset:
                writer.write(record.numpy())


def parse_example_dataset(
    features: Mapping[str, Any], num_parallel_calls: Any = 1, deterministic: bool | None = None
) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: parses batches of serialized examples to dicts of tensors.

    Args:
        features: the features by name, as in ``tf.io.parse_example``.
        num_parallel_calls, deterministic: as in ``Dataset.map``.

    Raises:
        ValueError: ``features`` is missing or empty.
    """
    if not features:
        raise ValueError(f"parse_example_dataset: Argument `features` must be a dict of features, got {features!r}.")
    return lambda dataset: checked_dataset("parse_example_dataset", dataset).map(
        lambda serialized: parse_example(serialized, features), num_parallel_calls, deterministic
    )


def make_batched_features_dataset(
    file_pattern: Any,
    batch_size: Any,
    features: Mapping[str, Any],
    reader: Callable[..., Any] | None = None,
    label_key: str | None = None,
    reader_args: list[Any] | None = None,
    num_epochs: Any = None,
    shuffle: bool = True,
    shuffle_buffer_size: Any = 10000,
    shuffle_seed: Any = None,
    prefetch_buffer_size: Any = None,
    reader_num_threads: Any = None,
    parser_num_threads: Any = None,
    sloppy_ordering: bool = False,
    drop_final_batch: bool = False,
) -> Dataset:
    """Returns batches of the parsed examples of files: dicts by feature, or pairs of such a dict and the label.

    Args:
        file_pattern: a file name or pattern, or a list of them.
        batch_size: the number of examples in a batch.
        features: the features by name, as in ``tf.io.parse_example``.
        reader: maps a file name, and ``reader_args``, to a dataset of serialized examples. Default: ``tf.data.TFRecordDataset``.
        label_key: the feature that is the label.
        num_epochs: the number of repetitions of all examples. Default: infinite, and then a smaller last batch is left out.
        shuffle, shuffle_buffer_size, shuffle_seed: whether and how files and examples are shuffled.
        prefetch_buffer_size: the number of batches that are made in advance. Default: ``tf.data.AUTOTUNE``.
        reader_num_threads: the number of files whose examples come in turn. Default: 1.
        parser_num_threads, sloppy_ordering: kept for TensorFlow's signature.
        drop_final_batch: whether a smaller last batch is left out.

    Raises:
        ValueError: ``label_key`` is not one of ``features``, or ``features`` is empty.
        InvalidArgumentError: no file matches, or a number is out of range.
    """
    what = "make_batched_features_dataset"
    read, arguments = reader or TFRecordDataset, tuple(reader_args or ())
    files = Dataset.list_files(file_pattern, shuffle, shuffle_seed)
    parse = parse_example_dataset(features)
    if label_key is not None and label_key not in features:
        raise ValueError(
            f"{what}: The `label_key` provided ({label_key!r}) must be one of `features`: {list(features)}."
        )
    cycle = 1 if reader_num_threads in (None, AUTOTUNE) else reader_num_threads
    examples = files.interleave(lambda name: read(name, *arguments), cycle)
    if isinstance(examples.element_spec, tuple):  # keys and values
        examples = examples.map(lambda key, value: value)
    if shuffle:
        examples = examples.shuffle(shuffle_buffer_size, shuffle_seed)
    batches = parse(examples.repeat(num_epochs).batch(batch_size, drop_final_batch or num_epochs is None))
    if label_key is not None:
        batches = batches.map(
            lambda parsed: ({name: x for name, x in parsed.items() if name != label_key}, parsed[label_key])
        )
    return batches.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)
