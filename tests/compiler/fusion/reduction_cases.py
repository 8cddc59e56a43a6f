"""Shapes, axes and numbers for fused reductions."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind
from tests.compiler.recorded import record


def assert_near(found, wanted, what, rtol=None):
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, err_msg=what)
        return
    rtol = rtol or 32 * np.finfo(wanted.dtype).eps
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * float(size), err_msg=what)


def numbers(*shape, dtype=np.float64):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


AXES = [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)]
SHAPES = [(2, 3, 4), (1, 1, 1), (1, 5, 1), (3, 1, 33), (2, 31, 1), (5, 4, 300), (3, 70, 5), (1, 1, 1030), (130, 1, 257)]


def beside_its_maximum(axis):
    """Two results of a group's last loop: the first is made of x, but by the maximum alone, which an earlier loop gives."""

    def program(x, w):
        most = tf.reduce_max(x, axis, keepdims=True)
        return [w - most, x * most]

    x = np.ones((40, 300), np.float32)
    (node,) = [node for node in fuse(record(program, x, x)[0]).nodes if node.kind is Kind.FUSED]
    return node.payload
