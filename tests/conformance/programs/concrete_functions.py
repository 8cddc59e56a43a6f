"""What concrete functions tell of themselves: signatures, results, variables, operations."""

from typing import Any, NamedTuple


class Pair(NamedTuple):
    first: Any
    second: Any


def _without_addresses(text):
    lines = text.splitlines()
    return [line if ": TensorSpec(shape=(), dtype=tf.resource" not in line else "a variable" for line in lines]


def _spec(tensor):
    return [tensor.shape.as_list(), tensor.dtype.name]


def _facts(tf, concrete):
    positional, named = concrete.structured_input_signature
    return {
        "positional": str(positional),
        "named": str(named),
        "shapes": str(concrete.output_shapes),
        "dtypes": str(concrete.output_dtypes),
        "results": [_spec(leaf) for leaf in tf.nest.flatten(concrete.structured_outputs) if leaf is not None],
        "outputs": list(map(_spec, concrete.outputs)),
        "inputs": [_spec(tensor) for tensor in concrete.inputs if tensor.dtype.name != "resource"],
        "variables": len(concrete.variables),
        "trainable": [variable.shape.as_list() for variable in concrete.trainable_variables],
        "captured": len(concrete.captured_inputs),
        "type": str(concrete.function_type),
        "text": _without_addresses(concrete.pretty_printed_signature()),
        "short text": concrete.pretty_printed_signature(verbose=False),
        "parameters": [[p.name, p.kind.name] for p in concrete.function_type.parameters.values()],
    }


def signatures(tf):
    spec = tf.TensorSpec
    matrix, frozen = tf.Variable([1.0, 2.0]), tf.Variable(3.0, trainable=False)

    @tf.function
    def nested(x, y, n=2, *, k=None):
        return {"a": x @ tf.transpose(y) * matrix[0], "b": [tf.reduce_sum(x) + frozen, k]}

    @tf.function
    def variadic(x, options, pair, *args, **kw):
        return Pair(x + options["a"], pair.first)

    @tf.function
    def flat(x):
        return tf.reshape(x, [-1])

    @tf.function
    def assigning(x):
        matrix.assign_add(x)

    @tf.function(input_signature=[spec([None], tf.int32)])
    def signed(x):
        return x, x * 2

    @tf.function
    def of_equal_sizes(x, y):
        return tf.concat([x + y, x], 0)

    @tf.function
    def branching(x):
        if tf.reduce_sum(x) > 0.0:
            return x * 2.0
        return x - 1.0

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.v = tf.Variable(1.0)

        @tf.function
        def scaled(self, x):
            return x * self.v

    module, pair = Module(), spec([2])
    options = {"a": pair, "b": [pair, spec([2], name="z")]}
    concretes = {
        "nested": lambda: nested.get_concrete_function(spec([None, 2]), spec([3, 2], name="why")),
        "variadic": lambda: variadic.get_concrete_function(pair, options, Pair(pair, 1), pair, 3, "t", q=pair, r=None),
        "unknown rank": lambda: flat.get_concrete_function(spec(None)),
        "of a tensor": lambda: flat.get_concrete_function(tf.constant([[1, 2]])),
        "without result": lambda: assigning.get_concrete_function(pair),
        "input_signature": lambda: signed.get_concrete_function(),
        "equal sizes": lambda: of_equal_sizes.get_concrete_function(spec([None, 3]), spec([None, 3])),
        "branches": lambda: branching.get_concrete_function(spec([None])),
        "method": lambda: module.scaled.get_concrete_function(spec([2, 2])),
    }
    return {name: (lambda make=make: _facts(tf, make())) for name, make in concretes.items()} | {
        "variables stay": lambda: (assigning.get_concrete_function(pair).structured_outputs, matrix),
    }


def texts(tf):
    @tf.function
    def increment(x):
        return x + 1

    @tf.function
    def ragged(x):
        return tf.ragged.constant([[1], [2, 3]]) * x

    def all_signatures(verbose):
        doubled = tf.function(lambda x: x * 2)
        doubled(tf.constant([1, 2]))
        doubled.get_concrete_function(tf.TensorSpec([2]))
        doubled.get_concrete_function(tf.TensorSpec([None], name="x"))
        return doubled.pretty_printed_concrete_signatures(verbose)

    return {
        "str": lambda: str(increment.get_concrete_function(tf.TensorSpec([2]))),
        "all": lambda: all_signatures(True),
        "all, short": lambda: all_signatures(False),
        "none": lambda: tf.function(lambda x: x).pretty_printed_concrete_signatures(),
        "ragged result": lambda: str(ragged.get_concrete_function(2)),
        "name": lambda: increment.name,
        "literals": lambda: str(increment.get_concrete_function(1)),
    }


def operations(tf):
    @tf.function
    def dense(x):
        return tf.nn.relu(x @ tf.ones([2, 3]) + 1.0)

    def graph():
        return dense.get_concrete_function(tf.TensorSpec([None, 2])).graph

    def placeholders(operations):
        return [operation.name for operation in operations if operation.type == "Placeholder"]

    return {
        "inputs": lambda: placeholders(graph().get_operations()),
        "products": lambda: [o.type for o in graph().get_operations() if o.type in {"MatMul", "AddV2", "Relu"}],
        "nodes": lambda: [node.op for node in graph().as_graph_def().node if node.op in {"MatMul", "AddV2", "Relu"}],
        "by name": lambda: graph().get_operation_by_name("x").type,
        "missing": lambda: graph().get_operation_by_name("nothing"),
        "name": lambda: graph().name,
    }
