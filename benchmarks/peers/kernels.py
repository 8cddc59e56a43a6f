"""The kernels of a compiled step of fastgrad, with their arithmetic, memory traffic and time."""

from typing import Any

SMALLEST = 0.002  # of the step's time; what is below goes into one row
REST = "the rest"


def kernels_of(function: Any) -> list[dict[str, Any]]:
    """Returns rows like those of `step.report()`, longest kernel first; equal kernels are one row with their number.

    The times are those on one thread, with everything in the caches that fits there.
    """
    from fastgrad._src.compiler.programs.profiling import profile

    found: dict[tuple[str, str], dict[str, Any]] = {}
    row: dict[str, Any] = {}
    tree = function.trace_tree
    for compiled in tree.compiled if tree is not None else ():  # what loops over a dataset stays Python
        for step in profile(compiled.program, "").rows:
            if step.operations:  # else it belongs to the kernel before it
                row = found.setdefault(
                    (step.name, step.operations),
                    {"name": step.name, "operations": step.operations, "native": step.native, "count": 0}
                    | {"flops": 0, "bytes": 0, "microseconds": 0.0},
                )
                row["count"] += 1
            row["flops"] += step.flops
            row["bytes"] += step.bytes
            row["microseconds"] += step.microseconds
    rows = sorted(found.values(), key=lambda one: -one["microseconds"])
    total = sum(one["microseconds"] for one in rows)
    large = [one for one in rows if one["microseconds"] >= SMALLEST * total]
    small = rows[len(large) :]
    if small:
        sums = {what: sum(one[what] for one in small) for what in ("count", "flops", "bytes", "microseconds")}
        large.append({"name": REST, "operations": "", "native": all(one["native"] for one in small)} | sums)
    for one in large:
        one["microseconds"] = round(one["microseconds"], 3)
    return large
