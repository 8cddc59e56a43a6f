"""The page of Keras's backends, `docs/results/keras_backends.md`, and its picture."""

import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.dashboard.plot import LogScale, line, log_range, number, picture_file, tag, text, tick_text
from benchmarks.dashboard.speed_picture import STYLE
from benchmarks.keras_backends import worker_models
from benchmarks.peers.record import RESULTS as ALL_RESULTS

RESULTS = ALL_RESULTS / "keras_backends"
PAGE = ROOT / "docs" / "results" / "keras_backends.md"
PICTURE = ROOT / "docs" / "images" / "keras_backends.svg"

TITLES = {
    "fastgrad": "Keras on fastgrad",
    "fastgrad.keras": "`fastgrad.keras`",
    "jax": "Keras on JAX",
    "tensorflow": "Keras on TensorFlow",
    "torch": "Keras on PyTorch",
}
PEERS = ("jax", "tensorflow", "torch")
MEASURES = {"fit": "`fit`", "train_on_batch": "`train_on_batch`", "predict": "`predict`"}
LARGE = ("MobileNetV2 96x96",)
"""Models with more than a million parameters."""

HEAD = """# Keras's backends

Keras 3.15 on fastgrad, beside Keras on its other backends and `fastgrad.keras`. `python -m benchmarks.keras_backends --python fastgrad=PYTHON --python jax=PYTHON …` measures this and writes the page;
the models are in `benchmarks/keras_backends/worker.py`, all times in `benchmarks/results/keras_backends/`.

Each backend has a process of its own with {threads} threads, which take turns. Batches have 32 rows, the optimizer is Adam, and all start from equal weights. Losses of the first epoch are compared before anything is timed: they agree
within a thousandth, and those of MobileNetV2 within half a percent. Times are medians of {rounds} rounds, in each of which a backend runs four epochs; the first of them warms up.

Measured on {date}: {cpu}, {processors} processors, no GPU; {versions}.

![Time of a step of `fit`, in units of Keras on fastgrad](../images/keras_backends.svg)
"""


def file_of(name: str) -> Path:
    """Returns the path of the results of a model."""
    return RESULTS / f"{name.replace(' ', '_')}.json"


def stored() -> dict[str, dict[str, Any]]:
    """Returns the stored results by model, in the order of the worker's table."""
    files = {name: file_of(name) for name in worker_models()}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}


def ratio(backends: Mapping[str, Any], backend: str, what: str) -> float:
    """Returns the median of a backend's times over those of Keras on fastgrad in the same round."""
    pairs = zip(backends[backend][what], backends["fastgrad"][what], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def mean(values: list[float]) -> float:
    """Returns the geometric mean."""
    return math.exp(statistics.fmean(map(math.log, values)))


def sentence(results_by_model: Mapping[str, Any]) -> str:
    """Returns what the tables say of `fit`: the ratios of the fastest other backend, and who is behind."""
    fits = {name: min(ratio(each["backends"], peer, "fit") for peer in PEERS if peer in each["backends"])
            for name, each in results_by_model.items()}  # fmt: skip
    small = [value for name, value in fits.items() if name not in LARGE]
    behind = [
        f"{MEASURES[what]} of {name} ({number(ratio(each['backends'], peer, what))} on {TITLES[peer].removeprefix('Keras on ')})"
        for name, each in results_by_model.items() for what in MEASURES for peer in PEERS
        if peer in each["backends"] and ratio(each["backends"], peer, what) < 1.0
    ]  # fmt: skip
    told = (
        f"`fit` on fastgrad is {number(mean(small))} times as fast as on the fastest other backend, in the geometric mean of the "
        f"{len(small)} models with less than a million parameters; at least {number(min(fits.values()))} times in all {len(fits)}."
    )
    return told + (
        f" fastgrad is behind in {', '.join(behind)}." if behind else " No other backend is faster in any row."
    )


def table(results_by_model: Mapping[str, Any], what: str) -> list[str]:
    """Returns the lines of a table of microseconds a batch, with ratios to Keras on fastgrad."""
    lines = ["| model | " + " | ".join(TITLES.values()) + " |", "| --- |" + " ---: |" * len(TITLES)]
    for name, each in results_by_model.items():
        cells = []
        for backend in TITLES:
            times = each["backends"].get(backend)
            if times is None:
                cells.append("")
            elif backend == "fastgrad":
                cells.append(number(statistics.median(times[what])))
            else:
                cells.append(
                    f"{number(statistics.median(times[what]))} ({number(ratio(each['backends'], backend, what))})"
                )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def table_of_epochs(results_by_model: Mapping[str, Any]) -> list[str]:
    """Returns the lines of the table of first epochs, in seconds."""
    titles = [*TITLES.values(), "Keras on fastgrad, no kernels on disk"]
    lines = ["| model | " + " | ".join(titles) + " |", "| --- |" + " ---: |" * len(titles)]
    for name, each in results_by_model.items():
        times = [each["backends"].get(backend, {}).get("first epoch") for backend in TITLES]
        times.append(each["backends"]["fastgrad"]["first epoch, no kernels on disk"])
        lines.append(f"| {name} | " + " | ".join("" if time is None else number(time) for time in times) + " |")
    return lines


def versions(results_by_model: Mapping[str, Any]) -> str:
    """Returns the versions of the libraries."""
    names: dict[str, str] = {}
    for each in results_by_model.values():
        for times in each["backends"].values():
            names.update(times["versions"])
    return ", ".join(f"{name} {version}" for name, version in names.items())


def page(results_by_model: Mapping[str, Any]) -> str:
    """Returns the page as Markdown."""
    last = list(results_by_model.values())[-1]
    rounds = sorted({len(each["backends"]["fastgrad"]["fit"]) for each in results_by_model.values()})
    facts = {
        "threads": last["threads"], "rounds": " to ".join(map(str, rounds)), "date": last["date"][:10],
        "cpu": last["machine"]["cpu"], "processors": last["machine"]["processors"], "versions": versions(results_by_model),
    }  # fmt: skip
    lines = [HEAD.format(**facts), sentence(results_by_model), ""]
    lines += ["In brackets: the median of the ratios of a round, above 1 where Keras on fastgrad is faster.", ""]
    for what, title in MEASURES.items():
        lines += [f"## {title}, µs a batch", "", *table(results_by_model, what), ""]
    lines += ["## The first epoch of a process, seconds", "", *table_of_epochs(results_by_model)]
    return "\n".join(lines) + "\n"


def picture(results_by_model: Mapping[str, Any]) -> str:
    """Returns the picture as SVG: `fit` on each backend in units of Keras on fastgrad."""
    width, row = 820.0, 24.0
    left, right, top = 170.0, width - 24.0, 78.0
    bottom = top + row * len(results_by_model)
    classes = {"jax": "jax", "tensorflow": "tensorflow", "torch": "pytorch", "fastgrad.keras": "ring"}
    ratios = {
        name: {backend: ratio(each["backends"], backend, "fit") for backend in classes if backend in each["backends"]}
        for name, each in results_by_model.items()
    }
    every = [value for values in ratios.values() for value in values.values()]
    scale = LogScale(*log_range(every, room=1.15, holding=(0.8,)), left, right)
    parts = [text(16, 26, "Time of a step of fit, in units of Keras on fastgrad", class_="title")]
    parts += [line(21, 39, 21, 53, "axis"), text(30, 50, "Keras on fastgrad: 1×")]
    for x, backend in zip((190, 320, 440, 600), ("fastgrad.keras", "jax", "tensorflow", "torch"), strict=True):
        parts.append(tag("circle", cx=float(x), cy=46.0, r=5, class_=classes[backend]))
        parts.append(text(x + 11, 50, TITLES[backend].strip("`")))
    for tick in scale.ticks(9):
        parts.append(line(scale(tick), top, scale(tick), bottom, "axis" if tick == 1 else "grid"))
        parts.append(text(scale(tick), bottom + 15, f"{tick_text(tick)}×", class_="tick", text_anchor="middle"))
    for position, (name, values) in enumerate(ratios.items()):
        y = top + row * (position + 0.5)
        parts.append(text(left - 10, y + 4, name, text_anchor="end"))
        for backend, value in values.items():
            title = tag("title", f"{name}: {TITLES[backend].strip('`')} {number(value)}")
            parts.append(tag("circle", title, cx=scale(value), cy=y, r=5, class_=classes[backend]))
    last = list(results_by_model.values())[-1]
    told = f"{last['date'][:10]}, {last['machine']['cpu']}, {last['machine']['processors']} processors, no GPU; {versions(results_by_model)}."
    parts.append(text(16, bottom + 42, told, class_="tick"))
    return picture_file(width, bottom + 60, STYLE, parts, "Time of a step of fit with each backend of Keras")
