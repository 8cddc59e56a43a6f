"""Candidate samplers by their expected counts, and the loss over sampled classes."""


def samplers(tf):
    r = tf.random
    true = tf.constant([[1, 5], [0, 2]], tf.int64)

    def counts(sampler, *arguments, **options):
        samples, true_counts, sample_counts = sampler(*arguments, **options)
        return true_counts, samples.dtype, samples.shape, sample_counts.dtype, sample_counts.shape

    @tf.function
    def compiled(true):
        return r.log_uniform_candidate_sampler(true, 2, 3, False, 6)[1]

    return {
        "uniform": lambda: counts(r.uniform_candidate_sampler, true, 2, 4, False, 6),
        "log uniform": lambda: counts(r.log_uniform_candidate_sampler, true, 2, 4, False, 6),
        "compiled": lambda: [compiled(true), compiled(true[:, ::-1])],
        "distinct": lambda: tf.sort(r.uniform_candidate_sampler(true, 2, 6, True, 6)[0]),
        "more than there are": lambda: r.uniform_candidate_sampler(true, 2, 7, True, 6),
        "columns": lambda: r.uniform_candidate_sampler(true, 1, 3, True, 6),
        "rank": lambda: r.uniform_candidate_sampler([1, 2], 1, 3, True, 6),
        "no class": lambda: r.log_uniform_candidate_sampler([[-1, 2]], 2, 3, True, 6),
        "dtype": lambda: r.log_uniform_candidate_sampler(tf.constant([[1, 2]]), 2, 3, True, 6),
    }


def losses(tf):
    weights = tf.reshape(tf.range(20.0) / 10, [10, 2])
    biases = tf.range(10.0) / 5
    labels = tf.constant([[1], [2], [5]], tf.int64)
    inputs = tf.constant([[1.0, 2.0], [3.0, -4.0], [0.5, 0.25]])
    pairs = tf.constant([[1, 0], [2, 9], [5, 5]], tf.int64)
    sampled = tf.constant([2, 7, 2, 0], tf.int64), tf.constant([[0.1], [0.2], [0.3]]), tf.constant([0.5, 0.4, 0.3, 0.2])
    of_pairs = sampled[0], tf.constant([[0.1, 0.3], [0.2, 0.6], [0.3, 0.3]]), sampled[2]

    def gradients(loss, **options):
        table, offsets, x = tf.Variable(weights), tf.Variable(biases), tf.Variable(inputs)
        with tf.GradientTape() as tape:
            y = loss(table, offsets, labels, x, 4, 10, sampled_values=sampled, **options)
        return [y, *(tf.convert_to_tensor(g) for g in tape.gradient(y, [table, offsets, x]))]

    @tf.function
    def compiled(x):
        return tf.nn.nce_loss(weights, biases, labels, x, 4, 10, sampled_values=sampled)

    nce = tf.nn.nce_loss
    return {
        "nce": lambda: gradients(nce),
        "nce without hits": lambda: gradients(nce, remove_accidental_hits=True),
        "nce of two labels": lambda: nce(weights, biases, pairs, inputs, 4, 10, num_true=2, sampled_values=of_pairs),
        "compiled": lambda: compiled(inputs),
    }
