"""Draws a recording of `tf.function` for docs/compiled_functions.md, `docs/images/recording.svg`: `python -m tools.recording_picture`.

A row is a kernel of the step, in the order of the program. On the right is the memory for intermediate values: the address grows to the
right, time grows downwards, and a box is a value from the kernel that writes it to the last that reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.dashboard.plot import line, tag, text
from fastgrad._src.compiler.programs.buffers import InArena
from fastgrad._src.compiler.programs.profiling import profile

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compiled_functions.md"
PICTURE = ROOT / "docs" / "images" / "recording.svg"
WIDTH, ROW, TOP = 900.0, 26.0, 66.0
MEMORY_LEFT, MEMORY_RIGHT = 590.0, WIDTH - 16.0

STYLE = """
svg { --paper: #ffffff; --ink: #1c1d1f; --soft: #5f6368; --rule: #e4e4e4; --box: #9ed3cd; --edge: #0f766e; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14171a; --ink: #eceae6; --soft: #a3a7ad; --rule: #2c3035; --box: #1f5f58; --edge: #3fc6b8; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
.tick { fill: var(--soft); font-size: 11px; }
.title { font-size: 15px; font-weight: 600; }
.paper { fill: var(--paper); }
.grid { stroke: var(--rule); }
.box { fill: var(--box); stroke: var(--edge); fill-opacity: 0.85; }
"""


@dataclass
class Lifetime:
    """A range of the program's own memory that holds a value.

    Attributes:
        start, end: its first byte, and the byte after its last.
        first, last: the rows of the kernel that writes it, and of the last that reads it.
        shape: of the value.
    """

    start: int
    end: int
    first: int
    last: int
    shape: tuple[int, ...]


def recorded_step() -> Any:
    """Runs the program of the page that defines `step`, and returns this function."""
    programs = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (program,) = [program for program in programs if "step.report()" in program]
    namespace: dict[str, Any] = {}
    exec(compile(program, str(PAGE), "exec"), namespace)  # noqa: S102 -- the page of this repository
    return namespace["step"]


def kernel_rows(step: Any) -> tuple[list[Any], list[Lifetime], int]:
    """Returns the rows of a step's report, the lifetimes of the values in its own memory, and the bytes of that memory."""
    program = step.trace_tree.compiled[0].program
    rows: list[Any] = []
    lifetimes: list[Lifetime] = []
    report = iter([row for row in profile(program, "").rows if row.operations])
    for action in program.plan.actions:
        if action.launches is None or not action.node.inputs + action.node.outputs:
            continue
        row = next(report, None)
        if row is None:
            break
        rows.append(row)
        _note_uses(action, len(rows) - 1, lifetimes)
    return rows, lifetimes, program.arena_bytes


def _note_uses(action: Any, number: int, lifetimes: list[Lifetime]) -> None:
    for place in action.inputs:
        if isinstance(place, InArena):
            holders = [one for one in lifetimes if one.start <= place.offset < one.end]
            if holders:
                holders[-1].last = number
    for value, place in zip(action.node.outputs, action.outputs, strict=False):
        if isinstance(place, InArena):
            size = value.dtype.itemsize
            for length in value.shape:
                size *= length
            lifetimes.append(Lifetime(place.offset, place.offset + size, number, number, value.shape))


def picture(step: Any) -> str:
    """Returns the picture of a step that has been called at least twice, as SVG."""
    rows, lifetimes, size = kernel_rows(step)
    bottom = TOP + ROW * len(rows)
    scale = (MEMORY_RIGHT - MEMORY_LEFT) / size
    parts = [
        tag("rect", x=0, y=0, width=WIDTH, height=bottom + 40, rx=8, class_="paper"),
        text(16, 26, f"One step: {len(rows)} kernels, {size / 1024:.1f} KiB of memory", class_="title"),
        text(16, 54, "kernel", class_="tick"),
        text(485, 54, "operations of arithmetic", class_="tick", text_anchor="end"),
        text(560, 54, "bytes", class_="tick", text_anchor="end"),
        text(MEMORY_LEFT, 54, "memory: address →, time ↓", class_="tick"),
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        parts.append(line(16, y, MEMORY_RIGHT, y, "grid"))
        parts.append(text(16, y + 17, row.operations))
        parts.append(text(485, y + 17, f"{row.flops:,}", text_anchor="end"))
        parts.append(text(560, y + 17, f"{row.bytes:,}", text_anchor="end"))
    for one in lifetimes:
        x, y = MEMORY_LEFT + one.start * scale, TOP + ROW * one.first
        width, height = max((one.end - one.start) * scale, 2.0), ROW * (one.last - one.first + 1)
        parts.append(
            tag("rect", tag("title", f"{list(one.shape)}"), x=x, y=y + 1, width=width, height=height - 2, class_="box")
        )
        if width > 60:
            parts.append(text(x + width / 2, y + height / 2 + 4, f"{list(one.shape)}", text_anchor="middle"))
    parts.append(line(16, bottom, MEMORY_RIGHT, bottom, "grid"))
    note = "A box is a value, from the kernel that writes it to the last that reads it. Later values reuse the memory."
    parts.append(text(16, bottom + 24, note, class_="tick"))
    content = "\n".join([tag("style", STYLE), *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {bottom + 40:g}" width="{WIDTH:g}" '
        f'height="{bottom + 40:g}" role="img" aria-label="kernels and memory of a recorded step">\n{content}\n</svg>\n'
    )


def main() -> None:
    """Writes the picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(recorded_step()), encoding="utf-8")


if __name__ == "__main__":
    main()
