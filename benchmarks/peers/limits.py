"""The limits of the machine: `python -m benchmarks.peers.limits` prints its arithmetic and memory bandwidth as JSON.

The arithmetic is the rate of fused multiply-adds on vectors of float32 that stay in registers, the memory traffic a triad
over arrays that fit into no cache; each on one and on two threads. Neither uses fastgrad.
"""

import ctypes
import json
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.apart import apart
from benchmarks.peers.triad import Triad
from benchmarks.peers.worker import limit_threads

THREADS = (1, 2)
TRIAD_BYTES = 384_000_000
CHAINS = 12  # independent ones: the latency of one is hidden by the others
PASSES = 2_000_000
REPEATS = 5


def measure() -> dict[str, dict[str, float]]:
    """Returns for each number of threads the floating-point operations and bytes per second, measured in a separate process."""
    return apart("benchmarks.peers.limits")


def lanes() -> int:
    """Returns the number of float32 lanes of the widest vector register."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


def source(width: int) -> str:
    """Returns LLVM IR of `float chains(i64 passes, float a, float b)`: x = a * x + b in each of `CHAINS` registers."""
    vector = f"<{width} x float>"
    numbers = range(CHAINS)
    splat = "\n".join(
        f"%{name}0 = insertelement {vector} undef, float %{name}, i32 0\n"
        f"%{name}s = shufflevector {vector} %{name}0, {vector} undef, <{width} x i32> zeroinitializer"
        for name in ("a", "b")
    )
    phis = "\n".join(f"%x{c} = phi {vector} [ %bs, %entry ], [ %y{c}, %loop ]" for c in numbers)
    steps = "\n".join(
        f"%y{c} = call {vector} @llvm.fma.v{width}f32({vector} %as, {vector} %x{c}, {vector} %bs)" for c in numbers
    )
    sums = "\n".join(f"%s{c} = fadd {vector} {'%bs' if c == 0 else f'%s{c - 1}'}, %y{c}" for c in numbers)
    return f"""
declare {vector} @llvm.fma.v{width}f32({vector}, {vector}, {vector})
define float @chains(i64 %passes, float %a, float %b) {{
entry:
{splat}
br label %loop
loop:
%i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{steps}
%next = add i64 %i, 1
%more = icmp slt i64 %next, %passes
br i1 %more, label %loop, label %done
done:
{sums}
%first = extractelement {vector} %s{CHAINS - 1}, i32 0
ret float %first
}}"""


class Arithmetic:
    """A benchmark of peak arithmetic: chains of fused multiply-adds in registers, on several threads."""

    def __init__(self, threads: int) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._width = lanes()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
        )
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(source(self._width)), machine)
        address = self._engine.get_function_address("chains")
        self._chains = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float, ctypes.c_float)(address)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self.flops_per_second()

    def flops_per_second(self) -> float:
        """Returns the floating-point operations per second now; a multiply-add counts as two."""
        began = time.perf_counter()
        list(self._pool.map(lambda _: self._chains(PASSES, 0.5, 1.0), range(self._threads)))
        return 2 * self._width * CHAINS * PASSES * self._threads / (time.perf_counter() - began)


def main() -> None:
    """Prints the best of a few repeats as JSON."""
    found: dict[str, dict[str, float]] = {}
    for threads in reversed(THREADS):  # the second time on fewer processors
        limit_threads(threads)
        arithmetic, triad = Arithmetic(threads), Triad(TRIAD_BYTES, threads)
        found[str(threads)] = {
            "flops_per_second": round(max(arithmetic.flops_per_second() for _ in range(REPEATS))),
            "bytes_per_second": round(max(triad.bytes_per_second() for _ in range(REPEATS))),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
