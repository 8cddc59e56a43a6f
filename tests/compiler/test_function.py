"""``tf.function`` as a decorator: what is recorded, what is replayed, and what is refused."""

import copy
import functools
import gc
import inspect
import math
import re
import threading
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.errors import TraceError


def counted(function):
    """``tf.function`` of a function, and a list that grows with every run of its Python."""
    runs = []

    @functools.wraps(function)
    def counting(*args, **kwargs):
        runs.append(1)
        return function(*args, **kwargs)

    return tf.function(counting), runs


# ---- keys ------------------------------------------------------------------------------------------------


def test_new_values_replay_and_new_shapes_and_dtypes_record():
    step, runs = counted(lambda x: x + 1)
    for i in range(5):
        np.testing.assert_array_equal(step(tf.constant([i, i])), [i + 1, i + 1])
    assert len(runs) == 1
    step(tf.constant([1, 2, 3]))
    step(tf.constant([1.0, 2.0]))
    step(np.array([1, 2], np.int32))
    assert len(runs) == 3, "an array is a tensor"


@pytest.mark.parametrize("values", [(True, 1), (1, 1.0), (0.0, -0.0), ("a", b"a"), (None, 0), (2, 3), (..., None)])
def test_python_values_count_by_value_and_type(values):
    step, runs = counted(lambda x, y: x)
    for _ in range(3):
        for value in values:
            step(tf.constant(1), value)
    assert len(runs) == 2


def test_structures_count():
    class Pair(NamedTuple):
        a: tf.Tensor
        b: tf.Tensor

    step, runs = counted(lambda x: tf.nest.flatten(x)[0] * 2.0)
    one, two = tf.constant(1.0), tf.constant(2.0)
    structures = [[one, two], (one, two), {"a": one, "b": two}, Pair(one, two), [[one], two], {"a": one, "c": two}]
    for _ in range(3):
        for structure in structures:
            assert float(step(structure)) == 2.0
    assert len(runs) == len(structures)
    assert float(step({"b": two, "a": one})) == 2.0
    assert len(runs) == len(structures), "the order of keys does not count"


def test_defaults_and_keywords_name_the_same_argument():
    step, runs = counted(lambda x, k=3, *rest, scale=2.0, **options: x * k * scale + sum(rest) + sum(options.values()))
    x = tf.constant(1.0)
    assert [float(y) for y in (step(x), step(x, 3), step(x, k=3), step(k=3, x=x, scale=2.0))] == [6.0] * 4
    assert len(runs) == 1
    for _ in range(3):
        assert float(step(x, 3, 1.0, 2.0, more=4.0)) == 13.0
    assert len(runs) == 2
    with pytest.raises(TypeError, match="missing"):
        step()


def test_many_tensors_and_names_that_are_no_identifiers():
    step, runs = counted(lambda xs, **options: tf.add_n(xs) * options["a-b"])
    xs = [tf.constant(float(i)) for i in range(40)]
    for _ in range(3):
        assert float(step(xs, **{"a-b": tf.constant(2.0)})) == 1560.0
    plain, runs = counted(lambda xs: tf.add_n(xs))  # noqa: PLW0108
    for _ in range(3):
        assert float(plain([xs[1]] * 40)) == 40.0
        assert float(plain(xs)) == 780.0
    assert len(runs) == 2
    assert "len({id(" in plain.source()


def test_variables_as_defaults():
    def step(x, v=tf.Variable(2.0), scale=3.0):  # noqa: B008
        return x * v * scale

    step = tf.function(step)
    assert [float(step(tf.constant(1.0))) for _ in range(3)] == [6.0] * 3
    assert "def entry" in step.source()
    assert float(step(tf.constant(1.0), tf.Variable(1.0))) == 3.0


def test_partials_lambdas_and_callable_objects():
    class Adder:
        def __init__(self, amount):
            self.amount = amount

        def __call__(self, x):
            return x + self.amount

    for function in (functools.partial(lambda a, x: x + a, 2.0), lambda x: x + 2.0, Adder(2.0)):
        step = tf.function(function)
        assert [float(step(tf.constant(1.0))) for _ in range(3)] == [3.0] * 3


def test_a_function_without_source():
    scope = {"tf": tf}
    exec("def double(x):\n    if x > 0.0:\n        return x * 2.0\n    return x", scope)
    double = tf.function(scope["double"])
    assert [float(double(tf.constant(x))) for x in (1.0, 2.0, -1.0, 3.0, -2.0)] == [2.0, 4.0, -1.0, 6.0, -2.0]


def test_objects_count_by_identity_and_are_not_kept_alive():
    class Config:
        rate = 2.0

    step, runs = counted(lambda config, x: x * config.rate)
    one, two = Config(), Config()
    two.rate = 3.0
    for _ in range(3):
        assert float(step(one, tf.constant(1.0))) == 2.0
        assert float(step(two, tf.constant(1.0))) == 3.0
    assert len(runs) == 2
    assert step.cache_info().keys == 2
    gone = weakref.ref(two)
    del two
    gc.collect()
    assert gone() is None
    assert step.cache_info().keys == 1


def test_caches_are_bounded():
    step = tf.function(lambda x, k: x + k)

    def call_often():
        for k in range(200):
            step(tf.constant(1), k)

    with pytest.warns(UserWarning, match="recorded for the"):
        call_often()
    info = step.cache_info()
    assert info.recordings == 200
    assert info.keys <= info.maxsize == 64


def test_decorator_with_arguments_and_of_a_function():
    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
    def step(x):
        """Doubles."""
        return x * 2.0

    assert step.__name__ == "step"
    assert step.__doc__ == "Doubles."
    assert tf.function(step) is step
    assert float(step.python_function(tf.constant(2.0))) == 4.0
    with pytest.raises(TypeError, match="can't be called"):
        tf.function(3)


# ---- Python floats ---------------------------------------------------------------------------------------


def test_a_float_becomes_an_input_with_its_second_value():
    step, runs = counted(lambda x, rate: x * rate + (1.0 - rate))
    x = tf.constant([1.0, 2.0])
    for rate in (0.5, 0.25, 0.125, 0.1, 1e-3):
        np.testing.assert_allclose(
            step(x, rate), np.float32(rate) * np.array([1, 2], np.float32) + np.float32(1 - rate)
        )
    assert len(runs) == 2


def test_a_float_is_rounded_as_a_python_float_is():
    step = tf.function(lambda x, rate: (x * rate, rate * x, x - rate, tf.cast(x, tf.float64) + rate, rate * 2.0 * x))
    x = tf.constant(np.float32(1.7))
    for rate in (0.1, 0.3, 0.7, 1 / 3):
        for found, wanted in zip(step(x, rate), step.python_function(x, rate), strict=True):
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "use", [math.exp, float, lambda rate: 1.0 if rate > 0.2 else 2.0, lambda rate: rate**2, lambda rate: 1.0 / rate]
)
def test_a_float_whose_value_is_asked_for_is_static(use):
    step, runs = counted(lambda x, rate: x * use(rate))
    x = tf.constant(1.0)
    for _ in range(2):
        for rate in (0.1, 0.3, 0.7):
            assert float(step(x, rate)) == pytest.approx(float(use(rate)), rel=1e-6)
    assert len(runs) == 3, "one for each value"


def test_floats_beside_tensors_and_static_values():
    step, runs = counted(lambda k, rate, x, other, y: (x * rate + k * y, y - x * other))
    x, y = tf.constant([1.0, 2.0]), tf.constant([5.0, 7.0])
    for rate, other in ((0.5, 1.0), (0.25, 2.0), (0.125, 3.0), (0.1, 4.0)):
        first, second = step(2, rate, x, other, y)
        np.testing.assert_allclose(first, np.float32(rate) * x.numpy() + 2 * y.numpy())
        np.testing.assert_allclose(second, y.numpy() - x.numpy() * other)
    assert len(runs) == 2


def test_integers_stay_static():
    step, runs = counted(lambda x, n: [x] * n)
    assert [len(step(tf.constant(1.0), n)) for n in (1, 2, 3, 2)] == [1, 2, 3, 2]
    assert len(runs) == 3


# ---- control flow ----------------------------------------------------------------------------------------


def test_if_and_while_and_range_on_values():
    @tf.function
    def collatz(n):
        steps = tf.constant(0)
        while n > 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        return steps

    assert [int(collatz(tf.constant(n))) for n in (6, 7, 6, 1, 7, 27)] == [8, 16, 8, 0, 16, 111]

    @tf.function
    def power(x, n):
        for _ in range(int(n)):
            x = x * 2.0
        return x

    assert [float(power(tf.constant(1.0), tf.constant(n))) for n in (1, 3, 1, 3, 5)] == [2.0, 8.0, 2.0, 8.0, 32.0]


def test_boolean_words_and_assert_on_values():
    @tf.function
    def inside(x):
        assert x > -100.0, "too small"
        return tf.constant(1) if (x > 0.0 and not x > 10.0) or x == -1.0 else tf.constant(0)

    assert [int(inside(tf.constant(v))) for v in (5.0, 20.0, -1.0, -2.0, 5.0, 11.0)] == [1, 0, 1, 0, 1, 0]
    for _ in range(2):
        with pytest.raises(AssertionError, match="too small"):
            inside(tf.constant(-200.0))


def test_gradients_go_the_way_that_was_gone():
    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x if x > 0.0 else -3.0 * x
        return tape.gradient(y, x)

    assert [float(gradient(tf.constant(v))) for v in (2.0, -1.0, 3.0, -2.0)] == [4.0, -3.0, 6.0, -3.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.boolean_mask(x, x > 0.0),
        lambda x: tf.where(x > 0.0),
        lambda x: tf.unique(x).y,
        lambda x: tf.range(tf.reduce_sum(tf.cast(x > 0.0, tf.int32))),
        lambda x: tf.boolean_mask(x * 2.0, x > 0.0) + 1.0,
        lambda x: tf.reshape(x, tf.stack([tf.cast(tf.math.count_nonzero(x > 100.0), tf.int32) + 1, -1])),
        lambda x: tf.repeat(x, tf.cast(x > 0.0, tf.int32)),
        lambda x: tf.zeros([tf.cast(tf.math.count_nonzero(x > 0.0), tf.int32)]),
        lambda x: x[: tf.cast(tf.math.count_nonzero(x > 0.0), tf.int32)],
        lambda x: tf.dynamic_partition(x, tf.cast(x > 0.0, tf.int32), 2),
        lambda x: tf.sequence_mask(tf.cast(tf.nn.relu(x), tf.int32)),
        lambda x: tf.range(0.0, tf.reduce_max(tf.nn.relu(x)) + 1.0),
        lambda x: tf.sequence_mask(tf.nn.relu(x)),
    ],
)
def test_shapes_that_depend_on_values(function):
    step = tf.function(function)
    for values in ([1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [1.0, -1.0, 2.0], [-1.0, -1.0, -1.0], [3.0, 3.0, -1.0]) * 2:
        found, wanted = step(tf.constant(values)), function(tf.constant(values))
        for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(wanted), strict=True):
            assert a.shape == b.shape
            np.testing.assert_array_equal(a, b)


# ---- what can't be replayed --------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [float, lambda y: y.numpy(), np.asarray, np.sum, math.exp])
def test_asking_for_a_number_is_an_error_that_names_the_line(ask):
    v = tf.Variable(1.0)

    def function(x):
        v.assign_add(1.0)
        y = tf.tanh(x)
        return x * ask(y)

    step = tf.function(function)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"test_function.py:\d+.*'tanh' at .*test_function.py:\d+.*tf.py_function"):
            step(tf.constant(1.0))
        assert float(v) == 1.0


def test_asking_a_variable_for_its_array_is_an_error():
    v = tf.Variable([1.0, 2.0])
    step = tf.function(lambda x: x + v.numpy())
    with pytest.raises(TraceError, match="the value of a variable"):
        step(tf.constant(1.0))


def test_an_error_that_the_program_swallows_is_still_one():
    def function(x):
        try:
            return tf.constant(float(x))
        except TraceError:
            return x

    with pytest.raises(TraceError):
        tf.function(function)(tf.constant(1.0))


def test_texts_of_tensors_in_a_recording_have_no_values(capsys):
    v = tf.Variable(7.0, name="v")
    weight = tf.keras.Variable(7.0)
    rows = tf.RaggedTensor.from_row_lengths([7.0, 7.0], [1, 1])
    texts = []

    @tf.function
    def step(x, rows):
        y = x * 2.0
        print(y)
        texts.extend([f"{y}", format(y), str([y]), str(v), f"{v}", str(v.read_value()), str(weight), str(rows)])
        tf.while_loop(lambda i: i < 2, lambda i: (texts.extend([str(i), str(y)]) or i + 1,), (tf.cast(x, tf.int32),))
        assert str(tf.constant(3.0)) == "tf.Tensor(3.0, shape=(), dtype=float32)", "a constant is the same in each run"
        return y

    assert [float(step(tf.constant(x), rows)) for x in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1, "Python's print acts while recording only"
    assert re.fullmatch(r'Tensor\("%\d+", shape=\(\), dtype=float32\)\n', printed)
    assert texts[0] == texts[1] == printed.strip()
    assert re.fullmatch(r"\[<tf.Tensor '%\d+' shape=\(\) dtype=float32>\]", texts[2])
    assert texts[3] == texts[4] == "<tf.Variable 'v:0' shape=() dtype=float32>"
    assert not [text for text in texts if "7." in text or "numpy" in text or "tf.Tensor(" in text]


def test_the_text_of_a_python_number_is_that_of_each_call():
    step = tf.function(lambda x, rate: x * rate + float(str(rate)) + float(f"{rate}"))
    assert [float(step(tf.constant(1.0), rate)) for rate in (1.0, 2.0, 3.0)] == [3.0, 6.0, 9.0]


def test_variables_made_at_every_call_are_an_error():
    makes = tf.function(lambda x: tf.Variable(1.0) * x)

    with pytest.raises(ValueError, match="singleton"):
        makes(tf.constant(1.0))
    with pytest.raises(ValueError, match="singleton"):
        tf.function(lambda: tf.Variable(1.0))()

    kept = []

    @tf.function
    def keeps(x):
        kept.append(tf.Variable(1.0))
        return kept[-1] * x

    assert float(keeps(tf.constant(2.0))) == 2.0
    with pytest.raises(ValueError, match="singleton"):
        keeps(tf.constant(2.0))


class Lazy:
    def __init__(self):
        self.v = None

    @tf.function
    def __call__(self, x):
        if self.v is None:
            self.v = tf.Variable(tf.random.normal([2]))
        self.v.assign_add(x)
        return self.v * 1.0


def test_variables_made_once_are_fine():
    lazy = Lazy()
    first = lazy(tf.constant([1.0, 1.0])).numpy()
    for i in range(1, 5):
        np.testing.assert_allclose(lazy(tf.constant([1.0, 1.0])), first + i, rtol=1e-6)


def test_shapes_are_returned_as_tensors():
    for _ in range(3):
        found = tf.function(lambda x: x.shape)(tf.ones((2, 3)))
        assert found.dtype == tf.int32
        np.testing.assert_array_equal(found, [2, 3])


def test_generators_can_not_be_returned():
    with pytest.raises(TypeError, match="Return a list"):
        tf.function(lambda x: (y for y in x))(tf.ones(3))


def test_objects_that_hold_tensors_can_not_be_returned():
    class Holder:
        def __init__(self, value):
            self.value = value

    with pytest.raises(TypeError, match="'value' is a tensor"):
        tf.function(lambda x: Holder(x * 2.0))(tf.constant(1.0))


# ---- effects -----------------------------------------------------------------------------------------------


def test_prints_and_checks_act_at_every_replay(tmp_path):
    path = tmp_path / "lines"

    @tf.function
    def step(x):
        tf.print("x is", x, output_stream=f"file://{path}")
        tf.debugging.assert_positive(x, message="positive, please")
        tf.debugging.assert_less(x, 10.0)
        return tf.debugging.check_numerics(tf.math.log(x - 1.0), "log")

    for i in range(2, 6):
        step(tf.constant(float(i)))
    assert path.read_text() == "x is 2\nx is 3\nx is 4\nx is 5\n"
    with pytest.raises(tf.errors.InvalidArgumentError, match="positive, please"):
        step(tf.constant(-1.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="assert_less"):
        step(tf.constant(11.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"log.*test_function.py"):
        step(tf.constant(1.0))
    assert float(step(tf.constant(2.0))) == 0.0


def test_a_check_that_fails_changes_nothing():
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        v.assign_add(x)
        tf.debugging.assert_less(v, 3.0)
        return v * 1.0

    assert [float(step(tf.constant(1.0))) for _ in range(2)] == [1.0, 2.0]
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            step(tf.constant(1.0))
        assert float(v) == 2.0


def test_custom_gradients_inside():
    @tf.custom_gradient
    def clipped(x):
        return x * 1.0, lambda g: tf.clip_by_value(g, -1.0, 1.0)

    def function(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = clipped(x) * 5.0
        return tape.gradient(y, x)

    step = tf.function(function)
    assert [float(step(tf.constant(x))) for x in (1.0, 2.0, 3.0)] == [1.0] * 3

    heavy = tf.recompute_grad(lambda x: tf.sin(tf.sin(x)))

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = heavy(x)
        return tape.gradient(y, x)

    step = tf.function(gradient)
    for x in (0.1, 0.5, 0.9):
        assert float(step(tf.constant(x))) == pytest.approx(math.cos(math.sin(x)) * math.cos(x), rel=1e-5)


def test_python_functions_run_at_every_replay():
    seen = []

    def look(x):
        seen.append(float(x))
        return x * 2.0

    step = tf.function(lambda x: tf.py_function(look, [x], tf.float32) + 1.0)
    assert [float(step(tf.constant(x))) for x in (1.0, 2.0, 3.0)] == [3.0, 5.0, 7.0]
    assert seen == [1.0, 2.0, 3.0]


# ---- nested functions, tapes outside -------------------------------------------------------------------------


def test_functions_inside_functions_are_part_of_them():
    v = tf.Variable(1.0)

    @tf.function
    def inner(x):
        v.assign_add(1.0)
        return x * v

    outer = tf.function(lambda x: inner(x) + inner(x))
    assert [float(outer(tf.constant(1.0))) for _ in range(4)] == [5.0, 9.0, 13.0, 17.0]
    assert inner.experimental_get_tracing_count() == 0


def test_a_tape_outside_sees_one_operation():
    v = tf.Variable([2.0, 3.0])

    loss = tf.function(lambda x: tf.reduce_sum(tf.tanh(x * v) * v))

    for _ in range(4):
        x = tf.constant([0.5, -0.3])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            found = loss(x) + loss(2.0 * x)
        with tf.GradientTape(persistent=True) as plain:
            plain.watch(x)
            wanted = loss.python_function(x) + loss.python_function(2.0 * x)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        for source in (x, v):
            np.testing.assert_allclose(tape.gradient(found, source), plain.gradient(wanted, source), rtol=1e-5)


def test_second_derivatives_from_outside():
    cube = tf.function(lambda x: x * x * x)
    for _ in range(4):
        x = tf.constant(2.0)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = cube(x)
            first = inner.gradient(y, x)
        assert float(first) == 12.0
        assert float(outer.gradient(first, x)) == 12.0


def test_gradients_from_outside_that_the_graph_does_not_know():
    x = tf.constant(3.0)

    @tf.custom_gradient
    def odd(y):
        return y * 2.0, lambda g: g * 100.0

    captured, own = tf.function(lambda: x * x), tf.function(lambda y: odd(y) * 1.0)
    for _ in range(4):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = captured()
        assert float(tape.gradient(y, x)) == 6.0
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = own(x)
        assert float(tape.gradient(y, x)) == 100.0


def test_branches_under_a_tape_outside():
    step = tf.function(lambda x: x * x if x > 0.0 else -x)
    for value in (1.0, -1.0, 2.0, -2.0, 3.0):
        x = tf.constant(value)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = step(x)
        assert float(tape.gradient(y, x)) == (2.0 * value if value > 0 else -1.0)
    assert step.experimental_get_tracing_count() == 2


# ---- input_signature, eager runs, threads ---------------------------------------------------------------------


def test_input_signature_converts_and_refuses():
    runs = []

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int32)])
    def step(x, n):
        runs.append(1)
        return x * tf.cast(n, tf.float32)

    for size in (2, 3, 2, 3):
        np.testing.assert_array_equal(step([1.0] * size, 2), [2.0] * size)
        np.testing.assert_array_equal(step(tf.ones(size), n=3), [3.0] * size)
    assert len(runs) == 2, "a program for each shape"
    assert "each size that comes has a program of its own" in step.report()
    with pytest.raises(TypeError, match="input_signature"):
        step(tf.ones((2, 2)), 1)
    with pytest.raises(TypeError, match="input_signature"):
        step(tf.ones(2, tf.float64), 1)
    with pytest.raises(TypeError):
        step(tf.ones(2))


def test_run_functions_eagerly():
    step, runs = counted(lambda x: x + 1.0)
    for _ in range(3):
        step(tf.constant(1.0))
    assert len(runs) == 1
    tf.config.run_functions_eagerly(True)
    try:
        assert tf.config.functions_run_eagerly()
        assert [float(step(tf.constant(x))) for x in (1.0, 2.0)] == [2.0, 3.0]
        assert len(runs) == 3
    finally:
        tf.config.run_functions_eagerly(False)
    step(tf.constant(1.0))
    assert len(runs) == 3


def test_inside_function():
    seen = []

    @tf.function
    def step(x):
        seen.append((tf.inside_function(), tf.executing_eagerly()))
        return x

    step(tf.constant(1.0))
    assert seen == [(True, False)]
    assert (tf.inside_function(), tf.executing_eagerly()) == (False, True)


def test_threads_share_a_function_from_its_first_call_on():
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        v.assign_add(x)
        return x * 2.0

    failures = []

    def work():
        try:
            for i in range(200):
                assert float(step(tf.constant(1.0))) == 2.0
                step(tf.ones((i % 3 + 1,))[0])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must fail
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert float(v) == 4 * 200 * 2


def test_concrete_functions():
    step = tf.function(lambda x, k: x * k)
    concrete = step.get_concrete_function(tf.TensorSpec([2], tf.float32), 3.0)
    np.testing.assert_array_equal(concrete(tf.constant([1.0, 2.0])), [3.0, 6.0])
    concrete = step.get_concrete_function(tf.constant([1.0, 2.0]), k=2.0)
    np.testing.assert_array_equal(concrete(x=tf.constant([1.0, 2.0])), [2.0, 4.0])


# ---- looking inside --------------------------------------------------------------------------------------------


def test_a_warning_names_what_keeps_changing():
    step = tf.function(lambda x, k: x + k)
    for k in range(8):
        step(tf.constant(1), k)
    with pytest.warns(UserWarning, match="9th time.*argument 'k'.*now it is 8, before it was 7"):
        step(tf.constant(1), 8)

    scale = 0

    scaled = tf.function(lambda x: x * scale)

    for _ in range(8):
        scaled(tf.constant(1))
        scale += 1
    with pytest.warns(UserWarning, match="captured name 'scale'.*now it is 8, before it was 7"):
        scaled(tf.constant(1))


def test_shapes_that_keep_changing_are_named():
    step = tf.function(lambda x: x + 1.0)
    for size in range(1, 9):
        step(tf.ones(size))
    with pytest.warns(UserWarning, match=r"argument 'x'.*now it is a tensor of shape \[9\]"):
        step(tf.ones(9))


def test_graph_source_and_report():
    v = tf.Variable(2.0)

    @tf.function
    def step(x):
        v.assign_add(1.0)
        return tf.tanh(x) * v

    assert "call the function first" in step.graph()
    step(tf.constant([1.0]))
    assert "tanh" in step.graph()
    assert "compiled when it is called for again" in step.source()
    step(tf.constant([1.0]))
    assert "def entry(args, kwargs):" in step.source()
    steps, _, calls = step.source().partition("# ---- how a call comes to the program")
    assert "tanh+multiply" in steps, "the steps of the program come first"
    assert "def fused_" in steps, "with the code of their kernels"
    assert "def entry" not in steps
    assert "def entry" in calls
    assert "kernels: " in step.report()
    assert "1 trace, 1 program:" in step.report()


def test_the_llvm_ir_and_the_assembly_of_the_kernels_of_a_program():
    @tf.function
    def step(x):
        return tf.tanh(x) * 2.0

    assert step.inspect_llvm() == {}
    with pytest.raises(KeyError, match="step has no kernel 'gemm'; its kernels: none yet"):
        step.inspect_asm("gemm")
    step(tf.constant([1.0]))
    step(tf.constant([1.0]))
    texts = step.inspect_llvm()
    (name,) = [name for name in texts if name.startswith("fused_")]
    assert f"def {name.partition('[')[0]}(" in step.source(), (
        "a kernel has the name of the function it was compiled from"
    )
    assert name.endswith("[float32]")
    assert "define " in texts[name]
    assert f"@{name.partition('[')[0]}(" in step.inspect_llvm(name)
    assert f"{name.partition('[')[0]}:" in step.inspect_asm(name)
    assert list(step.inspect_asm()) == list(texts)
    with pytest.raises(KeyError, match=r"step has no kernel 'gemm'; its kernels: .*fused_"):
        step.inspect_asm("gemm")


def test_verify_runs_both_and_compares():
    v = tf.Variable(1.0)
    runs = []

    @tf.function(verify=2)
    def step(x):
        runs.append(1)
        v.assign_add(1.0)
        return x * v + tf.random.normal([])

    tf.random.set_seed(1)
    found = [float(step(tf.constant(1.0))) for _ in range(5)]
    assert len(runs) == 3, "the recording, and two replays"
    assert float(v) == 6.0
    tf.random.set_seed(1)
    wanted = [i + 2.0 + float(tf.random.normal([])) for i in range(5)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)

    secret = [1.0]
    frozen = tf.function(lambda x: x * secret[0], verify=3)
    frozen(tf.constant(1.0))
    secret[0] = 2.0
    with pytest.raises(tf.errors.InternalError, match="result 0 of the replay"):
        frozen(tf.constant(1.0))


def test_verify_takes_functions_without_a_result():
    v = tf.Variable(0.0)

    @tf.function(verify=2)
    def step():
        v.assign_add(1.0)

    assert [step() for _ in range(6)] == [None] * 6
    assert float(v) == 6.0
    assert step.experimental_get_tracing_count() == 1


def test_copies_of_objects_have_functions_of_their_own():
    class Model:
        def __init__(self):
            self.scale = 2.0
            self.step = tf.function(self.apply)

        def apply(self, x):
            return x * self.scale

    one = Model()
    for _ in range(3):
        assert float(one.step(tf.constant(1.0))) == 2.0
    two = copy.deepcopy(one)
    two.scale = 5.0
    for _ in range(3):
        assert float(two.step(tf.constant(1.0))) == 5.0
        assert float(one.step(tf.constant(1.0))) == 2.0


def test_a_failure_of_the_compiler_is_told_and_costs_speed_only(monkeypatch):
    def fail(*graphs):
        raise RuntimeError("no registers left")

    step = tf.function(lambda x: x * 2.0)
    assert float(step(tf.constant(1.0))) == 2.0
    monkeypatch.setattr("fastgrad._src.compiler.dispatch.traces.Program", fail)
    with pytest.warns(UserWarning, match="could not be compiled.*RuntimeError: no registers left"):
        assert float(step(tf.constant(2.0))) == 4.0
    assert float(step(tf.constant(3.0))) == 6.0


def test_redefined_functions_free_their_variables():
    alive = []
    for _ in range(20):
        v = tf.Variable(1.0)
        alive.append(weakref.ref(v))

        @tf.function
        def step(x, v=v):
            return x * v

        for _ in range(3):
            step(tf.constant(1.0))
    del step, v
    gc.collect()
    assert [ref() for ref in alive] == [None] * 20


def test_next_beyond_the_end_of_a_dataset_is_an_out_of_range_error():
    iterator = iter(tf.data.Dataset.range(2))
    of_argument, of_capture = tf.function(lambda i: next(i) + 0), tf.function(lambda: next(iterator))
    assert (int(of_argument(iterator)), int(of_capture())) == (0, 1)
    for call in (lambda: of_argument(iterator), of_capture, of_capture):
        with pytest.raises(tf.errors.OutOfRangeError, match="End of sequence"):
            call()
    with pytest.raises(StopIteration):
        next(iterator)
    other = iter([1])
    of_list = tf.function(lambda: (next(other), next(other)))
    with pytest.raises(StopIteration):
        of_list()


def test_the_signature_of_a_method_is_that_of_a_call():
    class Model:
        @tf.function
        def call(self, inputs, training=False):
            return inputs

    assert str(inspect.signature(Model().call)) == "(inputs, training=False)"
    assert str(inspect.signature(Model.call)) == "(self, inputs, training=False)"


def test_a_compiled_object_has_the_attributes_of_the_object():
    class Model:
        def __init__(self):
            self.w = tf.Variable(2.0)

        def __call__(self, x):
            return self.w * x

    model = Model()
    compiled = tf.function(model)
    assert compiled.w is model.w
    assert float(compiled(3.0)) == 6.0


def test_decorate_replaces_the_python_function_before_the_first_call():
    @tf.function(input_signature=[tf.TensorSpec([])])
    def double(x):
        return 2.0 * x

    double._decorate(lambda function: lambda x: function(x) + 1.0)
    assert double.__name__ == "double"
    assert [float(double(3.0)), float(double(4.0))] == [7.0, 9.0]
    with pytest.raises(ValueError, match="cannot be decorated after"):
        double._decorate(lambda function: function)
