"""Cross-entropies: probabilities, logits, and probabilities that remember their logits."""

import numpy as np
import pytest
import scipy.special

import fastgrad as tf
from fastgrad import keras

losses = keras.losses
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 4)) * 2
SHARES = scipy.special.softmax(LOGITS, -1)
CLASSES = np.array([0, 3, 1, 1, 2])
ONE_HOT = np.eye(4)[CLASSES]
EACH = -np.log(SHARES[np.arange(5), CLASSES])
BINARY = (RNG.random((5, 4)) > 0.5).astype(float)
RIGHT = np.where(BINARY == 1, scipy.special.expit(LOGITS), scipy.special.expit(-LOGITS))


class TestCategorical:
    @pytest.mark.parametrize("from_logits", [True, False])
    def test_other_axes(self, from_logits):
        values = LOGITS if from_logits else SHARES
        found = losses.categorical_crossentropy(ONE_HOT.T, values.T, from_logits, axis=0)
        np.testing.assert_allclose(found, EACH, rtol=1e-9)

    @pytest.mark.parametrize("shape", [(5, 3), (4, 4), (4,), (5, 4, 1)], ids=str)
    def test_shapes(self, shape):
        with pytest.raises(ValueError, match=r"target\.shape="):
            losses.categorical_crossentropy(np.ones(shape), SHARES)

    def test_one_class_warns(self):
        with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
            losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))

    def test_axis_is_no_bool(self):
        with pytest.raises(ValueError, match="axis"):
            losses.categorical_crossentropy(ONE_HOT, SHARES, axis=True)

    def test_focal(self):
        expected = (0.25 * (1 - SHARES) ** 2 * -ONE_HOT * np.log(SHARES)).sum(-1)
        np.testing.assert_allclose(losses.categorical_focal_crossentropy(ONE_HOT, SHARES), expected, rtol=1e-8)
        loss = losses.CategoricalFocalCrossentropy(from_logits=True, reduction="none", dtype="float64")
        np.testing.assert_allclose(loss(ONE_HOT, LOGITS), expected, rtol=1e-8)


class TestSparse:
    def test_class_numbers_beyond_float32_stay_themselves(self):
        labels = np.array([2**24 + 1])
        with pytest.raises(tf.errors.InvalidArgumentError, match=str(2**24 + 1)):
            losses.SparseCategoricalCrossentropy(from_logits=True)(labels, np.zeros((1, 3)))

    @pytest.mark.parametrize("label", [4, -1, 2**62, -(2**63)])
    @pytest.mark.parametrize("from_logits", [True, False])
    def test_labels_outside_the_classes(self, label, from_logits):
        with pytest.raises(tf.errors.InvalidArgumentError, match=str(label)):
            losses.sparse_categorical_crossentropy(np.array([label]), SHARES[:1], from_logits)

    @pytest.mark.parametrize(
        ("labels", "predictions", "message"),
        [
            (np.zeros(3, int), SHARES, "same shape up until"),
            (np.zeros((5, 2), int), SHARES, "rank"),
            (np.zeros((), int), np.array(1.0), "rank 1"),
        ],
        ids=["length", "rank", "scalar"],
    )
    def test_shapes(self, labels, predictions, message):
        with pytest.raises(ValueError, match=message):
            losses.sparse_categorical_crossentropy(labels, predictions)

    def test_axis(self):
        with pytest.raises(ValueError, match="axis=-1"):
            losses.sparse_categorical_crossentropy(CLASSES, SHARES, axis=0)


class TestBinary:
    def test_vector_labels_for_a_column_of_predictions(self):
        loss = losses.BinaryCrossentropy(from_logits=True)
        expected = -np.log(RIGHT[:, 0]).mean()
        assert float(loss(BINARY[:, 0], LOGITS[:, :1])) == pytest.approx(expected, rel=1e-5)

    def test_shapes(self):
        with pytest.raises(ValueError, match="ranks must be equal.*target.shape="):
            losses.binary_crossentropy(np.ones(3), np.ones((2, 4)))
        with pytest.raises(ValueError, match="shapes must be equal.*target.shape="):
            losses.binary_crossentropy(np.ones((2, 3)), np.ones((2, 4)))

    def test_focal(self):
        shares = scipy.special.expit(LOGITS)
        expected = ((1 - RIGHT) ** 2 * -np.log(RIGHT)).mean(-1)
        np.testing.assert_allclose(losses.binary_focal_crossentropy(BINARY, shares), expected, rtol=1e-6)
        balanced = np.where(BINARY == 1, 0.25, 0.75)
        loss = losses.BinaryFocalCrossentropy(True, from_logits=True, reduction="none", dtype="float64")
        np.testing.assert_allclose(
            loss(BINARY, LOGITS), (balanced * (1 - RIGHT) ** 2 * -np.log(RIGHT)).mean(-1), rtol=1e-6
        )


class TestRememberedLogits:
    """What a softmax or sigmoid layer gives is a probability, and the loss is computed from its logits."""

    EXTREME = np.array([[200.0, -200.0, 0.0]])

    @pytest.mark.parametrize(
        "softmax",
        [
            keras.activations.softmax,
            keras.layers.Softmax(),
            keras.layers.Activation("softmax"),
            keras.Sequential([keras.layers.Dense(3, "softmax", kernel_initializer="identity")]),
        ],
        ids=lambda value: getattr(value, "name", "function"),
    )
    def test_softmax(self, softmax):
        x = tf.constant(self.EXTREME, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = losses.CategoricalCrossentropy()([[0.0, 1.0, 0.0]], softmax(x))
        assert float(loss) == pytest.approx(400.0)
        np.testing.assert_allclose(tape.gradient(loss, x), [[1.0, -1.0, 0.0]], atol=1e-6)
        assert float(losses.SparseCategoricalCrossentropy()([1], softmax(x))) == pytest.approx(400.0)

    @pytest.mark.parametrize(
        "sigmoid",
        [
            keras.activations.sigmoid,
            keras.layers.Activation("sigmoid"),
            keras.layers.Dense(3, "sigmoid", kernel_initializer="identity"),
        ],
        ids=lambda value: getattr(value, "name", "function"),
    )
    def test_sigmoid(self, sigmoid):
        x = tf.constant(self.EXTREME, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = losses.BinaryCrossentropy()([[0.0, 1.0, 1.0]], sigmoid(x))
        assert float(loss) == pytest.approx((200 + 200 + np.log(2)) / 3)
        np.testing.assert_allclose(tape.gradient(loss, x), [[1 / 3, -1 / 3, -0.5 / 3]], atol=1e-6)

    def test_the_operation_alone_remembers_nothing(self):
        loss = losses.CategoricalCrossentropy()([[0.0, 1.0, 0.0]], tf.nn.softmax(self.EXTREME))
        assert float(loss) == pytest.approx(-np.log(1e-7), rel=1e-5)

    def test_from_logits_by_mistake_warns(self):
        with pytest.warns(UserWarning, match="does not represent logits"):
            losses.CategoricalCrossentropy(from_logits=True)(
                ONE_HOT, keras.activations.softmax(LOGITS.astype(np.float32))
            )
