"""Properties of optimizers' steps and of rows of tables: against formulas in NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.kernels.optimizers.update_rule import RULES as TABLES
from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_RESTS, ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS
from tests.kernels.optimizers.update_rules import RULES, _state
from tests.kernels.properties import FLOATS, Property, ids, normal, results_of

Made = tuple[list[np.ndarray], dict[str, Any]]


def numbers_of(name: str) -> list[np.ndarray]:
    return [np.array(number, np.float64) for number in RULES[name][1]]


def stepped(
    weights: list[Any], slots: list[list[Any]], gradients: list[Any], rule: str, numbers: Any
) -> tuple[Any, ...]:
    """The weights and the slots after a step of a rule."""
    new = [
        RULES[rule][2](p, [slot[k] for slot in slots], g, *numbers)
        for k, (p, g) in enumerate(zip(weights, gradients, strict=True))
    ]
    return *new, *[s for slot in slots for s in slot]


def make_update(rule: str) -> Callable[..., Made]:
    def make(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
        shapes = [(a,), (b, c), ()][: int(r.integers(1, 4))]
        weights, slots, gradients = _state(shapes, RULES[rule][0], dtype, int(r.integers(0, 1 << 31)))
        arrays = [*weights, *[s for slot in slots for s in slot], *gradients]
        return [*map(np.asarray, arrays), *numbers_of(rule)], {"rule": rule, "count": len(shapes)}

    return make


def update(*inputs: Any, rule: str, count: int) -> tuple[Any, ...]:
    kinds = RULES[rule][0] + 1
    parts = [[np.array(x) for x in inputs[k * count : (k + 1) * count]] for k in range(kinds + 1)]
    return stepped(parts[0], parts[1:-1], parts[-1], rule, [float(x) for x in inputs[(kinds + 1) * count :]])


def make_update_by_element(rule: str) -> Callable[..., Made]:
    whole = make_update(rule)

    def make(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
        arrays, attributes = whole(r, dtype, a, b, 1)
        count = attributes["count"]
        kinds = RULES[rule][0] + 2
        firsts = [arrays[k * count] for k in range(kinds)]
        return [*firsts, *arrays[kinds * count :]], {"rule": rule, "result": int(r.integers(0, kinds - 1))}

    return make


def update_by_element(*inputs: Any, rule: str, result: int) -> Any:
    return update(*inputs, rule=rule, count=1)[result]


def summed(values: np.ndarray, places: np.ndarray, limit: int, owner: str) -> tuple[Any, ...]:
    unique, at = np.unique(places, return_inverse=True)
    sums, all_ids = np.zeros_like(values), np.full_like(places, limit)
    np.add.at(sums, at.reshape(-1), values)
    all_ids[: unique.size] = unique
    return sums, all_ids, np.array(unique.size, np.int64)


def rows_of(r: np.random.Generator, dtype: str, n: int, limit: int, width: int) -> list[np.ndarray]:
    """Rows, and ids of them that repeat."""
    limit = max(limit, 1)
    kind = ["int32", "int64"][r.integers(0, 2)]
    return [normal(r, dtype, n, width), ids(r, limit, n).astype(kind)]


def make_sum_rows(r: np.random.Generator, dtype: str, n: int, limit: int, width: int) -> Made:
    return rows_of(r, dtype, n, limit, width), {"limit": max(limit, 1), "owner": "table"}


def make_add_rows(r: np.random.Generator, dtype: str, n: int, limit: int, width: int) -> Made:
    values, places = rows_of(r, dtype, n, limit, width)
    sums = results_of("sum_rows", [values, places], {"limit": max(limit, 1), "owner": "table"})
    return [normal(r, dtype, max(limit, 1), width), *sums], {}


def added(table: Any, sums: Any, places: Any, number: Any) -> Any:
    y = np.array(table)
    y[places[: int(number)]] += sums[: int(number)]
    return y


def make_rows(rule: str, live: bool) -> Callable[..., Made]:
    slots = RULES[rule][0]

    def make(r: np.random.Generator, dtype: str, n: int, limit: int, width: int) -> Made:
        limit = max(limit, 1)
        sums = results_of("sum_rows", rows_of(r, dtype, n, limit, width), {"limit": limit, "owner": "table"})
        (table,), held, _ = _state([(limit, width)], slots, dtype, int(r.integers(0, 1 << 31)))
        flags = []
        if live:
            alive = np.zeros(-(-limit // 8) * 8, np.uint8)
            alive[:limit] = r.random(limit) < 0.5
            for slot in held:
                slot[0][alive[:limit] == 0] = 0
            flags = [alive.view(np.uint64)]
        more = {} if live else {"moves": TABLES[rule].zero_gradient}
        numbers = numbers_of(rule)
        if live:
            numbers[-1] = np.array(0.0)  # weights that decay move without a gradient
        return [table, *[slot[0] for slot in held], *flags, *sums, *numbers], {"rule": rule, **more}

    return make


def rows_updated(*inputs: Any, rule: str, moves: int) -> tuple[Any, ...]:
    changed = RULES[rule][0] + 1
    state = [np.array(x) for x in inputs[:changed]]
    values, places, number = inputs[changed : changed + 3]
    places = places[: int(number)]
    numbers = [float(x) for x in inputs[changed + 3 :]]
    g = np.zeros_like(state[0])
    g[places] = values[: len(places)]
    if moves == ZERO_GRADIENT_RESTS:  # only rows with a gradient change
        rows = stepped([state[0][places]], [[s[places]] for s in state[1:]], [g[places]], rule, numbers)
        for x, new in zip(state, rows, strict=True):
            x[places] = new
        return tuple(state)
    return stepped([state[0]], [[s] for s in state[1:]], [g], rule, numbers)


def live_rows_updated(*inputs: Any, rule: str) -> tuple[Any, ...]:
    changed = RULES[rule][0] + 1
    found = rows_updated(*inputs[:changed], *inputs[changed + 1 :], rule=rule, moves=-1)
    return *found, ...


def make_adafactor(matrix: bool) -> Callable[..., Made]:
    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        shape = tuple([max(1, size) for size in sizes])
        means = [shape[:-1], (*shape[:-2], shape[-1])] if matrix else []
        arrays = [normal(r, dtype, *shape), *[(0.1 + r.random(s)).astype(dtype) for s in (*means, shape)]]
        numbers = [np.array(x) for x in (0.5, 0.75, 1e-30, 1e-3, 1.0, 0.25)]
        return [*arrays, normal(r, dtype, *shape), *numbers], {}

    return make


def root_mean_square(x: Any) -> Any:
    return np.sqrt(np.mean(x * x))


def adafactor(*inputs: Any) -> tuple[Any, ...]:
    matrix = len(inputs) == 11
    *state, g = inputs[: 5 if matrix else 3]
    rate, beta, epsilon_1, epsilon_2, threshold, decay = [float(x) for x in inputs[-6:]]
    p = state[0] * (1 - decay)
    alpha = rate * max(epsilon_2, root_mean_square(p))
    squares = g * g + epsilon_1
    if matrix:
        r = beta * state[1] + (1 - beta) * squares.mean(-1)
        c = beta * state[2] + (1 - beta) * squares.mean(-2)
        v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
        means = [r, c]
    else:
        v, means = beta * state[1] + (1 - beta) * squares, []
    step = g / np.sqrt(v)
    return p - alpha * step / max(1.0, root_mean_square(step) / threshold), *means, v


PROPERTIES = [
    *[Property("apply_update", 3, make_update(rule), update, 512) for rule in RULES],
    *[Property("apply_update_by_element", 2, make_update_by_element(rule), update_by_element, 512) for rule in RULES],
    *[Property("apply_update_to_rows", 3, make_rows(rule, False), rows_updated, 512) for rule in RULES],
    *[
        Property("apply_update_to_live_rows", 3, make_rows(rule, True), live_rows_updated, 512)
        for rule in RULES
        if TABLES[rule].zero_gradient == ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS
    ],
    Property("sum_rows", 3, make_sum_rows, summed, 16),
    Property("add_rows", 3, make_add_rows, added, 1),
    Property("apply_adafactor_matrix", 3, make_adafactor(True), adafactor, 256, FLOATS),
    Property("apply_adafactor_matrix", 2, make_adafactor(True), adafactor, 256, FLOATS),
    Property("apply_adafactor_vector", 1, make_adafactor(False), adafactor, 256, FLOATS),
]
