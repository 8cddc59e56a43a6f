"""Gathering, scattering, sorting, searching."""


def gathering(tf):
    x = tf.constant([[1, 2, 3], [4, 5, 6]])
    return {
        "rows": lambda: tf.gather(x, [1, 0, 1]),
        "scalar": lambda: tf.gather(x, 1),
        "axis": lambda: tf.gather(x, [2, 0], axis=1),
        "axis -1": lambda: tf.gather(x, [2, 0], axis=-1),
        "matrix of indices": lambda: tf.gather(x, [[0, 1], [1, 1]]),
        "batch_dims": lambda: tf.gather(x, [[0, 2], [1, 1]], axis=1, batch_dims=1),
        "nothing": lambda: tf.gather(x, tf.zeros((0,), tf.int32)),
        "beyond": lambda: tf.gather(x, [2]),
        "negative": lambda: tf.gather(x, [-1]),
        "beyond on another axis": lambda: tf.gather(x, [3], axis=1),
        "float indices": lambda: tf.gather(x, [0.0]),
        "bad axis": lambda: tf.gather(x, [0], axis=2),
        "int64 indices": lambda: tf.gather(x, tf.constant([1], tf.int64)),
        "uint8 indices": lambda: tf.gather(x, tf.constant([1], tf.uint8)),
        "of a variable": lambda: tf.gather(tf.Variable([1.0, 2.0]), [1]),
        "gather_nd": lambda: tf.gather_nd(x, [[0, 1], [1, 2]]),
        "gather_nd rows": lambda: tf.gather_nd(x, [[1]]),
        "gather_nd whole": lambda: tf.gather_nd(x, tf.zeros((1, 0), tf.int32)),
        "gather_nd batch_dims": lambda: tf.gather_nd(x, [[1], [2]], batch_dims=1),
        "gather_nd beyond": lambda: tf.gather_nd(x, [[2, 0]]),
        "gather_nd negative": lambda: tf.gather_nd(x, [[-1, 0]]),
        "gather_nd too deep": lambda: tf.gather_nd(x, [[0, 0, 0]]),
        "embedding_lookup": lambda: tf.nn.embedding_lookup(tf.constant([[1.0], [2.0]]), [1, 0]),
        "embedding_lookup beyond": lambda: tf.nn.embedding_lookup(tf.constant([[1.0], [2.0]]), [2]),
        "embedding_lookup negative": lambda: tf.nn.embedding_lookup(tf.constant([[1.0], [2.0]]), [-1]),
        "embedding_lookup max_norm": lambda: tf.nn.embedding_lookup(tf.constant([[3.0, 4.0]]), [0], max_norm=1.0),
        "take by one_hot": lambda: tf.one_hot([1], 2) @ tf.constant([[1.0], [2.0]]),
    }


def scattering(tf):
    x = tf.constant([10.0, 20.0, 30.0])
    return {
        "scatter_nd": lambda: tf.scatter_nd([[1], [3]], [5, 6], [4]),
        "scatter_nd sums": lambda: tf.scatter_nd([[1], [1]], [5, 6], [3]),
        "scatter_nd rows": lambda: tf.scatter_nd([[1]], [[5, 6]], [2, 2]),
        "scatter_nd beyond": lambda: tf.scatter_nd([[4]], [5], [4]),
        "scatter_nd negative": lambda: tf.scatter_nd([[-1]], [5], [4]),
        "scatter_nd misfit": lambda: tf.scatter_nd([[0], [1]], [5], [4]),
        "add": lambda: tf.tensor_scatter_nd_add(x, [[0], [0]], [1.0, 2.0]),
        "sub": lambda: tf.tensor_scatter_nd_sub(x, [[0]], [1.0]),
        "update": lambda: tf.tensor_scatter_nd_update(x, [[2]], [1.0]),
        "max": lambda: tf.tensor_scatter_nd_max(x, [[2], [0]], [1.0, 99.0]),
        "min": lambda: tf.tensor_scatter_nd_min(x, [[2], [0]], [1.0, 99.0]),
        "update beyond": lambda: tf.tensor_scatter_nd_update(x, [[3]], [1.0]),
        "update misfit": lambda: tf.tensor_scatter_nd_update(x, [[2]], [1.0, 2.0]),
        "dynamic_partition": lambda: tf.dynamic_partition([1, 2, 3], [1, 0, 1], 2),
        "dynamic_stitch": lambda: tf.dynamic_stitch([[0, 2], [1]], [[1, 3], [2]]),
    }


def sorting(tf):
    x = tf.constant([3.0, 1.0, 2.0, 1.0])
    return {
        "sort": lambda: tf.sort(x),
        "sort descending": lambda: tf.sort(x, direction="DESCENDING"),
        "sort axis": lambda: tf.sort([[3, 1], [0, 2]], axis=0),
        "sort of ints": lambda: tf.sort([3, 1, 2]),
        "sort direction unknown": lambda: tf.sort(x, direction="SIDEWAYS"),
        "sort of a scalar": lambda: tf.sort(tf.constant(1.0)),
        "argsort": lambda: tf.argsort([3.0, 1.0, 2.0]),
        "argsort stable": lambda: tf.argsort(x, stable=True),
        "argsort descending": lambda: tf.argsort([3, 1, 2], direction="DESCENDING"),
        "argsort rows": lambda: tf.argsort([[2.0, 1.0], [0.0, 3.0]]),
        "top_k": lambda: tf.math.top_k([1.0, 5.0, 3.0], 2),
        "top_k default": lambda: tf.math.top_k([1.0, 5.0, 3.0]),
        "top_k ties": lambda: tf.math.top_k([2.0, 5.0, 5.0, 2.0], 4),
        "top_k fields": lambda: [tf.math.top_k([1.0, 5.0], 1).values, tf.math.top_k([1.0, 5.0], 1).indices],
        "top_k rows": lambda: tf.math.top_k([[1, 2], [4, 3]], 1),
        "top_k too many": lambda: tf.math.top_k([1.0], 2),
        "top_k negative": lambda: tf.math.top_k([1.0], -1),
        "in_top_k": lambda: tf.math.in_top_k([1, 0], [[0.1, 0.9], [0.2, 0.8]], 1),
        "nn.in_top_k": lambda: tf.nn.in_top_k([1], [[0.5, 0.5]], 1),
        "searchsorted": lambda: tf.searchsorted([1.0, 3.0, 3.0, 5.0], [3.0, 0.0, 9.0]),
        "searchsorted right": lambda: tf.searchsorted([1.0, 3.0, 3.0, 5.0], [3.0], side="right"),
        "searchsorted int64": lambda: tf.searchsorted([1, 3], [2], out_type=tf.int64),
        "searchsorted rows": lambda: tf.searchsorted([[1, 3], [5, 7]], [[2], [6]]),
        "unique": lambda: tf.unique([3, 1, 3, 2]),
        "unique fields": lambda: [tf.unique([3, 1, 3]).y, tf.unique([3, 1, 3]).idx],
        "unique int64": lambda: tf.unique([3, 3], out_idx=tf.int64),
        "unique of a matrix": lambda: tf.unique([[1, 2]]),
        "unique_with_counts": lambda: tf.unique_with_counts([3, 1, 3]),
        "invert_permutation": lambda: tf.math.invert_permutation([2, 0, 1]),
        "nth smallest": lambda: tf.sort([3, 1, 2])[1],
        "percentile by sort": lambda: tf.sort(x)[tf.size(x) // 2],
    }
