"""SVG by hand: text, lines, marks, and axes with ticks where people expect them.

Colours are classes that `style.css` gives a value for light and for dark; sizes are those of the `viewBox`.
"""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TEXT_HEIGHT = 12


def tag(name: str, content: str = "", **attributes: object) -> str:
    """Returns an SVG element; `class_` is `class`, `text_anchor` is `text-anchor`; numbers are rounded to a tenth."""
    words = [f"<{name}"]
    for key, value in attributes.items():
        shown = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else html.escape(str(value))
        words.append(f' {key.rstrip("_").replace("_", "-")}="{shown}"')
    return "".join(words) + (f">{content}</{name}>" if content else "/>")


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """Returns an SVG text whose baseline begins at x, y."""
    return tag("text", html.escape(content), x=float(x), y=float(y), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Returns an SVG line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> str:
    """Returns an SVG path through points."""
    return tag("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)


def figure(width: float, height: float, content: Iterable[str], label: str, class_: str = "") -> str:
    """Returns an SVG drawing that scales to its container; `label` is its description."""
    return tag(
        "svg",
        "".join(content),
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        class_=class_ or "figure",
    )


def picture_file(width: float, height: float, style: str, content: Iterable[str], label: str) -> str:
    """Returns the text of an SVG file, with its own style on a ground of class `paper`; `label` is its description."""
    ground = tag("rect", x=0, y=0, width=width, height=height, rx=8, class_="paper")
    inner = "\n".join([tag("style", style), ground, *content])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{html.escape(label)}">\n{inner}\n</svg>\n'
    )


@dataclass(frozen=True)
class LogScale:
    """A logarithmic axis: maps positive values to positions."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int) -> list[float]:
        """Returns ticks: powers of ten in the range, with 2 and 5 between them or with gaps, at most `most`."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)

        def within(values: Iterable[float]) -> list[float]:
            return [value for value in values if self.low <= value * 1.0001 and value <= self.high * 1.0001]

        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = within(factor * 10.0**decade for decade in decades for factor in factors)
            if len(found) <= most:
                return found
        step = 2
        while len(found := within(10.0**decade for decade in decades if decade % step == 0)) > most:
            step += 1
        return found


@dataclass(frozen=True)
class LinearScale:
    """A linear axis from zero: maps values to positions."""

    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is."""
        return self.begin + value / self.high * (self.end - self.begin)


def log_range(values: Sequence[float], *, room: float = 1.25, holding: Sequence[float] = ()) -> tuple[float, float]:
    """Returns the range of a logarithmic axis that includes `values` and `holding`, with a margin."""
    every = [*values, *holding]
    return min(every) / room, max(every) * room


def number(value: float) -> str:
    """Returns a number as text with at most three significant digits: 0.12, 5.05, 31.8, 672, 5,302."""
    if value == 0.0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(float(f'{value:.3g}'))))}f}"


def tick_text(value: float) -> str:
    """Returns the text of a tick."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:g}"


def duration(microseconds: float) -> str:
    """Returns a time as text, in µs, ms or s."""
    for unit, size in (("µs", 1.0), ("ms", 1e3)):
        if microseconds < 999.5 * size:
            return f"{number(microseconds / size)} {unit}"
    return f"{number(microseconds / 1e6)} s"


def axis_of_times(ys: LogScale, left: float, right: float, with_labels: bool = True) -> list[str]:
    """Returns the horizontal lines of an axis of times, in microseconds, and their labels at the left."""
    parts = []
    for tick in ys.ticks(6):
        parts.append(line(left, ys(tick), right, ys(tick), "grid"))
        if with_labels:
            parts.append(text(left - 6, ys(tick) + 4, duration(tick), class_="tick", text_anchor="end"))
    return parts


def curve(points: Sequence[tuple[float, float]], class_: str) -> list[str]:
    """Returns a curve through points, of the classes `curve` and `class_`, and its dots, of `dot` and `class_`."""
    dots = [tag("circle", cx=x, cy=y, r=2.5, class_=f"dot {class_}") for x, y in points]
    return [path(points, f"curve {class_}"), *dots]
