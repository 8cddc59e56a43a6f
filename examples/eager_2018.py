"""The spelling of 2018: tf.contrib.eager, tf.train's optimizers and a global step."""

import numpy as np

import fastgrad as tf
import fastgrad.contrib.eager as tfe

tf.enable_eager_execution()


def main():
    random = np.random.default_rng(0)
    x = random.normal(size=1000).astype(np.float32)
    y = (3 * x + 2 + random.normal(size=1000)).astype(np.float32)

    W = tfe.Variable(5.0, name="weight")
    b = tfe.Variable(10.0, name="bias")

    def loss(x, y):
        return tf.reduce_mean(tf.square(W * x + b - y))

    loss_and_gradients = tfe.implicit_value_and_gradients(loss)
    optimizer = tf.train.GradientDescentOptimizer(learning_rate=0.05)
    global_step = tf.train.get_or_create_global_step()
    for step in range(200):
        value, gradients_and_variables = loss_and_gradients(x, y)
        optimizer.apply_gradients(gradients_and_variables, global_step=global_step)
        if step % 50 == 0:
            print(f"loss at step {step:03d}: {value.numpy():.3f}")
    print(f"executing eagerly: {tf.executing_eagerly()}, W = {W.numpy():.2f}, b = {b.numpy():.2f}")

    cube = tfe.gradients_function(lambda z: z**3)
    print(f"the gradient of z**3 at 2: {cube(2.0)[0].numpy()}")
    return W.numpy(), b.numpy()


if __name__ == "__main__":
    main()
