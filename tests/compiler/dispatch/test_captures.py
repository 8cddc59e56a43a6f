"""Captured names: what a function reads besides its arguments is looked at in every call."""

import gc
import types
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch.captures import Captures

X = np.float32(1.0)


def results(step, count=3):
    return [float(step(tf.constant(X))) for _ in range(count)]


class Config:
    rate = 2.0

    def __init__(self, **values):
        self.__dict__.update(values)


def test_attributes_of_captured_objects():
    config = Config(inner=Config(factor=3.0))

    @tf.function
    def step(x):
        return x * config.rate * config.inner.factor

    assert results(step) == [6.0] * 3
    config.inner.factor = 4.0
    assert results(step) == [8.0] * 3
    config.rate = 1.0
    assert results(step) == [4.0] * 3
    config.inner = Config(factor=10.0)
    assert results(step) == [10.0] * 3
    assert step.experimental_get_tracing_count() == 4


def test_class_attributes_and_slots():
    class Slotted:
        __slots__ = ("value",)
        shared = 2.0

    slotted = Slotted()
    slotted.value = 3.0
    step = tf.function(lambda x: x * slotted.value * Slotted.shared * slotted.shared)
    assert results(step) == [12.0] * 3
    slotted.value = 1.0
    assert results(step) == [4.0] * 3
    Slotted.shared = 3.0
    assert results(step) == [9.0] * 3


class Model:
    def __init__(self):
        self.scale = 2.0
        self.power = 1
        self._bias = 0.5

    @property
    def bias(self):
        return self._bias

    def scaled(self, x):
        return x * self.scale

    @tf.function
    def step(self, x):
        y = self.scaled(x)
        for _ in range(self.power):
            y = y + self.bias
        return y


def test_attributes_of_self_through_methods_and_properties():
    model = Model()
    assert results(model.step) == [2.5] * 3
    model.scale = 3.0
    assert results(model.step) == [3.5] * 3
    model._bias = 1.0
    assert results(model.step) == [4.0] * 3
    model.power = 3
    assert results(model.step) == [6.0] * 3
    assert results(Model().step) == [2.5] * 3


def test_a_local_name_of_a_captured_object():
    model = Model()

    @tf.function
    def step(x):
        own = model
        return x * own.scale

    assert results(step) == [2.0] * 3
    model.scale = 5.0
    assert results(step) == [5.0] * 3


module = types.ModuleType("settings_of_the_user")
exec("rate = 2.0\ndef scaled(x):\n    return x * rate * factor\nfactor = 1.0", module.__dict__)


def test_names_of_the_users_modules():
    step = tf.function(lambda x: module.scaled(x) + module.rate)
    module.rate = 2.0
    assert results(step) == [4.0] * 3
    module.rate = 3.0
    assert results(step) == [6.0] * 3
    module.factor = 2.0
    assert results(step) == [9.0] * 3
    module.factor = 1.0


depth = 1.0


def _one(x):
    return _two(x) + 1.0


def _two(x):
    def inner(y):
        return y * depth

    return inner(x)


def test_globals_of_functions_that_are_called(monkeypatch):
    step = tf.function(lambda x: _one(x))  # noqa: PLW0108
    assert results(step) == [2.0] * 3
    monkeypatch.setitem(globals(), "depth", 3.0)
    assert results(step) == [4.0] * 3
    monkeypatch.setitem(globals(), "_two", lambda x: x - 5.0)
    assert results(step) == [-3.0] * 3


def test_what_a_decorated_or_partial_function_captures():
    import functools

    rate = 2.0

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    @logged
    def scaled(k, x):
        return x * rate * k

    half = functools.partial(scaled, 0.5)
    step = tf.function(lambda x: half(x))  # noqa: PLW0108
    assert results(step) == [1.0] * 3
    rate = 4.0
    assert results(step) == [2.0] * 3


def test_callable_objects_of_the_user():
    class Affine:
        def __init__(self):
            self.a, self.b = 2.0, tf.Variable(1.0)

        def __call__(self, x):
            return x * self.a + self.b

    affine = Affine()
    step = tf.function(lambda x: affine(x))  # noqa: PLW0108
    assert results(step) == [3.0] * 3
    affine.a = 3.0
    affine.b.assign(0.0)
    assert results(step) == [3.0] * 3
    affine.b = tf.Variable(5.0)
    assert results(step) == [8.0] * 3


def test_objects_in_containers_that_are_called():
    class Scale:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, x):
            return x * self.factor

    parts = [Scale(2.0), Scale(3.0)]
    parts.append(parts)  # containers may hold themselves

    @tf.function
    def step(x):
        for part in parts[:2]:
            x = part(x)
        return x

    assert results(step) == [6.0] * 3
    parts[1].factor = 4.0
    assert results(step) == [8.0] * 3


def test_values_of_variables_are_always_those_of_now():
    v = tf.Variable(1.0)
    step = tf.function(lambda x: x * v)
    for i in range(6):
        v.assign(float(i))
        assert results(step, 1) == [float(i)]
    assert step.experimental_get_tracing_count() == 1


def test_a_number_equal_to_the_one_recorded_is_the_same():
    rate = 1000.5
    step = tf.function(lambda x: x * rate)
    results(step)
    rate = float("1000.5")
    results(step)
    assert step.experimental_get_tracing_count() == 1
    rate = 1000
    assert results(step) == [1000.0] * 3
    assert step.experimental_get_tracing_count() == 2


def test_not_a_number_is_equal_to_itself_here():
    rate = float("nan")
    step = tf.function(lambda x: x * rate)
    results(step)
    rate = float("nan")
    results(step)
    assert step.experimental_get_tracing_count() == 1


def test_a_captured_tensor_rebound():
    t = tf.constant(2.0)
    step = tf.function(lambda x: x * t)
    assert results(step) == [2.0] * 3
    t = tf.constant(3.0)
    assert results(step) == [3.0] * 3


def test_containers_by_identity():
    numbers = [2.0]
    step = tf.function(lambda x: x * numbers[0])
    assert results(step) == [2.0] * 3
    numbers = [3.0]
    assert results(step) == [3.0] * 3


def test_attributes_of_an_argument():
    step = tf.function(lambda config, x: x * config.rate)
    config = Config(rate=2.0)
    x = tf.constant(1.0)
    assert [float(step(config, x)) for _ in range(3)] == [2.0] * 3
    config.rate = 7.0
    assert [float(step(config, x)) for _ in range(3)] == [7.0] * 3


def test_a_name_that_the_function_itself_changes_is_no_reason_to_record_again():
    counter = Config(calls=0)

    @tf.function
    def step(x):
        counter.calls += 1
        return x * 2.0

    results(step, 5)
    assert counter.calls == 1, "a side effect of Python acts while recording only"


def test_a_number_that_the_function_itself_changes_and_a_branch():
    counter = Config(calls=0)

    @tf.function
    def step(x):
        counter.calls += 1
        return x * 2.0 if x > 0.0 else x

    for _ in range(4):
        assert float(step(tf.constant(1.0))) == 2.0
        assert float(step(tf.constant(-1.0))) == -1.0
    assert counter.calls == 2


def test_a_tensor_kept_under_a_name_that_is_read_is_an_error():
    keeper = Config(state=tf.constant(0.0))
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        v.assign_add(1.0)
        keeper.state = keeper.state + x
        return keeper.state

    with pytest.raises(tf.errors.TraceError, match=r"'keeper.state' a tensor.*tf.Variable"):
        step(tf.constant(1.0))
    assert float(v) == 0.0

    written = Config(last=None)

    @tf.function
    def remember(x):
        written.last = x * 2.0
        return x

    assert results(remember) == [1.0] * 3

    lazy = Config(mask=None)

    @tf.function
    def masked(x):
        if lazy.mask is None:
            lazy.mask = tf.ones((2,))
        return tf.reduce_sum(x * lazy.mask)

    assert results(masked) == [2.0] * 3


def test_a_name_defined_later():
    @tf.function
    def step(x):
        return x * later

    with pytest.raises(NameError):
        step(tf.constant(X))
    later = 2.0
    assert results(step) == [2.0] * 3


# ---- keras ---------------------------------------------------------------------------------------------------


def test_trainable_toggled():
    layer = tf.keras.layers.Dense(1)
    layer.build((None, 2))

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, layer.trainable_weights)

    x = tf.ones((1, 2))
    for _ in range(2):
        layer.trainable = True
        for _ in range(3):
            assert [g is None for g in gradients(x)] == [False, False]
        layer.trainable = False
        for _ in range(3):
            assert gradients(x) == []


def test_attributes_of_layers():
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential(
        [tf.keras.layers.Dropout(0.0), tf.keras.layers.Rescaling(2.0)]
        if hasattr(tf.keras.layers, "Rescaling")
        else [tf.keras.layers.Dropout(0.0)]
    )
    step = tf.function(lambda x: tf.reduce_mean(model(x, training=True)))
    x = tf.ones((2000,))
    first = [float(step(x)) for _ in range(3)]
    assert len(set(first)) == 1
    model.layers[0].rate = 0.5
    assert len({float(step(x)) for _ in range(4)}) == 4


def test_attributes_of_the_users_layers():
    class Scale(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = 2.0
            self.inner = tf.keras.layers.Dense(1, kernel_initializer="ones")
            self.unread = 0

        def call(self, x):
            return self.inner(x) * self.factor

    layer = Scale()
    step = tf.function(lambda x: tf.reduce_sum(layer(x)))
    x = tf.ones((1, 3))
    assert [float(step(x)) for _ in range(4)] == [6.0] * 4
    layer.factor = 5.0
    assert [float(step(x)) for _ in range(3)] == [15.0] * 3
    count = step.experimental_get_tracing_count()
    for i in range(5):
        layer.unread = i
        step(x)
    assert step.experimental_get_tracing_count() == count
    nested = tf.keras.Sequential([layer])
    whole = tf.function(lambda x: tf.reduce_sum(nested(x)))
    assert [float(whole(x)) for _ in range(3)] == [15.0] * 3
    layer.factor = 1.0
    assert [float(whole(x)) for _ in range(3)] == [3.0] * 3


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_hyper_parameters_are_read_anew_and_never_record_again(name):
    v = tf.Variable(1.0)
    optimizer = getattr(tf.keras.optimizers, name)(0.0)

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.ones(()), v)])
        return v.value()

    for _ in range(3):
        assert float(step()) == 1.0
    count = step.experimental_get_tracing_count()
    for rate in (0.5, 0.25, 0.125):
        optimizer.learning_rate = rate
        before = float(v)
        assert float(step()) < before
    assert step.experimental_get_tracing_count() == count


def test_new_layers_elsewhere_are_no_reason_to_record_again():
    layer = tf.keras.layers.Dense(1)
    step = tf.function(lambda x: layer(x))  # noqa: PLW0108
    x = tf.ones((1, 2))
    for _ in range(3):
        step(x)
    count = step.experimental_get_tracing_count()
    for _ in range(3):
        tf.keras.layers.Dense(2)(x)
        step(x)
    assert step.experimental_get_tracing_count() == count


# ---- lifetimes -------------------------------------------------------------------------------------------------


def test_captured_objects_are_not_kept_alive():
    class Holder:
        pass

    holder = Holder()
    holder.net = tf.keras.layers.Dense(1)

    def function(x):
        return holder.net(x)

    step = tf.function(function)
    for _ in range(4):
        step(tf.ones((1, 2)))
    gone = weakref.ref(holder), weakref.ref(holder.net), weakref.ref(holder.net.kernel)
    holder = None
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3


def test_a_rebound_variable_is_not_kept():
    refs = []
    v = None

    @tf.function
    def step(x):
        return x * v

    for i in range(12):
        v = tf.Variable(float(i))
        refs.append(weakref.ref(v))
        if i == 8:
            with pytest.warns(UserWarning, match="captured name 'v'"):
                step(tf.constant(X))
        assert results(step) == [float(i)] * 3
    gc.collect()
    assert [ref() is None for ref in refs] == [True] * 11 + [False]


class Scaled:
    def __init__(self, scale):
        self.scale = scale
        self.inner = Config(factor=1.0)

    def __call__(self, x):
        return x * self.scale

    @property
    def doubled(self):
        return self.scale * 2.0


def test_attributes_of_what_containers_hold():
    layers = [Scaled(2.0), Scaled(3.0)]
    named = {"a": layers[0], "b": (layers[1], [Scaled(1.0)])}

    class Net:
        def __init__(self):
            self.layers = layers

        @tf.function
        def call(self, x):
            for layer in self.layers:
                x = x * layer.scale
            return x

    @tf.function
    def by_number(x):
        return x * layers[0].scale + named["b"][1][0].scale

    @tf.function
    def enumerated(x):
        for _, (name, one) in enumerate(named.items()):
            x = x * (one.scale if name == "a" else one[0].inner.factor)
        return x + sum(layer.doubled for layer in layers)

    @tf.function
    def called(x):
        for layer in layers:
            x = layer(x)
        return x

    net = Net()
    assert results(net.call) == [6.0] * 3
    assert results(by_number) == [3.0] * 3
    assert results(enumerated) == [12.0] * 3
    assert results(called) == [6.0] * 3
    layers[0].scale = 5.0
    assert results(net.call) == [15.0] * 3
    assert results(by_number) == [6.0] * 3
    assert results(enumerated) == [21.0] * 3
    assert results(called) == [15.0] * 3
    named["b"][1][0].scale = 2.0
    assert results(by_number) == [7.0] * 3
    layers[1].inner.factor = 2.0
    assert results(enumerated) == [26.0] * 3
    assert results(net.call) == [15.0] * 3
    assert net.call.experimental_get_tracing_count() == 2


def test_getattr_with_a_name_that_is_written_there():
    config = Config(inner=Config(factor=3.0))

    @tf.function
    def step(x):
        return x * getattr(config, "rate") * getattr(getattr(config, "inner"), "factor", 1.0)  # noqa: B009

    assert results(step) == [6.0] * 3
    config.inner.factor = 4.0
    assert results(step) == [8.0] * 3
    config.rate = 1.0
    assert results(step) == [4.0] * 3


def test_functions_in_containers_and_what_they_capture():
    def made(factor):
        box = Config(factor=factor)

        def scaled(x):
            return x * box.factor * offset

        return scaled, box

    offset = 1.0
    pairs = [made(2.0), made(3.0)]
    functions = {"all": [pair[0] for pair in pairs]}

    @tf.function
    def step(x):
        for function in functions["all"]:
            x = function(x)
        return x

    assert results(step) == [6.0] * 3
    pairs[1][1].factor = 5.0
    assert results(step) == [10.0] * 3
    offset = 2.0
    assert results(step) == [40.0] * 3


def test_objects_among_arguments_and_in_lists_of_them():
    first, second = Scaled(2.0), Scaled(3.0)

    @tf.function
    def step(x, parts):
        for part in parts:
            x = x * part.scale
        return x

    def found():
        return [float(step(tf.constant(X), [first, second])) for _ in range(3)]

    assert found() == [6.0] * 3
    second.scale = 4.0
    assert found() == [8.0] * 3


@pytest.mark.parametrize("name", ["class", "x y", "a\nb", "import os", "ﬁ", "None", "1", 'q"', "__name", ""])
def test_getattr_takes_any_text(name):
    class Plain:
        pass

    held = Plain()
    setattr(held, name, 2.0)
    scope = {"held": held, "tf": tf}
    exec(f"def scaled(x):\n    return x * getattr(held, {name!r})", scope)
    function = tf.function(scope["scaled"])
    assert [float(function(tf.constant(3.0))) for _ in range(3)] == [6.0] * 3
    setattr(held, name, 5.0)
    assert float(function(tf.constant(3.0))) == 15.0, "a change of the attribute is seen"


class Slotted:
    __slots__ = ("value",)


def rebound_names():
    """Pairs of a function that reads a name, and a function that gives the name another value."""
    config, slotted, odd = Config(extra=2.0), Slotted(), Config()
    slotted.value, odd.__dict__["class"] = "text", 1
    cell, inner_cell, variable, alive = -0.0, 3, tf.Variable(1.0), Config()
    pointer = weakref.ref(alive)

    def inner():
        return inner_cell

    def set_cell(value):
        nonlocal cell
        cell = value

    def set_inner(value):
        nonlocal inner_cell
        inner_cell = value

    def set_variable(value):
        nonlocal variable
        variable = value

    def set_pointer(value):
        nonlocal pointer
        pointer = value

    return {
        "global": (lambda: X, lambda: globals().update(X=np.float32(1.0))),
        "attribute": (lambda: config.rate, lambda: setattr(config, "rate", 3.0)),
        "deleted attribute": (lambda: config.extra, lambda: vars(config).pop("extra")),
        "slot": (lambda: slotted.value, lambda: setattr(slotted, "value", "other")),
        "keyword": (lambda: getattr(odd, "class"), lambda: setattr(odd, "class", True)),
        "sign of zero": (lambda: cell, lambda: set_cell(0.0)),
        "cell of another function": (lambda: inner() + 1, lambda: set_inner(3.0)),
        "variable": (lambda: variable, lambda: set_variable(tf.Variable(1.0))),
        "weak reference": (lambda: pointer, lambda: set_pointer(weakref.ref(config))),
    }


@pytest.mark.parametrize("name", list(rebound_names()))
def test_the_check_and_the_messages_agree_on_what_has_changed(name, monkeypatch):
    monkeypatch.setitem(globals(), "X", X)
    read, rebind = rebound_names()[name]
    captures = Captures(read, {}, [])
    assert captures.are_unchanged([])
    assert captures.changed_values() == {}
    assert captures.first_change() is None
    rebind()
    assert not captures.are_unchanged([])
    assert len(captures.changed_values()) == 1
    assert captures.first_change()[0] in captures.changed_values()
    assert captures.keeps_replaced_variable_alive() == (name == "variable")


class CallsItself:
    """A model whose step calls the model, or passes it on."""

    def __init__(self):
        self.factor = 2.0

    def __call__(self, x):
        return x * self.factor

    def step(self, x):
        return self(x)

    def step_by_another_function(self, x):
        return applied(self, x)

    def step_by_a_local_name(self, x):
        model = self
        return x * model.factor

    def step_by_two_local_names(self, x):
        y, model = x, self
        return y * model.factor


def applied(function, x):
    return function(x)


class Settings:
    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 2.0


class ReadsByLocalNames:
    """A model whose steps read an object's attribute by a name that is assigned together with another."""

    def __init__(self):
        self.settings = Settings()
        self.rate = 2.0

    def of_an_attribute(self, x):
        settings, y = self.settings, x
        return y * settings.rate

    def of_itself(self, x):
        y, model = x, self
        return y * model.rate

    def of_a_conditional(self, x):
        return x * (self.settings if self.rate else self).rate

    def of_a_loop(self, x):
        for settings in (self.settings, self.settings):
            x = x * settings.rate
        return x / 2.0


class ReadsByLocalNamesInKeras(ReadsByLocalNames, tf.keras.Model):
    """The same as a Keras model."""

    def __init__(self):
        tf.keras.Model.__init__(self)
        ReadsByLocalNames.__init__(self)


@pytest.mark.parametrize("kind", [ReadsByLocalNames, ReadsByLocalNamesInKeras])
@pytest.mark.parametrize("method", ["of_an_attribute", "of_itself", "of_a_conditional", "of_a_loop"])
def test_a_change_is_seen_by_any_local_name(method, kind):
    model = kind()
    step = tf.function(getattr(model, method))
    assert results(step) == [2.0] * 3
    model.settings.rate = model.rate = 4.0
    assert results(step) == [8.0 if method == "of_a_loop" else 4.0] * 3


@pytest.mark.parametrize(
    "method", ["step", "step_by_another_function", "step_by_a_local_name", "step_by_two_local_names"]
)
def test_a_method_that_calls_its_object_sees_changes_of_what_the_object_reads(method):
    model = CallsItself()
    step = tf.function(getattr(model, method))
    assert results(step) == [2.0] * 3
    model.factor = 5.0
    assert results(step) == [5.0] * 3
