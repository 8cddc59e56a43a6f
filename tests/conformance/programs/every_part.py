"""Every activation, regulariser, constraint and initialiser once: numbers, gradients, configurations."""

import numpy as np

from ..differentiation import value_and_gradients

X = np.linspace(-4.0, 4.0, 9, dtype=np.float32).reshape(3, 3) + 0.05
KERNEL = np.sin(np.arange(3 * 4) * 0.7).reshape(3, 4).astype(np.float32) * 2

# Without sparsemax: Keras's rows do not add up to 1 where more than one element is left (3.15 adds partial sums).
ACTIVATIONS = [
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu"),
    *("soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus"),
    *("tanh", "tanh_shrink", "threshold"),
]
ARGUMENTS = {"threshold": (0.5, -2.0)}

REGULARIZERS = {
    "L1": lambda k: k.L1(0.3),
    "L2": lambda k: k.L2(0.3),
    "L1L2": lambda k: k.L1L2(0.3, 0.2),
    "l2": lambda k: k.get("l2"),
    "OrthogonalRegularizer": lambda k: k.OrthogonalRegularizer(0.3),
    "OrthogonalRegularizer of columns": lambda k: k.OrthogonalRegularizer(0.3, mode="columns"),
}
CONSTRAINTS = {
    "MaxNorm": lambda k: k.MaxNorm(1.0),
    "MaxNorm of rows": lambda k: k.MaxNorm(1.0, axis=1),
    "MinMaxNorm": lambda k: k.MinMaxNorm(1.5, 2.0, 0.5),
    "NonNeg": lambda k: k.NonNeg(),
    "UnitNorm": lambda k: k.UnitNorm(),
    "non_neg": lambda k: k.get("non_neg"),
}
FIXED = {
    "Zeros": lambda k: k.Zeros(),
    "Ones": lambda k: k.Ones(),
    "Constant": lambda k: k.Constant(2.5),
    "Identity": lambda k: k.Identity(0.5),
}
RANDOM = {
    "RandomNormal": lambda k: k.RandomNormal(1.0, 0.5, seed=1),
    "RandomUniform": lambda k: k.RandomUniform(-1.0, 3.0, seed=1),
    "TruncatedNormal": lambda k: k.TruncatedNormal(1.0, 0.5, seed=1),
    "GlorotNormal": lambda k: k.GlorotNormal(1),
    "GlorotUniform": lambda k: k.GlorotUniform(1),
    "HeNormal": lambda k: k.HeNormal(1),
    "HeUniform": lambda k: k.HeUniform(1),
    "LecunNormal": lambda k: k.LecunNormal(1),
    "LecunUniform": lambda k: k.LecunUniform(1),
    "VarianceScaling": lambda k: k.VarianceScaling(2.0, "fan_avg", "untruncated_normal", 1),
    "VarianceScaling of axes": lambda k: k.VarianceScaling(seed=1, input_axes=(0,), output_axes=(1,)),
    "Orthogonal": lambda k: k.Orthogonal(2.0, 1),
}


def _config(obj):
    return dict(sorted(obj.get_config().items()))


def activations(tf):
    k = tf.keras.activations

    def made(name):
        function, arguments = getattr(k, name), ARGUMENTS.get(name, ())
        x = tf.constant(KERNEL if name == "glu" else X)
        return value_and_gradients(tf, lambda x: function(x, *arguments), x)

    answers = {name: (lambda name=name: made(name)) for name in ACTIVATIONS}
    return answers | {
        "by their names": lambda: [k.get(name).__name__ for name in ACTIVATIONS],
        "written down": lambda: [k.serialize(getattr(k, name)) for name in ACTIVATIONS],
    }


def regularizers(tf):
    k = tf.keras.regularizers
    answers = {
        name: (lambda make=make: value_and_gradients(tf, make(k), tf.constant(KERNEL)))
        for name, make in REGULARIZERS.items()
    }
    return answers | {f"config of {name}": (lambda make=make: _config(make(k))) for name, make in REGULARIZERS.items()}


def constraints(tf):
    k = tf.keras.constraints
    answers = {name: (lambda make=make: make(k)(tf.constant(KERNEL))) for name, make in CONSTRAINTS.items()}
    return answers | {f"config of {name}": (lambda make=make: _config(make(k))) for name, make in CONSTRAINTS.items()}


def initializers(tf):
    k = tf.keras.initializers

    def moments(make):
        """Mean and deviation of many draws, coarsely: they are other draws."""
        x = np.asarray(make(k)((200, 300)))
        return [str(x.dtype), round(float(x.mean()), 1), round(float(x.std()) * 5, 1)]

    def columns():
        x = np.asarray(k.Orthogonal(2.0, 1)((6, 4)))
        return tf.constant(np.round(x.T @ x, 4))

    answers = {name: (lambda make=make: make(k)((3, 3), dtype="float32")) for name, make in FIXED.items()}
    answers |= {name: (lambda make=make: moments(make)) for name, make in RANDOM.items()}
    answers |= {f"config of {name}": (lambda make=make: _config(make(k))) for name, make in (FIXED | RANDOM).items()}
    answers.pop("config of Identity")  # Keras leaves the factor out
    return answers | {"orthogonal columns": columns}
