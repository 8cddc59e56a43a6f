"""Tensors as Python objects: comparison, truth, iteration, indexing, attributes."""

import copy
import operator
import pickle

import numpy as np


def equality(tf):
    x = tf.constant([1.0, 2.0])
    return {
        "elementwise": lambda: x == [1.0, 3.0],
        "number": lambda: x == 1,
        "not equal": lambda: x != 1.0,
        "incompatible shapes": lambda: x == tf.constant([1.0, 2.0, 3.0]),
        "incompatible shapes !=": lambda: x != tf.constant([1.0, 2.0, 3.0]),
        "tf.equal incompatible": lambda: tf.equal(x, [1.0, 2.0, 3.0]),
        "None": lambda: x == None,  # noqa: E711 (equality with None is the question)
        "not None": lambda: x != None,  # noqa: E711
        "is not None": x is not None,
        "nan": lambda: tf.constant(float("nan")) == float("nan"),
        "broadcasts": lambda: tf.constant([[1], [2]]) == tf.constant([1, 2]),
        "variable": lambda: tf.Variable([1.0, 2.0]) == x,
        "variables": lambda: tf.Variable(1.0) == tf.Variable(1.0),
        "in a list": lambda: tf.constant(1) in [tf.constant(2), tf.constant(1)],
        "vector in a list": lambda: x in [x],
        "less incompatible": lambda: x < tf.constant([1.0, 2.0, 3.0]),
        "compare": lambda: [x < 2, x <= 2, x > 1, x >= 1],
        "reflected compare": lambda: [1 < x, 2 >= x],
    }


def hashing(tf):
    x, v = tf.constant(1.0), tf.Variable(1.0)
    return {
        "tensor": lambda: hash(x),
        "variable": lambda: hash(v),
        "tensor as key": lambda: {x: 1},
        "variable as key": lambda: {v: 1},
        "ref as key": lambda: {x.ref(): 1}[x.ref()],
        "variable ref as key": lambda: {v.ref(): 1}[v.ref()],
        "deref": lambda: v.ref().deref() is v,
        "refs of two variables": lambda: v.ref() == tf.Variable(1.0).ref(),
        "variable in a set": lambda: {v},
    }


def missing_attributes(tf):
    x = tf.constant([[1.0, 2.0]])
    return {
        "T": lambda: x.T,
        "reshape": lambda: x.reshape,
        "astype": lambda: x.astype,
        "item": lambda: x.item,
        "size": lambda: x.size,
        "tolist": lambda: x.tolist,
        "mean": lambda: x.mean,
        "sum": lambda: x.sum,
        "transpose": lambda: x.transpose,
        "variable T": lambda: tf.Variable([1.0]).T,
        "variable reshape": lambda: tf.Variable([1.0]).reshape,
        "unknown": lambda: x.nonsense,
        "new attribute of a variable": lambda: setattr(tf.Variable(1.0), "mine", 1),
    }


def python_values(tf):
    return {
        "bool": lambda: [bool(tf.constant(True)), bool(tf.constant(0)), bool(tf.constant(0.5)), bool(tf.constant([2]))],
        "bool of a vector": lambda: bool(tf.constant([1, 2])),
        "bool of an empty": lambda: bool(tf.constant([])),
        "bool of a 1x1": lambda: bool(tf.constant([[3.0]])),
        "not": lambda: not tf.constant(False),
        "if": lambda: "yes" if tf.constant(1) > 0 else "no",
        "and": lambda: tf.constant(True) and tf.constant(False),
        "int": lambda: int(tf.constant(3.9)),
        "int of a vector": lambda: int(tf.constant([1, 2])),
        "float": lambda: float(tf.constant(3)),
        "float of a vector": lambda: float(tf.constant([1.0, 2.0])),
        "complex": lambda: repr(complex(tf.constant(3.0))),
        "index": lambda: [10, 20, 30][tf.constant(1)],
        "range": lambda: list(range(tf.constant(3))),
        "len": lambda: len(tf.zeros((3, 2))),
        "len of a scalar": lambda: len(tf.constant(1)),
        "iteration": lambda: list(tf.constant([[1, 2], [3, 4]])),
        "iteration over a scalar": lambda: list(tf.constant(1)),
        "iteration over a variable": lambda: list(tf.Variable([1.0, 2.0])),
        "unpacking": lambda: (lambda a, b: [b, a])(*tf.constant([1.0, 2.0])),
        "zip": lambda: [float(a * b) for a, b in zip(tf.constant([1.0, 2.0]), [3.0, 4.0], strict=True)],
        "sum": lambda: sum(tf.constant([1.0, 2.0])),
        "max": lambda: max(tf.constant([1.0, 3.0, 2.0])),
        "sorted": lambda: sorted(tf.constant([3, 1, 2])),
        "abs": lambda: abs(tf.constant([-1.5])),
        "pow": lambda: pow(tf.constant(2), 3),
        "numpy": lambda: tf.constant([1.0]).numpy(),
        "numpy of a scalar": lambda: tf.constant(1.5).numpy(),
        "numpy of a bool scalar": lambda: tf.constant(True).numpy(),
        "numpy is a copy": lambda: _changed_copy(tf),
        "np.array": lambda: np.array(tf.constant([1, 2])),
        "np.asarray dtype": lambda: np.asarray(tf.constant([1, 2]), np.float64),
        "np.sum": lambda: np.sum(tf.constant([1.0, 2.0])),
        "np.mean": lambda: np.mean(tf.constant([[1.0, 2.0], [3.0, 6.0]]), axis=0),
        "np.exp": lambda: np.exp(tf.constant([0.0])),
        "np.square of a variable": lambda: np.square(tf.Variable([3.0])),
        "np.stack": lambda: np.stack([tf.constant([1.0]), tf.constant([2.0])]),
        "item assignment": lambda: operator.setitem(tf.constant([1.0]), 0, 2.0),
        "deletion": lambda: operator.delitem(tf.constant([1.0]), 0),
        "ndim": lambda: tf.zeros((2, 3)).ndim,
        "device": lambda: tf.constant(1.0).device.endswith("CPU:0"),
        "matmul operator": lambda: tf.constant([[1.0, 2.0]]) @ tf.constant([[3.0], [4.0]]),
        "list @": lambda: [[1.0, 2.0]] @ tf.constant([[3.0], [4.0]]),
        "matmul of scalars": lambda: tf.constant(1.0) @ tf.constant(1.0),
        "vector @ vector": lambda: tf.constant([1.0]) @ tf.constant([1.0]),
        "xor or": lambda: [tf.constant([True, False]) ^ True, tf.constant([True, False]) | False],
        "reflected and": lambda: True & tf.constant([True, False]),
    }


def _changed_copy(tf):
    x = tf.constant([1.0, 2.0])
    array = np.array(x)
    array[0] = 5.0
    return x


def inputs_are_copied(tf):
    def constant():
        array = np.ones(2, np.float32)
        x = tf.constant(array)
        array[0] = 5.0
        return x

    def variable():
        array = np.ones(2, np.float32)
        v = tf.Variable(array)
        array[0] = 5.0
        return v

    def assigned():
        array = np.ones(2, np.float32)
        v = tf.Variable([0.0, 0.0])
        v.assign(array)
        array[0] = 5.0
        return v

    def updated():
        array = np.ones(2, np.float32)
        v = tf.Variable(array)
        v.assign_add([1.0, 1.0])
        return array

    return {"constant": constant, "variable": variable, "assign": assigned, "assign leaves the array": updated}


def copying(tf):
    return {
        "pickle": lambda: pickle.loads(pickle.dumps(tf.constant([1.0, 2.0]).numpy())),
        "copy of a tensor": lambda: copy.copy(tf.constant([1.0])),
        "deepcopy of a tensor": lambda: copy.deepcopy(tf.constant([1.0])),
        "deepcopy of a variable": lambda: _deep_copied(tf),
        "deepcopy keeps the name": lambda: copy.deepcopy(tf.Variable(1.0, name="w")).name,
    }


def _deep_copied(tf):
    v = tf.Variable([1.0])
    other = copy.deepcopy(v)
    v.assign([2.0])
    return [v, other]


def indexing(tf):
    x = tf.reshape(tf.range(24), (2, 3, 4))
    v = tf.constant([10, 20, 30, 40])
    return {
        "int": lambda: v[1],
        "negative": lambda: v[-1],
        "slice": lambda: v[1:3],
        "step": lambda: v[::2],
        "reversed": lambda: v[::-1],
        "negative step with ends": lambda: v[3:0:-2],
        "open negative": lambda: v[-2:],
        "beyond": lambda: v[2:100],
        "nothing": lambda: v[3:1],
        "far negative start": lambda: v[-100:2],
        "index out of range": lambda: v[4],
        "negative index out of range": lambda: v[-5],
        "row": lambda: x[1],
        "element": lambda: x[1, 2, 3],
        "ellipsis": lambda: x[..., 0],
        "ellipsis in the middle": lambda: x[0, ..., 1:3],
        "two ellipses": lambda: x[..., 0, ...],
        "newaxis": lambda: v[:, tf.newaxis],
        "None first": lambda: v[None],
        "newaxis and ellipsis": lambda: tf.shape(x[..., None]),
        "mixed": lambda: x[0, 1:, ::2],
        "column": lambda: x[:, 1, 2],
        "too many": lambda: v[0, 0],
        "scalar": lambda: tf.constant(1)[0],
        "scalar ellipsis": lambda: tf.constant(1)[...],
        "scalar newaxis": lambda: tf.constant(1)[None],
        "tensor index": lambda: v[tf.constant(2)],
        "int64 tensor index": lambda: v[tf.constant(2, tf.int64)],
        "tensor in slice": lambda: v[tf.constant(1) : tf.constant(3)],
        "numpy index": lambda: v[np.int64(1)],
        "bool mask": lambda: v[v > 15],
        "mask of a matrix": lambda: x[0][x[0] > 9],
        "list index": lambda: v[[0, 2]],
        "vector tensor index": lambda: v[tf.constant([0, 2])],
        "float index": lambda: v[1.0],
        "string index": lambda: v["a"],
        "zero step": lambda: v[::0],
        "tuple slice": lambda: x[(0, slice(None), 1)],
        "variable": lambda: tf.Variable([1.0, 2.0, 3.0])[1:],
        "empty dimension": lambda: tf.zeros((0, 2))[0:1],
        "index into empty": lambda: tf.zeros((0, 2))[0],
    }


def read_only_facts(tf):
    x = tf.zeros((2, 3))
    return {
        "shape": x.shape,
        "dtype": x.dtype,
        "get_shape": x.get_shape(),
        "tf.shape": lambda: tf.shape(x),
        "tf.shape int64": lambda: tf.shape(x, out_type=tf.int64),
        "tf.rank": lambda: tf.rank(x),
        "tf.size": lambda: tf.size(x),
        "tf.size of empty": lambda: tf.size(tf.zeros((0, 4))),
        "shape of a list": lambda: tf.shape([[1, 2]]),
        "rank of a scalar": lambda: tf.rank(1.0),
        "shape_n": lambda: tf.shape_n([x, tf.zeros(4)]),
        "set_shape": lambda: x.set_shape((2, None)),
        "set_shape misfit": lambda: x.set_shape((3, 3)),
        "ensure_shape": lambda: tf.ensure_shape(x, (None, 3)),
        "ensure_shape misfit": lambda: tf.ensure_shape(x, (None, 4)),
        "executing_eagerly": tf.executing_eagerly(),
        "variable attributes": lambda: (lambda v: [v.shape, v.dtype, v.trainable, v.name])(tf.Variable([1.0])),
    }
