"""Keras losses, as functions and as objects, with their reductions, weights and gradients."""

import numpy as np

from ..differentiation import value_and_gradients
from ..refusal import refused

TRUE = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
GUESS = [[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]
FUNCTIONS = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "poisson",
    "cosine_similarity",
    "huber",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "mse",
    "mae",
    "mape",
    "msle",
    "MSE",
    "MAE",
    "KLD",
    "kld",
    "logcosh",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
]
CLASSES = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "Poisson",
    "CosineSimilarity",
    "Huber",
    "Hinge",
    "SquaredHinge",
    "CategoricalHinge",
    "LogCosh",
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
]


def functions(tf):
    """Per sample, never averaged over the batch."""
    return {
        name: (
            lambda name=name: value_and_gradients(
                tf, lambda p: getattr(tf.keras.losses, name)(tf.constant(TRUE), p), tf.constant(GUESS)
            )
        )
        for name in FUNCTIONS
    }


def objects(tf):
    return {
        name: (
            lambda name=name: value_and_gradients(
                tf, lambda p: getattr(tf.keras.losses, name)()(tf.constant(TRUE), p), tf.constant(GUESS)
            )
        )
        for name in CLASSES
    }


def names(tf):
    answers = {name: (lambda name=name: getattr(tf.keras.losses, name)().name) for name in CLASSES}
    answers |= {
        f"config of {name}": (lambda name=name: sorted(getattr(tf.keras.losses, name)().get_config()))
        for name in CLASSES
        if name not in ("Huber", "CosineSimilarity")
    }
    return answers | {
        "given name": lambda: tf.keras.losses.MeanSquaredError(name="mine").name,
        "reduction": lambda: tf.keras.losses.MeanSquaredError().reduction,
        "tf.losses": lambda: tf.losses.MeanSquaredError().name,
        "get": lambda: [
            tf.keras.losses.get(name).__name__ for name in ("mse", "mae", "sparse_categorical_crossentropy")
        ],
        "get of a class name": lambda: type(tf.keras.losses.get("MeanSquaredError")).__name__,
        "get unknown": lambda: tf.keras.losses.get("nonsense"),
        "get None": lambda: tf.keras.losses.get(None),
        "get dict": lambda: tf.keras.losses.get({"class_name": "Huber", "config": {"delta": 0.5}})(
            tf.constant([0.0]), tf.constant([2.0])
        ),
        "from_config": lambda: tf.keras.losses.Huber.from_config({"delta": 0.5})(
            tf.constant([0.0]), tf.constant([2.0])
        ),
        "tf.losses functions": lambda: [hasattr(tf.losses, name) for name in ("mse", "MSE", "mean_squared_error")],
    }


def reductions(tf):
    mse = tf.keras.losses.MeanSquaredError
    true, guess = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.5, 2.0], [5.0, 1.0]])
    answers = {
        str(kind): (lambda kind=kind: mse(reduction=kind)(true, guess))
        for kind in ("sum_over_batch_size", "sum", "none", None, "mean", "mean_with_sample_weight")
    }
    answers |= {
        f"{kind} weighted": (lambda kind=kind: mse(reduction=kind)(true, guess, sample_weight=[1.0, 3.0]))
        for kind in ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")
    }
    return answers | {
        "weighted is divided by the batch size": lambda: mse()(true, guess, sample_weight=[1.0, 0.0]),
        "weights of a column": lambda: mse()(true, guess, sample_weight=[[1.0], [0.0]]),
        "weights of a scalar": lambda: mse()(true, guess, sample_weight=2.0),
        "weights misfit": lambda: refused(lambda: mse()(true, guess, sample_weight=[1.0, 2.0, 3.0])),
        "zero weights": lambda: mse()(true, guess, sample_weight=[0.0, 0.0]),
        "unknown": lambda: mse(reduction="nonsense"),
        "auto": lambda: refused(lambda: mse(reduction="auto")),
        "call is per sample": lambda: mse().call(true, guess),
        "empty batch": lambda: mse()(tf.zeros((0, 2)), tf.zeros((0, 2))),
        "sequences": lambda: mse()(tf.zeros((2, 3, 4)), tf.ones((2, 3, 4)) * 2.0),
    }


def squared_errors(tf):
    k = tf.keras.losses

    def of(loss, truth, guess, **arguments):
        return loss(tf.constant(truth), tf.constant(guess), **arguments)

    return {
        "squeezes the guess": lambda: of(k.MeanSquaredError(), [1.0, 2.0], [[1.0], [4.0]]),
        "squeezes the truth": lambda: of(k.MeanSquaredError(), [[1.0], [2.0]], [1.0, 4.0]),
        "function squeezes": lambda: of(k.mse, [1.0, 2.0], [[1.0], [4.0]]),
        "of integers": lambda: of(k.MeanSquaredError(), [1, 2], [1.5, 2.5]),
        "of integers both": lambda: of(k.MeanSquaredError(), [[1, 2]], [[1, 4]]),
        "of float64": lambda: k.MeanSquaredError()(tf.constant([1.0], tf.float64), tf.constant([2.0], tf.float64)),
        "function of float64": lambda: k.mse(tf.constant([1.0], tf.float64), tf.constant([2.0], tf.float64)),
        "dtype argument": lambda: of(k.MeanSquaredError(dtype="float64"), [1.0], [2.0]),
        "shape mismatch": lambda: refused(lambda: of(k.MeanSquaredError(), [[1.0, 2.0, 3.0]], [[1.0, 2.0]])),
        "of arrays": lambda: k.MeanSquaredError()(np.array([[1.0, 2.0]]), np.array([[2.0, 2.0]])),
        "huber delta": lambda: of(k.Huber(delta=0.5), [0.0, 0.0], [0.25, 2.0]),
        "huber function": lambda: of(k.huber, [[0.0, 0.0]], [[0.5, 2.0]], delta=1.0),
        "huber at delta": lambda: value_and_gradients(
            tf, lambda p: k.huber(tf.constant([[0.0, 0.0]]), p), tf.constant([[1.0, -1.0]])
        ),
        "absolute error at zero": lambda: value_and_gradients(
            tf, lambda p: k.mae(tf.constant([[1.0, 2.0]]), p), tf.constant([[1.0, 3.0]])
        ),
        "percentage of zero": lambda: of(k.mape, [[0.0]], [[1.0]]),
        "logcosh far": lambda: of(k.logcosh, [[0.0]], [[100.0]]),
        "hinge of zeros and ones": lambda: of(k.Hinge(), [[0.0, 1.0]], [[0.6, 0.4]]),
        "hinge of signs": lambda: of(k.hinge, [[-1.0, 1.0]], [[0.6, 0.4]]),
        "poisson of zero": lambda: of(k.poisson, [[1.0]], [[0.0]]),
        "cosine of zeros": lambda: of(k.cosine_similarity, [[0.0, 0.0]], [[1.0, 0.0]]),
        "cosine axis": lambda: of(k.CosineSimilarity(axis=0), [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]]),
        "msle": lambda: of(k.msle, [[0.0, 1.0]], [[-5.0, 2.0]]),
    }


def cross_entropies(tf):
    k = tf.keras.losses

    def guess(loss, truth, values):
        return value_and_gradients(tf, lambda p: loss(tf.constant(truth), p), tf.constant(values))

    def of(loss, truth, values, **arguments):
        return loss(tf.constant(truth), tf.constant(values), **arguments)

    logits = [[2.0, -1.0, 0.5], [0.0, 3.0, 0.0]]
    answers = {
        "categorical": lambda: guess(k.CategoricalCrossentropy(), TRUE, GUESS),
        "divides by the sum": lambda: guess(k.categorical_crossentropy, TRUE, [[2.0, 6.0, 2.0], [1.0, 2.0, 1.0]]),
        "clips": lambda: guess(k.categorical_crossentropy, TRUE, [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        "logits by mistake": lambda: guess(k.categorical_crossentropy, TRUE, logits),
        "from_logits": lambda: guess(k.CategoricalCrossentropy(from_logits=True), TRUE, logits),
        "smoothing": lambda: guess(k.CategoricalCrossentropy(label_smoothing=0.3), TRUE, GUESS),
        "smoothing of logits": lambda: guess(
            lambda y, p: k.categorical_crossentropy(y, p, from_logits=True, label_smoothing=0.3), TRUE, logits
        ),
        "axis": lambda: guess(
            lambda y, p: k.categorical_crossentropy(y, p, axis=0), [[0.0, 1.0], [1.0, 0.0]], [[0.3, 0.6], [0.7, 0.4]]
        ),
        "shapes differ": lambda: of(k.CategoricalCrossentropy(), TRUE, [[0.5, 0.5], [0.5, 0.5]]),
        "kl clips": lambda: guess(k.kld, [[0.0, 1.0]], [[0.0, 0.5]]),
    }
    sparse = k.sparse_categorical_crossentropy
    answers |= {
        "sparse": lambda: guess(k.SparseCategoricalCrossentropy(), [1, 0], GUESS),
        "sparse function": lambda: guess(sparse, [1, 0], GUESS),
        "sparse of a column": lambda: guess(sparse, [[1], [0]], GUESS),
        "sparse of floats": lambda: guess(sparse, [1.0, 0.0], GUESS),
        "sparse from_logits": lambda: guess(k.SparseCategoricalCrossentropy(from_logits=True), [1, 0], logits),
        "sparse from_logits function": lambda: guess(lambda y, p: sparse(y, p, from_logits=True), [1, 0], logits),
        "sparse not normalised": lambda: guess(sparse, [1, 0], [[2.0, 6.0, 2.0], [1.0, 2.0, 1.0]]),
        "sparse clips": lambda: guess(sparse, [1, 0], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        "sparse logits by mistake": lambda: guess(sparse, [1, 0], logits),
        "sparse ignore_class": lambda: guess(lambda y, p: sparse(y, p, ignore_class=-1), [1, -1], GUESS),
        "sparse ignore_class averaged": lambda: of(k.SparseCategoricalCrossentropy(ignore_class=0), [1, 0], GUESS),
        "sparse label beyond": lambda: of(k.SparseCategoricalCrossentropy(), [1, 3], GUESS),
        "sparse label beyond of logits": lambda: of(k.SparseCategoricalCrossentropy(from_logits=True), [1, 3], logits),
        "sparse batch differs": lambda: of(k.SparseCategoricalCrossentropy(), [1, 0, 2], GUESS),
        "sparse weighted": lambda: of(
            k.SparseCategoricalCrossentropy(), [1, 0], GUESS, sample_weight=tf.constant([1.0, 2.0])
        ),
        "sparse sequence": lambda: of(k.SparseCategoricalCrossentropy(), [[1, 0]], [GUESS]),
    }
    return answers | {
        "binary": lambda: guess(k.BinaryCrossentropy(), [[0.0, 1.0]], [[0.25, 0.75]]),
        "binary clips": lambda: guess(k.binary_crossentropy, [[0.0, 1.0]], [[1.0, 0.0]]),
        "binary from_logits": lambda: guess(k.BinaryCrossentropy(from_logits=True), [[0.0, 1.0]], [[-2.0, 0.5]]),
        "binary smoothing": lambda: guess(k.BinaryCrossentropy(label_smoothing=0.2), [[0.0, 1.0]], [[0.25, 0.75]]),
        "binary of a vector": lambda: of(k.BinaryCrossentropy(), [0.0, 1.0], [0.25, 0.75]),
        "binary of integers": lambda: of(k.BinaryCrossentropy(), [0, 1], [0.25, 0.75]),
        "binary shapes differ": lambda: of(k.BinaryCrossentropy(), [[0.0, 1.0]], [[0.25, 0.75, 0.5]]),
        "focal": lambda: of(
            k.BinaryFocalCrossentropy(gamma=3.0, apply_class_balancing=True), [[0.0, 1.0]], [[0.25, 0.75]]
        ),
    }


def own_losses(tf):
    class Own(tf.keras.losses.Loss):
        def call(self, y_true, y_pred):
            return tf.reduce_sum(tf.abs(y_true - y_pred), -1)

    return {
        "subclass": lambda: Own()(tf.constant(TRUE), tf.constant(GUESS)),
        "subclass name": lambda: Own(name="own").name,
        "subclass sum": lambda: Own(reduction="sum")(tf.constant(TRUE), tf.constant(GUESS)),
        "base call": lambda: tf.keras.losses.Loss()(1.0, 2.0),
    }


def of_regions(tf):
    k = tf.keras.losses

    def both(loss, truth, guess):
        return value_and_gradients(tf, lambda p: loss(tf.constant(truth), p), tf.constant(guess))

    made = {
        "Dice": lambda: both(k.Dice(), TRUE, GUESS),
        "Dice of axes": lambda: both(k.Dice(axis=1, reduction="sum"), TRUE, GUESS),
        "Tversky": lambda: both(k.Tversky(0.3, 0.7), TRUE, GUESS),
        "tversky": lambda: both(lambda y, p: k.tversky(y, p, axis=-1), TRUE, GUESS),
        "dice": lambda: both(k.dice, TRUE, GUESS),
    }
    kinds = (k.Dice, k.Tversky)
    return made | {
        f"config of {kind.__name__}": (lambda kind=kind: dict(sorted(kind().get_config().items()))) for kind in kinds
    }


def of_sequences(tf):
    def ask(labels, steps, classes=4, **options):
        labels = np.array(labels, np.int32)
        logits = tf.constant(
            np.sin(np.arange(len(labels) * steps * classes) * 0.7).reshape(-1, steps, classes) * 2, tf.float32
        )
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.keras.losses.CTC(**options)(labels, logits)
        return [loss, tape.gradient(loss, logits)]

    return {
        "CTC": lambda: ask([[1, 2, 0], [3, 3, 1]], 6),
        "CTC none": lambda: ask([[1, 2, 0], [3, 3, 1]], 6, reduction="none"),
        "no label": lambda: ask([[0, 0]], 3),
        "a single step": lambda: ask([[2]], 1),
        "repeated": lambda: ask([[1, 1, 1]], 5),
        "just enough steps": lambda: ask([[1, 2, 1]], 3),
        "function": lambda: tf.keras.losses.ctc(np.array([[1, 2]]), tf.ones((1, 4, 3))),
        "name and configuration": lambda: str(sorted(tf.keras.losses.CTC().get_config().items())),
        "labels of rank 1": lambda: tf.keras.losses.ctc(np.array([1, 2]), tf.ones((1, 4, 3))),
        "logits of rank 2": lambda: tf.keras.losses.ctc(np.array([[1, 2]]), tf.ones((4, 3))),
    }
