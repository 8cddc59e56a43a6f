"""The vectors of this machine, and the tiles of matrix products that fit its registers."""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

from fastgrad._src.jit.native import Machine, target_machine


class Isa(NamedTuple):
    """The properties of a processor that kernels with explicit vectors depend on: vector size, tiles, instructions.

    Attributes:
        vector_bytes: the size of a vector register.
        heights: for a tile of 1, 2, ... vectors a row, the numbers of rows of its variants, greatest first.
        masks: whether loads and stores of the first lanes of a vector are single instructions.
        fused: whether fused multiply-adds are single instructions.
        pairs: whether one instruction adds to each float32 two products of bfloat16 numbers.
    """

    vector_bytes: int
    heights: tuple[tuple[int, ...], ...]
    masks: bool
    fused: bool
    pairs: bool

    @property
    def panel_bytes(self) -> int:
        """The bytes of a row of the widest tile of a matrix product."""
        return self.vector_bytes * len(self.heights)

    @property
    def wide_panel_bytes(self) -> int:
        """The bytes of a row of a tile in products with rows longer than `panel_bytes`.

        Three vectors by 8 rows need two thirds of the loads of four vectors by 4 rows, which the second cache of Intel's
        processors can't supply.
        """
        return self.vector_bytes * min(len(self.heights), 3)

    def product_panel_bytes(self, row_bytes: int) -> int:
        """Returns the bytes of a row of a panel of B, for rows of so many bytes."""
        return self.panel_bytes if row_bytes <= self.panel_bytes else self.wide_panel_bytes


# Enough sums to hide the latency of their additions, with registers left for a row of B; 8 rows are whole tiles; few
# variants, for a short compilation.
_TILE_HEIGHTS_WITH_32_REGISTERS = ((8, 4, 2, 1), (8, 2, 1), (8, 2, 1), (4, 2, 1))
# Eight sums hide four cycles of latency on two ports; Haswell and Zen 2 take five. Four rows of three vectors are twelve sums, three vectors
# of B and one element of A, which is all 16 registers.
_TILE_HEIGHTS_WITH_16_REGISTERS = ((8, 4, 2, 1), (4, 2, 1), (4, 2, 1))


_V3_FEATURES = "+sse3,+ssse3,+sse4.1,+sse4.2,+cx16,+sahf,+popcnt,+xsave,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
_V4_FEATURES = _V3_FEATURES + ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"

LEVELS: dict[str, tuple[str, str]] = {
    "x86-64-v4-bf16": ("x86-64-v4", _V4_FEATURES + ",+avx512bf16"),
    "x86-64-v4": ("x86-64-v4", _V4_FEATURES),
    "x86-64-v3": ("x86-64-v3", _V3_FEATURES),
    "armv8-a": ("generic", "+neon"),
}
"""Levels of processors for which wheels have machine code, the best first: LLVM's name, and the features it uses."""


def levels_of_architecture() -> tuple[str, ...]:
    """Returns the levels that this process can compile for, the best first."""
    architecture = target_machine().triple.partition("-")[0]
    prefix = "armv8" if architecture in ("aarch64", "arm64") else architecture.replace("_", "-")
    return tuple([level for level in LEVELS if level.startswith(prefix)])


def level_machine(level: str) -> Machine:
    """Returns the machine to compile for: any processor of a level, with this process's operating system."""
    system, _, version = target_machine().triple.partition("-darwin")
    triple = f"{system}-darwin20" if version else system  # of macOS 11; the code is for later versions, too
    return Machine(triple, *LEVELS[level])


@functools.cache
def host_levels() -> tuple[str, ...]:
    """Returns the levels whose code this processor runs, the best first."""
    features = set(target_machine().features.split(","))
    return tuple([level for level in levels_of_architecture() if features.issuperset(LEVELS[level][1].split(","))])


@functools.cache
def host_isa() -> Isa:
    """Returns the vectors of the machine that kernels are compiled for."""
    return isa_of(target_machine())


def isa_of(machine: Machine) -> Isa:
    """Returns the vectors of a machine.

    `FASTGRAD_LANES` chooses other vectors, by their number of float32 lanes: 4, 8 or 16. `FASTGRAD_BFLOAT16=0` disables
    the instruction that multiplies bfloat16 numbers.
    """
    features = machine.features.split(",")
    widest = 64 if "+avx512f" in features else 32 if "+avx2" in features else 16
    chosen = _lanes_by_environment()
    vector_bytes = 4 * int(chosen) if chosen else widest
    many = "+neon" in features or vector_bytes == 64
    return Isa(
        vector_bytes,
        _TILE_HEIGHTS_WITH_32_REGISTERS if many else _TILE_HEIGHTS_WITH_16_REGISTERS,
        masks="+avx" in features and vector_bytes > 16,
        fused="+neon" in features or "+fma" in features,
        pairs={"+avx512bf16", "+avx512vl"} <= set(features) and os.environ.get("FASTGRAD_BFLOAT16") != "0",
    )


def features_for_loops() -> str:
    """Returns the features that loops are compiled with: the machine's, and the preferred size of LLVM's vectors.

    Without `FASTGRAD_LANES`, the vectors are as wide as those of tiles. LLVM would halve them on Intel's processors,
    which once lowered their clock for wide vectors. LLVM splits vectors that the machine lacks into smaller ones.
    """
    machine, chosen = target_machine(), _lanes_by_environment()
    features = machine.features.split(",")
    if not machine.triple.startswith("x86_64") or not (chosen or "+avx512f" in features):
        return machine.features
    bits = 32 * int(chosen or 16)
    return ",".join([*features, *(f"{'+' if bits == size else '-'}prefer-{size}-bit" for size in (128, 256))])


def _lanes_by_environment() -> str:
    chosen = os.environ.get("FASTGRAD_LANES", "")
    if chosen not in ("", "4", "8", "16"):
        raise ValueError(f"FASTGRAD_LANES is {chosen!r}; it may be 4, 8 or 16 (float32 lanes of a vector)")
    return chosen
