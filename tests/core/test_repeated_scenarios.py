"""Programs of repeated tapes in unusual uses: the values are those of operations that run one by one."""

import asyncio
import copy
import gc
import signal
import threading
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core import repeated_backward
from fastgrad._src.core.call_signature import are_equal, known_attributes
from fastgrad._src.core.repeated_backward import programs
from fastgrad._src.ops.kernel_launches import cached_launches
from tests.core.repeated_tapes import assert_bits

keras = tf.keras
RNG = np.random.default_rng(11)
PASSES = 12
"""More passes than a program needs in these tests."""

pytestmark = pytest.mark.usefixtures("counted")


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def with_and_without(scenario):
    """Compares the arrays that a scenario yields with programs and without."""
    programs.clear()
    ours = [np.array(value) for value in scenario()]
    programs.switch(False)
    try:
        wanted = [np.array(value) for value in scenario()]
    finally:
        programs.switch(True)
    assert len(ours) == len(wanted)
    assert_bits(ours, wanted)


def pass_of(function, variables, persistent=False):
    with tf.GradientTape(persistent=persistent) as tape:
        loss = tf.reduce_sum(function(*variables))
    return [loss, *(g for g in tape.gradient(loss, variables) if g is not None)]


def chain(x):
    return tf.tanh(x * 2.0) * tf.exp(x) + 1.0


# ---- attributes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (complex(1, 0.0), complex(1, -0.0)),
        (0.0, -0.0),
        ((0.0,), (-0.0,)),
        ((1,), (True,)),
        ((1,), (1.0,)),
        ((2, (1, 3)), (2, (True, 3))),
        (np.float32(0.0), np.float32(-0.0)),
        (1, True),
        (np.float32(1), np.float64(1)),
    ],
)
def test_equal_attributes_of_other_types_or_bits_are_others(value, other):
    assert value == other
    assert are_equal({"k": value}, known_attributes({"k": copy.copy(value)}))
    assert not are_equal({"k": other}, known_attributes({"k": value}))
    seen = []

    def launches(inputs, outputs, k):
        seen.append(k)

    for k in (value, other, value, other):
        cached_launches(launches, lambda *inputs, k: inputs[0], (np.ones(3, np.float32),), {"k": k})
    assert len(seen) == 2


def test_the_sign_of_a_zero_in_a_complex_attribute_is_kept():
    w = tf.Variable(np.ones(3, np.complex64))

    def signs(padding):
        with tf.GradientTape() as tape:
            c = w * 2
            diagonals = [tf.linalg.diag(c, padding_value=padding) for _ in range(3)]
            loss = tf.reduce_sum(tf.math.real(diagonals[0]))
        tape.gradient(loss, w)
        return np.signbit(diagonals[0].numpy().imag[0, 1])

    for _ in range(PASSES):
        assert not signs(complex(1, 0.0))
    assert signs(complex(1, -0.0))


# ---- threads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["assign", "function", "optimizer"])
def test_a_thread_that_only_writes_tears_no_value(write):
    """Kernels read without the GIL; another thread's write must not change what they read."""
    w = tf.Variable(tf.ones([700, 700]))
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([w])
    ones = tf.ones([700, 700])
    flip = tf.function(lambda: w.assign(3.0 - w))
    for _ in range(3):
        flip()
    if write == "optimizer":
        w.assign(ones)
    is_done = threading.Event()
    number = 0

    def write_forever():
        nonlocal number
        while not is_done.is_set():
            number += 1
            if write == "assign":
                w.assign(ones if number % 2 else 2.0 * ones)
            elif write == "function":
                flip()
            else:
                optimizer.apply([ones if number % 2 else -ones], [w])

    writer = threading.Thread(target=write_forever)
    writer.start()
    try:
        for _ in range(60):
            with tf.GradientTape() as tape:
                y = w * 1.0
                u = (y + 0.0) * 1.0
                loss = tf.reduce_sum(u * w)
            gradient = tape.gradient(loss, w).numpy()
            assert np.ptp(u.numpy()) == 0
            assert np.ptp(gradient) == 0
            assert np.ptp(w.numpy()) == 0
    finally:
        is_done.set()
        writer.join()


def test_threads_that_need_a_program_at_once_make_one(monkeypatch):
    monkeypatch.setattr(repeated_backward, "RUNS_BEFORE_PROGRAM", 16)
    w, x = tf.Variable(normal(32, 32)), tf.constant(normal(32, 32))
    barrier = threading.Barrier(8)
    made = []
    add_program = programs.add_program
    monkeypatch.setattr(programs, "add_program", lambda *arguments: (made.append(1), add_program(*arguments)))

    def work():
        for _ in range(24):
            barrier.wait()
            pass_of(lambda w: chain(x @ w), [w])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert programs.arena_bytes == sum(structure.arena_bytes for structure in programs) > 0


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_tapes_of_generators_that_threads_resume():
    def generator(w):
        with tf.GradientTape() as tape:
            y = chain(w)
            yield None
            loss = tf.reduce_sum(chain(y))
        yield tape.gradient(loss, w)

    def scenario():
        variables = [tf.Variable(np.full(5, value, np.float32)) for value in (0.1, 0.2)]
        for number in range(PASSES):
            generators = [generator(w) for w in variables]
            for each in generators:
                next(each)
            results = []
            for each in generators:
                if number % 2:
                    in_thread(lambda each=each, results=results: results.append(next(each)))
                else:
                    results.append(next(each))
            yield from results

    with_and_without(scenario)


def test_tapes_of_asyncio_tasks():
    async def task(w, results, number):
        with tf.GradientTape() as tape:
            y = chain(w)
            await asyncio.sleep(0)
            loss = tf.reduce_sum(chain(y) * float(number))
        await asyncio.sleep(0)
        results[number] = tape.gradient(loss, w)

    def scenario():
        variables = [tf.Variable(np.full(5, value, np.float32)) for value in (0.1, 0.2, 0.3)]
        for _ in range(PASSES):
            results = [None] * 3

            async def tasks(results=results):
                await asyncio.gather(*(task(w, results, number) for number, w in enumerate(variables)))

            asyncio.run(tasks())
            yield from results

    with_and_without(scenario)


def test_a_gradient_in_another_thread():
    def scenario():
        w = tf.Variable(np.full(5, 0.3, np.float32))
        for _ in range(PASSES):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(chain(w))
            results = []
            in_thread(lambda tape=tape, loss=loss, results=results: results.append(tape.gradient(loss, w)))
            yield from results

    with_and_without(scenario)


def test_a_destructor_that_computes():
    class Computes:
        def __init__(self, results):
            self.results = results

        def __del__(self):
            self.results.append(tf.reduce_sum(tf.ones(3) * 2.0).numpy())

    def scenario():
        w = tf.Variable(np.full(5, 0.3, np.float32))
        for _ in range(PASSES):
            results = []
            with tf.GradientTape() as tape:
                y = chain(w)
                Computes(results)
                loss = tf.reduce_sum(chain(y))
            yield tape.gradient(loss, w)
            yield from results

    with_and_without(scenario)


# ---- models -----------------------------------------------------------------------------------------------------


class Counting(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.dense = keras.layers.Dense(4, activation="tanh")

    def call(self, x):
        self.calls += 1
        return self.dense(x)


def step_of(model, x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(x) ** 2)
    return tape.gradient(loss, model.trainable_variables)


def test_a_counter_in_a_layer_hinders_no_program():
    model, x = Counting(), tf.constant(normal(3, 4))
    for _ in range(PASSES):
        step_of(model, x)
    assert model.calls == PASSES
    assert [structure.program is not None for structure in programs] == [True]


def test_tapes_that_always_differ_leave_the_programs_of_others(monkeypatch):
    monkeypatch.setattr(repeated_backward, "MOST_STRUCTURES", 16)
    model, x, w = Counting(), tf.constant(normal(3, 4)), tf.Variable(normal(3))
    for _ in range(PASSES):
        step_of(model, x)
    (structure,) = programs
    for number in range(60):
        pass_of(lambda w, number=number: w**2 * float(number), [w])
        pass_of(lambda w, number=number: tf.reshape(tf.tile(w, [number + 1]), [-1]), [w])
    assert structure in set(programs)
    assert programs.count <= 16


def test_settings_are_parts_of_a_structure():
    model, x = Counting(), tf.constant(normal(3, 4))
    for _ in range(PASSES):
        step_of(model, x)
    keras.config.set_floatx("float64")
    try:
        step_of(model, x)
        assert programs.count == 2
    finally:
        keras.config.set_floatx("float32")


def test_operations_of_users_are_freed_with_their_programs():
    factors = [2.0]
    operation = tf.elementwise(lambda x: x * factors[0])
    w = tf.Variable(normal(4))
    for _ in range(PASSES):
        pass_of(lambda w, operation=operation: chain(operation(w)), [w])
    (structure,) = programs
    assert structure.program is not None
    references = [weakref.ref(operation.python_function), weakref.ref(structure)]
    del operation, structure
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert programs.count == 0


def changed_kernel(model):
    model.layers[0].kernel.assign(model.layers[0].kernel + 1.0)


def changed_activation(model):
    model.layers[0].activation = keras.activations.sigmoid


def frozen_layer(model):
    model.layers[0].trainable = not model.layers[0].trainable


def loaded_weights(model):
    model.set_weights([weight * 0.5 for weight in model.get_weights()])


@pytest.mark.parametrize(
    "surgery",
    [changed_kernel, changed_activation, frozen_layer, loaded_weights],
    ids=lambda f: f.__name__,
)
def test_surgery_on_a_model_between_steps(surgery):
    x = normal(3, 4)

    def scenario():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)])
        model(x)
        for number in range(2 * PASSES):
            if number == PASSES:
                surgery(model)
            yield from step_of(model, x)

    with_and_without(scenario)


@pytest.mark.parametrize("is_old_one_kept", [True, False])
def test_a_variable_that_is_replaced_between_steps(is_old_one_kept):
    class Owner(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(np.full(4, 0.3, np.float32))

    def scenario():
        owner, kept = Owner(), []
        for number in range(3 * PASSES):
            if number % PASSES == 0:
                kept.append(owner.w if is_old_one_kept else None)
                owner.w = tf.Variable(np.full(4, 0.1 * number / PASSES, np.float32))
            yield from pass_of(chain, [owner.w])

    with_and_without(scenario)


def test_copies_of_a_model_in_turns():
    x = normal(3, 4)

    def scenario():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)])
        model(x)
        other = copy.deepcopy(model)
        other.set_weights([weight + 1.0 for weight in model.get_weights()])
        for _ in range(PASSES):
            yield from step_of(model, x)
            yield from step_of(other, x)

    with_and_without(scenario)


def test_new_models_at_the_places_of_old_ones():
    x = normal(3, 4)

    def scenario():
        for number in range(PASSES):
            keras.utils.set_random_seed(number)
            model = keras.Sequential([keras.layers.Dense(4, activation="tanh")])
            for _ in range(4):
                yield from step_of(model, x)
            del model
            gc.collect()

    with_and_without(scenario)


def test_weights_that_are_loaded_inside_a_pass():
    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))
        for number in range(2 * PASSES):
            with tf.GradientTape() as tape:
                y = chain(w)
                if number >= PASSES:
                    w.assign(w * 1.5)
                loss = tf.reduce_sum(y * chain(w))
            yield loss
            yield tape.gradient(loss, w)

    with_and_without(scenario)


# ---- assignments inside a pass ----------------------------------------------------------------------------------


def assign_itself(w, _):
    w.assign(w)


def add_nothing(w, _):
    w.assign_add(tf.zeros_like(w))


def update_by_function(_, update):
    update()


def stop_recording(w, _, tape=None):
    with tape.stop_recording():
        w.assign(w + 1.0)


def reset(_, update, tape=None):
    tape.reset()
    tape.watch(update.w)


@pytest.mark.parametrize("watched", ["by hand", "automatically", "not"])
@pytest.mark.parametrize("write", [assign_itself, add_nothing, update_by_function, stop_recording, reset])
def test_assignments_inside_a_pass(write, watched):
    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))

        @tf.function
        def update():
            w.assign(w * 1.01)

        update.w = w
        for _ in range(PASSES):
            with tf.GradientTape(watch_accessed_variables=watched == "automatically") as tape:
                if watched == "by hand":
                    tape.watch(w)
                y = chain(w)
                write(w, update, **({"tape": tape} if write in (stop_recording, reset) else {}))
                loss = tf.reduce_sum(y * chain(w))
            gradient = tape.gradient(loss, w)
            yield loss
            if gradient is not None:
                yield gradient

    with_and_without(scenario)


def test_state_of_layers_that_is_read_twice():
    x = normal(4, 3, 2)

    def scenario():
        keras.utils.set_random_seed(1)
        rnn = keras.layers.SimpleRNN(2, stateful=True, return_sequences=True)
        norm = keras.layers.BatchNormalization()
        for _ in range(PASSES):
            with tf.GradientTape() as tape:
                y = norm(rnn(x), training=True)
                y = norm(rnn(y), training=True) + tf.reduce_sum(norm.moving_mean)
                loss = tf.reduce_mean(y * y)
            yield loss
            yield from tape.gradient(loss, [*rnn.trainable_variables, *norm.trainable_variables])
            yield norm.moving_variance

    with_and_without(scenario)


# ---- errors and interrupts --------------------------------------------------------------------------------------


def test_errors_that_the_block_catches():
    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))
        for number in range(2 * PASSES):
            with tf.GradientTape() as tape:
                y = chain(w)
                if number % 3 == 2:
                    with pytest.raises(tf.errors.InvalidArgumentError):
                        tf.reshape(y, [3])
                loss = tf.reduce_sum(chain(y))
            yield tape.gradient(loss, w)

    with_and_without(scenario)


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt, which ends a run of pytest."""


class RaisesOnce(dict):
    def __setitem__(self, key, value):
        if not vars(self):
            self.has_raised = True
            raise Interrupted
        super().__setitem__(key, value)


class RaisesAtFirstEntry(list):
    def append(self, value):
        if not vars(self):
            self.has_raised = True
            raise Interrupted
        super().append(value)


@pytest.mark.parametrize(("attribute", "container"), [("_reads", RaisesOnce), ("_entries", RaisesAtFirstEntry)])
def test_an_interrupt_while_the_tape_notes(attribute, container):
    w = tf.Variable(np.full(4, 0.3, np.float32))
    programs.switch(False)
    wanted = [x.numpy() for x in pass_of(lambda w: chain(chain(w)), [w])]
    programs.switch(True)
    for number in range(2 * PASSES):
        tape = tf.GradientTape(persistent=True)
        with tape:
            if number < 3:  # the third pass is noted
                setattr(tape, attribute, container())
                with pytest.raises(Interrupted):
                    chain(w)
            loss = tf.reduce_sum(chain(chain(w)))
        assert_bits([loss.numpy(), tape.gradient(loss, w).numpy()], wanted)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupts_inside_the_block():
    """Ctrl-C comes anywhere in a pass of a persistent tape and is caught there; the gradients stay right."""
    is_armed = False

    def interrupt(*_):
        if is_armed:
            raise Interrupted

    w = tf.Variable(np.full(4, 0.3, np.float32))
    wanted = [x.numpy() for x in pass_of(lambda w: chain(chain(w)), [w])]
    before = signal.signal(signal.SIGALRM, interrupt)
    interrupts = 0
    try:
        for number in range(1000):
            tape = tf.GradientTape(persistent=True)
            with tape:
                try:
                    try:
                        is_armed = True
                        signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + number * 7 % 311))
                        tf.reduce_sum(chain(chain(w)))
                    finally:
                        is_armed = False
                except Interrupted:
                    interrupts += 1
                loss = tf.reduce_sum(chain(chain(w)))
            assert_bits([loss.numpy(), tape.gradient(loss, w).numpy()], wanted)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupts


# ---- foreign memory, persistent tapes ---------------------------------------------------------------------------


def test_memory_of_others_that_changes_after_its_conversion():
    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))
        for _ in range(PASSES):
            array = np.full(4, 2.0, np.float32)
            with tf.GradientTape() as tape:
                x = tf.convert_to_tensor(array)
                y = chain(w * x)
                array[:] = 0.0
                loss = tf.reduce_sum(y * x)
            yield loss
            yield tape.gradient(loss, w)

    with_and_without(scenario)


def test_memory_of_torch_that_changes_after_its_conversion():
    torch = pytest.importorskip("torch")

    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))
        for _ in range(PASSES):
            tensor = torch.full((4,), 2.0)
            with tf.GradientTape() as tape:
                x = tf.convert_to_tensor(tensor)
                y = chain(w * x)
                tensor.zero_()
                loss = tf.reduce_sum(y * x)
            yield loss
            yield tape.gradient(loss, w)

    with_and_without(scenario)


def test_a_python_function_that_writes_to_its_argument():
    def write(x):
        array = x.numpy()
        array[:] = 0.0
        return array

    def scenario():
        w = tf.Variable(np.full(4, 0.3, np.float32))
        for _ in range(PASSES):
            with tf.GradientTape() as tape:
                y = chain(w)
                zeros = tf.py_function(write, [y], tf.float32)
                loss = tf.reduce_sum(y * y + zeros)
            yield loss
            yield tape.gradient(loss, w)

    with_and_without(scenario)


def test_a_persistent_tape_with_two_targets():
    def scenario():
        w, v = (tf.Variable(np.full(4, value, np.float32)) for value in (0.3, 0.4))
        for _ in range(2 * PASSES):
            with tf.GradientTape(persistent=True) as tape:
                first = tf.reduce_sum(chain(w) * v)
                second = tf.reduce_sum(chain(v) * w)
            yield from tape.gradient(first, [w, v])
            yield from tape.gradient(second, [w, v])

    with_and_without(scenario)
