"""``Loss``: reductions, weights, dtypes, configuration."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

losses = keras.losses
Y = np.array([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]])
P = np.array([[1.5, 2.0], [2.0, 7.0], [0.0, -1.0]])
EACH = np.square(Y - P).mean(1)


class TestReductions:
    def test_empty_batches(self):
        assert losses.MeanSquaredError()(np.ones((0, 3)), np.ones((0, 3))).shape == (0,)
        assert float(losses.MeanSquaredError()(np.ones((0, 2, 3)), np.ones((0, 2, 3)))) == 0.0
        weighted = losses.MeanSquaredError(reduction="mean_with_sample_weight")
        assert float(weighted(Y, P, sample_weight=[0.0, 0.0, 0.0])) == 0.0


def test_gradients_reach_predictions_and_weights():
    p, w = tf.constant(P), tf.constant([1.0, 0.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch([p, w])
        value = losses.MeanSquaredError(dtype="float64")(Y, p, sample_weight=tf.cast(w, tf.float64))
    for_p, for_w = tape.gradient(value, [p, w])
    np.testing.assert_allclose(for_p, (P - Y) * np.array([[1], [0], [3]]) / 3, rtol=1e-12)
    np.testing.assert_allclose(for_w, EACH / 3, rtol=1e-6)


class TestOwn:
    def test_subclass(self):
        class Worst(losses.Loss):
            def call(self, y_true, y_pred):
                return tf.reduce_max(tf.abs(y_true - y_pred), -1)

        loss = Worst(name="worst")
        assert float(loss(Y, P)) == pytest.approx(np.abs(Y - P).max(1).mean())
        assert loss.get_config() == {"name": "worst", "reduction": "sum_over_batch_size"}
        assert Worst.from_config(loss.get_config()).name == "worst"

    def test_default_names_are_numbered(self):
        class MyLoss(losses.Loss):
            pass

        assert MyLoss().name.startswith("my_loss")
        with pytest.raises(NotImplementedError, match="call"):
            MyLoss()(Y, P)


class TestNames:
    @pytest.mark.parametrize(
        "name", ["mse", "MSE", "mae", "mape", "msle", "kld", "KLD", "logcosh", "huber", "poisson", "hinge"]
    )
    def test_functions(self, name):
        assert getattr(tf.losses, name) is getattr(losses, name)
        assert losses.get(name if name != "logcosh" else "log_cosh") is getattr(losses, name)

    def test_long_names(self):
        assert losses.get("mean_squared_error") is losses.mse
        assert losses.mean_squared_error is losses.mse  # as in the package keras; tf.keras has the short name alone

    def test_classes(self):
        assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
        assert isinstance(losses.get(losses.Huber), losses.Huber)
        assert tf.losses.MeanSquaredError is losses.MeanSquaredError

    def test_get_of_others(self):
        def mine(y_true, y_pred):
            return y_pred

        assert losses.get(mine) is mine
        assert losses.get(None) is None
        with pytest.raises(ValueError, match="Could not interpret loss identifier: nonsense"):
            losses.get("nonsense")
        with pytest.raises(ValueError, match="3"):
            losses.get(3)

    @pytest.mark.parametrize(
        "loss",
        [
            losses.MeanSquaredError(reduction="sum", name="x"),
            losses.Huber(2.0),
            losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
            losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1),
            losses.CategoricalFocalCrossentropy(alpha=0.5),
            losses.CosineSimilarity(axis=0),
        ],
        ids=lambda loss: type(loss).__name__,
    )
    def test_configurations(self, loss):
        config = losses.serialize(loss)
        assert config["module"] == "keras.losses"
        twin = losses.deserialize(config)
        assert type(twin) is type(loss)
        assert twin.get_config() == loss.get_config()

    def test_function_configurations(self):
        assert losses.deserialize(losses.serialize(losses.huber)) is losses.huber
        assert losses.deserialize(losses.serialize(losses.mse)) is losses.mse


def test_weights_of_samples_stand_for_all_losses_of_a_sample():
    # The third dimension is as long as the batch, so weights that broadcast from the last dimension would fit, too.
    random = np.random.default_rng(0)
    y_true, y_pred = random.random((3, 3, 2), np.float32), random.random((3, 3, 2), np.float32)
    weights = np.array([0.0, 1.0, 5.0], np.float32)
    squares = np.mean((y_true - y_pred) ** 2, -1)
    loss = keras.losses.MeanSquaredError()
    for given in (weights, weights[:, None], weights[:, None, None], np.tile(weights[:, None], 3)):
        assert float(loss(y_true, y_pred, given)) == pytest.approx(np.mean(squares * weights[:, None]), rel=1e-6)
    assert float(loss(y_true, y_pred, weights[None])) == pytest.approx(np.mean(squares * weights), rel=1e-6)
    assert float(loss(y_true, y_pred, 2.0)) == pytest.approx(2.0 * np.mean(squares), rel=1e-6)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (4, 4), (4, 1, 1)], ids=str)
def test_weights_that_do_not_fit_the_losses_are_named(shape):
    weights, y = np.ones(shape, np.float32), np.ones((4, 1), np.float32)
    message = rf"`sample_weight` of shape \({', '.join(map(str, shape))},?\) cannot weigh losses of shape \(4,\).*Give a weight"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        keras.losses.MeanSquaredError()(y, 0.0 * y, weights)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.train_on_batch(np.ones((4, 2)), y, weights)
    if shape[0] == 4:
        for call in (model.fit, model.evaluate):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                call(np.ones((4, 2)), y, sample_weight=weights, verbose=0)
