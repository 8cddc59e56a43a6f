"""Keras's serialized form of operations that are not layers: the class of a function, its module, and the constructor's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastgrad._src.keras.symbolic_functions import FUNCTIONS

# Keras's classes that are not named as their function, in camel case.
_CLASS_NAMES = {
    "activations.exponential": "Exp",
    "activations.hard_swish": "HardSilu",
    "activations.relu": "ReLU",
    "activations.swish": "Silu",
    "abs": "Absolute",
    "allclose": "AllClose",
    "batch_normalization": "BatchNorm",
    "conj": "Conjugate",
    "ctc_loss": "CTCLoss",
    "fft": "FFT",
    "fft2": "FFT2",
    "hard_swish": "HardSilu",
    "hsv_to_rgb": "HSVToRGB",
    "irfft": "IRFFT",
    "isin": "IsIn",
    "jvp": "JVP",
    "layer_normalization": "LayerNorm",
    "rfft": "RFFT",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "searchsorted": "SearchSorted",
    "ssim": "SSIM",
    "stft": "STFT",
    "svd": "SVD",
    "swish": "Silu",
}
# Keras's modules of classes whose functions are in `keras.ops` alone; the others are named by the functions' namespaces.
_CORE_CLASSES = (
    "Cast Cond ConvertToTensor ForiLoop Map SaturateCast Scan Scatter ScatterUpdate Slice SliceUpdate StopGradient "
    "Switch Unstack VectorizedMap WhileLoop"
)
_MATH_CLASSES = (
    "Erf Erfc Erfinv FFT FFT2 IFFT2 IRFFT InTopK Logdet Logsumexp RFFT Rsqrt STFT SegmentMax SegmentMin "
    "SegmentProd SegmentSum TopK"
)
_MODULES = {
    **dict.fromkeys(_CORE_CLASSES.split(), "core"),
    **dict.fromkeys(_MATH_CLASSES.split(), "math"),
    "GetItem": "numpy",
}
_OWN_FUNCTIONS = {"linear"}  # Keras has no class for it

# The arguments that Keras's classes take at the call; the constructor takes the others.
_CALL_ARGUMENT_NAMES = (
    "a abs_ angle array atol b beta bias bins branches choicelist condition condlist constant_values coordinates data default "
    "depthwise_kernel elements end_points f false_fn fill_value fun gamma image1 image2 images index indices init init_val "
    "input inputs kernel key loop_vars mask mean offset output output_length output_shape pred predictions "
    "primals q query rtol scale segment_ids sorted_sequence start start_indices start_points step stop tangents "
    "target target_length targets transform translation true_fn updates value values variable variance volumes weights x x1 x2 "
    "xs y"
)
_CALL_ARGUMENTS = frozenset(_CALL_ARGUMENT_NAMES.split())
# Constructor arguments with one of these names.
_CONSTRUCTOR_ARGUMENTS = {
    **dict.fromkeys(("AffineTransform", "ElasticTransform", "MapCoordinates"), ("fill_value",)),
    **dict.fromkeys(("PerspectiveTransform", "Resize", "Unique"), ("fill_value",)),
    **dict.fromkeys(("Diagonal", "Trace"), ("offset",)),
    "AllClose": ("atol", "rtol"),
    "Bincount": ("weights",),
    "Histogram": ("bins",),
    "Squareplus": ("b",),
    "Trapezoid": ("x",),
}


def class_name(path: str) -> str:
    """Returns the name of Keras's class for a function by its path in ``keras``, or for an operator by its name."""
    function = path.rpartition(".")[2]
    name = _CLASS_NAMES.get(path) or _CLASS_NAMES.get(function)
    return name or "".join(word[:1].upper() + word[1:] for word in function.split("_"))


def keras_module(path: str) -> str | None:
    """Returns the module of Keras's class for a function by its path; None if Keras has no such class."""
    function, name = path.rpartition(".")[2], class_name(path)
    if function in _OWN_FUNCTIONS:
        return None
    if name in ("ReLU", "Mish"):
        return "keras.src.activations.activations"
    if name not in _MODULES:
        known = {f"ops.{module}": module for module in ("numpy", "nn", "linalg", "image")}
        for other in FUNCTIONS:
            if other.rpartition(".")[0] in known:
                _MODULES.setdefault(class_name(other), known[other.rpartition(".")[0]])
    return f"keras.src.ops.{_MODULES[name]}" if name in _MODULES else None


def is_constructor_argument(path: str, name: str) -> bool:
    """True if the constructor of Keras's class for a function takes its argument ``name``, and not the call."""
    return name not in _CALL_ARGUMENTS or name in _CONSTRUCTOR_ARGUMENTS.get(class_name(path), ())


def join_arguments(
    path: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the arguments of a function from those of a call and of the constructor of Keras's class: ``split_arguments``'s inverse."""
    signature = inspect.signature(function)
    waiting, given, bound = list(args), {**options, **kwargs}, {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            bound[name], waiting = tuple(waiting), []
        elif name in given:
            bound[name] = given.pop(name)
        elif waiting and not is_constructor_argument(path, name):
            bound[name] = waiting.pop(0)
    joined = inspect.BoundArguments(signature, bound)
    return (*joined.args, *waiting), {**joined.kwargs, **given}


def split_arguments(
    path: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """Splits the arguments of a function into those of the call and those of the constructor of Keras's class.

    Returns:
        The call's positional and keyword arguments, and the constructor's by name.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # an operator of Python's
        return args, kwargs, {}
    bound = signature.bind(*args, **kwargs).arguments
    positional: list[Any] = []
    by_name: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional += bound.get(name, ())
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            by_name.update(bound.get(name, {}))
        elif is_constructor_argument(path, name):
            options.update({name: bound[name]} if name in bound else {})
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            by_name.update({name: bound[name]} if name in bound else {})
        else:  # with the defaults, which some of Keras's classes do not have
            positional.append(bound.get(name, parameter.default))
    return tuple(positional), by_name, options
