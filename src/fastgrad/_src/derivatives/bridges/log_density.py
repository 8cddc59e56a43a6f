"""``fg.log_density``: a log density that Numba compiles and its gradient behind a C pointer, as samplers take them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from fastgrad._src.derivatives.functions.parameters import parameter_names, wrapped_function
from fastgrad._src.derivatives.transforms import value_and_grad
from fastgrad._src.jit.generated_source import generated_function

Shape = tuple[int, ...]
Bounds = tuple[float | None, float | None]
_SIGNATURE = types.int32(
    types.uint64,
    types.CPointer(types.float64),
    types.CPointer(types.float64),
    types.CPointer(types.float64),
    types.voidptr,
)


@numba.njit
def bounded(u, lower, upper):  # type: ignore[no-untyped-def]
    """Returns the number between two bounds that a real number stands for, and the logarithm of its derivative by ``u``."""
    if lower == -math.inf and upper == math.inf:
        return u, 0.0
    if upper == math.inf:
        return lower + math.exp(u), u
    if lower == -math.inf:
        return upper - math.exp(u), u
    if u >= 0.0:  # without abs, whose derivative at 0 is 0
        small = math.exp(-u)
        part, scale = 1.0 / (1.0 + small), -u
    else:
        small = math.exp(u)
        part, scale = small / (1.0 + small), u
    return lower + (upper - lower) * part, math.log(upper - lower) + scale - 2.0 * math.log1p(small)


@numba.njit
def bounded_rows(rows, lower, upper):  # type: ignore[no-untyped-def]
    """Returns the numbers that each row of real numbers stands for."""
    result = np.empty_like(rows)
    for row in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            result[row, i] = bounded(rows[row, i], lower[i], upper[i])[0]
    return result


@intrinsic
def _as_pointer(typing, address, dtype):  # type: ignore[no-untyped-def]
    """Returns the pointer to elements of ``dtype`` at an address."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(dtype.dtype)(types.intp, dtype), build


def log_density(
    f: Callable[..., Any],
    shapes: Mapping[str, int | Shape],
    data: Sequence[Any] = (),
    bounds: Mapping[str, Bounds] | None = None,
) -> LogDensity:
    """Returns a log density with its gradient, compiled for samplers such as nutpie and walnutpie.

    Args:
        f: a function that ``numba.njit`` compiled, or that Numba can compile. It takes the parameters in the order of ``shapes``, then ``data``, and
            returns the logarithm of a density of the parameters, up to a constant: one float64. A step to where it raises or returns no finite
            number is rejected.
        shapes: the shape of each parameter by its name: ``()`` for a float64, else an array of float64.
        data: numbers and arrays. Arrays are copied.
        bounds: (lower, upper) of parameters by their names; None for no bound. A sampler moves in real numbers: those with a lower bound
            become ``lower + exp(u)``, those with an upper one ``upper - exp(u)``, those with both ``lower + (upper - lower) / (1 + exp(-u))``.
            The logarithms of the derivatives are added to the density.

    Returns:
        a `LogDensity`.

    Raises:
        TypeError: ``f`` is no function, or takes another number of arguments; an item of ``data`` is no number and no array.
        ValueError: a bound is of no parameter, or the lower one is not below the upper one; there is no parameter.
        DifferentiationError: ``f`` has a construct that can't be differentiated. The message has file and line.

    Example:
        >>> def log_normal(mean, deviation, x):
        ...     return -np.sum(((x - mean) / deviation) ** 2) / 2 - x.size * np.log(deviation)
        >>> density = fg.log_density(
        ...     log_normal, {"mean": (), "deviation": ()}, (np.array([1.0, 2.0, 4.0]),), {"deviation": (0, None)}
        ... )
        >>> density.value_and_grad(np.array([2.0, 0.0]))
        (-2.5, array([1., 3.]))
    """
    return LogDensity(f, shapes, data, bounds or {})


class LogDensity:
    """A log density of a vector of real numbers, from which its parameters are made.

    Attributes:
        shapes: the shape of each parameter by its name.
        size: how many real numbers there are.
        cfunc: the compiled function of C, which has ``address`` and ``ctypes``. It takes the size, and pointers to the vector, to the gradient and to the
            value, which it sets, and a pointer that it ignores. It returns 0, or -1 for another size. A step that is to be rejected has the value
            ``-inf`` and the gradient 0. It needs no GIL, and threads may call it at the same time. Keep this object as long as C may call it.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        shapes: Mapping[str, int | Shape],
        data: Sequence[Any],
        bounds: Mapping[str, Bounds],
    ) -> None:
        function = wrapped_function(f, "log_density")
        self.shapes = {name: (shape,) if isinstance(shape, int) else tuple(shape) for name, shape in shapes.items()}
        self.size = sum(map(math.prod, self.shapes.values()))
        arity = len(parameter_names(function))
        if arity != len(self.shapes) + len(data):
            raise TypeError(
                f"log_density: {function.__name__} takes {arity} arguments; got {len(self.shapes)} shapes of parameters and {len(data)} data."
            )
        if self.size == 0:
            raise ValueError("log_density: the parameters have no numbers; give the shape of at least one.")
        self._lower, self._upper = np.full(self.size, -np.inf), np.full(self.size, np.inf)
        self._set_bounds(bounds)
        for value in data:
            if not isinstance(value, (np.ndarray, np.generic, int, float, complex)):
                raise TypeError(f"log_density: data are numbers and arrays of NumPy; got {type(value).__name__}.")
        self._data = tuple(np.array(value, order="C") if isinstance(value, np.ndarray) else value for value in data)
        self._rejected_at = np.full(self.size, np.nan)
        dispatcher = f if hasattr(f, "py_func") else numba.njit(function)
        self._value_and_grad = value_and_grad(self._function_of_vector(dispatcher))
        arguments = np.zeros(self.size), self._lower, self._upper, *self._data
        self._value_and_grad.compile(tuple(map(numba.typeof, arguments)))
        self.cfunc = numba.cfunc(_SIGNATURE)(self._callback())

    def _set_bounds(self, bounds: Mapping[str, Bounds]) -> None:
        unknown = bounds.keys() - self.shapes.keys()
        if unknown:
            raise ValueError(
                f"log_density: bounds of {', '.join(sorted(unknown))}; the parameters are {', '.join(self.shapes)}."
            )
        for name, place in self.slices().items():
            lower, upper = bounds.get(name, (None, None))
            self._lower[place] = -np.inf if lower is None else lower
            self._upper[place] = np.inf if upper is None else upper
            if not np.all(self._lower[place] < self._upper[place]):
                raise ValueError(
                    f"log_density: the lower bound of {name}, {lower}, is not below the upper one, {upper}."
                )

    def slices(self) -> dict[str, slice]:
        """Returns the place of each parameter in the vector."""
        stops = np.cumsum([math.prod(shape) for shape in self.shapes.values()]).tolist()
        return {name: slice(start, stop) for name, start, stop in zip(self.shapes, [0, *stops], stops, strict=False)}

    def _function_of_vector(self, f: Any) -> Any:
        """Returns the density as a function of the vector, the bounds, and the data."""
        parameters = [
            f"x[{place.start}:{place.stop}].reshape({shape})" if shape else f"x[{place.start}]"
            for place, shape in zip(self.slices().values(), self.shapes.values(), strict=True)
        ]
        data = [f"data_{number}" for number in range(len(self._data))]
        text = (
            f"def log_density({', '.join(['u', 'lower', 'upper', *data])}):\n"
            "    x, scale = np.empty_like(u), 0.0\n"
            "    for i in range(u.size):\n"
            "        x[i], more = bounded(u[i], lower[i], upper[i])\n"
            "        scale += more\n"
            f"    return f({', '.join([*parameters, *data])}) + scale\n"
        )
        return numba.njit(
            generated_function("log_density", text, "log density", {"np": np, "bounded": bounded, "f": f})
        )

    def _callback(self) -> Any:
        """Returns the function that Numba compiles for C. It has the addresses of the arrays, which live as long as this object."""
        scope: dict[str, Any] = {
            "carray": numba.carray,
            "as_pointer": _as_pointer,
            "value_and_grad": self._value_and_grad,
        }
        words = []
        for number, value in enumerate((self._lower, self._upper, *self._data)):
            scope |= {f"word_{number}": value}
            words.append(f"word_{number}")
            if isinstance(value, np.ndarray):
                scope |= {
                    f"word_{number}": value.ctypes.data,
                    f"type_{number}": value.dtype,
                    f"shape_{number}": value.shape,
                }
                words[-1] = f"carray(as_pointer(word_{number}, type_{number}), shape_{number})"
        scope |= {"size": self.size, "rejected_at": self._rejected_at.ctypes.data, "float64": np.dtype(np.float64)}
        lines = [
            "def log_density(count, u, gradient, value, ignored):",
            "    if count != size:",
            "        return -1",
            "    vector, result = carray(u, (size,)), carray(gradient, (size,))",
            "    finite = False",
            "    try:",
            f"        value[0], result[:] = value_and_grad(vector, {', '.join(words)})",
            "        finite = math.isfinite(value[0])",
            "        for i in range(size):",
            "            finite = finite and math.isfinite(result[i])",
            "    except Exception:",
            "        finite = False",
            "    if not finite:",
            "        carray(as_pointer(rejected_at, float64), (size,))[:] = vector",
            "        value[0], result[:] = -math.inf, 0.0",
            "    return 0",
        ]
        return generated_function("log_density", "\n".join([*lines, ""]), "log density in C", {"math": math, **scope})

    def parameters_in_c(self) -> Any:
        """Returns the function that Numba compiles for C to make the parameters of a vector."""
        size, lower, upper, float64 = self.size, self._lower.ctypes.data, self._upper.ctypes.data, np.dtype(np.float64)

        def parameters(count, expanded_count, u, result, ignored):  # type: ignore[no-untyped-def]
            if count != size or expanded_count != size:
                return -1
            lowers, uppers = (
                numba.carray(_as_pointer(lower, float64), (size,)),
                numba.carray(_as_pointer(upper, float64), (size,)),
            )
            for i in range(size):
                result[i] = bounded(u[i], lowers[i], uppers[i])[0]
            return 0

        return parameters

    def value_and_grad(self, u: Any) -> tuple[float, np.ndarray]:
        """Returns the log density at a vector of real numbers, and its gradient. Exceptions are those of the user's function."""
        value, gradient = self._value_and_grad(self._vector(u), self._lower, self._upper, *self._data)
        return value, gradient

    def _vector(self, u: Any) -> np.ndarray:
        vector = np.ascontiguousarray(u, np.float64)
        if vector.shape != (self.size,):
            raise ValueError(f"log_density: expected a vector of {self.size} numbers; got the shape {vector.shape}.")
        return vector

    def parameters(self, u: Any) -> dict[str, np.ndarray]:
        """Returns the parameters that real numbers stand for.

        Args:
            u: an array of shape (..., size), such as the draws of all chains.

        Returns:
            an array of shape (..., *shape) for each parameter, by its name.
        """
        vectors = np.ascontiguousarray(u, np.float64)
        if vectors.shape[-1:] != (self.size,):
            raise ValueError(
                f"log_density: expected the last axis to have {self.size} numbers; got the shape {vectors.shape}."
            )
        numbers = bounded_rows(vectors.reshape(-1, self.size), self._lower, self._upper).reshape(vectors.shape)
        return {
            name: numbers[..., place].reshape(vectors.shape[:-1] + self.shapes[name])
            for name, place in self.slices().items()
        }

    def last_rejection(self) -> str | None:
        """Returns why the C function rejected its last step: the user's exception, or the value, with the parameters. None if it rejected none."""
        if np.isnan(self._rejected_at).all():
            return None
        parameters = ", ".join(f"{name}={value}" for name, value in self.parameters(self._rejected_at).items())
        try:
            value, gradient = self.value_and_grad(self._rejected_at)
        except Exception as error:  # noqa: BLE001  # any of the user's
            return f"{type(error).__name__}: {error} ({parameters})"
        return f"the log density is {value}, its gradient {gradient} ({parameters})"

    def nutpie_model(self) -> Any:
        """Returns the model for ``nutpie.sample``, whose draws have the names and shapes of the parameters. Chains in threads run side by side.

        Raises:
            ImportError: nutpie is not installed.
        """
        from fastgrad._src.derivatives.bridges.nutpie import model_of

        return model_of(self)
