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
