"""Dictionaries of numbers and sets, whose keys are integers, texts, or tuples of them."""

from numba import njit, types
from numba.typed import Dict

from tests.derivatives.table import N, X, program

PAIR = types.UniTuple(types.int64, 2)


@program(1.3)
def dictionary_of_floats(x):
    d = {}
    d[0] = x * x
    d[1] = d[0] * x
    return d[1]


@program((X, N))
def typed_dictionary_of_floats(x, n):
    d = Dict.empty(types.int64, types.float64)
    for i in range(5):
        d[n[i]] = x[n[i]] * x[i % 4]
    return d[2] * len(d)


@program(X)
def dictionary_updated_in_a_loop(x):
    sums = {0: 0.0, 1: 0.0}
    for i in range(4):
        sums[i % 2] += x[i] * x[i]
    return sums[0] * sums[1]


@program((X, N))
def counts_of_integers(x, n):
    counts = Dict.empty(types.int64, types.int64)
    for i in range(len(n)):
        counts[n[i]] = counts.get(n[i], 0) + 1
    total = 0.0
    for key, count in counts.items():
        total += x[key] ** count
    return total


@program((X, N))
def values_and_keys_of_a_dictionary(x, n):
    d = Dict.empty(types.int64, types.float64)
    for i in range(5):
        if n[i] in d:
            d[n[i]] *= x[i % 4]
        else:
            d[n[i]] = x[i % 4] + 2.0
    total, weight = 0.0, 1.0
    for value in d.values():
        weight += 1.0
        total += weight * value * value
    for key in d:
        total += x[key] * d[key]
    return total


@program((X, N))
def removed_keys(x, n):
    d = {0: x[0], 1: x[1] * x[2], 2: x[2], 3: x[3]}
    del d[n[0]]
    taken = d.pop(1)
    total = taken * d[3]
    for value in d.values():
        total = total * value + 1.0
    return total


@program((X, N))
def positions_in_an_array_by_keys(x, n):
    positions = {10: 0, 20: 3, 30: 1}
    return x[positions[10]] * x[positions[20]] + x[positions[10 * n[3]]] ** 2


@program((X, N))
def arrays_by_keys(x, n):
    d = {0: x, 1: x * x}
    d[7] = d[1][1:] * x[0]
    return d[1].sum() * d[n[0] % 2][2] + d[7][n[1] % 3]


@njit
def add_to(d, key, value):
    d[key] = d.get(key, 0.0) + value


@program((X, N))
def dictionary_filled_by_a_function(x, n):
    d = Dict.empty(types.int64, types.float64)
    for i in range(5):
        add_to(d, n[i] % 2, x[n[i]] ** 2)
    return d[0] * d[1]


@program((X, N))
def elements_that_are_in_a_set(x, n):
    chosen = {1, 3, 5}
    total = 0.0
    for i in range(4):
        if i in chosen:
            total += x[i] ** 2
        elif n[i] not in chosen:
            total += x[i]
    return total * len(chosen)


@program((X, N))
def first_visits(x, n):
    visited = set()
    total = 1.0
    for i in n:
        if i not in visited:
            visited.add(i)
            total *= 1.5 + x[i]
    visited.remove(2)
    return total + x[0] * len(visited) + (x[1] if 2 in visited else x[2] ** 2)


@program((X, N))
def set_of_an_array(x, n):
    different = set(n)
    return x[0] ** len(different) + (x[1] if 3 in different else x[2])


@program(1.3)
def texts_as_keys(x):
    d = {"rate": x, "scale": x * x}
    d["shift"] = d["rate"] * d["scale"]
    d["rate"] += 3.0 * x
    if "other" in d:
        return x
    return d["rate"] * d["shift"] * d.get("other", 2.0) + len(d)


@program((1.3, "rate", "scale"), (1.3, "scale", "scale"), (1.3, "new", "rate"), (1.3, "new", "new"))
def texts_that_are_passed(x, first, second):
    d = {"rate": x, "scale": x * x}
    d[first] = d.get(second, 0.5) * x
    total = 0.0
    for key, value in d.items():
        if key == second:
            total += value * x
        elif key != "rate":
            total += value * value
        if key == first:
            total *= 2.0 * x
    return total


@program((1.3, True), (1.3, False))
def text_that_is_chosen(x, flag):
    d = {"rate": x, "scale": x * x}
    key = "rate" if flag else "scale"
    d[key] *= x
    for _ in range(2):
        d[key] = d[key] * x
        key = "scale"
    return d["rate"] * 2.0 + d["scale"]


total_of = njit(lambda d, key: d[key] * d["scale"])


@program(1.3)
def texts_in_a_helper(x):
    d = Dict.empty(types.unicode_type, types.float64)
    for key in ("rate", "scale", "rate"):
        d[key] = d.get(key, 1.0) * x + 0.5
    return total_of(d, "rate") + d.pop("scale") * len(d)


@program(X)
def tuples_as_keys(x):
    d = {}
    for i in range(4):
        d[(i % 2, i // 2)] = x[i] * x[i]
    d[(0, 1)] *= x[0]
    return d[(0, 0)] * d[(1, 1)] + d[0, 1]


@program(X)
def tuples_in_a_loop(x):
    d = Dict.empty(PAIR, types.float64)
    for i in range(4):
        for j in range(4):
            key = (min(i, j), max(i, j))
            d[key] = d.get(key, 0.0) + x[i] * x[j] * x[0]
    del d[(0, 0)]
    total = 0.0
    for (i, j), value in d.items():
        total += value * (i + 1) - j * value * value
    for key in d:
        total += x[key[1]] * d[key]
    return total


@program((X, "left"))
def tuples_of_texts_and_integers(x, side):
    d = {("left", 0): x[0], ("right", 0): x[1]}
    d[(side, 1)] = x[2] * d[(side, 0)]
    d[("right", 1)] = x[3] * d[("right", 0)]
    total = 0.0
    for (name, number), value in d.items():
        if name == side:
            total += value * value * (number + 1)
    return total * d[("right", 1)]


@program(X)
def set_of_tuples(x):
    visited = {(0, 0)}
    total = 0.0
    for i in range(4):
        place = (i % 2, i // 3)
        if place in visited:
            total += x[i] * x[i]
        else:
            visited.add(place)
            total -= x[i] * x[0]
    return total * len(visited)


@program(X)
def keys_that_come_back(x):
    values = {}
    for i in range(4):
        values[(i * 3) % 4] = x[i] * x[i]
    first = values.pop(2)
    values[2] = first * values[1]
    del values[0]
    values[0] = x[3]
    total, k = 0.0, 1.0
    for key, value in values.items():
        total = total * 0.5 + k * value * (key + 1)
        k += 1.0
    return total * first


@program(X)
def mixed_keys_in_and_out(x):
    values = {("a", 1): x[0], ("b", 1): x[1]}
    for i in range(4):
        key = ("a" if i % 2 else "b", i // 2)
        if key in values:
            values[key] *= x[i]
        else:
            values[key] = x[i]
    total = 0.0
    for (text, number), value in values.items():
        total += value * number + (value * value if text == "a" else 0.0)
    return total


@program(X)
def another_name_of_a_dictionary(x):
    values = {3: x[0], 4: x[1]}
    other = values
    values[3] *= x[2]
    other[7] = x[3]
    return values[3] * other[3] * values[7] * len(values)


@program(1.3)
def floats_as_keys(x):
    d = {x * x: 1}
    total = 0.0
    for key in d:
        total += key
    return total


@program(1.3)
def set_of_floats(x):
    values = {x, x * x}
    total = 0.0
    for value in sorted(values):
        total += value
    return total
