"""Data-parallel training steps on 1, 2 and 4 ranks: `python -m benchmarks.distributed`.

Four models train with one global batch, which is divided among the ranks. The ranks of one model run side by side and
are timed in turn: ranks wait without using a processor while others are timed. Values are compared first: the losses of
the first steps are those of one process with the global batch. Each rank has its share of the processors, and 1 rank is
also measured on one processor.

- step: the compiled step with averaged gradients. local: the same step without the reduction.
- reduce: what the reduction adds to a compiled update of the weights. bare: `MPI_Allreduce` of as many bytes by mpi4py.
- hidden: 1 - (step - local) / bare of the shortest rounds, the share of the communication that the step hides.
- DDP: the step of PyTorch's DistributedDataParallel on gloo.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.machine import provenance
from benchmarks.other_programs import others_share
from benchmarks.peers.__main__ import names_type, peers_python, progress, warn_if_busy
from benchmarks.peers.data_parallel import ADDRESS, CORES, MEETING, MODELS, RANK, SIZE, THREADS
from benchmarks.peers.record import RESULTS, write_json

RESULT = RESULTS / "distributed.json"
PAGE = ROOT / "docs" / "distributed.md"
MEASURED = ("mlp", "cnn", "transformer", "embedding")
STEPS, TOLERANCE = 10, 1e-3
WARM_CALLS = 6
ANSWER_SECONDS = 120.0
GOALS = {"speed-up": 1.7, "reduce / bare": 1.3, "hidden": 0.7, "DDP / step": 1.3}


@dataclass(frozen=True)
class Contestant:
    """A group of ranks.

    Attributes:
        library: `fastgrad` or `torch`.
        ranks: how many.
        threads: of each rank.
    """

    library: str
    ranks: int
    threads: int

    @property
    def name(self) -> str:
        """The name in files: `fastgrad 2x1` has two ranks of one thread."""
        return f"{self.library} {self.ranks}x{self.threads}"


@dataclass
class Timed:
    """The results of a contestant.

    Attributes:
        losses: of the first steps, the means over the ranks.
        facts: bytes and transfers of a step.
        seconds: by call, of each round.
    """

    losses: list[float] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)


def launcher() -> str | None:
    """Returns the path of MPI's launcher: the one beside this Python, else the first on the path."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("mpiexec", path=places)


class Ranks:
    """The processes of a contestant, which answer requests.

    Args:
        contestant: which library, how many ranks and threads.
        model: one of `MODELS`.
        folder: for sockets and meeting files.
        environment: further variables.
    """

    def __init__(
        self, contestant: Contestant, model: str, folder: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.contestant = contestant
        address = os.path.join(folder, f"{contestant.name}.socket".replace(" ", "-"))
        worker = ["-m", "benchmarks.peers.data_parallel", contestant.library, model]
        settings = {
            **os.environ,
            **(environment or {}),
            ADDRESS: address,
            SIZE: str(contestant.ranks),
            THREADS: str(contestant.threads),
            MEETING: f"{address}.meeting",
            CORES: ",".join(map(str, processors())),
            "FASTGRAD_NUM_THREADS": str(contestant.threads),
            "OMP_NUM_THREADS": str(contestant.threads),
            "GLOO_SOCKET_IFNAME": "lo",
        }
        self._log = open(f"{address}.log", "w+", encoding="utf-8")  # noqa: SIM115 - closed with the ranks
        self._processes: list[subprocess.Popen[str]] = []
        self.connections: list[Connection] = []
        with Listener(address, "AF_UNIX", backlog=contestant.ranks) as listener:
            if contestant.library == "fastgrad" and contestant.ranks > 1:
                path = launcher()
                if path is None:
                    raise FileNotFoundError("no mpiexec: pip install fastgrad[mpi]")
                self._start([path, "-n", str(contestant.ranks), sys.executable, *worker], settings)
            else:
                python = sys.executable if contestant.library == "fastgrad" else peers_python()
                for rank in range(contestant.ranks):
                    self._start([python, *worker], {**settings, RANK: str(rank)})
            # `accept` of a listener has no timeout of its own.
            listener._listener._socket.settimeout(ANSWER_SECONDS)  # type: ignore[attr-defined]
            try:
                by_rank = {(connection := listener.accept()).recv(): connection for _ in range(contestant.ranks)}
            except (OSError, EOFError) as error:
                raise RuntimeError(f"{contestant.name} did not start:\n{self.output()}") from error
        self.connections = [by_rank[rank] for rank in sorted(by_rank)]

    def _start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._processes.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self._log, stderr=subprocess.STDOUT, text=True)
        )

    def output(self) -> str:
        """Returns the end of what the ranks have printed."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()[-3000:]

    def ask(self, **request: Any) -> list[Any]:
        """Returns the answers of all ranks to a request.

        Raises:
            RuntimeError: a rank has ended, or gives no answer in time.
        """
        try:
            for connection in self.connections:
                connection.send(request)
            answers = []
            for connection in self.connections:
                if not connection.poll(ANSWER_SECONDS):
                    raise EOFError
                answers.append(connection.recv())
        except (OSError, EOFError) as error:
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=2)  # until it has printed why
            raise RuntimeError(f"{self.contestant.name} gave no answer to {request}:\n{self.output()}") from error
        return answers

    def seconds(self, call: str, repeats: int) -> float:
        """Returns the seconds of a call, of the slowest rank."""
        return max(self.ask(do="slice", call=call, repeats=repeats))

    def close(self) -> None:
        """Ends the processes."""
        for connection in self.connections:
            connection.close()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(timeout=10)
        self._log.close()


def processors() -> list[int]:
    """Returns the numbers of the processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def contestants(ranks: Sequence[int], libraries: Sequence[str]) -> list[Contestant]:
    """Returns the groups of ranks: processors are divided among the ranks, and 1 rank is there on one processor, too."""
    count = len(processors())
    sizes = [(1, 1), *((n, max(1, count // n)) for n in ranks)]
    return [Contestant(library, *size) for library in libraries for size in dict.fromkeys(sizes)]


def measure(
    model: str, chosen: Sequence[Contestant], rounds: int, slice_seconds: float, note: Callable[[str], None]
) -> dict[Contestant, Timed]:
    """Returns the results of a model: losses, bytes, and the seconds of each call in each round.

    Raises:
        ValueError: the losses of a contestant are not those of the first.
        RuntimeError: a rank of fastgrad has ended, or another library's before the first round.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        groups: dict[Contestant, Ranks] = {}
        for contestant in chosen:
            note(f"{model}: {contestant.name} starts")
            groups[contestant] = Ranks(contestant, model, folder)
            stack.callback(groups[contestant].close)
        timed = {contestant: Timed() for contestant in chosen}
        for contestant, group in groups.items():
            note(f"{model}: losses of {contestant.name}")
            timed[contestant].losses = mean_losses(group.ask(do="losses", steps=STEPS))
            check_losses(model, timed[contestant].losses, timed[chosen[0]].losses, contestant.name)
        repeats: dict[tuple[Contestant, str], int] = {}
        for contestant, group in groups.items():
            for call in group.ask(do="calls")[0]:
                group.seconds(call, WARM_CALLS)
                repeats[contestant, call] = max(1, round(slice_seconds / group.seconds(call, WARM_CALLS)))
            timed[contestant].facts = group.ask(do="facts")[0]
        order = list(repeats)
        for round_ in range(rounds):
            note(f"{model}: round {round_ + 1} of {rounds}")
            turn = round_ % len(order)
            for contestant, call in order[turn:] + order[:turn]:
                if contestant not in timed:
                    continue
                try:
                    seconds = groups[contestant].seconds(call, repeats[contestant, call])
                except RuntimeError as error:
                    if contestant.library == "fastgrad":
                        raise
                    del timed[contestant]  # gloo loses connections now and then
                    print(f"{model}: {contestant.name} failed and is left out: {error}", file=sys.stderr)
                else:
                    timed[contestant].seconds.setdefault(call, []).append(seconds)
    note("")
    return timed


def mean_losses(losses: Sequence[Sequence[float]]) -> list[float]:
    """Returns the losses of the global batches from those of the ranks."""
    return [statistics.fmean(step) for step in zip(*losses, strict=True)]


def check_losses(model: str, losses: Sequence[float], expected: Sequence[float], name: str) -> None:
    """Raises ValueError if losses are not those of one process with the global batch."""
    for step, (loss, wanted) in enumerate(zip(losses, expected, strict=True)):
        if not abs(loss - wanted) <= TOLERANCE * abs(wanted):
            raise ValueError(f"{model}: the loss of {name} at step {step} is {loss}, that of one process {wanted}")


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Returns the median over the rounds of a ratio of two times."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def reduction_seconds(seconds: Mapping[str, Sequence[float]]) -> list[float]:
    """Returns what the reduction adds to an update of the weights, in each round."""
    return [with_it - without for with_it, without in zip(seconds["reduce"], seconds["update"], strict=True)]


def figures(timed: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, float]:
    """Returns the figures of one group of fastgrad's ranks.

    Args:
        timed: the results of a model by the names of contestants, each with `seconds` and `facts`.
        name: of the contestant.
    """
    seconds, base = timed[name]["seconds"], timed["fastgrad 1x1"]["seconds"]
    result = {
        "step": statistics.median(seconds["step"]),
        "local": statistics.median(seconds["local"]),
        "speed-up": median_ratio(base["step"], seconds["step"]),
        "step / local": median_ratio(seconds["step"], seconds["local"]),
        **timed[name]["facts"],
    }
    if "bare" in seconds:
        result["bare"] = statistics.median(seconds["bare"])
        result["reduce / bare"] = median_ratio(reduction_seconds(seconds), seconds["bare"])
        # A small difference of two times: the rounds with the least disturbance.
        result["hidden"] = 1.0 - (min(seconds["step"]) - min(seconds["local"])) / min(seconds["bare"])
    rival = timed.get(name.replace("fastgrad", "torch"))
    if rival:
        result["DDP / step"] = median_ratio(rival["seconds"]["step"], seconds["step"])
    return result


HEAD = "model        ranks x threads   step ms  speed-up  DDP/step   MB sent  transfers   bare ms  reduce/bare  hidden"


def table(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the lines of the table of all models."""
    lines = [HEAD]
    for model, timed in models.items():
        for name in timed:
            if not name.startswith("fastgrad"):
                continue
            f = figures(timed, name)
            sent = (f.get("reduced", 0.0) + f.get("gathered", 0.0)) / 1e6
            cells = [
                f"{model:<12} {name.split()[1]:<16}",
                f"{1e3 * f['step']:>8.2f}",
                f"{f['speed-up']:>9.2f}",
                f"{f['DDP / step']:>9.2f}" if "DDP / step" in f else f"{'-':>9}",
            ]
            if "bare" in f:
                cells += [f"{sent:>9.2f}", f"{f['transfers']:>10.0f}", f"{1e3 * f['bare']:>9.2f}"]
                cells += [f"{f['reduce / bare']:>12.2f}", f"{100 * f['hidden']:>6.0f}%"]
            lines.append(" ".join(cells))
    return lines


def replace_part(page: str, name: str, text: str) -> str:
    """Returns a page with the text between `<!-- name -->` and `<!-- end of name -->` replaced.

    Raises:
        ValueError: the page has no such part.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no part from {begin} to {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def printed(results: Mapping[str, Any], lines: Sequence[str]) -> str:
    """Returns the lines of a table for a page, with provenance."""
    machine, others = results["machine"], results.get("others_share")
    busy = f", other programs took {100 * others:.0f} % of it" if others is not None else ""
    told = (
        f"`{results['command']}`, {results['date'][:10]}, commit {results['commit'][:10]}; {machine['cpu']}, "
        f"{machine['processors']} processors{busy}; medians of {results['rounds']} rounds."
    )
    return "\n".join([told, "", "```text", *lines, "```"])


@contextlib.contextmanager
def updated_page(page: Path, name: str) -> Iterator[list[str]]:
    """Gives a list, and writes the text that is put there into a part of a page."""
    texts: list[str] = []
    yield texts
    page.write_text(replace_part(page.read_text(encoding="utf-8"), name, "\n".join(texts)), encoding="utf-8")


def main(command: Sequence[str] | None = None) -> int:
    """Measures the models, prints the table, writes the results and the part of the page; returns the exit status."""
    given = sys.argv[1:] if command is None else list(command)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.distributed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--models", type=names_type(MODELS, "model"), default=list(MEASURED), metavar="NAMES")
    add("--ranks", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4], metavar="1,2,4")
    libraries = {"fastgrad": None, "torch": None}
    add("--libraries", type=names_type(libraries, "library"), default=list(libraries), metavar="NAMES")
    add("--rounds", type=int, default=9)
    add("--slice", type=float, default=0.2, metavar="SECONDS")
    add("--results", type=Path, default=RESULT, metavar="FILE", help="default: benchmarks/results/distributed.json")
    add("--page", type=Path, default=PAGE, metavar="FILE", help="default: docs/distributed.md")
    chosen = parser.parse_args(given)
    warn_if_busy()
    results: dict[str, Any] = provenance(shlex.join(["python", "-m", "benchmarks.distributed", *given]))
    results |= {"rounds": chosen.rounds, "models": {}}
    groups = contestants(chosen.ranks, chosen.libraries)
    with others_share() as others:
        for model in chosen.models:
            timed = measure(model, groups, chosen.rounds, chosen.slice, progress)
            results["models"][model] = {contestant.name: vars(one) for contestant, one in timed.items()}
            lines = table({model: results["models"][model]})
            print("\n".join(lines if len(results["models"]) == 1 else lines[1:]), flush=True)
    results["others_share"] = others.value
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    write_json(chosen.results, results)
    with updated_page(chosen.page, "figures") as texts:
        texts.append(printed(results, table(results["models"])))
    return 0


class DataParallel:
    """The time of a data-parallel step with a fixed global batch, in microseconds."""

    params = (MEASURED, (1, 2))
    param_names = ("model", "ranks")
    version = "1"
    timeout = 120.0
    unit = "us"

    def setup(self, model: str, ranks: int) -> None:
        if ranks > 1 and launcher() is None:
            raise NotImplementedError("no mpiexec: pip install fastgrad[mpi]")
        self.folder = tempfile.TemporaryDirectory()
        self.ranks = Ranks(Contestant("fastgrad", ranks, 1), model, self.folder.name)
        self.ranks.seconds("step", WARM_CALLS)

    def teardown(self, model: str, ranks: int) -> None:
        self.ranks.close()
        self.folder.cleanup()

    def track_step(self, model: str, ranks: int) -> float:
        return 1e6 * min(self.ranks.seconds("step", 10) for _ in range(5))


if __name__ == "__main__":
    sys.exit(main())
