"""The objects of a SavedModel of TensorFlow: variables, functions, constants, assets, lists and dicts, and signatures."""

from __future__ import annotations

import inspect
import os
from typing import Any

from fastgrad._src.compat.tensorflow_models.attributes import Attributes
from fastgrad._src.compat.tensorflow_models.graph_functions import GraphFunction, Library
from fastgrad._src.compat.tensorflow_models.lookup_tables import TABLE_INITIALIZERS, TABLE_MAKERS
from fastgrad._src.compat.tensorflow_models.structures import decode, signature_of
from fastgrad._src.core import nest
from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.checkpoints.tensor_bundle import TensorBundle
from fastgrad._src.files.records.saved_model_messages import parse_message
from fastgrad._src.files.saved_model.composites import CompositeLeaf, Leaf, leaves_of, tensor_leaves
from fastgrad._src.files.saved_model.function_recording import number_specs
from fastgrad._src.files.saved_model.loaded_objects import (
    RestoredFunction,
    SignatureFunction,
    StoredEntry,
    _CallableUserObject,
    _SignatureMap,
    _UserObject,
)
from fastgrad._src.structures.lookup.tables import LookupInterface, MutableHashTable

_FILE_NAME = "saved_model.pb"
_VARIABLES = os.path.join("variables", "variables")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_CAPTURES = (Tensor, Variable, LookupInterface)
_OPERATIONS_OF_TABLES = {"Const", "Identity", "NoOp"} | {*TABLE_INITIALIZERS} | {*TABLE_MAKERS}
"""The operations of the functions that make and fill tables, which ``load`` runs."""

_LARGEST_FILE = 1 << 31  # the limit of a protocol buffer


def load(folder: str, tags: list[str] | None) -> Any:
    """Loads the SavedModel of TensorFlow in a folder; arguments and results are those of ``tf.saved_model.load``.

    Raises:
        ValueError: a file is damaged, or ``tags`` are those of no graph in it.
        UnimplementedError: a function has operations that fastgrad lacks.
    """
    path = os.path.join(folder, _FILE_NAME)
    with parser_errors_as_one(path, "SavedModel"), open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_FILE:
            raise ValueError(f"it has more than {_LARGEST_FILE} bytes")
        content = file.read()
    try:
        with parser_errors_as_one(path, "SavedModel"):
            graphs = list(parse_message("SavedModel", content).meta_graphs)
            if not graphs:
                raise ValueError("it has no graph")
    except ValueError as error:
        if isinstance(error.__cause__, ImportError):
            raise error.__cause__ from None
        raise
    found = [graph for graph in graphs if tags is None or set(graph.meta_info_def.tags) == set(tags)]
    if len(found) != 1:
        available = [sorted(graph.meta_info_def.tags) for graph in graphs]
        raise ValueError(
            f"Got an incompatible argument to `tags`: {tags}. The SavedModel at {folder} has MetaGraphs with the tags {available}. Pass "
            "those of one of them."
        )
    with parser_errors_as_one(path, "SavedModel"):
        if not found[0].object_graph_def.nodes:
            raise ValueError("it has no objects: TensorFlow 1 has written it. Save it again by TensorFlow 2")
        reader = _Reader(found[0], folder)
        root = reader.root()
    if reader.missing:
        raise UnimplementedError(
            f"The SavedModel at {folder} has operations that fastgrad lacks: {', '.join(sorted(reader.missing))}. Export a model without "
            "them, or build it in Python and load its weights from a .keras, .h5 or .safetensors file."
        )
    return root


class _GraphEntry(StoredEntry):
    """A function of the graph for certain arguments.

    Args:
        arguments, result: as of ``StoredEntry``.
        function: computes the results.
        captures: what it takes after the tensors of a call.
    """

    def __init__(self, arguments: dict[str, Any], function: GraphFunction, captures: list[Any], result: Any) -> None:
        super().__init__(arguments, [], None, result)  # type: ignore[arg-type]  # run() does not use it
        self._function, self._captures = function, captures

    def run(self, tensors: list[Tensor]) -> list[Tensor]:
        return self._function.run([*tensors, *self._captures])

    def variables(self) -> list[Variable]:
        return [capture for capture in self._captures if isinstance(capture, Variable)]


def _named_arguments(signature: inspect.Signature, positional: Any, keywords: Any) -> dict[str, Any]:
    """Returns arguments by the names of the parameters."""
    bound = signature.bind(*positional, **keywords)
    bound.apply_defaults()
    return dict(bound.arguments)


class _Reader:
    """Makes the objects of a graph.

    Args:
        meta_graph: a ``MetaGraphDef``.
        folder: of the SavedModel.
    """

    def __init__(self, meta_graph: Any, folder: str) -> None:
        self._meta_graph, self._folder = meta_graph, folder
        self._nodes = meta_graph.object_graph_def.nodes
        self._concrete = meta_graph.object_graph_def.concrete_functions
        self._library = Library(
            meta_graph.graph_def, meta_graph.meta_info_def.stripped_op_list.op, meta_graph.object_graph_def
        )
        self._signatures: set[int] = set()
        for node in self._nodes:
            if node.user_object.identifier == "signature_map":
                self._signatures.update(child.node_id for child in node.children)
        self._keys, self._table_keys = self._checkpoint_keys()
        self._objects = [self._make_object(number) for number in range(len(self._nodes))]
        names = {child.node_id: child.local_name for node in self._nodes for child in node.children}
        # Functions have their traces as children. A trace is an object of its own only if another object has it, too.
        attributes = {child.node_id for node in self._nodes if not node.HasField("function") for child in node.children}
        of_resources = {child.node_id for node in self._nodes if node.HasField("resource") for child in node.children}
        resources = [number for number, node in enumerate(self._nodes) if node.HasField("resource")]
        for number in resources:
            self._objects[number] = self._make_table(number)
        for number in resources:
            if not self.missing:
                self._fill_table(number)
        for number, node in enumerate(self._nodes):
            kind = node.WhichOneof("kind")
            if number in of_resources:
                continue
            if kind == "function":
                self._objects[number] = self._read_function(node.function, names.get(number, "function"))
            elif kind == "bare_concrete_function" and number in attributes:
                self._objects[number] = self._concrete_function(
                    node.bare_concrete_function, names.get(number, "function"), number in self._signatures
                )
        for number, node in enumerate(self._nodes):
            self._set_children(number, node)

    @property
    def missing(self) -> set[str]:
        """The operations that fastgrad lacks."""
        return self._library.missing

    def root(self) -> Any:
        """Returns the first object, with the signatures."""
        root = self._objects[0]
        if not isinstance(root, _UserObject):
            raise ValueError("its first object has no attributes")
        vars(root).setdefault("signatures", _SignatureMap({}))
        return root

    def _checked_node_number(self, number: int) -> int:
        if not 0 <= number < len(self._nodes):
            raise ValueError(f"there is no object {number}")
        return number

    def _checkpoint_keys(self) -> tuple[dict[int, str], dict[int, str]]:
        """Returns the keys in the checkpoint of variables and of tables; objects have the same names from the root on."""
        keys: dict[int, str] = {}
        table_keys: dict[int, str] = {}
        if not any(node.WhichOneof("kind") in ("variable", "resource") for node in self._nodes):
            return keys, table_keys
        self._bundle = TensorBundle(os.path.join(self._folder, _VARIABLES))
        saved = parse_message("TrackableObjectGraph", self._bundle.read(_OBJECT_GRAPH).item()).nodes
        pairs, seen = [(0, 0)], {(0, 0)}
        while pairs:
            number, saved_number = pairs.pop()
            for attribute in saved[saved_number].attributes:
                if attribute.name == "VARIABLE_VALUE":
                    keys[number] = attribute.checkpoint_key
                elif attribute.name == "table":
                    table_keys[number] = attribute.checkpoint_key
            node = self._nodes[number]
            children = {child.local_name: child.node_id for child in (*node.dependencies, *node.children)}
            for child in saved[saved_number].children:
                if child.local_name in children:
                    pair = (self._checked_node_number(children[child.local_name]), child.node_id)
                    if pair[0] not in keys and pair not in seen:
                        seen.add(pair)
                        pairs.append(pair)
            if len(seen) > 4 * (len(self._nodes) + len(saved)):
                raise ValueError("its objects are not those of its checkpoint")
        return keys, table_keys

    def _make_object(self, number: int) -> Any:
        node = self._nodes[number]
        match node.WhichOneof("kind"):
            case "variable":
                if number not in self._keys:
                    raise ValueError(f"the checkpoint has no value of the variable {node.variable.name!r:.100}")
                value = self._bundle.read(self._keys[number])
                return Variable(value, trainable=node.variable.trainable, name=node.variable.name or None)
            case "user_object":
                if node.user_object.identifier in ("trackable_list_wrapper", "trackable_tuple_wrapper"):
                    return []
                if node.user_object.identifier == "trackable_dict_wrapper":
                    return {}
                names = {child.local_name for child in node.children}
                return _CallableUserObject() if "__call__" in names else _UserObject()
            case "constant":
                return convert_to_tensor(self._constant_value(node.constant.operation))
            case "asset":
                return convert_to_tensor(self._asset_path(node.asset.asset_file_def_index))
        return None  # made later: a table, a function, for which all variables are there, or a tensor inside of one

    def _function_of_resource(self, number: int, name: str) -> tuple[GraphFunction, list[Any]]:
        """Returns a function of a table, and what it captures."""
        children = {child.local_name: child.node_id for child in self._nodes[number].children}
        node = self._nodes[self._checked_node_number(children.get(name, -1))]
        names = [*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name]
        if names[0] not in self._concrete:
            raise ValueError(f"there is no concrete function {names[0]!r:.100}")
        captures = [
            self._objects[self._checked_node_number(capture)] for capture in self._concrete[names[0]].bound_inputs
        ]
        function = self._library.function(names[0])
        if function.argument_count != len(captures):
            raise ValueError(f"the function {names[0]!r:.100} of a table takes arguments")
        others = function.operations - _OPERATIONS_OF_TABLES
        if others and not self.missing:
            raise ValueError(f"the function {names[0]!r:.100} of a table has the operations {sorted(others)!r:.200}")
        return function, captures

    def _make_table(self, number: int) -> LookupInterface | None:
        """Returns a new table; None if operations are missing."""
        function, captures = self._function_of_resource(number, "_create_resource")
        if self.missing:
            return None
        (table,) = function.run(captures)
        if not isinstance(table, LookupInterface):
            raise ValueError(f"the function {function.name!r:.100} makes no table")
        return table

    def _fill_table(self, number: int) -> None:
        function, captures = self._function_of_resource(number, "_initialize")
        if self.missing:
            return
        function.run(captures)
        if number in self._table_keys:
            table, key = self._objects[number], self._table_keys[number]
            if not isinstance(table, MutableHashTable):
                raise ValueError(f"the checkpoint has elements {key!r:.100} of a table that does not change")
            keys, values = [convert_to_tensor(self._bundle.read(f"{key}-{part}")) for part in ("keys", "values")]
            table.insert(keys, values)

    def _constant_value(self, operation: str) -> Any:
        for node in self._meta_graph.graph_def.node:
            if node.name == operation and node.op == "Const":
                return Attributes(node, self._library.operation_definition("Const", 0))["value"]
        raise ValueError(f"there is no constant {operation!r:.100}")

    def _asset_path(self, number: int) -> str:
        files = self._meta_graph.asset_file_def
        if not 0 <= number < len(files):
            raise ValueError(f"there is no asset {number}")
        name = files[number].filename
        if os.path.basename(name) != name or name in ("", ".", "..") or "\\" in name or "\0" in name:
            raise ValueError(f"an asset is no file of the folder: {name!r:.100}")
        return os.path.join(self._folder, "assets", name)

    def _read_entry(self, name: str) -> tuple[tuple[Any, Any], _GraphEntry]:
        """Returns the positional and keyword arguments of a concrete function, and the function."""
        if name not in self._concrete:
            raise ValueError(f"there is no concrete function {name!r:.100}")
        concrete = self._concrete[name]
        function = self._library.function(name)
        (positional, keywords), specs = number_specs(decode(concrete.canonicalized_input_signature))
        result, result_specs = number_specs(decode(concrete.output_signature))
        captures = [self._objects[self._checked_node_number(number)] for number in concrete.bound_inputs]
        if not self.missing and not all(isinstance(capture, _CAPTURES) for capture in captures):
            raise ValueError(f"the function {name!r:.100} takes something else than variables, tables and constants")
        if function.argument_count != len(specs) + len(captures) or function.result_count != len(result_specs):
            raise ValueError(f"the function {name!r:.100} has other arguments or results than its signature")
        nest.flatten(result)  # fails if the keys of a dict have no order
        return (positional, keywords), _GraphEntry({"arguments": (positional, keywords)}, function, captures, result)

    def _read_function(self, node: Any, name: str) -> RestoredFunction:
        signature = signature_of(node.function_spec)
        entries = []
        for concrete in node.concrete_functions:
            arguments, entry = self._read_entry(concrete)
            entry.arguments = _named_arguments(signature, *arguments)
            entries.append(entry)
        has_signature = node.function_spec.input_signature.WhichOneof("kind") not in (None, "none_value")
        return RestoredFunction(name, signature, has_signature and bool(entries), list(entries))

    def _concrete_function(self, node: Any, name: str, is_signature: bool) -> Any:
        (positional, keywords), entry = self._read_entry(node.concrete_function_name)
        leaves = tensor_leaves(entry.arguments)
        if is_signature:
            outputs, names = entry.result, list(keywords)
            kinds = (Leaf, CompositeLeaf)
            if not isinstance(outputs, dict) or not all(isinstance(leaf, kinds) for leaf in outputs.values()):
                raise ValueError(f"the signature {name!r:.100} returns no dict of tensors")
            if list(keywords.values()) != leaves:
                raise ValueError(f"the signature {name!r:.100} takes something else than tensors by name")
            return SignatureFunction(name, [entry], names, outputs)
        if any(isinstance(leaf, CompositeLeaf) for leaf in leaves_of(entry.arguments)):
            signature = signature_of(node.function_spec)
            entry.arguments = _named_arguments(signature, positional, keywords)
            return RestoredFunction(name, signature, True, [entry])
        arguments = list(node.argument_keywords)
        if len(arguments) != len(leaves):
            raise ValueError(f"the function {name!r:.100} has {len(arguments)} names for {len(leaves)} tensors")
        parameters = [
            inspect.Parameter(argument, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            if number < node.allowed_positional_arguments
            else inspect.Parameter(argument, inspect.Parameter.KEYWORD_ONLY)
            for number, argument in enumerate(arguments)
        ]
        entry.arguments = dict(zip(arguments, leaves, strict=True))
        return RestoredFunction(name, inspect.Signature(parameters), True, [entry])

    def _set_children(self, number: int, node: Any) -> None:
        obj, kind = self._objects[number], node.user_object.identifier
        children = {
            child.local_name: self._objects[self._checked_node_number(child.node_id)] for child in node.children
        }
        if kind == "signature_map":
            vars(self._objects[0])["signatures"] = _SignatureMap(children)
        elif isinstance(obj, list):
            obj.extend(children[name] for name in sorted(filter(str.isdecimal, children), key=int))
        elif isinstance(obj, dict):
            obj.update(children)
        elif isinstance(obj, _UserObject):
            vars(obj).update({name: child for name, child in children.items() if name != "signatures"})
