"""Sequences of labels: connectionist temporal classification, edit distances."""

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
