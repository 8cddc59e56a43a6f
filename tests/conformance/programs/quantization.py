"""Quantization to integers and back, fake quantization, and their gradients."""

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


def integer_quantization(tf):
    q = tf.quantization
    x = tf.constant([[-3.3, -1.0, -0.5], [0.24, 1.5, 3.7]])
    names = {"qint8": tf.qint8, "quint8": tf.quint8, "qint16": tf.qint16, "quint16": tf.quint16, "qint32": tf.qint32}
    modes = ["MIN_COMBINED", "MIN_FIRST", "SCALED"]

    def quantized(dtype, low=-3.0, high=3.0, x=x, **options):
        output, output_min, output_max = q.quantize(x, low, high, dtype, **options)
        return tf.cast(output, tf.float32), output_min, output_max

    def both(dtype, **options):
        results = q.quantize(x, -3.0, 2.5, dtype, **options)
        return q.dequantize(results.output, results.output_min, results.output_max, **options)

    def gradients(call, low, high, **options):
        inputs, lower, upper = tf.Variable(x), tf.Variable(low), tf.Variable(high)
        with tf.GradientTape() as tape:
            y = call(inputs, lower, upper, **options) * tf.reshape(tf.range(6.0), [2, 3])
        return tape.gradient(y, [inputs, lower, upper])

    @tf.function
    def compiled(x, low, high):
        results = q.quantize(x, low, high, tf.qint8, mode="SCALED")
        return q.dequantize(*results, mode="SCALED"), q.quantize_and_dequantize_v2(x, low, high, range_given=True)

    levels = tf.cast(q.quantize(x, -3.0, 3.0, tf.qint8).output, tf.float32)
    per_mode = {
        f"{what} {mode} {name}": lambda call=call, dtype=dtype, mode=mode: call(dtype, mode=mode)
        for what, call in {
            "quantize": quantized,
            "back": both,
            "range above 0": lambda dtype, mode: quantized(dtype, 1.0, 3.0, mode=mode),
            "range below 0": lambda dtype, mode: quantized(dtype, -3.0, -1.0, mode=mode),
            "empty range": lambda dtype, mode: quantized(dtype, 0.0, 0.0, mode=mode),
            "no smallest range": lambda dtype, mode: quantized(dtype, 0.0, 0.0, mode=mode, ensure_minimum_range=0.0),
        }.items()
        for mode in modes
        for name, dtype in names.items()
    }
    bounds = [-3.0, -2.0, 0.0], [3.0, 1.0, 2.0]
    integers = q.quantize(x, -3.0, 3.0, tf.qint8).output
    return per_mode | {
        "levels": lambda: levels,
        "bounds of columns": lambda: [
            quantized(tf.quint8, *bounds, mode=m, axis=1) for m in ("MIN_COMBINED", "SCALED")
        ],
        "bounds of rows": lambda: [quantized(tf.qint8, [-3.0, -2.0], [3.0, 1.0], mode="SCALED", axis=-2)],
        "back by columns": lambda: [
            q.dequantize(integers, *bounds, mode=m, axis=1) for m in ("MIN_COMBINED", "SCALED")
        ],
        "narrow range": lambda: quantized(tf.qint8, mode="SCALED", narrow_range=True),
        "halves to even": lambda: quantized(
            tf.qint8, -127.0, 127.0, [0.5, 1.5, -2.5], mode="SCALED", round_mode="HALF_TO_EVEN"
        ),
        "halves away from 0": lambda: quantized(tf.qint8, -127.0, 127.0, [0.5, 1.5, -2.5], mode="SCALED"),
        "no numbers": lambda: quantized(tf.qint8, x=[float("nan"), float("inf"), -float("inf")]),
        "bfloat16": lambda: q.dequantize(integers, -3.0, 3.0, dtype=tf.bfloat16),
        "bounds of one element": lambda: quantized(tf.qint8, [-3.0], [3.0]),
        "both": lambda: q.quantize_and_dequantize_v2(x, -3.0, 2.0),
        "both unsigned": lambda: q.quantize_and_dequantize_v2(x, -3.0, 2.0, signed_input=False, num_bits=4),
        "both in a range": lambda: q.quantize_and_dequantize_v2(x, -3.0, 2.0, range_given=True),
        "both narrow": lambda: q.quantize_and_dequantize_v2(x, -3.0, 2.0, range_given=True, narrow_range=True),
        "both half up": lambda: q.quantize_and_dequantize_v2(x, -127.0, 2.0, range_given=True, round_mode="HALF_UP"),
        "both by columns": lambda: q.quantize_and_dequantize_v2(x, 0.0, 0.0, axis=1),
        "both in float64": lambda: q.quantize_and_dequantize_v2(tf.cast(x, tf.float64), -3.0, 2.0, range_given=True),
        "both of zeros": lambda: q.quantize_and_dequantize_v2(x * 0.0, 0.0, 0.0),
        "both gradients": lambda: gradients(q.quantize_and_dequantize_v2, -3.0, 1.5, range_given=True),
        "both gradients of no range": lambda: gradients(q.quantize_and_dequantize_v2, *bounds, axis=1),
        "first gradients": lambda: gradients(q.quantize_and_dequantize, -3.0, 1.5, range_given=True),
        "compiled": lambda: compiled(x, tf.constant(-3.0), tf.constant(2.0)),
        "unknown mode": lambda: q.quantize(x, -3.0, 3.0, tf.qint8, mode="ROUND"),
        "halves to even in another mode": lambda: q.quantize(x, -3.0, 3.0, tf.qint8, round_mode="HALF_TO_EVEN"),
        "dtype of quantize": lambda: q.quantize(tf.constant([1, 2]), -3.0, 3.0, tf.qint8),
        "dtype of the integers": lambda: q.quantize(x, -3.0, 3.0, tf.int64),
        "reversed bounds": lambda: q.quantize(x, 3.0, -3.0, tf.qint8),
        "two bounds": lambda: q.quantize(x, [3.0, 2.0], 3.0, tf.qint8),
        "first mode by columns": lambda: q.quantize(x, *bounds, tf.qint8, mode="MIN_FIRST", axis=1),
        "axis": lambda: q.quantize(x, [3.0], [3.0], tf.qint8, axis=5),
        "number of bounds": lambda: q.dequantize(integers, [3.0], [3.0], axis=1),
        "dtype of dequantize": lambda: q.dequantize(x, -3.0, 3.0),
        "dtype of floats": lambda: q.dequantize(integers, -3.0, 3.0, dtype=tf.float16),
        "bfloat16 in another mode": lambda: q.dequantize(integers, -3.0, 3.0, mode="SCALED", dtype=tf.bfloat16),
        "bits": lambda: q.quantize_and_dequantize_v2(x, -3.0, 3.0, num_bits=70),
        "rounding": lambda: q.quantize_and_dequantize_v2(x, -3.0, 3.0, round_mode="HALF_AWAY"),
        "dtype of both": lambda: q.quantize_and_dequantize_v2(tf.constant([1, 2]), 0, 2),
        "reversed range of both": lambda: q.quantize_and_dequantize_v2(x, 3.0, -3.0, range_given=True),
        "vector as range of both": lambda: q.quantize_and_dequantize_v2(x, [-3.0], 3.0, range_given=True),
    }
