"""Optimizers: five steps of each, their settings, their state, sparse rows, and what they refuse."""

import math
import warnings

import numpy as np

from ..refusal import refused

GRADIENTS = ([0.5, -1.0, 0.0], [0.1, 2.0, 0.0], [-0.3, 0.5, 1.0], [0.0, 0.0, 0.0], [4.0, -0.25, 1e-4])
NAMES = [
    "SGD",
    "RMSprop",
    "Adam",
    "AdamW",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "Nadam",
    "Ftrl",
    "Lion",
    "Adafactor",
    "Lamb",
    "Muon",
]
OF_VARIABLES = [name for name in NAMES if name != "Muon"]


def _steps(tf, optimizer, steps=GRADIENTS, start=(1.0, -2.0, 3.0)):
    v = tf.Variable(list(start), name="v")
    path = []
    for gradient in steps:
        optimizer.apply_gradients([(tf.constant(gradient), v)])
        path.append(v.numpy().tolist())
    return tf.constant(path)


def five_steps(tf):
    o = tf.keras.optimizers
    made = {
        "SGD": lambda: o.SGD(0.1),
        "SGD momentum": lambda: o.SGD(0.1, momentum=0.9),
        "SGD nesterov": lambda: o.SGD(0.1, momentum=0.9, nesterov=True),
        "RMSprop": lambda: o.RMSprop(0.1),
        "RMSprop momentum": lambda: o.RMSprop(0.1, rho=0.8, momentum=0.5),
        "RMSprop centered": lambda: o.RMSprop(0.1, centered=True),
        "Adam": lambda: o.Adam(0.1),
        "Adam default rate": lambda: o.Adam(),
        "Adam betas": lambda: o.Adam(0.1, beta_1=0.5, beta_2=0.7),
        "Adam large epsilon": lambda: o.Adam(0.1, epsilon=0.1),
        "Lamb": lambda: o.Lamb(0.1),
        "Lamb options": lambda: o.Lamb(0.1, beta_1=0.5, beta_2=0.7, epsilon=0.1, weight_decay=0.1),
        "Muon of a vector": lambda: o.Muon(0.1),
        "Adam amsgrad": lambda: o.Adam(0.1, amsgrad=True),
        "AdamW": lambda: o.AdamW(0.1),
        "AdamW decay": lambda: o.AdamW(0.1, weight_decay=0.1),
        "Adagrad": lambda: o.Adagrad(0.1),
        "Adagrad start": lambda: o.Adagrad(0.1, initial_accumulator_value=1.0),
        "Adadelta": lambda: o.Adadelta(1.0),
        "Adadelta rho": lambda: o.Adadelta(1.0, rho=0.5),
        "Adamax": lambda: o.Adamax(0.1),
        "Nadam": lambda: o.Nadam(0.1),
        "Ftrl": lambda: o.Ftrl(0.1),
        "Ftrl regularised": lambda: o.Ftrl(0.1, l1_regularization_strength=0.1, l2_regularization_strength=0.2),
        "Ftrl power": lambda: o.Ftrl(0.1, learning_rate_power=-0.7, beta=0.3),
        "Ftrl shrinkage": lambda: o.Ftrl(0.1, l2_shrinkage_regularization_strength=0.1),
        "Lion": lambda: o.Lion(0.1),
        "Lion decay": lambda: o.Lion(0.1, weight_decay=0.1),
        "Adafactor": lambda: o.Adafactor(0.1),
        "Adafactor absolute": lambda: o.Adafactor(0.1, relative_step=False),
        "SGD decay": lambda: o.SGD(0.1, weight_decay=0.1),
        "SGD clipnorm": lambda: o.SGD(0.1, clipnorm=1.0),
        "SGD clipvalue": lambda: o.SGD(0.1, clipvalue=0.5),
        "SGD global_clipnorm": lambda: o.SGD(0.1, global_clipnorm=1.0),
        "Adam clipnorm": lambda: o.Adam(0.1, clipnorm=1.0),
        "SGD ema": lambda: o.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
        "SGD accumulation": lambda: o.SGD(0.1, gradient_accumulation_steps=2),
        "Adam accumulation": lambda: o.Adam(0.1, gradient_accumulation_steps=2),
        "SGD loss scale": lambda: o.SGD(0.1, loss_scale_factor=4.0),
    }
    return {name: (lambda make=make: _steps(tf, make())) for name, make in made.items()}


def matrices(tf):
    def steps(make):
        v = tf.Variable([[1.0, 2.0], [3.0, 4.0]], dtype=tf.float32)
        optimizer = make()
        for scale in (1.0, -0.5, 2.0):
            optimizer.apply_gradients([(tf.constant([[0.1, 0.2], [-0.3, 0.4]]) * scale, v)])
        return v

    return {name: (lambda name=name: steps(lambda: getattr(tf.keras.optimizers, name)(0.05))) for name in OF_VARIABLES}


def muon(tf):
    """Muon asks matrices for a path, which in Keras only layers' weights have."""

    def steps(shape, **options):
        layer, table = tf.keras.layers.Dense(shape[1]), tf.keras.layers.Embedding(3, 2)
        layer.build((None, shape[0]))
        table.build((None, 2))
        weights = [*layer.trainable_weights, *table.trainable_weights]
        for number, weight in enumerate(weights):
            weight.assign(np.sin(np.arange(np.prod(weight.shape)) + number).reshape(weight.shape))
        optimizer = tf.keras.optimizers.Muon(0.05, **options)
        for scale in (1.0, -0.5, 2.0):
            optimizer.apply_gradients([(tf.cos(tf.convert_to_tensor(w) * 3.0) * scale, w) for w in weights])
        return [tf.convert_to_tensor(w) for w in weights]

    return {
        "wide": lambda: steps((2, 3)),
        "high": lambda: steps((4, 2)),
        "options": lambda: steps((2, 2), momentum=0.5, nesterov=False, rms_rate=None, ns_steps=2, muon_a=2.0),
        "decays": lambda: steps((2, 3), weight_decay=0.1, adam_weight_decay=0.2),
        "no decay": lambda: steps((2, 3), weight_decay=None, adam_weight_decay=None),
        "excluded": lambda: steps((2, 3), exclude_layers=["dense"], adam_lr_ratio=0.1),
        "embeddings": lambda: steps((2, 3), exclude_embeddings=False),
    }


def defaults(tf):
    o = tf.keras.optimizers
    shown = ("learning_rate", "epsilon", "beta_1", "beta_2", "rho", "momentum", "nesterov", "weight_decay")

    def settings(name):
        config = getattr(o, name)().get_config()
        return {key: config[key] for key in shown if key in config}

    answers = {name: (lambda name=name: settings(name)) for name in NAMES}
    answers |= {f"config of {name}": (lambda name=name: sorted(getattr(o, name)().get_config())) for name in NAMES}
    return answers | {
        "tf.optimizers": lambda: [getattr(tf.optimizers, name)().name.rstrip("_0123456789") for name in NAMES],
        "given name": lambda: o.SGD(name="mine").name,
        "initial accumulator": lambda: [
            o.Adagrad().get_config()["initial_accumulator_value"],
            o.Ftrl().get_config()["initial_accumulator_value"],
        ],
        "iterations": lambda: o.SGD().iterations.numpy(),
        "learning_rate is a variable": lambda: o.SGD(0.5).learning_rate,
    }


def clipping(tf):
    o = tf.keras.optimizers

    def after(optimizer, *gradients):
        variables = [tf.Variable([0.0, 0.0]) for _ in gradients]
        optimizer.apply_gradients([(tf.constant(g), v) for g, v in zip(gradients, variables, strict=True)])
        return variables

    return {
        "clipnorm is per variable": lambda: after(o.SGD(1.0, clipnorm=1.0), [3.0, 4.0], [0.3, 0.4]),
        "global_clipnorm is over all": lambda: after(o.SGD(1.0, global_clipnorm=1.0), [3.0, 4.0], [0.0, 12.0]),
        "clipvalue": lambda: after(o.SGD(1.0, clipvalue=0.5), [3.0, -4.0], [0.3, -0.4]),
        "clipnorm of zeros": lambda: after(o.SGD(1.0, clipnorm=1.0), [0.0, 0.0]),
        "global_clipnorm of zeros": lambda: after(o.SGD(1.0, global_clipnorm=1.0), [0.0, 0.0], [0.0, 0.0]),
        "clipnorm and clipvalue": lambda: o.SGD(1.0, clipnorm=1.0, clipvalue=1.0),
        "clipnorm and global_clipnorm": lambda: o.SGD(1.0, clipnorm=1.0, global_clipnorm=1.0),
        "clipvalue and global_clipnorm": lambda: o.SGD(1.0, clipvalue=1.0, global_clipnorm=1.0),
    }


def learning_rates(tf):
    o = tf.keras.optimizers

    def assigned():
        optimizer = o.SGD(0.5)
        optimizer.learning_rate = 0.25
        return [float(optimizer.learning_rate), _one_step(tf, optimizer)]

    def assigned_in_place():
        optimizer = o.SGD(0.5)
        optimizer.learning_rate.assign(0.125)
        return _one_step(tf, optimizer)

    def over_a_schedule():
        optimizer = o.SGD(o.schedules.ExponentialDecay(0.1, 10, 0.5))
        optimizer.learning_rate = 0.25

    def scheduled():
        optimizer = o.SGD(o.schedules.PiecewiseConstantDecay([1, 3], [1.0, 10.0, 100.0]))
        w, path = tf.Variable(0.0), []
        for _ in range(6):
            optimizer.apply_gradients([(tf.constant(1.0), w)])
            path.append([float(w), float(optimizer.learning_rate), int(optimizer.iterations)])
        return tf.constant(path)

    def called():
        rate = tf.Variable(0.5)
        optimizer = o.SGD(lambda: rate * 2.0)
        first = _one_step(tf, optimizer)
        rate.assign(0.25)
        return [first, _one_step(tf, o.SGD(lambda: rate * 2.0))]

    return {
        "int": lambda: o.SGD(1),
        "bool": lambda: refused(lambda: o.SGD(True)),
        "string": lambda: refused(lambda: o.SGD("fast")),
        "None": lambda: refused(lambda: o.SGD(None)),
        "assigned": assigned,
        "assigned in place": assigned_in_place,
        "over a schedule": over_a_schedule,
        "scheduled": scheduled,
        "called": called,
        "keyword": lambda: float(o.Adam(learning_rate=0.25).learning_rate),
        "lr": lambda: refused(lambda: o.Adam(lr=0.25)),
        "unknown argument": lambda: o.SGD(0.1, nonsense=1),
    }


def _one_step(tf, optimizer):
    w = tf.Variable(0.0)
    optimizer.apply_gradients([(tf.constant(1.0), w)])
    return w


def schedules(tf):
    s = tf.keras.optimizers.schedules
    steps = [0, 1, 2, 3, 4, 5, 7, 10, 11, 20, 25]

    def path(schedule):
        return tf.constant([float(schedule(step)) for step in steps])

    return {
        "ExponentialDecay": lambda: path(s.ExponentialDecay(0.5, 5, 0.5)),
        "ExponentialDecay staircase": lambda: path(s.ExponentialDecay(0.5, 5, 0.5, staircase=True)),
        "PiecewiseConstantDecay": lambda: path(s.PiecewiseConstantDecay([3, 7], [1.0, 0.5, 0.25])),
        "PiecewiseConstantDecay misfit": lambda: s.PiecewiseConstantDecay([3], [1.0]),
        "PolynomialDecay": lambda: path(s.PolynomialDecay(0.5, 10, 0.1, power=2.0)),
        "PolynomialDecay default": lambda: path(s.PolynomialDecay(0.5, 10)),
        "PolynomialDecay cycle": lambda: path(s.PolynomialDecay(0.5, 10, 0.1, cycle=True)),
        "InverseTimeDecay": lambda: path(s.InverseTimeDecay(0.5, 5, 0.5)),
        "InverseTimeDecay staircase": lambda: path(s.InverseTimeDecay(0.5, 5, 0.5, staircase=True)),
        "CosineDecay": lambda: path(s.CosineDecay(0.5, 10)),
        "CosineDecay alpha": lambda: path(s.CosineDecay(0.5, 10, alpha=0.1)),
        "CosineDecay warm up": lambda: path(s.CosineDecay(0.0, 10, warmup_target=0.5, warmup_steps=5)),
        "CosineDecayRestarts": lambda: path(s.CosineDecayRestarts(0.5, 5)),
        "CosineDecayRestarts scaled": lambda: path(s.CosineDecayRestarts(0.5, 5, t_mul=1.5, m_mul=0.5, alpha=0.1)),
        "result": lambda: s.ExponentialDecay(0.5, 5, 0.5)(5),
        "result of piecewise": lambda: s.PiecewiseConstantDecay([3], [1.0, 0.5])(4),
        "of a tensor": lambda: s.ExponentialDecay(0.5, 5, 0.5)(tf.constant(5)),
        "config": lambda: s.ExponentialDecay(0.5, 5, 0.5).get_config(),
        "config of piecewise": lambda: s.PiecewiseConstantDecay([3], [1.0, 0.5]).get_config(),
        "from_config": lambda: path(s.CosineDecay.from_config(s.CosineDecay(0.5, 10, alpha=0.1).get_config())),
        "own": lambda: _own_schedule(tf),
        "zero decay steps": lambda: s.CosineDecay(0.5, 0),
    }


def _own_schedule(tf):
    class Halving(tf.keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1.0 / (tf.cast(step, tf.float32) + 1.0)

    optimizer = tf.keras.optimizers.SGD(Halving())
    v, path = tf.Variable(0.0), []
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant(1.0), v)])
        path.append(float(v))
    return tf.constant(path)


def gradients_and_variables(tf):
    o = tf.keras.optimizers

    def warned():
        a, b = tf.Variable(1.0), tf.Variable(1.0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            o.SGD(0.5).apply_gradients([(None, a), (tf.constant(1.0), b)])
        return [a, b, any("Gradients do not exist" in str(w.message) for w in caught)]

    def unknown_variable():
        optimizer = o.SGD(0.5)
        optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))])
        optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))])

    def unknown_variable_adam():
        optimizer = o.Adam(0.5)
        optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))])
        optimizer.apply_gradients([(tf.constant(1.0), tf.Variable(1.0))])

    def subset():
        optimizer, a, b = o.SGD(0.5, momentum=0.9), tf.Variable(1.0), tf.Variable(1.0)
        optimizer.build([a, b])
        optimizer.apply_gradients([(tf.constant(1.0), b)])
        optimizer.apply_gradients([(tf.constant(1.0), b)])
        return [a, b]

    def swapped():
        optimizer, a, b = o.SGD(0.5, momentum=0.9), tf.Variable(1.0), tf.Variable(10.0)
        optimizer.apply_gradients([(tf.constant(1.0), a), (tf.constant(5.0), b)])
        optimizer.apply_gradients([(tf.constant(0.0), b), (tf.constant(0.0), a)])
        return [a, b]

    def zipped():
        v = tf.Variable([1.0, 2.0])
        optimizer = o.SGD(0.5)
        optimizer.apply_gradients(zip([tf.constant([1.0, 1.0])], [v], strict=True))
        return v

    def applied():
        v = tf.Variable([1.0, 2.0])
        optimizer = o.SGD(0.5)
        optimizer.apply([tf.constant([1.0, 1.0])], [v])
        optimizer.apply([tf.constant([1.0, 1.0])])
        return [v, optimizer.iterations.numpy()]

    def frozen():
        v = tf.Variable(3.0, trainable=False)
        o.SGD(0.5).apply_gradients([(tf.constant(1.0), v)])
        return v

    return {
        "None warns and is skipped": warned,
        "all None": lambda: o.SGD(0.5).apply_gradients([(None, tf.Variable(1.0))]),
        "nothing": lambda: refused(lambda: o.SGD(0.5).apply_gradients([])),
        "wrong shape": lambda: refused(
            lambda: o.SGD(0.5).apply_gradients([(tf.constant([1.0, 2.0, 3.0]), tf.Variable([1.0, 2.0]))])
        ),
        "unknown variable": unknown_variable,
        "unknown variable of Adam": unknown_variable_adam,
        "a part of the built ones": subset,
        "state follows the variable": swapped,
        "zip": zipped,
        "apply": applied,
        "frozen": frozen,
        "iterations": lambda: _iterations(tf),
        "returns": lambda: o.SGD(0.5).apply_gradients([(tf.constant(1.0), tf.Variable(1.0))]),
        "infinite gradient": lambda: _steps(tf, o.SGD(0.1), [[float("inf"), 0.0, 1.0]]),
        "of a Python number": lambda: _steps(tf, o.Adam(0.1), [[1.0, 1.0, 1.0]]),
    }


def _iterations(tf):
    optimizer, v = tf.keras.optimizers.Adam(0.5), tf.Variable(1.0)
    before = optimizer.iterations.numpy()
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant(1.0), v)])
    return [before, optimizer.iterations.numpy()]


def state(tf):
    o = tf.keras.optimizers

    def built(optimizer):
        v = tf.Variable([1.0, 2.0], name="weight")
        optimizer.apply_gradients([(tf.constant([1.0, -1.0]), v)])
        return optimizer

    def values(name):
        return [item.numpy() for item in built(getattr(o, name)(0.5)).variables]

    def round_trip():
        v = tf.Variable([1.0, 2.0])
        first = o.Adam(0.1)
        first.apply_gradients([(tf.constant([1.0, -1.0]), v)])
        second = o.Adam(0.1)
        second.build([v])
        for target, source in zip(second.variables, first.variables, strict=True):
            target.assign(source)
        second.apply_gradients([(tf.constant([1.0, 0.5]), v)])
        return v

    answers = {f"variables of {name}": (lambda name=name: values(name)) for name in NAMES}
    return answers | {
        "before build": lambda: [item.name for item in o.Adam().variables],
        "names of Adam": lambda: [item.name for item in built(o.Adam()).variables],
        "paths of Adam": lambda: [item.path for item in built(o.Adam(name="adam")).variables],
        "paths of SGD": lambda: [item.path for item in built(o.SGD(momentum=0.9, name="sgd")).variables],
        "round trip": round_trip,
        "serialised": lambda: o.serialize(o.SGD(0.5, momentum=0.9))["class_name"],
        "deserialised": lambda: float(o.deserialize(o.serialize(o.SGD(0.5))).learning_rate),
        "from_config": lambda: _steps(tf, o.Adam.from_config(o.Adam(0.1, beta_1=0.5).get_config())),
        "from_config of a schedule": lambda: _steps(
            tf, o.SGD.from_config(o.SGD(o.schedules.ExponentialDecay(0.1, 1, 0.5)).get_config())
        ),
        "get by name": lambda: [type(o.get(name)).__name__ for name in ("sgd", "adam", "Adam", "RMSprop", "adamw")],
        "get of an object": lambda: (lambda optimizer: o.get(optimizer) is optimizer)(o.SGD()),
        "get of a dict": lambda: float(o.get({"class_name": "SGD", "config": {"learning_rate": 0.25}}).learning_rate),
        "get unknown": lambda: o.get("nonsense"),
    }


def averages(tf):
    o = tf.keras.optimizers

    def ema():
        optimizer, v = o.SGD(1.0, use_ema=True, ema_momentum=0.5), tf.Variable([0.0])
        path = []
        for _ in range(3):
            optimizer.apply_gradients([(tf.constant([1.0]), v)])
            path.append([float(v[0]), float(optimizer.variables[-1][0])])
        optimizer.finalize_variable_values([v])
        return [tf.constant(path), v]

    def accumulation():
        optimizer, v = o.SGD(1.0, gradient_accumulation_steps=3), tf.Variable([0.0])
        path = []
        for step in range(7):
            optimizer.apply_gradients([(tf.constant([float(step)]), v)])
            path.append([float(v[0]), float(optimizer.iterations)])
        return tf.constant(path)

    return {
        "ema": ema,
        "ema momentum out of range": lambda: o.SGD(1.0, use_ema=True, ema_momentum=1.5),
        "accumulation": accumulation,
        "accumulation of one": lambda: o.SGD(1.0, gradient_accumulation_steps=1),
    }


def loss_scaling(tf):
    o = tf.keras.optimizers

    def skips_infinity():
        optimizer, v = o.LossScaleOptimizer(o.SGD(1.0), initial_scale=8.0), tf.Variable([1.0])
        optimizer.apply_gradients([(tf.constant([math.inf]), v)])
        after_infinity = [v.numpy().tolist(), float(optimizer.dynamic_scale)]
        optimizer.apply_gradients([(tf.constant([4.0]), v)])
        return [after_infinity, v, float(optimizer.dynamic_scale)]

    def grows():
        optimizer = o.LossScaleOptimizer(o.SGD(1.0), initial_scale=8.0, dynamic_growth_steps=2)
        v = tf.Variable([1.0])
        path = []
        for _ in range(4):
            optimizer.apply_gradients([(tf.constant([0.0]), v)])
            path.append(float(optimizer.dynamic_scale))
        return tf.constant(path)

    return {
        "skips infinity and halves": skips_infinity,
        "grows": grows,
        "scale_loss": lambda: float(o.LossScaleOptimizer(o.SGD(1.0), initial_scale=8.0).scale_loss(tf.constant(2.0))),
        "default scale": lambda: float(o.LossScaleOptimizer(o.SGD(1.0)).initial_scale),
    }


def sparse_rows(tf):
    o = tf.keras.optimizers
    made = {
        name: (lambda name=name, **more: getattr(o, name)(0.1, **more)) for name in OF_VARIABLES if name != "Adafactor"
    }
    made |= {
        "SGD momentum": lambda: o.SGD(0.1, momentum=0.9),
        "Adam clipnorm": lambda: o.Adam(0.1, clipnorm=1.0),
        "SGD clipnorm": lambda: o.SGD(0.1, clipnorm=1.0),
        "SGD clipvalue": lambda: o.SGD(0.1, clipvalue=0.5),
        "SGD global_clipnorm": lambda: o.SGD(0.1, global_clipnorm=1.0),
        "AdamW decay": lambda: o.AdamW(0.1, weight_decay=0.1),
    }

    def steps(make, sparse):
        v = tf.Variable([[1.0], [2.0], [3.0]])
        optimizer = make()
        for rows, values in (([0, 2], [[1.0], [-2.0]]), ([1, 2], [[0.5], [4.0]])):
            slices = tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([3, 1]))
            optimizer.apply_gradients([(slices if sparse else tf.convert_to_tensor(slices), v)])
        return v

    answers = {name: (lambda make=make: steps(make, sparse=True)) for name, make in made.items()}
    answers |= {f"{name}, dense": (lambda make=make: steps(make, sparse=False)) for name, make in made.items()}

    def repeated():
        v = tf.Variable([[1.0], [2.0]])
        slices = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([1, 1]), tf.constant([2, 1]))
        o.SGD(0.5).apply_gradients([(slices, v)])
        return v

    def through_a_tape():
        table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        optimizer = o.Adam(0.1)
        for rows in ([0, 2], [2, 1]):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.nn.embedding_lookup(table, rows) ** 2)
            optimizer.apply_gradients([(tape.gradient(loss, table), table)])
        return table

    return answers | {"repeated rows of SGD": repeated, "through a tape": through_a_tape}


def training(tf):
    """Small fits whose whole path is known."""

    def linear(make):
        w, b = tf.Variable(0.0), tf.Variable(0.0)
        x = tf.constant([0.0, 1.0, 2.0, 3.0])
        y = 2.0 * x + 1.0
        optimizer = make()
        losses = []
        for _ in range(5):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(w * x + b - y))
            optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))
            losses.append(float(loss))
        return [tf.constant(losses), w, b]

    def two_optimizers():
        a, b = tf.Variable(1.0), tf.Variable(1.0)
        slow, fast = tf.keras.optimizers.SGD(0.01), tf.keras.optimizers.SGD(0.1)
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = (a * b - 3.0) ** 2
            grads = tape.gradient(loss, [a, b])
            slow.apply_gradients([(grads[0], a)])
            fast.apply_gradients([(grads[1], b)])
        return [a, b]

    answers = {name: (lambda name=name: linear(lambda: getattr(tf.optimizers, name)(0.05))) for name in NAMES}
    return answers | {"two optimizers": two_optimizers}
