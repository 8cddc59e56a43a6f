"""Layers around others: cells of a user's own, stacked cells in compiled functions, dtypes of wrappers."""

import numpy as np

from ..weights import with_weights

X = np.sin(np.arange(2 * 3 * 4) * 0.7).reshape(2, 3, 4).astype(np.float32)
Y = np.array([[0.5], [-0.5]], np.float32)


def _cells(tf):
    layers = tf.keras.layers

    class OneState(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

        def call(self, inputs, states):
            h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent))
            return h, [h]

    class TwoStates(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units, self.state_size, self.output_size = units, [units, units], units
            self.dense = layers.Dense(units, use_bias=False)

        def call(self, inputs, states, training=False):
            first, second = states
            h = self.dense(inputs) + first * (2.0 if training else 1.0)
            return h - second, [h, second + 0.5]

    class FlatState(layers.Layer):
        state_size = 4

        def call(self, inputs, states):
            h = inputs + states[0]
            return h * h, h

    return {
        "one state": lambda: OneState(3),
        "two states": lambda: TwoStates(3),
        "state without a list": FlatState,
        "a stack": lambda: [OneState(3), TwoStates(2), layers.GRUCell(2)],
        "LSTM below GRU": lambda: [layers.LSTMCell(3), layers.GRUCell(2)],
        "a stack as a layer": lambda: layers.StackedRNNCells([layers.SimpleRNNCell(3), layers.LSTMCell(2)]),
    }


def _flat(tf, value):
    return [tf.convert_to_tensor(x) for x in tf.nest.flatten(value)]


def cells(tf):
    makes = _cells(tf)

    def made(name, **options):
        layer = tf.keras.layers.RNN(makes[name](), **options)
        layer(X)
        return with_weights(layer)

    def results(name, compiled, **options):
        layer = made(name, **options)
        call = tf.function(lambda x: layer(x)) if compiled else layer
        return [_flat(tf, call(tf.constant(x))) for x in (X, X * 2.0, X)]

    def fitted(name):
        model = tf.keras.Sequential([tf.keras.Input((3, 4)), made(name), tf.keras.layers.Dense(1)])
        with_weights(model)
        model.compile("sgd", "mse")
        history = model.fit(X, Y, epochs=3, verbose=0).history["loss"]
        return [np.array(history, np.float32), model.predict(X, verbose=0)]

    def named(name):
        return [[w.name, list(w.shape)] for w in made(name).weights]

    variants = {
        "last": {},
        "all": {"return_sequences": True, "return_state": True},
        "unrolled": {"unroll": True},
        "backwards": {"go_backwards": True, "return_state": True},
    }
    return {
        **{
            f"{name}, {variant}{', compiled' if compiled else ''}": lambda n=name, c=compiled, o=options: results(
                n, c, **o
            )
            for name in makes
            for variant, options in variants.items()
            for compiled in (False, True)
        },
        **{f"{name}, fitted": lambda name=name: fitted(name) for name in makes},
        **{f"{name}, weights": lambda name=name: named(name) for name in makes},
    }


def dtypes(tf):
    layers = tf.keras.layers

    def of(make, outer, inner):
        return [x.dtype for x in _flat(tf, make(outer, inner)(X))]

    makes = {
        "Bidirectional": lambda outer, inner: layers.Bidirectional(
            layers.LSTM(2, dtype=inner, return_state=True), dtype=outer
        ),
        "Bidirectional, both": lambda outer, inner: layers.Bidirectional(
            layers.GRU(2, dtype=inner, return_sequences=True), merge_mode=None, dtype=outer
        ),
        "Bidirectional, mean": lambda outer, inner: layers.Bidirectional(
            layers.SimpleRNN(2, dtype=inner), merge_mode="ave", dtype=outer
        ),
        "RNN": lambda outer, inner: layers.RNN(
            layers.LSTMCell(2, dtype=inner), return_sequences=True, return_state=True, dtype=outer
        ),
        "RNN of a stack": lambda outer, inner: layers.RNN(
            layers.StackedRNNCells([layers.GRUCell(2, dtype=inner), layers.GRUCell(3)], dtype=outer)
        ),
    }
    policies = tf.keras.mixed_precision

    def default_policy():
        policies.set_global_policy("mixed_float16")
        try:
            made = [tf.keras.DTypePolicy(), tf.keras.DTypePolicy(None)]
        finally:
            policies.set_global_policy("float32")
        return [[one.name, one.compute_dtype, one.variable_dtype] for one in [*made, tf.keras.DTypePolicy()]]

    return {
        **{
            f"{name} of {outer} around {inner}": lambda make=make, outer=outer, inner=inner: of(make, outer, inner)
            for name, make in makes.items()
            for outer in ("float32", "mixed_float16", "mixed_bfloat16", "float64")
            for inner in ("float32", "mixed_float16", "float64")
        },
        **{
            f"TimeDistributed of {outer} around {inner}": lambda outer=outer, inner=inner: of(
                lambda a, b: layers.TimeDistributed(layers.Dense(2, dtype=b), dtype=a), outer, inner
            )
            for outer in ("float32", "mixed_float16", "mixed_bfloat16")
            for inner in ("float32", "mixed_float16")
        },
        "the default policy": default_policy,
    }
