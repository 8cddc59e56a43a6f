"""Wines: a network with a softmax output, trained on batches that are dicts, by categorical cross-entropy."""

import numpy as np
from sklearn.datasets import load_wine

import fastgrad as tf


def load_batches():
    wine = load_wine()
    features = (wine.data - wine.data.mean(0)) / wine.data.std(0)
    data = {"features": features.astype(np.float32), "label": np.eye(3, dtype=np.float32)[wine.target]}
    dataset = tf.data.Dataset.from_tensor_slices(data)
    return dataset.shuffle(178, seed=0).batch(16).repeat(30).prefetch(tf.data.AUTOTUNE)


def main():
    tf.random.set_seed(0)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(16, activation="tanh"),
            tf.keras.layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = tf.keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    accuracy = tf.keras.metrics.Mean()

    @tf.function
    def train(batch):
        with tf.GradientTape() as tape:
            probabilities = model(batch["features"])
            losses = tf.keras.losses.categorical_crossentropy(batch["label"], probabilities)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        hits = tf.argmax(probabilities, axis=1) == tf.argmax(batch["label"], axis=1)
        accuracy(tf.cast(hits, tf.float32))
        return loss

    for step, batch in enumerate(load_batches()):
        loss = train(batch)
        if (step + 1) % 72 == 0:
            print(f"step {step + 1}: loss {loss.numpy():.4f}, accuracy {accuracy.result().numpy():.3f}")
            accuracy.reset_state()
    return float(loss)


if __name__ == "__main__":
    main()
