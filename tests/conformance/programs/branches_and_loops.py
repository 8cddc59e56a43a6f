"""cond, case, switch_case, while_loop and functions over rows: eagerly, inside tf.function, and their gradients."""

import numpy as np

ROWS = [[1.0, 2.0], [3.0, -4.0], [0.5, 6.0]]


def _both(tf, questions):
    """Each question asked eagerly, and as the third call of a tf.function; a question is (function, arguments)."""
    asked = {}
    for name, (function, *arguments) in questions.items():
        compiled = tf.function(function)

        def repeated(compiled=compiled, arguments=arguments):
            for _ in range(2):
                compiled(*map(tf.constant, arguments))
            return compiled(*map(tf.constant, arguments))

        asked[name] = lambda function=function, arguments=arguments: function(*map(tf.constant, arguments))
        asked[f"{name}, compiled"] = repeated
    return asked


def branches(tf):
    def chosen(x):
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * 2.0, lambda: x - 1.0)

    def structure(x):
        return tf.cond(x > 1.0, lambda: {"a": x, "b": (x * 2.0,)}, lambda: {"a": -x, "b": (x,)})

    def cases(i):
        pairs = [(i < 0, lambda: tf.constant(-1)), (i < 10, lambda: i * 2)]
        return tf.case(pairs, default=lambda: tf.constant(99))

    def switched(i):
        return tf.switch_case(i, [lambda: i + 10, lambda: i + 20], default=lambda: i + 30)

    def last(i):
        return tf.switch_case(i, {0: lambda: i + 10, 1: lambda: i + 20})

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(x > 1.0, lambda: x * x, lambda: 10.0 * x)
        return tape.gradient(y, x)

    return _both(
        tf,
        {
            "true": (chosen, [1.0, 2.0]),
            "false": (chosen, [1.0, -2.0]),
            "structure": (structure, 2.0),
            "other structure": (structure, 0.5),
            "first case": (cases, -3),
            "second case": (cases, 3),
            "default": (cases, 30),
            "branch 0": (switched, 0),
            "branch 1": (switched, 1),
            "no such branch": (switched, 7),
            "negative branch": (switched, -1),
            "last branch": (last, 7),
            "gradient of true": (gradient, 3.0),
            "gradient of false": (gradient, 0.5),
        },
    )


def loops(tf):
    def counted(n, x):
        return tf.while_loop(lambda i, x: i < n, lambda i, x: (i + 1, x * 2.0), (tf.constant(0), x))

    def bounded(n, x):
        return tf.while_loop(lambda x: x < 100.0, lambda x: (x * 2.0,), (x,), maximum_iterations=3)

    def pair(n, x):
        return tf.while_loop(
            lambda i, p: i < n, lambda i, p: [i + 1, {"a": p["a"] + x, "b": p["a"]}], [0, {"a": x, "b": x}]
        )

    def gradient(n, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * x + 1.0), (0, x))[1]
            first = tape.gradient(y, x)
        return first, outer.gradient(first, x)

    return _both(
        tf,
        {
            "trips": (counted, 5, [1.0, 2.0]),
            "no trips": (counted, 0, [1.0, 2.0]),
            "at most": (bounded, 0, 3.0),
            "structure": (pair, 4, [1.0, 2.0]),
            "gradients": (gradient, 4, 1.5),
        },
    )


def loops_in_loops(tf):
    def inner(trips, y):
        return tf.while_loop(lambda j, _: j < trips, lambda j, z: (j + 1, 0.9 * tf.sin(z)), (0, y))[1]

    def directly(n, m, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, inner(m * i, y) + x), (0, x))[1]

    def in_a_branch(n, m, x):
        def trip(i, y):
            return i + 1, tf.cond(y[0] > 0.4, lambda: 0.5 * y, lambda: inner(m * i, y) + x)

        return tf.while_loop(lambda i, _: i < n, trip, (0, x))[1]

    def for_each_row(n, m, x):
        return tf.vectorized_map(lambda row: in_a_branch(n, m, row), tf.stack([x, -x, 2.0 * x]))

    def with_gradient(function):
        def program(n, m, x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(n, m, x)
            return y, tape.gradient(y, x)

        return program

    def calls(program):
        """More trips from call to call."""
        sizes = [(2, 1), (2, 1), (3, 12), (9, 5), (2, 2)]
        return [program(tf.constant(n), tf.constant(m), tf.constant([0.3, 0.7])) for n, m in sizes]

    asked = {}
    for name, function in {"directly": directly, "in a branch": in_a_branch, "for each row": for_each_row}.items():
        program = with_gradient(function)
        asked[name] = lambda program=program: calls(program)
        asked[f"{name}, compiled"] = lambda program=program: calls(tf.function(program))
    return asked


def rows(tf):
    def summed(x):
        return tf.map_fn(tf.reduce_sum, x)

    def typed(x):
        return tf.map_fn(lambda r: (tf.cast(r[0], tf.int32), r * 2.0), x, fn_output_signature=(tf.int32, tf.float32))

    def ran(x):
        return tf.scan(lambda a, r: a * 0.5 + r, x)

    def backwards(x):
        return tf.scan(lambda a, r: a * 0.5 + r, x, initializer=tf.ones([2]), reverse=True)

    def left(x):
        return tf.foldl(lambda a, r: a * 0.5 + r, x)

    def right(x):
        return tf.foldr(lambda a, r: a * 0.5 + r, x, initializer=tf.zeros([2]))

    def vectorised(x):
        return tf.vectorized_map(lambda r: (tf.reduce_max(r), r * r), x)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.scan(lambda a, r: a * r + 1.0, x) ** 2)
        return tape.gradient(y, x)

    functions = [summed, typed, ran, backwards, left, right, vectorised, gradient]
    return _both(tf, {function.__name__: (function, np.array(ROWS, np.float32)) for function in functions})


def refusals(tf):
    true, one = tf.constant(True), tf.constant([1.0])
    return {
        "cond of no function": lambda: tf.cond(true, 1, lambda: 2),
        "cond of one function": lambda: tf.cond(true, lambda: 1),
        "cond of a vector": lambda: tf.cond(tf.constant([True, False]), lambda: 1, lambda: 2),
        "case of no pairs": lambda: tf.case([], default=lambda: 1),
        "case of Python booleans": lambda: tf.case([(True, lambda: 1)], default=lambda: 2),
        "case of nothing true": lambda: tf.case([(tf.constant(False), lambda: 1)]),
        "case of several": lambda: tf.case([(true, lambda: 1), (true, lambda: 2)], lambda: 3, exclusive=True),
        "switch_case of a Python number": lambda: tf.switch_case(1, [lambda: 1]),
        "switch_case of a float": lambda: tf.switch_case(tf.constant(1.0), [lambda: 1]),
        "switch_case of no functions": lambda: tf.switch_case(tf.constant(0), []),
        "switch_case with a gap": lambda: tf.switch_case(tf.constant(0), {0: lambda: 1, 5: lambda: 2}),
        "while_loop of no variables": lambda: tf.while_loop(lambda: False, lambda: 1, []),
        "while_loop of another structure": lambda: tf.while_loop(lambda i, j: i < 2, lambda i, j: (i + 1,), [0, 1]),
        "while_loop without a body": lambda: tf.while_loop(lambda i: False, 1, [0]),
        "map_fn of a scalar": lambda: tf.map_fn(lambda x: x, tf.constant(1.0)),
        "map_fn of another dtype": lambda: tf.map_fn(lambda x: tf.cast(x, tf.int32), one),
        "map_fn of other rows": lambda: tf.map_fn(lambda x: x[0], (one, tf.constant([1.0, 2.0])), tf.float32),
        "map_fn of other shapes": lambda: tf.map_fn(tf.range, tf.constant([1, 2])),
        "scan of another dtype": lambda: tf.scan(lambda a, x: tf.cast(a, tf.int32), one, initializer=1.0),
        "scan of no rows": lambda: tf.scan(lambda a, x: a, tf.zeros([0])),
        "foldl of no rows": lambda: tf.foldl(lambda a, x: a, tf.zeros([0])),
        "foldl of a scalar": lambda: tf.foldl(lambda a, x: a, tf.constant(1.0)),
    }
