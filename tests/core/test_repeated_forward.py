"""Tapes of one order of calls: programs compute results before the calls, with the same bits."""

import gc
import threading
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch import forward_program
from fastgrad._src.core import repeated_forward
from fastgrad._src.core.repeated_backward import programs
from fastgrad._src.core.repeated_forward import forward_passes
from tests.core.repeated_tapes import assert_bits

pytestmark = pytest.mark.usefixtures("counted")
RNG = np.random.default_rng(7)
RUNS = 4
"""The runs before a program, of the backward pass and then of the forward pass, in these tests."""


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def run(function, variables, *arguments):
    """The results of a function that returns several tensors, and the gradients of their sum, as arrays."""
    with tf.GradientTape() as tape:
        results = function(*variables, *arguments)
    gradients = tape.gradient(results, variables)
    return [None if x is None else tf.convert_to_tensor(x).numpy() for x in (*results, *gradients)]


def without_programs(function, variables, *arguments):
    programs.is_on, forward_passes.are_expected = False, False
    try:
        return run(function, variables, *arguments)
    finally:
        programs.is_on, forward_passes.are_expected = True, True


def all_of(*functions):
    """A function of x and more operands that returns the results of a chain of functions."""

    def chain(x, *operands):
        results = []
        for function in functions:
            x = function(x, *operands)
            results.append(x)
        return results

    return chain


NORMALIZE = tf.keras.layers.LayerNormalization()
FUNCTIONS = {
    "dense layers": (
        all_of(
            lambda x, w, b: tf.nn.relu(tf.matmul(x, w) + b),
            lambda x, w, b: tf.tanh(tf.matmul(x, w) + b),
            lambda x, w, b: tf.nn.gelu(x * b),
        ),
        lambda: (normal(70, 90), normal(90, 90), normal(90)),
    ),
    "layers of Keras": (
        all_of(lambda x, g: NORMALIZE(x), lambda x, g: tf.nn.softmax(x * g), lambda x, g: tf.math.log(x + 1.0)),
        lambda: (normal(40, 30), normal(30)),
    ),
    "convolutions": (
        all_of(
            lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"),
            lambda x, k: tf.nn.relu(x + 0.5),
            lambda x, k: tf.nn.max_pool2d(x, 2, 2, "VALID"),
        ),
        lambda: (normal(2, 8, 8, 3), normal(3, 3, 3, 5)),
    ),
    "views": (
        all_of(
            lambda x: tf.transpose(x) * 2.0,
            lambda x: tf.reshape(x[1:], [-1]),
            lambda x: tf.stack([x, x]) - 1.0,
            lambda x: tf.split(tf.exp(x), 2, axis=0)[1],
        ),
        lambda: (normal(3, 4),),
    ),
    "sums": (
        all_of(lambda x: tf.reduce_sum(x * x, axis=1), lambda x: tf.reduce_mean(tf.sin(x)), lambda x: x / 3.0),
        lambda: (normal(300, 400),),
    ),
    "large arrays": (
        all_of(*[lambda x, b: tf.maximum(tf.where(x > 0.0, x * 3.0, b) - 0.5, tf.exp(-x))] * 3),
        lambda: (normal(300, 400), normal(400)),
    ),
    "float64": (all_of(tf.exp, tf.sin, tf.math.sigmoid), lambda: (normal(30, dtype=np.float64),)),
    "half-width floats": (all_of(tf.exp, tf.sin, tf.math.sigmoid), lambda: (normal(30, dtype=np.float16),)),
    "powers, whose kernels round otherwise": (
        all_of(lambda x: tf.pow(tf.exp(x), 1.7), lambda x: x * 2.0, lambda x: x + 1.0),
        lambda: (normal(50),),
    ),
    "operations that change nothing": (
        all_of(lambda x: x * 1.0, lambda x: x + 0.0, tf.identity, lambda x: tf.cast(x, tf.float32), lambda x: 1.0 * x),
        lambda: (normal(50),),
    ),
    "equal calls": (
        lambda x: [tf.tanh(x), tf.tanh(x), tf.tanh(x) + 1.0],
        lambda: (normal(50),),
    ),
    "several results": (
        lambda x: [*tf.linalg.normalize(x * 2.0), *tf.nn.moments(x + 1.0, [0]), tf.unstack(x[:1])[0] * 3.0],
        lambda: (normal(5, 4),),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_have_the_bits_of_runs(name, counted):
    function, draw = FUNCTIONS[name]
    variables = [tf.Variable(x) for x in draw()]
    for _ in range(RUNS + 4):
        for variable in variables:
            variable.assign(variable * 0.9)
        assert_bits(run(function, variables), without_programs(function, variables))
    has_programs = name != "half-width floats"
    assert (counted["kept"] >= 3) == bool(counted["computed"]) == has_programs
    assert counted["left"] == 0


def test_results_keep_their_values_when_variables_change():
    """A result that is equal to a variable does not share its memory unseen."""
    v = tf.Variable([1.0, 2.0, 3.0])
    for _ in range(RUNS + 3):
        with tf.GradientTape() as tape:
            results = [v * 1.0, v + 0.0, tf.identity(v), tf.reshape(v, [3, 1]), v * 2.0]
        tape.gradient(results, v)
        before = [x.numpy() for x in results]
        v.assign_add([1.0, 1.0, 1.0])
        assert_bits([x.numpy() for x in results], before)


def step(x, w):
    h = tf.tanh(x * w)
    h = tf.exp(h) - w
    return [tf.reduce_sum(h * h)]


def trained(function=step, shape=(5,)):
    """A variable whose passes have programs."""
    w = tf.Variable(normal(*shape))
    for _ in range(RUNS):
        run(lambda w, x: function(x, w), [w], tf.constant(normal(*shape)))
    return w


def test_new_arguments_are_read(counted):
    w = trained()
    for _ in range(3):
        x = tf.constant(normal(5))
        assert_bits(run(lambda w, x: step(x, w), [w], x), without_programs(lambda w, x: step(x, w), [w], x))
    assert counted["kept"] >= 3
    assert counted["left"] == 0


@pytest.mark.parametrize(
    "other",
    [
        lambda x, w: [tf.reduce_sum(tf.square(tf.exp(tf.tanh(x * w)) + w))],
        lambda x, w: [tf.reduce_sum(tf.exp(tf.tanh(x * w)))],
        lambda x, w: [tf.reduce_sum(tf.tanh(w * x))],
        lambda x, w: [tf.reduce_max(x * w)],
        lambda x, w: [*step(x, w), tf.exp(x * w)],
        lambda x, w: [tf.tanh(x * w)],
    ],
)
def test_another_order_runs(other, counted):
    w = trained()
    for _ in range(2):
        for chosen in (other, step):
            x = tf.constant(normal(5))
            function = lambda w, x, chosen=chosen: chosen(x, w)
            assert_bits(run(function, [w], x), without_programs(function, [w], x))
    assert counted["left"] >= 2


def test_attributes_and_numbers_are_compared(counted):
    x = tf.Variable(normal(3, 3))

    def function(x, axis, keepdims, factor):
        y = tf.reduce_sum(tf.exp(x) * 0.5 - x, axis, keepdims)
        return [tf.sin(y) * factor]

    for case in [(0, True, 2.0)] * RUNS + [
        (0, True, 2.0),
        (1, True, 2.0),
        (0, False, 2.0),
        (0, True, 3.0),
        (0, True, -0.0),
    ]:
        assert_bits(run(function, [x], *case), without_programs(function, [x], *case))
    assert counted["left"] == 4


def test_other_shapes_and_dtypes_run(counted):
    w = trained()
    function = lambda w, x: step(x, w)
    for x in (normal(1), normal(3, 5), normal(5)):
        assert_bits(run(function, [w], tf.constant(x)), without_programs(function, [w], tf.constant(x)))
    strided = tf.transpose(tf.constant(normal(5, 1)))[0]
    assert_bits(run(function, [w], strided), without_programs(function, [w], strided))


def test_a_variable_that_changes_inside_the_tape_is_read_again(counted):
    w, k = tf.Variable(normal(5)), tf.Variable(normal(5))

    def function(w, change):
        h = tf.tanh(w * 2.0) + 1.0
        if change:
            k.assign_add(h)
            w.assign(w + 1.0)
        return [tf.exp(h * 0.1) * k - w]

    for change in [False] * RUNS + [False, True, False, True, True, False]:
        start = w.numpy(), k.numpy()
        ours = [*run(function, [w], change), w.numpy(), k.numpy()]
        w.assign(start[0])
        k.assign(start[1])
        assert_bits(ours, [*without_programs(function, [w], change), w.numpy(), k.numpy()])
    assert counted["left"] >= 3


def test_what_the_tape_watches_is_compared(counted):
    w, x = tf.Variable(normal(5)), tf.constant(normal(5))
    frozen = tf.Variable(normal(5), trainable=False)

    def gradients(watched, middle):
        with tf.GradientTape() as tape:
            if watched:
                tape.watch(x)
                tape.watch(frozen)
            a = tf.exp(x * 0.5) - frozen
            if middle:
                tape.watch(a)
            y = tf.tanh(a * w) + 1.0
        return [g is not None for g in tape.gradient(y, [w, x, frozen, a])]

    for _ in range(RUNS + 1):
        assert gradients(False, False) == [True, False, False, False]
    assert gradients(True, False) == [True, True, True, True]
    assert gradients(False, True) == [True, False, False, True]
    assert gradients(False, False) == [True, False, False, False]
    assert counted["kept"] >= 2


@pytest.mark.parametrize("first", [tf.pow, tf.math.atan2, lambda w, p: tf.math.igamma(tf.abs(w), p + 0.0)])
def test_a_number_that_comes_before_its_segment_is_compared(first, counted):
    """The first call can't be made ahead; the number 2.0 is one tensor there and in the segment."""
    w = tf.Variable(np.abs(normal(4)))

    def function(w, p):
        z = first(w, p)
        y = tf.tanh(z * 2.0) + 2.0
        return [tf.sin(y * y)]

    others = (3.0, tf.constant(2.5), tf.Variable(1.5, trainable=False), tf.constant([1.0, 2.0, 3.0, 4.0]), 2.0)
    for p in [2.0] * (RUNS + 1) + [*others, 2.0, 3.0]:
        assert_bits(run(function, [w], p), without_programs(function, [w], p))
    assert counted["kept"] >= 1


def test_a_variable_that_comes_before_its_segment_is_compared(counted):
    v, w = tf.Variable(normal(90)), tf.Variable(normal(90, 90), trainable=False)
    x = tf.constant(normal(90))

    def function(v, m):
        a = tf.tanh(v) * 0.5
        h = m * x
        s = tf.reduce_sum(h)
        return [tf.exp(s * 0.001) * a]

    strided = tf.transpose(tf.constant(normal(90, 90)))
    for m in [w] * (RUNS + 2) + [strided, tf.constant(normal(90, 90)), tf.constant(normal(90)), w, strided]:
        assert_bits(run(function, [v], m), without_programs(function, [v], m))
    assert counted["kept"] >= 2


def test_a_number_of_a_segment_may_come_first_in_a_call_that_runs(counted):
    x, w = tf.constant(normal(5)), tf.Variable(np.abs(normal(5)))

    def function(w):
        h = tf.pow(tf.tanh(x * w) + 1.0, 2.0)
        z = tf.tanh(h * 2.0) + w
        return [z * z]

    for _ in range(RUNS + 3):
        assert_bits(run(function, [w]), without_programs(function, [w]))
    assert counted["kept"] >= 3
    assert counted["left"] == 0


@pytest.mark.parametrize("limit", ["MOST_CALLS", "MOST_UNTAPED_BYTES"])
def test_passes_with_many_calls_or_much_memory_beside_the_tape_have_no_programs(limit, monkeypatch):
    monkeypatch.setattr(repeated_forward, limit, 10)
    w = tf.Variable(normal(5))

    def function(w):
        h = tf.constant(normal(5))
        for _ in range(12):
            h = tf.sin(h)
        return [tf.tanh(h * w)]

    for _ in range(RUNS + 3):
        run(function, [w])
    assert not forward_passes._by_beginning


def test_a_segment_that_fails_leaves_the_others(counted, monkeypatch):
    w = tf.Variable(normal(5))
    make = forward_program._Maker._segment

    def failing(self, part):
        if part[0] == 0:
            raise ValueError
        return make(self, part)

    monkeypatch.setattr(forward_program._Maker, "_segment", failing)
    for _ in range(RUNS + 3):
        x = tf.constant(normal(5))
        function = lambda w, x=x: [tf.exp(tf.tanh(w * 2.0) + x) - w]
        assert_bits(run(function, [w]), without_programs(function, [w]))
    assert counted["kept"] >= 3
    assert counted["computed"] >= 3


def test_random_draws_and_checks_run_at_their_calls(counted):
    w = tf.Variable(normal(6))

    def function(w, labels):
        h = tf.tanh(w * 2.0) * tf.random.uniform([6])
        h = tf.nn.dropout(tf.exp(h) + w, 0.5)
        return [tf.nn.sparse_softmax_cross_entropy_with_logits(labels, h * 2.0)]

    for number in range(RUNS + 4):
        tf.random.set_seed(number)
        ours = [*run(function, [w], 3), tf.random.uniform([2]).numpy()]
        tf.random.set_seed(number)
        assert_bits(ours, [*without_programs(function, [w], 3), tf.random.uniform([2]).numpy()])
    assert counted["kept"] >= 3
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(function, [w], 6)
    ours = run(lambda w: [tf.tanh(w * 2.0)], [w])
    assert_bits(ours, without_programs(lambda w: [tf.tanh(w * 2.0)], [w]))


def test_slices_of_variables(counted):
    w = tf.Variable(normal(6, 3))
    function = lambda w: [tf.exp(w[1:4] * 2.0 + 1.0), tf.tanh(w[2]) - 1.0]
    for _ in range(RUNS + 3):
        w.assign(w * 0.9)
        assert_bits(run(function, [w]), without_programs(function, [w]))
    assert counted["kept"] >= 2


def test_tapes_in_tapes_and_persistent_tapes(counted):
    x = tf.Variable(2.0)
    for _ in range(RUNS + 3):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = tf.exp(x * x) * 2.0
            dy = inner.gradient(y, x)
        assert outer.gradient(dy, x).numpy() == pytest.approx(2 * (2 + 4 * 4) * np.exp(4.0), rel=1e-5)
    for _ in range(RUNS + 3):
        with tf.GradientTape(persistent=True) as tape:
            y = x * x * 3.0
            with tape.stop_recording():
                z = y * x + 1.0
            u = y * 2.0 + z
        assert tape.gradient(y, x).numpy() == 12.0
        assert tape.gradient(u, x).numpy() == 24.0
        assert tape.gradient(z, x) is None


def test_models_of_one_shape_have_programs_of_their_own(counted):
    models = [tf.keras.Sequential([tf.keras.layers.Dense(4, activation="tanh")] * 3) for _ in range(2)]
    x = tf.constant(normal(3, 4))
    for model in models:
        model.build((None, 4))
    for _ in range(2 * RUNS + 2):
        for model in models:
            variables = model.trainable_variables
            function = lambda *_, model=model: [model(x)]
            assert_bits(run(function, variables), without_programs(function, variables))
            variables[0].assign_add(tf.ones([4, 4]) * 0.01)
    assert counted["left"] == 0


def test_a_program_that_fails_leaves_the_error_to_the_operations(counted):
    w = trained()
    (forward_pass,) = forward_passes._by_beginning.values()

    def failing(arrays):
        raise MemoryError

    calls = [
        call if call.segment is None else call._replace(segment=call.segment._replace(replay=failing))
        for call in forward_pass.calls
    ]
    x = tf.constant(normal(5))
    function = lambda w, x: step(x, w)
    forward_pass.calls = calls
    assert_bits(run(function, [w], x), without_programs(function, [w], x))
    assert counted["left"] == 1


def test_tensors_are_freed_with_the_tape():
    w = trained(shape=(1000,))
    gc.collect()
    gc.disable()
    try:
        for call_gradient in (True, False):
            x = tf.constant(normal(1000))
            with tf.GradientTape() as tape:
                dead = weakref.ref(tf.exp(x * 2.0))
                (y,) = step(x, w)
            alive = weakref.ref(x)
            if call_gradient:
                tape.gradient(y, w)
            del tape, y, x
            assert dead() is None
            assert alive() is None
    finally:
        gc.enable()


def test_untracked_results_are_freed_at_their_last_use(counted):
    w = tf.Variable(normal(5))

    def function(w, x):
        a = tf.exp(x * 2.0)
        reference = weakref.ref(a)
        b = a + 1.0
        del a
        y = b * w + 0.5
        freed.append(reference() is None)
        return [y]

    for _ in range(RUNS + 3):
        freed = []
        run(function, [w], tf.constant(normal(5)))
    assert freed == [True]
    assert counted["kept"] >= 2


def test_a_model_is_freed_though_its_programs_are_not():
    w = trained()
    reference = weakref.ref(w)
    assert forward_passes._by_beginning
    del w
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize(("operations", "size", "has_programs"), [(20, 5, True), (2, 5, False), (2, 500_000, True)])
def test_programs_are_made_if_results_or_their_sizes_outweigh_the_comparisons(
    operations, size, has_programs, monkeypatch
):
    monkeypatch.setattr(forward_program, "COMPARISON_COST", 2.5)
    monkeypatch.setattr(forward_program, "SEGMENT_COST", 5.0)
    programs.clear()
    w = tf.Variable(normal(size))

    def function(w, x):
        for _ in range(operations):
            x = tf.sin(x) * w
        return [x]

    x = tf.constant(normal(size))
    for _ in range(RUNS + 3):
        run(function, [w], x)
    assert bool(forward_passes._by_beginning) == has_programs


def test_programs_of_passes_that_vary_are_dropped(counted):
    w = trained()
    for number in range(repeated_forward.MOST_MISSES + 4):
        function = lambda w, x, number=number: [tf.tanh(x * w) + float(number)]
        x = tf.constant(normal(5))
        assert_bits(run(function, [w], x), without_programs(function, [w], x))
    assert counted["left"] > repeated_forward.MOST_MISSES // 2
    assert not forward_passes._by_beginning


def test_they_can_be_switched_off():
    trained()
    tf.config.run_functions_eagerly(True)
    try:
        assert not forward_passes.are_expected
        assert not forward_passes._by_beginning
    finally:
        tf.config.run_functions_eagerly(False)


def test_threads_share_programs():
    w = trained()
    x = tf.constant(normal(5))
    function = lambda w, x: step(x, w)
    wanted = without_programs(function, [w], x)
    different = []

    def work():
        for _ in range(40):
            got = run(function, [w], x)
            different.extend(1 for a, b in zip(got, wanted, strict=True) if not np.array_equal(a, b))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert different == []


def test_programs_and_memory_are_bounded(monkeypatch):
    monkeypatch.setattr(repeated_forward, "MOST_FORWARD_PASSES", 2)
    for size in range(3, 9):
        trained(shape=(size,))
        assert 1 <= len(forward_passes._by_beginning) <= 2
    monkeypatch.setattr(repeated_forward, "MOST_ARENA_BYTES", -1)
    trained(shape=(2,))
    assert len(forward_passes._by_beginning) == 1


def test_tapes_that_go_several_ways_have_no_programs(monkeypatch):
    monkeypatch.setattr(repeated_forward, "PASSES_IN_A_ROW", 3)
    w = tf.Variable(normal(5))
    ways = [lambda w, x: step(x, w), lambda w, x: [tf.exp(tf.tanh(x * w)) + 1.0]]
    for number in range(40):
        run(ways[number % 3 == 0], [w], tf.constant(normal(5)))
    assert not forward_passes._by_beginning
    for _ in range(4):
        run(ways[0], [w], tf.constant(normal(5)))
    assert forward_passes._by_beginning
