"""``tf.nn.RNNCell…Wrapper`` around cells of Keras 3, in a loop over time."""

import numpy as np

from ..refusal import refused

X = np.sin(np.arange(2 * 5 * 3, dtype=np.float32) * 0.7).reshape(2, 5, 3)


def _lstm(tf, units=3):
    return tf.keras.layers.LSTMCell(units, kernel_initializer="ones", recurrent_initializer="ones")


def _gru(tf):
    return tf.keras.layers.GRUCell(3, kernel_initializer="ones", recurrent_initializer="ones")


def _loop(tf, wrapper):
    """The last output and the last states."""
    state = wrapper.get_initial_state(batch_size=2, dtype=tf.float32)
    state = state if isinstance(state, (list, tuple)) else [state]
    for step in range(X.shape[1]):
        output, state = wrapper(tf.constant(X[:, step]), list(state))
    return output, list(state)


def _states_with_dropout(tf, **options):
    """Which of the states of an LSTM lose elements, or grow by the factor of dropout."""
    wrapper = tf.nn.RNNCellDropoutWrapper(_lstm(tf), state_keep_prob=1e-6, seed=1, **options)
    kept = _lstm(tf)
    inputs, states = tf.constant(X[:, 0]), [tf.ones((2, 3)), tf.ones((2, 3))]
    _, new = wrapper(inputs, states)
    _, plain = kept(inputs, states)
    return [bool(np.array_equal(a.numpy(), b.numpy())) for a, b in zip(new, plain, strict=True)]


def _variational(tf):
    """Whether calls draw once, and rows share the numbers."""
    wrapper = tf.nn.RNNCellDropoutWrapper(
        _lstm(tf, 8), 0.5, 0.5, 0.5, variational_recurrent=True, input_size=3, dtype=tf.float32
    )
    states = [tf.ones((2, 8)), tf.ones((2, 8))]
    outputs = [wrapper(tf.constant(X[:, 0]), states)[0].numpy() for _ in range(3)]
    return [
        all(np.array_equal(output, outputs[0]) for output in outputs),
        np.array_equal(outputs[0][0] != 0, outputs[0][1] != 0),
    ]


def cell_wrappers(tf):
    nn = tf.nn
    dropout, residual, device = nn.RNNCellDropoutWrapper, nn.RNNCellResidualWrapper, nn.RNNCellDeviceWrapper

    def config_of(wrapper):
        return {key: value for key, value in wrapper.get_config().items() if key not in ("cell", "name")}

    def compiled():
        wrapper = residual(_gru(tf))
        return tf.function(lambda x, state: wrapper(x, [state]))(tf.constant(X[:, 0]), tf.zeros((2, 3)))

    return {
        "residual": lambda: [_loop(tf, residual(_gru(tf))), _loop(tf, residual(_lstm(tf)))],
        "a residual function": lambda: _loop(tf, residual(_lstm(tf, 2), lambda x, y: y * 2 + x[:, :2])),
        "residual of other sizes": lambda: residual(_lstm(tf, 2))(tf.constant(X[:, 0]), [tf.zeros((2, 2))] * 2),
        "residual of one unit": lambda: residual(_lstm(tf, 1))(tf.constant(X[:, 0]), [tf.zeros((2, 1))] * 2),
        "device": lambda: _loop(tf, device(_lstm(tf), "/cpu:0")),
        "no dropout": lambda: _loop(tf, dropout(_lstm(tf))),
        "keep all, as a tensor": lambda: _loop(tf, dropout(_lstm(tf), output_keep_prob=tf.constant(1.0))),
        "keep nothing": lambda: refused(lambda: _loop(tf, dropout(_lstm(tf), output_keep_prob=0.0))),
        "a wrapper of a wrapper": lambda: _loop(tf, residual(dropout(_gru(tf)))),
        "compiled": compiled,
        "states kept": lambda: [
            _states_with_dropout(tf),
            _states_with_dropout(tf, dropout_state_filter_visitor=lambda s: False),
            _states_with_dropout(tf, dropout_state_filter_visitor=lambda s: isinstance(s, list)),
            _states_with_dropout(
                tf, dropout_state_filter_visitor=lambda s: [True, False] if isinstance(s, list) else True
            ),
        ],
        "variational": lambda: _variational(tf),
        "sizes": lambda: [
            (wrapper.state_size, wrapper.output_size) for wrapper in (dropout(_lstm(tf)), residual(_gru(tf)))
        ],
        "configurations": lambda: [
            config_of(w) for w in (dropout(_gru(tf), 0.5, seed=3), residual(_gru(tf)), device(_gru(tf), "/cpu:0"))
        ],
        "names": lambda: [residual(_gru(tf), name="w").name, type(dropout(_gru(tf)).wrapped_cell).__name__],
        "zero state": lambda: residual(_gru(tf)).zero_state(2, tf.float32),
        "no rows": lambda: residual(_gru(tf)).get_initial_state(batch_size=2),
        "in a layer": lambda: tf.keras.layers.RNN(residual(_gru(tf)))(tf.constant(X)),
        "no cell": lambda: residual(3),
        "a probability above 1": lambda: dropout(_gru(tf), 1.5),
        "a negative probability": lambda: dropout(_gru(tf), state_keep_prob=-0.5),
        "variational without a dtype": lambda: dropout(_gru(tf), variational_recurrent=True),
        "variational without a size": lambda: dropout(_gru(tf), 0.5, variational_recurrent=True, dtype=tf.float32),
        "a filter that is no function": lambda: dropout(_gru(tf), dropout_state_filter_visitor=3),
    }
