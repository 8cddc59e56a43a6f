"""Linear regression: the progression of diabetes from the body-mass index, as a straight line W * x + b."""

import numpy as np
from sklearn.datasets import load_diabetes

import fastgrad as tf


def main():
    data = load_diabetes()
    x = data.data[:, 2].astype(np.float32)
    x /= x.std()
    y = data.target.astype(np.float32)

    W = tf.Variable(0.0, name="weight")
    b = tf.Variable(0.0, name="bias")
    optimizer = tf.optimizers.SGD(learning_rate=0.1)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(W * x + b - y))
        gradients = tape.gradient(loss, [W, b])
        optimizer.apply_gradients(zip(gradients, [W, b]))
        return loss

    for step in range(1000):
        loss = train()
        if step % 250 == 0:
            print(f"step {step}: loss {loss.numpy():.1f}")
    print(f"y = {W.numpy():.2f} x + {b.numpy():.2f}, loss {loss.numpy():.1f}")
    return W.numpy(), b.numpy()


if __name__ == "__main__":
    main()
