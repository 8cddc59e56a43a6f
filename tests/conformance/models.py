"""Models that both libraries are given."""


def model_of_all_parts(tf):
    """A module with variables, containers, other values, and functions with and without a signature."""

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable([[1.0, 2.0]], name="w")
            self.variables_of_all_kinds = [tf.Variable(1.0), tf.Variable(2.0, trainable=False)]
            self.parts = {"a": tf.Variable(3.0)}
            self.constant, self.number = tf.constant(5.0), 3

        @tf.function(input_signature=[tf.TensorSpec([None, 1], name="inp")])
        def __call__(self, x):
            return self.forward(x) + 1.0

        @tf.function(input_signature=[tf.TensorSpec([None, 1])])
        def forward(self, x):
            return tf.matmul(x, self.w)

        @tf.function(input_signature=[tf.TensorSpec([])])
        def add(self, x):
            self.variables_of_all_kinds[0].assign_add(x)
            return self.variables_of_all_kinds[0].read_value()

        @tf.function
        def scaled(self, x, k=2):
            return {"y": x * k + self.constant, "z": (x, x)}

        def plain(self):
            return 1

    return Model()
