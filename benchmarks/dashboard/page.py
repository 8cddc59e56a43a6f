"""The page: sections of figures, tables and text, in one self-contained HTML file."""

import html
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.dashboard import charts
from benchmarks.dashboard.findings import (
    COMPILING,
    EAGER,
    EAGER_PEERS,
    FUNCTION,
    Loss,
    against_fastest,
    disturbed,
    disturbing_share,
    geometric_mean,
    limits_missed,
    lost_to_eager_peers,
    lost_to_peers,
    missed_aims,
    operations_in_python,
    problems,
    ready_seconds,
    slower_starts,
)
from benchmarks.dashboard.plot import duration, number
from benchmarks.dashboard.stored import Stored
from benchmarks.peers.known import PEERS
from benchmarks.peers.record import Record
from benchmarks.peers.runner import LOSS_TOLERANCE

STYLE = Path(__file__).with_name("style.css")
ASV = "asv/index.html"
SECTIONS = (
    ("losses", "Losses"),
    ("workloads", "Workloads"),
    ("roofline", "Roofline"),
    ("starts", "Starting up"),
    ("memory", "Memory"),
    ("scaling", "Growth"),
    ("limits", "Limits"),
    ("machine", "Machine"),
)
HISTORY = (
    f'<p>How single benchmarks went from commit to commit is on <a href="{ASV}">asv\'s own pages</a>, which browsers open only from '
    "a server: <code>python -m http.server -d site</code>.</p>"
)
WIDE, NARROW = 860.0, 360.0
escape = html.escape


def page(found: Stored, *, has_asv: bool) -> str:
    """Returns the HTML of the whole page."""
    sections = (
        _losses(found),
        _workloads(found.records),
        _roofline(found.records),
        _starts(found.records),
        _memory(found.records),
        _scaling(found.sweeps),
        _tables(found.tables),
        _measured_on(found, has_asv=has_asv),
    )
    body = "\n".join(filter(None, sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>fastgrad: performance</title>\n"
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n{_head(found, body, has_asv=has_asv)}\n{body}\n</body>\n</html>\n"
    )


def responsive_figure(narrow: str, wide: str) -> str:
    """Returns a figure in two versions: for narrow and for wide screens."""
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def legend(entries: Iterable[tuple[str, str, str]]) -> str:
    """Returns the legend of a figure: colours (CSS variables), shapes and meanings."""
    marks = (
        f'<span><i class="{shape}" style="--c:var(--{colour})"></i>{escape(what)}</span>'
        for colour, shape, what in entries
    )
    return f'<p class="legend">{"".join(marks)}</p>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns an HTML table whose first column is text; cells are escaped."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def loss_list(losses: Iterable[Loss]) -> str:
    """Returns an HTML list of missed goals, each with its workload."""
    return f"<ul>{''.join(f'<li><b>{escape(loss.where)}</b>: {escape(loss.what)}</li>' for loss in losses)}</ul>"


def _head(found: Stored, body: str, *, has_asv: bool) -> str:
    records, facts = found.records, found.facts
    compiled = [one for record in records.values() if (one := against_fastest(record, FUNCTION))]
    eager = [one for record in records.values() if (one := against_fastest(record, EAGER, EAGER_PEERS))]
    won = sum(not (one.lost or one.undecided) for one in compiled)
    day = facts["date"][:10]
    links = [(f"#{place}", what) for place, what in SECTIONS if f'id="{place}"' in body]
    links += [(ASV, "History (asv)")] if has_asv else []
    figures = []
    if eager:
        figures.append(
            (
                charts.factor_text(geometric_mean([one.median for one in eager])),
                "as fast as the faster of the eager peers, eagerly",
            )
        )
    if compiled:
        figures.append(
            (
                f"{won} of {len(compiled)}",
                "workloads whose compiled step is faster than every other library's best mode",
            )
        )
        figures.append(
            (
                charts.factor_text(geometric_mean([one.median for one in compiled])),
                "as fast as the fastest peer, geometric mean, compiled",
            )
        )
    shown = "".join(f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>" for value, what in figures)
    overview = responsive_figure(charts.overview(records, NARROW), charts.overview(records, WIDE))
    return f"""<header>
<h1>fastgrad: performance</h1>
<p class="lead">Whole training steps beside PyTorch, JAX and TensorFlow, each at its best, on the same data from the same
weights. {escape(facts["machine"]["cpu"])}, {facts["machine"]["processors"]} processors, no GPU, {escape(day)}.</p>
<nav>{"".join(f'<a href="{where}">{what}</a>' for where, what in links)}</nav>
</header>
<div class="figures">{shown}</div>
{_cautions(found)}
<h2>Beside the fastest peer</h2>
<p>The fastest peer's time over fastgrad's. Lines are the quartiles of the rounds.</p>
{legend([("ours", "", "compiled step, beside the fastest of all"), ("ahead", "", "the peer is faster"), ("axis", "hollow", "eager step, beside the fastest eager peer")])}
<figure>{overview}</figure>"""


def _cautions(found: Stored) -> str:
    records = found.records
    said = [told] if (told := disturbed(found)) else []
    said += sorted({record.facts["transcribed"] for record in records.values() if "transcribed" in record.facts})
    cut = [name for name, record in records.items() if record.facts["interrupted"]]
    if cut:
        said.append(f"Interrupted, so with fewer rounds: {', '.join(cut)}.")
    machines = {tuple(record.facts["machine"].items()) for record in records.values()}
    if len(machines) > 1:
        said.append("Not all workloads were measured on the same machine; each says where.")
    return "".join(f'<p class="notice">{escape(one)}</p>' for one in said)


def _losses(found: Stored) -> str:
    records = found.records
    groups = (
        ("Another library is faster than the compiled step", lost_to_peers(records)),
        ("An eager library is faster than the eager step", lost_to_eager_peers(records)),
        ("Less than we wanted", [*missed_aims(records), *limits_missed(found.tables)]),
        ("Another library is ready sooner from nothing", slower_starts(records)),
        ("Operations without a kernel", operations_in_python(records)),
        ("Crashed or disagreed", problems(records)),
    )
    said = "".join(f"<h3>{escape(title)}</h3>{loss_list(losses)}" for title, losses in groups if losses)
    behind = _eager_behind(records)
    return f'<h2 id="losses">Where we lose</h2>{behind}{said or "<p>Nowhere in these results.</p>"}'


def _eager_behind(records: Mapping[str, Record]) -> str:
    """An eager step beside what compiles is slow: that is how it is, and said once."""
    found = [one for record in records.values() if (one := against_fastest(record, EAGER))]
    lost = [one for one in found if one.lost]
    if not lost:
        return ""
    middle_ = 1 / geometric_mean([one.median for one in found])
    return (
        f"<p>An eager step pays for each operation: beside the fastest peer, which mostly compiles, it is slower in {len(lost)} of "
        f"{len(found)} workloads, in the geometric mean of all {escape(number(middle_))} times as slow.</p>"
    )


def _workloads(records: Mapping[str, Record]) -> str:
    low, high = charts.ratio_range(records)
    cards = "".join(_card(record, low, high) for record in records.values())
    entries = [
        ("ours", "square", FUNCTION),
        ("eager", "square", "fastgrad, eager"),
        ("peer", "square", "slower than compiled"),
    ]
    entries.append(("ahead", "square", "faster than compiled"))
    return (
        '<h2 id="workloads">Workloads</h2><p>The time of a step of each peer over that of the compiled step, the median of the '
        "ratios within rounds (lines: quartiles), on one logarithmic axis for all; beside it the time itself. Only peers whose "
        f"first 20 losses agree to {LOSS_TOLERANCE:g} are timed.</p>{legend(entries)}"
        f'<div class="cards">{cards}</div>'
    )


def _card(record: Record, low: float, high: float) -> str:
    workload = record.workload
    remarks = f'<p class="remarks">{escape(workload.remarks)}</p>' if workload.remarks else ""
    trouble = "".join(
        f'<div class="problem"><b>{escape(peer)}</b> {escape(result.problem)}'
        + (f"<pre>{escape(result.output)}</pre>" if result.output else "")
        + "</div>"
        for peer, result in record.results.items()
        if result.problem and not result.absent
    )
    missing = [f"{peer} {result.problem}" for peer, result in record.results.items() if result.absent]
    absent = f'<p class="soft">{escape("; ".join(missing))}</p>' if missing else ""
    return (
        f'<section class="card" id="{escape(workload.name)}"><h3>{escape(workload.name)}</h3><p class="soft">{escape(workload.about)}</p>'
        f"{charts.workload_bars(record, low, high)}{remarks}{trouble}{absent}{_details(record)}</section>"
    )


def _details(record: Record) -> str:
    rows = []
    for peer, result in record.results.items():
        losses = result.facts.get("losses")
        rows.append(
            (
                peer,
                result.facts.get("version", ""),
                f"{losses[0]:.6g}, {losses[-1]:.6g}" if losses else "",
                str(len(result.microseconds)),
                f"{result.facts['steps_per_second']:,.0f}" if "steps_per_second" in result.facts else "",
            )
        )
    facts = record.facts
    told = f"<code>{escape(facts['command'])}</code>, {escape(facts['date'][:16].replace('T', ' '))} UTC, commit {escape(facts['commit'][:10])}"
    share = disturbing_share(record)
    told += "" if share is None else f", other programs took {share:.1%} of the processors' time"
    inner = table(("peer", "version", "losses 1, 20", "rounds", "steps/s"), rows) + f'<p class="soft">{told}</p>'
    return f"<details><summary>Versions, losses, command</summary>{inner}</details>"


def _roofline(records: Mapping[str, Record]) -> str:
    shown = charts.roofline_points(records)
    limits = [record.facts["limits"]["1"] for record in records.values() if "1" in record.facts["limits"]]
    if not shown or not limits:
        return ""
    flops = max(one["flops_per_second"] for one in limits) / 1e9
    bandwidth = max(one["bytes_per_second"] for one in limits) / 1e9
    drawn = responsive_figure(
        charts.roofline(shown, flops, bandwidth, NARROW), charts.roofline(shown, flops, bandwidth, WIDE)
    )
    marks = [(kind, "", what) for kind, what, _ in charts.KINDS]
    return (
        '<h2 id="roofline">Each kernel under the roof</h2><p>A circle is a kernel of a compiled step, on one thread; its area is its '
        "share of the step. The roof is what one thread reaches with fused multiply-adds in registers, and with a triad over arrays "
        "that fit into no cache. What stands above the sloping part finds its data in a cache. FLOPs are counted from shapes (a "
        "logarithm counts as one), bytes are inputs and results, each once (of tables, the rows that are read or changed).</p>"
        f"{legend(marks)}<figure>{drawn}</figure>{_kernel_tables(records)}"
    )


def _kernel_tables(records: Mapping[str, Record]) -> str:
    parts = []
    for name, record in records.items():
        rows = record.results[FUNCTION].kernels if FUNCTION in record.results else []
        total = math.fsum(row["microseconds"] for row in rows)
        if not total:
            continue
        cells = [
            (
                row["name"] if row["native"] else f"{row['name']} (Python)",
                str(row["count"]),
                f"{row['microseconds']:.2f}",
                f"{row['microseconds'] / total:.0%}",
                number(row["flops"] / row["microseconds"] / 1e3) if row["microseconds"] else "",
                number(row["bytes"] / row["microseconds"] / 1e3) if row["microseconds"] else "",
                row["operations"],
            )
            for row in rows
        ]
        inner = table(("kernel", "times", "µs", "share", "GFLOP/s", "GB/s", "operations"), cells)
        parts.append(f"<details><summary>{escape(name)}: {duration(total)} on one thread</summary>{inner}</details>")
    return "".join(parts)


def _starts(records: Mapping[str, Record]) -> str:
    rows = []
    for name, record in records.items():
        cells = [name]
        for peer in COMPILING:
            cold, warm = (ready_seconds(record, peer, cold=cold) for cold in (True, False))
            if cold is None and peer in record.results and "first_step_seconds" in record.results[peer].facts:
                cells.append(f"{record.results[peer].facts['first_step_seconds']:.2f}*")
            else:
                cells.append(" / ".join(f"{seconds:.2f}" for seconds in (cold, warm) if seconds is not None))
        rows.append(cells)
    imports = _bars(records, "import_seconds", "s", 1.0)
    marked = any(cell.endswith("*") for row in rows for cell in row)
    note = '<p class="soft">* the first call alone, with what was compiled before</p>' if marked else ""
    return (
        '<h2 id="starts">Starting up</h2><p>Seconds from building the model to the end of the fourth call, when a compiled step is '
        "compiled: with nothing compiled yet / in a later process, which finds compiled code on the disk. One number: the library "
        f"keeps nothing there.</p>{table(('workload', *COMPILING), rows)}{note}"
        + (f'<h3>Import, on top of NumPy</h3><div class="cards"><figure>{imports}</figure></div>' if imports else "")
    )


def _bars(records: Mapping[str, Record], fact: str, unit: str, size: float) -> str:
    values = [(peer, value) for peer in PEERS if (value := charts.median_of(records, peer, fact)) is not None]
    rows = [(peer, value / size, f"{number(value / size)} {unit}") for peer, value in values]
    return charts.plain_bars(sorted(rows, key=lambda row: row[1]), unit) if rows else ""


def _memory(records: Mapping[str, Record]) -> str:
    bars = _bars(records, "peak_megabytes", "MB", 1.0)
    if not bars:
        return ""
    rows = [
        [
            name,
            *(
                f"{record.results[peer].facts['peak_megabytes']:,.0f}"
                if peer in record.results and "peak_megabytes" in record.results[peer].facts
                else ""
                for peer in PEERS
            ),
        ]
        for name, record in records.items()
    ]
    return (
        '<h2 id="memory">Memory</h2><p>The most memory that a peer\'s process had resident up to its first timed step, library, data '
        "and compilers included: the median of the workloads, and each.</p>"
        f'<div class="cards"><figure>{bars}</figure></div>'
        f"<details><summary>Megabytes by workload</summary>{table(('workload', *PEERS), rows)}</details>"
    )


def _scaling(sweeps: Mapping[str, Mapping[str, Any]]) -> str:
    cards = []
    for sweep in sweeps.values():
        by_peer: dict[str, dict[float, float]] = {}
        for point in sweep["points"]:
            for peer, result in point["peers"].items():
                if result["microseconds"]:
                    by_peer.setdefault(peer, {})[point["size"]] = statistics.median(result["microseconds"])
        if not by_peer:
            continue
        trouble = [
            f"{peer} at {point['size']} {result['problem']}"
            for point in sweep["points"]
            for peer, result in point["peers"].items()
            if result["problem"]
        ]
        problem = f'<p class="soft">{escape("; ".join(trouble))}</p>' if trouble else ""
        cards.append(
            f'<section class="card"><h3>{escape(sweep["workload"])}, by {escape(sweep["axis"])}</h3>'
            f'<p class="soft">{escape(sweep["about"])}</p>{charts.growth(sweep["axis"], by_peer)}{problem}</section>'
        )
    if not cards:
        return ""
    return (
        '<h2 id="scaling">Growth with size</h2><p>The time of a step over two decades of size, both axes logarithmic. The number '
        "beside a name is the slope of the line that fits best: 1 is proportional, 0 is all overhead.</p>"
        f'<div class="cards">{"".join(cards)}</div>'
    )


def _tables(tables: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [
        f"<h3>{escape(stored['title'])}</h3><pre>{escape(chr(10).join(stored['lines']))}</pre>"
        f'<p class="soft"><code>{escape(stored["command"])}</code>, {escape(stored["date"][:10])}, commit {escape(stored["commit"][:10])}</p>'
        for stored in tables.values()
    ]
    return '<h2 id="limits">Against our own limits</h2>' + "".join(parts) if parts else ""


def _measured_on(found: Stored, *, has_asv: bool) -> str:
    facts = found.facts
    machine, newest = facts["machine"], {}
    for record in found.records.values():
        for peer, result in record.results.items():
            if "version" in result.facts:
                newest.setdefault(PEERS[peer].library if peer in PEERS else peer, set()).add(result.facts["version"])
    versions = facts["versions"] | {library: ", ".join(sorted(some)) for library, some in newest.items()}
    entries = [
        ("Processor", f"{machine['cpu']}, {machine['processors']} of them, {machine['architecture']}"),
        ("Memory", f"{machine['memory_gigabytes']} GB" if machine["memory_gigabytes"] else "not known"),
        ("System", machine["system"]),
        ("Threads", ", ".join(sorted({str(record.settings.threads) for record in found.records.values()}))),
        (
            "Rounds",
            ", ".join(
                sorted({f"{r.settings.rounds} of {r.settings.slice_seconds:g} s" for r in found.records.values()})
            ),
        ),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Measured", _period(found.records)),
        ("Commits", ", ".join(sorted({_commit(record.facts) for record in found.records.values()}))),
    ]
    for threads, limit in sorted(facts["limits"].items()):
        entries.append(
            (
                f"Limits, {threads} thread{'s' if threads != '1' else ''}",
                f"{number(limit['flops_per_second'] / 1e9)} GFLOP/s, {number(limit['bytes_per_second'] / 1e9)} GB/s",
            )
        )
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries)
    return (
        f'<h2 id="machine">Machine, versions, method</h2><dl>{said}</dl>'
        "<p>Each peer has a process of its own that stands still (SIGSTOP) while another is timed, and is warmed up before each of its "
        "slices; slices alternate round by round, and ratios are taken within a round, so that a machine that gets slower does so for "
        "all peers. Peers that are missing, crash, or compute something else are shown as such.</p>"
        "<p>Measured again by <code>make peers-env peers</code>, this page made again by <code>make dashboard</code>.</p>"
        + (HISTORY if has_asv else "")
    )


def _period(records: Mapping[str, Record]) -> str:
    dates = [record.facts["date"][:16].replace("T", " ") for record in records.values()]
    return f"{min(dates)} UTC" if min(dates) == max(dates) else f"{min(dates)} to {max(dates)} UTC"


def _commit(facts: Mapping[str, Any]) -> str:
    return facts["commit"][:10] + (" with changes" if facts["changed"] else "")
