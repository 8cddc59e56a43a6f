"""Metrics: state over batches, weights, names."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers, metrics = keras.layers, keras.metrics


class TestMean:
    def test_over_batches(self):
        mean = metrics.Mean(name="loss")
        assert float(mean.result()) == 0.0
        assert float(mean(3.0)) == 3.0
        mean.update_state([1.0, 2.0])
        assert float(mean.result()) == 2.0
        mean.reset_state()
        assert float(mean.result()) == 0.0
        assert [v.path for v in mean.variables] == ["loss/total", "loss/count"]
        assert repr(mean) == "<Mean name=loss>"

    @pytest.mark.parametrize(
        ("values", "weights", "expected"),
        [
            ([1.0, 3.0], [1.0, 3.0], 2.5),
            ([1.0, 3.0], 2.0, 2.0),
            ([1.0, 3.0], [[1.0], [0.0]], 1.0),
            ([1.0, 3.0], [0.0, 0.0], 0.0),
            ([[1.0, 2.0], [3.0, 4.0]], None, 2.5),
            ([[1.0, 2.0], [3.0, 4.0]], [1.0, 0.0], 1.5),
            ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 3.0]], 6.5 / 2.0),
            (3, None, 3.0),
            (np.array([1, 2]), None, 1.5),
        ],
        ids=str,
    )
    def test_weights(self, values, weights, expected):
        mean = metrics.Mean()
        mean.update_state(values, sample_weight=weights)
        assert float(mean.result()) == pytest.approx(expected)

    def test_updates_are_not_recorded(self):
        mean, v = metrics.Mean(), tf.Variable(2.0)
        with tf.GradientTape() as tape:
            loss = v * v
            mean.update_state(loss)
        assert float(tape.gradient(loss, v)) == 4.0
        assert float(mean.result()) == 4.0


def test_dtype():
    assert metrics.Mean(dtype="float64")(np.float64(0.1)).dtype == "float64"
    assert metrics.Mean().dtype == "float32"


class TestOwn:
    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.value = self.add_weight(name="value", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(tf.maximum(self.value, tf.reduce_max(tf.abs(y_true - y_pred))))

        def result(self):
            return self.value

    def test_subclass(self):
        metric = self.Largest()
        assert float(metric(tf.constant([1.0]), tf.constant([4.0]))) == 3.0
        metric.reset_state()
        assert float(metric.result()) == 0.0
        assert self.Largest.from_config(metric.get_config()).name == "largest"

    def test_a_metric_of_metrics(self):
        class Both(metrics.Metric):
            def __init__(self):
                super().__init__()
                self.parts = [metrics.Mean(), metrics.Sum()]

        assert len(Both().variables) == 3

    def test_forgetting_super_init(self):
        class Forgetful(metrics.Metric):
            def __init__(self):
                self.v = self.add_weight()

        with pytest.raises(RuntimeError, match="super"):
            Forgetful()

    def test_what_must_be_written(self):
        with pytest.raises(NotImplementedError, match="update_state"):
            metrics.Metric().update_state()
        with pytest.raises(NotImplementedError, match="result"):
            metrics.Metric().result()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("accuracy", "Accuracy"),
            ("sparse_categorical_accuracy", "SparseCategoricalAccuracy"),
            ("mse", "MeanSquaredError"),
            ("MAE", "MeanAbsoluteError"),
            ("BinaryAccuracy", "BinaryAccuracy"),
            ("bce", "BinaryCrossentropy"),
        ],
    )
    def test_get(self, name, kind):
        assert type(metrics.get(name)) is getattr(metrics, kind)

    def test_get_of_others(self):
        assert metrics.get(None) is None
        assert metrics.get(metrics.mse) is metrics.mse
        with pytest.raises(ValueError, match="nonsense"):
            metrics.get("nonsense")

    def test_at_the_top_level(self):
        assert tf.metrics.Mean is metrics.Mean
        assert tf.metrics.mse is metrics.mse
        assert metrics.mean_squared_error is metrics.mse


class TestStateless:
    def test_variables_keep_their_values(self):
        mean = metrics.Mean()
        assert [float(x) for x in mean.stateless_update_state(mean.variables, [1.0, 3.0])] == [4.0, 2.0]
        assert float(mean.stateless_result([tf.constant(6.0), 3.0])) == 2.0
        assert float(mean.result()) == 0.0
        mean.update_state(5.0)
        assert [float(x) for x in mean.stateless_reset_state()] == [0.0, 0.0]
        assert float(mean.result()) == 5.0

    def test_in_a_compiled_function(self):
        mean = metrics.Mean()
        mean.update_state(5.0)
        step = tf.function(mean.stateless_update_state)
        variables = [tf.zeros(()), tf.zeros(())]
        for _ in range(3):
            variables = step(variables, tf.constant([1.0, 3.0]))
        assert [float(x) for x in variables] == [12.0, 6.0]
        assert float(mean.result()) == 5.0

    def test_an_error_leaves_the_variables(self):
        mean = metrics.Mean()
        mean.update_state(5.0)
        with pytest.raises(ValueError, match="length 1, but expected 2"):
            mean.stateless_result([1.0])
        with pytest.raises(ValueError, match="shape"):
            mean.stateless_result([1.0, [1.0, 2.0]])
        with pytest.raises(TypeError):
            mean.stateless_update_state(mean.variables)
        assert float(mean.result()) == 5.0


def test_float_weights_of_integer_counts_warn():
    iou = metrics.MeanIoU(2)
    with pytest.warns(UserWarning, match="weight as `float`, but dtype is `int`"):
        iou.update_state([0, 1, 1, 0], [0, 1, 0, 1], sample_weight=np.array([1.5, 2.5, 0.5, 1.0]))
    np.testing.assert_array_equal(iou.total_cm, [[1, 1], [0, 2]])
    assert float(iou.result()) == pytest.approx(0.58333337)


def test_a_metric_in_half_precision_adds_tensors_to_its_variables():
    class Total(metrics.Metric):
        def __init__(self):
            super().__init__(dtype="float16")
            self.total = self.add_variable((), "zeros", name="total")

        def update_state(self, x):
            self.total.assign(self.total + tf.reduce_sum(tf.cast(x, self.dtype)))

        def result(self):
            return self.total

    total = Total()
    assert float(total([1.0, 2.0])) == 3.0


def test_the_axis_of_cosines_counts():
    cosine = metrics.CosineSimilarity(axis=0)
    cosine.update_state([[1.0, 0.0], [1.0, 3.0]], [[1.0, 2.0], [5.0, 1.0]])
    expected = (6 / np.sqrt(2 * 26) + 3 / np.sqrt(9 * 5)) / 2
    assert float(cosine.result()) == pytest.approx(expected, rel=1e-6)
    assert "axis" not in cosine.get_config()


@pytest.mark.parametrize("values", [tf.constant(2.0), tf.ones((2,))])
def test_a_mask_that_does_not_fit_the_values_of_a_metric_is_named(values):
    model = keras.Sequential([layers.Input((3,)), layers.Embedding(5, 4, mask_zero=True), layers.Dense(1)])
    model.compile(
        "sgd", "mse", metrics=[keras.metrics.MeanMetricWrapper(lambda y, x: values, name="mine")], run_eagerly=True
    )
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        model.test_on_batch(np.ones((2, 3)), np.ones((2, 3, 1)))
    for fact in (
        "Metric 'mine'",
        "mask of shape (2, 3)",
        f"values of shape {tuple(values.shape)}",
        "for each element of the mask",
    ):
        assert fact in str(error.value)
    assert not model.metrics[1].variables[0].numpy()


def test_weights_that_do_not_fit_the_values_of_a_metric_are_named():
    mean = metrics.Mean(name="average")
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"'average': `sample_weight` of shape \(3,\) cannot weigh .*\(2,\).*Give a weight",
    ):
        mean.update_state(tf.ones((2,)), tf.ones((3,)))
    assert not any(variable.numpy() for variable in mean.variables)
