"""Logistic regression on scikit-learn's breast cancer data, with metrics and the ROC curve.

python examples/breast_cancer.py [--output build]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_curve
from sklearn.model_selection import train_test_split

import fastgrad as tf


def load_data():
    data = load_breast_cancer()
    malignant = (data.target == 0).astype(np.float32)  # what the test is to find
    return train_test_split(data.data.astype(np.float32), malignant, test_size=0.25, stratify=malignant, random_state=0)


def draw_roc_curve(labels, chances, area, file):
    from matplotlib.figure import Figure

    false_positives, true_positives, _ = roc_curve(labels, chances)
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(false_positives, true_positives, label=f"area {area:.4f}")
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axes.set_xlabel("healthy taken for ill")
    axes.set_ylabel("ill found")
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=Path("build"))
    options = parser.parse_args(arguments)
    tf.keras.utils.set_random_seed(0)
    train_features, test_features, train_labels, test_labels = load_data()
    normalization = tf.keras.layers.Normalization()
    normalization.adapt(train_features)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((30,)),
            normalization,
            tf.keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=tf.keras.regularizers.L2(0.003)),
        ]
    )
    model.compile(
        optimizer=tf.keras.optimizers.SGD(0.1, momentum=0.9),
        loss="binary_crossentropy",
        metrics=["accuracy", tf.keras.metrics.AUC(name="area"), tf.keras.metrics.Recall(name="found")],
    )
    model.fit(train_features, train_labels, batch_size=32, epochs=30, verbose=0)
    found = model.evaluate(test_features, test_labels, return_dict=True, verbose=0)
    print(", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "breast_cancer_roc.png"
    draw_roc_curve(test_labels, model.predict(test_features, verbose=0)[:, 0], found["area"], file)
    print(f"drawn: {file}")
    return found


if __name__ == "__main__":
    main()
