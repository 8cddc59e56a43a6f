"""The protocol buffer messages of a SavedModel and of a checkpoint of TensorFlow, as far as they are read."""

from __future__ import annotations

from typing import Any

from fastgrad._src.files.records.messages import TENSOR_FILE, build_classes, tensor_messages
from fastgrad._src.jit.locks import cached_once

_MODEL = {
    "TensorSpecProto": "one string name 1, one TensorShapeProto shape 2, one int32 dtype 3",
    "NoneValue": "",
    "TypeSpecProto": "one int32 type_spec_class 1, one StructuredValue type_state 2, one string type_spec_class_name 3",
    "StructuredValue": (
        "kind NoneValue none_value 1, kind double float64_value 11, kind sint64 int64_value 12, "
        "kind string string_value 13, kind bool bool_value 14, kind TensorShapeProto tensor_shape_value 31, "
        "kind int32 tensor_dtype_value 32, kind TensorSpecProto tensor_spec_value 33, "
        "kind TypeSpecProto type_spec_value 34, kind ListValue list_value 51, kind ListValue tuple_value 52, "
        "kind DictValue dict_value 53, kind NamedTupleValue named_tuple_value 54"
    ),
    "ListValue": "repeated StructuredValue values 1",
    "DictValue": "map StructuredValue fields 1",
    "PairValue": "one string key 1, one StructuredValue value 2",
    "NamedTupleValue": "one string name 1, repeated PairValue values 2",
    "AttrValue": (
        "value bytes s 2, value int64 i 3, value float f 4, value bool b 5, value int32 type 6, "
        "value TensorShapeProto shape 7, value TensorProto tensor 8, value AttrList list 1, "
        "value NameAttrList func 10, value string placeholder 9"
    ),
    "AttrList": (
        "repeated bytes s 2, repeated int64 i 3, repeated float f 4, repeated bool b 5, repeated int32 type 6, "
        "repeated TensorShapeProto shape 7, repeated TensorProto tensor 8, repeated NameAttrList func 9"
    ),
    "NameAttrList": "one string name 1",
    "ArgDef": (
        "one string name 1, one int32 type 3, one string type_attr 4, one string number_attr 5, "
        "one string type_list_attr 6"
    ),
    "AttrDef": "one string name 1, one string type 2, one AttrValue default_value 3",
    "OpDef": "one string name 1, repeated ArgDef input_arg 2, repeated ArgDef output_arg 3, repeated AttrDef attr 4",
    "OpList": "repeated OpDef op 1",
    "NodeDef": "one string name 1, one string op 2, repeated string input 3, map AttrValue attr 5",
    "FunctionDef": "one OpDef signature 1, repeated NodeDef node_def 3, map string ret 4, map string control_ret 6",
    "RegisteredGradient": "one string gradient_func 1, one string registered_op_type 2",
    "FunctionDefLibrary": "repeated FunctionDef function 1, repeated RegisteredGradient registered_gradients 3",
    "GraphDef": "repeated NodeDef node 1, one FunctionDefLibrary library 2",
    "TensorInfo": "one string name 1",
    "AssetFileDef": "one TensorInfo tensor_info 1, one string filename 2",
    "ObjectReference": "one int32 node_id 1, one string local_name 2",
    "SavedUserObject": "one string identifier 1",
    "SavedAsset": "one int32 asset_file_def_index 1",
    "FunctionSpec": "one StructuredValue fullargspec 1, one bool is_method 2, one StructuredValue input_signature 5",
    "SavedFunction": "repeated string concrete_functions 1, one FunctionSpec function_spec 2",
    "SavedVariable": "one int32 dtype 1, one TensorShapeProto shape 2, one bool trainable 3, one string name 6",
    "SavedBareConcreteFunction": (
        "one string concrete_function_name 1, repeated string argument_keywords 2, "
        "one int64 allowed_positional_arguments 3, one FunctionSpec function_spec 4"
    ),
    "SavedConstant": "one string operation 1",
    "SavedResource": "one string device 1",
    "CapturedTensor": "one string name 1, one string concrete_function 2",
    "SavedObject": (
        "repeated ObjectReference children 1, repeated ObjectReference dependencies 15, "
        "kind SavedUserObject user_object 4, kind SavedAsset asset 5, kind SavedFunction function 6, "
        "kind SavedVariable variable 7, kind SavedBareConcreteFunction bare_concrete_function 8, "
        "kind SavedConstant constant 9, kind SavedResource resource 10, kind CapturedTensor captured_tensor 12"
    ),
    "SavedConcreteFunction": (
        "repeated int32 bound_inputs 2, one StructuredValue canonicalized_input_signature 3, "
        "one StructuredValue output_signature 4"
    ),
    "SavedObjectGraph": "repeated SavedObject nodes 1, map SavedConcreteFunction concrete_functions 2",
    "MetaInfoDef": "one OpList stripped_op_list 2, repeated string tags 4, one string tensorflow_version 5",
    "MetaGraphDef": (
        "one MetaInfoDef meta_info_def 1, one GraphDef graph_def 2, repeated AssetFileDef asset_file_def 6, "
        "one SavedObjectGraph object_graph_def 7"
    ),
    "SavedModel": "one int64 saved_model_schema_version 1, repeated MetaGraphDef meta_graphs 2",
}

_CHECKPOINT = {
    "BundleHeaderProto": "one int32 num_shards 1, one int32 endianness 2",
    "TensorSliceProto": "",
    "BundleEntryProto": (
        "one int32 dtype 1, one TensorShapeProto shape 2, one int32 shard_id 3, one int64 offset 4, one int64 size 5, "
        "one fixed32 crc32c 6, repeated TensorSliceProto slices 7"
    ),
    "SerializedTensor": "one string name 1, one string checkpoint_key 3",
    "TrackableObject": "repeated ObjectReference children 1, repeated SerializedTensor attributes 2",
    "TrackableObjectGraph": "repeated TrackableObject nodes 1",
}


@cached_once
def _classes() -> dict[str, Any]:
    files = {
        TENSOR_FILE: tensor_messages(),
        "protobuf/saved_model.proto": _MODEL,
        "protobuf/checkpoint.proto": _CHECKPOINT,
    }
    return build_classes(files, __name__)


def make_message(message: str, /, **fields: Any) -> Any:
    """Returns a new message of the kind ``message``."""
    return _classes()[message](**fields)


def parse_message(name: str, content: bytes) -> Any:
    """Returns the message ``name`` of some bytes.

    Raises:
        ValueError: the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    try:
        return _classes()[name].FromString(content)
    except DecodeError as error:
        raise ValueError(f"it holds no message {name}: {error}") from None
