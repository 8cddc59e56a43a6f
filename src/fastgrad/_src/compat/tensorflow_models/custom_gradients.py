"""Gradients that a program has given to a part of a function by ``tf.custom_gradient``.

The graph has an ``IdentityN`` for such a part. Its inputs are the results of the part and then its arguments. A function in the model's
library computes the cotangents of these inputs from the cotangents of the outputs, and from tensors of the surrounding function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastgrad._src.compat.tensorflow_models.graph_functions import Compute, GraphFunction
from fastgrad._src.compat.tensorflow_models.structures import decode
from fastgrad._src.ops import creation
from fastgrad._src.ops import custom_gradient as custom_gradient_ops


class CustomGradient(NamedTuple):
    """The gradient of an ``IdentityN``.

    Attributes:
        function: makes cotangents; None if the SavedModel was written without it.
        captures: the tensors ``node:output`` of the surrounding function that it takes after the cotangents.
        has_cotangent: for each input whether ``function`` returns its cotangent.
    """

    function: GraphFunction | None
    captures: list[str]
    has_cotangent: list[bool]

    def compute(self, count: int) -> Compute:
        """Returns what the node computes for ``count`` inputs and the captured tensors.

        Raises:
            ValueError: the function takes or returns another number of tensors.
        """
        function = self.function
        if function is not None and (
            function.argument_count != count + len(self.captures)
            or function.result_count != sum(self.has_cotangent)
            or len(self.has_cotangent) != count
        ):
            raise ValueError(f"{function.name!r:.100} is no gradient of a node of {count} inputs")

        def compute(inputs: list[Any]) -> Sequence[Any]:
            values, captured = inputs[:count], inputs[count:]

            def gradient(*cotangents: Any) -> list[Any]:
                if function is None:
                    raise LookupError(
                        "A function of a SavedModel has a custom gradient that was not saved. Save it with "
                        "SaveOptions(experimental_custom_gradients=True)."
                    )
                results = iter(function.run([*cotangents, *captured]))
                return [next(results) if is_there else None for is_there in self.has_cotangent]

            @custom_gradient_ops.custom_gradient
            def identity(*passed: Any) -> Any:
                return [creation.identity(value) for value in passed], gradient

            return list(identity(*values))

        return compute


def custom_gradient(node: Any, function_name: str, library: Any, object_graph: Any) -> CustomGradient | None:
    """Returns the custom gradient of a node; None if it has none.

    Args:
        node: a ``NodeDef`` of the function ``function_name``.
        function_name: the surrounding function.
        library: of the graph; an operation is added to its ``missing`` if the gradient takes what fastgrad does not find.
        object_graph: a ``SavedObjectGraph``.
    """
    if node.op != "IdentityN" or "_gradient_op_type" not in node.attr:
        return None
    name = library.gradients.get(node.attr["_gradient_op_type"].s.decode())
    if name is None or name not in object_graph.concrete_functions:
        return CustomGradient(None, [], [])
    concrete = object_graph.concrete_functions[name]
    captures = []
    for number in concrete.bound_inputs:
        if not 0 <= number < len(object_graph.nodes):
            raise ValueError(f"there is no object {number}")
        captured = object_graph.nodes[number].captured_tensor
        if captured.concrete_function != function_name:
            library.missing.add("a custom gradient that takes something from outside of its function")
            return None
        captures.append(captured.name)
    structure = decode(concrete.output_signature)
    results = structure if isinstance(structure, (list, tuple)) else [structure]
    return CustomGradient(library.function(name), captures, [result is not None for result in results])
