"""Python control flow and its functional forms under a tape."""


def python_control_flow(tf):
    def gradient(function, value=2.0):
        x = tf.Variable(value)
        with tf.GradientTape() as tape:
            y = function(x)
        return tape.gradient(y, x)

    def branch(x):
        return x * x if x > 1 else x * 10.0

    def loop(x):
        y = x
        while y < 100:
            y = y * x
        return y

    def counted(x):
        y = 0.0
        for i in range(4):
            if i % 2:
                y = y + x**i
        return y

    def recursive(x, depth=3):
        return x if depth == 0 else x * recursive(x, depth - 1)

    def caught(x):
        try:
            y = x * 3.0
            raise ValueError
        except ValueError:
            return y * x

    def over_elements(x):
        return sum(element * element for element in x)

    return {
        "if": lambda: gradient(branch),
        "else": lambda: gradient(branch, 0.5),
        "while": lambda: gradient(loop),
        "for": lambda: gradient(counted),
        "recursion": lambda: gradient(recursive),
        "exception": lambda: gradient(caught),
        "iteration": lambda: gradient(over_elements, [1.0, 2.0]),
        "tf.cond": lambda: gradient(lambda x: tf.cond(x > 1, lambda: x * 3.0, lambda: x)),
        "tf.case": lambda: gradient(lambda x: tf.case([(x < 1, lambda: x), (x < 3, lambda: x * 5.0)])),
        "tf.switch_case": lambda: gradient(lambda x: tf.switch_case(tf.constant(1), [lambda: x, lambda: x * 7.0])),
        "tf.while_loop": lambda: gradient(
            lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (0, tf.constant(1.0)))[1]
        ),
        "tf.scan": lambda: gradient(
            lambda x: tf.reduce_sum(tf.scan(lambda a, e: a * x + e, tf.constant([1.0, 2.0, 3.0])))
        ),
        "tf.foldl": lambda: gradient(lambda x: tf.foldl(lambda a, e: a * x + e, tf.constant([1.0, 2.0, 3.0]))),
        "tf.map_fn": lambda: gradient(lambda x: tf.reduce_sum(tf.map_fn(lambda e: e * x, tf.constant([1.0, 2.0])))),
        "tf.vectorized_map": lambda: tf.vectorized_map(lambda e: e * e, tf.constant([1.0, 2.0])),
        "tf.cond needs callables": lambda: tf.cond(True, 1, 2),
    }
