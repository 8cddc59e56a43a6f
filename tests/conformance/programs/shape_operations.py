"""Reshaping, joining, cutting, padding and selecting."""


def reshaping(tf):
    x = tf.reshape(tf.range(6), (2, 3))
    return {
        "reshape": lambda: tf.reshape(x, (3, 2)),
        "minus one": lambda: tf.reshape(x, (-1,)),
        "minus one in the middle": lambda: tf.reshape(x, (1, -1, 2)),
        "to scalar": lambda: tf.reshape([5], []),
        "tensor shape": lambda: tf.reshape(x, tf.constant([6, 1])),
        "shape with tensors inside": lambda: tf.reshape(x, [tf.constant(3), 2]),
        "misfit": lambda: tf.reshape(x, (4, 2)),
        "two minus ones": lambda: tf.reshape(x, (-1, -1)),
        "indivisible": lambda: tf.reshape(x, (4, -1)),
        "negative": lambda: tf.reshape(x, (-2, 3)),
        "float shape": lambda: tf.reshape(x, (2.0, 3.0)),
        "expand_dims": lambda: tf.shape(tf.expand_dims(x, 1)),
        "expand_dims last": lambda: tf.shape(tf.expand_dims(x, -1)),
        "expand_dims beyond": lambda: tf.expand_dims(x, 4),
        "expand_dims without axis": lambda: tf.expand_dims(x),
        "squeeze": lambda: tf.shape(tf.squeeze(tf.zeros((1, 2, 1)))),
        "squeeze axis": lambda: tf.shape(tf.squeeze(tf.zeros((1, 2, 1)), axis=0)),
        "squeeze list": lambda: tf.shape(tf.squeeze(tf.zeros((1, 2, 1)), axis=[0, -1])),
        "squeeze of a large axis": lambda: tf.squeeze(tf.zeros((1, 2)), axis=1),
        "transpose": lambda: tf.transpose(x),
        "transpose perm": lambda: tf.transpose(tf.reshape(tf.range(8), (2, 2, 2)), [1, 2, 0]),
        "transpose negative perm": lambda: tf.transpose(tf.reshape(tf.range(8), (2, 2, 2)), [0, -1, -2]),
        "transpose wrong length": lambda: tf.transpose(x, [0]),
        "transpose twice the same": lambda: tf.transpose(x, [0, 0]),
        "transpose conjugate": lambda: tf.transpose(tf.constant([[1 + 1j]]), conjugate=True),
        "broadcast_to": lambda: tf.broadcast_to([1, 2], (2, 2)),
        "broadcast_to misfit": lambda: tf.broadcast_to([1, 2], (2, 3)),
        "broadcast_to fewer dimensions": lambda: tf.broadcast_to([[1, 2]], (2,)),
    }


def joining(tf):
    a, b = tf.constant([[1, 2]]), tf.constant([[3, 4]])
    return {
        "concat": lambda: tf.concat([a, b], 0),
        "concat axis 1": lambda: tf.concat([a, b], 1),
        "concat axis -1": lambda: tf.concat([a, b], axis=-1),
        "concat of one": lambda: tf.concat([a], 0),
        "concat of nothing": lambda: tf.concat([], 0),
        "concat misfit": lambda: tf.concat([a, tf.constant([[1, 2, 3]])], 0),
        "concat ranks": lambda: tf.concat([a, tf.constant([1, 2])], 0),
        "concat beyond": lambda: tf.concat([a, b], 2),
        "concat of lists": lambda: tf.concat([[1, 2], [3]], 0),
        "concat of variables": lambda: tf.concat([tf.Variable([1.0]), tf.Variable([2.0])], 0),
        "concat with an empty": lambda: tf.concat([tf.zeros((0, 2), tf.int32), a], 0),
        "stack": lambda: tf.stack([a, b]),
        "stack axis": lambda: tf.stack([[1, 2], [3, 4]], axis=1),
        "stack axis -1": lambda: tf.stack([[1, 2], [3, 4]], axis=-1),
        "stack of scalars": lambda: tf.stack([1, 2, 3]),
        "stack misfit": lambda: tf.stack([tf.constant([1]), tf.constant([1, 2])]),
        "stack beyond": lambda: tf.stack([1, 2], axis=2),
        "unstack": lambda: tf.unstack(tf.constant([[1, 2], [3, 4]])),
        "unstack axis": lambda: tf.unstack(tf.constant([[1, 2], [3, 4]]), axis=1),
        "unstack wrong num": lambda: tf.unstack(tf.constant([1, 2]), num=3),
        "unstack scalar": lambda: tf.unstack(tf.constant(1)),
        "split": lambda: tf.split(tf.range(6), 3),
        "split sizes": lambda: tf.split(tf.range(6), [1, 5]),
        "split rest": lambda: tf.split(tf.range(6), [1, -1, 2]),
        "split axis": lambda: tf.split(tf.reshape(tf.range(4), (2, 2)), 2, axis=1),
        "split indivisible": lambda: tf.split(tf.range(6), 4),
        "split sizes misfit": lambda: tf.split(tf.range(6), [1, 2]),
        "tile": lambda: tf.tile([[1, 2]], [2, 2]),
        "tile zero": lambda: tf.tile([1, 2], [0]),
        "tile misfit": lambda: tf.tile([1, 2], [2, 2]),
        "repeat": lambda: tf.repeat([1, 2], 2),
        "repeat counts": lambda: tf.repeat([1, 2, 3], [2, 0, 1]),
        "repeat axis": lambda: tf.repeat([[1, 2], [3, 4]], 2, axis=1),
    }


def cutting(tf):
    x = tf.reshape(tf.range(12), (3, 4))
    return {
        "slice": lambda: tf.slice(x, [1, 0], [2, 2]),
        "slice rest": lambda: tf.slice(x, [1, 1], [-1, -1]),
        "slice beyond": lambda: tf.slice(x, [1, 0], [3, 2]),
        "slice negative begin": lambda: tf.slice(x, [-1, 0], [1, 1]),
        "strided_slice": lambda: tf.strided_slice(x, [0, 1], [3, 4], [2, 2]),
        "strided_slice reversed": lambda: tf.strided_slice(tf.range(5), [4], [0], [-2]),
        "strided_slice masks": lambda: tf.strided_slice(x, [1, 1], [2, 3], begin_mask=1, end_mask=2),
        "strided_slice shrink": lambda: tf.strided_slice(x, [1, 0], [2, 4], shrink_axis_mask=1),
        "reverse": lambda: tf.reverse(x, [1]),
        "reverse two": lambda: tf.reverse(x, [0, -1]),
        "reverse beyond": lambda: tf.reverse(x, [2]),
        "reverse scalar axis": lambda: tf.reverse(x, 0),
        "roll": lambda: tf.roll(tf.range(5), 2, 0),
        "roll negative": lambda: tf.roll(tf.range(5), -1, 0),
        "roll axes": lambda: tf.roll(x, [1, -1], [0, 1]),
        "reverse_sequence": lambda: tf.reverse_sequence(x, [2, 4, 1], seq_axis=1),
    }


def padding(tf):
    x = tf.constant([[1, 2, 3]])
    return {
        "constant": lambda: tf.pad(x, [[1, 0], [0, 2]]),
        "value": lambda: tf.pad(x, [[0, 0], [1, 1]], constant_values=9),
        "reflect": lambda: tf.pad(x, [[0, 0], [2, 1]], "REFLECT"),
        "symmetric": lambda: tf.pad(x, [[0, 0], [2, 1]], "SYMMETRIC"),
        "lower case": lambda: tf.pad(x, [[0, 0], [1, 1]], "reflect"),
        "unknown mode": lambda: tf.pad(x, [[0, 0], [1, 1]], "EDGE"),
        "too much reflection": lambda: tf.pad(x, [[0, 0], [3, 0]], "REFLECT"),
        "misfit": lambda: tf.pad(x, [[1, 1]]),
        "negative": lambda: tf.pad(x, [[0, 0], [-1, 0]]),
    }


def selecting(tf):
    return {
        "where indices": lambda: tf.where([[True, False], [True, True]]),
        "where of numbers": lambda: tf.where([0.0, 2.0, -1.0]),
        "where of nothing": lambda: tf.where([False, False]),
        "where": lambda: tf.where([True, False], [1, 2], [3, 4]),
        "where broadcast": lambda: tf.where([[True], [False]], [1, 2], 0),
        "where only x": lambda: tf.where([True], [1]),
        "where misfit": lambda: tf.where([True, False], [1, 2, 3], [1, 2, 3]),
        "where of an int condition": lambda: tf.where([1, 0], [1, 2], [3, 4]),
        "where python numbers": lambda: tf.where([True, False], 1.0, 0.0),
        "boolean_mask": lambda: tf.boolean_mask([1, 2, 3], [True, False, True]),
        "boolean_mask rows": lambda: tf.boolean_mask([[1, 2], [3, 4]], [False, True]),
        "boolean_mask matrix": lambda: tf.boolean_mask([[1, 2], [3, 4]], [[True, False], [True, True]]),
        "boolean_mask axis": lambda: tf.boolean_mask([[1, 2], [3, 4]], [False, True], axis=1),
        "boolean_mask misfit": lambda: tf.boolean_mask([1, 2, 3], [True, False]),
        "boolean_mask scalar": lambda: tf.boolean_mask([1, 2], True),
        "sequence_mask": lambda: tf.sequence_mask([1, 3, 2], 4),
        "sequence_mask default": lambda: tf.sequence_mask([1, 3]),
        "sequence_mask dtype": lambda: tf.sequence_mask([1, 2], 2, tf.int32),
        "sequence_mask matrix": lambda: tf.sequence_mask([[1, 2]], 2),
        "space_to_batch": lambda: tf.space_to_batch(tf.reshape(tf.range(4), (1, 2, 2, 1)), [2, 2], [[0, 0], [0, 0]]),
        "space_to_depth": lambda: tf.nn.space_to_depth(tf.reshape(tf.range(4), (1, 2, 2, 1)), 2),
        "depth_to_space": lambda: tf.nn.depth_to_space(tf.reshape(tf.range(4), (1, 1, 1, 4)), 2),
    }
