"""Every metric once: two batches, the second one weighted, then state, configuration and reset."""

import numpy as np

TRUE = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]], np.float32)
GUESS = np.array([[0.1, 0.7, 0.2], [0.4, 0.5, 0.1], [0.0, 0.3, 1.0], [0.25, 0.5, 0.25]], np.float32)
CLASSES, WEIGHTS = np.array([1, 0, 2, 1]), np.array([0.5, 1.0, 2.0, 0.25], np.float32)
GUESSED = np.array([1, 1, 2, 5])
NUMBERS, NEAR = TRUE * 3 - 1 + 0.1 * GUESS, TRUE * 2.5 + GUESS

METRICS = {
    "Accuracy": (lambda k: k.Accuracy(), CLASSES, GUESSED),
    "BinaryAccuracy": (lambda k: k.BinaryAccuracy(threshold=0.4), TRUE, GUESS),
    "CategoricalAccuracy": (lambda k: k.CategoricalAccuracy(), TRUE, GUESS),
    "SparseCategoricalAccuracy": (lambda k: k.SparseCategoricalAccuracy(), CLASSES, GUESS),
    "TopKCategoricalAccuracy": (lambda k: k.TopKCategoricalAccuracy(2), TRUE, GUESS),
    "SparseTopKCategoricalAccuracy": (lambda k: k.SparseTopKCategoricalAccuracy(2), CLASSES, GUESS),
    "BinaryCrossentropy": (lambda k: k.BinaryCrossentropy(label_smoothing=0.1), TRUE, GUESS),
    "CategoricalCrossentropy": (lambda k: k.CategoricalCrossentropy(from_logits=True), TRUE, GUESS),
    "SparseCategoricalCrossentropy": (lambda k: k.SparseCategoricalCrossentropy(), CLASSES, GUESS),
    "KLDivergence": (lambda k: k.KLDivergence(), TRUE, GUESS),
    "Poisson": (lambda k: k.Poisson(), TRUE, GUESS),
    "MeanSquaredError": (lambda k: k.MeanSquaredError(), TRUE, GUESS),
    "RootMeanSquaredError": (lambda k: k.RootMeanSquaredError(), TRUE, GUESS),
    "MeanAbsoluteError": (lambda k: k.MeanAbsoluteError(), TRUE, GUESS),
    "MeanAbsolutePercentageError": (lambda k: k.MeanAbsolutePercentageError(), TRUE + 1, GUESS),
    "MeanSquaredLogarithmicError": (lambda k: k.MeanSquaredLogarithmicError(), TRUE, GUESS),
    "CosineSimilarity": (lambda k: k.CosineSimilarity(), TRUE, GUESS),
    "Hinge": (lambda k: k.Hinge(), TRUE, GUESS),
    "SquaredHinge": (lambda k: k.SquaredHinge(), TRUE, GUESS),
    "CategoricalHinge": (lambda k: k.CategoricalHinge(), TRUE, GUESS),
    "R2Score": (lambda k: k.R2Score(), NUMBERS, NEAR),
    "R2Score of columns": (lambda k: k.R2Score(None), NUMBERS, NEAR),
    "R2Score weighted": (lambda k: k.R2Score("variance_weighted_average", num_regressors=2), NUMBERS, NEAR),
    "TruePositives": (lambda k: k.TruePositives(), TRUE, GUESS),
    "TrueNegatives": (lambda k: k.TrueNegatives([0.2, 0.8]), TRUE, GUESS),
    "FalsePositives": (lambda k: k.FalsePositives([0.0, 0.5, 1.0]), TRUE, GUESS),
    "FalseNegatives": (lambda k: k.FalseNegatives(0.25), TRUE[:, 0], GUESS[:, 0]),
    "Precision": (lambda k: k.Precision(), TRUE, GUESS),
    "Precision of the best": (lambda k: k.Precision(top_k=2), TRUE, GUESS),
    "Precision of a class": (lambda k: k.Precision([0.1, 0.4], class_id=1), TRUE, GUESS),
    "Recall": (lambda k: k.Recall(), TRUE, GUESS),
    "Recall of a class among the best": (lambda k: k.Recall(top_k=1, class_id=2), TRUE, GUESS),
    "Recall of columns": (lambda k: k.Recall(0.3), TRUE[:, :1], GUESS[:, 0]),
    "SpecificityAtSensitivity": (lambda k: k.SpecificityAtSensitivity(0.6, 20), TRUE, GUESS),
    "PrecisionAtRecall": (lambda k: k.PrecisionAtRecall(0.5, 1), TRUE, GUESS),
    "RecallAtPrecision": (lambda k: k.RecallAtPrecision(0.7, class_id=1), TRUE, GUESS),
    "AUC": (lambda k: k.AUC(), TRUE, GUESS),
    "AUC of few": (lambda k: k.AUC(3, summation_method="minoring"), TRUE, GUESS),
    "AUC of thresholds": (lambda k: k.AUC(thresholds=[0.45, 0.2], summation_method="majoring"), TRUE, GUESS),
    "AUC of logits": (lambda k: k.AUC(20, from_logits=True), TRUE, NEAR - 1),
    "AUC of columns": (lambda k: k.AUC(20, multi_label=True, num_labels=3), TRUE, GUESS),
    "AUC of weighted columns": (
        lambda k: k.AUC(9, "PR", multi_label=True, num_labels=3, label_weights=[0.2, 0.3, 0.5]),
        TRUE,
        GUESS,
    ),
    "AUC of weighted elements": (lambda k: k.AUC(9, label_weights=[0.2, 0.3, 0.5]), TRUE, GUESS),
    "AUC of precision": (lambda k: k.AUC(50, "PR"), TRUE, GUESS),
    "AUC of precision from below": (lambda k: k.AUC(50, "PR", "minoring"), TRUE, GUESS),
    "AUC of gains": (lambda k: k.AUC(50, "PRGAIN"), TRUE, GUESS),
    "F1Score": (lambda k: k.F1Score(), TRUE, GUESS),
    "F1Score micro": (lambda k: k.F1Score("micro", 0.3), TRUE, GUESS),
    "FBetaScore macro": (lambda k: k.FBetaScore("macro", 2.0), TRUE, GUESS),
    "FBetaScore weighted": (lambda k: k.FBetaScore("weighted", 0.5, 0.25), TRUE, GUESS),
    "IoU": (lambda k: k.IoU(3, [0, 2]), CLASSES, GUESSED % 3),
    "MeanIoU": (lambda k: k.MeanIoU(3, ignore_class=0, dtype="float32"), CLASSES, GUESSED % 3),
    "Mean": (lambda k: k.Mean(), NUMBERS, None),
    "Sum": (lambda k: k.Sum(), NUMBERS, None),
}


def _plain(config):
    """Without names, and without options that Keras leaves out; numbers as Python's."""
    arrays = ("thresholds", "label_weights", "target_class_ids")
    return {
        key: np.asarray(value).tolist() if key in arrays and value is not None else value
        for key, value in sorted(config.items())
        if key not in ("name", "from_sorted_ids") and (key != "axis" or "num_classes" in config)
    }


def _asked(tf, name):
    make, y, p = METRICS[name]
    weights = np.array([1, 2, 3, 4]) if name == "IoU" else WEIGHTS

    def updated():
        metric = make(tf.keras.metrics)
        data = [tf.constant(one) for one in (y, p) if one is not None]
        metric.update_state(*data)
        metric.update_state(*data, sample_weight=tf.constant(weights))
        return metric

    def reset():
        metric = updated()
        metric.reset_state()
        return [float(np.abs(np.asarray(v)).max()) for v in metric.variables]

    def again():
        metric = updated()
        copy = type(metric).from_config(metric.get_config())
        data = [tf.constant(one) for one in (y, p) if one is not None]
        copy.update_state(*data)
        copy.update_state(*data, sample_weight=tf.constant(weights))
        return bool(np.array_equal(copy.result(), metric.result(), equal_nan=True))

    return {
        "result": lambda: tf.convert_to_tensor(updated().result()),
        "state": lambda: [
            [v.name, str(np.asarray(v).dtype), np.asarray(v).astype(np.float32)] for v in updated().variables
        ],
        "configuration": lambda: _plain(make(tf.keras.metrics).get_config()),
        "reset": reset,
        "made again": again,
    }


def results(tf):
    return {f"{name}: {question}": answer for name in METRICS for question, answer in _asked(tf, name).items()}
