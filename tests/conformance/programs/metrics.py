"""Keras metrics: running values, weights, resetting, results."""

from ..refusal import refused

CLASSES = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "MeanSquaredError",
    "MeanAbsoluteError",
    "RootMeanSquaredError",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "CosineSimilarity",
    "KLDivergence",
    "Poisson",
    "Hinge",
    "Sum",
    "Mean",
]


def running_mean(tf):
    m = tf.keras.metrics

    def after(*updates, **arguments):
        metric = m.Mean(**arguments)
        for update in updates:
            metric.update_state(*update)
        return metric

    return {
        "empty": lambda: m.Mean().result(),
        "one": lambda: after((2.0,)).result(),
        "several": lambda: after((2.0,), (4.0,)).result(),
        "array": lambda: after(([1.0, 2.0, 6.0],)).result(),
        "weighted": lambda: after(([1.0, 3.0], [1.0, 3.0])).result(),
        "weight of a scalar": lambda: after((1.0, 1.0), (5.0, 3.0)).result(),
        "zero weights": lambda: after(([1.0, 2.0], [0.0, 0.0])).result(),
        "call": lambda: m.Mean()([1.0, 3.0]),
        "result is plain": lambda: float(after((2.0,)).result()),
        "reset": lambda: _reset(after((2.0,), (4.0,))),
        "name": lambda: [m.Mean().name, m.Mean(name="loss").name],
        "variables": lambda: [v.numpy() for v in after((2.0,), (4.0,)).variables],
        "of integers": lambda: after(([1, 2],)).result(),
        "dtype": lambda: m.Mean(dtype="float64").dtype,
        "nan": lambda: after((float("nan"),), (1.0,)).result(),
        "Sum": lambda: _updated(m.Sum(), [1.0, 2.0]),
        "Sum weighted": lambda: _updated(m.Sum(), [1.0, 2.0], [2.0, 3.0]),
        "MeanMetricWrapper": lambda: _updated(
            m.MeanMetricWrapper(lambda y, p: tf.abs(y - p)), tf.constant([1.0, 2.0]), tf.constant([2.0, 4.0])
        ),
        "result as text": lambda: f"{float(after((0.5,)).result()):.2f}",
        "reset_states is gone": lambda: hasattr(m.Mean(), "reset_states"),
        "misfit of weights": lambda: refused(lambda: after(([1.0, 2.0], [1.0, 2.0, 3.0]))),
    }


def _updated(metric, *arguments, **keywords):
    metric.update_state(*arguments, **keywords)
    return metric.result()


def _reset(metric):
    metric.reset_state()
    return metric.result()


def accuracies(tf):
    m = tf.keras.metrics
    guess = [[0.1, 0.9, 0.0], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]
    return {
        "Accuracy": lambda: _updated(m.Accuracy(), [1, 2, 3], [1, 0, 3]),
        "Accuracy of floats": lambda: _updated(m.Accuracy(), [1.0, 2.0], [1.0, 2.5]),
        "Accuracy weighted": lambda: _updated(m.Accuracy(), [1, 2], [1, 0], sample_weight=[1.0, 3.0]),
        "Binary": lambda: _updated(m.BinaryAccuracy(), [0.0, 1.0, 1.0], [0.4, 0.6, 0.5]),
        "Binary threshold": lambda: _updated(m.BinaryAccuracy(threshold=0.3), [0.0, 1.0], [0.4, 0.6]),
        "Categorical": lambda: _updated(m.CategoricalAccuracy(), [[0, 1, 0], [0, 1, 0], [0, 0, 1]], guess),
        "SparseCategorical": lambda: _updated(m.SparseCategoricalAccuracy(), [1, 1, 2], guess),
        "SparseCategorical column": lambda: _updated(m.SparseCategoricalAccuracy(), [[1], [1], [2]], guess),
        "SparseCategorical of floats": lambda: _updated(m.SparseCategoricalAccuracy(), [1.0, 1.0, 2.0], guess),
        "SparseCategorical weighted": lambda: _updated(
            m.SparseCategoricalAccuracy(), [1, 1, 2], guess, sample_weight=[1.0, 2.0, 3.0]
        ),
        "SparseCategorical ties": lambda: _updated(m.SparseCategoricalAccuracy(), [1], [[0.5, 0.5]]),
        "SparseCategorical sequence": lambda: _updated(m.SparseCategoricalAccuracy(), [[1, 1, 2]], [guess]),
        "SparseCategorical twice": lambda: _twice(m.SparseCategoricalAccuracy(), [1, 1, 2], guess),
        "TopK": lambda: _updated(m.TopKCategoricalAccuracy(k=2), [[0, 1, 0], [0, 1, 0], [0, 0, 1]], guess),
        "SparseTopK": lambda: _updated(m.SparseTopKCategoricalAccuracy(k=2), [1, 1, 0], guess),
        "function": lambda: m.sparse_categorical_accuracy(tf.constant([1, 1, 2]), tf.constant(guess)),
        "binary function": lambda: m.binary_accuracy(tf.constant([[0.0, 1.0]]), tf.constant([[0.4, 0.2]])),
        "categorical function": lambda: m.categorical_accuracy(tf.constant([[0.0, 1.0]]), tf.constant([[0.4, 0.6]])),
        "batch differs": lambda: refused(lambda: _updated(m.SparseCategoricalAccuracy(), [1, 1], guess)),
        "call": lambda: m.SparseCategoricalAccuracy()([1, 1, 2], guess),
    }


def _twice(metric, true, guess):
    metric.update_state(true, guess)
    metric.update_state([0], [guess[0]])
    return metric.result()


def others(tf):
    m = tf.keras.metrics
    true, guess = [[0.0, 1.0], [1.0, 1.0]], [[0.2, 0.6], [0.7, 0.3]]
    return {
        "MeanSquaredError": lambda: _updated(m.MeanSquaredError(), true, guess),
        "MeanAbsoluteError": lambda: _updated(m.MeanAbsoluteError(), true, guess),
        "RootMeanSquaredError": lambda: _updated(m.RootMeanSquaredError(), true, guess),
        "MeanSquaredError weighted": lambda: _updated(m.MeanSquaredError(), true, guess, sample_weight=[1.0, 3.0]),
        "BinaryCrossentropy": lambda: _updated(m.BinaryCrossentropy(), true, guess),
        "CategoricalCrossentropy": lambda: _updated(m.CategoricalCrossentropy(), [[0.0, 1.0]], [[0.2, 0.8]]),
        "SparseCategoricalCrossentropy": lambda: _updated(
            m.SparseCategoricalCrossentropy(), tf.constant([1]), tf.constant([[0.2, 0.8]])
        ),
        "CosineSimilarity": lambda: _updated(m.CosineSimilarity(axis=1), true, guess),
        "KLDivergence": lambda: _updated(m.KLDivergence(), [[0.5, 0.5]], [[0.25, 0.75]]),
    }


def names(tf):
    m = tf.keras.metrics
    answers = {name: (lambda name=name: getattr(m, name)().name) for name in CLASSES}
    return answers | {
        "tf.metrics": lambda: tf.metrics.Mean().name,
        "get": lambda: type(m.get("Mean")).__name__,
        "get accuracy": lambda: type(m.get("sparse_categorical_accuracy")).__name__,
        "get unknown": lambda: m.get("nonsense"),
    }


def own_metrics(tf):
    class Largest(tf.keras.metrics.Metric):
        def __init__(self, name="largest", **keywords):
            super().__init__(name=name, **keywords)
            self.value = self.add_weight(name="value", initializer="zeros")

        def update_state(self, values, sample_weight=None):
            self.value.assign(tf.maximum(self.value, tf.reduce_max(values)))

        def result(self):
            return self.value

    return {
        "result": lambda: tf.convert_to_tensor(_updated(Largest(), tf.constant([1.0, 5.0, 2.0]))),
        "reset": lambda: _own_reset(Largest()),
        "variables": lambda: len(Largest().variables),
        "name": lambda: Largest().name,
    }


def _own_reset(metric):
    metric.update_state([3.0])
    metric.reset_state()
    return float(metric.result())
