"""tf.data pipelines: order, shapes, dtypes, lengths, and what is refused."""

import gzip
import tempfile
from pathlib import Path

import numpy as np

from ..refusal import refused


def _listed(dataset):
    return list(dataset)


def sources(tf):
    d = tf.data.Dataset

    def restarted():
        calls = []

        def generate():
            calls.append(1)
            yield from range(2)

        made = d.from_generator(generate, output_signature=tf.TensorSpec((), tf.int32))
        return [[int(x) for x in made], [int(x) for x in made], len(calls)]

    return {
        "range": lambda: _listed(d.range(3)),
        "range of two": lambda: _listed(d.range(2, 5)),
        "range of three": lambda: _listed(d.range(5, 0, -2)),
        "range dtype": lambda: _listed(d.range(2, output_type=tf.int32)),
        "from_tensor_slices": lambda: _listed(d.from_tensor_slices([1, 2, 3])),
        "slices of floats": lambda: _listed(d.from_tensor_slices([1.0, 2.0])),
        "slices of float64 arrays": lambda: _listed(d.from_tensor_slices(np.array([1.0, 2.0]))),
        "slices of rows": lambda: _listed(d.from_tensor_slices([[1, 2], [3, 4]])),
        "slices of a tuple": lambda: _listed(d.from_tensor_slices(([1, 2], [3.0, 4.0]))),
        "slices of a dict": lambda: _listed(d.from_tensor_slices({"x": [1, 2], "y": [3.0, 4.0]})),
        "slices of nested": lambda: _listed(d.from_tensor_slices(({"a": [1]}, [2.0]))),
        "slices of different lengths": lambda: refused(lambda: d.from_tensor_slices(([1, 2], [1, 2, 3]))),
        "slices of a scalar": lambda: d.from_tensor_slices(1),
        "from_tensors": lambda: _listed(d.from_tensors([1, 2])),
        "from_tensors of a tuple": lambda: _listed(d.from_tensors(([1, 2], 3.0))),
        "from_generator": lambda: _listed(
            d.from_generator(lambda: iter([1, 2]), output_signature=tf.TensorSpec((), tf.float32))
        ),
        "from_generator of pairs": lambda: _listed(
            d.from_generator(
                lambda: iter([(1, [2.0, 3.0])]),
                output_signature=(tf.TensorSpec((), tf.int32), tf.TensorSpec((2,), tf.float32)),
            )
        ),
        "generators restart": restarted,
        "element_spec": lambda: repr(d.from_tensor_slices(([1, 2], [[1.0], [2.0]])).element_spec),
        "element_spec of a dict": lambda: repr(d.from_tensor_slices({"x": [1]}).element_spec),
        "element_spec of a batch": lambda: repr(d.range(5).batch(2).element_spec),
        "element_spec of a full batch": lambda: repr(d.range(4).batch(2, drop_remainder=True).element_spec),
        "elements are tensors": lambda: [isinstance(x, tf.Tensor) for x in d.range(1)],
        "zip": lambda: _listed(d.zip((d.range(3), d.range(10, 12)))),
        "zip of arguments": lambda: _listed(d.zip(d.range(2), d.range(2))),
    }


def transformations(tf):
    d = tf.data.Dataset
    return {
        "map": lambda: _listed(d.range(3).map(lambda x: x * 2)),
        "map unpacks tuples": lambda: _listed(d.from_tensor_slices(([1, 2], [3, 4])).map(lambda a, b: a + b)),
        "map passes dicts whole": lambda: _listed(d.from_tensor_slices({"a": [1, 2]}).map(lambda e: e["a"] + 1)),
        "map to a tuple": lambda: _listed(d.range(2).map(lambda x: (x, -x))),
        "map to a dict": lambda: _listed(d.range(1).map(lambda x: {"b": x, "a": x + 1})),
        "map to a list": lambda: _listed(d.range(2).map(lambda x: [x, x])),
        "map with a cast": lambda: _listed(d.range(2).map(lambda x: tf.cast(x, tf.float32) / 2)),
        "map parallel": lambda: _listed(d.range(3).map(lambda x: x + 1, num_parallel_calls=tf.data.AUTOTUNE)),
        "map wrong arity": lambda: refused(lambda: _listed(d.range(1).map(lambda a, b: a))),
        "filter": lambda: _listed(d.range(5).filter(lambda x: x % 2 == 0)),
        "batch": lambda: _listed(d.range(5).batch(2)),
        "batch drop_remainder": lambda: _listed(d.range(5).batch(2, drop_remainder=True)),
        "batch of tuples": lambda: _listed(d.from_tensor_slices(([1, 2, 3], [4.0, 5.0, 6.0])).batch(2)),
        "batch zero": lambda: refused(lambda: d.range(3).batch(0)),
        "batch of ragged": lambda: refused(
            lambda: _listed(
                d.from_generator(lambda: iter([[1], [1, 2]]), output_signature=tf.TensorSpec((None,), tf.int32)).batch(
                    2
                )
            )
        ),
        "unbatch": lambda: _listed(d.range(4).batch(2).unbatch()),
        "repeat": lambda: _listed(d.range(2).repeat(2)),
        "repeat zero": lambda: _listed(d.range(2).repeat(0)),
        "repeat for ever": lambda: _listed(d.range(2).repeat().take(5)),
        "take": lambda: _listed(d.range(5).take(2)),
        "take all": lambda: len(_listed(d.range(5).take(-1))),
        "skip": lambda: _listed(d.range(5).skip(3)),
        "shard": lambda: _listed(d.range(5).shard(2, 1)),
        "concatenate": lambda: _listed(d.range(2).concatenate(d.range(1))),
        "prefetch": lambda: _listed(d.range(2).prefetch(tf.data.AUTOTUNE)),
        "enumerate": lambda: _listed(d.from_tensor_slices([5.0]).enumerate()),
        "flat_map": lambda: _listed(d.range(3).flat_map(d.range)),
        "reduce": lambda: d.range(5).reduce(np.int64(0), lambda total, x: total + x),
        "take_while": lambda: _listed(d.range(5).take_while(lambda x: x < 2)),
        "cache": lambda: _twice(d.range(3).cache()),
        "apply": lambda: _listed(d.range(3).apply(lambda dataset: dataset.take(1))),
        "as_numpy_iterator": lambda: list(d.range(2).as_numpy_iterator()),
        "as_numpy_iterator of tuples": lambda: list(d.from_tensor_slices(([1], [2.0])).as_numpy_iterator()),
        "get_single_element": lambda: d.from_tensors(5).get_single_element(),
    }


def _twice(dataset):
    return [[int(x) for x in dataset], [int(x) for x in dataset]]


def _numbers(tf, *lengths):
    """Vectors of the given lengths, each of its length."""
    return tf.data.Dataset.from_tensor_slices(list(lengths)).map(lambda n: tf.fill([n], n))


def _nested(datasets):
    return [[int(x) for x in dataset] for dataset in datasets]


def putting_together(tf):
    d = tf.data.Dataset
    unknown = lambda: d.from_generator(
        lambda: iter([([1], 1), ([1, 2], 2), ([1, 2, 3], 3)]),
        output_signature=(tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)),
    )
    texts = lambda: d.from_generator(
        lambda: iter([["a"], ["b", "c"]]), output_signature=tf.TensorSpec((None,), tf.string)
    )
    return {
        "padded_batch": lambda: _listed(_numbers(tf, 1, 3, 2).padded_batch(2)),
        "padded to a shape": lambda: _listed(_numbers(tf, 1, 3, 2).padded_batch(2, padded_shapes=[4])),
        "padded to unknown": lambda: _listed(_numbers(tf, 1, 2).padded_batch(2, padded_shapes=[None])),
        "padded to -1": lambda: _listed(_numbers(tf, 1, 2).padded_batch(2, padded_shapes=[-1])),
        "padded with a value": lambda: _listed(_numbers(tf, 1, 2).padded_batch(2, padding_values=-1)),
        "padded pairs": lambda: _listed(unknown().padded_batch(2)),
        "padded pairs to shapes": lambda: _listed(unknown().padded_batch(2, padded_shapes=([3], []))),
        "padded pairs with values": lambda: _listed(unknown().padded_batch(3, padding_values=(-1, 0))),
        "padded texts": lambda: _listed(texts().padded_batch(2)),
        "padded, full batches": lambda: _listed(_numbers(tf, 1, 3, 2).padded_batch(2, drop_remainder=True)),
        "padded spec": lambda: repr(unknown().padded_batch(2, padded_shapes=([4], [])).element_spec),
        "padded scalars": lambda: _listed(d.range(3).padded_batch(2)),
        "padded too small": lambda: refused(lambda: _listed(_numbers(tf, 3).padded_batch(1, padded_shapes=[2]))),
        "padded to another rank": lambda: refused(lambda: d.range(3).padded_batch(2, padded_shapes=[2])),
        "padded with another dtype": lambda: refused(lambda: d.range(3).padded_batch(2, padding_values=1.5)),
        "window": lambda: _nested(d.range(7).window(3)),
        "window, shift": lambda: _nested(d.range(5).window(3, shift=1)),
        "window, large shift": lambda: _nested(d.range(10).window(2, shift=4)),
        "window, stride": lambda: _nested(d.range(8).window(3, shift=2, stride=2)),
        "window, full ones": lambda: _nested(d.range(7).window(3, shift=2, drop_remainder=True)),
        "window, full strided ones": lambda: _nested(d.range(9).window(3, 2, 2, True)),
        "window of pairs": lambda: [
            (_listed(a), _listed(b)) for a, b in d.from_tensor_slices(([1, 2, 3], [4, 5, 6])).window(2)
        ],
        "window, batched": lambda: _listed(d.range(5).window(2, 1, drop_remainder=True).flat_map(lambda w: w.batch(2))),
        "window spec": lambda: repr(d.range(5).window(2).element_spec),
        "window lengths": lambda: [
            len(d.range(n).window(size, shift, stride, drop))
            for n in (0, 1, 6, 7)
            for size, shift, stride in ((3, 1, 1), (3, 2, 2), (2, 5, 1))
            for drop in (False, True)
        ],
        "window of nothing": lambda: refused(lambda: d.range(3).window(0)),
        "window without shift": lambda: refused(lambda: d.range(3).window(2, 0)),
        "group_by_window": lambda: _listed(
            d.range(10).group_by_window(lambda x: x % 3, lambda key, group: group.batch(2), window_size=2)
        ),
        "group_by_window, sizes": lambda: _listed(
            d.range(10).group_by_window(
                lambda x: x % 2, lambda key, group: group.batch(5), window_size_func=lambda key: key + 2
            )
        ),
        "group_by_window, two sizes": lambda: refused(
            lambda: d.range(3).group_by_window(lambda x: x, lambda k, g: g, 1, lambda key: key)
        ),
        "bucket_by_sequence_length": lambda: _listed(
            _numbers(tf, 1, 5, 2, 3, 6, 1, 9).bucket_by_sequence_length(tf.size, [3, 6], [2, 2, 1])
        ),
        "buckets to their boundary": lambda: _listed(
            _numbers(tf, 1, 3, 2, 4).bucket_by_sequence_length(
                tf.size, [3, 6], [2, 2, 1], pad_to_bucket_boundary=True, padding_values=-1
            )
        ),
        "buckets, too long": lambda: refused(
            lambda: _listed(
                _numbers(tf, 7).bucket_by_sequence_length(tf.size, [3, 6], [2, 2, 1], pad_to_bucket_boundary=True)
            )
        ),
        "buckets, sizes": lambda: refused(lambda: _numbers(tf, 7).bucket_by_sequence_length(tf.size, [3, 6], [2, 2])),
        "rebatch": lambda: _listed(d.range(10).batch(4).rebatch(3)),
        "rebatch in turns": lambda: _listed(d.range(10).batch(4).rebatch([2, 3], drop_remainder=True)),
        "ragged_batch of one shape": lambda: _listed(d.range(3).ragged_batch(2)),
        "interleave": lambda: _listed(d.range(4).interleave(lambda x: d.from_tensors(x).repeat(3), 2)),
        "interleave, blocks": lambda: _listed(
            d.range(5).interleave(lambda x: d.range(x), cycle_length=3, block_length=2)
        ),
        "interleave, one at a time": lambda: _listed(d.range(4).interleave(d.range, cycle_length=1)),
        "interleave, parallel": lambda: _listed(
            d.range(4).interleave(d.range, cycle_length=2, block_length=2, num_parallel_calls=2)
        ),
        "interleave nothing": lambda: refused(lambda: d.range(4).interleave(d.range, cycle_length=0)),
        "scan": lambda: _listed(d.range(4).scan(np.int64(10), lambda state, x: (state + x, state * x))),
        "scan with pairs": lambda: _listed(
            d.range(3).scan((np.int64(0), np.int64(1)), lambda s, x: ((s[1], s[0] + s[1]), (x, s[0])))
        ),
        "scan without a pair": lambda: refused(lambda: _listed(d.range(3).scan(np.int64(0), lambda s, x: s))),
        "unique": lambda: _listed(d.from_tensor_slices([1, 2, 1, 3, 2]).unique()),
        "unique texts": lambda: _listed(d.from_tensor_slices(["a", "b", "a"]).unique()),
        "choose_from_datasets": lambda: _listed(
            d.choose_from_datasets([d.range(3), d.range(10, 13)], d.range(2).repeat(2))
        ),
        "choose to the first end": lambda: _listed(
            d.choose_from_datasets([d.range(1), d.range(3)], d.range(2).repeat())
        ),
        "choose to the last end": lambda: _listed(
            d.choose_from_datasets([d.range(1), d.range(3)], d.range(2).repeat(), stop_on_empty_dataset=False)
        ),
        "choose out of range": lambda: refused(lambda: _listed(d.choose_from_datasets([d.range(1)], d.range(2)))),
        "choose by floats": lambda: refused(lambda: d.choose_from_datasets([d.range(1)], d.from_tensors(0.0))),
        "sample with certain weights": lambda: _listed(
            d.sample_from_datasets([d.range(3), d.range(5)], weights=[0.0, 1.0], stop_on_empty_dataset=True)
        ),
        "sample all": lambda: sorted(int(x) for x in d.sample_from_datasets([d.range(3), d.range(10, 15)])),
        "sample nothing": lambda: refused(lambda: d.sample_from_datasets([])),
        "sample weights": lambda: refused(lambda: d.sample_from_datasets([d.range(3)], weights=[0.5, 0.5])),
        "rejection_resample to one class": lambda: _listed(
            d.range(6).rejection_resample(lambda x: tf.cast(x % 2, tf.int32), [0.0, 1.0], [0.5, 0.5])
        ),
        "counter": lambda: _listed(d.counter(1, 3).take(3)),
        "random spec": lambda: repr(d.random(seed=1).element_spec),
        "random is seeded": lambda: (
            [int(x) for x in d.random(seed=1).take(3)] == [int(x) for x in d.random(seed=1).take(3)]
        ),
        "lengths": lambda: [
            int(dataset.cardinality())
            for dataset in (
                d.range(5).padded_batch(2),
                d.range(5).unique(),
                d.range(3).interleave(d.range),
                d.counter(),
                d.random(),
                d.range(5).scan(np.int64(0), lambda s, x: (s, x)),
                d.sample_from_datasets([d.range(2), d.range(3)]),
                d.range(5).batch(2).rebatch(3).filter(lambda x: True),
            )
        ],
    }


def files(tf):
    d = tf.data.Dataset
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: str(Path(folder) / name)
        Path(path("lines.txt")).write_bytes(b"one\ntwo\r\n\nlast")
        Path(path("more.txt")).write_bytes(b"five\n")
        with gzip.open(path("lines.gz"), "wb") as packed:
            packed.write(b"a\nb\n")
        Path(path("a.csv")).write_text('a,b,c,d,e\n1,2.5,"x,y",,9999999999\n,3.5,,1e300,2\n3,,z,,3\n', encoding="utf-8")
        Path(path("plain.csv")).write_text("1;2.0\n3;NA\n", encoding="utf-8")
        csv, make = tf.data.experimental.CsvDataset, tf.data.experimental.make_csv_dataset
        options = {"num_epochs": 1, "shuffle": False}

        def batches(dataset):
            """Dicts of columns as lists: TensorFlow gives an OrderedDict."""
            return [dict(batch) if not isinstance(batch, tuple) else (dict(batch[0]), batch[1]) for batch in dataset]

        def counted():
            calls = []

            def generate():
                calls.append(1)
                yield from range(3)

            cached = d.from_generator(generate, output_signature=tf.TensorSpec((), tf.int32)).cache(path("cache"))
            return [*_nested([cached, cached]), len(calls)]

        def saved(dataset):
            dataset.save(path("saved"))
            return _listed(d.load(path("saved")))

        def spec_saved():
            unknown = d.from_generator(lambda: iter([[1]]), output_signature=tf.TensorSpec((None,), tf.int32))
            unknown.save(path("unknown"))
            return repr(d.load(path("unknown")).element_spec)

        questions = {
            "lines": lambda: _listed(tf.data.TextLineDataset(path("lines.txt"))),
            "lines of two files": lambda: _listed(tf.data.TextLineDataset([path("lines.txt"), path("more.txt")])),
            "lines of a dataset of names": lambda: _listed(
                tf.data.TextLineDataset(d.list_files(path("*.txt"), shuffle=False))
            ),
            "packed lines": lambda: _listed(tf.data.TextLineDataset(path("lines.gz"), compression_type="GZIP")),
            "lines of no file": lambda: refused(lambda: _listed(tf.data.TextLineDataset(path("none.txt")))),
            "list_files": lambda: [x.numpy().decode()[-8:] for x in d.list_files(path("*.txt"), shuffle=False)],
            "list_files of several": lambda: [
                x.numpy().decode()[-8:] for x in d.list_files([path("more*"), path("lines.txt")], shuffle=False)
            ],
            "list_files shuffles": lambda: sorted(x.numpy().decode()[-8:] for x in d.list_files(path("*.txt"))),
            "list_files of nothing": lambda: refused(lambda: d.list_files(path("*.none"))),
            "csv": lambda: _listed(csv(path("a.csv"), [0, [1.0], ""], header=True, select_cols=[0, 1, 2])),
            "csv, required": lambda: refused(
                lambda: _listed(csv(path("a.csv"), [tf.int32], header=True, select_cols=[0]))
            ),
            "csv, all columns": lambda: _listed(
                csv(path("a.csv"), [0, [1.0], "", tf.constant([0.0], tf.float64), tf.int64], header=True)
            ),
            "csv, excluded": lambda: _listed(csv(path("a.csv"), [0, [1.0], ""], header=True, exclude_cols=[3, 4])),
            "csv, another delimiter": lambda: _listed(
                csv(path("plain.csv"), [tf.int32, [7.0]], field_delim=";", na_value="NA")
            ),
            "csv, too few fields": lambda: refused(lambda: _listed(csv(path("a.csv"), [0, [1.0]], header=True))),
            "csv, no number": lambda: refused(lambda: _listed(csv(path("a.csv"), [0], header=True, select_cols=[2]))),
            "csv spec": lambda: repr(csv(path("a.csv"), [tf.int32, [1.0]], select_cols=[0, 1]).element_spec),
            "make_csv": lambda: batches(make(path("a.csv"), 2, **options)),
            "make_csv with labels": lambda: batches(make(path("a.csv"), 2, label_name="b", **options)),
            "make_csv, some columns": lambda: batches(make(path("a.csv"), 3, select_columns=["c", "a"], **options)),
            "make_csv, numbers of columns": lambda: batches(make(path("a.csv"), 3, select_columns=[1], **options)),
            "make_csv, defaults": lambda: batches(
                make(path("a.csv"), 3, select_columns=["a", "b"], column_defaults=[[7], [0.5]], **options)
            ),
            "make_csv, names": lambda: batches(
                make(
                    path("plain.csv"),
                    2,
                    column_names=["x", "y"],
                    header=False,
                    field_delim=";",
                    na_value="NA",
                    **options,
                )
            ),
            "make_csv without end": lambda: [
                len(batch["a"]) for batch in make(path("a.csv"), 2, shuffle=False).take(4)
            ],
            "make_csv, no such label": lambda: refused(lambda: make(path("a.csv"), 2, label_name="q")),
            "make_csv, no such column": lambda: refused(lambda: make(path("a.csv"), 2, select_columns=["q"])),
            "make_csv of nothing": lambda: refused(lambda: make(path("*.none"), 2)),
            "cache in a file": counted,
            "save and load": lambda: saved(d.range(3)),
            "save and load pairs": lambda: saved(d.from_tensor_slices(([1.5, 2.5], ["a", "bcd"])).batch(1)),
            "save and load a dict": lambda: saved(d.from_tensor_slices({"x": [1, 2]})),
            "save and load different sizes": lambda: saved(_numbers(tf, 2, 0, 3)),
            "load nothing": lambda: refused(lambda: _listed(d.load(path("none")))),
            "loaded spec": spec_saved,
            "loaded length": lambda: len(d.load(path("saved"))),
        }
        return {name: _now(question) for name, question in questions.items()}


def _now(question):
    """The answer while the files are there."""
    try:
        answer = question()
    except Exception as error:  # noqa: BLE001 (raised again when the answer is asked for)
        raised = error

        def again():
            raise raised

        return again
    return lambda: answer


def shuffling(tf):
    d = tf.data.Dataset

    def epochs(dataset, count=4):
        return [[int(x) for x in dataset] for _ in range(count)]

    def all_same(orders):
        return all(order == orders[0] for order in orders)

    return {
        "keeps the elements": lambda: sorted(int(x) for x in d.range(20).shuffle(5)),
        "buffer of one keeps the order": lambda: [int(x) for x in d.range(5).shuffle(1)],
        "reshuffles each epoch": lambda: all_same(epochs(d.range(50).shuffle(50))),
        "reshuffles with a seed": lambda: all_same(epochs(d.range(50).shuffle(50, seed=1))),
        "frozen": lambda: all_same(epochs(d.range(50).shuffle(50, seed=1, reshuffle_each_iteration=False))),
        "cache after shuffle freezes": lambda: all_same(epochs(d.range(50).shuffle(50).cache())),
        "shuffle after cache": lambda: all_same(epochs(d.range(50).cache().shuffle(50))),
        "seeded twice": lambda: (
            epochs(d.range(30).shuffle(30, seed=3), 1) == epochs(d.range(30).shuffle(30, seed=3), 1)
        ),
        "small buffer": lambda: int(next(iter(d.range(100).shuffle(3)))) < 3,
        "zero buffer": lambda: refused(lambda: _listed(d.range(3).shuffle(0))),
        "repeat after shuffle": lambda: [
            sorted(int(x) for x in batch) for batch in d.range(6).shuffle(6).repeat(2).batch(6)
        ],
        "random in map is fresh": lambda: _fresh(tf),
    }


def _fresh(tf):
    drawn = [float(x) for x in tf.data.Dataset.range(4).map(lambda _: tf.random.uniform(()))]
    return len(set(drawn))


def lengths(tf):
    d = tf.data.Dataset
    return {
        "len": lambda: len(d.range(5)),
        "len of batches": lambda: len(d.range(5).batch(2)),
        "len of full batches": lambda: len(d.range(5).batch(2, drop_remainder=True)),
        "len of repeats": lambda: len(d.range(5).repeat(3)),
        "len of for ever": lambda: len(d.range(5).repeat()),
        "len of a filter": lambda: len(d.range(5).filter(lambda x: x > 2)),
        "len of take": lambda: len(d.range(5).take(10)),
        "len of skip": lambda: len(d.range(5).skip(10)),
        "len of zip": lambda: len(d.zip((d.range(5), d.range(3)))),
        "len of map and shuffle": lambda: len(d.range(5).map(lambda x: x).shuffle(2).prefetch(1)),
        "cardinality": lambda: d.range(5).cardinality(),
        "cardinality of for ever": lambda: d.range(5).repeat().cardinality(),
        "cardinality of a filter": lambda: d.range(5).filter(lambda x: x > 2).cardinality(),
        "infinite": lambda: [tf.data.INFINITE_CARDINALITY, tf.data.UNKNOWN_CARDINALITY],
        "bool": lambda: bool(d.range(5)),
        "iterator": lambda: _iterator(tf),
        "iterator is exhausted": lambda: _exhausted(tf),
        "several iterators": lambda: _several(tf),
    }


def _iterator(tf):
    iterator = iter(tf.data.Dataset.range(3))
    return [next(iterator), next(iterator)]


def _exhausted(tf):
    iterator = iter(tf.data.Dataset.range(1))
    next(iterator)
    return next(iterator)


def _several(tf):
    dataset = tf.data.Dataset.range(3)
    first, second = iter(dataset), iter(dataset)
    return [int(next(first)), int(next(first)), int(next(second))]


def training(tf):
    def one_epoch():
        x = np.arange(8, dtype=np.float32).reshape(4, 2)
        y = np.array([0, 1, 1, 0])
        w = tf.Variable(tf.zeros((2, 2)))
        losses = []
        for batch_x, batch_y in tf.data.Dataset.from_tensor_slices((x, y)).batch(3):
            with tf.GradientTape() as tape:
                logits = batch_x @ w
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch_y, logits=logits))
            w.assign_sub(0.1 * tape.gradient(loss, w))
            losses.append(float(loss))
        return [tf.constant(losses), w]

    def dict_batches():
        dataset = tf.data.Dataset.from_tensor_slices({"image": np.ones((3, 2), np.float32), "label": [0, 1, 2]}).batch(
            2
        )
        return [[tuple(batch["image"].shape), batch["label"]] for batch in dataset]

    return {"one epoch": one_epoch, "dict batches": dict_batches}


def python_functions(tf):
    """Rows of different lengths from Python code in a pipeline."""

    def numbers(text, factor):
        return np.array([float(part) for part in text.numpy().decode().split(",")], np.float32) * factor.numpy()

    def squares(count):
        return np.arange(count, dtype=np.int64) ** 2

    lines = tf.data.Dataset.from_tensor_slices((["1,2", "3,4,5"], [1.0, 2.0]))
    parsed = lines.map(lambda text, factor: tf.py_function(numbers, [text, factor], tf.float32))
    rows = tf.data.Dataset.range(1, 5).map(lambda n: tf.numpy_function(squares, [n], tf.int64))
    fixed = tf.data.Dataset.range(3).map(
        lambda n: tf.ensure_shape(tf.numpy_function(lambda n: np.full((2, 3), n), [n], tf.int64), [2, 3])
    )

    def with_shape(row):
        row.set_shape([None])
        return row

    return {
        "rows": lambda: list(parsed),
        "padded": lambda: list(parsed.map(lambda x: tf.ensure_shape(x, [None])).padded_batch(2, padding_values=-1.0)),
        "padded to shapes": lambda: list(rows.padded_batch(3, padded_shapes=[None])),
        "padded after set_shape": lambda: list(rows.map(with_shape).padded_batch(3)),
        "ragged": lambda: list(rows.map(with_shape).ragged_batch(4)),
        "spec": lambda: str(fixed.element_spec),
        "batched": lambda: list(fixed.batch(2)),
        "two results": lambda: list(
            rows.map(lambda x: tf.py_function(lambda x: (x[:1], tf.size(x)), [x], [tf.int64, tf.int32]))
        ),
    }


def folds_and_lists(tf):
    """Sparse batches, elements by number and lists of elements."""
    experimental, dataset = tf.data.experimental, tf.data.Dataset
    rows = dataset.range(4).map(lambda n: tf.fill([n], n))
    return {
        "parallel_interleave": lambda: _listed(
            dataset.range(3).apply(experimental.parallel_interleave(lambda x: dataset.from_tensors(x).repeat(3), 2, 2))
        ),
        "sparse batches": lambda: _listed(rows.sparse_batch(3, [4])),
        "sparse batches of unknown size": lambda: _listed(rows.sparse_batch(3, [None])),
        "sparse batches of scalars": lambda: _listed(dataset.range(3).sparse_batch(2, [])),
        "sparse batches' spec": lambda: str(rows.sparse_batch(3, [4]).element_spec),
        "sparse batches' cardinality": lambda: dataset.range(5).sparse_batch(2, []).cardinality(),
        "sparse batches of too long rows": lambda: _listed(rows.sparse_batch(3, [2])),
        "sparse batches of another rank": lambda: _listed(dataset.range(3).sparse_batch(2, [3])),
        "sparse batches of pairs": lambda: dataset.range(4).map(lambda x: (x, x)).sparse_batch(3, [2]),
        "sparse batches of nothing": lambda: _listed(dataset.range(4).sparse_batch(0, [])),
        "from_list": lambda: _listed(experimental.from_list([(1, "a"), (2, "b")])),
        "from_list of dicts": lambda: _listed(experimental.from_list([{"a": 1}, {"a": 2}])),
        "from_list of vectors": lambda: _listed(experimental.from_list([[1, 2], [3]])),
        "from_list's spec": lambda: str(experimental.from_list([(1, "a"), (2, "b")]).element_spec),
        "from_list shuffled": lambda: sorted(int(x) for x in experimental.from_list([1, 2, 3]).shuffle(3)),
        "from_list of nothing": lambda: experimental.from_list([]),
        "from_list of two dtypes": lambda: refused(lambda: experimental.from_list([1, "a"])),
        "from_list of a number": lambda: experimental.from_list(3),
        "at": lambda: experimental.at(dataset.range(5).map(lambda x: x * 2), 3),
        "at of a pair": lambda: experimental.at(dataset.range(5).map(lambda x: (x, -x)), 1),
        "at the end": lambda: experimental.at(dataset.range(5), 5),
        "at before": lambda: experimental.at(dataset.range(5), -1),
    }
