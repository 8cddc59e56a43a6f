"""GradientTape: life cycle, watching, structures of sources and targets, nesting."""

from ..refusal import refused


def life_cycle(tf):
    def used_twice(persistent=False, method="gradient"):
        x = tf.constant([3.0])
        with tf.GradientTape(persistent=persistent) as tape:
            tape.watch(x)
            y = x * x
        return [getattr(tape, method)(y, x), getattr(tape, method)(y, x)]

    def message():
        try:
            used_twice()
        except RuntimeError as error:
            return "non-persistent" in str(error)
        return False

    def inside():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
            return tape.gradient(y, x)

    def inside_then_outside():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
            tape.gradient(y, x)
        return tape.gradient(y, x)

    def reset():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            tape.reset()
            y = x * x
        return tape.gradient(y, x)

    def reset_and_watched_again():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
            tape.reset()
            tape.watch(x)
            y = x * x * x
        return tape.gradient(y, x)

    def reset_keeps_variables():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
            tape.reset()
            y = v * v * v
        return tape.gradient(y, v)

    def reset_forgets_the_past():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
            tape.reset()
        return tape.gradient(y, v)

    def reset_outside():
        tape = tf.GradientTape()
        with tape:
            pass
        tape.reset()

    def re_entered():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        with tape:
            y = y * x
        return tape.gradient(y, x)

    def re_entered_while_active():
        with tf.GradientTape() as tape, tape:
            pass

    def never_entered():
        return tf.GradientTape().gradient(tf.constant(1.0), tf.constant(1.0))

    def after_an_exception():
        v = tf.Variable(3.0)
        tape = tf.GradientTape()
        try:
            with tape:
                y = v * v
                raise KeyError
        except KeyError:
            return tape.gradient(y, v)

    def stop_recording():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
            with tape.stop_recording():
                z = v * v * v
            y = y + z
        return tape.gradient(y, v)

    def stop_recording_inactive():
        tape = tf.GradientTape()
        with tape.stop_recording():
            pass

    def gradient_inside_stop_recording():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
            with tape.stop_recording():
                return tape.gradient(y, v)

    def outside_not_recorded():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
        z = y * v
        return tape.gradient(z, v)

    def persistent_targets():
        x = tf.constant(3.0)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            z = y * y
        return [tape.gradient(z, x), tape.gradient(y, x), tape.gradient(z, y)]

    return {
        "gradient twice": used_twice,
        "message names non-persistent": message,
        "jacobian twice": lambda: used_twice(method="jacobian"),
        "persistent twice": lambda: used_twice(persistent=True),
        "persistent jacobian twice": lambda: used_twice(persistent=True, method="jacobian"),
        "inside the with": inside,
        "inside then outside": inside_then_outside,
        "reset drops watches": reset,
        "reset and watched again": reset_and_watched_again,
        "reset keeps variables": reset_keeps_variables,
        "reset forgets the past": reset_forgets_the_past,
        "reset outside": reset_outside,
        "re-entered": re_entered,
        "re-entered while active": re_entered_while_active,
        "never entered": never_entered,
        "after an exception": after_an_exception,
        "stop_recording": stop_recording,
        "stop_recording on an inactive tape": stop_recording_inactive,
        "gradient inside stop_recording": gradient_inside_stop_recording,
        "outside is not recorded": outside_not_recorded,
        "persistent, several targets": persistent_targets,
    }


def watching(tf):
    def names(fill):
        with tf.GradientTape() as tape:
            fill(tape)
        return [v.name for v in tape.watched_variables()]

    b, a = tf.Variable(1.0, name="b"), tf.Variable(2.0, name="a")
    frozen = tf.Variable(1.0, trainable=False, name="frozen")
    integer = tf.Variable(1, name="integer")

    def use(*variables):
        return lambda tape: [v + v for v in variables]

    def watched_constant():
        x = tf.constant(1.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            _ = x * b
        return len(tape.watched_variables())

    def gradient_for(variable, **arguments):
        with tf.GradientTape(**arguments) as tape:
            y = variable * 3.0
        return tape.gradient(y, variable)

    def watched_by_hand():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(a)
            y = a * b
        return tape.gradient(y, [a, b])

    def unwatched_constant():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            y = x * x
        return tape.gradient(y, x)

    def watched_late():
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            y = x * x
            tape.watch(x)
            y = y * x
        return tape.gradient(y, x)

    def watched_integer():
        x = tf.constant(3)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        return tape.gradient(y, x)

    def watch_list():
        x, z = tf.constant(3.0), tf.constant(4.0)
        with tf.GradientTape() as tape:
            tape.watch([x, {"z": z}])
            y = x * z
        return tape.gradient(y, [x, z])

    def read_before(read):
        with tf.GradientTape() as tape:
            y = read(a) * 3.0
        return tape.gradient(y, a)

    return {
        "creation order": lambda: names(use(a, b)),
        "each once": lambda: names(use(b, b, a, b)),
        "kind": lambda: _watched_kind(tf),
        "without frozen": lambda: names(use(frozen, a)),
        "integers too": lambda: names(use(integer, a)),
        "frozen watched by hand": lambda: names(lambda tape: tape.watch(frozen)),
        "constants are not listed": watched_constant,
        "trainable": lambda: gradient_for(a),
        "frozen": lambda: gradient_for(frozen),
        "watch_accessed_variables False": lambda: gradient_for(a, watch_accessed_variables=False),
        "watched by hand": watched_by_hand,
        "unwatched constant": unwatched_constant,
        "watched late": watched_late,
        "watch nested": watch_list,
        "watch of numpy": lambda: tf.GradientTape().watch(1.0),
        "watch of an int": watched_integer,
        "through value()": lambda: read_before(lambda v: v.value()),
        "through read_value()": lambda: read_before(lambda v: v.read_value()),
        "through identity": lambda: read_before(tf.identity),
        "through convert_to_tensor": lambda: read_before(tf.convert_to_tensor),
    }


def _watched_kind(tf):
    with tf.GradientTape() as tape:
        pass
    return tape.watched_variables()


def structures(tf):
    x, y = tf.Variable([1.0, 2.0]), tf.Variable(3.0)

    def of(sources, target=lambda: tf.reduce_sum(x * x) * y, **arguments):
        with tf.GradientTape() as tape:
            result = target()
        return tape.gradient(result, sources, **arguments)

    return {
        "single": lambda: of(x),
        "list": lambda: of([x, y]),
        "tuple": lambda: of((x, y)),
        "dict": lambda: of({"y": y, "x": x}),
        "nested": lambda: of({"a": [x, (y,)], "b": y}),
        "one in a list": lambda: of([x]),
        "empty list": lambda: of([]),
        "same twice": lambda: of([x, x]),
        "several targets": lambda: of(x, lambda: [tf.reduce_sum(x), tf.reduce_sum(x * x)]),
        "targets in a dict": lambda: of(x, lambda: {"a": x * x, "b": x}),
        "targets with None": lambda: of(x, lambda: [x * x, None]),
        "vector target is summed": lambda: of(x, lambda: x * x),
        "target is the source": lambda: of(x, lambda: x),
        "target is a variable": lambda: of(y, lambda: y),
        "unconnected": lambda: of([x, y], lambda: x * 2.0),
        "unconnected zero": lambda: of([x, y], lambda: x * 2.0, unconnected_gradients=tf.UnconnectedGradients.ZERO),
        "unconnected zero by name": lambda: of([x, y], lambda: x * 2.0, unconnected_gradients="zero"),
        "unconnected none by name": lambda: of([x, y], lambda: x * 2.0, unconnected_gradients="none"),
        "unconnected nonsense": lambda: of([x, y], lambda: x * 2.0, unconnected_gradients="nonsense"),
        "output_gradients": lambda: of(x, lambda: x * x, output_gradients=tf.constant([1.0, 10.0])),
        "output_gradients in a list": lambda: of(
            x, lambda: [x * x, x], output_gradients=[tf.constant([1.0, 10.0]), tf.constant([2.0, 2.0])]
        ),
        "output_gradients misfit": lambda: of(x, lambda: x * x, output_gradients=tf.constant([1.0, 1.0, 1.0])),
        "constant target": lambda: of(x, lambda: tf.constant(1.0)),
        "python target": lambda: refused(lambda: of(x, lambda: 1.0)),
        "python source": lambda: refused(lambda: of(1.0)),
        "None source": lambda: of(None),
        "None in the sources": lambda: of([x, None]),
        "string source": lambda: of("x"),
        "integer target": lambda: of(x, lambda: tf.cast(x, tf.int32)),
        "intermediate source": lambda: _intermediate(tf),
    }


def _intermediate(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        z = y * y
    return tape.gradient(z, [x, y, z])


def no_gradient(tf):
    x = tf.Variable([1.5, -2.5])
    i = tf.Variable([1, 2])

    def of(function, source=x):
        with tf.GradientTape() as tape:
            tape.watch(source)
            result = function(source)
        return tape.gradient(result, source)

    return {
        "round": lambda: of(tf.round),
        "floor": lambda: of(tf.floor),
        "ceil": lambda: of(tf.math.ceil),
        "rint": lambda: of(tf.math.rint),
        "sign": lambda: of(tf.sign),
        "argmax": lambda: of(tf.argmax),
        "less": lambda: of(lambda v: v < 0.0),
        "equal": lambda: of(lambda v: v == 0.0),
        "cast to int": lambda: of(lambda v: tf.cast(v, tf.int32)),
        "cast to int and back": lambda: of(lambda v: tf.cast(tf.cast(v, tf.int32), tf.float32)),
        "cast to bool": lambda: of(lambda v: tf.cast(v, tf.bool)),
        "cast to float64": lambda: of(lambda v: tf.cast(v, tf.float64)),
        "cast to float16": lambda: of(lambda v: tf.cast(v, tf.float16)),
        "shape": lambda: of(tf.shape),
        "size": lambda: of(tf.size),
        "zeros_like": lambda: of(tf.zeros_like),
        "ones_like": lambda: of(tf.ones_like),
        "stop_gradient": lambda: of(tf.stop_gradient),
        "stop_gradient of a part": lambda: of(lambda v: v * tf.stop_gradient(v)),
        "floor mod": lambda: of(lambda v: v % 2.0),
        "floor div": lambda: of(lambda v: v // 2.0),
        "integer source": lambda: of(lambda v: v * 2, i),
        "integer source cast to float": lambda: of(lambda v: tf.cast(v, tf.float32) * 2.0, i),
        "one_hot of a cast": lambda: of(lambda v: tf.one_hot(tf.cast(v, tf.int32), 3)),
        "where on the condition": lambda: of(lambda v: tf.where(v > 0, 1.0, 0.0)),
        "abs through sign": lambda: of(lambda v: v * tf.sign(v)),
    }


def assignments(tf):
    def through_assign():
        x, v = tf.Variable(3.0), tf.Variable(1.0)
        with tf.GradientTape() as tape:
            v.assign(x * x)
            y = v * 2.0
        return tape.gradient(y, [x, v])

    def through_assign_add():
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            x.assign_add(x * 2.0)
            y = x * x
        return tape.gradient(y, x)

    def through_assign_result():
        x, v = tf.Variable(3.0), tf.Variable(1.0)
        with tf.GradientTape() as tape:
            y = v.assign(x * x) * 2.0
        return tape.gradient(y, x)

    def changed_after():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
        v.assign(10.0)
        return tape.gradient(y, v)

    def changed_between_reads():
        v = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = v * v
            v.assign(10.0)
            y = y + v * v
        return [y, tape.gradient(y, v)]

    return {
        "through assign": through_assign,
        "through assign_add": through_assign_add,
        "through the result of assign": through_assign_result,
        "changed after recording": changed_after,
        "changed between reads": changed_between_reads,
    }
