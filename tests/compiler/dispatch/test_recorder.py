"""Tensors that a function keeps elsewhere than in its results: a replay would not change them."""

import numpy as np
import pytest

import fastgrad as tf

OUT = r"function\(\): this tensor, .*is out of scope.*Return it"

KEPT = {
    "a result of an operation": lambda x: x * 2.0,
    "an argument": lambda x: x,
    "in a list": lambda x: [x * 2.0],
    "of indexed slices": lambda x: tf.IndexedSlices(x * 2.0, [0]),
    "a ragged tensor": lambda x: tf.RaggedTensor.from_row_splits(tf.stack([x, x]), [0, 2]),
}

USES = {
    "float": float,
    "bool": bool,
    "numpy": lambda t: t.numpy(),
    "array": np.asarray,
    "operator": lambda t: t + 1.0,
    "reflected operator": lambda t: 1.0 - t,
    "function": tf.square,
    "list": lambda t: tf.stack([t, t]),
    "comparison": lambda t: t > 0.0,
    "variable": tf.Variable,
    "argument of a compiled function": tf.function(lambda z: z + 1.0),
    "captured by a compiled function": lambda t: tf.function(lambda: t + 1.0)(),
    "text of its number": lambda t: f"{t:.2f}",
    "copy": tf.identity,
}


class Holder:
    pass


def first_leaf(value):
    return tf.nest.flatten(value, expand_composites=True)[0]


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_the_use_of_a_tensor_that_left_a_function_is_refused(keep):
    holder = Holder()

    @tf.function
    def function(x):
        holder.last = keep(x)
        return x * 3.0

    for number in (1.0, 2.0, 3.0):
        assert float(function(tf.constant(number))) == 3.0 * number
        with pytest.raises(TypeError, match=OUT):
            first_leaf(holder.last) + 1.0


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_each_use_is_refused(use):
    seen = []

    @tf.function
    def function(x):
        seen.append(x * 2.0)
        return x

    function(tf.constant(1.0))
    with pytest.raises(TypeError, match=OUT):
        use(seen[0])


def test_shape_dtype_and_text_can_be_read():
    seen = []
    tf.function(lambda x: seen.append(x * 2.0))(tf.ones((2, 3)))
    assert (seen[0].shape, seen[0].ndim, seen[0].dtype) == ([2, 3], 2, tf.float32)
    assert repr(seen[0]) == "<tf.Tensor: shape=(2, 3), dtype=float32, out of scope>"
    assert str(seen[0]) == repr(seen[0])


def test_a_result_that_is_kept_too_is_refused_there_and_right_in_the_result():
    holder = Holder()

    @tf.function
    def function(x):
        holder.last = x * 2.0
        return holder.last, {"again": holder.last}

    for number in (1.0, 2.0, 3.0):
        result, again = function(tf.constant(number))
        assert float(result) == float(again["again"]) == 2.0 * number
        with pytest.raises(TypeError, match=OUT):
            float(holder.last)


def test_constants_may_be_kept():
    kept = []

    @tf.function
    def function(x):
        kept.append((tf.constant(3.0), tf.range(3) * 2, tf.zeros_like(x)))
        return x

    function(tf.constant(1.0))
    constant, numbers, _ = kept[0]
    assert (float(constant), numbers.numpy().tolist()) == (3.0, [0, 2, 4])


def test_variables_and_tensors_from_outside_may_be_kept():
    v, outer = tf.Variable(1.0), tf.constant(2.0)
    value = v.read_value()
    holder = Holder()

    @tf.function
    def function(x):
        holder.variable, holder.outer, holder.value = v, outer, value
        v.assign_add(x)
        return v * outer + value

    for number in (2.0, 3.0):
        v.assign(1.0)
        assert float(function(tf.constant(number))) == (1.0 + number) * 2.0 + 1.0
        assert float(holder.variable) == 1.0 + number
        assert (float(holder.outer), float(holder.value)) == (2.0, 1.0)


@pytest.mark.parametrize(
    "run",
    [
        lambda x, keep: tf.cond(x > 0.0, lambda: keep(x * 2.0), lambda: keep(x * 3.0)),
        lambda x, keep: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, keep(y * 2.0)), (tf.constant(0), x))[1],
        lambda x, keep: tf.map_fn(lambda y: keep(y * 2.0), tf.stack([x, x])),
    ],
    ids=["cond", "while_loop", "map_fn"],
)
def test_tensors_of_branches_and_loops_are_refused(run):
    seen = []

    def keep(y):
        seen.append(y)
        return y

    @tf.function
    def function(x):
        return run(x, keep)

    for number in (1.0, 2.0):
        function(tf.constant(number))
        for tensor in seen:
            with pytest.raises(TypeError, match=OUT):
                float(tensor)


def test_a_function_that_runs_eagerly_may_keep_tensors():
    seen = []
    function = tf.function(lambda x: seen.append(x * 2.0))
    tf.config.run_functions_eagerly(True)
    try:
        function(tf.constant(1.0))
        function(tf.constant(2.0))
    finally:
        tf.config.run_functions_eagerly(False)
    assert [float(x) for x in seen] == [2.0, 4.0]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_function_may_write_an_attribute_and_read_it_then(is_new):
    recordings = []

    class Doubling:
        if not is_new:
            y = None

        @tf.function
        def call(self, x):
            recordings.append(x.shape)
            self.y = x * 2.0
            return self.head()

        def head(self):
            self.parts = {"y": self.y}
            return self.y + self.parts["y"]

    doubling = Doubling()
    assert [float(doubling.call(tf.constant(float(n)))) for n in range(5)] == [0, 4, 8, 12, 16]
    assert doubling.call(tf.ones([3])).numpy().tolist() == [4, 4, 4]
    assert len(recordings) <= 4
    other = Doubling()
    concrete = other.call.get_concrete_function(tf.TensorSpec([], tf.float32))
    assert float(concrete(tf.constant(3.0))) == 12.0


def test_a_layer_may_keep_its_latest_result_between_calls_of_all_kinds():
    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(1)
            self.hidden = None

        def call(self, x):
            self.hidden = self.dense(x)
            return self.hidden * 2.0

    model = Model()
    x = np.ones([5, 3], np.float32)
    model(x)
    model.compile("sgd", "mse")
    model.fit(x, np.ones([5, 1]), batch_size=2, epochs=3, verbose=0)
    assert model.optimizer.iterations == 9
    model.evaluate(x, np.ones([5, 1]), verbose=0)
    expected = model(x).numpy()
    assert model.hidden.numpy() * 2.0 == pytest.approx(expected)
    assert model.predict(x, verbose=0) == pytest.approx(expected)


def test_a_function_may_keep_a_tensor_under_a_gradient_tape():
    class Squared:
        y = None

        def __init__(self):
            self.weight = tf.Variable(2.0)

        @tf.function
        def call(self, x):
            self.y = x * self.weight
            return self.y * self.y

    squared = Squared()
    slopes = []
    for number in range(4):
        with tf.GradientTape() as tape:
            y = squared.call(tf.constant(float(number)))
        slopes.append(float(tape.gradient(y, squared.weight)))
    assert slopes == [0, 4, 16, 36]


@pytest.mark.parametrize("read", [lambda before: before + 0.0, float, lambda before: before.numpy()])
def test_an_attribute_that_is_read_first_is_refused_under_a_gradient_tape(read):
    class Difference:
        before = None

        @tf.function
        def call(self, x):
            result = x if self.before is None else x - read(self.before)
            self.before = x * 1.0
            return result

    difference = Difference()
    with tf.GradientTape():
        assert float(difference.call(tf.constant(1.0))) == 1.0
    with tf.GradientTape(), pytest.raises(tf.errors.TraceError, match=r"'self.before' a tensor.*tf.Variable"):
        difference.call(tf.constant(5.0))


def test_an_attribute_that_is_read_before_it_is_written_is_refused_in_the_next_call():
    class Difference:
        before = None

        @tf.function
        def call(self, x):
            result = x if self.before is None else x - self.before
            self.before = x * 1.0
            return result

    difference = Difference()
    assert float(difference.call(tf.constant(1.0))) == 1.0
    for _ in range(2):
        with pytest.raises(TypeError, match="is out of scope"):
            difference.call(tf.constant(5.0))
