"""Tuples, named tuples, records, lists, local arrays."""

from collections import namedtuple

import numpy as np
from numba import float64, int64, njit
from numba.experimental import jitclass
from numba.typed import List

from tests.derivatives.table import A, V, X, Y, formula, program

Point = namedtuple("Point", ["x", "y"])
State = namedtuple("State", ["position", "velocity", "step"])
PARTICLE = np.dtype([("mass", np.float64), ("speed", np.float64), ("kind", np.int64)])
WITH_VECTOR = np.dtype([("mass", np.float64), ("place", np.float64, (3,))])


@program((1.3, 0.7))
def tuple_of_floats(x, y):
    t = (x * y, x + y)
    return t[0] * t[1]


@program((1.3, 0.7))
def tuple_unpacked(x, y):
    a, b, c = x * y, x + y, 2.0
    return a * b * c


@program((1.3, 0.7))
def nested_tuple(x, y):
    t = ((x, y), x * y)
    (a, b), c = t
    return a * c + b * t[0][1]


@program((1.3, 0.7))
def tuple_of_mixed_types(x, y):
    t = (x, 3, y, True)
    return t[0] ** t[1] * t[2] if t[3] else t[0]


@program((X, Y))
def tuple_of_arrays(x, y):
    t = (x, y * 2.0)
    t[0][1] = t[1][2] * t[0][0]
    return (t[0] * t[1]).sum()


@program((X, 2), (X, 0))
def tuple_indexed_by_an_argument(x, i):
    t = (x[0] * x[1], x[1] * x[2], x[2] * x[3])
    return t[i] * t[1]


@program((1.3, 0.7))
def tuple_slice_and_concatenation(x, y):
    t = (x, y, x * y)
    u = t[1:] + (x + y,)
    return u[0] * u[1] * u[2]


formula("tuple_summed", lambda x, y: sum((x, y * y, x * y)) * max((x, y)) + min((x * y, y)), (1.3, 0.7))


@program((1.3, 0.7, 3))
def tuple_carried_by_a_loop(x, y, n):
    t = (x, y)
    for _ in range(n):
        t = (t[0] * t[1], t[0] + 0.5)
    return t[0] + t[1]


@program((1.3, True), (1.3, False))
def tuple_of_a_branch(x, flag):
    if flag:
        t = (x, x * x)
    else:
        t = (x * x * x, 1.0)
    return t[0] * t[1]


@program((1.3, 0.7))
def named_tuple(x, y):
    p = Point(x * y, x - y)
    return p.x * p.y + p[0]


@program((1.3, 0.7))
def named_tuple_by_keywords(x, y):
    p = Point(y=x * y, x=x - y)
    a, b = p
    return a * b * p.x


@program((X, 4))
def named_tuple_of_arrays_in_a_loop(x, n):
    s = State(x.copy(), np.ones(4), 0.1)
    for _ in range(n):
        velocity = s.velocity - s.step * np.sin(s.position)
        s = State(s.position + s.step * velocity, velocity, s.step * 0.9)
    return (s.position * s.velocity).sum()


mirrored = njit(lambda p: Point(p.y * p.x, -p.x))


@program((1.3, 0.7))
def named_tuple_through_a_helper(x, y):
    p = mirrored(mirrored(Point(x, y)))
    return p.x * p.y


@program(X)
def array_of_records(x):
    particles = np.zeros(4, dtype=PARTICLE)
    for i in range(4):
        particles[i]["mass"] = x[i] * x[i]
        particles[i]["speed"] = x[i] + i
        particles[i]["kind"] = i % 2
    total = 0.0
    for i in range(4):
        if particles[i]["kind"] == 1:
            total += particles[i]["mass"] * particles[i]["speed"] ** 2
    return total


@program(X)
def columns_of_records(x):
    particles = np.zeros(4, dtype=PARTICLE)
    particles["mass"][:] = x
    particles["speed"][:] = x * x
    particles["mass"][1] = particles["speed"][2]
    return (particles["mass"] * particles["speed"]).sum()


@program(X)
def record_overwritten(x):
    particles = np.zeros(2, dtype=PARTICLE)
    one = particles[0]
    one["mass"] = x[0]
    one["speed"] = one["mass"] * x[1]
    one["mass"] = one["speed"] * one["mass"]
    particles[1] = one
    one["mass"] = 7.0
    return particles[1]["mass"] * particles[1]["speed"] + one["mass"]


@program(V)
def record_with_an_array(v):
    bodies = np.zeros(2, dtype=WITH_VECTOR)
    for i in range(3):
        bodies[0]["place"][i] = v[i] * v[i]
    bodies[0]["mass"] = v[0]
    return bodies[0]["mass"] * bodies[0]["place"].sum()


@program(X)
def list_appended(x):
    values = [x[0]]
    for i in range(1, 4):
        values.append(values[i - 1] * x[i])
    return values[1] + values[3]


@program(X)
def list_comprehension(x):
    values = [value * value for value in x if value > 0.0]
    return sum(values) * values[-1]


@program((1.3, 0.7))
def list_overwritten(x, y):
    values = [x, y, x * y]
    values[0] = values[1] * values[2]
    values[1] = values[0] * values[0]
    return values[0] + values[1]


@program(X)
def list_popped(x):
    values = [value * 2.0 for value in x]
    last = values.pop()
    first = values.pop(0)
    return last * first + values[0] * values[1]


@program(X)
def list_used_as_a_stack(x):
    stack = [x[0]]
    for i in range(1, 4):
        if x[i] > 0.0:
            stack.append(x[i] * stack[-1])
        else:
            stack[-1] = stack[-1] * x[i]
    total = 1.0
    while len(stack) > 0:
        total = total * 0.5 + stack.pop()
    return total


@program((X, Y))
def list_of_arrays(x, y):
    arrays = [x, y, x * y]
    arrays[0][1] = arrays[1][0] * arrays[2][3]
    total = 0.0
    for array in arrays:
        total += (array * array).sum()
    return total


@program((1.3, 0.7))
def list_alias(x, y):
    a = [x, y]
    b = a
    b[0] = b[1] * b[0]
    return a[0] * a[0]


@program(X)
def typed_list(x):
    values = List()
    for value in x:
        values.append(value * value)
    values[0] = values[1] * values[2]
    return values[0] * values[3]


@program(X)
def typed_list_of_arrays(x):
    arrays = List()
    arrays.append(x)
    arrays.append(x * 2.0)
    arrays[0][0] = arrays[1][2] * arrays[0][1]
    return arrays[0][0] * arrays[1][0]


@program((X, 3))
def array_made_in_a_loop(x, n):
    total = 0.0
    for i in range(n):
        y = np.zeros(2)
        y[0] = x[i] * x[i + 1]
        y[1] += y[0] * x[i]
        total += y[0] * y[1]
    return total


@program((X, 3))
def arrays_of_growing_size_in_a_loop(x, n):
    total = 0.0
    for i in range(1, n + 1):
        y = np.ones(i)
        for j in range(i):
            y[j] = x[j] * y[j - 1]
        total += y.sum() * y[0]
    return total


@program(X)
def array_from_a_list(x):
    y = np.array([x[0] * x[1], x[1], 2.0])
    return (y * y).sum() * y[0]


@program((1.3, 0.7))
def matrix_from_lists(x, y):
    m = np.array([[x, y], [x * y, 1.0]])
    return m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]


@program((A, 2), (A, 4))
def array_carried_over_iterations(a, n):
    y = np.ones(3)
    for _ in range(n):
        z = np.empty(3)
        for i in range(3):
            z[i] = a[i, 0] * y[0] + a[i, 1] * y[1] + a[i, 2] * y[2]
        y = z / 3.0
    return y.sum() * y[0]


@program(X)
def array_of_integers_and_floats(x):
    counts = np.zeros(4, np.int64)
    sums = np.zeros(4)
    for i in range(8):
        k = (i * i) % 4
        counts[k] += 1
        sums[k] += x[i % 4] * counts[k]
    return (sums * counts).sum()


@program(X)
def dictionary_of_integers(x):
    places = {}
    for i in range(4):
        places[i * 2] = 3 - i
    total = 0.0
    for i in range(4):
        total += x[i] * x[places[i * 2]] * x[i]
    return total


@program(X)
def set_of_integers(x):
    places = {0, 2, 3}
    total = 0.0
    for i in range(4):
        if i in places:
            total += x[i] * x[i]
    return total


@jitclass([("value", float64), ("count", int64)])
class Accumulator:
    def __init__(self):
        self.value = 0.0
        self.count = 0

    def add(self, x):
        self.value += x * x
        self.count += 1


@program(X)
def attributes_of_an_object(x):
    a = Accumulator()
    for value in x:
        a.add(value)
    return a.value / a.count
