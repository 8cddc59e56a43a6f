"""Optimizers: weights that take their gradients as values, pairs that are none, schedules in place of rates."""

import numpy as np

GRADIENTS = [np.array([0.5, -2.0], np.float32), np.array([[3.0], [1.0]], np.float32), np.array(0.25, np.float32)]


def _weights(tf, overwritten):
    made = [tf.keras.Variable(np.ones_like(g), name=f"w{i}") for i, g in enumerate(GRADIENTS)]
    for place in overwritten:
        made[place].overwrite_with_gradient = True
    return made


def _stepped(tf, make, overwritten, compiled=False, late=False):
    """The weights after each of four steps, and the count of steps."""
    weights = _weights(tf, () if late else overwritten)
    optimizer = make(tf.keras.optimizers)

    def step(factor):
        optimizer.apply([tf.constant(g) * factor for g in GRADIENTS], weights)

    run = tf.function(step) if compiled else step
    answers = []
    for number in range(4):
        if late and number == 2:
            for place in overwritten:
                weights[place].overwrite_with_gradient = True
        run(tf.constant([1.0, 3.0, 2.0, 0.5][number]))
        answers.append([tf.convert_to_tensor(weight) for weight in weights])
    return [answers, int(optimizer.iterations)]


MAKES = {
    "SGD": lambda k: k.SGD(0.1),
    "Adam, clipped": lambda k: k.Adam(0.1, clipnorm=0.5),
    "SGD, decayed": lambda k: k.SGD(0.1, weight_decay=0.1),
    "accumulated": lambda k: k.SGD(0.1, gradient_accumulation_steps=2),
    "scaled": lambda k: k.SGD(0.1, loss_scale_factor=4.0),
    "dynamic scale": lambda k: k.LossScaleOptimizer(k.SGD(0.1), initial_scale=8.0),
}


def overwritten_weights(tf):
    def not_bool():
        tf.keras.Variable(1.0).overwrite_with_gradient = 1

    def of_layer():
        layer = tf.keras.layers.Layer()
        weight = layer.add_weight(shape=(2,), initializer="ones", overwrite_with_gradient=True)
        tf.keras.optimizers.SGD(1.0).apply_gradients([(tf.constant([5.0, 6.0]), weight)])
        return [weight.overwrite_with_gradient, tf.convert_to_tensor(weight)]

    return {
        **{
            f"{name}, {which}{', compiled' if compiled else ''}": lambda make=make, which=which, compiled=compiled: (
                _stepped(tf, make, which, compiled)
            )
            for name, make in MAKES.items()
            for which in ((0,), (1, 2), (0, 1, 2))
            for compiled in (False, True)
        },
        "after two steps": lambda: _stepped(tf, MAKES["SGD"], (0,), late=True),
        "not a bool": not_bool,
        "a layer's weight": of_layer,
        "at first": lambda: tf.keras.Variable(1.0).overwrite_with_gradient,
    }


def gradients_that_are_no_pairs(tf):
    def applied(pairs):
        weight = tf.keras.Variable([1.0, 2.0])
        return tf.keras.optimizers.SGD(0.1).apply_gradients(pairs(tf.constant([1.0, 1.0]), weight))

    return {
        "three in a tuple": lambda: applied(lambda g, v: [(g, v, v)]),
        "one in a tuple": lambda: applied(lambda g, v: [(g,)]),
        "none": lambda: applied(lambda g, v: []),
        "no gradient": lambda: applied(lambda g, v: [(None, v)]),
    }


def rates(tf):
    schedules = tf.keras.optimizers.schedules
    weight = tf.keras.Variable([1.0])

    def replaced(make):
        optimizer = tf.keras.optimizers.SGD(0.5)
        optimizer.learning_rate = make(optimizer.learning_rate)
        found = []
        for _ in range(6):
            found.append(float(optimizer.learning_rate))
            optimizer.apply_gradients([(tf.constant([1.0]), weight)])
        return np.array(found, np.float32)

    return {
        "PolynomialDecay": lambda: replaced(lambda rate: schedules.PolynomialDecay(rate, 4)),
        "ExponentialDecay": lambda: replaced(lambda rate: schedules.ExponentialDecay(rate, 4, 0.5)),
        "InverseTimeDecay": lambda: replaced(lambda rate: schedules.InverseTimeDecay(rate, 4, 0.5)),
        "CosineDecay": lambda: replaced(lambda rate: schedules.CosineDecay(rate, 4)),
        "CosineDecayRestarts": lambda: replaced(lambda rate: schedules.CosineDecayRestarts(rate, 4)),
        "of a tensor": lambda: schedules.PolynomialDecay(tf.constant(0.5), 4)(2),
        "of a NumPy number": lambda: schedules.PolynomialDecay(np.float32(0.5), 4)(2),
    }
