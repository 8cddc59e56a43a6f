"""Result rules give the shapes and dtypes of results without running operations."""

import numpy as np
import pytest

from fastgrad import linalg, nn, random  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, validate
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.recording import Recorder
from fastgrad._src.core.result_rules import ArraySpec, fits_spec, memoryless_zeros, specs_of
from tests.ops.samples import SAMPLES, recorded

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


class _Rules(Recorder):
    """Compares the results of each operation with its rule."""

    def __init__(self) -> None:
        self.count = 0
        self.wrong: list[str] = []

    def on_operation(self, operation, inputs, outputs, attributes):
        if isinstance(operation, Operation) and operation.name in TABLE:
            self.count += 1
            specs = specs_of(
                operation.result(*[ArraySpec(tuple(x.shape), x.dtype.numpy) for x in inputs], **attributes)
            )
            if not (
                len(specs) == len(outputs) and all(fits_spec(s, y._array) for s, y in zip(specs, outputs, strict=True))
            ):
                self.wrong.append(f"{operation.name}: {specs}, not {[(y.shape, y.dtype) for y in outputs]}")


def test_each_row_has_a_rule():
    assert [name for name, row in TABLE.items() if row.result is None] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_rules_hold_in_samples_and_their_gradients(name):
    rules = _Rules()
    recorded(rules, SAMPLES[name], derivative=True)
    assert rules.count > 0
    assert rules.wrong == []


@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "expected"),
    [
        ("add", [((2, 1), F32), ((1, 3), F32)], {}, ((2, 3), F32)),
        ("less", [((2, 1), F32), ((3,), F32)], {}, ((2, 3), np.dtype(bool))),
        ("reduce_sum", [((2, 3, 4), F64)], {"axes": (0, 2), "keepdims": True}, ((1, 3, 1), F64)),
        ("matmul", [((5, 2, 3), F32), ((3, 4), F32)], {"transpose_a": False, "transpose_b": False}, ((5, 2, 4), F32)),
        ("transpose", [((2, 3, 4), F32)], {"perm": (2, 0, 1)}, ((4, 2, 3), F32)),
        ("true_positions", [((2, 3), np.dtype(bool))], {}, ((None, 2), np.dtype(np.int64))),
    ],
)
def test_rules_of_families(name, inputs, attributes, expected):
    assert TABLE[name].result(*[ArraySpec(*x) for x in inputs], **attributes) == expected


def test_a_rule_refuses_shapes_that_do_not_fit():
    x, y = ArraySpec((2, 3), F32), ArraySpec((4,), F32)
    with pytest.raises(ValueError, match="shapes do not fit"):
        TABLE["matmul"].result(x, x, transpose_a=False, transpose_b=False)
    with pytest.raises(ValueError, match="broadcast"):
        TABLE["add"].result(x, y)


def test_a_stand_in_takes_no_memory():
    x = memoryless_zeros(ArraySpec((1 << 20, 1 << 20), F32))
    assert x.shape == (1 << 20, 1 << 20)
    assert x[-1, -1] == 0


def test_a_graph_whose_values_break_a_rule_is_not_valid():
    x, y = Value((2, 3), F32, 0), Value((3, 2), F32, 1)
    nodes = [
        Node(Kind.ARGUMENT, 0, (), (x,)),
        Node(Kind.OPERATION, TABLE["tanh"], (x,), (y,)),
    ]
    with pytest.raises(AssertionError, match="tanh.*the rule gives"):
        validate(Graph(nodes, [y]))
