"""Fake quantization, and its gradients."""

NUMBERS = [-10.0, -6.1, -6.0, -3.0, 0.0, 0.02, 0.024, 3.3, 5.97, 6.0, 7.0, float("nan")]


def fake_quantization(tf):
    q = tf.quantization
    x = tf.constant(NUMBERS)
    rows = tf.reshape(x, [4, 3])

    def gradients(low, high, **options):
        inputs, lower, upper = tf.Variable(x[:-1]), tf.Variable(low), tf.Variable(high)
        with tf.GradientTape() as tape:
            y = q.fake_quant_with_min_max_vars(inputs, lower, upper, **options) * tf.range(11.0)
        return tape.gradient(y, [inputs, lower, upper])

    def channel_gradients():
        inputs, lower, upper = tf.Variable(rows[:-1]), tf.Variable([-3.0, 0.0, 0.0]), tf.Variable([4.0, 0.0, 2.0])
        with tf.GradientTape() as tape:
            y = q.fake_quant_with_min_max_vars_per_channel(inputs, lower, upper) * tf.range(3.0)
        return tape.gradient(y, [inputs, lower, upper])

    def args_gradient():
        inputs = tf.Variable(x[:-1])
        with tf.GradientTape() as tape:
            y = q.fake_quant_with_min_max_args(inputs, num_bits=3)
        return tape.gradient(y, inputs)

    @tf.function
    def compiled(inputs, lower, upper):
        return q.fake_quant_with_min_max_vars(inputs, lower, upper, num_bits=4)

    return {
        "args": lambda: q.fake_quant_with_min_max_args(x),
        "args of few bits": lambda: q.fake_quant_with_min_max_args(x, min=-1.0, max=3.0, num_bits=2, narrow_range=True),
        "args gradient": args_gradient,
        "list of ints": lambda: q.fake_quant_with_min_max_args([1, 2]),
        "vars": lambda: q.fake_quant_with_min_max_vars(x, -3.0, 4.0, num_bits=4, narrow_range=True),
        "16 bits": lambda: q.fake_quant_with_min_max_vars(x, -3.0, 4.0, num_bits=16),
        "range above 0": lambda: q.fake_quant_with_min_max_vars(x, 1.0, 4.0),
        "range below 0": lambda: q.fake_quant_with_min_max_vars(x, -4.0, -1.0),
        "empty range": lambda: q.fake_quant_with_min_max_vars(x, 0.0, 0.0),
        "reversed range": lambda: q.fake_quant_with_min_max_vars(x, 5.0, 1.0),
        "gradients": lambda: gradients(-3.0, 4.0, num_bits=4),
        "gradients of an empty range": lambda: gradients(0.0, 0.0),
        "channels": lambda: q.fake_quant_with_min_max_vars_per_channel(rows, [-3.0, 0.0, 0.0], [4.0, 0.0, 2.0]),
        "channel gradients": channel_gradients,
        "compiled": lambda: [compiled(x, tf.constant(low), tf.constant(4.0)) for low in (-3.0, -2.0, -3.0)],
        "min above max": lambda: q.fake_quant_with_min_max_args(x, min=3.0, max=1.0),
        "too many bits": lambda: q.fake_quant_with_min_max_args(x, num_bits=17),
        "too few bits": lambda: q.fake_quant_with_min_max_vars(x, 0.0, 1.0, num_bits=1),
        "rank of a bound": lambda: q.fake_quant_with_min_max_vars(x, [5.0], 1.0),
        "number of channels": lambda: q.fake_quant_with_min_max_vars_per_channel(x, [5.0], [1.0]),
        "dtype": lambda: q.fake_quant_with_min_max_vars(tf.constant([1, 2]), 0.0, 1.0),
    }
