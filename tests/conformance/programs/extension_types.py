"""Extension types: fields, specs, functions, nests, dispatch, datasets."""

from collections.abc import Mapping
from typing import Optional, Union

from ..refusal import refused


def _masked(tf):
    class Masked(tf.experimental.ExtensionType):
        values: tf.Tensor
        mask: tf.Tensor
        name: str = "n"

        def __validate__(self):
            self.values.shape.assert_is_compatible_with(self.mask.shape)

        def filled(self, value):
            return tf.where(self.mask, self.values, value)

    return Masked


def _record(tf):
    class Record(tf.experimental.ExtensionType):
        x: tf.Tensor
        f: float = 1.0
        u: Union[int, str] = 1  # noqa: UP007  # the text of an error has it
        r: Optional[tf.RaggedTensor] = None  # noqa: UP045
        s: tuple[int, ...] = ()
        m: Mapping[str, int] = {}

    return Record


def _set(obj, name, value):
    setattr(obj, name, value)


def fields(tf):
    Masked, Record = _masked(tf), _record(tf)
    m = Masked([1.0, 2.0], [True, False])
    return {
        "values": lambda: [m.values, m.mask, m.name],
        "method": lambda: m.filled(0.0),
        "by name": lambda: Masked(mask=[True], values=[1], name="k").name,
        "repr": lambda: repr(Record(1, s=[1, 2], m={"a": 1})).split("dtype")[0],
        "validation": lambda: Masked([1.0], [True, False]),
        "missing": lambda: Masked([1.0]),
        "wrong str": lambda: Masked([1.0], [True], name=3),
        "unknown": lambda: Masked([1.0], [True], foo=3),
        "change": lambda: _set(m, "values", 3),
        "new attribute": lambda: _set(m, "other", 3),
        "deletion": lambda: delattr(m, "values"),
        "no tensor": lambda: Record(object()),
        "int for float": lambda: Record(1, f=1),
        "no alternative": lambda: Record(1, u=1.5),
        "no ragged tensor": lambda: Record(1, r=3),
        "ragged": lambda: Record(1, r=tf.ragged.constant([[1], [2, 3]])).r,
        "no tuple": lambda: Record(1, s=3),
        "wrong item": lambda: Record(1, s=[1, "a"]),
        "no mapping": lambda: Record(1, m=3),
        "wrong key": lambda: Record(1, m={1: 1}),
        "list becomes tuple": lambda: Record(1, s=[1, 2]).s,
        "mapping": lambda: dict(Record(1, m={"a": 1}).m),
        "variable": lambda: Record(tf.Variable(3.0)).x,
        "equal": lambda: m == Masked([1.0, 2.0], [True, False]),
        "not equal": lambda: m == Masked([1.0, 3.0], [True, False]),
        "other name": lambda: m == Masked([1.0, 2.0], [True, False], "k"),
        "other shape": lambda: Masked([1.0], [True]) == m,
        "other type": lambda: [m == 3, m != 3],
        "unequal": lambda: m != m,
        "hash": lambda: hash(m),
        "is a tensor": lambda: tf.is_tensor(m),
        "abstract": lambda: tf.experimental.ExtensionType(),
        "converted": lambda: tf.convert_to_tensor(m),
        "no operation": lambda: tf.matmul(m, m),
        "identity": lambda: tf.identity(m).values,
    }


def classes(tf):
    def with_annotation(annotation):
        return type(
            "A", (tf.experimental.ExtensionType,), {"__annotations__": {"x": annotation}, "__module__": __name__}
        )

    def with_init():
        class Angle(tf.experimental.ExtensionType):
            radians: tf.Tensor

            def __init__(self, degrees):
                self.radians = tf.convert_to_tensor(degrees) * 0.5

        return Angle([2.0, 4.0]).radians

    def without_field():
        class Pair(tf.experimental.ExtensionType):
            x: tf.Tensor
            y: tf.Tensor

            def __init__(self, x):
                self.x = x

        return Pair(1)

    def without_annotation():
        class Pair(tf.experimental.ExtensionType):
            x = 3

        return Pair

    def wrong_default():
        class Pair(tf.experimental.ExtensionType):
            x: int = "s"

        return Pair

    def derived():
        class Named(_masked(tf)):
            extra: int

        named = Named([1.0], [True], extra=3)
        return [named.extra, named.name, named.values]

    def with_properties():
        class Shaped(tf.experimental.ExtensionType):
            x: tf.Tensor
            shape: tf.TensorShape

            class Spec:
                @property
                def dtype(self):
                    return self.x.dtype

            @property
            def dtype(self):
                return self.x.dtype

        shaped = Shaped([1, 2], [3])
        return [shaped.shape, shaped.dtype.name, Shaped.Spec.from_value(shaped).dtype.name]

    def nested():
        Masked = _masked(tf)

        class Outer(tf.experimental.ExtensionType):
            inner: Masked
            parts: tuple[tf.Tensor, ...]
            dtype: tf.DType = tf.float32

        outer = Outer(Masked([1.0], [True]), [1, 2.0])
        return [outer.inner.values, outer.parts, tf.nest.flatten(outer, expand_composites=True)]

    return {
        "list annotation": lambda: with_annotation(list),
        "list of ints": lambda: with_annotation(list[int]),
        "constructor": with_init,
        "missing field": without_field,
        "no annotation": without_annotation,
        "wrong default": wrong_default,
        "derived": derived,
        "properties": with_properties,
        "nested": nested,
    }


def specs(tf):
    Masked, Record = _masked(tf), _record(tf)
    m = Masked([1.0, 2.0], [True, False])
    exact = tf.type_spec_from_value(m)
    open_spec = Masked.Spec(tf.TensorSpec([None]), tf.TensorSpec([None], tf.bool), "n")
    return {
        "text": lambda: str(exact).split("Masked.Spec")[-1],
        "from value": lambda: Masked.Spec.from_value(m) == exact,
        "field": lambda: str(open_spec.values),
        "value type": lambda: open_spec.value_type is Masked,
        "compatible": lambda: [open_spec.is_compatible_with(m), exact.is_compatible_with(open_spec)],
        "incompatible": lambda: exact.is_compatible_with(Masked([1.0], [True])),
        "subtype": lambda: [exact.is_subtype_of(open_spec), open_spec.is_subtype_of(exact)],
        "supertype": lambda: exact.most_specific_common_supertype([open_spec]) == open_spec,
        "no supertype": lambda: exact.most_specific_common_supertype([tf.TensorSpec([])]),
        "value for a spec": lambda: Record.Spec(3, 1.0, 1, None, (), {}),
        "missing": lambda: Record.Spec(tf.TensorSpec([])),
        "spec for a value": lambda: Record(tf.TensorSpec([])),
        "flatten": lambda: tf.nest.flatten(m, expand_composites=True),
        "map_structure": lambda: tf.nest.map_structure(lambda x: tf.cast(x, tf.int32), m, expand_composites=True).mask,
        "pack": lambda: tf.nest.pack_sequence_as(m, [5, 6], expand_composites=True).values,
    }


def functions(tf):
    Masked, Record = _masked(tf), _record(tf)
    traces = []

    @tf.function
    def double(x):
        traces.append(1)
        return Masked(x.values * 2.0, x.mask, x.name)

    def called(*names):
        traces.clear()
        results = [double(Masked([1.0, float(i)], [True, False], name)) for i, name in enumerate(names)]
        return [[r.values, r.name] for r in results]

    def gradient():
        v = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(double(Masked(v * 2.0, [True, False])).values ** 2)
        return tape.gradient(loss, v)

    def gradient_of_an_object():
        v = tf.Variable(2.0)
        with tf.GradientTape() as tape:
            y = Record(v * 3.0)
        return tape.gradient(y, v)

    @tf.function(input_signature=[Record.Spec(tf.TensorSpec([None]), 1.0, 1, None, (), {})])
    def signed(a):
        return a.x * 2.0

    @tf.function
    def looped(n, a):
        return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, Record(a.x * 2)), [tf.constant(0), a])[1].x

    return {
        "calls": lambda: called("n", "n", "q", "n"),
        "gradient": gradient,
        "gradient of an object": gradient_of_an_object,
        "input_signature": lambda: signed(Record([1.0, 2.0])),
        "misfit": lambda: signed(Record(1.0)),
        "while_loop": lambda: [looped(tf.constant(n), Record(1)) for n in (3, 4, 3, 5)],
        "eager while_loop": lambda: tf.while_loop(lambda a: a.x < 9, lambda a: (Record(a.x * 2),), [Record(1)])[0].x,
        "cond": lambda: tf.cond(tf.constant(True), lambda: Record(1), lambda: Record(2)).x,
        "map": lambda: [a.x for a in tf.data.Dataset.range(3).map(lambda i: Record(i))],
    }


def batches(tf):
    class Point(tf.experimental.BatchableExtensionType):
        a: tf.Tensor
        b: tf.Tensor

    points = Point([[1, 2], [3, 4], [5, 6]], [7, 8, 9])

    def parts(dataset):
        return [[point.a, point.b] for point in dataset]

    rows = tf.data.Dataset.from_tensor_slices(points)
    return {
        "rows": lambda: parts(rows),
        "batches": lambda: parts(rows.batch(2)),
        "whole": lambda: parts(tf.data.Dataset.from_tensors(points)),
        "mapped": lambda: parts(rows.map(lambda p: Point(p.a * 2, p.b)).batch(2)),
        "spec": lambda: [str(rows.batch(2).element_spec.a), str(rows.element_spec.b)],
        "unbatch": lambda: parts(rows.batch(2).unbatch()),
        "in a dict": lambda: [x["k"].a for x in tf.data.Dataset.from_tensor_slices({"k": points}).take(1)],
    }


def dispatch(tf):
    class Box(tf.experimental.ExtensionType):
        x: tf.Tensor

    def registered(decorator, target, call):
        decorator(target)
        try:
            return call()
        finally:
            tf.experimental.unregister_dispatch_for(target)

    def shape(input: Box, out_type=tf.int32, name=None):
        return tf.shape(input.x)

    def stack(values: list[Box], axis=0, name="stack"):
        return Box(tf.stack([value.x for value in values], axis))

    def add(x, y, name=None):
        return Box(x.x + y.x)

    def unary(api, x):
        return Box(api(x.x))

    def registered_twice():
        decorator = d.dispatch_for_unary_elementwise_apis(Box)
        return registered(decorator, unary, lambda: decorator(lambda api, x: x))

    def binary(api, x, y):
        return Box(api(x.x, y.x if isinstance(y, Box) else y))

    d = tf.experimental
    either = Union[Box, tf.Tensor, int]  # noqa: UP007
    by_type = {"x": Box, "y": Box}
    return {
        "shape": lambda: registered(d.dispatch_for_api(tf.shape), shape, lambda: tf.shape(Box([1, 2]))),
        "of tensors": lambda: registered(d.dispatch_for_api(tf.shape), shape, lambda: tf.shape([[1, 2]], name="n")),
        "list": lambda: registered(d.dispatch_for_api(tf.stack), stack, lambda: tf.stack([Box(1), Box(2)]).x),
        "by types": lambda: registered(d.dispatch_for_api(tf.add, by_type), add, lambda: tf.add(Box(1), Box(2)).x),
        "gone": lambda: (registered(d.dispatch_for_api(tf.shape), shape, lambda: 1), tf.shape(Box([1]))),
        "operator": lambda: Box(1) + Box(2),
        "unary": lambda: registered(
            d.dispatch_for_unary_elementwise_apis(Box), unary, lambda: [tf.abs(Box(-1)).x, tf.nn.relu(Box(-1.0)).x]
        ),
        "twice": registered_twice,
        "cast": lambda: registered(
            d.dispatch_for_unary_elementwise_apis(Box), unary, lambda: tf.cast(Box(-1), tf.float32).x
        ),
        "binary": lambda: registered(
            d.dispatch_for_binary_elementwise_apis(Box, either), binary, lambda: tf.maximum(Box(2), tf.constant(5)).x
        ),
        "other parameters": lambda: d.dispatch_for_api(tf.concat)(lambda a, b: a),
        "no types": lambda: d.dispatch_for_api(tf.concat)(lambda values, axis: values),
        "no API": lambda: d.dispatch_for_api(len)(lambda obj: obj),
        "never registered": lambda: d.unregister_dispatch_for(add),
    }


def _network(tf):
    class Network(tf.experimental.BatchableExtensionType):
        shape: tf.TensorShape
        work: tf.Tensor
        bandwidth: tf.Tensor

        def __init__(self, work, bandwidth):
            self.work, self.bandwidth = tf.convert_to_tensor(work), tf.convert_to_tensor(bandwidth)
            self.shape = self.work.shape[:-1].merge_with(self.bandwidth.shape[:-2])

    return Network


def rows(tf):
    """The networks of TensorFlow's guide on extension types, one by one and as a batch."""
    Network = _network(tf)
    links = [[[0.0, 2, 0], [2, 0, 3], [0, 3, 0]], [[0.0, 2, 2], [2, 0, 2], [2, 2, 0]]]
    batch = Network([[5.0, 3, 8], [3.0, 4, 2]], links)
    spec = Network.Spec(shape=[], work=tf.TensorSpec([3]), bandwidth=tf.TensorSpec([3, 3]))
    data = tf.data.Dataset

    def balanced(network):
        mean = tf.reduce_mean(network.work, axis=-1, keepdims=True)
        return Network(mean + tf.zeros_like(network.work), network.bandwidth)

    def loads(vector):
        return Network(vector, tf.linalg.diag(vector))

    def parts(network):
        return [network.shape.as_list(), network.work, network.bandwidth]

    def total(network):
        return tf.reduce_sum(network.work)

    return {
        "slices": lambda: [parts(network) for network in data.from_tensor_slices(batch)],
        "unbatch": lambda: [parts(network) for network in data.from_tensors(batch).unbatch()],
        "work of batches": lambda: [network.work for network in data.from_tensor_slices(batch).repeat(2).batch(3)],
        "map_fn": lambda: parts(tf.map_fn(balanced, batch)),
        "map_fn to numbers": lambda: tf.map_fn(total, batch, fn_output_signature=tf.float32),
        "map_fn to networks": lambda: parts(tf.map_fn(loads, tf.ones((2, 3)), fn_output_signature=spec)),
        "map_fn and a tensor": lambda: tf.map_fn(
            lambda pair: total(pair[0]) * pair[1], (batch, tf.constant([2.0, 3.0])), fn_output_signature=tf.float32
        ),
        "map_fn in a function": lambda: tf.function(lambda: tf.map_fn(balanced, batch).work)(),
        "map_fn without a signature": lambda: tf.map_fn(total, batch),
        "map_fn with another shape": lambda: tf.map_fn(
            lambda vector: loads(vector[:2]), tf.ones((2, 3)), fn_output_signature=spec
        ),
        "vectorized_map": lambda: parts(tf.vectorized_map(balanced, batch)),
        "vectorized_map to numbers": lambda: tf.vectorized_map(total, batch),
        "vectorized_map to networks": lambda: parts(tf.vectorized_map(loads, tf.ones((2, 3)))),
        "vectorized_map in a function": lambda: tf.function(lambda: tf.vectorized_map(total, batch))(),
        "no rows": lambda: tf.map_fn(lambda m: m.values, _masked(tf)([1.0], [True]), fn_output_signature=tf.float32),
    }


def _document(tf):
    class Document(tf.experimental.BatchableExtensionType):
        number: tf.Tensor
        words: tf.RaggedTensor

    return Document


def ragged_fields(tf):
    Document, data = _document(tf), tf.data.Dataset
    flat = Document([1, 2, 3], tf.ragged.constant([[1], [2, 3], []]))
    deep = Document([1, 2, 3], tf.ragged.constant([[[1], [2, 3]], [], [[4]]]))

    def parts(dataset):
        return [[document.number, document.words] for document in dataset]

    def questions_of(value):
        rows = data.from_tensor_slices(value)
        return {
            "rows": lambda: parts(rows),
            "batches": lambda: parts(rows.batch(2)),
            "specs": lambda: [str(rows.element_spec.words), str(rows.batch(2, drop_remainder=True).element_spec.words)],
            "batches of wholes": lambda: parts(data.from_tensors(value).repeat(2).batch(2)),
            "unbatch": lambda: parts(data.from_tensors(value).unbatch()),
            "filtered": lambda: parts(rows.filter(lambda document: document.number != 2).batch(2)),
            "shuffled": lambda: parts(rows.shuffle(1).batch(3)),
            "map_fn": lambda: parts([tf.map_fn(lambda document: document, value)]),
            "map_fn to numbers": lambda: tf.map_fn(
                lambda document: tf.reduce_sum(document.words) + document.number, value, fn_output_signature=tf.int32
            ),
            "vectorized_map": lambda: tf.vectorized_map(lambda document: document.number, value),
        }

    questions = {
        ("deep " * (value is deep)) + name: q for value in (flat, deep) for name, q in questions_of(value).items()
    }

    class Counts(tf.experimental.BatchableExtensionType):
        counts: tf.SparseTensor
        inner: Document

    sparse = Counts(tf.sparse.from_dense([[1, 0], [2, 3], [0, 4]]), flat)
    rows = data.from_tensor_slices(sparse)
    return questions | {
        "sparse rows": lambda: [row.counts for row in rows],
        "sparse batches": lambda: [batch.counts for batch in rows.batch(2)],
        "inner rows": lambda: [row.inner.words for row in rows.batch(2)],
    }


def batch_encoders(tf):
    """A type whose tensors are stacked as differences from ``base``, and joined to one tensor."""

    class Encoder(tf.experimental.ExtensionTypeBatchEncoder):
        def batch(self, spec, batch_size):
            return self._with_shape(spec, tf.TensorShape([batch_size]).concatenate(spec.shape))

        def unbatch(self, spec):
            return self._with_shape(spec, spec.shape[1:])

        def encode(self, spec, value, minimum_rank=0):
            return {"pair": tf.stack([value.low, value.high], -1) - value.base}

        def decode(self, spec, encoded):
            pair = encoded["pair"] + spec.base
            return Interval(pair[..., 0], pair[..., 1], spec.shape, spec.base)

        def encoding_specs(self, spec):
            return {"pair": tf.TensorSpec(spec.shape + [2], spec.low.dtype)}

        def _with_shape(self, spec, shape):
            field = tf.TensorSpec(shape, spec.low.dtype)
            return Interval.Spec(field, field, shape, spec.base)

    class Interval(tf.experimental.BatchableExtensionType):
        low: tf.Tensor
        high: tf.Tensor
        shape: tf.TensorShape
        base: int = 0
        __batch_encoder__ = Encoder()

    value = Interval([[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]], [3, 2], 5)
    rows = tf.data.Dataset.from_tensor_slices(value)
    spec = tf.type_spec_from_value(value)
    default = tf.experimental.ExtensionTypeBatchEncoder()

    def parts(dataset):
        return [[interval.low, interval.high, interval.base, interval.shape.rank] for interval in dataset]

    def wider(interval):
        return Interval(interval.low - 1, interval.high + 1, interval.shape, interval.base)

    return {
        "rows": lambda: parts(rows),
        "batches": lambda: parts(rows.batch(2)),
        "of batches": lambda: parts(rows.batch(2).batch(2, drop_remainder=True)),
        "unbatch": lambda: parts(tf.data.Dataset.from_tensors(value).unbatch()),
        "rebatch": lambda: parts(rows.batch(2).rebatch(3)),
        "spec": lambda: str(rows.batch(2).element_spec.low),
        "mapped": lambda: parts(rows.map(wider).batch(2)),
        "map_fn": lambda: parts([tf.map_fn(wider, value)]),
        "vectorized_map": lambda: parts([tf.vectorized_map(wider, value)]),
        "default batch": lambda: str(default.batch(spec, 4).low),
        "default unbatch": lambda: str(default.unbatch(spec).low),
        "default encode": lambda: default.encode(spec, value),
        "default encoding_specs": lambda: [str(part) for part in default.encoding_specs(spec)],
        "default decode": lambda: parts([default.decode(spec, default.encode(spec, value))]),
        "of the spec": lambda: type(spec.__batch_encoder__) is Encoder,
        "plain type": lambda: refused(lambda: tf.data.Dataset.from_tensor_slices(_masked(tf)([1.0], [True]))),
    }
