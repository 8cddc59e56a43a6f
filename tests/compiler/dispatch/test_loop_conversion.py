"""Loops that go by tensors in compiled functions: one recording for any number of trips, with the results of plain Python."""

import numpy as np
import pytest

import fastgrad as tf

X = tf.constant(np.arange(24.0, dtype=np.float32).reshape(2, 3, 4))


def total(n):
    s = 0
    for i in tf.range(n):
        s += i
    return s


def last_values(n):
    i, y = -1, tf.constant(0)
    for i in tf.range(n):
        y = i * 2
    return i, y


def countdown(n):
    s = tf.constant(0)
    for i in tf.range(n, 0, -2):
        s = s * 10 + i
    return s


def with_an_end_and_holes(n):
    s = 0
    for i in tf.range(n):
        if i % 2 == 0:
            continue
        if s > 10:
            break
        s += i
    return s


def several_branches(n):
    a, b, c = 0, 0, 0
    for i in tf.range(n):
        if i % 3 == 0:
            a += 1
        elif i % 3 == 1:
            b += i
        else:
            c += 2
            if c > 4:
                c = 0
    return a, b, c


def within_each_other(n):
    s = 0
    for i in tf.range(n):
        r = 0
        for j in tf.range(n + 1):
            t = i * j
            r += t
        s += r
    return s


def with_a_gradient(n):
    x = tf.constant(1.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for i in tf.range(n):
            y = y * x if True else y
            if i % 2 == 0:
                y = y + x
    return y, tape.gradient(y, x)


def with_positions(n):
    s, c = tf.zeros([2]), 0.0
    for i in tf.range(n % 4):
        s += X[:, i, 0] * 2.0 + X[:, 0, i]
        c += X[1, -i, i] + X[i % 2][0, 1]
    return s, c


def collatz(n):
    steps = 0
    n = n + 1
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def greatest_common_divisor(n):
    a, b = n + 60, tf.constant(18)
    while b != 0:
        a, b = b, a % b
    return a


def with_two_conditions(n):
    x, i = tf.cast(n, tf.float32), 0
    while 0 <= i < 10 and not x <= 0.0:
        x = x - 1.5
        i += 1
    return i, x


def while_with_an_end(n):
    i = 0
    while i < n:
        i += 1
        if i * i > 10:
            break
    return i


PROGRAMS = [
    total,
    last_values,
    countdown,
    with_an_end_and_holes,
    several_branches,
    within_each_other,
    with_a_gradient,
    with_positions,
    collatz,
    greatest_common_divisor,
    with_two_conditions,
    while_with_an_end,
]


def compare(program, *values):
    function = tf.function(program)
    for n in values:
        wanted = tf.nest.flatten(program(tf.constant(n)))
        for got, expected in zip(tf.nest.flatten(function(tf.constant(n))), wanted, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-6)
    return function.experimental_get_tracing_count()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_loop_is_recorded_once_for_all_numbers_of_trips(program):
    assert compare(program, 3, 5, 5, 0, 1, 7, 2, 20) == 1


def test_python_in_a_loop_runs_once():
    runs = []

    def note(x):
        runs.append(1)
        return x

    @tf.function
    def noted(n):
        s = 0
        for i in tf.range(n):
            s += note(i)
        return s

    assert [int(noted(tf.constant(n))) for n in (5, 3, 0, 9)] == [10, 3, 0, 36]
    assert len(runs) == 1, "as in TensorFlow"


def test_a_loop_changes_variables():
    v = tf.Variable(0.0)

    @tf.function
    def summed(n):
        for i in tf.range(n):
            v.assign_add(tf.cast(i, tf.float32))
        return v.read_value()

    assert [float(summed(tf.constant(n))) for n in (3, 5, 0, 2)] == [3.0, 13.0, 13.0, 14.0]
    w = tf.Variable(10.0)

    @tf.function
    def drained():
        while w > 0.0:
            w.assign_sub(3.0)
        return w.read_value()

    assert [float(drained()) for _ in range(3)] == [-2.0] * 3
    w.assign(4.5)
    assert float(drained()) == -1.5
    assert summed.experimental_get_tracing_count() == drained.experimental_get_tracing_count() == 1


def test_a_tape_around_the_function_sees_the_loop():
    w = tf.Variable([[0.5, -0.25], [0.125, 1.0]])

    def powers(x, n):
        for _ in tf.range(n):
            x = tf.tanh(x @ w)
        return tf.reduce_sum(x)

    compiled = tf.function(powers)
    for n in (2, 4, 4, 1, 0):
        gradients = []
        for function in (powers, compiled):
            with tf.GradientTape() as tape:
                y = function(tf.constant([[1.0, 2.0]]), tf.constant(n))
            gradients.append(tape.gradient(y, w, unconnected_gradients="zero"))
        np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-5)
    assert compiled.experimental_get_tracing_count() == 1


def test_a_method_and_a_closure_have_loops():
    class Model:
        def __init__(self, factor):
            self.factor = tf.Variable(factor)

        @tf.function
        def power(self, n):
            s = 1
            for _ in tf.range(n):
                s = s * self.factor
            return s

    two, three = Model(2), Model(3)
    for n in (3, 1, 0, 4):
        assert (int(two.power(tf.constant(n))), int(three.power(tf.constant(n)))) == (2**n, 3**n)
    assert two.power.experimental_get_tracing_count() == 1


def test_a_loop_on_python_values_is_pythons():
    seen = []

    @tf.function
    def thrice(x):
        i = 0
        while i < 3:
            seen.append(i)
            x, i = x * 2.0, i + 1
        k = 0
        while k < 2:
            x, k = note(x, k), k + 1
        return x

    def note(x, k):
        seen.append(k)
        return x + 1.0

    assert [float(thrice(tf.constant(1.0))) for _ in range(3)] == [10.0] * 3
    assert seen == [0, 1, 2, 0, 1], "as in TensorFlow"


# ---- loops that stay Python's ------------------------------------------------------------------------------


def growing(n):
    x = tf.zeros([1])
    for _ in tf.range(n):
        x = tf.concat([x, x], 0)
    return x


def listed(n):
    rows = [tf.constant(0)]
    for i in tf.range(n):
        rows.append(i)  # noqa: PERF402
    return tf.add_n(rows)


def returning(n):
    for i in tf.range(n):
        if i * i > 10:
            return i
    return -1


def with_an_else(n):
    for i in tf.range(n):
        if i > 3:
            break
    else:
        return -1
    return i


def of_another_dtype(n):
    s = 0
    for i in tf.range(n):
        s = s + tf.cast(i, tf.float32)
    return s


def by_a_list(n):
    factors, s, k = [2, 3, 5, 7], 0, 0
    for i in tf.range(n):
        s = s + i * factors[k]
        k = (k + 1) % 4
    return s


def by_state_in_python(n):
    left, s = [1, 2, 3], 0
    while left:
        s += n * left.pop()
    return s


@pytest.mark.parametrize(
    "program",
    [growing, listed, returning, with_an_else, of_another_dtype, by_a_list, by_state_in_python],
    ids=lambda program: program.__name__,
)
def test_a_loop_that_can_not_be_one_of_the_program_gives_what_python_gives(program):
    compare(program, 3, 5, 5, 1, 2)


def test_a_name_that_a_loop_without_trips_never_gave_is_an_error():
    @tf.function
    def unset(n):
        for i in tf.range(n):
            y = i * 2
        return y

    assert int(unset(tf.constant(3))) == 4
    with pytest.raises(UnboundLocalError, match="y"):
        unset(tf.constant(0))


def test_an_error_of_a_later_trip_is_raised():
    @tf.function
    def gathered(n):
        s = 0
        for i in tf.range(n):
            s += tf.gather(tf.constant([1, 2, 3]), i)
        return s

    assert [int(gathered(tf.constant(n))) for n in (2, 3, 1)] == [3, 6, 1]
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            gathered(tf.constant(5))
    assert int(gathered(tf.constant(3))) == 6


# ---- what a loop of the program would get wrong ------------------------------------------------------------

V = tf.Variable(1.0)


class Holder:
    pass


def a_function_before_the_loop_reads_what_it_changes(n):
    s, t = tf.constant(0), tf.constant(0)

    def twice():
        return s * 2

    for i in tf.range(n):
        s = s + i
        t = t + twice()
    return s, t


def a_function_before_a_branch_reads_what_it_changes(n):
    s, t = tf.constant(0), tf.constant(0)
    for i in tf.range(n):
        twice = lambda: s * 2 + i  # noqa: B023
        if i % 2 == 0:
            s = s + 3
            t = t + twice()
        t = t + twice()
    return s, t


def a_function_before_an_inner_loop_reads_what_it_changes(n):
    s, t = tf.constant(0), tf.constant(0)
    for _ in tf.range(n):
        twice = lambda: s * 2  # noqa: B023
        for j in tf.range(n):
            s = s + j
            t = t + twice()
    return s, t


def a_name_stands_for_a_variable(n):
    V.assign(1.0)
    x, y = V, tf.constant(0.0)
    for _ in tf.range(n):
        V.assign_add(1.0)
        y = y + x
        x = x * 1.0
    return x, y


def a_loop_gives_a_variable_another_name(n):
    V.assign(1.0)
    w = tf.constant(0.0)
    for _ in tf.range(n):
        w = V
    V.assign(5.0)
    return w + 0.0


def branches_give_a_variable_another_name(n):
    V.assign(1.0)
    r = tf.constant(0.0)
    for i in tf.range(n):
        if i % 2 == 0:
            w = V
        else:
            w = V * 1.0
        V.assign_add(1.0)
        r = r + w
    return r


def a_later_trip_fails_and_is_caught(n):
    s = tf.constant(0)
    for i in tf.range(n):
        try:
            s = s + tf.gather(tf.constant([5, 6, 7]), i + s)
        except tf.errors.InvalidArgumentError:
            s = s * 0 + 1
    return s


def a_test_is_a_fraction(n):
    s = tf.constant(0.0)
    for i in tf.range(n):
        if tf.cast(i, tf.float32) * 0.5:
            s = s + 1.0
    return s


def a_list_grows_in_its_place(n):
    rows = []
    for i in tf.range(n):
        rows += [i]
    return tf.add_n(rows) if rows else tf.constant(0)


def another_name_of_a_list(n):
    rows = [tf.constant(0)]
    for i in tf.range(n):
        same = rows
        same.append(i)
    return tf.add_n(rows)


def another_name_of_an_object(n):
    holder = Holder()
    holder.value = tf.constant(0)
    for i in tf.range(n):
        same = holder
        same.value = same.value + i
    return holder.value


def set_by_its_name(n):
    holder = Holder()
    holder.value = tf.constant(0)
    for i in tf.range(n):
        setattr(holder, "value", holder.value + i)  # noqa: B010
    return holder.value


def an_array_changes_in_its_place(n):
    a = b = np.zeros(3)
    for _ in tf.range(n):
        a += 1
    return tf.constant(a), tf.constant(b)


def a_dict_changes_in_its_place(n):
    d = e = {"a": tf.constant(0)}
    for i in tf.range(n):
        d |= {"a": d["a"] + i}
    return d["a"], e["a"]


def an_iterator_goes_on(n):
    factors, s = iter([1, 2, 3, 4, 5, 6, 7]), tf.constant(0)
    for i in tf.range(n):
        s += next(factors) * i
    return s


def names_of_branches_are_words(n):
    s = tf.constant(0)
    for i in tf.range(n):
        if i % 3 == 0:
            mode = "down"
        else:
            mode = "up"
        s += 1 if mode == "up" else -2
    return s


def objects_are_compared(n):
    s = t = tf.constant(0)
    for _ in tf.range(n):
        if s is t:
            s = s + 10
        s = s + 1
    return s


def an_else_ends_the_loop_around(n):
    s = tf.constant(0)
    for i in tf.range(n):
        for j in tf.range(3):
            s += j
            if s > 20:
                break
        else:
            if i > 2:
                break
            continue
        s += 100
    return s


def the_body_stops_a_tape_around(n):
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for _ in tf.range(n):
            with tape.stop_recording():
                k = y * 2.0
            y = y * x + k
    return y, tape.gradient(y, x)


def the_body_watches_for_a_tape_around(n):
    z = tf.constant(2.0)
    with tf.GradientTape() as tape:
        for _ in tf.range(n):
            z = tf.stop_gradient(z) * 1.5
            tape.watch(z)
        y = z * 3.0
    return tape.gradient(y, z, unconnected_gradients="zero")


@pytest.mark.parametrize(
    "program",
    [
        the_body_stops_a_tape_around,
        the_body_watches_for_a_tape_around,
        an_else_ends_the_loop_around,
        a_function_before_the_loop_reads_what_it_changes,
        a_function_before_a_branch_reads_what_it_changes,
        a_function_before_an_inner_loop_reads_what_it_changes,
        a_name_stands_for_a_variable,
        a_loop_gives_a_variable_another_name,
        branches_give_a_variable_another_name,
        a_later_trip_fails_and_is_caught,
        a_test_is_a_fraction,
        a_list_grows_in_its_place,
        another_name_of_a_list,
        another_name_of_an_object,
        set_by_its_name,
        an_array_changes_in_its_place,
        a_dict_changes_in_its_place,
        an_iterator_goes_on,
        names_of_branches_are_words,
        objects_are_compared,
    ],
    ids=lambda program: program.__name__,
)
def test_a_compiled_loop_gives_what_python_gives(program):
    compare(program, 3, 5, 5, 0, 1, 7)


def test_a_function_within_the_body_may_capture_what_the_loop_changes():
    def doubled(n):
        s = tf.constant(1)
        for i in tf.range(n):
            s = tf.cond(i % 2 == 0, lambda: s + i, lambda: s * 2)  # noqa: B023
        return s

    assert compare(doubled, 3, 5, 0, 7) == 1


def test_a_function_of_a_module_changes_no_object():
    @tf.function
    def sums(x, n):
        for _ in tf.range(n):
            x = tf.add(x, 1.0)
        return x

    assert [float(sums(tf.constant(0.0), tf.constant(n))) for n in (3, 4, 5)] == [3.0, 4.0, 5.0]
    assert sums.experimental_get_tracing_count() == 1
