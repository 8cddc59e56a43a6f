"""The picture of the README, `docs/images/speed.svg`, from the committed side-by-side results.

`python -m benchmarks.dashboard.performance` writes it. The file has its own colours for light and for dark, because a page on
a Git host shows it by `<img>`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.apart import ROOT
from benchmarks.dashboard.findings import EAGER, FUNCTION, fastest, ratio
from benchmarks.dashboard.plot import LogScale, line, log_range, number, picture_file, tag, text, tick_text
from benchmarks.dashboard.stored import Stored
from benchmarks.peers.record import Record

PICTURE = ROOT / "docs" / "images" / "speed.svg"
WIDTH = 820.0
ROW = 20.0
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "JAX": ("jax", "keras.jax"),
    "PyTorch": ("torch", "torch.compile", "keras.torch"),
    "TensorFlow": ("tensorflow", "tf.function", "xla"),
}
"""The peers, each with its modes; the picture shows the fastest mode."""

STYLE = """
svg { --paper: #ffffff; --ink: #1c1d1f; --soft: #5f6368; --rule: #e4e4e4; --axis: #0f766e; --ours: #0f766e;
  --jax: #6a4fb0; --torch: #c2541d; --tensorflow: #2f6fb5; --lost: #fbe3da; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14171a; --ink: #eceae6; --soft: #a3a7ad; --rule: #2c3035; --axis: #3fc6b8; --ours: #3fc6b8;
    --jax: #b79bf0; --torch: #f0a15e; --tensorflow: #84b4f0; --lost: #43281f; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
.tick { fill: var(--soft); font-size: 11px; }
.title { font-size: 15px; font-weight: 600; }
.paper { fill: var(--paper); }
.lost { fill: var(--lost); }
.grid { stroke: var(--rule); }
.axis { stroke: var(--axis); stroke-width: 2; }
.jax { fill: var(--jax); }
.pytorch { fill: var(--torch); }
.tensorflow { fill: var(--tensorflow); }
.ring { fill: none; stroke: var(--ours); stroke-width: 2; }
"""


@dataclass(frozen=True)
class Row:
    """A line of the picture: times of a step over that of fastgrad's compiled step.

    Attributes:
        workload: the name of the step.
        peers: the fastest mode of each library, by the library's name.
        eager: fastgrad without `tf.function`.
    """

    workload: str
    peers: Mapping[str, float]
    eager: float

    @property
    def eager_is_slower(self) -> bool:
        """True if a peer is faster than fastgrad without `tf.function`."""
        return min(self.peers.values()) < self.eager

    @property
    def compiled_is_slower(self) -> bool:
        """True if a peer is faster than fastgrad with `tf.function`."""
        return min(self.peers.values()) < 1.0


def rows(records: Mapping[str, Record]) -> list[Row]:
    """Returns a row for each workload, those with the fastest peer farthest behind first; leaves out what no peer ran."""
    result = []
    for name, record in records.items():
        peers = {}
        for library, modes in LIBRARIES.items():
            mode = fastest(record.results, modes)
            if mode and (over := ratio(record.results, FUNCTION, mode)):
                peers[library] = over.median
        eager = ratio(record.results, FUNCTION, EAGER)
        if peers and eager:
            result.append(Row(name, peers, eager.median))
    return sorted(result, key=lambda row: -min(row.peers.values()))


def caption(found: Stored, shown: Sequence[Row]) -> list[str]:
    """Returns the lines under the picture: what is drawn, who is faster how often, the machine and the date."""
    facts = found.facts
    machine, versions = facts["machine"], _versions(found)
    compiled = sum(row.compiled_is_slower for row in shown)
    eager = sum(row.eager_is_slower for row in shown)
    faster = f"A peer is faster than fastgrad with tf.function in {compiled} of {len(shown)} steps"
    return [
        f"{faster}, and faster than fastgrad without it in {eager} (shaded).",
        "Each library in its fastest mode: eager, compiled (torch.compile, jit, tf.function, XLA), or by Keras.",
        f"{facts['date'][:10]}, {machine['cpu']}, {machine['processors']} processors, no GPU; {versions}.",
    ]


def _versions(found: Stored) -> str:
    versions = {}
    for library, modes in LIBRARIES.items():
        for record in found.records.values():
            result = record.results.get(modes[0])
            if result and (version := result.facts.get("version")):
                versions[library] = version
    return ", ".join(f"{library} {version}" for library, version in versions.items())


def picture(found: Stored) -> str:
    """Returns the picture as SVG.

    Args:
        found: the committed results.

    Raises:
        ValueError: no workload has both fastgrad's modes and a peer.
    """
    shown = rows(found.records)
    if not shown:
        raise ValueError(
            "the results have no workload with fastgrad, fastgrad.function and a peer; make peers measures"
        )
    left, right, top = 142.0, WIDTH - 24.0, 78.0
    bottom = top + ROW * len(shown)
    times = [value for row in shown for value in (*row.peers.values(), row.eager)]
    scale = LogScale(*log_range(times, room=1.15, holding=(0.8,)), left, right)
    parts = [
        text(16, 26, "Time of a training step, in units of fastgrad's compiled step", class_="title"),
        *_legend(16, 50),
    ]
    for row_number, row in enumerate(shown):
        if row.eager_is_slower:
            y = top + ROW * row_number
            parts.append(tag("rect", x=8, y=y, width=WIDTH - 16, height=ROW, class_="lost"))
    for tick in scale.ticks(9):
        parts.append(line(scale(tick), top, scale(tick), bottom, "axis" if tick == 1 else "grid"))
        parts.append(text(scale(tick), bottom + 15, f"{tick_text(tick)}×", class_="tick", text_anchor="middle"))
    for row_number, row in enumerate(shown):
        parts += _marks(row, top + ROW * (row_number + 0.5), left, scale)
    for line_number, words in enumerate(caption(found, shown)):
        parts.append(text(16, bottom + 42 + 18 * line_number, words, class_="tick"))
    return picture_file(WIDTH, bottom + 96, STYLE, parts, caption(found, shown)[0])


def _legend(x: float, y: float) -> list[str]:
    parts = [line(x + 5, y - 11, x + 5, y + 3, "axis"), text(x + 14, y, "fastgrad, compiled: 1×")]
    parts += [tag("circle", cx=x + 175, cy=y - 4, r=4.5, class_="ring"), text(x + 186, y, "fastgrad, eager")]
    for place, library in zip((310, 385, 480), LIBRARIES, strict=True):
        parts.append(tag("circle", cx=x + place, cy=y - 4, r=5, class_=library.lower()))
        parts.append(text(x + place + 11, y, library))
    parts.append(text(WIDTH - 24, y, "slower →", class_="tick", text_anchor="end"))
    return parts


def _marks(row: Row, y: float, left: float, scale: LogScale) -> list[str]:
    parts = [text(left - 10, y + 4, row.workload, text_anchor="end")]
    for library, value in sorted(row.peers.items(), key=lambda item: -item[1]):
        title = f"{row.workload}: {library} {number(value)}"
        parts.append(tag("circle", tag("title", title), cx=scale(value), cy=y, r=5, class_=library.lower()))
    title = f"{row.workload}: fastgrad, eager {number(row.eager)}"
    parts.append(tag("circle", tag("title", title), cx=scale(row.eager), cy=y, r=5, class_="ring"))
    return parts
