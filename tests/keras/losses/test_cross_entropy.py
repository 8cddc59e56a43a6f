"""Cross-entropies: probabilities, logits, and probabilities that remember their logits."""

import numpy as np
import pytest
import scipy.special

import fastgrad as tf
from fastgrad import keras
from tests.gradients import check_gradient

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
    def test_from_logits_and_from_probabilities(self):
        np.testing.assert_allclose(losses.categorical_crossentropy(ONE_HOT, LOGITS, from_logits=True), EACH, rtol=1e-9)
        np.testing.assert_allclose(losses.categorical_crossentropy(ONE_HOT, SHARES), EACH, rtol=1e-9)
        assert float(losses.CategoricalCrossentropy()(ONE_HOT, SHARES)) == pytest.approx(EACH.mean(), rel=1e-5)

    def test_rows_are_divided_by_their_sum(self):
        np.testing.assert_allclose(losses.categorical_crossentropy(ONE_HOT, SHARES * 7), EACH, rtol=1e-9)

    def test_certain_predictions_stay_finite(self):
        wrong, right = losses.categorical_crossentropy([[1.0, 0.0]] * 2, [[0.0, 1.0], [1.0, 0.0]]).numpy()
        assert wrong == pytest.approx(-np.log(1e-7), rel=1e-5)
        assert right == pytest.approx(1e-7, rel=0.2)
        logits_by_mistake = losses.categorical_crossentropy(ONE_HOT, np.abs(LOGITS) * 50)
        assert np.isfinite(logits_by_mistake.numpy()).all()

    def test_label_smoothing(self):
        smooth = ONE_HOT * 0.8 + 0.2 / 4
        expected = -(smooth * np.log(SHARES)).sum(-1)
        np.testing.assert_allclose(
            losses.categorical_crossentropy(ONE_HOT, SHARES, label_smoothing=0.2), expected, rtol=1e-9
        )
        np.testing.assert_allclose(
            losses.categorical_crossentropy(ONE_HOT, LOGITS, from_logits=True, label_smoothing=0.2), expected, rtol=1e-9
        )

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_other_axes(self, from_logits):
        values = LOGITS if from_logits else SHARES
        found = losses.categorical_crossentropy(ONE_HOT.T, values.T, from_logits, axis=0)
        np.testing.assert_allclose(found, EACH, rtol=1e-9)

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_gradients(self, from_logits):
        labels = tf.constant(ONE_HOT)
        check_gradient(
            lambda p: losses.categorical_crossentropy(labels, p, from_logits), LOGITS if from_logits else SHARES
        )

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
    @pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
    @pytest.mark.parametrize("column", [False, True])
    def test_values(self, dtype, column):
        labels = CLASSES.astype(dtype)[:, None] if column else CLASSES.astype(dtype)
        np.testing.assert_allclose(losses.sparse_categorical_crossentropy(labels, LOGITS, True), EACH, rtol=1e-9)
        np.testing.assert_allclose(losses.sparse_categorical_crossentropy(labels, SHARES), EACH, rtol=1e-6)
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        assert float(loss(labels, LOGITS)) == pytest.approx(EACH.mean(), rel=1e-5)

    def test_lists(self):
        found = losses.SparseCategoricalCrossentropy()(CLASSES.tolist(), SHARES.tolist())
        assert float(found) == pytest.approx(EACH.mean(), rel=1e-5)

    def test_more_dimensions(self):
        logits, labels = RNG.normal(size=(2, 3, 4)), RNG.integers(0, 4, (2, 3))
        expected = scipy.special.logsumexp(logits, -1) - np.take_along_axis(logits, labels[..., None], -1)[..., 0]
        np.testing.assert_allclose(losses.sparse_categorical_crossentropy(labels, logits, True), expected, rtol=1e-9)

    def test_class_numbers_beyond_float32_stay_themselves(self):
        labels = np.array([2**24 + 1])
        with pytest.raises(tf.errors.InvalidArgumentError, match=str(2**24 + 1)):
            losses.SparseCategoricalCrossentropy(from_logits=True)(labels, np.zeros((1, 3)))

    @pytest.mark.parametrize("label", [4, -1, 2**62, -(2**63)])
    @pytest.mark.parametrize("from_logits", [True, False])
    def test_labels_outside_the_classes(self, label, from_logits):
        with pytest.raises(tf.errors.InvalidArgumentError, match=str(label)):
            losses.sparse_categorical_crossentropy(np.array([label]), SHARES[:1], from_logits)

    def test_an_ignored_class(self):
        labels = np.array([0, -1, 1, -1, 2])
        kept = labels >= 0
        found = losses.sparse_categorical_crossentropy(labels, LOGITS, True, ignore_class=-1)
        np.testing.assert_allclose(found, np.where(kept, EACH, 0.0), rtol=1e-9)
        loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        assert float(loss(labels, LOGITS)) == pytest.approx(EACH[kept].mean(), rel=1e-5)
        weights = np.array([1.0, 5.0, 2.0, 5.0, 0.0])
        expected = (EACH * weights)[kept].sum() / kept.sum()
        assert float(loss(labels, LOGITS, sample_weight=weights)) == pytest.approx(expected, rel=1e-5)
        total = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, reduction="sum")
        assert float(total(labels, LOGITS)) == pytest.approx(EACH[kept].sum(), rel=1e-5)

    def test_gradients(self):
        labels = tf.constant(CLASSES)
        check_gradient(lambda p: losses.sparse_categorical_crossentropy(labels, p, True), LOGITS)
        check_gradient(lambda p: losses.sparse_categorical_crossentropy(labels, p), SHARES)

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
    def test_from_logits_and_from_probabilities(self):
        expected = -np.log(RIGHT).mean(-1)
        np.testing.assert_allclose(losses.binary_crossentropy(BINARY, LOGITS, True), expected, rtol=1e-9)
        shares = scipy.special.expit(LOGITS)
        np.testing.assert_allclose(losses.binary_crossentropy(BINARY, shares), expected, rtol=1e-7)
        assert float(losses.BinaryCrossentropy()(BINARY, shares)) == pytest.approx(expected.mean(), rel=1e-5)

    def test_certain_predictions_stay_finite(self):
        found = losses.binary_crossentropy([1.0, 0.0], [0.0, 1.0])
        assert float(found) == pytest.approx(-np.log(1e-7), rel=0.02)

    def test_label_smoothing(self):
        smooth, shares = BINARY * 0.8 + 0.1, scipy.special.expit(LOGITS)
        expected = -(smooth * np.log(shares) + (1 - smooth) * np.log(1 - shares)).mean(-1)
        np.testing.assert_allclose(losses.binary_crossentropy(BINARY, shares, label_smoothing=0.2), expected, rtol=1e-7)

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_gradients(self, from_logits):
        labels = tf.constant(BINARY)
        check_gradient(
            lambda p: losses.binary_crossentropy(labels, p, from_logits),
            LOGITS if from_logits else scipy.special.expit(LOGITS),
        )

    def test_vector_labels_for_a_column_of_predictions(self):
        loss = losses.BinaryCrossentropy(from_logits=True)
        expected = -np.log(RIGHT[:, 0]).mean()
        assert float(loss(BINARY[:, 0], LOGITS[:, :1])) == pytest.approx(expected, rel=1e-5)

    def test_shapes(self):
        with pytest.raises(ValueError, match="same rank"):
            losses.binary_crossentropy(np.ones(3), np.ones((2, 4)))
        with pytest.raises(ValueError, match="same shape"):
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
