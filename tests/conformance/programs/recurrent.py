"""Recurrent layers: outputs, states and gradients from given weights, masks, names, configurations, refusals."""

import numpy as np

from ..refusal import refused

X = np.sin(np.arange(2 * 4 * 3, dtype=np.float64) * 0.7).reshape(2, 4, 3)
MASK = np.array([[True, True, False, False], [False, True, False, True]])
KINDS = ("LSTM", "GRU", "SimpleRNN")


def _with_weights(layer, x=X, **options):
    """The layer, built, with weights that are the same everywhere."""
    layer(x, **options)
    weights = []
    for place, weight in enumerate(layer.weights):
        size = int(np.prod(weight.shape))
        weights.append(0.6 * np.cos(np.arange(size, dtype=np.float64) * 1.3 + place).reshape(tuple(weight.shape)))
    layer.set_weights(weights)
    return layer


def _differentiated(tf, layer, x=X, **options):
    """What the layer gives, and the gradients of its weights and of its inputs."""
    layer = _with_weights(layer, x, **options)
    states = options.get("initial_state") or []
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        found = tf.nest.flatten(layer(x, **options))
        total = sum(tf.reduce_sum(y * y * (place + 1.0)) for place, y in enumerate(found))
    return found, tape.gradient(total, [*layer.trainable_variables, x, *states])


def _cases(tf, kind):
    make = getattr(tf.keras.layers, kind)

    def made(**arguments):
        return make(3, dtype="float64", **arguments)

    states = [tf.constant(np.cos(np.arange(6.0) + n).reshape(2, 3)) for n in range(2 if kind == "LSTM" else 1)]
    mask = tf.constant(MASK)
    everything = {"return_sequences": True, "return_state": True}
    return {
        "last output": lambda: _differentiated(tf, made()),
        "sequences and states": lambda: _differentiated(tf, made(**everything)),
        "from a state": lambda: _differentiated(tf, made(**everything), initial_state=states),
        "backwards": lambda: _differentiated(tf, made(go_backwards=True, **everything)),
        "masked": lambda: _differentiated(tf, made(**everything), mask=mask),
        "masked from a state": lambda: _differentiated(tf, made(**everything), mask=mask, initial_state=states),
        "masked backwards": lambda: _differentiated(tf, made(go_backwards=True, **everything), mask=mask),
        "masked with zeros": lambda: _differentiated(tf, made(zero_output_for_mask=True, **everything), mask=mask),
        "masked, last output": lambda: _differentiated(tf, made(), mask=mask),
        "unrolled": lambda: _differentiated(tf, made(unroll=True, **everything), mask=mask),
        "without bias": lambda: _differentiated(tf, made(use_bias=False, return_sequences=True)),
        "relu": lambda: _differentiated(tf, made(activation="relu", return_sequences=True)),
        "one time step": lambda: _differentiated(tf, made(**everything), X[:, :1]),
        "one sequence": lambda: _differentiated(tf, made(**everything), X[:1]),
        "stateful": lambda: _stateful(made(stateful=True)),
        "bidirectional": lambda: _differentiated(tf, tf.keras.layers.Bidirectional(made(), dtype="float64")),
        "bidirectional sequences": lambda: _differentiated(
            tf, tf.keras.layers.Bidirectional(made(**everything), "sum", dtype="float64"), mask=mask
        ),
        "shapes": lambda: [make(3, **o).compute_output_shape((None, 4, 2)) for o in ({}, {"return_sequences": True})],
        "weights": lambda: [
            (w.path, tuple(w.shape)) for w in _with_weights(make(3, name="mine"), np.ones((1, 2, 3))).weights
        ],
        "arguments": lambda: sorted(
            [k, v]
            for k, v in make(3, name="mine").get_config().items()
            if isinstance(v, (str, bool, int, float)) and k != "implementation"  # which Keras forgets
        ),
        "no units": lambda: make(0),
        "of rank two": lambda: refused(lambda: make(3)(tf.ones((2, 3)))),
        "an unknown activation": lambda: make(3, activation="nonsense"),
        "another batch when stateful": lambda: refused(lambda: _with_weights(make(3, stateful=True))(X[:1])),
    }


def lstm(tf):
    return {
        **_cases(tf, "LSTM"),
        "the bias begins with ones for the forget gate": lambda: _zero_built(tf.keras.layers.LSTM(2)),
        "and with zeros": lambda: _zero_built(tf.keras.layers.LSTM(2, unit_forget_bias=False)),
        "gates that are cut": lambda: _differentiated(
            tf, tf.keras.layers.LSTM(3, recurrent_activation="hard_sigmoid", dtype="float64")
        ),
    }


def gru(tf):
    def before(**arguments):
        return tf.keras.layers.GRU(3, reset_after=False, dtype="float64", **arguments)

    return {
        **_cases(tf, "GRU"),
        "reset before the product": lambda: _differentiated(tf, before(return_sequences=True)),
        "the same without bias": lambda: _differentiated(tf, before(use_bias=False, return_state=True)),
        "the shape of its bias": lambda: [tuple(w.shape) for w in _with_weights(before()).weights],
    }


def simple_rnn(tf):
    found = _cases(tf, "SimpleRNN")
    del found["arguments"]  # Keras forgets the seed
    return found


def _zero_built(layer):
    layer.build((None, 4, 3))
    return layer.cell.bias.numpy()


def _stateful(layer):
    _with_weights(layer).reset_state()
    return [layer(X), layer(X), layer.states]


def cells(tf):
    layers = tf.keras.layers

    def stacked(**arguments):
        cells = [layers.LSTMCell(3, dtype="float64"), layers.GRUCell(2, dtype="float64")]
        return layers.RNN(cells, dtype="float64", return_state=True, **arguments)

    return {
        "stacked": lambda: _differentiated(tf, stacked()),
        "stacked, all outputs": lambda: _differentiated(tf, stacked(return_sequences=True)),
        "sizes": lambda: [
            layers.LSTMCell(3).state_size,
            layers.GRUCell(3).state_size,
            layers.SimpleRNNCell(3).state_size,
        ],
        "first states": lambda: [tuple(s.shape) for s in layers.LSTMCell(3).get_initial_state(2)],
        "no cell": lambda: layers.RNN(3),
        "a cell without a size": lambda: layers.RNN(layers.Dense(2)),
        "one direction twice": lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2)),
        "another merge mode": lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="nonsense"),
        "no layer for two directions": lambda: layers.Bidirectional(3),
    }


def masking(tf):
    layers = tf.keras.layers
    x = (X * MASK[:, :, None]).astype(np.float32)

    def through(*stack):
        model = tf.keras.Sequential([layers.Masking(), *stack])
        return _differentiated(tf, model, x)

    return {
        "masking": lambda: layers.Masking(mask_value=1.0)(tf.constant([[[1.0, 1.0], [1.0, 2.0]]])),
        "its mask": lambda: layers.Masking().compute_mask(tf.constant(x)),
        "through a model": lambda: through(layers.LSTM(3)),
        "through several layers": lambda: through(
            layers.LSTM(3, return_sequences=True),
            layers.Dense(2),
            layers.Activation("tanh"),
            layers.GRU(2),
        ),
        "in two directions": lambda: through(layers.Bidirectional(layers.GRU(2))),
        "of an embedding": lambda: _embedded(tf),
        "a loss leaves out what is masked": lambda: _masked_loss(tf),
        "time distributed": lambda: _differentiated(tf, layers.TimeDistributed(layers.Dense(2))),
        "time distributed needs time": lambda: refused(
            lambda: layers.TimeDistributed(layers.Dense(2))(tf.ones((2, 3)))
        ),
    }


def _embedded(tf):
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2)])
    ids = np.array([[1, 2, 0, 0], [4, 0, 3, 0]])
    return _with_weights(model, ids)(ids)


def _masked_loss(tf):
    layers = tf.keras.layers
    masked = layers.Masking()(tf.constant((X * MASK[:, :, None]).astype(np.float32)))
    return tf.keras.losses.MeanSquaredError()(np.ones((2, 4, 3), np.float32), masked)
