"""Assertions, nests, TensorArray, Python callbacks, random shapes and seeds, devices, settings."""

import numpy as np

from ..refusal import refused

NAN = float("nan")


def assertions(tf):
    d = tf.debugging
    one = tf.constant([1.0, 2.0])
    return {
        "assert_equal": lambda: d.assert_equal(one, [1.0, 2.0]),
        "assert_equal fails": lambda: d.assert_equal(one, [1.0, 3.0]),
        "assert_none_equal fails": lambda: d.assert_none_equal(one, [1.0, 3.0]),
        "assert_less": lambda: d.assert_less(one, 3.0),
        "assert_less fails": lambda: d.assert_less(one, 2.0),
        "assert_less_equal fails": lambda: d.assert_less_equal(one, 1.0),
        "assert_greater fails": lambda: d.assert_greater(one, 1.0),
        "assert_greater_equal": lambda: d.assert_greater_equal(one, 1.0),
        "assert_positive fails": lambda: d.assert_positive([1.0, 0.0]),
        "assert_non_negative fails": lambda: d.assert_non_negative([1.0, -1.0]),
        "assert_near": lambda: d.assert_near(one, [1.0, 2.0000002]),
        "assert_near fails": lambda: d.assert_near(one, [1.0, 2.1]),
        "assert_near atol": lambda: d.assert_near(one, [1.0, 2.1], atol=0.2),
        "assert_rank": lambda: d.assert_rank(one, 1),
        "assert_rank fails": lambda: d.assert_rank(one, 2),
        "assert_rank_at_least fails": lambda: d.assert_rank_at_least(one, 2),
        "assert_rank_in fails": lambda: d.assert_rank_in(one, [0, 2]),
        "assert_shapes": lambda: d.assert_shapes([(one, ("N",)), (tf.ones((2, 3)), ("N", 3))]),
        "assert_shapes fails": lambda: d.assert_shapes([(one, ("N",)), (tf.ones((3, 3)), ("N", 3))]),
        "assert_type": lambda: d.assert_type(one, tf.float32),
        "assert_type fails": lambda: d.assert_type(one, tf.int32),
        "assert_integer fails": lambda: d.assert_integer(one),
        "assert_all_finite": lambda: d.assert_all_finite(one, "bad"),
        "assert_all_finite fails": lambda: d.assert_all_finite([NAN], "bad"),
        "check_numerics": lambda: d.check_numerics(one, "fine"),
        "check_numerics fails on nan": lambda: d.check_numerics([NAN], "bad"),
        "check_numerics fails on infinity": lambda: d.check_numerics([float("inf")], "bad"),
        "Assert": lambda: tf.Assert(True, [one]),
        "Assert fails": lambda: tf.Assert(False, [one]),
        "top level": lambda: [
            tf.assert_equal(1, 1),
            tf.assert_less(1, 2),
            tf.assert_greater(2, 1),
            tf.assert_rank(1, 0),
        ],
        "assert_equal shapes": lambda: d.assert_equal(one, [1.0, 2.0, 3.0]),
    }


def errors(tf):
    def described(error):
        return [type(error).__name__, str(error), error.message, error.op, error.node_def, error.error_code]

    return {
        "InvalidArgumentError": lambda: described(tf.errors.InvalidArgumentError(None, None, "text")),
        "NotFoundError": lambda: described(tf.errors.NotFoundError(None, None, "text")),
        "is an OpError": issubclass(tf.errors.InvalidArgumentError, tf.errors.OpError),
        "is an Exception": issubclass(tf.errors.OpError, Exception),
        "is not a ValueError": issubclass(tf.errors.InvalidArgumentError, ValueError),
        "codes": [
            tf.errors.INVALID_ARGUMENT,
            tf.errors.NOT_FOUND,
            tf.errors.OUT_OF_RANGE,
            tf.errors.RESOURCE_EXHAUSTED,
        ],
        "OutOfRangeError": issubclass(tf.errors.OutOfRangeError, tf.errors.OpError),
        "ResourceExhaustedError": issubclass(tf.errors.ResourceExhaustedError, tf.errors.OpError),
        "caught by name": lambda: _caught(tf),
    }


def _caught(tf):
    try:
        tf.ones(2) + tf.ones(3)
    except tf.errors.InvalidArgumentError:
        return True
    return False


def nests(tf):
    nest = tf.nest
    structure = {"b": [1, (2, 3)], "a": 4}
    return {
        "flatten sorts keys": lambda: nest.flatten(structure),
        "flatten of a leaf": lambda: nest.flatten(5),
        "flatten of None": lambda: nest.flatten(None),
        "flatten of an array": lambda: len(nest.flatten(np.zeros(3))),
        "map_structure": lambda: nest.map_structure(lambda x: x * 10, structure),
        "map_structure of two": lambda: nest.map_structure(lambda x, y: x + y, [1, (2,)], [10, (20,)]),
        "map_structure misfit": lambda: nest.map_structure(lambda x, y: x + y, [1, 2], [1]),
        "map_structure other types": lambda: nest.map_structure(lambda x, y: x + y, [1, 2], (1, 2)),
        "pack_sequence_as": lambda: nest.pack_sequence_as(structure, [40, 10, 20, 30]),
        "pack_sequence_as misfit": lambda: nest.pack_sequence_as([1, 2], [1]),
        "assert_same_structure": lambda: nest.assert_same_structure([1, [2]], [3, [4]]),
        "assert_same_structure fails": lambda: nest.assert_same_structure([1, [2]], [3, 4]),
        "assert_same_structure types": lambda: nest.assert_same_structure([1], (1,)),
        "is_nested": [nest.is_nested([1]), nest.is_nested({}), nest.is_nested("a"), nest.is_nested(1)],
        "map_structure of tensors": lambda: nest.map_structure(tf.square, {"x": tf.constant(3.0)}),
    }


def tensor_arrays(tf):
    def written():
        array = tf.TensorArray(tf.float32, size=2)
        return array.write(0, 1.0).write(1, 2.0)

    def gradient():
        x = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            array = tf.TensorArray(tf.float32, size=2)
            array = array.write(0, x[0] * 2.0)
            array = array.write(1, x[1] ** 2)
            y = tf.reduce_sum(array.stack())
        return tape.gradient(y, x)

    return {
        "stack": lambda: written().stack(),
        "read": lambda: written().read(1),
        "size": lambda: written().size(),
        "dtype": lambda: written().dtype,
        "unstack": lambda: tf.TensorArray(tf.int32, size=2).unstack([5, 6]).read(0),
        "concat": lambda: (
            tf.TensorArray(tf.float32, size=2, infer_shape=False).write(0, [1.0]).write(1, [2.0, 3.0]).concat()
        ),
        "gather": lambda: written().gather([1, 0]),
        "scatter": lambda: tf.TensorArray(tf.float32, size=2).scatter([1, 0], [5.0, 6.0]).stack(),
        "split": lambda: tf.TensorArray(tf.float32, size=2).split([1.0, 2.0, 3.0], [1, 2]).read(1),
        "dynamic_size": lambda: tf.TensorArray(tf.float32, size=0, dynamic_size=True).write(2, 1.0).size(),
        "write beyond": lambda: tf.TensorArray(tf.float32, size=1).write(1, 1.0),
        "read beyond": lambda: written().read(2),
        "read unwritten": lambda: tf.TensorArray(tf.float32, size=2, element_shape=()).read(0),
        "read twice clears": lambda: [written().read(0), written().read(0)],
        "other dtype": lambda: tf.TensorArray(tf.float32, size=1).write(0, tf.constant(1)),
        "other shape": lambda: tf.TensorArray(tf.float32, size=2).write(0, [1.0]).write(1, [1.0, 2.0]),
        "gradient": gradient,
        "stack of nothing": lambda: tf.TensorArray(tf.float32, size=0, element_shape=(2,)).stack(),
    }


def callbacks(tf):
    def gradient():
        x = tf.constant([1.0, 2.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.py_function(lambda v: v * v, [x], tf.float32)
        return [y, tape.gradient(y, x)]

    return {
        "py_function": lambda: tf.py_function(lambda x: x + 1, [tf.constant(1.0)], tf.float32),
        "py_function gets tensors": lambda: tf.py_function(
            lambda x: isinstance(x, tf.Tensor), [tf.constant(1.0)], tf.bool
        ),
        "py_function two results": lambda: tf.py_function(
            lambda x: (x, x * 2), [tf.constant(1.0)], [tf.float32, tf.float32]
        ),
        "py_function gradient": gradient,
        "numpy_function": lambda: tf.numpy_function(np.sin, [tf.constant(0.0)], tf.float32),
        "numpy_function gets arrays": lambda: tf.numpy_function(
            lambda x: isinstance(x, np.ndarray | np.generic), [tf.constant([1.0])], tf.bool
        ),
    }


def randomness(tf):
    """Nothing here compares a drawn number with TensorFlow's."""

    def same_after_seed(draw):
        tf.random.set_seed(3)
        first = draw()
        tf.random.set_seed(3)
        return bool(tf.reduce_all(first == draw()))

    def differ():
        tf.random.set_seed(3)
        return bool(tf.reduce_any(tf.random.normal((4,)) != tf.random.normal((4,))))

    def facts(x):
        return [x.dtype, x.shape]

    def within(x, low, high):
        return bool(tf.reduce_all((x >= low) & (x < high)))

    r = tf.random
    return {
        "normal": lambda: facts(r.normal((2, 3))),
        "normal dtype": lambda: facts(r.normal([2], dtype=tf.float64)),
        "normal of ints": lambda: refused(lambda: r.normal((2,), dtype=tf.int32)),
        "uniform": lambda: within(r.uniform((100,)), 0.0, 1.0),
        "uniform range": lambda: within(r.uniform((100,), -2.0, 3.0), -2.0, 3.0),
        "uniform ints": lambda: facts(r.uniform((3,), 0, 10, tf.int32)),
        "uniform ints range": lambda: within(r.uniform((100,), -2, 3, tf.int64), -2, 3),
        "uniform ints without maxval": lambda: r.uniform((3,), dtype=tf.int32),
        "uniform ints empty range": lambda: refused(lambda: r.uniform((3,), 5, 5, tf.int32)),
        "truncated_normal": lambda: within(r.truncated_normal((1000,)), -2.0, 2.0),
        "truncated_normal of stddev": lambda: within(r.truncated_normal((100,), 5.0, 0.5), 4.0, 6.0),
        "seed repeats": lambda: same_after_seed(lambda: r.normal((4,))),
        "operation seed repeats": lambda: same_after_seed(lambda: r.uniform((4,), seed=7)),
        "draws differ": differ,
        "shuffle keeps the elements": lambda: tf.sort(r.shuffle([3, 1, 2])),
        "shuffle keeps the rows": lambda: tf.sort(r.shuffle([[3, 4], [1, 2]]), axis=0),
        "categorical": lambda: facts(r.categorical([[0.0, 0.0]], 5)),
        "categorical of a certain one": lambda: r.categorical([[-1e9, 0.0, -1e9]], 4),
        "categorical of a vector": lambda: r.categorical([0.0, 0.0], 5),
        "categorical dtype": lambda: r.categorical([[0.0]], 2, dtype=tf.int32),
        "stateless repeats": lambda: bool(
            tf.reduce_all(r.stateless_normal((4,), [1, 2]) == r.stateless_normal((4,), [1, 2]))
        ),
        "stateless seeds differ": lambda: bool(
            tf.reduce_any(r.stateless_normal((4,), [1, 2]) != r.stateless_normal((4,), [1, 3]))
        ),
        "stateless seed shape": lambda: r.stateless_normal((4,), [1, 2, 3]),
        "stateless_uniform": lambda: within(r.stateless_uniform((100,), [1, 2], -1.0, 1.0), -1.0, 1.0),
        "stateless_uniform ints": lambda: facts(r.stateless_uniform((3,), [1, 2], 0, 9, tf.int32)),
        "stateless_truncated_normal": lambda: within(r.stateless_truncated_normal((100,), [1, 2]), -2.0, 2.0),
        "stateless_categorical": lambda: facts(r.stateless_categorical([[0.0, 0.0]], 3, [1, 2])),
        "Generator": lambda: facts(r.Generator.from_seed(1).normal((2,))),
        "Generator repeats": lambda: bool(
            tf.reduce_all(r.Generator.from_seed(1).uniform((4,)) == r.Generator.from_seed(1).uniform((4,)))
        ),
        "Generator ints": lambda: facts(r.Generator.from_seed(1).uniform((4,), 0, 5, tf.int32)),
        "Generator from nothing": lambda: facts(r.Generator.from_non_deterministic_state().normal((1,))),
        "global generator": lambda: facts(r.get_global_generator().normal((1,))),
        "Generator split": lambda: len(r.Generator.from_seed(1).split(3)),
        "gamma": lambda: facts(r.gamma((2,), 1.5)),
        "poisson": lambda: facts(r.poisson((2,), 1.5)),
        "normal with a tensor shape": lambda: facts(r.normal(tf.constant([2, 2]))),
        "normal with tensors": lambda: facts(r.normal((2, 2), mean=[0.0, 100.0])),
        "no gradient to the draw": lambda: _reparametrised(tf),
        "mean of normal": lambda: abs(float(tf.reduce_mean(r.stateless_normal((10000,), [1, 1])))) < 0.05,
        "std of normal": lambda: abs(float(tf.math.reduce_std(r.stateless_normal((10000,), [1, 1]))) - 1.0) < 0.05,
        "std of truncated": lambda: abs(float(tf.math.reduce_std(r.truncated_normal((20000,)))) - 0.8796) < 0.03,
        "negative shape": lambda: refused(lambda: r.normal((-1,))),
        "Algorithm": lambda: r.Algorithm.PHILOX.value,
    }


def _reparametrised(tf):
    mean = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = mean + 3.0 * tf.random.normal((4,))
    return tape.gradient(y, mean)


def environment(tf):
    def on_cpu():
        with tf.device("/CPU:0"):
            return tf.constant(1.0) + 1.0

    def init_scope():
        with tf.init_scope():
            return tf.constant(1.0)

    def dependencies():
        with tf.control_dependencies([tf.constant(1.0)]):
            return tf.constant(2.0)

    return {
        "device": on_cpu,
        "physical CPU": lambda: [device.device_type for device in tf.config.list_physical_devices("CPU")],
        "CPU name": lambda: tf.config.list_physical_devices("CPU")[0].name,
        "executing_eagerly": lambda: tf.executing_eagerly(),
        "init_scope": init_scope,
        "control_dependencies": dependencies,
        "group": lambda: tf.group(tf.constant(1.0)),
        "no_op": lambda: tf.no_op(),
        "identity_n": lambda: tf.identity_n([tf.constant(1.0), tf.constant(2)]),
        "tuple": lambda: tf.tuple([tf.constant(1.0)]),
        "name argument is taken": lambda: tf.add(1.0, 2.0, name="sum"),
        "get_static_value": lambda: tf.get_static_value(tf.constant([1, 2])),
        "print": lambda: tf.print("to stderr", tf.constant(1)),
        "newaxis": tf.newaxis is None,
        "AUTOTUNE": lambda: tf.data.AUTOTUNE,
        "unknown name": lambda: tf.nonsense,
    }


def device_settings(tf):
    config = tf.config
    (cpu,) = config.list_physical_devices("CPU")

    def visible(devices, *device_type):
        try:
            config.set_visible_devices(devices, *device_type)
            return [device.name for device in config.get_visible_devices()]
        finally:
            config.set_visible_devices([cpu])

    def with_setting(module, name, value):
        get, set_to = (getattr(module, f"{verb}_{name}") for verb in ("get", "set"))
        before = get()
        try:
            set_to(value)
            return [before, get(), tf.constant(1.0) + 2.0]
        finally:
            set_to(before)

    def on_missing_gpu():
        config.set_soft_device_placement(False)
        try:
            with tf.device("/GPU:7"):
                return tf.constant(1.0) + 1.0
        finally:
            config.set_soft_device_placement(True)

    def eagerly():
        config.experimental_run_functions_eagerly(True)
        try:
            return config.experimental_functions_run_eagerly()
        finally:
            config.experimental_run_functions_eagerly(False)

    experimental = config.experimental
    return {
        "no GPU visible": lambda: visible([], "GPU"),
        "the CPU visible": lambda: [visible(cpu), visible([cpu], "CPU")],
        "experimental names": lambda: [experimental.set_visible_devices([], "GPU"), experimental.get_visible_devices("GPU")],
        "visible text": lambda: visible("cpu"),
        "visible CPU as GPU": lambda: visible([cpu], "GPU"),
        "details": lambda: experimental.get_device_details(cpu),
        "details of a text": lambda: experimental.get_device_details("x"),
        "growth of a text": lambda: experimental.get_memory_growth("x"),
        "memory statistics of a number": lambda: experimental.reset_memory_stats(3),
        "synchronous": lambda: [with_setting(experimental, "synchronous_execution", value) for value in (False, None)],
        "soft placement": lambda: with_setting(config, "soft_device_placement", False),
        "a missing GPU": on_missing_gpu,
        "functions run eagerly": eagerly,
    }  # fmt: skip
