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
        with pytest.raises(ValueError, match="must have 2 items, got 1"):
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
    assert cosine.get_config()["axis"] == 0


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


def _metrics_with_counts_of_elements():
    """Metrics that count each element of two-dimensional labels."""
    for average in (None, "micro", "macro", "weighted"):
        yield metrics.F1Score(average=average, threshold=0.5)
        yield metrics.FBetaScore(average=average, beta=2.0)
    for kind in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall"):
        yield getattr(metrics, kind)()
        yield getattr(metrics, kind)([0.2, 0.5, 0.7])
    for kind in (metrics.Precision, metrics.Recall):
        yield kind(class_id=1)
        yield kind(top_k=1)
        yield kind(top_k=1, class_id=0)
    for curve in ("ROC", "PR"):
        yield metrics.AUC(curve=curve)
        yield metrics.AUC(curve=curve, multi_label=True)
        yield metrics.AUC(curve=curve, label_weights=[1.0, 3.0])
    for kind in ("SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision"):
        yield getattr(metrics, kind)(0.5)
        yield getattr(metrics, kind)(0.5, class_id=1)
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        yield metrics.R2Score(aggregation)
    yield metrics.Accuracy()
    yield metrics.BinaryAccuracy()
    yield metrics.RootMeanSquaredError()
    yield metrics.MeanMetricWrapper(lambda y, p: abs(tf.constant(y) - p))


def _metrics_with_a_value_per_sample():
    for kind in (
        *("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError"),
        *("KLDivergence", "Poisson", "CosineSimilarity", "Hinge", "SquaredHinge", "CategoricalHinge"),
        *("CategoricalAccuracy", "BinaryCrossentropy", "CategoricalCrossentropy"),
        "TopKCategoricalAccuracy",
    ):
        yield getattr(metrics, kind)()


LABELS = np.array([[1, 0], [0, 1], [1, 0], [1, 1]], np.float32)
PREDICTIONS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)


def _result(metric, batches):
    metric.reset_state()
    for batch in batches:
        metric.update_state(*batch)
    return np.asarray(metric.result())


@pytest.mark.parametrize("metric", [*_metrics_with_counts_of_elements()], ids=lambda metric: metric.name)
def test_a_weight_counts_an_element_as_often(metric):
    # Integer weights of samples are repeated samples, and a weight of one column repeats it against zero weights.
    by_sample = np.array([2.0, 1.0, 0.0, 3.0], np.float32)
    repeated = [np.repeat(part, by_sample.astype(int), 0) for part in (LABELS, PREDICTIONS)]
    expected = _result(metric, [repeated])
    for weights in (by_sample, by_sample[:, None], np.repeat(by_sample[:, None], 2, 1)):
        np.testing.assert_allclose(_result(metric, [(LABELS, PREDICTIONS, weights)]), expected, rtol=1e-5)
    columns = np.array([[1.0, 2.0]], np.float32)
    np.testing.assert_allclose(
        _result(metric, [(LABELS, PREDICTIONS, columns)]),
        _result(metric, [(LABELS, PREDICTIONS, np.repeat(columns, 4, 0))]),
        rtol=1e-5,
    )
    columns = np.array([[1.0, 0.0]], np.float32)
    weighted_twice = [(LABELS, PREDICTIONS, weights) for weights in (1.0, columns)]
    np.testing.assert_allclose(
        _result(metric, weighted_twice), _result(metric, [(LABELS, PREDICTIONS, columns + 1.0)]), rtol=1e-5
    )


@pytest.mark.parametrize(
    "metric",
    [*_metrics_with_counts_of_elements(), *_metrics_with_a_value_per_sample()],
    ids=lambda metric: metric.name,
)
def test_a_scalar_weighs_each_sample_of_a_batch(metric):
    batches = [(LABELS, PREDICTIONS), (LABELS[:1], PREDICTIONS[:1])]
    weighted_batches = [(*batch, 2.0) for batch in batches]
    np.testing.assert_allclose(_result(metric, weighted_batches), _result(metric, [*batches, *batches]), rtol=1e-5)


@pytest.mark.parametrize("metric", [*_metrics_with_a_value_per_sample()], ids=lambda metric: metric.name)
def test_a_column_of_weights_weighs_samples(metric):
    by_sample = np.array([2.0, 1.0, 0.0, 3.0], np.float32)
    expected = _result(metric, [[np.repeat(part, by_sample.astype(int), 0) for part in (LABELS, PREDICTIONS)]])
    for weights in (by_sample, by_sample[:, None]):
        np.testing.assert_allclose(_result(metric, [(LABELS, PREDICTIONS, weights)]), expected, rtol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"'{metric.name}': `sample_weight` of shape"):
        metric.update_state(LABELS, PREDICTIONS, np.ones((4, 2)))


@pytest.mark.parametrize("metric", [*_metrics_with_counts_of_elements()], ids=lambda metric: metric.name)
@pytest.mark.parametrize("shape", [(3,), (2,), (4, 3), (2, 4), (4, 1, 2), (4, 2, 1, 1)], ids=str)
def test_weights_that_do_not_fit_the_labels_name_the_metric(metric, shape):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        metric.update_state(LABELS, PREDICTIONS, np.ones(shape))
    assert f"'{metric.name}'" in str(error.value)
    assert str(shape) in str(error.value)


def test_weights_of_samples_stand_for_all_elements_of_a_sample():
    random = np.random.default_rng(0)
    labels, predictions = random.integers(0, 2, (3, 3, 4)).astype(np.float32), random.random((3, 3, 4), np.float32)
    weights = np.array([2.0, 1.0, 0.0], np.float32)
    repeated = [np.repeat(part, weights.astype(int), 0) for part in (labels, predictions)]
    for metric in (metrics.Recall(), metrics.AUC()):
        np.testing.assert_allclose(
            _result(metric, [(labels, predictions, weights)]), _result(metric, [repeated]), rtol=1e-5
        )


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1), (12,), (3, 1), (3,), (1, 4), ()], ids=str)
def test_the_overlap_of_regions_takes_weights_of_elements(shape):
    random = np.random.default_rng(0)
    labels, predictions = random.integers(0, 3, (3, 4)), random.integers(0, 3, (3, 4))
    weights = random.integers(0, 4, shape)
    full_shape = (*shape, 1) if shape == (3,) else (3, 4) if len(shape) == 3 or shape == (12,) else shape
    counts = np.zeros((3, 3))
    np.add.at(counts, (labels, predictions), np.broadcast_to(np.reshape(weights, full_shape), (3, 4)))
    metric = metrics.MeanIoU(3)
    metric.update_state(labels, predictions, weights)
    np.testing.assert_array_equal(metric.total_cm, counts)
    with pytest.raises(tf.errors.InvalidArgumentError, match="'mean_io_u.*`sample_weight` of shape"):
        metric.update_state(labels, predictions, np.ones((4, 3), int))


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_an_f_score_of_weighted_metrics_takes_columns_of_weights(average):
    model = keras.Sequential([layers.Input((2,)), layers.Identity()])
    model.compile("sgd", "mse", weighted_metrics=[metrics.F1Score(average, 0.5)])
    results = [
        model.test_on_batch(PREDICTIONS, LABELS, weights, return_dict=True)["f1_score"]
        for weights in (np.array([2.0, 1.0, 1.0, 0.0]), np.array([[2.0], [1.0], [1.0], [0.0]]))
    ]
    np.testing.assert_array_equal(results[1], results[0])
    if average == "macro":
        f1 = metrics.F1Score(average, 0.5)
        f1.update_state(LABELS[:3], PREDICTIONS[:3], [[2.0], [1.0], [1.0]])
        assert float(f1.result()) == pytest.approx(1 / 3)
