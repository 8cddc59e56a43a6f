"""Wrong input of layers, losses, metrics and optimizers: refused as by Keras 3.15, with all state as it was.

Where Keras accepts what cannot be meant (rates that are not finite, indices out of range), it is refused too.
"""

import numpy as np
import pytest

import fastgrad as tf

keras = tf.keras
layers, losses, optimizers = keras.layers, keras.losses, keras.optimizers

INVALID = tf.errors.InvalidArgumentError
M = tf.reshape(tf.range(6.0), [2, 3])
V = tf.constant([1.0, 2.0, 3.0])
LOGITS_LOSS = losses.SparseCategoricalCrossentropy(from_logits=True)


def built():
    model = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    model(M)
    return model


def twice(layer):
    layer(keras.Input((4,)))
    return layer(keras.Input((5,)))


LAYERS = [
    (lambda: layers.Dense(0), ValueError, "units=0"),
    (lambda: layers.Dense(2.5), ValueError, r"units=2\.5"),
    (lambda: layers.Dense(2, activation="nope"), ValueError, "activation.*nope"),
    (lambda: layers.Dense(2, activation="rellu"), ValueError, "rellu.*relu"),
    (lambda: layers.Dens, AttributeError, "Dens.*Dense"),
    (lambda: layers.Dense(2, kernel_initializer="nope"), ValueError, "initializer.*nope"),
    (lambda: layers.Dense(2, kernel_regularizer="nope"), ValueError, "regularizer.*nope"),
    (lambda: layers.Dense(2, unit=3), ValueError, "Dense.*'unit': 3"),
    (lambda: layers.Dense(2, dtype="nope"), ValueError, "nope"),
    (lambda: layers.Dense(2, name="a/b"), ValueError, "a/b"),
    (lambda: layers.Dense(2)(V), ValueError, r"min_ndim=2, found ndim=1.*\(3,\)"),
    (lambda: layers.Dense(2)([[1.0, 2.0]]), ValueError, "tf.constant"),
    (lambda: built()(tf.ones([2, 5])), ValueError, r"axis -1.*value 3.*\(2, 5\)"),
    (lambda: layers.Dropout(1.5), ValueError, r"rate=1\.5"),
    (lambda: layers.Embedding(0, 3), ValueError, "input_dim=0"),
    (lambda: layers.Embedding(3, 2)(tf.constant([0, 3])), INVALID, r"indices\[1\] = 3 is not in \[0, 3\)"),
    (lambda: layers.Embedding(3, 2)(tf.constant([-1])), INVALID, r"indices\[0\] = -1 is not in \[0, 3\)"),
    (lambda: layers.Flatten(data_format="x"), ValueError, "data_format=x"),
    (lambda: layers.Reshape([5])(M), ValueError, r"\(3,\).*\(5,\)"),
    (lambda: layers.Activation("nope"), ValueError, "nope"),
    (lambda: keras.Sequential([3]), ValueError, "3"),
    (lambda: keras.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")]), ValueError, "'a'"),
    (
        lambda: keras.Sequential([keras.Input((4,)), layers.Conv1D(2, 2, name="c")]),
        ValueError,
        r"layer 'c'.*min_ndim=3, found ndim=2.*\(None, 4\)",
    ),
    (lambda: twice(layers.Dense(2, name="d")), ValueError, r"layer 'd'.*axis -1.*value 4.*\(None, 5\)"),
    (lambda: layers.PReLU()(keras.Input((None, 3))), ValueError, r"\(None, None, 3\).*shared_axes"),
    (lambda: layers.Cropping2D(2)(tf.ones([1, 4, 5, 1])), ValueError, r"'cropping2d.*\(1, 4, 5, 1\)"),
    (lambda: layers.EinsumDense("ab,bc->ac->", 2)(M), ValueError, "Invalid einsum equation 'ab,bc->ac->'"),
    (lambda: layers.EinsumDense("abc,cd->abd", 2)(M), ValueError, r"3 dimensions.*\(2, 3\)"),
    (lambda: built().get_layer("nope"), ValueError, "nope.*dense"),
    (lambda: built().get_layer(index=7), ValueError, "7.*2 layers"),
    (lambda: built().save_weights("weights.txt"), ValueError, r"safetensors.*'weights\.txt'"),
    (lambda: keras.models.load_model("model.txt"), ValueError, r"safetensors.*'model\.txt'"),
    (lambda: keras.Model()(M), NotImplementedError, "call"),
    (lambda: keras.initializers.get("nope"), ValueError, "nope"),
    (lambda: keras.initializers.VarianceScaling(scale=-1.0), ValueError, "-1.0"),
    (lambda: keras.constraints.get("nope"), ValueError, "nope"),
]

LOSSES = [
    (lambda: losses.get("nope"), ValueError, "nope"),
    (lambda: losses.get("msee"), ValueError, "msee.*mse"),
    (lambda: losses.MeanSquaredEror, AttributeError, "MeanSquaredError"),
    (lambda: losses.MeanSquaredError(reduction="nope"), ValueError, "nope"),
    (lambda: losses.MeanSquaredError()(tf.ones([2, 3]), tf.ones([2, 4])), INVALID, r"\[2, 3\] vs\. \[2, 4\]"),
    (lambda: losses.KLDivergence()(tf.ones([2, 3]), tf.ones([4, 5])), INVALID, r"\[2, 3\] vs\. \[4, 5\]"),
    (lambda: losses.CategoricalCrossentropy()(tf.ones([2, 3]), tf.ones([2, 4])), ValueError, r"\(2, 3\).*\(2, 4\)"),
    (lambda: losses.CategoricalCrossentropy()(tf.ones([2]), tf.ones([2, 4])), ValueError, r"rank.*\(2,\).*\(2, 4\)"),
    (lambda: losses.BinaryCrossentropy()(tf.ones([2, 3]), tf.ones([2, 4])), ValueError, r"\(2, 3\).*\(2, 4\)"),
    (lambda: LOGITS_LOSS(tf.constant([0, 3]), M), INVALID, r"label value of 3.*\[0, 3\)"),
    (lambda: LOGITS_LOSS(tf.constant([-1, 0]), M), INVALID, r"label value of -1.*\[0, 3\)"),
    (
        lambda: losses.SparseCategoricalCrossentropy()(tf.constant([0, 3]), tf.nn.softmax(M)),
        INVALID,
        r"label value of 3.*\[0, 3\)",
    ),
    (lambda: LOGITS_LOSS(tf.constant([0, 1, 2]), M), ValueError, r"\(3,\).*\(2, 3\)"),
    (lambda: losses.MeanSquaredError()(M, M, sample_weight=[1.0, 2.0, 3.0]), INVALID, r"\[2\] vs\. \[3\]"),
    (lambda: losses.CosineSimilarity(axis=5)(M, M), INVALID, "5"),
    (lambda: keras.metrics.get("nope"), ValueError, "nope"),
    (lambda: keras.regularizers.get("l3"), ValueError, "l3. Did you mean: l"),
    (lambda: keras.datasets.mnst, AttributeError, "mnst.*mnist"),
    (
        lambda: layers.Dense(3, activaton="relu"),
        ValueError,
        r"to Dense: {'activaton': 'relu'}\. Did you mean: activation",
    ),
    (lambda: keras.metrics.SparseCategoricalAccuracy()(tf.constant([0, 1, 2]), M), INVALID, r"\[3\] vs\. \[2\]"),
]

OPTIMIZERS = [
    (lambda: optimizers.get("nope"), ValueError, "nope"),
    (lambda: optimizers.get("Adamm"), ValueError, "Adamm.*adam"),
    (lambda: optimizers.Adm, AttributeError, "Adm.*Adam"),
    (lambda: optimizers.SGD(1), ValueError, "float.*learning_rate=1"),
    (lambda: optimizers.Adam("fast"), ValueError, "learning_rate=fast"),
    (lambda: optimizers.Adam(-0.1), ValueError, r"Adam: learning_rate.*-0\.1"),
    (lambda: optimizers.Adam(float("nan")), ValueError, "Adam: learning_rate.*nan"),
    (lambda: optimizers.Adam(float("inf")), ValueError, "Adam: learning_rate.*inf"),
    (lambda: optimizers.Adam(beta_1=1.5), ValueError, r"Adam: beta_1.*1\.5"),
    (lambda: optimizers.Adam(beta_2=-0.5), ValueError, r"Adam: beta_2.*-0\.5"),
    (lambda: optimizers.Adam(epsilon=-1.0), ValueError, "Adam: epsilon.*-1"),
    (lambda: optimizers.SGD(momentum=1.5), ValueError, r"momentum=1\.5"),
    (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), ValueError, "Only one of `clipnorm`"),
    (lambda: optimizers.Adam(clipnorm=-1.0), ValueError, "Adam: clipnorm.*-1"),
    (lambda: optimizers.Adam(clipvalue=float("nan")), ValueError, "Adam: clipvalue.*nan"),
    (lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0), ValueError, "ema_momentum=2"),
    (lambda: optimizers.Adam(gradient_accumulation_steps=1), ValueError, "gradient_accumulation_steps=1"),
    (lambda: optimizers.AdamW(weight_decay=None), ValueError, "weight_decay=None"),
    (lambda: optimizers.Adam(rate=1.0), ValueError, "'rate': 1.0"),
    (lambda: optimizers.schedules.PiecewiseConstantDecay([1, 2], [0.1]), ValueError, "length 2.*length 1"),
    (lambda: optimizers.schedules.PolynomialDecay(0.1, -1), ValueError, "decay_steps=-1"),
    (lambda: optimizers.deserialize({"class_name": "Nope", "config": {}}), TypeError, "Nope"),
]


@pytest.mark.parametrize(("call", "error", "message"), [*LAYERS, *LOSSES, *OPTIMIZERS])
def test_it_is_refused_with_the_facts(call, error, message):
    with pytest.raises(error, match=message) as refusal:
        call()
    assert type(refusal.value) is error


# ---- state ---------------------------------------------------------------------------------------------


def training(optimizer):
    """Two variables and an optimizer that has updated them twice."""
    v, w = tf.Variable([1.0, 2.0], name="v"), tf.Variable([[3.0, 4.0]], name="w")
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant([0.1, 0.2]), v), (tf.constant([[0.3, 0.4]]), w)])
    return v, w


def rows(values, indices):
    return tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([1, 2]))


G = tf.constant([1.0, 1.0])
GRADIENTS = [
    (lambda v, w: [(G, v), (tf.ones([1, 3]), w)], INVALID, r"\[1, 3\].*'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (tf.ones([2]), w)], INVALID, r"\[2\].*'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (tf.constant([["a", "b"]]), w)], ValueError, "'w:0'"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0]], [7]), w)], INVALID, r"indices\[0\] = 7 is not in \[0, 1\)"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0]], [-1]), w)], INVALID, r"indices\[0\] = -1 is not in \[0, 1\)"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0, 1.0]], [0]), w)], INVALID, r"'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (G, tf.Variable([1.0, 2.0], name="other"))], ValueError, "other"),
    (lambda v, w: [(None, v), (None, w)], ValueError, "No gradients provided"),
    (lambda v, w: [], ValueError, "no pair"),
]


@pytest.mark.parametrize(
    "make",
    [
        optimizers.Adam,
        lambda: optimizers.SGD(momentum=0.9),
        lambda: optimizers.Adam(clipnorm=1.0, use_ema=True, weight_decay=0.1),
        lambda: optimizers.RMSprop(gradient_accumulation_steps=2),
        optimizers.Adafactor,
    ],
    ids=["Adam", "SGD", "Adam with options", "accumulating", "Adafactor"],
)
@pytest.mark.parametrize(("pairs", "error", "message"), GRADIENTS)
def test_after_refused_gradients_nothing_has_changed(make, pairs, error, message):
    """Not even the variables before the one whose gradient is refused."""
    optimizer = make()
    v, w = training(optimizer)
    before = [variable.numpy() for variable in (v, w, *optimizer.variables)]
    with pytest.raises(error, match=message):
        optimizer.apply_gradients(pairs(v, w))
    for variable, old in zip((v, w, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    optimizer.apply_gradients([(G, v), (tf.ones([1, 2]), w)])  # and it still works


def test_gradients_and_variables_are_counted():
    optimizer = optimizers.Adam()
    v, _ = training(optimizer)
    with pytest.raises(ValueError, match="2 gradients for 1"):
        optimizer.apply([G, G], [v])


def test_a_refused_rate_leaves_the_old_one():
    optimizer = optimizers.Adam(learning_rate=0.25)
    for rate, error in [(float("nan"), ValueError), (-1.0, ValueError), ("fast", (ValueError, TypeError))]:
        with pytest.raises(error):
            optimizer.learning_rate = rate
        assert float(optimizer.learning_rate) == 0.25
    scheduled = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        scheduled.learning_rate = 0.1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda old: [], "length 0.*4 weights"),
        (lambda old: old[:3], "length 3.*4 weights"),
        (lambda old: [np.zeros_like(old[0]), np.zeros_like(old[1]), np.zeros((9, 9)), old[3]], r"\(4, 2\).*\(9, 9\)"),
    ],
)
def test_weights_are_set_all_or_none(weights, message):
    model = built()
    old = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.set_weights(weights(old))
    for now, before in zip(model.get_weights(), old, strict=True):
        np.testing.assert_array_equal(now, before)


def test_labels_out_of_range_stop_a_step_before_it_changes_anything():
    model, optimizer = built(), optimizers.Adam()

    def step(labels):
        with tf.GradientTape() as tape:
            loss = LOGITS_LOSS(labels, model(M))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    step([0, 1])
    before = [variable.numpy() for variable in (*model.weights, *optimizer.variables)]
    with pytest.raises(INVALID, match="label value of 2"):
        step([0, 2])
    for variable, old in zip((*model.weights, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_a_refused_metric_update_leaves_its_state():
    metric = keras.metrics.SparseCategoricalAccuracy()
    metric.update_state([2, 0], M)
    with pytest.raises(INVALID):
        metric.update_state([0, 1, 2], M)
    assert float(metric.result()) == 0.5


def test_a_layer_that_refused_its_first_input_is_built_by_the_next():
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match="ndim"):
        layer(V)
    assert layer.weights == []
    assert layer(M).shape == (2, 2)
