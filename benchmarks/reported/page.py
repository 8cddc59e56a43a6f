"""The page of the stored results, `docs/reported_elsewhere.md`."""

import json
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.apart import ROOT, THREADS
from benchmarks.other_programs import MATERIAL
from benchmarks.peers.record import RESULTS
from benchmarks.reported import how_small
from benchmarks.reported.case import (
    ALL,
    FASTGRAD,
    JAX,
    OLD_JAX,
    TENSORFLOW,
    TORCH,
    TORCH_COMPILE,
    TORCH_ONE_THREAD,
    Case,
)
from benchmarks.reported.cases import CASES, OTHER_DERIVATIVES
from benchmarks.reported.measure import WARM

FOLDER = RESULTS / "reported"
PAGE = ROOT / "docs" / "reported_elsewhere.md"
TITLES = {
    FASTGRAD: "fastgrad",
    WARM: "fastgrad, kernels on disk",
    JAX: "JAX",
    OLD_JAX: "JAX",
    TENSORFLOW: "Keras on TensorFlow",
    TORCH: "PyTorch",
    TORCH_ONE_THREAD: "PyTorch on one thread",
    TORCH_COMPILE: "PyTorch, `torch.compile`",
}
PACKAGE = {
    JAX: "jax",
    OLD_JAX: "jax",
    TENSORFLOW: "tensorflow",
    TORCH: "torch",
    TORCH_ONE_THREAD: "torch",
    TORCH_COMPILE: "torch",
}

HEAD = """# Reported elsewhere

Users of other libraries report programs that are slow there. Here is a program for each report, in fastgrad and in the library that the report
was filed at. The programs are our own. Values are compared before anything is timed. fastgrad is not always ahead; the tables say where it is not.

`python -m benchmarks.reported --jax PYTHON --old-jax PYTHON --peers PYTHON` measures all of them and writes this page. The programs are in
`benchmarks/reported/cases/`, every round is in `benchmarks/results/reported/`.

"""


def stored() -> dict[str, dict[str, Any]]:
    """Returns the stored results by the name of their case."""
    files = {name: FOLDER / f"{name}.json" for name in (*CASES, *OTHER_DERIVATIVES)}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}


def page(results: Mapping[str, Mapping[str, Any]], widths: Mapping[str, Any] | None) -> str:
    """Returns the page as Markdown.

    Args:
        results: by name of case, what `stored` returns.
        widths: what `how_small.stored` returns.
    """
    parts = [HEAD, *_method(results), *_overview(results)]
    for name, case in CASES.items():
        parts += _section(case, results.get(name), results.get(case.before))
    parts += _other_derivatives(results)
    parts += how_small.section(widths)
    return "".join(parts).rstrip() + "\n"


def median(took: Mapping[str, Any], clock: str) -> float:
    """Returns the median seconds of a call by `cpu` or `wall`."""
    return statistics.median(took[clock])


def ratio(theirs: Mapping[str, Any], ours: Mapping[str, Any], clock: str) -> float:
    """Returns the median over rounds of a contestant's time over fastgrad's."""
    return statistics.median(t / o for t, o in zip(theirs[clock], ours[clock], strict=True))


def milliseconds(seconds: float) -> str:
    """Returns a time in milliseconds with three digits."""
    number = seconds * 1e3
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _method(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not results:
        return
    machines = sorted({f"{r['machine']['cpu']}, {r['machine']['processors']} processors" for r in results.values()})
    dates = sorted({r["date"][:10] for r in results.values()})
    versions = sorted({f"Numba {r['versions']['numba']}, NumPy {r['versions']['numpy']}" for r in results.values()})
    yield f"Measured on {' and '.join(dates)}: {'; '.join(machines)}; fastgrad with {'; '.join(versions)}.\n"
    yield (
        f"Each contestant has a process of its own and {THREADS} threads. Turns alternate, and the others stand still meanwhile. Times are medians; ratios\n"
        "are medians of the ratios of a round, above 1 where fastgrad is faster. CPU time is that of all threads of the process.\n"
        "The first call compiles; that of fastgrad starts from a folder without compiled kernels, which the cases of a command share.\n\n"
    )
    shares = [r["others_share"] for r in results.values() if r["others_share"] is not None]
    if shares and max(shares) >= MATERIAL:
        yield (
            f"**The machine was not idle**: other programs took {min(shares):.0%} to {max(shares):.0%} of the processors' time. "
            "CPU times and ratios suffer less from that than wall times.\n\n"
        )


def _section(case: Case, result: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"## {case.report}: {case.title}\n\n"
    yield f"[{case.report}]({case.link}): {case.story}\n\n"
    if result is None:
        yield f"Not measured: `python -m benchmarks.reported {case.name}`.\n\n"
        return
    contestants = result["contestants"]
    ours = contestants.get(FASTGRAD, {})
    yield "| | CPU, ms | wall, ms | CPU / fastgrad's | wall / fastgrad's | first call, CPU s |\n"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    problems = []
    for contestant, took in contestants.items():
        if "problem" in took:
            problems.append(f"{TITLES[contestant]}: {took['problem']}.")
            continue
        cells = [_name(contestant, took), milliseconds(median(took, "cpu")), milliseconds(median(took, "wall"))]
        for clock in ("cpu", "wall"):
            own = contestant == FASTGRAD or clock not in ours
            cells.append("" if own else f"{ratio(took, ours, clock):.3g}")
        cells.append(f"{took['first']:.2g}" if "first" in took else "")
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"
    if problems:
        yield "\n".join(problems) + "\n\n"
    if told := _verdict(contestants):
        yield told + "\n\n"
    if before is not None:
        over = [
            f"{_name(contestant, took)} {median(took, 'cpu') / median(before['contestants'][contestant], 'cpu'):.2f}"
            for contestant, took in contestants.items()
            if "cpu" in took and "cpu" in before["contestants"].get(contestant, {})
        ]
        yield f"CPU time over that of `{case.before}`: {', '.join(over)}.\n\n"


def _overview(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields a table with a row for each measured case: the CPU time of each contestant over fastgrad's."""
    order = (JAX, OLD_JAX, TENSORFLOW, TORCH, TORCH_ONE_THREAD)
    heads = [TITLES[one] if one != OLD_JAX else "JAX 0.4.31" for one in order]
    yield "CPU time over fastgrad's; below 1, fastgrad is behind:\n\n"
    yield f"| report | program | fastgrad, ms | {' | '.join(heads)} |\n"
    yield f"| --- | --- | {' | '.join(['---:'] * (1 + len(order)))} |\n"
    for name in (name for name in CASES if name in results):
        contestants = results[name]["contestants"]
        ours = contestants.get(FASTGRAD, {})
        if "cpu" not in ours:
            continue
        cells = []
        for contestant in order:
            took = contestants.get(contestant, {})
            over = ratio(took, ours, "cpu") if "cpu" in took else None
            cells.append("" if over is None else f"**{over:.2g}**" if over < 1.0 else f"{over:.3g}")
        case = CASES[name]
        yield f"| {case.report} | {case.title} | {milliseconds(median(ours, 'cpu'))} | {' | '.join(cells)} |\n"
    yield "\n"


def _other_derivatives(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields a table of the other derivatives of the functions: fastgrad's CPU time, and JAX's over it."""
    rows = {case.report: [_cell(results.get(f"{case.name}_{other}")) for other in ALL] for case in CASES.values()}
    rows = {report: cells for report, cells in rows.items() if any(cells)}
    if not rows:
        return
    yield "## Other derivatives of the same functions\n\n"
    yield (
        "`jvp` is the value and its derivative along a direction, `hvp` the Hessian matrix times a direction, `jacobian` the gradient by forward mode. Each\n"
        "cell has fastgrad's CPU time, and JAX's over it; below 1, fastgrad is behind. JAX has `jax.jvp`, `jax.jvp` of `jax.grad`, `jax.jacfwd` and\n"
        "`jax.hessian`, each within `jax.jit`.\n\n"
    )
    yield f"| report | {' | '.join(f'`{other}`' for other in ALL)} |\n| --- |{' ---: |' * len(ALL)}\n"
    for report, cells in rows.items():
        yield f"| {report} | {' | '.join(cells)} |\n"
    yield "\n"


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None or any("cpu" not in took for took in result["contestants"].values()):
        return ""
    ours, theirs = result["contestants"][FASTGRAD], result["contestants"][JAX]
    over = ratio(theirs, ours, "cpu")
    return f"{milliseconds(median(ours, 'cpu'))} ms, {f'**{over:.2g}**' if over < 1.0 else f'{over:.3g}'}"


def _name(contestant: str, took: Mapping[str, Any]) -> str:
    package = PACKAGE.get(contestant)
    version = took["versions"].get(package) or took["versions"].get(contestant, "")
    return f"{TITLES[contestant]} {version}".strip() if package else TITLES[contestant]


def _verdict(contestants: Mapping[str, Mapping[str, Any]]) -> str:
    ours = contestants.get(FASTGRAD, {})
    if "cpu" not in ours:
        return ""
    ahead = [
        f"{_name(contestant, took)} takes {over:.0%} of fastgrad's CPU time"
        for contestant, took in contestants.items()
        if contestant not in (FASTGRAD, WARM) and "cpu" in took and (over := ratio(took, ours, "cpu")) < 1.0
    ]
    return f"**fastgrad is behind**: {'; '.join(ahead)}." if ahead else ""
