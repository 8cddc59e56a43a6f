"""Losses and metrics of samples that do not count: `ignore_class`, masks of layers, sample weights; CTC's labels."""

import numpy as np

LABELS = np.array([-1, 2, 0, -1, 1])
SHARES = np.array([[0.05, 0.95, 0.0], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.2, 0.2, 0.6], [0.25, 0.5, 0.25]], np.float32)
WEIGHTS = np.array([1.5, 2.5, 0.5, 1.0, 2.0])
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
GIVEN = {"no weights": None, "weights": WEIGHTS}


def ignored_classes(tf):
    losses, metrics = tf.keras.losses, tf.keras.metrics
    function = losses.sparse_categorical_crossentropy

    class Custom(losses.Loss):
        def call(self, y_true, y_pred):
            return function(y_true, y_pred, ignore_class=-1)

    def metric(labels, shares, weights, **options):
        one = metrics.SparseCategoricalCrossentropy(ignore_class=-1, **options)
        one.update_state(labels, shares, sample_weight=weights)
        one.update_state(labels, shares, sample_weight=weights)
        return [one.result(), one.total, one.count]

    images = np.stack([SHARES, SHARES[::-1]])
    answers = {
        "function": lambda: function(tf.constant(LABELS), tf.constant(SHARES), ignore_class=-1),
        "a mean metric of it": lambda: [
            one(tf.constant(LABELS), tf.constant(SHARES), sample_weight=WEIGHTS)
            for one in [metrics.MeanMetricWrapper(function, ignore_class=-1)]
        ],
        "pixels": lambda: losses.SparseCategoricalCrossentropy(ignore_class=-1)(np.stack([LABELS, LABELS]), images),
        "pixels, weights of images": lambda: losses.SparseCategoricalCrossentropy(ignore_class=-1)(
            np.stack([LABELS, LABELS]), images, sample_weight=np.array([[1.0], [3.0]])
        ),
        "a metric of pixels": lambda: metric(np.stack([LABELS, LABELS]), images, np.array([1.0, 3.0])),
        "a metric of pixels, a weight each": lambda: metric(
            np.stack([LABELS, LABELS]), images, np.stack([WEIGHTS, WEIGHTS])
        ),
        "logits": lambda: metric(LABELS, SHARES, WEIGHTS, from_logits=True),
        "a custom metric": lambda: [
            one.result()
            for one in [metrics.Mean()]
            if one.update_state(function(tf.constant(LABELS), tf.constant(SHARES), ignore_class=-1), WEIGHTS) is None
        ],
        "all ignored": lambda: losses.SparseCategoricalCrossentropy(ignore_class=-1)(np.full(5, -1), SHARES),
    }
    for name, weights in GIVEN.items():
        answers[f"metric, {name}"] = lambda weights=weights: metric(LABELS, SHARES, weights)
        for reduction in REDUCTIONS:
            answers[f"loss, {name}, {reduction}"] = lambda weights=weights, reduction=reduction: (
                losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction=reduction)(LABELS, SHARES, weights)
            )
            answers[f"custom loss, {name}, {reduction}"] = lambda weights=weights, reduction=reduction: Custom(
                reduction=reduction
            )(LABELS, SHARES, weights)
    return answers


STEPS = np.sin(np.arange(2 * 4 * 3) * 0.7).reshape(2, 4, 3).astype(np.float32)
STEPS[0, 2:] = STEPS[1, 0] = 0.0


def masks_of_layers(tf):
    layers, losses, metrics = tf.keras.layers, tf.keras.losses, tf.keras.metrics
    target = np.cos(np.arange(2 * 4 * 3)).reshape(2, 4, 3).astype(np.float32)
    weights = np.arange(1.0, 9.0).reshape(2, 4)
    mean_metrics = {
        "MeanSquaredError": target,
        "MeanAbsoluteError": target,
        "CosineSimilarity": target,
        "CategoricalAccuracy": target,
        "BinaryAccuracy": (target > 0).astype(np.float32),
        "SparseCategoricalAccuracy": np.array([[0, 1, 2, 0], [2, 1, 0, 1]]),
        "RootMeanSquaredError": target,
        "Accuracy": STEPS * (target > 0),
    }

    def masked():
        return layers.Masking()(tf.constant(STEPS))

    def metric(name, weight):
        one = getattr(metrics, name)()
        one.update_state(tf.constant(mean_metrics[name]), masked(), sample_weight=weight)
        return one.result()

    def fitted():
        model = tf.keras.Sequential([tf.keras.Input((4, 3)), layers.Masking(), layers.Dense(3, use_bias=False)])
        model.set_weights([np.eye(3, dtype=np.float32)])
        model.compile("sgd", "mse", metrics=["mae", "mse"])
        return [
            model.evaluate(STEPS, target, verbose=0),
            model.evaluate(STEPS, target, sample_weight=weights, verbose=0),
        ]

    answers = {
        f"{name}, {given}": lambda name=name, weight=weight: metric(name, weight)
        for name in mean_metrics
        for given, weight in {"no weights": None, "weights": weights, "weights of samples": weights[:, 0]}.items()
    }
    for reduction in REDUCTIONS:
        for given, weight in {"no weights": None, "weights": weights}.items():
            answers[f"a loss, {given}, {reduction}"] = lambda weight=weight, reduction=reduction: (
                losses.MeanSquaredError(reduction=reduction)(tf.constant(target), masked(), sample_weight=weight)
            )
    return {**answers, "evaluate": fitted}


def temporal_classification(tf):
    losses = tf.keras.losses
    logits = np.sin(np.arange(3 * 7 * 4) * 0.9).reshape(3, 7, 4).astype(np.float32)
    labels = {
        "plain": [[1, 2, 3], [3, 1, 2], [2, 1, 3]],
        "repeated": [[1, 1, 3], [3, 3, 3], [2, 1, 1]],
        "filled up": [[1, 0, 0], [3, 1, 0], [0, 0, 0]],
        "a blank inside": [[1, 0, 2, 1], [2, 0, 2, 0], [1, 0, 0, 1]],
        "a blank first": [[0, 1, 2], [0, 0, 1], [0, 3, 3]],
    }

    def asked(name, reduction):
        x = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = losses.CTC(reduction=reduction)(np.array(labels[name]), x)
        return [loss, tape.gradient(loss, x)] if "a blank" not in name else loss

    return {
        **{
            f"{name}: {reduction}": lambda name=name, reduction=reduction: asked(name, reduction)
            for name in labels
            for reduction in (None, "sum_over_batch_size")
        },
        "uniform": lambda: losses.CTC(reduction=None)(np.array([[1, 0, 2, 1]]), np.zeros((1, 6, 4), np.float32)),
        "float64": lambda: losses.ctc(tf.constant([[1, 2]]), tf.constant(logits[:1], tf.float64)).dtype,
        "float16": lambda: losses.ctc(tf.constant([[1, 2]]), tf.constant(logits[:1], tf.float16)).dtype,
    }
