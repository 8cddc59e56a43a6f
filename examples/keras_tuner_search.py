"""Hyperparameters by KerasTuner on fastgrad: a random search over a network for the digits.

Install: pip install "fastgrad[keras]" keras-tuner tensorboard scikit-learn
"""

import tempfile

import keras_fastgrad

keras_fastgrad.activate(packages=["keras_tuner", "tensorboard"])  # these import tensorflow themselves

import keras  # noqa: E402
import keras_tuner  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402


def make_model(choices):
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(choices.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(choices.Choice("units", [8, 32, 64]), activation="relu"))
    model.add(keras.layers.Dense(10))
    rate = choices.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def main():
    keras.utils.set_random_seed(0)
    digits = load_digits()
    images, test_images, labels, test_labels = train_test_split(
        digits.data.astype("float32") / 16, digits.target, test_size=0.2, random_state=0
    )
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(make_model, "val_accuracy", max_trials=8, seed=0, directory=folder)
        tuner.search(images, labels, validation_split=0.2, epochs=8, batch_size=64, verbose=0)
        for trial in tuner.oracle.get_best_trials(3):
            print(f"validation accuracy {trial.score:.3f}: {trial.hyperparameters.values}")
        best = tuner.get_best_models()[0]
    accuracy = best.evaluate(test_images, test_labels, verbose=0)[1]
    print(f"test accuracy of the best: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
