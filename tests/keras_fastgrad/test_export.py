"""SavedModels of Keras's models, and layers that ask for XLA."""

import keras
import numpy as np
import pytest

import fastgrad as tf

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")


class TwoLayers(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = keras.layers.Dense(4, "relu"), keras.layers.Dense(1)

    def call(self, x):
        return self.second(self.first(x))


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclass"])
def test_tf_saved_model_save_stores_a_signature_for_all_batch_sizes(kind, tmp_path):
    if kind == "functional":
        inputs = keras.Input((3,))
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    else:
        model = TwoLayers() if kind == "subclass" else keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    tf.saved_model.save(model, tmp_path)
    served = tf.saved_model.load(tmp_path).signatures["serving_default"]
    for batch in (1, 7, 40):
        outputs = served(inputs=tf.constant(X[:batch]))["output_0"]
        np.testing.assert_allclose(outputs, model(X[:batch]), rtol=1e-5, atol=1e-6)


def test_a_model_that_was_not_called_has_no_signature(tmp_path):
    tf.saved_model.save(TwoLayers(), tmp_path)
    assert not tf.saved_model.load(tmp_path).signatures


def test_a_compiled_call_of_a_layer(tmp_path):
    class Doubled(keras.Model):
        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
        def call(self, inputs):
            return 2.0 * inputs

    model = Doubled()
    assert float(model(np.array([[3.0]], "float32"))[0, 0]) == 6
    tf.saved_model.save(model, tmp_path)
    assert float(tf.saved_model.load(tmp_path).call(np.array([[3.0]], "float32"))[0, 0]) == 6


def test_an_archive_of_an_endpoint_with_a_table(tmp_path):
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0]), 0.0)
    archive = keras.export.ExportArchive()
    archive.track(table)
    archive.add_endpoint("look_up", table.lookup, input_signature=[tf.TensorSpec([None], tf.string)])
    archive.write_out(tmp_path, verbose=False)
    assert tf.saved_model.load(tmp_path).look_up(tf.constant(["b", "c"])).numpy().tolist() == [2, 0]
    with pytest.raises(ValueError, match="Invalid resource type"):
        archive.track(3)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_groups_of_a_convolution_of_volumes(run_eagerly):
    x = np.random.default_rng(1).normal(size=(8, 4, 4, 4, 4)).astype("float32")
    layer = keras.layers.Conv3D(6, 2, groups=2, use_bias=False)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    kernel = np.asarray(layer.kernel)
    parts = [
        tf.nn.conv3d(x[..., 2 * g : 2 * g + 2], kernel[..., 3 * g : 3 * g + 3], [1] * 5, "VALID") for g in range(2)
    ]
    np.testing.assert_allclose(layer(x), np.concatenate(parts, -1), rtol=1e-4, atol=1e-5)
    model.compile(keras.optimizers.SGD(0.001), "mse", run_eagerly=run_eagerly)
    losses = model.fit(x, x[:, 0, 0, 0, :1], epochs=4, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
