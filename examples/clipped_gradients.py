"""Wines once more: labels are class numbers, and each gradient is clipped to norm 1 before it is applied."""

import numpy as np
from sklearn.datasets import load_wine

import fastgrad as tf


def load_batches():
    wine = load_wine()
    features = (wine.data - wine.data.mean(0)) / wine.data.std(0)
    dataset = tf.data.Dataset.from_tensor_slices((features.astype(np.float32), wine.target))
    batches = dataset.shuffle(178, seed=0).batch(16).repeat(30)
    return batches.map(lambda x, y: {"features": x, "label": y})


def main():
    tf.random.set_seed(0)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(16, activation="tanh"),
            tf.keras.layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy()

    @tf.function
    def train(batch):
        with tf.GradientTape() as tape:
            probabilities = model(batch["features"])
            losses = tf.keras.losses.sparse_categorical_crossentropy(batch["label"], probabilities)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients = [tf.clip_by_norm(gradient, 1.0) for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        accuracy.update_state(batch["label"], probabilities)
        return loss

    for step, batch in enumerate(load_batches()):
        loss = train(batch)
        if (step + 1) % 72 == 0:
            print(f"step {step + 1}: loss {loss.numpy():.4f}, accuracy {accuracy.result().numpy():.3f}")
            accuracy.reset_state()
    return float(loss)


if __name__ == "__main__":
    main()
