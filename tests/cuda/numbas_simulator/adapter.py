"""Bodies of our kernels, run by the simulator of Numba's CUDA target: as plain Python, with NumPy's numbers.

Nothing of our way to LLVM IR has a part in that, and nothing of our own simulation. Threads, blocks, barriers and shared memory are
Numba's.
"""

import functools
import math
import sys
import threading
from fractions import Fraction
from types import FunctionType

import numpy as np
from numba import cuda  # while a kernel runs, Numba puts here what threads see

from fastgrad._src.cuda.codegen import body
from fastgrad._src.cuda.codegen.library import GPU_REPLACEMENTS
from fastgrad._src.jit import body as of_all
from fastgrad._src.jit.body import ByDtype, DtypeConstant, is_scalar_function
from fastgrad._src.jit.compile import types_by_name
from fastgrad._src.jit.signature import SHARE_PARAMETERS

sys.setswitchinterval(1e-5)  # Numba looks again and again whether all threads wait
_ALLOCATING = threading.Lock()  # Numba may give two threads an array each that ask at the same time


def simulate(kernel, dtypes, arguments, units=1, blocks=2, threads=64):
    """As `lock_step.simulate`, for kernels without lists of arrays; nothing is checked but by Numba."""
    types = {name: np.dtype(kind).type for name, kind in types_by_name(kernel.checked_dtypes(dtypes)).items()}
    function = plain(kernel.function, tuple(types.items()))
    elements = [
        types.get(p.element) or (p.element and np.dtype(p.element)) for p in kernel.entry_parameters if p.passed
    ]
    flat = [_elements(a, kind) if isinstance(a, np.ndarray) else a for a, kind in zip(arguments, elements, strict=True)]
    answers = np.full(units, -1)
    if not kernel.has_work_units:
        units, blocks, threads = 1, 1, 1
    cuda.jit(_entry)[blocks, threads](kernel, function, units, answers, *flat)
    found = answers[answers >= 0]
    return int(found.min()) if found.size else None


def _elements(array, kind):
    """The memory of a contiguous array as elements of the type that the kernel has there."""
    memory, kind = array.reshape(-1).view(np.uint8), np.dtype(np.uint8 if kind == np.bool_ else kind)
    return memory[: memory.size // kind.itemsize * kind.itemsize].view(kind)


def _entry(kernel, function, units, answers, *arguments):
    """What a thread does: its block's units, or its own."""
    passed = [p.name for p in kernel.entry_parameters if p.passed]
    given = {name: a[0] if name in kernel.numbers_in_memory else a for name, a in zip(passed, arguments, strict=True)}
    begin, step = cuda.blockIdx.x, cuda.gridDim.x
    if not kernel.together:
        begin, step = begin * cuda.blockDim.x + cuda.threadIdx.x, step * cuda.blockDim.x
    with np.errstate(all="ignore"):
        for unit in range(begin, units, step):
            share = dict(zip(SHARE_PARAMETERS, (unit, unit + 1), strict=True)) if kernel.has_work_units else {}
            answer = function(**given, **share)
            if kernel.signature.returns_status:
                answers[unit] = answer


@functools.cache
def plain(function, types):
    """A copy of a body that Python can run: its specials are those below, its types are NumPy's."""
    scope = {**function.__globals__, **dict(types)}
    copy = FunctionType(function.__code__, scope, function.__name__)
    for name in function.__code__.co_names:
        value = scope.get(name)
        value = GPU_REPLACEMENTS.get(value, value) if callable(value) else value
        if isinstance(value, of_all.Special):
            scope[name] = SPECIALS[value]
        elif isinstance(value, DtypeConstant):
            scope[name] = value.values[np.dtype(dict(types)["T"]).name]
        elif isinstance(value, ByDtype):
            scope[name] = _ByDtype(value, types)
        elif is_scalar_function(value) and value.__code__ is not function.__code__:
            scope[name] = plain(value, types)
    return copy


class _ByDtype:
    def __init__(self, choice, types):
        self._choices = {name: plain(function, types) for name, function in choice.functions_by_dtype.items()}

    def __call__(self, x, *more):
        return self._choices[np.result_type(x).name](x, *more)


def _shared_array(kind, length):
    """Numba knows shared arrays by the line that asks for them."""
    code, line = sys._getframe(1).f_code, sys._getframe(1).f_lineno
    asking = compile("array(length, kind)", f"{code.co_filename} {line} of {id(code)}", "eval")
    with _ALLOCATING:
        return eval(asking, {"array": cuda.shared.array, "length": length, "kind": kind})


def _synchronize():
    cuda.syncthreads()


def _fused_multiply_add(a, b, c):
    """a * b + c, rounded once."""
    if not type(a) is type(b) is type(c) is np.float32:
        if all(map(math.isfinite, (a, b, c))):
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            try:
                return np.float64(exact)
            except OverflowError:
                return np.float64(math.inf if exact > 0 else -math.inf)
        return np.float64(a) * b + c
    # In float64 the product of float32 numbers is exact, and a sum that is rounded to odd can be rounded again.
    product, c = float(a) * float(b), float(c)
    total = product + c
    if math.isfinite(total):
        part = total - product
        error = (product - (total - part)) + (c - part)
        if error and not np.float64(total).view(np.int64) & 1:
            total = math.nextafter(total, math.copysign(math.inf, error))
    return np.float32(total)


def _float_bits(x):
    x = np.float64(x) if type(x) is float else x
    return x.view(f"int{8 * x.itemsize}")


SPECIALS = {
    body.thread_index: lambda: cuda.threadIdx.x,
    body.block_size: lambda: cuda.blockDim.x,
    body.synchronize: _synchronize,
    body.shared_array: _shared_array,
    of_all.local_array: lambda kind, length: np.zeros(length, kind),
    of_all.float_bits: _float_bits,
    of_all.from_bits: lambda i: i.view(f"float{8 * i.itemsize}"),
    of_all.prefetch: lambda x, i: None,
    of_all.fused_multiply_add: _fused_multiply_add,
    of_all.round_down: np.floor,
    of_all.round_to_even: np.rint,
    of_all.round_to_zero: np.trunc,
    of_all.round_up: np.ceil,
}
