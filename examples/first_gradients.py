"""First gradients: of x**2 and of x * y**2, and what `print` and `repr` show of a tensor."""

import fastgrad as tf


def main():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x**2
    gradient = tape.gradient(y, x)
    print(gradient)
    print(repr(gradient))

    x, y = tf.Variable(2.0, name="x"), tf.Variable(3.0, name="y")
    with tf.GradientTape() as tape:
        z = x * y**2
    gradients = tape.gradient(z, {"x": x, "y": y})
    print(gradients["x"], gradients["y"])
    print(repr(x))


if __name__ == "__main__":
    main()
