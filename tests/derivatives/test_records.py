"""Derivatives with respect to records, arrays of records and instances of jitclass."""

import numba
import numpy as np
import pytest
from numba import float64, int64
from numba.experimental import jitclass

import fastgrad as fg
from fastgrad.errors import DifferentiationError

BODY = np.dtype([("mass", np.float64), ("kind", np.int64), ("place", np.float64, (2,)), ("phase", np.complex128)])


def bodies():
    array = np.zeros(3, BODY)
    array["mass"], array["kind"], array["phase"] = [1.5, 0.7, 2.1], [1, 0, 2], [1 + 2j, 0.5j, -1 + 0.3j]
    array["place"] = [[0.4, -1.2], [0.9, 1.1], [-0.3, 0.8]]
    return array


@numba.njit
def energy(bodies, x):
    total = 0.0
    for body in bodies:
        total += body["mass"] * body["place"][0] * x + body.place[1] ** 2 * body.kind
        total += (body["phase"] * body["phase"]).real
    bodies[0]["mass"] = total * x
    bodies[1] = bodies[0]
    return total + bodies[0].mass * bodies[1]["mass"]


@numba.njit
def doubled(body, x):
    body.mass = body.mass * x
    return body.mass**2 * body["place"][1]


@jitclass([("value", float64), ("count", int64), ("weights", float64[:])])
class Mean:
    def __init__(self, value, weights):
        self.value = value
        self.count = 1
        self.weights = weights

    def add(self, x, power=2.0):
        self.value += x**power * self.weights[0]
        self.count += 1

    @property
    def mean(self):
        return self.value / self.count

    @mean.setter
    def mean(self, mean):
        self.value = mean * self.count

    @staticmethod
    def twice(x):
        return 2.0 * x


@numba.njit
def mean_of(mean, x):
    for value in x:
        mean.add(value, power=x[0])
    mean.mean = mean.mean * mean.weights[1]
    mean.weights[1] = mean.value
    return mean.twice(mean.mean) + mean.weights[1] * x[1]


@numba.njit
def mean_of_numbers(value, weights, x):
    total = 0.0
    for _ in range(2):
        total += mean_of(Mean(value, weights.copy()), x)
    return total


X, WEIGHTS = np.array([1.2, 0.7, 2.1]), np.array([0.8, 1.3])


def slope_by(field, index, step=1e-6):
    """Returns the central difference of ``energy`` by a number of the array of records."""
    results = []
    for shift in (step, -step):
        changed = bodies()
        changed[field][index] += shift
        results.append(energy(changed, 0.9))
    return (results[0] - results[1]) / (2.0 * step)


def test_the_cotangent_of_an_array_of_records_has_its_fields_of_floats():
    value, (gradient, slope) = fg.value_and_grad(energy, argnums=(0, 1))(bodies(), 0.9)
    assert value == energy(bodies(), 0.9)
    assert gradient.dtype.names == ("mass", "place", "phase")
    for field in ("mass", "place"):
        for index in np.ndindex(gradient[field].shape):
            assert gradient[field][index] == pytest.approx(slope_by(field, index), rel=1e-7, abs=1e-7)
    direction = np.zeros(3, gradient.dtype)
    direction["mass"], direction["place"], direction["phase"] = 1.0, 2.0, 0.5 - 0.25j
    _, tangent = fg.jvp(energy, (bodies(), 0.9), (direction, 1.0))
    phases = (np.conj(gradient["phase"]) * direction["phase"]).real.sum()
    wanted = gradient["mass"].sum() + 2.0 * gradient["place"].sum() + phases + slope
    assert tangent == pytest.approx(wanted, rel=1e-12)
    primal = bodies()
    _, pull = fg.vjp(energy, primal, 0.9)
    np.testing.assert_array_equal(pull(1.0)[0], gradient)
    np.testing.assert_array_equal(primal, bodies())


def test_a_record_has_an_array_without_axes_as_cotangent():
    gradient = fg.grad(doubled)(bodies()[1], 3.0)
    assert gradient.shape == ()
    assert gradient["mass"] == pytest.approx(2.0 * 0.7 * 9.0 * 1.1)
    np.testing.assert_allclose(gradient["place"], [0.0, (0.7 * 3.0) ** 2])
    direction = np.zeros((), gradient.dtype)
    direction["mass"] = 1.0
    assert fg.jvp(doubled, (bodies()[1], 3.0), (direction, 0.0))[1] == pytest.approx(gradient["mass"])
    second = fg.hvp(doubled)(bodies()[1], 3.0, direction)
    np.testing.assert_allclose([second["mass"], second["place"][1]], [2.0 * 9.0 * 1.1, 2.0 * 0.7 * 9.0])


def test_an_instance_has_a_named_tuple_as_cotangent():
    gradient, by_x = fg.grad(mean_of, argnums=(0, 1))(Mean(0.4, WEIGHTS.copy()), X)
    assert gradient._fields == ("value", "weights")
    wanted = fg.grad(mean_of_numbers, argnums=(0, 1, 2))(0.4, WEIGHTS, X)
    fg.check_gradients(mean_of_numbers, 0.4, WEIGHTS, X)
    for part, twice in zip((*gradient, by_x), wanted, strict=True):
        np.testing.assert_allclose(part, twice / 2.0, rtol=1e-12)
    _, tangent = fg.jvp(mean_of, (Mean(0.4, WEIGHTS.copy()), X), (gradient, by_x))
    assert tangent == pytest.approx(gradient.value**2 + (gradient.weights**2).sum() + (by_x**2).sum(), rel=1e-12)


def test_a_pullback_leaves_an_instance_as_it_is():
    mean = Mean(0.4, WEIGHTS.copy())
    _, pull = fg.vjp(mean_of, mean, X)
    assert (mean.value, mean.count) == (0.4, 1)
    mean.value = 7.0
    gradient, _ = pull(1.0)
    assert mean.value == 7.0
    assert gradient.value == fg.grad(mean_of)(Mean(0.4, WEIGHTS.copy()), X).value
    np.testing.assert_array_equal(mean.weights, WEIGHTS)


def test_a_pullback_leaves_an_instance_in_a_tuple_as_it_is():
    of_parts = numba.njit(lambda parts, x: mean_of(parts[0][0], x))
    mean = Mean(0.4, WEIGHTS.copy())
    value, pull = fg.vjp(of_parts, ((mean,), 1.0), X)
    assert value == mean_of(Mean(0.4, WEIGHTS.copy()), X)
    ((gradient,), _), by_x = pull(1.0)
    wanted, wanted_by_x = fg.grad(mean_of, argnums=(0, 1))(Mean(0.4, WEIGHTS.copy()), X)
    assert (gradient.value, mean.value, mean.count) == (wanted.value, 0.4, 1)
    np.testing.assert_array_equal(by_x, wanted_by_x)
    np.testing.assert_array_equal(mean.weights, WEIGHTS)


def test_items_of_a_tuple_may_be_records_and_instances():
    @numba.njit
    def product(parts):
        return parts[0]["mass"] * parts[1]["mass"] ** 2 * parts[2].value * parts[2].weights[1]

    first, second, third = fg.grad(product)((bodies()[0], bodies()[1], Mean(0.4, WEIGHTS)))
    wanted = product((bodies()[0], bodies()[1], Mean(0.4, WEIGHTS)))
    assert first["mass"] * 1.5 == pytest.approx(wanted)
    assert second["mass"] * 0.7 == pytest.approx(2.0 * wanted)
    assert third.value * 0.4 == pytest.approx(wanted)


@numba.njit
def rebound(mean, x):
    mean.weights = x * 2.0
    return mean.weights.sum() * mean.value


@jitclass([("weights", float64[:])])
class Rebinding:
    def __init__(self, x, count):
        for number in range(count):
            self.weights = x * number

    def __getitem__(self, index):
        return self.weights[index]


@numba.njit
def rebinding(x):
    return Rebinding(x, 3).weights.sum()


@numba.njit
def item_of_instance(weights):
    return weights[0]


@numba.njit
def returned_instance(x):
    return Mean(x[0], x)


@numba.njit
def one_of_two(x, first):
    mean = Mean(x[0], x)
    for _ in range(2):
        if first:
            mean = Mean(x[1], x)
    return mean.value


OVERLAPPING = np.dtype({"names": ["x", "y"], "formats": ["f8", "f8"], "offsets": [0, 4]})


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (rebound, (Mean(0.4, WEIGHTS), X), "weights\\[:\\] = "),
        (rebinding, (X,), "outside of loops"),
        (item_of_instance, (Rebinding(X, 1),), "call a method"),
        (returned_instance, (X,), "return its fields"),
        (one_of_two, (X, True), "several definitions"),
        (numba.njit(lambda record: record[0].x), (np.zeros(2, OVERLAPPING),), "overlap"),
    ],
)
def test_what_is_refused_is_an_error_with_its_line(function, arguments, reason):
    with pytest.raises(DifferentiationError, match=f"test_records.py:.*{reason}"):
        fg.vjp(function, *arguments)[1](1.0)


def test_records_that_share_memory_are_an_error():
    @numba.njit
    def written(first, second):
        first["mass"] = second["mass"] ** 2
        return first["mass"] * second["mass"]

    record, weights = bodies()[1], WEIGHTS.copy()
    for call in (lambda: fg.grad(written)(record, record), lambda: fg.vjp(written, record, record)):
        with pytest.raises(ValueError, match="share memory"):
            call()
    with pytest.raises(ValueError, match="share memory"):
        fg.vjp(mean_of, Mean(0.4, weights), weights)
    with pytest.raises(DifferentiationError, match="use vjp or jvp"):
        fg.jacobian(mean_of, 1)(Mean(0.4, weights), X)
    with pytest.raises(DifferentiationError, match="Pass the fields mass, place, phase"):
        fg.jvp(doubled, (record, 1.0), (1.0, 0.0))


@numba.njit
def kink(bodies, mean):
    total = 0.0
    for body in bodies:
        total += max(body["place"][0], 0.0)
    return total + max(mean.value, 0.0) * mean.weights[0]


def test_check_gradients_compares_fields():
    assert fg.check_gradients(energy, bodies(), 0.9) is None
    assert fg.check_gradients(doubled, bodies()[1], 3.0) is None
    mean = Mean(0.4, WEIGHTS.copy())
    assert fg.check_gradients(mean_of, mean, X) is None
    assert (mean.value, mean.count) == (0.4, 1)
    np.testing.assert_array_equal(mean.weights, WEIGHTS)
    at_kink = bodies()
    at_kink["place"][1, 0] = 0.0
    with pytest.raises(AssertionError, match=r"with respect to bodies\.place\[1, 0\] differ"):
        fg.check_gradients(kink, at_kink, mean)
    with pytest.raises(AssertionError, match=r"with respect to mean\.value differ"):
        fg.check_gradients(kink, bodies(), Mean(0.0, WEIGHTS.copy()))


def test_check_gradients_compares_fields_in_tuples():
    def of_pair(pair):
        return kink(pair[0], pair[1])

    mean = Mean(0.4, WEIGHTS.copy())
    assert fg.check_gradients(of_pair, (bodies(), mean)) is None
    assert mean.value == 0.4
    at_kink = bodies()
    at_kink["place"][1, 0] = 0.0
    with pytest.raises(AssertionError, match=r"with respect to pair\[0\]\.place\[1, 0\] differ"):
        fg.check_gradients(of_pair, (at_kink, mean))
    with pytest.raises(AssertionError, match=r"with respect to pair\[1\]\.value differ"):
        fg.check_gradients(of_pair, (bodies(), Mean(0.0, WEIGHTS.copy())))


@numba.njit
def place_of_one(bodies):
    return abs(bodies[1]["place"][0])


@numba.njit
def phase_of_one(bodies):
    return bodies[2].phase.imag ** 2


@numba.njit
def kind_of_one(bodies):
    return bodies[0].kind * 1.5


@numba.njit
def place_by_an_expression(bodies):
    total = 0.0
    for i in range(2):
        total += bodies[2 - i].place[bodies[i].kind % 2] ** 2
    return total


@numba.njit
def place_in_a_call(bodies):
    return place_of_one(bodies[::-1]) * place_of_one(bodies)


@numba.njit
def place_that_is_written(bodies):
    bodies[1].place[0] = 3.0
    return bodies[1].place[0]


@pytest.mark.parametrize(
    "function",
    [place_of_one, phase_of_one, kind_of_one, place_by_an_expression, place_in_a_call, place_that_is_written],
)
def test_a_function_reads_some_fields_only(function):
    fg.check_gradients(function, bodies())
    gradient = fg.grad(function)(bodies())
    assert gradient.shape == (3,)
    assert fg.jvp(function, (bodies(),), (gradient,))[1] >= 0.0


def test_an_array_of_records_with_two_axes_reads_one_field():
    of_matrix = numba.njit(lambda bodies: bodies[1, 0].place[1] ** 2)
    matrix = np.stack([bodies(), bodies()])
    gradient = fg.grad(of_matrix)(matrix)
    assert gradient.shape == (2, 3)
    assert gradient["place"][1, 0, 1] == 2.0 * matrix["place"][1, 0, 1]
    assert np.count_nonzero(gradient["place"]) == 1


def test_a_record_reads_one_field():
    of_record = numba.njit(lambda body: body.place[1] ** 2)
    np.testing.assert_array_equal(fg.grad(of_record)(bodies()[1])["place"], [0.0, 2.2])


@numba.njit
def cubed(scale, body):
    return scale**3 * body["mass"]


slope_by_scale = fg.grad(cubed)


@numba.njit
def sum_of_slopes(records):
    total = 0.0
    for i in range(len(records)):
        total += slope_by_scale(records[i]["mass"], records[i]) * records[i]["mass"]
    return total


def test_a_gradient_by_a_number_that_reads_a_record_may_be_called():
    records = bodies()
    gradient = fg.grad(sum_of_slopes)(records)  # of 3 m**4
    np.testing.assert_allclose(gradient["mass"], 12.0 * records["mass"] ** 3, rtol=1e-12)


@numba.njit
def mass_squared(records):
    return records[0]["mass"] ** 2


slopes_by_fields = fg.grad(mass_squared)


@numba.njit
def twice_the_mass(records):
    return slopes_by_fields(records)[0]["mass"]


@pytest.mark.parametrize("derivative", [fg.grad, fg.jacobian])
def test_a_derivative_of_a_gradient_by_records_is_refused_with_the_remedy(derivative):
    records = bodies()
    assert twice_the_mass(records) == 2.0 * records[0]["mass"]
    with pytest.raises(
        DifferentiationError,
        match="records is of type .*: pass the fields of records and the items of lists as arguments",
    ):
        derivative(twice_the_mass)(records)


# ---- copies and subsets of arrays of records ------------------------------------------------------------------------


@numba.njit
def weight(bodies, x):
    total = 0.0
    for body in bodies:
        total += body["mass"] ** 2 * body.place[1] * x + body.kind * body.mass + (body.phase * body.phase).real * x
    return total


@numba.njit
def of_copy(bodies, x):
    copy = bodies.copy()
    copy[0]["mass"] = x * x
    return weight(copy, x) * bodies[0].mass


@numba.njit
def of_np_copy(bodies, x):
    copy = np.copy(bodies[::-1])
    copy["mass"][0] *= x
    return weight(copy, x) * bodies[2].mass


@numba.njit
def of_assigned(bodies, x):
    copy = np.empty(len(bodies), bodies.dtype)
    copy[:] = bodies
    copy[0].mass = x
    return weight(copy, x) * bodies[0].mass


@numba.njit
def of_assigned_items(bodies, x):
    copy = np.empty_like(bodies)
    for i in range(bodies.size):
        copy[i] = bodies[bodies.size - 1 - i]
    return weight(copy, x) * copy[0].mass * bodies.ndim


@numba.njit
def of_index(bodies, x):
    chosen = bodies[np.array([2, 0, -1])]
    chosen[0].mass *= x
    return weight(chosen, x) * bodies[2].mass


@numba.njit
def of_order(bodies, x):
    ordered, total = bodies[np.argsort(bodies["mass"])], 0.0
    for i in range(1, len(ordered)):
        total += ordered[i].mass * ordered[i - 1].place[0] * i * x
    return total


@numba.njit
def of_field_as_index(bodies, x):
    return weight(bodies[bodies["kind"]], x) * bodies[1].mass


@numba.njit
def of_masks(bodies, x):
    total = 0.0
    for kind in range(3):
        total += weight(bodies[bodies.kind == kind], x) * (kind + 1)
    return total


@numba.njit
def of_near_ones(bodies, x):
    total = 0.0
    for body in bodies:
        for other in bodies[np.abs(bodies["mass"] - body.mass) < 1.0]:
            total += other.mass * body.mass * other["place"][0] * x
    return total


@numba.njit
def of_joined(bodies, x):
    joined = np.concatenate((bodies, bodies[1:]))
    joined[0].mass *= x
    return weight(joined, x) * bodies[0].mass


@numba.njit
def of_appended(bodies, x):
    return weight(np.append(bodies, bodies[:1]), x)


@numba.njit
def of_joins_in_a_loop(bodies, x):
    chosen = bodies[:0]
    for kind in range(2):
        chosen = np.concatenate((chosen, bodies[bodies.kind == kind]))
    return weight(chosen, x) * chosen[0].mass


@numba.njit
def of_one_of_two(bodies, x):
    return weight(bodies[bodies.kind > 0] if x > 0.0 else bodies, x)


@numba.njit
def assigned_by_index(bodies, x):
    bodies[np.array([0, 1])] = bodies[np.array([1, 2])]
    bodies[0].mass *= x
    return weight(bodies, x)


@numba.njit
def assigned_by_mask(bodies, x):
    bodies[bodies.kind > 0] = bodies[1]
    return weight(bodies, x)


@numba.njit
def assigned_to_overlap(bodies, x):
    bodies[np.array([1, 2])] = bodies[:2]
    bodies[1:] = bodies[:-1]
    return weight(bodies, x)


SUBSETS = [
    *(of_copy, of_np_copy, of_assigned, of_assigned_items, of_index, of_order, of_field_as_index, of_masks),
    *(of_near_ones, of_joined, of_appended, of_joins_in_a_loop, of_one_of_two),
    *(assigned_by_index, assigned_by_mask, assigned_to_overlap),
]


@pytest.mark.parametrize("function", SUBSETS)
def test_copies_and_subsets_of_records(function):
    assert fg.check_gradients(function, bodies(), 0.9) is None


@pytest.mark.parametrize("function", [of_copy, of_joins_in_a_loop, assigned_by_mask])
def test_subsets_of_constant_records(function):
    value, slope = fg.value_and_grad(function, argnums=1)(bodies(), 0.9)
    assert value == pytest.approx(function(bodies(), 0.9), rel=1e-14)
    shifted = [function(bodies(), 0.9 + step) for step in (1e-6, -1e-6)]
    assert slope == pytest.approx((shifted[0] - shifted[1]) / 2e-6, rel=1e-8)


def test_fields_of_texts_are_not_read():
    named = np.zeros(3, [*BODY.descr, ("name", "U8")])
    for field in BODY.names:
        named[field] = bodies()[field]
    gradient, wanted = [fg.grad(of_masks)(records, 0.9) for records in (named, bodies())]
    for field in ("mass", "place", "phase"):
        np.testing.assert_array_equal(gradient[field], wanted[field])


@numba.njit
def named_one(bodies, x):
    return x if bodies[0].name == "sun" else x * x


@numba.njit
def assigned_with_its_name(bodies, x):
    bodies[0] = bodies[1]
    return bodies[0].mass * x


@numba.njit
def assigned_by_a_field(bodies, x):
    bodies[bodies["kind"]] = bodies.copy()
    return weight(bodies, x)


@numba.njit
def one_of_two_is_written(bodies, x):
    chosen = bodies if x > 0.0 else bodies.copy()
    chosen[0].mass = x
    return weight(chosen, x) * bodies[0].mass


@numba.njit
def the_largest(bodies, x):
    largest = bodies[0]
    for body in bodies:
        if body.mass > largest.mass:
            largest = body
    return largest.mass * x


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (named_one, r"the field name of a record is of type \[unichr"),
        (assigned_with_its_name, "fields of texts can't be differentiated: assign the fields"),
        (assigned_by_a_field, "copy the indices first"),
        (one_of_two_is_written, "copy the array"),
        (the_largest, "has several definitions"),
    ],
)
def test_uses_of_records_that_are_refused(function, reason):
    records = np.zeros(3, [*BODY.descr, ("name", "U8")]) if "name" in function.__name__ else bodies()
    with pytest.raises(DifferentiationError, match=f"test_records.py:.*{reason}"):
        fg.grad(function, argnums=1)(records, 0.9)
