"""SavedModels: what a loaded object has, its functions, signatures, gradients, and the errors."""

import tempfile

import numpy as np

from ..models import model_of_all_parts


def _reloaded(tf, obj, **options):
    folder = tempfile.mkdtemp()
    tf.saved_model.save(obj, folder, **options)
    return tf.saved_model.load(folder)


def _of(tf, function, *specs, **attributes):
    module = tf.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    module.f = tf.function(function, input_signature=list(specs))
    return _reloaded(tf, module)


def objects(tf):
    def loaded():
        return _reloaded(tf, model_of_all_parts(tf))

    def shared():
        module = tf.Module()
        module.u = module.v = tf.Variable(1.0)
        again = _reloaded(tf, module)
        return again.u is again.v

    def nested():
        module, inner = tf.Module(), tf.Module()
        module.parts, inner.v = {"a": [inner]}, tf.Variable(2.0)
        return _reloaded(tf, module).parts["a"][0].v

    names = ("w", "constant", "number", "plain", "forward", "signatures", "variables", "trainable_variables", "name")
    return {
        "attributes": lambda: [hasattr(loaded(), name) for name in names],
        "variable": lambda: [loaded().w, loaded().w.name, loaded().w.trainable],
        "list": lambda: [[v.numpy(), v.trainable] for v in loaded().variables_of_all_kinds],
        "dict": lambda: loaded().parts["a"],
        "missing key": lambda: loaded().parts["b"],
        "missing attribute": lambda: loaded().nothing,
        "shared variables": shared,
        "nested": nested,
        "callable": lambda: [callable(loaded()), callable(_of(tf, lambda x: x, tf.TensorSpec([])))],
        "call of no function": lambda: _of(tf, lambda x: x, tf.TensorSpec([]))(1.0),
        "checkpoint": lambda: _reloaded(tf, tf.train.Checkpoint(v=tf.Variable(1.0))).v,
    }


def functions(tf):
    module = model_of_all_parts(tf)
    module.scaled(tf.constant([1.0, 2.0]))
    module.scaled(tf.constant([1.0, 2.0]), k=3)
    kept = []  # TensorFlow's functions do not keep the variables alive

    def loaded():
        kept.append(_reloaded(tf, module))
        return kept[-1]

    def assigned():
        model = loaded()
        results = [model.add(2.0), model.add(2.0), model.variables_of_all_kinds[0]]
        model.w.assign([[5.0, 5.0]])
        return [*results, model(tf.ones([1, 1]))]

    def again():
        model = loaded()
        model.w.assign([[5.0, 5.0]])
        return _reloaded(tf, model)(tf.ones([2, 1]))

    return {
        "call": lambda: loaded()(tf.ones([3, 1])),
        "a method": lambda: loaded().forward(tf.ones([3, 1])),
        "a list": lambda: loaded().forward([[1.0], [2.0]]),
        "an array": lambda: loaded().forward(np.ones([1, 1], np.float32)),
        "by name": lambda: loaded().forward(x=tf.ones([2, 1])),
        "another shape": lambda: loaded().forward(tf.ones([3, 2])),
        "another dtype": lambda: loaded().forward(tf.ones([3, 1], tf.int32)),
        "no argument": lambda: loaded().forward(),
        "two arguments": lambda: loaded().forward(tf.ones([1, 1]), 2),
        "a default": lambda: sorted(loaded().scaled(tf.constant([1.0, 2.0])).items()),
        "another Python value": lambda: [loaded().scaled([1.0, 2.0], k=3)["y"], loaded().scaled([1.0, 2.0], 3)["y"]],
        "an unknown Python value": lambda: loaded().scaled(tf.constant([1.0, 2.0]), k=4),
        "an unknown shape": lambda: loaded().scaled(tf.constant([1.0, 2.0, 3.0])),
        "state": assigned,
        "saved again": again,
    }


def kinds_of_functions(tf):
    rows = tf.TensorSpec([None, 3])
    x = np.float32([[1, 2, 3], [-4, 5, 6]])

    def python_if(a):
        if tf.reduce_sum(a) > 0:
            y = a * 2
        else:
            y = a - 1
        return y

    def python_for(a):
        total = tf.zeros([3])
        for i in tf.range(tf.shape(a)[0]):
            total = total + a[i] * tf.cast(i, tf.float32)
        return total

    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = tf.reduce_mean(a**2)
        return tape.gradient(y, a)

    def asked(function, *specs, calls=((x,), (x[:1] * -1,))):
        return lambda: [_of(tf, function, *specs).f(*arguments) for arguments in calls]

    return {
        "reshape": asked(lambda a: tf.reshape(a, [tf.shape(a)[0], -1, 1]), rows),
        "mean": asked(lambda a: tf.reduce_mean(a, axis=0), rows),
        "if": asked(python_if, rows, calls=[(x,), (-x,)]),
        "for": asked(python_for, rows),
        "gradient": asked(gradient, rows),
        "mask": asked(lambda a: tf.boolean_mask(a, a[:, 0] > 0), rows, calls=[(x,), (-x,)]),
        "cond": asked(lambda a: tf.cond(tf.reduce_sum(a) > 0, lambda: a + 1, lambda: a - 1), rows, calls=[(x,), (-x,)]),
        "while": asked(lambda a: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, a))[1], rows),
        "map_fn": asked(lambda a: tf.map_fn(lambda row: row * 2, a), rows),
        "convolution": asked(
            lambda a: tf.nn.conv2d(a, tf.ones([3, 3, 1, 1]), 2, "SAME"),
            tf.TensorSpec([None, None, None, 1]),
            calls=[(np.arange(20, dtype=np.float32).reshape(1, 4, 5, 1),)],
        ),
        "two products": asked(tf.matmul, tf.TensorSpec([None, None]), tf.TensorSpec([None, None]), calls=[(x, x.T)]),
        "strings": asked(lambda a: tf.strings.join([a, "!"]), tf.TensorSpec([None], tf.string), calls=[(["a", "b"],)]),
        "unknown rank": asked(lambda a: a + 1, tf.TensorSpec(None), calls=[(x,), (x[0],), (x[0, 0],)]),
        "assertion": asked(
            lambda a: (tf.debugging.assert_greater(a, 0.0), a)[1], tf.TensorSpec([None]), calls=[(x[1],)]
        ),
    }


def signatures(tf):
    def default():
        return _of(tf, lambda x: x + 1, tf.TensorSpec([None], tf.float32)).signatures

    def given(choose):
        module = model_of_all_parts(tf)
        return _reloaded(tf, module, signatures=choose(module)).signatures

    return {
        "none of several": lambda: list(_reloaded(tf, model_of_all_parts(tf)).signatures),
        "the only one": lambda: list(default()),
        "call": lambda: default()["serving_default"](x=tf.ones([2])),
        "by position": lambda: default()["serving_default"](tf.ones([2])),
        "another name": lambda: default()["serving_default"](y=tf.ones([2])),
        "two names": lambda: default()["serving_default"](x=tf.ones([2]), y=1),
        "missing": lambda: default()["nothing"],
        "a dict": lambda: list(given(lambda m: {"a": m.forward, "b": m.add})),
        "a concrete function": lambda: list(given(lambda m: m.forward.get_concrete_function())),
        "name of a spec": lambda: given(lambda m: m.__call__)["serving_default"](inp=tf.ones([2, 1])),
        "nested results": lambda: given(lambda m: m.scaled.get_concrete_function(tf.TensorSpec([2]))),
        "a function without a signature": lambda: given(lambda m: m.scaled),
        "a method": lambda: given(lambda m: m.plain),
        "a dict of results": lambda: sorted(
            _of(tf, lambda x: {"a": x, "b": -x}, tf.TensorSpec([]))
            .signatures["serving_default"](x=tf.constant(1.0))
            .items()
        ),
        "a tuple of results": lambda: sorted(  # TensorFlow loads them in any order
            _of(tf, lambda x: (x, -x), tf.TensorSpec([])).signatures["serving_default"](x=tf.constant(1.0)).items()
        ),
    }


def gradients(tf):
    def to_variables():
        loaded = _reloaded(tf, model_of_all_parts(tf))
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(loaded(tf.constant([[2.0], [3.0]])) ** 2)
        return tape.gradient(y, [loaded.w, loaded.parts["a"]])

    def to_inputs():
        loaded = _reloaded(tf, model_of_all_parts(tf))
        x = tf.constant([[2.0], [3.0]])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = loaded.forward(x) ** 2
        return tape.gradient(y, x)

    def of_own():
        @tf.custom_gradient
        def sevenfold(x):
            return x * 2, lambda g: g * 7

        loaded = _of(tf, sevenfold, tf.TensorSpec([None]))
        x = tf.constant([1.0, 2.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = loaded.f(x)
        return [y, tape.gradient(y, x)]

    return {"to variables": to_variables, "to inputs": to_inputs, "of the user": of_own}


def refusals(tf):
    def folder():
        return tempfile.mkdtemp()

    lost = tf.Variable(3.0)
    return {
        "an untracked variable": lambda: _of(tf, lambda x: x * lost, tf.TensorSpec([])),
        "a number": lambda: tf.saved_model.save(3, folder()),
        "a signature that is none": lambda: tf.saved_model.save(model_of_all_parts(tf), folder(), signatures=3),
        "an empty folder": lambda: tf.saved_model.load(folder()),
        "contains": lambda: tf.saved_model.contains_saved_model(folder()),
        "tags": lambda: tf.saved_model.load(_saved(tf), tags=["train"]).w,
        "the right tags": lambda: tf.saved_model.load(_saved(tf), tags="serve").w,
    }


def _saved(tf):
    folder = tempfile.mkdtemp()
    tf.saved_model.save(model_of_all_parts(tf), folder)
    return folder


def keras_models(tf):
    keras = tf.keras

    def model():
        layers = keras.layers
        ones = {"kernel_initializer": "ones"}
        inputs = keras.Input((4,), name="features")
        hidden = layers.Dropout(0.5)(layers.Dense(3, activation="relu", **ones)(inputs))
        return keras.Model(inputs, layers.Dense(2, **ones)(layers.BatchNormalization()(hidden)))

    kept = []

    def exported():
        folder = tempfile.mkdtemp()
        model().export(folder, verbose=False)
        kept.append(tf.saved_model.load(folder))
        return kept[-1]

    x = np.float32([[1, 2, 3, 4], [0, -1, 0, 1]])
    return {
        "serve": lambda: exported().serve(x),
        "signatures": lambda: list(exported().signatures),
        "by name": lambda: exported().signatures["serve"](features=tf.constant(x)),
        "by another name": lambda: exported().signatures["serve"](x=tf.constant(x)),
        "trainable variables": lambda: len(exported().trainable_variables),
        "saved": lambda: _reloaded(tf, model()).signatures["serving_default"](inputs=tf.constant(x)),
        "call of a saved model": lambda: _reloaded(tf, model())(x),
        "not built": lambda: keras.Sequential([keras.layers.Dense(1)]).export(tempfile.mkdtemp()),
        "another format": lambda: model().export(tempfile.mkdtemp(), format="a"),
    }
