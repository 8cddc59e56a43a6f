"""Declares kernels: Python functions over pointers and scalars, compiled once on a machine, called natively.

    @kernel("x: in[T], bias: in[T], out: out[T], rows: int, columns: int", T=("float32", "float64"))
    def add_bias(x, bias, out, rows, columns):
        for i in range(rows):
            for j in range(columns):
                out[i * columns + j] = x[i * columns + j] + bias[j]

    add_bias[x.dtype](x, bias, out, rows, columns)

The first use of a dtype loads the object code from the disk cache, or compiles it (which imports Numba). A body must
not raise, allocate or call Python. It may use `math`, `range`, numbers, type variables as casts (`T(0.5)`), and the
names of the module `body`, such as functions declared with `scalar_function`. It trusts its sizes: callers check
shapes. Arrays are passed as C-contiguous memory. The lists `ins` and `inouts` must have arrays of equal sizes at equal
positions, which the native wrapper checks.

A quarter of the file is documentation; the rest is one class, its arguments and its disk cache.
"""

from __future__ import annotations

import contextlib
import importlib
import operator
import pkgutil
import time
import types
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad._src.jit import cache, store
from fastgrad._src.jit.body import digest, fingerprint, scalar_function
from fastgrad._src.jit.gc_pause import pause_gc
from fastgrad._src.jit.locks import new_rlock_held_at_fork
from fastgrad._src.jit.native import load_function
from fastgrad._src.jit.phases import phase
from fastgrad._src.jit.progress import COMPILATION_PROGRESS
from fastgrad._src.jit.signature import (
    ARRAY_KINDS,
    LIST_KINDS,
    SHARE_PARAMETERS,
    KernelSource,
    Parameter,
    Signature,
    parse_signature,
)
from fastgrad._src.jit.uninterrupted import run_uninterrupted

__all__ = ["Kernel", "kernel", "scalar_function"]


_kernels_lock = new_rlock_held_at_fork()  # for first uses of kernels
_compiler_lock = new_rlock_held_at_fork()  # LLVM has locks of its own, which a child process would inherit held


_kernels_of_modules: weakref.WeakValueDictionary[tuple[str, str], Kernel] = weakref.WeakValueDictionary()
"""The kernels by the module and the name of their functions."""

InPlaceOperands = Mapping[str, tuple[str, ...]]
"""The operands whose memory each result of a kernel may use, by the names of the parameters."""

NOT_IN_PLACE: InPlaceOperands = {}
NO_ALIASES: Mapping[str, str] = {}
LEAST_KERNELS_FOR_TWO_PROCESSES = 3


def kernel(
    signature: str,
    *,
    release_gil: bool = False,
    noalias: bool = False,
    in_place: InPlaceOperands = NOT_IN_PLACE,
    aliases: Mapping[str, str] = NO_ALIASES,
    **variables: tuple[str, ...],
) -> Any:
    """Returns a decorator that makes a Python function over pointers and scalars a kernel.

    Args:
        signature: `name: kind[dtype]` for each parameter, then `-> int` if the body returns an int64. Kinds are `in`,
            `out`, `inout` (an array), `ins`, `inouts` (a tuple or list of arrays), `int`, `float`, and, not passed by
            the caller, `count` (the length of the lists) and `sizes` (the number of elements of their arrays).
        release_gil: run the body without the GIL. Lists must then be tuples no other thread changes.
        noalias: promises that no two arrays overlap, except those of `in_place`.
        in_place: for results, the operands whose memory each may use, as programs choose. The kernel must read an
            element for the last time before it writes there. With `noalias`, the kernel is compiled once more for such
            arrays; see `in_place_variant`.
        aliases: parameters that are always the same array as another one, an earlier parameter.
        variables: the dtypes of each type variable.

    Returns:
        A decorator that makes a `Kernel` of a function.
    """
    parsed = parse_signature(signature)
    return lambda function: Kernel(function, parsed, variables, release_gil, noalias, in_place, aliases)


class Kernel(dict):
    """A kernel by dtype: `kernel[dtype]` is the native function. The key is a tuple for several type variables.

    Attributes:
        __name__: the function's name.
        signature: its parameters.
        in_place: pairs (result, operand) of parameter numbers that may be the same array.
        aliases: pairs of parameter numbers that are always the same array.
    """

    def __init__(
        self,
        function: types.FunctionType,
        signature: Signature,
        variables: Mapping[str, tuple[str, ...]],
        release_gil: bool,
        noalias: bool,
        in_place: InPlaceOperands = NOT_IN_PLACE,
        aliases: Mapping[str, str] = NO_ALIASES,
    ) -> None:
        super().__init__()
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        if names != tuple(p.name for p in signature.parameters):
            raise ValueError(f"kernel {function.__name__}: its parameters {names} differ from {signature.text!r}")
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.function = function
        self.signature = signature
        self.variables = {name: tuple(np.dtype(d) for d in dtypes) for name, dtypes in variables.items()}
        self.release_gil = release_gil
        self.noalias = noalias
        self.in_place = tuple(
            [(names.index(result), names.index(operand)) for result, given in in_place.items() for operand in given]
        )
        self.aliases = tuple(sorted([(names.index(one), names.index(other)) for one, other in aliases.items()]))
        _kernels_of_modules[function.__module__, function.__name__] = self

    def __missing__(self, key: Any) -> Callable:
        dtypes = tuple(np.dtype(d).newbyteorder("=") for d in (key if isinstance(key, tuple) else (key,)))
        if len(dtypes) != len(self.variables):
            raise TypeError(f"kernel {self.__name__}: give a dtype for each of {tuple(self.variables)}, not {key!r}")
        for dtype, (name, allowed) in zip(dtypes, self.variables.items(), strict=True):
            if dtype not in allowed:
                choice = ", ".join(d.name for d in allowed)
                raise TypeError(f"kernel {self.__name__}: {name} is {dtype.name}; it may be {choice}")
        with _kernels_lock:
            native = dict.get(self, dtypes)
            if native is None:
                native = self[dtypes] = self._build({n: d.name for n, d in zip(self.variables, dtypes, strict=True)})
            self[key] = native
        return native

    def deferred_function(self, *dtypes: np.dtype) -> DeferredFunction:
        """Returns a stand-in for the native function, which is compiled at the first call or request of its address.

        Args:
            *dtypes: one for each type variable.
        """
        return DeferredFunction(self._source({n: d.name for n, d in zip(self.variables, dtypes, strict=True)}))

    def __call__(self, *args: Any) -> Any:
        """Calls a kernel that has no type variables."""
        return self[()](*args)

    def is_awaited(self) -> bool:
        """Asks another process to compile a kernel that has no type variables; returns whether it still has to do so.

        False if a cache has the code, or if no other process compiles for this one.
        """
        if () in self or not store.is_shared():
            return False
        source = self._source({})
        entry = store.load(_content_of(source))
        if entry is None:
            from fastgrad._src.jit.compile_ahead import COMPILATION_AHEAD

            return COMPILATION_AHEAD.is_awaited(source)
        with _kernels_lock:
            if () not in self:  # else another thread has loaded it
                self[()] = _native_function(_NativeFunctionSelf(source, self.in_place), entry)
        return False

    def inspect_llvm(self, *dtypes: Any) -> str:
        """Returns the optimised LLVM IR, wrapper included, like Numba's `inspect_llvm`; compiles the kernel again.

        Args:
            *dtypes: one for each type variable.
        """
        return inspect_llvm(self[dtypes])

    def inspect_asm(self, *dtypes: Any) -> str:
        """Returns the kernel's assembly, like Numba's `inspect_asm`; compiles the kernel again.

        Args:
            *dtypes: one for each type variable.
        """
        return inspect_asm(self[dtypes])

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}({self.signature.text})>"

    def code(self, variables: dict[str, str]) -> tuple[str, cache.Entry]:
        """Returns the symbol and the object code for these dtypes; compiles only if no cache has the code."""
        return _object_code(self._source(variables))

    def compile_variants(self, variables: dict[str, str]) -> None:
        """Compiles the kernel for distinct arrays, and for each pair (result, operand) that may share memory."""
        self.code(variables)
        first = dict(self.aliases)
        for result, operand in self.in_place if self.noalias else ():
            root = first.get(result, result)
            one_array = {result, root, *[one for one, other in self.aliases if other == root]}
            others = [pair for pair in self.aliases if pair[0] not in one_array]
            pairs = sorted([*others, *[(one, operand) for one in one_array]])
            _object_code(self._source(variables)._replace(in_place=tuple(pairs)))

    def _source(self, variables: dict[str, str]) -> KernelSource:
        return KernelSource(self.function, self.signature, variables, self.release_gil, self.noalias, self.aliases)

    def _build(self, variables: dict[str, str]) -> Callable:
        return _native_function(_NativeFunctionSelf(self._source(variables), self.in_place))


class DeferredFunction:
    """A native function that is loaded, or compiled, at the first call or request of its address.

    Args:
        source: the source that it is compiled from.
    """

    __slots__ = ("__name__", "__self__", "__weakref__", "_entry", "_native")

    def __init__(self, source: KernelSource) -> None:
        self.__self__ = _NativeFunctionSelf(source)
        self.__name__ = source.function.__name__
        self._native: Any = None
        self._entry: cache.Entry | None = None  # what `is_compiled` read from a cache; None again once it is loaded

    def __call__(self, *args: Any) -> Any:
        return self.native_function()(*args)

    def __repr__(self) -> str:
        return f"<kernel {full_name(self)}>"

    @property
    def is_compiled(self) -> bool:
        """True if the code is in memory or in a cache."""
        if self._native is None and self._entry is None:
            self._entry = store.load(_content_of(self.__self__.source))
        return self._native is not None or self._entry is not None

    def native_function(self) -> Any:
        """The kernel's native function, which is loaded or compiled first if it has not been used."""
        if self._native is None:
            with _kernels_lock:
                if self._native is None:
                    self._native = _native_function(self.__self__, self._entry)
                    self._entry = None
        return self._native


def _native_function(function_self: _NativeFunctionSelf, entry: cache.Entry | None = None) -> Callable:
    """Returns the native function that has this `__self__`; compiles only if no cache has its code.

    Args:
        function_self: its `__self__`.
        entry: its code, if that has been read from a cache.
    """
    source = function_self.source
    symbol, entry = _object_code(source, entry)
    native = load_function(entry.code, symbol, entry.symbols, function_self.name, function_self)
    function_self.native = weakref.ref(native)
    return native


_kernels_from_cache = 0
"""The number of kernels that this process has read from a cache."""


def _object_code(source: KernelSource, entry: cache.Entry | None = None) -> tuple[str, cache.Entry]:
    global _kernels_from_cache  # noqa: PLW0603 (a fact about the process)
    content = _content_of(source)
    symbol = _symbol(source, content)
    entry = entry or store.load(content)
    _kernels_from_cache += entry is not None
    if entry is None and _has_compiled_ahead(source):
        entry = store.load(content)
    if entry is None:
        entry = run_uninterrupted(_compile_and_store, source, content, symbol)
    return symbol, entry


def _has_compiled_ahead(source: KernelSource) -> bool:
    """Returns whether another process has compiled a kernel for the disk cache; it compiles what comes next."""
    if not store.is_shared():
        return False
    from fastgrad._src.jit.compile_ahead import COMPILATION_AHEAD

    return COMPILATION_AHEAD.has_compiled(source, _kernels_from_cache)


def compile_kernel_of_module(
    module: str, name: str, variables: tuple[tuple[str, str], ...], in_place: tuple[tuple[int, int], ...]
) -> None:
    """Compiles a kernel of the library for the disk cache, if it is not there, ahead of its use.

    Args:
        module, name: of the kernel's function.
        variables: pairs of a type variable and its dtype.
        in_place: see `KernelSource`.

    Raises:
        LookupError: no module beside that of the function makes such a kernel when it is imported.
    """
    _object_code(kernel_source_of_module(module, name, variables, in_place))


def kernel_source_of_module(
    module: str, name: str, variables: tuple[tuple[str, str], ...], in_place: tuple[tuple[int, int], ...]
) -> KernelSource:
    """Returns the source of a kernel of the library, with the arguments and errors of `compile_kernel_of_module`."""
    return kernel_of_module(module, name)._source(dict(variables))._replace(in_place=in_place)


def kernel_of_module(module: str, name: str) -> Kernel:
    """Returns a kernel of the library.

    Args:
        module, name: of the kernel's function; the name of an attribute of an object has dots, as `adam.variables_kernel`.

    Raises:
        LookupError: no module beside that of the function makes such a kernel when it is imported.
    """
    imported = importlib.import_module(module)
    if "." in name:
        kernel: Kernel = operator.attrgetter(name)(imported)
        return kernel
    if (module, name) not in _kernels_of_modules:  # another module makes kernels with functions of this one
        package = importlib.import_module(module.rpartition(".")[0])
        for other in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(other.name)
    return _kernels_of_modules[module, name]


def _symbol(source: KernelSource, content: str) -> str:
    return f"fastgrad_{source.function.__name__}_{digest(content.encode())[:24]}"


def _content_of(source: KernelSource) -> str:
    """Returns the text that a kernel's code depends on."""
    function, signature, variables, release_gil, noalias, in_place = source
    numbers = tuple([None if dtype is None else dtype.num for dtype in source.dtypes])
    return "\n".join(
        (
            f"kernel {function.__name__}({signature.text})",
            f"types {variables} {numbers} release_gil={release_gil} noalias={noalias} in_place={in_place}",
            f"body {fingerprint(function)}",
        )
    )


def is_compiled(native: Any) -> bool:
    """True if the code of a native function of a `Kernel` is in memory or in a cache."""
    return type(native) is not DeferredFunction or native.is_compiled


class _NativeFunctionSelf:
    """The fallback of a native function for arguments that do not fit: converts them and calls again, or raises.

    Attributes:
        native: a weak reference to the function: the function and its code are freed with its last user.
        memory: the memory that must live as long as the function.
        step: the address of its entry for programs; see `step_address`.
        in_place: as of the `Kernel`.
        variants: the variants for arrays of which some are the same; see `in_place_variant`.
        original: the function that this is a variant of.
        signature: all its parameters.
        source: the source that it is compiled from.
        parameters: the parameters that a caller passes, each with its dtype.
        dtypes: the dtypes of these parameters by name.
        places: for each parameter that a caller passes: whether it is `first` (0), `last` (1) or neither (-1), its
            dtype, and whether it is a float.
    """

    def __init__(self, source: KernelSource, in_place: tuple[tuple[int, int], ...] = ()) -> None:
        self.in_place = in_place
        self.name = source.function.__name__
        self.signature = source.signature
        self.source = source
        self.parameters = [(p, d) for p, d in zip(source.signature.parameters, source.dtypes, strict=True) if p.passed]
        self.dtypes = {p.name: d for p, d in self.parameters}
        self.places = tuple([(_share_bound_index(p), d, p.kind == "float") for p, d in self.parameters])
        self.native: Callable[[], Any]
        self.memory: Any
        self.step: int
        self.variants: weakref.WeakValueDictionary[tuple[tuple[int, int], ...], DeferredFunction] = (
            weakref.WeakValueDictionary()
        )
        self.original: Any = None

    def __call__(self, *args: Any) -> Any:
        converted = self.converted_arguments(args)
        if all(new is old for new, old in zip(converted, args, strict=True)):
            raise RuntimeError(f"kernel {self.name} refused arguments that fit: the NumPy or Python ABI is unknown")
        return self.native()(*converted)

    def converted_arguments(self, args: Sequence[Any]) -> list[Any]:
        """Returns the arguments as the kernel takes them; arguments that fit are the same objects."""
        if len(args) != len(self.parameters):
            names = ", ".join(p.name for p, _ in self.parameters)
            raise TypeError(f"kernel {self.name}({names}) takes {len(self.parameters)} arguments, got {len(args)}")
        converted = [self._convert_argument(p, d, a) for (p, d), a in zip(self.parameters, args, strict=True)]
        self._check_lists(converted)
        return converted

    def inspect_code(self, as_assembly: bool) -> str:
        """Returns the code of the native function as LLVM IR, or as assembly."""
        compiler = run_uninterrupted(importlib.import_module, "fastgrad._src.jit.compile")
        with _kernels_lock:
            module = compiler.optimised_module(self.source, self.name)
            return compiler.assembly(module) if as_assembly else str(module)

    def _convert_argument(self, parameter: Parameter, dtype: np.dtype | None, value: Any) -> Any:
        if parameter.kind in ARRAY_KINDS:
            return self._convert_array(parameter, parameter.name, dtype, value)
        if parameter.kind in LIST_KINDS:
            if not isinstance(value, (tuple, list)):
                raise TypeError(
                    f"kernel {self.name}: {parameter.name} must be a tuple or list of arrays, got {value!r}"
                )
            arrays = tuple(
                self._convert_array(parameter, f"{parameter.name}[{i}]", dtype, a) for i, a in enumerate(value)
            )
            unchanged = type(value) in (tuple, list) and all(a is b for a, b in zip(arrays, value, strict=True))
            return value if unchanged else arrays
        if parameter.kind == "objects":
            if type(value) is not tuple:
                raise TypeError(f"kernel {self.name}: {parameter.name} must be a tuple, got {value!r}")
            return value
        wanted = int if parameter.kind == "int" else float
        if type(value) is wanted:
            if wanted is int and not -(1 << 63) <= value < 1 << 63:
                raise OverflowError(f"kernel {self.name}: {parameter.name} = {value} is beyond int64")
            return value
        convert: Any = getattr(
            value, "__index__" if wanted is int or not hasattr(value, "__float__") else "__float__", None
        )
        try:
            return wanted(convert())
        except TypeError:  # there is none, or an array has several elements
            raise TypeError(f"kernel {self.name}: {parameter.name} must be {wanted.__name__}, got {value!r}") from None

    def _convert_array(self, parameter: Parameter, name: str, dtype: np.dtype | None, value: Any) -> np.ndarray:
        if not isinstance(value, np.ndarray) or value.dtype.newbyteorder("=") != dtype:
            got = f"{value.dtype} array" if isinstance(value, np.ndarray) else repr(value)
            raise TypeError(f"kernel {self.name}: {name} must be a {dtype} array, got {got}")
        native = value.dtype.isnative and value.flags.c_contiguous and value.flags.aligned
        if native and (value.flags.writeable or not parameter.written):
            fits = type(value) is np.ndarray and value.dtype.num == dtype.num
            return value if fits else value.view(np.ndarray).view(dtype)
        if parameter.written:
            raise TypeError(
                f"kernel {self.name}: {name} must be C-contiguous, aligned, native and writeable, got {value.dtype.str} "
                f"of shape {value.shape}, strides {value.strides}, writeable={value.flags.writeable}"
            )
        return np.array(value, dtype=dtype, order="C", subok=False)

    def _check_lists(self, values: list[Any]) -> None:
        lists = [(p.name, v) for (p, _), v in zip(self.parameters, values, strict=True) if p.kind in LIST_KINDS]
        for name, arrays in lists[1:]:
            first_name, first = lists[0]
            if [a.size for a in arrays] != [a.size for a in first]:
                raise ValueError(
                    f"kernel {self.name}: {name} has arrays of {[a.size for a in arrays]} elements, "
                    f"{first_name} of {[a.size for a in first]}"
                )


def _share_bound_index(parameter: Parameter) -> int:
    return SHARE_PARAMETERS.index(parameter.name) if parameter.is_share_bound else -1


def step_address(native: Any) -> int:
    """Returns the address of the entry for programs of a `Kernel`'s native function; see `wrapper.step_ir`."""
    address: int = (native.native_function() if type(native) is DeferredFunction else native).__self__.step
    return address


def in_place_pairs_of(native: Any) -> tuple[tuple[int, int], ...]:
    """Returns pairs (result, operand) of parameter numbers that may be the same array."""
    pairs: tuple[tuple[int, int], ...] = native.__self__.in_place
    return pairs


def signature_of(native: Any) -> Signature:
    """Returns the parameters of a native function of a `Kernel`."""
    signature: Signature = native.__self__.signature
    return signature


def source_of(native: Any) -> KernelSource | None:
    """Returns the source that a native function was compiled from; None for a function that only a CPU can run."""
    source: KernelSource | None = native.__self__.source
    return source


def in_place_variant(native: Any, in_place: tuple[tuple[int, int], ...]) -> Any:
    """Returns a variant of a native function for arrays of which some are the same.

    Args:
        native: a native function of a `Kernel`.
        in_place: see `KernelSource`.

    Returns:
        A function that gets a single pointer for such parameters; the same function, if it promises nothing of its
        arrays.
    """
    source = source_of(native)
    if source is None or not source.noalias or not in_place:
        return native
    variants = native.__self__.variants
    with _kernels_lock:
        variant = variants.get(in_place)
        if variant is None:
            variant = variants[in_place] = DeferredFunction(source._replace(in_place=in_place))
            variant.__self__.original = native  # a debugger shows its text
    return variant


def full_name(native: Any) -> str:
    """Returns the name of a native function of a `Kernel` with the dtypes of its type variables, as `half[float32]`."""
    name, source = native.__name__, source_of(native)
    return f"{name}[{', '.join(source.variables.values())}]" if source is not None and source.variables else str(name)


def inspect_llvm(native: Any) -> str:
    """Returns the optimised LLVM IR of a native function of a `Kernel`; compiles it again."""
    text: str = native.__self__.inspect_code(as_assembly=False)
    return text


def inspect_asm(native: Any) -> str:
    """Returns the assembly of a native function of a `Kernel`; compiles it again."""
    text: str = native.__self__.inspect_code(as_assembly=True)
    return text


def _compile_and_store(source: KernelSource, content: str, symbol: str) -> cache.Entry:
    with _compiler_lock:
        entry = _compile(source, symbol)
        store.save(content, entry)
    return entry


def compile_kernels(uncompiled: Callable[[], Collection[Any]], processors: int) -> None:
    """Compiles kernels that no cache has, by two processes; does nothing where only one processor can be used.

    What this can't compile, or has nowhere to store, is compiled at its first use.

    Args:
        uncompiled: returns native functions of kernels. It is not called if one processor compiles, or none.
        processors: the number of processors that this process may use.
    """
    if processors < 2:
        return
    kernels = uncompiled()
    if len(kernels) < LEAST_KERNELS_FOR_TWO_PROCESSES:
        return
    from fastgrad._src.jit import second_process
    from fastgrad._src.jit.compile_ahead import COMPILATION_AHEAD

    if not second_process.is_allowed():
        return
    kernels = [kernel for kernel in kernels if not COMPILATION_AHEAD.is_at_work_on(kernel.__self__.source)]
    sources = [kernel.__self__.source for kernel in kernels]
    contents = [_content_of(source) for source in sources]
    symbols = [_symbol(source, content) for source, content in zip(sources, contents, strict=True)]
    run_uninterrupted(_compile_and_store_all, [*zip(sources, contents, symbols, strict=True)])
    COMPILATION_PROGRESS.expect(uncompiled)


def _compile_and_store_all(kernels: list[tuple[KernelSource, str, str]]) -> None:
    with _compiler_lock, pause_gc(), phase("front end"):
        compiled: list[tuple[KernelSource, str]] = []
        waiting = kernels.copy()
        COMPILATION_PROGRESS.expect(lambda: waiting)  # no cache has those that are compiled until all are stored

        def modules() -> Iterator[Any]:
            # This imports Numba, while the other process starts.
            from fastgrad._src.jit.compile import unoptimised_module

            for source, content, symbol in kernels:
                start = time.perf_counter()
                with contextlib.suppress(Exception):  # its first use raises the error
                    module = unoptimised_module(source, symbol)
                    compiled.append((source, content))
                    yield module
                COMPILATION_PROGRESS.record(time.perf_counter() - start)
                waiting.pop()

        from fastgrad._src.jit import second_process

        codes = second_process.compile_modules(modules())
        from fastgrad._src.jit.compile import checked_code

        for (source, content), result in zip(compiled, codes, strict=True):
            with contextlib.suppress(RuntimeError):
                code, symbols = checked_code(source, *result)
                store.save(content, cache.Entry(code, tuple(symbols)))


def _compile(source: KernelSource, symbol: str) -> cache.Entry:
    start = time.perf_counter()
    with pause_gc(), phase("front end"):
        from fastgrad._src.jit.compile import compile_kernel

        code, symbols = compile_kernel(source, symbol)
    COMPILATION_PROGRESS.record(time.perf_counter() - start)
    return cache.Entry(code, tuple(symbols))
