"""Gradient accumulation: four small batches make one update, as one large batch would, by hand and by the optimizer."""

import numpy as np
from sklearn.datasets import load_diabetes

import fastgrad as tf

PARTS = 4


def load_batches():
    data = load_diabetes()
    features = (data.data / data.data.std(0)).astype(np.float32)[:440]
    targets = (data.target / 100).astype(np.float32)[:440, None]
    return tf.data.Dataset.from_tensor_slices((features, targets)).batch(11).repeat(10)


def gradients_of(model, features, targets):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(features) - targets))
    return loss, tape.gradient(loss, model.trainable_variables)


def make_model():
    tf.random.set_seed(0)
    return tf.keras.Sequential(
        [tf.keras.layers.Dense(8, activation="tanh", input_shape=(10,)), tf.keras.layers.Dense(1)]
    )


def by_hand():
    model = make_model()
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
    sums = [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in model.trainable_variables]

    @tf.function
    def accumulate(features, targets):
        loss, gradients = gradients_of(model, features, targets)
        for total, gradient in zip(sums, gradients):
            total.assign_add(gradient)
        return loss

    @tf.function
    def update():
        optimizer.apply_gradients((total / PARTS, weight) for total, weight in zip(sums, model.trainable_variables))
        for total in sums:
            total.assign(tf.zeros_like(total))

    for number, (features, targets) in enumerate(load_batches(), start=1):
        loss = accumulate(features, targets)
        if number % PARTS == 0:
            update()
    return model, float(loss)


def by_the_optimizer():
    model = make_model()
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.01, gradient_accumulation_steps=PARTS)

    @tf.function
    def update(features, targets):
        _, gradients = gradients_of(model, features, targets)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    for features, targets in load_batches():
        update(features, targets)
    return model


def main():
    model, loss = by_hand()
    same = by_the_optimizer()
    difference = max(
        float(tf.reduce_max(tf.abs(a - b))) for a, b in zip(model.trainable_variables, same.trainable_variables)
    )
    print(f"loss {loss:.4f}; the two ways differ by {difference:.1e}")
    return loss, difference


if __name__ == "__main__":
    main()
