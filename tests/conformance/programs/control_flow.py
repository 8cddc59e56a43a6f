"""Python control flow under a tape: it differentiates as it ran."""


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
    }
