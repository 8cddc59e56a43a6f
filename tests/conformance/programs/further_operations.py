"""Dilation, distinct labels, paddings for blocks, conjugate gradients, names of devices."""


def morphology(tf):
    x = tf.reshape(tf.range(32.0) % 7, [1, 4, 4, 2])
    f = tf.reshape(tf.range(8.0) / 4, [2, 2, 2])

    def gradients(operation, *arguments):
        with tf.GradientTape() as tape:
            tape.watch([x, f])
            y = operation(x, f, *arguments) * tf.range(2.0)
        return tape.gradient(y, [x, f])

    operation = tf.nn.dilation2d
    ones = [1, 1, 1, 1]
    cases = {
        "same": (x, f, ones, "SAME", "NHWC", ones),
        "valid": (x, f, [1, 2, 1, 1], "VALID", "NHWC", [1, 1, 2, 1]),
        "dilated": (x, f, [1, 2, 2, 1], "SAME", "NHWC", [1, 2, 2, 1]),
        "integers": (tf.cast(x, tf.int32), tf.cast(f, tf.int32), ones, "SAME", "NHWC", ones),
        "float64": (tf.cast(x, tf.float64), tf.cast(f, tf.float64) - 3.0, ones, "SAME", "NHWC", ones),
        "format": (x, f, ones, "SAME", "NCHW", ones),
        "channels": (x, f[:, :, :1], ones, "SAME", "NHWC", ones),
        "rank": (x[0], f, ones, "SAME", "NHWC", ones),
        "two strides": (x, f, [1, 1], "SAME", "NHWC", ones),
        "stride of the batch": (x, f, [2, 1, 1, 1], "SAME", "NHWC", ones),
        "padding": (x, f, ones, "FULL", "NHWC", ones),
        "dtypes": (x, tf.cast(f, tf.int32), ones, "SAME", "NHWC", ones),
        "window larger by 1": (x, tf.zeros([x.shape[1] + 1, x.shape[2] + 1, 2]), ones, "VALID", "NHWC", ones),
        "rows larger by 1": (x, tf.zeros([x.shape[1] + 1, 1, 2]), ones, "VALID", "NHWC", ones),
        "window larger by 2": (x, tf.zeros([x.shape[1] + 2, 1, 2]), ones, "VALID", "NHWC", ones),
        "window larger by a stride": (x, tf.zeros([x.shape[1] + 2, 1, 2]), [1, 2, 2, 1], "VALID", "NHWC", ones),
    }
    questions = {
        f"dilation2d {case}": lambda arguments=arguments: operation(*arguments) for case, arguments in cases.items()
    }
    return questions | {
        "dilation2d gradients": lambda: gradients(operation, [1, 1, 1, 1], "SAME", "NHWC", [1, 2, 1, 1]),
    }


def shapes(tf):
    paddings = tf.required_space_to_batch_paddings

    return {
        "paddings": lambda: paddings([5, 7], [2, 3]),
        "base paddings": lambda: paddings(tf.constant([5, 7]), tf.constant([2, 3]), base_paddings=[[1, 0], [0, 2]]),
        "no blocks": lambda: paddings(tf.zeros([0], tf.int32), tf.zeros([0], tf.int32)),
        "two sizes for a block": lambda: paddings([5, 7], [2]),
        "floats": lambda: paddings([5.0, 7.0], [2, 3]),
        "guarantee": lambda: tf.guarantee_const([1.0, 2.0]),
    }


def devices(tf):
    spec = tf.DeviceSpec

    def read(text):
        return spec.from_string(text).to_string()

    def section():
        lock = tf.CriticalSection()
        return lock.execute(lambda: tf.constant(1) + 1)

    def section_in_itself():
        lock = tf.CriticalSection()
        return lock.execute(lambda: lock.execute(lambda: tf.constant(1)))

    def on_cpu():
        with tf.device(spec(device_type="CPU", device_index=0)):
            return tf.constant(1.0) + 1.0

    return {
        "all parts": lambda: spec(job="ps", replica=1, task=2, device_type="gpu", device_index=3).to_string(),
        "read": lambda: [
            read(text) for text in ("/job:worker/device:CPU:1", "/gpu:1", "GPU:0", "/device:GPU:*", "/device:*:1", "")
        ],
        "parts": lambda: [
            str(getattr(spec.from_string("/job:a/task:2/gpu:1"), key))
            for key in ("job", "replica", "task", "device_type", "device_index")
        ],
        "merged": lambda: spec(device_type="GPU").make_merged_spec(spec(job="a", device_index=1)).to_string(),
        "replaced": lambda: spec(device_type="GPU").replace(device_index=2).to_string(),
        "parsed": lambda: spec(device_type="GPU").parse_from_string("/cpu:0").to_string(),
        "other type": lambda: spec(device_type="x", job=3).to_string(),
        "text": lambda: repr(spec(device_type="GPU")),
        "equal": lambda: [
            spec(device_type="GPU") == spec(device_type="gpu"),
            spec(job="a") == spec(job="b"),
            spec(job="a") == "/job:a",
        ],
        "hash": lambda: len({spec(job="a"), spec(job="a"), spec(job="b")}),
        "two types": lambda: read("/gpu:1/cpu:0"),
        "unknown part": lambda: read("/nope:1"),
        "no value": lambda: read("/job"),
        "no number": lambda: spec(replica="a"),
        "scope": on_cpu,
        "section": section,
        "section in itself": section_in_itself,
        "not callable": lambda: tf.CriticalSection().execute(3),
    }


def fingerprints(tf):
    of = tf.fingerprint
    return {
        "texts": lambda: of([b"a", b"b" * 100]),
        "rows of texts": lambda: of([[b"a", b"b"], [b"", b"c"]]),
        "columns of texts": lambda: of([[b"a"], [b"b"]]),
        "rows of numbers": lambda: of([[1, 2], [3, 4]]),
        "numbers": lambda: of([1.0, 2.0]),
        "flags": lambda: of([[True, False]]),
        "compiled": lambda: tf.function(of)(tf.constant([1, 2])),
        "a scalar": lambda: of(b"a"),
        "another method": lambda: of([b"a"], method="x"),
    }
