"""Recordings of small programs."""

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.recording.record import Recording


def record(function, *arrays):
    """The graph of ``function``, and what it returned; it takes tensors and returns a nested structure of tensors."""
    tensors = [tf.constant(array) for array in arrays]
    with Recording(tensors) as recording:
        results = tf.nest.flatten(function(*tensors))
    results = [tf.convert_to_tensor(result) for result in results if result is not None]
    graph = recording.graph(results)
    validate(graph)
    return graph, [result.numpy() for result in results]


def with_gradient(function):
    def program(*tensors):
        with tf.GradientTape() as tape:
            tape.watch([x for x in tensors if x.dtype.is_floating])
            results = [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*tensors)) if y is not None]
            total = tf.add_n([tf.reduce_sum(y * y) for y in results if y.dtype.is_floating])
        gradients = tape.gradient(total, [x for x in tensors if x.dtype.is_floating])
        return results + [tf.convert_to_tensor(g) for g in gradients if g is not None]

    return program


def step_and_state(seed):
    """A training step with dropout and Adam, and the state that it changes."""
    tf.random.set_seed(seed)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(5, activation="tanh", input_shape=(4,)),
            tf.keras.layers.Dropout(0.3),
            tf.keras.layers.Dense(3),
        ]
    )
    optimizer = tf.keras.optimizers.Adam(0.01)

    def step(x, labels):
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step, lambda: [v.numpy() for v in (*model.weights, *optimizer.variables)]
