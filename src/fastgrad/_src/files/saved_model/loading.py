"""``tf.saved_model.load``: objects, variables and functions of a folder that ``tf.saved_model.save`` has written.

A folder that TensorFlow has written is read by ``fastgrad._src.compat.tensorflow_models``.

A file is data: the operations of a stored function are looked up in the operation table, and nothing in the file is run as code.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import checked_path
from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.tensor import constant_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.files.formats.tensor_file import load_tensors
from fastgrad._src.files.saved_model.composites import (
    CompositeLeaf,
    Leaf,
    component_specs,
    shapes_for_sizes,
    spec_of_components,
    tensor_leaves,
)
from fastgrad._src.files.saved_model.loaded_objects import (
    RestoredFunction,
    SignatureFunction,
    StoredEntry,
    _CallableUserObject,
    _SignatureMap,
    _UserObject,
)
from fastgrad._src.files.saved_model.plain_values import decode
from fastgrad._src.files.saved_model.saving import CONTENTS_KEY, FILE_NAME
from fastgrad._src.files.saved_model.sizes import LARGEST_PROBE
from fastgrad._src.files.saved_model.stored_graph import StoredGraph, decode_array
from fastgrad._src.ops.default_generators import state_of_operation_seed
from fastgrad._src.structures.lookup.initializers import KeyValueTensorInitializer
from fastgrad._src.structures.lookup.tables import DenseHashTable, MutableHashTable, StaticHashTable, _HashTable
from fastgrad._src.structures.ragged.spec import RaggedTensorSpec
from fastgrad._src.structures.sparse.spec import SparseTensorSpec

SERVING = "serve"
TENSORFLOW_FILE = "saved_model.pb"
_TENSORFLOW_FILES = (TENSORFLOW_FILE, "saved_model.pbtxt")


def contains_saved_model(export_dir: Any) -> bool:
    """True if the folder holds a SavedModel: of fastgrad, or TensorFlow's ``saved_model.pb``.

    Args:
        export_dir: the folder.
    """
    folder = checked_path("tf.saved_model.contains_saved_model", "export_dir", export_dir)
    return any(os.path.isfile(os.path.join(folder, name)) for name in (FILE_NAME, *_TENSORFLOW_FILES))


def load(export_dir: Any, tags: Any = None, options: Any = None) -> Any:
    """Loads an object that ``tf.saved_model.save`` of fastgrad or of TensorFlow 2 has written.

    Args:
        export_dir: the folder.
        tags: None, ``"serve"`` or ``["serve"]``; for a folder from TensorFlow, the tags of one of its graphs.
        options: a ``LoadOptions``.

    Returns:
        An object with the variables and functions that the saved object had as attributes, and ``signatures``. Functions
        can be differentiated, called in ``tf.function``, and saved again. They read the variables of the loaded object.

    Raises:
        OSError: there is no SavedModel in the folder.
        ValueError: a file is damaged, has operations of another version of fastgrad, or has no graph with these ``tags``.
        UnimplementedError: a SavedModel of TensorFlow has operations that fastgrad lacks; the message names all of them.

    Example:
        >>> class Line(tf.Module):
        ...     @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        ...     def value(self, x):
        ...         return 2.0 * x
        >>> tf.saved_model.save(Line(), "line")
        >>> tf.saved_model.load("line").value(tf.constant(3.0)).numpy()
        np.float32(6.0)
    """
    folder = checked_path("tf.saved_model.load", "export_dir", export_dir)
    path = os.path.join(folder, FILE_NAME)
    listed = [tags] if isinstance(tags, str) else None if tags is None else list(tags)
    if not os.path.exists(path):
        if os.path.isfile(os.path.join(folder, TENSORFLOW_FILE)):
            return module_of(Hook.TENSORFLOW_MODELS).load(folder, listed)
        if contains_saved_model(folder):
            raise ValueError(
                f"{folder} holds a SavedModel of TensorFlow as text, which fastgrad does not read. Save it again, as {TENSORFLOW_FILE}."
            )
        raise OSError(f"SavedModel file does not exist at: {folder}/{{{FILE_NAME}|{TENSORFLOW_FILE}}}")
    if listed is not None and listed != [SERVING]:
        raise ValueError(
            f"Got an incompatible argument to `tags`: {listed}. The SavedModel at {folder} has one MetaGraph with tags ['{SERVING}']. You "
            "may omit the argument, pass 'None', or pass matching tags."
        )
    arrays, metadata = load_tensors(path)
    with parser_errors_as_one(path, "SavedModel"):
        contents = parse_json(metadata[CONTENTS_KEY])
        if contents["version"] != 1:
            raise ValueError(f"it has version {contents['version']!r:.100}; this fastgrad reads version 1")
        reader = _Reader(contents, arrays)
        root = reader.root()
        if options is not None and options.experimental_load_function_aliases:
            vars(root)["function_aliases"] = reader.function_aliases()
        return root


class _Reader:
    """Makes the objects of a file.

    Args:
        contents: the JSON of the file.
        arrays: its arrays.
    """

    def __init__(self, contents: Any, arrays: dict[str, np.ndarray]) -> None:
        self._contents, self._arrays = contents, arrays
        self._hidden = [Variable(decode_array(value, arrays), trainable=False) for value in contents["hidden"]]
        self._tables = [self._make_table(table) for table in contents.get("tables", ())]
        nodes = contents["objects"]
        children_of_nodes = [dict(node.get("children", ())) for node in nodes]
        self._objects = [
            self._make_object(node, children) for node, children in zip(nodes, children_of_nodes, strict=True)
        ]
        self._entries = [self._read_entry(entry) for entry in contents["entries"]]
        for number, node in enumerate(nodes):
            if node["kind"] == "function":
                self._objects[number] = self._read_function(node)
        for number, (node, children) in enumerate(zip(nodes, children_of_nodes, strict=True)):
            self._set_children(node["kind"], self._objects[number], children)

    def root(self) -> Any:
        """Returns the first object, with the signatures."""
        root = self._objects[0]
        if not isinstance(root, _UserObject):
            raise ValueError("its first object has no attributes")
        signatures = {signature["name"]: self._read_signature(signature) for signature in self._contents["signatures"]}
        vars(root)["signatures"] = _SignatureMap(signatures)
        return root

    def function_aliases(self) -> dict[str, Any]:
        """Returns the functions by the names that ``SaveOptions`` gave them."""
        aliases = dict(self._contents.get("aliases", {}))
        return {name: self._item_at(number, self._objects, "object") for name, number in aliases.items()}

    def _make_object(self, node: Any, children: dict[str, int]) -> Any:
        match node["kind"]:
            case "variable":
                value = decode_array(node["value"], self._arrays)
                return Variable(value, trainable=bool(node["trainable"]), name=node["name"] or None)
            case "object":
                return _CallableUserObject() if "__call__" in children else _UserObject()
            case "list":
                return []
            case "dict":
                return {}
            case "function":
                return None  # made when all variables are there
        raise ValueError(f"it has an object of the kind {node['kind']!r:.100}")

    def _item_at(self, number: Any, items: list[Any], what: str) -> Any:
        if type(number) is not int or not 0 <= number < len(items):
            raise ValueError(f"there is no {what} {number!r:.100}")
        return items[number]

    def _set_children(self, kind: str, obj: Any, children: dict[str, int]) -> None:
        for name, number in children.items():
            child = self._item_at(number, self._objects, "object")
            if not isinstance(name, str):
                raise ValueError(f"an attribute has the name {name!r:.100}")
            if kind == "list":
                obj.append(child)
            elif kind == "dict":
                obj[name] = child
            elif kind == "object":
                vars(obj)[name] = child
            else:
                raise ValueError(f"a {kind} has parts")

    def _make_table(self, data: Any) -> _HashTable:
        """Returns a table with its elements."""
        keys, values, default = [
            constant_tensor(decode_array(data[part], self._arrays)) for part in ("keys", "values", "default")
        ]
        match data["kind"]:
            case "static":
                table: _HashTable = StaticHashTable(KeyValueTensorInitializer(keys, values), default)
            case "mutable":
                table = MutableHashTable(keys.dtype, values.dtype, default)
            case "dense":
                unused = [decode(key) for key in data["unused_keys"]]
                table = DenseHashTable(keys.dtype, values.dtype, default, *unused)
            case kind:
                raise ValueError(f"it has a table of the kind {kind!r:.100}")
        if isinstance(table, MutableHashTable):
            table.insert(keys, values)
        if len(table._values) != keys.shape.num_elements():
            raise ValueError("a table has a key twice")
        return table

    def _referenced_state(self, reference: Any) -> Variable | _HashTable:
        """Returns a variable or a table from its JSON in a graph."""
        ((tag, content),) = reference.items()
        if tag == "table":
            table: _HashTable = self._item_at(content, self._tables, "table")
            return table
        if tag == "object":
            variable = self._item_at(content, self._objects, "object")
            if not isinstance(variable, Variable):
                raise ValueError(f"object {content} is no variable")
            return variable
        if tag == "hidden":
            hidden: Variable = self._item_at(content, self._hidden, "hidden variable")
            return hidden
        if tag == "generator":
            return state_of_operation_seed(decode(content))
        raise ValueError(f"a variable is given as {reference!r:.100}")

    def _read_entry(self, data: Any) -> StoredEntry:
        probe, symbols = data["probe"], data["symbols"]
        if not all(type(size) is int and 0 <= size <= LARGEST_PROBE for size in probe):
            raise ValueError(f"a function was recorded for the sizes {probe!r:.100}")
        graph = StoredGraph(data["graph"], len(probe), self._arrays, self._referenced_state, "a stored function")
        arguments = decode(data["arguments"], _decode_argument)
        specs_of_results = dict(enumerate(graph.result_specs()))
        result = decode(data["result"], lambda tag, content: _decode_result(tag, content, specs_of_results))
        nest.flatten(result)  # fails if the keys of a dict have no order
        if not isinstance(arguments, dict):
            raise ValueError("a function has no arguments by name")
        specs = StoredEntry(arguments, symbols, graph, result).specs
        if sorted(leaf.number for leaf in tensor_leaves(arguments)) != list(range(len(specs))):
            raise ValueError("the tensors of a function's arguments are not numbered from 0 on")
        for number, axis, symbol in symbols:
            if self._item_at(number, specs, "tensor").shape.as_list()[axis] is not None or axis < 0:
                raise ValueError(f"axis {axis} of {specs[number]} has a known size")
            self._item_at(symbol, probe, "size")
        if {symbol for _, _, symbol in symbols} != set(range(len({symbol for _, _, symbol in symbols}))):
            raise ValueError("a size belongs to no argument")
        shapes = shapes_for_sizes(specs, {(number, axis): symbol for number, axis, symbol in symbols}, probe)
        graph.check_specs(probe, list(zip(shapes, [spec.dtype.numpy for spec in specs], strict=True)))
        excluded = data.get("excluded", ())
        for symbol, first, last, error in excluded:
            self._item_at(symbol, probe, "size")
            if type(first) is not int or not (last is None or type(last) is int) or not isinstance(error, str):
                raise ValueError(f"no sizes: {[first, last, error]!r:.100}")
        return StoredEntry(arguments, symbols, graph, result, excluded, bool(data.get("variant")))

    def _read_function(self, node: Any) -> RestoredFunction:
        parameters = []
        for name, kind, *default in node["parameters"]:
            value = decode(default[0]) if default else inspect.Parameter.empty
            parameters.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=value))
        entries = [self._item_at(number, self._entries, "stored function") for number in node["entries"]]
        names = {parameter.name for parameter in parameters}
        if any(entry.arguments.keys() != names for entry in entries):
            raise ValueError(f"the function {node['name']!r:.100} has other parameters than its graphs")
        has_signature = bool(node["has_signature"])
        if has_signature and not entries:
            raise ValueError(f"the function {node['name']!r:.100} has no graph")
        return RestoredFunction(str(node["name"]), inspect.Signature(parameters), has_signature, entries)

    def _read_signature(self, data: Any) -> SignatureFunction:
        stored = [self._item_at(number, self._entries, "stored function") for number in data["entries"]]
        names = list(map(str, data["inputs"]))
        if any(len(other.specs) != len(names) for other in stored):
            raise ValueError(f"the signature {data['name']!r:.100} has other inputs than its function")
        first = stored[0]
        specs = {leaf.number: leaf.spec for leaf in tensor_leaves(first.result)}
        outputs = {
            name: decode(output, lambda tag, content: _decode_result(tag, content, specs))
            for name, output in dict(data["outputs"]).items()
        }
        return SignatureFunction(str(data["name"]), stored, names, outputs)


def _decode_argument(tag: str, content: Any) -> Leaf | CompositeLeaf:
    number, spec = content[0], decode(content[1])
    if tag == "argument" and type(number) is int and isinstance(spec, TensorSpec) and spec.shape.rank is not None:
        return Leaf(number, spec)
    if tag == "composite" and isinstance(spec, (RaggedTensorSpec, SparseTensorSpec)) and spec.shape.rank is not None:
        leaves = [Leaf(other, part) for other, part in zip(number, component_specs(spec), strict=True)]
        if all(type(leaf.number) is int for leaf in leaves):
            return CompositeLeaf(tuple(leaves), spec)
    raise ValueError(f"no argument: {tag!r:.100}")


def _decode_result(tag: str, content: Any, specs: dict[int, TensorSpec]) -> Leaf | CompositeLeaf:
    """Returns a leaf of a result from its JSON.

    Args:
        tag, content: of the JSON.
        specs: of the results, by number.
    """
    numbers = content if isinstance(content, list) else [content]
    if not all(type(number) is int and number in specs for number in numbers):
        raise ValueError(f"there is no result {content!r:.100}")
    leaves = tuple([Leaf(number, specs[number]) for number in numbers])
    if tag == "result" and len(leaves) == 1:
        return leaves[0]
    return CompositeLeaf(leaves, spec_of_components(tag, [leaf.spec for leaf in leaves]))
