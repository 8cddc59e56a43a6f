"""The kernels that compiled programs run for rows of the table give what the rows' ``run`` gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.programs.lowering import launches_of, launches_of_row
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.core.operation import COMPLEX_DTYPES, TABLE, Binary, Form, Unary
from fastgrad._src.core.recording import Recorder, start, stop
from fastgrad._src.kernels.elementwise import complex_numbers as complex_kernels
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad.errors import InvalidArgumentError
from tests.compiler.programs.row_cases import (
    CLOSE,
    EXACT,
    F32,
    F64,
    I32,
    I64,
    WIDE,
    WORDS,
    Case,
    case,
    changes,
    native_of,
    normal,
    rng,
    run_of,
    whole,
    windows,
)
from tests.compiler.recorded import record, with_gradient
from tests.kernels.in_place import written_over
from tests.ops.samples import SAMPLES


def in_place(case: Case, wanted: list[np.ndarray], output: int, number: int) -> list[np.ndarray]:
    """What its kernels give where one result has the memory of an input."""
    arrays = [np.array(a, order="C") for a in case.arrays]
    outputs = [np.empty(y.shape, y.dtype) for y in wanted]
    outputs[output] = arrays[number].reshape(-1).view(wanted[output].dtype).reshape(wanted[output].shape)
    launches = launches_of_row(TABLE[case.name], arrays, outputs, case.attributes)
    run_launches(written_over(launches, arrays, outputs, {output: number}), arrays, outputs)
    return outputs


def assert_same(outputs: Any, wanted: list[np.ndarray], rtol: float | None) -> None:
    assert isinstance(outputs, list), outputs
    for y, z in zip(outputs, wanted, strict=True):
        if rtol is None or y.dtype.kind in "biu":
            half = y.dtype.itemsize == 2 and y.dtype.kind in "fV"  # whose NaNs NumPy may take for numbers
            np.testing.assert_array_equal(*[a.astype(F32) if half else a for a in (y, z)])
            continue
        wide = (
            y.astype(np.complex128 if y.dtype.kind == "c" else F64),
            z.astype(np.complex128 if y.dtype.kind == "c" else F64),
        )
        scale = {2: 3e3 if y.dtype.name == "float16" else 3e4, 4: 1.0, 8: 1e-7 if y.dtype.kind != "c" else 1.0}.get(
            y.dtype.itemsize, 1e-7
        )
        tolerance = rtol * scale
        size = max(1.0, float(np.abs(wide[1][np.isfinite(wide[1])]).max(initial=0)))
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance * size)


def bits(arrays: list[np.ndarray]) -> list[bytes]:
    """Returns the bytes of arrays; all NaN have the same, since SciPy's functions give either sign."""
    return [(np.where(np.isnan(y), np.nan, y) if y.dtype.kind == "f" else y).tobytes() for y in arrays]


def check(case: Case, rtol: float | None = None) -> None:
    wanted = run_of(case)
    if wanted and all(0 in y.shape for y in wanted):
        return  # programs have no step for what has no elements
    outputs = native_of(case, wanted)
    assert outputs is not None, "there are no kernels"
    assert_same(outputs, wanted, rtol)
    kept = bits(outputs)
    for shares in (2, 3, 7):
        assert bits(native_of(case, wanted, shares)) == kept
    for output, number in launches_of_row(TABLE[case.name], case.arrays, wanted, case.attributes).in_place:
        if wanted[output].nbytes == case.arrays[number].nbytes:  # a program uses no other memory twice
            assert bits(in_place(case, wanted, output, number)) == kept


def collected(name: str) -> list[Case]:
    """All rows with kernels that a sample of the table runs, both ways."""
    cases: list[Case] = []

    class Watch(Recorder):
        def on_operation(self, operation: Any, inputs: Any, outputs: Any, attributes: Any) -> None:
            if getattr(operation, "launches", None) is not None or any(x._array.dtype.kind == "c" for x in inputs):
                cases.append(Case(operation.name, tuple([x._array.copy() for x in inputs]), dict(attributes)))

    sample = SAMPLES[name]
    inputs = [tf.constant(a) for a in sample.arrays]
    watch = Watch()
    start(watch)
    try:
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = sample.function(*inputs)
            gradients = [g for g in tape.gradient(y, inputs) if g is not None]
        if sample.order > 1:
            outer.gradient(gradients, inputs)
    finally:
        stop(watch)
    return list({repr(case): case for case in cases}.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name: str) -> None:
    for row in collected(name):
        fused = TABLE[row.name].form is Form.ELEMENTWISE and row.arrays[0].dtype.kind == "f"
        if not fused and TABLE[row.name].lowering.in_python is None:
            check(row, 1e-6)


def complex_numbers(*shape: int, dtype: Any = np.complex128) -> np.ndarray:
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)


Z = np.array([0.3, -0.3, 2.0, -2.0, 1j, -1j, 2j, 0.0, 1 + 1e-9j, -1 - 2j, 1e-3 + 1e-3j, 400 + 1j])
COMPLEX: list[Case] = [
    *[
        case(name, z)
        for name, row in TABLE.items()
        if row.lowering.elementwise.complex_launches is not None and isinstance(row, Unary)
        for z in (complex_numbers(4, 5), complex_numbers(7, dtype=np.complex64), complex_numbers() * 3)
    ],
    *[case(name, Z[:-1]) for name in ("sqrt", "exp", "log", "sigmoid", "sin", "cos", "sinh", "abs", "sign", "angle")],
    *[case(name, Z) for name in ("tanh", "square", "negative")],
    *[case(name, np.append(Z[:4] / 2, complex_numbers(9) * 5)) for name in ("asin", "acos", "atan", "asinh", "atanh")],
    *[
        case(name, *arrays)
        for name, row in TABLE.items()
        if row.lowering.elementwise.complex_launches is not None
        and isinstance(row, Binary)
        and row.dtypes >= COMPLEX_DTYPES
        for arrays in (
            (complex_numbers(4, 1), complex_numbers(5)),
            (complex_numbers(5, dtype=np.complex64), complex_numbers(dtype=np.complex64)),
            (np.array([0, 1, 1j, 0]), np.array([2.0, 3, 1 + 1j, 2])),
        )
    ],
    *[case(name, complex_numbers(3), np.zeros(3, complex)) for name in ("divide_no_nan", "multiply_no_nan")],
    *[case(name, Z[:4], Z[[0, 2, 2, 1]]) for name in ("equal", "not_equal")],
    case("add_n", *[complex_numbers(3, 4) for _ in range(3)]),
    case("where", np.array([[True], [False]]), complex_numbers(3), complex_numbers(2, 3)),
    case("masked", complex_numbers(3), np.array([True, False, True])),
    case("complex", normal(2, 1), normal(3)),
    case("identity", complex_numbers(3)),
    *[case("cast", Z, dtype=dtype) for dtype in ("complex64", "float32", "int64", "bool")],
    case("cast", normal(3), dtype="complex128"),
    case("cast", whole(0, 9, 3, dtype=I32), dtype="complex64"),
]


def test_every_element_wise_row_of_complex_numbers_has_kernels_for_them():
    takes_complex = [row for row in TABLE.values() if row.form is Form.ELEMENTWISE and row.dtypes >= COMPLEX_DTYPES]
    assert [row.name for row in takes_complex if not hasattr(complex_kernels, f"{row.name}_launches")] == []


@pytest.mark.parametrize("case", [*CLOSE, *COMPLEX], ids=repr)
def test_close(case: Case) -> None:
    check(case, 2e-6)


@pytest.mark.parametrize("case", EXACT, ids=repr)
def test_exact(case: Case) -> None:
    check(case)


def nothing(*shape: int, dtype: Any = F32) -> np.ndarray:
    return np.zeros(shape, dtype)


EMPTY: list[Case] = [
    case("unsorted_segment_sum", nothing(0, 3), nothing(0, dtype=I64), num_segments=4),
    case("unsorted_segment_max", nothing(0), nothing(0, dtype=I64), num_segments=4, empty=-7.0),
    case("unsorted_segment_sum", nothing(2, 0, 3), nothing(2, 0, dtype=I32), num_segments=2),
    case("scatter_nd", nothing(0, 1, dtype=I64), nothing(0, 3), shape=(5, 3), strict=True),
    case("tensor_scatter_nd_add", normal(5, 3), nothing(0, 1, dtype=I64), nothing(0, 3), strict=True),
    case("tensor_scatter_nd_update", normal(5), nothing(0, 1, dtype=I64), nothing(0), strict=True),
    case("gather_gradient", nothing(2, 0), nothing(0, dtype=I64), shape=(2, 5), axis=1, batch_dims=0),
    case("put_along_axis", nothing(2, 0), nothing(2, 0, dtype=I64), axis=1, size=3),
    case("layer_normalization_gradient", nothing(0, 3), nothing(0, 3), normal(3), nothing(0), nothing(0)),
    case(
        "convolution_backprop_filter", nothing(0, 5, 5, 2), nothing(0, 4, 4, 3), filter_shape=(2, 2, 2, 3), **windows()
    ),
    case("convolution_backprop_input", nothing(1, 0, 3, 3), normal(3, 2, 2, 3), input_shape=(2, 4, 2), **windows()),
    case("max_pool_scatter", normal(1, 1, 3, 2), nothing(1, 0, 2, 2), nothing(1, 0, 2, 2), kernel=(2, 2), **windows()),
    case("avg_pool_gradient", nothing(1, 0, 2, 2), input_shape=(1, 3, 2), kernel=(2, 2), **windows()),
    case("bincount", nothing(0, dtype=I64), size=3, dtype="int32", binary=False),
    case("count_nonzero", nothing(3, 0), axes=(1,), keepdims=False),
    case("reduce_prod", nothing(3, 0), axes=(1,), keepdims=False),
    case("reduce_sum", nothing(0, 3, dtype=np.float16), axes=(0,), keepdims=True),
    case("reduce_euclidean_norm", nothing(0), axes=(0,), keepdims=False),
    case("searchsorted", nothing(0), normal(3), right=True, out_type="int32"),
    case("in_top_k", whole(0, 1, 3), nothing(3, 0), k=2),
    case("set_diag", normal(2, 2, 1), normal(2, 1), lower=0, upper=0, align="LEFT_LEFT"),
    case("roll", normal(3, 1), shift=(5,), axis=(1,)),
    case("assert_true", nothing(0, dtype=bool), summarize=None),
    case("argmax", normal(4, 1), axis=1, output_type="int32"),
]
"""Results of inputs that have no elements, or along axes that have one."""


@pytest.mark.parametrize("case", EMPTY, ids=repr)
def test_empty(case: Case) -> None:
    assert any(0 not in y.shape for y in run_of(case))
    check(case)


REFUSED: list[tuple[Case, type[Exception], str]] = [
    (case("sparse_softmax_cross_entropy", normal(3, 4), [1, 4, 0]), InvalidArgumentError, "label value of 4 at row 1"),
    (
        case("sparse_softmax_cross_entropy_and_gradient", normal(3), normal(3, 4), [1, 4, 0]),
        InvalidArgumentError,
        "label value of 4 at row 1",
    ),
    (case("gather", normal(3, 2), [1, 3], axis=0, batch_dims=0), InvalidArgumentError, r"indices\[1\] = 3"),
    (case("gather", normal(2, 3), [0, -1], axis=1, batch_dims=0), InvalidArgumentError, r"indices\[1\] = -1"),
    (case("gather_nd", normal(3, 2), [[1, 1], [0, 2]], strict=True), InvalidArgumentError, r"indices\[1\] = \[0, 2\]"),
    (case("scatter_nd", [[5]], normal(1), shape=(5,), strict=True), InvalidArgumentError, r"= \[5\] does not index"),
    (
        case("tensor_scatter_nd_add", normal(3), [[-1]], normal(1), strict=True),
        InvalidArgumentError,
        r"tensor_scatter_nd_add: indices\[0\] = \[-1\]",
    ),
    (case("unsorted_segment_sum", normal(2), [1, 4], num_segments=4), InvalidArgumentError, r"segment_ids\[1\] = 4"),
    (case("unsorted_segment_max", normal(2), [1, 4], num_segments=4, empty=0), InvalidArgumentError, "= 4 is out"),
    (case("invert_permutation", [0, 2, 3]), InvalidArgumentError, "3 is not between 0 and 3"),
    (case("invert_permutation", [0, 2, 2]), InvalidArgumentError, "2 is duplicated"),
    (case("unravel_index", [1, 6], dims=(2, 3)), InvalidArgumentError, "= 6 is not in"),
    (case("check_numerics", np.array([1, np.inf], F32), message="here"), InvalidArgumentError, "here : Tensor had Inf"),
    (case("check_numerics", np.array([np.nan], np.float16), message="here"), InvalidArgumentError, "NaN"),
    (
        case("assert", [[1.0, 2.0]], [[1.0], [1.0]], check="assert_equal", message="m", summarize=None),
        InvalidArgumentError,
        "m: assert_equal: condition x == y did not hold",
    ),
    (
        case("assert", [np.nan], [1.0], F64(1), F64(1), check="assert_near", message="m", summarize=None),
        InvalidArgumentError,
        "m: assert_near",
    ),
    (case("assert_true", [True, False], normal(2), summarize=None), InvalidArgumentError, "to be true"),
    (case("floordiv", whole(1, 9, 3, 1), [1, 0]), InvalidArgumentError, "division by zero"),
    (case("truncatemod", whole(1, 9, 3), I64(0)), InvalidArgumentError, "division by zero"),
    (case("pow", whole(1, 9, 3), [1, -1, 2]), InvalidArgumentError, "negative integer powers"),
    (case("random_integers_between", WORDS, I64(4), I64(4), **WIDE), InvalidArgumentError, "Need minval < maxval"),
    (changes("rows", [2, 3], 2, 4)[0], InvalidArgumentError, r"scatter: indices\[1\] = 3"),
    (changes("batch", [[1], [0], [-1]], 3, 1)[0], InvalidArgumentError, "scatter: indices"),
    (case("bincount", [1, -1], size=4, dtype="int32", binary=False), ValueError, "negative"),
]


@pytest.mark.parametrize(("case", "error", "message"), REFUSED, ids=repr)
def test_kernels_stop_where_a_row_raises(case: Case, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run_of(case)
    arrays = list(case.arrays)
    launches = TABLE[case.name].lowering.launches(arrays, outputs_of(case), **case.attributes)
    assert run_launches(launches, arrays, outputs_of(case), 2) >= 0


def test_a_program_that_a_kernel_stops_raises_what_the_row_raises_and_changes_nothing() -> None:
    v = tf.Variable([0.0, 0.0])

    def step(ids: tf.Tensor) -> tf.Tensor:
        v.assign_add(tf.gather(tf.constant([[1.0, 2.0], [3.0, 4.0]]), ids)[0])
        return v * 2.0

    program = Program(record(step, np.array([1, 0]))[0])
    np.testing.assert_array_equal(program([np.array([0, 1])])[0], [8.0, 12.0])
    with pytest.raises(InvalidArgumentError, match=r"gather: indices\[1\] = 2 is not in \[0, 2\)"):
        program([np.array([0, 2])])
    np.testing.assert_array_equal(v, [4.0, 6.0])


def test_rows_of_a_variable_change_where_it_lies() -> None:
    v = tf.Variable(tf.ones((1000, 4)))

    def step(ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        v.scatter_sub(tf.IndexedSlices(rows, ids))
        return tf.reduce_sum(rows)

    rows = normal(3, 4)
    program = Program(record(step, np.array([1, 0, 1]), rows)[0])
    assert program.arena_bytes < 1000  # no copy of the variable
    v.assign(tf.ones((1000, 4)))
    program([np.array([7, 8, 7]), rows])
    wanted = np.ones((1000, 4), F32)
    np.subtract.at(wanted, [7, 8, 7], rows)
    np.testing.assert_allclose(v, wanted, rtol=1e-6)
    with pytest.raises(InvalidArgumentError, match="1000"):
        program([np.array([0, 1000, 1]), rows])
    np.testing.assert_allclose(v, wanted, rtol=1e-6)


def outputs_of(case: Case) -> list[np.ndarray]:
    """Arrays for the results of a row that raises at these arrays, from its results at zeros."""
    if case.name in {"floordiv", "truncatemod"}:
        return [np.zeros(np.broadcast_shapes(*[a.shape for a in case.arrays]), case.arrays[0].dtype)]
    if case.name == "random_integers_between":
        return [np.empty(case.attributes["shape"], I64)]
    if case.name.startswith("assert"):
        return [np.ones((), bool)]
    arrays = [
        np.arange(a.size).reshape(a.shape).astype(a.dtype) if a.ndim == 1 else np.zeros_like(a) for a in case.arrays
    ]
    harmless = Case(case.name, tuple(arrays), case.attributes)
    return [np.empty(y.shape, y.dtype) for y in run_of(harmless)]


def has_kernels(name: str) -> bool:
    """Whether programs run a row natively, for arrays of some dtype at least."""
    row = TABLE[name]
    if name == "apply_update_by_element":  # tests/compiler/passes/test_expand_updates.py
        return True
    if row.lowering.launches is not None or row.form not in {Form.ELEMENTWISE, Form.REDUCE}:
        return row.lowering.launches is not None
    dtypes = [d for d in map(np.dtype, (F32, I32, bool, np.complex64)) if d in row.dtypes]
    attributes = {"cast": {"dtype": "float64"}}.get(name, {})
    if name.startswith("leaky_relu"):
        attributes = {"alpha": 0.2}
    if row.form is Form.REDUCE:
        attributes = {"axes": (0,), "keepdims": False}
    for dtype in dtypes:
        for kinds in ((dtype,), (dtype, dtype), (np.dtype(bool), dtype, dtype), (dtype, np.dtype(bool)), (dtype,) * 4):
            case = Case(name, tuple([np.ones(3, kind) for kind in kinds]), attributes)
            try:
                (y,) = run_of(case)
            except (TypeError, ValueError, IndexError, InvalidArgumentError):
                continue  # it takes other inputs
            if all(node.kind is Kind.FUSED or launches_of(node) is not None for node in fused(case, y)):
                return True
    return False


def fused(case: Case, y: np.ndarray) -> list[Node]:
    """The nodes that a program has for a row."""
    inputs = tuple([Value(a.shape, a.dtype, i) for i, a in enumerate(case.arrays)])
    output = Value(y.shape, y.dtype, len(inputs))
    arguments = [Node(Kind.ARGUMENT, i, (), (x,)) for i, x in enumerate(inputs)]
    node = Node(Kind.OPERATION, TABLE[case.name], inputs, (output,), case.attributes)
    return [node for node in fuse(Graph([*arguments, node], [output])).nodes if node.kind is not Kind.ARGUMENT]


def test_one_table_lists_the_rows_that_programs_run_as_python() -> None:
    assert sorted(name for name in TABLE if not has_kernels(name)) == sorted(
        name for name, row in TABLE.items() if row.lowering.in_python
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_programs_run_nothing_else_as_python(name: str) -> None:
    graph, _ = record(with_gradient(SAMPLES[name].function), *[np.asarray(a, F64) for a in SAMPLES[name].arrays])
    actions = Program(graph).plan.actions
    assert {action.node.payload.name for action in actions if action.launches is None} <= {
        name for name, row in TABLE.items() if row.lowering.in_python
    }


def test_numbers_of_results_are_found_natively() -> None:
    def step(x: tf.Tensor) -> Any:
        return tf.boolean_mask(x * 2.0, x > 0.5), tf.unique(tf.cast(x * 3.0, tf.int32))

    x = np.array([0.1, 0.9, 0.7, 0.2, 0.9], F32)
    program = Program(record(step, x)[0])
    assert all(action.launches is not None for action in program.plan.actions)
    other = np.array([0.9, 0.1, 0.2, 0.8, 0.7], F32)
    for output, wanted in zip(program([other]), tf.nest.flatten(step(tf.constant(other))), strict=True):
        np.testing.assert_array_equal(output, wanted)
    with pytest.raises(GuardError):
        program([np.zeros(5, F32)])
