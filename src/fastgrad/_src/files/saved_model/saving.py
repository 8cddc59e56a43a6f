"""``tf.saved_model.save``: writes the variables and recorded functions of an object into a folder."""

from __future__ import annotations

import inspect
import itertools
import json
import os
from collections.abc import Mapping
from typing import Any

from fastgrad._src.compiler.dispatch.concrete import ConcreteFunction, has_spec
from fastgrad._src.compiler.function import Function
from fastgrad._src.core.argument_checks import checked_path
from fastgrad._src.core.object_graph import is_saved, nested_items, saved_children
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.formats.tensor_file import save_tensors
from fastgrad._src.files.saved_model.composites import CompositeLeaf, Leaf, tensor_leaves
from fastgrad._src.files.saved_model.entries import Entry, encode_result, store_concrete_functions
from fastgrad._src.files.saved_model.graph_writer import Constants
from fastgrad._src.files.saved_model.plain_values import Unstorable, encode
from fastgrad._src.ops.default_generators import operation_seed_of_state
from fastgrad._src.structures.lookup.tables import DenseHashTable, StaticHashTable, _HashTable

FILE_NAME = "saved_model.safetensors"
CONTENTS_KEY = "fastgrad.saved_model"
DEFAULT_SIGNATURE = "serving_default"
_UNSAVED_ATTRIBUTES = frozenset(["_deferred", "_replicas", "_root", "_name", "_scope_name"])


def save(obj: Any, export_dir: Any, signatures: Any = None, options: Any = None) -> None:
    """Writes the variables and the functions of an object, for ``tf.saved_model.load``.

    It saves all attributes of the object that are variables, ``tf.function``s, modules, layers, or lists, tuples and dicts of
    these, at any depth. It saves a function as operations on tensors, not as Python code: for its ``input_signature``, which may
    have unknown sizes, or for the arguments of earlier calls.

    Args:
        obj: a ``tf.Module``, ``tf.train.Checkpoint``, Keras layer or model, or loaded object.
        export_dir: the folder; it is made if needed.
        signatures: a ``tf.function`` with ``input_signature``, a concrete function, or a dict of these by name. Default: the only
            function with ``input_signature``, as ``"serving_default"``.
        options: a ``SaveOptions``; its ``function_aliases`` are saved, the rest is kept for TensorFlow's signature.

    Raises:
        ValueError: ``obj`` can't be saved, ``signatures`` are no functions, or a function can't be stored because it calls
            Python, has control flow that depends on values in Python, or depends on unknown sizes in an unknown way.
        AssertionError: a function uses a variable that is no attribute of the object.
        OSError: the file could not be written.
    """
    if not _is_object(obj):
        raise ValueError(
            "Expected an object of type `Trackable`, such as `tf.Module` or a subclass of the `Trackable` class, for export. Got "
            f"{obj!r:.200} with type {type(obj)}."
        )
    path = os.path.join(checked_path("tf.saved_model.save", "export_dir", export_dir), FILE_NAME)
    contents, constants = _Writer(obj, signatures, options).file_contents()
    text = json.dumps(contents, separators=(",", ":"))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    save_tensors(path, constants.arrays, {CONTENTS_KEY: text})


def _is_object(obj: Any) -> bool:
    """True if ``obj`` holds variables and functions as attributes."""
    return not isinstance(obj, (Variable, type)) and (is_saved(obj) or hasattr(obj, "_is_loaded_object"))


def _is_function(value: Any) -> bool:
    return isinstance(value, (Function, ConcreteFunction))


class _Writer:
    """Collects the objects, functions and values below an object.

    Args:
        root: the object.
        signatures, options: as given to ``save``.
    """

    def __init__(self, root: Any, signatures: Any, options: Any) -> None:
        self._constants = Constants()
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._nodes: list[Any] = []
        self._entries: list[Entry] = []
        self._entries_of: dict[int, list[int]] = {}
        self._hidden: list[tuple[Variable, Any]] = []
        self._tables: dict[_HashTable, int] = {}
        self._signatures = signatures
        self._add_object(root, "")
        aliases = {} if options is None else options.function_aliases
        self._aliases = {name: self._add_object(function, name) for name, function in aliases.items()}
        self._children = _children_of(root)

    def file_contents(self) -> tuple[dict[str, Any], Constants]:
        """Returns the JSON of the file and its arrays."""
        for number, obj in enumerate(self._objects):
            if _is_function(obj):
                self._nodes[number] = self._function_json(obj)
        signatures = [self._signature_json(name, function) for name, function in self._named_signatures().items()]
        hidden = [value for _, value in self._hidden]
        contents = {
            "version": 1,
            "objects": self._nodes,
            "entries": [entry.data for entry in self._entries],
            "hidden": hidden,
            "aliases": self._aliases,
            "tables": [self._table_json(table) for table in self._tables],
            "signatures": signatures,
        }
        return contents, self._constants

    # ---- objects -------------------------------------------------------------------------------------------

    def _add_object(self, obj: Any, path: str) -> int:
        number = self._numbers.get(id(obj))
        if number is not None:
            return number
        number = self._numbers[id(obj)] = len(self._objects)
        self._objects.append(obj)
        self._nodes.append(None)
        if isinstance(obj, Variable):
            self._nodes[number] = {
                "kind": "variable",
                "name": obj.name.partition(":")[0],
                "trainable": bool(obj.trainable),
                "value": self._constants.encode(obj._value_to_save(), f"variables/{path}"),
            }
        elif not _is_function(obj):
            kind = "dict" if isinstance(obj, Mapping) else "list" if isinstance(obj, (list, tuple)) else "object"
            children = _children_of(obj)
            items = [
                [name, self._add_object(child, f"{path}/{name}" if path else name)] for name, child in children.items()
            ]
            self._nodes[number] = {"kind": kind, "children": items}
        return number

    def _table_json(self, table: _HashTable) -> Any:
        """Returns the JSON of a table with its elements."""
        keys, values = table._exported()
        kind = "static" if isinstance(table, StaticHashTable) else "mutable"
        data = {
            "kind": kind,
            "keys": self._constants.encode(keys),
            "values": self._constants.encode(values),
            "default": self._constants.encode(table._default._on_host()),
        }
        return (
            {**data, "kind": "dense", "unused_keys": list(map(encode, table._refused))}
            if isinstance(table, DenseHashTable)
            else data
        )

    def _state_reference(self, state: Any, is_generator_state: bool) -> Any:
        """Returns the JSON, in a graph, of a variable or a table."""
        if isinstance(state, _HashTable):
            return {"table": self._tables.setdefault(state, len(self._tables))}
        variable: Variable = state
        number = self._numbers.get(id(variable))
        if number is None:
            number = self._add_new_attribute(variable)
        if number is not None:
            return {"object": number}
        seed = operation_seed_of_state(variable)
        if seed is not None:
            return {"generator": encode(seed[0])}
        if is_generator_state:
            for position, (other, _) in enumerate(self._hidden):
                if other is variable:
                    return {"hidden": position}
            self._hidden.append((variable, self._constants.encode(variable._value_to_save())))
            return {"hidden": len(self._hidden) - 1}
        raise AssertionError(
            "Tried to export a function which references an 'untracked' resource. TensorFlow objects (e.g. tf.Variable) captured by "
            "functions must be 'tracked' by assigning them to an attribute of a tracked object or assigned to an attribute of the "
            f"main object directly. The variable is {variable.name!r}, of shape {variable.shape}."
        )

    def _add_new_attribute(self, variable: Variable) -> int | None:
        """Adds a variable that a recorded function has made an attribute of a saved object; returns None if there is none."""
        for obj, node in zip(self._objects, self._nodes, strict=True):
            if node is None or node["kind"] != "object":
                continue
            for name, value in vars(obj).items():
                for edge, item in nested_items(name, value, lambda item: item is variable):
                    number = self._add_object(item, f"new/{len(self._objects)}/{edge}")
                    node["children"].append([edge, number])
                    return number
        return None

    # ---- functions -----------------------------------------------------------------------------------------

    def _concrete_function_ids(self, function: Any) -> list[int]:
        """Returns the numbers of the entries of a function, recorded at the first use."""
        numbers = self._entries_of.get(id(function))
        if numbers is None:
            numbers = self._entries_of[id(function)] = []
            is_concrete = isinstance(function, ConcreteFunction)
            stored = [function.arguments] if is_concrete else function.stored_arguments()
            for arguments in stored:
                entries = store_concrete_functions(
                    function.call_with_arguments,
                    arguments,
                    function.__name__,
                    self._constants,
                    self._state_reference,
                )
                if any(self._entries[n].data["arguments"] == entries[0].data["arguments"] for n in numbers):
                    continue
                numbers += range(len(self._entries), len(self._entries) + len(entries))
                self._entries += entries
        return numbers

    def _function_json(self, function: Any) -> Any:
        return {
            "kind": "function",
            "name": function.__name__,
            "parameters": _parameters_of(function),
            "has_signature": _has_signature(function),
            "entries": self._concrete_function_ids(function),
        }

    # ---- signatures ----------------------------------------------------------------------------------------

    def _named_signatures(self) -> dict[str, Any]:
        signatures = self._signatures
        if signatures is None and hasattr(self._objects[0], "_serving_function"):
            signatures = self._objects[0]._serving_function()
        if signatures is None:
            possible = [f for f in self._children.values() if _is_function(f) and _has_signature(f)]
            possible = [f for f in possible if self._returns_tensors(f)]
            return {DEFAULT_SIGNATURE: possible[0]} if len(possible) == 1 else {}
        if not isinstance(signatures, Mapping):
            signatures = {DEFAULT_SIGNATURE: signatures}
        for function in signatures.values():
            if not _is_function(function) or not _has_signature(function):
                raise ValueError(
                    f"Expected a TensorFlow function for which to generate a signature, but got {function!r}. Only `tf.functions` with "
                    "an input signature or concrete functions can be used as a signature."
                )
        return dict(signatures)

    def _returns_tensors(self, function: Any) -> bool:
        """True if the results of a function can be those of a signature."""
        entries = self._concrete_function_ids(function)
        try:
            _named_outputs(self._entries[entries[0]].result, function.__name__, "")
        except ValueError:
            return False
        return True

    def _signature_json(self, name: str, function: Any) -> Any:
        entries = self._concrete_function_ids(function)
        first = self._entries[entries[0]]
        return {
            "name": name,
            "entries": entries,
            "inputs": _input_names(first.arguments, _kinds_of(function)),
            "outputs": _named_outputs(first.result, function.__name__, name),
        }


def _children_of(obj: Any) -> dict[str, Any]:
    """Returns the saved parts of an object or container, by name."""
    if isinstance(obj, Mapping):
        if not all(isinstance(key, str) for key in obj):
            raise ValueError(f"tf.saved_model.save: keys of a dict must be strings, got {list(obj)!r:.200}.")
        return {key: item for key, item in obj.items() if _is_trackable(item)}
    if isinstance(obj, (list, tuple)):
        return {str(i): item for i, item in enumerate(obj) if _is_trackable(item)}
    is_optimizer = hasattr(obj, "apply_gradients")
    is_keras = is_optimizer or (hasattr(obj, "_saved_children") and hasattr(obj, "get_config"))
    children: dict[str, Any] = {}
    for name in sorted(vars(obj)):
        value = vars(obj)[name]
        is_internal = name in _UNSAVED_ATTRIBUTES or (is_keras and name.startswith("_"))
        if not is_internal and _is_trackable(value):
            children[name] = value
    if is_keras:
        for name, child in saved_children(obj).items():
            if not any(child is other for other in children.values()):
                children.setdefault(name, child)
    for name in dir(type(obj)):
        if isinstance(inspect.getattr_static(type(obj), name, None), Function) and name not in children:
            children[name] = getattr(obj, name)
    return children


def _is_trackable(value: Any) -> bool:
    if isinstance(value, Variable) or _is_function(value) or _is_object(value):
        return True
    if hasattr(value, "_is_signature_map"):
        return False
    if isinstance(value, Mapping):
        return any(map(_is_trackable, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_is_trackable, value))


def _has_signature(function: Any) -> bool:
    """True if a function is for one set of arguments."""
    return isinstance(function, ConcreteFunction) or function.input_signature is not None


def _parameters_of(function: Any) -> list[Any]:
    """Returns the names, kinds and defaults of a function's parameters."""
    if isinstance(function, ConcreteFunction):
        kind = int(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        fixed = [name for name, value in function.arguments.items() if not has_spec(value)]
        ordered = [*[name for name in function.arguments if name not in fixed], *fixed]
        return [[name, kind, *([encode(function.arguments[name])] if name in fixed else [])] for name in ordered]
    parameters = []
    for parameter in function.signature_of_calls.parameters.values():
        row: list[Any] = [parameter.name, int(parameter.kind)]
        if parameter.default is not inspect.Parameter.empty:
            try:
                row.append(encode(parameter.default))
            except Unstorable:
                row.append(None)  # calls that do not pass it match no stored arguments
        parameters.append(row)
    return parameters


def _kinds_of(function: Any) -> Mapping[str, Any]:
    """Returns the kinds of a function's parameters by their names."""
    if isinstance(function, ConcreteFunction):
        return function._kinds
    return {name: parameter.kind for name, parameter in function.signature_of_calls.parameters.items()}


def _input_names(arguments: Mapping[str, Any], kinds: Mapping[str, Any]) -> list[str]:
    """Returns the names of a signature's inputs, in the order of the tensors.

    As TensorFlow's: of the spec, or of the parameter; a number follows if a name is there already.
    """
    parts: list[tuple[str, Any]] = []
    for key, item in arguments.items():
        match kinds.get(key):
            case inspect.Parameter.VAR_POSITIONAL:
                parts += [(f"{key}_{position}", part) for position, part in enumerate(item)]
            case inspect.Parameter.VAR_KEYWORD:
                parts += item.items()
            case _:
                parts.append((key, item))
    unique: dict[str, None] = {}
    for name, part in parts:
        for leaf in tensor_leaves(part):
            first = leaf.spec.name or name
            candidates = itertools.chain([first], (f"{first}_{i}" for i in itertools.count(1)))
            unique[next(candidate for candidate in candidates if candidate not in unique)] = None
    return list(unique)


def _named_outputs(result: Any, function_name: str, signature_name: str) -> dict[str, Any]:
    """Returns the JSON of results by the names of a signature's outputs.

    Raises:
        ValueError: the function returns something else than a tensor, a sequence or a dict of tensors.
    """
    if isinstance(result, Mapping):
        named = dict(result)
    elif isinstance(result, (Leaf, CompositeLeaf)) or not isinstance(result, (list, tuple)):
        named = {"output_0": result}
    else:
        named = dict(zip(getattr(result, "_fields", [f"output_{i}" for i in range(len(result))]), result, strict=True))
    for name, leaf in named.items():
        if not isinstance(name, str) or not isinstance(leaf, (Leaf, CompositeLeaf)):
            raise ValueError(
                f"Got a non-Tensor value for key {name!r} in the output of the function {function_name} used to generate the SavedModel "
                f"signature {signature_name!r}. Outputs for functions used as signatures must be a single Tensor, a sequence of Tensors, "
                "or a dictionary from string to Tensor."
            )
    return {name: encode_result(leaf) for name, leaf in named.items()}
