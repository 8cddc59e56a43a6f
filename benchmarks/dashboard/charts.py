"""The figures: peers' times over ours, the roofline, bars from zero, and growth with size."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.dashboard.findings import EAGER, EAGER_PEERS, FUNCTION, against_fastest, growth_exponent, ratio
from benchmarks.dashboard.plot import (
    LinearScale,
    LogScale,
    axis_of_times,
    curve,
    duration,
    figure,
    line,
    log_range,
    number,
    path,
    tag,
    text,
    tick_text,
)
from benchmarks.peers.kernels import REST
from benchmarks.peers.known import OURS
from benchmarks.peers.record import Record

ROW = 22
LETTER = 7.2  # the width that a letter of a label has at most, on average
CARD_WIDTH = 380.0


def factor_text(value: float) -> str:
    """Returns a factor as text, such as "1.4×"."""
    return f"{number(value)}×"


def ratio_range(records: Mapping[str, Record]) -> tuple[float, float]:
    """Returns the range of the axis that the cards of all workloads share."""
    found = [
        one.median
        for record in records.values()
        for peer in record.results
        if (one := ratio(record.results, FUNCTION, peer)) is not None
    ]
    return log_range(found, room=1.3, holding=(1 / 3, 10.0))


def peer_class(peer: str, value: float) -> str:
    """Returns the CSS class of a bar: fastgrad has its own colours, and a faster peer stands out."""
    if peer == FUNCTION:
        return "ours"
    if peer in OURS:
        return "eager"
    return "ahead" if value < 1.0 else "peer"


def workload_bars(record: Record, low: float, high: float) -> str:
    """Draws a bar for each peer, the ratio of its time to fastgrad's, on a logarithmic axis, the fastest first."""
    timed = sorted(
        (peer for peer, result in record.results.items() if result.microseconds),
        key=lambda peer: record.results[peer].median(),
    )
    others = [peer for peer in record.results if peer not in timed]
    left, right = 126.0, CARD_WIDTH - 106.0
    scale = LogScale(low, high, left, right)
    bottom = 6.0 + ROW * (len(timed) + len(others))
    parts = []
    for tick in scale.ticks(4):
        kind = "axis" if tick == 1 else "grid"
        parts.append(line(scale(tick), 2, scale(tick), bottom, kind))
        parts.append(
            text(
                scale(tick),
                bottom + 13,
                f"{tick_text(tick)}{'×' if tick == 1 else ''}",
                class_="tick",
                text_anchor="middle",
            )
        )
    for row, peer in enumerate(timed):
        middle = 6.0 + ROW * (row + 0.5)
        result, found = record.results[peer], ratio(record.results, FUNCTION, peer)
        strong = "label strong" if peer in OURS else "label"
        parts.append(text(left - 8, middle + 4, peer, class_=strong, text_anchor="end"))
        parts.append(text(CARD_WIDTH, middle + 4, duration(result.median()), class_="value", text_anchor="end"))
        if found is None:
            continue
        begin, end = sorted((scale(1.0), scale(found.median)))
        about = f"{peer}: {found} times as long as {FUNCTION}"
        bar = tag(
            "rect",
            tag("title", about),
            x=begin - (1.5 if peer == FUNCTION else 0.0),
            y=middle - 6.5,
            width=max(end - begin, 3.0),
            height=13,
            class_=peer_class(peer, found.median),
        )
        parts.append(bar)
        if peer != FUNCTION and found.high > found.low:
            parts.append(line(scale(max(found.low, low)), middle, scale(min(found.high, high)), middle, "whisker"))
        shown = "1" if peer == FUNCTION else number(found.median).replace(",", "")
        parts.append(text(right + 46, middle + 4, f"{shown}×", class_="value strong", text_anchor="end"))
    for row, peer in enumerate(others, len(timed)):
        middle = 6.0 + ROW * (row + 0.5)
        result = record.results[peer]
        parts.append(text(left - 8, middle + 4, peer, class_="label", text_anchor="end"))
        said = "not here" if result.absent else "failed, see below"
        if result.absent and "no program" in result.problem:
            said = "no program"
        parts.append(text(left + 2, middle + 4, said, class_="tick" if result.absent else "tick failed"))
    label = f"{record.workload.name}: time of a step of each peer over that of {FUNCTION}"
    return figure(CARD_WIDTH, bottom + 18, parts, label)


def overview(records: Mapping[str, Record], width: float) -> str:
    """Draws for each workload the ratio of the fastest compiled and eager peers to fastgrad; above 1 fastgrad is faster."""
    rows = [
        (name, against_fastest(record, FUNCTION), against_fastest(record, EAGER, EAGER_PEERS))
        for name, record in records.items()
    ]
    rows = sorted(rows, key=lambda row: -(row[1].median if row[1] else 0.0))
    found = [edge for _, *pair in rows for one in pair if one for edge in (one.low, one.high)]
    narrow = width < 500
    names = 14.0 + LETTER * max((len(name) for name, *_ in rows), default=0)
    left, right = (names, width - 18) if narrow else (max(150.0, names), width - 170)
    scale = LogScale(*log_range(found, holding=(0.5, 8.0)), left, right)
    top, bottom = 30.0, 34.0 + ROW * len(rows)
    parts = []
    for tick in scale.ticks(5 if narrow else 9):
        parts.append(line(scale(tick), top, scale(tick), bottom, "axis" if tick == 1 else "grid"))
        parts.append(text(scale(tick), bottom + 15, f"{tick_text(tick)}×", class_="tick", text_anchor="middle"))
    parts.append(text(scale(1) - 7, top - 9, "← peer faster", class_="tick", text_anchor="end"))
    parts.append(text(scale(1) + 7, top - 9, "fastgrad faster →", class_="tick"))
    for row, (name, compiled, eager) in enumerate(rows):
        middle = top + 4 + ROW * (row + 0.5)
        parts.append(text(left - 10, middle + 4, name, class_="label", text_anchor="end"))
        if eager:
            x = scale(eager.median)
            kind = "ring ahead-ring" if eager.lost else "ring"
            about = f"{name}, eager: {eager.peer} takes {eager} times as long"
            parts.append(line(scale(eager.low), middle, scale(eager.high), middle, "whisker faint"))
            parts.append(tag("circle", tag("title", about), cx=x, cy=middle, r=4, class_=kind))
        if compiled:
            x = scale(compiled.median)
            about = f"{name}, compiled: {compiled.peer} takes {compiled} times as long"
            parts.append(line(scale(compiled.low), middle, scale(compiled.high), middle, "whisker"))
            kind = "ahead" if compiled.lost else "ours"
            parts.append(tag("circle", tag("title", about), cx=x, cy=middle, r=5, class_=kind))
            if not narrow:
                said = f"{factor_text(compiled.median)} {compiled.peer}"
                parts.append(text(right + 14, middle + 4, said, class_="value left"))
    return figure(
        width, bottom + 22, parts, "the fastest peer's time over fastgrad's, by workload", "figure wide-or-not"
    )


KINDS = (
    ("product", "matrix product", ("gemm", "gemv", "matmul", "conv", "dot")),
    ("update", "optimizer", ("adam", "sgd", "update", "adagrad", "rmsprop")),
    ("fused", "fused element-wise and reductions", ("fused",)),
    ("other", "other", ()),
)


def kind_of(kernel: str) -> str:
    """Returns the kind of a kernel, one of `KINDS`."""
    return next((kind for kind, _, marks in KINDS if any(mark in kernel for mark in marks)), "other")


@dataclass(frozen=True)
class RooflinePoint:
    """A kernel as a point of the roofline chart."""

    about: str
    kind: str
    intensity: float
    speed: float
    share: float


def roofline_points(
    records: Mapping[str, Record], smallest: float = 0.02, shortest: float = 0.2
) -> list[RooflinePoint]:
    """Returns the kernels with at least a share of their step and a duration that can be measured."""
    found = []
    for name, record in records.items():
        rows = record.results[FUNCTION].kernels if FUNCTION in record.results else []
        total = math.fsum(row["microseconds"] for row in rows)
        for row in rows:
            time, share = row["microseconds"], row["microseconds"] / total if total else 0.0
            worth = share >= smallest and time / row["count"] >= shortest
            if row["name"] == REST or not row["flops"] or not row["bytes"] or not worth:
                continue
            speed = row["flops"] / time / 1e3
            about = f"{name}: {row['name']}, {row['operations']}; {row['count']} ×, {duration(time)} in all"
            about += f", {share:.0%} of the step; {number(speed)} GFLOP/s, {number(row['bytes'] / time / 1e3)} GB/s"
            found.append(RooflinePoint(about, kind_of(row["name"]), row["flops"] / row["bytes"], speed, share))
    return found


def roofline(shown: Sequence[RooflinePoint], flops: float, bandwidth: float, width: float) -> str:
    """Draws the roofline: speed over arithmetic intensity, both logarithmic; the roof is the limit of one thread.

    Args:
        shown: the kernels.
        flops: the roof, in GFLOP/s.
        bandwidth: its slope, in GB/s.
        width: of the figure.
    """
    height = min(440.0, width * 0.95)
    left, right, top, bottom = 46.0, width - 12.0, 26.0, height - 42.0
    ridge = flops / bandwidth
    xs = LogScale(*log_range([place.intensity for place in shown], holding=(0.05, 4 * ridge)), left, right)
    ys = LogScale(*log_range([place.speed for place in shown], holding=(0.2, flops)), bottom, top)
    parts = []
    for tick in xs.ticks(4 if width < 500 else 6):
        parts += [line(xs(tick), top, xs(tick), bottom, "grid")]
        parts += [text(xs(tick), bottom + 15, tick_text(tick), class_="tick", text_anchor="middle")]
    for tick in ys.ticks(6):
        parts += [line(left, ys(tick), right, ys(tick), "grid")]
        parts += [text(left - 6, ys(tick) + 4, tick_text(tick), class_="tick", text_anchor="end")]
    start = max(xs.low, ys.low / bandwidth)
    parts.append(path([(xs(start), ys(start * bandwidth)), (xs(ridge), ys(flops)), (right, ys(flops))], "roof"))
    parts.append(
        text(right, ys(flops) - 7, f"{number(flops)} GFLOP/s, multiply-adds", class_="tick", text_anchor="end")
    )
    at = math.sqrt(start * ridge)
    angle = math.degrees(math.atan2(ys(flops) - ys(start * bandwidth), xs(ridge) - xs(start)))
    parts.append(
        text(
            xs(at),
            ys(at * bandwidth) - 6,
            f"{number(bandwidth)} GB/s, memory",
            class_="tick",
            text_anchor="middle",
            transform=f"rotate({angle:.1f} {xs(at):.1f} {ys(at * bandwidth) - 6:.1f})",
        )
    )
    for place in sorted(shown, key=lambda place: -place.share):
        parts.append(
            tag(
                "circle",
                tag("title", place.about.replace("&", "&amp;").replace("<", "&lt;")),
                cx=xs(place.intensity),
                cy=ys(place.speed),
                r=2.5 + 9 * math.sqrt(place.share),
                class_=f"kernel {place.kind}",
            )
        )
    parts.append(text(right, height - 8, "FLOP a byte", class_="tick", text_anchor="end"))
    parts.append(text(left - 40, 12, "GFLOP/s", class_="tick"))
    return figure(width, height, parts, "each kernel's arithmetic intensity and speed under the machine's roof")


def plain_bars(rows: Sequence[tuple[str, float, str]], unit: str) -> str:
    """Draws bars from zero; a row is (peer, value, label)."""
    left, right = 126.0, CARD_WIDTH - 66.0
    scale = LinearScale(max(value for _, value, _ in rows), left, right)
    bottom = 4.0 + ROW * len(rows)
    parts = [line(left, 0, left, bottom, "axis")]
    for row, (peer, value, shown) in enumerate(rows):
        middle = 2.0 + ROW * (row + 0.5)
        kind = "ours" if peer == FUNCTION else "eager" if peer in OURS else "peer"
        parts.append(
            text(left - 8, middle + 4, peer, class_="label strong" if peer in OURS else "label", text_anchor="end")
        )
        parts.append(tag("rect", x=left, y=middle - 6.5, width=scale(value) - left, height=13, class_=kind))
        parts.append(text(scale(value) + 6, middle + 4, shown, class_="value"))
    return figure(CARD_WIDTH, bottom + 2, parts, f"{unit} of each peer")


def growth(axis: str, times_by_peer: Mapping[str, Mapping[float, float]]) -> str:
    """Draws the time of a step by size, both logarithmic: a line for each peer, with its fitted exponent.

    Args:
        axis: what grows.
        times_by_peer: by peer and size, microseconds.
    """
    width, height = CARD_WIDTH, 250.0
    left, right, top, bottom = 50.0, width - 142.0, 16.0, height - 36.0
    sizes = sorted({size for points in times_by_peer.values() for size in points})
    values = [time for points in times_by_peer.values() for time in points.values()]
    xs, ys = LogScale(*log_range(sizes, room=1.1), left, right), LogScale(*log_range(values), bottom, top)
    parts = []
    for tick in xs.ticks(5):
        parts += [line(xs(tick), top, xs(tick), bottom, "grid")]
        parts += [text(xs(tick), bottom + 15, tick_text(tick), class_="tick", text_anchor="middle")]
    parts += axis_of_times(ys, left, right)
    ends = []
    for peer, points in times_by_peer.items():
        kind = "ours" if peer == FUNCTION else "eager" if peer in OURS else f"peer-{peer.replace('.', '-')}"
        placed = [(xs(size), ys(time)) for size, time in sorted(points.items())]
        parts += curve(placed, kind)
        exponent = f" {growth_exponent(list(points), list(points.values())):.2f}" if len(points) > 1 else ""
        ends.append((placed[-1][1], f"{peer}{exponent}", kind))
    for y, said, kind in spread_labels(sorted(ends), 13.0, top + 4, bottom):
        parts.append(text(right + 6, y + 4, said, class_=f"tick ink-{kind}"))
    parts.append(text(right, height - 4, axis, class_="tick", text_anchor="end"))
    return figure(width, height, parts, f"time of a step by {axis}")


def spread_labels(
    ends: Sequence[tuple[float, str, str]], gap: float, top: float, bottom: float
) -> list[tuple[float, str, str]]:
    """Returns positions of labels that do not overlap and stay within the figure."""
    placed: list[float] = []
    for y, *_ in ends:
        placed.append(max(y, placed[-1] + gap if placed else top))
    limit = bottom
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return [(y, said, kind) for y, (_, said, kind) in zip(placed, ends, strict=True)]


def median_of(records: Mapping[str, Record], peer: str, fact: str) -> float | None:
    """Returns the median over workloads of a fact that a peer's process reported."""
    found = [
        record.results[peer].facts[fact]
        for record in records.values()
        if peer in record.results and fact in record.results[peer].facts
    ]
    return statistics.median(found) if found else None
