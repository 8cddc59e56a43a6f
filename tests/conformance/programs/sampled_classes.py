"""Candidate samplers by their expected counts, losses over sampled classes, approx_max_k."""


def samplers(tf):
    r = tf.random
    true = tf.constant([[1, 5], [0, 2]], tf.int64)
    unigrams = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]

    def counts(sampler, *arguments, **options):
        samples, true_counts, sample_counts = sampler(*arguments, **options)
        return true_counts, samples.dtype, samples.shape, sample_counts.dtype, sample_counts.shape

    @tf.function
    def compiled(true):
        return r.log_uniform_candidate_sampler(true, 2, 3, False, 6)[1]

    def learned():
        return [r.learned_unigram_candidate_sampler(true, 2, 3, False, 6, seed=77)[1] for _ in range(3)]

    return {
        "uniform": lambda: counts(r.uniform_candidate_sampler, true, 2, 4, False, 6),
        "log uniform": lambda: counts(r.log_uniform_candidate_sampler, true, 2, 4, False, 6),
        "compiled": lambda: [compiled(true), compiled(true[:, ::-1])],
        "learned": learned,
        "fixed": lambda: counts(r.fixed_unigram_candidate_sampler, true, 2, 3, False, 6, unigrams=unigrams),
        "fixed and distorted": lambda: counts(
            r.fixed_unigram_candidate_sampler, true, 2, 3, False, 6, unigrams=unigrams, distortion=0.75
        ),
        "reserved": lambda: counts(
            r.fixed_unigram_candidate_sampler, true, 2, 3, False, 6, unigrams=unigrams[:4], num_reserved_ids=2
        ),
        "shard": lambda: counts(
            r.fixed_unigram_candidate_sampler, true[1:], 2, 2, False, 3, unigrams=unigrams, num_shards=2, shard=1
        ),
        "all": lambda: r.all_candidate_sampler(true, 2, 6, True),
        "distinct": lambda: tf.sort(r.uniform_candidate_sampler(true, 2, 6, True, 6)[0]),
        "more than there are": lambda: r.uniform_candidate_sampler(true, 2, 7, True, 6),
        "columns": lambda: r.uniform_candidate_sampler(true, 1, 3, True, 6),
        "rank": lambda: r.uniform_candidate_sampler([1, 2], 1, 3, True, 6),
        "no class": lambda: r.log_uniform_candidate_sampler([[-1, 2]], 2, 3, True, 6),
        "dtype": lambda: r.log_uniform_candidate_sampler(tf.constant([[1, 2]]), 2, 3, True, 6),
        "hits": lambda: tf.nn.compute_accidental_hits([[1, 2], [2, 2], [5, 0]], [2, 7, 2, 0], 2),
        "no hits": lambda: tf.nn.compute_accidental_hits([[1], [2]], [3], 1),
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

    softmax, nce = tf.nn.sampled_softmax_loss, tf.nn.nce_loss
    return {
        "softmax": lambda: gradients(softmax),
        "softmax with hits": lambda: gradients(softmax, remove_accidental_hits=False),
        "nce": lambda: gradients(nce),
        "nce without hits": lambda: gradients(nce, remove_accidental_hits=True),
        "two labels": lambda: softmax(weights, biases, pairs, inputs, 4, 10, num_true=2, sampled_values=of_pairs),
        "nce of two labels": lambda: nce(weights, biases, pairs, inputs, 4, 10, num_true=2, sampled_values=of_pairs),
        "tables": lambda: softmax([weights[:5], weights[5:]], biases, labels, inputs, 4, 10, sampled_values=sampled),
        "int32 labels": lambda: softmax(
            weights, biases, tf.cast(labels, tf.int32), inputs, 4, 10, sampled_values=sampled
        ),
        "compiled": lambda: compiled(inputs),
        "own sampler": lambda: (
            softmax(weights, biases, labels, inputs, 4, 10).shape,
            nce(weights, biases, labels, inputs, 4, 10).dtype,
        ),
        "labels of rank 1": lambda: softmax(weights, biases, labels[:, 0], inputs, 4, 10, sampled_values=sampled),
        "no class": lambda: softmax(weights, biases, labels + 20, inputs, 4, 10, sampled_values=sampled),
        "too many samples": lambda: softmax(weights, biases, labels, inputs, 14, 10),
    }


def approximate_top_k(tf):
    x = tf.constant([[3.0, 1.0, 4.0, 1.0, 5.0, 9.0], [2.0, 6.0, 5.0, 3.0, 5.0, 8.0]])

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.math.approx_max_k(x, 2)[0] * [1.0, 2.0]
        return tape.gradient(y, x)

    # TensorFlow has no kernel for the smallest elements, or another axis than the last one, on a CPU.
    return {
        "largest": lambda: tf.math.approx_max_k(x, 2),
        "options": lambda: tf.nn.approx_max_k(x, 3, recall_target=0.5, aggregate_to_topk=False),
        "bfloat16": lambda: tf.math.approx_max_k(tf.cast(x, tf.bfloat16), 2),
        "none": lambda: tf.math.approx_max_k(x, 0),
        "gradient": gradient,
        "too many": lambda: tf.math.approx_max_k(x, 7),
        "negative": lambda: tf.math.approx_max_k(x, -1),
        "integers": lambda: tf.math.approx_max_k([1, 2], 1),
        "scalar": lambda: tf.math.approx_max_k(tf.constant(1.0), 1),
    }
