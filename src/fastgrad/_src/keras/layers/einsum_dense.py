"""``EinsumDense``: a product with a kernel along the dimensions that an equation names."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations, initializers
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.einsum import einsum

_EQUATION_PATTERN = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class _KernelPlan(NamedTuple):
    """The shapes of kernel, bias and output, from an equation and an input's shape.

    Attributes:
        kernel, bias, output: shapes; ``bias`` is None without a bias.
        input_axes, output_axes: the axes of the kernel that are summed over, and the other axes.
    """

    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None
    output: tuple[int | None, ...]
    input_axes: tuple[int, ...]
    output_axes: tuple[int, ...]


def _plan_of_equation(
    equation: str, bias_axes: str | None, input_shape: Any, output_shape: tuple[int | None, ...]
) -> _KernelPlan:
    before, inputs, after, kernel, outputs = _parse_equation(equation)
    shape, elided_rank = tuple(input_shape), len(input_shape) - len(inputs)
    if elided_rank < 0 or (elided_rank and not (before or after)):
        raise ValueError(f"EinsumDense: '{equation}' is for {len(inputs)} dimensions besides `...`, got {shape}.")
    if before:
        output = (shape[0], *shape[1:elided_rank], *output_shape)
        sizes, out_start = dict(zip(inputs, shape[elided_rank:], strict=True)), elided_rank
    else:
        output = (shape[0], *output_shape, *shape[len(inputs) :])
        sizes, out_start = dict(zip(inputs, shape, strict=False)), 0
    out_sizes = dict(zip(outputs, output[out_start:], strict=False))
    for letter, size in out_sizes.items():
        if letter in sizes and size is not None and size != sizes[letter]:
            raise ValueError(f"EinsumDense: '{letter}' is {sizes[letter]} in the input, {size} in the output.")
    _check_letters(inputs, kernel, outputs, bias_axes or "")
    all_sizes: Any = {**sizes, **out_sizes}
    bias = None
    if bias_axes is not None:
        bias_letters = outputs[min(outputs.find(letter) for letter in bias_axes) :]
        trailing_ones = 0 if before else elided_rank
        bias = tuple([all_sizes[letter] if letter in bias_axes else 1 for letter in bias_letters] + [1] * trailing_ones)
    return _KernelPlan(
        tuple([all_sizes[letter] for letter in kernel]),
        bias,
        output,
        tuple(axis for axis, letter in enumerate(kernel) if letter not in outputs),
        tuple(axis for axis, letter in enumerate(kernel) if letter in outputs),
    )


def _parse_equation(equation: str) -> tuple[str, str, str, str, str]:
    """Returns "..." or nothing, the input's letters, "..." or nothing; and the letters of kernel and output."""
    matched = _EQUATION_PATTERN.fullmatch(equation)
    before, inputs, after, kernel, out_before, outputs, out_after = matched.groups("") if matched else [""] * 7
    if not matched or (before, after) != (out_before, out_after) or (before and after):
        forms = "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]..."
        refuse("EinsumDense", f"the einsum equation must have the form {forms}", equation=equation)
    return before, inputs, after, kernel, outputs


def _check_letters(inputs: str, kernel: str, outputs: str, bias_axes: str) -> None:
    for letter in outputs:
        if letter not in inputs + kernel:
            raise ValueError(f"EinsumDense: the output's dimension '{letter}' is in neither '{inputs}' nor '{kernel}'.")
    for letter in kernel:
        if letter not in inputs + outputs:
            raise ValueError(f"EinsumDense: '{letter}' of the weight is in neither '{inputs}' nor '{outputs}'.")
    for letter in bias_axes:
        if letter not in outputs:
            refuse("EinsumDense", f"axis '{letter}' of the bias must be one of the output, '{outputs}'")


class EinsumDense(Layer):
    """``activation(einsum(equation, inputs, kernel) + bias)``.

    Args:
        equation: ``"ab,bc->ac"``, ``"...x,xy->...y"`` or ``"ab...,bc->ac..."``: dimensions of the input, the kernel and the output.
        output_shape: the sizes of the output without the batch and the axes of ``...``; a None in it stands for the input's size.
        activation: a function or its name; default none.
        bias_axes: the letters of the output along which the bias differs; None for no bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: of the
            weights.
        **kwargs: as in ``Layer``.

    Weights: ``kernel``, of the sizes that the equation gives; ``bias``.

    Raises:
        ValueError: (when the layer is built) the equation has another form or does not fit the shapes.
    """

    _leaf = True
    kernel_initializer: Any

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros")
    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation, self.bias_axes = equation, bias_axes
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation: Any = activations.get(activation)

    def _plan_of_input(self, input_shape: Any) -> _KernelPlan:
        return _plan_of_equation(self.equation, self.bias_axes, input_shape, self.partial_output_shape)

    def build(self, input_shape: Any) -> None:
        plan = self._plan_of_input(input_shape)
        if None in plan.kernel or (plan.bias and None in plan.bias):
            raise ValueError(f"EinsumDense '{self.name}': the kernel has unknown sizes, {plan.kernel}: {input_shape=}.")
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and None in (
            initializer.input_axes,
            initializer.output_axes,
        ):
            initializer = initializer.along(plan.input_axes, plan.output_axes)
        self._kernel = add_weight_of(self, "kernel", plan.kernel, initializer=initializer)
        self.bias: Weight | None = None if plan.bias is None else add_weight_of(self, "bias", plan.bias)
        self.input_spec = InputSpec(ndim=len(input_shape))

    @property
    def kernel(self) -> Weight:
        """The kernel; AttributeError before the layer is built."""
        if "_kernel" not in self.__dict__:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Tensor) -> Any:
        kernel = self._kernel._read()
        y = einsum(self.equation, cast(inputs, kernel.dtype), kernel)
        y = y if self.bias is None else y + self.bias._read()
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return self._plan_of_input(input_shape).output

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            **self._config_of(("equation", "activation", "bias_axes", *weight_arguments("kernel", "bias"))),
        }
