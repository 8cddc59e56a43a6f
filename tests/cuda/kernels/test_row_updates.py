"""Updates of some rows of a table on a simulated GPU have the CPU's bits."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from fastgrad._src.kernels.optimizers.update_rule import RULES, ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS
from tests.cuda.simulation.lock_step import run_on_simulation

LIMIT = 21


def inputs_of(rule, width, dtype="float32", count=6, live=False):
    """Weights and slots, rows that move, the sums of `count` rows of more, their ids, and the rule's numbers."""
    random = np.random.default_rng(0)
    state = [np.abs(random.normal(size=(LIMIT, width))).astype(dtype) for _ in rule.state]
    values = random.normal(size=(9, width)).astype(dtype)
    ids = np.full(9, LIMIT)
    ids[:count] = np.sort(random.permutation(LIMIT)[:count])
    moved = np.zeros(-(-LIMIT // 8) * 8, np.uint8)
    moved[[0, 5, 8, 20]] = 1
    for slot in state[1:] if live else ():  # what rests has no slots
        slot[moved[:LIMIT] == 0] = 0
    numbers = [np.array(0.1 / (1 + i)) for i in range(len(rule.numbers))]
    return [*state, *([moved.view(np.uint64)] if live else []), values, ids, np.array(count), *numbers]


def ran(name, inputs, **attributes):
    """Runs a row on both."""
    wanted = TABLE[name].run(*inputs, **attributes)
    found = [a.copy() for a in inputs[: len(wanted)]]
    launches = row_launches_on_device(TABLE[name], inputs, found, attributes)
    assert run_on_simulation(launches, inputs, found) is None
    for got, expected in zip(found, wanted, strict=True):
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("moves", [ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS])
@pytest.mark.parametrize("name", sorted(RULES))
def test_updates_of_rows(name, moves):
    for width in (3, 8):
        ran("apply_update_to_rows", inputs_of(RULES[name], width), rule=name, moves=moves)


@pytest.mark.parametrize("name", ["adam", "momentum", "lion", "ftrl"])
def test_updates_of_rows_that_have_moved_before(name):
    for width, dtype, count in ((3, "float32", 6), (8, "float32", 9), (4, "float64", 0)):
        inputs = inputs_of(RULES[name], width, dtype, count, live=True)
        ran("apply_update_to_live_rows", inputs, rule=name)


@pytest.mark.parametrize("shapes", [[(3, 5), (2,), (4096, 3)], [(4095,), (1,), (0, 3), (8193,)]])
@pytest.mark.parametrize("name", sorted(RULES))
def test_updates_of_all_variables(name, shapes):
    rule, random = RULES[name], np.random.default_rng(1)
    state = [np.abs(random.normal(size=shape)).astype("float32") for _ in rule.state for shape in shapes]
    gradients = [random.normal(size=shape).astype("float32") for shape in shapes]
    numbers = [np.array(0.1 / (1 + i)) for i in range(len(rule.numbers))]
    ran("apply_update", [*state, *gradients, *numbers], rule=name, count=len(shapes))
