"""Conversion of objects to configurations and back: plain dicts, lists, strings and numbers that JSON can hold.

The form is Keras's: ``{"module", "class_name", "config", "registered_name", "build_config"}``. A configuration
cannot cause an import or run code: classes come from ``keras`` itself, from ``custom_objects`` or from the registry.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import marshal
import reprlib
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.damaged_file import error_message
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.names import suggestions
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.saving.registration import (
    CustomObjectScope,
    SafeModeScope,
    custom_objects,
    get_registered_name,
    get_registered_object,
    in_safe_mode,
)
from fastgrad._src.keras.saving.sharing import make_layer_once, number_serialized_layer

_PUBLIC_PACKAGE, _PACKAGE = "fastgrad.keras", "fastgrad._src.keras"
_CLASS_NAMESPACES = (
    *("activations", "callbacks", "constraints", "initializers", "layers", "losses"),
    *("metrics", "models", "models.functional", "optimizers", "optimizers.schedules", "regularizers"),
    *("utils", "utils.feature_space"),
)


def serialize_keras_object(obj: Any) -> Any:
    """Returns ``obj`` as plain dicts, lists, strings, numbers and booleans.

    Args:
        obj: a layer, model, initializer, loss ... (anything with ``get_config``), a named function, a tensor or array,
            or lists, tuples and dicts of these.

    A lambda has no name, so its bytecode is written, with a warning.

    Raises:
        TypeError: no ``get_config``, or a lambda whose closure or defaults are more than numbers, strings and lists of them.
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, TensorShape):
        return list(obj)
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, DType):
        return obj.name
    if isinstance(obj, (np.ndarray, np.generic)):
        if not obj.ndim:
            return obj.item()
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, (Tensor, Variable)):
        return {"class_name": "__tensor__", "config": {"value": obj.numpy().tolist(), "dtype": obj._operand_dtype.name}}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        fields = {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": fields}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if is_lambda(obj):
        fields = lambda_parts(obj)
        warn(
            "The object being serialized includes a `lambda`. This is unsafe. In order to reload the object, you will have to pass "
            "`safe_mode=False` to the loading function. Please avoid using `lambda` in the future, and use named Python functions "
            f"instead. The `lambda` is in {obj.__code__.co_filename}, line {obj.__code__.co_firstlineno}.",
        )
        return {"class_name": "__lambda__", "config": {"value": list(fields.values())}}
    if is_function(obj):
        return _function_config(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(f"Cannot serialize object {obj} of type {type(obj)}: it must implement `get_config()`.")
    config = _instance_config(obj)
    number_serialized_layer(obj, config)
    return config


def is_function(obj: Any) -> bool:
    """True for Python functions and for a user's operations made from functions (``fastgrad.elementwise``)."""
    return isinstance(obj, FunctionType) or getattr(type(obj), "compiles_function", False)


def is_lambda(obj: Any) -> bool:
    """True for a function that was written as a ``lambda``."""
    return isinstance(obj, FunctionType) and obj.__name__ == "<lambda>"


def lambda_parts(function: FunctionType) -> dict[str, Any]:
    """Returns a lambda's bytecode, defaults and closure in Keras's form; TypeError if JSON cannot hold them."""
    closure = [cell.cell_contents for cell in function.__closure__] if function.__closure__ else None
    for value in nest.flatten([function.__defaults__, closure]):
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise TypeError(
                f"The lambda in {function.__code__.co_filename}, line {function.__code__.co_firstlineno}, cannot be saved: it uses "
                f"{value!r} of type {type(value).__name__}. Write it as a function with `def` and decorate it with "
                "@keras.saving.register_keras_serializable()."
            )
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    return {"code": code, "defaults": function.__defaults__, "closure": closure}


def lambda_of(config: Any) -> FunctionType:
    """Returns the lambda of a ``lambda_parts`` result, or of its values in a list under ``"value"``.

    Raises:
        ValueError: safe mode is on, or the bytecode is not of this Python version.
    """
    if in_safe_mode() is not False:
        raise ValueError(
            "The deserialization of a Python lambda may execute arbitrary code, so it is disallowed. If you trust it, "
            "give `safe_mode=False` to the function."
        )
    code, defaults, closure = (
        config["value"] if "value" in config else [config[n] for n in ("code", "defaults", "closure")]
    )
    try:
        code_object = marshal.loads(base64.decodebytes(code.encode("ascii")))  # noqa: S302 - only with `safe_mode=False`
        cells = None if closure is None else tuple(CellType(value) for value in closure)
        return FunctionType(code_object, {}, "<lambda>", None if defaults is None else tuple(defaults), cells)
    except (EOFError, TypeError, ValueError) as error:
        raise ValueError(f"A lambda cannot be loaded; was it saved by another version of Python? {error}") from error


def _function_config(function: FunctionType) -> dict[str, Any]:
    name = get_registered_name(function)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def _instance_config(obj: Any) -> dict[str, Any]:
    obj = obj._unsharded() if hasattr(obj, "_unsharded") else obj
    config = obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"The `get_config()` method of {obj} should return a dict. It returned: {config}")
    object_class = type(obj)
    public_name = public_module(object_class)
    result: dict[str, Any] = {
        "module": public_name or object_class.__module__,
        "class_name": getattr(object_class, "_public_name", object_class.__name__)
        if public_name
        else object_class.__name__,
        "config": {key: serialize_keras_object(value) for key, value in config.items()},
        "registered_name": None if public_name else get_registered_name(object_class),
    }
    build_config = obj.get_build_config() if hasattr(obj, "get_build_config") else None
    if build_config is not None:
        result["build_config"] = serialize_keras_object(build_config)
    compile_config = obj.get_compile_config() if hasattr(obj, "get_compile_config") else None
    if compile_config:
        result["compile_config"] = compile_config
    return result


# Classes in Keras's files that it does not export: its module of a class, and this package's.
_FEATURE_SPACE_MODULE = "keras.src.layers.preprocessing.feature_space"
_UNEXPORTED_MODULES = {
    (_FEATURE_SPACE_MODULE, "Cross"): "utils.feature_space",
    (_FEATURE_SPACE_MODULE, "Feature"): "utils.feature_space",
    ("keras.src.models.functional", "Functional"): "models.functional",
}


def public_module(kind: type) -> str | None:
    """Returns the public module of a class of this package, such as ``"keras.layers"``; None for a user's class."""
    if not kind.__module__.startswith(_PACKAGE + "."):
        return None
    module_path = kind.__module__[len(_PACKAGE) + 1 :]
    if module_path.startswith("optimizers.schedules"):
        return "keras.optimizers.schedules"
    for (keras_module, name), own_module in _UNEXPORTED_MODULES.items():
        if (name, own_module) == (kind.__name__, module_path):
            return keras_module
    folder = module_path.split(".")[0]
    return "keras" if folder in ("models", "dtype_policy") else "keras." + folder


def deserialize_keras_object(
    config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True, **options: Any
) -> Any:
    """Returns the object of a configuration from ``serialize_keras_object``.

    Args:
        config: the configuration, or the bare name of a class or function.
        custom_objects: classes and functions by name, beside the registered ones.
        safe_mode: False runs the bytecode of lambdas, which may do anything; pass it only for files that you trust.
        **options: ``module_objects``: classes and functions by name, for configurations that are only a name.

    Raises:
        TypeError: a class or function is not known, or the configuration has no known form.
        ValueError: a lambda in safe mode; a registered name for a Keras class; an incomplete configuration.
    """
    ambient = in_safe_mode()
    with CustomObjectScope(custom_objects), SafeModeScope(safe_mode if ambient is None else ambient):
        try:
            return _deserialized(config, options.get("module_objects"))
        except (AttributeError, LookupError, RecursionError) as error:
            raise ValueError(
                f"No object can be made of this configuration ({error_message(error)}): {_config_text_for_error(config)}"
            ) from error


_SHORT_REPR = reprlib.Repr()
_SHORT_REPR.maxdict, _SHORT_REPR.maxlist, _SHORT_REPR.maxstring, _SHORT_REPR.maxother = 20, 20, 100, 100


def _config_text_for_error(config: Any) -> str:
    """Returns the start of the text of a configuration, for an error; the rest is not made."""
    return _SHORT_REPR.repr(config)[:500]


def _deserialized(config: Any, module_objects: dict[str, Any] | None) -> Any:
    if isinstance(config, str):
        registered_object = get_registered_object(config, module_objects=module_objects)
        return config if registered_object is None else registered_object
    if isinstance(config, (list, tuple)):
        return [_deserialized(item, module_objects) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "__tuple__":
        return tuple(_deserialized(item, module_objects) for item in config["items"])
    if "class_name" not in config or "config" not in config:
        return {key: _deserialized(value, module_objects) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if name in ("__numpy__", "__tensor__"):
        from fastgrad._src.core.dtypes import as_dtype

        array = np.array(inner["value"], as_dtype(inner["dtype"]).numpy)
        return Tensor(array) if name == "__tensor__" else array
    if name == "__bytes__":
        return inner["value"].encode("utf-8")
    if name == "__slice__":
        return slice(*[_deserialized(inner[field], None) for field in ("start", "stop", "step")])
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__lambda__":
        return lambda_of(inner)
    if name == "function":
        return _function_by_name(inner, module_objects, config.get("registered_name"))
    return make_layer_once(config, lambda: _object_of_config(_class_of_config(config, module_objects), config))


def _function_by_name(name: str, module_objects: dict[str, Any] | None, registered: str | None) -> Any:
    function = get_registered_object(name, module_objects=module_objects)
    for module_name in ("activations", "losses", "metrics"):
        namespace = vars(importlib.import_module(f"{_PUBLIC_PACKAGE}.{module_name}"))
        for candidate in (namespace.get(name), namespace["ALL"].get(name)):
            if function is None and isinstance(candidate, FunctionType):
                if registered not in (None, "", "function", name):
                    raise ValueError(f"'{name}' is built in: remove `registered_name={registered!r}` from the config.")
                function = candidate
    if function is None:  # Keras up to 3.6 omits the package
        function = next(
            (
                custom_object
                for registered_name, custom_object in custom_objects().items()
                if registered_name.endswith(f">{name}")
            ),
            None,
        )
    if function is None:
        text = f"Could not locate function '{name}'. Make sure custom functions are decorated with"
        raise TypeError(f"{text} `@keras.saving.register_keras_serializable()`, or pass them in `custom_objects`.")
    return function


def _class_of_config(config: dict[str, Any], module_objects: dict[str, Any] | None) -> Any:
    name, module = config["class_name"], config.get("module") or ""
    registered = config.get("registered_name", name)
    public = module.split(".")[0] == "keras"
    # A name that is not registered means Keras's class, even if the user has a class of this name.
    for candidate_name in (registered,) if public else (registered, name):
        class_object = get_registered_object(candidate_name, module_objects=module_objects) if candidate_name else None
        if class_object is not None:
            return class_object
    submodule = module.removeprefix("keras").removeprefix(".")
    if submodule.startswith("src."):  # classes that Keras itself does not export
        submodule = _UNEXPORTED_MODULES.get(
            (module, name), "" if "src.models" in submodule else submodule.split(".")[1]
        )
    if (operation_class := _operation_class(module, name)) is not None:
        return operation_class
    hint = suggestions(name, module_objects or ())
    if public and (submodule in _CLASS_NAMESPACES or not submodule):
        package = _PACKAGE if submodule in _UNEXPORTED_MODULES.values() else _PUBLIC_PACKAGE
        namespace = importlib.import_module(f"{package}.{submodule}" if submodule else package)
        class_object = getattr(namespace, name, None)
        if inspect.isclass(class_object) and class_object.__module__.startswith(_PACKAGE + "."):
            if registered and registered != name:
                text = f"'{name}' is a class of Keras's: remove `registered_name={registered!r}` from the config"
                raise ValueError(f"{text}. Full object config: {_config_text_for_error(config)}")
            return class_object
        hint = suggestions(
            name, [candidate_name for candidate_name, value in vars(namespace).items() if inspect.isclass(value)]
        )
    raise TypeError(
        f"Could not locate class '{name}'.{hint} Make sure custom classes are decorated with "
        "`@keras.saving.register_keras_serializable()`, or pass them in `custom_objects`. "
        f"Full object config: {_config_text_for_error(config)}"
    )


def _operation_class(module: str, name: str) -> Any:
    """Returns the class of a functional model's operation that is no layer, in a file of fastgrad's or Keras's; else None."""
    is_own = (module, name) == ("keras.layers", "Operator")
    if not is_own and not module.startswith(("keras.src.ops.", "keras.src.activations.")):
        return None
    from fastgrad._src.keras.layers.operators import Operator, operator_class

    return Operator if is_own else operator_class(module, name)


def _object_of_config(kind: Any, config: dict[str, Any]) -> Any:
    inner = config["config"]
    if not hasattr(kind, "from_config"):
        raise TypeError(f"Unable to reconstruct '{config['class_name']}': the class has no `from_config()`.")
    if not isinstance(inner, dict | None):
        raise TypeError(f"Expected 'config' to be a dict. Full config: {_config_text_for_error(config)}")
    inner = dict(inner or {})
    obj = kind.from_config(_without_unset_keras_settings(kind, inner) if public_module(kind) else inner)
    build_config = config.get("build_config")
    if build_config and hasattr(obj, "build_from_config") and not getattr(obj, "built", False):
        obj.build_from_config(_shapes_as_tuples(build_config))
    if config.get("compile_config") and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(config["compile_config"])
    return obj


_IGNORED_KERAS_SETTINGS = frozenset(["renorm_momentum", "input_axes", "output_axes"])


def _without_unset_keras_settings(kind: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration without settings that only Keras has, if they are switched off."""
    init_parameters = inspect.signature(kind.__init__).parameters.values()
    parameter_names = {parameter.name for parameter in init_parameters}
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in init_parameters):
        for base in kind.__mro__:
            if "__init__" in base.__dict__:
                parameter_names.update(inspect.signature(base.__init__).parameters)
    return {
        name: value
        for name, value in config.items()
        if name in parameter_names
        or name == "build_input_shape"
        or not (value is None or value is False or name in _IGNORED_KERAS_SETTINGS)
    }


def _shapes_as_tuples(value: Any) -> Any:
    """Converts shapes to tuples: JSON has turned them into lists."""
    if isinstance(value, dict):
        return {key: _shapes_as_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_shapes_as_tuples(item) for item in value]
        return tuple(items) if all(item is None or isinstance(item, int) for item in items) else items
    return value


def resolve_identifier(identifier: Any, known: dict[str, Any], kind_name: str) -> Any:
    """Returns the callable of an identifier: a callable, a class to instantiate, a name or a configuration.

    Args:
        identifier: as in ``keras.initializers.get`` and similar functions.
        known: classes and functions by name.
        kind_name: the kind of object, for the error.

    Raises:
        ValueError: ``identifier`` means nothing that can be called.
    """
    result = identifier
    if isinstance(identifier, (str, dict)):
        result = deserialize_keras_object(identifier, module_objects=known)
    if inspect.isclass(result):
        result = result()
    if not callable(result):
        hint = suggestions(identifier, known) if isinstance(identifier, str) else ""
        raise ValueError(f"Could not interpret {kind_name} identifier: {identifier}.{hint}")
    return result
