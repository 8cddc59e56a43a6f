"""A loss of one's own: mean absolute error, less moved by outliers than squares are."""

import numpy as np
from sklearn.datasets import load_diabetes

import fastgrad as tf


def mean_absolute_error(targets, predictions):
    return tf.reduce_mean(tf.abs(targets - predictions))


def main():
    data = load_diabetes()
    features = (data.data / data.data.std(0)).astype(np.float32)
    targets = data.target.astype(np.float32)[:, None]

    tf.random.set_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, bias_initializer="ones")])
    optimizer = tf.keras.optimizers.Adam(learning_rate=1.0)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = mean_absolute_error(targets, model(features))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    for step in range(600):
        loss = train()
        if step % 200 == 0:
            print(f"step {step}: mean absolute error {loss.numpy():.2f}")
    print(f"mean absolute error {loss.numpy():.2f}")
    return float(loss)


if __name__ == "__main__":
    main()
