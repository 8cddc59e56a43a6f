"""Gradients of row look-ups: where they are IndexedSlices, where dense."""


def _gradient(tf, function, source):
    with tf.GradientTape() as tape:
        tape.watch(source)
        result = function(source)
    return tape.gradient(result, source)


def kinds(tf):
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    c = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def of(function, source=v):
        return _gradient(tf, function, source)

    return {
        "gather": lambda: of(lambda x: tf.gather(x, [0, 2])),
        "gather of a constant": lambda: of(lambda x: tf.gather(x, [0, 2]), c),
        "gather repeated": lambda: of(lambda x: tf.gather(x, [1, 1])),
        "gather int64": lambda: of(lambda x: tf.gather(x, tf.constant([1], tf.int64))),
        "gather matrix of indices": lambda: of(lambda x: tf.gather(x, [[0, 1], [2, 0]])),
        "gather scalar": lambda: of(lambda x: tf.gather(x, 1)),
        "gather nothing": lambda: of(lambda x: tf.gather(x, tf.zeros(0, tf.int32))),
        "gather of a vector": lambda: of(lambda x: tf.gather(x, [2, 0]), tf.Variable([1.0, 2.0, 3.0])),
        "gather axis 1": lambda: of(lambda x: tf.gather(x, [1], axis=1)),
        "gather batch_dims": lambda: of(lambda x: tf.gather(x, [[0], [1], [1]], batch_dims=1)),
        "embedding_lookup": lambda: of(lambda x: tf.nn.embedding_lookup(x, [0, 2])),
        "embedding_lookup repeated": lambda: of(lambda x: tf.nn.embedding_lookup(x, [2, 0, 2])),
        "gather_nd": lambda: of(lambda x: tf.gather_nd(x, [[0], [2]])),
        "gather_nd elements": lambda: of(lambda x: tf.gather_nd(x, [[0, 1], [2, 0]])),
        "slice": lambda: of(lambda x: x[1:]),
        "row": lambda: of(lambda x: x[1]),
        "boolean_mask": lambda: of(lambda x: tf.boolean_mask(x, [True, False, True])),
        "scaled": lambda: of(lambda x: tf.gather(x, [0, 2]) * 3.0),
        "two gathers": lambda: (
            isinstance(_two_gathers(tf, v), tf.IndexedSlices),
            tf.convert_to_tensor(_two_gathers(tf, v)),
        ),
        "mixed with a dense use": lambda: of(lambda x: tf.reduce_sum(tf.gather(x, [0])) + tf.reduce_sum(x)),
        "behind an operation": lambda: of(lambda x: tf.gather(x * 2.0, [0, 2])),
        "source gathered from source": lambda: of(lambda x: tf.gather(tf.gather(x, [1, 2]), [0])),
        "unconnected zero": lambda: _unconnected(tf, v),
    }


def _two_gathers(tf, v):
    return _gradient(tf, lambda x: tf.gather(x, [0]) + tf.gather(x, [2]), v)


def _unconnected(tf, v):
    with tf.GradientTape() as tape:
        y = tf.gather(v, [0])
    other = tf.Variable([1.0])
    return tape.gradient(y, [v, other], unconnected_gradients="zero")


def arithmetic(tf):
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), tf.constant([0, 2, 0]), tf.constant([4, 1]))
    return {
        "convert_to_tensor": lambda: tf.convert_to_tensor(slices),
        "times a number": lambda: tf.convert_to_tensor(slices) * 2.0,
        "values": slices.values,
        "indices": slices.indices,
        "dense_shape": slices.dense_shape,
        "dtype": slices.dtype,
        "shape": slices.shape,
        "negative": lambda: -slices,
        "global_norm": lambda: tf.linalg.global_norm([slices]),
        "clip_by_global_norm": lambda: tf.clip_by_global_norm([slices], 1.0),
        "clip_by_norm": lambda: tf.clip_by_norm(slices, 1.0),
        "clip_by_value": lambda: tf.clip_by_value(slices, -1.0, 2.0),
        "add_n": lambda: tf.add_n([slices, tf.ones((4, 1))]),
        "without a dense shape": lambda: tf.convert_to_tensor(tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]))),
        "plus a tensor": lambda: slices + tf.ones((4, 1)),
    }
