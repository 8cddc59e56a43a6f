"""Optimizers of a user's update rule do what the built-in ones do, to the same bits, by the same kernels."""

import math
import pickle
import re
import subprocess
import sys

import numba
import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.passes import decompose_updates
from fastgrad._src.kernels.optimizers.update_rule import RULES
from fastgrad.keras.optimizers import RuleOptimizer, from_rule, update_rule

from .sparse_gradients import OPTIONS, draw, slices

RATE = 0.125


@update_rule(zero_gradient="rests_at_zero")
def lion(w, momentum, grad, learning_rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2):
    """The sign of a momentum."""
    direction = momentum * beta_1 + grad * one_minus_beta_1
    step = learning_rate if direction > 0 else (-learning_rate if direction < 0 else direction)
    return w - step, momentum * beta_2 + grad * one_minus_beta_2


def moved_by(mean, value, share):
    return mean + (value - mean) * share


@numba.njit
def square(x):
    return x * x


@update_rule(zero_gradient="rests_at_zero")
@numba.njit
def adam(w, momentum, velocity, gradient, alpha, one_minus_beta_1, one_minus_beta_2, epsilon):
    momentum = moved_by(momentum, gradient, one_minus_beta_1)
    velocity = moved_by(velocity, square(gradient), one_minus_beta_2)
    return w - momentum * alpha / (math.sqrt(velocity) + epsilon), momentum, velocity


@update_rule
def with_momentum(w, trace, g, learning_rate, momentum):
    trace = trace * momentum - g * learning_rate
    return w + trace, trace


class Adam(RuleOptimizer):
    rule = adam

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **options):
        super().__init__(learning_rate=learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def hyperparameters(self, learning_rate, step):
        alpha = learning_rate * (1.0 - self.beta_2**step) ** 0.5 / (1.0 - self.beta_1**step)
        return alpha, self.beta_1, self.beta_2, self.epsilon


Lion = from_rule(lion, learning_rate=0.001, beta_1=0.9, beta_2=0.99)
Momentum = from_rule(with_momentum, "Momentum", slot_names={"trace": "momentum"}, momentum=0.5)
PAIRS = {
    "Lion": (Lion, tf.optimizers.Lion),
    "Adam": (Adam, tf.optimizers.Adam),
    "Momentum": (Momentum, lambda rate, **options: tf.optimizers.SGD(rate, momentum=0.5, **options)),
}
BOTH = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


class Training:
    """A model with an embedding, a product's weights, and weights whose gradient is made element by element."""

    def __init__(self, optimizer, dtype=np.float32):
        random = np.random.default_rng(0)
        shapes = (21, 3), (160, 96), (32, 96)
        self.variables = [tf.Variable(random.normal(size=shape).astype(dtype)) for shape in shapes]
        self.optimizer = optimizer

    def __call__(self, x, ids):
        table, kernel, scale = self.variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.tanh(x @ kernel)) + tf.reduce_sum(tf.gather(table, ids) ** 2)
            loss += tf.reduce_mean(tf.square(scale * x[:32, :96]))
        gradients = tape.gradient(loss, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return loss

    def train(self, call, steps=4):
        random, dtype = np.random.default_rng(1), self.variables[0].dtype.as_numpy_dtype
        for _ in range(steps):
            x, ids = random.normal(size=(64, 160)).astype(dtype), random.integers(0, 21, 5)
            call(tf.constant(x), tf.constant(ids))
        return [v.numpy() for v in (*self.variables, *self.optimizer.variables)]


def assert_same(own, known):
    for one, other in zip(own, known, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@BOTH
def test_bits_are_those_of_the_built_in_optimizer(pair, options, compiled):
    found = []
    for make in pair:
        training = Training(make(RATE, **options))
        found.append(training.train(tf.function(training) if compiled else training))
    assert_same(*found)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@BOTH
def test_dtypes(pair, compiled, dtype):
    found = []
    for make in pair:
        training = Training(make(RATE), tf.as_dtype(dtype).as_numpy_dtype)
        found.append(training.train(tf.function(training) if compiled else training))
    assert_same(*[[array.astype(np.float64) for array in arrays] for arrays in found])


@BOTH
def test_compiled_steps_have_the_kernels_of_the_built_in_optimizer(pair, monkeypatch):
    monkeypatch.setattr(decompose_updates, "LEAST_UPDATE_BYTES", 1 << 12)
    kernels = []
    for make in pair:
        training = Training(make(RATE))
        step = tf.function(training)
        training.train(step)
        kernels.append([line.split("  ")[-1].strip() for line in str(step.report()).splitlines() if "update" in line])
    own, known = kernels
    assert [line.replace("live_rows", "rows") for line in known] == [line.replace("live_rows", "rows") for line in own]
    (product,) = [line for line in own if "matmul" in line]
    assert re.fullmatch(r"matmul\+apply_update float32\[160, 96\]", product)
    (by_element,) = [line for line in own if "by_element" in line]
    assert by_element.startswith("multiply+")


@BOTH
def test_sparse_gradients(pair):
    found = []
    for make in pair:
        table = tf.Variable(np.random.default_rng(0).normal(size=(21, 3)))
        optimizer = make(RATE)
        for ids, values in draw():
            optimizer.apply_gradients([(slices(ids, values), table)])
        found.append([v.numpy() for v in (table, *optimizer.variables)])
    assert_same(*found)


@update_rule(zero_gradient="rests")
def plain(w, g, learning_rate):
    return w - learning_rate * g


def test_rows_that_rest_are_not_touched():
    """A NaN beside the gradient's rows stays what it is, which is no number to compute with."""
    table = tf.Variable(np.full((21, 3), np.nan))
    table.assign(tf.tensor_scatter_nd_update(table, [[2]], [[1.0, 2.0, 3.0]]))
    from_rule(plain)(0.5).apply_gradients([(slices([2], np.ones((1, 3))), table)])
    np.testing.assert_array_equal(table[2], [0.5, 1.5, 2.5])


def test_new_numbers_need_no_new_program():
    training = Training(Lion(0.5))
    step = tf.function(training)
    training.train(step)
    training.optimizer.learning_rate = 0.25
    training.optimizer.beta_1 = 0.5
    before = [v.numpy() for v in training.variables]
    training.train(step, steps=1)
    assert np.abs(training.variables[1].numpy() - before[1]).max() == pytest.approx(0.25)
    assert str(step.report()).count("program 1") == 0


def test_schedules_and_the_number_of_the_step():
    @update_rule
    def by_step(w, g, learning_rate, step):
        return w - learning_rate * step

    schedule = tf.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.5])
    for wrapped in (lambda f: f, tf.function):
        variable = tf.Variable([0.0])
        optimizer = from_rule(by_step)(schedule)
        apply = wrapped(lambda g, variable=variable, optimizer=optimizer: optimizer.apply_gradients([(g, variable)]))
        for _ in range(4):
            apply(tf.constant([1.0]))
        assert float(variable[0]) == -(1.0 * 1 + 1.0 * 2 + 0.5 * 3 + 0.5 * 4)


def test_slots_that_are_subnormal_become_zero():
    for wrapped in (lambda f: f, tf.function):
        variable = tf.Variable([1.0])
        optimizer = Momentum(RATE)
        optimizer.build([variable])
        optimizer.slot("momentum")[0].assign([1e-40])
        wrapped(lambda g, o=optimizer, v=variable: o.apply_gradients([(g, v)]))(tf.constant([0.0]))
        assert float(optimizer.slot("momentum")[0][0]) == 0.0


def test_initial_values_and_names_of_slots():
    @update_rule
    def adagrad(w, total, g, learning_rate, epsilon):
        total = total + g * g
        return w - learning_rate * g / math.sqrt(total + epsilon), total

    own = from_rule(adagrad, slot_names={"total": "accumulator"}, initial_values={"accumulator": 0.1}, epsilon=1e-7)(
        RATE, name="adagrad"
    )
    known = tf.optimizers.Adagrad(RATE, name="adagrad")
    found = [Training(optimizer) for optimizer in (own, known)]
    assert_same(*[training.train(training) for training in found])
    assert [v.name for v in own.variables] == [v.name for v in known.variables]


def test_loss_scaling():
    found = []
    for make in PAIRS["Lion"]:
        variable = tf.Variable([1.0, 2.0])
        optimizer = tf.optimizers.LossScaleOptimizer(make(0.5), 8.0)
        for value in (8.0, np.inf, -4.0):
            optimizer.apply_gradients([(tf.constant([value, 1.0]), variable)])
        found.append([variable.numpy(), *[v.numpy() for v in optimizer.variables]])
    assert_same(*found)


def test_configurations():
    optimizer = Lion(0.5, beta_2=0.75, weight_decay=0.25, name="mine")
    again = Lion.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert (again.beta_1, again.beta_2, again.weight_decay) == (0.9, 0.75, 0.25)
    config = tf.optimizers.serialize(optimizer)
    assert type(tf.optimizers.deserialize(config, custom_objects={"Lion": Lion})) is Lion
    renamed = from_rule(lion, "OwnLion", beta_1=0.5, beta_2=0.5)
    config = tf.optimizers.serialize(renamed(0.5))
    found = tf.optimizers.deserialize(config, custom_objects={"OwnLion": renamed})
    assert (type(found), found.beta_1) == (renamed, 0.5)


def model():
    model = tf.keras.Sequential([tf.keras.layers.Input((3,)), tf.keras.layers.Dense(4), tf.keras.layers.Dense(1)])
    model.compile(optimizer=Adam(0.5), loss="mse")
    return model


def test_fit_and_saved_state(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(16, 3)), np.ones((16, 1))
    tf.keras.utils.set_random_seed(1)
    one = model()
    one.fit(x, y, epochs=2, verbose=0)
    one.save(tmp_path / "model.keras")
    other = tf.keras.models.load_model(tmp_path / "model.keras", custom_objects={"Adam": Adam}, compile=False)
    other.compile(optimizer=Adam(0.5), loss="mse")
    other.optimizer.build(other.trainable_variables)
    other.optimizer.set_weights([v.numpy() for v in one.optimizer.variables])
    for trained in (one, other):
        trained.fit(x, y, epochs=1, shuffle=False, verbose=0)
    for known, found in zip(one.variables, other.variables, strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-5)
    store, fresh = {}, Adam(0.5)
    one.optimizer.save_own_variables(store)
    fresh.build(one.trainable_variables)
    fresh.load_own_variables(store)
    assert_same([v.numpy() for v in fresh.variables], [v.numpy() for v in one.optimizer.variables])


def test_checkpoints(tmp_path):
    states = []
    for restored in (False, True):
        variable = tf.Variable([1.0, 2.0])
        optimizer = Lion(0.5)
        checkpoint = tf.train.Checkpoint(optimizer=optimizer, variable=variable)
        if restored:
            checkpoint.restore(str(tmp_path / "at"))
        optimizer.apply_gradients([(tf.constant([1.0, -1.0]), variable)])
        if not restored:
            checkpoint.write(str(tmp_path / "at"))
            optimizer.apply_gradients([(tf.constant([1.0, -1.0]), variable)])
        states.append([v.numpy() for v in (variable, *optimizer.variables)])
    assert_same(*states)


def test_pickles():
    optimizer = Adam(RATE)
    variable = tf.Variable([1.0])
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    copy = pickle.loads(pickle.dumps(optimizer))
    assert copy.rule is adam
    assert_same([v.numpy() for v in copy.variables], [v.numpy() for v in optimizer.variables])


@pytest.mark.parametrize("name", ["Lion", "Momentum"])
def test_a_gpu_gives_what_the_built_in_optimizer_gives_there(name, simulated_gpu):
    found = []
    with tf.device("GPU:0"):
        for make in PAIRS[name]:
            training = Training(make(RATE))
            found.append(training.train(tf.function(training), steps=3))
    assert_same(*found)


def test_a_rule_is_called_with_numbers():
    assert with_momentum(1.0, 0.5, 2.0, 0.25, 0.5) == (0.75, -0.25)


def test_numba_is_not_imported():
    program = (
        "import sys, fastgrad as tf\n"
        "tf.keras.optimizers.RuleOptimizer\n"
        "sys.exit('numba' in sys.modules or 'llvmlite.binding' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.zero_gradient and " " not in name])
def test_built_in_rules_rest_where_they_say(name):
    rule = RULES[name]
    slots = [0.0 if rule.zero_gradient == 2 else 0.25] * len(rule.slots)
    before = [[np.array([0.75, -1.25])], *[[np.full(2, slot)] for slot in slots]]
    arrays = [[array.copy() for array in kind] for kind in before]
    rule.variables_kernel[np.dtype(np.float64)](*arrays, [np.zeros(2)], 0, 1, *[0.5] * len(rule.hyper_numbers), 0.0)
    if name.startswith("accumulated"):  # TensorFlow 1's sparse update is another one than its dense update
        return
    for kind, old in zip(arrays, before, strict=True):
        if not (name == "adagrad" or old[0] is before[0][0]) and rule.zero_gradient == 1:
            continue
        np.testing.assert_array_equal(kind[0], old[0])


def test_numbers_in_a_rule_take_the_dtype_of_the_weights():
    """As in an operation of fg.elementwise: float32 weights are updated by float32 arithmetic."""

    def plain(w, m, g, learning_rate, beta):
        m = beta * m + (1 - beta) * g
        return w - learning_rate * m / (1.5 + math.exp(-abs(m)) * 2), m

    rate, beta = np.float32(0.3), np.float32(0.7)
    optimizer = from_rule(update_rule(plain), beta=0.7)(0.3)
    random = np.random.default_rng(0)
    weights, gradient = random.normal(size=(2, 64)).astype(np.float32)
    variable = tf.Variable(weights)
    optimizer.apply_gradients([(tf.constant(gradient), variable)])
    m = (np.float32(1) - beta) * gradient
    wanted = weights - rate * m / (np.float32(1.5) + np.exp(-np.abs(m)) * np.float32(2))
    np.testing.assert_allclose(variable, wanted, rtol=3e-7)
    np.testing.assert_array_equal(optimizer.slot("m")[0], m)


def test_loops_are_compiled_as_they_are():
    @update_rule
    def bounded(w, g, learning_rate):
        while abs(g) > 1.0:
            g = g / 2.0
        return w - learning_rate * g

    for wrapped in (lambda f: f, tf.function):
        variable, optimizer = tf.Variable([1.0, 2.0, 3.0]), from_rule(bounded)(0.5)
        apply = wrapped(lambda g, v=variable, o=optimizer: o.apply_gradients([(g, v)]))
        for _ in range(2):
            apply(tf.constant([8.0, -3.0, 0.25]))
        np.testing.assert_array_equal(variable, [0.0, 2.75, 2.75])


# ---- errors -----------------------------------------------------------------------------------------------


def no_gradient(w, m, learning_rate):
    return w, m


def few_results(w, m, g, learning_rate):
    return w


def text(w, g, learning_rate):
    return "w"


def decays(w, g, learning_rate, weight_decay):
    return w


def misspelt(w, g, learning_rate):
    return w - learning_rate * math.sqroot(g)


def with_default(w, g, learning_rate=0.5):
    return w


def with_many(w, g, *numbers):
    return w


LIST = [1.0]


def with_list(w, g, learning_rate):
    while abs(g) > LIST[0]:
        g = 0.5 * g
    return w - learning_rate * g


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            no_gradient,
            r"update rule 'no_gradient': its parameters \('w', 'm', 'learning_rate'\) must be .* named g, grad or gradient",
        ),
        (
            few_results,
            "update rule 'few_results': it must return the new values of variable, m; it returns 1 values",
        ),
        (text, "update rule 'text': it must return the new values of variable, numbers, got 'w'"),
        (decays, "update rule 'decays': it has the parameter weight_decay, .* give weight_decay= to the optimizer"),
        (misspelt, "update rule 'misspelt': called with numbers it raised AttributeError: .*sqroot"),
        (with_default, "update rule 'with_default': it has default values"),
        (with_many, r"update rule 'with_many': it has default values, \*args"),
        (with_list, r"update rule 'with_list': it uses the global LIST = \[1.0\]"),
        (3, "update rule 3: expected a Python function or one compiled by numba.njit, got 3"),
    ],
)
def test_rules_that_are_refused(function, message):
    with pytest.raises(TypeError, match=message):
        update_rule(function)


def test_variables_of_an_enclosing_function_can_not_be_used_by_loops():
    rate = 0.5

    def until(w, g, learning_rate):
        while abs(g) > learning_rate:
            g = g * rate
        return w - g

    with pytest.raises(TypeError, match="uses rate of an enclosing function. Pass it as a parameter"):
        update_rule(until)


def test_a_declaration_of_rest_is_checked():
    def shrinks(w, g, learning_rate):
        return w * learning_rate

    with pytest.raises(
        ValueError, match="zero_gradient='rests', but with a gradient of 0 it makes .0.375,. of .0.75,."
    ):
        update_rule(shrinks, zero_gradient="rests")
    with pytest.raises(ValueError, match="zero_gradient must be one of .* got 'never'"):
        update_rule(shrinks, zero_gradient="never")


def test_what_kernels_can_not_do_is_refused_before_anything_changes():
    @update_rule
    def listed(w, g, learning_rate):
        while abs(g) > 0.5:
            g = 0.25 * len([g]) * g
        return w - learning_rate * g

    variable = tf.Variable([1.0])
    optimizer = from_rule(listed)(0.5)
    for wrapped in (lambda f: f, tf.function):
        with pytest.raises(
            TypeError, match=r"update rule 'listed' \(.*test_update_rules.py:\d+\) can't be compiled for float32"
        ):
            wrapped(lambda: optimizer.apply_gradients([(tf.constant([1.0]), variable)]))()
        assert float(variable[0]) == 1.0
        assert int(optimizer.iterations) == 0


def test_classes_that_are_refused():
    with pytest.raises(TypeError, match="`rule` must be an update rule, a function declared with @update_rule"):
        from_rule(no_gradient)
    with pytest.raises(
        TypeError, match=r"has the hyper-parameters \['beta_1', 'beta_2'\], got defaults for \['beta_1'\]"
    ):
        from_rule(lion, beta_1=0.5)
    with pytest.raises(ValueError, match="Lion: beta_2 must be a finite number"):
        from_rule(lion, beta_1=0.5, beta_2=np.nan)
    with pytest.raises(TypeError, match=r"slot_names has \['m'\], but the slots are \['momentum'\]"):
        from_rule(lion, slot_names={"m": "momentum"}, beta_1=0.5, beta_2=0.5)

    @update_rule
    def named(w, g, learning_rate, clipnorm):
        return w

    with pytest.raises(ValueError, match="clipnorm is an attribute of all optimizers"):
        from_rule(named, clipnorm=1.0)
    with pytest.raises(ValueError, match="beta_2 must be a finite number"):
        Lion(0.5, beta_2="much")


def test_optimizers_without_a_rule_or_a_number():
    class Empty(RuleOptimizer):
        pass

    class Half(RuleOptimizer):
        rule = lion

        def __init__(self):
            super().__init__(learning_rate=0.5)
            self.beta_1 = 0.5

    gradients = [(tf.constant([1.0]), tf.Variable([1.0]))]
    with pytest.raises(TypeError, match="Empty.*: `rule` must be an update rule"):
        Empty(0.5).apply_gradients(gradients)
    with pytest.raises(ValueError, match="Half: the rule 'lion' takes beta_2, but the optimizer has no such attribute"):
        Half().apply_gradients(gradients)
    with pytest.raises(ValueError, match=r"Lion.*: has no slot 'velocity'; its slots are \[\], once it is built"):
        Lion(0.5).slot("velocity")


FACTOR = 1.0


def factor_times(x):
    return FACTOR * x


@pytest.mark.parametrize("compiled", [False, True])
def test_rules_follow_values_from_outside(monkeypatch, compiled):
    @update_rule
    def descent(w, g, learning_rate):
        return w - learning_rate * factor_times(g)

    def step(g):
        optimizer.apply_gradients([(g, w)])

    optimizer = from_rule(descent)(learning_rate=0.5)
    w, call = tf.Variable([1.0, 1.0]), tf.function(step) if compiled else step
    expected = 1.0
    for factor in (1.0, 3.0, 1.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        for _ in range(3):
            call(tf.constant([1.0, 1.0]))
            expected -= 0.5 * factor
            np.testing.assert_array_equal(w.numpy(), expected)


def test_a_lambda_may_be_a_rule():
    rule = update_rule(lambda w, g, learning_rate: w - learning_rate * g)
    w = tf.Variable([1.0])
    from_rule(rule)(learning_rate=0.5).apply_gradients([(tf.constant([1.0]), w)])
    assert w.numpy() == 0.5
