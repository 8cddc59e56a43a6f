"""``keras.export``: models as SavedModels for inference, with their functions as data and without their Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastgrad._src.compiler.function import function as _function
from fastgrad._src.core.argument_checks import check_choice, check_type, require
from fastgrad._src.core.dtypes import as_dtype as _as_dtype
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.files.saved_model.saving import save as _save
from fastgrad._src.keras.layers.shapes import is_shape

DEFAULT_ENDPOINT = "serve"
_SERVING_DEFAULT = "serving_default"


class _Exported:
    """The object that is saved: endpoints and collections of variables are its attributes."""

    def _saved_variables(self) -> dict[str, Any]:
        return {}


class ExportArchive:
    """Collects functions (endpoints) of models and layers and the variables that they use, and writes them as a SavedModel.

    ``archive.track(model)``, ``archive.add_endpoint("serve", model.call, input_signature=[...])``, ``archive.write_out(path)``.
    """

    def __init__(self) -> None:
        self._resources: list[Any] = []
        self._collections: dict[str, list[Any]] = {}
        self._endpoints: dict[str, Any] = {}

    @property
    def variables(self) -> list[Any]:
        """The variables of all tracked objects."""
        found: dict[int, Any] = {}
        for resource in self._resources:
            for variable in resource.variables:
                found.setdefault(id(variable), variable)
        return list(found.values())

    @property
    def trainable_variables(self) -> list[Any]:
        """The trainable variables of all tracked objects."""
        return [variable for variable in self.variables if variable.trainable]

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The other variables of all tracked objects."""
        return [variable for variable in self.variables if not variable.trainable]

    def track(self, resource: Any) -> None:
        """Adds the variables of a model, layer or module.

        Raises:
            ValueError: it has no variables, or is a layer that is not built.
        """
        require(hasattr(type(resource), "variables"), self, "needs a model, layer or tf.Module", resource=resource)
        if getattr(resource, "built", True) is False:
            raise ValueError("The layer provided has not yet been built. It must be built before export.")
        self._resources.append(resource)

    def add_endpoint(self, name: str, fn: Callable[..., Any], input_signature: Any = None, **kwargs: Any) -> Any:
        """Adds a function.

        Args:
            name: of the endpoint.
            fn: a Python function of tensors, or a ``tf.function`` with ``input_signature``.
            input_signature: for each argument a (nested) ``TensorSpec``, ``keras.InputSpec`` or KerasTensor.
            kwargs: kept for Keras's signature.

        Returns:
            The ``tf.function``.

        Raises:
            ValueError: the name is taken, or there is no signature.
        """
        require(name not in self._endpoints, self, f"Endpoint name '{name}' is already taken")
        if input_signature is None:
            takes_input = getattr(fn, "input_signature", None) is not None
            require(takes_input, self, f"endpoint '{name}' needs an `input_signature`, or a tf.function", fn=fn)
            function = fn
        else:
            function = _function(fn, input_signature=_specs_of(input_signature))
        self._endpoints[name] = function
        return function

    def track_and_add_endpoint(self, name: str, resource: Any, input_signature: Any, **kwargs: Any) -> Any:
        """Calls ``track(resource)`` and adds its ``__call__`` as an endpoint."""
        self.track(resource)
        return self.add_endpoint(name, resource.__call__, input_signature, **kwargs)

    def add_variable_collection(self, name: str, variables: Any) -> None:
        """Adds variables as the attribute ``name`` of the loaded object."""
        check_type(self, "a list, tuple or set", (list, tuple, set), ValueError, variables=variables)
        self._collections[name] = list(variables)

    def write_out(self, filepath: Any, options: Any = None, verbose: Any = True) -> None:
        """Writes the SavedModel; the first endpoint is also the signature ``"serving_default"``.

        Args:
            filepath: the folder.
            options: a ``tf.saved_model.SaveOptions``.
            verbose: whether a summary is printed.

        Raises:
            ValueError: there is no endpoint, or a function can't be stored.
        """
        require(self._endpoints, "ExportArchive.write_out", "No endpoints have been set yet. Call add_endpoint()")
        exported = _Exported()
        collections = {
            "_all_variables": self.variables,
            "variables": self.variables,
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
        }
        vars(exported).update({**collections, **self._collections, **self._endpoints})
        signatures = dict(self._endpoints)
        signatures.setdefault(_SERVING_DEFAULT, next(iter(self._endpoints.values())))
        _save(exported, filepath, signatures=signatures, options=options)
        if verbose:
            names = "\n".join([f"* Endpoint '{name}'" for name in self._endpoints])
            print(f"Saved artifact at '{filepath}'. The following endpoints are available:\n\n{names}")


def export_model(
    model: Any, filepath: Any, format: str = "tf_saved_model", verbose: Any = None, input_signature: Any = None
) -> None:
    """Writes a model as a SavedModel with the endpoint ``serve``; see ``Model.export``."""
    formats = ["tf_saved_model"]
    check_choice("export_model", formats, format=format)
    require(model.built, "export_model", "The model provided has not yet been built. It must be built before export")
    archive = ExportArchive()
    archive.track(model)
    signature = _specs_of(input_signature) if input_signature is not None else input_specs_of(model)
    archive.add_endpoint(DEFAULT_ENDPOINT, serving_function(model, "args_0"), signature)
    archive.write_out(filepath, verbose=verbose is None or bool(verbose))


def serving_function(model: Any, argument_name: str) -> Callable[..., Any]:
    """Returns the model's call in inference as a function with an argument of this name."""
    if argument_name == "inputs":
        return lambda inputs: model(inputs, training=False) if _takes_training(model) else model(inputs)
    return lambda args_0: model(args_0, training=False) if _takes_training(model) else model(args_0)


def _takes_training(model: Any) -> bool:
    return "training" in inspect.signature(model.call).parameters


def input_specs_of(model: Any) -> list[Any]:
    """Returns the specs of a built model's input, with an open batch size, as an input signature of one argument."""
    graph = model._graph
    if graph is not None:
        return _specs_of([graph.inputs])
    if getattr(model, "_tensors", None):
        first = model._tensors[0]
        return [TensorSpec([None, *first.shape[1:]], first.dtype, first.name)]
    shapes = (model._build_shapes or {}).get("input_shape")
    if shapes is None:
        raise ValueError("The model's input shape is unknown: call the model, or give `input_signature`.")
    return [_specs_of_shapes(shapes, _as_dtype(model.compute_dtype))]


def _specs_of_shapes(shapes: Any, dtype: Any) -> Any:
    if isinstance(shapes, dict):
        return {key: _specs_of_shapes(shape, dtype) for key, shape in shapes.items()}
    if isinstance(shapes, (list, tuple)) and not is_shape(shapes):
        return [_specs_of_shapes(shape, dtype) for shape in shapes]
    return TensorSpec([None, *list(shapes)[1:]], dtype)


def _specs_of(signature: Any) -> Any:
    """Returns a structure with each KerasTensor or ``InputSpec`` as a ``TensorSpec``."""
    if isinstance(signature, TensorSpec):
        return signature
    if isinstance(signature, dict):
        return {key: _specs_of(item) for key, item in signature.items()}
    if isinstance(signature, (list, tuple)):
        return type(signature)([_specs_of(item) for item in signature])
    if not hasattr(signature, "shape"):
        raise ValueError(f"input_signature must hold TensorSpec, InputSpec or KerasTensor; got {signature!r:.200}.")
    return TensorSpec(signature.shape, signature.dtype or "float32", getattr(signature, "name", None))
