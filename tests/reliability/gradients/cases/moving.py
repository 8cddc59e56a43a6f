"""Operations that move, cut, join, repeat and order elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import COMPLEX, REAL, Case, at, edge, normal, positive

inf, nan = np.inf, np.nan
FLOATS = ("float64", "float32")
ALL = (*REAL, *COMPLEX)


def squared(tf: Any, *xs: Any) -> list[Any]:
    """Squares, so that second derivatives are not 0."""
    return [x * x for x in xs]


MOVES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "reshape": (lambda tf, x: tf.reshape(x, [3, -1]), (2, 3)),
    "transpose": (lambda tf, x: tf.transpose(x, [2, 0, 1]), (2, 3, 2)),
    "transpose of a matrix": (lambda tf, x: tf.transpose(x), (2, 3)),
    "linalg.matrix_transpose": (lambda tf, x: tf.linalg.matrix_transpose(x), (2, 2, 3)),
    "linalg.adjoint": (lambda tf, x: tf.linalg.adjoint(x), (2, 3)),
    "broadcast_to": (lambda tf, x: tf.broadcast_to(x, [2, 3, 2]), (3, 1)),
    "broadcast_to of a scalar": (lambda tf, x: tf.broadcast_to(x, [2, 3]), ()),
    "expand_dims": (lambda tf, x: tf.expand_dims(x, 1), (2, 3)),
    "squeeze": (lambda tf, x: tf.squeeze(x, [1]), (2, 1, 3)),
    "concat": (lambda tf, x: tf.concat([x, x * x, x], 1), (2, 2)),
    "split": (lambda tf, x: tf.split(x, [1, 0, 2], 1), (2, 3)),
    "split, one part used": (lambda tf, x: tf.split(x, 3, 1)[1], (2, 3)),
    "stack": (lambda tf, x: tf.stack([x, x * x], 1), (3,)),
    "unstack": (lambda tf, x: tf.unstack(x, axis=1), (2, 3)),
    "unstack, one part used": (lambda tf, x: tf.unstack(x, axis=1)[2], (2, 3)),
    "pad": (lambda tf, x: tf.pad(x, [[1, 0], [2, 1]]), (2, 3)),
    "pad by reflection": (lambda tf, x: tf.pad(x, [[1, 1], [2, 1]], "REFLECT"), (2, 3)),
    "pad symmetrically": (lambda tf, x: tf.pad(x, [[1, 2], [2, 3]], "SYMMETRIC"), (2, 3)),
    "pad with a value": (lambda tf, x: tf.pad(x, [[1, 0]], constant_values=7), (3,)),
    "reverse": (lambda tf, x: tf.reverse(x, [0, -1]), (2, 3)),
    "roll": (lambda tf, x: tf.roll(x, [1, -2], [0, 1]), (3, 4)),
    "reverse_sequence": (lambda tf, x: tf.reverse_sequence(x, [1, 3], seq_axis=1, batch_axis=0), (2, 4)),
    "tile": (lambda tf, x: tf.tile(x, [2, 3]), (2, 2)),
    "tile by 0": (lambda tf, x: tf.tile(x, [0, 2]), (2, 2)),
    "repeat": (lambda tf, x: tf.repeat(x, [2, 0, 1], axis=0), (3, 2)),
    "repeat of all": (lambda tf, x: tf.repeat(x, 3), (2,)),
    "slice": (lambda tf, x: tf.slice(x, [0, 1], [-1, 2]), (2, 4)),
    "strided_slice": (lambda tf, x: tf.strided_slice(x, [3, 0], [0, 4], [-2, 3]), (4, 4)),
    "strided slice by brackets": (lambda tf, x: x[::-2, 1:, tf.newaxis], (4, 3)),
    "an element by brackets": (lambda tf, x: x[1, ..., -1], (2, 3, 2)),
    "an empty slice": (lambda tf, x: x[2:2], (3, 2)),
    "ensure_shape": (lambda tf, x: tf.ensure_shape(x, [2, None]), (2, 3)),
    "identity_n": (lambda tf, x: tf.identity_n([x, x * x]), (2,)),
    "linalg.diag": (lambda tf, x: tf.linalg.diag(x), (2, 3)),
    "linalg.diag above": (lambda tf, x: tf.linalg.diag(x, k=1), (2, 3)),
    "linalg.diag of bands": (lambda tf, x: tf.linalg.diag(x, k=(-1, 1)), (3, 3)),
    "linalg.diag_part": (lambda tf, x: tf.linalg.diag_part(x), (2, 3, 4)),
    "linalg.diag_part of bands": (lambda tf, x: tf.linalg.diag_part(x, k=(-1, 1)), (3, 4)),
    "linalg.tensor_diag": (lambda tf, x: tf.linalg.tensor_diag(x), (2, 2)),
    "linalg.tensor_diag_part": (lambda tf, x: tf.linalg.tensor_diag_part(x), (2, 2, 2, 2)),
    "linalg.trace": (lambda tf, x: tf.linalg.trace(x), (2, 3, 3)),
    "linalg.band_part": (lambda tf, x: tf.linalg.band_part(x, 1, 0), (3, 4)),
    "linalg.band_part of all": (lambda tf, x: tf.linalg.band_part(x, -1, 1), (2, 3, 3)),
    "space_to_depth": (lambda tf, x: tf.nn.space_to_depth(x, 2), (1, 2, 4, 1)),
    "depth_to_space": (lambda tf, x: tf.nn.depth_to_space(x, 2), (1, 1, 2, 4)),
    "space_to_batch": (lambda tf, x: tf.nn.space_to_batch(x, [2, 2], [[0, 0], [1, 1]]), (1, 2, 2, 1)),
    "space_to_batch of tf": (lambda tf, x: tf.space_to_batch(x, [2], [[1, 0]]), (1, 3, 2)),
    "space_to_batch_nd": (lambda tf, x: tf.space_to_batch_nd(x, [2], [[0, 1]]), (1, 3, 2)),
    "batch_to_space": (lambda tf, x: tf.batch_to_space(x, [2, 1], [[0, 1], [0, 0]]), (2, 2, 2, 1)),
    "meshgrid": (lambda tf, x: tf.meshgrid(x, x * x), (3,)),
    "boolean_mask": (lambda tf, x: tf.boolean_mask(x, [True, False, True]), (3, 2)),
    "dynamic_partition": (lambda tf, x: tf.dynamic_partition(x, [0, 1, 1, 0], 3), (4, 2)),
    "dynamic_stitch": (lambda tf, x: tf.dynamic_stitch([[0, 2], [1, 0]], [x, x * x]), (2, 2)),
    "one_hot": (lambda tf, x: tf.one_hot([0, 2], 3, on_value=x, off_value=x * x), ()),
    "fill": (lambda tf, x: tf.fill([2, 3], x), ()),
    "zeros_like": (lambda tf, x: [tf.zeros_like(x), tf.ones_like(x), x], (2,)),
    "shape as numbers": (lambda tf, x: tf.cast(tf.shape(x), x.dtype), (2, 3)),
    "debugging.check_numerics": (lambda tf, x: tf.debugging.check_numerics(x, "x"), (2,)),
    "grad_pass_through": (lambda tf, x: tf.grad_pass_through(lambda z: z * 0)(x), (2,)),
    "recompute_grad": (lambda tf, x: tf.recompute_grad(lambda z: z * z)(x), (2,)),
    "sort": (lambda tf, x: tf.sort(x, axis=0), (4, 2)),
    "sort downwards": (lambda tf, x: tf.sort(x, direction="DESCENDING"), (2, 4)),
    "argsort": (lambda tf, x: tf.gather(x, tf.argsort(x)), (4,)),
    "math.top_k": (lambda tf, x: tf.math.top_k(x, 2)[0], (2, 4)),
    "nn.top_k, all": (lambda tf, x: tf.nn.top_k(x, 4, sorted=True)[0], (2, 4)),
}
TIES = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, -0.0, 0.0, -1.0], [inf, -inf, inf, 1.0], [2.0, 2.0, 2.0, 2.0]])
NUMBERS_WITHOUT_COMPLEX = ("sort", "argsort", "top_k", "space_to", "depth_to", "batch_to", "check_numerics")


def both(function: Any) -> Any:
    """The result and its squares: moved elements have no second derivative of their own."""
    return lambda tf, x: [[y, y * y] for y in tf.nest.flatten(function(tf, x))]


CASES: dict[str, Case] = {}
for name, (function, shape) in MOVES.items():
    real_only = any(part in name for part in NUMBERS_WITHOUT_COMPLEX)
    CASES[name] = at(
        both(function), normal(*shape), dtypes=REAL if real_only else ALL, forward=name != "grad_pass_through"
    )
CASES |= {
    "sort of ties": edge(lambda tf, x: tf.sort(x), TIES),
    "sort of ties downwards": edge(lambda tf, x: tf.sort(x, direction="DESCENDING"), TIES),
    "math.top_k of ties": edge(lambda tf, x: tf.math.top_k(x, 2)[0] ** 2, TIES, dtypes=FLOATS),
    "linalg.set_diag": at(lambda tf, x, d: tf.linalg.set_diag(x, d) ** 2, normal(2, 3, 3), normal(2, 3), dtypes=REAL),
    "linalg.set_diag of bands": at(
        lambda tf, x, d: tf.linalg.set_diag(x, d, k=(-1, 0)) ** 2, normal(3, 3), normal(2, 3, seed=1)
    ),
    "concat of nothing": edge(lambda tf, x, y: tf.concat([x, y], 0) ** 2, np.zeros((0, 2)), normal(3, 2)),
    "concat of constants": edge(lambda tf, x: tf.concat([x, tf.zeros([2, 2], x.dtype)], 0), normal(1, 2)),
    "concat of three": at(lambda tf, *xs: tf.concat(xs, -1) ** 2, normal(2, 1), normal(2, 3), normal(2, 2), dtypes=ALL),
    "stack of three": at(lambda tf, *xs: tf.stack(xs, -1) ** 2, normal(2), normal(2, seed=1), normal(2, seed=2)),
    "linspace": at(lambda tf, a, b: tf.linspace(a, b, 4) ** 2, normal(), normal(seed=3)),
    "linspace of many": at(lambda tf, a, b: tf.linspace(a, b, 3, axis=1) ** 2, normal(2), normal(2, seed=3)),
    "range": edge(lambda tf, a: tf.range(a, 3.0, 0.5) ** 2, np.array(0.25)),
    "cast to float32": at(
        lambda tf, x: tf.cast(tf.cast(x, "float32"), "float64") ** 2, np.array([0.5, 1.5]), smooth=False
    ),
    "cast to a half and back": edge(
        lambda tf, x: tf.cast(tf.cast(x, "bfloat16"), "float64") ** 2, np.array([0.5, 1.5])
    ),
    "cast to complex": at(lambda tf, x: tf.math.real(tf.cast(x, "complex128") ** 2), normal(3)),
    "cast of complex to real": edge(
        lambda tf, x: tf.cast(x, "float64") ** 2, np.array([1 + 2j, 3 - 1j]), dtypes=("complex128",)
    ),
    "cast to an integer": edge(lambda tf, x: tf.cast(tf.cast(x, "int32"), "float64"), normal(3)),
    "saturate_cast": edge(lambda tf, x: tf.saturate_cast(x, "float16"), np.array([1.0, 1e6, -1e6, 65504.0]), order=1),
    "bitcast": edge(lambda tf, x: tf.bitcast(x, "float64"), normal(3)),
    "complex": at(lambda tf, x, y: tf.abs(tf.complex(x, y) * tf.complex(y, x * x)), normal(3), normal(3, seed=1)),
    "complex broadcast": at(lambda tf, x, y: tf.math.real(tf.complex(x, y) ** 2), normal(2, 3), normal(3, seed=1)),
    "math.real": edge(lambda tf, x: tf.math.real(x * x), normal(3) + 1j * normal(3, seed=1), dtypes=COMPLEX),
    "math.imag": edge(lambda tf, x: tf.math.imag(x * x), normal(3) + 1j * normal(3, seed=1), dtypes=COMPLEX),
    "math.conj": edge(lambda tf, x: tf.math.conj(x) * x * x, normal(3) + 1j * normal(3, seed=1), dtypes=COMPLEX),
    "math.angle": edge(lambda tf, x: tf.math.angle(x), normal(3) + 1j * normal(3, seed=1), dtypes=COMPLEX),
    "abs of complex zeros": edge(lambda tf, x: tf.abs(x), np.array([0j, 1j, -1 + 0j]), dtypes=COMPLEX),
    "math.angle of units": edge(lambda tf, x: tf.math.angle(x), np.array([1 + 0j, 1j, -1 + 0j, -1j]), dtypes=COMPLEX),
    "math.angle of reals": edge(lambda tf, x: tf.math.angle(x), normal(3)),
    "math.real of reals": edge(lambda tf, x: [tf.math.real(x), tf.math.imag(x), tf.math.conj(x)], normal(3)),
    "where": at(lambda tf, x, y: tf.where([[True], [False]], x, y) ** 2, normal(2, 3), normal(3, seed=1), dtypes=ALL),
    "where of scalars": at(lambda tf, x, y: tf.where([True, False], x, y) ** 2, normal(), normal(seed=1)),
    "where hides no NaN": edge(
        lambda tf, x: tf.where(x > 0.0, tf.math.log(x), tf.zeros_like(x)), np.array([0.0, -1.0, 2.0]), dtypes=FLOATS
    ),
    "where by a safe operand": edge(
        lambda tf, x: tf.where(x > 0.0, tf.math.sqrt(tf.where(x > 0.0, x, 1.0)), 0.0), np.array([0.0, -1.0, 2.0])
    ),
    "where of NaN": edge(lambda tf, x, y: tf.where(x > y, x, y), np.array([nan, 1.0, inf]), np.array([1.0, nan, inf])),
    "saturating square roots": edge(
        lambda tf, x: tf.sqrt(tf.maximum(x, 0.0)), np.array([-1.0, 0.0, 4.0]), dtypes=FLOATS
    ),
    "map_fn": at(lambda tf, x: tf.map_fn(lambda row: row * row * row, x), normal(3, 2)),
    "vectorized_map": at(lambda tf, x: tf.vectorized_map(lambda row: row * tf.reduce_sum(row), x), normal(3, 2)),
    "scan": at(lambda tf, x: tf.scan(lambda a, row: a * row + row, x), normal(4)),
    "foldl": at(lambda tf, x: tf.foldl(lambda a, row: a * row + row, x), normal(4)),
    "foldr": at(lambda tf, x: tf.foldr(lambda a, row: a * row + row, x), normal(4)),
    "cond": edge(lambda tf, x: tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * x, lambda: x), positive(3)),
    "case": edge(lambda tf, x: tf.case([(tf.reduce_sum(x) > 9.0, lambda: x)], default=lambda: x**3), positive(3)),
    "switch_case": edge(lambda tf, x: tf.switch_case(tf.constant(1), [lambda: x, lambda: x**2]), positive(3)),
    "while_loop": at(
        lambda tf, x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), [tf.constant(0), x])[1],
        positive(3),
    ),
    "py_function": at(
        lambda tf, x: tf.py_function(lambda z: z * z * z, [x], x.dtype), normal(3), order=1, forward=False
    ),
    "numpy_function": edge(lambda tf, x: tf.numpy_function(lambda z: z * z, [x], x.dtype), normal(3)),
    "math.bincount by weights": edge(lambda tf, w: tf.math.bincount([0, 1, 1], weights=w), normal(3), order=1),
    "tuple": at(lambda tf, x: tf.tuple([x * x, x]), normal(2)),
    "ragged rows": at(
        lambda tf, x: tf.reduce_sum(tf.RaggedTensor.from_row_splits(x * x, [0, 2, 2, 4]), axis=1), normal(4)
    ),
}
