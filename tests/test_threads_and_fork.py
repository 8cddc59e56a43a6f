"""Threads, forked and spawned processes, and Ctrl-C in a training loop."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.recording import recorders
from fastgrad._src.kernels.elementwise import activation
from fastgrad._src.kernels.gemm import dense
from fastgrad._src.kernels.optimizers import optimizers
from fastgrad._src.kernels.reduction import softmax

keras = tf.keras
layers = keras.layers
ROOT = Path(__file__).parents[1]

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
Y = np.arange(8) % 3


def build(seed):
    initializer = keras.initializers.GlorotUniform
    model = keras.Sequential(
        [
            layers.Dense(5, activation="relu", kernel_initializer=initializer(seed=seed)),
            layers.Dropout(0.2, seed=seed),
            layers.Dense(3, kernel_initializer=initializer(seed=seed + 1)),
        ]
    )
    return model, keras.optimizers.Adam(learning_rate=0.01)


def train(model, optimizer, steps):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            value = loss(Y, model(X, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
    return float(value)


def trained(seed, steps=40):
    """The weights of a model after some training; a function of the seed."""
    model, optimizer = build(seed)
    train(model, optimizer, steps)
    return [weight.numpy() for weight in model.weights]


def in_threads(count, work):
    """What ``work(i)`` gives in each of several threads that start together."""
    results, errors, barrier = [None] * count, [], threading.Barrier(count)

    def run(i):
        try:
            barrier.wait()
            results[i] = work(i)
        except Exception as error:  # noqa: BLE001  # raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def run_program(program, tmp_path, **options):
    """A new Python that runs a program of its own file (as processes that spawn others need)."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    finished = subprocess.run(
        [sys.executable, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        **options,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


# ---- threads -------------------------------------------------------------------------------------------


def test_models_trained_in_threads_are_those_trained_one_after_the_other():
    for alone, together in zip([trained(seed) for seed in range(4)], in_threads(4, trained), strict=True):
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_tape_hears_only_its_own_thread():
    v = tf.Variable(2.0)

    def gradient(i):
        with tf.GradientTape() as tape:
            y = v * float(i)
            for _ in range(200):
                y = y + 0.0
        return float(tape.gradient(y, v)), [variable.name for variable in tape.watched_variables()]

    with tf.GradientTape() as tape:
        z = v * v
        found = in_threads(4, gradient)
    assert found == [(float(i), ["Variable:0"]) for i in range(4)]
    assert float(tape.gradient(z, v)) == 4.0


def test_kernels_are_first_used_by_several_threads_at_once():
    kernels = (
        dense.BIAS_KERNELS["relu"],
        dense.DENSE_GRADIENT_KERNELS["relu"],
        activation.gelu,
        softmax.softmax,
        optimizers.adam.variables_kernel,
    )
    expected = trained(0, 5)
    for kernel in kernels:
        kernel.clear()
    for weights in in_threads(6, lambda i: trained(0, 5)):
        for one, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_threads_that_draw_from_one_generator_never_draw_the_same():
    generator = tf.random.Generator.from_seed(1)
    tf.random.set_seed(1)
    for draw in (lambda: tf.random.uniform([2]), lambda: generator.uniform([2])):
        drawn = in_threads(4, lambda i, draw=draw: [tuple(draw().numpy().tolist()) for _ in range(100)])
        assert len({pair for pairs in drawn for pair in pairs}) == 400


# ---- processes -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_trains_on_with_the_kernels_its_parent_used(tmp_path):
    printed = run_program(
        """
        import os
        import numpy as np
        from tests.test_threads_and_fork import build, train

        model, optimizer = build(0)
        train(model, optimizer, 5)
        child = os.fork()
        train(model, optimizer, 5)
        if child:
            assert os.waitpid(child, 0)[1] == 0
        print(*np.concatenate([weight.numpy().ravel() for weight in model.weights]).view(np.uint32))
        """,
        tmp_path,
    )
    child, parent = printed.splitlines()
    assert parent == child
    assert np.array(parent.split(), np.uint32).view(np.float32)[0] == trained(0, 10)[0][0, 0]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_of_multiprocessing_train_as_this_one(tmp_path, method):
    if method not in __import__("multiprocessing").get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    printed = run_program(
        f"""
        import multiprocessing
        from tests.test_threads_and_fork import trained

        def work(seed):
            return float(trained(seed, 5)[0][0, 0])

        if __name__ == "__main__":
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(*pool.map(work, range(2)))
        """,
        tmp_path,
    )
    assert [float(word) for word in printed.split()] == [float(trained(seed, 5)[0][0, 0]) for seed in range(2)]


def test_tensors_and_variables_go_to_other_processes(tmp_path):
    printed = run_program(
        """
        import concurrent.futures, multiprocessing
        import fastgrad as tf

        def work(tensor, variable):
            variable.assign_add(tensor)
            return variable, tf.reduce_sum(variable)

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
                variable = tf.Variable([1.0, 2.0], name="w")
                again, total = pool.submit(work, tf.constant([10.0, 20.0]), variable).result()
            print(again.name, again.numpy().tolist(), float(total), variable.numpy().tolist())
        """,
        tmp_path,
    )
    assert printed.strip() == "w:0 [11.0, 22.0] 33.0 [1.0, 2.0]"


# ---- interrupts ----------------------------------------------------------------------------------------


def test_an_interrupt_inside_a_step_leaves_the_state_of_the_step_before():
    """Ctrl-C while the loss is computed: the tape ends, nothing has been changed, training goes on."""
    model, optimizer = build(0)
    train(model, optimizer, 10)
    before = [variable.numpy() for variable in (*model.weights, *optimizer.variables)]

    def interrupted():
        with tf.GradientTape():
            model(X)
            signal.raise_signal(signal.SIGINT)
            model(X)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert recorders.active == ()
    for variable, old in zip((*model.weights, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    assert train(model, optimizer, 30) < 1.0


def test_a_tape_that_an_interrupt_kept_from_ending_is_forgotten_by_the_next():
    """As if the interrupt had come between the end of the block and the tape's ``__exit__``."""
    v = tf.Variable(2.0)

    def interrupted():
        tf.GradientTape().__enter__()

    interrupted()
    assert len(recorders.active) == 1
    with tf.GradientTape() as outer:
        assert recorders.active == (outer,)
        with tf.GradientTape() as inner:
            assert recorders.active == (outer, inner)
            y = v * v
        z = inner.gradient(y, v) * v
    assert float(outer.gradient(z, v)) == 8.0
    assert recorders.active == ()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of signals")
def test_training_goes_on_after_interrupts_anywhere(tmp_path):
    printed = run_program(
        """
        import signal
        import numpy as np
        from fastgrad._src.core.recording import recorders
        from fastgrad import keras
        from tests.test_threads_and_fork import X, Y, build, train

        def interrupt(number, frame):
            raise KeyboardInterrupt

        model, optimizer = build(0)
        train(model, optimizer, 1)
        signal.signal(signal.SIGALRM, interrupt)
        for delay in np.random.default_rng(0).uniform(0.0005, 0.004, 60):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                train(model, optimizer, 1000)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
        done = int(optimizer.iterations)
        train(model, optimizer, 200)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(Y, model(X))  # without dropout
        finite = all(np.isfinite(variable.numpy()).all() for variable in (*model.weights, *optimizer.variables))
        print(int(optimizer.iterations) - done, bool(loss < 0.5), finite, len(recorders.active))
        """,
        tmp_path,
    )
    assert printed.split() == ["200", "True", "True", "0"]


def test_updates_of_a_large_variable_in_several_threads_all_count():
    """NumPy works on large arrays without the GIL."""
    v = tf.Variable(np.zeros(300_000, np.float32))
    one = tf.ones(300_000)

    def work(number):
        for _ in range(40):
            v.assign_add(one)
            value = v.numpy()
            assert (value == value[0]).all()

    in_threads(4, work)
    np.testing.assert_array_equal(v, np.full(300_000, 160, np.float32))
