"""How small is small: the time of a training step over the width of a dense network, `docs/images/how_small.svg`.

The network has 32 inputs, two hidden layers of `tanh` and ten outputs; a step is the gradient of a squared error over a
batch of 32 and an update of SGD. All libraries compile it, PyTorch runs it eagerly, too. The chart is of
one thread: threads that wait for each other tell of other programs on the machine.
"""

import html
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.apart import ROOT, THREADS
from benchmarks.dashboard.plot import LogScale, duration, line, log_range, path, picture_file, tag, text
from benchmarks.machine import provenance
from benchmarks.peers.record import RESULTS, write_json
from benchmarks.reported.case import FASTGRAD, JAX, TORCH, TORCH_COMPILE, Case
from benchmarks.reported.measure import Processes, measure

NAME = "how_small"
PICTURE = ROOT / "docs" / "images" / "how_small.svg"
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
TITLES = {
    FASTGRAD: "fastgrad, tf.function",
    JAX: "JAX, jit",
    TORCH: "PyTorch, eager",
    TORCH_COMPILE: "PyTorch, torch.compile",
}

CASE = Case(
    name=NAME,
    title="a step of SGD",
    report="",
    link="",
    story="",
    arguments="""
import os

def arguments(size):
    random = np.random.RandomState(0)
    shapes = (32, size), (size,), (size, size), (size,), (size, 10), (10,)
    values = [(random.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32) for shape in shapes]
    return random.normal(size=(32, 32)).astype(np.float32), random.normal(size=(32, 10)).astype(np.float32), *values
""",
    size=64,
    tiny=3,
    texts={
        FASTGRAD: """
def make(x, y, *values):
    variables = [tf.Variable(value) for value in values]
    w1, b1, w2, b2, w3, b3 = variables

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            h = tf.tanh(tf.matmul(tf.tanh(tf.matmul(x, w1) + b1), w2) + b2)
            loss = tf.reduce_mean((tf.matmul(h, w3) + b3 - y) ** 2)
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_sub(0.01 * gradient)
        return loss

    x, y = tf.constant(x), tf.constant(y)
    return lambda: float(step(x, y)), [float(step(x, y)) for _ in range(4)]
""",
        JAX: """
def make(x, y, *values):
    def loss_of(values, x, y):
        w1, b1, w2, b2, w3, b3 = values
        return jnp.mean((jnp.tanh(jnp.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3 - y) ** 2)

    def update(values, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(values, x, y)
        return [value - jnp.float32(0.01) * gradient for value, gradient in zip(values, gradients)], loss

    compiled = jax.jit(update, donate_argnums=0)
    values = [jnp.asarray(value) for value in values]
    x, y = jnp.asarray(x), jnp.asarray(y)

    def step():
        nonlocal values
        values, loss = compiled(values, x, y)
        return float(loss)

    return step, [step() for _ in range(4)]
""",
        TORCH: """
def make(x, y, *values):
    values = [torch.from_numpy(value.copy()).requires_grad_() for value in values]
    optimizer = torch.optim.SGD(values, 0.01)

    def loss_of(x, y):
        w1, b1, w2, b2, w3, b3 = values
        h = torch.tanh(torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2))
        return ((torch.addmm(b3, h, w3) - y) ** 2).mean()

    if os.environ["CONTESTANT"] == "torch.compile":
        torch._dynamo.reset()
        loss_of = torch.compile(loss_of, dynamic=False)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, [step() for _ in range(4)]
""",
    },
    contestants=(FASTGRAD, JAX, TORCH, TORCH_COMPILE),
    tolerance=1e-4,
    derivative="",
)


def measure_and_store(pythons: Mapping[str, str], rounds: int) -> None:
    """Measures the steps of all widths, prints them, and stores the results."""
    facts = provenance(f"python -m benchmarks.reported {NAME}")
    with Processes(pythons, threads=1) as processes:
        one = _measure_widths(processes, rounds)
    with Processes(pythons, threads=THREADS) as processes:
        two = _measure_widths(processes, rounds)
    RESULTS.joinpath("reported").mkdir(parents=True, exist_ok=True)
    write_json(RESULTS / "reported" / f"{NAME}.json", {**facts, "widths": one, "widths_with_threads": two})


def _measure_widths(processes: Processes, rounds: int) -> dict[str, Any]:
    widths = {}
    for width in WIDTHS:
        widths[str(width)] = result = measure(replace(CASE, size=width), processes, rounds)
        told = [
            f"{contestant} {took.get('problem') or duration(_microseconds(took, 'wall'))}"
            for contestant, took in result["contestants"].items()
        ]
        print(f"{NAME} {width:<10} {', '.join(told)}", flush=True)
    return widths


def stored() -> dict[str, Any] | None:
    """Returns the stored results; None if nothing was measured."""
    file = RESULTS / "reported" / f"{NAME}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _microseconds(took: Mapping[str, Any], clock: str) -> float:
    return statistics.median(took[clock]) * 1e6


def curves(widths: Mapping[str, Any], clock: str) -> dict[str, list[tuple[int, float]]]:
    """Returns, by contestant, pairs of a width and the median microseconds of a step by `cpu` or `wall`."""
    result: dict[str, list[tuple[int, float]]] = {contestant: [] for contestant in CASE.contestants}
    for width, measured in widths.items():
        for contestant, took in measured["contestants"].items():
            if clock in took:
                result[contestant].append((int(width), _microseconds(took, clock)))
    return {contestant: points for contestant, points in result.items() if points}


def wins_from(widths: Mapping[str, Any], contestant: str, clock: str) -> int | None:
    """Returns the smallest width from which on a contestant is faster at every width; None if it is slower at the largest.

    The time at a width is compared by the median ratio of its rounds.
    """
    first = None
    for width, measured in widths.items():
        theirs, ours = (measured["contestants"].get(one, {}) for one in (contestant, FASTGRAD))
        if clock not in theirs or clock not in ours:
            continue
        faster = statistics.median(t / o for t, o in zip(theirs[clock], ours[clock], strict=True)) < 1.0
        first = (first or int(width)) if faster else None
    return first


def section(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Yields the part of the page about widths."""
    yield "## How small is small?\n\n"
    if found is None:
        yield f"Not measured: `python -m benchmarks.reported {NAME}`.\n"
        return
    yield "![CPU time of a training step over the width of a dense network](images/how_small.svg)\n\n"
    yield (
        "The step is that of a dense network: 32 inputs, two hidden layers of a width, ten outputs, a batch of 32, SGD, float32. "
        "The chart and the first table have CPU times of one thread.\n\n"
    )
    yield from _table(found["widths"], "cpu")
    if "widths_with_threads" in found:
        yield f"Wall times with {THREADS} threads, which wait for each other and so depend on what else the machine does:\n\n"
        yield from _table(found["widths_with_threads"], "wall")
    shares = [
        one["others_share"]
        for widths in (found["widths"], found.get("widths_with_threads", {}))
        for one in widths.values()
        if one["others_share"] is not None
    ]
    if shares:
        yield f"Other programs took {min(shares):.0%} to {max(shares):.0%} of the processors' time. "
    yield f"{found['date'][:10]}, {found['machine']['cpu']}, {found['machine']['processors']} processors.\n"


def _table(widths: Mapping[str, Any], clock: str) -> Iterator[str]:
    """Yields a table of times by width, and for each peer the width from which on it is faster than fastgrad."""
    measured = curves(widths, clock)
    yield f"| width | {' | '.join(TITLES[contestant] for contestant in measured)} |\n"
    yield f"| ---: | {' | '.join('---:' for _ in measured)} |\n"
    for width in widths:
        times = (dict(points).get(int(width)) for points in measured.values())
        yield f"| {width} | {' | '.join('' if time is None else duration(time) for time in times)} |\n"
    yield "\n"
    for contestant in measured:
        if contestant != FASTGRAD:
            first = wins_from(widths, contestant, clock)
            told = (
                f"faster than fastgrad from width {first} on" if first else "slower than fastgrad at the largest width"
            )
            yield f"* {TITLES[contestant]} is {told}.\n"
    yield "\n"


STYLE = """
svg { --paper: #ffffff; --ink: #1c1d1f; --soft: #5f6368; --rule: #e4e4e4; --ours: #0f766e; --jax: #6a4fb0; --torch: #c2541d; --compile: #2f6fb5; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14171a; --ink: #eceae6; --soft: #a3a7ad; --rule: #2c3035; --ours: #3fc6b8; --jax: #b79bf0; --torch: #f0a15e; --compile: #84b4f0; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
.tick { fill: var(--soft); font-size: 11px; }
.title { font-size: 15px; font-weight: 600; }
.paper { fill: var(--paper); }
.grid { stroke: var(--rule); }
path { fill: none; stroke-width: 2; }
path.c0 { stroke: var(--ours); stroke-width: 3; } circle.c0 { fill: var(--ours); }
path.c1 { stroke: var(--jax); } circle.c1 { fill: var(--jax); }
path.c2 { stroke: var(--torch); } circle.c2 { fill: var(--torch); }
path.c3 { stroke: var(--compile); } circle.c3 { fill: var(--compile); }
"""
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 820.0, 70.0, 620.0, 56.0, 380.0


def picture(found: Mapping[str, Any]) -> str:
    """Returns the chart as SVG, with colours of its own for light and for dark.

    Args:
        found: the stored results.
    """
    measured = curves(found["widths"], "cpu")
    times = [time for points in measured.values() for _, time in points]
    widths = sorted({width for points in measured.values() for width, _ in points})
    across = LogScale(*log_range(widths, room=1.15), LEFT, RIGHT)
    up = LogScale(*log_range(times), BOTTOM, TOP)
    about = "CPU time of a training step over the width of a dense network"
    parts = [text(16, 26, about, class_="title")]
    for tick in up.ticks(9):
        parts.append(line(LEFT, up(tick), RIGHT, up(tick), "grid"))
        parts.append(text(LEFT - 8, up(tick) + 4, duration(tick), class_="tick", text_anchor="end"))
    for width in widths:
        parts.append(line(across(width), TOP, across(width), BOTTOM, "grid"))
        parts.append(text(across(width), BOTTOM + 16, f"{width}", class_="tick", text_anchor="middle"))
    parts.append(
        text((LEFT + RIGHT) / 2, BOTTOM + 34, "units of each hidden layer", class_="tick", text_anchor="middle")
    )
    names = _label_heights([up(points[-1][1]) for points in measured.values()])
    for (contestant, points), height in zip(measured.items(), names, strict=True):
        colour = f"c{CASE.contestants.index(contestant)}"
        parts.append(path([(across(width), up(time)) for width, time in points], colour))
        for width, time in points:
            title = tag("title", html.escape(f"{TITLES[contestant]}, {width} units: {duration(time)}"))
            parts.append(tag("circle", title, cx=across(width), cy=up(time), r=3.5, class_=colour))
        parts.append(tag("circle", cx=RIGHT + 14, cy=height - 4, r=4, class_=colour))
        parts.append(text(RIGHT + 24, height, TITLES[contestant]))
    machine = found["machine"]
    facts = f"One thread, batch of 32, float32, SGD. {found['date'][:10]}, {machine['cpu']}, {machine['processors']} processors, no GPU."
    parts.append(text(16, BOTTOM + 66, facts, class_="tick"))
    return picture_file(WIDTH, BOTTOM + 84, STYLE, parts, about)


def _label_heights(ends: Sequence[float], gap: float = 18.0) -> list[float]:
    """Returns a height of a label for each curve: where the curve ends, moved down where labels would overlap."""
    heights = [0.0] * len(ends)
    last = -gap
    for index in sorted(range(len(ends)), key=ends.__getitem__):
        heights[index] = last = max(ends[index] + 4.0, last + gap)
    return heights
