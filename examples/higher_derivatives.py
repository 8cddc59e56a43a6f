"""Higher derivatives: nested tapes, and Newton's method with the second derivative of a function."""

import fastgrad as tf


def derivatives(function, x):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = function(x)
        first = inner.gradient(y, x)
    return y, first, outer.gradient(first, x)


def main():
    _, first, second = derivatives(lambda x: x**3, 2.0)
    print(f"x**3 at 2: first derivative {first.numpy()}, second {second.numpy()}")

    x = tf.Variable(2.0)
    for step in range(5):
        value, first, second = derivatives(lambda x: tf.exp(x) - 3.0 * x, x)
        print(f"step {step}: x = {x.numpy():.6f}, exp(x) - 3 x = {value.numpy():.6f}")
        x.assign_sub(first / second)
    print(f"the least value is at x = {x.numpy():.6f}, log 3 = {tf.math.log(3.0).numpy():.6f}")
    return float(x)


if __name__ == "__main__":
    main()
