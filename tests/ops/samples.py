"""Where each operation of the table is differentiated: functions of float64 tensors, and arrays away from their kinks.

``test_operation_table.py`` checks all of them and fails for a differentiable row that none of them reaches. Element-wise
rows whose public function is the row itself need no sample here: they get random numbers within their ``domain``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastgrad as tf
import fastgrad._src.structures.sparse.label_sequences  # its rows
from fastgrad import image, lookup, sets, signal, sparse, strings  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import Recorder, start, stop
from fastgrad._src.image.interpolation import interpolate
from fastgrad._src.image.resampling import resized_axis
from fastgrad._src.ops import recurrent  # noqa: F401
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.random_stateless import stateless_dropout
from tests.gradients import gradient_of

_rng = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


_places = [tf.constant([[0.25, 1.5, -5.0], [1.0, 0.75, 2.0]]), tf.constant([[0.5, 2.25, 1.0], [0.0, 1.25, 3.0]])]


def positive(*shape: int) -> np.ndarray:
    return _rng.uniform(0.5, 2.0, size=shape)


def distinct(*shape: int) -> np.ndarray:
    """Numbers at least 0.1 apart, and as far from 0."""
    count = int(np.prod(shape))
    return _rng.permutation(np.linspace(-1, 1, count + 1 + count % 2)[:count] + 0.35 / count).reshape(shape) * count / 5


def definite(n: int, *batch: int) -> np.ndarray:
    """Symmetric matrices with eigenvalues that are positive and far apart."""
    q = np.linalg.qr(_rng.normal(size=(*batch, n, n)))[0]
    return (q * np.arange(1.0, n + 1)) @ np.swapaxes(q, -1, -2)


@dataclass
class Sample:
    """``function`` at ``arrays``, whose derivatives up to ``order`` are checked."""

    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    order: int = 2


def of(function: Callable[..., Any], *arrays: Any, order: int = 2) -> Sample:
    return Sample(function, arrays, order)


def row(name: str, *arrays: Any, order: int = 2, **attributes: Any) -> Sample:
    """The row itself, for those without a public function of their own."""
    return Sample(lambda *xs: TABLE[name](*xs, **attributes), arrays, order)


def symmetric(x: tf.Tensor) -> tf.Tensor:
    """Decompositions read one triangle: differences need both moved together."""
    return (x + tf.linalg.matrix_transpose(x)) / 2


def at_maxima(v: tf.Tensor) -> tf.Tensor:
    """``v`` where the windows of a pooling have their maxima: what the gradient's gradient reads."""
    x = tf.constant(np.arange(24.0).reshape(1, 3, 4, 2) % 7)
    weights = tf.ones((1, 3, 4, 2), tf.float64)

    def scattered(weights: tf.Tensor) -> tf.Tensor:
        return gradient_of(lambda x: tf.reduce_sum(tf.nn.max_pool2d(x, 2, 1, "SAME") * weights), x) * v

    return gradient_of(scattered, weights) ** 2


SAMPLES: dict[str, Sample] = {
    # ---- arithmetic and comparison
    "add_n": of(lambda x, y, z: tf.add_n([x, y, z, x]), normal(2, 3), normal(2, 3), normal(2, 3)),
    "masked": of(lambda x: TABLE["masked"](x, tf.constant([True, False, True])), normal(2, 3)),
    "where": of(lambda x, y: tf.where([[True], [False]], x, y) ** 2, normal(2, 3), normal(3)),
    "betainc": of(lambda x: tf.math.betainc(np.array([1.5, 2.0]), np.array([0.7, 3.0]), x), np.array([0.3, 0.6])),
    "polygamma": of(lambda x: tf.math.polygamma(np.array([0.0, 1.0, 2.0]), x), positive(3)),
    "zeta": of(lambda q: tf.math.zeta(np.array([2.0, 3.5]), q), positive(2)),
    "igamma": of(lambda x: tf.math.igamma(np.array([0.5, 2.0, 9.0]), x), positive(3)),
    "igammac": of(lambda a: tf.math.igammac(a, np.array([0.4, 2.0, 9.0])), positive(3), order=1),
    "cast": of(lambda x: tf.cast(tf.cast(x, tf.complex128), tf.float64) ** 3, normal(3)),
    "identity": of(lambda x: tf.identity(x) ** 2, normal(3)),
    "copy_to_device": of(lambda x: TABLE["copy_to_device"](x, device="CPU:0") ** 2, normal(3)),
    # ---- complex numbers
    "complex": of(lambda x, y: tf.abs(tf.complex(x, y) * tf.complex(y, x * x)), normal(3), normal(3)),
    "conj": of(lambda x, y: tf.math.real(tf.math.conj(tf.complex(x, y)) ** 3), normal(3), normal(3)),
    "real": of(lambda x, y: tf.math.real(tf.exp(tf.complex(x, y))), normal(3), normal(3)),
    "imag": of(lambda x, y: tf.math.imag(tf.tanh(tf.complex(x, y))), normal(3), normal(3)),
    "angle": of(lambda x, y: tf.math.angle(tf.complex(x, y)), positive(3), normal(3)),
    # ---- reductions and running totals
    "reduce_sum": of(lambda x: tf.reduce_sum(x * x, axis=[0, -1]), normal(2, 3, 2)),
    "spread": of(lambda x: tf.reduce_sum(x**3, axis=1, keepdims=True), normal(2, 3)),
    "reduce_mean": of(lambda x: tf.reduce_mean(x**3, axis=1), normal(2, 3)),
    "reduce_prod": of(lambda x: tf.reduce_prod(x, axis=[0, 2]), normal(2, 2, 3)),
    "reduce_max": of(lambda x: tf.reduce_max(x, axis=0) ** 2, distinct(3, 2)),
    "reduce_min": of(lambda x: tf.reduce_min(x, axis=1) ** 2, distinct(3, 2)),
    "reduce_logsumexp": of(lambda x: tf.reduce_logsumexp(x, axis=-1), normal(2, 3)),
    "reduce_euclidean_norm": of(lambda x: tf.math.reduce_euclidean_norm(x, axis=0), normal(3, 2)),
    "cumsum": of(lambda x: tf.cumsum(x, axis=1, exclusive=True) ** 2, normal(2, 3)),
    "cumprod": of(lambda x: tf.math.cumprod(x, reverse=True), normal(4)),
    "cumulative_logsumexp": of(tf.math.cumulative_logsumexp, normal(4)),
    "shifted": of(lambda x: TABLE["shifted"](x, axis=0, reverse=False) ** 2, normal(3)),
    "linear_recurrence": row("linear_recurrence", normal(4), normal(4), axis=0, reverse=True),
    "clip_by_value": of(
        lambda x, low, high: tf.clip_by_value(x, low, high) ** 2, distinct(5), np.array(-0.7), np.array(0.7)
    ),
    "clip_by_norm": of(lambda x, c: tf.clip_by_norm(x, c, axes=1), normal(2, 3) + 2, np.array(1.5)),
    # ---- activations and losses
    "leaky_relu": of(lambda x: tf.nn.leaky_relu(x, 0.3) ** 2, distinct(5)),
    "softmax": of(tf.nn.softmax, normal(2, 3)),
    "log_softmax": of(tf.nn.log_softmax, normal(2, 3)),
    "softmax_across": of(lambda x: tf.nn.softmax(x, axis=1), normal(2, 3, 2)),
    "log_softmax_across": of(lambda x: tf.nn.log_softmax(x, axis=0), normal(3, 2)),
    "sparse_softmax_cross_entropy": of(
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits([2, 0], x), normal(2, 3)
    ),
    "softmax_cross_entropy": of(
        lambda t, x: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(t), x), normal(2, 3), normal(2, 3)
    ),
    "sum_of_squares": row("sum_of_squares", normal(3, 4)),
    "dense": row("dense", normal(2, 3), normal(3, 4), normal(4), activation="tanh"),
    "attention": of(
        lambda q, k, v: attention(q, k, v, scale=0.7, causal=True),
        normal(1, 3, 2, 2),
        normal(1, 3, 1, 2),
        normal(1, 3, 1, 2),
    ),
    "layer_normalization": of(
        lambda x, gamma, beta: TABLE["layer_normalization"](x, gamma, beta, epsilon=1e-3)[0],
        normal(2, 4),
        normal(4),
        normal(4),
    ),
    "lstm": of(
        lambda x, u, b, h, c: TABLE["lstm"](x, u, b, h, c, tf.constant([[True, True], [False, True], [True, True]]))[
            ::3
        ],
        normal(3, 2, 8),
        normal(2, 8),
        normal(8),
        normal(2, 2),
        normal(2, 2),
    ),
    "gru": of(
        lambda x, u, b, h: TABLE["gru"](x, u, b, h, tf.constant([[True, True], [False, True], [True, True]]))[::3],
        normal(3, 2, 6),
        normal(2, 6),
        normal(2, 6),
        normal(2, 2),
    ),
    "simple_rnn": of(
        lambda x, u, b, h: TABLE["simple_rnn"](x, u, b, h, tf.constant([[True, True], [False, True], [True, True]])),
        normal(3, 2, 2),
        normal(2, 2),
        normal(2),
        normal(2, 2),
    ),
    "batch_moments": of(TABLE["batch_moments"], normal(5, 3)),
    "normalize": of(TABLE["normalize"], normal(5, 3), normal(3), normal(3), normal(3)),
    "dropout": of(lambda x: stateless_dropout(x, 0.4, [1, 2]) ** 2, normal(8)),
    "check_numerics": of(lambda x: tf.debugging.check_numerics(x, "x") ** 2, normal(3)),
    # ---- products and linear algebra
    "matmul": of(lambda a, b: tf.matmul(a, b, transpose_b=True), normal(2, 2, 3), normal(4, 3)),
    "cholesky": of(lambda a: tf.linalg.cholesky(symmetric(a)), definite(3)),
    "triangular_solve": of(tf.linalg.triangular_solve, np.tril(normal(3, 3)) + 3 * np.eye(3), normal(3, 2)),
    "solve": of(tf.linalg.solve, definite(3), normal(3, 2)),
    "inv": of(tf.linalg.inv, definite(3)),
    "det": of(tf.linalg.det, definite(3)),
    "cofactors": of(TABLE["cofactors"], definite(3)),
    "cofactors_derivative": of(TABLE["cofactors_derivative"], normal(3, 3), definite(3)),
    "slogdet": of(lambda a: tf.linalg.slogdet(a)[1], definite(3)),
    "pinv": of(tf.linalg.pinv, normal(3, 2), order=1),
    "least_norm_solution": of(lambda a, b: tf.linalg.lstsq(a, b, fast=False), normal(3, 2), normal(3, 2), order=1),
    "cross": of(tf.linalg.cross, normal(2, 3), normal(2, 3)),
    "svd": of(lambda a: tf.linalg.svd(a)[0], normal(3, 3) + np.diag([1.0, 4.0, 9.0]), order=1),
    "qr": of(lambda a: tf.linalg.qr(a)[1] ** 2, normal(4, 3), order=1),
    "lu": of(lambda a: tf.linalg.lu(a)[0], definite(3), order=1),
    "eigh": of(lambda a: tf.linalg.eigh(symmetric(a))[0], definite(3)),
    "eig": of(lambda a: tf.math.real(tf.linalg.eig(a)[0]), definite(3), order=1),
    "expm": of(tf.linalg.expm, normal(2, 2), order=1),
    "logm": of(lambda a: tf.math.real(tf.linalg.logm(tf.cast(a, tf.complex128))), definite(2), order=1),
    "sqrtm": of(tf.linalg.sqrtm, definite(2), order=1),
    # ---- Fourier transforms
    "fft": of(lambda x, y: tf.abs(tf.signal.fft2d(tf.complex(x, y))) ** 2, normal(2, 3), normal(2, 3)),
    "ifft": of(lambda x, y: tf.math.real(tf.signal.ifft(tf.complex(x, y)) ** 2), normal(2, 5), normal(2, 5)),
    "rfft": of(lambda x: tf.abs(tf.signal.rfft(x, [5])) ** 2, normal(2, 4)),
    "irfft": of(lambda x, y: tf.signal.irfft(tf.complex(x, y), [6]) ** 2, normal(2, 4), normal(2, 4)),
    "sparse_dense_matmul": of(
        lambda v, x: tf.sparse.sparse_dense_matmul(tf.SparseTensor([[0, 1], [2, 0], [2, 1]], v, [3, 2]), x),
        normal(3),
        normal(2, 4),
    ),
    # ---- convolutions
    "convolution": of(
        lambda x, w: tf.nn.conv2d(x, w, strides=[1, 2, 1, 1], padding="SAME") ** 2,
        normal(1, 3, 3, 2),
        normal(2, 2, 2, 2),
    ),
    "max_pool": of(lambda x: tf.nn.max_pool2d(x, 2, 1, "SAME") ** 2, distinct(1, 3, 4, 2)),
    "max_pool_gather": of(at_maxima, normal(1, 3, 4, 2)),
    "avg_pool": of(lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME") ** 2, normal(1, 3, 4, 2)),
    "resample": of(lambda x: resized_axis(resized_axis(x, 5, 0, "bicubic"), 2, 1, "area") ** 2, normal(3, 4, 2)),
    "interpolate_pixels": of(
        lambda x: (
            interpolate(x, tf.constant([1, 0]), *_places, method="bilinear", fill=0.5) ** 2
            + interpolate(x, tf.constant([0, 0]), *_places, method="clamped_bilinear", fill=0.5) ** 2
        ),
        normal(2, 3, 4, 2),
    ),
    "window_sums": row("window_sums", normal(2, 5, 3), axis=1, weights=(0.5, 1.25, -0.75)),
    "dilation2d": of(
        lambda x, f: tf.nn.dilation2d(x, f, [1, 2, 1, 1], "SAME", "NHWC", [1, 1, 2, 1]) ** 2,
        distinct(1, 3, 4, 2),
        normal(2, 2, 2),
    ),
    "rgb_to_hsv": of(lambda x: tf.image.rgb_to_hsv(x) ** 2, distinct(2, 3) + 4),
    "hsv_to_rgb": of(lambda x: tf.image.hsv_to_rgb(x) ** 2, distinct(2, 3) / 8 + 0.5),
    "adjust_hue": row("adjust_hue", distinct(2, 3) + 4, np.float64(0.3)),
    "adjust_saturation": row("adjust_saturation", distinct(2, 3) + 4, np.float64(0.9)),
    "adjust_contrast": row("adjust_contrast", normal(2, 3, 2, 3), normal(2, 1, 1, 3), normal()),
    # ---- moving elements
    "reshape": of(lambda x: tf.reshape(x, [3, 2]) ** 2, normal(2, 3)),
    "transpose": of(lambda x: tf.transpose(x, [2, 0, 1]) ** 2, normal(2, 3, 2)),
    "broadcast_to": of(lambda x: tf.broadcast_to(x, [2, 3, 2]) ** 2, normal(3, 1)),
    "concat": of(lambda x, y: tf.concat([x, y, x], 1) ** 2, normal(2, 3), normal(2, 1)),
    "split": of(lambda x: [part**2 for part in tf.split(x, [1, 2], 1)], normal(2, 3)),
    "stack": of(lambda x, y: tf.stack([x, y], 1) ** 2, normal(3), normal(3)),
    "unstack": of(lambda x: tf.unstack(x, axis=1)[1] ** 2, normal(2, 3)),
    "pad": of(lambda x: tf.pad(x, [[1, 0], [2, 1]]) ** 2, normal(2, 3)),
    "mirror_pad": of(lambda x: tf.pad(x, [[1, 1], [2, 1]], "REFLECT") ** 2, normal(3, 3)),
    "reverse": of(lambda x: tf.reverse(x, [0]) ** 2, normal(3, 2)),
    "roll": of(lambda x: tf.roll(x, [1, 2], [0, 1]) ** 2, normal(3, 4)),
    "reverse_sequence": of(lambda x: tf.reverse_sequence(x, [1, 3], seq_axis=1, batch_axis=0) ** 2, normal(2, 4)),
    "tile": of(lambda x: tf.tile(x, [2, 3]) ** 2, normal(2, 2)),
    "strided_slice": of(lambda x: x[::-2, 1:] ** 2, normal(4, 3)),
    "diag": of(lambda x: tf.linalg.diag(x) ** 2, normal(2, 3)),
    "diag_part": of(lambda x: tf.linalg.diag_part(x) ** 2, normal(2, 3, 3)),
    "set_diag": of(lambda x, d: tf.linalg.set_diag(x, d) ** 2, normal(3, 3), normal(3)),
    "band_part": of(lambda x: tf.linalg.band_part(x, 1, 0) ** 2, normal(3, 3)),
    "recomputed_input": of(lambda x: TABLE["recomputed_input"](x) ** 2, normal(3)),
    # ---- reading and writing at positions
    "gather": of(lambda x: tf.gather(x, [2, 0, 2], axis=1) ** 2, normal(2, 3)),
    "gather_nd": of(lambda x: tf.gather_nd(x, [[1, 0], [0, 2], [1, 0]]) ** 2, normal(2, 3)),
    "gather_segments": of(lambda x: tf.math.unsorted_segment_sum(x, [1, 0, 1], 2) ** 2, normal(3, 2)),
    "scatter_nd": of(lambda x: tf.scatter_nd([[1], [3], [1]], x, [4]) ** 2, normal(3)),
    "tensor_scatter_nd_update": of(
        lambda x, u: tf.tensor_scatter_nd_update(x, [[0], [2]], u) ** 2, normal(4), normal(2)
    ),
    "tensor_scatter_nd_add": of(lambda x, u: tf.tensor_scatter_nd_add(x, [[0], [0]], u) ** 2, normal(3), normal(2)),
    "tensor_scatter_nd_max": of(lambda x, u: tf.tensor_scatter_nd_max(x, [[0], [2]], u) ** 2, normal(4), normal(2)),
    "tensor_scatter_nd_min": of(lambda x, u: tf.tensor_scatter_nd_min(x, [[0], [2]], u) ** 2, normal(4), normal(2)),
    "unsorted_segment_prod": of(lambda x: tf.math.unsorted_segment_prod(x, [1, 0, 1], 2), normal(3, 2)),
    "unsorted_segment_max": of(lambda x: tf.math.unsorted_segment_max(x, [1, 0, 1], 2) ** 2, distinct(3, 2)),
    "unsorted_segment_min": of(lambda x: tf.math.unsorted_segment_min(x, [1, 0, 1], 2) ** 2, distinct(3, 2)),
    # ---- ordering
    "sort": of(lambda x: tf.sort(x, axis=0, direction="DESCENDING") ** 2, distinct(4, 2)),
    "take_along_axis": of(lambda x: TABLE["take_along_axis"](x, tf.constant([[1], [0]]), axis=1) ** 2, normal(2, 3)),
    "top_k": of(lambda x: tf.math.top_k(x, 2)[0] ** 2, distinct(2, 4)),
}


def recorded(recorder: Recorder, sample: Sample, derivative: bool) -> None:
    """Shows a recorder the operations of a sample at float64 and, if asked, those of its derivative."""
    tensors = [tf.constant(array, tf.float64) for array in sample.arrays]
    start(recorder)
    try:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            results = tf.nest.flatten(sample.function(*tensors))
        if derivative:
            tape.gradient(results, tensors)
    finally:
        stop(recorder)
