"""Training steps that are written down: replays give what eager steps give, and follow every number of the optimizer."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import GuardError, interpret
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.recorded import record
from tests.keras.optimizers.reference import ALL, IDS

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


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if one.dtype.kind in "iu":
            np.testing.assert_array_equal(one, other)
        else:
            resolution = np.finfo(np.float32 if one.dtype.itemsize < 4 else one.dtype).eps
            scale = np.abs(other).max(initial=1)
            np.testing.assert_allclose(one, other, rtol=0, atol=resolution * scale)


class Replays:
    """A step by programs: each is recorded at the first step that the others do not take.

    Attributes:
        ways: the programs, or other functions of arrays that replay.
    """

    def __init__(self, step, compiled=True):
        self.step, self.compiled, self.ways = step, compiled, []

    def __call__(self, arrays):
        for way in self.ways:
            try:
                way(arrays)
                return
            except GuardError:
                pass
        graph, _ = record(self.step, *arrays)
        self.ways.append(Program(graph) if self.compiled else lambda arrays: interpret(graph, arrays))


def assert_one_program(eager, replayed, steps):
    """One program, recorded at the first step, leaves the state that eager steps leave."""
    replays = Replays(replayed)
    for gradients in steps:
        eager(*map(tf.constant, gradients))
        replays(gradients)
        assert_same(replayed.state(), eager.state())
    assert len(replays.ways) == 1


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
        replays = Replays(training, compiled)
        for number, gradients in enumerate(steps):
            between(training.optimizer, number)
            replays(gradients)
            assert_same(training.state(), wanted[number])
        assert programs in {None, len(replays.ways)}


@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
def test_every_optimizer(name, options):
    compare(lambda: getattr(tf.optimizers, name)(0.125, **options))


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor"])
@pytest.mark.parametrize("options", OPTIONS, ids="-".join)
def test_every_option(name, options):
    ways = 2 if "gradient_accumulation_steps" in options or "ema_overwrite_frequency" in options else 1
    compare(lambda: getattr(tf.optimizers, name)(0.125, **options), programs=ways)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "Ftrl", "Adafactor"])
@pytest.mark.parametrize("options", [{}, *OPTIONS], ids=lambda options: "-".join(options) or "plain")
def test_sparse_gradients(name, options):
    ways = 2 if "gradient_accumulation_steps" in options or "ema_overwrite_frequency" in options else 1
    compare(lambda: getattr(tf.optimizers, name)(0.125, **options), sparse=True, programs=ways)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", ["SGD", "Adam", "Nadam", "Adafactor"])
def test_other_dtypes(name, sparse, dtype):
    options = {"weight_decay": 0.125, "use_ema": True, "clipnorm": 2.0}
    make = lambda: getattr(tf.optimizers, name)(0.125, **options)
    compare(make, tf.as_dtype(dtype).as_numpy_dtype, sparse)


def test_numbers_are_followed():
    def between(optimizer, step):
        optimizer.learning_rate = 0.125 / (step + 1)
        optimizer.beta_1 = 0.5 + 0.0625 * step
        optimizer.beta_2, optimizer.epsilon = 0.75 - 0.0625 * step, 0.001 * (step + 1)
        optimizer.weight_decay = 0.01 * (step + 1)
        optimizer.clipnorm = 1.0 + step

    compare(lambda: tf.optimizers.Adam(0.5, weight_decay=0.5, clipnorm=0.5), between=between)


def test_other_options_are_other_programs():
    def between(optimizer, step):
        optimizer.weight_decay = 0.25 if step in (2, 3) else None
        optimizer.clipvalue = 0.125 if step == 5 else None

    compare(lambda: tf.optimizers.SGD(0.5, momentum=0.5), between=between, programs=4)


SCHEDULES = {
    "ExponentialDecay": (0.5, 2, 0.75),
    "InverseTimeDecay": (0.5, 2, 0.75),
    "PiecewiseConstantDecay": ([1, 3], [0.5, 0.25, 0.125]),
    "PolynomialDecay": (0.5, 4, 0.125, 2.0),
    "CosineDecay": (0.5, 4, 0.125, "cosine", 0.75, 2),
    "CosineDecayRestarts": (0.5, 2),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_followed(name):
    schedule = getattr(tf.optimizers.schedules, name)
    compare(lambda: tf.optimizers.Adam(schedule(*SCHEDULES[name])))


def test_numbers_of_schedules_are_followed():
    def between(optimizer, step):
        optimizer._learning_rate.initial_learning_rate = 0.5 + step
        optimizer._learning_rate.decay_rate = 0.5 + 0.0625 * step

    compare(lambda: tf.optimizers.SGD(tf.optimizers.schedules.ExponentialDecay(0.5, 2, 0.75)), between=between)


def test_another_schedule_is_another_program():
    def between(optimizer, step):
        if step == 3:
            optimizer.learning_rate = tf.optimizers.schedules.InverseTimeDecay(0.5, 2, 0.75)

    make = lambda: tf.optimizers.SGD(tf.optimizers.schedules.ExponentialDecay(0.5, 2, 0.75))
    compare(make, between=between, programs=2)


class OneThird(tf.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate / (tf.cast(step, tf.float32) + 1.0) / 3.0


def test_schedules_and_optimizers_of_a_users_own():
    class Momentum(tf.optimizers.Optimizer):
        def __init__(self, learning_rate, momentum=0.5, **options):
            super().__init__(learning_rate=learning_rate, **options)
            self.momentum = momentum

        def build(self, variables):
            super().build(variables)
            self.momentums = [self.add_variable_from_reference(v, name="momentum") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            m = self.momentums[self._get_variable_index(variable)]
            self.assign(m, m * self.momentum - gradient * tf.cast(learning_rate, variable.dtype))
            self.assign_add(variable, m)

    def between(optimizer, step):
        optimizer.momentum = 0.5 if step < 4 else 0.75

    for options in ({}, {"weight_decay": 0.25, "global_clipnorm": 0.5}):
        compare(lambda options=options: Momentum(OneThird(0.5), **options), between=between, programs=2)


def test_numbers_of_a_users_own_optimizer_are_not_baked_in():
    class Counting(tf.optimizers.Optimizer):
        def __init__(self):
            super().__init__(0.5)
            self._factor = 1.0

        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, gradient * self._factor)

    def between(optimizer, step):
        optimizer._factor = 0.5 if step > 2 else 0.25

    compare(Counting, between=between, programs=2)


def test_an_update_step_around_the_built_in_one():
    class Careful(tf.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 0.5, variable, learning_rate)

    compare(lambda: Careful(0.125, weight_decay=0.25))


def test_sparse_gradients_of_a_users_own_optimizer():
    class Plain(tf.optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            if isinstance(gradient, tf.IndexedSlices):
                gradient = tf.IndexedSlices(gradient.values * learning_rate, gradient.indices, gradient.dense_shape)
            self.assign_sub(variable, gradient)

    compare(lambda: Plain(0.5), sparse=True, programs=None)


def test_a_function_that_gives_a_tensor_is_followed():
    rate = tf.Variable(0.5)

    def between(optimizer, step):
        rate.assign(0.5 / (step + 1))

    compare(lambda: tf.optimizers.SGD(lambda: rate * 0.5), between=between)


def test_a_function_that_gives_a_number_is_refused():
    training = Training(lambda: tf.optimizers.SGD(lambda: 0.5))
    with pytest.raises(tf.errors.UnimplementedError, match="asked of a Python function, which gave a Python number"):
        record(training, *next(batches(1)))


def test_scaled_losses():
    """Steps that are not finite are skipped, and another way of the program."""
    for name in ("SGD", "Adam"):
        states = []
        for compiled in (False, True):
            optimizer = tf.optimizers.LossScaleOptimizer(
                getattr(tf.optimizers, name)(0.125), initial_scale=8.0, dynamic_growth_steps=2
            )
            weights = tf.Variable([1.0, 2.0])
            optimizer.build([weights])

            def step(x, optimizer=optimizer, weights=weights):
                with tf.GradientTape() as tape:
                    loss = optimizer.scale_loss(tf.reduce_sum(weights * weights * x))
                optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
                return loss

            replays, found = Replays(step), []
            for number in (1.0, 2.0, np.inf, 3.0, 4.0, 5.0, np.nan, 6.0):
                if compiled:
                    replays([np.array(number, np.float32)])
                else:
                    step(tf.constant(number))
                found.append([v.numpy() for v in (weights, *optimizer.variables)])
            states.append(found)
        assert len(replays.ways) == 2
        for one, other in zip(*states, strict=True):
            assert_same(one, other)


def test_a_loss_that_is_scaled_before_the_first_step():
    found = []
    for compiled in (False, True):
        weights = tf.Variable([1.0, 2.0])
        optimizer = tf.optimizers.LossScaleOptimizer(tf.optimizers.SGD(0.01), initial_scale=4.0, dynamic_growth_steps=2)

        def step(x, optimizer=optimizer, weights=weights):
            with tf.GradientTape() as tape:
                loss = optimizer.scale_loss(tf.reduce_sum(weights * weights * x))
            optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
            return loss

        run = tf.function(step) if compiled else step
        found.append([run(tf.constant([0.25 * i, 0.125])).numpy() for i in range(7)] + [weights.numpy()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_rate_that_the_program_sets():
    class Falling(Training):
        def __call__(self, *gradients):
            self.optimizer.learning_rate = 1.0 / (tf.reduce_sum(tf.abs(gradients[1])) + 1.0)
            return super().__call__(*gradients)

    eager, replayed = (Falling(lambda: tf.optimizers.SGD(0.5)) for _ in range(2))
    assert_one_program(eager, replayed, batches(4))


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.train.GradientDescentOptimizer(0.125),
        lambda: tf.train.MomentumOptimizer(tf.constant(0.125), 0.5, use_nesterov=True),
        lambda: tf.train.AdamOptimizer(0.125),
        lambda: tf.train.RMSPropOptimizer(0.125, centered=True, momentum=0.5),
        lambda: tf.train.AdagradOptimizer(0.125),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_the_optimizers_of_tensorflow_1(make, sparse):
    class Older(Training):
        def __call__(self, *gradients):
            if self.sparse:
                ids, values, *rest = gradients
                gradients = [tf.IndexedSlices(values, ids, tf.constant([ROWS, WIDTH])), *rest]
            self.optimizer.apply_gradients(list(zip(gradients, self.variables, strict=True)), self.global_step)

        def state(self):
            return [v.numpy() for v in (*self.variables, *self.optimizer.variables(), self.global_step)]

    eager, replayed = Older(make, sparse=sparse), Older(make, sparse=sparse)
    eager.global_step, replayed.global_step = tf.Variable(0), tf.Variable(0)
    assert_one_program(eager, replayed, batches(5, sparse=sparse))


def test_eager_steps_go_on_after_replays():
    for sparse in (False, True):
        steps = list(batches(8, sparse=sparse))
        eager, mixed = (Training(lambda: tf.optimizers.Adam(0.125), sparse=sparse) for _ in range(2))
        program = None
        for number, gradients in enumerate(steps):
            eager(*map(tf.constant, gradients))
            if number % 2 and program is None:
                program = Program(record(mixed, *gradients)[0])
            elif program is not None and number % 3:
                program(gradients)
            else:
                mixed(*map(tf.constant, gradients))
            assert_same(mixed.state(), eager.state())


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_move_are_known_to_eager_steps_and_to_programs(seed):
    """Sparse and dense, eager and compiled steps by turns, and slots that are assigned to in between."""
    rng = np.random.default_rng(seed)
    eager, mixed = (Training(lambda: tf.optimizers.Adam(0.125)) for _ in range(2))
    compiled = tf.function(mixed)
    for _ in range(24):
        sparse, replayed, assigned = rng.random(3) < (0.7, 0.7, 0.1)
        ids = rng.integers(0, ROWS, 2)
        values = rng.normal(size=(2, WIDTH)).astype(np.float32)
        rest = [tf.constant(np.ones(v.shape, np.float32)) for v in eager.variables[1:]]
        table = tf.IndexedSlices(tf.constant(values), tf.constant(ids), tf.constant([ROWS, WIDTH]))
        gradients = [table if sparse else tf.convert_to_tensor(table), *rest]
        if assigned and eager.optimizer.built:
            slot = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
            for training in (eager, mixed):
                training.optimizer.variables[2].assign(slot)
        eager(*gradients)
        (compiled if replayed else mixed)(*gradients)
        assert_same(mixed.state(), eager.state())


def test_a_step_is_one_operation_and_assignments():
    training = Training(lambda: tf.optimizers.Adam(0.125))
    first, *_ = batches(1)
    training(*map(tf.constant, first))
    graph, _ = record(training, *first)
    kinds = [node.payload.name for node in graph.nodes if node.kind is Kind.OPERATION]
    assert kinds.count("apply_update") == 1
    assert [node.kind for node in graph.nodes].count(Kind.ASSIGN) == 3 * 4 + 1
    assert all(action.launches is not None for action in Program(graph).plan.actions)
