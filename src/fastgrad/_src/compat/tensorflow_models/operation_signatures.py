"""Signatures of operations that a SavedModel does not describe: operations with lists, and operations without a raw operation."""

from __future__ import annotations

import inspect
from typing import Any

from fastgrad._src.compat.raw_ops.table import TABLE
from fastgrad._src.files.records.saved_model_messages import make_message

_SIGNATURES = """
AddN: inputs*N -> sum
Assert: condition data*T ->
AssignAddVariableOp: resource value ->
AssignSubVariableOp: resource value ->
AssignVariableOp: resource value ->
Case: branch_index input*Tin -> output*Tout
Concat: concat_dim values*N -> output
ConcatV2: values*N axis -> output
Const: -> output
DisableCopyOnRead: resource ->
DynamicPartition: data partitions -> outputs*num_partitions
DynamicStitch: indices*N data*N -> merged
Einsum: inputs*N -> output
EmptyTensorList: element_shape max_num_elements -> handle
HashTableV2: -> table_handle
IdentityN: input*T -> output*T
If: cond input*Tin -> output*Tout
InitializeTableFromTextFileV2: table_handle filename ->
InitializeTableV2: table_handle keys values ->
LookupTableExportV2: table_handle -> keys values
LookupTableFindV2: table_handle keys default_value -> values
LookupTableImportV2: table_handle keys values ->
LookupTableInsertV2: table_handle keys values ->
LookupTableRemoveV2: table_handle keys ->
LookupTableSizeV2: table_handle -> size
MutableDenseHashTableV2: empty_key deleted_key -> table_handle
MutableHashTableOfTensorsV2: -> table_handle
MutableHashTableV2: -> table_handle
NoOp: ->
Pack: values*N -> output
ParallelDynamicStitch: indices*N data*N -> merged
PartitionedCall: args*Tin -> output*Tout
PlaceholderWithDefault: input -> output
PreventGradient: input -> output
ReadVariableOp: resource -> value
ResourceGather: resource indices -> output
ResourceGatherNd: resource indices -> output
RaggedTensorToTensor: shape values default_value row_partition_tensors*num_row_partition_tensors -> result
RaggedTensorToSparse: rt_nested_splits*RAGGED_RANK rt_dense_values -> sparse_indices sparse_values sparse_dense_shape
RngReadAndSkip: resource alg delta -> value
ShapeN: input*N -> output*N
SparseConcat: indices*N values*N shapes*N -> output_indices output_values output_shape
Split: split_dim value -> output*num_split
SplitV: value size_splits split_dim -> output*num_split
StatefulPartitionedCall: args*Tin -> output*Tout
StatelessCase: branch_index input*Tin -> output*Tout
StatelessIf: cond input*Tin -> output*Tout
StatelessWhile: input*T -> output*T
StringFormat: inputs*T -> output
StringJoin: inputs*N -> output
TensorListFromTensor: tensor element_shape -> output_handle
TensorListGather: input_handle indices element_shape -> values
TensorListGetItem: input_handle index element_shape -> item
TensorListLength: input_handle -> length
TensorListPushBack: input_handle tensor -> output_handle
TensorListReserve: element_shape num_elements -> handle
TensorListSetItem: input_handle index item -> output_handle
TensorListStack: input_handle element_shape -> tensor
Unpack: value -> output*num
VarIsInitializedOp: resource -> is_initialized
VariableShape: input -> output
While: input*T -> output*T
"""
"""Inputs and outputs by name; after a star the attribute that has the number or the dtypes of a list."""

_BY_NAME = {line.split(":")[0]: line.split(":")[1].split("->") for line in _SIGNATURES.strip().splitlines()}


def signature_message(name: str, input_count: int) -> Any:
    """Returns an ``OpDef``, without attributes, of an operation; None if fastgrad lacks the operation.

    Args:
        name: of the operation.
        input_count: how many inputs a node has, for operations without lists.
    """
    if name in _BY_NAME:
        inputs, outputs = [part.split() for part in _BY_NAME[name]]
    elif name in TABLE:
        inputs = [parameter for parameter in inspect.signature(TABLE[name]).parameters if parameter != "name"]
        inputs, outputs = inputs[:input_count], TABLE[name].result_names or ["output"]
    else:
        return None
    return make_message(
        "OpDef", name=name, input_arg=_argument_definitions(inputs), output_arg=_argument_definitions(outputs)
    )


def _argument_definitions(texts: list[str]) -> list[Any]:
    parts = [text.partition("*") for text in texts]
    return [make_message("ArgDef", name=name, number_attr=count) for name, _, count in parts]
