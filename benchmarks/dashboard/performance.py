"""`docs/performance.md` and `docs/results/performance.md` from the committed results: `python -m benchmarks.dashboard.performance`.

The first is the page to read, the second has every table. Their words are in `performance.template.md` and `results.template.md`.
The program also draws the picture of the README (`speed_picture.py`).
"""

import re
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.dashboard import allowance_picture
from benchmarks.dashboard.findings import (
    COMPILING,
    EAGER,
    EAGER_PEERS,
    FUNCTION,
    against_fastest,
    disturbed,
    fastest,
    geometric_mean,
    growth_exponent,
    limit_shares,
    lost_to_eager_peers,
    lost_to_peers,
    operations_in_python,
    problems,
    ratio,
    ready_seconds,
)
from benchmarks.dashboard.plot import duration, number
from benchmarks.dashboard.speed_picture import PICTURE, picture
from benchmarks.dashboard.stored import Stored, stored
from benchmarks.peers.allowances import slower_with_more
from benchmarks.peers.report import summary, table
from benchmarks.peers.runner import PeerResult

DOCUMENTS = {
    ROOT / "docs" / "performance.md": Path(__file__).with_name("performance.template.md"),
    ROOT / "docs" / "results" / "performance.md": Path(__file__).with_name("results.template.md"),
}
"""The pages, each with its template."""
PLACE = re.compile(r"\{\{ (\w+)(?: (\w+))? \}\}")


def document(found: Stored, template: str) -> str:
    """Returns the template with each `{{ part }}` replaced by text from the results.

    Raises:
        KeyError: the template asks for a part that there is not.
    """
    parts: Mapping[str, Callable[..., str]] = {
        "machine": _machine,
        "limits": _limits,
        "versions": _versions,
        "cautions": _cautions,
        "verdict": _verdict,
        "commands": _commands,
        "summary": _summary,
        "limit_shares": _limit_shares,
        "losses": _losses,
        "remarks": _remarks,
        "tables": _tables,
        "printed": _printed,
        "shown": _shown,
        "starts": _starts,
        "growth": _growth,
        "allowances": _allowances,
    }
    filled = PLACE.sub(lambda match: parts[match[1]](found, *filter(None, [match[2]])), template)
    return re.sub(r"\n{3,}", "\n\n", filled)


def _machine(found: Stored) -> str:
    facts = found.facts
    machine = facts["machine"]
    threads = ", ".join(sorted({str(record.settings.threads) for record in found.records.values()}))
    memory = f", {machine['memory_gigabytes']} GB" if machine["memory_gigabytes"] else ""
    days = sorted({record.facts["date"][:10] for record in found.records.values()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"{machine['cpu']}, {machine['processors']} processors{memory}, {machine['system']}, no GPU; {threads} threads for "
        f"all peers; {when}"
    )


def _limits(found: Stored) -> str:
    said = []
    for threads, limit in sorted(found.facts["limits"].items()):
        flops, traffic = number(limit["flops_per_second"] / 1e9), number(limit["bytes_per_second"] / 1e9)
        said.append(f"{flops} GFLOP/s and {traffic} GB/s on {threads} thread{'s' if threads != '1' else ''}")
    return "; ".join(said) or "not measured"


def _versions(found: Stored) -> str:
    return (
        ", ".join(f"{name} {version}" for name, version in found.facts["versions"].items())
        + "; the peers' stand in the tables"
    )


def _cautions(found: Stored) -> str:
    said = sorted({record.facts["transcribed"] for record in found.records.values() if "transcribed" in record.facts})
    said += [told] if (told := disturbed(found)) else []
    return "\n".join(f"* {one}" for one in said)


def _verdict(found: Stored) -> str:
    compiled = [one for record in found.records.values() if (one := against_fastest(record, FUNCTION))]
    eager = [one for record in found.records.values() if (one := against_fastest(record, EAGER, EAGER_PEERS))]
    behind = [one for record in found.records.values() if (one := against_fastest(record, EAGER))]
    said = []
    if compiled:
        won = sum(not (one.lost or one.undecided) for one in compiled)
        mean = number(geometric_mean([one.median for one in compiled]))
        said.append(
            f"Compiled, {won} of {len(compiled)} steps are faster than the fastest peer, {mean} times in the geometric mean."
        )
    if eager:
        won, mean = sum(not one.lost for one in eager), number(geometric_mean([one.median for one in eager]))
        lost = sum(one.lost for one in behind)
        said.append(
            f"Eagerly, {won} of {len(eager)} are faster than the faster eager peer ({mean} times), and {lost} are slower than the "
            "fastest that compiles."
        )
    return " ".join(said)


def _commands(found: Stored) -> str:
    commands = sorted({record.facts["command"] for record in found.records.values()})
    commits = sorted({record.facts["commit"][:10] for record in found.records.values()})
    return " ".join(f"`{command}`." for command in commands) + f" Commit {', '.join(commits)}."


def _summary(found: Stored) -> str:
    records = found.records
    return summary({n: r.results for n, r in records.items()})


def _limit_shares(found: Stored) -> str:
    """Returns a table: for each compiled step its shares of the machine's limits, and its longest kernels."""
    rows = []
    for name, record in found.records.items():
        shares = limit_shares(record)
        if shares is not None:
            kernels = ", ".join(f"{k.name} {k.time:.0%} ({k.limit:.0%})" for k in shares.kernels)
            time = duration(record.results[FUNCTION].median())
            cells = (name, time, f"{shares.arithmetic:.0%}", f"{shares.memory:.0%}", f"{shares.threads:.0%}", kernels)
            rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return "Not measured: `make peers`."
    head = "| workload | a step | arithmetic | memory | threads | longest kernels |\n| --- | ---: | ---: | ---: | ---: | --- |\n"
    return head + "\n".join(rows)


def _losses(found: Stored) -> str:
    records = found.records
    losses = [
        *lost_to_peers(records),
        *lost_to_eager_peers(records),
        *operations_in_python(records),
        *problems(records),
    ]
    return "\n".join(f"* `{loss.where}`: {loss.what}." for loss in losses) or "* nothing."


def _remarks(found: Stored) -> str:
    return "\n".join(f"* `{n}`: {r.workload.remarks}" for n, r in found.records.items() if r.workload.remarks)


def _tables(found: Stored) -> str:
    texts = [table(record.workload, record.results, record.settings) for record in found.records.values()]
    return "```text\n" + "\n\n".join(texts) + "\n```"


def _printed(found: Stored, name: str) -> str:
    if name not in found.tables:
        return f"Not measured: `make tables ARGS={name}`."
    printed = found.tables[name]
    told = f"`{printed['command']}`, {printed['date'][:10]}, commit {printed['commit'][:10]}:"
    return f"{told}\n\n```text\n" + "\n".join(printed["lines"]) + "\n```"


def _shown(found: Stored, name: str) -> str:
    """Returns what a program printed as Markdown."""
    return (
        "\n".join(found.tables[name]["lines"]) if name in found.tables else f"Not measured: `make tables ARGS={name}`."
    )


def _starts(found: Stored) -> str:
    rows = []
    for name, record in found.records.items():
        pairs = [[ready_seconds(record, peer, cold=cold) for cold in (True, False)] for peer in COMPILING]
        if any(one is not None for pair in pairs for one in pair):
            cells = [" / ".join(f"{one:.2f}" for one in pair if one is not None) for pair in pairs]
            rows.append(f"| {name} | {' | '.join(cells)} |")
    if not rows:
        return ""
    head = f"| workload | {' | '.join(COMPILING)} |\n| --- |{' ---: |' * len(COMPILING)}\n"
    return (
        "Seconds from building the model to the end of the fourth call, with nothing compiled yet / in a later process that finds "
        "compiled code on the disk (of the same command as the steps):\n\n" + head + "\n".join(rows)
    )


def _growth(found: Stored) -> str:
    rows: list[str] = []
    for name, sweep in found.sweeps.items():
        by_peer: dict[str, dict[float, float]] = {}
        for point in sweep["points"]:
            for peer, result in point["peers"].items():
                if result["microseconds"]:
                    by_peer.setdefault(peer, {})[point["size"]] = statistics.median(result["microseconds"])
        rows += [_growth_row(name, sweep, peer, points) for peer, points in by_peer.items() if len(points) > 1]
    if not rows:
        return "Not measured: `python -m benchmarks.peers.scaling`."
    told = ", ".join(f"`{command}`" for command in sorted({sweep["command"] for sweep in found.sweeps.values()}))
    head = "| sweep | peer | smallest | largest | slope |\n| --- | --- | ---: | ---: | ---: |\n"
    return (
        f"{told}. The slope is the exponent of the power law that fits best: 1 is proportional to the size, 0 is all "
        "overhead.\n\n" + head + "\n".join(rows)
    )


def _allowances(found: Stored) -> str:
    """Returns a table of step times by width and allowance: those of fastgrad, and of the fastest peer over them."""
    if found.allowances is None:
        return "Not measured: `python -m benchmarks.peers.allowances`."
    allowances = allowance_picture.medians(found.allowances["points"])
    head = f"| width | {' | '.join(allowances)} |\n| ---: |{' ---: |' * len(allowances)}\n"
    rows = []
    for point in found.allowances["points"]:
        cells = []
        for allowance in allowances:
            times = {peer: dict(enumerate(of_peer[allowance])) for peer, of_peer in point["microseconds"].items()}
            results = {peer: PeerResult(microseconds=by_round) for peer, by_round in times.items()}
            ours, over = results[FUNCTION].median(), ratio(results, FUNCTION, fastest(results))
            cells.append(duration(ours) + (f" ({number(over.median)} {over.peer})" if over else ""))
        rows.append(f"| {point['width']} | {' | '.join(cells)} |")
    slower = ", ".join(map(str, slower_with_more(found.allowances["points"]))) or "none"
    told = f"`{found.allowances['command']}`, {found.allowances['date'][:10]}."
    return f"{told} Widths whose step is slower on two processors by more than 5 %: {slower}.\n\n{head}" + "\n".join(
        rows
    )


def _growth_row(name: str, sweep: Mapping[str, Any], peer: str, points: Mapping[float, float]) -> str:
    (first, begin), *_, (last, end) = sorted(points.items())
    fitted = growth_exponent(list(points), list(points.values()))
    return f"| {name} | {peer} | {first:g}: {duration(begin)} | {last:g}: {duration(end)} | {fitted:.2f} |"


def main() -> int:
    """Writes the documents and the picture; returns 1 if there are no results, else 0."""
    try:
        found = stored()
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for page, template in DOCUMENTS.items():
        page.parent.mkdir(exist_ok=True)
        page.write_text(document(found, template.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.relative_to(ROOT))
    if found.allowances is not None:
        allowance_picture.PICTURE.write_text(allowance_picture.picture(found.allowances), encoding="utf-8")
        print(allowance_picture.PICTURE.relative_to(ROOT))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(found), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
