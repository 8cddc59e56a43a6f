"""tf.data pipelines: order, shapes, dtypes, lengths, and what is refused."""

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
