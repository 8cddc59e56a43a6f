"""Training steps under `tf.device("GPU:0")`, eager and compiled, beside the same steps on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.cuda.devices import available

pytestmark = pytest.mark.usefixtures("simulated_gpu")
XS = np.random.default_rng(0).normal(size=(4, 32, 20)).astype(np.float32)
YS = np.random.default_rng(1).integers(0, 5, (4, 32))


class Perceptron:
    """Two layers with dropout, and Adam."""

    def __init__(self):
        tf.random.set_seed(0)
        self.variables = [
            tf.Variable(tf.random.normal((20, 16)) * 0.1),
            tf.Variable(tf.zeros(16)),
            tf.Variable(tf.random.normal((16, 5)) * 0.1),
            tf.Variable(tf.zeros(5)),
        ]
        self.optimizer = keras.optimizers.Adam(0.01)

    def step(self, x, y):
        w, b, v, c = self.variables
        with tf.GradientTape() as tape:
            h = tf.nn.dropout(tf.nn.relu(x @ w + b), 0.1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=h @ v + c)
            loss = tf.reduce_mean(losses)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.variables), self.variables, strict=True))
        return loss

    def state(self):
        return [v.numpy() for v in (*self.variables, *self.optimizer.variables)]


def trained(device, compiled, steps=5):
    """The losses of some steps, and the state after them."""
    with tf.device(device):
        model = Perceptron()
        step = tf.function(model.step) if compiled else model.step
        losses = [step(tf.constant(XS[i % 4]), tf.constant(YS[i % 4])) for i in range(steps)]
    assert {x.device.rpartition("device:")[2] for x in (*losses, *model.variables)} == {device}
    return [float(loss) for loss in losses], model.state()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_training_step_gives_what_it_gives_on_the_cpu(compiled):
    losses, state = trained("GPU:0", compiled)
    wanted, wanted_state = trained("CPU:0", compiled)
    np.testing.assert_allclose(losses, wanted, rtol=1e-6)
    for ours, theirs in zip(state, wanted_state, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_label_out_of_range_is_refused_and_changes_nothing(compiled):
    with tf.device("GPU:0"):
        model = Perceptron()
        step = tf.function(model.step) if compiled else model.step
        x, y = tf.constant(XS[0]), tf.constant(YS[0])
        for _ in range(2):
            step(x, y)
        before = model.state()
        with pytest.raises(tf.errors.InvalidArgumentError, match="Received a label value of 7"):
            step(x, tf.constant(np.full_like(YS[0], 7)))
    for now, then in zip(model.state(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_replay_allocates_nothing_that_it_does_not_give_back():
    with tf.device("GPU:0"):
        step = tf.function(Perceptron().step)
        x, y = tf.constant(XS[0]), tf.constant(YS[0])
        for _ in range(3):
            step(x, y)
        device = available.gpu_device(0)
        kept = device.bytes_in_blocks()
        for _ in range(3):
            step(x, y)
        assert device.bytes_in_blocks() == kept


def test_a_function_called_on_the_host_and_on_a_gpu_has_a_program_for_each():
    doubled = tf.function(lambda x: x * 2.0)

    for _ in range(3):
        assert doubled(tf.constant([1.0, 2.0])).device.endswith("CPU:0")
        with tf.device("GPU:0"):
            y = doubled(tf.constant([1.0, 2.0]))
        assert y.device.endswith("GPU:0")
        np.testing.assert_array_equal(y, [2.0, 4.0])
    assert doubled.cache_info().keys == 2


@pytest.mark.parametrize("compiled", [False, True])
def test_an_embedding_is_trained_by_rows(compiled):
    draw = np.random.default_rng(0)
    ids, wanted = draw.integers(0, 30, (4, 6)).astype(np.int32), draw.normal(size=(4, 6, 3)).astype(np.float32)

    def trained(device):
        with tf.device(device):
            table = tf.Variable(np.ones((30, 3), np.float32))
            optimizer = keras.optimizers.Adam(0.01)

            def step(i, y):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(tf.gather(table, i) - y))
                optimizer.apply_gradients([(tape.gradient(loss, table), table)])

            step = tf.function(step) if compiled else step
            for _ in range(3):
                step(tf.constant(ids), tf.constant(wanted))
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 125 is not in \[0, 30\)"):
                step(tf.constant(ids + 100), tf.constant(wanted))
        return [v.numpy() for v in (table, *optimizer.variables)]

    for ours, theirs in zip(trained("GPU:0"), trained("CPU:0"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_tape_follows_a_tensor_to_another_device():
    with tf.device("GPU:0"):
        x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        with tf.device("CPU:0"):
            y = x * x
        with tf.device("GPU:0"):
            z = tf.reduce_sum(y * 3.0)
    assert (y.device[-5:], z.device[-5:]) == ("CPU:0", "GPU:0")
    with tf.device("GPU:0"):
        np.testing.assert_array_equal(tape.gradient(z, x), [6.0, 12.0])


def test_variables_of_the_host_are_trained_in_a_scope():
    w, optimizer = tf.Variable([1.0, 2.0]), keras.optimizers.SGD(0.5)
    with tf.device("GPU:0"):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w)
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
    assert w.device.endswith("CPU:0")
    np.testing.assert_array_equal(w, [0.0, 0.0])


def test_random_numbers_are_the_cpus():
    def drawn(device):
        with tf.device(device):
            tf.random.set_seed(1)
            found = [
                tf.random.normal((100,)),
                tf.random.uniform((50,), maxval=7, dtype=tf.int32),
                tf.random.truncated_normal((33,)),
                tf.random.shuffle(tf.range(20)),
                tf.random.Generator.from_seed(3).normal((10,)),
            ]
        assert all(x.device.endswith(device) for x in found)
        return found

    for ours, theirs in zip(drawn("GPU:0"), drawn("CPU:0"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_tensor_that_a_function_captures_stays_as_it_was():
    with tf.device("GPU:0"):
        weights = tf.Variable([1.0, 2.0])
        then = weights.value()
        added = tf.function(lambda x: x + then)
        for _ in range(3):
            weights.assign_add([1.0, 1.0])
            np.testing.assert_array_equal(added(tf.constant([10.0, 20.0])), [11.0, 22.0])


def test_a_step_is_one_graph_before_and_one_after_it_is_known_that_it_goes_on():
    with tf.device("GPU:0"):
        driver = available.gpu_device(0).driver
        w, x = tf.Variable([[1.0, 2.0]]), tf.constant([3.0, 4.0])

        @tf.function
        def plain(x):
            w.assign(tf.tanh(w * 2.0 + tf.reduce_sum(x)) @ tf.ones((2, 2)))

        @tf.function
        def gathers(x, i):
            w.assign_add(tf.gather(x, i)[None] * tf.reduce_max(x))

        i = tf.constant([1, 0])
        for _ in range(3):
            plain(x)
            gathers(x, i)
        replays = _counted(driver, lambda: plain(x))
        assert replays["launch"] + replays["launch_graph"] == 1
        replays = _counted(driver, lambda: gathers(x, i))
        assert replays["launch"] + replays["launch_graph"] == 2
        assert replays["allocate"] == 0


def _counted(driver, work):
    """How often a driver is asked for what."""
    counts = dict.fromkeys(("launch", "launch_graph", "allocate"), 0)

    def counting(name, method):
        def asked(*given):
            counts[name] += 1
            return method(*given)

        return asked

    with pytest.MonkeyPatch.context() as patch:
        for name in counts:
            patch.setattr(driver, name, counting(name, getattr(driver, name)))
        work()
    return counts


def test_a_replay_takes_no_memory_of_the_driver_and_launches_graphs(monkeypatch):
    """Inputs and the random counter are copied into place; between the graphs a word says whether to go on."""
    with tf.device("GPU:0"):
        model = Perceptron()
        step = tf.function(model.step)
        batches = [(tf.constant(x), tf.constant(y)) for x, y in zip(XS, YS, strict=True)]
        for batch in batches[:3]:
            step(*batch)
        driver, calls = available.gpu_device(0).driver, []
        for name in (
            *("allocate", "free", "copy_in", "copy", "copy_out", "fill", "load", "launch"),
            *("capture_graph", "launch_graph"),
        ):
            monkeypatch.setattr(driver, name, noted(getattr(driver, name), name, calls))
        for batch in batches:
            calls.clear()
            loss = step(*batch)
            assert calls == [
                *("copy", "copy", "copy_in", "fill", "launch_graph", "copy_out", "launch_graph", "copy_out", "copy"),
            ]
    assert np.isfinite(float(loss))


def noted(function, name, calls):
    def call(*arguments):
        calls.append(name)
        return function(*arguments)

    return call
