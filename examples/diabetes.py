"""Regression on scikit-learn's diabetes data: raw features, a normalization layer that adapts to them, early stopping."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import fastgrad as tf


def load_data():
    data = load_diabetes(scaled=False)
    features, targets = data.data.astype(np.float32), data.target[:, None].astype(np.float32)
    return train_test_split(features, targets, test_size=0.25, random_state=0)


def main():
    tf.keras.utils.set_random_seed(0)
    train_features, test_features, train_targets, test_targets = load_data()
    normalization = tf.keras.layers.Normalization()
    normalization.adapt(train_features)
    inputs = tf.keras.Input((10,))
    hidden = tf.keras.layers.Dense(32, activation="relu")(normalization(inputs))
    outputs = tf.keras.layers.Dense(1, bias_initializer=tf.keras.initializers.Constant(train_targets.mean()))(hidden)
    model = tf.keras.Model(inputs, outputs)
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    stopping = tf.keras.callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True)
    history = model.fit(
        train_features,
        train_targets,
        batch_size=32,
        epochs=200,
        validation_split=0.2,
        callbacks=[stopping],
        verbose=0,
    )
    _, error = model.evaluate(test_features, test_targets, verbose=0)
    guess = np.abs(test_targets - train_targets.mean()).mean()
    epochs = len(history.history["loss"])
    print(f"stopped after {epochs} epochs; mean error {error:.1f}, of the mean as a guess {guess:.1f}")
    return epochs, error, guess


if __name__ == "__main__":
    main()
