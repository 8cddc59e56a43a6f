"""The picture `docs/images/allowances.svg`: step time over width, for each allowance of processors, beside PyTorch and JAX.

`python -m benchmarks.dashboard.performance` writes it from what `benchmarks.peers.allowances` has measured.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.dashboard.plot import LogScale, axis_of_times, curve, log_range, picture_file, tag, text, tick_text
from benchmarks.dashboard.speed_picture import STYLE

PICTURE = ROOT / "docs" / "images" / "allowances.svg"
PANEL, HEIGHT, LEFT, TOP = 200.0, 230.0, 52.0, 62.0
NAMES = {"fastgrad.function": ("fastgrad, compiled", "ours"), "torch": ("PyTorch", "pytorch"), "jax": ("JAX", "jax")}
"""By peer: its name in the picture, and the class of its line."""

LINES = """
.ours { fill: var(--ours); }
.curve { fill: none; stroke-width: 2; }
.curve.ours { stroke: var(--ours); stroke-width: 2.5; }
.curve.jax { stroke: var(--jax); }
.curve.pytorch { stroke: var(--torch); }
"""


def medians(points: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[int, float]]]:
    """Returns for each allowance and peer the median time of a step by width, in microseconds."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for point in points:
        for peer, by_allowance in point["microseconds"].items():
            for allowance, times in by_allowance.items():
                found.setdefault(allowance, {}).setdefault(peer, {})[point["width"]] = statistics.median(times)
    return found


def picture(measured: Mapping[str, Any]) -> str:
    """Returns the picture as SVG: a panel for each allowance, with a line for each library.

    Args:
        measured: the file that `benchmarks.peers.allowances` writes.
    """
    panels = medians(measured["points"])
    times = [time for peers in panels.values() for widths in peers.values() for time in widths.values()]
    widths = sorted({point["width"] for point in measured["points"]})
    ys = LogScale(*log_range(times), HEIGHT, TOP)
    width = LEFT + PANEL * len(panels) + 12
    about = f"Time of a training step of a perceptron, width-width-width-10, batch {measured['batch']}, over its width"
    parts = [text(16, 24, about, class_="title")]
    for place, (name, kind) in enumerate(NAMES.values()):
        x = 16 + 150.0 * place
        parts += [tag("circle", cx=x + 5, cy=40, r=5, class_=kind), text(x + 16, 44, name)]
    for number, (allowance, peers) in enumerate(panels.items()):
        left = LEFT + PANEL * number
        right = left + PANEL - 22
        xs = LogScale(*log_range(widths, room=1.1), left, right)
        parts += axis_of_times(ys, left, right, with_labels=not number)
        for one in widths:
            parts.append(text(xs(one), HEIGHT + 15, tick_text(one), class_="tick", text_anchor="middle"))
        for peer, by_width in peers.items():
            parts += curve([(xs(one), ys(time)) for one, time in sorted(by_width.items())], NAMES[peer][1])
        parts.append(text((left + right) / 2, HEIGHT + 34, allowance, text_anchor="middle"))
    machine = measured["machine"]
    facts = f"{measured['date'][:10]}, {machine['cpu']}, {machine['processors']} processors."
    parts.append(text(16, HEIGHT + 54, facts, class_="tick"))
    return picture_file(width, HEIGHT + 62, STYLE + LINES, parts, about)
