"""A noisy line: Adam(clipnorm=1.0) keeps single steps small when a batch holds an outlier."""

import numpy as np

import fastgrad as tf


def main():
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, size=(512, 1)).astype(np.float32)
    y = (3 * x - 1 + random.standard_t(1.5, size=x.shape) / 10).astype(np.float32)

    tf.random.set_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, clipnorm=1.0)

    @tf.function
    def train(inputs, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs) - targets))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    for inputs, targets in tf.data.Dataset.from_tensor_slices((x, y)).shuffle(512, seed=0).batch(32).repeat(40):
        train(inputs, targets)
    slope, intercept = (float(weight.numpy().squeeze()) for weight in model.trainable_variables)
    print(f"y = {slope:.2f} x + {intercept:.2f}")
    return slope, intercept


if __name__ == "__main__":
    main()
