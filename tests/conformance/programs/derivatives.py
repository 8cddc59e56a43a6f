"""Higher orders, Jacobians, custom gradients, forward mode."""


def higher_order(tf):
    def nth(function, value, order):
        x = tf.Variable(value, dtype=tf.float64)
        tapes = [tf.GradientTape() for _ in range(order)]
        for tape in tapes:
            tape.__enter__()
        y = function(x)
        for tape in reversed(tapes):
            tape.__exit__(None, None, None)
            y = tape.gradient(y, x)
        return y

    def hessian():
        x = tf.Variable([1.0, 2.0], dtype=tf.float64)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = x[0] ** 2 * x[1] ** 3
            g = inner.gradient(y, x)
        return outer.jacobian(g, x)

    def persistent_second():
        x = tf.Variable(3.0)
        with tf.GradientTape(persistent=True) as tape:
            y = x**3
            g = tape.gradient(y, x)
        return tape.gradient(g, x)

    def gradient_penalty():
        w, x = tf.Variable([2.0, -1.0]), tf.constant([[1.0, 3.0]])
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.tanh(x * w))
            g = inner.gradient(y, x)
            penalty = tf.reduce_sum(g * g)
        return outer.gradient(penalty, w)

    return {
        "x^5, third": lambda: nth(lambda x: x**5, 2.0, 3),
        "x^5, sixth": lambda: nth(lambda x: x**5, 2.0, 6),
        "tanh, second": lambda: nth(tf.tanh, 0.5, 2),
        "tanh, fourth": lambda: nth(tf.tanh, 0.5, 4),
        "sin, fourth": lambda: nth(tf.sin, 0.5, 4),
        "exp, fifth": lambda: nth(tf.exp, 0.5, 5),
        "sigmoid, third": lambda: nth(tf.sigmoid, 0.5, 3),
        "log, third": lambda: nth(tf.math.log, 0.5, 3),
        "x*x, third": lambda: nth(lambda x: x * x, 2.0, 3),
        "linear, second": lambda: nth(lambda x: 3.0 * x, 2.0, 2),
        "relu, second": lambda: nth(tf.nn.relu, 2.0, 2),
        "softplus, second": lambda: nth(tf.nn.softplus, 0.5, 2),
        "hessian": hessian,
        "persistent tape inside itself": persistent_second,
        "gradient penalty": gradient_penalty,
    }


def jacobians(tf):
    def jacobian(function, value, method="jacobian", **arguments):
        x = tf.constant(value)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = function(x)
        return getattr(tape, method)(y, x, **arguments)

    def of_two_sources():
        x, w = tf.constant([1.0, 2.0]), tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = x * w
        return tape.jacobian(y, {"w": w, "x": x})

    matrix = [[1.0, 2.0], [3.0, 4.0]]
    return {
        "vector": lambda: jacobian(lambda x: x * x, [1.0, 2.0]),
        "without pfor": lambda: jacobian(lambda x: x * x, [1.0, 2.0], experimental_use_pfor=False),
        "matrix to vector": lambda: jacobian(lambda x: tf.reduce_sum(x * x, 1), matrix),
        "scalar target": lambda: jacobian(lambda x: tf.reduce_sum(x * x), [1.0, 2.0]),
        "scalar source": lambda: jacobian(lambda x: x * [1.0, 2.0], 3.0),
        "unconnected": lambda: jacobian(lambda x: tf.constant([1.0]), [1.0, 2.0]),
        "several sources": of_two_sources,
        "batch": lambda: jacobian(lambda x: x * x, matrix, "batch_jacobian"),
        "batch to one": lambda: jacobian(lambda x: tf.reduce_sum(x * x, 1, True), matrix, "batch_jacobian"),
        "batch of a vector": lambda: jacobian(lambda x: x * x, [1.0, 2.0], "batch_jacobian"),
        "batch of different sizes": lambda: jacobian(lambda x: x[:1], matrix, "batch_jacobian"),
        "batch unconnected": lambda: jacobian(tf.zeros_like, matrix, "batch_jacobian"),
        "batch unconnected zero": lambda: jacobian(
            lambda x: tf.constant([[1.0], [1.0]]), matrix, "batch_jacobian", unconnected_gradients="zero"
        ),
    }


def custom_gradients(tf):
    @tf.custom_gradient
    def clipped(x):
        def grad(upstream):
            return tf.clip_by_value(upstream, -1.0, 1.0)

        return x * 10.0, grad

    @tf.custom_gradient
    def product(x, y):
        def grad(upstream):
            return upstream * 100.0, upstream * 200.0

        return x * y, grad

    @tf.custom_gradient
    def two_results(x):
        def grad(first, second):
            return first + 10.0 * second

        return (x * 1.0, x * 2.0), grad

    @tf.custom_gradient
    def softly(x):
        e = tf.exp(x)

        def grad(upstream):
            return upstream * (1 - 1 / (1 + e))

        return tf.math.log(1 + e), grad

    @tf.custom_gradient
    def too_many(x):
        return x * 1.0, lambda upstream: (upstream, upstream)

    @tf.custom_gradient
    def without_function(x):
        return x

    v = tf.Variable(5.0)

    @tf.custom_gradient
    def with_variable(x):
        def grad(upstream, variables=None):
            return upstream * 7.0, [upstream * 11.0 for _ in variables]

        return x * v, grad

    @tf.custom_gradient
    def without_variables_argument(x):
        return x * v, lambda upstream: upstream

    def of(function, *values):
        inputs = [tf.constant(value) for value in values]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            result = function(*inputs)
        return [result, tape.gradient(result, inputs)]

    def variable_gradient():
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = with_variable(x)
        return tape.gradient(y, [x, v])

    def second():
        x = tf.constant(0.5)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = softly(x)
            g = inner.gradient(y, x)
        return outer.gradient(g, x)

    def recomputed():
        w = tf.Variable(2.0)
        function = tf.recompute_grad(lambda x: tf.sin(x * w))
        x = tf.constant(0.5)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, [x, w])

    return {
        "one input": lambda: of(lambda x: clipped(x) * 5.0, 3.0),
        "two inputs": lambda: of(product, 2.0, 3.0),
        "two results": lambda: of(lambda x: tf.add_n(list(two_results(x))), 3.0),
        "big input stays finite": lambda: of(softly, 200.0),
        "second order": second,
        "variables": variable_gradient,
        "variables without the argument": lambda: of(without_variables_argument, 2.0),
        "too many gradients": lambda: of(too_many, 1.0),
        "no grad function returned": lambda: of(without_function, 1.0),
        "recompute_grad": recomputed,
        "no_gradient by stop": lambda: of(lambda x: tf.stop_gradient(x) + x, 1.0),
        "grad_pass_through": lambda: of(tf.grad_pass_through(tf.round), 2.6),
    }


def forward_mode(tf):
    def jvp(function, primal, tangent):
        x = tf.constant(primal)
        with tf.autodiff.ForwardAccumulator(x, tf.constant(tangent)) as accumulator:
            y = function(x)
        return accumulator.jvp(y)

    def forward_over_reverse():
        x = tf.constant([1.0, 2.0])
        with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 0.0])) as accumulator:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_prod(x**2)
            g = tape.gradient(y, x)
        return accumulator.jvp(g)

    def of_a_variable():
        v = tf.Variable(3.0)
        with tf.autodiff.ForwardAccumulator(v, tf.constant(1.0)) as accumulator:
            y = v * v
        return accumulator.jvp(y)

    def mismatched():
        return tf.autodiff.ForwardAccumulator(tf.constant([1.0, 2.0]), tf.constant([1.0]))

    return {
        "square": lambda: jvp(lambda x: x * x, [1.0, 2.0], [1.0, 0.5]),
        "matmul": lambda: jvp(lambda x: x @ tf.transpose(x), [[1.0, 2.0]], [[1.0, 0.0]]),
        "sin": lambda: jvp(tf.sin, 0.5, 2.0),
        "unconnected": lambda: jvp(lambda x: tf.constant(1.0), 1.0, 1.0),
        "forward over reverse": forward_over_reverse,
        "variable": of_a_variable,
        "shapes differ": mismatched,
    }
