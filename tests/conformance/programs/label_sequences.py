"""Sequences of labels: connectionist temporal classification, edit distances; isotonic regression; fractional pooling."""

import numpy as np

from ..differentiation import value_and_gradients
from ..refusal import refused


def _logits(tf, *shape, dtype="float32"):
    return tf.cast(tf.reshape(3.0 * tf.sin(1.7 * tf.range(float(np.prod(shape)))), shape), dtype)


def ctc_loss(tf):
    loss = tf.nn.ctc_loss
    logits = _logits(tf, 7, 3, 5)
    labels = tf.constant([[1, 2, 2], [3, 0, 0], [4, 4, 1]])
    lengths, steps = tf.constant([3, 1, 2]), tf.constant([7, 4, 6])
    sparse = tf.SparseTensor([[0, 0], [0, 1], [0, 2], [1, 0], [2, 0], [2, 1]], [1, 2, 2, 3, 0, 0], [3, 3])
    calls = {
        "dense": lambda x: loss(labels, x, lengths, steps),
        "blank 2": lambda x: loss(tf.constant([[1, 3], [0, 0], [4, 4]]), x, [2, 1, 2], steps, blank_index=2),
        "last blank": lambda x: loss(tf.constant([[1, 3], [0, 0], [2, 2]]), x, [2, 1, 2], steps, blank_index=-1),
        "batch first": lambda x: loss(labels, tf.transpose(x, [1, 0, 2]), lengths, steps, logits_time_major=False),
        "padded with -1": lambda x: loss(tf.constant([[1, 2], [3, -1], [4, -1]]), x, [2, 1, 1], steps),
        "no labels": lambda x: loss(labels, x, [0, 1, 0], steps),
        "int64 labels": lambda x: loss(tf.cast(labels, tf.int64), x, tf.cast(lengths, tf.int64), tf.cast(steps, tf.int64)),
        "sparse": lambda x: loss(sparse, x, None, steps, blank_index=-1),
        "cubed": lambda x: loss(labels, x, lengths, steps) ** 3,
    }  # fmt: skip
    return {
        **{name: lambda f=f: value_and_gradients(tf, f, logits) for name, f in calls.items()},
        **{f"{name}, compiled": lambda f=f: value_and_gradients(tf, tf.function(f), logits) for name, f in calls.items() if name != "sparse"},
        "half": lambda: loss(labels, tf.cast(logits, tf.bfloat16), lengths, steps).dtype,
        "sparse without a blank": lambda: loss(sparse, logits, None, steps),
        "too few steps, sparse": lambda: loss(sparse, logits, None, [1, 1, 1], blank_index=-1),
    }  # fmt: skip


def decoding(tf):
    logits = _logits(tf, 6, 2, 4)
    repeated = tf.constant(
        [[[0.0, 5.0, 1.0]], [[0.0, 5.0, 1.0]], [[9.0, 5.0, 1.0]], [[0.0, 5.0, 1.0]], [[0.0, 1.0, 2.0]]]
    )

    def parts(result):
        (decoded,), score = result
        return [decoded.indices, decoded.values, decoded.dense_shape, score]

    return {
        "decoded": lambda: parts(tf.nn.ctc_greedy_decoder(logits, [6, 4])),
        "blank 1": lambda: parts(tf.nn.ctc_greedy_decoder(logits, [6, 4], blank_index=1)),
        "blank -2": lambda: parts(tf.nn.ctc_greedy_decoder(logits, [6, 4], blank_index=-2)),
        "merged": lambda: parts(tf.nn.ctc_greedy_decoder(repeated, [5], True, 0)),
        "not merged": lambda: parts(tf.nn.ctc_greedy_decoder(repeated, [5], False, 0)),
        "float64": lambda: tf.nn.ctc_greedy_decoder(tf.cast(logits, tf.float64), [6, 4])[1].dtype,
        "nothing": lambda: parts(tf.nn.ctc_greedy_decoder(repeated[:1], [1], True, 1)),
        "too long": lambda: tf.nn.ctc_greedy_decoder(logits, [7, 4]),
        "lengths": lambda: tf.nn.ctc_greedy_decoder(logits, [6]),
        "collapsed": lambda: tf.nn.collapse_repeated([[1, 1, 2, 2, 1], [1, 2, 3, 4, 5], [3, 3, 3, 3, 3]], [5, 5, 5]),
        "collapsed, short": lambda: tf.nn.collapse_repeated([[1, 1, 2, 2, 1], [1, 1, 3, 4, 5]], tf.constant([4, 1], tf.int64)),
        "collapsed, compiled": lambda: tf.function(tf.nn.collapse_repeated)(tf.constant([[1, 1, 2], [1, 2, 3]]), tf.constant([3, 2])),
        "collapsed, wrong": lambda: refused(lambda: tf.nn.collapse_repeated([1, 2], [1])),
    }  # fmt: skip


def beam_search(tf):
    logits = _logits(tf, 6, 2, 4)

    def parts(result):
        decoded, scores = result
        return [[path.indices, path.values, path.dense_shape] for path in decoded] + [scores]

    decode = tf.nn.ctc_beam_search_decoder
    return {
        "decoded": lambda: parts(decode(logits, [6, 4])),
        "three paths": lambda: parts(decode(logits, [6, 4], top_paths=3)),
        "narrow": lambda: parts(decode(logits, [6, 4], beam_width=3, top_paths=2)),
        "many classes": lambda: parts(decode(_logits(tf, 12, 1, 9), [12], beam_width=20, top_paths=4)),
        "float64": lambda: decode(tf.cast(logits, tf.float64), [6, 6])[1].dtype,
        "compiled": lambda: parts(tf.function(decode)(logits, [6, 4])),
        "few paths": lambda: refused(lambda: decode(logits[:1, :, :2], [1, 1], top_paths=5)),
    }


def edit_distance(tf):
    sparse = tf.SparseTensor
    words = sparse([[0, 0], [0, 1], [0, 2], [1, 0], [2, 0]], ["a", "b", "c", "x", "y"], [4, 3])
    truth = sparse([[0, 0], [0, 1], [1, 0], [1, 1], [3, 0]], ["a", "c", "x", "y", "z"], [4, 2])
    numbers = sparse([[0, 0, 0], [1, 0, 0]], [1, 2], [2, 1, 1])
    others = sparse([[0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]], [1, 2, 3, 1], [2, 2, 2])
    return {
        "normalized": lambda: tf.edit_distance(words, truth),
        "counts": lambda: tf.edit_distance(words, truth, normalize=False),
        "of numbers": lambda: tf.edit_distance(numbers, others),
        "other way": lambda: tf.edit_distance(others, numbers, False),
        "compiled": lambda: tf.function(tf.edit_distance)(numbers, others),
        "of dense": lambda: tf.edit_distance([[1]], others),
        "truth dense": lambda: tf.edit_distance(numbers, [[1]]),
        "dtypes": lambda: tf.edit_distance(words, sparse([[0, 0]], [1], [4, 3])),
        "ranks": lambda: tf.edit_distance(numbers, sparse([[0, 0]], [1], [4, 3])),
        "tf.gradients": lambda: tf.gradients(tf.constant(1.0), tf.constant(1.0)),
    }  # fmt: skip


def isotonic_regression(tf):
    iso = tf.nn.isotonic_regression
    x = tf.reshape(5.0 * tf.sin(1.3 * tf.range(12.0)), [3, 4])
    return {
        "example": lambda: iso(tf.constant([[3.0, 1.0, 2.0], [1.0, 3.0, 4.0]])),
        "decreasing": lambda: iso(x),
        "increasing": lambda: iso(x, decreasing=False),
        "axis 0": lambda: iso(x, axis=0),
        "rank 3": lambda: iso(tf.reshape(x, [2, 3, 2]), axis=1),
        "vector": lambda: iso([1.0, 1.0, 2.0, -1.0]),
        **{dtype: lambda dtype=dtype: iso(tf.cast([[3, 1, 2], [1, 3, 4]], dtype)) for dtype in ("int8", "int32", "float64", "float16")},
        "gradient": lambda: value_and_gradients(tf, lambda v: iso(v)[0] ** 2, x),
        "gradient, increasing, compiled": lambda: value_and_gradients(tf, tf.function(lambda v: iso(v, False)[0] ** 2), x),
        "axis": lambda: refused(lambda: iso(x, axis=5)),
    }  # fmt: skip


def fractional_pooling(tf):
    """Ratios that divide the sizes have one sequence of windows."""
    x = tf.reshape(tf.sin(1.3 * tf.range(96.0)), [2, 6, 4, 2])
    whole = tf.reshape(tf.range(48), [1, 6, 8, 1])
    pools = {"max": tf.nn.fractional_max_pool, "mean": tf.nn.fractional_avg_pool}
    return {
        **{
            f"{name}, {ratio}, {overlap}": lambda f=f, ratio=ratio, overlap=overlap: list(f(x, ratio, overlapping=overlap))
            for name, f in pools.items()
            for ratio in ([1.0, 2.0, 2.0, 1.0], [1.0, 3.0, 1.0, 1.0], 2)
            for overlap in (False, True)
        },
        **{f"{name} of integers": lambda f=f: list(f(whole, [1.0, 2.0, 2.0, 1.0])) for name, f in pools.items()},
        **{f"{name}, fields": lambda f=f: [f(x, [1.0, 2.0, 1.0, 1.0])._fields, f(tf.cast(x, tf.float64), [1.0, 1.5, 1.5, 1.0])[0].dtype] for name, f in pools.items()},
        **{
            f"gradient of {name}": lambda f=f: value_and_gradients(tf, lambda v: f(v, [1.0, 2.0, 2.0, 1.0], overlapping=True)[0] ** 2, x)
            for name, f in pools.items()
        },
        **{f"sizes of {name}": lambda f=f: [tf.shape(part) for part in f(x, [1.0, 1.4, 1.7, 1.0], pseudo_random=True)] for name, f in pools.items()},
        "rank": lambda: tf.nn.fractional_max_pool(x[0], [1.0, 1.5, 1.5, 1.0]),
        "large ratio": lambda: tf.nn.fractional_max_pool(x, [1.0, 7.0, 1.5, 1.0]),
        "small ratio": lambda: tf.nn.fractional_max_pool(x, [1.0, 0.7, 1.5, 1.0]),
        "ratio of the batch": lambda: tf.nn.fractional_avg_pool(x, [2.0, 1.5, 1.5, 1.0]),
        "text": lambda: tf.nn.fractional_avg_pool(x, "a"),
    }  # fmt: skip


def crossing(tf):
    ragged = tf.ragged.constant([[1], [2, 3]])
    words, sparse = tf.constant([["a"], ["b"]]), tf.sparse.from_dense([[1, 2], [0, 3]])
    return {
        "all three": lambda: tf.ragged.cross([ragged, words, sparse]),
        "dense": lambda: tf.ragged.cross([words, words]),
        "int32 splits": lambda: tf.ragged.cross([ragged.with_row_splits_dtype(tf.int32), words]).row_splits.dtype,
        "empty row": lambda: tf.ragged.cross([tf.ragged.constant([[], [2, 3]], dtype=tf.int32), sparse]),
        "nothing": lambda: tf.ragged.cross([]).shape.rank,
        "hashed": lambda: tf.ragged.cross_hashed([ragged, sparse]),
        "buckets": lambda: tf.ragged.cross_hashed([ragged, tf.constant([[5], [6]])], num_buckets=10, hash_key=3),
        "ragged rank": lambda: tf.ragged.cross([tf.ragged.constant([[[1]]])]),
        "dtype": lambda: tf.ragged.cross([tf.constant([[1.0]])]),
        "rows": lambda: tf.ragged.cross([ragged, words[:1]]),
        "no list": lambda: tf.ragged.cross(3),
    }
