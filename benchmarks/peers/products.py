"""Matrix products in native loops of repeats, in each library: what `benchmarks.products` compares.

A function of `LIBRARIES` takes the sizes, A and B, and the number of threads, and gives a function that does so many products one after the other
and returns the last: NumPy's OpenBLAS is called from a loop in machine code, JAX loops inside of `jit`, PyTorch in TorchScript, fastgrad in
the driver of its programs.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data

Repeat = Callable[[int], Any]
Inputs = tuple[np.ndarray, np.ndarray]
LINE = 64
STEPS = 256
"""Rows in fastgrad's table of steps: so many products are done in one native call."""


def inputs_of(case: Sequence[int]) -> Inputs:
    """Returns the matrices A and B of a case of sizes m, n, k."""
    m, n, k = case
    a, b = aligned(m, k), aligned(k, n)
    a[...], b[...] = data.uniform(m, k), data.uniform(k, n, seed=1)
    return a, b


def aligned(rows: int, columns: int) -> np.ndarray:
    """Returns a matrix whose memory is aligned to a cache line, as libraries allocate it; NumPy does not."""
    memory = np.empty(4 * rows * columns + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + 4 * rows * columns].view(np.float32).reshape(rows, columns)


def error_of(case: Sequence[int], inputs: Inputs, found: np.ndarray) -> float:
    """Returns the largest error of a product against float64, relative to the sums of absolute terms."""
    a, b = (one.astype(np.float64) for one in inputs)
    return float(np.max(np.abs(found - a @ b) / (np.abs(a) @ np.abs(b))))


def fastgrad_products(case: Sequence[int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats a product as steps of one program of fastgrad."""
    a, b = inputs
    from benchmarks.threads import use_threads
    from fastgrad._src.compiler.programs.frame import share_count_and_grain
    from fastgrad._src.kernels.gemm.steps import product_launches
    from fastgrad._src.kernels.runtime.frame import ArrayPlace, FrameEncoder, address_of
    from fastgrad._src.kernels.runtime.launch import Input, Output, Scratch
    from fastgrad._src.kernels.runtime.thread_pool import continue_on_free_pool

    use_threads(threads)
    c = aligned(len(a), b.shape[1])
    launches = product_launches((a, b))
    arrays = {Input: (a, b), Output: (c,), Scratch: [np.empty(size, dtype) for dtype, size in launches.scratch]}

    def place_of(operand: Any) -> ArrayPlace | None:
        if type(operand) not in arrays:
            return None
        array = arrays[type(operand)][operand.number]
        return ArrayPlace(array.size, array.dtype, address_of(array))

    encoder = FrameEncoder()
    for _ in range(STEPS):
        for launch in launches.launches:
            encoder.add_step(launch, place_of, *share_count_and_grain(launch))
    one, frame = len(launches.launches), encoder.words(())
    kept = arrays, inputs  # whose addresses are in the frame

    def repeat(products: int) -> np.ndarray:
        for start in range(0, products, STEPS):
            continue_on_free_pool(frame, 0, one * min(STEPS, products - start))
        assert kept
        return c

    return repeat


CALLS = """
declare void @sgemm(i32, i32, i32, i64, i64, i64, float, i8*, i64, i8*, i64, float, i8*, i64)
define void @calls(i64 %count, i64 %m, i64 %n, i64 %k, i8* %a, i8* %b, i8* %c) {
entry:
br label %loop
loop:
%i = phi i64 [ 0, %entry ], [ %next, %loop ]
call void @sgemm(i32 101, i32 111, i32 111, i64 %m, i64 %n, i64 %k, float 1.0, i8* %a, i64 %k, i8* %b, i64 %n, float 0.0, i8* %c, i64 %n)
%next = add i64 %i, 1
%more = icmp slt i64 %next, %count
br i1 %more, label %loop, label %done
done:
ret void
}"""


def numpy_products(case: Sequence[int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats a product by the `cblas_sgemm` of NumPy's wheels, else by `np.matmul`."""
    a, b = inputs
    c = aligned(len(a), b.shape[1])
    found = sorted(Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas64_*"))
    if not found:

        def repeat(products: int) -> np.ndarray:
            for _ in range(products):
                np.matmul(a, b, out=c)
            return c

        return repeat
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    sgemm = ctypes.CDLL(str(found[0])).scipy_cblas_sgemm64_
    llvm.add_symbol("sgemm", ctypes.cast(sgemm, ctypes.c_void_p).value)
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(CALLS), llvm.Target.from_default_triple().create_target_machine()
    )
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4, *[ctypes.c_void_p] * 3)
    calls = kind(engine.get_function_address("calls"))
    sizes = (*c.shape, a.shape[1])

    def repeat(products: int) -> np.ndarray:
        calls(products, *sizes, a.ctypes.data, b.ctypes.data, c.ctypes.data)
        assert engine  # which holds the code
        return c

    return repeat


def torch_products(case: Sequence[int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a function that repeats `torch.mm` into allocated memory, in a loop of TorchScript."""
    a, b = inputs
    import torch

    torch.set_num_threads(threads)
    x, y, z = torch.from_numpy(a), torch.from_numpy(b), torch.empty(len(a), b.shape[1])
    loop = torch.jit.CompilationUnit(
        "def loop(count: int, x: Tensor, y: Tensor, z: Tensor):\n  for i in range(count):\n    torch.mm(x, y, out=z)\n"
    ).loop

    def repeat(products: int) -> Any:
        loop(products, x, y, z)
        return z

    return repeat


def jax_products(case: Sequence[int], inputs: Inputs, threads: int) -> Repeat:
    """Returns a jitted loop that repeats a product; each iteration writes to A so that XLA can't hoist the product."""
    a, b = inputs
    import jax

    @jax.jit
    def loop(products: Any, a: Any, b: Any) -> Any:
        def body(_: Any, state: Any) -> Any:
            x, c = state
            x = jax.lax.dynamic_update_slice(x, x[:1, :1] + 0 * c[:1, :1], (0, 0))
            return x, x @ b

        return jax.lax.fori_loop(0, products, body, (a, jax.numpy.zeros((len(a), b.shape[1]), a.dtype)))[1]

    x, y = jax.numpy.asarray(a), jax.numpy.asarray(b)
    return lambda products: loop(products, x, y).block_until_ready()


LIBRARIES: Mapping[str, Callable[[Sequence[int], Inputs, int], Repeat]] = {
    "fastgrad": fastgrad_products,
    "numpy": numpy_products,
    "torch": torch_products,
    "jax": jax_products,
}
"""The measured library, then its peers."""
