"""``tf.compat.v1`` in eager code: names of TensorFlow 2, arguments in another order, losses, variables, learning rates and steps."""

import tempfile

_X = [[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]


def arguments(tf):
    v1 = tf.compat.v1
    x = tf.constant(_X)
    picture = tf.reshape(tf.range(32.0), [1, 4, 4, 2])
    kernel = tf.reshape(tf.range(8.0), [2, 2, 2, 1])
    return {
        "reduction_indices": v1.reduce_sum(x, reduction_indices=1, keep_dims=True),
        "reduction": v1.reduce_mean(x, 0, True),
        "both": lambda: v1.reduce_max(x, axis=0, reduction_indices=1),
        "argmax": v1.argmax(x, dimension=1, output_type=tf.int32),
        "argmin": v1.math.argmin(x, 0),
        "arg_max": v1.arg_max(x, 1),
        "count_nonzero": v1.count_nonzero(x, reduction_indices=0),
        "boolean_mask": v1.boolean_mask(x, [True, False], "name", 0),
        "confusion_matrix": v1.confusion_matrix([0, 1], [1, 1], 2, tf.float32, None, [2, 3]),
        "expand_dims": v1.expand_dims(x, dim=0),
        "squeeze": v1.squeeze(x[None], squeeze_dims=[0]),
        "gather": v1.gather(x, [1, 0], None, "name", 1),
        "transpose": v1.transpose(x, None, "name"),
        "pad": v1.pad(x, [[0, 1], [1, 0]], "CONSTANT", "name", 7.0),
        "norm": v1.norm(x, axis=1, keep_dims=True),
        "softmax": v1.nn.softmax(x, dim=0),
        "in_top_k": v1.nn.in_top_k(x, [2, 0], 1),
        "conv2d": v1.nn.conv2d(picture, kernel, [1, 1, 1, 1], "VALID", True),
        "conv2d filter": v1.nn.conv2d(picture, filter=kernel, strides=1, padding="SAME"),
        "backward": v1.nn.conv2d_backprop_input([1, 4, 4, 2], kernel, tf.ones([1, 3, 3, 1]), [1, 1, 1, 1], "VALID"),
        "conv2d_transpose": v1.nn.conv2d_transpose(tf.ones([1, 3, 3, 1]), kernel, [1, 4, 4, 2], 1, "VALID"),
        "max_pool": v1.nn.max_pool(picture, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"),
        "avg_pool": v1.nn.avg_pool(value=picture, ksize=2, strides=2, padding="VALID"),
        "moments": v1.nn.moments(x, [0], keep_dims=True),
        "dropout": v1.nn.dropout(x, 1.0),
        "dropout without": lambda: v1.nn.dropout(x),
        "embedding": v1.nn.embedding_lookup(x, [1, 0]),
        "cross entropy": v1.nn.softmax_cross_entropy_with_logits(labels=[[0.0, 1.0, 0.0]], logits=x[:1]),
        "xw_plus_b": v1.nn.xw_plus_b(x, tf.ones([3, 1]), [1.0]),
        "relu_layer": v1.nn.relu_layer(x, tf.ones([3, 1]), [-2.25]),
        "zeros_like": v1.zeros_like(tensor=x, dtype=tf.int32),
        "shape": v1.shape(x, "name", tf.int64),
        "cond": v1.cond(True, fn1=lambda: 1, fn2=lambda: 2),
        "while": v1.while_loop(lambda i: i < 3, lambda i: [i + 1], [0]),
        "substr": v1.substr("words", 1, 2),
        "string_to_number": v1.string_to_number("3", tf.int32),
        "string_split": v1.string_split(["a b", " c"]),
        "string_split characters": v1.string_split(["a-b c"], "- ").values,
        "string_split empty": v1.string_split(["a b", " c"], skip_empty=False).values,
        "ragged": v1.string_split(["a b", "c"], result_type="RaggedTensor"),
        "reduce_join": v1.reduce_join(["a", "b"], 0, False, "-"),
        "matrix": v1.matrix_determinant([[2.0, 1.0], [1.0, 3.0]]),
        "diag": v1.diag([1.0, 2.0]),
        "to_float": v1.to_float([1, 2]),
        "to_int32": v1.to_int32([1.5]),
        "div": [v1.div(7, -2), v1.div(7.0, 2.0)],
        "clip": v1.clip_by_average_norm(x, 0.1),
        "patches": v1.extract_image_patches(picture, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
        "spaces": v1.space_to_batch(picture, [[0, 0], [0, 0]], 2),
        "no argument": lambda: v1.reduce_sum(x, nope=3),
        "too many": lambda: v1.expand_dims(x, 0, "name", None, 3),
    }


def checks(tf):
    v1 = tf.compat.v1
    return {
        "equal": v1.assert_equal([1], [1], None, 3, "words"),
        "not equal": lambda: v1.assert_equal([1], [2], message="words"),
        "positive": lambda: v1.debugging.assert_positive([-1.0]),
        "rank": lambda: v1.assert_rank([1], 2),
        "placeholder": lambda: v1.placeholder(tf.float32),
        "default": v1.placeholder_with_default([1.0], [1]),
        "metric": lambda: v1.metrics.mean([1.0]),
        "initializable": lambda: v1.data.make_initializable_iterator(tf.data.Dataset.range(2)),
        "one shot": v1.data.make_one_shot_iterator(tf.data.Dataset.range(2)).get_next(),
        "types": v1.data.get_output_types(tf.data.Dataset.range(2)).name,
        "shapes": list(v1.data.get_output_shapes(tf.data.Dataset.range(2).batch(2))),
    }


def losses(tf):
    losses = tf.compat.v1.losses
    labels, x = tf.constant([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), tf.constant(_X)
    probabilities = tf.sigmoid(x)
    reductions = {
        key: losses.mean_squared_error(labels, x, [[0.0], [2.0]], reduction=key) for key in losses.Reduction.all()
    }
    return {
        **reductions,
        "absolute": losses.absolute_difference(labels, x),
        "cosine": losses.cosine_distance(labels, x, 1),
        "hinge": losses.hinge_loss(labels, x),
        "huber": losses.huber_loss(labels, x, delta=0.5),
        "log": losses.log_loss(labels, probabilities),
        "sigmoid": losses.sigmoid_cross_entropy(labels, x, label_smoothing=0.25),
        "softmax": losses.softmax_cross_entropy(labels, x, [1.0, 3.0], 0.25),
        "sparse": losses.sparse_softmax_cross_entropy([1, 0], x),
        "sparse of columns": losses.sparse_softmax_cross_entropy([[1], [0]], x, [0.5, 0.0]),
        "no labels": lambda: losses.mean_squared_error(None, x),
        "other shape": lambda: losses.mean_squared_error(labels, x[:1]),
        "other reduction": lambda: losses.mean_squared_error(labels, x, reduction="nope"),
        "other weights": lambda: losses.mean_squared_error(labels, x, [1.0, 2.0]),
    }


def variables(tf):
    v1 = tf.compat.v1
    with v1.variable_scope("outer", reuse=v1.AUTO_REUSE) as outer, v1.variable_scope("inner"):
        a = v1.get_variable("a", [2], initializer=v1.zeros_initializer())
        scope = v1.get_variable_scope().name
    with v1.variable_scope(outer):
        b = v1.get_variable("b", initializer=[1, 2], trainable=False)
    c = v1.get_variable("c", [2, 3], tf.int32)
    rows = tf.Variable([[1.0], [2.0], [3.0]])
    return {
        "names": [a.name, b.name, c.name, scope, outer.name],
        "values": [a, b, c],
        "trainable": [a.trainable, b.trainable],
        "again": [v1.get_variable("c", [1]) is c, v1.global_variables(), v1.trainable_variables()],
        "initializer": v1.global_variables_initializer(),
        "assign": [v1.assign(rows, rows + 1.0), v1.assign_add(rows, rows), v1.assign_sub(rows, [[1.0]] * 3)],
        "scatter": [
            v1.scatter_add(rows, [0, 0], [[1.0], [2.0]]).numpy(),
            v1.scatter_sub(rows, 1, 2.0).numpy(),
            v1.scatter_update(rows, [2], [[7.0]]).numpy(),
            v1.scatter_nd_add(rows, [[1]], [[5.0]]).numpy(),
        ],
        "no shape": lambda: v1.get_variable("d"),
        "a shape and a value": lambda: v1.get_variable("d", [1], initializer=[1.0]),
        "no scope": lambda: v1.variable_scope(3).__enter__(),
    }


def training(tf):
    train, v = tf.compat.v1.train, tf.Variable([1.0, 2.0])
    step = tf.Variable(3, dtype=tf.int64)
    optimizer = train.MomentumOptimizer(train.exponential_decay(0.5, step, 2, 0.5), 0.5)
    answers = {}
    for number in range(3):
        optimizer.minimize(lambda: tf.reduce_sum(v * v), global_step=step, var_list=[v])
        answers[f"step {number}"] = [v.numpy(), step.numpy()]
    rates = {
        "exponential": train.exponential_decay(0.5, step, 4, 0.5, True),
        "natural": train.natural_exp_decay(0.5, step, 4, 0.5),
        "inverse": train.inverse_time_decay(0.5, step, 4, 0.5),
        "polynomial": train.polynomial_decay(0.5, step, 10, power=2.0),
        "cosine": train.cosine_decay(0.5, step, 10, 0.1),
        "restarts": train.cosine_decay_restarts(0.5, step, 4),
        "pieces": train.piecewise_constant(step, [3, 7], [1.0, 0.5, 0.25]),
    }
    return {
        **answers,
        **{key: rate() for key, rate in rates.items()},
        "gradients": [gradient for gradient, _ in optimizer.compute_gradients(lambda: v[0] * v[1], [v])],
    }


def files(tf):
    v1 = tf.compat.v1
    with tempfile.TemporaryDirectory() as folder:
        v1.gfile.MakeDirs(folder + "/a/b")
        with v1.gfile.Open(folder + "/a/c", "w") as file:
            file.write("words")
        v1.gfile.Copy(folder + "/a/c", folder + "/d")
        v1.gfile.Rename(folder + "/d", folder + "/e")
        with tf.io.TFRecordWriter(folder + "/records") as writer:
            writer.write(b"one")
        events = tf.summary.create_file_writer(folder + "/events")
        with events.as_default(step=2):
            tf.summary.write("tag", 1.0)
        events.close()
        (path,) = v1.gfile.Glob(folder + "/events/*")
        return {
            "list": sorted(v1.gfile.ListDirectory(folder + "/a")),
            "exists": [
                v1.gfile.Exists(folder + "/d"),
                v1.gfile.Exists(filename=folder + "/e"),
                v1.gfile.IsDirectory(folder),
            ],
            "length": v1.gfile.Stat(folder + "/e").length,
            "records": list(v1.python_io.tf_record_iterator(folder + "/records")),
            "events": [(event.step, [v.tag for v in event.summary.value]) for event in v1.train.summary_iterator(path)],
        }
