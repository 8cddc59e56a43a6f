"""The cost of the tape: recording, gradients of chains, second-order gradients and Jacobians."""

from typing import Any

from benchmarks import data


class Chain:
    """`x -> tanh(x) * x` again and again: the tape's cost per operation."""

    params = (1, 10, 100)
    param_names = ("length",)
    version = "1"

    def setup(self, length: int) -> None:
        import fastgrad as tf

        self.tf = tf
        self.x = tf.Variable(data.uniform(16))
        self.length = length
        self.time_forward_and_gradient(length)

    def forward(self) -> Any:
        """Returns the scalar at the end of the chain."""
        y = self.x * 1.0
        for _ in range(self.length):
            y = self.tf.tanh(y) * y
        return self.tf.reduce_sum(y)

    def time_forward(self, length: int) -> None:
        self.forward()

    def time_forward_recorded(self, length: int) -> None:
        with self.tf.GradientTape():
            self.forward()

    def time_forward_and_gradient(self, length: int) -> None:
        with self.tf.GradientTape() as tape:
            y = self.forward()
        tape.gradient(y, self.x)


class Higher:
    """The time of nested tapes and Jacobians of a dense layer."""

    version = "1"

    def setup(self) -> None:
        import fastgrad as tf

        self.tf = tf
        self.x = tf.constant(data.uniform(8, 16))
        self.kernel = tf.Variable(data.uniform(16, 8, seed=1))
        self.time_second_order()
        self.time_jacobian()

    def time_second_order(self) -> None:
        tf = self.tf
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = tf.reduce_sum(tf.tanh(self.x @ self.kernel))
            slope = tf.reduce_sum(tf.square(inner.gradient(y, self.kernel)))
        outer.gradient(slope, self.kernel)

    def time_jacobian(self) -> None:
        with self.tf.GradientTape() as tape:
            y = self.tf.reduce_sum(self.tf.tanh(self.x @ self.kernel), axis=0)
        tape.jacobian(y, self.kernel)
