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
