"""Programs as users write them: filters, fields, graph networks, meta-learning, flows, differential equations, metrics."""

import numpy as np


def _normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def kalman_filter(tf):
    """Filters a series by ``tf.scan`` and smooths it backwards; the slope of its likelihood."""
    transition, observed = tf.constant([[1.0, 1.0], [0.0, 1.0]]), tf.constant([[1.0, 0.0]])
    noise, observation_noise = tf.eye(2) * 0.01, tf.constant([[0.25]])
    series = tf.constant(np.arange(12, dtype=np.float32)[:, None] * 0.5 + 0.5 * _normal(9, 12, 1))
    log_scale = tf.Variable(0.0)

    def step(state, z):
        mean, covariance, _ = state
        mean = tf.linalg.matvec(transition, mean)
        covariance = transition @ covariance @ tf.transpose(transition) + noise
        innovation = observed @ covariance @ tf.transpose(observed) + observation_noise
        gain = tf.transpose(tf.linalg.solve(innovation, observed @ covariance))
        error = z - tf.linalg.matvec(observed, mean)
        distance = tf.reduce_sum(error * tf.linalg.matvec(tf.linalg.inv(innovation), error))
        likelihood = -0.5 * (distance + tf.linalg.logdet(innovation) + np.float32(np.log(2 * np.pi)))
        return mean + tf.linalg.matvec(gain, error), (tf.eye(2) - gain @ observed) @ covariance, likelihood

    @tf.function
    def filtered():
        return tf.scan(step, series, (tf.zeros(2), tf.eye(2) * tf.exp(log_scale), tf.zeros([])))

    def answer():
        with tf.GradientTape() as tape:
            means, covariances, likelihoods = filtered()
            total = tf.reduce_sum(likelihoods)
        smooth = tf.scan(lambda a, x: 0.9 * a + 0.1 * x, means, initializer=tf.zeros(2), reverse=True)
        return [means, covariances[-1], total, tape.gradient(total, log_scale), smooth]

    return {"filter": answer}


def random_field(tf):
    """A linear chain conditional random field: likelihood with lengths, slopes, and the best path by ``tf.map_fn``."""
    steps, tags = 5, 3
    potentials, transitions = tf.Variable(_normal(10, 2, steps, tags)), tf.Variable(_normal(11, tags, tags))
    labels, lengths = tf.constant([[0, 1, 2, 1, 0], [2, 2, 1, 0, 0]]), tf.constant([5, 3])

    @tf.function
    def losses():
        alpha = potentials[:, 0]
        for t in tf.range(1, steps):
            following = tf.reduce_logsumexp(alpha[:, :, None] + transitions[None], 1) + potentials[:, t]
            alpha = tf.where((t < lengths)[:, None], following, alpha)
        mask = tf.sequence_mask(lengths, steps, dtype=tf.float32)
        unary = tf.reduce_sum(tf.gather(potentials, labels, batch_dims=2) * mask, 1)
        pairs = tf.gather_nd(transitions, tf.stack([labels[:, :-1], labels[:, 1:]], -1))
        return tf.reduce_logsumexp(alpha, -1) - unary - tf.reduce_sum(pairs * mask[:, 1:], 1)

    def best_path(scores):
        pointers = tf.TensorArray(tf.int64, size=steps - 1)
        best = scores[0]
        for t in range(1, steps):
            candidates = best[:, None] + transitions
            pointers = pointers.write(t - 1, tf.argmax(candidates, 0))
            best = tf.reduce_max(candidates, 0) + scores[t]
        path, back = [tf.argmax(best)], pointers.stack()
        for t in reversed(range(steps - 1)):
            path.insert(0, back[t, path[0]])
        return tf.stack(path), tf.reduce_max(best)

    def slopes():
        with tf.GradientTape() as tape:
            loss = losses()
        return [loss, *tape.gradient(loss, [potentials, transitions])]

    return {
        "loss and slopes": slopes,
        "best paths": lambda: tf.map_fn(best_path, potentials, fn_output_signature=(tf.int64, tf.float32)),
    }


def graph_attention(tf):
    sources, targets = tf.constant([0, 1, 2, 3, 3, 4]), tf.constant([1, 2, 0, 0, 4, 3])
    nodes, weights = tf.Variable(_normal(7, 5, 3)), tf.Variable(_normal(8, 6, 4))
    edges = tf.TensorSpec([None], tf.int32)

    @tf.function(input_signature=[edges, edges, tf.TensorSpec([], tf.int32)])
    def layer(source, target, count):
        pairs = tf.concat([tf.gather(nodes, source), tf.gather(nodes, target)], -1)
        messages = tf.nn.elu(pairs @ weights)
        scores = tf.reduce_sum(messages, -1)
        highest = tf.math.unsorted_segment_max(scores, target, count)
        powers = tf.exp(scores - tf.gather(highest, target))
        attention = powers / tf.gather(tf.math.unsorted_segment_sum(powers, target, count), target)
        mean = tf.math.unsorted_segment_mean(messages, target, count)
        return tf.math.unsorted_segment_sum(messages * attention[:, None], target, count), mean, attention

    def answer():
        with tf.GradientTape() as tape:
            states, mean, attention = layer(sources, targets, 5)
            loss = tf.reduce_sum(states**2) + tf.reduce_sum(mean)
        return [states, attention, *map(tf.convert_to_tensor, tape.gradient(loss, [nodes, weights]))]

    return {"layer": answer}


def meta_learning(tf):
    """Three tasks, each with two steps of its own, whose loss afterwards is the loss of the common start."""
    start = [tf.Variable(_normal(seed, *shape) * 0.5) for seed, shape in enumerate([(1, 8), (8,), (8, 1), (1,)], 20)]
    optimizer = tf.keras.optimizers.Adam(1e-2)

    def model(weights, x):
        return tf.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]

    @tf.function
    def step(amplitudes, phases):
        x = tf.linspace(-2.0, 2.0, 10)[:, None]
        total = 0.0
        with tf.GradientTape() as outer:
            for task in range(3):
                y, fast = amplitudes[task] * tf.sin(x + phases[task]), [tf.identity(weight) for weight in start]
                for _ in range(2):
                    with tf.GradientTape() as inner:
                        inner.watch(fast)
                        loss = tf.reduce_mean((model(fast, x[::2]) - y[::2]) ** 2)
                    fast = [w - 0.1 * slope for w, slope in zip(fast, inner.gradient(loss, fast), strict=True)]
                total += tf.reduce_mean((model(fast, x[1::2]) - y[1::2]) ** 2) / 3
        slopes = outer.gradient(total, start)
        optimizer.apply_gradients(zip(slopes, start, strict=True))
        return total, tf.linalg.global_norm(slopes)

    amplitudes, phases = tf.constant([1.0, 2.0, 0.5]), tf.constant([0.0, 1.0, 2.0])
    return {"steps": lambda: [step(amplitudes, phases + 0.1 * number) for number in range(4)]}


def coupling_flow(tf):
    """A normalizing flow of affine couplings as modules: densities, training, samples, their volume."""

    class Coupling(tf.Module):
        def __init__(self, flip, seed):
            super().__init__()
            self.flip = flip
            self.hidden, self.bias = tf.Variable(_normal(seed, 1, 8) * 0.5), tf.Variable(tf.zeros(8))
            self.output = tf.Variable(_normal(seed + 1, 8, 2) * 0.1)

        def __call__(self, x, sign):
            kept, changed = tf.split(x, 2, -1)[:: -1 if self.flip else 1]
            scale, shift = tf.split(tf.nn.relu(kept @ self.hidden + self.bias) @ self.output, 2, -1)
            scale = tf.tanh(scale)
            changed = changed * tf.exp(scale) + shift if sign > 0 else (changed - shift) * tf.exp(-scale)
            return tf.concat([kept, changed][:: -1 if self.flip else 1], -1), sign * tf.reduce_sum(scale, -1)

    class Flow(tf.Module):
        def __init__(self):
            super().__init__(name="flow")
            self.layers = [Coupling(number % 2 == 1, 2 * number) for number in range(4)]

        @tf.function
        def log_density(self, x):
            volume = 0.0
            for layer in reversed(self.layers):
                x, change = layer(x, -1.0)
                volume += change
            return tf.reduce_sum(-0.5 * x**2 - 0.5 * np.log(2 * np.pi), -1) + volume

        def sample(self, z):
            for layer in self.layers:
                z, _ = layer(z, 1.0)
            return z

    data = _normal(6, 64, 2)
    data[:, 1] = data[:, 0] ** 2 + 0.3 * data[:, 1]

    def answer():
        flow, optimizer = Flow(), tf.keras.optimizers.SGD(1e-2, weight_decay=1e-3)
        losses = []
        for _ in range(5):
            with tf.GradientTape() as tape:
                losses.append(-tf.reduce_mean(flow.log_density(data)))
            weights = flow.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(losses[-1], weights), weights, strict=True))
        z = tf.constant(data[:4])
        with tf.GradientTape() as tape:
            tape.watch(z)
            samples = flow.sample(z)
        return [losses, samples, tf.linalg.slogdet(tape.batch_jacobian(samples, z)), len(weights)]

    return {"training": answer}


def differential_equation(tf):
    """A neural differential equation by ``tf.while_loop``, and steps of chosen length with ``continue`` and ``break``."""
    weights = tf.Variable([[-0.1, 2.0], [-2.0, -0.1]])

    def slope(y):
        return tf.linalg.matvec(weights, y**3, transpose_a=True)

    def next_state(y, h):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(y + h * k3))

    @tf.function
    def solution(y, count):
        states = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[2])
        _, y, states = tf.while_loop(
            lambda i, y, states: i < count,
            lambda i, y, states: (i + 1, next_state(y, 0.05), states.write(i, y)),
            (0, y, states),
            maximum_iterations=100,
        )
        return states.stack(), y

    @tf.function
    def with_chosen_steps(y, tolerance):
        time, h, count = tf.constant(0.0), tf.constant(0.1), 0
        lengths = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        while time < 1.0:
            count += 1
            if count > 50:
                break
            error = tf.norm(next_state(y, h) - next_state(next_state(y, h / 2), h / 2))
            if error > tolerance:
                h = h / 2
                continue
            y = next_state(y, h)
            time += h
            lengths = lengths.write(lengths.size(), h)
            h = tf.minimum(h * 1.5, 1.0 - time + 1e-6)
        return y, count, lengths.stack()

    def slopes():
        with tf.GradientTape() as tape:
            states, last = solution(tf.constant([1.2, 0.0]), tf.constant(12))
            loss = tf.reduce_mean(states**2)
        return [states, last, tape.gradient(loss, weights)]

    return {
        "states and slopes": slopes,
        "chosen steps": lambda: with_chosen_steps(tf.constant([1.2, 0.0]), tf.constant(1e-3)),
    }


def beam_search(tf):
    """Sequences of a recurrent cell with attention, the three most likely by ``tf.math.top_k``."""
    words, units, width = 7, 6, 3
    embedding, query, key = (
        tf.Variable(_normal(seed, *shape) * 0.5) for seed, shape in ((1, (7, 5)), (2, (6, 6)), (3, (6, 6)))
    )
    score, output = tf.Variable(_normal(4, units, 1)), tf.Variable(_normal(5, 2 * units, words) * 0.5)
    encoder = tf.keras.layers.GRU(units, return_sequences=True, return_state=True)
    cell = tf.keras.layers.GRUCell(units)
    for layer, shape in ((encoder, (None, None, 5)), (cell, (None, 5))):
        layer.build(shape)
        layer.set_weights([_normal(6 + i, *weight.shape) * 0.4 for i, weight in enumerate(layer.get_weights())])

    def attended(state, memory, mask):
        energies = tf.squeeze(tf.tanh((state @ query)[:, None] + tf.tensordot(memory, key, 1)) @ score, -1)
        return tf.einsum("bt,btd->bd", tf.nn.softmax(tf.where(mask, energies, -1e9)), memory)

    def answer():
        source = tf.constant([[1, 2, 3, 0]])
        memory, state = encoder(tf.nn.embedding_lookup(embedding, source), mask=source > 0)
        sequences, scores = tf.ones([1, 1], tf.int32), tf.zeros([1])
        for _ in range(4):
            count = tf.shape(sequences)[0]
            result, [state] = cell(tf.nn.embedding_lookup(embedding, sequences[:, -1]), [state])
            context = attended(result, tf.repeat(memory, count, 0), tf.repeat(source > 0, count, 0))
            logits = tf.concat([result, context], -1) @ output
            scores, flat = tf.math.top_k(tf.reshape(tf.nn.log_softmax(logits) + scores[:, None], [-1]), width)
            parents = flat // words
            sequences = tf.concat([tf.gather(sequences, parents), (flat % words)[:, None]], 1)
            state = tf.gather(state, parents)
        return [sequences, scores]

    return {"sequences": answer}
