"""TensorFlow's protocol buffer messages: examples and tensors, made by the package ``protobuf`` from a description."""

from __future__ import annotations

from typing import Any

from fastgrad._src.jit.locks import cached_once

_FOLDER = "tensorflow/core/"
TENSOR_FILE = "framework/tensor.proto"
_FILES = {
    "example/feature.proto": {
        "BytesList": "repeated bytes value 1",
        "FloatList": "repeated float value 1",
        "Int64List": "repeated int64 value 1",
        "Feature": "kind BytesList bytes_list 1, kind FloatList float_list 2, kind Int64List int64_list 3",
        "Features": "map Feature feature 1",
        "FeatureList": "repeated Feature feature 1",
        "FeatureLists": "map FeatureList feature_list 1",
    },
    "example/example.proto": {
        "Example": "one Features features 1",
        "SequenceExample": "one Features context 1, one FeatureLists feature_lists 2",
    },
    TENSOR_FILE: {
        "TensorShapeDim": "one int64 size 1, one string name 2",
        "TensorShapeProto": "repeated TensorShapeDim dim 2, one bool unknown_rank 3",
        "TensorProto": (
            "one int32 dtype 1, one TensorShapeProto tensor_shape 2, one int32 version_number 3, "
            "one bytes tensor_content 4, repeated float float_val 5, repeated double double_val 6, "
            "repeated int32 int_val 7, repeated bytes string_val 8, repeated float scomplex_val 9, "
            "repeated int64 int64_val 10, repeated bool bool_val 11, repeated double dcomplex_val 12, "
            "repeated int32 half_val 13, repeated uint32 uint32_val 16, repeated uint64 uint64_val 17"
        ),
    },
}
"""The fields of each message: of each field a rule, a type, a name and a number. Rules are one, repeated, map (of strings) or the name of a oneof."""

_EXAMPLE_DOCSTRING = """A record of named features, as TFRecord files have them.

Args:
    features: a ``tf.train.Features``, whose ``feature`` is a dict of ``tf.train.Feature``s: each has one of ``bytes_list``,
        ``float_list`` and ``int64_list``.

Example:
    >>> numbers = tf.train.FloatList(value=[1.0, 2.0])
    >>> features = tf.train.Features(feature={"x": tf.train.Feature(float_list=numbers)})
    >>> record = tf.train.Example(features=features).SerializeToString()
    >>> tf.train.Example.FromString(record).features.feature["x"].float_list.value
    [1.0, 2.0]
"""


def message_class(name: str) -> Any:
    """Returns the class of the message ``name``, such as ``Example``."""
    return _classes()[name]


@cached_once
def _classes() -> dict[str, Any]:
    classes = build_classes(_FILES, __name__)
    classes["Example"].__doc__ = _EXAMPLE_DOCSTRING
    return classes


def build_classes(files: dict[str, dict[str, str]], module: str) -> dict[str, Any]:
    """Returns the classes of messages by name.

    Args:
        files: for each file, below ``tensorflow/core/``, the fields of its messages. A file may use the messages of those before it.
        module: the module where pickle finds the classes.
    """
    from google.protobuf import descriptor_pool, message_factory
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    # A pool of our own: TensorFlow, which has the same messages, may be imported beside.
    pool = descriptor_pool.DescriptorPool()
    dependencies: list[str] = []
    names = []
    for path, messages in files.items():
        file = FileDescriptorProto(
            name=_FOLDER + path, package="tensorflow", syntax="proto3", dependency=list(dependencies)
        )
        for name, fields in messages.items():
            _add_message_fields(file.message_type.add(name=name), fields.split(", ") if fields else [])
            names.append(name)
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
        dependencies.append(file.name)
    classes = {}
    for name in names:
        classes[name] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))
        classes[name].__module__ = module  # where pickle finds it
    return classes


def tensor_messages() -> dict[str, str]:
    """Returns the fields of ``TensorProto`` and of the messages it is made of."""
    return _FILES[TENSOR_FILE]


def __getattr__(name: str) -> Any:
    if any(name in messages for messages in _FILES.values()):
        return message_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _add_message_fields(message: Any, fields: list[str]) -> None:
    """Adds fields to the description of a message."""
    for field in fields:
        rule, kind, name, number = field.split()
        added = message.field.add(name=name, number=int(number), label="LABEL_OPTIONAL")
        if rule == "map":
            entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            _add_message_fields(entry, ["one string key 1", f"one {kind} value 2"])
            kind = f"{message.name}.{entry.name}"
        elif rule not in ("one", "repeated"):
            if not message.oneof_decl:
                message.oneof_decl.add(name=rule)
            added.oneof_index = 0
        if rule in ("map", "repeated"):
            added.label = added.LABEL_REPEATED
        if kind[0].isupper():
            added.type, added.type_name = added.TYPE_MESSAGE, f".tensorflow.{kind}"
        else:
            added.type = getattr(added, f"TYPE_{kind.upper()}")
