"""Transfer learning with Keras on fastgrad: a MobileNet that knows the digits 0 to 4 is frozen, and a new head learns 5 to 9.

Install: pip install "fastgrad[keras]" scikit-learn
"""

import keras_fastgrad  # noqa: F401, I001  # before keras, which then runs on fastgrad
import keras
import numpy as np
from sklearn.datasets import load_digits


def load_data(first, last):
    """Returns images of 32 by 32 pixels and three channels, and labels from 0, split into training and test."""
    digits = load_digits()
    chosen = (digits.target >= first) & (digits.target <= last)
    images = np.repeat(np.repeat(digits.images[chosen] / 8 - 1, 4, axis=1), 4, axis=2)
    images = np.repeat(images[..., None], 3, axis=-1).astype("float32")
    labels = digits.target[chosen] - first
    return (images[:700], labels[:700]), (images[700:], labels[700:])


def make_model(backbone):
    head = [keras.layers.Flatten(), keras.layers.Dense(5)]
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, *head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    return model


def main():
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None)
    backbone = keras.Model(
        network.input, network.get_layer("conv_pw_5_relu").output
    )  # later layers know only five digits
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.99 would keep most of the first averages after so few batches
    (images, labels), test = load_data(0, 4)
    model = make_model(backbone)
    model.fit(images, labels, batch_size=50, epochs=12, verbose=0)
    pretrained = model.evaluate(*test, verbose=0)[1]
    print(f"digits 0 to 4, all layers: test accuracy {pretrained:.3f}")

    backbone.trainable = False
    before = backbone.get_weights()
    (images, labels), test = load_data(5, 9)
    model = make_model(backbone)
    model.fit(images, labels, batch_size=50, epochs=20, verbose=0)
    transferred = model.evaluate(*test, verbose=0)[1]
    print(f"digits 5 to 9, new head alone: test accuracy {transferred:.3f}")
    changed = sum(not np.array_equal(a, b) for a, b in zip(before, backbone.get_weights()))
    print(f"changed arrays of the frozen backbone: {changed} of {len(before)}")
    return pretrained, transferred, changed


if __name__ == "__main__":
    main()
