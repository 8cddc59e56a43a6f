"""Draws the learning curve, the fit and the posterior of the pages in docs/, `docs/images/*.svg`: `python -m tools.pictures [NAME ...]`.

Each picture belongs to a program: `digits` to examples/digits.py, `fit` and `posterior` to docs/gradients_of_numba_functions.md. Its numbers
stand in its `desc` element as JSON. `posterior` needs `pip install ".[pymc]"`, `digits` needs `pip install ".[examples]"`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dashboard.plot import line, path, tag, text

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "gradients_of_numba_functions.md"
WIDTH, HEIGHT = 720.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, WIDTH - 56.0, 48.0, HEIGHT - 40.0

STYLE = """
svg { --paper: #ffffff; --ink: #1c1d1f; --soft: #5f6368; --rule: #e4e4e4; --one: #0f766e; --two: #c2541d; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14171a; --ink: #eceae6; --soft: #a3a7ad; --rule: #2c3035; --one: #3fc6b8; --two: #f0a15e; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
.tick { fill: var(--soft); font-size: 11px; }
.title { font-size: 15px; font-weight: 600; }
.paper { fill: var(--paper); }
.grid { stroke: var(--rule); }
.line-one { fill: none; stroke: var(--one); stroke-width: 2; }
.line-two { fill: none; stroke: var(--two); stroke-width: 2; }
.one { fill: var(--one); }
.two { fill: var(--two); }
"""

Numbers = dict[str, Any]
Scale = Callable[[float], float]


def page_program(word: str) -> dict[str, Any]:
    """Runs the program of the page that has `word`, and returns its global names."""
    programs = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (program,) = [program for program in programs if word in program]
    namespace: dict[str, Any] = {}
    exec(compile(program, str(PAGE), "exec"), namespace)  # noqa: S102 -- the page of this repository
    return namespace


def digits_numbers() -> Numbers:
    """Returns the training loss and the test accuracy of each epoch of examples/digits.py."""
    from examples import digits

    _, losses, accuracies = digits.train(*digits.load_data(), show_progress=False)
    return {"loss": _rounded(losses, 5), "accuracy": _rounded(accuracies, 4)}


def fit_numbers() -> Numbers:
    """Returns the counts, the fitted populations, and the rates with their error bars, of the program of the page."""
    names = page_program("least_squares")
    fitted = names["populations"](names["fit"].x, len(names["counts"]))
    return {
        "hares": _rounded(names["counts"][:, 0], 4),
        "lynxes": _rounded(names["counts"][:, 1], 4),
        "fitted hares": _rounded(fitted[:, 0], 4),
        "fitted lynxes": _rounded(fitted[:, 1], 4),
        "true rates": _rounded(names["truth"], 4),
        "rates": _rounded(names["fit"].x, 4),
        "errors": _rounded(names["errors"], 4),
    }


def posterior_numbers() -> Numbers:
    """Returns mean, standard deviation and a histogram of the draws of `rate`, of the program of the page."""
    draws = np.asarray(page_program("nutpie.sample")["draws"].posterior["rate"]).ravel()
    edges = np.linspace(0.284, 0.314, 31)
    counts, _ = np.histogram(draws, edges)
    return {
        "mean": round(float(draws.mean()), 4),
        "deviation": round(float(draws.std()), 4),
        "edges": _rounded(edges, 4),
        "counts": counts.tolist(),
    }


def _rounded(values: Any, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _scale(low: float, high: float, begin: float, end: float) -> Scale:
    return lambda value: begin + (value - low) / (high - low) * (end - begin)


def _axes(
    x: Scale, x_ticks: Sequence[float], y: Scale, y_ticks: Sequence[float], left: float, right: float
) -> list[str]:
    parts = []
    for tick in y_ticks:
        parts.append(line(left, y(tick), right, y(tick), "grid"))
        parts.append(text(left - 6, y(tick) + 4, f"{tick:g}", class_="tick", text_anchor="end"))
    parts += [text(x(tick), BOTTOM + 16, f"{tick:g}", class_="tick", text_anchor="middle") for tick in x_ticks]
    return parts


def _svg(title: str, numbers: Numbers, parts: Sequence[str]) -> str:
    content = "\n".join(
        [
            tag("desc", json.dumps(numbers).replace("&", "&amp;").replace("<", "&lt;")),
            tag("style", STYLE),
            tag("rect", x=0, y=0, width=WIDTH, height=HEIGHT, rx=8, class_="paper"),
            text(16, 26, title, class_="title"),
            *parts,
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}" '
        f'height="{HEIGHT:g}" role="img" aria-label="{title}">\n{content}\n</svg>\n'
    )


def draw_digits(numbers: Numbers) -> str:
    """Returns the learning curve: the loss on a logarithmic axis at the left, the accuracy at the right."""
    losses, accuracies = numbers["loss"], numbers["accuracy"]
    x = _scale(1, len(losses), LEFT, RIGHT)
    y = _scale(-3, 0.5, BOTTOM, TOP)
    percent = _scale(80, 100, BOTTOM, TOP)
    parts = [line(LEFT, y(tick), RIGHT, y(tick), "grid") for tick in (-3, -2, -1, 0)]
    for tick, label in ((-3, "0.001"), (-2, "0.01"), (-1, "0.1"), (0, "1")):
        parts.append(text(LEFT - 6, y(tick) + 4, label, class_="tick", text_anchor="end"))
    parts += [text(RIGHT + 6, percent(tick) + 4, f"{tick} %", class_="tick") for tick in (80, 90, 100)]
    ticks = (1, *range(10, len(losses) + 1, 10))
    parts += [text(x(tick), BOTTOM + 16, str(tick), class_="tick", text_anchor="middle") for tick in ticks]
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 32, "epoch", class_="tick", text_anchor="middle"))
    epochs = range(1, len(losses) + 1)
    parts.append(path([(x(k), y(float(np.log10(loss)))) for k, loss in zip(epochs, losses, strict=True)], "line-one"))
    parts.append(path([(x(k), percent(100 * part)) for k, part in zip(epochs, accuracies, strict=True)], "line-two"))
    parts.append(text(380, 26, "training loss", class_="one"))
    parts.append(text(480, 26, f"test accuracy, at last {100 * accuracies[-1]:.1f} %", class_="two"))
    return _svg("Handwritten digits: learning curve", numbers, parts)


def draw_fit(numbers: Numbers) -> str:
    """Returns the counts with the fitted populations at the left, the rates with their error bars at the right."""
    middle = 430.0
    x = _scale(0, len(numbers["hares"]) - 1, LEFT, middle)
    y = _scale(0, 1.1 * max(*numbers["hares"], *numbers["lynxes"]), BOTTOM, TOP)
    parts = _axes(x, range(0, len(numbers["hares"]), 5), y, range(0, 8, 2), LEFT, middle)
    for name, class_ in (("hares", "one"), ("lynxes", "two")):
        fitted = numbers[f"fitted {name}"]
        parts.append(path([(x(year), y(value)) for year, value in enumerate(fitted)], f"line-{class_}"))
        parts += [
            tag("circle", cx=x(year), cy=y(value), r=3.0, class_=class_) for year, value in enumerate(numbers[name])
        ]
    parts += [text(250, 44, "hares", class_="one"), text(300, 44, "lynxes", class_="two")]
    parts.append(text((LEFT + middle) / 2, BOTTOM + 32, "year", class_="tick", text_anchor="middle"))
    left, right = middle + 70, WIDTH - 24
    rates = _scale(0.0, 1.0, BOTTOM, TOP)
    places = _scale(-0.5, 3.5, left, right)
    parts += _axes(places, range(4), rates, (0.0, 0.25, 0.5, 0.75, 1.0), left, right)
    for number, (true, rate, error) in enumerate(
        zip(numbers["true rates"], numbers["rates"], numbers["errors"], strict=True)
    ):
        at = places(number)
        parts.append(
            tag(
                "rect", x=at - 2, y=rates(rate + 2 * error), width=4.0, height=rates(0) - rates(4 * error), class_="one"
            )
        )
        parts.append(tag("circle", cx=at, cy=rates(rate), r=3.5, class_="one"))
        parts.append(line(at - 14, rates(true), at + 14, rates(true), "line-two"))
    parts += [text(left, 44, "rate ± 2 deviations", class_="one"), text(left + 126, 44, "true rate", class_="two")]
    parts.append(text((left + right) / 2, BOTTOM + 32, "number of the rate", class_="tick", text_anchor="middle"))
    return _svg("Hares and lynxes: fit and error bars", numbers, parts)


def draw_posterior(numbers: Numbers) -> str:
    """Returns the histogram of the draws, and the normal curve of their mean and standard deviation."""
    edges, counts = numbers["edges"], numbers["counts"]
    width = edges[1] - edges[0]
    mean, deviation = numbers["mean"], numbers["deviation"]
    points = np.linspace(edges[0], edges[-1], 121)
    total = sum(counts) * width / (deviation * np.sqrt(2 * np.pi))
    curve = total * np.exp(-0.5 * ((points - mean) / deviation) ** 2)
    x = _scale(edges[0], edges[-1], LEFT, RIGHT)
    y = _scale(0, 1.1 * max(*counts, float(curve.max())), BOTTOM, TOP)
    parts = _axes(x, (0.285, 0.29, 0.295, 0.3, 0.305, 0.31), y, range(0, max(counts) + 1, 50), LEFT, RIGHT)
    for edge, count in zip(edges[:-1], counts, strict=True):
        if count:
            parts.append(
                tag(
                    "rect",
                    x=x(edge) + 1,
                    y=y(count),
                    width=x(edge + width) - x(edge) - 2,
                    height=BOTTOM - y(count),
                    class_="one",
                )
            )
    parts.append(path([(x(point), y(value)) for point, value in zip(points, curve, strict=True)], "line-two"))
    parts.append(text(330, 26, f"{sum(counts)} draws", class_="one"))
    parts.append(text(430, 26, f"normal curve: {mean:.3f} ± {deviation:.3f}", class_="two"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 32, "rate", class_="tick", text_anchor="middle"))
    return _svg("Posterior of the growth rate", numbers, parts)


PICTURES: dict[str, tuple[Callable[[], Numbers], Callable[[Numbers], str]]] = {
    "digits": (digits_numbers, draw_digits),
    "fit": (fit_numbers, draw_fit),
    "posterior": (posterior_numbers, draw_posterior),
}
"""The functions that compute the numbers of each picture and draw them."""


def stored_numbers(name: str) -> Numbers:
    """Returns the numbers in a committed picture."""
    drawing = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    content = re.search(r"<desc>(.*?)</desc>", drawing)
    if content is None:
        raise ValueError(f"{name}.svg has no desc element: python -m tools.pictures {name}")
    numbers: Numbers = json.loads(content[1].replace("&lt;", "<").replace("&amp;", "&"))
    return numbers


def main(names: Sequence[str]) -> None:
    """Writes the pictures with these names, or all."""
    for name in names or PICTURES:
        compute, draw = PICTURES[name]
        (IMAGES / f"{name}.svg").write_text(draw(compute()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
