"""Variables: creation, assignment, slices of them, snapshots."""

import operator

import numpy as np


def creation(tf):
    return {
        "float": lambda: tf.Variable(1.0),
        "int": lambda: tf.Variable(1),
        "numpy float64": lambda: tf.Variable(np.array([1.0])),
        "dtype": lambda: tf.Variable(1, dtype=tf.float64),
        "dtype string": lambda: tf.Variable(1, dtype="float16"),
        "callable": lambda: tf.Variable(lambda: tf.ones(2)),
        "of a variable": lambda: tf.Variable(tf.Variable([1.0])),
        "of a tensor": lambda: tf.Variable(tf.constant([1, 2])),
        "tensor and other dtype": lambda: tf.Variable(tf.constant(1.0), dtype=tf.float64),
        "nothing": lambda: tf.Variable(),
        "None": lambda: tf.Variable(None),
        "trainable": lambda: tf.Variable(1.0).trainable,
        "not trainable": lambda: tf.Variable(1.0, trainable=False).trainable,
        "int trainable": lambda: tf.Variable(1).trainable,
        "shape argument": lambda: tf.Variable([1.0, 2.0], shape=(2,)).shape,
        "shape misfit": lambda: tf.Variable([1.0, 2.0], shape=(3,)),
        "ragged": lambda: tf.Variable([[1.0], [1.0, 2.0]]),
        "initialized_value": lambda: tf.Variable(2.0).read_value(),
        "value": lambda: tf.Variable(2.0).value(),
        "numpy": lambda: tf.Variable([2.0]).numpy(),
    }


def assignment(tf):
    def after(change, initial=(1.0, 2.0)):
        v = tf.Variable(list(initial))
        result = change(v)
        return [v, result.numpy() if hasattr(result, "numpy") else result]

    def failed(change):
        v = tf.Variable([1.0, 2.0])
        try:
            change(v)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError):
            return v
        return "no error"

    return {
        "assign": lambda: after(lambda v: v.assign([3.0, 4.0])),
        "assign returns the variable's value": lambda: tf.Variable([1.0]).assign([3.0]).numpy(),
        "assign_add": lambda: after(lambda v: v.assign_add([3.0, 4.0])),
        "assign_sub": lambda: after(lambda v: v.assign_sub([3.0, 4.0])),
        "assign read_value False": lambda: tf.Variable([1.0]).assign([2.0], read_value=False),
        "chained": lambda: after(lambda v: v.assign_add([1.0, 1.0]).assign_sub([3.0, 3.0])),
        "assign wrong shape": lambda: tf.Variable([1.0, 2.0]).assign([1.0]),
        "assign scalar to vector": lambda: tf.Variable([1.0, 2.0]).assign(1.0),
        "assign_add wrong shape": lambda: tf.Variable([1.0, 2.0]).assign_add([1.0]),
        "assign_add does not broadcast": lambda: tf.Variable([1.0, 2.0]).assign_add(1.0),
        "assign_sub wrong shape": lambda: tf.Variable([1.0, 2.0]).assign_sub([[1.0, 2.0]]),
        "assign other dtype": lambda: tf.Variable([1.0]).assign(tf.constant([1.0], tf.float64)),
        "assign ints": lambda: after(lambda v: v.assign([3, 4])),
        "assign numpy float64": lambda: after(lambda v: v.assign(np.array([3.0, 4.0]))),
        "assign float to int": lambda: tf.Variable([1]).assign([1.5]),
        "assign None": lambda: tf.Variable([1.0]).assign(None),
        "assign_add other dtype": lambda: tf.Variable([1.0]).assign_add(tf.constant([1.0], tf.float64)),
        "unchanged after a wrong shape": lambda: failed(lambda v: v.assign([1.0])),
        "unchanged after a wrong add": lambda: failed(lambda v: v.assign_add([1.0, 2.0, 3.0])),
        "assign itself": lambda: after(lambda v: v.assign(v + v)),
        "assign from its slice": lambda: after(lambda v: v.assign(v[::-1])),
        "name argument": lambda: after(lambda v: v.assign([0.0, 0.0], name="zero")),
    }


def augmented_operators(tf):
    def rebinds(operator):
        v = tf.Variable([4.0])
        scope = {"v": v}
        exec(f"v {operator} 2.0", scope)
        return [isinstance(scope["v"], tf.Variable), scope["v"]]

    return {operator: (lambda operator=operator: rebinds(operator)) for operator in ("+=", "-=", "*=", "/=", "**=")}


def augmented_operators_on_tensors(tf):
    def changed():
        x = tf.constant([4.0])
        y = x
        x += 2.0
        return [x, y]

    return {"+= makes a new tensor": changed}


def slice_assignment(tf):
    def after(change):
        v = tf.Variable([1.0, 2.0, 3.0])
        change(v)
        return v

    def matrix_after(change):
        v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        change(v)
        return v

    return {
        "slice": lambda: after(lambda v: v[1:].assign([5.0, 6.0])),
        "element": lambda: after(lambda v: v[0].assign(9.0)),
        "step": lambda: after(lambda v: v[::2].assign([7.0, 8.0])),
        "broadcasts": lambda: after(lambda v: v[1:].assign(0.0)),
        "column": lambda: matrix_after(lambda v: v[:, 1].assign([7.0, 8.0])),
        "row": lambda: matrix_after(lambda v: v[0].assign([7.0, 8.0])),
        "wrong shape": lambda: after(lambda v: v[1:].assign([1.0, 2.0, 3.0])),
        "item assignment": lambda: operator.setitem(tf.Variable([1.0]), 0, 1.0),
    }


def sparse_assignment(tf):
    def slices(values, indices):
        return tf.IndexedSlices(tf.constant(values), tf.constant(indices))

    def after(change):
        v = tf.Variable([[1.0], [2.0], [3.0]])
        change(v)
        return v

    return {
        "scatter_add": lambda: after(lambda v: v.scatter_add(slices([[10.0], [20.0]], [0, 2]))),
        "scatter_add repeated": lambda: after(lambda v: v.scatter_add(slices([[10.0], [20.0]], [1, 1]))),
        "scatter_sub": lambda: after(lambda v: v.scatter_sub(slices([[10.0]], [1]))),
        "scatter_update": lambda: after(lambda v: v.scatter_update(slices([[10.0]], [2]))),
        "scatter_mul": lambda: after(lambda v: v.scatter_mul(slices([[10.0]], [2]))),
        "scatter_max": lambda: after(lambda v: v.scatter_max(slices([[2.5]], [2]))),
        "scatter_min": lambda: after(lambda v: v.scatter_min(slices([[2.5]], [2]))),
        "scatter_nd_add": lambda: after(lambda v: v.scatter_nd_add([[1], [2]], [[5.0], [6.0]])),
        "scatter_nd_update": lambda: after(lambda v: v.scatter_nd_update([[1]], [[5.0]])),
        "out of range": lambda: after(lambda v: v.scatter_add(slices([[10.0]], [3]))),
        "sparse_read": lambda: tf.Variable([[1.0], [2.0]]).sparse_read([1, 0]),
        "gather_nd": lambda: tf.Variable([[1.0], [2.0]]).gather_nd([[1]]),
    }


def snapshots(tf):
    def read_then(read, change):
        v = tf.Variable([1.0, 2.0])
        before = read(v)
        change(v)
        return [before, v]

    def add(v):
        return v.assign_add([1.0, 1.0])

    return {
        "value": lambda: read_then(lambda v: v.value(), add),
        "read_value": lambda: read_then(lambda v: v.read_value(), add),
        "identity": lambda: read_then(tf.identity, add),
        "convert_to_tensor": lambda: read_then(tf.convert_to_tensor, add),
        "numpy": lambda: read_then(lambda v: v.numpy().copy(), add),
        "slice": lambda: read_then(lambda v: v[1:], add),
        "reshape": lambda: read_then(lambda v: tf.reshape(v, (2, 1)), add),
        "expand_dims": lambda: read_then(lambda v: tf.expand_dims(v, 0), lambda v: v.assign([8.0, 9.0])),
        "transpose": lambda: read_then(tf.transpose, lambda v: v.assign([8.0, 9.0])),
        "before a slice assignment": lambda: read_then(lambda v: v.value(), lambda v: v[0].assign(9.0)),
        "plus zero": lambda: read_then(lambda v: v + 0, add),
    }


def operators(tf):
    v = tf.Variable([1.0, 4.0])
    return {
        "add": lambda: v + 1,
        "radd": lambda: 1 + v,
        "pow": lambda: v**2,
        "neg": lambda: -v,
        "compare": lambda: v > 2,
        "matmul": lambda: tf.Variable([[1.0, 2.0]]) @ tf.Variable([[3.0], [4.0]]),
        "bool": lambda: bool(tf.Variable(0.0)),
        "float": lambda: float(tf.Variable(1.5)),
        "int": lambda: int(tf.Variable(3)),
        "reduce": lambda: tf.reduce_sum(v),
        "np": lambda: np.asarray(v),
        "sum with +": lambda: tf.Variable([1.0]) + tf.Variable([2.0]),
        "list + list": lambda: len([tf.Variable(1.0)] + [tf.Variable(2.0)]),
    }


def modules(tf):
    class Inner(tf.Module):
        def __init__(self):
            super().__init__(name="inner")
            self.b = tf.Variable([0.0], name="b")

    class Outer(tf.Module):
        def __init__(self):
            super().__init__()
            self.z = tf.Variable([1.0], name="z")
            self.a = tf.Variable([2.0], name="a")
            self.inner = Inner()
            self.items = [tf.Variable([3.0], name="i0"), {"k": tf.Variable([4.0], name="i1")}]
            self.frozen = tf.Variable([5.0], trainable=False, name="f")
            self.again = self.z

    return {
        "variables": lambda: [v.name for v in Outer().variables],
        "trainable_variables": lambda: [v.name for v in Outer().trainable_variables],
        "submodules": lambda: [type(m).__name__ for m in Outer().submodules],
        "kind": lambda: type(Outer().variables).__name__,
        "name": lambda: Outer().name,
        "given name": lambda: Inner().name,
        "bad name": lambda: tf.Module(name="not a name"),
        "name_scope": lambda: _scoped(tf, Outer()),
        "trainable name": lambda: tf.Module(name="ok").name,
    }


def _scoped(tf, module):
    with module.name_scope:
        return tf.Variable(1.0, name="v").name


def moving_averages(tf):
    def averaged(decay, dtype="float32", **options):
        v = tf.Variable([1.0, 2.0], dtype=dtype, name="w")
        average = tf.train.ExponentialMovingAverage(decay, **options)
        before = average.average(v), average.average_name(v)
        first = average.apply([v]), average.average(v).numpy()
        v.assign([2.0, 4.0])
        average.apply([v])
        name = average.average(v).name if "name" in options else ""  # TensorFlow numbers names that were used
        return [*before, *first, average.average(v).numpy(), average.average(v).dtype, name]

    def in_function():
        v, count = tf.Variable([1.0, 2.0]), tf.Variable(0)
        average = tf.train.ExponentialMovingAverage(tf.Variable(0.99), num_updates=count)
        average.apply([v])

        @tf.function
        def step(x):
            v.assign_add(x)
            count.assign_add(1)
            average.apply([v])

        for _ in range(3):
            step(tf.constant([1.0, -1.0]))
        return average.average(v).numpy()

    average = tf.train.ExponentialMovingAverage(0.9)
    return {
        "decay": lambda: averaged(0.9),
        "tensor": lambda: averaged(tf.constant(0.5), zero_debias=True),
        "named": lambda: averaged(0.5, name="mean"),
        "float64": lambda: averaged(0.9, "float64"),
        "float16": lambda: averaged(0.5, "float16"),
        "updates": lambda: averaged(0.9, num_updates=3),
        "in a function": in_function,
        "name": lambda: average.name,
        "trainable": lambda: averaged(0.9) and average.average(tf.Variable(1.0)),
        "nothing": lambda: average.apply([]),
        "a tensor": lambda: average.apply([tf.constant(1.0)]),
        "integers": lambda: average.apply([tf.Variable(1)]),
        "one variable": lambda: average.apply(tf.Variable([1.0, 2.0])),
        "restored": lambda: sorted(average.variables_to_restore([tf.Variable(1.0, name="r")])),
    }
