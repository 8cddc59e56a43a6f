"""Training steps that are written down: replays give what eager steps give, and follow every number of the optimizer."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.trace.graph import Kind
from fastgrad.trace.interpret import interpret
from fastgrad.trace.program import Program
from tests.keras.optimizers.reference import ALL, IDS
from tests.trace.test_replay import record

ROWS, WIDTH = 7, 3
OPTIONS = [
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.5},
    {"clipvalue": 0.25},
    {"weight_decay": 0.25},
    {"use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 4.0},
    {"clipnorm": 0.5, "use_ema": True, "gradient_accumulation_steps": 2, "weight_decay": 0.125},
]


class Training:
    """Variables, an optimizer, and a step whose gradients are its arguments."""

    def __init__(self, make, dtype=np.float32, sparse=False):
        rng = np.random.default_rng(0)
        shapes = [(ROWS, WIDTH), (4,), (), (2, 2, 3)]
        self.variables = [tf.Variable(rng.normal(size=shape), dtype=dtype) for shape in shapes]
        self.optimizer = make()
        self.sparse = sparse

    def __call__(self, *gradients):
        if self.sparse:
            ids, values, *rest = gradients
            gradients = [tf.IndexedSlices(values, ids, tf.constant([ROWS, WIDTH])), *rest]
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return tf.convert_to_tensor(self.optimizer.iterations)

    def state(self):
        return [v.numpy() for v in (*self.variables, *self.optimizer.variables)]


def batches(count, dtype=np.float32, sparse=False):
    rng = np.random.default_rng(1)
    for _ in range(count):
        arrays = [rng.normal(size=shape).astype(dtype) for shape in [(ROWS, WIDTH), (4,), (), (2, 2, 3)]]
        arrays = [np.asarray(a) for a in arrays]
        if sparse:
            arrays[:1] = [rng.integers(0, ROWS, 5), rng.normal(size=(5, WIDTH)).astype(dtype)]
        yield arrays


def assert_same(found, wanted, ulps=1):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if one.dtype.kind in "iu":
            np.testing.assert_array_equal(one, other)
        else:
            resolution = np.finfo(np.float32 if one.dtype.itemsize < 4 else one.dtype).eps
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            np.testing.assert_allclose(one, other, rtol=0, atol=4 * ulps * resolution * scale)


def compare(make, dtype=np.float32, sparse=False, programs=1, between=lambda optimizer, step: None, count=6):
    """Steps replayed by programs and by the interpreter leave the state that eager steps leave."""
    eager = Training(make, dtype, sparse)
    steps = list(batches(count, dtype, sparse))
    wanted = []
    for number, gradients in enumerate(steps):
        between(eager.optimizer, number)
        eager(*map(tf.constant, gradients))
        wanted.append(eager.state())
    for compiled in (False, True):
        training = Training(make, dtype, sparse)
        ways = []
        for number, gradients in enumerate(steps):
            between(training.optimizer, number)
            for way in ways:
                try:
                    way(gradients)
                    break
                except Exception as error:
                    if type(error).__name__ != "GuardError":
                        raise
            else:
                graph, _ = record(training, *gradients)
                ways.append(Program(graph) if compiled else lambda arrays, graph=graph: interpret(graph, arrays))
            assert_same(training.state(), wanted[number])
        assert len(ways) == programs
    return training


@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
def test_every_optimizer(name, options):
    compare(lambda: getattr(tf.optimizers, name)(0.125, **options))


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_every_option(name, options):
    ways = 2 if "gradient_accumulation_steps" in options or "ema_overwrite_frequency" in options else 1
    compare(lambda: getattr(tf.optimizers, name)(0.125, **options), programs=ways)
