"""Fine-tuning: a network that another process trained on the digits 0 to 4 learns 5 to 9 by its last layer alone."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import fastgrad as tf


def load_data(first, last):
    digits = load_digits()
    chosen = (digits.target >= first) & (digits.target <= last)
    return (digits.data[chosen] / 16).astype(np.float32), digits.target[chosen] - first


def make_model():
    return tf.keras.Sequential(
        [
            tf.keras.layers.Dense(64, activation="relu", input_shape=(64,)),
            tf.keras.layers.Dense(32, activation="relu"),
            tf.keras.layers.Dense(5),
        ]
    )


def train(model, images, labels, steps):
    loss_function = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)

    @tf.function
    def update():
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    for _ in range(steps):
        update()
    return np.mean(np.argmax(model(images), axis=1) == labels)


def pretrain(file):
    tf.random.set_seed(0)
    model = make_model()
    train(model, *load_data(0, 4), steps=100)
    tf.keras.models.save_model(model, file)


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits_0_to_4.safetensors"
        subprocess.run([sys.executable, __file__, str(file)], check=True)
        model = tf.keras.models.load_model(file)

    for layer in model.layers[:-1]:
        layer.trainable = False
    frozen = [weight.numpy() for layer in model.layers[:-1] for weight in layer.weights]
    images, labels = load_data(5, 9)
    before = np.mean(np.argmax(model(images), axis=1) == labels)
    after = train(model, images, labels, steps=150)
    unchanged = all(
        np.array_equal(weight, old)
        for weight, old in zip([w for layer in model.layers[:-1] for w in layer.weights], frozen)
    )
    print(f"{len(model.trainable_variables)} of {len(model.weights)} weights trained; others unchanged: {unchanged}")
    print(f"accuracy on 5 to 9: {before:.3f} before, {after:.3f} after")
    return before, after, unchanged


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pretrain(sys.argv[1])
    else:
        main()
