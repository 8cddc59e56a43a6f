"""What optimizers refuse, before anything has changed."""

import numpy as np
import pytest

import fastgrad as tf

from .reference import CASES

O = tf.optimizers
S = tf.optimizers.schedules
Invalid = tf.errors.InvalidArgumentError


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rate", [np.nan, np.inf, -1.0])
def test_rates_that_are_not_finite_or_negative(name, rate):
    with pytest.raises(ValueError, match="learning_rate must be a finite number"):
        getattr(O, name)(rate)


@pytest.mark.parametrize("rate", [1, "0.1", None, np.float32(0.1)])
def test_rates_that_are_no_floats(rate):
    with pytest.raises(ValueError, match="`learning_rate` must be a float"):
        O.SGD(rate)


def scaled(**options):
    return O.LossScaleOptimizer(O.SGD(), **options)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (O.SGD, {"momentum": 1}),
        (O.SGD, {"momentum": 1.5}),
        (O.SGD, {"momentum": np.nan}),
        (O.Adam, {"beta_1": 1.0}),
        (O.Adam, {"beta_1": -0.1}),
        (O.Adam, {"beta_2": 1.0}),
        (O.Adam, {"beta_2": np.nan}),
        (O.Adam, {"beta_1": "0.9"}),
        (O.Adam, {"epsilon": -1e-7}),
        (O.Adam, {"epsilon": np.inf}),
        (O.AdamW, {"weight_decay": None}),
        (O.AdamW, {"weight_decay": -0.1}),
        (O.RMSprop, {"rho": 1.5}),
        (O.RMSprop, {"momentum": -0.5}),
        (O.Adagrad, {"initial_accumulator_value": -0.1}),
        (O.Adagrad, {"epsilon": np.nan}),
        (O.Adadelta, {"rho": -0.5}),
        (O.Adamax, {"beta_2": 2.0}),
        (O.Nadam, {"beta_1": 1.0}),
        (O.Ftrl, {"learning_rate_power": 0.5}),
        (O.Ftrl, {"l1_regularization_strength": -1.0}),
        (O.Ftrl, {"beta": np.nan}),
        (O.Lion, {"beta_1": 0.0}),
        (O.Lion, {"beta_2": 1.5}),
        (O.Adafactor, {"beta_2_decay": 0.5}),
        (O.Adafactor, {"clip_threshold": 0.0}),
        (O.SGD, {"clipnorm": -1.0}),
        (O.SGD, {"clipvalue": np.nan}),
        (O.SGD, {"global_clipnorm": np.inf}),
        (O.SGD, {"clipnorm": 1.0, "clipvalue": 1.0}),
        (O.SGD, {"weight_decay": np.nan}),
        (O.SGD, {"loss_scale_factor": 0.0}),
        (O.SGD, {"gradient_accumulation_steps": 1}),
        (O.SGD, {"use_ema": True, "ema_momentum": 1.5}),
        (O.SGD, {"use_ema": True, "ema_overwrite_frequency": 1.5}),
        (O.SGD, {"lr": 0.1}),
        (scaled, {"initial_scale": -1.0}),
        (scaled, {"dynamic_growth_steps": 0}),
        (scaled, {"clipnorm": 1.0}),
        (scaled, {"dynamic": False}),
        (scaled, {"speed": 1}),
        (S.ExponentialDecay, {"initial_learning_rate": 0.1, "decay_rate": 0.5, "decay_steps": 0}),
        (S.ExponentialDecay, {"decay_steps": 1, "decay_rate": 0.5, "initial_learning_rate": np.nan}),
        (S.InverseTimeDecay, {"decay_steps": 1, "decay_rate": 0.5, "initial_learning_rate": -0.1}),
        (S.PolynomialDecay, {"initial_learning_rate": 0.1, "decay_steps": -1}),
        (S.CosineDecay, {"decay_steps": 10, "initial_learning_rate": np.inf}),
        (S.CosineDecayRestarts, {"initial_learning_rate": 0.1, "first_decay_steps": 0}),
        (S.PiecewiseConstantDecay, {"boundaries": [1, 2], "values": [0.1, 0.2]}),
        (S.PiecewiseConstantDecay, {"boundaries": [1], "values": [0.1, -0.2]}),
    ],
)
def test_arguments_out_of_their_range(make, options):
    with pytest.raises(ValueError, match=list(options)[-1]):
        make(**options)


def test_unknown_arguments_have_suggestions():
    for arguments, near in (
        ({"lr": 0.1}, "learning_rate"),
        ({"learning_rat": 0.1}, "learning_rate"),
        ({"beta1": 0.5}, "beta_1"),
    ):
        with pytest.raises(ValueError, match=rf"Adam: Argument\(s\) not recognized: .*\. Did you mean: {near}"):
            O.Adam(**arguments)


def test_decay_is_a_thing_of_the_past():
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        O.SGD(decay=0.1)


def test_assigned_rates_are_checked_too():
    optimizer = O.SGD(0.5)
    for rate in (np.nan, -1.0):
        with pytest.raises(ValueError, match="finite number"):
            optimizer.learning_rate = rate
    with pytest.raises(ValueError, match="must match"):
        optimizer.learning_rate = [1.0, 2.0]
    assert float(optimizer.learning_rate) == 0.5


def trained(name, **options):
    variables = [tf.Variable([1.0, 2.0]), tf.Variable([[3.0, 4.0]])]
    optimizer = getattr(O, name)(0.5, **options)
    optimizer.apply_gradients([(tf.ones(v.shape), v) for v in variables])
    return optimizer, variables


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("options", [{}, {"clipnorm": 1.0}], ids=["plain", "clipped"])
@pytest.mark.parametrize(
    ("gradient", "error"),
    [
        (tf.ones(3), Invalid),
        (tf.ones((1, 2)), Invalid),
        (tf.ones(()), Invalid),
        (tf.ones((2, 1)), Invalid),
        (tf.constant([1j, 0j]), ValueError),
        (tf.constant([True, False]), ValueError),
        (tf.constant(["a", "b"]), ValueError),
        ("nothing", ValueError),
    ],
    ids=["longer", "rank", "scalar", "transposed", "complex", "bool", "string", "text"],
)
def test_gradients_that_do_not_fit_change_nothing(name, options, gradient, error):
    for optimizer, variables in (trained(name, **options), (getattr(O, name)(0.5), [tf.Variable([1.0, 2.0])] * 1)):
        state = [v.numpy() for v in (*variables, *optimizer.variables)]
        gradients = [gradient, *[tf.ones(v.shape) for v in variables[1:]]]
        with pytest.raises(error):
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        after = [v.numpy() for v in (*variables, *optimizer.variables)]
        assert len(after) == len(state)
        assert all(np.array_equal(a, b) for a, b in zip(after, state, strict=True))


def test_variables_it_was_not_built_for():
    optimizer, variables = trained("Adam")
    stranger = tf.Variable([1.0, 2.0])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply_gradients([(tf.ones(2), variables[0]), (tf.ones(2), stranger)])
    with pytest.raises(ValueError, match="can only update variables"):
        O.SGD().apply_gradients([(tf.ones(2), tf.ones(2))])
    assert int(optimizer.iterations) == 1


def test_wrong_numbers_of_gradients():
    optimizer, _ = trained("SGD")
    with pytest.raises(ValueError, match="list of 1 gradients for 2"):
        optimizer.apply([tf.ones(2)])
    with pytest.raises(ValueError, match="must already be built"):
        O.SGD().apply([tf.ones(2)])
    with pytest.raises(ValueError, match="no pair"):
        optimizer.apply_gradients([])


def test_variables_that_cannot_be_trained():
    integer = tf.Variable([1, 2])
    with pytest.raises(ValueError, match="int32"):
        O.SGD().apply_gradients([(tf.constant([1, 1]), integer)])
    floating = tf.Variable([1.0])
    optimizer = O.SGD(0.5, weight_decay=0.5)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply_gradients([(None, integer), (tf.constant([0.0]), floating)])
    assert (integer.numpy().tolist(), floating.numpy().tolist()) == ([1, 2], [0.75])


def test_an_error_of_a_schedule_comes_before_the_update():
    class Broken(S.LearningRateSchedule):
        def __call__(self, step):
            if step > 0:
                raise KeyError("rate")
            return 0.5

    variable = tf.Variable([1.0])
    optimizer = O.Adam(Broken())
    for _ in range(2):
        if int(optimizer.iterations):
            with pytest.raises(KeyError, match="rate"):
                optimizer.apply_gradients([(tf.ones(1), variable)])
        else:
            optimizer.apply_gradients([(tf.ones(1), variable)])
    assert int(optimizer.iterations) == 1


def test_a_build_that_fails_leaves_nothing_behind(monkeypatch):
    variables = [tf.Variable([1.0]), tf.Variable([2.0])]
    optimizer = O.Adam(0.5)
    make = optimizer.add_variable_from_reference

    def full(variable, *arguments):
        if variable is variables[1]:
            raise MemoryError
        return make(variable, *arguments)

    monkeypatch.setattr(optimizer, "add_variable_from_reference", full)
    with pytest.raises(MemoryError):
        optimizer.apply([tf.ones(1), tf.ones(1)], variables)
    assert (len(optimizer.variables), optimizer.built) == (2, False)
    monkeypatch.undo()
    optimizer.apply([tf.ones(1), tf.ones(1)], variables)
    assert len(optimizer.variables) == 6
