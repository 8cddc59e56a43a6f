"""The steps of TensorFlow's tutorial "NumPy API on TensorFlow", with NumPy's behaviour: prints dtypes, shapes and elements.

``python numpy_tutorial.py tensorflow > numpy_tutorial.txt`` records TensorFlow's.
"""

import importlib
import sys

import numpy as np

tf = importlib.import_module(sys.argv[1])
tnp = tf.experimental.numpy
tnp.experimental_enable_numpy_behavior()


def show(*xs):
    for x in xs:
        a = np.asarray(x)
        print(a.dtype, a.shape, np.round(a.astype(float).ravel()[:8], 5).tolist())


ones = tnp.ones([5, 3], dtype=tnp.float32)
show(ones)
print(ones.shape, ones.ndim, ones.size)
values = [tnp.asarray(1, dtype=d) for d in (tnp.int32, tnp.int64, tnp.float32, tnp.float64)]
for a in values:
    print(
        [(a + b).dtype.name for b in values],
        (a + 2.5).dtype.name,
        (2 + a).dtype.name,
        (a * True).dtype.name,
        (a / 3).dtype.name,
        (a < 2.5).dtype.name,
        (3 - a).dtype.name,
    )
x = tnp.ones([2, 3])
y = tnp.ones([3])
z = tnp.ones([1, 2, 1])
show(x + y + z)
x = tnp.arange(24).reshape(2, 3, 4)
show(x, x[1, tnp.newaxis, 1, :], x[:, :, ::-1], x[..., 1])
mask = x > 5
show(
    x[mask],
    x[[0, 1], [1, 2]],
    x[:, [0, 2]],
    x[[1, 0], :, [2, 3]],
    x[x[:, 0, 0] > 3],
    x[np.array([[0, 1], [1, 0]])],
    x[..., tnp.asarray([0, -1])],
    x[0][[True, False, True]],
    x[:, 1, [0, 3]],
)
show(
    x.T,
    x.ravel(),
    x.flatten(),
    x.transpose((1, 0, 2)),
    x.astype(tnp.float32),
    x.clip(3, 7),
    x.max(),
    x.min(axis=0),
    x.mean(),
    round(tnp.asarray(2.567), 1),
)
print(x[0].tolist(), (+x).shape)
try:
    x[1] = -1
except TypeError:
    print("TypeError")


def compute(v):
    h = tnp.matmul(tnp.reshape(v, (2, 2)), tnp.ones((2, 2)))
    return tnp.sum(tnp.tanh(h) ** 2)


v = tf.constant([1.0, 2.0, 3.0, 4.0], tf.float64)
with tf.GradientTape() as t:
    t.watch(v)
    l = compute(v)
show(l, t.gradient(l, v), tf.function(compute)(v), tf.vectorized_map(lambda r: tnp.sum(r * 2), x))
show(np.sum(tnp.ones(3)), tnp.sum(np.ones(3)), np.ones(3, np.float32) + tnp.ones(3), tf.Variable([1, 2]) + 0.5)


class Model(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tnp.ones((3, 2)) * 0.5)

    def __call__(self, x):
        return tnp.maximum(tnp.matmul(x, self.w), 0)


m = Model()
x = tnp.ones((4, 3), tnp.float32)
with tf.GradientTape() as t:
    l = tnp.mean(m(x))
show(l, t.gradient(l, m.w), tnp.random.randn(3, 2).shape, x == 1, x != 2, tf.constant(3) == 3.5)
