"""Rows gathered, scattered and summed by ids on a simulated GPU have the CPU's bits, whatever repeats."""

import numpy as np
import pytest

from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.cuda.simulation.lock_step import run_on_simulation

random = np.random.default_rng(0)


def ran(name, *inputs, **attributes):
    """Runs a row on both; gives the GPU's launches."""
    row = TABLE[name]
    wanted = np.ascontiguousarray(row.run(*inputs, **attributes))
    found, given = np.full_like(wanted, 7), np.full_like(wanted, 7)
    assert run_launches(launches_of_row(row, inputs, [wanted], attributes), inputs, [given]) is None
    launches = row_launches_on_device(row, inputs, [found], attributes)
    assert run_on_simulation(launches, inputs, [found]) is None
    assert found.tobytes() == given.tobytes()
    return launches.launches


@pytest.mark.parametrize(("width", "count"), [(1, 300), (3, 37), (4, 1), (70, 37)])
def test_embeddings_and_their_gradients(width, count):
    table, g = (random.normal(size=(rows, width)).astype(np.float32) for rows in (50, count))
    ids = random.integers(0, 50, count).astype(np.int32)
    ids[: count // 2] = 7
    ran("gather", table, ids, axis=0, batch_dims=0)
    ran("gather_gradient", g, ids, shape=table.shape, axis=0, batch_dims=0)
    for name in ("unsorted_segment_sum", "unsorted_segment_prod"):
        ran(name, g, ids - 3, num_segments=50)
    for name in ("unsorted_segment_max", "unsorted_segment_min"):
        ran(name, g, ids - 3, num_segments=50, empty=-5.0)
    for name in ("update", "add", "max", "min"):
        row = f"tensor_scatter_nd_{name}"
        ran(row, table, ids[:, None], g, strict=True)


def test_batches_and_dimensions_between():
    x, ids = random.normal(size=(2, 3, 6, 5)).astype(np.float32), random.integers(0, 6, (2, 40))
    ran("gather", x, ids, axis=2, batch_dims=1)
    g = random.normal(size=(2, 3, 40, 5)).astype(np.float32)
    ran("gather_gradient", g, ids, shape=x.shape, axis=2, batch_dims=1)


@pytest.mark.parametrize("name", ["gather", "gather_gradient", "unsorted_segment_sum"])
def test_the_first_bad_id_is_said(name):
    ids, x = np.arange(600) % 5, random.normal(size=(600, 3)).astype(np.float32)
    ids[[400, 77]] = 5
    inputs, attributes, shape = {
        "gather": ([x[:5], ids], {"axis": 0, "batch_dims": 0}, (600, 3)),
        "gather_gradient": ([x, ids], {"shape": (5, 3), "axis": 0, "batch_dims": 0}, (5, 3)),
        "unsorted_segment_sum": ([x, ids], {"num_segments": 5}, (5, 3)),
    }[name]
    outputs = [np.zeros(shape, np.float32)]
    found = row_launches_on_device(TABLE[name], inputs, outputs, attributes)
    assert run_on_simulation(found, inputs, outputs) == 77


@pytest.mark.parametrize("count", [1, 40, 2300])
def test_sums_of_distinct_rows(count):
    values, ids = random.normal(size=(count, 5)).astype(np.float32), random.integers(0, 3 * count, count)
    row, attributes = TABLE["sum_rows"], {"limit": 3 * count, "owner": "test"}
    wanted = row.run(values, ids, **attributes)
    found = [np.full_like(one, 7) for one in wanted]
    launches = row_launches_on_device(row, [values, ids], found, attributes)
    assert run_on_simulation(launches, [values, ids], found) is None
    for got, expected in zip(found, wanted, strict=True):
        assert got.tobytes() == expected.tobytes()
    ran("add_rows", random.normal(size=(3 * count, 5)).astype(np.float32), *wanted)
    ids[count // 2] = -1
    assert run_on_simulation(launches, [values, ids], found) == count // 2
