"""Handwritten digits by a small convolutional network, with Keras's compile, fit and evaluate."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastgrad as tf


def load_data():
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    return train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)


def make_model():
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10),
        ]
    )


def main(seed=0, epochs=20):
    tf.keras.utils.set_random_seed(seed)
    train_images, test_images, train_labels, test_labels = load_data()
    model = make_model()
    model.summary()
    steps = epochs * -(-len(train_images) // 64)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(0.003, steps)),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(train_images, train_labels, batch_size=64, epochs=epochs)
    loss, accuracy = model.evaluate(test_images, test_labels, batch_size=360, verbose=0)
    print(f"test loss {loss:.4f}, accuracy {100 * accuracy:.1f} %")
    return accuracy


if __name__ == "__main__":
    main()
