"""The functions of files.tar.xz, which fastgrad 1.0.0rc1 wrote: each kind of entry, node and expression of its files.

`PYTHONPATH=src python -m tests.files.saved_model.earlier_files.models FOLDER` writes them with the version at hand.
"""

import sys
from pathlib import Path

import numpy as np

import fastgrad as tf

ROWS = [tf.TensorSpec([None, 3], tf.float32)]
IMAGES = [tf.TensorSpec([None, None, None, 1], tf.float32)]
TEXTS = [tf.TensorSpec([None], tf.string)]
RAGGED = [tf.RaggedTensorSpec([None, None], tf.float32)]
SPARSE = [tf.SparseTensorSpec([None, 3], tf.float32)]
TABLE = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "d"], tf.constant([1, 2], tf.int64)), -1)


def numbers(*shape):
    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape).astype("f"))


def branch_on_a_size(x):
    return x * (2.0 if x.shape[0] > 2 else 3.0)


def branch_in_the_middle(x):
    return x * (2.0 if x.shape[0] > 70 else 3.0)


def condition(x):
    return x[: tf.minimum(tf.shape(x)[0], 3)]


def parity(x):
    return tf.pad(x, [[0, 0], [0, x.shape[0] % 2]])


def branch_on_a_value(x):
    if tf.reduce_sum(x) > 0:
        y = x * 2
    else:
        y = x - 1
    return y


def loop(x):
    total = tf.zeros([3])
    for i in tf.range(tf.shape(x)[0]):
        total = total + x[i] * tf.cast(i, tf.float32)
    return total


@tf.custom_gradient
def own_gradient(x):
    return x * 2, lambda g: g * 7


CASES = {
    "branch_on_a_size": (branch_on_a_size, ROWS, [numbers(n, 3) for n in (0, 1, 2, 3, 9)]),
    "branch_in_the_middle": (branch_in_the_middle, ROWS, [numbers(n, 3) for n in (1, 70, 71, 100)]),
    "condition": (condition, ROWS, [numbers(n, 3) for n in (0, 1, 2, 3, 9)]),
    "parity": (parity, ROWS, [numbers(n, 3) for n in (1, 2, 20, 21)]),
    "branch_on_a_value": (branch_on_a_value, ROWS, [tf.ones([2, 3]), -tf.ones([4, 3])]),
    "loop": (loop, ROWS, [numbers(n, 3) for n in (1, 7)]),
    "own_gradient": (own_gradient, ROWS, [numbers(4, 3)]),
    "mean": (lambda x: tf.reduce_mean(x) + tf.eye(tf.shape(x)[0], 3), ROWS, [numbers(n, 3) for n in (1, 20)]),
    "strides": (
        lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 1, 2]), 2, "SAME"),
        IMAGES,
        [numbers(1, 8, 9, 1), numbers(2, 21, 34, 1)],
    ),
    "unknown_rank": (lambda x: tf.exp(x) + 1, [tf.TensorSpec(None, tf.float32)], [numbers(), numbers(2, 2, 2)]),
    "mask": (lambda x: tf.boolean_mask(x, x[:, 0] > -0.3), ROWS, [numbers(7, 3), numbers(12, 3)]),
    "words": (lambda x: TABLE.lookup(tf.strings.split(x)).to_tensor(), TEXTS, [tf.constant(["a b", "d"])]),
    "ragged": (lambda x: (x * 2, tf.reduce_sum(x, 1)), RAGGED, [tf.ragged.constant([[1.0, 2.0], [], [3.0]])]),
    "sparse": (tf.sparse.to_dense, SPARSE, [tf.sparse.from_dense([[0.0, 1, 2], [0, 0, 3]])]),
}


def write(folder):
    """Writes a folder for each function."""
    for name, (function, signature, _) in CASES.items():
        module = tf.Module()
        module.f = tf.function(function, input_signature=signature)
        tf.saved_model.save(module, Path(folder) / name)


if __name__ == "__main__":
    write(sys.argv[1])
