"""``tf.experimental.RowPartition``: each factory, each encoding, functions and wrong arguments."""


def _partitions(tf):
    kind = tf.experimental.RowPartition
    return {
        "splits": kind.from_row_splits([0, 3, 3, 5]),
        "splits of int32": kind.from_row_splits([0, 3, 3, 5], dtype=tf.int32),
        "hint": kind.from_row_splits([0, 2], dtype_hint=tf.int32),
        "no check": kind.from_row_splits([0, 2, 4], validate=False),
        "lengths": kind.from_row_lengths([3, 0, 2]),
        "no rows": kind.from_row_splits([0]),
        "starts": kind.from_row_starts([0, 2, 2], nvals=5),
        "limits": kind.from_row_limits([2, 2, 5]),
        "rowids": kind.from_value_rowids([0, 0, 2]),
        "rowids and rows": kind.from_value_rowids([0, 0, 2], nrows=5),
        "uniform": kind.from_uniform_row_length(2, nvals=6),
        "uniform by rows": kind.from_uniform_row_length(2, nrows=4),
        "uniform of int32": kind.from_uniform_row_length(2, nrows=4, dtype=tf.int32),
        "empty rows": kind.from_uniform_row_length(0, 0, nrows=3),
        "no empty rows": kind.from_uniform_row_length(0, 0),
        "other dtype": kind.from_row_lengths([1, 2]).with_dtype(tf.int32),
        "tensor": kind.from_row_lengths(tf.constant([1, 2])),
    }


def encodings(tf):
    questions = {}
    for name, partition in _partitions(tf).items():
        questions |= {
            f"{name}: splits": lambda p=partition: p.row_splits(),
            f"{name}: lengths": lambda p=partition: p.row_lengths(),
            f"{name}: starts and limits": lambda p=partition: [p.row_starts(), p.row_limits()],
            f"{name}: rowids": lambda p=partition: p.value_rowids(),
            f"{name}: offsets": lambda p=partition: p.offsets_in_rows(),
            f"{name}: numbers": lambda p=partition: [p.nrows(), p.nvals(), p.static_nrows],
            f"{name}: uniform": lambda p=partition: [p.is_uniform(), p.uniform_row_length()],
            f"{name}: dtype": lambda p=partition: p.dtype.name,
            f"{name}: text": lambda p=partition: repr(p),
            f"{name}: function": lambda p=partition: tf.function(lambda x: x.row_lengths())(p),
            f"{name}: result": lambda p=partition: tf.function(lambda x: x)(p).row_splits(),
        }
    return questions


def wrong(tf):
    kind = tf.experimental.RowPartition
    return {
        "call": lambda: kind([0, 1]),
        "first": lambda: kind.from_row_splits([1, 2]),
        "descending": lambda: kind.from_row_splits([0, 2, 1]),
        "empty": lambda: kind.from_row_splits([]),
        "scalar": lambda: kind.from_row_splits(3),
        "floats": lambda: kind.from_row_splits([0.0]),
        "negative": lambda: kind.from_row_lengths([-1]),
        "starts": lambda: kind.from_row_starts([0, 9], nvals=5),
        "limits": lambda: kind.from_row_limits([3, 2]),
        "rowids": lambda: kind.from_value_rowids([1, 0]),
        "few rows": lambda: kind.from_value_rowids([0, 3], nrows=2),
        "nothing": lambda: kind.from_uniform_row_length(2),
        "no multiple": lambda: kind.from_uniform_row_length(2, 5),
        "negative length": lambda: kind.from_uniform_row_length(-2, nrows=1),
        "flag": lambda: kind.from_row_splits([0], validate=1),
        "dtype": lambda: kind.from_row_splits([0]).with_dtype(tf.float32),
    }


def dynamic_shapes(tf):
    shapes, partition = tf.experimental.DynamicRaggedShape, tf.experimental.RowPartition
    lengths, pairs = partition.from_row_lengths([2, 0, 3]), partition.from_uniform_row_length(2, nvals=6)
    deep = tf.ragged.constant([[[1, 2], [3]], [], [[4]]])
    flat = tf.ragged.constant([[1.0, 2.0], [], [3.0, 4.0, 5.0]])

    def parts(shape):
        lengths = [item if isinstance(item, tuple) else int(item) for item in shape.static_lengths()]
        return lengths, shape.num_row_partitions, shape.rank, shape.inner_shape, shape.dtype.name

    def gradient():
        x = tf.Variable([[1.0], [2.0], [3.0]])
        with tf.GradientTape() as tape:
            y = tf.broadcast_to(x, shapes.from_lengths([3, (2, 0, 3)])).flat_values * tf.range(5.0)
        return tape.gradient(y, x)

    @tf.function
    def compiled(x, shape):
        return tf.broadcast_to(x, shape), tf.ones(shape)

    mixed = shapes.from_lengths([2, (3, 2), 7])
    from_lengths = [[2, (3, 2)], [2, 2], [2, (2, 1), (2, 0, 3)], [2, (2, 2), 3], []]
    return {
        "of a ragged tensor": lambda: parts(shapes.from_tensor(deep)),
        "of a dense tensor": lambda: parts(shapes.from_tensor([[1, 2, 3]])),
        "of a tensor in int64": lambda: parts(shapes.from_tensor([[1, 2, 3]], dtype=tf.int64)),
        "tf.shape": lambda: [parts(tf.shape(flat)), parts(tf.shape(deep, out_type=tf.int64)), tf.shape(flat)[0]],
        "of partitions": lambda: parts(shapes.from_row_partitions([lengths])),
        "of partitions and sizes": lambda: parts(shapes([lengths], [5, 7])),
        "of lengths": lambda: [parts(shapes.from_lengths(item)) for item in from_lengths],
        "of lengths with partitions": lambda: [
            parts(shapes.from_lengths([2, 2, 3], num_row_partitions=count)) for count in (0, 1, 2)
        ],
        "without lengths": lambda: mixed.static_lengths(ragged_lengths=False),
        "is uniform": lambda: [mixed.is_uniform(axis) for axis in range(3)],
        "sizes": lambda: [mixed[0], mixed[2], mixed[-1]],
        "slices": lambda: [
            parts(shape) for shape in (mixed[:2], mixed[:1], mixed[:], shapes.from_lengths([2, 3, 7])[1:])
        ],
        "another dtype": lambda: parts(mixed.with_dtype(tf.int32)),
        "equal": lambda: [mixed == shapes.from_lengths([2, (3, 2), 7]), mixed == shapes.from_lengths([2, (2, 3), 7])],
        "broadcast a number": lambda: tf.broadcast_to(3, shapes.from_tensor(deep)),
        "broadcast rows": lambda: tf.broadcast_to([[10], [20], [30]], shapes.from_lengths([3, (2, 0, 3)])),
        "broadcast a ragged tensor": lambda: tf.broadcast_to(flat, shapes.from_lengths([2, 3, (2, 0, 3, 2, 0, 3)])),
        "broadcast sizes of 1": lambda: tf.broadcast_to([[[1]], [[2]]], shapes.from_lengths([2, (1, 2), 2])),
        "broadcast to a dense shape": lambda: tf.broadcast_to([1, 2], shapes.from_lengths([3, 2])),
        "broadcast gradient": gradient,
        "fill": lambda: (
            [call(shapes.from_lengths([2, (3, 2)])) for call in (tf.ones, tf.zeros)]
            + [
                tf.fill(shapes.from_lengths([2, (3, 2)]), 3),
                tf.reshape([1, 2, 3, 4, 5], shapes.from_lengths([2, (3, 2)])),
            ]
        ),
        "compiled": lambda: [compiled(tf.constant([[1], [2]]), shapes.from_lengths([2, (n, 2)])) for n in (3, 1, 3)],
        "no partitions": lambda: shapes.from_row_partitions([]),
        "number of values": lambda: shapes([pairs], [4]),
        "validated number of values": lambda: shapes([lengths], [4, 7], validate=True),
        "validated partitions": lambda: shapes([lengths, partition.from_row_lengths([1, 2])], [3], validate=True),
        "no partition": lambda: shapes([3], [4]),
        "no list": lambda: shapes(3, [4]),
        "lengths of too many rows": lambda: shapes.from_lengths([2, (3, 2, 1)]),
        "lengths of text": lambda: shapes.from_lengths([2, "a"]),
        "too many partitions": lambda: shapes.from_lengths([2, 3], num_row_partitions=2),
        "size of a ragged dimension": lambda: mixed[1],
        "no dimension": lambda: mixed[5],
        "step": lambda: mixed[::2],
        "slice without the first dimension": lambda: mixed[1:],
        "axis": lambda: mixed.is_uniform(3),
        "ragged rows of one value": lambda: tf.broadcast_to(
            tf.ragged.constant([[1], [2], [3]]), shapes.from_lengths([3, (2, 0, 3)])
        ),
        "row lengths": lambda: tf.broadcast_to(flat, shapes.from_lengths([3, (2, 2, 3)])),
        "dtypes": lambda: tf.broadcast_to(flat, shapes.from_lengths([3, (2, 0, 3)], dtype=tf.int32)),
    }
