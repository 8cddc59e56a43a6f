"""Optimizers of a program's own, written as for Keras."""

import numpy as np
import pytest

import fastgrad as tf


class Momentum(tf.optimizers.Optimizer):
    """The example of Keras's guide."""

    def __init__(self, learning_rate=0.5, momentum=0.5, **options):
        super().__init__(learning_rate=learning_rate, **options)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = [self.add_variable_from_reference(v, name="momentum") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        learning_rate = tf.cast(learning_rate, variable.dtype)
        self.assign(m, m * self.momentum - gradient * learning_rate)
        self.assign_add(variable, m)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


def train(optimizer, steps=4):
    variables = [tf.Variable([1.0, 2.0]), tf.Variable(np.ones((2, 2)))]
    for number in range(steps):
        gradients = [tf.constant([1.0, float(number)]), tf.constant(np.full((2, 2), 0.5))]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return variables


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.25},
        {"clipnorm": 0.5},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
    ],
)
def test_equals_the_built_in_one(options):
    for own, known in zip(
        train(Momentum(**options)), train(tf.optimizers.SGD(0.5, momentum=0.5, **options)), strict=True
    ):
        np.testing.assert_allclose(own, known, rtol=1e-6)


def test_slots_and_configuration():
    optimizer = Momentum(name="mine")
    train(optimizer)
    assert [v.path for v in optimizer.variables[2:]] == ["mine/Variable_0_momentum", "mine/Variable_0_momentum"]
    assert Momentum.from_config(optimizer.get_config()).momentum == 0.5


def test_sparse_assignments():
    class Plain(tf.optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, gradient)
            self.assign_add(variable, gradient)
            self.assign(variable, gradient)

    variable = tf.Variable([[1.0], [2.0], [3.0]])
    slices = tf.IndexedSlices(tf.constant([[5.0], [1.0]]), tf.constant([2, 2]), tf.constant([3, 1]))
    Plain(0.5).apply_gradients([(slices, variable)])
    assert variable.numpy().tolist() == [[1.0], [2.0], [6.0]]


def test_a_step_around_a_built_in_one():
    class Noisy(tf.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2.0, variable, learning_rate)

    class Twice(tf.optimizers.Adam):
        pass

    variables = [tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])]
    optimizers = [Noisy(0.5, weight_decay=0.25), Twice(0.5, weight_decay=0.25)]
    for _ in range(3):
        for optimizer, variable, factor in zip(optimizers, variables, (1.0, 2.0), strict=True):
            optimizer.apply_gradients([(tf.constant([factor, 3.0 * factor]), variable)])
    np.testing.assert_allclose(*variables, rtol=1e-6)


def test_a_class_without_update_step_says_so():
    with pytest.raises(NotImplementedError, match="update_step"):
        tf.optimizers.Optimizer(0.5).apply_gradients([(tf.ones(1), tf.Variable([1.0]))])


def test_numbers_of_names_and_initializers_go_together():
    optimizer = tf.optimizers.SGD()
    with pytest.raises(ValueError, match="must have 1 items, got 2"):
        optimizer.add_optimizer_variables([tf.Variable([1.0])], ["a", "b"], initializer=["zeros"])
    first, second = optimizer.add_optimizer_variables([tf.Variable([1.0])], ["a", "b"], initializer=["ones", 0.5])
    assert (first[0].numpy(), second[0].numpy()) == ([1.0], [0.5])


@pytest.mark.parametrize("name", ["Lamb", "Muon"])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.25, "global_clipnorm": 0.5}])
def test_what_updates_variables_one_by_one_does_the_same_compiled(name, options):
    x = np.sin(np.arange(16 * 4)).reshape(16, 4).astype(np.float32)
    found = []
    for eagerly in (False, True):
        tf.keras.utils.set_random_seed(1)
        model = tf.keras.Sequential([tf.keras.layers.Dense(3, "tanh"), tf.keras.layers.Dense(2)])
        optimizer = getattr(tf.keras.optimizers, name)(0.05, **options)
        model.compile(optimizer, "mse", run_eagerly=eagerly)
        found.append((model.fit(x, x[:, :2], batch_size=4, epochs=3, verbose=0).history["loss"], model.get_weights()))
        assert int(optimizer.iterations) == 12
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    assert found[0][0][2] < found[0][0][0]
    for compiled, eager in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "use",
    [
        lambda optimizer: optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))]),
        lambda optimizer: optimizer.scale_loss(tf.constant(1.0)),
        lambda optimizer: optimizer.build([tf.Variable(1.0)]),
    ],
)
def test_a_forgotten_constructor_of_the_base(use):
    class Forgetful(tf.optimizers.SGD):
        def __init__(self):
            self.momentum = 0.0

    with pytest.raises(RuntimeError, match=r"'Forgetful', you forgot to call `super\(\).__init__\(\)`"):
        use(Forgetful())


@pytest.mark.parametrize("base", [tf.keras.losses.Loss, tf.keras.metrics.Metric])
def test_a_forgotten_constructor_of_a_loss_or_metric(base):
    class Forgetful(base):
        def __init__(self):
            self.factor = 2.0

        def call(self, y_true, y_pred):
            return self.factor * abs(y_true - y_pred)

    for use in (lambda x: x.name, lambda x: x.dtype):
        with pytest.raises(RuntimeError, match=r"'Forgetful', you forgot to call `super\(\).__init__\(\)`"):
            use(Forgetful())


def test_an_overridden_learning_rate_is_used():
    class Halved(tf.optimizers.SGD):
        @property
        def learning_rate(self):
            return super().learning_rate * 0.5

    for options in ({}, {"clipvalue": 5.0}):
        for run in (lambda function: function, tf.function):
            optimizer, variable = Halved(1.0, **options), tf.Variable(8.0)

            def step(optimizer=optimizer, variable=variable):
                optimizer.apply_gradients([(tf.constant(2.0), variable)])

            compiled = run(lambda step=step: step())
            for _ in range(3):
                compiled()
            assert float(variable) == 5.0


def test_an_overridden_learning_rate_reaches_update_step():
    class Recording(Momentum):
        @property
        def learning_rate(self):
            return tf.constant(0.25)

    variables = train(Recording(momentum=0.0), steps=1)
    np.testing.assert_allclose(variables[0], [0.75, 2.0])


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5}, {"clipvalue": 0.25}, {"global_clipnorm": 0.5}])
def test_an_overridden_clip_of_gradients_is_called(options, wrap):
    class Halved(tf.keras.optimizers.SGD):
        def _clip_gradients(self, grads):
            return [g * 0.5 for g in super()._clip_gradients(grads)]

    variable, optimizer = tf.Variable([1.0, 2.0]), Halved(1.0, **options)
    optimizer.build([variable])

    @wrap
    def step():
        optimizer.apply([tf.constant([3.0, -4.0])], [variable])

    step()
    step()
    clipped = {"clipvalue": [0.25, -0.25]}.get(next(iter(options), ""), [0.3, -0.4] if options else [3.0, -4.0])
    np.testing.assert_allclose(variable, np.array([1.0, 2.0]) - clipped, rtol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Lamb"])
def test_an_overridden_weight_decay_is_called(name):
    class DecaysFirst(getattr(tf.keras.optimizers, name)):
        def _apply_weight_decay(self, variables):
            super()._apply_weight_decay(variables[:1])

    first, second = tf.Variable([2.0]), tf.Variable([2.0])
    optimizer = DecaysFirst(0.5, weight_decay=0.5)
    for _ in range(2):
        optimizer.apply([tf.constant([0.0])] * 2, [first, second])
    assert (first.numpy().item(), second.numpy().item()) == (2.0 * 0.75**2, 2.0)


def test_an_overridden_assignment_is_refused_where_a_kernel_updates_and_called_where_operations_do():
    def doubled(base):
        class Doubled(base):
            def assign_sub(self, variable, value):
                super().assign_sub(variable, value * 2.0)

        return Doubled

    variable = tf.Variable([1.0])
    with pytest.raises(
        NotImplementedError, match="overrides `assign_sub`, but the update of its base class is a kernel"
    ):
        doubled(tf.keras.optimizers.Adam)(0.1).apply([tf.constant([1.0])], [variable])
    doubled(tf.keras.optimizers.Lamb)(0.1).apply([tf.constant([1.0])], [variable])
    assert variable.numpy().item() == pytest.approx(0.8, abs=1e-5)
