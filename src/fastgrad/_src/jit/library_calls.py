"""Rare calls of the C library from vectorised loops.

LLVM does not vectorise a loop with a call in one of its branches, unless the called function has vector variants. The
variants here test whether any lane needs the call, and only then call the library for each such lane. LLVM finds them
by the attribute "vector-function-abi-variant", as it finds those of OpenMP's `declare simd`.
"""

from __future__ import annotations

from collections.abc import Iterable

LIBRARY_CALL_PREFIX = "fastgrad_library_"
_SUFFIX_AND_LANE_COUNTS_BY_TYPE = {"float": ("f", (4, 8, 16)), "double": ("", (2, 4, 8))}
_FUNCTIONS_OF_TWO_NUMBERS = frozenset(["fmod"])  # functions of two numbers; the others take one
_PURE_ATTRIBUTES = "memory(none) nounwind willreturn"
_LOOP_ATTRIBUTES = "noinline cold minsize optsize nounwind willreturn"
_TEST_ATTRIBUTES = f"alwaysinline {_PURE_ATTRIBUTES}"


def symbol_of(function: str, element: str) -> str:
    """Returns the symbol that kernels call for a function of the C library, of `float` or `double`."""
    return f"{LIBRARY_CALL_PREFIX}{function}_{element}"


def definitions_ir(symbols: Iterable[str]) -> str:
    """Returns LLVM IR that defines functions named by `symbol_of`, with their vector variants."""
    parts, kept = [], []
    for symbol in symbols:
        function, element = symbol[len(LIBRARY_CALL_PREFIX) :].split("_")
        suffix, widths = _SUFFIX_AND_LANE_COUNTS_BY_TYPE[element]
        names = ["x", "z"] if function in _FUNCTIONS_OF_TWO_NUMBERS else ["x"]
        parameters = ", ".join(f"{element} %{name}" for name in names)
        loads = "".join(
            f"  %{name}_at = getelementptr {element}, ptr %{name}_s, i32 %i\n"
            f"  %{name} = load {element}, ptr %{name}_at\n"
            for name in names
        )
        variants = ",".join(f"_ZGV_LLVM_M{n}{'v' * len(names)}_{symbol}({symbol}_{n})" for n in widths)
        parts.append(
            f"""declare {element} @{function}{suffix}({", ".join([element] * len(names))}) nobuiltin {_PURE_ATTRIBUTES}

define {element} @{symbol}({parameters}) noinline cold {_PURE_ATTRIBUTES} "vector-function-abi-variant"="{variants}" {{
  %y = call {element} @{function}{suffix}({parameters})
  ret {element} %y
}}

define void @{symbol}_each({", ".join(f"ptr %{name}_s" for name in names)}, i32 %wanted) {_LOOP_ATTRIBUTES} {{
  br label %lane
lane:
  %i = phi i32 [0, %0], [%next, %after]
  %rest = phi i32 [%wanted, %0], [%others, %after]
  %odd = trunc i32 %rest to i1
  br i1 %odd, label %call, label %after
call:
{loads}  %y = call {element} @{function}{suffix}({parameters})
  store {element} %y, ptr %x_at
  br label %after
after:
  %next = add i32 %i, 1
  %others = lshr i32 %rest, 1
  %done = icmp eq i32 %others, 0
  br i1 %done, label %out, label %lane
out:
  ret void
}}
"""
        )
        parts += [_masked_variant_ir(symbol, element, names, n) for n in widths]
        kept += [f"ptr @{symbol}_{n}" for n in widths]
    used = f'@llvm.compiler.used = appending global [{len(kept)} x ptr] [{", ".join(kept)}], section "llvm.metadata"'
    return "\n".join([used, *parts, '!0 = !{!"branch_weights", i32 1, i32 100000}'])


def _masked_variant_ir(symbol: str, element: str, names: list[str], lanes: int) -> str:
    """Returns the masked variant for `lanes` elements: a test that is inlined into loops, and a call that is not."""
    vector, mask = f"<{lanes} x {element}>", f"<{lanes} x i1>"
    slots = "".join(f"  %{name}_s = alloca {vector}\n" for name in names)
    stores = "".join(f"  store {vector} %{name}, ptr %{name}_s\n" for name in names)
    parameters = ", ".join(f"{vector} %{name}" for name in names)
    return f"""define {vector} @{symbol}_{lanes}({parameters}, {mask} %m) {_TEST_ATTRIBUTES} {{
{slots}  %bits = bitcast {mask} %m to i{lanes}
  %any = icmp ne i{lanes} %bits, 0
  br i1 %any, label %some, label %none, !prof !0
some:
  %wanted = zext i{lanes} %bits to i32
{stores}  call void @{symbol}_each({", ".join(f"ptr %{name}_s" for name in names)}, i32 %wanted)
  %y = load {vector}, ptr %x_s
  br label %none
none:
  %r = phi {vector} [%x, %0], [%y, %some]
  ret {vector} %r
}}
"""
