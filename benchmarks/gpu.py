"""Training steps on an NVIDIA GPU beside PyTorch and JAX: `python -m benchmarks.gpu --out results.json`.

It needs this tree and what the machine has installed; a library that is missing is said to be missing. The programs are those of
`benchmarks/peers`. Of each, the losses of the first steps are compared with the CPU's; what differs is not timed. All compute in
float32 (no TF32). The libraries take turns; a time is the shortest round of many steps, after which the GPU is waited for.
Its tests run it on a simulated GPU, where its times mean nothing.
"""

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.machine import provenance
from benchmarks.peers.workload import Batches, Step, Workload

WORKLOADS = ("mlp_small", "mlp_wide", "transformer", "cnn_mnist", "cnn_cifar", "chain_cheap", "chain_math", "adam")
LIBRARIES = ("fastgrad", "torch", "torch.compile", "jax")
STEPS = 5  # whose losses are compared
TOLERANCE = 2e-3  # relative; sums in another order, over a few steps
WARM_STEPS = 20
ROUND_SECONDS = 0.2
COPY_BYTES = 1 << 30


@dataclass
class Program:
    """A training step of one library on the GPU.

    Attributes:
        step: trains on a batch; gives the loss.
        batches: on the GPU.
        value: the loss as a number, once the GPU is done.
        inside: a context in which the step is called.
    """

    step: Step
    batches: Batches
    value: Callable[[Any], float] = float
    inside: Callable[[], Any] = nullcontext

    def losses(self, count: int) -> list[float]:
        """Returns the losses of the first steps."""
        with self.inside():
            return [self.value(self.step(*self.batches[n % len(self.batches)])) for n in range(count)]

    def seconds(self, steps: int) -> float:
        """Returns the seconds of so many steps."""
        batches = [self.batches[n % len(self.batches)] for n in range(steps)]
        with self.inside():
            begin = time.perf_counter()
            for batch in batches:
                loss = self.step(*batch)
            self.value(loss)
            return time.perf_counter() - begin


def on_fastgrad(workload: Workload, inputs: Any, device: str) -> Program:
    """Returns fastgrad's program of a workload on a device."""
    import fastgrad as tf

    with tf.device(device):
        step, batches = workload.programs["tensorflow"](tf, inputs)  # type: ignore[misc]
    return Program(tf.function(step), batches, inside=lambda: tf.device(device))


def on_torch(workload: Workload, inputs: Any, kind: str) -> Program:
    """Returns PyTorch's program of a workload, eager or compiled with CUDA graphs."""
    import torch

    if not torch.cuda.is_available():
        raise ImportError("PyTorch finds no GPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    if kind == "torch.compile":
        import torch._inductor.config

        torch._inductor.config.triton.cudagraphs = True
    with torch.device("cuda"):
        step, batches = workload.programs[kind](torch, inputs)  # type: ignore[misc]
    there = [tuple(array.to("cuda") for array in batch) for batch in batches]
    return Program(step, there, inside=lambda: torch.device("cuda"))


def on_jax(workload: Workload, inputs: Any) -> Program:
    """Returns JAX's program of a workload."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the others need memory, too
    import jax

    if jax.default_backend() != "gpu":
        raise ImportError("JAX finds no GPU")
    jax.config.update("jax_default_matmul_precision", "highest")
    step, batches = workload.programs["jax"](jax, inputs)  # type: ignore[misc]
    return Program(step, batches)


def program_of(library: str, workload: Workload, inputs: Any) -> Program:
    """Returns a library's program of a workload.

    Raises:
        ImportError: the library is not installed, or finds no GPU.
    """
    if library == "fastgrad":
        return on_fastgrad(workload, inputs, "GPU:0")
    return on_jax(workload, inputs) if library == "jax" else on_torch(workload, inputs, library)


def measured(
    workload: Workload, libraries: Sequence[str], rounds: int, inputs_of: Callable[[], Any] | None = None
) -> dict[str, Any]:
    """Returns for each library the microseconds of a step of the workload, or the reason why there are none."""
    inputs = (inputs_of or workload.inputs)()
    wanted = on_fastgrad(workload, inputs, "CPU:0").losses(STEPS)
    programs, found = {}, {}
    for library in libraries:
        try:
            program = program_of(library, workload, inputs)
            losses = program.losses(STEPS)
        except ImportError as error:
            found[library] = {"missing": str(error)}
        except Exception as error:  # noqa: BLE001 (one library's failure is a result; the others go on)
            found[library] = {"failed": f"{type(error).__name__}: {error}"}
        else:
            off = max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(losses, wanted, strict=True))
            found[library] = {"off_by": off}
            if off <= TOLERANCE:
                programs[library] = program
            else:
                found[library]["failed"] = f"losses {losses} are not those of the CPU, {wanted}"
    for library, seconds in _times(programs, rounds).items():
        found[library]["microseconds"] = round(1e6 * seconds, 3)
    return {"about": workload.about, "bytes_moved": workload.bytes_moved, "libraries": found}


def _times(programs: dict[str, Program], rounds: int) -> dict[str, float]:
    """Returns the seconds of a step: the shortest of several interleaved rounds."""
    steps = {}
    for name, program in programs.items():
        program.seconds(WARM_STEPS)  # graphs are captured in the first calls
        steps[name] = max(int(ROUND_SECONDS * WARM_STEPS / program.seconds(WARM_STEPS)), 3)
    best = dict.fromkeys(programs, float("inf"))
    for _ in range(rounds):
        for name, program in programs.items():
            best[name] = min(best[name], program.seconds(steps[name]) / steps[name])
    return best


def copy_bandwidth(nbytes: int = COPY_BYTES, repeats: int = 20) -> float:
    """Returns the bytes that the GPU reads and writes per second in a copy within its memory."""
    from fastgrad._src.cuda.devices import available

    device = available.gpu_device(0)
    nbytes = min(nbytes, device.driver.free_and_total_bytes()[0] // 4)
    source, to = device.allocate(nbytes), device.allocate(nbytes)
    device.driver.fill(source.address, 0, nbytes)
    best = float("inf")
    for _ in range(5):
        device.driver.synchronize()
        begin = time.perf_counter()
        for _ in range(repeats):
            device.driver.copy(to.address, source.address, nbytes)
        device.driver.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * nbytes * repeats / best


def add_shares(results: dict[str, Any], bandwidth: float) -> None:
    """Adds to the results the share of the bandwidth, and the ratio of the fastest peer to fastgrad."""
    for one in results.values():
        times = {name: found["microseconds"] for name, found in one["libraries"].items() if "microseconds" in found}
        for name, microseconds in times.items():
            if one["bytes_moved"]:
                share = one["bytes_moved"] / (1e-6 * microseconds) / bandwidth
                one["libraries"][name]["share_of_copy_bandwidth"] = round(share, 4)
        peers = [microseconds for name, microseconds in times.items() if name != "fastgrad"]
        if peers and "fastgrad" in times:
            one["times_the_fastest_peer"] = round(min(peers) / times["fastgrad"], 3)


def surroundings(command: str) -> dict[str, Any]:
    """Returns the provenance of the results: date, commit, machine and versions."""
    from fastgrad._src.cuda.devices import available

    driver = available.gpu_device(0).driver
    found = provenance(command)
    for package in ("cuda-core", "cuda-bindings", "nvidia-nvjitlink", "torch", "jax", "optax"):
        with suppress(metadata.PackageNotFoundError):
            found["versions"][package] = metadata.version(package)
    gpu = {"name": driver.name, "capability": driver.capability / 10, "simulated": driver.is_simulated}
    return {**found, "gpu": gpu}


def main(arguments: Sequence[str]) -> int:
    """Measures and writes the file; returns 1 without a GPU, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the file that is written")
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS)
    parser.add_argument("--libraries", nargs="+", default=LIBRARIES, choices=LIBRARIES)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    if importlib.util.find_spec("fastgrad") is None:
        sys.path.insert(0, str(ROOT / "src"))
    import fastgrad as tf
    from benchmarks.peers.workloads import WORKLOADS as KNOWN

    if not tf.config.list_physical_devices("GPU"):
        print(tf.config.why_no_gpu())
        return 1
    bandwidth = copy_bandwidth()
    results: dict[str, Any] = {}
    report = {
        **surroundings(" ".join(["python -m benchmarks.gpu", *arguments])),
        "copy_bytes_per_second": round(bandwidth),
        "workloads": results,
    }
    for name in chosen.workloads:
        results[name] = measured(KNOWN[name], chosen.libraries, chosen.rounds)
        add_shares(results, bandwidth)
        chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")  # as far as it has come
        print(name, json.dumps(results[name]["libraries"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
